/* Writing while something looks: both get every byte, whoever does which. */
#include "testing.h"

#include "base/sink.h"

typedef struct seen {
    unsigned char *bytes;
    uint64_t first; /* position of bytes[0] */
    size_t written, looked, fails_at;
    uint64_t sum;
} seen;

static krt_status take(void *user, uint64_t offset, const void *data, size_t size)
{
    seen *s = user;

    if (s->written >= s->fails_at)
        return KRT_E_IO;
    memcpy(s->bytes + (offset - s->first), data, size);
    s->written += size;
    return KRT_OK;
}

/* Order counts. */
static void look_at(void *user, const void *data, size_t size)
{
    seen *s = user;

    for (size_t i = 0; i < size; i++)
        s->sum = s->sum * 31 + ((const unsigned char *)data)[i];
    s->looked += size;
}

static const size_t sizes[] = {0, 1, 100, 64 << 10, (64 << 10) + 1, 1 << 20, (3 << 20) + 5};
enum { LARGEST = (3 << 20) + 5 };

static unsigned char *some_bytes(void)
{
    unsigned char *p = malloc(LARGEST);

    for (size_t i = 0; i < LARGEST; i++)
        p[i] = (unsigned char)(i * i >> 7);
    return p;
}

TEST(every_byte_is_written_and_looked_at_in_order)
{
    unsigned char *data = some_bytes();

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        seen s = {.bytes = malloc(LARGEST), .first = 77, .fails_at = SIZE_MAX}, expected = {0};
        const krti_sink sink = {take, &s};
        const krti_look look = {look_at, &s};

        look_at(&expected, data, sizes[i]);
        ASSERT_OK(krti_sink_write(&sink, 77, data, sizes[i], &look));
        ASSERT_INT_EQ(sizes[i], s.written);
        ASSERT_INT_EQ(sizes[i], s.looked);
        assert_true(s.sum == expected.sum);
        assert_memory_equal(s.bytes, data, sizes[i]);
        free(s.bytes);
    }
    free(data);
}

TEST(nobody_needs_to_look)
{
    unsigned char *data = some_bytes();
    seen s = {.bytes = malloc(LARGEST), .fails_at = SIZE_MAX};
    const krti_sink sink = {take, &s};

    ASSERT_OK(krti_sink_write(&sink, 0, data, LARGEST, NULL));
    ASSERT_INT_EQ(LARGEST, s.written);
    assert_memory_equal(s.bytes, data, LARGEST);
    free(s.bytes);
    free(data);
}

TEST(a_write_that_fails_is_the_last)
{
    unsigned char *data = some_bytes();
    seen s = {.bytes = malloc(LARGEST), .fails_at = 2 << 20};
    const krti_sink sink = {take, &s};
    const krti_look look = {look_at, &s};

    ASSERT_STATUS(KRT_E_IO, krti_sink_write(&sink, 0, data, LARGEST, &look));
    ASSERT_INT_EQ(2 << 20, s.written);
    assert_true(s.looked <= 3 << 20);
    free(s.bytes);
    free(data);
}

int main(void)
{
    return RUN(UNIT(every_byte_is_written_and_looked_at_in_order), UNIT(nobody_needs_to_look),
               UNIT(a_write_that_fails_is_the_last));
}
