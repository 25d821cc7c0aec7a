/* work.h - what one run of a kernel adds up, computes and moves: functions that records share (base/op_def.h). */
#ifndef WEFT_OPS_WORK_H
#define WEFT_OPS_WORK_H

#include "base/op_def.h"

/* Extent of a's dim, counted from the last one; 1 where there is none. */
int64_t weft__extent(const weft__array *a, int from_last);
/* Whole times that b goes into a, at least 1: how many elements of a make one of b. */
int64_t weft__ratio(int64_t a, int64_t b);
double weft__count(const weft__array *a); /* elements; NULL: 0 */

/* Terms of one element of a result. */
int64_t weft__terms_one(const weft__work *w, int result);
int64_t weft__terms_ratio(const weft__work *w, int result);    /* operand 0's elements for each of the result */
int64_t weft__terms_columns(const weft__work *w, int result);  /* operand 0's last size */
int64_t weft__terms_along(const weft__work *w, int result);    /* operand 0's size along the dim of the attributes */
int64_t weft__terms_channels(const weft__work *w, int result); /* operand 0's elements for each index of dim 1 */

/* One operation for each element of the largest operand or result. */
double weft__flops_each(const weft__work *w);
double weft__flops_none(const weft__work *w);

/* Every operand and result once; what is repeated by stride 0 counts once. */
double weft__bytes_once(const weft__work *w);
double weft__bytes_none(const weft__work *w);

#endif
