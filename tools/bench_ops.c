/* bench_ops.c - measures operations: operands and results in turns from more memory than the caches hold, so that each
 * run finds its data where a large program would. */
#include "bench.h"
#include "samples.h"
#include "terminal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SETS = 256 };

/* What one turn works on. results: of the last one, kept so that the next is written elsewhere. */
typedef struct turn_set {
    weft_sample_call call;
    weft_tensor *results[WEFT_SAMPLE_OPERANDS];
    /* For a gradient: the graph that is derived, from a cotangent to the operands that have one. */
    weft_tensor *y, *cotangent;
    weft_tensor *leaves[WEFT_SAMPLE_OPERANDS];
    int n_leaves;
} turn_set;

typedef struct rotation {
    weft_ctx *ctx;
    const sample *s;
    turn_set sets[MOST_SETS];
    int n;
    int64_t turn;
} rotation;

static void replace(weft_tensor **results, weft_tensor *const *fresh, int n)
{
    for (int k = 0; k < n; k++) {
        weft_release(results[k]);
        results[k] = fresh[k];
    }
}

static weft_status derive_in_turns(void *user, int64_t times)
{
    rotation *r = user;
    for (int64_t k = 0; k < times; k++) {
        turn_set *set = &r->sets[r->turn++ % r->n];
        weft_tensor *gradients[WEFT_SAMPLE_OPERANDS] = {NULL};
        const int mark = weft_scope_push(r->ctx);
        weft_grad(r->ctx, &set->y, &set->cotangent, 1, set->leaves, set->n_leaves, 0, gradients);
        for (int g = 0; g < set->n_leaves; g++)
            weft_keep(gradients[g]);
        const weft_status status = weft_scope_pop(r->ctx, mark);
        if (status != WEFT_OK)
            return status;
        replace(set->results, gradients, set->n_leaves);
    }
    return WEFT_OK;
}

static weft_status run_in_turns(void *user, int64_t times)
{
    rotation *r = user;
    for (int64_t k = 0; k < times; k++) {
        turn_set *set = &r->sets[r->turn++ % r->n];
        const int mark = weft_scope_push(r->ctx);
        (void)weft_sample_run(&set->call); /* an error stays in the context */
        for (int g = 0; g < set->call.n_out; g++)
            weft_keep(set->call.out[g]);
        const weft_status status = weft_scope_pop(r->ctx, mark);
        if (status != WEFT_OK)
            return status;
        replace(set->results, set->call.out, set->call.n_out);
    }
    return WEFT_OK;
}

/* Runs the operation on operands that want a gradient. False: it has none. */
static bool record(weft_ctx *ctx, turn_set *set)
{
    for (int k = 0; k < set->call.n_in; k++)
        if (set->call.smooth[k])
            set->leaves[set->n_leaves++] = weft_set_requires_grad(set->call.in[k], true);
    set->y = set->n_leaves ? sample_run(&set->call) : NULL;
    if (!set->y || !weft_requires_grad(set->y))
        return false;
    set->cotangent = weft_randn(ctx, weft_dtype_of(set->y), weft_shape(set->y), weft_ndim(set->y), 0, 1);
    return set->cotangent != NULL;
}

static bool is_gradient(const bench_case *c)
{
    return strcmp(c->kind, "gradient") == 0;
}

static bool make_set(const rotation *r, const bench_case *c, const int64_t *shape, turn_set *set)
{
    return sample_make_large(r->s, r->ctx, c->dtype, shape, &set->call) && (!is_gradient(c) || record(r->ctx, set));
}

/* Sets of operands until they fill the caches twice, and as much as the copy that is the ceiling touches; at least 2,
 * for a quarter of the memory at most. */
static bool make_sets(rotation *r, const bench_report *report, const bench_case *c, const int64_t *shape)
{
    bool gpu = strncmp(c->device, "cuda", 4) == 0;
    double cache = (double)machine_last_cache(&report->host), wanted = gpu ? 512e6 : fmax(2 * cache, 256e6);
    double room = gpu ? 8e9 : (double)report->host.memory / 4, each = c->bytes > 0 ? c->bytes : 1;
    int n = wanted / each < MOST_SETS - 1 ? (int)(wanted / each) + 1 : MOST_SETS;
    n = n < 2 ? 2 : n;
    while (n > 1 && n * each > room)
        n--;
    if (report->plan.quick && n > 2)
        n = 2;
    for (r->n = 0; r->n < n; r->n++)
        if (!make_set(r, c, shape, &r->sets[r->n]))
            return false;
    return true;
}

/* Bytes and flops of one run, from a first one. */
static bool count_work(const sample *s, weft_ctx *ctx, bench_case *c, const int64_t *shape)
{
    int mark = weft_scope_push(ctx);
    weft_sample_call call;
    const bool counted =
        sample_make_large(s, ctx, c->dtype, shape, &call) && weft_sample_work(&call, &c->flops, &c->bytes) == WEFT_OK;
    if (counted && is_gradient(c))
        sample_gradient_work(&call, &c->flops, &c->bytes);
    return weft_scope_pop(ctx, mark) == WEFT_OK && counted;
}

