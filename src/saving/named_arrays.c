/* Variables paired with arrays by whole names, then by their ends. See named_arrays.h. */
#include "saving/named_arrays.h"

#include "layers/lora.h"

/* ------------------------------------------------------------------------------- names */

#define AMBIGUOUS ((void *)UINTPTR_MAX)

krt_status krti_names_init(krti_names *n, krt_ctx *k)
{
    *n = (krti_names){k, krti_map_new(k), krti_map_new(k)};
    return n->whole != NULL && n->ends != NULL ? KRT_OK : KRT_E_NOMEM;
}

void krti_names_free(krti_names *n)
{
    krti_map_free(n->whole);
    krti_map_free(n->ends);
}

/* Puts the array under the name; under a name met before, nothing is meant any more. */
static krt_status put(krti_map *map, const char *name, size_t array)
{
    void *value = (void *)(array + 1);
    void *old = krti_map_get(map, name);

    return old == value ? KRT_OK : krti_map_set(map, name, old == NULL ? value : AMBIGUOUS);
}

/* "lstm/lstm_cell/kernel" to "lstm/kernel"; the last parts of short names are the whole. */
static krt_status put_ends(krti_names *n, const char *name, size_t array)
{
    const char *first = strchr(name, '/'), *last = strrchr(name, '/');
    krti_str ends = KRTI_STR_INIT(n->k);
    krt_status st = KRT_OK;

    if (first == NULL || first == last)
        return KRT_OK;
    krti_str_add_n(&ends, name, (size_t)(first - name));
    st = krti_str_add(&ends, last);
    if (st == KRT_OK)
        st = put(n->ends, ends.ptr, array);
    krti_str_free(&ends);
    return st;
}

krt_status krti_names_add(krti_names *n, const char *name, size_t array)
{
    krti_str bare = KRTI_STR_INIT(n->k);
    krt_status st = KRT_OK;

    TRY(krti_str_add_n(&bare, name, strlen(name) - (krti_ends_with(name, ":0") ? 2 : 0)));
    TRY(put(n->whole, bare.ptr, array));
    TRY(put_ends(n, bare.ptr, array));

done:
    krti_str_free(&bare);
    return st;
}

static size_t found(void *value)
{
    return value != NULL && value != AMBIGUOUS ? (size_t)(uintptr_t)value - 1 : SIZE_MAX;
}

/* Of a variable within an inner layer the ends of its path are tried, too: older files name an LSTM's
 * kernel "lstm/kernel". */
size_t krti_names_find(const krti_names *n, const krt_variable *v)
{
    const char *path = krt_variable_path(v), *first = strchr(path, '/');
    size_t array = found(krti_map_get(n->whole, path));
    char ends[512];

    if (array == SIZE_MAX)
        array = found(krti_map_get(n->ends, path));
    if (array != SIZE_MAX || first == NULL || v->layer->outer == NULL)
        return array;
    snprintf(ends, sizeof ends, "%.*s/%s", (int)(first - path), path, v->name);
    array = found(krti_map_get(n->whole, ends));
    return array != SIZE_MAX ? array : found(krti_map_get(n->ends, ends));
}

/* ------------------------------------------------------------------------------- pairing */

/* The layer at hand: misfits are counted by layer. */
typedef struct pairing {
    krti_match *m;
    krti_array_of_fn array_of;
    void *user;
    const krt_layer *layer;
    size_t misfits; /* before this layer */
    krti_map *seen; /* variables: a shared layer is met more than once */
} pairing;

/* Keras's words where tf.keras has some. */
static krt_status misfit_shape(krti_match *m, const krt_variable *v, const krti_store_array *a)
{
    char found_text[160], expected[160];

    if (a->shape.rank < 0 || krt_shape_equal(v->tensor->shape, a->shape))
        return KRT_OK;
    return krti_match_misfit(
        m, v->layer->name,
        "Received incompatible tensor with shape %s when attempting to restore "
        "variable with shape %s and name %s",
        krt_shape_print(a->shape, found_text, sizeof found_text),
        krt_shape_print(v->tensor->shape, expected, sizeof expected), krt_variable_path(v));
}

