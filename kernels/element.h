/* element.h - one element of any dtype as bytes, made on the host, for kernels that store a constant. */
#ifndef WEFT_KERNELS_ELEMENT_H
#define WEFT_KERNELS_ELEMENT_H

#include <cstring>
#include "core/half.h"
#include "cuda/launch.h"

/* The bytes of one element of a dtype, from the value in both its forms. */
inline void weft_make_element(int32_t dtype, double real, int64_t integer, unsigned char *element)
{
    const float f32 = dtype == WEFT_F32 ? static_cast<float>(real) : weft__f64_to_f32_odd(real);
    uint16_t half;
    switch (dtype) {
    case WEFT_F32:
        memcpy(element, &f32, sizeof f32);
        break;
    case WEFT_F64:
        memcpy(element, &real, sizeof real);
        break;
    case WEFT_F16:
    case WEFT_BF16:
        half = dtype == WEFT_F16 ? weft__f16_from_f32(f32) : weft__bf16_from_f32(f32);
        memcpy(element, &half, sizeof half);
        break;
    case WEFT_BOOL:
        element[0] = integer != 0;
        break;
    default:
        memcpy(element, &integer, weft__cuda_bytes(dtype)); /* the low bytes come first on every host of CUDA */
        break;
    }
}

#endif
