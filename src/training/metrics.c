/* The table of metrics and their common machinery. Keras: metrics/__init__.py get(), metric.py,
 * reduction_metrics.py, accuracy_metrics.py, correlation_metrics.py. */
#include "base/str.h"
#include "training/metric.h"
#include "training/metric_values.h"

#include <ctype.h>

/* ------------------------------------------------------------------------------- arguments */

#define METRIC_FIELDS(type)           \
    KRT_FIELD(type, STRING, name),    \
    {                                 \
        "dtype", KRT_FIELD_IGNORED, 0 \
    }
#define METRIC_DEFAULTS(self) .spec = {sizeof self, NULL}

static const krt_field plain_fields[] = {
    METRIC_FIELDS(krt_metric_args),
};
static const krt_metric_args plain_defaults = {METRIC_DEFAULTS(plain_defaults)};
static const krt_field loss_fields[] = {
    METRIC_FIELDS(krt_loss_args),
};
static const krt_loss_args loss_defaults = {METRIC_DEFAULTS(loss_defaults)};
static const krt_field bce_fields[] = {
    METRIC_FIELDS(krt_crossentropy_args),
    KRT_FIELD(krt_crossentropy_args, BOOL, from_logits),
    KRT_FIELD(krt_crossentropy_args, FLOAT, label_smoothing),
};
static const krt_field cce_fields[] = {
    METRIC_FIELDS(krt_crossentropy_args),
    KRT_FIELD(krt_crossentropy_args, BOOL, from_logits),
    KRT_FIELD(krt_crossentropy_args, FLOAT, label_smoothing),
    KRT_FIELD(krt_crossentropy_args, INT, axis),
};
static const krt_crossentropy_args bce_defaults = {METRIC_DEFAULTS(bce_defaults), .axis = -1};
static const krt_crossentropy_args cce_defaults = {METRIC_DEFAULTS(cce_defaults), .axis = -1};
static const krt_field scce_fields[] = {
    METRIC_FIELDS(krt_sparse_categorical_crossentropy_args),
    KRT_FIELD(krt_sparse_categorical_crossentropy_args, BOOL, from_logits),
    KRT_FIELD(krt_sparse_categorical_crossentropy_args, INT, ignore_class),
    KRT_FIELD(krt_sparse_categorical_crossentropy_args, INT, axis),
};
static const krt_sparse_categorical_crossentropy_args scce_defaults = {
    METRIC_DEFAULTS(scce_defaults), .ignore_class = KRT_NONE, .axis = -1};
static const krt_field cosine_fields[] = {
    METRIC_FIELDS(krt_cosine_similarity_args),
    KRT_FIELD(krt_cosine_similarity_args, INT, axis),
};
static const krt_cosine_similarity_args cosine_defaults = {METRIC_DEFAULTS(cosine_defaults),
                                                           .axis = -1};
static const krt_field huber_fields[] = {
    METRIC_FIELDS(krt_huber_args),
    KRT_FIELD(krt_huber_args, FLOAT, delta),
};
static const krt_huber_args huber_defaults = {METRIC_DEFAULTS(huber_defaults), .delta = 1};
static const krt_field binary_accuracy_fields[] = {
    METRIC_FIELDS(krt_binary_accuracy_args),
    KRT_FIELD(krt_binary_accuracy_args, FLOAT, threshold),
};
static const krt_binary_accuracy_args binary_accuracy_defaults = {
    METRIC_DEFAULTS(binary_accuracy_defaults), .threshold = 0.5};
static const krt_field top_k_fields[] = {
    METRIC_FIELDS(krt_top_k_metric_args),
    KRT_FIELD(krt_top_k_metric_args, INT, k),
};
static const krt_field sparse_top_k_fields[] = {
    METRIC_FIELDS(krt_top_k_metric_args),
    KRT_FIELD(krt_top_k_metric_args, INT, k),
    KRT_FIELD(krt_top_k_metric_args, BOOL, from_sorted_ids),
};
static const krt_top_k_metric_args top_k_defaults = {METRIC_DEFAULTS(top_k_defaults), .k = 5};
static const krt_top_k_metric_args sparse_top_k_defaults = {METRIC_DEFAULTS(sparse_top_k_defaults),
                                                            .k = 5};
