/* create.c - FILL, fill_, ARANGE. */
#include <string.h>
#include "base/number.h"
#include "loop.h"

enum { GRAIN = 32768 }; /* elements per chunk of work */

/* ---- Fill ---- */

typedef struct fill_job {
    weft__space space;
    char *dst;
    int64_t bytes;
    _Alignas(8) unsigned char element[8];
} fill_job;

#define DEFINE_FILL_RUN(T)                                                                                             \
    static void fill_run_##T(int64_t n, const void *element, char *dst, int64_t stride)                                \
    {                                                                                                                  \
        const T v = *(const T *)element;                                                                               \
        if (stride == (int64_t)sizeof(T)) {                                                                            \
            T *dense = (T *)(void *)dst;                                                                               \
            for (int64_t i = 0; i < n; i++) {                                                                          \
                dense[i] = v;                                                                                          \
            }                                                                                                          \
            return;                                                                                                    \
        }                                                                                                              \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            *(T *)(void *)(dst + i * stride) = v;                                                                      \
        }                                                                                                              \
    }

DEFINE_FILL_RUN(uint8_t)
DEFINE_FILL_RUN(uint16_t)
DEFINE_FILL_RUN(uint32_t)
DEFINE_FILL_RUN(uint64_t)

static void fill_run(int64_t n, const fill_job *j, char *dst, int64_t stride)
{
    switch (j->bytes) {
    case 1:
        fill_run_uint8_t(n, j->element, dst, stride);
        break;
    case 2:
        fill_run_uint16_t(n, j->element, dst, stride);
        break;
    case 4:
        fill_run_uint32_t(n, j->element, dst, stride);
        break;
    default:
        fill_run_uint64_t(n, j->element, dst, stride);
        break;
    }
}

static void fill_range(void *arg, int64_t begin, int64_t end, int worker)
{
    const fill_job *j = arg;
    const weft__space *s = &j->space;
    const int last = s->ndim - 1;
    int64_t index[WEFT__MAX_DIMS];
    (void)worker;
    weft__space_seek(s, begin, index);
    while (begin < end) {
        int64_t n = s->shape[last] - index[last] < end - begin ? s->shape[last] - index[last] : end - begin;
        fill_run(n, j, j->dst + weft__space_offset(s, 0, index), s->stride[0][last]);
        weft__space_advance(s, index, n);
        begin += n;
    }
}

/* y = value: any strides, any dtype. */
weft_status WEFT__CPU(fill)(const weft__exec *e)
{
    const weft__array *y = e->out[0];
    fill_job j;
    j.dst = y->data;
    j.bytes = (int64_t)weft__encode(y->dtype, e->attrs->fill.value, j.element);
    if (y->contiguous && y->count <= GRAIN) {
        fill_run(y->count, &j, j.dst, j.bytes);
        return WEFT_OK;
    }
    if (y->count > 0) {
        WEFT__CPU(space)(&j.space, 1, (const weft__array *const[]){y});
        weft__pool_for(weft__exec_pool(e), y->count, GRAIN, fill_range, &j);
    }
    return WEFT_OK;
}

weft_status WEFT__CPU(fill_)(const weft__exec *e)
{
    return WEFT__CPU(fill)(e);
}

/* ---- Arange ---- */

typedef struct arange_job {
    const weft__array *y;
    const weft__arange_attrs *attrs;
    weft__compute_type type;
} arange_job;

/* Element k: start + k step in f64, or in i64, wrapping; the last one as given where it is known. */
static double real_at(const arange_job *j, int64_t k)
{
    const weft__arange_attrs *a = j->attrs;
    return a->ends && k == j->y->count - 1 ? a->last : a->start + (double)k * a->step;
}

static void arange_block(const arange_job *j, int64_t begin, int64_t n, void *block)
{
    float *f32 = block;
    double *f64 = block;
    int64_t *i64 = block;
    for (int64_t k = 0; k < n; k++) {
        if (j->type == WEFT__COMPUTE_I64) {
            i64[k] = j->attrs->whole_start + (begin + k) * j->attrs->whole_step;
        } else if (j->type == WEFT__COMPUTE_F64) {
            f64[k] = real_at(j, begin + k);
        } else if (j->y->dtype == WEFT_F32) {
            f32[k] = (float)real_at(j, begin + k);
        } else {
            f32[k] = weft__f64_to_f32_odd(real_at(j, begin + k));
        }
    }
}

static void arange_range(void *arg, int64_t begin, int64_t end, int worker)
{
    const arange_job *j = arg;
    const int64_t bytes = weft__dtype_bytes(j->y->dtype);
    uint64_t block[WEFT__BLOCK];
    (void)worker;
    while (begin < end) {
        int64_t n = end - begin < WEFT__BLOCK ? end - begin : WEFT__BLOCK;
        arange_block(j, begin, n, block);
        WEFT__CPU(store)(n, j->y->dtype, block, (char *)j->y->data + begin * bytes, bytes);
        begin += n;
    }
}

/* y [n], any dtype. */
weft_status WEFT__CPU(arange)(const weft__exec *e)
{
    arange_job j = {e->out[0], &e->attrs->arange, weft__compute_type_of(e->out[0]->dtype)};
    weft__pool_for(weft__exec_pool(e), j.y->count, GRAIN, arange_range, &j);
    return WEFT_OK;
}
