"""Mutants: small changes of the sources, each of which the tests must notice. The lists are *.mut files beside this one:

    ## NAME [suites: unit tool]       the name; where given, the suites that are asked instead of those of the folder
    # one line or more: what is wrong with it
    @ src/ops/matmul.c                the file; "@ FILE 2" means the second place of the text in it
    -| READS(FIRST | SECOND)          the text as it is, without the spaces before its first line
    +| READS(SECOND)                  the text as it becomes; no line at all: it goes
    = why no test can notice it       only for one that changes nothing which can be seen

The kind of a mutant is its list's name. Several "@" blocks are changed together."""
import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent
PROJECT = HERE.parent.parent


class Stale(Exception):
    """The text of a mutant is not in the sources, or is there more often than said."""


class Edit:

    def __init__(self, file, place):
        self.file, self.place = file, place
        self.old, self.new = [], []

    def apply(self, text):
        """The text of the file with the change. Lines of what is dropped stay as empty ones, so that messages fit."""
        old, new = "\n".join(self.old), "\n".join(self.new)
        found = [m.start() for m in re.finditer(re.escape(old), text)]
        if not old or not found or (self.place is None and len(found) > 1) or (self.place or 1) > len(found):
            raise Stale(f"{self.file}: {len(found)} places of: {old}")
        at = found[(self.place or 1) - 1]
        return text[:at] + new + "\n" * max(0, old.count("\n") - new.count("\n")) + text[at + len(old):]


class Mutant:

    def __init__(self, name, kind):
        self.name, self.kind = name, kind
        self.suites, self.edits, self.why, self.equivalent = None, [], [], None

    def files(self):
        return sorted({edit.file for edit in self.edits})

    def texts(self, tree=PROJECT):
        """{file: its changed text}"""
        changed = {}
        for edit in self.edits:
            text = changed.get(edit.file)
            if text is None:
                path = tree / edit.file
                if not path.is_file():
                    raise Stale(f"{edit.file}: no such file")
                text = path.read_text(encoding="utf-8")
            changed[edit.file] = edit.apply(text)
        return changed


def read_list(path):
    found, mutant = [], None

    def wrong(why):
        raise SystemExit(f"{path}:{number}: {why}: {line}")

    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("## "):
            head = re.fullmatch(r"## ([a-z0-9_]+)(?: \[suites: ([a-z ]+)\])?", line)
            if not head:
                wrong("not ## NAME [suites: ...]")
            mutant = Mutant(head[1], path.stem)
            mutant.suites = head[2].split() if head[2] else None
            found.append(mutant)
        elif not line or (mutant is None and line.startswith("# ")):
            continue
        elif mutant is None:
            wrong("before the first mutant")
        elif line.startswith("# "):
            mutant.why.append(line[2:])
        elif line.startswith("= "):
            mutant.equivalent = line[2:]
        elif line.startswith("@ "):
            part = line.split()
            mutant.edits.append(Edit(part[1], int(part[2]) if len(part) > 2 else None))
        elif line[:2] in ("-|", "+|") and mutant.edits:
            text = line[3:] if line[2:3] == " " else line[2:]
            (mutant.edits[-1].old if line[0] == "-" else mutant.edits[-1].new).append(text)
        else:
            wrong("not understood")
    return found


def read_all():
    mutants = [mutant for path in sorted(HERE.glob("*.mut")) for mutant in read_list(path)]
    names = [mutant.name for mutant in mutants]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise SystemExit(f"twice in the lists: {', '.join(sorted(twice))}")
    for mutant in mutants:
        if not mutant.why or not mutant.edits:
            raise SystemExit(f"{mutant.name}: neither a reason nor a change may be missing")
    return mutants
