/* matmul.c - MATMUL, LINEAR and LINEAR_ACT on the packed product of gemm.h, and LINEAR_GRAD by way of MATMUL. */
#include <weft/params.h>
#include "base/scalar.h"
#include "gemm.h"
#include "loop.h"

enum {
    SMALL_TERMS = 64 * 64 * 64, /* m n k up to which packing does not pay */
    SERIAL_TERMS = 64 * 1024,   /* m n k below which a second thread does not pay */
};

#define WEFT_REAL f32
#include "matmul.inc"
#undef WEFT_REAL
#define WEFT_REAL f64
#include "matmul.inc"
#undef WEFT_REAL

weft_status WEFT__CPU(matmul)(const weft__exec *e)
{
    return e->out[0]->dtype == WEFT_F64 ? matmul_f64(e) : matmul_f32(e);
}

weft_status WEFT__CPU(linear)(const weft__exec *e)
{
    return e->out[0]->dtype == WEFT_F64 ? linear_f64(e) : linear_f32(e);
}

weft_status WEFT__CPU(linear_act)(const weft__exec *e)
{
    return WEFT__CPU(linear)(e);
}

/* in g [M, N], x [M, K]; out dw [N, K] = g^T x, db [N] the sums of g's columns or NULL. */
weft_status WEFT__CPU(linear_grad)(const weft__exec *e)
{
    const weft__array *g = e->in[0];
    weft__array turned = *g;
    turned.shape[0] = g->shape[1];
    turned.shape[1] = g->shape[0];
    turned.strides[0] = g->strides[1];
    turned.strides[1] = g->strides[0];
    weft__exec part = *e;
    part.in = (const weft__array *[]){&turned, e->in[1]};
    part.n_out = 1;
    weft_status status = WEFT__CPU(matmul)(&part);
    if (status != WEFT_OK || !e->out[1])
        return status;
    const weft__attrs over_rows = {WEFT__COUNTS(reduce), .reduce = {.dims = 1}};
    part.n_in = 1;
    part.in = &g;
    part.out = e->out + 1;
    part.attrs = &over_rows;
    return WEFT__CPU(sum)(&part);
}
