#!/bin/sh
# readme.sh PROJECT: a code block of README.md under the comment "<!-- path -->" is that file, to the
# letter.
set -u
cd "${1:-.}" || exit 2
bad=0
shown=$(sed -n 's/^<!-- \([a-z0-9_./]*\) -->$/\1/p' README.md)
[ -n "$shown" ] || {
    echo "README.md shows no file: a comment <!-- path --> must stand before its program"
    exit 1
}
for file in $shown; do
    awk -v mark="<!-- $file -->" '
        $0 == mark { marked = 1; next }
        marked && /^```/ { if (inside) exit; inside = 1; next }
        inside' README.md | diff -u "$file" - || {
        echo "README.md's block under <!-- $file --> differs from the file"
        bad=1
    }
done
[ $bad = 0 ] && echo "readme: fine"
exit $bad
