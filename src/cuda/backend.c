/* backend.c - CUDA as a backend: its vtable and a context's state on a device. Everything of a context runs on one
 * stream of its own; the program's current device is put back after each call. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "host.h"
#include "kernels.h"

/* What device_open allocates on the host. */
typedef struct opened {
    weft__cuda_device device; /* first: a pointer to it is one to the whole */
    weft__cuda_staging staging;
} opened;

cudaError_t weft__cuda_enter(const weft__cuda_device *d, int *was)
{
    cudaError_t error = cudaGetDevice(was);
    return error == cudaSuccess && *was != d->ordinal ? cudaSetDevice(d->ordinal) : error;
}

void weft__cuda_leave(const weft__cuda_device *d, int was)
{
    if (was != d->ordinal && cudaSetDevice(was) != cudaSuccess)
        (void)cudaGetLastError();
}

/* ---- Opening and closing ---- */

static cudaError_t ask_attributes(weft__cuda_device *d)
{
    int shared = 0, shared_opt_in = 0, pools = 0;
    const struct {
        enum cudaDeviceAttr attribute;
        int *value;
    } wanted[] = {
        {cudaDevAttrMultiProcessorCount, &d->sm_count},
        {cudaDevAttrComputeCapabilityMajor, &d->compute_major},
        {cudaDevAttrComputeCapabilityMinor, &d->compute_minor},
        {cudaDevAttrMaxSharedMemoryPerBlock, &shared},
        {cudaDevAttrMaxSharedMemoryPerBlockOptin, &shared_opt_in},
        {cudaDevAttrMemoryPoolsSupported, &pools},
    };
    for (size_t k = 0; k < sizeof wanted / sizeof *wanted; k++) {
        cudaError_t error = cudaDeviceGetAttribute(wanted[k].value, wanted[k].attribute, d->ordinal);
        if (error != cudaSuccess)
            return error;
    }
    d->shared_per_block = (size_t)shared;
    d->shared_per_block_opt_in = (size_t)shared_opt_in;
    d->pools = pools != 0;
    return cudaSuccess;
}

/* With the device current. What was made before an error is released by give_back. */
static cudaError_t take_up(weft__cuda_device *d)
{
    cudaError_t error = ask_attributes(d);
    if (error == cudaSuccess)
        error = weft__cuda_probe();
    if (error == cudaSuccess)
        error = cudaStreamCreateWithFlags(&d->stream, cudaStreamNonBlocking);
    if (error == cudaSuccess)
        error = weft__cuda_staging_open(d);
    if (error == cudaSuccess && !(d->fault = weft__cuda_alloc(d, sizeof *d->fault)))
        error = cudaErrorMemoryAllocation;
    if (error == cudaSuccess)
        error = cudaMemsetAsync(d->fault, 0, sizeof *d->fault, d->stream);
    return error;
}

static void give_back(weft__cuda_device *d)
{
    if (d->stream)
        (void)cudaStreamSynchronize(d->stream);
    for (int k = WEFT__CUDA_PARTS - 1; k >= 0; k--)
        if (d->parts[k].state)
            d->parts[k].close(d, d->parts[k].state);
    weft__cuda_free(d, d->fault, sizeof *d->fault);
    if (d->stream) {
        (void)cudaStreamSynchronize(d->stream);
        (void)cudaStreamDestroy(d->stream);
    }
    weft__cuda_staging_close(d);
    (void)cudaGetLastError();
}

static weft_status refuse(const weft__cuda_device *d, cudaError_t error, char *message, size_t size)
{
    (void)cudaGetLastError();
    if (error == cudaErrorNoKernelImageForDevice || error == cudaErrorInvalidDeviceFunction)
        snprintf(message, size,
                 "the CUDA module has no kernels for this GPU, which has compute capability %d.%d; build it with "
                 "WEFT_CUDA_ARCHS including %d%d",
                 d->compute_major, d->compute_minor, d->compute_major, d->compute_minor);
    else
        snprintf(message, size, "GPU %d cannot be used: CUDA: %s (%s)", d->ordinal, cudaGetErrorString(error),
                 cudaGetErrorName(error));
    return error == cudaErrorMemoryAllocation ? WEFT_E_NOMEM : WEFT_E_DEVICE;
}

