/* index.c - gather, scatter_add, scatter and its kind, index_select, index_add, embedding: their derivatives read the
 * index. */
#include "define.h"

/* x has a dim of that number, which is resolved. */
static bool has_dim(weft__infer *q)
{
    return weft__has_rank(q, 0, 1, WEFT__MAX_DIMS) && weft__resolve_dim(q, 0, &q->attrs->along.dim);
}

/* index has x's rank and is no larger than x in the other dims. */
static bool index_fits(weft__infer *q)
{
    if (!has_dim(q))
        return false;
    const weft__array *x = q->in[0], *index = q->in[1];
    bool fits = index->ndim == x->ndim;
    for (int d = 0; fits && d < x->ndim; d++)
        fits = d == q->attrs->along.dim || index->shape[d] <= x->shape[d];
    return fits || weft__refuse(q, WEFT_E_SHAPE,
                                "index %s does not fit %s along dim %lld: the ranks must be equal and the other sizes "
                                "no larger",
                                weft__operand_text(q, 1).s, weft__operand_text(q, 0).s, (long long)q->attrs->along.dim);
}

/* x and src are of a dtype that adds up; the result is like x. */
static bool adds_up(weft__infer *q)
{
    if (q->dtype[0] == WEFT_BOOL)
        return weft__refuse(q, WEFT_E_DTYPE, "bool does not add up; use weft_cast");
    return weft__infer_like(q);
}

static bool infer_gather(weft__infer *q)
{
    if (!index_fits(q))
        return false;
    weft__set_result(q, 0, q->dtype[0], q->in[1]->shape, q->in[1]->ndim);
    return true;
}

static bool infer_scatter(weft__infer *q)
{
    if (!index_fits(q))
        return false;
    if (!weft__same_shape(q->in[1], q->in[2]))
        return weft__refuse(q, WEFT_E_SHAPE, "index %s and src %s must have one shape", weft__operand_text(q, 1).s,
                            weft__operand_text(q, 2).s);
    return weft__infer_like(q);
}

static bool infer_scatter_add(weft__infer *q)
{
    return infer_scatter(q) && adds_up(q);
}

static bool infer_extreme(weft__infer *q)
{
    if (q->dtype[0] == WEFT_BOOL)
        return weft__refuse(q, WEFT_E_DTYPE, "bool has no largest; use weft_cast");
    return infer_scatter(q);
}

static bool infer_index_select(weft__infer *q)
{
    if (!has_dim(q) || !weft__has_rank(q, 1, 1, 1))
        return false;
    weft__infer_like(q);
    q->out[0].shape[q->attrs->along.dim] = q->in[1]->shape[0];
    return true;
}

/* src has a slice of x for each index. */
static bool slices_fit(weft__infer *q)
{
    if (!has_dim(q) || !weft__has_rank(q, 1, 1, 1))
        return false;
    weft__array expected = *q->in[0];
    expected.shape[q->attrs->along.dim] = q->in[1]->shape[0];
    if (!weft__same_shape(&expected, q->in[2]))
        return weft__refuse(q, WEFT_E_SHAPE, "src is %s, but %s with an index of %lld along dim %lld needs %s",
                            weft__operand_text(q, 2).s, weft__operand_text(q, 0).s, (long long)q->in[1]->shape[0],
                            (long long)q->attrs->along.dim, weft__shape_text(expected.shape, expected.ndim).s);
    return true;
}

static bool infer_index_add(weft__infer *q)
{
    return slices_fit(q) && adds_up(q);
}

/* Rows of weight [V, D]: dim 0. */
static bool infer_embedding(weft__infer *q)
{
    const weft__array *weight = q->in[0], *index = q->in[1];
    if (!weft__has_rank(q, 0, 2, 2) || !weft__has_rank(q, 1, 0, WEFT__MAX_DIMS - 1))
        return false;
    weft__set_result(q, 0, q->dtype[0], index->shape, index->ndim);
    q->out[0].shape[index->ndim] = weight->shape[1];
    q->out[0].ndim = index->ndim + 1;
    return true;
}

