"""Golden values of pooling, by PyTorch in float64."""
import itertools
import math

import numpy as np
import torch
import torch.nn.functional as F

from gold_format import Gold, Source, out, shape_name, v
from gold_torch import PYTORCH, a, t

INF, NAN = math.inf, math.nan

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


def make():
    gold = Gold(f"Pooling, by {PYTORCH} in float64.")
    pools(gold)
    return {"pool2d": gold}
