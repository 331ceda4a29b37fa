/* CRC-32C (Castagnoli), which TensorFlow puts behind everything it writes: table blocks, tensors,
 * event records; always in the masked form, so that a CRC over data with a CRC in it means something.
 * TensorFlow: tsl/lib/hash/crc32c.h. */
#ifndef KRTI_FORMATS_CRC32C_H
#define KRTI_FORMATS_CRC32C_H

#include "base/ctx.h"

/* Goes on from `crc`, 0 at first. By the processor's own instruction where it has one. */
uint32_t krti_crc32c(uint32_t crc, const void *data, size_t size);
/* The same without that instruction, for the test that compares both. */
uint32_t krti_crc32c_portable(uint32_t crc, const void *data, size_t size);

uint32_t krti_crc32c_mask(uint32_t crc);
uint32_t krti_crc32c_unmask(uint32_t masked);

#endif
