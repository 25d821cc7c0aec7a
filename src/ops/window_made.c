/* window_made.c - composites of windows: those along a dim, and the patches of images as columns (im2col) and back. */
#include <string.h>
#include "made.h"

/* ---- Records ---- */

/* i: dim, size, step */
CALL(windows)
{
    c->out[0] = weft_windows(c->in[0], c->i[0], c->i[1], c->i[2]);
}

/* i: stride, padding, dilation, each twice; six ones and zeros in the order of the defaults stand for NULL */
static const weft_conv2d_params *params_of(const int64_t *i, weft_conv2d_params *params)
{
    *params = (weft_conv2d_params)WEFT_CONV2D_DEFAULTS;
    for (int d = 0; d < 2; d++) {
        params->stride[d] = i[d];
        params->padding[d] = i[2 + d];
        params->dilation[d] = i[4 + d];
    }
    const weft_conv2d_params defaults = WEFT_CONV2D_DEFAULTS;
    const bool plain = memcmp(params->stride, defaults.stride, sizeof defaults.stride) == 0 &&
                       memcmp(params->padding, defaults.padding, sizeof defaults.padding) == 0 &&
                       memcmp(params->dilation, defaults.dilation, sizeof defaults.dilation) == 0;
    return plain ? NULL : params;
}

/* i: kernel (two), stride, padding, dilation (two each) */
CALL(unfold2d)
{
    weft_conv2d_params params;
    c->out[0] = weft_unfold2d(c->in[0], c->i, params_of(c->i + 2, &params));
}

/* i: size (two), kernel (two), stride, padding, dilation (two each) */
CALL(fold2d)
{
    weft_conv2d_params params;
    c->out[0] = weft_fold2d(c->in[0], c->i, c->i + 2, params_of(c->i + 4, &params));
}

WEFT__DEFINE_COMPOSITE(WINDOWS, windows,
                       PARTS(ANY_DTYPE, PART(ARANGE, OF_I64), PART(ADD, OF_I64), PART(INDEX_SELECT, AS_ALONE)),
                       GRADIENT("g, added up at the elements that it came from"),
                       WORK(weft__terms_one, weft__flops_none, weft__bytes_once),
                       SAMPLE(call_windows, RECIPE("xab", "1 2 1"), RECIPE("x9a", "0 4 2")))
WEFT__DEFINE_COMPOSITE(UNFOLD2D, unfold2d,
                       PARTS(ANY_DTYPE, PART(PAD, AS_ALONE), PART(ARANGE, OF_I64), PART(ADD, OF_I64),
                             PART(INDEX_SELECT, AS_ALONE)),
                       GRADIENT("fold2d of g"), WORK(weft__terms_one, weft__flops_none, weft__bytes_once),
                       SAMPLE(call_unfold2d, RECIPE("x2a34", "2 3 1 1 1 0 1 1"), RECIPE("x1a67", "2 2 2 3 1 1 2 1")))
WEFT__DEFINE_COMPOSITE(FOLD2D, fold2d, PARTS(FLOATS, PART(ARANGE, OF_I64), PART(ADD, OF_I64), PART(INDEX_ADD, WIDE)),
                       GRADIENT("unfold2d of g"), WORK(weft__terms_ratio, weft__flops_each, weft__bytes_once),
                       SAMPLE(call_fold2d, RECIPE("xa68", "3 4 2 3 1 1 1 0 1 1"),
                              RECIPE("x189", "6 7 2 2 2 3 1 1 2 1")))

/* ---- Places ---- */

enum { LONGEST = 1 << 30 }; /* sizes up to this cannot overflow by a stride, a dilation and padding */

/* i step + j other for i < n, j < m: [n m], in that order. */
static weft_tensor *places(weft_ctx *ctx, int64_t n, int64_t step, int64_t m, int64_t other)
{
    weft_tensor *first = weft_arange(ctx, WEFT_I64, 0, (double)(n * step), (double)step);
    weft_tensor *second = weft_arange(ctx, WEFT_I64, 0, (double)(m * other), (double)other);
    return weft_reshape(weft_add(weft_unsqueeze(first, 1), second), (const int64_t[]){n * m}, 1);
}

