/* enter.c - the checks that every public function starts with. */
#include "engine/engine.h"

#if WEFT__DEBUG
/* Two threads in one context are a defect of the caller: told apart from nesting by the mark of the thread inside. */
static bool claim(weft_ctx *ctx, const char *name)
{
    uintptr_t me = weft__thread_mark(), other = 0;
    if (atomic_compare_exchange_strong(&ctx->busy, &other, me) || other == me)
        return true;
    weft__fail_named(ctx, name, WEFT_E_THREAD,
                     "another thread is inside this context; give each thread a context of its own (weft_share makes "
                     "weights that all may read)");
    return false;
}

void weft__unclaim(weft_ctx *ctx)
{
    atomic_store(&ctx->busy, 0);
}
#else
void weft__unclaim(weft_ctx *ctx)
{
    (void)ctx;
}

static inline bool claim(weft_ctx *ctx, const char *name)
{
    (void)ctx, (void)name;
    return true;
}
#endif

static weft_ctx *begin(weft_ctx *ctx, int op, const char *name)
{
    if (__builtin_expect(ctx->n_callbacks, 0) && !weft__may_enter(ctx, name))
        return NULL;
    if (!claim(ctx, name))
        return NULL;
    weft__site site = weft__take_site(name, ctx->depth == 0);
    if (ctx->depth == ctx->base_depth) {
        ctx->savepoint = weft__savepoint_now(ctx);
        ctx->outer_op = op;
    }
    if (ctx->depth++ == 0) {
        ctx->outer_name = name;
        ctx->site = site;
        ctx->made = 0;
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
    weft__unclaim(ctx);
#endif
}

/* Takes out of the scope what the call made and nobody else holds. Where it failed, what is taken out may have been the
 * last to hold another: its node does. */
static __attribute__((noinline)) void drop_temporaries(weft_ctx *ctx, const weft_tensor *y)
{
    if (ctx->n_scopes != ctx->made_in + 1)
        return;
    bool dropped;
    do {
        dropped = false;
        weft_tensor *t = ctx->scopes[ctx->made_in].first;
        while (t && t != ctx->before) {
            weft_tensor *next = t->scope_next;
            if (t != y && t->refs == 1) {
                weft__scope_remove(t);
                dropped = true;
            }
            t = next;
        }
    } while (dropped && !y);
}

weft_tensor *weft__leave_with(weft_ctx *ctx, weft_tensor *y)
{
    if (__builtin_expect(ctx->first_made != y || ctx->made > 1, 0) && ctx->made > 0 && ctx->depth == 1)
        drop_temporaries(ctx, y);
    weft__leave(ctx);
    return y;
}

static weft_ctx *refuse(weft_ctx *ctx)
{
    weft__leave(ctx);
    return NULL;
}

/* ---- Tensors from outside ---- */

static inline bool is_usable(const weft_ctx *ctx, const weft_tensor *t)
{
    return t && t->magic == WEFT__LIVE && (t->ctx == ctx || t->flags & WEFT__IS_SHARED);
}

/* Why t cannot be used. */
static __attribute__((noinline, cold)) void refuse_tensor(weft_ctx *ctx, const char *function, const weft_tensor *t,
                                                          const char *what, int number)
{
    char which[120], digits[16] = "";
    if (number >= 0)
        snprintf(digits, sizeof digits, " %d", number);
    snprintf(which, sizeof which, "%s%s", what, digits);
    if (!t)
        weft__fail_named(ctx, function, WEFT_E_NULL_ARGUMENT, "%s is NULL; %s", which, weft__why_null().s);
    else if (t->magic == WEFT__DEAD && t->scope < 0)
        weft__fail_named(ctx, function, WEFT_E_DEAD_TENSOR,
                         "%s was freed: it was made by weft_%s at %s and given up by weft_drop", which, t->maker,
                         weft__site_text(t->site).s);
    else if (t->magic == WEFT__DEAD)
        weft__fail_named(ctx, function, WEFT_E_DEAD_TENSOR,
                         "%s was freed: it was made by weft_%s at %s in scope %d, which has been popped; weft_keep or "
                         "weft_escape it to use it longer",
                         which, t->maker, weft__site_text(t->site).s, (int)t->scope);
    else if (t->magic != WEFT__LIVE)
        weft__fail_named(ctx, function, WEFT_E_DEAD_TENSOR, "%s is not a tensor, or one that was freed long ago",
                         which);
    else
        weft__fail_named(ctx, function, WEFT_E_MIXED_CONTEXTS,
                         "%s (%s) belongs to another context; copy it over with weft_copy_to, or share it with "
                         "weft_share",
                         which, weft__describe(t).s);
}

bool weft__check(weft_ctx *ctx, const char *function, const weft_tensor *t, const char *what, int number)
{
    if (is_usable(ctx, t))
        return true;
    refuse_tensor(ctx, function, t, what, number);
    return false;
}

weft_status weft_check(weft_ctx *ctx, const char *function, const weft_tensor *t, const char *what, int number)
{
    if (!ctx)
        return WEFT_E_NULL_ARGUMENT;
    if (ctx->n_callbacks && !weft__may_enter(ctx, function ? function : "check"))
        return ctx->status;
    if (ctx->status == WEFT_OK && !is_usable(ctx, t))
        refuse_tensor(ctx, function ? function : "check", t, what ? what : "the tensor", number);
    return ctx->status;
}

bool weft__alive(const weft_tensor *t, const char *function)
{
    if (t->magic == WEFT__LIVE)
        return true;
    if (t->magic == WEFT__DEAD && t->ctx)
        refuse_tensor(t->ctx, function, t, "the tensor", -1);
    return false;
}

/* ---- Entering with operands ---- */

/* All operands are NULL or shared: there is no context to record that in. */
static weft_ctx *note_lost(const char *function, weft_tensor *const *in, int n)
{
    bool any = false;
    for (int k = 0; k < n; k++)
        any |= in[k] != NULL;
    if (any)
        weft__note_lost(function, WEFT_E_STATE,
                        "all operands are shared tensors, which belong to no context; weft_borrow one of them");
    else
        weft__note_lost(function, WEFT_E_NULL_ARGUMENT,
                        n > 0 ? "there is no operand but NULL, and so no context" : "ctx is NULL");
    return NULL;
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
        if (is_usable(ctx, in[k]) || (!in[k] && optional >> (k < 31 ? k : 31) & 1u))
            continue;
        refuse_tensor(ctx, name, in[k], "operand", k);
        return refuse(ctx);
    }
    return ctx;
}

