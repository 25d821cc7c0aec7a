"""Help, mistakes, exit codes, terminals and pipes."""
import os
import re
import subprocess
import tempfile

from tool import HERE, PROGRAM, WEFT, main, weft, weft_on_terminal

COMMANDS = ["info", "ops", "gradcheck", "compare", "profile", "bench"]
ESCAPE = "\x1b["


def test_help_lists_the_commands():
    for words in ([], ["help"], ["--help"]):
        result = weft(*words)
        assert result.code == (0 if words else 2), (words, result.code)
        text = result.out + result.err
        for command in COMMANDS:
            assert f"\n  {command} " in text, (command, text)


def test_every_command_teaches_by_examples():
    for command in COMMANDS + ["bench diff", "bench invariance"]:
        result = weft(*command.split(), "--help")
        assert result.code == 0 and result.err == "", command
        assert f"usage: weft {command}" in result.out
        assert "Examples" in result.out and f"\n  weft {command} " in result.out.replace("Examples\n  weft", "\n  weft"), command
        assert "--json" in result.out
    assert weft("help", "bench").out == weft("bench", "--help").out


def test_mistakes_are_explained():
    for words, hint in [
        (["bnech"], 'did you mean "bench"'),
        (["info", "--jsn"], "did you mean --json"),
        (["info", "extra"], "weft info takes no"),
        (["ops", "gleu"], "did you mean gelu"),
        (["gradcheck"], "needs an operation"),
        (["gradcheck", "gelo"], "no operation"),
        (["gradcheck", "gelu", "--device", "tpu"], "tpu"),
        (["bench", "ops", "add", "--device", "tpu"], "no kind of device"),
        (["bench", "gelu"], "did you mean `weft bench ops`"),
        (["bench", "ops", "gelo"], "no operation"),
        (["bench", "models", "gpt2"], "gpt2-tiny"),
        (["bench", "ops", "--dtype", "i32"], "f32"),
        (["bench", "ops", "--shape", "12"], "ROWSxCOLUMNS"),
        (["bench", "ops", "--shape"], "needs a value"),
        (["bench", "models", "--batch", "-1"], "--batch"),
        (["bench", "ops", "--threads", "two"], "whole number"),
        (["bench", "ops", "--threads", "0"], "from 1 to 512"),
        (["bench", "ops", "--samples", "1"], "--samples"),
        (["bench", "--quick=1"], "takes no value"),
        (["bench", "-q"], "two dashes"),
        (["bench", "diff", "a.json"], "needs two reports"),
        (["bench", "diff", "/nowhere.json", "/nowhere.json"], "/nowhere.json"),
    ]:
        result = weft(*words)
        assert result.code == 2, (words, result.code)
        assert result.out == "", (words, result.out)
        assert hint in result.err and result.err.startswith("weft: "), (words, result.err)


def test_ops_search_and_reference():
    one = weft("ops", "weft_gelu").out
    for part in ("weft_tensor *weft_gelu(weft_tensor *x)", "M(gelu)(x)", "gelu_tanh"):
        assert part in one, part
    found = weft("ops", "POOL").out
    assert "max_pool2d" in found and "avg_unpool2d" in found and "gelu" not in found
    reductions = weft("ops", "--family", "reduce").out
    assert "logsumexp" in reductions and "softmax" not in reductions


def test_ops_says_what_an_operation_is_elsewhere():
    for name, parts in [("erfc", ["torch.erfc", "scipy.special.erfc", "Sub(1, Erf(x))", "3.50 ulp at most in f32", "of every order"]),
                        ("bitwise_and", ["numpy.bitwise_and", "BitwiseAnd"]), ("cbrt", ["- no cube root of negative numbers"])]:
        found = weft("ops", name).out
        for part in parts:
            assert part in found, (name, part, found)
    assert "derivatives" not in weft("ops", "argmax").out
    assert "bitwise_xor" in weft("ops", "--family", "integer").out


def test_ops_counts_what_there_is():
    lines = weft("ops", "--coverage").out.splitlines()
    assert lines[0].split() == ["family", "operations", "differentiable", "PyTorch", "NumPy", "ONNX"], lines[0]
    every = [line for line in lines if line.startswith("all ")][0].split()
    assert int(every[1]) > 200 and int(every[1]) == sum(int(line.split()[1]) for line in lines[1:] if line and line[0] != " " and not line.startswith("all "))
    result = weft("ops", "gelu", "--coverage")
    assert result.code == 2 and "takes no names" in result.err


