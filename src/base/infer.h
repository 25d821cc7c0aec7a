/* infer.h - shape and dtype of an operation's results, or why a call is wrong, from its operands' shapes and dtypes
 * and its attributes: runs nothing, allocates nothing, needs no context. A record's infer (op_def.h) is written with
 * these. */
#ifndef WEFT_BASE_INFER_H
#define WEFT_BASE_INFER_H

#include <weft/status.h>
#include "base/op_def.h"

/* "f32 [64, 784]" and "[64, 784]". */
typedef struct weft__text {
    char s[160];
} weft__text;
weft__text weft__shape_text(const int64_t *shape, int ndim);
weft__text weft__array_text(const weft__array *a); /* NULL: "NULL" */

#define WEFT__FEW_RESULTS 4 /* of which callers have room at hand; most operations have one */

struct weft_tensor;

struct weft__infer {
    const weft__op_def *def;
    int n_in;
    const weft__array *const *in; /* as given; NULL where missing. Only views look at strides and data */
    weft__attrs *attrs;           /* as the caller wrote them; infer checks them and resolves negative dims */
    bool records;                 /* a derivative will be recorded: results that serve it alone are wanted */
    /* How messages name an operand; NULL: by its array alone. */
    weft__text (*describe)(const struct weft_tensor *t);
    struct weft_tensor *const *tensors;

    int32_t dtype[WEFT__MAX_DEF_OPERANDS]; /* what operands are converted to; of a list the first is for all */

    /* To be set for each of the record's results: dtype, ndim, shape; for views all of it. dtype < 0: not wanted. */
    weft__array *out; /* the caller's, room for that number */
    bool copies;      /* a view that strides cannot express: of a contiguous copy of the operand */

    weft_status status;
    char message[512];
};

/* Converts the operands' dtypes by the record's promotion into q->dtype, then calls its infer. False: q->status and
 * q->message. */
bool weft__infer_call(weft__infer *q);

/* Notes why the call is wrong; false. */
bool weft__refuse(weft__infer *q, weft_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Operand k in a message, with its name if it has one. */
weft__text weft__operand_text(const weft__infer *q, int k);

/* Sentences on a tensor that is not what it must be: its name, itself, and what that is. */
#define WEFT__MUST_BE "%s is %s, but must be %s; use weft_cast"
#define WEFT__MUST_HAVE_DIMS "%s is %s, but must have %d dims; use weft_reshape or weft_unsqueeze"
#define WEFT__MUST_HAVE_SO_MANY_DIMS "%s is %s, but must have %d to %d dims"
#define WEFT__A_FLOAT "of a floating dtype"
#define WEFT__AN_INDEX "i64 or i32"
#define WEFT__A_WHOLE_NUMBER "of an integer dtype or bool"
#define WEFT__A_BYTE "i8 or u8"

/* Checks of operand k, which messages call by its name in the operation's prototype. */
bool weft__has_rank(weft__infer *q, int k, int lo, int hi);
/* *dim, as an attribute of operand k, made nonnegative. */
bool weft__resolve_dim(weft__infer *q, int k, int64_t *dim);

/* out[r] has that dtype and shape. */
static inline void weft__set_result(weft__infer *q, int r, int32_t dtype, const int64_t *shape, int ndim)
{
    weft__array *y = &q->out[r];
    y->dtype = dtype;
    y->ndim = ndim;
    for (int d = 0; d < ndim; d++)
        y->shape[d] = shape[d];
}
/* out[r] has operand k's shape, and its dtype as promoted. */
void weft__set_like(weft__infer *q, int r, int k);
/* out[0] of a maker has the dtype and the shape that its attributes say; false: no tensor has. */
bool weft__infer_made(weft__infer *q, int64_t dtype, const int64_t *sizes, int64_t ndim);
/* For rows whose only result is like operand 0. */
bool weft__infer_like(weft__infer *q);

#endif
