/* Pairing a model's layers with a legacy file's lists.
 *
 * Keras pairs the layers that have weights by their place in the two lists and never compares
 * names. So do we, except that names decide when both sides have the very same ones and the shapes
 * agree: then they say more than the place does. Inside a layer the place decides, and there the order depends on what
 * was trainable when the file was written, since trainable weights come first. Keras:
 * legacy/saving/legacy_h5_format.py. Page: docs/formats/legacy_h5.md, section 5. */
#include "saving/legacy_h5_format.h"

#include "saving/legacy_gates.h"
#include "saving/legacy_kernels.h"

static const char TOP_LEVEL[] = "top_level_model_weights";

/* What is taken to have been trainable when the file was written. */
typedef enum thaw { AS_CONFIGURED, ALL_TRAINABLE, ALL_FROZEN } thaw;

/* A list of a layer's variables; each is in it once. */
typedef struct variables {
    krt_ctx *k;
    thaw state;
    krt_variable **items;
    size_t n, capacity;
} variables;

/* One layer with weights, and the object in the file that goes with it. */
typedef struct layer_pair {
    krt_layer *layer;
    const krti_store_object *object; /* NULL: none */
} layer_pair;

typedef struct legacy {
    krti_match *m;
    int generation;
    bool is_theano, is_foreign; /* the latter: the model comes from elsewhere */
    layer_pair *layers;         /* of the model, those with weights */
    size_t num_layers, layers_capacity;
    const krti_store_object **objects; /* of the file, those with weights */
    size_t num_objects;
} legacy;

/* ------------------------------------------------------------------------------- order of weights */

static krt_status add_variable(variables *list, krt_variable *v)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->items[i] == v)
            return KRT_OK;
    const krt_status st =
        krti_grow(list->k, &list->items, &list->capacity, list->n + 1, sizeof(krt_variable *));
    if (st == KRT_OK)
        list->items[list->n++] = v;
    return st;
}

static bool trains(const variables *list, const krt_layer *l)
{
    return list->state == AS_CONFIGURED ? l->trainable : list->state == ALL_TRAINABLE;
}

static krt_status add_own(variables *list, const krt_layer *l, bool trainable)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < l->num_variables; i++) {
        const bool counts =
            !l->variables[i]->is_table || l->generation < 3; /* as tf.keras had it */

        if (counts && l->variables[i]->trainable == trainable)
            st = add_variable(list, l->variables[i]);
    }
    return st;
}

/* Keras 3: layer.weights is own variables, then inner layers'; the two halves are picked from it. */
static krt_status add_weights(variables *list, const krt_layer *l)
{
    krt_status st = add_own(list, l, true);

    if (st == KRT_OK)
        st = add_own(list, l, false);
    for (size_t i = 0; st == KRT_OK && i < l->num_inner; i++)
        st = add_weights(list, l->inner[i].layer);
    return st;
}

static krt_status list_keras3(variables *list, const krt_layer *l)
{
    variables all = {.k = list->k};
    krt_status st = add_weights(&all, l);

    for (int pass = 0; st == KRT_OK && pass < 2; pass++)
        for (size_t i = 0; st == KRT_OK && i < all.n; i++) {
            const krt_variable *v = all.items[i];
            const bool is_first =
                trains(list, l) && v->trainable && !v->is_fixed && trains(list, v->layer);

            if (is_first == (pass == 0))
                st = add_variable(list, all.items[i]);
        }
    krti_free(list->k, all.items);
    return st;
}

/* Keras 2: each layer has two lists of its own making, and a frozen layer puts all into the second.
 * A model lists its layers before its own variables, any other layer its own first. */
static krt_status add_trainable(variables *list, const krt_layer *l)
{
    const bool is_model = krti_model_of(l) != NULL;
    krt_status st = KRT_OK;

    if (!trains(list, l))
        return KRT_OK;
    if (!is_model)
        st = add_own(list, l, true);
    for (size_t i = 0; st == KRT_OK && i < l->num_inner; i++)
        st = add_trainable(list, l->inner[i].layer);
    if (st == KRT_OK && is_model)
        st = add_own(list, l, true);
    return st;
}

static krt_status add_non_trainable(variables *list, const krt_layer *l);

