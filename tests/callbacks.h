/* callbacks.h - what the tests of callbacks share. */
#ifndef WEFT_TESTS_CALLBACKS_H
#define WEFT_TESTS_CALLBACKS_H

#include <setjmp.h>
#include "harness/test_ctx.h"
#include "harness/weft_test.h"

weft_ctx *open_faulty(fault_memory *m);

/* The context computes, records and closes as if nothing had been. */
void check_whole(weft_ctx *c, fault_memory *m);

/* The sticking error is want, with part in its sentence; it is cleared. */
void refused(weft_ctx *c, weft_status want, const char *part);

/* Whatever a callback that only looks may not do: all of it does nothing. */
void use(weft_ctx *c);

typedef struct escapade {
    weft_ctx *c;
    int outer; /* a scope from before */
    int depth, most;
    jmp_buf back;
    weft_tensor *x;
} escapade;

#endif
