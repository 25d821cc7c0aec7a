/* norms.c - layers that normalise. See weft/nn.h. */
#define WEFT_NO_CALL_SITES
#include "tree.h"

#include <math.h>

static const weft_nn_norm_options defaults = WEFT_NN_NORM_DEFAULTS;

/* The distance from 1 to the next number of a dtype. */
static double epsilon(weft_dtype dtype)
{
    switch (dtype) {
    case WEFT_F64:
        return 0x1p-52;
    case WEFT_F16:
        return 0x1p-10;
    case WEFT_BF16:
        return 0x1p-7;
    default:
        return 0x1p-23;
    }
}

static weft_tensor *weight_of(const weft__member *m)
{
    return weft__own_tensor(m, "weight");
}

static weft_tensor *bias_of(const weft__member *m)
{
    return weft__own_tensor(m, "bias");
}

static weft_tensor *run_batch(weft__member *m, weft_tensor *x, const weft_forward_options *options)
{
    (void)options;
    weft_batch_norm_params p = WEFT_BATCH_NORM_DEFAULTS;
    weft_tensor *mean = weft__own_tensor(m, "running_mean"), *var = weft__own_tensor(m, "running_var"),
                *steps = weft__own_tensor(m, "num_batches_tracked");
    p.eps = m->as.norm.eps;
    p.momentum = m->as.norm.momentum;
    p.training = m->training || !mean;
    weft_tensor *y = weft_batch_norm(x, weight_of(m), bias_of(m), mean, var, &p);
    if (y && steps && m->training)
        weft_add_scalar_(steps, 1);
    return y;
}

static weft_tensor *run_layer(weft__member *m, weft_tensor *x, const weft_forward_options *options)
{
    (void)options;
    const int n = (int)m->as.norm.groups;
    weft_tensor *w = weight_of(m);
    if (w || n == 1)
        return weft_layer_norm(x, w, bias_of(m), m->as.norm.eps);
    /* without weights the operation takes the last dim */
    const int ndim = weft_ndim(x);
    weft_tensor *y = ndim >= n ? weft_layer_norm(weft_flatten(x, -n, -1), NULL, NULL, m->as.norm.eps) : NULL;
    if (ndim >= n)
        return weft_reshape(y, weft_shape(x), ndim);
    weft__layer_fail(m, "forward", WEFT_E_SHAPE, "x has %d dims; the norm is over %d", ndim, n);
    return NULL;
}

static weft_tensor *run_rms(weft__member *m, weft_tensor *x, const weft_forward_options *options)
{
    (void)options;
    const int n = (int)m->as.norm.groups;
    weft_tensor *w = weight_of(m);
    if (w || n == 1)
        return weft_rms_norm(x, w, m->as.norm.eps);
    const int ndim = weft_ndim(x);
    weft_tensor *y = ndim >= n ? weft_rms_norm(weft_flatten(x, -n, -1), NULL, m->as.norm.eps) : NULL;
    if (ndim >= n)
        return weft_reshape(y, weft_shape(x), ndim);
    weft__layer_fail(m, "forward", WEFT_E_SHAPE, "x has %d dims; the norm is over %d", ndim, n);
    return NULL;
}

/* The operations take any number of channels where there is no weight. */
static bool has_channels(weft__member *m, const weft_tensor *x)
{
    char text[160];
    if (weft_ndim(x) >= 2 && weft_size(x, 1) == m->as.norm.channels)
        return true;
    weft__layer_fail(m, "forward", WEFT_E_SHAPE, "x is %s; it must be [N, %lld, ...]",
                     weft__tensor_text(x, text, sizeof text), (long long)m->as.norm.channels);
    return false;
}

static weft_tensor *run_group(weft__member *m, weft_tensor *x, const weft_forward_options *options)
{
    (void)options;
    return has_channels(m, x) ? weft_group_norm(x, weight_of(m), bias_of(m), m->as.norm.groups, m->as.norm.eps) : NULL;
}

static weft_tensor *run_instance(weft__member *m, weft_tensor *x, const weft_forward_options *options)
{
    (void)options;
    return has_channels(m, x) ? weft_instance_norm(x, weight_of(m), bias_of(m), m->as.norm.eps) : NULL;
}

static const weft__layer batch = {"batch_norm", run_batch}, layer = {"layer_norm", run_layer},
                         rms = {"rms_norm", run_rms}, group = {"group_norm", run_group},
                         instance = {"instance_norm", run_instance};

