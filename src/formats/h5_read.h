/* HDF5 files, the part of the format that Keras, h5py and their tools write, for reading.
 *
 * Ours because it must map, stream, be fuzzed and never trust a byte. Superblocks 0 to 3, object
 * headers 1 and 2, symbol-table, compact and dense groups, contiguous, compact and chunked data
 * (B-tree v1 and the version 4 indexes), deflate, shuffle, fletcher32, lzf. Anything beyond is
 * E_UNSUPPORTED naming the form and the remedy (h5repack). Links are hard links or refused. Page:
 * docs/formats/hdf5.md; specification: "HDF5 File Format Specification Version 3.0". */
#ifndef KRTI_FORMATS_H5_READ_H
#define KRTI_FORMATS_H5_READ_H

#include "base/fs.h"

typedef struct krti_h5 krti_h5;

/* An object in an open file: where its header lies. Cheap to copy, valid while the file is open. */
typedef struct krti_h5_object {
    uint64_t header;
} krti_h5_object;

typedef enum krti_h5_kind { KRTI_H5_GROUP = 1, KRTI_H5_DATASET, KRTI_H5_OTHER } krti_h5_kind;

typedef enum krti_h5_class {
    KRTI_H5_INTEGER = 1,
    KRTI_H5_FLOAT,
    KRTI_H5_STRING, /* fixed length or variable length */
    KRTI_H5_OPAQUE,
    KRTI_H5_ENUM_BOOL, /* h5py's bool: int8 enum FALSE=0, TRUE=1 */
    KRTI_H5_UNSUPPORTED
} krti_h5_class;

enum { KRTI_H5_MAX_RANK = 32 };

/* Type and shape of a dataset or attribute, as it lies in the file. */
typedef struct krti_h5_type {
    krti_h5_class cls;
    uint32_t size; /* bytes of one element in the file */
    bool big_endian;
    bool is_signed;         /* integers */
    bool is_vlen;           /* strings: element is a heap reference */
    bool is_bfloat16;       /* float of 2 bytes with 8 exponent and 7 fraction bits */
    bool is_space_padded;   /* strings of fixed length: padded with spaces, not zeros */
    const char *class_name; /* for messages: "compound", "float8"; never NULL */
    int rank;               /* 0: scalar */
    bool is_null;           /* null dataspace: no element at all */
    uint64_t dim[KRTI_H5_MAX_RANK];
} krti_h5_type;

typedef struct krti_h5_dataset {
    krti_h5_type type;
    uint64_t size_bytes;   /* elements times type.size, checked against overflow */
    uint64_t stored_bytes; /* what the file holds of it (compressed, or 0 when never written) */
    bool is_contiguous;
    uint64_t offset; /* of the raw data in the file when contiguous and written, else 0 */
} krti_h5_dataset;

/* Whether the bytes begin with an HDF5 signature (at 0, 512, 1024, ... for a user block). */
bool krti_h5_detect(const krti_bytes *bytes);

/* Opens; keeps a use of `bytes`. Fails: E_FORMAT, E_CORRUPT ("file is cut short: 98304 of
 * 102853048 bytes"), E_UNSUPPORTED, E_NOMEM. */
krt_status krti_h5_open(krt_ctx *k, krti_h5 **out, krti_bytes *bytes);
/* The same, and also opens what is left of a file that was cut short: what lay behind the cut fails
 * as damaged. `*whole` is the size the file should have. */
krt_status krti_h5_open_cut(krt_ctx *k, krti_h5 **out, krti_bytes *bytes, uint64_t *whole);
void krti_h5_close(krti_h5 *f); /* NULL allowed */
krti_h5_object krti_h5_root(const krti_h5 *f);

/* What an object is. Fails: E_CORRUPT, E_UNSUPPORTED. */
krt_status krti_h5_kind_of(krti_h5 *f, krti_h5_object object, krti_h5_kind *kind);

/* Finds a child by path ("layers/dense/vars"), every component a hard link. `*found` false when
 * some component does not exist; that is not a failure. Soft and external links on the way are
 * E_UNSAFE with Keras's words ("Not allowed: H5 file with SoftLink"). */
