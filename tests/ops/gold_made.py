"""Golden values of composites, by NumPy, and by PyTorch in float64 where it has them."""
import math

import numpy as np
import torch
import torch.nn.functional as F

from gold_format import NULL, Gold, Source, c, n, out, shape_name, v, x_
from gold_move import Mover
from gold_torch import PYTORCH, a, t

NAN, INF = math.nan, math.inf
TRIPLES = [((), (), ()), ((7,), (7,), (7,)), ((33,), (33,), (33,)), ((3, 5), (5,), (3, 1)), ((3, 1), (1, 5), ()), ((2, 3, 4), (2, 3, 4), (2, 3, 4)),
           ((5,), (3, 5), ()), ((2, 1, 4), (3, 1), (2, 3, 4)), ((0,), (0,), (1,)), ((1,), (4, 3), (4, 1)), ((67,), (67,), (67,)), ((4, 1, 2), (3, 2), ())]


def three_operands(gold):
    for name in ("lerp", "addcmul", "addcdiv"):
        source = Source(name)
        for k, (sx, sa, sb) in enumerate(TRIPLES * 2):
            x, p, q = source.uniform(sx), source.uniform(sa), source.uniform(sb, *((0, 1) if name == "lerp" else (.25, 4) if name == "addcdiv" else (-4, 4)))
            value = (.5, -2, 1)[k % 3]
            if name == "lerp":
                y, mag = x * (1 - q) + p * q, np.abs(x * (1 - q)) + np.abs(p * q)
            else:
                more = value * (p * q if name == "addcmul" else p / q)
                y, mag = x + more, np.abs(x) + np.abs(more)
            gold.add(name, f"{shape_name(sx, sa, sb)}_{k}", [v(x), v(p), v(q)], [out("F", y, mag)], f=[] if name == "lerp" else [value])


