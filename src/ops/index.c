/* index.c - records of gather, scatter_add, index_select, index_add, embedding: their derivatives read the index. */
#include "define.h"

#define TAKES(ID, name, words, ...)                                                                                    \
    WEFT__DEFINE(ID, name, OPERANDS(ANY_DTYPE, POSITIONS), RESULTS(1, EXACT), EFFECT(PURE),                            \
                 DERIVATIVE(weft__vjp_##name, ROUNDS_ONCE, READS(SECOND), NO_KERNEL, GRADIENT(words)),                 \
                 WORK(weft__terms_one, weft__flops_each, weft__bytes_once), SAMPLE(call_##name, __VA_ARGS__))
#define ADDS(ID, name, words, ...)                                                                                     \
    WEFT__DEFINE(ID, name, OPERANDS(NUMBERS, POSITIONS, NUMBERS), RESULTS(1, SUMMED), EFFECT(PURE),                    \
                 DERIVATIVE(weft__vjp_##name, ROUNDS_ONCE, READS(SECOND), NO_KERNEL, GRADIENT(words)),                 \
                 WORK(added_terms, weft__flops_each, weft__bytes_once), SAMPLE(call_##name, __VA_ARGS__))

/* All of src may go to one element. */
static int64_t added_terms(const weft__work *w, int result)
{
    (void)result;
    return w->in[2] ? w->in[2]->count : 1;
}

/* i: dim */
CALL(gather)
{
    c->out[0] = weft_gather(c->in[0], c->in[1], c->i[0]);
}

CALL(index_select)
{
    c->out[0] = weft_index_select(c->in[0], c->in[1], c->i[0]);
}

CALL(embedding)
{
    c->out[0] = weft_embedding(c->in[0], c->in[1]);
}

CALL(scatter_add)
{
    c->out[0] = weft_scatter_add(c->in[0], c->in[1], c->in[2], c->i[0]);
}

CALL(index_add)
{
    c->out[0] = weft_index_add(c->in[0], c->in[1], c->in[2], c->i[0]);
}

TAKES(GATHER, gather, "scatter_add of g to zeros of x's shape by the same index", RECIPE("xab iab<b", "1"),
      RECIPE("xab ia5<b", "1"))
TAKES(INDEX_SELECT, index_select, "index_add of g to zeros of x's shape by the same index", RECIPE("xab ia<a", "0"),
      RECIPE("xab i9<b", "1"))
TAKES(EMBEDDING, embedding, "rows of g, added up at the rows of weight that they came from", RECIPE("xab ia<a", ""),
      RECIPE("xab i45<a", ""))
ADDS(SCATTER_ADD, scatter_add, "of x: g; of src: gather of g by the same index", RECIPE("xab iab<b xab", "1"),
     RECIPE("xa5 iab<5 xab", "1"))
ADDS(INDEX_ADD, index_add, "of x: g; of src: index_select of g by the same index", RECIPE("xab ia<a xab", "0"),
     RECIPE("xab i9<a x9b", "0"))
