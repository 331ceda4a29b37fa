/* Checksums, Protocol Buffers and records as TensorFlow writes them. Expected bytes are TensorFlow's. */
#include "testing.h"

#include "base/f16.h"
#include "formats/crc32c.h"
#include "formats/protobuf.h"
#include "formats/tfrecord.h"

TEST(crc32c_gives_the_published_check_values)
{
    const unsigned char zeros[32] = {0};

    ASSERT_INT_EQ(0xE3069283u, krti_crc32c(0, "123456789", 9));
    ASSERT_INT_EQ(0x8A9136AAu, krti_crc32c(0, zeros, sizeof zeros));
    ASSERT_INT_EQ(0, krti_crc32c(0, NULL, 0));
    ASSERT_INT_EQ(0xC78AB0E5u, krti_crc32c_mask(0xE3069283u));
    ASSERT_INT_EQ(0xA282EAD8u, krti_crc32c_mask(0));
    ASSERT_INT_EQ(0xE3069283u, krti_crc32c_unmask(0xC78AB0E5u));
}

TEST(crc32c_is_the_same_in_pieces_at_any_address_and_without_the_instruction)
{
    unsigned char data[300];

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 37 + 11);
    for (size_t start = 0; start < 9; start++)
        for (size_t n = 0; n + start <= sizeof data; n += 7) {
            const uint32_t whole = krti_crc32c(0, data + start, n);
            const uint32_t first = krti_crc32c(0, data + start, n / 3);

            ASSERT_INT_EQ(whole, krti_crc32c_portable(0, data + start, n));
            ASSERT_INT_EQ(whole, krti_crc32c(first, data + start + n / 3, n - n / 3));
        }
}

/* The record at *at of a file's bytes, which is moved behind it. False at the end, where the rest is no
 * whole record, and where a checksum disagrees. */
static bool next_record(const unsigned char *bytes, size_t size, size_t *at,
                        const unsigned char **data, size_t *data_size, bool *is_damaged)
{
    const size_t left = size - *at;
    const unsigned char *p = bytes + *at;

    *is_damaged = false;
    if (left < KRTI_TFRECORD_HEADER + KRTI_TFRECORD_FOOTER)
        return false;
    const uint64_t length = krti_le64(p);
    *is_damaged = krti_le32(p + 8) != krti_crc32c_mask(krti_crc32c(0, p, 8));
    if (*is_damaged || length > left - KRTI_TFRECORD_HEADER - KRTI_TFRECORD_FOOTER)
        return false;
    *data = p + KRTI_TFRECORD_HEADER;
    *data_size = (size_t)length;
    *is_damaged = krti_le32(*data + length) != krti_crc32c_mask(krti_crc32c(0, *data, *data_size));
    *at += KRTI_TFRECORD_HEADER + *data_size + KRTI_TFRECORD_FOOTER;
    return !*is_damaged;
}
TEST(a_record_is_framed_as_tensorflow_frames_it_and_read_back)
{
    static const unsigned char expected[] = {5,   0,    0,    0,    0,    0,    0,
                                             0,   0xEA, 0xB2, 0x04, 0x3E, 'h',  'e',
                                             'l', 'l',  'o',  0xBB, 0x1F, 0x1C, 0x19};
    krti_str s = KRTI_STR_INIT(t->k);
    const unsigned char *data = NULL;
    size_t size = 0, at = 0;
    bool damaged = false;

    ASSERT_OK(krti_tfrecord_put(&s, "hello", 5));
    ASSERT_INT_EQ(sizeof expected, s.length);
    assert_memory_equal(s.ptr, expected, sizeof expected);
    ASSERT_OK(krti_tfrecord_put(&s, NULL, 0));
    ASSERT_TRUE(next_record((unsigned char *)s.ptr, s.length, &at, &data, &size, &damaged));
    ASSERT_INT_EQ(5, size);
    assert_memory_equal(data, "hello", 5);
    ASSERT_TRUE(next_record((unsigned char *)s.ptr, s.length, &at, &data, &size, &damaged));
    ASSERT_INT_EQ(0, size);
    ASSERT_TRUE(!next_record((unsigned char *)s.ptr, s.length, &at, &data, &size, &damaged));
    ASSERT_TRUE(!damaged);
    krti_str_free(&s);
}

