/* fft_made.c - composites around Fourier transforms: over several dims, shifted, over short pieces of a signal; and the
 * little arithmetic of complex numbers, pairs in a last dim of size 2, that these need. */
#include <string.h>
#include "made.h"

/* i: norm, dims... */
CALL(fftn)
{
    c->out[0] = weft_fftn(c->in[0], DIMS_OF(c, 1), (weft_fft_norm)c->i[0]);
}

CALL(ifftn)
{
    c->out[0] = weft_ifftn(c->in[0], DIMS_OF(c, 1), (weft_fft_norm)c->i[0]);
}

CALL(rfftn)
{
    c->out[0] = weft_rfftn(c->in[0], DIMS_OF(c, 1), (weft_fft_norm)c->i[0]);
}

/* i: norm, n, dims... */
CALL(irfftn)
{
    c->out[0] = weft_irfftn(c->in[0], c->i[1], DIMS_OF(c, 2), (weft_fft_norm)c->i[0]);
}

/* i: dims... */
CALL(fftshift)
{
    c->out[0] = weft_fftshift(c->in[0], DIMS_OF(c, 0));
}

CALL(ifftshift)
{
    c->out[0] = weft_ifftshift(c->in[0], DIMS_OF(c, 0));
}

/* i: hop, center */
CALL(stft)
{
    c->out[0] = weft_stft(c->in[0], c->in[1], c->i[0], c->i[1] != 0);
}

/* i: hop, center, length */
CALL(istft)
{
    c->out[0] = weft_istft(c->in[0], c->in[1], c->i[0], c->i[1] != 0, c->i[2]);
}

CALL(complex_mul)
{
    c->out[0] = weft_complex_mul(c->in[0], c->in[1]);
}

CALL(complex_abs)
{
    c->out[0] = weft_complex_abs(c->in[0]);
}

#define MOVED WORK(weft__terms_one, weft__flops_none, weft__bytes_once)

WEFT__DEFINE_COMPOSITE(FFTN, fftn, PARTS(ANY_DTYPE, PART(FFT, AS_ALONE)), GRADIENT("the transforms of g the other way"),
                       ROW_ONCE, SAMPLE(call_fftn, RECIPE("xab2", "0 0 1"), RECIPE("xab2", "1 1"), RECIPE("xab2", "2")))
WEFT__DEFINE_COMPOSITE(IFFTN, ifftn, PARTS(ANY_DTYPE, PART(FFT, AS_ALONE)), GRADIENT("the transforms of g"), ROW_ONCE,
                       SAMPLE(call_ifftn, RECIPE("xab2", "0 0 1"), RECIPE("xab2", "1 1")))
WEFT__DEFINE_COMPOSITE(RFFTN, rfftn, PARTS(ANY_DTYPE, PART(RFFT, AS_ALONE), PART(FFT, AS_ALONE)),
                       GRADIENT("those of its transforms"), ROW_ONCE,
                       SAMPLE(call_rfftn, RECIPE("xab", "0 0 1"), RECIPE("xab", "1 1 0")))
WEFT__DEFINE_COMPOSITE(IRFFTN, irfftn, PARTS(ANY_DTYPE, PART(FFT, AS_ALONE), PART(IRFFT, AS_ALONE)),
                       GRADIENT("those of its transforms"), ROW_ONCE,
                       SAMPLE(call_irfftn, RECIPE("xa52", "0 8 0 1"), RECIPE("xa52", "1 9 0 1")))
WEFT__DEFINE_COMPOSITE(FFTSHIFT, fftshift, PARTS(ANY_DTYPE, PART(CONCAT, AS_ALONE)), GRADIENT("ifftshift of g"), MOVED,
                       SAMPLE(call_fftshift, RECIPE("xab", "0"), RECIPE("xab", "")))
WEFT__DEFINE_COMPOSITE(IFFTSHIFT, ifftshift, PARTS(ANY_DTYPE, PART(CONCAT, AS_ALONE)), GRADIENT("fftshift of g"), MOVED,
                       SAMPLE(call_ifftshift, RECIPE("xab", "0"), RECIPE("xab", "")))
