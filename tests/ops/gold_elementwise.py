"""Golden values of the elementwise families, by mpmath (60 digits, then rounded once)."""
import math

import mpmath as mp
import numpy as np

from gold_format import Gold, Source, c, n, out, shape_name, v

mp.mp.dps = 60
INF, NAN = math.inf, math.nan
F32_MAX, F32_TINY, F32_DENORMAL = float(np.finfo(np.float32).max), 2.0**-126, 2.0**-149
F64_MAX, F64_TINY, F64_DENORMAL = float(np.finfo(np.float64).max), 2.0**-1022, 2.0**-1074

SHAPES = [(), (1,), (7,), (33,), (131,), (0,), (2, 0, 3), (3, 5), (5, 3), (1, 7), (7, 1), (2, 3, 4), (4, 1, 3), (2, 2, 2, 3),
          (1, 1), (8,), (16,), (17,), (2, 17), (3, 2, 1, 2, 2), (9, 4)]
CONST_SHAPES = [((3, 4), (0,)), ((3, 4), (1,)), ((2, 3, 5), (1,)), ((2, 3, 5), (0, 2)), ((4, 2), (0, 1)), ((6,), (0,))]


def rounded(value):
    """An mpf (or float) to the nearest float64; overflow gives an infinity."""
    if isinstance(value, float):
        return value
    if not mp.isfinite(value):
        return float(value)
    if value == 0 or abs(value) < mp.mpf(2)**-1080:
        return 0.0
    if abs(value) >= mp.mpf(2)**1024:
        return INF if value > 0 else -INF
    # Round once at the float's own precision (subnormals have less), so that float() below is exact.
    exponent = int(mp.floor(mp.log(abs(value), 2)))
    unit = mp.mpf(2)**(max(exponent, -1022) - 52)
    return float(mp.nint(value / unit) * unit)


def each(function, *arrays):
    arrays = np.broadcast_arrays(*arrays)
    flat = [rounded(function(*values)) for values in zip(*(a.ravel().tolist() for a in arrays))]
    return np.array(flat, dtype=np.float64).reshape(arrays[0].shape)


def half_even(x):
    return mp.mpf(round(x)) if math.isfinite(x) else x


def far(x):
    """x limited to +-1e4, where every function with an exponential in it has overflowed, vanished or saturated."""
    return mp.mpf(min(max(x, -1e4), 1e4))


def gated(x, gate):
    """x times a gate that is 1 far right of 0 and vanishes far left of it."""
    return mp.mpf(x) if x > 1e4 else mp.mpf(0) if x < -1e4 else mp.mpf(x) * gate(mp.mpf(x))


def gelu(x):
    return gated(x, lambda t: mp.erfc(-t / mp.sqrt(2)) / 2 if abs(t) < 60 else mp.mpf(t > 0))


def gelu_tanh(x):
    with mp.workdps(120):
        return gated(x, lambda t: (1 + mp.tanh(mp.sqrt(2 / mp.pi) * (t + mp.mpf("0.044715") * t**3))) / 2 if abs(t) < 12 else mp.mpf(t > 0))


def silu(x):
    return gated(x, lambda t: 1 / (1 + mp.exp(-t)))


def softplus(x):
    return mp.mpf(x) if x > 1e4 else mp.log1p(mp.exp(far(x)))


def periodic(x, function):
    """120 digits: enough to reduce |x| up to 1e30 by pi."""
    with mp.workdps(120):
        return function(mp.mpf(x))


