"""Verdicts of `weft bench diff` on reports made up here."""
import json
import os
import random
import tempfile

from tool import check_schema, main, weft, weft_json

FOLDER = tempfile.TemporaryDirectory()


def report(name, cases, fingerprint="1", quick=False):
    """cases: {id: samples}."""
    path = os.path.join(FOLDER.name, name)
    with open(path, "w") as file:
        json.dump({"schema": "weft-bench/1", "machine": {"fingerprint": fingerprint}, "settings": {"quick": quick},
                   "cases": [{"id": id, "seconds": {"median": sorted(samples)[len(samples) // 2] if samples else None,
                                                    "samples": samples}} for id, samples in cases.items()]}, file)
    return path


def noisy(seed, seconds, noise, n=21):
    source = random.Random(seed)
    return [seconds * (1 + noise * abs(source.gauss(0, 1))) for _ in range(n)]


def verdicts(a, b, *options):
    diff = json.loads(weft("bench", "diff", a, b, "--json", *options).out)
    check_schema(diff, "bench_diff")
    return {case["id"]: case["verdict"] for case in diff["cases"]}


def test_changes_beyond_the_noise_are_found():
    a = report("a", {"same": noisy(1, 1e-3, 0.02), "slow": noisy(2, 1e-3, 0.02), "fast": noisy(3, 1e-3, 0.02)})
    b = report("b", {"same": noisy(4, 1e-3, 0.02), "slow": noisy(5, 1.2e-3, 0.02), "fast": noisy(6, 0.8e-3, 0.02)})
    assert verdicts(a, b) == {"same": "same", "slow": "slower", "fast": "faster"}
    assert verdicts(b, a) == {"same": "same", "slow": "faster", "fast": "slower"}


def test_noise_hides_small_changes():
    a, b = report("a", {"x": noisy(1, 1e-3, 0.5)}), report("b", {"x": noisy(2, 1.1e-3, 0.5)})
    assert verdicts(a, b) == {"x": "cannot tell"}
    out = weft("bench", "diff", a, b).out
    assert "0 slower, 0 faster, 0 the same, of 1 these samples cannot tell" in out, out


def test_clean_pairs_give_no_alarm():
    pairs = {f"case {k}": (noisy(2 * k, 1e-3, 0.05), noisy(2 * k + 1, 1e-3, 0.05)) for k in range(500)}
    a = report("a", {id: pair[0] for id, pair in pairs.items()})
    b = report("b", {id: pair[1] for id, pair in pairs.items()})
    found = list(verdicts(a, b).values())
    assert set(found) <= {"same", "cannot tell"} and found.count("same") > 400, found.count("same")


def test_the_interval_is_that_of_99_percent():
    # Of 101 samples the median of 101 drawn again lies above the 38th and below the 64th in 99 of 100 cases (the sums of
    # binomial terms), and above the 41st and below the 61st in 95 of 100; 2000 rounds find these places but for one.
    a, b = report("a", {"x": [1e-3] * 101}), report("b", {"x": [1e-3 * (1 + k / 1000) for k in range(1, 102)]})
    case = json.loads(weft("bench", "diff", a, b, "--json").out)["cases"][0]
    low, high = (1000 * (case[end] - 1) for end in ("low", "high"))
    assert 36.9 < low < 39.1 and 62.9 < high < 65.1, (low, high)


def test_the_threshold():
    a, b = report("a", {"x": noisy(1, 1e-3, 0.001)}), report("b", {"x": noisy(2, 1.04e-3, 0.001)})
    assert verdicts(a, b) == {"x": "same"}
    assert verdicts(a, b, "--threshold", "2") == {"x": "slower"}
    # Without noise: 5 % slower one way round is 5 % faster the other way round, from 1 / 1.05 on.
    for ratio, verdict in ((1.051, "slower"), (1.049, "same"), (0.953, "same"), (0.951, "faster")):
        a, b = report("a", {"x": [1e-3] * 9}), report("b", {"x": [ratio * 1e-3] * 9})
        assert verdicts(a, b, "--threshold", "5") == {"x": verdict}, ratio


def test_exit_codes():
    a, b = report("a", {"x": noisy(1, 1e-3, 0.01)}), report("b", {"x": noisy(2, 2e-3, 0.01)})
    assert weft("bench", "diff", a, b).code == 0
    assert weft("bench", "diff", a, b, "--fail-on-regression").code == 1
    assert weft("bench", "diff", b, a, "--fail-on-regression").code == 0
    assert "1 slower, 0 faster, 0 the same" in weft("bench", "diff", a, b).out


def test_what_cannot_be_told_is_no_pass():
    a = report("a", {"x": [1.0, 1.1, 0.9, 20.0, 1.05, 0.1]})
    b = report("b", {"x": [2.0, 0.3, 9.0, 2.2, 0.5, 2.1]})
    assert verdicts(a, b) == {"x": "cannot tell"}
    assert weft("bench", "diff", a, b).code == 0
    assert weft("bench", "diff", a, b, "--fail-on-regression").code == 1
    assert weft("bench", "diff", a, b, "--fail-on-regression", "--threshold", "1000000").code == 0
    c = report("c", {"x": noisy(1, 1.0, 0.01)})
    wide = report("wide", {"x": [0.5, 0.5, 0.5, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0]})  # faster or the same, but not slower
    assert verdicts(c, wide) == {"x": "cannot tell"} and weft("bench", "diff", c, wide, "--fail-on-regression").code == 0


def test_a_case_that_is_lost_is_a_failure():
    whole = {"x": noisy(1, 1, 0.01), "y": noisy(2, 1, 0.01)}
    a = report("a", whole)
    for lost, why in (({"x": whole["x"]}, "y: only in the first report"), ({**whole, "y": []}, "y: not measured in the second report"),
                      ({**whole, "y": 21 * [0.0]}, "y: a sample is not a positive number"), ({}, "x: only in the first report")):
        for options in ([], ["--fail-on-regression"], ["--json"]):
            result = weft("bench", "diff", a, report("b", lost), *options)
            assert result.code == 1 and (options == ["--json"] or why in result.out), (lost, options, result.out)
    more = report("more", {**whole, "z": noisy(3, 1, 0.01)})
    result = weft("bench", "diff", a, more, "--fail-on-regression")
    assert result.code == 0 and "z: only in the second report" in result.out
    assert weft("bench", "diff", report("none", {}), report("none", {})).code == 1


def test_quick_reports_are_told():
    a, b = report("a", {"x": noisy(1, 1, 0.01)}), report("b", {"x": noisy(2, 1, 0.01)}, quick=True)
    for pair in ((a, b), (b, a)):
        assert "report of --quick" in weft("bench", "diff", *pair).out
        assert weft_json("bench", "diff", *pair, "--json")["quick"] is True
        result = weft("bench", "diff", *pair, "--fail-on-regression")
        assert result.code == 2 and "--quick" in result.err
    assert weft_json("bench", "diff", a, a, "--json")["quick"] is False


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
    assert set(verdicts(path, path).values()) <= {"same", "cannot tell"}
    assert weft_json("bench", "diff", path, path, "--json")["same_machine"] is True


main(globals())
