#!/bin/sh
# numbers.sh PROJECT: numbers with a point are printed and read by src/base/text.c alone (weft_text, weft_number), so that no
# locale of a host program can put commas into what Weft writes. In the library and the command no other file
#   - gives libc's printers a conversion for floating numbers, or a format that is no literal
#   - hands a list of arguments to libc's printers
#   - reads numbers with strtod, atof or scanf
# The build tool gen_ops.c runs in no host program. tests/scripts/numbers.sh plants such places and looks whether they are seen.
set -u
cd "${1:-.}" || exit 2
find include src tools kernels examples/common -type f \( -name '*.[ch]' -o -name '*.inc' -o -name '*.cu' -o -name '*.cuh' \) \
    ! -path src/base/text.c ! -path src/ops/gen_ops.c 2>/dev/null | sort >"${TMPDIR:-/tmp}/weft-numbers.$$"
trap 'rm -f "${TMPDIR:-/tmp}/weft-numbers.$$"' EXIT
[ -s "${TMPDIR:-/tmp}/weft-numbers.$$" ] || {
    echo "numbers: no files found"
    exit 1
}
awk '
function complain(what) { print "  " file ":" at ": " what; bad = 1 }

# The text of a call from its opening parenthesis on: literals go to strings, the first argument that is one is noted.
function look(name, rest,    k, c, depth, quoted, literal, argument, empty, format_at, strings, plain) {
    format_at = name ~ /^(printf|vprintf)$/ ? 1 : name ~ /snprintf$/ ? 3 : 2
    depth = 0; argument = 1; empty = 1; plain = 0
    for (k = 1; k <= length(rest); k++) {
        c = substr(rest, k, 1)
        if (quoted) {
            if (c == "\\") { literal = literal c substr(rest, ++k, 1); continue }
            if (c == "\"") { quoted = 0; if (argument == format_at) strings = strings literal "\n"; continue }
            literal = literal c
            continue
        }
        if (c == "\"") {
            quoted = 1; literal = ""
            if (argument == format_at) plain = 1
            continue
        }
        if (c == "\047") { k += substr(rest, k + 1, 1) == "\\" ? 3 : 2; continue }
        if (c == "(" || c == "[" || c == "{") depth++
        if (c == ")" || c == "]" || c == "}") { if (--depth == 0) break }
        if (c == "," && depth == 1) argument++
    }
    gsub(/%%/, "", strings)
    if (strings ~ /%[-+ #0\047]*([0-9]+|[*])?([.]([0-9]+|[*])?)?(l|L)?[fFeEgGaA]/)
        complain(name " prints a number with a point: use weft_text (in tools say)")
    else if (!plain)
        complain(name " has a format that is no literal: use weft_text (in tools say)")
}

function scan(    rest, place, name, before) {
    rest = text
    at = 1
    while (match(rest, /[A-Za-z_][A-Za-z0-9_]*[ \n]*\(/)) {
        before = substr(rest, 1, RSTART - 1)
        at += gsub(/\n/, "\n", before)
        name = substr(rest, RSTART, RLENGTH)
        place = RSTART + RLENGTH - 1
        at_paren = gsub(/[ \n]*\($/, "", name)
        if (name ~ /^v(f|s|sn|d|as)?printf$/)
            complain(name " outside src/base/text.c: use weft_text_list")
        else if (name ~ /^(f|s|sn|d|as)?printf$/)
            look(name, substr(rest, place))
        else if (name ~ /^(strto(d|f|ld)|ato[f]|v?[fs]?scanf|strfrom[dfl])$/)
            complain(name " reads numbers as the locale has them: use weft_number")
        rest = substr(rest, place)
    }
}

# Comments become blanks, line ends stay; literals are kept.
function strip(line,    k, c, out) {
    out = ""
    for (k = 1; k <= length(line); k++) {
        c = substr(line, k, 1)
        if (comment) { if (substr(line, k, 2) == "*/") { comment = 0; k++ } continue }
        if (in_string) { out = out c; if (c == "\\") out = out substr(line, ++k, 1); else if (c == "\"") in_string = 0; continue }
        if (substr(line, k, 2) == "/*") { comment = 1; k++; continue }
        if (substr(line, k, 2) == "//") break
        if (c == "\"" && substr(line, k - 1, 1) != "\047") in_string = 1
        out = out c
    }
    in_string = 0
    return out
}

FNR == 1 { if (file != "") scan(); file = FILENAME; text = ""; comment = 0 }
{ text = text strip($0) "\n" }
END { scan(); exit bad }
' $(cat "${TMPDIR:-/tmp}/weft-numbers.$$") || {
    echo "numbers: see src/base/text.c"
    exit 1
}
echo "numbers: fine"
