"""Golden values of joins, splits, pads and flips, by NumPy."""
import numpy as np

from gold_format import Gold, Source, n, out
from gold_move import Mover


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


def make():
    gold = Gold("Joins, splits, pads and flips, by NumPy.")
    joins(gold)
    return {"join": gold}
