/* blas.c - matrix products by cuBLASLt, with the epilogue that a linear layer or its gradient asks for.
 *
 * cuBLASLt works on matrices by column, so it is given the transposed product y^T = b^T a^T, which it finds in memory
 * as we have y, a and b by row. Batches that one stride does not reach take several calls. */
#include "blas.h"
#include <string.h>
#include <weft/params.h>
#include "kernels.h"
#include "product.h"

enum { MOST_CALLS = 16 }; /* for a product; operands that need more are copied first */

/* ---- cuBLASLt as a part of the device ---- */

weft_status weft__blas_fail(const weft__exec *e, const weft__blas *blas, cublasStatus_t status, const char *function)
{
    (void)cudaGetLastError();
    return e->host->fail(e, status == CUBLAS_STATUS_ALLOC_FAILED ? WEFT_E_NOMEM : WEFT_E_DEVICE,
                         "cuBLASLt: %s gives %s; WEFT_CUBLASLT=none in the environment does without the library",
                         function, blas->status_name(status));
}

static bool find_functions(weft__blas *blas)
{
#define NAME(member, function) #function,
    static const char *const names[] = {WEFT__BLAS_FUNCTIONS(NAME)};
#undef NAME
    enum { COUNT = sizeof names / sizeof *names };
    void (*functions[COUNT])(void);
    if (!weft__cuda_library_functions(&blas->library, COUNT, names, functions))
        return false;
    int k = 0;
#define TAKE(member, function) blas->member = (__typeof__(blas->member))functions[k++];
    WEFT__BLAS_FUNCTIONS(TAKE)
#undef TAKE
    return true;
}

/* Every part that was made is given back, also when opening has failed half-way. */
static void close_blas(weft__cuda_device *d, void *state)
{
    weft__blas *blas = state;
    const weft__device_options *o = &d->options;
    if (blas->handle)
        (void)blas->destroy(blas->handle);
    if (blas->plans)
        o->free(o->user, blas->plans, blas->plan_slots * sizeof *blas->plans);
    if (blas->choices)
        o->free(o->user, blas->choices, blas->choice_room * sizeof *blas->choices);
    o->free(o->user, blas, sizeof *blas);
}

weft_status weft__blas_need_workspace(const weft__exec *e, weft__blas *blas, size_t bytes)
{
    if (bytes <= blas->workspace_bytes)
        return WEFT_OK;
    void *workspace = e->host->scratch(e, bytes);
    if (!workspace)
        return WEFT_E_NOMEM;
    blas->workspace = workspace;
    blas->workspace_bytes = bytes;
    return WEFT_OK;
}

static weft_status make_handle(const weft__exec *e, weft__blas *blas)
{
    cublasStatus_t status = blas->create(&blas->handle);
    if (status != CUBLAS_STATUS_SUCCESS) {
        blas->handle = NULL;
        return weft__blas_fail(e, blas, status, "cublasLtCreate");
    }
    blas->workspace_limit = (size_t)(weft__cuda_device_of(e)->compute_major >= 9 ? 32 : 8) << 20; /* NVIDIA's advice */
    return weft__blas_load_choices(e, blas);
}

/* The device's cuBLASLt, opened on first use. One that failed to open is tried again the next time. */
static weft_status open_blas(const weft__exec *e, weft__blas **opened)
{
    weft__cuda_device *d = weft__cuda_device_of(e);
    *opened = d->parts[WEFT__CUDA_BLAS].state;
    if (*opened)
        return WEFT_OK;
    weft__blas *blas = d->options.alloc(d->options.user, sizeof *blas, 64);
    if (!blas)
        return e->host->fail(e, WEFT_E_NOMEM, "out of host memory for the state of cuBLASLt");
    memset(blas, 0, sizeof *blas);
    weft__cuda_library_open(WEFT__CUDA_CUBLASLT, &blas->library);
    weft_status status = find_functions(blas) ? make_handle(e, blas) : WEFT_OK;
    if (status != WEFT_OK) {
        close_blas(d, blas);
        return status;
    }
    d->parts[WEFT__CUDA_BLAS].state = *opened = blas;
    d->parts[WEFT__CUDA_BLAS].close = close_blas;
    return WEFT_OK;
}

/* ---- Operands as cuBLASLt takes them ---- */

