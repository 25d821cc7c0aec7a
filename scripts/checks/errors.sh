#!/bin/sh
# errors.sh PROJECT: each mistake that tests/mistakes.def makes with one operation gives a status that ops.h names for that
# operation, or for any. So the lists of errors, which ops.def has, are not less than what the tests have seen.
set -u
cd "${1:-.}" || exit 2
awk '
# The codes of the operation whose comment was read last.
FILENAME ~ /ops[.]h$/ {
    if ($0 ~ /Any can give besides/) anybody = 1
    if (anybody && $0 !~ /^ [*]$/) { text = $0; while (match(text, /WEFT_E_[A-Z_]+/)) { common[substr(text, RSTART + 7, RLENGTH - 7)] = 1; text = substr(text, RSTART + RLENGTH) } }
    if ($0 ~ /^ [*]$/) { anybody = 0; delete common["SHAPE"] } # of results that are too large: shapes that do not fit are to be named
    if ($0 ~ /^\/[*]/) codes = ""
    if ($0 ~ /^ [*] Errors: /) codes = $0
    if ($0 ~ /^WEFT_API /) {
        name = $0
        sub(/\(.*/, "", name)
        sub(/.*[ *]/, "", name)
        known[name] = codes " "
        operations++
    }
    next
}
/^MISTAKE\(/ {
    n = split($0, part, ", ")
    for (k = 1; k < n; k++)
        if (part[k] ~ /^[A-Z_]+$/ && part[k + 1] ~ /^"weft_[a-z0-9_]+"/) break
    name = part[k + 1]
    gsub(/[^a-z0-9_]/, "", name)
    if (!(name in known)) next
    mistakes++
    if (!(part[k] in common) && known[name] !~ ("WEFT_E_" part[k] "[,. ]")) {
        print "  tests/mistakes.def:" FNR ": " name " gives WEFT_E_" part[k] ", which its comment does not name (ops.def: WEFT_TAKES)"
        bad = 1
    }
}
END {
    if (!operations || mistakes < 50) { print "  " operations + 0 " operations and " mistakes + 0 " mistakes found: the check reads nothing"; bad = 1 }
    if (!bad) print "errors: fine, " mistakes " mistakes"
    exit bad
}' include/weft/ops.h tests/mistakes.def
