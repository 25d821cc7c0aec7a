"""weft compare against the emulated device: clean sides agree, and a planted wrong kernel is found and named."""
import os
import tempfile

from tool import check_schema, main, weft, weft_json


def test_all_operations_agree():
    found = weft_json("compare", "ops", "all", "--other", "cuda", "--json")
    check_schema(found, "compare_ops")
    assert found["other"] == "cuda"
    assert [row["first_bad"] or row["why"] for row in found["rows"] if not row["agrees"]] == []
    assert found["disagreeing"] == 0
    assert sum(row["ran"] for row in found["rows"]) > 1500
    assert sum(row["launches"] for row in found["rows"]) > 5000


def test_a_wrong_operation_is_named():
    bug = {"WEFT_TEST_PLANT": "tanh:drift"}
    result = weft("compare", "ops", "tanh", "relu", "--other", "cuda", env=bug)
    assert result.code == 1, result.err
    assert "weft_tanh" in result.out and "the other is wrong" in result.out, result.out
    lines = [line for line in result.out.splitlines() if line.startswith("relu ")]
    assert lines and all("agrees" in line for line in lines), result.out


def test_models_agree_step_by_step():
    for model, least in (("mlp", 20), ("lenet", 40)):
        found = weft_json("compare", "lockstep", model, "--other", "cuda", "--steps", "2", "--batch", "2", "--json")
        check_schema(found, "compare_lockstep")
        assert found["other"] == "cuda" and found["first"] is None and found["launches"] >= least, found
        assert found["steps"] == len(found["drift"]) == 2
        assert found["drift"][-1]["parameter_error"] < 1e-5, found


def test_wrong_kernels_are_named():
    for bug, op, kernel, phase in [("linear:drift", "linear", "linear", "forward"),
                                   ("relu (gradient):stale", "linear_act", "relu (gradient)", "backward"),
                                   ("sgd_step:nan", "sgd_step", "sgd_step", "optimiser")]:
        found = weft_json("compare", "lockstep", "mlp", "--other", "cuda", "--steps", "1", "--batch", "2", "--json",
                          env={"WEFT_TEST_PLANT": bug}, code=1)
        check_schema(found, "compare_lockstep")
        first = found["first"]
        assert (first["op"], first["kernel"], first["phase"]) == (op, kernel, phase), (bug, first)


def test_a_bad_kernel_is_saved_and_replayed():
    with tempfile.TemporaryDirectory() as folder:
        path, bug = os.path.join(folder, "bad.npz"), {"WEFT_TEST_PLANT": "linear:no_third"}
        found = weft("compare", "lockstep", "mlp", "--other", "cuda", "--batch", "2", "--save", path, env=bug)
        assert found.code == 1 and f"weft compare replay {path} --other cuda" in found.out, found.out + found.err
        again = weft_json("compare", "replay", path, "--other", "cuda", "--json", env=bug, code=1)
        check_schema(again, "compare_replay")
        assert again["agrees"] is False and again["launch"]["kernel"] == "linear"
        assert weft_json("compare", "replay", path, "--other", "cuda", "--json")["agrees"] is True


main(globals())
