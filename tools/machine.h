/* machine.h - what the operating system says about this machine. */
#ifndef WEFT_TOOLS_MACHINE_H
#define WEFT_TOOLS_MACHINE_H

#include <stddef.h>

enum { MACHINE_CACHES = 4 };

typedef struct machine {
    char cpu[128];    /* "AMD EPYC 9B14", or the architecture */
    char system[160]; /* "Linux 6.1.0 x86_64" */
    char isa[16];     /* of the kernels that Weft chose */
    char note[128];   /* why the library ignores the environment variable WEFT_ISA, or "" */
    char isas[64];    /* what the processor has, of avx2, avx512f, avx512_bf16, amx_bf16 ...: "" if not known */
    int processors;   /* that this process may run on */
    int online;
    size_t memory; /* bytes, 0: not known */
    struct {
        char name[8]; /* "L1d", "L2", "L3" */
        size_t bytes; /* 0: no such cache, or not known */
    } caches[MACHINE_CACHES];
    int n_caches;
} machine;

void machine_read(machine *m);

/* The last level of cache in bytes; 32 MiB where the system does not say. */
size_t machine_last_cache(const machine *m);

#endif