WEFT__DEFINE_COMPOSITE(STFT, stft, PARTS(FLOATS, PART(INDEX_SELECT, WIDE), PART(MUL, WIDE), PART(RFFT, WIDE)),
                       GRADIENT("those of its parts: transforms the other way, added up where pieces overlap"),
                       ROW_ONCE, SAMPLE(call_stft, RECIPE("xa9 x4", "2 0"), RECIPE("x9 x5", "3 1")))
WEFT__DEFINE_COMPOSITE(ISTFT, istft,
                       PARTS(FLOATS, PART(IRFFT, WIDE), PART(MUL, WIDE), PART(FILL, WIDE), PART(INDEX_ADD, WIDE),
                             PART(GT, WIDE), PART(WHERE, WIDE), PART(DIV, WIDE)),
                       GRADIENT("those of its parts"), ROW_ONCE,
                       SAMPLE(call_istft, RECIPE("xa332 p4", "2 0 -1"), RECIPE("x342 p5", "2 1 6")))
WEFT__DEFINE_COMPOSITE(COMPLEX_MUL, complex_mul,
                       PARTS(FLOATS, PART(MUL, WIDE), PART(SUB, WIDE), PART(ADD, WIDE), PART(CONCAT, WIDE)),
                       GRADIENT("of a g times the conjugate of b, of b g times that of a"), EACH_ONCE,
                       SAMPLE(call_complex_mul, RECIPE("xab2 xab2", ""), RECIPE("xab2 xb2", "")))
WEFT__DEFINE_COMPOSITE(COMPLEX_ABS, complex_abs, PARTS(FLOATS, PART(HYPOT, WIDE)), GRADIENT("g x / |x|, 0 at 0"),
                       ROW_ONCE, SAMPLE(call_complex_abs, RECIPE("xab2", "")))

/* ---- Several dims ---- */

/* The n dims of x that are transformed, nonnegative, in the order given; n -1 all of x's first most dims. Their number,
 * or -1: error recorded. */
static int dims_of(weft_ctx *ctx, int op, const weft_tensor *x, const int64_t *dims, int n, int most, int *found)
{
    if (n < 0) {
        for (int d = 0; d < most; d++)
            found[d] = d;
        return most;
    }
    if (n > most || (n > 0 && !dims))
        return weft__fail(ctx, op, WEFT_E_INVALID, "%d dims of %s: at most %d can be transformed", n,
                          weft__describe(x).s, most),
               -1;
    for (int k = 0; k < n; k++) {
        found[k] = weft__dim(ctx, op, x, dims[k]);
        if (found[k] < 0)
            return -1;
        for (int j = 0; j < k; j++)
            if (found[j] == found[k])
                return weft__fail(ctx, op, WEFT_E_INVALID, "dim %d is given twice", found[k]), -1;
    }
    return n;
}

static int pair_dims(weft_ctx *ctx, int op, const weft_tensor *x, const int64_t *dims, int n, int *found)
{
    return dims_of(ctx, op, x, dims, n, x->a.ndim > 0 ? x->a.ndim - 1 : 0, found);
}

static weft_tensor *transformed(weft_tensor *x, const int *dims, int n, weft_fft_norm norm, bool inverse)
{
    for (int k = n - 1; k >= 0 && x; k--)
        x = inverse ? weft_ifft(x, dims[k], norm) : weft_fft(x, dims[k], norm);
    return x;
}

weft_tensor *weft_fftn(weft_tensor *x, const int64_t *dims, int n, weft_fft_norm norm)
{
    int found[WEFT__MAX_DIMS];
    ENTER_COMPOSITE(FFTN, &x, 1);
    n = pair_dims(ctx, WEFT_OP_FFTN, x, dims, n, found);
    return weft__leave_with(ctx, n < 0 ? NULL : transformed(x, found, n, norm, false));
}

