/* derivation.c - the frame of the functions of weft/functional.h. */
#include <stdarg.h>
#include <string.h>
#include "derivation.h"

struct weft__derivation_block {
    weft__undo undo; /* first */
    size_t bytes;
};

static void drop_block(weft_ctx *ctx, weft__undo *undo)
{
    weft__host_free(ctx, undo, ((weft__derivation_block *)undo)->bytes);
}

weft_status weft__derivation_fail(weft__derivation *d, weft_status status, const char *format, ...)
{
    char text[WEFT__MESSAGE_SIZE];
    va_list args;
    va_start(args, format);
    weft_text_list(text, sizeof text, format, args);
    va_end(args);
    return weft__fail_named(d->ctx, d->name, status, "%s", text);
}

/* Within the function, at the line where the program called it. */
static bool enter(weft__derivation *d)
{
    weft_ctx *ctx = d->ctx;
    if (!weft__enter_named(d->name, ctx, NULL, 0, 0))
        return false;
    ctx->savepoint = d->savepoint; /* what is undone if a callback of a pass does not come back: this function whole */
    return d->entered = true;
}

/* ---- Arguments ---- */

bool weft__has_room(weft_ctx *ctx, const char *name, weft_tensor **result, weft_tensor **list)
{
    if (!list && result)
        *result = NULL;
    if (!list && ctx && (!ctx->n_callbacks || weft__may_enter(ctx, name)))
        weft__fail_named(ctx, name, WEFT_E_NULL_ARGUMENT, "needs room for the derivatives");
    return list != NULL;
}

static bool check_inputs(weft__derivation *d, weft_tensor *const *tensors, int n, const char *what)
{
    for (int k = 0; k < n; k++)
        if (!weft__check(d->ctx, d->name, tensors[k], what, k))
            return false;
    return true;
}

static bool check_vectors(weft__derivation *d, const weft__request *q)
{
    const char *what = strcmp(q->name, "jvp") == 0 ? "tangent" : "direction";
    bool any = false;
    for (int k = 0; k < q->n; k++) {
        weft_tensor *v = q->vectors[k];
        const weft_tensor *x = q->inputs[k];
        if (!v)
            continue;
        any = true;
        if (!weft__check(d->ctx, d->name, v, what, k))
            return false;
        if (!weft_dtype_is_float((weft_dtype)x->a.dtype))
            return weft__derivation_fail(d, WEFT_E_DTYPE,
                                         "%s %d is given, but input %d is %s, which has no derivative: "
                                         "give NULL",
                                         what, k, k, weft__describe(x).s),
                   false;
        if (!weft__same_shape(&v->a, &x->a))
            return weft__derivation_fail(d, WEFT_E_SHAPE, "%s %d is %s, input %d %s; shapes must be equal", what, k,
                                         weft__describe(v).s, k, weft__describe(x).s),
                   false;
    }
    if (!any)
        weft__derivation_fail(d, WEFT_E_INVALID, "every %s is NULL, which stands for 0; give one at least", what);
    return any;
}

static bool check_batch(weft__derivation *d, const weft__request *q)
{
    for (int k = 0; k < q->n_batch; k++) {
        const weft_tensor *t = q->batch[k], *first = q->batch[0];
        if (t->a.ndim > 0 && t->a.shape[0] == first->a.shape[0])
            continue;
        weft__derivation_fail(d, WEFT_E_SHAPE,
                              "batch tensor %d is %s; all must be [B, ...] with one and the same B%s%s", k,
                              weft__describe(t).s, k ? ", as in " : "", k ? weft__describe(first).s : "");
        return false;
    }
    return true;
}

static bool check_arguments(weft__derivation *d, const weft__request *q)
{
    const int known = WEFT_GRAD_CREATE_GRAPH | WEFT_GRAD_ALLOW_UNUSED | WEFT_GRAD_CHECK_ROWS;
    if (!q->f || !q->inputs || q->n < 1 || (q->copies && (!q->batch || q->n_batch < 1)))
        return weft__derivation_fail(d, WEFT_E_NULL_ARGUMENT, "needs a function and at least one %s",
                                     q->copies    ? "parameter, and a batch"
                                     : q->vectors ? "input, and a list of as many tensors"
                                                  : "input"),
               false;
    if (q->flags & ~known)
        return weft__derivation_fail(d, WEFT_E_INVALID, "flags are %d; there are those of weft_grad_flags", q->flags),
               false;
    return check_inputs(d, q->inputs, q->n, q->copies ? "parameter" : "input") &&
           check_inputs(d, q->batch, q->n_batch, "batch tensor") && (!q->vectors || check_vectors(d, q)) &&
           check_batch(d, q);
}

