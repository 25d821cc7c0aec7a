/* ctx.c - opening and closing contexts, scopes, leaks, the random stream's bookkeeping. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "engine/engine.h"
#include "base/host_memory.h"
#include "engine/registry.h"

const char weft__version_text[] = WEFT_VERSION;

const char *weft_version(void)
{
    return weft__version_text;
}

static weft_status refuse(const weft_options *options, weft_status status, const char *message)
{
    if (options->log)
        options->log(options->log_user, WEFT_LOG_LEVEL_ERROR, message);
    return status;
}

/* Without a log callback, whose place in a struct of another size is not known, the status has to do. */
static weft_status read_options(const weft_options *given, weft_options *o)
{
    static const weft_options defaults = WEFT_OPTIONS_DEFAULTS;
    char why[256], message[300];
    const weft_status status = weft__struct_in("weft_options", &defaults, given, o, why, sizeof why);
    if (status == WEFT_OK)
        return status;
    weft_text(message, sizeof message, "weft_ctx_open: %s", why);
    if (given->struct_size == 0) /* a struct of this header, made without the macro: it has log where this one has */
        return refuse(given, status, message);
    return status;
}

static weft_status check_options(weft_options *o)
{
    if (!o->alloc != !o->free)
        return refuse(o, WEFT_E_INVALID, "weft_ctx_open: alloc and free must be set together or both be NULL");
    if (o->threads < -1 || o->threads == 0 || o->threads > 1024)
        return refuse(o, WEFT_E_INVALID, "weft_ctx_open: threads must be -1 (all cores) or 1 to 1024");
    if (o->threads == -1) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        o->threads = cores < 1 ? 1 : cores > 1024 ? 1024 : (int)cores;
    }
    if (!o->alloc) {
        o->alloc = weft__default_alloc;
        o->free = weft__default_free;
    }
    return WEFT_OK;
}

/* The device's own memory is counted like everything else. */
static void *counted_alloc(void *user, size_t bytes, size_t alignment)
{
    weft_ctx *ctx = user;
    return weft__host_alloc_aligned(ctx, bytes, alignment);
}

static void counted_free(void *user, void *block, size_t bytes)
{
    weft__host_free(user, block, bytes);
}

static weft_status open_device(weft_ctx *ctx)
{
    const weft_options *o = &ctx->options;
    char message[512] = "", kind[16];
    weft__device_options device = {.threads = o->threads,
                                   .alloc = counted_alloc,
                                   .free = counted_free,
                                   .user = ctx,
                                   .allow_tf32 = o->allow_tf32,
                                   .time_matmul = o->time_matmul,
                                   .matmul_choices = o->matmul_choices,
                                   .batch_invariant = o->batch_invariant};
    weft_status status = WEFT_E_DEVICE;
    if (!weft__device_parse(o->device ? o->device : "cpu", kind, sizeof kind, &device.index))
        snprintf(message, sizeof message, "\"%.40s\" names no device; \"cpu\", \"cuda\" and \"cuda:1\" would",
                 o->device);
    else if ((ctx->backend = weft__backend_for(kind, device.index, message, sizeof message)))
        status = ctx->backend->open(&device, &ctx->device, message, sizeof message);
    ctx->device_index = device.index;
    if (message[0])
        weft__log(ctx, status == WEFT_OK ? WEFT_LOG_LEVEL_WARNING : WEFT_LOG_LEVEL_ERROR, "weft_ctx_open: %s", message);
    return status;
}

static bool open_root_scope(weft_ctx *ctx)
{
    ctx->scope_room = 16;
    ctx->scopes = weft__host_alloc(ctx, sizeof *ctx->scopes * (size_t)ctx->scope_room);
    if (!ctx->scopes)
        return false;
    ctx->scopes[0] = (weft__scope){.first = NULL};
    ctx->n_scopes = 1;
    return true;
}

