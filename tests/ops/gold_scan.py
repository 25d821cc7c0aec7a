"""Golden values of scans along a dim: exact rational sums, then rounded once."""
import math
from fractions import Fraction

import mpmath
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


def products(values):
    result, exact, rough = [], Fraction(1), 1.0
    for value in values:
        if math.isfinite(value) and math.isfinite(rough):
            exact *= Fraction(value)
            rough = float(exact)
        else:
            rough *= value
        result.append(rough)
    return result


def whole_products(values):
    result, made = [], 1
    for value in values:
        made = wrap64(made * int(value))
        result.append(made)
    return result


def cumprod(gold):
    source = Source("cumprod")

    def add(label, x, dim, flags=()):
        x = np.asarray(x, dtype=np.float64)
        y = along(x, dim, products)
        gold.add("cumprod", label, [v(x)], [out("A", y, np.where(np.isfinite(y), np.abs(y), 1) + 2.0**-12)], i=[dim], k=max(1, x.shape[dim]), flags=flags)

    for k, (shape, dim, const) in enumerate(CASES):
        if np.prod(shape) < 140:
            add(f"{shape_name(shape)}_{k}", source.uniform(shape, .75, 1.25, const) * np.where(source.uniform(shape, -1, 1, const) < -.5, -1, 1), dim)
    for label, row in [("zero", [1.5, 0, 2, 3]), ("zero_first", [0, 3, 2]), ("zero_last", [2, 3, 0]), ("zeros", [2, 0, 3, 0, 5]), ("one", [0])]:
        add(label, row, 0)
        add(label + "_rows", [row, [1.25] * len(row), row[::-1]], 1)
        add(label + "_columns", np.transpose([row, row[::-1]]), 0)
    for shape, dim in EMPTY:
        add("empty_" + shape_name(shape) + f"_{dim}", np.zeros(shape), dim, ["nograd"])
    for label, row in [("nan", [1, 2, NAN, 3, 5]), ("inf", [1, INF, 2, -3]), ("inf_by_zero", [INF, 0, 2])]:
        add(label, row, 0, ["special"])
        add(label + "_columns", np.transpose([[1] * len(row), row]), 0, ["special"])
    for k, (shape, dim) in enumerate([((5,), 0), ((3, 5), 0), ((3, 5), 1), ((2, 9, 3), 1), ((2, 12), 1)]):
        x = source.integers(shape, 0, 2 if k % 2 else 7)
        gold.add("cumprod", f"int_{shape_name(shape)}_{k}", [n(x)], [out("A", along(x, dim, whole_products))], i=[dim], cmp="exact")
    far = np.array([2**62, 3, -5, 7], dtype=np.int64)
    gold.add("cumprod", "int_wraps", [n(far)], [out("A", along(far, 0, whole_products))], i=[0], cmp="exact")


def best_places(values, sign):
    best, places = None, []
    for i, value in enumerate(values):
        if best is None or (not math.isnan(values[best]) and (math.isnan(value) or sign * value > sign * values[best])):
            best = i
        places.append(best)
    return places


def bests(gold):
    source = Source("cummax cummin")

    def add(label, wrap, x, dim, flags=()):
        x = np.asarray(x)
        for name, sign in (("cummax", 1), ("cummin", -1)):
            at = along(x.astype(np.float64), dim, lambda row: best_places(row, sign)).astype(np.int64)
            gold.add(name, label, [wrap(x)], [out("D", np.take_along_axis(x, at, axis=dim)), out("I", at)], i=[dim], cmp="exact", flags=flags)

    for k, (shape, dim, const) in enumerate(CASES):
        if np.prod(shape) < 140:
            tied = bool(const) or np.prod(shape) > 255
            add(f"{shape_name(shape)}_{k}", v, source.uniform(shape, -4, 4, const) if tied else source.distinct(shape), dim, ["nograd"] if tied else [])
    for k, (shape, dim) in enumerate([((9,), 0), ((3, 5), 0), ((3, 5), 1), ((2, 9, 3), 1), ((2, 70), 1)]):
        add(f"ties_{shape_name(shape)}_{k}", v, source.integers(shape, -2, 3).astype(float), dim, ["nograd"])
        add(f"int_{shape_name(shape)}_{k}", n, source.integers(shape, -100, 100), dim)
        add(f"flags_{shape_name(shape)}_{k}", n, source.integers(shape, 0, 2), dim)
    for shape, dim in EMPTY:
        add("empty_" + shape_name(shape) + f"_{dim}", v, np.zeros(shape), dim, ["nograd"])
    for label, row in [("nan", [1, 2, NAN, 3, NAN]), ("inf", [1, INF, 2, -INF]), ("nan_first", [NAN, INF, -INF]), ("zeros", [0.0, -0.0, 0.0])]:
        add(label, v, np.array(row), 0, ["special"])
        add(label + "_columns", v, np.transpose([[1] * len(row), row]), 0, ["special"])


