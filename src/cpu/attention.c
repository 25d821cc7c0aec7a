/* attention.c - ATTENTION and its first-order gradients by tiles of queries and keys, so that no matrix of all scores
 * ever exists (Rabe & Staats 2021, Dao et al. 2022). Products of tiles run on the packed product of gemm.h; a row's
 * maximum and sum follow it from tile to tile, and the gradients compute the probabilities again from lse.
 *
 * Tiles are cut by size alone and added up in their order, so results do not depend on the number of threads. */
#include "gemm.h"
#include "rows.h"

enum { QUERIES = 168, KEYS = 256 }; /* of a tile */

/* One call: batch attentions with q [T, D], k [S, D], v [S, E]. */
typedef struct attention {
    int64_t batch, t, s, d, e;
    bool causal;
    double scale;
    const void *q, *k, *v, *y, *lse, *g;
    void *dq, *dk, *dv; /* or NULL */
    void *y_out, *lse_out;
    void *delta; /* [batch, T]: sum of g y over E */
    void *work;  /* room for each worker */
    int64_t query_tiles, key_tiles;
} attention;

static attention attention_of(const weft__exec *e)
{
    const weft__array *q = e->in[0], *k = e->in[1], *v = e->in[2];
    const int n = q->ndim;
    attention a = {.batch = 1,
                   .t = q->shape[n - 2],
                   .s = k->shape[n - 2],
                   .d = q->shape[n - 1],
                   .e = v->shape[n - 1],
                   .causal = e->attrs->attention.causal != 0,
                   .scale = e->attrs->attention.scale,
                   .q = q->data,
                   .k = k->data,
                   .v = v->data};
    for (int d = 0; d < n - 2; d++)
        a.batch *= q->shape[d];
    a.query_tiles = weft__ceil_div(a.t, QUERIES);
    a.key_tiles = weft__ceil_div(a.s, KEYS);
    return a;
}

/* How many keys, from the first, query t sees. */
static int64_t keys_seen(const attention *a, int64_t t)
{
    return a->causal ? weft__most(0, weft__least(a->s, t + 1 + a->s - a->t)) : a->s;
}

/* The first tile of queries that sees key s. */
static int64_t first_tile_seeing(const attention *a, int64_t s)
{
    return a->causal ? weft__most(0, s - (a->s - a->t)) / QUERIES : 0;
}

static int64_t queries_of(const attention *a)
{
    return weft__least(a->t, QUERIES);
}

static int64_t keys_of(const attention *a)
{
    return weft__least(a->s, KEYS);
}

/* Elements of work for one worker: two tiles of scores and the product's own, whose sides are any of those below. */
static int64_t work_of(const attention *a)
{
    const int64_t side = weft__most(weft__most(queries_of(a), keys_of(a)), weft__most(a->d, a->e));
    return 2 * queries_of(a) * keys_of(a) + 64 + weft__gemm_work(side, side, side);
}

#define WEFT_REAL f32
#include "rows.inc"
#include "attention.inc"
#undef WEFT_REAL
#define WEFT_REAL f64
#include "rows.inc"
#include "attention.inc"
#undef WEFT_REAL

static size_t real_bytes(const weft__exec *e)
{
    return e->in[0]->dtype == WEFT_F64 ? sizeof(double) : sizeof(float);
}

weft_status WEFT__CPU(attention)(const weft__exec *e)
{
    attention a = attention_of(e);
    a.y_out = e->out[0]->data;
    a.lse_out = e->out[1]->data;
    if (a.batch * a.t == 0)
        return WEFT_OK;
    weft__pool *pool = weft__exec_pool(e);
    a.work = weft__scratch(e, work_of(&a) * weft__pool_threads(pool), real_bytes(e));
    if (!a.work)
        return WEFT_E_NOMEM;
    const int64_t grain = weft__grain(queries_of(&a) * (a.s + a.d + a.e));
    weft__pool_for(pool, a.batch * a.query_tiles, grain,
                   e->in[0]->dtype == WEFT_F64 ? forward_range_f64 : forward_range_f32, &a);
    return WEFT_OK;
}

weft_status WEFT__CPU(attention_grad)(const weft__exec *e)
{
    attention a = attention_of(e);
    const bool wide = e->in[0]->dtype == WEFT_F64;
    a.y = e->in[3]->data;
    a.lse = e->in[4]->data;
    a.g = e->in[5]->data;
    a.dq = e->out[0] ? e->out[0]->data : NULL;
    a.dk = e->out[1] ? e->out[1]->data : NULL;
    a.dv = e->out[2] ? e->out[2]->data : NULL;
    if (a.batch == 0)
        return WEFT_OK;
    weft__pool *pool = weft__exec_pool(e);
    const int threads = weft__pool_threads(pool);
    a.work = weft__scratch(e, work_of(&a) * threads, real_bytes(e));
    a.delta = a.work ? weft__scratch(e, a.batch * a.t + 1, real_bytes(e)) : NULL;
    if (!a.delta)
        return WEFT_E_NOMEM;
    weft__pool_for(pool, a.batch * a.t, weft__grain(a.e), wide ? delta_range_f64 : delta_range_f32, &a);
    if (a.batch >= 2 * threads || threads == 1) { /* enough for all: a tile's probabilities serve all three gradients */
        const int64_t grain = weft__grain(a.t * a.s + (a.t + a.s) * (a.d + a.e));
        weft__pool_for(pool, a.batch, grain, wide ? all_range_f64 : all_range_f32, &a);
        return WEFT_OK;
    }
    if (a.dq)
        weft__pool_for(pool, a.batch * a.query_tiles, 1, wide ? query_range_f64 : query_range_f32, &a);
    if (a.dk || a.dv)
        weft__pool_for(pool, a.batch * a.key_tiles, 1, wide ? key_range_f64 : key_range_f32, &a);
    return WEFT_OK;
}
