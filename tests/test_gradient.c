/* test_gradient.c - derivatives of every differentiable operation, over the golden records.
 *
 *   Gradcheck       first derivatives against central differences, f64
 *   Gradgradcheck   second derivatives likewise
 *   Gradient        f32, f16 and bf16 gradients, in every layout, against the f64 one
 *   GradientTwoWays the fused first-order kernels against the composition that create-graph records */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/structs.h"
#include "harness/weft_test.h"
#include "samples/compare.h"
#include "samples/device.h"
#include "samples/layout.h"

enum { MOST_REPORTS = 4, FEWEST_RECORDS = 3, MOST_FIRST = 200, MOST_SECOND = 90 };

/* A golden record as a function of its floating inputs. */
typedef struct smooth {
    const case_row *row;
    const gold_record *record;
    weft_tensor *fixed[GOLD_MAX_IN]; /* conditions, indices, state; NULL where an input goes */
    weft_tensor *inputs[GOLD_MAX_IN];
    int slot[GOLD_MAX_IN];
    int n;
} smooth;

/* Several results become one, so that one function covers split too. */
static weft_tensor *joined(const weft_case *c)
{
    weft_tensor *flat[GOLD_MAX_OUT];
    if (c->n_smooth == 1)
        return c->out[0];
    for (int k = 0; k < c->n_smooth; k++)
        flat[k] = weft_reshape(c->out[k], (const int64_t[]){-1}, 1);
    return weft_concat(flat, c->n_smooth, 0);
}

static weft_tensor *evaluate(weft_ctx *ctx, weft_tensor *const *inputs, int n, void *user)
{
    const smooth *s = user;
    weft_case c;
    case_begin(&c, ctx, s->record);
    for (int k = 0; k < s->record->n_in; k++)
        c.in[k] = s->fixed[k];
    for (int k = 0; k < n; k++)
        c.in[s->slot[k]] = inputs[k];
    return case_run(s->row, &c) ? joined(&c) : NULL;
}

/* ---- Kinks ---- */

static bool near_integer(double x)
{
    return fabs(x - rint(x)) < 1e-4;
}

static bool pair_at_kink(const case_row *row, double a, double b)
{
    return row->kink == KINK_EQUAL ? fabs(a - b) < 1e-4 : near_integer(a / b);
}

static bool value_at_kink(const case_row *row, const gold_record *record, double x)
{
    if (row->kink == KINK_POINT)
        return fabs(x - row->kink_at) < 1e-4;
    if (row->kink == KINK_STEP)
        return near_integer(2 * x);
    if (row->kink == KINK_BOTH)
        return fabs(fabs(x) - row->kink_at) < 1e-4;
    for (int k = 0; k < 2; k++) /* KINK_PARAM: a limit, or one on either side */
        if (fabs(fabs(x) - fabs(record->f[k])) < 1e-4)
            return true;
    return false;
}

/* Whether a derivative jumps at (or beside) the inputs when `shift` is added to the first. */
static bool at_kink(const case_row *row, const gold_record *record, double shift)
{
    const gold_tensor *a = &record->in[0], *b = &record->in[1];
    if (row->kink == KINK_NONE)
        return false;
    for (int64_t e = 0; e < a->count; e++) {
        if (row->kink != KINK_EQUAL && row->kink != KINK_MULTIPLE) {
            if (value_at_kink(row, record, a->f[e] + shift))
                return true;
            continue;
        }
        for (int64_t k = 0; k < b->count; k++)
            if (pair_at_kink(row, a->f[e] + shift, b->f[k]))
                return true;
    }
    return false;
}

/* A shift of the first input that leads away from every kink; NAN: none found. */
static double away_from_kinks(const case_row *row, const gold_record *record)
{
    static const double shifts[] = {0, 0.0123, 0.0271, 0.0347, 0.0419, 0.0553, 0.0611};
    for (size_t k = 0; k < sizeof shifts / sizeof shifts[0]; k++)
        if (!at_kink(row, record, shifts[k]))
            return shifts[k];
    return (double)NAN;
}

