/* The list, made of a model or of an open file. See save_list.h. */
#include "saving/save_list.h"

#include "layers/lora.h"
#include "saving/walk.h"

krt_status krti_save_list_new(krt_ctx *k, krti_save_list **out)
{
    krti_save_list *l = krti_alloc(k, sizeof *l);

    *out = l;
    if (l == NULL)
        return KRT_E_NOMEM;
    l->k = k;
    l->arena = (krti_arena)KRTI_ARENA_INIT(k);
    return KRT_OK;
}

void krti_save_list_free(krti_save_list *l)
{
    if (l == NULL)
        return;
    krti_arena_free(&l->arena);
    krti_free(l->k, l->objects);
    krti_free(l->k, l->arrays);
    krti_free(l->k, l);
}

krt_status krti_save_list_add_object(krti_save_list *l, const char *path, const char *name,
                                     krti_role role)
{
    krti_save_object o = {.role = role, .first = l->num_arrays};
    krt_status st = KRT_OK;

    o.path = krti_arena_strdup(&l->arena, path);
    o.name = name != NULL ? krti_arena_strdup(&l->arena, name) : NULL;
    if (o.path == NULL || (name != NULL && o.name == NULL))
        return KRT_E_NOMEM;
    TRY(krti_grow(l->k, &l->objects, &l->objects_capacity, l->num_objects + 1, sizeof *l->objects));
    l->objects[l->num_objects++] = o;

done:
    return st;
}

krt_status krti_save_list_add_array(krti_save_list *l, const krti_save_array *a)
{
    krti_save_array copy = *a;
    size_t size = 0;
    krt_status st = KRT_OK;

    copy.key = krti_arena_strdup(&l->arena, a->key);
    if (copy.key == NULL)
        return KRT_E_NOMEM;
    if (!krti_shape_bytes(a->shape, a->dtype, &size))
        return krti_fail(l->k, KRT_E_UNSUPPORTED, a->key, "an array without a shape");
    copy.size_bytes = size;
    TRY(krti_grow(l->k, &l->arrays, &l->arrays_capacity, l->num_arrays + 1, sizeof *l->arrays));
    l->arrays[l->num_arrays++] = copy;
    l->objects[l->num_objects - 1].num++;

done:
    return st;
}

/* ------------------------------------------------------------------------------- of a model */

/* A layer nobody knows may have weights, and this model does not have them. */
static krt_status check_known(const krt_layer *l)
{
    const krt_model *m = krti_model_of(l);

    if (l->cls != NULL && (m == NULL || m->is_sequential || m->is_functional))
        return KRT_OK;
    return krti_layer_fail(l, KRT_E_UNKNOWN_CLASS,
                           "Could not locate class '%s': the model does not hold this layer's "
                           "weights, so saving it would lose them. Convert its file instead, which "
                           "needs no class: keratin convert IN OUT",
                           l->class_name);
}

krt_dtype krti_stored_dtype(const krt_variable *v)
{
    const krt_dtype policy = krt_dtype_from_name(v->layer->dtype_policy);

    /* The one weight with a dtype of its own: how much Normalization has seen. */
    if (strcmp(v->layer->class_name, "Normalization") == 0 && strcmp(v->name, "count") == 0)
        return KRT_INT64;
    return v->tensor->dtype == KRT_FLOAT32 && krti_dtype_is_float(policy) ? policy
                                                                          : v->tensor->dtype;
}

static void refine(const float *now, const unsigned char *precise, size_t n, double *to)
{
    for (size_t i = 0; i < n; i++) {
        double old;

        memcpy(&old, precise + i * sizeof old, sizeof old);
        const float rounded = (float)old;
        if (memcmp(&rounded, &now[i], sizeof rounded) == 0)
            to[i] = old;
    }
}

void krti_stored_values(const void *data, krt_dtype data_dtype, const void *precise, size_t first,
                        size_t n, void *to, krt_dtype dtype)
{
    const unsigned char *from = (const unsigned char *)data + first * krt_dtype_size(data_dtype);

    krti_convert(to, dtype, from, data_dtype, n);
    if (precise != NULL && dtype == KRT_FLOAT64 && data_dtype == KRT_FLOAT32)
        refine((const float *)data + first, (const unsigned char *)precise + first * sizeof(double),
               n, to);
}

static krt_status add_layer(void *user, const char *path, krt_layer *layer,
                            krt_variable *const *vars, size_t n)
{
    krti_save_list *l = user;
    krt_status st = KRT_OK;

    TRY(check_known(layer));
    TRY(krti_save_list_add_object(l, path, layer->name, KRTI_ROLE_WEIGHT));
    for (size_t i = 0; i < n; i++) {
        const krt_tensor *t = vars[i]->tensor;
        const void *data = krti_lora_merged(&l->arena, vars[i]);
        const bool is_own = data == t->data;
        char key[24];

        if (data == NULL)
            TRY(KRT_E_NOMEM);
        snprintf(key, sizeof key, "%zu", i);
        const krti_save_array a = {
            .key = vars[i]->is_table ? vars[i]->name : key,
            .dtype = krti_stored_dtype(vars[i]),
            .shape = t->shape,
            .data = data,
            .data_dtype = t->dtype,
            .source = is_own ? t->source : NULL,
            .precise = is_own && vars[i]->precise != NULL ? vars[i]->precise->data : NULL};
        TRY(krti_save_list_add_array(l, &a));
    }

done:
    return st;
}

