/* supports.h - what a device has kernels for. */
#ifndef WEFT_ENGINE_SUPPORTS_H
#define WEFT_ENGINE_SUPPORTS_H

#include "base/op_def.h"
#include "engine/backend.h"

/* Whether backend runs a row on elements of dtype, which is what its kernel gets. */
static inline bool weft__backend_supports(const weft__backend *backend, int op, int32_t dtype)
{
    return backend->run[op] && (!backend->supports || op == WEFT_OP_COPY || op == WEFT_OP_CAST || op == WEFT_OP_FILL ||
                                backend->supports((weft_op)op, dtype));
}

/* Whether it has a kernel for first-order gradients: of an elementwise row its own, of the others a KERNEL row. */
static inline bool weft__backend_has_gradient(const weft__backend *backend, int op, int32_t dtype)
{
    if (weft__ops[op].family == WEFT__KERNEL)
        return weft__backend_supports(backend, op, dtype);
    return backend->grad[op] && (!backend->supports || backend->supports((weft_op)op, dtype));
}

/* The dtype of what a call computes with or moves: of its first operand, of the first result if there is none. */
int32_t weft__data_dtype(int op, const weft__array *const *in, int n_in, weft__array *const *out, int n_out);

/* What the device lacks for a row on dtype and what helps, a sentence without the row's name. */
void weft__say_unsupported(const weft__backend *backend, int op, int32_t dtype, char *why, size_t size);

/* The dtype that the kernel of a composite's part gets where the composite is called with dtype. */
weft_dtype weft__part_gets(const weft__made_of *part, weft_dtype dtype);

/* Whether a public operation called with operands of dtype runs there: as weft_device_supports. */
weft_status weft__op_supports(const weft__backend *backend, int op, weft_dtype dtype, char *why, size_t size);

#endif
