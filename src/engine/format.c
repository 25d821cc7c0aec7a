/* format.c - writes tensors as NumPy 2.4 prints arrays: array2string with its defaults, str of a scalar. */
#include <math.h>
#include <string.h>
#include "engine/engine.h"
#include "base/digits.h"
#include "base/half.h"

enum { EDGE = 3, SUMMARISE_ABOVE = 1000, LINE = 75, CELL = 80, DECIMALS = 8 };

/* Text that keeps counting when the buffer is full, as snprintf does. */
typedef struct sink {
    char *buffer;
    size_t size;
    int64_t length;
    int64_t line_start;
} sink;

static void put(sink *s, const char *text)
{
    for (; *text; text++, s->length++) {
        if ((uint64_t)s->length + 1 < s->size)
            s->buffer[s->length] = *text;
        if (*text == '\n')
            s->line_start = s->length + 1;
    }
}

typedef struct layout {
    const weft__array *a; /* contiguous host data */
    bool summarise;
    bool scientific;
    int left, right; /* widths before and after the point */
    int exponent;    /* digits of the exponent */
    int width;       /* of a cell */
} layout;

static double value_at(const weft__array *a, int64_t k)
{
    switch (a->dtype) {
    case WEFT_F32:
        return (double)((const float *)a->data)[k];
    case WEFT_F64:
        return ((const double *)a->data)[k];
    case WEFT_F16:
        return (double)weft__f16_to_f32(((const uint16_t *)a->data)[k]);
    default:
        return (double)weft__bf16_to_f32(((const uint16_t *)a->data)[k]);
    }
}

static long long integer_at(const weft__array *a, int64_t k)
{
    switch (a->dtype) {
    case WEFT_I64:
        return ((const int64_t *)a->data)[k];
    case WEFT_I32:
        return ((const int32_t *)a->data)[k];
    case WEFT_I8:
        return ((const int8_t *)a->data)[k];
    default:
        return ((const uint8_t *)a->data)[k];
    }
}

/* x as the dtype would store it. */
static double rounded(double x, weft_dtype dtype)
{
    switch (dtype) {
    case WEFT_F32:
        return (double)(float)x;
    case WEFT_F16:
        return (double)weft__f16_to_f32(weft__f16_from_f32((float)x));
    case WEFT_BF16:
        return (double)weft__bf16_to_f32(weft__bf16_from_f32((float)x));
    default:
        return x;
    }
}

/* A finite number in pieces: "-12", "5" for -12.5, "-1", "25" and 1 for -1.25e+01. */
typedef struct pieces {
    char before[32], after[32];
    int exponent;
} pieces;

static pieces pieces_of(double x, const weft__digits *d, bool scientific)
{
    pieces p = {.exponent = scientific ? d->point - 1 : 0};
    const int whole = scientific ? 1 : d->point; /* digits before the point, if positive */
    int n = 0, m = 0;
    if (signbit(x))
        p.before[n++] = '-';
    for (int k = 0; k < whole; k++)
        p.before[n++] = k < d->n ? d->text[k] : '0';
    if (whole <= 0)
        p.before[n++] = '0';
    for (int k = whole; k < d->n; k++)
        p.after[m++] = k < 0 ? '0' : d->text[k];
    return p;
}

/* Below it every decimal number of the dtype's digits keeps them all; larger ones are shown with an exponent. */
static double sure(weft_dtype dtype)
{
    return dtype == WEFT_F64 ? 1e16 : dtype == WEFT_F32 ? 1e6 : dtype == WEFT_F16 ? 1e3 : 1e2;
}

static bool is_float(const weft__array *a)
{
    return weft_dtype_is_float((weft_dtype)a->dtype);
}

/* scientific: with `least` digits after the point if there are that many, and DECIMALS at most. */
static pieces pieces_at(const layout *l, int64_t k, int least)
{
    const double x = value_at(l->a, k);
    const weft_dtype dtype = (weft_dtype)l->a->dtype;
    const int most = 1 + (least ? least : DECIMALS);
    const weft__digits d = l->scientific ? weft__digits_of(x, dtype, INT32_MAX, least + 1, most)
                                         : weft__digits_of(x, dtype, DECIMALS, 0, WEFT__MOST_DIGITS);
    return pieces_of(x, &d, l->scientific);
}

/* A cell of its own width, or right-aligned in l->width. */
static void format_cell(const layout *l, int64_t k, char *cell)
{
    const weft__array *a = l->a;
    if (a->dtype == WEFT_BOOL) {
        snprintf(cell, CELL, "%*s", l->width, ((const uint8_t *)a->data)[k] ? "True" : "False");
        return;
    }
    if (!is_float(a)) {
        snprintf(cell, CELL, "%*lld", l->width, integer_at(a, k));
        return;
    }
    const double x = value_at(a, k);
    if (!isfinite(x)) {
        snprintf(cell, CELL, "%*s", l->width, isnan(x) ? "nan" : x < 0 ? "-inf" : "inf");
        return;
    }
    pieces p = pieces_at(l, k, l->right);
    if (!l->scientific) { /* NumPy pads the stripped zeros with blanks */
        snprintf(cell, CELL, "%*s.%-*s", l->left, p.before, l->right, p.after);
        return;
    }
    for (size_t n = strlen(p.after); n < (size_t)l->right && n < sizeof p.after - 1; n++)
        p.after[n] = '0';
    const int size = p.exponent < 0 ? -p.exponent : p.exponent;
    snprintf(cell, CELL, "%*s.%se%c%0*d", l->left, p.before, p.after, p.exponent < 0 ? '-' : '+', l->exponent, size);
}

