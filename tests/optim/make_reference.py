#!/usr/bin/env python3
"""Makes tests/optim/steps.txt and rates.txt: ten steps of each optimiser on a small problem and 130 rates of each schedule, by
PyTorch 2.15 or, where that has none, by the paper's formula in NumPy. None of Weft's formulas is used.

    python3 tests/optim/make_reference.py

The problem: parameters [3, 2], [5], [2, 4]; element i of parameter j begins at ((3 i + j) mod 7 - 3) / 2; with
d = p - ((5 i + 2 j) mod 9 - 4) / 4 and c = (4 + (7 i + 3 j) mod 13) / 8 the loss is the sum of c d^2 / 2 + d^4 / 16."""
import math
import pathlib

import numpy as np
import torch

HERE = pathlib.Path(__file__).resolve().parent
SHAPES = [(3, 2), (5,), (2, 4)]
STEPS = 10


def numbers(j, f):
    n = math.prod(SHAPES[j])
    return np.array([f(i, j) for i in range(n)], np.float64).reshape(SHAPES[j])


START = [numbers(j, lambda i, j: ((3 * i + j) % 7 - 3) / 2) for j in range(3)]
AIM = [numbers(j, lambda i, j: ((5 * i + 2 * j) % 9 - 4) / 4) for j in range(3)]
CURVE = [numbers(j, lambda i, j: (4 + (7 * i + 3 * j) % 13) / 8) for j in range(3)]


def loss_of(params, which):
    total = 0
    for p, j in zip(params, which):
        d = p - torch.tensor(AIM[j], dtype=p.dtype)
        total = total + (torch.tensor(CURVE[j], dtype=p.dtype) * d * d / 2 + d**4 / 16).sum()
    return total


def by_torch(make, which=(0, 1, 2)):
    def run(dtype):
        torch.set_default_dtype(dtype)
        params = [torch.nn.Parameter(torch.tensor(START[j], dtype=dtype)) for j in which]
        optimiser = make(params)
        half = torch.bfloat16
        for _ in range(STEPS):
            def closure():
                optimiser.zero_grad()
                loss = loss_of(params, which)
                loss.backward()
                return loss
            torch.bfloat16 = dtype  # Muon's own type for its products, which would hide all but two digits
            try:
                optimiser.step(closure)
            finally:
                torch.bfloat16 = half
            yield [p.detach().double().numpy() for p in params]
    return run


def by_formula(update):
    """update(t, parameters, gradients, state): new parameters, in the dtype."""
    def run(dtype):
        kind = np.float64 if dtype == torch.float64 else np.float32
        p = [x.astype(kind) for x in START]
        state = {}
        for t in range(1, STEPS + 1):
            d = [x - a.astype(kind) for x, a in zip(p, AIM)]
            g = [c.astype(kind) * x + x**3 / kind(4) for c, x in zip(CURVE, d)]
            p = [x.astype(kind) for x in update(t, p, g, state)]
            yield [x.astype(np.float64) for x in p]
    return run


def lamb(t, p, g, state, lr=.05, b1=.8, b2=.95, eps=1e-6, decay=.1):
    m = state["m"] = [b1 * m + (1 - b1) * x for m, x in zip(state.get("m", [0] * 3), g)]
    v = state["v"] = [b2 * v + (1 - b2) * x * x for v, x in zip(state.get("v", [0] * 3), g)]
    out = []
    for x, mm, vv in zip(p, m, v):
        r = mm / (1 - b1**t) / (np.sqrt(vv / (1 - b2**t)) + eps) + decay * x
        a, b = np.linalg.norm(x), np.linalg.norm(r)
        out.append(x - lr * (a / b if a > 0 and b > 0 else 1) * r)
    return out


def lion(t, p, g, state, lr=.05, b1=.8, b2=.95, decay=.1):
    m = state.get("m", [0 * x for x in g])
    state["m"] = [b2 * a + (1 - b2) * x for a, x in zip(m, g)]
    return [x - lr * (np.sign(b1 * a + (1 - b1) * y) + decay * x) for x, a, y in zip(p, m, g)]


def barzilai_borwein(long):
    def update(t, p, g, state, lr=.05):
        rate = lr
        if t > 1:
            s = np.concatenate([(a - b).ravel() for a, b in zip(p, state["p"])])
            y = np.concatenate([(a - b).ravel() for a, b in zip(g, state["g"])])
            if s @ y > 0:
                rate = s @ s / (s @ y) if long else s @ y / (y @ y)
        state["p"], state["g"] = p, g
        return [x - p[0].dtype.type(rate) * y for x, y in zip(p, g)]
    return update


