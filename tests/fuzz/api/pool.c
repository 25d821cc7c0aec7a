/* pool.c - the tensors of a program: which there are, which of them live, and the scopes they live in. */
#include <math.h>
#include "fuzz.h"

static int find(const fuzz *f, const weft_tensor *t)
{
    for (int k = 0; k < f->n_pool; k++)
        if (f->pool[k].t == t)
            return k;
    return -1;
}

/* Forgets a slot; the tensor itself may live on. */
static void forget(fuzz *f, int k)
{
    f->pool[k] = f->pool[--f->n_pool];
}

static void died(fuzz *f, int k)
{
    if (!f->pool[k].shared)
        f->dead[f->n_dead++ % FUZZ_DEAD] = f->pool[k].t;
    forget(f, k);
}

void fuzz_take_share(fuzz *f, weft_tensor *t)
{
    int known = t ? find(f, t) : -1;
    if (known >= 0) /* it was shared already, and kept once more */
        f->pool[known].kept++;
    else if (fuzz_take(f, t) && find(f, t) < 0)
        weft_release(t);
}

weft_tensor *fuzz_take(fuzz *f, weft_tensor *t)
{
    if (!t || f->guest > 0 || find(f, t) >= 0 || weft_count(t) > FUZZ_MOST_ELEMENTS)
        return t;
    if (weft_ctx_of(t) && weft_ctx_of(t) != f->ctx)
        return t;
    for (int k = 0; k < FUZZ_DEAD; k++) /* its memory has been given out again */
        if (f->dead[k] == t)
            f->dead[k] = NULL;
    if (f->n_pool == FUZZ_POOL) {
        int k = fuzz_below(f, FUZZ_POOL);
        if (f->pool[k].kept > 0)
            return t; /* it would never be released; this one goes unused instead */
        forget(f, k);
    }
    bool shared = !weft_ctx_of(t);
    f->pool[f->n_pool++] = (fuzz_slot){.t = t, .scope = shared ? -1 : f->n_marks, .kept = shared, .shared = shared};
    return t;
}

weft_tensor *fuzz_alive(fuzz *f)
{
    for (int tries = 0; tries < 4 && f->n_pool > 0; tries++) {
        const fuzz_slot *s = &f->pool[fuzz_below(f, f->n_pool)];
        if (!s->shared)
            return s->t;
    }
    return NULL;
}

weft_tensor *fuzz_operand(fuzz *f)
{
    if (!f->harmless) {
        if (fuzz_chance(f, 60))
            return NULL;
        if (fuzz_chance(f, 60))
            return f->foreign;
        if (fuzz_chance(f, 60))
            return f->dead[fuzz_below(f, FUZZ_DEAD)];
    }
    if (f->n_pool == 0 || fuzz_chance(f, 6)) {
        int64_t shape[WEFT_MAX_DIMS];
        int ndim = fuzz_shape(f, shape);
        return fuzz_make(f, fuzz_dtype(f, fuzz_below(f, 3) > 0), shape, ndim);
    }
    return f->pool[fuzz_below(f, f->n_pool)].t;
}

/* ---- Making ---- */

static weft_tensor *filled(fuzz *f, weft_dtype dtype, const int64_t *shape, int ndim)
{
    weft_ctx *c = f->ctx;
    switch (fuzz_below(f, weft_dtype_is_float(dtype) ? 6 : 4)) {
    case 0:
        return weft_zeros(c, dtype, shape, ndim);
    case 1:
        return weft_ones(c, dtype, shape, ndim);
    case 2:
        return dtype == WEFT_BOOL ? weft_bernoulli(c, dtype, shape, ndim, 0.5)
                                  : weft_randint(c, dtype, shape, ndim, 0, 4);
    case 3: {
        double value = fuzz_real(f); /* where an integer dtype cannot hold it, that is an error */
        if (!weft_dtype_is_float(dtype) && (f->harmless || !fuzz_chance(f, 20)))
            value = dtype == WEFT_BOOL ? 1 : 3;
        return weft_full(c, dtype, shape, ndim, value);
    }
    case 4:
        return weft_rand(c, dtype, shape, ndim, -2, 2);
    default:
        return weft_randn(c, dtype, shape, ndim, 0.5, 1);
    }
}

/* The first dim of a block that is twice as long, every second row; or the tail of a longer one. */
static weft_tensor *sliced(fuzz *f, weft_dtype dtype, const int64_t *shape, int ndim, bool stepped)
{
    int64_t larger[WEFT_MAX_DIMS];
    int at = fuzz_below(f, ndim);
    for (int d = 0; d < ndim; d++)
        larger[d] = shape[d];
    larger[at] = stepped ? 2 * shape[at] : shape[at] + 3;
    weft_tensor *block = filled(f, dtype, larger, ndim);
    return stepped ? weft_slice(block, at, 0, 2 * shape[at], 2) : weft_slice(block, at, 3, shape[at] + 3, 1);
}

