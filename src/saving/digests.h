/* What a save says about itself where Keras does not look. Page: docs/design/integrity.md.
 *
 * Every array carries the digest of its values as an attribute on its dataset, every HDF5 file a note
 * on its root: how many arrays it was given, and a print of them all. The map of a sharded set repeats
 * each shard's print. Values are taken in the file's dtype, row major, little endian, bools as 0 and
 * 1: one array has one digest in every format. */
#ifndef KRTI_SAVING_DIGESTS_H
#define KRTI_SAVING_DIGESTS_H

#include "base/conf.h"
#include "base/digest.h"
#include "base/str.h"
#include "formats/h5_read.h"
#include <keratin/tensor.h>

/* The attribute on a dataset; a text of fixed length. */
#define KRTI_DIGEST_ATTRIBUTE "keratin_digest"
/* The attribute on the root group of an HDF5 file, and the extra key at the top of weights.json
 * and of metadata.json; JSON text and JSON object. */
#define KRTI_NOTE_NAME        "keratin"

/* --- for writers ----------------------------------------------------------------------------- */

/* The digests of one HDF5 file while it is written. With KRT_DIGEST_NONE every call does nothing
 * and texts are NULL, so that a writer need not ask. */
typedef struct krti_digests {
    krti_hasher *hasher;
    size_t num;      /* arrays so far */
    uint64_t sum[2]; /* of them all, in whatever order */
    char text[KRTI_DIGEST_TEXT];
} krti_digests;

krt_status krti_digests_init(krt_ctx *k, krti_digests *d, krt_digest kind);
void krti_digests_fini(krti_digests *d);
/* More of the current array's values. */
void krti_digests_update(krti_digests *d, const void *data, size_t size);
/* The current array is whole. `entry` is its dataset's path, "/layers/dense/vars/0". Returns the
 * text for KRTI_DIGEST_ATTRIBUTE, valid until the next call. */
const char *krti_digests_end(krti_digests *d, const char *entry, krt_dtype dtype);
/* Accounts for an array whose digest is known already (one that is copied from another file). */
void krti_digests_add(krti_digests *d, const char *entry, krt_dtype dtype, const char *digest);
/* The note for KRTI_NOTE_NAME on the root, appended to `note`; then starts the next file. `print`
 * of KRTI_DIGEST_TEXT bytes, or NULL, gets the file's print for the map of a set. */
krt_status krti_digests_note(krti_digests *d, krti_str *note, char *print);

/* The object for KRTI_NOTE_NAME at the top of weights.json: shards' prints by their names. */
krti_conf *krti_set_note(krti_arena *a);
krt_status krti_set_note_add(krti_arena *a, krti_conf *note, const char *shard, const char *print);

/* --- for readers ----------------------------------------------------------------------------- */

typedef struct krti_note {
    size_t num_arrays;
    char print[KRTI_DIGEST_TEXT]; /* "": the note says none */
} krti_note;

/* Reads the note at the root of a file. No note, or one that is not ours, is an empty one. */
krt_status krti_note_read(krti_h5 *h5, krt_ctx *k, krti_note *out);
/* The print that the map of a set gives for a shard; NULL when it gives none. */
const char *krti_set_note_find(const krti_conf *map_file, const char *shard);

#endif
