/* fft.c - Fourier transforms along one dim: fft, rfft, irfft, and ifft, which is fft the other way. Complex numbers are
 * pairs, real and imaginary part, in a last dim of size 2. */
#include <math.h>
#include "define.h"

/* What a transform of n elements is multiplied by. */
static double scale_of(int64_t n, weft_fft_norm norm, bool inverse)
{
    if (norm == WEFT_FFT_NORM_ORTHO)
        return 1 / sqrt((double)n);
    return (norm == WEFT_FFT_NORM_FORWARD) == inverse ? 1 : 1 / (double)n;
}

/* Attributes of a call: the scale of an irfft waits for the length. */
static weft__attrs attrs_of(int64_t dim, int64_t n, weft_fft_norm norm, bool inverse)
{
    return (weft__attrs){.fft = {.dim = dim, .n = n, .inverse = inverse, .norm = norm}};
}

/* ---- Shapes ---- */

static bool has_norm(weft__infer *q, int64_t n, bool inverse)
{
    weft__fft_attrs *a = &q->attrs->fft;
    if (a->norm < 0 || a->norm > WEFT_FFT_NORM_FORWARD)
        return weft__refuse(q, WEFT_E_INVALID, "norm %lld is none of weft_fft_norm", (long long)a->norm);
    a->scale = scale_of(n, (weft_fft_norm)a->norm, inverse);
    return true;
}

/* Operand 0 has pairs at its end, and dim, made nonnegative, is another one with elements in it. */
static bool has_pairs(weft__infer *q)
{
    weft__fft_attrs *a = &q->attrs->fft;
    if (!weft__has_rank(q, 0, 2, WEFT__MAX_DIMS) || !weft__resolve_dim(q, 0, &a->dim))
        return false;
    const weft__array *x = q->in[0];
    if (x->shape[x->ndim - 1] != 2)
        return weft__refuse(q, WEFT_E_SHAPE, "%s has no pairs of real and imaginary parts: its last dim must be 2",
                            weft__operand_text(q, 0).s);
    if (a->dim == x->ndim - 1)
        return weft__refuse(q, WEFT_E_INVALID, "dim %d of %s holds the pairs; the dims before it can be transformed",
                            x->ndim - 1, weft__operand_text(q, 0).s);
    return true;
}

static bool has_elements(weft__infer *q)
{
    if (q->in[0]->shape[q->attrs->fft.dim] > 0)
        return true;
    return weft__refuse(q, WEFT_E_SHAPE, "dim %lld of %s has no elements to transform", (long long)q->attrs->fft.dim,
                        weft__operand_text(q, 0).s);
}

static bool infer_fft(weft__infer *q)
{
    if (!has_pairs(q) || !has_elements(q) ||
        !has_norm(q, q->in[0]->shape[q->attrs->fft.dim], q->attrs->fft.inverse != 0))
        return false;
    weft__set_like(q, 0, 0);
    return true;
}

static bool infer_rfft(weft__infer *q)
{
    weft__fft_attrs *a = &q->attrs->fft;
    if (!weft__has_rank(q, 0, 1, WEFT__MAX_DIMS - 1) || !weft__resolve_dim(q, 0, &a->dim) || !has_elements(q) ||
        !has_norm(q, q->in[0]->shape[a->dim], a->inverse != 0))
        return false;
    const weft__array *x = q->in[0];
    int64_t shape[WEFT__MAX_DIMS];
    for (int d = 0; d < x->ndim; d++)
        shape[d] = d == a->dim ? x->shape[d] / 2 + 1 : x->shape[d];
    shape[x->ndim] = 2;
    weft__set_result(q, 0, q->dtype[0], shape, x->ndim + 1);
    return true;
}

static bool infer_irfft(weft__infer *q)
{
    weft__fft_attrs *a = &q->attrs->fft;
    if (!has_pairs(q))
        return false;
    const weft__array *x = q->in[0];
    const int64_t half = x->shape[a->dim];
    if (a->n < 1 || a->n / 2 + 1 != half)
        return weft__refuse(q, WEFT_E_SHAPE,
                            "a transform of %lld real elements has a spectrum of %lld, but dim %lld of %s has %lld; "
                            "use n %lld or %lld, or slice or pad it first",
                            (long long)a->n, (long long)(a->n > 0 ? a->n / 2 + 1 : 0), (long long)a->dim,
                            weft__operand_text(q, 0).s, (long long)half, (long long)(half > 1 ? 2 * half - 2 : 1),
                            (long long)(2 * half - 1));
    if (!has_norm(q, a->n, a->inverse != 0))
        return false;
    int64_t shape[WEFT__MAX_DIMS];
    for (int d = 0; d < x->ndim - 1; d++)
        shape[d] = d == a->dim ? a->n : x->shape[d];
    weft__set_result(q, 0, q->dtype[0], shape, x->ndim - 1);
    return true;
}

/* ---- Derivatives ---- */

/* A transform is its own transpose, and its conjugate goes the other way. The scale stays: norm is the same one with
 * the directions' names exchanged. */
static weft__attrs adjoint_of(const weft__fft_attrs *a, int64_t n)
{
    weft__attrs attrs = {.fft = *a};
    attrs.fft.inverse = !a->inverse;
    attrs.fft.n = n;
    attrs.fft.norm = a->norm == WEFT_FFT_NORM_BACKWARD  ? WEFT_FFT_NORM_FORWARD
                     : a->norm == WEFT_FFT_NORM_FORWARD ? WEFT_FFT_NORM_BACKWARD
                                                        : a->norm;
    return attrs;
}

