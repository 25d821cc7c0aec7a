#!/usr/bin/env python3
"""Makes tests/format/format.txt: what NumPy 2.4 prints for arrays of every dtype, which weft_format must print too.

    pip install 'numpy==2.4.*'
    python3 tests/format/make_format.py            writes the file
    python3 tests/format/make_format.py --check    fails if the committed file differs

The values are bit patterns of a small generator that tests/test_format.c has too, so that the file holds texts alone: a line
DTYPE KIND SEED SHAPE and the text with \\n for line ends; of long texts a checksum (FNV-1a, 64 bits) and the length.

bf16, which NumPy does not have, is printed by NumPy's own code with the digits of the dtype: the fewest that tell a number from
its neighbours, found here with fractions."""
import argparse
import pathlib
import sys
from fractions import Fraction

import numpy as np
from numpy._core import arrayprint

FILE = pathlib.Path(__file__).resolve().parent / "format.txt"
MASK = (1 << 64) - 1
LONGEST = 160  # characters of a text that is written down

# ---- Values: the same as in tests/test_format.c ----

BITS = {"f32": 32, "f64": 64, "f16": 16, "bf16": 16, "i64": 64, "i32": 32, "i8": 8, "u8": 8, "bool": 1}
NUMPY = {"f32": np.float32, "f64": np.float64, "f16": np.float16, "i64": np.int64, "i32": np.int32, "i8": np.int8, "u8": np.uint8, "bool": np.bool_}
EXPONENT = {"f32": 8, "f64": 11, "f16": 5, "bf16": 8}
KINDS = ["any", "near1", "whole", "round", "close", "wide", "special", "powers"]


class Stream:
    """xorshift64*"""

    def __init__(self, seed):
        self.state = (seed * 0x9E3779B97F4A7C15 + 1) & MASK
        for _ in range(4):
            self.next()

    def next(self):
        s = self.state
        s ^= s >> 12
        s = (s ^ (s << 25)) & MASK
        s ^= s >> 27
        self.state = s
        return (s * 2685821657736338717 & MASK) >> 8  # 56 bits


def fraction_bits(dtype):
    return BITS[dtype] - 1 - EXPONENT[dtype]


def from_ratio(numerator, power_of_two, dtype):
    """The bits of numerator / 2^power_of_two, which the dtype holds exactly or which is cut to its mantissa."""
    if numerator == 0:
        return 0
    length = numerator.bit_length()
    m = fraction_bits(dtype)
    top = length - 1 - power_of_two
    mantissa = numerator << (m + 1 - length) if length <= m + 1 else numerator >> (length - m - 1)
    bias = (1 << (EXPONENT[dtype] - 1)) - 1
    return ((top + bias) << m) + (mantissa - (1 << m))


