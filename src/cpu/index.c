/* index.c - gather, scatter_add, scatter, scatter_max, scatter_min, index_select, index_add, embedding. All arrays
 * contiguous, indices i64.
 *
 * Indices are checked before anything is written. Sums go over the sources in order and threads share out the
 * destinations, so equal indices always add up in the same order. */
#include "rows.h"
#include "counter.h"

enum { COLUMNS = 256 }; /* columns of a destination that one item works on */

/* A bad index fails with its position and value. */
static weft_status check_index(const weft__exec *e, const weft__array *index, int64_t limit)
{
    const int64_t *at = index->data;
    uint64_t bad = 0;
    for (int64_t i = 0; i < index->count; i++)
        bad |= (uint64_t)((at[i] < 0) | (at[i] >= limit));
    if (!bad)
        return WEFT_OK;
    int64_t i = 0;
    while (at[i] >= 0 && at[i] < limit)
        i++;
    return e->host->fail(e, WEFT_E_INVALID, "%s[%lld] = %lld is outside [0, %lld)", weft__positions_name(e->caller),
                         (long long)i, (long long)at[i], (long long)limit);
}

static int size_of(const weft__array *a)
{
    return (int)weft_dtype_size((weft_dtype)a->dtype);
}

/* Product of the sizes of dims [first, last). */
static int64_t sizes(const weft__array *a, int first, int last)
{
    int64_t n = 1;
    for (int d = first; d < last; d++)
        n *= a->shape[d];
    return n;
}

/* dst[i] = src[index[i] * stride + i * step], i < n, elements of the given size */
static void pick(char *dst, const char *src, const int64_t *index, int64_t n, int64_t stride, int64_t step, int size)
{
    switch (size) {
    case 1:
        for (int64_t i = 0; i < n; i++)
            dst[i] = src[index[i] * stride + i * step];
        return;
    case 2:
        for (int64_t i = 0; i < n; i++)
            ((uint16_t *)(void *)dst)[i] = ((const uint16_t *)(const void *)src)[index[i] * stride + i * step];
        return;
    case 4:
        for (int64_t i = 0; i < n; i++)
            ((uint32_t *)(void *)dst)[i] = ((const uint32_t *)(const void *)src)[index[i] * stride + i * step];
        return;
    default:
        for (int64_t i = 0; i < n; i++)
            ((uint64_t *)(void *)dst)[i] = ((const uint64_t *)(const void *)src)[index[i] * stride + i * step];
        return;
    }
}

/* ---- gather ---- */

typedef struct gathering {
    weft__counter counter; /* rows of index; strides [0]: of x, without the dim gathered along */
    const char *x;
    const int64_t *index;
    char *y;
    int64_t row, stride, step; /* elements of a row; of x: along the dim, along the row otherwise */
    int size;
} gathering;

static void gather_rows(void *arg, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const gathering *t = arg;
    weft__counter at = t->counter;
    weft__counter_seek(&at, begin);
    for (int64_t r = begin; r < end; r++, weft__counter_next(&at))
        pick(t->y + r * t->row * t->size, t->x + at.offset[0] * t->size, t->index + r * t->row, t->row, t->stride,
             t->step, t->size);
}

/* x [...], index and out [...], no larger than x but in the dim: y[.., i, ..] = x[.., index[.., i, ..], ..] */
weft_status WEFT__CPU(gather)(const weft__exec *e)
{
    const weft__array *x = e->in[0], *index = e->in[1];
    const int dim = (int)e->attrs->along.dim, last = x->ndim - 1;
    weft_status status = check_index(e, index, x->ndim == 0 ? 1 : x->shape[dim]);
    if (status != WEFT_OK || index->count == 0)
        return status;
    int64_t strides[WEFT__MAX_DIMS];
    weft__row_major(x->shape, x->ndim, strides);
    gathering t = {.x = x->data, .index = index->data, .y = e->out[0]->data, .size = size_of(x), .row = 1};
    for (int d = 0; d < last; d++) {
        t.counter.shape[d] = index->shape[d];
        t.counter.strides[0][d] = d == dim ? 0 : strides[d];
    }
    if (last >= 0) {
        t.counter.n = last;
        t.row = index->shape[last];
        t.stride = strides[dim];
        t.step = dim == last ? 0 : 1;
    }
    weft__pool_for(weft__exec_pool(e), index->count / t.row, weft__grain(t.row), gather_rows, &t);
    return WEFT_OK;
}

