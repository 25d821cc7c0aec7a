/* define.h - how the record of an operation is written (base/op_def.h says what it means). Included by the files of
 * records only: its words are short.
 *
 * Each family's macro takes a fixed number of parts, in any order, each a word with what belongs to it; one that is
 * left out is an error of the compiler, and one that is given twice a warning.
 *
 *   OPERANDS(kind | flags, ...)       one for each operand: ANY_DTYPE, NUMBERS, FLOATS, POSITIONS or TRUTHS, with
 *                                     OR_NULL, STRIDED, CHANGED, BROADCAST, BROADCAST_LEADING, WHOLE
 *   LIST_OF(kind | flags)             any number of operands of one kind
 *   LISTS(kind | flags, ...)          as many lists of operands, all equally long
 *   INFER(function, promotion)        shape and dtype of the results (base/infer.h), and how operands get their dtype:
 *                                     AS_GIVEN, JOIN, JOIN_NUMBERS, JOIN_FLOATS, LIKE_FIRST, BESIDE_FIRST
 *   NO_INFER                          kernels that other rows run on results of their own
 *   ATTRS(name)                       the attributes: those that WEFT_ATTRS(NAME, ...) of ops.def names
 *   ATTRS_LIST(name)                  the same, a list of sizes or dims: as many as the call has
 *   NO_ATTRS
 *   RESULTS(n, agreement, ...)        n results are differentiable; one agreement for each result
 *   EFFECT(effect)                    PURE, DRAWS, IN_PLACE or STEPS
 *   DERIVATIVE(rule, rounding, READS(...), fused, GRADIENT(text))
 *                                     the rule's function; ROUNDS_ONCE or IN_STEPS; what it reads: NOTHING, or FIRST,
 *                                     SECOND, THIRD, RESULT joined by |; the ID of the kernel of the first order or
 *                                     NO_KERNEL; the rule in words
 *   NO_DERIVATIVE                     with the reason in ops.def
 *   WORK(terms, flops, bytes)         functions of work.h, or of the file
 *   SAMPLE(call, RECIPE(operands, numbers), ...)
 *                                     the function that calls the public one, written by CALL(name), and up to four
 *                                     recipes for it (weft/sample.h, op_def.h); the first is the plain one
 *   SAMPLE_OF(ID)                     instead, for a kernel: it runs in the derivative of ID
 *   PARTS(kind, PART(ID, dtype), ...) of a composite: ANY_DTYPE or FLOATS for its operand 0; each row that it is made
 *                                     of, in each dtype: AS_ALONE, WIDE, OF_BOOL, OF_I64, OF_F64 (op_def.h)
 *   NO_PARTS(kind)                    the same of one that only makes views, or copies */
#ifndef WEFT_OPS_DEFINE_H
#define WEFT_OPS_DEFINE_H

#include "vjp.h" /* first: what the library calls leaves no place in a source */
#include "base/infer.h"
#include "work.h"
#include <weft/sample.h>

enum {
    ANY_DTYPE = WEFT__ANY_DTYPE,
    NUMBERS = WEFT__NUMBERS,
    FLOATS = WEFT__FLOATS,
    POSITIONS = WEFT__POSITIONS,
    TRUTHS = WEFT__TRUTHS,
    OR_NULL = WEFT__OR_NULL,
    STRIDED = WEFT__STRIDED,
    CHANGED = WEFT__CHANGED,
    BROADCAST = WEFT__BROADCAST,
    BROADCAST_LEADING = WEFT__BROADCAST_LEADING,
    AS_BYTES = WEFT__AS_BYTES,
    WHOLE = WEFT__WHOLE,
    SMALL = WEFT__SMALL,

    EXACT = WEFT__EXACT,
    ELEMENTWISE = WEFT__ELEMENTWISE,
    SUMMED = WEFT__SUMMED,
    POSITIVE = WEFT__POSITIVE,
    ROWWISE = WEFT__ROWWISE,
    DERIVED = WEFT__DERIVED,

    ROUNDS_ONCE = true,
    IN_STEPS = false
};

#define WEFT_OP_NO_KERNEL (-1)

#define NOTHING 0u
#define FIRST WEFT__READS_OPERAND(0)
#define SECOND WEFT__READS_OPERAND(1)
#define THIRD WEFT__READS_OPERAND(2)
#define RESULT WEFT__READS_RESULT(0)

#define COUNT_OF(...) (int)(sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

#define OPERANDS(...) .arity = WEFT__FIXED, .n_in = COUNT_OF(__VA_ARGS__), .in = {__VA_ARGS__}
#define NO_OPERANDS .arity = WEFT__FIXED, .n_in = 0, .in = {WEFT__NO_OPERAND}
#define LIST_OF(kind) .arity = WEFT__LIST, .n_in = 1, .in = {kind}
#define LISTS(...) .arity = WEFT__LISTS, .n_in = COUNT_OF(__VA_ARGS__), .in = {__VA_ARGS__}
#define RESULTS(n, ...) .n_differentiable = n, .n_out = COUNT_OF(__VA_ARGS__), .agreement = {__VA_ARGS__}
#define NO_RESULTS .n_differentiable = 0, .n_out = 0, .agreement = {WEFT__DERIVED}
#define INFER(function, how) .infer = function, .promotion = WEFT__##how
#define NO_INFER .infer = NULL, .promotion = WEFT__AS_GIVEN
#define ATTRS_OF(name, list)                                                                                           \
    .n_ints = WEFT__INTS_##name, .n_reals = WEFT__REALS_##name, .varying = WEFT__VARYING_##name, .any_length = list
