/* The three heaps of HDF5: local (names of a symbol table), global (variable-length strings) and
 * fractal (links and attributes of objects that have many).
 *
 * Specification: III.D, III.E, III.G. Only reading: free lists are never looked at. */
#include "formats/h5_internal.h"

/* ------------------------------------------------------------------------------- local */

krt_status krti_h5_names_open(krti_h5 *f, uint64_t address, krti_h5_names *out)
{
    krt_status st = KRT_OK;
    const unsigned char *p = NULL;
    const uint64_t header = 8 + 2 * f->length_size + f->offset_size;

    TRY(krti_h5_span(f, address, header, "local heap", &p));
    krti_h5_cursor c = krti_h5_cursor_at(p, header);
    krti_h5_skip(&c, 8);
    out->size = krti_h5_take_length(f, &c);
    krti_h5_skip(&c, f->length_size);
    const uint64_t data = krti_h5_take_address(f, &c);
    if (!krti_h5_has_signature(p, "HEAP") || p[4] != 0)
        return krti_h5_fail(f, KRT_E_CORRUPT, "HDF5: no local heap at byte %" PRIu64, address);
    TRY(krti_h5_span(f, data, out->size, "local heap", &p));
    out->data = (const char *)p;
done:
    return st;
}

krt_status krti_h5_names_at(krti_h5 *f, const krti_h5_names *heap, uint64_t offset,
                            const char **out)
{
    *out = "";
    if (offset >= heap->size ||
        memchr(heap->data + offset, '\0', (size_t)(heap->size - offset)) == NULL)
        return krti_h5_fail(f, KRT_E_CORRUPT,
                            "HDF5: a name at %" PRIu64 " of a local heap of %" PRIu64
                            " bytes does not end in it",
                            offset, heap->size);
    *out = heap->data + offset;
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- global */

/* Of the collection's header and of every object's, which have the same: 8 bytes and a length,
 * rounded up to a multiple of 8. */
static uint64_t global_header(const krti_h5 *f)
{
    return (8 + f->length_size + 7u) / 8 * 8;
}

static krt_status open_collection(krti_h5 *f, krti_h5_global *g, uint64_t address)
{
    krt_status st = KRT_OK;
    const uint64_t header = global_header(f);
    const unsigned char *p = NULL;

    TRY(krti_h5_span(f, address, header, "global heap", &p));
    const uint64_t size = krti_h5_little(p + 8, f->length_size);
    if (!krti_h5_has_signature(p, "GCOL") || p[4] != 1 || size < header)
        return krti_h5_fail(f, KRT_E_CORRUPT, "HDF5: no global heap at byte %" PRIu64, address);
    TRY(krti_h5_span(f, address, size, "global heap", &p));
    g->is_open = true;
    g->address = address;
    g->data = p;
    g->size = size;
    g->next = header;
done:
    return st;
}

/* The object at g->next: true with its data, and g->next behind it; false at the end. */
static bool take_object(const krti_h5 *f, krti_h5_global *g, uint32_t *index,
                        const unsigned char **data, uint64_t *size)
{
    const uint64_t header = global_header(f);

    if (g->size - g->next < header)
        return false;
    const unsigned char *const p = g->data + g->next;
    const uint64_t left = g->size - g->next - header;
    *index = (uint32_t)krti_h5_little(p, 2);
    *size = krti_h5_little(p + 8, f->length_size);
    *data = p + header;
    if (*index == 0 || *size > left) /* free space, which is last, or damage */
        return false;
    const uint64_t padded = *size + (8 - *size % 8) % 8;
    g->next += header + (padded < left ? padded : left);
    return true;
}

/* Looks from `from` up to `until`; *out stays NULL when the object is not there. */
static krt_status scan_collection(krti_h5 *f, krti_h5_global *g, uint64_t from, uint64_t until,
                                  uint32_t index, const unsigned char **out, uint64_t *size)
{
    krt_status st = KRT_OK;
    const unsigned char *data = NULL;
    uint32_t found = 0;

    *out = NULL;
    g->next = from;
    while (g->next < until && take_object(f, g, &found, &data, size)) {
        TRY(krti_h5_spend(f, &g->budget, 8, "global heap"));
        if (found == index) {
            *out = data;
            return st;
        }
    }
done:
    return st;
}

krt_status krti_h5_global_find(krti_h5 *f, krti_h5_global *g, uint64_t address, uint32_t index,
                               const unsigned char **out, uint64_t *size)
{
    krt_status st = KRT_OK;

    if (!g->is_open || g->address != address)
        TRY(open_collection(f, g, address));
    const uint64_t start = g->next;
    TRY(scan_collection(f, g, start, g->size, index, out, size));
    if (*out == NULL)
        TRY(scan_collection(f, g, global_header(f), start, index, out, size));
    if (*out == NULL)
        st = krti_h5_fail(f, KRT_E_CORRUPT,
                          "HDF5: the global heap at byte %" PRIu64 " has no object %" PRIu32,
                          address, index);
done:
    return st;
}

/* ------------------------------------------------------------------------------- fractal */

static krt_status check_fractal(krti_h5 *f, const krti_h5_fractal *heap)
{
    const uint64_t w = heap->table_width, s = heap->start_size, m = heap->max_direct_size;
    const bool powers = w != 0 && s != 0 && m >= s && (w & (w - 1)) == 0 && (s & (s - 1)) == 0 &&
                        (m & (m - 1)) == 0;

    if (powers && krti_h5_log2(w) + krti_h5_log2(s) < 63 && heap->offset_width >= 1 &&
        heap->offset_width <= 8 && heap->id_size >= 1)
        return KRT_OK;
    return krti_h5_fail(f, KRT_E_CORRUPT,
                        "HDF5 fractal heap at byte %" PRIu64 " has a table of %" PRIu64
                        " blocks of %" PRIu64 " to %" PRIu64 " bytes, expected powers of 2",
                        heap->address, w, s, m);
}

krt_status krti_h5_fractal_open(krti_h5 *f, uint64_t address, krti_h5_fractal *out)
{
    krt_status st = KRT_OK;
    const unsigned l = f->length_size, o = f->offset_size;
    const uint64_t size = 26 + 12 * l + 3 * o;
    const unsigned char *p = NULL;

    out->address = address;
    TRY(krti_h5_span(f, address, size, "fractal heap", &p));
    if (!krti_h5_has_signature(p, "FRHP") || p[4] != 0)
        return krti_h5_fail(f, KRT_E_CORRUPT, "HDF5: no fractal heap at byte %" PRIu64, address);
    if (krti_h5_little(p + 7, 2) != 0)
        return krti_h5_fail(f, KRT_E_UNSUPPORTED,
                            "HDF5 fractal heap at byte %" PRIu64
                            " is compressed, which is not supported; repack it with: h5repack -L "
                            "IN OUT",
                            address);
    TRY(krti_h5_checked_span(f, address, size, "fractal heap", &p));
    krti_h5_cursor c = krti_h5_cursor_at(p + 5, size - 5);
    out->id_size = krti_h5_take16(&c);
    krti_h5_skip(&c, 2);
    out->has_checksums = (krti_h5_take8(&c) & 0x02) != 0;
    const uint64_t max_object = krti_h5_take32(&c);
    krti_h5_skip(&c, l);
    out->huge_index = krti_h5_take_address(f, &c);
    krti_h5_skip(&c, 9 * l + o);
    out->table_width = krti_h5_take16(&c);
    out->start_size = krti_h5_take_length(f, &c);
    out->max_direct_size = krti_h5_take_length(f, &c);
    out->offset_width = (krti_h5_take16(&c) + 7u) / 8;
    krti_h5_skip(&c, 2);
    out->root = krti_h5_take_address(f, &c);
    out->num_rows = krti_h5_take16(&c);
    const uint64_t longest = max_object < out->max_direct_size ? max_object : out->max_direct_size;
    out->length_width = krti_h5_width(longest);
    TRY(check_fractal(f, out));
done:
    return st;
}

/* A direct block's checksum covers the block with the checksum itself as zeros: the one place
 * where bytes must be copied to be checked. */
static krt_status check_direct(krti_h5 *f, const krti_h5_fractal *heap, uint64_t address,
                               const unsigned char *p, uint64_t size)
{
    const uint64_t at = 5 + f->offset_size + heap->offset_width;
    const uint64_t key = (address + 1) * UINT64_C(0x9E3779B97F4A7C15) + size;

    if (!heap->has_checksums || f->checked[key >> 56] == key)
        return KRT_OK;
    unsigned char *copy = krti_alloc(f->k, (size_t)size);
    if (copy == NULL)
        return krti_fail_in_file(f->k, KRT_E_NOMEM, f->bytes->filepath);
    memcpy(copy, p, (size_t)size);
    memset(copy + at, 0, 4);
    const uint32_t found = krti_h5_lookup3(copy, (size_t)size);
    krti_free(f->k, copy);
    if (krti_h5_is_wrong(found, krti_h5_little(p + at, 4)))
        return krti_h5_fail(f, KRT_E_CORRUPT,
                            "HDF5: the fractal heap block at byte %" PRIu64
                            " is damaged, its checksum is wrong",
                            address);
    f->checked[key >> 56] = key;
    return KRT_OK;
}

/* `length` bytes at `offset` of a direct block; offsets count from the block's own header. */
static krt_status find_in_direct(krti_h5 *f, const krti_h5_fractal *heap, uint64_t address,
                                 uint64_t block_size, uint64_t offset, uint64_t length,
                                 const unsigned char **out)
{
    krt_status st = KRT_OK;
    const uint64_t header =
        5 + f->offset_size + heap->offset_width + (heap->has_checksums ? 4u : 0u);
    const unsigned char *p = NULL;

    TRY(krti_h5_span(f, address, block_size, "fractal heap block", &p));
    if (block_size < header || !krti_h5_has_signature(p, "FHDB") || p[4] != 0)
        return krti_h5_fail(f, KRT_E_CORRUPT, "HDF5: no fractal heap block at byte %" PRIu64,
                            address);
    TRY(check_direct(f, heap, address, p, block_size));
    if (offset < header || offset > block_size || length > block_size - offset)
        return krti_h5_fail(f, KRT_E_CORRUPT,
                            "HDF5: an object of %" PRIu64 " bytes at %" PRIu64
                            " is not within the fractal heap block at byte %" PRIu64,
                            length, offset, address);
    *out = p + offset;
done:
    return st;
}

/* Reads entry `i` of an indirect block of `rows` rows. */
static krt_status indirect_entry(krti_h5 *f, const krti_h5_fractal *heap, uint64_t address,
                                 unsigned rows, uint64_t i, uint64_t *child)
{
    krt_status st = KRT_OK;
    const uint64_t header = 5 + f->offset_size + heap->offset_width;
    const uint64_t size = header + rows * heap->table_width * f->offset_size + 4;
    const unsigned char *p = NULL;

    TRY(krti_h5_checked_span(f, address, size, "fractal heap index", &p));
    if (!krti_h5_has_signature(p, "FHIB") || p[4] != 0)
        return krti_h5_fail(f, KRT_E_CORRUPT, "HDF5: no fractal heap index at byte %" PRIu64,
                            address);
    krti_h5_cursor c = krti_h5_cursor_at(p + header + i * f->offset_size, f->offset_size);
    *child = krti_h5_take_address(f, &c);
done:
    return st;
}

/* Goes down the doubling table: rows 0 and 1 hold blocks of the starting size, every later row
 * blocks of twice the size; rows beyond the largest direct block hold indirect blocks. */
static krt_status find_managed(krti_h5 *f, const krti_h5_fractal *heap, uint64_t offset,
                               uint64_t length, const unsigned char **out)
{
    krt_status st = KRT_OK;
    const uint64_t row_bytes = heap->table_width * heap->start_size;
    const unsigned direct_rows =
        krti_h5_log2(heap->max_direct_size) - krti_h5_log2(heap->start_size) + 2;
    uint64_t address = heap->root;
    unsigned rows = heap->num_rows;

    if (rows == 0)
        return find_in_direct(f, heap, address, heap->start_size, offset, length, out);
    for (;;) {
        const unsigned row = offset < row_bytes ? 0 : krti_h5_log2(offset / row_bytes) + 1;
        const uint64_t size = row == 0 ? heap->start_size : heap->start_size << (row - 1);
        const uint64_t row_start = row == 0 ? 0 : row_bytes << (row - 1);
        const uint64_t column = (offset - row_start) / size;

        if (row >= rows)
            return krti_h5_fail(f, KRT_E_CORRUPT,
                                "HDF5: an object lies past the end of the fractal heap at byte "
                                "%" PRIu64,
                                heap->address);
        TRY(indirect_entry(f, heap, address, rows, row * heap->table_width + column, &address));
        offset -= row_start + column * size;
        if (row < direct_rows)
            return find_in_direct(f, heap, address, size, offset, length, out);
        /* `row` shrinks by the width's logarithm at every level, so this ends. */
        rows = row - krti_h5_log2(heap->table_width);
        if (rows == 0 || rows > row)
            return krti_h5_fail(f, KRT_E_CORRUPT,
                                "HDF5 fractal heap at byte %" PRIu64 " has an impossible shape",
                                heap->address);
    }
done:
    return st;
}

typedef struct huge_search {
    krti_h5 *f;
    uint64_t id, address, size;
    bool found;
} huge_search;

static krt_status match_huge(void *user, const unsigned char *record)
{
    huge_search *const s = user;
    krti_h5_cursor c =
        krti_h5_cursor_at(record, s->f->offset_size + 2 * (uint64_t)s->f->length_size);
    const uint64_t address = krti_h5_take_address(s->f, &c);
    const uint64_t size = krti_h5_take_length(s->f, &c);

    if (krti_h5_take_length(s->f, &c) == s->id) {
        s->address = address;
        s->size = size;
        s->found = true;
    }
    return KRT_OK;
}

/* Huge objects lie outside the heap; the id has their place or a number to look up. */
static krt_status find_huge(krti_h5 *f, const krti_h5_fractal *heap, krti_h5_cursor id,
                            const unsigned char **out, uint64_t *size)
{
    krt_status st = KRT_OK;
    const unsigned direct = f->offset_size + f->length_size;
    huge_search s = {.f = f, .address = KRTI_H5_UNDEFINED};

    if (heap->id_size - 1 >= direct) {
        s.address = krti_h5_take_address(f, &id);
        s.size = krti_h5_take_length(f, &id);
    } else {
        s.id = krti_h5_take(&id, heap->id_size - 1 < 8 ? heap->id_size - 1 : 8);
        const krti_h5_btree2 tree = {.type = 1,
                                     .record_size = f->offset_size + 2 * (size_t)f->length_size,
                                     .each = match_huge,
                                     .user = &s};
        TRY(krti_h5_btree2_each(f, heap->huge_index, &tree));
    }
    *size = s.size;
    TRY(krti_h5_span(f, s.address, s.size, "fractal heap object", out));
done:
    return st;
}

krt_status krti_h5_fractal_find(krti_h5 *f, const krti_h5_fractal *heap, const unsigned char *id,
                                const unsigned char **out, uint64_t *size)
{
    enum { MANAGED = 0, HUGE_OBJECT = 1, TINY = 2, TINY_SHORT_IDS = 18 };
    krti_h5_cursor c = krti_h5_cursor_at(id, heap->id_size);
    const unsigned first = krti_h5_take8(&c);
    const unsigned kind = first >> 4 & 3;

    *size = 0;
    *out = NULL;
    if (first >> 6 == 0 && kind == MANAGED) {
        const uint64_t offset = krti_h5_take(&c, heap->offset_width);
        *size = krti_h5_take(&c, heap->length_width);
        if (!c.is_short)
            return find_managed(f, heap, offset, *size, out);
    } else if (first >> 6 == 0 && kind == HUGE_OBJECT) {
        return find_huge(f, heap, c, out, size);
    } else if (first >> 6 == 0 && kind == TINY) {
        const unsigned low = heap->id_size <= TINY_SHORT_IDS ? 0 : krti_h5_take8(&c);
        *size = (heap->id_size <= TINY_SHORT_IDS ? first & 15 : (first & 15) << 8 | low) + 1;
        *out = krti_h5_skip(&c, *size);
        if (*out != NULL)
            return KRT_OK;
    }
    return krti_h5_fail(f, KRT_E_CORRUPT,
                        "HDF5: an id of the fractal heap at byte %" PRIu64 " is damaged",
                        heap->address);
}
