/* judge.h - whether two results of one launch agree, by the table "Numbers that must agree" (docs/design.md). */
#ifndef WEFT_COMPARE_JUDGE_H
#define WEFT_COMPARE_JUDGE_H

#include "base/op_def.h"
#include "frozen.h"

/* How a result may differ, by the record of its operation. */
weft__agreement weft__agreement_of(const weft__frozen *f, int result);

/* Terms that are added for one element of that result. */
int64_t weft__terms_of(const weft__frozen *f, int result);

/* One element of many may be off by this many times what sums are typically off by. */
enum { WEFT__FEW = 4 };

typedef struct weft__bounds {
    double relative;  /* of an element: |got - want| <= relative |want| + absolute (+ summed magnitude) */
    double absolute;  /* as a share of the largest |want|, at most of 1 where elementwise */
    double magnitude; /* share of the sum of |a b|, an element's */
    double norm;      /* of the whole: |got - want| <= norm |want|, Euclidean; for sums see judge.c */
} weft__bounds;

weft__bounds weft__bounds_of(weft__agreement how, weft_dtype dtype, int64_t terms);

typedef struct weft__verdict {
    bool agrees;
    int result; /* which output, from 0 */
    int64_t count, ties;
    int64_t element; /* the first bad element, or the worst; -1: none */
    double want, got;
    double error, bound;  /* what was beyond its bound: see what */
    const char *what;     /* "element", "relative L2 error", "NaN", "infinity", "index" */
    double relative_l2;   /* of all that is finite */
    double bias;          /* mean of got - want */
    int64_t bad_elements; /* beyond the elements' bound */
} weft__verdict;

/* Judges got, the outputs of a rerun, against f's own. arbiter: a context on the CPU for reruns in f64, asked only
 * where the quick bounds do not hold. False: out of memory or an error of arbiter; else *v is the first output that
 * disagrees, or the last. */
bool weft__judge(const weft__frozen *f, const weft__held *got, weft_ctx *arbiter, weft__verdict *v);

#endif
