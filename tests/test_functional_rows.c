/* test_functional_rows.c - forward mode, Jacobians and Hessians of every differentiable operation, by its samples: each
 * against the others, in f64, under the NaN watch. */
#include <math.h>
#include <stdio.h>
#include "compare/samples.h"
#include "harness/structs.h"
#include "harness/weft_test.h"

/* A sample as a function of its smooth operands. */
typedef struct smooth {
    weft_sample_call call;
    int slot[WEFT_SAMPLE_OPERANDS];
    weft_tensor *in[WEFT_SAMPLE_OPERANDS];
    int n;
} smooth;

static weft_tensor *evaluate(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    smooth *s = user;
    weft_sample_call call = s->call;
    weft_seed(c, 3); /* the same at each call */
    for (int k = 0; k < n; k++)
        call.in[s->slot[k]] = in[k];
    return weft_sample_run(&call) == WEFT_OK ? weft_sample_result(&call) : NULL;
}

static weft_tensor *squared(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    return weft_sum(weft_square(evaluate(c, in, n, user)), WEFT_ALL, false);
}

/* Of both signs, none alike. */
static weft_tensor *spread(weft_ctx *c, weft_tensor *like, double phase)
{
    weft_tensor *k = weft_arange(c, WEFT_F64, 0, (double)weft_count(like), 1);
    return weft_reshape(weft_sin(weft_add_scalar(weft_mul_scalar(k, 1.7), phase)), weft_shape(like), weft_ndim(like));
}

static double dot(weft_ctx *c, weft_tensor *const *a, weft_tensor *const *b, int n)
{
    double sum = 0;
    for (int k = 0; k < n; k++)
        if (a[k] && b[k])
            sum += weft_item(c, weft_sum(weft_mul(weft_detach(a[k]), b[k]), WEFT_ALL, false));
    return sum;
}

static double length(weft_ctx *c, weft_tensor *const *a, int n)
{
    double sum = 0;
    for (int k = 0; k < n; k++)
        if (a[k])
            sum += weft_item(c, weft_sum(weft_square(weft_detach(a[k])), WEFT_ALL, false));
    return sqrt(sum);
}

static void agree(const char *name, const char *what, double got, double want, double scale)
{
    if (!(fabs(got - want) <= 1e-9 * (scale + 1e-3)))
        WEFT_FAIL("weft_%s, %s: %.17g, not %.17g", name, what, got, want);
}

/* u^T (J v) is (J^T u) v; J v is what the Jacobian says; v^T H w is w^T H v, of the sum of squares. */
static void check_record(weft_ctx *c, const char *name, smooth *s)
{
    const int flags = WEFT_GRAD_ALLOW_UNUSED;
    weft_tensor *v[WEFT_SAMPLE_OPERANDS], *w[WEFT_SAMPLE_OPERANDS], *g[WEFT_SAMPLE_OPERANDS], *h[WEFT_SAMPLE_OPERANDS];
    weft_tensor *y = NULL, *d = NULL;
    for (int k = 0; k < s->n; k++) {
        v[k] = spread(c, s->in[k], k);
        w[k] = spread(c, s->in[k], 10 + k);
    }
    if (weft_jvp(c, s->in, v, s->n, evaluate, s, flags, &y, &d) != WEFT_OK)
        return;
    weft_tensor *u = spread(c, y, 20);
    if (weft_vjp(c, s->in, s->n, u, evaluate, s, flags, NULL, g) != WEFT_OK)
        return;
    const double size = length(c, &d, 1) * length(c, &u, 1) + length(c, g, s->n) * length(c, v, s->n);
    agree(name, "forward and reverse mode", dot(c, &d, &u, 1), dot(c, g, v, s->n), size);
    for (int k = 0; k < s->n; k++)
        if (weft_ndim(y) + weft_ndim(s->in[k]) > WEFT_MAX_DIMS) /* there is no Jacobian of so many dims */
            return;
    if (weft_jacobian(c, s->in, s->n, evaluate, s, flags, NULL, h) != WEFT_OK)
        return;
    weft_tensor *total = NULL;
    for (int k = 0; k < s->n; k++) {
        if (!h[k])
            continue;
        weft_tensor *rows = weft_reshape(h[k], WEFT_DIMS(weft_count(y), weft_count(v[k])));
        weft_tensor *part = weft_matmul(rows, weft_reshape(v[k], WEFT_DIMS(weft_count(v[k]))));
        total = total ? weft_add(total, part) : part;
    }
    if (total)
        agree(name, "the Jacobian and forward mode",
              weft_item(c, weft_norm(weft_sub(total, weft_flatten(d, 0, -1)), WEFT_ALL, false)), 0,
              length(c, &d, 1) + length(c, v, s->n));
    if (weft_hvp(c, s->in, v, s->n, squared, s, flags, NULL, g) != WEFT_OK ||
        weft_hvp(c, s->in, w, s->n, squared, s, flags, NULL, h) != WEFT_OK)
        return;
    agree(name, "the Hessian both ways", dot(c, g, w, s->n), dot(c, h, v, s->n),
          length(c, g, s->n) * length(c, w, s->n) + length(c, h, s->n) * length(c, v, s->n));
}

static int check_recipe(weft_ctx *c, int op, int recipe)
{
    const char *name = weft__ops[op].name;
    const weft_sample_options o = INIT_SAMPLE(.recipe = recipe, .dtype = WEFT_F64);
    smooth s = {.n = 0};
    const int mark = weft_scope_push(c);
    if (weft_sample_make(c, op, &o, &s.call) == WEFT_OK) {
        for (int k = 0; k < s.call.n_in; k++) {
            if (!s.call.smooth[k] || !s.call.in[k])
                continue;
            s.slot[s.n] = k;
            s.in[s.n++] = s.call.in[k];
        }
        if (s.n > 0)
            check_record(c, name, &s);
    }
    if (weft_ctx_status(c) != WEFT_OK)
        WEFT_FAIL("weft_%s, recipe %d: %s", name, recipe, weft_ctx_message(c));
    weft_ctx_clear(c);
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    return s.n > 0;
}

static void check_part(int part, int parts)
{
    int checked = 0;
    weft_ctx *c = NULL;
    weft_options o = WEFT_OPTIONS_DEFAULTS;
    o.nan_watch = true;
    WEFT_REQUIRE(weft_ctx_open(&o, &c) == WEFT_OK);
    for (int op = part; op < WEFT_OP_COUNT; op += parts) {
        weft_sample_description about;
        if (weft__ops[op].family == WEFT__KERNEL || weft_sample_describe(op, &about, sizeof about) != WEFT_OK ||
            !about.has_gradient)
            continue;
        for (int recipe = 0; recipe < about.recipes; recipe++)
            checked += check_recipe(c, op, recipe);
    }
    WEFT_CHECK(checked > 30);
    weft_test_property("recipes", checked);
    weft_ctx_close(c);
}

WEFT_TEST(FunctionalRows, FirstPart)
{
    check_part(0, 4);
}

WEFT_TEST(FunctionalRows, SecondPart)
{
    check_part(1, 4);
}

WEFT_TEST(FunctionalRows, ThirdPart)
{
    check_part(2, 4);
}

WEFT_TEST(FunctionalRows, FourthPart)
{
    check_part(3, 4);
}
