/* npy.h - one array in NumPy's npy format, in memory. */
#ifndef WEFT_IO_NPY_H
#define WEFT_IO_NPY_H

#include "file.h"

/* Makes a tensor of an npy file's bytes. NULL: *why is a sentence, or NULL if the error is in the context. */
weft_tensor *weft__npy_read(weft_ctx *ctx, const unsigned char *bytes, size_t size, const char **why);

enum { WEFT__NPY_HEADER = 256 }; /* most bytes of a header that we write; a multiple of 64 */

/* Writes the header of t, version 1.0, and returns its length. */
size_t weft__npy_header(const weft_tensor *t, unsigned char header[WEFT__NPY_HEADER]);

#endif
