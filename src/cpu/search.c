/* search.c - where values belong in sorted rows: SEARCHSORTED.
 *
 *   in sorted [rows or one, n], values [rows, m], both f32, f64 or i64      out index [rows, m]
 *
 * Values are looked for LANES at a time by halving, always as often as the length says, so that no branch depends on
 * what is found and the loads of one do not wait for another's. Where values rise, each is looked for from the place of
 * the one before on, in steps that double. NaN comes after all numbers, as sort has it. */
#include "rows.h"

enum { LANES = 8 };

typedef struct task {
    const void *sorted, *values;
    int64_t *index;
    int64_t n, m, step; /* step: from a row of sorted to the next, 0: there is one */
    bool right, onward; /* onward: rows of sorted are known to rise */
} task;

/* Elements that compare as IS with value come before its place: < for the left one, <= for the right one. A NaN among
 * the elements does neither; a value that is NaN has its own loop. */
#define SEARCH(T, name, IS, NUMBER)                                                                                    \
    /* From the first place on that may be it. */                                                                      \
    static int64_t onward_##name(const T *row, int64_t n, T value, int64_t at)                                         \
    {                                                                                                                  \
        int64_t width = 1;                                                                                             \
        for (; at + width <= n && row[at + width - 1] IS value; width *= 2)                                            \
            at += width;                                                                                               \
        for (int64_t left = weft__least(width - 1, n - at); left > 0; left /= 2) {                                     \
            const int64_t half = (left + 1) / 2;                                                                       \
            at += row[at + half - 1] IS value ? half : 0;                                                              \
        }                                                                                                              \
        return at;                                                                                                     \
    }                                                                                                                  \
                                                                                                                       \
    /* The places of count values, LANES at most, in a row. */                                                         \
    static void together_##name(const T *row, int64_t n, const T *values, int64_t count, int64_t *index)               \
    {                                                                                                                  \
        int64_t at[LANES] = {0};                                                                                       \
        T value[LANES];                                                                                                \
        for (int64_t k = 0; k < LANES; k++)                                                                            \
            value[k] = values[k < count ? k : 0];                                                                      \
        for (int64_t left = n; left > 0; left /= 2) { /* each place is within left elements from at */                 \
            const int64_t half = (left + 1) / 2;                                                                       \
            for (int64_t k = 0; k < LANES; k++)                                                                        \
                at[k] += row[at[k] + half - 1] IS value[k] ? half : 0;                                                 \
        }                                                                                                              \
        for (int64_t k = 0; k < count; k++)                                                                            \
            index[k] = at[k];                                                                                          \
    }                                                                                                                  \
                                                                                                                       \
    /* Behind the numbers. */                                                                                          \
    static int64_t numbers_##name(const T *row, int64_t n)                                                             \
    {                                                                                                                  \
        int64_t at = 0;                                                                                                \
        (void)row;                                                                                                     \
        for (int64_t left = n; left > 0; left /= 2) {                                                                  \
            const int64_t half = (left + 1) / 2;                                                                       \
            at += NUMBER(row[at + half - 1]) ? half : 0;                                                               \
        }                                                                                                              \
        return at;                                                                                                     \
    }                                                                                                                  \
                                                                                                                       \
    static void in_row_##name(const task *t, const T *row, const T *values, int64_t count, int64_t *index)             \
    {                                                                                                                  \
        int64_t rising = t->onward ? 1 : 0;                                                                            \
        while (rising > 0 && rising < count && values[rising - 1] <= values[rising])                                   \
            rising++;                                                                                                  \
        if (rising == count && NUMBER(values[0])) {                                                                    \
            for (int64_t k = 0, at = 0; k < count; k++)                                                                \
                index[k] = at = onward_##name(row, t->n, values[k], at);                                               \
            return;                                                                                                    \
        }                                                                                                              \
        for (int64_t k = 0; k < count; k += LANES)                                                                     \
            together_##name(row, t->n, values + k, weft__least(LANES, count - k), index + k);                          \
        for (int64_t k = 0; k < count; k++)                                                                            \
            if (!NUMBER(values[k]))                                                                                    \
                index[k] = t->right ? t->n : numbers_##name(row, t->n);                                                \
    }                                                                                                                  \
                                                                                                                       \
    static void name(void *arg, int64_t begin, int64_t end, int worker)                                                \
    {                                                                                                                  \
        (void)worker;                                                                                                  \
        const task *t = arg;                                                                                           \
        while (begin < end) { /* as many as are left of the row of values */                                           \
            const int64_t row = begin / t->m, count = weft__least(end, (row + 1) * t->m) - begin;                      \
            in_row_##name(t, (const T *)t->sorted + row * t->step, (const T *)t->values + begin, count,                \
                          t->index + begin);                                                                           \
            begin += count;                                                                                            \
        }                                                                                                              \
    }

#define IS_NUMBER(x) ((x) == (x))
#define ALWAYS(x) true
SEARCH(float, left_f32, <, IS_NUMBER)
SEARCH(double, left_f64, <, IS_NUMBER)
SEARCH(int64_t, left_i64, <, ALWAYS)
SEARCH(float, right_f32, <=, IS_NUMBER)
SEARCH(double, right_f64, <=, IS_NUMBER)
SEARCH(int64_t, right_i64, <=, ALWAYS)

/* Whether no element of a row comes before the one in front of it. */
#define RISES(T, name, NUMBER)                                                                                         \
    static bool rises_##name(const T *row, int64_t n)                                                                  \
    {                                                                                                                  \
        bool falls = false;                                                                                            \
        for (int64_t i = 1; i < n; i++)                                                                                \
            falls |= row[i] < row[i - 1] || (NUMBER(row[i]) && !NUMBER(row[i - 1]));                                   \
        return !falls;                                                                                                 \
    }
RISES(float, f32, IS_NUMBER)
RISES(double, f64, IS_NUMBER)
RISES(int64_t, i64, ALWAYS)

weft_status WEFT__CPU(searchsorted)(const weft__exec *e)
{
    const weft__array *sorted = e->in[0], *values = e->in[1];
    if (values->count == 0)
        return WEFT_OK;
    const bool one = sorted->ndim == 1;
    task t = {.sorted = sorted->data,
              .values = values->data,
              .index = e->out[0]->data,
              .n = sorted->shape[sorted->ndim - 1],
              .m = one ? values->count : values->shape[values->ndim - 1],
              .right = e->attrs->search.right != 0};
    t.step = one ? 0 : t.n;
    /* Where there are about as many values as elements to look at, it is worth to know whether they rise. */
    const int64_t rows = one ? 1 : t.n > 0 ? sorted->count / t.n : 0;
    int64_t steps = 1;
    for (int64_t left = t.n; left > 0; left /= 2)
        steps++;
    const bool f32 = values->dtype == WEFT_F32, f64 = values->dtype == WEFT_F64;
    t.onward = values->count >= sorted->count / 8;
    for (int64_t r = 0; r < rows && t.onward; r++)
        t.onward = f32   ? rises_f32((const float *)t.sorted + r * t.n, t.n)
                   : f64 ? rises_f64((const double *)t.sorted + r * t.n, t.n)
                         : rises_i64((const int64_t *)t.sorted + r * t.n, t.n);
    const weft__range_fn of_f32 = t.right ? right_f32 : left_f32, of_f64 = t.right ? right_f64 : left_f64,
                         of_i64 = t.right ? right_i64 : left_i64;
    weft__pool_for(weft__exec_pool(e), values->count, weft__grain(steps), f32 ? of_f32 : f64 ? of_f64 : of_i64, &t);
    return WEFT_OK;
}
