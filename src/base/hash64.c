/* See hash64.h. Fingerprint64 is farmhashna::Hash64 of FarmHash 1.1, whose results are promised
 * never to change; the names of its steps are kept. SipHash: Aumasson and Bernstein, 2012. */
#include "base/hash64.h"

#include <stdbool.h>

static const uint64_t K0 = UINT64_C(0xc3a5c85c97cb3127);
static const uint64_t K1 = UINT64_C(0xb492b66fbe98f273);
static const uint64_t K2 = UINT64_C(0x9ae16a3b2f90404f);

static uint64_t fetch32(const unsigned char *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24;
}

static uint64_t fetch64(const unsigned char *p)
{
    return fetch32(p) | fetch32(p + 4) << 32;
}

static uint64_t rotate_right(uint64_t x, int n)
{
    return n == 0 ? x : x >> n | x << (64 - n);
}

static uint64_t shift_mix(uint64_t x)
{
    return x ^ x >> 47;
}

static uint64_t hash_len16(uint64_t u, uint64_t v, uint64_t mul)
{
    const uint64_t a = shift_mix((u ^ v) * mul);

    return shift_mix((v ^ a) * mul) * mul;
}

static uint64_t hash_0_to_16(const unsigned char *s, size_t n)
{
    if (n >= 8) {
        const uint64_t mul = K2 + n * 2, a = fetch64(s) + K2, b = fetch64(s + n - 8);
        const uint64_t c = rotate_right(b, 37) * mul + a;
        const uint64_t d = (rotate_right(a, 25) + b) * mul;

        return hash_len16(c, d, mul);
    }
    if (n >= 4)
        return hash_len16(n + (fetch32(s) << 3), fetch32(s + n - 4), K2 + n * 2);
    if (n == 0)
        return K2;
    const uint32_t y = (uint32_t)s[0] + ((uint32_t)s[n >> 1] << 8);
    const uint32_t z = (uint32_t)n + ((uint32_t)s[n - 1] << 2);

    return shift_mix(y * K2 ^ z * K0) * K2;
}

static uint64_t hash_17_to_32(const unsigned char *s, size_t n)
{
    const uint64_t mul = K2 + n * 2, a = fetch64(s) * K1, b = fetch64(s + 8);
    const uint64_t c = fetch64(s + n - 8) * mul, d = fetch64(s + n - 16) * K2;

    return hash_len16(rotate_right(a + b, 43) + rotate_right(c, 30) + d,
                      a + rotate_right(b + K2, 18) + c, mul);
}

static uint64_t hash_33_to_64(const unsigned char *s, size_t n)
{
    const uint64_t mul = K2 + n * 2;
    const uint64_t a = fetch64(s) * K2, b = fetch64(s + 8);
    const uint64_t c = fetch64(s + n - 8) * mul, d = fetch64(s + n - 16) * K2;
    const uint64_t y = rotate_right(a + b, 43) + rotate_right(c, 30) + d;
    const uint64_t z = hash_len16(y, a + rotate_right(b + K2, 18) + c, mul);
    const uint64_t e = fetch64(s + 16) * mul, f = fetch64(s + 24);
    const uint64_t g = (y + fetch64(s + n - 32)) * mul;
    const uint64_t h = (z + fetch64(s + n - 24)) * mul;

    return hash_len16(rotate_right(e + f, 43) + rotate_right(g, 30) + h,
                      e + rotate_right(f + a, 18) + g, mul);
}

typedef struct pair {
    uint64_t first, second;
} pair;

static pair weak_hash_32(const unsigned char *s, uint64_t a, uint64_t b)
{
    const uint64_t w = fetch64(s), x = fetch64(s + 8), y = fetch64(s + 16), z = fetch64(s + 24);

    a += w;
    b = rotate_right(b + a + z, 21);
    const uint64_t c = a;
    a += x + y;
    b += rotate_right(a, 44);
    return (pair){a + z, b + c};
}

typedef struct state {
    uint64_t x, y, z;
    pair v, w;
} state;

/* 64 bytes; `mul` is K1, and for the last ones another, with `more` of the length. */
static void mix_64(state *h, const unsigned char *s, uint64_t mul, bool is_last)
{
    const uint64_t by = is_last ? 9 : 1;

    h->x = rotate_right(h->x + h->y + h->v.first + fetch64(s + 8), 37) * mul;
    h->y = rotate_right(h->y + h->v.second + fetch64(s + 48), 42) * mul;
    h->x ^= h->w.second * by;
    h->y += h->v.first * by + fetch64(s + 40);
    h->z = rotate_right(h->z + h->w.first, 33) * mul;
    h->v = weak_hash_32(s, h->v.second * mul, h->x + h->w.first);
    h->w = weak_hash_32(s + 32, h->z + h->w.second, h->y + fetch64(s + 16));
    const uint64_t z = h->z;
    h->z = h->x;
    h->x = z;
}

static uint64_t hash_long(const unsigned char *s, size_t n)
{
    static const uint64_t seed = 81;
    state h = {.x = seed * K2 + fetch64(s),
               .y = seed * K1 + 113,
               .z = shift_mix((seed * K1 + 113) * K2 + 113) * K2};
    const unsigned char *const last = s + (n - 1) / 64 * 64, *const end = s + n;

    for (; s != last; s += 64)
        mix_64(&h, s, K1, false);
    const uint64_t mul = K1 + ((h.z & 0xff) << 1);
    h.w.first += (n - 1) & 63;
    h.v.first += h.w.first;
    h.w.first += h.v.first;
    mix_64(&h, end - 64, mul, true);
    return hash_len16(hash_len16(h.v.first, h.w.first, mul) + shift_mix(h.y) * K0 + h.z,
                      hash_len16(h.v.second, h.w.second, mul) + h.x, mul);
}

uint64_t krti_fingerprint64(const void *data, size_t size)
{
    static uint64_t (*const by_size[])(const unsigned char *, size_t) = {hash_17_to_32,
                                                                         hash_33_to_64};

    if (size <= 16)
        return hash_0_to_16(data, size);
    return size > 64 ? hash_long(data, size) : by_size[size > 32](data, size);
}

uint64_t krti_fingerprint64_cat(uint64_t a, uint64_t b)
{
    static const uint64_t mul = UINT64_C(0xc6a4a7935bd1e995);

    return shift_mix(shift_mix(((a ^ mul) ^ shift_mix(b * mul) * mul) * mul) * mul);
}

/* ------------------------------------------------------------------------------- SipHash */

static void sip_rounds(uint64_t v[4], int n)
{
    for (int i = 0; i < n; i++) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotate_right(v[1], 64 - 13) ^ v[0];
        v[3] = rotate_right(v[3], 64 - 16) ^ v[2];
        v[0] = rotate_right(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = rotate_right(v[1], 64 - 17) ^ v[2];
        v[3] = rotate_right(v[3], 64 - 21) ^ v[0];
        v[2] = rotate_right(v[2], 32);
    }
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_rounds(v, 2);
    v[0] ^= word;
}

uint64_t krti_siphash(const uint64_t key[2], const void *data, size_t size)
{
    uint64_t v[4] = {key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
                     key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)};
    const unsigned char *const s = data;
    uint64_t last = (uint64_t)size << 56;

    for (size_t i = 0; i + 8 <= size; i += 8)
        sip_word(v, fetch64(s + i));
    for (size_t i = size / 8 * 8; i < size; i++)
        last |= (uint64_t)s[i] << 8 * (i % 8);
    sip_word(v, last);
    v[2] ^= 0xff;
    sip_rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
