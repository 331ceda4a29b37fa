/* Filters: what was done to a chunk before it was stored, undone from the last to the first.
 *
 * Specification: IV.A.2.l and VI "Registered filters". Deflate is libdeflate's; shuffle,
 * fletcher32 and h5py's lzf (the format of LibLZF) are a few lines each. Other filters are named
 * in the refusal together with what removes them. Nothing decodes to more than 1100 times its
 * size: deflate cannot, and a chunk that says so was made to fill memory. */
#include "formats/h5_internal.h"

#include <libdeflate.h>

enum { DEFLATE = 1, SHUFFLE = 2, FLETCHER32 = 3, LZF = 32000, MAX_RATIO = 1100, SLACK = 4096 };

/* ------------------------------------------------------------------------------- the message */

static krt_status parse_filter(krti_h5 *f, krti_h5_cursor *c, unsigned version, krti_h5_filter *out)
{
    enum { FIRST_WITH_NAME = 256 };

    out->id = krti_h5_take16(c);
    const bool has_name = version == 1 || out->id >= FIRST_WITH_NAME;
    const uint64_t size = has_name ? krti_h5_take16(c) : 0;
    krti_h5_skip(c, 2);
    const unsigned num = krti_h5_take16(c);
    out->name = (const char *)krti_h5_skip(c, version == 1 ? (size + 7) / 8 * 8 : size);
    out->name_size = out->name == NULL ? 0 : (size_t)size;
    krti_h5_cursor values = *c;
    krti_h5_skip(c, 4 * (uint64_t)num);
    krti_h5_skip(c, version == 1 && num % 2 != 0 ? 4 : 0);
    out->first_value = num > 0 ? krti_h5_take32(&values) : 0;
    if (c->is_short)
        return krti_h5_fail(f, KRT_E_CORRUPT, "HDF5 filter message is cut short at filter %u",
                            out->id);
    return KRT_OK;
}

krt_status krti_h5_filters_parse(krti_h5 *f, krti_h5_cursor c, krti_h5_filters *out)
{
    krt_status st = KRT_OK;
    const unsigned version = krti_h5_take8(&c), num = krti_h5_take8(&c);

    krti_h5_skip(&c, version == 1 ? 6 : 0);
    if (version < 1 || version > 2 || num > KRTI_H5_MAX_FILTERS)
        return krti_h5_fail(f, KRT_E_CORRUPT,
                            "HDF5 filter message of version %u with %u filters, expected 1 or 2 "
                            "and at most %d",
                            version, num, KRTI_H5_MAX_FILTERS);
    for (unsigned i = 0; i < num; i++)
        TRY(parse_filter(f, &c, version, &out->items[i]));
    out->num = num;
done:
    return st;
}

/* ------------------------------------------------------------------------------- decoders */

/* Bytes on their way back to what they were. */
typedef struct bytes_in_work {
    const unsigned char *p;
    size_t size;
    unsigned char *to; /* the buffer that p is not in */
} bytes_in_work;

static krt_status damaged(const krti_h5_decoder *d, const char *filter, const char *why)
{
    return krti_h5_fail(d->f, KRT_E_CORRUPT, "HDF5: a chunk is damaged: %s %s", filter, why);
}

static void advance(krti_h5_decoder *d, bytes_in_work *b, size_t size)
{
    b->p = b->to;
    b->size = size;
    b->to = b->to == d->buffers[0] ? d->buffers[1] : d->buffers[0];
}

static krt_status inflate_bytes(krti_h5_decoder *d, const krti_h5_filter *filter, bytes_in_work *b)
{
    size_t size = 0;

    (void)filter;
    if (d->inflater == NULL)
        d->inflater = libdeflate_alloc_decompressor();
    if (d->inflater == NULL)
        return krti_h5_fail(d->f, KRT_E_NOMEM, "out of memory: no inflater");
    const enum libdeflate_result result =
        libdeflate_zlib_decompress(d->inflater, b->p, b->size, b->to, d->capacity, &size);
    if (result != LIBDEFLATE_SUCCESS)
        return damaged(d, "deflate",
                       result == LIBDEFLATE_INSUFFICIENT_SPACE ? "gives more than a chunk"
                                                               : "finds no valid stream");
    advance(d, b, size);
    return KRT_OK;
}

