/* loop.c - what a training loop does with batches. See weft/nn.h. */
#define WEFT_NO_CALL_SITES
#include <math.h>
#include <weft/extend.h>
#include <weft/nn.h>

/* Whether all tensors are there, with equally many rows. */
static weft_status check_rows(weft_ctx *ctx, weft_tensor *const *tensors, int n)
{
    for (int k = 0; k < n; k++) {
        const weft_status status = weft_check(ctx, "batch", tensors[k], "tensor", k);
        if (status != WEFT_OK)
            return status;
        if (weft_ndim(tensors[k]) < 1 || weft_size(tensors[k], 0) != weft_size(tensors[0], 0))
            return weft_ctx_fail(ctx, WEFT_E_SHAPE,
                                 "weft_batch: tensor 0 has %lld rows and tensor %d %lld; they must be equally many",
                                 (long long)weft_size(tensors[0], 0), k, (long long)weft_size(tensors[k], 0));
    }
    return WEFT_OK;
}

weft_status weft_batch(weft_ctx *ctx, weft_tensor *const *tensors, int n, weft_tensor *index, weft_tensor **out)
{
    if (!ctx)
        return WEFT_E_NULL_ARGUMENT;
    for (int k = 0; k < n && out; k++)
        out[k] = NULL;
    if (weft_ctx_status(ctx) != WEFT_OK)
        return weft_ctx_status(ctx);
    if (!tensors || !out || n < 1)
        return weft_ctx_fail(ctx, WEFT_E_NULL_ARGUMENT, "weft_batch: n is %d, and tensors and out must be there", n);
    weft_status status = check_rows(ctx, tensors, n);
    if (status == WEFT_OK)
        status = weft_check(ctx, "batch", index, "index", -1);
    if (status == WEFT_OK && weft_ndim(index) != 1)
        status = weft_ctx_fail(ctx, WEFT_E_SHAPE, "weft_batch: index has %d dims; it is a list of rows, [B]",
                               weft_ndim(index));
    if (status != WEFT_OK)
        return status;
    const int mark = weft_scope_push(ctx);
    for (int k = 0; k < n; k++)
        out[k] = weft_escape(weft_index_select(tensors[k], index, 0));
    status = weft_scope_pop(ctx, mark);
    for (int k = 0; k < n && status != WEFT_OK; k++) {
        weft_drop(out[k]);
        out[k] = NULL;
    }
    return status;
}

/* The order of n random numbers; equal ones among 2^53 would stay in theirs. */
weft_tensor *weft_randperm(weft_ctx *ctx, int64_t n)
{
    if (!ctx || weft_ctx_status(ctx) != WEFT_OK)
        return NULL;
    if (n < 0) {
        weft_ctx_fail(ctx, WEFT_E_INVALID, "weft_randperm: n is %lld; it must be at least 0", (long long)n);
        return NULL;
    }
    const int mark = weft_scope_push_no_grad(ctx);
    weft_tensor *y = weft_escape(weft_argsort(weft_rand(ctx, WEFT_F64, WEFT_DIMS(n), 0, 1), 0, false));
    return weft_scope_pop(ctx, mark) == WEFT_OK ? y : NULL;
}

/* For each row whether its target is among the k largest. */
static weft_tensor *is_right(weft_tensor *logits, weft_tensor *target, int64_t k)
{
    if (k == 1)
        return weft_eq(weft_argmax(logits, WEFT_DIMS(-1), false), target);
    weft_tensor *values, *places;
    if (weft_topk(logits, k, -1, true, &values, &places) != WEFT_OK)
        return NULL;
    return weft_any(weft_eq(places, weft_unsqueeze(target, -1)), WEFT_DIMS(-1), false);
}

double weft_accuracy(weft_ctx *ctx, weft_tensor *logits, weft_tensor *target, int64_t k)
{
    if (!ctx || weft_check(ctx, "accuracy", logits, "logits", -1) != WEFT_OK ||
        weft_check(ctx, "accuracy", target, "target", -1) != WEFT_OK)
        return NAN;
    const int ndim = weft_ndim(target);
    bool fits = weft_ndim(logits) == ndim + 1;
    for (int d = 0; d < ndim && fits; d++)
        fits = weft_size(logits, d) == weft_size(target, d);
    const weft_dtype dtype = weft_dtype_of(target);
    if (!fits || k < 1 || k > weft_size(logits, -1) || (dtype != WEFT_I64 && dtype != WEFT_I32)) {
        weft_ctx_fail(
            ctx, fits && (dtype == WEFT_I64 || dtype == WEFT_I32) ? WEFT_E_INVALID : WEFT_E_SHAPE,
            "weft_accuracy: logits have %d dims, target has %d and is %s, k is %lld; logits must be [..., C], "
            "target [...] of i64 or i32, and k 1 to C",
            weft_ndim(logits), ndim, weft_dtype_name(dtype), (long long)k);
        return NAN;
    }
    const int mark = weft_scope_push_no_grad(ctx);
    weft_tensor *right = weft_cast(is_right(logits, target, k), WEFT_F64);
    const double share = weft_count(target) > 0 ? weft_item(ctx, weft_mean(right, WEFT_ALL, false)) : (double)NAN;
    return weft_scope_pop(ctx, mark) == WEFT_OK ? share : (double)NAN;
}
