/* test_ctx.h - contexts for tests: an allocator that counts, poisons and can fail on purpose; a log that remembers. */
#ifndef WEFT_TEST_CTX_H
#define WEFT_TEST_CTX_H

#include <weft/weft.h>

typedef struct fault_memory {
    long live_blocks;
    size_t live_bytes;
    long calls;    /* allocations so far */
    long fail_at;  /* the number of the call that fails, from 1; 0: none */
    bool for_good; /* every later call fails too */
    bool mismatch; /* a block was freed with another size than it was taken with, or twice */
    char last_log[1024];
    int logged;
} fault_memory;

/* Options whose hooks and log callback work on memory. */
weft_options fault_options(fault_memory *memory);

/* A context with those options, and its end: no error is left, and every block was given back with its size. */
weft_ctx *fault_ctx_open(fault_memory *memory);
void fault_ctx_close(weft_ctx *ctx, fault_memory *memory);

/* A call was refused: no result, this status, and a sentence with these words in it. Clears the context. */
void check_no_result(weft_ctx *ctx, const void *result, weft_status status, const char *words);

#endif
