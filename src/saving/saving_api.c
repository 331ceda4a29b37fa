/* Loading: krt_load() and its kin. Keras: saving/saving_api.py, Model.load_weights.
 *
 * A load has three parts that may come from three files: an architecture, weights, and the pairing
 * of the two. Nothing of the model is touched before the pairing is complete. */
#include "saving/load.h"

#include "saving/assets.h"
#include "saving/legacy_h5_format.h"
#include "saving/legacy_optimizer.h"
#include "saving/legacy_settings.h"
#include "saving/named_arrays.h"
#include "saving/optimizer_state.h"
#include "saving/saving_lib.h"
#include "saving/tf_checkpoint.h"
#include "saving/walk.h"

#include "base/number.h"
#include "formats/json.h"
#include "models/rename.h"
#include "models/summary.h"
#include "training/optimizer.h"

/* ------------------------------------------------------------------------------- weights */

static krt_status match_once(krti_match *m, const krti_source *f, bool counts_visited)
{
    const bool is_theano = f->backend != NULL && strcmp(f->backend, "theano") == 0;
    krt_status st = KRT_OK;

    if (m->store->has_paths)
        st = krti_named_match(m);
    else if (m->store->checkpoint != NULL)
        st = krti_tf_checkpoint_match(m);
    else if (m->store->is_legacy)
        st = krti_legacy_h5_match(m, f->generation, is_theano, f->config == NULL);
    else
        st = krti_saving_lib_match(m, counts_visited);
    return st == KRT_OK ? krti_match_finish(m) : st;
}

/* Pairs in the way of Keras 3 and, where that fails and the file does not say who wrote it, in the
 * way of Keras 2.13 to 2.15. The first failure is the one that is told. */
krt_status krti_load_match_by(krti_match *m, krt_model *model, const krti_source *f,
                              const krti_match_rules *rules)
{
    const bool is_keras3 = f->generation >= 3;
    krti_match other;
    krt_status st = krti_match_init(m, model, f->store);

    m->rules = *rules;
    if (st == KRT_OK)
        st = match_once(m, f, is_keras3);
    if (st != KRT_E_MISMATCH || f->kind != KRT_FILE_WEIGHTS_H5)
        return st;
    st = krti_match_init(&other, model, f->store);
    other.rules = *rules;
    if (st == KRT_OK)
        st = match_once(&other, f, !is_keras3);
    if (st == KRT_OK) {
        krti_match_fini(m);
        *m = other;
        return KRT_OK;
    }
    krti_match_fini(&other);
    return krti_match_verdict(m);
}

krt_status krti_load_match(krti_match *m, krt_model *model, const krti_source *f)
{
    const krti_match_rules none = {0};

    return krti_load_match_by(m, model, f, &none);
}

static const krti_match_rules everything = {0};

/* The file is not to be needed any more: what waits there for an optimizer is read now, unless this build
 * has no such optimizer. */
static krt_status read_waiting(krt_model *m)
{
    krti_optimizer *o = NULL;
    const krt_status st = m->saved != NULL ? krti_model_optimizer(m, &o) : KRT_OK;

    return st == KRT_E_UNKNOWN_CLASS || st == KRT_E_INVALID || st == KRT_E_UNSUPPORTED ? KRT_OK
                                                                                       : st;
}

static krt_status list(krti_source *f, bool copy)
{
    const krt_status st = krti_source_list(f, true);

    if (st == KRT_OK)
        f->store->copies = copy;
    return st;
}

/* The weights of a listed file. `whole`: the model of this very file, whose optimizer goes with it. */
static krt_status fill(krt_model *model, krti_source *f, krt_report **report, bool whole,
                       const krti_match_rules *rules)
{
    krti_match m = {.k = f->k};
    krt_report *r = NULL;
    krt_status st = krti_load_match_by(&m, model, f, rules);

    r = m.report;
    if (report != NULL && (st == KRT_OK || st == KRT_E_MISMATCH)) {
        *report = m.report;
        m.report = NULL;
    }
    if (st == KRT_OK)
        TRY(krti_match_commit(&m));
    if (st == KRT_OK && whole && f->store->is_legacy)
        TRY(krti_legacy_optimizer_fill(model, f->store, r));
    if (st == KRT_OK)
        TRY(krti_load_optimizer_state(model, f));
    if (st == KRT_OK && f->store->copies)
        TRY(read_waiting(model));

done:
    krti_store_forget(f->store);
    krti_match_fini(&m);
    return f->filepath != NULL ? krti_fail_in_file(f->k, st, f->filepath) : st;
}

