/* layout.c - see layout.h. */
#include "layout.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "harness/structs.h"
#include "harness/weft_test.h"

/* ---- Contexts ---- */

static void *poisoned_alloc(void *user, size_t bytes, size_t alignment)
{
    test_memory *memory = user;
    size_t unit = alignment < sizeof(void *) ? sizeof(void *) : alignment;
    void *block = aligned_alloc(unit, (bytes + unit - 1) / unit * unit);
    if (!block)
        return NULL;
    memset(block, 0xFF, bytes);
    memory->live_bytes += (int64_t)bytes;
    memory->blocks++;
    return block;
}

static void counted_free(void *user, void *block, size_t bytes)
{
    test_memory *memory = user;
    if (!block)
        return;
    memory->live_bytes -= (int64_t)bytes;
    memory->blocks--;
    free(block);
}

weft_ctx *test_ctx_open(test_memory *memory, int threads)
{
    return test_ctx_open_on(test_device(), memory, threads);
}

weft_ctx *test_ctx_open_on(const char *device, test_memory *memory, int threads)
{
    *memory = (test_memory){0};
    weft_options options = INIT_OPTIONS(.device = device, .threads = threads, .alloc = poisoned_alloc,
                                        .free = counted_free, .alloc_user = memory);
    weft_ctx *ctx;
    weft_status status = weft_ctx_open(&options, &ctx);
    if (status != WEFT_OK)
        WEFT_FAIL("weft_ctx_open: %s", weft_status_name(status));
    return ctx;
}

void test_ctx_close(weft_ctx *ctx, test_memory *memory)
{
    weft_ctx_close(ctx);
    if (memory->live_bytes || memory->blocks)
        WEFT_FAIL("closing the context left %lld bytes in %lld blocks", (long long)memory->live_bytes,
                  (long long)memory->blocks);
}

/* ---- Values ---- */

static bool in_range(int64_t value, weft_dtype dtype)
{
    switch (dtype) {
    case WEFT_I64:
        return true;
    case WEFT_I32:
        return value >= INT32_MIN && value <= INT32_MAX;
    case WEFT_I8:
        return value >= INT8_MIN && value <= INT8_MAX;
    case WEFT_U8:
        return value >= 0 && value <= UINT8_MAX;
    case WEFT_BOOL:
        return value == 0 || value == 1;
    default:
        return false;
    }
}

bool record_takes(const gold_record *record, weft_dtype dtype)
{
    if (record->integer != !weft_dtype_is_float(dtype))
        return false;
    bool half = dtype == WEFT_F16 || dtype == WEFT_BF16;
    if ((record->flags & GOLD_F64 && dtype != WEFT_F64) || (record->flags & GOLD_F32 && half))
        return false;
    if (record->flags & GOLD_NOBOOL && dtype == WEFT_BOOL)
        return false;
    if (record->flags & GOLD_BYTES && dtype != WEFT_I8 && dtype != WEFT_U8)
        return false;
    for (int k = 0; k < record->n_in && record->integer; k++)
        for (int64_t e = 0; e < record->in[k].count && record->in[k].kind == 'n'; e++)
            if (!in_range(record->in[k].n[e], dtype))
                return false;
    return true;
}

static void put(weft_dtype dtype, void *buffer, int64_t at, double real, int64_t integer)
{
    switch (dtype) {
    case WEFT_F64:
        ((double *)buffer)[at] = real;
        break;
    case WEFT_F32:
        ((float *)buffer)[at] = (float)real;
        break;
    case WEFT_F16:
        ((uint16_t *)buffer)[at] = weft_f32_to_f16((float)real);
        break;
    case WEFT_BF16:
        ((uint16_t *)buffer)[at] = weft_f32_to_bf16((float)real);
        break;
    case WEFT_I64:
        ((int64_t *)buffer)[at] = integer;
        break;
    case WEFT_I32:
        ((int32_t *)buffer)[at] = (int32_t)integer;
        break;
    default:
        ((uint8_t *)buffer)[at] = (uint8_t)integer;
    }
}

static void put_element(const gold_tensor *t, int64_t e, weft_dtype dtype, void *buffer, int64_t at)
{
    double real = t->f ? t->f[e] : (double)t->n[e];
    put(dtype, buffer, at, real, t->n ? t->n[e] : 0);
}

void encode(const gold_tensor *t, weft_dtype dtype, void *buffer)
{
    for (int64_t e = 0; e < t->count; e++)
        put_element(t, e, dtype, buffer, e);
}

