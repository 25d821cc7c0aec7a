/* view.c - records of the views. */
#include "define.h"

/* i: shape... */
CALL(reshape)
{
    c->out[0] = weft_reshape(c->in[0], c->i, c->ni);
}

/* i: dim0, dim1 */
CALL(transpose)
{
    c->out[0] = weft_transpose(c->in[0], c->i[0], c->i[1]);
}

/* i: dims... */
CALL(permute)
{
    c->out[0] = weft_permute(c->in[0], c->i, c->ni);
}

/* i: shape... */
CALL(expand)
{
    c->out[0] = weft_expand(c->in[0], c->i, c->ni);
}

/* i: dims... */
CALL(squeeze)
{
    c->out[0] = weft_squeeze(c->in[0], c->ni > 0 ? c->i : NULL, c->ni);
}

/* i: dim */
CALL(unsqueeze)
{
    c->out[0] = weft_unsqueeze(c->in[0], c->i[0]);
}

/* i: dim, start, stop, step */
CALL(slice)
{
    c->out[0] = weft_slice(c->in[0], c->i[0], c->i[1], c->i[2], c->i[3]);
}

/* i: dim, index */
CALL(select)
{
    c->out[0] = weft_select(c->in[0], c->i[0], c->i[1]);
}

CALL(detach)
{
    c->out[0] = weft_detach(c->in[0]);
}

WEFT__DEFINE_VIEW(RESHAPE, reshape, weft__vjp_reshape, GRADIENT("g in x's shape"),
                  SAMPLE(call_reshape, RECIPE("xab", "b a"), RECIPE("xab", "-1")))
WEFT__DEFINE_VIEW(TRANSPOSE, transpose, weft__vjp_transpose, GRADIENT("g with the two dims swapped back"),
                  SAMPLE(call_transpose, RECIPE("xab", "0 1")))
WEFT__DEFINE_VIEW(PERMUTE, permute, weft__vjp_permute, GRADIENT("g with the dims in x's order"),
                  SAMPLE(call_permute, RECIPE("xabcd", "2 0 3 1")))
WEFT__DEFINE_VIEW(EXPAND, expand, weft__vjp_expand, GRADIENT("g, summed over the dims that were repeated"),
                  SAMPLE(call_expand, RECIPE("xab", "2 a b"), RECIPE("x1b", "5 -1")))
WEFT__DEFINE_VIEW(SQUEEZE, squeeze, weft__vjp_squeeze, GRADIENT("g in x's shape"),
                  SAMPLE(call_squeeze, RECIPE("xa1b", "1"), RECIPE("x1ab1", "")))
WEFT__DEFINE_VIEW(UNSQUEEZE, unsqueeze, weft__vjp_unsqueeze, GRADIENT("g in x's shape"),
                  SAMPLE(call_unsqueeze, RECIPE("xab", "1")))
WEFT__DEFINE_VIEW(SLICE, slice, weft__vjp_slice, GRADIENT("g at the places that were taken, 0 elsewhere"),
                  SAMPLE(call_slice, RECIPE("xab", "1 1 b 2")))
WEFT__DEFINE_VIEW(SELECT, select, weft__vjp_select, GRADIENT("g at the place that was taken, 0 elsewhere"),
                  SAMPLE(call_select, RECIPE("xab", "0 1")))
WEFT__DEFINE_VIEW(DETACH, detach, NULL, GRADIENT(NULL), SAMPLE(call_detach, RECIPE("xab", "")))
