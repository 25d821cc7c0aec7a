/* test_gradient_edges.c - derivatives where formulas go wrong: at large, small and special values, at ties, zeros and
 * kinks, in every floating dtype, by the fused formula and by the composition that create-graph records.
 *
 *   GradientEdges/OP  each elementwise row over a list of hard values: both ways agree, and agree with f64
 *   GradientValues    stated values, most of them from mpmath
 *
 * test_gradient_at.c has what lists of values cannot say. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/weft_test.h"
#include "samples/compare.h"
#include "samples/layout.h"

enum { MOST_REPORTS = 6, N_DTYPES = 4 };
static const weft_dtype dtypes[N_DTYPES] = {WEFT_F64, WEFT_F32, WEFT_BF16, WEFT_F16};

/* ---- Hard values ---- */

static const double magnitudes[] = {0,   5e-324, 1e-310, 1e-45, 3e-39,    6e-8, 1e-4,  0.25,  0.5,  1,    1.5,  2,
                                    3.5, 4,      9.25,   20,    16777218, 300,  10000, 65504, 1e19, 3e38, 1e200};
enum { N_HARD = 2 * (int)(sizeof magnitudes / sizeof magnitudes[0]) + 3 };

static void hard_values(double *x)
{
    int n = 0;
    for (size_t k = 0; k < sizeof magnitudes / sizeof magnitudes[0]; k++) {
        x[n++] = magnitudes[k];
        x[n++] = -magnitudes[k];
    }
    x[n++] = (double)INFINITY;
    x[n++] = -(double)INFINITY;
    x[n++] = (double)NAN;
}

/* ---- One row at these values ---- */

typedef struct edges {
    const case_row *row;
    double numbers[2]; /* UNARY_P */
} edges;

/* The gradients of both operands (one for one) as doubles: first those of a. NULL after an error. */
static double *gradients(weft_ctx *ctx, const edges *e, weft_dtype dtype, const double *a, const double *b, int64_t n,
                         int flags)
{
    const bool two = e->row->family == CASE_BINARY;
    weft_case c = {.ctx = ctx, .n_in = two ? 2 : 1, .f = {e->numbers[0], e->numbers[1]}, .nf = 2};
    weft_tensor *in[2], *dx[2] = {NULL, NULL};
    for (int k = 0; k < c.n_in; k++) {
        weft_tensor *x = weft_cast(weft_from_data(ctx, WEFT_F64, &n, 1, k ? b : a), dtype);
        c.in[k] = in[k] = weft_set_requires_grad(weft_detach(x), true);
    }
    double *all = NULL;
    if (!case_run(e->row, &c))
        return NULL;
    weft_tensor *g = weft_full_like(c.out[0], -0.75);
    if (weft_grad(ctx, c.out, &g, 1, in, c.n_in, flags, dx) != WEFT_OK)
        return NULL;
    all = calloc((size_t)(2 * n), sizeof *all);
    for (int k = 0; k < c.n_in; k++) {
        double *part = read_doubles(ctx, dx[k]);
        memcpy(all + k * n, part, sizeof *all * (size_t)n);
        free(part);
    }
    return all;
}

/* Roundings of the dtype, and its smallest step. In a half type the result that is read back is rounded, too. */
static double relative(weft_dtype dtype)
{
    return dtype == WEFT_F64 ? 1e-11 : dtype == WEFT_F32 ? 2e-5 : dtype == WEFT_F16 ? 6e-3 : 5e-2;
}

static double smallest(weft_dtype dtype)
{
    return dtype == WEFT_F64 ? 1e-307 : dtype == WEFT_F16 ? 0x1p-20 : 1e-37;
}

static double largest(weft_dtype dtype)
{
    return dtype == WEFT_F64 ? DBL_MAX : dtype == WEFT_F32 ? (double)FLT_MAX : dtype == WEFT_F16 ? 65504 : 0x1.fep127;
}

/* Equal up to rounding; beyond the largest number infinity may stand. */
static bool same(weft_dtype dtype, double got, double want)
{
    const double most = largest(dtype) * (1 - relative(dtype));
    if (isnan(want) || isnan(got))
        return isnan(want) && isnan(got);
    if (fabs(got) > most && fabs(want) > most)
        return signbit(got) == signbit(want);
    return fabs(got - want) <= relative(dtype) * fmax(fabs(got), fabs(want)) + smallest(dtype);
}

