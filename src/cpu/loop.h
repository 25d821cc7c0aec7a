/* loop.h - how elementwise kernels get at operands of any strides and dtype: one compiled loop per formula and type.
 *
 * A loop works on dense runs of a compute type: f32 for f32, f16 and bf16; f64; i64 for integers and bool;
 * bytes for truth values. The map finds such runs: it merges and reorders dims over all operands, hands out pointers
 * into operands that are dense and of that type, and stages the others (strided, broadcast, converted)
 * through blocks of WEFT__BLOCK elements in the L1 cache. So every element meets the same code whatever its layout. */
#ifndef WEFT_CPU_LOOP_H
#define WEFT_CPU_LOOP_H

#include "cpu.h"

/* For a loop whose iterations touch only their own index: in-place operands (out == in) need no check for overlap. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed" /* loops that call the C library stay scalar */
#define WEFT__SIMD _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define WEFT__SIMD _Pragma("GCC ivdep")
#else
#define WEFT__SIMD
#endif

enum { WEFT__BLOCK = 512, WEFT__MAP_MAX_IN = 4, WEFT__MAP_MAX_OUT = 2 };

typedef enum weft__compute_type {
    WEFT__COMPUTE_F32,
    WEFT__COMPUTE_F64,
    WEFT__COMPUTE_I64,
    WEFT__COMPUTE_BYTE
} weft__compute_type;

/* n elements; in[k] and out are dense and of the types given; out may equal in[k]. */
typedef void (*weft__loop)(int64_t n, const void *const *in, void *out, const void *param);

/* One elementwise operation. All arrays have one shape (broadcast by stride 0). An input but the last may be NULL if
 * no loop reads it, an output if it is not wanted. Loop k makes output k; with no outputs at all, loop 0 runs with out
 * NULL. */
typedef struct weft__map {
    int n_in, n_out;
    const weft__array *in[WEFT__MAP_MAX_IN];
    const weft__array *out[WEFT__MAP_MAX_OUT];
    weft__compute_type in_type[WEFT__MAP_MAX_IN];
    weft__compute_type out_type[WEFT__MAP_MAX_OUT];
    weft__loop loop[WEFT__MAP_MAX_OUT];
    const void *param;
    int64_t grain; /* elements per chunk of parallel work; up to this many run in the caller */
} weft__map;

/* The loops of an elementwise operation, one per compute type that has it. */
typedef struct weft__loops {
    weft__loop loop[3]; /* indexed by WEFT__COMPUTE_F32, _F64, _I64 */
    bool cheap;         /* a handful of instructions: memory bandwidth is the limit */
} weft__loops;

/* Its grain: enough work to pay for a second thread, a few microseconds. */
static inline int64_t weft__loops_grain(const weft__loops *loops, weft__compute_type type)
{
    if (loops->cheap) {
        return 16384;
    }
    return type == WEFT__COMPUTE_F32 ? 4096 : 1024; /* f64 functions are calls of the C library */
}

/* For tables of loops: the i64 loop of an operation of class NUM, which are the cheap ones; class FLT has none. */
#define WEFT__I64_OF_NUM(loop) loop
#define WEFT__I64_OF_FLT(loop) NULL
#define WEFT__CHEAP_NUM true
#define WEFT__CHEAP_FLT false

static inline weft__compute_type weft__compute_type_of(int32_t dtype)
{
    switch (dtype) {
    case WEFT_F32:
    case WEFT_F16:
    case WEFT_BF16:
        return WEFT__COMPUTE_F32;
    case WEFT_F64:
        return WEFT__COMPUTE_F64;
    default:
        return WEFT__COMPUTE_I64;
    }
}

/* An array's elements are stored as the compute type has them. */
static inline bool weft__is_native(int32_t dtype, weft__compute_type type)
{
    switch (type) {
    case WEFT__COMPUTE_F32:
        return dtype == WEFT_F32;
    case WEFT__COMPUTE_F64:
        return dtype == WEFT_F64;
    case WEFT__COMPUTE_I64:
        return dtype == WEFT_I64;
    default:
        return true;
    }
}

static inline int64_t weft__dtype_bytes(int32_t dtype)
{
    switch (dtype) {
    case WEFT_F64:
    case WEFT_I64:
        return 8;
    case WEFT_F32:
    case WEFT_I32:
        return 4;
    case WEFT_F16:
    case WEFT_BF16:
        return 2;
    default:
        return 1;
    }
}

