/* custom.c - operations defined by the user's callbacks. */
#include <string.h>
#include "engine/observe.h"

static weft_array outside_view(const weft__array *a, bool with_data)
{
    return (weft_array){.data = with_data ? a->data : NULL,
                        .dtype = (weft_dtype)a->dtype,
                        .ndim = a->ndim,
                        .shape = a->shape,
                        .count = a->count};
}

static weft_status infer(weft_ctx *ctx, const weft_custom_op *op, weft_tensor *const *in, int n, weft_dtype *dtype,
                         int64_t *shape, int *ndim)
{
    weft_array views[WEFT__MAX_CUSTOM_INPUTS];
    *dtype = (weft_dtype)in[0]->a.dtype;
    *ndim = in[0]->a.ndim;
    memcpy(shape, in[0]->a.shape, sizeof in[0]->a.shape);
    if (!op->infer)
        return WEFT_OK;
    for (int k = 0; k < n; k++)
        views[k] = outside_view(&in[k]->a, false);
    const weft__call_id call = weft__call_begins(ctx, "the shape rule of a custom operation", false);
    if (!call)
        return ctx->status;
    weft_status status = op->infer(ctx, views, n, dtype, shape, ndim, op->user);
    if (!weft__call_ends(ctx, "custom", call))
        return WEFT_E_STATE;
    if (status != WEFT_OK)
        return weft__fail_named(ctx, op->name, status, "its shape rule refused %s%s", weft__describe(in[0]).s,
                                n > 1 ? " and the other operands" : "");
    if (*ndim < 0 || *ndim > WEFT__MAX_DIMS || (unsigned)*dtype >= WEFT_DTYPE_COUNT)
        return weft__fail_named(ctx, op->name, WEFT_E_CALLBACK, "its shape rule gave %d dims and dtype %d", *ndim,
                                (int)*dtype);
    return WEFT_OK;
}

/* A forward callback with its arguments. */
typedef struct forward_call {
    weft_ctx *ctx;
    const weft_custom_op *op;
    const weft_custom_device *device; /* NULL: the one for the host */
    const weft_array *in;
    weft_array *out;
    int n;
} forward_call;

static weft_status call_on_stream(void *stream, void *user)
{
    const forward_call *f = user;
    return f->device->forward(f->ctx, f->in, f->n, f->out, stream, f->op->user);
}

static weft_status call_it(const forward_call *f)
{
    const weft__backend *backend = f->ctx->backend;
    if (!f->device)
        return f->op->forward(f->ctx, f->in, f->n, f->out, f->op->user);
    return backend->with_stream ? backend->with_stream(f->ctx->device, call_on_stream, (void *)f)
                                : call_on_stream(NULL, (void *)f);
}

/* The devices that it is for, as in "it is for \"cpu\" and \"cuda\"". */
static weft_status refuse_device(weft_ctx *ctx, const weft_custom_op *op)
{
    char has[256] = "";
    size_t used = op->forward ? (size_t)weft_text(has, sizeof has, "the host") : 0;
    for (int k = 0; k < WEFT_CUSTOM_DEVICES && op->devices[k].device && used < sizeof has; k++)
        used +=
            (size_t)weft_text(has + used, sizeof has - used, "%s\"%.32s\"", used ? ", " : "", op->devices[k].device);
    return weft__fail_named(ctx, op->name, WEFT_E_UNSUPPORTED,
                            "it has no forward callback for the device \"%s\", only for %s; add {\"%s\", callback} to "
                            "its devices, or bring the operands to another device with weft_copy_to",
                            ctx->backend->name, has, ctx->backend->name);
}

/* Calls the callback on dense arrays. */
static weft_status call_forward(weft_ctx *ctx, const weft_custom_op *op, const weft__array *const *in, int n,
                                weft__array *out)
{
    weft_array views[WEFT__MAX_CUSTOM_INPUTS], result = outside_view(out, true);
    for (int k = 0; k < n; k++)
        views[k] = outside_view(in[k], true);
    forward_call f = {.ctx = ctx, .op = op, .in = views, .out = &result, .n = n};
    if (!weft__custom_runs(ctx, op, &f.device))
        return refuse_device(ctx, op);
    const weft__call_id call = weft__call_begins(ctx, "the forward callback of a custom operation", false);
    if (!call)
        return ctx->status;
    weft_status status = call_it(&f);
    if (!weft__call_ends(ctx, "custom", call))
        return WEFT_E_STATE;
    if (status == WEFT_OK)
        return ctx->status;
    return weft__fail_named(ctx, op->name, WEFT_E_CALLBACK, "its forward callback for \"%s\" returned %s",
                            ctx->backend->name, weft_status_name(status));
}

