/* Making optimizers, their variables and the model's compile settings. See optimizer.h. */
#include "base/number.h"
#include "training/object.h"
#include "training/update.h"

/* ------------------------------------------------------------------------------- variables */

enum { KEY_SIZE = 64 };

/* What an optimizer's variable is found by. */
static const char *key_of(char key[KEY_SIZE], const char *slot, const krt_variable *of)
{
    snprintf(key, KEY_SIZE, "%p %s", (const void *)of, slot);
    return key;
}

krti_optimizer_variable *krti_optimizer_find(const krti_optimizer *o, const char *slot,
                                             const krt_variable *of)
{
    char key[KEY_SIZE];
    const uintptr_t found = (uintptr_t)krti_map_get(o->places, key_of(key, slot, of));

    return found > 0 && found <= o->num_variables ? &o->variables[found - 1] : NULL;
}

krt_status krti_optimizer_add(krti_optimizer *o, const char *path, const char *slot,
                              const krt_variable *of, krt_shape shape, krt_dtype dtype,
                              double initial)
{
    krti_str text = KRTI_STR_INIT(o->k);
    krti_optimizer_variable v = {.slot = slot, .of = of};
    void *const place = (void *)(uintptr_t)(o->num_variables + 1);
    char key[KEY_SIZE];
    krt_status st = KRT_OK;

    TRY(krti_str_addf(&text, "%s/%s", o->name, path));
    v.path = krti_arena_strdup(&o->arena, text.ptr);
    if (v.path == NULL)
        TRY(KRT_E_NOMEM);
    TRY(krti_grow(o->k, &o->variables, &o->capacity, o->num_variables + 1, sizeof *o->variables));
    if (o->places == NULL && (o->places = krti_map_new(o->k)) == NULL)
        TRY(KRT_E_NOMEM);
    if (!krti_map_has(o->places, key_of(key, slot, of)))
        TRY(krti_map_set(o->places, key, place));
    TRY(krt_tensor_new(o->k, &v.tensor, dtype, shape));
    if (initial != 0)
        for (int64_t i = 0, n = krt_shape_size(shape); i < n; i++)
            krti_convert((char *)v.tensor->data + (size_t)i * krt_dtype_size(dtype), dtype,
                         &initial, KRT_FLOAT64, 1);
    o->variables[o->num_variables++] = v;

done:
    krti_str_free(&text);
    return st;
}

bool krti_is_placeholder(const krti_optimizer_variable *v)
{
    return v->of != NULL && v->tensor->shape.rank == 0 && v->of->tensor->shape.rank > 0;
}

bool krti_is_of_keras3(const krti_optimizer_variable *v)
{
    return krti_is_placeholder(v) || strcmp(v->slot, "gradient_accumulator") == 0;
}

const char *krti_optimizer_tf_slot(const krti_optimizer *o, const char *slot, bool is_legacy)
{
    for (size_t i = 0; i < o->cls->num_states; i++) {
        const krti_state_kind *s = &o->cls->states[i];
        const char *const word = is_legacy ? s->tf_legacy : s->tf_slot;

        if (strcmp(s->slot, slot) == 0)
            return word != NULL ? word : slot;
    }
    return slot;
}

krti_optimizer_variable *krti_optimizer_find_legacy(const krti_optimizer *o, const char *word,
                                                    const krt_variable *of)
{
    for (size_t i = 0; i < o->cls->num_states; i++) {
        const char *const slot = o->cls->states[i].slot;

        if (strcmp(krti_optimizer_tf_slot(o, slot, true), word) == 0)
            return krti_optimizer_find(o, slot, of);
    }
    return krti_optimizer_find(o, word, of); /* of no class alone: an average */
}

/* For the i-th trainable variable, whose path with "_" for "/" begins the slot's. */
static krt_status add_slot(krti_optimizer *o, const krti_state_kind *kind, size_t i)
{
    krt_variable *v = o->trainable[i];
    krt_shape shape = v->tensor->shape;
    krt_dtype dtype = v->tensor->dtype;
    krti_str path = KRTI_STR_INIT(o->k);
    krt_status st = KRT_OK;

    if (kind->shape != NULL)
        shape = kind->shape(shape, &dtype);
    if (kind->is_plain)
        TRY(krti_str_add(&path, v->name));
    else
        TRY(krti_str_addf(&path, "%s_%s", o->flat_paths[i], kind->slot));
    TRY(krti_optimizer_add(o, path.ptr, kind->slot, v, shape, dtype,
                           kind->initial != NULL ? kind->initial(o->args) : 0));
    if (kind->copies && krt_variable_data(v) != NULL)
        memcpy(o->variables[o->num_variables - 1].tensor->data, v->tensor->data,
               v->tensor->size_bytes);

done:
    krti_str_free(&path);
    return st;
}

