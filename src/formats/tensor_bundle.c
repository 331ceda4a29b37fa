/* A bundle's entries read and checked against its data files. See tensor_bundle.h. */
#include "formats/tensor_bundle.h"

#include "base/f16.h"
#include "formats/crc32c.h"
#include "formats/protobuf.h"

#include <stdlib.h>

enum { KEY_TIMES = 16 };

/* ------------------------------------------------------------------------------- types */

static const struct {
    const char *name;
    size_t size;
} types[] = {
    [1] = {"float32", 4},
    [2] = {"float64", 8},
    [3] = {"int32", 4},
    [4] = {"uint8", 1},
    [5] = {"int16", 2},
    [6] = {"int8", 1},
    [7] = {"string", 0},
    [8] = {"complex64", 8},
    [9] = {"int64", 8},
    [10] = {"bool", 1},
    [11] = {"qint8", 1},
    [12] = {"quint8", 1},
    [13] = {"qint32", 4},
    [14] = {"bfloat16", 2},
    [15] = {"qint16", 2},
    [16] = {"quint16", 2},
    [17] = {"uint16", 2},
    [18] = {"complex128", 16},
    [19] = {"float16", 2},
    [20] = {"resource", 0},
    [21] = {"variant", 0},
    [22] = {"uint32", 4},
    [23] = {"uint64", 8},
    [24] = {"float8_e5m2", 1},
    [25] = {"float8_e4m3fn", 1},
    [26] = {"float8_e4m3fnuz", 1},
    [27] = {"float8_e4m3b11fnuz", 1},
    [28] = {"float8_e5m2fnuz", 1},
    [29] = {"int4", 1},
    [30] = {"uint4", 1},
    [31] = {"int2", 1},
    [32] = {"uint2", 1},
    [33] = {"float4_e2m1fn", 1},
};

static krt_status set_type(krti_bundle *b, krti_bundle_entry *e)
{
    char name[32];

    if (e->dtype > KRTI_TF_REFERENCE)
        e->dtype -= KRTI_TF_REFERENCE;
    if (e->dtype < KRTI_COUNT(types) && types[e->dtype].name != NULL) {
        e->dtype_name = types[e->dtype].name;
        e->item_size = types[e->dtype].size;
        return KRT_OK;
    }
    snprintf(name, sizeof name, "type %u", e->dtype);
    e->dtype_name = krti_arena_strdup(&b->arena, name);
    return e->dtype_name != NULL ? KRT_OK : KRT_E_NOMEM;
}

/* ------------------------------------------------------------------------------- messages */

static krt_status fail_entry(krti_bundle *b, const krti_bundle_entry *e, const char *what)
{
    return krti_fail(b->k, KRT_E_CORRUPT, e->key, "the checkpoint's entry %s", what);
}

static bool read_dim(krti_pb dim, int64_t *size)
{
    krti_pb_field f;

    *size = 0;
    while (krti_pb_next(&dim, &f))
        if (krti_pb_is(&f, 1, KRTI_PB_VARINT))
            *size = (int64_t)f.value;
    return !dim.is_bad && *size >= 0;
}

/* TensorShapeProto */
static bool read_shape(krti_pb shape, krti_bundle_entry *e)
{
    krti_pb_field f;

    e->rank = 0;
    while (krti_pb_next(&shape, &f)) {
        int64_t size = 0;

        if (krti_pb_is(&f, 3, KRTI_PB_VARINT) && f.value != 0)
            return false; /* unknown_rank: nothing that was saved has one */
        if (!krti_pb_is(&f, 2, KRTI_PB_BYTES))
            continue;
        if (e->rank == INT16_MAX || !read_dim(krti_pb_inner(&f), &size))
            return false;
        if (e->rank < KRTI_BUNDLE_MAX_RANK)
            e->dim[e->rank] = size;
        e->rank++;
    }
    return !shape.is_bad;
}

/* TensorSliceProto.Extent; without a length the whole dimension. */
static bool read_extent(krti_pb extent, int64_t *start, int64_t *length)
{
    krti_pb_field f;

    *start = 0;
    *length = -1;
    while (krti_pb_next(&extent, &f)) {
        if (krti_pb_is(&f, 1, KRTI_PB_VARINT))
            *start = (int64_t)f.value;
        if (krti_pb_is(&f, 2, KRTI_PB_VARINT))
            *length = (int64_t)f.value;
    }
    return !extent.is_bad;
}

