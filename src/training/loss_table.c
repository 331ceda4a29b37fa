/* The table of losses, how a name or config becomes one, and how values become a number. Keras:
 * losses/__init__.py get(), losses/loss.py. */
#include "base/str.h"
#include "training/score.h"

#include <ctype.h>

/* ------------------------------------------------------------------------------- arguments */

#define LOSS_FIELDS(type)                                              \
    KRT_FIELD(type, STRING, name), KRT_FIELD(type, STRING, reduction), \
    {                                                                  \
        "dtype", KRT_FIELD_IGNORED, 0                                  \
    }
#define LOSS_DEFAULTS(self) .spec = {sizeof self, NULL}, .reduction = "sum_over_batch_size"

static const krt_field plain_fields[] = {LOSS_FIELDS(krt_loss_args)};
static const krt_loss_args plain_defaults = {LOSS_DEFAULTS(plain_defaults)};
static const krt_field crossentropy_fields[] = {
    LOSS_FIELDS(krt_crossentropy_args),
    KRT_FIELD(krt_crossentropy_args, BOOL, from_logits),
    KRT_FIELD(krt_crossentropy_args, FLOAT, label_smoothing),
    KRT_FIELD(krt_crossentropy_args, INT, axis),
};
static const krt_crossentropy_args crossentropy_defaults = {
    LOSS_DEFAULTS(crossentropy_defaults), .from_logits = false, .label_smoothing = 0, .axis = -1};
static const krt_field sparse_categorical_crossentropy_fields[] = {
    LOSS_FIELDS(krt_sparse_categorical_crossentropy_args),
    KRT_FIELD(krt_sparse_categorical_crossentropy_args, BOOL, from_logits),
    KRT_FIELD(krt_sparse_categorical_crossentropy_args, INT, ignore_class),
    KRT_FIELD(krt_sparse_categorical_crossentropy_args, INT, axis),
};
static const krt_sparse_categorical_crossentropy_args sparse_categorical_crossentropy_defaults = {
    LOSS_DEFAULTS(sparse_categorical_crossentropy_defaults), .from_logits = false,
    .ignore_class = KRT_NONE, .axis = -1};
static const krt_field binary_focal_crossentropy_fields[] = {
    LOSS_FIELDS(krt_binary_focal_crossentropy_args),
    KRT_FIELD(krt_binary_focal_crossentropy_args, BOOL, apply_class_balancing),
    KRT_FIELD(krt_binary_focal_crossentropy_args, FLOAT, alpha),
    KRT_FIELD(krt_binary_focal_crossentropy_args, FLOAT, gamma),
    KRT_FIELD(krt_binary_focal_crossentropy_args, BOOL, from_logits),
    KRT_FIELD(krt_binary_focal_crossentropy_args, FLOAT, label_smoothing),
    KRT_FIELD(krt_binary_focal_crossentropy_args, INT, axis),
};
static const krt_binary_focal_crossentropy_args binary_focal_crossentropy_defaults = {
    LOSS_DEFAULTS(binary_focal_crossentropy_defaults),
    .apply_class_balancing = false,
    .alpha = 0.25,
    .gamma = 2,
    .from_logits = false,
    .label_smoothing = 0,
    .axis = -1};
static const krt_field categorical_focal_crossentropy_fields[] = {
    LOSS_FIELDS(krt_categorical_focal_crossentropy_args),
    KRT_FIELD(krt_categorical_focal_crossentropy_args, FLOAT, alpha),
    KRT_FIELD(krt_categorical_focal_crossentropy_args, FLOAT, gamma),
    KRT_FIELD(krt_categorical_focal_crossentropy_args, BOOL, from_logits),
    KRT_FIELD(krt_categorical_focal_crossentropy_args, FLOAT, label_smoothing),
    KRT_FIELD(krt_categorical_focal_crossentropy_args, INT, axis),
};
static const krt_categorical_focal_crossentropy_args categorical_focal_crossentropy_defaults = {
    LOSS_DEFAULTS(categorical_focal_crossentropy_defaults),
    .alpha = 0.25,
    .gamma = 2,
    .from_logits = false,
    .label_smoothing = 0,
    .axis = -1};
