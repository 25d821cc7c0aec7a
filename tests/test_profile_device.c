/* test_profile_device.c - a device's times, by a clock that is made up: each launch gets its own, however many there
 * are, and what lies between two launches belongs to neither. */
#include <stdlib.h>
#include <string.h>
#include <weft/profile.h>
#include "engine/engine.h"
#include "fake_device.h"
#include "harness/structs.h"
#include "harness/weft_test.h"
#include "profile/profile.h"

/* All times are multiples of 2^-10 seconds, so that sums of them are exact. */
#define TICK 0x1p-10

enum { GAP = 3, NEG = 1, EXP = 7, MOST_MARKS = 4096 };

/* The device: its queue is always empty, its time passes in kernels and between launches alone. */
static struct {
    double now;
    int relu; /* ticks of the next weft_relu */
    weft__backend right;
    double marks[MOST_MARKS];
    bool set[MOST_MARKS];
    int n_marks, wrong;
    int calls, fail_at; /* of the clock: from that call on, counted from 1, each fails; 0: none */
} device;

static bool clock_fails(void)
{
    return device.fail_at > 0 && ++device.calls >= device.fail_at;
}

static weft_status timed(const weft__exec *e, int ticks)
{
    device.now += ticks * TICK;
    return device.right.run[e->op](e);
}

static weft_status timed_neg(const weft__exec *e)
{
    return timed(e, NEG);
}

static weft_status timed_exp(const weft__exec *e)
{
    return timed(e, EXP);
}

static weft_status timed_relu(const weft__exec *e)
{
    return timed(e, device.relu);
}

static void *clock_open(void *of, int n)
{
    (void)of;
    device.n_marks = n;
    return n <= MOST_MARKS ? &device : NULL;
}

static void clock_close(void *clock)
{
    (void)clock;
    memset(device.set, 0, sizeof device.set);
}

static weft_status clock_mark(void *clock, int mark)
{
    (void)clock;
    if (clock_fails())
        return WEFT_E_DEVICE;
    device.wrong += mark < 0 || mark >= device.n_marks;
    device.marks[mark] = device.now;
    device.set[mark] = true;
    return WEFT_OK;
}

static weft_status clock_between(void *clock, int from, int to, double *seconds)
{
    (void)clock;
    if (clock_fails())
        return WEFT_E_DEVICE;
    device.wrong += !device.set[from] || !device.set[to] || device.marks[to] < device.marks[from];
    *seconds = device.marks[to] - device.marks[from];
    return WEFT_OK;
}

static void set_up(weft__backend *fake)
{
    memset(&device, 0, sizeof device);
    device.right = *fake;
    fake->run[WEFT_OP_NEG] = timed_neg;
    fake->run[WEFT_OP_EXP] = timed_exp;
    fake->run[WEFT_OP_RELU] = timed_relu;
    fake->clock_open = clock_open;
    fake->clock_close = clock_close;
    fake->clock_mark = clock_mark;
    fake->clock_between = clock_between;
}

/* The k-th launch, and its ticks. */
static int launch(weft_tensor *x, int k)
{
    const int mark = weft_scope_push(x->ctx);
    device.now += GAP * TICK;
    device.relu = 10 + k % 100;
    const int ticks = k % 3 == 0 ? NEG : k % 3 == 1 ? EXP : device.relu;
    (void)(k % 3 == 0 ? weft_neg(x) : k % 3 == 1 ? weft_exp(x) : weft_relu(x));
    WEFT_CHECK_OK(weft_scope_pop(x->ctx, mark));
    return ticks;
}

static void check_rows(weft_profile *p, const double *sums, const double *longest, const int *calls)
{
    static const char *const names[] = {"neg", "exp", "relu"};
    weft_profile_op rows[8];
    const int n = weft_profile_ops(p, rows, 8, sizeof rows[0]);
    WEFT_CHECK_EQ_INT(n, 3);
    for (int k = 0; k < n && k < 8; k++)
        for (int i = 0; i < 3; i++)
            if (strcmp(rows[k].kernel, names[i]) == 0) {
                WEFT_CHECK_EQ_INT(rows[k].calls, calls[i]);
                WEFT_CHECK_NEAR(rows[k].seconds, sums[i] * TICK, 0);
                WEFT_CHECK_NEAR(rows[k].longest, longest[i] * TICK, 0);
            }
    WEFT_CHECK_NEAR(totals_of(p).in_kernels, (sums[0] + sums[1] + sums[2]) * TICK, 0);
}

