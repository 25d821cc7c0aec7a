/* fuzz.h - random programs over the public C API, each of them a function of its seed (or of a fuzzer's bytes).
 *
 * A program opens a context, takes some hundred steps - operations on odd operands, views, changes in place, gradients,
 * callbacks, failing allocations, scopes - and closes it. Nothing may crash or trip a sanitizer; a call that fails says
 * why in the context; a context that was cleared computes again; nothing is lost at the end. */
#ifndef WEFT_FUZZ_H
#define WEFT_FUZZ_H

#include <setjmp.h>
#include <weft/compare.h>
#include <weft/io.h>
#include <weft/profile.h>
#include <weft/weft.h>
#include "harness/test_ctx.h"
#include "samples/cases.h"

enum { FUZZ_POOL = 48, FUZZ_DEAD = 16, FUZZ_MARKS = 24, FUZZ_OPTIMS = 3, FUZZ_MOST_ELEMENTS = 20000 };

/* A tensor that the program may use. */
typedef struct fuzz_slot {
    weft_tensor *t;
    int scope; /* that it belongs to; -1: none, it is only kept */
    int kept;  /* weft_keep calls not yet released */
    bool shared;
} fuzz_slot;

typedef struct fuzz {
    /* Where choices come from: the bytes of a fuzzer, then the stream of the seed. */
    const uint8_t *bytes;
    size_t n_bytes;
    uint64_t seed, state;

    weft_ctx *ctx, *other; /* other: for operands of another context */
    weft_tensor *foreign;
    fault_memory memory, other_memory;
    fuzz_slot pool[FUZZ_POOL];
    int n_pool;
    weft_tensor *dead[FUZZ_DEAD]; /* freed by the end of their scope; never shared ones, whose memory is gone */
    int n_dead;
    int marks[FUZZ_MARKS], n_marks;
    weft_optim *optims[FUZZ_OPTIMS];
    int n_optims;
    int guest;    /* inside callbacks: what is made there belongs to scopes of the library, and is not taken up */
    long pops;    /* of the innermost scope by callbacks */
    jmp_buf jump; /* where a callback may leave to, if may_jump */
    bool may_jump;
    bool to_root;   /* something was moved to the root scope, where it stays */
    bool harmless;  /* operands are alive and of this context, for where a NULL result must have an error */
    const char *at; /* what the step in progress does */
    int step;
    long steps, failed_calls; /* of all programs */
    bool trace, broken;
    long ran[512]; /* how often each row gave a result, over all programs */
} fuzz;

/* ---- Choices (choice.c) ---- */

uint64_t fuzz_draw(fuzz *f);
int fuzz_below(fuzz *f, int n);            /* [0, n) */
bool fuzz_chance(fuzz *f, int one_in);     /* once in one_in */
int64_t fuzz_int(fuzz *f);                 /* mostly small, sometimes at the edges of int64_t */
double fuzz_real(fuzz *f);                 /* mostly ordinary, sometimes 0, NaN, infinite, huge, tiny */
weft_status fuzz_status(fuzz *f);          /* any but INTERNAL, which only Weft gives; also numbers that are none */
int fuzz_shape(fuzz *f, int64_t *shape);   /* returns ndim; at most a few hundred elements */
weft_dtype fuzz_dtype(fuzz *f, bool real); /* real: a floating one */

/* ---- The pool (pool.c) ---- */

/* Takes up a result: NULL and those that are known already are fine. Returns t. */
weft_tensor *fuzz_take(fuzz *f, weft_tensor *t);
void fuzz_take_share(fuzz *f, weft_tensor *t); /* what weft_share returned, which is kept */
/* Some operand: of the pool mostly, or NULL, dead, shared, of another context. */
weft_tensor *fuzz_operand(fuzz *f);
weft_tensor *fuzz_alive(fuzz *f); /* one of the pool, of this context; NULL if there is none */
weft_tensor *fuzz_make(fuzz *f, weft_dtype dtype, const int64_t *shape, int ndim); /* in a random layout */
void fuzz_scope_step(fuzz *f);
void fuzz_push(fuzz *f);
void fuzz_pop(fuzz *f);      /* the innermost scope, but not the one around the program */
void fuzz_drop_all(fuzz *f); /* gives up and pops everything */

/* ---- What steps do ---- */

void fuzz_rows_begin(void);     /* rows.c: finds the records; ends the process if there are none */
weft_tensor *fuzz_row(fuzz *f); /* one operation of the table */
weft_tensor *fuzz_row_named(fuzz *f, const case_row *row, weft_tensor *const *given,
                            int n);   /* on given operands first */
void fuzz_rows_report(const fuzz *f); /* which rows never gave a result */
void fuzz_autograd_step(fuzz *f);     /* autograd.c */
void fuzz_callback_step(fuzz *f);     /* callbacks.c: hooks, custom operations, checks of gradients */
void fuzz_misuse_step(fuzz *f);       /* misuse.c: NULL and senseless arguments of every other function */

/* ---- Programs (program.c) ---- */

void fuzz_program(fuzz *f, const uint8_t *bytes, size_t n, uint64_t seed);
/* Notes that something is wrong, printf style. */
void fuzz_broken(fuzz *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
