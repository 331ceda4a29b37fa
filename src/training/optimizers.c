/* The optimizers: arguments, and the variables each keeps. Keras: optimizers/<name>.py __init__() and
 * build(). How they update is update.c. One table entry each. */
#include "base/regex.h"
#include "training/object.h"
#include "training/update.h"

#include <ctype.h>

/* ------------------------------------------------------------------------------- arguments */

/* Keras's base keys, in the order of its get_config(), and what Keras 2 writes beside them into a
 * `.keras`. */
#define BASE_FIELDS(type)                                                                         \
    KRT_FIELD(type, STRING, name), KRT_FIELD(type, FLOAT, learning_rate),                         \
        {"learning_rate", KRT_FIELD_OBJECT, offsetof(type, schedule)},                            \
        KRT_FIELD(type, FLOAT, weight_decay), KRT_FIELD(type, FLOAT, clipnorm),                   \
        KRT_FIELD(type, FLOAT, global_clipnorm), KRT_FIELD(type, FLOAT, clipvalue),               \
        KRT_FIELD(type, BOOL, use_ema), KRT_FIELD(type, FLOAT, ema_momentum),                     \
        KRT_FIELD(type, INT, ema_overwrite_frequency), KRT_FIELD(type, FLOAT, loss_scale_factor), \
        KRT_FIELD(type, INT, gradient_accumulation_steps), {"jit_compile", KRT_FIELD_IGNORED, 0}, \
    {                                                                                             \
        "is_legacy_optimizer", KRT_FIELD_IGNORED, 0                                               \
    }

static const krt_field sgd_fields[] = {
    BASE_FIELDS(krt_sgd_args),
    KRT_FIELD(krt_sgd_args, FLOAT, momentum),
    KRT_FIELD(krt_sgd_args, BOOL, nesterov),
};
static const krt_sgd_args sgd_defaults = {.spec = {sizeof sgd_defaults, "SGD"},
                                          KRT_OPTIMIZER_DEFAULTS(0.01, NAN),
                                          .momentum = 0,
                                          .nesterov = false};

static const krt_field rmsprop_fields[] = {
    BASE_FIELDS(krt_rmsprop_args),
    KRT_FIELD(krt_rmsprop_args, FLOAT, rho),
    KRT_FIELD(krt_rmsprop_args, FLOAT, momentum),
    KRT_FIELD(krt_rmsprop_args, FLOAT, epsilon),
    KRT_FIELD(krt_rmsprop_args, BOOL, centered),
};
static const krt_rmsprop_args rmsprop_defaults = {.spec = {sizeof rmsprop_defaults, "RMSprop"},
                                                  KRT_OPTIMIZER_DEFAULTS(0.001, NAN),
                                                  .rho = 0.9,
                                                  .momentum = 0,
                                                  .epsilon = 1e-7,
                                                  .centered = false};

static const krt_field adam_fields[] = {
    BASE_FIELDS(krt_adam_args),
    KRT_FIELD(krt_adam_args, FLOAT, beta_1),
    KRT_FIELD(krt_adam_args, FLOAT, beta_2),
    KRT_FIELD(krt_adam_args, FLOAT, epsilon),
    KRT_FIELD(krt_adam_args, BOOL, amsgrad),
};
static const krt_adam_args adam_defaults = {.spec = {sizeof adam_defaults, "Adam"},
                                            KRT_OPTIMIZER_DEFAULTS(0.001, NAN),
                                            .beta_1 = 0.9,
                                            .beta_2 = 0.999,
                                            .epsilon = 1e-7,
                                            .amsgrad = false};

static const krt_field adamw_fields[] = {
    BASE_FIELDS(krt_adamw_args),
    KRT_FIELD(krt_adamw_args, FLOAT, beta_1),
    KRT_FIELD(krt_adamw_args, FLOAT, beta_2),
    KRT_FIELD(krt_adamw_args, FLOAT, epsilon),
    KRT_FIELD(krt_adamw_args, BOOL, amsgrad),
};
static const krt_adamw_args adamw_defaults = {.spec = {sizeof adamw_defaults, "AdamW"},
                                              KRT_OPTIMIZER_DEFAULTS(0.001, 0.004),
                                              .beta_1 = 0.9,
                                              .beta_2 = 0.999,
                                              .epsilon = 1e-7,
                                              .amsgrad = false};

