/* choice.c - where a program's choices come from. */
#include <math.h>
#include "fuzz.h"

uint64_t fuzz_draw(fuzz *f)
{
    if (f->n_bytes > 0) {
        f->n_bytes--;
        f->state += *f->bytes++;
        return f->bytes[-1];
    }
    uint64_t z = f->state += 0x9E3779B97F4A7C15u; /* splitmix64, Steele, Lea & Flood 2014 */
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

int fuzz_below(fuzz *f, int n)
{
    return n > 0 ? (int)(fuzz_draw(f) % (uint64_t)n) : 0;
}

bool fuzz_chance(fuzz *f, int one_in)
{
    return fuzz_below(f, one_in) == 0;
}

int64_t fuzz_int(fuzz *f)
{
    static const int64_t edges[] = {INT64_MIN, INT64_MIN + 1, INT64_MAX, INT64_MAX - 1, INT32_MIN,
                                    INT32_MAX, 1ll << 32,     1ll << 40, 1ll << 61,     1ll << 62,
                                    -100,      1000,          65504,     -(1ll << 40),  UINT32_MAX};
    if (fuzz_chance(f, 24))
        return edges[fuzz_below(f, (int)(sizeof edges / sizeof *edges))];
    return fuzz_below(f, 11) - 3;
}

double fuzz_real(fuzz *f)
{
    static const double edges[] = {NAN, INFINITY, -INFINITY, 0, -0.0, 1e308, -1e308, 5e-324, 1e-30, 65520, 3e9, 1e18};
    if (fuzz_chance(f, 8))
        return edges[fuzz_below(f, (int)(sizeof edges / sizeof *edges))];
    return (fuzz_below(f, 4001) - 2000) / 500.0;
}

weft_status fuzz_status(fuzz *f)
{
    int status = fuzz_below(f, 22);
    return status == WEFT_E_INTERNAL ? WEFT_E_IO : (weft_status)status;
}

int fuzz_shape(fuzz *f, int64_t *shape)
{
    static const int64_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 0, 1, 2, 3, 16, 33};
    int ndim = fuzz_chance(f, 12) ? fuzz_below(f, WEFT_MAX_DIMS + 1) : fuzz_below(f, 5);
    int64_t count = 1;
    for (int d = 0; d < ndim; d++) {
        shape[d] = sizes[fuzz_below(f, (int)(sizeof sizes / sizeof *sizes))];
        if (count * shape[d] > 600)
            shape[d] = 1;
        count *= shape[d] > 0 ? shape[d] : 1;
    }
    return ndim;
}

weft_dtype fuzz_dtype(fuzz *f, bool real)
{
    static const weft_dtype floats[] = {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_BF16};
    return real ? floats[fuzz_below(f, 4)] : (weft_dtype)fuzz_below(f, WEFT_DTYPE_COUNT);
}
