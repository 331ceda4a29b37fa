/* Where a container writer puts its bytes, and writing while something else looks at them.
 *
 * A digest or a checksum costs a fraction of what writing costs, but one after the other they add up. A
 * sum reads what the system call reads, so both are done at once, by two threads: a save takes as
 * long as the slower of the two. Where there is no second thread, the second finds the block in the
 * cache. */
#ifndef KRTI_BASE_SINK_H
#define KRTI_BASE_SINK_H

#include "base/ctx.h"

/* Positions may come in any order, each once. */
typedef struct krti_sink {
    krt_status (*write)(void *user, uint64_t offset, const void *data, size_t size);
    void *user;
} krti_sink;

/* Told of all bytes, block by block, in order. */
typedef struct krti_look {
    void (*at)(void *user, const void *data, size_t size);
    void *user;
} krti_look;

/* Writes, while `look` (NULL: nobody) is shown the same bytes. After a failure it has seen no one
 * knows how many. */
krt_status krti_sink_write(krt_ctx *k, const krti_sink *sink, uint64_t offset, const void *data,
                           size_t size, const krti_look *look);

#endif
