/* sample.h - operands for every operation, and its call: for programs that check, compare or measure all of them and
 * know none by its name. Each operation's record (src/ops) has one or more recipes; weft gradcheck and weft bench,
 * weft_compare_ops and the tests of the table all use these.
 *
 *     for (int op = 0; op < weft_op_count(); op++) {
 *         weft_sample_call call;
 *         weft_sample_options how = WEFT_SAMPLE_DEFAULTS;
 *         how.dtype = WEFT_F64;
 *         if (weft_sample_make(ctx, op, &how, &call) == WEFT_OK && weft_sample_run(&call) == WEFT_OK)
 *             ...                                           // call.out[0]
 *     }
 *
 * A recipe's operands are words: a kind, then the size of each dim. "xac xbc xb" (linear) are three operands of reals,
 * [a, c], [b, c] and [b]. Sizes are the letters a to h and digits; recipes of records have a to d. Kinds:
 *
 *   x  reals of the row's test domain, else of [-2, 2), to be differentiated     t  the same, transposed in memory
 *   p  reals of [0.2, 1.2), to be differentiated                                 n  the same of [0.8, 1.25)
 *   g  reals of [0.1, 0.9), to be differentiated: probabilities
 *   m  square matrices: reals of [-1, 1), their size added on the diagonal, to be differentiated
 *   r  as x, not to be differentiated                                            q  as p, not to be differentiated
 *   o  as q; ones where values are random: what works in place may run many times over
 *   i  indices below the size after '<': "iab<b"                                 k  classes, as i; the second is -100
 *   w  whole numbers of [0, 9), i64 where reals are floating; else of their dtype
 *   b  8-bit integers of [-9, 9), or [0, 9): u8 where reals are, else i8
 *   c  truth values                                     -  an operand that is left out
 *
 * Its numbers are words, too: whole ones such as "3", "-1", "a", "2c", "a-1", and "t", a dtype to convert to; then,
 * after ';', real ones.
 *
 * Part of the public API; not included by weft.h. */
#ifndef WEFT_SAMPLE_H
#define WEFT_SAMPLE_H

#include <weft/weft.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEFT_SAMPLE_OPERANDS 24
#define WEFT_SAMPLE_RESULTS 12
#define WEFT_SAMPLE_INTEGERS 48
#define WEFT_SAMPLE_REALS 8

/* One call of an operation: whatever it takes, in fixed places, and what it gave. May be filled by hand; may be copied.
 * Operations take their tensors in the order of their parameters; batch_norm has five. Those of optimiser steps are all
 * parameters, then their gradients for the first step, the second, ...; state is made with zeros in the call. Complete:
 * it never grows. */
typedef struct weft_sample_call {
    weft_ctx *ctx;
    int op;                                /* index in the order of weft_op_describe */
    weft_dtype dtype;                      /* that reals are in */
    weft_tensor *in[WEFT_SAMPLE_OPERANDS]; /* NULL: left out */
    bool smooth[WEFT_SAMPLE_OPERANDS];     /* a derivative by it makes sense */
    int64_t below[WEFT_SAMPLE_OPERANDS];   /* of indices and classes: the size that they are below; 0: other operands */
    int n_in;
    int64_t i[WEFT_SAMPLE_INTEGERS]; /* whole and truth values among the parameters, in an order of the operation's */
    double f[WEFT_SAMPLE_REALS];     /* real ones */
    int ni, nf;
    weft_tensor *out[WEFT_SAMPLE_RESULTS]; /* set by weft_sample_run; in place: the operands that were changed */
    int n_out;
    int n_smooth; /* the first n_smooth results are what is differentiated; the others are changed state */
} weft_sample_call;

/* What the recipes of an operation are like. Strings are static. */
typedef struct weft_sample_description {
    int recipes;             /* at least 1 */
    const char *operands[4]; /* of each recipe, in words */
    const char *numbers[4];  /* whole ones, then real ones after ';' */
    int sizes;               /* how many sizes the first recipe has: 2 to 4 */
    bool has_gradient;       /* it is differentiable by an operand of the first recipe */
    bool makes_state;        /* a call makes state, too (optimiser steps): its time is not the operation alone */
    const char *gradient;    /* the derivative in words; elementwise: the row's formula; NULL: there is none */
} weft_sample_description;

/* Fills *out for operation op; size is sizeof *out. WEFT_E_INVALID for another index, or a size that the struct never
 * had. */
WEFT_API weft_status weft_sample_describe(int op, weft_sample_description *out, size_t size);

typedef struct weft_sample_options {
    size_t struct_size; /* set by WEFT_SAMPLE_DEFAULTS */
    int recipe;         /* from 0 */
    weft_dtype dtype;   /* that reals are in; default f32 */
    int64_t sizes[4];   /* of a, b, c, d, as many as the recipe has; c -1: as b; default 3, 4, -1, 5 */
    /* Values are made on the device, at random, for many elements. Else on the host, evenly spread in an order that
     * looks random, the same at each call, and no two operands alike. */
    bool random;
    /* Not NULL and not random: is given the count values that operand k is made of, and may change them. */
    void (*change)(void *user, int k, weft_dtype dtype, double *values, int64_t count);
    void *user;
    const char *operands;  /* words in the place of the recipe's, as large and many as a measurement needs them; */
    const char *numbers;   /* likewise; default NULL: the recipe's */
    int64_t more_sizes[4]; /* of e, f, g, h; default 0 */
} weft_sample_options;
#define WEFT_SAMPLE_DEFAULTS                                                                                           \
    {                                                                                                                  \
        sizeof(weft_sample_options), 0, WEFT_F32, {3, 4, -1, 5}, false, NULL, NULL, NULL, NULL,                        \
        {                                                                                                              \
            0, 0, 0, 0                                                                                                 \
        }                                                                                                              \
    }

/* Fills *call with operands (options NULL: the defaults), which belong to the innermost scope, and numbers by a recipe
 * of operation op. An error of the context for a recipe or sizes that there are not, and for words that are none; *call
 * then has no operands. */
WEFT_API weft_status weft_sample_make(weft_ctx *ctx, int op, const weft_sample_options *options,
                                      weft_sample_call *call);

/* Calls the public function of call->op, which fills out. Any status but WEFT_OK: a result is NULL, for an error of the
 * context or a NULL operand that may not be left out. */
WEFT_API weft_status weft_sample_run(weft_sample_call *call);

/* The results that are differentiated as one tensor: the one, or all, flat and one after the other. NULL after an error
 * of the context. */
WEFT_API weft_tensor *weft_sample_result(const weft_sample_call *call);

/* Runs the operation once and says how much that is, by the functions of its record: floating-point operations (a
 * multiply-add is two) and bytes that must be read and written at least. 0 for views. Status as of weft_sample_run. */
WEFT_API weft_status weft_sample_work(weft_sample_call *call, double *flops, double *bytes);

#ifdef __cplusplus
}
#endif
#endif
