/* What the two files of the HDF5 writer share: h5_write.c keeps the tree, lays it out and streams;
 * h5_write_bytes.c knows the bytes of every structure. */
#ifndef KRTI_FORMATS_H5_WRITE_INTERNAL_H
#define KRTI_FORMATS_H5_WRITE_INTERNAL_H

#include "base/arena.h"
#include "formats/h5_write.h"

/* The shape of group indexes, as the superblock declares it: 4 and 16 are libhdf5's defaults. */
enum {
    KRTI_H5_LEAF = 8,      /* entries of a symbol node: 2 x 4 */
    KRTI_H5_INTERNAL = 32, /* children of a tree node: 2 x 16 */
    KRTI_H5_SUPERBLOCK_SIZE = 96,
    KRTI_H5_SNOD_SIZE = 8 + 40 * KRTI_H5_LEAF,
    KRTI_H5_TREE_SIZE = 24 + 8 * (KRTI_H5_INTERNAL + 1) + 8 * KRTI_H5_INTERNAL,
    KRTI_H5_HEAP_HEADER = 32,
    KRTI_H5_OBJECT_PREFIX = 16,
    KRTI_H5_MESSAGE_LONGEST = 65528,
    KRTI_H5_GCOL_SMALLEST = 4096,
    KRTI_H5_GCOL_FULL = 65536, /* a collection that has grown beyond this takes no more strings */
    KRTI_H5_GCOL_MOST = 60000  /* objects; their indices have 16 bits */
};

/* A string in a collection of the global heap. */
typedef struct krti_h5_text {
    const char *text;
    size_t length;
    size_t collection;
    unsigned index; /* from 1 */
} krti_h5_text;

typedef struct krti_h5_collection {
    uint64_t address, size;
    uint64_t used; /* header and objects */
    size_t first, n;
} krti_h5_collection;

typedef struct krti_h5_attr {
    struct krti_h5_attr *next;
    const char *name;
    krti_h5_type type;
    krti_h5_charset charset;
    const void *data;     /* of fixed size; NULL for strings of variable length */
    size_t first_text, n; /* those */
    uint64_t data_size;
} krti_h5_attr;

struct krti_h5_node {
    const char *name;
    bool is_group;
    krti_h5_node *next; /* the parent's next child, in order of creation */
    krti_h5_attr *attrs, *last_attr;
    size_t num_attrs;
    uint64_t header, header_size;
    /* groups */
    krti_h5_node *children, *last_child;
    krti_h5_node **sorted; /* by name, after planning */
    uint64_t *name_offsets;
    size_t num_children;
    uint64_t heap, heap_data, tree, tree_root, snod;
    /* datasets */
    krti_h5_type type;
    krti_h5_source source;
    uint64_t data, data_size; /* no data: address undefined */
    krti_h5_node *next_dataset;
};

struct krti_h5_writer {
    krt_ctx *k;
    krti_arena arena;
    krti_h5_node root;
    struct krti_map *names; /* "<parent's address>/name" -> node */
    krti_h5_node *datasets, *last_dataset;
    krti_h5_text *texts;
    size_t num_texts, texts_capacity;
    krti_h5_collection *collections;
    size_t num_collections, collections_capacity;
    uint64_t metadata_size, size;
    bool is_planned;
    krti_look look; /* .at NULL: nobody looks */
};

/* h5_write_bytes.c: sizes, then bytes. `base` is the metadata's first byte, at address 0. */
/* 0 when the type cannot be written. */
size_t krti_h5_datatype_bytes(const krti_h5_type *type);
uint64_t krti_h5_attr_bytes(const krti_h5_attr *a); /* body of the message, without its header */
uint64_t krti_h5_header_bytes(const krti_h5_node *node);
uint64_t krti_h5_heap_bytes(const krti_h5_node *group); /* the data alone */
size_t krti_h5_num_snods(const krti_h5_node *group);
size_t krti_h5_num_tree_nodes(const krti_h5_node *group);
void krti_h5_put_superblock(const krti_h5_writer *w, unsigned char *base);
void krti_h5_put_node(const krti_h5_writer *w, unsigned char *base, const krti_h5_node *node);
void krti_h5_put_collection(const krti_h5_writer *w, unsigned char *base,
                            const krti_h5_collection *c);

static inline uint64_t krti_h5_round(uint64_t n, uint64_t to)
{
    return (n + to - 1) / to * to;
}

#endif