/* A slice lies inside its tensor. */
static bool read_slice(const krti_bundle_entry *e, krti_pb slice, krti_bundle_slice *out)
{
    krti_pb_field f;
    int i = 0;

    while (krti_pb_next(&slice, &f)) {
        if (!krti_pb_is(&f, 1, KRTI_PB_BYTES))
            continue;
        if (i == e->rank || !read_extent(krti_pb_inner(&f), &out->start[i], &out->length[i]))
            return false;
        if (out->length[i] == -1)
            out->length[i] = e->dim[i];
        if (out->start[i] < 0 || out->length[i] < 0 || out->start[i] > e->dim[i] ||
            out->length[i] > e->dim[i] - out->start[i])
            return false;
        i++;
    }
    return !slice.is_bad && i == e->rank;
}

static krt_status read_slices(krti_bundle *b, krti_bundle_entry *e, krti_pb message)
{
    krti_pb counting = message;
    krti_pb_field f;
    size_t n = 0;

    if (e->rank > KRTI_BUNDLE_MAX_RANK)
        return fail_entry(b, e, "has slices of too many axes");
    while (krti_pb_next(&counting, &f))
        n += krti_pb_is(&f, 7, KRTI_PB_BYTES);
    /* each piece is an entry, under a key that holds the name */
    if (n > krti_sstable_num(b->table) || n * e->key_size > b->index_size * KEY_TIMES)
        return fail_entry(b, e, "names more pieces than the index holds");
    e->slices = krti_arena_array(&b->arena, n, sizeof *e->slices);
    if (e->slices == NULL)
        return KRT_E_NOMEM;
    while (krti_pb_next(&message, &f)) {
        if (!krti_pb_is(&f, 7, KRTI_PB_BYTES))
            continue;
        if (!read_slice(e, krti_pb_inner(&f), &e->slices[e->num_slices++]))
            return fail_entry(b, e, "has a slice that does not lie in it");
    }
    return KRT_OK;
}

/* Takes one field of a BundleEntryProto; false: it is damaged. */
static bool take_field(krti_bundle_entry *e, const krti_pb_field *f, bool *has_slices)
{
    if (krti_pb_is(f, 1, KRTI_PB_VARINT))
        e->dtype = f->value <= UINT16_MAX ? (uint32_t)f->value : UINT16_MAX;
    else if (krti_pb_is(f, 2, KRTI_PB_BYTES))
        return read_shape(krti_pb_inner(f), e);
    else if (krti_pb_is(f, 3, KRTI_PB_VARINT))
        e->shard = f->value <= UINT32_MAX ? (uint32_t)f->value : UINT32_MAX;
    else if (krti_pb_is(f, 4, KRTI_PB_VARINT))
        e->offset = f->value;
    else if (krti_pb_is(f, 5, KRTI_PB_VARINT))
        e->size = f->value;
    else if (krti_pb_is(f, 6, KRTI_PB_FIXED32))
        e->crc32c = krti_crc32c_unmask((uint32_t)f->value);
    else if (krti_pb_is(f, 7, KRTI_PB_BYTES))
        *has_slices = true;
    return true;
}

/* The bytes a tensor takes by its type and shape; false where that cannot be said, or is too much. */
static bool expected_size(const krti_bundle_entry *e, uint64_t *size)
{
    *size = e->item_size;
    if (e->item_size == 0 || e->rank < 0 || e->rank > KRTI_BUNDLE_MAX_RANK)
        return false;
    for (int i = 0; i < e->rank; i++)
        if (e->dim[i] == 0) {
            *size = 0;
            return true;
        }
    for (int i = 0; i < e->rank; i++)
        if (*size > INT64_MAX / (uint64_t)e->dim[i])
            return false;
        else
            *size *= (uint64_t)e->dim[i];
    return true;
}

/* The pieces take as many elements as the tensor has. */
static krt_status check_cover(krti_bundle *b, const krti_bundle_entry *e)
{
    uint64_t expected = 0, found = 0;

    if (!expected_size(e, &expected))
        return fail_entry(b, e, "was saved in pieces and has no size");
    for (size_t i = 0; i < e->num_slices; i++) {
        uint64_t size = e->item_size;

        for (int j = 0; j < e->rank; j++) /* no larger than the whole, which was computed */
            size *= (uint64_t)e->slices[i].length[j];
        found += size;
        if (found > expected)
            break;
    }
    return found == expected ? KRT_OK
                             : fail_entry(b, e, "was saved in pieces that do not make the whole");
}