static const krt_field categorical_generalized_cross_entropy_fields[] = {
    LOSS_FIELDS(krt_categorical_generalized_cross_entropy_args),
    KRT_FIELD(krt_categorical_generalized_cross_entropy_args, FLOAT, q),
};
static const krt_categorical_generalized_cross_entropy_args
    categorical_generalized_cross_entropy_defaults = {
        LOSS_DEFAULTS(categorical_generalized_cross_entropy_defaults), .q = 0.5};
static const krt_field huber_fields[] = {
    LOSS_FIELDS(krt_huber_args),
    KRT_FIELD(krt_huber_args, FLOAT, delta),
};
static const krt_huber_args huber_defaults = {LOSS_DEFAULTS(huber_defaults), .delta = 1};
static const krt_field cosine_similarity_fields[] = {
    LOSS_FIELDS(krt_cosine_similarity_args),
    KRT_FIELD(krt_cosine_similarity_args, INT, axis),
};
static const krt_cosine_similarity_args cosine_similarity_defaults = {
    LOSS_DEFAULTS(cosine_similarity_defaults), .axis = -1};
static const krt_field dice_fields[] = {
    LOSS_FIELDS(krt_dice_args),
    KRT_FIELD(krt_dice_args, AXES, axis),
};
static const krt_dice_args dice_defaults = {LOSS_DEFAULTS(dice_defaults), .axis = {0}};
static const krt_field tversky_fields[] = {
    LOSS_FIELDS(krt_tversky_args),
    KRT_FIELD(krt_tversky_args, FLOAT, alpha),
    KRT_FIELD(krt_tversky_args, FLOAT, beta),
    KRT_FIELD(krt_tversky_args, AXES, axis),
};
static const krt_tversky_args tversky_defaults = {LOSS_DEFAULTS(tversky_defaults), .alpha = 0.5,
                                                  .beta = 0.5, .axis = {0}};
static const krt_field circle_fields[] = {
    LOSS_FIELDS(krt_circle_args),
    KRT_FIELD(krt_circle_args, FLOAT, gamma),
    KRT_FIELD(krt_circle_args, FLOAT, margin),
    KRT_FIELD(krt_circle_args, BOOL, remove_diagonal),
};
static const krt_circle_args circle_defaults = {LOSS_DEFAULTS(circle_defaults), .gamma = 80,
                                                .margin = 0.4, .remove_diagonal = true};

/* ------------------------------------------------------------------------------- the table */

