"""Golden values of convolution, by PyTorch in float64."""
import math

import numpy as np
import torch
import torch.nn.functional as F

from gold_format import Gold, NULL, Source, out, shape_name, v
from gold_torch import PYTORCH, a, t

NAN = math.nan

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


def make():
    gold = Gold(f"Convolution, by {PYTORCH} in float64.")
    convolutions(gold)
    return {"conv": gold}
