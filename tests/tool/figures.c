/* figures.c - a report of `weft bench` made up, with figures that are easy to divide, printed as the command prints
 * one: figures text, json, html or work (operations and bytes of gradients). test_figures.py knows what must come
 * out. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bench.h"
#include "samples.h"

static weft_bench_result around(double median)
{
    weft_bench_result r = {.times = 3, .n = 5};
    for (int k = 0; k < 5; k++)
        r.samples[k] = median * (0.5 + 0.25 * k); /* 0.5, 0.75, 1, 1.25, 1.5 times the median */
    weft_bench_summarise(&r);
    return r;
}

static void add_ceiling(bench_device *d, const char *name, weft_bench_unit unit, weft_dtype dtype, double size,
                        double value, double theory)
{
    weft_bench_ceiling *c = &d->ceilings[d->n_ceilings++];
    *c = (weft_bench_ceiling){
        .unit = unit, .dtype = dtype, .size = size, .work = size, .value = value, .theory = theory};
    c->seconds = around(1 / value);
    snprintf(c->name, sizeof c->name, "%s", name);
    snprintf(c->source, sizeof c->source, "made up");
}

static void add_case(bench_report *r, const char *name, const char *device, double bytes, double flops, double roof,
                     double median)
{
    bench_case *c = bench_add(r, "op", name, device, WEFT_F32);
    snprintf(c->what, sizeof c->what, "8x4");
    c->bytes = bytes;
    c->flops = flops;
    c->roof = roof;
    c->memory_bound = bytes > flops;
    c->seconds = around(median);
}

static void fill(bench_report *r)
{
    *r = (bench_report){.n_devices = 2};
    r->host = (machine){.cpu = "Made up", .isa = "avx2", .processors = 4, .memory = (size_t)8 << 30};
    r->plan = (bench_plan){.threads = 4, .samples = 5, .n_dtypes = 1, .dtypes = {WEFT_F32}};
    snprintf(r->devices[0].name, sizeof r->devices[0].name, "cpu");
    snprintf(r->devices[1].name, sizeof r->devices[1].name, "cuda");
    add_ceiling(&r->devices[0], "copy", WEFT_BENCH_UNIT_BYTES, WEFT_F32, 64 << 20, 12e9, 0);
    add_ceiling(&r->devices[0], "launch", WEFT_BENCH_UNIT_CALLS, WEFT_F32, 4, 5e6, 0);
    add_ceiling(&r->devices[1], "matmul", WEFT_BENCH_UNIT_FLOPS, WEFT_F32, 4096, 45e12, 60e12);
    add_case(r, "add", "cpu", 3e6, 25e4, 250e-6, 1e-3); /* 3 GB/s, 250 Mflop/s, a quarter of the limit */
    add_case(r, "matmul", "cpu", 1e6, 8e9, 1.6, 2);     /* 500 kB/s, 4 Gflop/s, 80 % */
    add_case(r, "add", "cuda", 3e6, 25e4, 6e-6, 40e-6); /* 75 GB/s, 6.25 Gflop/s, 15 %; 25 times as fast */
    add_case(r, "view", "cpu", 0, 0, (double)NAN, 500e-9);
    bench_case *bad = bench_add(r, "op", "broken", "cpu", WEFT_F32);
    snprintf(bad->error, sizeof bad->error, "it broke");
    bad->roof = (double)NAN;
}

/* name, operations, bytes of a gradient where the call costs 1000 operations and as many bytes as it has. */
static int print_work(void)
{
    static const char *const names[] = {"add", "matmul", "layer_norm", "reshape"};
    static const int64_t sizes[4] = {5, 7, 3, 2};
    weft_ctx *ctx = NULL;
    if (weft_ctx_open(NULL, &ctx) != WEFT_OK)
        return 1;
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
        sample s;
        weft_sample_call call;
        double flops, bytes;
        if (!sample_find(weft_op_find(names[k]), &s) || !sample_make(&s, ctx, WEFT_F32, sizes, 0, &call) ||
            weft_sample_work(&call, &flops, &bytes) != WEFT_OK)
            return 1;
        sample_gradient_work(&call, &flops, &bytes);
        printf("%s %.0f %.0f\n", names[k], flops, bytes);
    }
    weft_ctx_close(ctx);
    return 0;
}

int main(int argc, char **argv)
{
    static bench_report r;
    const char *how = argc > 1 ? argv[1] : "text";
    if (strcmp(how, "work") == 0)
        return print_work();
    fill(&r);
    (strcmp(how, "json") == 0   ? bench_print_json
     : strcmp(how, "html") == 0 ? bench_print_html
                                : bench_print_text)(&r, stdout);
    free(r.cases);
    return 0;
}
