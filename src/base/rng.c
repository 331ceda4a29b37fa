/* Threefry, and the way from its words to numbers of a distribution. See rng.h. */
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

/* ------------------------------------------------------------------------------- by position */

uint32_t krti_random_bits(const uint32_t key[2], uint64_t i)
{
    const uint32_t counter[2] = {(uint32_t)(i >> 32), (uint32_t)i};
    uint32_t out[2];

    krti_threefry2x32(key, counter, out);
    return out[0] ^ out[1];
}

float krti_random_uniform(uint32_t bits, float low, float high)
{
    const uint32_t word = bits >> 9 | UINT32_C(0x3F800000); /* in [1, 2) */
    float unit;

    memcpy(&unit, &word, sizeof unit);
    const float x = fmaf(unit - 1.0f, high - low, low); /* rounded once, as XLA does */
    return x > low ? x : low;
}

/* M. Giles, "Approximating the erfinv function", as XLA evaluates it. */
static float erf_inv(float x)
{
    static const float near[] = {2.81022636e-08f,  3.43273939e-07f, -3.5233877e-06f,
                                 -4.39150654e-06f, 0.00021858087f,  -0.00125372503f,
                                 -0.00417768164f,  0.246640727f,    1.50140941f};
    static const float far[] = {-0.000200214257f, 0.000100950558f, 0.00134934322f,
                                -0.00367342844f,  0.00573950773f,  -0.0076224613f,
                                0.00943887047f,   1.00167406f,     2.83297682f};
    const float w = -log1pf(-x * x);
    const bool is_near = w < 5.0f;
    const float at = is_near ? w - 2.5f : sqrtf(w) - 3.0f;
    float p = is_near ? near[0] : far[0];

    for (int i = 1; i < 9; i++)
        p = fmaf(p, at, is_near ? near[i] : far[i]);
    return p * x;
}

float krti_random_normal(uint32_t bits)
{
    const float low = -0x1.fffffep-1f; /* the first above -1 */

    return 1.41421356f * erf_inv(krti_random_uniform(bits, low, 1.0f));
}

float krti_random_truncated_normal(uint32_t bits)
{
    const float edge = 0.954499722f;   /* erf(2 / sqrt(2)) */
    const float last = 0x1.fffffep+0f; /* the last below 2 */
    const float x = 1.41421356f * erf_inv(krti_random_uniform(bits, -edge, edge));

    return x > last ? last : x < -last ? -last : x;
}
