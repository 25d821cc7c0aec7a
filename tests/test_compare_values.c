/* test_compare_values.c - values that are not finite, in lockstep and in files: which agree with which; and figures of
 * both with answers known beforehand. */
#include <math.h>
#include <string.h>

/* clang-format off */
#include <weft/compare.h>
#include <weft/io.h>
/* clang-format on */
#include "engine/engine.h"
#include "harness/structs.h"
#include "harness/test_folder.h"
#include "harness/weft_test.h"

/* ---- Lockstep ---- */

enum { COUNT = 9 };

/* What the other context's kernel of weft_neg puts into one element. */
static struct {
    weft__backend backend;
    const weft__backend *right;
    int place;
    double value;
} lie;

static weft_status neg_with_a_lie(const weft__exec *e)
{
    const weft_status status = lie.right->run[e->op](e);
    if (status == WEFT_OK && e->out[0]->dtype == WEFT_F64)
        ((double *)e->out[0]->data)[lie.place] = lie.value;
    else if (status == WEFT_OK)
        ((float *)e->out[0]->data)[lie.place] = (float)lie.value;
    return status;
}

typedef struct model {
    weft_dtype dtype;
    double want[COUNT];
} model;

static weft_status neg_step(weft_ctx *ctx, void *user, int step, double *loss)
{
    const model *m = user;
    double x[COUNT];
    (void)step;
    *loss = 0;
    for (int k = 0; k < COUNT; k++)
        x[k] = -m->want[k];
    const int mark = weft_scope_push(ctx);
    (void)weft_neg(weft_cast(weft_from_data(ctx, WEFT_F64, WEFT_DIMS(COUNT), x), m->dtype));
    return weft_scope_pop(ctx, mark);
}

static weft_difference found;
static int64_t differences;

static void note(void *user, const weft_difference *d)
{
    (void)user;
    found = *d;
    differences++;
}

/* One element of nine is want in the reference and got in the other. what: NULL where they agree. */
static void check_pair(weft_dtype dtype, int place, double want, double got, const char *what)
{
    weft_ctx *reference = NULL, *other = NULL;
    weft_lockstep_report report;
    model m = {.dtype = dtype};
    for (int k = 0; k < COUNT; k++)
        m.want[k] = k == place ? want : 0.5 * k - 1;
    if (weft_ctx_open(NULL, &reference) != WEFT_OK || weft_ctx_open(NULL, &other) != WEFT_OK)
        return;
    lie.right = other->backend;
    lie.backend = *other->backend;
    lie.backend.run[WEFT_OP_NEG] = neg_with_a_lie;
    lie.place = place;
    lie.value = got;
    other->backend = &lie.backend;
    differences = 0;
    const weft_status status =
        weft_lockstep(reference, &m, other, &m, neg_step, &WITH_LOCKSTEP(.difference = note), &report, sizeof report);
    if ((what != NULL) != (status == WEFT_E_MISMATCH) || differences != (what != NULL))
        WEFT_FAIL("%s: %g beside %g in element %d: %s", weft_dtype_name(dtype), want, got, place,
                  weft_status_name(status));
    if (what && differences == 1) {
        WEFT_CHECK_STR_EQ(found.what, what);
        WEFT_CHECK_EQ_INT(found.element, place);
        WEFT_CHECK_EQ_INT(found.bad_elements, 1);
        WEFT_CHECK(found.reference == want || (isnan(found.reference) && isnan(want)));
        WEFT_CHECK(found.other == got || (isnan(found.other) && isnan(got)));
    }
    other->backend = lie.right;
    weft_ctx_close(reference);
    weft_ctx_close(other);
}

WEFT_TEST(Lockstep, WhatIsNotFiniteAgreesWithItselfAlone)
{
    static const double inf = (double)INFINITY, nan = (double)NAN;
    static const double values[] = {nan, inf, -inf, 0, -0.0, 1, -2};
    for (int dtype = WEFT_F32; dtype <= WEFT_F64; dtype++)
        for (size_t a = 0; a < sizeof values / sizeof *values; a++)
            for (size_t b = 0; b < sizeof values / sizeof *values; b++) {
                const double want = values[a], got = values[b];
                const bool agree = want == got || (isnan(want) && isnan(got));
                const char *what = agree                       ? NULL
                                   : isnan(want) || isnan(got) ? "NaN"
                                   : isinf(want) || isinf(got) ? "infinity"
                                                               : "element";
                check_pair((weft_dtype)dtype, (int)(a + b) % COUNT, want, got, what);
            }
}

/* ---- Drift ---- */

typedef struct linear_model {
    weft_tensor *p[2];
    double scale;
} linear_model;

static void make_parameters(weft_ctx *c, linear_model *m)
{
    m->p[0] = weft_param(weft_full(c, WEFT_F64, WEFT_DIMS(3), 2), "a");
    m->p[1] = weft_param(weft_full(c, WEFT_F64, WEFT_DIMS(4), 1), "b");
}

/* Parameter values of 3 and 0.5, each times 1 + scale. */
static weft_status drifting_step(weft_ctx *ctx, void *user, int step, double *loss)
{
    linear_model *m = user;
    const int mark = weft_scope_push_no_grad(ctx);
    weft_fill_(m->p[0], 3 * (1 + m->scale));
    weft_fill_(m->p[1], 0.5);
    *loss = (step + 4) * (1 + 10 * m->scale);
    return weft_scope_pop(ctx, mark);
}

