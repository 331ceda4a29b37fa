/* NumPy's .npz: a zip archive of .npy members (numpy.savez, numpy.savez_compressed).
 *
 * What is written is what np.savez writes: stored members dated 1980, sizes in a ZIP64 field of
 * the local header, plain sizes in the directory until they no longer fit. Headers are assembled in
 * one text, the data stays where it is. */
#include "formats/array_forms.h"

#include "base/map.h"
#include "formats/zip.h"

#include <libdeflate.h>

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

static krt_status read_member(krt_ctx *k, krti_ndarrays *out, krti_zip *z, const krti_zip_member *m)
{
    const size_t length = strlen(m->name) - strlen(".npy");
    krti_bytes *bytes = NULL;
    char *name = krti_strndup(k, m->name, length);
    krt_status st = KRT_OK;

    if (name == NULL)
        TRY(KRT_E_NOMEM);
    TRY(krti_zip_read(z, &bytes, m, true));
    if (!krti_npy_detect(bytes))
        TRY(krti_fail(k, KRT_E_CORRUPT, NULL, "is not a .npy file, though named so"));
    TRY(krti_npy_parse(k, out, bytes, name));

done:
    krti_bytes_drop(bytes);
    krti_free(k, name);
    return st == KRT_OK ? st : krti_fail_in_object(k, st, m->name);
}

krt_status krti_npz_parse(krt_ctx *k, krti_ndarrays *out, krti_bytes *bytes)
{
    krti_zip *z = NULL;
    krt_status st = krti_zip_open(k, &z, bytes);

    for (size_t i = 0; st == KRT_OK && i < krti_zip_num(z); i++) {
        const krti_zip_member *m = krti_zip_at(z, i);

        if (m->is_dir)
            continue;
        st = krti_ends_with(m->name, ".npy") ? read_member(k, out, z, m) : fail_not_arrays(k, z, m);
    }
    krti_zip_close(z);
    return st;
}

/* ------------------------------------------------------------------------------- writing */

enum { FLAG_UTF8 = 1 << 11, VERSION_ZIP64 = 45, DATE_1980 = (1 << 5) | 1, UNIX = 3 };
enum { LONGEST_NAME = 65000 };

static void put(krti_str *s, uint64_t value, int bytes)
{
    char little[8];

    for (int i = 0; i < bytes; i++)
        little[i] = (char)((value >> (8 * i)) & 0xFF);
    krti_str_add_n(s, little, (size_t)bytes);
}

static uint64_t fit32(uint64_t value)
{
    return value < UINT32_MAX ? value : UINT32_MAX;
}

/* A member on its way out: where its texts lie in the common text, and what the directory says. */
typedef struct outgoing {
    size_t header, header_size; /* local header, name, extra field, .npy header */
    uint64_t offset, size;      /* in the archive; .npy header and data */
    uint32_t crc32;
} outgoing;

/* From the flags on, the same in both headers. */
static void put_common(krti_str *s, const char *name, const outgoing *o, uint64_t size)
{
    bool is_ascii = true;

    for (const char *p = name; *p != '\0'; p++)
        is_ascii = is_ascii && (unsigned char)*p < 0x80;
    put(s, is_ascii ? 0 : FLAG_UTF8, 2);
    put(s, 0, 2); /* stored */
    put(s, 0, 2);
    put(s, DATE_1980, 2);
    put(s, o->crc32, 4);
    put(s, size, 4);
    put(s, size, 4);
    put(s, strlen(name) + strlen(".npy"), 2);
}

static void put_name(krti_str *s, const char *name)
{
    krti_str_add(s, name);
    krti_str_add(s, ".npy");
}