static weft_status forward(weft_ctx *ctx, const weft_custom_op *op, weft_tensor *const *in, int n, weft_tensor *out)
{
    const weft__array *arrays[WEFT__MAX_CUSTOM_INPUTS];
    weft__array *result = &out->a;
    for (int k = 0; k < n; k++) {
        weft_tensor *dense = weft__dense(ctx, in[k]);
        if (!dense)
            return ctx->status;
        arrays[k] = &dense->a;
    }
    if (!ctx->observer)
        return call_forward(ctx, op, arrays, n, result);
    weft__launch l = {.ctx = ctx,
                      .op = WEFT_OP_COUNT,
                      .in = arrays,
                      .out = &result,
                      .n_in = n,
                      .n_out = 1,
                      .custom = op,
                      .run = call_forward};
    const int depth = ctx->depth;
    weft__launch_begins(&l);
    const weft_status status = call_forward(ctx, op, arrays, n, result);
    if (ctx->depth == depth) /* else all of it was given up: operands and result are gone */
        weft__launch_ends(&l, status);
    return status;
}

/* A bool that the callback made may hold other bytes than 0 and 1. */
static weft_status make_truths(weft_ctx *ctx, weft_tensor *out)
{
    if (out->a.dtype != WEFT_BOOL ||
        (ctx->backend->host_memory && weft__first_untruth(out->a.data, (size_t)out->a.count) < 0))
        return WEFT_OK;
    return weft__make_truths(ctx, &out->a);
}

static weft_tensor *run(weft_ctx *ctx, const weft_custom_op *op, weft_tensor *const *in, int n)
{
    weft_dtype dtype;
    int64_t shape[WEFT__MAX_DIMS];
    int ndim;
    if (infer(ctx, op, in, n, &dtype, shape, &ndim) != WEFT_OK)
        return NULL;
    weft_tensor *out = weft__new(ctx, -1, dtype, shape, ndim);
    if (!out || forward(ctx, op, in, n, out) != WEFT_OK || make_truths(ctx, out) != WEFT_OK)
        return NULL;
    if (ctx->options.nan_watch && !weft__watch_result(ctx, op->name, in, n, out))
        return NULL;
    return weft__record_custom(ctx, op, in, n, out) ? out : NULL;
}

/* Graphs read the struct in place, as long as they live, so it must have every field of the first release; those that
 * later ones append are to be read where struct_size says that they are there. */
static bool complete(weft_ctx *ctx, const weft_custom_op *op, int n)
{
    static const weft_custom_op none = WEFT_CUSTOM_OP_DEFAULTS;
    const size_t first_release = offsetof(weft_custom_op, user) + sizeof op->user;
    weft_custom_op known;
    if (weft_struct_in(ctx, "custom", "weft_custom_op", &none, op, &known) != WEFT_OK)
        return false;
    if (op->struct_size >= first_release && n <= WEFT__MAX_CUSTOM_INPUTS && op->name &&
        (op->forward || op->devices[0].device))
        return true;
    weft__fail_named(ctx, "custom", WEFT_E_INVALID,
                     "needs struct_size of at least %zu (is %zu), a name, a forward callback and at most %d operands "
                     "(%d given)",
                     first_release, op->struct_size, WEFT__MAX_CUSTOM_INPUTS, n);
    return false;
}

weft_tensor *weft_custom(const weft_custom_op *op, weft_tensor *const *inputs, int n)
{
    if (!op || !inputs || n < 1)
        return weft__note_lost("custom", WEFT_E_INVALID, op && inputs ? "was given no tensors" : "was given NULL"),
               NULL;
    weft_ctx *ctx = weft__enter_named("custom", NULL, inputs, n, 0);
    if (!ctx)
        return NULL;
    const int depth = ctx->depth;
    if (depth == 1 && op->name)
        ctx->outer_name = op->name;
    weft_tensor *in[WEFT__MAX_CUSTOM_INPUTS], *out = NULL;
    if (complete(ctx, op, n)) {
        memcpy(in, inputs, sizeof *in * (size_t)n);
        out = weft__localise(ctx, in, n) ? run(ctx, op, in, n) : NULL;
    }
    if (ctx->depth == depth) /* else a callback has closed the scopes around it */
        weft__leave(ctx);
    return out;
}
