/* functional.c - products of a function's derivatives with vectors: weft_vjp, weft_jvp, weft_hvp. */
#include <string.h>
#include "derivation.h"

/* ---- Reverse mode ---- */

static bool fits_result(weft__derivation *d, weft_tensor *cotangent)
{
    if (!cotangent && d->y->a.count == 1)
        return true;
    if (!cotangent)
        return weft__derivation_fail(d, WEFT_E_SHAPE,
                                     "the function's result (%s) has %lld elements, and the cotangent is "
                                     "NULL; give one of its shape",
                                     weft__describe(d->y).s, (long long)d->y->a.count),
               false;
    if (!weft__check(d->ctx, d->name, cotangent, "the cotangent", -1))
        return false;
    if (!weft__same_shape(&cotangent->a, &d->y->a))
        return weft__derivation_fail(d, WEFT_E_SHAPE,
                                     "the cotangent is %s, the function's result %s; shapes must be equal",
                                     weft__describe(cotangent).s, weft__describe(d->y).s),
               false;
    return true;
}

static bool all_reached(weft__derivation *d)
{
    for (int j = 0; j < d->n_wanted; j++)
        if (!d->g[j] && !weft__may_be_unused(d, j))
            return false;
    return true;
}

weft_status weft_vjp(weft_ctx *ctx, weft_tensor *const *inputs, int n, weft_tensor *cotangent, weft_function f,
                     void *user, int flags, weft_tensor **result, weft_tensor **gradients)
{
    if (!weft__has_room(ctx, "vjp", result, gradients))
        return weft_ctx_status(ctx);
    weft__derivation d;
    uint32_t visit = 0;
    if (weft__derivation_begin(
            &d,
            &(weft__request){
                .ctx = ctx, .name = "vjp", .inputs = inputs, .n = n, .f = f, .user = user, .flags = flags}) &&
        fits_result(&d, cotangent) &&
        weft__pull(&d, &d.y, cotangent ? &cotangent : NULL, 1, d.wanted, d.n_wanted, d.create_graph, d.create_graph,
                   &visit, d.g))
        all_reached(&d);
    return weft__hand_list(&d, n, result, gradients);
}

/* ---- Forward mode ---- */

/* Those of the gradients in d->g that were asked for along a vector, with it, in d->few and d->more. Returns their
 * number; -1: an input is not reached, error recorded. */
static int pair_with(weft__derivation *d, weft_tensor *const *vectors)
{
    int m = 0;
    for (int j = 0; j < d->n_wanted; j++) {
        if (!d->g[j] && !weft__may_be_unused(d, j))
            return -1;
        if (!d->g[j] || !vectors[d->place[j]])
            continue;
        d->few[m] = d->g[j];
        d->more[m++] = vectors[d->place[j]];
    }
    return m;
}

/* u -> u^T dy/dx is linear, and its derivative along the tangents is dy/dx times them: J v = d/du (v^T (J^T u)). */
static weft_tensor *push(weft__derivation *d, weft_tensor *const *tangents)
{
    uint32_t first = 0, second = 0;
    weft_tensor *u = weft__seed_leaf(d, d->y, 0), *derivative = NULL;
    if (!u || !weft__pull(d, &d->y, &u, 1, d->wanted, d->n_wanted, true, d->create_graph, &first, d->g))
        return NULL;
    const int m = pair_with(d, tangents);
    if (m < 0 ||
        (m > 0 && !weft__pull(d, d->few, d->more, m, &u, 1, d->create_graph, d->create_graph, &second, &derivative)))
        return NULL;
    return derivative ? derivative : weft__zeros_of(d, d->y);
}

weft_status weft_jvp(weft_ctx *ctx, weft_tensor *const *inputs, weft_tensor *const *tangents, int n, weft_function f,
                     void *user, int flags, weft_tensor **result, weft_tensor **derivative)
{
    weft__derivation d;
    weft_tensor *const none[1] = {NULL}, *v = NULL;
    if (!weft__has_room(ctx, "jvp", result, derivative))
        return weft_ctx_status(ctx);
    if (weft__derivation_begin(&d, &(weft__request){.ctx = ctx,
                                                    .name = "jvp",
                                                    .inputs = inputs,
                                                    .n = tangents ? n : 0,
                                                    .vectors = tangents ? tangents : none,
                                                    .only_along = true,
                                                    .f = f,
                                                    .user = user,
                                                    .flags = flags}))
        v = push(&d, tangents);
    return weft__hand_one(&d, v, result, derivative);
}

/* ---- Hessian times vector ---- */

static void multiply(weft__derivation *d, weft_tensor *const *directions)
{
    uint32_t first = 0, second = 0;
    weft_tensor *u = weft__has_one_element(d) ? weft__seed_leaf(d, d->y, 1) : NULL;
    if (!u || !weft__pull(d, &d->y, &u, 1, d->wanted, d->n_wanted, true, true, &first, d->g))
        return;
    const int m = pair_with(d, directions);
    if (m < 0)
        return;
    for (int j = 0; j < d->n_wanted; j++)
        d->x[j] = d->g[j]; /* f is done with what was there: whether each is reached */
    memset(d->g, 0, sizeof *d->g * (size_t)d->n_wanted);
    if (m > 0 &&
        !weft__pull(d, d->few, d->more, m, d->wanted, d->n_wanted, d->create_graph, d->create_graph, &second, d->g))
        return;
    for (int j = 0; j < d->n_wanted && d->ctx->status == WEFT_OK; j++)
        if (!d->g[j] && d->x[j])
            d->g[j] = weft__zeros_of(d, d->wanted[j]);
}

weft_status weft_hvp(weft_ctx *ctx, weft_tensor *const *inputs, weft_tensor *const *directions, int n, weft_function f,
                     void *user, int flags, weft_tensor **result, weft_tensor **products)
{
    weft__derivation d;
    weft_tensor *const none[1] = {NULL};
    if (!weft__has_room(ctx, "hvp", result, products))
        return weft_ctx_status(ctx);
    if (weft__derivation_begin(&d, &(weft__request){.ctx = ctx,
                                                    .name = "hvp",
                                                    .inputs = inputs,
                                                    .n = directions ? n : 0,
                                                    .vectors = directions ? directions : none,
                                                    .f = f,
                                                    .user = user,
                                                    .flags = flags}))
        multiply(&d, directions);
    return weft__hand_list(&d, n, result, products);
}