TEST(a_record_that_is_cut_short_or_altered_is_not_given)
{
    krti_str s = KRTI_STR_INIT(t->k);
    const unsigned char *data = NULL;
    size_t size = 0;
    bool damaged = false;

    ASSERT_OK(krti_tfrecord_put(&s, "hello", 5));
    for (size_t n = 0; n < s.length; n++) {
        size_t at = 0;

        ASSERT_TRUE(!next_record((unsigned char *)s.ptr, n, &at, &data, &size, &damaged));
        ASSERT_TRUE(!damaged && at == 0);
    }
    for (size_t i = 0; i < s.length; i++) {
        size_t at = 0;

        s.ptr[i] ^= 1;
        ASSERT_TRUE(!next_record((unsigned char *)s.ptr, s.length, &at, &data, &size, &damaged));
        ASSERT_TRUE(damaged);
        s.ptr[i] ^= 1;
    }
    krti_str_free(&s);
}

TEST(fields_are_read_as_they_were_put)
{
    krti_str s = KRTI_STR_INIT(t->k), inner = KRTI_STR_INIT(t->k);
    krti_pb_field f;

    krti_pb_put_number(&s, 1, 300);
    krti_pb_put_number(&s, 2, 0); /* left out */
    krti_pb_put_number(&s, 3, UINT64_MAX);
    krti_pb_put_text(&s, 4, "name");
    krti_pb_put_fixed32(&s, 5, 7);
    krti_pb_put_double(&s, 6, 1.5);
    krti_pb_put_message(&s, 7, &inner); /* empty, and there */
    ASSERT_OK(s.status);
    krti_pb r = krti_pb_open(s.ptr, s.length);
    ASSERT_TRUE(krti_pb_next(&r, &f) && krti_pb_is(&f, 1, KRTI_PB_VARINT) && f.value == 300);
    ASSERT_TRUE(krti_pb_next(&r, &f) && f.number == 3 && f.value == UINT64_MAX);
    ASSERT_TRUE(krti_pb_next(&r, &f) && krti_pb_is(&f, 4, KRTI_PB_BYTES) && f.size == 4);
    ASSERT_TRUE(krti_pb_next(&r, &f) && krti_pb_is(&f, 5, KRTI_PB_FIXED32) && f.value == 7);
    ASSERT_TRUE(krti_pb_next(&r, &f) && f.value == 0x3FF8000000000000u);
    ASSERT_TRUE(krti_pb_next(&r, &f) && f.number == 7 && f.size == 0);
    ASSERT_TRUE(!krti_pb_next(&r, &f) && !r.is_bad);
    krti_str_free(&s);
}

TEST(a_damaged_message_ends_with_a_sign)
{
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {
        {"\x08", 1},                                            /* no value */
        {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11},   /* beyond 64 bits */
        {"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\0", 12}, /* eleven bytes */
        {"\x0a\x05"
         "abcd",
         6},                                                  /* longer than the message */
        {"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11}, /* a length that would wrap */
        {"\x0d\1\2\3", 4},                                    /* three bytes of four */
        {"\x09\1\2\3\4\5\6\7", 8},                            /* seven of eight */
        {"\x0b", 1},                                          /* a group */
        {"\x0f", 1},                                          /* no type */
        {"\0\0", 2},                                          /* field 0 */
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        krti_pb r = krti_pb_open(bad[i].bytes, bad[i].size);
        krti_pb_field f;

        ASSERT_TRUE(!krti_pb_next(&r, &f));
        ASSERT_TRUE(r.is_bad);
        ASSERT_TRUE(!krti_pb_next(&r, &f)); /* and stays so */
    }
}

int main(void)
{
    return RUN(UNIT(crc32c_gives_the_published_check_values),
               UNIT(crc32c_is_the_same_in_pieces_at_any_address_and_without_the_instruction),
               UNIT(a_record_is_framed_as_tensorflow_frames_it_and_read_back),
               UNIT(a_record_that_is_cut_short_or_altered_is_not_given),
               UNIT(fields_are_read_as_they_were_put), UNIT(a_damaged_message_ends_with_a_sign));
}
