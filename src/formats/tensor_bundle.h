/* Tensor bundles: what TensorFlow calls a checkpoint of version 2. A sorted table (PREFIX.index) says of
 * every tensor its type, shape, place and checksum; the bytes lie in PREFIX.data-00000-of-00001, ...
 *
 * This file knows messages and bytes; which data file is opened when, and what becomes a weight, is
 * decided above (saving/tf_checkpoint.c). TensorFlow: core/util/tensor_bundle. Page:
 * docs/formats/tf_checkpoint.md. */
#ifndef KRTI_FORMATS_TENSOR_BUNDLE_H
#define KRTI_FORMATS_TENSOR_BUNDLE_H

#include "base/arena.h"
#include "formats/sstable.h"

enum { KRTI_BUNDLE_MAX_RANK = 8 };

/* TensorFlow's DataType, those Keras can meet. */
enum {
    KRTI_TF_FLOAT = 1,
    KRTI_TF_DOUBLE = 2,
    KRTI_TF_INT32 = 3,
    KRTI_TF_UINT8 = 4,
    KRTI_TF_INT16 = 5,
    KRTI_TF_INT8 = 6,
    KRTI_TF_STRING = 7,
    KRTI_TF_INT64 = 9,
    KRTI_TF_BOOL = 10,
    KRTI_TF_BFLOAT16 = 14,
    KRTI_TF_UINT16 = 17,
    KRTI_TF_HALF = 19,
    KRTI_TF_UINT32 = 22,
    KRTI_TF_UINT64 = 23,
    KRTI_TF_REFERENCE = 100 /* added to any of them in old files; taken off here */
};

/* A block of a tensor that was saved in pieces. */
typedef struct krti_bundle_slice {
    int64_t start[KRTI_BUNDLE_MAX_RANK], length[KRTI_BUNDLE_MAX_RANK];
    size_t entry; /* that holds its bytes */
} krti_bundle_slice;

typedef struct krti_bundle_entry {
    const char *key;
    size_t key_size;
    uint32_t dtype;
    const char *dtype_name; /* "float32"; "type 34" for what has no name here */
    size_t item_size;       /* 0: of varying size, or unknown */
    int rank;               /* -1: unknown; beyond KRTI_BUNDLE_MAX_RANK: no dim is kept */
    int64_t dim[KRTI_BUNDLE_MAX_RANK];
    uint32_t shard;
    uint64_t offset, size;     /* in that shard's file */
    uint32_t crc32c;           /* unmasked; see krti_bundle_string() for strings */
    bool is_slice;             /* a piece of another entry, under an encoded key */
    krti_bundle_slice *slices; /* of an entry that was saved in pieces */
    size_t num_slices;
} krti_bundle_entry;

typedef struct krti_bundle {
    krt_ctx *k;
    krti_arena arena;
    krti_sstable *table;
    size_t index_size;
    uint32_t num_shards;
    bool big_endian;
    krti_bundle_entry *entries; /* in the order of their keys */
    size_t n;
} krti_bundle;

/* Reads an .index. Fails: as krti_sstable_read(), E_CORRUPT naming the key, E_UNSUPPORTED (a checkpoint
 * of version 1, or of a version to come). */
krt_status krti_bundle_open(krt_ctx *k, krti_bundle **out, krti_bytes *index);
void krti_bundle_close(krti_bundle *b);                                           /* NULL allowed */
const krti_bundle_entry *krti_bundle_find(const krti_bundle *b, const char *key); /* NULL: none */

/* The one text of a scalar string tensor, in its payload of e->size bytes. Both checksums are compared,
 * the lengths in the writer's byte order. Fails: E_CORRUPT, E_UNSUPPORTED (several strings). */
krt_status krti_bundle_string(krti_bundle *b, const krti_bundle_entry *e,
                              const unsigned char *payload, const char **text, size_t *size);

/* --- writing --- */

typedef struct krti_bundle_tensor {
    const char *key;
    uint32_t dtype;
    int rank;
    const int64_t *dim;
    uint64_t offset, size; /* in the data file */
    uint32_t crc32c;       /* unmasked */
} krti_bundle_tensor;

/* Puts the .index of a bundle into an empty text. The tensors, which all lie in shard 0, come in any
 * order; no key twice. */
krt_status krti_bundle_put_index(krti_str *s, const krti_bundle_tensor *tensors, size_t n,
                                 uint32_t num_shards);
/* Appends the payload of a scalar string, and gives the checksum of its entry. */
krt_status krti_bundle_put_string(krti_str *s, const void *text, size_t size, uint32_t *crc32c);

#endif
