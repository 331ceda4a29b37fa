/**
 * @file optimizers.h
 * How weights follow gradients. Keras: keras.optimizers.
 *
 *     krt_compile(m, KRT_COMPILE(.optimizer = KRT_ADAM(.learning_rate = 3e-4), ...));
 *
 * Every struct begins with the members all optimizers share, KRT_OPTIMIZER_MEMBERS, whose names and
 * defaults are Keras's; `schedule`, when given, takes the place of learning_rate.
 */
#ifndef KERATIN_TRAINING_OPTIMIZERS_H
#define KERATIN_TRAINING_OPTIMIZERS_H

#include "schedules.h"

/** What all optimizers have. learning_rate: 0.001 unless said otherwise. schedule: NULL. weight_decay,
 *  clipnorm, global_clipnorm, clipvalue, loss_scale_factor: KRT_NONE_F. use_ema: false; ema_momentum:
 *  0.99. ema_overwrite_frequency, gradient_accumulation_steps: KRT_NONE. name: NULL, "adam".
 *  exclude_from_weight_decay: none; Python's regular expressions, found anywhere in a variable's
 *  name, as Keras's method of that name takes them (var_names), and as there no file keeps them. */
#define KRT_OPTIMIZER_MEMBERS                    \
    krt_spec        spec;                        \
    double          learning_rate;               \
    const krt_spec *schedule;                    \
    double          weight_decay;                \
    double          clipnorm;                    \
    double          global_clipnorm;             \
    double          clipvalue;                   \
    bool            use_ema;                     \
    double          ema_momentum;                \
    int64_t         ema_overwrite_frequency;     \
    double          loss_scale_factor;           \
    int64_t         gradient_accumulation_steps; \
    const char     *name;                        \
    krt_names       exclude_from_weight_decay
/** Their defaults; see the macros below. */
#define KRT_OPTIMIZER_DEFAULTS(rate, decay)                                                    \
    .learning_rate = (rate), .weight_decay = (decay), .clipnorm = NAN, .global_clipnorm = NAN, \
    .clipvalue = NAN, .ema_momentum = 0.99, .ema_overwrite_frequency = KRT_NONE,               \
    .loss_scale_factor = NAN, .gradient_accumulation_steps = KRT_NONE

/** Keras: keras.optimizers.SGD, with momentum and Nesterov's form of it. learning_rate: 0.01. */
typedef struct krt_sgd_args {
    KRT_OPTIMIZER_MEMBERS;
    double momentum; /**< 0 */
    bool   nesterov; /**< false */
} krt_sgd_args;
#define KRT_SGD(...)                                                                \
    KRT_SPEC(krt_sgd_args, "SGD", KRT_OPTIMIZER_DEFAULTS(0.01, NAN), .momentum = 0, \
             .nesterov = false, __VA_ARGS__)

/** Keras: keras.optimizers.RMSprop. */
typedef struct krt_rmsprop_args {
    KRT_OPTIMIZER_MEMBERS;
    double rho;      /**< 0.9 */
    double momentum; /**< 0 */
    double epsilon;  /**< 1e-7 */
    bool   centered; /**< false */
} krt_rmsprop_args;
#define KRT_RMSPROP(...)                                                                  \
    KRT_SPEC(krt_rmsprop_args, "RMSprop", KRT_OPTIMIZER_DEFAULTS(0.001, NAN), .rho = 0.9, \
             .momentum = 0, .epsilon = 1e-7, .centered = false, __VA_ARGS__)

/** Keras: keras.optimizers.Adam. */
typedef struct krt_adam_args {
    KRT_OPTIMIZER_MEMBERS;
    double beta_1;  /**< 0.9 */
    double beta_2;  /**< 0.999 */
    double epsilon; /**< 1e-7 */
    bool   amsgrad; /**< false */
} krt_adam_args;
#define KRT_ADAM(...)                                                                  \
    KRT_SPEC(krt_adam_args, "Adam", KRT_OPTIMIZER_DEFAULTS(0.001, NAN), .beta_1 = 0.9, \
             .beta_2 = 0.999, .epsilon = 1e-7, .amsgrad = false, __VA_ARGS__)

/** Keras: keras.optimizers.AdamW, Adam with decoupled weight decay. weight_decay: 0.004. */
typedef struct krt_adamw_args {
    KRT_OPTIMIZER_MEMBERS;
    double beta_1;  /**< 0.9 */
    double beta_2;  /**< 0.999 */
    double epsilon; /**< 1e-7 */
    bool   amsgrad; /**< false */
} krt_adamw_args;
#define KRT_ADAMW(...)                                                                     \
    KRT_SPEC(krt_adamw_args, "AdamW", KRT_OPTIMIZER_DEFAULTS(0.001, 0.004), .beta_1 = 0.9, \
             .beta_2 = 0.999, .epsilon = 1e-7, .amsgrad = false, __VA_ARGS__)

