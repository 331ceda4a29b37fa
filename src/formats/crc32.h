/* CRC-32 as zip archives hold it, of large data by several threads. */
#ifndef KRTI_FORMATS_CRC32_H
#define KRTI_FORMATS_CRC32_H

#include "base/ctx.h"

/* Of all the data, by as many threads as the context may use. */
uint32_t krti_crc32(const krt_ctx *k, const void *data, size_t size);

/* Of what has this CRC (0 of nothing) and a piece behind it, by this thread. */
uint32_t krti_crc32_add(uint32_t crc, const void *data, size_t size);

/* Of two pieces one after the other, from the CRCs of both and the length of the second. */
uint32_t krti_crc32_join(uint32_t first, uint32_t second, uint64_t second_size);

#endif
