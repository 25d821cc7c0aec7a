"""Golden values of Fourier transforms: sums of the definition by mpmath for short lines, NumPy's transforms in extended range
for long ones."""
import mpmath
import numpy as np

from gold_format import Gold, Source, n, out, shape_name, v

mpmath.mp.dps = 40
NORMS = ("backward", "ortho", "forward")


def pairs(z):
    return np.stack([z.real, z.imag], axis=-1)


def numbers(x):
    return x[..., 0] + 1j * x[..., 1]


def factor(size, norm, inverse):
    return {"backward": 1 / size if inverse else 1, "ortho": size ** -.5, "forward": 1 if inverse else 1 / size}[norm]


def transform(z, dim, norm, inverse=False):
    """The sum of the definition, with 40 digits where it is short."""
    size = z.shape[dim]
    if size > 40:
        return (np.fft.ifft if inverse else np.fft.fft)(z, axis=dim, norm=norm)
    sign = 2 if inverse else -2
    roots = [mpmath.expjpi(mpmath.mpf(sign * k) / size) for k in range(size)]
    moved = np.moveaxis(z, dim, -1)
    done = []
    for line in moved.reshape(-1, size):
        values = [mpmath.mpc(complex(c)) for c in line]
        done.append([complex(factor(size, norm, inverse) * mpmath.fsum(values[j] * roots[j * k % size] for j in range(size))) for k in range(size)])
    return np.moveaxis(np.array(done, dtype=complex).reshape(moved.shape), -1, dim)


def size_of_sums(z, dim, norm, inverse=False):
    """For each element the sum of the absolute values that it is a sum of."""
    size = z.shape[dim]
    total = (np.abs(z.real) + np.abs(z.imag)).sum(axis=dim, keepdims=True) * factor(size, norm, inverse)
    return np.broadcast_to(total, z.shape)


def both(values):
    values = np.vectorize(rough, otypes=[float])(values)
    return np.stack([values, values], axis=-1)


def rough(value):
    return float("%.2g" % (1.05 * value))


