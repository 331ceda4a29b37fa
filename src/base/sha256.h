/* SHA-256 (FIPS 180-4), piece by piece. By itself only for digest.c; everybody else asks there.
 *
 * Ours, because it is a page, and the alternative is a crypto library that outweighs the rest. */
#ifndef KRTI_BASE_SHA256_H
#define KRTI_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct krti_sha256 {
    uint32_t state[8];
    uint64_t size; /* bytes so far */
    unsigned char rest[64];
} krti_sha256;

void krti_sha256_start(krti_sha256 *s);
void krti_sha256_update(krti_sha256 *s, const void *data, size_t size);
void krti_sha256_end(krti_sha256 *s, unsigned char digest[32]);

#endif