weft_status weft_ctx_open(const weft_options *options, weft_ctx **out)
{
    if (!out)
        return WEFT_E_NULL_ARGUMENT;
    *out = NULL;
    weft_options o;
    weft_status status = read_options(options, &o);
    if (status == WEFT_OK)
        status = check_options(&o);
    if (status != WEFT_OK)
        return status;
    bool misaligned = false;
    weft_ctx *ctx = weft__hooked_alloc(&o, sizeof *ctx, 64, &misaligned);
    if (!ctx)
        return misaligned ? refuse(&o, WEFT_E_INVALID,
                                   "weft_ctx_open: the alloc hook gave a block that is not aligned as it was asked to "
                                   "be (64 bytes)")
                          : refuse(&o, WEFT_E_NOMEM, "weft_ctx_open: out of memory");
    memset(ctx, 0, sizeof *ctx);
    ctx->alive = WEFT__LIVE;
    ctx->options = o;
    ctx->host_bytes = sizeof *ctx;
    ctx->outer_op = -1;
    ctx->owned = -1;
    ctx->grad_enabled = true;
    ctx->seed = o.seed;
    const char *trap = getenv("WEFT_TRAP");
    ctx->trap = trap && strcmp(trap, "1") == 0;
    weft__slab_init(&ctx->tensors, sizeof(weft_tensor), offsetof(weft_tensor, magic), offsetof(weft_tensor, storage));
    weft__slab_init(&ctx->storages, sizeof(weft__storage), 0, 0);
    weft__slab_init(&ctx->nodes, sizeof(weft__node), 0, 0);
    weft__slab_init(&ctx->leaves, sizeof(weft__leaf), 0, 0);
    if (!open_root_scope(ctx))
        status = refuse(&o, WEFT_E_NOMEM, "weft_ctx_open: out of memory");
    else if ((status = open_device(ctx)) != WEFT_OK)
        weft__host_free(ctx, ctx->scopes, sizeof *ctx->scopes * (size_t)ctx->scope_room);
    if (status != WEFT_OK) {
        o.free(o.alloc_user, ctx, sizeof *ctx);
        return status;
    }
    weft__parts_of_library.opened(ctx);
    *out = ctx;
    return WEFT_OK;
}

void weft__each_tensor(const weft_ctx *ctx, void (*visit)(weft_tensor *t, void *arg), void *arg)
{
    for (void *chunk = ctx->tensors.chunks; chunk; memcpy(&chunk, chunk, sizeof chunk)) {
        for (int k = 0; k < 64; k++) {
            weft_tensor *t = (weft_tensor *)((char *)chunk + 64 + (size_t)k * ctx->tensors.object_size);
            if (t->magic == WEFT__LIVE)
                visit(t, arg);
        }
    }
}

typedef struct leak_visit {
    void (*report)(void *user, const weft_leak *leak);
    void *user;
    int64_t n;
} leak_visit;

static void visit_leak(weft_tensor *t, void *arg)
{
    leak_visit *v = arg;
    const int kept = t->kept - t->owned;
    if (kept == 0)
        return;
    v->n++;
    if (!v->report)
        return;
    char text[512];
    size_t bytes = weft__array_bytes(&t->a);
    snprintf(text, sizeof text, "%s made by weft_%s at %s, %zu bytes, kept %dx", weft__describe(t).s, t->maker,
             weft__site_text(t->site).s, bytes, kept);
    v->report(v->user, &(weft_leak){.op = t->maker,
                                    .file = t->site.file,
                                    .line = t->site.line,
                                    .name = weft_name(t),
                                    .text = text,
                                    .bytes = bytes});
}

int64_t weft_leaks(const weft_ctx *ctx, void (*report)(void *user, const weft_leak *leak), void *user)
{
    if (!ctx)
        return 0;
    leak_visit v = {report, user, 0};
    const weft__call_id call = report ? weft__call_begins((weft_ctx *)ctx, "a report of leaks", true) : 0;
    v.n = weft__each_owned(ctx, report, user);
    weft__each_tensor(ctx, visit_leak, &v);
    if (call)
        weft__call_ends((weft_ctx *)ctx, "leaks", call);
    return v.n;
}

static void log_open(void *user, const weft_leak *object)
{
    weft__log(user, WEFT_LOG_LEVEL_WARNING, "weft_ctx_close: never closed: %s", object->text);
}

static void log_leak(void *user, const weft_leak *leak)
{
    weft__log(user, WEFT_LOG_LEVEL_WARNING, "weft_ctx_close: never released: %s", leak->text);
}

static void drop_kept(weft_tensor *t, void *arg)
{
    (void)arg;
    while (t->magic == WEFT__LIVE && t->kept > 0) {
        t->kept--;
        weft__unref(t);
    }
}

void weft__pop_to(weft_ctx *ctx, int mark)
{
    while (ctx->n_scopes > mark) {
        weft__scope *scope = &ctx->scopes[ctx->n_scopes - 1];
        while (scope->first)
            weft__scope_remove(scope->first);
        if (scope->no_grad)
            ctx->grad_enabled = scope->was;
        ctx->n_scopes--;
    }
}

