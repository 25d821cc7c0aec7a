#!/bin/sh
# names.sh CHECK WORK: scripts/checks/names.sh sees each planted place, and none where there is none.
set -u
check=$1 work=$2
rm -rf "$work"
mkdir -p "$work/src/ops" "$work/include" "$work/docs"
bad=0
cat >"$work/src/ops/ops.def" <<'OPS'
WEFT_UNARY(ABS,        abs,        NUM, X, f, dx, -4, 4, 0, "|x|")
OPS
cat >"$work/src/known.c" <<'C'
struct weft__known {
    int x;
};
int weft__count(void); int weft_size(void); enum { WEFT_SIZE_MOST = 3 };
C

# seen NAME TEXT PLACE: a file with this text must be refused, naming the place; a name that ends in .md is a page.
seen() {
    put "$1" "$2"
    sh "$check" "$work" >"$work/out" && echo "not seen: $1" && bad=1
    grep -qF "$3" "$work/out" || { echo "$1: not named: $3" && cat "$work/out" && bad=1; }
}

fine() {
    put "$1" "$2"
    sh "$check" "$work" >"$work/out" || { echo "no fault, but refused: $1" && cat "$work/out" && bad=1; }
}

put() {
    rm -f "$work/src/planted.c" "$work/docs/planted.md"
    case $1 in
    *.md) printf '%s\n' "$2" >"$work/docs/planted.md" ;;
    *) printf '%s\n' "$2" >"$work/src/planted.c" ;;
    esac
}

seen 'a comment' '/* see weft__gone */' 'src/planted.c:1: weft__gone is the name of nothing'
seen 'a comment of several lines' 'int a; /* first
 * then weft_gone(x). */' 'src/planted.c:2: weft_gone'
seen 'a line comment' 'int a; // weft_gone' 'src/planted.c:1: weft_gone'
seen 'the end of a sentence' '/* made by weft__gone. */' 'weft__gone is'
seen 'a macro' '/* at most WEFT_GONE of them */' 'WEFT_GONE'
seen 'a page.md' 'text `weft_gone` text' 'docs/planted.md:1: weft_gone'
seen 'known in a comment alone' '/* weft__gone */ /* weft__gone */' 'weft__gone'
seen 'two definitions' 'struct weft__known {
    int y;
};' 'weft__known is defined in src/known.c too'
seen 'an attribute by its number' 'int f(weft__known *a) { return a->numbers.i[0]; }' 'planted.c:1: numbers.i'
seen 'a device function of no type' 'template <class T> __device__ __forceinline__ auto f(T x)' 'planted.c:1: a __device__'
fine 'variables of no type' 'template <class T> __device__ void f(T x) { const auto y = g(x); }'
fine 'another member of that name' 'int f(weft__known *a) { return a->numbers[0] + a->numbers.in; }'
fine 'what is there' '/* weft__count, weft_size (at most WEFT_SIZE_MOST), weft__known; weft_abs of WEFT_OP_ABS */'
fine 'patterns' '/* weft__infer_NAME, WEFT_OP_*, weft__put_##type, include/weft/size.h, libweft_other.so, weft_<name> */'
fine 'code' 'int weft__new(void) { return weft__elsewhere; }'
fine 'a page.md' 'link with `libweft_cuda.so`; `weft_size` and `weft/weft.h`'
fine 'two forms in one file' 'struct weft__form {
    int a;
};
struct weft__form {
    int b;
};'

[ $bad = 0 ] && echo "names: fine"
exit $bad
