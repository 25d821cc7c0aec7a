/* elementwise.c - UNARY, PREDICATE, BINARY, COMPARE and TERNARY operations, and those in place that are binary ones.
 *
 * ops.def generates one loop over dense runs for each operation and compute type; loop.c finds the runs. Derivatives:
 * elementwise_grad.c. */
#include "base/number.h"
#include "base/scalar.h"
#include "elementwise_quick.h"

/* ---- Loops ---- */

/* p, q of a UNARY_P operation as the compute type; the engine lets integers have only what they hold, or what lies
 * beyond. */
static inline float param_f32(double p)
{
    return (float)p;
}

static inline double param_f64(double p)
{
    return p;
}

static inline int64_t param_i64(double p)
{
    return weft__to_i64(p);
}

#define UNARY_LOOP(name, T, type)                                                                                      \
    static void name##_##type(int64_t n, const void *const *in, void *out, const void *param)                          \
    {                                                                                                                  \
        const T *x = in[0];                                                                                            \
        T *y = out;                                                                                                    \
        (void)param;                                                                                                   \
        WEFT__SIMD for (int64_t i = 0; i < n; i++)                                                                     \
        {                                                                                                              \
            y[i] = weft__f_##name##_##type(x[i]);                                                                      \
        }                                                                                                              \
    }

#define UNARY_P_LOOP(name, T, type)                                                                                    \
    static void name##_##type(int64_t n, const void *const *in, void *out, const void *param)                          \
    {                                                                                                                  \
        const T *x = in[0];                                                                                            \
        T *y = out;                                                                                                    \
        const T p = param_##type(((const weft__scalar_attrs *)param)->p);                                              \
        const T q = param_##type(((const weft__scalar_attrs *)param)->q);                                              \
        WEFT__SIMD for (int64_t i = 0; i < n; i++)                                                                     \
        {                                                                                                              \
            y[i] = weft__f_##name##_##type(x[i], p, q);                                                                \
        }                                                                                                              \
    }

#define BINARY_LOOP(name, T, Y, type)                                                                                  \
    static void name##_##type(int64_t n, const void *const *in, void *out, const void *param)                          \
    {                                                                                                                  \
        const T *a = in[0];                                                                                            \
        const T *b = in[1];                                                                                            \
        Y *y = out;                                                                                                    \
        (void)param;                                                                                                   \
        WEFT__SIMD for (int64_t i = 0; i < n; i++)                                                                     \
        {                                                                                                              \
            y[i] = weft__f_##name##_##type(a[i], b[i]);                                                                \
        }                                                                                                              \
    }

#define PREDICATE_LOOP(name, T, type)                                                                                  \
    static void name##_##type(int64_t n, const void *const *in, void *out, const void *param)                          \
    {                                                                                                                  \
        const T *x = in[0];                                                                                            \
        uint8_t *y = out;                                                                                              \
        (void)param;                                                                                                   \
        WEFT__SIMD for (int64_t i = 0; i < n; i++)                                                                     \
        {                                                                                                              \
            y[i] = weft__f_##name##_##type(x[i]);                                                                      \
        }                                                                                                              \
    }

#define TERNARY_LOOP(name, T, type)                                                                                    \
    static void name##_##type(int64_t n, const void *const *in, void *out, const void *param)                          \
    {                                                                                                                  \
        const uint8_t *c = in[0];                                                                                      \
        const T *a = in[1];                                                                                            \
        const T *b = in[2];                                                                                            \
        T *y = out;                                                                                                    \
        (void)param;                                                                                                   \
        WEFT__SIMD for (int64_t i = 0; i < n; i++)                                                                     \
        {                                                                                                              \
            y[i] = weft__f_##name##_##type(c[i] != 0, a[i], b[i]);                                                     \
        }                                                                                                              \
    }

#define I64_LOOP_NUM(...) __VA_ARGS__
#define I64_LOOP_FLT(...)

#define WEFT_UNARY(ID, name, cls, ...)                                                                                 \
    UNARY_LOOP(name, float, f32)                                                                                       \
    UNARY_LOOP(name, double, f64)                                                                                      \
    I64_LOOP_##cls(UNARY_LOOP(name, int64_t, i64))
#define WEFT_UNARY_P(ID, name, cls, ...)                                                                               \
    UNARY_P_LOOP(name, float, f32)                                                                                     \
    UNARY_P_LOOP(name, double, f64)                                                                                    \
    I64_LOOP_##cls(UNARY_P_LOOP(name, int64_t, i64))
#define WEFT_BINARY(ID, name, cls, ...)                                                                                \
    BINARY_LOOP(name, float, float, f32)                                                                               \
    BINARY_LOOP(name, double, double, f64)                                                                             \
    I64_LOOP_##cls(BINARY_LOOP(name, int64_t, int64_t, i64))
