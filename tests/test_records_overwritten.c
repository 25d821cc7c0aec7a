/* test_records_overwritten.c - every differentiable operation, by its samples: what it took and what it gave is
 * overwritten after the call, one after the other and by each kind of writer, and the gradient is an error that names
 * the operation, or to the bit what it would have been; that of the gradient, too, where what arrived at the first one
 * and what it gave are overwritten as well. So a record is found that does not say all that its derivative
 * reads. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine/engine.h"
#include "base/op_def.h"
#include "harness/structs.h"
#include "harness/weft_test.h"
#include "samples/device.h"
#include "samples/layout.h"

enum { MOST = WEFT_SAMPLE_OPERANDS, MOST_REPORTS = 6 };

/* How something is overwritten. */
typedef enum manner {
    WHOLE,    /* by weft_fill_ */
    COPIED,   /* by weft_copy_ */
    PARTLY,   /* one slice of it, through a view */
    THROUGH,  /* the operand was a view, and is overwritten through its base; results: as PARTLY */
    ADDED_TO, /* by weft_add_; truth values: as COPIED */
    WRITTEN,  /* by weft_write, with the bytes of 0 */
    STEPPED,  /* by weft_sgd_step, with a gradient of ones; where it takes no such tensor: as COPIED */
    MANNERS
} manner;

typedef enum moment { NEVER, BEFORE_FIRST, BEFORE_SECOND } moment;

/* One call and what is done to it. */
typedef struct trial {
    weft_ctx *ctx;
    int op, recipe, order;
    weft_dtype dtype;
    moment when;
    manner how;
    int target; /* operand, or n_in + result, or behind those a cotangent or gradient of the first order: of_graph */
    weft_sample_call call;
    weft_tensor *cotangents[MOST], *first[MOST]; /* of the pass that has just ended */
    weft_tensor *leaves[MOST], *bases[MOST];     /* base: of the operand of the same place */
    int n_leaves;
    bool refused; /* it cannot be overwritten: an expanded tensor */
} trial;

/* ---- Values ---- */

static weft_tensor *pattern_like(weft_tensor *t, int k)
{
    const int64_t count = weft_count(t);
    double *values = calloc((size_t)count + 1, sizeof *values);
    for (int64_t e = 0; e < count; e++)
        values[e] = 0.3 + 0.25 * (double)((e * 7 + k * 3) % 11);
    weft_tensor *made = weft_from_data(weft_ctx_of(t), WEFT_F64, weft_shape(t), weft_ndim(t), values);
    free(values);
    return weft_cast(made, weft_dtype_of(t));
}

/* Values of n tensors one after the other; the caller's to free. NULLs count as nothing. */
static double *values_of(weft_ctx *c, weft_tensor *const *t, int n, int64_t *count)
{
    *count = 0;
    for (int k = 0; k < n; k++)
        *count += t[k] ? weft_count(t[k]) : 0;
    double *all = calloc((size_t)*count + 1, sizeof *all), *at = all;
    for (int k = 0; k < n; k++)
        if (t[k]) {
            const size_t bytes = (size_t)weft_count(t[k]) * sizeof *all;
            WEFT_CHECK_OK(weft_read(c, weft_cast(t[k], WEFT_F64), at, bytes));
            at += weft_count(t[k]);
        }
    return all;
}

/* ---- Overwriting ---- */

static bool is_expanded(const weft_tensor *t)
{
    for (int d = 0; d < t->a.ndim; d++)
        if (t->a.strides[d] == 0 && t->a.shape[d] > 1)
            return true;
    return false;
}

/* The target as the number of what a graph of the gradient may have kept, cotangents first; < 0: it is none of it. */
static int of_graph(const trial *t)
{
    return t->target - t->call.n_in - t->call.n_out;
}

static weft_tensor *target_of(const trial *t)
{
    const int k = t->target, n_cotangents = t->call.n_smooth;
    if (of_graph(t) >= n_cotangents)
        return t->first[of_graph(t) - n_cotangents];
    if (of_graph(t) >= 0)
        return t->cotangents[of_graph(t)];
    if (k >= t->call.n_in)
        return t->call.out[k - t->call.n_in];
    return t->how == THROUGH && t->bases[k] ? t->bases[k] : t->call.in[k];
}

static void write_zeros(weft_tensor *x)
{
    const size_t bytes = weft_dtype_size(weft_dtype_of(x)) * (size_t)weft_count(x);
    char *zeros = calloc(bytes + 1, 1);
    weft_write(weft_ctx_of(x), x, zeros, bytes);
    free(zeros);
}

/* False: x is none that a step takes. */
static bool step(weft_tensor *x)
{
    if (!weft_dtype_is_float(weft_dtype_of(x)) || !weft_is_contiguous(x))
        return false;
    weft_tensor *ones = weft_full_like(x, 1);
    const weft_step_lists lists = INIT_STEP_LISTS(.params = &x, .grads = &ones, .n = 1, .step = 1);
    weft_sgd_step(weft_ctx_of(x), &lists, &WITH_SGD(.lr = 0.5));
    return true;
}