# name: (function of an exact float, test range, wide range for f32, [(special x, y)]: Annex F of C, limits)
# The special values stand for themselves: they are written down, not computed.
ODD = [(0.0, 0.0), (-0.0, -0.0)]
UNARY = {
    "neg": (lambda x: -mp.mpf(x), -4, 4, (-3e38, 3e38), [(NAN, NAN), (INF, -INF), (-INF, INF), (0.0, -0.0), (-0.0, 0.0)]),
    "abs": (lambda x: abs(mp.mpf(x)), -4, 4, (-3e38, 3e38), [(NAN, NAN), (INF, INF), (-INF, INF), (0.0, 0.0), (-0.0, 0.0)]),
    "sign": (lambda x: mp.sign(x), -4, 4, (-3e38, 3e38), [(NAN, NAN), (INF, 1), (-INF, -1), (0.0, 0.0), (-0.0, -0.0)]),
    "exp": (lambda x: mp.exp(far(x)), -4, 4, (-104, 89), [(NAN, NAN), (INF, INF), (-INF, 0.0), (0.0, 1), (-0.0, 1)]),
    "expm1": (lambda x: mp.expm1(far(x)), -4, 4, (-104, 89), [(NAN, NAN), (INF, INF), (-INF, -1), (0.0, 0.0), (-0.0, -0.0)]),
    "log": (lambda x: mp.log(x), .1, 4, "log", [(NAN, NAN), (INF, INF), (-INF, NAN), (0.0, -INF), (-0.0, -INF), (-1.0, NAN), (1.0, 0.0)]),
    "log1p": (lambda x: mp.log1p(x), -.9, 4, "log", [(NAN, NAN), (INF, INF), (-INF, NAN), (0.0, 0.0), (-0.0, -0.0), (-1.0, -INF), (-2.0, NAN)]),
    "log2": (lambda x: mp.log(x) / mp.log(2), .1, 4, "log", [(NAN, NAN), (INF, INF), (-INF, NAN), (0.0, -INF), (-0.0, -INF), (-1.0, NAN), (8.0, 3), (1.0, 0.0)]),
    "sqrt": (lambda x: mp.sqrt(x), .1, 4, "log", [(NAN, NAN), (INF, INF), (-INF, NAN), (0.0, 0.0), (-0.0, -0.0), (-1.0, NAN)]),
    "rsqrt": (lambda x: 1 / mp.sqrt(x), .1, 4, "log", [(NAN, NAN), (INF, 0.0), (-INF, NAN), (0.0, INF), (-0.0, -INF), (-1.0, NAN)]),
    "reciprocal": (lambda x: 1 / mp.mpf(x), .25, 4, "log", [(NAN, NAN), (INF, 0.0), (-INF, -0.0), (0.0, INF), (-0.0, -INF)]),
    "square": (lambda x: mp.mpf(x)**2, -4, 4, (-1e19, 1e19), [(NAN, NAN), (INF, INF), (-INF, INF), (0.0, 0.0), (-0.0, 0.0)]),
    "sin": (lambda x: periodic(x, mp.sin), -4, 4, "trig", [(NAN, NAN), (INF, NAN), (-INF, NAN), *ODD]),
    "cos": (lambda x: periodic(x, mp.cos), -4, 4, "trig", [(NAN, NAN), (INF, NAN), (-INF, NAN), (0.0, 1), (-0.0, 1)]),
    "tan": (lambda x: periodic(x, mp.tan), -1.2, 1.2, "trig", [(NAN, NAN), (INF, NAN), (-INF, NAN), *ODD]),
    "tanh": (lambda x: mp.tanh(far(x)), -4, 4, (-20, 20), [(NAN, NAN), (INF, 1), (-INF, -1), *ODD]),
    "sigmoid": (lambda x: 1 / (1 + mp.exp(-far(x))), -4, 4, (-100, 100), [(NAN, NAN), (INF, 1), (-INF, 0.0), (0.0, .5), (-0.0, .5)]),
    "relu": (lambda x: max(mp.mpf(x), mp.mpf(0)), -4, 4, (-3e38, 3e38), [(NAN, NAN), (INF, INF), (-INF, 0.0), (0.0, 0.0)]),
    "gelu": (gelu, -4, 4, (-8, 12), [(NAN, NAN), (INF, INF), (-INF, NAN), *ODD]),  # -inf: -inf * 0, as PyTorch
    "gelu_tanh": (gelu_tanh, -4, 4, (-8, 12), [(NAN, NAN), (INF, INF), (-INF, NAN), *ODD]),
    "silu": (silu, -4, 4, (-80, 100), [(NAN, NAN), (INF, INF), (-INF, NAN), *ODD]),
    "softplus": (softplus, -4, 4, (-100, 100), [(NAN, NAN), (INF, INF), (-INF, 0.0), (0.0, math.log(2))]),
    "erf": (lambda x: mp.erf(far(x)), -3, 3, (-6, 6), [(NAN, NAN), (INF, 1), (-INF, -1), *ODD]),
    "floor": (lambda x: mp.floor(x), -4, 4, (-1e6, 1e6), [(NAN, NAN), (INF, INF), (-INF, -INF), *ODD, (.5, 0.0), (-.5, -1)]),
    "ceil": (lambda x: mp.ceil(x), -4, 4, (-1e6, 1e6), [(NAN, NAN), (INF, INF), (-INF, -INF), *ODD, (.5, 1), (-.5, -0.0)]),
    "round": (half_even, -4, 4, (-1e6, 1e6), [(NAN, NAN), (INF, INF), (-INF, -INF), *ODD, (.5, 0.0), (-.5, -0.0), (1.5, 2), (2.5, 2), (-2.5, -2)]),
}


def outside_nan(function, least, most):
    """NaN, as a real function has it, outside [least, most]."""
    return lambda x: function(x) if least <= x <= most else NAN


def erfinv(x):
    """By Halley's method on erfc in the tail, where mpmath's own loses digits."""
    if abs(x) == 1:
        return math.copysign(INF, x)
    if abs(x) < 0.99:
        return mp.erfinv(x)
    rest = 1 - abs(mp.mpf(x))
    y = mp.sqrt(-mp.log(rest))
    for _ in range(60):
        step = (mp.erfc(y) - rest) / (-2 / mp.sqrt(mp.pi) * mp.exp(-y * y))
        y -= step / (1 + y * step)
    return mp.sign(x) * y


def is_pole(x):
    return x <= 0 and x == math.floor(x)


def lgamma(x):
    if is_pole(x):
        return INF
    return mp.re(mp.loggamma(x)) if x > 0 else mp.log(abs(mp.pi / mp.sinpi(x))) - mp.re(mp.loggamma(1 - mp.mpf(x)))


def polygamma(order, x):
    if order == 0:
        return (math.copysign(INF, -x) if x == 0 else NAN) if is_pole(x) else mp.digamma(x)
    return mp.polygamma(order, x)


def sinc(x):
    return mp.mpf(1) if x == 0 else mp.sinpi(x) / (mp.pi * x)


def mish(x):
    return gated(x, lambda t: mp.tanh(mp.log1p(mp.exp(t))))


