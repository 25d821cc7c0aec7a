#!/usr/bin/env python3
"""Makes tests/right/right.md, the table "right where PyTorch 2.15 is not" of docs/ops.md: runs PyTorch on the cases of cases.c, and
weft_right, which prints Weft's numbers for them.

    pip install torch==2.15.0 numpy mpmath
    python3 tests/right/make_right.py build/dev/tests/weft_right

Fails if Weft's number, or what cases.c calls exact, is not that of mpmath's 60 digits, and if PyTorch is right in a case (then the case
belongs to no table). Derivatives of PyTorch by reverse mode; where it is right so, by forward mode of forward mode, which Weft has not."""
import itertools
import math
import pathlib
import subprocess
import sys
import warnings

import mpmath as mp
import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).resolve().parent
DTYPES = {"f64": torch.float64, "f32": torch.float32, "bf16": torch.bfloat16}
W = [0.7, -0.4, 1.1, 0.3]
MANY = 20_000_000
mp.mp.dps = 60
torch.set_num_threads(1)
warnings.simplefilter("ignore")


def weighed(y):
    return (y * torch.tensor(W[:y.numel()], dtype=y.dtype).reshape(y.shape)).sum()


def mp_norm(x):
    mean = sum(x) / len(x)
    scale = mp.sqrt(sum((v - mean)**2 for v in x) / len(x) + mp.mpf(1e-5))
    return sum(mp.mpf(w) * (v - mean) / scale for w, v in zip(W, x))


def mp_weight_norm(x):
    return mp.mpf(1.5) * (mp.mpf(W[0]) * x[0] + mp.mpf(W[1]) * x[1]) / mp.sqrt(x[0]**2 + x[1]**2)


def bias_of_layer_norm(x):
    rows = torch.arange(2048.0).reshape(512, 4).bfloat16()
    return F.layer_norm(rows, (4,), torch.ones(4, dtype=torch.bfloat16), x).float().sum()


def mp_ctc(x):
    """Minus the logarithm of the sum over all paths that give the target."""
    total = mp.mpf(0)
    for path in itertools.product(range(3), repeat=4):
        if [k for k, _ in itertools.groupby(path) if k] == [1, 2]:
            total += mp.exp(sum(x[3 * t + k] for t, k in enumerate(path)))
    return -mp.log(total)


def max_unpool(x):
    y, index = F.max_pool1d(x.reshape(1, 1, 5), 2, 1, return_indices=True)
    return F.max_unpool1d(y, index, 2, 1, output_size=(5,)).sum()


# name: (what it is called in the table, PyTorch's, mpmath's)
CASES = {
    "weight_norm": ("`weight_norm`", lambda x: weighed(torch._weight_norm(x.reshape(1, 2), torch.full((1, 1), 1.5, dtype=x.dtype), 0)), mp_weight_norm),
    "layer_norm": ("`layer_norm`", lambda x: weighed(F.layer_norm(x, (4,), torch.ones(4, dtype=x.dtype))), mp_norm),
    "batch_norm": ("`batch_norm`, training", lambda x: weighed(F.batch_norm(x.reshape(4, 1), None, None, training=True)), mp_norm),
    "instance_norm": ("`instance_norm`", lambda x: weighed(F.instance_norm(x.reshape(1, 1, 4))), mp_norm),
    "vector_norm_4": ("`vector_norm`, order 4, of (1, 0)", lambda x: torch.linalg.vector_norm(x, 4), lambda x: (x[0]**4 + x[1]**4)**mp.mpf(0.25)),
    "cdist": ("`cdist` (`pdist`) of two points", lambda x: F.pdist(x.reshape(2, 2)).sum(), lambda x: mp.sqrt((x[0] - x[2])**2 + (x[1] - x[3])**2)),
    "sinc": ("`sinc`", lambda x: torch.sinc(x).sum(), lambda x: mp.sincpi(x[0])),
    "power_0": ("`pow(x, 0.0)` at 0", lambda x: torch.pow(x, torch.tensor([0.0], dtype=x.dtype)).sum(), lambda x: mp.mpf(1)),
    "power_1": ("`pow(x, 1.0)` at 0", lambda x: torch.pow(x, torch.tensor([1.0], dtype=x.dtype)).sum(), lambda x: x[0]),
    "power_2": ("`pow(x, 2.0)` at 0", lambda x: torch.pow(x, torch.tensor([2.0], dtype=x.dtype)).sum(), lambda x: x[0]**2),
    "lgamma": ("`lgamma`", lambda x: torch.lgamma(x).sum(), lambda x: mp.loggamma(x[0])),
    "hardsigmoid": ("`hardsigmoid`", lambda x: F.hardsigmoid(x).sum(), lambda x: x[0] / 6 + mp.mpf(0.5)),
    "gelu": ("`gelu`, the first of eight", lambda x: F.gelu(x)[0], lambda x: x[0] * mp.ncdf(x[0])),
    "soft_margin": ("`soft_margin_loss` at -89", lambda x: F.soft_margin_loss(x, torch.ones_like(x), reduction="sum"), lambda x: mp.log1p(mp.exp(-x[0]))),
    "bias_of_layer_norm": ("`layer_norm` of 512 rows, by its bias", bias_of_layer_norm, lambda x: 512 * sum(x)),
    "embedding": ("`embedding` of one index 512 times", lambda x: F.embedding(torch.ones(512, dtype=torch.int64), x.reshape(2, 1)).float().sum(), lambda x: 512 * x[1]),
    "area": ("`interpolate`, area, of 8 x 8 x 16 to 1 x 1 x 2", lambda x: F.interpolate(x.expand(1, 1, 8, 8, 16).contiguous(), size=(1, 1, 2), mode="area")[0, 0, 0, 0, 0], lambda x: x[0]),
    "norm_of_many": ("`vector_norm`, order 1.5, of 2e7", lambda x: torch.linalg.vector_norm(x.expand(MANY).contiguous(), 1.5), lambda x: (MANY * x[0]**mp.mpf(1.5))**(mp.mpf(2) / 3)),
    "softmax_of_many": ("`softmax` over 2e7 rows, times 2e7", lambda x: torch.softmax(x.expand(MANY, 1).contiguous(), 0)[5, 0] * MANY, lambda x: mp.mpf(1)),
    "lp_pool": ("`lp_pool2d`, order 3, of (-3, 4, 0, 0)", lambda x: F.lp_pool2d(x.reshape(1, 1, 2, 2), 3.0, 2).sum(), lambda x: mp.cbrt(sum(abs(v)**3 for v in x))),
    "logcumsumexp": ("`logcumsumexp`", lambda x: weighed(torch.logcumsumexp(x, 0)), lambda x: sum(mp.mpf(w) * mp.log(sum(mp.exp(v) for v in x[:k + 1])) for k, w in enumerate(W[:len(x)]))),
    "det": ("`det` of a singular matrix", lambda x: torch.linalg.det(x.reshape(int(x.numel()**.5), -1)), lambda x: mp.det(mp.matrix([x[k:k + int(len(x)**.5)] for k in range(0, len(x), int(len(x)**.5))]))),
    "ctc": ("`ctc_loss` by log_probs that are a leaf", lambda x: F.ctc_loss(x.reshape(4, 1, 3), torch.tensor([[1, 2]]), (4,), (2,), reduction="sum"), mp_ctc),
    "max_unpool": ("`max_unpool` of overlapping windows", max_unpool, lambda x: x[1] + x[2] + x[3]),
}


