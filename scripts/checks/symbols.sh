#!/bin/sh
# symbols.sh NM SHARED STATIC [MODULE]: the shared library exports weft_ names only (none of the internal weft__), so does the
# static one, and neither calls what ends the process or writes to the standard streams. The CUDA module exports its entry
# and nothing else, and takes nothing from the library, which may be static in the program.
set -u
nm=$1 shared=$2 static=$3 module=${4-}
bad=0
complain() { # text, names
    [ -z "$2" ] && return 0
    echo "$1"
    echo "$2" | sed 's/^/  /'
    bad=1
}
# 'name address' or 'name type ...' lines of nm -P, without symbol versions.
exported=$("$nm" -D -P --defined-only "$shared" | awk '{ sub(/@.*/, "", $1); print $1 }' | sort -u)
[ -n "$exported" ] || {
    echo "$shared exports nothing"
    exit 1
}
complain "exported by the shared library, but not public names:" \
    "$(echo "$exported" | grep -vE '^weft_[a-z0-9]' | grep -vE '^(_init|_fini)$')"
complain "visible in the static library, but not public names:" \
    "$("$nm" -P -g --defined-only "$static" | awk 'NF > 2 { print $1 }' | sort -u | grep -vE '^weft_[a-z0-9]')"
ends='exit|_exit|_Exit|quick_exit|abort|__assert_fail|__assert'
prints='v?f?printf|__v?f?printf_chk|f?puts|f?putc|putchar|perror|psignal|syslog|stdout|stderr'
complain "the library must not end the process or print:" \
    "$("$nm" -D -P --undefined-only "$shared" | awk '{ sub(/@.*/, "", $1); print $1 }' | grep -E "^($ends|$prints)\$")"
if [ -n "$module" ]; then
    entry=$("$nm" -D -P --defined-only "$module" | awk '{ sub(/@.*/, "", $1); print $1 }' | grep -vE '^(_init|_fini)$')
    [ "$entry" = weft_cuda_module ] || complain "exported by the module, which has one entry, weft_cuda_module:" \
        "${entry:-nothing}"
    complain "the module takes from the library:" \
        "$("$nm" -D -P --undefined-only "$module" | awk '{ sub(/@.*/, "", $1); print $1 }' | grep -E '^weft_')"
fi
[ $bad = 0 ] && echo "symbols: fine, $(echo "$exported" | wc -l) exported"
exit $bad