UNIT = lambda function: outside_nan(function, -1, 1)
UNARY |= {
    "trunc": (lambda x: mp.mpf(math.trunc(x)), -4, 4, (-1e6, 1e6), [(NAN, NAN), (INF, INF), (-INF, -INF), *ODD, (.5, 0.0), (-.5, -0.0), (-2.5, -2)]),
    "frac": (lambda x: mp.mpf(x) - math.trunc(x), -4, 4, (-1e6, 1e6), [(NAN, NAN), (INF, NAN), (-INF, NAN), (0.0, 0.0), (-0.0, 0.0), (-2.5, -.5), (3.0, 0.0)]),
    "cube": (lambda x: mp.mpf(x)**3, -4, 4, (-1e12, 1e12), [(NAN, NAN), (INF, INF), (-INF, -INF), *ODD]),
    "exp2": (lambda x: mp.power(2, far(x)), -4, 4, (-150, 129), [(NAN, NAN), (INF, INF), (-INF, 0.0), (0.0, 1), (-0.0, 1), (10.0, 1024), (-149.0, F32_DENORMAL)]),
    "log10": (lambda x: mp.log(x) / mp.log(10), .1, 4, "log", [(NAN, NAN), (INF, INF), (-INF, NAN), (0.0, -INF), (-0.0, -INF), (-1.0, NAN), (1.0, 0.0), (1000.0, 3)]),
    "cbrt": (lambda x: mp.sign(x) * mp.cbrt(abs(mp.mpf(x))), .1, 4, (-3e38, 3e38), [(NAN, NAN), (INF, INF), (-INF, -INF), *ODD, (8.0, 2), (-27.0, -3)]),
    "sinh": (lambda x: mp.sinh(far(x)), -4, 4, (-90, 90), [(NAN, NAN), (INF, INF), (-INF, -INF), *ODD]),
    "cosh": (lambda x: mp.cosh(far(x)), -4, 4, (-90, 90), [(NAN, NAN), (INF, INF), (-INF, INF), (0.0, 1), (-0.0, 1)]),
    "asin": (UNIT(mp.asin), -.9, .9, (-1, 1), [(NAN, NAN), (INF, NAN), (-INF, NAN), *ODD, (1.0, math.pi / 2), (-1.0, -math.pi / 2), (2.0, NAN)]),
    "acos": (UNIT(mp.acos), -.9, .9, (-1, 1), [(NAN, NAN), (INF, NAN), (-INF, NAN), (1.0, 0.0), (0.0, math.pi / 2), (-0.0, math.pi / 2), (-1.0, math.pi), (-2.0, NAN)]),
    "atan": (mp.atan, -4, 4, (-1e6, 1e6), [(NAN, NAN), (INF, math.pi / 2), (-INF, -math.pi / 2), *ODD]),
    "asinh": (mp.asinh, -4, 4, (-1e6, 1e6), [(NAN, NAN), (INF, INF), (-INF, -INF), *ODD]),
    "acosh": (outside_nan(mp.acosh, 1, INF), 1.1, 4, (1, 1e6), [(NAN, NAN), (INF, INF), (-INF, NAN), (1.0, 0.0), (0.0, NAN), (-1.0, NAN), (-3.0, NAN)]),
    "atanh": (UNIT(lambda x: math.copysign(INF, x) if abs(x) == 1 else mp.atanh(x)), -.9, .9, (-1, 1), [(NAN, NAN), (INF, NAN), (-INF, NAN), *ODD, (1.0, INF), (-1.0, -INF), (-2.0, NAN)]),
    "erfc": (lambda x: mp.erfc(far(x)) if x < 1e3 else mp.mpf(0), -3, 3, (-6, 10), [(NAN, NAN), (INF, 0.0), (-INF, 2), (0.0, 1), (-0.0, 1)]),
    "erfinv": (UNIT(erfinv), -.9, .9, (-1, 1), [(NAN, NAN), (INF, NAN), (-INF, NAN), *ODD, (1.0, INF), (-1.0, -INF), (2.0, NAN)]),
    "lgamma": (lgamma, .3, 6, (-20, 60), [(NAN, NAN), (INF, INF), (-INF, INF), (0.0, INF), (-0.0, INF), (1.0, 0.0), (2.0, 0.0), (-1.0, INF), (-7.0, INF)]),
    "digamma": (lambda x: polygamma(0, x), 2, 6, (-20, 60), [(NAN, NAN), (INF, INF), (-INF, NAN), (0.0, -INF), (-0.0, INF), (-1.0, NAN), (-7.0, NAN)]),
    "sinc": (sinc, -4, 4, (-40, 40), [(NAN, NAN), (INF, 0.0), (-INF, 0.0), (0.0, 1), (-0.0, 1)]),
    "mish": (mish, -4, 4, (-80, 100), [(NAN, NAN), (INF, INF), (-INF, NAN), *ODD]),
    "logsigmoid": (lambda x: -softplus(-x), -4, 4, (-100, 100), [(NAN, NAN), (INF, 0.0), (-INF, -INF), (0.0, -math.log(2))]),
    "softsign": (lambda x: mp.mpf(x) / (1 + abs(mp.mpf(x))), -4, 4, (-1e6, 1e6), [(NAN, NAN), (INF, NAN), (-INF, NAN), *ODD, (1.0, .5)]),
    "selu": (lambda x: SELU_SCALE * (mp.mpf(x) if x > 0 else SELU_ALPHA * mp.expm1(far(x))), -4, 4, (-100, 1e6), [(NAN, NAN), (INF, INF), (-INF, -1.7580993408473766), *ODD]),
    "relu6": (lambda x: mp.mpf(min(max(x, 0.0), 6.0)), -4, 4, (-3e38, 3e38), [(NAN, NAN), (INF, 6), (-INF, 0.0), (0.0, 0.0), (6.0, 6), (7.0, 6)]),
    "hardsigmoid": (lambda x: mp.mpf(min(max(mp.mpf(x) + 3, 0), 6)) / 6, -4, 4, (-10, 10), [(NAN, NAN), (INF, 1), (-INF, 0.0), (0.0, .5), (-3.0, 0.0), (3.0, 1)]),
    "hardswish": (lambda x: mp.mpf(x) * min(max(mp.mpf(x) + 3, 0), 6) / 6, -4, 4, (-10, 10), [(NAN, NAN), (INF, INF), (-INF, 0.0), *ODD, (-3.0, 0.0), (3.0, 3)]),
    "deg2rad": (lambda x: mp.mpf(x) * mp.pi / 180, -4, 4, (-1e6, 1e6), [(NAN, NAN), (INF, INF), (-INF, -INF), *ODD, (180.0, math.pi)]),
    "rad2deg": (lambda x: mp.mpf(x) * 180 / mp.pi, -4, 4, (-1e6, 1e6), [(NAN, NAN), (INF, INF), (-INF, -INF), *ODD, (math.pi, 180)]),
}
SELU_SCALE, SELU_ALPHA = mp.mpf("1.0507009873554804934193349852946"), mp.mpf("1.6732632423543772848170429916717")
EVERYWHERE = {"exp", "sin", "cos", "tanh", "sigmoid", "erf", "silu", "softplus", "expm1", "tan", "exp2", "cbrt", "sinh", "cosh", "atan", "asinh", "erfc",
              "sinc", "mish", "logsigmoid", "softsign", "selu", "hardsigmoid", "hardswish", "deg2rad", "rad2deg", "frac"}
