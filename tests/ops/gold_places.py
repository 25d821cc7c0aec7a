"""Golden values of what reads and writes at places: by index, in windows, on grids; by NumPy, and PyTorch in float64."""
import numpy as np
import torch.nn.functional as F

from gold_format import Gold, Source, c, n, out, shape_name, v, x_
from gold_move import Mover
from gold_torch import PYTORCH, a, t

NAN, INF = np.nan, np.inf

SCATTERS = [((5,), (3,), 0), ((5,), (9,), 0), ((3, 4), (3, 2), 1), ((3, 4), (2, 4), 0), ((3, 4), (2, 4), -2), ((3, 4), (3, 7), -1), ((2, 3, 4), (2, 5, 4), 1), ((2, 3, 2), (1, 3, 2), 2),
            ((3, 4), (3, 0), 1), ((17,), (17,), 0), ((2, 1, 5), (2, 1, 5), 2), ((1, 1), (1, 1), 0)]
SLICES = [((5,), 3, 0), ((5,), 8, 0), ((3, 4), 2, 0), ((3, 4), 6, 1), ((3, 4), 2, -1), ((2, 3, 2), 5, 1), ((3, 4), 0, 0), ((4, 1), 3, 0), ((1, 7), 2, 1)]


def scattered(x, index, src, dim, rule):
    """rule(what is there, source) in the order of the sources."""
    y = np.array(x)
    for at in np.ndindex(index.shape):
        to = list(at)
        to[dim] = index[at]
        y[tuple(to)] = rule(y[tuple(to)], src[at])
    return y


def slices_of(shape, count, dim):
    return tuple(count if d == dim % len(shape) else size for d, size in enumerate(shape))


def with_slices(x, index, src, dim):
    y = np.moveaxis(np.array(x), dim, 0)
    for k, at in enumerate(index):
        y[at] = np.moveaxis(src, dim, 0)[k]
    return np.moveaxis(y, 0, dim)


def filled(x, index, dim, value):
    y = np.moveaxis(np.array(x), dim, 0)
    y[index] = value
    return np.moveaxis(y, 0, dim)


def made_indices(gold):
    move = Mover(gold)
    source = Source("made indices")
    for shape, taken in [((5,), (3,)), ((3, 4), (2, 3)), ((3, 4), ()), ((2, 3, 2), (7,)), ((4, 1), (0,)), ((1,), (2, 2, 2)), ((2, 2), (2, 0, 3)), ((), (3,))]:
        index = source.rng.integers(0, int(np.prod(shape)), taken)
        move("take", lambda p, j: p.reshape(-1)[j], [shape], index=[index])
    for shape, taken, dim in [((5,), (3,), 0), ((3, 4), (3, 2), 1), ((3, 4), (1, 4), 0), ((1, 4), (3, 2), 1), ((2, 1, 3), (1, 5, 2), 2), ((3, 1), (1, 4), 0), ((3, 4), (3, 0), -1), ((2, 3), (2, 6), -1)]:
        index = source.rng.integers(0, shape[dim], taken)
        d = dim % len(shape)
        wide = [max(p, q) for p, q in zip(shape, taken)]
        of_x, of_index = tuple(wide[:d] + [shape[d]] + wide[d + 1:]), tuple(wide[:d] + [taken[d]] + wide[d + 1:])
        move("take_along", lambda p, j: np.take_along_axis(np.broadcast_to(p, of_x), np.broadcast_to(j, of_index), d), [shape], i=[dim], index=[index])
    for shape, count, dim in SLICES:
        index = source.rng.integers(0, shape[dim], (count,))
        move("index_fill", lambda p, j: filled(p, j, dim, 1), [shape], i=[dim], f=[1], index=[index])
        move("index_copy", lambda p, s, j: with_slices(p, j, s, dim), [shape, slices_of(shape, count, dim)], i=[dim], index=[index])
    for shape, indices, rest in [((5,), [(3,)], (3,)), ((3, 4), [(5,), (5,)], (5,)), ((3, 4), [(2,)], (2, 4)), ((3, 4), [(2, 1), (3,)], (2, 3)), ((2, 3, 2), [(4,), ()], (4, 2)), ((3, 4), [(2,)], ()),
                                 ((3, 4), [(2, 2)], (4,)), ((2, 2, 2), [(3,), (3,), (3,)], (1,)), ((3, 2), [(0,)], (0, 2)), ((4,), [(9,)], (9,)), ((2, 3), [(3, 1), (1, 2)], (3, 2))]:
        index = [source.rng.integers(0, shape[k], size) for k, size in enumerate(indices)]
        label = shape_name(shape, *indices)
        for accumulate in (0, 1):
            for word, wrap, x, values in [("", v, source.uniform(shape), source.uniform(rest)), ("_int", n, source.integers(shape, -50, 50), source.integers(rest, -9, 10)),
                                          ("_uint", n, source.integers(shape, 0, 50), source.integers(rest, 0, 9))]:
                y, every = np.array(x), np.broadcast_arrays(*index)
                given = np.broadcast_to(values, every[0].shape + shape[len(index):])
                for at in np.ndindex(every[0].shape):
                    to = tuple(j[at] for j in every)
                    y[to] = given[at] + (y[to] if accumulate else 0)
                mags = np.abs(x) + 9 * 9.0
                gold.add("index_put", f"{label}_{accumulate}{word}", [wrap(x), wrap(values)] + [x_(j) for j in index], [out("D", y, mags if accumulate and not word else None)], i=[accumulate],
                         cmp="mag" if accumulate and not word else "exact", k=9, flags=["nobool"] if accumulate else [])