static krt_status check_entry(krti_bundle *b, const krti_bundle_entry *e)
{
    uint64_t expected = 0;

    if (e->num_slices > 0)
        return check_cover(b, e);
    if (e->shard >= b->num_shards)
        return krti_fail(b->k, KRT_E_CORRUPT, e->key,
                         "the checkpoint's entry lies in shard %u of %u", e->shard, b->num_shards);
    if (e->offset > INT64_MAX || e->size > INT64_MAX - e->offset)
        return fail_entry(b, e, "lies at no possible place");
    if (expected_size(e, &expected) ? expected != e->size
                                    : e->item_size > 0 && e->rank <= KRTI_BUNDLE_MAX_RANK)
        return krti_fail(b->k, KRT_E_CORRUPT, e->key,
                         "Invalid size in bundle entry: key %s; stored size %llu; expected size "
                         "%llu",
                         e->key, (unsigned long long)e->size, (unsigned long long)expected);
    return KRT_OK;
}

static krt_status read_entry(krti_bundle *b, const krti_sstable_entry *stored, krti_bundle_entry *e)
{
    krti_pb message = krti_pb_open(stored->value, stored->value_size);
    bool has_slices = false;
    krti_pb_field f;
    krt_status st = KRT_OK;

    *e = (krti_bundle_entry){.key = stored->key,
                             .key_size = stored->key_size,
                             .is_slice = stored->key_size > 0 && stored->key[0] == '\0'};
    if (!e->is_slice && memchr(stored->key, '\0', stored->key_size) != NULL)
        return krti_fail(b->k, KRT_E_CORRUPT, stored->key, "a name in the checkpoint holds a zero");
    if (e->is_slice) { /* its own name is bytes */
        e->key = "a slice";
        e->key_size = strlen(e->key);
    }
    while (krti_pb_next(&message, &f))
        if (!take_field(e, &f, &has_slices))
            return fail_entry(b, e, "has no proper shape");
    if (message.is_bad)
        return fail_entry(b, e, "is damaged");
    TRY(set_type(b, e));
    if (has_slices && e->is_slice)
        return fail_entry(b, e, "has slices itself");
    if (has_slices)
        TRY(read_slices(b, e, krti_pb_open(stored->value, stored->value_size)));
    TRY(check_entry(b, e));

done:
    return st;
}

/* ------------------------------------------------------------------------------- header */

/* VersionDef: whether version 1, which is ours, may read it. */
static krt_status check_version(krti_bundle *b, krti_pb version)
{
    krti_pb_field f;

    while (krti_pb_next(&version, &f)) {
        if (krti_pb_is(&f, 2, KRTI_PB_VARINT) && f.value > 1)
            return krti_fail(b->k, KRT_E_UNSUPPORTED, NULL,
                             "Checkpoint min consumer version %llu above current version 1: it was "
                             "written by a TensorFlow that this library does not know yet",
                             (unsigned long long)f.value);
        if ((krti_pb_is(&f, 3, KRTI_PB_VARINT) && f.value == 1) ||
            (krti_pb_is(&f, 3, KRTI_PB_BYTES) && memchr(f.data, 1, f.size) != NULL))
            return krti_fail(b->k, KRT_E_UNSUPPORTED, NULL,
                             "Checkpoint disallows consumer version 1");
    }
    return version.is_bad
               ? krti_fail(b->k, KRT_E_CORRUPT, NULL, "the checkpoint's version is damaged")
               : KRT_OK;
}