#define TAKES(ID, name, attributes, words, ...)                                                                        \
    WEFT__DEFINE(ID, name, OPERANDS(ANY_DTYPE, POSITIONS), ATTRS(attributes), INFER(infer_##name, AS_GIVEN),           \
                 RESULTS(1, EXACT), EFFECT(PURE),                                                                      \
                 DERIVATIVE(weft__vjp_##name, ROUNDS_ONCE, READS(SECOND), NO_KERNEL, GRADIENT(words)),                 \
                 WORK(weft__terms_one, weft__flops_each, weft__bytes_once), SAMPLE(call_##name, __VA_ARGS__))
#define ADDS(ID, name, words, ...)                                                                                     \
    WEFT__DEFINE(ID, name, OPERANDS(NUMBERS, POSITIONS, NUMBERS), ATTRS(along), INFER(infer_##name, JOIN),             \
                 RESULTS(1, SUMMED), EFFECT(PURE),                                                                     \
                 DERIVATIVE(weft__vjp_##name, ROUNDS_ONCE, READS(SECOND), NO_KERNEL, GRADIENT(words)),                 \
                 WORK(added_terms, weft__flops_each, weft__bytes_once), SAMPLE(call_##name, __VA_ARGS__))

/* All of src may go to one element. */
static int64_t added_terms(const weft__work *w, int result)
{
    (void)result;
    return w->in[2] ? w->in[2]->count : 1;
}

/* i: dim */
CALL(gather)
{
    c->out[0] = weft_gather(c->in[0], c->in[1], c->i[0]);
}

CALL(index_select)
{
    c->out[0] = weft_index_select(c->in[0], c->in[1], c->i[0]);
}

CALL(embedding)
{
    c->out[0] = weft_embedding(c->in[0], c->in[1]);
}

CALL(scatter_add)
{
    c->out[0] = weft_scatter_add(c->in[0], c->in[1], c->in[2], c->i[0]);
}

CALL(scatter)
{
    c->out[0] = weft_scatter(c->in[0], c->in[1], c->in[2], c->i[0]);
}

/* i: dim, include_self */
CALL(scatter_max)
{
    c->out[0] = weft_scatter_max(c->in[0], c->in[1], c->in[2], c->i[0], c->i[1] != 0);
}

CALL(scatter_min)
{
    c->out[0] = weft_scatter_min(c->in[0], c->in[1], c->in[2], c->i[0], c->i[1] != 0);
}

CALL(index_add)
{
    c->out[0] = weft_index_add(c->in[0], c->in[1], c->in[2], c->i[0]);
}

TAKES(GATHER, gather, along, "scatter_add of g to zeros of x's shape by the same index", RECIPE("xab iab<b", "1"),
      RECIPE("xab ia5<b", "1"))
TAKES(INDEX_SELECT, index_select, along, "index_add of g to zeros of x's shape by the same index",
      RECIPE("xab ia<a", "0"), RECIPE("xab i9<b", "1"))
TAKES(EMBEDDING, embedding, none, "rows of g, added up at the rows of weight that they came from",
      RECIPE("xab ia<a", ""), RECIPE("xab i45<a", ""))
ADDS(SCATTER_ADD, scatter_add, "of x: g; of src: gather of g by the same index", RECIPE("xab iab<b xab", "1"),
     RECIPE("xa5 iab<5 xab", "1"))
ADDS(INDEX_ADD, index_add, "of x: g; of src: index_select of g by the same index", RECIPE("xab ia<a xab", "0"),
     RECIPE("xab i9<a x9b", "0"))

WEFT__DEFINE(
    SCATTER, scatter, OPERANDS(ANY_DTYPE, POSITIONS, ANY_DTYPE), ATTRS(along), INFER(infer_scatter, JOIN),
    RESULTS(1, EXACT), EFFECT(PURE),
    DERIVATIVE(weft__vjp_scatter, ROUNDS_ONCE, READS(SECOND), NO_KERNEL,
               GRADIENT("of x: g, 0 where a source is; of src: gather of g by the same index, 0 for sources that "
                        "others overwrote")),
    WORK(weft__terms_one, weft__flops_each, weft__bytes_once),
    SAMPLE(call_scatter, RECIPE("xab iab<b xab", "1"), RECIPE("xa5 iab<5 xab", "1")))

#define EXTREME(ID, name)                                                                                              \
    WEFT__DEFINE(ID, name, OPERANDS(NUMBERS, POSITIONS, NUMBERS), ATTRS(extreme), INFER(infer_extreme, JOIN),          \
                 RESULTS(1, EXACT), EFFECT(PURE),                                                                      \
                 DERIVATIVE(weft__vjp_##name, IN_STEPS, READS(FIRST | SECOND | THIRD | RESULT), NO_KERNEL,             \
                            GRADIENT("g, shared evenly by x, if it takes part, and the sources that are the extreme; " \
                                     "where that is NaN, so is the gradient")),                                        \
                 WORK(weft__terms_one, weft__flops_each, weft__bytes_once),                                            \
                 SAMPLE(call_##name, RECIPE("xab iab<b xab", "1 1"), RECIPE("xa5 iab<5 xab", "1 0")))
EXTREME(SCATTER_MAX, scatter_max)
EXTREME(SCATTER_MIN, scatter_min)

/* In place x keeps its dtype. */
static bool keeps_dtype(weft__infer *q)
{
    if (weft__is_float(q->in[0]->dtype) || !weft__is_float(q->in[2]->dtype))
        return true;
    return weft__refuse(q, WEFT_E_DTYPE,
                        "%s would be cut to whole numbers before it meets %s, which keeps its dtype; use the operation "
                        "without the underscore, or weft_cast it if that is meant",
                        weft__operand_text(q, 2).s, weft__operand_text(q, 0).s);
}

static bool infer_index_add_(weft__infer *q)
{
    return infer_index_add(q) && keeps_dtype(q);
}

static bool infer_scatter_add_(weft__infer *q)
{
    return infer_scatter_add(q) && keeps_dtype(q);
}

static bool infer_index_copy_(weft__infer *q)
{
    return slices_fit(q) && keeps_dtype(q) && weft__infer_like(q);
}

CALL(index_add_)
{
    c->out[0] = weft_index_add_(c->in[0], c->in[1], c->in[2], c->i[0]);
}

CALL(scatter_add_)
{
    c->out[0] = weft_scatter_add_(c->in[0], c->in[1], c->in[2], c->i[0]);
}

CALL(index_copy_)
{
    c->out[0] = weft_index_copy_(c->in[0], c->in[1], c->in[2], c->i[0]);
}

#define IN_PLACE_ROW(ID, name, kind, agreement, terms, ...)                                                            \
    WEFT__DEFINE(ID, name, OPERANDS(kind | CHANGED, POSITIONS, kind), ATTRS(along), INFER(infer_##name, LIKE_FIRST),   \
                 RESULTS(0, agreement), EFFECT(IN_PLACE), NO_DERIVATIVE,                                               \
                 WORK(terms, weft__flops_each, weft__bytes_once), SAMPLE(call_##name, __VA_ARGS__))
IN_PLACE_ROW(INDEX_ADD_, index_add_, NUMBERS, SUMMED, added_terms, RECIPE("rab ia<a oab", "0"),
             RECIPE("rab i9<a o9b", "0"))
IN_PLACE_ROW(SCATTER_ADD_, scatter_add_, NUMBERS, SUMMED, added_terms, RECIPE("rab iab<b oab", "1"),
             RECIPE("ra5 iab<5 oab", "1"))
IN_PLACE_ROW(INDEX_COPY_, index_copy_, ANY_DTYPE, EXACT, weft__terms_one, RECIPE("rab i2<a r2b", "0"),
             RECIPE("rab i5<b ra5", "1"))

/* ---- Front ends ---- */

weft_tensor *weft_gather(weft_tensor *x, weft_tensor *index, int64_t dim)
{
    weft_tensor *in[] = {x, index};
    weft__attrs attrs = {.along = {.dim = dim}};
    return weft__apply(WEFT_OP_GATHER, in, 2, &attrs);
}

weft_tensor *weft_scatter_add(weft_tensor *x, weft_tensor *index, weft_tensor *src, int64_t dim)
{
    weft_tensor *in[] = {x, index, src};
    weft__attrs attrs = {.along = {.dim = dim}};
    return weft__apply(WEFT_OP_SCATTER_ADD, in, 3, &attrs);
}

weft_tensor *weft_scatter(weft_tensor *x, weft_tensor *index, weft_tensor *src, int64_t dim)
{
    weft_tensor *in[] = {x, index, src};
    weft__attrs attrs = {.along = {.dim = dim}};
    return weft__apply(WEFT_OP_SCATTER, in, 3, &attrs);
}

weft_tensor *weft_scatter_max(weft_tensor *x, weft_tensor *index, weft_tensor *src, int64_t dim, bool include_self)
{
    weft_tensor *in[] = {x, index, src};
    weft__attrs attrs = {.extreme = {.dim = dim, .include_self = include_self}};
    return weft__apply(WEFT_OP_SCATTER_MAX, in, 3, &attrs);
}

weft_tensor *weft_scatter_min(weft_tensor *x, weft_tensor *index, weft_tensor *src, int64_t dim, bool include_self)
{
    weft_tensor *in[] = {x, index, src};
    weft__attrs attrs = {.extreme = {.dim = dim, .include_self = include_self}};
    return weft__apply(WEFT_OP_SCATTER_MIN, in, 3, &attrs);
}

static weft_tensor *change(int op, weft_tensor *x, weft_tensor *index, weft_tensor *src, int64_t dim)
{
    weft_tensor *in[] = {x, index, src};
    weft__attrs attrs = {.along = {.dim = dim}};
    return weft__apply(op, in, 3, &attrs);
}

weft_tensor *weft_index_add_(weft_tensor *x, weft_tensor *index, weft_tensor *src, int64_t dim)
{
    return change(WEFT_OP_INDEX_ADD_, x, index, src, dim);
}

weft_tensor *weft_scatter_add_(weft_tensor *x, weft_tensor *index, weft_tensor *src, int64_t dim)
{
    return change(WEFT_OP_SCATTER_ADD_, x, index, src, dim);
}

weft_tensor *weft_index_copy_(weft_tensor *x, weft_tensor *index, weft_tensor *src, int64_t dim)
{
    return change(WEFT_OP_INDEX_COPY_, x, index, src, dim);
}

weft_tensor *weft_index_select(weft_tensor *x, weft_tensor *index, int64_t dim)
{
    weft_tensor *in[] = {x, index};
    weft__attrs attrs = {.along = {.dim = dim}};
    return weft__apply(WEFT_OP_INDEX_SELECT, in, 2, &attrs);
}

weft_tensor *weft_index_add(weft_tensor *x, weft_tensor *index, weft_tensor *src, int64_t dim)
{
    weft_tensor *in[] = {x, index, src};
    weft__attrs attrs = {.along = {.dim = dim}};
    return weft__apply(WEFT_OP_INDEX_ADD, in, 3, &attrs);
}

weft_tensor *weft_embedding(weft_tensor *weight, weft_tensor *index)
{
    weft_tensor *in[] = {weight, index};
    return weft__apply(WEFT_OP_EMBEDDING, in, 2, NULL);
}

/* ---- Derivatives ---- */

static weft_tensor *zeros_for(const weft__vjp *v, int k)
{
    const weft__array *a = &v->in[k]->a;
    return weft_zeros(v->ctx, (weft_dtype)v->g->a.dtype, a->shape, a->ndim);
}

void weft__vjp_gather(weft__vjp *v)
{
    v->out[0] = weft_scatter_add(zeros_for(v, 0), v->in[1], v->g, (int)v->attrs->along.dim);
}

void weft__vjp_scatter_add(weft__vjp *v)
{
    v->out[0] = v->g;
    if (weft__wants(v, 2))
        v->out[2] = weft_gather(v->g, v->in[1], (int)v->attrs->along.dim);
}

/* A source stays where no other one that comes later along the dim has its index. */
void weft__vjp_scatter(weft__vjp *v)
{
    weft_tensor *index = v->in[1];
    const weft__array *x = &v->in[0]->a, *src = &v->in[2]->a;
    const int64_t dim = v->attrs->along.dim;
    if (weft__wants(v, 0))
        v->out[0] =
            weft_scatter(v->g, index, weft_zeros(v->ctx, (weft_dtype)v->g->a.dtype, src->shape, src->ndim), dim);
    if (!weft__wants(v, 2))
        return;
    int64_t shape[WEFT__MAX_DIMS];
    for (int d = 0; d < src->ndim; d++)
        shape[d] = d == dim ? src->shape[d] : 1;
    weft_tensor *place = weft_arange(v->ctx, WEFT_I64, 0, (double)src->shape[dim], 1);
    place = weft_expand(weft_reshape(place, shape, src->ndim), src->shape, src->ndim);
    weft_tensor *last = weft_scatter(weft_zeros(v->ctx, WEFT_I64, x->shape, x->ndim), index, place, dim);
    weft_tensor *stays = weft_eq(weft_gather(last, index, dim), place);
    v->out[2] = weft_where(stays, weft_gather(v->g, index, dim), weft__constant(v, 0));
}

/* Where nothing goes to, x counts as the only one, though it may be NaN. */
static void extreme(weft__vjp *v)
{
    weft_tensor *x = v->in[0], *index = v->in[1], *src = v->in[2], *y = weft_detach(v->y);
    const weft_dtype dtype = (weft_dtype)v->g->a.dtype;
    const int64_t dim = v->attrs->extreme.dim;
    const bool self = v->attrs->extreme.include_self != 0;
    weft_tensor *terms = weft_scatter_add(weft_zeros(v->ctx, WEFT_I64, x->a.shape, x->a.ndim), index,
                                          weft_ones(v->ctx, WEFT_I64, src->a.shape, src->a.ndim), dim);
    weft_tensor *alone = weft_eq(terms, weft_scalar(v->ctx, WEFT_I64, 0));
    weft_tensor *of_x = self ? weft_logical_or(alone, weft_eq(x, y)) : alone;
    weft_tensor *of_src = weft_eq(src, weft_gather(y, index, dim));
    weft_tensor *ties = weft_scatter_add(weft_cast(of_x, dtype), index, weft_cast(of_src, dtype), dim);
    weft_tensor *each = weft_div(v->g, ties), *zero = weft__constant(v, 0);
    weft_tensor *rest = weft_where(weft_isnan(y), y, zero);
    if (weft__wants(v, 0))
        v->out[0] = weft_where(of_x, each, self ? rest : zero);
    if (weft__wants(v, 2))
        v->out[2] = weft_where(of_src, weft_gather(each, index, dim), weft_gather(rest, index, dim));
}

void weft__vjp_scatter_max(weft__vjp *v)
{
    extreme(v);
}

void weft__vjp_scatter_min(weft__vjp *v)
{
    extreme(v);
}

void weft__vjp_index_select(weft__vjp *v)
{
    v->out[0] = weft_index_add(zeros_for(v, 0), v->in[1], v->g, (int)v->attrs->along.dim);
}

void weft__vjp_index_add(weft__vjp *v)
{
    v->out[0] = v->g;
    if (weft__wants(v, 2))
        v->out[2] = weft_index_select(v->g, v->in[1], (int)v->attrs->along.dim);
}

void weft__vjp_embedding(weft__vjp *v)
{
    weft_tensor *index = weft_reshape(v->in[1], (const int64_t[]){v->in[1]->a.count}, 1);
    weft_tensor *rows = weft_reshape(v->g, (const int64_t[]){v->in[1]->a.count, v->in[0]->a.shape[1]}, 2);
    v->out[0] = weft_index_add(zeros_for(v, 0), index, rows, 0);
}
