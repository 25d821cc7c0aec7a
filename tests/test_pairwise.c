/* test_pairwise.c - convolutions and pooling over rows of parameters that are chosen so that any two values of any two
 * parameters meet in one of them (all pairs), against plain loops in f64: steps with dilations, groups with borders,
 * sizes at, below and above what the kernels cut by. The three convolutions and their biases, both poolings and what
 * their gradients use. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "harness/structs.h"
#include "harness/weft_test.h"
#include "samples/layout.h"

enum { MOST_FACTORS = 16, MOST_LEVELS = 8, MOST_ROWS = 400, MOST_REPORTS = 6 };

/* ---- All pairs ---- */

typedef struct factor {
    int64_t levels[MOST_LEVELS];
    int n;
} factor;

typedef struct plan {
    const factor *factors;
    int n;
    bool met[MOST_FACTORS][MOST_LEVELS][MOST_FACTORS][MOST_LEVELS];
    uint32_t random;
} plan;

static int below(plan *p, int n)
{
    p->random = p->random * 1664525u + 1013904223u;
    return (int)((p->random >> 8) % (uint32_t)n);
}

/* Pairs of the row with the first n factors set that have not met yet, by factor f alone. */
static int new_pairs(const plan *p, const int *row, const bool *set, int f, int level)
{
    int n = 0;
    for (int k = 0; k < p->n; k++)
        n += set[k] && k != f && !p->met[f][level][k][row[k]];
    return n;
}

static void note(plan *p, const int *row)
{
    for (int a = 0; a < p->n; a++)
        for (int b = 0; b < p->n; b++)
            p->met[a][row[a]][b][row[b]] = true;
}

static bool first_unmet(const plan *p, int *row, bool *set)
{
    for (int a = 0; a < p->n; a++)
        for (int i = 0; i < p->factors[a].n; i++)
            for (int b = a + 1; b < p->n; b++)
                for (int j = 0; j < p->factors[b].n; j++)
                    if (!p->met[a][i][b][j]) {
                        row[a] = i;
                        row[b] = j;
                        set[a] = set[b] = true;
                        return true;
                    }
    return false;
}

/* The next row: a pair that has not met, and of each other factor the level by which most new pairs meet. False: all
 * have. */
static bool next_row(plan *p, int64_t *values)
{
    int row[MOST_FACTORS] = {0};
    bool set[MOST_FACTORS] = {false};
    if (!first_unmet(p, row, set))
        return false;
    for (int f = 0; f < p->n; f++) {
        if (set[f])
            continue;
        int best = -1;
        const int first = below(p, p->factors[f].n);
        for (int k = 0; k < p->factors[f].n; k++) {
            const int level = (first + k) % p->factors[f].n, pairs = new_pairs(p, row, set, f, level);
            if (pairs > best) {
                best = pairs;
                row[f] = level;
            }
        }
        set[f] = true;
    }
    note(p, row);
    for (int f = 0; f < p->n; f++)
        values[f] = p->factors[f].levels[row[f]];
    return true;
}

WEFT_TEST(Pairwise, EveryPairMeetsInFewRows)
{
    static const factor factors[] = {{{0, 1, 2}, 3}, {{0, 1, 2, 3}, 4}, {{0, 1}, 2}, {{0, 1, 2}, 3}};
    bool seen[4][4][4][4] = {{{{false}}}};
    plan *p = calloc(1, sizeof *p);
    int64_t row[MOST_FACTORS];
    int rows = 0;
    p->factors = factors;
    p->n = 4;
    while (rows < MOST_ROWS && next_row(p, row)) {
        rows++;
        for (int a = 0; a < 4; a++)
            for (int b = 0; b < 4; b++)
                seen[a][row[a]][b][row[b]] = true;
    }
    for (int a = 0; a < 4; a++)
        for (int b = 0; b < a; b++)
            for (int i = 0; i < factors[a].n; i++)
                for (int j = 0; j < factors[b].n; j++)
                    WEFT_CHECK(seen[a][i][b][j]);
    WEFT_CHECK(rows >= 12 && rows <= 24);
    free(p);
}

