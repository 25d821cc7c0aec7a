#!/bin/sh
# test.sh: builds Weft and runs its tests: everything in release, then part of it under AddressSanitizer with
# UndefinedBehaviorSanitizer, and the threaded part under ThreadSanitizer. Installs what is missing (Debian). The exit
# status is 0 only if all passed.
#
#   sh scripts/test.sh            all of it
#   sh scripts/test.sh release    one or two of release, asan, tsan
set -u
cd "$(dirname "$0")/.." || exit 1
. scripts/lib.sh

need cc=gcc c++=g++ /usr/include/stdio.h=libc6-dev cmake=cmake ninja=ninja-build nm=binutils \
    /usr/include/gtest/gtest.h=libgtest-dev pkg-config=pkg-config clang-format=clang-format python3=python3 \
    tmux=tmux mandoc=mandoc
want 60 chromium chromium chromium-browser google-chrome # for a look at the page of `weft bench --html`

# The CUDA code is tested without a GPU, but not without NVIDIA's public headers.
cuda_headers=
cuda_note=
if [ ! -e "${CUDA_HOME:-/usr/local/cuda}/include/cuda_runtime_api.h" ]; then
    need bash=bash python3=python3 pip3=python3-pip
    say "fetching NVIDIA's public headers"
    if bash scripts/fetch_cuda_headers.sh build/cuda-headers; then
        cuda_headers=-DWEFT_CUDA_HEADERS=$PWD/build/cuda-headers
    else
        cuda_note="The emulated CUDA tests were NOT run: there is no CUDA toolkit, and its headers could not be fetched.
"
    fi
fi

# GoogleTest filters of the sanitized runs: what they are good at, in bounded time.
asan_tests='*'
tsan_tests='PoolYields.*:EngineYields.*:PoolPortable.*:Pool.*:Threads.*:Share.*:Isa.*:Ctx.*:Optim.*:Backward.*:Embed.*'

failed=
summary=

# run PRESET COMMAND...: runs COMMAND (ctest with its options) and keeps its summary line.
run() {
    preset=$1
    shift
    say "$preset: testing"
    log=build/$preset/test.log
    "$@" --preset "$preset" -j "$(jobs)" >"$log" 2>&1
    status=$?
    cat "$log"
    line=$(grep 'tests passed,' "$log" | tail -n 1)
    cases=$(awk '/\[  PASSED  \]/ { n += $4 } END { print n + 0 }' "build/$preset/Testing/Temporary/LastTest.log")
    summary="$summary$preset: ${line:-no tests ran}; $cases cases
"
    total=$((total + cases))
    skipped=$(sed -n 's/^.*- \([^ ]*\) (Skipped).*$/\1/p' "$log" | tr '\n' ' ')
    [ -z "$skipped" ] || summary="$summary  skipped: ${skipped}(build/$preset/Testing/Temporary/LastTest.log says why)
"
    [ $status = 0 ] && [ "$cases" -gt 0 ] || failed="$failed $preset"
}

[ $# -gt 0 ] || set -- release asan tsan
for preset in "$@"; do
    case $preset in
    release | asan | tsan) ;;
    *) die "unknown: $preset (release, asan, tsan)" ;;
    esac
done

total=0
for preset in "$@"; do
    # shellcheck disable=SC2086 # one word or none
    if ! build "$preset" $cuda_headers; then
        failed="$failed $preset"
        summary="$summary$preset: the build failed
"
        continue
    fi
    case $preset in
    release) run release ctest ;;
    asan)
        run asan env GTEST_FILTER="$asan_tests" ASAN_OPTIONS=allocator_may_return_null=1 \
            UBSAN_OPTIONS=print_stacktrace=1 ctest -LE house
        ;;
    tsan)
        # ThreadSanitizer of gcc 12 cannot place its shadow where addresses are randomised by more than 28 bits.
        fixed=
        setarch "$(uname -m)" -R true 2>/dev/null && fixed="setarch $(uname -m) -R"
        # shellcheck disable=SC2086 # words
        run tsan $fixed env GTEST_FILTER="$tsan_tests" TSAN_OPTIONS=halt_on_error=1 ctest -L 'unit|api'
        ;;
    esac
done

say "summary"
printf '%s' "$summary$cuda_note"
if [ -n "$failed" ]; then
    echo "FAILED:$failed"
    exit 1
fi
echo "$total tests passed"
