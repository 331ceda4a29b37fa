/* NumPy's .npz: a zip archive of .npy members (numpy.savez, numpy.savez_compressed). What is written is
 * byte for byte what np.savez writes, one array at a time. */
#include "formats/array_forms.h"

#include "base/map.h"
#include "formats/crc32.h"
#include "formats/zip.h"
#include "formats/zip_write.h"

/* ------------------------------------------------------------------------------- reading */

/* An archive that holds no arrays is something else; the usual ones are named. */
static krt_status fail_not_arrays(krt_ctx *k, const krti_zip *z, const krti_zip_member *m)
{
    const char *what = "a zip archive";

    if (krti_zip_find(z, "config.json") != NULL)
        what = "a Keras model archive";
    for (size_t i = 0; i < krti_zip_num(z); i++)
        if (krti_ends_with(krti_zip_at(z, i)->name, "/data.pkl"))
            what = "a PyTorch file";
    return krti_fail(k, KRT_E_FORMAT, NULL,
                     "is %s (member \"%s\"), expected arrays in .npy members", what, m->name);
}

/* The elements' CRC-32 from the member's, of which the header is the beginning. */
static void take_crc(krti_ndarray *a, const krti_zip_member *m)
{
    const size_t header = a->bytes->size - a->size_bytes;

    a->crc32 = krti_crc32_join(krti_crc32_add(0, a->bytes->data, header), m->crc32, a->size_bytes);
    a->has_crc32 = true;
}

/* `later`: elements that can be used where they lie are not read. */
static krt_status read_member(krt_ctx *k, krti_ndarrays *out, krti_zip *z, const krti_zip_member *m,
                              bool later)
{
    const size_t length = strlen(m->name) - strlen(".npy");
    const bool is_there = later && !m->is_deflated;
    krti_bytes *bytes = NULL, *checked = NULL;
    char *name = krti_strndup(k, m->name, length);
    krt_status st = KRT_OK;

    if (name == NULL)
        TRY(KRT_E_NOMEM);
    TRY(krti_zip_read(z, &bytes, m, !is_there));
    if (!krti_npy_detect(bytes))
        TRY(krti_fail(k, KRT_E_CORRUPT, NULL, "is not a .npy file, though named so"));
    TRY(krti_npy_parse(k, out, bytes, name));
    if (is_there && !out->items[out->n - 1].fortran_order)
        take_crc(&out->items[out->n - 1], m);
    else if (is_there)
        TRY(krti_zip_read(z, &checked, m, true));

done:
    krti_bytes_drop(checked);
    krti_bytes_drop(bytes);
    krti_free(k, name);
    return st == KRT_OK ? st : krti_fail_in_object(k, st, m->name);
}

static krt_status parse(krt_ctx *k, krti_ndarrays *out, krti_bytes *bytes, bool later)
{
    krti_zip *z = NULL;
    krt_status st = krti_zip_open(k, &z, bytes);

    for (size_t i = 0; st == KRT_OK && i < krti_zip_num(z); i++) {
        const krti_zip_member *m = krti_zip_at(z, i);

        if (m->is_dir)
            continue;
        st = krti_ends_with(m->name, ".npy") ? read_member(k, out, z, m, later)
                                             : fail_not_arrays(k, z, m);
    }
    krti_zip_close(z);
    return st;
}

krt_status krti_npz_parse(krt_ctx *k, krti_ndarrays *out, krti_bytes *bytes)
{
    return parse(k, out, bytes, false);
}

krt_status krti_npz_open(krt_ctx *k, krti_ndarrays *out, krti_bytes *bytes)
{
    *out = (krti_ndarrays){0};
    const krt_status st = parse(k, out, bytes, true);

    if (st != KRT_OK)
        krti_ndarrays_free(k, out);
    return krti_fail_in_file(k, st, bytes->filepath);
}

/* ------------------------------------------------------------------------------- writing */

enum { LONGEST_NAME = 65000 };

static krt_status check_names(krt_ctx *k, const krti_npz_member *members, size_t n)
{
    krti_map *seen = krti_map_new(k);
    krt_status st = seen != NULL ? KRT_OK : KRT_E_NOMEM;

    for (size_t i = 0; i < n && st == KRT_OK; i++) {
        const char *name = members[i].name;
        const char *why = krti_zip_name_problem(name, strlen(name));

        if (why == NULL && strlen(name) > LONGEST_NAME)
            why = "has too long a name";
        if (why == NULL && krti_map_has(seen, name))
            why = "occurs twice";
        if (why != NULL)
            st = krti_fail(k, KRT_E_INVALID, NULL, "array \"%s\" %s", name, why);
        else
            st = krti_map_set(seen, name, (void *)(uintptr_t)name);
    }
    krti_map_free(seen);
    return st;
}

/* The .npy header, then the elements. */
static krt_status write_elements(const krti_npz_member *m, const krti_str *header,
                                 const krti_sink *sink)
{
    const void *data = m->data;
    krt_status st = sink->write(sink->user, 0, header->ptr, header->length);

    if (st == KRT_OK && data == NULL && m->size_bytes > 0)
        st = m->open(m->user, &data);
    if (st == KRT_OK)
        st = sink->write(sink->user, header->length, data, m->size_bytes);
    if (m->done != NULL)
        m->done(m->user);
    return st;
}

static krt_status write_member(krt_ctx *k, krti_zip_writer *z, const krti_npz_member *m)
{
    krti_str name = KRTI_STR_INIT(k), header = KRTI_STR_INIT(k);
    krti_zip_entry entry = {.has_room = true, .dos_date = KRTI_ZIP_1980, .mode = 0600};
    krti_sink sink;
    krt_status st = KRT_OK;

    TRY(krti_npy_header(&header, m->kind, m->item_size, m->rank, m->dim));
    TRY(krti_str_addf(&name, "%s.npy", m->name));
    entry.name = name.ptr;
    entry.size = header.length + m->size_bytes;
    TRY(krti_zip_begin(z, &entry, &sink));
    TRY(write_elements(m, &header, &sink));
    TRY(krti_zip_end(z));

done:
    krti_str_free(&name);
    krti_str_free(&header);
    return st;
}

/* An upper bound is enough to tell that a disk is full. */
static uint64_t size_of_all(const krti_npz_member *members, size_t n)
{
    enum { AROUND = 512 }; /* both headers and the array's own */
    uint64_t size = 0;

    for (size_t i = 0; i < n; i++)
        size += members[i].size_bytes + AROUND + 2 * strlen(members[i].name);
    return size;
}

krt_status krti_npz_write(krt_ctx *k, const char *filepath, const krti_npz_member *members,
                          size_t n, bool sync)
{
    krti_txn *t = NULL;
    krti_txn_file *f = NULL;
    krti_zip_writer *z = NULL;
    krti_sink sink;
    krt_status st = KRT_OK;

    TRY(check_names(k, members, n));
    TRY(krti_txn_begin(k, &t, filepath, sync));
    TRY(krti_txn_need(t, size_of_all(members, n)));
    TRY(krti_txn_create_target(t, &f));
    sink = krti_txn_sink(f);
    TRY(krti_zip_writer_new(k, &z, &sink));
    for (size_t i = 0; i < n; i++)
        TRY(write_member(k, z, &members[i]));
    TRY(krti_zip_finish(z, NULL));
    TRY(krti_txn_commit(t));

done:
    krti_zip_writer_free(z);
    krti_txn_end(t);
    return st;
}
