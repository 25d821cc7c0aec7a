/* ops_products.c - matrix products: square ones in every orientation, skinny ones, batches, GPT-2's layers. */
#include "ops.h"

typedef struct shape {
    int64_t batches, m, n, k;
    bool a_turned, b_turned; /* an operand is a transposed view */
    bool both_ways;          /* the gradients too */
} shape;

static const shape shapes[] = {
    {1, 4096, 4096, 4096, false, false, true}, {1, 4096, 4096, 4096, false, true, false},
    {1, 4096, 4096, 4096, true, false, false}, {1, 16, 4096, 4096, false, true, false},
    {1, 64, 4096, 4096, false, true, false},   {1, 128, 4096, 4096, false, true, false},
    {96, 1024, 1024, 64, false, true, false},  {96, 1024, 64, 1024, false, false, false},
    {1, 8192, 2304, 768, false, true, true},   {1, 8192, 3072, 768, false, true, true},
    {1, 8192, 768, 3072, false, true, true},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static weft_tensor *product(const ops_subject *s, weft_tensor *const *in)
{
    const bool a_turned = s->op[7] == 't', b_turned = s->op[8] == 't'; /* "matmul nt" */
    return weft_matmul(a_turned ? weft_transpose(in[0], -1, -2) : in[0],
                       b_turned ? weft_transpose(in[1], -1, -2) : in[1]);
}

/* Row-major [rows, columns], the other way round if turned, with a leading dim for batches. */
static ops_operand operand(int64_t batches, int64_t rows, int64_t columns, bool turned)
{
    const int64_t first = turned ? columns : rows, second = turned ? rows : columns;
    if (batches == 1)
        return (ops_operand){{first, second}, 2, 0};
    return (ops_operand){{batches, first, second}, 3, 0};
}

static shape sized(const ops_bench *b, const shape *at)
{
    shape z = *at;
    z.batches = ops_batch(b, z.batches);
    z.m = ops_size(b, z.m);
    z.n = ops_size(b, z.n);
    z.k = ops_size(b, z.k);
    return z;
}

static void measure_shape(ops_bench *b, const shape *z, weft_dtype dtype, bool tf32)
{
    static const char *const names[2][2] = {{"matmul nn", "matmul nt"}, {"matmul tn", "matmul tt"}};
    const double flops = 2.0 * (double)z->batches * (double)z->m * (double)z->n * (double)z->k;
    ops_subject s = {.op = names[z->a_turned][z->b_turned],
                     .run = product,
                     .dtype = dtype,
                     .n = 2,
                     .in = {operand(z->batches, z->m, z->k, z->a_turned), operand(z->batches, z->k, z->n, z->b_turned)},
                     .tf32 = tf32,
                     .library = "cuBLASLt"};
    const bench_product y = {z->batches, z->m, z->n, z->k, z->a_turned, z->b_turned, dtype, tf32};
    snprintf(s.shape, sizeof s.shape, "%lldx %lldx%lldx%lld", (long long)z->batches, (long long)z->m, (long long)z->n,
             (long long)z->k);
    ops_measure(b, &s, &(ops_way){.name = "forward", .flops = flops, .goal = 0.95, .products = {y}, .n_products = 1});
    if (!z->both_ways)
        return;
    /* a [m, k] gets g b^T; b gets a^T g, or, where it is stored turned, g^T a, which is as much work. */
    const bench_product da = {z->batches, z->m, z->k, z->n, false, !z->b_turned, dtype, tf32};
    const bench_product db = z->b_turned ? (bench_product){z->batches, z->n, z->k, z->m, true, false, dtype, tf32}
                                         : (bench_product){z->batches, z->k, z->n, z->m, true, false, dtype, tf32};
    ops_measure(b, &s,
                &(ops_way){.name = "backward", .wrt = 3, .flops = 2 * flops, .products = {da, db}, .n_products = 2});
}

void ops_products(ops_bench *b)
{
    for (int k = 0; k < SHAPES; k++) {
        const shape z = sized(b, &shapes[k]);
        measure_shape(b, &z, WEFT_F32, false);
        if (b->gpu)
            measure_shape(b, &z, WEFT_F32, true);
        measure_shape(b, &z, WEFT_BF16, false);
    }
}
