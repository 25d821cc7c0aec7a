/* copy.c - copies between any two layouts and dtypes: COPY, CAST and copy_. */
#include <string.h>
#include "base/number.h"
#include "loop.h"
#include "transpose.h"

/* ---- Same dtype: bytes move ---- */

enum { GRAIN = 16384, TILE = 32, SHORT = 32 }; /* elements per chunk of work; side of a transposed tile; a short run */

/* n elements of type T from src to dst, strides in bytes. */
#define DEFINE_COPY_RUN(T)                                                                                             \
    static void copy_run_##T(int64_t n, const char *src, int64_t src_stride, char *dst, int64_t dst_stride)            \
    {                                                                                                                  \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            *(T *)(void *)(dst + i * dst_stride) = *(const T *)(const void *)(src + i * src_stride);                   \
        }                                                                                                              \
    }

/* rows x cols elements, at most a tile; in dst columns lie side by side, in src rows do. By way of a buffer, so that
 * every cache line of both sides is visited once: lines a power of two apart would evict each other. */
#define DEFINE_TRANSPOSE(T)                                                                                            \
    static void transpose_##T(int64_t rows, int64_t cols, const char *src, int64_t src_stride, char *dst,              \
                              int64_t dst_stride)                                                                      \
    {                                                                                                                  \
        T tile[TILE * TILE];                                                                                           \
        for (int64_t c = 0; c < cols; c++) {                                                                           \
            const T *from = (const T *)(const void *)(src + c * src_stride);                                           \
            for (int64_t r = 0; r < rows; r++) {                                                                       \
                tile[r * TILE + c] = from[r];                                                                          \
            }                                                                                                          \
        }                                                                                                              \
        for (int64_t r = 0; r < rows; r++) {                                                                           \
            memcpy(dst + r * dst_stride, tile + r * TILE, (size_t)cols * sizeof(T));                                   \
        }                                                                                                              \
    }

/* Rows of n elements, few enough that a call for each would cost more than they do. */
#define COPY_ROWS(T, n)                                                                                                \
    for (int64_t r = 0; r < rows; r++)                                                                                 \
        for (int64_t i = 0; i < (n); i++)                                                                              \
    *(T *)(void *)(dst + r * dst_row + i * dst_stride) = *(const T *)(const void *)(src + r * src_row + i * src_stride)
#define DEFINE_COPY_ROWS(T)                                                                                            \
    static void copy_rows_##T(int64_t rows, int64_t n, const char *src, int64_t src_row, int64_t src_stride,           \
                              char *dst, int64_t dst_row, int64_t dst_stride)                                          \
    {                                                                                                                  \
        switch (n) {                                                                                                   \
        case 2:                                                                                                        \
            COPY_ROWS(T, 2);                                                                                           \
            return;                                                                                                    \
        case 3:                                                                                                        \
            COPY_ROWS(T, 3);                                                                                           \
            return;                                                                                                    \
        case 4:                                                                                                        \
            COPY_ROWS(T, 4);                                                                                           \
            return;                                                                                                    \
        case 8:                                                                                                        \
            COPY_ROWS(T, 8);                                                                                           \
            return;                                                                                                    \
        default:                                                                                                       \
            COPY_ROWS(T, n);                                                                                           \
            return;                                                                                                    \
        }                                                                                                              \
    }

DEFINE_COPY_ROWS(uint8_t)
DEFINE_COPY_ROWS(uint16_t)
DEFINE_COPY_ROWS(uint32_t)
DEFINE_COPY_ROWS(uint64_t)
DEFINE_COPY_RUN(uint8_t)
DEFINE_COPY_RUN(uint16_t)
DEFINE_COPY_RUN(uint32_t)
DEFINE_COPY_RUN(uint64_t)
DEFINE_TRANSPOSE(uint8_t)
DEFINE_TRANSPOSE(uint16_t)
DEFINE_TRANSPOSE(uint32_t)
DEFINE_TRANSPOSE(uint64_t)

#ifdef WEFT__TRANSPOSES
/* Whole tiles of the commonest size. */
static void transpose_words(int64_t rows, int64_t cols, const char *src, int64_t src_stride, char *dst,
                            int64_t dst_stride)
{
    uint32_t tile[TILE * TILE];
    if (rows != TILE || cols != TILE) {
        transpose_uint32_t(rows, cols, src, src_stride, dst, dst_stride);
        return;
    }
    for (int64_t c = 0; c < TILE; c += 4) {
        for (int64_t r = 0; r < TILE; r += 4) {
            uint32_t *to = tile + r * TILE + c;
            weft__exchange_from(src + c * src_stride + r * 4, src_stride, to, to + TILE, to + 2 * TILE, to + 3 * TILE);
        }
    }
    for (int64_t r = 0; r < TILE; r++) {
        memcpy(dst + r * dst_stride, tile + r * TILE, sizeof tile / TILE);
    }
}
#else
#define transpose_words transpose_uint32_t
#endif

typedef void (*run_fn)(int64_t, const char *, int64_t, char *, int64_t);
typedef void (*rows_fn)(int64_t, int64_t, const char *, int64_t, int64_t, char *, int64_t, int64_t);
typedef void (*transpose_fn)(int64_t, int64_t, const char *, int64_t, char *, int64_t);

