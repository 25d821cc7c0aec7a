/* norm.c - layer_norm, rms_norm and their first-order gradients. x is seen as [M, N] with N the elements normalised.
 *
 *   layer_norm: xhat = (x - mean) rstd, rstd = 1 / sqrt(var + eps), y = xhat w + b
 *   rms_norm:   xhat = x rstd, rstd = 1 / sqrt(mean of x^2 + eps),  y = xhat w
 *
 *   gradients, with h = g w (Ba et al. 2016; Zhang & Sennrich 2019):
 *   layer_norm: dx = rstd (h - mean(h) - xhat mean(h xhat))
 *   rms_norm:   dx = rstd (h - xhat mean(h xhat))
 *   both:       dw = sum over rows of g xhat, db = sum over rows of g
 *
 * A missing w or b is replaced by a row of ones or zeros, which stays in cache and spares three more loops. The sums
 * over rows run in at most BLOCKS blocks of rows, whose borders follow from M alone; GROUP rows at a time are added up
 * before they meet the f64 sums of their block. */
#include "rows.h"

enum { BLOCKS = 32, BLOCK_ROWS = 16, GROUP = 4 };

typedef struct norm {
    const void *x, *w, *b, *g;
    void *y;           /* forward */
    void *mean, *rstd; /* [M]; mean NULL: rms_norm */
    void *dx;          /* backward; may be NULL */
    double *dw, *db;   /* sums of block k at k * pitch; NULL where not wanted */
    int64_t m, n, pitch;
    int64_t block_rows, blocks;
    double eps;
} norm;

#define WEFT_REAL f32
#include "rows.inc"
#include "norm.inc"
#undef WEFT_REAL
#define WEFT_REAL f64
#include "rows.inc"
#include "norm.inc"
#undef WEFT_REAL

/* w's data, or a row of n times value where w is NULL; NULL when out of memory. */
static const void *row_or(const weft__exec *e, const weft__array *w, int64_t n, double value)
{
    if (w)
        return n == 0 ? (const void *)"" : w->data;
    const bool wide = e->in[0]->dtype == WEFT_F64;
    void *row = weft__scratch(e, n, wide ? sizeof(double) : sizeof(float));
    if (!row)
        return NULL;
    for (int64_t i = 0; i < n; i++) {
        if (wide)
            ((double *)row)[i] = value;
        else
            ((float *)row)[i] = (float)value;
    }
    return row;
}

/* Both forward kernels; mean NULL for rms_norm. */
static weft_status forward(const weft__exec *e, const weft__array *w, const weft__array *b, weft__array *mean,
                           weft__array *rstd)
{
    norm t = {.x = e->in[0]->data,
              .y = e->out[0]->data,
              .mean = mean ? mean->data : NULL,
              .rstd = rstd->data,
              .m = rstd->count,
              .n = e->attrs->norm.size,
              .eps = e->attrs->norm.eps};
    if (t.m == 0)
        return WEFT_OK;
    t.w = row_or(e, w, t.n, 1);
    t.b = mean ? row_or(e, b, t.n, 0) : t.w;
    if (!t.w || !t.b)
        return WEFT_E_NOMEM;
    const bool wide = e->in[0]->dtype == WEFT_F64;
    weft__range_fn fn =
        mean ? (wide ? layer_norm_rows_f64 : layer_norm_rows_f32) : (wide ? rms_norm_rows_f64 : rms_norm_rows_f32);
    weft__pool_for(weft__exec_pool(e), t.m, weft__grain(t.n), fn, &t);
    return WEFT_OK;
}

weft_status WEFT__CPU(layer_norm)(const weft__exec *e)
{
    return forward(e, e->in[1], e->in[2], e->out[1], e->out[2]);
}

weft_status WEFT__CPU(rms_norm)(const weft__exec *e)
{
    return forward(e, e->in[1], NULL, NULL, e->out[1]);
}

/* Room for the sums of every block. */
static weft_status make_sums(const weft__exec *e, norm *t, bool dw, bool db)
{
    const int64_t row = weft__pitch(t->n);
    t->pitch = 2 * row;
    double *sums = dw || db ? weft__scratch(e, t->blocks * t->pitch, sizeof *sums) : NULL;
    if (!sums)
        return dw || db ? WEFT_E_NOMEM : WEFT_OK;
    memset(sums, 0, (size_t)(t->blocks * t->pitch) * sizeof *sums);
    t->dw = dw ? sums : NULL;
    t->db = db ? sums + row : NULL;
    return WEFT_OK;
}

/* out[n] = sum over blocks, in order */
static void add_blocks(weft__array *out, const double *sums, const norm *t)
{
    for (int64_t j = 0; j < t->n; j++) {
        double sum = 0;
        for (int64_t k = 0; k < t->blocks; k++)
            sum += sums[k * t->pitch + j];
        if (out->dtype == WEFT_F64)
            ((double *)out->data)[j] = sum;
        else
            ((float *)out->data)[j] = (float)sum;
    }
}

static weft_status backward(const weft__exec *e, const weft__array *mean, const weft__array *rstd, weft__array *db)
{
    weft__array *dx = e->out[0], *dw = e->out[1];
    norm t = {.g = e->in[0]->data,
              .x = e->in[1]->data,
              .mean = mean ? mean->data : NULL,
              .rstd = rstd->data,
              .dx = dx ? dx->data : NULL,
              .m = rstd->count,
              .n = e->attrs->norm.size};
    t.block_rows = weft__most(BLOCK_ROWS, weft__ceil_div(weft__ceil_div(t.m, BLOCKS), GROUP) * GROUP);
    t.blocks = weft__ceil_div(t.m, t.block_rows);
    t.w = row_or(e, e->in[2], t.n, 1);
    if (!t.w || make_sums(e, &t, dw != NULL, db != NULL) != WEFT_OK)
        return WEFT_E_NOMEM;
    weft__range_fn fn = e->in[0]->dtype == WEFT_F64 ? norm_grad_blocks_f64 : norm_grad_blocks_f32;
    weft__pool_for(weft__exec_pool(e), t.blocks, weft__grain(t.block_rows * t.n), fn, &t);
    if (dw)
        add_blocks(dw, t.dw, &t);
    if (db)
        add_blocks(db, t.db, &t);
    return WEFT_OK;
}

weft_status WEFT__CPU(layer_norm_grad)(const weft__exec *e)
{
    return backward(e, e->in[3], e->in[4], e->out[2]);
}

weft_status WEFT__CPU(rms_norm_grad)(const weft__exec *e)
{
    return backward(e, NULL, e->in[3], NULL);
}
