/* test_backends.c - a third kind of device beside "cpu" and "cuda": it is registered by name, found by every thread,
 * and runs operations; and what the driver makes of operands that a device's kernels do not take. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine/drive.h"
#include "engine/module.h"
#include "engine/registry.h"
#include "fake_device.h"
#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"

static weft_ctx *open_on(const char *device, fault_memory *memory)
{
    fake_device();
    weft_options o = fault_options(memory);
    o.device = device;
    o.seed = 7;
    weft_ctx *c = NULL;
    WEFT_CHECK_OK(weft_ctx_open(&o, &c));
    return c;
}

/* ---- The registry ---- */

WEFT_TEST(Backends, AThirdKindIsCountedAndDescribed)
{
    fake_device();
    WEFT_CHECK_EQ_INT(weft_device_count("test"), FAKE_DEVICES);
    weft_device_info info = {0};
    WEFT_CHECK_OK(weft_device_info_get("test", 1, &info, sizeof info));
    WEFT_CHECK_STR_EQ(info.kind, "test");
    WEFT_CHECK_EQ_INT(info.index, 1);
    WEFT_CHECK_STR_EQ(info.name, "fake 1");
    info = (weft_device_info){0};
    WEFT_CHECK_STATUS(weft_device_info_get("test", 2, &info, sizeof info), WEFT_E_INVALID);
    WEFT_CHECK_STR_HAS(info.note, "\"test:2\"");
    info = (weft_device_info){0};
    WEFT_CHECK_STATUS(weft_device_info_get("tpu", 0, &info, sizeof info), WEFT_E_INVALID);
    WEFT_CHECK_STR_HAS(info.note, "\"tpu\" is no kind of device; \"cpu\", \"cuda\"");
    WEFT_CHECK_STR_HAS(info.note, "\"test\"");
    WEFT_CHECK_EQ_INT(weft_device_count("tpu"), 0);
}

WEFT_TEST(Backends, AContextKnowsItsDevice)
{
    fault_memory memory = {0};
    weft_ctx *c = open_on("test:1", &memory);
    weft_device_info info = {0};
    WEFT_CHECK_OK(weft_ctx_device_info(c, &info, sizeof info));
    WEFT_CHECK_STR_EQ(info.kind, "test");
    WEFT_CHECK_EQ_INT(info.index, 1);
    WEFT_CHECK_STR_EQ(info.name, "fake 1");
    WEFT_CHECK_STATUS(weft_ctx_device_info(NULL, &info, sizeof info), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK_STATUS(weft_ctx_device_info(c, NULL, 0), WEFT_E_NULL_ARGUMENT);
    fault_ctx_close(c, &memory);
}

WEFT_TEST(Backends, NamesThatAreNoneAreRefused)
{
    weft__backend other = *weft__cpu_backend();
    static const char *const names[] = {"", "cpu:0", "a kind", "sixteen_letters_"};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        other.name = names[k];
        WEFT_CHECK(!weft__backend_register(&other));
        WEFT_CHECK(!weft__backend_known(names[k]));
    }
}

WEFT_TEST(Backends, TheLatestOfANameCountsAndOpenContextsKeepTheirs)
{
    static weft__backend first, second;
    first = second = *weft__cpu_backend();
    first.name = second.name = "replaced";
    fault_memory memory = {0};
    char why[512];
    WEFT_REQUIRE(weft__backend_register(&first));
    weft_ctx *c = open_on("replaced", &memory);
    WEFT_REQUIRE(weft__backend_register(&second));
    WEFT_CHECK(weft__backend_find("replaced", why, sizeof why) == &second);
    WEFT_CHECK_EQ_INT((int64_t)weft_item(c, weft_sum(weft_ones(c, WEFT_F32, WEFT_DIMS(9)), WEFT_ALL, false)), 9);
    fault_ctx_close(c, &memory);
}

/* ---- Modules ---- */

WEFT_TEST(Backends, AModuleThatDoesNotLoadSaysWhy)
{
    static const weft__module module = {
        .title = "test", .file = "libweft_none.so", .symbol = "weft_none_module", .variable = "WEFT_TEST_MODULE"};
    char why[512];
    unsetenv("WEFT_TEST_MODULE");
    WEFT_CHECK(!weft__module_open(&module, why, sizeof why));
    WEFT_CHECK_STR_HAS(why, "there is no test module: libweft_none.so is neither beside the library");
    WEFT_CHECK_STR_HAS(why, "set WEFT_TEST_MODULE to its path");
    setenv("WEFT_TEST_MODULE", "/nowhere/libweft_none.so", 1);
    WEFT_CHECK(!weft__module_open(&module, why, sizeof why));
    WEFT_CHECK_STR_HAS(why, "/nowhere/libweft_none.so could not be opened: ");
    setenv("WEFT_TEST_MODULE", "libm.so.6", 1);
    WEFT_CHECK(!weft__module_open(&module, why, sizeof why));
    WEFT_CHECK_STR_HAS(why, "libm.so.6 is not a test module of Weft: it has no symbol weft_none_module");
    unsetenv("WEFT_TEST_MODULE");
}