def scatters(gold):
    move = Mover(gold)
    source, factors = Source("scatters"), Source("scatter_prod")
    for k, (shape, taken, dim) in enumerate(SCATTERS):
        index = source.rng.integers(0, shape[dim], taken)
        label = f"{shape_name(shape, taken)}_{k}"
        move("scatter", lambda p, s, j: scattered(p, j, s, dim, lambda _, new: new), [shape, taken], i=[dim], index=[index])
        sizes = int(np.prod(shape)), int(np.prod(taken))
        both = source.distinct((sum(sizes),))
        x, src = both[:sizes[0]].reshape(shape), both[sizes[0]:].reshape(taken)
        none = scattered(np.ones(shape), index, np.zeros(taken), dim, lambda _, new: new)
        for self in (0, 1):
            for name, rule, least in (("scatter_max", max, -INF), ("scatter_min", min, INF)):
                for word, wrap, low in (("", v, 0), ("_int", n, -40), ("_uint", n, 0)):
                    p, s = (x, src) if wrap is v else (source.integers(shape, low, 40), source.integers(taken, low, 40))
                    start = p if self else np.where(none == 1, p, least)
                    gold.add(name, f"{label}_{self}{word}", [wrap(p), x_(index), wrap(s)], [out("D", scattered(start, index, s, dim, rule))], i=[dim, self], cmp="exact",
                             flags=["nobool"] if wrap is n else [])
            p, s = source.uniform(shape), source.uniform(taken)
            sums = scattered(p if self else np.where(none == 1, p, 0), index, s, dim, lambda old, new: old + new)
            terms = scattered(np.full(shape, float(self)), index, s, dim, lambda old, new: old + 1)
            gold.add("scatter_mean", f"{label}_{self}", [v(p), x_(index), v(s)], [out("F", sums / np.maximum(terms, 1), np.full(shape, 4.0))], i=[dim, self], k=4)
            p, s = factors.uniform(shape, -2, 2), factors.uniform(taken, -2, 2)
            s = np.where(factors.rng.random(taken) < .2, 0, s)
            product = scattered(p if self else np.where(none == 1, p, 1), index, s, dim, lambda old, new: old * new)
            gold.add("scatter_prod", f"{label}_{self}", [v(p), x_(index), v(s)], [out("F", product, np.abs(product) + .5)], i=[dim, self], k=4)
    x, src = np.array([1.0, NAN, 3, -0.0, 0.0, 7]), np.array([NAN, 2, -0.0, 0.0, INF, -INF, 5, 6])
    index = np.array([0, 1, 3, 4, 2, 2, 5, 5])
    for self, most, least in [(1, [NAN, NAN, INF, 0, 0, 7], [NAN, NAN, -INF, -0.0, 0, 5]), (0, [NAN, 2, INF, 0, 0, 6], [NAN, 2, -INF, -0.0, 0, 5])]:
        gold.add("scatter_max", f"special_{self}", [v(x), x_(index), v(src)], [out("D", np.array(most))], i=[0, self], cmp="exact", flags=["special"])
        gold.add("scatter_min", f"special_{self}", [v(x), x_(index), v(src)], [out("D", np.array(least))], i=[0, self], cmp="exact", flags=["special"])


