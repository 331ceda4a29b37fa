/* See utf8.h. */
#include "base/utf8.h"

size_t krti_utf8_length(const char *text, const char *end)
{
    const unsigned char *p = (const unsigned char *)text;
    const size_t left = (size_t)(end - text);
    const size_t n = p[0] < 0x80 ? 1 : p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;

    if (n == 0 || p[0] > 0xF4 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) ||
        (p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F))
        return 0;
    return n;
}

uint32_t krti_utf8_next(const char **text, const char *end)
{
    const size_t n = krti_utf8_length(*text, end);
    const unsigned char *p = (const unsigned char *)*text;
    uint32_t c = n < 2 ? p[0] : p[0] & (0x7Fu >> n);

    for (size_t i = 1; i < n; i++)
        c = c << 6 | (p[i] & 0x3Fu);
    *text += n > 0 ? n : 1;
    return n > 0 ? c : UINT32_MAX;
}

size_t krti_utf8_put(char *to, uint32_t c)
{
    static const unsigned char first[] = {0, 0, 0xC0, 0xE0, 0xF0};
    const size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        return 0;
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        to[i] = (char)(0x80 | (c & 0x3F));
    to[0] = (char)(first[n == 1 ? 0 : n] | c);
    return n;
}
