/* utf8.c - see utf8.h. */
#include "utf8.h"

bool weft__is_utf8(const unsigned char *p, size_t length)
{
    const unsigned char *const end = p + length;
    while (p < end) {
        const int n = *p < 0x80                 ? 1
                      : *p >= 0xC2 && *p < 0xE0 ? 2
                      : *p >= 0xE0 && *p < 0xF0 ? 3
                      : *p >= 0xF0 && *p < 0xF5 ? 4
                                                : 0;
        if (n == 0 || end - p < n)
            return false;
        for (int k = 1; k < n; k++)
            if ((p[k] & 0xC0) != 0x80)
                return false;
        const unsigned second = n > 2 ? p[1] : 0x90;
        if ((*p == 0xE0 && second < 0xA0) || (*p == 0xED && second >= 0xA0) || (*p == 0xF0 && second < 0x90) ||
            (*p == 0xF4 && second >= 0x90))
            return false;
        p += n;
    }
    return true;
}
