/* utf8.c - see utf8.h. */
#include "utf8.h"

#include <weft/text.h>

bool weft__is_utf8(const char *text, size_t n)
{
    size_t at = 0;
    for (int bytes; at < n && (bytes = weft_text_character(text + at)) > 0;)
        at += (size_t)bytes;
    return at == n;
}

weft__shown weft__show(const char *name)
{
    weft__shown shown;
    weft_text(shown.text, sizeof shown.text, "%s", name);
    return shown;
}
