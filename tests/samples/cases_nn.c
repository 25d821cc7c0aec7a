/* cases_nn.c - adapters of products, losses, normalisation, convolution, pooling and optimiser rows (see cases.h). */
#include "cases.h"

#define CASE(name)                                                                                                     \
    void weft__case_##name(weft_case *c);                                                                              \
    void weft__case_##name(weft_case *c)

/* ---- Products and statistics ---- */

CASE(matmul)
{
    c->out[0] = weft_matmul(c->in[0], c->in[1]);
}

CASE(linear)
{
    c->out[0] = weft_linear(c->in[0], c->in[1], c->in[2]);
}

/* x, w, b; i: activation */
CASE(linear_act)
{
    c->out[0] = weft_linear_act(c->in[0], c->in[1], c->in[2], (weft_activation)c->i[0]);
}

/* i: keepdim, dims...; f: correction */
CASE(var)
{
    int64_t dims[WEFT_MAX_DIMS];
    for (int k = 1; k < c->ni; k++)
        dims[k - 1] = c->i[k];
    c->out[0] = weft_var(c->in[0], c->ni > 1 ? dims : NULL, c->ni - 1, c->i[0] != 0, c->f[0]);
}

/* ---- Softmax and losses ---- */

/* i: dim */
CASE(softmax)
{
    c->out[0] = weft_softmax(c->in[0], (int)c->i[0]);
}

/* i: dim */
CASE(log_softmax)
{
    c->out[0] = weft_log_softmax(c->in[0], (int)c->i[0]);
}

CASE(mse)
{
    c->out[0] = weft_mse(c->in[0], c->in[1]);
}

/* f: delta */
CASE(huber)
{
    c->out[0] = weft_huber(c->in[0], c->in[1], c->f[0]);
}

CASE(bce_with_logits)
{
    c->out[0] = weft_bce_with_logits(c->in[0], c->in[1]);
}

CASE(nll)
{
    c->out[0] = weft_nll(c->in[0], c->in[1]);
}

CASE(cross_entropy)
{
    c->out[0] = weft_cross_entropy(c->in[0], c->in[1]);
}

/* i: ignore index, reduction; f: label smoothing */
CASE(cross_entropy_with)
{
    c->out[0] = weft_cross_entropy_with(c->in[0], c->in[1], c->i[0], c->f[0], (weft_reduction)c->i[1]);
}

/* q, k, v; i: causal; f: scale */
CASE(attention)
{
    c->out[0] = weft_attention(c->in[0], c->in[1], c->in[2], c->f[0], c->i[0] != 0);
}

/* ---- Normalisation ---- */

/* x, w, b; f: eps */
CASE(layer_norm)
{
    c->out[0] = weft_layer_norm(c->in[0], c->in[1], c->in[2], c->f[0]);
}

/* x, w; f: eps */
CASE(rms_norm)
{
    c->out[0] = weft_rms_norm(c->in[0], c->in[1], c->f[0]);
}

/* x, w, b, running mean, running var; i: training; f: momentum, eps. Results: y and the running values. */
CASE(batch_norm)
{
    c->out[0] =
        weft_batch_norm(c->in[0], c->in[1], c->in[2], c->in[3], c->in[4],
                        &(weft_batch_norm_params){sizeof(weft_batch_norm_params), c->f[0], c->f[1], c->i[0] != 0});
    if (c->in[3]) {
        c->n_out = 3;
        c->out[1] = c->in[3];
        c->out[2] = c->in[4];
    }
}

/* i: training; f: p */
CASE(dropout)
{
    c->out[0] = weft_dropout(c->in[0], c->f[0], c->i[0] != 0);
}

/* ---- Convolution and pooling ---- */

/* stride, padding, dilation, output padding (two each), groups */
static weft_conv2d_params conv_params(const int64_t *i)
{
    return (weft_conv2d_params){.stride = {i[0], i[1]},
                                .padding = {i[2], i[3]},
                                .dilation = {i[4], i[5]},
                                .output_padding = {i[6], i[7]},
                                .groups = i[8]};
}

/* kernel, stride, padding (two each) */
static weft_pool2d_params pool_params(const int64_t *i)
{
    return (weft_pool2d_params){.kernel = {i[0], i[1]}, .stride = {i[2], i[3]}, .padding = {i[4], i[5]}};
}

/* The defaults, as NULL asks for them. */
static bool is_plain(const int64_t *i)
{
    return i[0] == 1 && i[1] == 1 && !i[2] && !i[3] && i[4] == 1 && i[5] == 1 && !i[6] && !i[7] && i[8] == 1;
}

