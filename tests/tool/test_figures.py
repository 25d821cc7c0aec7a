"""Every figure that profile and bench print, from reports that are made up: figures.c for bench, a trace here for profile."""
import json
import os
import subprocess
import sys
import tempfile

from tool import main, weft, weft_json

FIGURES = sys.argv[3]  # figures.c

# Two kernels: 4 calls in 2 ms of 8 ms, 6e6 bytes and 1e6 operations in all; 1 call in 6 ms, no operations.
TRACE = {"weft": "0.1.0", "device": "test", "launches": 5, "traced": 3, "wall_seconds": 0.5, "kernel_seconds": 0.008, "issuing_seconds": 0.0025,
         "peak_bytes": 3 << 20,
         "kernels": [{"kernel": "fast", "phase": "forward", "calls": 4, "seconds": 0.002, "bytes": 6e6, "flops": 1e6},
                     {"kernel": "slow (gradient)", "phase": "backward", "calls": 1, "seconds": 0.006, "bytes": 12e6, "flops": 0}]}


def figures(how):
    done = subprocess.run([FIGURES, how], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def words_of(text, *first):
    """The words of the one line that begins with these."""
    found = [line.split() for line in text.splitlines() if line.split()[:len(first)] == list(first)]
    assert len(found) == 1, (first, text)
    return found[0]


def profiled(*options):
    """What `weft profile` makes of a program that leaves the trace."""
    with tempfile.TemporaryDirectory() as folder:
        made = os.path.join(folder, "made")
        with open(made, "w") as file:
            file.write('{"displayTimeUnit":"ns","otherData":' + json.dumps(TRACE, separators=(",", ":")) + ',\n"traceEvents":[\n]}\n')
        return weft("profile", *options, "--", "sh", "-c", f'cp {made} "$WEFT_PROFILE"')


def test_the_table_of_a_profile():
    done = profiled()
    assert done.code == 0, done.err
    assert words_of(done.out, "fast") == "fast forward 4 2.00 ms 25.0 % 500 us 3.00 0.50".split(), done.out
    assert words_of(done.out, "slow") == "slow (gradient) backward 1 6.00 ms 75.0 % 6.00 ms 2.00 0.00".split(), done.out
    assert "\n5 launches on test, 8.00 ms in kernels of 500 ms; at most 3.00 MiB of tensor data\n" in done.out, done.out
    assert "the trace holds the first 3 of them, the table all" in done.out, done.out
    assert "the host spent 2.50 ms in launching them" in done.out, done.out


def test_the_json_of_a_profile():
    done = profiled("--json")
    found = json.loads(done.out)["contexts"]
    assert found == [{key: TRACE[key] for key in ("device", "wall_seconds", "kernel_seconds", "issuing_seconds", "launches", "traced", "peak_bytes", "kernels")}], found


def test_the_table_of_a_bench():
    text = figures("text")
    assert words_of(text, "copy") == "copy 64.0 MiB 12.0 GB/s made up".split(), text
    assert words_of(text, "launch") == "launch 4 B 5.00 Mcalls/s 200 ns made up".split(), text
    assert words_of(text, "matmul", "f32") == "matmul f32 4096^3 45.0 Tflop/s 75 % of 60.0 Tflop/s made up".split(), text
    # name, size, dtype, device, median, p10 .. p90 (0.6 and 1.4 times it), bytes, operations, bar, share, set by
    assert words_of(text, "add", "8x4", "f32", "cpu") == "add 8x4 f32 cpu 1.00 ms 600 us .. 1.40 ms 3.00 GB/s 250 Mflop/s ###....... 25 % memory".split(), text
    assert words_of(text, "matmul", "8x4", "f32", "cpu") == "matmul 8x4 f32 cpu 2.00 s 1.20 s .. 2.80 s 500 kB/s 4.00 Gflop/s ########.. 80 % compute".split(), text
    assert words_of(text, "add", "8x4", "f32", "cuda")[-8:] == "75.0 GB/s 6.25 Gflop/s ##........ 15 % memory".split(), text
    assert words_of(text, "view") == "view 8x4 f32 cpu 500 ns 300 ns .. 700 ns - - -".split(), text
    assert words_of(text, "add", "8x4", "f32", "1.00") == "add 8x4 f32 1.00 ms 40.0 us 25.0".split(), text
    assert "broken f32 on cpu was not measured: it broke" in text, text
    assert "4 of 4 cases spread by more than half" in text, text


def test_the_json_of_a_bench():
    report = json.loads(figures("json"))
    assert report["machine"]["processors"] == 4 and report["machine"]["memory"] == 8 << 30 and report["settings"]["threads"] == 4, report
    ceilings = [c for d in report["devices"] for c in d["ceilings"]]
    assert [(c["name"], c["unit"], c["value"], c["theory"]) for c in ceilings] == [
        ("copy", "B/s", 12e9, None), ("launch", "calls/s", 5e6, None), ("matmul", "flop/s", 45e12, 60e12)], ceilings
    add, product, on_gpu, view, broken = report["cases"]
    assert add["id"] == "op/add/8x4/f32/cpu" and on_gpu["id"] == "op/add/8x4/f32/cuda", report["cases"]
    assert (add["bytes"], add["flops"], add["limit_seconds"], add["limited_by"]) == (3e6, 25e4, 250e-6, "memory"), add
    for case, share in ((add, 0.25), (product, 0.8), (on_gpu, 0.15)):
        assert abs(case["share_of_limit"] - share) < 1e-12, case
    for key, times in (("median", 1), ("p10", 0.6), ("p90", 1.4), ("best", 0.5)):
        assert abs(add["seconds"][key] - times * 1e-3) < 1e-12, (key, add)
    assert add["seconds"]["runs_per_sample"] == 3 and len(add["seconds"]["samples"]) == 5, add
    assert product["limited_by"] == "compute" and view["share_of_limit"] is None and view["limited_by"] is None, report["cases"]
    assert broken["error"] == "it broke" and broken["seconds"]["median"] is None, broken
    ratio, = report["cpu_to_gpu"]
    assert abs(ratio["ratio"] - 25) < 1e-9 and ratio["name"] == "add" and ratio["gpu"] == "cuda", ratio


def test_the_page_of_a_bench():
    page = figures("html")
    for part in ("<b>12.0 GB/s</b>", "75 % of 60.0 Tflop/s in theory", '<td class="n">25 % <span class="bad">memory</span></td><td class="n">1.00 ms</td>',
                 '<td class="n">600 us &ndash; 1.40 ms</td><td class="n">3.00 G</td><td class="n">250 M</td>',
                 '<td class="n">1.00 ms</td><td class="n">40.0 us</td><td class="n">25.0</td>', 'width:80.0%'):
        assert part in page, part


def test_the_work_of_gradients():
    """As often the operations as there are gradients of matrices; the bytes of results and gradients, once each."""
    rows = dict((line.split()[0], tuple(map(int, line.split()[1:]))) for line in figures("work").splitlines())
    assert rows["add"] == (2 * 35, 4 * (35 + 35 + 35)), rows
    assert rows["matmul"] == (2 * 2 * 5 * 3 * 7, 4 * (5 * 7 + 5 * 3 + 3 * 7)), rows
    assert rows["layer_norm"] == (35, 4 * (35 + 35 + 7 + 7)), rows
    assert rows["reshape"] == (0, 0), rows


def test_rates_of_a_real_bench_agree_with_its_ceilings():
    report = weft_json("bench", "ops", "add", "matmul", "--quick", "--device", "cpu", "--shape", "64x32", "--json")
    ceilings = report["devices"][0]["ceilings"]
    memory = max((c for c in ceilings if c["name"] == "copy"), key=lambda c: c["size"])["value"]
    arithmetic = max(c["value"] for c in ceilings if c["unit"] == "flop/s" and c["dtype"] == "f32")
    wanted = {"add": (3 * 4 * 64 * 32, 64 * 32), "matmul": (4 * (64 * 32 + 32 * 32 + 64 * 32), 2 * 64 * 32 * 32)}
    for case in report["cases"]:
        assert (case["bytes"], case["flops"]) == wanted[case["name"]], case
        limit = max(case["bytes"] / memory, case["flops"] / arithmetic)
        assert abs(case["limit_seconds"] / limit - 1) < 1e-6, (case, limit)
        assert abs(case["share_of_limit"] - limit / case["seconds"]["median"]) < 1e-6 * case["share_of_limit"], case


main(globals())
