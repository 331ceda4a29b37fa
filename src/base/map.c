/* See map.h. Entries lie in one array in insertion order; the table holds their indices + 1. */
#include "base/map.h"

typedef struct entry {
    char *key;
    void *value;
    uint64_t hash;
} entry;

struct krti_map {
    krt_ctx *k;
    entry *entries;
    size_t n, capacity;
    uint32_t *slots; /* a power of two of them; 0 is empty */
    size_t num_slots;
};

/* FNV-1a, seeded per context and finished with an avalanche. */
static uint64_t hash_text(const krti_map *m, const char *text)
{
    uint64_t h = 0xCBF29CE484222325u ^ m->k->seed;

    for (; *text != '\0'; text++)
        h = (h ^ (unsigned char)*text) * 0x100000001B3u;
    h ^= h >> 32;
    h *= 0xD6E8FEB86659FD93u;
    return h ^ (h >> 32);
}

static uint32_t *find_slot(const krti_map *m, const char *key, uint64_t hash)
{
    size_t i = (size_t)hash & (m->num_slots - 1);

    for (; m->slots[i] != 0; i = (i + 1) & (m->num_slots - 1)) {
        const entry *e = &m->entries[m->slots[i] - 1];

        if (e->hash == hash && strcmp(e->key, key) == 0)
            break;
    }
    return &m->slots[i];
}

static krt_status rehash(krti_map *m, size_t num_slots)
{
    uint32_t *slots = krti_array(m->k, num_slots, sizeof *slots);

    if (slots == NULL)
        return KRT_E_NOMEM;
    krti_free(m->k, m->slots);
    m->slots = slots;
    m->num_slots = num_slots;
    for (size_t i = 0; i < m->n; i++)
        *find_slot(m, m->entries[i].key, m->entries[i].hash) = (uint32_t)(i + 1);
    return KRT_OK;
}

krti_map *krti_map_new(krt_ctx *k)
{
    krti_map *m = krti_alloc(k, sizeof *m);

    if (m == NULL)
        return NULL;
    m->k = k;
    if (rehash(m, 16) != KRT_OK) {
        krti_free(k, m);
        return NULL;
    }
    return m;
}

void krti_map_free(krti_map *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->n; i++)
        krti_free(m->k, m->entries[i].key);
    krti_free(m->k, m->entries);
    krti_free(m->k, m->slots);
    krti_free(m->k, m);
}

krt_status krti_map_set(krti_map *m, const char *key, void *value)
{
    const uint64_t hash = hash_text(m, key);
    uint32_t *slot = find_slot(m, key, hash);
    krt_status st = KRT_OK;

    if (*slot != 0) {
        m->entries[*slot - 1].value = value;
        return KRT_OK;
    }
    if (m->n >= UINT32_MAX / 2)
        return krti_fail(m->k, KRT_E_NOMEM, NULL, "too many entries in one map");
    if ((m->n + 1) * 2 > m->num_slots && (st = rehash(m, m->num_slots * 2)) != KRT_OK)
        return st;
    st = krti_grow(m->k, &m->entries, &m->capacity, m->n + 1, sizeof *m->entries);
    if (st != KRT_OK)
        return st;
    char *copy = krti_strdup(m->k, key);
    if (copy == NULL)
        return KRT_E_NOMEM;
    m->entries[m->n] = (entry){copy, value, hash};
    m->n++;
    *find_slot(m, key, hash) = (uint32_t)m->n;
    return KRT_OK;
}

static const entry *find(const krti_map *m, const char *key)
{
    if (m == NULL || key == NULL)
        return NULL;
    const uint32_t *slot = find_slot(m, key, hash_text(m, key));

    return *slot != 0 ? &m->entries[*slot - 1] : NULL;
}

void *krti_map_get(const krti_map *m, const char *key)
{
    const entry *e = find(m, key);

    return e != NULL ? e->value : NULL;
}

bool krti_map_has(const krti_map *m, const char *key)
{
    return find(m, key) != NULL;
}

size_t krti_map_num(const krti_map *m)
{
    return m != NULL ? m->n : 0;
}

const char *krti_map_key_at(const krti_map *m, size_t i)
{
    return m->entries[i].key;
}

void *krti_map_value_at(const krti_map *m, size_t i)
{
    return m->entries[i].value;
}
