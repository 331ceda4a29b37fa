/* The bytes of every structure the HDF5 writer makes. Each section of docs/formats/hdf5.md, "Writing",
 * is one function here. Sizes are computed by the same functions that planning uses, so a structure
 * can never be longer than its place. */
#include "formats/h5_write_internal.h"

#define UNDEFINED UINT64_MAX

/* A pen that writes little-endian numbers. */
typedef struct pen {
    unsigned char *p;
} pen;

static void put(pen *o, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        *o->p++ = (unsigned char)(value >> (8 * i));
}

static void put_bytes(pen *o, const void *data, size_t size)
{
    if (size > 0)
        memcpy(o->p, data, size);
    o->p += size;
}

/* Steps on to the next multiple of 8 after `start`; the bytes are zero already. */
static void pad_from(pen *o, const unsigned char *start)
{
    o->p += krti_h5_round((uint64_t)(o->p - start), 8) - (uint64_t)(o->p - start);
}

/* ------------------------------------------------------------------------------- types */

typedef struct float_form {
    uint32_t size;
    unsigned sign, exponent_at, exponent_bits, fraction_bits;
    uint32_t bias;
} float_form;

static const float_form floats[] = {
    {2, 15, 10, 5, 10, 15}, {4, 31, 23, 8, 23, 127}, {8, 63, 52, 11, 52, 1023}};

static const float_form *float_of(uint32_t size)
{
    for (size_t i = 0; i < KRTI_COUNT(floats); i++)
        if (floats[i].size == size)
            return &floats[i];
    return NULL;
}

size_t krti_h5_datatype_bytes(const krti_h5_type *type)
{
    switch (type->cls) {
    case KRTI_H5_INTEGER:
        return type->size == 1 || type->size == 2 || type->size == 4 || type->size == 8 ? 12 : 0;
    case KRTI_H5_FLOAT:
        return float_of(type->size) != NULL ? 20 : 0;
    case KRTI_H5_STRING:
        return type->is_vlen ? 20 : type->size > 0 ? 8 : 0;
    case KRTI_H5_OPAQUE:
        return type->size > 0 ? 8 : 0;
    case KRTI_H5_ENUM_BOOL:
        return 38;
    default:
        return 0;
    }
}

static void put_integer(pen *o, uint32_t size, bool is_signed)
{
    put(o, 0x10, 1);
    put(o, is_signed ? 0x08 : 0, 3);
    put(o, size, 4);
    put(o, 0, 2); /* bit offset */
    put(o, 8 * size, 2);
}

static void put_float(pen *o, uint32_t size)
{
    const float_form *f = float_of(size);

    put(o, 0x11, 1);
    put(o, 0x20 | f->sign << 8, 3); /* the fraction's leading 1 is implied */
    put(o, size, 4);
    put(o, 0, 2);
    put(o, 8 * size, 2);
    put(o, f->exponent_at, 1);
    put(o, f->exponent_bits, 1);
    put(o, 0, 1);
    put(o, f->fraction_bits, 1);
    put(o, f->bias, 4);
}

static void put_string(pen *o, const krti_h5_type *type, krti_h5_charset charset)
{
    if (!type->is_vlen) {
        put(o, 0x13, 1);
        put(o, 1u | (unsigned)charset << 4, 3); /* padded with zeros */
        put(o, type->size, 4);
        return;
    }
    put(o, 0x19, 1);
    put(o, 1u | (unsigned)charset << 8, 3);
    put(o, 16, 4); /* length, collection, index */
    put_integer(o, 1, false);
}

static void put_type(pen *o, const krti_h5_type *type, krti_h5_charset charset)
{
    switch (type->cls) {
    case KRTI_H5_INTEGER:
        put_integer(o, type->size, type->is_signed);
        break;
    case KRTI_H5_FLOAT:
        put_float(o, type->size);
        break;
    case KRTI_H5_STRING:
        put_string(o, type, charset);
        break;
    case KRTI_H5_OPAQUE:
        put(o, 0x15, 4);
        put(o, type->size, 4);
        break;
    default: /* h5py's bool */
        put(o, 0x18 | 2u << 8, 4);
        put(o, 1, 4);
        put_integer(o, 1, true);
        put_bytes(o, "FALSE\0\0\0TRUE\0\0\0\0\0\1", 18);
        break;
    }
}

