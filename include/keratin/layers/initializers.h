/**
 * @file initializers.h
 * How weights start. Keras: keras.initializers.
 *
 *     krt_add(m, KRT_DENSE(10, .kernel_initializer = KRT_HE_NORMAL(.seed = 1)));
 *
 * Keras's string identifiers work as well: KRT_ID("he_normal"). Draws come from a counter-based
 * generator (Threefry): the same seed gives the same weights on every machine, with the
 * distribution Keras's initializers have, though not Keras's very numbers.
 */
#ifndef KERATIN_LAYERS_INITIALIZERS_H
#define KERATIN_LAYERS_INITIALIZERS_H

#include "../sys/layer_class.h"

/** Keras: keras.initializers.Zeros. */
#define KRT_ZEROS() KRT_ID("Zeros")
/** Keras: keras.initializers.Ones. */
#define KRT_ONES()  KRT_ID("Ones")

/** Keras: keras.initializers.Constant. */
typedef struct krt_constant_args {
    krt_spec spec;
    double   value; /**< 0 */
} krt_constant_args;
#define KRT_CONSTANT(...) KRT_SPEC(krt_constant_args, "Constant", .value = __VA_ARGS__)

/** Keras: keras.initializers.Identity, for matrices. */
typedef struct krt_identity_initializer_args {
    krt_spec spec;
    double   gain; /**< 1 */
} krt_identity_initializer_args;
#define KRT_IDENTITY_INITIALIZER(...) \
    KRT_SPEC(krt_identity_initializer_args, "Identity", .gain = 1, __VA_ARGS__)

/** Keras: keras.initializers.RandomNormal. */
typedef struct krt_random_normal_args {
    krt_spec spec;
    double   mean;   /**< 0 */
    double   stddev; /**< 0.05 */
    int64_t  seed;   /**< KRT_NONE: from the context */
} krt_random_normal_args;
#define KRT_RANDOM_NORMAL(...) \
    KRT_SPEC(krt_random_normal_args, "RandomNormal", .stddev = 0.05, .seed = KRT_NONE, __VA_ARGS__)

/** Keras: keras.initializers.TruncatedNormal: nothing beyond two standard deviations. */
typedef struct krt_truncated_normal_args {
    krt_spec spec;
    double   mean;   /**< 0 */
    double   stddev; /**< 0.05 */
    int64_t  seed;   /**< KRT_NONE */
} krt_truncated_normal_args;
#define KRT_TRUNCATED_NORMAL(...)                                                            \
    KRT_SPEC(krt_truncated_normal_args, "TruncatedNormal", .stddev = 0.05, .seed = KRT_NONE, \
             __VA_ARGS__)

/** Keras: keras.initializers.RandomUniform. */
typedef struct krt_random_uniform_args {
    krt_spec spec;
    double   minval; /**< -0.05 */
    double   maxval; /**< 0.05 */
    int64_t  seed;   /**< KRT_NONE */
} krt_random_uniform_args;
#define KRT_RANDOM_UNIFORM(...)                                                         \
    KRT_SPEC(krt_random_uniform_args, "RandomUniform", .minval = -0.05, .maxval = 0.05, \
             .seed = KRT_NONE, __VA_ARGS__)

/** Keras: keras.initializers.Orthogonal. */
typedef struct krt_orthogonal_args {
    krt_spec spec;
    double   gain; /**< 1 */
    int64_t  seed; /**< KRT_NONE */
} krt_orthogonal_args;
#define KRT_ORTHOGONAL(...) \
    KRT_SPEC(krt_orthogonal_args, "Orthogonal", .gain = 1, .seed = KRT_NONE, __VA_ARGS__)

/** Keras: keras.initializers.VarianceScaling: variance scale / fan. */
typedef struct krt_variance_scaling_args {
    krt_spec    spec;
    double      scale;        /**< 1 */
    const char *mode;         /**< "fan_in"; "fan_out" or "fan_avg" */
    const char *distribution; /**< "truncated_normal"; "untruncated_normal" or "uniform" */
    int64_t     seed;         /**< KRT_NONE */
    krt_axes    input_axes;   /**< none: the kernel's own, all but the last */
    krt_axes    output_axes;
} krt_variance_scaling_args;
#define KRT_VARIANCE_SCALING(...)                                                        \
    KRT_SPEC(krt_variance_scaling_args, "VarianceScaling", .scale = 1, .mode = "fan_in", \
             .distribution = "truncated_normal", .seed = KRT_NONE, .output_axes = { 0 }, \
             __VA_ARGS__)

/** The six named kinds of variance scaling. */
typedef struct krt_scaled_args {
    krt_spec spec;
    int64_t  seed;       /**< KRT_NONE */
    krt_axes input_axes; /**< as in VarianceScaling */
    krt_axes output_axes;
} krt_scaled_args;
#define KRT_SCALED(cls, ...) \
    KRT_SPEC(krt_scaled_args, cls, .seed = KRT_NONE, .output_axes = { 0 }, __VA_ARGS__)
/** Keras: keras.initializers.GlorotUniform. */
#define KRT_GLOROT_UNIFORM(...) KRT_SCALED("GlorotUniform", __VA_ARGS__)
/** Keras: keras.initializers.GlorotNormal. */
#define KRT_GLOROT_NORMAL(...)  KRT_SCALED("GlorotNormal", __VA_ARGS__)
/** Keras: keras.initializers.HeUniform. */
#define KRT_HE_UNIFORM(...)     KRT_SCALED("HeUniform", __VA_ARGS__)
/** Keras: keras.initializers.HeNormal. */
#define KRT_HE_NORMAL(...)      KRT_SCALED("HeNormal", __VA_ARGS__)
/** Keras: keras.initializers.LecunUniform. */
#define KRT_LECUN_UNIFORM(...)  KRT_SCALED("LecunUniform", __VA_ARGS__)
/** Keras: keras.initializers.LecunNormal. */
#define KRT_LECUN_NORMAL(...)   KRT_SCALED("LecunNormal", __VA_ARGS__)

#endif
