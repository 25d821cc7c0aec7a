/* text.h - numbers as text, and back, with a point whatever the locale of the program is.
 *
 * A program that calls setlocale, as every one does that is written with GTK or Qt, may get commas from printf and
 * expect them in strtod, and then writes files that are no JSON and no CSV. These do what printf and strtod do in the
 * "C" locale, in any locale, on any thread, and change nothing for the rest of the program. Everything that Weft writes
 * or reads goes through them: messages, tables, traces, images.
 *
 * Part of the public API; include <weft/weft.h>. */
#ifndef WEFT_TEXT_H
#define WEFT_TEXT_H

#include <stdarg.h>
#include <stddef.h>
#include <weft/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) || defined(__clang__)
#define WEFT_PRINTF(at, first) __attribute__((format(printf, at, first)))
#else
#define WEFT_PRINTF(at, first)
#endif

/* As snprintf and vsnprintf: returns the length of the whole text, of which buffer gets what fits into size bytes with
 * the terminator (NULL with size 0 is fine); negative after an error. A text that is cut ends between two characters of
 * UTF-8. */
WEFT_API int weft_text(char *buffer, size_t size, const char *format, ...) WEFT_PRINTF(3, 4);
WEFT_API int weft_text_list(char *buffer, size_t size, const char *format, va_list list) WEFT_PRINTF(3, 0);

/* As strtod: the number at the head of text, *end (unless NULL) behind it, or text itself where there is none. */
WEFT_API double weft_number(const char *text, char **end);

/* How many bytes the character at the head of text has in UTF-8, 1 to 4; 0 where text ends or is none. */
WEFT_API int weft_text_character(const char *text);

#ifdef __cplusplus
}
#endif
#endif
