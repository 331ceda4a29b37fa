/* Datasets: what a header says of one, and its elements.
 *
 * Specification: IV.A.2.b, d, f, i and l. Describing reads the header and, for chunked data, the
 * chunk index, never the data. Contiguous and compact data is handed out where it lies in the
 * mapping; the rest is put together in memory. Keras's guards are here: no external files, no
 * virtual datasets, no shape bombs (keras/src/saving/saving_lib.py, H5IOStore). */
#include "formats/h5_internal.h"

/* ------------------------------------------------------------------------------- layout */

static krt_status bad_layout(krti_h5 *f, unsigned version)
{
    return krti_h5_fail(f, KRT_E_CORRUPT, "HDF5 data layout message of version %u is damaged",
                        version);
}

/* Chunk dimensions: the dataset's rank and one more, which is the size of an element. */
static krt_status parse_chunk_shape(krti_h5 *f, krti_h5_cursor *c, unsigned num, size_t width,
                                    krti_h5_plan *plan)
{
    krti_h5_layout *const l = &plan->layout;
    uint64_t bytes = 1;

    if (num < 2 || num - 1 != (unsigned)plan->type.rank || width < 1 || width > 8)
        return krti_h5_fail(f, KRT_E_CORRUPT, "HDF5 chunks of rank %d for a dataset of rank %d",
                            (int)num - 1, plan->type.rank);
    l->rank = plan->type.rank;
    for (unsigned i = 0; i < num; i++) {
        const uint64_t dim = krti_h5_take(c, width);

        if (c->is_short || dim == 0 || bytes > INT64_MAX / dim ||
            (i == num - 1 && dim != plan->type.size))
            return krti_h5_fail(f, KRT_E_CORRUPT,
                                "HDF5 chunks with a dimension %u of %" PRIu64 " elements", i, dim);
        if (i < num - 1)
            l->chunk[i] = dim;
        bytes *= dim;
    }
    l->chunk_bytes = bytes;
    return KRT_OK;
}

static krt_status parse_compact(krti_h5 *f, krti_h5_cursor *c, size_t width, unsigned version,
                                krti_h5_layout *l)
{
    l->size = krti_h5_take(c, width);
    l->inside = krti_h5_skip(c, l->size);
    l->has_size = true;
    return l->inside == NULL ? bad_layout(f, version) : KRT_OK;
}

/* Versions 1 and 2, up to HDF5 1.4: dimensions instead of sizes. */
static krt_status parse_layout_1(krti_h5 *f, krti_h5_cursor c, krti_h5_plan *plan)
{
    krt_status st = KRT_OK;
    krti_h5_layout *const l = &plan->layout;
    const unsigned version = krti_h5_take8(&c), num = krti_h5_take8(&c);

    l->cls = krti_h5_take8(&c);
    krti_h5_skip(&c, 5);
    if (l->cls != KRTI_H5_COMPACT)
        l->address = krti_h5_take_address(f, &c);
    if (l->cls == KRTI_H5_CHUNKED) {
        TRY(parse_chunk_shape(f, &c, num, 4, plan));
    } else {
        krti_h5_skip(&c, 4 * (uint64_t)num);
        if (l->cls == KRTI_H5_COMPACT)
            TRY(parse_compact(f, &c, 4, version, l));
    }
    if (c.is_short)
        return bad_layout(f, version);
done:
    return st;
}

/* Version 4 names how its chunks are indexed. */
static krt_status parse_chunks_4(krti_h5 *f, krti_h5_cursor *c, krti_h5_plan *plan)
{
    enum { EDGES_UNFILTERED = 1, SINGLE_IS_FILTERED = 2 };
    /* Bytes of settings in front of the address; every structure repeats its own. */
    static const unsigned char settings[] = {0, 0, 0, 1, 5, 6};
    krt_status st = KRT_OK;
    krti_h5_layout *const l = &plan->layout;
    const unsigned flags = krti_h5_take8(c), num = krti_h5_take8(c), width = krti_h5_take8(c);

    TRY(parse_chunk_shape(f, c, num, width, plan));
    l->are_edges_unfiltered = (flags & EDGES_UNFILTERED) != 0;
    const unsigned index = krti_h5_take8(c);
    if (index < KRTI_H5_INDEX_SINGLE || index > KRTI_H5_INDEX_BTREE2)
        return krti_h5_fail(f, KRT_E_UNSUPPORTED,
                            "HDF5 chunk index of type %u is not supported; repack it with: "
                            "h5repack IN OUT",
                            index);
    l->index = (krti_h5_index)index;
    l->single_size = l->chunk_bytes;
    if (l->index == KRTI_H5_INDEX_SINGLE && (flags & SINGLE_IS_FILTERED) != 0) {
        l->single_size = krti_h5_take_length(f, c);
        l->single_mask = krti_h5_take32(c);
    }
    krti_h5_skip(c, settings[index]);
    l->address = krti_h5_take_address(f, c);
done:
    return st;
}

