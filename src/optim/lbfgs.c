/* lbfgs.c - L-BFGS, in public operations: directions from the last changes of parameters and gradient, and a step along
 * them of fixed length or found by a search (wolfe.c). All parameters are one vector here. */
#include <stdio.h>
#include <string.h>
#include "wolfe.h"

static const weft_lbfgs_options defaults = WEFT_LBFGS_DEFAULTS;

static weft_status check(weft_ctx *ctx, const char *function, const void *options)
{
    const weft_lbfgs_options *o = options;
    const weft_status status = CHECK_OPTIONS(ctx, function, NOT_NEGATIVE(o, lr), NOT_NEGATIVE(o, tolerance_grad),
                                             NOT_NEGATIVE(o, tolerance_change));
    const struct {
        const char *name;
        int value;
    } counts[] = {{"max_iter", o->max_iter}, {"max_eval", o->max_eval}, {"history_size", o->history_size}};
    for (int k = 0; k < 3 && status == WEFT_OK; k++)
        if (counts[k].value < 1)
            return weft_ctx_fail(ctx, WEFT_E_INVALID, "weft_%s: %s is %d; it must be at least 1", function,
                                 counts[k].name, counts[k].value);
    return status;
}

enum { DIRECTION, GRADIENT, CHANGES, MOVES, STORED, STATES };
enum {
    ITERATIONS,
    COUNT,
    START,
    LENGTH,
    DIAGONAL,
    FIRST_RHO
}; /* places in STORED; 1 / (y s) of each pair at the end */

static unsigned states(const void *options)
{
    (void)options;
    return (1u << STATES) - 1;
}

static int64_t elements(const weft__optim *o)
{
    int64_t n = 0;
    for (int k = 0; k < o->n; k++)
        n += weft_count(o->params[k]);
    return n;
}

static weft_dtype type_of(const weft__optim *o)
{
    for (int k = 0; k < o->n; k++)
        if (weft_dtype_of(o->params[k]) == WEFT_F64)
            return WEFT_F64;
    return WEFT_F32;
}

static weft_tensor *make_state(const weft__optim *o, int state, int k)
{
    const weft_lbfgs_options *a = o->options;
    const int64_t n = elements(o);
    if (k > 0)
        return NULL;
    if (state == STORED)
        return weft_zeros(o->ctx, WEFT_F64, WEFT_DIMS(FIRST_RHO + a->history_size));
    if (state == CHANGES || state == MOVES)
        return weft_zeros(o->ctx, type_of(o), WEFT_DIMS(a->history_size, n));
    return weft_zeros(o->ctx, type_of(o), WEFT_DIMS(n));
}

/* An error stays recorded. */
static void leave(weft_ctx *ctx, int mark)
{
    const weft_status status = weft_scope_pop(ctx, mark);
    (void)status;
}

/* ---- All parameters as one vector ---- */

static weft_tensor *flat(weft_tensor *t, weft_dtype dtype)
{
    return weft_reshape(weft_cast(t, dtype), WEFT_DIMS(-1));
}

/* to[n] = weights, or gradients (0 where there is none). */
static void join(const weft__optim *o, weft_tensor *to, bool gradients)
{
    const int mark = weft_scope_push(o->ctx);
    int64_t at = 0;
    for (int k = 0; k < o->n; k++) {
        const int64_t n = weft_count(o->params[k]);
        weft_tensor *part = weft_slice(to, 0, at, at + n, 1), *g = gradients ? weft_grad_of(o->params[k]) : NULL;
        if (!gradients)
            weft_copy_(part, flat(weft__step_weights(o, k), type_of(o)));
        else if (g)
            weft_copy_(part, flat(weft_detach(g), type_of(o)));
        else
            weft_copy_(part, weft_zeros_like(part));
        at += n;
    }
    leave(o->ctx, mark);
}

static void place(const weft__optim *o, weft_tensor *x)
{
    const int mark = weft_scope_push(o->ctx);
    int64_t at = 0;
    for (int k = 0; k < o->n; k++) {
        const weft_tensor *p = o->params[k];
        const int64_t n = weft_count(p);
        weft__step_write(o, k, weft_reshape(weft_slice(x, 0, at, at + n, 1), weft_shape(p), weft_ndim(p)));
        at += n;
    }
    leave(o->ctx, mark);
}