/* ---- Values ---- */

/* Whole numbers of at most 4 bits: sums of thousands of products are exact in f32. */
static double number(int64_t k, int64_t seed)
{
    const uint64_t h = ((uint64_t)k + 1) * 0x9E3779B97F4A7C15u + (uint64_t)seed * 0xBF58476D1CE4E5B9u;
    return (double)((h ^ h >> 31) >> 17 & 15) - 7;
}

typedef struct block {
    double *v;
    int64_t shape[4], count;
} block;

static block make_block(int64_t a, int64_t b, int64_t c, int64_t d, int64_t seed)
{
    block t = {.shape = {a, b, c, d}, .count = a * b * c * d};
    t.v = calloc((size_t)t.count + 1, sizeof *t.v);
    for (int64_t k = 0; seed && k < t.count; k++)
        t.v[k] = number(k, seed);
    return t;
}

static double *at(const block *t, int64_t a, int64_t b, int64_t c, int64_t d)
{
    return &t->v[((a * t->shape[1] + b) * t->shape[2] + c) * t->shape[3] + d];
}

static weft_tensor *tensor_of(weft_ctx *ctx, weft_dtype dtype, const block *t)
{
    return weft_cast(weft_from_data(ctx, WEFT_F64, t->shape, 4, t->v), dtype);
}

/* All values, exactly. */
static void check_block(weft_ctx *ctx, const char *what, weft_tensor *y, const block *want, const char *row)
{
    double *got = calloc((size_t)want->count + 1, sizeof *got);
    if (!y || weft_count(y) != want->count) {
        WEFT_FAIL("%s, %s: %s", what, row, y ? "another number of elements" : weft_ctx_message(ctx));
        weft_ctx_clear(ctx);
    } else {
        WEFT_CHECK_OK(weft_read(ctx, weft_cast(y, WEFT_F64), got, sizeof *got * (size_t)want->count));
        for (int64_t k = 0; k < want->count; k++)
            if (got[k] != want->v[k] && weft_test_failures() < MOST_REPORTS) {
                WEFT_FAIL("%s, %s: element %lld is %g, not %g", what, row, (long long)k, got[k], want->v[k]);
                break;
            }
    }
    free(got);
}

/* ---- Convolutions ---- */

enum { IMAGES, CHANNELS, FILTERS, GROUPS, HEIGHT, WIDTH, TALL, WIDE, STEP_0, STEP_1, PAD_0, PAD_1, GAP_0, GAP_1, TYPE };

/* Channels and filters are those of a group. The largest of each are more than the kernels take at a time: bands of
 * rows, blocks of columns, blocks of channels. */
static const factor conv_factors[] = {
    [IMAGES] = {{1, 2}, 2},    [CHANNELS] = {{1, 2, 24}, 3},    [FILTERS] = {{1, 2, 7, 15}, 4},
    [GROUPS] = {{1, 3}, 2},    [HEIGHT] = {{7, 9, 16, 110}, 4}, [WIDTH] = {{7, 8, 15, 33, 70}, 5},
    [TALL] = {{1, 2, 3}, 3},   [WIDE] = {{1, 3, 4}, 3},         [STEP_0] = {{1, 2, 3}, 3},
    [STEP_1] = {{1, 2, 3}, 3}, [PAD_0] = {{0, 1, 2}, 3},        [PAD_1] = {{0, 1, 3}, 3},
    [GAP_0] = {{1, 2, 3}, 3},  [GAP_1] = {{1, 2}, 2},           [TYPE] = {{WEFT_F32, WEFT_F64}, 2},
};

typedef struct conv {
    const int64_t *r; /* a row of conv_factors */
    int64_t out[2];
    block x, w, y;
} conv;

