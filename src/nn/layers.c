/* layers.c - the forward pass of a module, containers, and layers of one operation. See weft/nn.h. */
#define WEFT_NO_CALL_SITES
#include "tree.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Forward ---- */

/* Whether x may be the operand of a module; says whose it is where it may not. */
static bool is_operand(weft__member *m, weft_tensor *x, const char *what)
{
    char text[200];
    if (weft_ctx_status(m->ctx) != WEFT_OK)
        return false;
    if (x && weft_ctx_of(x) == m->ctx)
        return true;
    snprintf(text, sizeof text, "%s of %s %.120s", what, m->layer->name, m->path[0] ? m->path : "(the model)");
    return weft_check(m->ctx, "forward", x, text, -1) == WEFT_OK;
}

weft_tensor *weft__forward(weft__member *m, weft_tensor *x, const weft_forward_options *options)
{
    if (!is_operand(m, x, "the input"))
        return NULL;
    if (!m->layer->forward) {
        weft__layer_fail(m, "forward", WEFT_E_UNSUPPORTED,
                         "it only holds others; make it by weft_nn_sequential or give it weft_module_set_forward");
        return NULL;
    }
    weft_module *handle = m->handle;
    weft__watch *watch = m->root->watch;
    if (watch)
        watch->begin(watch, m);
    weft_tensor *y = m->layer->forward(m, x, options);
    if (watch && weft__module_if(handle) == m && m->root->watch == watch)
        watch->end(watch, m, y);
    return y;
}

weft_tensor *weft__part_forward(weft__member *m, const char *part, weft_tensor *x, const weft_forward_options *options)
{
    weft__member *child = x ? weft__find_module(m, part) : NULL;
    if (x && !child)
        weft__layer_fail(m, "forward", WEFT_E_STATE, "its part %s was closed", part);
    return child ? weft__forward(child, x, options) : NULL;
}

weft_tensor *weft_forward_with(weft_module *module, weft_tensor *x, const weft_forward_options *options)
{
    static const weft_forward_options defaults = WEFT_FORWARD_DEFAULTS;
    weft_forward_options own;
    weft__member *m = weft__module_of("forward", module, weft_ctx_of(x));
    if (!m || weft_struct_in(m->ctx, "forward", "weft_forward_options", &defaults, options, &own) != WEFT_OK)
        return NULL;
    if (own.mask && !is_operand(m, own.mask, "the mask"))
        return NULL;
    return weft__forward(m, x, &own);
}

weft_tensor *weft_forward(weft_module *module, weft_tensor *x)
{
    return weft_forward_with(module, x, NULL);
}

/* ---- Functions of the program ---- */

static weft_tensor *run_custom(weft__member *m, weft_tensor *x, const weft_forward_options *options)
{
    weft_ctx *ctx = m->ctx;
    const uint64_t call = weft_callback_begin(ctx, "the forward of a module", false);
    if (!call)
        return NULL;
    weft_tensor *y = m->as.custom.fn(m->handle, x, options, m->as.custom.user);
    return weft_callback_end(ctx, "forward", call) && weft_ctx_status(ctx) == WEFT_OK ? y : NULL;
}

static const weft__layer custom_layer = {"module", run_custom}, container = {"module", NULL};

weft_status weft_module_set_forward(weft_module *module, weft_module_function fn, void *user)
{
    weft__member *m = weft__module_of("module_set_forward", module, NULL);
    if (!m)
        return WEFT_E_NULL_ARGUMENT;
    if (strcmp(m->layer->name, container.name) != 0) {
        weft__layer_fail(m, "module_set_forward", WEFT_E_STATE,
                         "a layer has its own; make a module by weft_module_child");
        return weft_ctx_status(m->ctx);
    }
    m->layer = fn ? &custom_layer : &container;
    m->as.custom.fn = fn;
    m->as.custom.user = user;
    return weft_ctx_status(m->ctx);
}

static weft_tensor *run_plain(weft__member *m, weft_tensor *x, const weft_forward_options *options)
{
    weft_ctx *ctx = m->ctx;
    (void)options;
    const uint64_t call = weft_callback_begin(ctx, "the function of a layer", false);
    if (!call)
        return NULL;
    weft_tensor *y = m->as.plain(x);
    return weft_callback_end(ctx, "forward", call) && weft_ctx_status(ctx) == WEFT_OK ? y : NULL;
}

static const weft__layer plain_layer = {"function", run_plain};