INSIDE = {  # whole numbers that are in the domain of the others
    "log": (1, 12), "log2": (1, 12), "log10": (1, 12), "rsqrt": (1, 12), "reciprocal": (1, 12), "acosh": (1, 12), "lgamma": (3, 12),
    "digamma": (1, 12), "asin": (0, 1), "acos": (0, 1), "atanh": (0, 0), "erfinv": (0, 0),
}
FEW = {"trunc", "frac", "cube", *list(UNARY)[list(UNARY).index("exp2"):]}  # smaller files: what shapes do is tested by the others
FEW_SHAPES = [(), (1,), (7,), (33,), (0,), (3, 5), (7, 1), (2, 3, 4), (2, 17)]
EXACT = {"trunc", "frac", "relu6", "neg", "abs", "sign", "relu", "floor", "ceil", "round"}
INTEGER = {  # operations of class NUM on integers
    "neg": lambda x: -x, "abs": abs, "sign": lambda x: (x > 0) - (x < 0), "square": lambda x: x * x,
    "trunc": lambda x: x, "cube": lambda x: x**3, "relu6": lambda x: min(max(x, 0), 6),
    "relu": lambda x: max(x, 0), "floor": lambda x: x, "ceil": lambda x: x, "round": lambda x: x,
}


def wrap64(value):
    return (int(value) + 2**63) % 2**64 - 2**63


def each_integer(function, *arrays):
    arrays = np.broadcast_arrays(*arrays)
    flat = [wrap64(function(*values)) for values in zip(*(a.ravel().tolist() for a in arrays))]
    return np.array(flat, dtype=np.int64).reshape(arrays[0].shape)


def f32(x):
    return np.asarray(x, dtype=np.float32).astype(np.float64)


def wide_inputs(source, span):
    if span == "log":
        return f32(np.exp2(source.rng.uniform(-125, 127, 40)))
    if span == "trig":
        return f32(np.concatenate([source.rng.uniform(-100, 100, 20), source.rng.uniform(-1e4, 1e4, 20),
                                   source.rng.uniform(-1, 1, 8) * 1e-4, [1e6, -3e7, 1e10, 1e20, 1e30, 11.0, 22.0, 355.0]]))
    lo, hi = span
    return f32(np.concatenate([source.rng.uniform(lo, hi, 32), np.linspace(lo, hi, 7),
                               source.rng.uniform(-1, 1, 8) * 1e-3, source.rng.uniform(-1, 1, 4) * 1e-10]))


def unary(gold):
    for name, (function, lo, hi, span, special) in UNARY.items():
        source = Source(name)
        how = "exact" if name in EXACT else "ulp"
        for shape in FEW_SHAPES if name in FEW else SHAPES:
            x = source.uniform(shape, lo, hi)
            gold.add(name, shape_name(shape), [v(x)], [out("F", each(function, x))], cmp=how)
        for shape, const in CONST_SHAPES:
            x = source.uniform(shape, lo, hi, const)
            gold.add(name, "const_" + shape_name(shape), [v(x)], [out("F", each(function, x))], cmp=how)
        xs = np.array([x for x, _ in special], dtype=np.float64)
        gold.add(name, "ieee", [v(xs)], [out("F", np.array([y for _, y in special], dtype=np.float64))], cmp=how, flags=["special", "signzero"])
        wide = wide_inputs(source, span)
        gold.add(name, "wide", [v(wide)], [out("F", each(function, wide))], cmp=how, flags=["f32", "special"])
        positive = name in ("log", "log2", "log10", "sqrt", "rsqrt")
        edges = [F32_DENORMAL, 3 * F32_DENORMAL, F32_TINY / 4, F32_TINY, F32_MAX]
        edges += [] if positive else [-F32_DENORMAL, -F32_TINY / 2, -F32_TINY]
        edges += [] if positive or name == "log1p" else [-F32_MAX]
        gold.add(name, "f32edges", [v(edges)], [out("F", each(function, np.array(edges)))], cmp=how, flags=["f32", "special"])
        edges = [F64_DENORMAL, F64_TINY / 8, F64_TINY, 1e-300, 1e300, F64_MAX] + ([] if positive else [-F64_DENORMAL, -1e-300])
        edges += [] if positive or name == "log1p" else [-1e300]
        if name in ("sin", "cos", "tan"):
            edges = [e for e in edges if abs(e) < 1e200]  # 120 digits reduce no further
        gold.add(name, "f64edges", [v(edges)], [out("F", each(function, np.array(edges)))], cmp=how, flags=["f64", "special"])
        for shape, low, high in [((7,), -9, 10), ((), -3, 4), ((2, 3), 0, 12), ((2, 0), 0, 2), ((19,), 0, 2), ((3, 35), -11, 12)]:
            x = source.integers(shape, low, high)
            if name in INTEGER:
                gold.add(name, "int_" + shape_name(shape), [n(x)], [out("N", each_integer(INTEGER[name], x))], cmp="exact")
            elif low >= 0 or name in EVERYWHERE:
                x = np.clip(x, *INSIDE[name]) if name in INSIDE else x
                gold.add(name, "int_" + shape_name(shape), [n(x)], [out("F", each(function, x.astype(float)))], cmp=how)
        if name in ("neg", "abs", "square", "sign"):
            x = np.array([2**63 - 1, -2**63, -2**63 + 1, 2**53 + 1, 2**40, -7])
            gold.add(name, "int_wide", [n(x)], [out("N", each_integer(INTEGER[name], x))], cmp="exact")


def logit(x):
    return mp.log(mp.mpf(x) / (1 - mp.mpf(x)))


