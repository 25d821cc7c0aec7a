/* fft.c - discrete Fourier transforms along a dim: FFT, RFFT, IRFFT.
 *
 * An array is seen as [outer, n, inner] lines with n along the dim; complex numbers are pairs at the end. So many
 * lines as fit into the cache are transformed together, one in each lane: real and imaginary parts apart, [n,
 * lanes]. Then every step is a loop over lanes. The transform itself is Stockham's: each stage takes a factor of n
 * and leaves the elements in order, going between two arrays. A prime factor too large for that makes a convolution
 * of it (Bluestein 1970: jk = (j^2 + k^2 - (k - j)^2) / 2), whose length has small factors. A transform of n real
 * numbers, n even, is one of n / 2 complex ones. What a line becomes depends on nothing but the line.
 *
 * An inverse transform is the forward one with real and imaginary parts exchanged, before and after. */
#include "base/fft_roots.h"
#include "rows.h"
#include "transpose.h"

enum {
    MOST_FACTORS = 64,
    LARGE_PRIME = 50,      /* from here on a prime is transformed by a convolution */
    CLOSE_BYTES = 1 << 15, /* of arrays in the nearest cache: lines of two vectors go together */
    FAR_BYTES = 1 << 20    /* of those in a cache at all: fewer lines if they are longer */
};

typedef struct plan {
    int64_t n;
    int n_factors;
    int64_t factors[MOST_FACTORS];
    void *roots; /* [n] complex: e^(-2 pi i k / n) */
} plan;

typedef struct transform {
    const void *x;
    void *y;
    int64_t outer, inner;
    int64_t n;      /* elements of a line, real ones of RFFT and IRFFT */
    int64_t size;   /* of the complex transform: n, or half of it */
    int64_t lanes;  /* lines of a group */
    int64_t groups; /* of each outer position where inner > 1, else of all */
    bool side;      /* lines of a group lie side by side: inner > 1 */
    bool inverse, adjoint;
    double scale;
    plan lines;     /* of size, or of the convolution */
    bool convolves; /* Bluestein */
    void *chirp;    /* [size] complex: e^(-pi i k^2 / size) */
    void *spectrum; /* [lines.n] complex: the transform of the chirp's conjugate, wrapped around, over lines.n */
    void *halves;   /* [n / 2 + 1] complex: e^(-2 pi i k / n), of RFFT and IRFFT with an even n */
    char *buffers;  /* of each worker: 4 parts of [room, lanes] */
    int64_t room;   /* elements of a part */
} transform;

static void factorise(plan *p, int64_t n)
{
    p->n = n;
    p->n_factors = 0;
    while (n > 1) {
        p->factors[p->n_factors] = weft__fft_factor(n);
        n /= p->factors[p->n_factors++];
    }
}

/* The smallest length from n on that has no factor above 5. */
static int64_t smooth_length(int64_t n)
{
    int64_t best = 1;
    while (best < n)
        best *= 2;
    for (int64_t fives = 1; fives < best; fives *= 5)
        for (int64_t threes = fives; threes < best; threes *= 3) {
            int64_t length = threes;
            while (length < n)
                length *= 2;
            best = weft__least(best, length);
        }
    return best;
}

static bool has_large_prime(const plan *p)
{
    return p->n_factors > 0 && p->factors[p->n_factors - 1] >= LARGE_PRIME;
}

/* Which lines a group holds: *first, the place of its first one in an array whose lines have n elements. Returns how
 * many there are. */
static int64_t lines_of(const transform *t, int64_t group, int64_t n, int64_t *first)
{
    if (!t->side) {
        *first = group * t->lanes * n;
        return weft__least(t->lanes, t->outer - group * t->lanes);
    }
    const int64_t outer = group / t->groups, column = (group - outer * t->groups) * t->lanes;
    *first = outer * n * t->inner + column;
    return weft__least(t->lanes, t->inner - column);
}

