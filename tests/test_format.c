/* test_format.c - weft_format against what NumPy prints (format/make_format.py), and the digits of numbers. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/digits.h"
#include "base/half.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"

/* ---- Values: the same as in format/make_format.py ---- */

static uint64_t draw(uint64_t *state)
{
    uint64_t s = *state;
    s ^= s >> 12;
    s ^= s << 25;
    s ^= s >> 27;
    *state = s;
    return s * 2685821657736338717u >> 8;
}

typedef struct format_kind {
    weft_dtype dtype;
    int exponent, fraction; /* bits; of integers 0 and all */
} format_kind;

static format_kind kind_of(weft_dtype dtype)
{
    static const int exponents[] = {[WEFT_F32] = 8, [WEFT_F64] = 11, [WEFT_F16] = 5, [WEFT_BF16] = 8};
    const int bits = 8 * (int)weft_dtype_size(dtype), exponent = weft_dtype_is_float(dtype) ? exponents[dtype] : 0;
    return (format_kind){dtype, exponent, exponent ? bits - 1 - exponent : bits};
}

static uint64_t from_ratio(uint64_t numerator, int power_of_two, const format_kind *f)
{
    int length = 0;
    while (numerator >> length)
        length++;
    if (!length)
        return 0;
    const int m = f->fraction;
    const uint64_t mantissa = length <= m + 1 ? numerator << (m + 1 - length) : numerator >> (length - m - 1);
    const uint64_t bias = ((uint64_t)1 << (f->exponent - 1)) - 1;
    return ((uint64_t)(length - 1 - power_of_two) + bias) << m | (mantissa - ((uint64_t)1 << m));
}

static uint64_t float_bits(const format_kind *f, const char *kind, uint64_t *state)
{
    const int m = f->fraction;
    const uint64_t bias = ((uint64_t)1 << (f->exponent - 1)) - 1, top = ((uint64_t)1 << f->exponent) - 1;
    const uint64_t r = draw(state), r2 = draw(state), low = r & (((uint64_t)1 << m) - 1), exponent = r2 >> 8;
    const uint64_t minus = (uint64_t)1 << (m + f->exponent), sign = (r2 & 6) == 0 && r2 & 1 ? minus : 0;
    if (strcmp(kind, "any") == 0)
        return sign | exponent % top << m | low;
    if (strcmp(kind, "near1") == 0)
        return sign | (bias - 4 + exponent % 9) << m | low;
    if (strcmp(kind, "whole") == 0)
        return sign | from_ratio(r % 1000 * (r2 & 8 ? 10 : 1), 0, f);
    if (strcmp(kind, "round") == 0)
        return sign | from_ratio(r % 4096, 2 + (int)(exponent % 6), f);
    if (strcmp(kind, "close") == 0)
        return sign | bias << m | (low & 15);
    if (strcmp(kind, "wide") == 0) {
        const uint64_t span = top - 2 < 60 ? top - 2 : 60;
        return sign | (bias - span / 2 + exponent % span) << m | low;
    }
    if (strcmp(kind, "powers") == 0)
        return sign | exponent % top << m;
    const uint64_t infinity = top << m;
    const uint64_t table[] = {0, minus, infinity, infinity | minus, infinity | (uint64_t)1 << (m - 1), bias << m};
    return exponent % 8 < 6 ? table[exponent % 8] : sign | (bias - 2 + r % 5) << m | low;
}

static uint64_t integer_bits(weft_dtype dtype, const char *kind, uint64_t *state)
{
    const uint64_t r = draw(state), r2 = draw(state);
    if (dtype == WEFT_BOOL)
        return r & 1;
    if (strcmp(kind, "any") == 0)
        return r << 32 ^ r2;
    return r % 100 - (dtype != WEFT_U8 && r2 & 1 ? 50 : 0);
}

