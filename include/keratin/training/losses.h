/**
 * @file losses.h
 * What training makes small. Keras: keras.losses.
 *
 *     krt_compile(m, KRT_COMPILE(.loss = KRT_HUBER(.delta = 2), ...));
 *
 * Keras's string identifiers work as well: KRT_ID("mse"). A description of a class that Keras has
 * among its metrics too (BinaryCrossentropy, Huber, ...) serves as either.
 */
#ifndef KERATIN_TRAINING_LOSSES_H
#define KERATIN_TRAINING_LOSSES_H

#include "../sys/layer_class.h"

/** What all losses have. reduction: "sum_over_batch_size"; "sum", "mean", "mean_with_sample_weight"
 *  or "none". name: NULL, Keras's. */
#define KRT_LOSS_MEMBERS   \
    krt_spec    spec;      \
    const char *reduction; \
    const char *name

/** A loss without arguments of its own. */
typedef struct krt_loss_args {
    KRT_LOSS_MEMBERS;
} krt_loss_args;
#define KRT_LOSS(cls, ...)                      KRT_SPEC(krt_loss_args, cls, .name = NULL, __VA_ARGS__)
/** Keras: keras.losses.MeanSquaredError. */
#define KRT_MEAN_SQUARED_ERROR(...)             KRT_LOSS("MeanSquaredError", __VA_ARGS__)
/** Keras: keras.losses.MeanAbsoluteError. */
#define KRT_MEAN_ABSOLUTE_ERROR(...)            KRT_LOSS("MeanAbsoluteError", __VA_ARGS__)
/** Keras: keras.losses.MeanAbsolutePercentageError. */
#define KRT_MEAN_ABSOLUTE_PERCENTAGE_ERROR(...) KRT_LOSS("MeanAbsolutePercentageError", __VA_ARGS__)
/** Keras: keras.losses.MeanSquaredLogarithmicError. */
#define KRT_MEAN_SQUARED_LOGARITHMIC_ERROR(...) KRT_LOSS("MeanSquaredLogarithmicError", __VA_ARGS__)
/** Keras: keras.losses.Hinge. */
#define KRT_HINGE(...)                          KRT_LOSS("Hinge", __VA_ARGS__)
/** Keras: keras.losses.SquaredHinge. */
#define KRT_SQUARED_HINGE(...)                  KRT_LOSS("SquaredHinge", __VA_ARGS__)
/** Keras: keras.losses.CategoricalHinge. */
#define KRT_CATEGORICAL_HINGE(...)              KRT_LOSS("CategoricalHinge", __VA_ARGS__)
/** Keras: keras.losses.KLDivergence. */
#define KRT_KL_DIVERGENCE(...)                  KRT_LOSS("KLDivergence", __VA_ARGS__)
/** Keras: keras.losses.Poisson. */
#define KRT_POISSON(...)                        KRT_LOSS("Poisson", __VA_ARGS__)
/** Keras: keras.losses.LogCosh. */
#define KRT_LOG_COSH(...)                       KRT_LOSS("LogCosh", __VA_ARGS__)
/** Keras: keras.losses.CTC. */
#define KRT_CTC(...)                            KRT_LOSS("CTC", __VA_ARGS__)

/** The arguments of BinaryCrossentropy and CategoricalCrossentropy. */
typedef struct krt_crossentropy_args {
    KRT_LOSS_MEMBERS;
    bool    from_logits;     /**< false */
    double  label_smoothing; /**< 0 */
    int64_t axis;            /**< -1 */
} krt_crossentropy_args;
/** Keras: keras.losses.BinaryCrossentropy. */
#define KRT_BINARY_CROSSENTROPY(...)                                            \
    KRT_SPEC(krt_crossentropy_args, "BinaryCrossentropy", .from_logits = false, \
             .label_smoothing = 0, .axis = -1, __VA_ARGS__)
/** Keras: keras.losses.CategoricalCrossentropy; labels are one-hot rows. */
#define KRT_CATEGORICAL_CROSSENTROPY(...)                                            \
    KRT_SPEC(krt_crossentropy_args, "CategoricalCrossentropy", .from_logits = false, \
             .label_smoothing = 0, .axis = -1, __VA_ARGS__)

/** Keras: keras.losses.SparseCategoricalCrossentropy; labels are class numbers. */
typedef struct krt_sparse_categorical_crossentropy_args {
    KRT_LOSS_MEMBERS;
    bool    from_logits;  /**< false */
    int64_t ignore_class; /**< KRT_NONE */
    int64_t axis;         /**< -1 */
} krt_sparse_categorical_crossentropy_args;
#define KRT_SPARSE_CATEGORICAL_CROSSENTROPY(...)                                        \
    KRT_SPEC(krt_sparse_categorical_crossentropy_args, "SparseCategoricalCrossentropy", \
             .from_logits = false, .ignore_class = KRT_NONE, .axis = -1, __VA_ARGS__)

