"""Golden values of the losses that may be reduced, by PyTorch in float64 where it has them, else by their formula."""
import numpy as np
import torch
import torch.nn.functional as F

from gold_format import Gold, Source, out, shape_name, v
from gold_torch import PYTORCH, a, t

PAIRS = [((), ()), ((7,), (7,)), ((33,), (33,)), ((3, 5), (3, 5)), ((3, 5), (5,)), ((3, 1), (3, 4)), ((2, 3, 4), (2, 3, 4)), ((4, 3), ()),
         ((67,), (67,)), ((1, 1), (1, 1)), ((5,), (5,)), ((0,), (0,))]
REDUCTIONS = ("none", "mean", "sum")


def reduced(loss, reduction):
    return loss if reduction == "none" else loss.mean() if reduction == "mean" else loss.sum()


def quantile(p, y, q, reduction):
    d = y - p
    return reduced(torch.maximum(q * d, (q - 1) * d), reduction)


def focal(p, y, alpha, gamma, reduction):
    loss = F.binary_cross_entropy_with_logits(p, y, reduction="none")
    s = torch.sigmoid(p)
    loss = loss * (1 - (s * y + (1 - s) * (1 - y)))**gamma
    return reduced(loss * (alpha * y + (1 - alpha) * (1 - y)) if alpha >= 0 else loss, reduction)


def signs(source, shape):
    return np.where(source.rng.random(shape) < .5, -1.0, 1.0)


def truths(source, shape):
    return (source.rng.random(shape) < .5).astype(float)


def chances(source, shape):
    return source.uniform(shape, .1, .9)


def reals(source, shape):
    return source.uniform(shape)


def positive(source, shape):
    return source.uniform(shape, .25, 4)


# name: (target, prediction, [whole numbers after the reduction], [reals], function(p, y, reduction, whole, reals), where it has a kink)
LOSSES = {
    "l1_loss": (reals, reals, [()], [()], lambda p, y, how, i, f: F.l1_loss(p, y, reduction=how), lambda p, y, f: p - y),
    "smooth_l1_loss": (reals, reals, [()], [(1,), (.5,), (2.5,)], lambda p, y, how, i, f: F.smooth_l1_loss(p, y, beta=f[0], reduction=how),
                       lambda p, y, f: np.abs(p - y) - f[0]),
    "quantile_loss": (reals, reals, [()], [(.25,), (.5,), (.875,)], lambda p, y, how, i, f: quantile(p, y, f[0], how), lambda p, y, f: p - y),
    "poisson_nll_loss": (positive, positive, [(1,), (0,)], [(2.0**-20,)],
                         lambda p, y, how, i, f: F.poisson_nll_loss(p, y, log_input=i[0] != 0, eps=f[0], reduction=how), None),
    "bce": (truths, chances, [()], [()], lambda p, y, how, i, f: F.binary_cross_entropy(p, y, reduction=how), None),
    "kl_div": (chances, reals, [(0,), (1,)], [()], lambda p, y, how, i, f: F.kl_div(p, y, log_target=i[0] != 0, reduction=how), None),
    "soft_margin_loss": (signs, reals, [()], [()], lambda p, y, how, i, f: F.soft_margin_loss(p, y, reduction=how), None),
    "hinge_embedding_loss": (signs, reals, [()], [(1,), (2.5,)], lambda p, y, how, i, f: F.hinge_embedding_loss(p, y, margin=f[0], reduction=how),
                             lambda p, y, f: p - f[0]),
    "focal_loss": (truths, reals, [()], [(.25, 2), (-1, 1), (.5, .5)], lambda p, y, how, i, f: focal(p, y, *f, how), None),
}


def losses(gold):
    for name, (make_target, make_prediction, wholes, numbers, function, kink) in LOSSES.items():
        source = Source(name)
        for k, (sp, st) in enumerate(PAIRS * 3):
            p, y = make_prediction(source, sp), make_target(source, st)
            reduction = k % 3 if 0 not in sp else 0 if k % 2 else 2
            whole, real = wholes[(k + k // 3) % len(wholes)], numbers[(k + k // 12) % len(numbers)]
            P, Y = torch.broadcast_tensors(t(p), t(y))
            loss = function(P, Y, "none", whole, real)
            flags = ["nograd"] if kink and np.any(np.abs(kink(a(P), a(Y), real)) < 1e-3) else []
            mag = a(reduced(torch.abs(loss) + (torch.abs(P) + torch.abs(Y) + 1), REDUCTIONS[reduction]))
            gold.add(name, f"{shape_name(sp, st)}_{k}", [v(p), v(y)], [out("F", a(function(P, Y, REDUCTIONS[reduction], whole, real)), mag)],
                     i=[reduction, *whole], f=list(real), k=max(1, P.numel()), flags=flags)


def three(gold):
    source = Source("losses of three")
    for k, (sp, st) in enumerate(PAIRS * 3):
        reduction = k % 3 if 0 not in sp else 0 if k % 2 else 2
        how = REDUCTIONS[reduction]
        p, y = source.uniform(sp), source.uniform(st)
        P, Y = torch.broadcast_tensors(t(p), t(y))
        spread = source.uniform(tuple(P.shape), .25, 4)
        S = t(spread)
        y3 = F.gaussian_nll_loss(P, Y, S, eps=1e-6, reduction=how) if P.ndim else reduced((torch.log(S) + (P - Y)**2 / S) / 2, how)
        mag = a(reduced((torch.abs(torch.log(S)) + (P - Y)**2 / S + 1) / 2, how))
        gold.add("gaussian_nll_loss", f"{shape_name(sp, st)}_{k}", [v(p), v(y), v(spread)], [out("F", a(y3), mag)], i=[reduction], f=[1e-6],
                 k=max(1, P.numel()))
        order, margin = signs(source, tuple(P.shape)), (0, .5, 2)[k % 3]
        flags = ["nograd"] if np.any(np.abs(margin - order * a(P - Y)) < 1e-3) else []
        mag = a(reduced(torch.abs(P) + torch.abs(Y) + margin, how))
        gold.add("margin_ranking_loss", f"{shape_name(sp, st)}_{k}", [v(p), v(y), v(order)],
                 [out("F", a(F.margin_ranking_loss(P, Y, t(order), margin=margin, reduction=how)), mag)], i=[reduction], f=[margin],
                 k=max(1, P.numel()), flags=flags)


def make():
    gold = Gold(f"Losses that may be reduced, by {PYTORCH} in float64.")
    losses(gold)
    three(gold)
    return {"loss_made": gold}