def test_ops_knows_what_is_no_operation():
    for words, parts in [(["conv2d"], ["of x: conv2d_transpose(g, w)", "int64_t stride[2];", "weft gradcheck conv2d"]),
                         (["weft_ones"], ["weft_tensor *weft_ones(weft_ctx *ctx", "tensor.h"]), (["backward"], ["autograd.h", "gradient of every leaf"]),
                         (["step_lists"], ["weft_tensor *const *state;"]), (["weft_save_npz"], ["io.h"]), (["adam_open"], ["typedef struct weft_adam_options", "optim.h"]),
                         (["--family", "function"], ["weft_profile_begin", "weft_item", "weft_data"]),
                         (["npz"], ["weft_load_npz", "weft_save_npz"])]:
        result = weft("ops", *words)
        assert result.code == 0, (words, result.err)
        for part in parts:
            assert part in result.out, (words, part, result.out)


def test_ops_says_why_nothing_fits():
    for words, hint in [(["select", "--family", "unary"], "weft_select is of the family view, not of unary"), (["--family", "reduced"], 'did you mean "reduce"'),
                        (["select", "qqqqqq"], "has all of these words"), (["zzzzzzzzzzz"], 'fits "zzzzzzzzzzz"; `weft ops`'), (["weft_backwards"], "did you mean weft_backward")]:
        result = weft("ops", *words)
        assert result.code == 2 and hint in result.err, (words, result.err)
    for name in ("select", "gelu", "weft_ones"):  # what is there is never suggested as another word for itself
        for extra in ([], ["--family", "unary_p"], ["--family=type"], ["qqqqqq"]):
            assert f"did you mean {name}" not in weft("ops", name, *extra).err


def test_a_pipe_gets_plain_text():
    for words in (["help"], ["info"], ["ops"], ["gradcheck", "relu"], ["bench", "ops", "add", "--quick"]):
        result = weft(*words)
        assert result.code == 0 and result.err == "", (words, result.err)
        assert "\x1b" not in result.out and "\r" not in result.out, words


def test_a_terminal_gets_colours_and_progress():
    for words in (["help"], ["info"], ["ops", "gelu"], ["gradcheck", "relu"]):
        assert ESCAPE in weft_on_terminal(*words).out, words
    result = weft_on_terminal("bench", "ops", "add", "--quick")
    assert result.code == 0 and "\r" + ESCAPE + "Kbench 1/1  add f32 on cpu" in result.out


def test_no_color_and_dumb_terminals():
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert ESCAPE not in weft_on_terminal("ops", "gelu", env=env).out, env


def test_the_manual_is_complete():
    page = os.path.join(HERE, "..", "..", "docs", "weft.1")
    with open(page) as file:
        text = file.read()
    for command in COMMANDS + ["bench diff", "bench invariance"]:
        assert f".Cm {command}\n" in text, command
        for option in re.findall(r"\n  --([a-z-]+)", weft(*command.split(), "--help").out):
            assert option == "help" or f"Fl -{option}" in text, (command, option)


def test_a_case_that_fails_is_a_failure():
    for options in ([], ["--json"]):
        result = weft("bench", "ops", "add", "sgd_step", "--quick", "--device", "cpu", *options)
        assert result.code == 1 and "1 of 2 cases could not be measured" in result.err, (result.code, result.err)
        assert "no way to run sgd_step by itself" in result.out


def test_output_that_does_not_arrive_is_a_failure():
    for words in ("help", "--version", "info", "info --json", "ops", "ops gelu", "ops --json", "gradcheck relu", "gradcheck relu --json",
                  "bench ops add --quick", "bench ops add --quick --json", "bench --help", "compare ops add --other plain",
                  "compare lockstep mlp --other plain --steps 1", f"profile -- {WEFT} gradcheck relu", f"profile --json -- {PROGRAM} steps 3"):
        for to, why in (("/dev/full", "No space left"), ("&-", "Bad file descriptor")):
            done = subprocess.run(["sh", "-c", f'"$0" {words} >{to}', WEFT], capture_output=True, text=True)
            assert done.returncode == 2, (words, to, done.returncode, done.stderr)
            assert "standard output could not be written: " + why in done.stderr, (words, to, done.stderr)


def test_a_closed_output_is_no_file_of_ours():
    with tempfile.TemporaryDirectory() as folder:
        page = os.path.join(folder, "page.html")
        done = subprocess.run(["sh", "-c", f'"$0" bench ops add --quick --html {page} >&- 2>&-', WEFT])
        assert done.returncode == 2
        with open(page) as file:
            assert file.read().startswith("<!doctype html>")


def test_the_isa_can_be_forced():
    assert '"isa": "plain"' in weft("info", "--json", env={"WEFT_ISA": "plain"}).out
    assert "chosen by WEFT_ISA" in weft("info", env={"WEFT_ISA": "plain"}).out
    text = weft("info", env={"WEFT_ISA": "bogus"}).out
    assert "chosen by" not in text and "WEFT_ISA is ignored: it names no instruction set" in text, text


main(globals())
