#!/usr/bin/python3
"""Mutation testing: see scripts/mutate.sh."""
import argparse
import collections
import hashlib
import json
import queue
import sys
import threading
import time

import mutants as lists
import operators
from trees import SUITES, Tree, near_filter, suites_of

FOLDER = lists.PROJECT / "build" / "mutants"
RESULTS = FOLDER / "results.jsonl"
FOUND = ("caught", "timeout", "not built")


def key_of(texts):
    """The same mutant of the same files need not be tried twice, unless it passed and more suites are to be asked now."""
    digest = hashlib.sha256()
    for file, text in sorted(texts.items()):
        digest.update(file.encode() + b"\0" + (lists.PROJECT / file).read_bytes() + b"\0" + text.encode() + b"\0")
    return digest.hexdigest()[:16]


def asked(mutant, near):
    """The suites of a mutant as a result has them: of a wide one that was asked only what is near, so marked."""
    names = [name for names in rounds_of(mutant, near) for name in names]
    return [name + "~near" if near and SUITES[name].wide else name for name in names]


def is_settled(result, mutant, near):
    if result["outcome"] != "survived":
        return True
    return all(name in result["asked"] or name.removesuffix("~near") in result["asked"] for name in asked(mutant, near))


def read_results():
    results = {}
    if RESULTS.is_file():
        for line in RESULTS.read_text(encoding="utf-8").splitlines():
            result = json.loads(line)
            results[result["key"]] = result
    return results


QUICK = ("unit", "api")  # the suites that all mutants are shown to before the others are asked
LAST = ("table",)  # and those that take minutes, asked last about what the quick ones have seen


def rounds_of(mutant, near):
    """The suites of a mutant, in the rounds in which they are asked: no round 1 before all have been in round 0. near: no more
    than the quick ones, where there are."""
    suites = suites_of(mutant)
    quick = [name for name in suites if name in QUICK]
    if near and quick:
        return quick, [], []
    last = [name for name in suites if name in LAST] if quick else []
    return quick, [name for name in suites if name not in quick + last], last


def judge(tree, mutant, texts, drawn, suites, changed, near):
    """What became of one mutant in a tree: (outcome, suite, test, seconds), and whether it makes a program another one.
    changed: it is known to."""
    started = time.monotonic()
    try:
        tree.put(texts)
        for name in suites:  # those that are rarely needed are built when a mutant gets so far
            suite = SUITES[name]
            if name not in tree.seconds:
                tree.restore(texts)
                tree.prepare(name, near)
                tree.put(texts)
            status, text, _ = tree.build(suite, 1800)
            if status != 0:
                return ("not built", name, next((line.strip() for line in text.splitlines() if "error: " in line), "")[:200], time.monotonic() - started), changed
            code = tree.code_of(suite)
            if code is not None and code == tree.code[name]:
                continue  # nothing of this program has changed
            changed = True
            verdict, test, _ = tree.ask(name, near_filter(mutant.files()), near)
            if verdict != "passed":
                return ("timeout" if verdict == "timeout" else "caught", name, test, time.monotonic() - started), changed
        return ("survived" if changed or not drawn else "same code", "", "", time.monotonic() - started), changed
    finally:
        tree.restore(texts)


class Run:

    def __init__(self, options):
        self.options = options
        self.results = read_results()
        self.lock = threading.Lock()
        self.end = time.monotonic() + options.time if options.time else None

    def record(self, mutant, key, outcome):
        how, suite, test, seconds = outcome
        result = {"key": key, "name": mutant.name, "kind": mutant.kind, "outcome": how, "suite": suite, "test": test, "seconds": round(seconds, 1),
                  "why": " ".join(mutant.why), "asked": asked(mutant, self.options.near)}
        with self.lock:
            self.results[key] = result
            with open(RESULTS, "a", encoding="utf-8") as file:
                file.write(json.dumps(result) + "\n")
            print(f"{how:9} {mutant.name:44} {seconds:5.0f} s  {suite} {test}", flush=True)

    def counts(self, how):
        """Of what is drawn, only what makes other code counts."""
        return not self.drawn or how not in ("same code", "not built")

    def take(self):
        """Puts the next mutant into the queue; of those that are known, the first that does not count leads to another."""
        for mutant in self.candidates:
            try:
                texts = mutant.texts()
            except lists.Stale as problem:
                sys.exit(f"{mutant.name}: {problem}")
            key = key_of(texts)
            if key in self.keys:
                continue
            self.keys[key] = None
            known = key in self.results and is_settled(self.results[key], mutant, self.options.near)
            if not known or self.options.again:
                self.todo.put((0, len(self.keys), mutant, texts, key, False, 0.0))
                return
            if self.counts(self.results[key]["outcome"]):
                return

    def work(self, tree):
        """Takes from the queue what comes first: (round, number, mutant, texts, key, changed, seconds). Who passes a round
        comes again in the next one."""
        try:
            while not (self.end and time.monotonic() > self.end):
                try:
                    now, number, mutant, texts, key, changed, before = self.todo.get_nowait()
                except queue.Empty:
                    return
                rounds = rounds_of(mutant, self.options.near)
                outcome, changed = judge(tree, mutant, texts, self.drawn, rounds[now], changed, self.options.near)
                outcome = (*outcome[:3], outcome[3] + before)
                later = next((k for k in range(now + 1, len(rounds)) if rounds[k]), None)
                passed = outcome[0] == "survived" or (outcome[0] == "same code" and not rounds[0])  # the unit tests hold all of src
                if passed and later is not None:
                    self.todo.put((later, number, mutant, texts, key, changed, outcome[3]))
                    continue
                self.record(mutant, key, outcome)
                if not self.counts(outcome[0]):
                    with self.lock:
                        self.take()
        except BaseException as problem:  # a thread's end must be seen
            self.problem = problem
            raise

    def start(self, chosen, drawn, wanted):
        """Tries the first mutants until as many as wanted are judged that count."""
        self.problem = None
        self.drawn, self.candidates, self.keys, self.todo = drawn, iter(chosen), {}, queue.PriorityQueue()
        for _ in range(wanted):
            self.take()
        trees = []
        for number in range(self.options.jobs):
            tree = Tree(FOLDER / str(number))
            tree.fill()
            trees.append(tree)
        threads = [threading.Thread(target=self.work, args=(tree,), daemon=True) for tree in trees]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.problem:
            sys.exit(f"stopped: {self.problem}")
        return [self.results[key] for key in self.keys if key in self.results]


