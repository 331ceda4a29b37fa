/* See crc32.h. A CRC is the remainder of a polynomial over two elements: appending n bytes multiplies
 * it by x^8n. So pieces can be summed apart and joined, and a model's weights, whose checksum is
 * otherwise a third of the time to load them, are summed by all threads. */
#include "formats/crc32.h"

#include "base/fs.h"

#include <libdeflate.h>

enum { PIECE = 4 << 20 };

static const uint32_t POLYNOMIAL = 0xEDB88320u; /* bit 31 is x^0, bit 0 is x^31 */
static const uint32_t ONE = 0x80000000u;

/* a times b modulo the polynomial. */
static uint32_t multiply(uint32_t a, uint32_t b)
{
    uint32_t product = 0;

    for (uint32_t bit = ONE; bit != 0; bit >>= 1) {
        if ((a & bit) != 0)
            product ^= b;
        b = (b >> 1) ^ ((b & 1) != 0 ? POLYNOMIAL : 0);
    }
    return product;
}

/* x^n by squaring. */
static uint32_t power_of_x(uint64_t n)
{
    uint32_t power = ONE, square = ONE >> 1;

    for (; n != 0; n >>= 1) {
        if ((n & 1) != 0)
            power = multiply(power, square);
        square = multiply(square, square);
    }
    return power;
}

uint32_t krti_crc32_join(uint32_t first, uint32_t second, uint64_t second_size)
{
    return multiply(power_of_x(8 * second_size), first) ^ second;
}

uint32_t krti_crc32(const krt_ctx *k, const void *data, size_t size)
{
    const unsigned char *const p = data;
    const size_t n = size / PIECE;
    const int threads = k->threads > 0 ? k->threads : krti_num_processors();
    const uint32_t rest = libdeflate_crc32(0, p + n * PIECE, size - n * PIECE);
    uint32_t sum = 0;

    (void)threads;
#ifdef _OPENMP
#pragma omp parallel for schedule(dynamic) num_threads(threads) reduction(^ : sum) if (n > 1)
#endif
    for (size_t i = 0; i < n;
         i++) { /* each piece as if zeros followed it up to the last one's end */
        const uint32_t crc = libdeflate_crc32(0, p + i * PIECE, PIECE);

        sum ^= multiply(power_of_x(8 * (uint64_t)(n - 1 - i) * PIECE), crc);
    }
    return krti_crc32_join(sum, rest, size - n * PIECE);
}
