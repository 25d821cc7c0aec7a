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

static weft_tensor *convolution(const ops_subject *s, weft_tensor *const *in)
{
    return weft_conv2d(in[0], in[1], NULL, &s->conv);
}

static weft_tensor *batch_norm(const ops_subject *s, weft_tensor *const *in)
{
    (void)s;
    return weft_batch_norm(in[0], in[1], in[2], in[3], in[4],
                           &(weft_batch_norm_params){sizeof(weft_batch_norm_params), 0.1, 1e-5, true});
}

static void measure_convolution(ops_bench *b, const shape *z, weft_dtype dtype)
{
    const int64_t n = ops_batch(b, z->batch), c = ops_size(b, z->channels), k = ops_size(b, z->filters);
    const int64_t side = ops_size(b, z->side), out = (side + 2 * z->padding - z->kernel) / z->stride + 1;
    const double flops = 2.0 * (double)(n * k * c * z->kernel * z->kernel) * (double)(out * out);
    ops_subject s = {
        .op = "conv2d",
        .run = convolution,
        .dtype = dtype,
        .n = 2,
        .in = {{{n, c, side, side}, 4, 0}, {{k, c, z->kernel, z->kernel}, 4, 0}},
        .conv = {sizeof(weft_conv2d_params), {z->stride, z->stride}, {z->padding, z->padding}, {1, 1}, {0, 0}, 1},
        .library = "cuDNN"};
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
    const ops_operand channels = {{c}, 1, 0};
    ops_subject s = {.op = "batch_norm",
                     .run = batch_norm,
                     .dtype = dtype,
                     .n = 5,
                     .in = {{{n, c, side, side}, 4, 0}, channels, channels, channels, channels},
                     .library = "cuDNN"};
    snprintf(s.shape, sizeof s.shape, "%lldx%lldx%lld^2", (long long)n, (long long)c, (long long)side);
    ops_measure(b, &s, &(ops_way){.name = "forward", .bytes = 3 * unit});
    ops_measure(b, &s, &(ops_way){.name = "backward", .wrt = 7, .bytes = 5 * unit});
}

void ops_images(ops_bench *b)
{
    for (int k = 0; k < SHAPES; k++)
        for (int d = 0; d < 3; d++)
            measure_convolution(b, &shapes[k], dtypes[d]);
    for (int d = 0; d < 3; d++)
        measure_batch_norm(b, dtypes[d]);
}