/* Calls back for every product of the convolution: y[n, k, p, q] += w[k, c, r, s] x[n, C, h, w]. */
static void each_product(const conv *c, void (*take)(double *y, double *w, double *x))
{
    const int64_t *r = c->r;
    for (int64_t n = 0; n < r[IMAGES]; n++)
        for (int64_t k = 0; k < r[FILTERS] * r[GROUPS]; k++)
            for (int64_t i = 0; i < r[CHANNELS]; i++)
                for (int64_t a = 0; a < r[TALL]; a++)
                    for (int64_t b = 0; b < r[WIDE]; b++)
                        for (int64_t p = 0; p < c->out[0]; p++) {
                            const int64_t h = p * r[STEP_0] - r[PAD_0] + a * r[GAP_0];
                            if (h < 0 || h >= r[HEIGHT])
                                continue;
                            for (int64_t q = 0; q < c->out[1]; q++) {
                                const int64_t v = q * r[STEP_1] - r[PAD_1] + b * r[GAP_1];
                                if (v >= 0 && v < r[WIDTH])
                                    take(at(&c->y, n, k, p, q), at(&c->w, k, i, a, b),
                                         at(&c->x, n, k / r[FILTERS] * r[CHANNELS] + i, h, v));
                            }
                        }
}

static void to_y(double *y, double *w, double *x)
{
    *y += *w * *x;
}

static void to_w(double *y, double *w, double *x)
{
    *w += *y * *x;
}

static void to_x(double *y, double *w, double *x)
{
    *x += *y * *w;
}

static void add_bias(block *y, const double *bias)
{
    for (int64_t k = 0; k < y->count; k++)
        y->v[k] += bias[k / (y->shape[2] * y->shape[3]) % y->shape[1]];
}

/* One of the three, the others' roles given: what is made begins as zeros. */
static void check_conv(weft_ctx *ctx, const int64_t *r, const char *text)
{
    const weft_dtype dtype = (weft_dtype)r[TYPE];
    conv c = {.r = r};
    weft_conv2d_params params = INIT_CONV2D(.stride = {r[STEP_0], r[STEP_1]}, .padding = {r[PAD_0], r[PAD_1]},
                                            .dilation = {r[GAP_0], r[GAP_1]}, .groups = r[GROUPS]);
    for (int d = 0; d < 2; d++) {
        c.out[d] = (r[HEIGHT + d] + 2 * r[PAD_0 + d] - r[GAP_0 + d] * (r[TALL + d] - 1) - 1) / r[STEP_0 + d] + 1;
        params.output_padding[d] = 0;
    }
    const int64_t channels = r[CHANNELS] * r[GROUPS], filters = r[FILTERS] * r[GROUPS];
    block x = make_block(r[IMAGES], channels, r[HEIGHT], r[WIDTH], 1),
          zx = make_block(r[IMAGES], channels, r[HEIGHT], r[WIDTH], 0);
    block w = make_block(filters, r[CHANNELS], r[TALL], r[WIDE], 2),
          zw = make_block(filters, r[CHANNELS], r[TALL], r[WIDE], 0);
    block y = make_block(r[IMAGES], filters, c.out[0], c.out[1], 3),
          zy = make_block(r[IMAGES], filters, c.out[0], c.out[1], 0);
    block bias = make_block(1, 1, 1, filters, 4), bias_x = make_block(1, 1, 1, channels, 5);
    weft_tensor *tx = tensor_of(ctx, dtype, &x), *tw = tensor_of(ctx, dtype, &w), *ty = tensor_of(ctx, dtype, &y);
    weft_tensor *tb = weft_flatten(tensor_of(ctx, dtype, &bias), 0, -1),
                *tbx = weft_flatten(tensor_of(ctx, dtype, &bias_x), 0, -1);
    each_product(&(conv){r, {c.out[0], c.out[1]}, x, w, zy}, to_y);
    add_bias(&zy, bias.v);
    check_block(ctx, "conv2d", weft_conv2d(tx, tw, tb, &params), &zy, text);
    each_product(&(conv){r, {c.out[0], c.out[1]}, x, zw, y}, to_w);
    check_block(ctx, "conv2d_weight", weft_conv2d_weight(tx, ty, (int64_t[]){r[TALL], r[WIDE]}, &params), &zw, text);
    each_product(&(conv){r, {c.out[0], c.out[1]}, zx, w, y}, to_x);
    add_bias(&zx, bias_x.v);
    for (int d = 0; d < 2; d++) /* rows that the step passes over */
        params.output_padding[d] =
            (r[HEIGHT + d] + 2 * r[PAD_0 + d] - r[GAP_0 + d] * (r[TALL + d] - 1) - 1) % r[STEP_0 + d];
    check_block(ctx, "conv2d_transpose", weft_conv2d_transpose(ty, tw, tbx, &params), &zx, text);
    block *all[] = {&x, &zx, &w, &zw, &y, &zy, &bias, &bias_x};
    for (int k = 0; k < 8; k++)
        free(all[k]->v);
}

