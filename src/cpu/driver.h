/* driver.h - runs the rows whose kernels are choosy about dtypes and strides. */
#ifndef WEFT_CPU_DRIVER_H
#define WEFT_CPU_DRIVER_H

#include "cpu.h"

extern const weft__needs weft__cpu_needs;

/* Runs e->op: at once where its arrays suit the kernel, else on converted copies in scratch memory. */
weft_status weft__cpu_drive(const weft__exec *e);

/* Runs a step of an optimiser: at once on f32 and f64 without master weights, else entry by entry (step.c). */
weft_status weft__cpu_step(const weft__exec *e, weft__kernel kernel);

#endif