static weft_status device_open(const weft__device_options *options, void **device, char *message, size_t size)
{
    *device = NULL;
    opened *o = options->alloc(options->user, sizeof *o, 64);
    if (!o) {
        snprintf(message, size, "out of host memory for the state of a GPU");
        return WEFT_E_NOMEM;
    }
    memset(o, 0, sizeof *o);
    weft__cuda_device *d = &o->device;
    const char *sync = getenv("WEFT_SYNC");
    d->options = *options;
    d->ordinal = options->index;
    d->sync = sync && strcmp(sync, "1") == 0;
    d->staging = &o->staging;
    int was;
    cudaError_t error = weft__cuda_enter(d, &was);
    if (error == cudaSuccess) {
        error = take_up(d);
        if (error != cudaSuccess)
            give_back(d);
        weft__cuda_leave(d, was);
    }
    if (error != cudaSuccess) {
        weft_status status = refuse(d, error, message, size);
        options->free(options->user, o, sizeof *o);
        return status;
    }
    snprintf(message, size, "%s", "");
    *device = d;
    return WEFT_OK;
}

static size_t device_close(void *device)
{
    weft__cuda_device *d = device;
    weft__device_options options = d->options;
    int was = d->ordinal;
    (void)weft__cuda_enter(d, &was);
    give_back(d);
    weft__cuda_leave(d, was);
    size_t lost = d->live_bytes;
    options.free(options.user, d, sizeof(opened));
    return lost;
}

/* ---- Memory and copies ---- */

static void *device_alloc(void *device, size_t bytes)
{
    weft__cuda_device *d = device;
    int was;
    cudaError_t error = weft__cuda_enter(d, &was);
    if (error != cudaSuccess) {
        weft__cuda_fail(d, error, "allocation of device memory");
        return NULL;
    }
    void *block = weft__cuda_alloc(d, bytes);
    weft__cuda_leave(d, was);
    return block;
}

static void device_free(void *device, void *block, size_t bytes)
{
    weft__cuda_device *d = device;
    int was = d->ordinal;
    (void)weft__cuda_enter(d, &was);
    weft__cuda_free(d, block, bytes);
    weft__cuda_leave(d, was);
}

static weft_status device_to_host(void *device, void *host, const void *block, size_t bytes)
{
    weft__cuda_device *d = device;
    int was;
    cudaError_t error = weft__cuda_enter(d, &was);
    if (error != cudaSuccess)
        return weft__cuda_fail(d, error, "copy from the device");
    weft_status status = weft__cuda_to_host(d, host, block, bytes);
    weft__cuda_leave(d, was);
    return status;
}

static weft_status device_from_host(void *device, void *block, const void *host, size_t bytes)
{
    weft__cuda_device *d = device;
    int was;
    cudaError_t error = weft__cuda_enter(d, &was);
    if (error != cudaSuccess)
        return weft__cuda_fail(d, error, "copy to the device");
    weft_status status = weft__cuda_from_host(d, block, host, bytes);
    weft__cuda_leave(d, was);
    return status;
}

static weft_status device_from_device(void *device, void *block, void *other, const void *from, size_t bytes)
{
    weft__cuda_device *d = device;
    int was;
    cudaError_t error = weft__cuda_enter(d, &was);
    if (error != cudaSuccess)
        return weft__cuda_fail(d, error, "copy from another context");
    weft_status status = weft__cuda_from_device(d, block, other, from, bytes);
    weft__cuda_leave(d, was);
    return status;
}

static weft_status device_synchronize(void *device)
{
    weft__cuda_device *d = device;
    int was;
    cudaError_t error = weft__cuda_enter(d, &was);
    if (error != cudaSuccess)
        return weft__cuda_fail(d, error, "wait for the device");
    weft_status status = weft__cuda_wait(d, "wait for the device");
    weft__cuda_leave(d, was);
    return status;
}

static const char *device_message(void *device)
{
    return ((const weft__cuda_device *)device)->message;
}

