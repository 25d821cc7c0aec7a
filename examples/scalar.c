/* scalar.c - the smallest program: c = a + b, and how c changes with a. `scalar --device cuda` does it on a GPU. */
#include <weft/weft.h>

int main(int argc, char **argv)
{
    weft_options options = WEFT_OPTIONS_DEFAULTS;
    options.device = argc == 3 ? argv[2] : "cpu";
    weft_ctx *ctx;
    weft_status status = weft_ctx_open(&options, &ctx);
    if (status != WEFT_OK) {
        fprintf(stderr, "%s: %s; `weft info` says more\n", options.device, weft_status_text(status));
        return 1;
    }

    weft_tensor *a = weft_set_requires_grad(weft_scalar(ctx, WEFT_F32, 2.0), true);
    weft_tensor *b = weft_scalar(ctx, WEFT_F32, 2.5);
    weft_tensor *c = weft_add(a, b);
    weft_backward(ctx, c);
    printf("c = %g\n", weft_item(ctx, c));
    printf("dc/da = %g\n", weft_item(ctx, weft_grad_of(a)));

    status = weft_ctx_status(ctx); /* the first error of all of the above */
    if (status != WEFT_OK)
        fprintf(stderr, "%s\n", weft_ctx_message(ctx));
    weft_ctx_close(ctx);
    return status != WEFT_OK;
}
