#!/bin/sh
# demo.sh: builds Weft and trains on real handwritten digits, in well under a minute. Installs what is missing (Debian).
# The learning curves are written to out/.
set -u
cd "$(dirname "$0")/.." || exit 1
. scripts/lib.sh

need cc=gcc /usr/include/stdio.h=libc6-dev cmake=cmake ninja=ninja-build
say "building with $(jobs) jobs"
cmake --preset release -B build/demo -DWEFT_BUILD_TESTS=OFF -DWEFT_BUILD_BENCH=OFF >/dev/null || die "configuring failed"
cmake --build build/demo -j "$(jobs)" -- --quiet || die "the build failed"

mkdir -p out
say "examples/digits.c: 1,797 handwritten digits of 8 x 8 pixels"
build/demo/examples/digits || die "the example failed"

say "plots and figures"
for file in out/*.svg out/*.png out/*.csv; do
    [ -e "$file" ] && echo "$PWD/$file"
done
if command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L 2>/dev/null | grep -q GPU; then
    echo "This machine has a GPU; this version of Weft computes on the CPU only."
fi
