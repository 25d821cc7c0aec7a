/* index.c - records of gather, scatter_add, index_select, index_add, embedding: their derivatives read the index. */
#include "define.h"

#define TAKES(ID, name)                                                                                                \
    WEFT__DEFINE(ID, name, OPERANDS(ANY_DTYPE, POSITIONS), RESULTS(1, EXACT), EFFECT(PURE),                            \
                 DERIVATIVE(weft__vjp_##name, ROUNDS_ONCE, READS(SECOND), NO_KERNEL),                                  \
                 WORK(weft__terms_one, weft__flops_each, weft__bytes_once))
#define ADDS(ID, name)                                                                                                 \
    WEFT__DEFINE(ID, name, OPERANDS(NUMBERS, POSITIONS, NUMBERS), RESULTS(1, SUMMED), EFFECT(PURE),                    \
                 DERIVATIVE(weft__vjp_##name, ROUNDS_ONCE, READS(SECOND), NO_KERNEL),                                  \
                 WORK(added_terms, weft__flops_each, weft__bytes_once))

/* All of src may go to one element. */
static int64_t added_terms(const weft__work *w, int result)
{
    (void)result;
    return w->in[2] ? w->in[2]->count : 1;
}

TAKES(GATHER, gather)
TAKES(INDEX_SELECT, index_select)
TAKES(EMBEDDING, embedding)
ADDS(SCATTER_ADD, scatter_add)
ADDS(INDEX_ADD, index_add)