#define WEFT_REAL f32
#include "fft.inc"
#undef WEFT_REAL
#define WEFT_REAL f64
#include "fft.inc"
#undef WEFT_REAL

enum { PAIRS, FROM_REAL, TO_REAL };

/* in[0] [outer, .., inner] with lines of n elements to out[0]. */
static weft_status run(const weft__exec *e, int kind, int64_t n)
{
    const weft__array *x = e->in[0], *y = e->out[0], *complex = kind == FROM_REAL ? y : x;
    const weft__fft_attrs *a = &e->attrs->fft;
    const bool wide = x->dtype == WEFT_F64;
    const size_t real = wide ? sizeof(double) : sizeof(float);
    transform t = {.x = x->data, .y = y->data, .outer = 1, .inner = 1, .n = n, .scale = a->scale};
    if (y->count == 0 || x->count == 0)
        return WEFT_OK;
    for (int d = 0; d < complex->ndim - 1; d++)
        if (d != a->dim)
            *(d < a->dim ? &t.outer : &t.inner) *= complex->shape[d];
    t.inverse = a->inverse != 0;
    t.adjoint = a->adjoint != 0;
    t.side = t.inner > 1;
    t.size = kind != PAIRS && n % 2 == 0 ? n / 2 : n;
    factorise(&t.lines, t.size);
    t.convolves = has_large_prime(&t.lines);
    if (t.convolves)
        factorise(&t.lines, smooth_length(2 * t.size - 1));
    t.room = t.lines.n + 1; /* a spectrum of real numbers has one more */
    const int64_t lines = t.side ? t.inner : t.outer, line = 4 * (int64_t)real * t.room;
    const int64_t vector = WEFT__VEC_BYTES / (int64_t)real;
    t.lanes = 2 * vector * line <= CLOSE_BYTES ? 2 * vector : weft__most(1, weft__least(vector, FAR_BYTES / line));
    t.lanes = weft__least(t.lanes, lines);
    t.groups = weft__ceil_div(lines, t.lanes);
    const int64_t workers = weft__pool_threads(weft__exec_pool(e)), part = t.room * t.lanes;
    t.lines.roots = weft__scratch(e, 2 * t.lines.n, real);
    t.chirp = t.convolves ? weft__scratch(e, 2 * t.size, real) : NULL;
    t.spectrum = t.convolves ? weft__scratch(e, 2 * t.lines.n, real) : NULL;
    t.halves = t.size < n ? weft__scratch(e, 2 * (t.size + 1), real) : NULL;
    t.buffers = weft__scratch(e, workers * 4 * weft__most(part, t.lines.n + 1), real);
    if (!t.lines.roots || (t.convolves && (!t.chirp || !t.spectrum)) || (t.size < n && !t.halves) || !t.buffers)
        return WEFT_E_NOMEM;
    (wide ? prepare_f64 : prepare_f32)(&t);
    static const weft__range_fn runs[3][2] = {
        {run_pairs_f32, run_pairs_f64}, {run_from_real_f32, run_from_real_f64}, {run_to_real_f32, run_to_real_f64}};
    weft__pool_for(weft__exec_pool(e), t.side ? t.outer * t.groups : t.groups, weft__grain(8 * part), runs[kind][wide],
                   &t);
    return WEFT_OK;
}

/* x, y [outer, n, inner, 2]   attributes of all: fft */
weft_status WEFT__CPU(fft)(const weft__exec *e)
{
    return run(e, PAIRS, e->in[0]->shape[e->attrs->fft.dim]);
}

/* x [outer, n, inner]; y [outer, n / 2 + 1, inner, 2] */
weft_status WEFT__CPU(rfft)(const weft__exec *e)
{
    return run(e, FROM_REAL, e->in[0]->shape[e->attrs->fft.dim]);
}

/* x [outer, n / 2 + 1, inner, 2]; y [outer, n, inner] */
weft_status WEFT__CPU(irfft)(const weft__exec *e)
{
    return run(e, TO_REAL, e->out[0]->shape[e->attrs->fft.dim]);
}
