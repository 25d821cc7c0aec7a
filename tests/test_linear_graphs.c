/* test_linear_graphs.c - gradients of graphs that are drawn by chance and linear in their leaves, so that each element
 * of a gradient is, exactly, what the loss is where that element is 1 and all others 0. They share parts, broadcast,
 * show memory in views and meet again, so a gradient that is taken over or added to although somebody else sees it, or
 * is summed over the wrong dims, comes out wrong: in the first pass, in later ones that add up, or in what a hook or
 * the caller has kept. */
#include <stdlib.h>
#include "harness/structs.h"
#include "samples/layout.h"
#include "harness/weft_test.h"

enum { LEAVES = 3, STEPS = 14, POOL = LEAVES + STEPS, MOST_RESULTS = 4, MOST_COUNT = 96, MOST_DIMS = 5, PASSES = 3 };
enum { GRAPHS = 240, MOST_REPORTS = 4 };

typedef struct graph {
    weft_ctx *ctx;
    uint32_t random;
    weft_dtype dtype;
    weft_tensor *pool[POOL]; /* the leaves first */
    int n;
    weft_tensor *result[MOST_RESULTS], *cotangent[MOST_RESULTS];
    int n_results;
} graph;

/* In [0, n). */
static int64_t below(graph *g, int64_t n)
{
    g->random = g->random * 1664525u + 1013904223u;
    return (g->random >> 8) % n;
}

static weft_tensor *any_of(graph *g)
{
    return g->pool[below(g, g->n)];
}

/* Whole numbers from -2 to 3. */
static weft_tensor *constant(weft_tensor *like, const int64_t *shape, int ndim, int64_t seed)
{
    int64_t values[4 * MOST_COUNT], count = 1;
    for (int d = 0; d < ndim; d++)
        count *= shape[d];
    for (int64_t e = 0; e < count; e++)
        values[e] = (e * 5 + seed) % 6 - 2;
    return weft_cast(weft_from_data(weft_ctx_of(like), WEFT_I64, shape, ndim, values), weft_dtype_of(like));
}

/* ---- The operations ---- */

/* Up to two more dims in front, and sizes of 1 made 2 by chance. */
static int wider(graph *g, weft_tensor *t, int64_t *shape)
{
    const int lead = (int)below(g, 3);
    for (int d = 0; d < lead; d++)
        shape[d] = 1 + below(g, 2);
    for (int d = 0; d < weft_ndim(t); d++)
        shape[lead + d] = weft_size(t, d) == 1 ? 1 + below(g, 2) : weft_size(t, d);
    return lead + weft_ndim(t);
}

static weft_tensor *expand(graph *g, weft_tensor *t)
{
    int64_t shape[2 + MOST_DIMS];
    const int n = wider(g, t, shape);
    return weft_expand(t, shape, n);
}

static weft_tensor *weigh(graph *g, weft_tensor *t)
{
    int64_t shape[2 + MOST_DIMS];
    const int n = wider(g, t, shape);
    return weft_mul(t, constant(t, shape, n, below(g, 6)));
}

static bool broadcasts(weft_tensor *a, weft_tensor *b)
{
    const int na = weft_ndim(a), nb = weft_ndim(b);
    for (int d = 1; d <= na && d <= nb; d++) {
        const int64_t sa = weft_size(a, na - d), sb = weft_size(b, nb - d);
        if (sa != sb && sa != 1 && sb != 1)
            return false;
    }
    return true;
}

/* Another tensor which t can be added to. */
static weft_tensor *other_of(graph *g, weft_tensor *t)
{
    weft_tensor *u = any_of(g);
    if (weft_count(u) == weft_count(t) && below(g, 2))
        return weft_reshape(u, weft_shape(t), weft_ndim(t));
    return broadcasts(t, u) ? u : weft_sum(u, WEFT_ALL, below(g, 2) && weft_ndim(u) == weft_ndim(t));
}

static weft_tensor *add(graph *g, weft_tensor *t)
{
    return weft_add(t, other_of(g, t));
}

static weft_tensor *sub(graph *g, weft_tensor *t)
{
    return weft_sub(other_of(g, t), t);
}

static weft_tensor *scale(graph *g, weft_tensor *t)
{
    return below(g, 2) ? weft_neg(t) : weft_mul_scalar(t, (double)(2 + below(g, 2)));
}

static weft_tensor *reshape(graph *g, weft_tensor *t)
{
    static const int64_t firsts[] = {1, 2, 3};
    const int64_t first = firsts[below(g, 3)];
    const bool fits = weft_count(t) % first == 0;
    return weft_reshape(t, WEFT_DIMS(fits ? first : 1, -1));
}

