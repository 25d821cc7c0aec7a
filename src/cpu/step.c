/* step.c - optimiser steps on parameters that the kernels do not take, which know f32 and f64 and no master weights. */
#include <string.h>
#include "base/op_def.h"
#include "driver.h"

/* in holds lists of n arrays one after the other, as many as the record says: params, grads, state, master weights. All
 * but the gradients are changed in place. The kernel steps f32 or f64 parameters: for a half one its master weights, or
 * a copy. */

enum { MAX_LISTS = WEFT__MAX_DEF_OPERANDS, PARAMS = 0, GRADS = 1 };

typedef struct stepping {
    const weft__exec *e;
    weft__kernel kernel;
    int64_t n;
    int lists; /* the last one: master weights */
    void *scratch[MAX_LISTS];
} stepping;

static const weft__array *entry(const stepping *s, int list, int64_t k)
{
    return s->e->in[list * s->n + k];
}

/* to = from, converting; both of one shape. */
static weft_status copy(const weft__exec *e, const weft__array *from, weft__array *to)
{
    return weft__copy_within(e, weft__cpu_needs.copy, from, to);
}

static bool steps_directly(const weft__array *a)
{
    return !a || (a->contiguous && (a->dtype == WEFT_F32 || a->dtype == WEFT_F64));
}

/* Scratch for one entry at a time, as large as the largest converted array of each list, so that a model in half
 * precision is not doubled in memory by its own step. */
static weft_status step_scratch(stepping *s)
{
    for (int list = 0; list < s->lists; list++) {
        size_t most = 0;
        for (int64_t k = 0; k < s->n; k++) {
            const weft__array *a = entry(s, list, k);
            size_t bytes = 0;
            if (!steps_directly(a))
                (void)weft__bytes_of(a->count, weft_dtype_size((weft_dtype)weft__wide_dtype(a->dtype)), &bytes);
            most = bytes > most ? bytes : most;
        }
        s->scratch[list] = most ? s->e->host->scratch(s->e, most) : NULL;
        if (most && !s->scratch[list])
            return WEFT_E_NOMEM;
    }
    return WEFT_OK;
}

/* *made = a, contiguous, in the dtype that kernels compute in, in scratch memory. */
static weft_status widen(const stepping *s, int list, const weft__array *a, weft__array *made)
{
    *made = *a;
    made->dtype = weft__wide_dtype(a->dtype);
    made->contiguous = true;
    weft__row_major(a->shape, a->ndim, made->strides);
    made->data = s->scratch[list];
    return copy(s->e, a, made);
}

/* Where a half parameter is not its master weights rounded, it was written since: they start from it. */
static weft_status take_up(const stepping *s, const weft__array *p, weft__array *master)
{
    if (steps_directly(p) || p->count == 0)
        return WEFT_OK;
    size_t bytes; /* of a tensor's array: they have been checked */
    (void)weft__bytes_of(p->count, weft_dtype_size((weft_dtype)p->dtype), &bytes);
    weft__array rounded = *p;
    rounded.data = s->scratch[PARAMS];
    weft_status status = copy(s->e, master, &rounded);
    if (status != WEFT_OK || memcmp(rounded.data, p->data, bytes) == 0)
        return status;
    const uint16_t *was = rounded.data, *is = p->data;
    float *to = master->data;
    for (int64_t i = 0; i < p->count; i++)
        if (was[i] != is[i])
            to[i] = p->dtype == WEFT_F16 ? weft_f16_to_f32(is[i]) : weft_bf16_to_f32(is[i]);
    return WEFT_OK;
}

/* Entry k of the lists by itself. */
static weft_status step_one(const stepping *s, int64_t k)
{
    const int last = s->lists - 1;
    const weft__array *in[MAX_LISTS];
    weft__array made[MAX_LISTS];
    weft_status status = WEFT_OK;
    for (int list = 0; list < last && status == WEFT_OK; list++) {
        const weft__array *a = entry(s, list, k);
        in[list] = a;
        if (list == PARAMS && entry(s, last, k)) {
            made[PARAMS] = *entry(s, last, k);
            in[PARAMS] = &made[PARAMS];
            status = take_up(s, a, &made[PARAMS]);
        } else if (!steps_directly(a)) {
            in[list] = &made[list];
            status = widen(s, list, a, &made[list]);
        }
    }
    if (status != WEFT_OK)
        return status;
    in[last] = NULL; /* stepped above, as the parameter */
    weft__exec one = *s->e;
    one.in = in;
    one.n_in = s->lists;
    status = s->kernel(&one);
    for (int list = 0; list < last && status == WEFT_OK; list++) {
        weft__array own;
        if (list == GRADS || in[list] == entry(s, list, k))
            continue;
        own = *entry(s, list, k);
        status = copy(s->e, in[list], &own);
    }
    return status;
}

weft_status weft__cpu_step(const weft__exec *e, weft__kernel kernel)
{
    stepping s = {.e = e, .kernel = kernel, .lists = weft__defs[e->op]->n_in};
    s.n = e->n_in / s.lists;
    bool direct = true;
    for (int k = 0; k < e->n_in && direct; k++)
        direct = steps_directly(e->in[k]) && (k < (s.lists - 1) * s.n || !e->in[k]);
    if (direct)
        return kernel(e);
    weft_status status = step_scratch(&s);
    for (int64_t k = 0; k < s.n && status == WEFT_OK; k++)
        status = step_one(&s, k);
    return status;
}