static void row_text(const int64_t *row, int n, char *text, size_t size)
{
    size_t at = 0;
    text[0] = 0;
    for (int k = 0; k < n && at < size; k++)
        at += (size_t)snprintf(text + at, size - at, "%s%lld", k ? " " : "", (long long)row[k]);
}

/* Calls check for a row of each of the plan's. */
static void over_pairs(const factor *factors, int n, int least,
                       void (*check)(weft_ctx *ctx, const int64_t *row, const char *text))
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    plan *p = calloc(1, sizeof *p);
    int64_t row[MOST_FACTORS];
    int rows = 0;
    p->factors = factors;
    p->n = n;
    while (rows < MOST_ROWS && next_row(p, row)) {
        char text[128];
        const int mark = weft_scope_push(ctx);
        row_text(row, n, text, sizeof text);
        check(ctx, row, text);
        WEFT_CHECK_OK(weft_scope_pop(ctx, mark));
        rows++;
    }
    WEFT_CHECK(rows >= least && rows < MOST_ROWS);
    weft_test_property("rows", rows);
    free(p);
    test_ctx_close(ctx, &memory);
}

/* Kernels differ by whether windows step by one, whether a group has one channel or one filter, and whether a window is
 * one element: all pairs for each of these ways, or what three or four parameters must meet for would hardly be met. */
WEFT_TEST(Pairwise, Convolutions)
{
    static const factor none = {{0}, 1}, one = {{1}, 1}, steps = {{2, 3}, 2}, channels = {{2, 24}, 2},
                        filters = {{2, 7, 15}, 3};
    enum { N = sizeof conv_factors / sizeof *conv_factors };
    for (int way = 0; way < 16; way++) {
        factor factors[N];
        memcpy(factors, conv_factors, sizeof factors);
        factors[STEP_0] = way & 1 ? conv_factors[STEP_0] : one;
        factors[STEP_1] = way & 1 ? steps : one;
        factors[CHANNELS] = way & 2 ? channels : one;
        factors[FILTERS] = way & 4 ? filters : one;
        if (way & 8) {
            factors[TALL] = factors[WIDE] = one;
            factors[PAD_0] = factors[PAD_1] = none;
        }
        over_pairs(factors, N, 12, check_conv);
    }
}

/* ---- Pooling ---- */

enum { P_IMAGES, P_CHANNELS, P_HEIGHT, P_WIDTH, P_KERNEL_0, P_KERNEL_1, P_STEP_0, P_STEP_1, P_PAD_0, P_PAD_1, P_TYPE };

/* Borders as parts of what is allowed, half the kernel: 0 none, 1 all of it. */
static const factor pool_factors[] = {
    [P_IMAGES] = {{1, 2}, 2},        [P_CHANNELS] = {{1, 3}, 2},           [P_HEIGHT] = {{4, 5, 8, 17}, 4},
    [P_WIDTH] = {{4, 7, 16, 33}, 4}, [P_KERNEL_0] = {{1, 2, 3, 4}, 4},     [P_KERNEL_1] = {{1, 2, 3, 4}, 4},
    [P_STEP_0] = {{1, 2, 3}, 3},     [P_STEP_1] = {{1, 2, 5}, 3},          [P_PAD_0] = {{0, 1}, 2},
    [P_PAD_1] = {{0, 1}, 2},         [P_TYPE] = {{WEFT_F32, WEFT_F64}, 2},
};

