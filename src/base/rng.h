/* A counter-based generator: Threefry-2x32 with 20 rounds, the one JAX uses (Salmon et al., 2011).
 *
 * A stream is a key; its i-th pair of words depends on the key and i alone. Drawing in parallel or
 * again gives the same numbers, and there is no state to save but a counter. */
#ifndef KRTI_BASE_RNG_H
#define KRTI_BASE_RNG_H

#include "base/ctx.h"

typedef struct krti_rng {
    uint32_t key[2];
    uint64_t counter; /* of the next block */
    uint32_t spare;   /* the second word of the last block */
    bool has_spare;
} krti_rng;

/* --- numbers by position, as JAX draws them -------------------------------------------------- */
/* The i-th word of the array that jax.random.bits(key, ..., "uint32") gives (its threefry is
 * "partitionable", the default): no order, no state. */
uint32_t krti_random_bits(const uint32_t key[2], uint64_t i);
/* The same words as jax.random.uniform, normal and truncated_normal (from -2 to 2) make numbers of
 * them, in float32. uniform is bit for bit JAX's; of the others 99 in 100 are, the rest differ in
 * the last bits, where XLA's logarithm is not the C library's. */
float krti_random_uniform(uint32_t bits, float low, float high);
float krti_random_normal(uint32_t bits);
float krti_random_truncated_normal(uint32_t bits);

/* --- streams --------------------------------------------------------------------------------- */
/* One block: two words of key and two of counter to two random words. */
void krti_threefry2x32(const uint32_t key[2], const uint32_t counter[2], uint32_t out[2]);

/* A stream for this seed. */
krti_rng krti_rng_seeded(uint64_t seed);
/* The context's next stream: what a seed of None means. */
krti_rng krti_rng_next(krt_ctx *k);

uint32_t krti_rng_u32(krti_rng *r);

#endif