/* Rows whose derivative reads the result: where that over- or underflows in a narrow type, so does the derivative. */
static bool reads_result(const char *name)
{
    static const char *const rows[] = {"exp", "sqrt", "rsqrt", "reciprocal", "tan", "div", "pow"};
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++)
        if (strcmp(rows[k], name) == 0)
            return true;
    return false;
}

/* The composition has no way to say a^(b-1) but through b - 1, which rounds to -1 for a tiny b: a power that is no
 * number for negative a seems to be one. */
static bool exponent_rounds(const edges *e, double a, double b)
{
    return strcmp(e->row->name, "pow") == 0 && a <= 0 && b != 0 && fabs(b) < 1e-7;
}

static void compare(const edges *e, weft_dtype dtype, const char *what, const double *got, const double *want,
                    const double *a, const double *b, int64_t n)
{
    const int operands = e->row->family == CASE_BINARY ? 2 : 1;
    for (int64_t k = 0; k < operands * n; k++)
        if (!same(dtype, got[k], want[k]) && !(b && exponent_rounds(e, a[k % n], b[k % n])) &&
            weft_test_failures() < MOST_REPORTS)
            WEFT_FAIL("%s of %s (numbers %g, %g), gradient of operand %d at (%.9g, %.9g): %s: %.9g and %.9g",
                      e->row->name, weft_dtype_name(dtype), e->numbers[0], e->numbers[1], k < n ? 1 : 2, a[k % n],
                      b ? b[k % n] : (double)NAN, what, got[k], want[k]);
}

/* The values as the dtype holds them. */
static void round_to(weft_ctx *ctx, weft_dtype dtype, double *x, int64_t n)
{
    weft_tensor *t = weft_cast(weft_cast(weft_from_data(ctx, WEFT_F64, &n, 1, x), dtype), WEFT_F64);
    WEFT_CHECK_OK(weft_read(ctx, t, x, sizeof *x * (size_t)n));
}

static void check_dtype(weft_ctx *ctx, const edges *e, weft_dtype dtype, double *a, double *b, int64_t n)
{
    round_to(ctx, dtype, a, n);
    if (b)
        round_to(ctx, dtype, b, n);
    double *fused = gradients(ctx, e, dtype, a, b, n, 0);
    double *composed = gradients(ctx, e, dtype, a, b, n, WEFT_GRAD_CREATE_GRAPH);
    double *wide = gradients(ctx, e, WEFT_F64, a, b, n, 0);
    WEFT_CHECK_OK(weft_ctx_status(ctx));
    if (fused && composed && wide) {
        compare(e, dtype, "fused and composed", fused, composed, a, b, n);
        if (!reads_result(e->row->name))
            compare(e, dtype, "this dtype and f64", fused, wide, a, b, n);
    }
    free(fused);
    free(composed);
    free(wide);
}

static void check_edges(const edges *e)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    double x[N_HARD], *a = malloc(sizeof *a * N_HARD * N_HARD), *b = malloc(sizeof *b * N_HARD * N_HARD);
    const bool two = e->row->family == CASE_BINARY;
    for (int d = 0; d < N_DTYPES; d++) {
        const int mark = weft_scope_push(ctx);
        hard_values(x);
        for (int i = 0; i < N_HARD; i++)
            for (int j = 0; two && j < N_HARD; j++) {
                a[i * N_HARD + j] = x[i];
                b[i * N_HARD + j] = x[j];
            }
        check_dtype(ctx, e, dtypes[d], two ? a : x, two ? b : NULL, two ? N_HARD * N_HARD : N_HARD);
        WEFT_CHECK_OK(weft_scope_pop(ctx, mark));
    }
    free(a);
    free(b);
    test_ctx_close(ctx, &memory);
}

/* ---- Registration: rows with numbers come with several ---- */

static void run_edges(void *user)
{
    check_edges(user);
}

