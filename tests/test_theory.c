/* test_theory.c - what a GPU could do by its clocks, beside what its maker says. */
#include <math.h>
#include "bench/theory.h"
#include "harness/weft_test.h"

/* Boost and memory clocks as the driver gives them; peaks of NVIDIA's data sheets, without sparsity, at their own
 * clocks. */
static const struct {
    weft_device_info gpu;
    double memory, f64, f32, bf16;
} gpus[] = {
    {{.cores = 132,
      .compute_major = 9,
      .clock_khz = 1980000,
      .memory_clock_khz = 2619000,
      .memory_bus_bits = 5120}, /* H100 SXM */
     3.35e12,
     67e12,
     67e12,
     989e12},
    {{.cores = 108,
      .compute_major = 8,
      .clock_khz = 1410000,
      .memory_clock_khz = 1215000,
      .memory_bus_bits = 5120}, /* A100 40 GB */
     1.555e12,
     19.5e12,
     19.5e12,
     312e12},
};

WEFT_TEST(Theory, AgreesWithDataSheets)
{
    for (int k = 0; k < 2; k++) {
        const weft_device_info *gpu = &gpus[k].gpu;
        WEFT_CHECK_NEAR(weft__theory_memory(gpu) / gpus[k].memory, 1, 0.01);
        WEFT_CHECK_NEAR(weft__theory_flops(gpu, WEFT_F64) / gpus[k].f64, 1, 0.1);
        WEFT_CHECK_NEAR(weft__theory_flops(gpu, WEFT_F32) / gpus[k].f32, 1, 0.1);
        WEFT_CHECK_NEAR(weft__theory_flops(gpu, WEFT_F16) / gpus[k].bf16, 1, 0.1);
        WEFT_CHECK_NEAR(weft__theory_flops(gpu, WEFT_BF16) / gpus[k].bf16, 1, 0.1);
    }
}

WEFT_TEST(Theory, IsSilentAboutWhatItDoesNotKnow)
{
    const weft_device_info old = {.cores = 80, .compute_major = 7, .clock_khz = 1530000};
    WEFT_CHECK(weft__theory_flops(&old, WEFT_F16) > 1e14);
    WEFT_CHECK(weft__theory_flops(&old, WEFT_BF16) == 0);
    WEFT_CHECK(weft__theory_flops(&old, WEFT_I32) == 0);
    WEFT_CHECK(weft__theory_memory(&old) == 0);
    const weft_device_info coming = {.cores = 200, .compute_major = 99, .clock_khz = 3000000};
    WEFT_CHECK(weft__theory_flops(&coming, WEFT_F32) == 0);
    const weft_device_info mute = {.cores = 132, .compute_major = 9};
    WEFT_CHECK(weft__theory_flops(&mute, WEFT_F32) == 0);
}
