/* main.c - runs random programs: weft_fuzz_api [--seed S] [--seconds T | --programs N] [--trace]
 *
 * Program k has the seed S + k, and is that of its seed alone: what is found by "seed 4711, step 12" comes again with
 * --seed 4711 --programs 1, step by step with --trace. With -DWEFT_FUZZ_LIBFUZZER this file is libFuzzer's entry
 * instead. docs/testing.md says more. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "fuzz.h"

static fuzz state;

#ifdef WEFT_FUZZ_LIBFUZZER

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool begun;
    if (!begun)
        fuzz_rows_begin();
    begun = true;
    fuzz_program(&state, data, size, 1);
    if (state.broken)
        abort();
    return 0;
}

#else

enum { LONGEST_PROGRAM = 120 }; /* seconds until a program counts as hanging */

/* Says which program it was; only what a signal handler may call. */
static void say_where(void)
{
    char text[160];
    int n = snprintf(text, sizeof text, "weft_fuzz_api: seed %llu, step %d (%s): died\n",
                     (unsigned long long)state.seed, state.step, state.at ? state.at : "");
    (void)!write(STDERR_FILENO, text, n > 0 ? (size_t)n : 0);
}

static void died(int number)
{
    say_where();
    signal(number, SIG_DFL);
    raise(number);
}

/* The sanitizers' run-time libraries have these, and end the process without a signal. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void watch_for_death(void)
{
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM};
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(say_where);
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
        if (numbers[k] == SIGALRM || !__sanitizer_set_death_callback)
            signal(numbers[k], died);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int usage(void)
{
    fprintf(stderr, "usage: weft_fuzz_api [--seed S] [--seconds T | --programs N] [--trace]\n");
    return 2;
}

int main(int argc, char **argv)
{
    uint64_t seed = 1;
    double seconds = 10;
    long programs = -1, done = 0;
    for (int k = 1; k < argc; k++) {
        const char *value = k + 1 < argc ? argv[k + 1] : NULL;
        if (strcmp(argv[k], "--trace") == 0)
            state.trace = true;
        else if (value && strcmp(argv[k], "--seed") == 0)
            seed = strtoull(argv[++k], NULL, 10);
        else if (value && strcmp(argv[k], "--seconds") == 0)
            seconds = strtod(argv[++k], NULL);
        else if (value && strcmp(argv[k], "--programs") == 0)
            programs = strtol(argv[++k], NULL, 10);
        else
            return usage();
    }
    fuzz_rows_begin();
    watch_for_death();
    for (double start = now(); !state.broken && (programs < 0 ? now() - start < seconds : done < programs); done++) {
        alarm(LONGEST_PROGRAM);
        fuzz_program(&state, NULL, 0, seed + (uint64_t)done);
    }
    alarm(0);
    printf("weft_fuzz_api: %ld programs from seed %llu on, %ld steps, %ld of them with an error%s\n", done,
           (unsigned long long)seed, state.steps, state.failed_calls, state.broken ? ": BROKEN" : "");
    if (done >= 300)
        fuzz_rows_report(&state);
    return state.broken;
}

#endif
