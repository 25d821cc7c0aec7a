"""Golden values of softmax, losses, normalisation, convolution, pooling and optimiser steps, by PyTorch in float64."""
import itertools
import math

import numpy as np
import torch
import torch.nn.functional as F

from gold_format import Gold, NULL, Source, out, s, shape_name, v, x_

INF, NAN = math.inf, math.nan
torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)


def t(x):
    return torch.tensor(np.asarray(x, dtype=np.float64))


def a(x):
    return x.detach().numpy()


SLICES = [((7,), 0, ()), ((1,), 0, ()), ((33,), 0, ()), ((130,), -1, ()), ((3, 5), 0, ()), ((3, 5), 1, ()), ((3, 5), -1, ()), ((2, 3, 4), 0, ()), ((2, 3, 4), 1, ()),
          ((2, 3, 4), 2, ()), ((2, 3, 4), -2, ()), ((2, 2, 3, 5), 2, ()), ((0, 4), 1, ()), ((0, 4), 0, ()), ((4, 1), 1, ()), ((5, 33), 1, ()), ((33, 5), 0, ()),
          ((4, 17), 1, ()), ((3, 64), 1, ()), ((3, 4), 1, (0,)), ((3, 4), 1, (1,)), ((2, 3, 5), 1, (1,)), ((2, 3, 5), 1, (0, 2)), ((2, 0), 0, ())]


def softmaxes(gold):
    for name, function in [("softmax", F.softmax), ("log_softmax", F.log_softmax)]:
        source = Source(name)

        def add(label, x, dim, flags=(), y=None):
            y = a(function(t(x), dim)) if y is None else np.array(y)
            mag = None
            if name == "log_softmax":
                mag = np.abs(x) + np.abs(a(torch.logsumexp(t(x), dim, keepdim=True))) + 0 * np.abs(x) if x.ndim and x.size else np.abs(x)
                mag = np.where(np.isfinite(mag), mag, 1)
            gold.add(name, label, [v(x)], [out("F", y, mag)], i=[dim], k=max(1, x.shape[dim] if x.ndim else 1), flags=flags)

        for k, (shape, dim, const) in enumerate(SLICES):
            add(f"{shape_name(shape)}_{k}", source.uniform(shape, -4, 4, const), dim)
            if k < 19:
                add(f"steep_{shape_name(shape)}_{k}", source.uniform(shape, -30, 30, const), dim)
        dead, alive = ([0.0] * 3, [1 / 3] * 3) if name == "softmax" else ([-INF] * 3, [-math.log(3)] * 3)
        add("all_neg_inf", np.array([[-INF] * 3, [1.0] * 3]), 1, ["special"], [dead, alive])
        add("all_neg_inf_columns", np.array([[-INF, 1.0], [-INF, 1.0], [-INF, 1.0]]), 0, ["special"], np.transpose([dead, alive]))
        add("some_neg_inf", np.array([[-INF, 0, 1], [2, -INF, -INF]]), 1, ["special"])
        add("pos_inf", np.array([[INF, 0, 1], [0, 1, 2]]), 1, ["special"])
        add("nan", np.array([[NAN, 0, 1], [0, 1, 2], [1, 2, NAN]]), 1, ["special"])
        add("nan_columns", np.array([[NAN, 0, 1], [0, 1, 2]]), 0, ["special"])
        add("huge", np.array([[1e30, 1e30, -1e30], [1e4, 0, -1e4]], dtype=np.float32).astype(float), 1, ["f32", "special"])