static void measure(const bench_report *r, const bench_device *d, const sample *s, bench_case *c, const int64_t *shape)
{
    c->roof = (double)NAN;
    weft_ctx *ctx = bench_open(r, d, c->error);
    if (!ctx)
        return;
    rotation *turns = take(sizeof *turns);
    memset(turns, 0, sizeof *turns);
    turns->ctx = ctx;
    turns->s = s;
    const weft_bench_options how = bench_options(&r->plan, ctx);
    weft_status (*const run)(void *, int64_t) = is_gradient(c) ? derive_in_turns : run_in_turns;
    if (count_work(s, ctx, c, shape) && make_sets(turns, r, c, shape) &&
        run(turns, turns->n + 1) == WEFT_OK) /* once round first: new memory is slow when it is first written */
        (void)weft_bench_measure(run, turns, &how, &c->seconds);
    if (weft_ctx_status(ctx) != WEFT_OK)
        weft_text(c->error, sizeof c->error, "%s", weft_ctx_message(ctx));
    else
        c->roof = weft_bench_roofline(d->ceilings, d->n_ceilings, c->dtype, c->bytes, c->flops, &c->memory_bound);
    for (int k = 0; k < turns->n; k++)
        replace(turns->sets[k].results, (weft_tensor *[WEFT_SAMPLE_OPERANDS]){NULL}, WEFT_SAMPLE_OPERANDS);
    free(turns);
    weft_ctx_close(ctx);
}

/* Whether the operation can be measured at the shape asked for: products of matrices take two or three sizes. */
static bool is_asked_for(const bench_plan *plan, const sample *s)
{
    return plan->rank == s->rank || (plan->rank == 3 && s->inner);
}

/* The shape to measure at: the one asked for if it fits, else the usual one of the device. */
static const int64_t *choose_shape(const bench_plan *plan, const sample *s, const char *device)
{
    static const int64_t usual[2][2][4] = {{{1024, 1024}, {8, 32, 32, 32}}, {{8192, 8192}, {64, 64, 56, 56}}};
    static const int64_t alike[2][4] = {{2048, 2048}, {16, 64, 56, 56}};
    static const int64_t quick[2][4] = {{32, 32}, {2, 4, 8, 8}};
    if (is_asked_for(plan, s))
        return plan->shape;
    if (plan->quick)
        return quick[s->rank == 4];
    if (plan->alike)
        return alike[s->rank == 4];
    return usual[strncmp(device, "cuda", 4) == 0][s->rank == 4];
}

static void name_shape(char *text, size_t size, const int64_t *shape, int rank)
{
    size_t used = 0;
    for (int k = 0; k < rank && used < size; k++)
        used += (size_t)weft_text(text + used, size - used, "%s%lld", k ? "x" : "", (long long)shape[k]);
}

/* One operation, or its gradient, in one dtype on one device. */
static void run_case(bench_report *r, const bench_device *d, const char *kind, const sample *s, weft_dtype dtype)
{
    bench_case *c = bench_add(r, kind, s->op.name, d->name, dtype);
    const int64_t *shape = choose_shape(&r->plan, s, d->name);
    name_shape(c->what, sizeof c->what, shape, is_asked_for(&r->plan, s) ? r->plan.rank : s->rank);
    measure(r, d, s, c, shape);
}

static void refuse(bench_report *r, const bench_device *d, const sample *s, weft_dtype dtype)
{
    bench_case *c = bench_add(r, "op", s->op.name, d->name, dtype);
    weft_text(c->error, sizeof c->error,
              "there is no way to run %s by itself: weft bench models measures what steps are made of", s->op.name);
}

void bench_run_ops(bench_report *r, const int *ops, int n)
{
    const int total = n * r->plan.n_dtypes * r->n_devices;
    int done = 0;
    for (int k = 0; k < n; k++) {
        sample s;
        const bool known = sample_find(ops[k], &s);
        for (int t = 0; t < r->plan.n_dtypes; t++)
            for (int d = 0; d < r->n_devices; d++) {
                const weft_dtype dtype = r->plan.dtypes[t];
                progress_show("bench %d/%d  %s %s on %s", ++done, total, s.op.name, weft_dtype_name(dtype),
                              r->devices[d].name);
                if (known)
                    run_case(r, &r->devices[d], "op", &s, dtype);
                else
                    refuse(r, &r->devices[d], &s, dtype);
                if (known && r->plan.gradients && s.how.has_gradient)
                    run_case(r, &r->devices[d], "gradient", &s, dtype);
            }
    }
    progress_clear();
}
