"""Golden values of indexing, by NumPy."""
import numpy as np

from gold_format import Gold, Source
from gold_move import Mover


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


def make():
    gold = Gold("Indexing, by NumPy.")
    indexing(gold)
    return {"index": gold}