/* One that does: it was built with the tests. What the registry then makes of it, a device of its kind may tell. */
WEFT_TEST(Backends, AModuleIsOpenedAndAsked)
{
    static const weft__module module = {
        .title = "test", .file = "libweft_none.so", .symbol = "weft_test_module", .variable = "WEFT_TEST_MODULE"};
    char why[512] = "";
    setenv("WEFT_TEST_MODULE", WEFT_TEST_MODULE_FILE, 1);
    setenv("WEFT_TEST_REFUSE", "1", 1);
    WEFT_CHECK(!weft__module_open(&module, why, sizeof why));
    WEFT_CHECK_STR_HAS(why, "does not fit this library: the module is of another build than Weft ");
    unsetenv("WEFT_TEST_REFUSE");
    const weft__backend *backend = weft__module_open(&module, why, sizeof why);
    unsetenv("WEFT_TEST_MODULE");
    WEFT_REQUIRE(backend && weft__backend_register(backend));
    WEFT_CHECK_EQ_INT(weft_device_count("from_module"), 0);
    weft_device_info info = {0};
    WEFT_CHECK_STATUS(weft_device_info_get("from_module", 0, &info, sizeof info), WEFT_E_DEVICE);
    WEFT_CHECK_STR_EQ(info.note, "the module of the tests has no devices");
    WEFT_CHECK_STATUS(weft_device_supports("from_module", "add", WEFT_F32, why, sizeof why), WEFT_E_DEVICE);
}

/* ---- Threads ---- */

enum { THREADS = 8, ROUNDS = 200 };

static void *look_around(void *arg)
{
    weft__backend *own = arg;
    char why[512];
    for (int k = 0; k < ROUNDS; k++) {
        if (!weft__backend_register(own) || weft__backend_find(own->name, why, sizeof why) != own ||
            weft__backend_find("cpu", why, sizeof why) != weft__cpu_backend() ||
            weft__backend_find("nowhere", why, sizeof why))
            return arg;
        (void)weft__backend_find("cuda", why, sizeof why);
        fake_device();
        if (weft_device_count("test") != FAKE_DEVICES)
            return arg;
    }
    return NULL;
}

WEFT_TEST(Backends, ThreadsRegisterAndFindAtTheSameTime)
{
    static weft__backend own[THREADS];
    static char names[THREADS][16];
    pthread_t threads[THREADS];
    for (int k = 0; k < THREADS; k++) {
        snprintf(names[k], sizeof names[k], "own_%d", k);
        own[k] = *weft__cpu_backend();
        own[k].name = names[k];
        WEFT_REQUIRE(pthread_create(&threads[k], NULL, look_around, &own[k]) == 0);
    }
    for (int k = 0; k < THREADS; k++) {
        void *failed = NULL;
        pthread_join(threads[k], &failed);
        WEFT_CHECK(!failed);
    }
    int kinds = 0;
    while (weft__backend_name(kinds))
        kinds++;
    WEFT_CHECK(kinds >= THREADS + 3);
}

/* ---- It runs operations ---- */

/* A training step and operations that the driver converts for. */
static double work(weft_ctx *c)
{
    const int mark = weft_scope_push(c);
    weft_tensor *x = weft_randn(c, WEFT_F32, WEFT_DIMS(6, 5), 0, 1),
                *w = weft_param(weft_randn(c, WEFT_F32, WEFT_DIMS(4, 5), 0, 1), "w"), *half = weft_cast(x, WEFT_BF16),
                *rows = weft_arange(c, WEFT_I32, 0, 4, 1);
    weft_tensor *y = weft_softmax(weft_linear(x, w, NULL), 1);
    weft_backward(c, weft_sum(weft_square(y), WEFT_ALL, false));
    double sum = weft_item(c, weft_sum(weft_grad_of(w), WEFT_ALL, false));
    sum += weft_item(c, weft_sum(weft_index_select(weft_transpose(half, 0, 1), rows, 0), WEFT_ALL, false));
    sum += weft_item(c, weft_sum(weft_attention(half, half, half, 0.5, true), WEFT_ALL, false));
    sum +=
        weft_item(c, weft_sum(weft_index_add(weft_zeros(c, WEFT_I8, WEFT_DIMS(4)), rows, weft_cast(rows, WEFT_I8), 0),
                              WEFT_ALL, false));
    weft_release(w);
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    return sum;
}

