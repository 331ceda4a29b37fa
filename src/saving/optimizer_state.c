/* An optimizer's list of a file, read into its variables when it is made, or passed on to the next save as
 * it lies. See optimizer_state.h. Keras: load_own_variables() and save_own_variables() of
 * optimizers/base_optimizer.py. */
#include "saving/optimizer_state.h"

#include "saving/tf_checkpoint.h"

static const char PATH[] = "optimizer", INNER_PATH[] = "optimizer/inner_optimizer";

struct krti_saved_state {
    krt_ctx *k;
    krti_store *store;
    bool is_keras2; /* whose list is another than Keras 3's */
};

static void free_state(struct krti_saved_state *s)
{
    if (s == NULL)
        return;
    krti_store_free(s->store);
    krti_free(s->k, s);
}

/* An object of Keras 3's tree; NULL in other stores. */
static const krti_store_object *find_in(const krti_store *s, const char *path)
{
    return krti_save_list_takes(s) ? krti_store_find(s, path) : NULL;
}

static const krti_store_object *find_state(const krti_store *s)
{
    return find_in(s, PATH);
}

static bool has_state(const krti_store *s)
{
    return s != NULL && (s->checkpoint != NULL || find_state(s) != NULL);
}

/* ------------------------------------------------------------------------------- reading */

/* Variables as Keras counts them: a LossScaleOptimizer has the inner one's behind its own. */
static size_t count(const krti_optimizer *o)
{
    return o != NULL ? o->num_variables + count(o->inner) : 0;
}

krt_status krti_optimizer_variable_read(krti_store *s, size_t array, krti_optimizer_variable *v)
{
    krti_want want = {array, v->tensor->dtype, true};
    krt_tensor *t = NULL;
    krt_status st = krti_store_tensors(s, &want, 1, &t);

    if (st == KRT_OK && t->size_bytes > 0)
        memcpy(v->tensor->data, t->data, t->size_bytes);
    krt_tensor_free(t);
    krt_tensor_free(v->precise);
    v->precise = NULL;
    if (st != KRT_OK || want.dtype != KRT_FLOAT32 || s->arrays[array].dtype != KRT_FLOAT64)
        return st;
    want.dtype = KRT_FLOAT64;
    return krti_store_tensors(s, &want, 1, &v->precise);
}

static krti_optimizer_variable *variable_at(const krti_optimizer *o, size_t i)
{
    return i < o->num_variables ? &o->variables[i] : variable_at(o->inner, i - o->num_variables);
}

/* Iteration and rate are all there is of an optimizer that has made no step: nothing is lost. */
static bool is_unused(const krti_store_object *state)
{
    return state->num + state->num_other <= 2;
}

/* Keras 2's list in a `.keras`: the counter, then the slots; no rate, no product of Nadam's, no number in
 * place of a slot that Adafactor does not need. The first of its slots from *at on. */
static krti_optimizer_variable *next_of_keras2(const krti_optimizer *o, size_t *at)
{
    while (*at < o->num_variables) {
        krti_optimizer_variable *v = &o->variables[(*at)++];

        if (v->of != NULL && !krti_is_placeholder(v))
            return v;
    }
    return NULL;
}

static size_t count_of_keras2(const krti_optimizer *o)
{
    size_t n = 1, at = o->first_slot;

    while (next_of_keras2(o, &at) != NULL)
        n++;
    return n;
}

/* Whose variables the file has. */
typedef struct owner {
    krti_optimizer *o; /* NULL: nobody's here */
    size_t num;
    bool is_keras2;
} owner;

/* Of a LossScaleOptimizer Keras 2 lists the inner one's variables alone, and of an SGD momenta also where it
 * has none, of which nothing is needed. */
static owner find_owner(const krti_store_object *state, krti_optimizer *o)
{
    const size_t num = state->num + state->num_other;

    if (num == count(o))
        return (owner){o, state->num, false};
    if (o->inner != NULL)
        o = o->inner;
    if (num > 1 && num == state->num && num == count_of_keras2(o))
        return (owner){o, num, true};
    if (num > 1 && strcmp(o->class_name, "SGD") == 0 && count_of_keras2(o) == 1)
        return (owner){o, 1, true};
    return (owner){NULL, 0, false};
}

static krt_status fill(krti_store *s, const krti_store_object *state, const owner *of)
{
    size_t at = of->o->first_slot;
    krt_status st = KRT_OK;

    for (size_t i = 0; i < of->num && st == KRT_OK; i++) {
        krti_optimizer_variable *v =
            of->is_keras2 && i > 0 ? next_of_keras2(of->o, &at) : variable_at(of->o, i);
        const krti_store_array *a = &s->arrays[state->first + i];
        char found[160], expected[160];

        if (!krt_shape_equal(a->shape, v->tensor->shape)) {
            krti_warn(s->k, "optimizer %s: %s has the shape %s, the file's %s; it keeps its value",
                      of->o->name, v->path,
                      krt_shape_print(v->tensor->shape, expected, sizeof expected),
                      krt_shape_print(a->shape, found, sizeof found));
            continue;
        }
        st = krti_optimizer_variable_read(s, state->first + i, v);
    }
    return st;
}

