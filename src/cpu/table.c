/* table.c - the kernels of one instruction set in the order of the op table. Compiled once per instruction set, like
 * the kernels themselves; an operation whose kernel is missing does not link. */
#include "cpu.h"

#define TEXT2(x) #x
#define TEXT(x) TEXT2(x)

extern const weft__cpu_table WEFT__CPU_TABLE;

const weft__cpu_table WEFT__CPU_TABLE = {
    .isa = TEXT(WEFT_ISA),
    .run =
        {
#define WEFT_UNARY(ID, ...) [WEFT_OP_##ID] = WEFT__CPU(unary),
#define WEFT_UNARY_P(ID, ...) [WEFT_OP_##ID] = WEFT__CPU(unary),
#define WEFT_PREDICATE(ID, ...) [WEFT_OP_##ID] = WEFT__CPU(predicate),
#define WEFT_BINARY(ID, ...) [WEFT_OP_##ID] = WEFT__CPU(binary),
#define WEFT_COMPARE(ID, ...) [WEFT_OP_##ID] = WEFT__CPU(compare),
#define WEFT_INTEGER(ID, ...) [WEFT_OP_##ID] = WEFT__CPU(binary),
#define WEFT_TERNARY(ID, ...) [WEFT_OP_##ID] = WEFT__CPU(ternary),
#define WEFT_REDUCE(ID, name, ...) [WEFT_OP_##ID] = WEFT__CPU(name),
#define WEFT_CUSTOM(ID, name, ...) [WEFT_OP_##ID] = WEFT__CPU(name),
#define WEFT_KERNEL(ID, name, ...) [WEFT_OP_##ID] = WEFT__CPU(name),
#include "ops/ops.def"
        },
    .grad =
        {
#define WEFT_UNARY(ID, ...) [WEFT_OP_##ID] = WEFT__CPU(unary_grad),
#define WEFT_UNARY_P(ID, ...) [WEFT_OP_##ID] = WEFT__CPU(unary_grad),
#define WEFT_BINARY(ID, ...) [WEFT_OP_##ID] = WEFT__CPU(binary_grad),
#define WEFT_TERNARY(ID, ...) [WEFT_OP_##ID] = WEFT__CPU(ternary_grad),
#include "ops/ops.def"
        },
};