WEFT_TEST(Backends, AThirdKindRunsOperations)
{
    fake_device();
    fault_memory here = {0}, there = {0};
    weft_ctx *cpu = open_on("cpu", &here), *test = open_on("test:1", &there);
    WEFT_CHECK(weft_ctx_on_host(cpu) && !weft_ctx_on_host(test));
    fake_device_traffic();
    const double found = work(test);
    WEFT_CHECK(fake_device_traffic().to_host > 0);
    WEFT_CHECK(found == work(cpu));
    fault_ctx_close(cpu, &here);
    fault_ctx_close(test, &there);
}

/* ---- The driver ---- */

enum { MOST = 4 };

static struct {
    weft__array in[MOST], out[MOST];
    int calls;
} seen;

static weft_status look(const weft__exec *e)
{
    seen.calls++;
    for (int k = 0; k < e->n_in && k < MOST; k++)
        if (e->in[k])
            seen.in[k] = *e->in[k];
    for (int k = 0; k < e->n_out && k < MOST; k++) {
        if (!e->out[k])
            continue;
        seen.out[k] = *e->out[k];
        memset(e->out[k]->data, 0, (size_t)e->out[k]->count * weft_dtype_size((weft_dtype)e->out[k]->dtype));
    }
    return WEFT_OK;
}

static weft__exception exceptions[WEFT_OP_COUNT];
static weft__needs needs;

static weft_status driven(const weft__exec *e)
{
    return e->host->drive(e, &needs, look);
}

/* What a kernel of op gets for make(c), on a device that needs this. */
static void spy(weft_op op, weft__needs which, weft__exception exception, weft_tensor *(*make)(weft_ctx *c))
{
    weft__backend *fake = fake_device();
    const weft__kernel right = fake->run[op];
    fault_memory memory = {0};
    weft_ctx *c = open_on("test", &memory);
    memset(&seen, 0, sizeof seen);
    exceptions[op] = exception;
    needs = which;
    needs.copy = fake->run[WEFT_OP_COPY];
    needs.exceptions = exceptions;
    fake->run[op] = driven;
    WEFT_CHECK(make(c) != NULL);
    fake->run[op] = right;
    exceptions[op] = (weft__exception){0};
    WEFT_CHECK_EQ_INT(seen.calls, 1);
    fault_ctx_close(c, &memory);
}

static const weft__needs plain = {.halves = false}, all_dtypes = {.halves = true, .small_integers = true};

static weft_tensor *product(weft_ctx *c)
{
    return weft_matmul(weft_ones(c, WEFT_F16, WEFT_DIMS(2, 3, 5)),
                       weft_transpose(weft_ones(c, WEFT_F16, WEFT_DIMS(4, 5)), 0, 1));
}

WEFT_TEST(Driver, ConvertsHalvesWhereTheDeviceDoesNotComputeInThem)
{
    spy(WEFT_OP_MATMUL, plain, (weft__exception){0}, product);
    WEFT_CHECK_EQ_INT(seen.in[0].dtype, WEFT_F32);
    WEFT_CHECK_EQ_INT(seen.in[1].dtype, WEFT_F32);
    WEFT_CHECK_EQ_INT(seen.in[1].strides[0], 0); /* repeated for each product of the batch, converted once */
    WEFT_CHECK_EQ_INT(seen.out[0].dtype, WEFT_F32);
    spy(WEFT_OP_MATMUL, all_dtypes, (weft__exception){0}, product);
    WEFT_CHECK_EQ_INT(seen.in[0].dtype, WEFT_F16);
    WEFT_CHECK_EQ_INT(seen.in[1].dtype, WEFT_F16);
    WEFT_CHECK_EQ_INT(seen.in[1].strides[2], 5); /* as it came: transposed */
    WEFT_CHECK_EQ_INT(seen.out[0].dtype, WEFT_F16);
}

WEFT_TEST(Driver, MakesContiguousWhatTheDeviceDoesNotTakeStrided)
{
    spy(WEFT_OP_MATMUL, all_dtypes, (weft__exception){.dense = 2}, product);
    WEFT_CHECK(seen.in[1].contiguous);
    WEFT_CHECK_EQ_INT(seen.in[1].strides[0], 20);
    WEFT_CHECK_EQ_INT(seen.in[1].dtype, WEFT_F16);
}

