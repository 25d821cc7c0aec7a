"""weft compare and weft profile: what they find, exit codes, JSON."""
import json
import os
import struct
import tempfile

from tool import WEFT, check_schema, main, weft, weft_json

FOLDER = tempfile.mkdtemp(prefix="weft_compare_")


def path(name):
    return os.path.join(FOLDER, name)


def safetensors(name, values):
    header = json.dumps({"w": {"dtype": "F32", "shape": [len(values)], "data_offsets": [0, 4 * len(values)]}}).encode()
    with open(path(name), "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header + struct.pack(f"<{len(values)}f", *values))
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
    assert weft("compare", "files", a, a).code == 0
    result = weft("compare", "files", a, b)
    assert result.code == 1 and "0.5" in result.out
    assert weft("compare", "files", a, b, "--rtol", "0.2").code == 0
    found = weft_json("compare", "files", a, b, "--json", code=1)
    check_schema(found, "compare_files")
    assert found["equal"] is False and found["tensors"][0]["different"] == 1 and found["tensors"][0]["max_absolute"] == 0.5


def test_mistakes():
    for words, hint in [(["compare"], "lockstep"), (["compare", "ops"], "words"), (["compare", "ops", "glu"], "glu"),
                        (["compare", "lockstep", "gpt9"], "gpt2-tiny"),
                        (["compare", "lockstep", "--steps", "0"], "--steps"),
                        (["compare", "files", "/nowhere.npz", "/nowhere.npz"], "/nowhere.npz"),
                        (["compare", "replay", "/nowhere.npz"], "/nowhere.npz"),
                        (["compare", "ops", "add", "--other", "tpu"], "tpu"), (["profile"], "needs a program"),
                        (["profile", "--", "/nowhere/program"], "/nowhere/program"),
                        (["profile", "--", "true"], "left no profile")]:
        result = weft(*words)
        assert result.code == 2 and hint in result.err, (words, result.code, result.err)


def test_profile_leaves_nothing_behind():
    with tempfile.TemporaryDirectory() as folder:
        trace = os.path.join(folder, "trace")
        for name in (trace + ".2", trace + ".3"):
            with open(name, "w") as file:
                file.write("of an earlier run")
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
