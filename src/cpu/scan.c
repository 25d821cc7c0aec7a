/* scan.c - cumsum: sums of the elements up to each one along a dim, or from each one on.
 *
 * An array is seen as [outer, n, inner] with n the dim's size. With inner 1 a slice is a contiguous row; else strips of
 * neighbouring slices go side by side through the rows of [n, inner]. Floats add up in f64, one after the other: the
 * order depends on nothing but the length. */
#include "rows.h"

enum { STRIP = 256 };

typedef struct scan {
    const void *x;
    void *y;
    int64_t n, inner, width, strips;
    int64_t first, step; /* which element of a slice comes first, and the way to the next, in slices' elements */
} scan;

/* Sums of type SUM over elements of type T. */
#define SCAN(T, SUM, name)                                                                                             \
    static void name##_rows(void *arg, int64_t begin, int64_t end, int worker)                                         \
    {                                                                                                                  \
        (void)worker;                                                                                                  \
        const scan *s = arg;                                                                                           \
        for (int64_t r = begin; r < end; r++) {                                                                        \
            const T *x = (const T *)s->x + r * s->n + s->first;                                                        \
            T *y = (T *)s->y + r * s->n + s->first;                                                                    \
            SUM sum = 0;                                                                                               \
            for (int64_t i = 0; i < s->n; i++) {                                                                       \
                sum += (SUM)x[i * s->step];                                                                            \
                y[i * s->step] = (T)sum;                                                                               \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    static void name##_strips(void *arg, int64_t begin, int64_t end, int worker)                                       \
    {                                                                                                                  \
        (void)worker;                                                                                                  \
        const scan *s = arg;                                                                                           \
        for (int64_t strip = begin; strip < end; strip++) {                                                            \
            const int64_t outer = strip / s->strips, column = (strip - outer * s->strips) * s->width;                  \
            const int64_t width = weft__least(s->width, s->inner - column);                                            \
            const int64_t at = (outer * s->n + s->first) * s->inner + column;                                          \
            SUM sums[STRIP] = {0};                                                                                     \
            for (int64_t i = 0; i < s->n; i++) {                                                                       \
                const T *x = (const T *)s->x + at + i * s->step * s->inner;                                            \
                T *y = (T *)s->y + at + i * s->step * s->inner;                                                        \
                WEFT__INDEPENDENT                                                                                      \
                for (int64_t c = 0; c < width; c++) {                                                                  \
                    sums[c] += (SUM)x[c];                                                                              \
                    y[c] = (T)sums[c];                                                                                 \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }

SCAN(float, double, f32)
SCAN(double, double, f64)
SCAN(int64_t, uint64_t, i64) /* integers wrap */

weft_status WEFT__CPU(cumsum)(const weft__exec *e)
{
    const weft__array *x = e->in[0];
    const weft__scan_attrs *a = &e->attrs->scan;
    const bool f32 = x->dtype == WEFT_F32, f64 = x->dtype == WEFT_F64;
    scan s = {.x = x->data, .y = e->out[0]->data, .n = 1, .inner = 1};
    int64_t outer = 1;
    for (int d = 0; d < x->ndim; d++)
        *(d < a->dim ? &outer : d == a->dim ? &s.n : &s.inner) *= x->shape[d];
    if (x->count == 0)
        return WEFT_OK;
    s.first = a->reverse ? s.n - 1 : 0;
    s.step = a->reverse ? -1 : 1;
    s.width = weft__least(STRIP, s.inner);
    s.strips = weft__ceil_div(s.inner, s.width);
    if (s.inner == 1)
        weft__pool_for(weft__exec_pool(e), outer, weft__grain(s.n), f32 ? f32_rows : f64 ? f64_rows : i64_rows, &s);
    else
        weft__pool_for(weft__exec_pool(e), outer * s.strips, weft__grain(s.n * s.width),
                       f32   ? f32_strips
                       : f64 ? f64_strips
                             : i64_strips,
                       &s);
    return WEFT_OK;
}