static krt_status add_frozen_model(variables *list, const krt_layer *l)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < l->num_inner; i++)
        st = add_trainable(list, l->inner[i].layer);
    if (st == KRT_OK)
        st = add_own(list, l, true);
    for (size_t i = 0; st == KRT_OK && i < l->num_inner; i++)
        st = add_non_trainable(list, l->inner[i].layer);
    return st == KRT_OK ? add_own(list, l, false) : st;
}

static krt_status add_non_trainable(variables *list, const krt_layer *l)
{
    const bool is_model = krti_model_of(l) != NULL;
    krt_status st = KRT_OK;

    if (is_model && !trains(list, l))
        return add_frozen_model(list, l);
    if (!is_model && !trains(list, l))
        st = add_own(list, l, true);
    if (st == KRT_OK && !is_model)
        st = add_own(list, l, false);
    for (size_t i = 0; st == KRT_OK && i < l->num_inner; i++) {
        if (!trains(list, l))
            st = add_trainable(list, l->inner[i].layer);
        if (st == KRT_OK)
            st = add_non_trainable(list, l->inner[i].layer);
    }
    return st == KRT_OK && is_model ? add_own(list, l, false) : st;
}

static krt_status list_weights(const legacy *f, variables *list, const krt_layer *l)
{
    krt_status st = KRT_OK;

    list->n = 0;
    if (f->generation >= 3)
        return list_keras3(list, l);
    st = add_trainable(list, l);
    return st == KRT_OK ? add_non_trainable(list, l) : st;
}

krt_status krti_legacy_weights(const krt_layer *l, int generation, krt_variable ***out, size_t *n)
{
    const legacy f = {.generation = generation};
    variables list = {.k = l->owned.k};
    const krt_status st = list_weights(&f, &list, l);

    if (st != KRT_OK)
        krti_free(list.k, list.items);
    *out = st == KRT_OK ? list.items : NULL;
    *n = st == KRT_OK ? list.n : 0;
    return st;
}

/* ------------------------------------------------------------------------------- the two sides */

static krt_status add_one(legacy *f, krt_layer *l)
{
    const krt_status st =
        krti_grow(f->m->k, &f->layers, &f->layers_capacity, f->num_layers + 1, sizeof *f->layers);

    if (st == KRT_OK)
        f->layers[f->num_layers++] = (layer_pair){.layer = l};
    return st;
}

/* Keras 1 listed the layers of a nested Sequential in its place. */
static bool is_flattened(const legacy *f, const krt_layer *l)
{
    const krt_model *inner = krti_model_of(l);

    return f->generation < 2 && inner != NULL && krti_store_find(f->m->store, l->name) == NULL;
}

static krt_status add_layer(legacy *f, krt_layer *l)
{
    krt_status st = KRT_OK;

    if (!is_flattened(f, l))
        return krt_layer_num_weights(l) > 0 ? add_one(f, l) : KRT_OK;
    for (size_t i = 0; st == KRT_OK && i < krti_model_of(l)->num_layers; i++)
        st = add_layer(f, krti_model_of(l)->layers[i]);
    return st;
}

static krt_status gather(legacy *f)
{
    const krt_model *m = f->m->model;
    const krti_store *s = f->m->store;
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < m->num_layers; i++)
        st = add_layer(f, m->layers[i]);
    f->objects = krti_array(f->m->k, s->num_objects, sizeof *f->objects);
    if (f->objects == NULL)
        return KRT_E_NOMEM;
    for (size_t i = 0; i < s->num_objects; i++) {
        const krti_store_object *o = &s->objects[i];

        if (o->role == KRTI_ROLE_WEIGHT && o->num > 0 && strcmp(o->path, TOP_LEVEL) != 0)
            f->objects[f->num_objects++] = o;
    }
    return st;
}

/* The object with this name among those with weights; NULL: none. */
static const krti_store_object *object_named(const legacy *f, const char *name)
{
    const krti_store_object *o = krti_store_find(f->m->store, name);

    return o != NULL && o->role == KRTI_ROLE_WEIGHT && o->num > 0 ? o : NULL;
}

static void pair_by_name(legacy *f)
{
    for (size_t i = 0; i < f->num_layers; i++)
        f->layers[i].object = object_named(f, f->layers[i].layer->name);
}