def losses(gold):
    source = Source("cross entropy")
    shapes = [((4, 3), ()), ((1, 2), ()), ((5, 1), ()), ((3,), ()), ((2, 3, 4), ()), ((7, 33), ()), ((2, 2, 2, 5), ()), ((4, 3), (0,)), ((3, 4), (1,)), ((9, 10), ())]
    for k, (shape, const) in enumerate(shapes):
        x = source.uniform(shape, -4, 4, const)
        classes = shape[-1]
        for ignored, smoothing, reduction in itertools.product((False, True), (0.0, 0.1), (0, 1, 2)):
            target = source.rng.integers(0, classes, shape[:-1])
            ignore = -100
            if ignored:
                ignore = (-100, -1, 0)[k % 3]
                target = np.where(source.rng.random(shape[:-1]) < .3, ignore, target)
            how = ("none", "mean", "sum")[reduction]
            y = a(F.cross_entropy(t(x).reshape(-1, classes), torch.tensor(target.reshape(-1)), ignore_index=ignore, label_smoothing=smoothing, reduction=how))
            y = y.reshape(shape[:-1]) if reduction == 0 else y
            if reduction == 1 and not np.any(target != ignore):
                y = np.array(0.0)  # ours: the mean of no rows is 0
            rows = max(1, int(np.prod(shape[:-1])))
            mag = (4 + np.abs(y)) * (rows if reduction == 2 else 1)
            gold.add("cross_entropy_with", f"{shape_name(shape)}_{how}_{ignored:d}_{smoothing}", [v(x), x_(target)], [out("F", y, mag)],
                     i=[ignore, reduction], f=[smoothing], k=classes)
            if smoothing == 0 and reduction == 1 and ignore == -100:
                gold.add("cross_entropy", f"{shape_name(shape)}_{ignored:d}", [v(x), x_(target)], [out("F", y, mag)], k=classes)
                logs = source.uniform(shape, -4, -.1, const)
                y = a(F.nll_loss(t(logs).reshape(-1, classes), torch.tensor(target.reshape(-1)))) if np.any(target != -100) else np.array(0.0)
                gold.add("nll", f"{shape_name(shape)}_{ignored:d}", [v(logs), x_(target)], [out("F", y)], k=rows)
    for name in ("cross_entropy", "nll"):
        for shape in [(6, 5), (12, 3), (3, 4, 6), (16, 8), (2, 17), (1, 1), (20, 4)]:
            x, target = source.uniform(shape, -4, -.1), source.rng.integers(0, shape[-1], shape[:-1])
            function = F.cross_entropy if name == "cross_entropy" else F.nll_loss
            y = a(function(t(x).reshape(-1, shape[-1]), torch.tensor(target.reshape(-1))))
            gold.add(name, "more_" + shape_name(shape), [v(x), x_(target)], [out("F", y, 4 + np.abs(y))], k=int(np.prod(shape)))
    x = source.uniform((3, 4))
    for how in (0, 1, 2):
        y = np.zeros(3) if how == 0 else np.array(0.0)
        gold.add("cross_entropy_with", f"all_ignored_{how}", [v(x), x_([7, 7, 7])], [out("F", y)], i=[7, how], f=[0], flags=["nograd"])
    x = np.array([[0, NAN, 1], [1, 2, 3]])
    y = a(F.cross_entropy(t(x), torch.tensor([0, 1]), reduction="none"))
    gold.add("cross_entropy_with", "nan", [v(x), x_([0, 1])], [out("F", y)], i=[-100, 0], f=[0], flags=["special"])


def regressions(gold):
    pairs = [((), ()), ((7,), (7,)), ((33,), (33,)), ((3, 5), (3, 5)), ((3, 5), (5,)), ((3, 1), (3, 4)), ((2, 3, 4), (2, 3, 4)), ((4, 3), ()), ((130,), (130,)), ((1, 1), (1, 1)),
             ((5,), (5,)), ((2, 2), (2, 2)), ((3, 4), (3, 4)), ((6, 2), (6, 2))]
    for name in ("mse", "huber", "bce_with_logits"):
        source = Source(name)
        for k, (sp, st) in enumerate(pairs * 2):
            const = (0,) if k == 26 else (1,) if k == 27 else ()
            p = source.uniform(sp, -4, 4, const)
            y = source.uniform(st, 0, 1, const) if name == "bce_with_logits" else source.uniform(st, -4, 4, const)
            P, Y = torch.broadcast_tensors(t(p), t(y))
            if name == "mse":
                gold.add(name, f"{shape_name(sp, st)}_{k}", [v(p), v(y)], [out("F", a(F.mse_loss(P, Y)))], k=P.numel())
            elif name == "huber":
                delta = (1, 0.5, 2.5)[k % 3]
                flags = ["nograd"] if np.any(np.abs(np.abs(a(P - Y)) - delta) < 1e-3) else []
                gold.add(name, f"{shape_name(sp, st)}_{k}", [v(p), v(y)], [out("F", a(F.huber_loss(P, Y, delta=delta)))], f=[delta], k=P.numel(), flags=flags)
            else:
                mag = a(torch.mean(F.softplus(P) + torch.abs(P * Y)))
                gold.add(name, f"{shape_name(sp, st)}_{k}", [v(p), v(y)], [out("F", a(F.binary_cross_entropy_with_logits(P, Y)), mag)], k=P.numel())
        far = np.array([-200.0, 200, 90, -90], dtype=float)
        if name == "bce_with_logits":
            gold.add(name, "far", [v(far), v([0, 1, 0, 1])], [out("F", np.array((0 + 0 + 90 + 90) / 4))], flags=["special"])
        else:
            gold.add(name, "nan", [v([1, NAN, 2]), v([1, 1, 1])], [out("F", np.array(NAN))], f=[1], flags=["special"])


