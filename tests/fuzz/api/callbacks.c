/* callbacks.c - hooks, custom operations and functions under test that do and return odd things. */
#include <string.h>
#include "fuzz.h"
#include "harness/structs.h"

/* What a callback may do beside its work: anything the API promises a status for. False: it has let go of what it was
 * given and returns. */
static bool meddle(fuzz *f, weft_ctx *ctx)
{
    if (f->guest > 2 || ctx != f->ctx) /* an operation on operands of another context alone runs there */
        return true;
    if (f->may_jump && fuzz_chance(f, 4))
        longjmp(f->jump, 1);
    const long pops = f->pops;
    switch (fuzz_below(f, 14)) {
    case 6:
        fuzz_pop(f); /* also one from before the pass, which is thereby given up, with what the callback was given */
        f->pops++;
        break;
    case 7:
        weft_ctx_close(f->ctx); /* refused */
        break;
    case 0:
        fuzz_row(f);
        break;
    case 1:
        weft_ctx_fail(f->ctx, WEFT_E_CALLBACK, "a callback says %d", 5);
        break;
    case 2:
        weft_backward(f->ctx, fuzz_operand(f));
        break;
    case 3:
        weft_memory_trim(f->ctx);
        break;
    case 4:
        weft_set_grad_enabled(f->ctx, fuzz_chance(f, 2));
        break;
    case 5: {
        int mark = weft_scope_push(f->ctx); /* a scope of its own, closed again */
        weft_ones(f->ctx, WEFT_F32, WEFT_DIMS(3));
        if (mark >= 0 && weft_scope_pop(f->ctx, mark) == WEFT_E_INTERNAL)
            fuzz_broken(f, "a scope within a callback gave %s", weft_ctx_message(f->ctx));
        break;
    }
    default:
        break;
    }
    return f->pops == pops; /* a callback called from here counts too */
}

static weft_tensor *answer(fuzz *f, weft_tensor *t, weft_tensor *gradient)
{
    if (!meddle(f, f->ctx))
        return NULL;
    switch (fuzz_below(f, 6)) {
    case 0:
        return gradient;
    case 1:
        return weft_mul_scalar(gradient, 0.5);
    case 2:
        return fuzz_operand(f);
    case 3:
        return t;
    default:
        return NULL;
    }
}

static weft_tensor *hook(void *user, weft_tensor *t, weft_tensor *gradient)
{
    fuzz *f = user;
    f->guest++;
    weft_tensor *other = answer(f, t, gradient);
    f->guest--;
    return other;
}

/* ---- Custom operations ---- */

static fuzz *current;

static weft_status infer(weft_ctx *ctx, const weft_array *inputs, int n, weft_dtype *dtype, int64_t *shape, int *ndim,
                         void *user)
{
    fuzz *f = current;
    (void)ctx, (void)user, (void)n;
    if (inputs[0].data)
        fuzz_broken(f, "a shape rule was given data");
    switch (fuzz_below(f, 8)) {
    case 0:
        *ndim = fuzz_shape(f, shape);
        break;
    case 1:
        *dtype = (weft_dtype)fuzz_int(f);
        break;
    case 2:
        *ndim = (int)fuzz_int(f);
        break;
    case 3:
        if (*ndim > 0)
            shape[0] = fuzz_int(f);
        break;
    case 4:
        return fuzz_status(f);
    default:
        break;
    }
    return WEFT_OK;
}

static weft_status forward(weft_ctx *ctx, const weft_array *inputs, int n, weft_array *output, void *user)
{
    fuzz *f = current;
    (void)user, (void)inputs, (void)n;
    size_t bytes = (size_t)output->count * weft_dtype_size(output->dtype);
    if (bytes && output->data)
        memset(output->data, 0, bytes);
    f->guest++;
    bool given = meddle(f, ctx);
    f->guest--;
    if (!given)
        return WEFT_OK;
    return fuzz_chance(f, 12) ? fuzz_status(f) : WEFT_OK;
}

static weft_status backward(weft_ctx *ctx, weft_tensor *const *inputs, int n, weft_tensor *output,
                            weft_tensor *gradient, weft_tensor **gradients, void *user)
{
    fuzz *f = current;
    (void)user, (void)output;
    f->guest++;
    bool given = meddle(f, ctx);
    for (int k = 0; given && k < n; k++) {
        switch (fuzz_below(f, 6)) {
        case 0:
            gradients[k] = fuzz_operand(f);
            break;
        case 1:
            gradients[k] = gradient;
            break;
        case 2:
            gradients[k] = inputs[k];
            break;
        case 3:
            gradients[k] = weft_zeros_like(inputs[k]);
            break;
        default:
            gradients[k] = NULL;
        }
    }
    f->guest--;
    return fuzz_chance(f, 12) ? fuzz_status(f) : WEFT_OK;
}

static void custom(fuzz *f)
{
    static const weft_custom_op ops[] = {
        INIT_CUSTOM_OP(.name = "odd", .infer = infer, .forward = forward, .backward = backward),
        INIT_CUSTOM_OP(.name = "plain", .forward = forward, .backward = backward),
        INIT_CUSTOM_OP(.name = "flat", .infer = infer, .forward = forward),
        INIT_CUSTOM_OP(.name = "none"),
        {.struct_size = 12, .name = "short", .forward = forward},
    };
    weft_tensor *in[18];
    int n = fuzz_chance(f, 15) ? fuzz_below(f, 19) : 1 + fuzz_below(f, 3);
    for (int k = 0; k < n; k++)
        in[k] = fuzz_operand(f);
    fuzz_take(f, weft_custom(&ops[fuzz_below(f, 7) % 5], in, n));
}

