/* list.h - which entries of a list of parameters were there before. */
#ifndef WEFT_OPTIM_LIST_H
#define WEFT_OPTIM_LIST_H

#define WEFT_NO_CALL_SITES
#include <weft/extend.h>

/* The first entry of params that was there before, and where; -1: there is none. -2: out of memory, recorded. */
int weft__first_repeated(weft_ctx *ctx, weft_tensor *const *params, int n, int *before);

/* Copies params to distinct without what was there before, in their order. Returns their number; -1: out of memory,
 * recorded. */
int weft__distinct(weft_ctx *ctx, weft_tensor *const *params, int n, weft_tensor **distinct);

#endif
