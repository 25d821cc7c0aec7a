"""Golden values of attention, by NumPy in float64: each query by itself, over the keys that it sees and no others."""
import math

import numpy as np

from gold_format import Gold, Source, out, shape_name, v


DEFAULT = -1e308  # WEFT_ATTENTION_SCALE


def attend(q, k, values, scale, causal):
    """The result and the scale of its errors."""
    if scale == DEFAULT:
        scale = 1 / math.sqrt(q.shape[-1]) if q.shape[-1] else 1
    queries, keys = q.shape[-2], k.shape[-2]
    y = np.zeros(q.shape[:-1] + values.shape[-1:])
    mag = np.zeros_like(y)
    for at in np.ndindex(*q.shape[:-1]):
        seen = min(keys, max(0, at[-1] + 1 + keys - queries)) if causal else keys
        if seen == 0:
            continue
        score = np.array([scale * math.fsum(q[at] * k[at[:-1]][s]) for s in range(seen)])
        reach = np.array([abs(scale) * math.fsum(np.abs(q[at] * k[at[:-1]][s])) for s in range(seen)])
        weight = np.array([math.exp(x - score.max()) for x in score])
        weight /= math.fsum(weight)
        rows = values[at[:-1]][:seen]
        y[at] = weight @ rows
        mag[at] = weight @ np.abs(rows) * (1 + reach.max())
    return y, mag


# leading dims, T, S, D, E, dims that are constant
SIZES = [((), 1, 1, 1, 1, ()), ((), 3, 5, 4, 2, ()), ((), 5, 3, 4, 6, ()), ((2,), 4, 4, 3, 3, ()), ((2, 3), 3, 4, 5, 2, ()), ((), 7, 7, 8, 8, ()),
         ((), 1, 9, 16, 16, ()), ((), 9, 1, 3, 5, ()), ((), 6, 2, 1, 1, ()), ((3,), 0, 4, 3, 2, ()), ((2,), 3, 0, 4, 2, ()), ((0,), 3, 2, 4, 2, ()), ((), 2, 3, 0, 2, ()), ((), 2, 3, 2, 0, ()),
         ((), 11, 13, 17, 19, ()), ((2,), 17, 17, 5, 4, ()), ((), 3, 5, 4, 2, (0,)), ((), 4, 4, 4, 4, (1,)), ((2,), 3, 4, 2, 3, (0,)), ((1, 2), 4, 2, 6, 1, (1, 2)), ((), 2, 40, 33, 7, ())]


def attentions(gold):
    source = Source("attention")
    for n, (lead, queries, keys, width, columns, const) in enumerate(SIZES):
        for causal in (0, 1):
            scale = 0 if n % 5 == 3 else (DEFAULT, 0.25, -0.5)[(n + causal) % 3]
            q, k = source.uniform(lead + (queries, width), -2, 2, const), source.uniform(lead + (keys, width), -2, 2, const)
            values = source.uniform(lead + (keys, columns), -2, 2, const)
            y, mag = attend(q, k, values, scale, causal)
            flags = ["f32"] if width > 16 else []
            gold.add("attention", f"{shape_name(q.shape, k.shape, values.shape)}_{causal}_{n}", [v(q), v(k), v(values)], [out("F", y, mag)],
                     i=[causal], f=[scale], k=max(1, width, keys), flags=flags)
    steep = 16 * source.uniform((5, 4), -4, 4), source.uniform((6, 4)), source.uniform((6, 3))
    gold.add("attention", "steep", [v(x) for x in steep], [out("F", *attend(*steep, 1, 0))], i=[0], f=[1], k=6, flags=["f32", "special"])
    q, k, values = source.uniform((3, 2)), source.uniform((4, 2)), source.uniform((4, 2))
    q[1, 0] = np.nan
    y, mag = attend(np.nan_to_num(q), k, values, 1, 0)
    y[1] = np.nan
    gold.add("attention", "nan", [v(q), v(k), v(values)], [out("F", y, mag)], i=[0], f=[1], k=4, flags=["special"])


def make():
    gold = Gold("Attention, by NumPy in float64.")
    attentions(gold)
    return {"attention": gold}
