/* loop.c - runs a loop over operands of any strides and dtypes; see loop.h. */
#include "loop.h"
#include <string.h>

/* Truth values go byte by byte. */
static void copy_bytes(int64_t n, const void *src, int64_t src_stride, void *dst, int64_t dst_stride)
{
    const uint8_t *s = src;
    uint8_t *d = dst;
    for (int64_t i = 0; i < n; i++) {
        d[i * dst_stride] = s[i * src_stride];
    }
}

/* ---- The common space ---- */

static int64_t magnitude(int64_t x)
{
    return x < 0 ? -x : x;
}

/* Dim d of the first operand has smaller steps than dim d + 1, so they had better change places. */
static bool out_of_order(const weft__space *s, int d)
{
    return magnitude(s->stride[0][d]) < magnitude(s->stride[0][d + 1]);
}

static void swap_dims(weft__space *s, int d)
{
    int64_t t = s->shape[d];
    s->shape[d] = s->shape[d + 1];
    s->shape[d + 1] = t;
    for (int k = 0; k < s->n; k++) {
        t = s->stride[k][d];
        s->stride[k][d] = s->stride[k][d + 1];
        s->stride[k][d + 1] = t;
    }
}

static bool mergeable(const weft__space *s, int d)
{
    for (int k = 0; k < s->n; k++) {
        if (s->stride[k][d] != s->stride[k][d + 1] * s->shape[d + 1]) {
            return false;
        }
    }
    return true;
}

static void merge_dims(weft__space *s)
{
    int last = 0; /* the dim that grows */
    for (int d = 1; d < s->ndim; d++) {
        s->shape[last + 1] = s->shape[d];
        for (int k = 0; k < s->n; k++) {
            s->stride[k][last + 1] = s->stride[k][d];
        }
        if (!mergeable(s, last)) {
            last++;
            continue;
        }
        s->shape[last] *= s->shape[last + 1];
        for (int k = 0; k < s->n; k++) {
            s->stride[k][last] = s->stride[k][last + 1];
        }
    }
    s->ndim = last + 1;
}

void WEFT__CPU(space)(weft__space *s, int n, const weft__array *const *arrays)
{
    s->n = n;
    s->ndim = 0;
    s->count = arrays[0]->count;
    for (int d = 0; d < arrays[0]->ndim; d++) {
        if (arrays[0]->shape[d] == 1) {
            continue;
        }
        s->shape[s->ndim] = arrays[0]->shape[d];
        for (int k = 0; k < n; k++) {
            s->stride[k][s->ndim] = arrays[k]->strides[d] * weft__dtype_bytes(arrays[k]->dtype);
        }
        s->ndim++;
    }
    if (s->ndim == 0) {
        s->shape[0] = 1;
        s->ndim = 1;
        for (int k = 0; k < n; k++) {
            s->stride[k][0] = weft__dtype_bytes(arrays[k]->dtype);
        }
        return;
    }
    for (int end = s->ndim - 1; end > 0; end--) { /* at most eight dims: a bubble sort, stable */
        for (int d = 0; d < end; d++) {
            if (out_of_order(s, d)) {
                swap_dims(s, d);
            }
        }
    }
    merge_dims(s);
}

/* ---- The map ---- */

/* Runs of the innermost dim shorter than SHORT_RUN elements are gathered into blocks instead of being worked on one by
 * one. Up to SMALL elements, transposed or not, nothing is copied beforehand: they stay in the L1 cache. */
enum { SHORT_RUN = 64, SMALL = 4096 };

/* An operand of a running map. */
typedef struct operand {
    char *data;
    int32_t dtype;
    weft__compute_type type;
    int64_t bytes; /* of an element */
    bool native;   /* stored as the type has it */
    bool dense;    /* native, and its elements lie in the order of the space */
    bool repeated; /* see is_repeated */
} operand;

typedef struct plan {
    const weft__map *map;
    weft__space space;
    operand op[WEFT__SPACE_MAX]; /* wanted outputs, then inputs */
    int n_out;                   /* wanted outputs, or 1 of no memory if the map has none */
    int out_loop[WEFT__MAP_MAX_OUT];
    int in_op[WEFT__MAP_MAX_IN]; /* operand of input k; of the last input where it is NULL */
    bool all_dense;
} plan;

