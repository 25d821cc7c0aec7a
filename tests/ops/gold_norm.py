"""Golden values of normalisation, by PyTorch in float64."""
import itertools
import math

import numpy as np
import torch
import torch.nn.functional as F

from gold_format import Gold, NULL, Source, out, s, shape_name, v
from gold_torch import PYTORCH, a, t

NAN = math.nan


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


def make():
    gold = Gold(f"Normalisation, by {PYTORCH} in float64.")
    for function in (layer_norms, batch_norms):
        function(gold)
    return {"norm": gold}
