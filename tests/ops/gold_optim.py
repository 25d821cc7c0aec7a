"""Golden values of steps: AMSGrad, AdaGrad and Adadelta by PyTorch in float64, NAdam and Lion by their formulas."""
import itertools

import numpy as np
import torch

from gold_format import Gold, Source, out, q8, v
from gold_torch import PYTORCH, a, t

TENSORS = [[(3,)], [(), (4, 5)], [(0,), (5,)], [(33,)], [(9,), (3, 3)], [(2, 7)], [(1,), (6,)]]
ONCE = [[(5,)], [(1, 1)], [(17,)], [(3, 4, 2)], [(0,)], [()]]  # half types are compared after one step alone
CASES = [(shapes, count) for shapes in TENSORS for count in (1, 3)] + [(shapes, 1) for shapes in ONCE]
LR = .125


def away(source, shape):
    """A quarter at least, so that what is divided by does not come from a cancellation, and no sign is a rounding's."""
    x = source.uniform(shape, -2, 2)
    return q8(np.where(x < 0, x - .25, x + .25))


def steps(gold, name, label, source, shapes, count, run, i, f):
    """run(start, gradients of each step): parameters, then state by state, in float64. Inputs: parameters, then the gradients of each
    step. Scales: what a step adds up, without cancellation; directions are at most 8 long here."""
    start = [source.uniform(shape, -2, 2) for shape in shapes]
    grads = [[away(source, shape) for shape in shapes] for _ in range(count)]
    params, *states = run(start, grads)
    pull = [sum(np.abs(step[j]) for step in grads) + count * (np.abs(start[j]) + 1) for j in range(len(shapes))]
    outs = [out("D", p, np.abs(p0) + LR * 8 * count) for p, p0 in zip(params, start)]
    for state in states:
        outs += [out("D", s, 1 + g**2) for s, g in zip(state, pull)]
    gold.add(name, label, [v(p) for p in start] + [v(g) for step in grads for g in step], outs, i=[len(shapes), count, *i], f=f, k=count,
             flags=["inplace", "dense"] + (["f32"] if count > 1 else []))


def by_torch(make, state_names):
    def run(start, grads):
        params = [torch.nn.Parameter(t(p)) for p in start]
        optimiser = make(params)
        for step in grads:
            for p, g in zip(params, step):
                p.grad = t(g)
            optimiser.step()
        return [[a(p) for p in params]] + [[a(optimiser.state[p][s]) for p in params] for s in state_names]
    return run


def lion(lr, beta1, beta2, decay):
    def run(start, grads):
        p, m = [np.array(x, np.float64) for x in start], [np.zeros_like(x, np.float64) for x in start]
        for step in grads:
            for j, g in enumerate(step):
                update = np.sign(beta1 * m[j] + (1 - beta1) * g)
                p[j] = p[j] - lr * (update + decay * p[j])
                m[j] = beta2 * m[j] + (1 - beta2) * g
        return p, m
    return run


def adam(gold):
    """AMSGrad, for the file of Adam's steps."""
    source = Source("amsgrad")
    for k, (shapes, count) in enumerate(itertools.product(TENSORS[:5], (1, 3))):
        for decay, decoupled in [(.1, 0), (.1, 1)]:
            kind = torch.optim.AdamW if decoupled else torch.optim.Adam
            run = by_torch(lambda p: kind(p, lr=LR, betas=(.5, .75), eps=2**-7, weight_decay=decay, amsgrad=True), ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"])
            steps(gold, "adam_step", f"amsgrad_{k}_{decoupled}", source, shapes, count, run, [decoupled, 0, 1], [LR, .5, .75, 2**-7, decay])


def adagrad(gold):
    source = Source("adagrad")
    for k, (shapes, count) in enumerate(CASES):
        for lr_decay, decay, initial in [(0, 0, 0), (.5, .1, .25)]:
            run = by_torch(lambda p: torch.optim.Adagrad(p, lr=LR, lr_decay=lr_decay, weight_decay=decay, initial_accumulator_value=initial, eps=2**-7), ["sum"])
            steps(gold, "adagrad_step", f"{k}_{lr_decay}", source, shapes, count, run, [0], [LR, lr_decay, decay, initial, 2**-7])


def adadelta(gold):
    source = Source("adadelta")
    for k, (shapes, count) in enumerate(CASES):
        for rho, decay in [(.9, 0), (.5, .1)]:
            run = by_torch(lambda p: torch.optim.Adadelta(p, lr=1, rho=rho, eps=2**-7, weight_decay=decay), ["square_avg", "acc_delta"])
            steps(gold, "adadelta_step", f"{k}_{rho}", source, shapes, count, run, [0], [1, rho, 2**-7, decay])


def nadam_by_hand(lr, beta1, beta2, eps, decay, momentum_decay, decoupled):
    """As documented by PyTorch 2.15; 1.13's differs in the product of momenta after the first step."""
    def run(start, grads):
        p = [np.array(x, np.float64) for x in start]
        m, v2 = [np.zeros_like(x) for x in p], [np.zeros_like(x) for x in p]
        momenta = [beta1 * (1 - .96**(k * momentum_decay) / 2) for k in range(1, len(grads) + 2)]
        for k, step in enumerate(grads):
            for j, g in enumerate(step):
                if decoupled:
                    p[j] = p[j] * (1 - lr * decay)
                else:
                    g = g + decay * p[j]
                m[j] = beta1 * m[j] + (1 - beta1) * g
                v2[j] = beta2 * v2[j] + (1 - beta2) * g**2
                root = np.sqrt(v2[j] / (1 - beta2**(k + 1))) + eps
                p[j] = p[j] - lr * (1 - momenta[k]) / (1 - np.prod(momenta[:k + 1])) * g / root
                p[j] = p[j] - lr * momenta[k + 1] / (1 - np.prod(momenta[:k + 2])) * m[j] / root
        return p, m, v2
    return run


def nadam(gold):
    source = Source("nadam")
    for k, (shapes, count) in enumerate(CASES):
        for decoupled, decay in [(0, .1), (1, .1)]:
            run = nadam_by_hand(LR, .5, .75, 2**-7, decay, .5, decoupled)
            steps(gold, "nadam_step", f"{k}_{decoupled}", source, shapes, count, run, [decoupled], [LR, .5, .75, 2**-7, decay, .5])


def make():
    files = {name: Gold(f"Steps of {title}, by {PYTORCH} in float64.") for name, title in [("adagrad", "AdaGrad"), ("adadelta", "Adadelta")]}
    adagrad(files["adagrad"])
    adadelta(files["adadelta"])
    files["nadam"] = Gold("Steps of NAdam, by the formula of PyTorch's documentation in float64.")
    nadam(files["nadam"])
    files["lion"] = Gold("Steps of Lion, by the formula of Chen et al. 2023 in float64.")
    source = Source("lion")
    for k, (shapes, count) in enumerate(CASES):
        for beta1, decay in [(.9, 0), (.5, .1)]:
            steps(files["lion"], "lion_step", f"{k}_{beta1}", source, shapes, count, lion(LR, beta1, .75, decay), [0], [LR, beta1, .75, decay])
    return files
