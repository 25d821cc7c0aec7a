"""Golden values of matrix products and linear layers, by NumPy in float64 (GELU: mpmath)."""
import math

import mpmath as mp
import numpy as np

from gold_format import Gold, NULL, Source, n, out, shape_name, v

INF, NAN = math.inf, math.nan

MATMUL = [((3,), (3,)), ((1,), (1,)), ((3, 4), (4, 5)), ((1, 1), (1, 1)), ((1, 7), (7, 1)), ((7, 1), (1, 5)), ((3, 4), (4,)), ((4,), (4, 5)),
          ((2, 3, 4), (2, 4, 5)), ((2, 3, 4), (4, 5)), ((3, 4), (2, 4, 5)), ((2, 1, 3, 4), (3, 4, 2)), ((1, 3, 4), (2, 4, 2)), ((2, 3, 4), (4,)),
          ((4,), (2, 4, 3)), ((0, 4), (4, 5)), ((3, 0), (0, 5)), ((3, 4), (4, 0)), ((0, 3, 4), (0, 4, 2)), ((17, 19), (19, 23)), ((33, 5), (5, 9)),
          ((5, 70), (70, 6)), ((16, 16), (16, 16)), ((6, 8), (8, 16)), ((13, 8), (8, 33)), ((1, 40), (40, 33)), ((33, 40), (40, 1)), ((2, 2, 3, 4), (2, 2, 4, 3))]
MATMUL_CONST = [((3, 4), (4, 5), (0,)), ((3, 4), (4, 5), (1,)), ((2, 3, 4), (2, 4, 5), (0,))]


def add_product(gold, name, label, ins, a, b, bias=None, flags=(), y_of=np.matmul):
    y, mag = y_of(a, b), y_of(np.abs(a), np.abs(b))
    if bias is not None:
        y, mag = y + bias, mag + np.abs(bias)
    gold.add(name, label, ins, [out("D", y, np.where(np.isfinite(mag), mag, 1))], k=max(1, a.shape[-1]), flags=flags)


def products(gold):
    source = Source("matmul")
    for k, (sa, sb, const) in enumerate([(sa, sb, ()) for sa, sb in MATMUL] + MATMUL_CONST):
        a, b = source.uniform(sa, -2, 2, const), source.uniform(sb, -2, 2, const)
        add_product(gold, "matmul", f"{shape_name(sa, sb)}_{k}", [v(a), v(b)], a, b)
    a, b = source.uniform((3, 4), -2, 2), source.uniform((4, 3), -2, 2)
    a[1, 2], b[0, 1] = NAN, INF  # a NaN spoils its row, an infinity its column
    with np.errstate(invalid="ignore"):
        add_product(gold, "matmul", "ieee", [v(a), v(b)], a, b, flags=["special"])
        a[:] = 0
        a[1, 0] = NAN
        add_product(gold, "matmul", "ieee_zeros", [v(a), v(np.ones((4, 3)))], a, np.ones((4, 3)), flags=["special"])
    source = Source("linear")
    for k, (sx, nout) in enumerate([((3,), 4), ((2, 3), 4), ((5, 7), 3), ((1, 1), 1), ((2, 3, 4), 5), ((0, 4), 3), ((33, 9), 17), ((6, 40), 8), ((2, 2, 2, 3), 2),
                                    ((4, 16), 16), ((7, 70), 9), ((13,), 1), ((3, 4), 0)] * 2):
        x, w, b = source.uniform(sx, -2, 2), source.uniform((nout, sx[-1]), -2, 2), source.uniform((nout,), -2, 2)
        with_bias = k < 13
        add_product(gold, "linear", f"{shape_name(sx)}_{nout}_{k}", [v(x), v(w), v(b) if with_bias else NULL], x, w, b if with_bias else None,
                    y_of=lambda p, q: np.matmul(p, np.swapaxes(q, -1, -2)))
    x, w, b = source.uniform((3, 4), -2, 2, (0,)), source.uniform((5, 4), -2, 2, (1,)), source.uniform((5,), -2, 2, (0,))
    add_product(gold, "linear", "const", [v(x), v(w), v(b)], x, w, b, y_of=lambda p, q: np.matmul(p, q.T))


def gelu_tanh(z):
    with mp.workdps(40):
        z = mp.mpf(z)
        return float(z / 2 * (1 + mp.tanh(mp.sqrt(2 / mp.pi) * (z + mp.mpf("0.044715") * z**3))))


ACTIVATIONS = {"none": lambda z: z, "relu": lambda z: np.where(z <= 0, 0.0, z), "gelu_tanh": np.vectorize(gelu_tanh, otypes=[float])}  # in the order of the enum
LINEAR_ACT = [((3,), 4), ((2, 3), 4), ((5, 7), 3), ((1, 1), 1), ((2, 3, 4), 5), ((0, 4), 3), ((33, 9), 17), ((6, 40), 8), ((4, 16), 16), ((13,), 1), ((3, 4), 0), ((9, 1), 1)]


