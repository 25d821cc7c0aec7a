/* sum.h - the gradient of one tensor while a pass gathers it from the tensor's uses (struct weft__sum, engine.h).
 *
 * A single gradient is passed on as it is. From the second on, they are added in place to a buffer that nobody else
 * sees: in f32 for half types, so that many uses do not stop at 256, rounded once when the sum is complete. The
 * gradient of a slice is added to its place in that buffer, so that n slices of a tensor cost what they hold, not n
 * whole tensors.
 *
 * A pass that is recorded changes nothing in place: its sums are operations of the graph, and slices wait until the sum
 * is complete; then those that do not overlap are joined by one weft_concat. */
#ifndef WEFT_AUTOGRAD_SUM_H
#define WEFT_AUTOGRAD_SUM_H

#include "ops/vjp.h"

/* Begins the gathering for t, which the calls below are given again. walk: the pass. */
static inline void weft__sum_begin(weft__sum *s, const weft_tensor *t, const void *walk)
{
    *s = (weft__sum){.walk = walk, .dtype = t->a.dtype, .begun = true};
}

/* Adds g, of t's shape or of one that t broadcasts to. */
void weft__sum_add_more(weft__sum *s, const weft_tensor *t, weft_tensor *g, bool record);

static inline void weft__sum_add(weft__sum *s, const weft_tensor *t, weft_tensor *g, bool record)
{
    if (s->whole || g->a.dtype != s->dtype || !weft__same_shape(&g->a, &t->a)) {
        weft__sum_add_more(s, t, g, record);
        return;
    }
    weft__ref(g); /* the first, and mostly the only one */
    s->whole = g;
}

/* Adds g at a place of what views[n-1] of t, ... views[0] of the result of views[1] shows, which has sliced's
 * shape; n 0: of t itself. False: in the buffer that is no view (or an error); nothing was added. Not for a pass
 * that is recorded. */
bool weft__sum_add_part(weft__sum *s, const weft_tensor *t, weft__node *const *views, int n, const weft_tensor *sliced,
                        const weft__place *place, weft_tensor *g);

/* The same for one that is: at a place of t itself. */
void weft__sum_note_part(weft__sum *s, const weft_tensor *t, const weft__place *place, weft_tensor *g);

/* Ends the gathering: the gradient in the tensor's dtype, a reference of the caller's; s is empty. NULL after an
 * error. */
weft_tensor *weft__sum_finish(weft_ctx *ctx, weft__sum *s);

static inline weft_tensor *weft__sum_take(weft_ctx *ctx, weft__sum *s)
{
    weft_tensor *g = s->whole;
    if (!g || s->parts || g->a.dtype != s->dtype)
        return weft__sum_finish(ctx, s);
    s->whole = NULL;
    s->begun = false;
    return g;
}

void weft__sum_drop(weft_ctx *ctx, weft__sum *s);

/* Is whoever holds t the only one who sees its memory, so that it may be changed in place? */
bool weft__is_own(const weft_tensor *t);

#endif
