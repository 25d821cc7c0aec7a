/* test_compare_refused.c - comparisons that cannot be made: what does not belong together, and saved launches that are
 * none. */
#include <string.h>

/* clang-format off */
#include <weft/compare.h>
#include <weft/io.h>
/* clang-format on */
#include "harness/structs.h"
#include "harness/test_folder.h"
#include "harness/weft_test.h"
#include "planted.h"

static weft_ctx *open_one(void)
{
    weft_ctx *ctx = NULL;
    WEFT_CHECK_OK(weft_ctx_open(NULL, &ctx));
    return ctx;
}

/* ---- Models and contexts ---- */

typedef struct one_parameter {
    weft_tensor *p;
} one_parameter;

static weft_status one_step(weft_ctx *ctx, void *model, int step, double *loss)
{
    const one_parameter *m = model;
    (void)step;
    *loss = weft_item(ctx, weft_mean(weft_square(m->p), WEFT_ALL, false));
    return weft_ctx_status(ctx);
}

WEFT_TEST(Lockstep, ModelsWhoseParametersDoNotMatch)
{
    static const int64_t sizes[] = {3, 4, 0}; /* 0: the other model has none */
    for (int k = 0; k < 3; k++) {
        weft_ctx *reference = open_one(), *other = open_one();
        weft_lockstep_report report;
        one_parameter a = {weft_param(weft_ones(reference, WEFT_F32, WEFT_DIMS(3)), "a")};
        one_parameter b = {sizes[k] ? weft_param(weft_ones(other, WEFT_F32, &sizes[k], 1), "b")
                                    : weft_keep(weft_ones(other, WEFT_F32, WEFT_DIMS(3)))};
        const weft_status status = weft_lockstep(reference, &a, other, &b, one_step, NULL, &report, sizeof report);
        WEFT_CHECK_STATUS(status, k == 0 ? WEFT_OK : WEFT_E_SHAPE);
        if (k > 0)
            WEFT_CHECK_STR_HAS(weft_ctx_message(reference), k == 1 ? "a f32 [3] and b f32 [4]" : "a f32 [3] and none");
        weft_release(a.p);
        weft_release(b.p);
        weft_ctx_close(reference);
        weft_ctx_close(other);
    }
}

WEFT_TEST(Lockstep, ContextsThatCannotBeCompared)
{
    weft_ctx *c = open_one(), *broken = open_one();
    weft_lockstep_report report;
    one_parameter a = {weft_param(weft_ones(c, WEFT_F32, WEFT_DIMS(3)), "a")};
    WEFT_CHECK_STATUS(weft_lockstep(c, &a, c, NULL, one_step, NULL, &report, sizeof report), WEFT_E_INVALID);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "are one context");
    weft_ctx_clear(c);
    weft_matmul(weft_ones(broken, WEFT_F32, WEFT_DIMS(2, 3)), weft_ones(broken, WEFT_F32, WEFT_DIMS(2, 3)));
    WEFT_CHECK_STATUS(weft_lockstep(c, &a, broken, NULL, one_step, NULL, &report, sizeof report), WEFT_E_SHAPE);
    weft_ctx_clear(c);
    int64_t disagreeing;
    weft_compare_ops_options all = WEFT_COMPARE_OPS_DEFAULTS;
    WEFT_CHECK_STATUS(weft_compare_ops(c, broken, &all, NULL, NULL, &disagreeing), WEFT_E_SHAPE);
    weft_ctx_clear(c);
    weft_ctx_clear(broken);
    all.op = "no_such_operation";
    WEFT_CHECK_STATUS(weft_compare_ops(c, broken, &all, NULL, NULL, &disagreeing), WEFT_E_INVALID);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "\"no_such_operation\" is no operation");
    weft_release(a.p);
    weft_ctx_close(c);
    weft_ctx_close(broken);
}

/* ---- Saved launches ---- */

static weft_status product_step(weft_ctx *ctx, void *model, int step, double *loss)
{
    (void)model, (void)step;
    const int mark = weft_scope_push(ctx);
    weft_tensor *x = weft_full(ctx, WEFT_F32, WEFT_DIMS(3, 3), 0.5);
    *loss = weft_item(ctx, weft_sum(weft_leaky_relu(weft_transpose(x, 0, 1), 0.25), WEFT_ALL, false));
    return weft_scope_pop(ctx, mark);
}

/* A launch with a transposed operand and an attribute, in the file. */
static bool save_launch(const char *path)
{
    weft_ctx *ctx = open_one(), *other = open_one();
    weft_lockstep_report report = {0};
    plant(other, WEFT_OP_LEAKY_RELU, false, PLANTED_ELEMENT);
    const weft_lockstep_options options = INIT_LOCKSTEP(.save_path = path);
    WEFT_CHECK_STATUS(weft_lockstep(ctx, NULL, other, NULL, product_step, &options, &report, sizeof report),
                      WEFT_E_MISMATCH);
    weft_ctx_close(ctx);
    weft_ctx_close(other);
    return report.saved;
}

