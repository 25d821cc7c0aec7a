#!/usr/bin/env python3
"""Writes digits.csv beside this script from scikit-learn's copy of the data (pip install scikit-learn)."""
from pathlib import Path

from sklearn.datasets import load_digits

digits = load_digits()
names = [f"p{row}{column}" for row in range(8) for column in range(8)] + ["digit"]
lines = [",".join(names)]
for pixels, digit in zip(digits.data, digits.target):
    lines.append(",".join(str(int(value)) for value in [*pixels, digit]))
target = Path(__file__).with_name("digits.csv")
target.write_text("\n".join(lines) + "\n", encoding="ascii")
print(f"{target}: {len(digits.target)} images")
