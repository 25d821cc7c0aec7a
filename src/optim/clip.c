/* clip.c - limits gradients by their joint norm or by value. A user of the public API. */
#include <math.h>
#include "list.h"

/* The parameters to clip, each once. */
typedef struct clipping {
    weft_ctx *ctx;
    size_t bytes;
    weft_tensor **params;
    int n, mark;
    bool recording;
} clipping;

/* True: end must follow. */
static bool begin(clipping *c, weft_ctx *ctx, const char *function, weft_tensor *const *params, int n, const char *what,
                  double limit)
{
    if (!ctx || weft_ctx_status(ctx) != WEFT_OK)
        return false;
    if (!(limit > 0)) {
        weft_ctx_fail(ctx, WEFT_E_INVALID, "weft_%s: %s is %g; it must be above 0", function, what, limit);
        return false;
    }
    if (weft_check_params(ctx, function, params, n, 0) != WEFT_OK)
        return false;
    *c = (clipping){.ctx = ctx, .bytes = sizeof(weft_tensor *) * (size_t)n};
    c->params = weft_ctx_alloc(ctx, c->bytes);
    c->n = c->params ? weft__distinct(ctx, params, n, c->params) : -1;
    c->mark = c->n >= 0 ? weft_scope_push(ctx) : -1;
    if (c->mark < 0) {
        weft_ctx_free(ctx, c->params, c->bytes);
        return false;
    }
    c->recording = weft_set_grad_enabled(ctx, false);
    return true;
}

static weft_status end(clipping *c)
{
    weft_set_grad_enabled(c->ctx, c->recording);
    weft_ctx_free(c->ctx, c->params, c->bytes);
    return weft_scope_pop(c->ctx, c->mark);
}

/* In f64, or f32 where g is of a narrower type: its own type may not hold it. */
static double norm_of(weft_ctx *ctx, weft_tensor *g)
{
    const int mark = weft_scope_push(ctx);
    weft_tensor *wide = weft_dtype_of(g) == WEFT_F64 ? g : weft_cast(g, WEFT_F32);
    const double norm = weft_item(ctx, weft_norm(wide, WEFT_ALL, false));
    return weft_scope_pop(ctx, mark) == WEFT_OK ? norm : (double)NAN;
}

/* The norms are added up in double, scaled by the largest so that squares do not overflow. */
static double joint_norm(const clipping *c)
{
    double largest = 0, sum = 0;
    for (int k = 0; k < c->n; k++) {
        weft_tensor *g = weft_grad_of(c->params[k]);
        if (!g)
            continue;
        double norm = norm_of(c->ctx, g);
        if (!isfinite(norm))
            return norm;
        if (norm > largest) {
            sum = sum * (largest / norm) * (largest / norm) + 1;
            largest = norm;
        } else if (norm > 0) {
            sum += (norm / largest) * (norm / largest);
        }
    }
    return largest * sqrt(sum);
}

double weft_clip_grad_norm(weft_ctx *ctx, weft_tensor *const *params, int n, double max_norm)
{
    clipping c;
    if (!begin(&c, ctx, "clip_grad_norm", params, n, "max_norm", max_norm))
        return (double)NAN;
    double norm = joint_norm(&c);
    if (isfinite(norm) && norm > max_norm) {
        for (int k = 0; k < c.n; k++) {
            weft_tensor *g = weft_grad_of(c.params[k]);
            if (g) /* the factor may be less than g's type can hold */
                weft_copy_(g, weft_mul_scalar(g, max_norm / norm));
        }
    }
    return end(&c) == WEFT_OK ? norm : (double)NAN;
}

weft_status weft_clip_grad_value(weft_ctx *ctx, weft_tensor *const *params, int n, double limit)
{
    clipping c;
    if (!begin(&c, ctx, "clip_grad_value", params, n, "limit", limit))
        return weft_ctx_status(ctx);
    for (int k = 0; k < c.n; k++) {
        weft_tensor *g = weft_grad_of(c.params[k]);
        if (g)
            weft_copy_(g, weft_clamp(g, -limit, limit));
    }
    return end(&c);
}
