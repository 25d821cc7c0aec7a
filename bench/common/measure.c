/* measure.c - see measure.h. */
#include "measure.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void usage(const char *program, const char *about)
{
    fprintf(
        stderr,
        "%s\nusage: %s [--quick] [--rounds N]\n"
        "  --quick          one short round: shows that the program works, the figures mean nothing\n"
        "  --rounds N       repetitions of each measurement, 1 to %d\n"
        "bench_ops and bench_slices only:\n"
        "  --torch COMMAND  starts PyTorch's side, measured in turns with ours: \"python3 bench/torch_ops.py\"\n"
        "bench_ops only:\n"
        "  --every          every operation that PyTorch has, on one thread, instead of those for GPUs\n"
        "  --device NAME    cpu, cuda, cuda:1 ...\n"
        "  --only GROUP     rows, products, images or attention; with --every a family or an operation; default all\n"
        "  --json FILE      where the figures go, one JSON object a line\n",
        about, program, BENCH_ROUNDS);
    exit(2);
}

/* Where the text of this option goes; NULL: it is none of those that take a text. */
static const char **text_option(bench_plan *plan, const char *name)
{
    const struct {
        const char *name, **value;
    } all[] = {
        {"--device", &plan->device}, {"--json", &plan->json}, {"--only", &plan->only}, {"--torch", &plan->torch}};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        if (strcmp(name, all[k].name) == 0)
            return all[k].value;
    return NULL;
}

bench_plan bench_options(int argc, char **argv, const char *about)
{
    bench_plan plan = {.rounds = 21, .seconds = 0.004};
    for (int k = 1; k < argc; k++) {
        if (strcmp(argv[k], "--quick") == 0) {
            plan.rounds = 1;
            plan.seconds = 0;
            plan.quick = true;
        } else if (strcmp(argv[k], "--every") == 0) {
            plan.every = true;
        } else if (strcmp(argv[k], "--rounds") == 0 && k + 1 < argc) {
            plan.rounds = atoi(argv[++k]);
            if (plan.rounds < 1 || plan.rounds > BENCH_ROUNDS)
                usage(argv[0], about);
        } else if (text_option(&plan, argv[k]) && k + 1 < argc) {
            const char **value = text_option(&plan, argv[k]);
            *value = argv[++k];
        } else {
            usage(argv[0], about);
        }
    }
    return plan;
}

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double bench_now(void)
{
    return now(CLOCK_MONOTONIC);
}

double bench_cpu_now(void)
{
    return now(CLOCK_PROCESS_CPUTIME_ID);
}

static double timed(const bench_case *c, int64_t times)
{
    if (c->clocked)
        return c->clocked(c->arg, times);
    const clockid_t clock = c->alone ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
    const double start = now(clock);
    c->run(c->arg, times);
    return now(clock) - start;
}

/* The repetitions that take about as long as the plan wants, from a doubling number of them; 0: the case fails. */
static int64_t calibrate(const bench_case *c, double seconds)
{
    for (int64_t times = 1;; times *= 2) {
        const double took = timed(c, times);
        if (isnan(took))
            return 0;
        if (took >= seconds)
            return times;
        if (took >= seconds / 8)
            return (int64_t)((double)times * seconds / took) + 1;
    }
}

static void measure_round(bench_case *c, int round)
{
    if (c->times == 0)
        return;
    c->seconds[round] = timed(c, c->times) / (double)c->times;
    if (isnan(c->seconds[round]))
        c->rounds = 0, c->times = 0;
}

void bench_measure(bench_case *cases, int n, const bench_plan *plan)
{
    for (int k = 0; k < n; k++) {
        bench_case *c = &cases[k];
        c->times = 0;
        c->rounds = 0;
        if (!c->run && !c->clocked)
            continue;
        if (!plan->quick && isnan(timed(c, 1)))
            continue;
        c->times = calibrate(c, plan->seconds);
        c->rounds = c->times > 0 ? plan->rounds : 0;
    }
    for (int round = 0; round < plan->rounds; round++)
        for (int k = 0; k < n; k++)
            measure_round(&cases[k], round);
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median_of(double *values, int n)
{
    if (n == 0)
        return NAN;
    qsort(values, (size_t)n, sizeof *values, compare);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

double bench_median(const bench_case *c)
{
    double sorted[BENCH_ROUNDS];
    memcpy(sorted, c->seconds, sizeof sorted);
    return median_of(sorted, c->rounds);
}

double bench_best(const bench_case *c)
{
    double best = NAN;
    for (int k = 0; k < c->rounds; k++)
        best = fmin(best, c->seconds[k]);
    return best;
}

double bench_speed_ratio(const bench_case *c, double work, const bench_case *other, double other_work)
{
    double ratios[BENCH_ROUNDS];
    const int rounds = c->rounds < other->rounds ? c->rounds : other->rounds;
    for (int k = 0; k < rounds; k++)
        ratios[k] = work / c->seconds[k] / (other_work / other->seconds[k]);
    return median_of(ratios, rounds);
}

double bench_best_ratio(const bench_case *c, double work, const bench_case *other, double other_work)
{
    return work / bench_best(c) / (other_work / bench_best(other));
}

const char *bench_number(double x, int width, int decimals)
{
    static char texts[16][32];
    static int next;
    char *text = texts[next++ % 16];
    if (isnan(x))
        snprintf(text, sizeof texts[0], "%*s", width, "-");
    else
        snprintf(text, sizeof texts[0], "%*.*f", width, decimals, x);
    return text;
}
