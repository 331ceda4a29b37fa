/* Opening an HDF5 file: the superblock, and what every other part leans on, failing, spans of the
 * mapping and checksums.
 *
 * Specification: II.A "Disk Format: Level 0A". Addresses count from the superblock's place, not
 * from the base address it states: libhdf5 does so too, so that a file with a user block put in
 * front by a tool that knew nothing of HDF5 opens. Page: docs/formats/hdf5.md. */
#include "formats/h5_internal.h"

static const unsigned char signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1A, '\n'};

krt_status krti_h5_fail(krti_h5 *f, krt_status status, const char *format, ...)
{
    char message[KRTI_MESSAGE_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    krti_fail(f->k, status, NULL, "%s", message);
    return krti_fail_in_file(f->k, status, f->bytes->filepath);
}

krt_status krti_h5_span(krti_h5 *f, uint64_t address, uint64_t size, const char *what,
                        const unsigned char **out)
{
    *out = NULL;
    if (address == KRTI_H5_UNDEFINED)
        return krti_h5_fail(f, KRT_E_CORRUPT, "HDF5: %s is missing, its address is undefined",
                            what);
    if (address > f->size || size > f->size - address)
        return krti_h5_fail(f, KRT_E_CORRUPT,
                            "HDF5: %s of %" PRIu64 " bytes at byte %" PRIu64
                            " reaches past the end at byte %" PRIu64,
                            what, size, address, f->size);
    *out = f->data + address;
    return KRT_OK;
}

/* A fuzzer cannot guess checksums: built for it, the library computes but does not insist. */
bool krti_h5_is_wrong(uint32_t found, uint64_t stored)
{
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
    (void)found;
    (void)stored;
    return false;
#else
    return found != stored;
#endif
}

krt_status krti_h5_checked_span(krti_h5 *f, uint64_t address, uint64_t size, const char *what,
                                const unsigned char **out)
{
    krt_status st = krti_h5_span(f, address, size, what, out);

    if (st != KRT_OK)
        return st;
    if (size < 4)
        return krti_h5_fail(f, KRT_E_CORRUPT, "HDF5: the %s at byte %" PRIu64 " is too short", what,
                            address);
    const uint64_t key = (address + 1) * UINT64_C(0x9E3779B97F4A7C15) + size;
    uint64_t *const known = &f->checked[key >> 56];
    if (*known == key)
        return KRT_OK;
    const uint32_t expected = (uint32_t)krti_h5_little(*out + size - 4, 4);
    const uint32_t found = krti_h5_lookup3(*out, (size_t)size - 4);
    if (krti_h5_is_wrong(found, expected))
        return krti_h5_fail(f, KRT_E_CORRUPT,
                            "HDF5: the %s at byte %" PRIu64 " is damaged: checksum 0x%08" PRIx32
                            ", stored 0x%08" PRIx32,
                            what, address, found, expected);
    *known = key;
    return KRT_OK;
}

krt_status krti_h5_spend(krti_h5 *f, uint64_t *budget, uint64_t size, const char *what)
{
    if (size > *budget)
        return krti_h5_fail(f, KRT_E_CORRUPT,
                            "HDF5: %s is reached twice, its parts point in circles", what);
    *budget -= size;
    f->spent += size;
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- lookup3 */

static uint32_t rotate(uint32_t x, unsigned n)
{
    return (x << n) | (x >> (32 - n));
}

static uint32_t word_at(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void mix(uint32_t *a, uint32_t *b, uint32_t *c)
{
    static const unsigned char turns[6] = {4, 6, 8, 16, 19, 4};

    for (int i = 0; i < 6; i++) {
        uint32_t *const x = i % 3 == 0 ? a : i % 3 == 1 ? b : c;
        uint32_t *const y = i % 3 == 0 ? b : i % 3 == 1 ? c : a;
        uint32_t *const z = i % 3 == 0 ? c : i % 3 == 1 ? a : b;

        *x -= *z;
        *x ^= rotate(*z, turns[i]);
        *z += *y;
    }
}

static uint32_t final_mix(uint32_t a, uint32_t b, uint32_t c)
{
    c = (c ^ b) - rotate(b, 14);
    a = (a ^ c) - rotate(c, 11);
    b = (b ^ a) - rotate(a, 25);
    c = (c ^ b) - rotate(b, 16);
    a = (a ^ c) - rotate(c, 4);
    b = (b ^ a) - rotate(a, 14);
    return (c ^ b) - rotate(b, 24);
}

uint32_t krti_h5_lookup3(const unsigned char *data, size_t size)
{
    uint32_t a = 0xdeadbeef + (uint32_t)size, b = a, c = a;

    for (; size > 12; size -= 12, data += 12) {
        a += word_at(data);
        b += word_at(data + 4);
        c += word_at(data + 8);
        mix(&a, &b, &c);
    }
    if (size == 0)
        return c;
    unsigned char tail[12] = {0};
    memcpy(tail, data, size);
    return final_mix(a + word_at(tail), b + word_at(tail + 4), c + word_at(tail + 8));
}

/* ------------------------------------------------------------------------------- superblock */

/* The superblock lies at 0 or at 512, 1024, 2048 ... behind a user block. */
static bool find_signature(const krti_bytes *bytes, uint64_t *at)
{
    for (uint64_t place = 0; place < bytes->size; place = place == 0 ? 512 : place * 2) {
        if (bytes->size - place < sizeof signature)
            return false;
        if (memcmp(bytes->data + place, signature, sizeof signature) == 0) {
            *at = place;
            return true;
        }
    }
    return false;
}

bool krti_h5_detect(const krti_bytes *bytes)
{
    uint64_t at = 0;

    return find_signature(bytes, &at);
}

static krt_status check_widths(krti_h5 *f)
{
    const unsigned o = f->offset_size, l = f->length_size;

    if ((o == 2 || o == 4 || o == 8) && (l == 2 || l == 4 || l == 8))
        return KRT_OK;
    return krti_h5_fail(f, KRT_E_UNSUPPORTED,
                        "HDF5 file with offsets of %u and lengths of %u bytes, expected 2, 4 or 8",
                        o, l);
}

/* What both forms of the superblock end in. Sets f->size. */
static krt_status check_end(krti_h5 *f, uint64_t base, uint64_t end)
{
    if (end == KRTI_H5_UNDEFINED || base == KRTI_H5_UNDEFINED || end < base)
        return krti_h5_fail(f, KRT_E_CORRUPT,
                            "HDF5 superblock with base address %" PRIu64
                            " and end-of-file address %" PRIu64,
                            base, end);
    f->size = end - base;
    const uint64_t there = f->bytes->size - f->user_block;
    f->whole = f->size > UINT64_MAX - f->user_block ? f->size : f->size + f->user_block;
    if (f->size > there && !f->may_be_cut)
        return krti_h5_fail(f, KRT_E_CORRUPT, "file is cut short: %zu of %" PRIu64 " bytes",
                            f->bytes->size, f->whole);
    f->size = f->size < there ? f->size : there;
    return KRT_OK;
}

static krt_status cut_in_superblock(krti_h5 *f)
{
    return krti_h5_fail(f, KRT_E_CORRUPT, "file is cut short: %zu bytes, within its superblock",
                        f->bytes->size);
}

/* Versions 0 and 1: the root group is a symbol-table entry. */
static krt_status read_super_old(krti_h5 *f, krti_h5_cursor c, unsigned version)
{
    krt_status st = KRT_OK;
    const unsigned free_version = krti_h5_take8(&c), root_version = krti_h5_take8(&c);

    krti_h5_skip(&c, 1);
    const unsigned shared_version = krti_h5_take8(&c);
    f->offset_size = krti_h5_take8(&c);
    f->length_size = krti_h5_take8(&c);
    if (c.is_short)
        return cut_in_superblock(f);
    if (free_version != 0 || root_version != 0 || shared_version != 0)
        return krti_h5_fail(f, KRT_E_UNSUPPORTED,
                            "HDF5 superblock with parts of version %u, %u and %u, expected 0",
                            free_version, root_version, shared_version);
    TRY(check_widths(f));
    krti_h5_skip(&c, version == 0 ? 9 : 13); /* reserved, tree widths, flags: nothing we need */
    const uint64_t base = krti_h5_take_address(f, &c);
    krti_h5_skip(&c, f->offset_size); /* free space: for writers */
    const uint64_t end = krti_h5_take_address(f, &c);
    const uint64_t driver = krti_h5_take_address(f, &c);
    krti_h5_skip(&c, f->offset_size); /* the root's name, which is empty */
    f->root = krti_h5_take_address(f, &c);
    if (c.is_short)
        return cut_in_superblock(f);
    if (driver != KRTI_H5_UNDEFINED)
        return krti_h5_fail(f, KRT_E_UNSUPPORTED,
                            "HDF5 file of several parts (it names a file driver); repack it with: "
                            "h5repack IN OUT");
    TRY(check_end(f, base, end));
done:
    return st;
}

/* Versions 2 and 3: less, and a checksum. */
static krt_status read_super_new(krti_h5 *f, krti_h5_cursor c)
{
    krt_status st = KRT_OK;
    const unsigned char *const start = c.p - sizeof signature - 1;

    f->offset_size = krti_h5_take8(&c);
    f->length_size = krti_h5_take8(&c);
    krti_h5_skip(&c, 1);
    if (c.is_short)
        return cut_in_superblock(f);
    TRY(check_widths(f));
    const uint64_t base = krti_h5_take_address(f, &c);
    krti_h5_skip(&c, f->offset_size); /* extension: nothing a reader needs */
    const uint64_t end = krti_h5_take_address(f, &c);
    f->root = krti_h5_take_address(f, &c);
    const size_t size = (size_t)(c.p - start);
    const uint32_t expected = krti_h5_take32(&c);
    if (c.is_short)
        return cut_in_superblock(f);
    const uint32_t found = krti_h5_lookup3(start, size);
    if (krti_h5_is_wrong(found, expected))
        return krti_h5_fail(f, KRT_E_CORRUPT,
                            "HDF5: the superblock is damaged: checksum 0x%08" PRIx32
                            ", stored 0x%08" PRIx32,
                            found, expected);
    TRY(check_end(f, base, end));
done:
    return st;
}

static krt_status read_super(krti_h5 *f)
{
    krti_h5_cursor c = krti_h5_cursor_at(f->data, f->bytes->size - f->user_block);

    krti_h5_skip(&c, sizeof signature);
    const unsigned version = krti_h5_take8(&c);
    if (c.is_short)
        return cut_in_superblock(f);
    if (version <= 1)
        return read_super_old(f, c, version);
    if (version <= 3)
        return read_super_new(f, c);
    return krti_h5_fail(f, KRT_E_UNSUPPORTED, "HDF5 superblock version %u, expected 0 to 3",
                        version);
}

static krt_status open_file(krt_ctx *k, krti_h5 **out, krti_bytes *bytes, bool may_be_cut)
{
    krt_status st = KRT_E_NOMEM;
    krti_h5 *f = krti_alloc(k, sizeof *f);

    *out = NULL;
    if (f == NULL)
        return st;
    f->k = k;
    f->may_be_cut = may_be_cut;
    f->bytes = krti_bytes_use(bytes);
    if (!find_signature(bytes, &f->user_block)) {
        st = krti_h5_fail(f, KRT_E_FORMAT,
                          "not an HDF5 file: no signature at byte 0, 512, 1024, ...");
        goto done;
    }
    f->data = bytes->data + f->user_block;
    TRY(read_super(f));
    *out = f;
    f = NULL;
done:
    krti_h5_close(f);
    return st;
}

krt_status krti_h5_open(krt_ctx *k, krti_h5 **out, krti_bytes *bytes)
{
    return open_file(k, out, bytes, false);
}

krt_status krti_h5_open_cut(krt_ctx *k, krti_h5 **out, krti_bytes *bytes, uint64_t *whole)
{
    const krt_status st = open_file(k, out, bytes, true);

    *whole = st == KRT_OK ? (*out)->whole : 0;
    return st;
}

void krti_h5_close(krti_h5 *f)
{
    if (f == NULL)
        return;
    krti_bytes_drop(f->bytes);
    krti_free(f->k, f);
}

krti_h5_object krti_h5_root(const krti_h5 *f)
{
    return (krti_h5_object){f->root};
}
