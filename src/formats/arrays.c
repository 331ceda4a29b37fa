/* npy.h, the common part: which form a file has, and the list that all forms fill. */
#include "formats/array_forms.h"

#include "base/f16.h"
#include "formats/content.h"
#include "formats/zip.h"

#include <libdeflate.h>

/* Deflate's best; a gzip file that promises more lies. */
enum { GZIP_HEADER = 10, GZIP_TRAILER = 8, GZIP_RATIO = 1032 };

static krt_status gunzip(krt_ctx *k, krti_bytes **out, const krti_bytes *bytes)
{
    const uint64_t size = bytes->size < 4 ? 0 : krti_le32(bytes->data + bytes->size - 4);
    struct libdeflate_decompressor *d = NULL;
    void *data = NULL;
    size_t used = 0, made = 0;
    krt_status st = KRT_OK;

    if (bytes->size < GZIP_HEADER + GZIP_TRAILER || size / GZIP_RATIO > bytes->size)
        return krti_fail(k, KRT_E_CORRUPT, NULL,
                         "gzip file is damaged: %zu bytes promise to inflate to %llu", bytes->size,
                         (unsigned long long)size);
    d = libdeflate_alloc_decompressor();
    data = krti_resize(k, NULL, (size_t)size);
    if (d == NULL || data == NULL)
        TRY(krti_fail(k, KRT_E_NOMEM, NULL, "out of memory: %llu bytes wanted",
                      (unsigned long long)size));
    if (libdeflate_gzip_decompress_ex(d, bytes->data, bytes->size, data, (size_t)size, &used,
                                      &made) != LIBDEFLATE_SUCCESS ||
        made != size || used != bytes->size)
        TRY(krti_fail(k, KRT_E_CORRUPT, NULL,
                      "gzip file is damaged, cut short or in several pieces"));
    st = krti_bytes_take(k, out, data, made);
    data = NULL;

done:
    krti_free(k, data);
    libdeflate_free_decompressor(d);
    return st;
}

static bool is_gzip(const krti_bytes *b)
{
    return b->size >= 2 && b->data[0] == 0x1F && b->data[1] == 0x8B;
}

static bool is_zip(const krti_bytes *b)
{
    return b->size >= 4 && (memcmp(b->data, "PK\3\4", 4) == 0 || memcmp(b->data, "PK\5\6", 4) == 0);
}

static krt_status read_plain(krt_ctx *k, krti_ndarrays *out, krti_bytes *bytes)
{
    const char *name = krti_content_name(bytes);

    if (krti_npy_detect(bytes))
        return krti_npy_parse(k, out, bytes, NULL);
    if (krti_idx_detect(bytes))
        return krti_idx_parse(k, out, bytes);
    if (strcmp(name, "text") == 0)
        return krti_csv_parse(k, out, bytes);
    return krti_fail(k, KRT_E_FORMAT, NULL, "is %s, expected .npy, .npz, IDX or CSV", name);
}

static krt_status read_gzip(krt_ctx *k, krti_ndarrays *out, krti_bytes *bytes)
{
    krti_bytes *inflated = NULL;
    krt_status st = gunzip(k, &inflated, bytes);

    if (st == KRT_OK)
        st = read_plain(k, out, inflated);
    krti_bytes_drop(inflated);
    return st;
}

krt_status krti_ndarrays_read(krt_ctx *k, krti_ndarrays *out, krti_bytes *bytes)
{
    krt_status st = KRT_OK;

    *out = (krti_ndarrays){0};
    if (is_gzip(bytes))
        st = read_gzip(k, out, bytes);
    else if (is_zip(bytes))
        st = krti_npz_parse(k, out, bytes);
    else
        st = read_plain(k, out, bytes);
    if (st == KRT_OK)
        return KRT_OK;
    krti_ndarrays_free(k, out);
    return krti_fail_in_file(k, st, bytes->filepath);
}

void krti_ndarrays_free(krt_ctx *k, krti_ndarrays *arrays)
{
    for (size_t i = 0; i < arrays->n; i++) {
        krti_bytes_drop(arrays->items[i].bytes);
        krti_free(k, arrays->items[i].name);
    }
    krti_free(k, arrays->items);
    *arrays = (krti_ndarrays){0};
}

krt_status krti_ndarrays_add(krt_ctx *k, krti_ndarrays *out, const krti_ndarray *array,
                             krti_bytes *bytes, const char *name)
{
    char *copy = name != NULL ? krti_strdup(k, name) : NULL;
    krt_status st = krti_grow(k, &out->items, &out->capacity, out->n + 1, sizeof *out->items);

    if (name != NULL && copy == NULL)
        st = KRT_E_NOMEM;
    if (st != KRT_OK) {
        krti_free(k, copy);
        return st;
    }
    krti_ndarray *a = &out->items[out->n++];
    *a = *array;
    a->bytes = krti_bytes_use(bytes);
    a->name = copy;
    return KRT_OK;
}

bool krti_ndarray_bytes(const krti_ndarray *array, size_t *size)
{
    int64_t n = array->item_size;
    bool is_empty = false;

    for (int i = 0; i < array->rank; i++) {
        if (array->dim[i] < 0)
            return false;
        is_empty = is_empty || array->dim[i] == 0;
    }
    for (int i = 0; i < array->rank && !is_empty; i++)
        if (!krti_mul_i64(n, array->dim[i], &n))
            return false;
    *size = is_empty ? 0 : (size_t)n;
    return is_empty || (uint64_t)n <= SIZE_MAX / 2;
}

char *krti_ndarray_print(const krti_ndarray *array, char *buffer)
{
    size_t used = (size_t)snprintf(buffer, KRTI_NDARRAY_TEXT, "(");

    for (int i = 0; i < array->rank; i++)
        used += (size_t)snprintf(buffer + used, KRTI_NDARRAY_TEXT - used, "%s%lld",
                                 i > 0 ? ", " : "", (long long)array->dim[i]);
    snprintf(buffer + used, KRTI_NDARRAY_TEXT - used, array->rank == 1 ? ",)" : ")");
    return buffer;
}