static krt_status parse_layout(krti_h5 *f, krti_h5_cursor c, krti_h5_plan *plan)
{
    krt_status st = KRT_OK;
    krti_h5_layout *const l = &plan->layout;
    const unsigned version = krti_h5_left(&c) > 0 ? c.p[0] : 0;

    l->address = KRTI_H5_UNDEFINED;
    if (version == 1 || version == 2)
        return parse_layout_1(f, c, plan);
    krti_h5_skip(&c, 1);
    if (version != 3 && version != 4)
        return krti_h5_fail(f, KRT_E_UNSUPPORTED,
                            "HDF5 data layout message of version %u is not supported, expected 1 "
                            "to 4; repack it with: h5repack IN OUT",
                            version);
    l->cls = krti_h5_take8(&c);
    if (l->cls == KRTI_H5_COMPACT) {
        TRY(parse_compact(f, &c, 2, version, l));
    } else if (l->cls == KRTI_H5_CONTIGUOUS) {
        l->address = krti_h5_take_address(f, &c);
        l->size = krti_h5_take_length(f, &c);
        l->has_size = true;
    } else if (l->cls == KRTI_H5_CHUNKED && version == 4) {
        TRY(parse_chunks_4(f, &c, plan));
    } else if (l->cls == KRTI_H5_CHUNKED) {
        const unsigned num = krti_h5_take8(&c);
        l->address = krti_h5_take_address(f, &c);
        TRY(parse_chunk_shape(f, &c, num, 4, plan));
    } else if (l->cls == KRTI_H5_VIRTUAL) {
        return krti_h5_fail(f, KRT_E_UNSAFE, "Not allowed: H5 file with virtual Dataset");
    } else {
        return bad_layout(f, version);
    }
    if (c.is_short)
        return bad_layout(f, version);
done:
    return st;
}

/* ------------------------------------------------------------------------------- header */

/* The fill value, when one is stored and not of size 0. */
static krt_status parse_fill(krti_h5 *f, const krti_h5_message *m, krti_h5_plan *plan)
{
    krti_h5_cursor c = m->body;
    bool has_value = true;

    if (m->type == KRTI_H5_MSG_FILL) {
        const unsigned version = krti_h5_take8(&c);
        const unsigned flags = krti_h5_take8(&c);

        if (version == 3) {
            has_value = (flags & 0x20) != 0;
        } else {
            krti_h5_skip(&c, 1);
            has_value = krti_h5_take8(&c) != 0 || version == 1;
        }
    }
    const uint32_t size = has_value ? krti_h5_take32(&c) : 0;
    if (size == 0 || size > INT32_MAX)
        return KRT_OK;
    plan->fill = krti_h5_skip(&c, size);
    if (plan->fill == NULL || size != plan->type.size)
        return krti_h5_fail(f, KRT_E_CORRUPT,
                            "HDF5 fill value of %" PRIu32 " bytes for elements of %" PRIu32, size,
                            plan->type.size);
    return KRT_OK;
}

/* The messages a dataset's header is asked for; type KRTI_H5_MSG_END marks those it lacks. */
typedef struct dataset_messages {
    krti_h5_message type, space, layout, fill, filters;
} dataset_messages;