static size_t space_bytes(const krti_h5_type *type)
{
    return 8 + 16 * (size_t)type->rank;
}

static void put_space(pen *o, const krti_h5_type *type)
{
    put(o, 1, 1);
    put(o, (unsigned)type->rank, 1);
    put(o, type->rank > 0, 1); /* largest dimensions follow */
    put(o, 0, 5);
    for (int twice = 0; twice < 2; twice++)
        for (int i = 0; i < type->rank; i++)
            put(o, type->dim[i], 8);
}

/* ------------------------------------------------------------------------------- object headers */

static void put_message(pen *o, unsigned type, uint64_t size, unsigned flags)
{
    put(o, type, 2);
    put(o, krti_h5_round(size, 8), 2);
    put(o, flags, 4);
}

static uint64_t message_bytes(uint64_t body)
{
    return 8 + krti_h5_round(body, 8);
}

uint64_t krti_h5_attr_bytes(const krti_h5_attr *a)
{
    return 8 + krti_h5_round(strlen(a->name) + 1, 8) +
           krti_h5_round(krti_h5_datatype_bytes(&a->type), 8) +
           krti_h5_round(space_bytes(&a->type), 8) + a->data_size;
}

enum { FILL_BYTES = 8, LAYOUT_BYTES = 18 };

uint64_t krti_h5_header_bytes(const krti_h5_node *node)
{
    uint64_t n = KRTI_H5_OBJECT_PREFIX;

    if (node->is_group)
        n += message_bytes(16);
    else
        n += message_bytes(space_bytes(&node->type)) +
             message_bytes(krti_h5_datatype_bytes(&node->type)) + message_bytes(FILL_BYTES) +
             message_bytes(LAYOUT_BYTES);
    for (const krti_h5_attr *a = node->attrs; a != NULL; a = a->next)
        n += message_bytes(krti_h5_attr_bytes(a));
    return n;
}

static void put_texts(pen *o, const krti_h5_writer *w, const krti_h5_attr *a)
{
    for (size_t i = 0; i < a->n; i++) {
        const krti_h5_text *text = &w->texts[a->first_text + i];

        put(o, text->length, 4);
        put(o, w->collections[text->collection].address, 8);
        put(o, text->index, 4);
    }
}

static void put_attr(pen *o, const krti_h5_writer *w, const krti_h5_attr *a)
{
    put_message(o, 0x0C, krti_h5_attr_bytes(a), 0);
    const unsigned char *start = o->p;
    put(o, 1, 2);
    put(o, strlen(a->name) + 1, 2);
    put(o, krti_h5_datatype_bytes(&a->type), 2);
    put(o, space_bytes(&a->type), 2);
    put_bytes(o, a->name, strlen(a->name) + 1);
    pad_from(o, start);
    put_type(o, &a->type, a->charset);
    pad_from(o, start);
    put_space(o, &a->type);
    pad_from(o, start);
    if (a->type.is_vlen)
        put_texts(o, w, a);
    else
        put_bytes(o, a->data, (size_t)a->data_size);
    pad_from(o, start);
}

static void put_dataset_messages(pen *o, const krti_h5_node *node)
{
    const unsigned char *start = NULL;

    put_message(o, 0x01, space_bytes(&node->type), 0);
    put_space(o, &node->type);
    put_message(o, 0x03, krti_h5_datatype_bytes(&node->type), 1);
    start = o->p;
    put_type(o, &node->type, KRTI_H5_ASCII);
    pad_from(o, start);
    put_message(o, 0x05, FILL_BYTES, 1);
    put(o, 0x01020202, 4); /* version 2, allocated late, written if set, defined */
    put(o, 0, 4);
    put_message(o, 0x08, LAYOUT_BYTES, 0);
    start = o->p;
    put(o, 0x0103, 2); /* version 3, contiguous */
    put(o, node->data, 8);
    put(o, node->data_size, 8);
    pad_from(o, start);
}

