/* test_profile.c - the profile counts what ran, where it was called, and costs nothing when it is off. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* clang-format off */
#include <weft/profile.h>
/* clang-format on */
#include "engine/engine.h"
#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"
#include "profile/profile.h"

static int line_of_w; /* of the call in train that makes w */

static void train(weft_ctx *ctx, int steps)
{
    line_of_w = __LINE__ + 1;
    weft_tensor *w = weft_param(weft_ones(ctx, WEFT_F32, WEFT_DIMS(32, 64)), "w");
    weft_optim *optim;
    WEFT_REQUIRE(weft_sgd_open(ctx, &w, 1, NULL, &optim) == WEFT_OK);
    for (int k = 0; k < steps; k++) {
        const int mark = weft_scope_push(ctx);
        weft_tensor *x = weft_ones(ctx, WEFT_F32, WEFT_DIMS(16, 64));
        weft_backward(ctx, weft_mean(weft_tanh(weft_linear(x, w, NULL)), WEFT_ALL, false));
        weft_optim_step(ctx, optim);
        weft_optim_zero_grad(ctx, optim);
        WEFT_CHECK_OK(weft_scope_pop(ctx, mark));
    }
    weft_optim_close(optim);
    weft_release(w);
}

static const weft_profile_op *find(const weft_profile_op *rows, int n, const char *kernel, const char *phase)
{
    for (int k = 0; k < n; k++)
        if (strcmp(rows[k].kernel, kernel) == 0 && strcmp(rows[k].phase, phase) == 0)
            return &rows[k];
    return NULL;
}

static char *slurp(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = calloc(1, 1 << 20);
    if (f) {
        text[fread(text, 1, (1 << 20) - 1, f)] = '\0';
        fclose(f);
    }
    return text;
}

WEFT_TEST(Profile, CountsCallsBytesAndOperations)
{
    enum { STEPS = 5 };
    fault_memory memory = {0};
    weft_options options = fault_options(&memory);
    weft_ctx *ctx;
    weft_profile *p;
    weft_profile_op rows[64];
    WEFT_REQUIRE(weft_ctx_open(&options, &ctx) == WEFT_OK);
    WEFT_REQUIRE(weft_profile_begin(ctx, &p) == WEFT_OK);
    train(ctx, STEPS);
    weft_profile_end(p);
    train(ctx, 1); /* not counted */
    const int n = weft_profile_ops(p, rows, 64, sizeof(weft_profile_op));
    const weft_profile_op *linear = find(rows, n, "linear", "forward"), *tanh = find(rows, n, "tanh", "backward");
    const weft_profile_op *step = find(rows, n, "sgd_step", "optimiser");
    WEFT_REQUIRE(linear && tanh && step);
    WEFT_CHECK_EQ_INT(linear->calls, STEPS);
    WEFT_CHECK(linear->flops == STEPS * 2.0 * 16 * 32 * 64);
    WEFT_CHECK(linear->bytes == STEPS * 4.0 * (16 * 64 + 32 * 64 + 16 * 32));
    WEFT_CHECK(tanh->gradient && tanh->calls == STEPS);
    WEFT_CHECK_EQ_INT(step->calls, STEPS);
    const weft_profile_total total = totals_of(p);
    WEFT_CHECK(total.in_kernels > 0 && total.in_kernels <= total.wall);
    WEFT_CHECK(total.peak_bytes >= 4 * (32 * 64 + 16 * 64));
    for (int k = 1; k < n; k++)
        WEFT_CHECK(rows[k].seconds <= rows[k - 1].seconds);
    char table[8192];
    WEFT_CHECK(weft_profile_table(p, table, sizeof table) < (int)sizeof table);
    WEFT_CHECK_STR_HAS(table, "tanh (gradient)");
    weft_profile_free(p);
    weft_ctx_close(ctx);
    WEFT_CHECK_EQ_INT(memory.live_bytes, 0);
}