static void pair_by_place(legacy *f)
{
    for (size_t i = 0; i < f->num_layers; i++)
        f->layers[i].object = i < f->num_objects ? f->objects[i] : NULL;
}

/* Whether every layer of the model found an object of its name, and no two the same one. */
static krt_status all_names_found(const legacy *f, bool *found)
{
    krti_map *seen = krti_map_new(f->m->k);
    krt_status st = seen != NULL ? KRT_OK : KRT_E_NOMEM;

    *found = true;
    for (size_t i = 0; st == KRT_OK && *found && i < f->num_layers; i++) {
        const char *name = f->layers[i].layer->name;

        *found = f->layers[i].object != NULL && !krti_map_has(seen, name);
        st = krti_map_set(seen, name, seen);
    }
    krti_map_free(seen);
    return st;
}

/* ------------------------------------------------------------------------------- one layer */

/* How many arrays of the object each variable has: one, or one a gate; 0: the numbers do not agree. */
static size_t arrays_each(const legacy *f, const variables *list, const krti_store_object *o)
{
    const size_t gates = list->n > 0 ? (size_t)krti_legacy_gates(list->items[0]->layer) : 0;

    if (list->n == o->num)
        return 1;
    for (size_t i = 0; i < list->n; i++)
        if ((size_t)krti_legacy_gates(list->items[i]->layer) != gates)
            return 0;
    return f->generation < 2 && list->n % 3 == 0 && list->n * gates == o->num ? gates : 0;
}

/* The shape of the gates' arrays side by side. */
static bool parts_agree(const legacy *f, const krt_variable *v, size_t first, const krti_turn *turn)
{
    krt_shape each = v->tensor->shape;

    each.dim[each.rank - 1] /= turn->num_parts;
    for (int i = 0; i < turn->num_parts; i++)
        if (!krt_shape_equal(each, f->m->store->arrays[first + turn->parts[i]].shape))
            return false;
    return true;
}

static bool is_cudnn(const legacy *f, const variables *list, size_t at, const krti_store_object *o)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->items[i]->layer == list->items[at]->layer &&
            strcmp(list->items[i]->name, "bias") == 0)
            return krti_legacy_is_cudnn(list->items[i]->layer,
                                        f->m->store->arrays[o->first + i].shape);
    return false;
}

/* Whether the i-th variable is in the object, at *array, turned if need be. */
static bool shape_agrees(const legacy *f, const variables *list, size_t i,
                         const krti_store_object *o, size_t *array, krti_turn *turn)
{
    const krt_variable *v = list->items[i];
    const size_t each = arrays_each(f, list, o);

    *turn = (krti_turn){0};
    *array = o->first + (each > 1 ? 0 : i);
    if (each > 1) {
        krti_legacy_split_gates(v, i, turn);
        return parts_agree(f, v, o->first, turn);
    }
    const krt_shape shape = f->m->store->arrays[*array].shape;
    if (is_cudnn(f, list, i, o)) {
        turn->is_cudnn = true;
        return krt_shape_equal(v->tensor->shape, krti_legacy_cudnn_shape(v, shape));
    }
    *turn = krti_legacy_turn(v, shape, f->generation, f->is_theano);
    return krt_shape_equal(v->tensor->shape, krti_turned_shape(turn, shape, v));
}

static bool shapes_agree(const legacy *f, const variables *list, const krti_store_object *o)
{
    krti_turn turn;
    size_t array = 0;

    if (arrays_each(f, list, o) == 0)
        return false;
    for (size_t i = 0; i < list->n; i++)
        if (!shape_agrees(f, list, i, o, &array, &turn))
            return false;
    return true;
}

/* Whether "block/conv/kernel_1:0" ends in this name. */
static bool has_name(const char *key, const char *name)
{
    const char *slash = strrchr(key, '/'), *last = slash != NULL ? slash + 1 : key;
    const size_t n = strlen(name);

    return strncmp(last, name, n) == 0 && (last[n] == '\0' || last[n] == ':' || last[n] == '_');
}

static bool names_agree(const legacy *f, const variables *list, const krti_store_object *o)
{
    for (size_t i = 0; i < list->n; i++)
        if (!has_name(f->m->store->arrays[o->first + i].key, list->items[i]->name))
            return false;
    return true;
}

