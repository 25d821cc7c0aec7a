#!/bin/bash
# gpu_check.sh [OUT] - everything that only a machine with an NVIDIA GPU can tell, in one command of at most 9 minutes:
# what is there, a build for this GPU, all tests on it, compute-sanitizer on some, the benches beside PyTorch's where that
# is installed. Results go to OUT (default: bench/results), and stay when a later stage fails or runs out of its time.
#
# The exit status is 0 only if every stage passed. A stage that is not possible here is reported as skipped, with the reason.
set -u
cd "$(dirname "$0")/.." || exit 1
. scripts/lib.sh

out=${1:-bench/results}
build=${WEFT_GPU_BUILD:-build/gpu}
mkdir -p "$out" "$build"
command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L 2>/dev/null | grep -q GPU ||
    die "there is no NVIDIA GPU here (nvidia-smi lists none); scripts/test.sh tests without one"
command -v nvcc >/dev/null 2>&1 || export PATH="$PATH:/usr/local/cuda/bin"
command -v nvcc >/dev/null 2>&1 || die "nvcc is not on the PATH: install the CUDA toolkit, or set PATH"

device=$(nvidia-smi --query-gpu=name --format=csv,noheader -i 0)
capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader -i 0 | tr -d .)
name=$(echo "$device" | tr 'A-Z ' 'a-z-' | tr -cd 'a-z0-9-')
work=$out/$name-$(date +%Y-%m-%d)
commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
[ -z "$(git status --porcelain --untracked-files=no 2>/dev/null)" ] || commit=$commit-changed
rows=

# stage NAME SECONDS COMMAND...: runs it under its own limit; its output goes to a file and, if it fails, to the terminal.
stage() {
    title=$1 limit=$2
    shift 2
    log=$build/$(echo "$title" | tr ' ' '-').log
    begin=$(date +%s)
    timeout -k 5 "$limit" "$@" >"$log" 2>&1
    status=$?
    case $status in
    0) verdict=passed ;;
    77) verdict="skipped: $(tail -n 1 "$log")" ;;
    124 | 137) verdict="out of its $limit s" ;;
    *) verdict="failed ($status)" ;;
    esac
    rows="$rows$title|$verdict|$(($(date +%s) - begin)) s
"
    say "$title: $verdict"
    [ "$verdict" = passed ] || tail -n 40 "$log"
    write_summary
}

# After each stage, so that a later end loses nothing.
write_summary() {
    {
        printf '{"commit": "%s", "device": "%s", "driver": "%s", "nvcc": "%s", "date": "%s", "stages": [' "$commit" "$device" \
            "$(nvidia-smi --query-gpu=driver_version --format=csv,noheader -i 0)" \
            "$(nvcc --version | sed -n 's/.*release \([0-9.]*\).*/\1/p')" "$(date -u +%Y-%m-%dT%H:%MZ)"
        separator=
        printf '%s' "$rows" | while IFS='|' read -r a b c; do
            printf '%s\n  {"stage": "%s", "verdict": "%s", "time": "%s"}' "$separator" "$a" \
                "$(printf '%s' "$b" | tr -d '"\\')" "$c"
            separator=,
        done
        printf ']'
        for part in ops torch; do
            file=$build/bench_$part.json
            [ -s "$file" ] && python3 -m json.tool "$file" >/dev/null 2>&1 && printf ',\n"%s": %s' "$part" "$(cat "$file")"
        done
        printf '}\n'
    } >"$work.json"
}

configure_and_build() {
    cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DWEFT_CUDA=ON -DWEFT_CUDA_ARCHS="$capability" \
        -DWEFT_BUILD_EMULATOR=OFF && cmake --build "$build" -j "$(jobs)"
}

# A subset of small cases under one tool of compute-sanitizer.
sanitize() {
    command -v compute-sanitizer >/dev/null 2>&1 || { echo "compute-sanitizer is not installed"; return 77; }
    WEFT_TEST_DEVICE=cuda WEFT_CUDA_MODULE=$PWD/$build/src/libweft_cuda.so compute-sanitizer --tool "$1" --error-exitcode 9 \
        --kernel-name-exclude kns=cudnn --kernel-name-exclude kns=cutlass "$build/tests/weft_gpu_tests" --gtest_brief=1 \
        --gtest_filter="$2"
}

torch_bench() {
    python3 -c 'import torch; torch.cuda.init()' 2>/dev/null || { echo "PyTorch with CUDA is not installed"; return 77; }
    python3 bench/torch_ops.py --json "$build/bench_torch.json"
}

export -f configure_and_build sanitize torch_bench jobs
export build capability
rm -f "$build"/bench_*.json
stage "environment" 10 sh -c 'nvidia-smi; nvcc --version; ls /usr/local/cuda/lib64 | grep -E "cublasLt|cudnn|nvrtc"'
stage "build" 200 bash -c configure_and_build
export WEFT_CUDA_MODULE=$PWD/$build/src/libweft_cuda.so
stage "tests" 120 ctest --test-dir "$build" -L gpu --output-on-failure -j 2
stage "memcheck" 45 bash -c 'sanitize memcheck "Golden.softmax/f32:Golden.matmul/f32:Golden.conv2d/f32:Golden.index_add/f32:Golden.add/f32:Golden.sum/f32:DeviceCopy.T*"'
stage "racecheck" 45 bash -c 'sanitize racecheck "Golden.softmax/f32:Golden.index_add/f32:Golden.sum/f32:Golden.layer_norm/f32"'
stage "bench_ops" 70 "$build/bench/bench_ops" --device cuda --rounds 7 --json "$build/bench_ops.json"
stage "torch" 45 bash -c torch_bench

say "$device, commit $commit"
printf '%s' "$rows" | while IFS='|' read -r a b c; do printf '%-14s %-8s %s\n' "$a" "$c" "$b"; done
[ -s "$build/bench_ops.log" ] && sed -n '3,$p' "$build/bench_ops.log"
echo "results: $work.json"
printf '%s' "$rows" | grep -qE '\|(failed|out of)' && exit 1
exit 0