static const krt_field adamax_fields[] = {
    BASE_FIELDS(krt_adamax_args),
    KRT_FIELD(krt_adamax_args, FLOAT, beta_1),
    KRT_FIELD(krt_adamax_args, FLOAT, beta_2),
    KRT_FIELD(krt_adamax_args, FLOAT, epsilon),
};
static const krt_adamax_args adamax_defaults = {.spec = {sizeof adamax_defaults, "Adamax"},
                                                KRT_OPTIMIZER_DEFAULTS(0.001, NAN),
                                                .beta_1 = 0.9,
                                                .beta_2 = 0.999,
                                                .epsilon = 1e-7};

static const krt_field nadam_fields[] = {
    BASE_FIELDS(krt_nadam_args),
    KRT_FIELD(krt_nadam_args, FLOAT, beta_1),
    KRT_FIELD(krt_nadam_args, FLOAT, beta_2),
    KRT_FIELD(krt_nadam_args, FLOAT, epsilon),
};
static const krt_nadam_args nadam_defaults = {.spec = {sizeof nadam_defaults, "Nadam"},
                                              KRT_OPTIMIZER_DEFAULTS(0.001, NAN),
                                              .beta_1 = 0.9,
                                              .beta_2 = 0.999,
                                              .epsilon = 1e-7};

static const krt_field adagrad_fields[] = {
    BASE_FIELDS(krt_adagrad_args),
    KRT_FIELD(krt_adagrad_args, FLOAT, initial_accumulator_value),
    KRT_FIELD(krt_adagrad_args, FLOAT, epsilon),
};
static const krt_adagrad_args adagrad_defaults = {.spec = {sizeof adagrad_defaults, "Adagrad"},
                                                  KRT_OPTIMIZER_DEFAULTS(0.001, NAN),
                                                  .initial_accumulator_value = 0.1,
                                                  .epsilon = 1e-7};

static const krt_field adadelta_fields[] = {
    BASE_FIELDS(krt_adadelta_args),
    KRT_FIELD(krt_adadelta_args, FLOAT, rho),
    KRT_FIELD(krt_adadelta_args, FLOAT, epsilon),
};
static const krt_adadelta_args adadelta_defaults = {.spec = {sizeof adadelta_defaults, "Adadelta"},
                                                    KRT_OPTIMIZER_DEFAULTS(0.001, NAN),
                                                    .rho = 0.95,
                                                    .epsilon = 1e-7};

static const krt_field adafactor_fields[] = {
    BASE_FIELDS(krt_adafactor_args),
    KRT_FIELD(krt_adafactor_args, FLOAT, beta_2_decay),
    KRT_FIELD(krt_adafactor_args, FLOAT, epsilon_1),
    KRT_FIELD(krt_adafactor_args, FLOAT, epsilon_2),
    KRT_FIELD(krt_adafactor_args, FLOAT, clip_threshold),
    KRT_FIELD(krt_adafactor_args, BOOL, relative_step),
};
static const krt_adafactor_args adafactor_defaults = {
    .spec = {sizeof adafactor_defaults, "Adafactor"},
    KRT_OPTIMIZER_DEFAULTS(0.001, NAN),
    .beta_2_decay = -0.8,
    .epsilon_1 = 1e-30,
    .epsilon_2 = 1e-3,
    .clip_threshold = 1,
    .relative_step = true};

static const krt_field ftrl_fields[] = {
    BASE_FIELDS(krt_ftrl_args),
    KRT_FIELD(krt_ftrl_args, FLOAT, learning_rate_power),
    KRT_FIELD(krt_ftrl_args, FLOAT, initial_accumulator_value),
    KRT_FIELD(krt_ftrl_args, FLOAT, l1_regularization_strength),
    KRT_FIELD(krt_ftrl_args, FLOAT, l2_regularization_strength),
    KRT_FIELD(krt_ftrl_args, FLOAT, l2_shrinkage_regularization_strength),
    KRT_FIELD(krt_ftrl_args, FLOAT, beta),
};
static const krt_ftrl_args ftrl_defaults = {.spec = {sizeof ftrl_defaults, "Ftrl"},
                                            KRT_OPTIMIZER_DEFAULTS(0.001, NAN),
                                            .learning_rate_power = -0.5,
                                            .initial_accumulator_value = 0.1,
                                            .l1_regularization_strength = 0,
                                            .l2_regularization_strength = 0,
                                            .l2_shrinkage_regularization_strength = 0,
                                            .beta = 0};

