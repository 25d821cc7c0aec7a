/* callback.c - calls into the program's own code (hooks, callbacks of operations, log, memory): what it may do with the
 * context meanwhile, and what becomes of the work in progress when it never returns. */
#include "engine/observe.h"

uintptr_t weft__thread_mark(void)
{
    static _Thread_local char mark;
    return (uintptr_t)&mark;
}

static void reset_to(weft_ctx *ctx, int n)
{
    const weft__callback *outer = n > 0 ? &ctx->callbacks[n - 1] : NULL;
    ctx->n_callbacks = n;
    ctx->base_depth = outer ? outer->depth : 0;
    ctx->only_look = outer && outer->only_look;
}

/* The callbacks from k on will not return: everything goes back to how it was when the public function that called the
 * k-th was called itself. */
static void abandon(weft_ctx *ctx, int k)
{
    const weft__callback left = ctx->callbacks[k];
    reset_to(ctx, k);
    const weft__callback *outer = k > 0 ? &ctx->callbacks[k - 1] : NULL;
    ctx->depth = ctx->base_depth;
    if (ctx->depth == 0) {
        ctx->outer_op = -1;
        ctx->outer_name = NULL;
        weft__unclaim(ctx);
    }
    weft__launches_cut(ctx, outer ? outer->launches : 0);
    ctx->in_backward = outer && outer->in_backward;
    ctx->deriving = outer ? outer->deriving : NULL;
    ctx->tearing_down = false;
    while (ctx->undo != left.savepoint.undo) {
        weft__undo *newest = ctx->undo;
        ctx->undo = newest->older;
        newest->run(ctx, newest);
    }
    weft__pop_to(ctx, left.savepoint.n_scopes);
    ctx->grad_enabled = left.savepoint.grad_enabled; /* at last: the scopes restore what was within */
}

void weft__settle(weft_ctx *ctx)
{
    const uintptr_t here = (uintptr_t)__builtin_frame_address(0), thread = weft__thread_mark();
    for (int k = 0; k < ctx->n_callbacks; k++) {
        if (ctx->callbacks[k].thread != thread || here <= ctx->callbacks[k].frame)
            continue;
        abandon(ctx, k); /* the stack has been unwound past the call */
        return;
    }
}

void weft__abandon_to_scope(weft_ctx *ctx, int mark)
{
    for (int k = 0; k < ctx->n_callbacks; k++) {
        if (ctx->callbacks[k].n_scopes <= mark)
            continue;
        abandon(ctx, k);
        return;
    }
}

bool weft__may_enter(weft_ctx *ctx, const char *function)
{
    weft__settle(ctx);
    if (!ctx->only_look)
        return true;
    weft__fail_named(
        ctx, function, WEFT_E_STATE,
        "called from within %s, which may look at the context and release tensors, but not use it: note what "
        "is to be done, and do it afterwards",
        ctx->callbacks[ctx->n_callbacks - 1].name);
    return false;
}

static weft__call_id begin(weft_ctx *ctx, const char *name, bool only_look, const weft__savepoint *savepoint,
                           uintptr_t frame)
{
    if (ctx->n_callbacks >= WEFT__MOST_CALLBACKS + (only_look ? WEFT__MORE_CALLBACKS : 0)) {
        weft__fail_named(ctx, ctx->outer_name ? ctx->outer_name : "callback", WEFT_E_STATE,
                         "callbacks nest %d deep, the innermost being %s: one of them brings itself about",
                         ctx->n_callbacks, ctx->callbacks[ctx->n_callbacks - 1].name);
        return 0;
    }
    ctx->callbacks[ctx->n_callbacks] = (weft__callback){.id = ++ctx->last_call,
                                                        .name = name,
                                                        .thread = weft__thread_mark(),
                                                        .frame = frame,
                                                        .only_look = only_look,
                                                        .grad_enabled = ctx->grad_enabled,
                                                        .in_backward = ctx->in_backward,
                                                        .depth = ctx->depth,
                                                        .n_scopes = ctx->n_scopes,
                                                        .launches = ctx->launches,
                                                        .outer_op = ctx->outer_op,
                                                        .deriving = ctx->deriving,
                                                        .savepoint = *savepoint};
    reset_to(ctx, ctx->n_callbacks + 1);
    return ctx->last_call;
}

weft__call_id weft__call_begins(weft_ctx *ctx, const char *name, bool only_look)
{
    const weft__savepoint savepoint = ctx->depth > ctx->base_depth ? ctx->savepoint : weft__savepoint_now(ctx);
    return begin(ctx, name, only_look, &savepoint, (uintptr_t)__builtin_frame_address(0));
}

weft__call_id weft__call_begins_from(weft_ctx *ctx, const char *name, const weft__savepoint *savepoint)
{
    return begin(ctx, name, false, savepoint, (uintptr_t)__builtin_frame_address(0));
}

bool weft__call_ends(weft_ctx *ctx, const char *function, weft__call_id id)
{
    int k = ctx->n_callbacks - 1;
    while (k >= 0 && ctx->callbacks[k].id != id)
        k--;
    if (k < 0) {
        weft__fail_named(
            ctx, function, WEFT_E_STATE,
            "a callback closed a scope that was open before it was called; what was in progress is given up");
        return false;
    }
    if (k + 1 < ctx->n_callbacks)
        abandon(ctx, k + 1); /* it left others by longjmp, and came back itself */
    const weft__callback *ended = &ctx->callbacks[k];
    ctx->savepoint = ended->savepoint;
    ctx->depth = ended->depth;
    reset_to(ctx, k);
    if (ctx->depth > ctx->base_depth) { /* it was called in the midst of a function, which relies on this */
        ctx->outer_op = ended->outer_op;
        ctx->grad_enabled = ended->grad_enabled;
        ctx->in_backward = ended->in_backward;
        ctx->deriving = ended->deriving;
    }
    return true;
}

void weft__undo_push(weft_ctx *ctx, weft__undo *undo, void (*run)(weft_ctx *ctx, weft__undo *self))
{
    *undo = (weft__undo){.older = ctx->undo, .run = run};
    ctx->undo = undo;
}

void weft__undo_pop(weft_ctx *ctx, weft__undo *undo)
{
    ctx->undo = undo->older;
}

uint64_t weft_callback_begin(weft_ctx *ctx, const char *name, bool only_look)
{
    if (!ctx || (ctx->n_callbacks && !weft__may_enter(ctx, "callback_begin")))
        return 0;
    return weft__call_begins(ctx, name ? name : "a callback", only_look);
}

bool weft_callback_end(weft_ctx *ctx, const char *function, uint64_t call)
{
    return ctx && weft__call_ends(ctx, function ? function : "callback_end", call);
}
