/* The two hashes of bytes that TensorFlow sorts strings into buckets with: FarmHash's Fingerprint64
 * (tf.strings.to_hash_bucket_fast, tf.sparse.cross_hashed) and SipHash-2-4 with a key
 * (to_hash_bucket_strong). Files hold what was learned behind them, so every bit counts. */
#ifndef KRTI_BASE_HASH64_H
#define KRTI_BASE_HASH64_H

#include <stddef.h>
#include <stdint.h>

uint64_t krti_fingerprint64(const void *data, size_t size);
/* Of two fingerprints one: TensorFlow's FingerprintCat64. */
uint64_t krti_fingerprint64_cat(uint64_t a, uint64_t b);
uint64_t krti_siphash(const uint64_t key[2], const void *data, size_t size);

#endif
