/* test_bench.c - measuring as a program calls it (bench.h), and the operations as data (reference.h). No test here asks
 * how fast the machine is; where a time is compared with another clock's, a busy machine gets more than one try. */
#include <math.h>
#include <string.h>
#include <time.h>
#include <weft/weft.h>
#include "weft_test.h"
#include "harness/structs.h"

/* ---- Measuring ---- */

enum { TRIES = 10 };

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef struct counter {
    int64_t runs, fail_at;
    double nanoseconds; /* that each run sleeps */
} counter;

static weft_status count_and_sleep(void *user, int64_t times)
{
    counter *c = user;
    for (int64_t k = 0; k < times; k++) {
        if (++c->runs == c->fail_at)
            return WEFT_E_CALLBACK;
        nanosleep(&(struct timespec){.tv_nsec = (long)c->nanoseconds}, NULL);
    }
    return WEFT_OK;
}

WEFT_TEST(Bench, AKnownSleepIsMeasured)
{
    weft_bench_result r = {.best = INFINITY};
    for (int k = 0; k < TRIES && r.best > 4e-3; k++) { /* how late a sleep ends is the machine's affair */
        counter c = {.nanoseconds = 2e6};
        WEFT_CHECK_OK(weft_bench_measure(count_and_sleep, &c, &WITH_BENCH(.samples = 5), &r));
        WEFT_CHECK_EQ_INT(r.n, 5);
        WEFT_CHECK(r.best >= 2e-3); /* it never ends early */
        WEFT_CHECK(r.best <= r.p10 && r.p10 <= r.median && r.median <= r.p90);
        WEFT_CHECK(r.times >= 1 && r.times <= 3);
    }
    WEFT_CHECK(r.best <= 4e-3);
}

WEFT_TEST(Bench, OneRunForEachSampleOnRequest)
{
    counter c = {.nanoseconds = 0};
    weft_bench_result r;
    const weft_bench_options o = INIT_BENCH(.samples = 7, .sample_seconds = 0, .warm_seconds = 0);
    WEFT_CHECK_OK(weft_bench_measure(count_and_sleep, &c, &o, &r));
    WEFT_CHECK_EQ_INT(r.times, 1);
    WEFT_CHECK_EQ_INT(c.runs, 8); /* and one to see how long it takes */
}

