/* work.c - see work.h. */
#include "work.h"
#include <weft/dtype.h>

int64_t weft__extent(const weft__array *a, int from_last)
{
    return a && a->ndim >= from_last ? a->shape[a->ndim - from_last] : 1;
}

int64_t weft__ratio(int64_t a, int64_t b)
{
    return b > 0 && a > b ? a / b : 1;
}

double weft__count(const weft__array *a)
{
    return a ? (double)a->count : 0;
}

int64_t weft__terms_one(const weft__work *w, int result)
{
    (void)w, (void)result;
    return 1;
}

int64_t weft__terms_ratio(const weft__work *w, int result)
{
    return w->n_in > 0 && w->in[0] && w->out[result] ? weft__ratio(w->in[0]->count, w->out[result]->count) : 1;
}

int64_t weft__terms_columns(const weft__work *w, int result)
{
    (void)result;
    return weft__extent(w->in[0], 1);
}

/* Wherever a struct of attributes has a dim alone or first, it is in one place. */
_Static_assert(offsetof(weft__scan_attrs, dim) == offsetof(weft__along_attrs, dim), "the dim comes first");

int64_t weft__terms_along(const weft__work *w, int result)
{
    (void)result;
    return w->attrs && w->in[0] && w->in[0]->ndim > 0 ? w->in[0]->shape[w->attrs->along.dim] : 1;
}

int64_t weft__terms_channels(const weft__work *w, int result)
{
    (void)result;
    return w->in[0] && w->in[0]->ndim > 1 ? weft__ratio(w->in[0]->count, w->in[0]->shape[1]) : 1;
}

double weft__flops_each(const weft__work *w)
{
    double most = 0;
    for (int k = 0; k < w->n_in; k++)
        most = weft__count(w->in[k]) > most ? weft__count(w->in[k]) : most;
    for (int k = 0; k < w->n_out && k < 1; k++)
        most = weft__count(w->out[k]) > most ? weft__count(w->out[k]) : most;
    return most;
}

double weft__flops_none(const weft__work *w)
{
    (void)w;
    return 0;
}

static double array_bytes(const weft__array *a)
{
    double count = 1;
    for (int d = 0; a && d < a->ndim; d++)
        count *= a->strides[d] == 0 && a->shape[d] > 1 ? 1 : (double)a->shape[d];
    return a ? count * (double)weft_dtype_size((weft_dtype)a->dtype) : 0;
}

double weft__bytes_once(const weft__work *w)
{
    double bytes = 0;
    for (int k = 0; k < w->n_in; k++)
        bytes += array_bytes(w->in[k]);
    for (int k = 0; k < w->n_out; k++)
        bytes += array_bytes(w->out[k]);
    return bytes;
}

double weft__bytes_none(const weft__work *w)
{
    (void)w;
    return 0;
}