static void copy_over(weft_tensor *x)
{
    weft_copy_(x, weft_mul_scalar(weft_cast(x, WEFT_F64), 0));
}

/* Indices and truth values become others that are fine, too. */
static void change(trial *t, weft_tensor *x)
{
    const bool is_float = weft_dtype_is_float(weft_dtype_of(x)), is_bool = weft_dtype_of(x) == WEFT_BOOL;
    const double value = is_float ? 0.625 : 1;
    if (t->how == WRITTEN)
        write_zeros(x);
    else if (t->how == ADDED_TO && !is_bool)
        weft_add_(x, is_float ? weft_full_like(x, value) : weft_neg(x));
    else if (t->how == COPIED || t->how == ADDED_TO || (t->how == STEPPED && !step(x)))
        copy_over(x);
    else if ((t->how == PARTLY || t->how == THROUGH) && weft_ndim(x) > 0 && weft_size(x, 0) > 0)
        weft_fill_(weft_slice(x, 0, 0, 1, 1), value);
    else if (t->how != STEPPED)
        weft_fill_(x, value);
}

static void overwrite(trial *t)
{
    weft_tensor *x = target_of(t);
    const bool was = weft_set_grad_enabled(t->ctx, false);
    t->refused = is_expanded(x);
    if (!t->refused)
        change(t, x);
    weft_set_grad_enabled(t->ctx, was);
}

/* ---- One trial ---- */

static void make_leaves(trial *t)
{
    for (int k = 0; k < t->call.n_in; k++) {
        weft_tensor *x = t->call.in[k];
        if (!x)
            continue;
        x = weft_clone(x);
        weft_copy_(x, weft_clone(x)); /* it has been changed before, which does not matter */
        if (t->call.smooth[k])
            t->leaves[t->n_leaves++] = weft_set_requires_grad(x, true);
        t->bases[k] = x;
        t->call.in[k] = t->how == THROUGH ? weft_reshape(x, weft_shape(x), weft_ndim(x)) : x;
    }
}

static bool begin(trial *t)
{
    weft_sample_options o = INIT_SAMPLE(.recipe = t->recipe, .dtype = t->dtype, .sizes = {3, 4, -1});
    if (strchr(weft__defs[t->op]->recipes[t->recipe].operands, 'd'))
        memcpy(o.sizes, (const int64_t[]){2, 2, 4, 4}, sizeof o.sizes);
    memset(&t->call, 0, sizeof t->call);
    memset(t->bases, 0, sizeof t->bases);
    t->n_leaves = 0;
    t->refused = false;
    if (weft_sample_make(t->ctx, t->op, &o, &t->call) != WEFT_OK)
        return false;
    make_leaves(t);
    weft_seed(t->ctx, 7); /* the same random numbers at each call */
    return weft_sample_run(&t->call) == WEFT_OK;
}

/* The gradient of the gradients, each weighed, as far as they have one. */
static weft_status second(trial *t, weft_tensor *const *first, weft_tensor **found)
{
    weft_tensor *wanted[MOST], *weights[MOST];
    int n = 0;
    for (int k = 0; k < t->n_leaves; k++)
        if (first[k] && weft_requires_grad(first[k])) {
            wanted[n] = first[k];
            weights[n++] = pattern_like(first[k], k + 5);
        }
    if (t->when == BEFORE_SECOND)
        overwrite(t);
    return n == 0 ? WEFT_OK
                  : weft_grad(t->ctx, wanted, weights, n, t->leaves, t->n_leaves, WEFT_GRAD_ALLOW_UNUSED, found);
}

/* Values of the gradients of t's order, or NULL after an error, which stays in the context. */
static double *gradients(trial *t, int64_t *count)
{
    weft_tensor **cotangents = t->cotangents, **first = t->first, *found[MOST] = {NULL};
    memset(t->first, 0, sizeof t->first);
    if (!begin(t))
        return NULL;
    for (int k = 0; k < t->call.n_smooth; k++)
        cotangents[k] = pattern_like(t->call.out[k], k);
    if (t->when == BEFORE_FIRST)
        overwrite(t);
    const int flags = WEFT_GRAD_ALLOW_UNUSED | (t->order > 1 ? WEFT_GRAD_CREATE_GRAPH : 0);
    weft_status status =
        weft_grad(t->ctx, t->call.out, cotangents, t->call.n_smooth, t->leaves, t->n_leaves, flags, first);
    if (status == WEFT_OK && t->order > 1)
        status = second(t, first, found);
    return status == WEFT_OK ? values_of(t->ctx, t->order > 1 ? found : first, t->n_leaves, count) : NULL;
}

/* ---- All of a row ---- */

static const char *target_name(const trial *t, char text[32])
{
    const int k = of_graph(t), n_cotangents = t->call.n_smooth;
    if (k >= n_cotangents)
        snprintf(text, 32, "gradient %d", k - n_cotangents);
    else if (k >= 0)
        snprintf(text, 32, "cotangent %d", k);
    else if (t->target < t->call.n_in)
        snprintf(text, 32, "operand %d", t->target);
    else
        snprintf(text, 32, "result %d", t->target - t->call.n_in);
    return text;
}