weft_tensor *weft_windows(weft_tensor *x, int64_t dim, int64_t size, int64_t step)
{
    ENTER_COMPOSITE(WINDOWS, &x, 1);
    const int d = weft__dim(ctx, WEFT_OP_WINDOWS, x, dim);
    if (d < 0)
        return weft__leave_with(ctx, NULL);
    const int64_t n = x->a.shape[d];
    if (size < 1 || size > n || size > LONGEST || step < 1 || step > LONGEST)
        REFUSE(WINDOWS, WEFT_E_INVALID,
               "windows of %lld elements every %lld of dim %d of %s; the size must be 1 to that dim's, the step at "
               "least 1",
               (long long)size, (long long)step, d, weft__describe(x).s);
    if (x->a.ndim == WEFT__MAX_DIMS)
        REFUSE(WINDOWS, WEFT_E_SHAPE, "%s has all of %d dims; windows need one more", weft__describe(x).s,
               WEFT__MAX_DIMS);
    const int64_t count = (n - size) / step + 1;
    int64_t shape[WEFT__MAX_DIMS], order[WEFT__MAX_DIMS];
    int ndim = 0;
    for (int k = 0; k < x->a.ndim; k++) {
        shape[ndim++] = k == d ? count : x->a.shape[k];
        if (k == d)
            shape[ndim++] = size;
    }
    for (int k = 0, next = 0; k < ndim; k++) {
        next += next == d + 1; /* which comes last */
        order[k] = k == ndim - 1 ? d + 1 : next++;
    }
    weft_tensor *y = weft_index_select(x, places(ctx, count, step, size, 1), d);
    return weft__leave_with(ctx, weft_permute(weft_reshape(y, shape, ndim), order, ndim));
}

/* ---- Patches ---- */

typedef struct patches {
    int64_t kernel[2], stride[2], padding[2], dilation[2];
    int64_t size[2]; /* of the image */
    int64_t n[2];    /* patches */
} patches;

/* t is what messages show; false: error recorded. */
static bool pack(weft_ctx *ctx, int op, const weft_tensor *t, const int64_t *size, const int64_t *kernel,
                 const weft_conv2d_params *params, patches *p)
{
    static const weft_conv2d_params defaults = WEFT_CONV2D_DEFAULTS;
    weft_conv2d_params known;
    if (!kernel || !size) {
        weft__fail(ctx, op, WEFT_E_NULL_ARGUMENT, "needs the %s, which is NULL", kernel ? "size" : "kernel");
        return false;
    }
    if (weft_struct_in(ctx, weft__ops[op].name, "weft_conv2d_params", &defaults, params, &known) != WEFT_OK)
        return false;
    if (known.groups != 1 || known.output_padding[0] || known.output_padding[1]) {
        weft__fail(ctx, op, WEFT_E_INVALID, "patches have no groups (%lld) and no output_padding (%lld, %lld)",
                   (long long)known.groups, (long long)known.output_padding[0], (long long)known.output_padding[1]);
        return false;
    }
    for (int d = 0; d < 2; d++) {
        if (!weft__field_fits(ctx, op, "kernel", d, kernel[d], 1, LONGEST, t) ||
            !weft__field_fits(ctx, op, "stride", d, known.stride[d], 1, LONGEST, t) ||
            !weft__field_fits(ctx, op, "padding", d, known.padding[d], 0, LONGEST, t) ||
            !weft__field_fits(ctx, op, "dilation", d, known.dilation[d], 1, LONGEST, t) ||
            !weft__field_fits(ctx, op, "size", d, size[d], 0, LONGEST, t))
            return false;
        p->kernel[d] = kernel[d];
        p->stride[d] = known.stride[d];
        p->padding[d] = known.padding[d];
        p->dilation[d] = known.dilation[d];
        p->size[d] = size[d];
        const int64_t room = size[d] + 2 * known.padding[d] - known.dilation[d] * (kernel[d] - 1) - 1;
        p->n[d] = room < 0 ? 0 : room / known.stride[d] + 1;
        if (p->n[d] == 0) {
            weft__fail(
                ctx, op, WEFT_E_SHAPE,
                "a kernel of %lld elements, dilated %lld, does not fit into a side of %lld with %lld zeros on both "
                "sides; the operand is %s",
                (long long)kernel[d], (long long)known.dilation[d], (long long)size[d], (long long)known.padding[d],
                weft__describe(t).s);
            return false;
        }
    }
    return true;
}

