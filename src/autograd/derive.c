/* derive.c - runs a derivative rule, on operands that are wide enough for it.
 *
 * A rule that is written in public operations rounds after each of them. In f16 and bf16 that would cost more digits
 * than the result has, or overflow on the way; so such rules see their operands, the result and the gradient in f32,
 * and only what they return is rounded: as in the fused kernels. Every rule is called here, so that none has to think
 * of it. */
#include "base/op_def.h"
#include "ops/vjp.h"

/* Where a kernel serves the first order, it does that in one step. */
static bool takes_steps(const weft__vjp *v, const weft__op_def *def)
{
    return (v->compose || def->fused < 0) && !def->rounds_once;
}

/* Operands, results and gradients of a rule in f32, in a row of its own that the rule's view of them points to. */
static int widen(weft_tensor **row, weft_tensor *const *tensors, int n)
{
    for (int k = 0; k < n; k++)
        row[k] = weft__widened(tensors[k]);
    return n;
}

static void derive_wide(const weft__vjp *v, weft_tensor **row)
{
    const weft__node *node = v->node;
    weft__vjp wide = *v;
    wide.in = row;
    row += widen(row, v->in, node->n_in);
    wide.extra = row;
    row += widen(row, v->extra, node->n_extra);
    wide.ys = row;
    row += widen(row, v->ys, node->n_out);
    wide.gs = row;
    widen(row, v->gs, node->n_out);
    wide.y = wide.ys[0];
    wide.g = wide.gs[0];
    if (v->ctx->status != WEFT_OK)
        return;
    weft__defs[node->op]->vjp(&wide);
    for (int k = 0; k < node->n_in; k++)
        if (v->out[k])
            v->out[k] = weft__narrowed(v->out[k], (weft_dtype)v->in[k]->a.dtype);
}

void weft__derive(weft__vjp *v)
{
    enum { FEW = 16 };
    const weft__node *node = v->node;
    const weft__op_def *def = weft__defs[node->op];
    v->compose = v->create_graph || (def->fused >= 0 && !weft__has_fused(v, def->fused));
    if (!takes_steps(v, def)) {
        def->vjp(v);
        return;
    }
    weft_tensor *few[FEW], **row = few;
    const int64_t n = (int64_t)node->n_in + node->n_extra + 2 * (int64_t)node->n_out;
    if (n > FEW && !(row = weft__host_array(v->ctx, n, sizeof *row))) {
        weft__fail_named(v->ctx, "backward", WEFT_E_NOMEM, "out of memory for %lld tensors", (long long)n);
        return;
    }
    derive_wide(v, row);
    if (row != few)
        weft__host_free(v->ctx, row, sizeof *row * (size_t)n);
}
