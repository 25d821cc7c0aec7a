/* device.c - what can be asked about devices, and waiting for one. */
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "engine/engine.h"
#include "engine/registry.h"

weft_status weft_synchronise(weft_ctx *ctx)
{
    if (!ctx)
        return WEFT_E_NULL_ARGUMENT;
    if (!weft__enter_named("synchronise", ctx, NULL, 0, 0))
        return ctx->status;
    weft_status status = ctx->backend->synchronize(ctx->device);
    if (status != WEFT_OK)
        weft__fail_device(ctx, "synchronise", status, "the device failed");
    weft__leave(ctx);
    return ctx->status;
}

int weft_device_count(const char *kind)
{
    char why[512];
    const weft__backend *backend = kind ? weft__backend_find(kind, why, sizeof why) : NULL;
    return backend ? backend->count(why, sizeof why) : 0;
}

const char *weft_device_kind(int k)
{
    return weft__backend_name(k);
}

/* What the operating system knows of the host. */
static void describe_host(weft_device_info *info)
{
    struct utsname machine;
    long page = sysconf(_SC_PAGESIZE), pages = sysconf(_SC_PHYS_PAGES), processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (uname(&machine) == 0)
        snprintf(info->name, sizeof info->name, "%.100s", machine.machine);
    if (page > 0 && pages > 0)
        info->total_memory = (size_t)page * (size_t)pages;
    info->cores = processors > 0 ? (int)processors : 0;
}

static weft_status fill(weft_device_info *info, const char *kind, int index)
{
    snprintf(info->kind, sizeof info->kind, "%s", kind);
    info->index = index;
    const weft__backend *backend = weft__backend_for(kind, index, info->note, sizeof info->note);
    if (!backend)
        return weft__backend_known(kind) && weft_device_count(kind) == 0 ? WEFT_E_DEVICE : WEFT_E_INVALID;
    if (backend->host_memory)
        describe_host(info);
    return backend->info(index, info);
}

weft_status weft_device_info_get(const char *kind, int index, weft_device_info *out, size_t size)
{
    if (!kind || !out)
        return WEFT_E_NULL_ARGUMENT;
    weft_device_info info = {0};
    const weft_status status = strlen(kind) < sizeof info.kind ? fill(&info, kind, index) : WEFT_E_INVALID;
    const weft_status written =
        weft_struct_out(NULL, "device_info_get", "weft_device_info", &info, sizeof info, out, size);
    return written == WEFT_OK ? status : written;
}

weft_status weft_ctx_device_info(const weft_ctx *ctx, weft_device_info *out, size_t size)
{
    return ctx ? weft_device_info_get(ctx->backend->name, ctx->device_index, out, size) : WEFT_E_NULL_ARGUMENT;
}
