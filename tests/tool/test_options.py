"""Every numeric option has a range, and no words make the command crash or fail without a sentence."""
import random
import re

from tool import main, weft

NUMERIC = {"bench": {"batch", "threads", "samples"}, "bench diff": {"threshold"}, "bench invariance": {"threads", "samples"}, "compare": {"steps", "batch", "rtol", "atol"}}
COMMANDS = ["info", "ops", "gradcheck", "compare", "profile", "bench", "bench diff", "bench invariance"]
NO_NUMBERS = ["nan", "-nan", "inf", "-inf", "1e999", "", " ", " 5", "5 ", "1x", "x", "--", "-1", "-0.5", "1,5", "0x", "5.5.5"]


def options_of(command):
    """(name, what its value is called or None) of the help."""
    return re.findall(r"\n  --([a-z-]+)(?: ([A-Z]+)\b)?", weft(*command.split(), "--help").out)


def words_for(command):
    return {"compare": ["compare", "files", "/nowhere.npz", "/nowhere.npz"], "bench diff": ["bench", "diff", "/nowhere", "/nowhere"]}.get(command, [*command.split()])


def test_every_numeric_option_refuses_what_is_no_number():
    for command in COMMANDS:
        numeric = {name for name, value in options_of(command) if value in ("N", "R", "A", "PERCENT")}
        assert numeric == NUMERIC.get(command, set()), (command, numeric)
        for name in numeric:
            whole = [] if name in ("rtol", "atol", "threshold") else ["0", "0.5", "3.0", "1e1", "4294967297", "99999999999999999999"]
            for value in NO_NUMBERS + whole:
                result = weft(*words_for(command), f"--{name}={value}")
                assert result.code == 2 and result.out == "", (command, name, value, result.out)
                assert f"--{name} takes a " in result.err and " from " in result.err, (command, name, value, result.err)


def test_limits_are_within_the_range():
    for words, hint in [(["bench", "--samples", "2"], "from 3 to 101"), (["bench", "--samples", "102"], "from 3 to 101"),
                        (["bench", "--threads", "513"], "from 1 to 512"), (["bench", "models", "--batch", "65537"], "from 1 to 65536"),
                        (["compare", "lockstep", "--steps", "10001"], "from 1 to 10000"), (["bench", "--samples", "3.5"], "whole number"),
                        (["compare", "files", "/a", "/b", "--rtol", "1e301"], "from 0 to 1e+300")]:
        result = weft(*words)
        assert result.code == 2 and hint in result.err, (words, result.err)
    assert "/a" in weft("compare", "files", "/a", "/b", "--rtol", "0", "--atol", "0.5").err  # taken: the files are missing


def test_random_words_get_an_answer():
    source = random.Random(8)
    pieces = ["--json", "--help", "-h", "--", "-", "", "--=", "--json=1", "--family", "--family=unary", "--family=\x1b[31m", "gelu", "select", "weft_gelu",
              "weft_", "x" * 300, "\x1b]0;t\x07", "\xff\xfe".encode("latin-1"), "--device", "tpu", "--device=cuda:99", "--shape=2x2", "--shape", "0x0", "--dtype=,", "--dtype",
              "--other", "--other=threads:", "%s%n", "../..", "/dev/null", "--trace", "--threshold=5", "diff", "ops", "models", "files", "replay", "--nothing", "--" + "y" * 200]
    for _ in range(150):
        command = source.choice(["info", "ops", "gradcheck --device tpu", "compare files", "compare replay", "profile", "bench diff", "help", "nothing", ""])
        words = [*command.split(), *source.choices(pieces, k=source.randrange(5))]
        result = weft(*words)
        assert result.code in (0, 1, 2), (words, result.code)
        assert result.code == 0 or result.err.startswith(("weft: ", "weft 0.")), (words, result.err)
        shown = result.out + result.err
        assert not any(c < " " and c not in "\n\t" or c == "\x7f" for c in shown), (words, shown)


main(globals())
