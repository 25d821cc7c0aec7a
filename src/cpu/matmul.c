/* matmul.c - MATMUL and LINEAR on the packed product of gemm.h. */
#include "gemm.h"

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