static krt_status pair_variable(void *user, krt_variable *v)
{
    pairing *p = user;
    krti_match *m = p->m;
    const size_t array = p->array_of(p->user, v);
    char key[24];
    krt_status st = KRT_OK;

    snprintf(key, sizeof key, "%p", (void *)v);
    if (krti_map_has(p->seen, key))
        return KRT_OK;
    TRY(krti_map_set(p->seen, key, v));
    if (v->layer != p->layer) {
        m->num_fits += p->layer != NULL && m->num_misfits == p->misfits;
        p->layer = v->layer;
        p->misfits = m->num_misfits;
    }
    if (array == SIZE_MAX) {
        if (krti_is_lora_factor(v))
            return KRT_OK;
        if (krti_match_is_skipped(m, v->layer))
            return krti_match_skip_variable(m, KRT_SKIPPED_ASKED, v);
        TRY(krti_match_skip_variable(m, KRT_MISSING, v));
        TRY(krti_match_misfit(m, v->layer->name, "the file has no array for %s",
                              krt_variable_path(v)));
    } else {
        TRY(misfit_shape(m, v, &m->store->arrays[array]));
        TRY(krti_match_pair(m, v, array, v->layer->name));
    }

done:
    return st;
}

/* When nothing at all matched: Keras's sentence, what the model wants and what the file has. */
static krt_status misfit_all(krti_match *m)
{
    krti_str wanted = KRTI_STR_INIT(m->k);
    const char *held = "nothing";
    krt_status st = KRT_OK;

    for (size_t i = 0; i < krt_layer_num_weights(&m->model->base) && i < 4; i++)
        krti_str_addf(&wanted, "%s%s", i > 0 ? ", " : "",
                      krt_variable_path(krt_layer_weight(&m->model->base, i)));
    if (krt_layer_num_weights(&m->model->base) > 4)
        krti_str_addf(&wanted, ", ...");
    for (size_t i = m->store->num_arrays; i-- > 0;)
        if (m->store->objects[m->store->arrays[i].object].role == KRTI_ROLE_WEIGHT)
            held = m->store->arrays[i].entry;
    st = wanted.status;
    m->says_all = true;
    if (st == KRT_OK)
        st = krti_match_misfit(m, NULL,
                               "Nothing except the root object matched a checkpointed value. "
                               "Typically this means that the checkpoint does not match the model. "
                               "The model has %s; the file begins with %s",
                               krti_str_text(&wanted), held);
    krti_str_free(&wanted);
    return st;
}

krt_status krti_names_pair(krti_match *m, krti_array_of_fn array_of, void *user)
{
    pairing p = {.m = m, .array_of = array_of, .user = user, .seen = krti_map_new(m->k)};
    const krt_layer *model = &m->model->base;
    bool any = krt_layer_num_weights(model) == 0 || m->is_partial;
    krt_status st = KRT_OK;

    for (size_t i = 0; !any && i < krt_layer_num_weights(model); i++)
        any = array_of(user, krt_layer_weight(model, i)) != SIZE_MAX;
    if (p.seen == NULL)
        TRY(KRT_E_NOMEM);
    if (!any)
        TRY(misfit_all(m));
    TRY(krti_layer_each_variable(model, pair_variable, &p));
    m->num_fits += p.layer != NULL && m->num_misfits == p.misfits;

done:
    krti_map_free(p.seen);
    return st;
}

/* ------------------------------------------------------------------------------- files of names */

static size_t array_of_name(void *user, const krt_variable *v)
{
    return krti_names_find(user, v);
}

krt_status krti_named_match(krti_match *m)
{
    krti_names names;
    const krti_store *s = m->store;
    krt_status st = krti_names_init(&names, m->k);

    for (size_t i = 0; st == KRT_OK && i < s->num_arrays; i++) { /* a layer may be "optimizer" */
        const krti_store_array *a = &s->arrays[i];

        st = krti_names_add(&names, a->name != NULL ? a->name : a->entry, i);
    }
    if (st == KRT_OK)
        st = krti_names_pair(m, array_of_name, &names);
    krti_names_free(&names);
    return st;
}
