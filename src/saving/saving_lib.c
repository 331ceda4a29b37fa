/* Keras's _load_state: what lies in the file under the path of an object, and its variables. The walk
 * itself is walk.c's. Page: docs/formats/keras.md, section 4. */
#include "saving/saving_lib.h"

#include "saving/walk.h"

/* Keras's sentence 10, with the names as Python prints a list. */
static krt_status misfit_count(krti_match *m, const char *path, const krt_layer *l,
                               krt_variable *const *vars, size_t n, size_t found)
{
    krti_str names = KRTI_STR_INIT(m->k);
    krt_status st = KRT_OK;

    for (size_t i = 0; i < n; i++)
        krti_str_addf(&names, "%s'%s'", i > 0 ? ", " : "", vars[i]->name);
    st = names.status;
    if (st == KRT_OK)
        st = krti_match_misfit(m, path,
                               "Layer '%s' expected %zu variables, but received %zu variables "
                               "during loading. Expected: [%s]",
                               l->name, n, found, krti_str_text(&names));
    krti_str_free(&names);
    return st;
}

static krt_status skip_object(krti_match *m, const char *path, const krt_layer *l,
                              krt_variable *const *vars, size_t n, const krti_store_object *o)
{
    const krt_outcome outcome = o == NULL ? KRT_MISSING : KRT_SKIPPED_COUNT;
    krt_status st = misfit_count(m, path, l, vars, n, o != NULL ? o->num + o->num_other : 0);

    for (size_t i = 0; st == KRT_OK && i < n; i++)
        st = krti_match_skip_variable(m, outcome, vars[i]);
    for (size_t i = 0; st == KRT_OK && o != NULL && i < o->num; i++)
        st = krti_match_skip_array(m, KRT_SKIPPED_COUNT, o->first + i);
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

/* The caller wants the layer left alone; what the file holds for it is accounted for. */
static krt_status leave_alone(krti_match *m, krt_variable *const *vars, size_t n,
                              const krti_store_object *o)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < n; i++)
        st = krti_match_skip_variable(m, KRT_SKIPPED_ASKED, vars[i]);
    for (size_t i = 0; o != NULL && i < o->num; i++)
        m->taken[o->first + i] = true;
    return st;
}

static krt_status pair_variables(krti_match *m, const char *path, krt_variable *const *vars,
                                 const krti_store_object *o)
{
    const size_t misfits = m->num_misfits;
    krt_status st = KRT_OK;

    for (size_t i = 0; i < o->num; i++) {
        const size_t array = array_of(m->store, o, i, vars[i]);

        if (array != SIZE_MAX) {
            TRY(krti_match_pair(m, vars[i], array, path));
            continue;
        }
        TRY(krti_match_skip_variable(m, KRT_MISSING, vars[i]));
        TRY(krti_match_misfit(m, path,
                              "%s is variable %zu of the layer, the "
                              "file has no vars/%zu",
                              vars[i]->name, i, i));
    }
    m->num_fits += m->num_misfits == misfits;

done:
    return st;
}

static krt_status match_own(void *user, const char *path, krt_layer *l, krt_variable *const *vars,
                            size_t n)
{
    krti_match *m = user;
    const krti_store_object *o = krti_store_find(m->store, path);
    const size_t found = o != NULL ? o->num + o->num_other : 0;
    krt_status st = KRT_OK;

    krti_match_count_unknown(m, l, path);
    if (krti_match_is_skipped(m, l))
        st = leave_alone(m, vars, n, o);
    else if (found != n && (n > 0 || !m->is_partial))
        st = skip_object(m, path, l, vars, n, o);
    else if (found > 0 && n > 0)
        st = pair_variables(m, path, vars, o);
    return st;
}

static bool has_group(void *user, const char *path)
{
    return krti_store_has_group(((krti_match *)user)->store, path);
}

krt_status krti_saving_lib_match(krti_match *m, bool counts_visited)
{
    const krti_walk walk = {
        .each = match_own, .has_group = has_group, .user = m, .counts_visited = counts_visited};

    return krti_walk_model(m->model, &walk);
}
