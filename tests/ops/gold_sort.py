"""Golden values of order and search, by sorting, counting and comparing Python numbers."""
import math

import numpy as np

from gold_format import Gold, Source, c, n, out, shape_name, v, x_
from gold_topk import along

INF, NAN = math.inf, math.nan
SHAPES = [((7,), 0), ((1,), 0), ((33,), -1), ((130,), 0), ((3, 5), 0), ((3, 5), 1), ((3, 17), 1), ((17, 3), 0), ((2, 3, 4), 0), ((2, 3, 4), 1), ((2, 3, 4), -1), ((2, 60), 1), ((60, 2), 0),
          ((2, 1, 6), 1), ((2, 2, 3, 4), 2), ((2, 7, 5), 1)]
ROWS = [("nan", [1, 2, NAN, 3, 5]), ("nan_first", [NAN, INF, -1]), ("inf", [1, INF, 2, -3]), ("both", [INF, 1, -INF]), ("zeros", [0.0, -0.0, 0.0, -0.0]), ("two_nans", [2, NAN, NAN, 1]),
        ("nans", [NAN, NAN])]


def in_order(values, descending=False):
    """Positions: NaN is the largest, equals stay in their order."""
    key = (lambda at: (0, 0) if math.isnan(values[at]) else (1, -values[at])) if descending else (lambda at: (1, 0) if math.isnan(values[at]) else (0, values[at]))
    return sorted(range(len(values)), key=key)


def places(x, dim, function):
    at = along(x, dim, function).astype(np.int64)
    return at.reshape(x.shape) if at.size == 0 else at


def inputs(source, special=True):
    """(label, kind, x, dim, flags)"""
    for k, (shape, dim) in enumerate(SHAPES):
        count = int(np.prod(shape))
        yield f"{shape_name(shape)}_{k}", v, source.distinct(shape) if count < 256 else source.uniform(shape), dim, [] if count < 256 else ["nograd"]
        if k % 3 == 1:
            yield f"{shape_name(shape)}_{k}_ties", v, source.integers(shape, -2, 3).astype(float), dim, ["nograd"]
            yield f"{shape_name(shape)}_{k}_int", n, source.integers(shape, -100, 100), dim, []
        elif k % 3:
            yield f"{shape_name(shape)}_{k}_flags", n, source.integers(shape, 0, 2), dim, []
    if special:
        for label, row in ROWS:
            yield label, v, np.array(row), 0, ["special"]
            yield label + "_columns", v, np.array([[1] * len(row), row, row[::-1]]), 1, ["special"]


def sorts(gold):
    source = Source("sort")

    def add(label, wrap, x, dim, flags=()):
        for descending in (0, 1):
            at = places(x, dim, lambda row: in_order(row, descending))
            gold.add("sort", f"{label}_{'falling' if descending else 'rising'}", [wrap(x)], [out("D", np.take_along_axis(x, at, axis=dim)), out("I", at)], i=[dim, descending], cmp="exact",
                     flags=flags)

    for case in inputs(source):
        add(*case)
    add("wide", n, np.array([2**62, 2**53 + 1, -2**63, 5, 2**53, 2**63 - 1] * 12), 0)
    add("near", n, np.arange(100)[::-1] * 1000003, 0)
    add("sorted", v, np.arange(90) / 8.0, 0)
    add("const", v, source.uniform((3, 4), const=(0,)), 1, ["nograd"])
    for shape, dim in [((0,), 0), ((2, 0), 1), ((0, 3), 1)]:
        add("nothing_" + shape_name(shape), v, np.zeros(shape), dim)


def argsort(gold):
    for k, (label, wrap, x, dim, flags) in enumerate(inputs(Source("argsort"))):
        gold.add("argsort", label, [wrap(x)], [out("I", places(x, dim, lambda row: in_order(row, k % 2)))], i=[dim, k % 2], cmp="exact", flags=flags)


