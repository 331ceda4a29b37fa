/* Saving: krt_save() and krt_save_weights(). Keras: saving/saving_api.py, Model.save,
 * Model.save_weights.
 *
 * A save first makes the list of what it writes, then hands it to the writer of the form that the
 * ending names. Nothing is at the final path before the writer's last step. */
#include "saving/save_plan.h"

#include "base/digest.h"
#include "formats/json.h"
#include "saving/assets.h"
#include "saving/incremental.h"
#include "saving/legacy_h5_write.h"
#include "saving/optimizer_state.h"
#include "saving/save_named.h"
#include "saving/serialization.h"
#include "saving/walk.h"

static const double GB = 1024.0 * 1024.0 * 1024.0;

krt_status krti_refuse_directory(krt_ctx *k)
{
    return krti_fail(k, KRT_E_IO, NULL, "is a directory, expected a file; give a name in it");
}

krt_status krti_may_write(krt_ctx *k, const char *filepath, bool overwrite, krt_overwrite_fn ask,
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

/* Begins a plan: `p` may be freed whatever follows. The name is copied. */
static krt_status begin(krti_save_plan *p, krt_ctx *k, const krt_model *m, const char *filepath)
{
    *p = (krti_save_plan){.k = k, .arena = KRTI_ARENA_INIT(k), .config = KRTI_STR_INIT(k)};
    p->filepath = krti_arena_strdup(&p->arena, filepath);
    if (p->filepath == NULL)
        return KRT_E_NOMEM;
    if (m->failed != KRT_OK && k != m->base.owned.k)
        krti_fail_copy(k, m->base.owned.k);
    return m->failed;
}

static krt_status make_list(krti_save_plan *p, krt_model *m, bool must_be_built, bool optimizer)
{
    krt_status st = krti_save_list_new(p->k, &p->list);

    if (st == KRT_OK)
        st = krti_save_list_add_model(p->list, m, must_be_built);
    if (st == KRT_OK && optimizer)
        st = krti_save_list_add_optimizer(p->list, m);
    return st;
}

static krt_status make_config(krti_save_plan *p, const krt_model *m, bool compiled)
{
    krti_arena arena = KRTI_ARENA_INIT(p->k);
    krti_conf *object = NULL;
    krt_status st = krti_serialize_portable(&arena, m, &object);

    p->keras = (krti_keras_parts){.config = &p->config, .trains_as = m->base.trains_as};
    if (st == KRT_OK && !compiled)
        krti_conf_remove(object, "compile_config");
    if (st == KRT_OK)
        st = krti_json_write(&p->config, object, -1);
    krti_arena_free(&arena);
    return st;
}

void krti_save_plan_free(krti_save_plan *p)
{
    krti_save_list_free(p->list);
    krti_assets_free(p->k, p->assets, p->keras.num_assets);
    krti_arena_free(&p->arena);
    krti_str_free(&p->config);
    p->assets = NULL;
    p->keras.num_assets = 0;
    p->list = NULL;
}

krt_status krti_save_plan_write(krti_save_plan *p)
{
    krt_status st = KRT_OK;

    if (p->legacy != NULL)
        return krti_fail_in_file(
            p->k, krti_write_legacy_h5(p->legacy, p->filepath, &p->legacy_options), p->filepath);
    if (p->list == NULL)
        return KRT_OK;
    if (p->keras.config != NULL)
        st = krti_write_keras(p->list, &p->keras, p->filepath, p->zipped, &p->options);
    else if (p->incremental)
        st = krti_write_incremental(p->list, p->filepath, p->max_shard_bytes, &p->options, NULL);
    else if (p->max_shard_bytes > 0)
        st = krti_write_sharded(p->list, p->filepath, p->max_shard_bytes, &p->options);
    else
        st = krti_write_weights_h5(p->list, p->filepath, &p->options);
    return st == KRT_OK ? st : krti_fail_in_file(p->k, st, p->filepath);
}

/* Writes what was planned, or passes on why it could not be. */
static krt_status finish(krti_save_plan *p, krt_status st)
{
    if (st == KRT_OK)
        st = krti_save_plan_write(p);
    krti_save_plan_free(p);
    return st;
}

/* ------------------------------------------------------------------------------- whole models */

static bool is_legacy_name(const char *filepath)
{
    return (krti_ends_with(filepath, ".h5") || krti_ends_with(filepath, ".hdf5")) &&
           !krti_ends_with(filepath, ".weights.h5");
}

static krt_status check_for_keras(krt_ctx *k, int for_keras, bool is_legacy)
{
    if (for_keras == 2 && !is_legacy)
        return krti_fail(k, KRT_E_INVALID, NULL,
                         "for_keras is 2, which does not read this form; save as .h5 for it");
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

krt_status krti_save_plan_model(krti_save_plan *p, krt_ctx *k, krt_model *m, const char *filepath,
                                const krt_save_args *args)
{
    krt_save_args a;
    bool go = false;
    krt_status st = begin(p, k, m, filepath);

    TRY(st);
    TRY(krti_args_import(k, &a, KRT_SAVE(), sizeof a, args));
    TRY(krti_digest_choose(k, &a.digest, NULL));
    p->options = (krti_write_options){a.sync, a.digest};
    p->zipped = a.zipped;
    TRY(check_model_name(k, filepath, a.zipped));
    if (a.zipped && krti_path_kind_of(filepath) == KRTI_PATH_DIR)
        TRY(krti_fail(k, KRT_E_IO, NULL,
                      "is a directory, expected a file; give a name in it, or zipped=false to "
                      "write a directory"));
    TRY(check_for_keras(k, a.for_keras, a.zipped && is_legacy_name(filepath)));
    TRY(krti_may_write(k, filepath, a.overwrite, a.ask, a.ask_user, &go));
    if (!go)
        goto done;
    if (a.zipped && is_legacy_name(filepath)) {
        p->legacy = m;
        p->legacy_options = (krti_legacy_h5_options){.for_keras = a.for_keras,
                                                     .include_optimizer = a.include_optimizer,
                                                     .sync = a.sync,
                                                     .digest = a.digest};
        goto done;
    }
    if (krti_walk_is_unbuilt(&m->base))
        krti_warn(k, "You are saving a model that has not yet been built. It might not contain any "
                     "weights yet. Consider building the model first by giving it an input");
    TRY(make_list(p, m, false, a.include_optimizer));
    TRY(make_config(p, m, a.include_optimizer));
    TRY(krti_assets_of(k, m, &p->assets, &p->keras.num_assets));
    p->keras.assets = p->assets;

done:
    return st == KRT_OK ? st : krti_fail_in_file(k, st, filepath);
}

krt_status krt_save(krt_model *m, const char *filepath, const krt_save_args *args)
{
    krt_ctx *k = m->base.owned.k;
    krti_save_plan p;
    const krt_status st = krt_save_wait(k);

    return st != KRT_OK ? st : finish(&p, krti_save_plan_model(&p, k, m, filepath, args));
}

/* ------------------------------------------------------------------------------- weights */

krt_status krti_sharded_name(krt_ctx *k, const char *filepath, krti_str *name)
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
        return krti_sharded_name(k, filepath, name);
    if (!krti_ends_with(filepath, ".weights.h5") && !(is_legacy && is_legacy_name(filepath)))
        return krti_fail(k, KRT_E_INVALID, NULL,
                         "The filename must end in `.weights.h5`. Received: filepath=%s", filepath);
    return krti_str_add(name, filepath);
}

krt_status krti_save_plan_weights(krti_save_plan *p, krt_ctx *k, krt_model *m, const char *filepath,
                                  const krt_save_weights_args *args)
{
    krti_str name = KRTI_STR_INIT(k);
    krt_save_weights_args a;
    bool go = false;
    krt_status st = begin(p, k, m, filepath);

    TRY(st);
    TRY(krti_args_import(k, &a, KRT_SAVE_WEIGHTS(), sizeof a, args));
    TRY(krti_digest_choose(k, &a.digest, NULL));
    p->options = (krti_write_options){a.sync, a.digest};
    p->max_shard_bytes = a.max_shard_size * GB;
    p->incremental = a.incremental;
    if (a.incremental && a.max_shard_size == 0)
        TRY(krti_fail(k, KRT_E_INVALID, NULL,
                      "incremental is for sharded weights; give max_shard_size"));
    TRY(check_weights_name(k, filepath, a.max_shard_size, a.legacy, &name));
    p->filepath = krti_arena_strdup(&p->arena, name.ptr);
    TRY(p->filepath != NULL ? KRT_OK : KRT_E_NOMEM);
    if (krti_path_kind_of(name.ptr) == KRTI_PATH_DIR)
        TRY(krti_refuse_directory(k));
    TRY(krti_may_write(k, filepath, a.overwrite || a.incremental, a.ask, a.ask_user, &go));
    if (go && a.legacy) {
        p->legacy = m;
        p->legacy_options =
            (krti_legacy_h5_options){.weights_only = true, .sync = a.sync, .digest = a.digest};
    } else if (go) {
        TRY(make_list(p, m, true, a.include_optimizer));
    }

done:
    krti_str_free(&name);
    return st == KRT_OK ? st : krti_fail_in_file(k, st, filepath);
}

krt_status krt_save_weights(krt_model *m, const char *filepath, const krt_save_weights_args *args)
{
    krt_ctx *k = m->base.owned.k;
    krti_save_plan p;
    const krt_status st = krt_save_wait(k);

    if (st == KRT_OK && krti_save_is_exchange(filepath))
        return krti_save_exchange(m, filepath, args);
    return st != KRT_OK ? st : finish(&p, krti_save_plan_weights(&p, k, m, filepath, args));
}
