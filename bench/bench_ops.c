/* bench_ops.c - operations, forward and backward, on any device: bytes and flops a second, and the share of a copy of
 * memory as large, measured in turns with them. On a GPU the arrays are larger than its caches; a repetition queues an
 * operation several times and waits once. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/session.h"

typedef struct sizes {
    int64_t rows, columns; /* of the operations over rows */
    int64_t product;       /* edge of the square products */
    int64_t batch, side;   /* convolutions: [batch, 64, side, side] by [64, 64, 3, 3] */
} sizes;

/* What is measured: result(s) from x and others; backward runs the recorded graph of y again. */
typedef struct subject {
    weft_ctx *ctx;
    weft_tensor *x, *y, *w, *b, *classes; /* inputs */
    weft_tensor *out, *cotangent;         /* a recorded result and its gradient, where the derivative is measured */
    const struct op *op;
} subject;

typedef struct op {
    const char *name;
    weft_tensor *(*forward)(const subject *s);
    double passes;          /* over x's bytes, forward: reads and writes that cannot be saved */
    double backward_passes; /* likewise, of the derivative; 0: not measured */
} op;

static weft_tensor *copy(const subject *s)
{
    return weft_copy_(s->y, s->x);
}

static weft_tensor *add(const subject *s)
{
    return weft_add(s->x, s->y);
}

static weft_tensor *add_row(const subject *s)
{
    return weft_add(s->x, s->b);
}

static weft_tensor *exponential(const subject *s)
{
    return weft_exp(s->x);
}

static weft_tensor *gelu(const subject *s)
{
    return weft_gelu(s->x);
}

static weft_tensor *relu(const subject *s)
{
    return weft_relu(s->x);
}

static weft_tensor *transposed(const subject *s)
{
    return weft_contiguous(weft_transpose(s->x, 0, 1));
}

static weft_tensor *softmax(const subject *s)
{
    return weft_softmax(s->x, -1);
}

static weft_tensor *cross_entropy(const subject *s)
{
    return weft_cross_entropy(s->x, s->classes);
}

static weft_tensor *layer_norm(const subject *s)
{
    return weft_layer_norm(s->x, s->w, s->b, 1e-5);
}

static weft_tensor *rms_norm(const subject *s)
{
    return weft_rms_norm(s->x, s->w, 1e-5);
}

static weft_tensor *sum_all(const subject *s)
{
    return weft_sum(s->x, WEFT_ALL, false);
}

static weft_tensor *sum_rows(const subject *s)
{
    return weft_sum(s->x, WEFT_AXES(0), false);
}

static weft_tensor *dropout(const subject *s)
{
    return weft_dropout(s->x, 0.1, true);
}

static const op row_ops[] = {
    {"copy", copy, 2, 0},
    {"add", add, 3, 0},
    {"add [row]", add_row, 2, 0},
    {"relu", relu, 2, 3},
    {"exp", exponential, 2, 3},
    {"gelu", gelu, 2, 3},
    {"transpose", transposed, 2, 0},
    {"sum", sum_all, 1, 0},
    {"sum of columns", sum_rows, 1, 0},
    {"softmax", softmax, 2, 3},
    {"cross_entropy", cross_entropy, 1, 2},
    {"layer_norm", layer_norm, 2, 3},
    {"rms_norm", rms_norm, 2, 3},
    {"dropout", dropout, 2.25, 2.25},
};
enum { ROW_OPS = sizeof row_ops / sizeof *row_ops };

static weft_tensor *product(const subject *s)
{
    return weft_matmul(s->x, s->y);
}

static weft_tensor *linear(const subject *s)
{
    return weft_linear(s->x, s->y, s->b);
}

static weft_tensor *convolution(const subject *s)
{
    return weft_conv2d(s->x, s->y, NULL, &(weft_conv2d_params){.padding = {1, 1}});
}

static const op flop_ops[] = {{"matmul", product, 0, 2}, {"linear", linear, 0, 2}, {"conv2d 3x3", convolution, 0, 2}};
enum { FLOP_OPS = sizeof flop_ops / sizeof *flop_ops };

static void run_forward(void *arg, int64_t times)
{
    const subject *s = arg;
    for (int64_t t = 0; t < times; t++) {
        const int mark = weft_scope_push(s->ctx);
        s->op->forward(s);
        bench_pop(s->ctx, mark);
    }
    weft_synchronize(s->ctx);
    bench_check(s->ctx);
}

static void run_backward(void *arg, int64_t times)
{
    const subject *s = arg;
    for (int64_t t = 0; t < times; t++) {
        const int mark = weft_scope_push(s->ctx);
        weft_tensor *inputs[] = {s->x, s->y}, *gradients[2];
        const int n = weft_requires_grad(s->y) ? 2 : 1;
        weft_grad(s->ctx, &s->out, &s->cotangent, 1, inputs, gradients, n, 0);
        bench_pop(s->ctx, mark);
    }
    weft_synchronize(s->ctx);
    bench_check(s->ctx);
}

