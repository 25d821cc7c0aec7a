"""Golden values of topk, by sorting Python numbers."""
import math

import numpy as np

from gold_format import Gold, Source, n, out, shape_name, v

INF, NAN = math.inf, math.nan


def in_order(values, largest):
    """Positions of values, the first in order first: NaN before all, of equals the lower position."""
    sign = -1 if largest else 1
    return sorted(range(len(values)), key=lambda at: (0, 0, at) if math.isnan(values[at]) else (1, sign * values[at], at))


def along(x, dim, function):
    """function(list) -> list, applied along dim."""
    moved = np.moveaxis(x, dim, -1)
    rows = [function(row.tolist()) for row in moved.reshape(-1, x.shape[dim])] if moved.size else []
    length = len(rows[0]) if rows else 0
    return np.moveaxis(np.array(rows).reshape(*moved.shape[:-1], length), -1, dim)


TOPK = [((7,), 0, 3), ((7,), 0, 7), ((7,), -1, 1), ((1,), 0, 1), ((33,), 0, 5), ((200,), 0, 17), ((3, 5), 0, 2), ((3, 5), 1, 2), ((3, 5), -1, 5), ((5, 33), 1, 4), ((33, 5), 0, 9),
        ((2, 3, 4), 0, 1), ((2, 3, 4), 1, 2), ((2, 3, 4), 2, 3), ((2, 3, 4), -2, 3), ((4, 20), 1, 20), ((20, 4), 0, 20), ((2, 1, 6), 2, 3), ((2, 2, 3, 4), 1, 2), ((2, 7, 18), 1, 3)]
ROWS = [("nan", [1, 2, NAN, 3, 5]), ("nan_first", [NAN, INF, -1]), ("inf", [1, INF, 2, -3]), ("both", [INF, 1, -INF]), ("neg_inf", [-INF, -INF, -INF]),
        ("zeros", [0.0, -0.0, 0.0, -0.0]), ("two_nans", [2, NAN, NAN, 1])]


def topk(gold):
    source = Source("topk")

    def add(label, wrap, x, dim, k, flags=()):
        for largest in (1, 0):
            at = along(x, dim, lambda row: in_order(row, largest)[:k])
            if k == 0 or at.size == 0:
                shape = list(x.shape)
                shape[dim] = k
                at = np.zeros(shape, dtype=np.int64)
            y = np.take_along_axis(x, at.astype(np.int64), axis=dim) if at.size else np.zeros(at.shape)
            gold.add("topk", f"{label}_{'largest' if largest else 'smallest'}", [wrap(x)], [out("D", y), out("I", at)], i=[k, dim, largest], cmp="exact", flags=flags)

    for j, (shape, dim, k) in enumerate(TOPK):
        x = source.distinct(shape) if np.prod(shape) < 256 else source.uniform(shape)
        add(f"{shape_name(shape)}_{j}", v, x, dim, k)
        add(f"{shape_name(shape)}_{j}_ties", v, source.integers(shape, -2, 3).astype(float), dim, k, ["nograd"])
        add(f"{shape_name(shape)}_{j}_int", n, source.integers(shape, -100, 100), dim, k)
        add(f"{shape_name(shape)}_{j}_flags", n, source.integers(shape, 0, 2), dim, k)
    for label, row in ROWS:
        add(label, v, np.array(row), 0, 2, ["special"])
        add(label + "_rows", v, np.array([row, [1] * len(row), row]), 1, len(row), ["special"])
        add(label + "_columns", v, np.array([[1] * len(row), row, row[::-1]]), 0, 2, ["special"])
    add("const", v, source.uniform((3, 4), const=(0,)), 1, 2, ["nograd"])
    add("wide", n, np.array([2**62, 2**53 + 1, -2**63, 5, 2**53, 2**63 - 1]), 0, 3)
    add("none_of_5", v, source.uniform((2, 5)), 1, 0)
    add("none_of_0", v, np.zeros((2, 0)), 1, 0)
    add("nothing", v, np.zeros((0, 5)), 1, 2)


def make():
    gold = Gold("The largest or smallest elements, by sorting.")
    topk(gold)
    return {"topk": gold}