weft_tensor *weft_ifftn(weft_tensor *x, const int64_t *dims, int n, weft_fft_norm norm)
{
    int found[WEFT__MAX_DIMS];
    ENTER_COMPOSITE(IFFTN, &x, 1);
    n = pair_dims(ctx, WEFT_OP_IFFTN, x, dims, n, found);
    return weft__leave_with(ctx, n < 0 ? NULL : transformed(x, found, n, norm, true));
}

weft_tensor *weft_rfftn(weft_tensor *x, const int64_t *dims, int n, weft_fft_norm norm)
{
    int found[WEFT__MAX_DIMS];
    ENTER_COMPOSITE(RFFTN, &x, 1);
    n = dims_of(ctx, WEFT_OP_RFFTN, x, dims, n, x->a.ndim, found);
    if (n == 0)
        REFUSE(RFFTN, WEFT_E_INVALID, "%s is to be transformed along no dim: name one or more", weft__describe(x).s);
    return weft__leave_with(ctx,
                            n < 0 ? NULL : transformed(weft_rfft(x, found[n - 1], norm), found, n - 1, norm, false));
}

weft_tensor *weft_irfftn(weft_tensor *x, int64_t last, const int64_t *dims, int n, weft_fft_norm norm)
{
    int found[WEFT__MAX_DIMS];
    ENTER_COMPOSITE(IRFFTN, &x, 1);
    n = pair_dims(ctx, WEFT_OP_IRFFTN, x, dims, n, found);
    if (n == 0)
        REFUSE(IRFFTN, WEFT_E_INVALID, "%s is to be transformed along no dim: name one or more", weft__describe(x).s);
    return weft__leave_with(
        ctx, n < 0 ? NULL : weft_irfft(transformed(x, found, n - 1, norm, true), last, found[n - 1], norm));
}

static weft_tensor *shifted(weft_ctx *ctx, int op, weft_tensor *x, const int64_t *dims, int n, bool back)
{
    int found[WEFT__MAX_DIMS];
    weft_tensor *y = x;
    n = dims_of(ctx, op, x, dims, n, x->a.ndim, found);
    for (int k = 0; k < n && y; k++) {
        const int64_t size = x->a.shape[found[k]];
        y = weft_roll(y, back ? size - size / 2 : size / 2, found[k]);
    }
    return weft__leave_with(ctx, n < 0 ? NULL : y);
}

weft_tensor *weft_fftshift(weft_tensor *x, const int64_t *dims, int n)
{
    ENTER_COMPOSITE(FFTSHIFT, &x, 1);
    return shifted(ctx, WEFT_OP_FFTSHIFT, x, dims, n, false);
}

weft_tensor *weft_ifftshift(weft_tensor *x, const int64_t *dims, int n)
{
    ENTER_COMPOSITE(IFFTSHIFT, &x, 1);
    return shifted(ctx, WEFT_OP_IFFTSHIFT, x, dims, n, true);
}

/* ---- Pieces of a signal ---- */

/* A 1-d window and hop of a call are well; n is its size. */
static bool has_window(weft_ctx *ctx, int op, const weft_tensor *window, int64_t hop, int64_t *n)
{
    if (window->a.ndim != 1 || window->a.shape[0] < 1) {
        weft__fail(ctx, op, WEFT_E_SHAPE, "window is %s, but must be 1-d with an element for each one of a piece",
                   weft__describe(window).s);
        return false;
    }
    *n = window->a.shape[0];
    if (hop >= 1)
        return true;
    weft__fail(ctx, op, WEFT_E_INVALID, "hop is %lld, but pieces begin at least 1 element apart", (long long)hop);
    return false;
}

/* Where the elements of pieces of n, hop apart, stand in the signal: [pieces n] in i64. */
static weft_tensor *places_of(weft_ctx *ctx, int op, int64_t pieces, int64_t n, int64_t hop)
{
    int64_t count;
    int64_t *places =
        __builtin_mul_overflow(pieces, n, &count) ? NULL : weft__host_array(ctx, count + 1, sizeof *places);
    if (!places)
        return weft__fail(ctx, op, WEFT_E_NOMEM, "out of memory for %lld pieces of %lld elements", (long long)pieces,
                          (long long)n),
               NULL;
    for (int64_t p = 0; p < pieces; p++)
        for (int64_t k = 0; k < n; k++)
            places[p * n + k] = p * hop + k;
    weft_tensor *t = weft_from_data(ctx, WEFT_I64, &count, 1, places);
    weft__host_free(ctx, places, sizeof *places * (size_t)(count + 1));
    return t;
}