static void check_pool(weft_ctx *ctx, const int64_t *r, const char *text)
{
    const int64_t pad[2] = {r[P_PAD_0] * (r[P_KERNEL_0] / 2), r[P_PAD_1] * (r[P_KERNEL_1] / 2)};
    const int64_t area = r[P_KERNEL_0] * r[P_KERNEL_1];
    int64_t out[2];
    for (int d = 0; d < 2; d++)
        out[d] = (r[P_HEIGHT + d] + 2 * pad[d] - r[P_KERNEL_0 + d]) / r[P_STEP_0 + d] + 1;
    block x = make_block(r[P_IMAGES], r[P_CHANNELS], r[P_HEIGHT], r[P_WIDTH], 1),
          dx = make_block(r[P_IMAGES], r[P_CHANNELS], r[P_HEIGHT], r[P_WIDTH], 0);
    block most = make_block(r[P_IMAGES], r[P_CHANNELS], out[0], out[1], 0),
          sum = make_block(r[P_IMAGES], r[P_CHANNELS], out[0], out[1], 0);
    block g = make_block(r[P_IMAGES], r[P_CHANNELS], out[0], out[1], 3),
          back = make_block(r[P_IMAGES], r[P_CHANNELS], r[P_HEIGHT], r[P_WIDTH], 0);
    for (int64_t k = 0; k < most.count; k++) {
        const int64_t q = k % out[1], p = k / out[1] % out[0], plane = k / (out[0] * out[1]);
        double *best = NULL;
        for (int64_t a = 0; a < area; a++) {
            const int64_t h = p * r[P_STEP_0] - pad[0] + a / r[P_KERNEL_1],
                          v = q * r[P_STEP_1] - pad[1] + a % r[P_KERNEL_1];
            if (h < 0 || h >= r[P_HEIGHT] || v < 0 || v >= r[P_WIDTH])
                continue;
            double *here = at(&x, plane / r[P_CHANNELS], plane % r[P_CHANNELS], h, v);
            best = !best || *here > *best ? here : best;
            sum.v[k] += *here;
            back.v[here - x.v] += g.v[k];
        }
        most.v[k] = *best;
        dx.v[best - x.v] += g.v[k];
    }
    const weft_pool2d_params params = INIT_POOL2D(.kernel = {r[P_KERNEL_0], r[P_KERNEL_1]},
                                                  .stride = {r[P_STEP_0], r[P_STEP_1]}, .padding = {pad[0], pad[1]});
    weft_tensor *tx = weft_set_requires_grad(tensor_of(ctx, (weft_dtype)r[P_TYPE], &x), true), *slope = NULL;
    weft_tensor *tg = tensor_of(ctx, (weft_dtype)r[P_TYPE], &g), *y = weft_max_pool2d(tx, &params);
    check_block(ctx, "max_pool2d", weft_detach(y), &most, text);
    WEFT_CHECK_OK(weft_grad(ctx, &y, &tg, 1, &tx, 1, 0, &slope));
    check_block(ctx, "the gradient of max_pool2d", slope, &dx, text);
    /* averages times what they are divided by: whole numbers once more */
    y = weft_avg_pool2d(tx, &params);
    check_block(ctx, "avg_pool2d", weft_round(weft_mul_scalar(weft_detach(y), (double)area)), &sum, text);
    WEFT_CHECK_OK(weft_grad(ctx, &y, &tg, 1, &tx, 1, 0, &slope));
    check_block(ctx, "avg_unpool2d", weft_round(weft_mul_scalar(slope, (double)area)), &back, text);
    block *all[] = {&x, &dx, &most, &sum, &g, &back};
    for (int k = 0; k < 6; k++)
        free(all[k]->v);
}

WEFT_TEST(Pairwise, Pooling)
{
    over_pairs(pool_factors, sizeof pool_factors / sizeof *pool_factors, 16, check_pool);
}
