/* Compile settings of whole .h5 files and of the .keras of Keras 2, respelled as Keras 3's compile_config.
 *
 * Keras 3 itself stumbles over most of them: it takes `Custom>Adam` with default numbers, refuses
 * `lr`, short names of losses and the `fn` of a metric. Here every number the file holds is kept.
 * Keras: legacy/saving/saving_utils.py compile_args_from_training_config(). Page:
 * docs/formats/legacy_h5.md, "Compile settings". */
#include "saving/legacy_settings.h"

#include "base/str.h"
#include "training/object.h"

enum { MAX_DEPTH = 16 };

static krt_status set_copy(krti_arena *a, krti_conf *dict, const char *key, const krti_conf *value)
{
    return krti_conf_set(a, dict, key, krti_conf_copy(a, value));
}

static const char *look_up(const char *const (*pairs)[2], size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(pairs[i][0], name) == 0)
            return pairs[i][1];
    return NULL;
}

/* tf.keras registers its own new classes under a default package. */
static const char *bare_class(const char *class_name)
{
    static const char package[] = "Custom>";

    return krti_starts_with(class_name, package) ? class_name + strlen(package) : class_name;
}

/* An object of Keras's own class, or of somebody's package. */
static krti_conf *object_of(krti_arena *a, const char *module, const char *class_name,
                            krti_conf *config)
{
    const char *end = strchr(class_name, '>');
    const char *package = NULL;

    if (end == NULL)
        return krti_object_conf(a, module, NULL, class_name, config);
    package = krti_arena_strndup(a, class_name, (size_t)(end - class_name));
    return package != NULL ? krti_object_conf(a, module, package, end + 1, config) : NULL;
}

/* ------------------------------------------------------------------------------- optimizer */

static krti_conf *schedule_of(krti_arena *a, const krti_conf *given)
{
    const krti_conf *config = krti_conf_get(given, "config");
    const char *class_name = krti_conf_get_text(given, "class_name");

    if (class_name == NULL || config == NULL)
        return krti_conf_copy(a, given);
    return object_of(a, "keras.optimizers.schedules", bare_class(class_name),
                     krti_conf_copy(a, config));
}

/* `decay` of old divided the rate by 1 + decay * iterations: that is this schedule. */
static krti_conf *decaying(krti_arena *a, double rate, double decay)
{
    krti_conf *config = krti_conf_dict(a);
    krt_status st = KRT_OK;

    TRY(krti_conf_set(a, config, "initial_learning_rate", krti_conf_float(a, rate)));
    TRY(krti_conf_set(a, config, "decay_steps", krti_conf_int(a, 1)));
    TRY(krti_conf_set(a, config, "decay_rate", krti_conf_float(a, decay)));
    TRY(krti_conf_set(a, config, "staircase", krti_conf_bool(a, false)));
    TRY(krti_conf_set(a, config, "name", krti_conf_string(a, "InverseTimeDecay")));

done:
    return st == KRT_OK
               ? krti_object_conf(a, "keras.optimizers.schedules", NULL, "InverseTimeDecay", config)
               : NULL;
}

static krti_conf *rate_of(krti_arena *a, const krti_conf *config, bool decays)
{
    const krti_conf *rate = krti_conf_get(config, "learning_rate");
    double value = 0, decay = 0;

    if (rate == NULL)
        rate = krti_conf_get(config, "lr");
    if (rate == NULL)
        return NULL;
    if (krti_conf_is(rate, KRTI_CONF_DICT))
        return schedule_of(a, rate);
    if (decays && krti_conf_as_float(rate, &value) &&
        krti_conf_as_float(krti_conf_get(config, "decay"), &decay) && decay > 0)
        return decaying(a, value, decay);
    return krti_conf_copy(a, rate);
}

static krti_conf *optimizer_of(krti_arena *a, const krti_conf *given, int generation, int depth);

