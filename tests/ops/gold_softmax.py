"""Golden values of softmax, by PyTorch in float64."""
import math

import numpy as np
import torch
import torch.nn.functional as F

from gold_format import Gold, Source, out, shape_name, v
from gold_torch import PYTORCH, a, t

INF, NAN = math.inf, math.nan

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


def make():
    gold = Gold(f"Softmax, by {PYTORCH} in float64.")
    softmaxes(gold)
    return {"softmax": gold}
