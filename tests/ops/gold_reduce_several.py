"""Golden values of reductions with several results: by sorting Python numbers, and by exact rational sums."""
import math
from fractions import Fraction

import numpy as np

from gold_format import Gold, Source, n, out, shape_name, v
from gold_reduce import CASES, count_of, over
from gold_topk import ROWS, in_order

INF, NAN = math.inf, math.nan

BEST = [((7,), 0), ((1,), 0), ((130,), 0), ((3, 5), 0), ((3, 5), 1), ((3, 5), -1), ((5, 33), 1), ((33, 5), 0), ((2, 70), 1), ((70, 2), 0), ((2, 3, 4), 0), ((2, 3, 4), 1), ((2, 3, 4), 2),
        ((2, 3, 4), -2), ((2, 1, 3, 2), 1), ((2, 1, 3, 2), 3), ((1, 7), 0), ((2, 2, 2, 2, 2), 2)]


def best(gold):
    for name, largest in (("max_with_index", True), ("min_with_index", False)):
        source = Source(name)

        def add(label, wrap, x, dim, keepdim, flags=()):
            at = over(x, (dim,), keepdim, lambda row: in_order(row, largest)[0])
            y = over(x, (dim,), keepdim, lambda row: row[in_order(row, largest)[0]])
            gold.add(name, label, [wrap(x)], [out("D", y), out("I", at)], i=[keepdim, dim], cmp="exact", flags=flags)

        for j, (shape, dim) in enumerate(BEST):
            for keepdim in (0, 1):
                add(f"{shape_name(shape)}_{j}_{keepdim}", v, source.distinct(shape), dim, keepdim)
            add(f"{shape_name(shape)}_{j}_ties", v, source.integers(shape, -2, 3).astype(float), dim, j % 2, ["nograd"])
            add(f"{shape_name(shape)}_{j}_int", n, source.integers(shape, -100, 100), dim, j % 2)
            add(f"{shape_name(shape)}_{j}_flags", n, source.integers(shape, 0, 2), dim, j % 2)
        for label, row in ROWS:
            add(label, v, np.array(row), 0, 0, ["special"])
            add(label + "_rows", v, np.array([row, [1] * len(row), row]), 1, 1, ["special"])
            add(label + "_columns", v, np.array([[1] * len(row), row]), 0, 0, ["special"])
        add("const", v, source.uniform((3, 4), const=(0,)), 1, 0)
        add("wide", n, np.array([2**62, 2**53 + 1, -2**63, 5, 2**53, 2**63 - 1]), 0, 0)
        add("nothing", v, np.zeros((0, 5)), 1, 0)


def moments(gold):
    source = Source("var_mean")

    def add(label, wrap, x, dims, keepdim, correction):
        def mean(row):
            return float(sum(map(Fraction, row)) / len(row))

        def var(row):
            m = sum(map(Fraction, row)) / len(row)
            squares = sum((Fraction(t) - m)**2 for t in row)
            return float(squares / (len(row) - correction)) if len(row) > correction else (NAN if squares == 0 else INF)

        y, m = over(x, dims, keepdim, var), over(x, dims, keepdim, mean)
        far = float(np.max(np.abs(x), initial=0))
        mag = np.where(np.isfinite(y), y, 1) + 1e-6 * far**2
        flags = ["special"] if not np.all(np.isfinite(y)) else []
        gold.add("var_mean", label, [wrap(x)], [out("F", y, mag), out("F", m, over(x, dims, keepdim, lambda row: mean([abs(t) for t in row])))],
                 i=[keepdim, *dims], f=[correction], k=count_of(x, dims), flags=flags)

    for j, (shape, dims, keepdim, const) in enumerate(CASES):
        for correction in (0, 1):
            x = source.uniform(shape, -4, 4, const)
            if j % 5 == 4:
                x = np.rint(x) + 64 * (1 + (j % 2))  # far from 0: E[x^2] - mean^2 would lose digits
            add(f"{shape_name(shape)}_{j}_c{correction}", v, x, dims, keepdim, correction)
    for j, (shape, dims) in enumerate([((7,), ()), ((3, 5), (0,)), ((2, 3, 4), (0, 2)), ((40,), ())]):
        add(f"int_{shape_name(shape)}_{j}", n, source.integers(shape, 0, 100), dims, j % 2, 1)
    x = np.array([[1, NAN, 2], [1, 2, 4], [INF, 1, 2], [-INF, INF, 0], [2, 2, -INF]])
    mags = [out("F", [NAN, 7 / 3, NAN, NAN, NAN], [1, 3, 1, 1, 1]), out("F", [NAN, 7 / 3, INF, NAN, -INF], [1, 3, 1, 1, 1])]
    gold.add("var_mean", "ieee", [v(x)], mags, i=[0, 1], f=[1], flags=["special"])
    gold.add("var_mean", "ieee_columns", [v(x.T)], mags, i=[0, 0], f=[1], flags=["special"])
    for shape, dims in [((0,), ()), ((3, 0), (1,)), ((0, 3), (0,))]:
        y = over(np.zeros(shape), dims, 0, lambda row: NAN)
        gold.add("var_mean", "empty_" + shape_name(shape), [v(np.zeros(shape))], [out("F", y, np.ones(y.shape)), out("F", y, np.ones(y.shape))], i=[0, *dims], f=[1], flags=["nograd"])


def make():
    gold = Gold("Reductions with several results, by sorting and by exact rational sums.")
    for function in (best, moments):
        function(gold)
    return {"reduce_several": gold}
