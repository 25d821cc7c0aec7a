/* bounds.c - which operations may differ by how much. */
#include <math.h>
#include "base/op_def.h"
#include "judge.h"

/* The launch as its record sees it. Operands beyond those that a record describes are never asked for. */
static weft__work work_of(const weft__frozen *f, const weft__array **in, const weft__array **out)
{
    const int n_in = f->n_in < WEFT__MAX_DEF_OPERANDS ? f->n_in : WEFT__MAX_DEF_OPERANDS;
    const int n_out = f->n_out < WEFT__MAX_DEF_RESULTS ? f->n_out : WEFT__MAX_DEF_RESULTS;
    for (int k = 0; k < n_in; k++)
        in[k] = f->in[k].block ? &f->in[k].a : NULL;
    for (int k = 0; k < n_out; k++)
        out[k] = f->out[k].block ? &f->out[k].a : NULL;
    return (weft__work){
        .op = f->op, .n_in = n_in, .n_out = n_out, .in = in, .out = out, .attrs = f->has_attrs ? &f->attrs : NULL};
}

weft__agreement weft__agreement_of(const weft__frozen *f, int result)
{
    if (!weft_dtype_is_float((weft_dtype)f->out[result].a.dtype))
        return WEFT__EXACT;
    if (f->grad || f->custom) /* of a callback nothing is known: the widest */
        return WEFT__DERIVED;
    const weft__op_def *def = weft__defs[f->op];
    return (weft__agreement)def->agreement[result < def->n_out ? result : 0];
}

int64_t weft__terms_of(const weft__frozen *f, int result)
{
    const weft__array *in[WEFT__MAX_DEF_OPERANDS], *out[WEFT__MAX_DEF_RESULTS];
    if (f->grad || f->custom || f->n_in == 0 || !f->in[0].block || !f->out[result].block)
        return 1;
    const weft__work w = work_of(f, in, out);
    return result < w.n_out ? weft__defs[f->op]->terms(&w, result) : 1;
}

/* ---- Bounds ---- */

/* What the roundings of two sums of n terms in f32 typically come to, as a share of the sum of their sizes. No partial
 * sum is larger than that sum, so that each rounding is at most u = 2^-24 of it and, rounded either way, typically u /
 * sqrt(3): sqrt(2 n / 3) u after 2 n of them. A few large terms of one sign, the first of a sequential sum, come close
 * to it. Short sums: what a product, a bias and an activation add. Long ones: every kernel adds in blocks. */
static double summed(int64_t terms)
{
    const double typical = 0x1p-24 * sqrt((double)terms);
    return typical < 6e-7 ? 6e-7 : typical > 2e-5 ? 2e-5 : typical;
}

typedef struct column {
    double elementwise, sum, gradient;
} column;

/* The table's row of a dtype; that of f64 is f32's, scaled by the 29 bits that f64 has more, and a little. */
static column row_of(weft_dtype dtype, int64_t terms)
{
    switch (dtype) {
    case WEFT_F64:
        return (column){2e-14, summed(terms) * 1e-8, 1e-12};
    case WEFT_F16:
        return (column){1e-3, 1e-3, 2e-3};
    case WEFT_BF16:
        return (column){8e-3, 5e-3, 1e-2};
    default:
        return (column){2e-6, summed(terms), 1e-5};
    }
}

weft__bounds weft__bounds_of(weft__agreement how, weft_dtype dtype, int64_t terms)
{
    const column c = row_of(dtype, terms);
    const bool half = weft__is_half((int32_t)dtype);
    const double one = (half ? 2 : WEFT__FEW) * c.sum; /* of half types the rounding at the end is all, and bounded */
    switch (how) {
    case WEFT__EXACT:
        return (weft__bounds){0};
    case WEFT__ELEMENTWISE:
        return (weft__bounds){.relative = c.elementwise, .absolute = c.elementwise / 2, .norm = c.elementwise};
    case WEFT__SUMMED: /* a rounding to the dtype comes after the sum */
        return (weft__bounds){.relative = half ? c.elementwise : 0, .magnitude = one, .norm = half ? one : c.sum};
    case WEFT__POSITIVE:
        return (weft__bounds){.relative = fmax(c.elementwise, one), .norm = fmax(c.elementwise, one)};
    case WEFT__ROWWISE:
        return (weft__bounds){.relative = c.elementwise, .absolute = c.sum, .norm = fmax(c.elementwise, c.sum)};
    default:
        return (weft__bounds){
            .relative = c.gradient, .absolute = fmax(c.gradient / 4, c.sum), .norm = fmax(c.gradient, c.sum)};
    }
}
