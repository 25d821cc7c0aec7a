"""Golden values of reductions: exact rational sums, mpmath, then rounded once."""
import math
from fractions import Fraction

import mpmath as mp
import numpy as np

from gold_elementwise import rounded, wrap64
from gold_format import Gold, Source, n, out, shape_name, v

INF, NAN = math.inf, math.nan

# (shape, dims; () means all, keepdim, dims of constant values)
CASES = [
    ((), (), 0, ()), ((1,), (), 0, ()), ((7,), (), 0, ()), ((33,), (0,), 1, ()), ((130,), (), 0, ()), ((3, 5), (0,), 0, ()),
    ((3, 5), (1,), 0, ()), ((3, 5), (-1,), 1, ()), ((3, 5), (), 0, ()), ((3, 5), (), 1, ()), ((5, 33), (1,), 0, ()), ((33, 5), (0,), 0, ()),
    ((2, 70), (1,), 1, ()), ((70, 2), (0,), 1, ()), ((2, 3, 4), (0,), 0, ()), ((2, 3, 4), (1,), 1, ()), ((2, 3, 4), (2,), 0, ()),
    ((2, 3, 4), (0, 2), 0, ()), ((2, 3, 4), (-1, -3), 1, ()), ((2, 3, 4), (1, 2), 0, ()), ((2, 3, 4), (0, 1), 0, ()), ((2, 3, 4), (0, 1, 2), 0, ()),
    ((2, 1, 3, 2), (1,), 0, ()), ((2, 1, 3, 2), (0, 3), 0, ()), ((2, 1, 3, 2), (0, 2), 1, ()), ((1, 7), (0,), 0, ()), ((2, 2, 2, 2, 2), (0, 2, 4), 0, ()),
    ((3, 4), (0,), 0, (0,)), ((3, 4), (1,), 0, (0,)), ((3, 4), (), 0, (1,)), ((2, 3, 5), (1,), 0, (1,)), ((2, 3, 5), (0, 2), 0, (0,)), ((6,), (), 0, (0,)),
]
EMPTY = [((0,), (), 0), ((0, 3), (0,), 0), ((3, 0), (1,), 1), ((2, 0, 3), (), 0)]  # reduced to an identity
NOTHING = [((0, 3), (1,), 0), ((2, 0, 3), (2,), 1)]                                # no result elements


def over(x, dims, keepdim, function):
    """Applies function (list of Python numbers in row-major order -> number) over dims of x."""
    dims = tuple(range(x.ndim)) if not dims else tuple(sorted(d % x.ndim for d in dims))
    kept = [d for d in range(x.ndim) if d not in dims]
    rows = np.transpose(x, kept + list(dims)).reshape([x.shape[d] for d in kept] + [-1] if x.size else [x.shape[d] for d in kept] + [int(np.prod([x.shape[d] for d in dims]))])
    shape = rows.shape[:-1]
    result = [function(row.tolist()) for row in rows.reshape(int(np.prod(shape)), rows.shape[-1])]
    final = [1 if d in dims else x.shape[d] for d in range(x.ndim)] if keepdim else list(shape)
    return np.array(result).reshape(final)


def finite(values):
    return all(math.isfinite(value) for value in values)


def plain(values):
    return float(np.sum(np.array(values)))  # NaN and infinities as IEEE adds them


def total(values):
    return float(sum(map(Fraction, values))) if finite(values) else plain(values)


def mean(values):
    if not values:
        return NAN
    return float(sum(map(Fraction, values)) / len(values)) if finite(values) else plain(values) / len(values)


def product(values):
    if not finite(values):
        return float(np.prod(np.array(values)))
    result = Fraction(1)
    for value in values:
        result *= Fraction(value)
    return float(result)


def largest(values):
    return NAN if any(map(math.isnan, values)) else max(values)


def smallest(values):
    return NAN if any(map(math.isnan, values)) else min(values)


def arg(values, best):
    for place, value in enumerate(values):
        if math.isnan(value):
            return place
    return values.index(best(values))


