/* isa.h - which builds of the kernels this processor and operating system can run, and which one to use. */
#ifndef WEFT_CPU_ISA_H
#define WEFT_CPU_ISA_H

#include "cpu.h"

enum { WEFT__MAX_ISAS = 4 };

/* Usable tables, best first; returns their number, at least 1 (plain C runs everywhere). */
int weft__cpu_isas(const weft__cpu_table *tables[WEFT__MAX_ISAS]);

/* The table to use: the one that the environment variable WEFT_ISA names, else the best. The variable is read at each
 * call, so that one process can open contexts of different instruction sets one after the other. */
const weft__cpu_table *weft__cpu_isa_choose(void);

/* Whether the processor has vpdpbusd for registers as wide as the table's: AVX-512 VNNI, or AVX-VNNI. */
bool weft__cpu_has_vnni(const weft__cpu_table *table);

/* NULL, or why WEFT_ISA is ignored at present (static storage). */
const char *weft__cpu_isa_note(void);

#endif
