/* reference.h - the operations as data: what docs/ops.md says, for programs that list, search or try all of them.
 *
 *     for (int k = 0; k < weft_op_count(); k++) {
 *         weft_op_description op;
 *         if (weft_op_describe(k, &op, sizeof op) == WEFT_OK)
 *             printf("%s: %s\n", op.name, op.doc);
 *     }
 *
 * Part of the public API; include <weft/weft.h>. */
#ifndef WEFT_REFERENCE_H
#define WEFT_REFERENCE_H

#include <weft/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum weft_op_family {
    WEFT_OP_FAMILY_UNARY,     /* y = f(x) */
    WEFT_OP_FAMILY_UNARY_P,   /* y = f(x; one or two numbers) */
    WEFT_OP_FAMILY_PREDICATE, /* y = f(x), bool */
    WEFT_OP_FAMILY_BINARY,    /* y = f(a, b), broadcasting */
    WEFT_OP_FAMILY_COMPARE,   /* y = f(a, b), bool */
    WEFT_OP_FAMILY_TERNARY,   /* y = f(c, a, b), c bool */
    WEFT_OP_FAMILY_REDUCE,    /* over chosen dims */
    WEFT_OP_FAMILY_VIEW,      /* no data moves */
    WEFT_OP_FAMILY_COMPOSITE, /* made of other operations */
    WEFT_OP_FAMILY_CUSTOM,    /* a signature of its own */
    WEFT_OP_FAMILY_INTEGER    /* y = f(a, b), broadcasting, whole numbers and bool alone */
} weft_op_family;

/* One operation. Strings are static. */
typedef struct weft_op_description {
    const char *name; /* without the weft_ prefix */
    weft_op_family family;
    const char *family_name; /* "unary" */
    const char *result;      /* C type of the result, "weft_tensor *" */
    const char *parameters;  /* C parameter list, "(weft_tensor *x, int dim)" */
    const char *doc;
    bool floating_only;      /* integers become f32 first */
    bool differentiable;     /* a gradient flows through */
    const char *no_gradient; /* why not; NULL where differentiable */
    const char *formula;     /* elementwise families: the value over x, or c, a, b; else NULL */
    const char *gradient;    /* the derivative over x, y, g, or that of a; NULL where there is no formula */
    const char *gradient_b;  /* that of b */
    double lo, hi;           /* elementwise: where tests take their operands from */
    double kink; /* where the derivative jumps; NAN: nowhere; INFINITY: at more than one point (steps, ties) */
    union {      /* the function itself, for the families that share a signature; else NULL */
        weft_tensor *(*unary)(weft_tensor *x); /* UNARY, PREDICATE */
        weft_tensor *(*unary_1)(weft_tensor *x, double p);
        weft_tensor *(*unary_2)(weft_tensor *x, double p, double q);
        weft_tensor *(*binary)(weft_tensor *a, weft_tensor *b); /* BINARY, COMPARE */
        weft_tensor *(*ternary)(weft_tensor *c, weft_tensor *a, weft_tensor *b);
        weft_tensor *(*reduce)(weft_tensor *x, const int64_t *dims, int ndim, bool keepdim);
    } call;
    int numbers; /* UNARY_P: 1 or 2, which member of call it is */
    /* What it is elsewhere: a name, or an expression of names; where there is none, "- " and why. F. is
     * torch.nn.functional. */
    const char *pytorch, *numpy, *onnx;
    double ulp; /* elementary functions: largest error in f32, in units in the last place, on any instruction set; else
                 * NAN */
} weft_op_description;

/* How many public operations there are. */
WEFT_API int weft_op_count(void);

/* Fills *out with operation index in [0, count), in the order of the table; size is sizeof *out. WEFT_E_INVALID for
 * another index or a size that the struct never had. */
WEFT_API weft_status weft_op_describe(int index, weft_op_description *out, size_t size);

/* The index of an operation ("gelu" or "weft_gelu"); -1: there is none of that name. */
WEFT_API int weft_op_find(const char *name);

#ifdef __cplusplus
}
#endif
#endif
