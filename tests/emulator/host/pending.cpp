/* pending.cpp - answers for launchers that are not written yet; weak, so that a written one takes its place. */
#include "cuda/kernels.h"

#define PENDING(name)                                                                                                  \
    extern "C" __attribute__((weak)) weft_status weft__cuda_##name(const weft__exec *e)                                \
    {                                                                                                                  \
        return e->host->fail(e, WEFT_E_UNSUPPORTED, "pending");                                                        \
    }
PENDING(unary)
PENDING(predicate)
PENDING(binary)
PENDING(compare)
PENDING(ternary)
PENDING(unary_grad)
PENDING(binary_grad)
PENDING(ternary_grad)
#define WEFT_REDUCE(ID, name, ...) PENDING(name)
#define WEFT_CUSTOM(ID, name, ...) PENDING(name)
#define WEFT_KERNEL(ID, name, ...) PENDING(name)
#include "core/ops.def"