/* Visits the indices that are printed. */
static void each_shown(const layout *l, int dim, int64_t offset, void (*visit)(void *arg, int64_t k), void *arg)
{
    const weft__array *a = l->a;
    if (dim == a->ndim) {
        visit(arg, offset);
        return;
    }
    int64_t n = a->shape[dim];
    for (int64_t k = 0; k < n; k++) {
        if (l->summarise && n > 2 * EDGE && k == EDGE)
            k = n - EDGE;
        each_shown(l, dim + 1, offset + k * a->strides[dim], visit, arg);
    }
}

typedef struct scan {
    layout *l;
    double largest, smallest; /* finite ones, but 0 */
    bool finite, special, negative_infinity;
} scan;

static int larger(int a, int b)
{
    return a > b ? a : b;
}

static void scan_range(void *arg, int64_t k)
{
    scan *s = arg;
    const double x = value_at(s->l->a, k), size = fabs(x);
    s->special |= !isfinite(x);
    s->finite |= isfinite(x);
    s->negative_infinity |= isinf(x) && x < 0;
    if (!isfinite(x) || x == 0)
        return;
    s->largest = fmax(s->largest, size);
    s->smallest = fmin(s->smallest, size);
}

static void scan_pieces(void *arg, int64_t k)
{
    layout *l = ((scan *)arg)->l;
    if (!isfinite(value_at(l->a, k)))
        return;
    const pieces p = pieces_at(l, k, 0);
    l->left = larger(l->left, (int)strlen(p.before));
    l->right = larger(l->right, (int)strlen(p.after));
    if (p.exponent >= 100 || p.exponent <= -100)
        l->exponent = 3;
}

static void scan_width(void *arg, int64_t k)
{
    scan *s = arg;
    const layout bare = {.a = s->l->a};
    char cell[CELL];
    format_cell(&bare, k, cell);
    s->l->width = larger(s->l->width, (int)strlen(cell));
}

/* Exponents if numbers are large for the dtype, small, or far apart, as the dtype computes it. */
static bool wants_exponents(const scan *s, weft_dtype dtype)
{
    if (s->largest == 0)
        return false;
    return s->largest >= fmin(sure(dtype), 1e8) || s->smallest < rounded(1e-4, dtype) ||
           rounded(s->largest / s->smallest, dtype) > 1e3;
}

static void choose(layout *l)
{
    scan s = {.l = l, .smallest = INFINITY};
    if (l->a->dtype == WEFT_BOOL) {
        l->width = (int)strlen("False");
        return;
    }
    if (!is_float(l->a)) {
        each_shown(l, 0, 0, scan_width, &s);
        return;
    }
    each_shown(l, 0, 0, scan_range, &s);
    l->scientific = wants_exponents(&s, (weft_dtype)l->a->dtype);
    l->exponent = 2;
    each_shown(l, 0, 0, scan_pieces, &s);
    const int behind = 1 + l->right + (l->scientific ? 2 + l->exponent : 0); /* the point and what follows */
    if (s.special)
        l->left = larger(l->left, 3 + s.negative_infinity - behind);
    l->width = l->left + behind;
}

static void put_blanks(sink *s, int n)
{
    while (n-- > 0)
        put(s, " ");
}

/* Takes back blanks at the end of the line, which NumPy leaves out where it goes on in the next. */
static void drop_blanks(sink *s, const char *cell)
{
    for (size_t n = strlen(cell); n > 0 && cell[n - 1] == ' '; n--)
        s->length--;
}

static void put_row(const layout *l, int dim, int64_t offset, sink *s)
{
    int64_t n = l->a->shape[dim];
    char cell[CELL] = "";
    put(s, "[");
    for (int64_t k = 0; k < n; k++) {
        bool gap = l->summarise && n > 2 * EDGE && k == EDGE;
        int need = gap ? 4 : l->width + 1;
        if (k && s->length - s->line_start + need > LINE - l->a->ndim) {
            drop_blanks(s, cell);
            put(s, "\n");
            put_blanks(s, dim + 1);
        } else if (k) {
            put(s, " ");
        }
        if (gap) {
            snprintf(cell, CELL, "...");
            k = n - EDGE - 1;
        } else {
            format_cell(l, offset + k * l->a->strides[dim], cell);
        }
        put(s, cell);
    }
    put(s, "]");
}

