/* fft.c - the launchers of Fourier transforms: cuFFT for what the kernels of kernels/fft.cu are slow at, those kernels
 * for everything else.
 *
 * A line that fits into a block's shared memory is read once and written once by our kernel, and gets the same bits
 * whatever lines come with it; but of a large prime factor r each element costs r steps. So cuFFT gets the lines that
 * are longer, and those whose length has a prime factor above MOST_FACTOR. No GPU has measured where the border is
 * (docs/gpu-status.md); WEFT_CUFFT_FROM=n in the environment gives cuFFT all lines of n elements or more, and no
 * others.
 *
 * Plans are kept by what they depend on, at most MOST_PLANS, and the one that was used longest ago makes room. Their
 * work areas, and the places where lines lie that cuFFT cannot take as they are, are scratch memory of the operation.
 * Whatever fails, the kernels do. */
#include "fft.h"
#include <string.h>
#include "base/fft_roots.h"
#include "fft_api.h"
#include "host.h"
#include "kernels.h"
#include "launch.h"
#include "library.h"

enum { MOST_PLANS = 32, MOST_FACTOR = 31, FUNCTIONS = 12 };

/* What a plan depends on. */
typedef struct layout {
    int64_t type, n, batch;
    int64_t in_stride, in_distance; /* from an element to the next, from a line to the next */
    int64_t out_stride, out_distance;
} layout;

typedef struct plan {
    layout of;
    weft__fft_handle handle;
    bool usable; /* false: cuFFT has refused it, or failed to run it */
    size_t work_size;
    uint64_t used; /* when, by dev->clock; 0: the slot is free */
} plan;

/* The device's part WEFT__CUDA_FFT. */
typedef struct fft {
    weft__fft_api api;
    bool opened, found; /* looked for, and found usable */
    int64_t from;       /* WEFT_CUFFT_FROM */
    uint64_t clock;
    plan plans[MOST_PLANS];
} fft;

/* ---- The part ---- */

static void drop_plan(const fft *part, plan *p)
{
    if (p->usable)
        (void)part->api.destroy(p->handle);
    memset(p, 0, sizeof *p);
}

static void close_part(weft__cuda_device *d, void *state)
{
    fft *part = state;
    for (int k = 0; k < MOST_PLANS; k++)
        drop_plan(part, &part->plans[k]);
    d->options.free(d->options.user, part, sizeof *part);
}

static bool open_library(fft *part)
{
    static const char *const names[FUNCTIONS] = {WEFT__FFT_FUNCTIONS};
    void (*functions[FUNCTIONS])(void);
    weft__cuda_opened opened;
    weft__cuda_library_open(WEFT__CUDA_CUFFT, &opened);
    if (!weft__cuda_library_functions(&opened, FUNCTIONS, names, functions))
        return false;
    _Static_assert(sizeof part->api == sizeof functions, "the functions in the order of their names");
    memcpy(&part->api, functions, sizeof functions);
    return true;
}

/* NULL: do without. */
static fft *part_of(const weft__exec *e)
{
    weft__cuda_device *d = weft__cuda_device_of(e);
    fft *part = d->parts[WEFT__CUDA_FFT].state;
    if (!part) {
        part = d->options.alloc(d->options.user, sizeof *part, 64);
        if (!part)
            return NULL;
        memset(part, 0, sizeof *part);
        part->from = weft__cuda_library_from("WEFT_CUFFT_FROM");
        d->parts[WEFT__CUDA_FFT].close = close_part;
        d->parts[WEFT__CUDA_FFT].state = part;
    }
    return part;
}

/* ---- Plans ---- */

static int make_plan(const fft *part, plan *p, cudaStream_t stream)
{
    const layout *of = &p->of;
    long long n = of->n, in = of->n, out = of->n; /* of one dim only that they are there is looked at */
    int result = part->api.create(&p->handle);
    if (result != WEFT__FFT_SUCCESS)
        return result;
    p->usable = true; /* there is something to destroy */
    result = part->api.set_auto_allocation(p->handle, 0);
    if (result == WEFT__FFT_SUCCESS)
        result = part->api.make_plan(p->handle, 1, &n, &in, of->in_stride, of->in_distance, &out, of->out_stride,
                                     of->out_distance, (int)of->type, of->batch, &p->work_size);
    return result == WEFT__FFT_SUCCESS ? part->api.set_stream(p->handle, stream) : result;
}

