/* The long middle of digest.c's XXH3, the same header compiled for processors with AVX2
 * (cmake/Kernels.cmake): it takes twice as many bytes in an instruction. The state is laid out alike. */
#include "base/digest_avx2.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

void krti_xxh3_update_avx2(void *state, const void *data, size_t size)
{
    XXH3_128bits_update(state, data, size);
}