def logsumexp(values):
    if any(map(math.isnan, values)):
        return NAN
    top = max(values, default=-INF)
    if math.isinf(top):
        return top
    return rounded(top + mp.log(sum(mp.exp(mp.mpf(value) - top) for value in values)))


def norm(values):
    if not finite(values):
        return NAN if any(map(math.isnan, values)) else INF
    return rounded(mp.sqrt(sum(mp.mpf(value)**2 for value in values)))


def count_of(x, dims):
    dims = range(x.ndim) if not dims else dims
    return max(1, int(np.prod([x.shape[d] for d in dims])))


REDUCE = {  # name: (function, result kind, values, scale of an element's error, whether no elements are allowed)
    "sum": (total, "A", (-4, 4), lambda r: total([abs(t) for t in r]), True),
    "mean": (mean, "F", (-4, 4), lambda r: mean([abs(t) for t in r]), True),
    "prod": (product, "A", (.5, 1.5), None, True),
    "max_over": (largest, "N", None, None, False),
    "min_over": (smallest, "N", None, None, False),
    "logsumexp": (logsumexp, "F", (-4, 4), lambda r: 1 + abs(logsumexp(r)) if r else 1, True),
    "norm": (norm, "F", (-4, 4), None, True),
    "argmax": (lambda r: arg(r, max), "I", None, None, False),
    "argmin": (lambda r: arg(r, min), "I", None, None, False),
    "any": (lambda r: any(t != 0 for t in r), "B", "flags", None, True),
    "all": (lambda r: all(t != 0 for t in r), "B", "flags", None, True),
}
EXACT = {"max_over", "min_over", "argmax", "argmin", "any", "all"}
INTEGER = {"sum": lambda r: wrap64(sum(r)), "prod": lambda r: wrap64(math.prod(r)), "max_over": max, "min_over": min,
           "argmax": lambda r: r.index(max(r)), "argmin": lambda r: r.index(min(r)), "any": any, "all": all}


def inputs(source, shape, const, values):
    if values == "flags":
        odds = source.rng.choice([.1, .5, .9])
        x = source.uniform(shape, .5, 2, const) * (source.integers(shape, 0, 1000, const) < odds * 1000)
        return x
    if values is None and not const and int(np.prod(shape)) < 256:
        return source.distinct(shape)
    return source.uniform(shape, *(values or (-4, 4)), const)


def reduce_rows(gold):
    for name, (function, kind, values, scale, empty) in REDUCE.items():
        source = Source(name)
        how = "exact" if name in EXACT else "mag"

        def add(label, x, dims, keepdim, flags=()):
            y = over(x, dims, keepdim, function)
            mag = over(x, dims, keepdim, scale) if scale and how == "mag" else np.abs(y) if how == "mag" else None
            mag = None if mag is None else np.where(np.isfinite(mag), mag, 1)
            gold.add(name, label, [v(x)], [out(kind, y, mag)], i=[keepdim, *dims], cmp=how, k=count_of(x, dims), flags=flags)

        for k, (shape, dims, keepdim, const) in enumerate(CASES):
            flags = ["nograd"] if const and values is None else []
            add(f"{shape_name(shape)}_{k}", inputs(source, shape, const, values), dims, keepdim, flags)
        for shape, dims, keepdim in EMPTY if empty else []:
            add("empty_" + shape_name(shape), np.zeros(shape), dims, keepdim, ["nograd"])
        for shape, dims, keepdim in NOTHING:
            add("nothing_" + shape_name(shape), np.zeros(shape), dims, keepdim)
        for label, row in [("nan", [1, 2, NAN, 3, 5]), ("nan_first", [NAN, INF, -1]), ("inf", [1, INF, 2, -3]), ("both", [INF, 1, -INF]),
                           ("neg_inf", [-INF, -INF, -INF]), ("some_neg_inf", [-INF, 1, 2]), ("zeros", [0.0, -0.0, 0.0]), ("two_nans", [2, NAN, NAN, 1])]:
            add(label, np.array(row), (), 0, ["special"])
            add(label + "_rows", np.array([row, [1] * len(row), row]), (1,), 0, ["special"])
            add(label + "_columns", np.array([[1] * len(row), row]), (0,), 0, ["special"])
        for width in (9, 40):  # a NaN at every place of a vector and its tail
            for place in range(0, width, 3):
                x = source.uniform((width,), .5, 2)
                x[place] = NAN
                add(f"nan_at_{place}_of_{width}", x, (), 0, ["special"])
        ties(gold, source, name, add)
        if name in ("logsumexp", "norm"):
            big = [[1000, 1000, 999], [-1000, -1001, -1000]] if name == "logsumexp" else [[3e15, 4e15, 0], [3e-15, 0, 4e-15]]
            add("far", np.array(big, dtype=np.float32).astype(float), (1,), 0, ["f32", "special"])
        integers(gold, source, name)