/* The layer with its weight of that shape, and a bias unless it is an rms_norm. */
static weft__member *make(const char *function, weft_module *parent, const char *name, const weft__layer *kind,
                          const int64_t *shape, int ndim, const weft_nn_norm_options *options, weft_nn_norm_options *o)
{
    weft__member *m = weft__layer_open(function, parent, name, kind);
    if (!m || weft_struct_in(m->ctx, function, "weft_nn_norm_options", &defaults, options, o) != WEFT_OK)
        return m;
    if (ndim < 1 || ndim > WEFT_MAX_DIMS || !shape) {
        weft__layer_fail(m, function, WEFT_E_INVALID, "a shape of %d dims is none to normalise over", ndim);
        return m;
    }
    for (int d = 0; d < ndim; d++)
        if (!weft__at_least(m, function, "a size", shape[d], 1))
            return m;
    if (!(o->eps >= 0 || o->eps == WEFT_NN_EPS) || !isfinite(o->eps))
        weft__layer_fail(m, function, WEFT_E_INVALID, "the option eps is %g; it must be at least 0, or WEFT_NN_EPS",
                         o->eps);
    if (!weft__is_share(m, function, "the option momentum", o->momentum))
        return m;
    m->as.norm.eps = o->eps != WEFT_NN_EPS ? o->eps : kind == &rms ? epsilon(m->dtype) : 1e-5;
    m->as.norm.momentum = o->momentum;
    m->as.norm.channels = shape[0];
    m->as.norm.groups = ndim;
    if (o->affine)
        weft__new_parameter(m, "weight", shape, ndim, 1);
    if (o->affine && o->bias && kind != &rms)
        weft__new_parameter(m, "bias", shape, ndim, 0);
    return m;
}

weft_module *weft_nn_batch_norm(weft_module *parent, const char *name, int64_t channels,
                                const weft_nn_norm_options *options)
{
    weft_nn_norm_options o = WEFT_NN_NORM_DEFAULTS;
    weft__member *m = make("nn_batch_norm", parent, name, &batch, WEFT_DIMS(channels), options, &o);
    if (m && o.running && weft_ctx_status(m->ctx) == WEFT_OK) {
        const weft_dtype wide = m->dtype == WEFT_F64 ? WEFT_F64 : WEFT_F32;
        weft__new_buffer(m, "running_mean", wide, WEFT_DIMS(channels), 0);
        weft__new_buffer(m, "running_var", wide, WEFT_DIMS(channels), 1);
        weft__new_buffer(m, "num_batches_tracked", WEFT_I64, WEFT_SCALAR, 0);
    }
    return weft__layer_done(m);
}

weft_module *weft_nn_layer_norm(weft_module *parent, const char *name, const int64_t *shape, int ndim,
                                const weft_nn_norm_options *options)
{
    weft_nn_norm_options o = WEFT_NN_NORM_DEFAULTS;
    return weft__layer_done(make("nn_layer_norm", parent, name, &layer, shape, ndim, options, &o));
}

weft_module *weft_nn_rms_norm(weft_module *parent, const char *name, const int64_t *shape, int ndim,
                              const weft_nn_norm_options *options)
{
    weft_nn_norm_options o = WEFT_NN_NORM_DEFAULTS;
    return weft__layer_done(make("nn_rms_norm", parent, name, &rms, shape, ndim, options, &o));
}

weft_module *weft_nn_group_norm(weft_module *parent, const char *name, int64_t groups, int64_t channels,
                                const weft_nn_norm_options *options)
{
    weft_nn_norm_options o = WEFT_NN_NORM_DEFAULTS;
    weft__member *m = make("nn_group_norm", parent, name, &group, WEFT_DIMS(channels), options, &o);
    if (m && weft__at_least(m, "nn_group_norm", "groups", groups, 1) && channels % groups)
        weft__layer_fail(m, "nn_group_norm", WEFT_E_INVALID, "groups is %lld, which does not divide channels, %lld",
                         (long long)groups, (long long)channels);
    if (m)
        m->as.norm.groups = groups;
    return weft__layer_done(m);
}

weft_module *weft_nn_instance_norm(weft_module *parent, const char *name, int64_t channels,
                                   const weft_nn_norm_options *options)
{
    weft_nn_norm_options o = WEFT_NN_NORM_DEFAULTS;
    return weft__layer_done(make("nn_instance_norm", parent, name, &instance, WEFT_DIMS(channels), options, &o));
}