/* ---- Stand-ins ---- */

static bool make_room(weft__derivation *d, int n)
{
    const size_t bytes = sizeof *d->block + (5 * sizeof(weft_tensor *) + sizeof *d->place) * (size_t)n;
    weft__derivation_block *block = weft__host_alloc(d->ctx, bytes);
    if (!block)
        return weft__derivation_fail(d, WEFT_E_NOMEM, "out of memory for lists of %d tensors", n), false;
    memset(block, 0, bytes);
    block->bytes = bytes;
    weft__undo_push(d->ctx, &block->undo, drop_block);
    d->block = block;
    d->x = (weft_tensor **)(block + 1);
    d->wanted = d->x + n;
    d->g = d->wanted + n;
    d->few = d->g + n;
    d->more = d->few + n;
    d->place = (int *)(d->more + n);
    return true;
}

static weft_tensor *recorded_view(weft_tensor *t)
{
    int64_t dims[WEFT__MAX_DIMS] = {0};
    for (int k = 0; k < t->a.ndim; k++)
        dims[k] = k;
    return weft_permute(t, dims, t->a.ndim);
}

/* The same memory, repeated if copies >= 0: a leaf, or with the history of t where results are to have it. */
static weft_tensor *stand_in(weft__derivation *d, weft_tensor *t, int64_t copies)
{
    weft_ctx *ctx = d->ctx;
    int64_t shape[WEFT__MAX_DIMS + 1] = {copies};
    memcpy(shape + 1, t->a.shape, sizeof *shape * (size_t)t->a.ndim);
    if (copies >= 0 && t->a.ndim >= WEFT__MAX_DIMS)
        return weft__derivation_fail(d, WEFT_E_SHAPE,
                                     "%s has as many dims as a tensor can have, and is to have one more",
                                     weft__describe(t).s),
               NULL;
    if (d->create_graph && weft__requires(t))
        return copies < 0 ? recorded_view(t) : weft_expand(t, shape, t->a.ndim + 1);
    const weft__array a = copies < 0 ? t->a : weft__expanded(&t->a, shape, t->a.ndim + 1);
    weft_tensor *x = weft__new_on(ctx, -1, &a, t->storage);
    if (x)
        x->flags |= WEFT__REQUIRES_GRAD; /* without side data: a backward pass within f does not report it */
    return x;
}

static bool is_wanted(const weft__request *q, int k)
{
    return k < q->n && weft_dtype_is_float((weft_dtype)q->inputs[k]->a.dtype) && !(q->only_along && !q->vectors[k]);
}

static bool make_stand_ins(weft__derivation *d, const weft__request *q)
{
    weft_ctx *ctx = d->ctx;
    const int64_t copies = q->copies ? q->batch[0]->a.shape[0] : -1;
    for (int k = 0; k < d->n; k++) {
        weft_tensor *t = k < q->n ? q->inputs[k] : q->batch[k - q->n];
        if (!weft__localise(ctx, &t, 1))
            return false;
        if (is_wanted(q, k)) {
            t = stand_in(d, t, copies);
            d->place[d->n_wanted] = k;
            d->wanted[d->n_wanted++] = t;
        } else if (!d->create_graph && weft__requires(t)) {
            t = weft__alias(ctx, -1, t);
        }
        if (!t)
            return false;
        d->x[k] = t;
    }
    if (d->n_wanted == 0)
        weft__derivation_fail(d, WEFT_E_NO_GRADIENT, "no input is of a floating dtype (the first is %s)",
                              weft__describe(q->inputs[0]).s);
    return d->n_wanted > 0;
}

/* ---- The call ---- */

/* What f has made on its way to y dies, unless the graph needs it. */
static bool take_result(weft__derivation *d, weft_tensor *y, int mark)
{
    weft_ctx *ctx = d->ctx;
    if (!y)
        return weft__derivation_fail(d, WEFT_E_CALLBACK, "the function returned NULL"), false;
    if (!weft__check(ctx, d->name, y, "the function's result", -1) || !weft__localise(ctx, &y, 1))
        return false;
    if (!weft_dtype_is_float((weft_dtype)y->a.dtype))
        return weft__derivation_fail(d, WEFT_E_DTYPE,
                                     "the function's result (%s made by weft_%s) has no derivative; "
                                     "weft_cast it to a floating dtype",
                                     weft__describe(y).s, y->maker),
               false;
    weft__ref(y);
    weft__pop_to(ctx, mark);
    d->y = weft__requires(y) ? recorded_view(y) : weft__alias(ctx, -1, y);
    if (d->y) { /* it stands for y in messages */
        d->y->maker = y->maker;
        d->y->site = y->site;
        d->y->cut_op = y->cut_op;
        d->y->cut_site = y->cut_site;
    }
    weft__unref(y);
    return d->y != NULL;
}

