/* scan.c - along a dim what the elements up to each one make together, or those from each one on: sums, products, the
 * largest and smallest with their indices, logarithms of sums, a linear recurrence.
 *
 * An array is seen as [outer, n, inner] with n the dim's size. With inner 1 a slice is a contiguous row; else strips of
 * neighbouring slices go side by side through the rows of [n, inner]. Floats are combined in f64, one after the other:
 * the order depends on nothing but the length. */
#include "rows.h"

enum { STRIP = 256 };

typedef struct scan {
    const void *x, *a; /* a: the factors of the recurrence */
    void *y;
    int64_t *at; /* where the largest and smallest are */
    int64_t n, inner, width, strips;
    int64_t first, step; /* which element of a slice comes first, and the way to the next, in slices' elements */
} scan;

/* Where a strip begins, and how wide it is. */
static inline int64_t strip_at(const scan *s, int64_t strip, int64_t *width)
{
    const int64_t outer = strip / s->strips, column = (strip - outer * s->strips) * s->width;
    *width = weft__least(s->width, s->inner - column);
    return (outer * s->n + s->first) * s->inner + column;
}

/* ---- What begins with a value and takes one element after the other ---- */

/* In MADE, from START on, over elements of type T; NEXT is what so_far becomes by x and, but for the first, a. */
#define SCAN(T, MADE, name, START, NEXT)                                                                               \
    static void name##_rows(void *arg, int64_t begin, int64_t end, int worker)                                         \
    {                                                                                                                  \
        (void)worker;                                                                                                  \
        const scan *s = arg;                                                                                           \
        for (int64_t r = begin; r < end; r++) {                                                                        \
            const int64_t at = r * s->n + s->first;                                                                    \
            const T *xs = (const T *)s->x + at, *as = (const T *)s->a + at;                                            \
            T *y = (T *)s->y + at;                                                                                     \
            MADE so_far = START;                                                                                       \
            for (int64_t i = 0; i < s->n; i++) {                                                                       \
                const MADE x = (MADE)xs[i * s->step], a = i > 0 ? (MADE)as[i * s->step] : 0;                           \
                (void)a;                                                                                               \
                so_far = NEXT;                                                                                         \
                y[i * s->step] = (T)so_far;                                                                            \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    static void name##_strips(void *arg, int64_t begin, int64_t end, int worker)                                       \
    {                                                                                                                  \
        (void)worker;                                                                                                  \
        const scan *s = arg;                                                                                           \
        for (int64_t strip = begin; strip < end; strip++) {                                                            \
            int64_t width;                                                                                             \
            const int64_t first = strip_at(s, strip, &width);                                                          \
            MADE made[STRIP];                                                                                          \
            for (int64_t c = 0; c < width; c++)                                                                        \
                made[c] = START;                                                                                       \
            for (int64_t i = 0; i < s->n; i++) {                                                                       \
                const int64_t at = first + i * s->step * s->inner;                                                     \
                const T *xs = (const T *)s->x + at, *as = (const T *)s->a + at;                                        \
                T *y = (T *)s->y + at;                                                                                 \
                WEFT__INDEPENDENT                                                                                      \
                for (int64_t c = 0; c < width; c++) {                                                                  \
                    const MADE x = (MADE)xs[c], a = i > 0 ? (MADE)as[c] : 0, so_far = made[c];                         \
                    (void)a;                                                                                           \
                    made[c] = NEXT;                                                                                    \
                    y[c] = (T)made[c];                                                                                 \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }

#define SUM so_far + x
#define PRODUCT so_far *x
#define RECURRENCE a *so_far + x
SCAN(float, double, sum_f32, 0, SUM)
SCAN(double, double, sum_f64, 0, SUM)
SCAN(int64_t, uint64_t, sum_i64, 0, SUM) /* integers wrap */
SCAN(float, double, product_f32, 1, PRODUCT)
SCAN(double, double, product_f64, 1, PRODUCT)
SCAN(int64_t, uint64_t, product_i64, 1, PRODUCT)
SCAN(float, double, linear_f32, 0, RECURRENCE)
SCAN(double, double, linear_f64, 0, RECURRENCE)

/* ---- The best so far: NaN, then the largest or smallest; of equals the first that was met ---- */

#define BEST(T, name, BETTER, IS_NAN)                                                                                  \
    static void name##_rows(void *arg, int64_t begin, int64_t end, int worker)                                         \
    {                                                                                                                  \
        (void)worker;                                                                                                  \
        const scan *s = arg;                                                                                           \
        for (int64_t r = begin; r < end; r++) {                                                                        \
            const int64_t from = r * s->n + s->first;                                                                  \
            const T *x = (const T *)s->x + from;                                                                       \
            T *y = (T *)s->y + from, best = x[0];                                                                      \
            int64_t *at = s->at + from, place = s->first;                                                              \
            for (int64_t i = 0; i < s->n; i++) {                                                                       \
                const T e = x[i * s->step];                                                                            \
                const bool better = !IS_NAN(best) && (e BETTER best || IS_NAN(e));                                     \
                best = better ? e : best;                                                                              \
                place = better ? s->first + i * s->step : place;                                                       \
                y[i * s->step] = best;                                                                                 \
                at[i * s->step] = place;                                                                               \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    static void name##_strips(void *arg, int64_t begin, int64_t end, int worker)                                       \
    {                                                                                                                  \
        (void)worker;                                                                                                  \
        const scan *s = arg;                                                                                           \
        for (int64_t strip = begin; strip < end; strip++) {                                                            \
            int64_t width;                                                                                             \
            const int64_t first = strip_at(s, strip, &width);                                                          \
            const T *x = (const T *)s->x + first;                                                                      \
            T best[STRIP];                                                                                             \
            int64_t places[STRIP];                                                                                     \
            for (int64_t c = 0; c < width; c++) {                                                                      \
                best[c] = x[c];                                                                                        \
                places[c] = s->first;                                                                                  \
            }                                                                                                          \
            for (int64_t i = 0; i < s->n; i++) {                                                                       \
                const int64_t way = i * s->step * s->inner, place = s->first + i * s->step;                            \
                T *y = (T *)s->y + first + way;                                                                        \
                int64_t *at = s->at + first + way;                                                                     \
                WEFT__INDEPENDENT                                                                                      \
                for (int64_t c = 0; c < width; c++) {                                                                  \
                    const T e = x[way + c];                                                                            \
                    const bool better = (!IS_NAN(best[c])) & ((e BETTER best[c]) | IS_NAN(e));                         \
                    best[c] = better ? e : best[c];                                                                    \
                    places[c] = better ? place : places[c];                                                            \
                    y[c] = best[c];                                                                                    \
                    at[c] = places[c];                                                                                 \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }

#define IS_NAN(x) ((x) != (x))
#define NEVER(x) false
BEST(float, largest_f32, >, IS_NAN)
BEST(double, largest_f64, >, IS_NAN)
BEST(int64_t, largest_i64, >, NEVER)
BEST(float, smallest_f32, <, IS_NAN)
BEST(double, smallest_f64, <, IS_NAN)
BEST(int64_t, smallest_i64, <, NEVER)

/* ---- Logarithms of sums of exponentials ---- */

/* Of a slice whose elements lie step apart, a block after the other: the largest so far, m, and the sum so far of
 * e^(x - m), which is at least 1. Only that sum is a chain; the exponentials and logarithms are vectors. */
#define LOG_SUMS(T, R)                                                                                                 \
    static void log_sums_of_##R(const T *x, T *y, int64_t n, int64_t step)                                             \
    {                                                                                                                  \
        T apart[STRIP], largest[STRIP], sums[STRIP], m = -(T)INFINITY;                                                 \
        double sum = 0;                                                                                                \
        for (int64_t from = 0; from < n; from += STRIP) {                                                              \
            const int64_t length = weft__least(STRIP, n - from);                                                       \
            for (int64_t i = 0; i < length; i++) {                                                                     \
                const T e = x[(from + i) * step], less = e > m ? m - e : e - m;                                        \
                apart[i] = e == m ? 0 : less;                                                                          \
                sums[i] = e > m; /* a new largest */                                                                   \
                m = e > m ? e : m;                                                                                     \
                largest[i] = m;                                                                                        \
            }                                                                                                          \
            for (int64_t i = 0; i < length; i++)                                                                       \
                apart[i] = weft__m_exp_##R(apart[i]);                                                                  \
            for (int64_t i = 0; i < length; i++) {                                                                     \
                sum = sums[i] != 0 ? sum * (double)apart[i] + 1 : sum + (double)apart[i];                              \
                sums[i] = (T)sum;                                                                                      \
            }                                                                                                          \
            for (int64_t i = 0; i < length; i++)                                                                       \
                sums[i] = weft__m_log_##R(sums[i]) + largest[i];                                                       \
            for (int64_t i = 0; i < length; i++)                                                                       \
                y[(from + i) * step] = sums[i];                                                                        \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    static void log_sum_##R##_rows(void *arg, int64_t begin, int64_t end, int worker)                                  \
    {                                                                                                                  \
        (void)worker;                                                                                                  \
        const scan *s = arg;                                                                                           \
        for (int64_t slice = begin; slice < end; slice++) {                                                            \
            const int64_t outer = slice / s->inner;                                                                    \
            const int64_t at = (outer * s->n + s->first) * s->inner + (slice - outer * s->inner);                      \
            log_sums_of_##R((const T *)s->x + at, (T *)s->y + at, s->n, s->step * s->inner);                           \
        }                                                                                                              \
    }

LOG_SUMS(float, f32)
LOG_SUMS(double, f64)

/* ---- Kernels ---- */

typedef void walk(void *arg, int64_t begin, int64_t end, int worker);

/* a is what the recurrence multiplies by; walks: of f32, f64 and i64 rows, then of strips, NULL: rows do for them. */
static weft_status run(const weft__exec *e, const weft__array *x, const weft__array *a, walk *const (*walks)[3])
{
    const weft__scan_attrs *attrs = &e->attrs->scan;
    const int type = x->dtype == WEFT_F32 ? 0 : x->dtype == WEFT_F64 ? 1 : 2;
    scan s = {.x = x->data, .a = a->data, .y = e->out[0]->data, .n = 1, .inner = 1};
    int64_t outer = 1;
    for (int d = 0; d < x->ndim; d++)
        *(d < attrs->dim ? &outer : d == attrs->dim ? &s.n : &s.inner) *= x->shape[d];
    if (x->count == 0)
        return WEFT_OK;
    s.at = e->n_out > 1 ? e->out[1]->data : NULL;
    s.first = attrs->reverse ? s.n - 1 : 0;
    s.step = attrs->reverse ? -1 : 1;
    s.width = weft__least(STRIP, s.inner);
    s.strips = weft__ceil_div(s.inner, s.width);
    if (s.inner == 1 || !walks[1][type])
        weft__pool_for(weft__exec_pool(e), outer * s.inner, weft__grain(s.n), walks[0][type], &s);
    else
        weft__pool_for(weft__exec_pool(e), outer * s.strips, weft__grain(s.n * s.width), walks[1][type], &s);
    return WEFT_OK;
}

#define EACH(name)                                                                                                     \
    {                                                                                                                  \
        {name##_f32_rows, name##_f64_rows, name##_i64_rows},                                                           \
        {                                                                                                              \
            name##_f32_strips, name##_f64_strips, name##_i64_strips                                                    \
        }                                                                                                              \
    }

weft_status WEFT__CPU(cumsum)(const weft__exec *e)
{
    static walk *const walks[2][3] = EACH(sum);
    return run(e, e->in[0], e->in[0], walks);
}

weft_status WEFT__CPU(cumprod)(const weft__exec *e)
{
    static walk *const walks[2][3] = EACH(product);
    return run(e, e->in[0], e->in[0], walks);
}

weft_status WEFT__CPU(cummax)(const weft__exec *e)
{
    static walk *const walks[2][3] = EACH(largest);
    return run(e, e->in[0], e->in[0], walks);
}

weft_status WEFT__CPU(cummin)(const weft__exec *e)
{
    static walk *const walks[2][3] = EACH(smallest);
    return run(e, e->in[0], e->in[0], walks);
}

weft_status WEFT__CPU(logcumsumexp)(const weft__exec *e)
{
    static walk *const walks[2][3] = {{log_sum_f32_rows, log_sum_f64_rows}};
    return run(e, e->in[0], e->in[0], walks);
}

weft_status WEFT__CPU(linear_scan)(const weft__exec *e)
{
    static walk *const walks[2][3] = {{linear_f32_rows, linear_f64_rows}, {linear_f32_strips, linear_f64_strips}};
    return run(e, e->in[1], e->in[0], walks);
}