/* ------------------------------------------------------------------------------- architecture */

/* Keras's sentence about a file without an architecture, then what the file is. */
static krt_status no_config(krti_source *f)
{
    char writer[64], size[32];
    size_t layers = 0;
    const krt_status st = krti_source_list(f, false);

    if (st != KRT_OK)
        return st;
    for (size_t i = 0; i < f->store->num_objects; i++)
        layers += f->store->objects[i].role == KRTI_ROLE_WEIGHT && f->store->objects[i].num > 0;
    return krti_fail(f->k, KRT_E_FORMAT, NULL,
                     "No model config found in the file at %s (Keras 2: No model found in config "
                     "file). %s holds weights only (%zu layer%s, "
                     "%s, %s). Give the architecture with --config model.json, or see the "
                     "weights with: keratin weights %s",
                     f->filepath != NULL ? f->filepath : f->name, f->name, layers,
                     layers == 1 ? "" : "s", krti_print_bytes(size, (uint64_t)f->size_bytes),
                     krti_source_writer(f, writer), f->name);
}

krt_status krti_load_build(krt_ctx *k, krt_model **out, const krti_source *f)
{
    krt_status st = krti_models_register(k);

    if (st != KRT_OK)
        return st;
    k->file_generation = f->generation;
    k->file_trains_as = f->trains_as;
    st = krti_model_from_conf(k, out, f->config);
    k->file_generation = k->file_trains_as = 0;
    return f->filepath != NULL ? krti_fail_in_file(k, st, f->filepath) : st;
}

/* What Keras 2 wrote in the spelling of Keras 3. */
static krt_status take_legacy_settings(krt_model *m, const krti_conf *given, int generation)
{
    krti_arena arena = KRTI_ARENA_INIT(m->base.owned.k);
    const char **outputs = krti_arena_array(&arena, m->num_outputs + 1, sizeof *outputs);
    krti_conf *settings = NULL;
    krt_status st = outputs != NULL ? KRT_OK : KRT_E_NOMEM;

    for (size_t i = 0; st == KRT_OK && i < m->num_outputs; i++)
        outputs[i] = m->nodes[m->outputs[i].node].layer->name;
    if (st == KRT_OK)
        st = krti_legacy_settings(&arena, given, generation, outputs, m->num_outputs, &settings);
    if (st == KRT_OK)
        st = krti_set_compile_config(m, settings);
    krti_arena_free(&arena);
    return st;
}

/* Keras forgets a model's optimizer when it writes an .h5: a `.keras` of the same process then has settings
 * that say nothing of one, and what reads them compiles with the default. */
static krt_status take_default_optimizer(krt_model *m)
{
    krti_arena arena = KRTI_ARENA_INIT(m->base.owned.k);
    krti_conf *settings = krti_conf_copy(&arena, krti_compile_config(m));
    krt_status st = settings != NULL ? KRT_OK : KRT_E_NOMEM;

    if (st == KRT_OK)
        st = krti_conf_set(&arena, settings, "optimizer", krti_conf_string(&arena, "rmsprop"));
    if (st == KRT_OK)
        st = krti_set_compile_config(m, settings);
    krti_arena_free(&arena);
    return st;
}

/* The compile settings: beside the architecture in an .h5 file, in it elsewhere. */
static krt_status take_settings(krt_model *m, const krti_source *f, bool compile)
{
    const krti_conf *const inside = krti_conf_get(f->config, "compile_config");
    krti_arena arena = KRTI_ARENA_INIT(f->k);
    const krti_conf *training = NULL;
    krt_status st = KRT_OK;

    if (!compile)
        return krti_set_compile_config(m, NULL);
    if (f->training == NULL && f->generation == 2 && krti_conf_num(inside) > 0)
        return take_legacy_settings(m, inside, f->generation);
    if (f->training == NULL)
        return krti_conf_num(inside) > 0 && krti_conf_get(inside, "optimizer") == NULL
                   ? take_default_optimizer(m)
                   : KRT_OK;
    st = krti_json_parse(&arena, &training, f->training, strlen(f->training));
    st = st == KRT_OK ? take_legacy_settings(m, training, f->generation)
                      : krti_fail_in_object(f->k, st, "training_config");
    krti_arena_free(&arena);
    return st;
}

