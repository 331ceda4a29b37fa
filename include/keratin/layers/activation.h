/** @file activation.h Keras: keras.layers, the activation package. See ../layers.h. */
#ifndef KERATIN_LAYERS_ACTIVATION_H
#define KERATIN_LAYERS_ACTIVATION_H

#include "../sys/layer_class.h"

/** Keras: keras.layers.Activation: a function by name. */
typedef struct krt_activation_args {
    krt_spec    spec;
    const char *activation; /**< required */
    const char *name;       /**< NULL: activation, activation_1, ... */
    bool        trainable;  /**< true */
} krt_activation_args;
#define KRT_ACTIVATION(...) \
    KRT_SPEC(krt_activation_args, "Activation", .trainable = true, .activation = __VA_ARGS__)

/** Keras: keras.layers.ReLU. */
typedef struct krt_relu_args {
    krt_spec    spec;
    double      max_value;      /**< KRT_NONE_F: no limit */
    double      negative_slope; /**< 0 */
    double      threshold;      /**< 0 */
    const char *name;           /**< NULL: re_lu, re_lu_1, ... */
    bool        trainable;      /**< true */
} krt_relu_args;
#define KRT_RELU(...) \
    KRT_SPEC(krt_relu_args, "ReLU", .max_value = KRT_NONE_F, .trainable = true, __VA_ARGS__)

/** Keras: keras.layers.LeakyReLU. */
typedef struct krt_leaky_relu_args {
    krt_spec    spec;
    double      negative_slope; /**< 0.3 */
    const char *name;           /**< NULL: leaky_re_lu, leaky_re_lu_1, ... */
    bool        trainable;      /**< true */
} krt_leaky_relu_args;
#define KRT_LEAKY_RELU(...)                                                              \
    KRT_SPEC(krt_leaky_relu_args, "LeakyReLU", .negative_slope = 0.3, .trainable = true, \
             __VA_ARGS__)

/** Keras: keras.layers.PReLU: a slope for negative values that is learned. */
typedef struct krt_prelu_args {
    krt_spec        spec;
    const krt_spec *alpha_initializer; /**< NULL: Zeros */
    const krt_spec *alpha_regularizer;
    const krt_spec *alpha_constraint;
    krt_axes        shared_axes; /**< none; axes, from 1 on, along which one slope serves all */
    const char     *name;        /**< NULL: p_re_lu, p_re_lu_1, ... */
    bool            trainable;   /**< true */
} krt_prelu_args;
#define KRT_PRELU(...) KRT_SPEC(krt_prelu_args, "PReLU", .trainable = true, __VA_ARGS__)

/** Keras: keras.layers.ELU. */
typedef struct krt_elu_args {
    krt_spec    spec;
    double      alpha;     /**< 1 */
    const char *name;      /**< NULL: elu, elu_1, ... */
    bool        trainable; /**< true */
} krt_elu_args;
#define KRT_ELU(...) KRT_SPEC(krt_elu_args, "ELU", .alpha = 1, .trainable = true, __VA_ARGS__)

/** Keras: keras.layers.Softmax, over one axis or several together; honours a mask. */
typedef struct krt_softmax_args {
    krt_spec    spec;
    krt_axes    axis;      /**< {1, {-1}} */
    const char *name;      /**< NULL: softmax, softmax_1, ... */
    bool        trainable; /**< true */
} krt_softmax_args;
#define KRT_SOFTMAX(...) \
    KRT_SPEC(krt_softmax_args, "Softmax", .axis = { 1, { -1 } }, .trainable = true, __VA_ARGS__)

/** tf.keras: ThresholdedReLU: x where x > theta, else 0. Gone from Keras 3, found in files. */
typedef struct krt_thresholded_relu_args {
    krt_spec    spec;
    double      theta;     /**< 1 */
    const char *name;      /**< NULL: thresholded_re_lu, ... */
    bool        trainable; /**< true */
} krt_thresholded_relu_args;
#define KRT_THRESHOLDED_RELU(...)                                                         \
    KRT_SPEC(krt_thresholded_relu_args, "ThresholdedReLU", .theta = 1, .trainable = true, \
             __VA_ARGS__)

#endif
