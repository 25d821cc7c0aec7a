/* bench_elementwise.c - operations that go over rows of memory, against what the memory can deliver. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/limits.h"
#include "common/session.h"

/* Operands of one size in one context. */
typedef struct operands {
    weft_ctx *ctx;
    weft_tensor *x, *y, *w, *b; /* [rows, columns] twice, [columns] twice */
} operands;

static weft_tensor *add(const operands *o)
{
    return weft_add(o->x, o->y);
}

static weft_tensor *exponential(const operands *o)
{
    return weft_exp(o->x);
}

static weft_tensor *hyperbolic(const operands *o)
{
    return weft_tanh(o->x);
}

static weft_tensor *gelu(const operands *o)
{
    return weft_gelu(o->x);
}

static weft_tensor *softmax(const operands *o)
{
    return weft_softmax(o->x, -1);
}

static weft_tensor *layer_norm(const operands *o)
{
    return weft_layer_norm(o->x, o->w, o->b, 1e-5);
}

static weft_tensor *sum(const operands *o)
{
    return weft_sum(o->x, WEFT_ALL, false);
}

typedef struct op {
    const char *name;
    weft_tensor *(*run)(const operands *o);
    bench_pass limit; /* reads and writes as much */
} op;

static const op ops[] = {
    {"add", add, BENCH_TRIAD},  {"exp", exponential, BENCH_COPY}, {"tanh", hyperbolic, BENCH_COPY},
    {"gelu", gelu, BENCH_COPY}, {"softmax", softmax, BENCH_COPY}, {"layer_norm", layer_norm, BENCH_COPY},
    {"sum", sum, BENCH_READ},
};
enum { OPS = sizeof ops / sizeof *ops, PASSES = 5, THREADS = 2, CASES = THREADS * (OPS + PASSES) };

typedef struct row {
    const op *op;
    const operands *o;
} row;

static void run_row(void *arg, int64_t times)
{
    const row *r = arg;
    for (int64_t t = 0; t < times; t++) {
        const int mark = weft_scope_push(r->o->ctx);
        r->op->run(r->o);
        bench_pop(r->o->ctx, mark);
    }
}

static operands make_operands(weft_ctx *ctx, int64_t rows, int64_t columns)
{
    return (operands){.ctx = ctx,
                      .x = weft_randn(ctx, WEFT_F32, WEFT_DIMS(rows, columns), 0, 1),
                      .y = weft_randn(ctx, WEFT_F32, WEFT_DIMS(rows, columns), 0, 1),
                      .w = weft_ones(ctx, WEFT_F32, WEFT_DIMS(columns)),
                      .b = weft_zeros(ctx, WEFT_F32, WEFT_DIMS(columns))};
}

/* The passes whose better one is the limit of ops[k]: with plain and with streaming stores. */
static const struct {
    bench_pass pass;
    bool streaming;
} passes[PASSES] = {
    {BENCH_READ, false}, {BENCH_COPY, false}, {BENCH_COPY, true}, {BENCH_TRIAD, false}, {BENCH_TRIAD, true}};

static const bench_case *faster_pass(const bench_case *limits, bench_pass pass)
{
    const bench_case *best = NULL;
    for (int k = 0; k < PASSES; k++)
        if (passes[k].pass == pass && (!best || bench_best(&limits[k]) < bench_best(best)))
            best = &limits[k];
    return best;
}

/* cases: for each thread count the operations, then the passes. */
static void print_tables(const bench_case *cases, const bench_stream *streams)
{
    const int turn = OPS + PASSES;
    for (int k = 0; k < OPS; k++) {
        double rate[THREADS], limit_rate[THREADS], share[THREADS], best[THREADS];
        for (int t = 0; t < THREADS; t++) {
            const bench_case *c = &cases[t * turn + k], *limit = faster_pass(&cases[t * turn + OPS], ops[k].limit);
            const bench_stream *s = &streams[t * PASSES + (limit - &cases[t * turn + OPS])];
            const double bytes = bench_stream_bytes(s);
            rate[t] = bytes / bench_median(c) * 1e-9;
            limit_rate[t] = bytes / bench_median(limit) * 1e-9;
            share[t] = 100 * bench_speed_ratio(c, 1, limit, 1);
            best[t] = 100 * bench_best_ratio(c, 1, limit, 1);
        }
        printf("%-14s %s %s   %s %s   %s%% %s%% %s%% %s%%\n", ops[k].name, bench_number(rate[0], 7, 1),
               bench_number(rate[1], 7, 1), bench_number(limit_rate[0], 7, 1), bench_number(limit_rate[1], 7, 1),
               bench_number(share[0], 6, 0), bench_number(share[1], 6, 0), bench_number(best[0], 6, 0),
               bench_number(best[1], 6, 0));
    }
}

static void measure_size(int64_t rows, int64_t columns, weft_ctx *const ctx[THREADS], const bench_plan *plan)
{
    const int64_t count = rows * columns;
    float *a = bench_floats(count), *b = bench_floats(count), *out = bench_floats(count);
    int marks[THREADS];
    operands o[THREADS];
    row work[THREADS * OPS];
    bench_stream streams[THREADS * PASSES];
    bench_case cases[CASES] = {{0}};
    for (int t = 0; t < THREADS; t++) {
        marks[t] = weft_scope_push(ctx[t]);
        o[t] = make_operands(ctx[t], rows, columns);
        bench_case *c = &cases[t * (OPS + PASSES)];
        for (int k = 0; k < OPS; k++) {
            work[t * OPS + k] = (row){&ops[k], &o[t]};
            c[k] = (bench_case){.run = run_row, .arg = &work[t * OPS + k], .alone = t == 0};
        }
        for (int k = 0; k < PASSES; k++) {
            streams[t * PASSES + k] = (bench_stream){.pass = passes[k].pass,
                                                     .streaming = passes[k].streaming,
                                                     .threads = t + 1,
                                                     .a = a,
                                                     .b = b,
                                                     .out = out,
                                                     .count = count};
            c[OPS + k] = (bench_case){.run = bench_run_stream, .arg = &streams[t * PASSES + k], .alone = t == 0};
        }
    }
    bench_measure(cases, CASES, plan);
    printf("[%lld, %lld], %.1f MiB each\n", (long long)rows, (long long)columns, (double)count * 4 / (1 << 20));
    print_tables(cases, streams);
    for (int t = 0; t < THREADS; t++)
        bench_pop(ctx[t], marks[t]);
    free(a);
    free(b);
    free(out);
}

int main(int argc, char **argv)
{
    const bench_plan plan = bench_options(argc, argv, "operations over rows against the bandwidth of the memory");
    bench_announce(&plan);
    weft_ctx *ctx[THREADS] = {bench_open(1), bench_open(2)};
    printf("%-14s %15s   %15s   %s\n", "", "weft GB/s", "limit GB/s", "share of the limit");
    printf("%-14s %7s %7s   %7s %7s   %7s %7s %7s %7s\n", "threads", "1", "2", "1", "2", "1", "2", "1, best",
           "2, best");
    measure_size(1024, 768, ctx, &plan);
    measure_size(plan.quick ? 1024 : 4096, 4096, ctx, &plan);
    weft_ctx_close(ctx[0]);
    weft_ctx_close(ctx[1]);
}
