/* clock.c - a clock in the stream: CUDA events, which record when the stream reaches them. */
#include "host.h"

typedef struct event_clock {
    weft__cuda_device *device;
    int n; /* events that are made */
    size_t bytes;
    cudaEvent_t events[];
} event_clock;

static void drop(event_clock *c)
{
    weft__device_options options = c->device->options;
    for (int k = 0; k < c->n; k++)
        (void)cudaEventDestroy(c->events[k]);
    (void)cudaGetLastError();
    options.free(options.user, c, c->bytes);
}

static cudaError_t make_events(event_clock *c, int n)
{
    cudaError_t error = cudaSuccess;
    while (c->n < n && error == cudaSuccess) {
        error = cudaEventCreateWithFlags(&c->events[c->n], cudaEventDefault);
        c->n += error == cudaSuccess;
    }
    return error;
}

void *weft__cuda_clock_open(void *device, int n)
{
    static const char what[] = "events for a profile";
    weft__cuda_device *d = device;
    const size_t bytes = sizeof(event_clock) + sizeof(cudaEvent_t) * (size_t)n;
    event_clock *c = d->options.alloc(d->options.user, bytes, 64);
    if (!c) {
        weft__cuda_fail(d, cudaErrorMemoryAllocation, what);
        return NULL;
    }
    c->device = d;
    c->n = 0;
    c->bytes = bytes;
    int was = d->ordinal;
    cudaError_t error = weft__cuda_enter(d, &was);
    if (error == cudaSuccess) {
        error = make_events(c, n);
        weft__cuda_leave(d, was);
    }
    if (error == cudaSuccess)
        return c;
    weft__cuda_fail(d, error, what);
    drop(c);
    return NULL;
}

void weft__cuda_clock_close(void *clock)
{
    event_clock *c = clock;
    weft__cuda_device *d = c->device;
    int was = d->ordinal;
    (void)weft__cuda_enter(d, &was);
    drop(c);
    weft__cuda_leave(d, was);
}

weft_status weft__cuda_clock_mark(void *clock, int mark)
{
    event_clock *c = clock;
    weft__cuda_device *d = c->device;
    int was;
    cudaError_t error = weft__cuda_enter(d, &was);
    if (error == cudaSuccess) {
        error = cudaEventRecord(c->events[mark], d->stream);
        weft__cuda_leave(d, was);
    }
    return error == cudaSuccess ? WEFT_OK : weft__cuda_fail(d, error, "a mark in the stream");
}

weft_status weft__cuda_clock_between(void *clock, int from, int to, double *seconds)
{
    event_clock *c = clock;
    float milliseconds = 0;
    cudaError_t error = cudaEventSynchronize(c->events[to]);
    if (error == cudaSuccess)
        error = cudaEventElapsedTime(&milliseconds, c->events[from], c->events[to]);
    *seconds = 1e-3 * (double)milliseconds;
    return error == cudaSuccess ? WEFT_OK
                                : weft__cuda_fail(c->device, error, "the time between two marks in the stream");
}
