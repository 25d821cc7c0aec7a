/* judge.c - see judge.h. Quick first: every element against bounds that need nothing but the two results. What fails is
 * looked at again with the sum of |a b| (sums of products), or with how far a rounding of the inputs moves the result
 * (everything else), both from reruns in f64. A callback of the user's has no f64 to ask. */
#include "judge.h"

#include <math.h>
#include <string.h>

/* What one output is judged by. */
typedef struct comparison {
    const weft__frozen *f;
    const weft__held *want_held, *got_held;
    int result;
    weft__agreement how;
    weft__bounds bounds;
    double *want, *got; /* row-major */
    double *room;       /* what each element may be off by beside the quick bounds; NULL: not asked yet */
    double largest;     /* |want|, of the finite ones */
} comparison;

static double largest_of(const double *x, int64_t n)
{
    double most = 0;
    for (int64_t k = 0; k < n; k++)
        if (isfinite(x[k]) && fabs(x[k]) > most)
            most = fabs(x[k]);
    return most;
}

static double allowed(const comparison *t, int64_t k)
{
    const double want = fabs(t->want[k]);
    double scale = t->largest;
    if (t->how == WEFT__ELEMENTWISE && scale > 1)
        scale = 1;
    return t->bounds.relative * want + t->bounds.absolute * scale + (t->room ? t->room[k] : t->bounds.magnitude * want);
}

/* ---- Ties ----
 * Where the choice of an index is free between equal values, another index is a tie. */

/* The element of x that index chooses for element k of the result, reduced over the dims of mask. */
static double chosen(const weft__held *x, int64_t mask, const weft__array *y, int64_t k, int64_t index)
{
    int64_t offset = 0, kept = y->count;
    const weft__array *a = &x->a;
    int64_t reduced = a->count / (kept > 0 ? kept : 1);
    for (int d = 0; d < a->ndim; d++) {
        int64_t *rest = mask >> d & 1 ? &index : &k, *size = mask >> d & 1 ? &reduced : &kept;
        *size /= a->shape[d];
        offset += *rest / *size * a->strides[d];
        *rest %= *size;
    }
    return weft__element_get(x->block, a->dtype, offset - x->lowest);
}

/* Whether index, into a plane of x, lies in the window of element k of y. */
static bool in_window(const weft__frozen *f, const weft__array *y, int64_t k, int64_t index)
{
    const weft__array *x = &f->in[0].a;
    if (!x->contiguous || index < 0 || index >= x->shape[2] * x->shape[3])
        return false;
    const int64_t place[2] = {k / y->shape[3] % y->shape[2], k % y->shape[3]};
    const int64_t at[2] = {index / x->shape[3], index % x->shape[3]};
    const weft__pool_attrs *a = &f->attrs.pool;
    for (int d = 0; d < 2; d++) {
        const int64_t from = place[d] * a->stride[d] - a->padding[d];
        if (at[d] < from || at[d] >= from + a->kernel[d])
            return false;
    }
    return true;
}

/* The element of contiguous images x that index names in the plane of element k of the result. */
static double pooled(const weft__held *x, int64_t k, const comparison *t, int64_t index)
{
    const weft__array *y = &t->want_held->a;
    const int64_t plane = k / (y->shape[2] * y->shape[3]);
    return weft__element_get(x->block, x->a.dtype, plane * x->a.shape[2] * x->a.shape[3] + index);
}

static bool is_tie(const comparison *t, int64_t k)
{
    const weft__frozen *f = t->f;
    const weft__held *x = f->n_in > 0 ? &f->in[0] : NULL;
    const int64_t want = (int64_t)t->want[k], got = (int64_t)t->got[k];
    if (!x || !x->block)
        return false;
    const bool index = t->result == 1 && (f->op == WEFT_OP_MAX_WITH_INDEX || f->op == WEFT_OP_MIN_WITH_INDEX);
    if (f->op == WEFT_OP_ARGMAX || f->op == WEFT_OP_ARGMIN || index) {
        const weft__array *y = &t->want_held->a;
        if (got < 0 || got >= x->a.count / y->count)
            return false;
        const int64_t mask = f->attrs.reduce.dims;
        return chosen(x, mask, y, k, want) == chosen(x, mask, y, k, got);
    }
    if (f->op == WEFT_OP_MAX_POOL2D && t->result == 1)
        return in_window(f, &t->want_held->a, k, got) && pooled(x, k, t, got) == pooled(x, k, t, want);
    return false;
}

/* ---- Measuring ---- */

static void blame(weft__verdict *v, const comparison *t, const char *what, int64_t k, double error, double bound)
{
    if (v->agrees) {
        v->what = what;
        v->element = k;
        v->want = k >= 0 ? t->want[k] : 0;
        v->got = k >= 0 ? t->got[k] : 0;
        v->error = error;
        v->bound = bound;
    }
    v->agrees = false;
}

static void check_element(weft__verdict *v, const comparison *t, int64_t k)
{
    const double want = t->want[k], got = t->got[k];
    if (want == got || (isnan(want) && isnan(got)))
        return;
    if (t->how == WEFT__EXACT && is_tie(t, k)) {
        v->ties++;
        return;
    }
    const bool strange = !isfinite(want) || !isfinite(got);
    const double error = strange ? (double)INFINITY : fabs(got - want), bound = allowed(t, k);
    if (!strange && error <= bound)
        return;
    v->bad_elements++;
    blame(v, t, isnan(want) || isnan(got) ? "NaN" : strange ? "infinity" : "element", k, error, bound);
}