static bool call(weft__derivation *d, const weft__request *q)
{
    weft_ctx *ctx = d->ctx;
    const int mark = weft_scope_push(ctx);
    if (mark < 0)
        return false;
    weft__leave(ctx); /* so that what f calls is at its own lines */
    d->entered = false;
    const weft__call_id id = weft__call_begins_from(ctx, "a function that is differentiated", &d->savepoint);
    weft_tensor *y = id ? q->f(ctx, d->x, d->n, q->user) : NULL;
    if (id && !weft__call_ends(ctx, d->name, id))
        return d->gone = true, false;
    ctx->grad_enabled = true; /* whatever f has left */
    weft_call_site(d->site.file, d->site.line, d->name);
    return enter(d) && take_result(d, y, mark);
}

bool weft__derivation_begin(weft__derivation *d, const weft__request *q)
{
    weft_ctx *ctx = q->ctx;
    *d = (weft__derivation){.ctx = ctx, .name = q->name, .inputs = q->inputs, .n = q->n + q->n_batch, .scope = -1};
    if (!ctx || (ctx->n_callbacks && !weft__may_enter(ctx, q->name)) || ctx->status != WEFT_OK)
        return false;
    d->savepoint = weft__savepoint_now(ctx);
    d->create_graph = q->flags & WEFT_GRAD_CREATE_GRAPH;
    d->allow_unused = q->flags & WEFT_GRAD_ALLOW_UNUSED;
    d->check_rows = q->flags & WEFT_GRAD_CHECK_ROWS;
    if (!enter(d))
        return false;
    d->site = ctx->site;
    if (!check_arguments(d, q) || !make_room(d, d->n) || (d->scope = weft_scope_push(ctx)) < 0)
        return false;
    ctx->grad_enabled = true;
    return make_stand_ins(d, q) && call(d, q);
}

/* ---- Passes ---- */

/* Where the gradients are to be differentiated they must depend on the seeds by the record, which shows if those are
 * leaves: see is_recorded in differentiate.c. In *one, or in d->more. */
static bool make_leaves(weft__derivation *d, weft_tensor *const *results, weft_tensor *const *cotangents, int n,
                        weft_tensor **list)
{
    for (int k = 0; k < n; k++) {
        weft_tensor *g = cotangents ? cotangents[k] : NULL;
        if (!g) {
            list[k] = weft__seed_leaf(d, results[k], 1);
        } else if (!weft__check(d->ctx, d->name, g, "vector", k) || !weft__localise(d->ctx, &g, 1)) {
            return false;
        } else if (weft__requires(g)) {
            list[k] = g;
        } else if ((list[k] = weft__alias(d->ctx, -1, g))) {
            list[k]->flags |= WEFT__REQUIRES_GRAD;
        }
        if (!list[k])
            return false;
    }
    return true;
}

bool weft__pull(weft__derivation *d, weft_tensor *const *results, weft_tensor *const *cotangents, int n_results,
                weft_tensor *const *inputs, int n_inputs, bool create_graph, bool twice, uint32_t *visit,
                weft_tensor **gradients)
{
    weft_ctx *ctx = d->ctx;
    weft_tensor *one = NULL, **list = n_results == 1 ? &one : d->more;
    memset(gradients, 0, sizeof *gradients * (size_t)n_inputs);
    if (twice && ctx->status == WEFT_OK && !make_leaves(d, results, cotangents, n_results, list))
        return false;
    weft__walk *w =
        ctx->status == WEFT_OK ? weft__walk_new(ctx, create_graph, results, n_results, inputs, n_inputs) : NULL;
    if (!w)
        return false;
    w->narrow = true;
    w->twice = twice;
    w->visit = *visit;
    if (!weft__walk_run(w, twice ? list : cotangents))
        return d->entered = false, d->gone = true, false;
    *visit = w->visit;
    for (int k = 0; k < n_inputs && ctx->status == WEFT_OK; k++) {
        gradients[k] = w->captured[k];
        w->captured[k] = NULL;
        if (gradients[k])
            weft__adopt(ctx, gradients[k]);
    }
    weft__walk_end(w);
    return ctx->status == WEFT_OK;
}