/* Its plan, made now if it is new. NULL: there is no memory for it now. */
static plan *find_plan(const weft__exec *e, fft *part, const layout *of)
{
    plan *oldest = &part->plans[0];
    for (int k = 0; k < MOST_PLANS; k++) {
        plan *p = &part->plans[k];
        if (p->used && memcmp(&p->of, of, sizeof *of) == 0) {
            p->used = ++part->clock;
            return p;
        }
        if (p->used < oldest->used)
            oldest = p;
    }
    if (oldest->used) /* it may still be running */
        (void)cudaStreamSynchronize(weft__stream(e));
    drop_plan(part, oldest);
    oldest->of = *of;
    const int result = make_plan(part, oldest, weft__stream(e));
    (void)cudaGetLastError(); /* cuFFT may have left one */
    if (result != WEFT__FFT_SUCCESS) {
        drop_plan(part, oldest);
        if (result == WEFT__FFT_ALLOC_FAILED)
            return NULL;
        oldest->of = *of; /* not to be asked again */
    }
    oldest->used = ++part->clock;
    return oldest;
}

static int execute(const weft__fft_api *api, const plan *p, void *in, void *out, bool inverse)
{
    const int direction = inverse ? WEFT__FFT_INVERSE : WEFT__FFT_FORWARD;
    switch (p->of.type) {
    case WEFT__FFT_C2C:
        return api->c2c(p->handle, in, out, direction);
    case WEFT__FFT_R2C:
        return api->r2c(p->handle, in, out);
    case WEFT__FFT_C2R:
        return api->c2r(p->handle, in, out);
    case WEFT__FFT_Z2Z:
        return api->z2z(p->handle, in, out, direction);
    case WEFT__FFT_D2Z:
        return api->d2z(p->handle, in, out);
    default:
        return api->z2d(p->handle, in, out);
    }
}

/* False: nothing has come of it. */
static bool run_plan(const weft__exec *e, const fft *part, plan *p, void *in, void *out)
{
    void *area = p->work_size ? e->host->try_scratch(e, p->work_size) : NULL;
    if (p->work_size && !area)
        return false;
    if ((!area || part->api.set_work_area(p->handle, area) == WEFT__FFT_SUCCESS) &&
        execute(&part->api, p, in, out, e->attrs->fft.inverse != 0) == WEFT__FFT_SUCCESS)
        return true;
    (void)cudaStreamSynchronize(weft__stream(e)); /* an earlier part may still be running by it */
    (void)cudaGetLastError();
    (void)part->api.destroy(p->handle);
    p->usable = false;
    return false;
}

/* ---- Lines ---- */

static int64_t largest_factor(int64_t n)
{
    int64_t largest = 1;
    while (n > 1) {
        const int64_t factor = weft__fft_factor(n);
        largest = factor > largest ? factor : largest;
        n /= factor;
    }
    return largest;
}

/* cuFFT's real transforms go one way each, as ours do: only a derivative of a higher order might ask otherwise. */
static bool suits(const weft__exec *e, const fft *part, const weft__fft_lines *l)
{
    if (weft__cuda_invariant(e) || e->in[0]->count == 0 || e->out[0]->count == 0)
        return false;
    if (l->kind != WEFT__FFT_PAIRS && (e->attrs->fft.inverse != 0) != (l->kind == WEFT__FFT_TO_REAL))
        return false;
    if (part->from)
        return l->n >= part->from;
    return !weft__cuda_fft_is_short(e, l) || largest_factor(l->n) > MOST_FACTOR;
}

/* cuFFT can read or write the array where it is: its numbers are those that are computed with, its lines are reached by
 * one distance, and pairs are aligned as such. */
static bool is_direct(const weft__array *a, const weft__fft_lines *l)
{
    const uintptr_t pair = l->wide ? 16 : 8;
    return (a->dtype == WEFT_F32 || a->dtype == WEFT_F64) && (l->inner == 1 || l->outer == 1) &&
           (uintptr_t)a->data % pair == 0;
}

