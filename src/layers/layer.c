/* Making and freeing layers, their names, variables and inner layers. See layer.h. */
#include "layers/lookup.h"

#include <ctype.h>

/* ------------------------------------------------------------------------------- life */

/* When the context goes, it frees every layer itself. */
static void free_inner(krt_layer *l)
{
    for (size_t i = 0; !l->owned.k->is_closing && !l->shares_inner && i < l->num_inner; i++) {
        krti_owned *inner = &l->inner[i].layer->owned;

        krti_disown(inner);
        inner->destroy(inner);
    }
}

static void layer_destroy(void *self)
{
    krt_layer *l = self;
    krt_ctx *k = l->owned.k;

    if (l->fini != NULL)
        l->fini(l);
    krti_index_free(l->index);
    free_inner(l);
    for (size_t i = 0; i < l->num_variables; i++) {
        krt_variable *v = l->variables[i];

        if (i < 64 && (l->shared_variables >> i & 1) != 0) /* its owner frees it, or has */
            continue;
        if (!k->is_closing) { /* else the context frees the tensors, or has */
            krt_tensor_free(v->tensor);
            krt_tensor_free(v->precise);
        }
        krti_free(k, v);
    }
    if (!k->is_closing) {
        krt_tensor_free(l->seed);
        for (size_t i = 0; i < l->num_states; i++)
            krt_tensor_free(l->states[i]);
    }
    krti_free(k, l->states);
    krti_free(k, l->variables);
    krti_free(k, l->inner);
    krti_free(k, l->build_shapes);
    krti_arena_free(&l->arena);
    krti_free(k, l);
}

krt_layer *krti_layer_of_owned(krti_owned *o)
{
    return o->destroy == layer_destroy ? (krt_layer *)(void *)o : NULL;
}

