/* Writing HDF5 as Keras 2 does. Keras: legacy/saving/legacy_h5_format.py save_model_to_hdf5(),
 * save_weights_to_hdf5_group(). Page: docs/formats/legacy_h5.md, "Writing".
 *
 * One file serves Keras 2 and 3 where both have words for the model. The optimizer's state lies in
 * optimizer_weights only in files for Keras 2, as Keras 3 cannot train on with what it makes of that;
 * elsewhere it lies in a group of our own. bfloat16 is written as float32, which holds the same values:
 * HDF5 has no such type. */
#include "saving/legacy_h5_write.h"

#include "base/str.h"
#include "formats/json.h"
#include "saving/keras2_spelling.h"
#include "saving/legacy_h5_format.h"
#include "saving/optimizer_state.h"
#include "saving/serialization.h"
#include "saving/source.h"
#include "saving/walk.h"
#include "saving/weights_writer.h"
#include "training/optimizer.h"

/* An attribute's room in an object header, as Keras counts it. */
enum { NAMES_MAX = 64512 };

typedef struct writing {
    krt_ctx *k;
    krti_arena arena;
    krt_model *m;
    krti_save_list *list; /* of nothing: arrays go straight into the image */
    krti_h5_image *image;
    krti_h5_writer *h5; /* the image's */
    int generation;     /* whose order of weights and whose version */
    int64_t trains_as;  /* the model's; the writer keeps its place */
} writing;

/* ------------------------------------------------------------------------------- names */

/* Names of fixed length, zero padded, n of them from `first`. */
static krt_status add_piece(writing *w, krti_h5_node *node, const char *attribute,
                            const char *const *names, size_t n, size_t length)
{
    krti_h5_type type = krti_h5_type_string((uint32_t)length);
    char *block = krti_arena_array(&w->arena, n, length);

    if (block == NULL)
        return KRT_E_NOMEM;
    type.rank = 1;
    type.dim[0] = n;
    for (size_t i = 0; i < n; i++)
        memcpy(block + i * length, names[i], strlen(names[i]));
    return krti_h5_add_attribute(w->h5, node, attribute, &type, block);
}

/* numpy's array_split(): the first n % pieces parts have one more. */
static krt_status add_pieces(writing *w, krti_h5_node *node, const char *attribute,
                             const char *const *names, size_t n, size_t length, size_t pieces)
{
    char name[64];
    size_t at = 0;
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < pieces; i++) {
        const size_t part = n / pieces + (i < n % pieces);

        snprintf(name, sizeof name, "%s%zu", attribute, i);
        st = add_piece(w, node, name, names + at, part, length);
        at += part;
    }
    return st;
}

/* A list of names, split where one attribute cannot hold it; an empty one is floats, as numpy's. */
static krt_status add_names(writing *w, krti_h5_node *node, const char *attribute,
                            const char *const *names, size_t n)
{
    krti_h5_type nothing = krti_h5_type_float(8);
    size_t length = 1, pieces = 2;

    nothing.rank = 1;
    if (n == 0)
        return krti_h5_add_attribute(w->h5, node, attribute, &nothing, "");
    for (size_t i = 0; i < n; i++)
        if (strlen(names[i]) > length)
            length = strlen(names[i]);
    if (length > NAMES_MAX)
        return krti_fail(w->k, KRT_E_UNSUPPORTED, NULL,
                         "The following attributes cannot be saved to HDF5 file because they are "
                         "larger than %d bytes: a name of %zu",
                         NAMES_MAX, length);
    if (n * length <= NAMES_MAX)
        return add_piece(w, node, attribute, names, n, length);
    while ((n + pieces - 1) / pieces * length > NAMES_MAX)
        pieces++;
    return add_pieces(w, node, attribute, names, n, length, pieces);
}

static krt_status add_text(writing *w, krti_h5_node *node, const char *attribute, const char *text)
{
    return krti_h5_add_text(w->h5, node, attribute, text, strlen(text), KRTI_H5_ASCII);
}

static krt_status add_json(writing *w, const char *attribute, const krti_conf *c)
{
    krti_str text = KRTI_STR_INIT(w->k);
    krt_status st = krti_json_write(&text, c, -1);

    if (st == KRT_OK)
        st = add_text(w, krti_h5_writer_root(w->h5), attribute, text.ptr);
    krti_str_free(&text);
    return st;
}