/* The flops of a kernel that forward and backward of y launched. */
static double flops_of(weft_ctx *ctx, weft_tensor *y, weft_profile *p, const char *kernel, const char *phase)
{
    weft_profile_op rows[64];
    WEFT_CHECK_OK(weft_backward(ctx, weft_sum(y, WEFT_ALL, false)));
    weft_profile_end(p);
    const weft_profile_op *row = find(rows, weft_profile_ops(p, rows, 64, sizeof(weft_profile_op)), kernel, phase);
    WEFT_CHECK(row && row->calls == 1);
    return row ? row->flops : 0;
}

enum { HEADS = 6, WIDTH = 8, VALUES = 16 }; /* of the attention below: 2 x 3 heads */

static double flops_of_attention(int64_t queries, int64_t keys, bool causal, const char *kernel, int wanted)
{
    weft_ctx *ctx;
    weft_profile *p;
    if (weft_ctx_open(NULL, &ctx) != WEFT_OK)
        return 0;
    weft_tensor *in[] = {weft_ones(ctx, WEFT_F32, WEFT_DIMS(2, 3, queries, WIDTH)),
                         weft_ones(ctx, WEFT_F32, WEFT_DIMS(2, 3, keys, WIDTH)),
                         weft_ones(ctx, WEFT_F32, WEFT_DIMS(2, 3, keys, VALUES))};
    for (int k = 0; k < 3; k++)
        if (wanted & 1 << k)
            weft_set_requires_grad(in[k], true);
    WEFT_CHECK_OK(weft_profile_begin(ctx, &p));
    const bool forward = strcmp(kernel, "attention") == 0;
    const double flops = flops_of(ctx, weft_attention(in[0], in[1], in[2], WEFT_ATTENTION_SCALE, causal), p, kernel,
                                  forward ? "forward" : "backward");
    weft_profile_free(p);
    weft_ctx_close(ctx);
    return flops;
}

WEFT_TEST(Profile, CountsTheProductsOfAttention)
{
    const double d = 2.0 * HEADS * WIDTH, e = 2.0 * HEADS * VALUES; /* of a pair of a query and a key */
    WEFT_CHECK(flops_of_attention(10, 12, false, "attention", 7) == 10 * 12 * (d + e));
    WEFT_CHECK(flops_of_attention(10, 10, true, "attention", 7) == 10 * 10 / 2 * (d + e));
    WEFT_CHECK(flops_of_attention(2, 12, true, "attention", 7) == 2 * (12 - 1) * (d + e)); /* sees nearly all keys */
    WEFT_CHECK(flops_of_attention(12, 2, true, "attention", 7) == 2 * (d + e));            /* as 2 queries do */
    WEFT_CHECK(flops_of_attention(10, 12, false, "attention_grad", 7) == 10 * 12 * (3 * d + 2 * e));
    WEFT_CHECK(flops_of_attention(10, 12, false, "attention_grad", 1) == 10 * 12 * (2 * d + e));
    WEFT_CHECK(flops_of_attention(10, 12, false, "attention_grad", 4) == 10 * 12 * (d + e));
}

WEFT_TEST(Profile, CountsTheProductsOfLinearLayers)
{
    static const char *const kernels[][2] = {{"linear_act", "forward"}, {"linear_grad", "backward"}};
    for (int k = 0; k < 2; k++) {
        weft_ctx *ctx;
        weft_profile *p;
        WEFT_REQUIRE(weft_ctx_open(NULL, &ctx) == WEFT_OK);
        weft_tensor *x = weft_ones(ctx, WEFT_F32, WEFT_DIMS(4, 6, 8));
        weft_tensor *w = weft_set_requires_grad(weft_ones(ctx, WEFT_F32, WEFT_DIMS(10, 8)), true);
        weft_tensor *b = weft_set_requires_grad(weft_ones(ctx, WEFT_F32, WEFT_DIMS(10)), true);
        WEFT_CHECK_OK(weft_profile_begin(ctx, &p));
        weft_tensor *y = weft_linear_act(x, w, b, WEFT_ACTIVATION_RELU);
        WEFT_CHECK(flops_of(ctx, y, p, kernels[k][0], kernels[k][1]) == 2.0 * 4 * 6 * 8 * 10);
        weft_profile_free(p);
        weft_ctx_close(ctx);
    }
}

