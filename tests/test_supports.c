/* test_supports.c - weft_device_supports says of every operation and dtype what a call then does: on the tested
 * device, and on one that lacks dtypes and kernels. */
#include <stdio.h>
#include <string.h>
#include "compare/samples.h"
#include "engine/observe.h"
#include "engine/supports.h"
#include "fake_device.h"
#include "harness/structs.h"
#include "harness/weft_test.h"
#include "samples/device.h"

/* What the samples do not do: numbers that integers meet. */
static bool call_plainly(weft_ctx *c, const weft_op_description *about, weft_dtype dtype)
{
    weft_tensor *x = weft_ones(c, dtype, WEFT_DIMS(2, 3));
    const bool bytes = strcmp(about->name, "matmul_integer") == 0;
    if (about->family == WEFT_OP_FAMILY_UNARY_P && about->numbers == 1)
        about->call.unary_1(x, 1);
    else if (about->family == WEFT_OP_FAMILY_UNARY_P)
        about->call.unary_2(x, 0, 1);
    else if (about->family == WEFT_OP_FAMILY_INTEGER) /* of which samples are never floating */
        about->call.binary(x, x);
    else if (bytes) /* nor are they of other dtypes than 8-bit integers */
        weft_matmul_integer(x, weft_transpose(x, 0, 1), NULL, NULL);
    return about->family == WEFT_OP_FAMILY_UNARY_P || about->family == WEFT_OP_FAMILY_INTEGER || bytes;
}

/* Calls op on a device with operands of dtype, and compares with what was foretold. */
static void check_one(weft_ctx *c, const char *device, int op, weft_dtype dtype)
{
    char why[512] = "unset";
    const char *name = weft__ops[op].name;
    weft_op_description about = {0};
    WEFT_REQUIRE(weft_op_describe(weft_op_find(name), &about, sizeof about) == WEFT_OK);
    const weft_status foretold = weft_device_supports(device, name, dtype, why, sizeof why);
    const int mark = weft_scope_push(c);
    weft__sampler s = {.n_leaves = 0};
    if (!call_plainly(c, &about, dtype) && weft__sampler_make(&s, c, op, 0, dtype, WEFT_LAYOUT_CONTIGUOUS))
        (void)weft_sample_run(&s.call);
    const weft_status found = weft_ctx_status(c);
    if (foretold != found)
        WEFT_FAIL("weft_%s of %s on %s: foretold %s, but the call is %s: %s", name, weft_dtype_name(dtype), device,
                  weft_status_name(foretold), weft_status_name(found), weft_ctx_message(c));
    if (foretold == WEFT_OK)
        WEFT_CHECK_STR_EQ(why, "");
    else
        WEFT_CHECK_STR_HAS(why, name);
    if (foretold == WEFT_E_UNSUPPORTED) {
        WEFT_CHECK_STR_HAS(why, device);
        WEFT_CHECK_STR_HAS(weft_ctx_message(c), "has no kernel for it");
    }
    weft_ctx_clear(c);
    weft__sampler_drop(&s);
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
}

static void check_all(const char *device, weft_dtype first, weft_dtype last)
{
    weft_ctx *c = NULL;
    WEFT_REQUIRE(weft_ctx_open(&WITH_OPTIONS(.device = device), &c) == WEFT_OK);
    for (int op = 0; op < WEFT_OP_COUNT; op++)
        for (int d = (int)first; weft__ops[op].family != WEFT__KERNEL && d <= (int)last; d++)
            check_one(c, device, op, (weft_dtype)d);
    weft_ctx_close(c);
}

WEFT_TEST(DeviceSupports, EveryOperationInEveryDtype)
{
    check_all(test_device(), 0, WEFT_DTYPE_COUNT - 1);
}

/* ---- A device that lacks something ---- */

static int32_t without_dtype;

static bool has(weft_op op, int32_t dtype)
{
    (void)op;
    return dtype != without_dtype;
}

WEFT_TEST(DeviceSupports, ADeviceWithoutADtype)
{
    weft__backend *fake = fake_device();
    fake->supports = has;
    for (without_dtype = 0; without_dtype < WEFT_DTYPE_COUNT; without_dtype++)
        check_all("test", 0, WEFT_DTYPE_COUNT - 1);
    fake->supports = NULL;
}

/* COPY, CAST and FILL every device has. */
WEFT_TEST(DeviceSupports, ADeviceWithoutAKernel)
{
    weft__backend *fake = fake_device();
    for (int op = 0; op < WEFT_OP_COUNT; op++) {
        const weft__kernel right = fake->run[op];
        if (!right || op == WEFT_OP_COPY || op == WEFT_OP_CAST || op == WEFT_OP_FILL)
            continue;
        fake->run[op] = NULL;
        check_all("test", WEFT_F32, WEFT_F32);
        fake->run[op] = right;
    }
}

