/* profile.c - measures kernel launches: see weft/profile.h. */
#define _POSIX_C_SOURCE 200809L
#include "profile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

double weft__profile_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- Rows and events ---- */

static const char *custom_name(weft__profile *p, const char *name, int *number)
{
    char cut[sizeof p->custom_names[0]];
    weft_text(cut, sizeof cut, "%s", name);
    int k = 0;
    while (k < p->n_custom && strcmp(p->custom_names[k], cut) != 0)
        k++;
    if (k == p->n_custom && k < WEFT__MOST_CUSTOM)
        weft_text(p->custom_names[p->n_custom++], sizeof cut, "%s",
                  k == WEFT__MOST_CUSTOM - 1 ? "further custom operations" : cut);
    *number = k < WEFT__MOST_CUSTOM ? k : WEFT__MOST_CUSTOM - 1;
    return p->custom_names[*number];
}

static weft_profile_op *row_of(weft__profile *p, const weft__launch *l)
{
    int custom = 0;
    const char *name = l->custom ? custom_name(p, l->custom->name, &custom) : weft__ops[l->op].name;
    weft_profile_op *row = l->custom ? &p->custom[l->phase][l->grad][custom] : &p->ops[l->phase][l->grad][l->op];
    row->kernel = name;
    row->phase = weft__phase_name(l->phase);
    row->gradient = l->grad;
    return row;
}

void weft__profile_measured(weft__profile *p, weft_profile_op *row, double seconds)
{
    row->seconds += seconds;
    row->longest = seconds > row->longest ? seconds : row->longest;
    p->total.in_kernels += seconds;
}

/* Room for one more event; false: the trace is full, or memory is short. */
static bool room_for_event(weft__profile *p)
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

/* Its place in the trace, or -1. */
static int64_t add_event(weft__profile *p, const weft__launch *l, const weft_profile_op *row)
{
    if (!room_for_event(p))
        return -1;
    weft__event *e = &p->events[p->total.kept];
    const weft__array *y = l->n_out > 0 && l->out[0] ? l->out[0] : l->n_in > 0 ? l->in[0] : NULL;
    *e = (weft__event){.seconds = -1,
                       .bytes = weft__launch_bytes(l),
                       .flops = weft__launch_flops(l),
                       .live = p->ctx->live_bytes,
                       .name = row->kernel,
                       .kernel = row->kernel,
                       .file = l->site.file,
                       .line = l->site.line,
                       .grad = l->grad,
                       .phase = (uint8_t)l->phase,
                       .dtype = (int8_t)(y ? y->dtype : 0),
                       .ndim = (int8_t)(y ? y->ndim : -1)};
    const weft__node *node = l->ctx->deriving;
    int number;
    if (l->phase == WEFT__BACKWARD && (node || !l->custom)) /* of the operation whose derivative it is */
        e->name = node && node->is_custom ? custom_name(p, l->name, &number) : l->name;
    for (int d = 0; y && d < y->ndim && d < WEFT__EVENT_DIMS; d++)
        e->shape[d] = y->shape[d];
    return p->total.kept++;
}

/* ---- Observing ---- */

static bool has_queue(const weft__profile *p)
{
    return !p->ctx->backend->host_memory;
}

/* The backward callback of a user's operation: its kernels are launches within it, with times of their own. */
static bool only_calls(const weft__launch *launch)
{
    return launch->custom && launch->grad;
}

static bool is_within_queued(const weft__profile *p)
{
    for (int k = 0; k < p->depth - 1; k++)
        if (p->open[k].queued)
            return true;
    return false;
}

static void begin(weft__observer *observer, const weft__launch *launch)
{
    weft__profile *p = (weft__profile *)observer;
    if (++p->depth > WEFT__MOST_NESTED)
        return;
    weft__open_launch *open = &p->open[p->depth - 1];
    *open = (weft__open_launch){0};
    if (has_queue(p))
        weft__nvtx_push(launch->name);
    const bool timed = has_queue(p) && !only_calls(launch) && !is_within_queued(p);
    if (timed)
        weft__timeline_make_room(p);
    open->issued = weft__profile_now();
    open->queued = timed && weft__timeline_start(p);
}

