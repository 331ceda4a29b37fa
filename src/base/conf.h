/* The config tree: what Keras's get_config() returns and from_config() takes, as data.
 *
 * It lives in base because layers describe themselves with it and only the formats floor turns it
 * into text and back (formats/json.h). Nodes come from an arena and are never freed one by one. A
 * dict keeps insertion order; of duplicate keys the last one counts, as in Python. */
#ifndef KRTI_BASE_CONF_H
#define KRTI_BASE_CONF_H

#include "base/arena.h"

typedef enum krti_conf_kind {
    KRTI_CONF_NULL = 0,
    KRTI_CONF_BOOL,
    KRTI_CONF_INT,
    KRTI_CONF_FLOAT,
    KRTI_CONF_STRING,
    KRTI_CONF_LIST,
    KRTI_CONF_DICT
} krti_conf_kind;

typedef struct krti_conf krti_conf;
struct krti_conf {
    krti_conf_kind kind;
    union {
        bool boolean;
        int64_t integer;
        double real;
        struct {
            const char *text; /* terminated; may hold inner NULs, then length says more */
            size_t length;
        } string;
        struct {
            krti_conf **items;
            const char **keys;    /* dict only */
            uint32_t n, capacity; /* not sizes: models have ten thousands of these */
        } list;
    } as;
};

/* Makers; NULL when memory is short (recorded). */
krti_conf *krti_conf_null(krti_arena *a);
krti_conf *krti_conf_bool(krti_arena *a, bool value);
krti_conf *krti_conf_int(krti_arena *a, int64_t value);
krti_conf *krti_conf_float(krti_arena *a, double value);
krti_conf *krti_conf_string(krti_arena *a, const char *text);
krti_conf *krti_conf_string_n(krti_arena *a, const char *text, size_t length);
krti_conf *krti_conf_list(krti_arena *a);
krti_conf *krti_conf_dict(krti_arena *a);
krt_status krti_conf_add(krti_arena *a, krti_conf *list, krti_conf *item);
krt_status krti_conf_set(krti_arena *a, krti_conf *dict, const char *key, krti_conf *value);
/* The same for a key that the dict does not have: nothing is searched. */
krt_status krti_conf_append(krti_arena *a, krti_conf *dict, const char *key, krti_conf *value);
/* Takes the key out, order kept; nothing when absent. */
void krti_conf_remove(krti_conf *dict, const char *key);
krti_conf *krti_conf_copy(krti_arena *a, const krti_conf *c); /* deep; NULL gives a null node */
/* A dict of its own with the keys and items of another. */
krti_conf *krti_conf_view(krti_arena *a, const krti_conf *dict);

/* Deep copies, never to be changed, in which equal parts are one and the same, whichever trees they are
 * of: a fifth of the size (conf_share.c). */
typedef struct krti_sharing krti_sharing;
krti_sharing *krti_sharing_new(krti_arena *arena); /* where the copies are; NULL: E_NOMEM */
void krti_sharing_free(krti_sharing *s);           /* they stay; NULL allowed */
const krti_conf *krti_conf_shared(krti_sharing *s, const krti_conf *c); /* NULL: E_NOMEM */

/* Lookers. All take NULL and the wrong kind, and answer NULL, 0 or the fallback. */
const krti_conf *krti_conf_get(const krti_conf *dict, const char *key);
const krti_conf *krti_conf_at(const krti_conf *list, size_t i);
size_t krti_conf_num(const krti_conf *list_or_dict);
const char *krti_conf_key_at(const krti_conf *dict, size_t i);
/* The next key in the order of sorted names, as Keras flattens dicts; NULL: the first, and the end. */
const char *krti_conf_key_after(const krti_conf *dict, const char *last);
bool krti_conf_is(const krti_conf *c, krti_conf_kind kind);
bool krti_conf_is_null(const krti_conf *c);     /* absent or null */
const char *krti_conf_text(const krti_conf *c); /* NULL unless a string */
const char *krti_conf_get_text(const krti_conf *dict, const char *key);
bool krti_conf_get_bool(const krti_conf *dict, const char *key, bool fallback);
int64_t krti_conf_get_int(const krti_conf *dict, const char *key, int64_t fallback);
/* A number as a double, an int as an int64 (floats with an integral value count). */
bool krti_conf_as_float(const krti_conf *c, double *value);
bool krti_conf_as_int(const krti_conf *c, int64_t *value);
bool krti_conf_equal(const krti_conf *a, const krti_conf *b);

#endif