UNARY_P = {  # name: (function, [parameters], lo, hi, special xs, integer function)
    "clamp": (lambda x, p, q: mp.mpf(min(max(x, p), q)), [(-1, 1), (0, 2.5), (-3.5, -0.5), (1, 1)], -4, 4, "exact"),
    "add_scalar": (lambda x, p, q: mp.mpf(x) + p, [(0, 0), (1.5, 0), (-2.25, 0), (100, 0)], -4, 4, "ulp"),
    "mul_scalar": (lambda x, p, q: mp.mpf(x) * p, [(0, 0), (1.5, 0), (-2.25, 0), (1, 0)], -4, 4, "ulp"),
    "pow_scalar": (lambda x, p, q: mp.power(x, p), [(2, 0), (0.5, 0), (-1, 0), (3, 0), (0, 0), (-2.5, 0), (1, 0)], .25, 4, "ulp"),
    "leaky_relu": (lambda x, p, q: mp.mpf(x) * (p if x < 0 else 1), [(0.25, 0), (0, 0), (0.125, 0)], -4, 4, "ulp"),
    "elu": (lambda x, p, q: p * mp.expm1(x) if x <= 0 else mp.mpf(x), [(1, 0), (0.5, 0), (2, 0)], -4, 4, "ulp"),
    "celu": (lambda x, p, q: p * mp.expm1(mp.mpf(x) / p) if x <= 0 else mp.mpf(x), [(1, 0), (0.5, 0), (2, 0)], -4, 4, "ulp"),
    "hardtanh": (lambda x, p, q: mp.mpf(min(max(x, p), q)), [(-1, 1), (0, 2.5), (-3.5, -0.5)], -4, 4, "exact"),
    "softshrink": (lambda x, p, q: mp.mpf(x) - p if x > p else mp.mpf(x) + p if x < -p else mp.mpf(0), [(0.5, 0), (1.25, 0), (0, 0)], -4, 4, "ulp"),
    "hardshrink": (lambda x, p, q: mp.mpf(x) if abs(x) > p else mp.mpf(0), [(0.5, 0), (1.25, 0), (0, 0)], -4, 4, "exact"),
    "threshold": (lambda x, p, q: mp.mpf(x) if x > p else mp.mpf(q), [(0, 0), (1, -2), (-1, 20)], -4, 4, "exact"),
    "logit": (lambda x, p, q: logit(x if p < 0 else min(max(x, p), 1 - p)), [(0.25, 0), (-1, 0), (0, 0)], .1, .9, "ulp"),
    "polygamma": (lambda x, p, q: polygamma(p, x), [(1, 0), (2, 0), (3, 0)], .5, 6, "ulp"),
}
INTEGER_P = {"clamp": (lambda x, p, q: min(max(x, p), q), [(-2, 3), (0, 5)]), "hardtanh": (lambda x, p, q: min(max(x, p), q), [(-2, 3), (0, 5)]),
             "threshold": (lambda x, p, q: x if x > p else q, [(-2, 3), (5, 0)]),
             "add_scalar": (lambda x, p, q: x + p, [(3, 0), (-5, 0)]), "mul_scalar": (lambda x, p, q: x * p, [(3, 0), (-2, 0)])}
SPECIAL_P = {
    "clamp": [((-1, 1), [(NAN, NAN), (INF, 1), (-INF, -1), (.5, .5), (-2, -1)]), ((-INF, INF), [(NAN, NAN), (INF, INF), (-INF, -INF), (3, 3)]),
              ((-INF, 2), [(-INF, -INF), (3, 2), (1, 1)])],
    "add_scalar": [((1, 0), [(NAN, NAN), (INF, INF), (-INF, -INF), (-1, 0.0)]), ((INF, 0), [(-INF, NAN), (1, INF), (INF, INF)]),
                   ((NAN, 0), [(1, NAN), (0, NAN)])],
    "mul_scalar": [((-2, 0), [(NAN, NAN), (INF, -INF), (-INF, INF), (0.0, -0.0), (-0.0, 0.0)]), ((0, 0), [(INF, NAN), (NAN, NAN), (1, 0.0), (-1, -0.0)]),
                   ((INF, 0), [(0.0, NAN), (1, INF), (-1, -INF)])],
    "pow_scalar": [((2, 0), [(NAN, NAN), (INF, INF), (-INF, INF), (-3, 9), (0.0, 0.0)]), ((0, 0), [(NAN, 1), (INF, 1), (0.0, 1), (-1, 1)]),
                   ((.5, 0), [(NAN, NAN), (INF, INF), (0.0, 0.0), (-1, NAN)]), ((-1, 0), [(0.0, INF), (-0.0, -INF), (INF, 0.0), (-2, -.5)]),
                   ((3, 0), [(-2, -8), (-0.0, -0.0), (-INF, -INF)])],
    "leaky_relu": [((.25, 0), [(NAN, NAN), (INF, INF), (-INF, -INF), (0.0, 0.0), (-0.0, -0.0)])],
    "elu": [((1.5, 0), [(NAN, NAN), (INF, INF), (-INF, -1.5), (0.0, 0.0), (-0.0, -0.0)])],
    "celu": [((1.5, 0), [(NAN, NAN), (INF, INF), (-INF, -1.5), (0.0, 0.0), (-0.0, -0.0)])],
    "hardtanh": [((-1, 1), [(NAN, NAN), (INF, 1), (-INF, -1), (.5, .5), (-2, -1)]), ((-INF, INF), [(NAN, NAN), (INF, INF), (-INF, -INF), (3, 3)])],
    "softshrink": [((1.5, 0), [(NAN, NAN), (INF, INF), (-INF, -INF), (0.0, 0.0), (1.5, 0.0), (-1.5, 0.0), (2, .5)])],
    "hardshrink": [((1.5, 0), [(NAN, NAN), (INF, INF), (-INF, -INF), (0.0, 0.0), (1.5, 0.0), (-1.5, 0.0), (2, 2)])],
    "threshold": [((1.5, -7), [(NAN, NAN), (INF, INF), (-INF, -7), (1.5, -7), (2, 2)])],
    "logit": [((-1, 0), [(NAN, NAN), (INF, NAN), (-INF, NAN), (0.0, -INF), (1, INF), (.5, 0.0), (2, NAN), (-1, NAN)]),
              ((.25, 0), [(NAN, NAN), (INF, math.log(3)), (-INF, -math.log(3)), (.5, 0.0)]), ((0, 0), [(0.0, -INF), (2, INF), (-3, -INF)])],
    "polygamma": [((0, 0), [(NAN, NAN), (INF, INF), (0.0, -INF), (-0.0, INF), (-1, NAN)]), ((1, 0), [(NAN, NAN), (INF, 0.0), (0.0, INF), (-2, INF)]),
                  ((2, 0), [(NAN, NAN), (INF, 0.0), (-1, NAN)]), ((2.5, 0), [(1, NAN)]), ((-1, 0), [(1, NAN)]), ((21, 0), [(1, NAN)])],
}


