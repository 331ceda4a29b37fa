/* See h5_write.h. The tree of what will be written, its layout, and the streaming of it. */
#include "base/map.h"
#include "formats/h5_write_internal.h"

#include <stdlib.h>

enum { ALIGNMENT = 64, BLOCK = 1 << 20 };

static const unsigned char zeros[ALIGNMENT];

krt_status krti_h5_writer_new(krt_ctx *k, krti_h5_writer **out)
{
    krti_h5_writer *w = krti_alloc(k, sizeof *w);

    *out = NULL;
    if (w == NULL)
        return KRT_E_NOMEM;
    w->k = k;
    w->arena = (krti_arena)KRTI_ARENA_INIT(k);
    w->root.is_group = true;
    w->root.name = "";
    w->names = krti_map_new(k);
    if (w->names == NULL) {
        krti_h5_writer_free(w);
        return KRT_E_NOMEM;
    }
    *out = w;
    return KRT_OK;
}

void krti_h5_writer_free(krti_h5_writer *w)
{
    if (w == NULL)
        return;
    krti_map_free(w->names);
    krti_free(w->k, w->texts);
    krti_free(w->k, w->collections);
    krti_arena_free(&w->arena);
    krti_free(w->k, w);
}

krti_h5_node *krti_h5_writer_root(krti_h5_writer *w)
{
    return &w->root;
}

void krti_h5_set_look(krti_h5_writer *w, const krti_look *look)
{
    w->look = *look;
}

/* ------------------------------------------------------------------------------- the tree */

static krt_status name_key(krti_str *key, const krti_h5_node *parent, const char *name, size_t n)
{
    krti_str_clear(key);
    krti_str_addf(key, "%p/", (const void *)parent);
    return krti_str_add_n(key, name, n);
}

static krt_status add_node(krti_h5_writer *w, krti_h5_node *parent, const char *name, size_t n,
                           krti_h5_node **out)
{
    krti_h5_node *node = krti_arena_alloc(&w->arena, sizeof *node);
    krti_str key = KRTI_STR_INIT(w->k);
    krt_status st = KRT_OK;

    if (node == NULL || (node->name = krti_arena_strndup(&w->arena, name, n)) == NULL)
        return KRT_E_NOMEM;
    if (n == 0 || memchr(name, '/', n) != NULL || strcmp(node->name, ".") == 0) /* ".." is a name */
        TRY(krti_fail(w->k, KRT_E_INVALID, node->name, "is no name for an HDF5 object"));
    TRY(name_key(&key, parent, name, n));
    if (krti_map_has(w->names, key.ptr))
        TRY(krti_fail(w->k, KRT_E_INVALID, node->name, "the group has an object of this name"));
    TRY(krti_map_set(w->names, key.ptr, node));
    *(parent->last_child != NULL ? &parent->last_child->next : &parent->children) = node;
    parent->last_child = node;
    parent->num_children++;
    *out = node;

done:
    krti_str_free(&key);
    return st;
}

static krt_status enter_group(krti_h5_writer *w, krti_h5_node *parent, const char *name, size_t n,
                              krti_h5_node **out)
{
    krti_str key = KRTI_STR_INIT(w->k);
    krt_status st = name_key(&key, parent, name, n);
    krti_h5_node *node = st == KRT_OK ? krti_map_get(w->names, key.ptr) : NULL;

    if (st == KRT_OK && node == NULL) {
        st = add_node(w, parent, name, n, &node);
        if (st == KRT_OK)
            node->is_group = true;
    } else if (st == KRT_OK && !node->is_group) {
        st = krti_fail(w->k, KRT_E_INVALID, node->name, "is a dataset, expected a group");
    }
    krti_str_free(&key);
    *out = node;
    return st;
}

krt_status krti_h5_add_group(krti_h5_writer *w, krti_h5_node *parent, const char *path,
                             krti_h5_node **out)
{
    krti_h5_node *node = parent;
    krt_status st = KRT_OK;

    KRTI_ASSERT(!w->is_planned);
    while (st == KRT_OK && *path != '\0') {
        const size_t n = strcspn(path, "/");

        st = enter_group(w, node, path, n, &node);
        path += n + (path[n] == '/');
    }
    *out = st == KRT_OK ? node : NULL;
    return st;
}

