/* cases.h - one adapter for each public row of ops.def: calls the operation as a C user does, from a golden record.
 *
 * An adapter is named weft__case_NAME; the table below refers to every one, so that a missing one does not link.
 * Attributes come in the order that the golden script writes them, which each adapter's comment gives. */
#ifndef WEFT_SAMPLES_CASES_H
#define WEFT_SAMPLES_CASES_H

#include "golden.h"

typedef struct weft_case {
    weft_ctx *ctx;
    weft_tensor *in[GOLD_MAX_IN]; /* NULL where the record has no input */
    int n_in;
    const int64_t *i;
    const double *f;
    int ni, nf;
    weft_tensor *out[GOLD_MAX_OUT]; /* filled by the adapter */
    int n_out;
    int n_smooth; /* the first n_smooth outputs are results to differentiate (the others are changed state) */
} weft_case;

typedef void (*weft_case_fn)(weft_case *c);

/* Points where an elementwise derivative jumps. */
typedef enum case_kink { KINK_NONE, KINK_POINT, KINK_STEP, KINK_EQUAL, KINK_MULTIPLE, KINK_PARAM } case_kink;

typedef enum case_family {
    CASE_UNARY,
    CASE_UNARY_P,
    CASE_PREDICATE,
    CASE_BINARY,
    CASE_COMPARE,
    CASE_TERNARY,
    CASE_REDUCE,
    CASE_VIEW,
    CASE_COMPOSITE,
    CASE_CUSTOM
} case_family;

typedef struct case_row {
    const char *name;
    weft_case_fn fn;
    case_family family;
    bool differentiable;
    double lo, hi; /* elementwise: where the derivative is tested */
    case_kink kink;
    double kink_at;
} case_row;

/* All public rows, in the order of the table. */
extern const case_row case_rows[];
extern const int case_row_count;

const case_row *case_row_named(const char *name); /* NULL: no such row */

/* Fills c from a record: attributes, no tensors yet. */
void case_begin(weft_case *c, weft_ctx *ctx, const gold_record *record);

/* Runs the adapter and returns whether every output is there. */
bool case_run(const case_row *row, weft_case *c);

#endif
