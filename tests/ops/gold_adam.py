"""Golden values of Adam's and AdamW's steps, by PyTorch in float64."""
import itertools

import torch

import gold_optim
from gold_format import Gold, Source
from gold_sgd import TENSORS, steps
from gold_torch import PYTORCH


def adam(gold):
    source = Source("adam")
    for k, (shapes, count) in enumerate(itertools.product(TENSORS, (1, 3))):
        for decay, decoupled, beta1 in [(0, 0, .9), (.1, 0, .5), (.1, 1, .9)]:
            kind = torch.optim.AdamW if decoupled else torch.optim.Adam
            steps(gold, "adam_step", f"{k}_{decay}_{decoupled}_{beta1}", source, shapes, count,
                  lambda p: kind(p, lr=.125, betas=(beta1, .95), eps=1e-6, weight_decay=decay), [decoupled], [.125, beta1, .95, 1e-6, decay], ["exp_avg", "exp_avg_sq"])


def make():
    gold = Gold(f"Steps of Adam and AdamW, by {PYTORCH} in float64.")
    adam(gold)
    gold_optim.adam(gold)
    return {"adam": gold}
