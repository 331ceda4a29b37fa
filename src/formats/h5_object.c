/* Object headers, versions 1 and 2, as a sequence of messages.
 *
 * Specification: IV.A. A header is a first chunk and continuation blocks, which messages in it
 * name; h5py's groups have one such block as soon as they have an attribute. The order of blocks
 * is the order in which they are named, as in libhdf5. A block list that loops is stopped by the
 * count of messages (version 1) and by the budget (version 2). */
#include "formats/h5_internal.h"

enum { V1_PREFIX = 16, V1_MESSAGE = 8, V2_MESSAGE = 4, V2_ORDER = 2, V2_HAS_ORDER = 0x04 };

static krt_status open_v1(krti_h5_header *h)
{
    krt_status st = KRT_OK;
    const unsigned char *p = NULL;

    TRY(krti_h5_span(h->f, h->address, V1_PREFIX, "object header", &p));
    h->version = 1;
    h->num_allowed = (uint32_t)krti_h5_little(p + 2, 2);
    const uint64_t size = krti_h5_little(p + 8, 4);
    TRY(krti_h5_spend(h->f, &h->budget, size, "object header"));
    TRY(krti_h5_span(h->f, h->address + V1_PREFIX, size, "object header", &p));
    h->at = krti_h5_cursor_at(p, size);
done:
    return st;
}

static krt_status open_v2(krti_h5_header *h)
{
    krt_status st = KRT_OK;
    const unsigned char *p = NULL;

    TRY(krti_h5_span(h->f, h->address, 6, "object header", &p));
    if (p[4] != 2)
        return krti_h5_fail(h->f, KRT_E_UNSUPPORTED,
                            "HDF5 object header at byte %" PRIu64
                            " has version %u, expected 1 or 2",
                            h->address, p[4]);
    const unsigned flags = p[5];
    const unsigned width = 1u << (flags & 3);
    const uint64_t prefix =
        6 + ((flags & 0x20) != 0 ? 16u : 0u) + ((flags & 0x10) != 0 ? 4u : 0u) + width;
    TRY(krti_h5_span(h->f, h->address, prefix, "object header", &p));
    const uint64_t size = krti_h5_little(p + prefix - width, width);
    TRY(krti_h5_spend(h->f, &h->budget, size, "object header"));
    TRY(krti_h5_checked_span(h->f, h->address, prefix + size + 4, "object header", &p));
    h->version = 2;
    h->has_order = (flags & V2_HAS_ORDER) != 0;
    h->at = krti_h5_cursor_at(p + prefix, size);
done:
    return st;
}

krt_status krti_h5_header_open(krti_h5 *f, uint64_t address, krti_h5_header *h)
{
    krt_status st = KRT_OK;
    const unsigned char *p = NULL;

    h->f = f;
    h->address = address;
    h->has_order = false;
    h->num_allowed = 0;
    h->budget = f->size;
    h->chunks = h->few;
    h->num = h->next = 0;
    h->capacity = KRTI_H5_CHUNKS_INLINE;
    TRY(krti_h5_span(f, address, 4, "object header", &p));
    if (krti_h5_has_signature(p, "OHDR"))
        return open_v2(h);
    if (p[0] == 1)
        return open_v1(h);
    return krti_h5_fail(f, KRT_E_CORRUPT,
                        "HDF5: no object header at byte %" PRIu64 ", it begins with %u", address,
                        p[0]);
done:
    return st;
}

void krti_h5_header_close(krti_h5_header *h)
{
    if (h->chunks != h->few)
        krti_free(h->f->k, h->chunks);
    h->chunks = h->few;
}

static krt_status grow_chunks(krti_h5_header *h)
{
    krti_h5_chunk_of_header *const more = krti_array(h->f->k, h->capacity * 2, sizeof *more);

    if (more == NULL)
        return krti_fail_in_file(h->f->k, KRT_E_NOMEM, h->f->bytes->filepath);
    memcpy(more, h->chunks, h->num * sizeof *more);
    krti_h5_header_close(h);
    h->chunks = more;
    h->capacity *= 2;
    return KRT_OK;
}

/* A continuation message: remembers the block for later. */
static krt_status add_chunk(krti_h5_header *h, krti_h5_cursor body)
{
    krt_status st = KRT_OK;
    const uint64_t address = krti_h5_take_address(h->f, &body);
    const uint64_t size = krti_h5_take_length(h->f, &body);

    if (body.is_short || size == 0)
        return krti_h5_fail(h->f, KRT_E_CORRUPT,
                            "HDF5 object header at byte %" PRIu64 " has a damaged continuation",
                            h->address);
    TRY(krti_h5_spend(h->f, &h->budget, size, "object header continuation"));
    if (h->num == h->capacity)
        TRY(grow_chunks(h));
    h->chunks[h->num++] = (krti_h5_chunk_of_header){address, size};
done:
    return st;
}

static krt_status open_next_chunk(krti_h5_header *h)
{
    static const char what[] = "object header continuation";
    krt_status st = KRT_OK;
    const krti_h5_chunk_of_header chunk = h->chunks[h->next++];
    const unsigned char *p = NULL;

    if (h->version == 1) {
        TRY(krti_h5_span(h->f, chunk.address, chunk.size, what, &p));
        h->at = krti_h5_cursor_at(p, chunk.size);
        return st;
    }
    TRY(krti_h5_checked_span(h->f, chunk.address, chunk.size, what, &p));
    if (chunk.size < 8 || !krti_h5_has_signature(p, "OCHK"))
        return krti_h5_fail(h->f, KRT_E_CORRUPT,
                            "HDF5: no object header continuation at byte %" PRIu64, chunk.address);
    h->at = krti_h5_cursor_at(p + 4, chunk.size - 8);
done:
    return st;
}

