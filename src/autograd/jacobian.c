/* jacobian.c - derivatives element by element: weft_jacobian, weft_hessian, weft_batch_jacobian, weft_per_sample_grad.
 *
 * Every pass gives a slice of the answer for each input. Slices go into their places at once, so that a pass leaves
 * nothing else behind; where the answer is to be differentiated they are kept, and stacked at the end. */
#include <math.h>
#include <string.h>
#include "derivation.h"

/* The answer for one input, [outer, along, inner] or fewer: slices along dim. */
typedef struct target {
    weft_tensor *whole;   /* full of zeros at first; NULL: slices are kept */
    weft_tensor **slices; /* [n], NULL where nothing came */
    int64_t shape[3];
    int ndim, dim;
    bool reached;
} target;

/* In memory of the context: a hook may be left by longjmp. */
typedef struct targets {
    weft__undo undo; /* first */
    size_t bytes;
    target of[];
} targets;

static void drop_targets(weft_ctx *ctx, weft__undo *undo)
{
    weft__host_free(ctx, undo, ((targets *)undo)->bytes);
}

/* For n inputs and so many passes. NULL: error recorded. */
static targets *open_targets(weft__derivation *d, int n, int64_t passes)
{
    size_t slices = 0;
    const int64_t kept = d->create_graph ? passes : 0;
    const bool fits = weft__bytes_of(kept, sizeof(weft_tensor *) * (size_t)n, &slices);
    const size_t bytes = sizeof(targets) + sizeof(target) * (size_t)n + slices;
    targets *t = fits ? weft__host_alloc(d->ctx, bytes) : NULL;
    if (!t)
        return weft__derivation_fail(d, WEFT_E_NOMEM, "out of memory for the lists of %lld passes", (long long)passes),
               NULL;
    memset(t, 0, bytes);
    t->bytes = bytes;
    weft_tensor **list = (weft_tensor **)&t->of[n];
    for (int k = 0; k < n; k++)
        t->of[k].slices = list + kept * k;
    weft__undo_push(d->ctx, &t->undo, drop_targets);
    return t;
}

static void close_targets(weft__derivation *d, targets *t)
{
    if (d->gone) /* what was undone took it along */
        return;
    weft__undo_pop(d->ctx, &t->undo);
    drop_targets(d->ctx, &t->undo);
}

static bool begin_target(weft__derivation *d, target *t, const int64_t *shape, int ndim, int dim, const weft_tensor *x)
{
    t->ndim = ndim;
    t->dim = dim;
    memcpy(t->shape, shape, sizeof *shape * (size_t)ndim);
    if (!d->create_graph)
        t->whole = weft__filled(d->ctx, (weft_dtype)x->a.dtype, shape, ndim, 0);
    return d->create_graph || t->whole;
}

/* The slice at a place; its scope ends with the pass. */
static void put(weft__derivation *d, target *t, int64_t at, weft_tensor *slice)
{
    int64_t shape[2];
    int ndim = 0;
    if (!slice)
        return;
    t->reached = true;
    for (int k = 0; k < t->ndim; k++)
        if (k != t->dim)
            shape[ndim++] = t->shape[k];
    slice = weft_reshape(slice, shape, ndim);
    if (d->create_graph)
        t->slices[at] = weft_escape(slice);
    else
        weft_copy_(weft_select(t->whole, t->dim, at), slice);
}

/* All slices, zeros where nothing came, as one tensor. NULL: error recorded. */
static weft_tensor *stacked(weft__derivation *d, target *t, const weft_tensor *x)
{
    weft_tensor *zeros = NULL;
    int64_t rest[2];
    int n_rest = 0;
    for (int k = 0; k < t->ndim; k++)
        if (k != t->dim)
            rest[n_rest++] = t->shape[k];
    for (int64_t k = 0; k < t->shape[t->dim]; k++) {
        if (t->slices[k])
            continue;
        if (!zeros && !(zeros = weft__filled(d->ctx, (weft_dtype)x->a.dtype, rest, n_rest, 0)))
            return NULL;
        t->slices[k] = zeros;
    }
    return weft_stack(t->slices, (int)t->shape[t->dim], t->dim);
}

