/* npy.h - NumPy's npy format: what weft__npy_open and weft__npy_describe of catalogue.h read, and headers to write. */
#ifndef WEFT_IO_NPY_H
#define WEFT_IO_NPY_H

#include "catalogue.h"

enum { WEFT__NPY_HEADER = 256 }; /* most bytes of a header that we write; a multiple of 64 */

/* Writes the header of t, version 1.0, and returns its length. */
size_t weft__npy_header(const weft_tensor *t, unsigned char header[WEFT__NPY_HEADER]);

#endif