/* Pairs of numbers: a limit that f16 does not hold, limits that cross, exponents that are even from 2^24 on. */
static const double number_lists[][11][2] = {
    {{-1, 1.5}, {-1e-3, 1e5}, {2, 1}, {0, 0}},
    {{0, 0}, {1, 0}, {2, 0}, {3, 0}, {-1, 0}, {0.5, 0}, {0.1, 0}, {10000, 0}, {16777218, 0}, {-16777220, 0}},
    {{1.5, 0}, {-0.25, 0}, {0, 0}},
};

static int numbers_of(const case_row *row, const double (**list)[2])
{
    const bool clamps = strcmp(row->name, "clamp") == 0, powers = strcmp(row->name, "pow_scalar") == 0;
    *list = number_lists[clamps ? 0 : powers ? 1 : 2];
    return row->family != CASE_UNARY_P ? 1 : clamps ? 4 : powers ? 10 : 3;
}

static edges all_edges[256];

WEFT_TEST_INIT(gradient_edges)
{
    int n = 0;
    for (int r = 0; r < case_row_count; r++) {
        const case_row *row = &case_rows[r];
        const double(*list)[2];
        if (row->family != CASE_UNARY && row->family != CASE_UNARY_P && row->family != CASE_BINARY)
            continue;
        const int numbers = numbers_of(row, &list);
        for (int k = 0; k < numbers && n < (int)(sizeof all_edges / sizeof all_edges[0]); k++) {
            char name[96];
            all_edges[n] = (edges){.row = row, .numbers = {list[k][0], list[k][1]}};
            snprintf(name, sizeof name, numbers > 1 ? "%s/%d" : "%s", row->name, k);
            weft_test_add("GradientEdges", name, run_edges, &all_edges[n++], __FILE__, __LINE__);
        }
    }
}

/* ---- Stated values: numbers, operands, gradients ---- */

typedef struct stated {
    const char *name;
    double numbers[2], at[2], want[2];
} stated;

#define TINY 0x1p-100
#define HUGE 0x1p66
#define INF (double)INFINITY