static void vjp_fft(weft__vjp *v)
{
    weft__attrs attrs = adjoint_of(&v->attrs->fft, 0);
    v->out[0] = weft__apply(WEFT_OP_FFT, &v->g, 1, &attrs);
}

/* Each number of half a spectrum stands for itself here, not for its mirror image too: so it counts half in irfft. */
static void vjp_rfft(weft__vjp *v)
{
    weft__attrs attrs = adjoint_of(&v->attrs->fft, v->in[0]->a.shape[v->attrs->fft.dim]);
    attrs.fft.adjoint = !attrs.fft.adjoint;
    v->out[0] = weft__apply(WEFT_OP_IRFFT, &v->g, 1, &attrs);
}

/* And twice in rfft, which stands for both. */
static void vjp_irfft(weft__vjp *v)
{
    weft__attrs attrs = adjoint_of(&v->attrs->fft, 0);
    attrs.fft.adjoint = !attrs.fft.adjoint;
    v->out[0] = weft__apply(WEFT_OP_RFFT, &v->g, 1, &attrs);
}

/* ---- Work ---- */

static int64_t length_of(const weft__work *w)
{
    const int64_t dim = w->attrs ? w->attrs->fft.dim : 0;
    const weft__array *x = w->in[0], *y = w->out[0];
    const int64_t in = x && dim < x->ndim ? x->shape[dim] : 1, out = y && dim < y->ndim ? y->shape[dim] : 1;
    return in > out ? in : out;
}

static int64_t terms_fft(const weft__work *w, int result)
{
    (void)result;
    return length_of(w);
}

/* 5 n log2 n of n complex numbers, as is usual; half of it of real ones, which are as many as the larger side has. */
static double flops_fft(const weft__work *w)
{
    const double in = weft__count(w->in[0]), out = weft__count(w->out[0]), n = (double)length_of(w);
    return n > 1 ? 2.5 * (in < out ? in : out) * log2(n) : 0;
}

/* ---- Records ---- */

/* i: dim, norm */
CALL(fft)
{
    c->out[0] = weft_fft(c->in[0], c->i[0], (weft_fft_norm)c->i[1]);
}

CALL(ifft)
{
    c->out[0] = weft_ifft(c->in[0], c->i[0], (weft_fft_norm)c->i[1]);
}

CALL(rfft)
{
    c->out[0] = weft_rfft(c->in[0], c->i[0], (weft_fft_norm)c->i[1]);
}

/* i: n, dim, norm */
CALL(irfft)
{
    c->out[0] = weft_irfft(c->in[0], c->i[0], c->i[1], (weft_fft_norm)c->i[2]);
}

#define TRANSFORM(ID, name, words, ...)                                                                                \
    WEFT__DEFINE(ID, name, OPERANDS(FLOATS), ATTRS(fft), INFER(infer_##name, JOIN_FLOATS), RESULTS(1, ROWWISE),        \
                 EFFECT(PURE), DERIVATIVE(vjp_##name, ROUNDS_ONCE, READS(NOTHING), NO_KERNEL, GRADIENT(words)),        \
                 WORK(terms_fft, flops_fft, weft__bytes_once), SAMPLE(call_##name, __VA_ARGS__))

TRANSFORM(FFT, fft, "the transform of g the other way, with the same factor", RECIPE("xab2", "1 0"),
          RECIPE("xab2", "0 1"), RECIPE("xabc2", "1 2"))
TRANSFORM(
    RFFT, rfft,
    "real part of the sum of g[k] e^(2 pi i j k / n) over the half spectrum, with the same factor: irfft of g with "
    "all but its ends halved",
    RECIPE("xab", "1 0"), RECIPE("xab", "0 1"), RECIPE("xabc", "1 2"))
TRANSFORM(IRFFT, irfft, "rfft of g with the same factor, all but its ends doubled", RECIPE("xa52", "8 1 0"),
          RECIPE("xa52", "9 1 1"), RECIPE("x5b2", "8 0 2"))

WEFT__DEFINE_COMPOSITE(IFFT, ifft, PARTS(ANY_DTYPE, PART(FFT, AS_ALONE)),
                       GRADIENT("the transform of g, with the factor"),
                       WORK(weft__terms_ratio, weft__flops_each, weft__bytes_once),
                       SAMPLE(call_ifft, RECIPE("xab2", "1 0"), RECIPE("xab2", "0 1")))

/* ---- Front ends ---- */

weft_tensor *weft_fft(weft_tensor *x, int64_t dim, weft_fft_norm norm)
{
    weft__attrs attrs = attrs_of(dim, 0, norm, false);
    return weft__apply(WEFT_OP_FFT, &x, 1, &attrs);
}

weft_tensor *weft_ifft(weft_tensor *x, int64_t dim, weft_fft_norm norm)
{
    ENTER_COMPOSITE(IFFT, &x, 1);
    weft__attrs attrs = attrs_of(dim, 0, norm, true);
    return weft__leave_with(ctx, weft__apply(WEFT_OP_FFT, &x, 1, &attrs));
}

weft_tensor *weft_rfft(weft_tensor *x, int64_t dim, weft_fft_norm norm)
{
    weft__attrs attrs = attrs_of(dim, 0, norm, false);
    return weft__apply(WEFT_OP_RFFT, &x, 1, &attrs);
}

weft_tensor *weft_irfft(weft_tensor *x, int64_t n, int64_t dim, weft_fft_norm norm)
{
    weft__attrs attrs = attrs_of(dim, n, norm, true);
    return weft__apply(WEFT_OP_IRFFT, &x, 1, &attrs);
}
