/* named.h - lists of named tensors. */
#ifndef WEFT_IO_NAMED_H
#define WEFT_IO_NAMED_H

#include "catalogue.h"

/* A list of the entries' names, n > 0, without tensors yet, to be freed by weft_named_free. NULL: *status says why. */
weft_named_tensor *weft__named_make(const weft__catalogue *c, weft__entry *const *entries, size_t n,
                                    weft_status *status);

#endif