WEFT_TEST(Bench, TimeLimitAndFailures)
{
    counter c = {.nanoseconds = 1e6};
    weft_bench_result r;
    const weft_bench_options o = INIT_BENCH(.samples = 100, .warm_seconds = 0, .most_seconds = 1e-6);
    WEFT_CHECK_OK(weft_bench_measure(count_and_sleep, &c, &o, &r));
    WEFT_CHECK_EQ_INT(r.n, 3);
    c = (counter){.fail_at = 3};
    WEFT_CHECK_STATUS(weft_bench_measure(count_and_sleep, &c, NULL, &r), WEFT_E_CALLBACK);
    WEFT_CHECK_STATUS(weft_bench_measure(NULL, &c, NULL, &r), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK_STATUS(weft_bench_measure(count_and_sleep, &c, NULL, NULL), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK_STATUS(weft_bench_measure(count_and_sleep, &c, &WITH_BENCH(.samples = 102), &r), WEFT_E_INVALID);
}

WEFT_TEST(Bench, Percentiles)
{
    weft_bench_result r = {.n = 11, .samples = {10, 0, 3, 7, 1, 9, 2, 8, 4, 6, 5}};
    weft_bench_summarise(&r);
    WEFT_CHECK_NEAR(r.median, 5, 1e-12);
    WEFT_CHECK_NEAR(r.p10, 1, 1e-12);
    WEFT_CHECK_NEAR(r.p90, 9, 1e-12);
    WEFT_CHECK_NEAR(r.best, 0, 0);
    r = (weft_bench_result){.n = 2, .samples = {4, 2}};
    weft_bench_summarise(&r);
    WEFT_CHECK_NEAR(r.median, 3, 1e-12);
}

typedef struct block {
    float *from, *to;
    size_t bytes;
} block;

static weft_status copy_block(void *user, int64_t times)
{
    const block *b = user;
    for (int64_t k = 0; k < times; k++) {
        memcpy(b->to, b->from, b->bytes);
        __asm__ volatile("" ::: "memory");
    }
    return WEFT_OK;
}

/* The least seconds of a copy, of so many in a row, by a clock of the test's own. */
static double time_copies(block *b, int64_t times)
{
    double best = INFINITY;
    for (int k = 0; k < 5; k++) {
        const double start = seconds_now();
        copy_block(b, times);
        best = fmin(best, (seconds_now() - start) / (double)times);
    }
    return best;
}

/* What is measured by what that clock says: the median of several tries, so that chance alone does not make it right.
 * */
static double compare_copies(block *b)
{
    weft_bench_result ratios = {.n = 7};
    for (int k = 0; k < ratios.n; k++) {
        weft_bench_result r = {.best = (double)NAN};
        WEFT_CHECK_OK(weft_bench_measure(copy_block, b, &WITH_BENCH(.samples = 5), &r));
        ratios.samples[k] = r.best / time_copies(b, r.times);
    }
    weft_bench_summarise(&ratios);
    return ratios.median;
}

WEFT_TEST(Bench, AKnownCopyIsMeasured)
{
    weft_ctx *c = NULL;
    WEFT_REQUIRE(weft_ctx_open(NULL, &c) == WEFT_OK);
    block b = {.bytes = (size_t)16 << 20};
    b.from = weft_ctx_alloc(c, b.bytes);
    b.to = weft_ctx_alloc(c, b.bytes);
    WEFT_REQUIRE(b.from && b.to);
    memset(b.from, 0, b.bytes);
    memset(b.to, 0, b.bytes);
    double ratio = 0;
    for (int k = 0; k < 3 && !(ratio > 0.5 && ratio < 2); k++)
        ratio = compare_copies(&b);
    WEFT_CHECK(ratio > 0.5 && ratio < 2);
    weft_ctx_free(c, b.from, b.bytes);
    weft_ctx_free(c, b.to, b.bytes);
    weft_ctx_close(c);
}

/* ---- Ceilings ---- */

WEFT_TEST(Bench, CeilingsOfTheCpu)
{
    static weft_bench_ceiling all[WEFT_BENCH_CEILINGS];
    const weft_bench_options quick = INIT_BENCH(.samples = 3, .sample_seconds = 0, .warm_seconds = 0);
    char message[256];
    int n = 0, copies = 0, flops = 0;
    WEFT_CHECK_OK(weft_bench_ceilings("cpu", 2, &quick, all, &n, message, sizeof message));
    for (int k = 0; k < n; k++) {
        WEFT_CHECK(all[k].value > 0 && isfinite(all[k].value));
        WEFT_CHECK_NEAR(all[k].value * all[k].seconds.p10 / all[k].work, 1, 1e-9);
        copies += strcmp(all[k].name, "copy") == 0;
        flops += all[k].unit == WEFT_BENCH_UNIT_FLOPS;
    }
    WEFT_CHECK_EQ_INT(copies, 5);
    WEFT_CHECK_EQ_INT(flops, 2);
    WEFT_CHECK(weft_bench_ceilings("tpu", 1, &quick, all, &n, message, sizeof message) != WEFT_OK);
    WEFT_CHECK_STR_HAS(message, "tpu");
    WEFT_CHECK_EQ_INT(n, 0);
}

WEFT_TEST(Bench, MultiplyAddsInRegisters)
{
    WEFT_CHECK_EQ_INT(weft_bench_fma("plain", WEFT_F32, 1), WEFT_OK);
    WEFT_CHECK_EQ_INT(weft_bench_fma("plain", WEFT_F64, 0), WEFT_OK);
    WEFT_CHECK_EQ_INT(weft_bench_fma(NULL, WEFT_F32, 1), WEFT_OK);
    WEFT_CHECK_EQ_INT(weft_bench_fma(NULL, WEFT_F64, 1), WEFT_OK);
    weft_device_info info = {0};
    WEFT_CHECK_OK(
        weft_device_info_get("cpu", 0, &info, sizeof info)); /* kernels of a set that is used can be measured */
    WEFT_CHECK_EQ_INT(weft_bench_fma(info.isa, WEFT_F32, 1), WEFT_OK);
    static const char *const sets[] = {"avx2", "avx512"};
    for (int k = 0; k < 2; k++) {
        const weft_status there = weft_bench_fma(sets[k], WEFT_F32, 0);
        WEFT_CHECK(there == WEFT_OK || there == WEFT_E_UNSUPPORTED);
        WEFT_CHECK_EQ_INT(weft_bench_fma(sets[k], WEFT_F64, 1), there);
    }
    WEFT_CHECK_EQ_INT(weft_bench_fma("mmx", WEFT_F32, 1), WEFT_E_INVALID);
    WEFT_CHECK_EQ_INT(weft_bench_fma("plain", WEFT_F16, 1), WEFT_E_DTYPE);
    WEFT_CHECK_EQ_INT(weft_bench_fma("plain", WEFT_F32, -1), WEFT_E_INVALID);
    WEFT_CHECK_EQ_INT(weft_bench_fma("plain", WEFT_F32, INT64_MAX), WEFT_E_INVALID);
}

WEFT_TEST(Bench, Roofline)
{
    const weft_bench_ceiling all[] = {
        {.name = "copy", .unit = WEFT_BENCH_UNIT_BYTES, .size = 1e3, .value = 1e12},
        {.name = "copy", .unit = WEFT_BENCH_UNIT_BYTES, .size = 1e8, .value = 1e10},
        {.name = "fma", .unit = WEFT_BENCH_UNIT_FLOPS, .dtype = WEFT_F32, .value = 1e11},
        {.name = "matmul", .unit = WEFT_BENCH_UNIT_FLOPS, .dtype = WEFT_BF16, .value = 1e12},
    };
    bool memory = false;
    WEFT_CHECK_NEAR(weft_bench_roofline(all, 4, WEFT_F32, 1e10, 1e10, &memory), 1, 1e-12);
    WEFT_CHECK(memory);
    WEFT_CHECK_NEAR(weft_bench_roofline(all, 4, WEFT_F32, 1e9, 1e12, &memory), 10, 1e-12);
    WEFT_CHECK(!memory);
    WEFT_CHECK_NEAR(weft_bench_roofline(all, 4, WEFT_BF16, 1e9, 1e12, NULL), 1, 1e-12);
    WEFT_CHECK_NEAR(weft_bench_roofline(all, 4, WEFT_F16, 0, 1e12, NULL), 10, 1e-12); /* as f32 */
    WEFT_CHECK(isnan(weft_bench_roofline(all, 4, WEFT_F64, 0, 1e12, NULL)));          /* which f32 says nothing about */
    WEFT_CHECK(isnan(weft_bench_roofline(all, 4, WEFT_F32, 0, 0, NULL)));
    WEFT_CHECK(isnan(weft_bench_roofline(all + 2, 2, WEFT_F32, 1, 1, NULL)));
    WEFT_CHECK(isnan(weft_bench_roofline(NULL, 0, WEFT_F32, 1, 1, NULL)));
}

/* ---- Differences ---- */

WEFT_TEST(Bench, DifferencesAndTheirVerdict)
{
    double a[21], b[21];
    for (int k = 0; k < 21; k++) {
        a[k] = 1 + 0.01 * (k * 8 % 21) / 21;
        b[k] = 1.5 * a[k];
    }
    weft_bench_difference d;
    WEFT_CHECK_OK(weft_bench_compare(a, 21, b, 21, 0.05, &d, sizeof d));
    WEFT_CHECK_EQ_INT(d.verdict, 1);
    WEFT_CHECK_NEAR(d.ratio, 1.5, 1e-12);
    WEFT_CHECK(d.low > 1.48 && d.low <= d.ratio && d.ratio <= d.high && d.high < 1.52);
    WEFT_CHECK_OK(weft_bench_compare(b, 21, a, 21, 0.05, &d, sizeof d));
    WEFT_CHECK_EQ_INT(d.verdict, -1);
    WEFT_CHECK(!d.same);
    WEFT_CHECK_OK(weft_bench_compare(a, 21, a, 21, 0, &d, sizeof d));
    WEFT_CHECK_EQ_INT(d.verdict, 0);
    WEFT_CHECK(!d.same); /* samples that are not all equal cannot tell a difference of nothing */
    WEFT_CHECK_OK(weft_bench_compare(a, 21, a, 21, 10, &d, sizeof d));
    WEFT_CHECK(d.verdict == 0 && d.same);
    WEFT_CHECK_OK(weft_bench_compare(a, 21, b, 21, 0.6, &d, sizeof d));
    WEFT_CHECK_EQ_INT(d.verdict, 0);
    b[3] = 0;
    WEFT_CHECK_STATUS(weft_bench_compare(a, 21, b, 21, 0.05, &d, sizeof d), WEFT_E_INVALID);
    WEFT_CHECK_STATUS(weft_bench_compare(a, 0, a, 21, 0.05, &d, sizeof d), WEFT_E_INVALID);
    WEFT_CHECK_STATUS(weft_bench_compare(a, 21, a, 21, -1, &d, sizeof d), WEFT_E_INVALID);
}

/* The interval's ends where all is 1 but the `others` samples of b that are `value`. The median of 21 drawn from 21 is
 * below the lowest k of them with a probability that is that of at least 11 of 21 draws at k / 21. */
static void interval_with(int others, double value, double *low, double *high)
{
    double a[21], b[21];
    weft_bench_difference d = {.low = 0};
    for (int k = 0; k < 21; k++) {
        a[k] = 1;
        b[20 - k] = k < others ? value : 1;
    }
    WEFT_CHECK_OK(weft_bench_compare(a, 21, b, 21, 0.05, &d, sizeof d));
    WEFT_CHECK_NEAR(d.ratio, others > 10 ? value : 1, 0);
    *low = d.low;
    *high = d.high;
}

WEFT_TEST(Bench, TheIntervalLeavesOneInTwoHundredAtEitherEnd)
{
    double low, high;
    interval_with(6, 0.5, &low, &high); /* 1.8 %: outside one of 95 %, within one of 99 % */
    WEFT_CHECK(low == 0.5 && high == 1);
    interval_with(6, 2, &low, &high);
    WEFT_CHECK(low == 1 && high == 2);
    interval_with(4, 0.5, &low, &high); /* 0.06 %: 1.3 of 2000 draws */
    WEFT_CHECK(low == 1 && high == 1);
    interval_with(4, 2, &low, &high);
    WEFT_CHECK(low == 1 && high == 1);
    interval_with(15, 2, &low, &high); /* 1.8 % from the other side */
    WEFT_CHECK(low == 1 && high == 2);
    interval_with(17, 2, &low, &high);
    WEFT_CHECK(low == 2 && high == 2);
}

/* Every sample 1 in the one and ratio in the other. */
static weft_bench_difference all_by(double ratio, double threshold)
{
    const double a[] = {1, 1, 1, 1}, b[] = {ratio, ratio, ratio, ratio};
    weft_bench_difference d = {.verdict = 9};
    WEFT_CHECK_OK(weft_bench_compare(a, 4, b, 3, threshold, &d, sizeof d));
    WEFT_CHECK(d.ratio == ratio && d.low == ratio && d.high == ratio);
    return d;
}

WEFT_TEST(Bench, VerdictsAtTheThreshold)
{
    static const struct {
        double ratio;
        int verdict;
        bool same;
    } cases[] = {{1.26, 1, false}, {1.25, 0, true}, {1.2, 0, true},    {1, 0, true},
                 {0.81, 0, true},  {0.8, 0, true},  {0.79, -1, false}, {0.74, -1, false}};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        const weft_bench_difference d = all_by(cases[k].ratio, 0.25);
        if (d.verdict != cases[k].verdict || d.same != cases[k].same)
            WEFT_FAIL("%g: verdict %d, %s", cases[k].ratio, d.verdict, d.same ? "same" : "not the same");
    }
    const double low[] = {1, 1, 2, 3}, one[] = {1}; /* the median of an even number */
    weft_bench_difference d;
    WEFT_CHECK_OK(weft_bench_compare(one, 1, low, 4, 0, &d, sizeof d));
    WEFT_CHECK_NEAR(d.ratio, 1.5, 0);
    WEFT_CHECK(d.low == 1 && d.high == 3 && !d.same && d.verdict == 0);
    WEFT_CHECK_OK(weft_bench_compare(one, 1, low, 4, 1, &d, sizeof d)); /* from within the threshold to beyond it */
    WEFT_CHECK(!d.same && d.verdict == 0);
}

/* ---- The reference ---- */

WEFT_TEST(Reference, DescribesEveryOperation)
{
    for (int k = 0; k < weft_op_count(); k++) {
        weft_op_description op = {0};
        WEFT_CHECK_OK(weft_op_describe(k, &op, sizeof op));
        WEFT_CHECK_EQ_INT(weft_op_find(op.name), k);
        WEFT_CHECK(op.doc[0] && op.parameters[0] == '(' && op.result[0]);
        WEFT_CHECK(op.differentiable == !op.no_gradient);
        WEFT_CHECK((op.family <= WEFT_OP_FAMILY_REDUCE || op.family == WEFT_OP_FAMILY_INTEGER) ==
                   (op.call.unary != NULL));
    }
    weft_op_description op = {0};
    WEFT_CHECK_STATUS(weft_op_describe(-1, &op, sizeof op), WEFT_E_INVALID);
    WEFT_CHECK_STATUS(weft_op_describe(weft_op_count(), &op, sizeof op), WEFT_E_INVALID);
    WEFT_CHECK_STATUS(weft_op_describe(0, NULL, 0), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK_EQ_INT(weft_op_find("weft_gelu"), weft_op_find("gelu"));
    WEFT_CHECK_EQ_INT(weft_op_find("softmax_grad"), -1); /* a step of another operation: not public */
    WEFT_CHECK_EQ_INT(weft_op_find(NULL), -1);
}

WEFT_TEST(Reference, CallsWhatItDescribes)
{
    weft_ctx *c = NULL;
    WEFT_REQUIRE(weft_ctx_open(NULL, &c) == WEFT_OK);
    weft_op_description op = {0};
    WEFT_CHECK_OK(weft_op_describe(weft_op_find("square"), &op, sizeof op));
    WEFT_CHECK_NEAR(weft_item(c, op.call.unary(weft_scalar(c, WEFT_F64, 3))), 9, 0);
    WEFT_CHECK_OK(weft_op_describe(weft_op_find("clamp"), &op, sizeof op));
    WEFT_CHECK_EQ_INT(op.numbers, 2);
    WEFT_CHECK_NEAR(weft_item(c, op.call.unary_2(weft_scalar(c, WEFT_F64, 3), -1, 2)), 2, 0);
    WEFT_CHECK_OK(weft_op_describe(weft_op_find("pow_scalar"), &op, sizeof op));
    WEFT_CHECK_EQ_INT(op.numbers, 1);
    WEFT_CHECK_NEAR(weft_item(c, op.call.unary_1(weft_scalar(c, WEFT_F64, 3), 3)), 27, 1e-12);
    weft_ctx_close(c);
}

/* A program that was built when the struct was shorter keeps what lies behind it. */
WEFT_TEST(Reference, WritesNoFurtherThanTheCallerKnows)
{
    weft_op_description op;
    memset(&op, 0x5a, sizeof op);
    WEFT_CHECK_OK(weft_op_describe(weft_op_find("gelu"), &op, offsetof(weft_op_description, doc)));
    WEFT_CHECK_STR_HAS(op.name, "gelu");
    const char *untouched;
    memset(&untouched, 0x5a, sizeof untouched);
    WEFT_CHECK(memcmp(&op.doc, &untouched, sizeof untouched) == 0);
}
