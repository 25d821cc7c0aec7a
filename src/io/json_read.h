/* json_read.h - JSON, a piece at a time, by who knows what must come next. The text must be UTF-8. */
#ifndef WEFT_IO_JSON_READ_H
#define WEFT_IO_JSON_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct weft__json {
    unsigned char *p, *end; /* what is left; texts are unescaped in place */
    char *text;             /* the one read last, with a terminator */
    size_t length;
} weft__json;

void weft__json_space(weft__json *j);

/* Whether this character comes next; it is passed then. */
bool weft__json_take(weft__json *j, char wanted);

/* A text into j->text, where it stands. */
bool weft__json_text(weft__json *j);

/* A whole number that is not negative. */
bool weft__json_number(weft__json *j, uint64_t *value);

/* Passes a value by, containers at most so deep in each other. */
bool weft__json_skip(weft__json *j, int depth);

#endif
