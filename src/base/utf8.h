/* Characters of UTF-8, one at a time: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef KRTI_BASE_UTF8_H
#define KRTI_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the character at `text`, 0 when there is none. There is at least one byte. */
size_t krti_utf8_length(const char *text, const char *end);
/* The character at *text, stepping over it; UINT32_MAX, and one byte on, when there is none. */
uint32_t krti_utf8_next(const char **text, const char *end);
/* Writes a character, 4 bytes at most; 0: it is none. */
size_t krti_utf8_put(char *to, uint32_t character);

#endif
