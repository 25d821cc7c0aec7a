/* matmul.c - the launchers of matrix products: cuBLASLt where there is one and it knows the product, else the kernels. */
#include "kernels.h"
#include "product.h"

static weft_status multiply(const weft__exec *e)
{
    weft__cuda_product p;
    bool done = false;
    if (e->out[0]->count == 0)
        return WEFT_OK;
    weft__cuda_describe_product(e, &p);
#ifdef WEFT__CUBLASLT
    weft_status status = p.k > 0 ? weft__cuda_product_library(e, &p, &done) : WEFT_OK;
    if (status != WEFT_OK)
        return status;
#endif
    return done ? WEFT_OK : weft__cuda_product_tiled(e, &p);
}

weft_status weft__cuda_matmul(const weft__exec *e)
{
    return multiply(e);
}

weft_status weft__cuda_linear(const weft__exec *e)
{
    return multiply(e);
}
