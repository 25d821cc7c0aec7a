/* element.c - see element.h. */
#include "element.h"

#include <string.h>
#include "base/half.h"

bool weft__element_is_plain(const weft__element *e)
{
    return e->bytes == (int)weft_dtype_size(e->dtype) && !e->swap && e->kind != 'b';
}

/* Floats of 8 bits: "FP8 Formats for Deep Learning" (Micikevicius et al. 2022), e4m3 without infinities, e5m2 an f16
 * without its lower half; e8m0, a power of two, of OCP's "Microscaling Formats". */
static float widen(char kind, unsigned char x)
{
    const int exponent = x >> 3 & 15, sign = x & 0x80;
    uint32_t bits = (uint32_t)x << 23;
    if (kind == '5')
        return weft__f16_to_f32((uint16_t)(x << 8));
    if (kind == '8')
        bits = x == 255 ? 0x7FC00000 : x == 0 ? 0x00400000 : bits;
    else if ((x & 0x7F) == 0x7F)
        bits = 0x7FC00000;
    else if (exponent == 0)
        return (float)(x & 7) * (sign ? -0x1p-9F : 0x1p-9F);
    else
        bits = (uint32_t)(exponent + 120) << 23 | (uint32_t)(x & 7) << 20;
    if (kind == '4' && sign)
        bits |= 0x80000000;
    float wide;
    memcpy(&wide, &bits, sizeof wide);
    return wide;
}

void weft__element_convert(const weft__element *e, const unsigned char *from, unsigned char *to)
{
    unsigned char swapped[8];
    if (e->kind == '4' || e->kind == '5' || e->kind == '8') {
        const float wide = widen(e->kind, *from);
        memcpy(to, &wide, sizeof wide);
        return;
    }
    for (int k = 0; k < e->bytes && e->swap; k++)
        swapped[k] = from[e->bytes - 1 - k];
    const uint64_t raw = weft__little(e->swap ? swapped : from, e->bytes);
    const int width = (int)weft_dtype_size(e->dtype);
    uint64_t bits = e->kind == 'b' ? raw != 0 : raw;
    if (e->kind == 'i' && e->bytes < width && raw >> (8 * e->bytes - 1))
        bits |= ~UINT64_C(0) << (8 * e->bytes);
    for (int k = 0; k < width; k++)
        to[k] = (unsigned char)(bits >> (8 * k));
}

int64_t weft__element_count(const int64_t *shape, int ndim, int bytes)
{
    int64_t count = 1, total;
    bool empty = false, overflow = false;
    for (int d = 0; d < ndim; d++) {
        empty |= shape[d] == 0;
        overflow |= __builtin_mul_overflow(count, shape[d] ? shape[d] : 1, &count);
    }
    if (overflow || __builtin_mul_overflow(count, (int64_t)bytes, &total) || total > INT64_C(1) << 62)
        return -1;
    return empty ? 0 : count;
}
