/* enter.c - the checks that every public function starts with. */
#include "core.h"

#if WEFT__DEBUG
/* An address that differs between live threads. */
static uintptr_t thread_mark(void)
{
    static _Thread_local char mark;
    return (uintptr_t)&mark;
}

/* Two threads in one context are a defect of the caller: told apart from nesting by the mark of the thread inside. */
static bool claim(weft_ctx *ctx, const char *name)
{
    uintptr_t me = thread_mark(), other = 0;
    if (atomic_compare_exchange_strong(&ctx->busy, &other, me) || other == me)
        return true;
    weft__fail_named(ctx, name, WEFT_E_THREAD,
                     "another thread is inside this context; give each thread a context of its own (weft_share makes "
                     "weights that all may read)");
    return false;
}
#else
static inline bool claim(weft_ctx *ctx, const char *name)
{
    (void)ctx, (void)name;
    return true;
}
#endif

static weft_ctx *begin(weft_ctx *ctx, int op, const char *name)
{
    if (!claim(ctx, name))
        return NULL;
    weft__site site = weft__take_site(name, ctx->depth == 0);
    if (ctx->depth++ == 0) {
        ctx->outer_op = op;
        ctx->outer_name = name;
        ctx->site = site;
    }
    if (ctx->status != WEFT_OK) {
        weft__leave(ctx);
        return NULL;
    }
    return ctx;
}

void weft__leave(weft_ctx *ctx)
{
    if (--ctx->depth > 0)
        return;
    ctx->outer_op = -1;
    ctx->outer_name = NULL;
#if WEFT__DEBUG
    atomic_store(&ctx->busy, 0);
#endif
}

static weft_ctx *refuse(weft_ctx *ctx)
{
    weft__leave(ctx);
    return NULL;
}

static weft_ctx *refuse_dead(weft_ctx *ctx, const char *name, int k, const weft_tensor *t)
{
    if (t->magic != WEFT__DEAD) {
        weft__fail_named(ctx, name, WEFT_E_DEAD_TENSOR, "operand %d is not a tensor", k + 1);
        return refuse(ctx);
    }
    weft__fail_named(
        ctx, name, WEFT_E_DEAD_TENSOR,
        "operand %d was freed: it was made by weft_%s at %s in scope %d, which has been popped; weft_keep or "
        "weft_escape it to use it longer",
        k + 1, t->maker, weft__site_text(t->site).s, (int)t->scope);
    return refuse(ctx);
}

/* The context of the first input that has one; dead headers still know theirs. */
static weft_ctx *find_ctx(weft_tensor *const *in, int n)
{
    for (int k = 0; k < n; k++)
        if (in[k] && in[k]->ctx)
            return in[k]->ctx;
    return NULL;
}

static weft_ctx *check_inputs(weft_ctx *ctx, const char *name, weft_tensor *const *in, int n, unsigned optional)
{
    for (int k = 0; k < n; k++) {
        const weft_tensor *t = in[k];
        if (!t) {
            if (optional >> (k < 31 ? k : 31) & 1u)
                continue;
            weft__fail_named(ctx, name, WEFT_E_NULL_ARGUMENT, "operand %d is NULL", k + 1);
            return refuse(ctx);
        }
        if (t->magic != WEFT__LIVE)
            return refuse_dead(ctx, name, k, t);
        if (t->ctx != ctx && !(t->flags & WEFT__IS_SHARED)) {
            weft__fail_named(ctx, name, WEFT_E_MIXED_CONTEXTS,
                             "operand %d (%s) belongs to another context; copy it over with weft_read and "
                             "weft_from_data, or share it with weft_share",
                             k + 1, weft__describe(t).s);
            return refuse(ctx);
        }
    }
    return ctx;
}

weft_ctx *weft__enter(int op, weft_tensor *const *in, int n, unsigned optional)
{
    weft_ctx *ctx = find_ctx(in, n);
    if (!ctx) {
        weft__take_site(weft__ops[op].name, true);
        return NULL; /* all NULL or all shared: there is no context to tell */
    }
    if (!begin(ctx, op, weft__ops[op].name))
        return NULL;
    return check_inputs(ctx, weft__ops[op].name, in, n, optional);
}

weft_ctx *weft__enter_named(const char *function, weft_ctx *ctx, weft_tensor *const *in, int n, unsigned optional)
{
    if (!ctx)
        ctx = find_ctx(in, n);
    if (!ctx) {
        weft__take_site(function, true);
        return NULL;
    }
    if (!begin(ctx, -1, function))
        return NULL;
    return check_inputs(ctx, function, in, n, optional);
}