bool weft__evaluate(weft__search *s, double t, weft__point *at)
{
    weft__optim *o = s->o;
    int mark = weft_scope_push(o->ctx);
    if (s->direction && t != 0)
        place(o, weft_add(s->x, weft_mul_scalar(s->direction, t)));
    if (weft_scope_pop(o->ctx, mark) != WEFT_OK || weft_zero_grad(o->ctx, o->params, o->n) != WEFT_OK)
        return false;
    mark = weft_scope_push(o->ctx);
    weft_set_grad_enabled(o->ctx, true);
    at->loss = s->loss(o->ctx, s->user);
    weft_set_grad_enabled(o->ctx, false);
    s->evaluations++;
    for (int k = 0; k < o->n && weft_ctx_status(o->ctx) == WEFT_OK; k++)
        if (!weft_grad_of(o->params[k]) && !o->allow_missing)
            weft_ctx_fail(o->ctx, WEFT_E_NO_GRADIENT,
                          "weft_optim_step_with: parameter %d %s has no gradient after loss; loss must call "
                          "weft_backward; set allow_missing if that is meant",
                          k, weft_name(o->params[k]));
    join(o, at->gradient, true);
    if (weft_scope_pop(o->ctx, mark) != WEFT_OK)
        return false;
    at->t = t;
    at->slope = s->direction ? weft__product(o->ctx, at->gradient, s->direction) : 0;
    return weft_ctx_status(o->ctx) == WEFT_OK;
}

double weft__product(weft_ctx *ctx, weft_tensor *a, weft_tensor *b)
{
    const int mark = weft_scope_push(ctx);
    const double product = weft_item(ctx, weft_sum(weft_mul(a, b), WEFT_ALL, false));
    return weft_scope_pop(ctx, mark) == WEFT_OK ? product : (double)NAN;
}

double weft__largest(weft_ctx *ctx, weft_tensor *a)
{
    const int mark = weft_scope_push(ctx);
    const double largest = weft_count(a) == 0 ? 0 : weft_item(ctx, weft_max_over(weft_abs(a), WEFT_ALL, false));
    return weft_scope_pop(ctx, mark) == WEFT_OK ? largest : (double)NAN;
}

/* ---- Directions ---- */

typedef struct memory {
    weft__optim *o;
    int size; /* pairs that there is room for */
    double *numbers;
} memory;

static int slot(const memory *m, int pair)
{
    return ((int)m->numbers[START] + pair) % m->size;
}

/* x += a y, without leaving anything in the scope. */
static void add_scaled(weft_tensor *x, weft_tensor *y, double a)
{
    weft_ctx *ctx = weft_ctx_of(x);
    const int mark = weft_scope_push(ctx);
    weft_add_(x, weft_mul_scalar(y, a));
    leave(ctx, mark);
}

/* The pair of the last step: y, by which the gradient changed, and s = t d. */
static void remember(memory *m, weft_tensor *gradient)
{
    weft__optim *o = m->o;
    double *number = m->numbers;
    const int mark = weft_scope_push(o->ctx);
    weft_tensor *y = weft_sub(gradient, STATE_OF(o, GRADIENT, 0));
    weft_tensor *s = weft_mul_scalar(STATE_OF(o, DIRECTION, 0), number[LENGTH]);
    const double ys = weft__product(o->ctx, y, s);
    if (ys > 1e-10) {
        if ((int)number[COUNT] == m->size)
            number[START] = slot(m, 1);
        else
            number[COUNT]++;
        const int at = slot(m, (int)number[COUNT] - 1);
        weft_copy_(weft_select(STATE_OF(o, CHANGES, 0), 0, at), y);
        weft_copy_(weft_select(STATE_OF(o, MOVES, 0), 0, at), s);
        number[FIRST_RHO + at] = 1 / ys;
        number[DIAGONAL] = ys / weft__product(o->ctx, y, y);
    }
    leave(o->ctx, mark);
}

/* d = -H g by the two loops of Nocedal 1980. alpha has room for each pair. */
static void aim(memory *m, weft_tensor *gradient, double *alpha)
{
    weft__optim *o = m->o;
    weft_tensor *d = STATE_OF(o, DIRECTION, 0);
    const int count = (int)m->numbers[COUNT], mark = weft_scope_push(o->ctx);
    weft_copy_(d, weft_neg(gradient));
    for (int k = count - 1; k >= 0; k--) {
        const int at = slot(m, k);
        alpha[k] = weft__product(o->ctx, weft_select(STATE_OF(o, MOVES, 0), 0, at), d) * m->numbers[FIRST_RHO + at];
        add_scaled(d, weft_select(STATE_OF(o, CHANGES, 0), 0, at), -alpha[k]);
    }
    weft_copy_(d, weft_mul_scalar(d, m->numbers[DIAGONAL]));
    for (int k = 0; k < count; k++) {
        const int at = slot(m, k);
        const double beta =
            weft__product(o->ctx, weft_select(STATE_OF(o, CHANGES, 0), 0, at), d) * m->numbers[FIRST_RHO + at];
        add_scaled(d, weft_select(STATE_OF(o, MOVES, 0), 0, at), alpha[k] - beta);
    }
    leave(o->ctx, mark);
}

/* ---- A step ---- */

