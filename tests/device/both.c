/* both.c - see both.h. */
#include "both.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/weft_test.h"
#include "samples/compare.h"
#include "samples/layout.h"

enum { MOST_REPORTS = 3 };

weft_tensor *both_input(weft_ctx *ctx, weft_dtype dtype, const int64_t *shape, int ndim, double lo, double hi,
                        uint64_t seed)
{
    gold_tensor t = {.kind = 'v', .ndim = ndim, .count = 1};
    for (int d = 0; d < ndim; d++) {
        t.shape[d] = shape[d];
        t.count *= shape[d];
    }
    const bool whole = !weft_dtype_is_float(dtype);
    t.f = malloc(sizeof *t.f * (size_t)(t.count + 1));
    uint64_t state = seed * 0x9E3779B97F4A7C15u + 1;
    for (int64_t k = 0; k < t.count; k++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        const double x = lo + (hi - lo) * ((double)(state >> 40) / 16777216);
        t.f[k] = whole ? floor(x) : x;
    }
    weft_tensor *wide = weft_from_data(ctx, WEFT_F64, t.shape, t.ndim, t.f);
    free(t.f);
    return dtype == WEFT_F64 ? wide : weft_cast(wide, dtype);
}

typedef struct result {
    unsigned char *bytes;
    double *values;
    int64_t count, shape[8];
    weft_dtype dtype;
    int ndim;
} result;

/* One run in a context of its own. False with a failure recorded. */
static bool run_on(weft_ctx *ctx, const char *what, both_fn *make, void *user, result *r)
{
    weft_tensor *y = make(ctx, user);
    *r = (result){.count = weft_count(y), .dtype = weft_dtype_of(y), .ndim = weft_ndim(y)};
    const size_t size = y ? (size_t)r->count * weft_dtype_size(r->dtype) : 0;
    r->bytes = malloc(size + 1);
    if (!y || weft_read(ctx, y, r->bytes, size) != WEFT_OK) {
        WEFT_FAIL("%s: %s", what, weft_ctx_message(ctx));
        return false;
    }
    for (int d = 0; d < r->ndim; d++)
        r->shape[d] = weft_size(y, d);
    r->values = read_doubles(ctx, y);
    return r->values != NULL;
}

static bool open_and_run(bool cpu, const char *what, both_fn *make, void *user, result *r)
{
    test_memory memory;
    weft_ctx *ctx = cpu ? test_ctx_open_on("cpu", &memory, 1) : test_ctx_open(&memory, 2);
    if (!ctx)
        return false;
    const bool ran = run_on(ctx, what, make, user, r);
    test_ctx_close(ctx, &memory);
    return ran;
}

static bool close_enough(double got, double want, double rtol, double atol)
{
    if (isnan(want) || isnan(got))
        return isnan(want) && isnan(got);
    return got == want || fabs(got - want) <= atol + rtol * fabs(want);
}

static void compare(const char *what, const result *cpu, const result *device, double rtol, double atol)
{
    if (cpu->dtype != device->dtype || cpu->ndim != device->ndim ||
        memcmp(cpu->shape, device->shape, sizeof cpu->shape) != 0) {
        WEFT_FAIL("%s: another dtype or shape than on the CPU", what);
        return;
    }
    for (int64_t k = 0; k < cpu->count; k++)
        if (!close_enough(device->values[k], cpu->values[k], rtol, atol) && weft_test_failures() < MOST_REPORTS)
            WEFT_FAIL("%s, element %lld of %lld: %.9g, on the CPU %.9g", what, (long long)k, (long long)cpu->count,
                      device->values[k], cpu->values[k]);
}

void check_both(const char *what, both_fn *make, void *user, double rtol, double atol)
{
    result cpu = {0}, device = {0}, again = {0};
    if (open_and_run(true, what, make, user, &cpu) && open_and_run(false, what, make, user, &device) &&
        open_and_run(false, what, make, user, &again)) {
        compare(what, &cpu, &device, rtol, atol);
        if (memcmp(device.bytes, again.bytes, (size_t)device.count * weft_dtype_size(device.dtype)) != 0)
            WEFT_FAIL("%s: a second run gave other bits", what);
    }
    result *all[] = {&cpu, &device, &again};
    for (int k = 0; k < 3; k++) {
        free(all[k]->bytes);
        free(all[k]->values);
    }
}
