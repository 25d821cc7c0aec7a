/* digits.c - see digits.h. The number is a fraction of two whole numbers of any length; each digit is what the division
 * gives next, until what is left lies within half the distance to the number's neighbours. */
#include "base/digits.h"
#include <math.h>
#include <string.h>

/* ---- Whole numbers of any length: what an f64 and its powers of ten need, 2^1076 and factors ---- */

enum { WORDS = 40 };

typedef struct whole {
    int n; /* words in use; the last is not 0 */
    uint32_t w[WORDS];
} whole;

static whole whole_of(uint64_t x)
{
    whole a = {.n = 0};
    for (; x; x >>= 32)
        a.w[a.n++] = (uint32_t)x;
    return a;
}

static void times(whole *a, uint32_t factor)
{
    uint64_t carry = 0;
    for (int k = 0; k < a->n; k++) {
        carry += (uint64_t)a->w[k] * factor;
        a->w[k] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry)
        a->w[a->n++] = (uint32_t)carry;
}

static void times_power_of_ten(whole *a, int power)
{
    for (; power >= 9; power -= 9)
        times(a, 1000000000u);
    for (; power > 0; power--)
        times(a, 10);
}

static void shift(whole *a, int bits)
{
    for (; bits >= 31; bits -= 31)
        times(a, 1u << 31);
    times(a, 1u << bits);
}

static int compare(const whole *a, const whole *b)
{
    if (a->n != b->n)
        return a->n < b->n ? -1 : 1;
    for (int k = a->n; k-- > 0;)
        if (a->w[k] != b->w[k])
            return a->w[k] < b->w[k] ? -1 : 1;
    return 0;
}

/* a + b against c */
static int compare_sum(const whole *a, const whole *b, const whole *c)
{
    whole sum = a->n > b->n ? *a : *b;
    const whole *other = a->n > b->n ? b : a;
    uint64_t carry = 0;
    for (int k = 0; k < sum.n && (k < other->n || carry); k++) {
        carry += (uint64_t)sum.w[k] + (k < other->n ? other->w[k] : 0);
        sum.w[k] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry)
        sum.w[sum.n++] = (uint32_t)carry;
    return compare(&sum, c);
}

/* a -= b <= a */
static void subtract(whole *a, const whole *b)
{
    int64_t borrow = 0;
    for (int k = 0; k < a->n; k++) {
        borrow += (int64_t)a->w[k] - (k < b->n ? b->w[k] : 0);
        a->w[k] = (uint32_t)borrow;
        borrow >>= 32;
    }
    while (a->n > 0 && a->w[a->n - 1] == 0)
        a->n--;
}

/* ---- The number ---- */

typedef struct format {
    int bits;  /* of the mantissa, the leading one included */
    int least; /* exponent of the last place of a denormal */
} format;

static format format_of(weft_dtype dtype)
{
    switch (dtype) {
    case WEFT_F16:
        return (format){11, -24};
    case WEFT_BF16:
        return (format){8, -133};
    case WEFT_F32:
        return (format){24, -149};
    default:
        return (format){53, -1074};
    }
}

/* x = value / scale; the middles between x and its neighbours are `below` and `above` away, in the same unit. */
typedef struct fraction {
    whole value, scale, below, above;
    bool even; /* the middles read back as x */
} fraction;

static fraction fraction_of(double x, weft_dtype dtype)
{
    const format f = format_of(dtype);
    int exponent;
    const double part = frexp(x, &exponent); /* [1/2, 1) */
    int last = exponent - f.bits;
    last = last < f.least ? f.least : last;
    const uint64_t mantissa = (uint64_t)ldexp(part, exponent - last);
    /* Below a power of two the neighbour is only half as far. */
    const bool near = mantissa == (uint64_t)1 << (f.bits - 1) && last > f.least;
    fraction r = {.value = whole_of(mantissa), .scale = whole_of(1), .even = mantissa % 2 == 0};
    r.below = whole_of(1);
    r.above = whole_of(near ? 2 : 1);
    const int unit = near ? 2 : 1; /* below is 2^(last - unit) */
    shift(&r.value, unit);
    shift(&r.scale, unit);
    if (last > 0) {
        shift(&r.value, last);
        shift(&r.below, last);
        shift(&r.above, last);
    } else {
        shift(&r.scale, -last);
    }
    return r;
}

/* Divides by a power of ten, so that the value lies in [1/10, 1). Returns that power. */
static int normalise(fraction *r, double x)
{
    int exponent;
    (void)frexp(x, &exponent); /* x < 2^exponent */
    int point = (int)floor((exponent - 1) * 0.30102999566398120) + 1;
    if (point > 0) {
        times_power_of_ten(&r->scale, point);
    } else {
        times_power_of_ten(&r->value, -point);
        times_power_of_ten(&r->below, -point);
        times_power_of_ten(&r->above, -point);
    }
    if (compare(&r->value, &r->scale) >= 0) { /* the estimate may be one too low */
        times(&r->scale, 10);
        point++;
    }
    return point;
}

static int next_digit(fraction *r)
{
    int digit = 0;
    times(&r->value, 10);
    times(&r->below, 10);
    times(&r->above, 10);
    for (; compare(&r->value, &r->scale) >= 0; digit++)
        subtract(&r->value, &r->scale);
    return digit;
}

/* Adds one in the last place. */
static void round_up(weft__digits *d)
{
    while (d->n > 0 && d->text[d->n - 1] == '9')
        d->n--;
    if (d->n > 0) {
        d->text[d->n - 1]++;
        return;
    }
    d->text[d->n++] = '1';
    d->point++;
}

static void strip_zeros(weft__digits *d)
{
    while (d->n > 0 && d->text[d->n - 1] == '0')
        d->n--;
    if (d->n == 0) {
        d->text[d->n++] = '0';
        d->point = 1;
    }
    d->text[d->n] = '\0';
}

weft__digits weft__digits_of(double x, weft_dtype dtype, int decimals, int least, int most)
{
    weft__digits d = {.point = 1};
    x = fabs(x);
    if (x == 0) {
        strip_zeros(&d);
        return d;
    }
    fraction r = fraction_of(x, dtype);
    d.point = normalise(&r, x);
    most = most < WEFT__MOST_DIGITS ? most : WEFT__MOST_DIGITS;
    most = decimals < most - d.point ? d.point + decimals : most; /* digits up to the last place */
    bool down = false, up = false;
    while (d.n < most && ((!down && !up) || d.n < least)) {
        d.text[d.n++] = (char)('0' + next_digit(&r));
        const int low = compare(&r.value, &r.below), high = compare_sum(&r.value, &r.above, &r.scale);
        down = r.even ? low <= 0 : low < 0;
        up = r.even ? high >= 0 : high > 0;
    }
    if (down == up && most >= 0) { /* both will do, or the last place is reached: the nearer one, half to even */
        const int half = compare_sum(&r.value, &r.value, &r.scale);
        up = half > 0 || (half == 0 && d.n > 0 && (d.text[d.n - 1] - '0') % 2 != 0);
    }
    if (up)
        round_up(&d);
    strip_zeros(&d);
    return d;
}
