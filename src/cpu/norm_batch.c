/* norm_batch.c - batch normalisation per channel by the batch's own statistics, and its first-order gradient.
 *
 *   x [N, C, S] (S: all further dims), n = N S elements a channel
 *   mean, var (biased), rstd = 1 / sqrt(var + eps) [C];  y = (x - mean) rstd w + b
 *   dx = w rstd (g - mean(g) - xhat mean(g xhat)),  dw = sum of g xhat,  db = sum of g      (Ioffe & Szegedy 2015)
 *
 * Statistics are f64 sums per channel. Where a plane [S] is long, sums run along planes, in blocks of images; where it
 * is short (S 1 after a linear layer), x is a matrix [N, C S] that is summed down its columns in blocks of rows. Block
 * borders follow from the shape alone.
 *
 * The forward sums are taken around a centre, the mean of the first image, so that one pass over x gives mean and
 * variance (Chan, Golub & LeVeque 1983). Where that centre turns out to be far off, for the spread of a channel, they
 * are taken once more around the mean. */
#include "rows.h"

enum { LONG_PLANE = 32, PIECES = 64 };

typedef struct batch_norm {
    const void *x, *g;
    void *y;
    void *center;           /* [C], subtracted from x; NULL: nothing */
    double *first, *second; /* sums of block k at k * pitch: [C] along planes, [C S] down columns */
    int64_t pitch;
    const void *scale, *slope,
        *offset; /* [C], or [C S] down columns; y = scale g + slope x' + offset, x' = x - center */
    int64_t n, c, s;
    bool planes;
    int64_t block, blocks; /* images a block */
} batch_norm;

/* What is summed: x' and x'^2; g and g x'. */
typedef enum what { SUM_SPREAD, SUM_PRODUCT } what;

typedef struct sums {
    double first, second;
} sums;

static batch_norm shape_of(const weft__array *x)
{
    batch_norm t = {.n = x->shape[0], .c = x->shape[1], .s = 1};
    for (int d = 2; d < x->ndim; d++)
        t.s *= x->shape[d];
    t.planes = t.s >= LONG_PLANE;
    const int64_t blocks = t.planes ? weft__ceil_div(PIECES, weft__most(1, t.c)) : PIECES / 2;
    t.block = weft__most(t.planes ? 1 : 16, weft__ceil_div(t.n, blocks));
    t.blocks = weft__ceil_div(t.n, t.block);
    return t;
}

#define WEFT_REAL f32
#include "rows.inc"
#include "norm_batch.inc"
#undef WEFT_REAL
#define WEFT_REAL f64
#include "rows.inc"
#include "norm_batch.inc"
#undef WEFT_REAL

weft_status WEFT__CPU(batch_norm)(const weft__exec *e)
{
    return e->in[0]->dtype == WEFT_F64 ? forward_f64(e) : forward_f32(e);
}

weft_status WEFT__CPU(batch_norm_grad)(const weft__exec *e)
{
    return e->in[0]->dtype == WEFT_F64 ? backward_f64(e) : backward_f32(e);
}
