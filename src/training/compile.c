/* compile(): what C says becomes the settings that files hold, and those are checked. Keras:
 * trainers/trainer.py compile(). */
#include "base/regex.h"
#include "training/training.h"
#include "training/update.h"

/* A description, a list of them, or one by output name, as Keras writes them. */
static krt_status spec_conf(krt_ctx *k, krti_arena *a, const krti_family *family,
                            const krt_spec *spec, krti_conf **out);

static bool is_class(const krt_spec *spec, const char *name)
{
    return spec != NULL && spec->class_name != NULL && strcmp(spec->class_name, name) == 0;
}

/* A list, or, when its entries name outputs, a dict. */
static krt_status list_conf(krt_ctx *k, krti_arena *a, const krti_family *family, krt_specs specs,
                            krti_conf **out)
{
    const bool is_dict = specs.n > 0 && is_class(specs.items[0], "dict");
    krt_status st = KRT_OK;

    *out = is_dict ? krti_conf_dict(a) : krti_conf_list(a);
    for (size_t i = 0; i < specs.n; i++) {
        const krt_spec *spec = specs.items[i];
        krti_conf *item = NULL;

        if (is_class(spec, "dict") != is_dict)
            TRY(krti_fail(k, KRT_E_INVALID, NULL,
                          "a list of descriptions names an output in all its entries or in none"));
        if (is_dict) {
            const krt_for_args *entry = (const krt_for_args *)(const void *)spec;

            TRY(spec_conf(k, a, family, entry->item, &item));
            TRY(krti_conf_set(a, *out, entry->output, item));
        } else {
            TRY(spec_conf(k, a, family, spec, &item));
            TRY(krti_conf_add(a, *out, item));
        }
    }

done:
    return st;
}

static krt_status spec_conf(krt_ctx *k, krti_arena *a, const krti_family *family,
                            const krt_spec *spec, krti_conf **out)
{
    if (is_class(spec, "list"))
        return list_conf(k, a, family, ((const krt_each_args *)(const void *)spec)->items, out);
    if (is_class(spec, "dict"))
        return list_conf(k, a, family, (krt_specs){1, &spec}, out);
    return krti_spec_to_conf(k, a, family, spec, out);
}

static krt_status weights_conf(krt_ctx *k, krti_arena *a, const krt_compile_args *args,
                               krti_conf **out)
{
    const krt_numbers w = args->loss_weights;
    const krt_names names = args->loss_weight_names;
    krt_status st = KRT_OK;

    *out = w.n == 0 ? krti_conf_null(a) : names.n > 0 ? krti_conf_dict(a) : krti_conf_list(a);
    if (names.n > 0 && names.n != w.n)
        return krti_fail(k, KRT_E_INVALID, NULL, "%zu loss_weights for %zu names", w.n, names.n);
    for (size_t i = 0; st == KRT_OK && i < w.n; i++)
        st = names.n > 0 ? krti_conf_set(a, *out, names.items[i], krti_conf_float(a, w.items[i]))
                         : krti_conf_add(a, *out, krti_conf_float(a, w.items[i]));
    return st;
}

static krt_status metrics_conf(krt_ctx *k, krti_arena *a, krt_specs specs, krti_conf **out)
{
    if (specs.n > 0)
        return list_conf(k, a, &krti_metrics, specs, out);
    *out = krti_conf_null(a);
    return *out != NULL ? KRT_OK : KRT_E_NOMEM;
}

static krt_status settings(krt_ctx *k, krti_arena *a, const krt_compile_args *args, krti_conf **out)
{
    const krt_spec *optimizer = args->optimizer != NULL ? args->optimizer : KRT_ID("rmsprop");
    krti_conf *c = krti_conf_dict(a), *value = NULL;
    krt_status st = KRT_OK;

    *out = c;
    TRY(krti_spec_to_conf(k, a, &krti_optimizers, optimizer, &value));
    TRY(krti_conf_set(a, c, "optimizer", value));
    TRY(spec_conf(k, a, &krti_losses, args->loss, &value));
    TRY(krti_conf_set(a, c, "loss", value));
    TRY(weights_conf(k, a, args, &value));
    TRY(krti_conf_set(a, c, "loss_weights", value));
    TRY(metrics_conf(k, a, args->metrics, &value));
    TRY(krti_conf_set(a, c, "metrics", value));
    TRY(metrics_conf(k, a, args->weighted_metrics, &value));
    TRY(krti_conf_set(a, c, "weighted_metrics", value));
    TRY(krti_conf_set(a, c, "run_eagerly", krti_conf_bool(a, false)));
    TRY(krti_conf_set(a, c, "steps_per_execution", krti_conf_int(a, 1)));
    TRY(krti_conf_set(a, c, "jit_compile", krti_conf_bool(a, args->jit_compile)));

done:
    return st;
}

/* Names and arguments of losses and metrics can be checked before any data is seen. */
static krt_status check_objects(krt_model *m, krti_arena *a, const krti_family *family,
                                const krti_conf *c)
{
    krt_status st = KRT_OK;

    if (krti_conf_is_null(c))
        return KRT_OK;
    if (krti_conf_is(c, KRTI_CONF_LIST) ||
        (krti_conf_is(c, KRTI_CONF_DICT) && krti_conf_get_text(c, "class_name") == NULL)) {
        for (size_t i = 0; st == KRT_OK && i < krti_conf_num(c); i++)
            st = check_objects(m, a, family, krti_conf_at(c, i));
        return st;
    }
    if (family == &krti_losses) {
        krti_loss loss;
        const krt_shape vector = {1, {1}};

        if (krti_conf_text(c) != NULL &&
            krti_loss_by_shape(krti_conf_text(c), vector, vector) != NULL)
            return KRT_OK;
        return krti_loss_read(&m->base, a, c, &loss);
    }
    return krti_metric_check(&m->base, a, c);
}

