/* elementwise_grad.c - fused first-order gradients of UNARY, BINARY and TERNARY operations: the derivative column of
 * ops.def, one loop per operation, output and floating compute type. */
#include "base/scalar.h"
#include "elementwise_quick.h"

#define UNARY_LOOP(name, T, type)                                                                                      \
    static void d_##name##_##type(int64_t n, const void *const *in, void *out, const void *param)                      \
    {                                                                                                                  \
        const T *x = in[0];                                                                                            \
        const T *y = in[1];                                                                                            \
        const T *g = in[2];                                                                                            \
        T *dx = out;                                                                                                   \
        (void)param;                                                                                                   \
        WEFT__SIMD for (int64_t i = 0; i < n; i++)                                                                     \
        {                                                                                                              \
            dx[i] = weft__d_##name##_##type(x[i], y[i], g[i]);                                                         \
        }                                                                                                              \
    }

#define UNARY_P_LOOP(name, T, type)                                                                                    \
    static void d_##name##_##type(int64_t n, const void *const *in, void *out, const void *param)                      \
    {                                                                                                                  \
        const T *x = in[0];                                                                                            \
        const T *y = in[1];                                                                                            \
        const T *g = in[2];                                                                                            \
        T *dx = out;                                                                                                   \
        const T p = (T)((const weft__scalar_attrs *)param)->p;                                                         \
        const T q = (T)((const weft__scalar_attrs *)param)->q;                                                         \
        WEFT__SIMD for (int64_t i = 0; i < n; i++)                                                                     \
        {                                                                                                              \
            dx[i] = weft__d_##name##_##type(x[i], y[i], g[i], p, q);                                                   \
        }                                                                                                              \
    }

#define BINARY_LOOP(side, name, T, type)                                                                               \
    static void side##_##name##_##type(int64_t n, const void *const *in, void *out, const void *param)                 \
    {                                                                                                                  \
        const T *a = in[0];                                                                                            \
        const T *b = in[1];                                                                                            \
        const T *y = in[2];                                                                                            \
        const T *g = in[3];                                                                                            \
        T *d = out;                                                                                                    \
        (void)param;                                                                                                   \
        WEFT__SIMD for (int64_t i = 0; i < n; i++)                                                                     \
        {                                                                                                              \
            d[i] = weft__##side##_##name##_##type(a[i], b[i], y[i], g[i]);                                             \
        }                                                                                                              \
    }

#define TERNARY_LOOP(side, name, T, type)                                                                              \
    static void side##_##name##_##type(int64_t n, const void *const *in, void *out, const void *param)                 \
    {                                                                                                                  \
        const uint8_t *c = in[0];                                                                                      \
        const T *g = in[1];                                                                                            \
        T *d = out;                                                                                                    \
        (void)param;                                                                                                   \
        WEFT__SIMD for (int64_t i = 0; i < n; i++)                                                                     \
        {                                                                                                              \
            d[i] = weft__##side##_##name##_##type(c[i] != 0, g[i]);                                                    \
        }                                                                                                              \
    }

#define WEFT_UNARY(ID, name, ...)                                                                                      \
    UNARY_LOOP(name, float, f32)                                                                                       \
    UNARY_LOOP(name, double, f64)
#define WEFT_UNARY_P(ID, name, ...)                                                                                    \
    UNARY_P_LOOP(name, float, f32)                                                                                     \
    UNARY_P_LOOP(name, double, f64)
#define WEFT_BINARY(ID, name, ...)                                                                                     \
    BINARY_LOOP(da, name, float, f32)                                                                                  \
    BINARY_LOOP(db, name, float, f32)                                                                                  \
    BINARY_LOOP(da, name, double, f64)                                                                                 \
    BINARY_LOOP(db, name, double, f64)
#define WEFT_TERNARY(ID, name, ...)                                                                                    \
    TERNARY_LOOP(da, name, float, f32)                                                                                 \
    TERNARY_LOOP(db, name, float, f32)                                                                                 \
    TERNARY_LOOP(da, name, double, f64)                                                                                \
    TERNARY_LOOP(db, name, double, f64)
