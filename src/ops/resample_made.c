/* resample_made.c - other sizes for the last dims, by what lies around each place. Each element of the result is a
 * sum of taps: elements of x along one dim, with weights; dim after dim. Tables of places and weights are made on
 * the host. */
#include <math.h>
#include "base/scalar.h"
#include "made.h"

/* i: sizes..., then the way and whether corners are aligned */
CALL(interpolate)
{
    const int n = c->ni - 2;
    c->out[0] = weft_interpolate(c->in[0], c->i, n, (weft_interpolation)c->i[n], c->i[n + 1] != 0);
}

/* i: sizes..., then the way */
CALL(interpolate_antialias)
{
    const int n = c->ni - 1;
    c->out[0] = weft_interpolate_antialias(c->in[0], c->i, n, (weft_interpolation)c->i[n]);
}

/* i: before..., after..., the mode */
CALL(pad_mode)
{
    const int n = (c->ni - 1) / 2;
    c->out[0] = weft_pad_mode(c->in[0], c->i, c->i + n, n, (weft_padding)c->i[2 * n]);
}

WEFT__DEFINE_COMPOSITE(INTERPOLATE, interpolate,
                       PARTS(FLOATS, PART(INDEX_SELECT, WIDE), PART(MUL, WIDE), PART(ADD, WIDE)),
                       GRADIENT("each g in parts to the elements that it was made of, by their weights"), ROW_ONCE,
                       SAMPLE(call_interpolate, RECIPE("xab", "9 1 0"), RECIPE("xab", "5 4 2 0"),
                              RECIPE("xa23", "5 7 1 1")))
WEFT__DEFINE_COMPOSITE(INTERPOLATE_ANTIALIAS, interpolate_antialias,
                       PARTS(FLOATS, PART(INDEX_SELECT, WIDE), PART(MUL, WIDE), PART(ADD, WIDE)),
                       GRADIENT("each g in parts to the elements that it was made of, by their weights"), ROW_ONCE,
                       SAMPLE(call_interpolate_antialias, RECIPE("xa9", "4 1"), RECIPE("xa78", "3 5 2")))
WEFT__DEFINE_COMPOSITE(PAD_MODE, pad_mode, PARTS(ANY_DTYPE, PART(INDEX_SELECT, AS_ALONE)),
                       GRADIENT("each g to the element that was repeated there"),
                       WORK(weft__terms_one, weft__flops_none, weft__bytes_once),
                       SAMPLE(call_pad_mode, RECIPE("xab", "1 2 2 0 0"), RECIPE("xab", "1 2 1"),
                              RECIPE("xab", "2 1 2")))

/* ---- Taps of one dim: out places, each with n taps ---- */

typedef struct taps {
    int n;
    int64_t size;    /* of the result */
    int64_t *places; /* [n][size] */
    double *weights; /* likewise */
} taps;

/* The place of the middle of element o of `to` among those of `from`. */
static double place_of(int64_t o, int64_t from, int64_t to, bool align)
{
    if (align)
        return to > 1 ? (double)o * (double)(from - 1) / (double)(to - 1) : 0;
    return ((double)o + 0.5) * (double)from / (double)to - 0.5;
}

static int64_t inside(int64_t place, int64_t n)
{
    return place < 0 ? 0 : place >= n ? n - 1 : place;
}

/* Keys' cubic (1981) at distance d; 0 from 2 on. */
static double keys_cubic(double a, double d)
{
    d = fabs(d);
    if (d >= 2)
        return 0;
    return d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
}

static double cubic(double d)
{
    return keys_cubic(-0.75, d);
}

/* First and last but one of the elements whose mean is element o. */
static int64_t area_from(int64_t o, int64_t from, int64_t to)
{
    return (int64_t)floor((double)o * (double)from / (double)to);
}

static int64_t area_to(int64_t o, int64_t from, int64_t to)
{
    return (int64_t)ceil((double)(o + 1) * (double)from / (double)to);
}

static int taps_of(weft_interpolation way, int64_t from, int64_t to)
{
    if (way != WEFT_INTERPOLATION_AREA)
        return way == WEFT_INTERPOLATION_NEAREST ? 1 : way == WEFT_INTERPOLATION_LINEAR ? 2 : 4;
    if (to < 1)
        return 1;
    /* Element o begins (o from mod to) / to into an element of x: at a multiple of gcd / to, each of which comes. */
    const int64_t rest = from % to, common = weft__m_gcd_i64(from, to);
    const int64_t most = from / to + (rest == 0 ? 0 : rest == common ? 1 : 2);
    return most < INT32_MAX ? (int)most : -1;
}

