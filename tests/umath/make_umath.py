#!/usr/bin/python3
"""Makes tests/umath/*.csv: arguments in f32 that are hard for a function, and the results that mpmath gives with 400 bits, rounded
once. Read by tests/test_umath.c; the lines are those of NumPy's validation sets, dtype, input, output, bound in ulp.

    python3 tests/umath/make_umath.py            writes the files
    python3 tests/umath/make_umath.py --check    fails if the committed ones differ

Hard are: arguments next to multiples of pi/2, of any size; of ln 2, where exp changes its power of two; next to 1 for logarithms;
where results overflow, become denormal or 1; denormals, zeros of both signs, and small arguments, whose result is nearly they."""
import pathlib
import random
import struct
import sys

import mpmath

HERE = pathlib.Path(__file__).resolve().parent
mpmath.mp.prec = 400
EACH = 160  # arguments of each kind that is drawn
PI_2, LN_2 = mpmath.pi / 2, mpmath.log(2)


def value(bits):
    return struct.unpack("<f", struct.pack("<I", bits))[0]


def bits_of(x):
    """Of the f32 nearest to an mpf, ties to even; beyond the largest: infinity."""
    sign = 0x80000000 if x < 0 else 0
    x = abs(x)
    if x == 0:
        return sign
    exponent = max(int(mpmath.floor(mpmath.log(x, 2))), -126) - 23
    whole = int(mpmath.nint(x / mpmath.mpf(2) ** exponent))  # nint: ties to even
    number = mpmath.mpf(whole) * mpmath.mpf(2) ** exponent
    if number >= mpmath.mpf(2) ** 128:
        return sign | 0x7F800000
    return sign | struct.unpack("<I", struct.pack("<f", float(number)))[0]


def near(x, steps=(-2, -1, 0, 1, 2)):
    """f32 numbers next to x."""
    bits = bits_of(mpmath.mpf(x))
    return [value(bits + k) for k in steps if 0 < (bits + k) & 0x7FFFFFFF < 0x7F800000]


def spread(source, low, high, n=EACH):
    """Of both signs, their magnitudes evenly spread over powers of two from 2^low to 2^high."""
    return [value(bits_of(mpmath.mpf(2) ** source.uniform(low, high) * source.choice((-1, 1)))) for _ in range(n)]


ENDS = [value(b) for b in (1, 2, 0x007FFFFF, 0x00800000, 0x00800001, 0x7F7FFFFF)]


def small(source):
    return [s * x for x in [0.0, *ENDS[:-1]] for s in (1, -1)] + spread(source, -40, 0, EACH // 4)


def exponentials(source):
    found = small(source) + spread(source, -10, 6.6) + near(88.7228391) + near(-87.3365447) + near(-103.972084) + near(-104)
    for k in (-150, -149, -127, -126, -100, -2, -1, 1, 2, 64, 100, 127, 128):
        found += near(k * LN_2) + near((k + 0.5) * LN_2)
    return found


def logarithms(source):
    found = [abs(x) for x in spread(source, -126, 128)] + ENDS
    for k in range(-8, 9):
        found += near(mpmath.mpf(2) ** k)
    found += near(1, range(-12, 13)) + near(mpmath.sqrt(2)) + near(mpmath.sqrt(0.5))
    return found + [1 + s * abs(x) for x in spread(source, -22, -2, EACH // 2) for s in (1, -1)]


def logarithms_of_more(source):
    found = small(source) + [abs(x) for x in spread(source, -1, 128)] + near(-1, (-3, -2, -1)) + near(mpmath.sqrt(2) - 1)
    return found + [-abs(x) for x in spread(source, -12, -0.01)]


def angles(source):
    """For each power of two, of many numbers those next to a multiple of pi/2."""
    found = small(source) + spread(source, -8, 30)
    two_over_pi = int(mpmath.floor(mpmath.mpf(2) ** 320 / PI_2))
    for exponent in range(-1, 105):

        def distance(mantissa):
            turns = mantissa * two_over_pi * 2 ** (exponent + 1)  # in units of 2^-(320 + 24)
            rest = turns % 2 ** 344
            return min(rest, 2 ** 344 - rest)

        drawn = [source.randrange(1 << 23, 1 << 24) for _ in range(3000)]
        found += [float(m) * 2.0 ** (exponent - 23) for m in sorted(drawn, key=distance)[:2]]
    return found + [-x for x in found[-20:]]


def saturating(source):
    return small(source) + spread(source, -12, 3.4) + near(9.0109) + near(-9.0109) + near(0.625) + near(-0.625)


KINDS = {"exp": exponentials, "expm1": exponentials, "log": logarithms, "log2": logarithms, "log1p": logarithms_of_more,
         "sin": angles, "cos": angles, "tan": angles, "tanh": saturating}
EXACT = {"log2": lambda x: mpmath.log(x, 2)}


def text_of(name):
    source = random.Random(name)
    exact = EXACT.get(name, getattr(mpmath, name, None))
    lines = ["dtype,input,output,ulperrortol"]
    seen = set()
    for x in KINDS[name](source):
        bits = struct.unpack("<I", struct.pack("<f", x))[0]
        x = value(bits)
        outside = (name in ("log", "log2") and x <= 0) or (name == "log1p" and x <= -1) or bits in seen
        if outside:
            continue
        seen.add(bits)
        y = exact(mpmath.mpf(x))
        result = bits if x == 0 and name not in ("exp", "cos") else bits_of(y)
        lines.append(f"np.float32,0x{bits:08x},0x{result:08x},4")
    return "\n".join(lines) + "\n"


def main():
    wrong = []
    for name in KINDS:
        path, text = HERE / f"{name}.csv", text_of(name)
        if "--check" not in sys.argv:
            path.write_text(text)
        elif not path.is_file() or path.read_text() != text:
            wrong.append(path.name)
        print(name, text.count("\n") - 1)
    if wrong:
        sys.exit(f"not as this script writes them: {', '.join(wrong)}")


main()
