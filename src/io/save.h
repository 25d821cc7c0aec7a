/* save.h - what both writers do: look at everything before a file is touched, then put bytes into the new one. */
#ifndef WEFT_IO_SAVE_H
#define WEFT_IO_SAVE_H

#include "common.h"
#include "replace.h"

typedef struct weft__saver {
    weft_ctx *ctx;
    const char *function, *path; /* the public function, for messages */
    const weft_named_tensor *tensors;
    int n;
    size_t max_name;
    const char *reserved; /* a name that the format keeps for itself, or NULL */
    weft__replace file;
    uint64_t at; /* bytes so far */
} weft__saver;

/* Whether the list can be saved: the context's status, the path, every name and every tensor. */
weft_status weft__save_check(const weft__saver *s);

/* Opens the new file, lets write fill it and puts it in the place of the old one; what write or the disk fails at
 * leaves the old one. */
weft_status weft__save_file(weft__saver *s, weft_status (*write)(weft__saver *s, void *user), void *user);

void weft__save_put(weft__saver *s, const void *bytes, size_t n);

/* The elements of a tensor, row-major: its own memory, or a copy that weft__save_drop frees. NULL: *status says why. */
size_t weft__save_bytes(const weft_tensor *t);
const unsigned char *weft__save_elements(weft__saver *s, weft_tensor *t, weft_status *status);
void weft__save_drop(weft__saver *s, weft_tensor *t, const unsigned char *elements);

#endif