static weft_tensor *make(weft_ctx *c, weft_dtype dtype, const char *kind, uint64_t seed, const int64_t *shape, int ndim)
{
    const size_t size = weft_dtype_size(dtype);
    const format_kind f = kind_of(dtype);
    uint64_t state = seed * 0x9E3779B97F4A7C15u + 1;
    size_t count = 1;
    for (int d = 0; d < ndim; d++)
        count *= (size_t)shape[d];
    unsigned char *data = malloc(count * size + 1);
    for (int k = 0; k < 4; k++)
        (void)draw(&state);
    for (size_t k = 0; data && k < count; k++) {
        const uint64_t bits = f.exponent ? float_bits(&f, kind, &state) : integer_bits(dtype, kind, &state);
        memcpy(data + k * size, &bits, size); /* little-endian */
    }
    weft_tensor *t = weft_from_data(c, dtype, shape, ndim, data);
    free(data);
    return t;
}

/* ---- The file ---- */

static uint64_t fnv(const char *text)
{
    uint64_t h = 0xCBF29CE484222325u;
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 0x100000001B3u;
    return h;
}

/* text as the file has it. */
static void as_in_file(const char *text, char *out, size_t size)
{
    enum { LONGEST = 160 };
    size_t used = 0;
    if (strlen(text) > LONGEST) {
        snprintf(out, size, "#%016" PRIx64 " %zu", fnv(text), strlen(text));
        return;
    }
    for (; *text && used + 3 < size; text++) {
        if (*text == '\n')
            out[used++] = '\\';
        out[used++] = *text == '\n' ? 'n' : *text;
    }
    out[used] = '\0';
}

static bool read_shape(const char *text, int64_t *shape, int *ndim)
{
    *ndim = 0;
    if (strcmp(text, "-") == 0)
        return true;
    for (const char *at = text; at; at = strchr(at, 'x') ? strchr(at, 'x') + 1 : NULL)
        shape[(*ndim)++] = atoll(at);
    return *ndim > 0;
}

static weft_dtype dtype_named(const char *name)
{
    int k = 0;
    while (k < WEFT_DTYPE_COUNT && strcmp(weft_dtype_name((weft_dtype)k), name) != 0)
        k++;
    return (weft_dtype)k;
}

/* A line "DTYPE KIND SEED SHAPE|text". */
static bool check_line(weft_ctx *c, char *line)
{
    char dtype[8], kind[16], shape_text[32], text[60000], got[400];
    uint64_t seed;
    int64_t shape[WEFT_MAX_DIMS];
    int ndim;
    char *want = strchr(line, '|');
    if (!want || sscanf(line, "%7s %15s %" SCNu64 " %31[0-9x-]", dtype, kind, &seed, shape_text) != 4 ||
        !read_shape(shape_text, shape, &ndim) || dtype_named(dtype) == WEFT_DTYPE_COUNT) {
        WEFT_FAIL("cannot be read: %s", line);
        return false;
    }
    const int mark = weft_scope_push(c);
    weft_tensor *t = make(c, dtype_named(dtype), kind, seed, shape, ndim);
    const int64_t length = weft_format(c, t, text, sizeof text);
    as_in_file(text, got, sizeof got);
    const bool same = strcmp(got, want + 1) == 0 && length == (int64_t)strlen(text);
    if (!same && weft_test_failures() < 10)
        WEFT_FAIL("%s:\n%s\n%.400s", line, got, text);
    return weft_scope_pop(c, mark) == WEFT_OK && same;
}

static void check_all(weft_ctx *c)
{
    char path[512], line[1024];
    int lines = 0, wrong = 0;
    snprintf(path, sizeof path, "%s/tests/format/format.txt", WEFT_SOURCE_DIR);
    FILE *file = fopen(path, "r");
    WEFT_REQUIRE(file);
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#')
            continue;
        lines++;
        wrong += !check_line(c, line);
    }
    fclose(file);
    WEFT_CHECK(lines > 6000);
    WEFT_CHECK_EQ_INT(wrong, 0);
}

WEFT_TEST(Format, PrintsWhatNumPyPrints)
{
    weft_ctx *c;
    WEFT_REQUIRE(weft_ctx_open(NULL, &c) == WEFT_OK);
    check_all(c);
    weft_ctx_close(c);
}

/* ---- Digits ---- */

