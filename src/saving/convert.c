/* Converting a file of any form into another. See krt_convert() in <keratin/saving.h>.
 *
 * Two ways lead there. Between forms that name weights alike, arrays go from file to file one by one
 * and no model is built: it works for files larger than memory and for classes nobody knows. Where
 * names differ (Keras 3's paths, lists of layers in legacy files, TensorFlow's keys) only a model
 * knows which is which, so one is built, filled and saved. */
#include "base/digest.h"
#include "formats/json.h"
#include "saving/incremental.h"
#include "saving/keras_writer.h"
#include "saving/legacy_h5_write.h"
#include "saving/load.h"
#include "saving/named_list.h"
#include "saving/optimizer_state.h"
#include "saving/save_plan.h"
#include "saving/serialization.h"
#include "saving/tf_checkpoint_write.h"
#include "saving/walk.h"
#include "saving/weights_writer.h"
#include "training/optimizer.h"

/* Everything one conversion has in its hands. */
typedef struct conversion {
    krt_ctx *k;
    const krt_convert_args *args;
    krti_write_options options;
    const char *in, *out;
    krti_source *f;      /* the weights, and the architecture unless there is another */
    krti_source *config; /* the file args->config names, or NULL */
    krt_model *m;        /* once it was needed */
} conversion;

static const double GB = 1024.0 * 1024.0 * 1024.0;

/* ------------------------------------------------------------------------------- the model */

/* The architecture, NULL when there is none. */
static const krti_conf *config_of(const conversion *c)
{
    return c->config != NULL ? c->config->config : c->f->config;
}

/* The model, once; its classes may be unknown. A load maps the arrays and reads none: that is no progress
 * to tell of. */
static krt_status load_once(conversion *c)
{
    krti_progress none = {0}, told = c->f->store != NULL ? c->f->store->progress : none;

    if (c->m != NULL)
        return KRT_OK;
    if (c->f->store != NULL)
        c->f->store->progress = none;
    const krt_status st = krti_load_open(c->k, &c->m, c->f, c->config);
    if (c->f->store != NULL)
        c->f->store->progress = told;
    return st;
}

/* Whether the weights lie in Keras 3's tree and can be passed on as they are. Keras 2.13 to 2.15 wrote
 * such a tree too, with paths of its own. */
static bool is_keras3(const conversion *c)
{
    return c->f->store != NULL && !c->f->store->is_legacy && !c->f->store->has_paths &&
           c->f->store->checkpoint == NULL && c->f->generation >= 3;
}

/* Whether it takes the code of a class to know what arrays are called. */
static bool lacks_names(const krt_model *m)
{
    return m->cannot_run != NULL &&
           (m->cannot_status == KRT_E_UNKNOWN_CLASS || krti_walk_is_unbuilt(&m->base));
}

/* The model with its weights. Fails: as krt_load(). */
static krt_status model_of(conversion *c, krt_model **out)
{
    krt_status st = load_once(c);

    if (st == KRT_OK && lacks_names(c->m))
        st = krti_fail(c->k, c->m->cannot_status, NULL,
                       "%s; without its code the names that %s needs are not known. %s",
                       c->m->cannot_run, krti_path_name(c->out),
                       is_keras3(c) ? "The forms of Keras 3 (.keras, .weights.h5, .weights.json) "
                                      "need none"
                                    : "Its arrays can go into .safetensors or .npz, which take "
                                      "them under the names they have");
    *out = c->m;
    return st;
}

/* ------------------------------------------------------------------------------- lists */

/* A compiled model always has an optimizer; what is written is the file's, and none of our own making. */
static bool has_optimizer(const krti_store *s)
{
    for (size_t i = 0; i < s->num_objects; i++)
        if (s->objects[i].role == KRTI_ROLE_OPTIMIZER && s->objects[i].num > 0)
            return true;
    return false;
}

/* Weights and an architecture of two files must belong together; what classes nobody knows hold is
 * taken on trust. */
static krt_status check_fit(conversion *c)
{
    return c->config == NULL ? KRT_OK : load_once(c);
}