/* By log2 of the element's size. */
static const run_fn copy_run[4] = {copy_run_uint8_t, copy_run_uint16_t, copy_run_uint32_t, copy_run_uint64_t};
static const rows_fn copy_rows[4] = {copy_rows_uint8_t, copy_rows_uint16_t, copy_rows_uint32_t, copy_rows_uint64_t};
static const transpose_fn transpose[4] = {transpose_uint8_t, transpose_uint16_t, transpose_words, transpose_uint64_t};

static int log2_bytes(int64_t bytes)
{
    return bytes == 8 ? 3 : bytes == 4 ? 2 : bytes == 2 ? 1 : 0;
}

/* One copy: operand 0 of the space is the destination, 1 the source. */
typedef struct job {
    weft__space space;
    char *dst;
    const char *src;
    int64_t bytes;
    int64_t row_blocks; /* transposing: blocks of TILE rows in the last dim but one */
} job;

/* Elements [begin, end), run by run. */
static void copy_range(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    const weft__space *s = &j->space;
    const int last = s->ndim - 1;
    const int64_t to_stride = s->stride[0][last];
    const int64_t from_stride = s->stride[1][last];
    int64_t index[WEFT__MAX_DIMS];
    (void)worker;
    weft__space_seek(s, begin, index);
    while (begin < end) {
        int64_t n = s->shape[last] - index[last] < end - begin ? s->shape[last] - index[last] : end - begin;
        char *to = j->dst + weft__space_offset(s, 0, index);
        const char *from = j->src + weft__space_offset(s, 1, index);
        const int64_t rows = s->shape[last] < SHORT ? weft__space_runs(s, index, end - begin) : 0;
        if (rows > 1) {
            copy_rows[log2_bytes(j->bytes)](rows, n, from, s->stride[1][last - 1], from_stride, to,
                                            s->stride[0][last - 1], to_stride);
            weft__space_advance_runs(s, index, rows);
            begin += rows * n;
            continue;
        }
        if (to_stride == j->bytes && from_stride == j->bytes) {
            memcpy(to, from, (size_t)(n * j->bytes));
        } else {
            copy_run[log2_bytes(j->bytes)](n, from, from_stride, to, to_stride);
        }
        weft__space_advance(s, index, n);
        begin += n;
    }
}

/* Blocks of rows [begin, end) of all planes that the last two dims span, in square tiles, so that the cache lines of
 * both sides are used up while they are near. */
static void transpose_range(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    const weft__space *s = &j->space;
    const int last = s->ndim - 1;
    const int64_t cols = s->shape[last];
    (void)worker;
    for (int64_t b = begin; b < end; b++) {
        int64_t plane = b / j->row_blocks;
        int64_t row = b % j->row_blocks * TILE;
        int64_t rows = s->shape[last - 1] - row < TILE ? s->shape[last - 1] - row : TILE;
        int64_t index[WEFT__MAX_DIMS];
        weft__space_seek(s, (plane * s->shape[last - 1] + row) * cols, index);
        char *to = j->dst + weft__space_offset(s, 0, index);
        const char *from = j->src + weft__space_offset(s, 1, index);
        for (int64_t c = 0; c < cols; c += TILE) {
            transpose[log2_bytes(j->bytes)](rows, cols - c < TILE ? cols - c : TILE, from + c * s->stride[1][last],
                                            s->stride[1][last], to + c * j->bytes, s->stride[0][last - 1]);
        }
    }
}

/* If the source is dense along another dim than the destination, brings that dim next to the last. */
static bool is_transposed(job *j)
{
    weft__space *s = &j->space;
    const int last = s->ndim - 1;
    int t = last - 1;
    if (s->stride[0][last] != j->bytes || s->stride[1][last] == j->bytes || s->stride[1][last] == 0) {
        return false;
    }
    while (t >= 0 && s->stride[1][t] != j->bytes) {
        t--;
    }
    if (t < 0) {
        return false;
    }
    for (; t < last - 1; t++) {
        int64_t shape = s->shape[t];
        s->shape[t] = s->shape[t + 1];
        s->shape[t + 1] = shape;
        for (int k = 0; k < 2; k++) {
            int64_t stride = s->stride[k][t];
            s->stride[k][t] = s->stride[k][t + 1];
            s->stride[k][t + 1] = stride;
        }
    }
    return true;
}

static void copy_same(const weft__exec *e, const weft__array *x, weft__array *y)
{
    const weft__array *arrays[2] = {y, x};
    job j;
    j.dst = y->data;
    j.src = x->data;
    j.bytes = weft__dtype_bytes(y->dtype);
    if (x->contiguous && y->contiguous && y->count <= GRAIN) {
        if (y->count > 0) {
            memcpy(j.dst, j.src, (size_t)(y->count * j.bytes));
        }
        return;
    }
    if (y->count == 0) {
        return;
    }
    WEFT__CPU(space)(&j.space, 2, arrays);
    if (!is_transposed(&j)) {
        weft__pool_for(weft__exec_pool(e), y->count, GRAIN, copy_range, &j);
        return;
    }
    int64_t rows = j.space.shape[j.space.ndim - 2];
    int64_t cols = j.space.shape[j.space.ndim - 1];
    j.row_blocks = (rows + TILE - 1) / TILE;
    weft__pool_for(weft__exec_pool(e), y->count / (rows * cols) * j.row_blocks,
                   cols * TILE < GRAIN ? GRAIN / (cols * TILE) : 1, transpose_range, &j);
}

