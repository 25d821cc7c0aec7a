/* kernels.h - the launchers of kernels/X.cu, one for each operation that has a kernel; a missing one does not link.
 *
 * They keep the contracts of ops/ops.def with these differences: floating data is f32, f64, f16 or bf16 as it comes
 * (halves compute in f32, and the statistics that an operation on halves keeps - mean, rstd, var, lse - are f32); the
 * elementwise families, reductions, copies and fills take every other dtype as well; all work is queued on the device's
 * stream, and an index out of range is reported by weft__cuda_report. The driver (engine/drive.c) sees to the rest. */
#ifndef WEFT_CUDA_KERNELS_H
#define WEFT_CUDA_KERNELS_H

#include <driver_types.h>
#include "engine/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

/* cudaSuccess if the module has kernels for the current device, at least through its PTX (kernels/create.cu). */
cudaError_t weft__cuda_probe(void);

/* The elementwise families: one launcher each, the operation is e->op. */
weft_status weft__cuda_unary(const weft__exec *e); /* UNARY and UNARY_P */
weft_status weft__cuda_predicate(const weft__exec *e);
weft_status weft__cuda_binary(const weft__exec *e);
weft_status weft__cuda_compare(const weft__exec *e);
weft_status weft__cuda_integer(const weft__exec *e);
weft_status weft__cuda_ternary(const weft__exec *e);
weft_status weft__cuda_unary_grad(const weft__exec *e);
weft_status weft__cuda_binary_grad(const weft__exec *e);
weft_status weft__cuda_ternary_grad(const weft__exec *e);

/* Every REDUCE, CUSTOM and KERNEL operation by name. */
#define WEFT_REDUCE(ID, name, ...) weft_status weft__cuda_##name(const weft__exec *e);
#define WEFT_CUSTOM(ID, name, ...) weft_status weft__cuda_##name(const weft__exec *e);
#define WEFT_KERNEL(ID, name, ...) weft_status weft__cuda_##name(const weft__exec *e);
#include "ops/ops.def"

/* Without a library; the launchers of the operations, which choose, are in dnn_conv.c, dnn_attention.c, fft.c and
 * linalg.c. */
weft_status weft__cuda_fft_own(const weft__exec *e); /* FFT, RFFT and IRFFT */
weft_status weft__cuda_conv2d_tiled(const weft__exec *e);
weft_status weft__cuda_conv2d_transpose_tiled(const weft__exec *e);
weft_status weft__cuda_conv2d_weight_tiled(const weft__exec *e);
weft_status weft__cuda_conv2d_add_bias(const weft__exec *e); /* y (out[0]) += b (in[2]), a value for each channel */
weft_status weft__cuda_attention_tiled(const weft__exec *e);
weft_status weft__cuda_attention_grad_tiled(const weft__exec *e);
weft_status weft__cuda_matrices_own(const weft__exec *e); /* every operation of base/linalg.h */

#ifdef __cplusplus
}
#endif

#endif
