/* test_optim.c - the step of every optimiser of the table over more tensors than one launch takes, of every floating
 * dtype and of sizes with ragged ends, some with master weights, some that do not start at a border of 16 bytes. The
 * attributes are those of the last step of the record's samples, the first step of all or a later one. */
#include "device/both.h"

#include <stdio.h>
#include <string.h>

#include "engine/observe.h"
#include "harness/weft_test.h"
#include "ops/sample.h"

enum { TENSORS = 200, TIMES = 3, LISTS = WEFT__MAX_DEF_OPERANDS, PARAM = 0, GRAD = 1 };

typedef struct run {
    int op, recipe;
    weft_dtype dtype; /* WEFT_DTYPE_COUNT: each tensor another */
} run;

/* ---- What a sample's step is called with ---- */

typedef struct watcher {
    weft__observer observer; /* first: the callbacks get its address */
    int op;
    weft__attrs attrs;
    bool has[LISTS]; /* which lists there are */
} watcher;

static void begin(weft__observer *observer, const weft__launch *l)
{
    watcher *w = (watcher *)observer;
    if (l->op != w->op || l->custom)
        return;
    const int lists = weft__defs[l->op]->n_in, n = l->n_in / lists;
    w->attrs = *l->attrs;
    for (int list = 0; list < lists; list++)
        w->has[list] = l->in[list * n] != NULL;
}

static void end(weft__observer *observer, const weft__launch *l, weft_status status)
{
    (void)observer, (void)l, (void)status;
}

static void watch_sample(watcher *w, weft_ctx *ctx, const run *r)
{
    *w = (watcher){.observer = {.begin = begin, .end = end}, .op = r->op};
    const weft_sample_options o = {.recipe = r->recipe, .dtype = WEFT_F32, .sizes = {3, 4, -1}};
    weft_sample_call call;
    weft__observe(ctx, &w->observer);
    WEFT_CHECK_OK(weft__sample_make(ctx, r->op, &o, &call));
    WEFT_CHECK_OK(weft_sample_run(&call));
    weft__unobserve(ctx, &w->observer);
}

/* ---- Tensors ---- */

static int64_t size_of(int k)
{
    static const int64_t sizes[] = {1, 7, 64, 0, 250, 33, 8, 3};
    return k == 5 ? 20000 : sizes[k % 8]; /* one of several chunks */
}

static weft_dtype dtype_of(const run *r, int k)
{
    static const weft_dtype floats[] = {WEFT_F32, WEFT_BF16, WEFT_F64, WEFT_F16};
    return r->dtype == WEFT_DTYPE_COUNT ? floats[k / 2 % 4] : r->dtype;
}

static bool is_half(const run *r, int k)
{
    return dtype_of(r, k) == WEFT_F16 || dtype_of(r, k) == WEFT_BF16;
}

/* Every third tensor is a view that starts one element into its memory. */
static weft_tensor *make(weft_ctx *ctx, weft_dtype dtype, int k, double lo, double hi, int seed)
{
    const int64_t n = size_of(k);
    if (k % 3 != 0)
        return both_input(ctx, dtype, WEFT_DIMS(n), lo, hi, (uint64_t)seed);
    return weft_slice(both_input(ctx, dtype, WEFT_DIMS(n + 1), lo, hi, (uint64_t)seed), 0, 1, n + 1, 1);
}

/* As after some steps: gradients are 1 to 2 apart from noise, and so what is kept of them and of their squares. */
static weft_tensor *make_state(weft_ctx *ctx, const run *r, int list, int k)
{
    const double lo = list == 2 ? 3 : 0.5;
    return make(ctx, is_half(r, k) ? WEFT_F32 : dtype_of(r, k), k, lo, lo + 1, 1000 * list + k);
}

/* Every other half tensor has them; every fourth has been written since they were made. */
static weft_tensor *make_master(const run *r, int k, weft_tensor *param)
{
    if (!is_half(r, k) || k % 2 == 0)
        return NULL;
    weft_tensor *master = weft_add_scalar(weft_cast(param, WEFT_F32), 1e-5);
    if (k % 4 == 1)
        weft_copy_(param, weft_neg(param));
    return master;
}