static void put_header(const krti_h5_writer *w, unsigned char *base, const krti_h5_node *node)
{
    pen o = {base + node->header};

    put(&o, 1, 2);
    put(&o, node->num_attrs + (node->is_group ? 1 : 4), 2);
    put(&o, 1, 4); /* references */
    put(&o, node->header_size - KRTI_H5_OBJECT_PREFIX, 4);
    put(&o, 0, 4);
    if (node->is_group) {
        put_message(&o, 0x11, 16, 0);
        put(&o, node->tree_root, 8);
        put(&o, node->heap, 8);
    } else {
        put_dataset_messages(&o, node);
    }
    for (const krti_h5_attr *a = node->attrs; a != NULL; a = a->next)
        put_attr(&o, w, a);
    KRTI_ASSERT(o.p == base + node->header + node->header_size);
}

/* ------------------------------------------------------------------------------- groups */

/* The empty name comes first: it is every tree's lowest key. */
uint64_t krti_h5_heap_bytes(const krti_h5_node *group)
{
    uint64_t n = 8;

    for (const krti_h5_node *c = group->children; c != NULL; c = c->next)
        n += krti_h5_round(strlen(c->name) + 1, 8);
    return n;
}

size_t krti_h5_num_snods(const krti_h5_node *group)
{
    return (group->num_children + KRTI_H5_LEAF - 1) / KRTI_H5_LEAF;
}

/* An empty group has one node without children. */
size_t krti_h5_num_tree_nodes(const krti_h5_node *group)
{
    size_t level = krti_h5_num_snods(group), total = 0;

    do {
        level = (level + KRTI_H5_INTERNAL - 1) / KRTI_H5_INTERNAL;
        level = level > 0 ? level : 1;
        total += level;
    } while (level > 1);
    return total;
}

static void put_heap(unsigned char *base, const krti_h5_node *group)
{
    pen o = {base + group->heap};

    put_bytes(&o, "HEAP\0\0\0\0", 8);
    put(&o, krti_h5_heap_bytes(group), 8);
    put(&o, 1, 8); /* no free block */
    put(&o, group->heap_data, 8);
    for (size_t i = 0; i < group->num_children; i++)
        memcpy(base + group->heap_data + group->name_offsets[i], group->sorted[i]->name,
               strlen(group->sorted[i]->name));
}

static void put_entry(pen *o, uint64_t name_offset, const krti_h5_node *node)
{
    put(o, name_offset, 8);
    put(o, node->header, 8);
    put(o, node->is_group ? 1 : 0, 8); /* what is cached behind it */
    put(o, node->is_group ? node->tree_root : 0, 8);
    put(o, node->is_group ? node->heap : 0, 8);
}

static void put_snods(unsigned char *base, const krti_h5_node *group)
{
    for (size_t i = 0; i < group->num_children; i++) {
        pen o = {base + group->snod + i / KRTI_H5_LEAF * KRTI_H5_SNOD_SIZE};

        if (i % KRTI_H5_LEAF == 0) {
            const size_t left = group->num_children - i;

            put_bytes(&o, "SNOD\1\0", 6);
            put(&o, left < KRTI_H5_LEAF ? left : KRTI_H5_LEAF, 2);
        }
        o.p =
            base + group->snod + i / KRTI_H5_LEAF * KRTI_H5_SNOD_SIZE + 8 + 40 * (i % KRTI_H5_LEAF);
        put_entry(&o, group->name_offsets[i], group->sorted[i]);
    }
}

/* The key after the i-th node of a level: the largest name below it. `span`: names below a full
 * one. */
static uint64_t key_after(const krti_h5_node *group, size_t i, size_t span)
{
    const size_t end = (i + 1) * span;

    return group->name_offsets[(end < group->num_children ? end : group->num_children) - 1];
}

