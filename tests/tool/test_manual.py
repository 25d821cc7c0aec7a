"""The manual page: mandoc has nothing to complain about."""
import os
import subprocess

from tool import HERE, main, need_program

MANDOC = need_program("mandoc")


def test_the_manual_is_sound():
    page = os.path.join(HERE, "..", "..", "docs", "weft.1")
    lint = subprocess.run([MANDOC, "-T", "lint", "-W", "warning", page], capture_output=True, text=True)
    assert lint.returncode == 0, lint.stdout


main(globals())
