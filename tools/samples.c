/* samples.c - see samples.h. */
#include "samples.h"
#include "sample_points.h"

#include <string.h>

bool sample_find(int index, sample *s)
{
    *s = (sample){.index = index};
    if (weft_op_describe(index, &s->op, sizeof s->op) != WEFT_OK ||
        weft_sample_describe(index, &s->how, sizeof s->how) != WEFT_OK)
        return false;
    s->rank = s->how.sizes == 4 ? 4 : 2;
    s->inner = s->how.sizes == 3;
    return !s->how.makes_state;
}

static void put_points(void *user, int k, weft_dtype dtype, double *values, int64_t count)
{
    (void)dtype;
    sample_points(user, k, values, count);
}

static weft_sample_options options_for(const sample *s, weft_dtype dtype, const int64_t *sizes)
{
    weft_sample_options o = WEFT_SAMPLE_DEFAULTS;
    o.dtype = dtype;
    memcpy(o.sizes, sizes, sizeof *sizes * (size_t)(s->rank == 4 ? 4 : 3));
    if (s->rank != 4 && o.sizes[2] == 0) /* a shape of two numbers */
        o.sizes[2] = -1;
    return o;
}

bool sample_make(const sample *s, weft_ctx *ctx, weft_dtype dtype, const int64_t *sizes, int recipe,
                 weft_sample_call *call)
{
    weft_sample_options o = options_for(s, dtype, sizes);
    o.recipe = recipe;
    o.change = put_points;
    o.user = (void *)(uintptr_t)s;
    return weft_sample_make(ctx, s->index, &o, call) == WEFT_OK;
}

bool sample_make_large(const sample *s, weft_ctx *ctx, weft_dtype dtype, const int64_t *sizes, weft_sample_call *call)
{
    weft_seed(ctx, 1);
    weft_sample_options o = options_for(s, dtype, sizes);
    o.random = true;
    return weft_sample_make(ctx, s->index, &o, call) == WEFT_OK;
}

weft_tensor *sample_run(weft_sample_call *call)
{
    return weft_sample_run(call) == WEFT_OK ? weft_sample_result(call) : NULL;
}

static double bytes_of(const weft_tensor *t)
{
    return (double)weft_count(t) * (double)weft_dtype_size(weft_dtype_of(t));
}

void sample_gradient_work(const weft_sample_call *call, double *flops, double *bytes)
{
    int n = 0;
    double moved = 0;
    for (int k = 0; k < call->n_smooth; k++)
        moved += bytes_of(call->out[k]);
    for (int k = 0; k < call->n_in; k++)
        if (call->smooth[k]) {
            n += weft_ndim(call->in[k]) >= 2;
            moved += bytes_of(call->in[k]);
        }
    *flops *= n;
    *bytes = *bytes > 0 ? moved : 0;
}