weft_module *weft_nn_function(weft_module *parent, const char *name, weft_tensor *(*fn)(weft_tensor *x))
{
    weft__member *m = weft__layer_open("nn_function", parent, name, &plain_layer);
    if (m && !fn)
        weft__layer_fail(m, "nn_function", WEFT_E_NULL_ARGUMENT, "its function is NULL");
    if (m)
        m->as.plain = fn;
    return weft__layer_done(m);
}

/* ---- Sequential ---- */

static weft_tensor *run_all(weft__member *m, weft_tensor *x, const weft_forward_options *options)
{
    weft_module *handle = m->handle;
    for (weft__member *child = m->first; child && x; child = child->next) {
        weft_module *own = child->handle;
        x = weft__forward(child, x, options);
        if (weft__module_if(handle) != m || weft__module_if(own) != child)
            return NULL; /* a function of the program has closed it */
    }
    return x;
}

static const weft__layer sequential = {"sequential", run_all};

weft_module *weft_nn_sequential(weft_module *parent, const char *name)
{
    return weft__layer_done(weft__layer_open("nn_sequential", parent, name, &sequential));
}

/* ---- Dropout, shapes, pools ---- */

weft_tensor *weft__drop(const weft__member *m, weft_tensor *y, double p)
{
    return m->training && p > 0 ? weft_dropout(y, p, true) : y;
}

static weft_tensor *run_dropout(weft__member *m, weft_tensor *x, const weft_forward_options *options)
{
    (void)options;
    return weft__drop(m, x, m->as.p);
}

static const weft__layer dropout = {"dropout", run_dropout};

weft_module *weft_nn_dropout(weft_module *parent, const char *name, double p)
{
    weft__member *m = weft__layer_open("nn_dropout", parent, name, &dropout);
    if (weft__is_share(m, "nn_dropout", "p", p))
        m->as.p = p;
    return weft__layer_done(m);
}

static weft_tensor *run_flatten(weft__member *m, weft_tensor *x, const weft_forward_options *options)
{
    (void)options;
    return weft_flatten(x, m->as.list.size[0], -1);
}

static const weft__layer flatten = {"flatten", run_flatten};

weft_module *weft_nn_flatten(weft_module *parent, const char *name, int64_t first_dim)
{
    weft__member *m = weft__layer_open("nn_flatten", parent, name, &flatten);
    if (m)
        m->as.list.size[0] = first_dim;
    return weft__layer_done(m);
}

/* Whether pictures have a kernel of their own for these windows, and its parameters. */
static bool is_plain(const weft_window_params *w, const weft_tensor *x, weft_pool2d_params *p)
{
    static const weft_pool2d_params defaults = WEFT_POOL2D_DEFAULTS;
    *p = defaults;
    for (int d = 0; d < 2; d++) {
        p->kernel[d] = w->kernel[d];
        p->stride[d] = w->stride[d];
        p->padding[d] = w->padding[d];
    }
    return w->ndim == 2 && weft_ndim(x) == 4 && w->dilation[0] == 1 && w->dilation[1] == 1 && !w->ceil_mode;
}

static weft_tensor *run_max_pool(weft__member *m, weft_tensor *x, const weft_forward_options *options)
{
    weft_pool2d_params p;
    (void)options;
    return is_plain(&m->as.window, x, &p) ? weft_max_pool2d(x, &p) : weft_max_pool(x, &m->as.window);
}

static weft_tensor *run_avg_pool(weft__member *m, weft_tensor *x, const weft_forward_options *options)
{
    weft_pool2d_params p;
    (void)options;
    return is_plain(&m->as.window, x, &p) && !m->as.window.exclude_padding ? weft_avg_pool2d(x, &p)
                                                                           : weft_avg_pool(x, &m->as.window);
}

static const weft__layer max_pool = {"max_pool", run_max_pool}, avg_pool = {"avg_pool", run_avg_pool};

static weft_module *pool(const char *function, weft_module *parent, const char *name, const weft__layer *layer,
                         const weft_window_params *params)
{
    static const weft_window_params defaults = WEFT_WINDOW_DEFAULTS;
    weft__member *m = weft__layer_open(function, parent, name, layer);
    if (!m || weft_struct_in(m->ctx, function, "weft_window_params", &defaults, params, &m->as.window) != WEFT_OK)
        return weft__layer_done(m);
    const weft_window_params *w = &m->as.window;
    if (w->ndim < 1 || w->ndim > 3)
        weft__layer_fail(m, function, WEFT_E_INVALID, "ndim is %lld; it must be 1 to 3", (long long)w->ndim);
    for (int64_t k = 0; k < w->ndim && weft_ctx_status(m->ctx) == WEFT_OK; k++)
        weft__at_least(m, function, "a size of the kernel", w->kernel[k], 1);
    return weft__layer_done(m);
}

