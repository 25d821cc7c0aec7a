/* text_buffer.c - see text_buffer.h. */
#include "base/text_buffer.h"
#include <stdarg.h>
#include <stdbool.h>
#include <weft/text.h>

void weft__put(weft__text_buffer *s, const char *format, ...)
{
    va_list args;
    const bool room = s->buffer && (size_t)s->used < s->size;
    va_start(args, format);
    s->used += weft_text_list(room ? s->buffer + s->used : NULL, room ? s->size - (size_t)s->used : 0, format, args);
    va_end(args);
}
