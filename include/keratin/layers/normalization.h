/**
 * @file normalization.h
 * Normalization. Keras: keras.layers, the normalization package. See ../layers.h.
 *
 * Axes are given as a list by value: .axis = { 1, { -1 } } is Keras's axis=-1, { 2, { 1, 2 } } its
 * axis=[1, 2].
 */
#ifndef KERATIN_LAYERS_NORMALIZATION_H
#define KERATIN_LAYERS_NORMALIZATION_H

#include "../sys/layer_class.h"

/** Keras: keras.layers.BatchNormalization. At inference the moving statistics count, whatever
 *  `renorm` and `momentum` say. tf.keras takes more than one axis. */
typedef struct krt_batch_normalization_args {
    krt_spec        spec;
    krt_axes        axis;                        /**< -1 */
    double          momentum;                    /**< 0.99 */
    double          epsilon;                     /**< 1e-3 */
    bool            center;                      /**< true */
    bool            scale;                       /**< true */
    const krt_spec *beta_initializer;            /**< NULL: Zeros */
    const krt_spec *gamma_initializer;           /**< NULL: Ones */
    const krt_spec *moving_mean_initializer;     /**< NULL: Zeros */
    const krt_spec *moving_variance_initializer; /**< NULL: Ones */
    const krt_spec *beta_regularizer;
    const krt_spec *gamma_regularizer;
    const krt_spec *beta_constraint;
    const krt_spec *gamma_constraint;
    bool            renorm;          /**< false; adds the variables of batch renormalization */
    double          renorm_momentum; /**< 0.99 */
    bool            synchronized;    /**< false */
    const char     *name;            /**< NULL: batch_normalization, batch_normalization_1, ... */
    bool            trainable;       /**< true */
} krt_batch_normalization_args;
#define KRT_BATCH_NORMALIZATION(...)                                                    \
    KRT_SPEC(krt_batch_normalization_args, "BatchNormalization", .axis = { 1, { -1 } }, \
             .momentum = 0.99, .epsilon = 1e-3, .center = true, .scale = true,          \
             .renorm_momentum = 0.99, .trainable = true, __VA_ARGS__)

/** Keras: keras.layers.LayerNormalization. */
typedef struct krt_layer_normalization_args {
    krt_spec        spec;
    krt_axes        axis;              /**< -1 */
    double          epsilon;           /**< 1e-3 */
    bool            center;            /**< true */
    bool            scale;             /**< true */
    const krt_spec *beta_initializer;  /**< NULL: Zeros */
    const krt_spec *gamma_initializer; /**< NULL: Ones */
    const krt_spec *beta_regularizer;
    const krt_spec *gamma_regularizer;
    const krt_spec *beta_constraint;
    const krt_spec *gamma_constraint;
    bool            rms_scaling; /**< false; deprecated: divides by the deviation, keeps the mean */
    const char     *name;        /**< NULL: layer_normalization, layer_normalization_1, ... */
    bool            trainable;   /**< true */
} krt_layer_normalization_args;
#define KRT_LAYER_NORMALIZATION(...)                                                    \
    KRT_SPEC(krt_layer_normalization_args, "LayerNormalization", .axis = { 1, { -1 } }, \
             .epsilon = 1e-3, .center = true, .scale = true, .trainable = true, __VA_ARGS__)

/** Keras: keras.layers.GroupNormalization. */
typedef struct krt_group_normalization_args {
    krt_spec        spec;
    int64_t         groups;            /**< 32; -1: as many as channels (instance normalization) */
    int64_t         axis;              /**< -1 */
    double          epsilon;           /**< 1e-3 */
    bool            center;            /**< true */
    bool            scale;             /**< true */
    const krt_spec *beta_initializer;  /**< NULL: Zeros */
    const krt_spec *gamma_initializer; /**< NULL: Ones */
    const krt_spec *beta_regularizer;
    const krt_spec *gamma_regularizer;
    const krt_spec *beta_constraint;
    const krt_spec *gamma_constraint;
    const char     *name;      /**< NULL: group_normalization, group_normalization_1, ... */
    bool            trainable; /**< true */
} krt_group_normalization_args;
#define KRT_GROUP_NORMALIZATION(...)                                                          \
    KRT_SPEC(krt_group_normalization_args, "GroupNormalization", .axis = -1, .epsilon = 1e-3, \
             .center = true, .scale = true, .trainable = true, .groups = 32,                  \
             .spec = { sizeof(krt_group_normalization_args), "GroupNormalization" }, __VA_ARGS__)

/** Keras: keras.layers.RMSNormalization. */
typedef struct krt_rms_normalization_args {
    krt_spec    spec;
    krt_axes    axis;      /**< -1 */
    double      epsilon;   /**< 1e-6 */
    const char *name;      /**< NULL: rms_normalization, rms_normalization_1, ... */
    bool        trainable; /**< true */
} krt_rms_normalization_args;
#define KRT_RMS_NORMALIZATION(...)                                                  \
    KRT_SPEC(krt_rms_normalization_args, "RMSNormalization", .axis = { 1, { -1 } }, \
             .epsilon = 1e-6, .trainable = true, __VA_ARGS__)

/** Keras: keras.layers.UnitNormalization. */
typedef struct krt_unit_normalization_args {
    krt_spec    spec;
    krt_axes    axis;      /**< -1 */
    const char *name;      /**< NULL: unit_normalization, unit_normalization_1, ... */
    bool        trainable; /**< true */
} krt_unit_normalization_args;
#define KRT_UNIT_NORMALIZATION(...)                                                   \
    KRT_SPEC(krt_unit_normalization_args, "UnitNormalization", .axis = { 1, { -1 } }, \
             .trainable = true, __VA_ARGS__)

/** Keras: keras.layers.SpectralNormalization. At inference the kernel is used as it is. */
typedef struct krt_spectral_normalization_args {
    krt_spec        spec;
    const krt_spec *layer;            /**< required */
    int64_t         power_iterations; /**< 1 */
    const char     *name;             /**< NULL: spectral_normalization, ... */
    bool            trainable;        /**< true */
} krt_spectral_normalization_args;
#define KRT_SPECTRAL_NORMALIZATION(...)                                                       \
    KRT_SPEC(krt_spectral_normalization_args, "SpectralNormalization", .power_iterations = 1, \
             .trainable = true, .layer = __VA_ARGS__)

#endif