def log_sums(values):
    result, largest, total = [], -INF, mpmath.mpf(0)
    for value in values:
        if math.isnan(value) or (result and math.isnan(result[-1])):
            result.append(NAN)
            continue
        largest = max(largest, value)
        total += mpmath.exp(value) if math.isfinite(value) else 0
        result.append(largest if math.isinf(largest) else float(mpmath.log(total)))
    return result


def logcumsumexp(gold):
    source = Source("logcumsumexp")

    def add(label, x, dim, flags=()):
        x = np.asarray(x, dtype=np.float64)
        y = along(x, dim, log_sums)
        gold.add("logcumsumexp", label, [v(x)], [out("F", y, np.where(np.isfinite(y), np.abs(y), 0) + 1)], i=[dim], k=max(1, x.shape[dim]), flags=flags)

    for k, (shape, dim, const) in enumerate(CASES):
        if np.prod(shape) < 140:
            add(f"{shape_name(shape)}_{k}", source.uniform(shape, -4, 4, const), dim)
    for k, row in enumerate([[-200, 100, 0, 100, -5], [200, -100, 201, 180], [-150, -149, -151, 7], [100] * 9]):
        add(f"far_{k}", row, 0)
        add(f"far_columns_{k}", np.transpose([row, row[::-1]]), 0)
    for shape, dim in EMPTY:
        add("empty_" + shape_name(shape) + f"_{dim}", np.zeros(shape), dim, ["nograd"])
    for label, row in [("nan", [1, 2, NAN, 3, 5]), ("inf", [1, INF, 2, INF]), ("neg_inf", [-INF, -INF, 1, -INF, 2]), ("both", [-INF, INF, 3]), ("nothing", [-INF, -INF])]:
        add(label, row, 0, ["special"])
        add(label + "_columns", np.transpose([[1] * len(row), row]), 0, ["special"])


def linear_scan(gold):
    source = Source("linear_scan")

    def recur(a, b):
        y, so_far = [], Fraction(0)
        for factor, rest in zip(a, b):
            so_far = Fraction(factor) * so_far + Fraction(rest)
            y.append(float(so_far))
        return y

    def along_both(a, b, dim):
        p, q = np.moveaxis(a, dim, -1), np.moveaxis(b, dim, -1)
        rows = [recur(x.tolist(), y.tolist()) for x, y in zip(p.reshape(-1, p.shape[-1]), q.reshape(-1, p.shape[-1]))] if a.size else []
        return np.moveaxis(np.array(rows, dtype=np.float64).reshape(p.shape), -1, dim)

    def add(label, a, b, dim, flags=()):
        a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
        gold.add("linear_scan", label, [v(a), v(b)], [out("F", along_both(a, b, dim), along_both(np.abs(a), np.abs(b), dim))], i=[dim], k=max(1, a.shape[dim]), flags=flags)

    for k, (shape, dim, const) in enumerate(CASES):
        if np.prod(shape) < 140:
            add(f"{shape_name(shape)}_{k}", source.uniform(shape, -1, 1, const), source.uniform(shape, -4, 4), dim)
    add("zeros", [3, 0, 2, 0, 0, 1], [1, 2, 3, 4, 0, 6], 0)
    add("ones", [1] * 6, [1, 2, 3, 4, 5, 6], 0)
    add("first_not_read", [[7, 2], [.5, -1]], [[1, 2], [3, 4]], 1)
    for shape, dim in EMPTY:
        add("empty_" + shape_name(shape) + f"_{dim}", np.zeros(shape), np.zeros(shape), dim, ["nograd"])


def make():
    files = {"scan": Gold("Scans, by exact rational arithmetic.")}
    for function in (cumsum, cumprod, bests, logcumsumexp, linear_scan):
        function(files["scan"])
    return files
