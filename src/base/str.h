/* A growable text whose failure sticks: append as often as you like, check once at the end. */
#ifndef KRTI_BASE_STR_H
#define KRTI_BASE_STR_H

#include "base/ctx.h"

typedef struct krti_str {
    krt_ctx *k;
    char *ptr; /* always terminated once anything was added; NULL before */
    size_t length, capacity;
    krt_status status; /* the first failure; later calls do nothing */
} krti_str;

#define KRTI_STR_INIT(ctx) \
    {                      \
        .k = (ctx)         \
    }

krt_status krti_str_add(krti_str *s, const char *text);
krt_status krti_str_add_n(krti_str *s, const char *text, size_t length);
krt_status krti_str_addf(krti_str *s, const char *format, ...) KRTI_PRINTF(2, 3);
/* `count` times the character c. */
krt_status krti_str_fill(krti_str *s, char c, size_t count);
/* Empties without giving memory back; clears a failure. */
void krti_str_clear(krti_str *s);
void krti_str_free(krti_str *s);
/* The text, "" when empty; valid until the next change. */
const char *krti_str_text(const krti_str *s);
/* Hands the memory to the caller (krti_free it) and empties s; NULL after a failure. */
char *krti_str_take(krti_str *s);

bool krti_starts_with(const char *text, const char *prefix);
bool krti_ends_with(const char *text, const char *suffix);
/* NULL is one of none. */
bool krti_is_one_of(const char *text, const char *const *list, size_t n);

#endif
