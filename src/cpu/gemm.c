/* gemm.c - the packed matrix product; see gemm.h. */
#include "gemm.h"

enum { MR = WEFT__GEMM_MR, MC = WEFT__GEMM_MC, KC = WEFT__GEMM_KC, DOTS = WEFT__GEMM_DOTS };
#define UNROLL_TILE _Pragma("GCC unroll 16")

#define WEFT_REAL f32
#include "gemm.inc"
#undef WEFT_REAL
#define WEFT_REAL f64
#include "gemm.inc"
#undef WEFT_REAL