def activated_products(gold):
    source = Source("linear_act")
    for k, (name, act) in enumerate(ACTIVATIONS.items()):

        def add(label, x, w, b, flags=()):
            z, mag = np.matmul(x, w.T), np.matmul(np.abs(x), np.abs(w.T))
            if b is not None:
                z, mag = z + b, mag + np.abs(b)
            if name == "relu" and np.any(np.abs(z) < 1e-3) and not flags:
                flags = ["nograd"]
            gold.add("linear_act", f"{name}_{label}", [v(x), v(w), v(b) if b is not None else NULL], [out("D", act(z), np.where(np.isfinite(mag), mag, 1))], i=[k],
                     k=max(1, x.shape[-1]), flags=flags)

        for j, (sx, nout) in enumerate(LINEAR_ACT):
            for biased in (True, False):
                x, w, b = source.uniform(sx, -2, 2), source.uniform((nout, sx[-1]), -2, 2), source.uniform((nout,), -2, 2)
                add(f"{shape_name(sx)}_{nout}_{j}_{biased:d}", x, w, b if biased else None)
        add("const", source.uniform((3, 4), -2, 2, (0,)), source.uniform((5, 4), -2, 2, (1,)), source.uniform((5,), -2, 2, (0,)))
        x, w, b = source.uniform((4, 4), -2, 2), source.uniform((8, 4), -2, 2), source.uniform((8,), -2, 2)
        x[1, 2] = NAN
        add("nan", x, w, b, ["special"])
        b[3] = NAN
        add("nan_bias", np.abs(x[2:]), np.abs(w), b, ["special"])
        x[3, 0] = INF
        add("ieee", x, np.abs(w), b, ["special"])


INTEGER_SHAPES = [((3, 4), (4, 5)), ((1, 1), (1, 1)), ((1, 7), (7, 1)), ((7, 1), (1, 5)), ((6, 8), (8, 16)), ((13, 8), (8, 9)), ((1, 40), (40, 33)), ((33, 40), (40, 1)),
                  ((2, 3), (3, 2)), ((5, 3), (3, 7))]
INTEGER_BATCHES = [((4,), (4,)), ((3, 4), (4,)), ((4,), (4, 5)), ((2, 3, 4), (2, 4, 5)), ((2, 3, 4), (4, 5)), ((3, 4), (2, 4, 5)), ((2, 1, 3, 4), (3, 4, 2)), ((2, 3, 5), (5,)),
                   ((0, 4), (4, 5)), ((3, 0), (0, 5)), ((3, 4), (4, 0)), ((2, 2, 0, 4), (4, 2))]


def integer_products(gold):
    """Of signed bytes, of unsigned ones, and of what both have."""
    source = Source("matmul_integer")

    def add(sa, sb, zeros, lo, hi, label):
        a, b = source.integers(sa, lo, hi), source.integers(sb, lo, hi)
        rows, columns = a.shape[-2] if a.ndim > 1 else 1, b.shape[-1] if b.ndim > 1 else 1
        of_a = [None, source.integers((), lo, hi), source.integers((rows,), lo, hi), None, source.integers((1,), lo, hi)][zeros]
        of_b = [None, source.integers((), lo, hi), source.integers((columns,), lo, hi), source.integers((columns,), lo, hi), None][zeros]
        p = a if of_a is None else a - (of_a[:, None] if of_a.ndim and a.ndim > 1 else of_a)
        q = b if of_b is None else b - of_b
        gold.add("matmul_integer", f"{shape_name(sa, sb)}_{label}", [n(a), n(b), NULL if of_a is None else n(of_a), NULL if of_b is None else n(of_b)],
                 [out("T:i32", np.matmul(p, q))], cmp="exact", flags=["bytes"])

    for k, (sa, sb) in enumerate(INTEGER_SHAPES):
        add(sa, sb, 0, -128, 128, f"signed_{k}")
        add(sa, sb, 0, 0, 128, f"both_{k}")
        add(sa, sb, k % 5, 0, 256, f"unsigned_{k}")
        add(sa, sb, 1 + k % 4, -128, 128, f"zeros_{k}")
    for k, (sa, sb) in enumerate(INTEGER_BATCHES):
        add(sa, sb, 0, 0, 128, f"both_{k}")
        add(sa, sb, 1 + k % 4, -128, 128, f"zeros_{k}")


def make():
    gold = Gold("Matrix products, by NumPy in float64.")
    for function in (products, activated_products):
        function(gold)
    integer = Gold("Matrix products of 8-bit integers, by NumPy in int64.")
    integer_products(integer)
    return {"matmul": gold, "matmul_integer": integer}
