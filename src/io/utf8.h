/* utf8.h - what names must be. */
#ifndef WEFT_IO_UTF8_H
#define WEFT_IO_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Whether n bytes are well-formed UTF-8: no overlong forms, no halves of surrogate pairs, nothing above U+10FFFF. */
bool weft__is_utf8(const unsigned char *p, size_t n);

#endif