/* Launches look for an observer, and for nothing else of the profile; bench_overhead measures what that look costs. */
WEFT_TEST(Profile, NobodyWatchesOnceItHasEnded)
{
    weft_ctx *ctx;
    weft_profile *p;
    WEFT_REQUIRE(weft_ctx_open(NULL, &ctx) == WEFT_OK);
    WEFT_CHECK(!ctx->observer);
    WEFT_REQUIRE(weft_profile_begin(ctx, &p) == WEFT_OK);
    WEFT_CHECK(ctx->observer);
    train(ctx, 1);
    weft_profile_end(p);
    WEFT_CHECK(!ctx->observer);
    const int64_t launches = totals_of(p).launches;
    train(ctx, 1);
    WEFT_CHECK(launches > 0 && totals_of(p).launches == launches);
    weft_profile_free(p);
    weft_ctx_close(ctx);
}

/* ---- Operations of the program's own ---- */

static void pause_for(long milliseconds)
{
    const struct timespec t = {.tv_nsec = milliseconds * 1000000};
    nanosleep(&t, NULL);
}

static weft_status slow_copy(weft_ctx *ctx, const weft_array *in, int n, weft_array *out, void *user)
{
    (void)ctx, (void)n, (void)user;
    pause_for(20);
    memcpy(out->data, in[0].data, sizeof(float) * (size_t)out->count);
    return WEFT_OK;
}

static weft_status slow_copy_backward(weft_ctx *ctx, weft_tensor *const *in, int n, weft_tensor *out,
                                      weft_tensor *gradient, weft_tensor **gradients, void *user)
{
    (void)ctx, (void)in, (void)n, (void)out, (void)user;
    pause_for(10);
    gradients[0] = weft_mul_scalar(gradient, 1);
    return WEFT_OK;
}

static weft_status begin_within(weft_ctx *ctx, const weft_array *in, int n, weft_array *out, void *user)
{
    (void)n;
    memcpy(out->data, in[0].data, sizeof(float) * (size_t)out->count);
    return weft_profile_begin(ctx, user);
}

/* The launch that is under way is not the new profile's: it sees what comes whole. */
WEFT_TEST(Profile, BegunWithinALaunch)
{
    weft_ctx *ctx;
    weft_profile *outer, *inner = NULL;
    const weft_custom_op op = INIT_CUSTOM_OP(.name = "begins", .forward = begin_within, .user = &inner);
    WEFT_REQUIRE(weft_ctx_open(NULL, &ctx) == WEFT_OK);
    WEFT_REQUIRE(weft_profile_begin(ctx, &outer) == WEFT_OK);
    weft_tensor *x = weft_ones(ctx, WEFT_F32, WEFT_DIMS(100));
    const int64_t before = totals_of(outer).launches;
    weft_tensor *y = weft_custom(&op, &x, 1);
    WEFT_REQUIRE(y && inner);
    WEFT_CHECK_EQ_INT(totals_of(inner).launches, 0);
    WEFT_CHECK(weft_exp(weft_neg(y)));
    WEFT_CHECK_EQ_INT(totals_of(inner).launches, 2);
    WEFT_CHECK_EQ_INT(totals_of(outer).launches - before, 3);
    weft_profile_free(inner);
    weft_profile_free(outer);
    weft_ctx_close(ctx);
}

