/* dtype.c - element types: names, sizes, promotion, 16-bit conversions. */
#include <weft/dtype.h>
#include "base/array.h"
#include "base/half.h"

const char *weft_dtype_name(weft_dtype dtype)
{
    switch (dtype) {
#define NAME_CASE(name, bytes, text)                                                                                   \
    case WEFT_##name:                                                                                                  \
        return text;
        WEFT_DTYPE_LIST(NAME_CASE)
#undef NAME_CASE
    case WEFT_DTYPE_COUNT:
        break;
    }
    return "invalid";
}

size_t weft_dtype_size(weft_dtype dtype)
{
    return weft__dtype_size((int32_t)dtype);
}

bool weft_dtype_is_float(weft_dtype dtype)
{
    return weft__is_float((int32_t)dtype);
}

/* Rank in the promotion order; the higher one wins but for the two pairs where neither holds the other. */
static int rank(weft_dtype dtype)
{
    static const int8_t ranks[WEFT_DTYPE_COUNT] = {
        [WEFT_BOOL] = 0, [WEFT_U8] = 1,   [WEFT_I8] = 2,  [WEFT_I32] = 3, [WEFT_I64] = 4,
        [WEFT_F16] = 5,  [WEFT_BF16] = 6, [WEFT_F32] = 7, [WEFT_F64] = 8};
    return (unsigned)dtype < WEFT_DTYPE_COUNT ? ranks[dtype] : 8;
}

weft_dtype weft_promote(weft_dtype a, weft_dtype b)
{
    weft_dtype high = rank(a) > rank(b) ? a : b, low = high == a ? b : a;
    if (high == WEFT_BF16 && low == WEFT_F16)
        return WEFT_F32;
    if (high == WEFT_I8 && low == WEFT_U8)
        return WEFT_I32;
    return high;
}

uint16_t weft_f32_to_f16(float x)
{
    return weft__f16_from_f32(x);
}

float weft_f16_to_f32(uint16_t bits)
{
    return weft__f16_to_f32(bits);
}

uint16_t weft_f32_to_bf16(float x)
{
    return weft__bf16_from_f32(x);
}

float weft_bf16_to_f32(uint16_t bits)
{
    return weft__bf16_to_f32(bits);
}