/* What goes into Keras 3's containers. `l` is freed by the caller also after a failure. */
static krt_status list_weights(conversion *c, krti_save_list **l)
{
    krt_model *m = NULL;
    krt_status st = krti_save_list_new(c->k, l);

    if (st != KRT_OK)
        return st;
    if (is_keras3(c))
        return krti_save_list_add_store(*l, c->f->store, c->args->include_optimizer);
    TRY(model_of(c, &m));
    TRY(krti_save_list_add_model(*l, m, true));
    if (c->args->include_optimizer && has_optimizer(c->f->store)) {
        const size_t num_weights = (*l)->num_arrays;

        TRY(krti_save_list_add_optimizer(*l, m));
        if ((*l)->num_arrays == num_weights)
            krti_warn(c->k, "the optimizer's state is not in %s: %s", c->out,
                      "the model is not compiled with an optimizer that this build knows");
    }

done:
    return st;
}

static krt_status no_config(const conversion *c)
{
    return krti_fail(c->k, KRT_E_FORMAT, NULL,
                     "No model config found in the file at %s. Give the architecture with --config "
                     "model.json",
                     c->config != NULL ? c->args->config : c->in);
}

/* The compile settings of the file with the weights, for an architecture that comes from a file
 * without any: the optimizer's variables would be of no use else. */
static krt_status take_settings(conversion *c, krti_arena *arena, krti_conf *config)
{
    const krti_conf *theirs = krti_conf_get(c->f->config, "compile_config");
    krti_conf *settings = NULL;
    krt_model *m = NULL;
    krt_status st = KRT_OK;

    if (c->config == NULL || !c->f->is_compiled ||
        krti_conf_num(krti_conf_get(config, "compile_config")) > 0)
        return KRT_OK;
    if (c->f->training != NULL) {
        TRY(model_of(c, &m));
        TRY(krti_compile_config_now(m, arena, &settings));
    } else {
        settings = krti_conf_copy(arena, theirs);
    }
    TRY(settings != NULL ? krti_conf_set(arena, config, "compile_config", settings) : KRT_E_NOMEM);

done:
    return st;
}

/* The architecture as Keras 3 has it; what Keras 3 wrote stays as it is, but for its .h5, where the
 * settings lie apart. `serialize`: one of saving/serialization.h. */
static krt_status take_config(conversion *c, krti_arena *arena, krti_conf **out,
                              krt_status (*serialize)(krti_arena *, const krt_model *,
                                                      krti_conf **))
{
    const krti_source *from = c->config != NULL ? c->config : c->f;
    krt_model *m = NULL;
    krt_status st = KRT_OK;

    if (from->config == NULL)
        return no_config(c);
    if (from->generation >= 3 && from->kind != KRT_FILE_LEGACY_H5) {
        *out = krti_conf_copy(arena, from->config);
        st = *out != NULL ? KRT_OK : KRT_E_NOMEM;
    } else if (c->f->has_weights) {
        TRY(c->f->store != NULL ? model_of(c, &m) : load_once(c));
        TRY(serialize(arena, c->m, out));
    } else {
        TRY(krti_load_build(c->k, &c->m, from));
        TRY(serialize(arena, c->m, out));
    }
    if (st == KRT_OK)
        TRY(take_settings(c, arena, *out));
    if (st == KRT_OK && !c->args->include_optimizer)
        krti_conf_remove(*out, "compile_config");

done:
    return st;
}

/* ------------------------------------------------------------------------------- Keras 3 */

/* The same as text. */
static krt_status write_config(conversion *c, krti_str *text)
{
    krti_arena arena = KRTI_ARENA_INIT(c->k);
    krti_conf *config = NULL;
    krt_status st = take_config(c, &arena, &config, krti_serialize_portable);

    if (st == KRT_OK)
        st = krti_json_write(text, config, -1);
    krti_arena_free(&arena);
    return st;
}

/* Vocabularies go with the architecture, and may lie in either file. */
static krt_status take_assets(conversion *c, krti_asset **assets, size_t *n)
{
    krt_status st = c->config != NULL ? krti_source_assets(c->config, assets, n) : KRT_OK;

    if (st == KRT_OK && *n == 0)
        st = krti_source_assets(c->f, assets, n);
    return st;
}

static krt_status write_keras_as(conversion *c, bool zipped)
{
    krti_str config = KRTI_STR_INIT(c->k);
    krti_save_list *l = NULL;
    krti_asset *assets = NULL;
    size_t num_assets = 0;
    krt_status st = KRT_OK;

    TRY(write_config(c, &config));
    TRY(check_fit(c));
    TRY(list_weights(c, &l));
    TRY(take_assets(c, &assets, &num_assets));
    const krti_keras_parts parts = {.config = &config,
                                    .assets = assets,
                                    .num_assets = num_assets,
                                    .trains_as =
                                        c->m != NULL ? c->m->base.trains_as : c->f->trains_as};
    TRY(krti_write_keras(l, &parts, c->out, zipped, &c->options));

done:
    krti_assets_free(c->k, assets, num_assets);
    krti_save_list_free(l);
    krti_str_free(&config);
    return st;
}

