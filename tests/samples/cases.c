/* cases.c - the table of adapters, and the adapters of the families that ops.def describes completely. */
#include "cases.h"

#include <string.h>

/* ---- Adapters ---- */

/* dims... from i[from] on */
static int dims_of(const weft_case *c, int from, int64_t *dims)
{
    int n = 0;
    for (int k = from; k < c->ni; k++)
        dims[n++] = c->i[k];
    return n;
}

/* How many parameters a parenthesised list has: one or two. */
#define ARITY_PICK(one, two, n, ...) n
#define ARITY(...) ARITY_PICK(__VA_ARGS__, 2, 1, 0)
#define GLUE2(a, b) a##b
#define GLUE(a, b) GLUE2(a, b)
#define WITH_1(f) (f)[0]
#define WITH_2(f) (f)[0], (f)[1]

#define WEFT_UNARY(ID, name, ...)                                                                                      \
    void weft__case_##name(weft_case *c);                                                                              \
    void weft__case_##name(weft_case *c)                                                                               \
    {                                                                                                                  \
        c->out[0] = weft_##name(c->in[0]);                                                                             \
    }
#define WEFT_PREDICATE WEFT_UNARY
/* f: p, q */
#define WEFT_UNARY_P(ID, name, cls, saves, params, ...)                                                                \
    void weft__case_##name(weft_case *c);                                                                              \
    void weft__case_##name(weft_case *c)                                                                               \
    {                                                                                                                  \
        c->out[0] = weft_##name(c->in[0], GLUE(WITH_, ARITY params)(c->f));                                            \
    }
#define WEFT_BINARY(ID, name, ...)                                                                                     \
    void weft__case_##name(weft_case *c);                                                                              \
    void weft__case_##name(weft_case *c)                                                                               \
    {                                                                                                                  \
        c->out[0] = weft_##name(c->in[0], c->in[1]);                                                                   \
    }
#define WEFT_COMPARE WEFT_BINARY
#define WEFT_TERNARY(ID, name, ...)                                                                                    \
    void weft__case_##name(weft_case *c);                                                                              \
    void weft__case_##name(weft_case *c)                                                                               \
    {                                                                                                                  \
        c->out[0] = weft_##name(c->in[0], c->in[1], c->in[2]);                                                         \
    }
/* i: keepdim, dims... */
#define WEFT_REDUCE(ID, name, ...)                                                                                     \
    void weft__case_##name(weft_case *c);                                                                              \
    void weft__case_##name(weft_case *c)                                                                               \
    {                                                                                                                  \
        int64_t dims[WEFT_MAX_DIMS];                                                                                   \
        int n = dims_of(c, 1, dims);                                                                                   \
        c->out[0] = weft_##name(c->in[0], n ? dims : NULL, n, c->i[0] != 0);                                           \
    }
#define WEFT_VIEW(ID, name, ...) void weft__case_##name(weft_case *c);
#define WEFT_COMPOSITE(ID, name, ...) void weft__case_##name(weft_case *c);
#define WEFT_CUSTOM(ID, name, ...) void weft__case_##name(weft_case *c);
#include "core/ops.def"

/* ---- The table ---- */

#define KINK_OF_NONE KINK_NONE, 0
#define KINK_OF_STEP KINK_STEP, 0
#define KINK_OF_EQUAL KINK_EQUAL, 0
#define KINK_OF_MULTIPLE KINK_MULTIPLE, 0
#define KINK_OF_PARAM KINK_PARAM, 0
#define KINK_OF_0 KINK_POINT, 0
#define YES true
#define NO(why) false

#define ROW(name, family, differentiable, lo, hi, ...)                                                                 \
    {#name, weft__case_##name, family, differentiable, lo, hi, __VA_ARGS__},
#define PLAIN(name, family, differentiable) ROW(name, family, differentiable, -4, 4, KINK_OF_NONE)

const case_row case_rows[] = {
#define WEFT_UNARY(ID, name, cls, saves, f, dx, lo, hi, kink, doc) ROW(name, CASE_UNARY, true, lo, hi, KINK_OF_##kink)
#define WEFT_UNARY_P(ID, name, cls, saves, params, args, f, dx, lo, hi, kink, doc)                                     \
    ROW(name, CASE_UNARY_P, true, lo, hi, KINK_OF_##kink)
#define WEFT_PREDICATE(ID, name, f, doc) PLAIN(name, CASE_PREDICATE, false)
#define WEFT_BINARY(ID, name, cls, saves, f, da, db, lo, hi, kink, doc)                                                \
    ROW(name, CASE_BINARY, true, lo, hi, KINK_OF_##kink)
#define WEFT_COMPARE(ID, name, f, doc) PLAIN(name, CASE_COMPARE, false)
#define WEFT_TERNARY(ID, name, f, da, db, doc) PLAIN(name, CASE_TERNARY, true)
#define WEFT_REDUCE(ID, name, cls, result, saves, agrees, grad, doc) PLAIN(name, CASE_REDUCE, grad)
#define WEFT_VIEW(ID, name, params, doc) PLAIN(name, CASE_VIEW, true)
#define WEFT_COMPOSITE(ID, name, result, params, doc) PLAIN(name, CASE_COMPOSITE, true)
#define WEFT_CUSTOM(ID, name, result, params, grad, doc) PLAIN(name, CASE_CUSTOM, grad)
#include "core/ops.def"
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
    c->i = record->i;
    c->f = record->f;
    c->ni = record->ni;
    c->nf = record->nf;
}

bool case_run(const case_row *row, weft_case *c)
{
    c->n_out = c->n_smooth = 1;
    memset(c->out, 0, sizeof c->out);
    row->fn(c);
    for (int k = 0; k < c->n_out; k++)
        if (!c->out[k])
            return false;
    return true;
}
