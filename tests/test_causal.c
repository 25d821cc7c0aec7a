/* test_causal.c - causal attention hides what it should: a NaN or an infinity reaches the queries that see it, and what
 * depends on those, and nothing else. Forward, gradients by kernels and by composition, over several tiles. */
#include <math.h>
#include <stdlib.h>

#include "harness/weft_test.h"
#include "samples/layout.h"

enum { Q, K, V, G, OPERANDS };

typedef struct hidden_case {
    int64_t queries, keys, width, columns;
    weft_dtype dtype;
    int operand;    /* which one holds the trouble */
    int64_t row;    /* where */
    double trouble; /* what */
    bool composed;  /* gradients that record a graph */
} hidden_case;

static bool sees(const hidden_case *c, int64_t query, int64_t key)
{
    return key <= query + c->keys - c->queries;
}

/* The trouble reaches this query: its scores, or what they are multiplied by. */
static bool query_is_hit(const hidden_case *c, int64_t query)
{
    return c->operand == K || c->operand == V ? sees(c, query, c->row) : query == c->row && sees(c, query, 0);
}

static bool key_is_hit(const hidden_case *c, int64_t key)
{
    for (int64_t t = 0; t < c->queries; t++)
        if (query_is_hit(c, t) && sees(c, t, key))
            return true;
    return false;
}

/* y, dq, dk, dv: whether row `row` of result k must be NaN. */
static bool is_hit(const hidden_case *c, int k, int64_t row)
{
    if (k == 0)
        return c->operand != G && query_is_hit(c, row);
    if (k == 1)
        return query_is_hit(c, row);
    return (k == 2 || c->operand != V) && key_is_hit(c, row);
}

static weft_tensor *operand(weft_ctx *ctx, const hidden_case *c, int which, bool troubled)
{
    const int64_t rows = which == Q || which == G ? c->queries : c->keys;
    const int64_t columns = which == Q || which == K ? c->width : c->columns;
    double *values = malloc(sizeof *values * (size_t)(rows * columns + 1));
    for (int64_t k = 0; values && k < rows * columns; k++)
        values[k] = sin((double)(k * 7 + which * 131)) * 0.5;
    for (int64_t k = 0; values && troubled && which == c->operand && k < columns; k++)
        values[c->row * columns + k] = c->trouble;
    weft_tensor *t = weft_cast(weft_from_data(ctx, WEFT_F64, WEFT_DIMS(rows, columns), values), c->dtype);
    free(values);
    return t;
}

/* out: y, dq, dk, dv in f64 */
static bool compute(weft_ctx *ctx, const hidden_case *c, bool troubled, weft_tensor *out[4])
{
    weft_tensor *in[OPERANDS], *gradients[3];
    for (int k = 0; k < OPERANDS; k++)
        in[k] = operand(ctx, c, k, troubled);
    for (int k = 0; k < 3; k++)
        weft_set_requires_grad(in[k], true);
    weft_tensor *y = weft_attention(in[Q], in[K], in[V], WEFT_ATTENTION_SCALE, true);
    if (weft_grad(ctx, &y, &in[G], 1, in, 3, c->composed ? WEFT_GRAD_CREATE_GRAPH : 0, gradients) != WEFT_OK)
        return false;
    out[0] = weft_cast(weft_detach(y), WEFT_F64);
    for (int k = 0; k < 3; k++)
        out[1 + k] = weft_cast(weft_detach(gradients[k]), WEFT_F64);
    return weft_ctx_status(ctx) == WEFT_OK;
}

static void check_rows(weft_ctx *ctx, const hidden_case *c, int k, weft_tensor *with, weft_tensor *without)
{
    static const char *const names[] = {"y", "dq", "dk", "dv"}, *const operands[] = {"q", "k", "v", "g"};
    const int64_t rows = weft_size(with, 0), columns = weft_size(with, 1);
    const size_t bytes = sizeof(double) * (size_t)(rows * columns);
    double *a = malloc(bytes + 1), *b = malloc(bytes + 1);
    bool fine = a && b && weft_read(ctx, with, a, bytes) == WEFT_OK && weft_read(ctx, without, b, bytes) == WEFT_OK;
    WEFT_CHECK(fine);
    const double tolerance = c->dtype == WEFT_F64 ? 1e-12 : c->dtype == WEFT_F32 ? 2e-5 : 3e-2;
    for (int64_t i = 0; fine && i < rows * columns; i++) {
        const bool hit = is_hit(c, k, i / columns);
        const bool right = hit ? !isfinite(a[i]) : fabs(a[i] - b[i]) <= tolerance && isfinite(b[i]);
        if (right)
            continue;
        WEFT_FAIL("%g in row %lld of %s, %lld queries, %lld keys, %s, %s: row %lld of %s is %g, without it %g, and %s "
                  "reached",
                  c->trouble, (long long)c->row, operands[c->operand], (long long)c->queries, (long long)c->keys,
                  weft_dtype_name(c->dtype), c->composed ? "composed" : "kernels", (long long)(i / columns), names[k],
                  a[i], b[i], hit ? "is" : "is not");
        fine = false;
    }
    free(a);
    free(b);
}

static void check_case(weft_ctx *ctx, const hidden_case *c)
{
    weft_tensor *with[4], *without[4];
    int mark = weft_scope_push(ctx);
    WEFT_CHECK(compute(ctx, c, true, with) && compute(ctx, c, false, without));
    for (int k = 0; k < 4 && weft_ctx_status(ctx) == WEFT_OK; k++)
        check_rows(ctx, c, k, with[k], without[k]);
    WEFT_CHECK_OK(weft_scope_pop(ctx, mark));
}

