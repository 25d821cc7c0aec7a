#!/usr/bin/env python3
"""make_layers.py: what PyTorch's layers give, for tests/test_layers.c.

    python3 tests/nn/make_layers.py        # needs PyTorch 2.15; writes tests/nn/layers.safetensors

For each case: its state dict before the call (CASE/state/NAME), the inputs (CASE/x, h0, c0), the results (CASE/y, h, c),
the gradient that arrives at y (CASE/g), and those of the inputs and parameters (CASE/dx, CASE/grad/NAME); of layers that
change their buffers, these afterwards (CASE/after/NAME). The names of the state dict are PyTorch's own.
"""
import json
import pathlib
import struct

import torch
from torch import nn

tensors = {}


def put(name, t):
    tensors[name] = t.detach().contiguous().clone()


def case(name, module, x, call=None, training=True, more=None, state=True):
    """One layer. call: how it is run, by default module(x) -> y; more: further inputs, by name."""
    module.train(training)
    more = more or {}
    if state:
        for key, value in module.state_dict().items():
            put(f"{name}/state/{key}", value)
    put(f"{name}/x", x)
    for key, value in more.items():
        put(f"{name}/{key}", value)
    if x.is_floating_point():
        x = x.clone().requires_grad_(True)
    results = call(module, x, **more) if call else module(x)
    y, others = results if isinstance(results, tuple) else (results, {})
    g = torch.randn(y.shape)
    put(f"{name}/y", y)
    put(f"{name}/g", g)
    for key, value in others.items():
        put(f"{name}/{key}", value)
    parameters = dict(module.named_parameters())
    wanted = list(parameters.values()) + ([x] if x.requires_grad else [])
    if wanted:
        grads = torch.autograd.grad(y, wanted, g)
        for key, grad in zip(list(parameters) + ["x"], grads):
            put(f"{name}/dx" if key == "x" else f"{name}/grad/{key}", grad)
    for key, value in module.named_buffers():
        put(f"{name}/after/{key}", value)


def spread(module):
    """Parameters that start as zeros and ones would hide mistakes."""
    with torch.no_grad():
        for p in module.parameters():
            if p.dim() == 1 or p.abs().max() == 0:
                p.add_(0.3 * torch.randn(p.shape))
        for name, b in module.named_buffers():
            if b.is_floating_point():
                b.add_(0.2 * torch.rand(b.shape))
    return module



def swiglu_block(width, heads, kv_heads, hidden, base):
    """A block of Llama as Hugging Face's transformers computes it, of torch.nn's parts."""
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            size = width // heads
            self.q_proj = nn.Linear(width, heads * size, bias=False)
            self.k_proj = nn.Linear(width, kv_heads * size, bias=False)
            self.v_proj = nn.Linear(width, kv_heads * size, bias=False)
            self.o_proj = nn.Linear(heads * size, width, bias=False)

        def forward(self, x):
            n, t, size = x.shape[0], x.shape[1], width // heads
            q = self.q_proj(x).view(n, t, heads, size).transpose(1, 2)
            k = self.k_proj(x).view(n, t, kv_heads, size).transpose(1, 2)
            v = self.v_proj(x).view(n, t, kv_heads, size).transpose(1, 2)
            speeds = 1.0 / base ** (torch.arange(0, size, 2).double() / size)
            angles = torch.outer(torch.arange(t).double(), speeds)
            angles = torch.cat([angles, angles], -1)
            cos, sin = angles.cos().float(), angles.sin().float()

            def turn(z):
                a, b = z.chunk(2, -1)
                return z * cos + torch.cat([-b, a], -1) * sin

            y = nn.functional.scaled_dot_product_attention(turn(q), turn(k), v, is_causal=True, enable_gqa=True)
            return self.o_proj(y.transpose(1, 2).reshape(n, t, heads * size))

    class Mlp(nn.Module):
        def __init__(self):
            super().__init__()
            self.up_proj = nn.Linear(width, hidden, bias=False)
            self.gate_proj = nn.Linear(width, hidden, bias=False)
            self.down_proj = nn.Linear(hidden, width, bias=False)

        def forward(self, x):
            return self.down_proj(nn.functional.silu(self.gate_proj(x)) * self.up_proj(x))

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.input_layernorm = nn.RMSNorm(width, eps=1e-6)
            self.self_attn = Attention()
            self.post_attention_layernorm = nn.RMSNorm(width, eps=1e-6)
            self.mlp = Mlp()

        def forward(self, x):
            x = x + self.self_attn(self.input_layernorm(x))
            return x + self.mlp(self.post_attention_layernorm(x))

    return Block()