/* The keys the class has today, with the file's values. */
static krt_status take_arguments(krti_arena *a, krti_conf *config, const krt_layer_class *cls,
                                 const krti_conf *given, int generation, int depth)
{
    /* Nadam's decay was that of its momentum, which has no argument today. */
    krti_conf *rate = rate_of(a, given, strcmp(cls->name, "Nadam") != 0);
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < cls->num_fields; i++) {
        const char *key = cls->fields[i].key;
        const krti_conf *value = krti_conf_get(given, key);

        if (cls->fields[i].kind == KRT_FIELD_IGNORED)
            continue;
        if (strcmp(key, "learning_rate") == 0)
            st = rate != NULL ? krti_conf_set(a, config, key, rate) : KRT_OK;
        else if (strcmp(key, "inner_optimizer") == 0 && value != NULL)
            st = krti_conf_set(a, config, key, optimizer_of(a, value, generation, depth + 1));
        else if (value != NULL && !(krti_conf_is_null(value) && strcmp(key, "epsilon") == 0))
            st = set_copy(a, config, key, value);
    }
    /* The Adagrad of Keras 1 and 2 began with zeros and had no argument for it. */
    if (st == KRT_OK && generation < 3 && strcmp(cls->name, "Adagrad") == 0 &&
        krti_conf_get(given, "initial_accumulator_value") == NULL)
        st = krti_conf_set(a, config, "initial_accumulator_value", krti_conf_float(a, 0));
    return st;
}

static krti_conf *optimizer_of(krti_arena *a, const krti_conf *given, int generation, int depth)
{
    const char *class_name = krti_conf_get_text(given, "class_name");
    const krti_conf *old = krti_conf_get(given, "config");
    const krt_layer_class *cls = NULL;
    krti_conf *config = NULL;

    if (class_name == NULL || !krti_conf_is(old, KRTI_CONF_DICT) || depth > MAX_DEPTH)
        return krti_conf_copy(a, given);
    class_name = bare_class(class_name);
    if (strcmp(class_name, "LossScaleOptimizerV3") == 0)
        class_name = "LossScaleOptimizer";
    cls = strchr(class_name, '>') == NULL ? krti_optimizers.find(class_name) : NULL;
    if (cls == NULL) /* nobody's that we know */
        return object_of(a, "keras.optimizers", class_name, krti_conf_copy(a, old));
    config = krti_conf_dict(a);
    if (take_arguments(a, config, cls, old, generation, depth) != KRT_OK)
        return NULL;
    return krti_object_conf(a, "keras.optimizers", NULL, cls->name, config);
}

/* ------------------------------------------------------------------------------- losses, metrics */

/* Short names, which Keras 3 cannot read back from an .h5 file, and names that are gone. */
static const char *const long_names[][2] = {
    {"mse", "mean_squared_error"},
    {"MSE", "mean_squared_error"},
    {"mae", "mean_absolute_error"},
    {"MAE", "mean_absolute_error"},
    {"mape", "mean_absolute_percentage_error"},
    {"MAPE", "mean_absolute_percentage_error"},
    {"msle", "mean_squared_logarithmic_error"},
    {"MSLE", "mean_squared_logarithmic_error"},
    {"bce", "binary_crossentropy"},
    {"BCE", "binary_crossentropy"},
    {"kld", "kl_divergence"},
    {"KLD", "kl_divergence"},
    {"kullback_leibler_divergence", "kl_divergence"},
    {"logcosh", "log_cosh"},
    {"cosine", "cosine_similarity"},
    {"cosine_proximity", "cosine_similarity"},
};
static const char *const metric_names[][2] = {
    {"kullback_leibler_divergence", "kl_divergence"},
    {"logcosh", "log_cosh_error"},
    {"cosine", "cosine_similarity"},
    {"cosine_proximity", "cosine_similarity"},
};

/* The class whose function a MeanMetricWrapper of tf.keras wraps. */
static const char *const metric_classes[][2] = {
    {"accuracy", "Accuracy"},
    {"binary_accuracy", "BinaryAccuracy"},
    {"categorical_accuracy", "CategoricalAccuracy"},
    {"sparse_categorical_accuracy", "SparseCategoricalAccuracy"},
    {"top_k_categorical_accuracy", "TopKCategoricalAccuracy"},
    {"sparse_top_k_categorical_accuracy", "SparseTopKCategoricalAccuracy"},
    {"mean_squared_error", "MeanSquaredError"},
    {"mean_absolute_error", "MeanAbsoluteError"},
    {"mean_absolute_percentage_error", "MeanAbsolutePercentageError"},
    {"mean_squared_logarithmic_error", "MeanSquaredLogarithmicError"},
    {"binary_crossentropy", "BinaryCrossentropy"},
    {"categorical_crossentropy", "CategoricalCrossentropy"},
    {"sparse_categorical_crossentropy", "SparseCategoricalCrossentropy"},
    {"kl_divergence", "KLDivergence"},
    {"kullback_leibler_divergence", "KLDivergence"},
    {"poisson", "Poisson"},
    {"hinge", "Hinge"},
    {"squared_hinge", "SquaredHinge"},
    {"categorical_hinge", "CategoricalHinge"},
    {"cosine_similarity", "CosineSimilarity"},
    {"log_cosh", "LogCoshError"},
    {"logcosh", "LogCoshError"},
};

