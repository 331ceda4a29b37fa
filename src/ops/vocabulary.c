/* A vocabulary: tokens by number and numbers by token. Open addressing, at most half full; what
 * hashes here never leaves the process, as in base/map.c. See text.h. */
#include "ops/tokens.h"

krt_status krti_vocabulary_new(krt_ctx *k, krti_vocabulary **out)
{
    *out = krti_alloc(k, sizeof **out);
    if (*out == NULL)
        return KRT_E_NOMEM;
    (*out)->arena = (krti_arena)KRTI_ARENA_INIT(k);
    return KRT_OK;
}

void krti_vocabulary_free(krti_vocabulary *v)
{
    if (v == NULL)
        return;
    krt_ctx *k = v->arena.k;

    krti_free(k, v->tokens);
    krti_free(k, v->slots);
    krti_arena_free(&v->arena);
    krti_free(k, v);
}

static uint64_t hash_of(const krti_vocabulary *v, krt_string token)
{
    uint64_t h = krti_token_hash_start(v);

    for (size_t i = 0; i < token.size; i++)
        h = krti_token_hash(h, (unsigned char)token.data[i]);
    return h;
}

static bool is_equal(const void *user, krt_string token)
{
    const krt_string *const wanted = user;

    return wanted->size == token.size &&
           (token.size == 0 || memcmp(wanted->data, token.data, token.size) == 0);
}

/* Where the token is, or where it would go. */
static size_t slot_of(const krti_vocabulary *v, uint64_t hash, krti_token_equal equal,
                      const void *user)
{
    const size_t mask = v->num_slots - 1;
    size_t i = 0;

    hash ^= hash >> 32;
    hash *= UINT64_C(0xD6E8FEB86659FD93);
    i = (size_t)(hash ^ hash >> 32) & mask;

    while (v->slots[i] != 0 && !equal(user, v->tokens[v->slots[i] - 1]))
        i = (i + 1) & mask;
    return i;
}

int64_t krti_vocabulary_find_hash(const krti_vocabulary *v, uint64_t hash, krti_token_equal equal,
                                  const void *user)
{
    return v->num_slots == 0 ? -1 : (int64_t)v->slots[slot_of(v, hash, equal, user)] - 1;
}

int64_t krti_vocabulary_find(const krti_vocabulary *v, krt_string token)
{
    return krti_vocabulary_find_hash(v, hash_of(v, token), is_equal, &token);
}

static krt_status grow(krti_vocabulary *v)
{
    const size_t num = v->num_slots == 0 ? 64 : v->num_slots * 2;
    uint32_t *slots = NULL;

    if (v->n < v->num_slots / 2)
        return KRT_OK;
    if (v->n >= UINT32_MAX / 4)
        return krti_fail(v->arena.k, KRT_E_UNSUPPORTED, NULL, "a vocabulary of %zu tokens", v->n);
    slots = krti_array(v->arena.k, num, sizeof *slots);
    if (slots == NULL)
        return KRT_E_NOMEM;
    krti_free(v->arena.k, v->slots);
    v->slots = slots;
    v->num_slots = num;
    for (size_t i = 0; i < v->n; i++)
        slots[slot_of(v, hash_of(v, v->tokens[i]), is_equal, &v->tokens[i])] = (uint32_t)i + 1;
    return KRT_OK;
}

krt_status krti_vocabulary_add(krti_vocabulary *v, krt_string token, size_t *index)
{
    krt_status st = KRT_OK;

    TRY(grow(v));
    const size_t slot = slot_of(v, hash_of(v, token), is_equal, &token);
    if (v->slots[slot] == 0) {
        TRY(krti_grow(v->arena.k, &v->tokens, &v->capacity, v->n + 1, sizeof *v->tokens));
        token.data = krti_arena_strndup(&v->arena, token.size > 0 ? token.data : "", token.size);
        TRY(token.data != NULL ? KRT_OK : KRT_E_NOMEM);
        v->tokens[v->n] = token;
        v->slots[slot] = (uint32_t)++v->n;
    }
    *index = v->slots[slot] - 1;

done:
    return st;
}