static krt_status put_local(krti_str *s, const krti_npz_member *m, outgoing *o)
{
    krti_str npy = KRTI_STR_INIT(s->k);
    krt_status st = krti_npy_header(&npy, m->kind, m->item_size, m->rank, m->dim);

    if (st == KRT_OK) {
        o->header = s->length;
        o->size = (uint64_t)npy.length + m->size_bytes;
        o->crc32 = libdeflate_crc32(0, npy.ptr, npy.length);
        if (m->size_bytes > 0) /* NULL would start the sum anew */
            o->crc32 = libdeflate_crc32(o->crc32, m->data, m->size_bytes);
        put(s, 0x04034b50, 4);
        put(s, VERSION_ZIP64, 2);
        put_common(s, m->name, o, UINT32_MAX);
        put(s, 20, 2);
        put_name(s, m->name);
        put(s, 1, 2); /* ZIP64 */
        put(s, 16, 2);
        put(s, o->size, 8);
        put(s, o->size, 8);
        st = krti_str_add_n(s, npy.ptr, npy.length);
        o->header_size = s->length - o->header;
    }
    krti_str_free(&npy);
    return st;
}

static void put_central(krti_str *s, const krti_npz_member *m, const outgoing *o)
{
    const bool is_large = o->size >= UINT32_MAX, is_far = o->offset >= UINT32_MAX;
    const uint64_t wide = (is_large ? 16u : 0u) + (is_far ? 8u : 0u);

    put(s, 0x02014b50, 4);
    put(s, VERSION_ZIP64 | (UNIX << 8), 2);
    put(s, VERSION_ZIP64, 2);
    put_common(s, m->name, o, fit32(o->size));
    put(s, wide > 0 ? wide + 4 : 0, 2);
    put(s, 0, 2); /* comment */
    put(s, 0, 2); /* disk */
    put(s, 0, 2);
    put(s, 0600u << 16, 4);
    put(s, fit32(o->offset), 4);
    put_name(s, m->name);
    if (wide > 0) {
        put(s, 1, 2);
        put(s, wide, 2);
    }
    if (is_large) {
        put(s, o->size, 8);
        put(s, o->size, 8);
    }
    if (is_far)
        put(s, o->offset, 8);
}

/* The end record, after its ZIP64 form where that is needed. */
static void put_end(krti_str *s, uint64_t n, uint64_t offset, uint64_t size)
{
    if (n >= UINT16_MAX || offset >= UINT32_MAX || size >= UINT32_MAX) {
        put(s, 0x06064b50, 4);
        put(s, 44, 8);
        put(s, VERSION_ZIP64, 2);
        put(s, VERSION_ZIP64, 2);
        put(s, 0, 8); /* disks */
        put(s, n, 8);
        put(s, n, 8);
        put(s, size, 8);
        put(s, offset, 8);
        put(s, 0x07064b50, 4);
        put(s, 0, 4);
        put(s, offset + size, 8);
        put(s, 1, 4);
    }
    const uint64_t count = n < UINT16_MAX ? n : UINT16_MAX;
    put(s, 0x06054b50, 4);
    put(s, 0, 4);
    put(s, count, 2);
    put(s, count, 2);
    put(s, fit32(size), 4);
    put(s, fit32(offset), 4);
    put(s, 0, 2);
}

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

krt_status krti_npz_write(krt_ctx *k, const char *filepath, const krti_npz_member *members,
                          size_t n)
{
    krti_str text = KRTI_STR_INIT(k);
    outgoing *out = krti_array(k, n, sizeof *out);
    krti_part *parts = krti_array(k, 2 * n + 1, sizeof *parts);
    uint64_t offset = 0;
    krt_status st = KRT_OK;

    if (out == NULL || parts == NULL)
        TRY(KRT_E_NOMEM);
    TRY(check_names(k, members, n));
    for (size_t i = 0; i < n; i++) {
        TRY(put_local(&text, &members[i], &out[i]));
        out[i].offset = offset;
        offset += out[i].header_size + members[i].size_bytes;
    }
    const size_t directory = text.length;
    for (size_t i = 0; i < n; i++)
        put_central(&text, &members[i], &out[i]);
    put_end(&text, n, offset, text.length - directory);
    TRY(text.status);
    for (size_t i = 0; i < n; i++) { /* the text has stopped moving */
        parts[2 * i] = (krti_part){text.ptr + out[i].header, out[i].header_size};
        parts[2 * i + 1] = (krti_part){members[i].data, members[i].size_bytes};
    }
    parts[2 * n] = (krti_part){text.ptr + directory, text.length - directory};
    TRY(krti_write_parts(k, filepath, parts, 2 * n + 1));

done:
    krti_free(k, parts);
    krti_free(k, out);
    krti_str_free(&text);
    return st;
}