/* Bytes come ordered by their place in the element: all first bytes, all second bytes, ... */
static krt_status unshuffle(krti_h5_decoder *d, const krti_h5_filter *filter, bytes_in_work *b)
{
    const size_t element = filter->first_value;

    if (element < 2 || b->size / element < 2)
        return KRT_OK;
    if (b->size > d->capacity)
        return damaged(d, "shuffle", "has more than a chunk");
    const size_t num = b->size / element, whole = num * element;
    for (size_t j = 0; j < element; j++) {
        const unsigned char *const from = b->p + j * num;

        for (size_t i = 0; i < num; i++)
            b->to[i * element + j] = from[i];
    }
    memcpy(b->to + whole, b->p + whole, b->size - whole);
    advance(d, b, b->size);
    return KRT_OK;
}

static uint32_t fold(uint32_t sum)
{
    return (sum & 0xFFFF) + (sum >> 16);
}

/* Fletcher's checksum over big-endian 16-bit words, as libhdf5 counts it. */
static uint32_t fletcher32(const unsigned char *p, size_t size)
{
    enum { UNTIL_OVERFLOW = 360 };
    uint32_t a = 0, b = 0;

    for (size_t words = size / 2; words > 0;) {
        const size_t n = words > UNTIL_OVERFLOW ? UNTIL_OVERFLOW : words;

        words -= n;
        for (size_t i = 0; i < n; i++, p += 2) {
            a += (uint32_t)p[0] << 8 | p[1];
            b += a;
        }
        a = fold(a);
        b = fold(b);
    }
    if (size % 2 != 0) {
        a += (uint32_t)*p << 8;
        b += a;
        a = fold(a);
        b = fold(b);
    }
    return fold(b) << 16 | fold(a);
}

static krt_status check_fletcher(krti_h5_decoder *d, const krti_h5_filter *filter, bytes_in_work *b)
{
    (void)filter;
    if (b->size < 4)
        return damaged(d, "fletcher32", "has no checksum");
    b->size -= 4;
    const uint32_t found = fletcher32(b->p, b->size);
    const uint32_t stored = (uint32_t)krti_h5_little(b->p + b->size, 4);
    /* HDF5 before 1.6.3 wrote each half with its bytes swapped. */
    const uint32_t swapped = (found & 0x00FF00FF) << 8 | (found >> 8 & 0x00FF00FF);
    if (krti_h5_is_wrong(found, stored) && stored != swapped)
        return damaged(d, "fletcher32", "finds another checksum");
    return KRT_OK;
}

/* One back reference: `length` bytes from `back` bytes ago, which may overlap what they make. */
static bool copy_back(unsigned char *out, size_t *at, size_t capacity, size_t back, size_t length)
{
    if (back > *at || length > capacity - *at)
        return false;
    for (size_t i = 0; i < length; i++, (*at)++)
        out[*at] = out[*at - back];
    return true;
}

/* LibLZF: literal runs of up to 32 bytes, back references of 3 to 264 bytes within 8 KiB. */
static bool unpack_lzf(const unsigned char *p, size_t size, unsigned char *out, size_t capacity,
                       size_t *out_size)
{
    krti_h5_cursor c = krti_h5_cursor_at(p, size);
    size_t at = 0;

    while (krti_h5_left(&c) > 0) {
        const unsigned control = krti_h5_take8(&c);

        if (control < 32) {
            const size_t run = control + 1;
            const unsigned char *const from = krti_h5_skip(&c, run);

            if (from == NULL || run > capacity - at)
                return false;
            memcpy(out + at, from, run);
            at += run;
        } else {
            size_t length = control >> 5;

            if (length == 7)
                length += krti_h5_take8(&c);
            const size_t back = ((control & 31u) << 8 | krti_h5_take8(&c)) + 1;
            if (c.is_short || !copy_back(out, &at, capacity, back, length + 2))
                return false;
        }
    }
    *out_size = at;
    return true;
}

