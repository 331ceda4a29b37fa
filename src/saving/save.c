/* Saving: krt_save() and krt_save_weights(). Keras: saving/saving_api.py, Model.save,
 * Model.save_weights.
 *
 * A save first makes the list of what it writes, then hands it to the writer of the form that the
 * ending names. Nothing is at the final path before the writer's last step. */
#include "saving/keras_writer.h"
#include "saving/legacy_h5_write.h"
#include "saving/optimizer_state.h"
#include "saving/save_named.h"
#include "saving/serialization.h"
#include "saving/walk.h"

#include <keratin/saving.h>

static const double GB = 1024.0 * 1024.0 * 1024.0;

/* What both kinds of save are asked about a file that is there. *go: whether to write. */
static krt_status may_write(krt_ctx *k, const char *filepath, bool overwrite, krt_overwrite_fn ask,
                            void *user, bool *go)
{
    *go = true;
    if (overwrite || krti_path_kind_of(filepath) == KRTI_PATH_NONE)
        return KRT_OK;
    if (ask == NULL)
        return krti_fail(k, KRT_E_EXISTS, NULL,
                         "already exists and overwrite is off; allow it, or save under another "
                         "name");
    *go = ask(user, filepath);
    return KRT_OK;
}

static krt_status make_list(krt_model *m, krti_save_list **l, bool must_be_built, bool optimizer)
{
    krt_status st = krti_save_list_new(m->base.owned.k, l);

    if (st == KRT_OK)
        st = krti_save_list_add_model(*l, m, must_be_built);
    if (st == KRT_OK && optimizer)
        st = krti_save_list_add_optimizer(*l, m);
    return st;
}

/* ------------------------------------------------------------------------------- whole models */

static krt_status write_keras(krt_model *m, const char *filepath, const krt_save_args *a)
{
    krt_ctx *k = m->base.owned.k;
    const krti_write_options options = {a->sync, a->digest};
    krti_arena arena = KRTI_ARENA_INIT(k);
    krti_save_list *l = NULL;
    krti_conf *config = NULL;
    krt_status st = KRT_OK;

    if (krti_walk_is_unbuilt(&m->base))
        krti_warn(k, "You are saving a model that has not yet been built. It might not contain any "
                     "weights yet. Consider building the model first by giving it an input");
    TRY(make_list(m, &l, false, a->include_optimizer));
    TRY(krti_serialize_model(&arena, m, &config));
    if (!a->include_optimizer)
        krti_conf_remove(config, "compile_config");
    const krti_keras_parts parts = {.config = config};
    TRY(krti_write_keras(l, &parts, filepath, a->zipped, &options));

done:
    krti_save_list_free(l);
    krti_arena_free(&arena);
    return st;
}

static bool is_legacy_name(const char *filepath)
{
    return (krti_ends_with(filepath, ".h5") || krti_ends_with(filepath, ".hdf5")) &&
           !krti_ends_with(filepath, ".weights.h5");
}

static krt_status check_for_keras(krt_ctx *k, int for_keras)
{
    if (for_keras == 0 || for_keras == 2 || for_keras == 3)
        return KRT_OK;
    return krti_fail(
        k, KRT_E_INVALID, NULL,
        "for_keras is %d, expected 2 or 3, or 0 for both where one file can serve both", for_keras);
}

static krt_status check_model_name(krt_ctx *k, const char *filepath, bool zipped)
{
    const bool is_keras = krti_ends_with(filepath, ".keras");

    if (!zipped && is_keras)
        return krti_fail(k, KRT_E_INVALID, NULL,
                         "When using `zipped=False`, the `filepath` argument should not end in "
                         "`.keras`. Received: filepath=%s",
                         filepath);
    if (!zipped || is_keras)
        return KRT_OK;
    if (is_legacy_name(filepath))
        return KRT_OK;
    return krti_fail(
        k, KRT_E_INVALID, NULL,
        "Invalid filepath extension for saving. Please add either a `.keras` extension "
        "for the native Keras format (recommended) or a `.h5` extension. Received: "
        "filepath=%s",
        filepath);
}

