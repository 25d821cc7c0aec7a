/* ops_images.c - convolutions with their two gradients, and batch norm. */
#include "ops.h"

typedef struct shape {
    int64_t batch, channels, filters, side, kernel, stride, padding;
} shape;

static const shape shapes[] = {{64, 64, 64, 56, 3, 1, 1},
                               {64, 256, 64, 56, 1, 1, 0},
                               {64, 128, 256, 28, 3, 2, 1},
                               {64, 512, 512, 7, 3, 1, 1},
                               {32, 3, 64, 224, 7, 2, 3}};
enum { SHAPES = sizeof shapes / sizeof *shapes };
static const weft_dtype dtypes[] = {WEFT_F32, WEFT_F16, WEFT_BF16};

static void measure_convolution(ops_bench *b, const shape *z, weft_dtype dtype)
{
    const int64_t n = ops_batch(b, z->batch), c = ops_size(b, z->channels), k = ops_size(b, z->filters);
    const int64_t side = ops_size(b, z->side), out = (side + 2 * z->padding - z->kernel) / z->stride + 1;
    const double flops = 2.0 * (double)(n * k * c * z->kernel * z->kernel) * (double)(out * out);
    ops_subject s = {.name = "conv2d",
                     .op = "conv2d",
                     .words = "xabcc xdbee -",
                     .sizes = {n, c, side, k, z->kernel},
                     .dtype = dtype,
                     .library = "cuDNN"};
    snprintf(s.numbers, sizeof s.numbers, "%lld %lld %lld %lld 1 1 0 0 1", (long long)z->stride, (long long)z->stride,
             (long long)z->padding, (long long)z->padding);
    snprintf(s.shape, sizeof s.shape, "%lldx%lldx%lld^2 %lldx%lld/%lld %lld", (long long)n, (long long)c,
             (long long)side, (long long)z->kernel, (long long)z->kernel, (long long)z->stride, (long long)k);
    ops_measure(b, &s, &(ops_way){.name = "forward", .flops = flops});
    ops_measure(b, &s, &(ops_way){.name = "data gradient", .wrt = 1, .flops = flops});
    ops_measure(b, &s, &(ops_way){.name = "weight gradient", .wrt = 2, .flops = flops});
}

/* In training: forward takes the statistics, then normalises; backward sums first, too. */
static void measure_batch_norm(ops_bench *b, weft_dtype dtype)
{
    const int64_t n = ops_batch(b, 64), c = ops_size(b, 256), side = ops_size(b, 56);
    const double unit = (double)(n * c * side * side) * (double)weft_dtype_size(dtype);
    ops_subject s = {.name = "batch_norm",
                     .op = "batch_norm",
                     .recipe = 1,
                     .sizes = {n, c, side, side},
                     .dtype = dtype,
                     .library = "cuDNN"};
    snprintf(s.shape, sizeof s.shape, "%lldx%lldx%lld^2", (long long)n, (long long)c, (long long)side);
    ops_measure(b, &s, &(ops_way){.name = "forward", .bytes = 3 * unit});
    ops_measure(b, &s, &(ops_way){.name = "backward", .wrt = OPS_ALL, .bytes = 5 * unit});
}

void ops_images(ops_bench *b)
{
    for (int k = 0; k < SHAPES; k++)
        for (int d = 0; d < 3; d++)
            measure_convolution(b, &shapes[k], dtypes[d]);
    for (int d = 0; d < 3; d++)
        measure_batch_norm(b, dtypes[d]);
}
