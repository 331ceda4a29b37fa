/* XXH3 for processors with AVX2; digest.c alone asks for it, and only of those. */
#ifndef KRTI_BASE_DIGEST_AVX2_H
#define KRTI_BASE_DIGEST_AVX2_H

#include <stddef.h>

/* XXH3_128bits_update() on an XXH3_state_t. */
void krti_xxh3_update_avx2(void *state, const void *data, size_t size);

#endif
