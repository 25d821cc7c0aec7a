/* record.c - appends operations to the tape: which inputs and outputs a derivative needs, and where a path was cut. */
#include <string.h>
#include "engine/engine.h"
#include "base/op_def.h"

/* Bit 63 of a set stands for all from there on. */
static bool is_in(uint64_t set, int k)
{
    return set >> (k < 63 ? k : 63) & 1u;
}

/* Numbers that no derivative will know of: not those of a comparison, nor where that is the purpose. */
static void note_cut(weft_ctx *ctx, int op, const weft_tensor *out)
{
    if (!ctx->grad_enabled || op == WEFT_OP_DETACH || !weft_dtype_is_float((weft_dtype)out->a.dtype))
        return;
    ctx->cuts++;
    ctx->last_cut = (uint16_t)op;
    ctx->last_cut_site = ctx->site;
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
            if (out)
                note_cut(ctx, op, out);
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

void weft__node_attrs(const weft__node *node, weft__attrs *attrs)
{
    attrs->ni = node->ni;
    attrs->nf = node->nf;
    for (int k = 0; k < node->ni; k++)
        attrs->numbers.i[k] = node->i[k];
    for (int k = 0; k < node->nf; k++)
        attrs->numbers.f[k] = node->f[k];
}

/* Blocks of a node's own, for what has no room in it. */
static size_t operand_bytes(const weft__node *node)
{
    return sizeof *node->in * (size_t)node->n_in + sizeof *node->versions * (size_t)(node->n_in + node->n_extra);
}

static size_t result_bytes(const weft__node *node)
{
    return sizeof *node->more * (size_t)(node->n_out - 1) + sizeof(weft_tensor *) * node->n_extra;
}

void weft__node_free_blocks(weft_ctx *ctx, weft__node *node)
{
    if (node->in && node->in != node->in_in_place)
        weft__host_free(ctx, node->in, operand_bytes(node));
    if (node->more)
        weft__host_free(ctx, node->more, result_bytes(node));
    if (node->i && node->i != node->i_in_place)
        weft__host_free(ctx, node->i, sizeof *node->i * node->ni);
    if (node->f && node->f != node->f_in_place)
        weft__host_free(ctx, node->f, sizeof *node->f * node->nf);
}

static bool has_room(const weft__node *node)
{
    return node->n_in <= WEFT__NODE_INPUTS && node->n_in + node->n_extra <= WEFT__NODE_VERSIONS && node->n_out <= 1 &&
           node->n_extra <= WEFT__NODE_EXTRA && node->ni <= WEFT__NODE_INTS && node->nf <= WEFT__NODE_REALS;
}

/* Blocks for what has no room in the node. False: out of memory. */
static __attribute__((noinline)) bool make_room(weft_ctx *ctx, weft__node *node)
{
    const bool many = node->n_out > 1 || node->n_extra > WEFT__NODE_EXTRA;
    if (node->n_in > WEFT__NODE_INPUTS || node->n_in + node->n_extra > WEFT__NODE_VERSIONS) {
        node->in = weft__host_alloc(ctx, operand_bytes(node));
        node->versions = node->in ? (uint32_t *)(node->in + node->n_in) : NULL;
    }
    if (many)
        node->more = weft__host_alloc(ctx, result_bytes(node));
    if (node->ni > WEFT__NODE_INTS)
        node->i = weft__host_alloc(ctx, sizeof *node->i * node->ni);
    if (node->nf > WEFT__NODE_REALS)
        node->f = weft__host_alloc(ctx, sizeof *node->f * node->nf);
    if (node->in && (node->more || !many) && node->i && node->f)
        return true;
    weft__node_free_blocks(ctx, node);
    return false;
}

/* read: the operands that the derivative reads. Versions of others do not matter. */
static weft__node *new_node(weft_ctx *ctx, int op, weft_tensor *const *in, int n_in, int n_out, int n_extra,
                            const weft__attrs *attrs, uint64_t read)
{
    weft__node *node = weft__slab_get(ctx, &ctx->nodes);
    if (!node)
        return NULL;
    node->n_in = n_in;
    node->n_out = n_out;
    node->n_extra = (uint16_t)n_extra;
    node->ni = attrs ? (uint8_t)attrs->ni : 0;
    node->nf = attrs ? (uint8_t)attrs->nf : 0;
    node->in = node->in_in_place;
    node->versions = node->versions_in_place;
    node->more = NULL;
    node->i = node->i_in_place;
    node->f = node->f_in_place;
    node->has_blocks = !has_room(node);
    if (node->has_blocks && !make_room(ctx, node)) {
        weft__slab_put(&ctx->nodes, node);
        return NULL;
    }
    node->refs = 0;
    node->op = (uint16_t)op;
    node->is_custom = false;
    node->visit = 0;
    node->custom = NULL;
    node->site = ctx->site;
    node->first = (weft__result){.tensor = NULL};
    for (int k = 1; k < n_out; k++)
        node->more[k - 1] = (weft__result){.tensor = NULL};
    for (int k = 0; k < node->ni; k++)
        node->i[k] = attrs->numbers.i[k];
    for (int k = 0; k < node->nf; k++)
        node->f[k] = attrs->numbers.f[k];
    for (int k = 0; k < n_in; k++) {
        weft_tensor *t = in[k];
        node->in[k] = t;
        if (!t)
            continue;
        weft__ref(t);
        node->versions[k] = is_in(read, k) ? t->storage->version : UINT32_MAX;
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

/* A result without its history, so that node and result do not hold each other. */
static bool save_result(weft_ctx *ctx, weft__result *result, weft_tensor *out)
{
    result->saved = weft__alias(ctx, (int)out->op, out);
    if (!result->saved)
        return false;
    weft__ref(result->saved);
    weft__scope_remove(result->saved);
    result->version = out->storage->version;
    return true;
}

/* Every result holds the node. */
static void attach(weft_tensor *out, weft__node *node, weft__result *result, int k)
{
    out->node = node;
    out->result = k;
    out->flags |= WEFT__REQUIRES_GRAD;
    result->tensor = out;
    node->refs++;
}

static void keep_extra(weft__node *node, weft_tensor *const *extra)
{
    weft_tensor **kept = weft__extra_of(node);
    for (int k = 0; k < node->n_extra; k++) {
        kept[k] = extra[k];
        if (!extra[k])
            continue;
        weft__ref(extra[k]);
        node->versions[node->n_in + k] = extra[k]->storage->version;
        extra[k]->cut_op = node->op | WEFT__CUT_RESULT;
        extra[k]->cut_site = node->site;
    }
}

static bool save_results(weft_ctx *ctx, weft__node *node, uint64_t read, weft_tensor *const *out)
{
    for (int k = 0; k < node->n_out; k++) {
        if (!out[k] || !is_in(read, k) || save_result(ctx, weft__result_of(node, k), out[k]))
            continue;
        node->refs = 1;
        weft__node_unref(ctx, node);
        return false;
    }
    return true;
}

/* Keeps what the derivative reads of the results, and gives them their history. */
static inline bool complete(weft_ctx *ctx, weft__node *node, uint64_t read, weft_tensor *const *out)
{
    if (node->n_extra)
        keep_extra(node, out + node->n_out);
    if (read && !save_results(ctx, node, read, out))
        return false;
    if (out[0])
        attach(out[0], node, &node->first, 0);
    for (int k = 1; k < node->n_out; k++)
        if (out[k])
            attach(out[k], node, weft__result_of(node, k), k);
    return true;
}

static void cut_all(const weft__call *call, int n_out)
{
    for (int k = 0; k < n_out; k++)
        if (call->out[k])
            weft__mark_cut(call->ctx, call->op, call->in, call->n_in, call->out[k]);
}

static bool any_float(weft_tensor *const *out, int n)
{
    for (int k = 0; k < n; k++)
        if (out[k] && weft_dtype_is_float((weft_dtype)out[k]->a.dtype))
            return true;
    return false;
}

bool weft__record(const weft__call *call)
{
    weft_ctx *ctx = call->ctx;
    const weft__op_def *def = weft__defs[call->op];
    const int n_out = def->n_differentiable > 0 ? def->n_differentiable : call->n_out; /* what a cut marks */
    bool wanted = any_requires(call->in, call->n_in);
    if (!wanted || !ctx->grad_enabled || !def->vjp || !any_float(call->out, n_out)) {
        if (wanted || (call->n_in && call->in[0] && call->in[0]->cut_op != WEFT_OP_COUNT))
            cut_all(call, n_out);
        return true;
    }
    const uint64_t read = weft__reads(def, call->attrs);
    weft__node *node = new_node(ctx, call->op, call->in, call->n_in, n_out, call->n_out - n_out, call->attrs,
                                weft__operands_read(def, read));
    return node ? complete(ctx, node, weft__results_read(read), call->out) : no_memory(ctx, call->op);
}

/* Keeps all results, and gives those their history that gradients can arrive at. */
static bool complete_custom(weft_ctx *ctx, weft__node *node, weft_tensor *const *out)
{
    if (!save_results(ctx, node, UINT64_MAX, out))
        return false;
    for (int k = 0; k < node->n_out; k++) {
        if (weft_dtype_is_float((weft_dtype)out[k]->a.dtype)) {
            attach(out[k], node, weft__result_of(node, k), k);
        } else {
            out[k]->cut_op = WEFT__CUT_CUSTOM | WEFT__CUT_RESULT;
            out[k]->cut_site = node->site;
        }
    }
    return true;
}

bool weft__record_custom(weft_ctx *ctx, const weft_custom_op *op, weft_tensor *const *in, int n,
                         weft_tensor *const *out, int n_out)
{
    const weft_custom_op known = weft__custom_known(op);
    const bool has_backward = known.backward || known.backward_all;
    if (!any_requires(in, n))
        return true;
    if (!ctx->grad_enabled || !has_backward || !any_float(out, n_out)) {
        for (int k = 0; k < n_out; k++)
            weft__mark_cut(ctx, has_backward ? WEFT__CUT_CUSTOM_UNRECORDED : WEFT__CUT_CUSTOM, in, n, out[k]);
        return true;
    }
    weft__node *node = new_node(ctx, WEFT_OP_COUNT, in, n, n_out, 0, NULL, UINT64_MAX);
    if (!node)
        return no_memory(ctx, -1);
    node->is_custom = true;
    node->custom = op;
    return complete_custom(ctx, node, out);
}