/* rows x columns of these strides: dense by row, or by column (turned), at a distance of ld. A dim of size 1 may have
 * any stride. False: neither. */
static bool is_dense(int64_t rows, int64_t columns, int64_t row, int64_t column, bool *turned, int64_t *ld)
{
    *turned = false;
    *ld = rows == 1 ? columns : row;
    if ((columns == 1 || column == 1) && *ld >= columns)
        return true;
    *turned = true;
    *ld = columns == 1 ? rows : column;
    return (rows == 1 || row == 1) && *ld >= rows;
}

/* One of a product's two operands. */
typedef struct operand {
    const void **data;
    int64_t rows, columns;
    int64_t *row, *column; /* strides */
    int64_t *batch;        /* strides */
} operand;

static operand operand_of(weft__cuda_product *p, bool first)
{
    return first ? (operand){&p->a, p->m, p->k, &p->a_row, &p->a_column, p->a_batch}
                 : (operand){&p->b, p->k, p->n, &p->b_row, &p->b_column, p->b_batch};
}

static bool operand_is_dense(const operand *o)
{
    bool turned;
    int64_t ld;
    return is_dense(o->rows, o->columns, *o->row, *o->column, &turned, &ld);
}

/* Its batches lie at equal distances, as far as they differ at all. */
static bool is_regular(const operand *o, const weft__cuda_product *p)
{
    for (int d = 0; d + 1 < p->dims; d++)
        if (o->batch[d] != 0 && o->batch[d + 1] != 0 && o->batch[d] != o->batch[d + 1] * p->batch[d + 1])
            return false;
    return true;
}

/* The operand as an array, a batch dim that it is broadcast along having size 1. */
static weft__array as_array(const operand *o, const weft__cuda_product *p)
{
    weft__array a = {.data = (void *)*o->data, .dtype = p->dtype, .ndim = p->dims + 2, .count = o->rows * o->columns};
    for (int d = 0; d < p->dims; d++) {
        a.shape[d] = o->batch[d] ? p->batch[d] : 1;
        a.strides[d] = o->batch[d];
        a.count *= a.shape[d];
    }
    a.shape[p->dims] = o->rows;
    a.shape[p->dims + 1] = o->columns;
    a.strides[p->dims] = *o->row;
    a.strides[p->dims + 1] = *o->column;
    return a;
}

/* Replaces the operand by a contiguous copy in scratch memory. */
static weft_status copy_operand(const weft__exec *e, operand *o, const weft__cuda_product *p)
{
    const weft__array from = as_array(o, p);
    weft__array to = from;
    to.contiguous = true;
    weft__row_major(to.shape, to.ndim, to.strides);
    to.data = weft__scratch(e, to.count, weft__cuda_bytes(to.dtype));
    if (!to.data)
        return WEFT_E_NOMEM;
    *o->data = to.data;
    *o->row = to.strides[p->dims];
    *o->column = to.strides[p->dims + 1];
    for (int d = 0; d < p->dims; d++)
        if (o->batch[d])
            o->batch[d] = to.strides[d];
    return weft__copy_within(e, weft__cuda_kernels.run[WEFT_OP_COPY], &from, &to);
}

/* The batch dim that one call goes along: the longest; -1 if there is none. */
static int strided_dim(const weft__cuda_product *p)
{
    int longest = -1;
    for (int d = 0; d < p->dims; d++)
        if (longest < 0 || p->batch[d] > p->batch[longest])
            longest = d;
    return longest;
}

/* Copies the operands that cuBLASLt would not take, or only in very many calls. */
static weft_status prepare(const weft__exec *e, weft__cuda_product *p)
{
    const int along = strided_dim(p);
    const bool many = along >= 0 && p->batches / p->batch[along] > MOST_CALLS;
    weft_status status = WEFT_OK;
    for (int k = 0; k < 2 && status == WEFT_OK; k++) {
        operand o = operand_of(p, k == 0);
        if (!operand_is_dense(&o) || (many && !is_regular(&o, p)))
            status = copy_operand(e, &o, p);
    }
    weft__cuda_join_batches(p);
    return status;
}

/* ---- Running ---- */

/* log2 of the largest power of two, up to 256, that divides all of these. */
static int64_t alignment_of(const void *data, int64_t strides, size_t bytes)
{
    const uint64_t all = (uint64_t)(uintptr_t)data | (uint64_t)strides * bytes | 256;
    int64_t alignment = 0;
    while (!(all >> alignment & 1))
        alignment++;
    return alignment;
}

