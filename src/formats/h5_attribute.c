/* Attributes: version 1 to 3 messages in the header, and dense ones in a fractal heap.
 *
 * Specification: IV.A.2.m, IV.A.2.v and VII.B (global heap ids). Keras keeps texts in them (a
 * model's JSON, the names of layers and weights), in every form an HDF5 string can have: scalar or
 * list, fixed or variable length, padded with zeros or spaces, and an empty list as an empty list
 * of floats. All of it comes out as plain texts, cut at the first NUL. Mirrors
 * load_attributes_from_hdf5_group of keras/src/legacy/saving/legacy_h5_format.py. */
#include "formats/h5_internal.h"

typedef struct attribute {
    krti_h5_type type;
    const unsigned char *data;
    uint64_t size, num; /* bytes and elements */
} attribute;

/* A part of an attribute message; version 1 pads each to 8 bytes. */
static krti_h5_cursor take_part(krti_h5_cursor *c, uint64_t size, bool is_padded)
{
    const unsigned char *const p = krti_h5_skip(c, size);

    if (is_padded && size % 8 != 0)
        krti_h5_skip(c, 8 - size % 8);
    return p == NULL ? krti_h5_cursor_at(c->p, 0) : krti_h5_cursor_at(p, size);
}

typedef struct attribute_parts {
    unsigned version, flags;
    krti_h5_cursor name, type, space, data;
} attribute_parts;

static krt_status split_attribute(krti_h5 *f, krti_h5_cursor c, attribute_parts *out)
{
    *out = (attribute_parts){.data = c};
    out->version = krti_h5_take8(&c);
    out->flags = krti_h5_take8(&c);
    const unsigned name = krti_h5_take16(&c), type = krti_h5_take16(&c), space = krti_h5_take16(&c);
    const bool is_padded = out->version == 1;

    if (out->version == 1)
        out->flags = 0;
    if (out->version < 1 || out->version > 3)
        return krti_h5_fail(f, KRT_E_UNSUPPORTED,
                            "HDF5 attribute message of version %u, expected 1 to 3", out->version);
    krti_h5_skip(&c, out->version == 3 ? 1 : 0); /* character set: we keep bytes */
    out->name = take_part(&c, name, is_padded);
    out->type = take_part(&c, type, is_padded);
    out->space = take_part(&c, space, is_padded);
    if (c.is_short || memchr(out->name.p, '\0', name) == NULL)
        return krti_h5_fail(f, KRT_E_CORRUPT, "HDF5 attribute message is damaged");
    out->data = c;
    return KRT_OK;
}

static krt_status parse_attribute(krti_h5 *f, const attribute_parts *parts, attribute *out)
{
    enum { TYPE_IS_SHARED = 1, SPACE_IS_SHARED = 2 };
    krt_status st = KRT_OK;
    const bool is_type_shared = (parts->flags & TYPE_IS_SHARED) != 0;
    const bool is_space_shared = (parts->flags & SPACE_IS_SHARED) != 0;
    krti_h5_message type = {KRTI_H5_MSG_TYPE, is_type_shared ? KRTI_H5_IS_SHARED : 0, parts->type};
    krti_h5_message space = {KRTI_H5_MSG_SPACE, is_space_shared ? KRTI_H5_IS_SHARED : 0,
                             parts->space};

    TRY(krti_h5_message_resolve(f, &type));
    TRY(krti_h5_message_resolve(f, &space));
    TRY(krti_h5_type_parse(f, type.body, &out->type));
    TRY(krti_h5_space_parse(f, space.body, &out->type, NULL));
    TRY(krti_h5_type_bytes(f, &out->type, &out->size));
    out->num = out->size / out->type.size;
    out->data = parts->data.p;
    if (out->size > krti_h5_left(&parts->data))
        st = krti_h5_fail(f, KRT_E_CORRUPT,
                          "HDF5 attribute \"%s\" of %" PRIu64 " bytes has only %zu",
                          (const char *)parts->name.p, out->size, krti_h5_left(&parts->data));
done:
    return st;
}

/* ------------------------------------------------------------------------------- finding */

/* One pass over an object's attributes: the one named, or all of them for `each`. */
typedef struct search {
    krti_h5 *f;
    const char *wanted; /* NULL: every one */
    krti_h5_attribute_fn each;
    void *user;
    krti_h5_fractal heap;
    bool found;
    attribute hit;
} search;

