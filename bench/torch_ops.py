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
    return F.batch_norm(x, mean, var, w, b, training=True)


def copy(case, x, y):
    return y.copy_(x)


# By the name that bench_ops gives: the case, then the operands in its order.
OPS = {
    "copy": copy,
    "add": lambda case, x, y: x + y,
    "add [row]": lambda case, x, y: x + y,
    "relu": lambda case, x: F.relu(x),
    "exp": lambda case, x: torch.exp(x),
    "gelu": lambda case, x: F.gelu(x),
    "tanh": lambda case, x: torch.tanh(x),
    "transpose": lambda case, x: x.t().contiguous(),
    "dropout": lambda case, x: F.dropout(x, 0.1),
    "sum": lambda case, x: x.sum(),
    "sum columns": lambda case, x: x.sum(0),
    "softmax": lambda case, x: F.softmax(x, -1),
    "cross_entropy": lambda case, x, y: F.cross_entropy(x, y),
    "layer_norm": lambda case, x, w, b: F.layer_norm(x, w.shape, w, b),
    "rms_norm": lambda case, x, w: F.rms_norm(x, w.shape, w),
    "matmul nn": lambda case, a, b: a @ b,
    "matmul nt": lambda case, a, b: a @ b.mT,
    "matmul tn": lambda case, a, b: a.mT @ b,
    "conv2d": lambda case, x, w: F.conv2d(x, w, stride=case["stride"], padding=case["padding"]),
    "batch_norm": batch_norm,
    "unbind": lambda case, x: torch.unbind(x),
    "attention": lambda case, q, k, v: F.scaled_dot_product_attention(q, k, v),
    "attention c": lambda case, q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
}


def operand(description, dtype, device):
    shape = description["shape"]
    if description["classes"]:
        return torch.randint(0, description["classes"], shape, device=device)
    return torch.rand(shape, device=device, dtype=dtype) * 2 - 1


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
