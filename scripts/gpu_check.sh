#!/bin/sh
# gpu_check.sh [OUT] - everything that only a machine with an NVIDIA GPU can tell, in one command of at most 9 minutes:
# what is there, a build for this GPU, all tests on it, our own kernels once more without NVIDIA's libraries, the examples
# and `weft compare`, `weft bench` and `weft profile`, the benches beside cuBLASLt, cuDNN and PyTorch, compute-sanitizer. gpu_stages.sh has the stages.
#
# The results go to OUT (default: bench/results) as <device>-<date>.json, with the output of the stages beside it in a .log,
# the page and tables of `weft bench` in -bench.html and -bench.txt, those of `weft profile` in -profile.txt.
# Both are written anew after each stage, so that they stay whatever becomes of a later one. A stage may use what earlier
# ones left of their time. The exit status is 0 only if none failed; what is not possible here is skipped, with the reason.
#
#   WEFT_GPU_BUILD    folder to build in (default: build/gpu)
#   WEFT_GPU_SECONDS  the time for everything (default: 540); the stages' shares keep their proportions
#   WEFT_GTEST_SOURCE GoogleTest's sources, where it is not installed (default: /usr/src/googletest)
#   WEFT_COMMIT       what is tested, for the results; default: as git says
set -u
cd "$(dirname "$0")/.." || exit 1
. scripts/lib.sh

out=${1:-bench/results}
build=${WEFT_GPU_BUILD:-build/gpu}
case $build in /*) ;; *) build=$PWD/$build ;; esac
mkdir -p "$out" "$build" || die "$out or $build cannot be made"
nvidia-smi -L 2>/dev/null | grep -q GPU ||
    die "there is no NVIDIA GPU here (nvidia-smi lists none); scripts/test.sh tests without one"
PATH=$PATH:/usr/local/cuda/bin
command -v nvcc >/dev/null 2>&1 || die "nvcc is not on the PATH: install the CUDA toolkit, or set PATH"
command -v cmake >/dev/null 2>&1 || die "cmake is not on the PATH"

query() {
    nvidia-smi --query-gpu="$1" --format=csv,noheader -i 0
}
device=$(query name)
capability=$(query compute_cap | tr -d .)
driver=$(query driver_version)
nvcc_version=$(nvcc --version | sed -n 's/.*release \([0-9.]*\).*/\1/p')
work=$out/$(echo "$device" | tr 'A-Z ' 'a-z-' | tr -cd 'a-z0-9-')-$(date +%Y-%m-%d)
commit=${WEFT_COMMIT:-$(git rev-parse --short HEAD 2>/dev/null || echo unknown)}
[ -n "${WEFT_COMMIT:-}" ] || [ -z "$(git status --porcelain --untracked-files=no 2>/dev/null)" ] || commit=$commit-changed
export PATH build capability

# ---- NVIDIA's libraries, which may be where the loader does not look: among Python's packages ----