static weft_tensor *added_rows(weft_ctx *c)
{
    return weft_index_add(weft_ones(c, WEFT_I8, WEFT_DIMS(4, 2)), weft_arange(c, WEFT_I32, 0, 3, 1),
                          weft_ones(c, WEFT_I8, WEFT_DIMS(3, 2)), 0);
}

WEFT_TEST(Driver, GivesIndicesAsI64AndSmallIntegersAsTheDeviceTakesThem)
{
    spy(WEFT_OP_INDEX_ADD, all_dtypes, (weft__exception){0}, added_rows);
    WEFT_CHECK_EQ_INT(seen.in[0].dtype, WEFT_I8);
    WEFT_CHECK_EQ_INT(seen.in[1].dtype, WEFT_I64);
    WEFT_CHECK_EQ_INT(seen.out[0].dtype, WEFT_I8);
    spy(WEFT_OP_INDEX_ADD, all_dtypes, (weft__exception){.wide = true}, added_rows);
    WEFT_CHECK_EQ_INT(seen.in[0].dtype, WEFT_I64);
    WEFT_CHECK_EQ_INT(seen.in[2].dtype, WEFT_I64);
    WEFT_CHECK_EQ_INT(seen.out[0].dtype, WEFT_I64);
    spy(WEFT_OP_INDEX_ADD, plain, (weft__exception){0}, added_rows);
    WEFT_CHECK_EQ_INT(seen.in[2].dtype, WEFT_I64);
}

static weft_tensor *gathered(weft_ctx *c)
{
    return weft_index_select(weft_ones(c, WEFT_BF16, WEFT_DIMS(4, 2)), weft_arange(c, WEFT_I32, 0, 3, 1), 0);
}

static weft_tensor *counted(weft_ctx *c)
{
    return weft_sum(weft_transpose(weft_ones(c, WEFT_F16, WEFT_DIMS(4, 2)), 0, 1), WEFT_DIMS(1), false);
}

static weft_tensor *added(weft_ctx *c)
{
    weft_tensor *x = weft_ones(c, WEFT_F16, WEFT_DIMS(4, 2));
    return weft_add(weft_transpose(x, 0, 1), weft_ones(c, WEFT_F16, WEFT_DIMS(2, 4)));
}

WEFT_TEST(Driver, LeavesAloneWhatOnlyMovesAndWhatTheKernelTakes)
{
    spy(WEFT_OP_INDEX_SELECT, plain, (weft__exception){0}, gathered);
    WEFT_CHECK_EQ_INT(seen.in[0].dtype, WEFT_BF16);
    WEFT_CHECK_EQ_INT(seen.in[1].dtype, WEFT_I64);
    WEFT_CHECK_EQ_INT(seen.out[0].dtype, WEFT_BF16);
    spy(WEFT_OP_SUM, plain, (weft__exception){.any_dtype = 1}, counted);
    WEFT_CHECK_EQ_INT(seen.in[0].dtype, WEFT_F16);
    WEFT_CHECK_EQ_INT(seen.in[0].strides[0], 1);
    WEFT_CHECK_EQ_INT(seen.out[0].dtype, WEFT_F32);
    spy(WEFT_OP_ADD, plain, (weft__exception){0}, added);
    WEFT_CHECK_EQ_INT(seen.in[0].dtype, WEFT_F16);
    WEFT_CHECK_EQ_INT(seen.in[0].strides[0], 1);
}

/* The results of a kernel that computes in another dtype are those of the operation. */
WEFT_TEST(Driver, ConvertsResultsBack)
{
    fault_memory memory = {0};
    weft_ctx *c = open_on("test", &memory);
    weft_tensor *y = added_rows(c), *z = product(c);
    WEFT_CHECK_EQ_INT(weft_dtype_of(y), WEFT_I8);
    WEFT_CHECK_EQ_INT((int64_t)weft_item(c, weft_sum(y, WEFT_ALL, false)), 14);
    WEFT_CHECK_EQ_INT(weft_dtype_of(z), WEFT_F16);
    WEFT_CHECK_EQ_INT((int64_t)weft_item(c, weft_sum(z, WEFT_ALL, false)), 5 * 24);
    fault_ctx_close(c, &memory);
}

/* ---- Custom operations ---- */

typedef struct called {
    int host, device;
    void *stream;
    weft_status status;
} called;

