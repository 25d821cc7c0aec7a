/* cases.c - see cases.h. */
#include "cases.h"

#include <string.h>
#include "base/op_table.h"

#define KINK_OF_NONE KINK_NONE, 0
#define KINK_OF_STEP KINK_STEP, 0
#define KINK_OF_EQUAL KINK_EQUAL, 0
#define KINK_OF_MULTIPLE KINK_MULTIPLE, 0
#define KINK_OF_PARAM KINK_PARAM, 0
#define KINK_OF_0 KINK_POINT, 0
#define KINK_OF_BOTH(c) KINK_BOTH, c
#define YES true
#define NO(why) false

#define ROW(ID, name, family, differentiable, lo, hi, ...)                                                             \
    {#name, WEFT_OP_##ID, CASE_##family, differentiable, lo, hi, __VA_ARGS__},
#define PLAIN(ID, name, family, differentiable) ROW(ID, name, family, differentiable, -4, 4, KINK_OF_NONE)

const case_row case_rows[] = {
#define WEFT_UNARY(ID, name, cls, saves, f, dx, lo, hi, kink, doc) ROW(ID, name, UNARY, true, lo, hi, KINK_OF_##kink)
#define WEFT_UNARY_P(ID, name, cls, saves, params, args, f, dx, lo, hi, kink, doc)                                     \
    ROW(ID, name, UNARY_P, true, lo, hi, KINK_OF_##kink)
#define WEFT_PREDICATE(ID, name, f, doc) PLAIN(ID, name, PREDICATE, false)
#define WEFT_BINARY(ID, name, cls, saves, f, da, db, lo, hi, kink, doc)                                                \
    ROW(ID, name, BINARY, true, lo, hi, KINK_OF_##kink)
#define WEFT_COMPARE(ID, name, f, doc) PLAIN(ID, name, COMPARE, false)
#define WEFT_INTEGER(ID, name, joins, f, doc) PLAIN(ID, name, INTEGER, false)
#define WEFT_TERNARY(ID, name, f, da, db, doc) PLAIN(ID, name, TERNARY, true)
#define WEFT_REDUCE(ID, name, cls, result, saves, agrees, grad, words, doc) PLAIN(ID, name, REDUCE, grad)
#define WEFT_VIEW(ID, name, params, doc) PLAIN(ID, name, VIEW, true)
#define WEFT_COMPOSITE(ID, name, result, params, grad, doc) PLAIN(ID, name, COMPOSITE, grad)
#define WEFT_CUSTOM(ID, name, result, params, grad, doc) PLAIN(ID, name, CUSTOM, grad)
#include "ops/ops.def"
};
const int case_row_count = sizeof case_rows / sizeof case_rows[0];

const case_row *case_row_named(const char *name)
{
    for (int k = 0; k < case_row_count; k++)
        if (strcmp(case_rows[k].name, name) == 0)
            return &case_rows[k];
    return NULL;
}

/* ---- Running ---- */

void case_begin(weft_case *c, weft_ctx *ctx, const gold_record *record)
{
    memset(c, 0, sizeof *c);
    c->ctx = ctx;
    c->n_in = record->n_in;
    for (c->ni = 0; c->ni < record->ni && c->ni < WEFT_SAMPLE_INTEGERS; c->ni++)
        c->i[c->ni] = record->i[c->ni];
    for (c->nf = 0; c->nf < record->nf && c->nf < WEFT_SAMPLE_REALS; c->nf++)
        c->f[c->nf] = record->f[c->nf];
}

bool case_run(const case_row *row, weft_case *c)
{
    c->op = row->op;
    return weft_sample_run(c) == WEFT_OK;
}
