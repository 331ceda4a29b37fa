/**
 * @file metrics.h
 * What training and evaluation report. Keras: keras.metrics.
 *
 *     krt_compile(m, KRT_COMPILE(.metrics = KRT_SPECS(KRT_ID("accuracy"), KRT_AUC()), ...));
 *
 * Keras's string identifiers work as well. Losses that Keras has as metrics are described with the
 * macros of losses.h. What Keras reports as an array is here one value each, named "f1_score[0]".
 */
#ifndef KERATIN_TRAINING_METRICS_H
#define KERATIN_TRAINING_METRICS_H

#include "losses.h"

/** What all metrics have. name: NULL, Keras's. */
#define KRT_METRIC_MEMBERS \
    krt_spec    spec;      \
    const char *name

/** A metric without arguments of its own. */
typedef struct krt_metric_args {
    KRT_METRIC_MEMBERS;
} krt_metric_args;
#define KRT_METRIC(cls, ...)                 KRT_SPEC(krt_metric_args, cls, .name = NULL, __VA_ARGS__)
/** Keras: keras.metrics.Accuracy. */
#define KRT_ACCURACY(...)                    KRT_METRIC("Accuracy", __VA_ARGS__)
/** Keras: keras.metrics.CategoricalAccuracy. */
#define KRT_CATEGORICAL_ACCURACY(...)        KRT_METRIC("CategoricalAccuracy", __VA_ARGS__)
/** Keras: keras.metrics.SparseCategoricalAccuracy. */
#define KRT_SPARSE_CATEGORICAL_ACCURACY(...) KRT_METRIC("SparseCategoricalAccuracy", __VA_ARGS__)
/** Keras: keras.metrics.RootMeanSquaredError. */
#define KRT_ROOT_MEAN_SQUARED_ERROR(...)     KRT_METRIC("RootMeanSquaredError", __VA_ARGS__)
/** Keras: keras.metrics.LogCoshError. */
#define KRT_LOG_COSH_ERROR(...)              KRT_METRIC("LogCoshError", __VA_ARGS__)

/** The arguments of BinaryAccuracy. */
typedef struct krt_binary_accuracy_args {
    KRT_METRIC_MEMBERS;
    double threshold; /**< 0.5 */
} krt_binary_accuracy_args;
/** Keras: keras.metrics.BinaryAccuracy. */
#define KRT_BINARY_ACCURACY(...) \
    KRT_SPEC(krt_binary_accuracy_args, "BinaryAccuracy", .threshold = 0.5, __VA_ARGS__)

/** The arguments of TopKCategoricalAccuracy, SparseTopKCategoricalAccuracy. */
typedef struct krt_top_k_metric_args {
    KRT_METRIC_MEMBERS;
    int64_t k;               /**< 5 */
    bool    from_sorted_ids; /**< false, of the sparse one alone */
} krt_top_k_metric_args;
/** Keras: keras.metrics.TopKCategoricalAccuracy. */
#define KRT_TOP_K_CATEGORICAL_ACCURACY(...)                                                      \
    KRT_SPEC(krt_top_k_metric_args, "TopKCategoricalAccuracy", .k = 5, .from_sorted_ids = false, \
             __VA_ARGS__)
/** Keras: keras.metrics.SparseTopKCategoricalAccuracy. */
#define KRT_SPARSE_TOP_K_CATEGORICAL_ACCURACY(...)                           \
    KRT_SPEC(krt_top_k_metric_args, "SparseTopKCategoricalAccuracy", .k = 5, \
             .from_sorted_ids = false, __VA_ARGS__)

/** The arguments of PearsonCorrelation, ConcordanceCorrelation. */
typedef struct krt_correlation_metric_args {
    KRT_METRIC_MEMBERS;
    int64_t axis; /**< -1 */
} krt_correlation_metric_args;
/** Keras: keras.metrics.PearsonCorrelation. */
#define KRT_PEARSON_CORRELATION(...) \
    KRT_SPEC(krt_correlation_metric_args, "PearsonCorrelation", .axis = -1, __VA_ARGS__)
/** Keras: keras.metrics.ConcordanceCorrelation. */
#define KRT_CONCORDANCE_CORRELATION(...) \
    KRT_SPEC(krt_correlation_metric_args, "ConcordanceCorrelation", .axis = -1, __VA_ARGS__)

