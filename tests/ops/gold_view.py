"""Golden values of views, by NumPy."""
import numpy as np

from gold_format import Gold
from gold_move import Mover


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
        move("detach", lambda a: a, [shape])
        if len(shape) > 1:
            move("detach", lambda a: a, [shape], const=(0,))
    for shape, first, last in [((2, 3, 4), 0, 2), ((2, 3, 4), 0, 1), ((2, 3, 4), 1, 2), ((2, 3, 4), 1, -1), ((2, 3, 4), 1, 1), ((), 0, 0), ((5,), 0, 0), ((0, 3, 2), 0, 1),
                               ((2, 3, 4, 2), 1, 2), ((2, 3), -2, -1)]:
        first_, last_ = (first % max(1, len(shape)), last % max(1, len(shape)))
        joined = (1,) if not shape else shape[:first_] + (int(np.prod(shape[first_:last_ + 1])),) + shape[last_ + 1:]
        move("flatten", lambda a, t=joined: a.reshape(t), [shape], i=[first, last])
        if len(shape) > 1:
            move("flatten", lambda a, t=joined: a.reshape(t), [shape], i=[first, last], const=(0,))


def make():
    gold = Gold("Views, by NumPy.")
    views(gold)
    return {"view": gold}
