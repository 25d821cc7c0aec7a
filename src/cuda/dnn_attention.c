/* dnn_attention.c - the launchers of attention: cuDNN's fused attention where it fits (and may be: it plans by the size
 * of the batch, so not with batch_invariant), the kernels of
 * kernels/attention*.cu for everything else.
 *
 * It fits halves (its products run on tensor cores, f32 would be rounded) with heads of up to 256 columns, a multiple
 * of 8, whose rows lie at multiples of 16 bytes; every query must see a key, since cuDNN's results for one that sees
 * none are not ours (zeros, and -inf for lse); scale must be positive, because its kernels find the largest score
 * before they scale; and one query alone is a step of generation, which has another number of keys each time, and a
 * plan takes half a second. */
#include <math.h>
#include <string.h>
#include "dnn.h"
#include "host.h"
#include "kernels.h"
#include "launch.h"

/* Some earlier versions give wrong gradients where the number of keys is no multiple of 128, and have no causal mask
 * for another number of keys than of queries. */
enum { OLDEST_CUDNN = 91600 };
/* The versions, from the first to before the last, in which the engine for gradients on compute capability 10 has the
 * number and the knobs that dnn_graph_attention.c asks for. */
enum { OLDEST_NUMBERED = 91800, NEWEST_NUMBERED = 92300 };
enum { UNIT = 8, MOST_COLUMNS = 256, TILE = 128, SLACK = 1 << 20 };

/* ---- What fits ---- */

/* How many of the leading dims are batches: with more than one, the last of them counts heads. */
static int batch_dims(int ndim)
{
    return ndim > 3 ? ndim - 3 : ndim - 2;
}

/* The extents and strides of a as [batch, heads, rows]; false if its batches do not lie at equal distances. */
static bool rows_of(const weft__array *a, int64_t extents[3], int64_t strides[3])
{
    const int n = a->ndim, batches = batch_dims(n);
    extents[0] = 1;
    extents[1] = n > 3 ? a->shape[n - 3] : 1;
    extents[2] = a->shape[n - 2];
    strides[0] = a->count;
    strides[1] = n > 3 ? a->strides[n - 3] : a->count;
    strides[2] = a->strides[n - 2];
    for (int d = batches - 1; d >= 0; d--) {
        if (a->shape[d] == 1)
            continue;
        if (extents[0] == 1)
            strides[0] = a->strides[d];
        else if (a->strides[d] != strides[0] * extents[0])
            return false;
        extents[0] *= a->shape[d];
    }
    return true;
}

static bool layout_fits(const weft__array *a, int64_t strides[3])
{
    int64_t extents[3];
    if (a->count > INT32_MAX || !weft__cuda_aligned16(a->data) || !rows_of(a, extents, strides) ||
        a->strides[a->ndim - 1] != 1)
        return false;
    for (int d = 0; d < 3; d++) {
        if (strides[d] < 0 || strides[d] % UNIT != 0 || (strides[d] == 0 && extents[d] > 1))
            return false;
    }
    return true;
}

static bool columns_fit(int64_t columns)
{
    return columns > 0 && columns % UNIT == 0 && columns <= MOST_COLUMNS;
}

/* The problem, if cuDNN should be asked: y is dense, what else is strided is seen to by layout_fits. */
static bool describe(const weft__exec *e, const weft__array *y, const weft__array *g, weft__dnn_attention *a)
{
    const weft__array *q = e->in[0], *k = e->in[1], *v = e->in[2];
    const int n = q->ndim;
    memset(a, 0, sizeof *a);
    a->grad = g != NULL;
    a->causal = e->attrs->attention.causal != 0;
    a->data_type = weft__cuda_dnn_data_type(q->dtype);
    a->heads = n > 3 ? q->shape[n - 3] : 1;
    a->batch = 1;
    for (int d = 0; d < batch_dims(n); d++)
        a->batch *= q->shape[d];
    a->queries = q->shape[n - 2];
    a->keys = k->shape[n - 2];
    a->width = q->shape[n - 1];
    a->columns = v->shape[n - 1];
    if (a->data_type != WEFT__DNN_DATA_HALF && a->data_type != WEFT__DNN_DATA_BFLOAT16)
        return false;
    if (a->batch * a->heads == 0 || a->queries < 2 || a->keys == 0)
        return false;
    if (!(e->attrs->attention.scale > 0) || (a->causal && a->keys < a->queries))
        return false;
    return columns_fit(a->width) && columns_fit(a->columns) && layout_fits(q, a->q) && layout_fits(k, a->k) &&
           layout_fits(v, a->v) && layout_fits(y, a->y) && (!g || layout_fits(g, a->g));
}

