/* rows.c - one operation of the table, by the call of its record (weft/sample.h): on operands as a golden record has
 * them, with sizes, dtypes, layouts and attributes changed, or on whatever the pool holds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fuzz.h"

enum { MOST_ROWS = 512, MOST_RECORDS = 64, ATTRIBUTES = WEFT_SAMPLE_INTEGERS };

static const gold_record *records[MOST_ROWS][MOST_RECORDS];
static int n_records[MOST_ROWS];

void fuzz_rows_begin(void)
{
    for (int row = 0; row < case_row_count && row < MOST_ROWS; row++) {
        const gold_record *r = NULL;
        while ((r = gold_next(case_rows[row].name, r)) && n_records[row] < MOST_RECORDS)
            records[row][n_records[row]++] = r;
        if (n_records[row] == 0) {
            fprintf(stderr, "no golden record of %s: %s\n", case_rows[row].name, gold_error() ? gold_error() : "");
            exit(2);
        }
    }
}

void fuzz_rows_report(const fuzz *f)
{
    for (int row = 0; row < case_row_count; row++)
        if (f->ran[row] == 0)
            printf("never gave a result: %s\n", case_rows[row].name);
}

/* Sizes of a record, and what they become: equal ones stay equal, so that operands still fit. */
typedef struct sizes {
    int64_t from[16], to[16];
    int n;
} sizes;

static int64_t changed(fuzz *f, sizes *s, int64_t size)
{
    static const int64_t others[] = {0, 1, 2, 3, 4, 5, 9, 17};
    for (int k = 0; k < s->n; k++)
        if (s->from[k] == size)
            return s->to[k];
    int64_t to = fuzz_chance(f, 5) ? others[fuzz_below(f, 8)] : size;
    if (s->n < 16) {
        s->from[s->n] = size;
        s->to[s->n++] = to;
    }
    return to;
}

/* Of this shape and dtype from the pool, so that graphs grow, or made anew. */
static weft_tensor *of_shape(fuzz *f, weft_dtype dtype, const int64_t *shape, int ndim)
{
    for (int k = 0; k < f->n_pool; k++) {
        weft_tensor *t = f->pool[k].t;
        if (weft_dtype_of(t) == dtype && weft_ndim(t) == ndim && fuzz_chance(f, 2) &&
            (ndim == 0 || memcmp(weft_shape(t), shape, sizeof *shape * (size_t)ndim) == 0))
            return t;
    }
    return fuzz_make(f, dtype, shape, ndim);
}

static weft_tensor *like_record(fuzz *f, const gold_tensor *g, weft_dtype dtype, sizes *s)
{
    int64_t shape[WEFT_MAX_DIMS];
    for (int d = 0; d < g->ndim; d++)
        shape[d] = changed(f, s, g->shape[d]);
    if (!f->harmless && fuzz_chance(f, 40) && g->ndim > 0)
        shape[fuzz_below(f, g->ndim)] = fuzz_below(f, 4);
    if (g->kind == 'x') {
        weft_dtype index = fuzz_chance(f, 3) ? WEFT_I32 : WEFT_I64;
        return fuzz_take(f, weft_randint(f->ctx, index, shape, g->ndim, 0, fuzz_chance(f, 4) ? 9 : 2));
    }
    return of_shape(f, g->kind == 'c' ? WEFT_BOOL : dtype, shape, g->ndim);
}

static int copy_attributes(fuzz *f, const gold_record *r, int64_t *i, double *x)
{
    for (int k = 0; k < ATTRIBUTES; k++) {
        i[k] = k < r->ni ? r->i[k] : fuzz_int(f);
        if (!f->harmless && k < r->ni && fuzz_chance(f, 30))
            i[k] = fuzz_int(f);
    }
    for (int k = 0; k < WEFT_SAMPLE_REALS; k++) {
        x[k] = k < r->nf ? r->f[k] : fuzz_real(f);
        if (!f->harmless && k < r->nf && fuzz_chance(f, 30))
            x[k] = fuzz_real(f);
    }
    return r->ni;
}

/* Calls of optimiser steps run lists whose length stands in the attributes; those stay as they are. */
static bool is_step(const case_row *row)
{
    weft_sample_description how;
    return weft_sample_describe(row->op, &how, sizeof how) == WEFT_OK && how.makes_state;
}

static weft_dtype dtype_for(fuzz *f, const gold_record *r)
{
    return fuzz_dtype(f, !r->integer || fuzz_chance(f, 2));
}

weft_tensor *fuzz_row_named(fuzz *f, const case_row *row, weft_tensor *const *given, int n)
{
    int at = (int)(row - case_rows);
    const gold_record *r = records[at][fuzz_below(f, n_records[at])];
    weft_case c;
    sizes s = {.n = 0};
    case_begin(&c, f->ctx, r);
    bool by_record = is_step(row) || !fuzz_chance(f, 3);
    int ni = copy_attributes(f, r, c.i, c.f);
    if (is_step(row)) {
        memcpy(c.i, r->i, sizeof *r->i * (size_t)r->ni);
    } else if (!by_record) {
        ni = row->family == CASE_REDUCE || row->family == CASE_VIEW ? 1 + fuzz_below(f, 5) : ni;
        for (int k = 0; k < ni; k++)
            c.i[k] = fuzz_int(f);
    }
    c.ni = ni;
    weft_dtype dtype = dtype_for(f, r);
    for (int k = 0; k < r->n_in; k++) {
        if (k < n)
            c.in[k] = given[k];
        else if (r->in[k].kind == 0 && !fuzz_chance(f, 20))
            c.in[k] = NULL;
        else if (by_record && (f->harmless || !fuzz_chance(f, 40)))
            c.in[k] = like_record(f, &r->in[k], dtype, &s);
        else
            c.in[k] = fuzz_operand(f);
    }
    bool well = f->ctx && weft_ctx_status(f->ctx) == WEFT_OK, null = false;
    for (int k = 0; k < r->n_in; k++)
        null |= !c.in[k] && r->in[k].kind;
    f->at = row->name;
    bool ran = case_run(row, &c);
    if (!c.out[0] && c.n_out > 0 && well && !null && weft_ctx_status(f->ctx) == WEFT_OK && r->n_in > 0 &&
        weft_ctx_of(c.in[0]) == f->ctx)
        fuzz_broken(f, "%s gave NULL without an error", row->name);
    if (!ran)
        return NULL;
    f->ran[at]++;
    for (int k = 0; k < c.n_out; k++)
        fuzz_take(f, c.out[k]);
    weft_tensor *y = c.out[fuzz_below(f, c.n_out)];
    return weft_count(y) > FUZZ_MOST_ELEMENTS ? NULL : y; /* nobody has the time to add up a vast view */
}

weft_tensor *fuzz_row(fuzz *f)
{
    return fuzz_row_named(f, &case_rows[fuzz_below(f, case_row_count)], NULL, 0);
}