def conditions(gold):
    source = Source("isclose")
    values = np.array([NAN, INF, -INF, 0.0, 1.0, -1.0, 1.125, 2.0])
    every_a, every_b = (np.array(m).ravel() for m in np.meshgrid(values, values, indexing="ij"))
    for k, (sx, sa, _) in enumerate(TRIPLES * 2):
        x, y = np.rint(source.uniform(sx, -3, 3)), np.rint(source.uniform(sa, -3, 3)) + source.integers(sa, 0, 2) / 8
        rtol, atol = ((.25, 0), (0, .5), (.0625, .125))[k % 3]
        gold.add("isclose", f"{shape_name(sx, sa)}_{k}", [v(x), v(y)], [out("B", np.isclose(x, y, rtol, atol))], i=[0], f=[rtol, atol], cmp="exact")
        gold.add("isclose", f"ieee_{k}", [v(every_a), v(every_b)], [out("B", np.isclose(every_a, every_b, rtol, atol, equal_nan=k % 2 == 1))],
                 i=[k % 2], f=[rtol, atol], cmp="exact", flags=["special"])
    source = Source("nan_to_num")
    specials = np.array([NAN, INF, -INF])
    for k, (shape, _, _) in enumerate(TRIPLES * 2):
        x = source.uniform(shape)
        gold.add("nan_to_num", f"{shape_name(shape)}_{k}", [v(x)], [out("F", x)], f=[0, 5, -6], cmp="exact")
        holes = np.where(source.rng.random(shape) < .4, specials[source.rng.integers(0, 3, shape)], x)
        nan, up, down = ((0, 5, -6), (-1, 2.5, 0))[k % 2]
        y = np.where(np.isnan(holes), nan, np.where(holes == INF, up, np.where(holes == -INF, down, holes)))
        gold.add("nan_to_num", f"holes_{shape_name(shape)}_{k}", [v(holes)], [out("F", y)], f=[nan, up, down], cmp="exact", flags=["special"])
    source = Source("prelu")
    for k, (shape, weights) in enumerate([((7,), 1), ((3, 5), 5), ((3, 5), 1), ((2, 3, 4), 3), ((2, 4, 3, 2), 4), ((), 1), ((0, 3), 3), ((4, 6), 6), ((1, 2, 17), 2),
                                          ((33,), 1), ((2, 2, 2, 2, 2), 2), ((5, 1), 1)] * 2):
        x, w = source.uniform(shape), source.uniform((weights,), 0, 1)
        y = x * np.where(x > 0, 1, w.reshape((1, -1) + (1,) * (len(shape) - 2)) if weights > 1 else w[0])
        flags = ["nograd"] if np.any(np.abs(x) < 1e-3) else []
        gold.add("prelu", f"{shape_name(shape)}_{k}", [v(x), v(w)], [out("F", y)], cmp="ulp", flags=flags)
    source = Source("masked_fill")
    for k, (shape, mask) in enumerate([((7,), (7,)), ((3, 5), (3, 5)), ((3, 5), (5,)), ((3, 5), (3, 1)), ((2, 3, 4), (3, 4)), ((2, 3, 4), ()), ((), ()), ((0, 3), (3,)),
                                       ((33,), (33,)), ((4, 2), (4, 1)), ((5,), (1,)), ((2, 2, 3), (2, 1, 1))] * 2):
        hidden, x = source.rng.random(mask) < .5, source.uniform(shape)
        gold.add("masked_fill", f"{shape_name(shape, mask)}_{k}", [v(x), c(hidden)], [out("F", np.where(hidden, 1.5, x))], f=[1.5], cmp="exact")
        for low, suffix in ((-9, "int"), (0, "uint")):
            x = source.integers(shape, low, 10)
            gold.add("masked_fill", f"{suffix}_{shape_name(shape, mask)}_{k}", [n(x), c(hidden)], [out("D", np.where(hidden, 3, x))], f=[3], cmp="exact",
                     flags=["nobool"])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gates(gold):
    source = Source("gates")
    for k, (shape, dim) in enumerate([((4,), 0), ((3, 6), 1), ((4, 5), 0), ((2, 4, 3), 1), ((2, 3, 2), -1), ((0, 4), 1), ((6, 1), 0), ((3, 34), -1), ((8,), -1), ((2, 2), 0),
                                      ((2, 3, 8), 2), ((10, 3), 0)] * 2):
        x = source.uniform(shape)
        p, q = np.split(x, 2, axis=dim)
        gold.add("glu", f"{shape_name(shape)}_{k}", [v(x)], [out("F", p * sigmoid(q))], i=[dim], cmp="ulp")
    for k, (sa, sb, _) in enumerate(TRIPLES * 2):
        p, q = source.uniform(sa), source.uniform(sb)
        gold.add("swiglu", f"{shape_name(sa, sb)}_{k}", [v(p), v(q)], [out("F", p * sigmoid(p) * q)], cmp="ulp")
    for k, (shape, dim) in enumerate([((7,), 0), ((1,), 0), ((3, 5), 0), ((3, 5), 1), ((2, 3, 4), 1), ((2, 3, 4), -1), ((0,), 0), ((0, 3), 1), ((33,), 0), ((2, 17), -1)] * 2):
        x = source.uniform(shape)
        y = np.diff(x, axis=dim)
        gold.add("diff", f"{shape_name(shape)}_{k}", [v(x)], [out("F", y, np.abs(y) + 4)], i=[dim])
        x = source.integers(shape, 0 if k % 2 else -9, 10)
        gold.add("diff", f"int_{shape_name(shape)}_{k}", [n(np.sort(x, axis=dim))], [out("N", np.diff(np.sort(x, axis=dim), axis=dim))], i=[dim], cmp="exact")


REDUCED = [((7,), ()), ((3, 5), (0,)), ((3, 5), (1,)), ((3, 5), ()), ((2, 3, 4), (1,)), ((2, 3, 4), (0, 2)), ((2, 3, 4), (-1,)), ((2, 3, 4), ()), ((33,), (0,)), ((4, 1), (1,)),
           ((2, 17), (1,)), ((1, 1), (0,))]


