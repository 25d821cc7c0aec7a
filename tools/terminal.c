/* terminal.c - see terminal.h. */
#include "terminal.h"
#include "command.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool is_terminal(FILE *stream)
{
    return isatty(fileno(stream)) == 1;
}

int terminal_width(FILE *stream)
{
    struct winsize size;
    if (is_terminal(stream) && ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 100;
}

static bool wants_colour(FILE *stream)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return is_terminal(stream) && !(no && *no) && !(term && strcmp(term, "dumb") == 0);
}

static const char *const codes[] = {"\033[0m", "\033[1m", "\033[2m", "\033[32m", "\033[33m", "\033[1;31m", "\033[36m"};
enum { N_CODES = sizeof codes / sizeof codes[0] };

const char *style(FILE *stream, text_style wanted)
{
    return wants_colour(stream) ? codes[wanted] : "";
}

/* ---- Text ---- */

/* Bytes of the style that starts here, or 0. */
static size_t style_at(const char *text)
{
    for (int k = 0; k < N_CODES; k++)
        if (strncmp(text, codes[k], strlen(codes[k])) == 0)
            return strlen(codes[k]);
    return 0;
}

/* Bytes of what starts here and can be shown as it is, or 0. */
static size_t showable(const char *text, bool one_line)
{
    const unsigned char first = (unsigned char)text[0], next = first ? (unsigned char)text[1] : 0;
    if ((first == '\n' || first == '\t') && !one_line)
        return 1;
    if (first == 0x1b && !one_line)
        return style_at(text);
    if (first < 0x20 || first == 0x7f || (first == 0xc2 && next < 0xa0))
        return 0;
    return (size_t)weft_text_character(text);
}

/* A copy with the rest spelt out, which the caller frees. */
static char *shown(const char *text, bool one_line)
{
    char *copy = take(4 * strlen(text) + 1);
    size_t used = 0;
    for (const char *at = text; *at;) {
        const size_t bytes = showable(at, one_line);
        memcpy(copy + used, at, bytes);
        used += bytes;
        at += bytes;
        if (bytes > 0)
            continue;
        const bool line_end = *at == '\n';
        used += (size_t)weft_text(copy + used, 5, line_end ? "\\n" : "\\x%02x", (unsigned)(unsigned char)*at++);
    }
    copy[used] = '\0';
    return copy;
}

/* printf into memory, which the caller frees. */
static char *printed(const char *format, va_list list)
{
    va_list again;
    va_copy(again, list);
    const int length = weft_text_list(NULL, 0, format, again);
    va_end(again);
    char *text = take((size_t)(length > 0 ? length : 0) + 1);
    text[0] = '\0';
    (void)weft_text_list(text, (size_t)(length > 0 ? length : 0) + 1, format, list);
    return text;
}

static char *printed_and_shown(const char *format, va_list list, bool one_line)
{
    char *text = printed(format, list), *copy = shown(text, one_line);
    free(text);
    return copy;
}

char *text_to_say(const char *format, va_list list)
{
    return printed_and_shown(format, list, false);
}

void say(FILE *out, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    char *text = text_to_say(format, list);
    va_end(list);
    fputs(text, out);
    free(text);
}

/* ---- Progress ---- */

static bool progress_there;

void progress_show(const char *format, ...)
{
    if (!is_terminal(stderr))
        return;
    char line[256];
    const int columns = terminal_width(stderr);
    va_list list;
    va_start(list, format);
    char *text = printed_and_shown(format, list, true);
    va_end(list);
    weft_text(line, columns < (int)sizeof line ? (size_t)columns : sizeof line, "%s", text);
    free(text);
    fprintf(stderr, "\r\033[K%s", line);
    fflush(stderr);
    progress_there = true;
}

void progress_clear(void)
{
    if (!progress_there)
        return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    progress_there = false;
}

/* ---- Memory ---- */

