/* terminal.h - colours, a progress line and tables. On a terminal only: a pipe or file gets plain text and no progress.
 * The environment variable NO_COLOR (any value but "") turns the colours off, as does TERM=dumb. */
#ifndef WEFT_TOOLS_TERMINAL_H
#define WEFT_TOOLS_TERMINAL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <weft/text.h>

typedef enum text_style {
    STYLE_PLAIN,
    STYLE_BOLD,
    STYLE_DIM,
    STYLE_GOOD,
    STYLE_WARN,
    STYLE_BAD,
    STYLE_ACCENT
} text_style;

/* The escape sequence that starts a style on this stream, or "" where it shows none. STYLE_PLAIN ends it. */
const char *style(FILE *stream, text_style wanted);

/* printf to a stream, with a point in numbers whatever the locale. Escape sequences of style pass; other control
 * characters, and bytes that are no UTF-8, are shown as \x1b: names in files and programs may hold what moves a
 * terminal's cursor. */
void say(FILE *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

bool is_terminal(FILE *stream);
int terminal_width(FILE *stream); /* columns; 100 where it is no terminal */

/* A line on the error stream that the next one, or progress_clear, replaces. As say. */
void progress_show(const char *format, ...) __attribute__((format(printf, 1, 2)));
void progress_clear(void);

/* What say prints, for a list of arguments; the caller frees it. */
char *text_to_say(const char *format, va_list list);

/* A table whose columns are as wide as their widest cell. Cells are added row by row:
 *
 *     table *t = table_open("lrr", (const char *[]){"op", "time", "GB/s"});
 *     table_cell(t, STYLE_BOLD, "%s", name); ...
 *     table_print(t, stdout);                                                    // and frees it
 *
 * Cells hold one line: line ends are shown as \n, control characters as by say. */
typedef struct table table;
table *table_open(const char *align, const char *const *titles); /* a letter for each column: l or r */
void table_cell(table *t, text_style cell_style, const char *format, ...) __attribute__((format(printf, 3, 4)));
void table_print(table *t, FILE *out);
void table_print_or_drop(table *t, FILE *out, bool print); /* print false: only frees it */

/* "1.50 GiB", "3.2 us", "12.3 G": three digits and a unit, in a static ring of buffers (valid for a few calls). */
const char *text_bytes(double bytes);
const char *text_seconds(double seconds);
const char *text_count(double count);

/* malloc and realloc that end the program with a message when memory is out. */
void *take(size_t bytes);
void *grow(void *block, size_t bytes);

#endif
