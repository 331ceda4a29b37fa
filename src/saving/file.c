/* Looking at a file without building a model: krt_file_*. See <keratin/saving.h>.
 *
 * Opening reads directories, headers and the config, a few hundred kilobytes of a file of any size,
 * and no tensor's bytes. Keras: saving/file_editor.py. */
#include "saving/file_order.h"
#include "saving/source.h"

#include "base/digest.h"
#include "formats/json.h"

struct krt_file {
    krti_owned owned;
    krti_source *source;
    krt_file_info info;
    krt_file_array *arrays; /* in the order of the model */
    size_t *indices;        /* of each in the store */
    size_t n;
};

static void file_destroy(void *self)
{
    krt_file *f = self;
    krt_ctx *k = f->owned.k;

    krti_source_close(f->source);
    krti_free(k, f->arrays);
    krti_free(k, f->indices);
    krti_free(k, f);
}

/* ------------------------------------------------------------------------------- info */

/* "Keras 3 archive (.keras)" */
static const char *format_of(const krti_source *s)
{
    static const char *const names[][4] = {
        [KRT_FILE_KERAS_ARCHIVE] = {"Keras archive (.keras)", "Keras archive (.keras)",
                                    "Keras 2 archive (.keras)", "Keras 3 archive (.keras)"},
        [KRT_FILE_KERAS_DIRECTORY] = {"Keras directory", "Keras directory",
                                      "Keras 2 directory (.keras, not zipped)",
                                      "Keras 3 directory (.keras, not zipped)"},
        [KRT_FILE_WEIGHTS_H5] = {"Keras 3 weights (.weights.h5)", "Keras 3 weights (.weights.h5)",
                                 "Keras 3 weights (.weights.h5)", "Keras 3 weights (.weights.h5)"},
        [KRT_FILE_WEIGHTS_JSON] = {"Keras 3 sharded weights", "Keras 3 sharded weights",
                                   "Keras 3 sharded weights",
                                   "Keras 3 sharded weights (.weights.json)"},
        [KRT_FILE_LEGACY_H5] = {"Keras 1 model in HDF5 (.h5)", "Keras 1 model in HDF5 (.h5)",
                                "Keras 2 model in HDF5 (.h5)",
                                "Keras 3 model in HDF5 (.h5, the legacy layout)"},
        [KRT_FILE_LEGACY_WEIGHTS_H5] = {"Keras 0 weights in HDF5", "Keras 1 weights in HDF5 (.h5)",
                                        "Keras 2 weights in HDF5 (.h5)",
                                        "Keras 3 weights in HDF5 (.h5, the legacy layout)"},
        [KRT_FILE_CONFIG_JSON] = {"Keras 1 architecture (JSON)", "Keras 1 architecture (JSON)",
                                  "Keras 2 architecture (JSON)", "Keras 3 architecture (JSON)"},
        [KRT_FILE_TF_CHECKPOINT] = {NULL, NULL, "TensorFlow checkpoint", NULL},
        [KRT_FILE_SAVED_MODEL] = {NULL, NULL, "TensorFlow SavedModel", NULL},
        [KRT_FILE_SAFETENSORS] = {NULL, NULL, NULL, "arrays by name (.safetensors)"},
        [KRT_FILE_NPZ] = {NULL, NULL, NULL, "arrays by name (.npz)"},
    };

    return names[s->kind][s->generation];
}

/* The model's name: in its config, where Keras 1 and 2 need not have written one. */
static const char *model_name(const krti_conf *config)
{
    const char *name = krti_conf_get_text(krti_conf_get(config, "config"), "name");

    return name != NULL ? name : krti_conf_get_text(config, "name");
}

static void add_up(krt_file *f)
{
    const krti_store *s = f->source->store;

    for (size_t i = 0; s != NULL && i < s->num_arrays; i++) {
        const krti_store_array *a = &s->arrays[i];
        const krti_role role = s->objects[a->object].role;

        if (role == KRTI_ROLE_OPTIMIZER)
            f->info.optimizer_bytes += (int64_t)a->size_bytes;
        if (role != KRTI_ROLE_WEIGHT)
            continue;
        f->info.weights_bytes += (int64_t)a->size_bytes;
        if (a->shape.rank >= 0)
            f->info.num_params += krt_shape_size(a->shape);
    }
}

static void take_info(krt_file *f)
{
    const krti_source *s = f->source;

    f->info = (krt_file_info){
        .struct_size = sizeof f->info,
        .kind = s->kind,
        .format = format_of(s),
        .keras_version = s->keras_version,
        .backend = s->backend,
        .date_saved = s->date_saved,
        .class_name = krti_conf_get_text(s->config, "class_name"),
        .name = model_name(s->config),
        .has_config = s->config != NULL,
        .is_compiled = s->is_compiled,
        .size_bytes = s->size_bytes,
        .config_bytes = (int64_t)s->config_bytes,
        .num_layers = s->config != NULL ? krti_config_num_layers(s->config) : KRT_NONE,
        .num_arrays = f->n,
    };
    add_up(f);
}

