/* sort.c - the elements along one dim in order, and where they were: SORT.
 *
 *   in x [outer, n, inner] contiguous, f32, f64 or i64      out values, indices, as x
 *
 * Elements become unsigned keys in rising order (order.h); of equal keys the one that was first stays first. A key of
 * 32 bits and its position share one number, so that comparing numbers compares both; that goes for f32, and for
 * integers that lie within 2^32 of each other. Short slices are sorted by insertion, others digit by digit, the lowest
 * first, and digits that are equal in all keys are left out. Slices that lie side by side in memory are read and
 * written together. */
#include "cpu.h"
#include "order.h"
#include "rows.h"

enum {
    SHORT = 48,         /* elements that are sorted by insertion at most */
    SIDE_BY_SIDE = 16,  /* slices at most */
    TOGETHER = 1 << 16, /* elements of them at most, but for a slice by itself */
    MOST_BITS = 11,     /* of a digit, which are worth their counters from LONG elements on */
    FEWER_BITS = 8,     /* else */
    LONG = 1 << 13
};

typedef uint64_t slim; /* key in the upper half, position in the lower */

typedef struct wide {
    uint64_t key, at;
} wide;

typedef struct task {
    const void *x;
    void *values;
    int64_t *indices;
    int64_t n, inner;
    int64_t side, groups; /* slices of a group; groups of each outer position */
    uint64_t flip;        /* of a key's bits, where the largest come first */
    bool few;             /* groups than workers: each has its own room */
    wide *room;           /* [workers or groups, side + 1, n]: slim entries take half of it */
} task;

/* ---- Sorting entries ---- */

