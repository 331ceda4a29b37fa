/* Arrays that lie in a file as they are: of checkpoints, .safetensors, .npz. See store.h. */
#include "formats/crc32c.h"
#include "saving/store.h"

static krt_status check(krti_store *s, const krti_store_array *a, uint32_t crc, size_t size,
                        uint32_t stored)
{
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
    (void)s, (void)a, (void)crc, (void)size, (void)stored;
#else
    const char *file = s->files[a->file].name;

    if (crc != stored && a->raw->sum == KRTI_SUM_CRC32)
        return krti_fail(s->k, KRT_E_CORRUPT, a->entry,
                         "archive member \"%s.npy\": its CRC-32 is wrong", a->entry);
    if (crc != stored)
        return krti_fail(
            s->k, KRT_E_CORRUPT, a->entry,
            "Checksum does not match: stored %u vs. calculated on the restored bytes %u "
            "(%zu bytes in %s)",
            stored, crc, size, file != NULL ? file : "the file");
#endif
    return KRT_OK;
}

/* Puts a piece into its place, a row of the last axis at a time. */
static void place(const krti_store_array *a, const krti_raw_piece *p, unsigned char *whole)
{
    const int last = a->shape.rank - 1;
    const size_t item = krt_dtype_size(a->dtype);
    const unsigned char *from = p->data;
    int64_t at[KRT_MAX_RANK] = {0};
    const size_t row = last >= 0 ? (size_t)p->length[last] * item : item;

    for (size_t done = 0; done < p->size_bytes; done += row) {
        size_t index = 0;

        for (int i = 0; i <= last; i++)
            index = index * (size_t)a->shape.dim[i] + (size_t)(p->start[i] + at[i]);
        memcpy(whole + index * item, from, row);
        from += row;
        for (int i = last - 1; i >= 0 && ++at[i] == p->length[i]; i--)
            at[i] = 0;
    }
}

/* Zeros first: pieces that overlap leave holes. */
static krt_status assemble(krti_store *s, const krti_store_array *a, krti_bytes **owned)
{
    unsigned char *whole = krti_alloc(s->k, (size_t)a->size_bytes);
    krt_status st = whole != NULL ? KRT_OK : KRT_E_NOMEM;

    for (size_t i = 0; st == KRT_OK && i < a->raw->num_pieces; i++) {
        const krti_raw_piece *p = &a->raw->pieces[i];

        st = check(s, a, krti_crc32c(0, p->data, p->size_bytes), p->size_bytes, p->crc32c);
        if (st == KRT_OK)
            place(a, p, whole);
    }
    if (st == KRT_OK)
        return krti_bytes_take(s->k, owned, whole, (size_t)a->size_bytes);
    krti_free(s->k, whole);
    return st;
}

krt_status krti_raw_read(krti_store *s, const krti_store_array *a, const void **data,
                         krti_bytes **owned)
{
    krt_status st = KRT_OK;

    if (a->raw->num_pieces > 0) {
        st = assemble(s, a, owned);
        *data = st == KRT_OK ? (*owned)->data : NULL;
        return st;
    }
    *data = a->raw->data;
    return KRT_OK;
}

krt_status krti_raw_check(krti_store *s, const krti_store_array *a, uint32_t crc)
{
    return check(s, a, crc, (size_t)a->size_bytes, a->raw->crc);
}
