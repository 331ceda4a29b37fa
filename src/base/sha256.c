/* See sha256.h. The x86 instructions for it are used where the processor has them: five times as
 * fast, which is the difference between checking a file and reading it. */
#include "base/sha256.h"

#include <string.h>

static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

static uint32_t read_word(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void add_block(uint32_t state[8], const unsigned char *block)
{
    uint32_t w[64], s[8];

    for (int i = 0; i < 16; i++)
        w[i] = read_word(block + 4 * i);
    for (int i = 16; i < 64; i++) {
        const uint32_t a = w[i - 15], b = w[i - 2];

        w[i] = w[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[i - 7] +
               (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
    }
    memcpy(s, state, sizeof s);
    for (int i = 0; i < 64; i++) {
        const uint32_t big1 = rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25);
        const uint32_t big0 = rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22);
        const uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
        const uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
        const uint32_t t = s[7] + big1 + choice + constants[i] + w[i];

        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += t;
        s[0] = t + big0 + majority;
    }
    for (int i = 0; i < 8; i++)
        state[i] += s[i];
}

static void add_blocks(uint32_t state[8], const unsigned char *p, size_t num)
{
    for (size_t i = 0; i < num; i++)
        add_block(state, p + 64 * i);
}

/* ------------------------------------------------------------------------------- x86 */

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#include <immintrin.h>

static int has_instructions(void)
{
    enum { SSSE3_AND_SSE41 = 1 << 9 | 1 << 19, SHA = 1 << 29 };
    unsigned a = 0, b = 0, c = 0, d = 0;

    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & SSSE3_AND_SSE41) != SSSE3_AND_SSE41)
        return 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & SHA) != 0;
}

/* The instructions want the state as (a, b, e, f) and (c, d, g, h), first word highest. `w` holds
 * sixteen words of the message and moves on by four with every four rounds. */
__attribute__((target("sha,sse4.1,ssse3"))) static void
add_blocks_by_instructions(uint32_t state[8], const unsigned char *p, size_t num)
{
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    const __m128i low = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
    const __m128i high = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);
    __m128i abef = _mm_alignr_epi8(low, high, 8), cdgh = _mm_blend_epi16(high, low, 0xf0);

    for (; num > 0; num--, p += 64) {
        const __m128i abef_before = abef, cdgh_before = cdgh;
        __m128i w[4];

        for (int i = 0; i < 4; i++)
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(p + 16 * i)), big_endian);
        for (int i = 0; i < 16; i++) {
            const __m128i now = w[0];
            const __m128i sum =
                _mm_add_epi32(now, _mm_loadu_si128((const __m128i *)(constants + 4 * i)));
            const __m128i next = _mm_sha256msg2_epu32(
                _mm_add_epi32(_mm_sha256msg1_epu32(w[0], w[1]), _mm_alignr_epi8(w[3], w[2], 4)),
                w[3]);

            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
            w[0] = w[1];
            w[1] = w[2];
            w[2] = w[3];
            w[3] = next;
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    const __m128i feba = _mm_shuffle_epi32(abef, 0x1b), dchg = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}
#else
static int has_instructions(void)
{
    return 0;
}

static void add_blocks_by_instructions(uint32_t state[8], const unsigned char *p, size_t num)
{
    add_blocks(state, p, num);
}
#endif

static void add(uint32_t state[8], const unsigned char *p, size_t num)
{
    if (num == 0)
        return;
    if (has_instructions())
        add_blocks_by_instructions(state, p, num);
    else
        add_blocks(state, p, num);
}

/* ------------------------------------------------------------------------------- pieces */

void krti_sha256_start(krti_sha256 *s)
{
    *s = (krti_sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                                 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void krti_sha256_update(krti_sha256 *s, const void *data, size_t size)
{
    const unsigned char *p = data;
    const size_t have = s->size % 64;

    s->size += size;
    if (have > 0) {
        const size_t take = size < 64 - have ? size : 64 - have;

        memcpy(s->rest + have, p, take);
        p += take;
        size -= take;
        if (have + take < 64)
            return;
        add(s->state, s->rest, 1);
    }
    add(s->state, p, size / 64);
    if (size % 64 > 0)
        memcpy(s->rest, p + size / 64 * 64, size % 64);
}

void krti_sha256_end(krti_sha256 *s, unsigned char digest[32])
{
    const uint64_t bits = s->size << 3;
    const size_t have = s->size % 64;
    const size_t tail = have < 56 ? 64 : 128; /* the rest, a one bit, zeros, the length in bits */
    unsigned char last[128] = {0};

    memcpy(last, s->rest, have);
    last[have] = 0x80;
    for (size_t i = 0; i < 8; i++)
        last[tail - 1 - i] = (unsigned char)(bits >> 8 * i);
    add(s->state, last, tail / 64);
    for (size_t i = 0; i < 32; i++)
        digest[i] = (unsigned char)(s->state[i / 4] >> (24 - 8 * (i % 4)));
}
