/* test_far.c - tensors whose elements lie beyond 2^31: memory that is mapped but hardly used, seen through views with
 * long strides, so that few of its pages are ever touched. What an operation gives must be what it gives for a dense
 * copy of the same numbers. */
#include <stdlib.h>
#include <sys/mman.h>
#include "harness/structs.h"
#include "harness/weft_test.h"
#include "samples/device.h"
#include "samples/layout.h"

enum { PLANES = 3, ACROSS = 16, FIRST = 7 };
static const int64_t PLANE = INT64_C(1) << 30, APART = INT64_C(1) << 26;

typedef struct far {
    test_memory memory;
    weft_ctx *ctx;
    uint8_t *bytes;
    weft_tensor *all;   /* [PLANES, PLANE] */
    weft_tensor *seen;  /* [PLANES, ACROSS], a view of it */
    weft_tensor *dense; /* the same numbers */
} far;

static int number(int64_t plane, int64_t column)
{
    return (int)((plane * 37 + column * 11) % 101) + 1;
}

/* False: the test is skipped, with the reason. */
static bool begin(far *f)
{
    uint8_t numbers[PLANES * ACROSS];
    const size_t size = (size_t)(PLANES * PLANE);
    if (!test_on_cpu()) {
        weft_test_skip(__FILE__, __LINE__, "memory of the host is wrapped, and the device under test has its own");
        return false;
    }
    f->bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (f->bytes == MAP_FAILED) {
        weft_test_skip(__FILE__, __LINE__, "no address space of 3 GiB is to be had");
        return false;
    }
    for (int64_t p = 0; p < PLANES; p++)
        for (int64_t c = 0; c < ACROSS; c++)
            f->bytes[p * PLANE + FIRST + c * APART] = numbers[p * ACROSS + c] = (uint8_t)number(p, c);
    f->ctx = test_ctx_open(&f->memory, 1);
    f->all = weft_wrap(f->ctx, WEFT_U8, WEFT_DIMS(PLANES, PLANE), f->bytes, NULL, NULL);
    f->seen = weft_slice(f->all, 1, FIRST, PLANE, APART);
    f->dense = weft_from_data(f->ctx, WEFT_U8, WEFT_DIMS(PLANES, ACROSS), numbers);
    WEFT_CHECK(f->seen && weft_count(f->seen) == PLANES * ACROSS);
    return f->seen != NULL;
}

static void end(far *f)
{
    test_ctx_close(f->ctx, &f->memory);
    munmap(f->bytes, (size_t)(PLANES * PLANE));
}

/* ---- Views ---- */

static weft_tensor *copied(weft_tensor *x)
{
    return weft_clone(x);
}

static weft_tensor *turned(weft_tensor *x)
{
    return weft_contiguous(weft_transpose(x, 0, 1));
}

static weft_tensor *converted(weft_tensor *x)
{
    return weft_cast(x, WEFT_F32);
}

static weft_tensor *added(weft_tensor *x)
{
    return weft_add(x, x);
}

static weft_tensor *compared(weft_tensor *x)
{
    return weft_gt(x, weft_scalar(weft_ctx_of(x), WEFT_U8, 50));
}

static weft_tensor *chosen(weft_tensor *x)
{
    return weft_where(compared(x), x, weft_scalar(weft_ctx_of(x), WEFT_U8, 1));
}

static weft_tensor *rows_summed(weft_tensor *x)
{
    return weft_sum(x, WEFT_DIMS(1), false);
}

static weft_tensor *columns_summed(weft_tensor *x)
{
    return weft_sum(x, WEFT_DIMS(0), false);
}

static weft_tensor *largest(weft_tensor *x)
{
    return weft_max_over(x, WEFT_ALL, false);
}

static weft_tensor *places(weft_tensor *x)
{
    return weft_argmax(x, WEFT_DIMS(1), false);
}

static weft_tensor *flipped(weft_tensor *x)
{
    return weft_flip(x, WEFT_DIMS(0, 1));
}

static weft_tensor *padded(weft_tensor *x)
{
    return weft_pad(x, (const int64_t[]){1, 0}, (const int64_t[]){0, 2}, 2, 9);
}

static weft_tensor *joined(weft_tensor *x)
{
    return weft_concat((weft_tensor *[]){x, x}, 2, 1);
}

static weft_tensor *last_plane(weft_tensor *x)
{
    return weft_mul_scalar(weft_cast(weft_select(x, 0, -1), WEFT_F32), 2);
}

