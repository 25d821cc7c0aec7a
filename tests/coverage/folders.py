"""Sums up gcovr's JSON by folder: folders.py COUNTS.json. See scripts/coverage.sh."""
import collections
import json
import os
import sys


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        files = json.load(file)["files"]
    sums = collections.defaultdict(lambda: [0, 0, 0, 0])
    for entry in files:
        for row in (os.path.dirname(entry["file"]), entry["file"].split("/")[0] + ", all"):
            count = sums[row]
            for line in entry["lines"]:
                if line.get("gcovr/noncode"):
                    continue
                count[0] += 1
                count[1] += line["count"] > 0
                count[2] += len(line["branches"])
                count[3] += sum(branch["count"] > 0 for branch in line["branches"])
    print("\n| folder | lines | run | | branches | taken | |\n|---|---|---|---|---|---|---|")
    for row, (lines, run, branches, taken) in sorted(sums.items()):
        print(f"| {row} | {lines} | {run} | {100 * run / max(1, lines):.1f} % | {branches} | {taken} | {100 * taken / max(1, branches):.1f} % |")


main()
