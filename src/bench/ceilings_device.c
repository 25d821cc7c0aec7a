/* ceilings_device.c - ceilings that are measured through the operations themselves. */
#include "ceilings.h"
#include "theory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/ops.h>

typedef struct pair {
    weft_ctx *ctx;
    weft_tensor *a, *b;
    void *host;
    size_t bytes;
} pair;

static weft_status copy_work(void *user, int64_t times)
{
    const pair *p = user;
    for (int64_t k = 0; k < times; k++)
        weft_copy_(p->b, p->a);
    return weft_ctx_status(p->ctx);
}

static weft_status product_work(void *user, int64_t times)
{
    const pair *p = user;
    for (int64_t k = 0; k < times; k++) {
        int mark = weft_scope_push(p->ctx);
        weft_matmul(p->a, p->b);
        weft_status status = weft_scope_pop(p->ctx, mark);
        if (status != WEFT_OK)
            return status;
    }
    return WEFT_OK;
}

static weft_status upload_work(void *user, int64_t times)
{
    const pair *p = user;
    for (int64_t k = 0; k < times; k++)
        weft_write(p->ctx, p->a, p->host, p->bytes);
    return weft_ctx_status(p->ctx);
}

static weft_status download_work(void *user, int64_t times)
{
    const pair *p = user;
    weft_status status = WEFT_OK;
    for (int64_t k = 0; k < times && status == WEFT_OK; k++)
        status = weft_read(p->ctx, p->a, p->host, p->bytes);
    return status;
}

static void add_copy(weft__gather *g, weft_ctx *ctx, int64_t bytes, double theory)
{
    int mark = weft_scope_push(ctx);
    pair p = {.ctx = ctx, .a = weft_ones(ctx, WEFT_U8, &bytes, 1), .b = weft_zeros(ctx, WEFT_U8, &bytes, 1)};
    const double both = 2 * (double)bytes;
    weft__gather_add(g,
                     (weft_bench_ceiling){.name = "copy",
                                          .unit = WEFT_BENCH_UNIT_BYTES,
                                          .size = both,
                                          .work = both,
                                          .source = "weft_copy_",
                                          .theory = theory},
                     copy_work, &p);
    weft_status status = weft_scope_pop(ctx, mark);
    g->status = g->status == WEFT_OK ? status : g->status;
}

/* Who computes products on this GPU. */
static const char *product_source(const weft_device_info *gpu)
{
    for (int k = 0; k < gpu->n_libraries && k < WEFT_DEVICE_LIBRARIES; k++)
        if (strcmp(gpu->libraries[k].name, "cuBLASLt") == 0 && gpu->libraries[k].version[0])
            return "weft_matmul, with cuBLASLt";
    return "weft_matmul, without cuBLASLt";
}

static void add_product(weft__gather *g, weft_ctx *ctx, weft_dtype dtype, int64_t edge, const weft_device_info *gpu)
{
    int mark = weft_scope_push(ctx);
    const int64_t shape[] = {edge, edge};
    pair p = {.ctx = ctx, .a = weft_rand(ctx, dtype, shape, 2, -1, 1), .b = weft_rand(ctx, dtype, shape, 2, -1, 1)};
    const double n = (double)edge;
    weft_bench_ceiling what = {.name = "matmul",
                               .dtype = dtype,
                               .unit = WEFT_BENCH_UNIT_FLOPS,
                               .size = n,
                               .work = 2 * n * n * n,
                               .theory = weft__theory_flops(gpu, dtype)};
    snprintf(what.source, sizeof what.source, "%s", product_source(gpu));
    weft__gather_add(g, what, product_work, &p);
    weft_status status = weft_scope_pop(ctx, mark);
    g->status = g->status == WEFT_OK ? status : g->status;
}

static void add_transfers(weft__gather *g, weft_ctx *ctx, int64_t bytes)
{
    int mark = weft_scope_push(ctx);
    pair p = {.ctx = ctx, .a = weft_ones(ctx, WEFT_U8, &bytes, 1), .bytes = (size_t)bytes};
    p.host = weft_ctx_alloc(ctx, p.bytes);
    const double size = (double)bytes;
    const weft_bench_ceiling down = {.name = "device_to_host",
                                     .unit = WEFT_BENCH_UNIT_BYTES,
                                     .size = size,
                                     .work = size,
                                     .source = "weft_read"},
                             up = {.name = "host_to_device",
                                   .unit = WEFT_BENCH_UNIT_BYTES,
                                   .size = size,
                                   .work = size,
                                   .source = "weft_write"};
    if (p.host) { /* read first, so that its pages are there */
        weft__gather_add(g, down, download_work, &p);
        weft__gather_add(g, up, upload_work, &p);
    }
    weft_ctx_free(ctx, p.host, p.bytes);
    weft_status status = weft_scope_pop(ctx, mark);
    g->status = g->status == WEFT_OK ? status : g->status;
}

void weft__gather_gpu(weft__gather *g, weft_ctx *ctx, const weft_device_info *gpu)
{
    const bool little = g->options.sample_seconds == 0; /* nobody asks for figures: a small part of the work */
    const int bits = little ? 12 : 0;
    for (int64_t bytes = (int64_t)1 << 20; bytes <= (int64_t)1 << 28; bytes <<= 4)
        add_copy(g, ctx, bytes >> bits, weft__theory_memory(gpu));
    add_product(g, ctx, WEFT_F64, little ? 32 : 2048, gpu);
    add_product(g, ctx, WEFT_F32, little ? 32 : 4096, gpu);
    add_product(g, ctx, WEFT_F16, little ? 32 : 8192, gpu);
    add_product(g, ctx, WEFT_BF16, little ? 32 : 8192, gpu);
    add_transfers(g, ctx, (int64_t)1 << 26 >> bits);
}

/* ---- The start of an operation ---- */

static weft_status tiny_work(void *user, int64_t times)
{
    const pair *p = user;
    for (int64_t k = 0; k < times; k++)
        weft_add_(p->a, p->b);
    return weft_ctx_status(p->ctx);
}

void weft__gather_launch(weft__gather *g, weft_ctx *ctx)
{
    int mark = weft_scope_push(ctx);
    const int64_t shape[] = {8};
    pair p = {.ctx = ctx, .a = weft_zeros(ctx, WEFT_F32, shape, 1), .b = weft_ones(ctx, WEFT_F32, shape, 1)};
    weft__gather_add(g,
                     (weft_bench_ceiling){.name = "launch",
                                          .unit = WEFT_BENCH_UNIT_CALLS,
                                          .size = 8 * 4,
                                          .work = 1,
                                          .source = "weft_add_, 8 elements"},
                     tiny_work, &p);
    weft_status status = weft_scope_pop(ctx, mark);
    g->status = g->status == WEFT_OK ? status : g->status;
}