/* Bytes of all elements; E_UNSUPPORTED for a type that cannot be written. */
static krt_status data_bytes(krti_h5_writer *w, const char *name, const krti_h5_type *type,
                             uint64_t *bytes)
{
    *bytes = type->is_vlen ? 16 : type->size;
    if (krti_h5_datatype_bytes(type) == 0 || type->rank < 0 || type->rank > KRTI_H5_MAX_RANK)
        return krti_fail(w->k, KRT_E_UNSUPPORTED, name,
                         "elements of this type (%u bytes, rank %d) cannot be written to HDF5",
                         type->size, type->rank);
    for (int i = 0; i < type->rank; i++) {
        if (type->dim[i] != 0 && *bytes > (uint64_t)INT64_MAX / type->dim[i])
            return krti_fail(w->k, KRT_E_INVALID, name, "has more elements than a file can hold");
        *bytes *= type->dim[i];
    }
    return KRT_OK;
}

krt_status krti_h5_add_dataset(krti_h5_writer *w, krti_h5_node *parent, const char *name,
                               const krti_h5_type *type, const krti_h5_source *source,
                               krti_h5_node **out)
{
    krti_h5_node *node = NULL;
    uint64_t bytes = 0;
    krt_status st = KRT_OK;

    KRTI_ASSERT(!w->is_planned && !type->is_vlen);
    TRY(data_bytes(w, name, type, &bytes));
    TRY(add_node(w, parent, name, strlen(name), &node));
    node->type = *type;
    node->source = *source;
    node->data_size = bytes;
    *(w->last_dataset != NULL ? &w->last_dataset->next_dataset : &w->datasets) = node;
    w->last_dataset = node;

done:
    if (out != NULL)
        *out = node;
    return st;
}

/* ------------------------------------------------------------------------------- attributes */

static krt_status add_attr(krti_h5_writer *w, krti_h5_node *node, const char *name,
                           const krti_h5_type *type, krti_h5_attr **out)
{
    krti_h5_attr *a = krti_arena_alloc(&w->arena, sizeof *a);
    krt_status st = KRT_OK;

    KRTI_ASSERT(!w->is_planned);
    if (a == NULL || (a->name = krti_arena_strdup(&w->arena, name)) == NULL)
        return KRT_E_NOMEM;
    for (const krti_h5_attr *other = node->attrs; other != NULL; other = other->next)
        if (strcmp(other->name, name) == 0)
            return krti_fail(w->k, KRT_E_INVALID, name, "the object has an attribute of this name");
    a->type = *type;
    TRY(data_bytes(w, name, type, &a->data_size));
    if (name[0] == '\0' || strlen(name) > UINT16_MAX - 1 ||
        krti_h5_attr_bytes(a) > KRTI_H5_MESSAGE_LONGEST)
        TRY(krti_fail(w->k, KRT_E_UNSUPPORTED, name,
                      "the attribute takes %llu bytes, an HDF5 object header holds 64 KB of one",
                      (unsigned long long)krti_h5_attr_bytes(a)));
    if (node->num_attrs >= UINT16_MAX - 8)
        TRY(krti_fail(w->k, KRT_E_UNSUPPORTED, name, "the object has too many attributes"));
    *(node->last_attr != NULL ? &node->last_attr->next : &node->attrs) = a;
    node->last_attr = a;
    node->num_attrs++;
    *out = a;

done:
    return st;
}

krt_status krti_h5_add_attribute(krti_h5_writer *w, krti_h5_node *node, const char *name,
                                 const krti_h5_type *type, const void *data)
{
    krti_h5_attr *a = NULL;
    const krt_status st = add_attr(w, node, name, type, &a);

    if (st == KRT_OK)
        a->data = data;
    return st;
}

static krt_status new_collection(krti_h5_writer *w)
{
    const krt_status st = krti_grow(w->k, &w->collections, &w->collections_capacity,
                                    w->num_collections + 1, sizeof *w->collections);

    if (st == KRT_OK)
        w->collections[w->num_collections++] =
            (krti_h5_collection){.used = 16, .first = w->num_texts};
    return st;
}

/* Into the last collection, or a new one when that is full. */
static krt_status add_to_heap(krti_h5_writer *w, const char *text, size_t length)
{
    krti_h5_collection *c = w->num_collections > 0 ? &w->collections[w->num_collections - 1] : NULL;
    const uint64_t bytes = 16 + krti_h5_round(length, 8);
    krt_status st = KRT_OK;

    if (length > UINT32_MAX)
        return krti_fail(w->k, KRT_E_UNSUPPORTED, NULL, "a text of more than 4 GB");
    if (c == NULL || c->n >= KRTI_H5_GCOL_MOST || (c->n > 0 && c->used + bytes > KRTI_H5_GCOL_FULL))
        TRY(new_collection(w));
    c = &w->collections[w->num_collections - 1];
    TRY(krti_grow(w->k, &w->texts, &w->texts_capacity, w->num_texts + 1, sizeof *w->texts));
    krti_h5_text *t = &w->texts[w->num_texts];
    t->text = krti_arena_strndup(&w->arena, text, length);
    if (t->text == NULL)
        TRY(KRT_E_NOMEM);
    t->length = length;
    t->collection = w->num_collections - 1;
    t->index = (unsigned)++c->n;
    c->used += bytes;
    w->num_texts++;

done:
    return st;
}