O = torch.optim
OPTIMISERS = {
    "sgd": by_torch(lambda p: O.SGD(p, lr=.05, momentum=.9, dampening=.1, weight_decay=.1)),
    "nesterov": by_torch(lambda p: O.SGD(p, lr=.05, momentum=.9, nesterov=True, weight_decay=.1)),
    "adam": by_torch(lambda p: O.Adam(p, lr=.05, betas=(.8, .95), eps=1e-6, weight_decay=.1)),
    "adamw": by_torch(lambda p: O.AdamW(p, lr=.05, betas=(.8, .95), eps=1e-6, weight_decay=.1)),
    "amsgrad": by_torch(lambda p: O.Adam(p, lr=.2, betas=(.8, .5), eps=1e-6, weight_decay=.1, amsgrad=True)),
    "amsgradw": by_torch(lambda p: O.AdamW(p, lr=.2, betas=(.8, .5), eps=1e-6, weight_decay=.1, amsgrad=True)),
    "rmsprop": by_torch(lambda p: O.RMSprop(p, lr=.05, alpha=.9, eps=1e-4, weight_decay=.1, momentum=.5, centered=True)),
    "adagrad": by_torch(lambda p: O.Adagrad(p, lr=.5, lr_decay=.1, weight_decay=.1, initial_accumulator_value=.25, eps=1e-6)),
    "adadelta": by_torch(lambda p: O.Adadelta(p, lr=.7, rho=.8, eps=1e-3, weight_decay=.1)),
    "nadam": by_torch(lambda p: O.NAdam(p, lr=.05, betas=(.8, .95), eps=1e-6, weight_decay=.1, momentum_decay=.05)),
    "nadamw": by_torch(lambda p: O.NAdam(p, lr=.05, betas=(.8, .95), eps=1e-6, weight_decay=.1, momentum_decay=.05, decoupled_weight_decay=True)),
    "lion": by_formula(lion),
    "lamb": by_formula(lamb),
    "adafactor": by_torch(lambda p: O.Adafactor(p, lr=.3, beta2_decay=-.7, eps=(1e-6, 1e-2), d=1, weight_decay=.1)),
    "muon": by_torch(lambda p: O.Muon(p, lr=.05, weight_decay=.1, momentum=.8), (0, 2)),
    "muon_rms": by_torch(lambda p: O.Muon(p, lr=.05, weight_decay=.1, momentum=.8, nesterov=False, adjust_lr_fn="match_rms_adamw"), (0, 2)),
    "lbfgs": by_torch(lambda p: O.LBFGS(p, lr=.5, max_iter=1, history_size=3)),
    "lbfgs_wolfe": by_torch(lambda p: O.LBFGS(p, lr=1, max_iter=2, history_size=2, line_search_fn="strong_wolfe", tolerance_change=1e-15, tolerance_grad=1e-15)),
    "bb_long": by_formula(barzilai_borwein(True)),
    "bb_short": by_formula(barzilai_borwein(False)),
}

L = torch.optim.lr_scheduler
RATES = 130
SCHEDULES = {
    "step": lambda o: L.StepLR(o, 30, .5),
    "multi_step": lambda o: L.MultiStepLR(o, [7, 50, 51, 100], .3),
    "exponential": lambda o: L.ExponentialLR(o, .97),
    "linear": lambda o: L.LinearLR(o, .1, .9, 40),
    "polynomial": lambda o: L.PolynomialLR(o, 90, 1.7),
    "cosine": lambda o: L.CosineAnnealingLR(o, 45, .001),
    "warmup_cosine": lambda o: L.SequentialLR(o, [L.LinearLR(o, .01, 1, 20), L.CosineAnnealingLR(o, 110, .001)], [20]),
    "warm_restarts": lambda o: L.CosineAnnealingWarmRestarts(o, 9, 2, .001),
    "warm_restarts_1": lambda o: L.CosineAnnealingWarmRestarts(o, 13, 1, .001),
    "one_cycle": lambda o: L.OneCycleLR(o, .2, total_steps=130, pct_start=.25, div_factor=20, final_div_factor=1000, cycle_momentum=False),
    "one_cycle_3": lambda o: L.OneCycleLR(o, .2, total_steps=130, pct_start=.4, three_phase=True, anneal_strategy="linear", cycle_momentum=False),
    "plateau": lambda o: L.ReduceLROnPlateau(o, factor=.5, patience=3, cooldown=2, threshold=.01, min_lr=.02),
    "plateau_max": lambda o: L.ReduceLROnPlateau(o, mode="max", factor=.7, patience=0, threshold=.1, threshold_mode="abs", eps=.001),
}


def metric(t):
    return (13 * t * t % 31) / 8 + 16 / (1 + t)


def rates(make):
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=.2)
    schedule = make(optimiser)
    for t in range(RATES):
        yield optimiser.param_groups[0]["lr"]
        optimiser.step()
        if t < RATES - 1:
            schedule.step(*([metric(t)] if isinstance(schedule, L.ReduceLROnPlateau) else []))


def main():
    lines = [f"# Made by tests/optim/make_reference.py with PyTorch {torch.__version__.split('+')[0]}: a name, a dtype, then a line for each step."]
    for name, run in OPTIMISERS.items():
        for dtype, text, digits in ((torch.float64, "f64", 17), (torch.float32, "f32", 9)):
            lines.append(f"{name} {text}")
            lines += [" ".join(f"{x:.{digits}g}" for p in step for x in p.ravel()) for step in run(dtype)]
    (HERE / "steps.txt").write_text("\n".join(lines) + "\n")
    torch.set_default_dtype(torch.float64)
    lines = [lines[0].replace("a dtype, then a line for each step", "then the rate at 0, 1, 2 ...")]
    for name, make in SCHEDULES.items():
        lines += [name, " ".join(f"{x:.17g}" for x in rates(make))]
    (HERE / "rates.txt").write_text("\n".join(lines) + "\n")


main()
