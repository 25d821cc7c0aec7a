/* torch.h - what torch.save writes, into a catalogue. */
#ifndef WEFT_IO_TORCH_H
#define WEFT_IO_TORCH_H

#include "catalogue.h"

/* Whether the entries of a zip archive, which c has, are those of torch.save. */
bool weft__torch_is(const weft__catalogue *c);

/* Makes a catalogue of tensors of one of the archive's entries. */
weft_status weft__torch_open(weft__catalogue *c);

/* The form from before PyTorch 1.6, which is no archive. start: the file's first n bytes. */
bool weft__torch_is_old(const unsigned char *start, size_t n);
weft_status weft__torch_open_old(weft__catalogue *c);

#endif