static weft_tensor *turn(graph *g, weft_tensor *t)
{
    const int n = weft_ndim(t);
    int64_t dims[MOST_DIMS];
    if (n < 2)
        return weft_unsqueeze(t, 0);
    if (below(g, 2))
        return weft_transpose(t, below(g, n), below(g, n));
    for (int d = 0, first = (int)below(g, n); d < n; d++)
        dims[d] = (d + first) % n;
    return weft_permute(t, dims, n);
}

static weft_tensor *slice(graph *g, weft_tensor *t)
{
    if (weft_ndim(t) == 0)
        return scale(g, t);
    const int64_t dim = below(g, weft_ndim(t)), size = weft_size(t, (int)dim), start = below(g, size);
    if (below(g, 3) == 0)
        return weft_select(t, dim, start);
    return weft_slice(t, dim, start, start + 1 + below(g, size - start), 1 + below(g, 2));
}

static weft_tensor *squeeze(graph *g, weft_tensor *t)
{
    if (below(g, 2) || weft_ndim(t) == 0)
        return weft_unsqueeze(t, below(g, weft_ndim(t) + 1));
    const int64_t dim = below(g, weft_ndim(t));
    return weft_size(t, (int)dim) == 1 ? weft_squeeze(t, &dim, 1) : weft_flip(t, &dim, 1);
}

static weft_tensor *join(graph *g, weft_tensor *t)
{
    weft_tensor *u = any_of(g);
    if (weft_count(u) != weft_count(t))
        u = t;
    weft_tensor *two[2] = {t, weft_reshape(u, weft_shape(t), weft_ndim(t))};
    return weft_ndim(t) > 0 && below(g, 2) ? weft_concat(two, 2, below(g, weft_ndim(t)))
                                           : weft_stack(two, 2, below(g, weft_ndim(t) + 1));
}

static weft_tensor *sum(graph *g, weft_tensor *t)
{
    int64_t dims[MOST_DIMS];
    int n = 0;
    for (int d = 0; d < weft_ndim(t); d++)
        if (below(g, 2))
            dims[n++] = d;
    return n ? weft_sum(t, dims, n, below(g, 2)) : weft_clone(t);
}

/* Rows of t, some more than once, in any order. */
static weft_tensor *pick(graph *g, weft_tensor *t)
{
    if (weft_ndim(t) == 0)
        return scale(g, t);
    const int64_t dim = below(g, weft_ndim(t)), size = weft_size(t, (int)dim);
    const int64_t index[] = {below(g, size), below(g, size), below(g, size)};
    weft_tensor *rows = weft_from_data(g->ctx, WEFT_I64, WEFT_DIMS(3), index);
    if (below(g, 2))
        return weft_index_select(t, rows, dim);
    weft_tensor *source = weft_index_select(t, weft_zeros(g->ctx, WEFT_I64, WEFT_DIMS(3)), dim);
    return weft_index_add(t, rows, source, dim);
}

static weft_tensor *choose(graph *g, weft_tensor *t)
{
    weft_tensor *mask =
        weft_gt(constant(t, weft_shape(t), weft_ndim(t), below(g, 6)), weft_scalar(g->ctx, WEFT_I32, 0));
    return weft_where(mask, t, other_of(g, t));
}

static weft_tensor *pad(graph *g, weft_tensor *t)
{
    int64_t before[MOST_DIMS], after[MOST_DIMS];
    for (int d = 0; d < weft_ndim(t); d++) {
        before[d] = below(g, 2);
        after[d] = below(g, 2);
    }
    return weft_ndim(t) ? weft_pad(t, before, after, weft_ndim(t), 0) : weft_unsqueeze(t, 0);
}

static weft_tensor *cumulate(graph *g, weft_tensor *t)
{
    return weft_ndim(t) ? weft_cumsum(t, below(g, weft_ndim(t))) : weft_add(t, t);
}

static weft_tensor *cast(graph *g, weft_tensor *t)
{
    return weft_cast(t, below(g, 2) ? WEFT_F32 : WEFT_F64);
}

/* Two parts, of which one or both are used. */
static weft_tensor *split(graph *g, weft_tensor *t)
{
    if (weft_ndim(t) == 0 || weft_size(t, 0) < 2)
        return weft_add(t, t);
    weft_tensor *part[2];
    const int64_t size = weft_size(t, 0), first = 1 + below(g, size - 1);
    if (weft_split(t, 0, (int64_t[]){first, size - first}, 2, part) != WEFT_OK)
        return NULL;
    return below(g, 2) ? part[1] : weft_concat((weft_tensor *[]){part[1], part[0]}, 2, 0);
}

