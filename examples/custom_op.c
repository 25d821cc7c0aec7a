/* custom_op.c - an operation of your own: snake(x) = x + sin(x)^2, an activation that can learn what repeats (Liu et
 * al. 2020). It is checked against finite differences, then trained: a network of 16 such units fits a wave on a slope.
 *
 * The operation has two parts: forward, plain C over the elements; and backward, written with Weft's operations, so
 * that it works on every device and can be differentiated again. On a GPU (--device cuda) forward would be a kernel of
 * your own, launched by a callback in the list .devices = {{"cuda", launch_snake}}; this program has none, and composes
 * snake of Weft's operations there. */
#include <math.h>
#include <string.h>
#include "common/options.h"
#include "common/session.h"

static weft_status snake_forward(weft_ctx *ctx, const weft_array *inputs, int n, weft_array *output, void *user)
{
    (void)n, (void)user;
    const weft_array *x = &inputs[0];
    if (x->dtype == WEFT_F32) {
        const float *from = x->data;
        float *to = output->data;
        for (int64_t i = 0; i < x->count; i++)
            to[i] = from[i] + sinf(from[i]) * sinf(from[i]);
        return WEFT_OK;
    }
    if (x->dtype == WEFT_F64) {
        const double *from = x->data;
        double *to = output->data;
        for (int64_t i = 0; i < x->count; i++)
            to[i] = from[i] + sin(from[i]) * sin(from[i]);
        return WEFT_OK;
    }
    return weft_ctx_fail(ctx, WEFT_E_DTYPE, "snake: x is %s; it must be f32 or f64", weft_dtype_name(x->dtype));
}

/* d snake / dx = 1 + sin(2x) */
static weft_status snake_backward(weft_ctx *ctx, weft_tensor *const *inputs, int n, weft_tensor *output,
                                  weft_tensor *gradient, weft_tensor **gradients, void *user)
{
    (void)n, (void)output, (void)user;
    weft_tensor *slope = weft_add_scalar(weft_sin(weft_mul_scalar(inputs[0], 2)), 1);
    gradients[0] = weft_mul(gradient, slope);
    return weft_ctx_status(ctx);
}

static const weft_custom_op snake_op = {
    .struct_size = sizeof snake_op, .name = "snake", .forward = snake_forward, .backward = snake_backward};

static bool on_cpu = true;

static weft_tensor *snake(weft_tensor *x)
{
    return on_cpu ? weft_custom(&snake_op, &x, 1) : weft_add(x, weft_square(weft_sin(x)));
}

static weft_tensor *snake_of_first(weft_ctx *ctx, weft_tensor *const *inputs, int n, void *user)
{
    (void)ctx, (void)n, (void)user;
    return snake(inputs[0]);
}

/* First and second derivative at 20 points, in f64. */
static weft_status check(weft_ctx *c)
{
    int mark = weft_scope_push(c);
    weft_tensor *x = weft_set_requires_grad(weft_randn(c, WEFT_F64, WEFT_DIMS(4, 5), 0, 2), true);
    weft_gradcheck(c, &x, 1, snake_of_first, NULL, NULL);
    weft_gradgradcheck(c, &x, 1, snake_of_first, NULL, NULL);
    return weft_scope_pop(c, mark);
}

/* Fits y = x / 2 + sin(4x) on [-3, 3] and leaves the mean squared error in *error. */
static weft_status train(weft_ctx *c, double *error)
{
    int all = weft_scope_push(c);
    weft_tensor *x = weft_linspace(c, WEFT_F32, -3, 3, 256);
    weft_tensor *y = weft_add(weft_mul_scalar(x, 0.5), weft_sin(weft_mul_scalar(x, 4)));
    x = weft_unsqueeze(x, 1);
    y = weft_unsqueeze(y, 1);
    weft_tensor *p[] = {weft_param(weft_zeros(c, WEFT_F32, WEFT_DIMS(16, 1)), "w1"),
                        weft_param(weft_zeros(c, WEFT_F32, WEFT_DIMS(16)), "b1"),
                        weft_param(weft_zeros(c, WEFT_F32, WEFT_DIMS(1, 16)), "w2")};
    weft_init_normal_(p[0], 0, 2); /* waves of about the right length: the default for one input makes longer ones */
    weft_init_layer_(p[2], NULL);
    weft_optim *opt = NULL;
    weft_adam_options adam = WEFT_ADAM_DEFAULTS;
    adam.lr = 0.03;
    if (weft_adam_open(c, p, 3, &adam, &opt) != WEFT_OK)
        return weft_scope_pop(c, all);
    for (int step = 1; step <= 1500; step++) {
        int mark = weft_scope_push(c);
        weft_tensor *loss = weft_mse(weft_linear(snake(weft_linear(x, p[0], p[1])), p[2], NULL), y);
        weft_backward(c, loss);
        weft_optim_step(c, opt);
        weft_optim_zero_grad(c, opt);
        *error = weft_item(c, loss);
        if (step % 300 == 0)
            printf("step %d: mean squared error %.6f\n", step, *error);
        if (weft_scope_pop(c, mark) != WEFT_OK)
            break;
    }
    weft_optim_close(opt);
    for (int i = 0; i < 3; i++)
        weft_release(p[i]);
    return weft_scope_pop(c, all);
}

int main(int argc, char **argv)
{
    const char *device = "cpu";
    option options[] = {{"device", "NAME", "cpu, cuda, cuda:1 ...", .text = &device}};
    options_read(argc, argv, "adds an operation with its derivative, and trains with it", options, 1);
    weft_ctx *c = session_open(device, 1);
    double error = NAN;
    on_cpu = strcmp(device, "cpu") == 0;
    if (!on_cpu)
        printf("snake has no kernel of its own on %s: it is composed of sin, square and add there\n", device);
    if (check(c) == WEFT_OK)
        puts("snake: first and second derivative agree with finite differences");
    bool trained = train(c, &error) == WEFT_OK; /* does nothing after an error, which sticks and was printed */
    return session_close(c) == 0 && trained && error < 1e-3 ? 0 : 1;
}
