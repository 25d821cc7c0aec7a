/* test_work.c - operations and bytes, the figures that profile and benches divide by seconds. First what each public
 * row's samples cost, written down as sums of sizes; then every launch that they lead to, forward and backward, against
 * its arrays, counted address by address. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine/observe.h"
#include "base/op_def.h"
#include "harness/structs.h"
#include "harness/weft_test.h"
#include "ops/sample.h"
#include "profile/profile.h"
#include "samples/layout.h"

/* Every size another: a, b, c and d. */
#define LOG2_5 2.321928094887362348
#define LOG2_7 2.807354922057604107
#define LOG2_9 3.169925001442312363

enum { A = 5, B = 7, C = 3, D = 2, AB = A * B, ABCD = A * B * C * D };

/* ---- Each row's samples ---- */

typedef struct cost {
    const char *rows; /* names with a space before and behind each */
    int recipe;
    double flops;   /* 2 for a multiply-add of products, else 1 for each element of the largest operand or result */
    double f32s;    /* elements of four bytes, read and written */
    double indices; /* of eight bytes */
    double bools;   /* of one */
} cost;

/* By family, for the rows whose recipes are the family's. */
static const cost of_family[][3] = {
    [WEFT__UNARY] = {{"", 0, AB, AB + AB, 0, 0}},
    [WEFT__UNARY_P] = {{"", 0, AB, AB + AB, 0, 0}},
    [WEFT__PREDICATE] = {{"", 0, AB, AB, 0, AB}},
    [WEFT__BINARY] = {{"", 0, AB, AB + AB + AB, 0, 0}, {"", 1, AB, A *B + B + AB, 0, 0}},
    [WEFT__COMPARE] = {{"", 0, AB, AB + AB, 0, AB}, {"", 1, AB, A *B + B, 0, AB}},
    [WEFT__INTEGER] = {{"", 0, AB, 0, AB + AB + AB, 0}, {"", 1, AB, 0, A *B + B + AB, 0}},
    [WEFT__TERNARY] = {{"", 0, AB, AB + AB + AB, 0, AB}, {"", 1, AB, A *B + 1 + AB, 0, B}},
    [WEFT__VIEW] = {{"", 0, 0, 0, 0, 0}, {"", 1, 0, 0, 0, 0}},
};

static const cost of_rows[] = {
#include "work_costs.def"
};

static const cost *cost_of(int op, int recipe)
{
    char name[64];
    snprintf(name, sizeof name, " %s ", weft__ops[op].name);
    for (size_t k = 0; k < sizeof of_rows / sizeof of_rows[0]; k++)
        if (of_rows[k].recipe == recipe && strstr(of_rows[k].rows, name))
            return &of_rows[k];
    const int family = weft__ops[op].family;
    const bool known = family <= WEFT__VIEW && family != WEFT__REDUCE && recipe < 3;
    return known && of_family[family][recipe].rows ? &of_family[family][recipe] : NULL;
}

static weft_sample_options sizes_of(int recipe)
{
    return (weft_sample_options)INIT_SAMPLE(.recipe = recipe, .dtype = WEFT_F32, .sizes = {A, B, C, D});
}

static void check_row(weft_ctx *c, int op, int recipe)
{
    const weft_sample_options o = sizes_of(recipe);
    const cost *want = cost_of(op, recipe);
    weft_sample_call call;
    double flops, bytes;
    if (!want && weft__defs[op]->effect == WEFT__STEPS)
        return; /* made as those in the table are, and looked at below */
    if (!want) {
        WEFT_FAIL("%s, recipe %d, is not in the table", weft__ops[op].name, recipe);
        return;
    }
    const int mark = weft_scope_push(c);
    WEFT_CHECK_OK(weft__sample_make(c, op, &o, &call));
    WEFT_CHECK_OK(weft_sample_work(&call, &flops, &bytes));
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    const double want_bytes = 4 * want->f32s + 8 * want->indices + want->bools;
    if (flops != want->flops || bytes != want_bytes)
        WEFT_FAIL("%s, recipe %d: %g flops and %g bytes, not %g and %g", weft__ops[op].name, recipe, flops, bytes,
                  want->flops, want_bytes);
}

WEFT_TEST(Work, OfEveryRowAsWrittenDown)
{
    test_memory memory;
    weft_ctx *c = test_ctx_open_on("cpu", &memory, 1);
    WEFT_REQUIRE(c);
    for (int op = 0; op < weft_op_count(); op++)
        for (int k = 0; k < WEFT__MAX_RECIPES && weft__defs[op]->recipes[k].operands; k++)
            check_row(c, op, k);
    test_ctx_close(c, &memory);
}

/* ---- Each launch ---- */

