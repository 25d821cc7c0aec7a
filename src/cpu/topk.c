/* topk.c - the k first elements in order along one dim, and where they are: TOPK.
 *
 *   in x [outer, n, inner] contiguous, f32, f64 or i64      out values, indices [outer, k, inner]
 *
 * Elements are compared as unsigned numbers, keys, the first in order the largest; equal keys go by position. So the
 * order is total, and the result is the same whatever the way that finds it. A slice's best k so far are kept in a heap
 * with the last of them on top, which most elements do not beat; in the end the heap is taken apart, last first. Slices
 * that lie side by side in memory are gone through together. */
#include "cpu.h"
#include "order.h"
#include "rows.h"

enum { SIDE_BY_SIDE = 16 };

typedef struct entry {
    uint64_t key;
    int64_t at;
} entry;

typedef struct task {
    const char *x;
    char *values;
    int64_t *indices;
    int64_t n, k, inner;
    int64_t groups; /* of slices, of each outer position */
    bool largest;
    entry *heaps; /* [workers, SIDE_BY_SIDE or 1, k] */
    int64_t side; /* slices of a group */
} task;

/* ---- Keys ---- */

/* NaN comes first in both directions. */
static uint64_t key_f32(float x, bool largest)
{
    return largest || x != x ? weft__key_f32(x) : (uint32_t)~weft__key_f32(x);
}

static uint64_t key_f64(double x, bool largest)
{
    return largest || x != x ? weft__key_f64(x) : ~weft__key_f64(x);
}

static uint64_t key_i64(int64_t x, bool largest)
{
    return largest ? weft__key_i64(x) : ~weft__key_i64(x);
}

/* ---- Heaps ---- */

/* Does a come before b? */
static inline bool before(entry a, entry b)
{
    return a.key > b.key || (a.key == b.key && a.at < b.at);
}

/* Puts e into the heap's place i, or further down: no entry comes before the one above it. */
static void sink(entry *heap, int64_t n, int64_t i, entry e)
{
    for (;;) {
        int64_t below = 2 * i + 1;
        if (below >= n)
            break;
        if (below + 1 < n && before(heap[below], heap[below + 1]))
            below++;
        if (before(heap[below], e))
            break;
        heap[i] = heap[below];
        i = below;
    }
    heap[i] = e;
}

static void pile_up(entry *heap, int64_t n)
{
    for (int64_t i = n / 2 - 1; i >= 0; i--)
        sink(heap, n, i, heap[i]);
}

/* The heap's entries in order. */
static void take_apart(entry *heap, int64_t n)
{
    for (int64_t last = n - 1; last > 0; last--) {
        const entry e = heap[last];
        heap[last] = heap[0];
        sink(heap, last, 0, e);
    }
}

/* ---- Slices ---- */

#define DEFINE_SLICES(REAL, name)                                                                                      \
    /* The best k of each of cols slices that begin at x, x + 1 ...; heaps [cols, k] */                                \
    static void find_##name(const task *t, const REAL *x, int64_t cols, entry *heaps)                                  \
    {                                                                                                                  \
        for (int64_t i = 0; i < t->k; i++)                                                                             \
            for (int64_t j = 0; j < cols; j++)                                                                         \
                heaps[j * t->k + i] = (entry){.key = key_##name(x[i * t->inner + j], t->largest), .at = i};            \
        for (int64_t j = 0; j < cols; j++)                                                                             \
            pile_up(heaps + j * t->k, t->k);                                                                           \
        for (int64_t i = t->k; i < t->n; i++)                                                                          \
            for (int64_t j = 0; j < cols; j++) {                                                                       \
                const uint64_t key = key_##name(x[i * t->inner + j], t->largest);                                      \
                if (key > heaps[j * t->k].key)                                                                         \
                    sink(heaps + j * t->k, t->k, 0, (entry){.key = key, .at = i});                                     \
            }                                                                                                          \
    }                                                                                                                  \
                                                                                                                       \
    static void run_##name(void *arg, int64_t begin, int64_t end, int worker)                                          \
    {                                                                                                                  \
        const task *t = arg;                                                                                           \
        entry *heaps = t->heaps + worker * t->side * t->k;                                                             \
        for (int64_t group = begin; group < end; group++) {                                                            \
            const int64_t outer = group / t->groups, first = (group - outer * t->groups) * t->side;                    \
            const int64_t cols = weft__least(t->side, t->inner - first);                                               \
            const REAL *x = (const REAL *)(const void *)t->x + outer * t->n * t->inner + first;                        \
            const int64_t out = outer * t->k * t->inner + first;                                                       \
            find_##name(t, x, cols, heaps);                                                                            \
            for (int64_t j = 0; j < cols; j++) {                                                                       \
                const entry *found = heaps + j * t->k;                                                                 \
                take_apart(heaps + j * t->k, t->k);                                                                    \
                for (int64_t i = 0; i < t->k; i++) {                                                                   \
                    ((REAL *)(void *)t->values)[out + i * t->inner + j] = x[found[i].at * t->inner + j];               \
                    t->indices[out + i * t->inner + j] = found[i].at;                                                  \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }

DEFINE_SLICES(float, f32)
DEFINE_SLICES(double, f64)
DEFINE_SLICES(int64_t, i64)

/* x [.., n, ..]; values and indices [.., k, ..]   attributes: topk */
weft_status WEFT__CPU(topk)(const weft__exec *e)
{
    const weft__array *x = e->in[0], *values = e->out[0];
    const int dim = (int)e->attrs->topk.dim;
    if (values->count == 0)
        return WEFT_OK;
    task t = {.x = x->data,
              .values = values->data,
              .indices = e->out[1]->data,
              .n = x->shape[dim],
              .k = values->shape[dim],
              .inner = 1,
              .largest = e->attrs->topk.largest != 0};
    for (int d = dim + 1; d < x->ndim; d++)
        t.inner *= x->shape[d];
    t.side = weft__least(t.inner, SIDE_BY_SIDE);
    t.groups = weft__ceil_div(t.inner, t.side);
    weft__pool *pool = weft__exec_pool(e);
    t.heaps = weft__scratch(e, weft__pool_threads(pool) * t.side * t.k, sizeof(entry));
    if (!t.heaps)
        return WEFT_E_NOMEM;
    weft__pool_for(pool, x->count / (t.n * t.inner) * t.groups, weft__grain(t.n * t.side),
                   x->dtype == WEFT_F32   ? run_f32
                   : x->dtype == WEFT_F64 ? run_f64
                                          : run_i64,
                   &t);
    return WEFT_OK;
}
