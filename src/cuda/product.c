/* product.c - see product.h. */
#include "product.h"
#include <weft/params.h>

static void drop_dim(weft__cuda_product *p, int d)
{
    p->dims--;
    for (; d < p->dims; d++) {
        p->batch[d] = p->batch[d + 1];
        p->a_batch[d] = p->a_batch[d + 1];
        p->b_batch[d] = p->b_batch[d + 1];
    }
}

/* Dim d takes up dim d + 1. */
static bool join_next(weft__cuda_product *p, int d)
{
    const int64_t inner = p->batch[d + 1];
    if (p->a_batch[d] != p->a_batch[d + 1] * inner || p->b_batch[d] != p->b_batch[d + 1] * inner)
        return false;
    p->batch[d + 1] *= p->batch[d];
    drop_dim(p, d);
    return true;
}

/* The last dim continues a's rows, and b is the same for all of it. (A row that is broadcast stays a batch.) */
static bool make_rows(weft__cuda_product *p)
{
    const int last = p->dims - 1;
    if (p->b_batch[last] != 0 || p->a_batch[last] == 0 || (p->m > 1 && p->a_batch[last] != p->m * p->a_row))
        return false;
    if (p->m == 1)
        p->a_row = p->a_batch[last];
    p->m *= p->batch[last];
    p->batches /= p->batch[last];
    drop_dim(p, last);
    return true;
}

void weft__cuda_join_batches(weft__cuda_product *p)
{
    for (int d = p->dims - 2; d >= 0; d--)
        (void)join_next(p, d);
    while (p->dims > 0 && make_rows(p))
        continue;
}

/* y holds elements, so that no dim is 0. */
static void describe_batches(const weft__array *a, const weft__array *b, const weft__array *y, weft__cuda_product *p)
{
    for (int d = 0; d < y->ndim - 2; d++) {
        if (y->shape[d] == 1)
            continue;
        p->batch[p->dims] = y->shape[d];
        p->a_batch[p->dims] = a->strides[d];
        p->b_batch[p->dims] = b->strides[d];
        p->batches *= y->shape[d];
        p->dims++;
    }
}

static void describe_matmul(const weft__exec *e, weft__cuda_product *p)
{
    const weft__array *a = e->in[0], *b = e->in[1], *y = e->out[0];
    const int row = y->ndim - 2, column = y->ndim - 1;
    p->m = y->shape[row];
    p->n = y->shape[column];
    p->k = a->shape[column];
    p->a_row = a->strides[row];
    p->a_column = a->strides[column];
    p->b_row = b->strides[row];
    p->b_column = b->strides[column];
    describe_batches(a, b, y, p);
}

/* x [.., k] is contiguous: a matrix with a row for each of y's. */
static void describe_linear(const weft__exec *e, weft__cuda_product *p)
{
    const weft__array *w = e->in[1], *y = e->out[0];
    p->n = w->shape[0];
    p->k = w->shape[1];
    p->m = p->n ? y->count / p->n : 0;
    p->a_row = p->k;
    p->a_column = 1;
    p->b_row = w->strides[1];
    p->b_column = w->strides[0];
    p->bias = e->in[2] ? e->in[2]->data : NULL;
    if (e->op != WEFT_OP_LINEAR_ACT)
        return;
    p->activation = (int32_t)e->attrs->linear.activation;
    p->pre = e->out[1] ? e->out[1]->data : NULL;
}

/* dw = g^T x. The sums of g's columns are those of the rows of g^T. */
static void describe_linear_grad(const weft__exec *e, weft__cuda_product *p)
{
    const weft__array *g = e->in[0], *x = e->in[1];
    p->m = g->shape[1];
    p->n = x->shape[1];
    p->k = g->shape[0];
    p->a_row = 1;
    p->a_column = p->m;
    p->b_row = p->n;
    p->b_column = 1;
    p->row_sums = e->out[1] ? e->out[1]->data : NULL;
}

void weft__cuda_describe_product(const weft__exec *e, weft__cuda_product *p)
{
    *p = (weft__cuda_product){
        .dtype = e->out[0]->dtype, .a = e->in[0]->data, .b = e->in[1]->data, .y = e->out[0]->data, .batches = 1};
    if (e->op == WEFT_OP_LINEAR || e->op == WEFT_OP_LINEAR_ACT)
        describe_linear(e, p);
    else if (e->op == WEFT_OP_LINEAR_GRAD)
        describe_linear_grad(e, p);
    else
        describe_matmul(e, p);
    if (e->out[0]->count > 0) /* no dim is 0 */
        weft__cuda_join_batches(p);
}

weft__cuda_product weft__cuda_bare_product(const weft__cuda_product *p)
{
    weft__cuda_product bare = *p;
    bare.y = p->pre ? p->pre : p->y;
    bare.activation = WEFT_ACTIVATION_NONE;
    bare.pre = bare.row_sums = NULL;
    return bare;
}
