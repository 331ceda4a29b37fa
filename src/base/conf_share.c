/* Config trees in which equal parts are one and the same.
 *
 * A model's config says "DTypePolicy" and "GlorotUniform" once a layer, with every key spelled out. Each
 * node is looked up by its kind and content; the parts of a container are shared before it, so that
 * equal content means equal pointers. */
#include "base/conf.h"

struct krti_sharing {
    krt_ctx *k;
    krti_arena *arena;
    krti_conf **slots; /* a power of two of them, at least half of them empty */
    size_t num_slots, n;
    krti_conf **items; /* of the containers under way, innermost last */
    const char **keys;
    size_t top, items_capacity, keys_capacity;
};

krti_sharing *krti_sharing_new(krti_arena *arena)
{
    krti_sharing *s = krti_alloc(arena->k, sizeof *s);

    if (s == NULL)
        return NULL;
    s->k = arena->k;
    s->arena = arena;
    return s;
}

void krti_sharing_free(krti_sharing *s)
{
    if (s == NULL)
        return;
    krti_free(s->k, s->slots);
    krti_free(s->k, s->items);
    krti_free(s->k, s->keys);
    krti_free(s->k, s);
}

/* ------------------------------------------------------------------------------- content */

static bool is_container(const krti_conf *c)
{
    return c->kind == KRTI_CONF_LIST || c->kind == KRTI_CONF_DICT;
}

static uint64_t mix(uint64_t h, const void *data, size_t size)
{
    const unsigned char *p = data;
    uint64_t word = 0;

    for (; size >= sizeof word; p += sizeof word, size -= sizeof word) {
        memcpy(&word, p, sizeof word);
        h = (h ^ word) * 0x9E3779B97F4A7C15u;
        h ^= h >> 32;
    }
    for (; size > 0; p++, size--)
        h = (h ^ *p) * 0x100000001B3u;
    return h ^ (h >> 29);
}

static uint64_t hash_of(const krti_sharing *s, const krti_conf *c)
{
    uint64_t h = mix(s->k->seed, &c->kind, sizeof c->kind);

    switch (c->kind) {
    case KRTI_CONF_BOOL:
        return mix(h, &c->as.boolean, sizeof c->as.boolean);
    case KRTI_CONF_INT:
        return mix(h, &c->as.integer, sizeof c->as.integer);
    case KRTI_CONF_FLOAT:
        return mix(h, &c->as.real, sizeof c->as.real);
    case KRTI_CONF_STRING:
        return mix(h, c->as.string.text, c->as.string.length);
    case KRTI_CONF_DICT:
        h = mix(h, c->as.list.keys, c->as.list.n * sizeof(char *));
        return mix(h, c->as.list.items, c->as.list.n * sizeof(krti_conf *));
    case KRTI_CONF_LIST:
        return mix(h, c->as.list.items, c->as.list.n * sizeof(krti_conf *));
    default:
        return h;
    }
}

static bool same_bytes(const void *a, const void *b, size_t size)
{
    return size == 0 || memcmp(a, b, size) == 0;
}

/* Of containers whose parts are shared. Numbers by their bits: -0.0 is not 0.0. */
static bool is_same(const krti_conf *a, const krti_conf *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case KRTI_CONF_BOOL:
        return a->as.boolean == b->as.boolean;
    case KRTI_CONF_INT:
        return a->as.integer == b->as.integer;
    case KRTI_CONF_FLOAT:
        return same_bytes(&a->as.real, &b->as.real, sizeof a->as.real);
    case KRTI_CONF_STRING:
        return a->as.string.length == b->as.string.length &&
               same_bytes(a->as.string.text, b->as.string.text, a->as.string.length);
    case KRTI_CONF_LIST:
    case KRTI_CONF_DICT:
        return a->as.list.n == b->as.list.n &&
               same_bytes(a->as.list.items, b->as.list.items, a->as.list.n * sizeof(krti_conf *)) &&
               (a->kind == KRTI_CONF_LIST ||
                same_bytes(a->as.list.keys, b->as.list.keys, a->as.list.n * sizeof(char *)));
    default:
        return true;
    }
}

/* ------------------------------------------------------------------------------- the table */