/* The settings of the file with the weights, for an architecture without any. */
static krt_status take_settings_beside(krt_model *m, const krti_source *f)
{
    const krti_conf *settings = krti_conf_get(f->config, "compile_config");

    if (krti_conf_num(settings) > 0 && f->generation != 2)
        return krti_set_compile_config(m, settings);
    return take_settings(m, f, true);
}

/* Keras builds the optimizer of what it loads; from an .h5 for no variable, and without a state there not
 * at all. */
static krt_status note_trained(krt_model *m, const krti_source *settings)
{
    krt_status st = KRT_OK;

    if (krti_compile_config(m) == NULL || !krti_model_is_whole(m))
        return KRT_OK;
    st = krti_note_trained(m);
    if (settings->training != NULL)
        m->trained.in_keras = settings->has_keras_optimizer ? KRTI_BUILT_FOR_NONE : KRTI_UNBUILT;
    return st;
}

/* ------------------------------------------------------------------------------- load */

/* The files of one load. The first may stand for both others. */
typedef struct loading {
    krti_source *file, *config, *weights;
} loading;

static void loading_close(loading *l)
{
    krti_source_close(l->file);
    krti_source_close(l->config);
    krti_source_close(l->weights);
}

static krt_status load_from(krt_ctx *k, krt_model **out, loading *l, const krt_load_args *a)
{
    krti_source *architecture = NULL, *weights = NULL, *settings = NULL;
    krt_model *m = NULL;
    krt_status st = KRT_OK;

    if (a->config != NULL)
        TRY(krti_source_open(k, &l->config, a->config));
    if (a->weights != NULL && !a->config_only)
        TRY(krti_source_open(k, &l->weights, a->weights));
    architecture = l->config != NULL ? l->config : l->file;
    weights = l->weights != NULL ? l->weights : l->file;
    if (architecture->config == NULL)
        TRY(no_config(architecture));
    if (a->verify && !a->config_only)
        TRY(krti_source_verify(weights));
    TRY(krti_load_build(k, &m, architecture));
    TRY(take_settings(m, architecture, a->compile));
    settings = architecture;
    if (a->compile && weights == l->file && weights != architecture &&
        krti_compile_config(m) == NULL) {
        TRY(take_settings_beside(m, weights));
        settings = weights;
    }
    TRY(note_trained(m, settings));
    if (!a->config_only)
        TRY(list(weights, a->copy));
    if (!a->config_only)
        TRY(fill(m, weights, a->report, a->compile && weights == l->file, &everything));
    TRY(krti_assets_load(m, architecture));
    *out = m;
    m = NULL;

done:
    krt_model_free(m);
    return st;
}

krt_status krti_load_open(krt_ctx *k, krt_model **out, krti_source *file, krti_source *config)
{
    loading l = {.file = file, .config = config};
    const krt_status st = load_from(k, out, &l, KRT_LOAD());

    return st == KRT_OK ? st : krti_fail_in_file(k, st, file->filepath);
}

static krt_status import_load_args(krt_ctx *k, krt_load_args *a, const krt_load_args *args)
{
    const krt_status st = krti_args_import(k, a, KRT_LOAD(), sizeof *a, args);

    if (st == KRT_OK && a->report != NULL)
        *a->report = NULL;
    return st;
}

krt_status krt_load(krt_ctx *k, krt_model **out, const char *filepath, const krt_load_args *args)
{
    krt_load_args a;
    loading l = {0};
    krt_status st = KRT_OK;

    *out = NULL;
    TRY(import_load_args(k, &a, args));
    TRY(krti_source_open(k, &l.file, filepath));
    TRY(load_from(k, out, &l, &a));

done:
    loading_close(&l);
    return st == KRT_OK ? st : krti_fail_in_file(k, st, filepath);
}