WEFT_TEST(Profile, NamesOperationsOfTheProgram)
{
    char name[] = "slow_copy", path[32] = "/tmp/weft_trace_XXXXXX";
    const weft_custom_op op = INIT_CUSTOM_OP(.name = name, .forward = slow_copy, .backward = slow_copy_backward);
    weft_profile_op rows[16];
    weft_ctx *ctx;
    weft_profile *p;
    WEFT_REQUIRE(weft_ctx_open(NULL, &ctx) == WEFT_OK);
    WEFT_REQUIRE(weft_profile_begin(ctx, &p) == WEFT_OK);
    weft_tensor *x = weft_param(weft_ones(ctx, WEFT_F32, WEFT_DIMS(100)), "x");
    WEFT_CHECK_OK(weft_backward(ctx, weft_sum(weft_custom(&op, &x, 1), WEFT_ALL, false)));
    weft_release(x);
    weft_profile_end(p);
    name[0] = 'S'; /* the profile keeps names of its own */
    const int n = weft_profile_ops(p, rows, 16, sizeof(weft_profile_op));
    const weft_profile_op *forward = find(rows, n, "slow_copy", "forward");
    const weft_profile_op *backward = find(rows, n, "slow_copy", "backward");
    const weft_profile_op *within = find(rows, n, "mul_scalar", "backward");
    WEFT_REQUIRE(forward && backward && within);
    WEFT_CHECK(forward->calls == 1 && forward->seconds >= 0.02 && forward->bytes == 800 && !forward->gradient);
    WEFT_CHECK(backward->calls == 1 && backward->seconds >= 0.01 && backward->gradient);
    WEFT_CHECK(within->seconds < 0.01); /* counted once, in a row of its own */
    const int file = mkstemp(path);
    WEFT_REQUIRE(file >= 0);
    close(file);
    WEFT_CHECK_OK(weft_profile_trace(p, path));
    char *text = slurp(path);
    WEFT_CHECK_STR_HAS(text, "\"name\":\"slow_copy\",\"args\":{\"kernel\":\"slow_copy\",\"phase\":\"forward\"");
    WEFT_CHECK_STR_HAS(text, "\"kernel\":\"slow_copy (gradient)\",\"phase\":\"backward\"");
    WEFT_CHECK_STR_HAS(text, "\"name\":\"slow_copy\",\"args\":{\"kernel\":\"mul_scalar\"");
    const char *at = strstr(text, "\"name\":\"slow_copy\",\"args\":{\"kernel\":\"slow_copy\",\"phase\":\"forward\"");
    while (at > text && *at != '\n')
        at--; /* the line of that event */
    const char *duration = at ? strstr(at, "\"dur\":") : NULL;
    WEFT_REQUIRE(duration);
    const double microseconds = strtod(duration + strlen("\"dur\":"), NULL);
    WEFT_CHECK_NEAR(microseconds / (1e6 * forward->seconds), 1, 1e-3);
    free(text);
    unlink(path);
    weft_profile_free(p);
    weft_ctx_close(ctx);
}

/* Its derivative is nearly all another operation of the program's. */
static weft_status backward_by_another(weft_ctx *ctx, weft_tensor *const *in, int n, weft_tensor *out,
                                       weft_tensor *gradient, weft_tensor **gradients, void *user)
{
    (void)ctx, (void)in, (void)n, (void)out;
    gradients[0] = weft_custom(user, &gradient, 1);
    return gradients[0] ? WEFT_OK : WEFT_E_CALLBACK;
}

static weft_status quick_copy(weft_ctx *ctx, const weft_array *in, int n, weft_array *out, void *user)
{
    (void)ctx, (void)n, (void)user;
    memcpy(out->data, in[0].data, sizeof(float) * (size_t)out->count);
    return WEFT_OK;
}

/* Whose forward callback runs another operation, user. */
static weft_status copy_around(weft_ctx *ctx, const weft_array *in, int n, weft_array *out, void *user)
{
    weft_tensor *x = weft_ones(ctx, WEFT_F32, WEFT_DIMS(4));
    return weft_custom(user, &x, 1) ? quick_copy(ctx, in, n, out, NULL) : WEFT_E_CALLBACK;
}

