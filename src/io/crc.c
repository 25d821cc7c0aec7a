/* crc.c - see crc.h. Eight bytes a step: table[k][b] is the checksum of byte b with k zero bytes behind it. */
#include "crc.h"

#include <pthread.h>

enum { POLYNOMIAL = (int)0xedb88320, STEP = 8 };

static uint32_t table[STEP][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fill_table(void)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t x = b;
        for (int bit = 0; bit < 8; bit++)
            x = x >> 1 ^ (x & 1 ? (uint32_t)POLYNOMIAL : 0);
        table[0][b] = x;
    }
    for (int k = 1; k < STEP; k++)
        for (int b = 0; b < 256; b++)
            table[k][b] = table[k - 1][b] >> 8 ^ table[0][table[k - 1][b] & 0xFF];
}

uint32_t weft__crc(uint32_t crc, const unsigned char *p, size_t n)
{
    pthread_once(&once, fill_table);
    crc = ~crc;
    for (; n >= STEP; n -= STEP, p += STEP) {
        const uint32_t low = crc ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
        crc = table[7][low & 0xFF] ^ table[6][low >> 8 & 0xFF] ^ table[5][low >> 16 & 0xFF] ^ table[4][low >> 24] ^
              table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^ table[0][p[7]];
    }
    for (; n > 0; n--, p++)
        crc = table[0][(crc ^ *p) & 0xFF] ^ crc >> 8;
    return ~crc;
}