def in_place(gold):
    source = Source("indices in place")
    for k, (shape, taken, dim) in enumerate(SCATTERS):
        index = source.rng.integers(0, shape[dim], taken)
        for word, wrap, p, s in [("", v, source.uniform(shape), source.uniform(taken)), ("_int", n, source.integers(shape, -40, 40), source.integers(taken, -9, 9)),
                                 ("_uint", n, source.integers(shape, 0, 40), source.integers(taken, 0, 9))]:
            y = scattered(p, index, s, dim, lambda old, new: old + new)
            gold.add("scatter_add_", f"{shape_name(shape, taken)}_{k}{word}", [wrap(p), x_(index), wrap(s)], [out("D", y, None if word else np.full(shape, 20.0))], i=[dim],
                     cmp="exact" if word else "mag", k=4, flags=["inplace", "nobool"])
    for k, (shape, count, dim) in enumerate(SLICES):
        taken = slices_of(shape, count, dim)
        index = source.rng.integers(0, shape[dim], (count,))
        for word, wrap, p, s in [("", v, source.uniform(shape), source.uniform(taken)), ("_int", n, source.integers(shape, -40, 40), source.integers(taken, -9, 9)),
                                 ("_uint", n, source.integers(shape, 0, 40), source.integers(taken, 0, 9))]:
            y = np.moveaxis(np.array(p), dim, 0)
            np.add.at(y, index, np.moveaxis(s, dim, 0))
            gold.add("index_add_", f"{shape_name(shape, taken)}_{k}{word}", [wrap(p), x_(index), wrap(s)], [out("D", np.moveaxis(y, 0, dim), None if word else np.full(shape, 20.0))], i=[dim],
                     cmp="exact" if word else "mag", k=4, flags=["inplace", "nobool"])
            gold.add("index_copy_", f"{shape_name(shape, taken)}_{k}{word}", [wrap(p), x_(index), wrap(s)], [out("D", with_slices(p, index, s, dim))], i=[dim], cmp="exact", flags=["inplace"])


def alone(gold):
    """In place, of one operand or with a mask."""
    rules = {"neg_": np.negative, "relu_": lambda x: np.maximum(x, 0), "clamp_": lambda x: np.clip(x, -1, 2), "add_scalar_": lambda x: x + 2, "mul_scalar_": lambda x: x * 3,
             "exp_": np.exp, "sqrt_": np.sqrt, "tanh_": np.tanh, "sigmoid_": lambda x: 1 / (1 + np.exp(-x))}
    numbers = {"clamp_": [-1, 2], "add_scalar_": [2], "mul_scalar_": [3]}
    shapes = [(), (1,), (7,), (33,), (0,), (3, 5), (4, 1), (2, 3, 4), (2, 0), (2, 17)]
    for name, rule in rules.items():
        source = Source(name)
        whole = name in numbers or name in ("neg_", "relu_")
        for k, shape in enumerate(shapes * (1 if whole else 2)):
            x = source.uniform(shape, .25 if name == "sqrt_" else -4, 4)
            gold.add(name, f"{shape_name(shape)}_{k}", [v(x)], [out("D", rule(x))], f=numbers.get(name, []), cmp="ulp", flags=["inplace"])
            if whole:
                x = source.integers(shape, -9, 10)
                gold.add(name, f"int_{shape_name(shape)}_{k}", [n(x)], [out("D", rule(x))], f=numbers.get(name, []), cmp="exact", flags=["inplace", "nobool"])
    source = Source("masked_fill_")
    for k, (shape, mask) in enumerate([((7,), (7,)), ((3, 5), (3, 5)), ((3, 5), (5,)), ((3, 5), (3, 1)), ((2, 3, 4), (3, 4)), ((2, 3, 4), ()), ((), ()), ((0, 3), (3,)), ((33,), (33,)), ((5,), (1,))]):
        hidden, x = source.rng.random(mask) < .5, source.uniform(shape)
        gold.add("masked_fill_", f"{shape_name(shape, mask)}_{k}", [v(x), c(hidden)], [out("D", np.where(hidden, 1.5, x))], f=[1.5], cmp="exact", flags=["inplace"])
        for low, high, suffix in ((-9, 10, "int"), (0, 10, "uint"), (0, 2, "flags")):
            x = source.integers(shape, low, high)
            gold.add("masked_fill_", f"{suffix}_{shape_name(shape, mask)}_{k}", [n(x), c(hidden)], [out("D", np.where(hidden, 1, x))], f=[1], cmp="exact", flags=["inplace"])