WEFT_TEST(DeviceSupports, TellsWhatIsWrongWithTheQuestion)
{
    fake_device();
    char why[512];
    WEFT_CHECK_STATUS(weft_device_supports(NULL, "add", WEFT_F32, why, sizeof why), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK_STATUS(weft_device_supports("test", NULL, WEFT_F32, why, sizeof why), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK_STATUS(weft_device_supports("test", "ad", WEFT_F32, why, sizeof why), WEFT_E_INVALID);
    WEFT_CHECK_STR_EQ(why, "there is no operation \"ad\"");
    WEFT_CHECK_STATUS(weft_device_supports("test", "softmax_grad", WEFT_F32, why, sizeof why), WEFT_E_INVALID);
    WEFT_CHECK_STATUS(weft_device_supports("test", "add", (weft_dtype)77, why, sizeof why), WEFT_E_INVALID);
    WEFT_CHECK_STATUS(weft_device_supports("test:", "add", WEFT_F32, why, sizeof why), WEFT_E_INVALID);
    WEFT_CHECK_STATUS(weft_device_supports("test:2", "add", WEFT_F32, why, sizeof why), WEFT_E_DEVICE);
    WEFT_CHECK_STR_HAS(why, "\"test:2\"");
    WEFT_CHECK_OK(weft_device_supports("test:1", "weft_add", WEFT_BOOL, NULL, 0));
    WEFT_CHECK_STATUS(weft_device_supports("test", "conv2d", WEFT_I8, why, sizeof why), WEFT_E_DTYPE);
    WEFT_CHECK_STR_HAS(why, "weft_conv2d: it is not defined for i8");
    WEFT_CHECK_STR_EQ(weft_device_kind(0), "cpu");
    WEFT_CHECK_STR_EQ(weft_device_kind(1), "cuda");
    WEFT_CHECK(!weft_device_kind(-1) && !weft_device_kind(1000));
}

/* ---- What composites are made of ---- */

typedef struct listener {
    weft__observer observer; /* first: the callbacks get its address */
    bool seen[WEFT_OP_COUNT][WEFT_DTYPE_COUNT];
} listener;

static void hear(weft__observer *observer, const weft__launch *l)
{
    listener *to = (listener *)observer;
    to->seen[l->op][weft__data_dtype(l->op, l->in, l->n_in, l->out, l->n_out)] = true;
}

static void hear_end(weft__observer *observer, const weft__launch *l, weft_status status)
{
    (void)observer, (void)l, (void)status;
}

/* The kernels of all recipes together are those of the record, and each runs in the dtype that it says. */
static void check_parts(weft_ctx *c, int op, weft_dtype dtype)
{
    listener to = {.observer = {.begin = hear, .end = hear_end}};
    const weft__op_def *def = weft__defs[op];
    for (int r = 0; r < WEFT__MAX_RECIPES && def->recipes[r].operands; r++) {
        weft__sampler s = {.n_leaves = 0};
        const int mark = weft_scope_push(c);
        WEFT_CHECK(weft__sampler_make(&s, c, op, r, dtype, WEFT_LAYOUT_CONTIGUOUS));
        weft__observe(c, &to.observer);
        WEFT_CHECK_OK(weft_sample_run(&s.call));
        weft__unobserve(c, &to.observer);
        weft__sampler_drop(&s);
        WEFT_CHECK_OK(weft_scope_pop(c, mark));
    }
    for (int k = 0; k < def->n_parts; k++) {
        if (!to.seen[def->parts[k].op][weft__part_gets(&def->parts[k], dtype)])
            WEFT_FAIL("weft_%s of %s does not run weft_%s in %s", weft__ops[op].name, weft_dtype_name(dtype),
                      weft__ops[def->parts[k].op].name, weft_dtype_name(weft__part_gets(&def->parts[k], dtype)));
        for (int j = 0; j < k; j++) /* two ways may come to one dtype, but are not the same way */
            WEFT_CHECK(def->parts[j].op != def->parts[k].op || def->parts[j].dtype != def->parts[k].dtype);
    }
    for (int k = 0; k < def->n_parts; k++)
        to.seen[def->parts[k].op][weft__part_gets(&def->parts[k], dtype)] = false;
    for (int other = 0; other < WEFT_OP_COUNT; other++)
        for (int d = 0; d < WEFT_DTYPE_COUNT; d++)
            if (to.seen[other][d] && other != WEFT_OP_COPY && other != WEFT_OP_CAST && other != WEFT_OP_FILL)
                WEFT_FAIL("weft_%s of %s runs weft_%s in %s, which its record does not name", weft__ops[op].name,
                          weft_dtype_name(dtype), weft__ops[other].name, weft_dtype_name((weft_dtype)d));
}

WEFT_TEST(Composites, RunThePartsThatTheirRecordsName)
{
    weft_ctx *c = NULL;
    WEFT_REQUIRE(weft_ctx_open(&WITH_OPTIONS(.device = test_device()), &c) == WEFT_OK);
    int n = 0;
    for (int op = 0; op < WEFT_OP_COUNT; op++)
        for (int d = 0; d < WEFT_DTYPE_COUNT; d++) {
            const bool takes = weft__defs[op]->takes != WEFT__FLOATS || weft_dtype_is_float((weft_dtype)d);
            if (weft__ops[op].family != WEFT__COMPOSITE || !takes)
                continue;
            check_parts(c, op, (weft_dtype)d);
            n++;
        }
    WEFT_CHECK(n >= 12 * 4); /* every composite in every floating dtype at least */
    weft_ctx_close(c);
}
