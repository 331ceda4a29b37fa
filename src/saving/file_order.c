/* See file_order.h. Weights first, then the optimizer's arrays, then what is neither. Among weights
 * the model's order where the file tells it: a legacy file lists its layers, a .keras file has the
 * config's list of layers; else paths, with the numbers in them as numbers. */
#include "saving/file_order.h"

#include "saving/walk.h"

#include <stdlib.h>

/* ------------------------------------------------------------------------------- configs */

/* The list of layers of a model: config.layers, or the config itself before Keras 2.2.3. */
static const krti_conf *layers_of(const krti_conf *object)
{
    const krti_conf *config = krti_conf_get(object, "config");

    return krti_conf_is(config, KRTI_CONF_LIST) ? config : krti_conf_get(config, "layers");
}

static bool is_functional(const krti_conf *object)
{
    return krti_conf_get(krti_conf_get(object, "config"), "input_layers") != NULL;
}

/* Whether an entry of that list is a layer that Keras counts: operations are none, and neither is
 * the InputLayer of a Sequential. */
static bool counts_as_layer(const krti_conf *model, const krti_conf *entry)
{
    const char *module = krti_conf_get_text(entry, "module");
    const char *class_name = krti_conf_get_text(entry, "class_name");

    if (class_name == NULL || (module != NULL && krti_starts_with(module, "keras.src.ops")))
        return false;
    return strcmp(class_name, "InputLayer") != 0 || is_functional(model);
}

static int64_t count_layers(const krti_conf *model, int depth)
{
    const krti_conf *layers = layers_of(model);
    int64_t n = 0;

    for (size_t i = 0; i < krti_conf_num(layers); i++) {
        const krti_conf *entry = krti_conf_at(layers, i);

        n += counts_as_layer(model, entry);
        if (depth < KRTI_LAYER_MAX_DEPTH)
            n += count_layers(entry, depth + 1);
    }
    return n;
}

int64_t krti_config_num_layers(const krti_conf *config)
{
    return count_layers(config, 0);
}

/* ------------------------------------------------------------------------------- ranks */

typedef struct ranking {
    krt_ctx *k;
    krti_map *ranks; /* "layers/conv2d_1" -> its place in the model, from 1 */
} ranking;

static krt_status rank_layers(ranking *r, const krti_conf *model, const char *path, int depth);

static krt_status rank_layer(ranking *r, const krti_conf *entry, const char *path, krti_map *counts,
                             int depth)
{
    krti_str group = KRTI_STR_INIT(r->k), below = KRTI_STR_INIT(r->k);
    krt_status st = KRT_OK;

    TRY(krti_walk_group(&group, krti_conf_get_text(entry, "class_name"), is_functional(entry)));
    const uintptr_t count = (uintptr_t)krti_map_get(counts, krti_str_text(&group));
    TRY(krti_map_set(counts, krti_str_text(&group), (void *)(count + 1)));
    TRY(krti_str_addf(&below, "%slayers/%s", path, krti_str_text(&group)));
    if (count > 0)
        TRY(krti_str_addf(&below, "_%zu", (size_t)count));
    TRY(krti_map_set(r->ranks, below.ptr, (void *)(uintptr_t)(krti_map_num(r->ranks) + 1)));
    TRY(krti_str_add(&below, "/"));
    TRY(rank_layers(r, entry, below.ptr, depth + 1));

done:
    krti_str_free(&group);
    krti_str_free(&below);
    return st;
}

static krt_status rank_layers(ranking *r, const krti_conf *model, const char *path, int depth)
{
    const krti_conf *layers = layers_of(model);
    const size_t n = depth <= KRTI_LAYER_MAX_DEPTH ? krti_conf_num(layers) : 0;
    krti_map *counts = n > 0 ? krti_map_new(r->k) : NULL;
    krt_status st = n > 0 && counts == NULL ? KRT_E_NOMEM : KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < n; i++)
        if (counts_as_layer(model, krti_conf_at(layers, i)))
            st = rank_layer(r, krti_conf_at(layers, i), path, counts, depth);
    krti_map_free(counts);
    return st;
}

/* The place of the innermost layer that the path leads through; 0 for the model's own. */
static krt_status rank_of(const ranking *r, const char *path, size_t *rank)
{
    krti_str prefix = KRTI_STR_INIT(r->k);
    krt_status st = krti_str_add(&prefix, path);

    *rank = path[0] == '\0' ? 0 : SIZE_MAX;
    while (st == KRT_OK && prefix.length > 0 && *rank == SIZE_MAX) {
        const uintptr_t found = (uintptr_t)krti_map_get(r->ranks, prefix.ptr);
        char *slash = strrchr(prefix.ptr, '/');

        if (found > 0)
            *rank = found;
        prefix.length = slash != NULL ? (size_t)(slash - prefix.ptr) : 0;
        prefix.ptr[prefix.length] = '\0';
    }
    krti_str_free(&prefix);
    return st;
}

/* ------------------------------------------------------------------------------- sorting */

typedef struct place {
    krti_role role;
    size_t rank, index;
    const char *path, *key;
} place;

static int compare_places(const void *left, const void *right)
{
    const place *a = left, *b = right;
    int order = 0;

    if (a->role != b->role)
        return a->role < b->role ? -1 : 1;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    if ((order = krti_natural_compare(a->path, b->path)) != 0)
        return order;
    if ((order = krti_natural_compare(a->key, b->key)) != 0)
        return order;
    return a->index < b->index ? -1 : a->index > b->index;
}

static krt_status fill_places(const ranking *r, const krti_store *s, place *places)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < s->num_arrays; i++) {
        const krti_store_array *a = &s->arrays[i];
        const krti_store_object *o = &s->objects[a->object];

        places[i] = (place){.role = o->role, .index = i, .path = o->path, .key = a->key};
        if (s->is_legacy || s->is_ordered) /* the lists are in order already */
            places[i] = (place){.role = o->role, .rank = i, .path = "", .key = "", .index = i};
        else
            st = rank_of(r, o->path, &places[i].rank);
    }
    return st;
}

krt_status krti_file_order(const krti_store *s, const krti_conf *config, size_t *indices)
{
    ranking r = {.k = s->k, .ranks = krti_map_new(s->k)};
    place *places = krti_array(s->k, s->num_arrays, sizeof *places);
    krt_status st = r.ranks != NULL && places != NULL ? KRT_OK : KRT_E_NOMEM;

    if (st == KRT_OK && !s->is_legacy && !s->is_ordered)
        st = rank_layers(&r, config, "", 0);
    if (st == KRT_OK)
        st = fill_places(&r, s, places);
    if (st == KRT_OK && s->num_arrays > 1)
        qsort(places, s->num_arrays, sizeof *places, compare_places);
    for (size_t i = 0; st == KRT_OK && i < s->num_arrays; i++)
        indices[i] = places[i].index;
    krti_map_free(r.ranks);
    krti_free(s->k, places);
    return st;
}