def reversed_slices(gold):
    move = Mover(gold)
    for shape, dim, start, stop, step in [((7,), 0, 5, 1, -1), ((7,), 0, -1, -100, -1), ((7,), 0, 6, 0, -2), ((7,), 0, 100, -100, -3), ((7,), 0, 2, 4, -1), ((3, 5), 1, 3, 0, -1), ((3, 5), 0, -1, -4, -2),
                                          ((2, 3, 4), -1, 3, -5, -1), ((0,), 0, -1, -9, -1), ((1,), 0, 0, -2, -1)]:
        d = dim % len(shape)
        move("slice", lambda p: p[(slice(None),) * d + (slice(start, stop, step),)], [shape], i=[dim, start, stop, step])


def windows(gold):
    move = Mover(gold)
    for shape, dim, size, step in [((7,), 0, 3, 1), ((7,), 0, 7, 1), ((7,), 0, 2, 3), ((3, 5), 1, 2, 2), ((3, 5), 0, 2, 1), ((2, 5, 2), -2, 3, 1), ((1,), 0, 1, 1), ((0, 4), 1, 2, 1)]:
        d = dim % len(shape)
        move("windows", lambda p: np.moveaxis(np.stack([np.take(p, range(k, k + size), d) for k in range(0, shape[d] - size + 1, step)], d), d + 1, -1), [shape], i=[dim, size, step])
    for shape, kernel, stride, padding, dilation in [((1, 1, 3, 3), (2, 2), (1, 1), (0, 0), (1, 1)), ((2, 3, 4, 5), (2, 3), (1, 2), (1, 0), (1, 1)), ((1, 2, 5, 4), (3, 2), (2, 1), (1, 1), (1, 2)),
                                                     ((2, 1, 3, 3), (3, 3), (1, 1), (1, 1), (1, 1)), ((1, 1, 1, 1), (1, 1), (1, 1), (0, 0), (1, 1)), ((1, 2, 6, 3), (2, 1), (3, 1), (0, 0), (2, 1)),
                                                     ((0, 2, 3, 3), (2, 2), (1, 1), (0, 0), (1, 1)), ((1, 3, 2, 7), (1, 4), (1, 3), (0, 2), (1, 1))]:
        numbers = [*kernel, *stride, *padding, *dilation]
        places = [(shape[2 + d] + 2 * padding[d] - dilation[d] * (kernel[d] - 1) - 1) // stride[d] + 1 for d in range(2)]

        def unfolded(p):
            image = np.pad(p, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
            y = np.zeros((shape[0], shape[1], *kernel, *places), dtype=p.dtype)
            for r, s, i, j in np.ndindex(*kernel, *places):
                y[:, :, r, s, i, j] = image[:, :, r * dilation[0] + i * stride[0], s * dilation[1] + j * stride[1]]
            return y.reshape(shape[0], shape[1] * kernel[0] * kernel[1], -1) if p.size else y.reshape(0, shape[1] * kernel[0] * kernel[1], places[0] * places[1])

        move("unfold2d", unfolded, [shape], i=numbers)
        source = Source(f"fold2d {numbers} {shape}")
        columns = (shape[0], shape[1] * kernel[0] * kernel[1], places[0] * places[1])
        for k in range(3):
            x = source.uniform(columns)
            if shape[0] == 0:
                y = mag = np.zeros(shape)
            else:
                y, mag = (a(F.fold(t(p), shape[2:], kernel, dilation, padding, stride)) for p in (x, np.abs(x)))
            gold.add("fold2d", f"{shape_name(shape, kernel)}_{k}_{len(gold.lines)}", [v(x)], [out("F", y, mag + 1)], i=[*shape[2:], *numbers], k=kernel[0] * kernel[1])


def grids(gold):
    move = Mover(gold)
    for sizes, xy in [((3,), 0), ((3, 4), 0), ((3, 4), 1), ((2, 3, 4), 0), ((2, 3, 2), 1), ((1, 5), 1), ((0, 3), 0), ((2, 1, 1, 3), 1)]:
        move("meshgrid", lambda *p: tuple(np.meshgrid(*p, indexing="xy" if xy else "ij")), [(size,) for size in sizes], i=[xy])
    for sizes in [(3,), (3, 4), (2, 3, 2), (1, 5), (0, 3), (2, 1, 3), (7, 2)]:
        move("cartesian_prod", lambda *p: np.stack([g.reshape(-1) for g in np.meshgrid(*p, indexing="ij")], 1), [(size,) for size in sizes])
    for shape, dim, count in [((6,), 0, 2), ((7,), 0, 3), ((7,), 0, 1), ((3, 5), 1, 4), ((3, 5), 0, 2), ((2, 3, 4), -1, 2), ((2,), 0, 4), ((0, 2), 0, 2)]:
        each, d = -(-shape[dim] // count), dim % len(shape)
        move("chunk", lambda p: tuple(p[(slice(None),) * d + (slice(min(k * each, shape[d]), min((k + 1) * each, shape[d])),)] for k in range(count)), [shape], i=[dim, count])
    for shape, k in [((3,), 0), ((3,), 1), ((3,), -2), ((1,), 0), ((0,), 1), ((3, 3), 0), ((3, 5), 1), ((4, 2), -1), ((2, 2), 4)]:
        move("diag", lambda p: np.diag(p, k), [shape], i=[k])
    source = Source("vander")
    for k, (shape, columns, increasing) in enumerate([((3,), 4, 0), ((3,), 4, 1), ((), 3, 1), ((2, 3), 3, 0), ((5,), 1, 0), ((5,), 2, 1), ((0,), 3, 0), ((1,), 6, 1), ((7,), 3, 0), ((2, 1, 2), 4, 1)] * 2):
        x = source.uniform(shape, -1.5, 1.5)
        powers = np.arange(columns) if increasing else np.arange(columns)[::-1]
        gold.add("vander", f"{shape_name(shape)}_{k}", [v(x)], [out("F", x[..., None]**powers, np.abs(x[..., None])**powers + .1)], i=[columns, increasing], k=columns)
    gold.add("vander", "zero", [v([0.0, 1, -1])], [out("F", np.array([[1.0, 0, 0], [1, 1, 1], [1, -1, 1]]), np.ones((3, 3)))], i=[3, 1])


def make():
    files = {}
    for name, about, functions in [("index_made", "Composites that read and write by index, by NumPy.", (made_indices,)),
                                   ("index_place", "What is scattered by index, by NumPy.", (scatters,)),
                                   ("index_inplace", "Indexing in place, by NumPy.", (in_place,)),
                                   ("inplace_alone", "In-place operations of one operand, and with a mask, by NumPy.", (alone,)),
                                   ("view_reversed", "Slices from the end to the front, by NumPy.", (reversed_slices,)),
                                   ("window_made", f"Windows and patches, by NumPy and {PYTORCH}.", (windows,)),
                                   ("meshgrid_made", "Grids, parts and matrices of vectors, by NumPy.", (grids,))]:
        files[name] = Gold(about)
        for function in functions:
            function(files[name])
    return files
