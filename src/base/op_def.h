/* op_def.h - the record of an operation: all that is known of it besides its kernels, once.
 *
 * Every row of ops.def has one record, a constant named weft__def_NAME, which the table of records refers to, so that a
 * missing one does not link. Elementwise and reduction rows get theirs from the row (ops/rows.c); the others are
 * written in src/ops by the macros of ops/define.h, which have no defaults: what is left out does not compile. */
#ifndef WEFT_BASE_OP_DEF_H
#define WEFT_BASE_OP_DEF_H

#include <stddef.h>
#include <string.h>
#include "base/array.h"
#include "base/attrs.h"
#include "base/op_table.h"

/* ---- Operands ---- */

/* What an operand may hold, and in which dtype kernels get it. */
typedef enum weft__operand_kind {
    WEFT__NO_OPERAND,
    WEFT__ANY_DTYPE, /* data that only moves, or is converted: as it is */
    WEFT__NUMBERS,   /* what is computed with */
    WEFT__FLOATS,    /* the same, floating dtypes only */
    WEFT__POSITIONS, /* indices or classes, i64 or i32, each of which is checked: kernels get i64 */
    WEFT__TRUTHS     /* bool */
} weft__operand_kind;

enum {
    WEFT__KIND_MASK = 7,
    WEFT__OR_NULL = 8,             /* may be missing */
    WEFT__STRIDED = 16,            /* kernels take any strides; all other operands reach them contiguous */
    WEFT__CHANGED = 32,            /* is written in place */
    WEFT__BROADCAST = 64,          /* kernels see it under the shape of result 0 */
    WEFT__BROADCAST_LEADING = 128, /* the same, but for its own last two dims */
    WEFT__AS_BYTES = 256,          /* truth values are compared as bytes: kernels get u8 */
    WEFT__WHOLE = 512,             /* no floating dtype */
    WEFT__SMALL = 1024             /* i8 or u8 alone; WHOLE, too */
};

/* Whether an operand of this kind (and flags) is data rather than positions or truth values. */
static inline bool weft__is_data(unsigned operand)
{
    return (operand & WEFT__KIND_MASK) - WEFT__ANY_DTYPE <= WEFT__FLOATS - WEFT__ANY_DTYPE;
}

#define WEFT__MAX_DEF_OPERANDS 8
#define WEFT__MAX_DEF_RESULTS 64
#define WEFT__MAX_BROADCAST 3 /* operands of one row with a BROADCAST flag */

/* How the operands of a call are counted. */
typedef enum weft__arity {
    WEFT__FIXED, /* one for each description */
    WEFT__LIST,  /* any number of the first kind (concat) */
    WEFT__LISTS  /* as many lists as descriptions, all of one length, one after the other (optimiser steps) */
} weft__arity;

/* How operands get the dtype that they are computed in. What must be floating, or an index, is checked in any case. */
typedef enum weft__promotion {
    WEFT__AS_GIVEN,     /* each stays as it is */
    WEFT__JOIN,         /* data operands get their joint dtype */
    WEFT__JOIN_NUMBERS, /* the same, but bool counts as i64 */
    WEFT__JOIN_FLOATS,  /* the same, but integers count as f32 */
    WEFT__LIKE_FIRST,   /* data operands get that of operand 0 */
    WEFT__BESIDE_FIRST  /* operand 0 stays; the others keep its dtype or get that of its statistics */
} weft__promotion;

/* ---- What a derivative reads ---- */

/* Operand k is bit k, result k is bit 48 + k; bit 63 stands for all results from the 16th on. */
#define WEFT__READS_OPERAND(k) ((uint64_t)1 << (k))
#define WEFT__READS_RESULT(k) ((uint64_t)1 << (48 + (k)))

static inline uint64_t weft__results_read(uint64_t reads)
{
    return (reads >> 48) | (reads >> 63 ? UINT64_MAX << 16 : 0);
}

/* ---- How far two devices may differ ---- */

typedef enum weft__agreement {
    WEFT__EXACT,       /* data only moves, or is a whole number or a truth value */
    WEFT__ELEMENTWISE, /* one rounding after the other on each element */
    WEFT__SUMMED,      /* sums of products: the error is measured against the sum of |a b| */
    WEFT__POSITIVE,    /* of sums of what is never negative: that sum is the result itself */
    WEFT__ROWWISE,     /* whole rows matter: softmax, norms */
    WEFT__DERIVED      /* first derivatives, optimiser steps */
} weft__agreement;

/* ---- What a call does besides giving its results ---- */

typedef enum weft__effect {
    WEFT__PURE,     /* nothing: the same operands give the same results */
    WEFT__DRAWS,    /* random numbers, from the context's seed */
    WEFT__IN_PLACE, /* changes its first operand */
    WEFT__STEPS     /* changes the parameters of an optimiser */
} weft__effect;

/* ---- What a composite is made of ---- */

/* In which dtype a part gets what the composite was called with. */
typedef enum weft__part_dtype {
    WEFT__AS_ALONE, /* as when it is called by itself */
    WEFT__WIDE,     /* f64 as it is, all others as f32 */
    WEFT__OF_BOOL,  /* as when it is called by itself with bool */
    WEFT__OF_I64,
    WEFT__OF_F64
} weft__part_dtype;