/* ---- Output ---- */

typedef struct report {
    FILE *json;
    bool first;
} report;

static void report_begin(report *r, const bench_plan *plan, const weft_device_info *info)
{
    *r = (report){.first = true};
    if (!plan->json)
        return;
    r->json = fopen(plan->json, "w");
    if (!r->json) {
        fprintf(stderr, "%s: cannot be written\n", plan->json);
        exit(1);
    }
    fprintf(r->json,
            "{\"program\": \"bench_ops\", \"weft\": \"%s\", \"device\": \"%s\", \"name\": \"%s\", \"driver\": \"%s\", "
            "\"runtime\": \"%s\", \"quick\": %s, \"rounds\": %d, \"libraries\": {",
            weft_version(), info->kind, info->name, info->driver, info->runtime, plan->quick ? "true" : "false",
            plan->rounds);
    for (int k = 0; k < info->n_libraries; k++)
        fprintf(r->json, "%s\"%s\": \"%s\"", k ? ", " : "", info->libraries[k].name, info->libraries[k].version);
    fprintf(r->json, "}, \"results\": [");
}

/* One line of the table, and one object. bytes or flops is 0 where it says nothing. */
static void report_add(report *r, const char *name, const char *way, weft_dtype dtype, const bench_case *c,
                       double bytes, double flops, double share)
{
    const double seconds = bench_median(c);
    printf("%-16s %-9s %-5s %s us", name, way, weft_dtype_name(dtype), bench_number(seconds * 1e6, 10, 1));
    if (flops > 0)
        printf("   %s TFLOP/s%s%s%s\n", bench_number(flops / seconds * 1e-12, 8, 2), isnan(share) ? "" : " ",
               isnan(share) ? "" : bench_number(100 * share, 5, 0), isnan(share) ? "" : "% of the fastest algorithm");
    else
        printf("   %s GB/s   %s%% of a copy\n", bench_number(bytes / seconds * 1e-9, 8, 1),
               bench_number(100 * share, 5, 0));
    fflush(stdout);
    if (!r->json)
        return;
    fprintf(r->json, "%s\n  {\"op\": \"%s\", \"way\": \"%s\", \"dtype\": \"%s\", \"seconds\": %.6g, ",
            r->first ? "" : ",", name, way, weft_dtype_name(dtype), seconds);
    if (flops > 0)
        fprintf(r->json, isnan(share) ? "\"tflops\": %.5g}" : "\"tflops\": %.5g, \"share_of_best\": %.4g}",
                flops / seconds * 1e-12, share);
    else
        fprintf(r->json, "\"gbps\": %.5g, \"share_of_copy\": %.4g}", bytes / seconds * 1e-9, share);
    fflush(r->json); /* so that a later end leaves what there is */
    r->first = false;
}

static void report_end(report *r)
{
    if (!r->json)
        return;
    fprintf(r->json, "\n]}\n");
    fclose(r->json);
}

/* ---- Operations over rows ---- */

static weft_tensor *uniform(weft_ctx *c, weft_dtype dtype, const int64_t *shape, int ndim, bool grad)
{
    return weft_set_requires_grad(weft_rand(c, dtype, shape, ndim, -1, 1), grad);
}

static subject row_subject(weft_ctx *c, const op *op, weft_dtype dtype, const sizes *z)
{
    const bool grad = op->backward_passes > 0;
    subject s = {.ctx = c,
                 .op = op,
                 .x = uniform(c, dtype, WEFT_DIMS(z->rows, z->columns), grad),
                 .y = uniform(c, dtype, WEFT_DIMS(z->rows, z->columns), false),
                 .w = uniform(c, dtype, WEFT_DIMS(z->columns), false),
                 .b = uniform(c, dtype, WEFT_DIMS(z->columns), false),
                 .classes = weft_randint(c, WEFT_I64, WEFT_DIMS(z->rows), 0, z->columns)};
    if (grad) {
        s.out = op->forward(&s);
        s.cotangent = weft_full_like(s.out, 0.5);
    }
    return s;
}

static void measure_rows(weft_ctx *c, weft_dtype dtype, const sizes *z, const bench_plan *plan, report *r)
{
    const double unit = (double)(z->rows * z->columns) * (double)weft_dtype_size(dtype);
    for (int k = 0; k < ROW_OPS; k++) {
        const int mark = weft_scope_push(c);
        const op *op = &row_ops[k];
        subject copied = row_subject(c, &row_ops[0], dtype, z), s = row_subject(c, op, dtype, z);
        bench_case cases[] = {{.run = run_forward, .arg = &copied},
                              {.run = run_forward, .arg = &s},
                              {.run = op->backward_passes > 0 ? run_backward : NULL, .arg = &s}};
        bench_measure(cases, 3, plan);
        report_add(r, op->name, "forward", dtype, &cases[1], unit * op->passes, 0,
                   bench_speed_ratio(&cases[1], op->passes, &cases[0], 2));
        if (op->backward_passes > 0)
            report_add(r, op->name, "backward", dtype, &cases[2], unit * op->backward_passes, 0,
                       bench_speed_ratio(&cases[2], op->backward_passes, &cases[0], 2));
        bench_pop(c, mark);
    }
}

