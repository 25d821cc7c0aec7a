"""Operator mutants: changes of one operator, number, statement or pair of arguments, made by rule at a place of the
sources that is drawn by a seed. What the compiler makes the same code of is no mutant; the runner finds that out."""
import pathlib
import random
import re

from mutants import Edit, Mutant, PROJECT

FOLDERS = ["src/ops", "src/cpu", "src/autograd", "src/cuda", "kernels", "src/io"]
SUFFIXES = {".c", ".h", ".inc", ".cu"}

TOKEN = re.compile(
    r'(?P<skip>/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|^[ \t]*#(?:\\\n|[^\n])*)'
    r"|(?P<float>\b0[xX][0-9a-fA-F.]*[pP][-+]?\d+[fFlL]?|\b\d+\.\d*(?:[eE][-+]?\d+)?[fFlL]?|\b\d+[eE][-+]?\d+[fFlL]?)"
    r"|(?P<number>\b(?:0[xX][0-9a-fA-F]+|\d+)(?:[uUlL]*)\b(?![.\w]))"
    r"|(?P<word>[A-Za-z_]\w*)"
    r"|(?P<op><<=|>>=|->|\+\+|--|&&|\|\||==|!=|<=|>=|<<|>>|[-+*/%&|^]=|[-+*/%<>=!&|^~?:;,.(){}\[\]])", re.S | re.M)

COMPARE = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
SIGN = {"+": "-", "-": "+", "*": "/", "/": "*", "+=": "-=", "-=": "+=", "*=": "/="}
LOGIC = {"&&": "||", "||": "&&"}
BEFORE_BINARY = re.compile(r"[\w)\]]\Z")
DECLARATION = re.compile(r"\s*(?:return|break|continue|goto|case|default|typedef|static|const|struct|enum|union|extern|using|template)\b")


class Site:

    def __init__(self, file, start, old, new, rule):
        self.file, self.start, self.old, self.new, self.rule = file, start, old, new, rule


def tokens_of(text):
    return [(m.lastgroup, m.group(), m.start()) for m in TOKEN.finditer(text) if m.lastgroup != "skip"]


def statements(text, tokens):
    """Places of calls and assignments that stand as a statement of their own: (start, end without the ";")."""
    begin = None
    depth = 0
    for group, token, at in tokens:
        if group == "op" and token in "([":
            depth += 1
        elif group == "op" and token in ")]":
            depth -= 1
        if token in ("{", "}", ";") and depth == 0:
            if token == ";" and begin is not None:
                yield begin, at
            begin = None
        elif begin is None and depth == 0:
            begin = at


def is_dropped(statement):
    if DECLARATION.match(statement) or "{" in statement or len(statement) > 300:
        return False
    call = re.match(r"[A-Za-z_]\w*\s*\(", statement) and statement.endswith(")")
    assigned = re.match(r"[\w.\->\[\]*() +]+?\s*(?:[-+*/|&^]|<<|>>)?=[^=]", statement)
    declared = re.match(r"(?:\w+[ \*]+)+\w+(?:\[[^\]]*\])*\s*=", statement)  # "type name = ..."
    control = re.match(r"(?:if|for|while|else|switch|do)\b", statement)
    return bool((call or assigned) and not declared and not control)


def arguments(text, tokens):
    """Calls whose first two arguments are plain: (start, first, between, second)."""
    starts = {at for _, _, at in tokens}
    for m in re.finditer(r"\b[a-z_]\w*\(([\w.\->]+)(, )([\w.\->]+)(?=[,)])", text):
        first, second = m.group(1), m.group(3)
        if first != second and not re.fullmatch(r"\d.*", first) and m.start(1) in starts:
            yield m.start(1), first, m.group(2), second


def sites_of(file, text):
    tokens = tokens_of(text)
    found = []

    def add(at, old, new, rule):
        found.append(Site(file, at, old, new, rule))

    for k, (group, token, at) in enumerate(tokens):
        before = tokens[k - 1] if k else ("", "", 0)
        binary = before[0] in ("word", "number", "float") or before[1] in (")", "]")
        spaced = text[at - 1:at] == " " and text[at + len(token):at + len(token) + 1] in (" ", "\n")
        if group == "op" and spaced and token in COMPARE:
            add(at, token, COMPARE[token], "compare")
        elif group == "op" and spaced and binary and token in SIGN:
            add(at, token, SIGN[token], "sign")
        elif group == "op" and spaced and token in LOGIC:
            add(at, token, LOGIC[token], "logic")
        elif group == "op" and token == "!" and tokens[k + 1:k + 2] and tokens[k + 1][0] == "word":
            add(at, "!", "", "logic")
        elif group == "number" and not re.match(r"0\d", token):
            value = int(re.sub(r"[uUlL]+$", "", token), 0)
            suffix = re.search(r"[uUlL]*$", token)[0]
            beside = before[1] in ("+", "-") and k > 1 and tokens[k - 2][0] in ("word", "number")
            add(at, token, f"{0 if value == 1 and beside else value + 1}{suffix}", "off-by-one" if beside else "constant")
    for start, end in statements(text, tokens):
        statement = text[start:end]
        if is_dropped(statement):
            add(start, statement, "\n" * statement.count("\n"), "dropped statement")
    for at, first, between, second in arguments(text, tokens):
        add(at, first + between + second, second + between + first, "swapped arguments")
    return found


def all_sites():
    sites = []
    for folder in FOLDERS:
        for path in sorted((PROJECT / folder).iterdir()):
            if path.suffix in SUFFIXES and path.name != "gen_ops.c":  # a program of the build: what it prints is compared
                sites += sites_of(str(path.relative_to(PROJECT)), path.read_text(encoding="utf-8"))
    return sites


def as_mutant(site, text):
    mutant = Mutant(f"op_{pathlib.Path(site.file).name.replace('.', '_')}_{site.start}_{site.rule.replace(' ', '_').replace('-', '_')}", site.rule)
    edit = Edit(site.file, None)
    line_start = text.rfind("\n", 0, site.start) + 1
    line_end = text.find("\n", site.start + len(site.old))
    edit.old = text[line_start:line_end].split("\n")
    edit.new = (text[line_start:site.start] + site.new + text[site.start + len(site.old):line_end]).split("\n")
    edit.place = text[:line_start].count("\n".join(edit.old)) + 1
    mutant.edits = [edit]
    number = text.count("\n", 0, site.start) + 1
    mutant.why = [f"{site.file}:{number}: {site.rule}: {' '.join(site.old.split())!r} -> {' '.join(site.new.split())!r}"]
    return mutant


def draw(seed):
    """All operator mutants in the order of the seed, folders in turn so that a small one is not forgotten."""
    rng = random.Random(seed)
    by_folder = {folder: [] for folder in FOLDERS}
    for site in all_sites():
        by_folder[next(f for f in FOLDERS if site.file.startswith(f + "/"))].append(site)
    for sites in by_folder.values():
        rng.shuffle(sites)
    texts = {}
    while any(by_folder.values()):
        for sites in by_folder.values():
            if sites:
                site = sites.pop()
                text = texts.setdefault(site.file, (PROJECT / site.file).read_text(encoding="utf-8"))
                yield as_mutant(site, text)
