/* timeline.c - when a device did what the host queued for it. Every launch lies between two marks in the device's
 * queue. They are read half a ring late, when the device has long passed them, so that the host does not wait for
 * it. */
#include "profile.h"

enum { SLOTS = 2 * WEFT__HALF, ANCHOR = 2 * SLOTS, MARKS };

static int first_mark(int64_t launch)
{
    return 2 * (int)(launch % SLOTS);
}

/* What was measured so far stays. */
static void give_up(weft__profile *p, const char *what)
{
    const char *why = p->ctx->backend->message ? p->ctx->backend->message(p->ctx->device) : NULL;
    weft__log(p->ctx, WEFT_LOG_LEVEL_WARNING, "the profile lacks the rest of the device's times: %s", why ? why : what);
    weft__timeline_close(p);
}

static bool mark(weft__profile *p, int number)
{
    weft__timeline *t = &p->timeline;
    if (p->ctx->backend->clock_mark(t->clock, number) == WEFT_OK)
        return true;
    give_up(p, "its clock failed");
    return false;
}

/* Both clocks at one point: the device idles, so it reaches the anchor while the host waits for it. */
static bool align(weft__profile *p)
{
    weft__timeline *t = &p->timeline;
    const weft__backend *b = p->ctx->backend;
    double zero;
    if (b->synchronize(p->ctx->device) != WEFT_OK)
        return false;
    const double before = weft__profile_now();
    if (b->clock_mark(t->clock, ANCHOR) != WEFT_OK || b->clock_between(t->clock, ANCHOR, ANCHOR, &zero) != WEFT_OK)
        return false;
    t->base = (before + weft__profile_now()) / 2 - p->begun;
    t->base_mark = ANCHOR;
    return true;
}

bool weft__timeline_open(weft__profile *p)
{
    weft__timeline *t = &p->timeline;
    const weft__backend *b = p->ctx->backend;
    if (!b->clock_open)
        return true;
    t->clock = b->clock_open(p->ctx->device, MARKS);
    if (t->clock && align(p))
        return true;
    weft__fail_device(p->ctx, "profile_begin", WEFT_E_DEVICE, "the device's clock cannot be had");
    weft__timeline_close(p);
    return false;
}

/* Later times are counted from this mark, which the device has reached or is about to. */
static bool rebase(weft__profile *p, int to)
{
    weft__timeline *t = &p->timeline;
    double ahead;
    if (p->ctx->backend->clock_between(t->clock, t->base_mark, to, &ahead) != WEFT_OK)
        return false;
    t->base += ahead;
    t->base_mark = to;
    return true;
}

static bool settle_launch(weft__profile *p, int64_t launch)
{
    weft__timeline *t = &p->timeline;
    const int start = first_mark(launch);
    const int64_t event = t->waiting[launch % SLOTS].event;
    double seconds;
    if (p->ctx->backend->clock_between(t->clock, start, start + 1, &seconds) != WEFT_OK || !rebase(p, start))
        return false;
    weft__profile_measured(p, t->waiting[launch % SLOTS].row, seconds);
    if (event >= 0) {
        p->events[event].start = t->base;
        p->events[event].seconds = seconds;
    }
    return true;
}

/* The oldest half, or what there is of it. Its marks may be set again afterwards, so the base moves on to the next
 * half. */
static bool settle_half(weft__profile *p)
{
    weft__timeline *t = &p->timeline;
    const int64_t left = t->marked - t->settled, n = left < WEFT__HALF ? left : WEFT__HALF;
    for (int64_t k = 0; k < n; k++)
        if (!settle_launch(p, t->settled + k))
            return false;
    t->settled += n;
    return t->marked == t->settled || rebase(p, first_mark(t->settled));
}

void weft__timeline_make_room(weft__profile *p)
{
    const weft__timeline *t = &p->timeline;
    const bool full = t->marked - t->settled == SLOTS - 1; /* one slot keeps the mark of the base */
    if (t->clock && full && !settle_half(p))
        give_up(p, "its clock failed");
}

bool weft__timeline_start(weft__profile *p)
{
    return p->timeline.clock && mark(p, first_mark(p->timeline.marked));
}

void weft__timeline_end(weft__profile *p, weft_profile_op *row, int64_t event)
{
    weft__timeline *t = &p->timeline;
    if (!t->clock || !mark(p, first_mark(t->marked) + 1))
        return;
    t->waiting[t->marked % SLOTS].row = row;
    t->waiting[t->marked % SLOTS].event = event;
    t->marked++;
}

void weft__timeline_settle(weft__profile *p)
{
    weft__timeline *t = &p->timeline;
    while (t->clock && t->settled < t->marked)
        if (!settle_half(p))
            give_up(p, "its clock failed");
}

void weft__timeline_close(weft__profile *p)
{
    if (p->timeline.clock)
        p->ctx->backend->clock_close(p->timeline.clock);
    p->timeline.clock = NULL;
}
