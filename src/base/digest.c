/* XXH3-128 and SHA-256 behind one hasher. See digest.h. */
#include "base/digest.h"

#include "base/digest_avx2.h"
#include "base/sha256.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

struct krti_hasher {
    krt_ctx *k;
    krt_digest kind;
    krti_sha256 sha256;
    XXH3_state_t *xxh3; /* wants 64-byte alignment, which krti_alloc gives */
};

static const struct {
    const char *name;
    size_t digits;
} kinds[] = {
    [KRT_DIGEST_NONE] = {NULL, 0},
    [KRT_DIGEST_XXH3_128] = {"xxh3-128", 32},
    [KRT_DIGEST_SHA256] = {"sha256", 64},
};

static void start(krti_hasher *h)
{
    if (h->kind == KRT_DIGEST_SHA256)
        krti_sha256_start(&h->sha256);
    else
        XXH3_128bits_reset(h->xxh3);
}

krt_status krti_hasher_new(krt_ctx *k, krti_hasher **out, krt_digest kind)
{
    krti_hasher *h = krti_alloc(k, sizeof *h);

    *out = NULL;
    if (h == NULL)
        return KRT_E_NOMEM;
    h->k = k;
    h->kind = kind;
    h->xxh3 = kind == KRT_DIGEST_XXH3_128 ? krti_alloc(k, sizeof *h->xxh3) : NULL;
    if (kind == KRT_DIGEST_XXH3_128 && h->xxh3 == NULL) {
        krti_hasher_free(h);
        return KRT_E_NOMEM;
    }
    start(h);
    *out = h;
    return KRT_OK;
}

void krti_hasher_free(krti_hasher *h)
{
    if (h == NULL)
        return;
    krti_free(h->k, h->xxh3);
    krti_free(h->k, h);
}

static void update_xxh3(XXH3_state_t *state, const void *data, size_t size)
{
#ifdef KERATIN_HAVE_X86_ISAS
    if (__builtin_cpu_supports("avx2")) {
        krti_xxh3_update_avx2(state, data, size);
        return;
    }
#endif
    XXH3_128bits_update(state, data, size);
}

void krti_hasher_update(krti_hasher *h, const void *data, size_t size)
{
    if (size == 0)
        return;
    if (h->kind == KRT_DIGEST_SHA256)
        krti_sha256_update(&h->sha256, data, size);
    else
        update_xxh3(h->xxh3, data, size);
}

const char *krti_hasher_end(krti_hasher *h, char text[KRTI_DIGEST_TEXT])
{
    unsigned char bytes[32];
    XXH128_canonical_t canonical;
    const size_t num = kinds[h->kind].digits / 2;
    int at = snprintf(text, KRTI_DIGEST_TEXT, "%s:", kinds[h->kind].name);

    if (h->kind == KRT_DIGEST_SHA256) {
        krti_sha256_end(&h->sha256, bytes);
    } else {
        XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(h->xxh3));
        memcpy(bytes, canonical.digest, sizeof canonical.digest);
    }
    for (size_t i = 0; i < num; i++)
        at += snprintf(text + at, KRTI_DIGEST_TEXT - (size_t)at, "%02x", bytes[i]);
    start(h);
    return text;
}

const char *krti_digest_name(krt_digest kind)
{
    return (size_t)kind < KRTI_COUNT(kinds) ? kinds[kind].name : NULL;
}

krt_status krti_digest_choose(krt_ctx *k, krt_digest *kind, const char *keeps_none)
{
    const char *name = krti_digest_name(*kind);

    if (*kind == KRT_DIGEST_DEFAULT)
        *kind = keeps_none != NULL ? KRT_DIGEST_NONE : KRT_DIGEST_XXH3_128;
    else if (name == NULL && *kind != KRT_DIGEST_NONE)
        return krti_fail(k, KRT_E_INVALID, NULL, "%d is no kind of digest", (int)*kind);
    else if (name != NULL && keeps_none != NULL)
        return krti_fail(
            k, KRT_E_INVALID, NULL,
            "%s keeps no digests, %s was asked for; keras, keras-dir, h5, weights.h5, "
            "legacy-weights.h5 and weights.json do. For other forms keep a list aside: "
            "keratin verify FILE --write-digests LIST",
            keeps_none, name);
    return KRT_OK;
}

krt_digest krti_digest_kind_of(const char *text)
{
    const char *const digits = strchr(text, ':');

    for (size_t i = 1; digits != NULL && i < KRTI_COUNT(kinds); i++)
        if (strncmp(text, kinds[i].name, (size_t)(digits - text)) == 0 &&
            kinds[i].name[digits - text] == '\0' && strlen(digits + 1) == kinds[i].digits &&
            strspn(digits + 1, "0123456789abcdef") == kinds[i].digits)
            return (krt_digest)i;
    return KRT_DIGEST_NONE;
}

void krti_hash128(uint64_t out[2], const void *data, size_t size)
{
    const XXH128_hash_t hash = XXH3_128bits(data, size);

    out[0] = hash.low64;
    out[1] = hash.high64;
}
