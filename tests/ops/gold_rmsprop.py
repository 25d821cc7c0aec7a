"""Golden values of RMSprop's steps, by PyTorch in float64."""
import itertools

import numpy as np
import torch

from gold_format import Gold, Source, out, q8, v
from gold_torch import PYTORCH, a, t

TENSORS = [[(3,)], [(), (4, 5)], [(0,), (5,)], [(33,)], [(9,), (3, 3)], [(1,), (1, 1)], [(4,), (8,), (2, 2)]]
ALPHA, EPS, LR = .75, 2**-7, .125
# (centered, weight decay, momentum)
KINDS = [(0, 0, 0), (0, .1, .5), (1, 0, 0), (1, .1, .9)]


def rmsprop(gold):
    """Inputs: parameters, then the gradients of each step. Outputs: parameters, square averages, then momentum buffers and
    gradient averages as far as there are."""
    source = Source("rmsprop")
    for k, (shapes, count) in enumerate(itertools.product(TENSORS, (1, 3))):
        for centered, decay, momentum in KINDS:
            start = [source.uniform(shape, -2, 2) for shape in shapes]
            # A quarter at least, so that what is divided by does not come from a cancellation.
            grads = [[q8(np.where(g < 0, g - .25, g + .25)) for g in (source.uniform(shape, -2, 2) for shape in shapes)] for _ in range(count)]
            params = [torch.nn.Parameter(t(p)) for p in start]
            optimiser = torch.optim.RMSprop(params, lr=LR, alpha=ALPHA, eps=EPS, weight_decay=decay, momentum=momentum, centered=bool(centered))
            for step in grads:
                for p, g in zip(params, step):
                    p.grad = t(g)
                optimiser.step()
            # Scales: what a step adds up, without cancellation. A direction is at most about 1 / sqrt(1 - ALPHA) long.
            pull = [sum(np.abs(step[j]) for step in grads) + count * decay * (np.abs(start[j]) + 1) for j in range(len(shapes))]
            long = [np.full(np.shape(p), 8.0 * count) for p in start]
            outs = [out("D", a(p), np.abs(p0) + LR * m) for p, p0, m in zip(params, start, long)]
            outs += [out("D", a(optimiser.state[p]["square_avg"]), g**2) for p, g in zip(params, pull)]
            if momentum:
                outs += [out("D", a(optimiser.state[p]["momentum_buffer"]), m) for p, m in zip(params, long)]
            if centered:
                outs += [out("D", a(optimiser.state[p]["grad_avg"]), g) for p, g in zip(params, pull)]
            gold.add("rmsprop_step", f"{k}_{centered}_{decay}_{momentum}", [v(p) for p in start] + [v(g) for step in grads for g in step], outs,
                     i=[len(shapes), count, centered], f=[LR, ALPHA, EPS, decay, momentum], k=count, flags=["inplace", "dense"] + (["f32"] if count > 1 else []))


def make():
    gold = Gold(f"Steps of RMSprop, by {PYTORCH} in float64.")
    rmsprop(gold)
    return {"rmsprop": gold}
