#include "common/ticks.h"
#include <math.h>

static double round_step(double range)
{
    double rough = range / 5, power = pow(10, floor(log10(rough)));
    double digit = rough / power;
    if (digit < 1.5)
        return power;
    if (digit < 3.5)
        return 2 * power;
    return digit < 7.5 ? 5 * power : 10 * power;
}

static void fill(ticks *t, double step)
{
    double slack = 1e-9 * step;
    for (double k = ceil((t->lo - slack) / step); k * step <= t->hi + slack && t->n < TICKS; k++)
        t->at[t->n++] = k * step + 0.0; /* not -0 */
}

ticks ticks_inside(double lo, double hi)
{
    ticks t = {.lo = lo, .hi = hi > lo ? hi : lo + 1};
    fill(&t, round_step(t.hi - t.lo));
    return t;
}

ticks ticks_around(double lo, double hi)
{
    double step = round_step(hi > lo ? hi - lo : 1);
    ticks t = {.lo = step * floor(lo / step), .hi = step * ceil(hi / step)};
    if (t.hi <= t.lo)
        t.hi = t.lo + step;
    fill(&t, step);
    return t;
}

/* The largest of 1, 2, 5 times a power of ten that is not above value > 0. */
static double mark_below(double value)
{
    double power = pow(10, floor(log10(value) + 1e-9)), digit = value / power * (1 + 1e-9);
    return digit >= 5 ? 5 * power : digit >= 2 ? 2 * power : power;
}

/* The next one. */
static double mark_above(double mark)
{
    return mark_below(2.51 * mark); /* the factors are 2, 2.5 and 2 */
}

static void fill_log(ticks *t, bool fine, int decades)
{
    double low = floor(log10(t->lo) + 1e-9);
    for (double at = t->lo; at <= t->hi * (1 + 1e-9) && t->n < TICKS; at = mark_above(at)) {
        double decade = log10(at);
        bool whole = fabs(decade - round(decade)) < 1e-6 && (int)round(decade - low) % decades == 0;
        if (fine || whole)
            t->at[t->n++] = at;
    }
}

ticks ticks_log(double lo, double hi)
{
    ticks t = {.lo = mark_below(lo), .hi = mark_below(hi), .log = true};
    if (t.hi < hi * (1 - 1e-9) || t.hi <= t.lo)
        t.hi = mark_above(t.hi);
    double range = log10(t.hi / t.lo);
    fill_log(&t, range < 1.7, 1 + (int)(range / 8));
    return t;
}

double ticks_position(const ticks *t, double value)
{
    if (t->log)
        return log(value / t->lo) / log(t->hi / t->lo);
    return (value - t->lo) / (t->hi - t->lo);
}