/* The answer, in its own shape. NULL: error recorded. */
static weft_tensor *finish(weft__derivation *d, target *t, const weft_tensor *x, const int64_t *shape, int ndim)
{
    weft_tensor *whole = t->whole;
    if (!whole && t->reached)
        whole = stacked(d, t, x);
    else if (!whole)
        whole = weft__filled(d->ctx, (weft_dtype)x->a.dtype, t->shape, t->ndim, 0);
    return weft_reshape(whole, shape, ndim);
}

/* like's shape, 1 at place `at` of each of its rows [rows, along], else 0. */
static weft_tensor *unit(weft__derivation *d, const weft_tensor *like, int64_t rows, int64_t along, int64_t at)
{
    weft_tensor *e = weft__filled(d->ctx, (weft_dtype)like->a.dtype, (int64_t[]){rows, along}, 2, 0);
    weft_fill_(weft_select(e, 1, at), 1);
    return weft_reshape(e, like->a.shape, like->a.ndim);
}

/* A pass for each of the `along` places of a row of result, whose gradients by inputs [n] are slices of targets. */
static bool run(weft__derivation *d, weft_tensor *result, int64_t rows, int64_t along, weft_tensor *const *inputs,
                int n, uint32_t *visit, target *to)
{
    weft_ctx *ctx = d->ctx;
    for (int64_t at = 0; at < along; at++) {
        const int mark = weft_scope_push(ctx);
        weft_tensor *e = mark >= 0 ? unit(d, result, rows, along, at) : NULL;
        if (!e || !weft__pull(d, &result, &e, 1, inputs, n, d->create_graph, d->create_graph, visit, d->few))
            return false;
        for (int j = 0; j < n; j++)
            put(d, &to[j], at, d->few[j]);
        weft__pop_to(ctx, mark);
        if (ctx->status != WEFT_OK)
            return false;
    }
    return true;
}

/* The shape of a and then that of b, without its first dim where skip is 1. Returns the dims; -1: error recorded. */
static int joined(weft__derivation *d, const weft_tensor *a, const weft_tensor *b, int skip, int64_t *shape)
{
    const int ndim = a->a.ndim + b->a.ndim - skip;
    if (ndim > WEFT__MAX_DIMS) {
        weft__derivation_fail(d, WEFT_E_SHAPE,
                              "the derivative of %s by %s would have %d dims; a tensor has at most %d: "
                              "weft_flatten them",
                              weft__describe(a).s, weft__describe(b).s, ndim, WEFT__MAX_DIMS);
        return -1;
    }
    memcpy(shape, a->a.shape, sizeof *shape * (size_t)a->a.ndim);
    memcpy(shape + a->a.ndim, b->a.shape + skip, sizeof *shape * (size_t)(b->a.ndim - skip));
    return ndim;
}

/* Whatever was not reached, though something was asked: it was allowed, or is an error. */
static bool hand_or_refuse(weft__derivation *d, target *to, int64_t passes, int skip)
{
    for (int j = 0; j < d->n_wanted; j++) {
        int64_t shape[WEFT__MAX_DIMS];
        const int ndim = joined(d, d->y, d->wanted[j], skip, shape);
        d->g[j] = NULL;
        if (ndim < 0 || (passes > 0 && !to[j].reached && !weft__may_be_unused(d, j)))
            return false;
        if ((passes == 0 || to[j].reached) && !(d->g[j] = finish(d, &to[j], d->wanted[j], shape, ndim)))
            return false;
    }
    return true;
}

/* ---- Jacobian ---- */

/* An element of y at a time. */
static bool by_rows(weft__derivation *d, uint32_t *visit)
{
    const int64_t m = d->y->a.count;
    targets *t = open_targets(d, d->n_wanted, m);
    bool fine = t != NULL;
    for (int j = 0; j < d->n_wanted && fine; j++)
        fine = begin_target(d, &t->of[j], (int64_t[]){m, d->wanted[j]->a.count}, 2, 0, d->wanted[j]);
    fine = fine && run(d, d->y, 1, m, d->wanted, d->n_wanted, visit, t->of) && hand_or_refuse(d, t->of, m, 0);
    if (t)
        close_targets(d, t);
    return fine;
}

