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
    static const char *const single[2][2] = {{"xac xcb", "xac tcb"}, {"tac xcb", "tac tcb"}},
                             *const batched[2][2] = {{"xdac xdcb", "xdac tdcb"}, {"tdac xdcb", "tdac tdcb"}};
    const double flops = 2.0 * (double)z->batches * (double)z->m * (double)z->n * (double)z->k;
    ops_subject s = {.name = names[z->a_turned][z->b_turned],
                     .op = "matmul",
                     .words = (z->batches == 1 ? single : batched)[z->a_turned][z->b_turned],
                     .sizes = {z->m, z->n, z->k, z->batches},
                     .dtype = dtype,
                     .tf32 = tf32,
                     .library = "cuBLASLt"};
    const bench_product y = {z->batches, z->m, z->n, z->k, z->a_turned, z->b_turned, dtype, tf32};
    snprintf(s.shape, sizeof s.shape, "%lldx %lldx%lldx%lld", (long long)z->batches, (long long)z->m, (long long)z->n,
             (long long)z->k);
    ops_measure(b, &s, &(ops_way){.name = "forward", .flops = flops, .goal = 0.95, .products = {y}, .n_products = 1});
    if (!z->both_ways)
        return;
    /* a [m, k] gets g b^T, b [k, n] gets a^T g. */
    const bench_product da = {z->batches, z->m, z->k, z->n, false, !z->b_turned, dtype, tf32};
    const bench_product db = {z->batches, z->k, z->n, z->m, true, false, dtype, tf32};
    ops_measure(
        b, &s,
        &(ops_way){.name = "backward", .wrt = OPS_ALL, .flops = 2 * flops, .products = {da, db}, .n_products = 2});
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