/* ---- Inputs ---- */

/* How the values of an input are changed before they are used. */
typedef struct change {
    double factor, shift;
    bool specials; /* every 5th is one of special_values */
} change;

static const change as_they_are = {.factor = 1};
static const double special_values[] = {0, -0.0, (double)NAN, (double)INFINITY, 1e-40, -(double)INFINITY, 1e-7};

static weft_tensor *changed(weft_ctx *ctx, const gold_tensor *t, weft_dtype dtype, layout how, const change *by)
{
    enum { EVERY = 5, SPECIALS = sizeof special_values / sizeof special_values[0] };
    gold_tensor moved = *t;
    moved.f = malloc(sizeof *moved.f * (size_t)(t->count + 1));
    for (int64_t e = 0; e < t->count; e++) {
        moved.f[e] = t->f[e] * by->factor + by->shift;
        if (by->specials && e % EVERY == EVERY - 1)
            moved.f[e] = special_values[e / EVERY % SPECIALS];
    }
    weft_tensor *made = lay_out(ctx, &moved, dtype, how);
    free(moved.f);
    return made;
}

static bool prepare(smooth *s, weft_ctx *ctx, const case_row *row, const gold_record *record, weft_dtype dtype,
                    layout how, const change *by)
{
    const change others = {.factor = by->factor, .specials = by->specials};
    memset(s, 0, sizeof *s);
    s->row = row;
    s->record = record;
    for (int k = 0; k < record->n_in; k++) {
        const gold_tensor *t = &record->in[k];
        weft_tensor *made =
            t->kind == 'v' ? changed(ctx, t, dtype, how, k == 0 ? by : &others) : lay_out(ctx, t, dtype, how);
        if (t->kind && !made)
            return false;
        if (t->kind != 'v') {
            s->fixed[k] = made;
            continue;
        }
        s->slot[s->n] = k;
        s->inputs[s->n++] = weft_set_requires_grad(made, true);
    }
    return true;
}

static int64_t elements(const gold_record *record)
{
    int64_t n = 0;
    for (int k = 0; k < record->n_in; k++)
        n += record->in[k].kind == 'v' ? record->in[k].count : 0;
    return n;
}

static bool has_gradient(const gold_record *record)
{
    return !record->integer && !(record->flags & (GOLD_SPECIAL | GOLD_NOGRAD | GOLD_INPLACE | GOLD_F32 | GOLD_F64)) &&
           elements(record) > 0;
}

static void report(const gold_record *record, const char *what, const char *why)
{
    if (weft_test_failures() < MOST_REPORTS)
        WEFT_FAIL("%s, record %s, %s: %s", record->op, record->name, what, why);
}

/* ---- Against differences ---- */

typedef weft_status (*checker)(weft_ctx *ctx, weft_tensor *const *inputs, int n, weft_function f, void *user,
                               const weft_gradcheck_options *options);

static int check_row(weft_ctx *ctx, const case_row *row, checker check, int64_t most)
{
    int ran = 0;
    for (const gold_record *record = gold_next(row->name, NULL); record; record = gold_next(row->name, record)) {
        if (!has_gradient(record) || elements(record) > most)
            continue;
        double shift = away_from_kinks(row, record);
        if (isnan(shift))
            continue;
        int mark = weft_scope_push(ctx);
        smooth s;
        layout how = ran % 2 && layout_applies(record, LAYOUT_TRANSPOSED) ? LAYOUT_TRANSPOSED : LAYOUT_CONTIGUOUS;
        if (!prepare(&s, ctx, row, record, WEFT_F64, how, &(change){.factor = 1, .shift = shift}) ||
            check(ctx, s.inputs, s.n, evaluate, &s, NULL) != WEFT_OK)
            report(record, "differences", weft_ctx_message(ctx));
        weft_ctx_clear(ctx);
        WEFT_CHECK_OK(weft_scope_pop(ctx, mark));
        ran++;
    }
    return ran;
}

