/* bench_slices.c - the backward pass of many slices of one tensor, as the steps of a recurrent layer are: T slices of
 * [T, 64, 64] by weft_unbind, by weft_select one after the other, and through a transpose made anew for each; beside
 * PyTorch's unbind with --torch "python3 bench/torch_ops.py --device cpu --threads 1". */
#include <math.h>
#include <stdio.h>
#include "common/session.h"
#include "common/torch.h"

enum { STEPS = 512, SIDE = 64, WAYS = 4 };

typedef struct slices {
    weft_ctx *ctx;
    weft_tensor *x, *parts[STEPS], *cotangents[STEPS];
    int flags;
} slices;

/* The slices by one of the ways, in the context's root scope. */
static void slice(slices *s, int way)
{
    if (way == 0)
        (void)weft_unbind(s->x, 0, STEPS, s->parts);
    for (int t = 0; t < STEPS && way > 0; t++)
        s->parts[t] = way == 2 ? weft_select(weft_transpose(s->x, 0, 1), 1, t) : weft_select(s->x, 0, t);
    bench_check(s->ctx);
}

/* One unit: the gradients of all slices become the tensor's. */
static void run_backward(void *arg, int64_t times)
{
    const slices *s = arg;
    for (int64_t k = 0; k < times; k++) {
        weft_tensor *x = s->x, *gradient;
        const int mark = weft_scope_push(s->ctx);
        weft_grad(s->ctx, s->parts, s->cotangents, STEPS, &x, 1, s->flags, &gradient);
        bench_pop(s->ctx, mark);
    }
}

typedef struct peer {
    bench_torch *torch;
    char note[256];
} peer;

static double run_torch(void *arg, int64_t times)
{
    peer *p = arg;
    return bench_torch_run(p->torch, times, p->note, sizeof p->note);
}

static void open_peer(peer *p, const bench_plan *plan)
{
    snprintf(p->note, sizeof p->note, "not asked for (--torch)");
    p->torch = plan->torch ? bench_torch_open(plan->torch, p->note, sizeof p->note) : NULL;
    if (!p->torch)
        return;
    char text[256], version[256];
    snprintf(text, sizeof text,
             "{\"op\": \"unbind\", \"dtype\": \"f32\", \"wrt\": 1, \"tf32\": false, \"operands\": [{\"shape\": [%d, "
             "%d, %d], "
             "\"classes\": 0}]}",
             STEPS, SIDE, SIDE);
    bool fine = bench_torch_greet(p->torch, p->note, sizeof p->note);
    snprintf(version, sizeof version, "%s", p->note);
    fine = fine && bench_torch_prepare(p->torch, text, p->note, sizeof p->note);
    if (fine) {
        snprintf(p->note, sizeof p->note, "%s", version);
        return;
    }
    bench_torch_close(p->torch);
    p->torch = NULL;
}

int main(int argc, char **argv)
{
    static const char *const names[WAYS] = {"weft_unbind", "weft_select", "weft_select of a transpose",
                                            "weft_unbind, recorded"};
    static slices sides[WAYS];
    bench_plan plan = bench_options(argc, argv, "the backward pass of 512 slices of [512, 64, 64]");
    bench_case cases[WAYS + 1] = {0};
    peer p = {.torch = NULL};
    bench_announce(&plan);
    open_peer(&p, &plan);
    weft_ctx *ctx = bench_open(1);
    weft_tensor *x = weft_set_requires_grad(weft_rand(ctx, WEFT_F32, WEFT_DIMS(STEPS, SIDE, SIDE), -1, 1), true);
    for (int way = 0; way < WAYS; way++) {
        sides[way] = (slices){.ctx = ctx, .x = x, .flags = way == 3 ? WEFT_GRAD_CREATE_GRAPH : 0};
        slice(&sides[way], way == 3 ? 0 : way);
        for (int t = 0; t < STEPS; t++)
            sides[way].cotangents[t] = weft_full(ctx, WEFT_F32, WEFT_DIMS(SIDE, SIDE), 0.5);
        cases[way] = (bench_case){.run = run_backward, .arg = &sides[way]};
    }
    bench_check(ctx);
    if (p.torch)
        cases[WAYS] = (bench_case){.clocked = run_torch, .arg = &p};
    bench_measure(cases, WAYS + 1, &plan);
    printf("\n%-28s %9s %9s %20s\n", "", "ms", "least", "of PyTorch's time");
    for (int way = 0; way <= WAYS; way++)
        printf("%-28s %s %s %s\n", way < WAYS ? names[way] : "PyTorch's unbind",
               bench_number(1e3 * bench_median(&cases[way]), 9, 3), bench_number(1e3 * bench_best(&cases[way]), 9, 3),
               bench_number(1 / bench_speed_ratio(&cases[way], 1, &cases[WAYS], 1), 20, 2));
    printf("PyTorch: %s\n", p.note);
    bench_torch_close(p.torch);
    weft_ctx_close(ctx);
    return 0;
}
