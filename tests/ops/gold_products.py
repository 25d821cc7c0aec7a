"""Golden values of products by letters, of powers, covariances, areas and bounded norms, by NumPy."""
import math

import numpy as np

from gold_format import NULL, Gold, Source, out, shape_name, v

EQUATIONS = [("ij,jk->ik", [(3, 4), (4, 5)]), ("ij,jk", [(2, 3), (3, 2)]), ("ij,kj->ik", [(3, 4), (5, 4)]), ("ji,jk->ki", [(4, 3), (4, 2)]), ("bij,bjk->bik", [(2, 3, 4), (2, 4, 3)]),
             ("bij,jk->bik", [(2, 3, 4), (4, 2)]), ("i,j->ij", [(3,), (4,)]), ("i,i->", [(5,), (5,)]), ("i,i", [(33,), (33,)]), ("ii", [(4, 4)]), ("ii->i", [(4, 4)]), ("ij->ji", [(3, 4)]),
             ("ij->", [(3, 4)]), ("ij->j", [(3, 4)]), ("iij->j", [(3, 3, 2)]), ("ijk->kij", [(2, 3, 4)]), ("ij,ij->ij", [(3, 4), (3, 4)]), ("ij,j->i", [(3, 4), (4,)]),
             ("...ij,...jk->...ik", [(2, 3, 4), (2, 4, 5)]), ("...ij,...jk->...ik", [(2, 1, 3, 4), (3, 4, 2)]), ("...ij,jk", [(2, 3, 4), (4, 2)]), ("i...->...", [(3, 2, 2)]),
             ("...,...", [(3, 1), (4,)]), ("...i->...", [(2, 3)]), ("i...j->j...i", [(2, 3, 4)]), (" i j , j k -> i k ", [(2, 2), (2, 3)]), ("ab,bc,cd->ad", [(3, 4), (4, 2), (2, 5)]),
             ("ab,bc,cd,de->ae", [(2, 3), (3, 4), (4, 2), (2, 3)]), ("a,b,c,d,e->abcde", [(2,), (3,), (1,), (2,), (2,)]), ("ab,cb,c,ad,d->", [(3, 2), (4, 2), (4,), (3, 5), (5,)]),
             ("bi,bj,bk->bijk", [(2, 3), (2, 2), (2, 4)]), ("bilr,jlrk->bijk", [(1, 2, 2, 3), (2, 2, 3, 2)]), ("ijj,jk->ik", [(2, 3, 3), (3, 2)]), ("iji,jk->k", [(2, 3, 2), (3, 2)]),
             ("ijk,ilm->jklm", [(2, 2, 2), (2, 2, 3)]), ("ik,kj->ij", [(2, 0), (0, 3)]), ("ij,jk->ik", [(0, 3), (3, 2)]), (",ij->ij", [(), (2, 3)]), ("->", [()]), ("zA,Ab->bz", [(2, 3), (3, 4)]),
             ("bA", [(3, 2)]), ("ij,jk->ki", [(7, 33), (33, 5)]), ("aab,bc->ac", [(3, 3, 2), (2, 2)]), ("abcd,dcba->", [(2, 3, 2, 2), (2, 2, 3, 2)])]


def by_letters(gold):
    for k, (equation, shapes) in enumerate(EQUATIONS):
        source = Source(f"einsum {k}")
        operands = [source.uniform(shape, -2, 2) for shape in shapes]
        y, mag = np.einsum(equation, *operands), np.einsum(equation, *[np.abs(p) for p in operands])
        every = set(equation.split("->")[0]) - set(" ,.")
        sizes = {}
        for term, shape in zip(equation.replace(" ", "").split("->")[0].split(","), shapes):
            if "." not in term:
                sizes.update(zip(term, shape))
        gold.add("einsum", f"{k}_{shape_name(*shapes)}", [v(p) for p in operands], [out("F", y, mag)], i=[ord(c) for c in equation],
                 k=max(4, int(np.prod([max(1, sizes.get(c, 4)) for c in every]))))