static const krt_field lamb_fields[] = {
    BASE_FIELDS(krt_lamb_args),
    KRT_FIELD(krt_lamb_args, FLOAT, beta_1),
    KRT_FIELD(krt_lamb_args, FLOAT, beta_2),
    KRT_FIELD(krt_lamb_args, FLOAT, epsilon),
};
static const krt_lamb_args lamb_defaults = {.spec = {sizeof lamb_defaults, "Lamb"},
                                            KRT_OPTIMIZER_DEFAULTS(0.001, NAN),
                                            .beta_1 = 0.9,
                                            .beta_2 = 0.999,
                                            .epsilon = 1e-7};

static const krt_field lion_fields[] = {
    BASE_FIELDS(krt_lion_args),
    KRT_FIELD(krt_lion_args, FLOAT, beta_1),
    KRT_FIELD(krt_lion_args, FLOAT, beta_2),
};
static const krt_lion_args lion_defaults = {.spec = {sizeof lion_defaults, "Lion"},
                                            KRT_OPTIMIZER_DEFAULTS(0.001, NAN),
                                            .beta_1 = 0.9,
                                            .beta_2 = 0.99};

static const krt_field muon_fields[] = {
    BASE_FIELDS(krt_muon_args),
    KRT_FIELD(krt_muon_args, FLOAT, adam_beta_1),
    KRT_FIELD(krt_muon_args, FLOAT, adam_beta_2),
    KRT_FIELD(krt_muon_args, FLOAT, epsilon),
    KRT_FIELD(krt_muon_args, NAMES, exclude_layers),
    KRT_FIELD(krt_muon_args, FLOAT, muon_a),
    KRT_FIELD(krt_muon_args, FLOAT, muon_b),
    KRT_FIELD(krt_muon_args, FLOAT, muon_c),
    KRT_FIELD(krt_muon_args, FLOAT, adam_lr_ratio),
    KRT_FIELD(krt_muon_args, FLOAT, momentum),
    KRT_FIELD(krt_muon_args, INT, ns_steps),
    KRT_FIELD(krt_muon_args, BOOL, nesterov),
    KRT_FIELD(krt_muon_args, BOOL, exclude_embeddings),
    KRT_FIELD(krt_muon_args, FLOAT, adam_weight_decay),
    KRT_FIELD(krt_muon_args, FLOAT, rms_rate),
};
static const krt_muon_args muon_defaults = {.spec = {sizeof muon_defaults, "Muon"},
                                            KRT_OPTIMIZER_DEFAULTS(0.001, 0.004),
                                            .adam_beta_1 = 0.9,
                                            .adam_beta_2 = 0.999,
                                            .epsilon = 1e-7,
                                            .muon_a = 3.4445,
                                            .muon_b = -4.7750,
                                            .muon_c = 2.0315,
                                            .adam_lr_ratio = 1,
                                            .momentum = 0.95,
                                            .ns_steps = 5,
                                            .nesterov = true,
                                            .exclude_embeddings = true,
                                            .adam_weight_decay = 0.004,
                                            .rms_rate = 0.2};

static const krt_field schedule_free_adamw_fields[] = {
    BASE_FIELDS(krt_schedule_free_adamw_args),
    KRT_FIELD(krt_schedule_free_adamw_args, FLOAT, beta_1),
    KRT_FIELD(krt_schedule_free_adamw_args, FLOAT, beta_2),
    KRT_FIELD(krt_schedule_free_adamw_args, FLOAT, epsilon),
    KRT_FIELD(krt_schedule_free_adamw_args, INT, warmup_steps),
};
static const krt_schedule_free_adamw_args schedule_free_adamw_defaults = {
    .spec = {sizeof schedule_free_adamw_defaults, "ScheduleFreeAdamW"},
    KRT_OPTIMIZER_DEFAULTS(0.0025, NAN),
    .beta_1 = 0.9,
    .beta_2 = 0.999,
    .epsilon = 1e-8,
    .warmup_steps = 0};

