#!/bin/sh
# names.sh PROJECT: a name in words is a name in code, and one name means one thing.
#   - What a comment or a page of docs/ calls weft_..., weft__... or WEFT_... is an identifier of some source file. (Names
#     with a blank in them - weft__infer_NAME, WEFT_OP_*, weft_a / _b - are patterns and not looked for.)
#   - A struct, union or enum weft__x is defined in one file.
#   - Attributes are read and written by name: as numbers.i and numbers.f only by what knows no operation, `nameless`.
#   - A __device__ function names the type that it returns: nvcc hands `auto` to the host's compiler as void, which no build
#     but one with nvcc shows.
# Some names are put together by macros; where comments spell one out, it matches `made`.
set -u
cd "${1:-.}" || exit 2
nameless='^(src/base/attrs[.]h|src/engine/record[.]c|src/compare/saved[.]c|tests/test_attrs[.]c|tests/planted[.]c)$'
made='^(weft__(f|d|da|db|m)_[a-z0-9_]+_(f32|f64)|weft__cpu_[a-z0-9_]+_(avx512|avx2|plain))$'

files=$(find include src kernels tools tests examples bench -type f \( -name '*.[ch]' -o -name '*.inc' -o -name '*.def' \
    -o -name '*.cu' -o -name '*.cuh' -o -name '*.cc' -o -name '*.cpp' -o -name '*.hpp' \) 2>/dev/null | sort)
build=$(find CMakeLists.txt cmake src tests tools bench examples kernels -name CMakeLists.txt -o -name '*.cmake' 2>/dev/null
    find scripts .ci -name '*.sh' 2>/dev/null)
pages=$(find README.md docs -name '*.md' 2>/dev/null)
[ -n "$files" ] || {
    echo "names: no sources found"
    exit 1
}

# shellcheck disable=SC2086
found=$(awk -v made="$made" -v nameless="$nameless" '
function complain(text) { print "  " text; bad = 1 }

# Identifiers of code.
function define(text,    name) {
    while (match(text, /[A-Za-z_][A-Za-z0-9_]*/)) {
        name = substr(text, RSTART, RLENGTH)
        known[name] = 1
        text = substr(text, RSTART + RLENGTH)
    }
}

# Names in words, to be looked up when all code has been read.
function mention(text,    name, before, after) {
    before = ""
    while (match(text, /(weft_|WEFT_)[A-Za-z0-9_]*/)) {
        if (RSTART > 1)
            before = substr(text, RSTART - 1, 1)
        name = substr(text, RSTART, RLENGTH)
        text = substr(text, RSTART + RLENGTH)
        after = substr(text, 1, 2)
        if (before !~ /[A-Za-z0-9_<\/-]/ && after !~ /^([<#*{\/-]|[.][a-z.])/ && is_whole(name)) {
            word[FILENAME, name] = name
            if (!((FILENAME, name) in where))
                where[FILENAME, name] = FILENAME ":" FNR ": " name
        }
        before = substr(name, length(name), 1)
    }
}

# Not a pattern such as weft__infer_NAME or WEFT_OP_.
function is_whole(name) {
    return name ~ /^weft_[a-z0-9_]*[a-z0-9]$/ || name ~ /^WEFT_[A-Z0-9_]*[A-Z0-9]$/
}

FNR == 1 { inside = 0 }
FILENAME ~ /[.]md$/ { mention($0); next }
FILENAME ~ /(CMakeLists[.]txt|[.]cmake|[.]sh)$/ { define($0); next }
FILENAME ~ /ops[.]def$/ && /^WEFT_[A-Z_]+\(/ { # a row makes the function weft_<its second word>
    row = $0
    sub(/^[^,]*,[[:space:]]*/, "", row)
    sub(/[^a-z0-9_].*/, "", row)
    known["weft_" row] = 1
    op = $0
    sub(/^[^(]*\([[:space:]]*/, "", op)
    sub(/[^A-Z0-9_].*/, "", op)
    known["WEFT_OP_" op] = 1
}
/^(typedef )?(struct|union|enum) weft__[a-z0-9_]+ \{/ {
    type = $0
    sub(/ \{.*/, "", type)
    sub(/.* /, "", type)
    if (type in home && home[type] != FILENAME)
        complain(FILENAME ":" FNR ": " type " is defined in " home[type] " too")
    home[type] = FILENAME
}
/(->|[.])numbers[.][if]([^A-Za-z0-9_]|$)/ && FILENAME !~ nameless {
    complain(FILENAME ":" FNR ": numbers.i and numbers.f are attributes without a name; use the struct of the operation")
}
/__device__/ && /(^|[[:space:]])auto[[:space:]]+[A-Za-z_0-9]+[(]/ {
    complain(FILENAME ":" FNR ": a __device__ function returns auto; name the type")
}
{
    line = $0
    while (line != "") {
        if (inside) {
            end = index(line, "*/")
            mention(end ? substr(line, 1, end - 1) : line)
            line = end ? substr(line, end + 2) : ""
            inside = !end
        } else if (match(line, /\/[*\/]/)) {
            start = RSTART
            define(substr(line, 1, start - 1))
            block = substr(line, start + 1, 1) == "*"
            line = substr(line, start + 2)
            inside = block
            if (!block) {
                mention(line)
                line = ""
            }
        } else {
            define(line)
            line = ""
        }
    }
}
END {
    for (k in where)
        if (!(word[k] in known) && word[k] !~ made)
            complain(where[k] " is the name of nothing")
    exit bad
}' $files $build $pages) && echo "names: fine" && exit 0
echo "$found" | sort
exit 1
