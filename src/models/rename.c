/* Applying rules of names, the first that fits. See rename.h. */
#include "models/rename.h"

krt_status krti_rename_check(krt_ctx *k, const krt_names *rules)
{
    for (size_t i = 0; i < rules->n; i++) {
        const char *rule = rules->items[i], *equals = strchr(rule, '=');
        size_t left = 0, right = 0;

        for (const char *p = rule; *p != '\0'; p++)
            *(equals != NULL && p > equals ? &right : &left) += *p == '*';
        if (equals == NULL || equals == rule || equals[1] == '\0' || left > 1 || right > left ||
            strchr(equals + 1, '=') != NULL)
            return krti_fail(k, KRT_E_INVALID, NULL,
                             "\"%s\" is no rule; expected OLD=NEW with at most one * on each side, "
                             "such as \"old/*=new/*\"",
                             rule);
    }
    return KRT_OK;
}

/* What the star of the pattern stands for in the path; without one, the pattern may be followed by
 * "/...". False: the path is another. */
static bool fits(const char *pattern, size_t n, const char *path, const char **rest, size_t *length)
{
    const char *star = memchr(pattern, '*', n);
    const size_t size = strlen(path), before = star != NULL ? (size_t)(star - pattern) : n;
    const size_t after = star != NULL ? n - before - 1 : 0;

    if (size < before + after || memcmp(path, pattern, before) != 0)
        return false;
    *rest = path + before;
    *length = size - before - after;
    if (star == NULL)
        return size == n || path[n] == '/';
    return memcmp(path + size - after, star + 1, after) == 0;
}

krt_status krti_rename(krti_str *out, const krt_names *rules, const char *path)
{
    krti_str_clear(out);
    for (size_t i = 0; i < rules->n; i++) {
        const char *equals = strchr(rules->items[i], '='), *to = equals + 1;
        const char *star = strchr(to, '*'), *rest = NULL;
        size_t length = 0;

        if (!fits(rules->items[i], (size_t)(equals - rules->items[i]), path, &rest, &length))
            continue;
        if (star == NULL) {
            krti_str_add(out, to);
            if (memchr(rules->items[i], '*', (size_t)(equals - rules->items[i])) == NULL)
                krti_str_add_n(out, rest, length);
            return out->status;
        }
        krti_str_add_n(out, to, (size_t)(star - to));
        krti_str_add_n(out, rest, length);
        return krti_str_add(out, star + 1);
    }
    return krti_str_add(out, path);
}
