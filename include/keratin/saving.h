/**
 * @file saving.h
 * Opening, saving and converting model and weight files of every Keras generation.
 * Keras: keras.saving.load_model, save_model, Model.load_weights, save_weights, model_from_json.
 */
#ifndef KERATIN_SAVING_H
#define KERATIN_SAVING_H

#include "models.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- what a load did ------------------------------------------------------------------------- */

/** What became of one variable or one file entry. */
typedef enum krt_outcome {
    KRT_LOADED = 1,    /**< the entry filled the variable */
    KRT_SKIPPED_SHAPE, /**< both exist, shapes differ */
    KRT_SKIPPED_COUNT, /**< the layer's number of variables differs */
    KRT_SKIPPED_ASKED, /**< the caller named its layer in objects_to_skip */
    KRT_MISSING,       /**< the model's variable has no entry in the file */
    KRT_UNEXPECTED,    /**< the file's entry has no variable in the model */
    KRT_OPTIMIZER      /**< optimizer state; path NULL: not restored */
} krt_outcome;

/** What became of every variable of a model and every entry of a file. */
typedef struct krt_report krt_report;

/** One variable and one entry that met, or the one that found no partner. */
typedef struct krt_report_entry {
    size_t      struct_size;
    krt_outcome outcome;
    const char *path;     /**< the variable, "dense_1/kernel"; NULL for KRT_UNEXPECTED */
    const char *entry;    /**< in the file, "/layers/dense_1/vars/0"; NULL for KRT_MISSING */
    krt_shape   expected; /**< rank -1 where there is none */
    krt_shape   found;
} krt_report_entry;

/** Entries in all, and of one outcome; variables in the model's order, then what is left of the file. */
KRT_API size_t                  krt_report_size(const krt_report *r);
KRT_API size_t                  krt_report_count(const krt_report *r, krt_outcome outcome);
KRT_API const krt_report_entry *krt_report_at(const krt_report *r, size_t i);
KRT_API void                    krt_report_free(krt_report *r); /**< NULL: allowed */

/* --- loading --------------------------------------------------------------------------------- */

/** The arguments of krt_load(). */
typedef struct krt_load_args {
    size_t       struct_size;
    const char  *config;    /**< architecture JSON file for weights-only files; NULL: in the file */
    const char  *weights;   /**< weights file for architecture-only files; NULL: in the file */
    bool         safe_mode; /**< true; this library never runs code from a file either way */
    bool         config_only; /**< false; true builds the model and leaves weights unread */
    krt_report **report;      /**< out, optional; also filled on KRT_E_MISMATCH */
    bool         compile; /**< true; false: as if it had never been compiled, no optimizer state */
    /** false; true holds everything in the weights' file against its digests and checksums first, as
     *  krt_verify() does: KRT_E_CORRUPT names the array that was altered */
    bool verify;
    /** false: arrays that lie in the file as they are needed are used there, mapped, so that a load
     *  takes milliseconds and the file must not be changed in place while the model lives (replacing
     *  it is no change); true: all are read into memory, and then the file is done with */
    bool copy;
} krt_load_args;
#define KRT_LOAD(...) \
    KRT_ARGS(krt_load_args, .safe_mode = true, .compile = true, .copy = false, __VA_ARGS__)

/** Opens a model file, the form told by content and never by suffix: `.keras` archives and
 *  directories, whole `.h5`, architecture JSON (with args->weights), weights (with args->config).
 *  A model with classes this library does not know still loads; running names the first of them.
 *  Owns: *out until krt_model_free() or krt_ctx_free().
 *  Fails: E_NOT_FOUND, E_FORMAT, E_CORRUPT, E_MISMATCH (weights do not fill the model), E_UNSAFE,
 *  E_UNSUPPORTED, E_NOMEM. */
KRT_API krt_status krt_load(krt_ctx *k, krt_model **out, const char *filepath,
                            const krt_load_args *args);

/** The same from a buffer, which must outlive the model unless args->copy: weights are used where they
 *  lie. */
KRT_API krt_status krt_load_memory(krt_ctx *k, krt_model **out, const void *data, size_t size,
                                   const krt_load_args *args);