/* The column of one input: v^T dy/dx of u, differentiated by u. */
static bool column(weft__derivation *d, weft_tensor *u, int j)
{
    uint32_t visit = 0;
    weft_tensor *x = d->wanted[j];
    const int64_t n = x->a.count;
    int64_t shape[WEFT__MAX_DIMS];
    const int ndim = joined(d, d->y, x, 0, shape);
    targets *t = ndim < 0 ? NULL : open_targets(d, 1, n);
    bool fine = t && begin_target(d, &t->of[0], (int64_t[]){d->y->a.count, n}, 2, 1, x) &&
                run(d, d->g[j], 1, n, &u, 1, &visit, t->of) && (d->g[j] = finish(d, &t->of[0], x, shape, ndim));
    if (t)
        close_targets(d, t);
    return fine;
}

/* An element of the inputs at a time, all over one recorded pass. */
static bool by_columns(weft__derivation *d, uint32_t *visit)
{
    weft_tensor *u = weft__seed_leaf(d, d->y, 0);
    if (!u || !weft__pull(d, &d->y, &u, 1, d->wanted, d->n_wanted, true, d->create_graph, visit, d->g))
        return false;
    for (int j = 0; j < d->n_wanted; j++)
        if (d->g[j] ? !column(d, u, j) : !weft__may_be_unused(d, j))
            return false;
    return true;
}

static int64_t count_wanted(const weft__derivation *d)
{
    int64_t n = 0;
    for (int j = 0; j < d->n_wanted; j++)
        if (__builtin_add_overflow(n, d->wanted[j]->a.count, &n))
            return INT64_MAX;
    return n;
}

static bool jacobian(weft__derivation *d)
{
    const int64_t n = count_wanted(d), m = d->y->a.count;
    uint32_t visit = weft__mark_leads(d->ctx, d->wanted, d->n_wanted);
    const bool few = n > 0 && m > 0 && n < m - 1; /* the recorded pass counts, too */
    return few && !weft__leads_through_custom(d->ctx, visit) ? by_columns(d, &visit) : by_rows(d, &visit);
}

weft_status weft_jacobian(weft_ctx *ctx, weft_tensor *const *inputs, int n, weft_function f, void *user, int flags,
                          weft_tensor **result, weft_tensor **jacobians)
{
    weft__derivation d;
    if (!weft__has_room(ctx, "jacobian", result, jacobians))
        return weft_ctx_status(ctx);
    if (weft__derivation_begin(
            &d, &(weft__request){
                    .ctx = ctx, .name = "jacobian", .inputs = inputs, .n = n, .f = f, .user = user, .flags = flags}))
        jacobian(&d);
    return weft__hand_list(&d, n, result, jacobians);
}

/* ---- Hessian ---- */

/* The blocks of a row: the derivatives of the gradient by input j. */
static bool hessian_row(weft__derivation *d, weft_tensor *gradient, int j, uint32_t *visit, weft_tensor **blocks)
{
    const int64_t m = gradient->a.count;
    targets *t = open_targets(d, d->n_wanted, m);
    bool fine = t != NULL;
    for (int k = 0; k < d->n_wanted && fine; k++)
        fine = begin_target(d, &t->of[k], (int64_t[]){m, d->wanted[k]->a.count}, 2, 0, d->wanted[k]);
    fine = fine && run(d, gradient, 1, m, d->wanted, d->n_wanted, visit, t->of);
    for (int k = 0; k < d->n_wanted && fine; k++) {
        int64_t shape[WEFT__MAX_DIMS];
        const int ndim = joined(d, d->wanted[j], d->wanted[k], 0, shape);
        weft_tensor *block = ndim < 0 || !d->g[k] ? NULL : finish(d, &t->of[k], d->wanted[k], shape, ndim);
        fine = ndim >= 0 && (block || !d->g[k]);
        blocks[d->place[k]] = fine ? weft__hand(d, block) : NULL;
    }
    if (t)
        close_targets(d, t);
    return fine && d->ctx->status == WEFT_OK;
}

static bool hessian(weft__derivation *d, weft_tensor **hessians)
{
    uint32_t first = 0, visit = 0;
    weft_tensor *u = weft__has_one_element(d) ? weft__seed_leaf(d, d->y, 1) : NULL;
    if (!u || !weft__pull(d, &d->y, &u, 1, d->wanted, d->n_wanted, true, true, &first, d->g))
        return false;
    for (int j = 0; j < d->n_wanted; j++)
        if (!d->g[j] && !weft__may_be_unused(d, j))
            return false;
    for (int j = 0; j < d->n_wanted; j++)
        if (d->g[j] && !hessian_row(d, d->g[j], j, &visit, hessians + (int64_t)d->place[j] * d->n))
            return false;
    return true;
}

