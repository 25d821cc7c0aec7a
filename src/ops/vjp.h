/* vjp.h - vector-Jacobian products: what a derivative rule is given and what it returns. */
#ifndef WEFT_OPS_VJP_H
#define WEFT_OPS_VJP_H

#include "engine/engine.h"

/* Where the gradient of a slice belongs: dim d, elements from, from + step ... of it. */
typedef struct weft__place {
    int dim;
    int64_t from, step;
} weft__place;

/* A rule that takes several steps gets f16 and bf16 tensors as f32 (derive.c). */
typedef struct weft__vjp {
    weft_ctx *ctx;
    const weft__node *node;
    weft_tensor *g;            /* gradient of the result, of its shape and dtype; of several results: gs[0] */
    weft_tensor *const *gs;    /* those of all differentiable results; NULL: nobody used that one, so that it is 0 */
    weft_tensor *const *in;    /* the operands; optional ones may be NULL */
    weft_tensor *y;            /* the result, where weft__record kept it; with history when create_graph is set */
    weft_tensor *const *ys;    /* likewise all differentiable results; y is ys[0] */
    weft_tensor *const *extra; /* the results that are not differentiable */
    const weft__attrs *attrs;  /* those of the node */
    bool create_graph;         /* the gradient is to be differentiated, too */
    uint64_t unwanted;         /* bit k: though it requires a gradient, that of operand k is not asked for; k < 64 */
    bool compose;              /* use public operations, no fused kernel: for that, or because the device has none */
    weft_tensor **out;         /* to be set: gradients of the operands, all NULL at first. Each may be larger than its
                                 operand where that was broadcast, and of another dtype: the caller sums and casts */
    weft__place place;         /* step > 0: out[0] is the gradient of this slice of in[0], zero elsewhere; at first 0 */
} weft__vjp;

/* One rule for each differentiable row, by name; the row's record (base/op_def.h) refers to it. */
#define VJP_YES(name) void weft__vjp_##name(weft__vjp *v);
#define VJP_NONE(name)
#define VJP_NO(why) VJP_NONE
#define WEFT_UNARY(ID, name, ...) VJP_YES(name)
#define WEFT_UNARY_P(ID, name, ...) VJP_YES(name)
#define WEFT_BINARY(ID, name, ...) VJP_YES(name)
#define WEFT_TERNARY(ID, name, ...) VJP_YES(name)
#define WEFT_REDUCE(ID, name, cls, result, saves, agrees, grad, words, doc) VJP_##grad(name)
#define WEFT_VIEW(ID, name, ...) VJP_YES(name) /* that of detach is never written nor referred to */
#define WEFT_CUSTOM(ID, name, result, params, grad, doc) VJP_##grad(name)
#include "ops/ops.def"
#undef VJP_YES
#undef VJP_NONE
#undef VJP_NO

/* Fills v->out by the rule in the record of v->node's row. */
void weft__derive(weft__vjp *v);

/* Does operand k want a gradient? Of v->in[k], widened without a record, one would not know. */
static inline bool weft__wants(const weft__vjp *v, int k)
{
    return weft__requires(v->node->in[k]) && !(k < 64 && v->unwanted >> k & 1u);
}

/* A 0-d constant in g's dtype. */
static inline weft_tensor *weft__constant(const weft__vjp *v, double value)
{
    return weft_scalar(v->ctx, (weft_dtype)v->g->a.dtype, value);
}

/* Whether the device has a kernel for the gradient of a row (its own, or a KERNEL row) in g's dtype. */
bool weft__has_fused(const weft__vjp *v, int op);
/* Runs a KERNEL row (a fused first-order gradient) on arrays; outputs that are not wanted are NULL. */
weft_status weft__run_fused(weft__vjp *v, int op, weft_tensor *const *in, int n_in, weft_tensor *const *out, int n_out);
/* v->out[k] for a kernel to fill: like operand k, uninitialised; NULL if its gradient is not wanted. */
weft_tensor *weft__room_for(weft__vjp *v, int k);
/* All of v->out to NULL, after an error. */
void weft__drop_all(weft__vjp *v);

#endif