static void fill_one(taps *t, int64_t o, int64_t from, weft_interpolation way, bool align)
{
    const int64_t to = t->size;
    if (way == WEFT_INTERPOLATION_AREA) {
        const int64_t first = area_from(o, from, to), n = area_to(o, from, to) - first;
        for (int k = 0; k < t->n; k++) {
            t->places[k * to + o] = k < n ? first + k : first;
            t->weights[k * to + o] = k < n ? 1 / (double)n : 0;
        }
        return;
    }
    if (way == WEFT_INTERPOLATION_NEAREST) {
        t->places[o] = inside(area_from(o, from, to), from);
        t->weights[o] = 1;
        return;
    }
    double at = place_of(o, from, to, align);
    if (way == WEFT_INTERPOLATION_LINEAR && at < 0)
        at = 0;
    const int64_t first = (int64_t)floor(at);
    for (int k = 0; k < t->n; k++) {
        const int64_t place = first + k - (t->n == 4);
        const double off = at - (double)place;
        t->places[k * to + o] = inside(place, from);
        t->weights[k * to + o] = t->n == 4 ? cubic(off) : 1 - fabs(off);
    }
}

/* Half of what a filter reaches over where elements lie closer than places: as wide as the elements that a place stands
 * for. */
static double reach_of(weft_interpolation way, int64_t from, int64_t to)
{
    const double scale = (double)from / (double)to;
    return (way == WEFT_INTERPOLATION_CUBIC ? 2 : 1) * (scale > 1 ? scale : 1);
}

/* As PyTorch and Pillow have it: a triangle, or Keys' cubic with a = -1/2, stretched, and divided by the sum of its
 * weights within x. */
static void fill_wide(taps *t, int64_t o, int64_t from, weft_interpolation way)
{
    const double scale = (double)from / (double)t->size, stretch = scale > 1 ? scale : 1;
    const double reach = reach_of(way, from, t->size), centre = scale * ((double)o + 0.5);
    const double low = centre - reach + 0.5, high = centre + reach + 0.5;
    const int64_t first = low > 0 ? (int64_t)low : 0, end = high < (double)from ? (int64_t)high : from;
    double sum = 0;
    for (int k = 0; k < t->n; k++) {
        const bool within = first + k < end;
        const double off = ((double)(first + k) + 0.5 - centre) / stretch;
        const double triangle = fabs(off) < 1 ? 1 - fabs(off) : 0;
        const double weight = way == WEFT_INTERPOLATION_CUBIC ? keys_cubic(-0.5, off) : triangle;
        t->places[k * t->size + o] = within ? first + k : inside(first, from);
        t->weights[k * t->size + o] = within ? weight : 0;
        sum += within ? weight : 0;
    }
    for (int k = 0; k < t->n && sum != 0; k++)
        t->weights[k * t->size + o] /= sum;
}

/* How dims are resampled. */
typedef struct how {
    int op;
    weft_interpolation way;
    bool align, wide;
} how;

/* x with dim d resampled to size elements. */
static weft_tensor *resampled(weft_ctx *ctx, weft_tensor *x, int d, int64_t size, how h)
{
    const int64_t from = x->a.shape[d];
    const double most = h.wide && size > 0 ? 2 * ceil(reach_of(h.way, from, size)) + 1 : 1;
    taps t = {.n = !h.wide ? taps_of(h.way, from, size) : most < INT32_MAX ? (int)most : -1, .size = size};
    const int64_t count = t.n < 0 || size > INT64_MAX / (t.n * 16) ? -1 : t.n * size;
    t.places = count < 0 ? NULL : weft__host_array(ctx, count + 1, sizeof *t.places);
    t.weights = count < 0 ? NULL : weft__host_array(ctx, count + 1, sizeof *t.weights);
    weft_tensor *y = NULL;
    int64_t column[WEFT__MAX_DIMS] = {size};
    for (int k = 1; k < x->a.ndim - d; k++)
        column[k] = 1;
    if (t.places && t.weights) {
        for (int64_t o = 0; o < size; o++)
            if (h.wide)
                fill_wide(&t, o, from, h.way);
            else
                fill_one(&t, o, from, h.way, h.align);
        for (int k = 0; k < t.n; k++) {
            weft_tensor *places = weft_from_data(ctx, WEFT_I64, &size, 1, t.places + k * size);
            weft_tensor *weights = weft_from_data(ctx, WEFT_F64, column, x->a.ndim - d, t.weights + k * size);
            weft_tensor *part = weft_index_select(x, places, d);
            if (t.n > 1)
                part = weft_mul(part, weights ? weft__cast(weights, (weft_dtype)x->a.dtype) : NULL);
            y = k ? weft_add(y, part) : part;
        }
    } else {
        weft__fail(ctx, h.op, WEFT_E_NOMEM, "out of memory for the places and weights of %lld elements",
                   (long long)size);
    }
    if (t.places)
        weft__host_free(ctx, t.places, sizeof *t.places * (size_t)(count + 1));
    if (t.weights)
        weft__host_free(ctx, t.weights, sizeof *t.weights * (size_t)(count + 1));
    return y;
}

