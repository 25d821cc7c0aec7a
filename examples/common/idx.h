/* idx.h - the file format of the MNIST family: sizes, most significant byte first, then bytes. */
#ifndef EXAMPLES_IDX_H
#define EXAMPLES_IDX_H

#include <weft/weft.h>

/* Reads a file of bytes with ndim dims as a u8 tensor; or NULL with the error recorded in ctx: what is wrong and what
 * helps. "train-images-idx3-ubyte" is also found under its other usual name, "train-images.idx3-ubyte". */
weft_tensor *idx_load(weft_ctx *ctx, const char *folder, const char *name, int ndim);

#endif
