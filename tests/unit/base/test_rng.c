/* Tests of src/base/rng.c: the published vectors of Threefry, and streams. */
#include "base/rng.h"
#include "testing.h"

/* Random123's known answers for threefry2x32 with 20 rounds. */
TEST(threefry_gives_the_published_words)
{
    static const struct {
        uint32_t counter[2], key[2], out[2];
    } rows[] = {
        {{0, 0}, {0, 0}, {0x6b200159, 0x99ba4efe}},
        {{0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}, {0x1cb996fc, 0xbb002be7}},
        {{0x243f6a88, 0x85a308d3}, {0x13198a2e, 0x03707344}, {0xc4923a9c, 0x483df7a0}},
    };

    for (size_t i = 0; i < KRTI_COUNT(rows); i++) {
        uint32_t out[2];

        krti_threefry2x32(rows[i].key, rows[i].counter, out);
        ASSERT_INT_EQ(rows[i].out[0], out[0]);
        ASSERT_INT_EQ(rows[i].out[1], out[1]);
    }
}

/* jax.random.bits, uniform, normal and truncated_normal of the key [42, 0]. */
TEST(numbers_by_position_are_those_of_jax)
{
    static const uint32_t key[2] = {42, 0};
    static const uint32_t bits[] = {2434085537u, 281529784u, 1639270791u, 3057860097u, 3376466838u};
    static const float uniform[] = {0x1.222a64p-1f, 0x1.0c7ccp-4f, 0x1.86d52p-2f, 0x1.6c867cp-1f,
                                    0x1.928194p-1f};
    static const float wide[] = {0x1.112194p-2f, -0x1.e02808p-3f, 0x1.4e87bp-4f, 0x1.a5d9c4p-2f,
                                 0x1.f1cff4p-2f};
    static const float normal[] = {0x1.582cd2p-3f, -0x1.828184p+0f, -0x1.34514ep-2f, 0x1.1e4652p-1f,
                                   0x1.96134ap-1f};
    static const float truncated[] = {0x1.48606ep-3f, -0x1.5ec3b8p+0f, -0x1.25e338p-2f,
                                      0x1.0fea08p-1f, 0x1.7f945p-1f};

    for (uint64_t i = 0; i < 5; i++) {
        const uint32_t b = krti_random_bits(key, i);

        ASSERT_INT_EQ(bits[i], b);
        ASSERT_TRUE(krti_random_uniform(b, 0, 1) == uniform[i]);
        ASSERT_TRUE(krti_random_uniform(b, -0.3f, 0.7f) == wide[i]);
        ASSERT_TRUE(fabsf(krti_random_normal(b) - normal[i]) <= 5e-7f);
        ASSERT_TRUE(fabsf(krti_random_truncated_normal(b) - truncated[i]) <= 5e-7f);
    }
    for (uint64_t i = 0; i < 100000; i++) {
        ASSERT_TRUE(fabsf(krti_random_truncated_normal(krti_random_bits(key, i))) < 2);
        ASSERT_TRUE(isfinite(krti_random_normal(krti_random_bits(key, i))));
    }
    ASSERT_TRUE(isfinite(krti_random_normal(0)) && isfinite(krti_random_normal(UINT32_MAX)));
}

TEST(a_seed_is_a_stream_of_its_own)
{
    krti_rng a = krti_rng_seeded(1), b = krti_rng_seeded(1), c = krti_rng_seeded(2);
    int same = 0;

    for (int i = 0; i < 100; i++) {
        const uint32_t x = krti_rng_u32(&a);

        ASSERT_INT_EQ(x, krti_rng_u32(&b));
        same += x == krti_rng_u32(&c);
    }
    ASSERT_TRUE(same < 3);
}

TEST(a_context_hands_out_different_streams)
{
    krti_rng a = krti_rng_next(t->k), b = krti_rng_next(t->k);

    ASSERT_TRUE(a.key[0] != b.key[0] || a.key[1] != b.key[1]);
    ASSERT_TRUE(krti_rng_u32(&a) != krti_rng_u32(&b));
}

TEST(draws_lie_evenly_in_their_range)
{
    krti_rng r = krti_rng_seeded(3);
    double sum = 0;

    for (int i = 0; i < 100000; i++)
        sum += krti_rng_u32(&r) * 0x1p-32;
    ASSERT_TRUE(fabs(sum / 100000 - 0.5) < 0.004);
}

int main(void)
{
    return RUN(UNIT(threefry_gives_the_published_words), UNIT(numbers_by_position_are_those_of_jax),
               UNIT(a_seed_is_a_stream_of_its_own), UNIT(a_context_hands_out_different_streams),
               UNIT(draws_lie_evenly_in_their_range));
}