/* ------------------------------------------------------------------------------- arrays */

static krt_status take_arrays(krt_file *f)
{
    const krti_store *s = f->source->store;
    krt_ctx *k = f->owned.k;
    krt_status st = KRT_OK;

    f->n = s->num_arrays;
    f->arrays = krti_array(k, f->n, sizeof *f->arrays);
    f->indices = krti_array(k, f->n, sizeof *f->indices);
    if (f->arrays == NULL || f->indices == NULL)
        return KRT_E_NOMEM;
    st = krti_file_order(s, f->source->config, f->indices);
    for (size_t i = 0; st == KRT_OK && i < f->n; i++) {
        const krti_store_array *a = &s->arrays[f->indices[i]];

        f->arrays[i] = (krt_file_array){
            .struct_size = sizeof f->arrays[i],
            .path = a->entry,
            .dtype = a->dtype,
            .shape = a->shape,
            .size_bytes = (int64_t)a->size_bytes,
            .offset = a->offset,
            .file = s->files[a->file].name,
            .is_optimizer = s->objects[a->object].role == KRTI_ROLE_OPTIMIZER,
        };
    }
    return st;
}

/* ------------------------------------------------------------------------------- public */

krt_status krt_file_open(krt_ctx *k, krt_file **out, const char *filepath)
{
    krt_file *f = krti_alloc(k, sizeof *f);
    krt_status st = KRT_OK;

    *out = NULL;
    if (f == NULL)
        return KRT_E_NOMEM;
    krti_own(k, &f->owned, file_destroy);
    TRY(krti_source_open(k, &f->source, filepath));
    if (f->source->has_weights) {
        TRY(krti_source_list(f->source, false));
        TRY(take_arrays(f));
    }
    take_info(f);
    *out = f;
    f = NULL;

done:
    krt_file_close(f);
    return st == KRT_OK ? st : krti_fail_in_file(k, st, filepath);
}

void krt_file_close(krt_file *f)
{
    if (f == NULL)
        return;
    krti_disown(&f->owned);
    file_destroy(f);
}

const krt_file_info *krt_file_get_info(krt_file *f)
{
    return &f->info;
}

size_t krt_file_num_arrays(const krt_file *f)
{
    return f->n;
}

const krt_file_array *krt_file_array_at(const krt_file *f, size_t i)
{
    return i < f->n ? &f->arrays[i] : NULL;
}

krt_status krt_file_read_array(krt_file *f, size_t i, krt_tensor **out)
{
    *out = NULL;
    if (i >= f->n)
        return krti_fail(f->owned.k, KRT_E_NOT_FOUND, NULL, "array %zu of %zu", i, f->n);
    const krt_status st = krti_store_tensor(f->source->store, f->indices[i], KRT_DTYPE_NONE, out);
    return st == KRT_OK ? st : krti_fail_in_file(f->owned.k, st, f->source->filepath);
}

krt_status krt_file_digest_array(krt_file *f, size_t i, krt_digest kind, char **out)
{
    krt_ctx *k = f->owned.k;
    krt_tensor *t = NULL;
    krti_hasher *h = NULL;
    char text[KRTI_DIGEST_TEXT];
    krt_status st = KRT_OK;

    *out = NULL;
    if (krti_digest_name(kind) == NULL)
        return krti_fail(k, KRT_E_INVALID, NULL,
                         "KRT_DIGEST_XXH3_128 or KRT_DIGEST_SHA256 is wanted for an array");
    TRY(krt_file_read_array(f, i, &t));
    TRY(krti_hasher_new(k, &h, kind));
    krti_hasher_update(h, t->data, t->size_bytes);
    *out = krti_strdup(k, krti_hasher_end(h, text));
    st = *out != NULL ? KRT_OK : KRT_E_NOMEM;

done:
    krti_hasher_free(h);
    krt_tensor_free(t);
    return st;
}

krt_status krt_file_config(krt_file *f, char **out, int indent)
{
    krti_str s = KRTI_STR_INIT(f->owned.k);
    krt_status st = KRT_OK;

    *out = NULL;
    if (f->source->config == NULL) {
        st = krti_fail(f->owned.k, KRT_E_NOT_FOUND, NULL, "No model config found in the file at %s",
                       f->source->filepath);
        return krti_fail_in_file(f->owned.k, st, f->source->filepath);
    }
    TRY(krti_json_write(&s, f->source->config, indent));
    *out = krti_str_take(&s);

done:
    krti_str_free(&s);
    return st;
}