static krt_status read_header(krti_bundle *b)
{
    const krti_sstable_entry *e = krti_sstable_find(b->table, "", 0);
    krti_pb header;
    krti_pb_field f;
    krt_status st = KRT_OK;

    if (e == NULL)
        return krti_fail(b->k, KRT_E_CORRUPT, NULL,
                         "the table has no header entry; it is the index of no checkpoint");
    header = krti_pb_open(e->value, e->value_size);
    while (st == KRT_OK && krti_pb_next(&header, &f)) {
        if (krti_pb_is(&f, 1, KRTI_PB_BYTES))
            return krti_fail(
                b->k, KRT_E_UNSUPPORTED, NULL,
                "this is a TensorFlow checkpoint of version 1 (before TensorFlow 0.12), "
                "which is not read; write it anew with tf.compat.v1.train.Saver");
        if (krti_pb_is(&f, 1, KRTI_PB_VARINT))
            b->num_shards = f.value <= 99999 ? (uint32_t)f.value : 0;
        else if (krti_pb_is(&f, 2, KRTI_PB_VARINT))
            b->big_endian = f.value == 1;
        else if (krti_pb_is(&f, 3, KRTI_PB_BYTES))
            st = check_version(b, krti_pb_inner(&f));
    }
    if (st == KRT_OK && (header.is_bad || b->num_shards == 0))
        st = krti_fail(b->k, KRT_E_CORRUPT, NULL, "the checkpoint's header is damaged");
    return st;
}

/* ------------------------------------------------------------------------------- slices */

/* NumIncreasing: the number of bytes, then the bytes, highest first. */
static void put_ordered(krti_str *s, uint64_t value)
{
    char bytes[9];
    size_t n = 0;

    for (uint64_t v = value; v != 0; v >>= 8)
        n++;
    bytes[0] = (char)n;
    for (size_t i = 0; i < n; i++)
        bytes[1 + i] = (char)(value >> (8 * (n - 1 - i)) & 0xFF);
    krti_str_add_n(s, bytes, n + 1);
}

/* SignedNumIncreasing: the shortest big-endian form whose first bits count its bytes. */
static void put_signed_ordered(krti_str *s, int64_t value)
{
    const uint64_t sign = value < 0 ? UINT64_MAX : 0;
    const uint64_t magnitude = (uint64_t)value ^ sign;
    unsigned char bytes[10] = {0};
    size_t n = 1;

    while (n < 10 && (7 * n - 1 < 64 ? magnitude >> (7 * n - 1) : 0) != 0)
        n++;
    for (size_t i = 0; i < 8 && i < n; i++)
        bytes[n - 1 - i] = (unsigned char)((uint64_t)value >> (8 * i) & 0xFF);
    for (size_t i = 8; i < n; i++)
        bytes[n - 1 - i] = (unsigned char)(sign & 0xFF);
    for (size_t bit = 0; bit < n; bit++) /* n ones and a zero, upside down for negative numbers */
        bytes[bit / 8] ^= (unsigned char)(0x80u >> (bit % 8));
    krti_str_add_n(s, (const char *)bytes, n);
}

static krt_status put_slice_key(krti_str *s, const krti_bundle_entry *e,
                                const krti_bundle_slice *slice, bool says_full)
{
    krti_str_clear(s);
    put_ordered(s, 0);
    for (size_t i = 0; i < e->key_size; i++) {
        const unsigned char c = (unsigned char)e->key[i];

        krti_str_add_n(s, e->key + i, 1);
        if (c == 0xFF)
            krti_str_add_n(s, "\0", 1);
    }
    krti_str_add_n(s, "\0\1", 2);
    put_ordered(s, (uint64_t)e->rank);
    for (int i = 0; i < e->rank; i++) {
        const bool full = says_full && slice->length[i] == e->dim[i];

        put_signed_ordered(s, slice->start[i]);
        put_signed_ordered(s, full ? -1 : slice->length[i]);
    }
    return s->status;
}

/* Writers differ: some say of a whole dimension that it is whole, some give its length. */
static krt_status find_slice(krti_bundle *b, const krti_bundle_entry *e, krti_bundle_slice *slice)
{
    krti_str key = KRTI_STR_INIT(b->k);
    const krti_sstable_entry *found = NULL;
    krt_status st = KRT_OK;

    for (int says_full = 0; says_full < 2 && found == NULL; says_full++) {
        TRY(put_slice_key(&key, e, slice, says_full));
        found = krti_sstable_find(b->table, key.ptr, key.length);
    }
    if (found == NULL)
        TRY(fail_entry(b, e, "was saved in pieces, one of which is not there"));
    slice->entry = (size_t)(found - krti_sstable_at(b->table, 0)) - 1; /* behind the header */
    const krti_bundle_entry *piece = &b->entries[slice->entry];
    bool fits = piece->dtype == e->dtype && piece->rank == e->rank && piece->num_slices == 0;
    for (int i = 0; i < e->rank && fits; i++)
        fits = piece->dim[i] == slice->length[i];
    if (!fits)
        TRY(fail_entry(b, e, "was saved in pieces, one of which is of another shape or type"));

done:
    krti_str_free(&key);
    return st;
}