/* A value that no operation may look at. */
static void put_poison(const gold_tensor *t, weft_dtype dtype, void *buffer, int64_t at)
{
    put(dtype, buffer, at, (double)NAN, t->kind == 'x' ? 1000000007 : dtype == WEFT_BOOL ? 1 : 113);
}

/* Conditions and indices come in more than one dtype: the layouts take turns. */
weft_dtype input_dtype(const gold_tensor *t, weft_dtype dtype, layout how)
{
    if (t->kind == 'x')
        return how == LAYOUT_SLICED || how == LAYOUT_MIXED ? WEFT_I32 : WEFT_I64;
    if (t->kind == 'c')
        return how == LAYOUT_SLICED ? dtype : how == LAYOUT_STEPPED ? WEFT_I32 : WEFT_BOOL;
    return dtype;
}

/* ---- Layouts ---- */

const char *layout_name(layout how)
{
    static const char *const names[] = {"contiguous", "transposed", "sliced", "stepped", "expanded", "mixed"};
    return names[how];
}

/* Where element e (row-major) of t lies along each dim. */
static void place(const gold_tensor *t, int64_t e, int64_t *at)
{
    for (int d = t->ndim - 1; d >= 0; d--) {
        at[d] = e % t->shape[d];
        e /= t->shape[d];
    }
}

static int64_t stride_of(const gold_tensor *t, int dim)
{
    int64_t stride = 1;
    for (int d = t->ndim - 1; d > dim; d--)
        stride *= t->shape[d];
    return stride;
}

static bool same(const gold_tensor *t, int64_t a, int64_t b)
{
    if (t->n)
        return t->n[a] == t->n[b];
    return memcmp(&t->f[a], &t->f[b], sizeof t->f[a]) == 0;
}

/* Whether t's values do not change along dim (of size > 1). */
static bool constant_along(const gold_tensor *t, int dim)
{
    if (t->shape[dim] < 2 || t->count == 0 || t->kind == 's')
        return false;
    int64_t stride = stride_of(t, dim);
    for (int64_t e = 0; e < t->count; e++) {
        int64_t at[WEFT_MAX_DIMS];
        place(t, e, at);
        if (at[dim] > 0 && !same(t, e, e - stride))
            return false;
    }
    return true;
}

static bool can_expand(const gold_tensor *t)
{
    for (int d = 0; d < t->ndim && t->kind; d++)
        if (constant_along(t, d))
            return true;
    return false;
}

static int widest(const gold_record *record)
{
    int most = 0;
    for (int k = 0; k < record->n_in; k++)
        if (record->in[k].kind && record->in[k].ndim > most)
            most = record->in[k].ndim;
    return most;
}

bool layout_applies(const gold_record *record, layout how)
{
    if (how == LAYOUT_CONTIGUOUS || record->flags & GOLD_DENSE)
        return how == LAYOUT_CONTIGUOUS;
    if (how == LAYOUT_SLICED)
        return true;
    if (how == LAYOUT_MIXED)
        return record->n_in > 1;
    if (how != LAYOUT_EXPANDED)
        return widest(record) >= (how == LAYOUT_STEPPED ? 2 : 1);
    if (record->flags & GOLD_INPLACE)
        return false;
    for (int k = 0; k < record->n_in; k++)
        if (can_expand(&record->in[k]))
            return true;
    return false;
}

static weft_tensor *contiguous(weft_ctx *ctx, const gold_tensor *t, weft_dtype dtype)
{
    void *buffer = malloc((size_t)t->count * weft_dtype_size(dtype) + 1);
    encode(t, dtype, buffer);
    weft_tensor *made = weft_from_data(ctx, dtype, t->shape, t->ndim, buffer);
    free(buffer);
    return made;
}

static weft_tensor *transposed(weft_ctx *ctx, const gold_tensor *t, weft_dtype dtype)
{
    int64_t shape[WEFT_MAX_DIMS], at[WEFT_MAX_DIMS];
    int64_t dims[WEFT_MAX_DIMS];
    for (int d = 0; d < t->ndim; d++) {
        shape[d] = t->shape[t->ndim - 1 - d];
        dims[d] = t->ndim - 1 - d;
    }
    void *buffer = malloc((size_t)t->count * weft_dtype_size(dtype) + 1);
    for (int64_t e = 0; e < t->count; e++) {
        place(t, e, at);
        int64_t to = 0;
        for (int d = t->ndim - 1; d >= 0; d--)
            to = to * t->shape[d] + at[d];
        put_element(t, e, dtype, buffer, to);
    }
    weft_tensor *stored = weft_from_data(ctx, dtype, shape, t->ndim, buffer);
    free(buffer);
    return weft_permute(stored, dims, t->ndim);
}