static krt_status add_versions(writing *w, krti_h5_node *node)
{
    krt_status st =
        add_text(w, node, "keras_version", w->generation >= 3 ? "3.15.1" : KRTI_KERAS2_VERSION);

    return st == KRT_OK ? add_text(w, node, "backend", "tensorflow") : st;
}

/* Whose training the model follows, where it is not that of the form. */
static krt_status add_ways(writing *w, krti_h5_node *root)
{
    const krti_h5_type type = krti_h5_type_int(8, true);

    w->trains_as = w->m->base.trains_as;
    return w->trains_as != w->generation
               ? krti_h5_add_attribute(w->h5, root, KRTI_TRAINS_AS, &type, &w->trains_as)
               : KRT_OK;
}

/* ------------------------------------------------------------------------------- weights */

/* A name in a group that nobody has yet: "dense/kernel:0", "dense/kernel_1:0". */
static krt_status free_name(writing *w, krti_map *taken, const char *path, const char **out)
{
    krti_str name = KRTI_STR_INIT(w->k);
    krt_status st = KRT_OK;

    for (size_t i = 0;; i++) {
        krti_str_clear(&name);
        st =
            i == 0 ? krti_str_addf(&name, "%s:0", path) : krti_str_addf(&name, "%s_%zu:0", path, i);
        if (st != KRT_OK || !krti_map_has(taken, name.ptr))
            break;
    }
    if (st == KRT_OK)
        st = krti_map_set(taken, name.ptr, taken);
    *out = st == KRT_OK ? krti_arena_strdup(&w->arena, name.ptr) : NULL;
    krti_str_free(&name);
    return *out != NULL ? KRT_OK : KRT_E_NOMEM;
}

static krti_save_array array_of(const krt_tensor *t, krt_dtype dtype, const krt_tensor *precise)
{
    return (krti_save_array){.dtype = dtype == KRT_BFLOAT16 ? KRT_FLOAT32 : dtype,
                             .shape = t->shape,
                             .data = t->data,
                             .data_dtype = t->dtype,
                             .source = t->source,
                             .precise = precise != NULL ? precise->data : NULL};
}

/* The dataset at a path below a group, whose own path is `owner`. */
static krt_status add_array(writing *w, krti_h5_node *group, const char *owner, const char *path,
                            krti_save_array *a)
{
    const char *slash = strrchr(path, '/');
    krti_str entry = KRTI_STR_INIT(w->k);
    krti_h5_node *parent = group;
    size_t size = 0;
    krt_status st = krti_str_addf(&entry, "%s/%s", owner, path);

    TRY(st);
    if (!krti_shape_bytes(a->shape, a->dtype, &size))
        TRY(krti_fail(w->k, KRT_E_UNSUPPORTED, path, "an array without a shape"));
    a->size_bytes = size;
    if (slash != NULL) {
        const char *folder = krti_arena_strndup(&w->arena, path, (size_t)(slash - path));

        if (folder == NULL)
            TRY(KRT_E_NOMEM);
        TRY(krti_h5_add_group(w->h5, group, folder, &parent));
    }
    TRY(krti_h5_image_add(w->image, parent, slash != NULL ? slash + 1 : path, entry.ptr, a));

done:
    krti_str_free(&entry);
    return st;
}

static krt_status add_variable(writing *w, krti_h5_node *group, const char *owner, const char *path,
                               const krt_variable *v)
{
    krti_save_array a;

    if (v->tensor->data == NULL)
        return krti_layer_fail(v->layer, KRT_E_STATE, "%s has no values yet", v->name);
    a = array_of(v->tensor, krti_stored_dtype(v), v->precise);
    return add_array(w, group, owner, path, &a);
}

static krt_status add_layer(writing *w, krti_h5_node *weights, const char *above,
                            const krt_layer *l)
{
    krti_str owner = KRTI_STR_INIT(w->k);
    krti_map *taken = krti_map_new(w->k);
    krt_variable **list = NULL;
    const char **names = NULL;
    krti_h5_node *group = NULL;
    size_t n = 0;
    krt_status st = taken != NULL ? KRT_OK : KRT_E_NOMEM;

    if (st == KRT_OK)
        st = krti_str_addf(&owner, "%s/%s", above, l->name);
    if (st == KRT_OK)
        st = krti_legacy_weights(l, w->generation, &list, &n);
    if (st == KRT_OK)
        st = krti_h5_add_group(w->h5, weights, l->name, &group);
    names = krti_arena_array(&w->arena, n + 1, sizeof *names);
    if (st == KRT_OK && names == NULL)
        st = KRT_E_NOMEM;
    for (size_t i = 0; st == KRT_OK && i < n; i++) {
        TRY(free_name(w, taken, krt_variable_path(list[i]), &names[i]));
        TRY(add_variable(w, group, owner.ptr, names[i], list[i]));
    }
    if (st == KRT_OK)
        st = add_names(w, group, "weight_names", names, n);

done:
    krti_free(w->k, list);
    krti_map_free(taken);
    krti_str_free(&owner);
    return krti_fail_in_object(w->k, st, l->name);
}