krt_status krti_layer_alloc(krt_ctx *k, krt_layer **out, size_t size, const char *class_name)
{
    krt_layer *l = krti_alloc(k, size);
    const char *bare = strrchr(class_name, '>');

    *out = NULL;
    if (l == NULL)
        return KRT_E_NOMEM;
    l->arena = (krti_arena)KRTI_ARENA_INIT(k);
    l->trainable = true;
    l->trains_as = 3;
    l->dtype_policy = "float32";
    krti_own(k, &l->owned, layer_destroy);
    if (bare != NULL)
        l->package = krti_arena_strndup(&l->arena, class_name, (size_t)(bare - class_name));
    l->class_name = krti_arena_strdup(&l->arena, bare != NULL ? bare + 1 : class_name);
    if (l->class_name == NULL || (bare != NULL && l->package == NULL))
        return KRT_E_NOMEM;
    *out = l;
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- names */

/* re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2"), then ([a-z])([A-Z]) -> \1_\2, then lower case; non-word
 * characters go first. The first pattern consumes what it matches, which the loop follows. */
void krti_snake_case_text(char snake[KRTI_SNAKE_TEXT], const char *class_name)
{
    char word[KRTI_SNAKE_TEXT / 2];
    size_t n = 0, length = 0;

    for (const char *p = class_name; *p != '\0' && n + 1 < sizeof word; p++)
        if (isalnum((unsigned char)*p) || *p == '_' || (unsigned char)*p >= 0x80)
            word[n++] = *p;
    word[n] = '\0';
    for (size_t i = 0; i < n; i++) {
        const bool upper = isupper((unsigned char)word[i]) != 0;
        const bool run = upper && i + 1 < n && islower((unsigned char)word[i + 1]);
        const bool after_lower = upper && i > 0 && islower((unsigned char)word[i - 1]);

        if (i > 0 && (run || after_lower))
            snake[length++] = '_';
        snake[length++] = (char)tolower((unsigned char)word[i]);
    }
    snake[length] = '\0';
}

krt_status krti_snake_case(krti_str *s, const char *class_name)
{
    char snake[KRTI_SNAKE_TEXT];

    krti_snake_case_text(snake, class_name);
    return krti_str_add(s, snake);
}

krt_status krti_automatic_name(krt_ctx *k, krti_str *s, const char *class_name)
{
    krt_status st = KRT_OK;

    if (k->counters == NULL && (k->counters = krti_map_new(k)) == NULL)
        return KRT_E_NOMEM;
    TRY(krti_snake_case(s, class_name));
    const uintptr_t count = (uintptr_t)krti_map_get(k->counters, s->ptr);
    TRY(krti_map_set(k->counters, s->ptr, (void *)(count + 1)));
    if (count > 0)
        TRY(krti_str_addf(s, "_%zu", (size_t)count));

done:
    return st;
}

static krt_status automatic_name(krt_layer *l)
{
    krti_str s = KRTI_STR_INIT(l->owned.k);
    krt_status st = krti_automatic_name(l->owned.k, &s, l->class_name);

    if (st == KRT_OK) {
        l->name = krti_arena_strdup(&l->arena, s.ptr);
        st = l->name != NULL ? KRT_OK : KRT_E_NOMEM;
    }
    krti_str_free(&s);
    return st;
}

krt_status krti_layer_set_name(krt_layer *l, const char *name)
{
    if (name == NULL)
        return automatic_name(l);
    l->name = krti_arena_strdup(&l->arena, name);
    return l->name != NULL ? KRT_OK : KRT_E_NOMEM;
}

krt_status krti_layer_fail(const krt_layer *l, krt_status status, const char *format, ...)
{
    char text[KRTI_MESSAGE_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return krti_fail(l->owned.k, status, l->name != NULL ? l->name : l->class_name, "%s", text);
}

/* ------------------------------------------------------------------------------- contents */

static krt_status append_variable(krt_layer *l, krt_variable *v)
{
    const krt_status st = krti_grow(l->owned.k, &l->variables, &l->variables_capacity,
                                    l->num_variables + 1, sizeof(krt_variable *));

    if (st == KRT_OK)
        l->variables[l->num_variables++] = v;
    return st;
}

/* A tensor with a shape and no bytes yet: a file's mapping or an initializer brings them. */
static krt_status shape_tensor(krt_ctx *k, krt_tensor **out, krt_shape shape)
{
    static const float nothing = 0;
    const krt_status st = krt_tensor_wrap(k, out, KRT_FLOAT32, shape, &nothing);

    if (st == KRT_OK)
        (*out)->data = NULL;
    return st;
}

/* A description by macro lives as long as the block it stands in: the layer keeps a copy. One from a
 * file lives with the file's config. */
static krt_status keep_spec(krt_layer *l, const krt_spec **out, const krt_spec *spec)
{
    void *copy = NULL;

    *out = spec;
    if (spec == NULL || spec->struct_size == KRTI_CONF_SPEC)
        return KRT_OK;
    copy = krti_arena_alloc(&l->arena, spec->struct_size);
    if (copy == NULL)
        return KRT_E_NOMEM;
    memcpy(copy, spec, spec->struct_size);
    *out = copy;
    return KRT_OK;
}

krt_status krt_layer_add_weight(krt_layer *l, const char *name, krt_shape shape,
                                const krt_spec *initializer, bool trainable)
{
    krt_ctx *k = l->owned.k;
    char text[160];
    krt_status st = KRT_OK;

    if (!krti_shape_known(shape))
        return krti_layer_fail(l, KRT_E_INVALID, "weight %s would have the unknown shape %s", name,
                               krt_shape_print(shape, text, sizeof text));
    krt_variable *v = krti_alloc(k, sizeof *v);
    if (v == NULL)
        return KRT_E_NOMEM;
    v->layer = l;
    v->trainable = trainable;
    st = keep_spec(l, &v->initializer, initializer);
    v->name = krti_arena_strdup(&l->arena, name);
    if (st == KRT_OK)
        st = v->name != NULL ? shape_tensor(k, &v->tensor, shape) : KRT_E_NOMEM;
    if (st == KRT_OK)
        st = append_variable(l, v);
    if (st != KRT_OK) {
        krt_tensor_free(v->tensor);
        krti_free(k, v);
        return krti_fail_in_object(k, st, l->name);
    }
    return KRT_OK;
}

krt_status krti_layer_add_shared(krt_layer *l, krt_variable *v)
{
    KRTI_ASSERT(l->num_variables < 64);
    l->shared_variables |= UINT64_C(1) << l->num_variables;
    return append_variable(l, v);
}

krt_status krti_layer_add_inner(krt_layer *l, const char *attribute, bool in_list, krt_layer *inner)
{
    const krt_status st =
        krti_grow(l->owned.k, &l->inner, &l->inner_capacity, l->num_inner + 1, sizeof *l->inner);

    if (st == KRT_OK)
        l->inner[l->num_inner++] = (krti_inner){attribute, in_list, inner};
    if (krti_class_hooks(l->cls)->to_object == NULL) /* no model */
        inner->outer = l;
    return st;
}

krt_variable *krti_layer_variable(const krt_layer *l, const char *name)
{
    for (size_t i = 0; i < l->num_variables; i++)
        if (strcmp(l->variables[i]->name, name) == 0)
            return l->variables[i];
    return NULL;
}

bool krti_variable_trains(const krt_variable *v)
{
    return v->trainable && !v->is_fixed && v->layer->trainable;
}

krt_layer *krti_layer_inner(const krt_layer *l, const char *attribute)
{
    for (size_t i = 0; i < l->num_inner; i++)
        if (strcmp(l->inner[i].attribute, attribute) == 0)
            return l->inner[i].layer;
    return NULL;
}

/* A layer may stand under two attributes; it counts where it is first. A list holds each once. */
static bool seen_before(const krt_layer *l, size_t i)
{
    if (l->inner[i].in_list)
        return false;
    for (size_t j = 0; j < i; j++)
        if (l->inner[j].layer == l->inner[i].layer)
            return true;
    return false;
}

static bool is_shared(const krt_layer *outer, const krt_variable *v)
{
    for (size_t i = 0; outer != NULL && i < outer->num_variables; i++)
        if (outer->variables[i] == v)
            return true;
    return false;
}

/* What the layer around has among its own variables (krti_layer_add_shared) counts there. */
static krt_status each_variable(const krt_layer *l, const krt_layer *outer, krti_variable_fn fn,
                                void *user)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < l->num_variables; i++)
        if (!is_shared(outer, l->variables[i]) && !l->variables[i]->is_table)
            st = fn(user, l->variables[i]);
    for (size_t i = 0; st == KRT_OK && i < l->num_inner; i++)
        if (!seen_before(l, i))
            st = each_variable(l->inner[i].layer, l, fn, user);
    return st;
}

