/* Opening: from bytes to a kind, an architecture and the place of the weights. See source.h; what
 * weights there are is source_list.c. */
#include "saving/source.h"

#include "saving/cut.h"

#include "formats/json.h"
#include "formats/zip.h"
#include "saving/tf_checkpoint.h"

enum { TRIES = 100 }; /* until nothing is replaced in the midst of opening it */

void krti_source_close(krti_source *f)
{
    if (f == NULL)
        return;
    krti_store_free(f->store);
    krti_zip_close(f->zip);
    krti_bytes_drop(f->bytes);
    krti_arena_free(&f->arena);
    krti_arena_free(&f->tree);
    krti_free(f->k, f);
}

static krt_status source_new(krt_ctx *k, krti_source **out, const char *filepath)
{
    krti_source *f = krti_alloc(k, sizeof *f);
    size_t n = filepath != NULL ? strlen(filepath) : 0;

    *out = f;
    if (f == NULL)
        return KRT_E_NOMEM;
    f->k = k;
    f->arena = (krti_arena)KRTI_ARENA_INIT(k);
    f->tree = (krti_arena)KRTI_ARENA_INIT(k);
    while (n > 1 && filepath[n - 1] == '/')
        n--;
    if (filepath != NULL && (f->filepath = krti_arena_strndup(&f->arena, filepath, n)) == NULL)
        return KRT_E_NOMEM;
    f->name = krti_file_name(f->filepath);
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- versions */

/* The generation that a version string begins with; `fallback` when it says nothing. */
static int generation_of(const char *version, int fallback)
{
    if (version == NULL || version[0] < '0' || version[0] > '9')
        return fallback;
    return version[0] <= '3' ? version[0] - '0' : 3;
}

/* Keras 3 writes the module of every object, Keras 2 only inside its .keras files. */
static int generation_of_config(const krti_conf *config)
{
    const char *module = krti_conf_get_text(config, "module");

    return module != NULL && !krti_starts_with(module, "tf_keras") ? 3 : 2;
}

static void take_ways(krti_source *f, int64_t generation)
{
    if (generation >= 1 && generation <= 3)
        f->trains_as = (int)generation;
}

const char *krti_source_writer(const krti_source *f, char buffer[64])
{
    if (f->keras_version != NULL)
        snprintf(buffer, 64, "%sKeras %.40s", krti_ends_with(f->keras_version, "-tf") ? "tf." : "",
                 f->keras_version);
    else if (f->prefix != NULL)
        snprintf(buffer, 64, "TensorFlow");
    else if (f->kind == KRT_FILE_SAFETENSORS || f->kind == KRT_FILE_NPZ)
        snprintf(buffer, 64, "arrays by name");
    else
        snprintf(buffer, 64, "Keras %d", f->generation);
    return buffer;
}

/* ------------------------------------------------------------------------------- architecture */

/* Keras's own get_config() without the class around it, which people save as JSON: a Sequential of
 * Keras before 2.2.3 is a list, a model a dict with layers. */
static krt_status wrap_bare_config(krti_source *f, const krti_conf *c, const krti_conf **out)
{
    krti_conf *object = krti_conf_dict(&f->arena);
    const bool is_functional = krti_conf_get(c, "input_layers") != NULL;
    krt_status st = KRT_OK;

    if (object == NULL)
        return KRT_E_NOMEM;
    TRY(krti_conf_set(&f->arena, object, "class_name",
                      krti_conf_string(&f->arena, is_functional ? "Functional" : "Sequential")));
    TRY(krti_conf_set(&f->arena, object, "config", (krti_conf *)(uintptr_t)c));
    *out = object;

done:
    return st;
}

static bool is_layer_list(const krti_conf *c)
{
    return krti_conf_is(c, KRTI_CONF_LIST) && krti_conf_num(c) > 0 &&
           krti_conf_get_text(krti_conf_at(c, 0), "class_name") != NULL;
}

/* Takes the architecture from a parsed text; leaves f->config NULL when it is none. */
static krt_status take_config(krti_source *f, const krti_conf *c)
{
    if (krti_conf_get_text(c, "class_name") != NULL && krti_conf_get(c, "config") != NULL)
        f->config = c;
    else if (is_layer_list(c) || is_layer_list(krti_conf_get(c, "layers")))
        return wrap_bare_config(f, c, &f->config);
    return KRT_OK;
}

static krt_status parse_config(krti_source *f, const void *text, size_t size, const char *where)
{
    const krti_conf *c = NULL;
    krt_status st = krti_json_parse(&f->tree, &c, text, size);

    if (st != KRT_OK)
        return krti_fail_in_object(f->k, st, where);
    f->config_bytes = size;
    st = take_config(f, c);
    if (st == KRT_OK && f->config == NULL)
        return krti_fail(f->k, KRT_E_FORMAT, where,
                         "the architecture is no JSON object with class_name and config");
    return st;
}

void krti_source_forget_config(krti_source *f)
{
    if (f->tree.blocks == NULL) /* it is part of what names the weights */
        return;
    krti_arena_free(&f->tree);
    f->config = NULL;
}

/* ------------------------------------------------------------------------------- .keras */

static krt_status take_metadata(krti_source *f, const void *text, size_t size)
{
    const krti_conf *c = NULL;
    const krt_status st = krti_json_parse(&f->arena, &c, text, size);

    if (st != KRT_OK)
        return krti_fail_in_object(f->k, st, "metadata.json");
    f->keras_version = krti_conf_get_text(c, "keras_version");
    f->date_saved = krti_conf_get_text(c, "date_saved");
    take_ways(f, krti_conf_get_int(c, KRTI_TRAINS_AS, 0));
    return KRT_OK;
}

/* What both forms of a .keras file have in common, once the two texts are there. */
static krt_status take_keras_texts(krti_source *f, const krti_bytes *config,
                                   const krti_bytes *metadata)
{
    krt_status st = parse_config(f, config->data, config->size, "config.json");

    if (st == KRT_OK && metadata != NULL)
        st = take_metadata(f, metadata->data, metadata->size);
    if (st != KRT_OK)
        return st;
    f->generation = generation_of(f->keras_version, generation_of_config(f->config));
    f->is_compiled = krti_conf_num(krti_conf_get(f->config, "compile_config")) > 0;
    return KRT_OK;
}

static krt_status read_member(krti_source *f, const char *name, krti_bytes **out)
{
    const krti_zip_member *m = krti_zip_find(f->zip, name);

    return m != NULL ? krti_zip_read(f->zip, out, m, true) : KRT_OK;
}

/* What an archive without a config.json is, by its members. */
static krt_status refuse_archive(krti_source *f)
{
    const char *model = NULL;

    for (size_t i = 0; i < krti_zip_num(f->zip); i++) {
        const char *name = krti_zip_at(f->zip, i)->name;

        if (krti_ends_with(name, "/data.pkl"))
            return krti_fail(f->k, KRT_E_FORMAT, NULL,
                             "%s is a PyTorch file (a pickle, which is never executed here), "
                             "expected a Keras model or weights file",
                             f->name);
        if (krti_ends_with(name, ".h5") || krti_ends_with(name, ".hdf5") ||
            krti_ends_with(name, ".keras") || krti_ends_with(name, "saved_model.pb") ||
            krti_ends_with(name, "/config.json"))
            model = model != NULL ? model : name;
    }
    if (model != NULL)
        return krti_fail(f->k, KRT_E_FORMAT, NULL,
                         "%s is a zip archive that holds %s; unpack it first", f->name, model);
    return krti_fail(f->k, KRT_E_FORMAT, NULL,
                     "There is no item named 'config.json' in the archive: %s is a zip archive of "
                     "%zu members, not a .keras file",
                     f->name, krti_zip_num(f->zip));
}

static bool is_npz(const krti_zip *z)
{
    for (size_t i = 0; i < krti_zip_num(z); i++)
        if (!krti_ends_with(krti_zip_at(z, i)->name, ".npy"))
            return false;
    return krti_zip_num(z) > 0;
}

/* A file of named arrays, and nothing else. */
static void open_arrays(krti_source *f, krt_file_kind kind)
{
    f->kind = kind;
    f->generation = 3;
    f->has_weights = true;
}

static krt_status open_archive(krti_source *f)
{
    krti_bytes *config = NULL, *metadata = NULL;
    krt_status st = KRT_OK;

    f->kind = KRT_FILE_KERAS_ARCHIVE;
    TRY(krti_zip_open(f->k, &f->zip, f->bytes));
    if (is_npz(f->zip)) {
        open_arrays(f, KRT_FILE_NPZ);
        goto done;
    }
    if (krti_zip_find(f->zip, "config.json") == NULL)
        TRY(refuse_archive(f));
    TRY(read_member(f, "config.json", &config));
    TRY(read_member(f, "metadata.json", &metadata));
    TRY(take_keras_texts(f, config, metadata));
    f->has_weights = krti_zip_find(f->zip, KRTI_WEIGHTS_MEMBER) != NULL;

done:
    krti_bytes_drop(config);
    krti_bytes_drop(metadata);
    return st;
}

/* A file of the directory, mapped; *out stays NULL when it is absent. */
static krt_status map_in_directory(krti_source *f, const char *name, krti_bytes **out)
{
    krti_str path = KRTI_STR_INIT(f->k);
    krt_status st = krti_path_join(&path, f->filepath, name);

    if (st == KRT_OK && krti_path_kind_of(path.ptr) != KRTI_PATH_NONE)
        st = krti_bytes_map(f->k, out, path.ptr);
    if (st == KRT_OK && *out != NULL)
        f->size_bytes += (int64_t)(*out)->size;
    krti_str_free(&path);
    return st;
}

static krt_status open_directory(krti_source *f)
{
    krti_bytes *config = NULL, *metadata = NULL;
    krt_status st = KRT_OK;

    f->kind = KRT_FILE_KERAS_DIRECTORY;
    TRY(map_in_directory(f, "config.json", &config));
    TRY(map_in_directory(f, "metadata.json", &metadata));
    TRY(take_keras_texts(f, config, metadata));
    TRY(map_in_directory(f, KRTI_WEIGHTS_MEMBER, &f->bytes));
    f->has_weights = f->bytes != NULL;

done:
    krti_bytes_drop(config);
    krti_bytes_drop(metadata);
    return st;
}

/* ------------------------------------------------------------------------------- HDF5 */

static krt_status take_text(krti_source *f, krti_h5 *h5, krti_h5_object o, const char *name,
                            const char **out)
{
    char *text = NULL;
    size_t length = 0;
    bool found = false;
    krt_status st = krti_h5_attribute_text(h5, o, name, &text, &length, &found);

    if (st == KRT_OK && found && (*out = krti_arena_strndup(&f->arena, text, length)) == NULL)
        st = KRT_E_NOMEM;
    krti_free(f->k, text);
    return st;
}

/* The names at the root, for the sentence about an HDF5 file of someone else. */
static krt_status add_name(void *user, const char *name, krti_h5_object object, bool is_hard_link)
{
    krti_str *s = user;

    (void)object;
    (void)is_hard_link;
    if (s->length < 120)
        krti_str_addf(s, "%s%s", s->length > 0 ? ", " : "", name);
    return s->status;
}

static krt_status refuse_hdf5(krti_source *f, krti_h5 *h5)
{
    krti_str names = KRTI_STR_INIT(f->k);
    krt_status st = krti_h5_each(h5, krti_h5_root(h5), add_name, &names);

    if (st == KRT_OK)
        st =
            krti_fail(f->k, KRT_E_FORMAT, NULL,
                      "%s is an HDF5 file with neither Keras's attributes nor its groups; it holds "
                      "%s",
                      f->name, names.length > 0 ? names.ptr : "nothing");
    krti_str_free(&names);
    return st;
}

/* Keras 3's tree has a `vars` group at its root, or in the groups of a model's attributes. */
typedef struct vars_search {
    krti_h5 *h5;
    bool found;
} vars_search;

static krt_status look_for_vars(void *user, const char *name, krti_h5_object object,
                                bool is_hard_link)
{
    vars_search *search = user;
    krti_h5_kind kind = KRTI_H5_OTHER;
    krti_h5_object below;
    krt_status st = KRT_OK;

    if (!is_hard_link || search->found)
        return KRT_OK;
    search->found = strcmp(name, "layers") == 0 || strcmp(name, "vars") == 0 ||
                    strcmp(name, "_layer_checkpoint_dependencies") == 0;
    if (!search->found)
        st = krti_h5_kind_of(search->h5, object, &kind);
    if (st == KRT_OK && kind == KRTI_H5_GROUP)
        st = krti_h5_find(search->h5, object, "vars", &below, &search->found);
    return st;
}

static bool has_names(krti_h5 *h5, krti_h5_object o)
{
    return krti_h5_has_attribute(h5, o, "layer_names") ||
           krti_h5_has_attribute(h5, o, "layer_names0");
}

/* Whose versions count: the root's, else the weights group's, as Keras writes them. */
static krt_status take_versions(krti_source *f, krti_h5 *h5, krti_h5_object group)
{
    krt_status st = KRT_OK;

    TRY(take_text(f, h5, group, "keras_version", &f->keras_version));
    TRY(take_text(f, h5, group, "backend", &f->backend));
    TRY(take_text(f, h5, krti_h5_root(h5), "keras_version", &f->keras_version));
    TRY(take_text(f, h5, krti_h5_root(h5), "backend", &f->backend));
    f->generation =
        generation_of(f->keras_version, 1); /* Keras 1 wrote no version beside weights */

done:
    return st;
}

static krt_status open_legacy_h5(krti_source *f, krti_h5 *h5, krti_h5_object group)
{
    const krti_h5_object root = krti_h5_root(h5);
    krti_h5_object state;
    char *text = NULL;
    size_t length = 0;
    int64_t trains_as = 0;
    bool found = false;
    krt_status st = KRT_OK;

    f->kind = KRT_FILE_LEGACY_WEIGHTS_H5;
    f->has_weights = has_names(h5, group);
    TRY(take_versions(f, h5, group));
    TRY(take_text(f, h5, root, "training_config", &f->training));
    TRY(krti_h5_attribute_int(h5, root, KRTI_TRAINS_AS, &trains_as, &found));
    take_ways(f, found ? trains_as : 0);
    f->is_compiled = f->training != NULL;
    TRY(krti_h5_find(h5, root, "optimizer_weights", &state, &f->has_keras_optimizer));
    found = false;
    TRY(krti_h5_attribute_text(h5, root, "model_config", &text, &length, &found));
    if (!found)
        goto done;
    f->kind = KRT_FILE_LEGACY_H5;
    TRY(parse_config(f, text, strlen(text), "model_config"));

done:
    krti_free(f->k, text);
    return st;
}

static krt_status open_hdf5_with(krti_source *f, krti_h5 *h5)
{
    const krti_h5_object root = krti_h5_root(h5);
    krti_h5_object group = root;
    vars_search search = {.h5 = h5};
    bool has_group = false;
    krt_status st = KRT_OK;

    TRY(krti_h5_find(h5, root, "model_weights", &group, &has_group));
    f->weights_group = has_group && !has_names(h5, root) ? "model_weights" : "";
    if (f->weights_group[0] == '\0')
        group = root;
    if (has_names(h5, group) || krti_h5_has_attribute(h5, root, "model_config"))
        return open_legacy_h5(f, h5, group);
    if (krti_h5_has_attribute(h5, root, "nb_layers")) {
        f->kind = KRT_FILE_LEGACY_WEIGHTS_H5;
        f->generation = 0;
        f->has_weights = true;
        return KRT_OK;
    }
    TRY(krti_h5_each(h5, root, look_for_vars, &search));
    if (!search.found)
        return refuse_hdf5(f, h5);
    f->kind = KRT_FILE_WEIGHTS_H5;
    f->generation = 3;
    f->has_weights = true;

done:
    return st;
}

static krt_status open_hdf5(krti_source *f)
{
    krti_h5 *h5 = NULL;
    krt_status st = krti_h5_open_counted(f->k, &h5, f->bytes);

    if (st == KRT_OK)
        st = open_hdf5_with(f, h5);
    krti_h5_close(h5);
    return st;
}

/* ------------------------------------------------------------------------------- JSON */

static krt_status refuse_json(krti_source *f, const krti_conf *c)
{
    if (krti_conf_get(c, "modelTopology") != NULL || krti_conf_get(c, "weightsManifest") != NULL)
        return krti_fail(f->k, KRT_E_UNSUPPORTED, NULL,
                         "%s is a TensorFlow.js model, which is not read", f->name);
    return krti_fail(f->k, KRT_E_FORMAT, NULL,
                     "%s is JSON, but neither an architecture (class_name, config) nor a map of "
                     "sharded weights (weight_map)",
                     f->name);
}

static krt_status open_json(krti_source *f)
{
    const krti_conf *c = NULL;
    krt_status st = krti_json_parse(&f->arena, &c, f->bytes->data, f->bytes->size);

    if (st != KRT_OK)
        return st;
    if (krti_conf_get(c, "weight_map") != NULL) {
        f->kind = KRT_FILE_WEIGHTS_JSON;
        f->shards = krti_conf_get(c, "weight_map");
        f->map_file = c;
        f->generation = 3;
        f->has_weights = true;
        return KRT_OK;
    }
    f->kind = KRT_FILE_CONFIG_JSON;
    st = take_config(f, c);
    if (st == KRT_OK && f->config == NULL)
        return refuse_json(f, c);
    f->config_bytes = f->bytes->size;
    f->keras_version = krti_conf_get_text(c, "keras_version");
    f->backend = krti_conf_get_text(c, "backend");
    f->generation = generation_of(f->keras_version, generation_of_config(f->config));
    f->is_compiled = krti_conf_num(krti_conf_get(f->config, "compile_config")) > 0;
    return st;
}

/* ------------------------------------------------------------------------------- TensorFlow */

static krt_status take_prefix(krti_source *f)
{
    krti_str prefix = KRTI_STR_INIT(f->k);
    krt_status st = KRT_OK;

    if (f->filepath == NULL)
        return krti_fail(f->k, KRT_E_UNSUPPORTED, NULL,
                         "a TensorFlow checkpoint lies in several files; open it by path");
    TRY(krti_tf_checkpoint_prefix(&prefix, f->filepath));
    f->prefix = krti_arena_strndup(&f->arena, prefix.ptr, prefix.length);
    TRY(krti_str_add(&prefix, ".index"));
    f->index = krti_arena_strndup(&f->arena, prefix.ptr, prefix.length);
    if (f->prefix == NULL || f->index == NULL)
        TRY(KRT_E_NOMEM);
    f->has_weights = true;

done:
    krti_str_free(&prefix);
    return st;
}

static krt_status open_checkpoint(krti_source *f)
{
    f->kind = KRT_FILE_TF_CHECKPOINT;
    f->generation = 2;
    return take_prefix(f);
}

static krt_status open_saved_model(krti_source *f)
{
    krti_str dir = KRTI_STR_INIT(f->k), training = KRTI_STR_INIT(f->k);
    const krti_conf *c = NULL;
    krt_status st = KRT_OK;

    f->kind = KRT_FILE_SAVED_MODEL;
    f->generation = 2;
    TRY(take_prefix(f));
    if (krti_path_kind_of(f->filepath) == KRTI_PATH_DIR)
        TRY(krti_str_add(&dir, f->filepath));
    else
        TRY(krti_path_dir(&dir, f->filepath));
    TRY(krti_saved_model_config(&f->arena, dir.ptr, &c, &f->config_bytes));
    if (c == NULL)
        goto done;
    f->keras_version = krti_conf_get_text(c, "keras_version");
    f->backend = krti_conf_get_text(c, "backend");
    f->is_compiled = krti_conf_num(krti_conf_get(c, "training_config")) > 0;
    if (f->is_compiled) {
        TRY(krti_json_write(&training, krti_conf_get(c, "training_config"), -1));
        f->training = krti_arena_strndup(&f->arena, training.ptr, training.length);
        if (f->training == NULL)
            TRY(KRT_E_NOMEM);
    }
    TRY(take_config(f, c));

done:
    krti_str_free(&dir);
    krti_str_free(&training);
    return st;
}

/* ------------------------------------------------------------------------------- opening */

static krt_status open_form(krti_source *f, krti_form form)
{
    switch (form) {
    case KRTI_FORM_ZIP:
        return open_archive(f);
    case KRTI_FORM_HDF5:
        return open_hdf5(f);
    case KRTI_FORM_JSON:
        return open_json(f);
    case KRTI_FORM_KERAS_DIRECTORY:
        return open_directory(f);
    case KRTI_FORM_TF_CHECKPOINT:
        return open_checkpoint(f);
    case KRTI_FORM_SAFETENSORS:
        open_arrays(f, KRT_FILE_SAFETENSORS);
        return KRT_OK;
    default:
        return open_saved_model(f);
    }
}

static krt_status open_bytes(krti_source *f)
{
    krti_form form = KRTI_FORM_ZIP;
    krt_status st = krti_detect(f->k, &form, f->bytes, f->filepath);

    f->size_bytes = (int64_t)f->bytes->size;
    if (st == KRT_OK)
        st = open_form(f, form);
    return st;
}

/* A directory that holds a sharded set: its map is the file meant. */
static krt_status open_sharded_directory(krti_source *f)
{
    krti_str path = KRTI_STR_INIT(f->k);
    krt_status st = KRT_OK;

    TRY(krti_path_join(&path, f->filepath, "model.weights.json"));
    f->filepath = krti_arena_strdup(&f->arena, path.ptr);
    if (f->filepath == NULL)
        TRY(KRT_E_NOMEM);
    f->name = krti_file_name(f->filepath);
    f->id = krti_path_id_of(f->filepath);
    TRY(krti_bytes_map(f->k, &f->bytes, f->filepath));
    TRY(open_bytes(f));

done:
    krti_str_free(&path);
    return st;
}

static krt_status open_path(krti_source *f)
{
    krti_form form = KRTI_FORM_ZIP;
    krt_status st = KRT_OK;

    f->id = krti_path_id_of(f->filepath);
    if (krti_path_kind_of(f->filepath) == KRTI_PATH_FILE) {
        st = krti_bytes_map(f->k, &f->bytes, f->filepath);
        return st == KRT_OK ? open_bytes(f) : st;
    }
    st = krti_detect_path(f->k, &form, f->filepath);
    if (st == KRT_OK)
        st = form == KRTI_FORM_SHARDED_DIRECTORY ? open_sharded_directory(f) : open_form(f, form);
    return st;
}

/* Whether another save took the place of what names the other files (a map of shards, an index, a
 * directory) while those were opened: they may be of both saves then. */
static bool is_replaced(const krti_source *f)
{
    const char *names = f->index != NULL ? f->index : f->filepath;

    return names != NULL && !krti_path_id_equal(f->id, krti_path_id_of(names));
}

static krt_status open_once(krt_ctx *k, krti_source **out, const char *filepath)
{
    const krt_status st = source_new(k, out, filepath);

    return st == KRT_OK ? open_path(*out) : st;
}

krt_status krti_source_open(krt_ctx *k, krti_source **out, const char *filepath)
{
    krti_source *f = NULL;
    krt_status st = open_once(k, &f, filepath);

    *out = NULL;
    for (int i = 0; i < TRIES && f != NULL && f->index == NULL && is_replaced(f); i++) {
        krti_source_close(f);
        st = open_once(k, &f, filepath);
    }
    if (st != KRT_OK) {
        krti_fail_in_file(k, st, filepath);
        krti_source_close(f);
        return st;
    }
    *out = f;
    return KRT_OK;
}

krt_status krti_source_wrap(krt_ctx *k, krti_source **out, const void *data, size_t size)
{
    krti_source *f = NULL;
    krt_status st = source_new(k, &f, NULL);

    *out = NULL;
    if (st == KRT_OK)
        st = krti_bytes_wrap(k, &f->bytes, data, size);
    if (st == KRT_OK)
        st = open_bytes(f);
    if (st != KRT_OK) {
        krti_source_close(f);
        return st;
    }
    *out = f;
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- weights */

static void forget_weights(krti_source *f)
{
    krti_store_free(f->store);
    f->store = NULL;
}

/* The map of shards that took the old one's place. */
static krt_status read_map_again(krti_source *f)
{
    krt_status st = KRT_OK;

    krti_bytes_drop(f->bytes);
    f->bytes = NULL;
    f->id = krti_path_id_of(f->filepath);
    st = krti_bytes_map(f->k, &f->bytes, f->filepath);
    if (st == KRT_OK)
        st = open_bytes(f);
    if (st == KRT_OK && f->kind != KRT_FILE_WEIGHTS_JSON)
        st = krti_fail(f->k, KRT_E_FORMAT, NULL, "is no map of sharded weights any more");
    return st;
}

/* Readers never lock. A set of files is taken as it was between two looks at what names them; where
 * that is another one at the second look, all is opened again. */
static krt_status list_settled(krti_source *f, bool check)
{
    krt_status st = KRT_OK;

    for (int i = 0; st == KRT_OK && i < TRIES; i++) {
        if (f->index != NULL)
            f->id = krti_path_id_of(f->index);
        st = krti_source_list_once(f, check);
        if ((f->index == NULL && f->shards == NULL) || !is_replaced(f))
            return st;
        forget_weights(f);
        st = f->shards != NULL ? read_map_again(f) : KRT_OK;
    }
    return st != KRT_OK ? st
                        : krti_fail(f->k, KRT_E_IO, NULL,
                                    "is being replaced by one save after another; read it when "
                                    "they are done");
}

krt_status krti_source_list(krti_source *f, bool check)
{
    krt_status st = KRT_OK;

    if (f->store != NULL)
        return KRT_OK;
    st = list_settled(f, check);
    if (st != KRT_OK)
        forget_weights(f);
    return f->filepath != NULL ? krti_fail_in_file(f->k, st, f->filepath) : st;
}