def unary_p(gold):
    for name, (function, parameters, lo, hi, how) in UNARY_P.items():
        source = Source(name)
        for p, q in parameters:
            for shape in SHAPES[:4] + SHAPES[5:12]:
                x = source.uniform(shape, lo, hi)
                y = each(lambda value: function(value, p, q), x)
                gold.add(name, f"{shape_name(shape)}_p{p}", [v(x)], [out("F", y)], f=[p, q], cmp=how)
            for shape, const in CONST_SHAPES[:3]:
                x = source.uniform(shape, lo, hi, const)
                y = each(lambda value: function(value, p, q), x)
                gold.add(name, f"const_{shape_name(shape)}_p{p}", [v(x)], [out("F", y)], f=[p, q], cmp=how)
        for (p, q), special in SPECIAL_P[name]:
            xs = np.array([x for x, _ in special], dtype=np.float64)
            gold.add(name, f"ieee_p{p}", [v(xs)], [out("F", np.array([y for _, y in special], dtype=np.float64))], f=[p, q], cmp=how,
                     flags=["special", "signzero"])
        if name in INTEGER_P:
            function, parameters = INTEGER_P[name]
            for p, q in parameters:
                for shape, low in [((7,), -9), ((), 0), ((3, 5), 0), ((0,), 0)]:
                    x = source.integers(shape, low, 10)
                    y = each_integer(lambda value: function(value, p, q), x)
                    gold.add(name, f"int_{shape_name(shape)}_p{p}", [n(x)], [out("N", y)], f=[p, q], cmp="exact")
        else:
            p, q = parameters[0]
            x = source.integers((3, 4), 1, 5)
            gold.add(name, "int", [n(x)], [out("F", each(lambda value: function(value, p, q), x.astype(float)))], f=[p, q], cmp="ulp")


PREDICATE = {"isposinf": lambda x: x == INF, "isneginf": lambda x: x == -INF, "signbit": lambda x: math.copysign(1, x) < 0, "isnan": math.isnan, "isinf": math.isinf, "isfinite": math.isfinite, "logical_not": lambda x: x == 0}


def predicate(gold):
    extremes = [NAN, INF, -INF, 0.0, -0.0, 1, -1]
    for name, function in PREDICATE.items():
        source = Source(name)

        def test(x):
            return np.array([function(value) for value in x.ravel().tolist()]).reshape(x.shape)

        for k, (shape, const) in enumerate([(shape, ()) for shape in SHAPES] + CONST_SHAPES):
            x = source.uniform(shape, const=const)
            x[source.rng.random(x.shape) < .3] = 0
            if const:
                x = np.array(np.broadcast_to(x[tuple(slice(0, 1) if d in const else slice(None) for d in range(x.ndim))], shape))
            gold.add(name, f"{shape_name(shape)}_{k}", [v(x)], [out("B", test(x))], cmp="exact")
            choice = source.rng.integers(0, len(extremes), shape)
            x = np.array(extremes)[choice] if len(shape) else np.array(extremes[k % 7])
            gold.add(name, f"ieee_{shape_name(shape)}_{k}", [v(x)], [out("B", test(x))], cmp="exact", flags=["special"])
        x = np.array([F32_DENORMAL, -F32_DENORMAL, F32_MAX, -F32_MAX, F32_TINY])
        gold.add(name, "f32edges", [v(x)], [out("B", test(x))], cmp="exact", flags=["f32", "special"])
        x = np.array([F64_DENORMAL, F64_MAX, -F64_MAX, 1e300])
        gold.add(name, "f64edges", [v(x)], [out("B", test(x))], cmp="exact", flags=["f64", "special"])
        for shape, low, high in [((7,), -2, 3), ((), 0, 2), ((3, 5), 0, 3), ((0,), 0, 1), ((19,), 0, 2)]:
            x = source.integers(shape, low, high)
            gold.add(name, "int_" + shape_name(shape), [n(x)], [out("B", test(x))], cmp="exact")


PAIRS = [((), ()), ((1,), (1,)), ((7,), (7,)), ((33,), (33,)), ((67,), (67,)), ((0,), (0,)), ((0,), ()), ((2, 0, 3), (1, 1, 3)),
         ((3, 5), (3, 5)), ((3, 5), (5,)), ((3, 5), (3, 1)), ((5,), (3, 5)), ((3, 1), (1, 5)), ((2, 3, 4), (2, 3, 4)), ((2, 3, 4), (3, 1)),
         ((2, 1, 4), (3, 4)), ((), (7,)), ((7,), ()), ((2, 3, 4), ()), ((1, 17), (2, 17)), ((4, 1, 3), (1, 2, 1)), ((2, 1, 2, 1, 2), (3, 1, 2, 1))]
CONST_PAIRS = [((3, 4), (3, 4), (0,)), ((3, 4), (3, 4), (1,)), ((2, 3, 5), (3, 5), (1,)), ((9,), (9,), (0,))]


def atan2(a, b):
    return mp.atan2(mp.mpf(a), mp.mpf(b))


def modulo(a, b):
    a, b = mp.mpf(a), mp.mpf(b)
    return a - b * mp.floor(a / b)


def c_remainder(a, b):
    ratio = mp.mpf(a) / b
    return a - b * (mp.floor(ratio) if ratio >= 0 else mp.ceil(ratio))


def log_of_sum(base):
    return lambda a, b: mp.log(mp.power(base, a) + mp.power(base, b)) / mp.log(base)


def xlogy(a, b, plus):
    """a log(b + plus), by IEEE's rules for special values, and 0 for a = 0."""
    with np.errstate(all="ignore"):
        return np.where((a == 0) & ~np.isnan(b), 0.0, a * (np.log1p(b) if plus else np.log(b)))