weft_tensor *weft_stft(weft_tensor *x, weft_tensor *window, int64_t hop, bool center)
{
    static const char *const names[] = {"x", "window"};
    weft_tensor *in[] = {x, window};
    ENTER_COMPOSITE(STFT, in, 2);
    weft_dtype dtype;
    int64_t n;
    if (!weft__join_floats(ctx, WEFT_OP_STFT, in, names, 2, &dtype) || !has_window(ctx, WEFT_OP_STFT, in[1], hop, &n))
        return weft__leave_with(ctx, NULL);
    if (in[0]->a.ndim < 1 || in[0]->a.ndim > WEFT__MAX_DIMS - 2)
        REFUSE(STFT, WEFT_E_SHAPE, "x is %s, but must have 1 to %d dims", weft__describe(x).s, WEFT__MAX_DIMS - 2);
    const int d = in[0]->a.ndim - 1;
    const int64_t half = n / 2, length = in[0]->a.shape[d];
    if (center && length <= half)
        REFUSE(STFT, WEFT_E_SHAPE,
               "%s is too short for pieces of %lld around its ends: it must have more than %lld "
               "elements",
               weft__describe(x).s, (long long)n, (long long)half);
    if (!center && length < n)
        REFUSE(STFT, WEFT_E_SHAPE, "%s is shorter than the window of %lld elements", weft__describe(x).s, (long long)n);
    weft_tensor *y = center ? weft_pad_mode(in[0], &half, &half, 1, WEFT_PADDING_REFLECT) : in[0];
    const int64_t pieces = ((center ? length + 2 * half : length) - n) / hop + 1;
    y = weft_index_select(y, places_of(ctx, WEFT_OP_STFT, pieces, n, hop), d);
    y = weft_mul(weft_unflatten(y, d, (const int64_t[]){pieces, n}, 2), in[1]);
    y = weft_transpose(weft_rfft(y, d + 1, WEFT_FFT_NORM_BACKWARD), d, d + 1);
    return weft__leave_with(ctx, weft__narrowed(y, dtype));
}

/* [lead.., pieces, n] added up where they overlap, in length elements. */
static weft_tensor *laid_over(weft_ctx *ctx, weft_tensor *pieces, weft_tensor *places, int64_t length)
{
    if (!pieces)
        return NULL;
    const int d = pieces->a.ndim - 2;
    int64_t shape[WEFT__MAX_DIMS];
    memcpy(shape, pieces->a.shape, sizeof shape);
    shape[d] = length;
    weft_tensor *sum = weft_zeros(ctx, (weft_dtype)pieces->a.dtype, shape, d + 1);
    return weft_index_add(sum, places, weft_flatten(pieces, d, d + 1), d);
}

