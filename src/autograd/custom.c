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

/* What the shape rule says of the results. */
typedef struct shapes {
    weft_dtype dtype[WEFT_CUSTOM_OUTPUTS];
    int ndim[WEFT_CUSTOM_OUTPUTS];
    int64_t shape[WEFT_CUSTOM_OUTPUTS][WEFT__MAX_DIMS];
} shapes;

static int count_outputs(const weft_custom_op *op)
{
    return op->n_outputs > 1 ? (int)op->n_outputs : 1;
}

static weft_status infer(weft_ctx *ctx, const weft_custom_op *op, weft_tensor *const *in, int n, shapes *s)
{
    weft_array views[WEFT__MAX_CUSTOM_INPUTS];
    const int n_out = count_outputs(op);
    for (int k = 0; k < n_out; k++) {
        s->dtype[k] = (weft_dtype)in[0]->a.dtype;
        s->ndim[k] = in[0]->a.ndim;
        memcpy(s->shape[k], in[0]->a.shape, sizeof s->shape[k]);
    }
    if (!op->infer)
        return WEFT_OK;
    for (int k = 0; k < n; k++)
        views[k] = outside_view(&in[k]->a, false);
    const weft__call_id call = weft__call_begins(ctx, "the shape rule of a custom operation", false);
    if (!call)
        return ctx->status;
    weft_status status = op->infer(ctx, views, n, s->dtype, s->shape[0], s->ndim, op->user);
    if (!weft__call_ends(ctx, "custom", call))
        return WEFT_E_STATE;
    if (status != WEFT_OK)
        return weft__fail_named(ctx, op->name, status, "its shape rule refused %s%s", weft__describe(in[0]).s,
                                n > 1 ? " and the other operands" : "");
    for (int k = 0; k < n_out; k++)
        if (s->ndim[k] < 0 || s->ndim[k] > WEFT__MAX_DIMS || (unsigned)s->dtype[k] >= WEFT_DTYPE_COUNT)
            return weft__fail_named(ctx, op->name, WEFT_E_CALLBACK,
                                    "its shape rule gave %d dims and dtype %d to result %d", s->ndim[k],
                                    (int)s->dtype[k], k);
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
                                weft__array *const *out)
{
    const weft_custom_op known = weft__custom_known(op);
    weft_array views[WEFT__MAX_CUSTOM_INPUTS], results[WEFT_CUSTOM_OUTPUTS];
    for (int k = 0; k < n; k++)
        views[k] = outside_view(in[k], true);
    for (int k = 0; k < count_outputs(&known); k++)
        results[k] = outside_view(out[k], true);
    forward_call f = {.ctx = ctx, .op = &known, .in = views, .out = results, .n = n};
    if (!weft__custom_runs(ctx, &known, &f.device))
        return refuse_device(ctx, &known);
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

static weft_status forward(weft_ctx *ctx, const weft_custom_op *op, weft_tensor *const *in, int n,
                           weft_tensor *const *out, int n_out)
{
    const weft__array *arrays[WEFT__MAX_CUSTOM_INPUTS];
    weft__array *results[WEFT_CUSTOM_OUTPUTS];
    for (int k = 0; k < n_out; k++)
        results[k] = &out[k]->a;
    for (int k = 0; k < n; k++) {
        weft_tensor *dense = weft__dense(ctx, in[k]);
        if (!dense)
            return ctx->status;
        arrays[k] = &dense->a;
    }
    if (!ctx->observer)
        return call_forward(ctx, op, arrays, n, results);
    weft__launch l = {.ctx = ctx,
                      .op = WEFT_OP_COUNT,
                      .in = arrays,
                      .out = results,
                      .n_in = n,
                      .n_out = n_out,
                      .custom = op,
                      .run = call_forward};
    const int depth = ctx->depth;
    weft__launch_begins(&l);
    const weft_status status = call_forward(ctx, op, arrays, n, results);
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

/* op as the caller has it, which graphs refer to, and what it is known to say. */
static bool run(weft_ctx *ctx, const weft_custom_op *op, const weft_custom_op *known, weft_tensor *const *in, int n,
                weft_tensor **out)
{
    shapes s;
    const int n_out = count_outputs(known);
    if (infer(ctx, known, in, n, &s) != WEFT_OK)
        return false;
    for (int k = 0; k < n_out; k++)
        if (!(out[k] = weft__new(ctx, -1, s.dtype[k], s.shape[k], s.ndim[k])))
            return false;
    if (forward(ctx, op, in, n, out, n_out) != WEFT_OK)
        return false;
    for (int k = 0; k < n_out; k++)
        if (make_truths(ctx, out[k]) != WEFT_OK)
            return false;
    if (ctx->options.nan_watch && !weft__watch_results(ctx, known->name, in, n, out, n_out))
        return false;
    return weft__record_custom(ctx, op, in, n, out, n_out);
}

static const char *mistake_in(const weft_custom_op *known, int n, bool alone)
{
    if (!known->name)
        return "needs a name";
    if (!known->forward && !known->devices[0].device)
        return "needs a forward callback";
    if (n > WEFT__MAX_CUSTOM_INPUTS)
        return "takes at most 64 operands";
    if (known->n_outputs > WEFT_CUSTOM_OUTPUTS)
        return "has at most 64 results";
    if (known->n_outputs > 1 && alone)
        return "gives one result; use weft_custom_all for an operation with several";
    if (known->n_outputs > 1 && known->backward && !known->backward_all)
        return "has several results, and backward is for one: use backward_all";
    return NULL;
}

/* Graphs read the struct in place, as long as they live, each time as far as its struct_size goes. */
static bool read_op(weft_ctx *ctx, const weft_custom_op *op, int n, bool alone, weft_custom_op *known)
{
    static const weft_custom_op none = WEFT_CUSTOM_OP_DEFAULTS;
    if (weft_struct_in(ctx, "custom", "weft_custom_op", &none, op, known) != WEFT_OK)
        return false;
    const char *mistake = mistake_in(known, n, alone);
    if (mistake)
        weft__fail_named(ctx, "custom", WEFT_E_INVALID, "%s (the operation \"%s\", %d operands, %zu results)", mistake,
                         known->name ? known->name : "", n, known->n_outputs > 1 ? known->n_outputs : (size_t)1);
    return !mistake;
}

/* Why nothing was done. */
static weft_status status_of(weft_tensor *const *inputs, int n)
{
    for (int k = 0; k < n; k++)
        if (inputs[k] && inputs[k]->ctx)
            return inputs[k]->ctx->status;
    return WEFT_E_NULL_ARGUMENT;
}

/* Fills out; false: error recorded. */
static bool call(const weft_custom_op *op, weft_tensor *const *inputs, int n, bool alone, weft_tensor **out)
{
    if (!op || !inputs || n < 1)
        return weft__note_lost("custom", WEFT_E_INVALID, op && inputs ? "was given no tensors" : "was given NULL"),
               false;
    weft_ctx *ctx = weft__enter_named("custom", NULL, inputs, n, 0);
    if (!ctx)
        return false;
    bool done = false;
    const int depth = ctx->depth;
    weft_tensor *in[WEFT__MAX_CUSTOM_INPUTS];
    weft_custom_op known;
    if (read_op(ctx, op, n, alone, &known)) {
        if (depth == 1)
            ctx->outer_name = known.name;
        memcpy(in, inputs, sizeof *in * (size_t)n);
        done = weft__localise(ctx, in, n) && run(ctx, op, &known, in, n, out);
    }
    if (ctx->depth != depth) /* a callback has closed the scopes around it */
        return done;
    if (done)
        weft__leave(ctx);
    else
        weft__leave_with(ctx, NULL);
    return done;
}

weft_tensor *weft_custom(const weft_custom_op *op, weft_tensor *const *inputs, int n)
{
    weft_tensor *out;
    return call(op, inputs, n, true, &out) ? out : NULL;
}

weft_status weft_custom_all(const weft_custom_op *op, weft_tensor *const *inputs, int n, weft_tensor **outputs)
{
    weft_tensor *out[WEFT_CUSTOM_OUTPUTS];
    if (!op || !inputs || n < 1 || !outputs) {
        weft__note_lost("custom", WEFT_E_INVALID, n < 1 ? "was given no tensors" : "was given NULL");
        return WEFT_E_INVALID;
    }
    const bool done = call(op, inputs, n, false, out);
    const weft_custom_op known = weft__custom_known(op);
    for (size_t k = 0; k < WEFT_CUSTOM_OUTPUTS && (k == 0 || k < known.n_outputs); k++)
        outputs[k] = done ? out[k] : NULL;
    return done ? WEFT_OK : status_of(inputs, n);
}
