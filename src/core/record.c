/* record.c - appends operations to the tape: which inputs and outputs a derivative needs, and where a path was cut. */
#include <string.h>
#include "core.h"

/* What a derivative reads: inputs as bits, and whether it reads the result. */
typedef struct needs {
    unsigned inputs;
    bool result;
} needs;

static needs what_is_read(int op, const weft__attrs *attrs)
{
    const weft__op_info *info = &weft__ops[op];
    switch (info->family) {
    case WEFT__UNARY:
    case WEFT__UNARY_P:
    case WEFT__BINARY:
        return (needs){(unsigned)info->saves & 3u, info->saves & WEFT__SAVES_Y};
    case WEFT__TERNARY:
        return (needs){1, false};
    default:
        break;
    }
    switch (op) {
    case WEFT_OP_PROD:
    case WEFT_OP_LOGSUMEXP:
        return (needs){1, false};
    case WEFT_OP_MAX_OVER:
    case WEFT_OP_MIN_OVER:
    case WEFT_OP_NORM:
        return (needs){1, true};
    case WEFT_OP_SOFTMAX:
    case WEFT_OP_LOG_SOFTMAX:
        return (needs){0, true};
    case WEFT_OP_ATTENTION:
        return (needs){7, true};
    case WEFT_OP_LINEAR_ACT: /* gradients of GELU's gradient make its sums again, with the bias */
        return (needs){attrs->i[0] == WEFT_ACTIVATION_GELU_TANH ? 7 : 3, attrs->i[0] == WEFT_ACTIVATION_RELU};
    case WEFT_OP_MATMUL:
    case WEFT_OP_LINEAR:
    case WEFT_OP_CROSS_ENTROPY_WITH:
    case WEFT_OP_LAYER_NORM:
    case WEFT_OP_RMS_NORM:
    case WEFT_OP_BATCH_NORM:
    case WEFT_OP_CONV2D:
    case WEFT_OP_CONV2D_TRANSPOSE:
    case WEFT_OP_CONV2D_WEIGHT:
        return (needs){3, false};
    case WEFT_OP_GATHER:
    case WEFT_OP_SCATTER_ADD:
    case WEFT_OP_INDEX_SELECT:
    case WEFT_OP_INDEX_ADD:
    case WEFT_OP_EMBEDDING:
        return (needs){2, false};
    default:
        return (needs){0, false};
    }
}

void weft__mark_cut(weft_ctx *ctx, int op, weft_tensor *const *in, int n, weft_tensor *out)
{
    for (int k = 0; k < n; k++) {
        weft_tensor *t = in[k];
        if (!t || (t->flags & WEFT__IS_SHARED))
            continue;
        if (t->flags & WEFT__REQUIRES_GRAD) {
            t->cut_op = (uint16_t)op;
            t->cut_site = ctx->site;
            t->cut_epoch = ctx->backward_count + 1;
            if (t->leaf && ctx->grad_enabled)
                t->leaf->used_epoch = ctx->backward_count + 1;
            if (out && out->cut_op == WEFT_OP_COUNT) {
                out->cut_op = (uint16_t)op;
                out->cut_site = ctx->site;
            }
        } else if (out && t->cut_op != WEFT_OP_COUNT && out->cut_op == WEFT_OP_COUNT) {
            out->cut_op = t->cut_op;
            out->cut_site = t->cut_site;
        }
    }
}

static bool any_requires(weft_tensor *const *in, int n)
{
    for (int k = 0; k < n; k++)
        if (weft__requires(in[k]))
            return true;
    return false;
}

static bool room_for(weft_ctx *ctx, weft__node *node, int n_in, int ni, int nf)
{
    node->in = node->in_in_place;
    node->versions = node->versions_in_place;
    node->i = node->i_in_place;
    node->f = node->f_in_place;
    if (n_in > WEFT__NODE_INPUTS) {
        node->in = weft__host_alloc(ctx, (sizeof *node->in + sizeof *node->versions) * (size_t)n_in);
        if (!node->in)
            return false;
        node->versions = (uint32_t *)(node->in + n_in);
    }
    if (ni > WEFT__NODE_INTS && !(node->i = weft__host_alloc(ctx, sizeof *node->i * (size_t)ni)))
        goto no_ints;
    if (nf > WEFT__NODE_REALS && !(node->f = weft__host_alloc(ctx, sizeof *node->f * (size_t)nf)))
        goto no_reals;
    return true;
no_reals:
    if (node->i != node->i_in_place)
        weft__host_free(ctx, node->i, sizeof *node->i * (size_t)ni);
no_ints:
    if (node->in != node->in_in_place)
        weft__host_free(ctx, node->in, (sizeof *node->in + sizeof *node->versions) * (size_t)n_in);
    return false;
}

