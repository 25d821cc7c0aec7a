/* value.c - values from outside that a dtype cannot hold: bytes of a bool, real numbers for integers. */
#include "engine/engine.h"
#include "base/number.h"

/* ---- Bool: bytes 0 and 1, everywhere inside ---- */

int64_t weft__first_untruth(const void *bytes, size_t n)
{
    const unsigned char *b = bytes;
    size_t k = 0;
    while (k < n) {
        const size_t end = n - k > 4096 ? k + 4096 : n;
        unsigned char seen = 0;
        for (size_t i = k; i < end; i++)
            seen |= b[i];
        if (seen > 1)
            break;
        k = end;
    }
    while (k < n && b[k] <= 1)
        k++;
    return k < n ? (int64_t)k : -1;
}

weft_status weft__make_truths(weft_ctx *ctx, weft__array *a)
{
    weft__array bytes = *a;
    bytes.dtype = WEFT_U8;
    return weft__copy_array(ctx, &bytes, a);
}

/* ---- Real numbers that meet integers ----
 * Arithmetic of integers is done in i64 and wraps, that of a u8 with -1 too; but 0.5 would become 0 without a word. */

bool weft__scalar_fits(weft_ctx *ctx, int op, const char *what, double value, const weft_tensor *x)
{
    if (weft_dtype_is_float((weft_dtype)x->a.dtype) || weft__holds(WEFT_I64, value))
        return true;
    weft__fail(ctx, op, WEFT_E_DTYPE,
               "%s is %g, which %s, an integer, cannot meet without being cut; weft_cast it to a floating dtype first",
               what, value, weft__describe(x).s);
    return false;
}

/* A limit may lie beyond the dtype, infinity included, as long as no element would have to go there. */
static bool limit_fits(weft_ctx *ctx, const char *what, double limit, bool reachable, const weft_tensor *x)
{
    if (limit != floor(limit))
        return weft__scalar_fits(ctx, WEFT_OP_CLAMP, what, limit, x);
    if (reachable)
        return true;
    weft__fail(ctx, WEFT_OP_CLAMP, WEFT_E_DTYPE, "%s is %g, which %s cannot hold; weft_cast %s first", what, limit,
               weft_dtype_name((weft_dtype)x->a.dtype), weft__describe(x).s);
    return false;
}

bool weft__scalars_fit(weft_ctx *ctx, int op, double p, double q, const weft_tensor *x)
{
    if (weft__ops[op].cls != WEFT__NUM || weft_dtype_is_float((weft_dtype)x->a.dtype))
        return true;
    if (op != WEFT_OP_CLAMP)
        return weft__scalar_fits(ctx, op, "the scalar", p, x);
    const weft__int_range b = weft__int_range_of(x->a.dtype == WEFT_BOOL ? WEFT_I64 : x->a.dtype);
    return limit_fits(ctx, "lo", p, p <= (double)b.hi, x) && limit_fits(ctx, "hi", q, q >= (double)b.lo, x);
}
