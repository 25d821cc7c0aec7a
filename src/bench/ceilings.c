/* ceilings.c - the ceilings of a device, and the roofline that they make (bench.h). */
#include "ceilings.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <weft/device.h>
#include <weft/extend.h>

void weft__gather_add(weft__gather *g, weft_bench_ceiling what, weft_bench_work work, void *user)
{
    if (g->status != WEFT_OK || g->n == WEFT_BENCH_CEILINGS)
        return;
    g->status = weft_bench_measure(work, user, &g->options, &what.seconds);
    if (g->status != WEFT_OK)
        return;
    what.value = what.work / what.seconds.p10;
    g->out[g->n++] = what;
}

typedef struct note {
    char *text;
    size_t size;
} note;

static void keep_error(void *user, weft_log_level level, const char *message)
{
    note *n = user;
    if (level == WEFT_LOG_LEVEL_ERROR && n->text && n->size)
        snprintf(n->text, n->size, "%s", message);
}

weft_status weft_bench_ceilings(const char *device, int threads, const weft_bench_options *options,
                                weft_bench_ceiling *out, int *n, char *message, size_t size)
{
    if (!out || !n)
        return WEFT_E_NULL_ARGUMENT;
    *n = 0;
    if (message && size)
        message[0] = 0;
    weft__gather g = {.out = out};
    static const weft_bench_options usual = WEFT_BENCH_DEFAULTS;
    weft_status status = weft_struct_in(NULL, "bench_ceilings", "weft_bench_options", &usual, options, &g.options);
    if (status != WEFT_OK)
        return status;
    note log = {message, size};
    weft_ctx *ctx;
    weft_options how = WEFT_OPTIONS_DEFAULTS;
    how.device = device;
    how.threads = threads;
    how.log = keep_error;
    how.log_user = &log;
    status = weft_ctx_open(&how, &ctx);
    if (status != WEFT_OK)
        return status;
    weft_device_info info = {0};
    if (threads == -1)
        threads = weft_device_info_get("cpu", 0, &info, sizeof info) == WEFT_OK ? info.cores : 1;
    g.options.ctx = ctx;
    memset(&info, 0, sizeof info);
    if (!weft_ctx_on_host(ctx)) {
        (void)weft_ctx_device_info(ctx, &info, sizeof info); /* what it cannot tell is not known */
        weft__gather_gpu(&g, ctx, &info);
    } else {
        weft__gather_cpu(&g, threads);
    }
    weft__gather_launch(&g, ctx);
    weft_ctx_close(ctx);
    *n = g.n;
    return g.status;
}

/* ---- Roofline ---- */

static double memory_ceiling(const weft_bench_ceiling *c, int n)
{
    double size = 0, value = (double)NAN;
    for (int k = 0; k < n; k++)
        if (strcmp(c[k].name, "copy") == 0 && c[k].size >= size) {
            size = c[k].size;
            value = c[k].value;
        }
    return value;
}

static double best_flops(const weft_bench_ceiling *c, int n, weft_dtype dtype)
{
    double best = (double)NAN;
    for (int k = 0; k < n; k++)
        if (c[k].unit == WEFT_BENCH_UNIT_FLOPS && c[k].dtype == dtype)
            best = fmax(best, c[k].value);
    return best;
}

double weft_bench_roofline(const weft_bench_ceiling *ceilings, int n, weft_dtype dtype, double bytes, double flops,
                           bool *memory_bound)
{
    if (!ceilings || n < 1)
        return (double)NAN;
    double compute = best_flops(ceilings, n, dtype);
    if (isnan(compute) && weft_dtype_size(dtype) == 2) /* half types without units of their own are computed in f32 */
        compute = best_flops(ceilings, n, WEFT_F32);
    const double memory_seconds = bytes > 0 ? bytes / memory_ceiling(ceilings, n) : 0;
    const double compute_seconds = flops > 0 ? flops / compute : 0;
    if (memory_bound)
        *memory_bound = !(compute_seconds > memory_seconds);
    if (isnan(memory_seconds) || isnan(compute_seconds) || (bytes <= 0 && flops <= 0))
        return (double)NAN;
    return fmax(memory_seconds, compute_seconds);
}
