/* elementwise_quick.h - loops in f32 over functions that have branches: vector code for the elements that need none
 * (base/scalar_quick.h), a block at a time, then the others one by one. An element gets the same bits wherever it
 * stands. */
#ifndef WEFT_CPU_ELEMENTWISE_QUICK_H
#define WEFT_CPU_ELEMENTWISE_QUICK_H

#include "base/scalar_quick.h"
#include "loop.h"

enum { WEFT__QUICK_BLOCK = 256 };

/* y = QUICK where IS_QUICK, else SLOW: expressions over k. The block's inputs are declared by INPUTS. */
#define WEFT__QUICK_LOOP(loop, INPUTS, IS_QUICK, QUICK, SLOW)                                                          \
    static void loop(int64_t n, const void *const *in, void *out, const void *param)                                   \
    {                                                                                                                  \
        (void)param;                                                                                                   \
        for (int64_t first = 0; first < n; first += WEFT__QUICK_BLOCK) {                                               \
            const int64_t some = n - first < WEFT__QUICK_BLOCK ? n - first : WEFT__QUICK_BLOCK;                        \
            float made[WEFT__QUICK_BLOCK];                                                                             \
            int32_t slow[WEFT__QUICK_BLOCK], any = 0;                                                                  \
            float *y = (float *)out + first;                                                                           \
            INPUTS;                                                                                                    \
            WEFT__SIMD for (int64_t k = 0; k < some; k++)                                                              \
            {                                                                                                          \
                made[k] = QUICK;                                                                                       \
                slow[k] = IS_QUICK ? 0 : 1;                                                                            \
            }                                                                                                          \
            for (int64_t k = 0; k < some; k++)                                                                         \
                any |= slow[k];                                                                                        \
            for (int64_t k = 0; any && k < some; k++)                                                                  \
                if (slow[k])                                                                                           \
                    made[k] = SLOW;                                                                                    \
            memcpy(y, made, sizeof *made *(size_t)some);                                                               \
        }                                                                                                              \
    }

#endif