BINARY = {
    "fmod": (c_remainder, .25, 4), "floor_divide": (lambda a, b: mp.floor(mp.mpf(a) / b), .25, 4), "fmin": (lambda a, b: mp.mpf(min(a, b)), -4, 4),
    "fmax": (lambda a, b: mp.mpf(max(a, b)), -4, 4), "hypot": (mp.hypot, .25, 4), "copysign": (lambda a, b: mp.mpf(math.copysign(a, b)), .25, 4),
    "logaddexp": (log_of_sum(mp.e), .25, 4), "logaddexp2": (log_of_sum(2), .25, 4), "xlogy": (lambda a, b: a * mp.log(b), .25, 4),
    "xlog1py": (lambda a, b: a * mp.log1p(b), .25, 4),
    "add": (lambda a, b: mp.mpf(a) + b, -4, 4), "sub": (lambda a, b: mp.mpf(a) - b, -4, 4), "mul": (lambda a, b: mp.mpf(a) * b, -4, 4),
    "div": (lambda a, b: mp.mpf(a) / b, .25, 4), "pow": (lambda a, b: mp.power(a, b), .25, 3), "min": (lambda a, b: mp.mpf(min(a, b)), -4, 4),
    "max": (lambda a, b: mp.mpf(max(a, b)), -4, 4), "mod": (modulo, .25, 4), "atan2": (atan2, .25, 4),
}
BINARY_IEEE = {"fmod": np.fmod, "floor_divide": np.floor_divide, "fmin": np.fmin, "fmax": np.fmax, "hypot": np.hypot, "copysign": np.copysign,
               "logaddexp": np.logaddexp, "logaddexp2": np.logaddexp2, "xlogy": lambda a, b: xlogy(a, b, 0), "xlog1py": lambda a, b: xlogy(a, b, 1), "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "pow": np.power, "min": np.minimum,
               "max": np.maximum, "mod": np.mod, "atan2": np.arctan2}
SIGN_OF_ZERO = {"fmod", "hypot", "copysign", "add", "sub", "mul", "div", "pow", "atan2"}


def integer_power(a, b):
    if b >= 0:
        return pow(a, b, 2**64)
    return {1: 1, -1: 1 if b % 2 == 0 else -1}.get(a, 0)


BINARY_INTEGER = {"fmod": lambda a, b: int(math.copysign(abs(a) % abs(b), a)) if b else 0, "floor_divide": lambda a, b: a // b if b else 0,
                  "fmin": min, "fmax": max, "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "pow": integer_power, "min": min,
                  "max": max, "mod": lambda a, b: a % b if b else 0}


def binary(gold):
    values = [NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 2.0, -2.5, 0.5]
    a_all, b_all = (np.array(m).ravel() for m in np.meshgrid(values, values, indexing="ij"))
    for name, (function, lo, hi) in BINARY.items():
        source = Source(name)
        how = "exact" if name in ("min", "max", "fmin", "fmax", "copysign") else "ulp"
        for k, (sa, sb, const) in enumerate([(sa, sb, ()) for sa, sb in PAIRS] + CONST_PAIRS):
            a, b = source.uniform(sa, lo, hi, const), source.uniform(sb, lo, hi, tuple(d for d in const if d < len(sb)))
            gold.add(name, f"{shape_name(sa, sb)}_{k}", [v(a), v(b)], [out("F", each(function, a, b))], cmp=how)
            if lo > 0 and name in ("div", "mod", "atan2", "fmod", "floor_divide", "hypot", "copysign"):  # the same with both signs
                a, b = source.uniform(sa, -4, 4, const), b * np.where(source.rng.random(b.shape) < .5, -1, 1) if not const else -b
                gold.add(name, f"signed_{shape_name(sa, sb)}_{k}", [v(a), v(b)], [out("F", each(function, a, b))], cmp=how, flags=["nograd"])
        with np.errstate(all="ignore"):
            gold.add(name, "ieee", [v(a_all), v(b_all)], [out("F", BINARY_IEEE[name](a_all, b_all))], cmp=how,
                     flags=["special", "signzero"] if name in SIGN_OF_ZERO else ["special"])
            a = f32([F32_MAX, F32_MAX, F32_DENORMAL, F32_DENORMAL, F32_TINY, 1e30, 1e-30, 3e38, -1e-40])
            b = f32([F32_MAX, 2, F32_DENORMAL, 0.5, 3, 1e-20, 1e-20, -3e38, 7])
            kept = np.isfinite(BINARY_IEEE[name](a, b)) & ~((name in ("mod", "fmod", "floor_divide")) & (np.abs(a) > 1e25))
            gold.add(name, "f32edges", [v(a[kept]), v(b[kept])], [out("F", each(function, a[kept], b[kept]))], cmp=how, flags=["f32", "special"])
        wide = [source.rng.uniform(-1, 1, 40) * np.exp2(source.rng.uniform(-8, 8, 40)) for _ in range(2)]
        a, b = (f32(np.abs(x) if name in ("pow", "xlogy", "xlog1py") else x) for x in wide)
        b = np.clip(b, -30, 30) if name == "pow" else b
        gold.add(name, "wide", [v(a), v(b)], [out("F", each(function, a, b))], cmp=how, flags=["f32", "special"])
        for sa, sb, low in [((7,), (7,), -9), ((3, 5), (5,), -3), ((), (), 0), ((2, 3), (2, 3), 0), ((0,), (0,), 0), ((19,), (), 0),
                            ((4, 1), (1, 4), -5)]:
            a, b = source.integers(sa, low, 10), source.integers(sb, 0 if name == "pow" and low >= 0 else low, 10)
            if name in BINARY_INTEGER:
                gold.add(name, "int_" + shape_name(sa, sb), [n(a), n(b)], [out("N", each_integer(BINARY_INTEGER[name], a, b))], cmp="exact")
            else:
                b = np.where(b == 0, 1, np.abs(b) if name in ("xlogy", "xlog1py") else b)
                gold.add(name, "int_" + shape_name(sa, sb), [n(a), n(b)], [out("F", each(function, a.astype(float), b.astype(float)))], cmp="ulp")
        a, b = source.integers((9,), 0, 2), source.integers((9,), 0, 2)
        if name in BINARY_INTEGER:
            gold.add(name, "flags", [n(a), n(b)], [out("N", each_integer(BINARY_INTEGER[name], a, b))], cmp="exact")
            a, b = np.array([2**63 - 1, -2**63, 2**53 + 1, 2**40, -7, 3]), np.array([1, 1, 1, 2**30, 3, 41])
            gold.add(name, "int_wide", [n(a), n(b)], [out("N", each_integer(BINARY_INTEGER[name], a, b))], cmp="exact")


COMPARE = {"eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
           "logical_and": np.logical_and, "logical_or": np.logical_or, "logical_xor": np.logical_xor}


