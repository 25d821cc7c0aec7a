/* fault.c - errors: CUDA's own, and the indices out of range that kernels report. */
#include <stdio.h>
#include <string.h>
#include "base/linalg.h"
#include "host.h"

static const char *op_name(int32_t op)
{
    static const char *const names[WEFT_OP_COUNT] = {
#define WEFT_OP(ID, name, family, doc) #name,
#include "ops/ops.def"
    };
    return op >= 0 && op < WEFT_OP_COUNT ? names[op] : "operation";
}

weft_status weft__cuda_fail(weft__cuda_device *d, cudaError_t error, const char *what)
{
    (void)cudaGetLastError(); /* so that the program's own CUDA code does not find it */
    bool memory = error == cudaErrorMemoryAllocation;
    snprintf(d->message, sizeof d->message, "%s: CUDA: %s (%s)%s", what, cudaGetErrorString(error),
             cudaGetErrorName(error),
             memory || d->sync ? "" : "; it may come from work queued before: WEFT_SYNC=1 names the operation");
    return memory ? WEFT_E_NOMEM : WEFT_E_DEVICE;
}

cudaError_t weft__cuda_fault_fetch(weft__cuda_device *d)
{
    if (!d->fault_possible)
        return cudaSuccess;
    return cudaMemcpyAsync(d->staging->landing, d->fault, sizeof *d->fault, cudaMemcpyDeviceToHost, d->stream);
}

weft_status weft__cuda_fault_check(weft__cuda_device *d, bool with_op)
{
    if (!d->fault_possible)
        return WEFT_OK;
    weft__cuda_fault fault;
    memcpy(&fault, d->staging->landing, sizeof fault);
    d->fault_possible = false;
    if (!fault.set)
        return WEFT_OK;
    char text[256];
    if (fault.limit < 0)
        weft__matrix_fault_text(text, sizeof text, fault.value, fault.position);
    else
        snprintf(text, sizeof text, "%s[%lld] = %lld is outside [0, %lld)", weft__positions_name((weft_op)fault.op),
                 (long long)fault.position, (long long)fault.value, (long long)fault.limit);
    snprintf(d->message, sizeof d->message, "%s%s%s%s", with_op ? "weft_" : "", with_op ? op_name(fault.op) : "",
             with_op ? ", run before: " : "", text);
    cudaError_t error = cudaMemsetAsync(d->fault, 0, sizeof *d->fault, d->stream);
    if (error != cudaSuccess)
        d->fault_possible = true; /* the old record is still there */
    return WEFT_E_INVALID;
}
