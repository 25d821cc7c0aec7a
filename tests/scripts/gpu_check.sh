#!/bin/sh
# gpu_check.sh PROJECT WORK: scripts/gpu_check.sh with stand-ins for the GPU's tools and for what it builds: what it reports, and
# what it keeps, when all is well, the build fails, no test runs, a bench or a test dies, or time runs out.
set -u
project=$1 work=$2
command -v timeout >/dev/null 2>&1 || {
    echo "timeout is not installed"
    exit 77
}
rm -rf "$work"
mkdir -p "$work/bin"
bad=0

# ---- Stand-ins ----

# program FILE: an executable shell script from standard input.
program() {
    { echo '#!/bin/sh' && cat; } >"$1"
    chmod +x "$1"
}

program "$work/bin/nvidia-smi" <<'EOF'
case $* in
*=name*) echo 'NVIDIA "Fake" X1' ;;
*=compute_cap*) echo 9.0 ;;
*=driver_version*) echo 580.1 ;;
*) echo 'GPU 0: Fake' ;;
esac
EOF
program "$work/bin/nvcc" <<'EOF'
echo 'Cuda compilation tools, release 13.0, V13.0.88'
EOF
# What it "builds" lies ready in $work/made.
program "$work/bin/cmake" <<'EOF'
[ "$1" = --build ] || exit 0
[ "$FAKE" != no-build ] || { echo "error: it does not compile"; exit 2; }
cp -R "$FAKE_MADE"/. "$2"
EOF
program "$work/bin/compute-sanitizer" <<'EOF'
[ "$WEFT_CUBLASLT$WEFT_CUDNN" = nonenone ] || { echo "the libraries are not switched off"; exit 3; }
tool=$2
while [ "${1#-}" != "$1" ]; do
    case $1 in --tool | --report-api-errors | --error-exitcode) shift ;; esac
    shift
done
"$@" || exit
[ "$FAKE" != finding ] || echo "========= Invalid __global__ read of size 4 bytes"
case $FAKE:$tool in slow-sanitizer:memcheck | finding:memcheck) sleep 60 ;; esac
echo "========= ERROR SUMMARY: 0 errors"
EOF
program "$work/bin/python3" <<'EOF'
exit 1
EOF

made=$work/made
mkdir -p "$made/tests" "$made/bench" "$made/tools" "$made/examples" "$made/src" "$work/gtest/include/gtest"
: >"$made/src/libweft_cuda.so"
: >"$work/gtest/include/gtest/gtest.h"
program "$made/tests/weft_gpu_tests" <<'EOF'
echo ran >>"$FAKE_WORK/tests-ran"
[ -e "$WEFT_CUDA_MODULE" ] || { echo "WEFT_CUDA_MODULE=$WEFT_CUDA_MODULE is not there"; exit 1; }
case $* in *GradientTwoWays.matmul*) [ "$WEFT_CUBLASLT$WEFT_CUDNN" = nonenone ] || exit 1 ;; esac
case $FAKE in
skipped)
    echo 'every test is skipped: the module does not fit'
    printf '[ RUN      ] A.B\n[  SKIPPED ] A.B (0 ms)\n'
    exit 0 ;;
no-case) exit 0 ;;
esac
printf '[ RUN      ] A.One\n[       OK ] A.One (1 ms)\n[ RUN      ] A.Two\n[       OK ] A.Two (1 ms)\n[ RUN      ] A.Three\n'
case $FAKE:$* in
slow:*Gradgradcheck* | slow:*Large.\**) sleep 60 ;;
crash:*Large.\**) kill -SEGV $$ ;;
esac
printf '[       OK ] A.Three (1 ms)\n'
EOF
program "$made/bench/bench_ops" <<'EOF'
while [ $# -gt 0 ]; do
    [ "$1" != --json ] || json=$2
    [ "$1" != --only ] || group=$2
    shift
done
echo '{"program": "bench_ops"}' >>"$json"
echo "{\"op\": \"first of $group\", \"seconds\": 1}" >>"$json"
[ "$FAKE:$group" != bench-dies:products ] || { printf '{"op": "torn' >>"$json"; kill -KILL $$; }
echo "{\"op\": \"last of $group\", \"seconds\": 1}" >>"$json"
echo 'softmax forward 80 % of a copy, goal 80: met'
EOF
program "$made/tools/weft" <<'EOF'
case "$1 ${2:-}" in
"info --json") printf '{\n  "gpus": [{"name": "fake"}],\n  "gpu_unused_because": null\n}\n' ;;
"bench --device")
    while [ $# -gt 0 ]; do
        [ "$1" != --html ] || echo '<!doctype html>' >"$2"
        shift
    done
    echo 'Ceilings of cuda'
    [ "$FAKE" != not-measured ] || echo '  gelu f32 on cuda was not measured: a launch failed' ;;
"profile --")
    shift 2
    "$@" || exit
    echo '12 launches on cuda' ;;
