/* file.h - whole files in memory, and lists of named tensors that grow. */
#ifndef WEFT_IO_FILE_H
#define WEFT_IO_FILE_H

#ifndef WEFT_NO_CALL_SITES
#define WEFT_NO_CALL_SITES
#endif
#include <weft/io.h>

typedef struct weft__file {
    unsigned char *bytes;
    size_t size;
} weft__file;

/* function: the public one, for messages. False: error recorded. */
bool weft__file_read(weft_ctx *ctx, const char *function, const char *path, weft__file *file);
void weft__file_drop(weft_ctx *ctx, weft__file *file);

typedef struct weft__list {
    weft_ctx *ctx;
    weft_named_tensor *items;
    int n, room;
} weft__list;

/* Adds t under a copy of name (length bytes). False: out of memory, recorded. */
bool weft__list_add(weft__list *list, const char *name, size_t length, weft_tensor *t);

/* A name that occurs twice, or NULL. */
const char *weft__list_twice(const weft__list *list);

static inline uint64_t weft__little(const unsigned char *p, int bytes)
{
    uint64_t x = 0;
    for (int k = bytes - 1; k >= 0; k--)
        x = x << 8 | p[k];
    return x;
}

#endif
