"""Golden values of composites over lines and pictures, by PyTorch in float64, and of attention with a bias, by NumPy."""
import numpy as np
import torch
import torch.nn.functional as F

from gold_format import NULL, Gold, Source, n, out, shape_name, v
from gold_torch import PYTORCH, a, t

WAYS = [[("nearest", None)], [("linear", False), ("linear", True)], [("bicubic", False), ("bicubic", True)], [("area", None)]]
OF_DIMS = {"linear": {1: "linear", 2: "bilinear", 3: "trilinear"}}


def resampled(x, sizes, way, align):
    mode = OF_DIMS.get(way, {}).get(len(sizes), way)
    wide = t(x).reshape((1, 1) + x.shape[x.ndim - len(sizes):]) if x.ndim == len(sizes) else t(x).reshape((1, -1) + x.shape[x.ndim - len(sizes):])
    y = F.interpolate(wide, size=tuple(sizes), mode=mode, align_corners=align)
    return a(y).reshape(x.shape[:x.ndim - len(sizes)] + tuple(sizes))


def interpolation(gold):
    source = Source("interpolate")
    k = 0
    for shape, sizes in [((7,), (14,)), ((2, 5), (9,)), ((3, 4), (4,)), ((2, 9), (3,)), ((1, 1, 8), (5,)), ((2, 3, 4), (6, 8)), ((2, 5, 7), (3, 4)), ((1, 2, 4, 4), (7, 5)), ((2, 6, 6), (3, 3)),
                         ((3, 5, 1), (2, 4)), ((2, 2, 3), (1, 1)), ((1, 3, 4, 5), (4, 3, 7)), ((2, 2, 2, 3), (3, 5, 2)), ((1, 33), (17,)), ((2, 17, 3), (5, 9))]:
        for way, kinds in enumerate(WAYS):
            for mode, align in kinds:
                if mode == "bicubic" and len(sizes) != 2 or mode == "area" and len(sizes) == 3 and k % 2:
                    continue
                x = source.uniform(shape)
                y = resampled(x, sizes, mode, align)
                gold.add("interpolate", f"{shape_name(shape)}_{mode}_{align}_{k}", [v(x)], [out("F", y, np.abs(y) + 2)], i=[*sizes, way, int(bool(align))], k=4)
                k += 1


