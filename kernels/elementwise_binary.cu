/* elementwise_binary.cu - BINARY, COMPARE, INTEGER and TERNARY operations, operands broadcast to the result's shape
 * by stride 0; and those in place that are binary ones. */
#include "base/scalar.h"
#include "cuda/kernels.h"
#include "map.h"

namespace
{

#define APPLY_BINARY(name, V, type)                                                                                    \
    static __device__ __forceinline__ void apply(const V *x, V *y, V, V)                                               \
    {                                                                                                                  \
        y[0] = weft__f_##name##_##type(x[0], x[1]);                                                                    \
    }
#define APPLY_TERNARY(name, V, type)                                                                                   \
    static __device__ __forceinline__ void apply(const V *x, V *y, V, V)                                               \
    {                                                                                                                  \
        y[0] = weft__f_##name##_##type(x[0] != 0, x[1], x[2]);                                                         \
    }

#define WEFT_BINARY(ID, name, cls, ...)                                                                                \
    struct name##_formula : weft_map_formula<2, 1, WEFT_MAP_INTEGERS_##cls> {                                          \
        WEFT_MAP_##cls(APPLY_BINARY, name)                                                                             \
    };
#define WEFT_COMPARE(ID, name, ...)                                                                                    \
    struct name##_formula : weft_map_formula<2, 1, true> {                                                             \
        static constexpr bool TRUTH = true;                                                                            \
        WEFT_MAP_NUM(APPLY_BINARY, name)                                                                               \
    };
#define WEFT_INTEGER(ID, name, ...)                                                                                    \
    struct name##_formula : weft_map_formula<2, 1, true> {                                                             \
        static constexpr bool FLOATS = false;                                                                          \
        APPLY_BINARY(name, int64_t, i64)                                                                               \
    };
#define WEFT_TERNARY(ID, name, ...)                                                                                    \
    struct name##_formula : weft_map_formula<3, 1, true> {                                                             \
        static constexpr int CONDITIONS = 1;                                                                           \
        WEFT_MAP_NUM(APPLY_TERNARY, name)                                                                              \
    };
#define WEFT_OP(ID, name, family, doc)
#include "ops/ops.def"

/* x[0] the mask, x[1] what is filled with p where that is true. */
#define APPLY_FILL(name, V, type)                                                                                      \
    static __device__ __forceinline__ void apply(const V *x, V *y, V p, V)                                             \
    {                                                                                                                  \
        y[0] = x[0] != V(0) ? p : x[1];                                                                                \
    }
struct masked_fill_formula : weft_map_formula<2, 1, true> {
    static constexpr int CONDITIONS = 1;
    WEFT_MAP_NUM(APPLY_FILL, masked_fill)
};

} /* namespace */

#define CASE(ID, name)                                                                                                 \
    case WEFT_OP_##ID:                                                                                                 \
        return weft_map<name##_formula>(e, {e->out[0]});

extern "C" weft_status weft__cuda_binary(const weft__exec *e)
{
    switch (e->op) {
#define WEFT_BINARY(ID, name, ...) CASE(ID, name)
#define WEFT_OP(ID, name, family, doc)
#include "ops/ops.def"
    default:
        return e->host->fail(e, WEFT_E_INTERNAL, "is no binary operation");
    }
}

extern "C" weft_status weft__cuda_compare(const weft__exec *e)
{
    switch (e->op) {
#define WEFT_COMPARE(ID, name, ...) CASE(ID, name)
#define WEFT_OP(ID, name, family, doc)
#include "ops/ops.def"
    default:
        return e->host->fail(e, WEFT_E_INTERNAL, "is no comparison");
    }
}

extern "C" weft_status weft__cuda_integer(const weft__exec *e)
{
    switch (e->op) {
#define WEFT_INTEGER(ID, name, ...) CASE(ID, name)
#define WEFT_OP(ID, name, family, doc)
#include "ops/ops.def"
    default:
        return e->host->fail(e, WEFT_E_INTERNAL, "is no operation on whole numbers");
    }
}

extern "C" weft_status weft__cuda_ternary(const weft__exec *e)
{
    switch (e->op) {
#define WEFT_TERNARY(ID, name, ...) CASE(ID, name)
#define WEFT_OP(ID, name, family, doc)
#include "ops/ops.def"
    default:
        return e->host->fail(e, WEFT_E_INTERNAL, "is no ternary operation");
    }
}

/* x = f(x, y) in place: in = {x, y}, out = {x}, y broadcast to x's shape by stride 0. */
#define IN_PLACE(name)                                                                                                 \
    extern "C" weft_status weft__cuda_##name##_(const weft__exec *e)                                                   \
    {                                                                                                                  \
        return weft_map<name##_formula>(e, {e->out[0]});                                                               \
    }
IN_PLACE(add)
IN_PLACE(sub)
IN_PLACE(mul)
IN_PLACE(div)

/* x = mask ? p : x in place: in = {x, mask}, out = {x}, the mask broadcast to x's shape by stride 0. */
extern "C" weft_status weft__cuda_masked_fill_(const weft__exec *e)
{
    const weft__array *in[] = {e->in[1], e->in[0]};
    weft__exec swapped = *e;
    swapped.in = in;
    return weft_map<masked_fill_formula>(&swapped, {e->out[0]});
}
