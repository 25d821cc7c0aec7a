/* table.c - the launchers in the order of the op table; an operation whose launcher is missing does not link. */
#include "host.h"
#include "kernels.h"

const weft__cuda_table weft__cuda_kernels = {
    .run =
        {
#define WEFT_UNARY(ID, ...) [WEFT_OP_##ID] = weft__cuda_unary,
#define WEFT_UNARY_P(ID, ...) [WEFT_OP_##ID] = weft__cuda_unary,
#define WEFT_PREDICATE(ID, ...) [WEFT_OP_##ID] = weft__cuda_predicate,
#define WEFT_BINARY(ID, ...) [WEFT_OP_##ID] = weft__cuda_binary,
#define WEFT_COMPARE(ID, ...) [WEFT_OP_##ID] = weft__cuda_compare,
#define WEFT_INTEGER(ID, ...) [WEFT_OP_##ID] = weft__cuda_integer,
#define WEFT_TERNARY(ID, ...) [WEFT_OP_##ID] = weft__cuda_ternary,
#define WEFT_REDUCE(ID, name, ...) [WEFT_OP_##ID] = weft__cuda_##name,
#define WEFT_CUSTOM(ID, name, ...) [WEFT_OP_##ID] = weft__cuda_##name,
#define WEFT_KERNEL(ID, name, ...) [WEFT_OP_##ID] = weft__cuda_##name,
#include "ops/ops.def"
        },
    .grad =
        {
#define WEFT_UNARY(ID, ...) [WEFT_OP_##ID] = weft__cuda_unary_grad,
#define WEFT_UNARY_P(ID, ...) [WEFT_OP_##ID] = weft__cuda_unary_grad,
#define WEFT_BINARY(ID, ...) [WEFT_OP_##ID] = weft__cuda_binary_grad,
#define WEFT_TERNARY(ID, ...) [WEFT_OP_##ID] = weft__cuda_ternary_grad,
#include "ops/ops.def"
        },
};