/* One group of slots, variable by variable. */
static krt_status add_group(krti_optimizer *o, int group)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; i < o->num_trainable; i++) {
        for (size_t s = 0; st == KRT_OK && s < o->cls->num_states; s++) {
            const krti_state_kind *kind = &o->cls->states[s];

            if (kind->group == group &&
                (kind->is_used == NULL || kind->is_used(o->args, o->trainable[i])))
                st = add_slot(o, kind, i);
        }
    }
    return st;
}

static krt_status add_base_slots(krti_optimizer *o)
{
    static const krti_state_kind average = {.slot = "average"};
    static const krti_state_kind accumulator = {.slot = "gradient_accumulator"};
    const krti_optimizer_args *a = o->args;
    krt_status st = KRT_OK;

    if (o->inner != NULL)
        return KRT_OK;
    for (size_t i = 0; st == KRT_OK && a->use_ema && i < o->num_trainable; i++)
        st = add_slot(o, &average, i);
    if (a->gradient_accumulation_steps != KRT_NONE && a->gradient_accumulation_steps != 0)
        for (size_t i = 0; st == KRT_OK && i < o->num_trainable; i++)
            st = add_slot(o, &accumulator, i);
    return st;
}

/* ------------------------------------------------------------------------------- trainable */

typedef struct collecting {
    krt_ctx *k;
    krti_arena *arena; /* of the paths */
    const krt_model *model;
    bool as_noted; /* what the model notes, else what is trained now */
    krti_map *seen;
    krt_variable **items;
    const char **paths; /* Keras's, with "_" for "/": "dense_kernel" */
    size_t n, capacity, paths_capacity;
} collecting;

/* The layers of a Sequential are built in its scope. */
static krt_status take_variable(collecting *c, krt_variable *v, const krt_model *own)
{
    krti_str path = KRTI_STR_INIT(c->k);
    char key[24];
    krt_status st = KRT_OK;

    snprintf(key, sizeof key, "%p", (void *)v);
    if (krti_map_has(c->seen, key))
        return KRT_OK;
    TRY(krti_map_set(c->seen, key, v));
    if (own->is_sequential)
        krti_str_addf(&path, "%s_", own->base.name);
    TRY(krti_str_add(&path, krt_variable_path(v)));
    for (size_t i = 0; i < path.length; i++)
        if (path.ptr[i] == '/')
            path.ptr[i] = '_';
    TRY(krti_grow(c->k, &c->items, &c->capacity, c->n + 1, sizeof *c->items));
    TRY(krti_grow(c->k, &c->paths, &c->paths_capacity, c->n + 1, sizeof *c->paths));
    c->paths[c->n] = krti_arena_strdup(c->arena, path.ptr);
    if (c->paths[c->n] == NULL)
        TRY(KRT_E_NOMEM);
    c->items[c->n++] = v;

done:
    krti_str_free(&path);
    return st;
}

static bool is_among(krt_variable *const *items, size_t n, const krt_variable *v)
{
    for (size_t i = 0; i < n; i++)
        if (items[i] == v)
            return true;
    return false;
}

static bool counts(const collecting *c, const krt_variable *v)
{
    const struct krti_trained *noted = &c->model->trained;

    return c->as_noted ? is_among(noted->items, noted->n, v) : krti_variable_trains(v);
}

/* A layer's own variables, then its inner layers'. A layer that is thawed in a frozen one is trained, but
 * in a frozen model none is, and for tf.keras none in whatever is frozen. A layer shared by two places
 * counts where it is first. */
static krt_status collect(collecting *c, krt_layer *l, const krt_model *own)
{
    const krt_model *const m = krti_model_of(l);
    krt_status st = KRT_OK;

    if (!c->as_noted && !l->trainable && (l == &c->model->base || c->model->base.trains_as < 3))
        return KRT_OK;
    for (size_t i = 0; i < l->num_variables; i++)
        if (l->variables[i]->layer == l && counts(c, l->variables[i]))
            TRY(take_variable(c, l->variables[i], own));
    for (size_t i = 0; i < l->num_inner; i++)
        TRY(collect(c, l->inner[i].layer, m != NULL ? m : own));

done:
    return st;
}