static weft__node *new_node(weft_ctx *ctx, int op, weft_tensor *const *in, int n_in, const weft__attrs *attrs)
{
    weft__node *node = weft__slab_get(ctx, &ctx->nodes);
    if (!node)
        return NULL;
    int ni = attrs ? attrs->ni : 0, nf = attrs ? attrs->nf : 0;
    if (!room_for(ctx, node, n_in, ni, nf)) {
        weft__slab_put(&ctx->nodes, node);
        return NULL;
    }
    node->refs = 1;
    node->op = (uint16_t)op;
    node->n_in = n_in;
    node->n_extra = 0;
    node->ni = (uint8_t)ni;
    node->nf = (uint8_t)nf;
    node->is_custom = false;
    node->visit = 0;
    node->y = node->output = NULL;
    node->pending = (weft__sum){.whole = NULL};
    node->custom = NULL;
    node->site = ctx->site;
    for (int k = 0; k < ni; k++)
        node->i[k] = attrs->i[k];
    for (int k = 0; k < nf; k++)
        node->f[k] = attrs->f[k];
    for (int k = 0; k < n_in; k++) {
        weft_tensor *t = in[k];
        node->in[k] = t;
        if (!t)
            continue;
        weft__ref(t);
        node->versions[k] = t->storage->version;
        if (t->leaf)
            t->leaf->used_epoch = ctx->backward_count + 1;
    }
    node->prev = ctx->tape_last;
    node->next = NULL;
    *(ctx->tape_last ? &ctx->tape_last->next : &ctx->tape_first) = node;
    ctx->tape_last = node;
    return node;
}

static bool no_memory(weft_ctx *ctx, int op)
{
    weft__fail(ctx, op, WEFT_E_NOMEM, "out of memory for the tape (%lld operations on it)",
               (long long)ctx->nodes.in_use);
    return false;
}

/* The result without its history, so that node and result do not hold each other. */
static bool save_result(weft_ctx *ctx, weft__node *node, weft_tensor *out)
{
    node->y = weft__alias(ctx, (int)out->op, out);
    if (!node->y)
        return false;
    weft__ref(node->y);
    weft__scope_remove(node->y);
    node->y_version = out->storage->version;
    return true;
}

static void attach(weft_tensor *out, weft__node *node)
{
    out->node = node;
    out->flags |= WEFT__REQUIRES_GRAD;
    node->output = out;
}

bool weft__record(weft__call *call)
{
    weft_ctx *ctx = call->ctx;
    weft_tensor *out = call->out[0];
    const weft__op_info *info = &weft__ops[call->op];
    bool wanted = any_requires(call->in, call->n_in);
    if (!wanted || !ctx->grad_enabled || !info->differentiable || !weft_dtype_is_float((weft_dtype)out->a.dtype)) {
        if (wanted || (call->n_in && call->in[0] && call->in[0]->cut_op != WEFT_OP_COUNT))
            weft__mark_cut(ctx, call->op, call->in, call->n_in, out);
        return true;
    }
    weft__node *node = new_node(ctx, call->op, call->in, call->n_in, call->attrs);
    if (!node)
        return no_memory(ctx, call->op);
    needs read = what_is_read(call->op, call->attrs);
    if (read.result && !save_result(ctx, node, out)) {
        weft__node_unref(ctx, node);
        return false;
    }
    for (int k = 0; k < node->n_in; k++) /* versions matter only where the data is read again */
        if (!(k < 32 && (read.inputs >> k & 1u)))
            node->versions[k] = UINT32_MAX;
    for (int k = 1; k < call->n_out; k++) {
        node->extra[node->n_extra++] = call->out[k];
        if (call->out[k])
            weft__ref(call->out[k]);
    }
    attach(out, node);
    return true;
}

bool weft__record_custom(weft_ctx *ctx, const weft_custom_op *op, weft_tensor *const *in, int n, weft_tensor *out)
{
    if (!any_requires(in, n))
        return true;
    if (!ctx->grad_enabled || !op->backward) {
        weft__mark_cut(ctx, op->backward ? WEFT__CUT_CUSTOM_UNRECORDED : WEFT__CUT_CUSTOM, in, n, out);
        return true;
    }
    weft__node *node = new_node(ctx, WEFT_OP_COUNT, in, n, NULL);
    if (!node)
        return no_memory(ctx, -1);
    node->is_custom = true;
    node->custom = op;
    if (!save_result(ctx, node, out)) {
        weft__node_unref(ctx, node);
        return false;
    }
    attach(out, node);
    return true;
}