def reverse(f, x, u, order):
    x = x.clone().requires_grad_(True)
    y = f(x)
    for _ in range(order):
        if not y.requires_grad:
            return 0.0
        g, = torch.autograd.grad(y, x, create_graph=True, allow_unused=True)
        if g is None:
            return 0.0
        y = (g * u).sum()
    return float(y.detach())


def forward(f, x, u, order):
    for _ in range(order):
        f = lambda x, below=f: torch.func.jvp(below, (x,), (u,))[1]
    return float(f(x))


def tried(how, *arguments):
    try:
        return how(*arguments)
    except (RuntimeError, NotImplementedError):
        return None


def is_off(value, exact, dtype):
    most = {"f64": 1e-12, "f32": 1e-5, "bf16": 1e-2}[dtype]
    return not (value == exact or abs(value - exact) <= most * (abs(exact) or 1))


def exactly(f, x, u, order):
    x, u = [mp.mpf(v) for v in x], [mp.mpf(v) for v in u]
    value = float(mp.diff(lambda t: f([a + t * b if b else a for a, b in zip(x, u)]), 0, order) if order else f(x))
    return value if abs(value) > 1e-30 else 0.0


def shown(value, digits="%.7g"):
    if value is None:
        return "refuses"
    return "NaN" if math.isnan(value) else "0" if abs(value) < 1e-12 else "%.12g" % float(digits % value)


def rows(program):
    for text in subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines():
        name, dtype, order, n, *numbers = text.split()
        order, n, numbers = int(order), int(n), [float(v) for v in numbers]
        x, u, (claimed, weft) = numbers[:n], numbers[n:2 * n], numbers[2 * n:]
        what, f, by_mp = CASES[name]
        tx, tu = torch.tensor(x, dtype=DTYPES[dtype]), torch.tensor(u, dtype=DTYPES[dtype])
        exact = exactly(by_mp, tx.tolist(), tu.tolist(), order)
        if is_off(claimed, exact, "f64") and not (math.isinf(exact) and exact == claimed):
            yield f"{name}, order {order}: exact is {exact!r}, not {claimed!r}"
        if is_off(weft, exact, dtype):
            yield f"{name}, order {order}, {dtype}: Weft gives {weft!r}, exact is {exact!r}"
        mode, theirs = "reverse", tried(reverse, f, tx, tu, order)
        if order > 1 and theirs is not None and not is_off(theirs, exact, dtype):
            mode, theirs = "forward", tried(forward, f, tx, tu, order)
        if theirs is None or is_off(theirs, exact, dtype):
            how = "" if order == 0 else mode
            yield (what + (f" at {x[0]:g}" if name in ("sinc", "gelu") else ""), order, how, dtype, exact, theirs, weft)
        else:
            print(f"PyTorch is right: {name}, order {order}, {dtype}")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    lines, problems = [], []
    for row in rows(sys.argv[1]):
        if isinstance(row, str):
            problems.append(row)
            continue
        what, order, how, dtype, exact, theirs, weft = row
        lines.append(f"| {what} | {order} | {how} | {dtype} | {' | '.join(shown(v, '%.12g' if dtype == 'f64' else '%.6g') for v in (exact, theirs, weft))} |")
    (HERE / "right.md").write_text(
        f"Derivatives along a direction (order 0: values) of valid input, as PyTorch {torch.__version__.split('+')[0]} and Weft give them on a CPU; exact by\n"
        "mpmath, and for f64 by central differences (`tests/test_right.c`). Made by `tests/right/make_right.py`; `tests/right/cases.c` has the\n"
        "points. PyTorch's mode is forward (of forward) where its reverse mode is right; Weft's is reverse. `refuses`: an error, as it should\n"
        "be where there is no derivative.\n\n"
        "| function | order | mode | dtype | exact | PyTorch | Weft |\n|---|---|---|---|---|---|---|\n" + "\n".join(lines) + "\n")
    print(f"{len(lines)} rows")
    if problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()
