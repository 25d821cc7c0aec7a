#!/bin/sh
# rooms.sh CHECKS NM CC WORK: scripts/checks/layers.sh and arrows.sh see each planted fault, and none where there is none.
set -u
checks=$1 nm=$2 cc=$3 work=$4
rm -rf "$work"
mkdir -p "$work/checks" "$work/src/low" "$work/src/high" "$work/src/user" "$work/o.dir"
cp "$checks/layers.sh" "$checks/arrows.sh" "$checks/rooms.awk" "$work/checks"
cd "$work" || exit 2
bad=0

# plant LOW HIGH USER: the three sources
plant() {
    printf '%s\n' "$1" >src/low/a.c
    printf '%s\n' "$2" >src/high/b.c
    printf '%s\n' "$3" >src/user/c.c
    cat >checks/rooms <<'ROOMS'
room low:
    src/low/a.c src/low/a.h
room high: low   # in words
    src/high/*
room user: public
    src/user/*
table weft__table
ROOMS
    echo 'int weft__low(void);' >src/low/a.h
    echo 'int weft_high(void); int weft__high(void);' >src/high/b.h
    for f in low/a high/b user/c; do
        mkdir -p "o.dir/${f%/*}"
        "$cc" -w -Isrc -c "src/$f.c" -o "o.dir/$f.c.o" || bad=1
        echo "o.dir/$f.c.o"
    done >objects
}

# says WHAT CHECK TEXT: the check refuses, in these words
says() {
    if [ "$2" = arrows ]; then
        sh checks/arrows.sh . "$nm" objects >out
    else
        sh checks/layers.sh . >out
    fi && echo "not seen: $1" && bad=1
    grep -qF "$3" out || { echo "$1: not in these words: $3" && cat out && bad=1; }
}

fine() {
    sh checks/layers.sh . >out && sh checks/arrows.sh . "$nm" objects >>out || { echo "refused: $1" && cat out && bad=1; }
}

low='int weft__low(void) { return 1; }'
high='#include "low/a.h"
int weft__high(void) { return weft__low(); } int weft_high(void) { return 2; }'
user='int weft_high(void); int use(void) { return weft_high(); }'
plant "$low" "$high" "$user"
fine 'down, and public'

plant 'int weft_high(void); int weft__low(void) { return weft_high(); }' "$high" "$user"
says 'a call upward' arrows 'object src/low/a.c (low) uses symbol weft_high of object src/high/b.c (higher: high)'
plant "$low" "$high" 'int weft__high(void); int use(void) { return weft__high(); }'
says 'a user of what is not public' arrows 'object src/user/c.c (user) uses symbol weft__high of object src/high/b.c (high)'
plant "$low" 'int use(void); int weft_high(void) { return use(); }' 'int use(void) { return 1; }'
says 'a higher user' arrows 'uses symbol use of object src/user/c.c (higher: user)'
plant 'extern const int weft__table[]; int weft__low(void) { return weft__table[0]; }' \
    'const int weft__table[] = {1}; int weft_high(void) { return 2; }' "$user"
fine 'a table'
plant 'int weft__table(void); int weft__low(void) { return weft__table(); }' \
    'int weft__table(void) { return 1; } int weft_high(void) { return 2; }' "$user"
says 'a function as a table' arrows 'weft__table is listed as a table, but is not constant data'

plant 'extern int weft__table[]; int weft__low(void) { return weft__table[0]; }' \
    'int weft__table[] = {1}; int weft_high(void) { return 2; }' "$user"
says 'a table that can be written' arrows 'src/high/b.c: weft__table is listed as a table, but can be written'
state='static int count; int weft__low(void) { return ++count; }'
plant "$state" "$high" "$user"
says 'state of the process' arrows 'src/low/a.c: count can be written and belongs to the whole process'
plant 'int weft__low(void) { static _Thread_local int count = 3; return ++count; }' "$high" "$user"
says 'state of a thread' arrows 'can be written'
plant "$state" "$high" "$user"
echo 'state src/low/a.c' >>checks/rooms
fine 'state where it may be'
echo 'state src/low/gone.c' >>checks/rooms
says 'a file of state that is gone' layers 'src/low/gone.c is in '
plant 'static const char *const names[] = {"a", "b"}; const char *weft__low(int k) { return names[k]; }' \
    'int weft_high(void) { return 2; }' "$user"
fine 'constants'

plant '#include "high/b.h"' "$high" "$user"
says 'an #include upward' layers 'src/low/a.c:1:#include "high/b.h": room low may not use room high'
plant "$low" "$high" '#include "../high/b.h"
int x;'
says 'an #include by a user' layers 'src/user/c.c:1:#include "../high/b.h": room user may not use room high'
plant "$low" "$high" "$user"
echo 'int x;' >src/low/more.c
says 'a file without a room' layers 'src/low/more.c is in no room'
rm src/low/more.c
echo '    src/high/gone.c' >>checks/rooms
says 'a name without a file' layers 'src/high/gone.c is in '
plant "$low" "$high" "$user"
sed 's/high: low/high: low user/' checks/rooms >more && mv more checks/rooms
says 'a room that uses a higher one' layers 'room high may use only rooms above it, which user is not'

ten='1234567890'
hundred=$ten$ten$ten$ten$ten$ten$ten$ten$ten$ten
plant "$low /* $hundred */" "$high" "$user"
says 'a wide line' layers 'src/low/a.c:1: 140 columns'
plant "// $hundred$ten ééü€éé" "$high" "$user"
fine 'a line of 120 characters and more bytes'

[ $bad = 0 ] && echo "rooms: fine"
exit $bad
