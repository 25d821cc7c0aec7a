/* work.c - what a launch moves and computes, by the record of its operation. */
#include "ops/work.h"
#include "profile.h"

/* A gradient by the backend's grad[] does as much for each element as the row does; of a callback all that is known is
 * what it is given. */
double weft__launch_bytes(const weft__launch *l)
{
    const weft__work w = weft__launch_work(l);
    return l->custom ? weft__bytes_once(&w) : weft__defs[l->op]->bytes(&w);
}

double weft__launch_flops(const weft__launch *l)
{
    const weft__work w = weft__launch_work(l);
    return l->custom ? weft__flops_each(&w) : weft__defs[l->op]->flops(&w);
}
