/* rows.h - infer of the families whose records come from the row, elementwise operations and reductions, and what
 * several records share. */
#ifndef WEFT_OPS_ROWS_H
#define WEFT_OPS_ROWS_H

#include "base/infer.h"

/* Elementwise (elementwise.c). */
bool weft__infer_truth(weft__infer *q);      /* bool, like operand 0 */
bool weft__infer_pair(weft__infer *q);       /* two operands that broadcast */
bool weft__infer_comparison(weft__infer *q); /* the same, bool */
bool weft__infer_choice(weft__infer *q);     /* a condition and two operands */

/* Reductions (reduce.c). */
bool weft__infer_reduced(weft__infer *q);

#endif
