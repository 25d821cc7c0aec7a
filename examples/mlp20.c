#include <weft/weft.h>

int main(int argc, char **argv)
{
    weft_options options = WEFT_OPTIONS_DEFAULTS;
    options.device = argc == 3 ? argv[2] : "cpu"; /* mlp20 --device cuda */
    weft_ctx *c;
    if (weft_ctx_open(&options, &c) != WEFT_OK)
        return fprintf(stderr, "%s cannot be used: `weft info` says why\n", options.device), 1;
    weft_tensor *x = weft_randn(c, WEFT_F32, WEFT_DIMS(256, 2), 0, 1);               /* points in the plane */
    weft_tensor *y = weft_cast(weft_gt(weft_sum(weft_square(x), WEFT_DIMS(1), true), /* outside the circle? */
                                       weft_scalar(c, WEFT_F32, 1)),
                               WEFT_F32);
    weft_tensor *p[] = {weft_param(weft_zeros(c, WEFT_F32, WEFT_DIMS(16, 2)), "w1"),
                        weft_param(weft_zeros(c, WEFT_F32, WEFT_DIMS(16)), "b1"),
                        weft_param(weft_zeros(c, WEFT_F32, WEFT_DIMS(1, 16)), "w2")};
    weft_init_layer_(p[0], p[1]);
    weft_init_layer_(p[2], NULL);
    weft_adam_options adam = WEFT_ADAM_DEFAULTS;
    adam.lr = 0.03;
    weft_optim *opt;
    if (weft_adam_open(c, p, 3, &adam, &opt) != WEFT_OK)
        return fprintf(stderr, "%s\n", weft_ctx_message(c)), 1;
    for (int step = 1; step <= 300; step++) {
        int mark = weft_scope_push(c);
        weft_tensor *h = weft_tanh(weft_linear(x, p[0], p[1]));
        weft_tensor *loss = weft_bce_with_logits(weft_linear(h, p[2], NULL), y);
        weft_backward(c, loss);
        weft_optim_step(c, opt);
        weft_optim_zero_grad(c, opt);
        if (step % 100 == 0)
            printf("step %d: loss %.4f\n", step, weft_item(c, loss));
        if (weft_scope_pop(c, mark) != WEFT_OK) /* one check for all of the above */
            return fprintf(stderr, "%s\n", weft_ctx_message(c)), 1;
    }
    weft_optim_close(opt);
    for (int i = 0; i < 3; i++)
        weft_release(p[i]);
    weft_ctx_close(c);
}
