/* step.c - records of the optimisers' steps. Their operands are lists: parameters, gradients, state, and last the
 * master weights of half parameters; all but the gradients are changed. */
#include "define.h"

/* Zeros for the state of a step: of half parameters in f32. */
static weft_tensor *state_of(weft_tensor *p)
{
    const weft_dtype dtype = weft_dtype_of(p);
    return weft_zeros(weft_ctx_of(p), dtype == WEFT_F16 || dtype == WEFT_BF16 ? WEFT_F32 : dtype, weft_shape(p),
                      weft_ndim(p));
}

/* State as a result: in the parameter's dtype. */
static weft_tensor *result_of(weft_tensor *state, weft_tensor *p)
{
    weft_tensor *result = state ? weft_cast(state, weft_dtype_of(p)) : NULL;
    if (result != state)
        weft_drop(state);
    return result;
}

/* A master copy of a half parameter; NULL: it gets none. */
static weft_tensor *master_of(weft_tensor *p, bool wanted)
{
    const weft_dtype dtype = weft_dtype_of(p);
    return wanted && (dtype == WEFT_F16 || dtype == WEFT_BF16) ? weft_cast(p, WEFT_F32) : NULL;
}

/* Whether operands are there for n parameters and all steps. */
static bool has_operands(weft_sample_call *c, int64_t n, int64_t steps)
{
    const bool fits = n >= 0 && n <= c->n_in && steps >= 0 && steps <= c->n_in && n * (steps + 1) <= c->n_in;
    if (!fits)
        weft__fail(c->ctx, c->op, WEFT_E_INVALID, "%d operands are not %lld parameters and gradients for %lld steps",
                   c->n_in, (long long)n, (long long)steps);
    return fits;
}

/* i: parameters, steps, nesterov, master weights; f: lr, momentum, dampening, weight decay */
CALL(sgd_step)
{
    if (!has_operands(c, c->i[0], c->i[1]))
        return;
    const int n = (int)c->i[0];
    const bool masters = c->ni > 3 && c->i[3] != 0;
    weft_tensor *velocity[WEFT_SAMPLE_OPERANDS], *master[WEFT_SAMPLE_OPERANDS];
    weft_sgd_step_params hyper = {.struct_size = sizeof hyper,
                                  .lr = c->f[0],
                                  .momentum = c->f[1],
                                  .dampening = c->f[2],
                                  .weight_decay = c->f[3],
                                  .nesterov = c->i[2] != 0,
                                  .master = masters ? master : NULL};
    const bool has_state = hyper.momentum != 0;
    for (int k = 0; k < n; k++) {
        velocity[k] = has_state ? state_of(c->in[k]) : NULL;
        master[k] = master_of(c->in[k], masters);
    }
    for (int step = 0; step < c->i[1]; step++) {
        hyper.step = step + 1;
        if (weft_sgd_step(c->ctx, c->in, c->in + n * (step + 1), has_state ? velocity : NULL, n, &hyper) != WEFT_OK)
            return;
    }
    c->n_out = has_state ? 2 * n : n;
    for (int k = 0; k < n; k++) {
        c->out[k] = c->in[k];
        if (has_state)
            c->out[n + k] = result_of(velocity[k], c->in[k]);
    }
}

/* i: parameters, steps, decoupled, master weights; f: lr, beta1, beta2, eps, weight decay */
CALL(adam_step)
{
    if (!has_operands(c, c->i[0], c->i[1]))
        return;
    const int n = (int)c->i[0];
    const bool masters = c->ni > 3 && c->i[3] != 0;
    weft_tensor *m[WEFT_SAMPLE_OPERANDS], *v[WEFT_SAMPLE_OPERANDS], *master[WEFT_SAMPLE_OPERANDS];
    weft_adam_step_params hyper = {.struct_size = sizeof hyper,
                                   .lr = c->f[0],
                                   .beta1 = c->f[1],
                                   .beta2 = c->f[2],
                                   .eps = c->f[3],
                                   .weight_decay = c->f[4],
                                   .decoupled = c->i[2] != 0,
                                   .master = masters ? master : NULL};
    for (int k = 0; k < n; k++) {
        m[k] = state_of(c->in[k]);
        v[k] = state_of(c->in[k]);
        master[k] = master_of(c->in[k], masters);
    }
    for (int step = 0; step < c->i[1]; step++) {
        hyper.step = step + 1;
        if (weft_adam_step(c->ctx, c->in, c->in + n * (step + 1), m, v, n, &hyper) != WEFT_OK)
            return;
    }
    c->n_out = 3 * n;
    for (int k = 0; k < n; k++) {
        c->out[k] = c->in[k];
        c->out[n + k] = result_of(m[k], c->in[k]);
        c->out[2 * n + k] = result_of(v[k], c->in[k]);
    }
}

#define STEP_WORK WORK(weft__terms_one, weft__flops_each, weft__bytes_once)

WEFT__DEFINE(SGD_STEP, sgd_step,
             LISTS(FLOATS | CHANGED, FLOATS | OR_NULL, FLOATS | CHANGED | OR_NULL, FLOATS | CHANGED | OR_NULL),
             ATTRS(sgd), NO_INFER, NO_RESULTS, EFFECT(STEPS), NO_DERIVATIVE, STEP_WORK,
             SAMPLE(call_sgd_step, RECIPE("rab rab", "1 1 0 1; 0.1 0.9 0 0.01"),
                    RECIPE("rab rab rab", "1 2 1 0; 0.1 0.9 0 0.01")))
WEFT__DEFINE(ADAM_STEP, adam_step,
             LISTS(FLOATS | CHANGED, FLOATS | OR_NULL, FLOATS | CHANGED, FLOATS | CHANGED, FLOATS | CHANGED | OR_NULL),
             ATTRS(adam), NO_INFER, NO_RESULTS, EFFECT(STEPS), NO_DERIVATIVE, STEP_WORK,
             SAMPLE(call_adam_step, RECIPE("rab rab", "1 1 0 1; 0.1 0.9 0.99 1e-8 0.01"),
                    RECIPE("rab rab rab", "1 2 1 0; 0.1 0.9 0.99 1e-8 0.01")))
