"""Golden values of losses, by PyTorch in float64."""
import itertools
import math

import numpy as np
import torch
import torch.nn.functional as F

from gold_format import Gold, Source, out, shape_name, v, x_
from gold_torch import PYTORCH, a, t

NAN = math.nan


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


def make():
    gold = Gold(f"Losses, by {PYTORCH} in float64.")
    for function in (losses, regressions):
        function(gold)
    return {"loss": gold}
