/* inflate.c - see inflate.h. zlib is opened at run time, so that the library needs nothing to link. What is used of its
 * interface (zlib.h) has not changed since 1995 and is declared here. */
#include "inflate.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>

/* z_stream */
typedef struct stream {
    const unsigned char *next_in;
    unsigned avail_in;
    unsigned long total_in;
    unsigned char *next_out;
    unsigned avail_out;
    unsigned long total_out;
    const char *msg;
    void *state;
    void *(*zalloc)(void *opaque, unsigned items, unsigned size);
    void (*zfree)(void *opaque, void *address);
    void *opaque;
    int data_type;
    unsigned long adler, reserved;
} stream;

enum { Z_OK = 0, Z_STREAM_END = 1, Z_FINISH = 4, RAW_DEFLATE = -15 };

static struct {
    int (*init)(stream *s, int window_bits, const char *version, int stream_size);
    int (*run)(stream *s, int flush);
    int (*end)(stream *s);
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

const char *weft__inflate(const unsigned char *from, size_t n, unsigned char *to, size_t size)
{
    pthread_once(&once, open_zlib);
    if (!zlib.init || !zlib.run || !zlib.end)
        return "it is compressed, and zlib (libz.so.1) is not on this machine: install zlib1g, or save it with "
               "numpy.savez";
    if (n > UINT_MAX || size > UINT_MAX)
        return "compressed entries above 4 GiB are not supported: save it with numpy.savez";
    stream s = {.next_in = from, .avail_in = (unsigned)n, .next_out = to, .avail_out = (unsigned)size};
    if (zlib.init(&s, RAW_DEFLATE, "1.2.11", (int)sizeof s) != Z_OK)
        return "zlib did not start";
    const int status = zlib.run(&s, Z_FINISH);
    const size_t made = s.total_out;
    zlib.end(&s);
    return status == Z_STREAM_END && made == size ? NULL : "its compressed data is damaged";
}