static void collecting_free(collecting *c)
{
    krti_free(c->k, c->items);
    krti_free(c->k, c->paths);
}

/* model.trainable_variables in Keras's order; the caller frees. */
static krt_status find_trainable(collecting *c, krt_model *m, krti_arena *paths, bool as_noted)
{
    *c = (collecting){.k = m->base.owned.k, .arena = paths, .model = m, .as_noted = as_noted};
    c->seen = krti_map_new(c->k);
    const krt_status st = c->seen != NULL ? collect(c, &m->base, m) : KRT_E_NOMEM;

    krti_map_free(c->seen);
    return st;
}

krt_status krti_note_trained(krt_model *m)
{
    krti_arena paths = KRTI_ARENA_INIT(m->base.owned.k);
    collecting c;
    const krt_status st = find_trainable(&c, m, &paths, false);

    if (st == KRT_OK) {
        krti_free(c.k, m->trained.items);
        m->trained = (struct krti_trained){.is_known = true, .items = c.items, .n = c.n};
        c.items = NULL;
    }
    collecting_free(&c);
    krti_arena_free(&paths);
    return st;
}

static krt_status refuse_unknown(const krti_optimizer *o, const krt_variable *v)
{
    char shape[160];

    return krti_fail(o->k, KRT_E_STATE, krt_variable_path(v),
                     "Unknown variable: <Variable path=%s, shape=%s, dtype=%s>. This optimizer can "
                     "only be called for the variables it was originally built with: krt_compile() "
                     "the model again after thawing a layer or enabling LoRA",
                     krt_variable_path(v), krt_shape_print(v->tensor->shape, shape, sizeof shape),
                     krt_dtype_name(v->tensor->dtype));
}

krt_status krti_optimizer_trains(const krti_optimizer *o, krt_model *m, bool *trains, size_t *num)
{
    const krti_optimizer_args *a = o->args;
    krti_arena paths = KRTI_ARENA_INIT(o->k);
    collecting c;
    krt_status st = find_trainable(&c, m, &paths, false);

    for (size_t i = 0; st == KRT_OK && i < c.n; i++)
        if (!is_among(o->trainable, o->num_trainable, c.items[i]))
            st = refuse_unknown(o, c.items[i]);
    for (size_t i = 0; st == KRT_OK && i < o->num_trainable; i++)
        trains[i] = is_among(c.items, c.n, o->trainable[i]);
    *num = c.n;
    if (st == KRT_OK && a->use_ema && c.n != o->num_trainable)
        st = krti_fail(
            o->k, KRT_E_STATE, NULL,
            "The length of model variables (%zu) to override does not match the length of "
            "model variables stored in the optimizer (%zu): krt_compile() the model again "
            "after freezing a layer",
            c.n, o->num_trainable);
    collecting_free(&c);
    krti_arena_free(&paths);
    return st;
}

/* What the optimizer is built for: as noted when its file was read, else as it is now. */
static krt_status take_trainable(krti_optimizer *o, krt_model *m)
{
    collecting c;
    krt_status st = KRT_OK;

    if (!m->trained.is_known)
        st = krti_note_trained(m);
    if (st != KRT_OK)
        return st;
    st = find_trainable(&c, m, &o->arena, true);
    o->trainable = c.items;
    o->flat_paths = c.paths;
    o->num_trainable = c.n;
    return st;
}

/* ------------------------------------------------------------------------------- building */

krt_status krti_optimizer_build(krti_optimizer *o, krt_model *m)
{
    enum { LAST_GROUP = 2 };
    krt_status st = KRT_OK;

    if (o->is_built)
        return KRT_OK;
    TRY(krti_layer_initialize(&m->base));
    TRY(take_trainable(o, m));
    if (o->inner != NULL)
        TRY(krti_optimizer_build(o->inner, m));
    TRY(add_base_slots(o));
    for (int group = 0; group <= LAST_GROUP; group++)
        TRY(add_group(o, group));
    if (o->cls->build != NULL)
        TRY(o->cls->build(o));
    o->is_built = true;

done:
    return st;
}

/* ------------------------------------------------------------------------------- making */

