#!/bin/sh
# api.sh PROJECT: what the public headers promise by their form (docs/design.md, "The public API").
#   - An enum has a name, and its constants begin with it: weft_reduction has WEFT_REDUCTION_MEAN. Flags of a function
#     have the function's name: weft_grad_flags has WEFT_GRAD_CREATE_GRAPH. Dtypes and statuses are WEFT_F32 and WEFT_OK.
# tests/scripts/api.sh plants such places and looks whether they are seen.
set -u
cd "${1:-.}" || exit 2
set -- include/weft/*.h
[ -e "$1" ] || {
    echo "api: no headers found"
    exit 1
}
awk '
function complain(what) { print "  " file ":" line ": " what; bad = 1 }

# Comments become blanks, line ends stay.
function strip(text,    out, start, n) {
    out = ""
    while ((start = index(text, "/*")) > 0) {
        out = out substr(text, 1, start - 1)
        text = substr(text, start + 2)
        n = index(text, "*/")
        block = substr(text, 1, n - 1)
        gsub(/[^\n]/, "", block)
        out = out block
        text = substr(text, n + 2)
    }
    out = out text
    gsub(/\/\/[^\n]*/, "", out)
    return out
}

# The line on which the character at `at` of the header stands.
function line_of(at,    before) {
    before = substr(whole, 1, at)
    return gsub(/\n/, "", before) + 1
}

function enum(name, body,    prefix, n, k, items) {
    if (name == "") { complain("an enum without a name: its constants have no prefix"); return }
    if (name == "weft_dtype" || name == "weft_status") return
    prefix = toupper(name)
    sub(/_FLAGS$/, "", prefix)
    n = split(body, items, ",")
    for (k = 1; k <= n; k++) {
        sub(/=.*/, "", items[k])
        gsub(/[ \n\t]/, "", items[k])
        if (items[k] != "" && index(items[k], prefix "_") != 1)
            complain(items[k] " does not begin with " prefix "_, the name of its enum")
    }
}

function scan(    rest, at, head, body, name, close_at) {
    whole = strip(text)
    rest = whole
    at = 0
    while (match(rest, /(^|[^A-Za-z0-9_])enum[ \n]*([A-Za-z0-9_]+[ \n]*)?\{/)) {
        head = substr(rest, RSTART, RLENGTH)
        line = line_of(at + RSTART + 1)
        at += RSTART + RLENGTH - 1
        rest = substr(rest, RSTART + RLENGTH)
        close_at = index(rest, "}")
        body = substr(rest, 1, close_at - 1)
        name = head
        sub(/^.?enum[ \n]*/, "", name)
        gsub(/[ \n{]/, "", name)
        enum(name, body)
        enums++
    }
}

FNR == 1 { if (file != "") scan(); file = FILENAME; text = "" }
{ text = text $0 "\n" }
END {
    scan()
    if (!enums) { print "  no enum found: the check reads nothing"; bad = 1 }
    if (!bad) print "api: fine, " enums " enums"
    exit bad
}
' "$@"