static const weft__event *event_of(const weft__profile *p, const char *name)
{
    for (int64_t k = 0; k < p->total.kept; k++)
        if (strcmp(p->events[k].name, name) == 0)
            return &p->events[k];
    return NULL;
}

/* Three deep: each has what its own call took without the call right within it. */
WEFT_TEST(Profile, EachDepthIsTakenOffTheOneAroundIt)
{
    weft_custom_op inner = INIT_CUSTOM_OP(.name = "inner", .forward = slow_copy);
    weft_custom_op middle = INIT_CUSTOM_OP(.name = "middle", .forward = copy_around, .user = &inner);
    const weft_custom_op outer = INIT_CUSTOM_OP(.name = "outer", .forward = copy_around, .user = &middle);
    weft_profile_op rows[16];
    weft_ctx *ctx;
    weft_profile *handle;
    WEFT_REQUIRE(weft_ctx_open(NULL, &ctx) == WEFT_OK);
    weft_tensor *x = weft_ones(ctx, WEFT_F32, WEFT_DIMS(4));
    WEFT_REQUIRE(weft_profile_begin(ctx, &handle) == WEFT_OK);
    WEFT_CHECK(weft_custom(&outer, &x, 1));
    weft_profile_end(handle);
    const int n = weft_profile_ops(handle, rows, 16, sizeof(weft_profile_op));
    const weft__profile *p = weft_owned(&weft__profile_kind, handle);
    const weft_profile_op *row[] = {find(rows, n, "outer", "forward"), find(rows, n, "middle", "forward"),
                                    find(rows, n, "inner", "forward")};
    const weft__event *event[] = {event_of(p, "outer"), event_of(p, "middle"), event_of(p, "inner")};
    const weft_profile_op *fill = find(rows, n, "fill", "forward");
    WEFT_REQUIRE(row[0] && row[1] && row[2] && event[0] && event[1] && event[2] && fill);
    WEFT_CHECK_NEAR(row[2]->seconds, event[2]->seconds, 1e-12);
    for (int k = 0; k < 2; k++) /* each makes a tensor of ones, too */
        WEFT_CHECK(row[k]->seconds <= event[k]->seconds - event[k + 1]->seconds + 1e-12 &&
                   row[k]->seconds >= event[k]->seconds - event[k + 1]->seconds - fill->seconds - 1e-12);
    weft_profile_free(handle);
    weft_ctx_close(ctx);
}

WEFT_TEST(Profile, PeakIsTheMostAtALaunch)
{
    weft_ctx *ctx;
    weft_profile *p;
    WEFT_REQUIRE(weft_ctx_open(NULL, &ctx) == WEFT_OK);
    weft_tensor *small = weft_ones(ctx, WEFT_F32, WEFT_DIMS(16)), *large = weft_ones(ctx, WEFT_F32, WEFT_DIMS(4096));
    WEFT_REQUIRE(weft_profile_begin(ctx, &p) == WEFT_OK);
    WEFT_CHECK(weft_neg(large));
    const size_t most = memory_of(ctx).live_bytes;
    weft_drop(large);
    WEFT_CHECK(weft_neg(small));
    weft_profile_end(p);
    WEFT_CHECK_EQ_INT(most, 64 + 2 * 16384);
    WEFT_CHECK_EQ_INT(totals_of(p).peak_bytes, most);
    weft_profile_free(p);
    weft_ctx_close(ctx);
}