#define LOSS(cls, id, fn)                            \
    .base = {.name = cls,                            \
             .defaults = &id##_defaults.spec,        \
             .fields = id##_fields,                  \
             .num_fields = KRTI_COUNT(id##_fields)}, \
    .score = krti_score_##fn

static const krti_loss_class classes[] = {
    {LOSS("BinaryCrossentropy", crossentropy, binary_crossentropy), .aliases = {"bce", "BCE"}},
    {LOSS("BinaryFocalCrossentropy", binary_focal_crossentropy, binary_focal_crossentropy)},
    {LOSS("CTC", plain, ctc)},
    {LOSS("CategoricalCrossentropy", crossentropy, categorical_crossentropy)},
    {LOSS("CategoricalFocalCrossentropy", categorical_focal_crossentropy,
          categorical_focal_crossentropy)},
    {LOSS("CategoricalGeneralizedCrossEntropy", categorical_generalized_cross_entropy,
          categorical_generalized_cross_entropy),
     .wants_classes = true},
    {LOSS("CategoricalHinge", plain, categorical_hinge)},
    {LOSS("Circle", circle, circle)},
    {LOSS("CosineSimilarity", cosine_similarity, cosine_similarity)},
    {LOSS("Dice", dice, dice)},
    {LOSS("Hinge", plain, hinge)},
    {LOSS("Huber", huber, huber)},
    {LOSS("KLDivergence", plain, kl_divergence),
     .aliases = {"kl_divergence", "kullback_leibler_divergence", "kld", "KLD"}},
    {LOSS("LogCosh", plain, log_cosh), .aliases = {"logcosh"}},
    {LOSS("MeanAbsoluteError", plain, mean_absolute_error), .aliases = {"mae", "MAE"}},
    {LOSS("MeanAbsolutePercentageError", plain, mean_absolute_percentage_error),
     .aliases = {"mape", "MAPE"}},
    {LOSS("MeanSquaredError", plain, mean_squared_error), .aliases = {"mse", "MSE"}},
    {LOSS("MeanSquaredLogarithmicError", plain, mean_squared_logarithmic_error),
     .aliases = {"msle", "MSLE"}},
    {LOSS("Poisson", plain, poisson)},
    {LOSS("SparseCategoricalCrossentropy", sparse_categorical_crossentropy,
          sparse_categorical_crossentropy),
     .wants_classes = true},
    {LOSS("SquaredHinge", plain, squared_hinge)},
    {LOSS("Tversky", tversky, tversky)},
};

static const krt_layer_class *at(size_t i)
{
    return i < KRTI_COUNT(classes) ? &classes[i].base : NULL;
}

static bool is_snake(const char *class_name, const char *name)
{
    char snake[KRTI_SNAKE_TEXT];

    krti_snake_case_text(snake, class_name);
    return strcmp(snake, name) == 0;
}

bool krti_is_identifier(const krt_layer_class *cls, const char *const *aliases, size_t num_aliases,
                        const char *name)
{
    if (strcmp(cls->name, name) == 0 || is_snake(cls->name, name))
        return true;
    for (size_t i = 0; i < num_aliases && aliases[i] != NULL; i++)
        if (strcmp(aliases[i], name) == 0)
            return true;
    return false;
}

static const krt_layer_class *find(const char *name)
{
    for (size_t i = 0; i < KRTI_COUNT(classes); i++)
        if (krti_is_identifier(&classes[i].base, classes[i].aliases, KRTI_COUNT(classes[i].aliases),
                               name))
            return &classes[i].base;
    return NULL;
}

static const krti_loss_class own_class = {.score = krti_score_own};

const krti_family krti_losses = {"loss", "keras.losses", find, at, krti_own_loss};

const char *krti_loss_by_shape(const char *name, krt_shape y_true, krt_shape y_pred)
{
    char lower[16];
    size_t i = 0;

    for (; name[i] != '\0' && i + 1 < sizeof lower; i++)
        lower[i] = (char)tolower((unsigned char)name[i]);
    lower[i] = '\0';
    if (name[i] != '\0' || (strcmp(lower, "crossentropy") != 0 && strcmp(lower, "ce") != 0))
        return NULL;
    const int64_t last = y_pred.rank > 0 ? y_pred.dim[y_pred.rank - 1] : 0;
    const bool is_sparse = y_true.rank < y_pred.rank ||
                           (y_true.rank > 0 && y_true.dim[y_true.rank - 1] == 1 && last > 1);

    return last == 1   ? "binary_crossentropy"
           : is_sparse ? "sparse_categorical_crossentropy"
                       : "categorical_crossentropy";
}

/* ------------------------------------------------------------------------------- reading */

/* Keras writes a function as {"class_name": "function", "config": "mean_squared_error"}. */
const krti_conf *krti_unwrap_function(const krti_conf *object)
{
    const char *name = krti_conf_get_text(object, "class_name");
    const krti_conf *config = krti_conf_get(object, "config");

    return name != NULL && strcmp(name, "function") == 0 && krti_conf_text(config) != NULL ? config
                                                                                           : object;
}

const char *krti_score_name(const char *identifier)
{
    const char *const end = strrchr(identifier, '>');

    return end != NULL ? end + 1 : identifier;
}

static krt_status check_reduction(krt_ctx *k, const char **reduction)
{
    static const char *const allowed[] = {"sum_over_batch_size", "sum", "none", "mean",
                                          "mean_with_sample_weight"};

    if (*reduction == NULL)
        *reduction = "none";
    for (size_t i = 0; i < KRTI_COUNT(allowed); i++)
        if (strcmp(*reduction, allowed[i]) == 0)
            return KRT_OK;
    return krti_fail(k, KRT_E_INVALID, NULL,
                     "Invalid value for argument `reduction`. Expected one of sum_over_batch_size, "
                     "sum, mean, mean_with_sample_weight, none. Received: reduction=%s",
                     *reduction);
}

krt_status krti_loss_read(krt_layer *owner, krti_arena *a, const krti_conf *object, krti_loss *out)
{
    const krti_conf *name = krti_unwrap_function(object), *config = NULL;
    const krt_layer_class *cls = NULL;
    krti_str snake = KRTI_STR_INIT(owner->owned.k);
    void *args = NULL;
    krt_status st = KRT_OK;

    TRY(krti_object_find(owner->owned.k, &krti_losses, name, &cls, &config));
    TRY(krti_object_read(owner, a, cls, config, &args));
    out->own = krti_is_own(cls) ? cls : NULL;
    out->cls = krti_is_own(cls) ? &own_class : (const krti_loss_class *)(const void *)cls;
    out->args = args;
    out->reduction = ((krti_loss_args *)args)->reduction;
    TRY(check_reduction(owner->owned.k, &out->reduction));
    out->name = krti_conf_text(name) != NULL ? krti_score_name(krti_conf_text(name))
                                             : ((krti_loss_args *)args)->name;
    if (out->name == NULL) {
        TRY(krti_snake_case(&snake, cls->name));
        out->name = krti_arena_strdup(a, snake.ptr);
        st = out->name != NULL ? KRT_OK : KRT_E_NOMEM;
    }

done:
    krti_str_free(&snake);
    return st;
}

/* ------------------------------------------------------------------------------- reducing */

/* total / count, 0 where the count is. */
static krt_value *divide_no_nan(krti_graph *g, krt_value *total, krt_value *count)
{
    krt_value *zero = krti_scalar(g, 0);
    krt_value *is_zero = krti_equal(g, count, zero);
    krt_value *safe = krti_where(g, is_zero, krti_scalar(g, 1), count);

    return krti_where(g, is_zero, zero, krti_divide(g, total, safe));
}

krt_value *krti_apply_mask(krti_graph *g, krt_value *weight, krt_value *mask, bool is_mean)
{
    if (mask == NULL)
        return weight;
    krt_value *on = krti_cast(g, mask, KRT_FLOAT32);
    if (is_mean && on != NULL) {
        const double total = (double)krt_shape_size(on->shape);
        krt_value *valid = krti_reduce_sum(g, on, NULL, 0, false);

        on = krti_multiply(g, on, divide_no_nan(g, krti_scalar(g, total), valid));
    }
    if (weight == NULL)
        return on;
    krti_same_rank(g, &on, &weight, true);
    return krti_multiply(g, weight, on);
}

static krt_value *both(krti_graph *g, krt_value *a, krt_value *b)
{
    return a == NULL ? b : b == NULL ? a : krti_logical_and(g, a, b);
}

krt_value *krti_loss_describe(const krti_loss *l, krti_scoring *s, krt_value *weight,
                              krt_value *mask, krt_value **to_minimize)
{
    krti_graph *g = s->g;
    const bool is_mean =
        strcmp(l->reduction, "mean") == 0 || strcmp(l->reduction, "sum_over_batch_size") == 0;

    krti_same_rank(g, &s->y_true, &s->y_pred, true);
    s->own = l->own;
    krt_value *values = l->cls->score(s);
    weight = krti_apply_mask(g, weight, both(g, mask, s->mask), is_mean);
    if (weight != NULL) {
        krti_same_rank(g, &values, &weight, true);
        values = krti_multiply(g, values, weight);
    }
    if (values == NULL)
        return NULL;
    krt_value *sum = krti_reduce_sum(g, values, NULL, 0, false);
    const double n = (double)krt_shape_size(values->shape);
    *to_minimize = sum;
    if (strcmp(l->reduction, "sum") == 0 || values->shape.rank == 0)
        return sum;
    if (strcmp(l->reduction, "none") == 0)
        return krti_affine(g, sum, 1 / n, 0, 0);
    if (is_mean || weight == NULL)
        *to_minimize = krti_divide(g, sum, krti_scalar(g, n));
    else
        *to_minimize = divide_no_nan(g, sum, krti_reduce_sum(g, weight, NULL, 0, false));
    return *to_minimize;
}
