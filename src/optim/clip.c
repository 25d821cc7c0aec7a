/* clip.c - limits gradients by their joint norm or by value. A user of the public API. */
#define WEFT_NO_CALL_SITES
#include <math.h>
#include <weft/weft.h>

static bool usable(weft_ctx *ctx, const char *name, weft_tensor *const *params, int n, double limit)
{
    if (!ctx || weft_ctx_status(ctx) != WEFT_OK)
        return false;
    if (!params || n < 1 || !(limit > 0)) {
        weft_ctx_fail(ctx, WEFT_E_INVALID, "weft_%s: needs at least one parameter and a positive limit, not %g", name,
                      limit);
        return false;
    }
    for (int k = 0; k < n; k++)
        if (weft_check(ctx, name, params[k], "parameter", k) != WEFT_OK)
            return false;
    return true;
}

/* The norms are added up in double, scaled by the largest so that squares do not overflow. */
static double joint_norm(weft_ctx *ctx, weft_tensor *const *params, int n)
{
    double largest = 0, sum = 0;
    for (int k = 0; k < n; k++) {
        weft_tensor *g = weft_grad_of(params[k]);
        if (!g)
            continue;
        double norm = weft_item(ctx, weft_norm(g, WEFT_ALL, false));
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
    if (!usable(ctx, "clip_grad_norm", params, n, max_norm))
        return (double)NAN;
    int mark = weft_scope_push(ctx);
    bool recording = weft_set_grad_enabled(ctx, false);
    double norm = joint_norm(ctx, params, n);
    if (isfinite(norm) && norm > max_norm) {
        for (int k = 0; k < n; k++) {
            weft_tensor *g = weft_grad_of(params[k]);
            if (g)
                weft_mul_(g, weft_scalar(ctx, WEFT_F64, max_norm / norm));
        }
    }
    weft_set_grad_enabled(ctx, recording);
    return weft_scope_pop(ctx, mark) == WEFT_OK ? norm : (double)NAN;
}

weft_status weft_clip_grad_value(weft_ctx *ctx, weft_tensor *const *params, int n, double limit)
{
    if (!usable(ctx, "clip_grad_value", params, n, limit))
        return ctx ? weft_ctx_status(ctx) : WEFT_E_NULL_ARGUMENT;
    int mark = weft_scope_push(ctx);
    bool recording = weft_set_grad_enabled(ctx, false);
    for (int k = 0; k < n; k++) {
        weft_tensor *g = weft_grad_of(params[k]);
        if (g)
            weft_copy_(g, weft_clamp(g, -limit, limit));
    }
    weft_set_grad_enabled(ctx, recording);
    return weft_scope_pop(ctx, mark);
}
