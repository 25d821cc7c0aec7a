"""Golden values of SGD's steps, by PyTorch in float64."""
import itertools

import numpy as np
import torch

from gold_format import Gold, Source, out, v
from gold_torch import PYTORCH, a, t

TENSORS = [[(3,)], [(), (4, 5)], [(33,), (2, 3, 4), (7,)], [(0,), (5,)], [(131,)], [(6, 6)], [(9,), (3, 3)], [(1,), (1, 1)], [(17, 3)], [(4,), (8,), (16,), (2, 2)]]


def steps(gold, name, label, source, shapes, count, make, integers, reals, state_names):
    """Runs a PyTorch optimiser for count steps; inputs: parameters, then the gradients of each step."""
    start = [source.uniform(shape, -2, 2) for shape in shapes]
    grads = [[source.uniform(shape, -2, 2) for shape in shapes] for _ in range(count)]
    params = [torch.nn.Parameter(t(p)) for p in start]
    optimiser = make(params)
    for step in grads:
        for p, g in zip(params, step):
            p.grad = t(g)
        optimiser.step()
    # Scales: what a step adds up, without cancellation.
    decay = reals[-1]
    pull = [sum(np.abs(step[k]) for step in grads) + count * decay * (np.abs(start[k]) + 1) for k in range(len(shapes))]
    outs = [out("D", a(p), np.abs(p0) + reals[0] * count * (1 + g)) for p, p0, g in zip(params, start, pull)]
    for state in state_names:
        outs += [out("D", a(optimiser.state[p][state]), g**2 if state == "exp_avg_sq" else g) for p, g in zip(params, pull)]
    gold.add(name, label, [v(p) for p in start] + [v(g) for step in grads for g in step], outs, i=[len(shapes), count, *integers], f=reals, k=count,
             flags=["inplace", "dense"] + (["f32"] if count > 1 else []))


def sgd(gold):
    source = Source("sgd")
    for k, (shapes, count) in enumerate(itertools.product(TENSORS, (1, 3))):
        for momentum, dampening, decay, nesterov in [(0, 0, 0, 0), (.9, 0, 0, 0), (.9, .5, .01, 0), (.5, 0, .1, 1)]:
            steps(gold, "sgd_step", f"{k}_{momentum}_{dampening}_{decay}_{nesterov}", source, shapes, count,
                  lambda p: torch.optim.SGD(p, lr=.125, momentum=momentum, dampening=dampening, weight_decay=decay, nesterov=bool(nesterov)),
                  [nesterov], [.125, momentum, dampening, decay], ["momentum_buffer"] if momentum else [])


def make():
    gold = Gold(f"Steps of SGD, by {PYTORCH} in float64.")
    sgd(gold)
    return {"sgd": gold}
