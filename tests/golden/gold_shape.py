"""Golden values of operations that move, select, scatter, convert or overwrite data, by NumPy."""
import numpy as np
import torch

from gold_format import Gold, Source, n, out, shape_name, v, x_

INF, NAN = np.inf, np.nan


class Mover:
    """Adds one case several times: floating data, signed integers, small unsigned integers, flags."""

    def __init__(self, gold):
        self.gold = gold
        self.serial = 0

    def __call__(self, op, function, shapes, i=(), f=(), const=(), kind="D", cmp="exact", index=(), flags=(), integers=True, mags=None, k=1):
        """function(*data, *index) -> array or tuple of arrays; shapes are those of the data inputs. Indices are the second
        operand of every operation that takes one."""
        source = Source(f"{op} {self.serial}")
        self.serial += 1
        label = f"{shape_name(*shapes)}_{self.serial}"
        draws = [("", v, lambda s: source.uniform(s, const=const))]
        if integers:
            draws += [("_int", n, lambda s: source.integers(s, -100, 100, const)), ("_uint", n, lambda s: source.integers(s, 0, 128, const))]
            draws += [("_flags", n, lambda s: source.integers(s, 0, 2, const))] if cmp == "exact" else []
        for suffix, wrap, draw in draws:
            data = [draw(s) for s in shapes]
            y = function(*data, *index)
            y = y if isinstance(y, tuple) else (y,)
            floating = wrap is v and cmp == "mag"
            outs = [out(kind, part, function(*[np.abs(d) for d in data], *index) if floating else None) for part in y]
            sums = ["nobool"] if cmp == "mag" else []
            self.gold.add(op, label + suffix, [wrap(d) for d in data[:1]] + [x_(j) for j in index] + [wrap(d) for d in data[1:]], outs, i=i, f=f,
                          cmp=cmp if floating or cmp == "exact" else "exact", k=k, flags=[*flags, *sums])


