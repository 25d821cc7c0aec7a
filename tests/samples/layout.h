/* layout.h - golden inputs as tensors in every memory layout, and a context that notices what it should not see.
 *
 * Everything is made through the public API: larger blocks poisoned with NaN (or values out of place), and views. */
#ifndef WEFT_SAMPLES_LAYOUT_H
#define WEFT_SAMPLES_LAYOUT_H

#include "cases.h"

typedef enum layout {
    LAYOUT_CONTIGUOUS,
    LAYOUT_TRANSPOSED, /* dims stored in reverse order; 1-d: every second element of a poisoned block */
    LAYOUT_SLICED,     /* the middle of a larger poisoned block: offsets, gaps between rows, unaligned vectors */
    LAYOUT_STEPPED,    /* every second element along the last dim, rows apart */
    LAYOUT_EXPANDED,   /* stride 0 along every dim of equal values */
    LAYOUT_MIXED,      /* each input in another of these */
    LAYOUT_COUNT
} layout;

const char *layout_name(layout how);

/* Whether inputs of a record can and should be laid out like this (a layout that changes nothing is not repeated). */
bool layout_applies(const gold_record *record, layout how);

/* Whether a record runs at a dtype: values fit, flags allow. */
bool record_takes(const gold_record *record, weft_dtype dtype);

/* The dtype of an input of this record when the data's dtype is given. */
weft_dtype input_dtype(const gold_tensor *t, weft_dtype dtype, layout how);

/* Input t as a tensor. NULL for an absent input, or after an error. */
weft_tensor *lay_out(weft_ctx *ctx, const gold_tensor *t, weft_dtype dtype, layout how);

/* Fills c->in from a record. False after an error. */
bool lay_out_all(weft_case *c, const gold_record *record, weft_dtype dtype, layout how);

/* Elements of t from row-major values into buffer as dtype. */
void encode(const gold_tensor *t, weft_dtype dtype, void *buffer);

/* A context whose fresh memory is full of NaN (bytes 0xFF), and which counts what it has taken. threads as in
 * weft_options. */
typedef struct test_memory {
    int64_t live_bytes, blocks;
} test_memory;
weft_ctx *test_ctx_open(test_memory *memory, int threads); /* on the device under test, see device.h */
weft_ctx *test_ctx_open_on(const char *device, test_memory *memory, int threads);

/* Closes it and records a failure if anything was not given back. */
void test_ctx_close(weft_ctx *ctx, test_memory *memory);

#endif