/** The arguments of TruePositives, TrueNegatives, FalsePositives, FalseNegatives, Precision, Recall. */
typedef struct krt_confusion_metric_args {
    KRT_METRIC_MEMBERS;
    krt_numbers thresholds; /**< none: 0.5 */
    int64_t     top_k;      /**< KRT_NONE, of Precision and Recall alone */
    int64_t     class_id;   /**< KRT_NONE, likewise */
} krt_confusion_metric_args;
/** Keras: keras.metrics.TruePositives. */
#define KRT_TRUE_POSITIVES(...)                                                                  \
    KRT_SPEC(krt_confusion_metric_args, "TruePositives", .thresholds = { 0 }, .top_k = KRT_NONE, \
             .class_id = KRT_NONE, __VA_ARGS__)
/** Keras: keras.metrics.TrueNegatives. */
#define KRT_TRUE_NEGATIVES(...)                                                                  \
    KRT_SPEC(krt_confusion_metric_args, "TrueNegatives", .thresholds = { 0 }, .top_k = KRT_NONE, \
             .class_id = KRT_NONE, __VA_ARGS__)
/** Keras: keras.metrics.FalsePositives. */
#define KRT_FALSE_POSITIVES(...)                                                                  \
    KRT_SPEC(krt_confusion_metric_args, "FalsePositives", .thresholds = { 0 }, .top_k = KRT_NONE, \
             .class_id = KRT_NONE, __VA_ARGS__)
/** Keras: keras.metrics.FalseNegatives. */
#define KRT_FALSE_NEGATIVES(...)                                                                  \
    KRT_SPEC(krt_confusion_metric_args, "FalseNegatives", .thresholds = { 0 }, .top_k = KRT_NONE, \
             .class_id = KRT_NONE, __VA_ARGS__)
/** Keras: keras.metrics.Precision. */
#define KRT_PRECISION(...)                                                                   \
    KRT_SPEC(krt_confusion_metric_args, "Precision", .thresholds = { 0 }, .top_k = KRT_NONE, \
             .class_id = KRT_NONE, __VA_ARGS__)
/** Keras: keras.metrics.Recall. */
#define KRT_RECALL(...)                                                                   \
    KRT_SPEC(krt_confusion_metric_args, "Recall", .thresholds = { 0 }, .top_k = KRT_NONE, \
             .class_id = KRT_NONE, __VA_ARGS__)

/** The arguments of SensitivityAtSpecificity, SpecificityAtSensitivity, PrecisionAtRecall,
 *  RecallAtPrecision. */
typedef struct krt_at_point_metric_args {
    KRT_METRIC_MEMBERS;
    double  value; /**< 0, required, in [0, 1]: the specificity, sensitivity, recall or precision */
    int64_t num_thresholds; /**< 200 */
    int64_t class_id;       /**< KRT_NONE */
} krt_at_point_metric_args;
/** Keras: keras.metrics.SensitivityAtSpecificity. */
#define KRT_SENSITIVITY_AT_SPECIFICITY(...)                                               \
    KRT_SPEC(krt_at_point_metric_args, "SensitivityAtSpecificity", .num_thresholds = 200, \
             .class_id = KRT_NONE, .value = __VA_ARGS__)
/** Keras: keras.metrics.SpecificityAtSensitivity. */
#define KRT_SPECIFICITY_AT_SENSITIVITY(...)                                               \
    KRT_SPEC(krt_at_point_metric_args, "SpecificityAtSensitivity", .num_thresholds = 200, \
             .class_id = KRT_NONE, .value = __VA_ARGS__)
/** Keras: keras.metrics.PrecisionAtRecall. */
#define KRT_PRECISION_AT_RECALL(...)                                               \
    KRT_SPEC(krt_at_point_metric_args, "PrecisionAtRecall", .num_thresholds = 200, \
             .class_id = KRT_NONE, .value = __VA_ARGS__)
/** Keras: keras.metrics.RecallAtPrecision. */
#define KRT_RECALL_AT_PRECISION(...)                                               \
    KRT_SPEC(krt_at_point_metric_args, "RecallAtPrecision", .num_thresholds = 200, \
             .class_id = KRT_NONE, .value = __VA_ARGS__)

/** The arguments of AUC. */
typedef struct krt_auc_args {
    KRT_METRIC_MEMBERS;
    int64_t     num_thresholds;   /**< 200 */
    const char *curve;            /**< "ROC"; "PR" or "PRGAIN" */
    const char *summation_method; /**< "interpolation"; "minoring" or "majoring" */
    krt_numbers thresholds;       /**< none: num_thresholds even ones */
    bool        multi_label;      /**< false */
    int64_t     num_labels;       /**< KRT_NONE */
    krt_numbers label_weights;    /**< none */
    bool        from_logits;      /**< false */
} krt_auc_args;
/** Keras: keras.metrics.AUC. */
#define KRT_AUC(...)                                                                         \
    KRT_SPEC(krt_auc_args, "AUC", .num_thresholds = 200, .curve = "ROC",                     \
             .summation_method = "interpolation", .thresholds = { 0 }, .multi_label = false, \
             .num_labels = KRT_NONE, .label_weights = { 0 }, .from_logits = false, __VA_ARGS__)