static krt_status visit_message(search *s, krti_h5_cursor body)
{
    krt_status st = KRT_OK;
    attribute_parts parts;

    TRY(split_attribute(s->f, body, &parts));
    const char *const name = (const char *)parts.name.p;
    if (s->wanted != NULL && (s->found || strcmp(name, s->wanted) != 0))
        return st;
    TRY(parse_attribute(s->f, &parts, &s->hit));
    s->found = true;
    if (s->wanted == NULL)
        TRY(s->each(s->user, name, &s->hit.type));
done:
    return st;
}

static krt_status visit_record(void *user, const unsigned char *record)
{
    enum { ID = 8 };
    krt_status st = KRT_OK;
    search *const s = user;
    const unsigned char *p = NULL;
    uint64_t size = 0;

    if ((record[ID] & KRTI_H5_IS_SHARED) != 0)
        return krti_h5_fail(s->f, KRT_E_UNSUPPORTED,
                            "HDF5 file with a table of shared messages is not supported; repack it "
                            "with: h5repack IN OUT");
    TRY(krti_h5_fractal_find(s->f, &s->heap, record, &p, &size));
    TRY(visit_message(s, krti_h5_cursor_at(p, size)));
done:
    return st;
}

/* Attributes that outgrew the header. */
static krt_status visit_dense(search *s, krti_h5_cursor c)
{
    enum { NAME_INDEX = 8, ID = 8, RECORD = 17, HASH_AT = 13 };
    krt_status st = KRT_OK;
    krti_h5 *const f = s->f;
    const unsigned version = krti_h5_take8(&c), flags = krti_h5_take8(&c);

    krti_h5_skip(&c, (flags & 1) != 0 ? 2 : 0);
    const uint64_t heap = krti_h5_take_address(f, &c), index = krti_h5_take_address(f, &c);
    if (c.is_short || version != 0)
        return krti_h5_fail(f, KRT_E_UNSUPPORTED, "HDF5 attribute info of version %u, expected 0",
                            version);
    if (heap == KRTI_H5_UNDEFINED)
        return st;
    const uint32_t hash =
        s->wanted == NULL ? 0
                          : krti_h5_lookup3((const unsigned char *)s->wanted, strlen(s->wanted));
    const krti_h5_btree2 tree = {.type = NAME_INDEX,
                                 .record_size = RECORD,
                                 .hash = s->wanted == NULL ? NULL : &hash,
                                 .hash_offset = HASH_AT,
                                 .each = visit_record,
                                 .user = s};
    TRY(krti_h5_fractal_open(f, heap, &s->heap));
    if (s->heap.id_size != ID)
        return krti_h5_fail(f, KRT_E_CORRUPT,
                            "HDF5 fractal heap at byte %" PRIu64 " has ids of %u bytes, expected 8",
                            heap, s->heap.id_size);
    TRY(krti_h5_btree2_each(f, index, &tree));
done:
    return st;
}

static krt_status visit_attributes(search *s, krti_h5_object object)
{
    krt_status st = KRT_OK;
    krti_h5_header h;
    krti_h5_message m = {.type = KRTI_H5_MSG_END};

    TRY(krti_h5_header_open(s->f, object.header, &h));
    do {
        TRY(krti_h5_header_next(&h, &m));
        if (m.type == KRTI_H5_MSG_ATTRIBUTE_INFO) {
            TRY(visit_dense(s, m.body));
        } else if (m.type == KRTI_H5_MSG_ATTRIBUTE) {
            TRY(krti_h5_message_resolve(s->f, &m));
            TRY(visit_message(s, m.body));
        }
    } while (m.type != KRTI_H5_MSG_END && !(s->wanted != NULL && s->found));
done:
    krti_h5_header_close(&h);
    return st;
}

static krt_status find_attribute(krti_h5 *f, krti_h5_object object, const char *name,
                                 attribute *out, bool *found)
{
    search s = {.f = f, .wanted = name};
    const krt_status st = visit_attributes(&s, object);

    *found = st == KRT_OK && s.found;
    *out = s.hit;
    return st;
}

krt_status krti_h5_each_attribute(krti_h5 *f, krti_h5_object object, krti_h5_attribute_fn each,
                                  void *user)
{
    search s = {.f = f, .each = each, .user = user};

    return visit_attributes(&s, object);
}

bool krti_h5_has_attribute(krti_h5 *f, krti_h5_object object, const char *name)
{
    attribute a;
    bool found = false;

    return find_attribute(f, object, name, &a, &found) == KRT_OK && found;
}

/* ------------------------------------------------------------------------------- texts */