/* Replays the entries, which are not those of a launch. */
static void check_unfit(weft_ctx *writer, const char *path, const weft_named_tensor *entries, int n, const char *what)
{
    weft_difference difference;
    weft_ctx *ctx = open_one();
    WEFT_CHECK_OK(weft_save_npz(writer, path, entries, n));
    const weft_status status = weft_replay(ctx, path, &difference, sizeof difference);
    if (status != WEFT_E_IO || !strstr(weft_ctx_message(ctx), path))
        WEFT_FAIL("a launch %s: %s: %s", what, weft_status_name(status), weft_ctx_message(ctx));
    weft_ctx_close(ctx);
}

/* Whether a launch cannot do without it, whatever it is of. */
static bool is_needed(const char *entry)
{
    static const char *const names[] = {"launch", "op", "ints", "reals", "in_0_strides", "out_0_strides"};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        if (strcmp(names[k], entry) == 0)
            return true;
    return false;
}

WEFT_TEST(Replay, FilesThatHoldNoLaunch)
{
    test_folder folder;
    WEFT_REQUIRE(test_folder_make(&folder));
    char path[80], unfit[80];
    snprintf(path, sizeof path, "%s/launch.npz", folder.path);
    snprintf(unfit, sizeof unfit, "%s/unfit.npz", folder.path);
    WEFT_REQUIRE(save_launch(path));
    weft_ctx *ctx = open_one();
    weft_named_tensor *all = NULL, changed[64];
    int n = 0;
    WEFT_CHECK_OK(weft_load_npz(ctx, path, &all, &n));
    WEFT_REQUIRE(n > 6 && n < 64);
    int needed = 0;
    char what[160];
    for (int k = 0; k < n; k++) {
        if (!is_needed(all[k].name))
            continue;
        needed++;
        memcpy(changed, all, sizeof *all * (size_t)n);
        snprintf(what, sizeof what, "whose %s is of another dtype", all[k].name);
        changed[k].tensor = weft_full(ctx, WEFT_BOOL, WEFT_DIMS(1), 1);
        check_unfit(ctx, unfit, changed, n, what);
        snprintf(what, sizeof what, "without %s", all[k].name);
        changed[k] = changed[n - 1];
        check_unfit(ctx, unfit, changed, n - 1, what);
    }
    WEFT_CHECK_EQ_INT(needed, 6);
    weft_named_free(ctx, all, n);
    weft_ctx_close(ctx);
    test_folder_drop(&folder);
}

/* Numbers of the header and strides that no launch has. */
WEFT_TEST(Replay, NumbersThatNoLaunchHas)
{
    static const struct {
        const char *entry, *what;
        int at;
        int64_t value;
    } numbers[] = {{"launch", "of another version", 0, 99},
                   {"launch", "of an unknown phase", 2, 7},
                   {"launch", "with -1 operands", 3, -1},
                   {"launch", "with too many operands", 3, 1 << 20},
                   {"launch", "with -1 results", 4, -1},
                   {"launch", "with too many results", 4, 1 << 20},
                   {"in_0_strides", "with an absurd stride", 0, INT64_C(1) << 41},
                   {"in_0_strides", "with an absurd negative stride", 0, -(INT64_C(1) << 41)},
                   {"in_0_strides", "with strides far beyond the data", 0, INT64_C(1) << 39}};
    test_folder folder;
    WEFT_REQUIRE(test_folder_make(&folder));
    char path[80], unfit[80];
    snprintf(path, sizeof path, "%s/launch.npz", folder.path);
    snprintf(unfit, sizeof unfit, "%s/unfit.npz", folder.path);
    WEFT_REQUIRE(save_launch(path));
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
        weft_ctx *ctx = open_one();
        weft_named_tensor *all = NULL;
        int n = 0;
        WEFT_CHECK_OK(weft_load_npz(ctx, path, &all, &n));
        bool found = false;
        for (int j = 0; j < n; j++)
            if (strcmp(all[j].name, numbers[k].entry) == 0) {
                ((int64_t *)weft_data(all[j].tensor))[numbers[k].at] = numbers[k].value;
                found = true;
            }
        if (!found)
            WEFT_FAIL("the launch has no entry %s", numbers[k].entry);
        check_unfit(ctx, unfit, all, n, numbers[k].what);
        weft_named_free(ctx, all, n);
        weft_ctx_close(ctx);
    }
    test_folder_drop(&folder);
}