void *grow(void *block, size_t bytes)
{
    void *more = realloc(block, bytes ? bytes : 1);
    if (more)
        return more;
    fputs("weft: out of memory\n", stderr);
    exit(EXIT_USAGE);
}

void *take(size_t bytes)
{
    return grow(NULL, bytes);
}

/* ---- Tables ---- */

enum { MOST_COLUMNS = 16 };

typedef struct cell {
    char *text;
    text_style look;
} cell;

struct table {
    char align[MOST_COLUMNS + 1];
    int columns, count, room;
    cell *cells; /* [count], row by row; the titles are the first row */
};

/* Columns that a UTF-8 text takes: its bytes but for those that continue a character. */
static int width_of(const char *text)
{
    int width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

table *table_open(const char *align, const char *const *titles)
{
    table *t = take(sizeof *t);
    *t = (table){.columns = (int)strlen(align)};
    snprintf(t->align, sizeof t->align, "%s", align);
    for (int i = 0; i < t->columns; i++)
        table_cell(t, STYLE_DIM, "%s", titles[i]);
    return t;
}

void table_cell(table *t, text_style cell_style, const char *format, ...)
{
    if (t->count == t->room) {
        t->room = t->room ? 2 * t->room : 64;
        t->cells = grow(t->cells, (size_t)t->room * sizeof *t->cells);
    }
    va_list list;
    va_start(list, format);
    t->cells[t->count++] = (cell){printed_and_shown(format, list, true), cell_style};
    va_end(list);
}

static void print_cell(const table *t, int i, int width, FILE *out)
{
    int column = i % t->columns, gap = width - width_of(t->cells[i].text);
    bool last = column == t->columns - 1, right = t->align[column] == 'r' && t->cells[i].text[0];
    fprintf(out, "%s%*s%s%s%s%*s", column ? "  " : "", right ? gap : 0, "", style(out, t->cells[i].look),
            t->cells[i].text, style(out, STYLE_PLAIN), right || last ? 0 : gap, "");
    if (last)
        fputc('\n', out);
}

void table_print(table *t, FILE *out)
{
    table_print_or_drop(t, out, true);
}

void table_print_or_drop(table *t, FILE *out, bool print)
{
    int width[MOST_COLUMNS] = {0};
    for (int i = 0; i < t->count; i++)
        if (width_of(t->cells[i].text) > width[i % t->columns])
            width[i % t->columns] = width_of(t->cells[i].text);
    for (int i = 0; print && i < t->count; i++)
        print_cell(t, i, width[i % t->columns], out);
    for (int i = 0; i < t->count; i++)
        free(t->cells[i].text);
    free(t->cells);
    free(t);
}

/* ---- Numbers ---- */

static char *next_buffer(void)
{
    static char ring[16][32];
    static int turn;
    return ring[turn++ % 16];
}

static const char *scaled(double value, double step, const char *const *units, int n, const char *tail)
{
    char *text = next_buffer();
    if (!isfinite(value)) {
        snprintf(text, 32, "-");
        return text;
    }
    int unit = 0;
    while (unit + 1 < n && fabs(value) >= 0.9995 * step) {
        value /= step;
        unit++;
    }
    int digits = fabs(value) < 9.995 ? 2 : fabs(value) < 99.95 ? 1 : 0;
    if (unit == 0 && value == floor(value))
        digits = 0;
    weft_text(text, 32, "%.*f %s%s", digits, value, units[unit], tail);
    return text;
}

const char *text_bytes(double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    return scaled(bytes, 1024, units, 5, "");
}

const char *text_seconds(double seconds)
{
    static const char *const units[] = {"ns", "us", "ms", "s"};
    return scaled(seconds * 1e9, 1000, units, 4, "");
}

const char *text_count(double count)
{
    static const char *const units[] = {"", "k", "M", "G", "T", "P"};
    return scaled(count, 1000, units, 6, "");
}
