"""Golden values of linear algebra, by mpmath with 40 digits, determinants in fractions; factors have the signs that ops.h says."""
from fractions import Fraction

import mpmath as mp
import numpy as np

from gold_format import Gold, Source, out, q8, shape_name, v

SQUARE = [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (0, 0), (2, 3, 3), (3, 1, 1), (2, 1, 2, 2), (0, 3, 3), (2, 0, 0), (1, 4, 4), (2, 2)]
OBLONG = [(1, 1), (3, 2), (2, 3), (4, 4), (5, 3), (1, 4), (4, 1), (0, 3), (3, 0), (2, 3, 2), (2, 2, 3), (0, 2, 3), (7, 2), (2, 2), (3, 3), (6, 4)]


def exact(x):
    return mp.matrix(x.tolist()) if x.size else None


def floats(m, shape):
    return np.array([[float(m[i, j]) for j in range(shape[1])] for i in range(shape[0])]).reshape(shape)


def each(x, function, own=2):
    """function of each matrix (or vector) of x; a tuple of arrays, or an array, stacked."""
    lead, core = x.shape[:x.ndim - own], x.shape[x.ndim - own:]
    count = int(np.prod(lead))
    some = [function(m) for m in x.reshape((count, ) + core)] if count else [function(np.eye(*core))]
    several = isinstance(some[0], tuple)
    parts = list(zip(*some)) if several else [some]
    stacked = [np.array(p).reshape(lead + np.shape(p[0])) if count else np.zeros(lead + np.shape(p[0])) for p in parts]
    return stacked if several else stacked[0]


def dominant(source, shape):
    """8-bit values whose matrices are far from singular."""
    return q8(source.uniform(shape, -1, 1) + np.eye(shape[-1]) * shape[-1])


def positive(source, shape):
    """Symmetric positive definite, in every dtype."""
    x = source.uniform(shape, -1, 1)
    return q8(np.tril(x) + np.swapaxes(np.tril(x, -1), -1, -2) + np.eye(shape[-1]) * shape[-1])


def turned(columns):
    """The first of the largest components of each column is positive."""
    sign = []
    for j in range(columns.shape[1]):
        sizes = np.abs(columns[:, j])
        sign.append(np.sign(columns[np.nonzero(sizes >= .999 * sizes.max())[0][0], j]) if sizes.size else 1.0)
    return np.array(sign)


def size(y):
    """Errors are small beside the largest element of a matrix."""
    return np.broadcast_to(np.max(np.abs(y), axis=tuple(range(max(0, y.ndim - 2), y.ndim)), keepdims=True) if y.size else np.zeros(y.shape), y.shape) + .25


def put(gold, op, name, ins, results, i=(), f=(), k=8, flags=()):
    gold.add(op, name, [v(x) for x in ins], [out("F", y, size(y)) for y in results], i=i, f=f, k=k, flags=flags)


def determinant(m):
    """Along the first row, in fractions."""
    def along(rows):
        if not rows:
            return Fraction(1)
        return sum(((-1)**j * value * along([row[:j] + row[j + 1:] for row in rows[1:]]) for j, value in enumerate(rows[0]) if value), Fraction(0))

    return float(along([[Fraction(value) for value in row] for row in m.tolist()]))


def inverse(m):
    return floats(exact(m)**-1, m.shape) if m.size else m


def solved(m, b):
    return floats(mp.lu_solve(exact(m), exact(b)) if b.shape[1] == 1 else exact(m)**-1 * exact(b), b.shape) if m.size and b.size else np.zeros(b.shape)


def cofactors(m):
    n = m.shape[0]
    return np.array([[(-1)**(i + j) * determinant(np.delete(np.delete(m, i, 0), j, 1)) for j in range(n)] for i in range(n)]).reshape(n, n)


def cholesky(m):
    return floats(mp.cholesky(exact((m + m.T) / 2)), m.shape) if m.size else m


def qr(m):
    k = min(m.shape)
    if not k:
        return np.zeros((m.shape[0], k)), np.zeros((k, m.shape[1]))
    wide = exact(m[:, :k])
    q, r = mp.qr(wide, mode="full")
    rest = (q.T * exact(m))
    sign = [1 if r[i, i] >= 0 else -1 for i in range(k)]
    q = np.array([[float(q[i, j] * sign[j]) for j in range(k)] for i in range(m.shape[0])])
    r = np.array([[float(rest[i, j] * sign[i]) if j >= i else 0.0 for j in range(m.shape[1])] for i in range(k)])
    return q, r


def eigh(m):
    if not m.size:
        return np.zeros(0), m
    values, vectors = mp.eigsy(exact((m + m.T) / 2))
    w, x = np.array([float(e) for e in values]), floats(vectors, m.shape)
    order = np.argsort(w, kind="stable")
    x = x[:, order]
    return w[order], x * turned(x)