/* Blocks of staged operands of one thread, with what broadcast blocks hold. */
typedef struct stage {
    _Alignas(64) uint64_t block[WEFT__SPACE_MAX][WEFT__BLOCK];
    const char *filled_from[WEFT__SPACE_MAX];
    int64_t filled[WEFT__SPACE_MAX];
} stage;

static bool is_dense(const weft__space *s, int k, int64_t bytes)
{
    for (int d = s->ndim - 1; d >= 0; d--) {
        if (s->stride[k][d] != bytes && s->shape[d] != 1) {
            return false;
        }
        bytes *= s->shape[d];
    }
    return true;
}

/* Operand k's elements depend on the last coordinate alone (or not even on that). */
static bool is_repeated(const weft__space *s, int k)
{
    for (int d = 0; d < s->ndim - 1; d++) {
        if (s->stride[k][d] != 0) {
            return false;
        }
    }
    return true;
}

static void add_operand(plan *p, const weft__array **arrays, int k, const weft__array *a, weft__compute_type type)
{
    arrays[k] = a;
    p->op[k] = (operand){.data = a->data,
                         .dtype = a->dtype,
                         .type = type,
                         .bytes = weft__dtype_bytes(a->dtype),
                         .native = weft__is_native(a->dtype, type)};
}

/* False if nothing is to be done. */
static bool make_plan(plan *p, const weft__map *m)
{
    const weft__array *arrays[WEFT__SPACE_MAX];
    int n = 0;
    p->map = m;
    for (int k = 0; k < m->n_out; k++) {
        if (m->out[k]) {
            p->out_loop[n] = k;
            add_operand(p, arrays, n, m->out[k], m->out_type[k]);
            n++;
        }
    }
    p->n_out = n;
    for (int k = 0; k < m->n_in; k++) {
        if (m->in[k]) {
            p->in_op[k] = n;
            add_operand(p, arrays, n, m->in[k], m->in_type[k]);
            n++;
        }
    }
    for (int k = 0; k < m->n_in; k++) {
        p->in_op[k] = m->in[k] ? p->in_op[k] : n - 1;
    }
    if (n == 0 || arrays[0]->count == 0 || (m->n_out > 0 && p->n_out == 0)) {
        return false;
    }
    WEFT__CPU(space)(&p->space, n, arrays);
    p->all_dense = true;
    for (int k = 0; k < n; k++) {
        p->op[k].dense = p->op[k].native && is_dense(&p->space, k, p->op[k].bytes);
        p->op[k].repeated = is_repeated(&p->space, k);
        p->all_dense &= p->op[k].dense;
    }
    return true;
}

/* Short runs of an operand that is stored as it is worked on, all in a row, between its place and a block. */
#define ROWS_TO_BLOCK(name, T)                                                                                         \
    static void name(int64_t rows, int64_t n, const char *src, int64_t row, int64_t stride, char *block)               \
    {                                                                                                                  \
        T *to = (T *)(void *)block;                                                                                    \
        if (stride == 0) {                                                                                             \
            for (int64_t r = 0; r < rows; r++, to += n) {                                                              \
                const T x = *(const T *)(const void *)(src + r * row);                                                 \
                for (int64_t i = 0; i < n; i++) {                                                                      \
                    to[i] = x;                                                                                         \
                }                                                                                                      \
            }                                                                                                          \
            return;                                                                                                    \
        }                                                                                                              \
        for (int64_t r = 0; r < rows; r++, to += n) {                                                                  \
            for (int64_t i = 0; i < n; i++) {                                                                          \
                to[i] = *(const T *)(const void *)(src + r * row + i * stride);                                        \
            }                                                                                                          \
        }                                                                                                              \
    }
ROWS_TO_BLOCK(words_to_block, uint32_t)
ROWS_TO_BLOCK(doubles_to_block, uint64_t)