krt_status krti_save_list_add_model(krti_save_list *l, krt_model *m, bool must_be_built)
{
    const krti_walk walk = {.each = add_layer, .user = l, .counts_visited = true};
    krt_status st = m->failed;

    if (st == KRT_OK)
        st = krti_walk_check_whole(m);
    if (st != KRT_OK)
        return st;
    if (must_be_built && krti_walk_is_unbuilt(&m->base))
        return krti_fail(l->k, KRT_E_STATE, m->base.name,
                         "You are saving a model that has not yet been built. Give it an input "
                         "first: krt_add_input()");
    TRY(krti_layer_initialize(&m->base));
    TRY(krti_walk_model(m, &walk));

done:
    return st;
}

/* ------------------------------------------------------------------------------- of a store */

/* The `vars` group of a path in the first file that has it; *h5 NULL: none has. */
static krt_status find_vars(krti_store *s, const char *path, krti_h5 **h5, krti_h5_object *group)
{
    krti_str full = KRTI_STR_INIT(s->k);
    bool found = false;
    krt_status st = krti_store_join(&full, path, "vars");

    *h5 = NULL;
    for (size_t i = 0; i < s->num_files && st == KRT_OK && !found; i++) {
        if (s->files[i].h5 == NULL)
            continue;
        st = krti_h5_find(s->files[i].h5, krti_h5_root(s->files[i].h5), full.ptr, group, &found);
        if (found)
            *h5 = s->files[i].h5;
    }
    krti_str_free(&full);
    return st;
}

/* The name beside an object's `vars`, when the file has one. */
static krt_status name_of(krti_store *s, const krti_store_object *o, char **name)
{
    krti_h5_object group;
    krti_h5 *h5 = NULL;
    size_t length = 0;
    bool found = false;
    krt_status st = find_vars(s, o->path, &h5, &group);

    *name = NULL;
    if (st == KRT_OK && h5 != NULL)
        st = krti_h5_attribute_text(h5, group, "name", name, &length, &found);
    return st;
}

krt_status krti_store_seed(krti_store *s, uint64_t *seed, bool *found)
{
    krti_h5_object group;
    krti_h5 *h5 = NULL;
    int64_t value = 0;
    krt_status st = find_vars(s, "optimizer", &h5, &group);

    *found = false;
    if (st == KRT_OK && h5 != NULL)
        st = krti_h5_attribute_int(h5, group, KRTI_SEED_ATTRIBUTE, &value, found);
    if (*found)
        *seed = (uint64_t)value;
    return st;
}

/* Whether the object is a `vars` group, and no dataset that lies elsewhere. */
static bool is_of_tree(const krti_store *s, const krti_store_object *o)
{
    const char *entry = o->num > 0 ? s->arrays[o->first].entry : "";
    char tail[64];

    snprintf(tail, sizeof tail, "vars/%.50s", o->num > 0 ? s->arrays[o->first].key : "");
    return o->num == 0 || krti_ends_with(entry, tail);
}

static krt_status add_stored(krti_save_list *l, krti_store *s, const krti_store_object *o)
{
    char *name = NULL;
    krt_status st = name_of(s, o, &name);

    if (st == KRT_OK)
        st = krti_save_list_add_object(l, o->path, name, o->role);
    krti_free(l->k, name);
    if (st == KRT_OK && strcmp(o->path, "optimizer") == 0) {
        krti_save_object *added = &l->objects[l->num_objects - 1];

        st = krti_store_seed(s, &added->seed, &added->has_seed);
    }
    for (size_t i = o->first; i < o->first + o->num && st == KRT_OK; i++) {
        const krti_store_array *from = &s->arrays[i];
        const krti_save_array a = {
            .key = from->key, .dtype = from->dtype, .shape = from->shape, .store_array = i};

        if (from->dtype == KRT_DTYPE_NONE || from->shape.rank < 0)
            st = krti_fail(l->k, KRT_E_UNSUPPORTED, from->entry,
                           "the array has a type or a number of axes that is none of Keras's");
        else
            st = krti_save_list_add_array(l, &a);
    }
    return st;
}

bool krti_save_list_takes(const krti_store *s)
{
    return s != NULL && !s->is_legacy && !s->has_paths && s->checkpoint == NULL;
}

krt_status krti_save_list_add_store(krti_save_list *l, krti_store *s, bool include_optimizer)
{
    krt_status st = KRT_OK;

    if (s->is_legacy)
        return krti_fail(
            l->k, KRT_E_UNSUPPORTED, NULL,
            "the weights lie in lists by layer, which only a model puts into Keras 3's "
            "tree");
    l->store = s;
    for (size_t i = 0; i < s->num_objects && st == KRT_OK; i++) {
        const krti_store_object *o = &s->objects[i];

        if (is_of_tree(s, o) && (include_optimizer || o->role != KRTI_ROLE_OPTIMIZER))
            st = add_stored(l, s, o);
    }
    return st;
}

krt_status krti_save_list_add_optimizer_of(krti_save_list *l, krti_store *s)
{
    krt_status st = KRT_OK;

    l->store = s;
    for (size_t i = 0; i < s->num_objects && st == KRT_OK; i++)
        if (s->objects[i].role == KRTI_ROLE_OPTIMIZER && is_of_tree(s, &s->objects[i]))
            st = add_stored(l, s, &s->objects[i]);
    return st;
}
