/* Groups and paths in Keras's order. See walk.h. */
#include "saving/walk.h"

#include "layers/lora.h"

#include <stdlib.h>

typedef struct walk {
    krt_ctx *k;
    const krti_walk *how;
    krti_map *visited;
    krti_str path; /* of the object being visited; "" for the model */
} walk;

static krt_status visit(walk *w, krt_layer *l, int depth);

/* ------------------------------------------------------------------------------- names */

krt_status krti_walk_group(krti_str *s, const char *class_name, bool is_functional)
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

/* A layer's own variables in the order of their indices: trainable ones, then the others. The factors
 * of LoRA go into the kernel. */
static krt_status own_variables(walk *w, const krt_layer *l, krt_variable ***out, size_t *num)
{
    size_t n = 0;

    *out = krti_array(w->k, l->num_variables, sizeof **out);
    if (*out == NULL)
        return KRT_E_NOMEM;
    for (size_t i = 0; i < l->num_variables; i++)
        if (l->variables[i]->trainable && !krti_is_lora_factor(l->variables[i]))
            (*out)[n++] = l->variables[i];
    for (size_t i = 0; i < l->num_variables; i++)
        if (!l->variables[i]->trainable)
            (*out)[n++] = l->variables[i];
    *num = n;
    return KRT_OK;
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
    bool (*const has_group)(void *, const char *) = w->how->has_group;
    krti_str other = KRTI_STR_INIT(w->k);
    krt_status st = KRT_OK;

    TRY(krti_str_addf(&other, "%s%s%s%s", krti_str_text(&w->path), length > 0 ? "/" : "",
                      is_private ? "" : "_", inner->attribute + is_private));
    TRY(go_down(w, inner->attribute));
    if (has_group != NULL && !has_group(w->how->user, w->path.ptr) &&
        has_group(w->how->user, other.ptr)) {
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
    krti_str group = KRTI_STR_INIT(w->k);
    krt_status st = KRT_OK;

    if (!w->how->counts_visited && was_visited(w, inner->layer))
        return KRT_OK;
    const krt_model *model = krti_model_of(inner->layer);
    TRY(krti_walk_group(&group, inner->layer->class_name, model != NULL && model->is_functional));
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
            counts = krti_map_new(w->k);
        }
        st = counts != NULL ? visit_element(w, inner[i], counts, depth) : KRT_E_NOMEM;
    }
    krti_map_free(counts);
    return st;
}

static krt_status visit_inner(walk *w, krt_layer *l, int depth)
{
    const krti_inner **sorted = krti_array(w->k, l->num_inner, sizeof *sorted);
    const bool is_model = krti_model_of(l) != NULL;

    if (sorted == NULL)
        return KRT_E_NOMEM;
    for (size_t i = 0; i < l->num_inner; i++)
        sorted[i] = &l->inner[i];
    if (l->num_inner > 1)
        qsort(sorted, l->num_inner, sizeof(krti_inner *),
              is_model ? by_attribute_of_model : by_attribute);
    const krt_status st = visit_sorted(w, sorted, l->num_inner, depth);
    krti_free(w->k, sorted);
    return st;
}

static krt_status visit_own(walk *w, krt_layer *l)
{
    krt_variable **vars = NULL;
    size_t n = 0;
    krt_status st = own_variables(w, l, &vars, &n);

    if (st == KRT_OK)
        st = w->how->each(w->how->user, krti_str_text(&w->path), l, vars, n);
    krti_free(w->k, vars);
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
    TRY(visit_own(w, l));
    TRY(visit_inner(w, l, depth + 1));

done:
    return st;
}

krt_status krti_walk_model(krt_model *m, const krti_walk *how)
{
    krt_ctx *k = m->base.owned.k;
    walk w = {.k = k, .how = how, .visited = krti_map_new(k), .path = KRTI_STR_INIT(k)};
    const krt_status st = w.visited != NULL ? visit(&w, &m->base, 0) : KRT_E_NOMEM;

    krti_map_free(w.visited);
    krti_str_free(&w.path);
    return st;
}

bool krti_walk_is_unbuilt(const krt_layer *l)
{
    for (size_t i = 0; i < l->num_inner; i++)
        if (krti_walk_is_unbuilt(l->inner[i].layer))
            return true;
    return l->cls != NULL && l->cls->build != NULL && !l->is_built;
}

krt_status krti_walk_check_whole(const krt_model *m)
{
    if (m->cannot_run == NULL || m->cannot_status == KRT_E_UNKNOWN_CLASS ||
        !krti_walk_is_unbuilt(&m->base))
        return KRT_OK;
    return krti_fail(m->base.owned.k, m->cannot_status, NULL,
                     "%s; the layers behind it have no variables until it runs, so saving the "
                     "model would lose their weights",
                     m->cannot_run);
}
