/* text.c - see weft/text.h: the one place where numbers with a point are printed and read
 * (scripts/checks/numbers.sh). */
#define _POSIX_C_SOURCE 200809L /* uselocale */
#include <weft/text.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* The "C" locale for this thread alone, until go_back. */
typedef struct stay {
    locale_t c, was;
} stay;

static stay use_c(void)
{
    stay s = {newlocale(LC_ALL_MASK, "C", (locale_t)0), (locale_t)0};
    if (s.c)
        s.was = uselocale(s.c);
    return s;
}

static void go_back(stay s)
{
    if (!s.c)
        return;
    uselocale(s.was);
    freelocale(s.c);
}

static bool continues(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

int weft_text_character(const char *text)
{
    const unsigned char first = (unsigned char)text[0], next = first ? (unsigned char)text[1] : 0;
    if (first < 0x80)
        return first != 0;
    const int length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    const unsigned char least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80; /* nothing longer than it need be */
    const unsigned char most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;  /* no surrogates, up to U+10FFFF */
    if (first < 0xc2 || first > 0xf4 || next < least || next > most)
        return 0;
    for (int k = 2; k < length; k++)
        if (!continues(text[k]))
            return 0;
    return length;
}

/* Takes away the head of a character whose tail did not fit. */
static void drop_part(char *text, size_t length)
{
    size_t start = length;
    while (start > 0 && length - start < 3 && continues(text[start - 1]))
        start--;
    if (start == 0)
        return;
    const unsigned char first = (unsigned char)text[--start];
    const size_t wanted = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    if (wanted > length - start)
        text[start] = '\0';
}

int weft_text_list(char *buffer, size_t size, const char *format, va_list list)
{
    const stay s = use_c();
    const int length = vsnprintf(buffer, size, format ? format : "", list);
    go_back(s);
    if (length > 0 && size > 0 && (size_t)length >= size)
        drop_part(buffer, size - 1);
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
    const stay s = use_c();
    const double number = strtod(text, end);
    go_back(s);
    return number;
}