def gpt_block(width, heads):
    """A block of GPT-2 in the names of nanoGPT."""
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.c_attn = nn.Linear(width, 3 * width)
            self.c_proj = nn.Linear(width, width)

        def forward(self, x):
            n, t, size = x.shape[0], x.shape[1], width // heads
            q, k, v = (z.view(n, t, heads, size).transpose(1, 2) for z in self.c_attn(x).split(width, 2))
            y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            return self.c_proj(y.transpose(1, 2).reshape(n, t, width))

    class Mlp(nn.Module):
        def __init__(self):
            super().__init__()
            self.c_fc = nn.Linear(width, 4 * width)
            self.c_proj = nn.Linear(4 * width, width)

        def forward(self, x):
            return self.c_proj(nn.functional.gelu(self.c_fc(x), approximate="tanh"))

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.ln_1 = nn.LayerNorm(width)
            self.attn = Attention()
            self.ln_2 = nn.LayerNorm(width)
            self.mlp = Mlp()

        def forward(self, x):
            x = x + self.attn(self.ln_1(x))
            return x + self.mlp(self.ln_2(x))

    return Block()


def attention(module, x, mask=None):
    # MultiheadAttention's bool masks are true where a query does not see
    return module(x, x, x, need_weights=False, attn_mask=None if mask is None else ~mask)[0]


def recurrent(module, x, h0=None, c0=None):
    y, states = module(x, h0 if c0 is None else (h0, c0))
    return (y, {"h": states[0], "c": states[1]}) if isinstance(states, tuple) else (y, {"h": states})