# The folder of a library, "" if the loader finds it (or weft does, in /usr/local/cuda/lib64); fails if there is none.
folder_of() {
    { ldconfig -p 2>/dev/null || /sbin/ldconfig -p 2>/dev/null; } | grep -q "$1" && return 0
    [ -e "/usr/local/cuda/lib64/$1" ] && return 0
    for folder in $(echo "${LD_LIBRARY_PATH:-}" | tr : ' '); do
        [ -e "$folder/$1" ] && return 0
    done
    for folder in $(timeout 10 python3 -c 'import sys; print("\n".join(sys.path))' 2>/dev/null); do
        for file in "$folder"/nvidia/*/lib/"$1"; do
            [ -e "$file" ] && dirname "$file" && return 0
        done
    done
    return 1
}

# use_library VARIABLE FILE: sets the variable that names the library to weft, if it must be named.
use_library() {
    eval "given=\${$1:-}"
    [ -z "$given" ] || return 0
    folder=$(folder_of "$2") || return 0
    [ -n "$folder" ] || return 0
    export "$1=$folder/$2"
    export LD_LIBRARY_PATH="$folder${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" # for the parts that it opens itself
}

major=${nvcc_version%%.*}
use_library WEFT_CUBLASLT "libcublasLt.so.$major"
use_library WEFT_NVRTC "libnvrtc.so.$major"
use_library WEFT_CUDNN libcudnn.so.9
use_library WEFT_CUFFT "libcufft.so.$((major - 1))"
use_library WEFT_CUSOLVER "libcusolver.so.$((major - 1))"

# ---- Stages ----

seconds=${WEFT_GPU_SECONDS:-540}
begin=$(date +%s)
allotted=0 # of 540, to the stages so far
rows=      # TITLE|VERDICT|TIME|NOTE lines
built=

# What the log of a stage tells beyond its exit status: cases of GoogleTest, findings of compute-sanitizer, goals.
note_of() {
    awk '
        /^\[ RUN      \]/ { open[$4] = 1 }
        /^\[       OK \]/ { passed++; delete open[$4] }
        /^\[  SKIPPED \] .* \(/ { skipped++; delete open[$4] }
        /^\[  FAILED  \] .* \(/ { failed++; delete open[$4] }
        /^========= (Invalid|Race|Error|Misaligned|Uninitialized|Barrier|Program hit|Warning: Race|Unused|Leaked)/ { found++ }
        /^[0-9]+ of [0-9]+ goals met|^[0-9]+ measurements failed/ { text = text ", " $0 }
        END {
            if (passed + skipped + failed) text = text ", " passed + 0 " cases passed, " failed + 0 " failed"
            if (skipped) text = text ", " skipped " skipped"
            if (found) text = text ", " found " findings of the sanitizer"
            for (name in open) if (n++ < 3) text = text (n == 1 ? ", unfinished: " : " ") name
            print substr(text, 3)
        }' "$1"
}

# Whether a sanitizer that ran out of time had found nothing in the cases that it got to: that much is learnt.
is_clean_so_far() {
    case $1 in memcheck | racecheck) ;; *) return 1 ;; esac
    case $2 in *" 0 failed"*) ;; *) return 1 ;; esac
    case $2 in 0\ * | *findings*) return 1 ;; esac
}

# Seconds for a stage: until the end of its share, or, given PERCENT, that much of all the time that is left. Where the whole
# is short, at least one while there is one.
seconds_for() {
    rest=$((seconds - (start - begin)))
    left=$((allotted * seconds / 540 - (start - begin)))
    [ -z "$1" ] || left=$((rest * $1 / 100))
    [ $left -ge 1 ] || left=1
    [ $left -le $rest ] || left=$rest
}

# stage NAME SECONDS [PERCENT]: runs a stage of gpu_stages.sh; its output goes to a file and, if it fails, its end to the
# terminal.
stage() {
    name=$1 log=$build/$1.log
    allotted=$((allotted + $2))
    start=$(date +%s)
    seconds_for "${3:-}"
    note=
    if [ "$name" != environment ] && [ "$name" != build ] && [ -z "$built" ]; then
        verdict="skipped: the build failed"
        : >"$log"
    elif [ $left -lt 1 ]; then
        verdict="skipped: no time is left"
        : >"$log"
    else
        STAGE_LOG=$log timeout -k 3 $left sh scripts/gpu_stages.sh "$name" >"$log" 2>&1
        status=$?
        note=$(note_of "$log")
        # 137 is timeout's SIGKILL, or that of somebody else.
        [ $status != 137 ] || [ $(($(date +%s) - start)) -lt $left ] || status=124
        case $status in
        0) verdict=passed ;;
        77) verdict="skipped: $(tail -n 1 "$log" | tr '|' '/')" ;;
        124)
            verdict="out of its $left s"
            is_clean_so_far "$name" "$note" && verdict="passed as far as it came in $left s"
            ;;
        *) verdict="failed ($status)" ;;
        esac
    fi
    [ "$name" != build ] || [ "$verdict" != passed ] || built=yes
    rows="$rows$name|$verdict|$(($(date +%s) - start))|$note
"
    say "$name: $verdict${note:+ ($note)}"
    case $verdict in passed* | skipped*) ;; *) tail -n 40 "$log" ;; esac
    write_results
}

# ---- Results ----

# Lines that are whole JSON objects, as the elements of an array. A line that its writer could not finish is left out.
elements() {
    awk '/^\{.*\}$/ { printf "%s  %s", separator, $0; separator = ",\n" }' "$@" 2>/dev/null
}

text() {
    printf '%s' "$1" | tr -d '\\"' | tr '\n\t' '  '
}

write_results() {
    {
        printf '{"commit": "%s", "device": "%s", "driver": "%s", "nvcc": "%s", "date": "%s",\n"stages": [\n' \
            "$(text "$commit")" "$(text "$device")" "$(text "$driver")" "$nvcc_version" "$(date -u +%Y-%m-%dT%H:%MZ)"
        printf '%s' "$rows" | tr -d '\\"' | awk -F'|' '{
            printf "%s  {\"stage\": \"%s\", \"verdict\": \"%s\", \"seconds\": %d, \"note\": \"%s\"}", separator, $1, $2, $3, $4
            separator = ",\n"
        }'
        printf '\n],\n"bench": [\n%s\n],\n"info": %s}\n' "$(elements "$build"/bench-*.json)" \
            "$(cat "$build/info.json" 2>/dev/null || echo null)"
    } >"$work.json.part" && mv "$work.json.part" "$work.json"
    for shown in bench.html bench.txt profile.txt; do
        [ ! -s "$build/tool-$shown" ] || cp "$build/tool-$shown" "$work-$shown"
    done
    for log_of in $(printf '%s' "$rows" | cut -d'|' -f1); do
        echo "==== $log_of"
        tail -c 200000 "$build/$log_of.log"
    done >"$work.log"
}

rm -f "$build"/bench-*.json "$build/info.json" "$build"/tool-*.html "$build"/tool-*.txt
stage environment 10
stage build 145
export WEFT_CUDA_MODULE="$build/src/libweft_cuda.so"
stage device 10
stage tests 75
stage own-kernels 45
stage bench-rows 35
stage bench-products 45
stage examples 25
stage compare 25
stage tool 15
stage bench-images 30
stage bench-attention 15
stage memcheck 40 55
stage racecheck 25

say "goals"
cat "$build"/bench-*.log 2>/dev/null | grep -E ', goal [0-9]+: |goals met|FAILED' | cut -c1-125
say "$device, commit $commit"
printf '%s' "$rows" | awk -F'|' '{ printf "%-16s %4d s  %s%s\n", $1, $3, $2, $4 == "" ? "" : ": " $4 }'
echo "results: $work.json, all output: $work.log"
printf '%s' "$rows" | grep -qE '\|(failed|out of|skipped: the build|skipped: no time)' && exit 1
exit 0