static krt_status find_slices(krti_bundle *b)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < b->n; i++)
        for (size_t j = 0; st == KRT_OK && j < b->entries[i].num_slices; j++)
            st = find_slice(b, &b->entries[i], &b->entries[i].slices[j]);
    return st;
}

/* ------------------------------------------------------------------------------- opening */

static krt_status read_bundle(krti_bundle *b, krti_bytes *index)
{
    krt_status st = KRT_OK;

    TRY(krti_sstable_read(b->k, &b->table, index));
    TRY(read_header(b));
    const size_t n = krti_sstable_num(b->table) - 1; /* the header is the first */
    b->entries = krti_arena_array(&b->arena, n, sizeof *b->entries);
    if (b->entries == NULL)
        TRY(KRT_E_NOMEM);
    for (; b->n < n; b->n++)
        TRY(read_entry(b, krti_sstable_at(b->table, b->n + 1), &b->entries[b->n]));
    TRY(find_slices(b));

done:
    return st;
}

krt_status krti_bundle_open(krt_ctx *k, krti_bundle **out, krti_bytes *index)
{
    krti_bundle *b = krti_alloc(k, sizeof *b);

    *out = NULL;
    if (b == NULL)
        return KRT_E_NOMEM;
    b->k = k;
    b->arena = (krti_arena)KRTI_ARENA_INIT(k);
    b->index_size = index->size;
    const krt_status st = read_bundle(b, index);
    if (st == KRT_OK)
        *out = b;
    else
        krti_bundle_close(b);
    return st;
}

void krti_bundle_close(krti_bundle *b)
{
    if (b == NULL)
        return;
    krti_sstable_free(b->table);
    krti_arena_free(&b->arena);
    krti_free(b->k, b);
}

const krti_bundle_entry *krti_bundle_find(const krti_bundle *b, const char *key)
{
    const krti_sstable_entry *found = krti_sstable_find(b->table, key, strlen(key));

    return found != NULL && key[0] != '\0' ? &b->entries[found - krti_sstable_at(b->table, 0) - 1]
                                           : NULL;
}

/* ------------------------------------------------------------------------------- data */

/* The length as it enters checksums: four bytes, or eight when it needs them. */
static size_t fixed_length(unsigned char bytes[8], uint64_t length, bool big_endian)
{
    const size_t n = length <= UINT32_MAX ? 4 : 8;

    for (size_t i = 0; i < n; i++)
        bytes[big_endian ? n - 1 - i : i] = (unsigned char)(length >> (8 * i) & 0xFF);
    return n;
}

static krt_status check_string(krti_bundle *b, const krti_bundle_entry *e,
                               const unsigned char *checksum, uint64_t length)
{
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
    (void)b, (void)e, (void)checksum, (void)length;
#else
    unsigned char bytes[8];
    const uint32_t stored = krti_crc32c_unmask(krti_le32(checksum));
    uint32_t crc = krti_crc32c(0, bytes, fixed_length(bytes, length, b->big_endian));

    if (crc != stored)
        return krti_fail(b->k, KRT_E_CORRUPT, e->key,
                         "The length checksum does not match: expected %08x but actual is %08x",
                         stored, crc);
    crc = krti_crc32c(crc, checksum, 4);
    crc = krti_crc32c(crc, checksum + 4, (size_t)length);
    if (crc != e->crc32c)
        return krti_fail(
            b->k, KRT_E_CORRUPT, e->key,
            "Checksum does not match: stored %08x vs. calculated on the restored bytes "
            "%08x",
            e->crc32c, crc);
#endif
    return KRT_OK;
}