/** The arguments of krt_load_weights(). */
typedef struct krt_load_weights_args {
    size_t       struct_size;
    krt_report **report; /**< out, optional; also filled on KRT_E_MISMATCH */
    /** false; true loads what fits and warns of each layer that does not, in Keras's words. The
     *  numbers of layers of an .h5 file must agree even so, unless by_name. */
    bool skip_mismatch;
    /** false; true pairs the layers of an .h5 file by name and leaves the others alone */
    bool      by_name;
    krt_names objects_to_skip; /**< layers that keep their weights, whatever the file holds */
    /** Rules "OLD=NEW" for the names in the file, one star on a side standing for any text: layers of
     *  an .h5 file, paths such as "layers/dense" of Keras 3, layers or whole names of arrays in
     *  `.safetensors` and `.npz`. The first that fits counts. */
    krt_names rename;
    bool      verify; /**< false; true as in krt_load() */
    bool      copy;   /**< false; true as in krt_load() */
} krt_load_weights_args;
#define KRT_LOAD_WEIGHTS(...) KRT_ARGS(krt_load_weights_args, .copy = false, __VA_ARGS__)

/** Keras: model.load_weights(filepath). `.weights.h5`, sharded `.weights.json`, `.keras`, legacy
 *  `.h5`, by content. All or nothing: on failure the model's weights are as before.
 *  Fails: E_MISMATCH, E_STATE (not built), E_INVALID (by_name of another form, a rule, a layer that
 *  is not there), what opening the file fails with. */
KRT_API krt_status krt_load_weights(krt_model *m, const char *filepath,
                                    const krt_load_weights_args *args);

/** The arguments of krt_transfer_weights(). */
typedef struct krt_transfer_args {
    size_t       struct_size;
    bool         skip_mismatch; /**< false: another shape is a failure */
    krt_names    rename;        /**< rules for the names of the source, as in krt_load_weights() */
    krt_report **report;        /**< out, optional; also filled on KRT_E_MISMATCH */
} krt_transfer_args;
#define KRT_TRANSFER(...) KRT_ARGS(krt_transfer_args, .report = NULL, __VA_ARGS__)

/** Copies weights from one model into another where their paths agree: the names of the layers and
 *  of the weight, "backbone/conv1/kernel". What has no partner stays as it is; the report lists it. A kernel
 *  with LoRA goes to a layer without as the sum, as into a file.
 *  Fails: E_MISMATCH (a shape; nothing agrees at all), E_INVALID (a rule), E_NOMEM. */
KRT_API krt_status krt_transfer_weights(krt_model *to, const krt_model *from,
                                        const krt_transfer_args *args);

/** Keras: model_from_json(json). No weights. */
KRT_API krt_status krt_from_json(krt_ctx *k, krt_model **out, const char *json,
                                 const krt_load_args *args);

/* --- architecture and compile settings as JSON ------------------------------------------------ */

/** The arguments of krt_to_json(). */
typedef struct krt_to_json_args {
    size_t struct_size;
    int    indent; /**< -1: one line; else spaces a level */
    int for_keras; /**< 3; 2: in the words of tf.keras, the architecture alone, as it writes it */
} krt_to_json_args;
#define KRT_TO_JSON(...) KRT_ARGS(krt_to_json_args, .indent = -1, .for_keras = 3, __VA_ARGS__)

/** Keras: model.to_json(indent=...): the architecture and the compile settings, no weights.
 *  Owns: *out, krt_free() it. Fails: E_UNSUPPORTED (that Keras has no word for something in the
 *  model; it is named), E_INVALID, what building the model failed with, E_NOMEM. */
KRT_API krt_status krt_to_json(const krt_model *m, char **out, const krt_to_json_args *args);

/** Keras: model.compile_from_config(json): {"optimizer": ..., "loss": ..., "metrics": [...]} with names
 *  or objects as in files ({"class_name": "Adam", "config": {...}}). What is left out stays as it
 *  was; the optimizer begins anew. Fails: as krt_compile(), E_FORMAT (no JSON). */
KRT_API krt_status krt_compile_json(krt_model *m, const char *json);

/* --- saving ---------------------------------------------------------------------------------- */

/** Asked when a file is there and `overwrite` is false; true goes on. The library itself never
 *  asks anybody. */
typedef bool (*krt_overwrite_fn)(void *user, const char *filepath);