static const krti_h5_type vlen_string = {.cls = KRTI_H5_STRING, .size = 16, .is_vlen = true};

krt_status krti_h5_add_text(krti_h5_writer *w, krti_h5_node *node, const char *name,
                            const char *text, size_t length, krti_h5_charset charset)
{
    krti_h5_attr *a = NULL;
    krt_status st = add_attr(w, node, name, &vlen_string, &a);

    if (st != KRT_OK)
        return st;
    a->charset = charset;
    a->first_text = w->num_texts;
    a->n = 1;
    return add_to_heap(w, text, length);
}

/* ------------------------------------------------------------------------------- the layout */

static int by_name(const void *left, const void *right)
{
    const krti_h5_node *const *a = left, *const *b = right;

    return strcmp((*a)->name, (*b)->name);
}

static krt_status sort_children(krti_h5_writer *w, krti_h5_node *group)
{
    uint64_t offset = 8;
    size_t i = 0;

    group->sorted = krti_arena_array(&w->arena, group->num_children, sizeof(krti_h5_node *));
    group->name_offsets = krti_arena_array(&w->arena, group->num_children, sizeof(uint64_t));
    if (group->sorted == NULL || group->name_offsets == NULL)
        return KRT_E_NOMEM;
    for (krti_h5_node *c = group->children; c != NULL; c = c->next)
        group->sorted[i++] = c;
    if (i > 1)
        qsort(group->sorted, i, sizeof(krti_h5_node *), by_name);
    for (i = 0; i < group->num_children; i++) {
        group->name_offsets[i] = offset;
        offset += krti_h5_round(strlen(group->sorted[i]->name) + 1, 8);
    }
    return KRT_OK;
}

static krt_status plan_group(krti_h5_writer *w, krti_h5_node *group)
{
    const krt_status st = sort_children(w, group);

    if (st != KRT_OK)
        return st;
    group->heap = w->size;
    group->heap_data = group->heap + KRTI_H5_HEAP_HEADER;
    group->snod = group->heap_data + krti_h5_heap_bytes(group);
    group->tree = group->snod + krti_h5_num_snods(group) * KRTI_H5_SNOD_SIZE;
    w->size = group->tree + krti_h5_num_tree_nodes(group) * KRTI_H5_TREE_SIZE;
    group->tree_root = w->size - KRTI_H5_TREE_SIZE;
    return KRT_OK;
}

/* The tree is as deep as Keras nests layers; paths come from models, whose depth is bounded. */
static krt_status plan_node(krti_h5_writer *w, krti_h5_node *node)
{
    krt_status st = KRT_OK;

    node->header = w->size;
    node->header_size = krti_h5_header_bytes(node);
    if (node->header_size > UINT32_MAX)
        return krti_fail(w->k, KRT_E_UNSUPPORTED, node->name, "has attributes of more than 4 GB");
    w->size += node->header_size;
    if (node->is_group)
        st = plan_group(w, node);
    for (krti_h5_node *c = node->children; c != NULL && st == KRT_OK; c = c->next)
        st = plan_node(w, c);
    return st;
}

static void plan_collections(krti_h5_writer *w)
{
    for (size_t i = 0; i < w->num_collections; i++) {
        krti_h5_collection *c = &w->collections[i];

        c->address = w->size;
        c->size = c->used < KRTI_H5_GCOL_SMALLEST ? KRTI_H5_GCOL_SMALLEST : c->used;
        if (c->size - c->used == 8) /* too little for the header of the free rest */
            c->size += 8;
        w->size += c->size;
    }
}

static krt_status plan_data(krti_h5_writer *w)
{
    for (krti_h5_node *d = w->datasets; d != NULL; d = d->next_dataset) {
        d->data = UINT64_MAX;
        if (d->data_size == 0)
            continue;
        d->data = krti_h5_round(w->size, ALIGNMENT);
        if (d->data_size > (uint64_t)INT64_MAX - d->data - ALIGNMENT)
            return krti_fail(w->k, KRT_E_INVALID, d->name, "does not fit into any file");
        w->size = d->data + d->data_size;
    }
    return KRT_OK;
}

