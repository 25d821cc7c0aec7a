/* cases.h - the public rows of ops.def, and their calls by golden records: the calls of the rows' own records
 * (weft/sample.h), which take their numbers in the order that the golden scripts write them. */
#ifndef WEFT_SAMPLES_CASES_H
#define WEFT_SAMPLES_CASES_H

#include <weft/sample.h>
#include "golden.h"

typedef weft_sample_call weft_case;

/* Points where an elementwise derivative jumps. */
typedef enum case_kink { KINK_NONE, KINK_POINT, KINK_STEP, KINK_EQUAL, KINK_MULTIPLE, KINK_PARAM, KINK_BOTH } case_kink;

typedef enum case_family {
    CASE_UNARY,
    CASE_UNARY_P,
    CASE_PREDICATE,
    CASE_BINARY,
    CASE_COMPARE,
    CASE_INTEGER,
    CASE_TERNARY,
    CASE_REDUCE,
    CASE_VIEW,
    CASE_COMPOSITE,
    CASE_CUSTOM
} case_family;

typedef struct case_row {
    const char *name;
    int op;
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

/* Runs the call and returns whether every output is there. */
bool case_run(const case_row *row, weft_case *c);

#endif
