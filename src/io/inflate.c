/* inflate.c - see inflate.h. zlib is opened at run time, so that the library needs nothing to link. What is used of its
 * interface (zlib.h) has not changed since 1995 and is declared here. */
#include "inflate.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

enum { Z_OK = 0, Z_STREAM_END = 1, Z_MEM_ERROR = -4, Z_BUF_ERROR = -5, Z_NO_FLUSH = 0, RAW_DEFLATE = -15, HEAD = 64 };

static struct {
    int (*init)(weft__z_stream *s, int window_bits, const char *version, int stream_size);
    int (*run)(weft__z_stream *s, int flush);
    int (*end)(weft__z_stream *s);
} zlib;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void find(void *library, const char *name, void *function)
{
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, sizeof symbol); /* POSIX gives functions as object pointers */
}

static void open_zlib(void)
{
    void *library = dlopen("libz.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return;
    find(library, "inflateInit2_", &zlib.init);
    find(library, "inflate", &zlib.run);
    find(library, "inflateEnd", &zlib.end);
}

bool weft__inflate_here(void)
{
    pthread_once(&once, open_zlib);
    return zlib.init && zlib.run && zlib.end;
}

/* zlib does not say the size of what it gives back: it stands in front. */
static void *take(void *ctx, unsigned items, unsigned size)
{
    const size_t bytes = HEAD + (size_t)items * size;
    unsigned char *block = weft_ctx_alloc(ctx, bytes);
    if (!block)
        return NULL;
    memset(block, 0, bytes); /* zlib's window may be read before it is written */
    memcpy(block, &bytes, sizeof bytes);
    return block + HEAD;
}

static void give_back(void *ctx, void *address)
{
    unsigned char *block = (unsigned char *)address - HEAD;
    size_t bytes;
    memcpy(&bytes, block, sizeof bytes);
    weft_ctx_free(ctx, block, bytes);
}

const char *weft__inflate_open(weft_ctx *ctx, weft__z_stream *s)
{
    if (!weft__inflate_here())
        return "it is compressed, and zlib (libz.so.1) is not on this machine: install zlib1g, or save it with "
               "numpy.savez";
    *s = (weft__z_stream){.zalloc = take, .zfree = give_back, .opaque = ctx};
    return zlib.init(s, RAW_DEFLATE, "1.2.11", (int)sizeof *s) == Z_OK ? NULL : "zlib did not start";
}

const char *weft__inflate_more(weft__z_stream *s, bool *ended)
{
    const int status = zlib.run(s, Z_NO_FLUSH);
    *ended = status == Z_STREAM_END;
    if (status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR) /* that: no progress was possible */
        return NULL;
    return status == Z_MEM_ERROR ? "out of memory for zlib" : "its compressed data is damaged";
}

void weft__inflate_close(weft__z_stream *s)
{
    zlib.end(s);
}
