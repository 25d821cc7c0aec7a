/* both.c - see both.h. */
#include "both.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/weft_test.h"
#include "samples/compare.h"
#include "samples/layout.h"

enum { MOST_REPORTS = 3, MOST_RESULTS = 4 };

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

static bool read_result(weft_ctx *ctx, const char *what, weft_tensor *y, result *r)
{
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

/* One run in a context of its own. False with a failure recorded. */
static bool open_and_run(bool cpu, const char *what, both_all_fn *make, void *user, int n, result *r)
{
    test_memory memory;
    weft_ctx *ctx = cpu ? test_ctx_open_on("cpu", &memory, 1) : test_ctx_open(&memory, 2);
    if (!ctx)
        return false;
    weft_tensor *y[MOST_RESULTS] = {NULL};
    make(ctx, user, y);
    bool ran = true;
    for (int k = 0; k < n && ran; k++)
        ran = read_result(ctx, what, y[k], &r[k]);
    test_ctx_close(ctx, &memory);
    return ran;
}

static bool close_enough(double got, double want, double rtol, double atol)
{
    if (isnan(want) || isnan(got))
        return isnan(want) && isnan(got);
    return got == want || fabs(got - want) <= atol + rtol * fabs(want);
}

static void compare(const char *what, int k_result, const result *cpu, const result *device, double rtol, double atol)
{
    if (cpu->dtype != device->dtype || cpu->ndim != device->ndim ||
        memcmp(cpu->shape, device->shape, sizeof cpu->shape) != 0) {
        WEFT_FAIL("%s, result %d: another dtype or shape than on the CPU", what, k_result);
        return;
    }
    for (int64_t k = 0; k < cpu->count; k++)
        if (!close_enough(device->values[k], cpu->values[k], rtol, atol) && weft_test_failures() < MOST_REPORTS)
            WEFT_FAIL("%s, result %d, element %lld of %lld: %.9g, on the CPU %.9g", what, k_result, (long long)k,
                      (long long)cpu->count, device->values[k], cpu->values[k]);
}

void check_both_all(const char *what, both_all_fn *make, void *user, int n, double rtol, double atol)
{
    result cpu[MOST_RESULTS] = {0}, device[MOST_RESULTS] = {0}, again[MOST_RESULTS] = {0};
    const bool ran = open_and_run(true, what, make, user, n, cpu) && open_and_run(false, what, make, user, n, device) &&
                     open_and_run(false, what, make, user, n, again);
    for (int k = 0; k < n && ran; k++) {
        compare(what, k, &cpu[k], &device[k], rtol, atol);
        if (memcmp(device[k].bytes, again[k].bytes, (size_t)device[k].count * weft_dtype_size(device[k].dtype)) != 0)
            WEFT_FAIL("%s, result %d: a second run gave other bits", what, k);
    }
    result *all[] = {cpu, device, again};
    for (int k = 0; k < 3 * n; k++) {
        free(all[k / n][k % n].bytes);
        free(all[k / n][k % n].values);
    }
}

typedef struct one {
    both_fn *make;
    void *user;
} one;

static void make_one(weft_ctx *ctx, void *user, weft_tensor **y)
{
    const one *f = user;
    y[0] = f->make(ctx, f->user);
}

void check_both(const char *what, both_fn *make, void *user, double rtol, double atol)
{
    check_both_all(what, make_one, &(one){make, user}, 1, rtol, atol);
}