/* Names come first: a layer "a/b" lies in the group of a layer "a". */
static krt_status add_weights(writing *w, krti_h5_node *group, const char *path)
{
    const krt_model *m = w->m;
    const char **names = krti_arena_array(&w->arena, m->num_layers + 1, sizeof *names);
    krti_h5_node *top = NULL;
    krt_status st = names != NULL ? KRT_OK : KRT_E_NOMEM;

    for (size_t i = 0; st == KRT_OK && i < m->num_layers; i++) {
        names[i] = m->layers[i]->name;
        st = add_layer(w, group, path, m->layers[i]);
    }
    if (st != KRT_OK)
        return st;
    TRY(add_names(w, group, "layer_names", names, m->num_layers));
    TRY(add_versions(w, group));
    TRY(krti_h5_add_group(w->h5, group, "top_level_model_weights", &top));
    TRY(add_names(w, top, "weight_names", NULL, 0));

done:
    return st;
}

/* ------------------------------------------------------------------------------- optimizer */

typedef struct state {
    const krti_optimizer_variable **items;
    const char **names;
    size_t n;
} state;

static krt_status add_one(writing *w, state *s, const krti_optimizer_variable *v,
                          const char *format, const char *a, const char *b)
{
    krti_str name = KRTI_STR_INIT(w->k);
    krt_status st = krti_str_addf(&name, format, a, b);

    s->items[s->n] = v;
    s->names[s->n] = st == KRT_OK ? krti_arena_strdup(&w->arena, name.ptr) : NULL;
    krti_str_free(&name);
    return s->names[s->n++] != NULL ? KRT_OK : KRT_E_NOMEM;
}

static bool is_taken(const state *s, const char *path, const char *number)
{
    const size_t length = strlen(path);

    for (size_t i = 0; i < s->n; i++)
        if (strncmp(s->names[i], path, length) == 0 && strcmp(s->names[i] + length, number) == 0)
            return true;
    return false;
}

/* Keras 3's own list. Adafactor's placeholders are all named alike, which stops Keras from writing them;
 * it reads whatever "weight_names" lists, so the later ones are numbered. */
static krt_status list_keras3(writing *w, const krti_optimizer *o, state *s)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < o->num_variables; i++) {
        const char *const path = o->variables[i].path;
        char number[24] = "";

        for (size_t n = 1; is_taken(s, path, number); n++)
            snprintf(number, sizeof number, "_%zu", n);
        st = add_one(w, s, &o->variables[i], "%s%s", path, number);
    }
    return st;
}

/* tf.keras before 2.11: the counter, then slot after slot; Ftrl's two alternate. */
static krt_status list_legacy(writing *w, const krti_optimizer *o, state *s)
{
    const bool alternates = strcmp(o->class_name, "Ftrl") == 0;
    char name[128];
    krt_status st = KRT_OK;

    snprintf(name, sizeof name, "%s/%%s%%s:0", o->class_name);
    TRY(add_one(w, s, &o->variables[0], name, "iter", ""));
    if (krti_optimizer_find(o, "u_product", NULL) != NULL)
        TRY(add_one(w, s, krti_optimizer_find(o, "u_product", NULL), name, "momentum_cache", ""));
    snprintf(name, sizeof name, "%s/%%s/%%s:0", o->class_name);
    for (size_t i = o->first_slot; i < o->num_variables; i++) {
        const char *slot = o->variables[i].slot;
        bool is_listed = o->variables[i].of == NULL;

        for (size_t j = 0; j < s->n; j++)
            is_listed = is_listed || s->items[j] == &o->variables[i];
        for (size_t j = i; !is_listed && j < o->num_variables; j++)
            if (o->variables[j].of != NULL &&
                (alternates || strcmp(o->variables[j].slot, slot) == 0))
                TRY(add_one(w, s, &o->variables[j], name, krt_variable_path(o->variables[j].of),
                            krti_optimizer_tf_slot(o, o->variables[j].slot, true)));
    }

done:
    return st;
}

