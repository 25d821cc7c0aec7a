/* several.h - front ends that hand over several tensors and return a status. */
#ifndef WEFT_OPS_SEVERAL_H
#define WEFT_OPS_SEVERAL_H

#include "engine/engine.h"

/* Sets *y[0] ... *y[n - 1] to NULL, and begins a call with operand *x. A place may be NULL, which is not wanted then;
 * not all of them. NULL: error recorded, return weft__refused(x). */
weft_ctx *weft__begin_several(int op, weft_tensor **x, weft_tensor **const *y, int n);
weft_status weft__refused(const weft_tensor *x);

/* Ends the call: hands over out[0] ... out[n - 1] if it is done. Returns the context's status. */
weft_status weft__end_several(weft_ctx *ctx, bool done, weft_tensor *const *out, weft_tensor **const *y, int n);

/* weft__complete for what chooses among the elements of x, into result 0: truth values are compared as bytes. */
bool weft__complete_choice(weft_ctx *ctx, int op, weft_tensor *x, weft__attrs *attrs, weft_tensor **out);

/* The derivative of such an operation: g at the places along dim that it came from, 0 elsewhere. index and g have x's
 * rank. */
struct weft__vjp;
void weft__put_back(struct weft__vjp *v, weft_tensor *g, weft_tensor *index, int64_t dim);

#endif
