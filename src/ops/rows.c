/* rows.c - the table of records, and the records of the elementwise and reduction families, which the row of ops.def
 * describes whole. */
#include "define.h"
#include "rows.h"

/* What a formula saves, as what its derivative reads. */
#define READ_BY(saves)                                                                                                 \
    ((uint64_t)((saves)&3) | ((saves)&WEFT__SAVES_Y ? WEFT__READS_RESULT(0) : 0)) /* x or a, b: operands 0, 1 */

/* All parts but the effect: a row draws nothing and changes nothing. */
#define RECORD(ID, NAME, operands, attributes, infers, results, derivative, work, sample)                              \
    static const weft__op_def weft__def_##NAME = {                                                                     \
        .op = WEFT_OP_##ID, operands, attributes, infers, results, EFFECT(PURE), derivative, work, sample};
#define EACH WORK(weft__terms_one, weft__flops_each, weft__bytes_once)

/* How many numbers a parenthesised list of parameters has, one or two, what is passed for them, and those of samples:
 * limits, or one inside every domain that such rows have. */
#define ARITY_PICK(one, two, n, ...) n
#define ARITY(...) ARITY_PICK(__VA_ARGS__, 2, 1, 0)
#define GLUE2(a, b) a##b
#define GLUE(a, b) GLUE2(a, b)
#define PASS_1(f) (f)[0]
#define PASS_2(f) (f)[0], (f)[1]
#define NUMBERS_1(ID) WEFT_OP_##ID == WEFT_OP_LOGIT ? "; 0.25" : WEFT_OP_##ID == WEFT_OP_POLYGAMMA ? "; 2" : "; 1.5"
#define NUMBERS_2(ID) "; -1 1.5"

