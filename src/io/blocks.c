/* blocks.c - see blocks.h. */
#include "blocks.h"

#include "base/half.h"
#include "element.h"

int weft__block_bytes(weft__blocks kind)
{
    static const int bytes[] = {[WEFT__BLOCKS_NONE] = 0,  [WEFT__BLOCKS_Q4_0] = 18, [WEFT__BLOCKS_Q4_1] = 20,
                                [WEFT__BLOCKS_Q5_0] = 22, [WEFT__BLOCKS_Q5_1] = 24, [WEFT__BLOCKS_Q8_0] = 34};
    return bytes[kind];
}

static float half_at(const unsigned char *p)
{
    return weft__f16_to_f32((uint16_t)weft__little(p, 2));
}

/* Element k has the low half of byte k, element k + 16 its high half, and bit k of the fifth ones. */
void weft__block_expand(weft__blocks kind, const unsigned char *from, float *to)
{
    const float d = half_at(from);
    if (kind == WEFT__BLOCKS_Q8_0) {
        for (int k = 0; k < WEFT__BLOCK; k++)
            to[k] = d * (float)(from[2 + k] - (from[2 + k] > 127 ? 256 : 0));
        return;
    }
    const bool has_least = kind == WEFT__BLOCKS_Q4_1 || kind == WEFT__BLOCKS_Q5_1;
    const bool five = kind == WEFT__BLOCKS_Q5_0 || kind == WEFT__BLOCKS_Q5_1;
    const float least = has_least ? half_at(from + 2) : 0;
    const unsigned char *p = from + (has_least ? 4 : 2);
    const uint32_t fifth = five ? (uint32_t)weft__little(p, 4) : 0;
    p += five ? 4 : 0;
    const int zero = has_least ? 0 : five ? 16 : 8;
    for (int k = 0; k < WEFT__BLOCK; k++) {
        const int four = k < WEFT__BLOCK / 2 ? p[k] & 15 : p[k - WEFT__BLOCK / 2] >> 4;
        const float scaled = d * (float)((four | (int)(fifth >> k & 1) << 4) - zero);
        to[k] = has_least ? scaled + least : scaled; /* -0 + 0 would be 0 */
    }
}