static void check_sizes(int64_t queries, int64_t keys, weft_dtype dtype, bool composed)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    for (int operand = 0; operand < OPERANDS; operand++) {
        const int64_t rows = operand == Q || operand == G ? queries : keys;
        const int64_t places[] = {0, rows / 2, rows - 1};
        for (int k = 0; k < 3; k++)
            check_case(ctx, &(hidden_case){queries, keys, 8, 5, dtype, operand, places[k], NAN, composed});
    }
    check_case(ctx, &(hidden_case){queries, keys, 8, 5, dtype, V, keys - 1, INFINITY, composed});
    test_ctx_close(ctx, &memory);
}

WEFT_TEST(Causal, WhatIsHiddenDoesNotComeThroughOneTile)
{
    for (int composed = 0; composed < 2; composed++) {
        check_sizes(3, 3, WEFT_F32, composed);
        check_sizes(5, 3, WEFT_F64, composed); /* two queries see nothing */
        check_sizes(2, 6, WEFT_F32, composed);
        check_sizes(4, 4, WEFT_BF16, composed);
    }
}

WEFT_TEST(Causal, WhatIsHiddenDoesNotComeThroughManyTiles)
{
    check_sizes(170, 260, WEFT_F32, false);
    check_sizes(262, 190, WEFT_F64, false);
    check_sizes(40, 40, WEFT_F32, true);
}

/* Gradients of gradients: what a query does not see stays out of them too. */
WEFT_TEST(Causal, SecondDerivativesHideItToo)
{
    const hidden_case c = {4, 4, 3, 2, WEFT_F64, V, 3, NAN, true};
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    double sums[2];
    for (int troubled = 0; troubled < 2; troubled++) {
        weft_tensor *in[OPERANDS], *first[3], *second[3];
        for (int k = 0; k < OPERANDS; k++)
            in[k] = weft_set_requires_grad(operand(ctx, &c, k, troubled), true);
        weft_tensor *y = weft_attention(in[Q], in[K], in[V], WEFT_ATTENTION_SCALE, true);
        WEFT_CHECK_OK(weft_grad(ctx, &y, &in[G], 1, in, 3, WEFT_GRAD_CREATE_GRAPH, first));
        weft_tensor *early = weft_slice(first[0], 0, 0, 3, 1); /* queries that do not see key 3 */
        weft_tensor *loss = weft_sum(weft_mul(early, early), WEFT_ALL, false);
        WEFT_CHECK_OK(weft_grad(ctx, &loss, NULL, 1, in, 3, 0, second));
        sums[troubled] = 0;
        for (int k = 0; k < 3; k++)
            sums[troubled] += weft_item(ctx, weft_sum(weft_abs(weft_slice(second[k], 0, 0, 3, 1)), WEFT_ALL, false));
    }
    WEFT_CHECK(sums[0] > 0);
    WEFT_CHECK_NEAR(sums[1], sums[0], 1e-12);
    test_ctx_close(ctx, &memory);
}

/* ---- More keys than a tile has, against the formula in operations ----
 * Scores rise or fall along the keys, so that the largest one of a row is found in the first tile, or again in each. */

enum { QUERIES = 3, KEYS = 600, WIDTH = 4 };

static weft_tensor *by_formula(weft_tensor *const *in, double scale)
{
    weft_tensor *scores = weft_mul_scalar(weft_matmul(in[0], weft_transpose(in[1], -1, -2)), scale);
    return weft_matmul(weft_softmax(scores, -1), in[2]);
}

static void check_rising(weft_ctx *ctx, double rise)
{
    static double y[2][QUERIES * WIDTH], d[2][3][KEYS * WIDTH];
    const int mark = weft_scope_push(ctx);
    weft_tensor *in[3], *ramp = weft_mul_scalar(weft_arange(ctx, WEFT_F64, 0, KEYS, 1), rise / KEYS);
    in[0] = weft_rand(ctx, WEFT_F64, WEFT_DIMS(QUERIES, WIDTH), 0.75, 1.25);
    in[1] = weft_add(weft_rand(ctx, WEFT_F64, WEFT_DIMS(KEYS, WIDTH), -1, 1), weft_unsqueeze(ramp, -1));
    in[2] = weft_rand(ctx, WEFT_F64, WEFT_DIMS(KEYS, WIDTH), -1, 1);
    for (int k = 0; k < 3; k++)
        weft_set_requires_grad(in[k], true);
    weft_tensor *both[2] = {weft_attention(in[0], in[1], in[2], 0.5, false), by_formula(in, 0.5)}, *gradients[2][3];
    weft_tensor *g = weft_rand(ctx, WEFT_F64, WEFT_DIMS(QUERIES, WIDTH), -1, 1);
    for (int way = 0; way < 2; way++) {
        WEFT_CHECK_OK(weft_read(ctx, both[way], y[way], sizeof y[way]));
        WEFT_CHECK_OK(weft_grad(ctx, &both[way], &g, 1, in, 3, 0, gradients[way]));
        for (int k = 0; k < 3; k++)
            WEFT_CHECK_OK(weft_read(ctx, gradients[way][k], d[way][k], sizeof(double) * (size_t)weft_count(in[k])));
    }
    for (int e = 0; e < QUERIES * WIDTH; e++)
        WEFT_CHECK_NEAR(y[0][e], y[1][e], 1e-13);
    for (int k = 0; k < 3; k++)
        for (int64_t e = 0; e < weft_count(in[k]); e++)
            WEFT_CHECK_NEAR(d[0][k][e], d[1][k][e], 1e-12);
    WEFT_CHECK_OK(weft_scope_pop(ctx, mark));
}

WEFT_TEST(Attention, MoreKeysThanATileAgainstTheFormula)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    check_rising(ctx, 0);
    check_rising(ctx, 8);
    check_rising(ctx, -8);
    test_ctx_close(ctx, &memory);
}
