#!/usr/bin/python3
"""Makes tests/ops/*.gold: expected results of every public operation, computed without any of Weft's formulas.

Needs NumPy, mpmath and PyTorch (made with Debian 12's python3-numpy, python3-mpmath and python3-torch: NumPy 1.24,
mpmath 1.2, PyTorch 1.13):

    /usr/bin/python3 tests/ops/make_golden.py            writes the files
    /usr/bin/python3 tests/ops/make_golden.py --check    fails if the committed files differ (needs the same versions)

Fails if a row of src/ops/ops.def has too few samples and is not exempt with a reason."""
import argparse
import importlib
import pathlib
import re
import sys
import tempfile
import warnings

HERE = pathlib.Path(__file__).resolve().parent
OPS = HERE.parent.parent / "src" / "ops" / "ops.def"
FEWEST = 20  # samples of a row
MOST_BYTES = 9_000_000

EXEMPT = {}  # name: why its result cannot be written down
EXEMPT_FAMILIES = {"KERNEL": "not public: a step of another operation, tested through it"}


def rows():
    """(name, family) of each row of ops.def."""
    row = re.compile(r"^WEFT_([A-Z_]+)\(\s*[A-Z0-9_]+,\s*([a-z0-9_]+),", re.M)
    found = [(name, family) for family, name in row.findall(OPS.read_text()) if family != "OP"]
    if len(found) < 100:
        sys.exit(f"{OPS}: only {len(found)} rows found; has its layout changed?")
    return found


def check_coverage(count):
    names = dict(rows())
    problems = [f"golden samples for {name}, which is no row of ops.def" for name in count if name not in names]
    for name, family in names.items():
        if name not in EXEMPT and family not in EXEMPT_FAMILIES and count.get(name, 0) < FEWEST:
            problems.append(f"{name}: {count.get(name, 0)} samples, at least {FEWEST} are needed")
    if problems:
        sys.exit("\n".join(problems))


def make(folder):
    files = {}
    for path in sorted(HERE.glob("gold_*.py")):
        module = importlib.import_module(path.stem)
        if hasattr(module, "make"):  # else what others share
            files.update(module.make())
    count = {}
    for gold in files.values():
        for name, number in gold.count.items():
            count[name] = count.get(name, 0) + number
    check_coverage(count)
    for name, gold in files.items():
        gold.write(folder / f"{name}.gold")
    size = sum((folder / f"{name}.gold").stat().st_size for name in files)
    if size >= MOST_BYTES:
        sys.exit(f"{size} bytes of golden files; the limit is {MOST_BYTES}")
    print(f"{len(count)} operations, {sum(count.values())} records, {sum(g.elements for g in files.values())} expected values, {size} bytes in {len(files)} files")
    return files


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the committed files instead of writing them")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", RuntimeWarning)  # NaN and infinities are meant
    if not arguments.check:
        make(HERE)
        return
    with tempfile.TemporaryDirectory() as folder:
        files = make(pathlib.Path(folder))
        stale = [name for name in files if (pathlib.Path(folder) / f"{name}.gold").read_bytes() != (HERE / f"{name}.gold").read_bytes()]
    if stale:
        sys.exit("differ: " + ", ".join(f"{name}.gold" for name in stale))


if __name__ == "__main__":
    main()
