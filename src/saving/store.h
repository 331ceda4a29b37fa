/* The weights of a file as a list: objects (layers) and the arrays each of them holds.
 *
 * Every container Keras writes comes down to this one list, made by these readers: h5_store.c
 * (Keras 3's tree of `vars` groups), sharded_weights.c (the same tree over several files),
 * legacy_h5_format.c (layer_names and weight_names of Keras 1 and 2), tf_checkpoint_list.c
 * (TensorFlow's tensor bundles) and named_arrays.c (.safetensors and .npz). Making the list reads
 * names, types and shapes and never a tensor's bytes. Keras: the IO stores of saving_lib.py. */
#ifndef KRTI_SAVING_STORE_H
#define KRTI_SAVING_STORE_H

#include "base/conf.h"
#include "base/map.h"
#include "formats/h5_read.h"
#include "tensor/tensor.h"

typedef enum krti_role {
    KRTI_ROLE_WEIGHT = 0, /* belongs to a layer */
    KRTI_ROLE_OPTIMIZER,  /* kept for training */
    KRTI_ROLE_OTHER       /* metrics' state, data beside the weights: Keras never reads it */
} krti_role;

/* One file the arrays lie in. */
typedef struct krti_store_file {
    const char *name; /* shard or archive member; NULL: the file that was opened */
    krti_bytes *bytes;
    krti_h5 *h5; /* NULL: its arrays are raw bytes */
} krti_store_file;

/* A block of an array that was saved in pieces. */
typedef struct krti_raw_piece {
    const unsigned char *data;
    size_t size_bytes;
    int64_t start[KRT_MAX_RANK], length[KRT_MAX_RANK];
    uint32_t crc32c;
} krti_raw_piece;

/* A checksum that a form keeps of an array, compared before its elements are used. */
typedef enum krti_sum { KRTI_SUM_NONE = 0, KRTI_SUM_CRC32C, KRTI_SUM_CRC32 } krti_sum;

/* An array whose elements lie in a file as they are, row by row. */
typedef struct krti_raw {
    const unsigned char *data; /* NULL: made of pieces */
    krti_bytes *bytes;         /* that it lies in, borrowed; NULL: it has to be copied */
    bool is_swapped;           /* not in this machine's byte order */
    krti_sum sum;
    uint32_t crc;
    const krti_raw_piece *pieces;
    size_t num_pieces;
} krti_raw;

typedef struct krti_store_array {
    const char *entry; /* for people: "/layers/dense/vars/0", "dense/dense/kernel:0" */
    const char *key;   /* within its object: "0", "dense/kernel:0" */
    const char *name;  /* what the entry becomes by krti_store_rename(); NULL: it is as it was */
    size_t object;     /* whose it is */
    size_t file;
    krti_h5_object header; /* of its dataset */
    const krti_raw *raw;   /* no dataset, but this; else NULL */
    krt_dtype dtype;       /* KRT_DTYPE_NONE: a type or rank we cannot read */
    krt_shape shape;       /* rank -1 when the rank is beyond ours */
    uint64_t size_bytes;
    int64_t offset; /* of the raw bytes in the file; KRT_NONE when they are chunked or absent */
} krti_store_array;

typedef struct krti_store_object {
    const char
        *path; /* "layers/dense", "" for the model itself; in legacy files the layer's name */
    krti_role role;
    size_t first, num; /* its arrays */
    size_t num_other;  /* children among the arrays that are no array: Keras counts them too */
} krti_store_object;

/* Told how many bytes of arrays were read, out of how many. */
typedef struct krti_progress {
    void (*call)(void *user, int64_t done, int64_t total); /* NULL: nobody is told */
    void *user;
    int64_t done, total;
} krti_progress;

typedef struct krti_store {
    krt_ctx *k;
    size_t uses;
    krti_arena arena;
    krti_store_file *files;
    size_t num_files, files_capacity;
    krti_store_object *objects;
    size_t num_objects, objects_capacity;
    krti_store_array *arrays;
    size_t num_arrays, arrays_capacity;
    krti_map *by_path;                     /* path -> object's index + 1 */
    krti_map *groups;                      /* every path and every prefix of one */
    bool is_legacy;                        /* lists of layers: paired by krti_legacy_h5_match() */
    bool copies;                           /* arrays are never used where they lie */
    bool is_ordered;                       /* the list is in the model's order already */
    bool has_paths;                        /* names are paths of variables, not of Keras 3's tree */
    struct krti_tf_checkpoint *checkpoint; /* what a checkpoint's list was made from; else NULL */
    krt_tensor **kept;                     /* arrays that had to be made while they were listed */
    size_t num_kept;
    uint64_t budget; /* bytes the list may still take; see krti_store_spend() */
    krti_progress progress;
} krti_store;

krt_status krti_store_new(krt_ctx *k, krti_store **out);
krti_store *krti_store_use(krti_store *s); /* one more user, who frees it too */
void krti_store_free(krti_store *s);       /* NULL allowed; tensors read from it live on */

/* Lets go of the files' pages: what was read to find arrays, and arrays that are elsewhere by now. What
 * is used where it lies comes back by itself. */
void krti_store_forget(const krti_store *s);

