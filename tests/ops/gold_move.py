"""A case of an operation that moves data, several times: floats, signed and unsigned integers, flags."""
import numpy as np

from gold_format import Source, n, out, shape_name, v, x_


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
