"""Verdicts of `weft bench diff` on reports made up here."""
import json
import os
import random
import tempfile

from tool import check_schema, main, weft, weft_json

FOLDER = tempfile.TemporaryDirectory()


def report(name, cases, fingerprint="1"):
    """cases: {id: samples}."""
    path = os.path.join(FOLDER.name, name)
    with open(path, "w") as file:
        json.dump({"schema": "weft-bench/1", "machine": {"fingerprint": fingerprint},
                   "cases": [{"id": id, "seconds": {"median": sorted(samples)[len(samples) // 2] if samples else None,
                                                    "samples": samples}} for id, samples in cases.items()]}, file)
    return path


def noisy(seed, seconds, noise, n=21):
    source = random.Random(seed)
    return [seconds * (1 + noise * abs(source.gauss(0, 1))) for _ in range(n)]


def verdicts(a, b, *options):
    diff = weft_json("bench", "diff", a, b, "--json", *options)
    check_schema(diff, "bench_diff")
    return {case["id"]: case["verdict"] for case in diff["cases"]}


def test_changes_beyond_the_noise_are_found():
    a = report("a", {"same": noisy(1, 1e-3, 0.02), "slow": noisy(2, 1e-3, 0.02), "fast": noisy(3, 1e-3, 0.02)})
    b = report("b", {"same": noisy(4, 1e-3, 0.02), "slow": noisy(5, 1.2e-3, 0.02), "fast": noisy(6, 0.8e-3, 0.02)})
    assert verdicts(a, b) == {"same": "same", "slow": "slower", "fast": "faster"}
    assert verdicts(b, a) == {"same": "same", "slow": "faster", "fast": "slower"}


def test_noise_hides_small_changes():
    a, b = report("a", {"x": noisy(1, 1e-3, 0.5)}), report("b", {"x": noisy(2, 1.1e-3, 0.5)})
    assert verdicts(a, b) == {"x": "same"}


def test_clean_pairs_give_no_alarm():
    pairs = {f"case {k}": (noisy(2 * k, 1e-3, 0.05), noisy(2 * k + 1, 1e-3, 0.05)) for k in range(500)}
    a = report("a", {id: pair[0] for id, pair in pairs.items()})
    b = report("b", {id: pair[1] for id, pair in pairs.items()})
    assert set(verdicts(a, b).values()) == {"same"}


def test_the_threshold():
    a, b = report("a", {"x": noisy(1, 1e-3, 0.001)}), report("b", {"x": noisy(2, 1.04e-3, 0.001)})
    assert verdicts(a, b) == {"x": "same"}
    assert verdicts(a, b, "--threshold", "2") == {"x": "slower"}


def test_exit_codes():
    a, b = report("a", {"x": noisy(1, 1e-3, 0.01)}), report("b", {"x": noisy(2, 2e-3, 0.01)})
    assert weft("bench", "diff", a, b).code == 0
    assert weft("bench", "diff", a, b, "--fail-on-regression").code == 1
    assert weft("bench", "diff", b, a, "--fail-on-regression").code == 0
    assert "1 slower, 0 faster, 0 the same" in weft("bench", "diff", a, b).out


def test_cases_without_a_partner_are_named():
    a, b = report("a", {"x": noisy(1, 1, 0), "y": [], "z": [0.0, 1.0]}), report("b", {"w": noisy(1, 1, 0), "y": [1.0], "z": [1.0]})
    assert set(verdicts(a, b).values()) == {"none"}
    out = weft("bench", "diff", a, b).out
    for line in ("x: only in the first report", "w: only in the second report", "y: not measured in the first report",
                 "z: a sample is not a positive number"):
        assert line in out, out


def test_other_machines_are_told():
    a, b = report("a", {"x": [1.0]}), report("b", {"x": [1.0]}, fingerprint="2")
    assert "different machines" in weft("bench", "diff", a, b).out
    assert weft_json("bench", "diff", a, b, "--json")["same_machine"] is False


def test_files_that_are_no_reports():
    for text, hint in [("", "value was expected"), ('{"cases": [1, ', "value was expected"), ('{"a" 1}', "colon"),
                       ("{} x", "follows"), ('"abc', "does not end"), ("[" * 100, "deep"), ('"\\q"', "escape"),
                       ("{}", "not a report"), ('{"schema": "weft-bench/1"}', "not a report"), ("[1, 2]", "not a report"),
                       ('{"schema": "weft-bench/1", "cases": 3}', "not a report")]:
        path = os.path.join(FOLDER.name, "bad.json")
        with open(path, "w") as file:
            file.write(text)
        result = weft("bench", "diff", path, path)
        assert result.code == 2 and hint in result.err, (text, result.err)


def test_a_real_report_equals_itself():
    path = os.path.join(FOLDER.name, "real.json")
    with open(path, "w") as file:
        file.write(weft("bench", "ops", "add", "gelu", "--quick", "--device", "cpu", "--json").out)
    assert set(verdicts(path, path).values()) == {"same"}
    assert weft_json("bench", "diff", path, path, "--json")["same_machine"] is True


main(globals())
