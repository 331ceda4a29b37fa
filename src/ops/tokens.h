/* Texts taken apart without memory: a token is a piece of its text that is standardized while it is
 * read, and is looked for by a hash that goes along. For vocabulary.c and the kernels. */
#ifndef KRTI_OPS_TOKENS_H
#define KRTI_OPS_TOKENS_H

#include "ops/text.h"

/* FNV-1a, a byte at a time, from where the context says: a file must not be able to choose collisions. */
static inline uint64_t krti_token_hash_start(const krti_vocabulary *v)
{
    return UINT64_C(0xcbf29ce484222325) ^ v->arena.k->seed;
}
static inline uint64_t krti_token_hash(uint64_t h, unsigned char byte)
{
    return (h ^ byte) * UINT64_C(0x100000001b3);
}
typedef bool (*krti_token_equal)(const void *user, krt_string token);
int64_t krti_vocabulary_find_hash(const krti_vocabulary *v, uint64_t hash, krti_token_equal equal,
                                  const void *user);

/* A place in a row of texts. */
typedef struct krti_tokens {
    const krti_vectorizer *v;
    const krt_string *row;
    int64_t k, text; /* which of the k texts is read */
    const unsigned char *at;
} krti_tokens;

/* A token, or an n-gram of `num` of them, which are joined by spaces. */
typedef struct krti_gram {
    krti_tokens from;
    int64_t num;
} krti_gram;

void krti_tokens_init(krti_tokens *t, const krti_vectorizer *v, const krt_string *row, int64_t k);
/* Past the next token; false at the end. */
bool krti_tokens_skip(krti_tokens *t);

/* All tokens of a row, width after width. */
typedef struct krti_grams {
    krti_tokens start;
    int64_t num_tokens;
    int width;
    int64_t index;
    krti_tokens at;
} krti_grams;
void krti_grams_init(krti_grams *g, const krti_vectorizer *v, const krt_string *row, int64_t k);
bool krti_grams_next(krti_grams *g, krti_gram *out);
int64_t krti_grams_count(const krti_grams *g);
/* Its index in the vocabulary; -1: none. */
int64_t krti_gram_find(const krti_gram *gram, const krti_vocabulary *v);
/* Whether it is this token. */
bool krti_gram_equal(const void *gram, krt_string token);
krt_status krti_gram_text(const krti_gram *gram, krti_str *s);

#endif
