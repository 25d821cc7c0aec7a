/* profile.c - measures kernel launches: see weft/profile.h. */
#define _POSIX_C_SOURCE 200809L
#include "profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- What a launch moves and computes ---- */

static double array_bytes(const weft__array *a)
{
    double count = 1;
    for (int d = 0; a && d < a->ndim; d++) /* what is repeated by stride 0 is read once */
        count *= a->strides[d] == 0 && a->shape[d] > 1 ? 1 : (double)a->shape[d];
    return a ? count * (double)weft_dtype_size((weft_dtype)a->dtype) : 0;
}

double weft__launch_bytes(const weft__launch *l)
{
    double bytes = 0;
    for (int k = 0; k < l->n_in; k++)
        bytes += array_bytes(l->in[k]);
    for (int k = 0; k < l->n_out; k++)
        bytes += array_bytes(l->out[k]);
    return bytes;
}

static double count_of(const weft__array *a)
{
    return a ? (double)a->count : 0;
}

double weft__launch_flops(const weft__launch *l)
{
    const weft__array *a = l->n_in > 0 ? l->in[0] : NULL, *b = l->n_in > 1 ? l->in[1] : NULL;
    const weft__array *y = l->n_out > 0 ? l->out[0] : NULL;
    switch (l->op) {
    case WEFT_OP_MATMUL:
    case WEFT_OP_LINEAR:
    case WEFT_OP_LINEAR_ACT:
        return a && a->ndim > 0 ? 2 * count_of(y) * (double)a->shape[a->ndim - 1] : 0;
    case WEFT_OP_LINEAR_GRAD: /* every element of y: a column of g */
        return a && a->ndim > 0 ? 2 * count_of(y) * (double)a->shape[0] : 0;
    case WEFT_OP_CONV2D: /* every element of y: a window of w's channels */
        return b && b->shape[0] > 0 ? 2 * count_of(y) * count_of(b) / (double)b->shape[0] : 0;
    case WEFT_OP_CONV2D_TRANSPOSE:
        return b && b->shape[0] > 0 ? 2 * count_of(a) * count_of(b) / (double)b->shape[0] : 0;
    case WEFT_OP_CONV2D_WEIGHT:
        return y && y->shape[0] > 0 ? 2 * count_of(b) * count_of(y) / (double)y->shape[0] : 0;
    default: {
        double most = count_of(y);
        for (int k = 0; k < l->n_in; k++)
            most = count_of(l->in[k]) > most ? count_of(l->in[k]) : most;
        return most;
    }
    }
}

/* ---- Observing ---- */

static void begin(weft__observer *observer, const weft__launch *launch)
{
    weft_profile *p = (weft_profile *)observer;
    if (!launch->ctx->backend->host_memory) {
        launch->ctx->backend->synchronize(launch->ctx->device); /* an error comes again at the program's own wait */
        weft__nvtx_push(launch->name);
    }
    p->launched = now();
}

/* Room for one more event; false: the trace is full, or memory is short. */
static bool room_for_event(weft_profile *p)
{
    if (p->total.kept < p->room)
        return true;
    const int64_t room = p->room ? 2 * p->room : 1024;
    weft__event *more = room <= WEFT__MOST_EVENTS ? weft__host_alloc(p->ctx, sizeof *more * (size_t)room) : NULL;
    if (!more)
        return false;
    if (p->events) {
        memcpy(more, p->events, sizeof *more * (size_t)p->room);
        weft__host_free(p->ctx, p->events, sizeof *more * (size_t)p->room);
    }
    p->events = more;
    p->room = room;
    return true;
}

static void add_event(weft_profile *p, const weft__launch *l, double seconds, double bytes, double flops)
{
    if (!room_for_event(p))
        return;
    weft__event *e = &p->events[p->total.kept++];
    const weft__array *y = l->n_out > 0 && l->out[0] ? l->out[0] : l->n_in > 0 ? l->in[0] : NULL;
    *e = (weft__event){.start = p->launched - p->begun,
                       .seconds = seconds,
                       .bytes = bytes,
                       .flops = flops,
                       .live = p->ctx->live_bytes,
                       .name = l->phase == WEFT__BACKWARD ? l->name : weft__ops[l->op].name,
                       .file = l->site.file,
                       .line = l->site.line,
                       .op = (uint16_t)l->op,
                       .grad = l->grad,
                       .phase = (uint8_t)l->phase,
                       .dtype = (int8_t)(y ? y->dtype : 0),
                       .ndim = (int8_t)(y ? y->ndim : 0)};
    for (int d = 0; y && d < y->ndim && d < WEFT__EVENT_DIMS; d++)
        e->shape[d] = y->shape[d];
}

