/* measure.h - timing for the benchmarks: many contestants, measured in turns, so that what disturbs the machine
 * disturbs all of them alike, and ratios of medians that come from the same rounds. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

enum { BENCH_ROUNDS = 25 }; /* most rounds of one measurement */

/* How long to measure. Filled from the command line by bench_options. */
typedef struct bench_plan {
    int rounds;                /* repetitions of every contestant, at most BENCH_ROUNDS */
    double seconds;            /* least time of one repetition: short calls are repeated within it */
    bool quick;                /* one short round, to see that the program works: the figures mean nothing */
    bool every;                /* of bench_ops: every operation that PyTorch has */
    const char *device, *json; /* of bench_ops; NULL: not given */
    const char *only, *torch;  /* likewise: one group of operations; the command that starts PyTorch's side */
} bench_plan;

/* One thing to be timed. run does its work `times` times in a row; so does clocked, which may fail and looks at the
 * clock itself. */
typedef struct bench_case {
    void (*run)(void *arg, int64_t times);
    double (*clocked)(void *arg,
                      int64_t times); /* in the place of run: seconds, or NAN: the case is left out from then on */
    void *arg;
    bool alone; /* works on the calling thread only: its processor time counts, not what others take of the machine */
    int64_t times; /* per repetition; found by bench_measure */
    int rounds;
    double seconds[BENCH_ROUNDS]; /* of one unit of work, round by round */
} bench_case;

/* Understands --quick and --rounds N; anything else prints the usage and exits. about: one line on what the program
 * shows. */
bench_plan bench_options(int argc, char **argv, const char *about);

/* Warms up, finds how often each case fits into a repetition, then measures the cases in turns. Cases with neither run
 * nor clocked are left out. */
void bench_measure(bench_case *cases, int n, const bench_plan *plan);

double bench_now(void);     /* seconds of a clock that only goes forward */
double bench_cpu_now(void); /* processor time of the process, all threads together */

double bench_median(const bench_case *c); /* seconds; NAN if it was not measured */
double bench_best(const bench_case *c);   /* the least */

/* How many times as fast as other: median over the rounds of work per time, where the cases do work and other_work (of
 * one unit, the same for both: flops, bytes). NAN if either was not measured. */
double bench_speed_ratio(const bench_case *c, double work, const bench_case *other, double other_work);

/* The same from the least time of each: on a machine that others use too, what is left when nobody disturbs. */
double bench_best_ratio(const bench_case *c, double work, const bench_case *other, double other_work);

/* "12.3", or "-" for NAN, right-aligned in width. Valid until the sixteenth call after it. */
const char *bench_number(double x, int width, int decimals);

#endif