krt_status krti_h5_plan(krti_h5_writer *w, uint64_t *size)
{
    krt_status st = KRT_OK;

    KRTI_ASSERT(!w->is_planned);
    w->is_planned = true;
    w->size = KRTI_H5_SUPERBLOCK_SIZE;
    TRY(plan_node(w, &w->root));
    plan_collections(w);
    w->metadata_size = w->size;
    TRY(plan_data(w));
    *size = w->size;

done:
    return st;
}

/* ------------------------------------------------------------------------------- streaming */

static krt_status write_block(krti_h5_writer *w, const krti_sink *sink, uint64_t at,
                              const void *data, size_t size)
{
    return krti_sink_write(sink, at, data, size, w->look.at != NULL ? &w->look : NULL);
}

static krt_status write_blocks(krti_h5_writer *w, const krti_sink *sink, const krti_h5_node *d,
                               unsigned char *buffer)
{
    krt_status st = KRT_OK;

    for (uint64_t at = 0; at < d->data_size && st == KRT_OK; at += BLOCK) {
        const uint64_t left = d->data_size - at;
        const size_t n = left < BLOCK ? (size_t)left : BLOCK;

        st = d->source.read(d->source.user, at, buffer, n);
        if (st == KRT_OK)
            st = write_block(w, sink, d->data + at, buffer, n);
    }
    return st;
}

static krt_status write_dataset(krti_h5_writer *w, const krti_sink *sink, const krti_h5_node *d,
                                unsigned char *buffer)
{
    const void *all = d->source.data;
    krt_status st = KRT_OK;

    if (all == NULL && d->source.open != NULL)
        st = d->source.open(d->source.user, &all);
    if (st == KRT_OK && all != NULL)
        st = write_block(w, sink, d->data, all, (size_t)d->data_size);
    else if (st == KRT_OK)
        st = write_blocks(w, sink, d, buffer);
    if (d->source.done != NULL)
        d->source.done(d->source.user);
    return st;
}

krt_status krti_h5_write_data(krti_h5_writer *w, const krti_sink *sink)
{
    unsigned char *buffer = krti_alloc_raw(w->k, BLOCK);
    uint64_t end = w->metadata_size;
    krt_status st = buffer != NULL ? KRT_OK : KRT_E_NOMEM;

    for (const krti_h5_node *d = w->datasets; d != NULL && st == KRT_OK; d = d->next_dataset) {
        if (d->data_size > 0 && d->data > end)
            st = sink->write(sink->user, end, zeros, (size_t)(d->data - end));
        if (st == KRT_OK)
            st = write_dataset(w, sink, d, buffer);
        end = d->data_size > 0 ? d->data + d->data_size : end;
    }
    krti_free(w->k, buffer);
    return st;
}

static void put_tree(const krti_h5_writer *w, unsigned char *base, const krti_h5_node *node)
{
    krti_h5_put_node(w, base, node);
    for (const krti_h5_node *c = node->children; c != NULL; c = c->next)
        put_tree(w, base, c);
}

krt_status krti_h5_write_metadata(krti_h5_writer *w, const krti_sink *sink)
{
    unsigned char *base = krti_alloc(w->k, (size_t)w->metadata_size);
    krt_status st = KRT_OK;

    if (base == NULL)
        return KRT_E_NOMEM;
    krti_h5_put_superblock(w, base);
    put_tree(w, base, &w->root);
    for (size_t i = 0; i < w->num_collections; i++)
        krti_h5_put_collection(w, base, &w->collections[i]);
    st = sink->write(sink->user, 0, base, (size_t)w->metadata_size);
    krti_free(w->k, base);
    return st;
}

krt_status krti_h5_write(krti_h5_writer *w, const krti_sink *sink)
{
    const krt_status st = krti_h5_write_data(w, sink);

    return st == KRT_OK ? krti_h5_write_metadata(w, sink) : st;
}

/* ------------------------------------------------------------------------------- types */

krti_h5_type krti_h5_type_float(uint32_t size)
{
    return (krti_h5_type){.cls = KRTI_H5_FLOAT, .size = size};
}

krti_h5_type krti_h5_type_int(uint32_t size, bool is_signed)
{
    return (krti_h5_type){.cls = KRTI_H5_INTEGER, .size = size, .is_signed = is_signed};
}

krti_h5_type krti_h5_type_bool(void)
{
    return (krti_h5_type){.cls = KRTI_H5_ENUM_BOOL, .size = 1};
}

krti_h5_type krti_h5_type_opaque(uint32_t size)
{
    return (krti_h5_type){.cls = KRTI_H5_OPAQUE, .size = size};
}

krti_h5_type krti_h5_type_string(uint32_t size)
{
    return (krti_h5_type){.cls = KRTI_H5_STRING, .size = size};
}
