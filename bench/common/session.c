/* session.c - see session.h. */
#include "session.h"
#include <stdio.h>
#include <stdlib.h>
#include "limits.h"

const char *bench_announce(const bench_plan *plan)
{
    static weft_device_info info;
    if (weft_device_info_get("cpu", 0, &info, sizeof info) != WEFT_OK) {
        fprintf(stderr, "%s\n", info.note);
        exit(1);
    }
    printf("weft %s on %s, kernels for %s, %d core%s; medians of %d interleaved repetition%s%s\n\n", weft_version(),
           info.name, info.isa, info.cores, info.cores == 1 ? "" : "s", plan->rounds, plan->rounds == 1 ? "" : "s",
           plan->quick ? " (--quick: the figures mean nothing)" : "");
    return info.isa;
}

void bench_print_peaks(const bench_plan *plan)
{
    static const char *const isas[] = {"avx512", "avx2", "plain"};
    double both = 0;
    printf("FMA peak, GFLOP/s on 1 and 2 threads:");
    for (int k = 0; k < 3; k++) {
        if (!bench_has_isa(isas[k]))
            continue;
        bench_fma fma[2] = {{isas[k], 1}, {isas[k], 2}};
        bench_case cases[2] = {{.run = bench_run_fma, .arg = &fma[0], .alone = true},
                               {.run = bench_run_fma, .arg = &fma[1]}};
        bench_measure(cases, 2, plan);
        const double one = bench_median(&cases[0]), two = bench_median(&cases[1]);
        printf("  %s %.1f, %.1f", isas[k], WEFT_BENCH_FMA_FLOPS / one * 1e-9, 2 * WEFT_BENCH_FMA_FLOPS / two * 1e-9);
        both = both > 2 * one / two ? both : 2 * one / two;
    }
    printf("\n");
    if (both < 1.7)
        printf("The machine is busy: two threads get %.1f times what one gets; figures for two threads say little.\n",
               both);
}

static void fail(const char *message)
{
    fprintf(stderr, "%s\n", message);
    exit(1);
}

static void print_error(void *user, weft_log_level level, const char *message)
{
    (void)user;
    if (level == WEFT_LOG_LEVEL_ERROR)
        fprintf(stderr, "%s\n", message);
}

weft_ctx *bench_open_on(const char *device, int threads)
{
    weft_ctx *ctx;
    weft_options options = WEFT_OPTIONS_DEFAULTS;
    options.device = device;
    options.threads = threads;
    options.log = print_error;
    if (weft_ctx_open(&options, &ctx) != WEFT_OK)
        exit(1);
    return ctx;
}

weft_ctx *bench_open(int threads)
{
    return bench_open_on("cpu", threads);
}

void bench_check(weft_ctx *ctx)
{
    if (weft_ctx_status(ctx) != WEFT_OK)
        fail(weft_ctx_message(ctx));
}

void bench_pop(weft_ctx *ctx, int mark)
{
    if (weft_scope_pop(ctx, mark) != WEFT_OK)
        fail(weft_ctx_message(ctx));
}
