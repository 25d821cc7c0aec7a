/* reference.c - the table as data for programs: what reference.h declares. */
#include <math.h>
#include <string.h>
#include <weft/extend.h>
#include <weft/ops.h>
#include <weft/reference.h>
#include "base/op_table.h"
#include "row_words.h"

/* How many names a parenthesised parameter list has: one or two; and the member of call for that. */
#define ARITY_PICK(one, two, n, ...) n
#define ARITY(...) ARITY_PICK(__VA_ARGS__, 2, 1, 0)
#define MEMBER2(n) unary_##n
#define MEMBER(n) MEMBER2(n)

#define ROW(nm, fam, text, res, ps, d)                                                                                 \
    .name = #nm, .family = WEFT_OP_FAMILY_##fam, .family_name = text, .result = res, .parameters = ps, .doc = d
#define DOMAIN(l, h, k) .lo = l, .hi = h, .kink = (double)(k)
#define FLAG_NUM false
#define FLAG_FLT true
#define TENSOR "weft_tensor *"

static const weft_op_description rows[] = {
#define WEFT_UNARY(ID, nm, c, s, f, dx, l, h, k, d)                                                                    \
    {ROW(nm, UNARY, "unary", TENSOR, "(weft_tensor *x)", d),                                                           \
     DOMAIN(l, h, k),                                                                                                  \
     .floating_only = FLAG_##c,                                                                                        \
     .formula = #f,                                                                                                    \
     .gradient = #dx,                                                                                                  \
     .call.unary = weft_##nm},
/* The tensor goes in front of the numbers; the text between is pasted by the compiler. */
#define WEFT_UNARY_P(ID, nm, c, s, ps, as, f, dx, l, h, k, d)                                                          \
    {ROW(nm, UNARY_P, "unary_p", TENSOR, "(weft_tensor *x, " UNWRAP ps ")", d),                                        \
     DOMAIN(l, h, k),                                                                                                  \
     .floating_only = FLAG_##c,                                                                                        \
     .formula = #f,                                                                                                    \
     .gradient = #dx,                                                                                                  \
     .call.MEMBER(ARITY ps) = weft_##nm,                                                                               \
     .numbers = ARITY ps},
#define UNWRAP(...) #__VA_ARGS__
#define WEFT_PREDICATE(ID, nm, f, d)                                                                                   \
    {ROW(nm, PREDICATE, "predicate", TENSOR, "(weft_tensor *x)", d), ANYWHERE, .formula = #f, .no_gradient = NO_TRUTH, \
     .call.unary = weft_##nm},
#define WEFT_BINARY(ID, nm, c, s, f, da, db, l, h, k, d)                                                               \
    {ROW(nm, BINARY, "binary", TENSOR, "(weft_tensor *a, weft_tensor *b)", d),                                         \
     DOMAIN(l, h, k),                                                                                                  \
     .floating_only = FLAG_##c,                                                                                        \
     .formula = #f,                                                                                                    \
     .gradient = #da,                                                                                                  \
     .gradient_b = #db,                                                                                                \
     .call.binary = weft_##nm},
#define WEFT_COMPARE(ID, nm, f, d)                                                                                     \
    {ROW(nm, COMPARE, "compare", TENSOR, "(weft_tensor *a, weft_tensor *b)", d), ANYWHERE, .formula = #f,              \
     .no_gradient = NO_TRUTH, .call.binary = weft_##nm},
#define WEFT_INTEGER(ID, nm, j, f, d)                                                                                  \
    {ROW(nm, INTEGER, "integer", TENSOR, "(weft_tensor *a, weft_tensor *b)", d), ANYWHERE, .formula = #f,              \
     .no_gradient = NO_WHOLE, .call.binary = weft_##nm},
#define WEFT_TERNARY(ID, nm, f, da, db, d)                                                                             \
    {ROW(nm, TERNARY, "ternary", TENSOR, "(weft_tensor *c, weft_tensor *a, weft_tensor *b)", d),                       \
     ANYWHERE,                                                                                                         \
     .formula = #f,                                                                                                    \
     .gradient = #da,                                                                                                  \
     .gradient_b = #db,                                                                                                \
     .call.ternary = weft_##nm},
#define WEFT_REDUCE(ID, nm, c, res, s, a, grad, w, d)                                                                  \
    {ROW(nm, REDUCE, "reduce", TENSOR, "(weft_tensor *x, const int64_t *dims, int ndim, bool keepdim)", d), ANYWHERE,  \
     .floating_only = FLAG_##c, .no_gradient = grad, .call.reduce = weft_##nm},
#define WEFT_VIEW(ID, nm, ps, d) {ROW(nm, VIEW, "view", TENSOR, #ps, d), ANYWHERE},
#define WEFT_COMPOSITE(ID, nm, res, ps, grad, d)                                                                       \
    {ROW(nm, COMPOSITE, "composite", #res, #ps, d), ANYWHERE, .no_gradient = grad},
#define WEFT_CUSTOM(ID, nm, res, ps, grad, d) {ROW(nm, CUSTOM, "custom", #res, #ps, d), ANYWHERE, .no_gradient = grad},
#define WEFT_KERNEL(ID, nm, d)
#include "ops/ops.def"
};
#define N_ROWS ((int)(sizeof rows / sizeof rows[0]))

/* Of each of these rows. */
static const int ids[] = {
#define WEFT_OP(ID, name, family, doc) WEFT_OP_##ID,
#define WEFT_KERNEL(ID, name, doc)
#include "ops/ops.def"
};

static const struct {
    const char *pytorch, *numpy, *onnx;
} elsewhere[WEFT_OP_COUNT] = {
#define EQUIVALENT(ID, pytorch, numpy, onnx) [WEFT_OP_##ID] = {pytorch, numpy, onnx},
#include "ops/equivalents.def"
};

static const double most_ulps[WEFT_OP_COUNT] = {
#define WITHIN(ID, fused, plain) [WEFT_OP_##ID] = (fused) > (plain) ? (fused) : (plain),
#include "ops/equivalents.def"
};

/* A row without a line fails a test, and no program. */
static const char *said(const char *text)
{
    return text ? text : "- not written down";
}

int weft_op_count(void)
{
    return N_ROWS;
}

weft_status weft_op_describe(int index, weft_op_description *out, size_t size)
{
    if (!out)
        return WEFT_E_NULL_ARGUMENT;
    if (index < 0 || index >= N_ROWS)
        return WEFT_E_INVALID;
    weft_op_description row = rows[index];
    row.differentiable = !row.no_gradient && strcmp(row.name, "detach") != 0;
    if (!row.no_gradient && !row.differentiable)
        row.no_gradient = NO_DETACHED;
    row.pytorch = said(elsewhere[ids[index]].pytorch);
    row.numpy = said(elsewhere[ids[index]].numpy);
    row.onnx = said(elsewhere[ids[index]].onnx);
    row.ulp = most_ulps[ids[index]] > 0 ? most_ulps[ids[index]] : (double)NAN;
    return weft_struct_out(NULL, "op_describe", "weft_op_description", &row, sizeof row, out, size);
}

int weft_op_find(const char *name)
{
    if (!name)
        return -1;
    if (strncmp(name, "weft_", 5) == 0)
        name += 5;
    for (int k = 0; k < N_ROWS; k++)
        if (strcmp(rows[k].name, name) == 0)
            return k;
    return -1;
}
