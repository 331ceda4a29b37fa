/* Datatypes and dataspaces: what one element is, and how many there are.
 *
 * Specification: IV.A.2.d and IV.A.2.b. A float is recognised by the whole layout of its bits and
 * not by its size alone, so that float16 and bfloat16, both of two bytes, are told apart and an
 * 8-bit float is not taken for anything else. A type that is no array element of Keras's is not a
 * failure here: it is KRTI_H5_UNSUPPORTED with its name, so that a listing can show it. */
#include "formats/h5_internal.h"

typedef struct h5_float {
    const char *name;
    unsigned size, exponent_at, exponent_bits, fraction_bits;
    uint32_t bias;
} h5_float;

static const h5_float floats[] = {
    {"float16", 2, 10, 5, 10, 15},
    {"bfloat16", 2, 7, 8, 7, 127},
    {"float32", 4, 23, 8, 23, 127},
    {"float64", 8, 52, 11, 52, 1023},
};

static const char *const class_names[] = {
    "integer", "float",    "time",      "string", "bitfield",
    "opaque",  "compound", "reference", "enum",   "variable-length list",
    "array",   "complex"};

typedef struct type_head {
    unsigned cls, version;
    uint32_t bits;
    uint32_t size;
} type_head;

static type_head take_head(krti_h5_cursor *c)
{
    const unsigned first = krti_h5_take8(c);
    const uint32_t bits = (uint32_t)krti_h5_take(c, 3);

    return (type_head){first & 15, first >> 4, bits, krti_h5_take32(c)};
}

static bool is_machine_width(uint32_t size)
{
    return size == 1 || size == 2 || size == 4 || size == 8;
}

static void parse_integer(const type_head *head, krti_h5_cursor *c, krti_h5_type *out)
{
    const unsigned offset = krti_h5_take16(c), precision = krti_h5_take16(c);

    out->big_endian = (head->bits & 1) != 0;
    out->is_signed = (head->bits & 8) != 0;
    if (is_machine_width(head->size) && offset == 0 && precision == head->size * 8)
        out->cls = KRTI_H5_INTEGER;
    else
        out->class_name = "integer of unusual width";
}

static void parse_float(const type_head *head, krti_h5_cursor *c, krti_h5_type *out)
{
    enum { VAX_ORDER = 0x40, NORMALIZED = 0x30, IMPLIED_ONE = 0x20 };
    const unsigned offset = krti_h5_take16(c), precision = krti_h5_take16(c);
    const unsigned exponent_at = krti_h5_take8(c), exponent_bits = krti_h5_take8(c);
    const unsigned fraction_at = krti_h5_take8(c), fraction_bits = krti_h5_take8(c);
    const uint32_t bias = krti_h5_take32(c);
    const unsigned sign_at = head->bits >> 8 & 0xFF;

    out->big_endian = (head->bits & 1) != 0;
    out->class_name = "float of unusual form";
    if (offset != 0 || fraction_at != 0 || (head->bits & VAX_ORDER) != 0 ||
        (head->bits & NORMALIZED) != IMPLIED_ONE)
        return;
    for (size_t i = 0; i < KRTI_COUNT(floats); i++) {
        const h5_float *const f = &floats[i];

        if (head->size != f->size || precision != f->size * 8 || sign_at != f->size * 8 - 1 ||
            exponent_at != f->exponent_at || exponent_bits != f->exponent_bits ||
            fraction_bits != f->fraction_bits || bias != f->bias)
            continue;
        out->cls = KRTI_H5_FLOAT;
        out->is_bfloat16 = f->size == 2 && f->exponent_bits == 8;
        out->class_name = f->name;
    }
}

/* h5py's bool is an enum of one signed byte, FALSE=0 and TRUE=1; any other enum is its integer. */
static void parse_enum(const type_head *head, krti_h5_cursor *c, krti_h5_type *out)
{
    static const unsigned char padded[18] = "FALSE\0\0\0TRUE\0\0\0\0\0\1";
    static const unsigned char plain[13] = "FALSE\0TRUE\0\0\1";
    const unsigned num = head->bits & 0xFFFF;
    const type_head base = take_head(c);

    if (base.cls == 0 && base.size == head->size)
        parse_integer(&base, c, out);
    if (out->cls != KRTI_H5_INTEGER)
        return;
    const size_t size = head->version < 3 ? sizeof padded : sizeof plain;
    const unsigned char *const members = num == 2 ? krti_h5_skip(c, size) : NULL;
    if (members == NULL || base.size != 1 || !out->is_signed)
        c->is_short = false; /* other members: not a bool, and that is all we asked */
    else if (memcmp(members, head->version < 3 ? padded : plain, size) == 0)
        out->cls = KRTI_H5_ENUM_BOOL;
}

