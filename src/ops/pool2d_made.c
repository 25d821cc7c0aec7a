/* pool2d_made.c - pools of lines, which are pictures one pixel high, and of whole pictures. */
#include <math.h>
#include "made.h"

/* i: kernel, stride, padding */
CALL(max_pool1d)
{
    c->out[0] = weft_max_pool1d(c->in[0], c->i[0], c->i[1], c->i[2]);
}

/* i: kernel, stride, padding */
CALL(avg_pool1d)
{
    c->out[0] = weft_avg_pool1d(c->in[0], c->i[0], c->i[1], c->i[2]);
}

/* i: kernel, stride; f: the order */
CALL(lp_pool2d)
{
    c->out[0] = weft_lp_pool2d(c->in[0], c->f[0], c->i[0], c->i[1]);
}

WEFT__DEFINE_COMPOSITE(MAX_POOL1D, max_pool1d, PARTS(FLOATS, PART(MAX_POOL2D, AS_ALONE)),
                       GRADIENT("each g to the largest element of its window"), ROW_ONCE,
                       SAMPLE(call_max_pool1d, RECIPE("x2a8", "2 2 0"), RECIPE("x239", "3 2 1")))
WEFT__DEFINE_COMPOSITE(AVG_POOL1D, avg_pool1d, PARTS(FLOATS, PART(AVG_POOL2D, AS_ALONE)),
                       GRADIENT("g / kernel to each element of the window"), ROW_ONCE,
                       SAMPLE(call_avg_pool1d, RECIPE("x2a8", "2 2 0"), RECIPE("x239", "3 2 1")))
WEFT__DEFINE_COMPOSITE(LP_POOL2D, lp_pool2d,
                       PARTS(FLOATS, PART(ABS, WIDE), PART(POW_SCALAR, WIDE), PART(AVG_POOL2D, WIDE),
                             PART(MUL_SCALAR, WIDE)),
                       GRADIENT("g sign(x) (|x| / y)^(order - 1)"), ROW_ONCE,
                       SAMPLE(call_lp_pool2d, RECIPE("p2a68", "2 2; 3")))

/* op over windows of one row. */
static weft_tensor *pooled(int op, weft_tensor *x, int64_t kernel, int64_t stride, int64_t padding)
{
    weft_ctx *ctx = weft__enter(op, &x, 1, 0);
    if (!ctx)
        return NULL;
    if (!weft__localise(ctx, &x, 1) || !weft__need_float(ctx, op, "x", x) || !weft__need_rank(ctx, op, "x", x, 3, 3))
        return weft__leave_with(ctx, NULL);
    weft_pool2d_params window = WEFT_POOL2D_DEFAULTS;
    window.kernel[0] = window.stride[0] = 1;
    window.kernel[1] = kernel;
    window.stride[1] = stride;
    window.padding[1] = padding;
    weft_tensor *rows = weft_unsqueeze(x, 2);
    weft_tensor *y = op == WEFT_OP_MAX_POOL1D ? weft_max_pool2d(rows, &window) : weft_avg_pool2d(rows, &window);
    return weft__leave_with(ctx, weft_squeeze(y, WEFT_DIMS(2)));
}

weft_tensor *weft_max_pool1d(weft_tensor *x, int64_t kernel, int64_t stride, int64_t padding)
{
    return pooled(WEFT_OP_MAX_POOL1D, x, kernel, stride, padding);
}

weft_tensor *weft_avg_pool1d(weft_tensor *x, int64_t kernel, int64_t stride, int64_t padding)
{
    return pooled(WEFT_OP_AVG_POOL1D, x, kernel, stride, padding);
}

weft_tensor *weft_lp_pool2d(weft_tensor *x, double order, int64_t kernel, int64_t stride)
{
    static const char *const names[] = {"x"};
    ENTER_COMPOSITE(LP_POOL2D, &x, 1);
    weft_dtype dtype;
    if (!(order > 0))
        REFUSE(LP_POOL2D, WEFT_E_INVALID, "the order is %g, but must be positive", order);
    if (!weft__join_floats(ctx, WEFT_OP_LP_POOL2D, &x, names, 1, &dtype))
        return weft__leave_with(ctx, NULL);
    weft_pool2d_params window = WEFT_POOL2D_DEFAULTS;
    window.kernel[0] = window.kernel[1] = kernel;
    window.stride[0] = window.stride[1] = stride;
    /* An even power has no kink at 0, where the derivatives of the absolute value would end it. */
    weft_tensor *size = fmod(order, 2) == 0 ? x : weft_abs(x);
    weft_tensor *mean = weft_avg_pool2d(weft_pow_scalar(size, order), &window);
    weft_tensor *sum = weft_mul_scalar(mean, (double)kernel * (double)kernel);
    return weft__leave_with(ctx, weft__narrowed(weft_pow_scalar(sum, 1 / order), dtype));
}