static weft_status device_with_stream(void *device, weft_status (*call)(void *stream, void *user), void *user)
{
    weft__cuda_device *d = device;
    int was;
    cudaError_t error = weft__cuda_enter(d, &was);
    if (error != cudaSuccess)
        return weft__cuda_fail(d, error, "making the device current");
    weft_status status = call(d->stream, user);
    weft__cuda_leave(d, was);
    return status;
}

/* ---- Operations ---- */

/* WEFT_SYNC=1: the operation that fails is the one that is named. */
static weft_status finish(const weft__exec *e)
{
    weft__cuda_device *d = e->device;
    cudaError_t error = weft__cuda_fault_fetch(d);
    if (error == cudaSuccess)
        error = cudaStreamSynchronize(d->stream);
    if (error != cudaSuccess) {
        (void)cudaGetLastError();
        return e->host->fail(e, WEFT_E_DEVICE, "CUDA: %s (%s)", cudaGetErrorString(error), cudaGetErrorName(error));
    }
    weft__cuda_staging_idle(d);
    weft_status status = weft__cuda_fault_check(d, false);
    return status == WEFT_OK ? WEFT_OK : e->host->fail(e, status, "%s", d->message);
}

/* Calls launch with the device current. */
static weft_status run_with(const weft__exec *e, weft__kernel launch)
{
    weft__cuda_device *d = e->device;
    int was;
    cudaError_t error = weft__cuda_enter(d, &was);
    if (error != cudaSuccess) {
        (void)cudaGetLastError();
        return e->host->fail(e, WEFT_E_DEVICE, "CUDA: %s (%s)", cudaGetErrorString(error), cudaGetErrorName(error));
    }
    d->fault_possible |= e->host->checks_positions(e->op);
    weft_status status = launch(e);
    if (status == WEFT_OK && d->sync)
        status = finish(e);
    weft__cuda_leave(d, was);
    return status;
}

static weft_status run(const weft__exec *e)
{
    return run_with(e, weft__cuda_drive);
}

static weft_status run_grad(const weft__exec *e)
{
    return run_with(e, weft__cuda_kernels.grad[e->op]);
}

const weft__backend weft__cuda_backend = {
    .name = "cuda",
    .host_memory = false,
    .open = device_open,
    .close = device_close,
    .alloc = device_alloc,
    .free = device_free,
    .to_host = device_to_host,
    .from_host = device_from_host,
    .synchronize = device_synchronize,
    .from_device = device_from_device,
    .message = device_message,
    .with_stream = device_with_stream,
    .clock_open = weft__cuda_clock_open,
    .clock_close = weft__cuda_clock_close,
    .clock_mark = weft__cuda_clock_mark,
    .clock_between = weft__cuda_clock_between,
    .count = weft__cuda_count,
    .info = weft__cuda_info,
    .run =
        {
#define WEFT_UNARY(ID, ...) [WEFT_OP_##ID] = run,
#define WEFT_UNARY_P(ID, ...) [WEFT_OP_##ID] = run,
#define WEFT_PREDICATE(ID, ...) [WEFT_OP_##ID] = run,
#define WEFT_BINARY(ID, ...) [WEFT_OP_##ID] = run,
#define WEFT_COMPARE(ID, ...) [WEFT_OP_##ID] = run,
#define WEFT_INTEGER(ID, ...) [WEFT_OP_##ID] = run,
#define WEFT_TERNARY(ID, ...) [WEFT_OP_##ID] = run,
#define WEFT_REDUCE(ID, ...) [WEFT_OP_##ID] = run,
#define WEFT_CUSTOM(ID, ...) [WEFT_OP_##ID] = run,
#define WEFT_KERNEL(ID, ...) [WEFT_OP_##ID] = run,
#include "ops/ops.def"
        },
    .grad =
        {
#define WEFT_UNARY(ID, ...) [WEFT_OP_##ID] = run_grad,
#define WEFT_UNARY_P(ID, ...) [WEFT_OP_##ID] = run_grad,
#define WEFT_BINARY(ID, ...) [WEFT_OP_##ID] = run_grad,
#define WEFT_TERNARY(ID, ...) [WEFT_OP_##ID] = run_grad,
#include "ops/ops.def"
        },
};
