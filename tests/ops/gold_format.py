"""The golden files: records of (operation, attributes, inputs, expected outputs) as text, and helpers to make inputs.

A file is a sequence of records; `#` starts a comment line. tests/samples/golden.c reads them. One record:

    op NAME                 row of ops.def
    name TEXT               sample name, for messages
    flags WORD...           see FLAGS
    cmp exact | ulp | mag   how outputs are compared (tests/samples/compare.c)
    k N                     length of the reduction, for the tolerance of `cmp mag`
    i N...                  integer attributes, in the order the call of the row's record reads them
    f X...                  real attributes
    in KIND DIM... = X...   an input: v floating values (run at every floating dtype), n integers (run at every integer dtype
                            that holds them), s state (as v, but written and never differentiated), x indices, c conditions,
                            null for an absent one
    out KIND DIM... = X...  an expected output: F floating (of integers: f32), N the operation's number type, A a sum (of
                            integers: i64), D the dtype of the data, I i64, B bool, T:DTYPE that dtype
    mag X...                of the output above: the scale of its elements' errors, else its own L2 norm
    end

Values of kind v are exact in f64, f32, f16 and bf16 (8 significant bits) unless a flag says otherwise, so one reference
serves every dtype."""
import math
import zlib

import numpy as np

FLAGS = {
    "f32": "inputs need f32: not run in half types",
    "f64": "inputs need f64",
    "special": "NaN, infinities or extremes: no gradient checks",
    "signzero": "the sign of a zero result is checked",
    "nograd": "at a kink, a tie or another place without a derivative: no gradient checks",
    "inplace": "the operation writes inputs: none may be expanded",
    "nobool": "the operation refuses bool",
    "dense": "the operation takes contiguous tensors only",
    "bytes": "the operation takes i8 and u8 alone",
}


def q8(x):
    """x rounded to 8 significant bits: exact in f32, f16 and bf16 for 2^-14 <= |x| < 2^16."""
    mantissa, exponent = np.frexp(np.asarray(x, dtype=np.float64))
    return np.ldexp(np.rint(mantissa * 256.0) / 256.0, exponent)


class Source:
    """Deterministic inputs: the seed is the operation's name, so adding an operation changes no other."""

    def __init__(self, name):
        self.rng = np.random.default_rng(zlib.crc32(name.encode()))

    def uniform(self, shape, lo=-4.0, hi=4.0, const=()):
        """8-bit values in [lo, hi], equal along the dims in const (a stride-0 layout can hold them)."""
        drawn = [1 if d in const else n for d, n in enumerate(shape)]
        x = q8(self.rng.uniform(lo, hi, drawn))
        # Values near 0 keep a floor of 2^-10, so that every one is a normal f16 with normal neighbours.
        tiny = np.abs(x) < 2.0**-10
        x = np.where(tiny, np.where(lo <= 0 <= hi, 0.0, q8((lo + hi) / 2)), x)
        x = np.where(x < lo, q8(lo + (hi - lo) / 16), x)
        x = np.where(x > hi, q8(hi - (hi - lo) / 16), x)
        return np.array(np.broadcast_to(x, shape))

    def integers(self, shape, lo, hi, const=()):
        """Integers in [lo, hi)."""
        drawn = [1 if d in const else n for d, n in enumerate(shape)]
        return np.array(np.broadcast_to(self.rng.integers(lo, hi, drawn), shape))

    def distinct(self, shape):
        """Values no two of which are equal, in random order: for operations with ties. Multiples of 1/16 below 8."""
        n = int(np.prod(shape))
        if n > 255:
            raise ValueError("too many elements to be distinct in 8 bits")
        return (self.rng.permutation(n).reshape(shape) - n // 2) / 16.0


def v(x):
    return ("v", np.asarray(x, dtype=np.float64))


def s(x):
    return ("s", np.asarray(x, dtype=np.float64))


def n(x):
    return ("n", np.asarray(x, dtype=np.int64))


def x_(x):
    return ("x", np.asarray(x, dtype=np.int64))


def c(x):
    return ("c", np.asarray(x).astype(np.int64))


NULL = ("null", None)


def out(kind, values, mag=None):
    return (kind, np.asarray(values), None if mag is None else np.asarray(mag, dtype=np.float64))


def number(value):
    """Shortest text that reads back exactly."""
    if isinstance(value, (int, np.integer, bool, np.bool_)):
        return str(int(value))
    value = float(value)
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    text = repr(value)
    if text.endswith(".0"):
        text = text[:-2]  # "-0" keeps its sign
    return text


class Gold:
    """Collects the records of one file."""

    def __init__(self, about):
        self.about = about
        self.lines = []
        self.count = {}
        self.elements = 0

    def add(self, op, name, ins, outs, i=(), f=(), cmp="mag", k=1, flags=()):
        for flag in flags:
            if flag not in FLAGS:
                raise ValueError(f"{op} {name}: unknown flag {flag}")
        name = name.replace(" ", "")
        put = self.lines.append
        put(f"op {op}")
        put(f"name {name}")
        if flags:
            put("flags " + " ".join(flags))
        put(f"cmp {cmp}")
        if k != 1:
            put(f"k {k}")
        if len(i):
            put("i " + " ".join(number(int(value)) for value in i))
        if len(f):
            put("f " + " ".join(number(float(value)) for value in f))
        for kind, data in ins:
            put("in null" if data is None else self.tensor("in", kind, data))
            if kind in "vs" and not {"f32", "f64", "special"} & set(flags):
                self.check_exact(op, name, data)
        for kind, data, mag in outs:
            data = data.astype(np.int64) if kind in ("I", "B") else data
            put(self.tensor("out", kind, data))
            if mag is not None:
                if mag.shape != data.shape:
                    raise ValueError(f"{op} {name}: mag is {mag.shape}, output {data.shape}")
                put("mag " + " ".join("%.6g" % value for value in mag.ravel()))
            self.elements += data.size
        put("end")
        self.count[op] = self.count.get(op, 0) + 1

    @staticmethod
    def check_exact(op, name, data):
        finite = data[np.isfinite(data)]
        if not (np.array_equal(finite, q8(finite)) and np.array_equal(finite, finite.astype(np.float16).astype(np.float64))):
            raise ValueError(f"{op} {name}: an input is not exact in every dtype")

    @staticmethod
    def tensor(word, kind, data):
        shape = "".join(f" {size}" for size in data.shape)
        values = "".join(" " + number(value) for value in data.ravel())
        return f"{word} {kind}{shape} ={values}"

    def write(self, path):
        with open(path, "w", encoding="ascii", newline="\n") as file:
            file.write(f"# {self.about}\n# Made by tests/ops/make_golden.py; format: tests/ops/gold_format.py.\n")
            file.write("\n".join(self.lines) + "\n")


def shape_name(*shapes):
    """(2, 3), (3,) -> "2x3_3"; a 0-d shape is "0d"."""
    return "_".join("x".join(map(str, shape)) if len(shape) else "0d" for shape in shapes)
