/* test_copy_to.c - weft_copy_to between contexts on the same and on different devices: values, which way the bytes go,
 * history, lifetime, and in which context an error is recorded. The emulator has the tests of CUDA. */
#include <string.h>
#include "fake_device.h"
#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"

typedef struct pair {
    fault_memory from_memory, to_memory;
    weft_ctx *from, *to;
} pair;

static weft_ctx *open_on(const char *device, fault_memory *memory, size_t budget)
{
    weft_options o = fault_options(memory);
    o.device = device;
    o.memory_budget = budget;
    weft_ctx *c = NULL;
    WEFT_CHECK_OK(weft_ctx_open(&o, &c));
    return c;
}

static void pair_open(pair *p, const char *from, const char *to)
{
    fake_device();
    *p = (pair){.from = NULL};
    p->from = open_on(from, &p->from_memory, SIZE_MAX);
    p->to = open_on(to, &p->to_memory, SIZE_MAX);
}

static void pair_close(pair *p)
{
    fault_ctx_close(p->from, &p->from_memory);
    fault_ctx_close(p->to, &p->to_memory);
}

/* y is what t is. */
static void check_same(pair *p, weft_tensor *t, weft_tensor *y)
{
    unsigned char was[512], is[512];
    WEFT_REQUIRE(y != NULL && weft_bytes(t) <= sizeof was);
    WEFT_CHECK(weft_ctx_of(y) == p->to);
    WEFT_CHECK_EQ_INT(weft_dtype_of(y), weft_dtype_of(t));
    WEFT_CHECK_EQ_INT(weft_ndim(y), weft_ndim(t));
    for (int d = 0; d < weft_ndim(t); d++)
        WEFT_CHECK_EQ_INT(weft_size(y, d), weft_size(t, d));
    WEFT_CHECK(weft_is_contiguous(y));
    WEFT_CHECK_OK(weft_read(p->from, t, was, weft_bytes(t)));
    WEFT_CHECK_OK(weft_read(p->to, y, is, weft_bytes(y)));
    WEFT_CHECK(memcmp(was, is, weft_bytes(t)) == 0);
}

static const char *const devices[][2] = {
    {"cpu", "cpu"}, {"cpu", "test"}, {"test", "cpu"}, {"test", "test"}, {"test", "test:1"}};
enum { N_DEVICES = sizeof devices / sizeof *devices };

/* ---- Values ---- */

WEFT_TEST(CopyTo, EveryDtypeAndLayoutBetweenAllDevices)
{
    for (int k = 0; k < N_DEVICES; k++) {
        pair p;
        pair_open(&p, devices[k][0], devices[k][1]);
        for (int d = 0; d < WEFT_DTYPE_COUNT; d++) {
            weft_tensor *x = weft_cast(weft_randn(p.from, WEFT_F32, WEFT_DIMS(5, 6), 0, 9), (weft_dtype)d);
            check_same(&p, x, weft_copy_to(p.to, x));
            weft_tensor *turned = weft_transpose(x, 0, 1), *repeated = weft_expand(x, WEFT_DIMS(2, 5, 6)),
                        *scalar = weft_select(weft_select(x, 0, 1), 0, 2), *empty = weft_slice(x, 0, 2, 2, 1);
            check_same(&p, turned, weft_copy_to(p.to, turned));
            check_same(&p, repeated, weft_copy_to(p.to, repeated));
            check_same(&p, scalar, weft_copy_to(p.to, scalar));
            check_same(&p, empty, weft_copy_to(p.to, empty));
        }
        pair_close(&p);
    }
}

