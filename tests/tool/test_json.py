"""What programs get: JSON of fixed schemas, for every operation and model."""
import os
import re
import tempfile
from html.parser import HTMLParser

from tool import HERE, check_schema, main, read_schema, weft, weft_json

DOCS = os.path.join(HERE, "..", "..", "docs")


def test_info():
    info = weft_json("info", "--json")
    check_schema(info, "info")
    assert info["schema"] == "weft-info/1"
    assert info["cpu"]["processors"] == len(os.sched_getaffinity(0))
    assert bool(info["gpus"]) == (info["gpu_unused_because"] is None)


def test_ops():
    ops = weft_json("ops", "--json")
    check_schema({**ops, "declared": weft_json("ops", "--family", "type", "--json")["declared"]}, "ops")
    assert ops["declared"] == []
    names = [op["name"] for op in ops["ops"]]
    assert len(names) == len(set(names)) and len(names) > 100
    assert all(op["differentiable"] == (op["no_gradient"] is None) for op in ops["ops"])
    one = weft_json("ops", "atan2", "--json")["ops"]
    assert [op["name"] for op in one] == ["atan2"] and one[0]["gradient_b"] == "-M(atan2_slope)(g, a, b)"


def test_coverage_counts_every_operation():
    coverage = weft_json("ops", "--coverage", "--json")
    check_schema(coverage, "coverage")
    ops = weft_json("ops", "--json")["ops"]
    for row in coverage["families"]:
        of = [op for op in ops if op["family"] == row["family"]]
        assert row["operations"] == len(of) > 0, row
        assert row["differentiable"] == sum(op["differentiable"] for op in of), row
        for whose in ("pytorch", "numpy", "onnx"):
            assert row[whose] == sum(not op[whose].startswith("-") for op in of), (whose, row)
    assert sum(row["operations"] for row in coverage["families"]) == len(ops)


def test_every_derivative_is_told():
    ops = weft_json("ops", "--json")["ops"]
    silent = [op["name"] for op in ops if op["differentiable"] and not op["gradient"]]
    assert not silent, f"the records have no words for {silent}"


def test_everything_that_the_headers_declare_is_found():
    headers = os.path.join(HERE, "..", "..", "include", "weft")
    declared = {item["name"]: item for kind in ("function", "type") for item in weft_json("ops", "--family", kind, "--json")["declared"]}
    missing = []
    for header in sorted(os.listdir(headers)):
        with open(os.path.join(headers, header)) as file:
            text = re.sub(r"/[*].*?[*]/", "", file.read(), flags=re.S)
        if header == "ops.h":
            continue
        functions = re.findall(r"WEFT_API[^;(]*?\b(weft_[a-z0-9_]+)\s*\(", text)
        types = re.findall(r"^typedef (?:struct|enum) (weft_[a-z0-9_]+)", text, re.M)
        missing += [name for name in functions + types if name not in declared or declared[name]["header"] != header]
        assert functions or types or header in ("weft.h",), header
    assert not missing, missing
    assert len(declared) > 150 and all(item["declaration"].count("(") == item["declaration"].count(")") for item in declared.values() if item["kind"] == "function")


def test_gradcheck_covers_every_differentiable_operation():
    checked = weft_json("gradcheck", "all", "--json")
    check_schema(checked, "gradcheck")
    assert [op["name"] for op in checked["ops"] if not op["right"]] == []
    done = {op["name"] for op in checked["ops"] if op["first"] == "right" and op["second"] == "right"}
    wanted = {op["name"] for op in weft_json("ops", "--json")["ops"] if op["differentiable"]}
    assert done == wanted, done ^ wanted


def test_bench_measures_every_operation_and_dtype():
    report = weft_json("bench", "ops", "all", "--quick", "--device", "cpu", "--dtype", "f32,f64,f16,bf16", "--json")
    check_schema(report, "bench")
    assert report["schema"] == "weft-bench/1" and report["settings"]["quick"]
    assert [case["id"] + ": " + case["error"] for case in report["cases"] if case["error"]] == []
    # steps of optimisers are part of every model's training step
    wanted = {op["name"] for op in weft_json("ops", "--json")["ops"] if not op["name"].endswith("_step")}
    assert {case["name"] for case in report["cases"]} == wanted
    assert len(report["cases"]) == 4 * len(wanted)
    names = [ceiling["name"] for ceiling in report["devices"][0]["ceilings"]]
    assert {"copy", "read", "fma", "launch"} <= set(names)


def test_bench_figures_hang_together():
    report = weft_json("bench", "ops", "add", "matmul", "transpose", "--quick", "--device", "cpu", "--shape", "64x48",
                       "--json")
    add, matmul, transpose = report["cases"]
    assert add["bytes"] == 3 * 4 * 64 * 48 and add["flops"] == 64 * 48 and add["size"] == "64x48"
    assert matmul["flops"] == 2 * 64 * 48 * 48 and matmul["id"] == "op/matmul/64x48/f32/cpu"
    assert transpose["bytes"] == 0 and transpose["share_of_limit"] is None
    for case in report["cases"]:
        s = case["seconds"]
        assert 0 < s["best"] <= s["p10"] <= s["median"] <= s["p90"] and len(s["samples"]) == 3
        assert min(s["samples"]) == s["best"]
    share = add["limit_seconds"] / add["seconds"]["median"]
    assert abs(share - add["share_of_limit"]) < 1e-6 * share


