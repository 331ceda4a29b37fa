/* The walk of Keras's _load_state: every object has a path, made of the attributes that lead to it.
 *
 * A layer's own variables are <path>/vars/0, 1, ...; an inner layer under the attribute `cell` has
 * the path <path>/cell; one in a list has <path>/<attribute>/<its class in snake case>, numbered
 * from the second of a class on. Names of layers play no part, so renaming breaks nothing and
 * reordering layers of a class does. The first path that reaches an object is its path. Page:
 * docs/formats/keras.md, section 4. */
#include "saving/saving_lib.h"

#include <stdlib.h>

typedef struct walk {
    krti_match *m;
    krti_map *visited;
    krti_str path; /* of the object being visited; "" for the model */
    bool counts_visited;
} walk;

static krt_status visit(walk *w, krt_layer *l, int depth);

/* ------------------------------------------------------------------------------- names */

krt_status krti_saving_lib_group(krti_str *s, const char *class_name, bool is_functional)
{
    const char *bare = strrchr(class_name, '>');

    class_name = bare != NULL ? bare + 1 : class_name;
    if (strcmp(class_name, "GroupQueryAttention") == 0)
        class_name = "GroupedQueryAttention";
    if (strcmp(class_name, "Model") == 0 && is_functional)
        class_name = "Functional";
    krti_str_clear(s);
    return krti_snake_case(s, class_name);
}

static bool was_visited(const walk *w, const krt_layer *l)
{
    char key[24];

    snprintf(key, sizeof key, "%p", (const void *)l);
    return krti_map_has(w->visited, key);
}

static krt_status mark_visited(walk *w, const krt_layer *l)
{
    char key[24];

    snprintf(key, sizeof key, "%p", (const void *)l);
    return krti_map_set(w->visited, key, w);
}

/* ------------------------------------------------------------------------------- variables */

/* A layer's own variables in the order of their indices: trainable ones, then the others. */
static krt_status own_variables(walk *w, const krt_layer *l, krt_variable ***out)
{
    size_t n = 0;

    *out = krti_array(w->m->k, l->num_variables, sizeof **out);
    if (*out == NULL)
        return KRT_E_NOMEM;
    for (size_t i = 0; i < l->num_variables; i++)
        if (l->variables[i]->trainable)
            (*out)[n++] = l->variables[i];
    for (size_t i = 0; i < l->num_variables; i++)
        if (!l->variables[i]->trainable)
            (*out)[n++] = l->variables[i];
    return KRT_OK;
}

/* Keras's sentence 10, with the names as Python prints a list. */
static krt_status misfit_count(walk *w, const krt_layer *l, krt_variable *const *vars, size_t found)
{
    krti_str names = KRTI_STR_INIT(w->m->k);
    krt_status st = KRT_OK;

    for (size_t i = 0; i < l->num_variables; i++)
        krti_str_addf(&names, "%s'%s'", i > 0 ? ", " : "", vars[i]->name);
    st = names.status;
    if (st == KRT_OK)
        st = krti_match_misfit(w->m, krti_str_text(&w->path),
                               "Layer '%s' expected %zu variables, but received %zu variables "
                               "during loading. Expected: [%s]",
                               l->name, l->num_variables, found, krti_str_text(&names));
    krti_str_free(&names);
    return st;
}

static krt_status skip_object(walk *w, const krt_layer *l, krt_variable *const *vars,
                              const krti_store_object *o)
{
    const krt_outcome outcome = o == NULL ? KRT_MISSING : KRT_SKIPPED_COUNT;
    krt_status st = misfit_count(w, l, vars, o != NULL ? o->num + o->num_other : 0);

    for (size_t i = 0; st == KRT_OK && i < l->num_variables; i++)
        st = krti_match_skip_variable(w->m, outcome, vars[i]);
    for (size_t i = 0; st == KRT_OK && o != NULL && i < o->num; i++)
        st = krti_match_skip_array(w->m, KRT_SKIPPED_COUNT, o->first + i);
    return st;
}