krt_status krti_bundle_string(krti_bundle *b, const krti_bundle_entry *e,
                              const unsigned char *payload, const char **text, size_t *size)
{
    const unsigned char *p = payload, *end = payload + e->size;
    uint64_t length = 0;

    if (e->dtype != KRTI_TF_STRING || e->rank != 0)
        return krti_fail(b->k, KRT_E_UNSUPPORTED, e->key, "one text expected, found %s of rank %d",
                         e->dtype_name, e->rank);
    if (!krti_varint_read(&p, end, &length) || end - p < 4 || length != (uint64_t)(end - p) - 4)
        return fail_entry(b, e, "is a text whose length does not agree with its place");
    *text = (const char *)p + 4;
    *size = (size_t)length;
    return check_string(b, e, p, length);
}

/* ------------------------------------------------------------------------------- writing */

krt_status krti_bundle_put_string(krti_str *s, const void *text, size_t size, uint32_t *crc32c)
{
    unsigned char bytes[8];
    const uint32_t lengths = krti_crc32c(0, bytes, fixed_length(bytes, size, false));

    krti_varint_put(s, size);
    krti_fixed32_put(s, krti_crc32c_mask(lengths));
    if (s->status != KRT_OK)
        return s->status;
    *crc32c = krti_crc32c(lengths, s->ptr + s->length - 4, 4);
    *crc32c = krti_crc32c(*crc32c, text, size);
    return krti_str_add_n(s, text, size);
}

/* TensorShapeProto */
static void put_shape(krti_str *s, const krti_bundle_tensor *t)
{
    for (int i = 0; i < t->rank; i++) {
        krti_str dim = KRTI_STR_INIT(s->k);

        krti_pb_put_number(&dim, 1, (uint64_t)t->dim[i]);
        krti_pb_put_message(s, 2, &dim);
        krti_str_free(&dim);
    }
}

/* BundleEntryProto */
static void put_entry(krti_str *s, const krti_bundle_tensor *t)
{
    krti_str shape = KRTI_STR_INIT(s->k);

    put_shape(&shape, t);
    krti_pb_put_number(s, 1, t->dtype);
    krti_pb_put_message(s, 2, &shape);
    krti_pb_put_number(s, 4, t->offset);
    krti_pb_put_number(s, 5, t->size);
    krti_pb_put_fixed32(s, 6, krti_crc32c_mask(t->crc32c));
    krti_str_free(&shape);
}

static int by_key(const void *left, const void *right)
{
    const krti_bundle_tensor *const *a = left, *const *b = right;

    return krti_sstable_compare((*a)->key, strlen((*a)->key), (*b)->key, strlen((*b)->key));
}

/* BundleHeaderProto: little-endian, version 1. */
static void put_header(krti_str *s, uint32_t num_shards)
{
    krti_pb_put_number(s, 1, num_shards);
    krti_pb_put_bytes(s, 3, "\x08\x01", 2);
}

krt_status krti_bundle_put_index(krti_str *s, const krti_bundle_tensor *tensors, size_t n,
                                 uint32_t num_shards)
{
    krt_ctx *k = s->k;
    const krti_bundle_tensor **sorted = krti_array(k, n, sizeof *sorted);
    krti_sstable_entry *entries = krti_array(k, n + 1, sizeof *entries);
    krti_str messages = KRTI_STR_INIT(k);
    krt_status st = sorted != NULL && entries != NULL ? KRT_OK : KRT_E_NOMEM;

    for (size_t i = 0; st == KRT_OK && i < n; i++)
        sorted[i] = &tensors[i];
    if (st == KRT_OK && n > 1)
        qsort(sorted, n, sizeof *sorted, by_key);
    put_header(&messages, num_shards);
    if (st == KRT_OK)
        entries[0] = (krti_sstable_entry){.key = "", .value_size = messages.length};
    for (size_t i = 0; st == KRT_OK && i < n; i++) {
        const size_t start = messages.length;

        put_entry(&messages, sorted[i]);
        st = messages.status;
        entries[i + 1] = (krti_sstable_entry){.key = sorted[i]->key,
                                              .key_size = strlen(sorted[i]->key),
                                              .value_size = messages.length - start};
    }
    if (st == KRT_OK) { /* the text has stopped moving */
        const unsigned char *p = (const unsigned char *)krti_str_text(&messages);

        for (size_t i = 0; i <= n; p += entries[i++].value_size)
            entries[i].value = p;
        st = krti_sstable_put(s, entries, n + 1);
    }
    krti_str_free(&messages);
    krti_free(k, entries);
    krti_free(k, sorted);
    return st;
}