/** Keras: keras.optimizers.Adamax. */
typedef struct krt_adamax_args {
    KRT_OPTIMIZER_MEMBERS;
    double beta_1;  /**< 0.9 */
    double beta_2;  /**< 0.999 */
    double epsilon; /**< 1e-7 */
} krt_adamax_args;
#define KRT_ADAMAX(...)                                                                    \
    KRT_SPEC(krt_adamax_args, "Adamax", KRT_OPTIMIZER_DEFAULTS(0.001, NAN), .beta_1 = 0.9, \
             .beta_2 = 0.999, .epsilon = 1e-7, __VA_ARGS__)

/** Keras: keras.optimizers.Nadam. */
typedef struct krt_nadam_args {
    KRT_OPTIMIZER_MEMBERS;
    double beta_1;  /**< 0.9 */
    double beta_2;  /**< 0.999 */
    double epsilon; /**< 1e-7 */
} krt_nadam_args;
#define KRT_NADAM(...)                                                                   \
    KRT_SPEC(krt_nadam_args, "Nadam", KRT_OPTIMIZER_DEFAULTS(0.001, NAN), .beta_1 = 0.9, \
             .beta_2 = 0.999, .epsilon = 1e-7, __VA_ARGS__)

/** Keras: keras.optimizers.Adagrad. */
typedef struct krt_adagrad_args {
    KRT_OPTIMIZER_MEMBERS;
    double initial_accumulator_value; /**< 0.1 */
    double epsilon;                   /**< 1e-7 */
} krt_adagrad_args;
#define KRT_ADAGRAD(...)                                                      \
    KRT_SPEC(krt_adagrad_args, "Adagrad", KRT_OPTIMIZER_DEFAULTS(0.001, NAN), \
             .initial_accumulator_value = 0.1, .epsilon = 1e-7, __VA_ARGS__)

/** Keras: keras.optimizers.Adadelta. */
typedef struct krt_adadelta_args {
    KRT_OPTIMIZER_MEMBERS;
    double rho;     /**< 0.95 */
    double epsilon; /**< 1e-7 */
} krt_adadelta_args;
#define KRT_ADADELTA(...)                                                                    \
    KRT_SPEC(krt_adadelta_args, "Adadelta", KRT_OPTIMIZER_DEFAULTS(0.001, NAN), .rho = 0.95, \
             .epsilon = 1e-7, __VA_ARGS__)

/** Keras: keras.optimizers.Adafactor. */
typedef struct krt_adafactor_args {
    KRT_OPTIMIZER_MEMBERS;
    double beta_2_decay;   /**< -0.8 */
    double epsilon_1;      /**< 1e-30 */
    double epsilon_2;      /**< 1e-3 */
    double clip_threshold; /**< 1 */
    bool   relative_step;  /**< true */
} krt_adafactor_args;
#define KRT_ADAFACTOR(...)                                                                     \
    KRT_SPEC(krt_adafactor_args, "Adafactor", KRT_OPTIMIZER_DEFAULTS(0.001, NAN),              \
             .beta_2_decay = -0.8, .epsilon_1 = 1e-30, .epsilon_2 = 1e-3, .clip_threshold = 1, \
             .relative_step = true, __VA_ARGS__)

/** Keras: keras.optimizers.Ftrl. */
typedef struct krt_ftrl_args {
    KRT_OPTIMIZER_MEMBERS;
    double learning_rate_power;                  /**< -0.5 */
    double initial_accumulator_value;            /**< 0.1 */
    double l1_regularization_strength;           /**< 0 */
    double l2_regularization_strength;           /**< 0 */
    double l2_shrinkage_regularization_strength; /**< 0 */
    double beta;                                 /**< 0 */
} krt_ftrl_args;
#define KRT_FTRL(...)                                                          \
    KRT_SPEC(krt_ftrl_args, "Ftrl", KRT_OPTIMIZER_DEFAULTS(0.001, NAN),        \
             .learning_rate_power = -0.5, .initial_accumulator_value = 0.1,    \
             .l1_regularization_strength = 0, .l2_regularization_strength = 0, \
             .l2_shrinkage_regularization_strength = 0, .beta = 0, __VA_ARGS__)