/* From compute capability 8 on; the gradients where there is an engine for them whose results repeat bit by bit. */
static bool device_fits(const weft__exec *e, weft__dnn_attention *a)
{
    const weft__cuda_device *d = weft__cuda_device_of(e);
    const int major = d->compute_major, version = weft__cuda_dnn_version(e);
    if (major < 8 || version < OLDEST_CUDNN)
        return false;
    a->by_number = a->grad && major == 10 && d->compute_minor <= 3;
    if (a->by_number)
        return version >= OLDEST_NUMBERED && version < NEWEST_NUMBERED;
    return !a->grad || major <= 9 || major == 12;
}

/* ---- Runs ---- */

/* The numbers that cuDNN reads in host memory. */
typedef struct numbers {
    float scale, hidden, one;
    int32_t shift;
} numbers;

static numbers numbers_of(const weft__exec *e, const weft__dnn_attention *a)
{
    const numbers n = {(float)e->attrs->attention.scale, -INFINITY, 1, (int32_t)(a->keys - a->queries)};
    return n;
}

static void add_numbers(weft__dnn_argument *arguments, const weft__dnn_attention *a, numbers *n)
{
    arguments[WEFT__DNN_SCALE].data = &n->scale;
    if (a->causal)
        arguments[WEFT__DNN_HIDDEN].data = &n->hidden;
    if (a->causal && a->keys != a->queries)
        arguments[WEFT__DNN_SHIFT].data = &n->shift;
}

static bool run_forward(const weft__exec *e)
{
    weft__dnn_attention a;
    if (weft__cuda_invariant(e) || !describe(e, e->out[0], NULL, &a) || !device_fits(e, &a))
        return false;
    numbers n = numbers_of(e, &a);
    weft__dnn_argument arguments[WEFT__DNN_ATTENTION_TENSORS] = {
        [WEFT__DNN_Q] = {e->in[0]->data, 0},    [WEFT__DNN_K] = {e->in[1]->data, 0},
        [WEFT__DNN_V] = {e->in[2]->data, 0},    [WEFT__DNN_Y] = {e->out[0]->data, 0},
        [WEFT__DNN_LSE] = {e->out[1]->data, 0},
    };
    add_numbers(arguments, &a, &n);
    const weft__dnn_problem problem = weft__dnn_attention_problem(&a);
    return weft__cuda_dnn_run(e, &problem, arguments, WEFT__DNN_ATTENTION_TENSORS);
}

/* The largest divisor of count of which each may take `bytes`; 0: not even one. */
static int64_t most_at_once(int64_t count, int64_t bytes)
{
    for (int64_t n = count; n > 0; n--)
        if (count % n == 0 && n <= (WEFT__DNN_MOST_WORKSPACE - SLACK) / bytes)
            return n;
    return 0;
}

/* Cuts the gradients into parts whose matrix of scores, if it is kept, fits the work space. False: one head is too
 * much, or parts would not begin at multiples of 16 bytes. */
static bool cut(const weft__dnn_attention *whole, weft__dnn_attention *part)
{
    const int64_t rows = (whole->queries + TILE - 1) / TILE * TILE, columns = (whole->keys + TILE - 1) / TILE * TILE;
    const int64_t head = rows * columns * 2;
    *part = *whole;
    if (whole->by_number)
        return true;
    part->heads = most_at_once(whole->heads, head);
    if (part->heads == 0)
        return false;
    part->batch = part->heads == whole->heads ? most_at_once(whole->batch, head * whole->heads) : 1;
    if (part->batch == 0)
        return false;
    const bool is_whole = part->heads == whole->heads && part->batch == whole->batch;
    return is_whole || part->heads * whole->queries % 4 == 0;
}