def half(z, dim):
    return np.take(z, range(z.shape[dim] // 2 + 1), axis=dim)


def whole(z, size, dim):
    """The spectrum of size real numbers from its first half; of the ends only the real part counts."""
    z = np.moveaxis(z, dim, -1).copy()
    z[..., 0] = z[..., 0].real
    if size % 2 == 0:
        z[..., -1] = z[..., -1].real
    rest = np.conj(z[..., 1:(size + 1) // 2][..., ::-1])
    return np.moveaxis(np.concatenate([z, rest], axis=-1), -1, dim)


# Sizes: every small one, products of the factors with stages of their own, primes term by term and by convolution.
LINES = [((k,), 0) for k in range(1, 14)] + [((16,), 0), ((15,), 0), ((2, 3), 0), ((2, 3), 1), ((3, 2), -1), ((5, 6), 0), ((4, 1, 7), 2), ((2, 9, 3), 1), ((18, 3), 0), ((1, 31), 1), ((3, 24), 1),
                                           ((53,), 0), ((59, 2), 0), ((106,), 0), ((2, 30, 2), 1), ((120,), 0), ((121,), 0), ((128,), 0)]



def fft(gold):
    source = Source("fft")
    for k, (shape, dim) in enumerate(LINES):
        x = source.uniform(shape + (2,), -2, 2)
        z, axis = numbers(x), dim % len(shape)
        way = dim if dim >= 0 else dim - 1
        for name, inverse in (("fft", False), ("ifft", True)):
            norm = (k + inverse) % 3
            y = transform(z, axis, NORMS[norm], inverse)
            gold.add(name, f"{shape_name(shape)}_{k}", [v(x)], [out("F", pairs(y), both(size_of_sums(z, axis, NORMS[norm], inverse)))], i=[way, norm], k=max(4, shape[axis]))
    x = source.integers((3, 4, 2), -5, 6)
    gold.add("fft", "int", [n(x)], [out("F", pairs(transform(numbers(x.astype(float)), 1, "backward")), np.full(x.shape, 20.0))], i=[1, 0], k=4)
    gold.add("fft", "no_lines", [v(np.zeros((0, 4, 2)))], [out("F", np.zeros((0, 4, 2)))], i=[1, 0], flags=["nograd"])


def real(gold):
    source = Source("rfft")
    for k, (shape, dim) in enumerate(LINES):
        x, axis = source.uniform(shape, -2, 2), dim % len(shape)
        norm, size = k % 3, shape[dim]
        y = half(transform(x.astype(complex), axis, NORMS[norm]), axis)
        mag = half(size_of_sums(x.astype(complex), axis, NORMS[norm]), axis)
        gold.add("rfft", f"{shape_name(shape)}_{k}", [v(x)], [out("F", pairs(y), both(mag))], i=[dim, norm], k=max(4, size))
        s = source.uniform(y.shape + (2,), -2, 2)
        spectrum = whole(numbers(s), size, axis)
        norm = (k + 1) % 3
        way = dim if dim >= 0 else dim - 1
        gold.add("irfft", f"{shape_name(shape)}_{k}", [v(s)], [out("F", transform(spectrum, axis, NORMS[norm], True).real, both(size_of_sums(spectrum, axis, NORMS[norm], True))[..., 0])], i=[size, way, norm],
                 k=max(4, size))
    gold.add("rfft", "no_lines", [v(np.zeros((0, 6)))], [out("F", np.zeros((0, 4, 2)))], i=[1, 0], flags=["nograd"])


def several(gold):
    source = Source("several dims")
    for k, (shape, dims) in enumerate([((2, 3), (0, 1)), ((4, 6), (1,)), ((3, 5), ()), ((3, 4, 5), (0, 2)), ((2, 3, 4), (2, 1, 0)), ((7, 2), None), ((1, 8, 3), (1, 2)), ((5,), (0,)), ((2, 2, 2, 2), None),
                                       ((6, 10), (1, 0)), ((4, 4), (-2,))] * 2):
        norm, axes = k % 3, tuple(range(len(shape))) if dims is None else tuple(d % len(shape) for d in dims)
        count = int(np.prod([shape[d] for d in axes])) if axes else 1
        x = source.uniform(shape + (2,), -2, 2)
        z = numbers(x)
        plain = [] if dims is None else [d if d >= 0 else d - 1 for d in dims]
        if dims is None or dims:  # a call without dims means all
            for name, inverse in (("fftn", False), ("ifftn", True)):
                y = z
                for d in axes:
                    y = transform(y, d, NORMS[norm], inverse)
                mag = np.abs(z).sum() * factor(count, NORMS[norm], inverse) + 1e-3
                gold.add(name, f"{shape_name(shape)}_{k}", [v(x)], [out("F", pairs(y), np.full(x.shape, rough(mag)))], i=[norm, *plain], k=count * 2)
            x = source.uniform(shape, -2, 2)
            y = half(transform(x.astype(complex), axes[-1], NORMS[norm]), axes[-1])
            for d in axes[:-1]:
                y = transform(y, d, NORMS[norm])
            mag = np.abs(x).sum() * factor(count, NORMS[norm], False) + 1e-3
            gold.add("rfftn", f"{shape_name(shape)}_{k}", [v(x)], [out("F", pairs(y), np.full(y.shape + (2,), rough(mag)))], i=[norm, *([] if dims is None else dims)], k=count * 2)
            s = source.uniform(y.shape + (2,), -2, 2)
            y = numbers(s)
            for d in axes[:-1]:
                y = transform(y, d, NORMS[norm], True)
            last = shape[axes[-1]]
            y = transform(whole(y, last, axes[-1]), axes[-1], NORMS[norm], True).real
            mag = 2 * np.abs(s).sum() * factor(count, NORMS[norm], True) + 1e-3
            gold.add("irfftn", f"{shape_name(shape)}_{k}", [v(s)], [out("F", y, np.full(y.shape, rough(mag)))], i=[norm, last, *plain], k=count * 2)


def shifts(gold):
    source = Source("shifts")
    for k, (shape, dims) in enumerate([((5,), (0,)), ((6,), None), ((3, 4), (1,)), ((3, 4), None), ((2, 3, 5), (0, 2)), ((1, 1), None), ((7, 2), (0,)), ((4, 4), (1, 0)), ((0, 3), None), ((9, 3), (-1,))] * 2):
        for name, function in (("fftshift", np.fft.fftshift), ("ifftshift", np.fft.ifftshift)):
            x = source.uniform(shape)
            flags = ["nograd"] if x.size == 0 else []
            gold.add(name, f"{shape_name(shape)}_{k}", [v(x)], [out("D", function(x, axes=dims))], i=list(dims or []), cmp="exact", flags=flags)
            x = source.integers(shape, -9, 10)
            gold.add(name, f"int_{shape_name(shape)}_{k}", [n(x)], [out("D", function(x, axes=dims))], i=list(dims or []), cmp="exact")


def pieces_of(x, window, hop, center):
    size = len(window)
    if center:
        x = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(size // 2, size // 2)], "reflect")
    count = (x.shape[-1] - size) // hop + 1
    return np.stack([x[..., k * hop:k * hop + size] * window for k in range(count)], axis=-2)


def short(gold):
    source = Source("short pieces")
    for k, (lead, length, size, hop, center) in enumerate([((), 12, 4, 2, 0), ((), 9, 4, 2, 1), ((2,), 16, 8, 4, 1), ((3,), 10, 5, 3, 0), ((2, 2), 20, 6, 1, 1), ((), 7, 7, 2, 0), ((1,), 30, 16, 4, 1), ((), 8, 3, 5, 0),
                                                           ((), 5, 1, 1, 0), ((2,), 40, 20, 7, 1)] * 2):
        x, window = source.uniform(lead + (length,), -2, 2), source.uniform((size,), .2, 1.2)
        pieces = pieces_of(x, window, hop, center)
        z = half(transform(pieces.astype(complex), pieces.ndim - 1, "backward"), pieces.ndim - 1)
        y = np.moveaxis(z, -1, -2)
        gold.add("stft", f"{k}", [v(x), v(window)], [out("F", pairs(y), np.full(y.shape + (2,), 2.4 * size))], i=[hop, center], k=2 * size)
        s = source.uniform(lead + (size // 2 + 1, pieces.shape[-2], 2), -2, 2)
        back = transform(whole(np.moveaxis(numbers(s), -1, -2), size, pieces.ndim - 1), pieces.ndim - 1, "backward", True).real * window
        total = hop * (pieces.shape[-2] - 1) + size
        sums, weight = np.zeros(lead + (total,)), np.zeros(total)
        for j in range(pieces.shape[-2]):
            sums[..., j * hop:j * hop + size] += back[..., j, :]
            weight[j * hop:j * hop + size] += window ** 2
        sums = sums / np.where(weight > 1e-11, weight, 1)
        first = size // 2 if center else 0
        end = total - first
        asked = -1 if k % 2 else max(1, end - first - 1)
        sums = sums[..., first:end if asked < 0 else first + asked]
        if sums.shape[-1] == 0:
            continue
        gold.add("istft", f"{k}", [v(s), v(window)], [out("F", sums, np.full(sums.shape, 100.0))], i=[hop, center, asked], k=2 * size)
    # pieces farther apart than they are long: nothing reaches the places between
    s, window = source.uniform((2, 2, 2), -2, 2), source.uniform((3,), .2, 1.2)
    back = transform(whole(np.moveaxis(numbers(s), -1, -2), 3, 1), 1, "backward", True).real / window
    for asked in (-1, 8, 4, 1, 0):
        y = np.concatenate([back[0], [0, 0], back[1]])[:8 if asked < 0 else asked]
        gold.add("istft", f"gaps_{asked}", [v(s), v(window)], [out("F", y, np.full(y.shape, 100.0))], i=[5, 0, asked], k=6, flags=["nograd"] if y.size == 0 else [])


def complex_numbers(gold):
    source = Source("complex numbers")
    for k, (left, right) in enumerate([((2,), (2,)), ((3, 2), (3, 2)), ((2, 3, 2), (3, 2)), ((4, 1, 2), (5, 2)), ((2,), (3, 2, 2)), ((1, 2), (7, 2)), ((33, 2), (33, 2)), ((0, 2), (2,)), ((2, 2, 2, 2), (2, 1, 2, 2))] * 3):
        a, b = source.uniform(left, -2, 2), source.uniform(right, -2, 2)
        y = pairs(numbers(a) * numbers(b))
        flags = ["nograd"] if y.size == 0 else []
        gold.add("complex_mul", f"{shape_name(left)}_{shape_name(right)}_{k}", [v(a), v(b)], [out("F", y, both(np.abs(numbers(a)) * np.abs(numbers(b)) + .5))], k=2, flags=flags)
        gold.add("complex_abs", f"{shape_name(left)}_{k}", [v(a)], [out("F", np.abs(numbers(a)), np.abs(numbers(a)))], k=2, flags=["nograd"] if a.size == 0 else [])


def make():
    files = {"fft": Gold("Fourier transforms, by mpmath with 40 digits and NumPy."), "fft_made": Gold("Composites around Fourier transforms, by mpmath and NumPy.")}
    fft(files["fft"])
    real(files["fft"])
    for function in (several, shifts, short, complex_numbers):
        function(files["fft_made"])
    return files