def ties(gold, source, name, add):
    if name in ("max_over", "min_over", "argmax", "argmin"):
        x = source.integers((4, 9), -2, 3).astype(float)
        add("ties", x, (1,), 0, ["nograd"])
        add("ties_columns", x, (0,), 0, ["nograd"])
        add("ties_all", x, (), 0, ["nograd"])


def integers(gold, source, name):
    cases = [((7,), ()), ((3, 5), (0,)), ((3, 5), (1,)), ((2, 3, 4), (0, 2)), ((), ()), ((40,), ())]
    for k, (shape, dims) in enumerate(cases * 2):
        low, high = ((-9, 10) if name != "prod" else (-2, 3)) if k < 6 else (0, 3)
        x = source.integers(shape, low, high)
        if name in INTEGER:
            kind = REDUCE[name][1]
            gold.add(name, f"int_{shape_name(shape)}_{k}", [n(x)], [out(kind, over(x, dims, k % 2, INTEGER[name]))], i=[k % 2, *dims], cmp="exact")
        else:
            y = over(x.astype(float), dims, k % 2, REDUCE[name][0])
            mag = over(x.astype(float), dims, k % 2, REDUCE[name][3]) if REDUCE[name][3] else np.abs(y)
            gold.add(name, f"int_{shape_name(shape)}_{k}", [n(x)], [out("F", y, mag)], i=[k % 2, *dims], k=count_of(x, dims))
    if name in INTEGER:
        x = source.integers((19,), 0, 2)
        gold.add(name, "flags", [n(x)], [out(REDUCE[name][1], over(x, (), 0, INTEGER[name]))], i=[0], cmp="exact")
        x = np.array([2**62, 2**53 + 1, -2**63, 5, 2**53])
        gold.add(name, "int_wide", [n(x)], [out(REDUCE[name][1], over(x, (), 0, INTEGER[name]))], i=[0], cmp="exact")


def variance(gold):
    source = Source("var")
    for k, (shape, dims, keepdim, const) in enumerate(CASES):
        for correction in (0, 1):
            x = source.uniform(shape, -4, 4, const)
            if k % 5 == 4:
                x = np.rint(x) + 64 * (1 + (k % 2))  # far from 0: E[x^2] - mean^2 would lose digits

            def var(row):
                m = sum(map(Fraction, row)) / len(row)
                squares = sum((Fraction(t) - m)**2 for t in row)
                return float(squares / (len(row) - correction)) if len(row) > correction else (NAN if squares == 0 else INF)

            y = over(x, dims, keepdim, var)
            mag = np.where(np.isfinite(y), y, 1) + 1e-6 * float(np.max(np.abs(x), initial=0))**2
            flags = ["special"] if not np.all(np.isfinite(y)) else []
            gold.add("var", f"{shape_name(shape)}_{k}_c{correction}", [v(x)], [out("F", y, mag)], i=[keepdim, *dims], f=[correction], k=count_of(x, dims), flags=flags)
    x = np.array([[1, NAN, 2], [1, 2, 4], [INF, 1, 2]])
    gold.add("var", "ieee", [v(x)], [out("F", [NAN, 7 / 3, NAN], [1, 3, 1])], i=[0, 1], f=[1], flags=["special"])


def make():
    gold = Gold("Reductions, by exact rational arithmetic and mpmath.")
    for function in (reduce_rows, variance):
        function(gold)
    return {"reduce": gold}
