#!/bin/sh
# gpu_stages.sh STAGE - one stage of gpu_check.sh, which sets build (an absolute path), capability, STAGE_LOG (where this
# output goes) and the paths of libraries, and sees to the time. Exit status 77: not possible here, with the reason last.
set -u
. scripts/lib.sh
: "${build:?}" "${capability:?}" "${STAGE_LOG:?}"
tests=$build/tests/weft_gpu_tests
export WEFT_TEST_DEVICE=cuda

stage_environment() {
    nvidia-smi
    nvcc --version
    for variable in WEFT_CUBLASLT WEFT_CUDNN WEFT_CUFFT WEFT_CUSOLVER WEFT_NVRTC LD_LIBRARY_PATH; do
        eval "echo $variable=\${$variable:-}"
    done
    { ldconfig -p 2>/dev/null || /sbin/ldconfig -p 2>/dev/null; } | grep -E 'cublasLt|cudnn[.]|cufft[.]|cusolver[.]|nvrtc[.]'
    ls -d /usr/local/cuda/lib64/libcublasLt.so.* /usr/local/cuda/lib64/libcudnn.so.* \
        /usr/local/cuda/lib64/libcufft.so.* /usr/local/cuda/lib64/libcusolver.so.* 2>/dev/null
    return 0 # what is missing is told by the device stage
}

# GoogleTest, installed or from its sources; sets options for cmake.
find_googletest() {
    for folder in /usr /usr/local "${GTest_ROOT:-/usr}" "${CMAKE_PREFIX_PATH:-/usr}"; do
        [ -e "$folder/include/gtest/gtest.h" ] && return 0
    done
    source=${WEFT_GTEST_SOURCE:-/usr/src/googletest}
    [ -e "$source/CMakeLists.txt" ] || return 1
    cmake -S "$source" -B "$build/googletest" -DBUILD_GMOCK=OFF -DCMAKE_BUILD_TYPE=Release \
        -DCMAKE_INSTALL_PREFIX="$build/googletest/installed" &&
        cmake --build "$build/googletest" -j "$(jobs)" --target install || return 1
    export CMAKE_PREFIX_PATH="$build/googletest/installed"
}

stage_build() {
    targets="weft_cuda weft_tool bench_ops example_digits example_scalar example_mlp20 example_custom_op"
    with_tests=ON
    find_googletest || with_tests=OFF
    [ $with_tests = OFF ] || targets="$targets weft_gpu_tests"
    [ $with_tests = ON ] || echo "GoogleTest is neither installed nor at WEFT_GTEST_SOURCE: the tests are not built"
    command -v ninja >/dev/null 2>&1 && export CMAKE_GENERATOR=Ninja
    rm -f "$tests"
    # shellcheck disable=SC2086 # a list of words
    cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DWEFT_CUDA=ON -DWEFT_CUDA_ARCHS="$capability" \
        -DWEFT_BUILD_EMULATOR=OFF -DWEFT_BUILD_TESTS=$with_tests -DWEFT_BUILD_BENCH=ON -DWEFT_BUILD_EXAMPLES=ON \
        -DWEFT_BUILD_TOOLS=ON && cmake --build "$build" -j "$(jobs)" --target $targets
}

# The device and the libraries as weft sees them, also for the results.
stage_device() {
    "$build/tools/weft" info
    "$build/tools/weft" info --json >"$build/info.part" || return 1
    mv "$build/info.part" "$build/info.json"
    cat "$build/info.json"
    grep -q '"gpu_unused_because": null' "$build/info.json"
}

# ---- Tests ----

# judge STATUS: of cases whose output is in this stage's log. None that ran is no success.
judge() {
    if grep -q '^every test is skipped: ' "$STAGE_LOG"; then
        echo "every test was skipped: that is no success"
        return 1
    fi
    grep -q '^\[       OK \]' "$STAGE_LOG" || {
        echo "no case passed"
        return 1
    }
    return "$1"
}

# The cases of a filter in several processes at a time.
run_cases() {
    [ -x "$tests" ] || {
        echo "the tests are not built: GoogleTest is not there"
        return 1
    }
    shards=$(jobs)
    [ "$shards" -le 4 ] || shards=4
    pids=''
    failures=0
    shard=0
    while [ $shard -lt "$shards" ]; do
        GTEST_TOTAL_SHARDS=$shards GTEST_SHARD_INDEX=$shard "$tests" --gtest_color=no --gtest_filter="$1" &
        pids="$pids $!"
        shard=$((shard + 1))
    done
    for pid in $pids; do
        wait "$pid" || failures=1
    done
    judge $failures
}

# What fills the device's memory runs alone. Finite differences last: they take longest, and check formulas that the CPU's
# tests check too.
stage_tests() {
    run_cases '-Gradcheck.*:Gradgradcheck.*:GpuMemory.*'
    first=$?
    (
        export WEFT_CUFFT_FROM=1 WEFT_CUSOLVER_FROM=1 # what our kernels do at these sizes otherwise
        maths="DeviceFft.*:DeviceLinalg.*"
        for op in fft ifft rfft irfft cholesky triangular_solve solve inverse det slogdet qr eigh svd pinv; do
            maths="$maths:Golden.$op/*:Gradient.$op/*"
        done
        run_cases "$maths"
    ) || first=1
    WEFT_TEST_FILL=1 "$tests" --gtest_color=no --gtest_filter='GpuMemory.*' || first=1
    run_cases 'Gradcheck.*:Gradgradcheck.*' && return $first
}

without_libraries() {
    export WEFT_CUBLASLT=none WEFT_CUDNN=none WEFT_CUFFT=none WEFT_CUSOLVER=none
}