krt_status krt_load_memory(krt_ctx *k, krt_model **out, const void *data, size_t size,
                           const krt_load_args *args)
{
    krt_load_args a;
    loading l = {0};
    krt_status st = KRT_OK;

    *out = NULL;
    TRY(import_load_args(k, &a, args));
    TRY(krti_source_wrap(k, &l.file, data, size));
    TRY(load_from(k, out, &l, &a));

done:
    loading_close(&l);
    return st;
}

krt_status krt_from_json(krt_ctx *k, krt_model **out, const char *json, const krt_load_args *args)
{
    krt_load_args a;
    loading l = {0};
    krt_status st = KRT_OK;

    *out = NULL;
    TRY(import_load_args(k, &a, args));
    a.config = NULL; /* the text is it */
    a.config_only = a.config_only || a.weights == NULL;
    TRY(krti_source_wrap(k, &l.file, json, strlen(json)));
    TRY(load_from(k, out, &l, &a));

done:
    loading_close(&l);
    return st;
}

/* ------------------------------------------------------------------------------- load_weights */

static bool has_layer(const krt_layer *l, const char *name)
{
    bool found = strcmp(l->name, name) == 0;

    for (size_t i = 0; !found && i < l->num_inner; i++)
        found = has_layer(l->inner[i].layer, name);
    return found;
}

/* A name that is no layer's is a slip of the pen, not a wish. */
static krt_status check_skipped(const krt_model *m, const krt_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        if (!has_layer(&m->base, names->items[i]))
            return krti_fail(m->base.owned.k, KRT_E_INVALID, NULL,
                             "objects_to_skip names \"%s\", which is no layer of the model",
                             names->items[i]);
    return KRT_OK;
}

static krt_status load_weights(krt_model *m, const char *filepath,
                               const krt_load_weights_args *args, bool checkpoints_only)
{
    krt_ctx *k = m->base.owned.k;
    krt_load_weights_args a;
    krti_source *f = NULL;
    krt_status st = KRT_OK;

    TRY(krti_args_import(k, &a, KRT_LOAD_WEIGHTS(), sizeof a, args));
    if (a.report != NULL)
        *a.report = NULL;
    if (m->failed != KRT_OK)
        TRY(m->failed);
    if (m->cannot_run == NULL && krti_walk_is_unbuilt(&m->base))
        TRY(krti_fail(
            k, KRT_E_STATE, m->base.name,
            "You are loading weights into a model that has not yet been built. Give it an "
            "input first: krt_add_input()"));
    TRY(krti_source_open(k, &f, filepath));
    TRY(krti_source_check_weights(f));
    if (checkpoints_only && f->prefix == NULL)
        TRY(krti_fail(k, KRT_E_FORMAT, NULL,
                      "%s is no TensorFlow checkpoint; load it with krt_load_weights()", f->name));
    if (a.by_name && f->kind != KRT_FILE_LEGACY_H5 && f->kind != KRT_FILE_LEGACY_WEIGHTS_H5)
        TRY(krti_fail(k, KRT_E_INVALID, NULL,
                      "`by_name` only supports loading legacy '.h5' or '.hdf5' files. Received: %s",
                      filepath));
    krti_source_forget_config(f);
    TRY(check_skipped(m, &a.objects_to_skip));
    TRY(krti_rename_check(k, &a.rename));
    if (a.verify)
        TRY(krti_source_verify(f));
    TRY(list(f, a.copy));
    if (a.rename.n > 0 && f->store->checkpoint != NULL && !f->store->has_paths)
        TRY(krti_fail(k, KRT_E_INVALID, NULL,
                      "%s is a TensorFlow checkpoint whose graph says which weight is which; rules "
                      "for names change nothing there",
                      f->name));
    if (a.rename.n > 0)
        TRY(krti_store_rename(f->store, &a.rename));
    TRY(fill(m, f, a.report, false,
             &(krti_match_rules){a.by_name || (a.rename.n > 0 && f->store->is_legacy),
                                 a.skip_mismatch, a.objects_to_skip}));

done:
    krti_source_close(f);
    return st == KRT_OK ? st : krti_fail_in_file(k, st, filepath);
}

krt_status krt_load_weights(krt_model *m, const char *filepath, const krt_load_weights_args *args)
{
    return load_weights(m, filepath, args, false);
}

krt_status krt_load_checkpoint(krt_model *m, const char *prefix, const krt_load_weights_args *args)
{
    return load_weights(m, prefix, args, true);
}
