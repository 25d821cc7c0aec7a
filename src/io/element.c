/* element.c - see element.h. */
#include "element.h"

bool weft__element_is_plain(const weft__element *e)
{
    return e->bytes == (int)weft_dtype_size(e->dtype) && !e->swap && e->kind != 'b';
}

void weft__element_convert(const weft__element *e, const unsigned char *from, unsigned char *to)
{
    unsigned char swapped[8];
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