# What NVIDIA's libraries do where they are there, by our kernels.
stage_own_kernels() {
    without_libraries
    filter="Large.*:DeviceMatmul.*:DeviceLinear.*:DeviceConv.*:DeviceAttention.*:DeviceRows.BatchNorm:DeviceFft.*:Gpu.*"
    for op in matmul linear conv attention batch_norm; do
        filter="$filter:Golden.$op*:Gradient.$op*:GradientTwoWays.$op*"
    done
    run_cases "$filter"
}

# First what reaches most: radix sort, rows as long as a block, products of several tiles with their asynchronous copies,
# attention, optimiser steps; then as much of the rest as time allows.
stage_sanitizer() {
    command -v compute-sanitizer >/dev/null 2>&1 || {
        echo "compute-sanitizer is not installed"
        return 77
    }
    [ -x "$tests" ] || {
        echo "the tests are not built: GoogleTest is not there"
        return 1
    }
    without_libraries
    first=DeviceScatter.AddsRows:DeviceScatter.Scatters:DeviceRows.SoftmaxOfRows:DeviceRows.LayerNorm
    first=$first:DeviceRows.CrossEntropy:DeviceRows.BatchNorm:DeviceReduce.Sums:DeviceReduce.FindsOneAmongMany
    first="$first:DeviceMatmul.LayoutsOfSeveralTiles:DeviceMatmul.LargeTiles:DeviceAttention.*:DeviceConv.EveryTile"
    first="$first:DeviceSteps.*_step"
    failures=0
    for filter in "$first" "Device*:Golden.*/f32:Golden.*/bf16-$first"; do
        compute-sanitizer --tool "$1" --error-exitcode 9 --report-api-errors no "$tests" --gtest_color=no \
            --gtest_filter="$filter" || failures=1
    done
    judge $failures
}

# ---- Examples, and the command that compares ----

# The last line that digits prints for a model, as its accuracy; or of an early epoch, as its loss.
accuracy_of() {
    sed -n "s/^$1 .*test accuracy \([0-9.]*\) %.*/\1/p" "$2" | tail -n 1
}

first_loss_of() {
    sed -n "s/^$1 .* loss \([0-9.]*\) .*/\1/p" "$2" | head -n 1
}

# agree WHAT A B MOST: two numbers that may differ by so much.
agree() {
    echo "$1: cpu ${2:-none}, cuda ${3:-none}"
    awk -v a="${2:-x}" -v b="${3:-y}" -v most="$4" 'BEGIN { exit !(a + 0 > 0 && b + 0 > 0 && a - b <= most && b - a <= most) }' ||
        { echo "that is too far apart"; return 1; }
}

stage_examples() {
    failures=0
    for on in cuda cpu; do
        mkdir -p "$build/digits-$on"
        "$build/examples/digits" --device $on --out "$build/digits-$on" >"$build/digits-$on.log" 2>&1 || failures=1
        cat "$build/digits-$on.log"
    done
    for model in MLP convnet; do
        agree "$model, loss of the first epochs" "$(first_loss_of $model "$build/digits-cpu.log")" \
            "$(first_loss_of $model "$build/digits-cuda.log")" 0.02 || failures=1
        agree "$model, accuracy in percent" "$(accuracy_of $model "$build/digits-cpu.log")" \
            "$(accuracy_of $model "$build/digits-cuda.log")" 1.5 || failures=1
    done
    for example in scalar mlp20 custom_op; do
        echo "$example --device cuda"
        "$build/examples/$example" --device cuda || failures=1
    done
    return $failures
}

stage_compare() {
    failures=0
    "$build/tools/weft" compare lockstep lenet --other cuda --steps 2 || failures=1
    "$build/tools/weft" compare lockstep gpt2-tiny --other cuda --steps 1 || failures=1
    "$build/tools/weft" compare ops all --other cuda --all || failures=1
    return $failures
}

# What `weft bench` and `weft profile` show on a GPU: ceilings beside what the device's clocks allow, operations and models
# against them, where a training step's time goes.
stage_tool() {
    weft=$build/tools/weft
    failures=0
    "$weft" bench --device cuda --dtype f32,bf16 --samples 5 --html "$build/tool-bench.html" \
        >"$build/tool-bench.txt" 2>&1 || failures=1
    cat "$build/tool-bench.txt"
    grep -q 'was not measured' "$build/tool-bench.txt" && failures=1
    mkdir -p "$build/digits-profile"
    "$weft" profile -- "$build/examples/digits" --device cuda --epochs 2 --out "$build/digits-profile" \
        >"$build/tool-profile.txt" 2>&1 || failures=1
    cat "$build/tool-profile.txt"
    grep -q 'launches on cuda' "$build/tool-profile.txt" || failures=1
    return $failures
}

# ---- Benches ----

stage_bench() {
    torch=
    python3 -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("torch") is None)' 2>/dev/null &&
        torch='python3 bench/torch_ops.py'
    set -- --device cuda --rounds 7 --only "$1" --json "$build/bench-$1.json"
    "$build/bench/bench_ops" "$@" ${torch:+--torch "$torch"}
}

case $1 in
environment) stage_environment ;;
build) stage_build ;;
device) stage_device ;;
tests) stage_tests ;;
own-kernels) stage_own_kernels ;;
memcheck | racecheck) stage_sanitizer "$1" ;;
examples) stage_examples ;;
compare) stage_compare ;;
tool) stage_tool ;;
bench-*) stage_bench "${1#bench-}" ;;
*) die "no stage is called $1" ;;
esac
