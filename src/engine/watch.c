/* watch.c - the NaN watch: which operation first made a NaN or infinity, and where one came in. */
#include <stdio.h>
#include "engine/engine.h"

int64_t weft__count_nonfinite(weft_ctx *ctx, const weft__array *a)
{
    if (!weft_dtype_is_float((weft_dtype)a->dtype) || a->count == 0)
        return 0;
    int64_t n = 0;
    weft__storage *s = weft__storage_new(ctx, sizeof n);
    if (!s)
        return weft__fail_named(ctx, "nan_watch", WEFT_E_NOMEM, "out of memory for a count"), 0;
    weft__array result = {.data = s->data, .dtype = WEFT_I64, .count = 1, .contiguous = true};
    weft_status status = weft__run_kernel(ctx, WEFT_OP_COUNT_NONFINITE, (const weft__array *[]){a}, 1,
                                          (weft__array *[]){&result}, 1, NULL);
    if (status == WEFT_OK) {
        status = ctx->backend->to_host(ctx->device, &n, s->data, sizeof n);
        if (status != WEFT_OK)
            weft__fail_device(ctx, "nan_watch", status, "the copy from the device failed");
    }
    weft__storage_release(ctx, s);
    return n;
}

int weft__first_nonfinite(weft_ctx *ctx, weft_tensor *const *in, int n)
{
    for (int k = 0; k < n; k++)
        if (in[k] && weft__count_nonfinite(ctx, &in[k]->a))
            return k;
    return -1;
}

/* " in the backward pass, in the derivative of weft_softmax (called at train.c:31)" */
static weft__reason pass_text(const weft_ctx *ctx)
{
    weft__reason text = {" in the forward pass"};
    const weft__node *node = ctx->deriving;
    if (ctx->in_backward && node)
        weft_text(text.s, sizeof text.s, " in the backward pass, in or after the derivative of weft_%s (called at %s)",
                  weft__node_name(node), weft__site_text(node->site).s);
    else if (ctx->in_backward)
        weft_text(text.s, sizeof text.s, " in the backward pass");
    return text;
}

/* The operation that first turns finite operands into a NaN or infinity is the one to name. */
bool weft__watch_results(weft_ctx *ctx, const char *name, weft_tensor *const *in, int n, weft_tensor *const *out,
                         int n_out)
{
    const int k = weft__first_nonfinite(ctx, out, n_out);
    if (k < 0 || weft__first_nonfinite(ctx, in, n) >= 0)
        return ctx->status == WEFT_OK;
    char which[32] = "";
    if (n_out > 1)
        snprintf(which, sizeof which, "result %d, ", k);
    weft__fail_named(ctx, name, WEFT_E_NOT_FINITE,
                     "made %lld NaN or infinite elements of %lld in %s%s from finite operands%s (first operand: %s)",
                     (long long)weft__count_nonfinite(ctx, &out[k]->a), (long long)out[k]->a.count, which,
                     weft__describe(out[k]).s, pass_text(ctx).s, n ? weft__describe(in[0]).s : "none");
    return false;
}

/* Back along the tape from a tensor with NaN or infinite elements to the first one that had them: what came in with
 * them (an input of the program), or what an operation made of finite operands. */
static const weft_tensor *origin(weft_ctx *ctx, const weft_tensor *t)
{
    while (t->node) {
        const int k = weft__first_nonfinite(ctx, t->node->in, t->node->n_in);
        if (k < 0)
            break;
        t = t->node->in[k];
    }
    return t;
}

void weft__watch_gradients(weft_ctx *ctx, const weft__node *node, weft_tensor *const *gs, weft_tensor *const *out)
{
    if (ctx->status != WEFT_OK || weft__first_nonfinite(ctx, gs, node->n_out) >= 0)
        return;
    const int bad = weft__first_nonfinite(ctx, out, node->n_in);
    if (bad < 0)
        return;
    const int from = weft__first_nonfinite(ctx, node->in, node->n_in);
    char cause[512] = "";
    if (from >= 0) {
        const weft_tensor *first = origin(ctx, node->in[from]);
        snprintf(cause, sizeof cause,
                 "; its operand %d came in with NaN or infinite elements, first seen in %s, made by weft_%s at %s",
                 from, weft__describe(first).s, first->maker, weft__site_text(first->site).s);
    }
    weft__fail_named(
        ctx, "backward", WEFT_E_NOT_FINITE,
        "in the backward pass the derivative of weft_%s (called at %s) made NaN or infinite elements in the "
        "gradient of operand %d (%s) from a finite gradient%s",
        weft__node_name(node), weft__site_text(node->site).s, bad, weft__describe(node->in[bad]).s, cause);
}