/* tf.keras since: the counter, then the slots in Keras 3's order under other words. */
static krt_status list_tf_keras(writing *w, const krti_optimizer *o, state *s)
{
    char name[128];
    krt_status st = add_one(w, s, &o->variables[0], "%s%s:0", "iteration", "");

    snprintf(name, sizeof name, "%s/%%s/%%s:0", o->class_name);
    for (size_t i = o->first_slot; st == KRT_OK && i < o->num_variables; i++)
        if (o->variables[i].of != NULL && !krti_is_of_keras3(&o->variables[i]))
            st = add_one(w, s, &o->variables[i], name,
                         krti_optimizer_tf_slot(o, o->variables[i].slot, false),
                         krt_variable_path(o->variables[i].of));
    return st;
}

/* The model's optimizer; its state is read first where it still lies in the file it came from. */
static krt_status find_optimizer(writing *w, krti_optimizer **out)
{
    krt_status st = KRT_OK;

    *out = krti_model_optimizer_now(w->m);
    if (*out != NULL || w->m->saved == NULL)
        return KRT_OK;
    st = krti_model_optimizer(w->m, out);
    if (st != KRT_E_UNKNOWN_CLASS && st != KRT_E_INVALID && st != KRT_E_UNSUPPORTED)
        return st;
    krti_warn(w->k, "the file has no optimizer state: %s", w->k->error.message);
    *out = NULL;
    return KRT_OK;
}

static krt_status add_optimizer(writing *w, bool for_keras2, bool is_legacy)
{
    const krti_h5_type seed_type = krti_h5_type_int(8, false);
    const char *where = for_keras2 ? "optimizer_weights" : KRTI_OPTIMIZER_GROUP;
    krti_optimizer *whole = NULL;
    krti_h5_node *group = NULL;
    krti_str owner = KRTI_STR_INIT(w->k);
    state s = {0};
    krt_status st = find_optimizer(w, &whole);
    const krti_optimizer *o = whole;

    if (st != KRT_OK || o == NULL || !o->is_built)
        return st;
    if (o->inner != NULL)
        o = o->inner;
    const size_t room = o->num_variables + whole->num_variables;
    s.items = krti_arena_array(&w->arena, room, sizeof *s.items);
    s.names = krti_arena_array(&w->arena, room, sizeof *s.names);
    if (s.items == NULL || s.names == NULL)
        return KRT_E_NOMEM;
    if (!for_keras2 && o != whole) /* a LossScaleOptimizer's own */
        TRY(list_keras3(w, whole, &s));
    TRY(!for_keras2 ? list_keras3(w, o, &s)
        : is_legacy ? list_legacy(w, o, &s)
                    : list_tf_keras(w, o, &s));
    TRY(krti_h5_add_group(w->h5, krti_h5_writer_root(w->h5), where, &group));
    TRY(krti_str_addf(&owner, "/%s", where));
    for (size_t i = 0; i < s.n; i++) {
        const krti_optimizer_variable *v = s.items[i];
        krti_save_array a = array_of(v->tensor, krti_stored_optimizer_dtype(v), v->precise);

        TRY(add_array(w, group, owner.ptr, s.names[i], &a));
    }
    TRY(add_names(w, group, "weight_names", s.names, s.n));
    TRY(krti_h5_add_attribute(w->h5, group, KRTI_SEED_ATTRIBUTE, &seed_type, &whole->seed));

done:
    krti_str_free(&owner);
    return st;
}

/* ------------------------------------------------------------------------------- architecture */

/* For both Kerases where that can be, else in Keras 3's words, and where it has none in Keras 2's. */
static krt_status spell_architecture(writing *w, krti_arena *a, krti_conf *object, int *for_keras,
                                     krti_conf **out)
{
    krti_conf *config = NULL;
    krt_status st = KRT_OK;

    if (*for_keras == 2)
        return krti_keras2_model(a, object, false, out);
    st = *for_keras == 0 ? krti_keras2_model(a, object, true, out) : KRT_E_UNSUPPORTED;
    if (st != KRT_E_UNSUPPORTED)
        return st;
    st = krti_serialize_model(a, w->m, &object);
    if (st == KRT_E_UNSUPPORTED && *for_keras == 0) {
        *for_keras = 2;
        return krti_keras2_model(a, object, false, out);
    }
    if (st != KRT_OK)
        return st;
    w->generation = 3;
    *out = krti_conf_dict(a);
    config = krti_conf_copy(a, krti_conf_get(object, "config"));
    st = krti_conf_set(a, *out, "class_name",
                       krti_conf_copy(a, krti_conf_get(object, "class_name")));
    return st == KRT_OK ? krti_conf_set(a, *out, "config", config) : st;
}

