"""Golden values of composites of networks: grids, bags, pools and convolutions of volumes, recurrent layers, CTC, boxes and
losses of classes. By PyTorch in float64 where it has them, else by their formula or by trying all there is."""
import itertools
import math

import numpy as np
import torch
import torch.nn.functional as F

from gold_format import NULL, Gold, Source, out, shape_name, v, x_
from gold_torch import PYTORCH, a, t


def sparse(gold):
    source = Source("sparsemax")
    for k, (shape, dim) in enumerate([((5,), 0), ((3, 4), 1), ((3, 4), 0), ((2, 3, 4), 1), ((1,), 0), ((4, 1), -1), ((2, 9), -1), ((33,), 0), ((2, 2, 3), -3), ((0, 3), 1), ((2, 0), 0)] * 2):
        x = source.uniform(shape, -1, 1) if k % 2 else source.uniform(shape)
        low, high = (x.max(axis=dim, keepdims=True) - 1, x.max(axis=dim, keepdims=True)) if x.size else (x, x)
        for _ in range(80):
            middle = (low + high) / 2
            above = np.maximum(x - middle, 0).sum(axis=dim, keepdims=True) > 1
            low, high = np.where(above, middle, low), np.where(above, high, middle)
        y = np.maximum(x - low, 0)
        gold.add("sparsemax", f"{shape_name(shape)}_{k}", [v(x)], [out("F", y, np.ones(y.shape))], i=[dim], k=max(1, shape[dim]), flags=["nograd"] if np.any(np.abs(x - low) < 1e-2) else [])