WEFT_TEST(CopyTo, GoesTheShortestWay)
{
    static const fake_traffic ways[N_DEVICES] = {
        {.to_host = 0}, {.from_host = 400}, {.to_host = 400}, {.between = 400}, {.between = 400}};
    for (int k = 0; k < N_DEVICES; k++) {
        pair p;
        pair_open(&p, devices[k][0], devices[k][1]);
        weft_tensor *x = weft_ones(p.from, WEFT_F32, WEFT_DIMS(100));
        fake_device_traffic();
        WEFT_CHECK(weft_copy_to(p.to, x) != NULL);
        const fake_traffic t = fake_device_traffic();
        WEFT_CHECK_EQ_INT(t.to_host, ways[k].to_host);
        WEFT_CHECK_EQ_INT(t.from_host, ways[k].from_host);
        WEFT_CHECK_EQ_INT(t.between, ways[k].between);
        pair_close(&p);
    }
}

/* Devices that cannot reach each other: in pieces. */
WEFT_TEST(CopyTo, LargeOnesByWayOfTheHost)
{
    pair p;
    pair_open(&p, "test", "test:1");
    weft__backend *fake = fake_device();
    const weft__backend was = *fake;
    fake->from_device = NULL;
    const int64_t n = (37 << 20) + 5;
    weft_tensor *x = weft_ones(p.from, WEFT_U8, WEFT_DIMS(n));
    weft_fill_(weft_slice(x, 0, n - 3, n, 1), 7);
    fake_device_traffic();
    weft_tensor *y = weft_copy_to(p.to, x);
    const fake_traffic t = fake_device_traffic();
    *fake = was;
    WEFT_CHECK_EQ_INT(t.to_host, n);
    WEFT_CHECK_EQ_INT(t.from_host, n);
    WEFT_CHECK_EQ_INT(weft_item_i64(p.to, weft_sum(y, WEFT_ALL, false)), n + 18);
    WEFT_CHECK_EQ_INT(weft_item_i64(p.to, weft_select(y, 0, n - 1)), 7);
    pair_close(&p);
}

WEFT_TEST(CopyTo, SharedTensorsAndTheSameContext)
{
    static const char *const names[] = {"cpu", "test"};
    for (int k = 0; k < 2; k++) {
        pair p;
        pair_open(&p, "cpu", names[k]);
        weft_tensor *x = weft_randn(p.from, WEFT_F64, WEFT_DIMS(3, 4), 0, 1), *shared = weft_share(x);
        check_same(&p, x, weft_copy_to(p.to, shared));
        weft_release(shared);
        pair_close(&p);
        pair_open(&p, names[k], "cpu");
        weft_tensor *z = weft_transpose(weft_randn(p.from, WEFT_F64, WEFT_DIMS(3, 4), 0, 1), 0, 1),
                    *copy = weft_copy_to(p.from, z);
        WEFT_CHECK(copy != z && weft_is_contiguous(copy));
        WEFT_CHECK_EQ_INT(weft_item_i64(p.from, weft_all(weft_eq(copy, z), WEFT_ALL, false)), 1);
        weft_fill_(z, 0); /* it is a copy */
        WEFT_CHECK_EQ_INT(weft_item_i64(p.from, weft_any(weft_ne(copy, z), WEFT_ALL, false)), 1);
        pair_close(&p);
    }
}

/* ---- Lifetime and history ---- */

WEFT_TEST(CopyTo, HoldsNothingOfTheOtherContext)
{
    for (int k = 0; k < N_DEVICES; k++) {
        pair p;
        pair_open(&p, devices[k][0], devices[k][1]);
        const int mark = weft_scope_push(p.from);
        weft_tensor *x = weft_transpose(weft_ones(p.from, WEFT_F32, WEFT_DIMS(4, 4)), 0, 1);
        const int64_t before = memory_of(p.from).live_tensors;
        weft_tensor *y = weft_copy_to(p.to, x);
        WEFT_CHECK_EQ_INT(memory_of(p.from).live_tensors, before); /* nor the contiguous copy on the way */
        weft_fill_(x, 3);
        WEFT_CHECK_OK(weft_scope_pop(p.from, mark));
        fault_ctx_close(p.from, &p.from_memory);
        WEFT_CHECK(weft_item(p.to, weft_sum(y, WEFT_ALL, false)) == 16);
        fault_ctx_close(p.to, &p.to_memory);
    }
}

