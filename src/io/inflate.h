/* inflate.h - decompression by zlib, if it is on this machine, a piece at a time. */
#ifndef WEFT_IO_INFLATE_H
#define WEFT_IO_INFLATE_H

#include "common.h"

/* z_stream of zlib.h */
typedef struct weft__z_stream {
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
} weft__z_stream;

/* Whether there is a zlib here. */
bool weft__inflate_here(void);

/* Begins raw deflate data; zlib's memory is ctx's. NULL, or a sentence on why not. */
const char *weft__inflate_open(weft_ctx *ctx, weft__z_stream *s);

/* Goes on with s->next_in and s->next_out until the one is used up or the other full. *ended: that was all of the data.
 * NULL, or a sentence on why not. */
const char *weft__inflate_more(weft__z_stream *s, bool *ended);

void weft__inflate_close(weft__z_stream *s);

#endif
