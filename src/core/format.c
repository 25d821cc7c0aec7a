/* format.c - writes tensors as NumPy prints arrays. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "core.h"
#include "half.h"

enum { EDGE = 3, SUMMARISE_ABOVE = 1000, LINE = 75, CELL = 40, DIGITS = 8 };

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
    int decimals; /* after the point */
    int width;
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

/* Decimals that x needs to be told apart from its neighbours in the dtype, at most 8. */
static int decimals_of(double x, bool scientific, weft_dtype dtype)
{
    char text[400];
    int n = 0;
    for (; n < DIGITS; n++) {
        snprintf(text, sizeof text, scientific ? "%.*e" : "%.*f", n, x);
        if (rounded(strtod(text, NULL), dtype) == x)
            break;
    }
    return n;
}

static void format_cell(const layout *l, int64_t k, char *cell)
{
    const weft__array *a = l->a;
    if (a->dtype == WEFT_BOOL) {
        snprintf(cell, CELL, "%s", ((const uint8_t *)a->data)[k] ? "True" : "False");
        return;
    }
    if (!weft_dtype_is_float((weft_dtype)a->dtype)) {
        snprintf(cell, CELL, "%lld", integer_at(a, k));
        return;
    }
    double x = value_at(a, k);
    if (isnan(x))
        snprintf(cell, CELL, "nan");
    else if (isinf(x))
        snprintf(cell, CELL, x < 0 ? "-inf" : "inf");
    else if (l->scientific)
        snprintf(cell, CELL, "%#.*e", l->decimals, x);
    else {
        int n = snprintf(cell, CELL, "%.*f", l->decimals, x);
        for (int c = n - 1; c > 0 && cell[c] == '0'; c--) /* NumPy pads the stripped zeros with blanks */
            cell[c] = ' ';
        if (l->decimals == 0)
            strcat(cell, ".");
    }
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
    double largest, smallest;
} scan;

static void scan_range(void *arg, int64_t k)
{
    scan *s = arg;
    double x = fabs(value_at(s->l->a, k));
    if (!isfinite(x) || x == 0)
        return;
    s->largest = fmax(s->largest, x);
    s->smallest = fmin(s->smallest, x);
}

static void scan_decimals(void *arg, int64_t k)
{
    scan *s = arg;
    double x = value_at(s->l->a, k);
    int n = isfinite(x) ? decimals_of(x, s->l->scientific, (weft_dtype)s->l->a->dtype) : 0;
    if (n > s->l->decimals)
        s->l->decimals = n;
}

static void scan_width(void *arg, int64_t k)
{
    scan *s = arg;
    char cell[CELL + 8];
    format_cell(s->l, k, cell);
    int width = (int)strlen(cell);
    if (width > s->l->width)
        s->l->width = width;
}

static void choose(layout *l)
{
    scan s = {.l = l, .smallest = INFINITY};
    if (weft_dtype_is_float((weft_dtype)l->a->dtype)) {
        each_shown(l, 0, 0, scan_range, &s);
        l->scientific = s.largest >= 1e8 || s.smallest < 1e-4 || s.largest / s.smallest > 1e3;
        each_shown(l, 0, 0, scan_decimals, &s);
    }
    each_shown(l, 0, 0, scan_width, &s);
}

static void put_blanks(sink *s, int n)
{
    while (n-- > 0)
        put(s, " ");
}

static void put_row(const layout *l, int dim, int64_t offset, sink *s)
{
    int64_t n = l->a->shape[dim];
    put(s, "[");
    for (int64_t k = 0; k < n; k++) {
        char cell[CELL + 8];
        bool gap = l->summarise && n > 2 * EDGE && k == EDGE;
        format_cell(l, offset + k * l->a->strides[dim], cell);
        int need = gap ? 4 : l->width + 1;
        if (k && s->length - s->line_start + need > LINE - l->a->ndim) {
            put(s, "\n");
            put_blanks(s, dim + 1);
        } else if (k) {
            put(s, " ");
        }
        if (gap) {
            put(s, "...");
            k = n - EDGE - 1;
            continue;
        }
        put_blanks(s, l->width - (int)strlen(cell));
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
    double x = value_at(a, 0);
    int digits = 1;
    for (; digits < 17; digits++) {
        snprintf(cell, CELL, "%.*e", digits - 1, x);
        if (rounded(strtod(cell, NULL), (weft_dtype)a->dtype) == x)
            break;
    }
    double size = fabs(x);
    if (size != 0 && (size < 1e-4 || size >= 1e16)) {
        snprintf(cell, CELL, "%.*e", digits - 1, x);
        return;
    }
    int decimals = digits - 1 - (size != 0 ? (int)floor(log10(size)) : 0);
    snprintf(cell, CELL, "%.*f", decimals < 1 ? 1 : decimals, x);
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
    choose(&l);
    if (a->ndim > 0) {
        put_block(&l, 0, 0, s);
        return;
    }
    char cell[CELL + 8];
    if (weft_dtype_is_float((weft_dtype)a->dtype) && isfinite(value_at(a, 0)))
        format_scalar(a, cell);
    else
        format_cell(&l, 0, cell);
    put(s, cell);
}

/* The data in host memory, row-major; release with free_host. */
static bool fetch(weft_ctx *ctx, weft_tensor *t, weft__array *a, size_t *bytes)
{
    *a = t->a;
    *bytes = (size_t)t->a.count * weft_dtype_size((weft_dtype)t->a.dtype);
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
        weft__fail_named(ctx, "format", WEFT_E_NULL_ARGUMENT,
                         "the tensor is NULL; the call that made it may have failed");
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
    weft__leave(ctx);
    return ok ? s.length : -1;
}

weft_status weft_print(weft_ctx *ctx, FILE *stream, weft_tensor *t)
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