/** The arguments of krt_save(). */
typedef struct krt_save_args {
    size_t           struct_size;
    bool             overwrite; /**< true; false asks `ask`, or fails: KRT_E_EXISTS */
    krt_overwrite_fn ask;
    void            *ask_user;
    bool             include_optimizer; /**< true: its state, for training that goes on */
    bool             zipped;            /**< true; false writes a directory */
    bool             sync; /**< true: on the disk, not only with the system, before it returns */
    /** of each array, kept where Keras does not look: KRT_DIGEST_DEFAULT. A kind that is asked of a
     *  form which keeps none (checkpoints, `.safetensors`, `.npz`, JSON) is E_INVALID. */
    krt_digest digest;
    int for_keras; /**< of `.h5`: 2 or 3; 0: for both where one file can serve both, else for 3 */
} krt_save_args;
#define KRT_SAVE(...)                                                                     \
    KRT_ARGS(krt_save_args, .overwrite = true, .include_optimizer = true, .zipped = true, \
             .sync = true, .digest = KRT_DIGEST_DEFAULT, .for_keras = 0, __VA_ARGS__)

/** Keras: model.save(filepath). The ending decides as in Keras: `.keras` is an archive, `.h5` and
 *  `.hdf5` are Keras 2's whole HDF5, any other name with zipped false a directory. The file is
 *  written beside, synced and renamed: whatever stops a save, the old file is whole or the new one
 *  is. A second writer fails at once, naming the first. `ask` saying no is no failure, as in Keras.
 *  Fails: E_INVALID (the ending), E_EXISTS, E_NOT_FOUND (no such directory), E_IO, E_UNKNOWN_CLASS
 *  (a layer whose weights the model does not hold), E_UNSUPPORTED, E_NOMEM. */
KRT_API krt_status krt_save(krt_model *m, const char *filepath, const krt_save_args *args);

/** The arguments of krt_save_weights(). */
typedef struct krt_save_weights_args {
    size_t           struct_size;
    bool             overwrite; /**< true; false asks `ask`, or fails: KRT_E_EXISTS */
    krt_overwrite_fn ask;
    void            *ask_user;
    double           max_shard_size; /**< in GB (1024 cubed), as in Keras; 0: one file */
    bool       incremental; /**< false; true, of a sharded set: only what changed is written */
    bool       include_optimizer; /**< true: of a compiled model, as in Keras */
    bool       sync;              /**< true, as in krt_save() */
    krt_digest digest;            /**< as in krt_save() */
    bool legacy; /**< false; true: Keras 2's weights alone in an `.h5`, which every Keras loads */
} krt_save_weights_args;
#define KRT_SAVE_WEIGHTS(...)                                                                   \
    KRT_ARGS(krt_save_weights_args, .overwrite = true, .include_optimizer = true, .sync = true, \
             .digest = KRT_DIGEST_DEFAULT, .legacy = false, __VA_ARGS__)

/** Keras: model.save_weights(filepath). `NAME.weights.h5`, or with max_shard_size
 *  `NAME.weights.json` and shards `NAME_00000.weights.h5` beside it, which change as one. An array
 *  larger than a shard gets a shard of its own. `.safetensors` and `.npz` hold the weights by the
 *  paths of variables, "dense/kernel". Fails: as krt_save(); E_STATE for a model without
 *  its variables yet. */
KRT_API krt_status krt_save_weights(krt_model *m, const char *filepath,
                                    const krt_save_weights_args *args);

/** tf.keras: model.save_weights(prefix), as a TensorFlow checkpoint: PREFIX.index,
 *  PREFIX.data-00000-of-00001 and the state file `checkpoint`, which tf.keras loads with
 *  load_weights(prefix), the optimizer's state included. Whatever stops it, the old checkpoint is
 *  whole or the new one is. args: max_shard_size must be 0; a checkpoint has checksums of its
 *  own and keeps no digests. Fails: as krt_save_weights(). */
KRT_API krt_status krt_save_checkpoint(krt_model *m, const char *prefix,
                                       const krt_save_weights_args *args);

/** tf.keras: model.load_weights(prefix). A prefix, any file of a checkpoint, or a directory, of
 *  which the newest checkpoint is meant; otherwise as krt_load_weights(). Fails: E_FORMAT for what
 *  is no checkpoint, and as krt_load_weights(). */
KRT_API krt_status krt_load_checkpoint(krt_model *m, const char *prefix,
                                       const krt_load_weights_args *args);