/* Several operands' common iteration space, dims merged and ordered so that the first operand is gone through
 * as densely as its memory allows. Strides in bytes. */
enum { WEFT__SPACE_MAX = WEFT__MAP_MAX_IN + WEFT__MAP_MAX_OUT };

typedef struct weft__space {
    int n; /* operands */
    int ndim;
    int64_t count;
    int64_t shape[WEFT__MAX_DIMS];
    int64_t stride[WEFT__SPACE_MAX][WEFT__MAX_DIMS];
} weft__space;

static inline int64_t weft__space_offset(const weft__space *s, int k, const int64_t *index)
{
    int64_t offset = 0;
    for (int d = 0; d < s->ndim; d++) {
        offset += index[d] * s->stride[k][d];
    }
    return offset;
}

/* Moves index on by n elements, n at most to the end of the innermost run. */
static inline void weft__space_advance(const weft__space *s, int64_t *index, int64_t n)
{
    int d = s->ndim - 1;
    index[d] += n;
    while (d > 0 && index[d] == s->shape[d]) {
        index[d] = 0;
        index[--d]++;
    }
}

/* Goes on by n whole runs of the innermost dim, which must lie in one run of the dim before it. */
static inline void weft__space_advance_runs(const weft__space *s, int64_t *index, int64_t n)
{
    int d = s->ndim - 2;
    index[d] += n;
    while (d > 0 && index[d] == s->shape[d]) {
        index[d] = 0;
        index[--d]++;
    }
}

/* How many whole runs lie in a row from index on, within n elements; 0: index is within a run, or there are no two
 * dims. */
static inline int64_t weft__space_runs(const weft__space *s, const int64_t *index, int64_t n)
{
    const int last = s->ndim - 1;
    if (last == 0 || index[last] != 0) {
        return 0;
    }
    const int64_t fit = n / s->shape[last], left = s->shape[last - 1] - index[last - 1];
    return fit < left ? fit : left;
}

/* The coordinates of linear element i. */
static inline void weft__space_seek(const weft__space *s, int64_t i, int64_t *index)
{
    for (int d = s->ndim - 1; d > 0; d--) {
        index[d] = i % s->shape[d];
        i /= s->shape[d];
    }
    index[0] = i;
}

/* Runs the map. An output must not overlap an input, except as the very same view. Fails for want of scratch memory
 * only: a large transposed input is copied first. */
weft_status WEFT__CPU(map)(const weft__exec *e, const weft__map *m);

/* One output and every operand dense as it is, and not much of it: the commonest case, and the one where the cost of
 * the call counts. */
static inline bool weft__map_is_small_and_plain(const weft__map *m)
{
    if (m->n_out != 1 || !m->out[0]->contiguous || m->out[0]->count > m->grain ||
        !weft__is_native(m->out[0]->dtype, m->out_type[0])) {
        return false;
    }
    for (int k = 0; k < m->n_in; k++) {
        if (m->in[k] && !(m->in[k]->contiguous && weft__is_native(m->in[k]->dtype, m->in_type[k]))) {
            return false;
        }
    }
    return true;
}

/* The same as WEFT__CPU(map), with less overhead where there are few elements. A single output must be wanted. */
static inline weft_status weft__run_map(const weft__exec *e, const weft__map *m)
{
    const void *in[WEFT__MAP_MAX_IN];
    if (!weft__map_is_small_and_plain(m)) {
        const weft__map whole = *m; /* so that a caller's map, whose address stays here, is never stored at all */
        return WEFT__CPU(map)(e, &whole);
    }
    for (int k = 0; k < m->n_in; k++) {
        in[k] = m->in[k] ? m->in[k]->data : m->in[m->n_in - 1]->data;
    }
    m->loop[0](m->out[0]->count, in, m->out[0]->data, m->param);
    return WEFT_OK;
}

/* Sets up *s for n >= 1 arrays of one shape that is not empty; ndim becomes at least 1. */
void WEFT__CPU(space)(weft__space *s, int n, const weft__array *const *arrays);

/* n elements of a dtype, stride bytes apart, into a dense block of their compute type. */
void WEFT__CPU(load)(int64_t n, int32_t dtype, const void *src, int64_t stride, void *block);

/* And back. Floats round to nearest even, integers wrap, bool is nonzero. */
void WEFT__CPU(store)(int64_t n, int32_t dtype, const void *block, void *dst, int64_t stride);

#endif