static krt_status restore_from(krti_store *s, krt_model *m, krti_optimizer *o)
{
    const krti_store_object *inner = o->inner == NULL ? find_in(s, INNER_PATH) : NULL;
    const krti_store_object *state = inner != NULL ? inner : find_state(s);
    owner of = {NULL, 0, false};
    bool has_seed = false;
    size_t num = 0;
    krt_status st = krti_optimizer_build(o, m);

    if (st == KRT_OK && s->checkpoint != NULL)
        st = krti_tf_checkpoint_fill_optimizer(s, m, o, &num);
    if (st != KRT_OK || state == NULL)
        return st;
    of = find_owner(state, o);
    if (of.o == NULL) {
        if (is_unused(state))
            goto done;
        krti_warn(
            s->k,
            "Skipping variable loading for optimizer '%s', because it has %zu variables "
            "whereas the saved optimizer has %zu variables: no slot is restored, training will "
            "not continue exactly",
            o->name, count(o), state->num + state->num_other);
        goto done;
    }
    TRY(fill(s, state, &of));
    if (of.is_keras2)
        krti_optimizer_infer_product(of.o);
    TRY(krti_store_seed(s, &o->seed, &has_seed));

done:
    return st;
}

/* Called by the training floor when it makes the optimizer. A model of Keras's mixed_float16 was trained
 * with a LossScaleOptimizer, of which its settings do not speak. */
static krt_status restore(krt_model *m, struct krti_optimizer *o)
{
    krti_store *s = m->saved->store;
    krt_status st = KRT_OK;

    if (o->inner == NULL && find_in(s, INNER_PATH) != NULL)
        st = krti_optimizer_scale_loss(m, o);
    return st == KRT_OK ? restore_from(s, m, o) : st;
}

krt_status krti_load_optimizer_state(krt_model *m, krti_source *f)
{
    krti_optimizer *o = krti_model_optimizer_now(m);
    struct krti_saved_state *s = NULL;

    if (!has_state(f->store) || krti_compile_config(m) == NULL)
        return KRT_OK;
    if (o != NULL)
        return restore_from(f->store, m, o);
    s = krti_alloc(f->k, sizeof *s);
    if (s == NULL)
        return KRT_E_NOMEM;
    s->k = f->k;
    s->store = krti_store_use(f->store);
    s->is_keras2 = f->generation == 2;
    if (m->free_saved != NULL)
        m->free_saved(m->saved);
    m->saved = s;
    m->free_saved = free_state;
    m->restore_optimizer = restore;
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- writing */

krt_dtype krti_stored_optimizer_dtype(const krti_optimizer_variable *v)
{
    if (v->precise != NULL)
        return KRT_FLOAT64;
    return v->of != NULL && v->tensor->dtype == KRT_FLOAT32 ? krti_stored_dtype(v->of)
                                                            : v->tensor->dtype;
}

static krt_status add_variables(krti_save_list *l, const krti_optimizer *o, size_t *index)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; o != NULL && i < o->num_variables && st == KRT_OK; i++) {
        const krti_optimizer_variable *v = &o->variables[i];
        const krt_tensor *t = v->tensor;
        char key[24];

        snprintf(key, sizeof key, "%zu", (*index)++);
        const krti_save_array a = {.key = key,
                                   .dtype = krti_stored_optimizer_dtype(v),
                                   .shape = t->shape,
                                   .data = t->data,
                                   .data_dtype = t->dtype,
                                   .precise = v->precise != NULL ? v->precise->data : NULL};
        st = krti_save_list_add_array(l, &a);
    }
    return st == KRT_OK && o != NULL && o->inner != NULL ? add_variables(l, o->inner, index) : st;
}

static krt_status add_living(krti_save_list *l, const krti_optimizer *o)
{
    size_t index = 0;
    krt_status st = krti_save_list_add_object(l, PATH, o->name, KRTI_ROLE_OPTIMIZER);

    if (st != KRT_OK)
        return st;
    l->objects[l->num_objects - 1].has_seed = true;
    l->objects[l->num_objects - 1].seed = o->seed;
    TRY(add_variables(l, o, &index));
    if (o->inner == NULL)
        goto done;
    index = 0;
    TRY(krti_save_list_add_object(l, INNER_PATH, o->inner->name, KRTI_ROLE_OPTIMIZER));
    TRY(add_variables(l, o->inner, &index));

done:
    return st;
}

/* What is not read yet goes on as it lies; out of a form that has no such place it has to be read. */
krt_status krti_save_list_add_optimizer(krti_save_list *l, krt_model *m)
{
    krti_optimizer *o = krti_model_optimizer_now(m);
    krt_status st = KRT_OK;

    if (krti_compile_config(m) == NULL)
        return KRT_OK;
    const bool waits = o == NULL && m->saved != NULL,
               is_tree = waits && find_state(m->saved->store) != NULL;
    if (waits && (!is_tree || m->saved->is_keras2))
        st = krti_model_optimizer(m, &o);
    if (is_tree && o == NULL && st != KRT_E_NOMEM) /* as it is, also of a class nobody knows */
        return krti_save_list_add_optimizer_of(l, m->saved->store);
    return st == KRT_OK && o != NULL ? add_living(l, o) : st;
}