WEFT_TEST(CopyTo, HasNoHistoryAndSaysSo)
{
    pair p;
    pair_open(&p, "cpu", "test");
    weft_tensor *w = weft_param(weft_ones(p.from, WEFT_F32, WEFT_DIMS(3)), "w");
    weft_ctx *const targets[] = {p.to, p.from};
    for (int k = 0; k < 2; k++) {
        weft_tensor *y = weft_copy_to(targets[k], weft_square(w));
        WEFT_CHECK(!weft_requires_grad(y));
        WEFT_CHECK_STATUS(weft_backward(targets[k], weft_sum(y, WEFT_ALL, false)), WEFT_E_NO_GRADIENT);
        WEFT_CHECK_STR_HAS(weft_ctx_message(targets[k]), "the path was cut by weft_copy_to at");
        WEFT_CHECK_STR_HAS(weft_ctx_message(targets[k]), "test_copy_to.c:");
        WEFT_CHECK_STR_HAS(weft_ctx_message(targets[k]), "no gradient flows from one context to another");
        weft_ctx_clear(targets[k]);
    }
    weft_tensor *v = weft_set_requires_grad(weft_copy_to(p.to, w), true); /* a leaf like any other */
    WEFT_CHECK_OK(weft_backward(p.to, weft_sum(weft_square(v), WEFT_ALL, false)));
    WEFT_CHECK(weft_item(p.to, weft_sum(weft_grad_of(v), WEFT_ALL, false)) == 6);
    weft_release(w);
    pair_close(&p);
}

/* ---- Errors ---- */

static void check_errors(pair *p, weft_status from, weft_status to, const char *part)
{
    WEFT_CHECK_STR_HAS(weft_ctx_message(p->to), part);
    WEFT_CHECK_STR_HAS(weft_ctx_message(p->to), "weft_copy_to");
    WEFT_CHECK_STATUS(weft_ctx_clear(p->to), to);
    WEFT_CHECK_STATUS(weft_ctx_clear(p->from), from);
}

