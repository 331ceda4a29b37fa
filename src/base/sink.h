/* Where a container writer puts its bytes, and something that looks at them on the way: a digest or a
 * checksum, which finds each block in the cache. A file takes the bytes at once and has them written by
 * another thread meanwhile (behind.h). */
#ifndef KRTI_BASE_SINK_H
#define KRTI_BASE_SINK_H

#include "base/ctx.h"

/* Positions may come in any order; what comes last for one counts. */
typedef struct krti_sink {
    krt_status (*write)(void *user, uint64_t offset, const void *data, size_t size);
    void *user;
} krti_sink;

/* Told of all bytes, block by block, in order. */
typedef struct krti_look {
    void (*at)(void *user, const void *data, size_t size);
    void *user;
} krti_look;

/* Shows `look` (NULL: nobody) the bytes and writes them, block by block. */
krt_status krti_sink_write(const krti_sink *sink, uint64_t offset, const void *data, size_t size,
                           const krti_look *look);

#endif
