/* backend.c - the CPU as a backend: its vtable, its state for a context, its memory.
 *
 * Every entry of the vtable goes on to the kernel table of the device, which was picked for this processor when the
 * context was opened: at once for the elementwise families, which take every dtype and layout, through driver.c for the
 * others. */
#include <stdio.h>
#include <string.h>
#include "driver.h"
#include "isa.h"

enum { ALIGNMENT = 64 };

/* ---- Device ---- */

static weft_status out_of_memory(char *message, size_t size)
{
    snprintf(message, size, "out of memory for the CPU's thread pool");
    return WEFT_E_NOMEM;
}

static weft_status device_open(const weft__device_options *options, void **device, char *message, size_t size)
{
    *device = NULL;
    weft__cpu_device *d = options->alloc(options->user, sizeof *d, ALIGNMENT);
    if (!d)
        return out_of_memory(message, size);
    memset(d, 0, sizeof *d);
    d->options = *options;
    d->table = weft__cpu_isa_choose();
    d->has_vnni = weft__cpu_has_vnni(d->table);
    d->pool = weft__pool_open(options);
    if (!d->pool) {
        options->free(options->user, d, sizeof *d);
        return out_of_memory(message, size);
    }
    const char *note = weft__cpu_isa_note();
    snprintf(message, size, "%s", note ? note : "");
    *device = d;
    return WEFT_OK;
}

static size_t device_close(void *device)
{
    weft__cpu_device *d = device;
    weft__device_options options = d->options;
    weft__pool_close(d->pool);
    options.free(options.user, d, sizeof *d);
    return 0;
}

static void *device_alloc(void *device, size_t bytes)
{
    const weft__device_options *options = &((weft__cpu_device *)device)->options;
    return options->alloc(options->user, bytes, ALIGNMENT);
}

static void device_free(void *device, void *block, size_t bytes)
{
    const weft__device_options *options = &((weft__cpu_device *)device)->options;
    options->free(options->user, block, bytes);
}

static weft_status device_to_host(void *device, void *host, const void *block, size_t bytes)
{
    (void)device;
    if (bytes)
        memcpy(host, block, bytes);
    return WEFT_OK;
}

static weft_status device_from_host(void *device, void *block, const void *host, size_t bytes)
{
    (void)device;
    if (bytes)
        memcpy(block, host, bytes);
    return WEFT_OK;
}

static weft_status device_synchronize(void *device)
{
    (void)device;
    return WEFT_OK;
}

static int device_count(char *why, size_t size)
{
    snprintf(why, size, "%s", "");
    return 1;
}

static weft_status device_info(int index, weft_device_info *info)
{
    (void)index;
    const char *note = weft__cpu_isa_note();
    snprintf(info->isa, sizeof info->isa, "%s", weft__cpu_isa_choose()->isa);
    snprintf(info->note, sizeof info->note, "%s", note ? note : "");
    return WEFT_OK;
}

/* ---- Operations ---- */

static weft_status run_directly(const weft__exec *e)
{
    return ((const weft__cpu_device *)e->device)->table->run[e->op](e);
}

static weft_status run_grad(const weft__exec *e)
{
    return ((const weft__cpu_device *)e->device)->table->grad[e->op](e);
}

static const weft__backend cpu = {
    .name = "cpu",
    .host_memory = true,
    .open = device_open,
    .close = device_close,
    .alloc = device_alloc,
    .free = device_free,
    .to_host = device_to_host,
    .from_host = device_from_host,
    .synchronize = device_synchronize,
    .count = device_count,
    .info = device_info,
    .run =
        {
#define WEFT_UNARY(ID, ...) [WEFT_OP_##ID] = run_directly,
#define WEFT_UNARY_P(ID, ...) [WEFT_OP_##ID] = run_directly,
#define WEFT_PREDICATE(ID, ...) [WEFT_OP_##ID] = run_directly,
#define WEFT_BINARY(ID, ...) [WEFT_OP_##ID] = run_directly,
#define WEFT_COMPARE(ID, ...) [WEFT_OP_##ID] = run_directly,
#define WEFT_INTEGER(ID, ...) [WEFT_OP_##ID] = run_directly,
#define WEFT_TERNARY(ID, ...) [WEFT_OP_##ID] = run_directly,
#define WEFT_REDUCE(ID, ...) [WEFT_OP_##ID] = weft__cpu_drive,
#define WEFT_CUSTOM(ID, ...) [WEFT_OP_##ID] = weft__cpu_drive,
#define WEFT_KERNEL(ID, ...) [WEFT_OP_##ID] = weft__cpu_drive,
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

const weft__backend *weft__cpu_backend(void)
{
    return &cpu;
}
