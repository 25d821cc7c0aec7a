/* cases_shape.c - adapters of views, joins, indexing, conversion and in-place rows (see cases.h). */
#include "cases.h"

#define CASE(name)                                                                                                     \
    void weft__case_##name(weft_case *c);                                                                              \
    void weft__case_##name(weft_case *c)

static int dims_from(const weft_case *c, int from, int64_t *dims)
{
    for (int k = from; k < c->ni; k++)
        dims[k - from] = c->i[k];
    return c->ni - from;
}

/* ---- Views ---- */

/* i: shape... */
CASE(reshape)
{
    c->out[0] = weft_reshape(c->in[0], c->i, c->ni);
}

/* i: dim0, dim1 */
CASE(transpose)
{
    c->out[0] = weft_transpose(c->in[0], (int)c->i[0], (int)c->i[1]);
}

/* i: dims... */
CASE(permute)
{
    int64_t dims[WEFT_MAX_DIMS];
    int n = dims_from(c, 0, dims);
    c->out[0] = weft_permute(c->in[0], dims, n);
}

/* i: shape... */
CASE(expand)
{
    c->out[0] = weft_expand(c->in[0], c->i, c->ni);
}

/* i: dims... */
CASE(squeeze)
{
    int64_t dims[WEFT_MAX_DIMS];
    int n = dims_from(c, 0, dims);
    c->out[0] = weft_squeeze(c->in[0], n ? dims : NULL, n);
}

/* i: dim */
CASE(unsqueeze)
{
    c->out[0] = weft_unsqueeze(c->in[0], (int)c->i[0]);
}

/* i: dim, start, stop, step */
CASE(slice)
{
    c->out[0] = weft_slice(c->in[0], (int)c->i[0], c->i[1], c->i[2], c->i[3]);
}

/* i: dim, index */
CASE(select)
{
    c->out[0] = weft_select(c->in[0], (int)c->i[0], c->i[1]);
}

CASE(detach)
{
    c->out[0] = weft_detach(c->in[0]);
}

CASE(clone)
{
    c->out[0] = weft_clone(c->in[0]);
}

CASE(contiguous)
{
    c->out[0] = weft_contiguous(c->in[0]);
}

/* i: first, last */
CASE(flatten)
{
    c->out[0] = weft_flatten(c->in[0], (int)c->i[0], (int)c->i[1]);
}

/* ---- Joining, padding, reversing ---- */

/* i: dim */
CASE(stack)
{
    c->out[0] = weft_stack(c->in, c->n_in, (int)c->i[0]);
}

/* i: dim */
CASE(concat)
{
    c->out[0] = weft_concat(c->in, c->n_in, (int)c->i[0]);
}

/* i: dim, sizes... */
CASE(split)
{
    c->n_out = c->n_smooth = c->ni - 1;
    if (weft_split(c->in[0], (int)c->i[0], c->i + 1, c->ni - 1, c->out) != WEFT_OK)
        c->out[0] = NULL;
}

/* i: dim, n */
CASE(unbind)
{
    c->n_out = c->n_smooth = (int)c->i[1];
    if (weft_unbind(c->in[0], (int)c->i[0], (int)c->i[1], c->out) != WEFT_OK)
        c->out[0] = NULL;
}

/* i: before..., after...; f: value */
CASE(pad)
{
    int ndim = c->ni / 2;
    c->out[0] = weft_pad(c->in[0], c->i, c->i + ndim, ndim, c->f[0]);
}

/* i: dims... */
CASE(flip)
{
    int64_t dims[WEFT_MAX_DIMS];
    int n = dims_from(c, 0, dims);
    c->out[0] = weft_flip(c->in[0], dims, n);
}

/* ---- Indexing: data inputs come first, indices last ---- */

/* x, index; i: dim */
CASE(gather)
{
    c->out[0] = weft_gather(c->in[0], c->in[1], (int)c->i[0]);
}

/* x, src, index; i: dim */
CASE(scatter_add)
{
    c->out[0] = weft_scatter_add(c->in[0], c->in[2], c->in[1], (int)c->i[0]);
}

/* x, index; i: dim */
CASE(index_select)
{
    c->out[0] = weft_index_select(c->in[0], c->in[1], (int)c->i[0]);
}

/* x, src, index; i: dim */
CASE(index_add)
{
    c->out[0] = weft_index_add(c->in[0], c->in[2], c->in[1], (int)c->i[0]);
}

/* weight, index */
CASE(embedding)
{
    c->out[0] = weft_embedding(c->in[0], c->in[1]);
}

/* i: the dtype's number */
CASE(cast)
{
    c->out[0] = weft_cast(c->in[0], (weft_dtype)c->i[0]);
}

/* ---- In place: the result is the first input, changed ---- */

CASE(add_)
{
    c->out[0] = weft_add_(c->in[0], c->in[1]);
}

CASE(sub_)
{
    c->out[0] = weft_sub_(c->in[0], c->in[1]);
}

CASE(mul_)
{
    c->out[0] = weft_mul_(c->in[0], c->in[1]);
}

CASE(div_)
{
    c->out[0] = weft_div_(c->in[0], c->in[1]);
}

CASE(copy_)
{
    c->out[0] = weft_copy_(c->in[0], c->in[1]);
}

/* f: value */
CASE(fill_)
{
    c->out[0] = weft_fill_(c->in[0], c->f[0]);
}