/* Rules that are linear in the operands are rounded once as they are. */
#define WEFT_UNARY(ID, name, cls, saves, f, dx, lo, hi, kink, doc)                                                     \
    CALL(name)                                                                                                         \
    {                                                                                                                  \
        c->out[0] = weft_##name(c->in[0]);                                                                             \
    }                                                                                                                  \
    UNARY_ROW(ID, name, cls, saves, none, #dx, "")
/* f: p, q */
#define WEFT_UNARY_P(ID, name, cls, saves, params, args, value, dx, lo, hi, kink, doc)                                 \
    CALL(name)                                                                                                         \
    {                                                                                                                  \
        c->out[0] = weft_##name(c->in[0], GLUE(PASS_, ARITY params)(c->f));                                            \
    }                                                                                                                  \
    UNARY_ROW(ID, name, cls, saves, scalar, #dx, GLUE(NUMBERS_, ARITY params)(ID))
#define UNARY_ROW(ID, name, cls, saves, attributes, words, numbers)                                                    \
    RECORD(ID, name, OPERANDS(KIND_##cls | STRIDED), ATTRS(attributes), INFER(weft__infer_like, JOIN_##cls),           \
           RESULTS(1, ELEMENTWISE),                                                                                    \
           DERIVATIVE(weft__vjp_##name, WEFT__SAVES_##saves == WEFT__SAVES_NIL, READS(READ_BY(WEFT__SAVES_##saves)),   \
                      ID, GRADIENT(words)),                                                                            \
           EACH, SAMPLE(call_##name, RECIPE("xab", numbers)))
#define WEFT_PREDICATE(ID, name, f, doc)                                                                               \
    CALL(name)                                                                                                         \
    {                                                                                                                  \
        c->out[0] = weft_##name(c->in[0]);                                                                             \
    }                                                                                                                  \
    RECORD(ID, name, OPERANDS(NUMBERS | STRIDED), NO_ATTRS, INFER(weft__infer_truth, AS_GIVEN), RESULTS(0, EXACT),     \
           NO_DERIVATIVE, EACH, SAMPLE(call_##name, RECIPE("xab", "")))
#define CALL_BINARY(name)                                                                                              \
    CALL(name)                                                                                                         \
    {                                                                                                                  \
        c->out[0] = weft_##name(c->in[0], c->in[1]);                                                                   \
    }
#define WEFT_BINARY(ID, name, cls, saves, f, da, db, lo, hi, kink, doc)                                                \
    CALL_BINARY(name)                                                                                                  \
    RECORD(ID, name, OPERANDS(KIND_##cls | STRIDED | BROADCAST, KIND_##cls | STRIDED | BROADCAST), NO_ATTRS,           \
           INFER(weft__infer_pair, JOIN_##cls), RESULTS(1, ELEMENTWISE),                                               \
           DERIVATIVE(weft__vjp_##name, WEFT__SAVES_##saves == WEFT__SAVES_NIL, READS(READ_BY(WEFT__SAVES_##saves)),   \
                      ID, GRADIENT("of a: " #da "; of b: " #db)),                                                      \
           EACH, SAMPLE(call_##name, RECIPE("xab xab", ""), RECIPE("xa1b xb", "")))
#define WEFT_COMPARE(ID, name, f, doc)                                                                                 \
    CALL_BINARY(name)                                                                                                  \
    RECORD(ID, name, OPERANDS(NUMBERS | STRIDED | BROADCAST, NUMBERS | STRIDED | BROADCAST), NO_ATTRS,                 \
           INFER(weft__infer_comparison, JOIN), RESULTS(0, EXACT), NO_DERIVATIVE, EACH,                                \
           SAMPLE(call_##name, RECIPE("xab xab", ""), RECIPE("xa1b xb", "")))
#define WEFT_INTEGER(ID, name, joins, f, doc)                                                                          \
    CALL_BINARY(name)                                                                                                  \
    RECORD(ID, name, OPERANDS(NUMBERS | WHOLE | STRIDED | BROADCAST, NUMBERS | WHOLE | STRIDED | BROADCAST), NO_ATTRS, \
           INFER(weft__infer_pair, joins), RESULTS(0, EXACT), NO_DERIVATIVE, EACH,                                     \
           SAMPLE(call_##name, RECIPE("wab wab", ""), RECIPE("wa1b wb", "")))
#define WEFT_TERNARY(ID, name, f, da, db, doc) /* one of two elements */                                               \
    CALL(name)                                                                                                         \
    {                                                                                                                  \
        c->out[0] = weft_##name(c->in[0], c->in[1], c->in[2]);                                                         \
    }                                                                                                                  \
    RECORD(ID, name,                                                                                                   \
           OPERANDS(TRUTHS | STRIDED | BROADCAST, NUMBERS | STRIDED | BROADCAST, NUMBERS | STRIDED | BROADCAST),       \
           NO_ATTRS, INFER(weft__infer_choice, JOIN), RESULTS(1, EXACT),                                               \
           DERIVATIVE(weft__vjp_##name, ROUNDS_ONCE, READS(FIRST), ID, GRADIENT("of a: " #da "; of b: " #db)), EACH,   \
           SAMPLE(call_##name, RECIPE("cab xab xab", ""), RECIPE("cb xa1b x1", "")))
/* Sums and means repeat the gradient; every other rule takes several steps. i: keepdim, dims..., none: all. Products of
 * many elements stay near 1. */
#define WEFT_REDUCE(ID, name, cls, result, saves, agrees, grad, words, doc)                                            \
    CALL(name)                                                                                                         \
    {                                                                                                                  \
        c->out[0] = weft_##name(c->in[0], DIMS_OF(c, 1), c->i[0] != 0);                                                \
    }                                                                                                                  \
    RECORD(ID, name, OPERANDS(KIND_##cls | STRIDED | CHOOSES(result, agrees)), ATTRS(reduce),                          \
           INFER(weft__infer_reduced, REDUCED_##cls), RESULTS(GRADS_##grad, agrees),                                   \
           DERIVED_##grad(name, saves, words), WORK(weft__terms_ratio, weft__flops_each, weft__bytes_once),            \
           SAMPLE(call_##name, RECIPE(NEAR_ONE(ID, "ab"), "0 -1"), RECIPE(NEAR_ONE(ID, "a5b"), "1 0 2"),               \
                  RECIPE(NEAR_ONE(ID, "ab"), "0")))
#define NEAR_ONE(ID, sizes) WEFT_OP_##ID == WEFT_OP_PROD ? "n" sizes : "x" sizes
/* One of the elements is the result. */
#define CHOOSES(result, agrees) (WEFT__##result == WEFT__SAME && WEFT__##agrees == WEFT__EXACT ? AS_BYTES : 0)
#define GRADS_YES 1
#define GRADS_NO(why) 0
#define DERIVED_YES(name, saves, words)                                                                                \
    DERIVATIVE(weft__vjp_##name, WEFT__SAVES_##saves == WEFT__SAVES_NIL, READS(READ_BY(WEFT__SAVES_##saves)),          \
               NO_KERNEL, GRADIENT(words))
#define DERIVED_NONE(name, saves, words) NO_DERIVATIVE
#define DERIVED_NO(why) DERIVED_NONE
#define KIND_NUM NUMBERS
#define KIND_FLT FLOATS
#define WEFT__JOIN_NUM WEFT__JOIN_NUMBERS
#define WEFT__JOIN_FLT WEFT__JOIN_FLOATS
/* Reductions of integers stay in their dtype on the way in. */
#define WEFT__REDUCED_NUM WEFT__AS_GIVEN
#define WEFT__REDUCED_FLT WEFT__JOIN_FLOATS
#include "ops/ops.def"

/* The others are found by name. */
#define WEFT_VIEW(ID, name, ...) extern const weft__op_def weft__def_##name;
#define WEFT_COMPOSITE(ID, name, ...) extern const weft__op_def weft__def_##name;
#define WEFT_CUSTOM(ID, name, ...) extern const weft__op_def weft__def_##name;
#define WEFT_KERNEL(ID, name, ...) extern const weft__op_def weft__def_##name;
#include "ops/ops.def"

const weft__op_def *const weft__defs[WEFT_OP_COUNT] = {
#define WEFT_OP(ID, name, family, doc) [WEFT_OP_##ID] = &weft__def_##name,
#include "ops/ops.def"
};
