/* samples.c - see samples.h. */
#include "samples.h"

#include <string.h>
#include "base/op_def.h"

/* ---- Values ---- */

/* Values at which formulas have a case: 0, the limits that clamp gets, whole numbers. Two operands have them at the
 * same elements, so that there are ties, too; products have zeros. */
static void put_points(void *user, int k, weft_dtype dtype, double *values, int64_t count)
{
    static const double points[] = {0, 1, -1, 1.5, 0.5, 2};
    enum { POINTS = sizeof points / sizeof points[0], FEW = 64 };
    const int op = *(const int *)user;
    if (!weft_dtype_is_float(dtype) || count < FEW)
        return;
    double lo = values[0], hi = values[0];
    for (int64_t e = 1; e < count; e++) {
        lo = values[e] < lo ? values[e] : lo;
        hi = values[e] > hi ? values[e] : hi;
    }
    for (int p = 0; p < POINTS; p++)
        if (points[p] >= lo && points[p] <= hi)
            values[p] = points[p];
    for (int z = 0; z < 3 && op == WEFT_OP_PROD && k == 0; z++)
        values[z * (count / 5 - 1)] = 0;
}

/* ---- Layouts ---- */

/* The same values, stored in such a way that a view of them has the layout. */
static weft_tensor *stored_for(weft_tensor *t, weft_layout layout)
{
    const int ndim = weft_ndim(t);
    if (layout == WEFT_LAYOUT_TRANSPOSED && ndim > 1)
        return weft_clone(weft_transpose(t, -1, -2));
    if (layout != WEFT_LAYOUT_SLICED || ndim == 0)
        return t;
    int64_t around[WEFT_MAX_DIMS] = {0};
    around[ndim - 1] = 1;
    return weft_pad(t, around, around, ndim, 1);
}

static weft_tensor *view_of(weft_tensor *stored, weft_layout layout)
{
    const int ndim = stored ? weft_ndim(stored) : 0;
    if (layout == WEFT_LAYOUT_TRANSPOSED && ndim > 1)
        return weft_transpose(stored, -1, -2);
    if (layout != WEFT_LAYOUT_SLICED || ndim == 0)
        return stored;
    return weft_slice(stored, -1, 1, weft_size(stored, -1) - 1, 1);
}

/* Operand k in its layout: a view of a leaf, where it is differentiated. Indices and truth values stay contiguous. */
static void lay_out(weft__sampler *s, int k, weft_layout layout)
{
    weft_tensor *t = s->call.in[k];
    if (!t || weft_dtype_of(t) != s->call.dtype)
        return;
    weft_tensor *stored = stored_for(t, layout);
    if (s->call.smooth[k] && stored && weft_dtype_is_float(s->call.dtype)) {
        stored = weft_param(stored, "sample");
        if (stored)
            s->leaves[s->n_leaves++] = stored;
    }
    s->call.in[k] = view_of(stored, layout);
}

bool weft__sampler_make(weft__sampler *s, weft_ctx *ctx, int op, int recipe, weft_dtype dtype, weft_layout layout)
{
    *s = (weft__sampler){.n_leaves = 0};
    const weft__op_def *def = weft__defs[op];
    const char *words = recipe < WEFT__MAX_RECIPES ? def->recipes[recipe].operands : NULL;
    if (!words)
        return false;
    weft_sample_options o = WEFT_SAMPLE_DEFAULTS;
    o.recipe = recipe;
    o.dtype = dtype;
    memcpy(o.sizes, strchr(words, 'd') ? (const int64_t[]){2, 6, 9, 7} : (const int64_t[]){13, 37, 9, 0},
           sizeof o.sizes);
    o.change = put_points;
    o.user = &op;
    if (weft_sample_make(ctx, op, &o, &s->call) != WEFT_OK)
        return false;
    for (int k = 0; k < s->call.n_in && def->effect != WEFT__STEPS; k++) /* steps take contiguous tensors alone */
        lay_out(s, k, layout);
    return ctx->status == WEFT_OK;
}

void weft__sampler_drop(weft__sampler *s)
{
    for (int k = 0; k < s->n_leaves; k++)
        weft_release(s->leaves[k]);
    s->n_leaves = 0;
}