weft_module *weft_nn_max_pool(weft_module *parent, const char *name, const weft_window_params *params)
{
    return pool("nn_max_pool", parent, name, &max_pool, params);
}

weft_module *weft_nn_avg_pool(weft_module *parent, const char *name, const weft_window_params *params)
{
    return pool("nn_avg_pool", parent, name, &avg_pool, params);
}

static weft_tensor *run_adaptive(weft__member *m, weft_tensor *x, const weft_forward_options *options)
{
    (void)options;
    return weft_interpolate(x, m->as.list.size, m->as.list.n, WEFT_INTERPOLATION_AREA, false);
}

static const weft__layer adaptive = {"adaptive_avg_pool", run_adaptive};

weft_module *weft_nn_adaptive_avg_pool(weft_module *parent, const char *name, const int64_t *sizes, int n)
{
    const char *function = "nn_adaptive_avg_pool";
    weft__member *m = weft__layer_open(function, parent, name, &adaptive);
    if (m && (n < 1 || n > 3 || !sizes))
        weft__layer_fail(m, function, WEFT_E_INVALID, "%d sizes are given; there are 1 to 3", n);
    for (int k = 0; k < n && weft__at_least(m, function, "a size", sizes[k], 1); k++)
        m->as.list.size[k] = sizes[k];
    if (m)
        m->as.list.n = n;
    return weft__layer_done(m);
}

/* ---- Linear and embedding ---- */

weft_tensor *weft__linear_forward(weft__member *m, weft_tensor *x, const weft_forward_options *options)
{
    (void)options;
    weft_tensor *y = weft_linear(x, weft__own_tensor(m, "weight"), weft__own_tensor(m, "bias"));
    const weft__lora *l = &m->lora;
    if (!y || !l->a || l->merged)
        return y;
    weft_tensor *low = weft_linear(weft__drop(m, x, l->dropout), l->a->tensor, NULL);
    return weft_add(y, weft_mul_scalar(weft_linear(low, l->b->tensor, NULL), l->scale));
}

static const weft__layer linear = {"linear", weft__linear_forward};

bool weft__is_linear(const weft__member *m)
{
    return m->layer == &linear;
}

static weft__member *make_linear(const char *function, weft_module *parent, const char *name, int64_t in, int64_t out,
                                 bool bias)
{
    weft__member *m = weft__layer_open(function, parent, name, &linear);
    if (weft__at_least(m, function, "in", in, 0) && weft__at_least(m, function, "out", out, 0)) {
        weft_tensor *w = weft__new_parameter(m, "weight", WEFT_DIMS(out, in), 0),
                    *b = bias ? weft__new_parameter(m, "bias", WEFT_DIMS(out), 0) : NULL;
        weft_init_layer_(w, b);
    }
    return weft__module_if(weft__layer_done(m));
}

weft_module *weft_nn_linear(weft_module *parent, const char *name, int64_t in, int64_t out, bool bias)
{
    weft__member *m = make_linear("nn_linear", parent, name, in, out, bias);
    return m ? m->handle : NULL;
}

weft__member *weft__child_linear(weft__member *parent, const char *function, const char *name, int64_t in, int64_t out,
                                 bool bias)
{
    return weft_ctx_status(parent->ctx) == WEFT_OK ? make_linear(function, parent->handle, name, in, out, bias) : NULL;
}

static weft_tensor *run_embedding(weft__member *m, weft_tensor *x, const weft_forward_options *options)
{
    (void)options;
    return weft_embedding(weft__own_tensor(m, "weight"), x);
}

static const weft__layer embedding = {"embedding", run_embedding};

weft_module *weft_nn_embedding(weft_module *parent, const char *name, int64_t rows, int64_t size)
{
    const char *function = "nn_embedding";
    weft__member *m = weft__layer_open(function, parent, name, &embedding);
    if (weft__at_least(m, function, "rows", rows, 0) && weft__at_least(m, function, "size", size, 0))
        weft_init_normal_(weft__new_parameter(m, "weight", WEFT_DIMS(rows, size), 0), 0, 1);
    return weft__layer_done(m);
}