/* The epilogues are sums of bits; without any it is DEFAULT. cuBLASLt's B is our a. */
static int64_t epilogue_of(const weft__cuda_product *p)
{
    int64_t epilogue = p->bias ? CUBLASLT_EPILOGUE_BIAS : 0;
    if (p->activation == WEFT_ACTIVATION_RELU)
        epilogue |= CUBLASLT_EPILOGUE_RELU;
    if (p->activation == WEFT_ACTIVATION_GELU_TANH)
        epilogue |= p->pre ? CUBLASLT_EPILOGUE_GELU_AUX : CUBLASLT_EPILOGUE_GELU;
    if (p->row_sums)
        epilogue |= CUBLASLT_EPILOGUE_BGRADB;
    return epilogue ? epilogue : CUBLASLT_EPILOGUE_DEFAULT;
}

/* Lines of the second result must be a multiple of 8 elements apart, and ours is contiguous. */
static bool may_have_epilogue(const weft__cuda_product *p)
{
    return !p->pre || p->n % 8 == 0;
}

/* The bias, or where the sums of a's rows go. */
static const void *vector_of(const weft__cuda_product *p)
{
    return p->row_sums ? p->row_sums : p->bias;
}

/* The calls are for the batches along dim along (-1: there are no batches). */
static void make_key(const weft__exec *e, const weft__cuda_product *p, int along, weft__blas_key *key)
{
    const weft__device_options *o = &weft__cuda_device_of(e)->options;
    const size_t bytes = weft__cuda_bytes(p->dtype);
    const int64_t size = p->m * p->n;
    bool a_turned, b_turned;
    int64_t a_ld, b_ld, a_all = 0, b_all = 0, y_batch = size;
    (void)is_dense(p->m, p->k, p->a_row, p->a_column, &a_turned, &a_ld);
    (void)is_dense(p->k, p->n, p->b_row, p->b_column, &b_turned, &b_ld);
    for (int d = 0; d < p->dims; d++) {
        a_all |= p->a_batch[d];
        b_all |= p->b_batch[d];
        y_batch *= d > along ? p->batch[d] : 1;
    }
    *key = (weft__blas_key){{[WEFT__KEY_M] = p->m,
                             [WEFT__KEY_N] = p->n,
                             [WEFT__KEY_K] = p->k,
                             [WEFT__KEY_A_TURNED] = a_turned,
                             [WEFT__KEY_B_TURNED] = b_turned,
                             [WEFT__KEY_A_LD] = a_ld,
                             [WEFT__KEY_B_LD] = b_ld,
                             [WEFT__KEY_BATCHES] = along < 0 ? 1 : p->batch[along],
                             [WEFT__KEY_A_BATCH] = along < 0 ? 0 : p->a_batch[along],
                             [WEFT__KEY_B_BATCH] = along < 0 ? 0 : p->b_batch[along],
                             [WEFT__KEY_Y_BATCH] = along < 0 ? 0 : y_batch,
                             [WEFT__KEY_DTYPE] = p->dtype,
                             [WEFT__KEY_TF32] = o->allow_tf32 && p->dtype == WEFT_F32,
                             [WEFT__KEY_EPILOGUE] = epilogue_of(p),
                             [WEFT__KEY_A_ALIGNMENT] = alignment_of(p->a, a_all, bytes),
                             [WEFT__KEY_B_ALIGNMENT] = alignment_of(p->b, b_all, bytes),
                             [WEFT__KEY_Y_ALIGNMENT] = alignment_of(p->y, p->dims ? size : 0, bytes),
                             [WEFT__KEY_VECTOR_ALIGNMENT] = vector_of(p) ? alignment_of(vector_of(p), 0, bytes) : 0,
                             [WEFT__KEY_AUX_ALIGNMENT] = p->pre ? alignment_of(p->pre, 0, bytes) : 0}};
}

