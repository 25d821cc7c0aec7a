/* test_records_work.c - every row by its sample: terms, flops and bytes of each launch that it leads to, forward and
 * backward, are numbers above 0; each row with a kernel of its own is reached by a sample, and each is described. */
#include <math.h>
#include <string.h>
#include "engine/observe.h"
#include "base/op_def.h"
#include "harness/structs.h"
#include "harness/weft_test.h"
#include "ops/sample.h"
#include "ops/work.h"
#include "samples/device.h"
#include "samples/layout.h"

typedef struct counter {
    weft__observer observer;     /* first: the callbacks get its address */
    int64_t seen[WEFT_OP_COUNT]; /* launches of each row */
} counter;

/* What moves nothing says so: weft__flops_none, weft__bytes_none. */
static bool is_fine(double value, bool none)
{
    return isfinite(value) && (none ? value == 0 : value > 0);
}

static void check_work(const weft__work *w)
{
    const weft__op_def *def = weft__defs[w->op];
    const char *name = weft__ops[w->op].name;
    const double flops = def->flops(w), bytes = def->bytes(w);
    if (!is_fine(flops, def->flops == weft__flops_none) || !is_fine(bytes, def->bytes == weft__bytes_none))
        WEFT_FAIL("%s: %g flops, %g bytes", name, flops, bytes);
    for (int k = 0; k < w->n_out && k < def->n_out; k++)
        if (w->out[k] && def->terms(w, k) < 1)
            WEFT_FAIL("%s: %lld terms in result %d", name, (long long)def->terms(w, k), k);
}

static void begin(weft__observer *observer, const weft__launch *l)
{
    counter *c = (counter *)observer;
    if (l->custom)
        return;
    c->seen[l->op]++;
    const weft__work w = weft__launch_work(l);
    check_work(&w);
}

static void end(weft__observer *observer, const weft__launch *l, weft_status status)
{
    (void)observer, (void)l, (void)status;
}

static void derive(weft_ctx *c, weft_sample_call *call)
{
    weft_tensor *y = weft_sample_result(call), *found[WEFT_SAMPLE_OPERANDS], *leaves[WEFT_SAMPLE_OPERANDS];
    int n = 0;
    for (int k = 0; k < call->n_in; k++)
        if (call->smooth[k])
            leaves[n++] = call->in[k];
    if (!y || n == 0 || !weft_requires_grad(y))
        return;
    weft_tensor *g = weft_full_like(y, 0.5);
    WEFT_CHECK_OK(weft_grad(c, &y, &g, 1, leaves, n, WEFT_GRAD_ALLOW_UNUSED, found));
}

static void run_sample(weft_ctx *c, counter *counted, int op, int recipe)
{
    weft_sample_options o = INIT_SAMPLE(.recipe = recipe, .dtype = WEFT_F32, .sizes = {5, 6, 4});
    if (strchr(weft__defs[op]->recipes[recipe].operands, 'd'))
        memcpy(o.sizes, (const int64_t[]){2, 2, 4, 4}, sizeof o.sizes);
    weft_sample_call call;
    const int mark = weft_scope_push(c);
    weft__observe(c, &counted->observer);
    if (weft__sample_make(c, op, &o, &call) == WEFT_OK) {
        for (int k = 0; k < call.n_in; k++)
            if (call.smooth[k])
                weft_set_requires_grad(call.in[k], true);
        const weft_status status = weft_sample_run(&call);
        WEFT_CHECK_OK(status);
        if (status == WEFT_OK)
            derive(c, &call);
        double flops, bytes;
        WEFT_CHECK_OK(weft_sample_work(&call, &flops, &bytes));
        const weft__op_def *def = weft__defs[op];
        if (!is_fine(flops, def->flops == weft__flops_none) || !is_fine(bytes, def->bytes == weft__bytes_none))
            WEFT_FAIL("%s, recipe %d: %g flops, %g bytes", weft__ops[op].name, recipe, flops, bytes);
    }
    weft__unobserve(c, &counted->observer);
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
}

/* In place and on views, kernels of other rows work. */
static bool has_a_kernel(int op)
{
    const weft__family family = weft__ops[op].family;
    return family != WEFT__VIEW && family != WEFT__COMPOSITE && weft__defs[op]->effect != WEFT__IN_PLACE;
}

