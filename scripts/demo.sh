#!/bin/sh
# demo.sh: builds Weft and trains on real handwritten digits, in well under a minute; on a GPU too, if there is one. Installs
# what is missing (Debian).
# The learning curves are written to out/.
set -u
cd "$(dirname "$0")/.." || exit 1
. scripts/lib.sh

need cc=gcc /usr/include/stdio.h=libc6-dev cmake=cmake ninja=ninja-build
# The CUDA module takes minutes to build: only where there is a GPU to run it on.
cuda=OFF
if command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L 2>/dev/null | grep -q GPU; then
    cuda=AUTO
fi

say "building with $(jobs) jobs"
cmake --preset release -B build/demo -DWEFT_BUILD_TESTS=OFF -DWEFT_BUILD_BENCH=OFF -DWEFT_CUDA=$cuda >/dev/null ||
    die "configuring failed"
cmake --build build/demo -j "$(jobs)" -- --quiet || die "the build failed"

mkdir -p out
say "examples/digits.c: 1,797 handwritten digits of 8 x 8 pixels"
build/demo/examples/digits || die "the example failed"
if [ -e build/demo/src/libweft_cuda.so ]; then
    say "the same program on the GPU"
    build/demo/examples/digits --device cuda --out out/cuda || die "the example failed on the GPU"
elif [ $cuda = AUTO ]; then
    echo "This machine has a GPU, but no CUDA toolkit (nvcc) to build Weft's CUDA module with."
fi

say "plots and figures"
for file in out/*.svg out/*.png out/*.csv out/cuda/*.svg; do
    [ -e "$file" ] && echo "$PWD/$file"
done
exit 0