static double value_of(weft_dtype dtype, uint32_t bits)
{
    return dtype == WEFT_F16    ? (double)weft__f16_to_f32((uint16_t)bits)
           : dtype == WEFT_BF16 ? (double)weft__bf16_to_f32((uint16_t)bits)
                                : (double)weft__from_bits_f32(bits);
}

static uint32_t bits_of(weft_dtype dtype, double x)
{
    return dtype == WEFT_F16    ? weft__f16_from_f32(weft__f64_to_f32_odd(x))
           : dtype == WEFT_BF16 ? weft__bf16_from_f32(weft__f64_to_f32_odd(x))
                                : weft__bits_f32((float)x);
}

static double read_back(const weft__digits *d)
{
    char text[40];
    snprintf(text, sizeof text, "0.%se%d", d->text, d->point);
    return strtod(text, NULL);
}

/* The digits give the number back, and one digit less, either way, does not. */
static void check_digits(weft_dtype dtype, uint32_t bits)
{
    const double x = value_of(dtype, bits);
    weft__digits d = weft__digits_of(x, dtype, INT32_MAX, 0, WEFT__MOST_DIGITS);
    if (bits_of(dtype, read_back(&d)) != bits)
        WEFT_FAIL("%s %#x: %.17g is not 0.%se%d", weft_dtype_name(dtype), bits, x, d.text, d.point);
    if (d.n == 1 || weft_test_failures() > 9)
        return;
    d.text[--d.n] = '\0';
    const bool down = bits_of(dtype, read_back(&d)) == bits;
    d.text[d.n - 1]++; /* ':' after a 9 is no digit: its number is shorter still, and was refused with the last one */
    const bool up = d.text[d.n - 1] <= '9' && bits_of(dtype, read_back(&d)) == bits;
    if (down || up)
        WEFT_FAIL("%s %#x: %.17g needs fewer digits", weft_dtype_name(dtype), bits, x);
}

WEFT_TEST(Format, TheFewestDigitsOfEveryHalf)
{
    for (uint32_t bits = 1; bits < 0x7f80; bits++) {
        if (bits < 0x7c00)
            check_digits(WEFT_F16, bits);
        check_digits(WEFT_BF16, bits);
    }
}

WEFT_TEST(Format, TheFewestDigitsOfSomeFloats)
{
    for (uint64_t state = 1, k = 0; k < 50000; k++) {
        const uint64_t r = draw(&state);
        check_digits(WEFT_F32, (uint32_t)(r % 0x7f7fffff + 1));
        check_digits(WEFT_F32, (uint32_t)(r % 254 + 1) << 23); /* powers of two */
    }
}

WEFT_TEST(Format, TheFewestDigitsOfDoubles)
{
    static const struct {
        double x;
        const char *text;
        int point;
    } cases[] = {{5e-324, "5", -323},
                 {1.7976931348623157e308, "17976931348623157", 309},
                 {2.2250738585072014e-308, "22250738585072014", -307},
                 {9007199254740993.0, "9007199254740992", 16},
                 {0.1, "1", 0},
                 {1 / 3.0, "3333333333333333", 0},
                 {5e-324 * 3, "15", -322},
                 {1e23, "1", 24},
                 {9.5, "95", 1},
                 {0x1p-44, "5684341886080802", -13},
                 {0x1p-1022, "22250738585072014", -307},
                 {123456789012345678.0, "12345678901234568", 18}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const weft__digits d = weft__digits_of(cases[k].x, WEFT_F64, INT32_MAX, 0, WEFT__MOST_DIGITS);
        WEFT_CHECK_STR_EQ(d.text, cases[k].text);
        WEFT_CHECK_EQ_INT(d.point, cases[k].point);
    }
    const weft__digits cut = weft__digits_of(99.999999996, WEFT_F64, 8, 0, WEFT__MOST_DIGITS);
    WEFT_CHECK_STR_EQ(cut.text, "1");
    WEFT_CHECK_EQ_INT(cut.point, 3);
    const weft__digits none = weft__digits_of(4e-10, WEFT_F64, 8, 0, WEFT__MOST_DIGITS);
    WEFT_CHECK_STR_EQ(none.text, "0");
}
