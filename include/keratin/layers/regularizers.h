/**
 * @file regularizers.h
 * Penalties on weights, and limits to them. Keras: keras.regularizers, keras.constraints.
 *
 *     krt_add(m, KRT_DENSE(10, .kernel_regularizer = KRT_L2(.l2 = 1e-4),
 *                          .kernel_constraint = KRT_MAX_NORM(.max_value = 3)));
 *
 * Keras's string identifiers work as well: KRT_ID("l2"), KRT_ID("non_neg").
 */
#ifndef KERATIN_LAYERS_REGULARIZERS_H
#define KERATIN_LAYERS_REGULARIZERS_H

#include "../sys/layer_class.h"

/** Keras: keras.regularizers.L1: l1 * sum(|w|). */
typedef struct krt_l1_args {
    krt_spec spec;
    double   l1; /**< 0.01 */
} krt_l1_args;
#define KRT_L1(...) KRT_SPEC(krt_l1_args, "L1", .l1 = 0.01, __VA_ARGS__)

/** Keras: keras.regularizers.L2: l2 * sum(w * w). */
typedef struct krt_l2_args {
    krt_spec spec;
    double   l2; /**< 0.01 */
} krt_l2_args;
#define KRT_L2(...) KRT_SPEC(krt_l2_args, "L2", .l2 = 0.01, __VA_ARGS__)

/** Keras: keras.regularizers.L1L2. */
typedef struct krt_l1l2_args {
    krt_spec spec;
    double   l1; /**< 0 */
    double   l2; /**< 0 */
} krt_l1l2_args;
#define KRT_L1L2(...) KRT_SPEC(krt_l1l2_args, "L1L2", .l2 = 0, __VA_ARGS__)

/** Keras: keras.regularizers.OrthogonalRegularizer, for matrices. */
typedef struct krt_orthogonal_regularizer_args {
    krt_spec    spec;
    double      factor; /**< 0.01 */
    const char *mode;   /**< "rows" or "columns" */
} krt_orthogonal_regularizer_args;
#define KRT_ORTHOGONAL_REGULARIZER(...)                                                \
    KRT_SPEC(krt_orthogonal_regularizer_args, "OrthogonalRegularizer", .factor = 0.01, \
             .mode = "rows", __VA_ARGS__)

/** Keras: keras.constraints.MaxNorm. */
typedef struct krt_max_norm_args {
    krt_spec spec;
    double   max_value; /**< 2 */
    krt_axes axis;      /**< 0 */
} krt_max_norm_args;
#define KRT_MAX_NORM(...) \
    KRT_SPEC(krt_max_norm_args, "MaxNorm", .max_value = 2, .axis = { 1, { 0 } }, __VA_ARGS__)

/** Keras: keras.constraints.MinMaxNorm. */
typedef struct krt_min_max_norm_args {
    krt_spec spec;
    double   min_value; /**< 0 */
    double   max_value; /**< 1 */
    double   rate;      /**< 1 */
    krt_axes axis;      /**< 0 */
} krt_min_max_norm_args;
#define KRT_MIN_MAX_NORM(...)                                                                \
    KRT_SPEC(krt_min_max_norm_args, "MinMaxNorm", .min_value = 0, .max_value = 1, .rate = 1, \
             .axis = { 1, { 0 } }, __VA_ARGS__)

/** Keras: keras.constraints.UnitNorm. */
typedef struct krt_unit_norm_args {
    krt_spec spec;
    krt_axes axis; /**< 0 */
} krt_unit_norm_args;
#define KRT_UNIT_NORM(...) \
    KRT_SPEC(krt_unit_norm_args, "UnitNorm", .axis = { 1, { 0 } }, __VA_ARGS__)

/** Keras: keras.constraints.NonNeg. */
#define KRT_NON_NEG() KRT_ID("NonNeg")

#endif
