/* Compile settings in the words of Keras 2 and tf.keras: the training_config of an .h5. Keras 2:
 * saving/legacy/saving_utils.py, model_metadata().
 *
 * Losses and metrics lose their module and, where nothing of their own is said, are a name. Optimizers
 * that tf.keras had before 2.11 get the keys those knew; Keras 3 reads both forms. */
#include "saving/keras2_spelling.h"

#include "base/str.h"
#include "saving/legacy_settings.h"

enum { MAX_DEPTH = 64 }; /* of losses in lists and dicts */

/* Those that tf.keras had before 2.11, and the arguments they took. */
static const struct old_optimizer {
    const char *class_name, *keys[8];
} old_optimizers[] = {
    {"SGD", {"momentum", "nesterov"}},
    {"RMSprop", {"rho", "momentum", "epsilon", "centered"}},
    {"Adagrad", {"initial_accumulator_value", "epsilon"}},
    {"Adadelta", {"rho", "epsilon"}},
    {"Adam", {"beta_1", "beta_2", "epsilon", "amsgrad"}},
    {"Adamax", {"beta_1", "beta_2", "epsilon"}},
    {"Nadam", {"beta_1", "beta_2", "epsilon"}},
    {"Ftrl",
     {"learning_rate_power", "initial_accumulator_value", "l1_regularization_strength",
      "l2_regularization_strength", "l2_shrinkage_regularization_strength", "beta"}},
};

/* What every optimizer of Keras 3 takes and none of the old ones did, and what says nothing. */
static bool is_base_key(const char *key)
{
    static const char *const keys[] = {"weight_decay",
                                       "clipnorm",
                                       "global_clipnorm",
                                       "clipvalue",
                                       "use_ema",
                                       "ema_momentum",
                                       "ema_overwrite_frequency",
                                       "loss_scale_factor",
                                       "gradient_accumulation_steps"};

    return krti_is_one_of(key, keys, KRTI_COUNT(keys));
}

static bool says_something(const krti_conf *config, const char *key)
{
    const krti_conf *value = krti_conf_get(config, key);

    return !krti_conf_is_null(value) &&
           !krti_conf_equal(value, &(krti_conf){.kind = KRTI_CONF_BOOL});
}

/* Weight decay and the like are beyond the old optimizers. */
static const struct old_optimizer *old_optimizer(const char *class_name, const krti_conf *config)
{
    static const char *const new_ones[] = {"weight_decay", "use_ema", "loss_scale_factor",
                                           "gradient_accumulation_steps", "global_clipnorm"};

    for (size_t i = 0; i < KRTI_COUNT(new_ones); i++)
        if (says_something(config, new_ones[i]))
            return NULL;
    for (size_t i = 0; class_name != NULL && i < KRTI_COUNT(old_optimizers); i++)
        if (strcmp(old_optimizers[i].class_name, class_name) == 0)
            return &old_optimizers[i];
    return NULL;
}

static krt_status copy_key(krti_arena *a, const krti_conf *from, const char *key, krti_conf *to)
{
    const krti_conf *value = krti_conf_get(from, key);

    return value != NULL ? krti_conf_set(a, to, key, krti_conf_copy(a, value)) : KRT_OK;
}

static krt_status old_config(krti_arena *a, const struct old_optimizer *o, const krti_conf *config,
                             krti_conf *into)
{
    krt_status st = KRT_OK;

    TRY(copy_key(a, config, "name", into));
    TRY(copy_key(a, config, "learning_rate", into));
    for (size_t i = 0; i < KRTI_COUNT(o->keys) && o->keys[i] != NULL; i++)
        TRY(copy_key(a, config, o->keys[i], into));
    if (says_something(config, "clipnorm"))
        TRY(copy_key(a, config, "clipnorm", into));
    if (says_something(config, "clipvalue"))
        TRY(copy_key(a, config, "clipvalue", into));

done:
    return st;
}

static krt_status new_config(krti_arena *a, const krti_conf *config, bool is_keras2,
                             krti_conf *into)
{
    static const char *const unknown[] = {"loss_scale_factor", "gradient_accumulation_steps"};
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < krti_conf_num(config); i++) {
        const char *key = krti_conf_key_at(config, i);

        if (!is_base_key(key) || says_something(config, key))
            st = copy_key(a, config, key, into);
    }
    if (st != KRT_OK || !is_keras2)
        return st;
    for (size_t i = 0; i < KRTI_COUNT(unknown); i++) {
        if (says_something(config, unknown[i]))
            krti_warn(a->k,
                      "Keras 2 has no %s: it is left out of the file, with the variables that it "
                      "keeps",
                      unknown[i]);
        krti_conf_remove(into, unknown[i]);
    }
    return krti_conf_set(a, into, "is_legacy_optimizer", krti_conf_bool(a, false));
}