#define WEFT_PREDICATE(ID, name, ...)                                                                                  \
    PREDICATE_LOOP(name, float, f32)                                                                                   \
    PREDICATE_LOOP(name, double, f64)                                                                                  \
    PREDICATE_LOOP(name, int64_t, i64)
#define WEFT_COMPARE(ID, name, ...)                                                                                    \
    BINARY_LOOP(name, float, uint8_t, f32)                                                                             \
    BINARY_LOOP(name, double, uint8_t, f64)                                                                            \
    BINARY_LOOP(name, int64_t, uint8_t, i64)
#define WEFT_INTEGER(ID, name, ...) BINARY_LOOP(name, int64_t, int64_t, i64)
#define WEFT_TERNARY(ID, name, ...)                                                                                    \
    TERNARY_LOOP(name, float, f32)                                                                                     \
    TERNARY_LOOP(name, double, f64)                                                                                    \
    TERNARY_LOOP(name, int64_t, i64)
#define WEFT_OP(ID, name, family, doc)
#include "ops/ops.def"

/* Of those with branches. */
#define QUICK_UNARY(name)                                                                                              \
    WEFT__QUICK_LOOP(quick_##name, const float *x = (const float *)in[0] + first, weft__is_quick_##name(x[k]),         \
                     weft__quick_##name(x[k]), weft__f_##name##_f32(x[k]))
#define QUICK_BINARY(name, is_quick)                                                                                   \
    WEFT__QUICK_LOOP(quick_##name, const float *a = (const float *)in[0] + first;                                      \
                     const float *b = (const float *)in[1] + first, is_quick(a[k], b[k]),                              \
                     weft__quick_##name(a[k], b[k]), weft__f_##name##_f32(a[k], b[k]))
QUICK_UNARY(lgamma)
QUICK_UNARY(digamma)
QUICK_BINARY(fmod, weft__is_quick_fmod)
QUICK_BINARY(mod, weft__is_quick_fmod)
QUICK_BINARY(floor_divide, weft__is_quick_floor_divide)

static weft__loop quick_loop(weft_op op)
{
    switch (op) {
    case WEFT_OP_LGAMMA:
        return quick_lgamma;
    case WEFT_OP_DIGAMMA:
        return quick_digamma;
    case WEFT_OP_FMOD:
        return quick_fmod;
    case WEFT_OP_MOD:
        return quick_mod;
    case WEFT_OP_FLOOR_DIVIDE:
        return quick_floor_divide;
    default:
        return NULL;
    }
}

/* ---- Operations ---- */

#define LOOPS(ID, name, cls)                                                                                           \
    [WEFT_OP_##ID] = {{name##_f32, name##_f64, WEFT__I64_OF_##cls(name##_i64)}, WEFT__CHEAP_##cls},

static const weft__loops loops_of[WEFT_OP_COUNT] = {
#define WEFT_UNARY(ID, name, cls, ...) LOOPS(ID, name, cls)
#define WEFT_UNARY_P(ID, name, cls, ...) LOOPS(ID, name, cls)
#define WEFT_BINARY(ID, name, cls, ...) LOOPS(ID, name, cls)
#define WEFT_PREDICATE(ID, name, ...) LOOPS(ID, name, NUM)
#define WEFT_COMPARE(ID, name, ...) LOOPS(ID, name, NUM)
#define WEFT_INTEGER(ID, name, ...) [WEFT_OP_##ID] = {{NULL, NULL, name##_i64}, true},
#define WEFT_TERNARY(ID, name, ...) LOOPS(ID, name, NUM)
#define WEFT_OP(ID, name, family, doc)
#include "ops/ops.def"
};

/* Runs op over n_in inputs of which the first `bytes` are truth values, like the output if `truth`. */
static weft_status run_loops(const weft__exec *e, weft_op op, int n_in, int bytes, bool truth)
{
    const weft__loops *loops = &loops_of[op];
    const weft__compute_type type = weft__compute_type_of(e->in[n_in - 1]->dtype);
    weft__map m;
    m.n_in = n_in;
    m.n_out = 1;
    m.out[0] = e->out[0];
    m.out_type[0] = truth ? WEFT__COMPUTE_BYTE : type;
    m.loop[0] = type == WEFT__COMPUTE_F32 && quick_loop(op) ? quick_loop(op) : loops->loop[type];
    m.param = e->attrs ? &e->attrs->scalar : NULL;
    m.grain = weft__loops_grain(loops, type);
    for (int k = 0; k < n_in; k++) {
        m.in[k] = e->in[k];
        m.in_type[k] = k < bytes ? WEFT__COMPUTE_BYTE : type;
    }
    if (!m.loop[0]) {
        return e->host->fail(e, WEFT_E_DTYPE, "needs a floating dtype");
    }
    return weft__run_map(e, &m);
}

/* y = f(x), f(x; p, q): x any strides, y of its shape. */
weft_status WEFT__CPU(unary)(const weft__exec *e)
{
    return run_loops(e, e->op, 1, 0, false);
}

/* y = f(x), y bool. */
weft_status WEFT__CPU(predicate)(const weft__exec *e)
{
    return run_loops(e, e->op, 1, 0, true);
}

/* y = f(a, b), a and b broadcast to y's shape by stride 0; of whole numbers, too. */
weft_status WEFT__CPU(binary)(const weft__exec *e)
{
    return run_loops(e, e->op, 2, 0, false);
}

/* y = f(a, b), y bool. */
weft_status WEFT__CPU(compare)(const weft__exec *e)
{
    return run_loops(e, e->op, 2, 0, true);
}

/* y = f(c, a, b), c bool, all broadcast to y's shape by stride 0. */
weft_status WEFT__CPU(ternary)(const weft__exec *e)
{
    return run_loops(e, e->op, 3, 1, false);
}

/* x = f(x, y) in place: in = {x, y}, out = {x}, y broadcast to x's shape by stride 0. */
weft_status WEFT__CPU(add_)(const weft__exec *e)
{
    return run_loops(e, WEFT_OP_ADD, 2, 0, false);
}

weft_status WEFT__CPU(sub_)(const weft__exec *e)
{
    return run_loops(e, WEFT_OP_SUB, 2, 0, false);
}

weft_status WEFT__CPU(mul_)(const weft__exec *e)
{
    return run_loops(e, WEFT_OP_MUL, 2, 0, false);
}

weft_status WEFT__CPU(div_)(const weft__exec *e)
{
    return run_loops(e, WEFT_OP_DIV, 2, 0, false);
}

/* The same of x alone: in = {x}, out = {x}. */
weft_status WEFT__CPU(neg_)(const weft__exec *e)
{
    return run_loops(e, WEFT_OP_NEG, 1, 0, false);
}

weft_status WEFT__CPU(relu_)(const weft__exec *e)
{
    return run_loops(e, WEFT_OP_RELU, 1, 0, false);
}

weft_status WEFT__CPU(exp_)(const weft__exec *e)
{
    return run_loops(e, WEFT_OP_EXP, 1, 0, false);
}

weft_status WEFT__CPU(sqrt_)(const weft__exec *e)
{
    return run_loops(e, WEFT_OP_SQRT, 1, 0, false);
}

weft_status WEFT__CPU(tanh_)(const weft__exec *e)
{
    return run_loops(e, WEFT_OP_TANH, 1, 0, false);
}

weft_status WEFT__CPU(sigmoid_)(const weft__exec *e)
{
    return run_loops(e, WEFT_OP_SIGMOID, 1, 0, false);
}

weft_status WEFT__CPU(clamp_)(const weft__exec *e)
{
    return run_loops(e, WEFT_OP_CLAMP, 1, 0, false);
}

weft_status WEFT__CPU(add_scalar_)(const weft__exec *e)
{
    return run_loops(e, WEFT_OP_ADD_SCALAR, 1, 0, false);
}

weft_status WEFT__CPU(mul_scalar_)(const weft__exec *e)
{
    return run_loops(e, WEFT_OP_MUL_SCALAR, 1, 0, false);
}

/* ---- masked_fill_ ---- */

#define FILL_LOOP(T, type)                                                                                             \
    static void masked_##type(int64_t n, const void *const *in, void *out, const void *param)                          \
    {                                                                                                                  \
        const uint8_t *mask = in[0];                                                                                   \
        const T *x = in[1], value = param_##type(((const weft__scalar_attrs *)param)->p);                              \
        T *y = out;                                                                                                    \
        WEFT__SIMD for (int64_t i = 0; i < n; i++)                                                                     \
        {                                                                                                              \
            y[i] = mask[i] != 0 ? value : x[i];                                                                        \
        }                                                                                                              \
    }

FILL_LOOP(float, f32)
FILL_LOOP(double, f64)
FILL_LOOP(int64_t, i64)

/* x = mask ? p : x in place: in = {x, mask}, out = {x}, the mask broadcast to x's shape by stride 0. */
weft_status WEFT__CPU(masked_fill_)(const weft__exec *e)
{
    static const weft__loops loops = {{masked_f32, masked_f64, masked_i64}, true};
    const weft__compute_type type = weft__compute_type_of(e->in[0]->dtype);
    weft__map m = {.n_in = 2,
                   .n_out = 1,
                   .in = {e->in[1], e->in[0]},
                   .out = {e->out[0]},
                   .in_type = {WEFT__COMPUTE_BYTE, type},
                   .out_type = {type},
                   .loop = {loops.loop[type]},
                   .param = &e->attrs->scalar,
                   .grain = weft__loops_grain(&loops, type)};
    return weft__run_map(e, &m);
}