esac
EOF
program "$made/examples/digits" <<'EOF'
loss=0.5
[ "$FAKE:$2" != drift:cuda ] || loss=0.6
echo "MLP        2 of 20  loss $loss  test accuracy 90.0 %  0.1 s"
echo "MLP       20 of 20  loss 0.01  test accuracy 98.0 %  1.0 s"
echo "convnet    2 of 20  loss 0.3  test accuracy 92.0 %  0.1 s"
echo "convnet   20 of 20  loss 0.01  test accuracy 99.0 %  1.0 s"
EOF
for example in scalar mlp20 custom_op; do
    program "$made/examples/$example" <<'EOF'
[ "$*" = "--device cuda" ]
EOF
done

# ---- What is expected ----

complain() {
    echo "$scenario: $1"
    bad=1
}

# check SCENARIO STATUS [SECONDS]: runs the script in that world. Its results must be one JSON value.
check() {
    scenario=$1
    results=$work/results-$scenario
    rm -f "$work/tests-ran"
    FAKE=$scenario FAKE_MADE=$made FAKE_WORK=$work CMAKE_PREFIX_PATH=$work/gtest WEFT_GPU_BUILD=$work/build-$scenario \
        WEFT_GPU_SECONDS=${3:-540} WEFT_COMMIT='a "commit"' PATH=$work/bin:$PATH \
        sh "$project/scripts/gpu_check.sh" "$results" >"$work/$scenario.out" 2>&1
    status=$?
    [ $status = "$2" ] || complain "exit status $status, not $2: $(tail -n 25 "$work/$scenario.out")"
    json=$(echo "$results"/*.json)
    real_python=$(PATH=/usr/local/bin:/usr/bin:/bin command -v python3) &&
        { "$real_python" -m json.tool "$json" >/dev/null || complain "$json is no JSON"; }
}

# says TEXT: the results have a line with that, read as a basic regular expression.
says() {
    grep -q "$1" "$json" || complain "the results do not say \"$1\": $(cat "$json")"
}

verdict() {
    says "\"stage\": \"$1\", \"verdict\": \"$2"
}

# ---- Scenarios ----

check fine 0
for stage in environment build device tests own-kernels examples compare tool bench-rows bench-products bench-images \
    bench-attention memcheck racecheck; do
    verdict $stage passed
done
says '"note": "[0-9]* cases passed, 0 failed"'
says '"op": "last of attention"'
says '"info": {'
says '"commit": "a commit"'
grep -q 'softmax forward.*goal 80: met' "$work/fine.out" || complain "the goals are not shown"
grep -q 'doctype' "$results"/*-bench.html || complain "the page of weft bench is not kept"
grep -q 'Ceilings' "$results"/*-bench.txt || complain "the tables of weft bench are not kept"
grep -q '12 launches' "$results"/*-profile.txt || complain "the table of weft profile is not kept"

mkdir -p "$work/build-no-build"
cp -R "$made/." "$work/build-no-build" # of an earlier commit
check no-build 1
verdict build 'failed'
verdict tests 'skipped: the build failed'
verdict bench-rows 'skipped: the build failed'
[ ! -e "$work/tests-ran" ] || complain "tests of an earlier build ran"

check skipped 1
verdict tests 'failed'
verdict memcheck 'failed'
check no-case 1
verdict own-kernels 'failed'

check bench-dies 1
verdict bench-products 'failed'
verdict bench-images passed
says '"op": "first of products"'
says '"op": "last of images"'
! grep -q torn "$json" || complain "half a line is among the results"

check crash 1
verdict own-kernels 'failed'
says '"stage": "own-kernels".*unfinished: A.Three'
verdict memcheck passed

check not-measured 1
verdict tool 'failed'
verdict compare passed

check drift 1
verdict examples 'failed'

check finding 1 8
verdict memcheck 'out of its .*"note": ".*1 findings of the sanitizer'
check slow-sanitizer 0 12
verdict memcheck 'passed as far as it came.*"note": "3 cases passed, 0 failed'

started=$(date +%s)
check slow 1 16
verdict tests 'out of its .*unfinished: A.Three'
verdict own-kernels 'out of its'
verdict bench-rows passed
[ $(($(date +%s) - started)) -le 24 ] || complain "it took longer than it may"

[ $bad = 0 ] && echo "gpu_check: fine"
exit $bad
