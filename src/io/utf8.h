/* utf8.h - names: what they must be, and how messages show them. */
#ifndef WEFT_IO_UTF8_H
#define WEFT_IO_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Whether n bytes are well-formed UTF-8 without a zero byte; one must follow them. */
bool weft__is_utf8(const char *text, size_t n);

typedef struct weft__shown {
    char text[84];
} weft__shown;

/* A name for a message, cut between two characters. */
weft__shown weft__show(const char *name);

#endif