/* An operand at (batch, head) of its whole. */
static weft__dnn_argument at(const weft__array *a, int64_t batch, int64_t head, int64_t batch_stride,
                             int64_t head_stride)
{
    const int64_t element = batch * batch_stride + head * head_stride;
    const weft__dnn_argument argument = {(char *)a->data + (size_t)element * weft__cuda_bytes(a->dtype), 0};
    return argument;
}

/* A gradient at (batch, head), or room for it if nobody wants it. */
static weft__dnn_argument result_at(const weft__array *a, int64_t batch, int64_t head, const weft__dnn_attention *whole,
                                    const weft__dnn_attention *part, int64_t matrix)
{
    const weft__dnn_argument room = {NULL, (size_t)(part->batch * part->heads * matrix) * sizeof(uint16_t)};
    return a ? at(a, batch, head, whole->heads * matrix, matrix) : room;
}

static bool run_part(const weft__exec *e, const weft__dnn_attention *whole, const weft__dnn_attention *part,
                     int64_t batch, int64_t head)
{
    const int64_t queries = whole->queries, q = queries * whole->width;
    const int64_t k = whole->keys * whole->width, v = whole->keys * whole->columns;
    numbers n = numbers_of(e, whole);
    weft__dnn_argument arguments[WEFT__DNN_ATTENTION_GRAD_TENSORS] = {
        [WEFT__DNN_Q] = at(e->in[0], batch, head, whole->q[0], whole->q[1]),
        [WEFT__DNN_K] = at(e->in[1], batch, head, whole->k[0], whole->k[1]),
        [WEFT__DNN_V] = at(e->in[2], batch, head, whole->v[0], whole->v[1]),
        [WEFT__DNN_Y] = at(e->in[3], batch, head, whole->y[0], whole->y[1]),
        [WEFT__DNN_LSE] = at(e->in[4], batch, head, whole->heads * queries, queries),
        [WEFT__DNN_G] = at(e->in[5], batch, head, whole->g[0], whole->g[1]),
        [WEFT__DNN_DQ] = result_at(e->out[0], batch, head, whole, part, q),
        [WEFT__DNN_DK] = result_at(e->out[1], batch, head, whole, part, k),
        [WEFT__DNN_DV] = result_at(e->out[2], batch, head, whole, part, v),
        [WEFT__DNN_DELTA] = {NULL, (size_t)(part->batch * part->heads * queries) * sizeof(float)},
        [WEFT__DNN_ONE] = {&n.one, 0},
    };
    add_numbers(arguments, part, &n);
    const weft__dnn_problem problem = weft__dnn_attention_problem(part);
    return weft__cuda_dnn_run(e, &problem, arguments, WEFT__DNN_ATTENTION_GRAD_TENSORS);
}

static bool run_grad(const weft__exec *e)
{
    weft__dnn_attention whole, part;
    if (weft__cuda_invariant(e) || !describe(e, e->in[3], e->in[5], &whole) || !device_fits(e, &whole) ||
        !cut(&whole, &part))
        return false;
    for (int64_t batch = 0; batch < whole.batch; batch += part.batch)
        for (int64_t head = 0; head < whole.heads; head += part.heads)
            if (!run_part(e, &whole, &part, batch, head))
                return false;
    return true;
}

/* ---- Launchers ---- */

static weft_status forward_dense(const weft__exec *e)
{
    return run_forward(e) ? WEFT_OK : weft__cuda_attention_tiled(e);
}

static weft_status grad_dense(const weft__exec *e)
{
    return run_grad(e) ? WEFT_OK : weft__cuda_attention_grad_tiled(e);
}

static bool is_strided(const weft__exec *e)
{
    for (int k = 0; k < e->n_in; k++)
        if (!e->in[k]->contiguous)
            return true;
    return false;
}

/* cuDNN first sees what is strided as it is, then, like our kernels, a copy. */
weft_status weft__cuda_attention(const weft__exec *e)
{
    return is_strided(e) && run_forward(e) ? WEFT_OK : weft__cuda_drive_dense(e, forward_dense);
}

weft_status weft__cuda_attention_grad(const weft__exec *e)
{
    return is_strided(e) && run_grad(e) ? WEFT_OK : weft__cuda_drive_dense(e, grad_dense);
}