WEFT_TEST(Lockstep, DriftHasKnownFigures)
{
    weft_ctx *reference = NULL, *other = NULL;
    WEFT_REQUIRE(weft_ctx_open(NULL, &reference) == WEFT_OK && weft_ctx_open(NULL, &other) == WEFT_OK);
    linear_model a = {.scale = 0}, b = {.scale = 0x1p-10};
    weft_drift drift[3];
    weft_lockstep_report report;
    make_parameters(reference, &a);
    make_parameters(other, &b);
    WEFT_CHECK_OK(weft_lockstep(reference, &a, other, &b, drifting_step,
                                &WITH_LOCKSTEP(.steps = 2, .drift = drift, .drift_room = 3), &report, sizeof report));
    WEFT_CHECK_EQ_INT(report.n_drift, 2);
    for (int k = 0; k < 2 && k < report.n_drift; k++) {
        WEFT_CHECK_NEAR(drift[k].reference_loss, k + 4, 0);
        WEFT_CHECK_NEAR(drift[k].other_loss, (k + 4) * (1 + 10 * 0x1p-10), 1e-15);
        WEFT_CHECK_NEAR(drift[k].loss_error, 10 * 0x1p-10, 1e-15);
        /* three elements of 3 are off by 3 scale, four of 0.5 by nothing */
        WEFT_CHECK_NEAR(drift[k].parameter_error, 3 * sqrt(3) * 0x1p-10 / sqrt(27 + 1), 1e-15);
    }
    for (int k = 0; k < 2; k++) {
        weft_release(a.p[k]);
        weft_release(b.p[k]);
    }
    weft_ctx_close(reference);
    weft_ctx_close(other);
}

/* ---- Files ---- */

static void keep_row(void *user, const weft_file_difference *d)
{
    *(weft_file_difference *)user = *d;
}

static weft_status compare_arrays(const double *a, const double *b, int64_t n, double rtol, weft_file_difference *d)
{
    test_folder folder;
    weft_ctx *ctx = NULL;
    *d = (weft_file_difference){.different = -1};
    if (!test_folder_make(&folder) || weft_ctx_open(NULL, &ctx) != WEFT_OK)
        return WEFT_E_INTERNAL;
    const double *const values[] = {a, b};
    for (int k = 0; k < 2; k++) {
        const weft_named_tensor one = {"x", weft_from_data(ctx, WEFT_F64, &n, 1, values[k])};
        WEFT_CHECK_OK(weft_save_npz(ctx, test_path(&folder, k ? "b" : "a"), &one, 1));
    }
    const weft_status status =
        weft_compare_files(ctx, test_path(&folder, "a"), test_path(&folder, "b"), rtol, 0, keep_row, d);
    weft_ctx_close(ctx);
    test_folder_drop(&folder);
    return status;
}

WEFT_TEST(CompareFiles, WhatIsNotFiniteEqualsItselfAlone)
{
    static const double inf = (double)INFINITY, nan = (double)NAN;
    static const double values[] = {nan, inf, -inf, 0, 1};
    for (int a = 0; a < 5; a++)
        for (int b = 0; b < 5; b++) {
            weft_file_difference d;
            const bool equal = values[a] == values[b] || (isnan(values[a]) && isnan(values[b]));
            const bool finite = isfinite(values[a]) && isfinite(values[b]);
            const double first[] = {1, values[a], 2}, second[] = {1, values[b], 2};
            const weft_status status = compare_arrays(first, second, 3, 0.5, &d);
            if ((status == WEFT_OK) != equal || d.different != !equal)
                WEFT_FAIL("%g beside %g: %s, %lld different", values[a], values[b], weft_status_name(status),
                          (long long)d.different);
            if (!equal)
                WEFT_CHECK(d.worst == 1 && d.max_absolute == (finite ? 1 : inf));
        }
}

WEFT_TEST(CompareFiles, HasKnownFigures)
{
    /* off by 1 of 100, by 3 of 4 (the worst), by 0.5 of 0.5; two agree */
    const double a[] = {100, 4, 7, 0.5, -8}, b[] = {101, 1, 7, 1, -8};
    weft_file_difference d;
    WEFT_CHECK_STATUS(compare_arrays(a, b, 5, 0.8, &d), WEFT_E_MISMATCH);
    WEFT_CHECK_EQ_INT(d.different, 3);
    WEFT_CHECK_EQ_INT(d.worst, 1);
    WEFT_CHECK_NEAR(d.first, 4, 0);
    WEFT_CHECK_NEAR(d.second, 1, 0);
    WEFT_CHECK_NEAR(d.max_absolute, 3, 0);
    WEFT_CHECK_NEAR(d.max_relative, 1, 0);
    WEFT_CHECK_NEAR(d.relative_l2, sqrt((1 + 9 + 0.25) / (10000 + 16 + 49 + 0.25 + 64)), 1e-15);
    WEFT_CHECK_OK(compare_arrays(a, b, 5, 1, &d));
}
