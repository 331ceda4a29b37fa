/* Checksums by carry-less multiplication, the long middle of them, for either polynomial.
 * Source: Gopal, Ozturk and others, "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ
 * Instruction", Intel 2009, here on 256 bits at a time. */
#ifndef KRTI_FORMATS_CRC_FOLD_H
#define KRTI_FORMATS_CRC_FOLD_H

#include "base/ctx.h"

/* What moves 64 bits so many bits ahead: x^(bits + 32) for the lower half of a lane and x^(bits - 32) for the
 * upper, modulo the polynomial, bits reversed, shifted left by one. */
typedef struct krti_crc_folds {
    int64_t by_1024[2], by_256[2], by_128[2];
} krti_crc_folds;

/* Takes whole blocks of 128 bytes from the start and says how many bytes that were; 0 for less than 256 and
 * where the processor cannot. The register that began as `crc` and took them is then the one that begins
 * as 0 and takes `folded`. */
size_t krti_crc_fold(const krti_crc_folds *by, uint32_t crc, const unsigned char *p, size_t size,
                     unsigned char folded[16]);

#endif