static void run_check(const case_row *row, checker check, int64_t most)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    int ran = check_row(ctx, row, check, most);
    weft_test_property("records", ran);
    WEFT_CHECK(ran >= FEWEST_RECORDS);
    test_ctx_close(ctx, &memory);
}

static void run_gradcheck(void *user)
{
    run_check(user, weft_gradcheck, MOST_FIRST);
}

static void run_gradgradcheck(void *user)
{
    run_check(user, weft_gradgradcheck, MOST_SECOND);
}

/* ---- Against f64 ---- */

/* Cotangents with 8 significant bits, of both signs, none of them 0. */
static weft_tensor *cotangent_of(weft_ctx *ctx, weft_tensor *y)
{
    gold_tensor g = {.kind = 'v', .ndim = weft_ndim(y), .count = weft_count(y)};
    memcpy(g.shape, weft_shape(y), sizeof *g.shape * (size_t)g.ndim);
    g.f = malloc(sizeof *g.f * (size_t)(g.count + 1));
    for (int64_t e = 0; e < g.count; e++)
        g.f[e] = (double)((e * 37 + 11) % 101 - 50) / 32 + 1.0 / 64;
    weft_tensor *made = lay_out(ctx, &g, weft_dtype_of(y), LAYOUT_CONTIGUOUS);
    free(g.f);
    return made;
}

/* The gradients of all inputs one after another, as doubles; zeros where there is none. NULL after an error. */
static double *gradients(weft_ctx *ctx, const smooth *s, int flags)
{
    weft_tensor *grads[GOLD_MAX_IN], *y = evaluate(ctx, s->inputs, s->n, (void *)(uintptr_t)s);
    if (!y)
        return NULL;
    weft_tensor *g = cotangent_of(ctx, y);
    if (weft_grad(ctx, &y, &g, 1, s->inputs, s->n, flags | WEFT_GRAD_ALLOW_UNUSED, grads) != WEFT_OK)
        return NULL;
    double *all = calloc((size_t)elements(s->record) + 1, sizeof *all);
    int64_t at = 0;
    for (int k = 0; k < s->n; k++) {
        int64_t n = weft_count(s->inputs[k]);
        double *part = grads[k] && weft_count(grads[k]) == n ? read_doubles(ctx, grads[k]) : NULL;
        if (part)
            memcpy(all + at, part, sizeof *all * (size_t)n);
        else if (grads[k] && n > 0)
            all[at] = (double)NAN; /* a gradient of another size: agrees with nothing */
        free(part);
        at += n;
    }
    return all;
}

/* The gradients of one record; `why` is set where NULL is returned. */
static double *gradients_at(weft_ctx *ctx, const case_row *row, const gold_record *record, weft_dtype dtype, layout how,
                            const change *by, int flags, char *why, size_t size)
{
    int mark = weft_scope_push(ctx);
    smooth s;
    double *all = prepare(&s, ctx, row, record, dtype, how, by) ? gradients(ctx, &s, flags) : NULL;
    if (!all)
        snprintf(why, size, "%.400s", weft_ctx_message(ctx));
    weft_ctx_clear(ctx);
    WEFT_CHECK_OK(weft_scope_pop(ctx, mark));
    weft_memory_trim(ctx);
    return all;
}

/* Gradients below this norm count as this much: sums that cancel to 0 have no relative error. */
static double smallest_norm(const gold_record *record)
{
    return 0.02 * sqrt((double)elements(record));
}