def one_of(x, dim, keep, function):
    at = np.expand_dims(np.apply_along_axis(lambda row: function(row.tolist()), dim, x.astype(np.float64)).astype(np.int64), dim)
    y = np.take_along_axis(x, at, axis=dim)
    return [out("D", y if keep else np.squeeze(y, dim)), out("I", at if keep else np.squeeze(at, dim))]


def kthvalue(gold):
    source = Source("kthvalue")
    for j, (label, wrap, x, dim, flags) in enumerate(inputs(source)):
        k, keep = 1 + j * 5 % x.shape[dim], j % 2
        gold.add("kthvalue", f"{label}_k{k}", [wrap(x)], one_of(x, dim, keep, lambda row: in_order(row)[k - 1]), i=[k, dim, keep], cmp="exact", flags=flags)


def medians(gold):
    source = Source("median")

    def middle(row):
        nans = [i for i, value in enumerate(row) if math.isnan(value)]
        return nans[0] if nans else in_order(row)[(len(row) - 1) // 2]

    def middle_number(row):
        count = sum(not math.isnan(value) for value in row)
        return in_order(row)[max(0, (count - 1) // 2)]

    for j, (label, wrap, x, dim, flags) in enumerate(inputs(source)):
        keep = j % 2
        gold.add("median", label, [wrap(x)], one_of(x, dim, keep, middle), i=[dim, keep], cmp="exact", flags=flags)
        gold.add("nanmedian", label, [wrap(x)], one_of(x, dim, keep, middle_number), i=[dim, keep], cmp="exact", flags=flags)


def quantile(gold):
    source = Source("quantile")
    for j, (label, wrap, x, dim, flags) in enumerate(inputs(source, special=False)):
        if wrap is not v:
            continue
        q, keep = (.5, .25, 0, 1, .9, 1 / 3)[j % 6], j % 2
        y = np.quantile(x, q, axis=dim, keepdims=bool(keep), method="linear")
        gold.add("quantile", f"{label}_{j}", [v(x)], [out("F", y, np.abs(y) + .5)], i=[dim, keep], f=[q], k=1, flags=flags)
    for j, (row, q, y) in enumerate([([1, NAN, 2], .5, NAN), ([INF, INF, 1], .75, INF), ([-INF, 1], .5, -INF), ([-INF, INF], .5, NAN), ([1, 1, 1], .3, 1), ([INF, 1], 0, 1), ([4], .7, 4)]):
        gold.add("quantile", f"row_{j}", [v(np.array(row))], [out("F", np.array(y), np.array(1.0))], i=[0, 0], f=[q], flags=["special"])


def nanquantile(gold):
    source = Source("nanquantile")
    for j, (label, wrap, x, dim, flags) in enumerate(inputs(source, special=False)):
        if wrap is not v:
            continue
        q, keep = (.5, .25, 0, 1, .9, 1 / 3)[j % 6], j % 2
        for holes in (False, True):
            if holes and x.size:
                x, flags = np.where(source.rng.random(x.shape) < .3, NAN, x), ["special"]
                np.moveaxis(x, dim, 0)[-1] = .5  # one is left
            y = np.nanquantile(x, q, axis=dim, keepdims=bool(keep), method="linear")
            gold.add("nanquantile", f"{label}_{j}_{int(holes)}", [v(x)], [out("F", y, np.abs(y) + .5)], i=[dim, keep], f=[q], k=1, flags=flags)
    for j, (row, q, y) in enumerate([([1, NAN, 2], .75, 1.75), ([NAN, NAN], .5, NAN), ([NAN, INF, INF], .75, INF), ([-INF, 1, NAN], .5, -INF), ([NAN, 4], .7, 4)]):
        gold.add("nanquantile", f"row_{j}", [v(np.array(row))], [out("F", np.array(y), np.array(1.0))], i=[0, 0], f=[q], flags=["special"])


def unique(gold):
    source = Source("unique")

    def add(label, wrap, x):
        flat = x.ravel().tolist()
        values, inverse, counts = [], np.zeros(len(flat), dtype=np.int64), []
        for at in in_order(flat):
            if not values or values[-1] != flat[at]:
                values.append(flat[at])
                counts.append(0)
            counts[-1] += 1
            inverse[at] = len(values) - 1
        gold.add("unique", label, [wrap(x)], [out("D", np.array(values, dtype=x.dtype)), out("I", inverse.reshape(x.shape)), out("I", np.array(counts, dtype=np.int64))], cmp="exact", flags=["nograd"])

    for k, shape in enumerate([(7,), (1,), (), (3, 5), (2, 3, 4), (30,), (0,), (0, 3), (5, 13), (1, 1)]):
        add(f"{shape_name(shape)}_{k}", v, source.integers(shape, -3, 4) / 4.0)
        add(f"int_{shape_name(shape)}_{k}", n, source.integers(shape, 0 if k % 2 else -5, 2 if k % 2 else 6))
    add("all_alike", v, np.full((2, 4), 1.5))
    add("nans", v, np.array([NAN, 1, NAN, -INF, INF, 1]))
    add("zeros", v, np.array([0.0, -0.0, 2, 0.0]))


def before(a, b):
    return a < b or (math.isnan(b) and not math.isnan(a))


def how_many(row, value, right):
    return sum(not before(value, e) if right else before(e, value) for e in row)


def searches(gold):
    source = Source("searchsorted")

    def add(label, wrap, row, values, flags=()):
        for right in (0, 1):
            if row.ndim == 1:
                y = np.array([how_many(row.tolist(), value, right) for value in values.ravel().tolist()], dtype=np.int64).reshape(values.shape)
            else:
                rows = int(np.prod(row.shape[:-1]))
                flat = [[how_many(r, value, right) for value in u] for r, u in zip(row.reshape(rows, row.shape[-1]).tolist(), values.reshape(rows, values.shape[-1]).tolist())]
                y = np.array(flat, dtype=np.int64).reshape(values.shape)
            gold.add("searchsorted", f"{label}_{right}", [wrap(row), wrap(values)], [out("I", y)], i=[right], cmp="exact", flags=flags)

    for k, (s, u) in enumerate([((5,), (7,)), ((1,), (3,)), ((9,), (2, 3)), ((33,), ()), ((3, 5), (3, 4)), ((2, 3, 7), (2, 3, 1)), ((2, 1), (2, 9)), ((64,), (3, 11)), ((4, 31), (4, 2)), ((0,), (3,)),
                                ((5,), (0,)), ((3, 0), (3, 2)), ((0, 4), (0, 2))]):
        add(f"{shape_name(s, u)}_{k}", v, np.sort(source.integers(s, -8, 8) / 4.0, axis=-1), source.integers(u, -9, 10) / 4.0)
        add(f"int_{shape_name(s, u)}_{k}", n, np.sort(source.integers(s, 0, 9), axis=-1), source.integers(u, 0, 10))
    add("nans", v, np.array([-INF, 1, INF, NAN, NAN]), np.array([NAN, INF, -INF, 1, 2]), ["special"])


def buckets(gold):
    source = Source("bucketize")
    for k, (s, u) in enumerate([((5,), (7,)), ((1,), (3,)), ((9,), (2, 3)), ((33,), ()), ((4,), (2, 3, 2)), ((0,), (3,)), ((5,), (0, 2))] * 2):
        row, values, right = np.sort(source.integers(s, -8, 8) / 4.0), source.integers(u, -9, 10) / 4.0, k % 2
        for wrap, scale in ((v, 1), (n, 4)):
            y = np.array([how_many(row.tolist(), value, right) for value in values.ravel().tolist()], dtype=np.int64).reshape(values.shape)
            gold.add("bucketize", f"{'int_' if wrap is n else ''}{shape_name(u, s)}_{k}", [wrap(values * scale), wrap(row * scale)], [out("I", y)], i=[right], cmp="exact")


def counts(gold):
    source = Source("bincount histc")
    for k, shape in enumerate([(7,), (1,), (), (3, 5), (2, 3, 4), (40,), (0,), (2, 0)] * 3):
        bins = (5, 9, 17)[k // 8]
        x = source.integers(shape, 0, 5)
        gold.add("bincount", f"{shape_name(shape)}_{k}", [x_(x)], [out("I", np.bincount(x.ravel(), minlength=bins))], i=[bins], cmp="exact")
        lo, hi, parts = ((-2, 2, 8), (-1, 3, 3), (-.5, 4, 1))[k // 8]
        x = source.uniform(shape)
        inside = x[(x >= lo) & (x <= hi)]
        gold.add("histc", f"{shape_name(shape)}_{k}", [v(x)], [out("I", np.histogram(inside, bins=parts, range=(lo, hi))[0])], i=[parts], f=[lo, hi], cmp="exact")
    gold.add("histc", "edges", [v(np.array([0, 1, 2, 3, 4, -.5, 4.25]))], [out("I", np.array([1, 1, 1, 2]))], i=[4], f=[0, 4], cmp="exact")
    gold.add("histc", "special", [v(np.array([NAN, INF, -INF, 1, 0]))], [out("I", np.array([1, 1]))], i=[2], f=[0, 2], cmp="exact", flags=["special"])


def choices(gold):
    source = Source("nonzero masked_select")
    for k, shape in enumerate([(7,), (1,), (), (3, 5), (2, 3, 4), (30,), (0,), (2, 0), (5, 13), (2, 2, 3, 2)] * 2):
        x = source.integers(shape, -1 - k // 10, 2) / 2.0
        for wrap, scale in ((v, 1), (n, 2)):
            at = np.argwhere(x != 0) if shape else np.zeros((int(x != 0), 0), dtype=np.int64)
            gold.add("nonzero", f"{'int_' if wrap is n else ''}{shape_name(shape)}_{k}", [wrap(x * scale)], [out("I", at)], cmp="exact", flags=["nograd"])
        mask = np.asarray(source.rng.random(shape) < (.4, .8)[k // 10])
        x = source.uniform(shape)
        gold.add("masked_select", f"{shape_name(shape)}_{k}", [v(x), c(mask)], [out("D", x[mask].ravel())], cmp="exact")
        x = source.integers(shape, -50, 50)
        gold.add("masked_select", f"int_{shape_name(shape)}_{k}", [n(x), c(mask)], [out("D", x[mask].ravel())], cmp="exact")
    gold.add("nonzero", "special", [v(np.array([NAN, 0, -0.0, INF]))], [out("I", np.array([[0], [3]]))], cmp="exact", flags=["special"])
    for k, (shape, of) in enumerate([((3, 4), (4,)), ((3, 4), (3, 1)), ((2, 3, 4), (3, 1)), ((3, 4), ()), ((3, 4), (1, 4))]):
        x, mask = source.uniform(shape), np.asarray(source.rng.random(of) < .6)
        gold.add("masked_select", f"broadcast_{k}", [v(x), c(mask)], [out("D", x[np.broadcast_to(mask, shape)].ravel())], cmp="exact")
    for name, all_of in (("none", 0), ("all", 1)):
        x = source.uniform((3, 5))
        gold.add("masked_select", name, [v(x), c(np.full((3, 5), all_of))], [out("D", x.ravel() if all_of else np.zeros(0))], cmp="exact")


def make():
    files = {}
    for name, about, functions in [("sort", "Elements in order, by sorting.", (sorts,)),
                                   ("sort_made", "What is made of elements in order, by sorting and NumPy.", (argsort, kthvalue, medians, quantile, nanquantile, unique)),
                                   ("search", "Places in sorted rows, by comparing.", (searches,)),
                                   ("search_made", "What is found and counted, by comparing and NumPy.", (buckets, counts, choices))]:
        files[name] = Gold(about)
        for function in functions:
            function(files[name])
    return files
