/* Half and bfloat16 to float32 and back, and byte order. Rounds to nearest, ties to even. */
#ifndef KRTI_BASE_F16_H
#define KRTI_BASE_F16_H

#include <stdint.h>
#include <string.h>

static inline float krti_f32_from_bits(uint32_t bits)
{
    float f;

    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline uint32_t krti_bits_from_f32(float f)
{
    uint32_t bits;

    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static inline float krti_f32_from_bf16(uint16_t h)
{
    return krti_f32_from_bits((uint32_t)h << 16);
}

static inline uint16_t krti_bf16_from_f32(float f)
{
    const uint32_t bits = krti_bits_from_f32(f);

    if ((bits & 0x7FFFFFFFu) > 0x7F800000u) /* NaN stays one */
        return (uint16_t)((bits >> 16) | 0x0040u);
    return (uint16_t)((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

static inline float krti_f32_from_f16(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    const uint32_t exponent = (h >> 10) & 0x1Fu;
    const uint32_t fraction = h & 0x3FFu;

    if (exponent == 0x1F)
        return krti_f32_from_bits(sign | 0x7F800000u | (fraction << 13));
    if (exponent != 0)
        return krti_f32_from_bits(sign | ((exponent + 112) << 23) | (fraction << 13));
    const float tiny = (float)fraction * 5.9604644775390625e-08f; /* 2^-24 */
    return krti_f32_from_bits(sign | krti_bits_from_f32(tiny));
}

static inline uint16_t krti_f16_from_f32(float f)
{
    const uint32_t bits = krti_bits_from_f32(f);
    const uint16_t sign = (uint16_t)((bits >> 16) & 0x8000u);
    const uint32_t magnitude = bits & 0x7FFFFFFFu;

    if (magnitude > 0x7F800000u)
        return (uint16_t)(sign | 0x7E00u);
    if (magnitude >= 0x477FF000u) /* rounds to 65536 or beyond */
        return (uint16_t)(sign | 0x7C00u);
    if (magnitude < 0x38800000u) { /* subnormal: let the addition round */
        const float shifted = krti_f32_from_bits(magnitude) + 0.5f;

        return (uint16_t)(sign | (uint16_t)(krti_bits_from_f32(shifted) - 0x3F000000u));
    }
    return (uint16_t)(sign | ((magnitude - 0x38000000u + 0xFFFu + ((magnitude >> 13) & 1u)) >> 13));
}

/* Unaligned little-endian reads of file bytes. */
static inline uint16_t krti_le16(const unsigned char *p)
{
    return (uint16_t)(p[0] | (uint16_t)(p[1] << 8));
}

static inline uint32_t krti_le32(const unsigned char *p)
{
    return (uint32_t)p[0] | ((uint32_t)p[1] << 8) | ((uint32_t)p[2] << 16) | ((uint32_t)p[3] << 24);
}

static inline uint64_t krti_le64(const unsigned char *p)
{
    return (uint64_t)krti_le32(p) | ((uint64_t)krti_le32(p + 4) << 32);
}

#endif
