/**
 * @file schedules.h
 * Learning rates that change with the step. Keras: keras.optimizers.schedules.
 *
 *     KRT_ADAM(.schedule = KRT_COSINE_DECAY(1e-3, 10000, .warmup_target = 1e-2, .warmup_steps = 500))
 *
 * A schedule sees 0 at the first update, 1 at the second. It is computed in float32, as Keras does.
 */
#ifndef KERATIN_TRAINING_SCHEDULES_H
#define KERATIN_TRAINING_SCHEDULES_H

#include "../sys/layer_class.h"

/* Required arguments stand last in these macros; C takes them by position. */

/** Keras: keras.optimizers.schedules.ExponentialDecay. */
typedef struct krt_exponential_decay_args {
    krt_spec    spec;
    double      initial_learning_rate; /**< required */
    double      decay_steps;           /**< required, > 0 */
    double      decay_rate;            /**< required */
    bool        staircase;             /**< false */
    const char *name;                  /**< "ExponentialDecay" */
} krt_exponential_decay_args;
#define KRT_EXPONENTIAL_DECAY(initial, steps, ...)                                       \
    KRT_SPEC(krt_exponential_decay_args, "ExponentialDecay", .name = "ExponentialDecay", \
             .initial_learning_rate = (initial), .decay_steps = (steps),                 \
             .decay_rate = __VA_ARGS__)

/** Keras: keras.optimizers.schedules.InverseTimeDecay. */
typedef struct krt_inverse_time_decay_args {
    krt_spec    spec;
    double      initial_learning_rate; /**< required */
    double      decay_steps;           /**< required, > 0 */
    double      decay_rate;            /**< required */
    bool        staircase;             /**< false */
    const char *name;                  /**< "InverseTimeDecay" */
} krt_inverse_time_decay_args;
#define KRT_INVERSE_TIME_DECAY(initial, steps, ...)                                       \
    KRT_SPEC(krt_inverse_time_decay_args, "InverseTimeDecay", .name = "InverseTimeDecay", \
             .initial_learning_rate = (initial), .decay_steps = (steps),                  \
             .decay_rate = __VA_ARGS__)

/** Keras: keras.optimizers.schedules.PolynomialDecay. */
typedef struct krt_polynomial_decay_args {
    krt_spec    spec;
    double      initial_learning_rate; /**< required */
    double      decay_steps;           /**< required, > 0 */
    double      end_learning_rate;     /**< 0.0001 */
    double      power;                 /**< 1 */
    bool        cycle;                 /**< false */
    const char *name;                  /**< "PolynomialDecay" */
} krt_polynomial_decay_args;
#define KRT_POLYNOMIAL_DECAY(initial, ...)                                              \
    KRT_SPEC(krt_polynomial_decay_args, "PolynomialDecay", .end_learning_rate = 0.0001, \
             .power = 1, .name = "PolynomialDecay", .initial_learning_rate = (initial), \
             .decay_steps = __VA_ARGS__)

/** Keras: keras.optimizers.schedules.PiecewiseConstantDecay: values[i] up to and with the step
 *  boundaries[i], the last value behind. */
typedef struct krt_piecewise_constant_decay_args {
    krt_spec    spec;
    krt_numbers boundaries; /**< required, increasing: KRT_NUMBERS(1000, 2000) */
    krt_numbers values;     /**< required, one more than boundaries */
    const char *name;       /**< "PiecewiseConstant" */
} krt_piecewise_constant_decay_args;
#define KRT_PIECEWISE_CONSTANT_DECAY(steps, ...)                          \
    KRT_SPEC(krt_piecewise_constant_decay_args, "PiecewiseConstantDecay", \
             .name = "PiecewiseConstant", .boundaries = steps, .values = __VA_ARGS__)

/** Keras: keras.optimizers.schedules.CosineDecay, with an optional linear warm-up before. */
typedef struct krt_cosine_decay_args {
    krt_spec    spec;
    double      initial_learning_rate; /**< required */
    double      decay_steps;           /**< required, > 0 */
    double      alpha;                 /**< 0: the least rate as a fraction */
    double      warmup_target;         /**< KRT_NONE_F: no warm-up */
    double      warmup_steps;          /**< 0 */
    const char *name;                  /**< "CosineDecay" */
} krt_cosine_decay_args;
#define KRT_COSINE_DECAY(initial, ...)                                                          \
    KRT_SPEC(krt_cosine_decay_args, "CosineDecay", .warmup_target = NAN, .name = "CosineDecay", \
             .initial_learning_rate = (initial), .decay_steps = __VA_ARGS__)

/** Keras: keras.optimizers.schedules.CosineDecayRestarts. */
typedef struct krt_cosine_decay_restarts_args {
    krt_spec    spec;
    double      initial_learning_rate; /**< required */
    double      first_decay_steps;     /**< required, > 0 */
    double      t_mul;                 /**< 2 */
    double      m_mul;                 /**< 1 */
    double      alpha;                 /**< 0 */
    const char *name;                  /**< "SGDRDecay" */
} krt_cosine_decay_restarts_args;
#define KRT_COSINE_DECAY_RESTARTS(initial, ...)                                             \
    KRT_SPEC(krt_cosine_decay_restarts_args, "CosineDecayRestarts", .t_mul = 2, .m_mul = 1, \
             .name = "SGDRDecay", .initial_learning_rate = (initial),                       \
             .first_decay_steps = __VA_ARGS__)

#endif