/* Losses and metrics are written alike: names, objects, and lists or dicts of them. */
typedef struct kind {
    const char *module;
    const char *const (*names)[2];
    size_t num_names;
    bool is_metric;
    const char *output; /* of several, the one that this is said of; else NULL */
} kind;

static const kind losses = {"keras.losses", long_names, KRTI_COUNT(long_names), false, NULL};
static const kind metrics = {"keras.metrics", metric_names, KRTI_COUNT(metric_names), true, NULL};

const char *krti_long_loss_name(const char *name)
{
    const char *other = look_up(long_names, KRTI_COUNT(long_names), name);

    return other != NULL ? other : name;
}

static krti_conf *name_of(krti_arena *a, const kind *k, const char *name)
{
    const char *other = look_up(k->names, k->num_names, name);

    return krti_conf_string(a, other != NULL ? other : name);
}

/* tf.keras names the metrics of an output after it, "kind_accuracy", and Keras 3 would once more. */
static const char *own_name(const kind *k, const krti_conf *config)
{
    const char *name = krti_conf_get_text(config, "name");
    const size_t n = k->output != NULL ? strlen(k->output) : 0;
    const bool is_prefixed = n > 0 && name != NULL && strncmp(name, k->output, n) == 0;

    return is_prefixed && name[n] == '_' ? name + n + 1 : name;
}

/* The config of a class: without the function in it, and with today's word for "auto". */
static krti_conf *config_of(krti_arena *a, const kind *k, const krti_conf *given)
{
    krti_conf *config = krti_conf_copy(a, given);
    const char *reduction = krti_conf_get_text(config, "reduction");
    const char *name = own_name(k, given);

    if (!krti_conf_is(config, KRTI_CONF_DICT))
        return config;
    krti_conf_remove(config, "fn");
    if (name != NULL && krti_conf_set(a, config, "name", krti_conf_string(a, name)) != KRT_OK)
        return NULL;
    if (reduction != NULL && (strcmp(reduction, "auto") == 0 || strcmp(reduction, "AUTO") == 0) &&
        krti_conf_set(a, config, "reduction", krti_conf_string(a, "sum_over_batch_size")) != KRT_OK)
        return NULL;
    return config;
}

static bool is_wrapper(const char *class_name)
{
    return strcmp(class_name, "MeanMetricWrapper") == 0 ||
           strcmp(class_name, "SumOverBatchSizeMetricWrapper") == 0 ||
           strcmp(class_name, "LossFunctionWrapper") == 0;
}

/* tf.keras writes "accuracy" as the function that it stood for, and has to guess where nobody has seen
 * a target yet: in a file saved before any training it takes them for one-hot. The targets decide. */
static bool is_by_shape(const char *name, const char *fn)
{
    static const char *const functions[] = {"binary_accuracy", "categorical_accuracy",
                                            "sparse_categorical_accuracy"};

    if (name == NULL || (strcmp(name, "accuracy") != 0 && strcmp(name, "acc") != 0))
        return false;
    return krti_is_one_of(fn, functions, KRTI_COUNT(functions));
}

static krti_conf *class_of(krti_arena *a, const kind *k, const krti_conf *given)
{
    const krti_conf *config = krti_conf_get(given, "config");
    const char *class_name = bare_class(krti_conf_get_text(given, "class_name"));
    const char *fn = krti_conf_get_text(config, "fn"), *name = own_name(k, config);

    if (strcmp(class_name, "function") == 0 && krti_conf_text(config) != NULL)
        return name_of(a, k, krti_conf_text(config));
    if (is_wrapper(class_name)) {
        if (k->is_metric && is_by_shape(name, fn))
            return krti_conf_string(a, name);
        class_name = k->is_metric && fn != NULL
                         ? look_up(metric_classes, KRTI_COUNT(metric_classes), fn)
                         : NULL;
        if (class_name == NULL)
            return fn != NULL ? name_of(a, k, fn) : krti_conf_copy(a, given);
    }
    return object_of(a, k->module, class_name, config_of(a, k, config));
}