static krt_status unlzf(krti_h5_decoder *d, const krti_h5_filter *filter, bytes_in_work *b)
{
    size_t size = 0;

    (void)filter;
    if (!unpack_lzf(b->p, b->size, b->to, d->capacity, &size))
        return damaged(d, "lzf", "finds no valid stream");
    advance(d, b, size);
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- the pipeline */

typedef struct known_filter {
    unsigned id;
    const char *name;
    krt_status (*undo)(krti_h5_decoder *d, const krti_h5_filter *filter, bytes_in_work *b);
} known_filter;

static const known_filter known[] = {
    {DEFLATE, "deflate", inflate_bytes},
    {SHUFFLE, "shuffle", unshuffle},
    {FLETCHER32, "fletcher32", check_fletcher},
    {LZF, "lzf", unlzf},
    {4, "szip", NULL},
    {5, "nbit", NULL},
    {6, "scaleoffset", NULL},
    {307, "bzip2", NULL},
    {32001, "blosc", NULL},
    {32004, "lz4", NULL},
    {32008, "bitshuffle", NULL},
    {32013, "zfp", NULL},
    {32015, "zstd", NULL},
    {32026, "blosc2", NULL},
};

static krt_status refuse_filter(krti_h5 *f, const krti_h5_filter *filter, const char *name)
{
    const bool is_named = name == NULL && filter->name_size > 0;

    return krti_h5_fail(f, KRT_E_UNSUPPORTED,
                        "HDF5 filter %u (%.*s) is not supported; remove it with: h5repack -f NONE "
                        "IN OUT",
                        filter->id, is_named ? (int)filter->name_size : 32,
                        is_named       ? filter->name
                        : name != NULL ? name
                                       : "unknown");
}

static krt_status undo(krti_h5_decoder *d, const krti_h5_filter *filter, bytes_in_work *b)
{
    for (size_t i = 0; i < KRTI_COUNT(known); i++) {
        if (known[i].id != filter->id)
            continue;
        if (known[i].undo == NULL)
            return refuse_filter(d->f, filter, known[i].name);
        return known[i].undo(d, filter, b);
    }
    return refuse_filter(d->f, filter, NULL);
}

/* Between two compressors data may be a little longer than a chunk, and every checksum adds 4. */
static krt_status open_buffers(krti_h5_decoder *d)
{
    const uint64_t capacity = d->chunk_bytes + d->chunk_bytes / 8 + 256;

    if (d->buffers[0] != NULL)
        return KRT_OK;
    for (int i = 0; i < 2; i++) {
        d->buffers[i] = krti_alloc(d->f->k, (size_t)capacity);
        if (d->buffers[i] == NULL)
            return krti_fail_in_file(d->f->k, KRT_E_NOMEM, d->f->bytes->filepath);
    }
    d->capacity = (size_t)capacity;
    return KRT_OK;
}

krt_status krti_h5_decode(krti_h5_decoder *d, const unsigned char *stored, uint64_t size,
                          uint32_t mask, const unsigned char **out)
{
    krt_status st = KRT_OK;
    const krti_h5_filters *const filters = d->filters;

    if (d->chunk_bytes / MAX_RATIO > size + SLACK)
        return krti_h5_fail(d->f, KRT_E_UNSAFE,
                            "Not allowed: H5 chunk of %" PRIu64 " bytes with only %" PRIu64
                            " stored on disk; refusing to load a potential decompression/shape "
                            "bomb",
                            d->chunk_bytes, size);
    TRY(open_buffers(d));
    bytes_in_work b = {stored, (size_t)size, d->buffers[0]};
    for (unsigned i = filters->num; i-- > 0;)
        if ((mask >> i & 1) == 0)
            TRY(undo(d, &filters->items[i], &b));
    if (b.size != d->chunk_bytes)
        return krti_h5_fail(d->f, KRT_E_CORRUPT,
                            "HDF5: a chunk is damaged: expected %" PRIu64 " bytes, found %zu",
                            d->chunk_bytes, b.size);
    *out = b.p;
done:
    return st;
}

void krti_h5_decoder_free(krti_h5_decoder *d)
{
    libdeflate_free_decompressor(d->inflater);
    krti_free(d->f->k, d->buffers[0]);
    krti_free(d->f->k, d->buffers[1]);
}
