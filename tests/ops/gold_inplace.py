"""Golden values of in-place operations, by NumPy."""
import numpy as np

from gold_format import Gold, Source, n, out, shape_name, v

NAN = np.nan


def in_place(gold):
    rules = {"add_": lambda a, b: a + b, "sub_": lambda a, b: a - b, "mul_": lambda a, b: a * b, "div_": lambda a, b: a / b, "copy_": lambda a, b: b + 0 * a}
    shapes = [((), ()), ((7,), (7,)), ((33,), ()), ((3, 5), (5,)), ((3, 5), (3, 1)), ((2, 3, 4), (2, 3, 4)), ((2, 3, 4), (1, 3, 1)), ((0,), (0,)), ((4, 3), (4, 3)), ((1,), (1,))]
    for name, rule in rules.items():
        source = Source(name)
        for k, (sx, sy) in enumerate(shapes * 2):
            x, y = source.uniform(sx), source.uniform(sy, .25, 4)
            gold.add(name, f"{shape_name(sx, sy)}_{k}", [v(x), v(y)], [out("D", rule(x, y))], cmp="exact" if name == "copy_" else "ulp", flags=["inplace"])
            if name != "div_":
                x, y = source.integers(sx, 0, 10), source.integers(sy, 0, 10)
                gold.add(name, f"int_{shape_name(sx, sy)}_{k}", [n(x), n(y)], [out("D", rule(x, y))], cmp="exact",
                         flags=["inplace"] + (["nobool"] if name != "copy_" else []))
        y = source.uniform((3, 4), .25, 4, (0,))
        x = source.uniform((3, 4))
        gold.add(name, "const", [v(x), v(y)], [out("D", rule(x, y))], cmp="exact" if name == "copy_" else "ulp", flags=["inplace"])
    source = Source("fill_")
    for shape in [(), (7,), (33,), (3, 5), (2, 3, 4), (0,), (2, 0)]:
        for value in (0, 2.5, -1, NAN):
            gold.add("fill_", f"{shape_name(shape)}_{value}", [v(source.uniform(shape))], [out("D", np.full(shape, float(value)))], f=[value], cmp="exact",
                     flags=["inplace"])
        gold.add("fill_", f"int_{shape_name(shape)}", [n(source.integers(shape, 0, 9))], [out("D", np.full(shape, 7))], f=[7], cmp="exact",
                 flags=["inplace", "nobool"])


def make():
    gold = Gold("In-place operations, by NumPy.")
    in_place(gold)
    return {"inplace": gold}