weft_status weft_hessian(weft_ctx *ctx, weft_tensor *const *inputs, int n, weft_function f, void *user, int flags,
                         weft_tensor **result, weft_tensor **hessians)
{
    weft__derivation d;
    const int64_t blocks = n > 0 ? (int64_t)n * n : 0;
    if (!weft__has_room(ctx, "hessian", result, hessians))
        return weft_ctx_status(ctx);
    if (weft__derivation_begin(
            &d, &(weft__request){
                    .ctx = ctx, .name = "hessian", .inputs = inputs, .n = n, .f = f, .user = user, .flags = flags})) {
        memset(hessians, 0, sizeof *hessians * (size_t)blocks);
        hessian(&d, hessians);
    }
    const weft_status status = weft__hand_one(&d, NULL, result, NULL);
    if (status != WEFT_OK && blocks > 0)
        memset(hessians, 0, sizeof *hessians * (size_t)blocks);
    return status;
}

/* ---- Row by row ---- */

static bool has_rows(weft__derivation *d)
{
    if (d->y->a.ndim < 1)
        return weft__derivation_fail(d, WEFT_E_SHAPE, "the function's result is %s; it must be [B, ...]",
                                     weft__describe(d->y).s),
               false;
    for (int j = 0; j < d->n_wanted; j++) {
        const weft_tensor *x = d->wanted[j];
        if (x->a.ndim > 0 && x->a.shape[0] == d->y->a.shape[0])
            continue;
        weft__derivation_fail(d, WEFT_E_SHAPE,
                              "input %d is %s and the function's result %s; both must be [B, ...] with the "
                              "same B: weft_expand what all rows share, or let f read it by user",
                              d->place[j], weft__describe(x).s, weft__describe(d->y).s);
        return false;
    }
    return true;
}

/* A sign for each row and a weight for each of m elements: rows of others come with another sign. */
static weft_tensor *odd_cotangent(weft__derivation *d, int64_t rows, int64_t m)
{
    weft_ctx *ctx = d->ctx;
    weft_tensor *sign = weft__filled(ctx, WEFT_F64, (int64_t[]){rows, 1}, 2, 1);
    weft_tensor *weight = weft_reshape(weft_arange(ctx, WEFT_F64, 1, (double)m + 1, 1), (int64_t[]){1, m}, 2);
    for (int64_t step = 2; step <= rows; step *= 2) { /* Thue and Morse: of no period, half of each sign */
        weft_tensor *half = weft_slice(sign, 0, step / 2, step < rows ? step : rows, 1);
        weft_copy_(half, weft_neg(weft_slice(sign, 0, 0, weft_size(half, 0), 1)));
    }
    weft_tensor *turned = weft_add_scalar(weft_sin(weight), 1.5); /* 0.5 to 2.5 */
    return weft_mul(sign, turned);
}

