/* A program outside the project: 2.0 + 2.5 by an installed Weft. */
#include <stdio.h>
#include <weft/weft.h>

int main(void)
{
    weft_ctx *ctx;
    if (weft_ctx_open(NULL, &ctx) != WEFT_OK)
        return 1;
    weft_tensor *a = weft_scalar(ctx, WEFT_F32, 2.0), *b = weft_scalar(ctx, WEFT_F32, 2.5);
    double c = weft_item(ctx, weft_add(a, b));
    printf("weft %s: %g\n", weft_version(), c);
    weft_ctx_close(ctx);
    return c == 4.5 ? 0 : 1;
}
