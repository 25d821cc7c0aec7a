/* rows.c - the table of records, and the records of the elementwise and reduction families, which the row of ops.def
 * describes whole. */
#include "define.h"

/* What a formula saves, as what its derivative reads. */
#define READ_BY(saves)                                                                                                 \
    ((uint64_t)((saves)&3) | ((saves)&WEFT__SAVES_Y ? WEFT__READS_RESULT(0) : 0)) /* x or a, b: operands 0, 1 */

#define RECORD(ID, NAME, ...)                                                                                          \
    static const weft__op_def weft__def_##NAME = {.op = WEFT_OP_##ID, EFFECT(PURE), __VA_ARGS__};

/* Rules that are linear in the operands are rounded once as they are. */
#define WEFT_UNARY(ID, name, cls, saves, f, dx, lo, hi, kink, doc) UNARY_ROW(ID, name, cls, saves)
#define WEFT_UNARY_P(ID, name, cls, saves, params, args, f, dx, lo, hi, kink, doc) UNARY_ROW(ID, name, cls, saves)
#define UNARY_ROW(ID, name, cls, saves)                                                                                \
    RECORD(                                                                                                            \
        ID, name, OPERANDS(KIND_##cls | STRIDED), RESULTS(1, ELEMENTWISE),                                             \
        DERIVATIVE(weft__vjp_##name, WEFT__SAVES_##saves == WEFT__SAVES_NIL, READS(READ_BY(WEFT__SAVES_##saves)), ID), \
        WORK(weft__terms_one, weft__flops_each, weft__bytes_once))
#define WEFT_PREDICATE(ID, name, f, doc)                                                                               \
    RECORD(ID, name, OPERANDS(NUMBERS | STRIDED), RESULTS(0, EXACT), NO_DERIVATIVE,                                    \
           WORK(weft__terms_one, weft__flops_each, weft__bytes_once))
#define WEFT_BINARY(ID, name, cls, saves, f, da, db, lo, hi, kink, doc)                                                \
    RECORD(                                                                                                            \
        ID, name, OPERANDS(KIND_##cls | STRIDED, KIND_##cls | STRIDED), RESULTS(1, ELEMENTWISE),                       \
        DERIVATIVE(weft__vjp_##name, WEFT__SAVES_##saves == WEFT__SAVES_NIL, READS(READ_BY(WEFT__SAVES_##saves)), ID), \
        WORK(weft__terms_one, weft__flops_each, weft__bytes_once))
#define WEFT_COMPARE(ID, name, f, doc)                                                                                 \
    RECORD(ID, name, OPERANDS(NUMBERS | STRIDED, NUMBERS | STRIDED), RESULTS(0, EXACT), NO_DERIVATIVE,                 \
           WORK(weft__terms_one, weft__flops_each, weft__bytes_once))
#define WEFT_TERNARY(ID, name, f, da, db, doc) /* one of two elements */                                               \
    RECORD(ID, name, OPERANDS(TRUTHS | STRIDED, NUMBERS | STRIDED, NUMBERS | STRIDED), RESULTS(1, EXACT),              \
           DERIVATIVE(weft__vjp_##name, ROUNDS_ONCE, READS(FIRST), ID),                                                \
           WORK(weft__terms_one, weft__flops_each, weft__bytes_once))
/* Sums and means repeat the gradient; every other rule takes several steps. */
#define WEFT_REDUCE(ID, name, cls, result, saves, agrees, grad, doc)                                                   \
    RECORD(ID, name, OPERANDS(KIND_##cls | STRIDED), REDUCED_##grad(name, saves, agrees),                              \
           WORK(weft__terms_ratio, weft__flops_each, weft__bytes_once))
#define REDUCED_YES(name, saves, agrees)                                                                               \
    RESULTS(1, agrees), DERIVATIVE(weft__vjp_##name, WEFT__SAVES_##saves == WEFT__SAVES_NIL,                           \
                                   READS(READ_BY(WEFT__SAVES_##saves)), NO_KERNEL)
#define REDUCED_NONE(name, saves, agrees) RESULTS(0, agrees), NO_DERIVATIVE
#define REDUCED_NO(why) REDUCED_NONE
#define KIND_NUM NUMBERS
#define KIND_FLT FLOATS
#include "core/ops.def"

/* The others are found by name. */
#define WEFT_VIEW(ID, name, ...) extern const weft__op_def weft__def_##name;
#define WEFT_CUSTOM(ID, name, ...) extern const weft__op_def weft__def_##name;
#define WEFT_KERNEL(ID, name, ...) extern const weft__op_def weft__def_##name;
#include "core/ops.def"

const weft__op_def *const weft__defs[WEFT_OP_COUNT] = {
#define WEFT_OP(ID, name, family, doc) [WEFT_OP_##ID] = &weft__def_##name,
#define WEFT_COMPOSITE(ID, name, ...) /* runs no kernel of its own: the records of its parts serve it */
#include "core/ops.def"
};