static weft_tensor *interpolated(weft_tensor *x, const int64_t *sizes, int n, how h)
{
    static const char *const names[] = {"x"};
    weft_ctx *ctx = weft__enter(h.op, &x, 1, 0);
    if (!ctx)
        return NULL;
    weft_dtype dtype;
    if (!weft__localise(ctx, &x, 1) || !weft__join_floats(ctx, h.op, &x, names, 1, &dtype))
        return weft__leave_with(ctx, NULL);
    const bool known = h.wide ? h.way == WEFT_INTERPOLATION_LINEAR || h.way == WEFT_INTERPOLATION_CUBIC
                              : (unsigned)h.way <= WEFT_INTERPOLATION_AREA;
    if (!sizes || n < 1 || n > x->a.ndim || !known)
        return weft__fail(ctx, h.op, WEFT_E_INVALID, "needs sizes for 1 to %d last dims of %s (not %d), and %s",
                          x->a.ndim, weft__describe(x).s, n,
                          h.wide ? "the linear or the cubic way" : "one of weft_interpolation"),
               weft__leave_with(ctx, NULL);
    for (int k = 0; k < n; k++) {
        const int d = x->a.ndim - n + k;
        if (sizes[k] < 0 || (sizes[k] > 0 && x->a.shape[d] == 0))
            return weft__fail(ctx, h.op, WEFT_E_SHAPE, "size %lld for dim %d of %s", (long long)sizes[k], d,
                              weft__describe(x).s),
                   weft__leave_with(ctx, NULL);
    }
    weft_tensor *y = x;
    for (int k = 0; k < n && y; k++)
        y = resampled(ctx, y, x->a.ndim - n + k, sizes[k], h);
    return weft__leave_with(ctx, weft__narrowed(y, dtype));
}

weft_tensor *weft_interpolate(weft_tensor *x, const int64_t *sizes, int n, weft_interpolation way, bool align_corners)
{
    return interpolated(x, sizes, n, (how){WEFT_OP_INTERPOLATE, way, align_corners, false});
}

weft_tensor *weft_interpolate_antialias(weft_tensor *x, const int64_t *sizes, int n, weft_interpolation way)
{
    return interpolated(x, sizes, n, (how){WEFT_OP_INTERPOLATE_ANTIALIAS, way, false, true});
}

/* ---- Padding by what is there ---- */

/* Which element stands at a place outside or inside of n elements. */
static int64_t source_of(int64_t place, int64_t n, weft_padding mode)
{
    if (mode == WEFT_PADDING_REPLICATE)
        return inside(place, n);
    if (mode == WEFT_PADDING_CIRCULAR)
        return (place % n + n) % n;
    return place < 0 ? -place : place >= n ? 2 * (n - 1) - place : place;
}

static weft_tensor *padded(weft_ctx *ctx, weft_tensor *x, int d, int64_t before, int64_t after, weft_padding mode)
{
    const int64_t n = x->a.shape[d], size = before + n + after;
    int64_t *places = weft__host_array(ctx, size + 1, sizeof *places);
    if (!places)
        return weft__fail(ctx, WEFT_OP_PAD_MODE, WEFT_E_NOMEM, "out of memory for %lld places", (long long)size), NULL;
    for (int64_t k = 0; k < size; k++)
        places[k] = source_of(k - before, n, mode);
    weft_tensor *y = weft_index_select(x, weft_from_data(ctx, WEFT_I64, &size, 1, places), d);
    weft__host_free(ctx, places, sizeof *places * (size_t)(size + 1));
    return y;
}

weft_tensor *weft_pad_mode(weft_tensor *x, const int64_t *before, const int64_t *after, int n, weft_padding mode)
{
    ENTER_COMPOSITE(PAD_MODE, &x, 1);
    if (!before || !after || n < 1 || n > x->a.ndim || (unsigned)mode > WEFT_PADDING_CIRCULAR)
        REFUSE(PAD_MODE, WEFT_E_INVALID, "needs widths for 1 to %d last dims of %s (not %d), and one of weft_padding",
               x->a.ndim, weft__describe(x).s, n);
    for (int k = 0; k < n; k++) {
        const int64_t size = x->a.shape[x->a.ndim - n + k], limit = mode == WEFT_PADDING_REFLECT ? size - 1 : size;
        const bool far = mode != WEFT_PADDING_REPLICATE && (before[k] > limit || after[k] > limit);
        if (before[k] < 0 || after[k] < 0 || far || (size == 0 && before[k] + after[k] > 0))
            REFUSE(PAD_MODE, WEFT_E_SHAPE, "%lld before and %lld after dim %d of %s: not negative%s",
                   (long long)before[k], (long long)after[k], x->a.ndim - n + k, weft__describe(x).s,
                   mode == WEFT_PADDING_REFLECT    ? ", and less than its size"
                   : mode == WEFT_PADDING_CIRCULAR ? ", and at most its size"
                                                   : ", and 0 where there is no element");
    }
    weft_tensor *y = x;
    for (int k = 0; k < n && y; k++)
        y = padded(ctx, y, x->a.ndim - n + k, before[k], after[k], mode);
    return weft__leave_with(ctx, y);
}