/** The arguments of FBetaScore, F1Score. */
typedef struct krt_fbeta_metric_args {
    KRT_METRIC_MEMBERS;
    const char *average;   /**< NULL: one value a class; "micro", "macro", "weighted" */
    double      beta;      /**< 1, of FBetaScore alone */
    double      threshold; /**< KRT_NONE_F, the greatest score counts */
} krt_fbeta_metric_args;
/** Keras: keras.metrics.FBetaScore. */
#define KRT_FBETA_SCORE(...)                                                  \
    KRT_SPEC(krt_fbeta_metric_args, "FBetaScore", .average = NULL, .beta = 1, \
             .threshold = KRT_NONE_F, __VA_ARGS__)
/** Keras: keras.metrics.F1Score. */
#define KRT_F1_SCORE(...)                                                  \
    KRT_SPEC(krt_fbeta_metric_args, "F1Score", .average = NULL, .beta = 1, \
             .threshold = KRT_NONE_F, __VA_ARGS__)

/** The arguments of IoU, BinaryIoU, MeanIoU, OneHotIoU, OneHotMeanIoU. */
typedef struct krt_iou_metric_args {
    KRT_METRIC_MEMBERS;
    int64_t     num_classes;      /**< 0, required but for BinaryIoU */
    krt_numbers target_class_ids; /**< of IoU, OneHotIoU: required; of BinaryIoU: none, both */
    double      threshold;        /**< 0.5, of BinaryIoU */
    int64_t     ignore_class;     /**< KRT_NONE */
    bool        sparse_y_true;    /**< true */
    bool        sparse_y_pred;    /**< true, false in the one-hot ones */
    int64_t     axis;             /**< -1 */
} krt_iou_metric_args;
/** Keras: keras.metrics.IoU. */
#define KRT_IOU(...)                                                                             \
    KRT_SPEC(krt_iou_metric_args, "IoU", .target_class_ids = { 0 }, .threshold = 0.5,            \
             .ignore_class = KRT_NONE, .sparse_y_true = true, .sparse_y_pred = true, .axis = -1, \
             .num_classes = __VA_ARGS__)
/** Keras: keras.metrics.BinaryIoU. */
#define KRT_BINARY_IOU(...)                                                                 \
    KRT_SPEC(krt_iou_metric_args, "BinaryIoU", .num_classes = 2, .target_class_ids = { 0 }, \
             .threshold = 0.5, .ignore_class = KRT_NONE, .sparse_y_true = true,             \
             .sparse_y_pred = true, .axis = -1, __VA_ARGS__)
/** Keras: keras.metrics.MeanIoU. */
#define KRT_MEAN_IOU(...)                                                                        \
    KRT_SPEC(krt_iou_metric_args, "MeanIoU", .target_class_ids = { 0 }, .threshold = 0.5,        \
             .ignore_class = KRT_NONE, .sparse_y_true = true, .sparse_y_pred = true, .axis = -1, \
             .num_classes = __VA_ARGS__)
/** Keras: keras.metrics.OneHotIoU. */
#define KRT_ONE_HOT_IOU(...)                                                                       \
    KRT_SPEC(krt_iou_metric_args, "OneHotIoU", .target_class_ids = { 0 }, .threshold = 0.5,        \
             .ignore_class = KRT_NONE, .sparse_y_true = false, .sparse_y_pred = false, .axis = -1, \
             .num_classes = __VA_ARGS__)
/** Keras: keras.metrics.OneHotMeanIoU. */
#define KRT_ONE_HOT_MEAN_IOU(...)                                                                  \
    KRT_SPEC(krt_iou_metric_args, "OneHotMeanIoU", .target_class_ids = { 0 }, .threshold = 0.5,    \
             .ignore_class = KRT_NONE, .sparse_y_true = false, .sparse_y_pred = false, .axis = -1, \
             .num_classes = __VA_ARGS__)

/** The arguments of R2Score. */
typedef struct krt_r2_score_args {
    KRT_METRIC_MEMBERS;
    const char *class_aggregation; /**< "uniform_average"; "variance_weighted_average", NULL */
    int64_t     num_regressors;    /**< 0 */
} krt_r2_score_args;
/** Keras: keras.metrics.R2Score. */
#define KRT_R2_SCORE(...)                                                          \
    KRT_SPEC(krt_r2_score_args, "R2Score", .class_aggregation = "uniform_average", \
             .num_regressors = 0, __VA_ARGS__)

#endif