/* The order of the file's weights. A whole model says itself what was trainable; an architecture
 * from elsewhere may say otherwise, and then shapes and names tell the order, where Keras would
 * take one moving mean for another. */
static krt_status list_weights_of(const legacy *f, variables *list, const krt_layer *l,
                                  const krti_store_object *o)
{
    krt_status st = KRT_OK;

    for (int state = AS_CONFIGURED; state <= ALL_FROZEN; state++) {
        list->state = (thaw)state;
        st = list_weights(f, list, l);
        if (st != KRT_OK || l->num_inner == 0 || o == NULL ||
            (shapes_agree(f, list, o) && names_agree(f, list, o)))
            return st;
    }
    list->state = AS_CONFIGURED;
    return list_weights(f, list, l);
}

static krt_status pair_weights(legacy *f, const variables *list, const krti_store_object *o,
                               const char *object)
{
    krti_match *m = f->m;
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < list->n; i++) {
        krti_turn turn;
        size_t array = 0;
        const bool fits = shape_agrees(f, list, i, o, &array, &turn);

        st = krti_match_pair_turned(m, list->items[i], array, &turn, fits, object);
    }
    return st;
}

static krt_status skip_layer(legacy *f, const variables *list, const krti_store_object *o,
                             krt_outcome outcome)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < list->n; i++)
        st = krti_match_skip_variable(f->m, outcome, list->items[i]);
    for (size_t i = 0; st == KRT_OK && o != NULL && i < o->num; i++) {
        if (outcome == KRT_SKIPPED_ASKED)
            f->m->taken[o->first + i] = true;
        else
            st = krti_match_skip_array(f->m, outcome, o->first + i);
    }
    return st;
}

/* Keras's sentence about the first shape that differs, before our own about all of them. */
static krt_status misfit_shapes(legacy *f, size_t index, const variables *list,
                                const krti_store_object *o)
{
    const bool skips = f->m->rules.skip_mismatch;
    char expected[160], found[160];

    for (size_t i = 0; i < list->n; i++) {
        const krt_variable *v = list->items[i];
        krti_turn turn;
        size_t array = 0;

        if (!shape_agrees(f, list, i, o, &array, &turn))
            return krti_match_misfit(
                f->m, f->layers[index].layer->name,
                "%s #%zu (named %s)%sfor weight %s. Weight expects shape %s. Received saved weight "
                "with shape %s",
                skips ? "Skipping loading weights for layer" : "Shape mismatch in layer", index,
                f->layers[index].layer->name, skips ? "due to mismatch in shape " : "",
                krt_variable_path(v), krt_shape_print(v->tensor->shape, expected, sizeof expected),
                krt_shape_print(f->m->store->arrays[array].shape, found, sizeof found));
    }
    return KRT_OK;
}

/* Keras's sentences: the one by name does not say the name twice. */
static krt_status misfit_count(legacy *f, size_t index, size_t expected)
{
    const layer_pair *p = &f->layers[index];
    const krti_match_rules *rules = &f->m->rules;
    char in_file[300] = "";

    if (!rules->by_name)
        snprintf(in_file, sizeof in_file, " in the current model, %.200s in the save file",
                 p->object->path);
    return krti_match_misfit(
        f->m, p->layer->name,
        "%s for layer #%zu (named %s%s)%s. Layer expects %zu weight(s). Received %zu saved "
        "weight(s)",
        rules->skip_mismatch ? "Skipping loading of weights" : "Weight count mismatch", index,
        p->layer->name, in_file,
        rules->skip_mismatch ? " due to mismatch in number of weights" : "", expected,
        p->object->num);
}