static krt_status write_keras(conversion *c)
{
    return write_keras_as(c, true);
}

static krt_status write_directory(conversion *c)
{
    return write_keras_as(c, false);
}

static krt_status write_weights_h5(conversion *c)
{
    krti_save_list *l = NULL;
    krt_status st = list_weights(c, &l);

    if (st == KRT_OK)
        st = krti_write_weights_h5(l, c->out, &c->options);
    krti_save_list_free(l);
    return st;
}

static krt_status write_sharded(conversion *c)
{
    const double limit = c->args->max_shard_size > 0 ? c->args->max_shard_size : 5;
    krti_save_list *l = NULL;
    krt_status st = list_weights(c, &l);

    if (st == KRT_OK && c->args->incremental)
        st = krti_write_incremental(l, c->out, limit * GB, &c->options, NULL);
    else if (st == KRT_OK)
        st = krti_write_sharded(l, c->out, limit * GB, &c->options);
    krti_save_list_free(l);
    return st;
}

/* In tf.keras's words; what it wrote itself stays as it is. */
static krt_status take_keras2_config(conversion *c, krti_arena *arena, krti_conf **out)
{
    const krti_source *from = c->config != NULL ? c->config : c->f;
    krt_status st = KRT_OK;

    if (from->config == NULL)
        return no_config(c);
    if (from->generation == 2) {
        *out = krti_conf_copy(arena, from->config);
        return *out != NULL ? KRT_OK : KRT_E_NOMEM;
    }
    TRY(krti_load_build(c->k, &c->m, from));
    TRY(krti_serialize_keras2(arena, c->m, out));

done:
    return st;
}

static krt_status write_json(conversion *c)
{
    krti_arena arena = KRTI_ARENA_INIT(c->k);
    krti_str text = KRTI_STR_INIT(c->k);
    krti_conf *config = NULL;
    krt_status st = c->args->for_keras == 2 ? take_keras2_config(c, &arena, &config)
                                            : take_config(c, &arena, &config, krti_serialize_model);

    if (st == KRT_OK)
        st = krti_json_write(&text, config, -1);
    if (st == KRT_OK)
        st = krt_write_file(c->k, c->out, text.ptr, text.length);
    krti_str_free(&text);
    krti_arena_free(&arena);
    return st;
}

/* ------------------------------------------------------------------------------- TensorFlow */

/* The file's optimizer with its state, where this build knows it; else that it stays behind is said. */
static krt_status make_optimizer(conversion *c, krt_model *m)
{
    krti_optimizer *o = NULL;
    krt_status st = KRT_OK;

    if (!c->args->include_optimizer || !has_optimizer(c->f->store))
        return KRT_OK;
    st = krti_model_optimizer(m, &o);
    if (st == KRT_OK && o != NULL && !o->is_built)
        st = krti_optimizer_build(o, m);
    if (st == KRT_E_NOMEM || (st == KRT_OK && o != NULL))
        return st;
    krti_warn(c->k, "the optimizer's state is not in %s: %s", c->out,
              st == KRT_OK ? "the model is not compiled" : c->k->error.message);
    return KRT_OK;
}

static krt_status write_checkpoint(conversion *c)
{
    const krti_checkpoint_options options = {.sync = c->options.sync,
                                             .include_optimizer = c->args->include_optimizer};
    const bool has_graph = c->f->store->checkpoint != NULL && c->args->include_optimizer;
    krti_named_list l;
    krt_model *m = NULL;
    krt_status st = KRT_OK;

    krti_named_list_init(&l, c->k);
    if (has_graph && c->config == NULL) {
        TRY(krti_named_list_add_store(&l, c->f->store, true));
    } else {
        TRY(model_of(c, &m));
        TRY(make_optimizer(c, m));
        TRY(krti_named_list_add_checkpoint(&l, m, &options));
    }
    TRY(krti_tf_checkpoint_write(&l, c->out, &options));

done:
    krti_named_list_free(&l);
    return st;
}

/* ------------------------------------------------------------------------------- by name */

