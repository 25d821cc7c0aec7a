#!/usr/bin/env python3
"""Makes tests/parity/*.parity: what PyTorch gives for golden records (tests/ops/*.gold): values, gradients, second gradients.

    pip install torch==2.15.0 numpy
    python3 tests/parity/make_parity.py            writes the files
    python3 tests/parity/make_parity.py --check    fails if the committed files differ (needs the same version, and a like processor)
    python3 tests/parity/make_parity.py -v         says which records PyTorch refuses, and why

tests/parity/calls.py says what an operation is in PyTorch, a line an operation; of each up to MOST golden records are taken, with as many
different numbers, shapes, kinds of operand and odd values as there are, small ones first. An operation that src/ops/equivalents.def gives
a name in PyTorch and that has fewer than FEWEST is an error. tests/test_parity.c reads the files; a record:

    op NAME             row of ops.def
    name TEXT           of its golden record, which has the operands and numbers
    nth N               the how manieth of that name, from 0
    out KIND DIM... = X...      a result: F of the data's dtype, T:DTYPE another
    grad KIND DIM... = X...     of each floating operand: gradient of the sum over all results of w y; null: there is none, and it
                                counts as zeros; any: PyTorch does not differentiate by it, and Weft may
    second KIND DIM... = X...   likewise: gradient of the sum of u g over all of those gradients
    end

w and u are those of weight() below. Everything is computed in float64 (integers in int64), by one thread, and written with 15 digits."""
import argparse
import contextlib
import pathlib
import re
import sys
import tempfile
import warnings

import numpy as np
import torch

from calls import CALLS, DTYPES, Refused

HERE = pathlib.Path(__file__).resolve().parent
GOLD = HERE.parent / "ops"
EQUIVALENTS = HERE.parent.parent / "src" / "ops" / "equivalents.def"
NAMES = ["f32", "f64", "f16", "bf16", "i64", "i32", "i8", "u8", "bool"]
FEWEST, MOST = 15, 20
MOST_BYTES = 8_000_000
SMALL = (24, 40, 72, 140, 1000)  # elements of a record: larger ones only where smaller do not suffice
torch.set_num_threads(1)


def weight(shape, k):
    """Factors of result k, exact in every dtype, none of them 0 and none like its neighbours."""
    n = int(np.prod(shape))
    return torch.tensor([((e * 37 + k * 17 + 5) % 32 - 15.5) / 16 for e in range(n)], dtype=torch.float64).reshape(shape)


# ---- Golden records ----

class Record:
    def __init__(self, op):
        self.op, self.name, self.nth = op, "", 0
        self.i, self.f, self.flags, self.ins, self.count, self.all, self.given = [], [], [], [], 0, [], set()

    def __getitem__(self, k):
        return self.all[k]

    def as_given(self, k):
        """Operand k, by which PyTorch does not differentiate."""
        self.given.add(k)
        return self.all[k].detach()

    def begin(self):
        """Fresh operands; floating ones are differentiated."""
        self.all = []
        for kind, shape, values in self.ins:
            if kind == "null":
                self.all.append(None)
                continue
            dtype = {"v": torch.float64, "s": torch.float64, "c": torch.bool}.get(kind, torch.int64)
            made = [float(x) for x in values] if dtype == torch.float64 else [int(x) for x in values]
            x = torch.tensor(made, dtype=dtype).reshape(shape)
            self.all.append(x.requires_grad_(kind == "v" and "inplace" not in self.flags))

    def kind(self):
        """What is to differ between the records that are taken."""
        shapes = tuple((kind, len(shape), 0 in shape, 1 in shape) for kind, shape, _ in self.ins)
        return (tuple(self.i), tuple(self.f), tuple(self.flags), shapes)


def read(path):
    record, seen = None, {}
    for line in path.read_text().splitlines():
        key, _, rest = line.partition(" ")
        if key == "op":
            record = Record(rest)
        elif key == "name":
            record.name = rest
            record.nth = seen[record.op, rest] = seen.get((record.op, rest), -1) + 1
        elif key in ("i", "f"):
            setattr(record, key, [(int if key == "i" else float)(x) for x in rest.split()])
        elif key == "flags":
            record.flags = rest.split()
        elif key in ("in", "out"):
            head, _, values = rest.partition("=")
            kind, *shape = head.split()
            values = values.split()
            record.count += len(values)
            if key == "in":
                record.ins.append((kind, tuple(map(int, shape)), values))
        elif key == "end":
            yield record


def candidates(records):
    """In the order in which they are tried: small before large, and in turns of integers, odd values and the others."""
    def group(r):
        return 0 if any(kind == "n" for kind, _, _ in r.ins) else 1 if "special" in r.flags else 2 if "nograd" in r.flags else 3
    ordered = []
    for low, high in zip((-1,) + SMALL, SMALL):
        fits = [r for r in records if low < r.count <= high]
        kinds, first, again = set(), [], []
        for r in fits:
            (again if r.kind() in kinds else first).append(r)
            kinds.add(r.kind())
        ordered += first + again
    taken, rest, share = [], [], {0: 3, 1: 3, 2: 2, 3: MOST}
    for r in ordered:
        share[group(r)] -= 1
        (taken if share[group(r)] >= 0 else rest).append(r)
    return taken + rest