static const stated values[] = {
    /* smooth, by mpmath */
    {"tanh", {0, 0}, {0, 0}, {1.0, 0}},
    {"tanh", {0, 0}, {0.25, 0}, {0.94001484880637796, 0}},
    {"tanh", {0, 0}, {-4, 0}, {0.0013409506830258969, 0}},
    {"tanh", {0, 0}, {4, 0}, {0.0013409506830258969, 0}},
    {"tanh", {0, 0}, {9.25, 0}, {3.6949797965238579e-8, 0}},
    {"tanh", {0, 0}, {-20, 0}, {1.6993417021166356e-17, 0}},
    {"tanh", {0, 0}, {40, 0}, {7.2194055513816607e-35, 0}},
    {"sigmoid", {0, 0}, {0, 0}, {0.25, 0}},
    {"sigmoid", {0, 0}, {7, 0}, {0.00091022118012182652, 0}},
    {"sigmoid", {0, 0}, {-7, 0}, {0.00091022118012182652, 0}},
    {"sigmoid", {0, 0}, {18, 0}, {1.5229979280808073e-8, 0}},
    {"sigmoid", {0, 0}, {-18, 0}, {1.5229979280808073e-8, 0}},
    {"sigmoid", {0, 0}, {40, 0}, {4.248354255291589e-18, 0}},
    {"sigmoid", {0, 0}, {88, 0}, {6.0546018954011859e-39, 0}},
    {"expm1", {0, 0}, {0, 0}, {1.0, 0}},
    {"expm1", {0, 0}, {-2, 0}, {0.13533528323661269, 0}},
    {"expm1", {0, 0}, {-7, 0}, {0.00091188196555451621, 0}},
    {"expm1", {0, 0}, {-18, 0}, {1.5229979744712628e-8, 0}},
    {"expm1", {0, 0}, {-40, 0}, {4.248354255291589e-18, 0}},
    {"gelu", {0, 0}, {0, 0}, {0.5, 0}},
    {"gelu", {0, 0}, {-0.5, 0}, {0.13250487534383716, 0}},
    {"gelu", {0, 0}, {3, 0}, {1.0119456472041839, 0}},
    {"gelu", {0, 0}, {-3, 0}, {-0.011945647204183927, 0}},
    {"gelu", {0, 0}, {-6, 0}, {-3.5468709453902015e-8, 0}},
    {"gelu", {0, 0}, {-9.25, 0}, {-9.6015947568093122e-19, 0}},
    {"gelu", {0, 0}, {20, 0}, {1.0, 0}},
    {"gelu_tanh", {0, 0}, {0, 0}, {0.5, 0}},
    {"gelu_tanh", {0, 0}, {-0.5, 0}, {0.13263009646535769, 0}},
    {"gelu_tanh", {0, 0}, {3, 0}, {1.0115841666309697, 0}},
    {"gelu_tanh", {0, 0}, {-3, 0}, {-0.011584166630969726, 0}},
    {"gelu_tanh", {0, 0}, {-6, 0}, {-7.7099739309536955e-10, 0}},
    {"gelu_tanh", {0, 0}, {300, 0}, {1.0, 0}},
    {"gelu_tanh", {0, 0}, {-300, 0}, {0, 0}},
    {"silu", {0, 0}, {0, 0}, {0.5, 0}},
    {"silu", {0, 0}, {-2, 0}, {-0.090784248784895479, 0}},
    {"silu", {0, 0}, {4, 0}, {1.0526646148910729, 0}},
    {"silu", {0, 0}, {-9.25, 0}, {-0.00079275949788371037, 0}},
    {"silu", {0, 0}, {-20, 0}, {-3.9161918660646783e-8, 0}},
    {"silu", {0, 0}, {300, 0}, {1.0, 0}},
    {"silu", {0, 0}, {-300, 0}, {-1.5393118665011921e-128, 0}},
    {"softplus", {0, 0}, {0, 0}, {0.5, 0}},
    {"softplus", {0, 0}, {4, 0}, {0.98201379003790844, 0}},
    {"softplus", {0, 0}, {-9.25, 0}, {9.6102415499473949e-5, 0}},
    {"softplus", {0, 0}, {-40, 0}, {4.248354255291589e-18, 0}},
    {"rsqrt", {0, 0}, {0.25, 0}, {-4.0, 0}},
    {"rsqrt", {0, 0}, {4, 0}, {-0.0625, 0}},
    {"reciprocal", {0, 0}, {0.25, 0}, {-16.0, 0}},
    {"reciprocal", {0, 0}, {-64, 0}, {-0.000244140625, 0}},
    {"pow_scalar", {3, 0}, {-2, 0}, {12, 0}},
    {"pow_scalar", {16777218, 0}, {-1, 0}, {-16777218, 0}},
    {"pow", {0, 0}, {-1, 9984}, {-9984, (double)NAN}},
    {"pow", {0, 0}, {-1, 16777220}, {-16777220, (double)NAN}},
    {"pow", {0, 0}, {-1, 0x1p60}, {-0x1p60, (double)NAN}},
    {"atan2", {0, 0}, {0x1p-13, 0x1p-13}, {4096, -4096}},
    {"atan2", {0, 0}, {0, TINY}, {1 / TINY, 0}},
    {"atan2", {0, 0}, {TINY, 0}, {0, -1 / TINY}},
    {"atan2", {0, 0}, {HUGE, HUGE}, {0.5 / HUGE, -0.5 / HUGE}},
    {"atan2", {0, 0}, {3, -4}, {-4.0 / 25, -3.0 / 25}},
    {"atan2", {0, 0}, {INF, 1}, {0, 0}},
    {"atan2", {0, 0}, {INF, -INF}, {0, 0}},
    {"mod", {0, 0}, {1, 0.1}, {1, -9}},
    {"mod", {0, 0}, {-7, 2}, {1, 4}},
    {"mod", {0, 0}, {-1, INF}, {1, 1}},
    {"mod", {0, 0}, {1, INF}, {1, 0}},
    {"mod", {0, 0}, {1, -INF}, {1, 1}},
    {"mod", {0, 0}, {-TINY, HUGE}, {1, 1}},
    {"mod", {0, 0}, {0, INF}, {1, 0}},
    /* conventions, as docs/design.md lists them */
    {"abs", {0, 0}, {0, 0}, {0, 0}},
    {"abs", {0, 0}, {(double)NAN, 0}, {0, 0}},
    {"relu", {0, 0}, {0, 0}, {0, 0}},
    {"relu", {0, 0}, {-0.0, 0}, {0, 0}},
    {"leaky_relu", {0.25, 0}, {0, 0}, {0.25, 0}},
    {"leaky_relu", {0.25, 0}, {-0.0, 0}, {0.25, 0}},
    {"elu", {1.5, 0}, {0, 0}, {1.5, 0}},
    {"clamp", {-1, 1.5}, {-1, 0}, {1, 0}},
    {"clamp", {-1, 1.5}, {1.5, 0}, {1, 0}},
    {"clamp", {2, 1}, {1.5, 0}, {0, 0}},
    {"min", {0, 0}, {3, 3}, {0.5, 0.5}},
    {"max", {0, 0}, {3, 3}, {0.5, 0.5}},
    {"max", {0, 0}, {3, 2}, {1, 0}},
    {"atan2", {0, 0}, {0, 0}, {0, 0}},
    {"atan2", {0, 0}, {0, -0.0}, {0, 0}},
    {"pow", {0, 0}, {0, 2}, {0, 0}},
    {"pow", {0, 0}, {0, 0}, {0, 0}},
    {"pow", {0, 0}, {0, 1}, {1, 0}},
    {"pow_scalar", {1, 0}, {0, 0}, {1, 0}},
    {"pow_scalar", {0, 0}, {0, 0}, {0, 0}},
    {"sign", {0, 0}, {0, 0}, {0, 0}},
    {"floor", {0, 0}, {2, 0}, {0, 0}},
};

