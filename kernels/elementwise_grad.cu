/* elementwise_grad.cu - fused first-order gradients of UNARY, BINARY and TERNARY operations: the derivative columns of
 * ops.def. Where both gradients of one with two operands are wanted, one kernel makes both. */
#include "base/scalar.h"
#include "cuda/kernels.h"
#include "map.h"

namespace
{

/* ---- One operand: dx from x, y, g ---- */

#define APPLY_UNARY(name, V, type)                                                                                     \
    static __device__ __forceinline__ void apply(const V *x, V *dx, V, V)                                              \
    {                                                                                                                  \
        dx[0] = weft__d_##name##_##type(x[0], x[1], x[2]);                                                             \
    }
#define APPLY_UNARY_P(name, V, type)                                                                                   \
    static __device__ __forceinline__ void apply(const V *x, V *dx, V p, V q)                                          \
    {                                                                                                                  \
        dx[0] = weft__d_##name##_##type(x[0], x[1], x[2], p, q);                                                       \
    }

template <bool IS_CHEAP> struct unary_formula : weft_map_formula<3, 1, false> {
    static constexpr bool CHEAP = IS_CHEAP;
};

#define WEFT_UNARY(ID, name, cls, ...)                                                                                 \
    struct d_##name##_formula : unary_formula<WEFT_MAP_INTEGERS_##cls> {                                               \
        WEFT_MAP_FLT(APPLY_UNARY, name)                                                                                \
    };
#define WEFT_UNARY_P(ID, name, cls, ...)                                                                               \
    struct d_##name##_formula : unary_formula<WEFT_MAP_INTEGERS_##cls> {                                               \
        WEFT_MAP_FLT(APPLY_UNARY_P, name)                                                                              \
    };
#define WEFT_OP(ID, name, family, doc)
#include "ops/ops.def"

/* ---- Two operands: da and db from a, b, y, g or c, g ---- */

#define SIDES_BINARY(name, V, type)                                                                                    \
    static __device__ __forceinline__ V da(const V *x)                                                                 \
    {                                                                                                                  \
        return weft__da_##name##_##type(x[0], x[1], x[2], x[3]);                                                       \
    }                                                                                                                  \
    static __device__ __forceinline__ V db(const V *x)                                                                 \
    {                                                                                                                  \
        return weft__db_##name##_##type(x[0], x[1], x[2], x[3]);                                                       \
    }
#define SIDES_TERNARY(name, V, type)                                                                                   \
    static __device__ __forceinline__ V da(const V *x)                                                                 \
    {                                                                                                                  \
        return weft__da_##name##_##type(x[0] != 0, x[1]);                                                              \
    }                                                                                                                  \
    static __device__ __forceinline__ V db(const V *x)                                                                 \
    {                                                                                                                  \
        return weft__db_##name##_##type(x[0] != 0, x[1]);                                                              \
    }

#define WEFT_BINARY(ID, name, cls, ...)                                                                                \
    struct name##_sides {                                                                                              \
        static constexpr int IN = 4, CONDITIONS = 0;                                                                   \
        static constexpr bool CHEAP = WEFT_MAP_INTEGERS_##cls;                                                         \
        WEFT_MAP_FLT(SIDES_BINARY, name)                                                                               \
    };
#define WEFT_TERNARY(ID, name, ...)                                                                                    \
    struct name##_sides {                                                                                              \
        static constexpr int IN = 2, CONDITIONS = 1;                                                                   \
        static constexpr bool CHEAP = true;                                                                            \
        WEFT_MAP_FLT(SIDES_TERNARY, name)                                                                              \
    };
#define WEFT_OP(ID, name, family, doc)
#include "ops/ops.def"

enum { A = 1, B = 2 };

/* The gradients in WANTED, bits A and B. */
template <class Sides, int WANTED>
struct sides_formula : weft_map_formula<Sides::IN, WANTED == (A | B) ? 2 : 1, false> {
    static constexpr int CONDITIONS = Sides::CONDITIONS;
    static constexpr bool CHEAP = Sides::CHEAP;
    template <class V> static __device__ __forceinline__ void apply(const V *x, V *d, V, V)
    {
        if constexpr ((WANTED & A) != 0)
            d[0] = Sides::da(x);
        if constexpr ((WANTED & B) != 0)
            d[WANTED == B ? 0 : 1] = Sides::db(x);
    }
};

template <class Sides> weft_status run_sides(const weft__exec *e)
{
    const weft__array *da = e->out[0], *db = e->out[1];
    if (da && db)
        return weft_map<sides_formula<Sides, A | B>>(e, {da, db});
    if (da)
        return weft_map<sides_formula<Sides, A>>(e, {da});
    return db ? weft_map<sides_formula<Sides, B>>(e, {db}) : WEFT_OK;
}

} /* namespace */

/* dx from x, y (NULL where the operation does not save them) and g, all of one shape. */
extern "C" weft_status weft__cuda_unary_grad(const weft__exec *e)
{
    switch (e->op) {
#define CASE(ID, name)                                                                                                 \
    case WEFT_OP_##ID:                                                                                                 \
        return weft_map<d_##name##_formula>(e, {e->out[0]});
#define WEFT_UNARY(ID, name, ...) CASE(ID, name)
#define WEFT_UNARY_P(ID, name, ...) CASE(ID, name)
#define WEFT_OP(ID, name, family, doc)
#include "ops/ops.def"
#undef CASE
    default:
        return e->host->fail(e, WEFT_E_INTERNAL, "is no unary operation");
    }
}

/* da and db (NULL where not wanted), of the broadcast shape, from a, b, y (NULL where not saved) and g. */
extern "C" weft_status weft__cuda_binary_grad(const weft__exec *e)
{
    switch (e->op) {
#define WEFT_BINARY(ID, name, ...)                                                                                     \
    case WEFT_OP_##ID:                                                                                                 \
        return run_sides<name##_sides>(e);
#define WEFT_OP(ID, name, family, doc)
#include "ops/ops.def"
    default:
        return e->host->fail(e, WEFT_E_INTERNAL, "is no binary operation");
    }
}

/* da and db (NULL where not wanted), of the broadcast shape, from c (bool) and g. */
extern "C" weft_status weft__cuda_ternary_grad(const weft__exec *e)
{
    switch (e->op) {
#define WEFT_TERNARY(ID, name, ...)                                                                                    \
    case WEFT_OP_##ID:                                                                                                 \
        return run_sides<name##_sides>(e);
#define WEFT_OP(ID, name, family, doc)
#include "ops/ops.def"
    default:
        return e->host->fail(e, WEFT_E_INTERNAL, "is no ternary operation");
    }
}
