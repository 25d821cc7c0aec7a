/* sum.c - see sum.h. */
#include "sum.h"
#include <stdlib.h>
#include <string.h>

/* A slice of a recorded pass: all of t but in one dim. */
struct weft__part {
    weft__part *next;
    weft_tensor *g; /* strong; of t's rank */
    int dim;
    int64_t from, room; /* of t's size in dim */
};

bool weft__is_own(const weft_tensor *t)
{
    const weft__storage *s = t->storage;
    return t->refs == 1 && !t->in_scope && !(t->flags & WEFT__IS_SHARED) && !t->node && t->a.contiguous &&
           t->a.count > 0 && s->refs == 1 && s->size_class >= 0 && !s->read_only;
}

/* Puts t into the slot, which holds a reference. */
static void hold(weft_tensor **slot, weft_tensor *t)
{
    if (!t)
        return;
    weft__ref(t);
    if (*slot)
        weft__unref(*slot);
    *slot = t;
}

/* The same for a tensor that was just made: nobody else sees it. */
static void take(weft_tensor **slot, weft_tensor *made)
{
    hold(slot, made);
    if (made)
        weft__scope_remove(made);
}

/* ---- Whole gradients ---- */

/* Sums what was broadcast and casts, so that g has t's shape and dtype; half types may wait in another floating
 * dtype. */
static weft_tensor *fit(weft_tensor *g, const weft_tensor *t)
{
    if (!weft__same_shape(&g->a, &t->a)) {
        int64_t dims[WEFT__MAX_DIMS];
        int n = 0, lead = g->a.ndim - t->a.ndim;
        for (int d = 0; d < g->a.ndim; d++)
            if (d < lead || (t->a.shape[d - lead] == 1 && g->a.shape[d] != 1))
                dims[n++] = d;
        g = weft_sum(g, dims, n, true);
        g = weft_reshape(g, t->a.shape, t->a.ndim);
    }
    return g && g->a.dtype != t->a.dtype && !weft__is_half(t->a.dtype) ? weft__cast(g, (weft_dtype)t->a.dtype) : g;
}

void weft__sum_add_more(weft__sum *s, const weft_tensor *t, weft_tensor *g, bool record)
{
    g = fit(g, t);
    if (!g)
        return;
    if (!s->whole) {
        hold(&s->whole, g);
        return;
    }
    if (!record && weft__is_own(s->whole) && !weft__is_half(s->whole->a.dtype)) {
        weft__update(t->ctx, WEFT_OP_ADD_, s->whole, g);
        return;
    }
    take(&s->whole, weft_add(weft__widened(s->whole), weft__widened(g)));
}

/* ---- Slices ---- */

/* What views[n-1] of t, ... views[0] show, in the buffer of t's sum; NULL where that takes a copy, or after an
 * error. */
static weft_tensor *seen_through(weft_tensor *buffer, weft__node *const *views, int n, const weft_tensor *sliced)
{
    weft_tensor *t = buffer;
    for (int k = n - 1; k >= 0 && t; k--) {
        const weft__node *v = views[k];
        const weft__array *result = k > 0 ? &views[k - 1]->in[0]->a : &sliced->a;
        weft__attrs a;
        weft__node_attrs(v, &a);
        switch (v->op) {
        case WEFT_OP_TRANSPOSE:
            t = weft_transpose(t, (int)a.transpose.dim0, (int)a.transpose.dim1);
            break;
        case WEFT_OP_PERMUTE:
            t = weft_permute(t, a.shape.sizes, a.ni);
            break;
        case WEFT_OP_SELECT:
            t = weft_select(t, (int)a.select.dim, a.select.index);
            break;
        case WEFT_OP_SLICE:
            t = weft_slice(t, (int)a.slice.dim, a.slice.start, a.slice.stop, a.slice.step);
            break;
        default: /* reshape, squeeze, unsqueeze */
            t = weft_reshape(t, result->shape, result->ndim);
        }
    }
    return t && t->storage == buffer->storage ? t : NULL;
}

bool weft__sum_add_part(weft__sum *s, const weft_tensor *t, weft__node *const *views, int n, const weft_tensor *sliced,
                        const weft__place *place, weft_tensor *g)
{
    const int64_t size = g->a.shape[place->dim];
    const int64_t end = size > 0 ? place->from + (size - 1) * place->step + 1 : place->from;
    const bool first = !s->whole;
    if (first)
        take(&s->whole, weft__filled(t->ctx, (weft_dtype)g->a.dtype, t->a.shape, t->a.ndim, 0));
    else if (weft__is_half(s->whole->a.dtype))
        take(&s->whole, weft__cast(s->whole, WEFT_F32));
    else if (!weft__is_own(s->whole))
        take(&s->whole, weft__copied(t->ctx, s->whole));
    weft_tensor *seen = s->whole ? seen_through(s->whole, views, n, sliced) : NULL;
    if (!seen)
        return false;
    seen = weft_slice(seen, place->dim, place->from, end, place->step);
    return weft__update(t->ctx, first ? WEFT_OP_COPY_ : WEFT_OP_ADD_, seen, g);
}

/* A slice with steps under the shape of all that lies between its ends. */
static weft_tensor *stretched(weft_tensor *g, const weft__place *place)
{
    int64_t shape[WEFT__MAX_DIMS];
    const int64_t n = g->a.shape[place->dim], span = (n - 1) * place->step + 1;
    if (place->step == 1 || n <= 1)
        return g;
    memcpy(shape, g->a.shape, sizeof shape);
    shape[place->dim] = span;
    weft_tensor *index = weft_arange(g->ctx, WEFT_I64, 0, (double)span, (double)place->step);
    weft_tensor *zeros = weft__filled(g->ctx, (weft_dtype)g->a.dtype, shape, g->a.ndim, 0);
    return weft_index_add(zeros, index, g, place->dim);
}

