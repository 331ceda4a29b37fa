/* See crc_fold.h. Four registers of 256 bits hold 128 bytes: each is multiplied ahead to where the next block
 * lies and added to it, so that no product waits for the one before. */
#include "formats/crc_fold.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

enum { LANES = 4, LANE = 32, BLOCK = LANES * LANE };

#define WIDE __attribute__((target("avx2,pclmul,vpclmulqdq")))

/* Two lanes of 128 bits ahead onto what lies there. */
WIDE static inline __m256i fold(__m256i lane, __m256i by, __m256i onto)
{
    const __m256i low = _mm256_clmulepi64_epi128(lane, by, 0x00);
    const __m256i high = _mm256_clmulepi64_epi128(lane, by, 0x11);

    return _mm256_xor_si256(_mm256_xor_si256(low, high), onto);
}

WIDE static inline __m256i twice(const int64_t by[2])
{
    return _mm256_set_epi64x(by[1], by[0], by[1], by[0]);
}

WIDE static inline __m256i load(const unsigned char *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

WIDE static size_t fold_blocks(const krti_crc_folds *f, uint32_t crc, const unsigned char *p,
                               size_t size, unsigned char folded[16])
{
    const size_t whole = size - size % BLOCK;
    __m256i by = twice(f->by_1024), lane[LANES];

    for (int i = 0; i < LANES; i++)
        lane[i] = load(p + i * LANE);
    lane[0] = _mm256_xor_si256(lane[0], _mm256_set_epi32(0, 0, 0, 0, 0, 0, 0, (int)crc));
    for (size_t at = BLOCK; at < whole; at += BLOCK)
        for (int i = 0; i < LANES; i++)
            lane[i] = fold(lane[i], by, load(p + at + i * LANE));
    by = twice(f->by_256);
    for (int i = 1; i < LANES; i++)
        lane[i] = fold(lane[i - 1], by, lane[i]);
    const __m256i last = lane[LANES - 1], ahead = _mm256_permute2x128_si256(last, last, 0x01);
    _mm_storeu_si128((__m128i *)(void *)folded,
                     _mm256_extracti128_si256(fold(last, twice(f->by_128), ahead), 0));
    return whole;
}

size_t krti_crc_fold(const krti_crc_folds *by, uint32_t crc, const unsigned char *p, size_t size,
                     unsigned char folded[16])
{
    if (size < (size_t)2 * BLOCK || !__builtin_cpu_supports("avx2") ||
        !__builtin_cpu_supports("vpclmulqdq"))
        return 0;
    return fold_blocks(by, crc, p, size, folded);
}
#else
size_t krti_crc_fold(const krti_crc_folds *by, uint32_t crc, const unsigned char *p, size_t size,
                     unsigned char folded[16])
{
    (void)by;
    (void)crc;
    (void)p;
    (void)size;
    (void)folded;
    return 0;
}
#endif