/* What the whole may be off by, given the norm of want and of room, and room's largest. Of sums the elements' roundings
 * are independent: the norm of many is close to its expectation, the typical error's norm, and beyond it by a few times
 * that of the largest element at most (the norm is Lipschitz). So a bias of all elements shows that no element shows by
 * itself. */
static double allowed_norm(const comparison *t, double size, double room, double largest_room)
{
    if (t->how != WEFT__SUMMED || t->bounds.magnitude <= 0)
        return t->bounds.norm * size + room;
    const double typical = t->room ? t->bounds.norm / t->bounds.magnitude : 0;
    return t->bounds.norm * size + typical * (room + (WEFT__FEW - 1) * largest_room);
}

static void measure(weft__verdict *v, const comparison *t)
{
    const int64_t n = t->want_held->a.count;
    double off = 0, size = 0, room = 0, bias = 0, largest_room = 0;
    *v = (weft__verdict){.agrees = true, .result = t->result, .count = n, .element = -1, .what = "nothing"};
    for (int64_t k = 0; k < n; k++) {
        const double want = t->want[k], got = t->got[k];
        check_element(v, t, k);
        if (!isfinite(want) || !isfinite(got) || t->how == WEFT__EXACT)
            continue;
        off += (got - want) * (got - want);
        size += want * want;
        bias += got - want;
        room += t->room ? t->room[k] * t->room[k] : 0;
        largest_room = t->room && t->room[k] > largest_room ? t->room[k] : largest_room;
    }
    v->bias = n > 0 ? bias / (double)n : 0;
    v->relative_l2 = size > 0 ? sqrt(off / size) : off > 0 ? (double)INFINITY : 0;
    const double bound = allowed_norm(t, sqrt(size), sqrt(room), largest_room);
    if (t->how != WEFT__EXACT && sqrt(off) > bound)
        blame(v, t, "relative L2 error", -1, v->relative_l2, size > 0 ? bound / sqrt(size) : 0);
}

/* ---- Second look ---- */

static double *rerun_values(const comparison *t, weft_ctx *arbiter, weft__rerun_kind kind)
{
    weft__held *results = weft__rerun(arbiter, t->f, kind);
    double *values = results && results[t->result].block ? weft__values(t->f->owner, &results[t->result]) : NULL;
    if (results)
        weft__results_drop(t->f, results);
    return values;
}

static void drop_values(const comparison *t, double *values)
{
    if (values)
        weft__host_free(t->f->owner, values, sizeof *values * (size_t)(t->want_held->a.count + 1));
}

/* Sums of products: the table's share of the sum of |a b|, of both results. */
static bool ask_magnitude(comparison *t, weft_ctx *arbiter)
{
    t->room = rerun_values(t, arbiter, WEFT__ABSOLUTE);
    for (int64_t k = 0; t->room && k < t->want_held->a.count; k++)
        t->room[k] = t->bounds.magnitude * fabs(t->room[k]);
    return t->room != NULL;
}

/* Others: a few times what a rounding of the inputs does to the element, and on average to all. */
static bool ask_conditioning(comparison *t, weft_ctx *arbiter)
{
    enum { TIMES = 4 };
    double *still = rerun_values(t, arbiter, WEFT__WIDENED);
    t->room = rerun_values(t, arbiter, WEFT__SHAKEN);
    const int64_t n = t->want_held->a.count;
    double sum = 0;
    for (int64_t k = 0; still && t->room && k < n; k++) {
        const double moved = fabs(t->room[k] - still[k]);
        t->room[k] = isfinite(moved) ? moved : 0;
        sum += t->room[k] * t->room[k];
    }
    const double typical = n > 0 ? sqrt(sum / (double)n) : 0;
    for (int64_t k = 0; still && t->room && k < n; k++)
        t->room[k] = TIMES * fmax(t->room[k], typical);
    const bool fine = still && t->room;
    drop_values(t, still);
    return fine;
}

static bool judge_one(comparison *t, weft_ctx *arbiter, weft__verdict *v)
{
    measure(v, t);
    const bool final = v->agrees || t->how == WEFT__EXACT || t->f->custom || strcmp(v->what, "NaN") == 0;
    if (final)
        return true;
    if (!(t->how == WEFT__SUMMED ? ask_magnitude(t, arbiter) : ask_conditioning(t, arbiter)))
        return false;
    measure(v, t);
    return true;
}

bool weft__judge(const weft__frozen *f, const weft__held *got, weft_ctx *arbiter, weft__verdict *v)
{
    int64_t ties = 0;
    *v = (weft__verdict){.agrees = true, .element = -1, .what = "nothing"};
    for (int k = 0; k < f->n_out && v->agrees; k++) {
        if (!f->out[k].block)
            continue;
        comparison t = {.f = f, .want_held = &f->out[k], .got_held = &got[k], .result = k};
        t.how = weft__agreement_of(f, k);
        t.bounds = weft__bounds_of(t.how, (weft_dtype)f->out[k].a.dtype, weft__terms_of(f, k));
        t.want = weft__values(f->owner, t.want_held);
        t.got = weft__values(f->owner, t.got_held);
        bool fine = t.want && t.got;
        if (fine) {
            t.largest = largest_of(t.want, t.want_held->a.count);
            fine = judge_one(&t, arbiter, v);
        }
        drop_values(&t, t.want);
        drop_values(&t, t.got);
        drop_values(&t, t.room);
        if (!fine)
            return false;
        ties += v->ties;
    }
    v->ties = ties;
    return true;
}
