#!/bin/sh
# coverage.sh: which lines and branches of src/ and kernels/ the release suite runs: a table by folder, and in
# build/coverage/uncovered.txt the lines that no test reaches. Builds everything anew for gcov in build/coverage; the
# kernels run on the emulator where NVIDIA's headers are found. Takes half an hour of two cores. Not part of the tests.
#
#   sh scripts/coverage.sh           builds, runs the tests, reports
#   sh scripts/coverage.sh report    reports once more
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh
need cc=gcc c++=g++ cmake=cmake ninja=ninja-build /usr/include/gtest/gtest.h=libgtest-dev python3=python3 gcovr=gcovr

folder=build/coverage
if [ "${1:-}" != report ]; then
    headers=
    [ ! -d build/cuda-headers ] || headers=-DWEFT_CUDA_HEADERS=$PWD/build/cuda-headers
    say "building with $(jobs) jobs"
    # Little is inlined or merged at -O1, so that lines keep counts of their own.
    # shellcheck disable=SC2086 # one word or none
    cmake -G Ninja -B $folder -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS_RELEASE="-O1 -DNDEBUG" \
        -DCMAKE_CXX_FLAGS_RELEASE="-O1 -DNDEBUG" -DWEFT_COVERAGE=ON -DWEFT_CUDA=OFF -DWEFT_BUILD_BENCH=OFF $headers >/dev/null
    cmake --build $folder -j "$(jobs)" -- --quiet
    find $folder -name '*.gcda' -delete
    say "testing"
    # A test that fails here and not in the release build takes longer than it may, or looks at symbols.
    # The access checker would look at the counts, so that it has none: its flavour of the emulator adds nothing.
    ctest --test-dir $folder -j "$(jobs)" -LE 'house|gpu|cudnn' -E _checked --timeout 3000 >$folder/test.log 2>&1 ||
        { tail -n 20 $folder/test.log; say "some tests failed: what only they run counts as not covered"; }
    tail -n 1 $folder/test.log
fi
say "reading the counts"
# In folders of objects that are counted; tests have none. Two threads that count at once may leave a count below zero.
objects=$(find $folder -name '*.gcda' -printf '%h\n' | sort -u)
# shellcheck disable=SC2086 # a list of words
gcovr --root . --object-directory $folder --filter 'src/' --filter 'kernels/' --exclude 'src/ops/gen_ops.c' \
    --gcov-ignore-parse-errors --exclude-throw-branches -j "$(jobs)" --json $folder/counts.json --txt $folder/uncovered.txt \
    $objects >$folder/gcovr.log 2>&1 || { tail -n 5 $folder/gcovr.log; die "gcovr could not read the counts"; }
python3 tests/coverage/folders.py $folder/counts.json
echo "lines that no test reaches: $folder/uncovered.txt"
