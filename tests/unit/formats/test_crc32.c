/* formats/crc32.c and crc32c.c against the definition, bit by bit. */
#include "testing.h"

#include "formats/crc32.h"
#include "formats/crc32c.h"

static uint32_t by_definition(const unsigned char *data, size_t size)
{
    uint32_t crc = 0xFFFFFFFFu;

    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1u)));
    }
    return ~crc;
}

static unsigned char *noise(size_t size)
{
    unsigned char *data = malloc(size);
    uint32_t x = 12345;

    assert_non_null(data);
    for (size_t i = 0; i < size; i++) {
        x = x * 1664525u + 1013904223u;
        data[i] = (unsigned char)(x >> 24);
    }
    return data;
}

TEST(the_check_value_is_the_standards)
{
    ASSERT_INT_EQ(0xCBF43926u, krti_crc32(t->k, "123456789", 9));
    ASSERT_INT_EQ(0, krti_crc32(t->k, "", 0));
}

TEST(pieces_join_to_the_whole)
{
    unsigned char *data = noise(1000);

    for (size_t cut = 0; cut <= 1000; cut += 37)
        ASSERT_INT_EQ(by_definition(data, 1000),
                      krti_crc32_join(by_definition(data, cut),
                                      by_definition(data + cut, 1000 - cut), 1000 - cut));
    free(data);
}

/* Around the blocks of crc_fold.c, from any address, and going on from what came before. */
TEST(every_length_is_summed_alike)
{
    unsigned char *data = noise(2100);

    for (size_t size = 0; size < 1100; size++) {
        const unsigned char *p = data + size % 33;
        const size_t cut = size / 3;

        ASSERT_INT_EQ(by_definition(p, size), krti_crc32_add(0, p, size));
        ASSERT_INT_EQ(by_definition(p, size),
                      krti_crc32_add(krti_crc32_add(0, p, cut), p + cut, size - cut));
        ASSERT_INT_EQ(krti_crc32c_portable(0, p, size), krti_crc32c(0, p, size));
        ASSERT_INT_EQ(krti_crc32c_portable(0, p, size),
                      krti_crc32c(krti_crc32c(0, p, cut), p + cut, size - cut));
    }
    free(data);
}

TEST(large_data_summed_by_threads_is_the_same)
{
    static const size_t sizes[] = {4 << 20, (8 << 20) - 1, 8 << 20, (13 << 20) + 5};
    unsigned char *data = noise(14 << 20);

    for (size_t i = 0; i < KRTI_COUNT(sizes); i++)
        ASSERT_INT_EQ(by_definition(data, sizes[i]), krti_crc32(t->k, data, sizes[i]));
    free(data);
}

int main(void)
{
    return RUN(UNIT(the_check_value_is_the_standards), UNIT(pieces_join_to_the_whole),
               UNIT(every_length_is_summed_alike), UNIT(large_data_summed_by_threads_is_the_same));
}
