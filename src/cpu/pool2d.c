/* pool2d.c - max and average pooling of [N, C, H, W] and their gradients, plane by plane. */
#include "vec.h"
#include "loop.h"
#include "rows.h"

enum { BLOCK = 128, LEAST_WHOLE = 4 }; /* windows that are worked on together, at most and at least */

/* N C planes; size is the larger side, pooled the smaller one. */
typedef struct planes {
    const void *in;
    void *out;
    int64_t *index; /* max pooling: where in its plane each pooled element came from */
    int64_t size[2], pooled[2];
    int64_t kernel[2], stride[2], padding[2];
} planes;

typedef struct window {
    int64_t first, last;
} window;

/* The part of window k along one axis that lies inside the plane. */
static inline window window_of(const planes *l, int axis, int64_t k)
{
    const int64_t start = k * l->stride[axis] - l->padding[axis], end = start + l->kernel[axis];
    return (window){start < 0 ? 0 : start, end > l->size[axis] ? l->size[axis] : end};
}

#define WEFT_REAL f32
#include "pool2d.inc"
#undef WEFT_REAL
#define WEFT_REAL f64
#include "pool2d.inc"
#undef WEFT_REAL

/* Runs over the planes of two [N, C, ., .] arrays. attrs NULL: no windows are needed. */
static weft_status run(const weft__exec *e, const weft__array *large, const weft__array *small, int64_t *index,
                       const weft__attrs *attrs, weft__range_fn f32, weft__range_fn f64)
{
    planes l = {.in = e->in[0]->data, .out = e->out[0]->data, .index = index};
    const int64_t n = large->shape[0] * large->shape[1];
    for (int d = 0; d < 2; d++) {
        l.size[d] = large->shape[2 + d];
        l.pooled[d] = small->shape[2 + d];
        l.kernel[d] = attrs ? attrs->pool.kernel[d] : 0;
        l.stride[d] = attrs ? attrs->pool.stride[d] : 0;
        l.padding[d] = attrs ? attrs->pool.padding[d] : 0;
    }
    if (n == 0 || e->out[0]->count == 0)
        return WEFT_OK;
    const int64_t grain = 8192 / (l.size[0] * l.size[1] + 1) + 1;
    weft__pool_for(weft__exec_pool(e), n, grain, e->out[0]->dtype == WEFT_F64 ? f64 : f32, &l);
    return WEFT_OK;
}

weft_status WEFT__CPU(max_pool2d)(const weft__exec *e)
{
    return run(e, e->in[0], e->out[0], e->out[1]->data, e->attrs, max_planes_f32, max_planes_f64);
}

weft_status WEFT__CPU(max_pool2d_grad)(const weft__exec *e)
{
    return run(e, e->out[0], e->in[0], e->in[1]->data, NULL, max_grad_planes_f32, max_grad_planes_f64);
}

weft_status WEFT__CPU(avg_pool2d)(const weft__exec *e)
{
    return run(e, e->in[0], e->out[0], NULL, e->attrs, average_planes_f32, average_planes_f64);
}

weft_status WEFT__CPU(avg_unpool2d)(const weft__exec *e)
{
    return run(e, e->out[0], e->in[0], NULL, e->attrs, spread_planes_f32, spread_planes_f64);
}
