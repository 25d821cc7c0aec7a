/* json_text.c - see json_text.h. */
#include "json_text.h"
#include <stdarg.h>
#include <weft/text.h>

void weft__json_put(FILE *out, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    const int n = weft_text_list(text, sizeof text, format, args);
    va_end(args);
    if (n > 0)
        fwrite(text, 1, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1, out);
}

void weft__json_string(FILE *out, const char *text)
{
    weft__json_put(out, "\"");
    for (const char *p = text; *p;) {
        const int bytes = weft_text_character(p);
        if (*p == '"' || *p == '\\')
            weft__json_put(out, "\\%c", *p);
        else if ((unsigned char)*p < 0x20)
            weft__json_put(out, "\\u%04x", (unsigned)*p);
        else
            weft__json_put(out, "%.*s", bytes ? bytes : 3, bytes ? p : "\xef\xbf\xbd"); /* no UTF-8: U+FFFD */
        p += bytes ? bytes : 1;
    }
    weft__json_put(out, "\"");
}

size_t weft__json_string_size(const char *text)
{
    size_t size = 2;
    for (const char *p = text; *p;) {
        const int bytes = weft_text_character(p);
        size += *p == '"' || *p == '\\' ? 2 : (unsigned char)*p < 0x20 ? 6 : bytes ? (size_t)bytes : 3;
        p += bytes ? bytes : 1;
    }
    return size;
}
