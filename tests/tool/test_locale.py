"""A host whose locale has commas: what Weft prints and writes, and what the command makes of it."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

from tool import PROGRAM, SKIPPED, WEFT, main, weft

FOLDER = tempfile.TemporaryDirectory()


def comma_locale():
    """The environment of a German locale, made here; the script is skipped where that cannot be done."""
    if not shutil.which("localedef"):
        print("skipped: localedef is not installed")
        sys.exit(SKIPPED)
    made = subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", os.path.join(FOLDER.name, "de_DE.UTF-8")], capture_output=True, text=True)
    env = {"LOCPATH": FOLDER.name, "LC_ALL": "de_DE.UTF-8"}
    if run(env).startswith("0,5\n"):
        return env
    print("skipped: a locale with commas cannot be made:", made.stderr.strip()[-200:])
    sys.exit(SKIPPED)


def run(env, *words):
    done = subprocess.run([PROGRAM, "text", *words], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C", **env})
    assert done.returncode == 0, done.stderr
    return done.stdout


COMMA = comma_locale()


def test_the_library_writes_points():
    plain, german = run({}), run(COMMA)
    assert plain.startswith("0.5\n[ 5.00e-01  1.00e-03 -2.25e+00  1.00e+02]\n0.5\n"), plain
    assert german.splitlines()[1:] == plain.splitlines()[1:], german
    image = german[german.index("<svg"):german.index("</svg>") + 6]
    points = [line.get("points").split() for line in xml.etree.ElementTree.fromstring(image).iter() if "points" in line.attrib]
    assert points and all(len(point.split(",")) == 2 for line in points for point in line), points
    assert "p is 1.5, but" in german and "\n1.50 2.5e-07 end\n0.75 next\n" in german, german


def test_traces_are_json():
    trace = os.path.join(FOLDER.name, "trace.json")
    run(COMMA, trace)
    with open(trace) as file:
        found = json.load(file)
    assert found["otherData"]["wall_seconds"] > 0 and "add" in [row["kernel"] for row in found["otherData"]["kernels"]]
    assert all(isinstance(event["ts"], float) for event in found["traceEvents"] if event["ph"] == "X")


def test_profile_reads_them():
    result = weft("profile", "--", PROGRAM, "text", env=COMMA)
    assert result.code == 0 and "launches on cpu" in result.out, result.err


def test_the_command_in_that_locale():
    report = os.path.join(FOLDER.name, "report.html")
    result = weft("bench", "ops", "add", "--quick", "--json", "--html", report, env=COMMA)
    assert result.code == 0 and json.loads(result.out)["cases"], result.err
    assert weft("ops", "gelu", "--json", env=COMMA).out == weft("ops", "gelu", "--json").out
    assert weft("profile", "--json", "--", WEFT, "gradcheck", "tanh", env=COMMA).code == 0


main(globals())