/* The array of the i-th variable: its key is the index, or, for the few layers that name what they
 * store, the variable's name. SIZE_MAX when there is none. */
static size_t array_of(const krti_store *s, const krti_store_object *o, size_t i,
                       const krt_variable *v)
{
    char key[24];

    snprintf(key, sizeof key, "%zu", i);
    if (i < o->num && strcmp(s->arrays[o->first + i].key, key) == 0)
        return o->first + i;
    for (size_t j = 0; j < o->num; j++)
        if (strcmp(s->arrays[o->first + j].key, v->name) == 0)
            return o->first + j;
    return SIZE_MAX;
}

static krt_status pair_variables(walk *w, krt_variable *const *vars, const krti_store_object *o)
{
    krti_match *m = w->m;
    const size_t misfits = m->num_misfits;
    krt_status st = KRT_OK;

    for (size_t i = 0; i < o->num; i++) {
        const size_t array = array_of(m->store, o, i, vars[i]);

        if (array != SIZE_MAX) {
            TRY(krti_match_pair(m, vars[i], array, krti_str_text(&w->path)));
            continue;
        }
        TRY(krti_match_skip_variable(m, KRT_MISSING, vars[i]));
        TRY(krti_match_misfit(m, krti_str_text(&w->path),
                              "%s is variable %zu of the layer, the "
                              "file has no vars/%zu",
                              vars[i]->name, i, i));
    }
    m->num_fits += m->num_misfits == misfits;

done:
    return st;
}

static krt_status match_own(walk *w, krt_layer *l)
{
    const krti_store_object *o = krti_store_find(w->m->store, krti_str_text(&w->path));
    const size_t found = o != NULL ? o->num + o->num_other : 0;
    krt_variable **vars = NULL;
    krt_status st = own_variables(w, l, &vars);

    if (st == KRT_OK && found != l->num_variables && (l->num_variables > 0 || !w->m->is_partial))
        st = skip_object(w, l, vars, o);
    else if (st == KRT_OK && found > 0 && l->num_variables > 0)
        st = pair_variables(w, vars, o);
    krti_free(w->m->k, vars);
    return st;
}

/* ------------------------------------------------------------------------------- attributes */

/* Keras's order: capitals, lower case, then the private ones. */
static int compare_attributes(const char *a, const char *b)
{
    if ((a[0] == '_') != (b[0] == '_'))
        return a[0] == '_' ? 1 : -1;
    return strcmp(a, b);
}

static int by_attribute(const void *left, const void *right)
{
    const krti_inner *const *a = left, *const *b = right;
    const int order = compare_attributes((*a)->attribute, (*b)->attribute);

    if (order != 0)
        return order;
    return *a < *b ? -1 : *a > *b; /* within a list, the list's own order */
}

static int by_attribute_of_model(const void *left, const void *right)
{
    const krti_inner *const *a = left, *const *b = right;
    const bool a_first = strcmp((*a)->attribute, "layers") == 0;
    const bool b_first = strcmp((*b)->attribute, "layers") == 0;

    return a_first != b_first ? (a_first ? -1 : 1) : by_attribute(left, right);
}

static void cut_path(walk *w, size_t length)
{
    if (w->path.ptr == NULL || w->path.status != KRT_OK)
        return;
    w->path.length = length;
    w->path.ptr[length] = '\0';
}

static krt_status go_down(walk *w, const char *name)
{
    if (w->path.length > 0)
        krti_str_add(&w->path, "/");
    return krti_str_add(&w->path, name);
}

/* An attribute of its own. Keras 2 made some of them private: query_dense was _query_dense. */
static krt_status visit_attribute(walk *w, const krti_inner *inner, int depth)
{
    const size_t length = w->path.length;
    const bool is_private = inner->attribute[0] == '_';
    krti_str other = KRTI_STR_INIT(w->m->k);
    krt_status st = KRT_OK;

    TRY(krti_str_addf(&other, "%s%s%s%s", krti_str_text(&w->path), length > 0 ? "/" : "",
                      is_private ? "" : "_", inner->attribute + is_private));
    TRY(go_down(w, inner->attribute));
    if (!krti_store_has_group(w->m->store, w->path.ptr) &&
        krti_store_has_group(w->m->store, other.ptr)) {
        cut_path(w, 0);
        TRY(krti_str_add(&w->path, other.ptr));
    }
    TRY(visit(w, inner->layer, depth));

done:
    krti_str_free(&other);
    cut_path(w, length);
    return st;
}