/* Which rows (d 0) or columns (d 1) of the padded image the kernel's rows or columns are over, patch by patch. */
static weft_tensor *places_of(weft_ctx *ctx, const patches *p, int d)
{
    return places(ctx, p->kernel[d], p->dilation[d], p->n[d], p->stride[d]);
}

weft_tensor *weft_unfold2d(weft_tensor *x, const int64_t *kernel, const weft_conv2d_params *params)
{
    ENTER_COMPOSITE(UNFOLD2D, &x, 1);
    patches p;
    if (!weft__need_rank(ctx, WEFT_OP_UNFOLD2D, "x", x, 4, 4) ||
        !pack(ctx, WEFT_OP_UNFOLD2D, x, x->a.shape + 2, kernel, params, &p))
        return weft__leave_with(ctx, NULL);
    const int64_t n = x->a.shape[0], channels = x->a.shape[1], border[] = {0, 0, p.padding[0], p.padding[1]};
    weft_tensor *y = p.padding[0] || p.padding[1] ? weft_pad(x, border, border, 4, 0) : x;
    for (int d = 0; d < 2; d++)
        y = weft_index_select(y, places_of(ctx, &p, d), 2 + d);
    y = weft_reshape(y, (const int64_t[]){n, channels, p.kernel[0], p.n[0], p.kernel[1], p.n[1]}, 6);
    y = weft_permute(y, (const int64_t[]){0, 1, 2, 4, 3, 5}, 6);
    const int64_t shape[] = {n, channels * p.kernel[0] * p.kernel[1], p.n[0] * p.n[1]};
    return weft__leave_with(ctx, weft_reshape(y, shape, 3));
}

weft_tensor *weft_fold2d(weft_tensor *x, const int64_t *size, const int64_t *kernel, const weft_conv2d_params *params)
{
    static const char *const names[] = {"x"};
    ENTER_COMPOSITE(FOLD2D, &x, 1);
    weft_dtype dtype;
    patches p;
    if (!weft__join_floats(ctx, WEFT_OP_FOLD2D, &x, names, 1, &dtype) ||
        !weft__need_rank(ctx, WEFT_OP_FOLD2D, "x", x, 3, 3) || !pack(ctx, WEFT_OP_FOLD2D, x, size, kernel, params, &p))
        return weft__leave_with(ctx, NULL);
    const int64_t n = x->a.shape[0], taps = p.kernel[0] * p.kernel[1], channels = x->a.shape[1] / taps;
    if (x->a.shape[1] % taps != 0 || x->a.shape[2] != p.n[0] * p.n[1])
        REFUSE(FOLD2D, WEFT_E_SHAPE,
               "%s must be [N, C %lld, %lld]: columns of %lld x %lld numbers for %lld x %lld patches",
               weft__describe(x).s, (long long)taps, (long long)(p.n[0] * p.n[1]), (long long)p.kernel[0],
               (long long)p.kernel[1], (long long)p.n[0], (long long)p.n[1]);
    const int64_t height = p.size[0] + 2 * p.padding[0], width = p.size[1] + 2 * p.padding[1];
    weft_tensor *y = weft_reshape(x, (const int64_t[]){n, channels, p.kernel[0], p.kernel[1], p.n[0], p.n[1]}, 6);
    y = weft_permute(y, (const int64_t[]){0, 1, 2, 4, 3, 5}, 6);
    const int64_t rows = p.kernel[0] * p.n[0], sides[][4] = {{n, channels, height, width}, {n, channels, rows, width}};
    y = weft_reshape(y, (const int64_t[]){n, channels, rows, p.kernel[1] * p.n[1]}, 4);
    for (int d = 1; d >= 0; d--)
        y = weft_index_add(weft_zeros(ctx, (weft_dtype)x->a.dtype, sides[d], 4), places_of(ctx, &p, d), y, 2 + d);
    for (int d = 0; d < 2; d++)
        y = weft_slice(y, 2 + d, p.padding[d], p.padding[d] + p.size[d], 1);
    return weft__leave_with(ctx, weft__narrowed(y, dtype));
}
