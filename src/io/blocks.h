/* blocks.h - numbers in blocks of 32 with a common scale, as ggml has them, and what they stand for. The source:
 * https://github.com/ggml-org/ggml/blob/master/src/ggml-quants.c */
#ifndef WEFT_IO_BLOCKS_H
#define WEFT_IO_BLOCKS_H

#include "common.h"

typedef enum weft__blocks {
    WEFT__BLOCKS_NONE,
    WEFT__BLOCKS_Q4_0, /* f16 d, 32 numbers q of 4 bits: d (q - 8) */
    WEFT__BLOCKS_Q4_1, /* f16 d, m: d q + m */
    WEFT__BLOCKS_Q5_0, /* a fifth bit of each number in 4 bytes of their own: d (q - 16) */
    WEFT__BLOCKS_Q5_1, /* d q + m */
    WEFT__BLOCKS_Q8_0  /* f16 d, 32 numbers of 8 bits with a sign: d q */
} weft__blocks;

enum { WEFT__BLOCK = 32, WEFT__BLOCK_BYTES_MOST = 34 };

int weft__block_bytes(weft__blocks kind);

/* to [32] */
void weft__block_expand(weft__blocks kind, const unsigned char *from, float *to);

#endif