/* ---- index_select, embedding ---- */

typedef struct selection {
    const char *x;
    const int64_t *index;
    char *y;
    int64_t x_rows, n, inner; /* x [outer, x_rows, inner], y [outer, n, inner] */
    int size;
} selection;

static void select_rows(void *arg, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const selection *t = arg;
    const int64_t bytes = t->inner * t->size;
    for (int64_t r = begin; r < end; r++) {
        const int64_t outer = r / t->n, at = t->index[r - outer * t->n];
        memcpy(t->y + r * bytes, t->x + (outer * t->x_rows + at) * bytes, (size_t)bytes);
    }
}

/* Single elements: one item is a row of the result. */
static void select_elements(void *arg, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const selection *t = arg;
    for (int64_t r = begin; r < end; r++)
        pick(t->y + r * t->n * t->size, t->x + r * t->x_rows * t->size, t->index, t->n, 1, 0, t->size);
}

static weft_status select_along(const weft__exec *e, int dim)
{
    const weft__array *x = e->in[0], *index = e->in[1];
    weft_status status = check_index(e, index, x->ndim == 0 ? 1 : x->shape[dim]);
    if (status != WEFT_OK || e->out[0]->count == 0)
        return status;
    selection t = {.x = x->data, .index = index->data, .y = e->out[0]->data, .n = index->count, .size = size_of(x)};
    const int64_t outer = sizes(x, 0, dim);
    t.inner = sizes(x, dim + 1, x->ndim);
    t.x_rows = x->ndim == 0 ? 1 : x->shape[dim];
    if (t.inner == 1)
        weft__pool_for(weft__exec_pool(e), outer, weft__grain(t.n), select_elements, &t);
    else
        weft__pool_for(weft__exec_pool(e), outer * t.n, weft__grain(t.inner), select_rows, &t);
    return WEFT_OK;
}

/* x [.., D, ..], index [n], out [.., n, ..] */
weft_status WEFT__CPU(index_select)(const weft__exec *e)
{
    return select_along(e, (int)e->attrs->along.dim);
}

/* weight [V, D], index [...], out [..., D] */
weft_status WEFT__CPU(embedding)(const weft__exec *e)
{
    return select_along(e, 0);
}

/* ---- scatter_add, index_add, scatter ...: a copy of x, then the sources ---- */

typedef struct addition {
    weft__counter counter; /* what lies outside of the dim and of the row; strides [0]: of y, [1]: of index and src */
    const void *src;
    const int64_t *index;
    void *y;
    int64_t n;                                   /* sources along the dim */
    int64_t row, pieces;                         /* elements of a row, cut into pieces of COLUMNS */
    int64_t stride, source_stride, index_stride; /* along the dim: of y, src, index */
} addition;

/* The loop of a scatter over items [begin, end) of the addition arg: an item is a position outside and a piece of a
 * row, with an index for each element. What is later along the dim comes later. */
#define EACH_SOURCE(TYPE, ...)                                                                                         \
    const addition *t = arg;                                                                                           \
    const int64_t stride = t->stride, index_stride = t->index_stride, source_stride = t->source_stride;                \
    weft__counter at = t->counter;                                                                                     \
    for (int64_t item = begin; item < end; item++) {                                                                   \
        const int64_t outside = item / t->pieces, column = (item - outside * t->pieces) * COLUMNS;                     \
        const int64_t width = weft__least(COLUMNS, t->row - column);                                                   \
        weft__counter_seek(&at, outside);                                                                              \
        TYPE *y = (TYPE *)t->y + at.offset[0] + column;                                                                \
        const TYPE *src = (const TYPE *)t->src + at.offset[1] + column;                                                \
        const int64_t *index = t->index + at.offset[1] + column;                                                       \
        for (int64_t i = 0; i < t->n; i++)                                                                             \
            for (int64_t j = 0; j < width; j++) {                                                                      \
                TYPE *to = &y[index[i * index_stride + j] * stride + j];                                               \
                const TYPE from = src[i * source_stride + j];                                                          \
                __VA_ARGS__                                                                                            \
            }                                                                                                          \
    }

