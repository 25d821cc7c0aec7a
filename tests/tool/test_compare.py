"""weft compare and weft profile: what they find, exit codes, JSON."""
import json
import os
import struct
import tempfile

from tool import WEFT, check_schema, main, weft, weft_json

FOLDER = tempfile.mkdtemp(prefix="weft_compare_")


def path(name):
    return os.path.join(FOLDER, name)


def safetensors(name, values, dtype="F32", code="f"):
    data = struct.pack(f"<{len(values)}{code}", *values)
    header = json.dumps({"w": {"dtype": dtype, "shape": [len(values)], "data_offsets": [0, len(data)]}}).encode()
    with open(path(name), "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header + data)
    return path(name)


def test_operations_agree_with_plain_c():
    found = weft_json("compare", "ops", "gelu", "conv2d", "--other", "plain", "--json")
    check_schema(found, "compare_ops")
    assert found["disagreeing"] == 0
    assert {row["op"] for row in found["rows"]} == {"gelu", "conv2d"}
    assert all(row["agrees"] for row in found["rows"])
    ulp = max(row["other_ulp"] for row in found["rows"] if row["op"] == "gelu" and row["dtype"] == "f32")
    assert 0 < ulp <= 4, ulp


def test_lockstep_against_f64():
    found = weft_json("compare", "lockstep", "mlp", "--other", "f64", "--steps", "2", "--json")
    check_schema(found, "compare_lockstep")
    assert found["differences"] == 0 and found["first"] is None and found["launches"] > 20
    assert len(found["drift"]) == 2
    assert 0 < found["drift"][-1]["parameter_error"] < 1e-5


def test_lockstep_draws_the_drift():
    image = path("drift.svg")
    result = weft("compare", "lockstep", "mlp", "--other", "plain", "--steps", "2", "--svg", image)
    assert result.code == 0 and "all agree" in result.out and "steps 1 to 2" in result.out, result.out + result.err
    with open(image) as file:
        assert file.read().rstrip().endswith("</svg>")


def test_files():
    a, b = safetensors("a.safetensors", [1, 2, 3]), safetensors("b.safetensors", [1, 2, 3.5])
    same = weft("compare", "files", a, a)
    assert same.code == 0 and "\nequal: 1 tensors, 0 with" in same.out, same.out
    result = weft("compare", "files", a, b)
    assert result.code == 1 and "[2] 3, 3.5" in result.out and "\nnot equal: 1 tensors, 1 with" in result.out, result.out
    within = weft("compare", "files", a, b, "--rtol", "0.2")
    assert within.code == 0 and "\nequal within the tolerances" in within.out, within.out
    found = weft_json("compare", "files", a, b, "--json", code=1)
    check_schema(found, "compare_files")
    tensor = found["tensors"][0]
    assert found["equal"] is False and tensor["different"] == 1 and tensor["max_absolute"] == 0.5
    assert (tensor["worst"], tensor["worst_first"], tensor["worst_second"]) == (2, 3, 3.5)
    assert tensor["first_dtype"] == tensor["second_dtype"] == "f32"


def test_files_of_integers_are_compared_exactly():
    a = safetensors("a64.safetensors", [7, 2**53 + 1, -2**63], "I64", "q")
    b = safetensors("b64.safetensors", [7, 2**53, 2**63 - 1], "I64", "q")
    c = safetensors("c64.safetensors", [7, 2**53, -2**63], "F64", "d")
    result = weft("compare", "files", a, b)
    assert result.code == 1 and "[2] -9223372036854775808, 9223372036854775807" in result.out, result.out + result.err
    assert weft("compare", "files", a, a).code == 0
    found = weft_json("compare", "files", a, c, "--json", code=1)["tensors"][0]
    assert (found["different"], found["worst"], found["max_absolute"]) == (1, 1, 1), found
    found = weft_json("compare", "files", b, safetensors("d.safetensors", [7, 2**53 - 1, 2**63 - 1], "I64", "q"), "--json",
                      code=1)["tensors"][0]
    assert (found["worst_first"], found["worst_second"]) == (2**53, 2**53 - 1), found


def test_one_row_an_operation_or_all():
    few = weft("compare", "ops", "gelu", "conv2d", "--other", "plain")
    rows = [line.split()[0] for line in few.out.splitlines() if line.endswith("agrees")]
    assert few.code == 0 and rows == ["gelu", "conv2d"] and "--all" in few.out, few.out
    every = weft("compare", "ops", "gelu", "conv2d", "--other", "plain", "--all")
    rows = [line.split()[0] for line in every.out.splitlines() if line.endswith("agrees")]
    assert every.code == 0 and rows.count("gelu") > 6 and f"{len(rows)} agree, 0 differ" in every.out, every.out


def test_threads_agree_with_one():
    for words in (["ops", "matmul", "sum", "layer_norm"], ["lockstep", "lenet", "--steps", "2"]):
        result = weft("compare", *words, "--other", "threads:2")
        assert result.code == 0, result.out + result.err


def test_mistakes():
    for words, hint in [(["compare"], "lockstep"), (["compare", "ops"], "names of operations, or all"),
                        (["compare", "ops", "gelo"], "did you mean gelu"),
                        (["compare", "ops", "add", "gelo", "--json"], "did you mean gelu"),
                        (["compare", "lockstep", "gpt9"], "gpt2-tiny"),
                        (["compare", "lockstep", "lennet"], "did you mean lenet"),
                        (["compare", "lockstep", "--steps", "0"], "--steps"),
                        (["compare", "files", "/nowhere.npz"], "two files"),
                        (["compare", "files", "/nowhere.npz", "/nowhere.npz"], "/nowhere.npz"),
                        (["compare", "files", "/nowhere.npz", "/nowhere.npz", "--json"], "/nowhere.npz"),
                        (["compare", "replay", "/nowhere.npz"], "/nowhere.npz"),
                        (["compare", "replay", "/nowhere.npz", "--other", "f64"], "lockstep MODEL --other f64"),
                        (["compare", "ops", "gelu", "--other", "f64"], "lockstep MODEL --other f64"),
                        (["compare", "ops", "add", "--other", "tpu"], "cuda, cuda:1, f64"),
                        (["compare", "ops", "add", "--other", "avx51"], "did you mean avx512"),
                        (["compare", "ops", "add", "--other", "cuda:x"], "cuda:1"),
                        (["compare", "ops", "add", "--other", "cuda:1023"], "cuda:1023 cannot be compared with: "),
                        (["compare", "ops", "add", "--other", "threads:abc"], "threads:4"),
                        (["compare", "ops", "add", "--other", "threads:2x"], "threads:4"),
                        (["compare", "ops", "add", "--other", "threads:0"], "threads:4"),
                        (["profile"], "needs a program"),
                        (["profile", "--", "/nowhere/program"], "/nowhere/program"),
                        (["profile", "--", "true"], "left no profile")]:
        result = weft(*words)
        assert result.code == 2 and hint in result.err, (words, result.code, result.err)
        assert words[0] != "compare" or result.out == "", (words, result.out)


def test_an_image_that_cannot_be_written_fails():
    result = weft("compare", "lockstep", "lenet", "--other", "plain", "--steps", "1", "--svg", "/nowhere/drift.svg")
    assert result.code == 2 and "/nowhere/drift.svg could not be written: " in result.err, result.err


def test_profile_leaves_nothing_behind():
    with tempfile.TemporaryDirectory() as folder:
        trace = os.path.join(folder, "trace")
        result = weft("profile", "--trace", trace, "--", WEFT, "gradcheck", "tanh")
        assert result.code == 0 and "tanh" in result.out, result.err
        assert os.listdir(folder) == ["trace"]
    before = set(os.listdir("/tmp"))
    assert weft("profile", "--", WEFT, "gradcheck", "tanh").code == 0
    assert not [name for name in set(os.listdir("/tmp")) - before if name.startswith("weft_profile_")]


def test_profile():
    trace = path("trace.json")
    program = [WEFT, "compare", "lockstep", "mlp", "--other", "plain", "--steps", "2"]
    result = weft("profile", "--trace", trace, "--", *program)
    assert result.code == 0 and "linear" in result.out and "sgd_step" in result.out, result.out + result.err
    with open(trace) as file:
        events = json.load(file)["traceEvents"]
    slices = [event for event in events if event["ph"] == "X"]
    linear = [event["args"]["file"] for event in slices if event["name"].startswith("linear")]
    assert linear and all(file.endswith("mlp.c") for file in linear), linear  # where the model is, not a helper of it
    assert slices and all(event["dur"] >= 0 for event in slices)
    found = weft("profile", "--json", "--", *program)  # which prints a report of its own
    check_schema(json.loads(found.out), "profile")
    assert "steps 1 to 2" in found.err, found.err
    contexts = json.loads(found.out)["contexts"]
    assert [context["device"] for context in contexts] == 3 * ["cpu"]  # the two sides, and the one that asks f64
    kernels = contexts[0]["kernels"]
    assert contexts[0]["launches"] == sum(row["calls"] for row in kernels)
    assert {"forward", "backward", "optimiser"} <= {row["phase"] for row in kernels}


def test_a_program_that_fails_is_shown_too():
    command = f"{WEFT} gradcheck tanh; exit 5"
    result = weft("profile", "--", "sh", "-c", command)
    assert result.code == 5 and "launches on cpu" in result.out and "exit code 5" in result.err, result.out + result.err
    found = weft("profile", "--json", "--", "sh", "-c", command)
    assert found.code == 5
    check_schema(json.loads(found.out), "profile")
    killed = weft("profile", "--", "sh", "-c", f"{WEFT} gradcheck tanh; kill -KILL $$")
    assert killed.code == 128 + 9 and "launches on cpu" in killed.out and "signal 9" in killed.err
    assert weft("profile", "--", "sh", "-c", "exit 3").code == 3


main(globals())
