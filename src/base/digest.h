/* Digests of bytes that come piece by piece, as text: "xxh3-128:" or "sha256:" and hex digits.
 *
 * XXH3-128 finds accidents (a flipped bit, a shard of another save) at the speed of memory; SHA-256
 * is for when somebody may have tampered. XXH3 is the header of Debian's libxxhash, inlined here
 * and nowhere else: its 128-bit form is several hundred lines whose worth lies in being everybody
 * else's too, and a header adds no library to load. */
#ifndef KRTI_BASE_DIGEST_H
#define KRTI_BASE_DIGEST_H

#include "base/ctx.h"

enum { KRTI_DIGEST_TEXT = 72 }; /* the longest text, terminated */

typedef struct krti_hasher krti_hasher;

/* Ready for the first bytes. `kind` is not KRT_DIGEST_NONE. */
krt_status krti_hasher_new(krt_ctx *k, krti_hasher **out, krt_digest kind);
void krti_hasher_free(krti_hasher *h); /* NULL allowed */
void krti_hasher_update(krti_hasher *h, const void *data, size_t size);
/* Writes the digest of all bytes so far as text and starts again. Returns the text. */
const char *krti_hasher_end(krti_hasher *h, char text[KRTI_DIGEST_TEXT]);

/* Makes of KRT_DIGEST_DEFAULT what it means for a form. `keeps_none`: the name of one that keeps no
 * digests, or NULL. Fails: E_INVALID, for one of those and for what is no kind. */
krt_status krti_digest_choose(krt_ctx *k, krt_digest *kind, const char *keeps_none);

/* "xxh3-128", "sha256"; NULL for KRT_DIGEST_NONE and what is no kind. */
const char *krti_digest_name(krt_digest kind);
/* The kind of a text with digits of the right number, lower case; KRT_DIGEST_NONE for any other. */
krt_digest krti_digest_kind_of(const char *text);

/* 128 bits of XXH3 in one call: for keys and sums that stay in memory. */
void krti_hash128(uint64_t out[2], const void *data, size_t size);

#endif