static bool count_message(krti_h5_header *h)
{
    return h->version != 1 || h->num_allowed-- > 0;
}

/* One message from the current chunk. */
static krt_status take_message(krti_h5_header *h, krti_h5_message *m)
{
    krti_h5_cursor *const c = &h->at;
    uint64_t size = 0;

    if (h->version == 1) {
        m->type = krti_h5_take16(c);
        size = krti_h5_take16(c);
        m->flags = krti_h5_take8(c);
        krti_h5_skip(c, 3);
    } else {
        m->type = krti_h5_take8(c);
        size = krti_h5_take16(c);
        m->flags = krti_h5_take8(c);
        krti_h5_skip(c, h->has_order ? V2_ORDER : 0);
    }
    const unsigned char *const p = krti_h5_skip(c, size);
    if (p == NULL || !count_message(h))
        return krti_h5_fail(
            h->f, KRT_E_CORRUPT, "HDF5 object header at byte %" PRIu64 " %s", h->address,
            p == NULL ? "has a message longer than itself" : "has more messages than it says");
    m->body = krti_h5_cursor_at(p, size);
    if (m->type > KRTI_H5_MSG_LAST && (m->flags & KRTI_H5_FAIL_IF_UNKNOWN) != 0)
        return krti_h5_fail(h->f, KRT_E_UNSUPPORTED,
                            "HDF5 object header at byte %" PRIu64
                            " has a message of unknown type %d that must be understood",
                            h->address, m->type);
    return KRT_OK;
}

krt_status krti_h5_header_next(krti_h5_header *h, krti_h5_message *out)
{
    krt_status st = KRT_OK;
    const size_t least = h->version == 1 ? V1_MESSAGE
                         : h->has_order  ? V2_MESSAGE + V2_ORDER
                                         : V2_MESSAGE;

    for (;;) {
        if (krti_h5_left(&h->at) < least) {
            if (h->next == h->num) {
                out->type = KRTI_H5_MSG_END;
                return KRT_OK;
            }
            TRY(open_next_chunk(h));
            continue;
        }
        TRY(take_message(h, out));
        if (out->type == KRTI_H5_MSG_CONTINUATION)
            TRY(add_chunk(h, out->body));
        else if (out->type != KRTI_H5_MSG_NIL)
            return KRT_OK;
    }
done:
    return st;
}

/* ------------------------------------------------------------------------------- sharing */

static krt_status find_shared(krti_h5 *f, uint64_t address, int type, krti_h5_message *out)
{
    krt_status st = KRT_OK;
    krti_h5_header h;

    TRY(krti_h5_header_open(f, address, &h));
    do
        TRY(krti_h5_header_next(&h, out));
    while (out->type != type && out->type != KRTI_H5_MSG_END);
    if (out->type == KRTI_H5_MSG_END || (out->flags & KRTI_H5_IS_SHARED) != 0)
        st = krti_h5_fail(f, KRT_E_CORRUPT,
                          "HDF5: the shared message at byte %" PRIu64 " is not there", address);
done:
    krti_h5_header_close(&h);
    return st;
}

krt_status krti_h5_message_resolve(krti_h5 *f, krti_h5_message *m)
{
    krti_h5_cursor c = m->body;

    if ((m->flags & KRTI_H5_IS_SHARED) == 0)
        return KRT_OK;
    const unsigned version = krti_h5_take8(&c), kind = krti_h5_take8(&c);
    if (version == 3 && kind == 1)
        return krti_h5_fail(f, KRT_E_UNSUPPORTED,
                            "HDF5 file with a table of shared messages is not supported; repack it "
                            "with: h5repack IN OUT");
    krti_h5_skip(&c, version == 1 ? 6 : 0);
    const uint64_t address = krti_h5_take_address(f, &c);
    if (c.is_short || version < 1 || version > 3)
        return krti_h5_fail(f, KRT_E_CORRUPT, "HDF5: a shared message of version %u is damaged",
                            version);
    return find_shared(f, address, m->type, m);
}

krt_status krti_h5_kind_of(krti_h5 *f, krti_h5_object object, krti_h5_kind *kind)
{
    krt_status st = KRT_OK;
    krti_h5_header h;
    krti_h5_message m = {.type = KRTI_H5_MSG_END};
    bool has_type = false, has_space = false;

    *kind = KRTI_H5_OTHER;
    TRY(krti_h5_header_open(f, object.header, &h));
    do {
        TRY(krti_h5_header_next(&h, &m));
        has_type |= m.type == KRTI_H5_MSG_TYPE;
        has_space |= m.type == KRTI_H5_MSG_SPACE;
        if (m.type == KRTI_H5_MSG_SYMBOLS || m.type == KRTI_H5_MSG_LINK_INFO)
            *kind = KRTI_H5_GROUP;
        else if (has_type && has_space)
            *kind = KRTI_H5_DATASET;
    } while (m.type != KRTI_H5_MSG_END && *kind == KRTI_H5_OTHER);
done:
    krti_h5_header_close(&h);
    return st;
}