/** Removes the shards beside a `.weights.json` that its map does not name, which incremental saves
 *  leave behind; the first shard, which Keras opens whatever the map says, is emptied instead.
 *  NULL: either out may be NULL. Fails: what loading the set fails with, so that nothing of a set
 *  that is not whole is removed; E_IO. */
KRT_API krt_status krt_collect_shards(krt_ctx *k, const char *filepath, size_t *num_removed,
                                      int64_t *num_bytes);

/** krt_save() in the background: the weights are copied once, the call returns, and a thread writes
 *  the copy. There is one such save at a time in a context; the next save, of any kind, waits for
 *  it and fails with its failure. Warnings of the thread are dropped. What is written from the
 *  model itself (Keras 2's HDF5, .safetensors, .npz) is written before the call returns. Fails:
 *  what krt_save() fails with before it writes, and a failure of the save before. */
KRT_API krt_status krt_save_async(krt_model *m, const char *filepath, const krt_save_args *args);
/** krt_save_weights() in the background. */
KRT_API krt_status krt_save_weights_async(krt_model *m, const char *filepath,
                                          const krt_save_weights_args *args);
/** Waits for the save in the background, if there is one. Fails: as that save did; then it is
 *  forgotten. krt_ctx_free() waits too. */
KRT_API krt_status krt_save_wait(krt_ctx *k);

/* --- converting ------------------------------------------------------------------------------ */

/** The arguments of krt_convert(). */
typedef struct krt_convert_args {
    size_t      struct_size;
    const char *to;     /**< NULL: the ending of the new file decides; "keras", "keras-dir", "h5",
                         "weights.h5", "legacy-weights.h5", "weights.json", "tf-checkpoint", "json",
                         "safetensors", "npz" */
    const char *config; /**< architecture for weights-only files; NULL: in the file */
    double      max_shard_size; /**< of weights.json, in GB; 0: 5 */
    bool        incremental; /**< false; true adds to a set that is there, as krt_save_weights() */
    bool        include_optimizer; /**< true */
    bool        overwrite;         /**< true; false asks `ask`, or fails: KRT_E_EXISTS */
    krt_overwrite_fn ask;
    void            *ask_user;
    int              for_keras; /**< 3; 2: for tf.keras, where no one file serves both */
    bool             sync;      /**< true, as in krt_save() */
    krt_digest       digest;    /**< as in krt_save() */
    void (*progress)(void *user, int64_t done, int64_t total); /**< bytes of arrays; NULL: none */
    void *progress_user;
} krt_convert_args;
#define KRT_CONVERT(...)                                                                     \
    KRT_ARGS(krt_convert_args, .include_optimizer = true, .overwrite = true, .for_keras = 3, \
             .sync = true, .digest = KRT_DIGEST_DEFAULT, .progress_user = NULL, __VA_ARGS__)

/** Writes a file of any form in another. Between Keras 3's forms no model is built: arrays go from
 *  file to file one by one, so a file may be larger than memory and its classes unknown. Into forms
 *  that name weights otherwise, every class must be known. An incremental set becomes a whole one.
 *  Fails: what krt_load() and krt_save() fail with, E_EXISTS, E_INVALID (no such format). */
KRT_API krt_status krt_convert(krt_ctx *k, const char *in_filepath, const char *out_filepath,
                               const krt_convert_args *args);

/* --- looking at a file without building a model ---------------------------------------------- */

/** An open file of any supported kind. Never reads tensor data unless asked for a value. */
typedef struct krt_file krt_file;

/** What a file is, by its content. */
typedef enum krt_file_kind {
    KRT_FILE_KERAS_ARCHIVE = 1, /**< .keras */
    KRT_FILE_KERAS_DIRECTORY,   /**< .keras saved with zipped=False */
    KRT_FILE_WEIGHTS_H5,        /**< Keras 3 .weights.h5 */
    KRT_FILE_WEIGHTS_JSON,      /**< sharded weights */
    KRT_FILE_LEGACY_H5,         /**< whole model of Keras 1 to 3 in HDF5 */
    KRT_FILE_LEGACY_WEIGHTS_H5, /**< weights-only HDF5 of Keras 1 and 2 */
    KRT_FILE_CONFIG_JSON,       /**< architecture JSON */
    KRT_FILE_TF_CHECKPOINT,     /**< PREFIX.index and PREFIX.data-*, by any of its paths */
    KRT_FILE_SAVED_MODEL,       /**< variables, and the config where tf.keras left one */
    KRT_FILE_SAFETENSORS,       /**< arrays by name */
    KRT_FILE_NPZ                /**< arrays by name */
} krt_file_kind;

