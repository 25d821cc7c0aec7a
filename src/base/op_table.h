/* op_table.h - the enum and the info table that ops.def expands to. */
#ifndef WEFT_BASE_OP_TABLE_H
#define WEFT_BASE_OP_TABLE_H

#include <stdbool.h>
#include <stdint.h>

typedef enum weft_op {
#define WEFT_OP(ID, name, family, doc) WEFT_OP_##ID,
#include "ops/ops.def"
    WEFT_OP_COUNT
} weft_op;

typedef enum weft__family {
    WEFT__UNARY,
    WEFT__UNARY_P,
    WEFT__PREDICATE,
    WEFT__BINARY,
    WEFT__COMPARE,
    WEFT__INTEGER,
    WEFT__TERNARY,
    WEFT__REDUCE,
    WEFT__VIEW,
    WEFT__COMPOSITE,
    WEFT__CUSTOM,
    WEFT__KERNEL
} weft__family;

typedef enum weft__op_class { WEFT__NUM, WEFT__FLT } weft__op_class;
typedef enum weft__result_kind { WEFT__SAME, WEFT__INDEX, WEFT__BOOLEAN } weft__result_kind;

/* What a derivative formula reads, as bits. */
enum {
    WEFT__SAVES_NIL = 0,
    WEFT__SAVES_X = 1,
    WEFT__SAVES_A = 1,
    WEFT__SAVES_B = 2,
    WEFT__SAVES_Y = 4,
    WEFT__SAVES_XY = 5,
    WEFT__SAVES_AB = 3,
    WEFT__SAVES_BY = 6,
    WEFT__SAVES_ABY = 7
};

typedef struct weft__op_info {
    const char *name; /* without the weft_ prefix */
    const char *doc;
    weft__family family;
    weft__op_class cls;
    weft__result_kind result; /* REDUCE */
    int saves;
    bool differentiable;
    const char *no_grad_reason;          /* NULL where differentiable */
    const char *formula;                 /* elementwise rows: the text of f, else NULL */
    const char *gradient;                /* text of dx, or of da */
    const char *gradient_b;              /* text of db */
    bool gradient_is_g, gradient_b_is_g; /* the derivative passes g on unchanged */
    bool gradient_is_zero;               /* UNARY: wherever there is a derivative it is 0: a step function */
    const char *params;                  /* VIEW, COMPOSITE, CUSTOM: the C parameter list */
    double lo, hi;                       /* test domain */
    double kink; /* test: a point to stay away from; NAN for none, +inf for a special rule (see tests) */
} weft__op_info;

extern const weft__op_info weft__ops[WEFT_OP_COUNT];

#endif
