/* bench_conv.c - f32 convolution and its two gradients against the multiply-adds that this machine can do. */
#include <math.h>
#include <stdio.h>
#include "common/limits.h"
#include "common/session.h"

typedef struct shape {
    const char *name;
    int64_t n, c, k, size, kernel, stride, padding, groups; /* square images and kernels */
    double target;                                          /* share of the FMA peak on one thread; 0: none was set */
} shape;

static const shape shapes[] = {
    {"3x3 64->64 56^2", 16, 64, 64, 56, 3, 1, 1, 1, 0.40},    {"1x1 64->256 56^2", 16, 64, 256, 56, 1, 1, 0, 1, 0},
    {"3x3/2 128->128 56^2", 16, 128, 128, 56, 3, 2, 1, 1, 0}, {"3x3 512->512 7^2", 16, 512, 512, 7, 3, 1, 1, 1, 0},
    {"7x7/2 3->64 224^2", 4, 3, 64, 224, 7, 2, 3, 1, 0},      {"3x3 depthwise 64 56^2", 16, 64, 64, 56, 3, 1, 1, 64, 0},
};

enum { FORWARD, DATA, WEIGHT, PARTS, PEAK = 2 * PARTS };
static const char *const part_names[PARTS] = {"forward", "data gradient", "weight gradient"};

/* Operands of one shape in one context. */
typedef struct layer {
    const shape *s;
    weft_ctx *ctx;
    weft_tensor *x, *w, *g; /* [N, C, H, H], [K, C/groups, R, R], [N, K, H', H'] */
    weft_conv2d_params params;
} layer;

/* What one case times. */
typedef struct part {
    const layer *l;
    int which;
} part;

static void run_part(void *arg, int64_t times)
{
    const part *p = arg;
    const layer *l = p->l;
    const int64_t kernel[] = {l->s->kernel, l->s->kernel};
    for (int64_t t = 0; t < times; t++) {
        const int mark = weft_scope_push(l->ctx);
        if (p->which == FORWARD)
            weft_conv2d(l->x, l->w, NULL, &l->params);
        else if (p->which == DATA)
            weft_conv2d_transpose(l->g, l->w, NULL, &l->params);
        else
            weft_conv2d_weight(l->x, l->g, kernel, &l->params);
        bench_pop(l->ctx, mark);
    }
}

static int64_t output_size(const shape *s)
{
    return (s->size + 2 * s->padding - s->kernel) / s->stride + 1;
}

static layer make_layer(const shape *s, weft_ctx *ctx)
{
    const int64_t out = output_size(s), rest = s->size - ((out - 1) * s->stride - 2 * s->padding + s->kernel);
    return (layer){.s = s,
                   .ctx = ctx,
                   .x = weft_randn(ctx, WEFT_F32, WEFT_DIMS(s->n, s->c, s->size, s->size), 0, 1),
                   .w = weft_randn(ctx, WEFT_F32, WEFT_DIMS(s->k, s->c / s->groups, s->kernel, s->kernel), 0, 1),
                   .g = weft_randn(ctx, WEFT_F32, WEFT_DIMS(s->n, s->k, out, out), 0, 1),
                   .params = {.struct_size = sizeof(weft_conv2d_params),
                              .stride = {s->stride, s->stride},
                              .padding = {s->padding, s->padding},
                              .dilation = {1, 1},
                              .output_padding = {rest, rest},
                              .groups = s->groups}};
}

/* Multiplications and additions, those with padding counted: the same for the gradients. */
static double flops_of(const shape *s)
{
    const double out = (double)output_size(s);
    return 2.0 * (double)(s->n * s->k * (s->c / s->groups) * s->kernel * s->kernel) * out * out;
}

static void measure_shape(const shape *s, weft_ctx *const ctx[2], bench_fma *peak, const bench_plan *plan)
{
    int marks[2];
    layer layers[2];
    part parts[PEAK];
    bench_case cases[PEAK + 1];
    for (int t = 0; t < 2; t++) {
        marks[t] = weft_scope_push(ctx[t]);
        layers[t] = make_layer(s, ctx[t]);
        for (int k = 0; k < PARTS; k++) {
            parts[2 * k + t] = (part){&layers[t], k};
            cases[2 * k + t] = (bench_case){.run = run_part, .arg = &parts[2 * k + t], .alone = t == 0};
        }
    }
    cases[PEAK] = (bench_case){.run = bench_run_fma, .arg = peak, .alone = true};
    bench_measure(cases, PEAK + 1, plan);
    const double flops = flops_of(s);
    for (int k = 0; k < PARTS; k++) {
        const bench_case *one = &cases[2 * k], *two = one + 1;
        const double best = bench_best_ratio(one, flops, &cases[PEAK], WEFT_BENCH_FMA_FLOPS);
        printf("%-22s %-16s %s %s %s%% %s%% %s%%", k == 0 ? s->name : "", part_names[k],
               bench_number(flops / bench_median(one) * 1e-9, 7, 1),
               bench_number(flops / bench_median(two) * 1e-9, 7, 1),
               bench_number(100 * bench_speed_ratio(one, flops, &cases[PEAK], WEFT_BENCH_FMA_FLOPS), 6, 0),
               bench_number(50 * bench_speed_ratio(two, flops, &cases[PEAK], WEFT_BENCH_FMA_FLOPS), 6, 0),
               bench_number(100 * best, 6, 0));
        if (s->target > 0)
            printf("   %s %.0f %%", best >= s->target ? "reaches" : "MISSES", 100 * s->target);
        printf("\n");
    }
    for (int t = 0; t < 2; t++)
        bench_pop(ctx[t], marks[t]);
}

int main(int argc, char **argv)
{
    const bench_plan plan = bench_options(argc, argv, "f32 convolutions against the FMA peak");
    const char *isa = bench_announce(&plan);
    bench_print_peaks(&plan);
    bench_fma peak = {isa, 1};
    weft_ctx *ctx[2] = {bench_open(1), bench_open(2)};
    printf("\n%-39s %15s %25s\n", "", "GFLOP/s", "share of FMA peak");
    printf("%-39s %7s %7s %7s %7s %7s\n", "threads", "1", "2", "1", "2", "1, best");
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++)
        measure_shape(&shapes[k], ctx, &peak, &plan);
    weft_ctx_close(ctx[0]);
    weft_ctx_close(ctx[1]);
}