def matrices(gold):
    source = Source("more products")
    for k, (sc, sa, sb) in enumerate([((2, 3, 5), (2, 3, 4), (2, 4, 5)), ((5,), (2, 3, 4), (2, 4, 5)), ((3, 1), (1, 3, 4), (1, 4, 2)), ((), (2, 2, 2), (2, 2, 2)), ((1, 1, 1), (3, 1, 7), (3, 7, 1)),
                                      ((2, 3, 5), (2, 3, 0), (2, 0, 5)), ((0, 2, 2), (0, 2, 3), (0, 3, 2))] * 3):
        w, x, y = source.uniform(sc), source.uniform(sa), source.uniform(sb)
        beta, alpha = ((1, 1), (.5, 2), (0, 1))[k % 3]
        mag = np.abs(beta * w) + np.abs(alpha) * (np.abs(x) @ np.abs(y))
        gold.add("baddbmm", f"{shape_name(sc, sa, sb)}_{k}", [v(w), v(x), v(y)], [out("F", beta * w + alpha * (x @ y), mag)], f=[beta, alpha], k=max(1, sa[-1]))
    for k, (shape, power) in enumerate([((3, 3), 2), ((3, 3), 3), ((2, 2), 5), ((1, 1), 7), ((2, 3, 3), 2), ((2, 2, 2), 4), ((3, 3), 1), ((3, 3), 0), ((0, 0), 2), ((2, 1, 2, 2), 3)] * 2):
        x = source.uniform(shape, -1, 1)
        y, mag = (np.linalg.matrix_power(p, power) for p in (x, np.abs(x)))
        gold.add("matrix_power", f"{shape_name(shape)}_{power}_{k}", [v(x)], [out("F", y, mag + .01)], i=[power], k=max(1, shape[-1] * power))
    for k, (sa, sb, dim) in enumerate([((3,), (3,), 0), ((2, 3), (2, 3), 1), ((3, 4), (3, 4), 0), ((3, 2), (3, 1), 0), ((4, 3), (3,), -1), ((3,), (2, 2, 3), -1), ((2, 3, 2), (2, 3, 2), 1), ((0, 3), (0, 3), 1),
                                       ((1, 3), (5, 3), 1), ((3, 1, 2), (3, 4, 1), 0)] * 2):
        x, y = source.uniform(sa), source.uniform(sb)
        wide = np.broadcast_arrays(x, y)
        p, q = (np.moveaxis(w, dim, 0) for w in wide)
        y_ = np.stack([p[(j + 1) % 3] * q[(j + 2) % 3] - p[(j + 2) % 3] * q[(j + 1) % 3] for j in range(3)])
        mag = np.stack([np.abs(p[(j + 1) % 3] * q[(j + 2) % 3]) + np.abs(p[(j + 2) % 3] * q[(j + 1) % 3]) for j in range(3)])
        gold.add("cross", f"{shape_name(sa, sb)}_{k}", [v(x), v(y)], [out("F", np.moveaxis(y_, 0, dim), np.moveaxis(mag, 0, dim))], i=[dim], k=2)
    for k, shape in enumerate([(2, 5), (1, 4), (3, 3), (4, 17), (2, 2, 6), (5, 2), (3, 33), (2, 1, 7), (6, 4), (1, 2)] * 2):
        x = source.uniform(shape)
        off = x - x.mean(-1, keepdims=True)
        correction = k % 2
        y = off @ np.swapaxes(off, -1, -2) / (shape[-1] - correction)
        size = np.sqrt(np.sum(off * off, -1, keepdims=True))
        gold.add("cov", f"{shape_name(shape)}_{k}", [v(x)], [out("F", y, np.full(y.shape, 16.0))], f=[correction], k=shape[-1])
        y = (off / size) @ np.swapaxes(off / size, -1, -2)
        gold.add("corrcoef", f"{shape_name(shape)}_{k}", [v(x)], [out("F", y, np.full(y.shape, 1 + np.max(np.abs(x)) / np.min(size)))], k=shape[-1], flags=["nograd"] if shape[-1] == 2 else [])