static void count(weft__profile *p, const weft__launch *launch, const weft__open_launch *open, double elapsed)
{
    weft_profile_op *row = row_of(p, launch);
    const int64_t number = add_event(p, launch, row);
    row->calls++;
    row->bytes += weft__launch_bytes(launch);
    row->flops += weft__launch_flops(launch);
    p->total.launches++;
    p->total.issuing += elapsed - open->inner;
    if (p->ctx->live_bytes > p->total.peak_bytes)
        p->total.peak_bytes = p->ctx->live_bytes;
    weft__event *e = number >= 0 ? &p->events[number] : NULL;
    if (e) {
        e->issued = open->issued - p->begun;
        e->issuing = elapsed;
    }
    if (open->queued)
        weft__timeline_end(p, row, number);
    if (has_queue(p))
        return;
    weft__profile_measured(p, row, elapsed - open->inner);
    if (e) {
        e->start = e->issued;
        e->seconds = elapsed;
        e->inner = open->inner;
    }
}

static void end(weft__observer *observer, const weft__launch *launch, weft_status status)
{
    weft__profile *p = (weft__profile *)observer;
    (void)status;
    if (p->depth-- > WEFT__MOST_NESTED)
        return;
    const weft__open_launch *open = &p->open[p->depth];
    const double elapsed = weft__profile_now() - open->issued;
    if (has_queue(p))
        weft__nvtx_pop();
    if (p->depth > 0)
        p->open[p->depth - 1].inner += elapsed;
    count(p, launch, open, elapsed);
}

static void cut(weft__observer *observer, int open)
{
    weft__profile *p = (weft__profile *)observer;
    for (; p->depth > open; p->depth--)
        if (has_queue(p))
            weft__nvtx_pop();
}

/* ---- Life ---- */

static weft__profile *begin_profile(weft_ctx *ctx)
{
    weft__profile *p = weft__host_alloc(ctx, sizeof *p);
    if (!p) {
        weft__fail_named(ctx, "profile_begin", WEFT_E_NOMEM, "out of memory for a profile");
        return NULL;
    }
    memset(p, 0, sizeof *p);
    p->ctx = ctx;
    p->observer.begin = begin;
    p->observer.end = end;
    p->observer.cut = cut;
    p->begun = weft__profile_now();
    if (!weft__timeline_open(p)) {
        weft__host_free(ctx, p, sizeof *p);
        return NULL;
    }
    p->running = true;
    weft__observe(ctx, &p->observer);
    return p;
}

static void stop(weft__profile *p)
{
    if (!p->running)
        return;
    weft__unobserve(p->ctx, &p->observer);
    weft__timeline_settle(p);
    weft__timeline_close(p);
    p->running = false;
    p->total.wall = weft__profile_now() - p->begun;
}

static void end_profile(void *object)
{
    weft__profile *p = object;
    stop(p);
    if (p->events)
        weft__host_free(p->ctx, p->events, sizeof *p->events * (size_t)p->room);
    weft__host_free(p->ctx, p, sizeof *p);
}

const weft_object_kind weft__profile_kind = {sizeof weft__profile_kind, "profile", "weft_profile_free", end_profile,
                                             false};

static weft__profile *look(const weft_profile *handle)
{
    return weft_owned(&weft__profile_kind, handle);
}

weft_status weft_profile_begin(weft_ctx *ctx, weft_profile **out)
{
    if (out)
        *out = NULL;
    if (!ctx)
        return WEFT_E_NULL_ARGUMENT;
    if (!out)
        return weft__fail_named(ctx, "profile_begin", WEFT_E_NULL_ARGUMENT, "out is NULL");
    if (ctx->status != WEFT_OK)
        return ctx->status;
    weft__profile *p = begin_profile(ctx);
    if (p && !(*out = weft_own(ctx, &weft__profile_kind, p, "profile_begin")))
        end_profile(p);
    return ctx->status;
}

void weft_profile_end(weft_profile *handle)
{
    weft__profile *p = look(handle);
    if (p)
        stop(p);
}