static void parse_string(const type_head *head, krti_h5_type *out)
{
    enum { VLEN = 9, VLEN_STRING = 1, SPACE_PADDED = 2 };

    if (head->cls == VLEN && (head->bits & 15) != VLEN_STRING)
        return;
    out->cls = KRTI_H5_STRING;
    out->is_vlen = head->cls == VLEN;
    out->is_space_padded = !out->is_vlen && (head->bits & 15) == SPACE_PADDED;
    out->class_name = "string";
}

krt_status krti_h5_type_parse(krti_h5 *f, krti_h5_cursor c, krti_h5_type *out)
{
    enum { INTEGER = 0, FLOAT = 1, STRING = 3, OPAQUE = 5, ENUM = 8, VLEN = 9 };
    const type_head head = take_head(&c);

    out->cls = KRTI_H5_UNSUPPORTED;
    out->size = head.size;
    out->big_endian = out->is_signed = out->is_vlen = false;
    out->is_bfloat16 = out->is_space_padded = false;
    out->class_name = head.cls < KRTI_COUNT(class_names) ? class_names[head.cls] : "unknown";
    switch (head.cls) {
    case INTEGER:
        parse_integer(&head, &c, out);
        break;
    case FLOAT:
        parse_float(&head, &c, out);
        break;
    case STRING:
    case VLEN:
        parse_string(&head, out);
        break;
    case OPAQUE:
        out->cls = KRTI_H5_OPAQUE;
        break;
    case ENUM:
        parse_enum(&head, &c, out);
        break;
    default: /* stays unsupported, with its name */
        break;
    }
    if (head.version < 1 || head.version > 5)
        return krti_h5_fail(f, KRT_E_UNSUPPORTED,
                            "HDF5 datatype message of version %u, expected 1 to 5", head.version);
    if (c.is_short || head.size == 0)
        return krti_h5_fail(f, KRT_E_CORRUPT,
                            "HDF5: a datatype (%s of %" PRIu32 " bytes) is damaged",
                            out->class_name, head.size);
    if (out->is_vlen && head.size != 8u + f->offset_size)
        return krti_h5_fail(f, KRT_E_CORRUPT,
                            "HDF5: a variable-length string of %" PRIu32 " bytes, expected %u",
                            head.size, 8u + f->offset_size);
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- dataspaces */

krt_status krti_h5_space_parse(krti_h5 *f, krti_h5_cursor c, krti_h5_type *out, uint64_t *max)
{
    enum { HAS_MAX = 1, NULL_SPACE = 2 };
    const unsigned version = krti_h5_take8(&c), rank = krti_h5_take8(&c), flags = krti_h5_take8(&c);

    out->is_null = false;
    if (version == 1)
        krti_h5_skip(&c, 5);
    else
        out->is_null = krti_h5_take8(&c) == NULL_SPACE;
    if (version < 1 || version > 2 || rank > KRTI_H5_MAX_RANK)
        return krti_h5_fail(f, KRT_E_CORRUPT,
                            "HDF5 dataspace of version %u and rank %u, expected 1 or 2 and at most "
                            "%d",
                            version, rank, KRTI_H5_MAX_RANK);
    out->rank = (int)rank;
    for (unsigned i = 0; i < rank; i++)
        out->dim[i] = krti_h5_take_length(f, &c);
    for (unsigned i = 0; i < rank; i++) {
        uint64_t most = out->dim[i];

        if ((flags & HAS_MAX) != 0)
            most = krti_h5_take_length(f, &c);
        if (most == UINT64_MAX >> (64 - 8 * f->length_size))
            most = UINT64_MAX; /* unlimited */
        if (most < out->dim[i] && !c.is_short)
            return krti_h5_fail(f, KRT_E_CORRUPT,
                                "HDF5 dataspace with dimension %u of %" PRIu64
                                ", more than its maximum %" PRIu64,
                                i, out->dim[i], most);
        if (max != NULL)
            max[i] = most;
    }
    if (c.is_short)
        return krti_h5_fail(f, KRT_E_CORRUPT, "HDF5 dataspace of rank %u is cut short", rank);
    return KRT_OK;
}

krt_status krti_h5_type_bytes(krti_h5 *f, const krti_h5_type *type, uint64_t *out)
{
    uint64_t bytes = type->is_null ? 0 : type->size;
    bool is_empty = false;

    for (int i = 0; i < type->rank; i++)
        is_empty |= type->dim[i] == 0;
    for (int i = 0; i < type->rank && !is_empty; i++) {
        if (bytes > INT64_MAX / type->dim[i])
            return krti_h5_fail(f, KRT_E_CORRUPT,
                                "HDF5 dataspace with more elements than can be counted");
        bytes *= type->dim[i];
    }
    *out = is_empty ? 0 : bytes;
    return KRT_OK;
}