static void new_direction(memory *m, weft_tensor *gradient, double *alpha)
{
    if (++m->numbers[ITERATIONS] > 1)
        remember(m, gradient);
    else
        m->numbers[DIAGONAL] = 1;
    aim(m, gradient, alpha);
    weft_copy_(STATE_OF(m->o, GRADIENT, 0), gradient);
}

/* The length that is tried first. */
static double first_length(weft_ctx *ctx, const memory *m, weft_tensor *gradient, double lr)
{
    if (m->numbers[ITERATIONS] > 1)
        return lr;
    const int mark = weft_scope_push(ctx);
    const double sum = weft_item(ctx, weft_sum(weft_abs(gradient), WEFT_ALL, false));
    leave(ctx, mark);
    return fmin(1, 1 / sum) * lr;
}

/* Moves x along the direction; false: it is time to end, or there was an error. */
static bool iterate(weft__search *s, memory *m, weft__point *now, int iteration)
{
    weft__optim *o = s->o;
    const weft_lbfgs_options *a = o->options;
    const double before = now->loss;
    const bool last = iteration == a->max_iter;
    double t = first_length(o->ctx, m, now->gradient, a->lr);
    m->numbers[LENGTH] = t;
    now->slope = weft__product(o->ctx, now->gradient, s->direction);
    if (!(now->slope <= -a->tolerance_change) || weft_ctx_status(o->ctx) != WEFT_OK)
        return false;
    now->t = 0;
    if (a->strong_wolfe && !weft__strong_wolfe(s, t, now, a->tolerance_change, a->max_eval - s->evaluations))
        return false;
    t = a->strong_wolfe ? now->t : t;
    m->numbers[LENGTH] = t;
    add_scaled(s->x, s->direction, t);
    place(o, s->x);
    if (!a->strong_wolfe && !last && !weft__evaluate(s, 0, now))
        return false;
    const bool done = weft__largest(o->ctx, now->gradient) <= a->tolerance_grad ||
                      weft__largest(o->ctx, s->direction) * t <= a->tolerance_change ||
                      fabs(now->loss - before) < a->tolerance_change;
    return !last && s->evaluations < a->max_eval && !done && weft_ctx_status(o->ctx) == WEFT_OK;
}

static void run(weft__search *s, memory *m, double *alpha, double *value)
{
    weft__optim *o = s->o;
    const weft_lbfgs_options *a = o->options;
    weft_tensor *numbers = STATE_OF(o, STORED, 0);
    const size_t bytes = sizeof(double) * (size_t)(FIRST_RHO + m->size);
    s->x = weft_zeros_like(STATE_OF(o, GRADIENT, 0));
    weft__point now = {.gradient = weft_zeros_like(s->x)};
    join(o, s->x, false);
    if (!weft__evaluate(s, 0, &now) || weft_read(o->ctx, numbers, m->numbers, bytes) != WEFT_OK)
        return;
    *value = now.loss;
    if (weft__largest(o->ctx, now.gradient) <= a->tolerance_grad)
        return;
    s->direction = STATE_OF(o, DIRECTION, 0);
    for (int k = 1; k <= a->max_iter; k++) {
        new_direction(m, now.gradient, alpha);
        if (!iterate(s, m, &now, k))
            break;
    }
    weft_write(o->ctx, numbers, m->numbers, bytes);
}

static weft_status search(weft__optim *o, double (*loss)(weft_ctx *ctx, void *user), void *user, double *value)
{
    const weft_lbfgs_options *a = o->options;
    weft_ctx *ctx = o->ctx;
    weft__search s = {.o = o, .loss = loss, .user = user};
    const size_t bytes = sizeof(double) * (size_t)(FIRST_RHO + 2 * a->history_size);
    memory m = {.o = o, .size = a->history_size, .numbers = weft_ctx_alloc(ctx, bytes)};
    if (!m.numbers)
        return weft_ctx_status(ctx);
    const bool recording = weft_set_grad_enabled(ctx, false);
    const int mark = weft_scope_push(ctx);
    run(&s, &m, m.numbers + FIRST_RHO + m.size, value);
    const weft_status status = weft_scope_pop(ctx, mark);
    weft_set_grad_enabled(ctx, recording);
    weft_ctx_free(ctx, m.numbers, bytes);
    return status;
}

WEFT__RULE(lbfgs) = {OPTIONS_ALONE(weft_lbfgs_options, defaults), .check = check, .states = states,
                     .make_state = make_state, .search = search};

weft_status weft_lbfgs_open(weft_ctx *ctx, weft_tensor *const *params, int n, const weft_lbfgs_options *options,
                            weft_optim **out)
{
    return weft__optim_open(ctx, "lbfgs_open", &weft__rule_lbfgs, params, n, options, out);
}