/* Whether the gradient under such a cotangent is what the Jacobians of the rows make of it. */
static bool rows_are_apart(weft__derivation *d, int64_t rows, int64_t m, uint32_t *visit, target *to)
{
    weft_ctx *ctx = d->ctx;
    const weft_dtype dtype = (weft_dtype)d->y->a.dtype;
    for (int j = 0; j < d->n_wanted; j++)
        if (!to[j].whole && to[j].reached && !(to[j].whole = stacked(d, &to[j], d->wanted[j])))
            return false;
    const int mark = weft_scope_push(ctx);
    weft_tensor *c = odd_cotangent(d, rows, m), *given = weft_cast(weft_reshape(c, d->y->a.shape, d->y->a.ndim), dtype);
    if (!given || !weft__pull(d, &d->y, &given, 1, d->wanted, d->n_wanted, false, false, visit, d->few))
        return false;
    c = weft_reshape(weft_cast(given, WEFT_F64), (int64_t[]){rows, m, 1}, 3);
    for (int j = 0; j < d->n_wanted; j++) {
        target *t = &to[j];
        if (!d->few[j] || !t->reached || d->few[j]->a.count == 0)
            continue;
        const double least = d->few[j]->a.dtype == WEFT_F64 && dtype == WEFT_F64    ? 1e-9
                             : weft_dtype_size((weft_dtype)d->few[j]->a.dtype) == 2 ? 5e-2
                                                                                    : 1e-3;
        weft_tensor *terms = weft_mul(weft_cast(weft_detach(t->whole), WEFT_F64), c);
        weft_tensor *got = weft_reshape(weft_cast(d->few[j], WEFT_F64), (int64_t[]){rows, t->shape[2]}, 2);
        weft_tensor *off = weft_abs(weft_sub(got, weft_sum(terms, (int64_t[]){1}, 1, false)));
        const double scale =
            weft_item(ctx, weft_max_over(weft_sum(weft_abs(terms), (int64_t[]){1}, 1, false), NULL, -1, false));
        const double most = weft_item(ctx, weft_max_over(off, NULL, -1, false));
        if (ctx->status == WEFT_OK && most > least * scale) /* false where a NaN tells nothing */
            weft__derivation_fail(d, WEFT_E_MISMATCH,
                                  "rows of the function's result (%s made by weft_%s) depend on other "
                                  "rows of input %d (%s): by signs for the rows its gradient is off by %.3g of %.3g",
                                  weft__describe(d->y).s, d->y->maker, d->place[j],
                                  weft__describe(d->inputs[d->place[j]]).s, most, scale);
    }
    weft__pop_to(ctx, mark);
    return ctx->status == WEFT_OK;
}

static bool batch_jacobian(weft__derivation *d)
{
    uint32_t visit = 0;
    if (!has_rows(d))
        return false;
    const int64_t rows = d->y->a.shape[0], m = weft__count_of(d->y->a.shape + 1, d->y->a.ndim - 1);
    const int64_t passes = rows > 0 ? m : 0;
    targets *t = open_targets(d, d->n_wanted, m);
    bool fine = t != NULL;
    for (int j = 0; j < d->n_wanted && fine; j++) {
        const int64_t each = weft__count_of(d->wanted[j]->a.shape + 1, d->wanted[j]->a.ndim - 1);
        fine = begin_target(d, &t->of[j], (int64_t[]){rows, m, each}, 3, 1, d->wanted[j]);
    }
    fine = fine && run(d, d->y, rows, passes, d->wanted, d->n_wanted, &visit, t->of) &&
           (!d->check_rows || passes == 0 || rows_are_apart(d, rows, m, &visit, t->of)) &&
           hand_or_refuse(d, t->of, passes, 1);
    if (t)
        close_targets(d, t);
    return fine;
}

weft_status weft_batch_jacobian(weft_ctx *ctx, weft_tensor *const *inputs, int n, weft_function f, void *user,
                                int flags, weft_tensor **result, weft_tensor **jacobians)
{
    weft__derivation d;
    if (!weft__has_room(ctx, "batch_jacobian", result, jacobians))
        return weft_ctx_status(ctx);
    if (weft__derivation_begin(
            &d,
            &(weft__request){
                .ctx = ctx, .name = "batch_jacobian", .inputs = inputs, .n = n, .f = f, .user = user, .flags = flags}))
        batch_jacobian(&d);
    return weft__hand_list(&d, n, result, jacobians);
}

weft_status weft_per_sample_grad(weft_ctx *ctx, weft_tensor *const *params, int n_params, weft_tensor *const *batch,
                                 int n_batch, weft_function f, void *user, int flags, weft_tensor **losses,
                                 weft_tensor **gradients)
{
    weft__derivation d;
    if (!weft__has_room(ctx, "per_sample_grad", losses, gradients))
        return weft_ctx_status(ctx);
    if (weft__derivation_begin(&d, &(weft__request){.ctx = ctx,
                                                    .name = "per_sample_grad",
                                                    .inputs = params,
                                                    .n = n_params,
                                                    .batch = batch,
                                                    .n_batch = n_batch,
                                                    .copies = true,
                                                    .f = f,
                                                    .user = user,
                                                    .flags = flags})) {
        if (d.y->a.ndim == 1)
            batch_jacobian(&d);
        else
            weft__derivation_fail(&d, WEFT_E_SHAPE,
                                  "the function's result is %s; it must be [B], a loss for each sample",
                                  weft__describe(d.y).s);
    }
    return weft__hand_list(&d, n_params, losses, gradients);
}