def padding(gold):
    source = Source("pad_mode")
    modes = ("reflect", "edge", "wrap")
    for k, (shape, before, after) in enumerate([((5,), (2,), (1,)), ((3, 4), (1,), (3,)), ((3, 4), (1, 2), (2, 0)), ((2, 3, 4), (1, 1), (1, 1)), ((4,), (0,), (0,)), ((2, 5), (0,), (2,)),
                                                ((3, 3, 3), (1, 2, 0), (0, 1, 2)), ((2, 2), (1, 1), (1, 1)), ((1, 6), (3,), (3,)), ((33,), (7,), (9,))] * 3):
        mode = (k + k // 10) % 3
        widths = [(0, 0)] * (len(shape) - len(before)) + list(zip(before, after))
        x = source.uniform(shape)
        gold.add("pad_mode", f"{shape_name(shape)}_{k}", [v(x)], [out("F", np.pad(x, widths, modes[mode]))], i=[*before, *after, mode], cmp="exact")
        x = source.integers(shape, 0 if k % 2 else -9, 10)
        gold.add("pad_mode", f"int_{shape_name(shape)}_{k}", [n(x)], [out("D", np.pad(x, widths, modes[mode]))], i=[*before, *after, mode], cmp="exact")


def lines(gold):
    source = Source("lines")
    for k, (c, m, length, taps, stride, pad, dilation, groups) in enumerate([(2, 3, 9, 3, 1, 1, 1, 1), (4, 4, 8, 3, 2, 0, 1, 2), (1, 1, 7, 1, 1, 0, 1, 1), (3, 6, 11, 5, 3, 2, 1, 3), (2, 2, 12, 3, 1, 2, 2, 1),
                                                                            (4, 2, 5, 2, 1, 1, 1, 2), (2, 4, 10, 4, 2, 3, 3, 1), (6, 6, 9, 3, 1, 1, 1, 6), (2, 3, 33, 7, 1, 3, 1, 1), (1, 5, 6, 6, 1, 0, 1, 1)] * 3):
        batch, bias = 1 + k % 2, k % 3 != 0
        x, w, b = source.uniform((batch, c, length)), source.uniform((m, c // groups, taps)), source.uniform((m,))
        ins = [v(x), v(w), v(b) if bias else NULL]
        B, BA = (t(b), t(np.abs(b))) if bias else (None, None)
        y = a(F.conv1d(t(x), t(w), B, stride, pad, dilation, groups))
        mag = a(F.conv1d(t(np.abs(x)), t(np.abs(w)), BA, stride, pad, dilation, groups))
        gold.add("conv1d", f"{k}", ins, [out("F", y, mag)], i=[stride, pad, dilation, groups], k=c // groups * taps)
        w, more = source.uniform((c, m // groups, taps)), k % 2 if stride > 1 else 0
        pad = min(pad, dilation * (taps - 1))
        ins[1] = v(w)
        y = a(F.conv_transpose1d(t(x), t(w), B, stride, pad, more, groups, dilation))
        mag = a(F.conv_transpose1d(t(np.abs(x)), t(np.abs(w)), BA, stride, pad, more, groups, dilation))
        gold.add("conv1d_transpose", f"{k}", ins, [out("F", y, mag)], i=[stride, pad, more, dilation, groups], k=c // groups * taps)


def pools(gold):
    source = Source("pools of lines")
    for k, (shape, kernel, stride, pad) in enumerate([((2, 3, 8), 2, 2, 0), ((1, 2, 9), 3, 1, 1), ((2, 1, 7), 3, 2, 1), ((1, 1, 5), 1, 1, 0), ((3, 2, 12), 4, 3, 2), ((2, 2, 6), 6, 1, 0), ((1, 4, 33), 5, 4, 2),
                                                      ((2, 3, 10), 2, 1, 1), ((1, 3, 4), 3, 3, 1), ((4, 1, 17), 2, 2, 0)] * 3):
        x = source.distinct(shape)
        gold.add("max_pool1d", f"{shape_name(shape)}_{k}", [v(x)], [out("F", a(F.max_pool1d(t(x), kernel, stride, pad)))], i=[kernel, stride, pad], cmp="exact")
        y = a(F.avg_pool1d(t(x), kernel, stride, pad))
        gold.add("avg_pool1d", f"{shape_name(shape)}_{k}", [v(x)], [out("F", y, a(F.avg_pool1d(t(np.abs(x)), kernel, stride, pad)) + .1)], i=[kernel, stride, pad], k=kernel)
    for k, (shape, kernel, stride) in enumerate([((1, 2, 4, 6), 2, 2), ((2, 1, 5, 5), 3, 1), ((1, 3, 6, 4), 2, 1), ((2, 2, 3, 3), 3, 3), ((1, 1, 7, 9), 3, 2), ((1, 4, 2, 2), 1, 1), ((3, 1, 8, 8), 4, 4),
                                                 ((1, 2, 9, 5), 2, 3)] * 3):
        x, order = source.uniform(shape, .5, 4), (2, 3, 1)[k % 3]
        y = a(F.lp_pool2d(t(x), float(order), kernel, stride))
        gold.add("lp_pool2d", f"{shape_name(shape)}_{k}", [v(x)], [out("F", y, y)], i=[kernel, stride], f=[order], k=kernel * kernel)


def attention(gold):
    source = Source("attention_with_bias")
    for k, (lead, q_rows, k_rows, width, columns, bias) in enumerate([((), 3, 4, 5, 2, (3, 4)), ((2,), 5, 5, 4, 4, (5,)), ((2, 2), 3, 6, 3, 5, (2, 1, 3, 6)), ((1,), 1, 7, 8, 3, (7,)), ((3,), 4, 2, 2, 2, (4, 1)),
                                                                      ((2,), 6, 9, 4, 17, (2, 6, 9)), ((), 2, 33, 4, 3, (33,)), ((2, 1), 2, 2, 6, 1, ())] * 3):
        q, keys, values = source.uniform(lead + (q_rows, width), -1, 1), source.uniform(lead + (k_rows, width), -1, 1), source.uniform(lead + (k_rows, columns))
        b, scale = source.uniform(bias, -2, 2), (.5, .25, 1)[k % 3]
        scores = scale * (q @ np.swapaxes(keys, -1, -2)) + b
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        gold.add("attention_with_bias", f"{k}", [v(q), v(keys), v(values), v(b)], [out("F", weights @ values, weights @ np.abs(values))], f=[scale], k=k_rows * width)
    hidden = np.array([[0, -np.inf, 0], [-np.inf, -np.inf, -np.inf]])
    q, keys, values = source.uniform((2, 2), -1, 1), source.uniform((3, 2), -1, 1), source.uniform((3, 2))
    scores = q @ keys.T + hidden
    weights = np.exp(scores - 4)
    weights = np.array([weights[0] / weights[0].sum(), np.zeros(3)])
    gold.add("attention_with_bias", "mask", [v(q), v(keys), v(values), v(hidden)], [out("F", weights @ values, np.full((2, 2), 4.0))], f=[1], k=6, flags=["special"])
    source = Source("rotary_embedding")
    for k, (shape, angles) in enumerate([((4,), (4,)), ((3, 6), (3, 6)), ((2, 3, 4), (3, 4)), ((2, 2, 5, 8), (5, 8)), ((1, 2), (2,)), ((2, 3, 2), (3, 2)), ((7, 16), (7, 16)), ((0, 4), (4,))] * 3):
        x, cosines, sines = source.uniform(shape), source.uniform(angles, -1, 1), source.uniform(angles, -1, 1)
        first, second = np.split(x, 2, axis=-1)
        turned = np.concatenate([-second, first], axis=-1)
        gold.add("rotary_embedding", f"{shape_name(shape)}_{k}", [v(x), v(cosines), v(sines)], [out("F", x * cosines + turned * sines, np.abs(x * cosines) + np.abs(turned * sines) + 1e-3)])


def make():
    files = {}
    for name, about, functions in [("resample_made", f"Other sizes and borders, by {PYTORCH} and NumPy.", (interpolation, padding)), ("conv_made", f"Convolutions of lines, by {PYTORCH}.", (lines,)),
                                   ("pool2d_made", f"Pools of lines and pictures, by {PYTORCH}.", (pools,)), ("attention_made", "Attention with a bias and rotary positions, by NumPy.", (attention,))]:
        files[name] = Gold(about)
        for function in functions:
            function(files[name])
    return files
