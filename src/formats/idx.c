/* IDX, the form of the MNIST files: two zeros, a type, a rank, the dimensions, the elements, all
 * big-endian (yann.lecun.com/exdb/mnist). */
#include "formats/array_forms.h"

enum { HEADER_SIZE = 4 };

static const struct {
    unsigned char code;
    krti_array_kind kind;
    int item_size;
} types[] = {
    {0x08, KRTI_ARRAY_UINT, 1}, {0x09, KRTI_ARRAY_INT, 1},   {0x0B, KRTI_ARRAY_INT, 2},
    {0x0C, KRTI_ARRAY_INT, 4},  {0x0D, KRTI_ARRAY_FLOAT, 4}, {0x0E, KRTI_ARRAY_FLOAT, 8},
};

static int find_type(unsigned char code)
{
    for (size_t i = 0; i < KRTI_COUNT(types); i++)
        if (types[i].code == code)
            return (int)i;
    return -1;
}

bool krti_idx_detect(const krti_bytes *bytes)
{
    return bytes->size >= HEADER_SIZE && bytes->data[0] == 0 && bytes->data[1] == 0 &&
           find_type(bytes->data[2]) >= 0 && bytes->data[3] > 0;
}

krt_status krti_idx_parse(krt_ctx *k, krti_ndarrays *out, krti_bytes *bytes)
{
    const unsigned char *p = bytes->data;
    const int type = find_type(p[2]), rank = p[3];
    const size_t header = HEADER_SIZE + 4 * (size_t)rank;
    char shape[KRTI_NDARRAY_TEXT];
    krti_ndarray a = {.big_endian = true, .rank = rank};

    a.kind = types[type].kind;
    a.item_size = types[type].item_size;
    if (rank > KRTI_ARRAY_MAX_RANK)
        return krti_fail(k, KRT_E_UNSUPPORTED, NULL,
                         "IDX array has %d dimensions, at most %d are read", rank,
                         KRTI_ARRAY_MAX_RANK);
    if (bytes->size < header)
        return krti_fail(k, KRT_E_CORRUPT, NULL, "IDX file is cut short: %zu bytes", bytes->size);
    for (int i = 0; i < rank; i++) {
        const unsigned char *d = p + HEADER_SIZE + 4 * (size_t)i;

        a.dim[i] = ((int64_t)d[0] << 24) | (d[1] << 16) | (d[2] << 8) | d[3];
    }
    if (!krti_ndarray_bytes(&a, &a.size_bytes) || a.size_bytes != bytes->size - header)
        return krti_fail(k, KRT_E_CORRUPT, NULL,
                         "IDX array of shape %s with elements of %d bytes does not take the %zu "
                         "bytes that the file holds of it",
                         krti_ndarray_print(&a, shape), a.item_size, bytes->size - header);
    a.data = p + header;
    return krti_ndarrays_add(k, out, &a, bytes, NULL);
}
