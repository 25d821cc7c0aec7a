/* session.h - what every benchmark begins and ends with: the machine in words, contexts, errors. */
#ifndef BENCH_SESSION_H
#define BENCH_SESSION_H

#include <weft/weft.h>
#include "measure.h"

/* Prints a line on the machine, the instruction set that weft uses and the plan. Returns the instruction set's name. */
const char *bench_announce(const bench_plan *plan);

/* Prints the multiply-adds that each instruction set of this machine can do, on one thread and on two, and says so
 * if there is no second core to be had. */
void bench_print_peaks(const bench_plan *plan);

/* A context for this number of threads. Like the two below it prints the reason and exits where weft fails. */
weft_ctx *bench_open(int threads);
weft_ctx *bench_open_on(const char *device, int threads);
void bench_check(weft_ctx *ctx);
void bench_pop(weft_ctx *ctx, int mark); /* weft_scope_pop, checked */

#endif
