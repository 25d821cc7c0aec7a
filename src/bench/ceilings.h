/* ceilings.h - what the files of this folder share to gather ceilings. */
#ifndef WEFT_BENCH_CEILINGS_H
#define WEFT_BENCH_CEILINGS_H

#include <weft/bench.h>
#include <weft/device.h>

typedef struct weft__gather {
    weft_bench_options options;
    weft_bench_ceiling *out;
    int n;
    weft_status status; /* the first failure */
} weft__gather;

/* Measures and adds one ceiling: what has all but the value and the seconds. Nothing after a failure. */
void weft__gather_add(weft__gather *g, weft_bench_ceiling what, weft_bench_work work, void *user);

/* Loops of our own: copies and reads at several sizes, multiply-adds. */
void weft__gather_cpu(weft__gather *g, int threads);

/* Through the public operations: copies, products, transfers on a GPU; the start of an operation on any device. */
void weft__gather_gpu(weft__gather *g, weft_ctx *ctx, const weft_device_info *gpu);
void weft__gather_launch(weft__gather *g, weft_ctx *ctx);

#endif