#define ATTRS(name) ATTRS_OF(name, false)
#define ATTRS_LIST(name) ATTRS_OF(name, true)
#define NO_ATTRS ATTRS_OF(none, false)
#define EFFECT(kind) .effect = WEFT__##kind
#define READS(what) .reads = what, .reads_by = NULL
#define READS_BY(function) .reads = 0, .reads_by = function
#define GRADIENT(text) .gradient = text
#define DERIVATIVE(rule, rounding, reads_what, FUSED, words)                                                           \
    .vjp = rule, .rounds_once = rounding, .fused = WEFT_OP_##FUSED, reads_what, words
#define NO_DERIVATIVE .vjp = NULL, .rounds_once = true, .fused = -1, .reads = 0, .reads_by = NULL, .gradient = NULL
#define WORK(terms_of, flops_of, bytes_of) .terms = terms_of, .flops = flops_of, .bytes = bytes_of
#define RECIPE(operand_words, number_words)                                                                            \
    {                                                                                                                  \
        .operands = operand_words, .numbers = number_words                                                             \
    }
#define SAMPLE(caller, ...) .call = caller, .recipes = {__VA_ARGS__}, .part_of = -1
#define SAMPLE_OF(ID) .call = NULL, .recipes = {{NULL, NULL}}, .part_of = WEFT_OP_##ID

#define PART(ID, how)                                                                                                  \
    {                                                                                                                  \
        .op = WEFT_OP_##ID, .dtype = WEFT__##how                                                                       \
    }
#define PARTS(kind, ...)                                                                                               \
    .takes = WEFT__##kind, .n_parts = (int)(sizeof((const weft__made_of[]){__VA_ARGS__}) / sizeof(weft__made_of)),     \
    .parts = {__VA_ARGS__}
#define NO_PARTS(kind) .takes = WEFT__##kind, .n_parts = 0

/* What calls the public function, in the file of its record. */
#define CALL(name) static void call_##name(weft_sample_call *c)
/* The whole numbers from number `first` on as a list of dims; none: WEFT_ALL. */
#define DIMS_OF(c, first) (c)->ni > (first) ? (c)->i + (first) : NULL, (c)->ni > (first) ? (c)->ni - (first) : -1

/* A row with a kernel. DERIVATIVE has commas of its own, so that it counts as one part only in parentheses that its
 * macro takes away: hence the parts are passed on as they are. */
#define WEFT__DEFINE(ID, NAME, operands, attributes, infers, results, effects, derivative, work, sample)               \
    WEFT__DEFINE_(ID, NAME, operands, attributes, infers, results, effects, derivative, work, sample)
#define WEFT__DEFINE_(ID, NAME, ...)                                                                                   \
    extern const weft__op_def weft__def_##NAME;                                                                        \
    const weft__op_def weft__def_##NAME = {.op = WEFT_OP_##ID, __VA_ARGS__};

/* A view: no kernel; its derivative is a view, too, and reads nothing. words NULL, for detach: it has no gradient. */
#define WEFT__DEFINE_VIEW(ID, NAME, attributes, infers, rule, words, sample)                                           \
    WEFT__DEFINE_(ID, NAME, OPERANDS(ANY_DTYPE | STRIDED), attributes, INFER(infers, AS_GIVEN), RESULTS(1, EXACT),     \
                  EFFECT(PURE), DERIVATIVE(rule, ROUNDS_ONCE, READS(NOTHING), NO_KERNEL, words),                       \
                  WORK(weft__terms_one, weft__flops_none, weft__bytes_none), sample)

/* A composite: no kernel and no node of its own, only what it is made of, what is called, and how much that is at
 * least. */
#define WEFT__DEFINE_COMPOSITE(ID, NAME, parts, words, work, sample)                                                   \
    WEFT__DEFINE_COMPOSITE_(ID, NAME, parts, words, work, sample)
#define WEFT__DEFINE_COMPOSITE_(ID, NAME, ...)                                                                         \
    WEFT__DEFINE_(ID, NAME, NO_OPERANDS, NO_ATTRS, NO_INFER, NO_RESULTS, EFFECT(PURE), .vjp = NULL,                    \
                  .rounds_once = true, .fused = -1, READS(NOTHING), __VA_ARGS__)

/* The begin of a composite's front end: ctx, entered, with operands that are the context's; or it returns NULL. */
#define ENTER_COMPOSITE(OP, tensors, n)                                                                                \
    weft_ctx *ctx = weft__enter(WEFT_OP_##OP, tensors, n, 0);                                                          \
    if (!ctx)                                                                                                          \
        return NULL;                                                                                                   \
    if (!weft__localise(ctx, tensors, n))                                                                              \
    return weft__leave_with(ctx, NULL)

#endif
