/* wolfe.c - a search along a line for a step that fulfils the strong Wolfe conditions: first a bracket, then its
 * halves. */
#include "wolfe.h"

#define DECREASE 1e-4
#define CURVATURE 0.9

/* The minimum of the cubic through two points with their slopes, within [low, high]; the middle where there is none. */
static double cubic(const weft__point *a, const weft__point *b, double low, double high)
{
    const double d1 = a->slope + b->slope - 3 * (a->loss - b->loss) / (a->t - b->t);
    const double square = d1 * d1 - a->slope * b->slope;
    if (!(square >= 0))
        return (low + high) / 2;
    const double d2 = sqrt(square);
    const double t = a->t <= b->t ? b->t - (b->t - a->t) * ((b->slope + d2 - d1) / (b->slope - a->slope + 2 * d2))
                                  : a->t - (a->t - b->t) * ((a->slope + d2 - d1) / (a->slope - b->slope + 2 * d2));
    return fmin(fmax(t, low), high);
}

static void put(weft__point *to, const weft__point *from)
{
    weft_copy_(to->gradient, from->gradient);
    *to = (weft__point){from->t, from->loss, from->slope, to->gradient};
}

typedef struct bracket {
    weft__search *s;
    weft__point start, end[2], next; /* end: one point, found, or two around it */
    int tries, most, low;            /* low: which end has the lower loss */
    bool found;
} bracket;

static bool too_high(const bracket *b)
{
    return b->next.loss > b->start.loss + DECREASE * b->next.t * b->start.slope;
}

static bool flat_enough(const bracket *b)
{
    return fabs(b->next.slope) <= -CURVATURE * b->start.slope;
}

/* Longer steps until the minimum lies between two. end[0] is the last point, next the newest. */
static bool widen(bracket *b)
{
    put(&b->end[0], &b->start);
    while (b->tries < b->most) {
        const bool beyond = too_high(b) || (b->tries > 1 && b->next.loss >= b->end[0].loss);
        if (!beyond && flat_enough(b)) {
            put(&b->end[0], &b->next);
            b->found = true;
            return true;
        }
        if (beyond || b->next.slope >= 0)
            break;
        const double t = b->next.t;
        const double further = cubic(&b->end[0], &b->next, t + 0.01 * (t - b->end[0].t), t * 10);
        put(&b->end[0], &b->next);
        if (!weft__evaluate(b->s, further, &b->next))
            return false;
        b->tries++;
    }
    if (b->tries == b->most)
        put(&b->end[0], &b->start);
    put(&b->end[1], &b->next);
    b->low = b->end[0].loss <= b->end[1].loss ? 0 : 1;
    return true;
}

/* A place in the bracket, not too near to its ends twice in a row. */
static double inner(const bracket *b, bool *slow)
{
    const double low = fmin(b->end[0].t, b->end[1].t), high = fmax(b->end[0].t, b->end[1].t),
                 margin = 0.1 * (high - low);
    const double t = cubic(&b->end[0], &b->end[1], low, high);
    if (!(fmin(high - t, t - low) < margin)) {
        *slow = false;
        return t;
    }
    if (!*slow && t < high && t > low) {
        *slow = true;
        return t;
    }
    *slow = false;
    return fabs(t - high) < fabs(t - low) ? high - margin : low + margin;
}

static bool narrow(bracket *b, double reach, double tolerance_change)
{
    bool slow = false;
    while (!b->found && b->tries < b->most && !(fabs(b->end[1].t - b->end[0].t) * reach < tolerance_change)) {
        if (!weft__evaluate(b->s, inner(b, &slow), &b->next))
            return false;
        b->tries++;
        weft__point *low = &b->end[b->low], *high = &b->end[1 - b->low];
        if (too_high(b) || b->next.loss >= low->loss) {
            put(high, &b->next);
            b->low = b->end[0].loss <= b->end[1].loss ? 0 : 1;
            continue;
        }
        if (flat_enough(b))
            b->found = true;
        else if (b->next.slope * (high->t - low->t) >= 0)
            put(high, low);
        put(low, &b->next);
    }
    return true;
}

bool weft__strong_wolfe(weft__search *s, double t, weft__point *now, double tolerance_change, int most)
{
    weft_ctx *ctx = s->o->ctx;
    const int mark = weft_scope_push(ctx);
    bracket b = {.s = s, .most = most, .start = *now};
    b.end[0].gradient = weft_zeros_like(now->gradient);
    b.end[1].gradient = weft_zeros_like(now->gradient);
    b.next.gradient = weft_zeros_like(now->gradient);
    const double reach = weft__largest(ctx, s->direction);
    if (weft__evaluate(s, t, &b.next) && widen(&b) && narrow(&b, reach, tolerance_change))
        put(now, &b.end[b.low]);
    return weft_scope_pop(ctx, mark) == WEFT_OK;
}
