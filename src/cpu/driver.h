/* driver.h - runs the rows whose kernels are choosy about dtypes and strides. */
#ifndef WEFT_CPU_DRIVER_H
#define WEFT_CPU_DRIVER_H

#include "cpu.h"

/* Runs e->op: at once where its arrays suit the kernel, else on converted copies in scratch memory. */
weft_status weft__cpu_drive(const weft__exec *e);

#endif