static krt_status keep_message(krti_h5 *f, dataset_messages *d, const krti_h5_message *m)
{
    krti_h5_message *slot = NULL;

    switch (m->type) {
    case KRTI_H5_MSG_TYPE:
        slot = &d->type;
        break;
    case KRTI_H5_MSG_SPACE:
        slot = &d->space;
        break;
    case KRTI_H5_MSG_LAYOUT:
        slot = &d->layout;
        break;
    case KRTI_H5_MSG_FILTERS:
        slot = &d->filters;
        break;
    case KRTI_H5_MSG_FILL:
        slot = &d->fill;
        break;
    case KRTI_H5_MSG_OLD_FILL: /* both may be there; the newer counts */
        slot = d->fill.type == KRTI_H5_MSG_FILL ? NULL : &d->fill;
        break;
    case KRTI_H5_MSG_EXTERNAL:
        return krti_h5_fail(f, KRT_E_UNSAFE, "Not allowed: H5 file with external Dataset");
    default:
        break;
    }
    if (slot == NULL)
        return KRT_OK;
    *slot = *m;
    return krti_h5_message_resolve(f, slot);
}

static krt_status gather_messages(krti_h5 *f, krti_h5_object object, dataset_messages *d)
{
    krt_status st = KRT_OK;
    krti_h5_header h;
    krti_h5_message m = {.type = KRTI_H5_MSG_END};

    *d = (dataset_messages){m, m, m, m, m};
    TRY(krti_h5_header_open(f, object.header, &h));
    do {
        TRY(krti_h5_header_next(&h, &m));
        TRY(keep_message(f, d, &m));
    } while (m.type != KRTI_H5_MSG_END);
    if (d->type.type == KRTI_H5_MSG_END || d->space.type == KRTI_H5_MSG_END ||
        d->layout.type == KRTI_H5_MSG_END) {
        krti_h5_kind kind = KRTI_H5_OTHER;

        TRY(krti_h5_kind_of(f, object, &kind));
        st = krti_h5_fail(f, KRT_E_FORMAT, "Invalid H5 file, expected Dataset, received %s",
                          kind == KRTI_H5_GROUP ? "Group" : "an object without data");
    }
done:
    krti_h5_header_close(&h);
    return st;
}

/* The layout's size must be the shape's: libhdf5 would hand out the bytes after the data. */
static krt_status check_size(krti_h5 *f, const krti_h5_plan *plan)
{
    krt_status st = KRT_OK;
    const krti_h5_layout *const l = &plan->layout;
    const unsigned char *p = NULL;
    const bool is_written = l->cls == KRTI_H5_COMPACT || l->address != KRTI_H5_UNDEFINED;

    if (l->cls == KRTI_H5_CHUNKED || !is_written)
        return st;
    if (l->has_size && l->size != plan->size_bytes)
        return krti_h5_fail(f, KRT_E_CORRUPT,
                            "HDF5 dataset of %" PRIu64 " bytes by its shape, %" PRIu64
                            " bytes by its layout",
                            plan->size_bytes, l->size);
    if (l->cls == KRTI_H5_CONTIGUOUS)
        TRY(krti_h5_span(f, l->address, plan->size_bytes, "dataset", &p));
done:
    return st;
}

static krt_status make_plan(krti_h5 *f, krti_h5_object object, krti_h5_plan *plan)
{
    krt_status st = KRT_OK;
    dataset_messages d;

    memset(plan, 0, sizeof *plan);
    TRY(gather_messages(f, object, &d));
    TRY(krti_h5_type_parse(f, d.type.body, &plan->type));
    TRY(krti_h5_space_parse(f, d.space.body, &plan->type, plan->max));
    TRY(krti_h5_type_bytes(f, &plan->type, &plan->size_bytes));
    TRY(parse_layout(f, d.layout.body, plan));
    if (d.fill.type != KRTI_H5_MSG_END)
        TRY(parse_fill(f, &d.fill, plan));
    if (d.filters.type != KRTI_H5_MSG_END)
        TRY(krti_h5_filters_parse(f, d.filters.body, &plan->filters));
    TRY(check_size(f, plan));
done:
    return st;
}

/* ------------------------------------------------------------------------------- guards */