static const krt_field correlation_fields[] = {
    METRIC_FIELDS(krt_correlation_metric_args),
    KRT_FIELD(krt_correlation_metric_args, INT, axis),
};
static const krt_correlation_metric_args correlation_defaults = {
    METRIC_DEFAULTS(correlation_defaults), .axis = -1};
static const krt_field count_fields[] = {
    METRIC_FIELDS(krt_confusion_metric_args),
    KRT_FIELD(krt_confusion_metric_args, NUMBERS, thresholds),
};
static const krt_field share_fields[] = {
    METRIC_FIELDS(krt_confusion_metric_args),
    KRT_FIELD(krt_confusion_metric_args, NUMBERS, thresholds),
    KRT_FIELD(krt_confusion_metric_args, INT, top_k),
    KRT_FIELD(krt_confusion_metric_args, INT, class_id),
};
static const krt_confusion_metric_args count_defaults = {METRIC_DEFAULTS(count_defaults),
                                                         .top_k = KRT_NONE, .class_id = KRT_NONE};
static const krt_confusion_metric_args share_defaults = {METRIC_DEFAULTS(share_defaults),
                                                         .top_k = KRT_NONE, .class_id = KRT_NONE};
/* One number of the curve, wanted where another is at least so much. */
#define AT_POINT(id)                                                       \
    static const krt_field at_##id##_fields[] = {                          \
        METRIC_FIELDS(krt_at_point_metric_args),                           \
        KRT_FIELD(krt_at_point_metric_args, INT, num_thresholds),          \
        {#id, KRT_FIELD_FLOAT, offsetof(krt_at_point_metric_args, value)}, \
        KRT_FIELD(krt_at_point_metric_args, INT, class_id),                \
    };                                                                     \
    static const krt_at_point_metric_args at_##id##_defaults = {           \
        METRIC_DEFAULTS(at_##id##_defaults), .num_thresholds = 200, .class_id = KRT_NONE}
AT_POINT(specificity);
AT_POINT(sensitivity);
AT_POINT(recall);
AT_POINT(precision);
static const krt_field auc_fields[] = {
    METRIC_FIELDS(krt_auc_args),
    KRT_FIELD(krt_auc_args, INT, num_thresholds),
    KRT_FIELD(krt_auc_args, STRING, curve),
    KRT_FIELD(krt_auc_args, STRING, summation_method),
    KRT_FIELD(krt_auc_args, BOOL, multi_label),
    KRT_FIELD(krt_auc_args, INT, num_labels),
    KRT_FIELD(krt_auc_args, NUMBERS, label_weights),
    KRT_FIELD(krt_auc_args, BOOL, from_logits),
    KRT_FIELD(krt_auc_args, NUMBERS, thresholds),
};
static const krt_auc_args auc_defaults = {METRIC_DEFAULTS(auc_defaults), .num_thresholds = 200,
                                          .curve = "ROC", .summation_method = "interpolation",
                                          .num_labels = KRT_NONE};
static const krt_field fbeta_fields[] = {
    METRIC_FIELDS(krt_fbeta_metric_args),
    KRT_FIELD(krt_fbeta_metric_args, STRING, average),
    KRT_FIELD(krt_fbeta_metric_args, FLOAT, beta),
    KRT_FIELD(krt_fbeta_metric_args, FLOAT, threshold),
};
static const krt_field f1_fields[] = {
    METRIC_FIELDS(krt_fbeta_metric_args),
    KRT_FIELD(krt_fbeta_metric_args, STRING, average),
    KRT_FIELD(krt_fbeta_metric_args, FLOAT, threshold),
};
static const krt_fbeta_metric_args fbeta_defaults = {METRIC_DEFAULTS(fbeta_defaults), .beta = 1,
                                                     .threshold = NAN};
static const krt_fbeta_metric_args f1_defaults = {METRIC_DEFAULTS(f1_defaults), .beta = 1,
                                                  .threshold = NAN};
static const krt_field iou_fields[] = {
    METRIC_FIELDS(krt_iou_metric_args),
    KRT_FIELD(krt_iou_metric_args, INT, num_classes),
    KRT_FIELD(krt_iou_metric_args, NUMBERS, target_class_ids),
    KRT_FIELD(krt_iou_metric_args, INT, ignore_class),
    KRT_FIELD(krt_iou_metric_args, BOOL, sparse_y_true),
    KRT_FIELD(krt_iou_metric_args, BOOL, sparse_y_pred),
    KRT_FIELD(krt_iou_metric_args, INT, axis),
};
static const krt_field binary_iou_fields[] = {
    METRIC_FIELDS(krt_iou_metric_args),
    KRT_FIELD(krt_iou_metric_args, NUMBERS, target_class_ids),
    KRT_FIELD(krt_iou_metric_args, FLOAT, threshold),
};
static const krt_field mean_iou_fields[] = {
    METRIC_FIELDS(krt_iou_metric_args),
    KRT_FIELD(krt_iou_metric_args, INT, num_classes),
    KRT_FIELD(krt_iou_metric_args, INT, ignore_class),
    KRT_FIELD(krt_iou_metric_args, BOOL, sparse_y_true),
    KRT_FIELD(krt_iou_metric_args, BOOL, sparse_y_pred),
    KRT_FIELD(krt_iou_metric_args, INT, axis),
};
static const krt_field one_hot_iou_fields[] = {
    METRIC_FIELDS(krt_iou_metric_args),
    KRT_FIELD(krt_iou_metric_args, INT, num_classes),
    KRT_FIELD(krt_iou_metric_args, NUMBERS, target_class_ids),
    KRT_FIELD(krt_iou_metric_args, INT, ignore_class),
    KRT_FIELD(krt_iou_metric_args, BOOL, sparse_y_pred),
    KRT_FIELD(krt_iou_metric_args, INT, axis),
};
static const krt_field one_hot_mean_iou_fields[] = {
    METRIC_FIELDS(krt_iou_metric_args),
    KRT_FIELD(krt_iou_metric_args, INT, num_classes),
    KRT_FIELD(krt_iou_metric_args, INT, ignore_class),
    KRT_FIELD(krt_iou_metric_args, BOOL, sparse_y_pred),
    KRT_FIELD(krt_iou_metric_args, INT, axis),
};
static const krt_iou_metric_args iou_defaults = {METRIC_DEFAULTS(iou_defaults),
                                                 .num_classes = 0,
                                                 .threshold = 0.5,
                                                 .ignore_class = KRT_NONE,
                                                 .sparse_y_true = true,
                                                 .sparse_y_pred = true,
                                                 .axis = -1};
static const krt_iou_metric_args binary_iou_defaults = {METRIC_DEFAULTS(binary_iou_defaults),
                                                        .num_classes = 2,
                                                        .threshold = 0.5,
                                                        .ignore_class = KRT_NONE,
                                                        .sparse_y_true = true,
                                                        .sparse_y_pred = true,
                                                        .axis = -1};
static const krt_iou_metric_args mean_iou_defaults = {METRIC_DEFAULTS(mean_iou_defaults),
                                                      .num_classes = 0,
                                                      .threshold = 0.5,
                                                      .ignore_class = KRT_NONE,
                                                      .sparse_y_true = true,
                                                      .sparse_y_pred = true,
                                                      .axis = -1};
static const krt_iou_metric_args one_hot_iou_defaults = {METRIC_DEFAULTS(one_hot_iou_defaults),
                                                         .num_classes = 0,
                                                         .threshold = 0.5,
                                                         .ignore_class = KRT_NONE,
                                                         .sparse_y_true = false,
                                                         .sparse_y_pred = false,
                                                         .axis = -1};
static const krt_iou_metric_args one_hot_mean_iou_defaults = {
    METRIC_DEFAULTS(one_hot_mean_iou_defaults),
    .num_classes = 0,
    .threshold = 0.5,
    .ignore_class = KRT_NONE,
    .sparse_y_true = false,
    .sparse_y_pred = false,
    .axis = -1};
static const krt_field r2_fields[] = {
    METRIC_FIELDS(krt_r2_score_args),
    KRT_FIELD(krt_r2_score_args, STRING, class_aggregation),
    KRT_FIELD(krt_r2_score_args, INT, num_regressors),
};
static const krt_r2_score_args r2_defaults = {METRIC_DEFAULTS(r2_defaults),
                                              .class_aggregation = "uniform_average"};

/* ------------------------------------------------------------------------------- the table */

#define METRIC(cls, id)                       \
    .base = {.name = cls,                     \
             .defaults = &id##_defaults.spec, \
             .fields = id##_fields,           \
             .num_fields = KRTI_COUNT(id##_fields)}

static const krti_metric_class classes[] = {
    {METRIC("Accuracy", plain), .values = krti_value_accuracy, .direction = KRTI_UP},
    {METRIC("AUC", auc), .rule = &krti_rule_auc, .is_counted = true, .direction = KRTI_UP},
    {METRIC("BinaryAccuracy", binary_accuracy), .values = krti_value_binary_accuracy,
     .direction = KRTI_UP},
    {METRIC("BinaryCrossentropy", bce), .values = krti_score_binary_crossentropy,
     .aliases = {"bce", "BCE"}},
    {METRIC("BinaryIoU", binary_iou), .rule = &krti_rule_iou, .is_counted = true,
     .direction = KRTI_UP},
    {METRIC("CategoricalAccuracy", plain), .values = krti_value_categorical_accuracy,
     .direction = KRTI_UP},
    {METRIC("CategoricalCrossentropy", cce), .values = krti_score_categorical_crossentropy},
    {METRIC("CategoricalHinge", loss), .values = krti_score_categorical_hinge, .crosses = true},
    {METRIC("ConcordanceCorrelation", correlation), .values = krti_value_concordance,
     .direction = KRTI_UP},
    {METRIC("CosineSimilarity", cosine), .values = krti_score_cosine_similarity,
     .direction = KRTI_UP},
    {METRIC("F1Score", f1), .rule = &krti_rule_fbeta, .name = "f1_score", .direction = KRTI_UP},
    {METRIC("FBetaScore", fbeta), .rule = &krti_rule_fbeta, .name = "fbeta_score",
     .direction = KRTI_UP},
    {METRIC("FalseNegatives", count), .rule = &krti_rule_false_negatives, .is_counted = true,
     .direction = KRTI_NO_DIRECTION},
    {METRIC("FalsePositives", count), .rule = &krti_rule_false_positives, .is_counted = true,
     .direction = KRTI_NO_DIRECTION},
    {METRIC("Hinge", loss), .values = krti_score_hinge, .crosses = true},
    {METRIC("Huber", huber), .values = krti_score_huber},
    {METRIC("IoU", iou), .rule = &krti_rule_iou, .is_counted = true, .direction = KRTI_UP},
    {METRIC("KLDivergence", loss), .values = krti_score_kl_divergence, .crosses = true,
     .name = "kl_divergence", .aliases = {"kl_divergence", "kld", "KLD"}},
    {METRIC("LogCoshError", loss), .values = krti_score_log_cosh, .name = "logcosh",
     .aliases = {"log_cosh", "logcosh"}},
    {METRIC("MeanAbsoluteError", loss), .values = krti_score_mean_absolute_error,
     .aliases = {"mae", "MAE"}},
    {METRIC("MeanAbsolutePercentageError", loss),
     .values = krti_score_mean_absolute_percentage_error, .aliases = {"mape", "MAPE"}},
    {METRIC("MeanIoU", mean_iou), .rule = &krti_rule_iou, .is_counted = true, .direction = KRTI_UP},
    {METRIC("MeanSquaredError", loss), .values = krti_score_mean_squared_error,
     .aliases = {"mse", "MSE"}},
    {METRIC("MeanSquaredLogarithmicError", loss),
     .values = krti_score_mean_squared_logarithmic_error, .aliases = {"msle", "MSLE"}},
    {METRIC("OneHotIoU", one_hot_iou), .rule = &krti_rule_iou, .is_counted = true,
     .direction = KRTI_UP},
    {METRIC("OneHotMeanIoU", one_hot_mean_iou), .rule = &krti_rule_iou, .is_counted = true,
     .direction = KRTI_UP},
    {METRIC("PearsonCorrelation", correlation), .values = krti_value_pearson, .direction = KRTI_UP},
    {METRIC("Poisson", loss), .values = krti_score_poisson, .crosses = true},
    {METRIC("Precision", share), .rule = &krti_rule_precision, .is_counted = true,
     .direction = KRTI_UP},
    {METRIC("PrecisionAtRecall", at_recall), .rule = &krti_rule_precision_at_recall,
     .is_counted = true, .direction = KRTI_UP},
    {METRIC("R2Score", r2), .rule = &krti_rule_r2, .name = "r2_score", .direction = KRTI_UP},
    {METRIC("Recall", share), .rule = &krti_rule_recall, .is_counted = true, .direction = KRTI_UP},
    {METRIC("RecallAtPrecision", at_precision), .rule = &krti_rule_recall_at_precision,
     .is_counted = true, .direction = KRTI_UP},
    {METRIC("RootMeanSquaredError", plain), .values = krti_value_squared_error, .is_root = true},
    {METRIC("SensitivityAtSpecificity", at_specificity),
     .rule = &krti_rule_sensitivity_at_specificity, .is_counted = true, .direction = KRTI_UP},
    {METRIC("SparseCategoricalAccuracy", plain), .values = krti_value_sparse_categorical_accuracy,
     .direction = KRTI_UP},
    {METRIC("SparseCategoricalCrossentropy", scce),
     .values = krti_score_sparse_categorical_crossentropy, .wants_classes = true},
    {METRIC("SparseTopKCategoricalAccuracy", sparse_top_k), .values = krti_value_sparse_top_k,
     .direction = KRTI_UP},
    {METRIC("SpecificityAtSensitivity", at_sensitivity),
     .rule = &krti_rule_specificity_at_sensitivity, .is_counted = true, .direction = KRTI_UP},
    {METRIC("SquaredHinge", loss), .values = krti_score_squared_hinge, .crosses = true},
    {METRIC("TopKCategoricalAccuracy", top_k), .values = krti_value_top_k, .direction = KRTI_UP},
    {METRIC("TrueNegatives", count), .rule = &krti_rule_true_negatives, .is_counted = true,
     .direction = KRTI_NO_DIRECTION},
    {METRIC("TruePositives", count), .rule = &krti_rule_true_positives, .is_counted = true,
     .direction = KRTI_NO_DIRECTION},
};

static const krt_layer_class *at(size_t i)
{
    return i < KRTI_COUNT(classes) ? &classes[i].base : NULL;
}

static const krt_layer_class *find(const char *name)
{
    for (size_t i = 0; i < KRTI_COUNT(classes); i++)
        if (krti_is_identifier(&classes[i].base, classes[i].aliases, KRTI_COUNT(classes[i].aliases),
                               name))
            return &classes[i].base;
    return NULL;
}

/* A class of the host's: a mean, or one with state. */
static const krti_metric_class own_classes[] = {
    {.values = krti_score_own, .is_counted = true},
    {.rule = &krti_rule_own, .is_counted = true},
};

const krti_family krti_metrics = {"metric", "keras.metrics", find, at, krti_own_metric};

/* ------------------------------------------------------------------------------- reading */

static bool is_accuracy(const char *name)
{
    char lower[16];
    size_t i = 0;

    for (; name[i] != '\0' && i + 1 < sizeof lower; i++)
        lower[i] = (char)tolower((unsigned char)name[i]);
    lower[i] = '\0';
    return strcmp(lower, "accuracy") == 0 || strcmp(lower, "acc") == 0;
}

static const char *accuracy_for(krt_shape y_true, krt_shape y_pred)
{
    const int64_t last = y_pred.rank > 0 ? y_pred.dim[y_pred.rank - 1] : 0;
    const bool is_sparse = y_true.rank < y_pred.rank ||
                           (y_true.rank > 0 && y_true.dim[y_true.rank - 1] == 1 && last > 1);

    return last == 1   ? "BinaryAccuracy"
           : is_sparse ? "SparseCategoricalAccuracy"
                       : "CategoricalAccuracy";
}

/* tf.keras wraps functions: {"class_name": "MeanMetricWrapper", "config": {"name", "fn": "..."}}. */
static const krti_conf *unwrap_mean(const krti_conf *object, const char **name)
{
    const char *class_name = krti_conf_get_text(object, "class_name");
    const krti_conf *config = krti_conf_get(object, "config");
    const krti_conf *fn = krti_unwrap_function(krti_conf_get(config, "fn"));

    if (class_name == NULL || strcmp(class_name, "MeanMetricWrapper") != 0 ||
        krti_conf_text(fn) == NULL)
        return object;
    *name = krti_conf_get_text(config, "name");
    return fn;
}

static krt_status default_name(krti_metric *m)
{
    krti_str s = KRTI_STR_INIT(m->k);
    krt_status st = KRT_OK;

    if (m->cls->name != NULL) {
        m->name = m->cls->name;
        return KRT_OK;
    }
    const char *const class_name = m->own != NULL ? m->own->name : m->cls->base.name;
    st = m->cls->is_counted ? krti_automatic_name(m->k, &s, class_name)
                            : krti_snake_case(&s, class_name);
    if (st == KRT_OK) {
        m->name = krti_arena_strdup(m->arena, s.ptr);
        st = m->name != NULL ? KRT_OK : KRT_E_NOMEM;
    }
    krti_str_free(&s);
    return st;
}

krt_status krti_metric_read(krt_layer *owner, krti_arena *a, const krti_conf *object,
                            krt_shape y_true, krt_shape y_pred, krti_metric *out)
{
    const char *name = NULL;
    const krti_conf *plain = krti_unwrap_function(unwrap_mean(object, &name)), *config = NULL;
    const krt_layer_class *cls = NULL;
    const char *text = krti_conf_text(plain);
    krt_status st = KRT_OK;

    *out = (krti_metric){.k = owner->owned.k, .arena = a};
    if (text != NULL && is_accuracy(text))
        cls = find(accuracy_for(y_true, y_pred));
    else
        TRY(krti_object_find(out->k, &krti_metrics, plain, &cls, &config));
    out->own = krti_is_own(cls) ? cls : NULL;
    out->cls = krti_is_own(cls) ? &own_classes[cls->call == NULL]
                                : (const krti_metric_class *)(const void *)cls;
    TRY(krti_object_read(owner, a, cls, config, &out->args));
    out->name = name != NULL   ? name
                : text != NULL ? krti_score_name(text)
                               : krti_conf_get_text(config, "name");
    if (out->name == NULL)
        TRY(default_name(out));

done:
    return st;
}

krt_status krti_metric_check(krt_layer *owner, krti_arena *a, const krti_conf *object)
{
    const char *name = NULL;
    const krti_conf *plain = krti_unwrap_function(unwrap_mean(object, &name)), *config = NULL;
    const krt_layer_class *cls = NULL;
    void *args = NULL;
    krt_status st = KRT_OK;

    if (krti_conf_text(plain) != NULL && is_accuracy(krti_conf_text(plain)))
        return KRT_OK;
    st = krti_object_find(owner->owned.k, &krti_metrics, plain, &cls, &config);
    return st == KRT_OK ? krti_object_read(owner, a, cls, config, &args) : st;
}

/* ------------------------------------------------------------------------------- working */

krti_direction krti_metric_direction(const krti_metric *m)
{
    const char *direction = NULL;

    if (m->own == NULL)
        return m->cls->direction;
    direction = ((const krt_metric_class *)(const void *)m->own)->direction;
    if (direction == NULL)
        return KRTI_NO_DIRECTION;
    return strcmp(direction, "up") == 0 ? KRTI_UP : KRTI_DOWN;
}

bool krti_metric_is_mean(const krti_metric *m)
{
    return m->cls->values != NULL;
}

krt_status krti_metric_add_state(krti_metric *m, const char *name, size_t n)
{
    float *values = krti_arena_array(m->arena, n > 0 ? n : 1, sizeof *values);

    KRTI_ASSERT(m->num_states < KRTI_METRIC_STATES);
    if (values == NULL)
        return KRT_E_NOMEM;
    m->states[m->num_states++] = (krti_metric_state){name, n, values};
    return KRT_OK;
}

krt_status krti_metric_refuse(const krti_metric *m, krt_shape y_true, krt_shape y_pred)
{
    char a[160], b[160];

    return krti_fail(m->k, KRT_E_INVALID, m->name,
                     "%s wants y of the output's shape: y_true has shape %s, y_pred has shape %s",
                     m->cls->base.name, krt_shape_print(y_true, a, sizeof a),
                     krt_shape_print(y_pred, b, sizeof b));
}

krt_status krti_metric_build(krti_metric *m, krt_shape y_true, krt_shape y_pred)
{
    krt_status st = KRT_OK;

    if (m->is_built)
        return KRT_OK;
    m->y_true = y_true;
    m->y_pred = y_pred;
    if (krti_metric_is_mean(m)) {
        st = krti_metric_add_state(m, "total", 1);
        if (st == KRT_OK)
            st = krti_metric_add_state(m, "count", 1);
    } else {
        st = m->cls->rule->build(m, y_true, y_pred);
    }
    m->is_built = st == KRT_OK;
    return st;
}

void krti_metric_reset(krti_metric *m)
{
    for (int i = 0; i < m->num_states; i++)
        memset(m->states[i].values, 0, m->states[i].n * sizeof *m->states[i].values);
}

void krti_metric_add_mean(krti_metric *m, float total, float count)
{
    m->states[0].values[0] += total;
    m->states[1].values[0] += count;
}

size_t krti_metric_result(const krti_metric *m, double *out, size_t room)
{
    if (!krti_metric_is_mean(m))
        return m->cls->rule->result(m, out, room);
    const float mean = krti_divide_no_nan(m->states[0].values[0], m->states[1].values[0]);
    out[0] = (double)(m->cls->is_root ? sqrtf(mean) : mean);
    return 1;
}

/* The mean over every axis from `first` on. */
static krt_value *mean_from(krti_graph *g, krt_value *x, int first)
{
    int axes[KRT_MAX_RANK], n = 0;

    if (x == NULL)
        return NULL;
    for (int i = first; i < x->shape.rank; i++)
        axes[n++] = i;
    return n > 0 ? krti_reduce_mean(g, x, axes, n, false) : x;
}

static void lead(krti_graph *g, krt_value **x)
{
    *x = krti_expand_dims(g, *x, 0);
}

/* Some functions do not bring labels and predictions to one rank when they are metrics, and NumPy's rules
 * make (n,) beside (n, 1) an (n, n). */
static void cross(krti_scoring *s)
{
    krt_value **a = &s->y_true, **b = &s->y_pred;

    if (*a == NULL || *b == NULL || (*a)->shape.rank == (*b)->shape.rank)
        return;
    while (*a != NULL && (*a)->shape.rank < (*b)->shape.rank)
        lead(s->g, a);
    while (*b != NULL && (*b)->shape.rank < (*a)->shape.rank)
        lead(s->g, b);
    krt_value *const both = krti_add(s->g, *a, *b);
    if (both == NULL)
        return;
    *a = krti_broadcast_to(s->g, *a, both->shape);
    *b = krti_broadcast_to(s->g, *b, both->shape);
}

/* Keras's reduce_to_samplewise_values() and what Mean makes of it. */
krt_status krti_metric_describe(const krti_metric *m, krti_scoring *s, krt_value *weight,
                                krt_value *mask, krt_value **total, krt_value **count)
{
    krti_graph *g = s->g;

    s->args = m->args;
    s->own = m->own;
    s->is_metric = true;
    if (m->cls->crosses)
        cross(s);
    else
        krti_same_rank(g, &s->y_true, &s->y_pred, true);
    krt_value *values = m->cls->values(s);
    weight = krti_apply_mask(g, weight, mask, false);
    if (weight != NULL && s->mask != NULL)
        weight = krti_apply_mask(g, weight, s->mask, false);
    if (weight != NULL) {
        krti_same_rank(g, &values, &weight, true);
        if (values != NULL && weight != NULL && values->shape.rank > weight->shape.rank)
            values = mean_from(g, values, weight->shape.rank);
        if (values != NULL)
            weight = krti_broadcast_to(g, weight, values->shape);
        values = krti_multiply(g, values, weight);
        weight = mean_from(g, weight, 1);
    }
    values = mean_from(g, values, 1);
    *total = krti_reduce_sum(g, values, NULL, 0, false);
    *count = weight != NULL ? krti_reduce_sum(g, weight, NULL, 0, false)
             : values == NULL
                 ? NULL
                 : krti_scalar(g, values->shape.rank > 0 ? (double)values->shape.dim[0] : 1);
    return g->status;
}