/* By the names of variables where there is an architecture; else by those the file has. */
static krt_status list_names(conversion *c, krti_named_list *l)
{
    krt_model *m = NULL;
    krt_status st = KRT_OK;

    if (config_of(c) == NULL)
        return krti_named_list_add_store(l, c->f->store, false);
    st = load_once(c);
    if (st == KRT_OK && lacks_names(c->m))
        return krti_named_list_add_store(l, c->f->store, false);
    if (st == KRT_OK)
        st = model_of(c, &m);
    return st == KRT_OK ? krti_named_list_add_model(l, m) : st;
}

static krt_status write_named(conversion *c,
                              krt_status (*write)(const krti_named_list *, const char *, bool))
{
    krti_named_list l;
    krt_status st = KRT_OK;

    krti_named_list_init(&l, c->k);
    st = list_names(c, &l);
    if (st == KRT_OK)
        st = write(&l, c->out, c->options.sync);
    if (st == KRT_OK && has_optimizer(c->f->store) && c->args->include_optimizer)
        krti_warn(c->k, "the optimizer's state is not in %s, which holds weights alone", c->out);
    krti_named_list_free(&l);
    return st;
}

static krt_status write_npz(conversion *c)
{
    return write_named(c, krti_npz_write_list);
}

static krt_status write_safetensors(conversion *c)
{
    return write_named(c, krti_safetensors_write);
}

/* ------------------------------------------------------------------------------- Keras 2 */

static krt_status write_legacy(conversion *c, bool weights_only)
{
    const krti_legacy_h5_options options = {.for_keras = c->args->for_keras,
                                            .weights_only = weights_only,
                                            .include_optimizer = c->args->include_optimizer &&
                                                                 has_optimizer(c->f->store),
                                            .sync = c->options.sync,
                                            .digest = c->options.digest};
    krt_model *m = NULL;
    krt_status st = KRT_OK;

    if (config_of(c) == NULL)
        return no_config(c);
    st = model_of(c, &m);
    if (st == KRT_OK && options.include_optimizer && !weights_only)
        st = make_optimizer(c, m);
    return st == KRT_OK ? krti_write_legacy_h5(m, c->out, &options) : st;
}

static krt_status write_h5(conversion *c)
{
    return write_legacy(c, false);
}

static krt_status write_legacy_weights(conversion *c)
{
    return write_legacy(c, true);
}

/* ------------------------------------------------------------------------------- choosing */

static const struct {
    const char *name, *ending;
    krt_status (*write)(conversion *c);
    bool needs_weights, keeps_digests, is_of_keras3; /* the last: no other Keras reads it */
} forms[] = {
    {"keras", ".keras", write_keras, true, true, true},
    {"keras-dir", NULL, write_directory, true, true, true},
    {"weights.h5", ".weights.h5", write_weights_h5, true, true, true},
    {"weights.json", ".weights.json", write_sharded, true, true, true},
    {"h5", ".h5", write_h5, true, true, false},
    {"h5", ".hdf5", write_h5, true, true, false},
    {"legacy-weights.h5", "_weights.h5", write_legacy_weights, true, true, false},
    {"json", ".json", write_json, false, false, false},
    {"tf-checkpoint", ".ckpt", write_checkpoint, true, false, false},
    {"safetensors", ".safetensors", write_safetensors, true, false, false},
    {"npz", ".npz", write_npz, true, false, false},
};

static const char NAMES[] = "keras, keras-dir, h5, weights.h5, legacy-weights.h5, weights.json, "
                            "tf-checkpoint, json, safetensors, npz";

