/* json_read.c - see json_read.h. The grammar: RFC 8259. */
#include "json_read.h"

#include <string.h>

void weft__json_space(weft__json *j)
{
    while (j->p < j->end && (*j->p == ' ' || *j->p == '\n' || *j->p == '\t' || *j->p == '\r'))
        j->p++;
}

bool weft__json_take(weft__json *j, char wanted)
{
    weft__json_space(j);
    if (j->p == j->end || *j->p != (unsigned char)wanted)
        return false;
    j->p++;
    return true;
}

static int hex4(const unsigned char *p)
{
    int value = 0;
    for (int k = 0; k < 4; k++) {
        const int c = p[k], digit = c >= '0' && c <= '9'   ? c - '0'
                                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                           : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

static size_t put_utf8(char *to, uint32_t c)
{
    if (c < 0x80)
        return to[0] = (char)c, 1;
    const size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t k = n - 1; k > 0; k--, c >>= 6)
        to[k] = (char)(0x80 | (c & 0x3F));
    to[0] = (char)(lead[n] | c);
    return n;
}

/* \uXXXX, two of them for a character beyond 16 bits; j->p is behind the u. */
static bool take_unicode(weft__json *j, uint32_t *c)
{
    const int high = j->end - j->p >= 4 ? hex4(j->p) : -1;
    if (high <= 0 || (high >= 0xDC00 && high < 0xE000))
        return false;
    j->p += 4;
    *c = (uint32_t)high;
    if (high < 0xD800 || high >= 0xDC00)
        return true;
    const int low = j->end - j->p >= 6 && j->p[0] == '\\' && j->p[1] == 'u' ? hex4(j->p + 2) : -1;
    if (low < 0xDC00 || low >= 0xE000)
        return false;
    j->p += 6;
    *c = 0x10000 + (((uint32_t)high - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
    return true;
}

static bool take_escape(weft__json *j, size_t *n)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    uint32_t c;
    if (j->p == j->end)
        return false;
    const int letter = *j->p++;
    const char *found = letter ? strchr(from, letter) : NULL;
    if (!found && (letter != 'u' || !take_unicode(j, &c)))
        return false;
    *n += put_utf8(j->text + *n, found ? (uint32_t)(unsigned char)to[found - from] : c);
    return true;
}

/* What an escape means is never longer than the escape. The terminator falls on the closing quote or before it. */
bool weft__json_text(weft__json *j)
{
    size_t n = 0;
    if (!weft__json_take(j, '"'))
        return false;
    j->text = (char *)j->p;
    while (j->p < j->end && *j->p != '"') {
        if (*j->p < 0x20)
            return false;
        if (*j->p != '\\')
            j->text[n++] = (char)*j->p++;
        else if (j->p++, !take_escape(j, &n))
            return false;
    }
    if (j->p == j->end)
        return false;
    j->p++;
    j->text[n] = '\0';
    j->length = n;
    return true;
}

bool weft__json_number(weft__json *j, uint64_t *value)
{
    weft__json_space(j);
    const unsigned char *first = j->p;
    *value = 0;
    for (; j->p < j->end && *j->p >= '0' && *j->p <= '9'; j->p++)
        if (__builtin_mul_overflow(*value, UINT64_C(10), value) ||
            __builtin_add_overflow(*value, (uint64_t)(*j->p - '0'), value))
            return false;
    return j->p > first && (*first != '0' || j->p == first + 1); /* JSON has no 007 */
}

/* true, false, null or a number, as far as who passes it by must know. */
static bool skip_word(weft__json *j)
{
    const unsigned char *const first = j->p;
    while (j->p < j->end && *j->p && strchr("+-.0123456789Eabcdefghijklmnopqrstuvwxyz", *j->p))
        j->p++;
    return j->p > first;
}

static bool skip_items(weft__json *j, bool object, int depth)
{
    const char end = object ? '}' : ']';
    if (weft__json_take(j, end))
        return true;
    do
        if ((object && (!weft__json_text(j) || !weft__json_take(j, ':'))) || !weft__json_skip(j, depth - 1))
            return false;
    while (weft__json_take(j, ','));
    return weft__json_take(j, end);
}

bool weft__json_skip(weft__json *j, int depth)
{
    weft__json_space(j);
    if (j->p == j->end || depth == 0)
        return false;
    if (*j->p == '"')
        return weft__json_text(j);
    if (weft__json_take(j, '{'))
        return skip_items(j, true, depth);
    return weft__json_take(j, '[') ? skip_items(j, false, depth) : skip_word(j);
}
