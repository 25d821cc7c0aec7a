/* named.c - lists of named tensors: one block, its size, the items, then the names. */
#include "named.h"

#include <string.h>

enum { HEAD = 64 };

weft_named_tensor *weft__named_make(const weft__catalogue *c, weft__entry *const *entries, size_t n,
                                    weft_status *status)
{
    size_t bytes = HEAD + n * sizeof(weft_named_tensor);
    for (size_t k = 0; k < n; k++)
        bytes += strlen(entries[k]->name) + 1;
    unsigned char *block = weft__take(c->ctx, bytes, status);
    if (!block)
        return NULL;
    memcpy(block, &bytes, sizeof bytes);
    weft_named_tensor *list = (weft_named_tensor *)(void *)(block + HEAD);
    char *names = (char *)(list + n);
    for (size_t k = 0; k < n; k++) {
        const size_t length = strlen(entries[k]->name) + 1;
        memcpy(names, entries[k]->name, length);
        list[k] = (weft_named_tensor){names, NULL};
        names += length;
    }
    return list;
}

void weft_named_free(weft_ctx *ctx, weft_named_tensor *tensors, int n)
{
    size_t bytes;
    (void)n; /* the block knows */
    if (!ctx || !tensors)
        return;
    unsigned char *block = (unsigned char *)tensors - HEAD;
    memcpy(&bytes, block, sizeof bytes);
    weft_ctx_free(ctx, block, bytes);
}

weft_tensor *weft_named(const weft_named_tensor *tensors, int n, const char *name)
{
    for (int k = 0; tensors && name && k < n; k++)
        if (tensors[k].name && strcmp(tensors[k].name, name) == 0)
            return tensors[k].tensor;
    return NULL;
}