def views(gold):
    move = Mover(gold)
    for shape, to in [((), (1,)), ((1,), ()), ((6,), (2, 3)), ((2, 3), (6,)), ((2, 3, 4), (6, 4)), ((2, 3, 4), (-1,)), ((2, 3, 4), (2, -1, 2)), ((2, 6), (2, 3, 2)),
                      ((0, 3), (3, 0)), ((2, 0), (0,)), ((1, 1), ()), ((4, 3), (3, 4)), ((2, 3, 4), (4, 3, 2)), ((5,), (5, 1)), ((2, 2, 2, 2), (4, 1, -1))]:
        move("reshape", lambda a, to=to: a.reshape(to), [shape], i=to)
        if len(shape) > 1:
            move("reshape", lambda a, to=to: a.reshape(to), [shape], i=to, const=(0,))
    for shape, d0, d1 in [((3, 4), 0, 1), ((3, 4), 0, 0), ((2, 3, 4), 0, 2), ((2, 3, 4), -1, -2), ((2, 3, 4), 1, 0), ((1, 5), 0, 1), ((0, 3), 0, 1), ((2, 3, 4, 5), 1, 3),
                          ((7,), 0, 0), ((3, 1, 2), 0, -1)]:
        move("transpose", lambda a, p=d0, q=d1: np.swapaxes(a, p, q), [shape], i=[d0, d1])
    move("transpose", lambda a: np.swapaxes(a, 0, 1), [(3, 4)], i=[0, 1], const=(1,))
    for shape, dims in [((3, 4), (1, 0)), ((2, 3, 4), (2, 0, 1)), ((2, 3, 4), (1, 2, 0)), ((2, 3, 4), (0, 2, 1)), ((2, 3, 4), (-1, 0, 1)), ((), ()), ((5,), (0,)),
                        ((2, 1, 3, 2), (3, 2, 1, 0)), ((2, 0, 3), (1, 2, 0)), ((2, 2, 1, 2, 3), (4, 0, 3, 1, 2))]:
        move("permute", lambda a, d=dims: np.transpose(a, d), [shape], i=dims)
    move("permute", lambda a: np.transpose(a, (2, 0, 1)), [(2, 3, 4)], i=(2, 0, 1), const=(1,))
    for shape, to in [((), (3,)), ((1,), (4,)), ((3,), (2, 3)), ((1, 3), (4, 3)), ((3, 1), (3, 5)), ((1, 1), (2, 3)), ((2, 1, 3), (2, 4, -1)), ((3,), (2, 4, -1)),
                      ((1,), (0,)), ((2, 3), (2, 3)), ((), ()), ((0, 1), (0, 4)), ((1, 2, 1), (3, 2, 2))]:
        target = [shape[d - len(to) + len(shape)] if size == -1 else size for d, size in enumerate(to)]
        move("expand", lambda a, t=tuple(target): np.broadcast_to(a, t), [shape], i=to)
    for shape, dims in [((1,), ()), ((1, 3, 1), ()), ((1, 3, 1), (0,)), ((1, 3, 1), (-1,)), ((1, 3, 1), (0, 2)), ((2, 3), ()), ((), ()), ((1, 0, 1), (2,)), ((2, 1, 2), (1,))]:
        move("squeeze", lambda a, d=dims: np.squeeze(a, d) if d else np.squeeze(a), [shape], i=dims)
    for shape, dim in [((), 0), ((), -1), ((3,), 0), ((3,), 1), ((3,), -1), ((2, 3), 1), ((2, 3), -2), ((2, 3), -3), ((0,), 0), ((2, 3, 4), 3)]:
        move("unsqueeze", lambda a, d=dim: np.expand_dims(a, d), [shape], i=[dim])
    far = 2**62
    for shape, dim, start, stop, step in [((7,), 0, 0, 7, 1), ((7,), 0, 2, 5, 1), ((7,), 0, 0, 7, 2), ((7,), 0, 1, 7, 3), ((7,), 0, -3, 7, 1), ((7,), 0, 0, -2, 1),
                                          ((7,), 0, 5, 2, 1), ((7,), 0, -100, 100, 1), ((7,), 0, 2, far, 4), ((3, 5), 1, 1, 4, 1), ((3, 5), 0, 1, 3, 1), ((3, 5), -1, 0, 5, 2),
                                          ((2, 3, 4), 1, 1, 2, 1), ((2, 3, 4), -3, -1, far, 1), ((0, 3), 0, 0, 5, 1), ((0, 3), 1, 1, 3, 1), ((4, 4), 0, 9, 12, 1), ((3, 5), 1, 0, 5, 100)]:
        pick = (slice(None),) * (dim % len(shape)) + (slice(start, stop, step),)
        move("slice", lambda a, p=pick: a[p], [shape], i=[dim, start, stop, step])
    for shape, dim, index in [((7,), 0, 0), ((7,), 0, 6), ((7,), 0, -1), ((3, 5), 0, 1), ((3, 5), 1, -5), ((3, 5), -1, 2), ((2, 3, 4), 1, 1), ((2, 3, 4), -1, -1),
                              ((2, 0), 0, 1), ((1,), 0, 0)]:
        move("select", lambda a, d=dim, j=index: np.take(a, j, axis=d), [shape], i=[dim, index])
    for shape in [(), (1,), (7,), (0,), (3, 5), (2, 3, 4), (2, 0, 3), (33,)]:
        for op in ("detach", "clone", "contiguous"):
            move(op, lambda a: a, [shape])
            if len(shape) > 1:
                move(op, lambda a: a, [shape], const=(0,))
    for shape, first, last in [((2, 3, 4), 0, 2), ((2, 3, 4), 0, 1), ((2, 3, 4), 1, 2), ((2, 3, 4), 1, -1), ((2, 3, 4), 1, 1), ((), 0, 0), ((5,), 0, 0), ((0, 3, 2), 0, 1),
                               ((2, 3, 4, 2), 1, 2), ((2, 3), -2, -1)]:
        first_, last_ = (first % max(1, len(shape)), last % max(1, len(shape)))
        joined = (1,) if not shape else shape[:first_] + (int(np.prod(shape[first_:last_ + 1])),) + shape[last_ + 1:]
        move("flatten", lambda a, t=joined: a.reshape(t), [shape], i=[first, last])
        if len(shape) > 1:
            move("flatten", lambda a, t=joined: a.reshape(t), [shape], i=[first, last], const=(0,))