def test_bench_measures_every_gradient():
    report = weft_json("bench", "ops", "all", "--grad", "--quick", "--device", "cpu", "--dtype", "f32,bf16", "--json")
    check_schema(report, "bench")
    assert [case["id"] + ": " + case["error"] for case in report["cases"] if case["error"]] == []
    differentiable = {op["name"] for op in weft_json("ops", "--json")["ops"] if op["differentiable"]}
    gradients = [case for case in report["cases"] if case["kind"] == "gradient"]
    assert {case["name"] for case in gradients} == differentiable, {c["name"] for c in gradients} ^ differentiable
    assert len(gradients) == 2 * len(differentiable)


def test_text_names_the_machine_and_what_was_measured():
    words = ("bench", "ceilings", "--device", "cpu", "--quick")
    report, text = weft_json(*words, "--json"), weft(*words).out
    assert f"fingerprint {report['machine']['fingerprint']}\n" in text, text
    sources = {ceiling["source"] for ceiling in report["devices"][0]["ceilings"]}
    assert sources == {"a loop over memory", "a loop in registers", "weft_add_, 8 elements"}
    assert all(source in text for source in sources) and "of theory" not in text


def test_a_device_alone_has_its_own_sizes():
    report = weft_json("bench", "ceilings", "--device", "cpu", "--quick", "--json")
    assert report["settings"] == {"threads": report["settings"]["threads"], "quick": True, "same_sizes": False}


def test_products_take_an_inner_size():
    report = weft_json("bench", "ops", "matmul", "linear", "linear_act", "tanh", "--quick", "--device", "cpu", "--shape",
                       "16x24x40", "--json")
    for case in report["cases"][:3]:
        assert case["size"] == "16x24x40" and case["error"] is None, case
        bias = 0 if case["name"] == "matmul" else 24
        assert case["flops"] == 2 * 16 * 24 * 40 and case["bytes"] == 4 * (16 * 40 + 40 * 24 + 16 * 24 + bias), case
    assert report["cases"][3]["size"] == "32x32"


def test_models_take_a_batch():
    report = weft_json("bench", "models", "mlp", "--quick", "--device", "cpu", "--batch", "5", "--json")
    assert [case["size"] for case in report["cases"]] == ["forward, batch 5", "train step, batch 5"]


def test_gradients_hang_together():
    report = weft_json("bench", "ops", "linear", "tanh", "argmax", "--grad", "--quick", "--device", "cpu", "--shape",
                       "64x48", "--json")
    linear, of_linear, tanh, of_tanh, argmax = report["cases"]
    assert of_linear["id"] == "gradient/linear/64x48/f32/cpu" and of_linear["flops"] == 2 * linear["flops"]
    assert of_tanh["bytes"] == tanh["bytes"] == 2 * 4 * 64 * 48 and argmax["kind"] == "op"
    out = weft("bench", "ops", "tanh", "--grad", "--quick", "--device", "cpu").out
    assert "Gradients of operations" in out


def test_bench_models_run():
    report = weft_json("bench", "models", "mlp", "lenet", "gpt2-tiny", "--quick", "--device", "cpu", "--dtype",
                       "f32,bf16", "--json")
    check_schema(report, "bench")
    assert [case["id"] + ": " + case["error"] for case in report["cases"] if case["error"]] == []
    assert len(report["cases"]) == 3 * 2 * 2
    for forward, train in zip(report["cases"][::2], report["cases"][1::2]):
        assert forward["size"].startswith("forward") and train["size"].startswith("train step")
        assert 2 * forward["flops"] < train["flops"] <= 3 * forward["flops"]


def keys_of(shape):
    inner = shape.values() if isinstance(shape, dict) else shape if isinstance(shape, list) else []
    own = {key.rstrip("?") for key in shape} if isinstance(shape, dict) else set()
    return own.union(*[keys_of(item) for item in inner])


def test_the_pages_describe_every_field():
    names = sorted(name.removesuffix(".json") for name in os.listdir(os.path.join(HERE, "schemas")))
    assert len(names) == 11, names
    for name in names:
        shape = read_schema(name)
        with open(os.path.join(DOCS, "bench-json.md" if name.startswith("bench") else "json.md")) as file:
            text = file.read()
        version = shape["schema"].removeprefix("=")
        assert version.startswith("weft-") and f"`{version}`" in text, version
        missing = [key for key in keys_of(shape) if f"`{key}`" not in text and f"`{key}[]`" not in text]
        assert not missing, (name, missing)


class Page(HTMLParser):
    """Counts elements, and refuses what would need the network or is not closed."""
    void = {"meta", "circle", "line", "polyline", "br"}
    loose = {"tr", "th"}  # their end may be left out in HTML

    def __init__(self):
        super().__init__()
        self.open, self.count = [], {}

    def handle_starttag(self, tag, attrs):
        self.count[tag] = self.count.get(tag, 0) + 1
        assert tag not in ("script", "link", "img", "iframe"), tag
        assert not {name for name, _ in attrs} & {"src", "href"}, attrs
        if tag not in self.void | self.loose:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.void | self.loose:
            assert self.open and self.open.pop() == tag, tag


def test_the_page_stands_alone():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "report.html")
        result = weft("bench", "--quick", "--device", "cpu", "--dtype", "f32,bf16", "--html", path)
        assert result.code == 0, (result.code, result.err)
        with open(path) as file:
            text = file.read()
    assert "http" not in text and "url(" not in text and "@import" not in text
    assert "prefers-color-scheme:dark" in text and "width=device-width" in text
    page = Page()
    page.feed(text)
    assert page.open == [], page.open
    assert "by a loop in registers" in text and re.search("Fingerprint of the machine: [0-9a-f]{16}[.]", text)
    assert page.count["svg"] == 2 and page.count["circle"] > 40, page.count
    assert weft("bench", "ceilings", "--quick", "--device", "cpu", "--html", "/nowhere/report.html").code == 2


main(globals())
