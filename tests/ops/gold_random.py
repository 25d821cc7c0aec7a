"""Golden values of dropout where nothing is by chance."""

from gold_format import Gold, Source, out, shape_name, v


def dropouts(gold):
    source = Source("dropout")
    for shape in [(), (7,), (33,), (3, 5), (2, 3, 4), (0,), (2, 0), (131,), (4, 4)]:
        for p, training in [(0, 1), (0.5, 0), (0.9, 0), (0, 0)]:  # those without chance in them
            x = source.uniform(shape)
            gold.add("dropout", f"{shape_name(shape)}_{p}_{training}", [v(x)], [out("F", x)], i=[training], f=[p], cmp="exact")


def make():
    gold = Gold("Dropout.")
    dropouts(gold)
    return {"random": gold}
