/* reduce_flag.c - COUNT_NONFINITE. */
#include <stdatomic.h>
#include "base/number.h"
#include "loop.h"

enum { GRAIN = 32768 }; /* elements per chunk of work */

static void count_f32(int64_t n, const void *const *in, void *out, const void *param)
{
    const float *x = in[0];
    int64_t count = 0;
    (void)out;
    for (int64_t i = 0; i < n; i++) {
        count += (weft__bits_f32(x[i]) & 0x7f800000u) == 0x7f800000u;
    }
    if (count > 0) {
        atomic_fetch_add(*(_Atomic int64_t *const *)param, count);
    }
}

static void count_f64(int64_t n, const void *const *in, void *out, const void *param)
{
    const double *x = in[0];
    int64_t count = 0;
    (void)out;
    for (int64_t i = 0; i < n; i++) {
        count += (weft__bits_f64(x[i]) & 0x7ff0000000000000u) == 0x7ff0000000000000u;
    }
    if (count > 0) {
        atomic_fetch_add(*(_Atomic int64_t *const *)param, count);
    }
}

/* y [] i64: how many elements of x, any strides, are NaN or infinite. Integers have none. */
weft_status WEFT__CPU(count_nonfinite)(const weft__exec *e)
{
    _Atomic int64_t total = 0;
    _Atomic int64_t *where = &total;
    const weft__compute_type type = weft__compute_type_of(e->in[0]->dtype);
    weft_status status = WEFT_OK;
    if (type != WEFT__COMPUTE_I64) {
        weft__map m;
        m.n_in = 1;
        m.n_out = 0;
        m.in[0] = e->in[0];
        m.in_type[0] = type;
        m.loop[0] = type == WEFT__COMPUTE_F32 ? count_f32 : count_f64;
        m.param = &where;
        m.grain = GRAIN;
        status = WEFT__CPU(map)(e, &m);
    }
    *(int64_t *)e->out[0]->data = atomic_load(&total);
    return status;
}