static const struct {
    const char *name;
    weft_tensor *(*run)(weft_tensor *x);
} looks[] = {
    {"a copy", copied},
    {"a transposed copy", turned},
    {"a cast", converted},
    {"a sum of two", added},
    {"a comparison", compared},
    {"a choice", chosen},
    {"sums of rows", rows_summed},
    {"sums of columns", columns_summed},
    {"the largest", largest},
    {"places of the largest", places},
    {"a flip", flipped},
    {"a pad", padded},
    {"a join", joined},
    {"a selected plane", last_plane},
};

WEFT_TEST(Far, OperationsSeeWhatADenseCopyHas)
{
    far f;
    if (!begin(&f))
        return;
    for (int k = 0; k < (int)(sizeof looks / sizeof *looks); k++) {
        double got[2 * PLANES * ACROSS + 64], want[2 * PLANES * ACROSS + 64];
        weft_tensor *a = looks[k].run(f.seen), *b = looks[k].run(f.dense);
        if (!a || !b || weft_count(a) != weft_count(b)) {
            WEFT_FAIL("%s: %s", looks[k].name, weft_ctx_message(f.ctx));
            weft_ctx_clear(f.ctx);
            continue;
        }
        const size_t bytes = sizeof *got * (size_t)weft_count(a);
        WEFT_CHECK_OK(weft_read(f.ctx, weft_cast(a, WEFT_F64), got, bytes));
        WEFT_CHECK_OK(weft_read(f.ctx, weft_cast(b, WEFT_F64), want, bytes));
        for (int64_t e = 0; e < weft_count(a); e++)
            if (got[e] != want[e]) {
                WEFT_FAIL("%s: element %lld is %g, not %g", looks[k].name, (long long)e, got[e], want[e]);
                break;
            }
    }
    end(&f);
}

WEFT_TEST(Far, WritersReachIt)
{
    far f;
    if (!begin(&f))
        return;
    weft_tensor *more = weft_full(f.ctx, WEFT_U8, WEFT_DIMS(ACROSS), 3);
    weft_add_(weft_select(f.seen, 0, 2), more);
    weft_copy_(weft_select(f.seen, 0, 1), more);
    weft_fill_(weft_slice(f.seen, 1, ACROSS - 1, ACROSS, 1), 77);
    WEFT_CHECK_OK(weft_ctx_status(f.ctx));
    for (int64_t p = 0; p < PLANES; p++)
        for (int64_t c = 0; c < ACROSS; c++) {
            const int want = c == ACROSS - 1 ? 77 : p == 1 ? 3 : number(p, c) + (p == 2 ? 3 : 0);
            WEFT_CHECK_EQ_INT(f.bytes[p * PLANE + FIRST + c * APART], want);
        }
    end(&f);
}

/* ---- Positions: of whole tensors, of which only what is asked for is read ---- */

WEFT_TEST(Far, IndicesReachIt)
{
    far f;
    if (!begin(&f))
        return;
    int64_t index[ACROSS];
    for (int64_t c = 0; c < ACROSS; c++)
        index[c] = 2 * PLANE + FIRST + (ACROSS - 1 - c) * APART; /* in the last plane, backwards */
    weft_tensor *flat = weft_reshape(f.all, WEFT_DIMS(PLANES * PLANE));
    weft_tensor *at = weft_from_data(f.ctx, WEFT_I64, WEFT_DIMS(ACROSS), index);
    weft_tensor *pages = weft_reshape(f.all, WEFT_DIMS(PLANES * PLANE / 64, 64));
    for (int64_t c = 0; c < ACROSS; c++)
        index[c] /= 64;
    weft_tensor *page = weft_from_data(f.ctx, WEFT_I64, WEFT_DIMS(ACROSS), index);
    weft_tensor *found[] = {
        weft_gather(flat, at, 0),
        weft_index_select(flat, at, 0),
        weft_select(weft_index_select(pages, page, 0), 1, FIRST),
        weft_select(weft_embedding(pages, page), 1, FIRST),
    };
    for (int k = 0; k < 4; k++) {
        uint8_t got[ACROSS] = {0};
        WEFT_CHECK_OK(weft_read(f.ctx, found[k], got, sizeof got));
        for (int64_t c = 0; c < ACROSS; c++)
            WEFT_CHECK_EQ_INT(got[c], number(2, ACROSS - 1 - c));
    }
    end(&f);
}