static krt_status match_layer(legacy *f, size_t index)
{
    const layer_pair *p = &f->layers[index];
    variables list = {.k = f->m->k};
    krt_status st = KRT_OK;

    TRY(list_weights_of(f, &list, p->layer, p->object));
    if (krti_match_is_skipped(f->m, p->layer)) {
        TRY(skip_layer(f, &list, p->object, KRT_SKIPPED_ASKED));
    } else if (p->object == NULL && f->m->rules.by_name) {
        TRY(skip_layer(f, &list, NULL, KRT_MISSING));
    } else if (p->object == NULL) {
        TRY(krti_match_misfit(f->m, p->layer->name, "the file has no layer \"%s\"",
                              p->layer->name));
        TRY(skip_layer(f, &list, NULL, KRT_MISSING));
    } else if (arrays_each(f, &list, p->object) == 0) {
        TRY(misfit_count(f, index, list.n));
        TRY(skip_layer(f, &list, p->object, KRT_SKIPPED_COUNT));
    } else {
        const bool agree = shapes_agree(f, &list, p->object);

        if (!agree)
            TRY(misfit_shapes(f, index, &list, p->object));
        f->m->num_fits += agree;
        TRY(pair_weights(f, &list, p->object, p->layer->name));
    }

done:
    krti_free(f->m->k, list.items);
    return st;
}

/* Weights the model owns itself, outside any layer: no model read from a config has any. */
static krt_status match_top_level(legacy *f)
{
    const krti_store_object *o = krti_store_find(f->m->store, TOP_LEVEL);
    const size_t expected = f->m->model->base.num_variables, found = o != NULL ? o->num : 0;
    krt_status st = KRT_OK;

    if (o == NULL || expected == found || f->m->is_partial || f->m->rules.by_name)
        return KRT_OK;
    st = krti_match_misfit(f->m, NULL,
                           "Weight count mismatch for top-level weights when loading weights from "
                           "file. Model expects %zu top-level weight(s). Received %zu saved "
                           "top-level weight(s)",
                           expected, found);
    for (size_t i = 0; st == KRT_OK && i < o->num; i++)
        st = krti_match_skip_array(f->m, KRT_SKIPPED_COUNT, o->first + i);
    return st;
}

/* ------------------------------------------------------------------------------- layer counts */

/* Whether a layer and the object of its name agree, and the shape of its first weight. */
static krt_status fits_by_name(const legacy *f, size_t index, bool *fits, krt_shape *first)
{
    const krt_layer *l = f->layers[index].layer;
    const krti_store_object *o = object_named(f, l->name);
    variables list = {.k = f->m->k};
    const krt_status st = list_weights_of(f, &list, l, o);

    *fits = st == KRT_OK && o != NULL && shapes_agree(f, &list, o);
    if (st == KRT_OK && list.n > 0)
        *first = list.items[0]->tensor->shape;
    krti_free(f->m->k, list.items);
    return st;
}

/* "fc1 (25088, 4096), fc2 (4096, 4096), ... 3 more" */
static void add_to_list(krti_str *s, size_t *num, const char *name, krt_shape shape)
{
    char text[160];

    if ((*num)++ < 6)
        krti_str_addf(s, "%s%s %s", s->length > 0 ? ", " : "", name,
                      krt_shape_print(shape, text, sizeof text));
}

static void end_list(krti_str *s, size_t num)
{
    if (num > 6)
        krti_str_addf(s, " and %zu more", num - 6);
}

/* The layers of the model that the file lacks. *at_end: they are its last ones. */
static krt_status list_missing(legacy *f, krti_str *s, size_t *num, bool *at_end)
{
    krt_status st = KRT_OK;

    *at_end = true;
    for (size_t i = 0; st == KRT_OK && i < f->num_layers; i++) {
        krt_shape first = {.rank = -1};
        bool fits = false;

        st = fits_by_name(f, i, &fits, &first);
        if (st == KRT_OK && !fits)
            add_to_list(s, num, f->layers[i].layer->name, first);
        else if (*num > 0)
            *at_end = false;
    }
    end_list(s, *num);
    return st == KRT_OK ? s->status : st;
}

static bool model_has(const legacy *f, const char *name)
{
    for (size_t i = 0; i < f->num_layers; i++)
        if (strcmp(f->layers[i].layer->name, name) == 0)
            return true;
    return false;
}

static krt_status list_surplus(legacy *f, krti_str *s, size_t *num, bool *at_end)
{
    *at_end = true;
    for (size_t i = 0; i < f->num_objects; i++) {
        const krti_store_object *o = f->objects[i];

        if (!model_has(f, o->path))
            add_to_list(s, num, o->path, f->m->store->arrays[o->first].shape);
        else if (*num > 0)
            *at_end = false;
    }
    end_list(s, *num);
    return s->status;
}