def reductions(gold):
    source = Source("made reductions")
    for k, (shape, dims) in enumerate(REDUCED * 2):
        axis, keep = dims or None, k % 2 == 1
        x = source.uniform(shape)
        ints = [int(keep), *dims]
        size = int(np.prod(shape)) if not dims else int(np.prod([shape[d] for d in dims]))
        if size > 1:
            y = np.std(x, axis=axis, keepdims=keep, ddof=k % 3 % 2)
            gold.add("std", f"{shape_name(shape)}_{k}", [v(x)], [out("F", y, y + 1)], i=ints, f=[k % 3 % 2], k=size)
        some = np.where(source.rng.random(shape) < .4, 0, x)
        gold.add("count_nonzero", f"{shape_name(shape)}_{k}", [v(some)], [out("I", np.count_nonzero(some, axis=axis, keepdims=keep))], i=ints, cmp="exact")
        whole = np.where(source.rng.random(shape) < .4, 0, source.integers(shape, 0, 2))
        gold.add("count_nonzero", f"int_{shape_name(shape)}_{k}", [n(whole)], [out("I", np.count_nonzero(whole, axis=axis, keepdims=keep))], i=ints, cmp="exact")
        for name, function in (("nansum", np.nansum), ("nanmean", np.nanmean)):
            gold.add(name, f"{shape_name(shape)}_{k}", [v(x)], [out("F", function(x, axis=axis, keepdims=keep), function(np.abs(x), axis=axis, keepdims=keep))], i=ints, k=size)
            holes = np.where(source.rng.random(shape) < .3, NAN, x)
            with np.errstate(all="ignore"), np.testing.suppress_warnings() as quiet:
                quiet.filter(RuntimeWarning)
                y, mag = function(holes, axis=axis, keepdims=keep), function(np.abs(holes), axis=axis, keepdims=keep)
            gold.add(name, f"holes_{shape_name(shape)}_{k}", [v(holes)], [out("F", y, np.where(np.isnan(mag), 1, mag))], i=ints, k=size, flags=["special"])
        order = (3, 1.5, 1, 2, INF, -INF, .5)[k % 7]
        positive = source.distinct(shape) + 8.5 if math.isinf(order) else source.uniform(shape, .5, 4)
        y = a(torch.linalg.vector_norm(t(positive), order, dims or None, keep))
        gold.add("vector_norm", f"{shape_name(shape)}_{k}", [v(positive)], [out("F", y, np.abs(y) + 1e-3)], i=ints, f=[order], k=size)
    x = np.array([0.0, 3, -4, 0, 12])
    for order in (0, 1, 2, INF, -INF):
        gold.add("vector_norm", f"zeros_{order}", [v(x)], [out("F", np.array(np.linalg.norm(x, order)), np.array(13.0))], i=[0], f=[order], k=5, flags=["special"])