/* One level: nodes from `at` on, over `below` nodes of `below_size` bytes from `child` on. */
static void put_tree_level(unsigned char *base, const krti_h5_node *group, unsigned level,
                           uint64_t at, size_t n, uint64_t child, size_t below, uint64_t below_size,
                           size_t span)
{
    for (size_t i = 0; i < n; i++) {
        const uint64_t address = at + i * KRTI_H5_TREE_SIZE;
        const size_t first = i * KRTI_H5_INTERNAL;
        const size_t left = below - first, used = left < KRTI_H5_INTERNAL ? left : KRTI_H5_INTERNAL;
        pen o = {base + address};

        put_bytes(&o, "TREE\0", 5);
        put(&o, level, 1);
        put(&o, used, 2);
        put(&o, i > 0 ? address - KRTI_H5_TREE_SIZE : UNDEFINED, 8);
        put(&o, i + 1 < n ? address + KRTI_H5_TREE_SIZE : UNDEFINED, 8);
        put(&o, first > 0 ? key_after(group, first - 1, span) : 0, 8);
        for (size_t j = first; j < first + used; j++) {
            put(&o, child + j * below_size, 8);
            put(&o, key_after(group, j, span), 8);
        }
    }
}

/* Level over level until one node is left: the last one written, the root. */
static void put_tree(unsigned char *base, const krti_h5_node *group)
{
    uint64_t at = group->tree, child = group->snod, below_size = KRTI_H5_SNOD_SIZE;
    size_t below = krti_h5_num_snods(group), span = KRTI_H5_LEAF, n = 0;
    unsigned level = 0;

    do {
        n = (below + KRTI_H5_INTERNAL - 1) / KRTI_H5_INTERNAL;
        n = n > 0 ? n : 1;
        put_tree_level(base, group, level++, at, n, child, below, below_size, span);
        child = at;
        at += n * KRTI_H5_TREE_SIZE;
        below = n;
        below_size = KRTI_H5_TREE_SIZE;
        span *= KRTI_H5_INTERNAL;
    } while (n > 1);
    KRTI_ASSERT(at - KRTI_H5_TREE_SIZE == group->tree_root);
}

void krti_h5_put_node(const krti_h5_writer *w, unsigned char *base, const krti_h5_node *node)
{
    put_header(w, base, node);
    if (!node->is_group)
        return;
    put_heap(base, node);
    put_snods(base, node);
    put_tree(base, node);
}

/* ------------------------------------------------------------------------------- the file */

void krti_h5_put_superblock(const krti_h5_writer *w, unsigned char *base)
{
    pen o = {base};

    put_bytes(&o, "\x89HDF\r\n\x1a\n", 8);
    put(&o, 0, 5); /* versions */
    put(&o, 0x000808, 3);
    put(&o, KRTI_H5_LEAF / 2, 2);
    put(&o, KRTI_H5_INTERNAL / 2, 2);
    put(&o, 0, 4);
    put(&o, 0, 8); /* base address */
    put(&o, UNDEFINED, 8);
    put(&o, w->size, 8);
    put(&o, UNDEFINED, 8);
    put_entry(&o, 0, &w->root);
}

void krti_h5_put_collection(const krti_h5_writer *w, unsigned char *base,
                            const krti_h5_collection *c)
{
    pen o = {base + c->address};

    put_bytes(&o, "GCOL\1\0\0\0", 8);
    put(&o, c->size, 8);
    for (size_t i = 0; i < c->n; i++) {
        const krti_h5_text *text = &w->texts[c->first + i];
        const unsigned char *start = o.p;

        put(&o, text->index, 8); /* and no references, as libhdf5 writes it */
        put(&o, text->length, 8);
        put_bytes(&o, text->text, text->length);
        pad_from(&o, start);
    }
    const uint64_t left = c->size - c->used;
    if (left > 0) { /* the free rest, its own header counted */
        put(&o, 0, 8);
        put(&o, left, 8);
    }
}