/* n elements of operand k from index on, which may span runs, into its block. */
static void gather(const plan *p, int k, const int64_t *index, int64_t n, char *block)
{
    const operand *o = &p->op[k];
    const weft__space *s = &p->space;
    int last = s->ndim - 1;
    int64_t at[WEFT__MAX_DIMS];
    int64_t lane_bytes = o->type == WEFT__COMPUTE_BYTE ? 1 : o->type == WEFT__COMPUTE_F32 ? 4 : 8;
    memcpy(at, index, sizeof at[0] * (size_t)s->ndim);
    while (n > 0) {
        int64_t run = s->shape[last] - at[last] < n ? s->shape[last] - at[last] : n;
        const char *src = o->data + weft__space_offset(s, k, at);
        const int64_t rows = o->native && lane_bytes > 1 && run < SHORT_RUN ? weft__space_runs(s, at, n) : 0;
        if (rows > 1) {
            (lane_bytes == 4 ? words_to_block : doubles_to_block)(rows, run, src, s->stride[k][last - 1],
                                                                  s->stride[k][last], block);
            block += rows * run * lane_bytes;
            weft__space_advance_runs(s, at, rows);
            n -= rows * run;
            continue;
        }
        if (o->type == WEFT__COMPUTE_BYTE) {
            copy_bytes(run, src, s->stride[k][last], block, 1);
        } else {
            WEFT__CPU(load)(run, o->dtype, src, s->stride[k][last], block);
        }
        block += run * lane_bytes;
        weft__space_advance(s, at, run);
        n -= run;
    }
}

/* The way back. */
static void scatter(const plan *p, int k, const int64_t *index, int64_t n, const char *block)
{
    const operand *o = &p->op[k];
    const weft__space *s = &p->space;
    int last = s->ndim - 1;
    int64_t at[WEFT__MAX_DIMS];
    int64_t lane_bytes = o->type == WEFT__COMPUTE_BYTE ? 1 : o->type == WEFT__COMPUTE_F32 ? 4 : 8;
    memcpy(at, index, sizeof at[0] * (size_t)s->ndim);
    while (n > 0) {
        int64_t run = s->shape[last] - at[last] < n ? s->shape[last] - at[last] : n;
        char *dst = o->data + weft__space_offset(s, k, at);
        if (o->type == WEFT__COMPUTE_BYTE) {
            copy_bytes(run, block, 1, dst, s->stride[k][last]);
        } else {
            WEFT__CPU(store)(run, o->dtype, block, dst, s->stride[k][last]);
        }
        block += run * lane_bytes;
        weft__space_advance(s, at, run);
        n -= run;
    }
}

/* Operand k of n elements at index (linear element i) can be worked on where it lies; in one_run they all belong to one
 * run of the innermost dim. */
static char *in_place(const plan *p, int k, const int64_t *index, int64_t i, bool one_run)
{
    const operand *o = &p->op[k];
    if (o->dense) {
        return o->data + i * o->bytes;
    }
    if (one_run && o->native && p->space.stride[k][p->space.ndim - 1] == o->bytes) {
        return o->data + weft__space_offset(&p->space, k, index);
    }
    return NULL;
}

/* What a piece reads of operand k is the same as what an earlier one at the same address read: one value all along the
 * run, or the same rows over and over. */
static bool is_reusable(const plan *p, int k, const int64_t *index, bool one_run)
{
    const int last = p->space.ndim - 1;
    return one_run ? p->space.stride[k][last] == 0 : index[last] == 0 && p->op[k].repeated;
}

/* Input operand k, in place or staged; a block that can be used again is filled once. */
static const void *fetch(const plan *p, stage *st, int k, const int64_t *index, int64_t i, int64_t n, bool one_run)
{
    const char *direct = in_place(p, k, index, i, one_run);
    if (direct) {
        return direct;
    }
    const char *src = p->op[k].data + weft__space_offset(&p->space, k, index);
    bool reusable = is_reusable(p, k, index, one_run);
    if (!reusable || st->filled_from[k] != src || st->filled[k] < n) {
        gather(p, k, index, n, (char *)st->block[k]);
        st->filled_from[k] = reusable ? src : NULL;
        st->filled[k] = n;
    }
    return st->block[k];
}

/* n elements at index, linear element i: at most a block unless nothing is staged. */
static void run_piece(const plan *p, stage *st, const int64_t *index, int64_t i, int64_t n, bool one_run)
{
    const void *fetched[WEFT__SPACE_MAX];
    const void *in[WEFT__MAP_MAX_IN];
    for (int k = p->n_out; k < p->space.n; k++) {
        fetched[k] = fetch(p, st, k, index, i, n, one_run);
    }
    for (int k = 0; k < p->map->n_in; k++) {
        in[k] = fetched[p->in_op[k]];
    }
    if (p->map->n_out == 0) {
        p->map->loop[0](n, in, NULL, p->map->param);
        return;
    }
    for (int k = 0; k < p->n_out; k++) {
        char *direct = in_place(p, k, index, i, one_run);
        p->map->loop[p->out_loop[k]](n, in, direct ? direct : (char *)st->block[k], p->map->param);
        if (!direct) {
            scatter(p, k, index, n, (const char *)st->block[k]);
        }
    }
}

