/* join.c - concat, pad, flip, which only move elements, of any dtype and any strides. */
#include "base/number.h"
#include "rows.h"
#include "counter.h"

enum { PIECE = 32768 }; /* elements of a row moved at a time */

/* One strided copy: dims outside, a row of n elements inside; rows are cut into pieces. */
typedef struct move {
    weft__counter counter; /* strides: [0] destination, [1] source */
    char *dst;
    const char *src;
    int64_t n, pieces;
    int64_t step[2]; /* along the row */
    int size;        /* of an element */
} move;

#define MOVE_ROW(type)                                                                                                 \
    static void move_##type(void *dst, const void *src, int64_t n, int64_t to, int64_t from)                           \
    {                                                                                                                  \
        type *restrict d = dst;                                                                                        \
        const type *restrict s = src;                                                                                  \
        if (to == 1 && from == -1) {                                                                                   \
            for (int64_t i = 0; i < n; i++)                                                                            \
                d[i] = s[-i];                                                                                          \
            return;                                                                                                    \
        }                                                                                                              \
        for (int64_t i = 0; i < n; i++)                                                                                \
            d[i * to] = s[i * from];                                                                                   \
    }

MOVE_ROW(uint8_t)
MOVE_ROW(uint16_t)
MOVE_ROW(uint32_t)
MOVE_ROW(uint64_t)
#undef MOVE_ROW

/* dst[i * to] = src[i * from], i < n */
static void move_row(char *dst, const char *src, int64_t n, int64_t to, int64_t from, int size)
{
    if (to == 1 && from == 1) {
        memcpy(dst, src, (size_t)(n * size));
        return;
    }
    switch (size) {
    case 1:
        move_uint8_t(dst, src, n, to, from);
        break;
    case 2:
        move_uint16_t(dst, src, n, to, from);
        break;
    case 4:
        move_uint32_t(dst, src, n, to, from);
        break;
    default:
        move_uint64_t(dst, src, n, to, from);
        break;
    }
}

static void move_items(void *arg, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const move *m = arg;
    weft__counter c = m->counter;
    weft__counter_seek(&c, begin / m->pieces);
    int64_t piece = begin % m->pieces;
    for (int64_t item = begin; item < end; item++) {
        const int64_t first = piece * PIECE, n = weft__least(PIECE, m->n - first);
        char *dst = m->dst + (c.offset[0] + first * m->step[0]) * m->size;
        const char *src = m->src + (c.offset[1] + first * m->step[1]) * m->size;
        move_row(dst, src, n, m->step[0], m->step[1], m->size);
        if (++piece == m->pieces) {
            piece = 0;
            weft__counter_next(&c);
        }
    }
}

/* Adds a dim inside those so far; one that continues the dim before it on both sides is joined to that. */
static void add_dim(weft__counter *c, int64_t n, int64_t to, int64_t from)
{
    if (n == 1)
        return;
    int last = c->n - 1;
    if (last >= 0 && c->strides[0][last] == n * to && c->strides[1][last] == n * from)
        c->shape[last] *= n;
    else
        c->shape[last = c->n++] = n;
    c->strides[0][last] = to;
    c->strides[1][last] = from;
}

/* dst[...] = src[...] over shape, with the strides given. */
static void run_move(const weft__exec *e, char *dst, const int64_t *to, const char *src, const int64_t *from,
                     const int64_t *shape, int ndim, int size)
{
    move m = {.dst = dst, .src = src, .n = 1, .size = size, .step = {1, 1}};
    int64_t count = 1;
    for (int d = 0; d < ndim; d++) {
        add_dim(&m.counter, shape[d], to[d], from[d]);
        count *= shape[d];
    }
    if (count == 0)
        return;
    if (m.counter.n > 0) {
        const int last = --m.counter.n;
        m.n = m.counter.shape[last];
        m.step[0] = m.counter.strides[0][last];
        m.step[1] = m.counter.strides[1][last];
    }
    m.pieces = weft__ceil_div(m.n, PIECE);
    weft__pool_for(weft__exec_pool(e), count / m.n * m.pieces, weft__grain(weft__least(m.n, PIECE)), move_items, &m);
}

static int size_of(const weft__array *a)
{
    return (int)weft_dtype_size((weft_dtype)a->dtype);
}