/* Adds the difference of one record's gradients from the f64 ones to errors[layout]; f32 must agree in every record. */
static void compare_record(weft_ctx *ctx, const case_row *row, const gold_record *record, weft_dtype dtype,
                           l2_error *errors)
{
    char why[512] = "";
    double *want = gradients_at(ctx, row, record, WEFT_F64, LAYOUT_CONTIGUOUS, &as_they_are, 0, why, sizeof why);
    if (!want) {
        report(record, "in f64", why);
        return;
    }
    for (int how = 0; how < LAYOUT_COUNT; how++) {
        if (how == LAYOUT_MIXED || !layout_applies(record, (layout)how))
            continue;
        double *got = gradients_at(ctx, row, record, dtype, (layout)how, &as_they_are, 0, why, sizeof why);
        if (!got) {
            report(record, layout_name((layout)how), why);
            continue;
        }
        l2_error one = {0, 0};
        l2_add(&one, got, want, elements(record));
        errors[how].off += one.off;
        errors[how].all += one.all;
        double off = l2_relative(&one, smallest_norm(record));
        if ((dtype == WEFT_F32 && !(off <= gradient_tolerance(dtype))) || isinf(off)) {
            snprintf(why, sizeof why, "relative L2 %.3g, allowed %.3g", off, gradient_tolerance(dtype));
            report(record, layout_name((layout)how), why);
        }
        free(got);
    }
    free(want);
}

typedef struct gradient_case {
    const case_row *row;
    weft_dtype dtype;
} gradient_case;

static void run_gradient(void *user)
{
    const gradient_case *g = user;
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    l2_error errors[LAYOUT_COUNT] = {{0, 0}};
    for (const gold_record *record = gold_next(g->row->name, NULL); record; record = gold_next(g->row->name, record))
        if (has_gradient(record))
            compare_record(ctx, g->row, record, g->dtype, errors);
    /* Half types over all records together: single elements have no bound, where a difference of rounded operands is
     * small beside them. */
    for (int how = 0; how < LAYOUT_COUNT; how++)
        if (!(l2_relative(&errors[how], 0) <= gradient_tolerance(g->dtype)))
            WEFT_FAIL("%s, %s: relative L2 %.3g over all records, allowed %.3g", g->row->name, layout_name((layout)how),
                      l2_relative(&errors[how], 0), gradient_tolerance(g->dtype));
    test_ctx_close(ctx, &memory);
}

/* ---- Fused kernels against compositions ---- */

typedef struct setting {
    const char *name;
    change by;
} setting;

static const setting settings[] = {
    {"as they are", {.factor = 1}},
    {"large values", {.factor = 250}},
    {"small values", {.factor = 0x1p-9}},
    {"special values", {.factor = 1, .specials = true}},
};

/* What two orders of computing may differ by. The fused gradients of cross_entropy and attention read a saved
 * logarithm, whose rounding grows with the scores: those of attention are products. */
static double ways_tolerance(const case_row *row, weft_dtype dtype, const change *by)
{
    const double rounding = dtype == WEFT_F64 ? 0x1p-53 : 0x1p-24;
    const double scores = strcmp(row->name, "attention") == 0            ? 8 * by->factor * by->factor
                          : strncmp(row->name, "cross_entropy", 13) == 0 ? 8 * by->factor
                                                                         : 0;
    return (dtype == WEFT_F64 ? 1e-12 : gradient_tolerance(dtype)) + rounding * scores;
}

static void compare_ways(weft_ctx *ctx, const case_row *row, const gold_record *record, weft_dtype dtype,
                         const setting *values)
{
    char why[512] = "", what[96];
    double *composed = NULL;
    double *fused = gradients_at(ctx, row, record, dtype, LAYOUT_CONTIGUOUS, &values->by, 0, why, sizeof why);
    if (fused)
        composed = gradients_at(ctx, row, record, dtype, LAYOUT_CONTIGUOUS, &values->by, WEFT_GRAD_CREATE_GRAPH, why,
                                sizeof why);
    snprintf(what, sizeof what, "two ways in %s, %s", weft_dtype_name(dtype), values->name);
    if (!composed && values->by.specials && strstr(why, "matrix ")) {
        free(fused); /* a matrix with such values may have no result, as far as that way looks at it */
        return;
    }
    if (!composed) {
        report(record, what, why);
    } else {
        l2_error error = {0, 0};
        l2_add(&error, fused, composed, elements(record));
        double off = l2_relative(&error, smallest_norm(record));
        double most = ways_tolerance(row, dtype, &values->by);
        snprintf(why, sizeof why, "relative L2 %.3g between the fused gradient and the composition", off);
        if (!(off <= most))
            report(record, what, why);
    }
    free(fused);
    free(composed);
}

