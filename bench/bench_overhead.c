/* bench_overhead.c - what one operation costs before it computes anything: weft_add of two tensors with one element;
 * and what a profile adds to that. */
#include <stdio.h>
#include <stdlib.h>
#include "common/session.h"
#include <weft/profile.h>

enum { CHAIN = 100 }; /* operations between the push and the pop of a scope */

typedef struct sums {
    weft_ctx *ctx;
    weft_tensor *a, *b; /* f32 [1] */
} sums;

/* One unit: an addition with its share of opening and closing a scope, its result included. */
static void run_add(void *arg, int64_t times)
{
    const sums *s = arg;
    for (int64_t left = times; left > 0; left -= CHAIN) {
        const int mark = weft_scope_push(s->ctx);
        for (int64_t k = left < CHAIN ? left : CHAIN; k > 0; k--)
            weft_add(s->a, s->b);
        bench_pop(s->ctx, mark);
    }
}

/* One unit: an addition in a chain of CHAIN, and its share of the backward pass through it. */
static void run_train(void *arg, int64_t times)
{
    const sums *s = arg;
    for (int64_t left = times; left > 0; left -= CHAIN) {
        const int mark = weft_scope_push(s->ctx);
        weft_tensor *y = s->a;
        for (int k = 0; k < CHAIN; k++)
            y = weft_add(y, s->b);
        weft_backward(s->ctx, y);
        weft_zero_grad(s->ctx, (weft_tensor *[]){s->a}, 1);
        bench_pop(s->ctx, mark);
    }
}

/* ---- What the machine charges for less ---- */

static int (*volatile callee)(int);

static int successor(int x)
{
    return x + 1;
}

static void run_call(void *arg, int64_t times)
{
    int x = 0;
    for (int64_t t = 0; t < times; t++)
        x = callee(x);
    *(int *)arg = x;
}

static void run_malloc(void *arg, int64_t times)
{
    for (int64_t t = 0; t < times; t++)
        free(*(void *volatile *)arg = malloc(64));
}

static void run_aligned(void *arg, int64_t times)
{
    for (int64_t t = 0; t < times; t++)
        free(*(void *volatile *)arg = aligned_alloc(64, 64));
}

/* ---- A profile ---- */

typedef struct profiled {
    sums sums;
    weft_profile *profile;
} profiled;

/* A context of its own that is being profiled, or was. */
static profiled open_profiled(bool still)
{
    profiled p = {.sums.ctx = bench_open(1)};
    weft_ctx *ctx = p.sums.ctx;
    if (weft_profile_begin(ctx, &p.profile) != WEFT_OK)
        bench_check(ctx);
    p.sums.a = p.sums.b = weft_ones(ctx, WEFT_F32, WEFT_DIMS(1));
    bench_check(ctx);
    run_add(&p.sums, CHAIN);
    if (!still)
        weft_profile_end(p.profile);
    return p;
}

static void close_profiled(profiled *p)
{
    weft_profile_end(p->profile);
    weft_profile_free(p->profile);
    weft_ctx_close(p->sums.ctx);
}

enum { ADD, OFF, ON, TAPED, TRAIN, CALL, MALLOC, ALIGNED, CASES };

static const struct {
    const char *name;
    double target, later; /* ns; 0: a yardstick */
} rows[CASES] = {
    [ADD] = {"weft_add", 150, 60},
    [OFF] = {"weft_add, profile ended", 0, 0},
    [ON] = {"weft_add, profiled", 0, 0},
    [TAPED] = {"weft_add, taped", 250, 100},
    [TRAIN] = {"weft_add, forward and backward", 0, 250},
    [CALL] = {"call through a pointer", 0, 0},
    [MALLOC] = {"malloc + free, 64 bytes", 0, 0},
    [ALIGNED] = {"aligned_alloc + free, 64 bytes", 0, 0},
};

static void print_table(const bench_case *cases)
{
    printf("%-32s %8s %8s %8s %8s  %s\n", "", "ns", "least", "calls", "mallocs", "goal, ns (later)");
    for (int k = 0; k < CASES; k++) {
        const double ns = 1e9 * bench_median(&cases[k]), least = 1e9 * bench_best(&cases[k]);
        printf("%-32s %s %s %s %s", rows[k].name, bench_number(ns, 8, 1), bench_number(least, 8, 1),
               bench_number(1 / bench_best_ratio(&cases[k], 1, &cases[CALL], 1), 8, 1),
               bench_number(1 / bench_best_ratio(&cases[k], 1, &cases[MALLOC], 1), 8, 1));
        const double goal = rows[k].target > 0 ? rows[k].target : rows[k].later;
        if (goal > 0)
            printf("  %s %.0f (%.0f)", least <= goal ? "reaches" : "MISSES", goal, rows[k].later);
        printf("\n");
    }
    printf("a profile that is off: %+.1f %%; one that is on: %+.0f ns for each operation\n",
           100 * (1 / bench_best_ratio(&cases[OFF], 1, &cases[ADD], 1) - 1),
           1e9 * (bench_best(&cases[ON]) - bench_best(&cases[ADD])));
}

int main(int argc, char **argv)
{
    const bench_plan plan = bench_options(argc, argv, "the cost of one operation on one element");
    bench_announce(&plan);
    weft_ctx *ctx = bench_open(1);
    weft_tensor *one = weft_ones(ctx, WEFT_F32, WEFT_DIMS(1)), *param = weft_ones(ctx, WEFT_F32, WEFT_DIMS(1));
    sums constant = {ctx, one, one}, taped = {ctx, weft_param(param, "a"), one};
    profiled off = open_profiled(false), on = open_profiled(true);
    bench_check(ctx);
    callee = successor;
    int count;
    void *block;
    bench_case cases[CASES] = {
        [ADD] = {.run = run_add, .arg = &constant},    [OFF] = {.run = run_add, .arg = &off.sums},
        [ON] = {.run = run_add, .arg = &on.sums},      [TAPED] = {.run = run_add, .arg = &taped},
        [TRAIN] = {.run = run_train, .arg = &taped},   [CALL] = {.run = run_call, .arg = &count},
        [MALLOC] = {.run = run_malloc, .arg = &block}, [ALIGNED] = {.run = run_aligned, .arg = &block},
    };
    for (int k = 0; k < CASES; k++)
        cases[k].alone = true;
    bench_measure(cases, CASES, &plan);
    print_table(cases);
    close_profiled(&off);
    close_profiled(&on);
    weft_release(param);
    weft_ctx_close(ctx);
}
