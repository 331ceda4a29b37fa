/* Writing through a sink. See sink.h. */
#include "base/sink.h"

enum { BLOCK = 64 << 10 }; /* is still in a second-level cache when it is copied */

krt_status krti_sink_write(const krti_sink *sink, uint64_t offset, const void *data, size_t size,
                           const krti_look *look)
{
    const unsigned char *p = data;
    krt_status st = KRT_OK;

    if (look == NULL)
        return sink->write(sink->user, offset, data, size);
    for (size_t n = 0; size > 0 && st == KRT_OK; p += n, offset += n, size -= n) {
        n = size < BLOCK ? size : BLOCK;
        look->at(look->user, p, n);
        st = sink->write(sink->user, offset, p, n);
    }
    return st;
}