static weft_status double_it(const weft_array *in, weft_array *out)
{
    for (int64_t i = 0; i < out->count; i++)
        ((float *)out->data)[i] = 2 * ((const float *)in[0].data)[i];
    return WEFT_OK;
}

static weft_status on_host(weft_ctx *c, const weft_array *in, int n, weft_array *out, void *user)
{
    (void)c, (void)n;
    ((called *)user)->host++;
    return double_it(in, out);
}

static weft_status on_device(weft_ctx *c, const weft_array *in, int n, weft_array *out, void *stream, void *user)
{
    (void)c, (void)n;
    called *seen_by = user;
    seen_by->device++;
    seen_by->stream = stream;
    (void)double_it(in, out);
    return seen_by->status;
}

static double doubled(weft_ctx *c, const weft_custom_op *op)
{
    weft_tensor *x = weft_ones(c, WEFT_F32, WEFT_DIMS(3));
    return weft_item(c, weft_sum(weft_custom(op, &x, 1), WEFT_ALL, false));
}

WEFT_TEST(CustomDevices, EachHasItsOwnCallback)
{
    fault_memory here = {0}, there = {0};
    weft_ctx *cpu = open_on("cpu", &here), *test = open_on("test", &there);
    called by = {.status = WEFT_OK};
    weft_custom_op op = INIT_CUSTOM_OP(.name = "doubled", .forward = on_host,
                                       .devices = {{"cuda", NULL}, {"test", on_device}}, .user = &by);
    WEFT_CHECK(doubled(cpu, &op) == 6);
    WEFT_CHECK_EQ_INT(by.host, 1);
    WEFT_CHECK_EQ_INT(by.device, 0);
    WEFT_CHECK(doubled(test, &op) == 6);
    WEFT_CHECK_EQ_INT(by.host, 1);
    WEFT_CHECK_EQ_INT(by.device, 1);
    WEFT_CHECK(by.stream == FAKE_STREAM);
    op.devices[0].device = "cpu"; /* it is in the list: forward is not asked */
    op.devices[0].forward = on_device;
    WEFT_CHECK(doubled(cpu, &op) == 6);
    WEFT_CHECK_EQ_INT(by.host, 1);
    WEFT_CHECK(by.stream == NULL);
    fault_ctx_close(cpu, &here);
    fault_ctx_close(test, &there);
}

WEFT_TEST(CustomDevices, OneThatIsMissingIsNamed)
{
    fault_memory here = {0}, there = {0};
    weft_ctx *cpu = open_on("cpu", &here), *test = open_on("test", &there);
    called by = {.status = WEFT_OK};
    weft_custom_op op =
        INIT_CUSTOM_OP(.name = "doubled", .forward = on_host, .devices = {{"cuda", on_device}}, .user = &by);
    doubled(test, &op);
    WEFT_CHECK_STR_HAS(weft_ctx_message(test), "weft_doubled: it has no forward callback for the device \"test\"");
    WEFT_CHECK_STR_HAS(weft_ctx_message(test), "only for the host, \"cuda\"; add {\"test\", callback}");
    WEFT_CHECK_STATUS(weft_ctx_clear(test), WEFT_E_UNSUPPORTED);
    op.forward = NULL;
    doubled(cpu, &op);
    WEFT_CHECK_STR_HAS(weft_ctx_message(cpu), "for the device \"cpu\", only for \"cuda\"");
    WEFT_CHECK_STATUS(weft_ctx_clear(cpu), WEFT_E_UNSUPPORTED);
    op.devices[0].device = NULL;
    doubled(cpu, &op);
    WEFT_CHECK_STATUS(weft_ctx_clear(cpu), WEFT_E_INVALID);
    WEFT_CHECK_EQ_INT(by.host + by.device, 0);
    for (int k = 0; k < WEFT_CUSTOM_DEVICES; k++) /* no end of the list but its length */
        op.devices[k] = (weft_custom_device){k < WEFT_CUSTOM_DEVICES - 1 ? "other" : "test", on_device};
    WEFT_CHECK(doubled(test, &op) == 6);
    doubled(cpu, &op);
    WEFT_CHECK_STATUS(weft_ctx_clear(cpu), WEFT_E_UNSUPPORTED);
    by.status = WEFT_E_IO;
    doubled(test, &op);
    WEFT_CHECK_STR_HAS(weft_ctx_message(test), "its forward callback for \"test\" returned");
    WEFT_CHECK_STATUS(weft_ctx_clear(test), WEFT_E_CALLBACK);
    fault_ctx_close(cpu, &here);
    fault_ctx_close(test, &there);
}