/* A row whose kernel runs in the composite's forward pass. */
typedef struct weft__made_of {
    int op;
    weft__part_dtype dtype;
} weft__made_of;

#define WEFT__MAX_PARTS 16

/* ---- A sample ---- */

/* Operands and numbers of one call, in words (weft/sample.h). */
typedef struct weft__recipe {
    const char *operands;
    const char *numbers; /* whole ones, then real ones after ';'. A whole one: "3", "-1", "a", "2c", "a-1" of the sizes;
                          * "t": a dtype to convert to */
} weft__recipe;

#define WEFT__MAX_RECIPES 4

struct weft_sample_call;
typedef void (*weft__sample_fn)(struct weft_sample_call *c);

/* ---- The record ---- */

/* One run of a kernel, for what depends on sizes. Entries may be NULL. */
typedef struct weft__work {
    int op;
    int n_in, n_out;
    const weft__array *const *in;
    const weft__array *const *out;
    const weft__attrs *attrs; /* NULL: has none */
} weft__work;

typedef struct weft__infer weft__infer; /* infer.h */
struct weft__vjp;
typedef void (*weft__vjp_fn)(struct weft__vjp *v);

typedef struct weft__op_def {
    int op;
    weft__arity arity;
    int n_in; /* descriptions in in[] */
    uint16_t in[WEFT__MAX_DEF_OPERANDS];
    int n_out;
    int n_differentiable; /* of the results, the first ones */
    uint8_t agreement[WEFT__MAX_DEF_RESULTS];
    weft__effect effect;

    int n_ints, n_reals; /* of the attributes (attrs.h) */
    bool any_length;     /* they are a list: n_ints at most */
    uint32_t varying;    /* what a call in the next step of a training loop may have otherwise: WEFT__VARIES bits */

    weft__promotion promotion;
    bool (*infer)(weft__infer *q); /* NULL: kernels of other rows, which make their own results */

    weft__vjp_fn vjp;                               /* the rule of the derivative; NULL: there is none */
    uint64_t reads;                                 /* what it reads: WEFT__READS_ bits */
    uint64_t (*reads_by)(const weft__attrs *attrs); /* not NULL: instead, where that depends on attributes */
    bool rounds_once; /* the rule in public operations rounds each element once: half types need no wider steps */
    int fused;        /* the row whose kernel gives first-order gradients, itself: the backend's grad[]; -1: none */

    /* Terms that are added up for one element of a result. */
    int64_t (*terms)(const weft__work *w, int result);
    double (*flops)(const weft__work *w); /* a multiply-add is two */
    double (*bytes)(const weft__work *w); /* that must be read and written at least */

    /* Of composites: what operand 0 may hold, and the rows that it is made of, but for copies, casts and fills, which
     * every device has; the same row once for each dtype in which it runs. */
    weft__operand_kind takes;
    int n_parts;
    weft__made_of parts[WEFT__MAX_PARTS];

    const char *gradient; /* the rule in words, g what arrives and y the result; NULL: there is none */

    weft__sample_fn call;                    /* calls the public function; NULL: it runs in the derivative of part_of */
    weft__recipe recipes[WEFT__MAX_RECIPES]; /* the first is the plain one, which is measured; {NULL}: no more */
    int part_of;                             /* the row in whose derivative a kernel runs; -1: it has a call */
} weft__op_def;

/* Composites have a record, too, but no kernel: no launch is one of theirs. Their work is counted over the operands and
 * results of the call. */
extern const weft__op_def *const weft__defs[WEFT_OP_COUNT];

/* What operand k of a call of n operands may be: a kind and flags. */
static inline unsigned weft__operand(const weft__op_def *def, int k, int n)
{
    if (def->arity == WEFT__LIST)
        return def->in[0];
    if (def->arity == WEFT__LISTS)
        k = n >= def->n_in ? k / (n / def->n_in) : 0;
    return k < def->n_in ? def->in[k] : WEFT__NO_OPERAND;
}

/* The bits of what its derivative reads in a call with these attributes. */
static inline uint64_t weft__reads(const weft__op_def *def, const weft__attrs *attrs)
{
    return def->reads_by ? def->reads_by(attrs) : def->reads;
}

/* Whether all its operands are data, and may be floating: a bit of each tells those that are not. */
static inline bool weft__takes_data(const weft__op_def *def)
{
    static_assert(WEFT__FLOATS < 4 && WEFT__POSITIONS & 4 && WEFT__TRUTHS & 4, "bit 2: no data");
    uint64_t operands[2];
    static_assert(sizeof operands == sizeof def->in && WEFT__WHOLE == 0x200, "all of them, 16 bits for each");
    memcpy(operands, def->in, sizeof operands);
    return ((operands[0] | operands[1]) & 0x0204020402040204) == 0;
}

/* Of these bits those of operands, of which there may be more than bits: bit 63 stands for all from there on. What is
 * read of a list is read of each of its operands. */
static inline uint64_t weft__operands_read(const weft__op_def *def, uint64_t reads)
{
    const uint64_t operands = reads & (((uint64_t)1 << 48) - 1);
    return def->arity == WEFT__FIXED || operands == 0 ? operands : UINT64_MAX;
}

#endif
