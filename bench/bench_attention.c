/* bench_attention.c - attention at B 1, H 12, T 1024, D 64 in f32, forward and both ways, against the composition by
 * public operations and the multiply-adds that this machine can do. */
#include <math.h>
#include <stdio.h>
#include "common/limits.h"
#include "common/session.h"

enum { HEADS = 12, T = 1024, D = 64 };
enum { FUSED, FUSED_CAUSAL, COMPOSED, KINDS, CASES = 2 * KINDS };
static const char *const names[KINDS] = {"attention", "attention, causal", "matmul, softmax, matmul"};

typedef struct job {
    weft_ctx *ctx;
    weft_tensor *q, *k, *v, *g; /* [1, HEADS, T, D] */
    int kind;
    bool backward; /* forward and backward */
} job;

static weft_tensor *attend(const job *j)
{
    if (j->kind != COMPOSED)
        return weft_attention(j->q, j->k, j->v, WEFT_ATTENTION_SCALE, j->kind == FUSED_CAUSAL);
    weft_tensor *scores = weft_mul_scalar(weft_matmul(j->q, weft_transpose(j->k, -1, -2)), 1 / sqrt((double)D));
    return weft_matmul(weft_softmax(scores, -1), j->v);
}

static void run_job(void *arg, int64_t times)
{
    const job *j = arg;
    for (int64_t t = 0; t < times; t++) {
        const int mark = weft_scope_push(j->ctx);
        weft_tensor *y = attend(j), *in[] = {j->q, j->k, j->v}, *grads[3], *g = j->g;
        if (j->backward)
            weft_grad(j->ctx, &y, &g, 1, in, 3, 0, grads);
        bench_pop(j->ctx, mark);
    }
}

/* Multiplications and additions that the formula needs: two products forward, four more backward (the one that computes
 * the scores again is not counted); half of the scores where causal. */
static double flops_of(const job *j)
{
    const double product = 2.0 * HEADS * T * (double)T * D;
    return (j->backward ? 6 : 2) * product * (j->kind == FUSED_CAUSAL ? 0.5 : 1);
}

int main(int argc, char **argv)
{
    const bench_plan plan = bench_options(argc, argv, "f32 attention against its composition and the FMA peak");
    bench_fma peak = {bench_announce(&plan), 1};
    weft_ctx *ctx = bench_open(1);
    weft_tensor *t[4];
    for (int k = 0; k < 4; k++)
        t[k] = weft_randn(ctx, WEFT_F32, WEFT_DIMS(1, HEADS, T, D), 0, 1);
    for (int k = 0; k < 3; k++)
        weft_set_requires_grad(t[k], true);
    job jobs[CASES];
    bench_case cases[CASES + 1];
    for (int k = 0; k < CASES; k++) {
        jobs[k] = (job){ctx, t[0], t[1], t[2], t[3], k % KINDS, k >= KINDS};
        cases[k] = (bench_case){.run = run_job, .arg = &jobs[k], .alone = true};
    }
    cases[CASES] = (bench_case){.run = bench_run_fma, .arg = &peak, .alone = true};
    bench_measure(cases, CASES + 1, &plan);
    printf("\none thread                                     ms    GFLOP/s    of FMA peak\n");
    for (int k = 0; k < CASES; k++) {
        const double flops = flops_of(&jobs[k]);
        printf("%-24s %-16s %s %s %s%%\n", names[jobs[k].kind], jobs[k].backward ? "with gradients" : "forward",
               bench_number(1e3 * bench_median(&cases[k]), 8, 1),
               bench_number(flops / bench_median(&cases[k]) * 1e-9, 10, 1),
               bench_number(100 * bench_speed_ratio(&cases[k], flops, &cases[CASES], WEFT_BENCH_FMA_FLOPS), 10, 0));
    }
    weft_ctx_close(ctx);
}
