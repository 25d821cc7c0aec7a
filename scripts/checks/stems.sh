#!/bin/sh
# stems.sh PROJECT: an operation has one stem in every room. The stem is a file's name up to the first "_" or ".": what
# src/ops/softmax.c has the record of, is computed by src/cpu/softmax*, kernels/softmax* (or src/cuda/softmax*,
# src/cuda/dnn_softmax*), and tested by tests/ops/softmax*.gold.
#
# Reductions of the table have no record of their own: their stem is "reduce", that of elementwise rows "elementwise",
# of optimiser steps, which have a file each in src/optim, "optim" and for golden values that file's. An in-place row runs
# another row's kernel.
set -eu
project=$1
cd "$project"
work=$(mktemp)
trap 'rm -f "$work"' EXIT

stem='{ file = FILENAME; sub(/.*\//, "", file); sub(/^dnn_/, "", file); sub(/[_.].*/, "", file) }'
# ROOM NAME STEM FILE: what each room has of which row.
{
    awk "$stem"' match($0, /^WEFT_(UNARY|UNARY_P|PREDICATE|BINARY|COMPARE|INTEGER|TERNARY|REDUCE) *\(/) {
             split($0, part, /[(,] */)
             gsub(/ /, "", part[3])
             print "record", part[3], part[1] ~ /REDUCE/ ? "reduce" : "elementwise", FILENAME
         }' src/ops/ops.def
    awk "$stem"' match($0, /^[A-Z_]+\([A-Z0-9_]+, [a-z0-9_]+,/) {
             split($0, part, /[(,] */)
             print "record", part[3], FILENAME ~ /optim\// ? "optim" : file, FILENAME
         }' src/ops/*.c src/optim/*.c
    awk "$stem"' match($0, /^weft_status WEFT__CPU\([a-z0-9_]+\)\(const weft__exec/) {
             split($0, part, /[()]/)
             print "kernel", part[2], file, FILENAME
         }' src/cpu/*.c src/cpu/*.inc
    awk "$stem"' match($0, /weft_status weft__cuda_[a-z0-9_]+\(const weft__exec/) {
             name = $0
             sub(/.*weft__cuda_/, "", name)
             sub(/\(.*/, "", name)
             print "kernel", name, file, FILENAME
         }' kernels/*.cu src/cuda/*.c
    awk "$stem"' /^op / { print "gold", $2, file, FILENAME }' tests/ops/*.gold | sort -u
} >"$work"

awk '
    $1 == "record" { stem[$2] = $3; place[$2] = $4; records++; next }
    $1 == "kernel" && $2 ~ /_$/ { next }
    !($2 in stem) { next } # a part of a kernel, or one kernel of a whole family
    { seen[$1]++; wanted = stem[$2] }
    $1 == "gold" && wanted == "optim" { wanted = place[$2]; gsub(/.*\/|\.c$/, "", wanted) }
    $3 != wanted { print $4 ": has " $2 ", whose stem is " wanted " (" place[$2] ")"; bad = 1 }
    END {
        if (records < 120 || seen["kernel"] < 100 || seen["gold"] < 100) {
            print "only " records " records, " seen["kernel"] " kernels and " seen["gold"] " golden rows: has the layout changed?"
            bad = 1
        }
        if (bad)
            exit 1
        print "stems: fine"
    }' "$work"