krt_status krti_layer_each_variable(const krt_layer *l, krti_variable_fn fn, void *user)
{
    return each_variable(l, NULL, fn, user);
}

static krt_status initialize_one(void *user, krt_variable *v)
{
    (void)user;
    return v->tensor->data != NULL ? KRT_OK : krti_initialize(v);
}

krt_status krti_layer_initialize(krt_layer *l)
{
    return krti_layer_each_variable(l, initialize_one, NULL);
}

/* ------------------------------------------------------------------------------- public */

const char *krt_layer_name(const krt_layer *l)
{
    return l->name;
}

const char *krt_layer_class_name(const krt_layer *l)
{
    return l->class_name;
}

bool krt_layer_trainable(const krt_layer *l)
{
    return l->trainable;
}

typedef struct counting {
    size_t n, wanted;
    krt_variable *found;
} counting;

static krt_status count_one(void *user, krt_variable *v)
{
    counting *c = user;

    if (c->n++ == c->wanted)
        c->found = v;
    return KRT_OK;
}

size_t krt_layer_num_weights(const krt_layer *l)
{
    counting c = {0, SIZE_MAX, NULL};

    (void)krti_layer_each_variable(l, count_one, &c);
    return c.n;
}

krt_variable *krt_layer_weight(const krt_layer *l, size_t i)
{
    counting c = {0, i, NULL};

    (void)krti_layer_each_variable(l, count_one, &c);
    return c.found;
}

const char *krt_variable_path(const krt_variable *v)
{
    krt_variable *mutable_v = (krt_variable *)(uintptr_t)v;
    size_t at = strlen(v->name);

    if (v->path != NULL)
        return v->path;
    for (const krt_layer *l = v->layer; l != NULL; l = l->outer)
        at += strlen(l->name) + 1;
    mutable_v->path = krti_arena_alloc(&v->layer->arena, at + 1);
    if (v->path == NULL)
        return v->name;
    at -= strlen(v->name);
    memcpy(v->path + at, v->name, strlen(v->name) + 1);
    for (const krt_layer *l = v->layer; l != NULL; l = l->outer) {
        const size_t n = strlen(l->name);

        v->path[--at] = '/';
        at -= n;
        memcpy(v->path + at, l->name, n);
    }
    return v->path;
}

krt_shape krt_variable_shape(const krt_variable *v)
{
    return v->tensor->shape;
}

krt_dtype krt_variable_dtype(const krt_variable *v)
{
    return v->tensor->dtype;
}

const void *krt_variable_data(const krt_variable *v)
{
    krt_tensor *t = v->tensor;

    if (t->data != NULL && !krti_tensor_is_aligned(t) && krti_tensor_align(t) != KRT_OK)
        return NULL;
    return t->data;
}
