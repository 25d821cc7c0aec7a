"""The command on a real terminal: what is on the screen of tmux after it has run."""
import os
import shlex
import subprocess
import time

from tool import WEFT, main, need_program

TMUX = need_program("tmux")
server = 0  # the number of the one in use: an ending one refuses new sessions


def tmux(*words):
    return subprocess.run([TMUX, "-L", f"weft_test_{os.getpid()}_{server}", "-f", "/dev/null", *words], capture_output=True, text=True, timeout=60)


def screen(command, columns=120, rows=60, seconds=60):
    """The screen with its escapes, and without, after the command has ended."""
    global server
    server += 1
    done = f"{command}; printf 'ended with %s.\\n' $?; sleep 100"
    assert tmux("new-session", "-d", "-x", str(columns), "-y", str(rows), done).returncode == 0
    try:
        end = time.monotonic() + seconds
        while "ended with " not in tmux("capture-pane", "-p").stdout:
            assert time.monotonic() < end, tmux("capture-pane", "-p").stdout
            time.sleep(0.05)
        return tmux("capture-pane", "-p", "-e").stdout, tmux("capture-pane", "-p").stdout
    finally:
        tmux("kill-server")


def test_progress_leaves_no_trace():
    coloured, text = screen(f"{shlex.quote(WEFT)} bench ops add gelu --quick --device cpu")
    assert "ended with 0." in text
    assert "bench 1/" not in text and "bench 2/" not in text, text
    assert "\x1b[1m" in coloured and "Operations" in text and "gelu" in text


def test_tables_line_up():
    _, text = screen(f"{shlex.quote(WEFT)} ops --family reduce")
    assert "logsumexp" in text and "ended with 0." in text
    _, text = screen(f"{shlex.quote(WEFT)} bench ops add gelu --quick --device cpu")
    lines = text.splitlines()
    heads = [line for line in lines if line.startswith("  name ") and "median" in line]
    rows = [line for line in lines if line.startswith(("  add ", "  gelu "))]
    assert len(heads) == 1 and len(rows) == 2, text
    for column in ("size", "dtype", "device"):
        at = heads[0].index(column)
        assert all(row[at] != " " and row[at - 1] == " " for row in rows), text


def test_an_error_is_marked():
    coloured, text = screen(f"{shlex.quote(WEFT)} bnech")
    assert 'did you mean "bench"' in text and "ended with 2." in text
    assert "\x1b[" in coloured


def test_a_pager_or_file_gets_none_of_it():
    coloured, text = screen(f"{shlex.quote(WEFT)} info | cat")
    assert "processors" in text
    assert "\x1b[1m" not in coloured and "\x1b[2m" not in coloured, coloured


main(globals())
