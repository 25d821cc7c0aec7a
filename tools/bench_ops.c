/* bench_ops.c - measures operations: operands and results in turns from more memory than the caches hold, so that each run
 * finds its data where a large program would. */
#include "bench.h"
#include "samples.h"
#include "terminal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SETS = 256 };

typedef struct rotation {
    weft_ctx *ctx;
    const sample *s;
    operands sets[MOST_SETS];
    weft_tensor *results[MOST_SETS]; /* the last one of each set, kept so that the next is written elsewhere */
    int n;
    int64_t turn;
} rotation;

static weft_status run_in_turns(void *user, int64_t times)
{
    rotation *r = user;
    for (int64_t k = 0; k < times; k++) {
        int slot = (int)(r->turn++ % r->n), mark = weft_scope_push(r->ctx);
        weft_tensor *result = weft_keep(sample_run(r->s, r->ctx, r->sets[slot].in));
        weft_status status = weft_scope_pop(r->ctx, mark);
        if (status != WEFT_OK)
            return status;
        weft_release(r->results[slot]);
        r->results[slot] = result;
    }
    return WEFT_OK;
}

/* Sets of operands until they fill the caches twice, and as much as the copy that is the ceiling touches; at least 2, for a quarter of the memory at most. */
static bool make_sets(rotation *r, const bench_report *report, const bench_case *c, weft_dtype dtype,
                      const int64_t *shape)
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
        if (!sample_make(r->s, r->ctx, dtype, shape, false, &r->sets[r->n]))
            return false;
    return true;
}

/* Bytes and flops of one run, from a first one. */
static bool count_work(const sample *s, weft_ctx *ctx, bench_case *c, const int64_t *shape)
{
    int mark = weft_scope_push(ctx);
    operands all;
    weft_tensor *result = sample_make(s, ctx, c->dtype, shape, false, &all) ? sample_run(s, ctx, all.in) : NULL;
    if (result) {
        c->bytes = sample_bytes(s, &all, result);
        c->flops = sample_flops(s, &all, shape);
    }
    return weft_scope_pop(ctx, mark) == WEFT_OK && result;
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
    if (count_work(s, ctx, c, shape) && make_sets(turns, r, c, c->dtype, shape) &&
        run_in_turns(turns, turns->n + 1) ==
            WEFT_OK) /* once round first: new memory is slow when it is first written */
        (void)weft_bench_measure(run_in_turns, turns, &how, &c->seconds);
    if (weft_ctx_status(ctx) != WEFT_OK)
        snprintf(c->error, sizeof c->error, "%s", weft_ctx_message(ctx));
    else
        c->roof = weft_bench_roofline(d->ceilings, d->n_ceilings, c->dtype, c->bytes, c->flops, &c->memory_bound);
    for (int k = 0; k < turns->n; k++)
        weft_release(turns->results[k]);
    free(turns);
    weft_ctx_close(ctx);
}

/* The shape to measure at: the one asked for if its rank fits, else the usual one of the device. */
static const int64_t *choose_shape(const bench_plan *plan, const sample *s, const char *device)
{
    static const int64_t usual[2][2][4] = {{{1024, 1024}, {8, 32, 32, 32}}, {{8192, 8192}, {64, 64, 56, 56}}};
    static const int64_t alike[2][4] = {{2048, 2048}, {16, 64, 56, 56}};
    static const int64_t quick[2][4] = {{32, 32}, {2, 4, 8, 8}};
    if (plan->rank == s->rank)
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
        used += (size_t)snprintf(text + used, size - used, "%s%lld", k ? "x" : "", (long long)shape[k]);
}

void bench_run_ops(bench_report *r, const int *ops, int n)
{
    int total = n * r->plan.n_dtypes * r->n_devices, done = 0;
    for (int k = 0; k < n; k++) {
        sample s;
        bool known = sample_find(ops[k], &s);
        for (int t = 0; t < r->plan.n_dtypes; t++)
            for (int d = 0; d < r->n_devices; d++) {
                const char *device = r->devices[d].name;
                progress_show("bench %d/%d  %s %s on %s", ++done, total, s.op.name, weft_dtype_name(r->plan.dtypes[t]),
                              device);
                bench_case *c = bench_add(r, "op", s.op.name, device, r->plan.dtypes[t]);
                const int64_t *shape = choose_shape(&r->plan, &s, device);
                name_shape(c->what, sizeof c->what, shape, s.rank);
                if (known)
                    measure(r, &r->devices[d], &s, c, shape);
                else
                    snprintf(c->error, sizeof c->error,
                             "there is no way to run %s by itself: weft bench models measures what steps are made of",
                             s.op.name);
            }
    }
    progress_clear();
}