/* As Keras prints sizes: "4.00 GB". */
static void readable_size(char *text, size_t size, uint64_t bytes)
{
    static const char *const units[] = {"B", "KB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)bytes;
    size_t i = 0;

    for (; value >= 1024 && i + 1 < KRTI_COUNT(units); i++)
        value /= 1024;
    snprintf(text, size, "%.2f %s", value, units[i]);
}

/* Keras refuses more than 4 GiB and more than 1000 times what is stored. We also refuse what no
 * file of this size can hold, since deflate packs 1032 bytes into one at best, once it is more
 * than a never-written array of ordinary size. */
static krt_status refuse_bomb(krti_h5 *f, uint64_t declared, uint64_t stored)
{
    const bool is_keras_bomb = declared > UINT64_C(4) << 30 && declared > 1000 * stored;
    const bool is_ours = declared > UINT64_C(64) << 20 && declared / 1100 > f->size;
    char wanted[32], there[32];

    if (!is_keras_bomb && !is_ours)
        return KRT_OK;
    readable_size(wanted, sizeof wanted, declared);
    readable_size(there, sizeof there, stored);
    return krti_h5_fail(f, KRT_E_UNSAFE,
                        "Not allowed: H5 dataset declares %s but only %s are stored on disk; "
                        "refusing to load a potential decompression/shape bomb",
                        wanted, there);
}

krt_status krti_h5_dataset_open(krti_h5 *f, krti_h5_object object, krti_h5_dataset *out)
{
    krt_status st = KRT_OK;
    krti_h5_plan plan;

    memset(out, 0, sizeof *out);
    TRY(make_plan(f, object, &plan));
    const krti_h5_layout *const l = &plan.layout;
    out->type = plan.type;
    out->size_bytes = plan.size_bytes;
    out->is_contiguous = l->cls == KRTI_H5_CONTIGUOUS;
    if (l->cls == KRTI_H5_CHUNKED)
        TRY(krti_h5_chunks_stored(f, &plan, &out->stored_bytes));
    else if (l->cls == KRTI_H5_COMPACT || l->address != KRTI_H5_UNDEFINED)
        out->stored_bytes = plan.size_bytes;
    if (out->is_contiguous && out->stored_bytes > 0)
        out->offset = f->user_block + l->address;
    TRY(refuse_bomb(f, out->size_bytes, out->stored_bytes));
done:
    return st;
}

/* ------------------------------------------------------------------------------- reading */

static void spread_fill(unsigned char *out, uint64_t size, const unsigned char *fill,
                        uint32_t element)
{
    for (uint64_t i = 0; fill != NULL && i < size; i += element)
        memcpy(out + i, fill, element);
}

/* Data that must be put together: the fill value, and over it what was written. */
static krt_status assemble(krti_h5 *f, const krti_h5_plan *plan, krti_bytes **owned)
{
    krt_status st = KRT_E_NOMEM;
    unsigned char *data = krti_alloc(f->k, (size_t)plan->size_bytes);

    if (data == NULL)
        return krti_fail_in_file(f->k, st, f->bytes->filepath);
    spread_fill(data, plan->size_bytes, plan->fill, plan->type.size);
    st = KRT_OK;
    if (plan->layout.cls == KRTI_H5_CHUNKED)
        TRY(krti_h5_chunks_read(f, plan, data));
    st = krti_bytes_take(f->k, owned, data, (size_t)plan->size_bytes);
    data = NULL;
done:
    krti_free(f->k, data);
    return st;
}

krt_status krti_h5_dataset_read(krti_h5 *f, krti_h5_object object, const krti_h5_dataset *dataset,
                                const void **out, krti_bytes **owned)
{
    krt_status st = KRT_OK;
    krti_h5_plan plan;
    const unsigned char *p = NULL;

    *out = "";
    *owned = NULL;
    if (dataset->type.cls == KRTI_H5_UNSUPPORTED)
        return krti_h5_fail(f, KRT_E_UNSUPPORTED,
                            "HDF5 dataset of type %s is not supported, expected integers, floats, "
                            "bools, strings or opaque bytes",
                            dataset->type.class_name);
    if (dataset->size_bytes == 0)
        return st;
    if (dataset->is_contiguous && dataset->offset != 0) {
        TRY(krti_h5_span(f, dataset->offset - f->user_block, dataset->size_bytes, "dataset", &p));
        *out = p;
        return st;
    }
    TRY(make_plan(f, object, &plan));
    if (plan.size_bytes != dataset->size_bytes) /* the caller will read as much as it was told */
        return krti_h5_fail(f, KRT_E_CORRUPT, "HDF5: the file changed while it was read");
    TRY(refuse_bomb(f, plan.size_bytes, dataset->stored_bytes));
    if (plan.layout.cls == KRTI_H5_COMPACT) {
        *out = plan.layout.inside;
        return st;
    }
    TRY(assemble(f, &plan, owned));
    *out = (*owned)->data;
done:
    return st;
}
