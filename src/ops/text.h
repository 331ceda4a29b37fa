/* Strings and what becomes of them: tokens, vocabularies, numbers. Keras: layers/preprocessing,
 * index_lookup.py, text_vectorization.py, hashing.py, hashed_crossing.py, as TensorFlow runs them.
 *
 * Strings live in front of the first operation on numbers: only what stands here, and a reshape,
 * takes a KRT_STRING. The reference kernels are the only ones; there is nothing to derive. */
#ifndef KRTI_OPS_TEXT_H
#define KRTI_OPS_TEXT_H

#include "base/arena.h"
#include "ops/graph.h"

/* Distinct tokens in the order in which they came. An integer is the token of its eight bytes. */
typedef struct krti_vocabulary {
    krti_arena arena;
    krt_string *tokens;
    size_t n, capacity;
    uint32_t *slots; /* by hash: a token's index + 1; 0: free */
    size_t num_slots;
} krti_vocabulary;

krt_status krti_vocabulary_new(krt_ctx *k, krti_vocabulary **out);
void krti_vocabulary_free(krti_vocabulary *v); /* NULL allowed */
/* The token's index; a new one, with a copy of its bytes, comes last. */
krt_status krti_vocabulary_add(krti_vocabulary *v, krt_string token, size_t *index);
int64_t krti_vocabulary_find(const krti_vocabulary *v, krt_string token); /* -1: none */

/* What hashes into buckets: the remainder of integers, Fingerprint64, SipHash. */
typedef enum krti_buckets { KRTI_FLOORMOD = 0, KRTI_FARMHASH, KRTI_SIPHASH } krti_buckets;

/* From tokens to numbers, or back. Numbers begin with the mask, where there is one, and the buckets
 * of unknown tokens. The layer keeps it; a graph only refers to it. */
typedef struct krti_lookup {
    const krti_vocabulary *vocabulary; /* NULL: none yet, a run fails */
    krt_dtype dtype;                   /* of tokens: KRT_STRING or KRT_INT64 */
    bool invert;
    const krt_string *mask; /* NULL: none */
    int64_t mask_number;    /* what it becomes; INT64_MAX where it counts for nothing */
    const krt_string *oov;  /* what unknown numbers become */
    int64_t oov_start, num_oov;
    krti_buckets buckets;
    uint64_t key[2];
} krti_lookup;

typedef enum krti_text_split {
    KRTI_SPLIT_NONE = 0,
    KRTI_SPLIT_WHITESPACE,
    KRTI_SPLIT_CHARACTER
} krti_text_split;

typedef struct krti_vectorizer {
    bool lower, strip; /* ASCII letters; ASCII punctuation: what TensorFlow's functions do */
    krti_text_split split;
    int num_widths; /* of n-grams, which follow each other; 0: tokens as they are */
    int64_t widths[KRT_MAX_RANK];
    const krti_lookup *lookup;
} krti_vectorizer;

typedef struct krti_hasher {
    int64_t num_bins;
    const krt_string *mask; /* goes into bin 0, the others behind; NULL: none */
    krti_buckets buckets;
    uint64_t key[2];
} krti_hasher;

typedef enum krti_bag { KRTI_BAG_NONE = 0, KRTI_BAG_COUNT, KRTI_BAG_MULTI_HOT } krti_bag;

/* x of the lookup's dtype to KRT_INT64 of the same shape, or back. */
krt_value *krti_lookup_of(krti_graph *g, krt_value *x, const krti_lookup *lookup);
/* x (batch, k): the tokens of each row, in `size` numbers, cut or padded with 0; or, as a bag, how
 * often each number below `size` came. KRT_INT64. k is 1 where texts are split. */
krt_value *krti_vectorize(krti_graph *g, krt_value *x, const krti_vectorizer *v, int64_t size,
                          krti_bag bag);
/* How wide the result for the longest of these texts is, which must be an input of the graph: of those
 * in hand when the graph knows them (krti_graph.text_widths), else KRT_NONE. */
int64_t krti_text_width(krti_graph *g, const krt_value *x, const krti_vectorizer *v);
/* Strings and integers into bins. */
krt_value *krti_hash_of(krti_graph *g, krt_value *x, const krti_hasher *h);
/* Strings and integers of one shape, joined. */
krt_value *krti_cross(krti_graph *g, krt_value *const *x, size_t n, int64_t num_bins);

/* How many tokens a row of `k` strings has, and each of them, in order: for adapt(). `token` is
 * written into `s`, which is emptied first. */
int64_t krti_vectorizer_count(const krti_vectorizer *v, const krt_string *row, int64_t k);
typedef krt_status (*krti_token_fn)(void *user, krt_string token);
krt_status krti_vectorizer_each(const krti_vectorizer *v, const krt_string *row, int64_t k,
                                krti_str *s, krti_token_fn fn, void *user);

#endif
