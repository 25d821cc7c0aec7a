#!/bin/sh
# poison.sh PROGRAM SANITIZE: the mistakes of mistake.c are seen by AddressSanitizer where PROGRAM was built with it, else by
# valgrind; and where there is none, nothing is said.
set -u
program=$1
seen=use-after-poison
tool=
case $2 in
*address*) ;;
'')
    command -v valgrind >/dev/null || {
        echo "skipped: valgrind is not installed (Debian: apt-get install valgrind)"
        exit 77
    }
    echo '#include <valgrind/memcheck.h>' | "${CC:-cc}" -E - >/dev/null 2>&1 || {
        echo "skipped: the library was built without valgrind's header"
        exit 77
    }
    tool="valgrind --quiet --error-exitcode=99"
    seen='Invalid (read|write) of size'
    ;;
*)
    echo "skipped: built with another sanitizer"
    exit 77
    ;;
esac
bad=0
text=$($tool "$program" none 2>&1) || {
    echo "complains though nothing is wrong: $text"
    bad=1
}
for mistake in 'freed data read' 'freed data written' 'behind the last element' 'freed header'; do
    text=$($tool "$program" "$mistake" 2>&1) && {
        echo "$mistake: not seen"
        bad=1
        continue
    }
    echo "$text" | grep -qE "$seen" || {
        echo "$mistake: failed in another way: $text"
        bad=1
    }
done
[ $bad = 0 ] && echo "poison: fine"
exit $bad
