#!/bin/sh
# layers.sh PROJECT: files include only what lies below them, and no source file grows past its limit.
#
#   include -> nothing          core -> include            cpu, cuda -> core (never each other)
#   autograd, compare, profile -> core (profile: io's json_text.h and replace.h too)
#   nn, optim, data, io, both folders bench, tools, examples -> include only
#   kernels -> core's ops.def, scalar.*, rng.h, half.h, number.h and plain structs; cuda's launch.h, kernels.h (its prototypes) and product.h
set -u
cd "${1:-.}" || exit 2
limit=650 # lines; generated files may be longer
bad=0

# check FOLDER PATTERN: every #include "..." of FOLDER names a file of its own folder or matches PATTERN (a path below
# src/), and every #include <weft/...> is fine for everybody.
check() {
    [ -d "$1" ] || return 0
    own=$2 allowed=$3
    found=$(find "$1" -type f \( -name '*.[ch]' -o -name '*.inc' -o -name '*.def' -o -name '*.cu' -o -name '*.cuh' \
        -o -name '*.cc' -o -name '*.hpp' \) -exec grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]+"' {} /dev/null \; |
        awk -v own="$own" -v allowed="$allowed" '{
            split($0, q, "\""); path = q[2]
            if (path !~ /\// || index(path, own "/") == 1) next
            if (allowed != "" && path ~ ("^(" allowed ")$")) next
            print "  " $0
        }')
    [ -z "$found" ] && return 0
    echo "$1 may include only its own files${allowed:+, $allowed} and the public headers:"
    echo "$found"
    bad=1
}

plain='core/(ops[.]def|scalar[a-z_]*[.](h|inc)|rng[.]h|half[.]h|number[.]h|array[.]h|attrs[.]h|op_table[.]h)|cuda/(launch|kernels|product)[.]h'
check include      -        ''
check src/core     core     ''
check src/cpu      cpu      'core/.*'
check src/cuda     cuda     'core/.*|kernels/.*[.]h'
check kernels      kernels  "$plain"
check src/autograd autograd 'core/.*'
check src/nn       nn       ''
check src/bench    bench    ''
check src/optim    optim    ''
check src/data     data     ''
check src/io       io       ''
check src/compare  compare  'core/.*'
check src/profile  profile  'core/.*|io/(json_text|replace)[.]h'
check tools        tools    ''
check examples     common   ''
check bench        common   ''

# The public headers include each other as <weft/...> only.
quoted=$(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]+"' include/weft/*.h /dev/null)
if [ -n "$quoted" ]; then
    echo "public headers include each other as <weft/name.h>:"
    echo "$quoted"
    bad=1
fi

long=$(find include src kernels tools tests examples bench -type f \( -name '*.[ch]' -o -name '*.inc' -o -name '*.cu' \
    -o -name '*.cuh' -o -name '*.cc' -o -name '*.cpp' -o -name '*.hpp' \) ! -path include/weft/ops.h \
    -exec wc -l {} \; 2>/dev/null | awk -v limit=$limit '$1 > limit { print "  " $2 ": " $1 " lines" }')
if [ -n "$long" ]; then
    echo "files of more than $limit lines are usually two files:"
    echo "$long"
    bad=1
fi
[ $bad = 0 ] && echo "layers: fine"
exit $bad
