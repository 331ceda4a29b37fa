/* See tfrecord.h. The length has a checksum of its own, so that a damaged one never sends a reader far
 * away. */
#include "formats/tfrecord.h"

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