static krt_status refuse_kind(krti_h5 *f, const char *name, const attribute *a, const char *wanted)
{
    return krti_h5_fail(f, KRT_E_FORMAT,
                        "HDF5 attribute \"%s\": expected %s, found %" PRIu64 " of type %s", name,
                        wanted, a->num, a->type.class_name);
}

/* Bytes of a fixed-length string that are text. */
static size_t text_length(const unsigned char *p, uint64_t size, bool is_space_padded)
{
    const unsigned char *const nul = memchr(p, '\0', (size_t)size);
    size_t length = nul != NULL ? (size_t)(nul - p) : (size_t)size;

    while (is_space_padded && length > 0 && p[length - 1] == ' ')
        length--;
    return length;
}

/* Element i of a string attribute, not terminated, in the mapping. */
static krt_status text_at(krti_h5 *f, const attribute *a, krti_h5_global *heap, uint64_t i,
                          const char **out, size_t *length)
{
    krt_status st = KRT_OK;
    const unsigned char *p = a->data + i * a->type.size;
    uint64_t size = a->type.size;

    if (a->type.is_vlen) {
        krti_h5_cursor c = krti_h5_cursor_at(p, size);
        const uint32_t wanted = krti_h5_take32(&c);
        const uint64_t address = krti_h5_take_address(f, &c);
        const uint32_t index = krti_h5_take32(&c);

        *out = "";
        *length = 0;
        if (wanted == 0)
            return st;
        TRY(krti_h5_global_find(f, heap, address, index, &p, &size));
        if (size != wanted)
            return krti_h5_fail(f, KRT_E_CORRUPT,
                                "HDF5: a string of %" PRIu32 " bytes is %" PRIu64
                                " bytes long in the global heap",
                                wanted, size);
    }
    *out = (const char *)p;
    *length = text_length(p, size, a->type.is_space_padded);
done:
    return st;
}

/* A lookup may step over a whole ordinary collection, and all of them over the file once. */
static krti_h5_global open_heap(const krti_h5 *f, uint64_t num)
{
    return (krti_h5_global){.budget = f->size + num * 4096};
}

krt_status krti_h5_attribute_text(krti_h5 *f, krti_h5_object object, const char *name, char **out,
                                  size_t *length, bool *found)
{
    krt_status st = KRT_OK;
    attribute a;
    const char *text = "";
    size_t size = 0;

    *out = NULL;
    *length = 0;
    TRY(find_attribute(f, object, name, &a, found));
    if (!*found)
        return st;
    if (a.type.cls != KRTI_H5_STRING || a.num != 1)
        return refuse_kind(f, name, &a, "a text");
    krti_h5_global heap = open_heap(f, 1);
    TRY(text_at(f, &a, &heap, 0, &text, &size));
    *out = krti_strndup(f->k, text, size);
    *length = size;
    if (*out == NULL)
        st = krti_fail_in_file(f->k, KRT_E_NOMEM, f->bytes->filepath);
done:
    return st;
}

/* Memory of n texts of `bytes` bytes with their terminators: the pointers, then the texts. Many
 * elements may share one heap object, so the sum is held against the file's size. */
static krt_status alloc_texts(krti_h5 *f, const char *name, uint64_t num, uint64_t bytes,
                              krti_h5_strings *out)
{
    enum { SLACK = 1 << 20 };

    if (bytes > f->size + SLACK)
        return krti_h5_fail(f, KRT_E_CORRUPT,
                            "HDF5 attribute \"%s\" holds %" PRIu64
                            " bytes of text, more than the file",
                            name, bytes);
    out->items = krti_alloc(f->k, (size_t)num * sizeof(char *) + (size_t)(bytes + num));
    if (out->items == NULL)
        return krti_fail_in_file(f->k, KRT_E_NOMEM, f->bytes->filepath);
    out->n = (size_t)num;
    return KRT_OK;
}

static krt_status read_texts(krti_h5 *f, const char *name, const attribute *a, krti_h5_strings *out)
{
    krt_status st = KRT_OK;
    krti_h5_global heap = open_heap(f, a->num);
    const char *text = NULL;
    size_t length = 0;
    uint64_t bytes = 0;

    for (uint64_t i = 0; i < a->num; i++) {
        TRY(text_at(f, a, &heap, i, &text, &length));
        bytes += length;
    }
    TRY(alloc_texts(f, name, a->num, bytes, out));
    heap = open_heap(f, a->num);
    char *to = (char *)(out->items + a->num);
    for (uint64_t i = 0; i < a->num; i++) {
        TRY(text_at(f, a, &heap, i, &text, &length));
        memcpy(to, text, length);
        out->items[i] = to;
        to += length + 1;
    }
done:
    if (st != KRT_OK) {
        krti_free(f->k, out->items);
        *out = (krti_h5_strings){0, NULL};
    }
    return st;
}

