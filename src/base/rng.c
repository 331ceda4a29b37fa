/* See rng.h. */
#include "base/rng.h"

static uint32_t rotate(uint32_t x, int n)
{
    return (x << n) | (x >> (32 - n));
}

void krti_threefry2x32(const uint32_t key[2], const uint32_t counter[2], uint32_t out[2])
{
    static const int rotations[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
    const uint32_t schedule[3] = {key[0], key[1], key[0] ^ key[1] ^ UINT32_C(0x1BD11BDA)};
    uint32_t a = counter[0] + schedule[0], b = counter[1] + schedule[1];

    for (uint32_t group = 0; group < 5; group++) { /* five groups of four rounds */
        for (int i = 0; i < 4; i++) {
            a += b;
            b = rotate(b, rotations[group % 2][i]) ^ a;
        }
        a += schedule[(group + 1) % 3];
        b += schedule[(group + 2) % 3] + group + 1;
    }
    out[0] = a;
    out[1] = b;
}

krti_rng krti_rng_seeded(uint64_t seed)
{
    return (krti_rng){.key = {(uint32_t)(seed >> 32), (uint32_t)seed}};
}

krti_rng krti_rng_next(krt_ctx *k)
{
    const uint64_t n = k->draws++;
    const krti_rng parent = krti_rng_seeded(k->seed);
    krti_rng child = {0};

    /* A stream of streams: its blocks are keys. */
    krti_threefry2x32(parent.key, (const uint32_t[2]){(uint32_t)(n >> 32), (uint32_t)n}, child.key);
    return child;
}

uint32_t krti_rng_u32(krti_rng *r)
{
    uint32_t out[2];

    if (r->has_spare) {
        r->has_spare = false;
        return r->spare;
    }
    const uint32_t counter[2] = {(uint32_t)(r->counter >> 32), (uint32_t)r->counter};
    r->counter++;
    krti_threefry2x32(r->key, counter, out);
    r->spare = out[1];
    r->has_spare = true;
    return out[0];
}

double krti_rng_uniform(krti_rng *r)
{
    return krti_rng_u32(r) * 0x1p-32;
}

double krti_rng_normal(krti_rng *r)
{
    const double two_pi = 6.283185307179586476925;
    const double u = (krti_rng_u32(r) + 1.0) * 0x1p-32; /* in (0, 1]: the logarithm is finite */
    const double v = krti_rng_uniform(r);

    return sqrt(-2 * log(u)) * cos(two_pi * v);
}

double krti_rng_truncated_normal(krti_rng *r)
{
    for (;;) { /* nineteen of twenty are kept */
        const double z = krti_rng_normal(r);

        if (fabs(z) <= 2)
            return z;
    }
}
