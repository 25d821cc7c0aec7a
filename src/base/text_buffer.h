/* text_buffer.h - text put together piece by piece in a caller's buffer, which may be too small or NULL; as snprintf
 * counts. */
#ifndef WEFT_BASE_TEXT_BUFFER_H
#define WEFT_BASE_TEXT_BUFFER_H

#include <stddef.h>

typedef struct weft__text_buffer {
    char *buffer;
    size_t size;
    int used; /* of the whole text, what did not fit included */
} weft__text_buffer;

void weft__put(weft__text_buffer *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