/* One element of a list: its class's number in this list so far makes the name. */
static krt_status visit_element(walk *w, const krti_inner *inner, krti_map *counts, int depth)
{
    const size_t length = w->path.length;
    krti_str group = KRTI_STR_INIT(w->m->k);
    krt_status st = KRT_OK;

    if (!w->counts_visited && was_visited(w, inner->layer))
        return KRT_OK;
    const krt_model *model = krti_model_of(inner->layer);
    TRY(krti_saving_lib_group(&group, inner->layer->class_name,
                              model != NULL && model->is_functional));
    const uintptr_t count = (uintptr_t)krti_map_get(counts, krti_str_text(&group));
    TRY(krti_map_set(counts, krti_str_text(&group), (void *)(count + 1)));
    if (count > 0)
        TRY(krti_str_addf(&group, "_%zu", (size_t)count));
    TRY(go_down(w, inner->attribute));
    TRY(go_down(w, krti_str_text(&group)));
    TRY(visit(w, inner->layer, depth));

done:
    krti_str_free(&group);
    cut_path(w, length);
    return st;
}

/* Visits the sorted attributes; elements of one list stand together and share their counts. */
static krt_status visit_sorted(walk *w, const krti_inner *const *inner, size_t n, int depth)
{
    krti_map *counts = NULL;
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < n; i++) {
        if (!inner[i]->in_list) {
            st = visit_attribute(w, inner[i], depth);
            continue;
        }
        if (i == 0 || strcmp(inner[i]->attribute, inner[i - 1]->attribute) != 0) {
            krti_map_free(counts);
            counts = krti_map_new(w->m->k);
        }
        st = counts != NULL ? visit_element(w, inner[i], counts, depth) : KRT_E_NOMEM;
    }
    krti_map_free(counts);
    return st;
}

static krt_status visit_inner(walk *w, krt_layer *l, int depth)
{
    const krti_inner **sorted = krti_array(w->m->k, l->num_inner, sizeof *sorted);
    const bool is_model = krti_model_of(l) != NULL;

    if (sorted == NULL)
        return KRT_E_NOMEM;
    for (size_t i = 0; i < l->num_inner; i++)
        sorted[i] = &l->inner[i];
    if (l->num_inner > 1)
        qsort(sorted, l->num_inner, sizeof(krti_inner *),
              is_model ? by_attribute_of_model : by_attribute);
    const krt_status st = visit_sorted(w, sorted, l->num_inner, depth);
    krti_free(w->m->k, sorted);
    return st;
}

static krt_status visit(walk *w, krt_layer *l, int depth)
{
    krt_status st = KRT_OK;

    if (was_visited(w, l))
        return KRT_OK;
    if (depth > KRTI_LAYER_MAX_DEPTH)
        return krti_layer_fail(l, KRT_E_UNSUPPORTED, "layers nested more than %d deep",
                               KRTI_LAYER_MAX_DEPTH);
    TRY(mark_visited(w, l));
    TRY(match_own(w, l));
    TRY(visit_inner(w, l, depth + 1));

done:
    return st;
}

krt_status krti_saving_lib_match(krti_match *m, bool counts_visited)
{
    walk w = {.m = m,
              .visited = krti_map_new(m->k),
              .path = KRTI_STR_INIT(m->k),
              .counts_visited = counts_visited};
    const krt_status st = w.visited != NULL ? visit(&w, &m->model->base, 0) : KRT_E_NOMEM;

    krti_map_free(w.visited);
    krti_str_free(&w.path);
    return st;
}
