/* pickle.h - a pickle of Python as plain data: what it holds, without calling anything.
 *
 * A pickle is a program for a machine with a stack, whose instructions may call any function of any module. Here a call
 * only becomes a value that says which function and with what; which ones may be named at all is the caller's list. The
 * instructions: https://github.com/python/cpython/blob/3.13/Lib/pickletools.py (protocols 2 to 5). */
#ifndef WEFT_IO_PICKLE_H
#define WEFT_IO_PICKLE_H

#include "common.h"

typedef enum weft__pickled {
    WEFT__PICKLED_MARK, /* where a list of values begins on the stack; in no value that is whole */
    WEFT__PICKLED_NONE,
    WEFT__PICKLED_BOOL,
    WEFT__PICKLED_INT,
    WEFT__PICKLED_BIG, /* an integer of more than 64 bits: its bytes, lowest first */
    WEFT__PICKLED_FLOAT,
    WEFT__PICKLED_TEXT, /* UTF-8 as far as the writer kept to it */
    WEFT__PICKLED_BYTES,
    WEFT__PICKLED_LIST, /* sets too */
    WEFT__PICKLED_TUPLE,
    WEFT__PICKLED_DICT,
    WEFT__PICKLED_GLOBAL,    /* a name: module, a blank, and what is in it */
    WEFT__PICKLED_CALL,      /* of a global with a tuple */
    WEFT__PICKLED_PERSISTENT /* something beside the pickle, by a value that identifies it */
} weft__pickled;

/* Others are named by their number. */
typedef struct weft__value {
    weft__pickled kind;
    bool inside;       /* for who goes through containers: it is being gone through */
    uint32_t count;    /* of items; of the bytes of a text */
    uint32_t at, last; /* the first and last item (NO_ITEM: none); where the bytes begin; global and arguments */
    union {
        int64_t i;
        double f;
    } number;
} weft__value;

typedef struct weft__item {
    uint32_t key, value, next; /* key: of dicts */
} weft__item;

#define WEFT__NO_ITEM UINT32_MAX

typedef struct weft__pickle {
    weft_ctx *ctx;
    const unsigned char *bytes;
    size_t size, used;
    const char *const *globals; /* "module name" of those that may be named; NULL behind the last */
    weft__value *values;
    weft__item *items;
    uint32_t *stack, *memo; /* memo: number + 1; 0: none */
    uint32_t n_values, n_items, depth, n_memo;
    uint32_t values_room, items_room, stack_room, memo_room;
    size_t taken;  /* bytes of memory, at most the context's budget */
    char why[200]; /* what is wrong with it, as the end of a sentence */
} weft__pickle;

/* Goes through a pickle of size bytes (at most 2^30), which must stay. p: ctx, bytes, size and globals, all else zero.
 * *root: the value that it leaves. WEFT_E_IO or WEFT_E_NOMEM with p->why, or what the context says. Afterwards, after a
 * failure too, weft__pickle_close. */
weft_status weft__pickle_read(weft__pickle *p, uint32_t *root);
void weft__pickle_close(weft__pickle *p);

/* Whether value v is a global, or a text, of these bytes. v may be WEFT__NO_ITEM, which is neither. */
bool weft__pickle_is(const weft__pickle *p, uint32_t v, weft__pickled kind, const char *text);

/* Item k of a list or tuple; WEFT__NO_ITEM if there are not so many, or v is no such thing. Goes through those before
 * it. */
uint32_t weft__pickle_item(const weft__pickle *p, uint32_t v, uint32_t k);

#endif
