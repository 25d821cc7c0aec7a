#!/bin/sh
# api.sh CHECK WORK: scripts/checks/api.sh sees each planted place, and none where there is none.
set -u
check=$1 work=$2
rm -rf "$work"
mkdir -p "$work/include/weft"
bad=0

# seen NAME LINE TEXT: a header with this text must be refused, with the place named
seen() {
    printf '%s\nenum weft_a { WEFT_A_B };\nWEFT_API int weft_b(void);\n' "$3" >"$work/include/weft/planted.h"
    sh "$check" "$work" >"$work/out" && echo "not seen: $1" && bad=1
    grep -q "include/weft/planted.h:$2:" "$work/out" || { echo "$1: the place is not named" && cat "$work/out" && bad=1; }
}

# fine NAME TEXT
fine() {
    printf '%s\nenum weft_a { WEFT_A_B };\nWEFT_API int weft_b(void);\n' "$2" >"$work/include/weft/planted.h"
    sh "$check" "$work" >"$work/out" || { echo "no fault, but refused: $1" && cat "$work/out" && bad=1; }
}

seen 'a constant without a prefix' 2 '/* sums */
typedef enum weft_reduction { WEFT_REDUCTION_MEAN, WEFT_SUM } weft_reduction;'
seen 'a prefix cut short' 1 'typedef enum weft_activation { WEFT_ACT_RELU } weft_activation;'
seen 'an enum without a name' 3 'int x;

enum { WEFT_CREATE_GRAPH = 1 };'
seen 'a flag of another function' 1 'typedef enum weft_grad_flags { WEFT_GRAD_UNUSED = 1, WEFT_CREATE = 2 } weft_grad_flags;'
seen 'a context that is not the first' 2 '
WEFT_API int weft_owned_fail(const void *handle, weft_ctx *ctx);'
seen 'a tensor after a number' 2 '
WEFT_API weft_tensor *weft_gather(weft_tensor *x, int64_t dim,
                                  weft_tensor *index);'
seen 'a result before a tensor' 1 'WEFT_API weft_status weft_cut(int64_t dim, weft_tensor **out, weft_tensor *x);'
seen 'a dim of another type' 1 'WEFT_API weft_tensor *weft_softmax(weft_tensor *x, int dim);'
seen 'another word for ndim' 1 'WEFT_API weft_tensor *weft_sum(weft_tensor *x, const int64_t *dims, int n_dims);'
seen 'options without struct_size' 1 'typedef struct weft_x_options { double lr; } weft_x_options;'
seen 'options without a macro' 1 'typedef struct weft_x_options {
    size_t struct_size; /* always */
    double lr;
} weft_x_options;'
seen 'a struct that is taken and cannot grow' 2 'typedef struct weft_x { int n; } weft_x;
WEFT_API int weft_f(weft_ctx *ctx, const weft_x *x);'
seen 'a struct that is filled and cannot grow' 2 'typedef struct weft_x { int n; } weft_x;
WEFT_API int weft_f(weft_ctx *ctx, weft_x *x);'
seen 'a struct by value' 2 'typedef struct weft_x { int n; } weft_x;
WEFT_API weft_x weft_f(const weft_ctx *ctx);'
fine 'structs' 'typedef struct weft_x_options {
    size_t struct_size; /* always */
    double lr;
} weft_x_options;
#define WEFT_X_DEFAULTS {sizeof(weft_x_options), 1}
typedef struct weft_x { int n; } weft_x;
/* Two numbers. Complete: it never grows. */
typedef struct weft_y { int n; } weft_y;
WEFT_API int weft_f(weft_ctx *ctx, const weft_x_options *o, const weft_y *in, weft_y *made, weft_x *x, size_t size);
WEFT_API int weft_g(weft_ctx *ctx, void (*row)(void *user, const weft_x *x), void *user);'
fine 'functions' 'WEFT_API weft_tensor *weft_forward(weft_module *module, weft_tensor *x);
WEFT_API WEFT_MUST_CHECK weft_status weft_grad(weft_ctx *ctx, weft_tensor *const *results, int n_results,
                     weft_tensor *const *inputs, int n, int flags, weft_tensor **out);
WEFT_API int64_t weft_each(weft_ctx *ctx, void (*report)(void *user, weft_tensor *leaf, const char *why), void *user);
WEFT_API weft_tensor *weft_sum(weft_tensor *x, const int64_t *dims, int ndim, bool keepdim); /* int dim */
WEFT_API weft_status weft_fail(weft_ctx *ctx, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;'
fine 'a prefix' 'typedef enum weft_fan { WEFT_FAN_IN, /* WEFT_SUM */ WEFT_FAN_OUT = 4 } weft_fan;'
fine 'flags' 'typedef enum weft_grad_flags {
    WEFT_GRAD_UNUSED = 1, // enum {
    WEFT_GRAD_CREATE = 2
} weft_grad_flags;'
fine 'dtypes' 'typedef enum weft_dtype { WEFT_F32 } weft_dtype;'
rm -f "$work/include/weft/planted.h"
sh "$check" "$work" >"$work/out" && echo "not seen: no headers at all" && bad=1

[ $bad = 0 ] && echo "api: fine"
exit $bad
