"""tool.py - running the `weft` command and looking at what it does. A test is a script that calls main(globals())."""
import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys

WEFT = sys.argv[1] if len(sys.argv) > 1 else "weft"
PROGRAM = sys.argv[2] if len(sys.argv) > 2 else "program"  # program.c, linked with Weft
HERE = os.path.dirname(os.path.abspath(__file__))


SKIPPED = 77


def need_program(*names):
    """Its path, by the first name that there is. The whole script is skipped if there is none."""
    for name in names:
        if shutil.which(name):
            return shutil.which(name)
    print(f"skipped: {names[0]} is not installed")
    sys.exit(SKIPPED)


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err


def weft(*words, env=None):
    """Runs the command with its streams on pipes."""
    done = subprocess.run([WEFT, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env={**os.environ, **(env or {})})
    return Result(done.returncode, done.stdout, done.stderr)


def weft_on_terminal(*words, env=None):
    """Runs the command on a terminal of its own; out has both streams."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen([WEFT, *words], stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True,
                             env={**os.environ, "TERM": "xterm", "NO_COLOR": "", **(env or {})})
    os.close(theirs)
    text = b""
    while True:
        ready, _, _ = select.select([ours], [], [], 60)
        try:
            part = os.read(ours, 65536) if ready else b""
        except OSError:  # the terminal is closed
            part = b""
        if not part:
            break
        text += part
    os.close(ours)
    return Result(child.wait(), text.decode(), "")


def weft_json(*words, code=0, env=None):
    result = weft(*words, env=env)
    assert result.code == code, f"{words}: exit code {result.code}, {result.err}"
    return json.loads(result.out)


def check_shape(value, shape, where="$"):
    """shape: "str", "int", "num", "bool", each with "?" for null too; [shape] for lists; {key: shape}, exactly these keys, or
    "key?" for an object or null; "=text" for this text alone."""
    if isinstance(shape, dict):
        assert isinstance(value, dict), f"{where} is no object"
        keys = [key.rstrip("?") for key in shape]
        assert list(value) == keys, f"{where} has the keys {list(value)}, not {keys}"
        for key, inner in shape.items():
            if not (key.endswith("?") and value[key[:-1]] is None):
                check_shape(value[key.rstrip("?")], inner, f"{where}.{key}")
    elif isinstance(shape, list):
        assert isinstance(value, list), f"{where} is no list"
        for k, item in enumerate(value):
            check_shape(item, shape[0], f"{where}[{k}]")
    elif shape.startswith("="):
        assert value == shape[1:], f"{where} is {value!r}, not {shape[1:]!r}"
    elif value is None:
        assert shape.endswith("?"), f"{where} is null"
    else:
        kinds = {"str": str, "int": int, "num": (int, float), "bool": bool}
        kind = shape.rstrip("?")
        fits = isinstance(value, kinds[kind]) and (kind == "bool" or not isinstance(value, bool))
        assert fits, f"{where} is {value!r}, not {shape}"


def read_schema(name):
    with open(os.path.join(HERE, "schemas", name + ".json")) as file:
        return json.load(file)


def damaged(value):
    """Copies of a document, each with one key of some object gone, renamed, or of another type."""
    if isinstance(value, list):
        for item in value[:1]:
            for worse in damaged(item):
                yield [worse] + value[1:]
    elif isinstance(value, dict):
        for key, inner in value.items():
            rest = {k: v for k, v in value.items() if k != key}
            yield rest
            yield {("x" + k if k == key else k): v for k, v in value.items()}
            yield {**value, key: {"x": 1}}
            for worse in damaged(inner):
                yield {**value, key: worse}


def check_schema(value, name):
    """The document has the stored shape, and the check would have seen any change of it."""
    shape = read_schema(name)
    check_shape(value, shape)
    for worse in damaged(value):
        try:
            check_shape(worse, shape)
        except AssertionError:
            continue
        raise AssertionError(f"the shape {name} lets this pass: {json.dumps(worse)[:400]}")


def main(names):
    """Runs every function called test_...; prints one line each; the exit status tells whether all passed."""
    failed = 0
    for name, test in list(names.items()):
        if not re.match("test_", name) or not callable(test):
            continue
        try:
            test()
            print("passed ", name)
        except Exception as error:
            failed += 1
            line = error.__traceback__
            while line.tb_next:
                line = line.tb_next
            print("FAILED ", name, "line", line.tb_lineno, type(error).__name__, error)
    sys.exit(1 if failed else 0)
