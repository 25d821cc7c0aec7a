"""weft info, bench, profile and gradcheck on the emulated device. Times mean nothing; everything else must hold."""
import json
import os
import tempfile

from tool import WEFT, check_schema, main, weft, weft_json


def test_info_shows_the_device():
    info = weft_json("info", "--json")
    check_schema(info, "info")
    assert len(info["gpus"]) == 1 and info["gpu_unused_because"] is None
    assert info["gpus"][0]["name"] in weft("info").out


def test_gradcheck():
    checked = weft_json("gradcheck", "tanh", "sum", "--device", "cuda", "--json")
    check_schema(checked, "gradcheck")
    assert checked["device"] == "cuda" and all(op["right"] for op in checked["ops"])


def test_bench_puts_both_devices_beside_each_other():
    with tempfile.TemporaryDirectory() as folder:
        page = os.path.join(folder, "report.html")
        report = weft_json("bench", "ops", "add", "matmul", "--device", "cpu,cuda", "--shape", "64x48", "--quick",
                           "--html", page, "--json")
        with open(page) as file:
            assert file.read().rstrip().endswith("</html>")
    check_schema(report, "bench")
    assert [device["name"] for device in report["devices"]] == ["cpu", "cuda"]
    ceilings = {ceiling["name"] for ceiling in report["devices"][1]["ceilings"]}
    assert {"copy", "launch", "host_to_device", "device_to_host"} <= ceilings, ceilings
    for ceiling in report["devices"][1]["ceilings"]:
        assert ceiling["source"].startswith("weft_"), ceiling
        assert (ceiling["theory"] is not None) == (ceiling["name"] in ("copy", "matmul")), ceiling
        assert ceiling["name"] != "copy" or ceiling["theory"] == 2 * 500e6 * 64 / 8, ceiling
    assert all(case["error"] is None and case["seconds"]["median"] > 0 for case in report["cases"])
    assert {case["device"] for case in report["cases"]} == {"cpu", "cuda"}
    assert {row["name"] for row in report["cpu_to_gpu"]} == {"add", "matmul"}


def test_bench_compares_without_being_told_to():
    report = weft_json("bench", "ops", "add", "--quick", "--json")
    assert [device["name"] for device in report["devices"]] == ["cpu", "cuda"]
    assert report["settings"]["same_sizes"] and [row["name"] for row in report["cpu_to_gpu"]] == ["add"]
    alone = weft_json("bench", "ops", "add", "--device", "cuda", "--quick", "--json")
    assert not alone["settings"]["same_sizes"]


def test_bench_models():
    report = weft_json("bench", "models", "mlp", "--device", "cuda", "--quick", "--json")
    check_schema(report, "bench")
    assert len(report["cases"]) == 2 and all(case["error"] is None for case in report["cases"])


def profile(trace):
    program = ["compare", "lockstep", "mlp", "--other", "cuda", "--steps", "1", "--batch", "2"]
    return weft("profile", "--json", "--trace", trace, "--", "sh", "-c", f"{WEFT} {' '.join(program)} >/dev/null")


def test_profile_has_a_lane_for_the_stream():
    with tempfile.TemporaryDirectory() as folder:
        trace = os.path.join(folder, "trace.json")
        found = profile(trace)
        assert found.code == 0, found.err
        with open(trace + ".2") as file:
            events = json.load(file)["traceEvents"]
    check_schema(json.loads(found.out), "profile")
    device = json.loads(found.out)["contexts"][1]
    assert device["device"] == "cuda" and device["kernel_seconds"] > 0 and device["issuing_seconds"] > 0
    assert device["launches"] == sum(row["calls"] for row in device["kernels"])
    lanes = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert lanes == {1: "CPU: launches", 2: "GPU: stream"}
    host = [e for e in events if e["ph"] == "X" and e["tid"] == 1]
    work = [e for e in events if e["ph"] == "X" and e["tid"] == 2]
    assert len(host) == len(work) == device["launches"]
    assert {"forward", "backward", "optimiser"} <= {e["cat"] for e in work}
    for before, after in zip(work, work[1:]):  # a stream does one thing after the other
        assert before["ts"] + before["dur"] <= after["ts"] + 1
    starts = {e["id"]: e["ts"] for e in events if e["ph"] == "s"}
    early = [starts[e["id"]] - e["ts"] for e in events if e["ph"] == "f"]
    assert len(early) == len(work)
    # Work starts after the call: as near as a busy machine let both clocks be read at one point.
    assert max(early) < 50e3 and sorted(early)[len(early) // 2] < 5e3, max(early)
    memory = [e["args"]["bytes"] for e in events if e["name"] == "tensor memory"]
    assert len(memory) == len(work) and max(memory) > 0


main(globals())
