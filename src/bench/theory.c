/* theory.c - see theory.h. Clocks are the highest that the device names; under load it may keep below them. */
#include "theory.h"

/* Floating-point operations that a multiprocessor does in a cycle, a multiply-add as two: f64 and half types with
 * tensor cores where there are any for them, f32 without (their tf32 is another format). 0: none. Source: NVIDIA's CUDA
 * C++ Programming Guide, "Throughput of Native Arithmetic Instructions", and for tensor cores the peaks of the
 * architectures' white papers and data sheets, divided by their clocks and multiprocessors. */
typedef struct rates {
    int major, minor;
    double f64, f32, f16, bf16;
} rates;

static const rates known[] = {
    {7, 0, 64, 128, 1024, 0},      /* V100 */
    {7, 5, 4, 128, 1024, 0},       /* T4 */
    {8, 0, 128, 128, 2048, 2048},  /* A100 */
    {8, 6, 4, 256, 1024, 1024},    /* A10, A40 */
    {8, 9, 4, 256, 1024, 1024},    /* L4, L40S */
    {9, 0, 256, 256, 4096, 4096},  /* H100, H200 */
    {10, 0, 128, 256, 8192, 8192}, /* B200 */
    {12, 0, 4, 256, 1024, 1024},   /* RTX PRO 6000 */
};

double weft__theory_memory(const weft_device_info *gpu)
{
    return 2e3 * gpu->memory_clock_khz * gpu->memory_bus_bits / 8; /* twice a cycle: double data rate */
}

double weft__theory_flops(const weft_device_info *gpu, weft_dtype dtype)
{
    double each = 0;
    for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
        if (known[k].major == gpu->compute_major && known[k].minor == gpu->compute_minor)
            each = dtype == WEFT_F64    ? known[k].f64
                   : dtype == WEFT_F32  ? known[k].f32
                   : dtype == WEFT_F16  ? known[k].f16
                   : dtype == WEFT_BF16 ? known[k].bf16
                                        : 0;
    return 1e3 * gpu->clock_khz * gpu->cores * each;
}