REASONS = {}  # why nobody can notice a mutant, by its name


def with_reasons(drawn, found):
    """The mutants that are drawn. What one of them does may be in the lists, with the reason why no test can notice it."""
    known = {frozenset(mutant.texts().items()): mutant.equivalent for mutant in found if mutant.equivalent}
    for mutant in drawn:
        reason = known.get(frozenset(mutant.texts().items()))
        if reason:
            REASONS[mutant.name] = reason
        yield mutant


def table(results, listed):
    explained = {mutant.name: mutant.equivalent for mutant in lists.read_all() if mutant.equivalent} | REASONS
    by_kind = collections.defaultdict(list)
    for result in results:
        if listed or result["outcome"] not in ("same code", "not built"):
            by_kind[result["kind"]].append(result)
    rows = [(kind, len(found), sum(r["outcome"] in FOUND for r in found)) for kind, found in sorted(by_kind.items())]
    rows.append(("all", sum(row[1] for row in rows), sum(row[2] for row in rows)))
    print("\n| kind | mutants | caught | |\n|---|---|---|---|")
    for kind, count, caught in rows:
        print(f"| {kind} | {count} | {caught} | {100 * caught / count if count else 0:.0f} % |")
    suites = collections.Counter(r["suite"] for found in by_kind.values() for r in found if r["outcome"] in FOUND)
    print("\ncaught by: " + ", ".join(f"{suite} {count}" for suite, count in suites.most_common()))
    for result in (r for found in by_kind.values() for r in found):
        if result["outcome"] == "survived":
            print(f"survived: {result['name']}: {explained.get(result['name']) or result['why']}")
    return rows[-1][1:]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["check", "listed", "drawn", "sample"], help="check: only see that the lists fit the sources; listed: the lists; drawn: "
                        "--count operator mutants by --seed; sample: 10 of each, in a quarter of an hour")
    parser.add_argument("names", nargs="*", help="with listed: only mutants or kinds that begin so")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--time", type=float, help="seconds after which no new mutant is begun")
    parser.add_argument("--near", action="store_true", help="only the quick suites, or of the emulated table the tests near a mutant: what passes "
                        "counts as survived, so that the share of those caught is at least what is printed")
    parser.add_argument("--again", action="store_true", help="those too whose result is known")
    parser.add_argument("--least", type=float, help="exit status 1 if less than so many percent are caught")
    options = parser.parse_args()
    found = lists.read_all()
    if options.what == "check":
        for mutant in found:
            try:
                mutant.texts()
            except lists.Stale as problem:
                sys.exit(f"{mutant.name}: {problem}\nThe sources have changed: mend the mutant in tests/mutants/{mutant.kind}.mut.")
        print(f"mutants: {len(found)} fit the sources")
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    run = Run(options)
    if options.what == "listed":
        chosen = [m for m in found if not m.equivalent and (not options.names or any(m.name.startswith(n) or m.kind.startswith(n) for n in options.names))]
        total = table(run.start(chosen, False, len(chosen)), True)
    elif options.what == "drawn":
        total = table(run.start(with_reasons(operators.draw(options.seed), found), True, options.count), False)
    else:
        run.options.again = True
        planted = [m for m in found if not m.equivalent]
        step = max(1, len(planted) // 10)
        first = run.start(planted[options.seed % step::step][:10], False, 10)
        second = run.start(with_reasons(operators.draw(options.seed), found), True, 10)
        total = table(first + [r for r in second if r["outcome"] not in ("same code", "not built")], True)
    if options.least is not None and 100 * total[1] < options.least * total[0]:
        sys.exit(f"less than {options.least:g} % are caught")


if __name__ == "__main__":
    main()