/** Keras: keras.optimizers.Lamb. */
typedef struct krt_lamb_args {
    KRT_OPTIMIZER_MEMBERS;
    double beta_1;  /**< 0.9 */
    double beta_2;  /**< 0.999 */
    double epsilon; /**< 1e-7 */
} krt_lamb_args;
#define KRT_LAMB(...)                                                                  \
    KRT_SPEC(krt_lamb_args, "Lamb", KRT_OPTIMIZER_DEFAULTS(0.001, NAN), .beta_1 = 0.9, \
             .beta_2 = 0.999, .epsilon = 1e-7, __VA_ARGS__)

/** Keras: keras.optimizers.Lion. */
typedef struct krt_lion_args {
    KRT_OPTIMIZER_MEMBERS;
    double beta_1; /**< 0.9 */
    double beta_2; /**< 0.99 */
} krt_lion_args;
#define KRT_LION(...)                                                                  \
    KRT_SPEC(krt_lion_args, "Lion", KRT_OPTIMIZER_DEFAULTS(0.001, NAN), .beta_1 = 0.9, \
             .beta_2 = 0.99, __VA_ARGS__)

/** Keras: keras.optimizers.Muon, for matrices; everything else is Adam's. weight_decay: 0.004. */
typedef struct krt_muon_args {
    KRT_OPTIMIZER_MEMBERS;
    double    adam_beta_1;        /**< 0.9 */
    double    adam_beta_2;        /**< 0.999 */
    double    epsilon;            /**< 1e-7 */
    double    muon_a;             /**< 3.4445 */
    double    muon_b;             /**< -4.7750 */
    double    muon_c;             /**< 2.0315 */
    double    adam_lr_ratio;      /**< 1 */
    double    momentum;           /**< 0.95 */
    int64_t   ns_steps;           /**< 5 */
    bool      nesterov;           /**< true */
    bool      exclude_embeddings; /**< true */
    double    adam_weight_decay;  /**< 0.004 */
    double    rms_rate;           /**< 0.2 */
    krt_names exclude_layers; /**< none; regular expressions, whose weights are Adam's as well */
} krt_muon_args;
#define KRT_MUON(...)                                                                         \
    KRT_SPEC(krt_muon_args, "Muon", KRT_OPTIMIZER_DEFAULTS(0.001, 0.004), .adam_beta_1 = 0.9, \
             .adam_beta_2 = 0.999, .epsilon = 1e-7, .muon_a = 3.4445, .muon_b = -4.7750,      \
             .muon_c = 2.0315, .adam_lr_ratio = 1, .momentum = 0.95, .ns_steps = 5,           \
             .nesterov = true, .exclude_embeddings = true, .adam_weight_decay = 0.004,        \
             .rms_rate = 0.2, __VA_ARGS__)

/** Keras: keras.optimizers.ScheduleFreeAdamW. learning_rate: 0.0025. */
typedef struct krt_schedule_free_adamw_args {
    KRT_OPTIMIZER_MEMBERS;
    double  beta_1;       /**< 0.9 */
    double  beta_2;       /**< 0.999 */
    double  epsilon;      /**< 1e-8 */
    int64_t warmup_steps; /**< 0 */
} krt_schedule_free_adamw_args;
#define KRT_SCHEDULE_FREE_ADAMW(...)                                                               \
    KRT_SPEC(krt_schedule_free_adamw_args, "ScheduleFreeAdamW",                                    \
             KRT_OPTIMIZER_DEFAULTS(0.0025, NAN), .beta_1 = 0.9, .beta_2 = 0.999, .epsilon = 1e-8, \
             .warmup_steps = 0, __VA_ARGS__)

/** Keras: keras.optimizers.LossScaleOptimizer: scales the loss up for half precision, and steps back
 *  when a gradient is not finite. */
typedef struct krt_loss_scale_optimizer_args {
    krt_spec        spec;
    const krt_spec *inner_optimizer;      /**< required */
    double          initial_scale;        /**< 32768 */
    int64_t         dynamic_growth_steps; /**< 2000 */
    const char     *name;                 /**< NULL: "loss_scale_optimizer" */
} krt_loss_scale_optimizer_args;
#define KRT_LOSS_SCALE_OPTIMIZER(...)                                                     \
    KRT_SPEC(krt_loss_scale_optimizer_args, "LossScaleOptimizer", .initial_scale = 32768, \
             .dynamic_growth_steps = 2000, .name = NULL, .inner_optimizer = __VA_ARGS__)

#endif
