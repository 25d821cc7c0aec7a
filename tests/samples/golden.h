/* golden.h - the records of tests/ops in memory, and those of tests/parity. Formats and meaning:
 * tests/ops/gold_format.py, tests/parity/make_parity.py. */
#ifndef WEFT_SAMPLES_GOLDEN_H
#define WEFT_SAMPLES_GOLDEN_H

#include <stdbool.h>
#include <stdint.h>
#include <weft/weft.h>

#define GOLD_MAX_IN 24
#define GOLD_MAX_OUT 12

enum {
    GOLD_F32 = 1,      /* inputs need f32 */
    GOLD_F64 = 2,      /* inputs need f64 */
    GOLD_SPECIAL = 4,  /* NaN, infinities, extremes */
    GOLD_SIGNZERO = 8, /* the sign of a zero result is checked */
    GOLD_NOGRAD = 16,  /* no derivative here */
    GOLD_INPLACE = 32, /* the operation writes inputs: none may be expanded */
    GOLD_NOBOOL = 64,  /* the operation refuses bool */
    GOLD_DENSE = 128,  /* the operation takes contiguous tensors only */
    GOLD_BYTES = 256   /* the operation takes i8 and u8 alone */
};

typedef enum gold_compare { GOLD_EXACT, GOLD_ULP, GOLD_MAG } gold_compare;

typedef struct gold_tensor {
    char kind;        /* input: v s n x c, or 0 for an absent one; output: F N A D I B T; gradient: F, 0, or a: any */
    weft_dtype dtype; /* kind T */
    int ndim;
    int64_t shape[WEFT_MAX_DIMS];
    int64_t count;
    double *f;   /* [count] floating values, or */
    int64_t *n;  /* [count] integers */
    double *mag; /* [count] scales of an output's errors, or NULL */
} gold_tensor;

typedef struct gold_record gold_record;
struct gold_record {
    const char *op, *name;
    unsigned flags;
    gold_compare compare;
    int64_t k; /* length of the reduction */
    int64_t *i;
    double *f;
    int ni, nf, n_in, n_out;
    bool integer; /* data inputs are integers (kind n) */
    gold_tensor *in, *out;
    int nth, n_grad, n_second; /* of tests/parity: the how manieth of its name */
    gold_tensor *grad, *second;
    gold_record *next; /* in the order of the files */
};

/* Reads every file once. Returns the records of an operation one after another: pass NULL first, then the last one.
 * NULL at the end, or when the files could not be read: see gold_error. */
const gold_record *gold_next(const char *op, const gold_record *last);

/* The same of what PyTorch gives for some of them: results, gradients and second gradients, without operands. */
const gold_record *parity_next(const char *op, const gold_record *last);

/* The golden record that one of those is for; NULL: there is none. */
const gold_record *gold_of_parity(const gold_record *parity);

/* NULL, or why the files (of either kind, as far as they were asked for) could not be read. */
const char *gold_error(void);

/* The directory of the sources (WEFT_SOURCE_DIR, or found from __FILE__), without a slash at the end. */
const char *gold_source_dir(void);

#endif