static bool run_needs_stage(const plan *p)
{
    int last = p->space.ndim - 1;
    for (int k = 0; k < p->space.n; k++) {
        if (!p->op[k].native || (!p->op[k].dense && p->space.stride[k][last] != p->op[k].bytes)) {
            return true;
        }
    }
    return false;
}

/* Most elements of a piece. Nothing staged: all there are, or with two outputs what stays in the cache between them.
 * Gathered rows are taken whole, so that repeated ones find their block as they left it. */
static int64_t piece_limit(const plan *p, bool by_run)
{
    const int64_t run = p->space.shape[p->space.ndim - 1];
    if (p->all_dense || (by_run && !run_needs_stage(p))) {
        return p->n_out > 1 ? 2048 : INT64_MAX;
    }
    return by_run ? WEFT__BLOCK : WEFT__BLOCK / run * run;
}

/* Elements [begin, end) of the space. Long innermost runs are worked on one by one, short ones gathered. */
static void run_range(void *arg, int64_t begin, int64_t end, int worker)
{
    const plan *p = arg;
    const weft__space *s = &p->space;
    const int last = s->ndim - 1;
    const bool by_run = s->shape[last] >= SHORT_RUN || s->ndim == 1;
    const int64_t limit = piece_limit(p, by_run);
    int64_t index[WEFT__MAX_DIMS];
    stage st;
    (void)worker;
    for (int k = 0; k < s->n; k++) {
        st.filled_from[k] = NULL;
        st.filled[k] = 0;
    }
    weft__space_seek(s, begin, index);
    while (begin < end) {
        int64_t n = end - begin < limit ? end - begin : limit;
        if ((by_run || index[last] != 0) && s->shape[last] - index[last] < n) {
            n = s->shape[last] - index[last];
        }
        run_piece(p, &st, index, begin, n, by_run);
        begin += n;
        while (n > 0) {
            int64_t run = s->shape[last] - index[last] < n ? s->shape[last] - index[last] : n;
            weft__space_advance(s, index, run);
            n -= run;
        }
    }
}

/* Input k of the map runs along another dim than the output: it would be read a cache line per element. */
static bool is_transposed(const plan *p, int k)
{
    const weft__space *s = &p->space;
    const int op = p->in_op[k];
    const int last = s->ndim - 1;
    if (!p->map->in[k] || s->stride[op][last] == 0 || s->stride[op][last] == p->op[op].bytes) {
        return false;
    }
    for (int d = 0; d < last; d++) {
        if (s->stride[op][d] == p->op[op].bytes) {
            return true;
        }
    }
    return false;
}

/* dense = a, contiguous, in scratch memory. */
static weft_status make_dense(const weft__exec *e, const weft__array *a, weft__array *dense)
{
    *dense = *a;
    weft__row_major(a->shape, a->ndim, dense->strides);
    dense->contiguous = true;
    dense->data = weft__scratch(e, a->count, (size_t)weft__dtype_bytes(a->dtype));
    return dense->data ? weft__copy_within(e, WEFT__CPU(copy), a, dense) : WEFT_E_NOMEM;
}

weft_status WEFT__CPU(map)(const weft__exec *e, const weft__map *m)
{
    plan p;
    weft__map straight = *m;
    weft__array dense[WEFT__MAP_MAX_IN];
    bool changed = false;
    if (!make_plan(&p, m)) {
        return WEFT_OK;
    }
    for (int k = 0; k < m->n_in && p.space.count > SMALL; k++) {
        if (!is_transposed(&p, k)) {
            continue;
        }
        weft_status status = make_dense(e, m->in[k], &dense[k]);
        if (status != WEFT_OK) {
            return status;
        }
        straight.in[k] = &dense[k];
        changed = true;
    }
    if (changed) {
        make_plan(&p, &straight);
    }
    if (p.space.count <= m->grain) {
        run_range(&p, 0, p.space.count, 0);
        return WEFT_OK;
    }
    weft__pool_for(weft__exec_pool(e), p.space.count, m->grain, run_range, &p);
    return WEFT_OK;
}
