/* test_elementwise.c - elementwise rows and their gradients over many tiles: whole and cut vectors, misaligned starts,
 * operands that repeat, transposed and written views, at every dtype that a row takes. */
#include "device/both.h"

#include <stdio.h>

#include "harness/weft_test.h"

static const weft_dtype floats[] = {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_BF16};
static const weft_dtype integers[] = {WEFT_I64, WEFT_I32, WEFT_I8, WEFT_U8};
enum { N_FLOATS = 4, N_INTEGERS = 4 };

/* A unit in the last place, with room for fused multiply-add: formulas are the CPU's. */
static double tolerance(weft_dtype dtype)
{
    switch (dtype) {
    case WEFT_F64:
        return 1e-13;
    case WEFT_F32:
        return 2e-6;
    case WEFT_F16:
        return 1.1e-3;
    case WEFT_BF16:
        return 8e-3;
    default:
        return 0;
    }
}

/* One way to lay out the operands of x (op) y: x has shape, y has y_shape and broadcasts to it. */
typedef struct layout {
    const char *name;
    int64_t shape[3], y_shape[3];
    int ndim;
    int64_t skip;    /* elements cut off the front of x's first dim, so that it starts misaligned */
    bool transposed; /* x is the transpose of its transpose */
} layout;

static const layout layouts[] = {
    {"dense", {9003}, {9003}, 1, 0, false},         {"whole packs", {8192}, {8192}, 1, 0, false},
    {"shorter than a pack", {1}, {1}, 1, 0, false}, {"misaligned", {4099}, {4099}, 1, 1, false},
    {"scalar", {5003}, {1}, 1, 0, false},           {"row", {67, 64}, {1, 64}, 2, 0, false},
    {"odd row", {67, 61}, {1, 61}, 2, 0, false},    {"column", {67, 64}, {67, 1}, 2, 0, false},
    {"planes", {5, 7, 48}, {1, 7, 1}, 3, 0, false}, {"rows of a tensor", {5, 7, 48}, {5, 1, 48}, 3, 0, false},
    {"transposed", {70, 33}, {70, 33}, 2, 0, true}, {"transposed with a row", {64, 32}, {1, 32}, 2, 0, true},
};
enum { N_LAYOUTS = (int)(sizeof layouts / sizeof layouts[0]) };

typedef enum what { EXP, ADD, DIV, LESS, WHERE, ADD_IN_PLACE, N_WHAT } what;
static const char *const what_names[] = {"exp", "add", "div", "lt", "where", "add_"};

typedef struct elementwise {
    const layout *how;
    weft_dtype dtype;
    what op;
} elementwise;

static weft_tensor *make_x(weft_ctx *ctx, const layout *how, weft_dtype dtype)
{
    int64_t shape[3] = {how->shape[0] + how->skip, how->shape[1], how->shape[2]};
    if (!how->transposed)
        return weft_slice(both_input(ctx, dtype, shape, how->ndim, -3, 4, 1), 0, how->skip, shape[0], 1);
    return weft_transpose(both_input(ctx, dtype, WEFT_DIMS(shape[1], shape[0]), -3, 4, 1), 0, 1);
}

static weft_tensor *run_op(weft_ctx *ctx, void *user)
{
    const elementwise *c = user;
    weft_tensor *x = make_x(ctx, c->how, c->dtype);
    weft_tensor *y = both_input(ctx, c->dtype, c->how->y_shape, c->how->ndim, 1, 5, 2);
    switch (c->op) {
    case EXP:
        return weft_exp(x);
    case ADD:
        return weft_add(x, y);
    case DIV:
        return weft_div(x, y);
    case LESS:
        return weft_lt(x, y);
    case WHERE:
        return weft_where(both_input(ctx, WEFT_BOOL, c->how->shape, c->how->ndim, 0, 2, 3), x, y);
    default:
        return weft_add_(x, y);
    }
}

static void check_op(const layout *how, weft_dtype dtype, what op)
{
    char name[96];
    elementwise c = {how, dtype, op};
    snprintf(name, sizeof name, "%s, %s, %s", what_names[op], how->name, weft_dtype_name(dtype));
    check_both(name, run_op, &c, tolerance(dtype), 0);
}

WEFT_TEST(DeviceElementwise, FloatsInEveryLayout)
{
    for (int k = 0; k < N_LAYOUTS; k++)
        for (int d = 0; d < N_FLOATS; d++)
            for (int op = 0; op < N_WHAT; op++)
                check_op(&layouts[k], floats[d], (what)op);
}

