/* Making callbacks and calling their hooks. See callback.h. */
#include "training/callback.h"

/* ------------------------------------------------------------------------------- making */

static const krti_callback_class *find(const char *name)
{
    for (const krti_callback_class *const *c = krti_callback_classes; *c != NULL; c++)
        if (strcmp((*c)->base.name, name) == 0)
            return *c;
    return NULL;
}

static const krt_layer_class *find_base(const char *name)
{
    const krti_callback_class *const cls = find(name);

    return cls != NULL ? &cls->base : NULL;
}

static const krt_layer_class *at(size_t i)
{
    size_t n = 0;

    while (krti_callback_classes[n] != NULL)
        n++;
    return i < n ? &krti_callback_classes[i]->base : NULL;
}

const krti_family krti_callback_family = {"callback", "keras.callbacks", find_base, at, NULL};

static krt_status make_own(krti_callbacks *c, const krt_spec *spec, krti_callback *out)
{
    static const krt_callback_args defaults = {.spec = {sizeof defaults, "Callback"}};

    return krti_args_import(c->t->k, &out->hooks, &defaults, sizeof defaults, spec);
}

static krt_status make_class(krti_callbacks *c, const krt_spec *spec, bool will_validate,
                             krti_callback *out)
{
    const krti_callback_class *cls = find(spec->class_name);
    void *args = NULL;
    krt_status st = KRT_OK;

    if (cls == NULL)
        return krti_fail(c->t->k, KRT_E_UNKNOWN_CLASS, NULL,
                         "%s is not a callback this build knows", spec->class_name);
    args = krti_arena_alloc(&c->arena, cls->base.defaults->struct_size);
    if (args == NULL)
        return KRT_E_NOMEM;
    memcpy(args, cls->base.defaults, cls->base.defaults->struct_size);
    if (spec->struct_size > sizeof *spec)
        st = krti_args_import(c->t->k, args, cls->base.defaults, cls->base.defaults->struct_size,
                              spec);
    if (st == KRT_OK)
        st = cls->make(c->t->m, args, will_validate, out);
    return krti_fail_in_object(c->t->k, st, cls->base.name);
}

static krt_status add(krti_callbacks *c, const krt_spec *spec, bool will_validate)
{
    krti_callback *out = &c->items[c->n];
    krt_status st = KRT_OK;

    if (spec == NULL || spec->class_name == NULL)
        return krti_fail(c->t->k, KRT_E_INVALID, NULL, "callback %zu is NULL", c->n);
    st = strcmp(spec->class_name, "Callback") == 0 ? make_own(c, spec, out)
                                                   : make_class(c, spec, will_validate, out);
    if (st != KRT_OK)
        return st;
    c->n++;
    c->wants_train_batches = c->wants_train_batches || out->hooks.on_train_batch_end != NULL;
    c->wants_test_batches = c->wants_test_batches || out->hooks.on_test_batch_end != NULL;
    return KRT_OK;
}

krt_status krti_callbacks_new(struct krti_training *t, krti_callbacks *out, krt_specs specs,
                              int verbose, bool will_validate)
{
    bool has_bar = false;
    krt_status st = KRT_OK;

    *out = (krti_callbacks){.t = t, .arena = KRTI_ARENA_INIT(t->k)};
    out->items = krti_array(t->k, specs.n + 1, sizeof *out->items);
    if (out->items == NULL)
        return KRT_E_NOMEM;
    t->has_own_callbacks = false;
    for (size_t i = 0; i < specs.n; i++)
        if (specs.items[i] != NULL && specs.items[i]->class_name != NULL &&
            strcmp(specs.items[i]->class_name, "Callback") == 0)
            t->has_own_callbacks = true;
    for (size_t i = 0; st == KRT_OK && i < specs.n; i++) {
        st = add(out, specs.items[i], will_validate);
        has_bar =
            has_bar || (st == KRT_OK && strcmp(specs.items[i]->class_name, "ProgbarLogger") == 0);
    }
    if (st == KRT_OK && verbose != 0 && !has_bar && find("ProgbarLogger") != NULL)
        st = add(out, KRT_ID("ProgbarLogger"), will_validate);
    return st;
}

void krti_callbacks_free(krti_callbacks *c)
{
    if (c->t == NULL)
        return;
    for (size_t i = 0; i < c->n; i++)
        if (c->items[i].free != NULL)
            c->items[i].free(c->items[i].hooks.user);
    krti_free(c->t->k, c->items);
    krti_arena_free(&c->arena);
}

/* ------------------------------------------------------------------------------- calling */

/* A hook may fail without a word of its own. */
static krt_status check(const krti_callbacks *c, size_t i, const char *hook, krt_status st)
{
    krt_ctx *k = c->t->k;

    if (st == KRT_OK || k->error.status == st)
        return st;
    return krti_fail(k, st, c->items[i].hooks.spec.class_name, "%s failed (%s)", hook,
                     krt_status_name(st));
}

#define X(hook)                                                                \
    krt_status krti_call_##hook(const krti_callbacks *c, const krt_logs *logs) \
    {                                                                          \
        krt_status st = KRT_OK;                                                \
                                                                               \
        for (size_t i = 0; st == KRT_OK && i < c->n; i++) {                    \
            const krt_callback_args *h = &c->items[i].hooks;                   \
                                                                               \
            if (h->hook != NULL)                                               \
                st = check(c, i, #hook, h->hook(h->user, c->t->m, logs));      \
        }                                                                      \
        return st;                                                             \
    }
KRTI_HOOKS(X)
#undef X

#define X(hook)                                                                                \
    krt_status krti_call_##hook(const krti_callbacks *c, int64_t number, const krt_logs *logs) \
    {                                                                                          \
        krt_status st = KRT_OK;                                                                \
                                                                                               \
        for (size_t i = 0; st == KRT_OK && i < c->n; i++) {                                    \
            const krt_callback_args *h = &c->items[i].hooks;                                   \
                                                                                               \
            if (h->hook != NULL)                                                               \
                st = check(c, i, #hook, h->hook(h->user, c->t->m, number, logs));              \
        }                                                                                      \
        return st;                                                                             \
    }
KRTI_NUMBERED_HOOKS(X)
#undef X
