#!/bin/sh
# headers.sh PROJECT CC CXX: every public header compiles by itself, as C17 and as C++17, without a warning.
set -u
project=$1 cc=$2 cxx=$3
bad=0
try() { # language, compiler, flags...
    language=$1
    shift
    printf '#include <weft/%s>\n' "$header" | "$@" -x "$language" -I"$project/include" -Wall -Wextra -Wpedantic -Werror \
        -fsyntax-only - || {
        echo "$header does not compile by itself as $language"
        bad=1
    }
}
for path in "$project"/include/weft/*.h; do
    header=${path##*/}
    try c "$cc" -std=c17 -Wconversion -Wdouble-promotion
    try c++ "$cxx" -std=c++17
done
for path in "$project"/include/weft/*.hpp; do
    [ -e "$path" ] || continue
    header=${path##*/}
    try c++ "$cxx" -std=c++17
done
[ $bad = 0 ] && echo "headers: fine"
exit $bad