/* Keras's sentence, then what the two sides have in common and what they lack. */
static krt_status misfit_layers(legacy *f)
{
    krti_str missing = KRTI_STR_INIT(f->m->k), surplus = KRTI_STR_INIT(f->m->k);
    size_t num_missing = 0, num_surplus = 0;
    bool missing_end = false, surplus_end = false;
    const char *likely = "";
    krt_status st = KRT_OK;

    TRY(list_missing(f, &missing, &num_missing, &missing_end));
    TRY(list_surplus(f, &surplus, &num_surplus, &surplus_end));
    if (num_missing > 0 && num_surplus == 0 && missing_end && num_missing < f->num_layers)
        likely = ". This looks like the include_top=False variant";
    if (num_missing == 0 && num_surplus > 0 && surplus_end)
        likely = ". This looks like the include_top=True variant";
    f->m->says_all = true;
    TRY(krti_match_misfit(
        f->m, NULL,
        "You are trying to load a weight file containing %zu layers into a model with %zu layers. "
        "Layer count mismatch when loading weights from file. Model expected %zu layers, found %zu "
        "saved layers. %zu of %zu layers match by name and shape%s%s%s%s%s",
        f->num_objects, f->num_layers, f->num_layers, f->num_objects, f->num_layers - num_missing,
        f->num_layers, num_missing > 0 ? "; missing in the file: " : "", krti_str_text(&missing),
        num_surplus > 0 ? "; left over in the file: " : "", krti_str_text(&surplus), likely));

done:
    krti_str_free(&missing);
    krti_str_free(&surplus);
    return st;
}

/* ------------------------------------------------------------------------------- all */

static krt_status all_fit(const legacy *f, bool *fit)
{
    variables list = {.k = f->m->k};
    krt_status st = KRT_OK;

    *fit = true;
    for (size_t i = 0; st == KRT_OK && *fit && i < f->num_layers; i++) {
        const krti_store_object *o = f->layers[i].object;

        st = list_weights_of(f, &list, f->layers[i].layer, o);
        *fit = st == KRT_OK && shapes_agree(f, &list, o);
    }
    krti_free(f->m->k, list.items);
    return st;
}

/* Both sides have the same names. Where they come in another order, names that do not fit give way to
 * places that do; where both do, Keras would mix the layers up without a word. */
static krt_status choose_names_or_places(legacy *f)
{
    bool names_fit = false, places_fit = false;
    size_t first = 0;
    krt_status st = KRT_OK;

    while (first < f->num_layers && f->layers[first].object == f->objects[first])
        first++;
    if (first == f->num_layers)
        return KRT_OK;
    TRY(all_fit(f, &names_fit));
    pair_by_place(f);
    TRY(all_fit(f, &places_fit));
    if (places_fit && !names_fit)
        return KRT_OK;
    pair_by_name(f);
    if (places_fit && f->is_foreign)
        krti_warn(
            f->m->k,
            "the file's layers come in another order than the model's, whose layer #%zu is %s: "
            "they are paired by name, where Keras would pair them by place",
            first, f->layers[first].layer->name);

done:
    return st;
}

static krt_status pair_layers(legacy *f)
{
    bool found = false;
    krt_status st = KRT_OK;

    pair_by_name(f);
    if (f->m->is_partial || f->m->rules.by_name)
        return KRT_OK;
    if (f->num_layers != f->num_objects)
        return misfit_layers(f); /* the pairs by name stay, for the report */
    st = all_names_found(f, &found);
    if (st == KRT_OK && found)
        return choose_names_or_places(f);
    pair_by_place(f);
    return st;
}

krt_status krti_legacy_h5_match(krti_match *m, int generation, bool is_theano, bool is_foreign)
{
    legacy f = {.m = m, .generation = generation, .is_theano = is_theano, .is_foreign = is_foreign};
    krt_status st = gather(&f);

    if (st == KRT_OK)
        st = pair_layers(&f);
    for (size_t i = 0; st == KRT_OK && i < f.num_layers; i++)
        st = match_layer(&f, i);
    if (st == KRT_OK)
        st = match_top_level(&f);
    krti_free(m->k, f.layers);
    krti_free(m->k, f.objects);
    return st;
}
