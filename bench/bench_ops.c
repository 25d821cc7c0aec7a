/* bench_ops.c - operations, forward and backward, on any device, beside what they must be compared with: a copy of
 * memory as large, the fastest algorithm of cuBLASLt, our own kernels where NVIDIA's libraries do the work, PyTorch.
 * All of them are measured in turns. An operation that fails is reported, and the next one comes. */
#include <string.h>
#include "ops.h"

static const struct {
    const char *name;
    void (*run)(ops_bench *b);
} groups[] = {{"rows", ops_rows}, {"products", ops_products}, {"images", ops_images}, {"attention", ops_attention}};
enum { GROUPS = sizeof groups / sizeof *groups };

static bool is_wanted(const bench_plan *plan, int group)
{
    return !plan->only || strcmp(plan->only, groups[group].name) == 0;
}

static void announce(const ops_bench *b)
{
    printf("weft %s on %s (%s); medians of %d repetitions%s\n", weft_version(), b->info.name, b->device,
           b->plan->rounds, b->plan->quick ? " (--quick: the figures mean nothing)" : "");
    for (int k = 0; k < b->info.n_libraries; k++) {
        const weft_device_library *l = &b->info.libraries[k];
        printf("%s %s\n", l->name, l->version[0] ? l->version : l->reason);
    }
    if (!b->lt)
        printf("no cuBLASLt to compare with: %s\n", b->lt_note);
    printf("%s%s\n", b->torch ? "beside " : "no PyTorch to compare with: ", b->torch_note);
    printf("\n");
}

int main(int argc, char **argv)
{
    const bench_plan plan = bench_options(argc, argv, "operations on a device against a copy, cuBLASLt and PyTorch");
    ops_bench b;
    int chosen = 0;
    for (int k = 0; k < GROUPS; k++)
        chosen += is_wanted(&plan, k);
    if (!chosen && !plan.every) {
        fprintf(stderr, "--only %s: the groups are rows, products, images and attention\n", plan.only);
        return 2;
    }
    ops_open(&b, &plan);
    ops_report_begin(&b);
    announce(&b);
    if (plan.every)
        ops_every(&b);
    for (int k = 0; k < GROUPS && !plan.every; k++)
        if (is_wanted(&plan, k))
            groups[k].run(&b);
    ops_report_end(&b.report);
    ops_close(&b);
    return b.report.failed ? 1 : 0;
}
