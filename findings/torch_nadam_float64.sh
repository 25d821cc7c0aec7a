#!/bin/sh
# PyTorch 2.15.0: NAdam keeps the product of its momenta (state "mu_product") in the default dtype and not in the parameter's. With
# float64 parameters and the usual default, float32, each step is off by the rounding of that product: about 1e-9 of the
# learning rate's size after ten steps, where the other optimisers agree with their formulas to 1e-16. With
# torch.set_default_dtype(torch.float64) NAdam does, too. Weft computes the product in float64 (src/optim/nadam.c).
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.15.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import math

import torch

assert torch.__version__.startswith("2.15.0"), torch.__version__
LR, BETA1, BETA2, EPS, DECAY, STEPS = 0.125, 0.9, 0.999, 1e-8, 4e-3, 10


def gradient(step):
    return 1.0 + 0.25 * step


def by_formula():
    p, m, v, product = 1.0, 0.0, 0.0, 1.0
    for t in range(1, STEPS + 1):
        g = gradient(t)
        mu, following = (BETA1 * (1 - 0.5 * 0.96 ** (k * DECAY)) for k in (t, t + 1))
        product *= mu
        m = BETA1 * m + (1 - BETA1) * g
        v = BETA2 * v + (1 - BETA2) * g * g
        root = math.sqrt(v / (1 - BETA2**t)) + EPS
        p -= LR * (1 - mu) / (1 - product) * g / root + LR * following / (1 - product * following) * m / root
    return p


def by_torch(default):
    torch.set_default_dtype(default)
    p = torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    optimiser = torch.optim.NAdam([p], lr=LR, betas=(BETA1, BETA2), eps=EPS, momentum_decay=DECAY)
    for t in range(1, STEPS + 1):
        p.grad = torch.tensor([gradient(t)], dtype=torch.float64)
        optimiser.step()
    kept = optimiser.state[p]["mu_product"].dtype
    return p.item(), kept


wanted = by_formula()
for default in (torch.float32, torch.float64):
    value, kept = by_torch(default)
    error = abs(value - wanted)
    print(f"default {default}: mu_product is {kept}, the parameter is off by {error:.1e}")
    assert kept == default
    assert (1e-12 < error < 1e-7) if default == torch.float32 else error < 1e-14, error
PYTHON