/* The middle of a block with `before` and `after` poisoned places around each dim, every step-th place of the last. */
static weft_tensor *inside(weft_ctx *ctx, const gold_tensor *t, weft_dtype dtype, int64_t before, int64_t after,
                           int64_t step)
{
    int64_t shape[WEFT_MAX_DIMS], at[WEFT_MAX_DIMS], count = 1;
    for (int d = 0; d < t->ndim; d++) {
        int64_t each = d == t->ndim - 1 ? step : 1;
        shape[d] = before + t->shape[d] * each + after;
        count *= shape[d];
    }
    void *buffer = malloc((size_t)count * weft_dtype_size(dtype) + 1);
    for (int64_t e = 0; e < count; e++)
        put_poison(t, dtype, buffer, e);
    for (int64_t e = 0; e < t->count; e++) {
        place(t, e, at);
        int64_t to = 0;
        for (int d = 0; d < t->ndim; d++)
            to = to * shape[d] + before + at[d] * (d == t->ndim - 1 ? step : 1);
        put_element(t, e, dtype, buffer, to);
    }
    weft_tensor *view = weft_from_data(ctx, dtype, shape, t->ndim, buffer);
    free(buffer);
    for (int d = 0; d < t->ndim; d++) {
        int64_t each = d == t->ndim - 1 ? step : 1;
        view = weft_slice(view, d, before, before + t->shape[d] * each, each);
    }
    return view;
}

/* A 0-d tensor out of a poisoned vector. */
static weft_tensor *selected(weft_ctx *ctx, const gold_tensor *t, weft_dtype dtype)
{
    double room[4];
    for (int64_t e = 0; e < 3; e++)
        put_poison(t, dtype, room, e);
    put_element(t, 0, dtype, room, 1);
    return weft_select(weft_from_data(ctx, dtype, (const int64_t[]){3}, 1, room), 0, 1);
}

static weft_tensor *expanded(weft_ctx *ctx, const gold_tensor *t, weft_dtype dtype)
{
    gold_tensor small = *t;
    for (int d = 0; d < t->ndim; d++)
        if (constant_along(t, d))
            small.shape[d] = 1;
    small.count = 1;
    for (int d = 0; d < t->ndim; d++)
        small.count *= small.shape[d];
    size_t size = weft_dtype_size(dtype);
    void *buffer = malloc((size_t)small.count * size + 1);
    int64_t to = 0, at[WEFT_MAX_DIMS];
    for (int64_t e = 0; e < t->count; e++) {
        place(t, e, at);
        bool kept = true;
        for (int d = 0; d < t->ndim; d++)
            kept = kept && at[d] < small.shape[d];
        if (kept)
            put_element(t, e, dtype, buffer, to++);
    }
    weft_tensor *stored = weft_from_data(ctx, dtype, small.shape, t->ndim, buffer);
    free(buffer);
    return weft_expand(stored, t->shape, t->ndim);
}

weft_tensor *lay_out(weft_ctx *ctx, const gold_tensor *t, weft_dtype dtype, layout how)
{
    if (!t->kind)
        return NULL;
    dtype = input_dtype(t, dtype, how);
    if (t->ndim == 0 && how != LAYOUT_CONTIGUOUS && how != LAYOUT_EXPANDED)
        return selected(ctx, t, dtype);
    switch (how) {
    case LAYOUT_TRANSPOSED:
        return t->ndim > 1 ? transposed(ctx, t, dtype) : inside(ctx, t, dtype, 0, 1, 2);
    case LAYOUT_SLICED:
        return inside(ctx, t, dtype, 1, 2, 1);
    case LAYOUT_STEPPED:
        return inside(ctx, t, dtype, 1, 0, 2);
    case LAYOUT_EXPANDED:
        return can_expand(t) ? expanded(ctx, t, dtype) : contiguous(ctx, t, dtype);
    default:
        return contiguous(ctx, t, dtype);
    }
}

bool lay_out_all(weft_case *c, const gold_record *record, weft_dtype dtype, layout how)
{
    for (int k = 0; k < record->n_in; k++) {
        layout one = how == LAYOUT_MIXED ? (layout)((k + record->k) % LAYOUT_EXPANDED) : how;
        c->in[k] = lay_out(c->ctx, &record->in[k], dtype, one);
        if (record->in[k].kind && !c->in[k])
            return false;
    }
    return true;
}