def write(path):
    kinds = {torch.float32: "F32", torch.int64: "I64", torch.bool: "BOOL"}
    head, data = {"__metadata__": {"made": "tests/nn/make_layers.py, PyTorch 2.15"}}, b""
    for name, t in tensors.items():
        raw = t.numpy().tobytes()
        head[name] = {"dtype": kinds[t.dtype], "shape": list(t.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    print(f"{path}: {len(tensors)} tensors, {8 + len(text) + len(data)} bytes")


def main():
    assert torch.__version__.startswith("2.15"), torch.__version__
    torch.manual_seed(1)
    torch.set_num_threads(1)
    r = torch.randn
    case("linear", nn.Linear(5, 3), r(2, 4, 5))
    case("linear_plain", nn.Linear(5, 3, bias=False), r(4, 5))
    case("embedding", nn.Embedding(7, 4), torch.tensor([[1, 6, 0], [1, 1, 3]]))
    case("conv1d", nn.Conv1d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2), r(2, 4, 9))
    case("conv2d", nn.Conv2d(3, 4, (3, 2), stride=(2, 1), padding=(1, 0)), r(2, 3, 6, 5))
    case("conv3d", nn.Conv3d(2, 3, (2, 3, 2), stride=(1, 2, 1), padding=(0, 1, 1), bias=False), r(1, 2, 4, 5, 3))
    case("conv1d_transpose", nn.ConvTranspose1d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2), r(2, 4, 5))
    case("conv2d_transpose", nn.ConvTranspose2d(3, 4, (3, 2), stride=(2, 3), padding=(1, 0), dilation=(1, 2)),
         r(2, 3, 4, 3))
    case("conv3d_transpose", nn.ConvTranspose3d(2, 3, 2, stride=2, bias=False), r(1, 2, 2, 3, 2))
    case("batch_norm", spread(nn.BatchNorm2d(4)), 2 * r(3, 4, 3, 2) + 1)
    case("batch_norm_eval", spread(nn.BatchNorm1d(4, eps=1e-3)), 2 * r(5, 4) + 1, training=False)
    case("batch_norm_momentum", spread(nn.BatchNorm3d(3, momentum=0.4, affine=False)), r(2, 3, 2, 2, 2))
    case("batch_norm_untracked", spread(nn.BatchNorm1d(3, track_running_stats=False)), r(4, 3, 2), training=False)
    case("layer_norm", spread(nn.LayerNorm((3, 4))), r(2, 3, 4))
    case("layer_norm_no_bias", spread(nn.LayerNorm(4, bias=False, eps=1e-3)), r(2, 3, 4))
    case("layer_norm_plain", nn.LayerNorm((3, 4), elementwise_affine=False), r(2, 3, 4))
    case("rms_norm", spread(nn.RMSNorm(6)), r(4, 6))
    case("rms_norm_plain", nn.RMSNorm((2, 3), elementwise_affine=False), 1e-4 * r(4, 2, 3))
    case("group_norm", spread(nn.GroupNorm(2, 6)), r(2, 6, 3))
    case("instance_norm", nn.InstanceNorm2d(3), r(2, 3, 4, 2))
    case("instance_norm_affine", spread(nn.InstanceNorm1d(3, affine=True)), r(2, 3, 5))
    case("max_pool", nn.MaxPool2d(3, stride=2, padding=1), r(1, 2, 5, 6))
    case("max_pool_dilated", nn.MaxPool2d(2, dilation=2, ceil_mode=True), r(1, 2, 5, 6))
    case("avg_pool", nn.AvgPool1d(2), r(2, 2, 7))
    case("avg_pool_padded", nn.AvgPool2d(3, stride=2, padding=1), r(1, 2, 5, 6))
    case("avg_pool_excluding", nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False), r(1, 2, 5, 6))
    case("adaptive_avg_pool", nn.AdaptiveAvgPool2d((2, 3)), r(1, 2, 5, 7))
    case("rnn", nn.RNN(3, 4, num_layers=2), r(5, 2, 3), recurrent)
    case("rnn_relu", nn.RNN(3, 4, nonlinearity="relu", bias=False, batch_first=True), r(2, 5, 3), recurrent)
    case("gru", nn.GRU(3, 4, num_layers=2, bidirectional=True), r(4, 2, 3), recurrent, more={"h0": r(4, 2, 4)})
    case("lstm", nn.LSTM(3, 4, num_layers=2, bidirectional=True, batch_first=True), r(2, 4, 3), recurrent,
         more={"h0": r(4, 2, 4), "c0": r(4, 2, 4)})
    case("attention", spread(nn.MultiheadAttention(8, 2, batch_first=True)), r(2, 5, 8), attention)
    seen = torch.rand(5, 5) > 0.4
    seen |= torch.eye(5, dtype=torch.bool)
    case("attention_mask", spread(nn.MultiheadAttention(8, 4, batch_first=True, bias=False)), r(2, 5, 8), attention,
         more={"mask": seen})
    case("block", spread(nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, activation="gelu", batch_first=True,
                                                    norm_first=True)), r(2, 4, 8))
    case("block_relu", spread(nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, activation="relu", batch_first=True,
                                                         norm_first=True, bias=False)), r(2, 4, 8))
    case("block_gpt", spread(gpt_block(8, 2)), r(2, 5, 8))
    case("block_llama", spread(swiglu_block(16, 4, 2, 20, 10000.0)), r(2, 5, 16))
    case("sequential", nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2),
                                     nn.Flatten(), nn.Linear(8, 3)), r(3, 1, 4, 4))
    write(pathlib.Path(__file__).parent / "layers.safetensors")


main()