static krt_status check_settings(krt_model *m, const krti_conf *c)
{
    krti_arena a = KRTI_ARENA_INIT(m->base.owned.k);
    krt_status st = check_objects(m, &a, &krti_losses, krti_conf_get(c, "loss"));

    if (st == KRT_OK)
        st = check_objects(m, &a, &krti_metrics, krti_conf_get(c, "metrics"));
    if (st == KRT_OK)
        st = check_objects(m, &a, &krti_metrics, krti_conf_get(c, "weighted_metrics"));
    krti_arena_free(&a);
    return st;
}

/* exclude_from_weight_decay of the description, which no config holds. */
static krt_status keep_names(struct krti_training *t, const krt_spec *optimizer)
{
    krti_optimizer_args full = {.spec = {.struct_size = 0}};
    const char **items = NULL;

    if (optimizer == NULL || optimizer->struct_size < sizeof full ||
        optimizer->struct_size == KRTI_CONF_SPEC || is_class(optimizer, "LossScaleOptimizer"))
        return KRT_OK;
    memcpy(&full, optimizer, sizeof full);
    items = krti_arena_array(&t->arena, full.exclude_from_weight_decay.n + 1, sizeof *items);
    if (items == NULL)
        return KRT_E_NOMEM;
    for (size_t i = 0; i < full.exclude_from_weight_decay.n; i++) {
        items[i] = krti_arena_strdup(&t->arena, full.exclude_from_weight_decay.items[i]);
        if (items[i] == NULL)
            return KRT_E_NOMEM;
    }
    t->undecayed = (krt_names){full.exclude_from_weight_decay.n, items};
    return krti_regex_check(t->k, t->undecayed);
}

krt_status krt_compile(krt_model *m, const krt_compile_args *args)
{
    static const krt_compile_args defaults = {.struct_size = sizeof defaults};
    krt_ctx *k = m->base.owned.k;
    krti_arena a = KRTI_ARENA_INIT(k);
    struct krti_training *t = NULL;
    krti_optimizer *optimizer = NULL;
    krt_compile_args full;
    krti_conf *c = NULL;
    krt_status st = m->failed;

    if (st != KRT_OK)
        return st;
    TRY(krti_args_import(k, &full, &defaults, sizeof full, args));
    if (full.backend != NULL && strcmp(full.backend, "tensorflow") != 0 &&
        strcmp(full.backend, "jax") != 0)
        TRY(krti_fail(k, KRT_E_INVALID, NULL,
                      "backend is \"%s\", expected \"tensorflow\" or \"jax\"", full.backend));
    TRY(settings(k, &a, &full, &c));
    TRY(check_settings(m, c));
    TRY(krti_optimizer_from_conf(m, &optimizer, krti_conf_get(c, "optimizer")));
    TRY(krti_conf_set(&a, c, "optimizer", (krti_conf *)(uintptr_t)optimizer->config));
    TRY(krti_set_compile_config(m, c));
    TRY(krti_training_of(m, &t));
    t->optimizer = optimizer;
    optimizer = NULL;
    t->backend = full.backend != NULL && strcmp(full.backend, "jax") == 0 ? "jax" : "tensorflow";
    TRY(keep_names(t, full.optimizer));

done:
    krti_optimizer_free(optimizer);
    krti_arena_free(&a);
    return st;
}

bool krt_is_compiled(const krt_model *m)
{
    return krti_compile_config(m) != NULL;
}

static krt_status compiled_optimizer(krt_model *m, krti_optimizer **out)
{
    const krt_status st = krti_model_optimizer(m, out);

    if (st == KRT_OK && *out == NULL)
        return krti_fail(m->base.owned.k, KRT_E_STATE, NULL,
                         "You must call `compile()` before using the model: it has no optimizer");
    while (st == KRT_OK && (*out)->inner != NULL)
        *out = (*out)->inner;
    return st;
}

krt_status krt_learning_rate(krt_model *m, double *rate)
{
    krti_optimizer *o = NULL;
    const krt_status st = compiled_optimizer(m, &o);

    if (st == KRT_OK)
        *rate = (double)krti_optimizer_rate(o);
    return st;
}

krt_status krt_set_learning_rate(krt_model *m, double rate)
{
    krti_optimizer *o = NULL;
    const krt_status st = compiled_optimizer(m, &o);

    if (st != KRT_OK)
        return st;
    if (o->learning_rate == NULL)
        return krti_fail(o->k, KRT_E_INVALID, NULL,
                         "This optimizer was created with a `LearningRateSchedule` object as its "
                         "`learning_rate` constructor argument, hence its learning rate is not "
                         "settable");
    *(float *)o->learning_rate->data = (float)rate;
    return KRT_OK;
}

krt_status krt_iterations(krt_model *m, int64_t *iterations)
{
    krti_optimizer *o = NULL;
    const krt_status st = compiled_optimizer(m, &o);

    if (st == KRT_OK)
        *iterations = krti_optimizer_iterations(o);
    return st;
}