/* in n arrays [..., D_k, ...], out [..., sum of D_k, ...] along a dim */
weft_status WEFT__CPU(concat)(const weft__exec *e)
{
    weft__array *y = e->out[0];
    const int dim = (int)e->attrs->along.dim, size = size_of(y);
    int64_t at = 0;
    for (int k = 0; k < e->n_in; k++) {
        const weft__array *x = e->in[k];
        if (x->count > 0)
            run_move(e, (char *)y->data + at * y->strides[dim] * size, y->strides, x->data, x->strides, x->shape,
                     x->ndim, size);
        at += x->shape[dim];
    }
    return WEFT_OK;
}

/* out's dims are x's, some of them reversed */
weft_status WEFT__CPU(flip)(const weft__exec *e)
{
    const weft__array *x = e->in[0], *y = e->out[0];
    if (x->count == 0)
        return WEFT_OK;
    const int size = size_of(x);
    const char *src = x->data;
    int64_t from[WEFT__MAX_DIMS];
    for (int d = 0; d < x->ndim; d++) {
        const bool reversed = (e->attrs->flip.dims >> d & 1) != 0;
        from[d] = reversed ? -x->strides[d] : x->strides[d];
        if (reversed)
            src += (x->shape[d] - 1) * x->strides[d] * size;
    }
    run_move(e, y->data, y->strides, src, from, x->shape, x->ndim, size);
    return WEFT_OK;
}

/* ---- pad ---- */

typedef struct pad {
    weft__counter counter;                                  /* rows of the output; strides [1]: of x */
    int64_t before[WEFT__MAX_DIMS], inside[WEFT__MAX_DIMS]; /* of the outer dims: where x lies */
    int64_t row_before, row_inside, row;                    /* of the innermost dim */
    const char *x;
    int64_t origin; /* offset that x would have at output position 0 ... */
    char *y;
    int64_t step; /* of x along the row */
    int size;
    unsigned char value[8];
} pad;

/* dst[0..n) = value; what is filled doubles every time */
static void fill_row(char *dst, int64_t n, const pad *p)
{
    const int64_t bytes = n * p->size;
    if (bytes == 0)
        return;
    memcpy(dst, p->value, (size_t)p->size);
    for (int64_t done = p->size; done < bytes; done *= 2)
        memcpy(dst + done, dst, (size_t)weft__least(done, bytes - done));
}

static bool row_is_inside(const pad *p, const weft__counter *c)
{
    for (int d = 0; d < c->n; d++)
        if (c->at[d] < p->before[d] || c->at[d] >= p->before[d] + p->inside[d])
            return false;
    return p->row_inside > 0;
}

static void pad_rows(void *arg, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const pad *p = arg;
    weft__counter c = p->counter;
    weft__counter_seek(&c, begin);
    for (int64_t r = begin; r < end; r++, weft__counter_next(&c)) {
        char *y = p->y + r * p->row * p->size;
        if (!row_is_inside(p, &c)) {
            fill_row(y, p->row, p);
            continue;
        }
        const int64_t after = p->row - p->row_before - p->row_inside;
        fill_row(y, p->row_before, p);
        y += p->row_before * p->size;
        move_row(y, p->x + (p->origin + c.offset[1]) * p->size, p->row_inside, 1, p->step, p->size);
        fill_row(y + p->row_inside * p->size, after, p);
    }
}

/* x [...] in the middle of out, before[d] elements of the value ahead of it along dim d and after[d] behind */
weft_status WEFT__CPU(pad)(const weft__exec *e)
{
    const weft__array *x = e->in[0], *y = e->out[0];
    if (y->count == 0)
        return WEFT_OK;
    const int last = x->ndim - 1;
    pad p = {.row = 1, .row_inside = 1, .step = 1, .y = y->data, .x = x->data, .size = size_of(x)};
    weft__encode(x->dtype, e->attrs->pad.value, p.value);
    for (int d = 0; d < last; d++) {
        p.counter.shape[d] = y->shape[d];
        p.counter.strides[1][d] = x->strides[d];
        p.before[d] = e->attrs->pad.before[d];
        p.origin -= p.before[d] * x->strides[d];
        p.inside[d] = x->shape[d];
    }
    p.counter.n = last < 0 ? 0 : last;
    if (last >= 0) {
        p.row = y->shape[last];
        p.row_before = e->attrs->pad.before[last];
        p.row_inside = x->shape[last];
        p.step = x->strides[last];
    }
    weft__pool_for(weft__exec_pool(e), y->count / p.row, weft__grain(p.row), pad_rows, &p);
    return WEFT_OK;
}