weft_tensor *weft_istft(weft_tensor *x, weft_tensor *window, int64_t hop, bool center, int64_t length)
{
    static const char *const names[] = {"x", "window"};
    weft_tensor *in[] = {x, window};
    ENTER_COMPOSITE(ISTFT, in, 2);
    weft_dtype dtype;
    int64_t n;
    if (!weft__join_floats(ctx, WEFT_OP_ISTFT, in, names, 2, &dtype) || !has_window(ctx, WEFT_OP_ISTFT, in[1], hop, &n))
        return weft__leave_with(ctx, NULL);
    const int d = in[0]->a.ndim - 2; /* of pieces */
    if (d < 1 || in[0]->a.shape[d + 1] != 2 || in[0]->a.shape[d - 1] != n / 2 + 1 || in[0]->a.shape[d] < 1)
        REFUSE(ISTFT, WEFT_E_SHAPE,
               "x is %s, but must be [..., %lld, pieces, 2]: half the spectrum of pieces of the window's %lld elements",
               weft__describe(x).s, (long long)(n / 2 + 1), (long long)n);
    const int64_t pieces = in[0]->a.shape[d], all = (pieces - 1) * hop + n, first = center ? n / 2 : 0;
    const int64_t end = length >= 0 ? first + length : center ? all - n / 2 : all;
    if (end > all || end < first)
        REFUSE(ISTFT, WEFT_E_SHAPE, "%lld pieces of %lld elements, %lld apart, give no %lld elements%s",
               (long long)pieces, (long long)n, (long long)hop, (long long)(end - first),
               center ? " from the middle of the first one on" : "");
    weft_tensor *places = places_of(ctx, WEFT_OP_ISTFT, pieces, n, hop);
    weft_tensor *y = weft_irfft(weft_transpose(in[0], d - 1, d), n, d, WEFT_FFT_NORM_BACKWARD);
    y = laid_over(ctx, weft_mul(y, in[1]), places, all);
    weft_tensor *square = weft_mul(in[1], in[1]);
    weft_tensor *weight = laid_over(ctx, weft_expand(square, (const int64_t[]){pieces, n}, 2), places, all);
    weft_tensor *covered = weft_gt(weight, weft__constant_like(weight, 1e-11));
    y = weft_div(y, weft_where(covered, weight, weft__constant_like(weight, 1)));
    y = weft_slice(y, d - 1, first, end, 1);
    return weft__leave_with(ctx, weft__narrowed(y, dtype));
}

/* ---- Complex numbers ---- */

/* The real (part 0) or imaginary (1) parts of x; NULL where x is. */
static weft_tensor *part_of(weft_tensor *x, int64_t part)
{
    return x ? weft_squeeze(weft_slice(x, -1, part, part + 1, 1), (const int64_t[]){-1}, 1) : NULL;
}

static bool are_pairs(weft_ctx *ctx, int op, weft_tensor *const *in, const char *const *names, int n)
{
    for (int k = 0; k < n; k++)
        if (in[k]->a.ndim < 1 || in[k]->a.shape[in[k]->a.ndim - 1] != 2) {
            weft__fail(ctx, op, WEFT_E_SHAPE, "%s is %s, but its last dim must be 2: pairs of real and imaginary parts",
                       names[k], weft__describe(in[k]).s);
            return false;
        }
    return true;
}

weft_tensor *weft_complex_mul(weft_tensor *a, weft_tensor *b)
{
    static const char *const names[] = {"a", "b"};
    weft_tensor *in[] = {a, b};
    ENTER_COMPOSITE(COMPLEX_MUL, in, 2);
    weft_dtype dtype;
    if (!weft__join_floats(ctx, WEFT_OP_COMPLEX_MUL, in, names, 2, &dtype) ||
        !are_pairs(ctx, WEFT_OP_COMPLEX_MUL, in, names, 2))
        return weft__leave_with(ctx, NULL);
    weft_tensor *ar = part_of(in[0], 0), *ai = part_of(in[0], 1), *br = part_of(in[1], 0), *bi = part_of(in[1], 1);
    weft_tensor *parts[] = {weft_sub(weft_mul(ar, br), weft_mul(ai, bi)), weft_add(weft_mul(ar, bi), weft_mul(ai, br))};
    return weft__leave_with(ctx, weft__narrowed(weft_stack(parts, 2, -1), dtype));
}

weft_tensor *weft_complex_abs(weft_tensor *x)
{
    static const char *const names[] = {"x"};
    ENTER_COMPOSITE(COMPLEX_ABS, &x, 1);
    weft_dtype dtype;
    if (!weft__join_floats(ctx, WEFT_OP_COMPLEX_ABS, &x, names, 1, &dtype) ||
        !are_pairs(ctx, WEFT_OP_COMPLEX_ABS, &x, names, 1))
        return weft__leave_with(ctx, NULL);
    return weft__leave_with(ctx, weft__narrowed(weft_hypot(part_of(x, 0), part_of(x, 1)), dtype));
}
