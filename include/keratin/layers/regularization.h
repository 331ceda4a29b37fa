/**
 * @file regularization.h
 * Layers that act in training only: a prediction passes them unchanged.
 * Keras: keras.layers, the regularization package. See ../layers.h.
 */
#ifndef KERATIN_LAYERS_REGULARIZATION_H
#define KERATIN_LAYERS_REGULARIZATION_H

#include "../sys/layer_class.h"

/** Keras: keras.layers.Dropout. */
typedef struct krt_dropout_args {
    krt_spec    spec;
    double      rate;        /**< required, in [0, 1] */
    krt_shape   noise_shape; /**< rank -1: the input's */
    int64_t     seed;        /**< KRT_NONE */
    const char *name;        /**< NULL: dropout, dropout_1, ... */
    bool        trainable;   /**< true */
} krt_dropout_args;
#define KRT_DROPOUT(...)                                                                  \
    KRT_SPEC(krt_dropout_args, "Dropout", .noise_shape = { -1, { 0 } }, .seed = KRT_NONE, \
             .trainable = true, .rate = __VA_ARGS__)

/** Keras: keras.layers.AlphaDropout, which keeps mean and variance. */
typedef struct krt_alpha_dropout_args {
    krt_spec    spec;
    double      rate;        /**< required, in [0, 1] */
    krt_shape   noise_shape; /**< rank -1: the input's */
    int64_t     seed;        /**< KRT_NONE */
    const char *name;        /**< NULL: alpha_dropout, alpha_dropout_1, ... */
    bool        trainable;   /**< true */
} krt_alpha_dropout_args;
#define KRT_ALPHA_DROPOUT(...)                                                     \
    KRT_SPEC(krt_alpha_dropout_args, "AlphaDropout", .noise_shape = { -1, { 0 } }, \
             .seed = KRT_NONE, .trainable = true, .rate = __VA_ARGS__)

/** Keras: keras.layers.SpatialDropout1D: whole channels of sequences. */
typedef struct krt_spatial_dropout1d_args {
    krt_spec    spec;
    double      rate;      /**< required, in [0, 1] */
    int64_t     seed;      /**< KRT_NONE */
    const char *name;      /**< NULL: spatial_dropout1d, ... */
    bool        trainable; /**< true */
} krt_spatial_dropout1d_args;
#define KRT_SPATIAL_DROPOUT1D(...)                                                                \
    KRT_SPEC(krt_spatial_dropout1d_args, "SpatialDropout1D", .seed = KRT_NONE, .trainable = true, \
             .rate = __VA_ARGS__)

/** Keras: keras.layers.SpatialDropout2D: whole channels of images. */
typedef struct krt_spatial_dropout2d_args {
    krt_spec    spec;
    double      rate;        /**< required, in [0, 1] */
    const char *data_format; /**< NULL: "channels_last" */
    int64_t     seed;        /**< KRT_NONE */
    const char *name;        /**< NULL: spatial_dropout2d, ... */
    bool        trainable;   /**< true */
} krt_spatial_dropout2d_args;
#define KRT_SPATIAL_DROPOUT2D(...)                                                                \
    KRT_SPEC(krt_spatial_dropout2d_args, "SpatialDropout2D", .seed = KRT_NONE, .trainable = true, \
             .rate = __VA_ARGS__)

/** Keras: keras.layers.SpatialDropout3D: whole channels of volumes. */
typedef struct krt_spatial_dropout3d_args {
    krt_spec    spec;
    double      rate;        /**< required, in [0, 1] */
    const char *data_format; /**< NULL: "channels_last" */
    int64_t     seed;        /**< KRT_NONE */
    const char *name;        /**< NULL: spatial_dropout3d, ... */
    bool        trainable;   /**< true */
} krt_spatial_dropout3d_args;
#define KRT_SPATIAL_DROPOUT3D(...)                                                                \
    KRT_SPEC(krt_spatial_dropout3d_args, "SpatialDropout3D", .seed = KRT_NONE, .trainable = true, \
             .rate = __VA_ARGS__)

/** Keras: keras.layers.GaussianDropout. */
typedef struct krt_gaussian_dropout_args {
    krt_spec    spec;
    double      rate;      /**< required, in [0, 1) */
    int64_t     seed;      /**< KRT_NONE */
    const char *name;      /**< NULL: gaussian_dropout, ... */
    bool        trainable; /**< true */
} krt_gaussian_dropout_args;
#define KRT_GAUSSIAN_DROPOUT(...)                                                               \
    KRT_SPEC(krt_gaussian_dropout_args, "GaussianDropout", .seed = KRT_NONE, .trainable = true, \
             .rate = __VA_ARGS__)

/** Keras: keras.layers.GaussianNoise. */
typedef struct krt_gaussian_noise_args {
    krt_spec    spec;
    double      stddev;    /**< required */
    int64_t     seed;      /**< KRT_NONE */
    const char *name;      /**< NULL: gaussian_noise, ... */
    bool        trainable; /**< true */
} krt_gaussian_noise_args;
#define KRT_GAUSSIAN_NOISE(...)                                                             \
    KRT_SPEC(krt_gaussian_noise_args, "GaussianNoise", .seed = KRT_NONE, .trainable = true, \
             .stddev = __VA_ARGS__)

/** Keras: keras.layers.ActivityRegularization. */
typedef struct krt_activity_regularization_args {
    krt_spec    spec;
    double      l1;        /**< 0 */
    double      l2;        /**< 0 */
    const char *name;      /**< NULL: activity_regularization, ... */
    bool        trainable; /**< true */
} krt_activity_regularization_args;
#define KRT_ACTIVITY_REGULARIZATION(...)                                                    \
    KRT_SPEC(krt_activity_regularization_args, "ActivityRegularization", .trainable = true, \
             __VA_ARGS__)

#endif
