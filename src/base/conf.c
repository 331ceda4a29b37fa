/* Building, finding and comparing nodes of config trees. See conf.h. */
#include "base/conf.h"

static krti_conf *make(krti_arena *a, krti_conf_kind kind)
{
    krti_conf *c = krti_arena_alloc(a, sizeof *c);

    if (c != NULL)
        c->kind = kind;
    return c;
}

krti_conf *krti_conf_null(krti_arena *a)
{
    return make(a, KRTI_CONF_NULL);
}

krti_conf *krti_conf_bool(krti_arena *a, bool value)
{
    krti_conf *c = make(a, KRTI_CONF_BOOL);

    if (c != NULL)
        c->as.boolean = value;
    return c;
}

krti_conf *krti_conf_int(krti_arena *a, int64_t value)
{
    krti_conf *c = make(a, KRTI_CONF_INT);

    if (c != NULL)
        c->as.integer = value;
    return c;
}

krti_conf *krti_conf_float(krti_arena *a, double value)
{
    krti_conf *c = make(a, KRTI_CONF_FLOAT);

    if (c != NULL)
        c->as.real = value;
    return c;
}

krti_conf *krti_conf_string_n(krti_arena *a, const char *text, size_t length)
{
    krti_conf *c = make(a, KRTI_CONF_STRING);

    if (c == NULL || (c->as.string.text = krti_arena_strndup(a, text, length)) == NULL)
        return NULL;
    c->as.string.length = length;
    return c;
}

krti_conf *krti_conf_string(krti_arena *a, const char *text)
{
    return krti_conf_string_n(a, text, strlen(text));
}

krti_conf *krti_conf_list(krti_arena *a)
{
    return make(a, KRTI_CONF_LIST);
}

krti_conf *krti_conf_dict(krti_arena *a)
{
    return make(a, KRTI_CONF_DICT);
}

static krt_status reserve(krti_arena *a, krti_conf *c, uint32_t wanted)
{
    krti_conf **items = krti_arena_array(a, wanted, sizeof *items);
    if (items == NULL)
        return KRT_E_NOMEM;
    if (c->as.list.n > 0)
        memcpy(items, c->as.list.items, c->as.list.n * sizeof *items);
    if (c->kind == KRTI_CONF_DICT) {
        const char **keys = krti_arena_array(a, wanted, sizeof *keys);

        if (keys == NULL)
            return KRT_E_NOMEM;
        if (c->as.list.n > 0)
            memcpy(keys, c->as.list.keys, c->as.list.n * sizeof *keys);
        c->as.list.keys = keys;
    }
    c->as.list.items = items;
    c->as.list.capacity = wanted;
    return KRT_OK;
}

/* Room for one more; the old arrays stay in the arena, at most as much again in all. */
static krt_status grow(krti_arena *a, krti_conf *c)
{
    if (c->as.list.n < c->as.list.capacity)
        return KRT_OK;
    if (c->as.list.n > UINT32_MAX / 2)
        return krti_fail(a->k, KRT_E_NOMEM, NULL,
                         "a config of more than two thousand million items");
    return reserve(a, c, c->as.list.capacity == 0 ? 4 : c->as.list.capacity * 2);
}

krt_status krti_conf_add(krti_arena *a, krti_conf *list, krti_conf *item)
{
    KRTI_ASSERT(list == NULL || list->kind == KRTI_CONF_LIST);
    if (list == NULL || item == NULL || grow(a, list) != KRT_OK)
        return KRT_E_NOMEM;
    list->as.list.items[list->as.list.n++] = item;
    return KRT_OK;
}

static bool find(const krti_conf *dict, const char *key, size_t *index)
{
    if (!krti_conf_is(dict, KRTI_CONF_DICT))
        return false;
    for (size_t i = 0; i < dict->as.list.n; i++) {
        if (strcmp(dict->as.list.keys[i], key) == 0) {
            *index = i;
            return true;
        }
    }
    return false;
}

krt_status krti_conf_append(krti_arena *a, krti_conf *dict, const char *key, krti_conf *value)
{
    char *copy = krti_arena_strdup(a, key);

    if (value == NULL || copy == NULL || grow(a, dict) != KRT_OK)
        return KRT_E_NOMEM;
    dict->as.list.keys[dict->as.list.n] = copy;
    dict->as.list.items[dict->as.list.n++] = value;
    return KRT_OK;
}

krt_status krti_conf_set(krti_arena *a, krti_conf *dict, const char *key, krti_conf *value)
{
    size_t i = 0;

    KRTI_ASSERT(dict == NULL || dict->kind == KRTI_CONF_DICT);
    if (dict == NULL || value == NULL)
        return KRT_E_NOMEM;
    if (!find(dict, key, &i))
        return krti_conf_append(a, dict, key, value);
    dict->as.list.items[i] = value;
    return KRT_OK;
}

void krti_conf_remove(krti_conf *dict, const char *key)
{
    size_t i = 0;

    if (!find(dict, key, &i))
        return;
    const size_t rest = dict->as.list.n - i - 1;
    memmove(&dict->as.list.items[i], &dict->as.list.items[i + 1], rest * sizeof(krti_conf *));
    memmove(&dict->as.list.keys[i], &dict->as.list.keys[i + 1], rest * sizeof(char *));
    dict->as.list.n--;
}