static void end(weft__observer *observer, const weft__launch *launch, weft_status status)
{
    weft_profile *p = (weft_profile *)observer;
    (void)status;
    if (!launch->ctx->backend->host_memory) {
        launch->ctx->backend->synchronize(launch->ctx->device);
        weft__nvtx_pop();
    }
    const double seconds = now() - p->launched;
    const double bytes = weft__launch_bytes(launch), flops = weft__launch_flops(launch);
    weft_profile_op *row = &p->ops[launch->phase][launch->grad][launch->op];
    row->calls++;
    row->seconds += seconds;
    row->longest = seconds > row->longest ? seconds : row->longest;
    row->bytes += bytes;
    row->flops += flops;
    p->total.launches++;
    p->total.in_kernels += seconds;
    if (p->ctx->live_bytes > p->total.peak_bytes)
        p->total.peak_bytes = p->ctx->live_bytes;
    add_event(p, launch, seconds, bytes, flops);
}

/* ---- Life ---- */

weft_status weft_profile_begin(weft_ctx *ctx, weft_profile **out)
{
    if (!ctx || !out)
        return WEFT_E_NULL_ARGUMENT;
    weft_profile *p = *out = weft__host_alloc(ctx, sizeof *p);
    if (!p)
        return weft__fail_named(ctx, "profile_begin", WEFT_E_NOMEM, "out of memory for a profile");
    memset(p, 0, sizeof *p);
    p->ctx = ctx;
    p->observer.begin = begin;
    p->observer.end = end;
    p->running = true;
    p->begun = now();
    weft__observe(ctx, &p->observer);
    return WEFT_OK;
}

void weft_profile_end(weft_profile *p)
{
    if (!p || !p->running)
        return;
    weft__unobserve(p->ctx, &p->observer);
    p->running = false;
    p->total.wall = now() - p->begun;
}

void weft_profile_free(weft_profile *p)
{
    if (!p)
        return;
    weft_profile_end(p);
    if (p->events)
        weft__host_free(p->ctx, p->events, sizeof *p->events * (size_t)p->room);
    weft__host_free(p->ctx, p, sizeof *p);
}

/* ---- Asking ---- */

weft_profile_total weft_profile_totals(const weft_profile *p)
{
    if (!p)
        return (weft_profile_total){0};
    weft_profile_total total = p->total;
    if (p->running)
        total.wall = now() - p->begun;
    return total;
}

static int by_time(const void *a, const void *b)
{
    const double x = ((const weft_profile_op *)a)->seconds, y = ((const weft_profile_op *)b)->seconds;
    return x < y ? 1 : x > y ? -1 : 0;
}

int weft_profile_ops(const weft_profile *p, weft_profile_op *rows, int room)
{
    enum { ALL = WEFT__PHASES * 2 * WEFT_OP_COUNT };
    if (!p)
        return 0;
    weft_profile_op *all = weft__host_alloc(p->ctx, sizeof *all * ALL);
    int n = 0;
    for (int phase = 0; all && phase < WEFT__PHASES; phase++)
        for (int grad = 0; grad < 2; grad++)
            for (int op = 0; op < WEFT_OP_COUNT; op++) {
                if (p->ops[phase][grad][op].calls == 0)
                    continue;
                all[n] = p->ops[phase][grad][op];
                all[n].kernel = weft__ops[op].name;
                all[n].phase = weft__phase_name((weft__phase)phase);
                all[n++].gradient = grad;
            }
    if (!all)
        return 0;
    qsort(all, (size_t)n, sizeof *all, by_time);
    for (int k = 0; k < n && k < room && rows; k++)
        rows[k] = all[k];
    weft__host_free(p->ctx, all, sizeof *all * ALL);
    return n;
}

/* ---- The environment variable (see weft__profile_opened in core.h) ---- */

static void write_at_close(weft_ctx *ctx, void *state)
{
    weft_profile *p = state;
    weft_profile_end(p);
    if (weft_profile_trace(p, ctx->profile_path) != WEFT_OK)
        weft__log(ctx, WEFT_LOG_WARNING, "weft_ctx_close: the profile is lost: %s", ctx->message);
    weft_profile_free(p);
}

void weft__profile_opened(weft_ctx *ctx)
{
    static _Atomic int opened;
    const char *path = getenv("WEFT_PROFILE");
    weft_profile *p;
    if (!path || !*path || weft_profile_begin(ctx, &p) != WEFT_OK)
        return;
    const int number = ++opened;
    snprintf(ctx->profile_path, sizeof ctx->profile_path, number > 1 ? "%s.%d" : "%s", path, number);
    ctx->before_close = write_at_close;
    ctx->before_close_state = p;
}