static int by_address(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Bytes of the elements, each of which counts once however often it is repeated. */
static double bytes_at(const weft__array *a)
{
    if (!a || a->count == 0)
        return 0;
    int64_t *at = calloc((size_t)a->count, sizeof *at), n = 0;
    if (!at)
        abort();
    for (int64_t e = 0; e < a->count; e++) {
        int64_t rest = e;
        for (int d = a->ndim - 1; d >= 0; rest /= a->shape[d--])
            at[e] += rest % a->shape[d] * a->strides[d];
    }
    qsort(at, (size_t)a->count, sizeof *at, by_address);
    for (int64_t e = 0; e < a->count; e++)
        n += e == 0 || at[e] != at[e - 1];
    free(at);
    return (double)n * (double)weft_dtype_size((weft_dtype)a->dtype);
}

static double size(const weft__array *a, int from_last)
{
    return a->ndim >= from_last ? (double)a->shape[a->ndim - from_last] : 1;
}

static double count(const weft__array *a)
{
    return a ? (double)a->count : 0;
}

static bool is(const weft__launch *l, const char *name)
{
    return !l->grad && strcmp(weft__ops[l->op].name, name) == 0;
}

/* Pairs of a query and a key, of all heads. */
static double pairs(const weft__array *q, const weft__array *k, bool causal)
{
    const double queries = size(q, 2), keys = size(k, 2), heads = count(q) / (queries * size(q, 1));
    if (!causal)
        return heads * queries * keys;
    return heads * (queries < keys ? queries * (keys - queries) + queries * queries / 2 : keys * keys / 2);
}

static double attention_flops(const weft__launch *l)
{
    const weft__array *q = l->in[0], *v = l->in[2];
    const double each = 2 * pairs(q, l->in[1], l->attrs->attention.causal != 0), d = size(q, 1), e = size(v, 1);
    if (is(l, "attention"))
        return each * (d + e);
    const bool dq = l->out[0], dk = l->out[1], dv = l->out[2];
    return each * (d * (1 + dq + dk) + e * ((dq || dk) + dv));
}

static double step_flops(const weft__launch *l)
{
    double n = 0;
    for (int k = 0; k < l->n_in / weft__defs[l->op]->n_in; k++)
        n += count(l->in[k]);
    return n;
}

static double most(const weft__launch *l)
{
    double n = l->n_out > 0 ? count(l->out[0]) : 0;
    for (int k = 0; k < l->n_in; k++)
        n = fmax(n, count(l->in[k]));
    return n;
}

/* 5 n log2 n of the n complex numbers of a line, half of it of real ones. */
static double transform_flops(const weft__launch *l)
{
    const weft__array *x = l->in[0], *y = l->out[0];
    const bool to_real = y->ndim < x->ndim;
    const double n = (double)(to_real ? y : x)->shape[l->attrs->fft.dim];
    return n > 1 ? 5 * fmin(count(x), count(y)) / 2 * log2(n) : 0;
}

/* Of matrices m by n, of which there are many, r and s the smaller and the larger of both; < 0: of no such row. */
static double matrix_flops(const weft__launch *l)
{
    static const struct {
        const char *name;
        double thirds; /* of n^3 */
    } cubes[] = {{"cholesky", 1}, {"det", 2},    {"slogdet", 2},    {"inverse", 6},
                 {"cofactor", 6}, {"eigh", 144}, {"matrix_exp", 60}};
    const weft__array *x = l->n_in > 0 ? l->in[0] : NULL;
    if (!x || x->ndim < 2)
        return -1;
    const double m = size(x, 2), n = size(x, 1), r = fmin(m, n), s = fmax(m, n), many = count(x) / (m * n);
    for (size_t k = 0; k < sizeof cubes / sizeof *cubes; k++)
        if (is(l, cubes[k].name))
            return many * (cubes[k].thirds * n * n * n / 3);
    if (is(l, "qr"))
        return many * (4 * m * n * r - 4 * r * r * r / 3);
    if (is(l, "svd") || is(l, "pinv") || is(l, "cofactor_grad"))
        return many * (8 * r * r * (6 * s + 3 * r));
    if (is(l, "triangular_solve"))
        return n * count(l->out[0]);
    if (!is(l, "solve"))
        return -1;
    const double k = size(l->out[0], 1);
    return count(l->out[0]) / (n * k) * (2 * n * n * n / 3 + 2 * n * n * k);
}

static double flops_of(const weft__launch *l)
{
    const double of_matrices = matrix_flops(l);
    const weft__array *x = l->n_in > 0 ? l->in[0] : NULL, *w = l->n_in > 1 ? l->in[1] : NULL;
    if (is(l, "matmul") || is(l, "matmul_integer"))
        return 2 * count(l->out[0]) * size(x, 1);
    if (is(l, "linear") || is(l, "linear_act"))
        return 2 * count(x) * (double)w->shape[0];
    if (is(l, "linear_grad")) /* of the weight: a product over the rows */
        return l->out[0] ? 2 * (double)x->shape[0] * (double)x->shape[1] * (double)w->shape[1] : 0;
    if (is(l, "conv2d"))
        return 2 * count(l->out[0]) * (double)(w->shape[1] * w->shape[2] * w->shape[3]);
    if (is(l, "conv2d_transpose"))
        return 2 * count(x) * (double)(w->shape[1] * w->shape[2] * w->shape[3]);
    if (is(l, "conv2d_weight"))
        return 2 * count(w) * (double)(l->out[0]->shape[1] * l->out[0]->shape[2] * l->out[0]->shape[3]);
    if (is(l, "attention") || is(l, "attention_grad"))
        return attention_flops(l);
    if (is(l, "var_mean"))
        return 4 * count(x);
    if (is(l, "fft") || is(l, "rfft") || is(l, "irfft"))
        return transform_flops(l);
    if (of_matrices >= 0)
        return of_matrices;
    return weft__defs[l->op]->effect == WEFT__STEPS ? step_flops(l) : most(l);
}

static double bytes_of(const weft__launch *l)
{
    const bool overwrites = is(l, "copy_") || is(l, "fill_"), steps = weft__defs[l->op]->effect == WEFT__STEPS;
    const int n = steps ? l->n_in / weft__defs[l->op]->n_in : 1;
    double bytes = 0;
    for (int k = overwrites; k < l->n_in; k++) {
        const bool unset = is(l, "sgd_step") && k / n == 2 && l->attrs->sgd.first_step;
        bytes += unset ? 0 : bytes_at(l->in[k]);
        bytes += steps && k / n != 1 ? bytes_at(l->in[k]) : 0; /* written, too */
    }
    for (int k = 0; k < l->n_out; k++)
        bytes += bytes_at(l->out[k]);
    return bytes;
}

typedef struct watcher {
    weft__observer observer; /* first: the callbacks get its address */
    int64_t seen;
} watcher;

static void look(weft__observer *observer, const weft__launch *l)
{
    ((watcher *)observer)->seen++;
    const double flops = weft__launch_flops(l), bytes = weft__launch_bytes(l);
    if (flops == flops_of(l) && bytes == bytes_of(l))
        return;
    WEFT_FAIL("%s%s: %g flops and %g bytes, not %g and %g", weft__ops[l->op].name, l->grad ? " (gradient)" : "", flops,
              bytes, flops_of(l), bytes_of(l));
}

static void look_away(weft__observer *observer, const weft__launch *l, weft_status status)
{
    (void)observer, (void)l, (void)status;
}

static void derive(weft_ctx *c, const weft_sample_call *call, bool with_graph)
{
    weft_tensor *y = weft_sample_result(call), *found[WEFT_SAMPLE_OPERANDS], *leaves[WEFT_SAMPLE_OPERANDS];
    int n = 0;
    for (int k = 0; k < call->n_in; k++)
        if (call->smooth[k])
            leaves[n++] = call->in[k];
    if (y && n > 0 && weft_requires_grad(y))
        WEFT_CHECK_OK(weft_grad(c, &y, (weft_tensor *[]){weft_full_like(y, 0.5)}, 1, leaves, n,
                                WEFT_GRAD_ALLOW_UNUSED | (with_graph ? WEFT_GRAD_CREATE_GRAPH : 0), found));
}

WEFT_TEST(Work, OfEveryLaunchByItsArrays)
{
    watcher w = {.observer = {.begin = look, .end = look_away}};
    test_memory memory;
    weft_ctx *c = test_ctx_open_on("cpu", &memory, 1);
    WEFT_REQUIRE(c);
    for (int op = 0; op < WEFT_OP_COUNT; op++)
        for (int r = 0; r < WEFT__MAX_RECIPES && weft__defs[op]->recipes[r].operands; r++)
            for (int with_graph = 0; with_graph < 2; with_graph++) { /* with it other kernels derive than without */
                const weft_sample_options o = sizes_of(r);
                const int mark = weft_scope_push(c);
                weft_sample_call call;
                weft__observe(c, &w.observer);
                WEFT_CHECK_OK(weft__sample_make(c, op, &o, &call));
                for (int k = 0; k < call.n_in; k++)
                    if (call.smooth[k])
                        weft_set_requires_grad(call.in[k], true);
                WEFT_CHECK_OK(weft_sample_run(&call));
                derive(c, &call, with_graph);
                weft__unobserve(c, &w.observer);
                WEFT_CHECK_OK(weft_scope_pop(c, mark));
            }
    WEFT_CHECK(w.seen > 1000);
    test_ctx_close(c, &memory);
}