static void place(const weft__fft_lines *l, bool direct, int64_t each, int64_t *stride, int64_t *distance)
{
    const bool side_by_side = direct && l->inner > 1;
    *stride = side_by_side ? l->inner : 1;
    *distance = side_by_side ? 1 : each;
}

static int64_t type_of(const weft__fft_lines *l)
{
    switch (l->kind) {
    case WEFT__FFT_FROM_REAL:
        return l->wide ? WEFT__FFT_D2Z : WEFT__FFT_R2C;
    case WEFT__FFT_TO_REAL:
        return l->wide ? WEFT__FFT_Z2D : WEFT__FFT_C2R;
    default:
        return l->wide ? WEFT__FFT_Z2Z : WEFT__FFT_C2C;
    }
}

/* Numbers of type C in the lines of one side. */
static int64_t numbers(const weft__fft_lines *l, bool real, int64_t each)
{
    return l->outer * l->inner * each * (real ? 1 : 2);
}

/* NULL: no memory. */
static void *room_for(const weft__exec *e, const weft__fft_lines *l, int64_t count)
{
    size_t bytes;
    return weft__bytes_of(count, l->wide ? 8 : 4, &bytes) ? e->host->try_scratch(e, bytes) : NULL;
}

/* What is still to be done with what cuFFT has written into y itself. Half a spectrum has ends whose imaginary part is
 * 0, whatever rounding makes of it. */
static bool is_finished(const weft__exec *e, const weft__fft_lines *l)
{
    return e->attrs->fft.scale == 1 && l->kind != WEFT__FFT_FROM_REAL;
}

/* *done: false if own kernels are to do it. The imaginary parts of a half spectrum's ends do not count, but cuFFT may
 * read them, and it uses the spectrum as its work space: so it always gets a copy. */
static weft_status run_library(const weft__exec *e, fft *part, const weft__fft_lines *l, bool *done)
{
    const bool from_real = l->kind == WEFT__FFT_FROM_REAL, to_real = l->kind == WEFT__FFT_TO_REAL;
    const bool in_direct = !to_real && is_direct(e->in[0], l), out_direct = is_direct(e->out[0], l);
    const int64_t in_each = to_real ? l->half : l->n, out_each = from_real ? l->half : l->n;
    layout of = {.type = type_of(l), .n = l->n, .batch = l->outer * l->inner};
    place(l, in_direct, in_each, &of.in_stride, &of.in_distance);
    place(l, out_direct, out_each, &of.out_stride, &of.out_distance);
    plan *p = find_plan(e, part, &of);
    if (!p || !p->usable)
        return WEFT_OK;
    void *in = in_direct ? e->in[0]->data : room_for(e, l, numbers(l, from_real, in_each));
    void *out = out_direct                                 ? e->out[0]->data
                : l->kind == WEFT__FFT_PAIRS && !in_direct ? in
                                                           : room_for(e, l, numbers(l, to_real, out_each));
    if (!in || !out)
        return WEFT_OK;
    weft_status status = in_direct ? WEFT_OK : weft__cuda_fft_gather(e, in);
    if (status != WEFT_OK || !run_plan(e, part, p, in, out))
        return status;
    *done = true;
    return out_direct && is_finished(e, l) ? WEFT_OK : weft__cuda_fft_spread(e, out_direct ? NULL : out);
}

static weft_status launch(const weft__exec *e)
{
    const weft__fft_lines l = weft__cuda_fft_lines(e);
    fft *part = part_of(e);
    bool done = false;
    const bool wanted = part && suits(e, part, &l);
    if (wanted && !part->opened) {
        part->opened = true;
        part->found = open_library(part);
    }
    const weft_status status = wanted && part->found ? run_library(e, part, &l, &done) : WEFT_OK;
    return status != WEFT_OK || done ? status : weft__cuda_fft_own(e);
}

weft_status weft__cuda_fft(const weft__exec *e)
{
    return launch(e);
}

weft_status weft__cuda_rfft(const weft__exec *e)
{
    return launch(e);
}

weft_status weft__cuda_irfft(const weft__exec *e)
{
    return launch(e);
}
