/* HDF5 files for writing, in the form h5py gives Keras's files: superblock 0, object headers 1,
 * groups as symbol tables, contiguous data.
 *
 * A tree of groups, datasets and attributes is described first, with pointers to the data or with a
 * function that brings it; krti_h5_plan() then knows every address, and krti_h5_write() streams to
 * a sink: raw data first, each dataset at a multiple of 64 so that a reader can use it where it
 * lies, the metadata in front of it last. Attributes are therefore written after all data was seen,
 * and one may hold its digest. Nothing is copied but the metadata. Page: docs/formats/hdf5.md. */
#ifndef KRTI_FORMATS_H5_WRITE_H
#define KRTI_FORMATS_H5_WRITE_H

#include "base/transaction.h"
#include "formats/h5_read.h"

typedef struct krti_h5_writer krti_h5_writer;
typedef struct krti_h5_node krti_h5_node; /* a group or dataset of the tree; the writer's */

krt_status krti_h5_writer_new(krt_ctx *k, krti_h5_writer **out);
void krti_h5_writer_free(krti_h5_writer *w); /* NULL allowed */
krti_h5_node *krti_h5_writer_root(krti_h5_writer *w);

/* The group at `path` ("layers/dense/vars") below `parent`; it and those on the way are made when
 * they are not there yet. Fails: E_INVALID (a dataset has the name, an empty component). */
krt_status krti_h5_add_group(krti_h5_writer *w, krti_h5_node *parent, const char *path,
                             krti_h5_node **out);

/* Where a dataset's elements come from: little endian, row major, type.size times the dimensions
 * bytes. One of three: `data`, which lives until the file is written; `open`, which brings all of it
 * when its turn comes; `read`, called for one piece after the other, without gaps. `done` (or NULL)
 * is called when all of it was written, or when that failed. */
typedef struct krti_h5_source {
    const void *data;
    krt_status (*open)(void *user, const void **data);
    krt_status (*read)(void *user, uint64_t offset, void *to, size_t size);
    void (*done)(void *user);
    void *user;
} krti_h5_source;

/* `type`: cls, size, is_signed, rank and dim are looked at. Types: integers, floats of 2, 4 and 8
 * bytes, KRTI_H5_ENUM_BOOL, KRTI_H5_OPAQUE, strings of fixed length. out may be NULL.
 * Fails: E_INVALID (name taken or impossible), E_UNSUPPORTED (type), E_NOMEM. */
krt_status krti_h5_add_dataset(krti_h5_writer *w, krti_h5_node *parent, const char *name,
                               const krti_h5_type *type, const krti_h5_source *source,
                               krti_h5_node **out);

/* Attributes. Fails: E_UNSUPPORTED when one takes more than the 64 KB that an object header can
 * hold (Keras splits its name lists for that reason), E_INVALID when the name is taken. */
/* Of any type a dataset may have. `data` is read when the file is written. */
krt_status krti_h5_add_attribute(krti_h5_writer *w, krti_h5_node *node, const char *name,
                                 const krti_h5_type *type, const void *data);
/* Strings of variable length, as h5py writes Python's str (UTF-8) and bytes (ASCII); copied. */
typedef enum krti_h5_charset { KRTI_H5_ASCII = 0, KRTI_H5_UTF8 = 1 } krti_h5_charset;
krt_status krti_h5_add_text(krti_h5_writer *w, krti_h5_node *node, const char *name,
                            const char *text, size_t length, krti_h5_charset charset);

/* Lays the file out; nothing can be added any more. `*size`: of the whole file. */
krt_status krti_h5_plan(krti_h5_writer *w, uint64_t *size);
/* Shown all data on its way, in the order of the datasets: digests are made here. */
void krti_h5_set_look(krti_h5_writer *w, const krti_look *look);
/* Writes every byte of the file once, position 0 being the sink's. After krti_h5_plan(). */
krt_status krti_h5_write(krti_h5_writer *w, const krti_sink *sink);
/* Its two halves, for attributes that are made of all data. */
krt_status krti_h5_write_data(krti_h5_writer *w, const krti_sink *sink);
krt_status krti_h5_write_metadata(krti_h5_writer *w, const krti_sink *sink);

/* Types at hand: rank 0 until the caller sets rank and dim. `size` in bytes. */
krti_h5_type krti_h5_type_float(uint32_t size);
krti_h5_type krti_h5_type_int(uint32_t size, bool is_signed);
krti_h5_type krti_h5_type_bool(void);
krti_h5_type krti_h5_type_opaque(uint32_t size);
krti_h5_type krti_h5_type_string(uint32_t size); /* fixed length, zero padded, ASCII */

#endif
