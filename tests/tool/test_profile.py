"""`weft profile`: where traces go, what is left behind, signals, names, long runs."""
import json
import os
import signal
import stat
import subprocess
import tempfile
import time

from tool import PROGRAM, WEFT, main, weft, weft_json, weft_on_terminal

NORMAL = '{"displayTimeUnit":"ns","otherData":{"weft":"0.1.0"}}'


def profile(*words, **how):
    return weft("profile", *words, **how)


def left_in(folder):
    return sorted(os.listdir(folder))


def test_a_file_is_replaced_only_by_a_trace():
    with tempfile.TemporaryDirectory() as folder:
        trace = os.path.join(folder, "precious")
        with open(trace, "w") as file:
            file.write("of mine")
        for program in (["/nowhere/program"], ["true"], ["false"], ["sh", "-c", "kill -9 $$"]):
            assert profile("--trace", trace, "--", *program).code != 0
            with open(trace) as file:
                assert file.read() == "of mine", program
            assert left_in(folder) == ["precious"], program
        assert profile("--trace", trace, "--", PROGRAM, "steps", "3").code == 0
        with open(trace) as file:
            assert json.load(file)["otherData"]["launches"] >= 3
        assert left_in(folder) == ["precious"]


def test_links_are_followed():
    with tempfile.TemporaryDirectory() as folder:
        trace, link = os.path.join(folder, "trace"), os.path.join(folder, "link")
        with open(trace, "w") as file:
            file.write("old")
        os.symlink("trace", link)
        assert profile("--trace", link, "--", PROGRAM, "steps", "3").code == 0
        assert os.path.islink(link) and os.path.getsize(trace) > 100


def test_only_traces_of_an_earlier_run_are_removed():
    with tempfile.TemporaryDirectory() as folder:
        trace = os.path.join(folder, "trace")
        for name, text in ((trace + ".2", NORMAL), (trace + ".3", "a thesis"), (trace + ".4", NORMAL)):
            with open(name, "w") as file:
                file.write(text)
        assert profile("--trace", trace, "--", PROGRAM, "steps", "3").code == 0
        assert left_in(folder) == ["trace", "trace.3", "trace.4"]


def test_devices_stay_devices():
    with tempfile.TemporaryDirectory() as folder:
        pipe = os.path.join(folder, "pipe")
        os.mkfifo(pipe)
        reader = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True)
        result = profile("--trace", pipe, "--", PROGRAM, "steps", "3")
        assert result.code == 0, result.err
        assert json.loads(reader.communicate()[0])["otherData"]["launches"] >= 3
        assert stat.S_ISFIFO(os.stat(pipe).st_mode) and left_in(folder) == ["pipe"]
    before = os.stat("/dev/full")
    result = profile("--trace", "/dev/full", "--", PROGRAM, "steps", "3")
    assert result.code == 2 and "/dev/full: No space left" in result.err, result.err
    after = os.stat("/dev/full")
    assert stat.S_ISCHR(after.st_mode) and before.st_ino == after.st_ino


def test_places_that_cannot_be_written_are_named_before_the_run():
    with tempfile.TemporaryDirectory() as folder:
        mark = os.path.join(folder, "ran")
        for trace in ("/nowhere/trace", folder, "/proc/trace"):
            result = profile("--trace", trace, "--", "touch", mark)
            assert result.code == 2 and trace in result.err and not os.path.exists(mark), (trace, result.err)


def test_an_unwritable_variable_is_told():
    for path, why in (("/nowhere/trace", "No such file"), ("/", "Is a directory"), ("/dev/full", "No space left"), ("/" + 600 * "x", "too long")):
        done = subprocess.run([PROGRAM, "steps", "3"], capture_output=True, text=True, env={**os.environ, "WEFT_PROFILE": path})
        assert done.returncode == 0 and done.stdout == "", path
        assert done.stderr.startswith("weft: WEFT_PROFILE: " + path[:100]) and why in done.stderr, (path, done.stderr)
        assert done.stderr.count("\n") == 1, done.stderr


def stopped(number, to_group):
    """Exit code, output and what is left when a signal ends the program within `weft profile`."""
    with tempfile.TemporaryDirectory() as folder:
        ready, trace = os.path.join(folder, "ready"), os.path.join(folder, "trace")
        env = {**os.environ, "TMPDIR": folder}
        for words in (["--trace", trace], []):
            child = subprocess.Popen([WEFT, "profile", *words, "--", PROGRAM, "wait", ready], env=env, start_new_session=True,
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for _ in range(3000):
                if os.path.exists(ready):
                    break
                time.sleep(0.01)
            (os.killpg if to_group else os.kill)(child.pid, number)
            out, err = child.communicate(timeout=60)
            assert child.returncode == 7 and "launches on cpu" in out, (child.returncode, out, err)
            os.unlink(ready)
            assert left_in(folder) == ["trace"], left_in(folder)


def test_ctrl_c_shows_what_there_is_and_cleans_up():
    stopped(signal.SIGINT, True)


def test_other_signals_are_passed_on():
    stopped(signal.SIGTERM, False)


def test_names_are_tamed():
    for result in (profile("--", PROGRAM, "names"), weft_on_terminal("profile", "--", PROGRAM, "names", env={"NO_COLOR": "1"})):
        assert result.code == 0, result.err
        text = result.out.replace("\r\n", "\n")
        assert not any(c < " " and c != "\n" or "\x7f" <= c < "\xa0" for c in text), repr(text)
        assert "red\\x1b[31m\\x1b]0;title\\x07 \\xc2\\x9bend" in text, text
    rows = weft_json("profile", "--json", "--", PROGRAM, "names")["contexts"][0]["kernels"]
    names = sorted((row["kernel"], row["calls"]) for row in rows)
    assert names == [(46 * "a", 3), ("red\x1b[31m\x1b]0;title\x07 \x9bend", 3)], names  # cut between two characters


def test_the_table_counts_every_launch():
    steps = 1_100_000  # more than the slices of a trace
    found = weft_json("profile", "--json", "--", PROGRAM, "steps", str(steps))["contexts"][0]
    assert found["launches"] >= steps and found["traced"] == 1 << 20, found
    add = [row for row in found["kernels"] if row["kernel"] == "add"]
    assert len(add) == 1 and add[0]["calls"] == steps
    assert abs(sum(row["seconds"] for row in found["kernels"]) - found["kernel_seconds"]) < 1e-6 * found["kernel_seconds"]
    text = profile("--", PROGRAM, "steps", str(steps)).out
    assert "the trace holds the first 1048576 of them, the table all" in text, text


main(globals())
