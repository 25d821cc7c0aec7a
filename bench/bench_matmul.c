/* bench_matmul.c - f32 matrix products against the multiply-adds that this machine can do, and against OpenBLAS. */
#include <stdio.h>
#include <stdlib.h>
#include "common/blas.h"
#include "common/limits.h"
#include "common/session.h"

/* batch products C[m, n] = A[m, k] B[k, n]; linear: B is a weight [n, k], and weft_linear_act does the product. */
typedef struct shape {
    const char *name;
    int64_t batch, m, k, n;
    bool linear;
    double target; /* share of the FMA peak on one thread; 0: none was set */
    weft_activation act;
} shape;

static const shape shapes[] = {
    {"64^3", 1, 64, 64, 64, false, 0, WEFT_ACTIVATION_NONE},
    {"256^3", 1, 256, 256, 256, false, 0, WEFT_ACTIVATION_NONE},
    {"512^3", 1, 512, 512, 512, false, 0.60, WEFT_ACTIVATION_NONE},
    {"1024^3", 1, 1024, 1024, 1024, false, 0.60, WEFT_ACTIVATION_NONE},
    {"linear 64x784->512", 1, 64, 784, 512, true, 0, WEFT_ACTIVATION_NONE},
    {"linear 64x256->10", 1, 64, 256, 10, true, 0, WEFT_ACTIVATION_NONE},
    {"linear 1x768->2304", 1, 1, 768, 2304, true, 0, WEFT_ACTIVATION_NONE},
    {"relu 128x784->512", 1, 128, 784, 512, true, 0, WEFT_ACTIVATION_RELU},
    {"gelu 128x784->512", 1, 128, 784, 512, true, 0, WEFT_ACTIVATION_GELU_TANH},
    {"48 x [64^3]", 48, 64, 64, 64, false, 0, WEFT_ACTIVATION_NONE},
};

/* One product on one thread count, by weft or by OpenBLAS. */
typedef struct product {
    const shape *s;
    int threads;
    weft_ctx *ctx;
    weft_tensor *a, *b;
    const float *a_data, *b_data;
    float *c_data;
} product;

static void run_weft(void *arg, int64_t times)
{
    const product *p = arg;
    for (int64_t t = 0; t < times; t++) {
        const int mark = weft_scope_push(p->ctx);
        if (p->s->linear)
            weft_linear_act(p->a, p->b, NULL, p->s->act);
        else
            weft_matmul(p->a, p->b);
        bench_pop(p->ctx, mark);
    }
}

static void run_blas(void *arg, int64_t times)
{
    const product *p = arg;
    const shape *s = p->s;
    bench_blas_threads(p->threads);
    for (int64_t t = 0; t < times; t++)
        for (int64_t i = 0; i < s->batch; i++)
            bench_blas_sgemm(s->m, s->n, s->k, p->a_data + i * s->m * s->k, p->b_data + i * s->k * s->n, s->linear,
                             p->c_data + i * s->m * s->n);
}

/* The case's operands live in the innermost scope of its context. */
static product make_product(const shape *s, weft_ctx *ctx, int threads, const float *a, const float *b, float *c)
{
    const int64_t a_shape[] = {s->batch, s->m, s->k}, b_shape[] = {s->batch, s->k, s->n}, w_shape[] = {s->n, s->k};
    const int skip = s->batch == 1;
    return (product){.s = s,
                     .threads = threads,
                     .ctx = ctx,
                     .a = weft_from_data(ctx, WEFT_F32, a_shape + skip, 3 - skip, a),
                     .b = s->linear ? weft_from_data(ctx, WEFT_F32, w_shape, 2, b)
                                    : weft_from_data(ctx, WEFT_F32, b_shape + skip, 3 - skip, b),
                     .a_data = a,
                     .b_data = b,
                     .c_data = c};
}

enum { WEFT_1, WEFT_2, BLAS_1, BLAS_2, PEAK, CASES };

static void print_row(const shape *s, const bench_case *c)
{
    const double flops = 2.0 * (double)(s->batch * s->m * s->n * s->k);
    const double best = bench_best_ratio(&c[WEFT_1], flops, &c[PEAK], WEFT_BENCH_FMA_FLOPS);
    printf("%-20s", s->name);
    for (int k = WEFT_1; k <= BLAS_2; k++)
        printf(" %s", bench_number(flops / bench_median(&c[k]) * 1e-9, 7, 1));
    printf(" %s%% %s%% %s%% ",
           bench_number(100 * bench_speed_ratio(&c[WEFT_1], flops, &c[PEAK], WEFT_BENCH_FMA_FLOPS), 6, 0),
           bench_number(50 * bench_speed_ratio(&c[WEFT_2], flops, &c[PEAK], WEFT_BENCH_FMA_FLOPS), 6, 0),
           bench_number(100 * best, 6, 0));
    printf(" %s %s", bench_number(bench_speed_ratio(&c[WEFT_1], 1, &c[BLAS_1], 1), 7, 2),
           bench_number(bench_speed_ratio(&c[WEFT_2], 1, &c[BLAS_2], 1), 7, 2));
    if (s->target > 0)
        printf("   %s %.0f %%", best >= s->target ? "reaches" : "MISSES", 100 * s->target);
    printf("\n");
}

static void measure_shape(const shape *s, weft_ctx *const ctx[2], bool blas, bench_fma *peak, const bench_plan *plan)
{
    float *a = bench_floats(s->batch * s->m * s->k), *b = bench_floats(s->batch * s->k * s->n);
    float *c = bench_floats(s->batch * s->m * s->n);
    int marks[2];
    product products[2];
    bench_case cases[CASES] = {{0}};
    for (int k = 0; k < 2; k++) {
        marks[k] = weft_scope_push(ctx[k]);
        products[k] = make_product(s, ctx[k], k + 1, a, b, c);
        cases[WEFT_1 + k] = (bench_case){.run = run_weft, .arg = &products[k], .alone = k == 0};
        if (blas)
            cases[BLAS_1 + k] = (bench_case){.run = run_blas, .arg = &products[k], .alone = k == 0};
    }
    cases[PEAK] = (bench_case){.run = bench_run_fma, .arg = peak, .alone = true};
    bench_measure(cases, CASES, plan);
    print_row(s, cases);
    for (int k = 0; k < 2; k++)
        bench_pop(ctx[k], marks[k]);
    free(a);
    free(b);
    free(c);
}

int main(int argc, char **argv)
{
    const bench_plan plan = bench_options(argc, argv, "f32 matrix products against the FMA peak and OpenBLAS");
    const char *isa = bench_announce(&plan);
    const bench_blas blas = bench_blas_open();
    bench_print_peaks(&plan);
    printf("peer: %s\n\n", blas.note);
    bench_fma peak = {isa, 1};
    weft_ctx *ctx[2] = {bench_open(1), bench_open(2)};
    printf("%-20s %15s %15s %25s %16s\n", "", "weft GFLOP/s", "OpenBLAS", "share of FMA peak", "times OpenBLAS");
    printf("%-20s %7s %7s %7s %7s %7s %7s %7s  %7s %7s\n", "threads", "1", "2", "1", "2", "1", "2", "1, best", "1",
           "2");
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++)
        measure_shape(&shapes[k], ctx, blas.there, &peak, &plan);
    weft_ctx_close(ctx[0]);
    weft_ctx_close(ctx[1]);
}