static const krt_field loss_scale_fields[] = {
    KRT_FIELD(krt_loss_scale_optimizer_args, STRING, name),
    KRT_FIELD(krt_loss_scale_optimizer_args, OBJECT, inner_optimizer),
    KRT_FIELD(krt_loss_scale_optimizer_args, FLOAT, initial_scale),
    KRT_FIELD(krt_loss_scale_optimizer_args, INT, dynamic_growth_steps),
};
static const krt_loss_scale_optimizer_args loss_scale_defaults = {
    .spec = {sizeof loss_scale_defaults, "LossScaleOptimizer"},
    .initial_scale = 32768,
    .dynamic_growth_steps = 2000};

/* ------------------------------------------------------------------------------- slots */

static bool sgd_has_momentum(const void *args, const krt_variable *v)
{
    (void)v;
    return ((const krt_sgd_args *)args)->momentum != 0;
}

static bool rmsprop_has_momentum(const void *args, const krt_variable *v)
{
    (void)v;
    return ((const krt_rmsprop_args *)args)->momentum > 0;
}

static bool rmsprop_is_centered(const void *args, const krt_variable *v)
{
    (void)v;
    return ((const krt_rmsprop_args *)args)->centered;
}

/* Adam's and AdamW's structs are alike. */
static bool adam_has_hats(const void *args, const krt_variable *v)
{
    (void)v;
    return ((const krt_adam_args *)args)->amsgrad;
}

static double adagrad_initial(const void *args)
{
    return ((const krt_adagrad_args *)args)->initial_accumulator_value;
}

static double ftrl_initial(const void *args)
{
    return ((const krt_ftrl_args *)args)->initial_accumulator_value;
}

/* Adafactor's sums over the last axis and over the one before; where there are no two axes, numbers
 * that mean nothing. */
static krt_shape row_sums(krt_shape of, krt_dtype *dtype)
{
    if (of.rank >= 2)
        of.rank--;
    else {
        of.rank = 0;
        *dtype = KRT_INT32;
    }
    return of;
}

static krt_shape column_sums(krt_shape of, krt_dtype *dtype)
{
    if (of.rank >= 2)
        of.dim[of.rank - 2] = of.dim[of.rank - 1];
    return row_sums(of, dtype);
}

/* str.lower() and "in", for ASCII. */
static bool has_word(const char *text, const char *word)
{
    const size_t n = strlen(word);

    for (; *text != '\0'; text++) {
        size_t i = 0;

        while (i < n && tolower((unsigned char)text[i]) == word[i])
            i++;
        if (i == n)
            return true;
    }
    return false;
}

/* Muon hands what is no matrix, and embeddings, to Adam. */
static bool muon_has_velocity(const void *args, const krt_variable *v)
{
    const krt_muon_args *a = args;

    return v->tensor->shape.rank != 2 ||
           (a->exclude_embeddings && has_word(krt_variable_path(v), "embedding")) ||
           krti_regex_finds(a->exclude_layers, krt_variable_path(v));
}

static double muon_decay(const void *args, const krt_variable *v)
{
    const krt_muon_args *a = args;

    return muon_has_velocity(args, v) ? a->adam_weight_decay : a->weight_decay;
}

static krt_status build_nadam(krti_optimizer *o)
{
    return krti_optimizer_add(o, "variable", "u_product", NULL, (krt_shape){.rank = 0}, KRT_FLOAT32,
                              1);
}

static krt_status build_loss_scale(krti_optimizer *o)
{
    const krt_loss_scale_optimizer_args *a = o->args;
    const krt_shape scalar = {.rank = 0};
    const krt_status st =
        krti_optimizer_add(o, "step_counter", "step_counter", NULL, scalar, KRT_INT64, 0);

    if (st != KRT_OK)
        return st;
    return krti_optimizer_add(o, "dynamic_scale", "dynamic_scale", NULL, scalar, KRT_FLOAT32,
                              a->initial_scale);
}

