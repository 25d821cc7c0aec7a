/* text.c - see weft/text.h: the one place where numbers with a point are printed and read. */
#define _POSIX_C_SOURCE 200809L /* uselocale */
#include <weft/text.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The "C" locale for this thread alone, until leave. */
typedef struct stay {
    locale_t c, was;
} stay;

static stay enter(void)
{
    stay s = {newlocale(LC_ALL_MASK, "C", (locale_t)0), (locale_t)0};
    if (s.c)
        s.was = uselocale(s.c);
    return s;
}

static void leave(stay s)
{
    if (!s.c)
        return;
    uselocale(s.was);
    freelocale(s.c);
}

int weft_text_list(char *buffer, size_t size, const char *format, va_list list)
{
    const stay s = enter();
    const int length = vsnprintf(buffer, size, format, list);
    leave(s);
    return length;
}

int weft_text(char *buffer, size_t size, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    const int length = weft_text_list(buffer, size, format, list);
    va_end(list);
    return length;
}

double weft_number(const char *text, char **end)
{
    const stay s = enter();
    const double number = strtod(text, end);
    leave(s);
    return number;
}

size_t weft_text_cut(const char *text, size_t most)
{
    const size_t length = strnlen(text, most + 1);
    if (length <= most)
        return length;
    size_t start = most; /* of the character that the cut would split */
    while (start > 0 && most - start < 3 && ((unsigned char)text[start] & 0xc0) == 0x80)
        start--;
    return ((unsigned char)text[start] & 0xc0) == 0x80 ? most : start;
}
