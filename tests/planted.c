/* planted.c - see planted.h. */
#include "planted.h"

#include <math.h>
#include <string.h>

static weft__backend backend;
static struct {
    int op;
    bool grad;
    planted_bug bug;
} now;

/* The result that a bug is put into: of an optimiser step the first parameter. */
static weft__array result_of(const weft__exec *e)
{
    for (int k = 0; k < e->n_out; k++)
        if (e->out[k] && e->out[k]->count > 0)
            return *e->out[k];
    return *e->in[0];
}

static double get(const weft__array *a, int64_t k)
{
    return a->dtype == WEFT_F32   ? (double)((const float *)a->data)[k]
           : a->dtype == WEFT_I64 ? (double)((const int64_t *)a->data)[k]
                                  : (double)((const uint8_t *)a->data)[k];
}

static void set(const weft__array *a, int64_t k, double value)
{
    if (a->dtype == WEFT_F32)
        ((float *)a->data)[k] = (float)value;
    else if (a->dtype == WEFT_I64)
        ((int64_t *)a->data)[k] = (int64_t)value;
    else
        ((uint8_t *)a->data)[k] = value != 0;
}

static double largest(const weft__array *a)
{
    double most = 0;
    for (int64_t k = 0; k < a->count; k++)
        most = fmax(most, fabs(get(a, k)));
    return most;
}

static void spoil(const weft__array *a)
{
    switch (now.bug) {
    case PLANTED_ELEMENT:
        set(a, a->count / 2, get(a, a->count / 2) + (a->dtype == WEFT_F32 ? 0.01 * largest(a) : 1));
        break;
    case PLANTED_DRIFT:
        for (int64_t k = 0; k < a->count; k++)
            set(a, k, get(a, k) * (1 + 1.0 / 5000));
        break;
    case PLANTED_NAN:
        set(a, a->count - 1, (double)NAN);
        break;
    case PLANTED_SHIFT:
        for (int64_t k = a->count - 1; k > 0; k--)
            set(a, k, get(a, k - 1));
        break;
    case PLANTED_ZERO:
        set(a, a->count - 1, 0);
        break;
    default:
        break;
    }
}

static weft_status run_wrong(const weft__exec *e)
{
    const weft__backend *right = weft__cpu_backend();
    const weft__kernel kernel = now.grad ? right->grad[e->op] : right->run[e->op];
    const weft__array *in[8] = {NULL};
    weft__exec wrong = *e;
    weft__attrs attrs;
    if (e->n_in <= 8) {
        memcpy(in, e->in, sizeof *in * (size_t)e->n_in);
        wrong.in = in;
    }
    if (now.bug == PLANTED_SWAP) {
        in[0] = e->in[1];
        in[1] = e->in[0];
    }
    if (now.bug == PLANTED_NO_THIRD)
        in[2] = NULL;
    if (now.bug == PLANTED_REAL) {
        attrs = *e->attrs;
        attrs.f[0] *= 1.05;
        wrong.attrs = &attrs;
    }
    const weft_status status = now.bug == PLANTED_STALE ? WEFT_OK : kernel(&wrong);
    const weft__array result = result_of(e);
    spoil(&result);
    return status;
}

void plant(weft_ctx *ctx, int op, bool grad, planted_bug bug)
{
    backend = *weft__cpu_backend();
    backend.name = "planted";
    now.op = op;
    now.grad = grad;
    now.bug = bug;
    (grad ? backend.grad : backend.run)[op] = run_wrong;
    ctx->backend = &backend;
}