def layer_norms(gold):
    source = Source("layer_norm")
    cases = [((4,), 1), ((3, 4), 1), ((3, 4), 2), ((2, 3, 4), 1), ((2, 3, 4), 2), ((1, 7), 1), ((5, 33), 1), ((2, 130), 1), ((3, 1, 5), 1), ((0, 4), 1), ((4, 16), 1), ((2, 2, 8), 2), ((6, 9), 1)]
    for k, ((shape, trailing), form) in enumerate(itertools.product(cases, ("wb", "w", "b", ""))):
        if not form and trailing != 1:
            continue
        normal = shape[len(shape) - trailing:]
        x, w, b = source.uniform(shape), source.uniform(normal, -2, 2), source.uniform(normal, -2, 2)
        eps = (1e-5, 1e-3, 0.1)[k % 3]
        if k % 7 == 3:
            x = np.rint(x) + 64  # far from 0
        y = a(F.layer_norm(t(x), normal, t(w) if "w" in form else None, t(b) if "b" in form else None, eps))
        axes = tuple(range(x.ndim - trailing, x.ndim))
        near, var = np.abs(x).mean(axes, keepdims=True), x.var(axes, keepdims=True)
        mag = (np.abs(x) + near) / np.sqrt(var + eps) * (np.abs(w) if "w" in form else 1) + (np.abs(b) if "b" in form else 0)
        gold.add("layer_norm", f"{shape_name(shape, normal)}_{form}_{k}", [v(x), v(w) if "w" in form else NULL, v(b) if "b" in form else NULL],
                 [out("F", y, mag)], f=[eps], k=int(np.prod(normal)))
    for const in ((0,), (1,)):
        x, w, b = source.uniform((3, 4), const=const), source.uniform((4,), const=(0,)), source.uniform((4,), const=(0,))
        gold.add("layer_norm", f"const{const[0]}", [v(x), v(w), v(b)], [out("F", a(F.layer_norm(t(x), (4,), t(w), t(b), 0.5)), np.full((3, 4), 10.0))], f=[.5], k=4)
    x = np.array([[1, NAN, 2, 3], [1, 2, 3, 4]])
    gold.add("layer_norm", "nan", [v(x), NULL, NULL], [out("F", a(F.layer_norm(t(x), (4,), None, None, 1e-5)))], f=[1e-5], flags=["special"])
    source = Source("rms_norm")
    for k, ((shape, trailing), scaled) in enumerate(itertools.product(cases, (True, False))):
        if not scaled and trailing != 1:
            continue
        normal = shape[len(shape) - trailing:]
        axes = tuple(range(len(shape) - trailing, len(shape)))
        eps = (1e-5, 1e-3, 0.1)[k % 3]
        x, w = source.uniform(shape), source.uniform(normal, -2, 2)
        y = t(x) * torch.rsqrt(torch.mean(t(x)**2, dim=axes, keepdim=True) + eps) * (t(w) if scaled else 1)
        gold.add("rms_norm", f"{shape_name(shape, normal)}_{scaled:d}_{k}", [v(x), v(w) if scaled else NULL], [out("F", a(y), np.abs(a(y)))], f=[eps], k=int(np.prod(normal)))
    for const in ((0,), (1,)):
        x, w = source.uniform((3, 4), const=const), source.uniform((4,), const=(0,))
        y = a(t(x) * torch.rsqrt(torch.mean(t(x)**2, dim=1, keepdim=True) + .5) * t(w))
        gold.add("rms_norm", f"const{const[0]}", [v(x), v(w)], [out("F", y, np.abs(y))], f=[.5], k=4)
    x = np.array([[1, NAN, 2], [1, 2, 3], [0, 0, 0]])
    y = a(t(x) * torch.rsqrt(torch.mean(t(x)**2, dim=1, keepdim=True) + 1e-5))
    gold.add("rms_norm", "nan", [v(x), NULL], [out("F", y)], f=[1e-5], flags=["special"])


