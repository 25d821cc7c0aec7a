#!/bin/sh
# arrows.sh PROJECT NM OBJECTS [list]: object files use only symbols of rooms that theirs may use, and only some hold
# writable data of the whole process, by the list "rooms".
# OBJECTS is a file with a path of an object in each line; the part behind "NAME.dir/" is its source's below src/.
# list: says how many such uses there are between which rooms.
set -u
here=$(cd "$(dirname "$0")" && pwd)
nm=$2 objects=$3
cd "$1" || exit 2
command -v "$nm" >/dev/null 2>&1 || { echo "there is no nm ($nm)"; exit 77; }
lines=$(xargs "$nm" -A -P <"$objects") || exit 2
found=$(printf '%s\n' "$lines" | awk -v mode=symbols -v folder=src -v rooms="$here/rooms" -f "$here/rooms.awk") || {
    echo "the rooms ($here/rooms) allow no such uses:"
    printf '%s\n' "$found" | sort -u
    exit 1
}
[ "${4:-}" = list ] && printf '%s\n' "$lines" |
    awk -v mode=symbols -v folder=src -v arrows=1 -v rooms="$here/rooms" -f "$here/rooms.awk" | sort
sections=$(xargs "$nm" -A -f sysv <"$objects") || { echo "$nm does not know the sections of symbols"; exit 77; }
found=$(printf '%s\n' "$sections" | awk -v mode=state -v folder=src -v rooms="$here/rooms" -f "$here/rooms.awk") || {
    echo "the rooms ($here/rooms) allow no such state:"
    printf '%s\n' "$found" | sort -u
    exit 1
}
echo "arrows: fine"