def joins(gold):
    move = Mover(gold)
    for shape, count, dim in [((), 3, 0), ((3,), 2, 0), ((3,), 2, 1), ((3,), 1, -1), ((2, 3), 3, 0), ((2, 3), 3, 1), ((2, 3), 3, 2), ((2, 3), 2, -1), ((2, 3), 2, -3),
                              ((0, 2), 2, 1), ((2, 3, 4), 4, 2)]:
        move("stack", lambda *a, d=dim: np.stack(a, d), [shape] * count, i=[dim])
    for shapes, dim in [([(3,), (2,)], 0), ([(3,)], 0), ([(2, 3), (1, 3)], 0), ([(2, 3), (2, 1), (2, 2)], 1), ([(2, 3), (2, 1)], -1), ([(2, 3, 4), (2, 1, 4)], 1),
                        ([(2, 3, 4), (2, 3, 1), (2, 3, 2)], 2), ([(1, 2), (3, 2), (2, 2)], -2), ([(0, 2), (3, 2)], 0), ([(2, 0), (2, 0)], 1), ([(33,), (17,)], 0),
                        ([(4, 2)] * 8, 0)]:
        move("concat", lambda *a, d=dim: np.concatenate(a, d), shapes, i=[dim])
    move("concat", lambda *a: np.concatenate(a, 1), [(3, 2), (3, 4)], i=[1], const=(0,))
    for shape, dim, sizes in [((7,), 0, (3, 4)), ((7,), 0, (7,)), ((7,), 0, (0, 7)), ((2, 6), 1, (1, 2, 3)), ((2, 6), -1, (2, 2, 2)), ((4, 3), 0, (1, 3)), ((2, 4, 3), 1, (1, 1, 2)),
                              ((0, 3), 1, (1, 2)), ((2, 3, 4), -3, (1, 1))]:
        cuts = np.cumsum(sizes)[:-1]
        move("split", lambda a, d=dim, c=cuts: tuple(np.split(a, c, d)), [shape], i=[dim, *sizes])
    for shape, before, after in [((3,), (1,), (2,)), ((3,), (0,), (0,)), ((2, 3), (1, 0), (0, 2)), ((2, 3), (1, 1), (1, 1)), ((2, 3, 2), (0, 2, 1), (1, 0, 0)), ((), (), ()),
                                 ((0,), (2,), (1,)), ((2, 0), (0, 1), (0, 1)), ((1, 1, 2, 2), (0, 0, 1, 2), (0, 0, 2, 1)), ((33,), (5,), (8,))]:
        for value in (0, 3):
            widths = list(zip(before, after))
            move("pad", lambda a, w=widths, c=value: np.pad(a, w, constant_values=c) if w else a, [shape], i=[*before, *after], f=[value],
                 integers=value == 0)
    move("pad", lambda a: np.pad(a, [(1, 1), (0, 2)], constant_values=-np.inf), [(2, 3)], i=[1, 0, 1, 2], f=[-np.inf], integers=False, flags=["special"])
    for value in (3, 7):
        x = Source("pad value").integers((2, 3), 0, 9)
        gold.add("pad", f"int_value_{value}", [n(x)], [out("D", np.pad(x, [(1, 0), (0, 1)], constant_values=value))], i=[1, 0, 0, 1], f=[value], cmp="exact")
    for shape, dims in [((5,), (0,)), ((33,), (0,)), ((2, 3), (0,)), ((2, 3), (1,)), ((2, 3), (-1,)), ((2, 3), (0, 1)), ((2, 3, 4), (0, 2)), ((2, 3, 4), (-2,)), ((0, 3), (0,)),
                        ((1,), (0,)), ((2, 3, 4), (0, 1, 2))]:
        move("flip", lambda a, d=dims: np.flip(a, d), [shape], i=dims)
    move("flip", lambda a: np.flip(a, (0,)), [(3, 4)], i=[0], const=(1,))
    for shape, dim in [((3,), 0), ((1,), -1), ((2, 3), 0), ((2, 3), 1), ((4, 0), 0), ((2, 3, 4), -1), ((2, 3, 4), 1), ((3, 2, 1, 2), 0)]:
        move("unbind", lambda a, d=dim: tuple(np.moveaxis(a, d, 0)), [shape], i=[dim, shape[dim]])


def scatter(x, index, src, dim):
    y = np.array(x)
    places = list(np.indices(index.shape))
    places[dim] = index
    np.add.at(y, tuple(places), src)
    return y


def add_slices(x, index, src, dim):
    y = np.moveaxis(np.array(x), dim, 0)
    np.add.at(y, index, np.moveaxis(src, dim, 0))
    return np.moveaxis(y, 0, dim)