void weft_ctx_close(weft_ctx *ctx)
{
    weft__forget_lost();
    if (!ctx || ctx->alive != WEFT__LIVE)
        return;
    if (ctx->n_callbacks)
        weft__settle(ctx);
    if (ctx->n_callbacks) {
        weft__fail_named(ctx, "ctx_close", WEFT_E_STATE,
                         "called from within %s; the context stays open: close it afterwards",
                         ctx->callbacks[ctx->n_callbacks - 1].name);
        return;
    }
    if (ctx->before_close)
        ctx->before_close(ctx, ctx->before_close_state);
    if (ctx->options.log)
        weft__each_owned(ctx, log_open, ctx);
    weft__end_owned(ctx);
    if (ctx->options.log)
        weft_leaks(ctx, log_leak, ctx);
    weft__pop_to(ctx, 0);
    weft__each_tensor(ctx, drop_kept, NULL);
    weft__cache_trim(ctx);
    size_t lost = ctx->backend->close(ctx->device);
    if (lost)
        weft__log(ctx, WEFT_LOG_LEVEL_WARNING, "weft_ctx_close: %zu bytes of device memory were not given back", lost);
    weft__slab_close(ctx, &ctx->tensors);
    weft__slab_close(ctx, &ctx->storages);
    weft__slab_close(ctx, &ctx->nodes);
    weft__slab_close(ctx, &ctx->leaves);
    weft__host_free(ctx, ctx->scopes, sizeof *ctx->scopes * (size_t)ctx->scope_room);
    ctx->alive = 0;
    weft__call_begins(ctx, "the free hook", true); /* nothing is left to be used, and it never ends */
    ctx->options.free(ctx->options.alloc_user, ctx, sizeof *ctx);
}

/* ---- Scopes ---- */

int weft_scope_push(weft_ctx *ctx)
{
    if (!ctx || (ctx->n_callbacks && !weft__may_enter(ctx, "scope_push")))
        return -1;
    if (ctx->n_scopes == ctx->scope_room) {
        int room = ctx->scope_room * 2;
        weft__scope *more = weft__host_alloc(ctx, sizeof *more * (size_t)room);
        if (!more) {
            weft__fail_named(ctx, "scope_push", WEFT_E_NOMEM, "out of memory for scope %d", ctx->n_scopes);
            return -1;
        }
        memcpy(more, ctx->scopes, sizeof *more * (size_t)ctx->n_scopes);
        for (int k = 0; k < ctx->n_scopes; k++) /* the first tensor of each list points back at its head */
            if (more[k].first)
                more[k].first->scope_link = &more[k].first;
        weft__host_free(ctx, ctx->scopes, sizeof *more * (size_t)ctx->scope_room);
        ctx->scopes = more;
        ctx->scope_room = room;
    }
    ctx->scopes[ctx->n_scopes] = (weft__scope){.first = NULL};
    return ctx->n_scopes++;
}

int weft_scope_push_no_grad(weft_ctx *ctx)
{
    int mark = weft_scope_push(ctx);
    if (mark < 0)
        return mark;
    ctx->scopes[mark].no_grad = true;
    ctx->scopes[mark].was = ctx->grad_enabled;
    ctx->grad_enabled = false;
    return mark;
}

weft_status weft_scope_pop(weft_ctx *ctx, int mark)
{
    if (!ctx)
        return WEFT_E_NULL_ARGUMENT;
    if (ctx->n_callbacks && !weft__may_enter(ctx, "scope_pop"))
        return ctx->status;
    if (mark < 0 && ctx->status != WEFT_OK)
        return ctx->status; /* its push failed */
    if (mark < 1 || mark >= ctx->n_scopes)
        return weft__fail_named(
            ctx, "scope_pop", WEFT_E_STATE,
            "scope %d is not open (%d are); pop each mark of weft_scope_push once, inner ones first", mark,
            ctx->n_scopes - 1);
    weft__abandon_to_scope(ctx, mark);
    weft__pop_to(ctx, mark);
    weft__adopt_lost(ctx);
    return ctx->status;
}

void weft_seed(weft_ctx *ctx, uint64_t seed)
{
    if (!ctx)
        return;
    ctx->seed = seed;
    ctx->random_call = 0;
}
