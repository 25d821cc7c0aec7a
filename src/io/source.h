/* source.h - where a file's bytes come from: a path, memory or a callback. */
#ifndef WEFT_IO_SOURCE_H
#define WEFT_IO_SOURCE_H

#include "common.h"

typedef struct weft__source {
    weft_ctx *ctx;
    const char *function; /* the public one, for messages */
    char name[512];       /* of the file, for messages; cut */
    const char *path;     /* the caller's, or NULL */
    int fd;               /* -1: none */
    const unsigned char *bytes;
    bool (*read)(void *user, uint64_t offset, void *to, size_t n);
    void *user;
    uint64_t size;
} weft__source;

/* Everything that fails records a sentence in the context and returns its status. */
weft_status weft__source_open(weft__source *s, weft_ctx *ctx, const char *function, const weft_source *from);
void weft__source_close(weft__source *s);

/* Exactly n bytes from offset on; they must be within the size. */
weft_status weft__source_read(const weft__source *s, uint64_t offset, void *to, size_t n);

/* WEFT_E_IO (or what status says) with "weft_<function>: <name>: " in front. */
weft_status weft__source_fail(const weft__source *s, weft_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Whether [offset, offset + n) is within the size. */
static inline bool weft__source_holds(const weft__source *s, uint64_t offset, uint64_t n)
{
    return offset <= s->size && n <= s->size - offset;
}

#endif
