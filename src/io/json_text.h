/* json_text.h - JSON into a file, piece by piece. Not by stdio's printers, which the library does without. */
#ifndef WEFT_IO_JSON_TEXT_H
#define WEFT_IO_JSON_TEXT_H

#include <stdio.h>

/* weft_text into the file, at most 511 bytes at once. */
void weft__json_put(FILE *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* text in quotes, with what JSON wants escaped; a byte that is no UTF-8 as U+FFFD. */
void weft__json_string(FILE *out, const char *text);
size_t weft__json_string_size(const char *text); /* the bytes that this writes */

#endif