/* Up to the rounding of the operand in that dtype (none: it must hold them), of the result and of what is saved. */
static bool as_stated(weft_dtype dtype, double got, double want)
{
    static const double roundings[] = {1e-13, 3e-6, 1.2e-2, 1.5e-3};
    for (int d = 0; d < N_DTYPES; d++)
        if (dtypes[d] == dtype)
            return isnan(want) ? isnan(got)
                               : fabs(got - want) <= roundings[d] * fabs(want) + (dtype == WEFT_F16 ? 0x1p-24 : 1e-44);
    return false;
}

static int check_stated(weft_ctx *ctx, const stated *s, weft_dtype dtype, int flags)
{
    edges e = {.row = case_row_named(s->name), .numbers = {s->numbers[0], s->numbers[1]}};
    double at[2] = {s->at[0], s->at[1]};
    round_to(ctx, dtype, at, 2);
    for (int k = 0; k < 2; k++)
        if ((at[k] != s->at[k] && !isnan(s->at[k])) || fabs(s->want[k]) > largest(dtype))
            return 0;
    double *got = gradients(ctx, &e, dtype, &at[0], &at[1], 1, flags);
    WEFT_CHECK_OK(weft_ctx_status(ctx));
    for (int k = 0; got && k < (e.row->family == CASE_BINARY ? 2 : 1); k++)
        if (!as_stated(dtype, got[k] / -0.75, s->want[k]))
            WEFT_FAIL("%s of %s, %s: the gradient of operand %d at (%.9g, %.9g) is %.9g, not %.9g", s->name,
                      weft_dtype_name(dtype), flags ? "composed" : "fused", k + 1, at[0], at[1], got[k] / -0.75,
                      s->want[k]);
    free(got);
    return 1;
}

WEFT_TEST(GradientValues, AreAsStatedInEveryDtypeBothWays)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    for (size_t k = 0; k < sizeof values / sizeof values[0]; k++) {
        int ran = 0;
        for (int d = 0; d < N_DTYPES; d++)
            for (int flags = 0; flags <= WEFT_GRAD_CREATE_GRAPH; flags++) {
                const int mark = weft_scope_push(ctx);
                ran += check_stated(ctx, &values[k], dtypes[d], flags);
                WEFT_CHECK_OK(weft_scope_pop(ctx, mark));
            }
        WEFT_CHECK(ran > 0);
    }
    test_ctx_close(ctx, &memory);
}