static krt_status choose_form(const conversion *c, size_t *form)
{
    const char *to = c->args->to;
    size_t longest = 0;

    *form = KRTI_COUNT(forms);
    for (size_t i = 0; i < KRTI_COUNT(forms); i++) {
        const char *ending = forms[i].ending;

        if (to != NULL
                ? strcmp(to, forms[i].name) != 0
                : ending == NULL || !krti_ends_with(c->out, ending) || strlen(ending) <= longest)
            continue;
        *form = i;
        longest = ending != NULL ? strlen(ending) : 0;
        if (to != NULL)
            break;
    }
    if (*form == KRTI_COUNT(forms) && to != NULL)
        return krti_fail(c->k, KRT_E_INVALID, NULL, "\"%s\" is no format; expected one of %s", to,
                         NAMES);
    if (*form == KRTI_COUNT(forms))
        return krti_fail(c->k, KRT_E_INVALID, NULL,
                         "the ending of %s names no format; give one with --to: %s", c->out, NAMES);
    if (to == NULL && c->args->max_shard_size > 0 && forms[*form].write == write_weights_h5)
        (*form)++;
    if (c->args->max_shard_size > 0 && forms[*form].write != write_sharded)
        return krti_fail(c->k, KRT_E_INVALID, NULL,
                         "max_shard_size is %g, but %s is written as one shard; shards are for "
                         ".weights.json",
                         c->args->max_shard_size, krti_path_name(c->out));
    if (c->args->for_keras == 2 && forms[*form].is_of_keras3)
        return krti_fail(c->k, KRT_E_INVALID, NULL,
                         "%s is a form of Keras 3, which Keras 2 does not read; write h5, "
                         "legacy-weights.h5, tf-checkpoint or json for it",
                         forms[*form].name);
    if (c->args->incremental && forms[*form].write != write_sharded)
        return krti_fail(c->k, KRT_E_INVALID, NULL,
                         "incremental is for sharded weights (weights.json), not %s",
                         forms[*form].name);
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- all */

static krt_status may_write(const conversion *c, bool *go)
{
    krti_str index = KRTI_STR_INIT(c->k); /* of a checkpoint, which is a prefix */
    const krt_status st = krti_str_addf(&index, "%s.index", c->out);
    const bool is_there = krti_path_kind_of(c->out) != KRTI_PATH_NONE ||
                          (st == KRT_OK && krti_path_kind_of(index.ptr) != KRTI_PATH_NONE);

    krti_str_free(&index);
    *go = true;
    if (st != KRT_OK || c->args->overwrite || c->args->incremental || !is_there)
        return st;
    if (c->args->ask == NULL)
        return krti_fail_in_file(
            c->k,
            krti_fail(c->k, KRT_E_EXISTS, NULL, "already exists; give --overwrite to replace it"),
            c->out);
    *go = c->args->ask(c->args->ask_user, c->out);
    return KRT_OK;
}

static int64_t num_bytes(const krti_store *s)
{
    int64_t n = 0;

    for (size_t i = 0; i < s->num_arrays; i++)
        n += (int64_t)s->arrays[i].size_bytes;
    return n;
}

static krt_status open_files(conversion *c, bool needs_weights)
{
    krt_status st = KRT_OK;

    TRY(krti_source_open(c->k, &c->f, c->in));
    if (c->args->config != NULL)
        TRY(krti_source_open(c->k, &c->config, c->args->config));
    if (!needs_weights)
        goto done;
    if (c->f->kind == KRT_FILE_CONFIG_JSON)
        TRY(krti_fail(
            c->k, KRT_E_FORMAT, NULL,
            "%s holds an architecture only. Convert the weights, and give it along: keratin "
            "convert WEIGHTS %s --config %s",
            c->f->name, krti_path_name(c->out), c->f->name));
    TRY(krti_source_list(c->f, true));
    c->f->store->progress = (krti_progress){
        .call = c->args->progress, .user = c->args->progress_user, .total = num_bytes(c->f->store)};

done:
    return st;
}

krt_status krt_convert(krt_ctx *k, const char *in_filepath, const char *out_filepath,
                       const krt_convert_args *args)
{
    krt_convert_args a;
    conversion c = {.k = k, .args = &a, .in = in_filepath, .out = out_filepath};
    krti_str name = KRTI_STR_INIT(k);
    size_t form = 0;
    bool go = false;
    krt_status st = KRT_OK;

    TRY(krti_args_import(k, &a, KRT_CONVERT(), sizeof a, args));
    TRY(choose_form(&c, &form));
    TRY(krti_digest_choose(k, &a.digest, forms[form].keeps_digests ? NULL : forms[form].name));
    c.options = (krti_write_options){.sync = a.sync, .digest = a.digest};
    if (a.to == NULL && forms[form].write == write_sharded) {
        TRY(krti_sharded_name(k, out_filepath, &name));
        c.out = name.ptr;
    }
    if (forms[form].write != write_directory && krti_path_kind_of(c.out) == KRTI_PATH_DIR)
        TRY(krti_fail_in_file(k, krti_refuse_directory(k), c.out));
    TRY(may_write(&c, &go));
    if (!go)
        goto done;
    TRY(open_files(&c, forms[form].needs_weights));
    st = forms[form].write(&c);
    if (st != KRT_OK)
        krti_fail_in_file(k, st, in_filepath);

done:
    krt_model_free(c.m);
    krti_source_close(c.f);
    krti_source_close(c.config);
    krti_str_free(&name);
    return st;
}