void weft__sum_note_part(weft__sum *s, const weft_tensor *t, const weft__place *place, weft_tensor *g)
{
    weft__part *part = weft__host_alloc(t->ctx, sizeof *part);
    if (!part) {
        weft__fail_named(t->ctx, "backward", WEFT_E_NOMEM, "out of memory for the gradient of a slice of %s",
                         weft__describe(t).s);
        return;
    }
    *part = (weft__part){
        .dim = place->dim, .from = g->a.shape[place->dim] ? place->from : 0, .room = t->a.shape[place->dim]};
    hold(&part->g, stretched(g, place));
    if (!part->g) {
        weft__host_free(t->ctx, part, sizeof *part);
        return;
    }
    part->next = s->parts;
    s->parts = part;
}

static int64_t size_of(const weft__part *part)
{
    return part->g->a.shape[part->dim];
}

static int by_place(const void *x, const void *y)
{
    const weft__part *a = *(weft__part *const *)x, *b = *(weft__part *const *)y;
    if (a->dim != b->dim)
        return a->dim < b->dim ? -1 : 1;
    if (a->from != b->from)
        return a->from < b->from ? -1 : 1;
    return size_of(a) < size_of(b) ? -1 : size_of(a) > size_of(b);
}

static weft_tensor *gap(const weft__part *part, int64_t size)
{
    int64_t shape[WEFT__MAX_DIMS];
    memcpy(shape, part->g->a.shape, sizeof shape);
    shape[part->dim] = size;
    return weft__filled(part->g->ctx, (weft_dtype)part->g->a.dtype, shape, part->g->a.ndim, 0);
}

/* Equal slices become one; their sum is the last one's gradient. */
static void add_equal(weft__part **parts, int64_t n)
{
    for (int64_t k = 0; k + 1 < n; k++) {
        if (by_place(&parts[k], &parts[k + 1]) != 0)
            continue;
        take(&parts[k + 1]->g, weft_add(weft__widened(parts[k]->g), weft__widened(parts[k + 1]->g)));
        parts[k] = NULL;
    }
}

/* Joins parts that do not overlap and lie along one dim, the first ones in order, with zeros between them; they leave
 * the list. row has room for them. Returns how many they were. */
static int64_t join_layer(weft__sum *s, weft__part **parts, int64_t n, weft_tensor **row)
{
    const weft__part *last = NULL;
    int64_t end = 0, joined = 0;
    int n_row = 0;
    for (int64_t k = 0; k < n; k++) {
        weft__part *part = parts[k];
        if (!part || (last && (part->dim != last->dim || part->from < end)))
            continue;
        if (part->from > end)
            row[n_row++] = gap(part, part->from - end);
        row[n_row++] = part->g;
        end = part->from + size_of(part);
        last = part;
        parts[k] = NULL;
        joined++;
    }
    if (end < last->room)
        row[n_row++] = gap(last, last->room - end);
    weft_tensor *layer = n_row == 1 ? row[0] : weft_concat(row, n_row, last->dim);
    if (layer && s->whole)
        hold(&s->whole, weft_add(weft__widened(s->whole), weft__widened(layer)));
    else if (layer)
        hold(&s->whole, layer);
    return joined;
}

/* Moves the parts into whole. */
static void join_parts(weft_ctx *ctx, weft__sum *s)
{
    int64_t n = 0, left = 0;
    for (const weft__part *part = s->parts; part; part = part->next)
        n++;
    const size_t bytes = sizeof(void *) * (size_t)(3 * n + 1);
    weft__part **parts = n ? weft__host_alloc(ctx, bytes) : NULL;
    if (n && !parts)
        weft__fail_named(ctx, "backward", WEFT_E_NOMEM, "out of memory for the gradients of %lld slices", (long long)n);
    if (!parts)
        return;
    for (weft__part *part = s->parts; part; part = part->next)
        parts[left++] = part;
    qsort(parts, (size_t)n, sizeof *parts, by_place);
    add_equal(parts, n);
    left = 0;
    for (int64_t k = 0; k < n; k++)
        if (parts[k])
            parts[left++] = parts[k];
    n = left;
    while (left > 0 && ctx->status == WEFT_OK)
        left -= join_layer(s, parts, n, (weft_tensor **)(parts + n));
    weft__host_free(ctx, parts, bytes);
}

/* ---- The end ---- */

static void drop_parts(weft_ctx *ctx, weft__sum *s)
{
    while (s->parts) {
        weft__part *part = s->parts;
        s->parts = part->next;
        weft__unref(part->g);
        weft__host_free(ctx, part, sizeof *part);
    }
}

weft_tensor *weft__sum_finish(weft_ctx *ctx, weft__sum *s)
{
    if (s->parts && ctx->status == WEFT_OK)
        join_parts(ctx, s);
    if (s->parts)
        drop_parts(ctx, s);
    if (s->whole && s->whole->a.dtype != s->dtype && ctx->status == WEFT_OK)
        take(&s->whole, weft__cast(s->whole, (weft_dtype)s->dtype));
    if (ctx->status != WEFT_OK) {
        weft__sum_drop(ctx, s);
        return NULL;
    }
    weft_tensor *g = s->whole;
    *s = (weft__sum){.whole = NULL};
    return g;
}

void weft__sum_drop(weft_ctx *ctx, weft__sum *s)
{
    weft_tensor *whole = s->whole;
    drop_parts(ctx, s);
    *s = (weft__sum){.whole = NULL};
    if (whole)
        weft__unref(whole);
}