WEFT_TEST(CopyTo, WhatIsWrongWithTheTensorIsInBothContexts)
{
    pair p;
    pair_open(&p, "cpu", "test");
    weft_tensor *x = weft_ones(p.from, WEFT_F32, WEFT_DIMS(3));
    weft_drop(x);
    WEFT_CHECK(weft_copy_to(p.to, x) == NULL);
    WEFT_CHECK_STR_HAS(weft_ctx_message(p.from), "was freed");
    check_errors(&p, WEFT_E_DEAD_TENSOR, WEFT_E_DEAD_TENSOR, "was freed: it was made by weft_ones");
    weft_tensor *y = weft_ones(p.from, WEFT_F32, WEFT_DIMS(3));
    weft_ctx_fail(p.from, WEFT_E_IO, "the disk is full");
    WEFT_CHECK(weft_copy_to(p.to, y) == NULL);
    check_errors(&p, WEFT_E_IO, WEFT_E_IO, "has an error: the disk is full");
    WEFT_CHECK(weft_copy_to(p.to, NULL) == NULL);
    check_errors(&p, WEFT_OK, WEFT_E_NULL_ARGUMENT, "the tensor is NULL");
    WEFT_CHECK(weft_copy_to(NULL, y) == NULL);
    const char *lost = NULL;
    WEFT_CHECK_STATUS(weft_lost_error(&lost), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK_STR_HAS(lost, "copy_to");
    weft_ctx_fail(p.to, WEFT_E_IO, "the disk is full"); /* nothing happens then */
    WEFT_CHECK(weft_copy_to(p.to, y) == NULL);
    WEFT_CHECK_STATUS(weft_ctx_clear(p.to), WEFT_E_IO);
    WEFT_CHECK_OK(weft_ctx_status(p.from));
    pair_close(&p);
}

static weft_status no_upload(void *device, void *block, const void *host, size_t bytes)
{
    (void)device, (void)block, (void)host, (void)bytes;
    return WEFT_E_DEVICE;
}

static weft_status no_way(void *device, void *block, void *other, const void *from, size_t bytes)
{
    (void)device, (void)block, (void)other, (void)from, (void)bytes;
    return WEFT_E_DEVICE;
}

WEFT_TEST(CopyTo, AFailingDeviceIsAnErrorOfItsContext)
{
    weft__backend *fake = fake_device();
    const weft__backend was = *fake;
    static const struct {
        const char *from, *to;
        bool up, down, direct; /* what fails */
        weft_status in_from;
        const char *part;
    } cases[] = {
        {"cpu", "test", true, false, false, WEFT_OK, "the copy to the device failed"},
        {"test", "cpu", false, true, false, WEFT_E_DEVICE, "the copy from the device failed"},
        {"test", "test", false, false, true, WEFT_OK, "the copy between devices failed"},
        {"test", "test", true, false, false, WEFT_OK, "the copy to the device failed"},
        {"test", "test", false, true, false, WEFT_E_DEVICE, "the copy from the device failed"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        pair p;
        pair_open(&p, cases[k].from, cases[k].to);
        weft_tensor *x = weft_transpose(weft_ones(p.from, WEFT_F32, WEFT_DIMS(3, 2)), 0, 1);
        if (!cases[k].direct)
            fake->from_device = NULL;
        else
            fake->from_device = no_way;
        if (cases[k].up)
            fake->from_host = no_upload;
        if (cases[k].down)
            fake->to_host = fake_no_download;
        WEFT_CHECK(weft_copy_to(p.to, x) == NULL);
        *fake = was;
        check_errors(&p, cases[k].in_from, WEFT_E_DEVICE, cases[k].part);
        WEFT_CHECK(weft_copy_to(p.to, x) != NULL);
        pair_close(&p);
    }
}

WEFT_TEST(CopyTo, OutOfMemoryIsAnErrorOfTheContextThatHasNone)
{
    fake_device();
    pair p = {.from = NULL};
    p.from = open_on("cpu", &p.from_memory, SIZE_MAX);
    p.to = open_on("test", &p.to_memory, 2000);
    weft_tensor *x = weft_ones(p.from, WEFT_F32, WEFT_DIMS(1000));
    WEFT_CHECK(weft_copy_to(p.to, x) == NULL);
    check_errors(&p, WEFT_OK, WEFT_E_NOMEM, "out of memory");
    pair_close(&p);
    p = (pair){.from = NULL};
    p.from = open_on("cpu", &p.from_memory, 6000);
    p.to = open_on("test", &p.to_memory, SIZE_MAX);
    x = weft_transpose(weft_ones(p.from, WEFT_F32, WEFT_DIMS(10, 100)), 0, 1);
    WEFT_CHECK(weft_copy_to(p.to, x) == NULL); /* no room to make it contiguous */
    check_errors(&p, WEFT_E_NOMEM, WEFT_E_NOMEM, "out of memory");
    pair_close(&p);
}

/* Every allocation on the way fails once. */
WEFT_TEST(CopyTo, LosesNothingWhereAllocationsFail)
{
    for (int which = 0; which < 2; which++) {
        for (long at = 1; at < 40; at++) {
            pair p;
            pair_open(&p, "cpu", "test");
            weft_tensor *x = weft_transpose(weft_ones(p.from, WEFT_F32, WEFT_DIMS(3, 2)), 0, 1);
            fault_memory *m = which ? &p.from_memory : &p.to_memory;
            m->fail_at = m->calls + at;
            weft_tensor *y = weft_copy_to(p.to, x);
            m->fail_at = 0;
            WEFT_CHECK_STATUS(weft_ctx_clear(p.to), y ? WEFT_OK : WEFT_E_NOMEM);
            WEFT_CHECK_STATUS(weft_ctx_clear(p.from), y || !which ? WEFT_OK : WEFT_E_NOMEM);
            pair_close(&p);
            if (y)
                break;
        }
    }
}