/* The trees are gone before the first byte is written; the writer has their texts. */
static krt_status add_whole(writing *w, const krti_legacy_h5_options *o)
{
    krti_arena arena = KRTI_ARENA_INIT(w->k);
    krti_conf *object = NULL, *model = NULL, *training = NULL;
    krti_h5_node *weights = NULL;
    int for_keras = o->for_keras;
    bool is_legacy = true;
    krt_status st = KRT_OK;

    TRY(krti_serialize_any(&arena, w->m, &object));
    TRY(spell_architecture(w, &arena, object, &for_keras, &model));
    TRY(add_versions(w, krti_h5_writer_root(w->h5)));
    TRY(add_ways(w, krti_h5_writer_root(w->h5)));
    TRY(add_json(w, "model_config", model));
    if (krti_conf_num(krti_conf_get(object, "compile_config")) > 0 && o->include_optimizer) {
        TRY(krti_keras2_settings(&arena, krti_conf_get(object, "compile_config"), for_keras == 2,
                                 &is_legacy, &training));
        TRY(add_json(w, "training_config", training));
    }
    TRY(krti_h5_add_group(w->h5, krti_h5_writer_root(w->h5), "model_weights", &weights));
    TRY(add_weights(w, weights, "/model_weights"));
    if (training != NULL)
        TRY(add_optimizer(w, for_keras == 2, is_legacy));

done:
    krti_arena_free(&arena);
    return st;
}

/* ------------------------------------------------------------------------------- the file */

static krt_status write_out(writing *w, const char *filepath, bool sync)
{
    krti_txn *t = NULL;
    krti_txn_file *file = NULL;
    krti_sink sink;
    krt_status st = KRT_OK;

    TRY(krti_h5_image_end(w->image));
    TRY(krti_txn_begin(w->k, &t, filepath, sync));
    TRY(krti_txn_need(t, krti_h5_image_size(w->image)));
    TRY(krti_txn_create_target(t, &file));
    sink = krti_txn_sink(file);
    TRY(krti_h5_image_write(w->image, &sink));
    TRY(krti_txn_commit(t));

done:
    krti_txn_end(t);
    return krti_fail_in_file(w->k, st, filepath);
}

static krt_status check_model(krt_model *m)
{
    if (m->failed != KRT_OK)
        return m->failed;
    if (!m->is_sequential && !m->is_functional)
        return krti_layer_fail(&m->base, KRT_E_UNSUPPORTED,
                               "Saving the model to HDF5 format requires the model to be a "
                               "Functional model or a Sequential model; this one is a %s",
                               m->base.class_name);
    if (m->cannot_run != NULL && m->cannot_status == KRT_E_UNKNOWN_CLASS)
        return krti_fail(m->base.owned.k, KRT_E_UNKNOWN_CLASS, m->base.name, "%s", m->cannot_run);
    const krt_status st = krti_walk_check_whole(m);
    return st == KRT_OK ? krti_layer_initialize(&m->base) : st;
}

krt_status krti_write_legacy_h5(krt_model *m, const char *filepath, const krti_legacy_h5_options *o)
{
    krt_ctx *k = m->base.owned.k;
    writing w = {
        .k = k, .arena = KRTI_ARENA_INIT(k), .m = m, .generation = o->for_keras == 3 ? 3 : 2};
    krt_status st = KRT_OK;

    TRY(check_model(m));
    TRY(krti_save_list_new(k, &w.list));
    TRY(krti_h5_image_begin(w.list, &w.image, o->digest));
    w.h5 = krti_h5_image_writer(w.image);
    TRY(o->weights_only ? add_weights(&w, krti_h5_writer_root(w.h5), "") : add_whole(&w, o));
    TRY(write_out(&w, filepath, o->sync));

done:
    krti_h5_image_free(w.image);
    krti_save_list_free(w.list);
    krti_arena_free(&w.arena);
    return st;
}
