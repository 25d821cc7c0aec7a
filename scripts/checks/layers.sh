#!/bin/sh
# layers.sh PROJECT: files include only what their room may use (the list "rooms"; arrows.sh checks the object files by the
# same list), and no source file grows past its limits.
set -u
here=$(cd "$(dirname "$0")" && pwd)
cd "${1:-.}" || exit 2
limit=650 # lines; generated files may be longer
wide=120  # columns, comments included; code is clang-format's business
bad=0

# sources FOLDER...: their source files, one a line
sources() {
    find "$@" -type f \( -name '*.[ch]' -o -name '*.inc' -o -name '*.def' -o -name '*.cu' -o -name '*.cuh' -o -name '*.cc' \
        -o -name '*.cpp' -o -name '*.hpp' \) 2>/dev/null | sort
}

# rooms MODE WHAT: what rooms.awk says of the lines that it is given
rooms() {
    found=$(awk -v mode="$1" -v rooms="$here/rooms" -f "$here/rooms.awk") && return
    echo "$2 ($here/rooms):"
    echo "$found"
    return 1
}

sources include src kernels tools examples bench | rooms files "every file has a room" || bad=1
sources include src kernels tools examples bench |
    xargs grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]+"' /dev/null |
    rooms includes "files include only what their room may use" || bad=1

# The public headers include each other as <weft/...> only.
quoted=$(grep -snE '^[[:space:]]*#[[:space:]]*include[[:space:]]+"' include/weft/*.h /dev/null)
if [ -n "$quoted" ]; then
    echo "public headers include each other as <weft/name.h>:"
    echo "$quoted"
    bad=1
fi

long=$(sources include src kernels tools tests examples bench | grep -v -e '^include/weft/ops[.]h$' -e '[.]def$' |
    xargs wc -l | awk -v limit=$limit '$1 > limit && $2 != "total" { print "  " $2 ": " $1 " lines" }')
if [ -n "$long" ]; then
    echo "files of more than $limit lines are usually two files:"
    echo "$long"
    bad=1
fi
# A column is a character, not a byte. A row of a table is one line.
broad=$(sources include src kernels tools tests examples bench | grep -v '[.]def$' | LC_ALL=C xargs awk -v wide=$wide '{
    text = $0
    gsub(/[\200-\277]/, "", text)
    if (length(text) > wide) print "  " FILENAME ":" FNR ": " length(text) " columns"
}')
if [ -n "$broad" ]; then
    echo "lines of more than $wide columns:"
    echo "$broad"
    bad=1
fi
[ $bad = 0 ] && echo "layers: fine"
exit $bad