static krt_status spell_optimizer(krti_arena *a, const krti_conf *object, bool is_keras2,
                                  bool *legacy, krti_conf **out)
{
    const char *class_name = krti_conf_get_text(object, "class_name");
    const krti_conf *config = krti_conf_get(object, "config");
    const struct old_optimizer *old = old_optimizer(class_name, config);
    krti_conf *spelled = krti_conf_dict(a);
    char name[128];
    krt_status st = KRT_OK;

    *out = krti_conf_dict(a);
    *legacy = old != NULL;
    if (class_name == NULL)
        class_name = "Adam";
    snprintf(name, sizeof name, "%s%s", old == NULL && is_keras2 ? "Custom>" : "", class_name);
    TRY(old != NULL ? old_config(a, old, config, spelled)
                    : new_config(a, config, is_keras2, spelled));
    TRY(krti_conf_set(a, *out, "class_name", krti_conf_string(a, name)));
    TRY(krti_conf_set(a, *out, "config", spelled));

done:
    return st;
}

/* Objects without their module, their dtype, and a reduction that is the default. */
static krti_conf *bare_object(krti_arena *a, const krti_conf *object, bool is_loss)
{
    krti_conf *out = krti_conf_dict(a),
              *config = krti_conf_copy(a, krti_conf_get(object, "config"));
    const char *reduction = krti_conf_get_text(config, "reduction");
    krt_status st = KRT_OK;

    if (krti_conf_is(config, KRTI_CONF_STRING)) /* a function */
        return krti_conf_string(a, is_loss ? krti_long_loss_name(config->as.string.text)
                                           : config->as.string.text);
    if (is_loss && krti_conf_is(config, KRTI_CONF_DICT))
        krti_conf_remove(config, "dtype");
    if (reduction != NULL && strcmp(reduction, "sum_over_batch_size") == 0)
        krti_conf_remove(config, "reduction");
    TRY(krti_conf_set(a, out, "class_name",
                      krti_conf_string(a, krti_conf_get_text(object, "class_name"))));
    TRY(krti_conf_set(a, out, "config", config));

done:
    return st == KRT_OK ? out : NULL;
}

static krti_conf *spell_losses(krti_arena *a, const krti_conf *given, bool is_loss, int depth)
{
    krti_conf *out = NULL;
    krt_status st = KRT_OK;

    if (krti_conf_is_null(given))
        return krti_conf_null(a);
    if (krti_conf_text(given) != NULL)
        return krti_conf_string(a, is_loss ? krti_long_loss_name(krti_conf_text(given))
                                           : krti_conf_text(given));
    if (krti_conf_get_text(given, "class_name") != NULL)
        return bare_object(a, given, is_loss);
    if (depth > MAX_DEPTH || (given->kind != KRTI_CONF_LIST && given->kind != KRTI_CONF_DICT))
        return krti_conf_copy(a, given);
    out = given->kind == KRTI_CONF_LIST ? krti_conf_list(a) : krti_conf_dict(a);
    for (size_t i = 0; st == KRT_OK && i < krti_conf_num(given); i++) {
        krti_conf *item = spell_losses(a, krti_conf_at(given, i), is_loss, depth + 1);

        st = given->kind == KRTI_CONF_LIST
                 ? krti_conf_add(a, out, item)
                 : krti_conf_set(a, out, krti_conf_key_at(given, i), item);
    }
    return st == KRT_OK ? out : NULL;
}

krt_status krti_keras2_settings(krti_arena *a, const krti_conf *settings, bool is_keras2,
                                bool *legacy, krti_conf **out)
{
    const krti_conf *weights = krti_conf_get(settings, "loss_weights");
    krti_conf *optimizer = NULL;
    krt_status st = KRT_OK;

    *out = krti_conf_dict(a);
    TRY(krti_conf_set(a, *out, "loss", spell_losses(a, krti_conf_get(settings, "loss"), true, 0)));
    TRY(krti_conf_set(a, *out, "metrics",
                      spell_losses(a, krti_conf_get(settings, "metrics"), false, 0)));
    TRY(krti_conf_set(a, *out, "weighted_metrics",
                      spell_losses(a, krti_conf_get(settings, "weighted_metrics"), false, 0)));
    TRY(krti_conf_set(a, *out, "loss_weights", krti_conf_copy(a, weights)));
    TRY(spell_optimizer(a, krti_conf_get(settings, "optimizer"), is_keras2, legacy, &optimizer));
    TRY(krti_conf_set(a, *out, "optimizer_config", optimizer));

done:
    return st;
}