static weft_tensor *(*const operations[])(graph *g, weft_tensor *t) = {
    add,     add,  add, sub,  expand, weigh, scale,    reshape, turn, slice,
    squeeze, join, sum, pick, choose, pad,   cumulate, cast,    split};

/* ---- A graph ---- */

static weft_tensor *leaf(graph *g)
{
    int64_t shape[3];
    const int n = (int)below(g, 4);
    for (int d = 0; d < n; d++)
        shape[d] = 1 + below(g, 3);
    return weft_zeros(g->ctx, g->dtype, shape, n);
}

static weft_tensor *step(graph *g)
{
    weft_tensor *t = operations[below(g, (int64_t)(sizeof operations / sizeof *operations))](g, any_of(g));
    while (t && (weft_count(t) > MOST_COUNT || weft_ndim(t) > MOST_DIMS))
        t = weft_sum(t, WEFT_DIMS(0), false);
    return t;
}

static void make_leaves(graph *g, weft_ctx *ctx, int seed)
{
    *g = (graph){.ctx = ctx, .random = (uint32_t)seed * 747796405u + 1, .dtype = seed % 2 ? WEFT_F32 : WEFT_F64};
    for (int k = 0; k < LEAVES; k++)
        g->pool[g->n++] = leaf(g);
}

/* The rest, which what is drawn and shapes decide, never values. */
static bool grow(graph *g)
{
    for (int k = 0; k < STEPS; k++) {
        weft_tensor *t = step(g);
        if (!t)
            return false;
        g->pool[g->n++] = t;
    }
    for (int k = 0; k < MOST_RESULTS; k++) { /* the last ones, and any others */
        weft_tensor *t = k < 2 ? g->pool[g->n - 1 - k] : any_of(g);
        g->result[k] = t;
        g->cotangent[k] = constant(t, weft_shape(t), weft_ndim(t), below(g, 6));
    }
    g->n_results = MOST_RESULTS;
    return true;
}

static double dot(weft_tensor *a, weft_tensor *b)
{
    return weft_item(weft_ctx_of(a), weft_sum(weft_mul(weft_cast(a, WEFT_F64), b), WEFT_ALL, false));
}

/* The loss where element e of leaf k is 1. */
static double loss_at(weft_ctx *ctx, int seed, int k, int64_t e)
{
    graph g;
    double loss = 0;
    const int mark = weft_scope_push(ctx);
    make_leaves(&g, ctx, seed);
    weft_fill_(weft_slice(weft_flatten(g.pool[k], 0, -1), 0, e, e + 1, 1), 1);
    if (grow(&g))
        for (int r = 0; r < g.n_results; r++)
            loss += dot(g.result[r], g.cotangent[r]);
    WEFT_CHECK_OK(weft_scope_pop(ctx, mark));
    return loss;
}

/* ---- What is checked ---- */

/* Values of t as doubles, the caller's to free. */
static double *values_of(weft_tensor *t)
{
    double *values = calloc((size_t)weft_count(t) + 1, sizeof *values);
    const bool was = weft_set_grad_enabled(weft_ctx_of(t), false);
    WEFT_CHECK_OK(weft_read(weft_ctx_of(t), weft_cast(t, WEFT_F64), values, sizeof *values * (size_t)weft_count(t)));
    weft_set_grad_enabled(weft_ctx_of(t), was);
    return values;
}

static void check_values(weft_tensor *t, const double *want, double factor, int seed, const char *what, int k)
{
    double *got = t ? values_of(t) : NULL;
    for (int64_t e = 0; t && e < weft_count(t); e++) {
        if (got[e] == factor * want[e])
            continue;
        if (weft_test_failures() < MOST_REPORTS)
            WEFT_FAIL("graph %d, %s %d: element %lld is %g, not %g", seed, what, k, (long long)e, got[e],
                      factor * want[e]);
        break;
    }
    free(got);
}

/* What a hook has seen and keeps. */
typedef struct seen {
    weft_tensor *gradient;
    double *values;
} seen;

static weft_tensor *look(void *user, weft_tensor *t, weft_tensor *gradient)
{
    (void)t;
    seen *s = user;
    if (s->gradient)
        weft_release(s->gradient);
    free(s->values);
    s->gradient = weft_keep(gradient);
    s->values = values_of(gradient);
    return NULL;
}

static void check_seen(seen *s, int n, int seed)
{
    for (int k = 0; k < n; k++) {
        if (!s[k].gradient)
            continue;
        check_values(s[k].gradient, s[k].values, 1, seed, "gradient that a hook has kept", k);
        weft_release(s[k].gradient);
        free(s[k].values);
    }
}