/* However busy the machine: the sum of what each row has for itself is not more than the wall clock's time. */
WEFT_TEST(Profile, TimeWithinAnOperationOfTheProgramIsCountedOnce)
{
    weft_custom_op inner = INIT_CUSTOM_OP(.name = "inner", .forward = slow_copy);
    weft_custom_op middle =
        INIT_CUSTOM_OP(.name = "middle", .forward = quick_copy, .backward = backward_by_another, .user = &inner);
    weft_profile_op rows[16];
    weft_ctx *ctx;
    weft_profile *p;
    WEFT_REQUIRE(weft_ctx_open(NULL, &ctx) == WEFT_OK);
    weft_tensor *x = weft_set_requires_grad(weft_ones(ctx, WEFT_F32, WEFT_DIMS(4)), true);
    weft_tensor *y = weft_sum(weft_custom(&middle, &x, 1), WEFT_ALL, false);
    WEFT_REQUIRE(weft_profile_begin(ctx, &p) == WEFT_OK);
    WEFT_CHECK_OK(weft_backward(ctx, y));
    weft_profile_end(p);
    const int n = weft_profile_ops(p, rows, 16, sizeof(weft_profile_op));
    const weft_profile_total total = totals_of(p);
    const weft_profile_op *within = find(rows, n, "inner", "backward");
    double sum = 0;
    for (int k = 0; k < n && k < 16; k++)
        sum += rows[k].seconds;
    WEFT_CHECK(within && within->calls == 1 && within->seconds >= 0.02 && within->longest == within->seconds);
    WEFT_CHECK_NEAR(sum, total.in_kernels, 1e-9);
    WEFT_CHECK(total.in_kernels <= total.wall && total.issuing <= total.wall);
    weft_profile_free(p);
    weft_ctx_close(ctx);
}

WEFT_TEST(Profile, WritesATraceOnRequestOfTheEnvironment)
{
    char path[32] = "/tmp/weft_trace_XXXXXX";
    weft_ctx *ctx;
    const int file = mkstemp(path);
    WEFT_REQUIRE(file >= 0);
    close(file);
    setenv("WEFT_PROFILE", path, 1);
    const weft_status status = weft_ctx_open(NULL, &ctx);
    unsetenv("WEFT_PROFILE");
    WEFT_REQUIRE(status == WEFT_OK);
    train(ctx, 1);
    weft_ctx_close(ctx);
    char *text = slurp(path);
    WEFT_CHECK_STR_HAS(text, "\"traceEvents\":[");
    WEFT_CHECK_STR_HAS(text, "\"kernel\":\"tanh (gradient)\",\"phase\":\"backward\",\"result\":\"f32 [16, 32]\"");
    char place[64];
    snprintf(place, sizeof place, "test_profile.c\",\"line\":%d,", line_of_w);
    WEFT_CHECK_STR_HAS(text, place);
    WEFT_CHECK_STR_HAS(text, "\"tensor memory\"");
    free(text);
    unlink(path);
}

/* Shares are of the time in kernels, whatever passes outside of them: they come to 100 % together. */
WEFT_TEST(Profile, SharesOfTheTableAreOfTheTimeInKernels)
{
    const weft_custom_op op = INIT_CUSTOM_OP(.name = "slow_copy", .forward = slow_copy);
    char table[4096];
    double sum = 0;
    weft_ctx *ctx;
    weft_profile *p;
    WEFT_REQUIRE(weft_ctx_open(NULL, &ctx) == WEFT_OK);
    weft_tensor *x = weft_ones(ctx, WEFT_F32, WEFT_DIMS(100));
    WEFT_REQUIRE(weft_profile_begin(ctx, &p) == WEFT_OK);
    WEFT_CHECK(weft_exp(weft_custom(&op, &x, 1)) != NULL);
    nanosleep(&(struct timespec){.tv_nsec = 60000000}, NULL);
    weft_profile_end(p);
    WEFT_REQUIRE(weft_profile_table(p, table, sizeof table) < (int)sizeof table);
    for (const char *at = strchr(table, '%'); at; at = strchr(at + 1, '%')) {
        const char *number = at;
        while (number > table && (number[-1] == '.' || (number[-1] >= '0' && number[-1] <= '9')))
            number--;
        sum += strtod(number, NULL);
    }
    WEFT_CHECK_NEAR(sum, 100, 0.2); /* rounded to a tenth each */
    weft_profile_free(p);
    weft_ctx_close(ctx);
}
