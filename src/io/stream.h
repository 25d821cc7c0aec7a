/* stream.h - the bytes of one entry, unpacked, from the first to the last. */
#ifndef WEFT_IO_STREAM_H
#define WEFT_IO_STREAM_H

#include "catalogue.h"
#include "inflate.h"

typedef struct weft__stream {
    const weft__catalogue *c;
    const weft__entry *e;
    uint64_t at, packed; /* of the packed bytes: where they go on, and how many are left */
    uint64_t left;       /* unpacked ones */
    uint32_t crc;
    bool inflating, ended;
    weft__z_stream z;
    unsigned char *packed_bytes; /* what was read last of them */
} weft__stream;

/* *why: instead of a failure, a sentence on what is wrong with the entry (its data is damaged, zlib is missing). The
 * stream must be closed after a failure too. */
weft_status weft__stream_open(weft__stream *s, const weft__catalogue *c, const weft__entry *e, const char **why);

/* Exactly n bytes. */
weft_status weft__stream_read(weft__stream *s, void *to, size_t n, const char **why);

/* Goes to the end and looks whether it is one, and at the checksum. */
weft_status weft__stream_finish(weft__stream *s, const char **why);

void weft__stream_close(weft__stream *s);

#endif
