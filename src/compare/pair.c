/* pair.c - calls of the program's callbacks by functions that work on two contexts: see engine/callback.c. */
#include "lockstep.h"

bool weft__pair_ready(weft_ctx *reference, weft_ctx *other, const char *function)
{
    weft_ctx *const both[] = {reference, other};
    for (int k = 0; k < 2; k++)
        if (both[k]->status != WEFT_OK || (both[k]->n_callbacks && !weft__may_enter(both[k], function)))
            return false;
    return true;
}

bool weft__pair_begins(weft__pair *pair, weft_ctx *reference, weft_ctx *other, const char *name)
{
    *pair = (weft__pair){.reference = reference, .other = other};
    if (!(pair->in_reference = weft__call_begins(reference, name, true)))
        return false;
    if ((pair->in_other = weft__call_begins(other, name, true)))
        return true;
    weft__call_ends(reference, "lockstep", pair->in_reference);
    return false;
}

void weft__pair_ends(const weft__pair *pair)
{
    weft__call_ends(pair->other, "lockstep", pair->in_other);
    weft__call_ends(pair->reference, "lockstep", pair->in_reference);
}