#define WEFT_OP(ID, name, family, doc)
#include "ops/ops.def"

/* Of those whose slopes have branches. */
#define QUICK(name, slope)                                                                                             \
    WEFT__QUICK_LOOP(quick_##name, const float *x = (const float *)in[0] + first;                                      \
                     const float *g = (const float *)in[2] + first, weft__is_quick_##slope(x[k]),                      \
                     g[k] * weft__quick_##slope(x[k]), weft__d_##name##_f32(x[k], 0, g[k]))
QUICK(lgamma, digamma)
QUICK(digamma, trigamma)

static weft__loop quick_loop(weft_op op)
{
    return op == WEFT_OP_LGAMMA ? quick_lgamma : op == WEFT_OP_DIGAMMA ? quick_digamma : NULL;
}

/* Of each operation the loops of its outputs: dx, or da and db. */
#define ROW(ID, stem, name, cls) [WEFT_OP_##ID] = {{stem##_##name##_f32, stem##_##name##_f64, NULL}, WEFT__CHEAP_##cls},

static const weft__loops loops_of[WEFT__MAP_MAX_OUT][WEFT_OP_COUNT] = {
    {
#define WEFT_UNARY(ID, name, cls, ...) ROW(ID, d, name, cls)
#define WEFT_UNARY_P(ID, name, cls, ...) ROW(ID, d, name, cls)
#define WEFT_BINARY(ID, name, cls, ...) ROW(ID, da, name, cls)
#define WEFT_TERNARY(ID, name, ...) ROW(ID, da, name, NUM)
#define WEFT_OP(ID, name, family, doc)
#include "ops/ops.def"
    },
    {
#define WEFT_BINARY(ID, name, cls, ...) ROW(ID, db, name, cls)
#define WEFT_TERNARY(ID, name, ...) ROW(ID, db, name, NUM)
#define WEFT_OP(ID, name, family, doc)
#include "ops/ops.def"
    },
};

/* The operation's gradients from n_in inputs, the last of them g, of which the first `bytes` are truth values. */
static weft_status run_loops(const weft__exec *e, int n_in, int bytes, int n_out)
{
    const weft__compute_type type = weft__compute_type_of(e->in[n_in - 1]->dtype);
    weft__map m;
    if (type == WEFT__COMPUTE_I64) {
        return e->host->fail(e, WEFT_E_DTYPE, "the gradient needs a floating dtype");
    }
    m.n_in = n_in;
    m.n_out = n_out;
    m.param = e->attrs ? &e->attrs->scalar : NULL;
    m.grain = weft__loops_grain(&loops_of[0][e->op], type);
    for (int k = 0; k < n_in; k++) {
        m.in[k] = e->in[k];
        m.in_type[k] = k < bytes ? WEFT__COMPUTE_BYTE : type;
    }
    for (int k = 0; k < n_out; k++) {
        m.out[k] = e->out[k];
        m.out_type[k] = type;
        m.loop[k] = type == WEFT__COMPUTE_F32 && quick_loop(e->op) ? quick_loop(e->op) : loops_of[k][e->op].loop[type];
    }
    return weft__run_map(e, &m);
}

/* dx from x, y (NULL where the operation does not save them) and g, all of one shape. */
weft_status WEFT__CPU(unary_grad)(const weft__exec *e)
{
    return run_loops(e, 3, 0, 1);
}

/* da and db (NULL where not wanted), of the broadcast shape, from a, b, y (NULL where not saved) and g. */
weft_status WEFT__CPU(binary_grad)(const weft__exec *e)
{
    return run_loops(e, 4, 0, 2);
}

/* da and db (NULL where not wanted), of the broadcast shape, from c (bool) and g. */
weft_status WEFT__CPU(ternary_grad)(const weft__exec *e)
{
    return run_loops(e, 2, 1, 2);
}