/* The matrices of call number call, of those that dim along does not cover. */
static weft__blas_data data_of_call(const weft__cuda_product *p, int along, int64_t call)
{
    int64_t a = 0, b = 0, y = 0, size = p->m * p->n;
    for (int d = p->dims - 1; d >= 0; d--) {
        if (d != along) {
            const int64_t at = call % p->batch[d];
            call /= p->batch[d];
            a += at * p->a_batch[d];
            b += at * p->b_batch[d];
            y += at * size;
        }
        size *= p->batch[d];
    }
    const int64_t bytes = (int64_t)weft__cuda_bytes(p->dtype);
    return (weft__blas_data){.a = (const char *)p->a + a * bytes,
                             .b = (const char *)p->b + b * bytes,
                             .vector = vector_of(p),
                             .aux = p->pre,
                             .y = (char *)p->y + y * bytes};
}

/* Once for a product with an activation: if it is slower than its parts, its plan is not used. */
static weft_status weigh(const weft__exec *e, weft__blas *blas, const weft__cuda_product *p, weft__blas_step *whole,
                         weft__cuda_rest rest)
{
    const weft__blas_key key = whole->plan.key;
    const weft__cuda_product bare = weft__cuda_bare_product(p);
    weft__blas_step plain = {.data = data_of_call(&bare, -1, 0)};
    weft__blas_key plain_key;
    weft__blas_plan *plan;
    bool faster = true;
    make_key(e, &bare, -1, &plain_key);
    weft_status status = weft__blas_find_plan(e, blas, &plain_key, &plain.data, &plan);
    if (status != WEFT_OK)
        return status;
    plain.plan = *plan;
    if (plain.plan.usable)
        status = weft__blas_weigh(e, blas, whole, &plain, rest, &faster);
    if (status == WEFT_OK)
        status = weft__blas_find_plan(e, blas, &key, &whole->data, &plan);
    if (status != WEFT_OK)
        return status;
    plan->is_weighed = true;
    plan->usable = faster;
    return faster ? WEFT_OK : weft__blas_save_choice(e, blas, &key, &weft__blas_no_algorithm);
}

static weft_status find_plan(const weft__exec *e, weft__blas *blas, const weft__cuda_product *p,
                             const weft__blas_key *key, const weft__blas_data *data, weft__cuda_rest rest,
                             weft__blas_plan **plan)
{
    weft_status status = weft__blas_find_plan(e, blas, key, data, plan);
    const bool timed = weft__cuda_device_of(e)->options.time_matmul && weft__blas_activates(key);
    if (status != WEFT_OK || !timed || !(*plan)->usable || (*plan)->is_weighed)
        return status;
    weft__blas_step whole = {.plan = **plan, .data = *data};
    status = weigh(e, blas, p, &whole, rest);
    return status == WEFT_OK ? weft__blas_find_plan(e, blas, key, data, plan) : status;
}

/* *done: false if cuBLASLt does not do such products. */
static weft_status run_library(const weft__exec *e, weft__blas *blas, const weft__cuda_product *p, weft__cuda_rest rest,
                               bool *done)
{
    const int along = strided_dim(p);
    const int64_t calls = along < 0 ? 1 : p->batches / p->batch[along];
    weft__blas_data data = data_of_call(p, along, 0);
    weft__blas_key key;
    weft__blas_plan *plan;
    make_key(e, p, along, &key);
    *done = false;
    weft_status status = find_plan(e, blas, p, &key, &data, rest, &plan);
    if (status != WEFT_OK)
        return status;
    for (int64_t call = 0; call < calls && plan->usable; call++) {
        data = data_of_call(p, along, call);
        const cublasStatus_t result = weft__blas_run_plan(e, blas, plan, &plan->algorithm, &data);
        if (weft__blas_refuses(&key, result))
            plan->usable = false;
        else if (result != CUBLAS_STATUS_SUCCESS)
            return weft__blas_fail(e, blas, result, "cublasLtMatmul");
    }
    *done = plan->usable;
    return WEFT_OK;
}

weft_status weft__cuda_product_library(const weft__exec *e, weft__cuda_product *p, weft__cuda_rest rest, bool is_first,
                                       bool *done)
{
    weft__blas *blas;
    *done = false;
    weft_status status = open_blas(e, &blas);
    if (status != WEFT_OK || !blas->library.handle)
        return status;
    if (is_first) { /* what an earlier operation had has gone */
        blas->workspace = NULL;
        blas->workspace_bytes = 0;
    }
    if (!may_have_epilogue(p))
        return WEFT_OK;
    status = prepare(e, p);
    return status == WEFT_OK ? run_library(e, blas, p, rest, done) : status;
}
