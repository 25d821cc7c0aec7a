/* compare.h - results against golden values, by the tolerances of the design ("Numbers that must agree"). */
#ifndef WEFT_SAMPLES_COMPARE_H
#define WEFT_SAMPLES_COMPARE_H

#include "golden.h"

/* Compares a result with output `want` of a record that was run at dtype: dtype, shape and every element. On a mismatch
 * writes a sentence to why. */
bool compare_output(weft_ctx *ctx, const gold_record *record, const gold_tensor *want, weft_tensor *got,
                    weft_dtype dtype, char *why, size_t size);

/* The dtype that an output of a record must have when the data's dtype is given. */
weft_dtype output_dtype(const gold_tensor *want, weft_dtype dtype);

/* Distance in units of the last place of f32 at want; 0 when both round to the same f32, INFINITY if one is not
 * finite. */
double f32_ulps(double got, double want);

/* All elements as doubles, from any dtype. NULL after an error. The caller frees it. */
double *read_doubles(weft_ctx *ctx, weft_tensor *t);

/* |got - want|_2 / |want|_2, gathered over several arrays; NaN must meet NaN and infinities their like, else the result
 * is INFINITY. A |want|_2 below `smallest` counts as that much. */
typedef struct l2_error {
    double off, all;
} l2_error;
void l2_add(l2_error *error, const double *got, const double *want, int64_t count);
double l2_relative(const l2_error *error, double smallest);

/* The design's tolerances. */
double reduction_tolerance(weft_dtype dtype, int64_t k);
double gradient_tolerance(weft_dtype dtype);

#endif
