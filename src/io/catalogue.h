/* catalogue.h - what is in a file: one entry for each tensor, made of its directory before any data is read. */
#ifndef WEFT_IO_CATALOGUE_H
#define WEFT_IO_CATALOGUE_H

#include "blocks.h"
#include "element.h"
#include "source.h"

enum { WEFT__STORED = 0, WEFT__DEFLATED = 8, WEFT__OTHER_METHOD = -1, WEFT__DEFLATE_RATIO = 1032 };

typedef struct weft__catalogue weft__catalogue;

typedef struct weft__entry {
    const char *name;          /* in the catalogue's text, with a terminator */
    const weft__catalogue *in; /* of an index: the part whose file has it; else NULL */
    const char *file;          /* of an index: that file's name */
    char dtype[16];            /* as the file says it, cut */
    weft__element element;
    weft__blocks blocks; /* elements stand in blocks, and become f32 */
    bool fortran;
    bool strided; /* elements lie `strides` apart, in elements; size: of the bytes from the first to the last */
    int64_t strides[WEFT_MAX_DIMS];
    int ndim;
    int64_t shape[WEFT_MAX_DIMS], count;
    const char *why; /* NULL: it can be loaded, once it is described */
    bool described;  /* npz: its npy header was read */
    bool checked;    /* npz: crc is to be compared */
    int method;
    uint32_t crc;
    uint64_t begin;          /* npz: of its local record, which comes before its bytes */
    uint64_t offset, packed; /* of its bytes in the file */
    uint64_t size;           /* of them unpacked */
    uint64_t head;           /* how many of those come before the elements */
} weft__entry;

struct weft__catalogue {
    weft_ctx *ctx;
    weft__source source;
    uint64_t max_bytes;   /* of data; UINT64_MAX: no limit */
    uint64_t max_tensors; /* likewise */
    size_t max_name;
    unsigned char *text; /* the directory or header, which the names are in */
    size_t text_bytes;
    weft__entry *entries; /* in the order of the file */
    size_t n, room;
    weft__catalogue *parts; /* of an index: its files, each once */
    size_t n_parts;
};

/* Fill an empty catalogue of an open source. */
weft_status weft__npy_open(weft__catalogue *c);
weft_status weft__zip_open(weft__catalogue *c);
weft_status weft__safetensors_open(weft__catalogue *c);
weft_status weft__shards_open(weft__catalogue *c);

/* Reads what the directory does not say of an entry: dtype, shape, whether it can be loaded. */
weft_status weft__npy_describe(weft__catalogue *c, weft__entry *e);

/* A failure if so many bytes beside the data, for its `what`, are beyond the context's budget. */
weft_status weft__catalogue_budget(const weft__catalogue *c, uint64_t bytes, const char *what);

/* Memory for the directory, with a zero byte behind it: refused beyond the context's budget. */
weft_status weft__catalogue_text(weft__catalogue *c, uint64_t bytes);

/* Room for one more entry, zeroed. Refused beyond max_tensors and the budget. */
weft_status weft__catalogue_add(weft__catalogue *c, weft__entry **e);

/* All entries at once: for n that the file itself says. */
weft_status weft__catalogue_reserve(weft__catalogue *c, uint64_t n);

/* Whether a name of that length is fine; else the failure. */
weft_status weft__catalogue_name(const weft__catalogue *c, const char *name, size_t length);

/* Pointers to the entries in another order; NULL with *status, or if there are none. */
weft__entry **weft__catalogue_sort(const weft__catalogue *c, int (*compare)(const void *, const void *),
                                   weft_status *status);
void weft__catalogue_unsort(const weft__catalogue *c, weft__entry **sorted);
int weft__by_name(const void *a, const void *b); /* to sort by */

/* A failure if a name is there twice. */
weft_status weft__catalogue_unique(const weft__catalogue *c);

/* Keeps what a file calls a dtype, cut; bytes that are not printed become '?'. */
void weft__entry_dtype(weft__entry *e, const char *text);

/* A failure of one entry: WEFT_E_IO with its name and dtype. */
weft_status weft__entry_fail(const weft__catalogue *c, const weft__entry *e, const char *why);

void weft__catalogue_close(weft__catalogue *c);

#endif
