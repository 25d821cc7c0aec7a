/* matmul.c - the launchers of matrix products: cuBLASLt where there is one and it knows the product, else the
 * kernels. With batch_invariant always those: cuBLASLt picks its algorithm by the number of rows. */
#include <weft/params.h>
#include "host.h"
#include "kernels.h"
#include "launch.h"
#include "product.h"

/* Of LINEAR_GRAD: db = the sums of g's columns. */
static weft_status add_up(const weft__exec *e)
{
    const weft__attrs over_rows = {WEFT__COUNTS(reduce), .reduce = {.dims = 1}};
    weft__exec other = *e;
    other.op = WEFT_OP_SUM;
    other.out = e->out + 1;
    other.n_in = other.n_out = 1;
    other.attrs = &over_rows;
    return weft__cuda_kernels.run[other.op](&other);
}

#ifdef WEFT__CUBLASLT
/* Of LINEAR_ACT: y = act(pre), or of y itself, as the operation of that name does it. */
static weft_status activate(const weft__exec *e)
{
    weft__exec other = *e;
    other.op = e->attrs->linear.activation == WEFT_ACTIVATION_RELU ? WEFT_OP_RELU : WEFT_OP_GELU_TANH;
    other.in = (const weft__array *[]){e->out[1] ? e->out[1] : e->out[0]};
    other.n_in = other.n_out = 1;
    other.attrs = NULL;
    return weft__cuda_kernels.run[other.op](&other);
}

/* *done: false if there is no library, or it does not know such products. What it lacks beside the product itself takes
 * a kernel of ours. */
static weft_status by_library(const weft__exec *e, weft__cuda_product *p, bool *done)
{
    weft_status status = weft__cuda_product_library(e, p, activate, true, done);
    if (status != WEFT_OK || *done || (p->activation == WEFT_ACTIVATION_NONE && !p->row_sums))
        return status;
    weft__cuda_product bare = weft__cuda_bare_product(p);
    status = weft__cuda_product_library(e, &bare, NULL, false, done);
    if (status == WEFT_OK && *done && p->activation != WEFT_ACTIVATION_NONE)
        status = activate(e);
    if (status == WEFT_OK && *done && p->row_sums)
        status = add_up(e);
    return status;
}
#endif

static weft_status multiply(const weft__exec *e)
{
    const bool any = e->out[0]->count > 0;
    weft__cuda_product p;
    weft_status status = WEFT_OK;
    bool done = false;
    weft__cuda_describe_product(e, &p);
#ifdef WEFT__CUBLASLT
    if (any && p.k > 0 && !weft__cuda_invariant(e))
        status = by_library(e, &p, &done);
#endif
    if (status != WEFT_OK || done)
        return status;
    if (any)
        status = weft__cuda_product_tiled(e, &p);
    return status == WEFT_OK && p.row_sums ? add_up(e) : status;
}

weft_status weft__cuda_matmul(const weft__exec *e)
{
    return multiply(e);
}

weft_status weft__cuda_linear(const weft__exec *e)
{
    return multiply(e);
}

weft_status weft__cuda_linear_act(const weft__exec *e)
{
    return multiply(e);
}

weft_status weft__cuda_linear_grad(const weft__exec *e)
{
    return multiply(e);
}
