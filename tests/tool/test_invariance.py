"""What `weft bench invariance` prints: every operation with every number of rows, and the ratio of two times."""
import json

from tool import main, weft


def test_every_case_has_two_times_and_their_ratio():
    result = weft("bench", "invariance", "--quick", "--json")
    assert result.code == 0 and result.err == "", result.err
    report = json.loads(result.out)
    assert report["schema"] == "weft-bench-invariance/1" and report["quick"] and report["device"] == "cpu"
    assert {case["op"] for case in report["cases"]} == {"matmul", "linear", "layer_norm", "rms_norm", "softmax", "sum", "attention"}
    for case in report["cases"]:
        assert case["without"] > 0 and case["with"] > 0 and case["low"] <= case["ratio"] <= case["high"], case


def test_the_table_says_what_it_is():
    result = weft("bench", "invariance", "--quick", "--dtype", "bf16")
    assert result.code == 0 and "batch_invariant" in result.out and "bf16 on cpu, 1 thread" in result.out, result.out
    assert "mean nothing" in result.out and len(result.out.splitlines()) > 32


def test_mistakes_are_explained():
    for words, hint in [(["--dtype", "i32"], "f32, f64, f16 or bf16"), (["--device", "tpu"], "tpu"), (["extra"], 'no "extra"'),
                        (["--samples", "100"], "from 3 to 99")]:
        result = weft("bench", "invariance", *words)
        assert result.code == 2 and hint in result.err and result.out == "", (words, result.err)
    assert "did you mean `weft bench invariance`" in weft("bench", "invarience").err


main(globals())
