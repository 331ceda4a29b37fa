/* See crc32.h. A CRC is the remainder of a polynomial over two elements: appending n bytes multiplies
 * it by x^8n. So pieces can be summed apart and joined, and a model's weights, whose checksum is
 * otherwise a third of the time to load them, are summed by all threads. */
#include "formats/crc32.h"

#include "base/tasks.h"
#include "formats/crc_fold.h"

#include <libdeflate.h>
#include <stdatomic.h>

enum { PIECE = 4 << 20 };

static const uint32_t POLYNOMIAL = 0xEDB88320u; /* bit 31 is x^0, bit 0 is x^31 */
static const uint32_t ONE = 0x80000000u;

static const krti_crc_folds folds = {
    {0x1E88EF372, 0x14A7FE880}, {0x0F1DA05AA, 0x15A546366}, {0x1751997D0, 0x0CCAA009E}};

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

uint32_t krti_crc32_add(uint32_t crc, const void *data, size_t size)
{
    const unsigned char *p = data;
    unsigned char folded[16];
    const size_t n = krti_crc_fold(&folds, ~crc, p, size, folded);

    if (n > 0)
        crc = libdeflate_crc32(UINT32_MAX, folded, sizeof folded); /* of a register that is 0 */
    return libdeflate_crc32(crc, p + n, size - n);
}

typedef struct crc_run {
    const unsigned char *p;
    size_t pieces;
    atomic_uint sum;
} crc_run;

static void crc_task(void *arg, size_t i, size_t thread)
{
    crc_run *r = arg;
    const uint32_t crc = krti_crc32_add(0, r->p + i * PIECE, PIECE);

    /* as if zeros followed the piece up to the last one's end */
    (void)thread;
    atomic_fetch_xor(&r->sum, multiply(power_of_x(8 * (uint64_t)(r->pieces - 1 - i) * PIECE), crc));
}

uint32_t krti_crc32(const krt_ctx *k, const void *data, size_t size)
{
    const size_t n = size / PIECE;
    crc_run r = {data, n, 0};
    const uint32_t rest = krti_crc32_add(0, r.p + n * PIECE, size - n * PIECE);

    krti_share_tasks(krti_num_threads(k), n, crc_task, &r);
    return krti_crc32_join(atomic_load(&r.sum), rest, size - n * PIECE);
}