static weft_tensor *expanded(fuzz *f, weft_dtype dtype, const int64_t *shape, int ndim)
{
    int64_t smaller[WEFT_MAX_DIMS];
    for (int d = 0; d < ndim; d++)
        smaller[d] = fuzz_chance(f, 2) ? 1 : shape[d];
    return weft_expand(filled(f, dtype, smaller, ndim), shape, ndim);
}

static weft_tensor *transposed(fuzz *f, weft_dtype dtype, const int64_t *shape, int ndim)
{
    int64_t turned[WEFT_MAX_DIMS];
    int a = fuzz_below(f, ndim), b = fuzz_below(f, ndim);
    for (int d = 0; d < ndim; d++)
        turned[d] = shape[d == a ? b : d == b ? a : d];
    return weft_transpose(filled(f, dtype, turned, ndim), a, b);
}

weft_tensor *fuzz_make(fuzz *f, weft_dtype dtype, const int64_t *shape, int ndim)
{
    weft_tensor *t;
    switch (ndim > 0 ? fuzz_below(f, 8) : 7) {
    case 0:
        t = sliced(f, dtype, shape, ndim, true);
        break;
    case 1:
        t = sliced(f, dtype, shape, ndim, false);
        break;
    case 2:
        t = expanded(f, dtype, shape, ndim);
        break;
    case 3:
        t = transposed(f, dtype, shape, ndim);
        break;
    default:
        t = filled(f, dtype, shape, ndim);
    }
    if (t && weft_dtype_is_float(dtype) && fuzz_chance(f, 3))
        weft_set_requires_grad(t, true);
    return fuzz_take(f, t);
}

/* ---- Scopes ---- */

/* Everything from scope `mark` on ends, but what is kept. */
static void popped(fuzz *f, int from)
{
    for (int k = f->n_pool; k-- > 0;) {
        fuzz_slot *s = &f->pool[k];
        if (s->scope < from)
            continue;
        s->scope = -1;
        if (s->kept == 0)
            died(f, k);
    }
    f->n_marks = from - 1;
}

void fuzz_push(fuzz *f)
{
    if (f->n_marks == FUZZ_MARKS)
        return;
    int mark = fuzz_chance(f, 4) ? weft_scope_push_no_grad(f->ctx) : weft_scope_push(f->ctx);
    if (mark >= 0)
        f->marks[f->n_marks++] = mark;
    else if (weft_ctx_status(f->ctx) == WEFT_OK)
        fuzz_broken(f, "weft_scope_push gave %d without an error", mark);
}

static void pop(fuzz *f, int at)
{
    weft_status before = weft_ctx_status(f->ctx), status = weft_scope_pop(f->ctx, f->marks[at]);
    if (status != weft_ctx_status(f->ctx) || (before != WEFT_OK && status != before))
        fuzz_broken(f, "weft_scope_pop returned %s, the context holds %s, before it held %s", weft_status_name(status),
                    weft_status_name(weft_ctx_status(f->ctx)), weft_status_name(before));
    popped(f, at + 1);
}

void fuzz_pop(fuzz *f)
{
    if (f->n_marks > 1)
        pop(f, f->n_marks - 1);
}

static void drop(fuzz *f)
{
    if (f->n_pool == 0)
        return;
    int k = fuzz_below(f, f->n_pool);
    fuzz_slot *s = &f->pool[k];
    weft_drop(s->t);
    if (s->scope < 0)
        return; /* of no scope: nothing happens */
    s->scope = -1;
    if (s->kept == 0)
        died(f, k);
}

static void keep_or_release(fuzz *f)
{
    if (f->n_pool == 0)
        return;
    int k = fuzz_below(f, f->n_pool);
    fuzz_slot *s = &f->pool[k];
    if (s->kept == 0 || (fuzz_chance(f, 3) && s->kept < 3)) {
        if (weft_keep(s->t))
            s->kept++;
        return;
    }
    weft_release(s->t);
    if (--s->kept == 0 && s->scope < 0)
        died(f, k);
}

static void escape(fuzz *f)
{
    if (f->n_pool == 0)
        return;
    fuzz_slot *s = &f->pool[fuzz_below(f, f->n_pool)];
    if (!weft_escape(s->t) || s->scope <= 0)
        return;
    s->scope--;
    f->to_root |= s->scope == 0;
}

void fuzz_scope_step(fuzz *f)
{
    switch (fuzz_below(f, 7)) {
    case 0:
    case 1:
        fuzz_push(f);
        break;
    case 2:
        if (f->n_marks > 1) /* the first one lies around the whole program */
            pop(f, fuzz_chance(f, 4) ? 1 + fuzz_below(f, f->n_marks - 1) : f->n_marks - 1);
        break;
    case 3:
        escape(f);
        break;
    case 4:
        drop(f);
        break;
    default:
        keep_or_release(f);
    }
}

void fuzz_drop_all(fuzz *f)
{
    for (int k = 0; k < f->n_pool; k++)
        for (; f->pool[k].kept > 0; f->pool[k].kept--)
            weft_release(f->pool[k].t);
    if (f->n_marks > 0)
        pop(f, 0);
    f->n_pool = 0;
}
