#include "kernels.h"
weft_status weft__cuda_conv2d(const weft__exec *e) { return weft__cuda_conv2d_tiled(e); }
weft_status weft__cuda_conv2d_transpose(const weft__exec *e) { return weft__cuda_conv2d_transpose_tiled(e); }
weft_status weft__cuda_conv2d_weight(const weft__exec *e) { return weft__cuda_conv2d_weight_tiled(e); }