krti_conf *krti_conf_copy(krti_arena *a, const krti_conf *c)
{
    krti_conf *copy = NULL;

    if (c == NULL)
        return krti_conf_null(a);
    if (c->kind == KRTI_CONF_STRING)
        return krti_conf_string_n(a, c->as.string.text, c->as.string.length);
    copy = make(a, c->kind);
    if (copy == NULL)
        return NULL;
    if (krti_conf_num(c) > 0 && reserve(a, copy, c->as.list.n) != KRT_OK)
        return NULL;
    switch (c->kind) {
    case KRTI_CONF_LIST:
        for (size_t i = 0; i < c->as.list.n; i++)
            if (krti_conf_add(a, copy, krti_conf_copy(a, c->as.list.items[i])) != KRT_OK)
                return NULL;
        return copy;
    case KRTI_CONF_DICT:
        for (size_t i = 0; i < c->as.list.n; i++)
            if (krti_conf_append(a, copy, c->as.list.keys[i],
                                 krti_conf_copy(a, c->as.list.items[i])) != KRT_OK)
                return NULL;
        return copy;
    default:
        *copy = *c;
        return copy;
    }
}

krti_conf *krti_conf_view(krti_arena *a, const krti_conf *dict)
{
    krti_conf *view = krti_conf_dict(a);
    const uint32_t n = dict->as.list.n;

    KRTI_ASSERT(dict->kind == KRTI_CONF_DICT);
    if (view == NULL || n == 0)
        return view;
    if (reserve(a, view, n) != KRT_OK)
        return NULL;
    memcpy(view->as.list.items, dict->as.list.items, n * sizeof(krti_conf *));
    memcpy(view->as.list.keys, dict->as.list.keys, n * sizeof(char *));
    view->as.list.n = n;
    return view;
}

const krti_conf *krti_conf_get(const krti_conf *dict, const char *key)
{
    size_t i = 0;

    return find(dict, key, &i) ? dict->as.list.items[i] : NULL;
}

size_t krti_conf_num(const krti_conf *c)
{
    const bool holds = krti_conf_is(c, KRTI_CONF_LIST) || krti_conf_is(c, KRTI_CONF_DICT);

    return holds ? c->as.list.n : 0;
}

const krti_conf *krti_conf_at(const krti_conf *c, size_t i)
{
    return i < krti_conf_num(c) ? c->as.list.items[i] : NULL;
}

const char *krti_conf_key_at(const krti_conf *dict, size_t i)
{
    return krti_conf_is(dict, KRTI_CONF_DICT) && i < dict->as.list.n ? dict->as.list.keys[i] : NULL;
}

const char *krti_conf_key_after(const krti_conf *dict, const char *last)
{
    const char *next = NULL, *key;

    for (size_t i = 0; (key = krti_conf_key_at(dict, i)) != NULL; i++)
        if ((last == NULL || strcmp(key, last) > 0) && (next == NULL || strcmp(key, next) < 0))
            next = key;
    return next;
}

bool krti_conf_is(const krti_conf *c, krti_conf_kind kind)
{
    return c != NULL && c->kind == kind;
}

bool krti_conf_is_null(const krti_conf *c)
{
    return c == NULL || c->kind == KRTI_CONF_NULL;
}

const char *krti_conf_text(const krti_conf *c)
{
    return krti_conf_is(c, KRTI_CONF_STRING) ? c->as.string.text : NULL;
}

const char *krti_conf_get_text(const krti_conf *dict, const char *key)
{
    return krti_conf_text(krti_conf_get(dict, key));
}

bool krti_conf_get_bool(const krti_conf *dict, const char *key, bool fallback)
{
    const krti_conf *c = krti_conf_get(dict, key);

    return krti_conf_is(c, KRTI_CONF_BOOL) ? c->as.boolean : fallback;
}

int64_t krti_conf_get_int(const krti_conf *dict, const char *key, int64_t fallback)
{
    int64_t value = 0;

    return krti_conf_as_int(krti_conf_get(dict, key), &value) ? value : fallback;
}

bool krti_conf_as_float(const krti_conf *c, double *value)
{
    if (krti_conf_is(c, KRTI_CONF_FLOAT))
        *value = c->as.real;
    else if (krti_conf_is(c, KRTI_CONF_INT))
        *value = (double)c->as.integer;
    else
        return false;
    return true;
}

bool krti_conf_as_int(const krti_conf *c, int64_t *value)
{
    if (krti_conf_is(c, KRTI_CONF_INT)) {
        *value = c->as.integer;
        return true;
    }
    if (!krti_conf_is(c, KRTI_CONF_FLOAT) || !(fabs(c->as.real) < 9007199254740992.0) ||
        c->as.real != floor(c->as.real))
        return false;
    *value = (int64_t)c->as.real;
    return true;
}

static bool list_equal(const krti_conf *a, const krti_conf *b)
{
    if (a->as.list.n != b->as.list.n)
        return false;
    for (size_t i = 0; i < a->as.list.n; i++) {
        const krti_conf *other =
            a->kind == KRTI_CONF_DICT ? krti_conf_get(b, a->as.list.keys[i]) : b->as.list.items[i];

        if (other == NULL || !krti_conf_equal(a->as.list.items[i], other))
            return false;
    }
    return true;
}

bool krti_conf_equal(const krti_conf *a, const krti_conf *b)
{
    double x = 0, y = 0;

    if (krti_conf_as_float(a, &x) && krti_conf_as_float(b, &y))
        return x == y;
    if (krti_conf_is_null(a) || krti_conf_is_null(b))
        return krti_conf_is_null(a) && krti_conf_is_null(b);
    if (a->kind != b->kind)
        return false;
    if (a->kind == KRTI_CONF_BOOL)
        return a->as.boolean == b->as.boolean;
    if (a->kind == KRTI_CONF_STRING)
        return a->as.string.length == b->as.string.length &&
               memcmp(a->as.string.text, b->as.string.text, a->as.string.length) == 0;
    return list_equal(a, b);
}
