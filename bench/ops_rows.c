/* ops_rows.c - operations that move memory: elementwise ones, and those over the rows of a matrix. */
#include "ops.h"

/* ---- In Weft ---- */

#define RUN(name, expression)                                                                                          \
    static weft_tensor *name(const ops_subject *s, weft_tensor *const *in)                                             \
    {                                                                                                                  \
        (void)s;                                                                                                       \
        return expression;                                                                                             \
    }

RUN(run_copy, weft_copy_(in[1], in[0]))
RUN(run_add, weft_add(in[0], in[1]))
RUN(run_relu, weft_relu(in[0]))
RUN(run_exp, weft_exp(in[0]))
RUN(run_gelu, weft_gelu(in[0]))
RUN(run_tanh, weft_tanh(in[0]))
RUN(run_transpose, weft_contiguous(weft_transpose(in[0], 0, 1)))
RUN(run_dropout, weft_dropout(in[0], 0.1, true))
RUN(run_sum, weft_sum(in[0], WEFT_ALL, false))
RUN(run_sum_columns, weft_sum(in[0], WEFT_AXES(0), false))
RUN(run_softmax, weft_softmax(in[0], -1))
RUN(run_cross_entropy, weft_cross_entropy(in[0], in[1]))
RUN(run_layer_norm, weft_layer_norm(in[0], in[1], in[2], 1e-5))
RUN(run_rms_norm, weft_rms_norm(in[0], in[1], 1e-5))

/* ---- The table ---- */

/* What stands beside the matrix x. */
typedef enum beside { NOTHING, MATRIX, ROW, TWO_ROWS, CLASSES } beside;

typedef struct entry {
    const char *name;
    weft_tensor *(*run)(const ops_subject *s, weft_tensor *const *in);
    beside beside;
    double passes,
        backward_passes; /* over x's bytes: reads and writes that cannot be saved; backward 0: not measured */
    double goal;         /* of forward */
} entry;

static const entry elementwise[] = {
    {"copy", run_copy, MATRIX, 2, 0, 0},
    {"add", run_add, MATRIX, 3, 0, 0.9},
    {"add [row]", run_add, ROW, 2, 0, 0.9},
    {"relu", run_relu, NOTHING, 2, 3, 0.9},
    {"exp", run_exp, NOTHING, 2, 3, 0.9},
    {"gelu", run_gelu, NOTHING, 2, 3, 0.9},
    {"tanh", run_tanh, NOTHING, 2, 3, 0.9},
    {"transpose", run_transpose, NOTHING, 2, 0, 0.9},
    {"dropout", run_dropout, NOTHING, 2.25, 2.25, 0},
    {"sum", run_sum, NOTHING, 1, 0, 0},
    {"sum columns", run_sum_columns, NOTHING, 1, 0, 0},
};
static const entry over_rows[] = {
    {"softmax", run_softmax, NOTHING, 2, 3, 0.8},
    {"cross_entropy", run_cross_entropy, CLASSES, 1, 2, 0},
    {"layer_norm", run_layer_norm, TWO_ROWS, 2, 3, 0.8},
    {"rms_norm", run_rms_norm, ROW, 2, 3, 0},
};
enum { ELEMENTWISE = sizeof elementwise / sizeof *elementwise, OVER_ROWS = sizeof over_rows / sizeof *over_rows };

static const int64_t large[2] = {16384, 4096};
/* GPT-2's activations, a square, a part of a batch over GPT-2's vocabulary */
static const int64_t typical[][2] = {{8192, 768}, {4096, 4096}, {2048, 50257}};
enum { TYPICAL = sizeof typical / sizeof *typical };

static ops_subject subject_of(const entry *e, weft_dtype dtype, int64_t rows, int64_t columns)
{
    const ops_operand matrix = {{rows, columns}, 2, 0}, row = {{columns}, 1, 0}, classes = {{rows}, 1, columns};
    ops_subject s = {.op = e->name, .run = e->run, .dtype = dtype, .n = 1, .in = {matrix}};
    snprintf(s.shape, sizeof s.shape, "%lldx%lld", (long long)rows, (long long)columns);
    if (e->beside != NOTHING)
        s.in[s.n++] = e->beside == MATRIX ? matrix : e->beside == CLASSES ? classes : row;
    if (e->beside == TWO_ROWS)
        s.in[s.n++] = row;
    return s;
}

/* The gradients by x and by the rows beside it. */
static unsigned wrt_of(const entry *e)
{
    return e->beside == TWO_ROWS ? 7 : e->beside == ROW ? 3 : 1;
}

static void measure_entry(ops_bench *b, const entry *e, weft_dtype dtype, const int64_t shape[2])
{
    const int64_t rows = ops_size(b, shape[0]), columns = ops_size(b, shape[1]);
    const double unit = (double)(rows * columns) * (double)weft_dtype_size(dtype);
    const ops_subject s = subject_of(e, dtype, rows, columns);
    ops_measure(b, &s, &(ops_way){.name = "forward", .bytes = unit * e->passes, .goal = e->goal});
    if (e->backward_passes > 0)
        ops_measure(b, &s, &(ops_way){.name = "backward", .wrt = wrt_of(e), .bytes = unit * e->backward_passes});
}

void ops_rows(ops_bench *b)
{
    static const weft_dtype dtypes[] = {WEFT_F32, WEFT_BF16};
    for (int d = 0; d < 2; d++) {
        for (int k = 0; k < ELEMENTWISE; k++)
            measure_entry(b, &elementwise[k], dtypes[d], large);
        for (int k = 0; k < OVER_ROWS; k++)
            for (int i = 0; i < TYPICAL; i++)
                measure_entry(b, &over_rows[k], dtypes[d], typical[i]);
    }
}
