/* cpu.h - what the CPU kernels share: naming per instruction set, the device state, small helpers.
 *
 * Every kernel file of src/cpu is compiled once per instruction set with -DWEFT_ISA=avx512, avx2 or plain and the
 * matching compiler flags; WEFT__CPU(conv2d) is then weft__cpu_conv2d_avx2 and so on. table.c, compiled likewise,
 * collects them; backend.c picks one table at run time. Files that are compiled once: backend.c, driver.c, isa.c,
 * lapack.c, pool.c, step.c. */
#ifndef WEFT_CPU_CPU_H
#define WEFT_CPU_CPU_H

#include "engine/backend.h"
#include "pool.h"

#define WEFT__CAT2(a, b) a##_##b
#define WEFT__CAT(a, b) WEFT__CAT2(a, b)

typedef struct weft__cpu_table {
    const char *isa;
    weft__kernel run[WEFT_OP_COUNT];
    weft__kernel grad[WEFT_OP_COUNT];
} weft__cpu_table;

typedef struct weft__cpu_device {
    const weft__cpu_table *table;
    weft__pool *pool;
    bool has_vnni; /* the processor multiplies bytes in fours, with the table's registers */
    weft__device_options options;
} weft__cpu_device;

static inline weft__pool *weft__exec_pool(const weft__exec *e)
{
    return ((const weft__cpu_device *)e->device)->pool;
}

/* A row's result must not depend on how many rows come with it (the option batch_invariant). */
static inline bool weft__exec_invariant(const weft__exec *e)
{
    return ((const weft__cpu_device *)e->device)->options.batch_invariant;
}

#ifdef WEFT_ISA
#define WEFT__CPU(name) WEFT__CAT(weft__cpu_##name, WEFT_ISA)
#define WEFT__CPU_TABLE WEFT__CAT(weft__cpu_table, WEFT_ISA)

/* Kernels of the elementwise families: one function each, the operation is e->op. */
weft_status WEFT__CPU(unary)(const weft__exec *e); /* UNARY and UNARY_P */
weft_status WEFT__CPU(predicate)(const weft__exec *e);
weft_status WEFT__CPU(binary)(const weft__exec *e);
weft_status WEFT__CPU(compare)(const weft__exec *e);
weft_status WEFT__CPU(ternary)(const weft__exec *e);
weft_status WEFT__CPU(unary_grad)(const weft__exec *e);
weft_status WEFT__CPU(binary_grad)(const weft__exec *e);
weft_status WEFT__CPU(ternary_grad)(const weft__exec *e);

/* One kernel for every REDUCE, CUSTOM and KERNEL operation, by name. */
#define WEFT_REDUCE(ID, name, ...) weft_status WEFT__CPU(name)(const weft__exec *e);
#define WEFT_CUSTOM(ID, name, ...) weft_status WEFT__CPU(name)(const weft__exec *e);
#define WEFT_KERNEL(ID, name, ...) weft_status WEFT__CPU(name)(const weft__exec *e);
#include "ops/ops.def"
#endif

#endif
