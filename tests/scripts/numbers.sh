#!/bin/sh
# numbers.sh CHECK WORK: scripts/checks/numbers.sh sees each planted place, and none where there is none.
set -u
check=$1 work=$2
rm -rf "$work"
mkdir -p "$work/src/base"
bad=0

# seen NAME TEXT: a file with this text must be refused
seen() {
    printf '%s\n' "$2" >"$work/src/planted.c"
    sh "$check" "$work" >"$work/out" && echo "not seen: $1" && bad=1
    grep -q 'src/planted.c:' "$work/out" || { echo "$1: no place is named" && bad=1; }
}

# fine NAME TEXT
fine() {
    printf '%s\n' "$2" >"$work/src/planted.c"
    sh "$check" "$work" >"$work/out" || { echo "no fault, but refused: $1" && cat "$work/out" && bad=1; }
}

seen printf 'printf("%d %.2f\n", 1, x);'
seen 'a flag and a width' 'printf("%-*.*e", 3, 4, x);'
seen 'the second literal' 'snprintf(text, sizeof text, "%s of "
    "%+5g", name, x);'
seen 'a choice of two' 'fprintf(out, round ? "%d" : "%lf", x);'
seen 'a format that is no literal' 'snprintf(text, size, format, x);'
seen 'a list' 'vsnprintf(text, size, format, list);'
seen strtod 'x = strtod(text, &end);'
seen strtof 'x = strtof (text, &end);'
seen atof 'x = atof(text);'
seen sscanf 'sscanf(text, "%d", &k);'
fine 'whole numbers' 'printf("%d %s %zu %5.3s %%f\n", 1, "0.5f %g", n, s);'
fine 'our own' 'weft_text(text, size, "%g", x); say(out, "%.1f", x); weft__fail(ctx, "%g", x);'
fine 'a comment' '/* printf("%g") */ int x; // strtod(text)'
fine 'parentheses in a literal' 'fprintf(out, "a) %s (", name); weft__put(&s, "%g", x);'
printf 'printf("%%g", x);\n' >"$work/src/base/text.c"
fine 'the one place' 'int x;'

[ $bad = 0 ] && echo "numbers: fine"
exit $bad