static bool is_zero(const double *values, int64_t n)
{
    for (int64_t k = 0; k < n; k++)
        if (values[k] != 0)
            return false;
    return true;
}

/* Passes that add up, and the gradients' memory is nobody else's. */
static void check_leaves(graph *g, double *const *want, int seed)
{
    double *cotangents[MOST_RESULTS];
    for (int r = 0; r < g->n_results; r++)
        cotangents[r] = values_of(g->cotangent[r]);
    for (int pass = 1; pass <= PASSES; pass++) {
        WEFT_CHECK_OK(weft_backward_with(g->ctx, g->result, g->cotangent, g->n_results));
        for (int k = 0; k < LEAVES; k++) {
            weft_tensor *got = weft_grad_of(g->pool[k]);
            if (!got && !is_zero(want[k], weft_count(g->pool[k])))
                WEFT_FAIL("graph %d: leaf %d has no gradient", seed, k);
            check_values(got, want[k], pass, seed, "leaf", k);
        }
    }
    for (int filled = 0; filled < LEAVES; filled++) {
        if (!weft_grad_of(g->pool[filled]))
            continue;
        weft_fill_(weft_grad_of(g->pool[filled]), -777);
        for (int k = filled + 1; k < LEAVES; k++)
            check_values(weft_grad_of(g->pool[k]), want[k], PASSES, seed, "after another was filled, leaf", k);
    }
    for (int r = 0; r < g->n_results; r++) {
        check_values(g->cotangent[r], cotangents[r], 1, seed, "cotangent", r);
        free(cotangents[r]);
    }
}

/* Gradients as values: with and without a graph of their own, of what lies between as well; earlier ones stay. */
static void check_grad(graph *g, double *const *want, int seed)
{
    weft_tensor *inputs[POOL], *plain[POOL], *recorded[POOL];
    int n = 0;
    for (int k = 0; k < g->n; k++)
        if (weft_requires_grad(g->pool[k]))
            inputs[n++] = g->pool[k];
    WEFT_CHECK_OK(weft_grad(g->ctx, g->result, g->cotangent, g->n_results, inputs, n, WEFT_GRAD_ALLOW_UNUSED, plain));
    WEFT_CHECK_OK(weft_grad(g->ctx, g->result, g->cotangent, g->n_results, inputs, n,
                            WEFT_GRAD_ALLOW_UNUSED | WEFT_GRAD_CREATE_GRAPH, recorded));
    for (int k = 0; k < n; k++) {
        double *values = recorded[k] ? values_of(recorded[k]) : NULL;
        if (!plain[k] != !recorded[k])
            WEFT_FAIL("graph %d, input %d: a gradient with or without a graph alone", seed, k);
        else
            check_values(plain[k], values, 1, seed, "against the recorded one, gradient", k);
        if (k < LEAVES)
            check_values(plain[k], want[k], 1, seed, "gradient", k);
        free(values);
    }
}

static void check_graph(weft_ctx *ctx, int seed)
{
    graph g;
    double *want[LEAVES];
    seen kept[POOL] = {{NULL, NULL}};
    const int mark = weft_scope_push(ctx);
    make_leaves(&g, ctx, seed);
    for (int k = 0; k < LEAVES; k++) {
        want[k] = calloc((size_t)weft_count(g.pool[k]) + 1, sizeof *want[k]);
        for (int64_t e = 0; e < weft_count(g.pool[k]); e++)
            want[k][e] = loss_at(ctx, seed, k, e);
        weft_set_requires_grad(g.pool[k], true);
    }
    if (!grow(&g))
        WEFT_FAIL("graph %d: %s", seed, weft_ctx_message(ctx));
    else if (weft_requires_grad(g.result[0]) || weft_requires_grad(g.result[1])) {
        check_grad(&g, want, seed);
        for (int k = 0; k < g.n && seed % 4 < 2; k++)
            if (weft_requires_grad(g.pool[k]) && !(k >= LEAVES && g.pool[k] == g.pool[k - 1]))
                WEFT_CHECK_OK(weft_add_hook(g.pool[k], look, &kept[k]));
        check_leaves(&g, want, seed);
        check_seen(kept, g.n, seed);
    }
    weft_ctx_clear(ctx);
    WEFT_CHECK_OK(weft_scope_pop(ctx, mark));
    for (int k = 0; k < LEAVES; k++)
        free(want[k]);
}

WEFT_TEST(LinearGraphs, GradientsAreWhatTheLossIsAtUnitVectors)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    for (int seed = 0; seed < GRAPHS; seed++)
        check_graph(ctx, seed);
    test_ctx_close(ctx, &memory);
}