/* ---- Operations that multiply ---- */

static subject flop_subject(weft_ctx *c, const op *op, weft_dtype dtype, const sizes *z, double *flops)
{
    const int64_t n = z->product;
    subject s = {.ctx = c, .op = op};
    if (op->forward == convolution) {
        s.x = uniform(c, dtype, WEFT_DIMS(z->batch, 64, z->side, z->side), true);
        s.y = uniform(c, dtype, WEFT_DIMS(64, 64, 3, 3), true);
        *flops = 2.0 * 64 * 64 * 9 * (double)(z->batch * z->side * z->side);
    } else {
        s.x = uniform(c, dtype, WEFT_DIMS(n, n), true);
        s.y = uniform(c, dtype, WEFT_DIMS(n, n), true);
        s.b = uniform(c, dtype, WEFT_DIMS(n), false);
        *flops = 2.0 * (double)n * (double)n * (double)n;
    }
    s.out = op->forward(&s);
    s.cotangent = weft_full_like(s.out, 0.5);
    return s;
}

/* timed: a context that takes the fastest of cuBLASLt's algorithms instead of the first, or NULL. */
static void measure_flops(weft_ctx *c, weft_ctx *timed, weft_dtype dtype, const sizes *z, const bench_plan *plan,
                          report *r)
{
    for (int k = 0; k < FLOP_OPS; k++) {
        const int mark = weft_scope_push(c), timed_mark = timed ? weft_scope_push(timed) : 0;
        double flops;
        subject s = flop_subject(c, &flop_ops[k], dtype, z, &flops), best = s;
        if (timed)
            best = flop_subject(timed, &flop_ops[k], dtype, z, &flops);
        bench_case cases[] = {{.run = run_forward, .arg = &s},
                              {.run = run_backward, .arg = &s},
                              {.run = timed ? run_forward : NULL, .arg = &best}};
        bench_measure(cases, 3, plan);
        report_add(r, flop_ops[k].name, "forward", dtype, &cases[0], 0, flops,
                   timed ? bench_speed_ratio(&cases[0], flops, &cases[2], flops) : (double)NAN);
        report_add(r, flop_ops[k].name, "backward", dtype, &cases[1], 0, flops * flop_ops[k].backward_passes,
                   (double)NAN);
        if (timed)
            bench_pop(timed, timed_mark);
        bench_pop(c, mark);
    }
}

/* ---- The device ---- */

static sizes sizes_for(bool gpu, bool quick)
{
    if (quick)
        return (sizes){64, 96, 64, 1, 8};
    return gpu ? (sizes){16384, 4096, 4096, 64, 56} : (sizes){4096, 1024, 512, 4, 56};
}

int main(int argc, char **argv)
{
    const bench_plan plan = bench_options(argc, argv, "operations on a device against a copy of its memory");
    const char *device = plan.device ? plan.device : "cpu";
    const bool gpu = strncmp(device, "cuda", 4) == 0;
    weft_ctx *c = bench_open_on(device, 1);
    weft_device_info info = {0};
    if (weft_device_info_get(gpu ? "cuda" : "cpu", gpu && device[4] == ':' ? atoi(device + 5) : 0, &info) != WEFT_OK) {
        fprintf(stderr, "%s\n", info.note);
        return 1;
    }
    const sizes z = sizes_for(gpu, plan.quick);
    printf("weft %s on %s (%s); rows [%lld, %lld], products of %lld^3; medians of %d repetitions%s\n\n", weft_version(),
           info.name, device, (long long)z.rows, (long long)z.columns, (long long)z.product, plan.rounds,
           plan.quick ? " (--quick: the figures mean nothing)" : "");
    weft_ctx *timed = NULL;
    if (gpu && weft_ctx_open(&(weft_options){.device = device, .time_matmul = true}, &timed) != WEFT_OK)
        return 1;
    report r;
    report_begin(&r, &plan, &info);
    const weft_dtype dtypes[] = {WEFT_F32, WEFT_BF16};
    for (int k = 0; k < 2; k++) {
        measure_rows(c, dtypes[k], &z, &plan, &r);
        measure_flops(c, timed, dtypes[k], &z, &plan, &r);
    }
    report_end(&r);
    weft_ctx_close(timed);
    weft_ctx_close(c);
}
