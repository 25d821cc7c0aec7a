/* ops_rows.c - operations that move memory: elementwise ones, and those over the rows of a matrix. */
#include "ops.h"

typedef struct entry {
    const char *name, *op;
    const char *words, *numbers; /* NULL: the recipe's */
    double passes,
        backward_passes; /* over x's bytes: reads and writes that cannot be saved; backward 0: not measured */
    double goal;         /* of forward */
} entry;

static const entry elementwise[] = {
    {"copy", "copy_", NULL, NULL, 2, 0, 0},
    {"add", "add", NULL, NULL, 3, 0, 0.9},
    {"add [row]", "add", "xab xb", NULL, 2, 0, 0.9},
    {"relu", "relu", NULL, NULL, 2, 3, 0.9},
    {"exp", "exp", NULL, NULL, 2, 3, 0.9},
    {"gelu", "gelu", NULL, NULL, 2, 3, 0.9},
    {"tanh", "tanh", NULL, NULL, 2, 3, 0.9},
    {"transpose", "contiguous", "tba", NULL, 2, 0, 0.9},
    {"dropout", "dropout", NULL, "1; 0.1", 2.25, 2.25, 0},
    {"sum", "sum", NULL, "0", 1, 0, 0},
    {"sum columns", "sum", NULL, "0 0", 1, 0, 0},
};
static const entry over_rows[] = {
    {"softmax", "softmax", NULL, NULL, 2, 3, 0.8},
    {"cross_entropy", "cross_entropy", NULL, NULL, 1, 2, 0},
    {"layer_norm", "layer_norm", NULL, NULL, 2, 3, 0.8},
    {"rms_norm", "rms_norm", NULL, NULL, 2, 3, 0},
};
enum { ELEMENTWISE = sizeof elementwise / sizeof *elementwise, OVER_ROWS = sizeof over_rows / sizeof *over_rows };

static const int64_t large[2] = {16384, 4096};
/* GPT-2's activations, a square, a part of a batch over GPT-2's vocabulary */
static const int64_t typical[][2] = {{8192, 768}, {4096, 4096}, {2048, 50257}};
enum { TYPICAL = sizeof typical / sizeof *typical };

static ops_subject subject_of(const entry *e, weft_dtype dtype, int64_t rows, int64_t columns)
{
    ops_subject s = {.name = e->name, .op = e->op, .words = e->words, .sizes = {rows, columns}, .dtype = dtype};
    snprintf(s.numbers, sizeof s.numbers, "%s", e->numbers ? e->numbers : "");
    snprintf(s.shape, sizeof s.shape, "%lldx%lld", (long long)rows, (long long)columns);
    return s;
}

static void measure_entry(ops_bench *b, const entry *e, weft_dtype dtype, const int64_t shape[2])
{
    const int64_t rows = ops_size(b, shape[0]), columns = ops_size(b, shape[1]);
    const double unit = (double)(rows * columns) * (double)weft_dtype_size(dtype);
    const ops_subject s = subject_of(e, dtype, rows, columns);
    ops_measure(b, &s, &(ops_way){.name = "forward", .bytes = unit * e->passes, .goal = e->goal});
    if (e->backward_passes > 0)
        ops_measure(b, &s, &(ops_way){.name = "backward", .wrt = OPS_ALL, .bytes = unit * e->backward_passes});
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