def grids(gold):
    source = Source("grids")
    for k, (n, sizes) in enumerate([(1, (2, 3)), (2, (4, 1)), (1, (1, 1)), (2, (2, 2, 3)), (1, (3, 1, 2)), (1, (5, 4)), (3, (1, 2)), (1, (2, 4, 1)), (1, (0, 3)), (2, (3, 3))] * 2):
        align = (k + k // 10) % 2
        theta = source.uniform((n, len(sizes), len(sizes) + 1))
        y = a(F.affine_grid(t(theta), (n, 1) + sizes, align_corners=bool(align))) if 0 not in sizes else np.zeros((n,) + sizes + (len(sizes),))
        mag = np.abs(theta).sum(axis=-1).reshape((n,) + (1,) * len(sizes) + (len(sizes),)) + np.zeros(y.shape)
        gold.add("affine_grid", f"{n}_{shape_name(sizes)}_{k}", [v(theta)], [out("F", y, mag)], i=[*sizes, align], k=len(sizes) + 1)
    padding = ("zeros", "border", "reflection")
    for k, (shape, places) in enumerate([((1, 2, 3, 4), (2, 2)), ((2, 1, 4, 3), (1, 3)), ((1, 1, 1, 5), (2, 3)), ((1, 3, 2, 2), (3, 1)), ((2, 2, 5, 1), (2, 1)), ((1, 1, 1, 1), (2, 2)), ((1, 2, 6, 7), (3, 3))] * 4):
        way, outside, align = (k // 3 + k // 7) % 2, k % 3, (k // 2 + k // 14) % 2
        while True:
            x, grid = source.uniform(shape), source.uniform((shape[0],) + places + (2,), -1.75, 1.75)
            size = np.array([shape[3], shape[2]])
            at = (grid + 1) / 2 * (size - 1) if align else ((grid + 1) * size - 1) / 2
            if np.all(np.abs(at * 2 - np.rint(at * 2)) > .02) or (align and 1 in size):
                break
        mode = ("nearest", "bilinear")[way]
        y = a(F.grid_sample(t(x), t(grid), mode, padding[outside], bool(align)))
        mag = a(F.grid_sample(t(np.abs(x)), t(grid), mode, padding[outside], bool(align))) + .5
        gold.add("grid_sample", f"{shape_name(shape, places)}_{mode}_{padding[outside]}_{k}", [v(x), v(grid)], [out("F", y, mag)], i=[way, outside, align], k=4,
                 flags=["nograd"] if align and 1 in size else [])
    x, grid = source.uniform((1, 1, 2, 2)), np.array([[[[math.inf, 0], [-math.inf, -math.inf], [0, math.inf]]]])
    gold.add("grid_sample", "infinities", [v(x), v(grid)], [out("F", np.zeros((1, 1, 1, 3)), np.ones((1, 1, 1, 3)))], i=[1, 0, 0], flags=["special"])
    gold.add("grid_sample", "infinities_border", [v(x), v(grid)], [out("F", np.array([[[[x[0, 0, :, 1].mean(), x[0, 0, 0, 0], x[0, 0, 1, :].mean()]]]]), np.full((1, 1, 1, 3), 4.0))],
             i=[1, 1, 0], flags=["special"])


def bags(gold):
    source = Source("embedding_bag")
    for k, (rows, width, count, offsets) in enumerate([(5, 3, 7, (0, 2, 5)), (4, 1, 6, (0, 0, 3, 6)), (3, 2, 1, (0,)), (6, 4, 9, (0, 4)), (2, 3, 5, (0, 1, 2, 3, 4)), (9, 2, 4, (0, 4)), (3, 3, 0, (0, 0)),
                                                     (5, 2, 12, (0, 1, 1, 9))] * 6):
        way, scaled = k % 3, k % 4 == 1
        table, index, scale = source.distinct((rows, width)) + .03125, source.rng.integers(0, rows, count), source.uniform((count,), .25, 2)
        taken = table[index] * (scale[:, None] if scaled else 1)
        bag = [taken[from_:to] for from_, to in zip(offsets, offsets[1:] + (count,))]
        y = np.array([b.max(axis=0) if way == 2 and len(b) else b.sum(axis=0) / (max(1, len(b)) if way == 1 else 1) for b in bag])
        mag = np.array([np.abs(b).sum(axis=0) + .01 for b in bag])
        gold.add("embedding_bag", f"{k}", [v(table), x_(index), v(scale) if scaled else NULL], [out("F", y, mag)], i=[way, *offsets], k=max(1, count))


def volumes(gold):
    source = Source("pools of volumes")
    for k, (shape, kernel, stride, pad) in enumerate([((1, 2, 2, 3, 4), (2, 2, 2), (1, 1, 2), (0, 0, 0)), ((2, 1, 3, 3, 3), (2, 3, 2), (2, 1, 1), (1, 1, 0)), ((1, 1, 1, 1, 1), (1, 1, 1), (1, 1, 1), (0, 0, 0)),
                                                      ((1, 1, 4, 2, 5), (3, 1, 3), (1, 2, 2), (1, 0, 1)), ((1, 3, 2, 2, 2), (2, 2, 2), (2, 2, 2), (0, 0, 0)), ((1, 1, 5, 3, 2), (1, 3, 2), (2, 3, 1), (0, 1, 1)),
                                                      ((2, 2, 2, 4, 3), (2, 1, 1), (1, 1, 1), (1, 0, 0))] * 3):
        x, ints = source.distinct(shape), [*kernel, *stride, *pad]
        gold.add("max_pool3d", f"{shape_name(shape)}_{k}", [v(x)], [out("F", a(F.max_pool3d(t(x), kernel, stride, pad)))], i=ints, cmp="exact")
        gold.add("avg_pool3d", f"{shape_name(shape)}_{k}", [v(x)], [out("F", a(F.avg_pool3d(t(x), kernel, stride, pad)), a(F.avg_pool3d(t(np.abs(x)), kernel, stride, pad)) + .05)], i=ints,
                 k=int(np.prod(kernel)))
    fitted = {1: F.adaptive_max_pool1d, 2: F.adaptive_max_pool2d, 3: F.adaptive_max_pool3d}
    for k, (shape, sizes) in enumerate([((2, 7), (3,)), ((1, 3, 5), (2, 4)), ((2, 4, 6), (2, 3)), ((2, 2, 5, 3), (3, 2)), ((1, 3, 4, 5), (2, 3, 2)), ((1, 1), (1,)), ((3, 2), (5,)), ((1, 9), (9,)),
                                        ((1, 2, 1, 6), (3, 4)), ((2, 1, 17), (5,))] * 2):
        x, n = source.distinct(shape), len(sizes)
        y = a(fitted[n](t(x).reshape((1, -1) + shape[len(shape) - n:]), sizes)).reshape(shape[:len(shape) - n] + sizes)
        gold.add("adaptive_max_pool", f"{shape_name(shape, sizes)}_{k}", [v(x)], [out("F", y)], i=list(sizes), cmp="exact")
    for k, (shape, kernel, stride, pad) in enumerate([((1, 2, 4, 4), (2, 2), (2, 2), (0, 0)), ((2, 1, 5, 3), (3, 2), (1, 1), (1, 0)), ((1, 1, 1, 1), (1, 1), (1, 1), (0, 0)), ((1, 3, 3, 5), (2, 3), (1, 2), (1, 1)),
                                                      ((1, 1, 7, 2), (3, 1), (3, 1), (0, 0))] * 4):
        x = source.distinct(shape)
        y, index = F.max_pool2d(t(x), kernel, stride, pad, return_indices=True)
        gold.add("max_pool2d_with_index", f"{shape_name(shape)}_{k}", [v(x)], [out("F", a(y)), out("I", index.numpy())], i=[*kernel, *stride, *pad], cmp="exact")
        size = (shape[2] + k % 2, shape[3])
        free = source.uniform(tuple(y.shape))
        places = index.numpy() if k % 2 == 0 else source.rng.integers(0, size[0] * size[1], tuple(y.shape))
        z = np.zeros(shape[:2] + (size[0] * size[1],))
        for n, c, r, q in np.ndindex(*y.shape):
            z[n, c, places[n, c, r, q]] = free[n, c, r, q]
        gold.add("max_unpool2d", f"{shape_name(shape)}_{k}", [v(free), x_(places)], [out("F", z.reshape(shape[:2] + size))], i=list(size), cmp="exact")
    gold.add("max_unpool2d", "nothing", [v(np.zeros((1, 2, 0, 3))), x_(np.zeros((1, 2, 0, 3)))], [out("F", np.zeros((1, 2, 2, 2)))], i=[2, 2], cmp="exact")


def windows(x, kernel, stride, pad, dilation, ceil, fold):
    """fold(elements, places within the padding) of each window over the last dims of x."""
    n = len(kernel)
    sizes = []
    for length, k, s, p, d in zip(x.shape[x.ndim - n:], kernel, stride, pad, dilation):
        room = length + 2 * p - d * (k - 1) - 1
        size = (-(-room // s) if ceil else room // s) + 1
        sizes.append(size - (ceil and (size - 1) * s >= length + p))
    y = np.zeros(x.shape[:x.ndim - n] + tuple(sizes))
    for at in np.ndindex(*sizes):
        steps = [[o * s - p + d * j for j in range(k)] for o, k, s, p, d in zip(at, kernel, stride, pad, dilation)]
        within = math.prod(sum(step < length + p for step in one) for one, length, p in zip(steps, x.shape[x.ndim - n:], pad))
        inside = [[step for step in one if 0 <= step < length] for one, length in zip(steps, x.shape[x.ndim - n:])]
        taken = x[(...,) + np.ix_(*inside)].reshape(x.shape[:x.ndim - n] + (-1,))
        y[(...,) + at] = fold(taken, within)
    return y


def windowed(gold):
    source = Source("windows")
    torches = {"max_pool": {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}, "avg_pool": {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}}
    for k, (shape, kernel, stride, pad, dilation, ceil) in enumerate([((2, 8), (3,), (2,), (1,), (1,), 1), ((1, 2, 5, 4), (2, 3), (2, 1), (1, 0), (1, 1), 0), ((1, 1, 7, 6), (2, 2), (2, 3), (0, 1), (3, 2), 1),
                                                                     ((1, 1, 3, 4, 5), (2, 2, 2), (2, 2, 2), (0, 1, 0), (1, 1, 1), 1), ((3, 9), (2,), (3,), (0,), (4,), 1), ((1, 1), (1,), (1,), (0,), (1,), 0),
                                                                     ((2, 1, 4, 4), (3, 3), (3, 3), (1, 1), (1, 1), 1), ((1, 1, 2, 3, 3), (1, 2, 2), (1, 1, 2), (0, 1, 1), (1, 2, 1), 0)] * 3):
        x, exclude, order = source.distinct(shape) + .03125, (k + k // 8) % 2, (2, 3, 1)[k % 3]
        ints, name = [len(kernel), *kernel, *stride, *pad, *dilation, ceil], f"{shape_name(shape)}_{k}"
        wide = t(x).reshape((1, -1) + shape[len(shape) - len(kernel):])
        largest = windows(x, kernel, stride, pad, dilation, ceil, lambda e, n: e.max(axis=-1) if e.shape[-1] else -math.inf)
        reference = a(torches["max_pool"][len(kernel)](wide, kernel, stride, pad, dilation, bool(ceil))).reshape(largest.shape)
        assert np.array_equal(largest, reference)
        gold.add("max_pool", name, [v(x)], [out("F", largest)], i=[*ints, 0], cmp="exact", flags=["special"] if np.any(np.isinf(largest)) else [])

        def mean(e, n):
            return e.sum(axis=-1) / max(1, e.shape[-1] if exclude else n)

        y = windows(x, kernel, stride, pad, dilation, ceil, mean)
        if max(dilation) == 1:
            assert np.allclose(y, a(torches["avg_pool"][len(kernel)](wide, kernel, stride, pad, bool(ceil), not exclude)).reshape(y.shape), 1e-13)
        gold.add("avg_pool", name, [v(x)], [out("F", y, windows(np.abs(x), kernel, stride, pad, dilation, ceil, mean) + .05)], i=[*ints, exclude], k=math.prod(kernel))
        y = windows(x, kernel, stride, pad, dilation, ceil, lambda e, n: (np.abs(e)**order).sum(axis=-1)**(1 / order))
        gold.add("lp_pool", name, [v(x)], [out("F", y, y + .05)], i=[*ints, 0], f=[order], k=math.prod(kernel))
    gold.add("lp_pool", "zeros", [v(np.array([0.0, 0, 3, 4]))], [out("F", np.array([0.0, 5]), np.array([1.0, 5]))], i=[1, 2, 2, 0, 1, 0, 0], f=[2], k=2, flags=["nograd"])


def filtered(gold):
    source = Source("interpolate_antialias")
    for k, (shape, sizes) in enumerate([((7,), (3,)), ((2, 5), (9,)), ((2, 9), (2,)), ((1, 1, 8), (5,)), ((2, 3, 4), (2, 3)), ((1, 6, 7), (3, 2)), ((2, 4, 4), (7, 3)), ((1, 1), (1,)), ((3, 5, 1), (2, 4)), ((1, 33), (4,)),
                                        ((2, 2), (0,))] * 2):
        for way, mode in ((1, "bilinear"), (2, "bicubic")):
            x = source.uniform(shape)
            wide = t(x).reshape((1, -1) + (shape[-2:] if len(sizes) == 2 else (1, shape[-1])))
            size = sizes if len(sizes) == 2 else (1,) + sizes
            y = a(F.interpolate(wide, size=size, mode=mode, antialias=True)) if 0 not in sizes else np.zeros(0)
            y = y.reshape(shape[:len(shape) - len(sizes)] + sizes)
            gold.add("interpolate_antialias", f"{shape_name(shape)}_{mode}_{k}", [v(x)], [out("F", y, np.abs(y) + 2)], i=[*sizes, way], k=4)


def convolutions(gold):
    source = Source("convolutions of volumes")
    for k, (c, m, sizes, taps, stride, pad, dilation, groups) in enumerate([(2, 3, (3, 2, 2), (2, 1, 2), (1, 1, 1), (0, 0, 0), (1, 1, 1), 1), (2, 2, (2, 3, 2), (3, 2, 1), (1, 2, 1), (1, 1, 0), (1, 1, 1), 2),
                                                                            (1, 1, (1, 1, 1), (1, 1, 1), (1, 1, 1), (0, 0, 0), (1, 1, 1), 1), (2, 2, (5, 2, 1), (2, 2, 2), (2, 1, 1), (0, 1, 1), (2, 1, 1), 2),
                                                                            (3, 1, (2, 2, 2), (2, 2, 2), (1, 1, 2), (1, 0, 1), (1, 1, 2), 1), (1, 2, (4, 1, 3), (3, 1, 3), (3, 1, 2), (2, 0, 1), (1, 1, 1), 1),
                                                                            (2, 2, (3, 3, 1), (1, 3, 1), (2, 2, 1), (0, 1, 0), (1, 1, 1), 1)] * 3):
        batch, bias = 1 + (k % 5 == 1), k % 3 != 0
        x, w, b = source.uniform((batch, c) + sizes), source.uniform((m, c // groups) + taps), source.uniform((m,))
        ins = [v(x), v(w), v(b) if bias else NULL]
        B, BA = (t(b), t(np.abs(b))) if bias else (None, None)
        y, mag = a(F.conv3d(t(x), t(w), B, stride, pad, dilation, groups)), a(F.conv3d(t(np.abs(x)), t(np.abs(w)), BA, stride, pad, dilation, groups))
        gold.add("conv3d", f"{k}", ins, [out("F", y, mag)], i=[*stride, *pad, *dilation, 0, 0, 0, groups], k=c // groups * int(np.prod(taps)))
        w, more = source.uniform((c, m // groups) + taps), tuple(min(k % 2, max(s, d) - 1) for s, d in zip(stride, dilation))
        pad = tuple(min(p, d * (n - 1) // 2) for p, d, n in zip(pad, dilation, taps))
        ins[1] = v(w)
        y = a(F.conv_transpose3d(t(x), t(w), B, stride, pad, more, groups, dilation))
        mag = a(F.conv_transpose3d(t(np.abs(x)), t(np.abs(w)), BA, stride, pad, more, groups, dilation)) + .01
        gold.add("conv3d_transpose", f"{k}", ins, [out("F", y, mag)], i=[*stride, *pad, *dilation, *more, groups], k=c // groups * int(np.prod(taps)))


def recurrent(gold):
    source = Source("recurrent layers")
    gates = {"rnn": 1, "gru": 3, "lstm": 4}

    def weights(name, inputs, width, which):
        """w_ih, w_hh, and biases of which some are left out: as given, and as PyTorch gets them."""
        n = gates[name] * width
        all_ = [source.uniform((n, inputs), -1, 1), source.uniform((n, width), -1, 1), source.uniform((n,), -1, 1), source.uniform((n,), -1, 1)]
        given = [v(all_[0]), v(all_[1]), v(all_[2]) if which != 1 else NULL, v(all_[3]) if which == 0 else NULL]
        return given, all_[:2] + [all_[2] * (which != 1), all_[3] * (which == 0)]

    cells = {"rnn": torch.nn.RNNCell, "gru": torch.nn.GRUCell, "lstm": torch.nn.LSTMCell}
    layers_of = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}
    for name in gates:
        states = 2 if name == "lstm" else 1
        for k, (batch, inputs, width) in enumerate([(2, 3, 2), (1, 1, 1), (3, 2, 4), (2, 4, 2), (0, 2, 2), (4, 1, 2), (1, 7, 2)] * 3):
            relu = name == "rnn" and k % 4 == 3
            given, used = weights(name, inputs, width, k % 3)
            cell = cells[name](inputs, width, **({"nonlinearity": "relu" if relu else "tanh"} if name == "rnn" else {}))
            for parameter, value in zip((cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh), used):
                parameter.data = t(value)
            x, state = source.uniform((batch, inputs), -2, 2), [source.uniform((batch, width), -1, 1) for _ in range(states)]
            y = cell(t(x), tuple(t(s) for s in state) if states == 2 else t(state[0]))
            y = [a(r) for r in (y if states == 2 else [y])]
            gold.add(f"{name}_cell", f"{k}", [v(x), *(v(s) for s in state), *given], [out("F", r, np.abs(r) + (4 if relu else 1)) for r in y], i=[int(relu)] if name == "rnn" else [],
                     k=inputs + width, flags=["nograd"] if relu else [])
        for k, (steps, batch, inputs, width, layers, both) in enumerate([(3, 2, 2, 2, 1, 0), (1, 1, 1, 1, 1, 0), (2, 1, 3, 2, 2, 0), (4, 1, 2, 1, 1, 1), (2, 2, 1, 2, 2, 1), (5, 1, 2, 2, 1, 0), (3, 0, 2, 1, 1, 1)] * 3):
            first, begun, relu = k % 2, k % 3 != 2, name == "rnn" and k % 5 == 4
            layer = layers_of[name](inputs, width, layers, bidirectional=bool(both), batch_first=bool(first), **({"nonlinearity": "relu" if relu else "tanh"} if name == "rnn" else {}))
            given = []
            for n in range(layers):
                for way in range(1 + both):
                    some, used = weights(name, inputs if n == 0 else width * (1 + both), width, k % 3)
                    given += some
                    for parameter, value in zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), used):
                        getattr(layer, f"{parameter}_l{n}" + "_reverse" * way).data = t(value)
            x = source.uniform((batch, steps, inputs) if first else (steps, batch, inputs), -2, 2)
            state = [source.uniform((layers * (1 + both), batch, width), -1, 1) * begun for _ in range(states)]
            if batch:
                y, last = layer(t(x), tuple(t(s) for s in state) if states == 2 else t(state[0]))
                results = [a(y), *(a(s) for s in (last if states == 2 else [last]))]
            else:
                results = [np.zeros((0, steps, width * (1 + both)) if first else (steps, 0, width * (1 + both)))] + [state[0]] * states
            gold.add(name, f"{k}", [v(x), *(v(s) if begun else NULL for s in state), *given], [out("F", r, np.abs(r) + (8 if relu else 1)) for r in results], i=[layers, both, first, int(relu)],
                     k=(inputs + width) * steps, flags=["nograd"] if relu else [])


def collapse(path, blank):
    return tuple(label for label, _ in itertools.groupby(path) if label != blank)


def ctc(gold):
    source = Source("ctc_loss")
    how = ("none", "mean", "sum")
    for k, (steps, batch, classes, labels) in enumerate([(4, 2, 3, 2), (3, 1, 2, 1), (5, 3, 3, 2), (1, 1, 3, 1), (4, 1, 4, 3), (2, 2, 3, 0), (5, 2, 2, 3), (3, 0, 3, 1), (6, 1, 3, 3)] * 3):
        blank, zero, reduction = (0, classes - 1)[k % 2], k // 3 % 2, k % 3
        x = source.uniform((steps, batch, classes), -4, -.25)
        choice = [c for c in range(classes) if c != blank]
        target = source.rng.choice(choice, (batch, labels)) if labels else np.zeros((batch, 0))
        inputs, lengths = source.rng.integers(max(1, steps - 1), steps + 1, batch), source.rng.integers(max(0, labels - 1), labels + 1, batch)
        loss = []
        for n in range(batch):
            chances = [math.exp(sum(x[s, n, c] for s, c in enumerate(path))) for path in itertools.product(range(classes), repeat=int(inputs[n]))
                       if collapse(path, blank) == tuple(target[n, :lengths[n]])]
            loss.append(-math.log(math.fsum(chances)) if chances else math.inf)
        loss = np.array(loss)
        hopeless = np.isinf(loss).any()
        loss = np.where(np.isinf(loss) & bool(zero), 0, loss)
        y = loss if reduction == 0 else (loss / np.maximum(lengths, 1)).mean() if reduction == 1 and batch else loss.sum()
        if reduction == 1 and not batch:
            continue
        y = np.asarray(y)
        gold.add("ctc_loss", f"{k}", [v(x), x_(target)], [out("F", y, np.where(np.isinf(y), 1, np.abs(y)) + 4)], i=[blank, zero, reduction, *inputs, *lengths] if batch else [blank, zero, reduction],
                 k=steps * max(1, batch), flags=["special"] if hopeless else [])
    x = np.array([[[-.5, -1, -math.inf]], [[-1, -math.inf, -.25]]])
    for k, (target, loss) in enumerate([((1,), math.exp(-2)), ((2,), math.exp(-.75)), ((1, 2), math.exp(-1.25))]):
        gold.add("ctc_loss", f"zeros_{k}", [v(x), x_([target])], [out("F", np.array(-math.log(loss)), np.array(4.0))], i=[0, 0, 2], flags=["special"])
    gold.add("ctc_loss", "impossible", [v(x), x_([(2, 1)])], [out("F", np.array([math.inf]), np.array([1.0]))], i=[0, 0, 0], flags=["special"])


def area(low, high):
    return np.prod(np.maximum(high - low, 0), axis=-1)


def overlap(p, q):
    """Intersection, union and hull of each box of p with each of q."""
    p, q = p[..., :, None, :], q[..., None, :, :]
    both = area(np.maximum(p[..., :2], q[..., :2]), np.minimum(p[..., 2:], q[..., 2:]))
    return both, area(p[..., :2], p[..., 2:]) + area(q[..., :2], q[..., 2:]) - both, area(np.minimum(p[..., :2], q[..., :2]), np.maximum(p[..., 2:], q[..., 2:]))


def boxes(gold):
    source = Source("boxes")

    def some(shape):
        low, size = source.uniform(shape + (2,), 0, 4), source.uniform(shape + (2,), 1, 4)
        return np.concatenate([low, np.rint((low + size) * 16) / 16], axis=-1)

    for k, (sp, sq) in enumerate([((3,), (2,)), ((1,), (1,)), ((2, 2), (2, 3)), ((4,), (2, 2)), ((0,), (3,)), ((5,), (1,)), ((2, 1, 2), (1, 2, 2)), ((1,), (7,))] * 3):
        p, q = some(sp), some(sq)
        with np.errstate(all="ignore"):
            both, one, hull = overlap(p, q)
            kinks = np.any(np.abs(p[..., :, None, :, None] - q[..., None, :, None, :]) < .02) or np.any(both == 0)
        for name, y in (("box_iou", both / one), ("generalized_box_iou", both / one - (hull - one) / hull)):
            gold.add(name, f"{shape_name(sp, sq)}_{k}", [v(p), v(q)], [out("F", y, np.ones(y.shape))], k=4, flags=["nograd"] if kinks else [])
    flat = np.array([[1.0, 1, 1, 3], [0, 0, 2, 2], [2, 2, 1, 1]])
    both, one, hull = overlap(flat, flat)
    y = np.where(one > 0, both / np.where(one > 0, one, 1), 0)
    gold.add("box_iou", "flat", [v(flat), v(flat)], [out("F", y, np.ones((3, 3)))], k=4, flags=["nograd"])
    gold.add("generalized_box_iou", "flat", [v(flat), v(flat)], [out("F", y - np.where(hull > 0, (hull - one) / np.where(hull > 0, hull, 1), 0), np.ones((3, 3)))], k=4, flags=["nograd"])
    for k, (sp, sq) in enumerate([((3,), (3,)), ((1,), (1,)), ((2, 2), (2, 2)), ((4,), (2, 4)), ((0,), (0,)), ((5,), (1,)), ((2, 1), (1, 3))] * 3):
        p, q = some(sp), source.uniform(sq + (4,), -1, 1)
        centre, grown, limit = ((.125, .25, 4), (1, 1, .5), (.5, 2, math.log(1000 / 16)))[k % 3]
        low, high = p[..., :2], p[..., 2:]
        size, change = high - low, q[..., 2:] * grown
        middle, half = (low + high) / 2 + q[..., :2] * centre * size, np.exp(np.minimum(change, limit)) * size / 2
        y = np.concatenate([middle - half, middle + half], axis=-1)
        gold.add("box_decode", f"{shape_name(sp, sq)}_{k}", [v(p), v(q)], [out("F", y, np.concatenate([np.abs(middle) + half + 4] * 2, axis=-1))], f=[centre, grown, limit], k=4,
                 flags=["nograd"] if np.any(np.abs(change - limit) < 1e-2) else [])
    for k, n in enumerate([4, 1, 0, 7, 12, 3, 9] * 3):
        threshold = (.25, .5, 0, 1)[k % 4]
        while True:
            p, scores = some((n,)), source.distinct((n,)) if k % 2 else np.rint(source.uniform((n,)))
            both, one, _ = overlap(p, p)
            if not n or np.all(np.abs(both / one - threshold) > 1e-3) or threshold in (0, 1):
                break
        order, kept = sorted(range(n), key=lambda place: -scores[place]), []
        for place in order:
            if all(both[place, other] / one[place, other] <= threshold for other in kept):
                kept.append(place)
        gold.add("nms", f"{n}_{k}", [v(p), v(scores)], [out("I", np.array(kept, dtype=np.int64))], f=[threshold], cmp="exact")


def classes(gold):
    source = Source("losses of classes")
    how = ("none", "mean", "sum")
    for k, shape in enumerate([(3, 4), (1, 2), (5, 3), (2, 1), (4, 5), (2, 7), (6, 2)] * 3):
        x, rows, reduction = source.uniform(shape), shape[0], k % 3
        target, power, margin = source.rng.integers(0, shape[1], rows), 1 + k % 2, (1, .5, 2)[k % 3]
        y = a(F.multi_margin_loss(t(x), torch.tensor(target), p=power, margin=margin, reduction=how[reduction]))
        gap = margin - x[np.arange(rows), target][:, None] + x
        gap[np.arange(rows), target] = 1
        scale = rows if reduction == 2 else 1
        gold.add("multi_margin_loss", f"{shape_name(shape)}_{k}", [v(x), x_(target)], [out("F", y, np.abs(y) + 8 * scale)], i=[reduction, power], f=[margin], k=shape[1] * rows,
                 flags=["nograd"] if np.any(np.abs(gap) < 1e-2) else [])
        right = np.array([np.append(source.rng.permutation(shape[1])[:(row + k) % (shape[1] + 1)], [-1] * shape[1])[:shape[1]] for row in range(rows)])
        y = a(F.multilabel_margin_loss(t(x), torch.tensor(right), reduction=how[reduction]))
        pairs = 1 - x[:, :, None] + x[:, None, :]
        gold.add("multilabel_margin_loss", f"{shape_name(shape)}_{k}", [v(x), x_(right)], [out("F", y, np.abs(y) + 8 * scale)], i=[reduction], k=shape[1]**2 * rows,
                 flags=["nograd"] if np.any(np.abs(pairs) < 1e-2) else [])
        truth = source.uniform(shape, 0, 1) if k % 2 else np.rint(source.uniform(shape, 0, 1))
        y = a(F.multilabel_soft_margin_loss(t(x), t(truth), reduction=how[reduction]))
        gold.add("multilabel_soft_margin_loss", f"{shape_name(shape)}_{k}", [v(x), v(truth)], [out("F", y, np.abs(y) + scale)], i=[reduction], k=shape[1] * rows)


def make():
    files = {}
    for name, about, function in [("softmax_made", "Sparsemax, by bisection.", sparse), ("grid_made", f"Reading pictures at places, by {PYTORCH}.", grids),
                                  ("bag_made", "Bags of rows, by NumPy.", bags), ("pool_made", f"Pools of volumes and places of largest elements, by {PYTORCH} and NumPy.", volumes),
                                  ("pool_window_made", "Pools by windows, by trying all places, which agrees with " + PYTORCH + " where it has them.", windowed),
                                  ("resample_antialias", f"Other sizes by wide filters, by {PYTORCH}.", filtered), ("conv_3d_made", f"Convolutions of volumes, by {PYTORCH}.", convolutions), ("recurrent_made", f"Recurrent layers, by {PYTORCH} in float64.", recurrent),
                                  ("ctc_made", "Connectionist temporal classification, by trying all paths.", ctc), ("box_made", "Boxes, by NumPy.", boxes),
                                  ("loss_classes_made", f"Losses of classes, by {PYTORCH} in float64.", classes)]:
        files[name] = Gold(about)
        function(files[name])
    return files
