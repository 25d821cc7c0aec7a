/* inflate.h - decompression by zlib, if it is on this machine. */
#ifndef WEFT_IO_INFLATE_H
#define WEFT_IO_INFLATE_H

#include <stddef.h>

/* Inflates raw deflate data to exactly size bytes. NULL: done; else a sentence on why not. */
const char *weft__inflate(const unsigned char *from, size_t n, unsigned char *to, size_t size);

#endif