/* n launches, with a look at the sums after `look` of them. */
static void run(weft_ctx *c, int n, int look)
{
    weft_profile *p = NULL;
    weft_tensor *x = weft_ones(c, WEFT_F32, WEFT_DIMS(4));
    int *ticks = calloc((size_t)n + 1, sizeof *ticks), calls[3] = {0};
    double sums[3] = {0}, longest[3] = {0};
    WEFT_CHECK_OK(weft_profile_begin(c, &p));
    for (int k = 0; k < n && ticks; k++) {
        ticks[k] = launch(x, k);
        calls[k % 3]++;
        sums[k % 3] += ticks[k];
        longest[k % 3] = ticks[k] > longest[k % 3] ? ticks[k] : longest[k % 3];
        if (k + 1 == look)
            WEFT_CHECK_NEAR(totals_of(p).in_kernels, (sums[0] + sums[1] + sums[2]) * TICK, 0);
    }
    weft_profile_end(p);
    check_rows(p, sums, longest, calls);
    const weft__profile *inside = weft_owned(&weft__profile_kind, p);
    WEFT_CHECK(inside && inside->total.kept == n);
    for (int k = 0; inside && ticks && k < n && weft_test_failures() < 5; k++) {
        WEFT_CHECK_NEAR(inside->events[k].seconds, ticks[k] * TICK, 0);
        if (k > 0) /* the clocks are aligned by the host's, to which ticks are added */
            WEFT_CHECK_NEAR(inside->events[k].start - inside->events[k - 1].start, (ticks[k - 1] + GAP) * TICK, 1e-9);
    }
    WEFT_CHECK_EQ_INT(device.wrong, 0);
    weft_profile_free(p);
    weft_drop(x);
    free(ticks);
}

WEFT_TEST(ProfileDevice, EachLaunchGetsItsOwnTime)
{
    enum { RING = 2 * WEFT__HALF };
    static const int counts[][2] = {{3, 2}, {RING - 1, 0}, {RING, RING - 1}, {RING + 1, 0}, {4 * RING + 77, 700}};
    weft__backend *fake = fake_device();
    set_up(fake);
    weft_ctx *c = NULL;
    WEFT_CHECK_OK(weft_ctx_open(&WITH_OPTIONS(.device = "test"), &c));
    for (size_t k = 0; c && k < sizeof counts / sizeof counts[0]; k++)
        run(c, counts[k][0], counts[k][1]);
    weft_ctx_close(c);
    *fake = device.right;
}

static void count_lines(void *user, weft_log_level level, const char *text)
{
    if (level == WEFT_LOG_LEVEL_ERROR) /* the context's, too */
        return;
    WEFT_CHECK_STR_HAS(text, "the profile lacks the rest of the device's times: its clock failed");
    ++*(int *)user;
}

/* Counts of launches stay right, and so do times that were measured before; one line of the log tells of the rest. */
WEFT_TEST(ProfileDevice, AClockThatFails)
{
    weft__backend *fake = fake_device();
    set_up(fake);
    weft_ctx *c = NULL;
    int lines = 0;
    WEFT_CHECK_OK(weft_ctx_open(&WITH_OPTIONS(.device = "test", .log = count_lines, .log_user = &lines), &c));
    weft_tensor *x = weft_ones(c, WEFT_F32, WEFT_DIMS(4));
    for (int at = 1; c && at < 40; at++) {
        weft_profile *p = NULL;
        weft_profile_op rows[8];
        device.calls = 0, device.fail_at = at, lines = 0;
        const weft_status status = weft_profile_begin(c, &p);
        if (status != WEFT_OK) {
            WEFT_CHECK(at <= 2 && !p); /* the clocks could not be aligned */
            WEFT_CHECK_STATUS(status, WEFT_E_DEVICE);
            WEFT_CHECK_STR_HAS(weft_ctx_message(c), "the device's clock cannot be had");
            weft_ctx_clear(c);
            continue;
        }
        for (int k = 0; k < 6; k++)
            launch(x, k);
        weft_profile_end(p);
        const bool failed = device.calls >= at;
        WEFT_CHECK_EQ_INT(lines, failed);
        WEFT_CHECK_EQ_INT(weft_profile_ops(p, rows, 8, sizeof rows[0]), 3);
        int64_t calls = 0;
        for (int k = 0; k < 3; k++)
            calls += rows[k].calls;
        WEFT_CHECK_EQ_INT(calls, 6);
        const double whole = totals_of(p).in_kernels;
        WEFT_CHECK(failed ? whole < (2 * (NEG + EXP) + 12 + 15) * TICK : whole == (2 * (NEG + EXP) + 12 + 15) * TICK);
        WEFT_CHECK_OK(weft_ctx_status(c));
        weft_profile_free(p);
    }
    weft_ctx_close(c);
    *fake = device.right;
}