def indexing(gold):
    move = Mover(gold)
    source = Source("indexing")
    shapes = [((5,), (3,), 0), ((5,), (9,), 0), ((3, 4), (3, 2), 1), ((3, 4), (2, 4), 0), ((3, 4), (2, 4), -2), ((3, 4), (3, 7), -1), ((2, 3, 4), (2, 5, 4), 1), ((2, 3, 4), (1, 3, 2), 2),
              ((2, 3, 4), (2, 2, 3), 0), ((3, 4), (3, 0), 1), ((33,), (33,), 0), ((2, 1, 5), (2, 1, 5), 2), ((4, 4), (4, 4), 0)]
    for shape, taken, dim in shapes:
        index = source.rng.integers(0, shape[dim], taken)
        corner = tuple(slice(0, size) if d != dim % len(shape) else slice(None) for d, size in enumerate(taken))
        move("gather", lambda a, j, d=dim, c=corner: np.take_along_axis(a[c], j, d), [shape], i=[dim], index=[index])
        move("scatter_add", lambda a, s, j, d=dim: scatter(a, j, s, d), [shape, taken], i=[dim], index=[index], cmp="mag", k=4)
    for shape, count, dim in [((5,), 3, 0), ((5,), 8, 0), ((3, 4), 2, 0), ((3, 4), 6, 1), ((3, 4), 2, -1), ((2, 3, 4), 5, 1), ((2, 3, 4), 3, -3), ((3, 4), 0, 0), ((2, 33), 40, 1),
                              ((4, 1), 3, 0), ((0, 4), 2, 1)]:
        index = source.rng.integers(0, shape[dim], (count,))
        given = tuple(count if d == dim % len(shape) else size for d, size in enumerate(shape))
        move("index_select", lambda a, j, d=dim: np.take(a, j, axis=d), [shape], i=[dim], index=[index])
        move("index_add", lambda a, s, j, d=dim: add_slices(a, j, s, d), [shape, given], i=[dim], index=[index], cmp="mag", k=4)
    move("index_select", lambda a, j: np.take(a, j, axis=0), [(3, 4)], i=[0], index=[np.array([2, 0, 2])], const=(1,))
    for vocabulary, width, taken in [(5, 3, (4,)), (5, 3, ()), (5, 3, (2, 3)), (1, 1, (3,)), (7, 16, (2, 2, 2)), (4, 3, (0,)), (9, 33, (5,)), (3, 2, (20,))]:
        index = source.rng.integers(0, vocabulary, taken)
        move("embedding", lambda a, j: a[j], [(vocabulary, width)], index=[index])
    move("embedding", lambda a, j: a[j], [(4, 3)], index=[np.array([1, 1, 3])], const=(0,))


DTYPES = ["f32", "f64", "f16", "bf16", "i64", "i32", "i8", "u8", "bool"]  # the order of WEFT_DTYPE_LIST
RANGES = {"i64": (-2**63, 2**63 - 1), "i32": (-2**31, 2**31 - 1), "i8": (-128, 127), "u8": (0, 255)}


def converted(x, dtype):
    """Floats to any dtype: integers truncate toward 0 and saturate, NaN gives 0; bool is `nonzero`."""
    if dtype == "bool":
        return (x != 0).astype(np.int64)
    if dtype in RANGES:
        lo, hi = RANGES[dtype]
        return np.array([0 if np.isnan(t) else lo if t <= lo else hi if t >= hi else int(t) for t in x.ravel()], dtype=np.int64).reshape(x.shape)
    if dtype == "bf16":
        return torch.tensor(x).to(torch.float32).to(torch.bfloat16).to(torch.float64).numpy()
    with np.errstate(over="ignore"):
        return x.astype({"f16": np.float16, "f32": np.float32, "f64": np.float64}[dtype]).astype(np.float64)