WEFT_TEST(DeviceElementwise, IntegersInEveryLayout)
{
    for (int k = 0; k < N_LAYOUTS; k++)
        for (int d = 0; d < N_INTEGERS; d++)
            for (int op = ADD; op < N_WHAT; op++)
                if (op != DIV) /* that is f32 */
                    check_op(&layouts[k], integers[d], (what)op);
}

/* ---- In place, into views ---- */

/* Every other column of a tensor, read through its transpose, is written; the tensor is returned whole. */
static weft_tensor *written_view(weft_ctx *ctx, void *user)
{
    const weft_dtype dtype = *(const weft_dtype *)user;
    weft_tensor *x = both_input(ctx, dtype, WEFT_DIMS(40, 66), 1, 9, 4);
    weft_tensor *view = weft_transpose(weft_slice(x, 1, 1, 66, 2), 0, 1);
    return weft_mul_(view, both_input(ctx, dtype, WEFT_DIMS(33, 40), 1, 9, 5)) ? x : NULL;
}

static weft_tensor *written_by_itself(weft_ctx *ctx, void *user)
{
    weft_tensor *x = weft_transpose(both_input(ctx, *(const weft_dtype *)user, WEFT_DIMS(70, 31), 1, 9, 4), 0, 1);
    const weft_dtype other = *(const weft_dtype *)user == WEFT_U8 ? WEFT_I32 : WEFT_F32; /* is converted */
    return weft_sub_(weft_add_(x, x), weft_ones(ctx, other, WEFT_DIMS(31, 1)));
}

WEFT_TEST(DeviceElementwise, InPlaceIntoViews)
{
    weft_dtype dtypes[] = {WEFT_F32, WEFT_BF16, WEFT_U8};
    for (int k = 0; k < 3; k++) {
        check_both(weft_dtype_name(dtypes[k]), written_view, &dtypes[k], tolerance(dtypes[k]), 0);
        check_both(weft_dtype_name(dtypes[k]), written_by_itself, &dtypes[k], tolerance(dtypes[k]), 0);
    }
}

/* ---- Gradients ---- */

typedef struct gradient {
    int64_t shape[2];
    weft_dtype dtype;
    bool repeated; /* the cotangent is one number */
    what op;       /* EXP: of one operand; DIV, WHERE: of two */
    int wanted;    /* bit 0: of the first operand, bit 1: of the second */
    int returned;  /* which of them */
} gradient;

static weft_tensor *run_gradient(weft_ctx *ctx, void *user)
{
    const gradient *c = user;
    weft_tensor *in[2], *d[2] = {NULL, NULL}, *g, *y;
    for (int k = 0; k < 2; k++) {
        in[k] = both_input(ctx, c->dtype, c->shape, 2, 1, 3, (uint64_t)k);
        if (c->wanted >> k & 1)
            in[k] = weft_set_requires_grad(in[k], true);
    }
    g = c->repeated ? weft_expand(both_input(ctx, c->dtype, WEFT_DIMS(1, 1), 1, 2, 3), c->shape, 2)
                    : both_input(ctx, c->dtype, c->shape, 2, -2, 2, 4);
    if (c->op == WHERE)
        y = weft_where(both_input(ctx, WEFT_BOOL, c->shape, 2, 0, 2, 5), in[0], in[1]);
    else
        y = c->op == EXP ? weft_exp(in[0]) : weft_div(in[0], in[1]);
    weft_tensor *const *of = c->wanted & 1 ? in : in + 1;
    const int n = c->wanted == 3 ? 2 : 1;
    if (weft_grad(ctx, &y, &g, 1, of, n, 0, d) != WEFT_OK)
        return NULL;
    return d[n == 2 ? c->returned : 0];
}

static void check_gradient(gradient c)
{
    char name[96];
    for (c.returned = 0; c.returned < 2; c.returned++) {
        if (!(c.wanted >> c.returned & 1))
            continue;
        snprintf(name, sizeof name, "gradient of %s, %s, wanted %d, operand %d%s", what_names[c.op],
                 weft_dtype_name(c.dtype), c.wanted, c.returned, c.repeated ? ", repeated cotangent" : "");
        check_both(name, run_gradient, &c, 4 * tolerance(c.dtype), 0);
    }
}

WEFT_TEST(DeviceElementwise, GradientsOfEitherOperand)
{
    for (int d = 0; d < N_FLOATS; d++)
        for (int repeated = 0; repeated < 2; repeated++) {
            gradient c = {{61, 43}, floats[d], repeated != 0, EXP, 1, 0};
            check_gradient(c);
            for (c.wanted = 1; c.wanted <= 3; c.wanted++) {
                c.op = DIV;
                check_gradient(c);
                c.op = WHERE;
                check_gradient(c);
            }
        }
}