static void report(const trial *t, const char *what)
{
    static const char *const hows[] = {"filled",   "copied over", "filled in part",   "filled through its base",
                                       "added to", "written",     "changed by a step"};
    char name[32];
    if (weft_test_failures() < MOST_REPORTS)
        WEFT_FAIL("%s, recipe %d, %s, %s %s before the %s gradient of order %d: %s: %s", weft__ops[t->op].name,
                  t->recipe, weft_dtype_name(t->dtype), target_name(t, name), hows[t->how],
                  t->when == BEFORE_FIRST ? "first" : "second", t->order, what, weft_ctx_message(t->ctx));
}

static bool same(const double *a, const double *b, int64_t n)
{
    for (int64_t e = 0; e < n; e++)
        if (!(a[e] == b[e] || (isnan(a[e]) && isnan(b[e]))))
            return false;
    return true;
}

/* What is made of other operations (composites, batch_norm by running values) has an error that names the part which
 * needed the value; so has the gradient of a gradient. */
static bool names_operation(const trial *t)
{
    const weft_tensor *y = t->call.out[0];
    const bool whole = y && y->node && y->node->op == t->op;
    return !whole || t->order > 1 || strstr(weft_ctx_message(t->ctx), weft__ops[t->op].name);
}

static void try_one(trial *t, const double *want, int64_t n_want, int *errors)
{
    int64_t n = 0;
    const int mark = weft_scope_push(t->ctx);
    double *got = gradients(t, &n);
    if (!got) {
        const bool fine = weft_ctx_status(t->ctx) == WEFT_E_OVERWRITTEN && names_operation(t);
        *errors += fine;
        if (!fine)
            report(t, "another error");
    } else if (n != n_want || !same(got, want, n)) {
        report(t, "the gradient is another, without an error");
    }
    free(got);
    weft_ctx_clear(t->ctx);
    WEFT_CHECK_OK(weft_scope_pop(t->ctx, mark));
}

static bool has_target(const trial *t)
{
    if (of_graph(t) >= 0)
        return target_of(t) != NULL;
    if (t->target < t->call.n_in)
        return t->call.in[t->target] != NULL;
    weft_tensor *y = t->call.out[t->target - t->call.n_in];
    for (int k = 0; k < t->call.n_in; k++)
        if (y == t->call.in[k])
            return false;
    return true;
}

static void try_all(weft_ctx *c, int op, int recipe, weft_dtype dtype, int order, int *errors)
{
    trial t = {.ctx = c, .op = op, .recipe = recipe, .dtype = dtype, .order = order};
    weft_tensor *first[MOST];
    int64_t n = 0;
    const int mark = weft_scope_push(c);
    double *want = gradients(&t, &n);
    const weft_sample_call undisturbed = t.call;
    if (!want)
        WEFT_FAIL("%s, recipe %d, %s: order %d is an error by itself: %s", weft__ops[op].name, recipe,
                  weft_dtype_name(dtype), order, weft_ctx_message(c));
    const int n_graph = order > 1 ? undisturbed.n_smooth + t.n_leaves : 0;
    memcpy(first, t.first, sizeof first);
    for (t.target = 0; want && t.target < undisturbed.n_in + undisturbed.n_out + n_graph; t.target++) {
        t.call = undisturbed;
        memcpy(t.first, first, sizeof first);
        if (!has_target(&t))
            continue;
        const int earliest = of_graph(&t) >= 0 ? BEFORE_SECOND : BEFORE_FIRST;
        for (int how = 0; how < MANNERS; how++)
            for (int when = earliest; when <= order; when++) {
                t.how = (manner)how;
                t.when = (moment)when;
                try_one(&t, want, n, errors);
            }
    }
    free(want);
    weft_ctx_clear(c);
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
}

static void check_row(void *user)
{
    const int op = *(const int *)user;
    const weft__op_def *def = weft__defs[op];
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c);
    int errors = 0;
    for (int r = 0; r < WEFT__MAX_RECIPES && def->recipes[r].operands; r++) {
        try_all(c, op, r, WEFT_F64, 1, &errors);
        try_all(c, op, r, WEFT_BF16, 1, &errors);
        try_all(c, op, r, WEFT_F64, 2, &errors);
    }
    if (def->vjp && (def->reads || def->reads_by) && errors == 0)
        WEFT_FAIL("%s: the derivative reads, but nothing that is overwritten is an error", weft__ops[op].name);
    weft_test_property("errors", errors);
    test_ctx_close(c, &memory);
}

static int ops[WEFT_OP_COUNT];

WEFT_TEST_INIT(overwritten)
{
    for (int op = 0; op < weft_op_count(); op++) {
        weft_sample_description how = {0};
        if (weft_sample_describe(op, &how, sizeof how) != WEFT_OK || !how.has_gradient)
            continue;
        ops[op] = op;
        weft_test_add("RecordsOverwritten", weft__ops[op].name, check_row, &ops[op], __FILE__, __LINE__);
    }
}