def svd(m):
    k = min(m.shape)
    if not k:
        return np.zeros((m.shape[0], 0)), np.zeros(0), np.zeros((0, m.shape[1]))
    u, s, vh = mp.svd_r(exact(m), full_matrices=False)
    u, s, vh = floats(u, (m.shape[0], k)), np.array([float(e) for e in s]), floats(vh, (k, m.shape[1]))
    sign = turned(u)
    return u * sign, s, sign[:, None] * vh


def pinv(m, rtol):
    if not m.size:
        return np.zeros(m.shape[::-1])
    u, s, vh = mp.svd_r(exact(m), full_matrices=False)
    total = mp.zeros(m.shape[1], m.shape[0])
    for i in range(len(s)):
        if s[i] > rtol * s[0]:
            total += vh[i, :].T * u[:, i].T / s[i]
    return floats(total, m.shape[::-1])


def square_ones(gold):
    for k, shape in enumerate(SQUARE * 2):
        name, n = f"{shape_name(shape)}_{k}", shape[-1]
        source = Source(f"linalg {k}")
        x = positive(source, shape) if k % 3 else dominant(source, shape)
        put(gold, "cholesky", name, [x], [each(x, cholesky)])
        x = dominant(source, shape)
        put(gold, "inverse", name, [x], [each(x, inverse)])
        x = q8(x * (-1)**(k % 2))
        y = each(x, determinant)
        put(gold, "slogdet", name, [x], [np.log(np.abs(y)), np.sign(y)])
        x = np.swapaxes(dominant(source, shape), -1, -2) * (1 if k % 2 or n % 2 == 0 else -1)
        y = each(x, determinant)
        gold.add("logdet", name, [v(x)], [out("F", np.log(np.where(y > 0, y, np.nan)), np.full(y.shape, n + 1.0))], k=8, flags=["special"] if np.any(y < 0) else [])
        x = source.uniform(shape, -2, 2)
        y = each(x, determinant)
        gold.add("det", name, [v(x)], [out("F", y, np.full(y.shape, 3.0**n))], k=8)
        put(gold, "cofactor", name, [x], [each(x, cofactors)], k=16)
        x = source.uniform(shape, -2, 2)
        x = q8((x + np.swapaxes(x, -1, -2)) / 2) if k % 2 else x
        w, y = each(x, eigh)
        put(gold, "eigh", name, [x], [w, y], k=64)
        put(gold, "eigvalsh", name, [x], [w])
        x = source.uniform(shape, -1, 1)
        put(gold, "matrix_exp", name, [x], [each(x, lambda m: floats(mp.expm(exact(m), method="taylor"), m.shape) if m.size else m)], k=16)
    for name, x in [("zeros", np.zeros((2, 2))), ("counted", np.arange(1.0, 10).reshape(3, 3)), ("rank_1", np.outer([1, 2, -1], [1, 3, 2]).astype(float)),
                    ("rank_2", np.outer([1, 2, 0, 1], [1, 0, 1, 2]) + np.outer([0, 1, 1, 1], [2, 1, 0, 1]).astype(float)), ("rank_3", np.diag([2.0, 0, 3, 1])),
                    ("zeros_3", np.zeros((3, 3))), ("one_column", np.array([[0.0, 1, 2], [0, 3, 4], [0, 5, 7]])), ("equal", np.eye(4) * 2)]:
        gold.add("det", name, [v(x)], [out("F", np.array(determinant(x)), np.array(30.0))], k=8)
        put(gold, "cofactor", name, [x], [cofactors(x)], k=16)
        put(gold, "pinv", name, [x], [pinv(x, 1e-3)], f=[1e-3], k=16, flags=["nograd"])
    for name, x in [("large", np.array([[6.0, 1], [2, 5]])), ("nilpotent", np.array([[0.0, 2, 1], [0, 0, 3], [0, 0, 0]])), ("zeros", np.zeros((3, 3))),
                    ("negative", np.array([[-8.0, 1], [0, -4]]))]:
        put(gold, "matrix_exp", name, [x], [floats(mp.expm(exact(x), method="taylor"), x.shape)], k=64)
    diagonal = np.diag([3.0, -1, 2])
    put(gold, "eigh", "diagonal", [diagonal], list(eigh(diagonal)))
    put(gold, "eigvalsh", "equal", [np.eye(3) * 2], [np.full(3, 2.0)], flags=["nograd"])
    for name, value in [("singular", np.zeros((2, 2))), ("rank_1", np.array([[1.0, 2], [2, 4]]))]:
        gold.add("slogdet", name, [v(value)], [out("F", np.array(-np.inf)), out("F", np.array(0.0))], flags=["special"])
        gold.add("logdet", name, [v(value)], [out("F", np.array(-np.inf))], flags=["special"])