static krti_conf **slot_of(const krti_sharing *s, const krti_conf *c)
{
    size_t i = (size_t)hash_of(s, c) & (s->num_slots - 1);

    while (s->slots[i] != NULL && !is_same(s->slots[i], c))
        i = (i + 1) & (s->num_slots - 1);
    return &s->slots[i];
}

static krt_status make_room(krti_sharing *s)
{
    enum { FIRST = 1024 };
    const size_t old_num = s->num_slots;
    krti_conf **const old = s->slots;

    if ((s->n + 1) * 2 <= old_num)
        return KRT_OK;
    s->slots = krti_array(s->k, old_num > 0 ? old_num * 2 : FIRST, sizeof(krti_conf *));
    if (s->slots == NULL) {
        s->slots = old;
        return KRT_E_NOMEM;
    }
    s->num_slots = old_num > 0 ? old_num * 2 : FIRST;
    for (size_t i = 0; i < old_num; i++)
        if (old[i] != NULL)
            *slot_of(s, old[i]) = old[i];
    krti_free(s->k, old);
    return KRT_OK;
}

static void *kept(krti_sharing *s, const void *data, size_t n, size_t size)
{
    void *copy = krti_arena_array(s->arena, n, size);

    if (copy != NULL && n > 0)
        memcpy(copy, data, n * size);
    return copy;
}

/* The node of this content; NULL: out of memory. */
static krti_conf *find_or_keep(krti_sharing *s, const krti_conf *c)
{
    if (make_room(s) != KRT_OK)
        return NULL;
    krti_conf **slot = slot_of(s, c), *copy = NULL;
    if (*slot != NULL)
        return *slot;
    copy = kept(s, c, 1, sizeof *c);
    if (copy == NULL)
        return NULL;
    if (is_container(c)) {
        copy->as.list.capacity = c->as.list.n;
        copy->as.list.items = kept(s, c->as.list.items, c->as.list.n, sizeof(krti_conf *));
        copy->as.list.keys = c->kind == KRTI_CONF_DICT
                                 ? kept(s, c->as.list.keys, c->as.list.n, sizeof(char *))
                                 : NULL;
        if (copy->as.list.items == NULL ||
            (c->kind == KRTI_CONF_DICT && copy->as.list.keys == NULL))
            return NULL;
    } else if (c->kind == KRTI_CONF_STRING) {
        copy->as.string.text = krti_arena_strndup(s->arena, c->as.string.text, c->as.string.length);
        if (copy->as.string.text == NULL)
            return NULL;
    }
    s->n++;
    return *slot = copy;
}

/* ------------------------------------------------------------------------------- the tree */

static const char *share_key(krti_sharing *s, const char *key)
{
    const krti_conf text = {.kind = KRTI_CONF_STRING, .as.string = {key, strlen(key)}};

    return krti_conf_text(find_or_keep(s, &text));
}

static krti_conf *share(krti_sharing *s, const krti_conf *c);

static krti_conf *share_container(krti_sharing *s, const krti_conf *c)
{
    const size_t first = s->top, n = c->as.list.n;
    krti_conf whole = {.kind = c->kind};

    if (krti_grow(s->k, &s->items, &s->items_capacity, first + n, sizeof *s->items) != KRT_OK ||
        krti_grow(s->k, &s->keys, &s->keys_capacity, first + n, sizeof *s->keys) != KRT_OK)
        return NULL;
    s->top = first + n;
    for (size_t i = 0; i < n; i++) {
        krti_conf *item = share(s, c->as.list.items[i]);
        const char *key = c->kind == KRTI_CONF_DICT ? share_key(s, c->as.list.keys[i]) : NULL;

        if (item == NULL || (c->kind == KRTI_CONF_DICT && key == NULL))
            return NULL;
        s->items[first + i] = item;
        s->keys[first + i] = key;
    }
    s->top = first;
    whole.as.list.n = (uint32_t)n;
    whole.as.list.items = n > 0 ? s->items + first : NULL;
    whole.as.list.keys = n > 0 && c->kind == KRTI_CONF_DICT ? s->keys + first : NULL;
    return find_or_keep(s, &whole);
}

static krti_conf *share(krti_sharing *s, const krti_conf *c)
{
    return is_container(c) ? share_container(s, c) : find_or_keep(s, c);
}

const krti_conf *krti_conf_shared(krti_sharing *s, const krti_conf *c)
{
    s->top = 0;
    return share(s, c);
}
