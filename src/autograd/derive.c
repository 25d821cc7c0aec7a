/* derive.c - runs a derivative rule, on operands that are wide enough for it.
 *
 * A rule that is written in public operations rounds after each of them. In f16 and bf16 that would cost more digits
 * than the result has, or overflow on the way; so such rules see their operands, the result and the gradient in f32,
 * and only what they return is rounded: as in the fused kernels. Every rule is called here, so that none has to think
 * of it. */
#include "vjp.h"

/* Rules that move elements, or make each element by one product or sum, are rounded once as they are. */
static bool rounds_once(int op)
{
    const weft__op_info *info = &weft__ops[op];
    switch (info->family) {
    case WEFT__UNARY:
    case WEFT__UNARY_P:
    case WEFT__BINARY:
        return info->saves == WEFT__SAVES_NIL; /* linear in the operands */
    case WEFT__TERNARY:
    case WEFT__VIEW:
        return true;
    default:
        break;
    }
    switch (op) {
    case WEFT_OP_SUM:
    case WEFT_OP_MEAN:
    case WEFT_OP_CAST:
    case WEFT_OP_MATMUL:
    case WEFT_OP_LINEAR:
    case WEFT_OP_CONCAT:
    case WEFT_OP_PAD:
    case WEFT_OP_FLIP:
    case WEFT_OP_GATHER:
    case WEFT_OP_SCATTER_ADD:
    case WEFT_OP_INDEX_SELECT:
    case WEFT_OP_INDEX_ADD:
    case WEFT_OP_EMBEDDING:
    case WEFT_OP_CONV2D:
    case WEFT_OP_CONV2D_TRANSPOSE:
    case WEFT_OP_CONV2D_WEIGHT:
    case WEFT_OP_MAX_POOL2D:
    case WEFT_OP_AVG_POOL2D:
    case WEFT_OP_AVG_UNPOOL2D:
        return true;
    default:
        return false;
    }
}

/* Kernels serve the first order of all rows but the reductions. */
static bool takes_steps(const weft__vjp *v)
{
    const int op = v->node->op;
    return (v->create_graph || weft__ops[op].family == WEFT__REDUCE) && !rounds_once(op);
}

void weft__derive(weft__vjp *v)
{
    const weft__node *node = v->node;
    weft_tensor *in[WEFT__NODE_INPUTS], *extra[WEFT__MAX_OUT - 1];
    if (!takes_steps(v) || node->n_in > WEFT__NODE_INPUTS) {
        weft__vjps[node->op](v);
        return;
    }
    weft__vjp wide = *v;
    wide.in = in;
    wide.extra = extra;
    for (int k = 0; k < node->n_in; k++)
        in[k] = weft__widened(v->in[k]);
    for (int k = 0; k < node->n_extra; k++)
        extra[k] = weft__widened(v->extra[k]);
    wide.y = weft__widened(v->y);
    wide.g = weft__widened(v->g);
    if (v->ctx->status != WEFT_OK)
        return;
    weft__vjps[node->op](&wide);
    for (int k = 0; k < node->n_in; k++)
        if (v->out[k])
            v->out[k] = weft__narrowed(v->out[k], (weft_dtype)v->in[k]->a.dtype);
}