void weft_profile_free(weft_profile *handle)
{
    weft_owned_end(&weft__profile_kind, handle);
}

/* ---- Asking ---- */

weft_profile_total weft__profile_totals(weft__profile *p)
{
    weft__timeline_settle(p);
    weft_profile_total total = p->total;
    if (p->running)
        total.wall = weft__profile_now() - p->begun;
    return total;
}

weft_status weft_profile_totals(weft_profile *handle, weft_profile_total *out, size_t size)
{
    weft__profile *p = look(handle);
    if (!out)
        return WEFT_E_NULL_ARGUMENT;
    const weft_profile_total total = p ? weft__profile_totals(p) : (weft_profile_total){0};
    return weft_struct_out(p ? p->ctx : NULL, "profile_totals", "weft_profile_total", &total, sizeof total, out, size);
}

static int by_time(const void *a, const void *b)
{
    const double x = ((const weft_profile_op *)a)->seconds, y = ((const weft_profile_op *)b)->seconds;
    return x < y ? 1 : x > y ? -1 : 0;
}

static int add_rows(const weft_profile_op *from, int count, weft_profile_op *to)
{
    int n = 0;
    for (int k = 0; k < count; k++)
        if (from[k].calls > 0)
            to[n++] = from[k];
    return n;
}

int weft__profile_ops(weft__profile *p, weft_profile_op *rows, int room, size_t size)
{
    enum { TABLE = WEFT__PHASES * 2 * WEFT_OP_COUNT, CUSTOM = WEFT__PHASES * 2 * WEFT__MOST_CUSTOM };
    weft__timeline_settle(p);
    weft_profile_op *all = weft__host_alloc(p->ctx, sizeof *all * (TABLE + CUSTOM));
    if (!all)
        return 0;
    int n = add_rows(&p->ops[0][0][0], TABLE, all);
    n += add_rows(&p->custom[0][0][0], CUSTOM, all + n);
    qsort(all, (size_t)n, sizeof *all, by_time);
    for (int k = 0; k < n && k < room && rows; k++)
        if (weft_struct_out(p->ctx, "profile_ops", "weft_profile_op", &all[k], sizeof *all,
                            (char *)rows + size * (size_t)k, size) != WEFT_OK)
            n = 0;
    weft__host_free(p->ctx, all, sizeof *all * (TABLE + CUSTOM));
    return n;
}

int weft_profile_ops(weft_profile *handle, weft_profile_op *rows, int room, size_t size)
{
    weft__profile *p = look(handle);
    return p ? weft__profile_ops(p, rows, room, size) : 0;
}

/* ---- The environment variable WEFT_PROFILE ---- */

static void write_at_close(weft_ctx *ctx, void *state)
{
    weft__profile *p = state;
    stop(p);
    weft__profile_write(p, ctx->profile_path);
    end_profile(p);
}

/* Why a file of this name will not be written, or NULL: found before hours of work, without touching it. */
static const char *obstacle(const char *path)
{
    char folder[sizeof((weft_ctx *)0)->profile_path];
    const char *slash = strrchr(path, '/');
    weft_text(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    const char *what = access(path, F_OK) == 0 ? path : folder;
    return access(what, what == path ? W_OK : W_OK | X_OK) == 0 ? NULL : strerror(errno);
}

void weft__profile_opened(weft_ctx *ctx)
{
    static _Atomic int opened;
    const char *path = getenv("WEFT_PROFILE"), *why = NULL;
    weft__profile *p = NULL;
    if (!path || !*path)
        return;
    const int number = ++opened;
    const int length =
        weft_text(ctx->profile_path, sizeof ctx->profile_path, number > 1 ? "%s.%d" : "%s", path, number);
    if (length < 0 || (size_t)length >= sizeof ctx->profile_path)
        why = "the path is too long";
    else
        why = obstacle(ctx->profile_path);
    if (!why && !(p = begin_profile(ctx))) /* not the program's: nobody is told that it was never closed */
        why = ctx->message;
    if (why) {
        weft__profile_complain(ctx, path, why);
        weft_ctx_clear(ctx);
        return;
    }
    ctx->before_close = write_at_close;
    ctx->before_close_state = p;
}