static const krti_state_kind sgd_states[] = {
    {"momentum", .tf_slot = "m", .tf_legacy = "momentum", .is_used = sgd_has_momentum},
};
static const krti_state_kind rmsprop_states[] = {
    {"velocity", .tf_legacy = "rms"},
    {"momentum", .group = 1, .is_used = rmsprop_has_momentum},
    {"average_gradient", .tf_legacy = "mg", .group = 2, .is_used = rmsprop_is_centered},
};
static const krti_state_kind adam_states[] = {
    {"momentum", .tf_slot = "m", .tf_legacy = "m"},
    {"velocity", .tf_slot = "v", .tf_legacy = "v"},
    {"velocity_hat", .tf_slot = "vhat", .tf_legacy = "vhat", .group = 1, .is_used = adam_has_hats},
};
static const krti_state_kind moment_states[] = {
    {"momentum", .tf_slot = "m", .tf_legacy = "m"},
    {"velocity", .tf_slot = "v", .tf_legacy = "v"},
};
static const krti_state_kind adamax_states[] = {
    {"momentum", .tf_slot = "m", .tf_legacy = "m"},
    {"norm", .tf_slot = "u", .tf_legacy = "v"},
};
static const krti_state_kind adagrad_states[] = {
    {"accumulator", .initial = adagrad_initial},
};
static const krti_state_kind adadelta_states[] = {
    {"accumulated_grad", .tf_legacy = "accum_grad"},
    {"accumulated_delta_var", .tf_legacy = "accum_var"},
};
static const krti_state_kind adafactor_states[] = {
    {"r", .shape = row_sums, .is_plain = true},
    {"c", .shape = column_sums, .is_plain = true},
    {"velocity", .tf_slot = "v"},
};
static const krti_state_kind ftrl_states[] = {
    {"accumulator", .initial = ftrl_initial},
    {.slot = "linear"},
};
static const krti_state_kind lion_states[] = {
    {"momentum", .tf_slot = "m"},
};
static const krti_state_kind muon_states[] = {
    {.slot = "momentum"},
    {"velocity", .is_used = muon_has_velocity},
};
static const krti_state_kind schedule_free_states[] = {
    {"momentum", .copies = true},
    {.slot = "velocity"},
};

/* ------------------------------------------------------------------------------- refusals */

static krt_status check_sgd(krt_ctx *k, const void *args)
{
    const double momentum = ((const krt_sgd_args *)args)->momentum;

    if (momentum >= 0 && momentum <= 1)
        return KRT_OK;
    return krti_fail(k, KRT_E_INVALID, NULL,
                     "`momentum` must be a float between [0, 1]. Received: momentum=%g", momentum);
}

static krt_status check_lion(krt_ctx *k, const void *args)
{
    const double beta_1 = ((const krt_lion_args *)args)->beta_1;

    if (beta_1 > 0 && beta_1 <= 1)
        return KRT_OK;
    return krti_fail(k, KRT_E_INVALID, NULL,
                     "Argument `beta_1` must be in the [0, 1] range. Otherwise, the optimizer "
                     "degenerates to SignSGD. Received: beta_1=%g",
                     beta_1);
}

static krt_status check_muon(krt_ctx *k, const void *args)
{
    return krti_regex_check(k, ((const krt_muon_args *)args)->exclude_layers);
}

static krt_status check_ftrl(krt_ctx *k, const void *args)
{
    const krt_ftrl_args *a = args;
    const struct {
        const char *name;
        double value;
    } least_zero[] = {
        {"initial_accumulator_value", a->initial_accumulator_value},
        {"l1_regularization_strength", a->l1_regularization_strength},
        {"l2_regularization_strength", a->l2_regularization_strength},
        {"l2_shrinkage_regularization_strength", a->l2_shrinkage_regularization_strength},
    };

    for (size_t i = 0; i < KRTI_COUNT(least_zero); i++)
        if (!(least_zero[i].value >= 0))
            return krti_fail(k, KRT_E_INVALID, NULL,
                             "`%s` needs to be positive or zero. Received: %s=%g",
                             least_zero[i].name, least_zero[i].name, least_zero[i].value);
    if (!(a->learning_rate_power <= 0))
        return krti_fail(k, KRT_E_INVALID, NULL,
                         "`learning_rate_power` needs to be negative or zero. Received: "
                         "learning_rate_power=%g",
                         a->learning_rate_power);
    return KRT_OK;
}