static void put_block(const layout *l, int dim, int64_t offset, sink *s)
{
    const weft__array *a = l->a;
    if (dim == a->ndim - 1) {
        put_row(l, dim, offset, s);
        return;
    }
    int64_t n = a->shape[dim];
    put(s, "[");
    for (int64_t k = 0; k < n; k++) {
        if (k) {
            for (int d = dim; d < a->ndim - 1; d++)
                put(s, "\n");
            put_blanks(s, dim + 1);
        }
        if (l->summarise && n > 2 * EDGE && k == EDGE) {
            put(s, "...");
            k = n - EDGE - 1;
            continue;
        }
        put_block(l, dim + 1, offset + k * a->strides[dim], s);
    }
    put(s, "]");
}

/* A single number: the fewest digits that give it back, as Python's repr. */
static void format_scalar(const weft__array *a, char *cell)
{
    const double x = value_at(a, 0), size = fabs(x);
    const weft__digits d = weft__digits_of(x, (weft_dtype)a->dtype, INT32_MAX, 0, WEFT__MOST_DIGITS);
    const bool scientific = size != 0 && (size < 1e-4 || size >= sure((weft_dtype)a->dtype));
    const pieces p = pieces_of(x, &d, scientific);
    if (scientific)
        snprintf(cell, CELL, "%s%s%se%+03d", p.before, p.after[0] ? "." : "", p.after, p.exponent);
    else
        snprintf(cell, CELL, "%s.%s", p.before, p.after[0] ? p.after : "0");
}

static void put_array(const weft__array *a, sink *s)
{
    layout l = {.a = a, .summarise = a->count > SUMMARISE_ABOVE};
    if (a->count == 0) {
        put(s, "[]");
        if (a->ndim != 1) {
            put(s, " (shape ");
            put(s, weft__shape_text(a->shape, a->ndim).s);
            put(s, ")");
        }
        return;
    }
    if (a->ndim > 0) {
        choose(&l);
        put_block(&l, 0, 0, s);
        return;
    }
    char cell[CELL];
    if (is_float(a) && isfinite(value_at(a, 0)))
        format_scalar(a, cell);
    else
        format_cell(&l, 0, cell);
    put(s, cell);
}

/* The data in host memory, row-major; release with free_host. */
static bool fetch(weft_ctx *ctx, weft_tensor *t, weft__array *a, size_t *bytes)
{
    *a = t->a;
    *bytes = weft__array_bytes(&t->a);
    weft__set_contiguous(a);
    a->data = *bytes ? weft__host_alloc(ctx, *bytes) : NULL;
    if (*bytes && !a->data) {
        weft__fail_named(ctx, "format", WEFT_E_NOMEM, "out of memory for a copy of %s", weft__describe(t).s);
        return false;
    }
    if (weft_read(ctx, t, a->data, *bytes) == WEFT_OK)
        return true;
    weft__host_free(ctx, a->data, *bytes);
    return false;
}

int64_t weft_format(weft_ctx *ctx, weft_tensor *t, char *buffer, size_t size)
{
    if (size && buffer)
        buffer[0] = '\0';
    if (!ctx)
        return -1;
    if (!t && ctx->status == WEFT_OK)
        weft__fail_named(ctx, "format", WEFT_E_NULL_ARGUMENT, "the tensor is NULL; %s", weft__why_null().s);
    if (!t || !weft__enter_named("format", ctx, &t, 1, 0))
        return -1;
    sink s = {.buffer = buffer, .size = buffer ? size : 0};
    weft__array a;
    size_t bytes;
    bool ok = fetch(ctx, t, &a, &bytes);
    if (ok) {
        put_array(&a, &s);
        weft__host_free(ctx, a.data, bytes);
        if (s.size)
            buffer[(uint64_t)s.length < s.size ? (uint64_t)s.length : s.size - 1] = '\0';
    }
    weft__leave_with(ctx, NULL);
    return ok ? s.length : -1;
}

weft_status weft_print(weft_ctx *ctx, weft_tensor *t, FILE *stream)
{
    if (!ctx)
        return WEFT_E_NULL_ARGUMENT;
    if (!stream)
        return weft__fail_named(ctx, "print", WEFT_E_NULL_ARGUMENT, "the stream is NULL");
    int64_t length = weft_format(ctx, t, NULL, 0);
    if (length < 0)
        return ctx->status;
    size_t size = (size_t)length + 2;
    char *text = weft__host_alloc(ctx, size);
    if (!text)
        return weft__fail_named(ctx, "print", WEFT_E_NOMEM, "out of memory for %zu bytes of text", size);
    weft_format(ctx, t, text, size);
    text[length] = '\n';
    bool written = fwrite(text, 1, (size_t)length + 1, stream) == (size_t)length + 1;
    weft__host_free(ctx, text, size);
    return written ? WEFT_OK : weft__fail_named(ctx, "print", WEFT_E_IO, "writing %zu bytes failed", size);
}
