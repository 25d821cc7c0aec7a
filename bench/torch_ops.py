#!/usr/bin/env python3
"""The operations of bench_ops in PyTorch, at the same sizes and dtypes, as JSON of the same form. Needs torch and a GPU."""
import argparse
import json
import statistics
import time

import torch
import torch.nn.functional as F

ROWS, COLUMNS, EDGE, BATCH, SIDE = 16384, 4096, 4096, 64, 56


def median_seconds(run, rounds=7, least=0.004):
    run()
    torch.cuda.synchronize()
    times = 1
    while True:
        begin = time.perf_counter()
        for _ in range(times):
            run()
        torch.cuda.synchronize()
        took = time.perf_counter() - begin
        if took >= least:
            break
        times *= 2
    rates = []
    for _ in range(rounds):
        begin = time.perf_counter()
        for _ in range(times):
            run()
        torch.cuda.synchronize()
        rates.append((time.perf_counter() - begin) / times)
    return statistics.median(rates)


def subjects(dtype):
    """(name, forward, inputs that need a gradient, passes forward and backward, flops)"""
    x, y = (torch.rand(ROWS, COLUMNS, device="cuda", dtype=dtype) * 2 - 1 for _ in range(2))
    w, b = (torch.rand(COLUMNS, device="cuda", dtype=dtype) for _ in range(2))
    classes = torch.randint(0, COLUMNS, (ROWS,), device="cuda")
    gx = x.clone().requires_grad_(True)
    yield "copy", lambda: y.copy_(x), None, 2, 0, 0
    yield "add", lambda: x + y, None, 3, 0, 0
    yield "add [row]", lambda: x + b, None, 2, 0, 0
    yield "relu", lambda: F.relu(gx), [gx], 2, 3, 0
    yield "exp", lambda: torch.exp(gx), [gx], 2, 3, 0
    yield "gelu", lambda: F.gelu(gx), [gx], 2, 3, 0
    yield "transpose", lambda: x.t().contiguous(), None, 2, 0, 0
    yield "sum", lambda: x.sum(), None, 1, 0, 0
    yield "sum of columns", lambda: x.sum(0), None, 1, 0, 0
    yield "softmax", lambda: F.softmax(gx, -1), [gx], 2, 3, 0
    yield "cross_entropy", lambda: F.cross_entropy(gx, classes), [gx], 1, 2, 0
    yield "layer_norm", lambda: F.layer_norm(gx, (COLUMNS,), w, b), [gx], 2, 3, 0
    if hasattr(F, "rms_norm"):
        yield "rms_norm", lambda: F.rms_norm(gx, (COLUMNS,), w), [gx], 2, 3, 0
    yield "dropout", lambda: F.dropout(gx, 0.1), [gx], 2.25, 2.25, 0
    p, q = ((torch.rand(EDGE, EDGE, device="cuda", dtype=dtype) * 2 - 1).requires_grad_(True) for _ in range(2))
    bias = torch.rand(EDGE, device="cuda", dtype=dtype)
    yield "matmul", lambda: p @ q, [p, q], 0, 2, 2 * EDGE**3
    yield "linear", lambda: F.linear(p, q, bias), [p, q], 0, 2, 2 * EDGE**3
    image = (torch.rand(BATCH, 64, SIDE, SIDE, device="cuda", dtype=dtype) * 2 - 1).requires_grad_(True)
    weights = (torch.rand(64, 64, 3, 3, device="cuda", dtype=dtype) * 2 - 1).requires_grad_(True)
    flops = 2 * 64 * 64 * 9 * BATCH * SIDE * SIDE
    yield "conv2d 3x3", lambda: F.conv2d(image, weights, padding=1), [image, weights], 0, 2, flops


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", required=True)
    path = parser.parse_args().json
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    results = []

    def add(name, way, dtype, seconds, passes, flops):
        row = {"op": name, "way": way, "dtype": dtype, "seconds": seconds}
        if flops:
            row["tflops"] = flops / seconds * 1e-12
        else:
            row["gbps"] = passes * ROWS * COLUMNS * (2 if dtype == "bf16" else 4) / seconds * 1e-9
        results.append(row)
        print(name, way, dtype, f"{seconds * 1e6:.1f} us")

    for dtype, name_of in ((torch.float32, "f32"), (torch.bfloat16, "bf16")):
        for name, forward, wrt, passes, back, flops in subjects(dtype):
            with torch.no_grad():
                seconds = median_seconds(forward)
            add(name, "forward", name_of, seconds, passes, flops)
            if wrt:
                out = forward()
                cotangent = torch.full_like(out, 0.5)
                seconds = median_seconds(lambda: torch.autograd.grad(out, wrt, cotangent, retain_graph=True))
                add(name, "backward", name_of, seconds, back, flops * back)
    with open(path, "w", encoding="ascii") as file:
        json.dump({"program": "torch_ops", "torch": torch.__version__, "results": results}, file, indent=1)


if __name__ == "__main__":
    main()
