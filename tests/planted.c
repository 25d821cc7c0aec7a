/* planted.c - see planted.h. */
#include "planted.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "engine/engine.h"

static weft__backend backend;
static struct {
    const weft__backend *right;
    int op;
    bool grad;
    planted_bug bug;
} now;

/* The result that a bug is put into: of an optimiser step the first parameter. */
static weft__array result_of(const weft__exec *e)
{
    if (now.bug == PLANTED_INDEX || now.bug == PLANTED_FAR_INDEX)
        return *e->out[e->n_out - 1];
    for (int k = 0; k < e->n_out; k++)
        if (e->out[k] && e->out[k]->count > 0)
            return *e->out[k];
    return *e->in[0];
}

static double get(const weft__array *a, int64_t k)
{
    switch (a->dtype) {
    case WEFT_F64:
        return ((const double *)a->data)[k];
    case WEFT_F32:
        return (double)((const float *)a->data)[k];
    case WEFT_F16:
        return (double)weft_f16_to_f32(((const uint16_t *)a->data)[k]);
    case WEFT_BF16:
        return (double)weft_bf16_to_f32(((const uint16_t *)a->data)[k]);
    case WEFT_I64:
        return (double)((const int64_t *)a->data)[k];
    case WEFT_I32:
        return (double)((const int32_t *)a->data)[k];
    case WEFT_I8:
        return (double)((const int8_t *)a->data)[k];
    default:
        return (double)((const uint8_t *)a->data)[k];
    }
}

static void set(const weft__array *a, int64_t k, double value)
{
    switch (a->dtype) {
    case WEFT_F64:
        ((double *)a->data)[k] = value;
        return;
    case WEFT_F32:
        ((float *)a->data)[k] = (float)value;
        return;
    case WEFT_F16:
        ((uint16_t *)a->data)[k] = weft_f32_to_f16((float)value);
        return;
    case WEFT_BF16:
        ((uint16_t *)a->data)[k] = weft_f32_to_bf16((float)value);
        return;
    case WEFT_I64:
        ((int64_t *)a->data)[k] = (int64_t)value;
        return;
    case WEFT_I32:
        ((int32_t *)a->data)[k] = (int32_t)value;
        return;
    case WEFT_I8:
        ((int8_t *)a->data)[k] = (int8_t)value;
        return;
    case WEFT_U8:
        ((uint8_t *)a->data)[k] = (uint8_t)value;
        return;
    default: /* bool */
        ((uint8_t *)a->data)[k] = value != 0;
    }
}

static bool is_half(const weft__array *a)
{
    return a->dtype == WEFT_F16 || a->dtype == WEFT_BF16;
}

static double largest(const weft__array *a)
{
    double most = 0;
    for (int64_t k = 0; k < a->count; k++)
        most = fmax(most, fabs(get(a, k)));
    return most;
}

/* The nearest number of 11 bits. */
static double coarse(double x)
{
    int exponent;
    const double part = frexp(x, &exponent);
    return ldexp(rint(part * 2048) / 2048, exponent);
}

static void spoil(const weft__array *a)
{
    switch (now.bug) {
    case PLANTED_ELEMENT:
        set(a, a->count / 2,
            get(a, a->count / 2) +
                (!weft_dtype_is_float((weft_dtype)a->dtype) ? 1 : (is_half(a) ? 0.125 : 0.01) * largest(a)));
        break;
    case PLANTED_DRIFT:
        for (int64_t k = 0; k < a->count; k++)
            set(a, k, get(a, k) * (1 + 1.0 / (is_half(a) ? 4 : 5000)));
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
    case PLANTED_COARSE:
        for (int64_t k = 0; k < a->count; k++)
            set(a, k, coarse(get(a, k)));
        break;
    case PLANTED_INDEX:
        for (int64_t k = 0; k < a->count; k++)
            set(a, k, get(a, k) + (fmod(get(a, k), 2) > 0 ? -1 : 1));
        break;
    case PLANTED_FAR_INDEX:
        for (int64_t k = 0; k < a->count; k++)
            set(a, k, get(a, k) >= 2 ? get(a, k) - 2 : get(a, k) + 2);
        break;
    default:
        break;
    }
}

/* On the host, wherever the array is. */
static weft_status spoil_there(const weft__exec *e, const weft__array *a)
{
    const size_t bytes = (size_t)a->count * weft_dtype_size((weft_dtype)a->dtype);
    weft__array here = *a;
    here.data = malloc(bytes + 1);
    weft_status status = now.right->to_host(e->device, here.data, a->data, bytes);
    if (status == WEFT_OK) {
        spoil(&here);
        status = now.right->from_host(e->device, a->data, here.data, bytes);
    }
    free(here.data);
    return status;
}

static weft_status run_wrong(const weft__exec *e)
{
    const weft__backend *right = now.right;
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
        attrs.numbers.f[0] *= 1.05;
        wrong.attrs = &attrs;
    }
    if (now.bug == PLANTED_COARSE) { /* the operands of a rerun are nobody else's */
        const weft_status status = spoil_there(e, e->in[0]);
        return status == WEFT_OK ? kernel(e) : status;
    }
    const weft_status status = now.bug == PLANTED_STALE ? WEFT_OK : kernel(&wrong);
    const weft__array result = result_of(e);
    return status == WEFT_OK ? spoil_there(e, &result) : status;
}

const weft__backend *planted_backend(const weft__backend *right, int op, bool grad, planted_bug bug)
{
    backend = *right;
    now.right = right;
    now.op = op;
    now.grad = grad;
    now.bug = bug;
    (grad ? backend.grad : backend.run)[op] = run_wrong;
    return &backend;
}

const weft__backend *planted_named(const weft__backend *right, const char *text)
{
    static const char *const bugs[] = {"element", "drift", "nan",  "swap",  "no_third",  "stale",
                                       "shift",   "real",  "zero", "index", "far_index", "coarse"};
    const char *colon = strchr(text, ':');
    const size_t length = colon ? (size_t)(colon - text) : 0;
    for (int op = 0; op < WEFT_OP_COUNT; op++) {
        const size_t own = strlen(weft__ops[op].name);
        if (length < own || strncmp(text, weft__ops[op].name, own) != 0)
            continue;
        const bool grad = strncmp(text + own, " (gradient):", 12) == 0;
        for (int bug = 0; (grad || own == length) && bug < (int)(sizeof bugs / sizeof *bugs); bug++)
            if (strcmp(colon + 1, bugs[bug]) == 0)
                return planted_backend(right, op, grad, (planted_bug)bug);
    }
    return NULL;
}

void plant(weft_ctx *ctx, int op, bool grad, planted_bug bug)
{
    ctx->backend = planted_backend(weft__cpu_backend(), op, grad, bug);
    backend.name = "planted";
}