# ---- What PyTorch gives ----

def number(x):
    text = "%.15g" % x
    if np.isinf(float(text)) != np.isinf(x):
        return repr(x)  # 15 digits of the largest number are more than it
    return "nan" if text == "-nan" else text


def line(word, x, kind):
    x = torch.zeros_like(x) + x.detach() if x.dtype != torch.bool else x  # what is known to be zero has no memory
    shape = "".join(f" {n}" for n in x.shape)
    flat = x.reshape(-1)
    values = [str(int(v)) for v in flat] if not x.dtype.is_floating_point else [number(v) for v in flat.to(torch.float64).tolist()]
    return f"{word} {kind}{shape} =" + "".join(" " + v for v in values)


def is_smooth(x):
    return x is not None and x.requires_grad


def differentiate(results, leaves, start):
    """Gradients of the sum of w times the results; None where there is none."""
    total = [(y, weight(y.shape, start + k)) for k, y in enumerate(results) if y is not None and y.requires_grad]
    if not total:
        return [None] * len(leaves)
    return torch.autograd.grad([(y * w.to(y.dtype)).sum() for y, w in total], leaves, create_graph=True, allow_unused=True)


def reference(record):
    """The lines of a record."""
    record.begin()
    with torch.enable_grad():
        y = CALLS[record.op](record)
        results = list(y) if isinstance(y, (tuple, list)) else [y]
        lines = [f"op {record.op}", f"name {record.name}"] + ([f"nth {record.nth}"] if record.nth else [])
        whole = any(kind == "n" for kind, _, _ in record.ins)
        for r in results:
            floating = r.dtype == torch.float64 and not whole and record.op not in ("cast", "one_hot")
            lines.append(line("out", r, "F" if floating else "T:" + NAMES[DTYPES.index(r.dtype)]))
        leaves = [x for x in record.all if is_smooth(x)]
        smooth = [r for r in results if r.requires_grad]
        if not leaves or not smooth:
            return lines + ["end"]
        try:
            first = differentiate(smooth, leaves, 0)
            lines += gradients("grad", record, leaves, first)
            lines += gradients("second", record, leaves, differentiate(list(first), leaves, 7))
        except RuntimeError as error:  # PyTorch has no such derivative: the test compares what there is
            if "is not implemented" not in str(error):
                raise
    return lines + ["end"]


def gradients(word, record, leaves, found):
    given = [any(x is record[k] for k in record.given) for x in leaves]
    return [f"{word} any" if g else f"{word} null" if x is None else line(word, x, "F") for x, g in zip(found, given)]


# ---- Files ----

def wanted():
    """Operations that have a name in PyTorch."""
    found = re.findall(r'^EQUIVALENT\((\w+), "((?:[^"\\]|\\.)*)"', EQUIVALENTS.read_text(), re.M)
    if len(found) < 100:
        sys.exit(f"{EQUIVALENTS}: only {len(found)} lines found; has its layout changed?")
    return {name.lower(): text for name, text in found if not text.startswith("-")}


def make(folder, verbose):
    by_op, files = {}, {}
    for path in sorted(GOLD.glob("*.gold")):
        for record in read(path):
            by_op.setdefault(record.op, []).append(record)
            files.setdefault(path.stem, {}).setdefault(record.op)
    problems, count, size = [f"{name} has a name in PyTorch, and no line in calls.py" for name in wanted() if name not in CALLS], {}, 0
    problems += [f"calls.py has {name}, which has no golden records" for name in CALLS if name not in by_op]
    for stem, ops in files.items():
        text = [f"# What PyTorch {torch.__version__.split('+')[0]} gives for records of tests/ops/{stem}.gold; made by tests/parity/make_parity.py."]
        for op in ops:
            for record in candidates(by_op[op]) if op in CALLS else ():
                if count.get(op, 0) == MOST:
                    break
                try:
                    text += reference(record)
                    count[op] = count.get(op, 0) + 1
                except (Refused, RuntimeError, TypeError, ValueError, IndexError, NotImplementedError) as why:
                    if verbose:
                        print(f"{op} {record.name}: {type(why).__name__}: {str(why).splitlines()[0]}")
            if op in CALLS and count.get(op, 0) < FEWEST:
                problems.append(f"{op}: {count.get(op, 0)} records that PyTorch takes, at least {FEWEST} are needed")
        path = folder / f"{stem}.parity"
        if len(text) > 1:
            path.write_text("\n".join(text) + "\n", encoding="ascii", newline="\n")
            size += path.stat().st_size
        else:
            path.unlink(missing_ok=True)
    if size >= MOST_BYTES:
        problems.append(f"{size} bytes of files; the limit is {MOST_BYTES}")
    print(f"{len(count)} operations, {sum(count.values())} records, {size} bytes")
    if problems:
        sys.exit("\n".join(problems))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the committed files instead of writing them")
    parser.add_argument("-v", "--verbose", action="store_true", help="say which records PyTorch refuses")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory())) if arguments.check else HERE
        make(folder, arguments.verbose)
        stale = [p.name for p in sorted(folder.glob("*.parity")) if p.read_bytes() != (HERE / p.name).read_bytes()] if arguments.check else []
    if stale:
        sys.exit("differ: " + ", ".join(stale))


if __name__ == "__main__":
    main()
