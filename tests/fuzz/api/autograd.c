/* autograd.c - leaves, backward passes, gradients as results, optimisers, data in and out. */
#include <stdlib.h>
#include <string.h>
#include "fuzz.h"
#include "harness/structs.h"

enum { MOST = 4 };

static weft_tensor *scalar_of(fuzz *f, weft_tensor *t)
{
    switch (fuzz_below(f, 4)) {
    case 0:
        return weft_sum(t, WEFT_ALL, false);
    case 1:
        return weft_mean(weft_square(t), WEFT_ALL, false);
    case 2:
        return weft_norm(t, WEFT_ALL, fuzz_chance(f, 2));
    default:
        return t;
    }
}

static int operands(fuzz *f, weft_tensor **list)
{
    int n = fuzz_below(f, MOST + 1);
    for (int k = 0; k < n; k++)
        list[k] = fuzz_operand(f);
    return n;
}

static void backward(fuzz *f)
{
    weft_tensor *t = fuzz_operand(f);
    weft_status status = weft_backward(f->ctx, scalar_of(f, t));
    if (status != weft_ctx_status(f->ctx))
        fuzz_broken(f, "weft_backward returned %s, the context holds %s", weft_status_name(status),
                    weft_status_name(weft_ctx_status(f->ctx)));
    if (fuzz_chance(f, 3))
        weft_unreached(f->ctx, NULL, NULL);
}

/* A pass that a callback may leave by longjmp; what it was doing ends with the scope. */
static void left_backward(fuzz *f)
{
    int before = f->n_marks;
    fuzz_push(f);
    if (f->n_marks == before)
        return;
    if (setjmp(f->jump) == 0) {
        f->may_jump = true;
        backward(f);
    }
    f->may_jump = f->harmless = false;
    f->guest = 0;
    while (f->n_marks > before && f->n_marks > 1)
        fuzz_pop(f);
}

static void cotangents_for(fuzz *f, weft_tensor *const *results, weft_tensor **cotangents, int n)
{
    for (int k = 0; k < n; k++) {
        cotangents[k] = fuzz_chance(f, 10) ? fuzz_operand(f) : NULL;
        if (!cotangents[k] && results[k] && weft_ctx_of(results[k]) == f->ctx)
            cotangents[k] = weft_full_like(results[k], 0.5);
    }
}

static void backward_with(fuzz *f)
{
    weft_tensor *results[MOST], *cotangents[MOST];
    int n = operands(f, results);
    bool given = fuzz_below(f, 4) > 0;
    cotangents_for(f, results, cotangents, n);
    weft_backward_with(f->ctx, results, given ? cotangents : NULL, n);
}

static void gradient(fuzz *f)
{
    weft_tensor *results[MOST], *cotangents[MOST], *inputs[MOST], *found[MOST];
    int n = operands(f, results), m = operands(f, inputs);
    cotangents_for(f, results, cotangents, n);
    memset(found, 0xFF, sizeof found);
    weft_status status = weft_grad(f->ctx, results, fuzz_chance(f, 5) ? NULL : cotangents, n, inputs, m,
                                   fuzz_below(f, 6) ? fuzz_below(f, 4) : (int)fuzz_int(f), found);
    for (int k = 0; k < m && status == WEFT_OK; k++)
        fuzz_take(f, found[k]);
}

/* Powers of the gradient: first, second and third derivatives of a row. */
static void higher(fuzz *f)
{
    int64_t shape[WEFT_MAX_DIMS];
    int ndim = fuzz_shape(f, shape);
    weft_tensor *x = weft_set_requires_grad(weft_rand(f->ctx, fuzz_dtype(f, true), shape, ndim, 0.5, 1.5), true), *g;
    weft_tensor *y = fuzz_row_named(f, &case_rows[fuzz_below(f, case_row_count)], &x, 1);
    for (int order = 0; order < 3 && y; order++) {
        weft_tensor *sum = weft_sum(y, WEFT_ALL, false);
        g = NULL;
        if (weft_grad(f->ctx, &sum, NULL, 1, &x, 1, WEFT_GRAD_CREATE_GRAPH | WEFT_GRAD_ALLOW_UNUSED, &g) != WEFT_OK)
            return;
        if (!fuzz_take(f, g))
            return;
        y = weft_mul(g, weft_full_like(x, 0.5));
    }
}