krt_status krti_h5_find(krti_h5 *f, krti_h5_object from, const char *path, krti_h5_object *out,
                        bool *found);

/* Calls `each` for every link of a group, in name order (byte order). Soft and external links come
 * with is_hard_link false and no object (header all ones): they are listed, never followed. A
 * non-OK return of `each` stops and is returned. */
typedef krt_status (*krti_h5_each_fn)(void *user, const char *name, krti_h5_object object,
                                      bool is_hard_link);
krt_status krti_h5_each(krti_h5 *f, krti_h5_object group, krti_h5_each_fn each, void *user);

/* Calls `each` for everything below a group, a group before its children, names in byte order;
 * paths are relative to `from`. Soft and external links as in krti_h5_each. Groups that nest too
 * deep or are linked in a circle are E_CORRUPT. */
typedef krt_status (*krti_h5_walk_fn)(void *user, const char *path, krti_h5_object object,
                                      krti_h5_kind kind);
krt_status krti_h5_walk(krti_h5 *f, krti_h5_object from, krti_h5_walk_fn each, void *user);

/* Calls `each` for everything below the root that can be found, however damaged or unsafe: a group
 * before its children. `*num_lost` counts the groups
 * whose children cannot all be listed. Fails: what `each` returns, and E_NOMEM. */
typedef struct krti_h5_item {
    const char *path;
    krti_h5_object object;
    krti_h5_kind kind; /* KRTI_H5_OTHER: a link that is not hard, or a header that cannot be read */
    bool is_hard_link;
    bool is_again;     /* a group that was met before: its children are not listed again */
    krt_status status; /* of reading its header; the sentence is the context's */
} krti_h5_item;
typedef krt_status (*krti_h5_survey_fn)(void *user, const krti_h5_item *item);
krt_status krti_h5_survey(krti_h5 *f, krti_h5_survey_fn each, void *user, size_t *num_lost);

/* Describes a dataset without reading it. Refuses external storage and virtual datasets
 * (E_UNSAFE, Keras's words: "Not allowed: H5 file with external Dataset", "... virtual Dataset")
 * and shape bombs (declared over 4 GiB and over 1000 times what is stored). */
krt_status krti_h5_dataset_open(krti_h5 *f, krti_h5_object object, krti_h5_dataset *out);

/* The raw elements, in file byte order, row major, size_bytes of them. Contiguous data is not
 * copied: *out points into the mapping and *owned is NULL. Otherwise *owned is a buffer to drop.
 * Never-written data reads as its fill value. Fails: E_CORRUPT (a chunk's checksum or size). */
krt_status krti_h5_dataset_read(krti_h5 *f, krti_h5_object object, const krti_h5_dataset *dataset,
                                const void **out, krti_bytes **owned);

/* Attributes. `*found` false when absent (not a failure). */
krt_status krti_h5_attribute_text(krti_h5 *f, krti_h5_object object, const char *name, char **out,
                                  size_t *length, bool *found); /* a scalar string; krti_free it */
typedef struct krti_h5_strings {
    size_t n;
    char **items; /* one block: krti_free(items) frees all */
} krti_h5_strings;
/* A 1-D list of strings; an empty list of any type is an empty list of strings. */
krt_status krti_h5_attribute_strings(krti_h5 *f, krti_h5_object object, const char *name,
                                     krti_h5_strings *out, bool *found);
/* Keras's chunked name lists: NAME, or else NAME0 + NAME1 + ... */
krt_status krti_h5_attribute_names(krti_h5 *f, krti_h5_object object, const char *name,
                                   krti_h5_strings *out, bool *found);
/* A numeric scalar attribute as int64. */
krt_status krti_h5_attribute_int(krti_h5 *f, krti_h5_object object, const char *name, int64_t *out,
                                 bool *found);
/* Calls `each` for every attribute, in no particular order. */
typedef krt_status (*krti_h5_attribute_fn)(void *user, const char *name, const krti_h5_type *type);
krt_status krti_h5_each_attribute(krti_h5 *f, krti_h5_object object, krti_h5_attribute_fn each,
                                  void *user);
bool krti_h5_has_attribute(krti_h5 *f, krti_h5_object object, const char *name);

#endif