def casts(gold):
    source = Source("cast")
    for code, dtype in enumerate(DTYPES):
        kind = "T:" + dtype
        smooth = [] if dtype == "f64" else ["nograd"]  # rounding spoils differences
        for shape, const in [((7,), ()), ((), ()), ((0,), ()), ((3, 5), ()), ((33,), ()), ((2, 3, 4), ()), ((3, 4), (0,)), ((3, 4), (1,))]:
            x = source.uniform(shape, -100, 100, const)
            gold.add("cast", f"{shape_name(shape)}_to_{dtype}", [v(x)], [out(kind, converted(x, dtype))], i=[code], cmp="exact", flags=smooth)
        x = np.array([NAN, INF, -INF, 0.0, -0.0])
        gold.add("cast", f"ieee_to_{dtype}", [v(x)], [out(kind, converted(x, dtype))], i=[code], cmp="exact", flags=["special"])
        x = source.rng.uniform(-1, 1, 50).astype(np.float32).astype(float)
        edges = [1 + 2.0**-8, 1 + 2.0**-11, 1 + 3 * 2.0**-11, 1 + 3 * 2.0**-8, 65504, 65519, 65520, 1e6, 2.0**-24, 2.0**-25, 1.5 * 2.0**-25, 2.0**-14, 3e38,
                 -3e38, 127.5, 128, -128.9, -129, 255.9, 256, -0.5, -1.0, 2147483648.0, -2147483648.0, 9.3e18, -9.3e18, 2.0**-149, 2.0**-133, 16777217]
        x = np.concatenate([x, np.array(edges, dtype=np.float32).astype(float)])
        gold.add("cast", f"rounding_to_{dtype}", [v(x)], [out(kind, converted(x, dtype))], i=[code], cmp="exact", flags=["f32", "special"])
        if dtype not in ("f16", "bf16"):  # (those go through f32, which rounds twice)
            x = np.array([1e300, -1e300, 1 + 2.0**-40, 2.0**53 + 2, 2147483646.5, 9223372036854774784.0, 1e-320, 2.0**-149 * 0.75])
            gold.add("cast", f"f64_to_{dtype}", [v(x)], [out(kind, converted(x, dtype))], i=[code], cmp="exact", flags=["f64", "special"])
        for label, x in [("flags", source.integers((9,), 0, 2)), ("small", source.integers((3, 5), 0, 100)), ("signed", source.integers((11,), -100, 100)),
                         ("wide", np.array([2**40 + 3, -2**40, 200, -1, 65000]))]:
            if dtype == "bool":
                y = x != 0
            elif dtype in RANGES:
                y = x if label != "wide" or dtype == "i64" else None
            else:
                y = converted(x.astype(float), dtype)
            if y is not None:
                gold.add("cast", f"{label}_to_{dtype}", [n(x)], [out(kind, y)], i=[code], cmp="exact")


def in_place(gold):
    rules = {"add_": lambda a, b: a + b, "sub_": lambda a, b: a - b, "mul_": lambda a, b: a * b, "div_": lambda a, b: a / b, "copy_": lambda a, b: b + 0 * a}
    shapes = [((), ()), ((7,), (7,)), ((33,), ()), ((3, 5), (5,)), ((3, 5), (3, 1)), ((2, 3, 4), (2, 3, 4)), ((2, 3, 4), (1, 3, 1)), ((0,), (0,)), ((4, 3), (4, 3)), ((1,), (1,))]
    for name, rule in rules.items():
        source = Source(name)
        for k, (sx, sy) in enumerate(shapes * 2):
            x, y = source.uniform(sx), source.uniform(sy, .25, 4)
            gold.add(name, f"{shape_name(sx, sy)}_{k}", [v(x), v(y)], [out("D", rule(x, y))], cmp="exact" if name == "copy_" else "ulp", flags=["inplace"])
            if name != "div_":
                x, y = source.integers(sx, 0, 10), source.integers(sy, 0, 10)
                gold.add(name, f"int_{shape_name(sx, sy)}_{k}", [n(x), n(y)], [out("D", rule(x, y))], cmp="exact",
                         flags=["inplace"] + (["nobool"] if name != "copy_" else []))
        y = source.uniform((3, 4), .25, 4, (0,))
        x = source.uniform((3, 4))
        gold.add(name, "const", [v(x), v(y)], [out("D", rule(x, y))], cmp="exact" if name == "copy_" else "ulp", flags=["inplace"])
    source = Source("fill_")
    for shape in [(), (7,), (33,), (3, 5), (2, 3, 4), (0,), (2, 0)]:
        for value in (0, 2.5, -1, NAN):
            gold.add("fill_", f"{shape_name(shape)}_{value}", [v(source.uniform(shape))], [out("D", np.full(shape, float(value)))], f=[value], cmp="exact",
                     flags=["inplace"])
        gold.add("fill_", f"int_{shape_name(shape)}", [n(source.integers(shape, 0, 9))], [out("D", np.full(shape, 7))], f=[7], cmp="exact",
                 flags=["inplace", "nobool"])


def make():
    files = {}
    for name, functions, about in [("shape", (views, joins), "Views, joins, pads and flips, by NumPy"), ("index", (indexing,), "Indexing, by NumPy"),
                                   ("cast", (casts,), "Conversions between dtypes, by NumPy (bf16: PyTorch)"), ("inplace", (in_place,), "In-place operations, by NumPy")]:
        files[name] = Gold(about + ".")
        for function in functions:
            function(files[name])
    return files
