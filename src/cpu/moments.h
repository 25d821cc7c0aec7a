/* moments.h - sum and spread of some numbers, joined from those of parts of them (Chan, Golub & LeVeque 1983). */
#ifndef WEFT_CPU_MOMENTS_H
#define WEFT_CPU_MOMENTS_H

#include <math.h>
#include <stdint.h>

/* How many elements there were, their sum, and the sum of their squared distances from their mean. */
typedef struct moments {
    double count, sum, spread;
} moments;

/* From sums of x, of x - center and of its square. Elements that are not finite leave no centre to measure from, but
 * their sum is what it is. */
static inline moments moments_around(double center, double plain, double off, double squares, double count)
{
    const double spread = squares - off * off / count;
    return (moments){
        .count = count, .sum = isfinite(center) ? center * count + off : plain, .spread = spread < 0 ? 0 : spread};
}

static inline void moments_join(moments *a, moments b)
{
    if (b.count == 0)
        return;
    if (a->count == 0) {
        *a = b;
        return;
    }
    const double count = a->count + b.count, apart = b.sum / b.count - a->sum / a->count;
    a->spread += b.spread + apart * apart * (a->count * (b.count / count));
    a->sum += b.sum;
    a->count = count;
}

static inline void moments_merge(void *acc, const void *other, int64_t n)
{
    moments *a = acc;
    const moments *b = other;
    for (int64_t j = 0; j < n; j++)
        moments_join(&a[j], b[j]);
}

#endif