CASE(conv2d)
{
    weft_conv2d_params params = conv_params(c->i);
    c->out[0] = weft_conv2d(c->in[0], c->in[1], c->in[2], is_plain(c->i) ? NULL : &params);
}

CASE(conv2d_transpose)
{
    weft_conv2d_params params = conv_params(c->i);
    c->out[0] = weft_conv2d_transpose(c->in[0], c->in[1], c->in[2], is_plain(c->i) ? NULL : &params);
}

/* x, g; i: kernel (two), then as conv2d */
CASE(conv2d_weight)
{
    weft_conv2d_params params = conv_params(c->i + 2);
    c->out[0] = weft_conv2d_weight(c->in[0], c->in[1], c->i, is_plain(c->i + 2) ? NULL : &params);
}

CASE(max_pool2d)
{
    weft_pool2d_params params = pool_params(c->i);
    c->out[0] = weft_max_pool2d(c->in[0], &params);
}

CASE(avg_pool2d)
{
    weft_pool2d_params params = pool_params(c->i);
    c->out[0] = weft_avg_pool2d(c->in[0], &params);
}

/* i: height, width, then as avg_pool2d */
CASE(avg_unpool2d)
{
    weft_pool2d_params params = pool_params(c->i + 2);
    c->out[0] = weft_avg_unpool2d(c->in[0], c->i, &params);
}

/* ---- Optimiser steps: parameters, then the gradients of each step. Results: parameters, then state ---- */

/* Zeros for the state of a step: of half parameters in f32. */
static weft_tensor *state_of(weft_tensor *p)
{
    const weft_dtype dtype = weft_dtype_of(p);
    return weft_zeros(weft_ctx_of(p), dtype == WEFT_F16 || dtype == WEFT_BF16 ? WEFT_F32 : dtype, weft_shape(p),
                      weft_ndim(p));
}

/* State as a result: the records are of the parameter's dtype. */
static weft_tensor *result_of(weft_tensor *state, weft_tensor *p)
{
    weft_tensor *result = state ? weft_cast(state, weft_dtype_of(p)) : NULL;
    if (result != state)
        weft_drop(state);
    return result;
}

/* i: parameters, steps, nesterov; f: lr, momentum, dampening, weight decay */
CASE(sgd_step)
{
    int n = (int)c->i[0];
    weft_tensor *velocity[GOLD_MAX_IN];
    weft_sgd_params hyper = {
        .lr = c->f[0], .momentum = c->f[1], .dampening = c->f[2], .weight_decay = c->f[3], .nesterov = c->i[2] != 0};
    bool has_state = hyper.momentum != 0;
    for (int k = 0; k < n; k++)
        velocity[k] = has_state ? state_of(c->in[k]) : NULL;
    for (int step = 0; step < c->i[1]; step++) {
        hyper.first_step = step == 0;
        if (weft_sgd_step(c->ctx, c->in, c->in + n * (step + 1), has_state ? velocity : NULL, n, &hyper) != WEFT_OK)
            return;
    }
    c->n_out = has_state ? 2 * n : n;
    for (int k = 0; k < n; k++) {
        c->out[k] = c->in[k];
        c->out[n + k] = result_of(velocity[k], c->in[k]);
    }
}

/* i: parameters, steps, decoupled; f: lr, beta1, beta2, eps, weight decay */
CASE(adam_step)
{
    int n = (int)c->i[0];
    weft_tensor *m[GOLD_MAX_IN], *v[GOLD_MAX_IN];
    weft_adam_params hyper = {.lr = c->f[0],
                              .beta1 = c->f[1],
                              .beta2 = c->f[2],
                              .eps = c->f[3],
                              .weight_decay = c->f[4],
                              .decoupled = c->i[2] != 0};
    for (int k = 0; k < n; k++) {
        m[k] = state_of(c->in[k]);
        v[k] = state_of(c->in[k]);
    }
    for (int step = 0; step < c->i[1]; step++)
        if (weft_adam_step(c->ctx, c->in, c->in + n * (step + 1), m, v, n, &hyper, step + 1) != WEFT_OK)
            return;
    c->n_out = 3 * n;
    for (int k = 0; k < n; k++) {
        c->out[k] = c->in[k];
        c->out[n + k] = result_of(m[k], c->in[k]);
        c->out[2 * n + k] = result_of(v[k], c->in[k]);
    }
}
