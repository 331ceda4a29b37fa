/* An opened file of any kind: what it is, its architecture, and where its weights are.
 *
 * Opening reads the names, the config and a few attributes; the weights are listed only when they
 * are asked for, and then still not read. Both krt_load() and krt_file_open() begin here. */
#ifndef KRTI_SAVING_SOURCE_H
#define KRTI_SAVING_SOURCE_H

#include "saving/detect.h"
#include "saving/store.h"
#include <keratin/saving.h>

typedef struct krti_source {
    krt_ctx *k;
    krti_arena arena;
    krti_arena tree;      /* of a config that stands beside weights */
    const char *filepath; /* NULL: a buffer */
    const char *name;     /* for sentences */
    krt_file_kind kind;
    krti_bytes *bytes;       /* of the file; NULL for a directory or a checkpoint's prefix */
    struct krti_zip *zip;    /* of an archive, else NULL */
    const krti_conf *config; /* {"class_name", "config", ...}, NULL: the file has none */
    const char *training;    /* training_config of a whole .h5 or a SavedModel, JSON; NULL: none */
    const krti_conf *shards; /* the weight_map of sharded weights */
    const krti_conf *map_file; /* the JSON it stands in */
    const char *weights_group; /* of a legacy file: "" or "model_weights" */
    const char *prefix;        /* of a TensorFlow checkpoint, or of a SavedModel's variables */
    const char *index;         /* the file that names the data files of a checkpoint */
    krti_path_id id;           /* of what names the other files: a map, an index, a directory */
    size_t config_bytes;
    int64_t size_bytes; /* of all its files that are known without listing the weights */
    const char *keras_version, *backend, *date_saved; /* NULL: the file does not say */
    int generation;                                   /* Keras 1, 2 or 3; 0: Keras 0 */
    int trains_as; /* see krt_layer; 0: the file does not say, so its generation */
    bool is_compiled, has_weights;
    bool has_keras_optimizer; /* of an .h5: the state is where Keras looks for it */
    krti_store *store;        /* once asked for */
} krti_source;

krt_status krti_source_open(krt_ctx *k, krti_source **out, const char *filepath);
krt_status krti_source_wrap(krt_ctx *k, krti_source **out, const void *data, size_t size);
void krti_source_close(krti_source *f); /* NULL allowed */
/* For whoever wants the weights alone: a config may take as much memory as a small model's. */
void krti_source_forget_config(krti_source *f);

/* What our own whole files say where form and model are of different generations: a key of
 * metadata.json, an attribute of an .h5 file. */
#define KRTI_TRAINS_AS "keratin_trains_as"

/* Lists the weights, into f->store, once. `check`: an archive member's checksum is computed, which
 * reads all of it, and shards are held against their map. Fails: E_FORMAT when the file has none;
 * what the formats fail with. */
krt_status krti_source_list(krti_source *f, bool check);
/* Fails for an architecture that was given where weights belong: E_FORMAT. */
krt_status krti_source_check_weights(const krti_source *f);

/* For source.c: the same for the files as they are at this moment. */
krt_status krti_source_list_once(krti_source *f, bool check);
#define KRTI_WEIGHTS_MEMBER "model.weights.h5" /* of an archive or a model's directory */

/* "Keras 2.2.4", "tf.keras 2.2.4-tf", "Keras 3"; into a buffer of 64 bytes, returned. */
const char *krti_source_writer(const krti_source *f, char buffer[64]);

#endif
