"""Golden values of conversions between dtypes, by NumPy (bf16: PyTorch), and of copies."""
import numpy as np
import torch

from gold_format import Gold, Source, n, out, shape_name, v
from gold_move import Mover

INF, NAN = np.inf, np.nan

DTYPES = ["f32", "f64", "f16", "bf16", "i64", "i32", "i8", "u8", "bool"]  # the order of WEFT_DTYPE_LIST
RANGES = {"i64": (-2**63, 2**63 - 1), "i32": (-2**31, 2**31 - 1), "i8": (-128, 127), "u8": (0, 255)}


def converted(x, dtype):
    """Floats to any dtype: integers truncate toward 0 and saturate, NaN gives 0; bool is `nonzero`."""
    if dtype == "bool":
        return (x != 0).astype(np.int64)
    if dtype in RANGES:
        lo, hi = RANGES[dtype]
        return np.array([0 if np.isnan(t) else lo if t <= lo else hi if t >= hi else int(t) for t in x.ravel()], dtype=np.int64).reshape(x.shape)
    if dtype == "bf16":
        return torch.tensor(x).to(torch.float32).to(torch.bfloat16).to(torch.float64).numpy()
    with np.errstate(over="ignore"):
        return x.astype({"f16": np.float16, "f32": np.float32, "f64": np.float64}[dtype]).astype(np.float64)


def casts(gold):
    source = Source("cast")
    for code, dtype in enumerate(DTYPES):
        kind = "T:" + dtype
        smooth = [] if dtype == "f64" else ["nograd"]  # rounding spoils differences
        for shape, const in [((7,), ()), ((), ()), ((0,), ()), ((3, 5), ()), ((33,), ()), ((2, 3, 4), ()), ((3, 4), (0,)), ((3, 4), (1,))]:
            x = source.uniform(shape, -100, 100, const)
            gold.add("cast", f"{shape_name(shape)}_to_{dtype}", [v(x)], [out(kind, converted(x, dtype))], i=[code], cmp="exact", flags=smooth)
        x = np.array([NAN, INF, -INF, 0.0, -0.0])
        gold.add("cast", f"ieee_to_{dtype}", [v(x)], [out(kind, converted(x, dtype))], i=[code], cmp="exact", flags=["special"])
        x = source.rng.uniform(-1, 1, 50).astype(np.float32).astype(float)
        edges = [1 + 2.0**-8, 1 + 2.0**-11, 1 + 3 * 2.0**-11, 1 + 3 * 2.0**-8, 65504, 65519, 65520, 1e6, 2.0**-24, 2.0**-25, 1.5 * 2.0**-25, 2.0**-14, 3e38,
                 -3e38, 127.5, 128, -128.9, -129, 255.9, 256, -0.5, -1.0, 2147483648.0, -2147483648.0, 9.3e18, -9.3e18, 2.0**-149, 2.0**-133, 16777217]
        x = np.concatenate([x, np.array(edges, dtype=np.float32).astype(float)])
        gold.add("cast", f"rounding_to_{dtype}", [v(x)], [out(kind, converted(x, dtype))], i=[code], cmp="exact", flags=["f32", "special"])
        if dtype not in ("f16", "bf16"):  # (those go through f32, which rounds twice)
            x = np.array([1e300, -1e300, 1 + 2.0**-40, 2.0**53 + 2, 2147483646.5, 9223372036854774784.0, 1e-320, 2.0**-149 * 0.75])
            gold.add("cast", f"f64_to_{dtype}", [v(x)], [out(kind, converted(x, dtype))], i=[code], cmp="exact", flags=["f64", "special"])
        for label, x in [("flags", source.integers((9,), 0, 2)), ("small", source.integers((3, 5), 0, 100)), ("signed", source.integers((11,), -100, 100)),
                         ("wide", np.array([2**40 + 3, -2**40, 200, -1, 65000]))]:
            if dtype == "bool":
                y = x != 0
            elif dtype in RANGES:
                y = x if label != "wide" or dtype == "i64" else None
            else:
                y = converted(x.astype(float), dtype)
            if y is not None:
                gold.add("cast", f"{label}_to_{dtype}", [n(x)], [out(kind, y)], i=[code], cmp="exact")


def copies(gold):
    move = Mover(gold)
    for op in ("clone", "contiguous"):
        for shape in [(), (1,), (7,), (0,), (3, 5), (2, 3, 4), (2, 0, 3), (33,)]:
            move(op, lambda a: a, [shape])
            if len(shape) > 1:
                move(op, lambda a: a, [shape], const=(0,))


def make():
    gold = Gold("Conversions between dtypes, by NumPy (bf16: PyTorch), and copies.")
    for function in (casts, copies):
        function(gold)
    return {"copy": gold}