/** Keras: keras.losses.BinaryFocalCrossentropy. */
typedef struct krt_binary_focal_crossentropy_args {
    KRT_LOSS_MEMBERS;
    bool    apply_class_balancing; /**< false */
    double  alpha;                 /**< 0.25 */
    double  gamma;                 /**< 2 */
    bool    from_logits;           /**< false */
    double  label_smoothing;       /**< 0 */
    int64_t axis;                  /**< -1 */
} krt_binary_focal_crossentropy_args;
#define KRT_BINARY_FOCAL_CROSSENTROPY(...)                                                    \
    KRT_SPEC(krt_binary_focal_crossentropy_args, "BinaryFocalCrossentropy",                   \
             .apply_class_balancing = false, .alpha = 0.25, .gamma = 2, .from_logits = false, \
             .label_smoothing = 0, .axis = -1, __VA_ARGS__)

/** Keras: keras.losses.CategoricalFocalCrossentropy. */
typedef struct krt_categorical_focal_crossentropy_args {
    KRT_LOSS_MEMBERS;
    double  alpha;           /**< 0.25 */
    double  gamma;           /**< 2 */
    bool    from_logits;     /**< false */
    double  label_smoothing; /**< 0 */
    int64_t axis;            /**< -1 */
} krt_categorical_focal_crossentropy_args;
#define KRT_CATEGORICAL_FOCAL_CROSSENTROPY(...)                                                 \
    KRT_SPEC(krt_categorical_focal_crossentropy_args, "CategoricalFocalCrossentropy",           \
             .alpha = 0.25, .gamma = 2, .from_logits = false, .label_smoothing = 0, .axis = -1, \
             __VA_ARGS__)

/** Keras: keras.losses.CategoricalGeneralizedCrossEntropy; labels are class numbers. */
typedef struct krt_categorical_generalized_cross_entropy_args {
    KRT_LOSS_MEMBERS;
    double q; /**< 0.5, in (0, 1) */
} krt_categorical_generalized_cross_entropy_args;
#define KRT_CATEGORICAL_GENERALIZED_CROSS_ENTROPY(...)                                             \
    KRT_SPEC(krt_categorical_generalized_cross_entropy_args, "CategoricalGeneralizedCrossEntropy", \
             .q = 0.5, __VA_ARGS__)

/** Keras: keras.losses.Huber. */
typedef struct krt_huber_args {
    KRT_LOSS_MEMBERS;
    double delta; /**< 1 */
} krt_huber_args;
#define KRT_HUBER(...) KRT_SPEC(krt_huber_args, "Huber", .delta = 1, __VA_ARGS__)

/** Keras: keras.losses.CosineSimilarity; as a loss with its sign turned. */
typedef struct krt_cosine_similarity_args {
    KRT_LOSS_MEMBERS;
    int64_t axis; /**< -1 */
} krt_cosine_similarity_args;
#define KRT_COSINE_SIMILARITY(...) \
    KRT_SPEC(krt_cosine_similarity_args, "CosineSimilarity", .axis = -1, __VA_ARGS__)

/** Keras: keras.losses.Dice. */
typedef struct krt_dice_args {
    KRT_LOSS_MEMBERS;
    krt_axes axis; /**< none: over everything */
} krt_dice_args;
#define KRT_DICE(...) KRT_SPEC(krt_dice_args, "Dice", .axis = { 0 }, __VA_ARGS__)

/** Keras: keras.losses.Tversky. */
typedef struct krt_tversky_args {
    KRT_LOSS_MEMBERS;
    double   alpha; /**< 0.5 */
    double   beta;  /**< 0.5 */
    krt_axes axis;  /**< none: over everything */
} krt_tversky_args;
#define KRT_TVERSKY(...) \
    KRT_SPEC(krt_tversky_args, "Tversky", .alpha = 0.5, .beta = 0.5, .axis = { 0 }, __VA_ARGS__)

/** Keras: keras.losses.Circle; labels are class numbers. */
typedef struct krt_circle_args {
    KRT_LOSS_MEMBERS;
    double gamma;           /**< 80 */
    double margin;          /**< 0.4 */
    bool   remove_diagonal; /**< true */
} krt_circle_args;
#define KRT_CIRCLE(...)                                                                      \
    KRT_SPEC(krt_circle_args, "Circle", .gamma = 80, .margin = 0.4, .remove_diagonal = true, \
             __VA_ARGS__)

#endif