static void leaf(fuzz *f)
{
    weft_tensor *t = fuzz_operand(f);
    switch (fuzz_below(f, 5)) {
    case 0:
        weft_set_requires_grad(t, fuzz_below(f, 4) > 0);
        break;
    case 1:
        weft_zero_grad(f->ctx, &t, 1);
        break;
    case 2:
        if (t && weft_ctx_of(t) == f->ctx && weft_grad_of(t))
            fuzz_take(f, weft_clone(weft_grad_of(t)));
        break;
    case 3:
        weft_set_name(t,
                      fuzz_chance(f, 4) ? NULL : "a name that is longer than a tensor remembers, of sixty bytes or so");
        break;
    default:
        weft_clip_grad_norm(f->ctx, &t, 1, fuzz_real(f));
        weft_clip_grad_value(f->ctx, &t, 1, fuzz_real(f));
    }
}

static void optimiser(fuzz *f)
{
    weft_tensor *params[MOST];
    weft_optim *o = NULL;
    if (f->n_optims > 0 && fuzz_below(f, 3) > 0) {
        int k = fuzz_below(f, f->n_optims);
        switch (fuzz_below(f, 4)) {
        case 0:
            weft_optim_zero_grad(f->ctx, f->optims[k]);
            break;
        case 1:
            weft_optim_close(f->optims[k]);
            f->optims[k] = f->optims[--f->n_optims];
            break;
        default:
            weft_optim_step(f->ctx, f->optims[k]);
        }
        return;
    }
    int n = operands(f, params);
    const weft_adam_options adam =
        INIT_ADAM(.lr = fuzz_real(f), .weight_decay = 0.1, .allow_missing = fuzz_chance(f, 2));
    const weft_sgd_options sgd = INIT_SGD(.lr = 0.1, .momentum = fuzz_real(f), .allow_missing = fuzz_chance(f, 2));
    if (f->n_optims == FUZZ_OPTIMS)
        return;
    weft_status status = fuzz_chance(f, 2) ? weft_sgd_open(f->ctx, params, n, fuzz_chance(f, 2) ? &sgd : NULL, &o)
                                           : weft_adam_open(f->ctx, params, n, fuzz_chance(f, 2) ? &adam : NULL, &o);
    if ((status == WEFT_OK) != (o != NULL))
        fuzz_broken(f, "an optimiser's open returned %s and %s", weft_status_name(status), o ? "one" : "NULL");
    if (o)
        f->optims[f->n_optims++] = o;
}

/* ---- Data in and out ---- */

static void read_all(fuzz *f, weft_tensor *t)
{
    size_t bytes = weft_bytes(t);
    if (weft_count(t) > FUZZ_MOST_ELEMENTS)
        return;
    char *block = malloc(bytes + 1);
    if (weft_read(f->ctx, t, block, fuzz_chance(f, 20) ? bytes + 1 : bytes) == WEFT_OK && fuzz_chance(f, 3))
        weft_write(f->ctx, t, block, bytes);
    free(block);
}

static void text(fuzz *f, weft_tensor *t)
{
    char buffer[200];
    size_t size = (size_t)fuzz_below(f, (int)sizeof buffer);
    memset(buffer, 'x', sizeof buffer);
    int64_t length = weft_format(f->ctx, t, size || fuzz_chance(f, 2) ? buffer : NULL, size);
    if (length < 0 && weft_ctx_status(f->ctx) == WEFT_OK)
        fuzz_broken(f, "weft_format gave %lld without an error", (long long)length);
    if (size && !memchr(buffer, 0, size))
        fuzz_broken(f, "weft_format left no terminator in %zu bytes", size);
}

static void data(fuzz *f)
{
    weft_tensor *t = fuzz_operand(f);
    switch (fuzz_below(f, 7)) {
    case 0:
        read_all(f, t);
        break;
    case 1:
        text(f, t);
        break;
    case 2:
        weft_item(f->ctx, t);
        break;
    case 3:
        weft_item_i64(f->ctx, t);
        break;
    case 4:
        fuzz_take_share(f, weft_share(t));
        break;
    case 5:
        fuzz_take(f, weft_borrow(f->ctx, t));
        break;
    default:
        fuzz_take(f, weft_zeros_like(t));
    }
}

void fuzz_autograd_step(fuzz *f)
{
    static const struct {
        const char *name;
        void (*run)(fuzz *f);
    } kinds[] = {
        {"backward", backward}, {"backward_with", backward_with}, {"grad", gradient}, {"higher", higher},
        {"leaf", leaf},         {"optimiser", optimiser},         {"data", data},     {"left_backward", left_backward},
        {"backward", backward}};
    int k = fuzz_below(f, (int)(sizeof kinds / sizeof *kinds));
    f->at = kinds[k].name;
    kinds[k].run(f);
}