krt_status krt_save(krt_model *m, const char *filepath, const krt_save_args *args)
{
    krt_ctx *k = m->base.owned.k;
    krt_save_args a;
    bool go = false;
    krt_status st = KRT_OK;

    TRY(krti_args_import(k, &a, KRT_SAVE(), sizeof a, args));
    if (m->failed != KRT_OK)
        TRY(m->failed);
    TRY(check_model_name(k, filepath, a.zipped));
    if (a.zipped && krti_path_kind_of(filepath) == KRTI_PATH_DIR)
        TRY(krti_fail(k, KRT_E_IO, NULL,
                      "is a directory, expected a file; give a name in it, or zipped=false to "
                      "write a directory"));
    TRY(check_for_keras(k, a.for_keras));
    TRY(may_write(k, filepath, a.overwrite, a.ask, a.ask_user, &go));
    if (go && a.zipped && is_legacy_name(filepath))
        TRY(krti_write_legacy_h5(m, filepath,
                                 &(krti_legacy_h5_options){.for_keras = a.for_keras,
                                                           .include_optimizer = a.include_optimizer,
                                                           .sync = a.sync}));
    else if (go)
        TRY(write_keras(m, filepath, &a));

done:
    return st == KRT_OK ? st : krti_fail_in_file(k, st, filepath);
}

/* ------------------------------------------------------------------------------- weights */

/* Keras's ending of a sharded set is .json, whatever was given; it says so. */
static krt_status sharded_name(krt_ctx *k, const char *filepath, krti_str *name)
{
    const char *dot = strrchr(krti_path_name(filepath), '.');

    if (!krti_ends_with(filepath, "weights.json") && !krti_ends_with(filepath, "weights.h5"))
        return krti_fail(k, KRT_E_INVALID, NULL,
                         "The filename must end in `.weights.json` when `max_shard_size` is "
                         "specified. Received: filepath=%s",
                         filepath);
    if (strcmp(dot, ".json") == 0)
        return krti_str_add(name, filepath);
    krti_str_add_n(name, filepath, (size_t)(dot - filepath));
    krti_str_add(name, ".json");
    if (name->status == KRT_OK)
        krti_warn(k,
                  "Saving sharded weights requires `*.json` as the extension. The original path: "
                  "%s will be renamed to %s",
                  filepath, name->ptr);
    return name->status;
}

static krt_status check_weights_name(krt_ctx *k, const char *filepath, double max_shard_size,
                                     bool is_legacy, krti_str *name)
{
    if (!(max_shard_size >= 0) || isinf(max_shard_size))
        return krti_fail(k, KRT_E_INVALID, NULL,
                         "max_shard_size is %g, expected the size of a shard in GB, or 0 for one "
                         "file",
                         max_shard_size);
    if (max_shard_size > 0)
        return sharded_name(k, filepath, name);
    if (!krti_ends_with(filepath, ".weights.h5") && !(is_legacy && is_legacy_name(filepath)))
        return krti_fail(k, KRT_E_INVALID, NULL,
                         "The filename must end in `.weights.h5`. Received: filepath=%s", filepath);
    return krti_str_add(name, filepath);
}

static krt_status write_weights(krt_model *m, const char *filepath, const krt_save_weights_args *a)
{
    const krti_write_options options = {a->sync, a->digest};
    krti_save_list *l = NULL;
    krt_status st = KRT_OK;

    if (a->legacy)
        return krti_write_legacy_h5(
            m, filepath, &(krti_legacy_h5_options){.weights_only = true, .sync = a->sync});
    st = make_list(m, &l, true, a->include_optimizer);
    if (st == KRT_OK && a->max_shard_size > 0)
        st = krti_write_sharded(l, filepath, a->max_shard_size * GB, &options);
    else if (st == KRT_OK)
        st = krti_write_weights_h5(l, filepath, &options);
    krti_save_list_free(l);
    return st;
}

krt_status krt_save_weights(krt_model *m, const char *filepath, const krt_save_weights_args *args)
{
    krt_ctx *k = m->base.owned.k;
    krti_str name = KRTI_STR_INIT(k);
    krt_save_weights_args a;
    bool go = false;
    krt_status st = KRT_OK;

    if (krti_save_is_exchange(filepath))
        return krti_save_exchange(m, filepath, args);
    TRY(krti_args_import(k, &a, KRT_SAVE_WEIGHTS(), sizeof a, args));
    if (m->failed != KRT_OK)
        TRY(m->failed);
    TRY(check_weights_name(k, filepath, a.max_shard_size, a.legacy, &name));
    if (krti_path_kind_of(name.ptr) == KRTI_PATH_DIR)
        TRY(krti_fail(k, KRT_E_IO, NULL, "is a directory, expected a file; give a name in it"));
    TRY(may_write(k, filepath, a.overwrite, a.ask, a.ask_user, &go));
    if (go)
        TRY(write_weights(m, name.ptr, &a));

done:
    krti_str_free(&name);
    return st == KRT_OK ? st : krti_fail_in_file(k, st, filepath);
}