/* --- for the readers ------------------------------------------------------------------------- */
/* Opens an HDF5 file; keeps a use of `bytes`. `name` as in krti_store_file; copied. */
krt_status krti_store_add_file(krti_store *s, krti_bytes *bytes, const char *name, size_t *index);
/* The same for a file of raw bytes. */
krt_status krti_store_add_bytes(krti_store *s, krti_bytes *bytes, const char *name, size_t *index);
/* Starts an object; the arrays added next are its own. Of two objects of one path the first is
 * found by it. */
krt_status krti_store_add_object(krti_store *s, const char *path, krti_role role);
krt_status krti_store_add_array(krti_store *s, size_t file, const char *entry, const char *key,
                                krti_h5_object header);
/* An array of raw bytes; `raw` is copied, what it points to is not. offset: KRT_NONE when it does not
 * lie in the file as it is. */
krt_status krti_store_add_raw(krti_store *s, const krti_store_array *array, const krti_raw *raw);
/* Accounts for bytes or work that the list takes. An honest list takes less than its file; groups
 * that share their entries could make it any number of times larger. Fails: E_UNSAFE. */
krt_status krti_store_spend(krti_store *s, size_t bytes);
/* "layers/dense" and "0" to "layers/dense/0", in the place of what `s` held; empty ones need no
 * slash. */
krt_status krti_store_join(krti_str *s, const char *a, const char *b);
/* Gives every object the name that `rename` makes of its own; where arrays have names of their own, every
 * array too. */
krt_status krti_store_rename(krti_store *s, const krt_names *rules);
/* Keras's dtype of a dataset; KRT_DTYPE_NONE: a type we cannot read. */
krt_status krti_store_dtype(krt_ctx *k, krti_h5 *h5, krti_h5_object header, krt_dtype *dtype);
/* Puts the last object's arrays into the natural order of their keys: 0, 1, 2, 10. */
void krti_store_sort_arrays(krti_store *s);
/* Whether the files can hold what the finished list says lies in them. Fails: E_UNSAFE. */
krt_status krti_store_check_declared(const krti_store *s);

/* Appends the tree under the root of an opened file (h5_store.c). */
krt_status krti_h5_store_list(krti_store *s, size_t file);
/* Appends what the `vars` group of a path holds to the last object; nothing when there is none. */
krt_status krti_h5_store_list_vars(krti_store *s, size_t file, const char *path);
/* The role of an object by its path: "optimizer/...", "metrics/...". */
krti_role krti_h5_store_role(const char *path);
/* Opens every shard that the map names, beside `dir` (sharded_weights.c). */
krt_status krti_sharded_weights_list(krti_store *s, const krti_conf *map, const char *dir);
/* Appends what a TensorFlow checkpoint holds; tf_checkpoint.h. */
krt_status krti_tf_checkpoint_list(krti_store *s, const char *prefix);
void krti_tf_checkpoint_free(struct krti_tf_checkpoint *c); /* NULL allowed */
/* Appends the arrays of a .safetensors or .npz file (named_arrays.c). */
krt_status krti_safetensors_list(krti_store *s, krti_bytes *bytes);
krt_status krti_npz_list(krti_store *s, krti_bytes *bytes);
/* Appends the lists under `group` ("" or "model_weights") and the optimizer's, which in files of ours
 * for Keras 3 lies in a group of its own. */
#define KRTI_OPTIMIZER_GROUP "keratin_optimizer_weights"
krt_status krti_legacy_h5_list(krti_store *s, size_t file, const char *group);

/* --- for the users --------------------------------------------------------------------------- */
/* The object with this path, NULL when there is none. Keras 2.13 called `layers` otherwise in some
 * builds; that spelling is tried second. */
const krti_store_object *krti_store_find(const krti_store *s, const char *path);
/* Whether an object has this path or lies below it. */
bool krti_store_has_group(const krti_store *s, const char *path);
/* Reads arrays as these dtypes (KRT_DTYPE_NONE: as they lie); store_read.c. An array is used where
 * it lies when it is contiguous, aligned, in the machine's byte order and of that type; the others
 * go into one block of memory. On failure every out is NULL. */
typedef struct krti_want {
    size_t array;
    krt_dtype dtype;
    bool anywhere; /* an array at an odd address will do: the reader copies before it computes */
} krti_want;
krt_status krti_store_tensors(krti_store *s, const krti_want *wants, size_t n, krt_tensor **out);
krt_status krti_store_tensor(krti_store *s, size_t array, krt_dtype dtype, krt_tensor **out);

/* The elements of a raw array (store_raw.c): where they lie, not held against their checksum yet,
 * or put together in memory of their own, which the caller drops. Fails: E_CORRUPT when that of a
 * piece disagrees. */
krt_status krti_raw_read(krti_store *s, const krti_store_array *a, const void **data,
                         krti_bytes **owned);
/* Fails: E_CORRUPT when the checksum found for the whole is not the stored one. */
krt_status krti_raw_check(krti_store *s, const krti_store_array *a, uint32_t crc);

/* Compares texts with runs of digits as numbers: dense_2 before dense_10. */
int krti_natural_compare(const char *a, const char *b);

#endif