/* All that was changed, in one row. */
static weft_tensor *join(weft_ctx *ctx, weft_tensor *const *in, int n)
{
    int64_t count = 0, at = 0;
    for (int k = 0; k < n; k++)
        count += in[k] ? weft_count(in[k]) : 0;
    weft_tensor *joined = weft_zeros(ctx, WEFT_F64, WEFT_DIMS(count));
    for (int k = 0; k < n; k++) {
        if (!in[k])
            continue;
        weft_copy_(weft_slice(joined, 0, at, at + weft_count(in[k]), 1), in[k]);
        at += weft_count(in[k]);
    }
    return joined;
}

static weft_tensor *stepped(weft_ctx *ctx, void *user)
{
    const run *r = user;
    const int lists = weft__defs[r->op]->n_in, last = lists - 1;
    weft_tensor *in[LISTS * TENSORS] = {NULL};
    watcher w;
    watch_sample(&w, ctx, r);
    for (int k = 0; k < TENSORS; k++) {
        in[PARAM * TENSORS + k] = make(ctx, dtype_of(r, k), k, -1, 1, k + 1);
        in[GRAD * TENSORS + k] = make(ctx, dtype_of(r, k), k, 1, 2, k + 1000);
        in[last * TENSORS + k] = make_master(r, k, in[PARAM * TENSORS + k]);
        for (int list = 2; list < last; list++)
            in[list * TENSORS + k] = w.has[list] ? make_state(ctx, r, list, k) : NULL;
    }
    for (int time = 0; time < TIMES; time++)
        WEFT_CHECK_OK(weft__change(ctx, r->op, in, lists * TENSORS, &w.attrs));
    return join(ctx, in, lists * TENSORS);
}

/* ---- Every row ---- */

static void check_steps(void *user)
{
    static const weft_dtype dtypes[] = {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_BF16, WEFT_DTYPE_COUNT};
    static const double tolerance[] = {1e-6, 1e-14, 2e-3, 1.6e-2, 1.6e-2};
    const int op = *(const int *)user;
    for (int recipe = 0; recipe < WEFT__MAX_RECIPES && weft__defs[op]->recipes[recipe].operands; recipe++) {
        for (int k = 0; k < 5; k++) {
            char what[96];
            run r = {.op = op, .recipe = recipe, .dtype = dtypes[k]};
            snprintf(what, sizeof what, "%s, recipe %d, %s", weft__ops[op].name, recipe,
                     k < 4 ? weft_dtype_name(dtypes[k]) : "mixed dtypes");
            check_both(what, stepped, &r, tolerance[k], tolerance[k]);
        }
    }
}

WEFT_TEST_INIT(steps)
{
    static int ops[WEFT_OP_COUNT];
    for (int op = 0; op < WEFT_OP_COUNT; op++) {
        ops[op] = op;
        if (weft__defs[op]->effect == WEFT__STEPS)
            weft_test_add("DeviceSteps", weft__ops[op].name, check_steps, &ops[op], __FILE__, __LINE__);
    }
}

/* Gradients after clipping, and the norm: more than f16 holds. */
static weft_tensor *clipped(weft_ctx *ctx, void *user)
{
    const run *r = user;
    weft_tensor *p[3], *parts[4];
    for (int k = 0; k < 3; k++) {
        p[k] = weft_set_requires_grad(make(ctx, r->dtype, k + 1, -1, 1, k), true);
        weft_tensor *g = make(ctx, r->dtype, k + 1, 20000, 30000, k + 10);
        weft_backward(ctx, weft_sum(weft_mul(p[k], g), WEFT_ALL, false));
    }
    const double norm = weft_clip_grad_norm(ctx, p, 3, 3);
    for (int k = 0; k < 3; k++)
        parts[k] = weft_cast(weft_grad_of(p[k]), WEFT_F64);
    parts[3] = weft_full(ctx, WEFT_F64, WEFT_DIMS(1), norm);
    return weft_concat(parts, 4, 0);
}

WEFT_TEST(DeviceSteps, ClippingOfEveryType)
{
    static const weft_dtype dtypes[] = {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_BF16};
    for (int k = 0; k < 4; k++)
        check_both(weft_dtype_name(dtypes[k]), clipped, &(run){.dtype = dtypes[k]}, k < 2 ? 1e-5 : 1e-2, 0);
}
