#!/usr/bin/env python3
"""The operations of bench_ops and bench_slices in PyTorch. They start it (--torch "python3 bench/torch_ops.py") and let it
take its turns: bench/common/torch.h has the lines that they exchange. Needs torch; --device cpu shows that it works."""
import argparse
import json
import sys
import time

import torch
import torch.nn.functional as F

DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


def batch_norm(case, x, w, b, mean, var):
    momentum, eps = case["f"]
    return F.batch_norm(x, mean, var, w, b, training=case["i"][0] != 0, momentum=momentum, eps=eps)


def conv2d(case, x, w, b):
    i = case["i"]
    return F.conv2d(x, w, b, stride=i[0:2], padding=i[2:4], dilation=i[4:6], groups=i[8])


def attention(case, q, k, v):
    scale = case["f"][0]
    return F.scaled_dot_product_attention(q, k, v, is_causal=case["i"][0] != 0, scale=None if scale == -1e308 else scale)


def total(case, x):
    dims = case["i"][1:]
    return x.sum(dims) if dims else x.sum()


# By the operation's name in Weft: the case, whose i and f are the numbers of Weft's call (the records in src/ops say which),
# then the operands.
OPS = {
    "copy_": lambda case, x, y: x.copy_(y),
    "add": lambda case, x, y: x + y,
    "relu": lambda case, x: F.relu(x),
    "exp": lambda case, x: torch.exp(x),
    "gelu": lambda case, x: F.gelu(x),
    "tanh": lambda case, x: torch.tanh(x),
    "contiguous": lambda case, x: x.contiguous(),
    "dropout": lambda case, x: F.dropout(x, case["f"][0], case["i"][0] != 0),
    "sum": total,
    "softmax": lambda case, x: F.softmax(x, case["i"][0]),
    "cross_entropy": lambda case, x, y: F.cross_entropy(x, y),
    "layer_norm": lambda case, x, w, b: F.layer_norm(x, w.shape, w, b, case["f"][0]),
    "rms_norm": lambda case, x, w: F.rms_norm(x, w.shape, w, case["f"][0]),
    "matmul": lambda case, a, b: a @ b,
    "conv2d": conv2d,
    "batch_norm": batch_norm,
    "unbind": lambda case, x: torch.unbind(x),
    "attention": attention,
}


def operand(description, dtype, device):
    """As Weft has it: None, class numbers, or reals, perhaps transposed in memory."""
    if description is None:
        return None
    shape = description["shape"]
    if description["classes"]:
        return torch.randint(0, description["classes"], shape, device=device)
    if description.get("turned"):
        shape = shape[:-2] + [shape[-1], shape[-2]]
    x = torch.rand(shape, device=device, dtype=dtype) * 2 - 1
    return x.mT if description.get("turned") else x


def prepare(case, device):
    """A function that does the case once."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = case["tf32"]
    inputs = [operand(o, DTYPES[case["dtype"]], device) for o in case["operands"]]
    wanted = [x for k, x in enumerate(inputs) if case["wrt"] >> k & 1]
    run = OPS[case["op"]]
    if not wanted:

        def forward():
            with torch.no_grad():
                run(case, *inputs)

        return forward
    for x in wanted:
        x.requires_grad_(True)
    out = run(case, *inputs)
    out = out if isinstance(out, tuple) else (out,)
    cotangents = [torch.full_like(y, 0.5) for y in out]
    return lambda: torch.autograd.grad(out, wanted, cotangents, retain_graph=True)


def seconds_of(run, times, synchronize):
    begin = time.perf_counter()
    for _ in range(times):
        run()
    synchronize()
    return time.perf_counter() - begin


def answer(words, state, device):
    """What is said to one line of bench_ops."""
    synchronize = torch.cuda.synchronize if device == "cuda" else lambda: None
    verb, _, rest = words.partition(" ")
    if verb == "case":
        state.pop("run", None)
        if device == "cuda":
            torch.cuda.empty_cache()  # the other side wants memory, too
        state["run"] = prepare(json.loads(rest), device)
        synchronize()
        return "ok"
    return f"{seconds_of(state['run'], int(rest), synchronize):.9f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--threads", type=int, default=0, help="of the CPU; 0: as PyTorch likes")
    arguments = parser.parse_args()
    device = arguments.device
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    if device == "cuda":
        torch.cuda.init()
    print("torch", torch.__version__, flush=True)
    state = {}
    for line in sys.stdin:
        try:
            reply = answer(line.strip(), state, device)
        except Exception as error:  # pylint: disable=broad-exception-caught  # it is said, and the next case may come
            reply = "error " + " ".join(f"{type(error).__name__}: {error}".split())[:300]
        print(reply, flush=True)


if __name__ == "__main__":
    main()