weft_ctx *weft__enter(int op, weft_tensor *const *in, int n, unsigned optional)
{
    weft_ctx *ctx = find_ctx(in, n);
    if (!ctx)
        return note_lost(weft__ops[op].name, in, n);
    if (!begin(ctx, op, weft__ops[op].name))
        return NULL;
    return check_inputs(ctx, weft__ops[op].name, in, n, optional);
}

static inline bool may_miss(int op, int k, int n)
{
    return weft__operand(weft__defs[op], k, n) & WEFT__OR_NULL;
}

weft_ctx *weft__enter_op(int op, weft_tensor *const *in, int n, unsigned *flags)
{
    const char *name = weft__ops[op].name;
    weft_ctx *ctx = find_ctx(in, n);
    if (!ctx)
        return note_lost(name, in, n);
    if (!begin(ctx, op, name))
        return NULL;
    *flags = 0;
    for (int k = 0; k < n; k++) {
        const weft_tensor *t = in[k];
        if (__builtin_expect(is_usable(ctx, t), 1)) {
            *flags |= t->flags;
        } else if (t || !may_miss(op, k, n)) {
            refuse_tensor(ctx, name, t, "operand", k);
            return refuse(ctx);
        }
    }
    return ctx;
}

weft_ctx *weft__enter_named(const char *function, weft_ctx *ctx, weft_tensor *const *in, int n, unsigned optional)
{
    if (!ctx)
        ctx = find_ctx(in, n);
    if (!ctx)
        return note_lost(function, in, n);
    if (!begin(ctx, -1, function))
        return NULL;
    return check_inputs(ctx, function, in, n, optional);
}