def solutions(gold):
    shapes = [((3, 3), (3, 2)), ((1, 1), (1, 1)), ((4, 4), (4, 1)), ((2, 2), (2, 5)), ((5, 5), (5, 3)), ((2, 3, 3), (2, 3, 2)), ((3, 3), (2, 3, 1)), ((2, 3, 3), (3, 2)), ((0, 0), (0, 2)), ((3, 3), (3, 0)),
              ((0, 2, 2), (0, 2, 3)), ((2, 1, 2, 2), (3, 2, 1))]
    for k, (sa, sb) in enumerate(shapes * 2):
        name = f"{shape_name(sa, sb)}_{k}"
        source = Source(f"linalg solve {k}")
        x, b = dominant(source, sa), source.uniform(sb, -2, 2)

        def both(function, second=None):
            second = b if second is None else second
            lead = np.broadcast_shapes(sa[:-2], sb[:-2])
            p, q = np.broadcast_to(x, lead + sa[-2:]), np.broadcast_to(second, lead + second.shape[-2:])
            count = int(np.prod(lead))
            flat = [function(m, r) for m, r in zip(p.reshape((count, ) + sa[-2:]), q.reshape((count, ) + second.shape[-2:]))]
            return np.array(flat).reshape(lead + second.shape[-2:])

        put(gold, "solve", name, [x, b], [both(solved)])
        put(gold, "cholesky_solve", name, [x, b], [both(lambda m, r: solved(np.tril(m) @ np.tril(m).T, r))])
        for flags in ((k * 5) % 16, (k * 7 + 3) % 16):
            def triangle(m, r):
                part = np.triu(m) if flags & 1 else np.tril(m)
                if flags & 4:
                    part = part - np.diag(np.diag(part)) + np.eye(len(m))
                part = part.T if flags & 2 else part
                return solved(part.T, r.T).T if flags & 8 else solved(part, r)
            second = np.swapaxes(b, -1, -2) if flags & 8 else b
            put(gold, "triangular_solve", f"{name}_{flags}", [x, second], [both(triangle, second)], i=[flags])
    for k, n in enumerate((1, 3, 4)):
        source = Source(f"linalg vector {k}")
        x, b = dominant(source, (n, n)), source.uniform((n,), -2, 2)
        put(gold, "solve", f"vector_{n}", [x, b], [solved(x, b[:, None])[:, 0]])
    source = Source("linalg const")
    x, b = np.broadcast_to(dominant(source, (3, 3)), (2, 3, 3)).copy(), source.uniform((2, 3, 2), -2, 2)
    put(gold, "solve", "repeated", [x, b], [np.array([solved(x[0], m) for m in b])])


def oblong_ones(gold):
    for k, shape in enumerate(OBLONG * 2):
        name = f"{shape_name(shape)}_{k}"
        source = Source(f"linalg oblong {k}")
        x = source.uniform(shape, -2, 2)
        some = x + 2 * np.eye(*shape[-2:])  # the first columns are far from dependent
        x = q8(some)
        q, r = each(x, qr)
        put(gold, "qr", name, [x], [q, r], k=64)
        u, s, vh = each(x, svd)
        put(gold, "svd", name, [x], [u, s, vh], k=64)
        put(gold, "svdvals", name, [x], [s])
        put(gold, "pinv", name, [x], [each(x, lambda m: pinv(m, 1e-10))], f=[-1], k=16)
        b = source.uniform(shape[:-1] + (2,), -2, 2)
        inner = each(x, lambda m: pinv(m, 1e-10))
        put(gold, "lstsq", name, [x, b], [inner @ b], f=[-1], k=16)
    put(gold, "lstsq", "vector", [np.array([[1.0, 0], [1, 1], [1, 2]]), np.array([1.0, 0, 2])], [np.array([.5, .5])], f=[-1], k=16)
    put(gold, "lstsq", "rank_1", [np.array([[1.0, 2], [2, 4]]), np.array([5.0, 10])], [np.array([1.0, 2])], f=[1e-3], k=16, flags=["nograd"])
    put(gold, "svdvals", "equal", [np.eye(3)], [np.ones(3)], flags=["nograd"])
    put(gold, "svdvals", "zeros", [np.zeros((3, 2))], [np.zeros(2)], flags=["nograd"])


def gaps(gold):
    for k, shape in enumerate([(3,), (1,), (4,), (0,), (2, 3), (7,), (2, 2, 2), (0, 3), (3, 1), (5,), (2, 4), (6,)] * 2):
        source = Source(f"linalg gaps {k}")
        x = q8(np.cumsum(source.uniform(shape, .25, 1), axis=-1) * (1 if k % 2 else -1))
        step = x[..., None, :] - x[..., :, None]
        same = np.eye(shape[-1], dtype=bool)
        put(gold, "reciprocal_gaps", f"{shape_name(shape)}_{k}", [x], [np.where(same, 0, 1 / np.where(same, 1, step))])


def make():
    mp.mp.dps = 40
    gold = Gold("Linear algebra, by mpmath.")
    for function in (square_ones, solutions, oblong_ones, gaps):
        function(gold)
    mp.mp.dps = 15
    return {"linalg": gold}