static krti_conf *respell(krti_arena *a, const kind *k, const krti_conf *given, int depth)
{
    krti_conf *copy = NULL;
    krt_status st = KRT_OK;

    if (krti_conf_is_null(given))
        return krti_conf_null(a);
    if (krti_conf_text(given) != NULL)
        return name_of(a, k, krti_conf_text(given));
    if (krti_conf_get_text(given, "class_name") != NULL)
        return class_of(a, k, given);
    if (krti_conf_num(given) == 0 || depth > MAX_DEPTH)
        return krti_conf_copy(a, given);
    copy = given->kind == KRTI_CONF_LIST ? krti_conf_list(a) : krti_conf_dict(a);
    for (size_t i = 0; st == KRT_OK && i < krti_conf_num(given); i++) {
        krti_conf *item = respell(a, k, krti_conf_at(given, i), depth + 1);

        st = given->kind == KRTI_CONF_LIST
                 ? krti_conf_add(a, copy, item)
                 : krti_conf_set(a, copy, krti_conf_key_at(given, i), item);
    }
    return st == KRT_OK ? copy : NULL;
}

/* tf.keras writes a list for every output; a model of one output has a flat list today. */
static krti_conf *metrics_of(krti_arena *a, const krti_conf *given, const char *const *outputs,
                             size_t num_outputs)
{
    kind k = metrics;
    krti_conf *all = NULL;
    krt_status st = KRT_OK;

    if (!krti_conf_is(given, KRTI_CONF_LIST) || krti_conf_num(given) != num_outputs)
        return respell(a, &k, given, 0);
    if (num_outputs == 1)
        return respell(a, &k,
                       krti_conf_is(krti_conf_at(given, 0), KRTI_CONF_LIST) ? krti_conf_at(given, 0)
                                                                            : given,
                       0);
    all = krti_conf_list(a);
    for (size_t i = 0; st == KRT_OK && i < num_outputs; i++) {
        k.output = outputs[i];
        st = krti_conf_add(a, all, respell(a, &k, krti_conf_at(given, i), 1));
    }
    return st == KRT_OK ? all : NULL;
}

/* ------------------------------------------------------------------------------- the whole */

static krti_conf *or_default(krti_arena *a, const krti_conf *training, const char *key,
                             krti_conf *fallback)
{
    const krti_conf *value = krti_conf_get(training, key);

    return value != NULL ? krti_conf_copy(a, value) : fallback;
}

krt_status krti_legacy_settings(krti_arena *a, const krti_conf *training, int generation,
                                const char *const *outputs, size_t num_outputs, krti_conf **out)
{
    const krti_conf *optimizer = krti_conf_get(training, "optimizer_config");
    krti_conf *c = krti_conf_dict(a);
    krt_status st = KRT_OK;

    if (optimizer == NULL)
        optimizer = krti_conf_get(training, "optimizer"); /* of a .keras */
    TRY(krti_conf_set(a, c, "optimizer", optimizer_of(a, optimizer, generation, 0)));
    TRY(krti_conf_set(a, c, "loss", respell(a, &losses, krti_conf_get(training, "loss"), 0)));
    TRY(set_copy(a, c, "loss_weights", krti_conf_get(training, "loss_weights")));
    TRY(krti_conf_set(a, c, "metrics",
                      metrics_of(a, krti_conf_get(training, "metrics"), outputs, num_outputs)));
    TRY(krti_conf_set(
        a, c, "weighted_metrics",
        metrics_of(a, krti_conf_get(training, "weighted_metrics"), outputs, num_outputs)));
    TRY(krti_conf_set(a, c, "run_eagerly",
                      or_default(a, training, "run_eagerly", krti_conf_bool(a, false))));
    TRY(krti_conf_set(a, c, "steps_per_execution",
                      or_default(a, training, "steps_per_execution", krti_conf_int(a, 1))));
    TRY(krti_conf_set(a, c, "jit_compile",
                      or_default(a, training, "jit_compile", krti_conf_bool(a, false))));
    *out = c;

done:
    return st;
}