/** What is known of a file without reading its arrays. */
typedef struct krt_file_info {
    size_t        struct_size;
    krt_file_kind kind;
    const char   *format;        /**< "Keras 3 archive (.keras)" */
    const char   *keras_version; /**< NULL when the file does not say */
    const char   *backend;
    const char   *date_saved;
    const char   *class_name; /**< of the model; NULL without a config */
    const char   *name;
    bool          has_config, is_compiled;
    int64_t       size_bytes;
    int64_t       weights_bytes, optimizer_bytes, config_bytes;
    int64_t       num_layers; /**< in the config, nested models' included; KRT_NONE without one */
    int64_t       num_params; /**< elements of the weights arrays */
    size_t        num_arrays; /**< weights and optimizer */
} krt_file_info;

/** One array in a file. */
typedef struct krt_file_array {
    size_t      struct_size;
    const char *path;  /**< in the file: "/layers/conv2d/vars/0", "conv2d/conv2d/kernel:0" */
    krt_dtype   dtype; /**< KRT_DTYPE_NONE for one this library cannot read */
    krt_shape   shape;
    int64_t     size_bytes;
    int64_t     offset; /**< of the raw bytes in `file`; KRT_NONE when chunked or compressed */
    const char *file;   /**< shard or member it lies in, NULL: the file itself */
    bool        is_optimizer; /**< optimizer state, not a weight */
} krt_file_array;

/** Opens a file of any kind and lists what is in it; nothing is built. Owns: *out until
 *  krt_file_close(). Fails: E_NOT_FOUND, E_IO, E_FORMAT (of no kind known), E_CORRUPT, E_UNSUPPORTED,
 *  E_NOMEM. */
KRT_API krt_status            krt_file_open(krt_ctx *k, krt_file **out, const char *filepath);
KRT_API void                  krt_file_close(krt_file *f); /**< NULL: allowed */
KRT_API const krt_file_info  *krt_file_get_info(krt_file *f);
KRT_API size_t                krt_file_num_arrays(const krt_file *f);
KRT_API const krt_file_array *krt_file_array_at(const krt_file *f, size_t i);
/** The array's values. Owns: *out, krt_tensor_free() it. Fails: E_NOT_FOUND (no such array), E_CORRUPT,
 *  E_UNSUPPORTED (a dtype that cannot be read), E_IO, E_NOMEM. */
KRT_API krt_status krt_file_read_array(krt_file *f, size_t i, krt_tensor **out);
/** The digest of an array's values in the file's dtype, row major, little endian, as "sha256:" or
 *  "xxh3-128:" and hex digits: the same in every format that holds the same numbers. Owns: *out,
 *  krt_free() it. Fails: as krt_file_read_array(), E_INVALID for KRT_DIGEST_NONE. */
KRT_API krt_status krt_file_digest_array(krt_file *f, size_t i, krt_digest kind, char **out);
/** The architecture as Keras's JSON; indent < 0: one line. Owns: *out, krt_free() it.
 *  Fails: E_NOT_FOUND when the file holds none. */
KRT_API krt_status krt_file_config(krt_file *f, char **out, int indent);

/* --- what this build supports ---------------------------------------------------------------- */

/** The arguments of krt_describe(). */
typedef struct krt_describe_args {
    size_t struct_size;
    bool   json; /**< false; true gives a JSON document instead of text */
} krt_describe_args;
#define KRT_DESCRIBE(...) KRT_ARGS(krt_describe_args, .json = false, __VA_ARGS__)

/** Explains a class by its Keras name, "Conv2D": what it is, its arguments, their types and
 *  defaults. NULL: `name` NULL lists everything this build supports. Owns: *out, krt_free() it.
 *  Fails: E_UNKNOWN_CLASS, E_NOMEM. */
KRT_API krt_status krt_describe(krt_ctx *k, char **out, const char *name,
                                const krt_describe_args *args);

#ifdef __cplusplus
}
#endif

#endif