krt_status krti_h5_attribute_strings(krti_h5 *f, krti_h5_object object, const char *name,
                                     krti_h5_strings *out, bool *found)
{
    krt_status st = KRT_OK;
    attribute a;

    *out = (krti_h5_strings){0, NULL};
    TRY(find_attribute(f, object, name, &a, found));
    if (!*found)
        return st;
    if (a.num != 0 && (a.type.cls != KRTI_H5_STRING || a.type.rank > 1))
        return refuse_kind(f, name, &a, "a list of texts");
    TRY(read_texts(f, name, &a, out));
done:
    return st;
}

/* ------------------------------------------------------------------------------- name lists */

/* Joins lists into one block, giving up the parts. */
static krt_status join_texts(krti_h5 *f, krti_h5_strings *parts, size_t num, krti_h5_strings *out)
{
    krt_status st = KRT_OK;
    uint64_t n = 0, bytes = 0;

    for (size_t i = 0; i < num; i++) {
        n += parts[i].n;
        for (size_t j = 0; j < parts[i].n; j++)
            bytes += strlen(parts[i].items[j]);
    }
    TRY(alloc_texts(f, "names", n, bytes, out));
    char *to = (char *)(out->items + n);
    for (size_t i = 0, at = 0; i < num; i++) {
        for (size_t j = 0; j < parts[i].n; j++) {
            const size_t size = strlen(parts[i].items[j]) + 1;

            memcpy(to, parts[i].items[j], size);
            out->items[at++] = to;
            to += size;
        }
    }
done:
    return st;
}

/* NAME0, NAME1, ... up to the first that is missing. Every piece but the last holds nearly 64 KiB,
 * so a list of very many is made to keep us busy. */
static krt_status read_pieces(krti_h5 *f, krti_h5_object object, const char *name,
                              krti_h5_strings *out, bool *found)
{
    enum { MAX_PIECES = 1000 };
    krt_status st = KRT_OK;
    krti_h5_strings *parts = NULL;
    size_t num = 0, capacity = 0;
    krti_str numbered = KRTI_STR_INIT(f->k);

    for (bool more = true; more && num < MAX_PIECES; num += more) {
        krti_str_clear(&numbered);
        TRY(krti_str_addf(&numbered, "%s%zu", name, num));
        TRY(krti_grow(f->k, &parts, &capacity, num + 1, sizeof *parts));
        TRY(krti_h5_attribute_strings(f, object, krti_str_text(&numbered), &parts[num], &more));
    }
    *found = num > 0;
    if (*found)
        TRY(join_texts(f, parts, num, out));
done:
    for (size_t i = 0; i < num; i++)
        krti_free(f->k, parts[i].items);
    krti_free(f->k, parts);
    krti_str_free(&numbered);
    return st;
}

krt_status krti_h5_attribute_names(krti_h5 *f, krti_h5_object object, const char *name,
                                   krti_h5_strings *out, bool *found)
{
    krt_status st = krti_h5_attribute_strings(f, object, name, out, found);

    if (st == KRT_OK && !*found)
        st = read_pieces(f, object, name, out, found);
    return st;
}

/* ------------------------------------------------------------------------------- numbers */

static int64_t integer_of(const attribute *a)
{
    const size_t size = a->type.size;
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)a->data[a->type.big_endian ? size - 1 - i : i] << (8 * i);
    if (a->type.is_signed && size < 8 && (value >> (8 * size - 1)) != 0)
        value |= UINT64_MAX << (8 * size);
    return (int64_t)value;
}

krt_status krti_h5_attribute_int(krti_h5 *f, krti_h5_object object, const char *name, int64_t *out,
                                 bool *found)
{
    krt_status st = KRT_OK;
    attribute a;

    *out = 0;
    TRY(find_attribute(f, object, name, &a, found));
    if (!*found)
        return st;
    if ((a.type.cls != KRTI_H5_INTEGER && a.type.cls != KRTI_H5_ENUM_BOOL) || a.num != 1)
        return refuse_kind(f, name, &a, "one integer");
    *out = integer_of(&a);
done:
    return st;
}
