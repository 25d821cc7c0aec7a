/* elementwise_unary.cu - UNARY, UNARY_P and PREDICATE operations: y = f(x), x of any strides, y of its shape. */
#include "base/scalar.h"
#include "cuda/kernels.h"
#include "map.h"

namespace
{

#define APPLY_UNARY(name, V, type)                                                                                     \
    static __device__ __forceinline__ void apply(const V *x, V *y, V, V)                                               \
    {                                                                                                                  \
        y[0] = weft__f_##name##_##type(x[0]);                                                                          \
    }
#define APPLY_UNARY_P(name, V, type)                                                                                   \
    static __device__ __forceinline__ void apply(const V *x, V *y, V p, V q)                                           \
    {                                                                                                                  \
        y[0] = weft__f_##name##_##type(x[0], p, q);                                                                    \
    }

#define WEFT_UNARY(ID, name, cls, ...)                                                                                 \
    struct name##_formula : weft_map_formula<1, 1, WEFT_MAP_INTEGERS_##cls> {                                          \
        WEFT_MAP_##cls(APPLY_UNARY, name)                                                                              \
    };
#define WEFT_UNARY_P(ID, name, cls, ...)                                                                               \
    struct name##_formula : weft_map_formula<1, 1, WEFT_MAP_INTEGERS_##cls> {                                          \
        WEFT_MAP_##cls(APPLY_UNARY_P, name)                                                                            \
    };
#define WEFT_PREDICATE(ID, name, ...)                                                                                  \
    struct name##_formula : weft_map_formula<1, 1, true> {                                                             \
        static constexpr bool TRUTH = true;                                                                            \
        WEFT_MAP_NUM(APPLY_UNARY, name)                                                                                \
    };
#define WEFT_OP(ID, name, family, doc)
#include "ops/ops.def"

} /* namespace */

#define CASE(ID, name)                                                                                                 \
    case WEFT_OP_##ID:                                                                                                 \
        return weft_map<name##_formula>(e, {e->out[0]});

extern "C" weft_status weft__cuda_unary(const weft__exec *e)
{
    switch (e->op) {
#define WEFT_UNARY(ID, name, ...) CASE(ID, name)
#define WEFT_UNARY_P(ID, name, ...) CASE(ID, name)
#define WEFT_OP(ID, name, family, doc)
#include "ops/ops.def"
    default:
        return e->host->fail(e, WEFT_E_INTERNAL, "is no unary operation");
    }
}

extern "C" weft_status weft__cuda_predicate(const weft__exec *e)
{
    switch (e->op) {
#define WEFT_PREDICATE(ID, name, ...) CASE(ID, name)
#define WEFT_OP(ID, name, family, doc)
#include "ops/ops.def"
    default:
        return e->host->fail(e, WEFT_E_INTERNAL, "is no predicate");
    }
}

/* x = f(x) in place: in = {x}, out = {x}. */
#define IN_PLACE(name)                                                                                                 \
    extern "C" weft_status weft__cuda_##name##_(const weft__exec *e)                                                   \
    {                                                                                                                  \
        return weft_map<name##_formula>(e, {e->out[0]});                                                               \
    }
IN_PLACE(neg)
IN_PLACE(relu)
IN_PLACE(exp)
IN_PLACE(sqrt)
IN_PLACE(tanh)
IN_PLACE(sigmoid)
IN_PLACE(clamp)
IN_PLACE(add_scalar)
IN_PLACE(mul_scalar)
