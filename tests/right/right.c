/* right.c - prints what Weft gives for every case of cases.c, a line each, for make_right.py:
 *
 *     NAME DTYPE ORDER N X... U... EXACT VALUE */
#include <stdio.h>

#include "cases.h"

static void print_case(weft_ctx *ctx, const right_case *c)
{
    double value = 0;
    const int mark = weft_scope_push(ctx);
    if (right_derivative(ctx, c, c->order, 0, &value) != WEFT_OK)
        fprintf(stderr, "%s: %s\n", c->name, weft_ctx_message(ctx));
    printf("%s %s %d %d", c->name, weft_dtype_name(c->dtype), c->order, c->n);
    for (int k = 0; k < c->n; k++)
        printf(" %.17g", c->x[k]);
    for (int k = 0; k < c->n; k++)
        printf(" %.17g", c->u[k]);
    printf(" %.17g %.17g\n", c->exact, value);
    weft_ctx_clear(ctx);
    if (weft_scope_pop(ctx, mark) != WEFT_OK)
        fprintf(stderr, "%s: its scope is not the innermost\n", c->name);
}

int main(void)
{
    weft_ctx *ctx;
    if (weft_ctx_open(NULL, &ctx) != WEFT_OK)
        return 1;
    for (int k = 0; k < right_case_count; k++)
        print_case(ctx, &right_cases[k]);
    weft_ctx_close(ctx);
    return 0;
}