#define SORTED(E, KEY, BEFORE)                                                                                         \
    static void insert_##E(E *e, int64_t n)                                                                            \
    {                                                                                                                  \
        for (int64_t i = 1; i < n; i++) {                                                                              \
            const E moved = e[i];                                                                                      \
            int64_t to = i;                                                                                            \
            for (; to > 0 && BEFORE(moved, e[to - 1]); to--)                                                           \
                e[to] = e[to - 1];                                                                                     \
            e[to] = moved;                                                                                             \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    /* By the digit at shift. */                                                                                       \
    static void place_##E(const E *from, E *to, int64_t n, int shift, int bits)                                        \
    {                                                                                                                  \
        int64_t start[1 << MOST_BITS], all = 0;                                                                        \
        const uint64_t mask = (UINT64_C(1) << bits) - 1;                                                               \
        memset(start, 0, sizeof *start << bits);                                                                       \
        for (int64_t i = 0; i < n; i++)                                                                                \
            start[KEY(from[i]) >> shift & mask]++;                                                                     \
        for (uint64_t digit = 0; digit <= mask; digit++) {                                                             \
            const int64_t count = start[digit];                                                                        \
            start[digit] = all;                                                                                        \
            all += count;                                                                                              \
        }                                                                                                              \
        for (int64_t i = 0; i < n; i++)                                                                                \
            to[start[KEY(from[i]) >> shift & mask]++] = from[i];                                                       \
    }                                                                                                                  \
                                                                                                                       \
    /* Where the n entries are in order afterwards: e or room. */                                                      \
    static E *sorted_##E(E *e, E *room, int64_t n)                                                                     \
    {                                                                                                                  \
        uint64_t differing = 0;                                                                                        \
        bool falls = false;                                                                                            \
        if (n <= SHORT) {                                                                                              \
            insert_##E(e, n);                                                                                          \
            return e;                                                                                                  \
        }                                                                                                              \
        for (int64_t i = 1; i < n; i++) {                                                                              \
            differing |= KEY(e[i]) ^ KEY(e[0]);                                                                        \
            falls |= BEFORE(e[i], e[i - 1]);                                                                           \
        }                                                                                                              \
        const int bits = n < LONG ? FEWER_BITS : MOST_BITS;                                                            \
        for (int shift = 0; falls && shift < 64 && differing >> shift != 0; shift += bits) {                           \
            if ((differing >> shift & ((UINT64_C(1) << bits) - 1)) == 0)                                               \
                continue;                                                                                              \
            place_##E(e, room, n, shift, bits);                                                                        \
            E *const there = room;                                                                                     \
            room = e;                                                                                                  \
            e = there;                                                                                                 \
        }                                                                                                              \
        return e;                                                                                                      \
    }

#define SLIM_KEY(e) ((e) >> 32)
#define SLIM_BEFORE(a, b) ((a) < (b))
#define WIDE_KEY(e) ((e).key)
#define WIDE_BEFORE(a, b) ((a).key < (b).key)
SORTED(slim, SLIM_KEY, SLIM_BEFORE)
SORTED(wide, WIDE_KEY, WIDE_BEFORE)

/* ---- Slices ---- */

/* The cols slices that begin at x, x + 1 ... (of one outer position) go through entries of type E. */
#define THROUGH(E, T, name, ENTRY, AT)                                                                                 \
    static void name(const task *t, int64_t first, int64_t cols, uint64_t least, wide *room)                           \
    {                                                                                                                  \
        const T *x = (const T *)t->x + first;                                                                          \
        T *values = (T *)t->values + first;                                                                            \
        int64_t *indices = t->indices + first;                                                                         \
        const int64_t n = t->n, inner = t->inner;                                                                      \
        E *e = (E *)(void *)room, *spare = e + t->side * n;                                                            \
        (void)least;                                                                                                   \
        for (int64_t i = 0; i < n; i++)                                                                                \
            for (int64_t j = 0; j < cols; j++)                                                                         \
                e[j * n + i] = ENTRY(x[i * inner + j]);                                                                \
        const E *found[SIDE_BY_SIDE];                                                                                  \
        for (int64_t j = 0; j < cols; j++) {                                                                           \
            E *there = sorted_##E(e + j * n, spare, n);                                                                \
            if (there == spare)                                                                                        \
                spare = e + j * n;                                                                                     \
            found[j] = there;                                                                                          \
        }                                                                                                              \
        for (int64_t i = 0; i < n; i++)                                                                                \
            for (int64_t j = 0; j < cols; j++) {                                                                       \
                const int64_t at = (int64_t)AT(found[j][i]);                                                           \
                values[i * inner + j] = x[at * inner + j];                                                             \
                indices[i * inner + j] = at;                                                                           \
            }                                                                                                          \
    }

#define SLIM_OF(key) ((key) << 32 | (uint64_t)i)
#define WIDE_OF(k) ((wide){.key = (k), .at = (uint64_t)i})
#define SLIM_AT(e) ((uint32_t)(e))
#define WIDE_AT(e) ((e).at)
#define F32_SLIM(x) SLIM_OF(weft__key_f32(x) ^ (t->flip & UINT32_MAX))
#define F32_WIDE(x) WIDE_OF(weft__key_f32(x) ^ (t->flip & UINT32_MAX))
#define F64_WIDE(x) WIDE_OF(weft__key_f64(x) ^ t->flip)
#define I64_SLIM(x) SLIM_OF((weft__key_i64(x) - least) ^ (t->flip & UINT32_MAX))
#define I64_WIDE(x) WIDE_OF(weft__key_i64(x) ^ t->flip)
THROUGH(slim, float, slim_f32, F32_SLIM, SLIM_AT)
THROUGH(wide, float, wide_f32, F32_WIDE, WIDE_AT)
THROUGH(wide, double, wide_f64, F64_WIDE, WIDE_AT)
THROUGH(slim, int64_t, slim_i64, I64_SLIM, SLIM_AT)
THROUGH(wide, int64_t, wide_i64, I64_WIDE, WIDE_AT)

static void group_f32(const task *t, int64_t first, int64_t cols, wide *room)
{
    (t->n <= UINT32_MAX ? slim_f32 : wide_f32)(t, first, cols, 0, room);
}

static void group_f64(const task *t, int64_t first, int64_t cols, wide *room)
{
    wide_f64(t, first, cols, 0, room);
}

static void group_i64(const task *t, int64_t first, int64_t cols, wide *room)
{
    const int64_t *x = (const int64_t *)t->x + first;
    int64_t lo = x[0], hi = x[0];
    for (int64_t i = 0; i < t->n; i++)
        for (int64_t j = 0; j < cols; j++) {
            const int64_t value = x[i * t->inner + j];
            lo = value < lo ? value : lo;
            hi = value > hi ? value : hi;
        }
    const bool near = (uint64_t)hi - (uint64_t)lo <= UINT32_MAX && t->n <= UINT32_MAX;
    (near ? slim_i64 : wide_i64)(t, first, cols, weft__key_i64(lo), room);
}

#define GROUPS(name)                                                                                                   \
    static void run_##name(void *arg, int64_t begin, int64_t end, int worker)                                          \
    {                                                                                                                  \
        const task *t = arg;                                                                                           \
        for (int64_t group = begin; group < end; group++) {                                                            \
            wide *room = t->room + (t->few ? group : worker) * (t->side + 1) * t->n;                                   \
            const int64_t outer = group / t->groups, column = (group - outer * t->groups) * t->side;                   \
            group_##name(t, outer * t->n * t->inner + column, weft__least(t->side, t->inner - column), room);          \
        }                                                                                                              \
    }
GROUPS(f32)
GROUPS(f64)
GROUPS(i64)

/* x, values and indices [.., n, ..]   attributes: sort */
weft_status WEFT__CPU(sort)(const weft__exec *e)
{
    const weft__array *x = e->in[0];
    const int dim = (int)e->attrs->sort.dim;
    if (x->count == 0)
        return WEFT_OK;
    task t = {.x = x->data,
              .values = e->out[0]->data,
              .indices = e->out[1]->data,
              .n = x->shape[dim],
              .inner = 1,
              .flip = e->attrs->sort.descending ? UINT64_MAX : 0};
    for (int d = dim + 1; d < x->ndim; d++)
        t.inner *= x->shape[d];
    t.side = weft__least(t.inner, weft__most(1, weft__least(SIDE_BY_SIDE, TOGETHER / t.n)));
    t.groups = weft__ceil_div(t.inner, t.side);
    weft__pool *pool = weft__exec_pool(e);
    const int64_t groups = x->count / (t.n * t.inner) * t.groups, workers = weft__pool_threads(pool);
    t.few = groups < workers;
    t.room = weft__scratch(e, (t.few ? groups : workers) * (t.side + 1) * t.n, sizeof(wide));
    if (!t.room)
        return WEFT_E_NOMEM;
    weft__pool_for(pool, groups, weft__grain(t.n * t.side),
                   x->dtype == WEFT_F32   ? run_f32
                   : x->dtype == WEFT_F64 ? run_f64
                                          : run_i64,
                   &t);
    return WEFT_OK;
}
