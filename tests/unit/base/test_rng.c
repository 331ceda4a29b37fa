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

TEST(draws_stay_in_their_range)
{
    krti_rng r = krti_rng_seeded(3);
    double sum = 0;

    for (int i = 0; i < 100000; i++) {
        const double u = krti_rng_uniform(&r);

        ASSERT_TRUE(u >= 0 && u < 1);
        ASSERT_TRUE(fabs(krti_rng_truncated_normal(&r)) <= 2);
        ASSERT_TRUE(isfinite(krti_rng_normal(&r)));
        sum += u;
    }
    ASSERT_TRUE(fabs(sum / 100000 - 0.5) < 0.004);
}

int main(void)
{
    return RUN(UNIT(threefry_gives_the_published_words), UNIT(a_seed_is_a_stream_of_its_own),
               UNIT(a_context_hands_out_different_streams), UNIT(draws_stay_in_their_range));
}
