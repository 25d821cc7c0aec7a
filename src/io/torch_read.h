/* torch_read.h - what torch.c and torch_old.c share: going through the pickle of a file of PyTorch's. */
#ifndef WEFT_IO_TORCH_READ_H
#define WEFT_IO_TORCH_READ_H

#include "pickle.h"
#include "torch.h"

enum { WEFT__TORCH_PICKLE = 1 << 26 }; /* the most bytes of a pickle */

typedef struct weft__torch_storage { /* of the old form */
    const unsigned char *key;        /* in the pickle */
    uint32_t length;
    int width; /* bytes of an element */
    uint64_t offset, bytes;
} weft__torch_storage;

typedef struct weft__torch_reader {
    weft__catalogue *c;
    weft__catalogue archive; /* what c held before; no entries: the old form */
    weft__entry **sorted;
    const char *folder; /* before "data.pkl" in the archive's names, with its slash */
    size_t folder_length;
    unsigned char *bytes; /* of the pickle */
    size_t n_bytes;
    weft__pickle p;
    weft__torch_storage *storages;
    size_t n_storages, storages_room;
    bool swap;
    /* Going through it, first to count and then to fill. */
    bool filling;
    uint64_t steps, tensors, name_bytes;
    char *names; /* where the next one goes */
} weft__torch_reader;

/* Names of Python that may stand in a pickle; NULL behind the last. */
extern const char *const weft__torch_globals[];

/* A failure of the file, for this reason. */
weft_status weft__torch_fail(weft__torch_reader *r, const char *why);

/* The failure of a pickle, recorded. */
weft_status weft__torch_said(weft__torch_reader *r, const weft__pickle *p, weft_status status);

/* Memory for bytes with a pickle in them, which r->p will read. */
weft_status weft__torch_memory(weft__torch_reader *r, uint64_t bytes);

/* What a storage's elements are, by its class or dtype, into e->element or e->why. */
void weft__torch_element(const weft__torch_reader *r, uint32_t type, weft__entry *e);

/* The storage of the old form under this key, or NULL. */
weft__torch_storage *weft__torch_find_old(const weft__torch_reader *r, const unsigned char *key, uint32_t length);

/* The catalogue's entries, from what the pickle left. */
weft_status weft__torch_entries(weft__torch_reader *r, uint32_t root);

void weft__torch_close(weft__torch_reader *r);

#endif
