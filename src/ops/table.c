/* table.c - what the table expands to: the info table, and the public functions of the elementwise and reduce
 * families. */
#include "engine/engine.h"
#include "row_words.h"

#define IS_G(text) (sizeof(text) == 2 && (text)[0] == 'g')
#define IS_ZERO(text) (sizeof(text) == sizeof "K(0) * g" && (text)[0] == 'K' && (text)[2] == '0' && (text)[3] == ')')

const weft__op_info weft__ops[WEFT_OP_COUNT] = {
#define WEFT_UNARY(ID, nm, c, s, f, dx, l, h, k, d)                                                                    \
    [WEFT_OP_##ID] = {.name = #nm,                                                                                     \
                      .doc = d,                                                                                        \
                      .family = WEFT__UNARY,                                                                           \
                      .cls = WEFT__##c,                                                                                \
                      .saves = WEFT__SAVES_##s,                                                                        \
                      .differentiable = true,                                                                          \
                      .formula = #f,                                                                                   \
                      .gradient = #dx,                                                                                 \
                      .gradient_is_g = IS_G(#dx),                                                                      \
                      .gradient_is_zero = IS_ZERO(#dx),                                                                \
                      .lo = l,                                                                                         \
                      .hi = h,                                                                                         \
                      .kink = (double)(k)},
#define WEFT_UNARY_P(ID, nm, c, s, ps, as, f, dx, l, h, k, d)                                                          \
    [WEFT_OP_##ID] = {.name = #nm,                                                                                     \
                      .doc = d,                                                                                        \
                      .family = WEFT__UNARY_P,                                                                         \
                      .cls = WEFT__##c,                                                                                \
                      .saves = WEFT__SAVES_##s,                                                                        \
                      .differentiable = true,                                                                          \
                      .formula = #f,                                                                                   \
                      .gradient = #dx,                                                                                 \
                      .gradient_is_g = IS_G(#dx),                                                                      \
                      .lo = l,                                                                                         \
                      .hi = h,                                                                                         \
                      .kink = (double)(k)},
#define WEFT_PREDICATE(ID, nm, f, d)                                                                                   \
    [WEFT_OP_##                                                                                                        \
        ID] = {.name = #nm, .doc = d, .family = WEFT__PREDICATE, .formula = #f, ANYWHERE, .no_grad_reason = NO_TRUTH},
#define WEFT_BINARY(ID, nm, c, s, f, da, db, l, h, k, d)                                                               \
    [WEFT_OP_##ID] = {.name = #nm,                                                                                     \
                      .doc = d,                                                                                        \
                      .family = WEFT__BINARY,                                                                          \
                      .cls = WEFT__##c,                                                                                \
                      .saves = WEFT__SAVES_##s,                                                                        \
                      .differentiable = true,                                                                          \
                      .formula = #f,                                                                                   \
                      .gradient = #da,                                                                                 \
                      .gradient_b = #db,                                                                               \
                      .gradient_is_g = IS_G(#da),                                                                      \
                      .gradient_b_is_g = IS_G(#db),                                                                    \
                      .lo = l,                                                                                         \
                      .hi = h,                                                                                         \
                      .kink = (double)(k)},
#define WEFT_COMPARE(ID, nm, f, d)                                                                                     \
    [WEFT_OP_##                                                                                                        \
        ID] = {.name = #nm, .doc = d, .family = WEFT__COMPARE, .formula = #f, ANYWHERE, .no_grad_reason = NO_TRUTH},
#define WEFT_INTEGER(ID, nm, j, f, d)                                                                                  \
    [WEFT_OP_##                                                                                                        \
        ID] = {.name = #nm, .doc = d, .family = WEFT__INTEGER, .formula = #f, ANYWHERE, .no_grad_reason = NO_WHOLE},
#define WEFT_TERNARY(ID, nm, f, da, db, d)                                                                             \
    [WEFT_OP_##ID] = {.name = #nm,                                                                                     \
                      .doc = d,                                                                                        \
                      .family = WEFT__TERNARY,                                                                         \
                      .differentiable = true,                                                                          \
                      .formula = #f,                                                                                   \
                      .gradient = #da,                                                                                 \
                      .gradient_b = #db,                                                                               \
                      ANYWHERE},
#define WEFT_REDUCE(ID, nm, c, r, s, a, g, w, d)                                                                       \
    [WEFT_OP_##ID] = {.name = #nm,                                                                                     \
                      .doc = d,                                                                                        \
                      .family = WEFT__REDUCE,                                                                          \
                      .cls = WEFT__##c,                                                                                \
                      .result = WEFT__##r,                                                                             \
                      .differentiable = !(g),                                                                          \
                      .no_grad_reason = g,                                                                             \
                      ANYWHERE},
#define WEFT_VIEW(ID, nm, ps, d)                                                                                       \
    [WEFT_OP_##ID] = {.name = #nm,                                                                                     \
                      .doc = d,                                                                                        \
                      .family = WEFT__VIEW,                                                                            \
                      .differentiable = WEFT_OP_##ID != WEFT_OP_DETACH,                                                \
                      .no_grad_reason = WEFT_OP_##ID == WEFT_OP_DETACH ? NO_DETACHED : NULL,                           \
                      .params = #ps,                                                                                   \
                      ANYWHERE},
#define WEFT_COMPOSITE(ID, nm, r, ps, g, d)                                                                            \
    [WEFT_OP_##ID] = {.name = #nm,                                                                                     \
                      .doc = d,                                                                                        \
                      .family = WEFT__COMPOSITE,                                                                       \
                      .differentiable = !(g),                                                                          \
                      .no_grad_reason = g,                                                                             \
                      .params = #ps,                                                                                   \
                      ANYWHERE},
#define WEFT_CUSTOM(ID, nm, r, ps, g, d)                                                                               \
    [WEFT_OP_##ID] = {.name = #nm,                                                                                     \
                      .doc = d,                                                                                        \
                      .family = WEFT__CUSTOM,                                                                          \
                      .differentiable = !(g),                                                                          \
                      .no_grad_reason = g,                                                                             \
                      .params = #ps,                                                                                   \
                      ANYWHERE},
#define WEFT_KERNEL(ID, nm, d)                                                                                         \
    [WEFT_OP_##ID] = {                                                                                                 \
        .name = #nm, .doc = d, .family = WEFT__KERNEL, .no_grad_reason = "a step of another operation", ANYWHERE},
#include "ops/ops.def"
};

#define UNPACK(...) __VA_ARGS__
#define WEFT_UNARY(ID, name, ...)                                                                                      \
    weft_tensor *weft_##name(weft_tensor *x)                                                                           \
    {                                                                                                                  \
        return weft__unary(WEFT_OP_##ID, x, 0, 0);                                                                     \
    }
#define WEFT_UNARY_P(ID, name, cls, saves, params, args, ...)                                                          \
    weft_tensor *weft_##name(weft_tensor *x, UNPACK params)                                                            \
    {                                                                                                                  \
        return weft__unary(WEFT_OP_##ID, x, UNPACK args);                                                              \
    }
#define WEFT_PREDICATE(ID, name, ...)                                                                                  \
    weft_tensor *weft_##name(weft_tensor *x)                                                                           \
    {                                                                                                                  \
        return weft__unary(WEFT_OP_##ID, x, 0, 0);                                                                     \
    }
#define WEFT_BINARY(ID, name, ...)                                                                                     \
    weft_tensor *weft_##name(weft_tensor *a, weft_tensor *b)                                                           \
    {                                                                                                                  \
        return weft__two_operands(WEFT_OP_##ID, a, b);                                                                 \
    }
#define WEFT_COMPARE(ID, name, ...)                                                                                    \
    weft_tensor *weft_##name(weft_tensor *a, weft_tensor *b)                                                           \
    {                                                                                                                  \
        return weft__two_operands(WEFT_OP_##ID, a, b);                                                                 \
    }
#define WEFT_INTEGER(ID, name, ...)                                                                                    \
    weft_tensor *weft_##name(weft_tensor *a, weft_tensor *b)                                                           \
    {                                                                                                                  \
        return weft__two_operands(WEFT_OP_##ID, a, b);                                                                 \
    }
#define WEFT_TERNARY(ID, name, ...)                                                                                    \
    weft_tensor *weft_##name(weft_tensor *c, weft_tensor *a, weft_tensor *b)                                           \
    {                                                                                                                  \
        return weft__ternary(WEFT_OP_##ID, c, a, b);                                                                   \
    }
#define WEFT_REDUCE(ID, name, ...)                                                                                     \
    weft_tensor *weft_##name(weft_tensor *x, const int64_t *dims, int ndim, bool keepdim)                              \
    {                                                                                                                  \
        return weft__reduce(WEFT_OP_##ID, x, dims, ndim, keepdim);                                                     \
    }
#include "ops/ops.def"
