/* Writing a list of weights: one HDF5 image, a file of it, or a sharded set of files.
 * Keras: H5IOStore and ShardedH5IOStore of saving_lib.py, the writing halves. */
#ifndef KRTI_SAVING_WEIGHTS_WRITER_H
#define KRTI_SAVING_WEIGHTS_WRITER_H

#include "base/transaction.h"
#include "formats/h5_write.h"
#include "saving/save_list.h"

typedef struct krti_write_options {
    bool sync;         /* to disk, before the old file goes */
    krt_digest digest; /* of each array, kept where Keras does not look; saving/digests.h */
} krti_write_options;

/* Copies an array as it goes into a file: size_bytes of it, in its dtype. */
krt_status krti_save_array_read(krti_save_list *l, const krti_save_array *a, void *to);

/* A part of an object: all of it, or, where a shard ends between two of its arrays, some. */
typedef struct krti_piece {
    size_t object;
    size_t first, num; /* arrays of the list */
    bool is_first;     /* carries the object's name */
} krti_piece;

/* An HDF5 file, described and laid out. */
typedef struct krti_h5_image krti_h5_image;
krt_status krti_h5_image_new(krti_save_list *l, krti_h5_image **out, const krti_piece *pieces,
                             size_t n, krt_digest digest);
/* The same of the whole list. */
krt_status krti_h5_image_of_list(krti_save_list *l, krti_h5_image **out, krt_digest digest);
/* For files with groups of another kind: begun empty, arrays and whatever else added through the
 * writer, then laid out. *out is the caller's to free also after a failure. */
krt_status krti_h5_image_begin(krti_save_list *l, krti_h5_image **out, krt_digest digest);
krti_h5_writer *krti_h5_image_writer(krti_h5_image *image);
/* `entry`: the dataset's path in the file, "/model_weights/dense/dense/kernel:0". */
krt_status krti_h5_image_add(krti_h5_image *image, krti_h5_node *group, const char *name,
                             const char *entry, const krti_save_array *a);
krt_status krti_h5_image_end(krti_h5_image *image);
void krti_h5_image_free(krti_h5_image *image); /* NULL allowed */
uint64_t krti_h5_image_size(const krti_h5_image *image);
krt_status krti_h5_image_write(krti_h5_image *image, const krti_sink *sink);
/* After writing: the print of all its arrays, "" without digests; digests.h. */
const char *krti_h5_image_print(const krti_h5_image *image);

/* Writes NAME.weights.h5. */
krt_status krti_write_weights_h5(krti_save_list *l, const char *filepath,
                                 const krti_write_options *options);
/* Writes NAME.weights.json and its shards beside it, none of which holds more than
 * `max_shard_bytes` of data unless one array alone does. The set changes as one. */
krt_status krti_write_sharded(krti_save_list *l, const char *filepath, double max_shard_bytes,
                              const krti_write_options *options);

#endif