#define SCATTER_PLACE(size)                                                                                            \
    static void scatter_##size(void *arg, int64_t begin, int64_t end, int worker)                                      \
    {                                                                                                                  \
        (void)worker;                                                                                                  \
        EACH_SOURCE(uint##size##_t, *to = from;)                                                                       \
    }

SCATTER_PLACE(8)
SCATTER_PLACE(16)
SCATTER_PLACE(32)
SCATTER_PLACE(64)

#define WEFT_REAL f32
#include "index.inc"
#undef WEFT_REAL
#define WEFT_REAL f64
#include "index.inc"
#undef WEFT_REAL
typedef int64_t weft__real_i64;
#define WEFT_REAL i64
#include "index.inc"
#undef WEFT_REAL

typedef struct copying {
    char *y;
    const char *x;
} copying;

static void copy_bytes(void *arg, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const copying *t = arg;
    memcpy(t->y + begin, t->x + begin, (size_t)(end - begin));
}

static void copy_x(const weft__exec *e)
{
    copying t = {.y = e->out[0]->data, .x = e->in[0]->data};
    if (e->in[0]->count > 0 && t.x != t.y)
        weft__pool_for(weft__exec_pool(e), e->in[0]->count * size_of(e->in[0]), 1 << 17, copy_bytes, &t);
}

/* Items: outside x pieces of rows. */
static void run_pieces(const weft__exec *e, addition *t, int64_t outside, weft__range_fn fn)
{
    t->pieces = weft__ceil_div(t->row, COLUMNS);
    weft__pool_for(weft__exec_pool(e), outside * t->pieces, weft__grain(t->n * weft__least(t->row, COLUMNS)), fn, t);
}

/* Which of the three functions is that of the dtype. */
static int type_of(const weft__exec *e)
{
    const int dtype = e->in[0]->dtype;
    return dtype == WEFT_F32 ? 0 : dtype == WEFT_F64 ? 1 : 2;
}

/* A copy of x, and the walk over x and out [...], index and src [...], no larger than x but in the dim; rows are single
 * elements where the dim is the last. *outside 0: nothing more to do. */
static weft_status begin_scatter(const weft__exec *e, int dim, addition *t, int64_t *outside)
{
    const weft__array *x = e->in[0], *index = e->in[1];
    const int last = x->ndim - 1;
    weft_status status = check_index(e, index, x->ndim == 0 ? 1 : x->shape[dim]);
    *outside = 0;
    if (status != WEFT_OK)
        return status;
    copy_x(e);
    if (index->count == 0)
        return WEFT_OK;
    *t = (addition){.src = e->in[2]->data, .index = index->data, .y = e->out[0]->data, .n = 1, .row = 1};
    int64_t to[WEFT__MAX_DIMS], from[WEFT__MAX_DIMS];
    *outside = 1;
    weft__row_major(x->shape, x->ndim, to);
    weft__row_major(index->shape, index->ndim, from);
    for (int d = 0; d <= last; d++) {
        if (d == dim || d == last)
            continue;
        const int k = t->counter.n++;
        t->counter.shape[k] = index->shape[d];
        t->counter.strides[0][k] = to[d];
        t->counter.strides[1][k] = from[d];
        *outside *= index->shape[d];
    }
    if (last >= 0) {
        t->n = index->shape[dim];
        t->stride = to[dim];
        t->source_stride = t->index_stride = from[dim];
        t->row = dim == last ? 1 : index->shape[last];
    }
    return WEFT_OK;
}

/* y[.., index[.., i, ..], ..] += src[.., i, ..] */
weft_status WEFT__CPU(scatter_add)(const weft__exec *e)
{
    static const weft__range_fn fn[3] = {scatter_f32, scatter_f64, scatter_i64};
    addition t;
    int64_t outside;
    const weft_status status = begin_scatter(e, (int)e->attrs->along.dim, &t, &outside);
    if (outside > 0)
        run_pieces(e, &t, outside, fn[type_of(e)]);
    return status;
}

static weft__range_fn placing(const weft__exec *e)
{
    switch (size_of(e->in[0])) {
    case 1:
        return scatter_8;
    case 2:
        return scatter_16;
    case 4:
        return scatter_32;
    default:
        return scatter_64;
    }
}

/* y[.., index[.., i, ..], ..] = src[.., i, ..], the last i of equal indices; any dtype */
weft_status WEFT__CPU(scatter)(const weft__exec *e)
{
    addition t;
    int64_t outside;
    const weft_status status = begin_scatter(e, (int)e->attrs->along.dim, &t, &outside);
    if (outside > 0)
        run_pieces(e, &t, outside, placing(e));
    return status;
}

/* The extreme of y and src, where x takes no part that of the sources alone: one of them is put in its place first. */
static weft_status scatter_extreme(const weft__exec *e, const weft__range_fn *fn)
{
    addition t;
    int64_t outside;
    const weft_status status = begin_scatter(e, (int)e->attrs->extreme.dim, &t, &outside);
    if (outside > 0 && !e->attrs->extreme.include_self)
        run_pieces(e, &t, outside, placing(e));
    if (outside > 0)
        run_pieces(e, &t, outside, fn[type_of(e)]);
    return status;
}

weft_status WEFT__CPU(scatter_max)(const weft__exec *e)
{
    static const weft__range_fn fn[3] = {scatter_max_f32, scatter_max_f64, scatter_max_i64};
    return scatter_extreme(e, fn);
}

weft_status WEFT__CPU(scatter_min)(const weft__exec *e)
{
    static const weft__range_fn fn[3] = {scatter_min_f32, scatter_min_f64, scatter_min_i64};
    return scatter_extreme(e, fn);
}

/* x and out [.., D, ..], index [n], src [.., n, ..]: y[.., index[i], ..] += src[.., i, ..] */
weft_status WEFT__CPU(index_add)(const weft__exec *e)
{
    const weft__array *x = e->in[0], *index = e->in[1], *src = e->in[2];
    const int dim = (int)e->attrs->along.dim;
    const int64_t limit = x->ndim == 0 ? 1 : x->shape[dim];
    weft_status status = check_index(e, index, limit);
    if (status != WEFT_OK)
        return status;
    copy_x(e);
    if (src->count == 0)
        return WEFT_OK;
    addition t = {.src = src->data, .index = index->data, .y = e->out[0]->data, .n = index->count};
    const int64_t outer = sizes(x, 0, dim);
    t.row = sizes(x, dim + 1, x->ndim);
    t.counter.n = 1;
    t.counter.shape[0] = outer;
    t.counter.strides[0][0] = limit * t.row;
    t.counter.strides[1][0] = t.n * t.row;
    t.stride = t.source_stride = t.row;
    t.index_stride = 1;
    static const weft__range_fn fn[3] = {add_rows_f32, add_rows_f64, add_rows_i64};
    run_pieces(e, &t, outer, fn[type_of(e)]);
    return WEFT_OK;
}

/* ---- In place: copy_x has nothing to do ---- */

weft_status WEFT__CPU(index_add_)(const weft__exec *e)
{
    return WEFT__CPU(index_add)(e);
}

weft_status WEFT__CPU(scatter_add_)(const weft__exec *e)
{
    return WEFT__CPU(scatter_add)(e);
}

typedef struct slices {
    const char *src;
    const int64_t *index;
    char *y;
    int64_t rows, n, bytes; /* y [outer, rows], src [outer, n], slices of so many bytes */
} slices;

/* Item: a position outside, whose slices are copied in order. */
static void copy_slices(void *arg, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const slices *t = arg;
    for (int64_t outer = begin; outer < end; outer++)
        for (int64_t i = 0; i < t->n; i++)
            memcpy(t->y + (outer * t->rows + t->index[i]) * t->bytes, t->src + (outer * t->n + i) * t->bytes,
                   (size_t)t->bytes);
}

/* x and out [.., D, ..], index [n], src [.., n, ..], any dtype: y[.., index[i], ..] = src[.., i, ..] */
weft_status WEFT__CPU(index_copy_)(const weft__exec *e)
{
    const weft__array *x = e->in[0], *index = e->in[1], *src = e->in[2];
    const int dim = (int)e->attrs->along.dim;
    const weft_status status = check_index(e, index, x->shape[dim]);
    if (status != WEFT_OK)
        return status;
    copy_x(e);
    slices t = {.src = src->data, .index = index->data, .y = e->out[0]->data, .rows = x->shape[dim], .n = index->count};
    t.bytes = sizes(x, dim + 1, x->ndim) * size_of(x);
    if (src->count > 0)
        weft__pool_for(weft__exec_pool(e), sizes(x, 0, dim), weft__grain(t.n * t.bytes), copy_slices, &t);
    return WEFT_OK;
}