static krt_status check_loss_scale(krt_ctx *k, const void *args)
{
    const krt_loss_scale_optimizer_args *a = args;

    if (a->inner_optimizer != NULL)
        return KRT_OK;
    return krti_fail(k, KRT_E_INVALID, NULL, "LossScaleOptimizer needs an inner_optimizer");
}

/* ------------------------------------------------------------------------------- the table */

#define CLASS(cls, id)                        \
    .base = {.name = cls,                     \
             .defaults = &id##_defaults.spec, \
             .fields = id##_fields,           \
             .num_fields = KRTI_COUNT(id##_fields)}
#define STATES(id) .states = id##_states, .num_states = KRTI_COUNT(id##_states)

static const krti_optimizer_class classes[] = {
    {CLASS("Adadelta", adadelta), STATES(adadelta), .update = krti_update_adadelta},
    {CLASS("Adafactor", adafactor), STATES(adafactor), .update = krti_update_adafactor,
     .scalars = krti_scalars_adafactor},
    {CLASS("Adagrad", adagrad), STATES(adagrad), .update = krti_update_adagrad},
    {CLASS("Adam", adam), STATES(adam), .update = krti_update_adam, .scalars = krti_scalars_adam},
    {CLASS("AdamW", adamw), STATES(adam), .update = krti_update_adam, .scalars = krti_scalars_adam},
    {CLASS("Adamax", adamax), STATES(adamax), .update = krti_update_adamax,
     .scalars = krti_scalars_adamax},
    {CLASS("Ftrl", ftrl), STATES(ftrl), .check = check_ftrl, .update = krti_update_ftrl,
     .scalars = krti_scalars_ftrl},
    {CLASS("Lamb", lamb), STATES(moment), .update = krti_update_lamb, .scalars = krti_scalars_lamb},
    {CLASS("Lion", lion), STATES(lion), .check = check_lion, .update = krti_update_lion},
    {CLASS("LossScaleOptimizer", loss_scale), .check = check_loss_scale, .build = build_loss_scale},
    {CLASS("Muon", muon), STATES(muon), .check = check_muon, .update = krti_update_muon,
     .scalars = krti_scalars_muon, .decay = muon_decay},
    {CLASS("Nadam", nadam), STATES(moment), .build = build_nadam, .update = krti_update_nadam,
     .scalars = krti_scalars_nadam, .commit = krti_commit_nadam},
    {CLASS("RMSprop", rmsprop), STATES(rmsprop), .update = krti_update_rmsprop},
    {CLASS("SGD", sgd), STATES(sgd), .check = check_sgd, .update = krti_update_sgd},
    {CLASS("ScheduleFreeAdamW", schedule_free_adamw), STATES(schedule_free),
     .update = krti_update_schedule_free, .scalars = krti_scalars_schedule_free},
};

static const krt_layer_class *at(size_t i)
{
    return i < KRTI_COUNT(classes) ? &classes[i].base : NULL;
}

/* Keras compares names in lower case. */
static const krt_layer_class *find(const char *name)
{
    for (size_t i = 0; i < KRTI_COUNT(classes); i++) {
        const char *a = classes[i].base.name, *b = name;

        while (*a != '\0' && tolower((unsigned char)*a) == tolower((unsigned char)*b)) {
            a++;
            b++;
        }
        if (*a == '\0' && *b == '\0')
            return &classes[i].base;
    }
    return NULL;
}

const krti_family krti_optimizers = {"optimizer", "keras.optimizers", find, at, NULL};

const krti_optimizer_class *krti_optimizer_class_of(const krt_layer_class *cls)
{
    return (const krti_optimizer_class *)(const void *)cls;
}
