/* list.c - which entries of a list of parameters were there before. */
#include <stdlib.h>
#include "list.h"

typedef struct place {
    const weft_tensor *t;
    int at;
} place;

static int by_tensor(const void *a, const void *b)
{
    const place *x = a, *y = b;
    if (x->t != y->t)
        return x->t < y->t ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* Fills first[n]: where each entry is in params for the first time. */
static bool find_first(weft_ctx *ctx, weft_tensor *const *params, int n, int *first)
{
    const size_t bytes = sizeof(place) * (size_t)n;
    place *sorted = weft_ctx_alloc(ctx, bytes);
    if (!sorted)
        return false;
    for (int k = 0; k < n; k++)
        sorted[k] = (place){params[k], k};
    qsort(sorted, (size_t)n, sizeof *sorted, by_tensor);
    for (int k = 0; k < n; k++)
        first[sorted[k].at] = k > 0 && sorted[k].t == sorted[k - 1].t ? first[sorted[k - 1].at] : sorted[k].at;
    weft_ctx_free(ctx, sorted, bytes);
    return true;
}

int weft__first_repeated(weft_ctx *ctx, weft_tensor *const *params, int n, int *before)
{
    const size_t bytes = sizeof(int) * (size_t)n;
    int *first = weft_ctx_alloc(ctx, bytes), found = -1;
    if (!first || !find_first(ctx, params, n, first))
        found = -2;
    for (int k = 0; k < n && found == -1; k++) {
        if (first[k] != k) {
            found = k;
            *before = first[k];
        }
    }
    weft_ctx_free(ctx, first, bytes);
    return found;
}

int weft__distinct(weft_ctx *ctx, weft_tensor *const *params, int n, weft_tensor **distinct)
{
    const size_t bytes = sizeof(int) * (size_t)n;
    int *first = weft_ctx_alloc(ctx, bytes), count = 0;
    if (!first || !find_first(ctx, params, n, first))
        count = -1;
    for (int k = 0; k < n && count >= 0; k++)
        if (first[k] == k)
            distinct[count++] = params[k];
    weft_ctx_free(ctx, first, bytes);
    return count;
}