/* ---- Another dtype: elements are converted ---- */

#define DEFINE_CONVERT(name, S, D, expression)                                                                         \
    static void name(int64_t n, const void *const *in, void *out, const void *param)                                   \
    {                                                                                                                  \
        const S *x = in[0];                                                                                            \
        D *y = out;                                                                                                    \
        const weft__int_range *b = param;                                                                              \
        const double lo = (double)b->lo;                                                                               \
        const double hi = (double)b->hi;                                                                               \
        (void)lo, (void)hi;                                                                                            \
        WEFT__SIMD for (int64_t i = 0; i < n; i++)                                                                     \
        {                                                                                                              \
            y[i] = expression;                                                                                         \
        }                                                                                                              \
    }

DEFINE_CONVERT(f32_same, float, float, x[i])
DEFINE_CONVERT(f32_to_f64, float, double, (double)x[i])
DEFINE_CONVERT(f32_to_i64, float, int64_t, weft__to_i64((double)x[i]))
DEFINE_CONVERT(f32_to_narrow, float, int64_t, weft__to_narrow((double)x[i], lo, hi))
DEFINE_CONVERT(f32_nonzero, float, int64_t, x[i] != 0)
DEFINE_CONVERT(f64_to_f32, double, float, (float)x[i])
DEFINE_CONVERT(f64_to_half, double, float, weft__f64_to_f32_odd(x[i]))
DEFINE_CONVERT(f64_to_i64, double, int64_t, weft__to_i64(x[i]))
DEFINE_CONVERT(f64_to_narrow, double, int64_t, weft__to_narrow(x[i], lo, hi))
DEFINE_CONVERT(f64_nonzero, double, int64_t, x[i] != 0)
DEFINE_CONVERT(i64_to_f32, int64_t, float, (float)x[i])
DEFINE_CONVERT(i64_to_half, int64_t, float, weft__f64_to_f32_odd((double)x[i]))
DEFINE_CONVERT(i64_to_f64, int64_t, double, (double)x[i])
DEFINE_CONVERT(i64_same, int64_t, int64_t, x[i])

/* From compute type `from` to that of a dtype, with what the dtype asks for. */
static weft__loop conversion(weft__compute_type from, int32_t dtype)
{
    const bool half = weft__is_half(dtype);
    const bool wide = dtype == WEFT_I64;
    switch (weft__compute_type_of(dtype)) {
    case WEFT__COMPUTE_F32:
        if (from == WEFT__COMPUTE_F64) {
            return half ? f64_to_half : f64_to_f32;
        }
        return from == WEFT__COMPUTE_F32 ? f32_same : half ? i64_to_half : i64_to_f32;
    case WEFT__COMPUTE_F64:
        return from == WEFT__COMPUTE_F32 ? f32_to_f64 : i64_to_f64; /* f64 to f64 is no conversion */
    default:
        break;
    }
    if (from == WEFT__COMPUTE_I64) {
        return i64_same;
    }
    if (dtype == WEFT_BOOL) {
        return from == WEFT__COMPUTE_F32 ? f32_nonzero : f64_nonzero;
    }
    if (from == WEFT__COMPUTE_F32) {
        return wide ? f32_to_i64 : f32_to_narrow;
    }
    return wide ? f64_to_i64 : f64_to_narrow;
}

/* y = x: any strides and dtypes, one shape. Floats to integers truncate toward 0 and saturate, NaN gives 0; integers
 * wrap; to bool: nonzero. */
static weft_status convert(const weft__exec *e, const weft__array *x, weft__array *y)
{
    if (x->dtype == y->dtype) {
        copy_same(e, x, y);
        return WEFT_OK;
    }
    const weft__compute_type from = weft__compute_type_of(x->dtype);
    const weft__int_range b = weft__int_range_of(y->dtype);
    weft__map m;
    m.n_in = m.n_out = 1;
    m.in[0] = x;
    m.in_type[0] = from;
    m.out[0] = y;
    m.out_type[0] = weft__compute_type_of(y->dtype);
    m.loop[0] = conversion(from, y->dtype);
    m.param = &b;
    m.grain = GRAIN;
    return WEFT__CPU(map)(e, &m);
}

weft_status WEFT__CPU(copy)(const weft__exec *e)
{
    return convert(e, e->in[0], e->out[0]);
}

weft_status WEFT__CPU(cast)(const weft__exec *e)
{
    return convert(e, e->in[0], e->out[0]);
}

/* In place: in = {x, y}, out = {x}, y broadcast to x's shape by stride 0. */
weft_status WEFT__CPU(copy_)(const weft__exec *e)
{
    return convert(e, e->in[1], e->out[0]);
}
