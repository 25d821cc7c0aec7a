/* theory.h - what a GPU could do at best by its clocks and units, whatever program runs on it. */
#ifndef WEFT_BENCH_THEORY_H
#define WEFT_BENCH_THEORY_H

#include <weft/device.h>
#include <weft/dtype.h>

/* Bytes per second between the GPU and its memory; 0: not known. */
double weft__theory_memory(const weft_device_info *gpu);

/* Floating-point operations per second in dtype, on tensor cores where they take it, without sparsity; 0: not known. */
double weft__theory_flops(const weft_device_info *gpu, weft_dtype dtype);

#endif