weft_tensor *weft__seed_leaf(weft__derivation *d, const weft_tensor *t, double value)
{
    weft_tensor *u = weft__filled(d->ctx, (weft_dtype)t->a.dtype, t->a.shape, t->a.ndim, value);
    if (u)
        u->flags |= WEFT__REQUIRES_GRAD;
    return u;
}

weft_tensor *weft__zeros_of(weft__derivation *d, const weft_tensor *t)
{
    return weft__filled(d->ctx, (weft_dtype)t->a.dtype, t->a.shape, t->a.ndim, 0);
}

weft_tensor *weft__hand(weft__derivation *d, weft_tensor *t)
{
    /* Neither the caller's cotangent, say, nor one that has been handed over for another input. */
    const bool is_new = t && t->in_scope && t->scope == d->scope;
    const bool has_history = t && weft__requires(t) && (t->node || !is_new); /* and is no seed of ours */
    if (t && (!is_new || (weft__requires(t) && !(has_history && d->create_graph))))
        t = has_history && d->create_graph ? recorded_view(t) : weft__alias(d->ctx, -1, t);
    return t ? weft_escape(t) : NULL;
}

bool weft__has_one_element(weft__derivation *d)
{
    if (d->y->a.count == 1)
        return true;
    weft__derivation_fail(d, WEFT_E_SHAPE,
                          "the function's result is %s; it must have one element: reduce it "
                          "(weft_sum, weft_mean)",
                          weft__describe(d->y).s);
    return false;
}

bool weft__may_be_unused(weft__derivation *d, int j)
{
    const weft_tensor *x = d->wanted[j], *y = d->y;
    const int k = d->place[j];
    if (d->allow_unused)
        return true;
    const bool cut_at_x = x->cut_op != WEFT_OP_COUNT;
    const int cut = cut_at_x ? x->cut_op : y->cut_op;
    char why[300] = "";
    if (cut != WEFT_OP_COUNT)
        weft_text(why, sizeof why, ": the path was cut by %s",
                  weft__cut_text(cut, cut_at_x ? x->cut_site : y->cut_site).s);
    weft__derivation_fail(d, WEFT_E_NO_GRADIENT,
                          "the function's result (%s made by weft_%s) does not depend on input %d "
                          "(%s)%s; pass WEFT_GRAD_ALLOW_UNUSED if that is meant",
                          weft__describe(y).s, y->maker, k, weft__describe(d->inputs[k]).s, why);
    return false;
}

weft_status weft__derivation_end(weft__derivation *d)
{
    weft_ctx *ctx = d->ctx;
    if (!ctx)
        return WEFT_E_NULL_ARGUMENT;
    if (d->gone)
        return ctx->status != WEFT_OK ? ctx->status : WEFT_E_STATE;
    if (d->scope >= 0) {
        weft__pop_to(ctx, d->scope);
        ctx->grad_enabled = d->savepoint.grad_enabled;
    }
    if (d->block) {
        weft__undo_pop(ctx, &d->block->undo);
        drop_block(ctx, &d->block->undo);
    }
    if (d->entered)
        weft__leave(ctx);
    return ctx->status;
}

static bool is_fine(const weft__derivation *d)
{
    return !d->gone && d->ctx && d->ctx->status == WEFT_OK;
}

/* What the caller has in their place was read until now: the same list may be given for both. */
static void no_list(weft_tensor **list, int64_t n)
{
    if (n > 0)
        memset(list, 0, sizeof *list * (size_t)n);
}

weft_status weft__hand_one(weft__derivation *d, weft_tensor *t, weft_tensor **result, weft_tensor **to)
{
    weft_tensor *first = is_fine(d) ? weft__hand(d, t) : NULL;
    weft_tensor *y = is_fine(d) && result ? weft__hand(d, d->y) : NULL;
    const weft_status status = weft__derivation_end(d);
    if (to)
        *to = status == WEFT_OK ? first : NULL;
    if (result)
        *result = status == WEFT_OK ? y : NULL;
    return status;
}

weft_status weft__hand_list(weft__derivation *d, int n, weft_tensor **result, weft_tensor **list)
{
    no_list(list, n);
    for (int j = 0; j < d->n_wanted && is_fine(d); j++)
        list[d->place[j]] = weft__hand(d, d->g[j]);
    weft_tensor *y = is_fine(d) && result ? weft__hand(d, d->y) : NULL;
    const weft_status status = weft__derivation_end(d);
    if (status != WEFT_OK)
        no_list(list, n);
    if (result)
        *result = status == WEFT_OK ? y : NULL;
    return status;
}