def float_bits(dtype, kind, stream):
    """One number's bits."""
    m, e = fraction_bits(dtype), EXPONENT[dtype]
    bias = (1 << (e - 1)) - 1
    r, r2 = stream.next(), stream.next()
    sign = (r2 & 1) << (BITS[dtype] - 1) if r2 & 6 == 0 else 0
    low = r & ((1 << m) - 1)
    exponent = r2 >> 8
    if kind == "any":  # every finite bit pattern
        return sign | (exponent % ((1 << e) - 1)) << m | low
    if kind == "near1":
        return sign | (bias - 4 + exponent % 9) << m | low
    if kind == "whole":  # 100, 200, 450 ...
        return sign | from_ratio(r % 1000 * (10 if r2 & 8 else 1), 0, dtype)
    if kind == "round":  # quarters and eighths
        return sign | from_ratio(r % 4096, 2 + exponent % 6, dtype)
    if kind == "close":  # the last bits only
        return sign | bias << m | (low & 15)
    if kind == "wide":  # over the limits of 1e-4, 1e3 and 1e8
        span = min(60, (1 << e) - 3)
        return sign | (bias - span // 2 + exponent % span) << m | low
    if kind == "powers":  # of two: the neighbours are not equally far
        return sign | (exponent % ((1 << e) - 1)) << m
    choice = exponent % 8
    infinity = ((1 << e) - 1) << m
    table = [0, 1 << (BITS[dtype] - 1), infinity, infinity | 1 << (BITS[dtype] - 1), infinity | 1 << (m - 1), bias << m]
    if choice < 6:
        return table[choice]
    return sign | (bias - 2 + r % 5) << m | low


def integer_bits(dtype, kind, stream):
    r, r2 = stream.next(), stream.next()
    bits = BITS[dtype]
    if dtype == "bool":
        return r & 1
    if kind in ("any", "powers"):
        return (r << 32 ^ r2) & ((1 << bits) - 1)
    value = r % 100 - (50 if dtype != "u8" and r2 & 1 else 0)
    return value & ((1 << bits) - 1)


def array_of(dtype, kind, seed, shape):
    stream = Stream(seed)
    make = float_bits if dtype in EXPONENT else integer_bits
    count = int(np.prod(shape, dtype=np.int64))
    bits = [make(dtype, kind, stream) for _ in range(count)]
    if dtype == "bool":
        return np.array(bits, dtype=np.bool_).reshape(shape)
    if dtype == "bf16":
        return (np.array(bits, dtype=np.uint32) << 16).view(np.float32).reshape(shape)
    unsigned = {8: np.uint8, 16: np.uint16, 32: np.uint32, 64: np.uint64}[BITS[dtype]]
    return np.array(bits, dtype=unsigned).view(NUMPY[dtype]).reshape(shape)


# ---- bf16 ----


def round_bf16(x):
    u = int(np.array(x, dtype=np.float32).view(np.uint32))
    if np.isfinite(x):
        u = (u + 0x7FFF + (u >> 16 & 1)) & 0xFFFF0000
    return np.array(u, dtype=np.uint32).view(np.float32)[()]


def nearest(value, place):
    """value as a multiple of 10^-place, half to even."""
    scaled = value * Fraction(10) ** place
    return Fraction(round(scaled)) / Fraction(10) ** place


def shortest_bf16(x, last_place, least_place=-200):
    """(digits as a fraction, decimals): the fewest decimals that give |x| back, but at least and at most so many."""
    u = int(np.array(abs(x), dtype=np.float32).view(np.uint32))
    value = Fraction(float(np.float32(abs(x))))
    if value == 0:
        return value, 0

    def real(bits):
        if bits >= 0x7F800000:
            return Fraction(2) ** 128
        return Fraction(float(np.array(bits, dtype=np.uint32).view(np.float32)))

    below, above = real(u - 0x10000), real(u + 0x10000)
    low, high = (value + below) / 2, (value + above) / 2
    even = (u >> 16) % 2 == 0
    first = 0
    while Fraction(10) ** -first > value:
        first += 1
    while Fraction(10) ** (-first + 1) <= value:
        first -= 1
    if first > last_place:
        return nearest(value, last_place), last_place
    for place in range(first, first + 40):
        unit = Fraction(1) / Fraction(10) ** place
        down = Fraction(int(value / unit)) * unit
        fits = [c for c in (down, down + unit) if low < c < high or (even and c in (low, high))]
        if place == last_place or (fits and place >= least_place):
            return fits[0] if len(fits) == 1 else nearest(value, place), place
    raise AssertionError(x)


def bf16_positional(x, precision=None, min_digits=None, unique=True, fractional=True, trim="k", sign=False, pad_left=None, pad_right=None):
    value, place = shortest_bf16(x, precision if precision is not None else 200)
    scaled = int(value * Fraction(10) ** max(place, 0))
    text = str(scaled)
    if place > 0:
        text = text.rjust(place + 1, "0")
        text = text[:-place] + "." + text[-place:].rstrip("0")
    else:
        text += "."
    if trim == "0" and text.endswith("."):
        text += "0"
    text = ("-" if np.signbit(x) else "") + text
    before, after = text.split(".")
    return before.rjust(pad_left or 0) + "." + after.ljust(pad_right or 0)


def bf16_scientific(x, precision=None, min_digits=None, unique=True, trim="k", sign=False, pad_left=None, exp_digits=None):
    exponent = 0
    if x != 0:
        value = Fraction(float(np.float32(abs(x))))
        while Fraction(10) ** exponent > value:
            exponent -= 1
        while Fraction(10) ** (exponent + 1) <= value:
            exponent += 1
    value, _ = shortest_bf16(x, (precision if precision is not None else 30) - exponent, (min_digits or 0) - exponent)
    if value >= Fraction(10) ** (exponent + 1):
        exponent += 1
    scaled = value / Fraction(10) ** exponent  # [1, 10)
    digits = str(int(scaled * 10**30)).rjust(31, "0")
    before, after = digits[:-30], digits[-30:].rstrip("0")
    if min_digits:
        after = after.ljust(min_digits, "0")
    point = "" if trim == "-" and not after else "."
    text = ("-" if np.signbit(x) else "") + before
    return text.rjust(pad_left or 0) + point + after + "e" + ("-" if exponent < 0 else "+") + str(abs(exponent)).rjust(exp_digits or 2, "0")


class Bf16Format(arrayprint.FloatingFormat):
    """NumPy's format of floats, with the digits, the precision (2) and the arithmetic of bf16."""

    def fillFormat(self, data):
        sizes = np.abs(data[np.isfinite(data) & (data != 0)])
        if len(sizes):
            largest, smallest = sizes.max(), sizes.min()
            with np.errstate(over="ignore"):
                ratio = round_bf16(np.float32(largest) / np.float32(smallest))
            self.wanted = bool(largest >= 1e2 or smallest < round_bf16(np.float32(1e-4)) or ratio > 1e3)
        else:
            self.wanted = False
        super().fillFormat(data)

    exp_format = property(lambda self: self.wanted, lambda self, value: None)
    wanted = False


def bf16_text(a):
    if a.shape == ():
        x = a[()]
        if not np.isfinite(x):
            return str(x)
        if x == 0 or 1e-4 <= float(abs(x)) < 1e2:
            return bf16_positional(x, trim="0")
        return bf16_scientific(x, trim="-")
    kept = arrayprint.dragon4_positional, arrayprint.dragon4_scientific
    arrayprint.dragon4_positional, arrayprint.dragon4_scientific = bf16_positional, bf16_scientific
    try:
        shown = arrayprint._leading_trailing(a, 3) if a.size > 1000 else a
        form = Bf16Format(shown, 8, "maxprec", False, "-", legacy=sys.maxsize)
        return np.array2string(a, formatter={"float_kind": form})
    finally:
        arrayprint.dragon4_positional, arrayprint.dragon4_scientific = kept


# ---- The file ----

SHAPES = [(), (), (1,), (2,), (4,), (7,), (30,), (0,), (2, 0, 3), (3, 3), (1, 1), (2, 1, 5), (2, 3, 2, 2), (13, 4)]
LARGE = [(1000,), (1001,), (40, 30), (2, 600), (8, 8, 20), (1200, 1), (1, 1200), (1, 3, 7, 60)]


def cases():
    seed = 0
    for dtype in BITS:
        floating = dtype in EXPONENT
        for kind in KINDS if floating else ["any", "whole"]:
            for shape in SHAPES:
                for _ in range(12 if floating and shape and 0 not in shape else 30 if floating and not shape else 2):
                    seed += 1
                    yield dtype, kind, seed, shape
            for shape in LARGE:
                seed += 1
                yield dtype, kind, seed, shape


def text_of(dtype, kind, seed, shape):
    a = array_of(dtype, kind, seed, shape)
    if a.size == 0:  # where NumPy's str says less, and Weft as much as its repr
        return "[]" if len(shape) == 1 else f"[] (shape [{', '.join(map(str, shape))}])"
    return bf16_text(a) if dtype == "bf16" else str(a)


def fnv(text):
    h = 0xCBF29CE484222325
    for byte in text.encode():
        h = (h ^ byte) * 0x100000001B3 & MASK
    return h


def lines():
    yield "# What NumPy prints; made by tests/format/make_format.py, read by tests/test_format.c."
    for dtype, kind, seed, shape in cases():
        text = text_of(dtype, kind, seed, shape)
        text = text.replace("\n", "\\n") if len(text) <= LONGEST else f"#{fnv(text):016x} {len(text)}"
        yield f"{dtype} {kind} {seed} {'x'.join(map(str, shape)) or '-'}|{text}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the committed file instead of writing it")
    arguments = parser.parse_args()
    if not np.__version__.startswith("2.4."):
        sys.exit(f"this needs NumPy 2.4, not {np.__version__}")
    np.seterr(all="ignore")
    text = "\n".join(lines()) + "\n"
    if not arguments.check:
        FILE.write_text(text)
        print(f"{text.count(chr(10)) - 1} texts, {len(text)} bytes")
    elif FILE.read_text() != text:
        sys.exit(f"{FILE} is stale")


main()