def areas(gold):
    source = Source("areas")
    for k, (shape, dim, kind) in enumerate([((7,), 0, 1), ((7,), 0, 0), ((3, 5), 1, 1), ((3, 5), 0, 1), ((3, 5), 1, 2), ((2, 3, 4), 1, 2), ((2, 3, 4), -1, 0), ((1,), 0, 1), ((0,), 0, 0), ((0, 3), 1, 2),
                                            ((33,), 0, 2), ((2, 1, 3), 0, 1)] * 2):
        y = source.uniform(shape)
        d, dx = dim % len(shape), (1, .5, -2)[k % 3]
        x = None if kind == 0 else source.uniform((shape[d],) if kind == 1 else shape)
        left, right = np.take(y, range(shape[d] - 1), d), np.take(y, range(1, shape[d]), d)
        if x is None:
            widths = dx
        else:
            widths = np.diff(x, axis=0 if kind == 1 else d)
            widths = widths.reshape([-1 if j == d else 1 for j in range(len(shape))]) if kind == 1 else widths
        pieces, mags = (left + right) / 2 * widths, (np.abs(left) + np.abs(right)) / 2 * (np.abs(widths) + 8)
        ins = [v(y), NULL if x is None else v(x)]
        gold.add("trapezoid", f"{shape_name(shape)}_{k}", ins, [out("F", pieces.sum(d), mags.sum(d))], i=[dim], f=[dx], k=max(1, shape[d]))
        gold.add("cumulative_trapezoid", f"{shape_name(shape)}_{k}", ins, [out("F", pieces.cumsum(d), mags.cumsum(d))], i=[dim], f=[dx], k=max(1, shape[d]))


def bounded(gold):
    source = Source("renorm")
    for k, (shape, dim) in enumerate([((3, 4), 0), ((3, 4), 1), ((2, 3, 4), 1), ((2, 3, 4), -1), ((7,), 0), ((5, 1), 0), ((0, 3), 1), ((1, 33), 0), ((4, 2, 2), 0), ((2, 2), 1)] * 3):
        order, most = ((2, 3), (1, 5), (3, 1.5))[k % 3]
        x = source.uniform(shape)
        x = np.where(np.abs(x) < .05, .5, x)
        others = tuple(j for j in range(len(shape)) if j != dim % len(shape))
        size = np.sum(np.abs(x)**order, axis=others, keepdims=True)**(1 / order)
        y = np.where(size > most, x * most / np.maximum(size, 1e-9), x)
        near = np.any(np.abs(size - most) < .02)
        gold.add("renorm", f"{shape_name(shape)}_{k}", [v(x)], [out("F", y, np.abs(y) + .1)], i=[dim], f=[order, most], k=max(1, int(np.prod(shape))), flags=["nograd"] if near else [])
    gold.add("renorm", "zeros", [v(np.zeros((2, 3)))], [out("F", np.zeros((2, 3)), np.ones((2, 3)))], i=[0], f=[2, 1])
    gold.add("renorm", "inf", [v([[1.0, -4], [2, 1]])], [out("F", np.array([[.5, -2], [2, 1]]), np.ones((2, 2)))], i=[0], f=[math.inf, 2], flags=["nograd"])


def make():
    files = {}
    for name, about, function in [("einsum", "Products by letters, by NumPy.", by_letters), ("matmul_powers", "Powers of matrices, vector products, covariances, by NumPy.", matrices),
                                  ("reduce_areas", "Integrals by the trapezoidal rule, by NumPy.", areas), ("norm_bounded", "Slices of a bounded norm, by NumPy.", bounded)]:
        files[name] = Gold(about)
        function(files[name])
    return files