WEFT_TEST(RecordsWork, OfEverySampleIsCounted)
{
    static counter counted;
    memset(&counted, 0, sizeof counted);
    counted.observer.begin = begin;
    counted.observer.end = end;
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c);
    for (int op = 0; op < WEFT_OP_COUNT; op++)
        for (int r = 0; r < WEFT__MAX_RECIPES && weft__defs[op]->recipes[r].operands; r++)
            run_sample(c, &counted, op, r);
    for (int op = 0; op < WEFT_OP_COUNT; op++)
        if (has_a_kernel(op) && counted.seen[op] == 0)
            WEFT_FAIL("no sample leads to a launch of %s%s%s", weft__ops[op].name,
                      weft__defs[op]->call ? "" : ", which is said to run in the derivative of ",
                      weft__defs[op]->call ? "" : weft__ops[weft__defs[op]->part_of].name);
    test_ctx_close(c, &memory);
}

WEFT_TEST(RecordsWork, EachRowIsDescribed)
{
    for (int op = 0; op < WEFT_OP_COUNT; op++) {
        const weft__op_def *def = weft__defs[op];
        const char *name = weft__ops[op].name;
        if (def->gradient && !def->gradient[0])
            WEFT_FAIL("%s: the words for its gradient are empty", name);
        for (int k = 0; k < def->n_out; k++)
            if (def->agreement[k] > WEFT__DERIVED)
                WEFT_FAIL("%s: result %d has no agreement", name, k);
        for (int r = 0; r < WEFT__MAX_RECIPES && def->recipes[r].operands; r++)
            if (!def->recipes[r].numbers)
                WEFT_FAIL("%s: recipe %d has no numbers", name, r);
    }
}

/* How many terms a result of the row is a sum of, for operand and result of these shapes; nothing comes after them. */
WEFT_TEST(RecordsWork, TermsOfAResult)
{
    static const struct {
        int op;
        int64_t x[2], y[2], terms;
    } rows[] = {
        {WEFT_OP_SUM, {4, 6}, {4, 1}, 6},  {WEFT_OP_MEAN, {4, 6}, {1, 1}, 24}, {WEFT_OP_SUM, {4, 6}, {4, 6}, 1},
        {WEFT_OP_NEG, {4, 6}, {4, 6}, 1},  {WEFT_OP_ADD, {4, 6}, {4, 6}, 1},   {WEFT_OP_MATMUL, {4, 6}, {4, 9}, 6},
        {WEFT_OP_PROD, {4, 6}, {1, 6}, 4},
    };
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        weft__array x = {.dtype = WEFT_F32, .ndim = 2}, y = x;
        memcpy(x.shape, rows[k].x, sizeof rows[k].x);
        memcpy(y.shape, rows[k].y, sizeof rows[k].y);
        x.count = x.shape[0] * x.shape[1];
        y.count = y.shape[0] * y.shape[1];
        const weft__array *in[] = {&x, NULL}, *out[] = {&y, NULL};
        const weft__work w = {.op = rows[k].op, .n_in = 1, .n_out = 1, .in = in, .out = out};
        const int64_t terms = weft__defs[rows[k].op]->terms(&w, 0);
        if (terms != rows[k].terms)
            WEFT_FAIL("%s: %lld terms", weft__ops[rows[k].op].name, (long long)terms);
    }
}

/* A composite of as many operands as a call has places, the work of which is counted by the call. */
WEFT_TEST(RecordsWork, OfACallWhosePlacesAreAllTaken)
{
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c);
    char operands[4 * WEFT_SAMPLE_OPERANDS + 1] = "";
    for (int k = 0; k < WEFT_SAMPLE_OPERANDS; k++)
        strcat(operands, "xab ");
    const weft_sample_options o = INIT_SAMPLE(.dtype = WEFT_F32, .sizes = {2, 5}, .operands = operands);
    weft_sample_call call;
    double flops, bytes;
    WEFT_CHECK_OK(weft_sample_make(c, WEFT_OP_STACK, &o, &call));
    WEFT_CHECK_EQ_INT(call.n_in, WEFT_SAMPLE_OPERANDS);
    WEFT_CHECK_OK(weft_sample_work(&call, &flops, &bytes));
    WEFT_CHECK_NEAR(bytes, 2.0 * 4 * WEFT_SAMPLE_OPERANDS * 10, 0);
    test_ctx_close(c, &memory);
}