def batch_norms(gold):
    source = Source("batch_norm")
    shapes = [(4, 3), (2, 3, 4), (2, 3, 2, 2), (3, 1, 5), (5, 2, 1, 3), (1, 2, 7), (2, 4, 3, 3), (33, 2)]
    for k, (shape, training, form, running) in enumerate(itertools.product(shapes, (True, False), ("wb", "w", ""), (True, False))):
        if not training and not running:
            continue
        channels = shape[1:2]
        x, w, b = source.uniform(shape), source.uniform(channels, -2, 2), source.uniform(channels, -2, 2)
        rm, rv = source.uniform(channels), source.uniform(channels, .25, 4)
        eps, momentum = (1e-5, 1e-3)[k % 2], (.1, .5, 1)[k % 3]
        trm, trv = t(rm), t(rv)
        y = a(F.batch_norm(t(x), trm if running else None, trv if running else None, t(w) if "w" in form else None, t(b) if "b" in form else None, training, momentum, eps))
        per = (1, -1) + (1,) * (len(shape) - 2)
        axes = (0,) + tuple(range(2, len(shape)))
        near, var = (np.abs(x).mean(axes), x.var(axes)) if training else (np.abs(rm), rv)
        scale, shift = (np.abs(w) if "w" in form else np.ones(channels)), (np.abs(b) if "b" in form else np.zeros(channels))
        mag = (np.abs(x) + near.reshape(per)) * (scale / np.sqrt(var + eps)).reshape(per) + shift.reshape(per)
        outs = [out("F", y, mag)]
        if running:
            outs += [out("D", a(trm), np.abs(rm) + 4), out("D", a(trv), np.abs(rv) + 16)]
        ins = [v(x), v(w) if "w" in form else NULL, v(b) if "b" in form else NULL, s(rm) if running else NULL, s(rv) if running else NULL]
        gold.add("batch_norm", f"{shape_name(shape)}_{training:d}_{form}_{running:d}", ins, outs, i=[training], f=[momentum, eps], k=int(np.prod(shape)) // shape[1])
    x = source.uniform((3, 2, 4), const=(0,))
    gold.add("batch_norm", "const", [v(x), NULL, NULL, NULL, NULL], [out("F", a(F.batch_norm(t(x), None, None, training=True, eps=.5)), np.full(x.shape, 10.0))], i=[1], f=[.1, .5], k=12)


def dropouts(gold):
    source = Source("dropout")
    for shape in [(), (7,), (33,), (3, 5), (2, 3, 4), (0,), (2, 0), (131,), (4, 4)]:
        for p, training in [(0, 1), (0.5, 0), (0.9, 0), (0, 0)]:  # those without chance in them
            x = source.uniform(shape)
            gold.add("dropout", f"{shape_name(shape)}_{p}_{training}", [v(x)], [out("F", x)], i=[training], f=[p], cmp="exact")


CONV = [  # x, w, stride, padding, dilation, groups
    ((1, 1, 3, 3), (1, 1, 3, 3), (1, 1), (0, 0), (1, 1), 1), ((1, 1, 4, 5), (1, 1, 1, 1), (1, 1), (0, 0), (1, 1), 1), ((2, 3, 5, 5), (4, 3, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    ((2, 3, 6, 5), (2, 3, 3, 3), (2, 2), (1, 1), (1, 1), 1), ((1, 2, 7, 7), (3, 2, 3, 3), (1, 1), (2, 2), (2, 2), 1), ((2, 4, 5, 5), (4, 2, 3, 3), (1, 1), (1, 1), (1, 1), 2),
    ((1, 4, 5, 6), (4, 1, 3, 3), (1, 1), (1, 1), (1, 1), 4), ((1, 3, 5, 5), (6, 1, 3, 3), (2, 1), (0, 1), (1, 1), 3), ((1, 2, 5, 7), (3, 2, 2, 4), (1, 2), (1, 0), (1, 1), 1),
    ((2, 2, 6, 8), (2, 2, 3, 2), (2, 3), (1, 0), (1, 2), 1), ((1, 1, 9, 9), (2, 1, 5, 5), (2, 2), (2, 2), (1, 1), 1), ((1, 1, 8, 8), (1, 1, 7, 7), (1, 1), (3, 3), (1, 1), 1),
    ((3, 8, 4, 4), (9, 8, 1, 1), (1, 1), (0, 0), (1, 1), 1), ((1, 8, 6, 6), (17, 8, 3, 3), (1, 1), (1, 1), (1, 1), 1), ((2, 5, 4, 7), (8, 5, 3, 3), (1, 1), (0, 1), (1, 1), 1),
    ((1, 3, 1, 9), (2, 3, 1, 3), (1, 2), (0, 1), (1, 1), 1), ((0, 2, 4, 4), (3, 2, 3, 3), (1, 1), (1, 1), (1, 1), 1), ((1, 2, 5, 5), (2, 2, 2, 2), (3, 3), (0, 0), (1, 1), 1),
    ((1, 6, 5, 5), (6, 2, 3, 3), (2, 2), (1, 1), (1, 1), 3), ((2, 16, 4, 5), (8, 16, 3, 3), (1, 1), (1, 1), (1, 1), 1), ((1, 1, 2, 2), (1, 1, 2, 2), (1, 1), (3, 3), (1, 1), 1),
    ((1, 4, 3, 20), (4, 4, 3, 3), (1, 1), (1, 1), (1, 1), 1), ((1, 2, 6, 6), (2, 1, 3, 3), (1, 1), (2, 2), (2, 2), 2), ((1, 1, 4, 33), (2, 1, 3, 3), (1, 1), (1, 1), (1, 1), 1),
]


def conv_const(k, shape):
    return (0,) if k % 8 == 7 and shape[0] > 1 else (2,) if k % 8 == 3 else ()


def convolutions(gold):
    source = Source("conv2d")
    for k, (sx, sw, stride, padding, dilation, groups) in enumerate(CONV):
        x, w, b = source.uniform(sx, -2, 2, conv_const(k, sx)), source.uniform(sw, -2, 2), source.uniform(sw[:1], -2, 2)
        numbers = [*stride, *padding, *dilation, 0, 0, groups]

        def conv(p, q, bias):
            return a(F.conv2d(t(p), t(q), None if bias is None else t(bias), stride, padding, dilation, groups))

        for bias in (b, None):
            y, mag = conv(x, w, bias), conv(np.abs(x), np.abs(w), None if bias is None else np.abs(bias))
            gold.add("conv2d", f"{shape_name(sx, sw)}_{k}_{bias is not None:d}", [v(x), v(w), NULL if bias is None else v(bias)], [out("D", y, mag)], i=numbers,
                     k=int(np.prod(sw[1:])))
        g = source.uniform(conv(x, w, None).shape, -2, 2, conv_const(k, sx))
        if sx[0] == 0:
            continue

        def weight(p, q):
            return a(torch.nn.grad.conv2d_weight(t(p), sw, t(q), stride, padding, dilation, groups))

        gold.add("conv2d_weight", f"{shape_name(sx, sw)}_{k}", [v(x), v(g)], [out("D", weight(x, g), weight(np.abs(x), np.abs(g)))], i=[sw[2], sw[3], *numbers],
                 k=g.size // g.shape[1])
    source = Source("conv2d_transpose")
    for k, (sg, sw, stride, padding, dilation, groups) in enumerate(CONV):
        # The same numbers read the other way: x has w's first dim as channels, the result has groups * w[1].
        extra = (min(stride[0], 2) - 1, min(stride[1], 2) - 1) if k % 2 else (0, 0)
        sx = (sg[0], sw[0], max(2, sg[2] // 2), max(2, sg[3] // 2))
        reach = [(sx[2 + d] - 1) * stride[d] - 2 * padding[d] + dilation[d] * (sw[2 + d] - 1) + extra[d] + 1 for d in (0, 1)]
        if min(reach) < 1:
            continue
        x, w, b = source.uniform(sx, -2, 2, conv_const(k, sx)), source.uniform(sw, -2, 2), source.uniform((sw[1] * groups,), -2, 2)

        def transpose(p, q, bias):
            return a(F.conv_transpose2d(t(p), t(q), None if bias is None else t(bias), stride, padding, extra, groups, dilation))

        for bias in (b, None):
            y, mag = transpose(x, w, bias), transpose(np.abs(x), np.abs(w), None if bias is None else np.abs(bias))
            gold.add("conv2d_transpose", f"{shape_name(sx, sw)}_{k}_{bias is not None:d}", [v(x), v(w), NULL if bias is None else v(bias)], [out("D", y, mag)],
                     i=[*stride, *padding, *dilation, *extra, groups], k=int(sw[0] // groups * sw[2] * sw[3]))
    x, w = source.uniform((1, 1, 4, 4), -2, 2), source.uniform((1, 1, 2, 2), -2, 2)
    x[0, 0, 1, 2] = NAN
    gold.add("conv2d", "nan", [v(x), v(w), NULL], [out("D", a(F.conv2d(t(x), t(w))), a(F.conv2d(t(np.ones_like(x)), t(np.abs(w)))))], i=[1, 1, 0, 0, 1, 1, 0, 0, 1],
             flags=["special"])


POOL = [((1, 1, 4, 4), (2, 2), (2, 2), (0, 0)), ((2, 3, 5, 5), (2, 2), (2, 2), (0, 0)), ((1, 2, 5, 6), (3, 3), (1, 1), (1, 1)), ((1, 2, 6, 6), (3, 3), (2, 2), (1, 1)),
        ((2, 1, 7, 5), (3, 2), (2, 1), (1, 0)), ((1, 1, 3, 3), (1, 1), (1, 1), (0, 0)), ((1, 1, 5, 5), (5, 5), (5, 5), (0, 0)), ((1, 1, 6, 9), (2, 3), (3, 2), (0, 1)),
        ((1, 3, 4, 4), (2, 2), (1, 1), (0, 0)), ((2, 2, 4, 8), (4, 2), (2, 2), (2, 1)), ((0, 2, 4, 4), (2, 2), (2, 2), (0, 0)), ((1, 1, 4, 33), (2, 2), (2, 2), (0, 0)),
        ((1, 2, 8, 8), (2, 2), (2, 2), (0, 0))]


def pools(gold):
    source = Source("pool2d")
    for k, ((shape, kernel, stride, padding), const) in enumerate(itertools.product(POOL, ((), (2,)))):
        numbers = [*kernel, *stride, *padding]
        x = source.distinct(shape) if not const else source.uniform(shape, const=const)

        def largest(p):
            return a(F.max_pool2d(t(p), kernel, stride, padding))

        def mean(p):
            return a(F.avg_pool2d(t(p), kernel, stride, padding))

        gold.add("max_pool2d", f"{shape_name(shape, kernel)}_{k}", [v(x)], [out("D", largest(x))], i=numbers, cmp="exact", flags=["nograd"] if const else [])
        x = source.uniform(shape, const=const)
        y = mean(x)
        gold.add("avg_pool2d", f"{shape_name(shape, kernel)}_{k}", [v(x)], [out("D", y, mean(np.abs(x)))], i=numbers, k=kernel[0] * kernel[1])
        g = source.uniform(y.shape)

        def unpool(p):
            start = torch.zeros(shape, requires_grad=True)
            F.avg_pool2d(start, kernel, stride, padding).backward(t(p))
            return a(start.grad)

        gold.add("avg_unpool2d", f"{shape_name(shape, kernel)}_{k}", [v(g)], [out("D", unpool(g), unpool(np.abs(g)))], i=[shape[2], shape[3], *numbers], k=kernel[0] * kernel[1])
    for k in range(6):
        x = source.uniform((1, 2, 5, 5))
        x[0, 0, k % 5, (2 * k) % 5] = NAN
        x[0, 1, (3 * k) % 5, k % 5] = (INF, -INF)[k % 2]
        gold.add("max_pool2d", f"ieee_{k}", [v(x)], [out("D", a(F.max_pool2d(t(x), 2, 1, 1)))], i=[2, 2, 1, 1, 1, 1], cmp="exact", flags=["special"])
        gold.add("avg_pool2d", f"ieee_{k}", [v(x)], [out("D", a(F.avg_pool2d(t(x), 2, 1, 1)))], i=[2, 2, 1, 1, 1, 1], k=4, flags=["special"])
    x = np.full((1, 1, 3, 3), -INF)
    gold.add("max_pool2d", "all_neg_inf", [v(x)], [out("D", a(F.max_pool2d(t(x), 2, 1, 1)))], i=[2, 2, 1, 1, 1, 1], cmp="exact", flags=["special"])


def steps(gold, name, label, source, shapes, count, make, integers, reals, state_names):
    """Runs a PyTorch optimiser for count steps; inputs: parameters, then the gradients of each step."""
    start = [source.uniform(shape, -2, 2) for shape in shapes]
    grads = [[source.uniform(shape, -2, 2) for shape in shapes] for _ in range(count)]
    params = [torch.nn.Parameter(t(p)) for p in start]
    optimiser = make(params)
    for step in grads:
        for p, g in zip(params, step):
            p.grad = t(g)
        optimiser.step()
    # Scales: what a step adds up, without cancellation.
    decay = reals[-1]
    pull = [sum(np.abs(step[k]) for step in grads) + count * decay * (np.abs(start[k]) + 1) for k in range(len(shapes))]
    outs = [out("D", a(p), np.abs(p0) + reals[0] * count * (1 + g)) for p, p0, g in zip(params, start, pull)]
    for state in state_names:
        outs += [out("D", a(optimiser.state[p][state]), g**2 if state == "exp_avg_sq" else g) for p, g in zip(params, pull)]
    gold.add(name, label, [v(p) for p in start] + [v(g) for step in grads for g in step], outs, i=[len(shapes), count, *integers], f=reals, k=count,
             flags=["inplace", "dense"] + (["f32"] if count > 1 else []))


def optimisers(gold):
    tensors = [[(3,)], [(), (4, 5)], [(33,), (2, 3, 4), (7,)], [(0,), (5,)], [(131,)], [(6, 6)], [(9,), (3, 3)], [(1,), (1, 1)], [(17, 3)], [(4,), (8,), (16,), (2, 2)]]
    source = Source("sgd")
    for k, (shapes, count) in enumerate(itertools.product(tensors, (1, 3))):
        for momentum, dampening, decay, nesterov in [(0, 0, 0, 0), (.9, 0, 0, 0), (.9, .5, .01, 0), (.5, 0, .1, 1)]:
            steps(gold, "sgd_step", f"{k}_{momentum}_{dampening}_{decay}_{nesterov}", source, shapes, count,
                  lambda p: torch.optim.SGD(p, lr=.125, momentum=momentum, dampening=dampening, weight_decay=decay, nesterov=bool(nesterov)),
                  [nesterov], [.125, momentum, dampening, decay], ["momentum_buffer"] if momentum else [])
    source = Source("adam")
    for k, (shapes, count) in enumerate(itertools.product(tensors, (1, 3))):
        for decay, decoupled, beta1 in [(0, 0, .9), (.1, 0, .5), (.1, 1, .9)]:
            kind = torch.optim.AdamW if decoupled else torch.optim.Adam
            steps(gold, "adam_step", f"{k}_{decay}_{decoupled}_{beta1}", source, shapes, count,
                  lambda p: kind(p, lr=.125, betas=(beta1, .95), eps=1e-6, weight_decay=decay), [decoupled], [.125, beta1, .95, 1e-6, decay], ["exp_avg", "exp_avg_sq"])


def make():
    files = {}
    for name, functions, about in [("softmax", (softmaxes,), "Softmax"), ("loss", (losses, regressions), "Losses"), ("norm", (layer_norms, batch_norms, dropouts), "Normalisation"),
                                   ("conv", (convolutions,), "Convolution"), ("pool", (pools,), "Pooling"), ("optim", (optimisers,), "Optimiser steps")]:
        files[name] = Gold(f"{about}, by PyTorch {torch.__version__.split('a')[0]} in float64.")
        for function in functions:
            function(files[name])
    return files
