/* file.c - see file.h. */
#include "file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool fail(weft_ctx *ctx, const char *function, const char *path, const char *what)
{
    weft_ctx_fail(ctx, WEFT_E_IO, "weft_%s: %s: %s", function, path, what);
    return false;
}

/* The size of a file that can be sought in, or -1. */
static long size_of(FILE *f)
{
    if (fseek(f, 0, SEEK_END) != 0)
        return -1;
    const long size = ftell(f);
    return fseek(f, 0, SEEK_SET) == 0 ? size : -1;
}

bool weft__file_read(weft_ctx *ctx, const char *function, const char *path, weft__file *file)
{
    *file = (weft__file){NULL, 0};
    FILE *f = fopen(path, "rb");
    if (!f)
        return fail(ctx, function, path, strerror(errno));
    const long size = size_of(f);
    if (size < 0 || size == LONG_MAX) {
        fclose(f);
        return fail(ctx, function, path, "it is no ordinary file");
    }
    file->size = (size_t)size;
    file->bytes = weft_ctx_alloc(ctx, file->size + 1);
    const bool whole = file->bytes && fread(file->bytes, 1, file->size, f) == file->size;
    fclose(f);
    if (whole)
        return true;
    const bool taken = file->bytes != NULL;
    weft__file_drop(ctx, file);
    return taken ? fail(ctx, function, path, "it could not be read to its end") : false;
}

void weft__file_drop(weft_ctx *ctx, weft__file *file)
{
    weft_ctx_free(ctx, file->bytes, file->bytes ? file->size + 1 : 0);
    file->bytes = NULL;
}

/* ---- Lists: one block of pointers whose size is a power of two, and a block for each name ---- */

static size_t block_bytes(int room)
{
    return sizeof(weft_named_tensor) * (size_t)room;
}

static int room_for(int n)
{
    int room = 8;
    while (room < n)
        room *= 2;
    return room;
}

bool weft__list_add(weft__list *list, const char *name, size_t length, weft_tensor *t)
{
    if (list->n == list->room) {
        const int room = room_for(list->n + 1);
        weft_named_tensor *more = weft_ctx_alloc(list->ctx, block_bytes(room));
        if (!more)
            return false;
        if (list->n)
            memcpy(more, list->items, block_bytes(list->n));
        weft_ctx_free(list->ctx, list->items, block_bytes(list->room));
        list->items = more;
        list->room = room;
    }
    char *copy = weft_ctx_alloc(list->ctx, length + 1);
    if (!copy)
        return false;
    memcpy(copy, name, length);
    copy[length] = '\0';
    list->items[list->n++] = (weft_named_tensor){copy, t};
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const weft_named_tensor *)a)->name, ((const weft_named_tensor *)b)->name);
}

const char *weft__list_twice(const weft__list *list)
{
    const char *twice = NULL;
    if (list->n < 2)
        return NULL;
    weft_named_tensor *sorted = weft_ctx_alloc(list->ctx, block_bytes(list->n));
    if (!sorted)
        return NULL;
    memcpy(sorted, list->items, block_bytes(list->n));
    qsort(sorted, (size_t)list->n, sizeof *sorted, by_name);
    for (int k = 1; k < list->n && !twice; k++)
        if (strcmp(sorted[k - 1].name, sorted[k].name) == 0)
            twice = sorted[k].name;
    weft_ctx_free(list->ctx, sorted, block_bytes(list->n));
    return twice;
}

void weft_named_free(weft_ctx *ctx, weft_named_tensor *tensors, int n)
{
    if (!ctx || !tensors)
        return;
    for (int k = 0; k < n; k++) {
        char *name = (char *)(uintptr_t)tensors[k].name; /* ours, made by weft__list_add */
        weft_ctx_free(ctx, name, strlen(name) + 1);
    }
    weft_ctx_free(ctx, tensors, block_bytes(room_for(n)));
}

weft_tensor *weft_named(const weft_named_tensor *tensors, int n, const char *name)
{
    for (int k = 0; tensors && name && k < n; k++)
        if (strcmp(tensors[k].name, name) == 0)
            return tensors[k].tensor;
    return NULL;
}