/* ---- Functions under test ---- */

static weft_tensor *some_function(weft_ctx *ctx, weft_tensor *const *inputs, int n, void *user)
{
    (void)ctx;
    const uint64_t *seed = user;
    fuzz *f = current;
    uint64_t state = f->state;
    size_t n_bytes = f->n_bytes;
    f->state = *seed; /* the same function at every call */
    f->n_bytes = 0;
    f->harmless = true;
    f->guest++;
    weft_tensor *y = inputs[0];
    int rows = 1 + fuzz_below(f, 3);
    for (int k = 0; k < rows && y; k++)
        y = fuzz_row_named(f, &case_rows[fuzz_below(f, case_row_count)], &y, 1);
    if (n > 1 && y)
        y = weft_add(y, weft_sum(inputs[1], WEFT_ALL, false));
    f->harmless = false;
    f->guest--;
    f->state = state;
    f->n_bytes = n_bytes;
    return fuzz_chance(f, 400) ? NULL : y;
}

static void check(fuzz *f)
{
    weft_tensor *in[2];
    int64_t shape[] = {1 + fuzz_below(f, 2), 1 + fuzz_below(f, 3)};
    for (int k = 0; k < 2; k++)
        in[k] = weft_set_requires_grad(weft_rand(f->ctx, WEFT_F64, shape, 2, 0.5, 1.5), fuzz_below(f, 5) > 0);
    uint64_t seed = fuzz_draw(f);
    int n = fuzz_chance(f, 20) ? (int)fuzz_int(f) % 3 : 1 + fuzz_below(f, 2);
    if (fuzz_chance(f, 20))
        in[0] = fuzz_operand(f);
    weft_status status = fuzz_chance(f, 2) ? weft_gradcheck(f->ctx, in, n, some_function, &seed, NULL)
                                           : weft_gradgradcheck(f->ctx, in, n, some_function, &seed, NULL);
    if (status != WEFT_OK && weft_ctx_status(f->ctx) == WEFT_OK && n > 0)
        fuzz_broken(f, "a check of gradients returned %s without an error", weft_status_name(status));
}

/* Functions of functional.h, with vectors that fit or do not. What is handed back must be alive, or NULL. */
static void differentiate(fuzz *f)
{
    weft_ctx *c = f->ctx;
    weft_tensor *in[2], *along[2], *out[4] = {NULL}, *y = NULL;
    int64_t shape[] = {1 + fuzz_below(f, 2), 1 + fuzz_below(f, 3)};
    for (int k = 0; k < 2; k++) {
        in[k] = fuzz_chance(f, 20) ? fuzz_operand(f) : weft_rand(c, WEFT_F64, shape, 2, 0.5, 1.5);
        along[k] = fuzz_chance(f, 4)    ? NULL
                   : fuzz_chance(f, 10) ? fuzz_operand(f)
                                        : weft_rand(c, WEFT_F64, shape, 2, 0, 1);
        if (fuzz_chance(f, 3))
            weft_set_requires_grad(in[k], true);
    }
    uint64_t seed = fuzz_draw(f);
    const int flags = fuzz_below(f, 8), n = 1 + fuzz_below(f, 2), which = fuzz_below(f, 7);
    weft_status status = WEFT_OK;
    int n_out = which == 1 ? 1 : which == 4 ? n * n : n;
    if (which == 0)
        status = weft_vjp(c, in, n, along[0], some_function, &seed, flags, &y, out);
    else if (which == 1)
        status = weft_jvp(c, in, along, n, some_function, &seed, flags, &y, out);
    else if (which == 2)
        status = weft_hvp(c, in, along, n, some_function, &seed, flags, &y, out);
    else if (which == 3)
        status = weft_jacobian(c, in, n, some_function, &seed, flags, &y, out);
    else if (which == 4)
        status = weft_hessian(c, in, n, some_function, &seed, flags, &y, out);
    else if (which == 5)
        status = weft_batch_jacobian(c, in, n, some_function, &seed, flags, &y, out);
    else
        status = weft_per_sample_grad(c, in, n, along, 1, some_function, &seed, flags, &y, out);
    if (status != WEFT_OK && weft_ctx_status(c) == WEFT_OK)
        fuzz_broken(f, "a derivative of a function returned %s without an error", weft_status_name(status));
    for (int k = 0; k < n_out; k++)
        if (out[k] && (status != WEFT_OK || weft_check(c, "fuzz", out[k], "a derivative", k) != WEFT_OK))
            fuzz_broken(f, "derivative %d of a function is handed back dead, or with an error: %s", k,
                        weft_ctx_message(c));
}

void fuzz_callback_step(fuzz *f)
{
    current = f;
    switch (fuzz_below(f, 6)) {
    case 0:
    case 1:
        f->at = "add_hook";
        weft_add_hook(fuzz_operand(f), fuzz_chance(f, 30) ? NULL : hook, f);
        break;
    case 2:
        f->at = "gradcheck";
        check(f);
        break;
    case 3:
        f->at = "differentiate";
        differentiate(f);
        break;
    default:
        f->at = "custom";
        custom(f);
    }
}