def moves(gold):
    move = Mover(gold)
    for shape, shift, dim in [((7,), 2, 0), ((7,), -3, 0), ((7,), 0, 0), ((7,), 15, 0), ((3, 5), 1, 0), ((3, 5), 2, 1), ((3, 5), -1, -1), ((2, 3, 4), 1, 1), ((0, 3), 1, 0), ((1,), 4, 0)]:
        move("roll", lambda x: np.roll(x, shift, dim), [shape], i=[shift, dim])
    for shape, repeats in [((3,), (2,)), ((3,), (2, 2)), ((2, 3), (2, 1)), ((2, 3), (2,)), ((2, 3), (1, 3)), ((), (3,)), ((2, 3), (1, 1)), ((2,), (0,)), ((2, 1, 3), (2, 2, 2)), ((0,), (2,)),
                           ((4,), ())]:
        move("tile", lambda x: np.tile(x, repeats), [shape], i=repeats)
    for shape, repeats, dim in [((3,), 2, 0), ((3,), 1, 0), ((2, 3), 2, 0), ((2, 3), 3, 1), ((2, 3), 2, -1), ((2, 3, 2), 2, 1), ((3,), 0, 0), ((0,), 2, 0), ((1, 4), 5, 0), ((7,), 3, -1)]:
        move("repeat_interleave", lambda x: np.repeat(x, repeats, dim), [shape], i=[repeats, dim])
    for shape, k in [((3, 3), 0), ((3, 3), 1), ((3, 3), -1), ((3, 5), 0), ((5, 3), 2), ((2, 3, 4), 0), ((2, 3, 4), -2), ((1, 1), 0), ((0, 3), 0), ((4, 4), 9), ((4, 4), -9)]:
        move("tril", lambda x: np.tril(x, k), [shape], i=[k])
        move("triu", lambda x: np.triu(x, k), [shape], i=[k])
    for shape, offset, first, second in [((3, 3), 0, 0, 1), ((3, 5), 0, 0, 1), ((3, 5), 2, 0, 1), ((3, 5), -1, 0, 1), ((5, 3), 1, 1, 0), ((2, 3, 4), 0, 1, 2), ((2, 3, 4), 0, 0, 2),
                                         ((2, 3, 4), 1, -1, -2), ((3, 3), 5, 0, 1), ((0, 3), 0, 0, 1), ((1, 7), 0, 0, 1)]:
        move("diagonal", lambda x: np.diagonal(x, offset, first, second), [shape], i=[offset, first, second])
    for shape in [(3,), (1,), (0,), (2, 3), (2, 2, 4), (7,), (3, 1), (4, 2), (5,), (1, 6), (2, 1, 3), (0, 2)]:
        move("diag_embed", lambda x: x[..., None] * np.eye(shape[-1], dtype=x.dtype), [shape])
    for shape in [(3, 3), (3, 5), (5, 3), (1, 1), (7, 7), (1, 4), (4, 1), (2, 2), (6, 6), (17, 17)]:
        source = Source(f"trace {shape}")
        x = source.uniform(shape)
        gold.add("trace", shape_name(shape), [v(x)], [out("F", np.array(np.trace(x)), np.array(np.trace(np.abs(x))))], k=min(shape))
        x = source.integers(shape, -4, 5)
        gold.add("trace", "int_" + shape_name(shape), [n(x)], [out("A", np.array(np.trace(x)))], cmp="exact", flags=["nobool"])
        x = source.integers(shape, 0, 5)
        gold.add("trace", "uint_" + shape_name(shape), [n(x)], [out("A", np.array(np.trace(x)))], cmp="exact", flags=["nobool"])
    for shape, source_dim, target in [((3, 4), 0, 1), ((2, 3, 4), 0, 2), ((2, 3, 4), 2, 0), ((2, 3, 4), 1, 1), ((2, 3, 4), -1, 0), ((2, 3, 4, 5), 1, 3), ((2, 3, 4, 5), 3, 1), ((7,), 0, 0),
                                      ((0, 3), 0, -1)]:
        move("movedim", lambda x: np.moveaxis(x, source_dim, target), [shape], i=[source_dim, target])
    for shape, dim, sizes in [((6,), 0, (2, 3)), ((6,), 0, (-1, 2)), ((2, 6), 1, (3, 2)), ((4, 3), 0, (2, 2)), ((2, 12), -1, (2, 3, 2)), ((2, 6, 3), 1, (2, -1)), ((5,), 0, (5,)),
                              ((0,), 0, (0, 3)), ((4, 2), 0, (1, 4))]:
        d = dim % len(shape)
        whole = [size if size != -1 else -shape[d] // int(np.prod(sizes)) for size in sizes]
        move("unflatten", lambda x: x.reshape(shape[:d] + tuple(whole) + shape[d + 1:]), [shape], i=[dim, *sizes])
    for shape, turns, first, second in [((3, 4), 1, 0, 1), ((3, 4), 2, 0, 1), ((3, 4), 3, 0, 1), ((3, 4), 0, 0, 1), ((3, 4), -1, 0, 1), ((3, 4), 1, 1, 0), ((2, 3, 4), 1, 1, 2), ((2, 3, 4), 5, -1, 0),
                                        ((1, 1), 1, 0, 1)]:
        move("rot90", lambda x: np.rot90(x, turns, (first, second)), [shape], i=[turns, first, second])

    def shuffled(function, x, *rest):
        return function(torch.tensor(x), *rest).numpy()

    for shape, r in [((4, 2, 3), 2), ((8, 1, 2), 2), ((9, 2, 2), 3), ((2, 4, 2, 2), 2), ((1, 3, 2), 1), ((2, 2, 4, 1, 1), 2), ((4, 1, 1), 2), ((12, 2, 1), 2), ((2, 9, 1, 2), 3)]:
        move("pixel_shuffle", lambda x: shuffled(F.pixel_shuffle, x, r), [shape], i=[r])
        move("pixel_unshuffle", lambda x: shuffled(F.pixel_unshuffle, x, r), [shape[:-3] + (shape[-3] // (r * r), shape[-2] * r, shape[-1] * r)], i=[r])
    for shape, groups in [((2, 4), 2), ((1, 6, 3), 3), ((2, 6, 2), 2), ((3, 4, 2, 2), 4), ((2, 3), 1), ((2, 8), 4), ((1, 9, 1, 2), 3), ((2, 2, 5), 2)]:
        move("channel_shuffle", lambda x: np.swapaxes(x.reshape((shape[0], groups, shape[1] // groups) + shape[2:]), 1, 2).reshape(shape), [shape], i=[groups])


def hot(gold):
    source = Source("one hot")
    for k, shape in enumerate([(), (1,), (7,), (0,), (3, 5), (2, 3, 4), (33,), (2, 2), (5, 1), (17,)] * 3):
        classes = (5, 3, 9)[k % 3]
        index = source.rng.integers(0, classes, shape)
        y = (index[..., None] == np.arange(classes)).astype(float)
        for dtype in (0, 1, 2, 3, 4):  # f32, f64, f16, bf16, i64
            if k % 5 == dtype:
                gold.add("one_hot", f"{shape_name(shape)}_{k}", [x_(index)], [out(f"T:{('f32', 'f64', 'f16', 'bf16', 'i64')[dtype]}", y)], i=[classes, dtype], cmp="exact")


def norms(gold):
    source = Source("made norms")
    for k, (shape, groups) in enumerate([((2, 4), 2), ((2, 6, 5), 3), ((1, 4, 3, 3), 1), ((3, 4, 2), 4), ((2, 8, 4), 2), ((1, 2, 17), 2), ((2, 3, 33), 1), ((2, 6, 2, 3), 2), ((4, 2, 8), 1), ((1, 9, 7), 3)] * 3):
        x, w, b = source.uniform(shape), source.uniform(shape[1:2], .5, 2), source.uniform(shape[1:2])
        which = k % 3
        W, B = (w, b) if which == 0 else (w, None) if which == 1 else (None, None)
        ins = [v(x), NULL if W is None else v(W), NULL if B is None else v(B)]
        y = a(F.group_norm(t(x), groups, None if W is None else t(W), None if B is None else t(B), 1e-5))
        gold.add("group_norm", f"{shape_name(shape)}_{k}", ins, [out("F", y, np.abs(y) + 4)], i=[groups], f=[1e-5], k=int(np.prod(shape[1:])) // groups)
        if len(shape) > 2:
            y = a(F.group_norm(t(x), shape[1], None if W is None else t(W), None if B is None else t(B), 1e-3))
            gold.add("instance_norm", f"{shape_name(shape)}_{k}", ins, [out("F", y, np.abs(y) + 4)], f=[1e-3], k=int(np.prod(shape[2:])))
            size, alpha, beta, more = ((3, .5, .75, 1), (2, 1, .5, 2), (5, .25, 1, 1), (1, 1, .75, 1))[k % 4]
            y = a(F.local_response_norm(t(x), size, alpha, beta, more))
            gold.add("local_response_norm", f"{shape_name(shape)}_{k}", [v(x)], [out("F", y, np.abs(y) + .25)], i=[size], f=[alpha, beta, more], k=size)
    for k, (shape, dim) in enumerate([((3, 4), 0), ((3, 4), 1), ((2, 3, 4), 0), ((2, 3, 4), 1), ((2, 3, 4), -1), ((7, 5), 0), ((1, 9), 0), ((4, 2, 3, 3), 0), ((33, 2), 1), ((5,), 0)] * 2):
        x, gain = source.uniform(shape), source.uniform((shape[dim],), .5, 2)
        x = np.where(np.abs(x) < .05, .5, x)
        wide = [1] * len(shape)
        wide[dim] = shape[dim]
        others = tuple(d for d in range(len(shape)) if d != dim % len(shape))
        y = gain.reshape(wide) * x / (np.sqrt(np.sum(x * x, axis=others, keepdims=True)) if others else np.abs(x))
        gold.add("weight_norm", f"{shape_name(shape)}_{k}", [v(x), v(gain)], [out("F", y, np.abs(y) + .1)], i=[dim], k=int(np.prod(shape)) // shape[dim])
        y = a(F.normalize(t(x), dim=dim, eps=1e-6))
        gold.add("normalize", f"{shape_name(shape)}_{k}", [v(x)], [out("F", y, np.abs(y) + .1)], i=[dim], f=[1e-6], k=shape[dim])
        other = source.uniform(shape, .25, 4)
        y = a(F.cosine_similarity(t(x), t(other), dim=dim, eps=1e-6))
        gold.add("cosine_similarity", f"{shape_name(shape)}_{k}", [v(x), v(other)], [out("F", y, np.ones_like(y))], i=[dim], f=[1e-6], k=shape[dim])
        far = source.uniform(shape, 8, 12)
        y = np.sqrt(np.sum((x - far + 2.0**-10)**2, axis=-1))
        gold.add("pairwise_distance", f"{shape_name(shape)}_{k}", [v(x), v(far)], [out("F", y)], f=[2.0**-10], k=shape[-1])
    for k, (sa, sb) in enumerate([((3, 4), (5, 4)), ((1, 2), (1, 2)), ((7, 3), (2, 3)), ((2, 3, 4), (2, 5, 4)), ((2, 3, 4), (5, 4)), ((3, 4), (2, 2, 4)), ((0, 3), (2, 3)), ((4, 1), (4, 1)), ((9, 17), (3, 17)),
                                  ((2, 1, 3, 2), (1, 4, 2, 2))] * 2):
        x, y = source.uniform(sa, -4, -.25), source.uniform(sb, .25, 4)
        gold.add("cdist", f"{shape_name(sa, sb)}_{k}", [v(x), v(y)], [out("F", np.sqrt(np.sum((x[..., :, None, :] - y[..., None, :, :])**2, axis=-1)))], k=sa[-1])


def products(gold):
    source = Source("made products")
    for k, (m, p) in enumerate([(3, 4), (1, 1), (7, 2), (0, 3), (5, 5), (17, 3), (2, 33), (4, 0)] * 3):
        x, y = source.uniform((m,)), source.uniform((p,))
        gold.add("outer", f"{m}x{p}_{k}", [v(x), v(y)], [out("F", np.outer(x, y))], cmp="ulp")
        x, y = source.integers((m,), 0 if k % 2 else -5, 6), source.integers((p,), 0 if k % 2 else -5, 6)
        gold.add("outer", f"int_{m}x{p}_{k}", [n(x), n(y)], [out("N", np.outer(x, y))], cmp="exact")
    for k, m in enumerate([3, 1, 7, 0, 33, 130, 5, 64, 17, 2] * 3):
        x, y = source.uniform((m,)), source.uniform((m,))
        gold.add("dot", f"{m}_{k}", [v(x), v(y)], [out("F", np.array(x @ y), np.array(np.abs(x) @ np.abs(y)))], k=max(1, m))
    for k, (sa, sb) in enumerate([((2, 3), (2, 2)), ((3,), (4,)), ((2, 2), (3,)), ((2,), (2, 3)), ((1, 1), (3, 2)), ((2, 2, 2), (1, 2, 3)), ((), (3,)), ((0, 2), (2, 2)), ((2, 1, 2, 1), (1, 2, 1, 2))] * 3):
        x, y = source.uniform(sa), source.uniform(sb)
        gold.add("kron", f"{shape_name(sa, sb)}_{k}", [v(x), v(y)], [out("F", np.kron(x, y))], cmp="ulp")
        x, y = source.integers(sa, 0 if k % 2 else -5, 6), source.integers(sb, 0 if k % 2 else -5, 6)
        gold.add("kron", f"int_{shape_name(sa, sb)}_{k}", [n(x), n(y)], [out("N", np.kron(x, y))], cmp="exact")
    for k, (sa, sb, dims) in enumerate([((3, 4), (4, 5), 1), ((2, 3, 4), (3, 4, 2), 2), ((2, 3), (4,), 0), ((5,), (5,), 1), ((2, 3, 4), (4, 3), 1), ((3, 2), (3, 2), 2), ((7, 9), (9, 2, 2), 1),
                                        ((2, 0), (0, 3), 1), ((2, 2, 2), (2, 2, 2), 2), ((1, 17), (17, 1), 1)] * 3):
        x, y = source.uniform(sa), source.uniform(sb)
        inner = int(np.prod(sb[:dims]))
        gold.add("tensordot", f"{shape_name(sa, sb)}_{k}", [v(x), v(y)], [out("F", np.tensordot(x, y, dims), np.tensordot(np.abs(x), np.abs(y), dims))], i=[dims], k=max(1, inner))
    for k, (sc, sa, sb) in enumerate([((3, 5), (3, 4), (4, 5)), ((5,), (3, 4), (4, 5)), ((3, 1), (3, 4), (4, 5)), ((), (2, 2), (2, 2)), ((2, 3, 5), (2, 3, 4), (2, 4, 5)), ((1, 1), (1, 7), (7, 1)),
                                      ((4, 4), (4, 33), (33, 4)), ((3, 5), (3, 0), (0, 5))] * 3):
        w, x, y = source.uniform(sc), source.uniform(sa), source.uniform(sb)
        beta, alpha = ((1, 1), (.5, 2), (0, 1))[k % 3]
        mag = np.abs(beta * w) + np.abs(alpha) * (np.abs(x) @ np.abs(y))
        gold.add("addmm", f"{shape_name(sc, sa, sb)}_{k}", [v(w), v(x), v(y)], [out("F", beta * w + alpha * (x @ y), mag)], f=[beta, alpha], k=max(1, sa[-1]))
    gold.add("addmm", "beta_0", [v([[NAN]]), v([[2.0]]), v([[3.0]])], [out("F", np.array([[6.0]]), np.array([[6.0]]))], f=[0, 1], flags=["special"])


def distances(gold):
    source = Source("losses of distances")
    for k, shape in enumerate([(3, 4), (1, 5), (7, 2), (2, 3, 4), (5,), (9, 17), (4, 1), (6, 3)] * 3):
        how = ("none", "mean", "sum")[k % 3]
        x, near, far, margin = source.uniform(shape), source.uniform(shape), source.uniform(shape, 4, 8), (1, .5, 20)[k % 3]
        one = t(x).reshape(-1, shape[-1]), t(near).reshape(-1, shape[-1]), t(far).reshape(-1, shape[-1])
        y = F.triplet_margin_loss(*one, margin=margin, reduction=how)
        y = a(y).reshape(shape[:-1]) if how == "none" else a(y)
        rows = int(np.prod(shape[:-1]))
        mag = np.abs(y) + 8 * (rows if how == "sum" else 1)
        gap = a(F.triplet_margin_loss(*one, margin=1e3, reduction="none")) - 1e3 + margin
        gold.add("triplet_margin_loss", f"{shape_name(shape)}_{k}", [v(x), v(near), v(far)], [out("F", y, mag)], i=[k % 3], f=[margin], k=rows * shape[-1],
                 flags=["nograd"] if np.any(np.abs(gap) < 1e-2) else [])
        other, order, margin = source.uniform(shape, .25, 4), np.where(source.rng.random(shape[:-1]) < .5, -1.0, 1.0), (0, .25, -.5)[k % 3]
        cosine = a(F.cosine_similarity(t(x), t(other), dim=-1))
        y = np.where(order > 0, 1 - cosine, np.maximum(0, cosine - margin))
        y = y if how == "none" else np.mean(y) if how == "mean" else np.sum(y)
        gold.add("cosine_embedding_loss", f"{shape_name(shape)}_{k}", [v(x), v(other), v(order)], [out("F", np.asarray(y), np.abs(y) + (rows if how == "sum" else 1))],
                 i=[k % 3], f=[margin], k=rows * shape[-1], flags=["nograd"] if np.any(np.abs(cosine - margin) < 1e-2) or shape[-1] == 1 else [])


def make():
    files = {}
    for name, about, functions in [("elementwise_made", "Elementwise composites, by NumPy.", (three_operands, conditions, gates)),
                                   ("reduce_made", f"Reductions that are composites, by NumPy and {PYTORCH}.", (reductions,)),
                                   ("view_made", f"Composites that move elements, by NumPy and {PYTORCH}.", (moves, hot)),
                                   ("norm_made", f"Norms and distances that are composites, by NumPy and {PYTORCH}.", (norms,)),
                                   ("matmul_made", "Products that are composites, by NumPy.", (products,)),
                                   ("loss_distances", f"Losses of distances, by {PYTORCH} in float64.", (distances,))]:
        files[name] = Gold(about)
        for function in functions:
            function(files[name])
    return files
