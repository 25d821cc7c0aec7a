/* source.c - see source.h. A file is opened without waiting and read with pread: a FIFO cannot hang the caller, and a
 * file that shrinks meanwhile is an error, where a mapping would end the process. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weft/text.h>

enum { MOST_AT_ONCE = 1 << 30 }; /* Linux reads at most 2^31 - 4096 bytes at once */

weft_status weft__source_fail(const weft__source *s, weft_status status, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    weft_text_list(text, sizeof text, format, args);
    va_end(args);
    return weft_ctx_fail(s->ctx, status, "weft_%s: %s: %s", s->function, s->name, text);
}

static const char *kind_of(mode_t mode)
{
    return S_ISDIR(mode) ? "a folder" : S_ISFIFO(mode) ? "a FIFO or pipe" : S_ISSOCK(mode) ? "a socket" : "a device";
}

static weft_status open_path(weft__source *s, const char *path)
{
    struct stat st;
    s->fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (s->fd < 0 || fstat(s->fd, &st) != 0)
        return weft__source_fail(s, WEFT_E_IO, "%s", strerror(errno));
    if (!S_ISREG(st.st_mode))
        return weft__source_fail(
            s, WEFT_E_IO,
            "it is no ordinary file but %s: read it into memory, and give weft_load the bytes, or a "
            "callback that reads them",
            kind_of(st.st_mode));
    s->size = (uint64_t)st.st_size;
    return WEFT_OK;
}

static weft_status check(const weft__source *s, const weft_source *from)
{
    const int given = (from->path != NULL) + (from->bytes != NULL) + (from->read != NULL);
    if (given != 1)
        return weft_ctx_fail(s->ctx, given ? WEFT_E_INVALID : WEFT_E_NULL_ARGUMENT,
                             "weft_%s: exactly one of path, bytes and read of the weft_source must be given, not %d",
                             s->function, given);
    if (from->bytes && from->size > PTRDIFF_MAX)
        return weft_ctx_fail(s->ctx, WEFT_E_INVALID,
                             "weft_%s: the source's size, %llu bytes, is more than memory can be", s->function,
                             (unsigned long long)from->size);
    return WEFT_OK;
}

weft_status weft__source_open(weft__source *s, weft_ctx *ctx, const char *function, const weft_source *given)
{
    static const weft_source defaults = WEFT_SOURCE_DEFAULTS;
    weft_source known;
    const weft_source *from = &known;
    *s = (weft__source){.ctx = ctx, .function = function, .fd = -1};
    weft_status status = weft_struct_in(ctx, function, "weft_source", &defaults, given, &known);
    if (status == WEFT_OK)
        status = check(s, from);
    if (status != WEFT_OK)
        return status;
    weft_text(s->name, sizeof s->name, "%s",
              from->name   ? from->name
              : from->path ? from->path
              : from->read ? "callback"
                           : "memory");
    s->path = from->path;
    if (from->path) {
        status = open_path(s, from->path);
        if (status != WEFT_OK)
            weft__source_close(s);
        return status;
    }
    s->bytes = from->bytes;
    s->read = from->read;
    s->user = from->user;
    s->size = from->size;
    return WEFT_OK;
}

void weft__source_close(weft__source *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

static weft_status read_file(const weft__source *s, uint64_t offset, unsigned char *to, size_t n)
{
    while (n > 0) {
        const ssize_t got = pread(s->fd, to, n < MOST_AT_ONCE ? n : MOST_AT_ONCE, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return weft__source_fail(s, WEFT_E_IO, "reading failed: %s", strerror(errno));
        if (got == 0)
            return weft__source_fail(s, WEFT_E_IO, "it became shorter while it was read");
        to += got;
        offset += (uint64_t)got;
        n -= (size_t)got;
    }
    return WEFT_OK;
}

weft_status weft__source_read(const weft__source *s, uint64_t offset, void *to, size_t n)
{
    if (n == 0)
        return WEFT_OK;
    if (!weft__source_holds(s, offset, n))
        return weft__source_fail(s, WEFT_E_IO, "it ends before byte %llu", (unsigned long long)(offset + n));
    if (s->bytes) {
        memcpy(to, s->bytes + offset, n);
        return WEFT_OK;
    }
    if (!s->read)
        return read_file(s, offset, to, n);
    const uint64_t call = weft_callback_begin(s->ctx, "a callback that reads a file", false);
    const bool done = call && s->read(s->user, offset, to, n);
    if (!call || !weft_callback_end(s->ctx, s->function, call))
        return WEFT_E_STATE;
    if (done)
        return weft_ctx_status(s->ctx); /* what the callback itself has done with it */
    return weft__source_fail(s, WEFT_E_CALLBACK, "the callback could not read %zu bytes at %llu", n,
                             (unsigned long long)offset);
}