def compare(gold):
    values = [NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0]
    a_all, b_all = (np.array(m).ravel() for m in np.meshgrid(values, values, indexing="ij"))
    for name, function in COMPARE.items():
        source = Source(name)
        for k, (sa, sb, const) in enumerate([(sa, sb, ()) for sa, sb in PAIRS] + CONST_PAIRS):
            a, b = (np.rint(source.uniform(s, -2, 2, tuple(d for d in const if d < len(s)))) for s in (sa, sb))  # many ties and zeros
            gold.add(name, f"{shape_name(sa, sb)}_{k}", [v(a), v(b)], [out("B", function(a, b))], cmp="exact")
            if k % 3 == 0:
                gold.add(name, f"int_{shape_name(sa, sb)}_{k}", [n(a), n(b)], [out("B", function(a, b))], cmp="exact")
                a, b = np.abs(a), np.abs(b)
                gold.add(name, f"uint_{shape_name(sa, sb)}_{k}", [n(a), n(b)], [out("B", function(a, b))], cmp="exact")
        gold.add(name, "ieee", [v(a_all), v(b_all)], [out("B", function(a_all, b_all))], cmp="exact", flags=["special"])
        a, b = f32([F32_DENORMAL, 0, F32_MAX, 1, F32_TINY]), f32([0, -F32_DENORMAL, INF, np.nextafter(np.float32(1), np.float32(2)), F32_DENORMAL])
        gold.add(name, "f32edges", [v(a), v(b)], [out("B", function(a, b))], cmp="exact", flags=["f32", "special"])
        a, b = np.array([2**53 + 1, 2**63 - 1, -2**63, 0]), np.array([2**53, 2**63 - 2, 2**63 - 1, 2**62])
        gold.add(name, "int_wide", [n(a), n(b)], [out("B", function(a, b))], cmp="exact")
        a, b = source.integers((9,), 0, 2), source.integers((9,), 0, 2)
        gold.add(name, "flags", [n(a), n(b)], [out("B", function(a, b))], cmp="exact")


def shifted(a, b):
    return a << b if 0 <= b < 64 else 0


BITS = {"bitwise_and": lambda a, b: a & b, "bitwise_or": lambda a, b: a | b, "bitwise_xor": lambda a, b: a ^ b}
INTEGERS = BITS | {"bitwise_left_shift": shifted, "bitwise_right_shift": lambda a, b: a >> b if 0 <= b < 64 else -(a < 0),
                   "gcd": math.gcd, "lcm": math.lcm}


def integer(gold):
    for name, function in INTEGERS.items():
        source = Source(name)
        kind = "D" if name in BITS else "N"
        for k, (sa, sb) in enumerate(PAIRS):
            shift = "shift" in name
            low = 0 if k % 2 else -9
            a, b = source.integers(sa, low, 12), source.integers(sb, 0 if shift else low, 8 if shift else 12)
            gold.add(name, f"{shape_name(sa, sb)}_{k}", [n(a), n(b)], [out(kind, each_integer(function, a, b))], cmp="exact")
        a, b = source.integers((9,), 0, 2), source.integers((9,), 0, 2)
        gold.add(name, "flags", [n(a), n(b)], [out(kind, each_integer(function, a, b))], cmp="exact")
        a, b = np.array([2**63 - 1, -2**63, 2**53 + 1, 2**40, -7, 3, -1, -1, 5]), np.array([1, 1, 12, 2**30, 3, 62, 63, 64, -1])
        gold.add(name, "int_wide", [n(a), n(b)], [out(kind, each_integer(function, a, b))], cmp="exact")


def where(gold):
    source = Source("where")
    triples = [((), (), ()), ((7,), (7,), (7,)), ((33,), (33,), ()), ((3, 5), (5,), (3, 1)), ((3, 1), (1, 5), (1,)), ((0,), (0,), (1,)),
               ((2, 3, 4), (2, 3, 4), (2, 3, 4)), ((), (7,), (7,)), ((5,), (3, 5), ()), ((2, 1, 4), (3, 1), (2, 3, 4)), ((1,), (4, 3), (4, 1)),
               ((67,), (67,), (67,)), ((2, 0), (2, 1), (1, 1)), ((4, 1, 2), (3, 2), (4, 3, 1)), ((17,), (), (17,))]
    for k, (sc, sa, sb) in enumerate(triples * 2):
        cond = source.rng.random(sc) < .5
        a, b = source.uniform(sa), source.uniform(sb)
        gold.add("where", f"{shape_name(sc, sa, sb)}_{k}", [c(cond), v(a), v(b)], [out("D", np.where(cond, a, b))], cmp="exact")
        if k < 15:
            low = 0 if k % 2 else -9
            a, b = source.integers(sa, low, 10), source.integers(sb, low, 10)
            gold.add("where", f"int_{shape_name(sc, sa, sb)}_{k}", [c(cond), n(a), n(b)], [out("D", np.where(cond, a, b))], cmp="exact")
    for shape, const in CONST_SHAPES:
        cond, a, b = np.broadcast_to(source.uniform(shape, const=const) > 0, shape), source.uniform(shape, const=const), source.uniform(shape)
        gold.add("where", "const_" + shape_name(shape), [c(cond), v(a), v(b)], [out("D", np.where(cond, a, b))], cmp="exact")
    a, b = np.array([NAN, INF, -0.0, 1]), np.array([1, 0.0, NAN, -INF])
    for cond in ([1, 1, 1, 1], [0, 0, 0, 0], [1, 0, 1, 0]):
        gold.add("where", "ieee", [c(cond), v(a), v(b)], [out("D", np.where(cond, a, b))], cmp="exact", flags=["special", "signzero"])
    cond, a, b = source.rng.random(9) < .5, source.integers((9,), 0, 2), source.integers((9,), 0, 2)
    gold.add("where", "flags", [c(cond), n(a), n(b)], [out("D", np.where(cond, a, b))], cmp="exact")


def make():
    files = {}
    for name, function, about in [("elementwise_unary", unary, "UNARY rows"), ("elementwise_unary_p", unary_p, "UNARY_P rows"), ("elementwise_predicate", predicate, "PREDICATE rows"),
                                  ("elementwise_binary", binary, "BINARY rows"), ("elementwise_compare", compare, "COMPARE rows"), ("elementwise_where", where, "TERNARY rows"), ("elementwise_integer", integer, "INTEGER rows")]:
        files[name] = Gold(f"{about} of ops.def, elementwise, by mpmath at 60 digits and IEEE 754 special values.")
        function(files[name])
    return files