/* As Python says it. */
static const char *said(char text[KRTI_NUMBER_TEXT], double value)
{
    return isnan(value) ? "None" : krti_number_repr(text, KRTI_NUMBER_TEXT, value);
}

static krt_status check_base(krt_ctx *k, const krti_optimizer_args *a)
{
    const int clips = !isnan(a->clipnorm) + !isnan(a->clipvalue) + !isnan(a->global_clipnorm);
    char norm[KRTI_NUMBER_TEXT], value[KRTI_NUMBER_TEXT], global[KRTI_NUMBER_TEXT];

    if (clips > 1)
        return krti_fail(k, KRT_E_INVALID, NULL,
                         "Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set. "
                         "Received: clipnorm=%s, clipvalue=%s, global_clipnorm=%s",
                         said(norm, a->clipnorm), said(value, a->clipvalue),
                         said(global, a->global_clipnorm));
    if (a->gradient_accumulation_steps != KRT_NONE && a->gradient_accumulation_steps != 0 &&
        a->gradient_accumulation_steps < 2)
        return krti_fail(k, KRT_E_INVALID, NULL,
                         "`gradient_accumulation_steps` must be an integer >= 2. Received: "
                         "gradient_accumulation_steps=%lld",
                         (long long)a->gradient_accumulation_steps);
    if (a->use_ema && !(a->ema_momentum >= 0 && a->ema_momentum <= 1))
        return krti_fail(k, KRT_E_INVALID, NULL,
                         "`ema_momentum` must be in the range [0, 1]. Received: ema_momentum=%g",
                         a->ema_momentum);
    if (a->use_ema && a->ema_overwrite_frequency != KRT_NONE && a->ema_overwrite_frequency < 1)
        return krti_fail(k, KRT_E_INVALID, NULL,
                         "`ema_overwrite_frequency` must be an integer >= 1 or None. Received: "
                         "ema_overwrite_frequency=%lld",
                         (long long)a->ema_overwrite_frequency);
    return KRT_OK;
}

static krt_status take_name(krti_optimizer *o, const char *name)
{
    krti_str s = KRTI_STR_INIT(o->k);
    krt_status st = KRT_OK;

    if (name == NULL) {
        st = krti_automatic_name(o->k, &s, o->class_name);
        name = krti_str_text(&s);
    }
    if (st == KRT_OK) {
        o->name = krti_arena_strdup(&o->arena, name);
        st = o->name != NULL ? KRT_OK : KRT_E_NOMEM;
    }
    krti_str_free(&s);
    return st;
}

static krt_status add_own_variables(krti_optimizer *o, double rate)
{
    const krt_shape scalar = {.rank = 0};
    krt_status st = krti_optimizer_add(o, "iteration", "iteration", NULL, scalar, KRT_INT64, 0);

    if (st != KRT_OK)
        return st;
    o->iteration = o->variables[0].tensor;
    if (o->schedule == NULL) {
        st = krti_optimizer_add(o, "learning_rate", "learning_rate", NULL, scalar, KRT_FLOAT32,
                                rate);
        if (st == KRT_OK)
            o->learning_rate = o->variables[1].tensor;
    }
    o->first_slot = o->num_variables;
    return st;
}

static const krti_conf *object_of(const krt_spec *spec)
{
    return spec != NULL ? krti_spec_conf(spec) : NULL;
}

static krt_status take_args(krti_optimizer *o, krt_model *m)
{
    krt_status st = KRT_OK;

    if (o->cls->check != NULL)
        TRY(o->cls->check(o->k, o->args));
    if (strcmp(o->class_name, "LossScaleOptimizer") == 0) {
        const krt_loss_scale_optimizer_args *a = o->args;
        krti_conf *name = krti_conf_string(&o->arena, a->inner_optimizer->class_name);
        const krti_conf *inner = object_of(a->inner_optimizer);

        TRY(take_name(o, a->name));
        TRY(krti_optimizer_from_conf(m, &o->inner, inner != NULL ? inner : name));
        TRY(add_own_variables(o, 0));
        return KRT_OK;
    }
    const krti_optimizer_args *a = o->args;
    TRY(check_base(o->k, a));
    TRY(take_name(o, a->name));
    if (object_of(a->schedule) != NULL)
        TRY(krti_schedule_read(m, &o->arena, object_of(a->schedule), &o->schedule));
    TRY(add_own_variables(o, a->learning_rate));

done:
    return st;
}