/* On a device, which may be an emulated and slow one, each setting runs in one dtype, and plain values in f32 as well.
 * */
static bool is_run(int dtype, size_t setting)
{
    return test_on_cpu() || dtype == (int)setting || (setting == 0 && dtype == 3);
}

static void run_two_ways(void *user)
{
    static const weft_dtype dtypes[] = {WEFT_F64, WEFT_F16, WEFT_BF16, WEFT_F32};
    const case_row *row = user;
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    for (const gold_record *record = gold_next(row->name, NULL); record; record = gold_next(row->name, record))
        for (int d = 0; d < 4 && has_gradient(record); d++)
            for (size_t k = 0; k < sizeof settings / sizeof settings[0]; k++)
                if (is_run(d, k))
                    compare_ways(ctx, row, record, dtypes[d], &settings[k]);
    test_ctx_close(ctx, &memory);
}

/* ---- Registration ---- */

static gradient_case cases[3 * 256];
static int n_cases;

static bool is_differentiable(const case_row *row)
{
    return row->differentiable && strcmp(row->name, "detach") != 0;
}

WEFT_TEST_INIT(gradients)
{
    static const weft_dtype dtypes[] = {WEFT_F32, WEFT_F16, WEFT_BF16};
    for (int r = 0; r < case_row_count; r++) {
        const case_row *row = &case_rows[r];
        void *user = (void *)(uintptr_t)row;
        if (!is_differentiable(row))
            continue;
        weft_test_add("Gradcheck", row->name, run_gradcheck, user, __FILE__, __LINE__);
        weft_test_add("Gradgradcheck", row->name, run_gradgradcheck, user, __FILE__, __LINE__);
        weft_test_add("GradientTwoWays", row->name, run_two_ways, user, __FILE__, __LINE__);
        for (int d = 0; d < 3 && n_cases < (int)(sizeof cases / sizeof cases[0]); d++) {
            gradient_case *g = &cases[n_cases++];
            *g = (gradient_case){.row = row, .dtype = dtypes[d]};
            char name[96];
            snprintf(name, sizeof name, "%s/%s", row->name, weft_dtype_name(g->dtype));
            weft_test_add("Gradient", name, run_gradient, g, __FILE__, __LINE__);
        }
    }
}

/* ---- What the records cannot say ---- */

WEFT_TEST(GradientOf, CastGoesBackToTheInputsDtype)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    int mark = weft_scope_push(ctx);
    static const weft_dtype dtypes[] = {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_BF16};
    for (int a = 0; a < 4; a++)
        for (int b = 0; b < 4; b++) {
            weft_tensor *x = weft_set_requires_grad(weft_full(ctx, dtypes[a], WEFT_DIMS(2, 3), 1.5), true), *dx = NULL;
            weft_tensor *y = weft_cast(x, dtypes[b]), *g = weft_full(ctx, dtypes[b], WEFT_DIMS(2, 3), -0.25);
            WEFT_CHECK_OK(weft_grad(ctx, &y, &g, 1, &x, 1, 0, &dx));
            WEFT_CHECK_EQ_INT(weft_dtype_of(dx), dtypes[a]);
            WEFT_CHECK(weft_item(ctx, weft_all(weft_eq(dx, weft_scalar(ctx, WEFT_F32, -0.25)), WEFT_ALL, false)) == 1);
        }
    WEFT_CHECK_OK(weft_scope_pop(ctx, mark));
    test_ctx_close(ctx, &memory);
}

