/* Growing texts. See str.h for the failure that sticks. */
#include "base/str.h"

static krt_status reserve(krti_str *s, size_t extra)
{
    size_t need = 0;

    if (s->status != KRT_OK)
        return s->status;
    if (!krti_add_size(s->length, extra, &need) || !krti_add_size(need, 1, &need))
        s->status = krti_fail(s->k, KRT_E_NOMEM, NULL, "text too long");
    else
        s->status = krti_grow(s->k, &s->ptr, &s->capacity, need, 1);
    return s->status;
}

krt_status krti_str_add_n(krti_str *s, const char *text, size_t length)
{
    if (reserve(s, length) != KRT_OK)
        return s->status;
    memcpy(s->ptr + s->length, text, length);
    s->length += length;
    s->ptr[s->length] = '\0';
    return KRT_OK;
}

krt_status krti_str_add(krti_str *s, const char *text)
{
    return krti_str_add_n(s, text, strlen(text));
}

krt_status krti_str_addf(krti_str *s, const char *format, ...)
{
    enum { FIRST_TRY = 32 };
    va_list args;

    if (reserve(s, FIRST_TRY) != KRT_OK)
        return s->status;
    va_start(args, format);
    const int n = vsnprintf(s->ptr + s->length, s->capacity - s->length, format, args);
    va_end(args);
    if (n >= 0 && (size_t)n >= s->capacity - s->length) {
        s->ptr[s->length] = '\0';
        if (reserve(s, (size_t)n) != KRT_OK)
            return s->status;
        va_start(args, format);
        vsnprintf(s->ptr + s->length, (size_t)n + 1, format, args);
        va_end(args);
    }
    s->length += n > 0 ? (size_t)n : 0;
    s->ptr[s->length] = '\0';
    return KRT_OK;
}

krt_status krti_str_fill(krti_str *s, char c, size_t count)
{
    if (reserve(s, count) != KRT_OK)
        return s->status;
    memset(s->ptr + s->length, c, count);
    s->length += count;
    s->ptr[s->length] = '\0';
    return KRT_OK;
}

void krti_str_clear(krti_str *s)
{
    s->length = 0;
    s->status = KRT_OK;
    if (s->ptr != NULL)
        s->ptr[0] = '\0';
}

void krti_str_free(krti_str *s)
{
    if (s->k != NULL)
        krti_free(s->k, s->ptr);
    *s = (krti_str){.k = s->k};
}

const char *krti_str_text(const krti_str *s)
{
    return s->ptr != NULL ? s->ptr : "";
}

char *krti_str_take(krti_str *s)
{
    char *text = NULL;

    if (s->ptr == NULL)
        krti_str_add_n(s, "", 0);
    if (s->status == KRT_OK) {
        text = s->ptr;
        s->ptr = NULL;
    }
    krti_str_free(s);
    return text;
}

bool krti_starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool krti_ends_with(const char *text, const char *suffix)
{
    const size_t n = strlen(text), m = strlen(suffix);

    return n >= m && memcmp(text + n - m, suffix, m) == 0;
}

bool krti_is_one_of(const char *text, const char *const *list, size_t n)
{
    for (size_t i = 0; text != NULL && i < n; i++)
        if (strcmp(text, list[i]) == 0)
            return true;
    return false;
}