krt_status krti_optimizer_from_conf(krt_model *m, krti_optimizer **out, const krti_conf *object)
{
    krt_ctx *k = m->base.owned.k;
    krti_optimizer *o = krti_alloc(k, sizeof *o);
    const krt_layer_class *cls = NULL;
    const krti_conf *config = NULL;
    krti_conf *copy = NULL;
    krt_status st = KRT_OK;

    *out = NULL;
    if (o == NULL)
        return KRT_E_NOMEM;
    o->k = k;
    o->arena = (krti_arena)KRTI_ARENA_INIT(k);
    o->seed = k->seed;
    copy = krti_conf_copy(&o->arena, object);
    if (copy == NULL)
        TRY(KRT_E_NOMEM);
    TRY(krti_object_find(k, &krti_optimizers, copy, &cls, &config));
    o->cls = krti_optimizer_class_of(cls);
    o->class_name = cls->name;
    TRY(krti_object_read(&m->base, &o->arena, cls, config, &o->args));
    TRY(take_args(o, m));
    o->config = copy;
    if (config == NULL || krti_conf_is_null(krti_conf_get(config, "name"))) {
        TRY(krti_object_to_conf(k, &o->arena, &krti_optimizers, cls, o->args, o->name, &copy));
        o->config = copy;
    }
    *out = o;
    o = NULL;

done:
    krti_optimizer_free(o);
    return st;
}

krt_status krti_optimizer_scale_loss(krt_model *m, krti_optimizer *o)
{
    const krti_conf_spec own = {{KRTI_CONF_SPEC, o->class_name}, o->config};
    krti_arena a = KRTI_ARENA_INIT(o->k);
    krti_optimizer *outer = NULL;
    krti_conf *object = NULL;
    krt_status st = KRT_OK;

    TRY(krti_spec_to_conf(o->k, &a, &krti_optimizers,
                          KRT_LOSS_SCALE_OPTIMIZER(&own.spec, .name = "loss_scale_optimizer"),
                          &object));
    TRY(krti_optimizer_from_conf(m, &outer, object));
    const krti_optimizer inner = *o;
    *o = *outer;
    *outer = inner;

done:
    krti_optimizer_free(outer);
    krti_arena_free(&a);
    return st;
}

void krti_optimizer_free(krti_optimizer *o)
{
    if (o == NULL)
        return;
    krti_optimizer_free(o->inner);
    for (size_t i = 0; !o->k->is_closing && i < o->num_variables; i++) {
        krt_tensor_free(o->variables[i].tensor);
        krt_tensor_free(o->variables[i].precise);
    }
    krti_map_free(o->places);
    krti_free(o->k, o->variables);
    krti_free(o->k, o->trainable);
    krti_free(o->k, o->flat_paths);
    krti_arena_free(&o->arena);
    krti_free(o->k, o);
}

krt_status krti_optimizer_to_conf(const krti_optimizer *o, krti_arena *a, krti_conf **out)
{
    krti_conf *object = krti_conf_copy(a, o->config), *inner = NULL;
    krti_conf *config = (krti_conf *)(uintptr_t)krti_conf_get(object, "config");
    krt_status st = KRT_OK;

    *out = object;
    if (object == NULL)
        return KRT_E_NOMEM;
    if (o->inner != NULL) {
        TRY(krti_optimizer_to_conf(o->inner, a, &inner));
        TRY(krti_conf_set(a, config, "inner_optimizer", inner));
    } else if (o->learning_rate != NULL) {
        TRY(krti_conf_set(a, config, "learning_rate",
                          krti_conf_float(a, *(const float *)o->learning_rate->data)));
    }

done:
    return st;
}

float krti_optimizer_rate(const krti_optimizer *o)
{
    const int64_t calls = *(const int64_t *)o->iteration->data;

    if (o->inner != NULL)
        return krti_optimizer_rate(o->inner);
    return o->learning_rate != NULL ? *(const float *)o->learning_rate->data
                                    : krti_schedule_at(o->schedule, calls);
}

int64_t krti_optimizer_iterations(const krti_optimizer *o)
{
    const int64_t calls = *(const int64_t *)o->iteration->data;

    if (o->inner != NULL)
        return krti_optimizer_iterations(o->inner);
    const int64_t steps = ((const krti_optimizer_args *)o->args)->gradient_accumulation_steps;
    return steps != KRT_NONE && steps > 0 ? calls / steps : calls;
}