WEFT_TEST(GradientOf, DetachStopsIt)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    weft_tensor *x = weft_set_requires_grad(weft_full(ctx, WEFT_F64, WEFT_DIMS(3), 2), true), *dx = NULL;
    WEFT_CHECK(!weft_requires_grad(weft_detach(x)));
    weft_tensor *y = weft_sum(weft_mul(x, weft_detach(x)), WEFT_ALL, false);
    WEFT_CHECK_OK(weft_grad(ctx, &y, NULL, 1, &x, 1, 0, &dx));
    WEFT_CHECK_NEAR(weft_item(ctx, weft_sum(dx, WEFT_ALL, false)), 6,
                    0); /* 2 each: once through x, not through the copy */
    test_ctx_close(ctx, &memory);
}

/* Dropout is linear in x for a given mask, which the result shows. */
WEFT_TEST(GradientOf, DropoutUsesTheMaskOfTheResult)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    for (double p = 0.25; p < 1; p += 0.25) {
        int mark = weft_scope_push(ctx);
        weft_tensor *x = weft_set_requires_grad(weft_full(ctx, WEFT_F64, WEFT_DIMS(50, 40), 3), true), *dx = NULL;
        weft_tensor *y = weft_dropout(x, p, true), *g = weft_full(ctx, WEFT_F64, WEFT_DIMS(50, 40), 3);
        WEFT_CHECK_OK(weft_grad(ctx, &y, &g, 1, &x, 1, 0, &dx));
        WEFT_CHECK(weft_item(ctx, weft_all(weft_eq(dx, y), WEFT_ALL, false)) == 1);
        weft_tensor *kept = weft_mean(weft_ne(y, weft_scalar(ctx, WEFT_F64, 0)), WEFT_ALL, false);
        WEFT_CHECK_NEAR(weft_item(ctx, kept), 1 - p, 5 * sqrt(p * (1 - p) / 2000));
        WEFT_CHECK_NEAR(weft_item(ctx, weft_max_over(y, WEFT_ALL, false)), 3 / (1 - p), 1e-12);
        WEFT_CHECK_OK(weft_scope_pop(ctx, mark));
    }
    test_ctx_close(ctx, &memory);
}

/* Ties: max and min share the gradient, max_pool2d gives it to the first. */
WEFT_TEST(GradientOf, TiesAreAsDocumented)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    static const double values[4] = {2, 5, 5, 1};
    weft_tensor *x = weft_set_requires_grad(weft_from_data(ctx, WEFT_F64, WEFT_DIMS(1, 1, 2, 2), values), true),
                *dx = NULL;
    double got[4] = {0};
    weft_tensor *y = weft_max_over(x, WEFT_ALL, false);
    WEFT_CHECK_OK(weft_grad(ctx, &y, NULL, 1, &x, 1, 0, &dx));
    WEFT_CHECK_OK(weft_read(ctx, dx, got, sizeof got));
    WEFT_CHECK(got[0] == 0 && got[1] == 0.5 && got[2] == 0.5 && got[3] == 0);
    y = weft_max_pool2d(x, &WITH_POOL2D(.kernel = {2, 2}));
    WEFT_CHECK_OK(weft_grad(ctx, &y, NULL, 1, &x, 1, 0, &dx));
    WEFT_CHECK_OK(weft_read(ctx, dx, got, sizeof got));
    WEFT_CHECK(got[0] == 0 && got[1] == 1 && got[2] == 0 && got[3] == 0);
    y = weft_sum(weft_max(x, weft_detach(x)), WEFT_ALL, false);
    WEFT_CHECK_OK(weft_grad(ctx, &y, NULL, 1, &x, 1, 0, &dx));
    WEFT_CHECK_OK(weft_read(ctx, dx, got, sizeof got));
    WEFT_CHECK(got[0] == 0.5 && got[3] == 0.5);
    test_ctx_close(ctx, &memory);
}
