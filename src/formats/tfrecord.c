/* See tfrecord.h. The length has a checksum of its own, so that a damaged one never sends a reader far
 * away. */
#include "formats/tfrecord.h"

#include "base/f16.h"
#include "formats/crc32c.h"
#include "formats/protobuf.h"

static uint32_t masked(const void *data, size_t size)
{
    return krti_crc32c_mask(krti_crc32c(0, data, size));
}

krt_status krti_tfrecord_put(krti_str *s, const void *data, size_t size)
{
    const size_t start = s->length;

    krti_fixed64_put(s, size);
    if (s->status == KRT_OK)
        krti_fixed32_put(s, masked(s->ptr + start, 8));
    if (size > 0)
        krti_str_add_n(s, data, size);
    krti_fixed32_put(s, size > 0 ? masked(data, size) : krti_crc32c_mask(0));
    return s->status;
}

bool krti_tfrecord_next(const unsigned char *bytes, size_t size, size_t *at,
                        const unsigned char **data, size_t *data_size, bool *is_damaged)
{
    const size_t left = size - *at;
    const unsigned char *p = bytes + *at;

    *is_damaged = false;
    if (left < KRTI_TFRECORD_HEADER + KRTI_TFRECORD_FOOTER)
        return false;
    const uint64_t length = krti_le64(p);
    *is_damaged = krti_le32(p + 8) != masked(p, 8);
    if (*is_damaged || length > left - KRTI_TFRECORD_HEADER - KRTI_TFRECORD_FOOTER)
        return false;
    *data = p + KRTI_TFRECORD_HEADER;
    *data_size = (size_t)length;
    *is_damaged = krti_le32(*data + length) != masked(*data, *data_size);
    *at += KRTI_TFRECORD_HEADER + *data_size + KRTI_TFRECORD_FOOTER;
    return !*is_damaged;
}
