/* softmax.c - softmax, log_softmax and their first-order gradients along one dim.
 *
 * An array is seen as [outer, n, inner] with n the dim's size. With inner 1 a slice is a contiguous row that is worked
 * on in cache; else strips of neighbouring slices go side by side through the rows of [n, inner]. Both add up in orders
 * of their own. Where inner is a batch, one slice must be as it is among others (batch_invariant): then it is the dim's
 * place that decides. */
#include "rows.h"

enum { STRIP = 256 };

/* One call: in[0], in[1] and out over [outer, n, inner]. */
typedef struct slices {
    const void *a, *b;
    void *y;
    int64_t outer, n, inner;
    bool by_rows;
    int64_t width, strips; /* of the strips that inner is cut into */
} slices;

static slices slices_of(const weft__exec *e)
{
    const weft__array *x = e->in[0];
    slices s = {.a = x->data, .b = e->n_in > 1 ? e->in[1]->data : NULL, .y = e->out[0]->data};
    const int dim = (int)e->attrs->along.dim;
    s.outer = s.n = s.inner = 1;
    for (int d = 0; d < x->ndim; d++)
        *(d < dim ? &s.outer : d == dim ? &s.n : &s.inner) *= x->shape[d];
    s.by_rows = weft__exec_invariant(e) ? dim == x->ndim - 1 : s.inner == 1;
    s.width = weft__most(1, weft__least(STRIP, s.inner));
    s.strips = weft__ceil_div(s.inner, s.width);
    return s;
}

/* Runs fn over the rows or strips of s. */
static weft_status run_slices(const weft__exec *e, slices *s, weft__range_fn rows, weft__range_fn strips)
{
    if (e->out[0]->count == 0)
        return WEFT_OK;
    if (s->by_rows)
        weft__pool_for(weft__exec_pool(e), s->outer, weft__grain(s->n), rows, s);
    else
        weft__pool_for(weft__exec_pool(e), s->outer * s->strips, weft__grain(s->n * s->width), strips, s);
    return WEFT_OK;
}

/* First element of a strip; *width its number of columns. */
static int64_t strip_offset(const slices *s, int64_t strip, int64_t *width)
{
    int64_t outer = strip / s->strips, column = (strip - outer * s->strips) * s->width;
    *width = weft__least(s->width, s->inner - column);
    return outer * s->n * s->inner + column;
}

#define WEFT_REAL f32
#include "rows.inc"
#include "softmax.inc"
#undef WEFT_REAL
#define WEFT_REAL f64
#include "rows.inc"
#include "softmax.inc"
#undef WEFT_REAL

static bool is_f64(const weft__exec *e)
{
    return e->in[0]->dtype == WEFT_F64;
}

weft_status WEFT__CPU(softmax)(const weft__exec *e)
{
    slices s = slices_of(e);
    return is_f64(e) ? run_slices(e, &s, softmax_rows_f64, softmax_strips_f64)
                     : run_slices(e, &s, softmax_rows_f32, softmax_strips_f32);
}

weft_status WEFT__CPU(log_softmax)(const weft__exec *e)
{
    slices s = slices_of(e);
    return is_f64(e) ? run_slices(e, &s, log_softmax_rows_f64, log_softmax_strips_f64)
                     : run_slices(e, &s, log_softmax_rows_f32, log_softmax_strips_f32);
}

weft_status WEFT__CPU(softmax_grad)(const weft__exec *e)
{
    slices s = slices_of(e);
    return is_f64(e) ? run_slices(e, &s, softmax_grad_rows_f64, softmax_grad_strips_f64)
                     : run_slices(e, &s, softmax_grad_rows_f32, softmax_grad_strips_f32);
}

weft_status WEFT__CPU(log_softmax_grad)(const weft__exec *e)
{
    slices s = slices_of(e);
    return is_f64(e) ? run_slices(e, &s, log_softmax_grad_rows_f64, log_softmax_grad_strips_f64)
                     : run_slices(e, &s, log_softmax_grad_rows_f32, log_softmax_grad_strips_f32);
}
