"""Golden values of scans along a dim: exact rational sums, then rounded once."""
import math
from fractions import Fraction

import numpy as np

from gold_elementwise import wrap64
from gold_format import Gold, Source, n, out, shape_name, v

INF, NAN = math.inf, math.nan

# (shape, dim, dims of constant values)
CASES = [
    ((1,), 0, ()), ((7,), 0, ()), ((33,), -1, ()), ((130,), 0, ()), ((3, 5), 0, ()), ((3, 5), 1, ()), ((5, 33), 1, ()), ((33, 5), 0, ()),
    ((2, 300), 1, ()), ((300, 2), 0, ()), ((2, 3, 4), 0, ()), ((2, 3, 4), 1, ()), ((2, 3, 4), -1, ()), ((2, 1, 3, 2), 1, ()), ((2, 1, 3, 2), 2, ()),
    ((1, 7), 0, ()), ((2, 2, 2, 2, 2), 3, ()), ((3, 4), 0, (0,)), ((3, 4), 1, (0,)), ((2, 3, 5), 1, (1,)), ((6,), 0, (0,)), ((2, 2500), 1, ()),
]
EMPTY = [((0,), 0), ((0, 3), 0), ((3, 0), 1), ((0, 3), 1), ((2, 0, 3), 2)]


def along(x, dim, function):
    """Applies function (list of numbers -> list as long) to each slice of x along dim."""
    moved = np.moveaxis(x, dim, -1)
    done = [function(row.tolist()) for row in moved.reshape(-1, moved.shape[-1])] if x.size else []
    return np.moveaxis(np.array(done, dtype=x.dtype).reshape(moved.shape), -1, dim)


def sums(values):
    result, exact, rough = [], Fraction(0), 0.0
    for value in values:
        if math.isfinite(value) and math.isfinite(rough):
            exact += Fraction(value)
            rough = float(exact)
        else:
            rough += value  # NaN and infinities as IEEE adds them
        result.append(rough)
    return result


def magnitudes(values):
    return sums([abs(value) if math.isfinite(value) else 1.0 for value in values])


def whole_sums(values):
    result, total = [], 0
    for value in values:
        total = wrap64(total + int(value))
        result.append(total)
    return result


def cumsum(gold):
    source = Source("cumsum")

    def add(label, x, dim, flags=()):
        x = np.asarray(x, dtype=np.float64)
        gold.add("cumsum", label, [v(x)], [out("A", along(x, dim, sums), along(x, dim, magnitudes))], i=[dim],
                 k=max(1, x.shape[dim]), flags=flags)

    for k, (shape, dim, const) in enumerate(CASES):
        add(f"{shape_name(shape)}_{k}", source.uniform(shape, -4, 4, const), dim)
    for shape, dim in EMPTY:
        add("empty_" + shape_name(shape) + f"_{dim}", np.zeros(shape), dim, ["nograd"])
    for label, row in [("nan", [1, 2, NAN, 3, 5]), ("inf", [1, INF, 2, -3]), ("both", [INF, 1, -INF, 2]), ("neg_inf", [-INF, -INF, 1])]:
        add(label, row, 0, ["special"])
        add(label + "_rows", [row, [1] * len(row), row], 1, ["special"])
        add(label + "_columns", np.transpose([[1] * len(row), row]), 0, ["special"])
    for k, (shape, dim) in enumerate([((5,), 0), ((3, 5), 0), ((3, 5), 1), ((2, 40, 3), 1), ((2, 300), 1)]):
        x = source.integers(shape, 0, 2 if k % 2 else 7)
        gold.add("cumsum", f"int_{shape_name(shape)}_{k}", [n(x)], [out("A", along(x, dim, whole_sums))], i=[dim], cmp="exact")
    far = np.array([2**62, 2**62, 2**62, -5], dtype=np.int64)
    gold.add("cumsum", "int_wraps", [n(far)], [out("A", along(far, 0, whole_sums))], i=[0], cmp="exact")


def make():
    files = {"scan": Gold("Scans, by exact rational arithmetic.")}
    cumsum(files["scan"])
    return files
