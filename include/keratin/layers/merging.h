/**
 * @file merging.h
 * Layers of several inputs. Keras: keras.layers, the merging package. See ../layers.h.
 *
 *     y = krt_apply_n(KRT_KTENSORS(a, b), KRT_ADD());
 */
#ifndef KERATIN_LAYERS_MERGING_H
#define KERATIN_LAYERS_MERGING_H

#include "../sys/layer_class.h"

/** The elementwise merging layers have no arguments of their own. Inputs broadcast. */
typedef struct krt_merge_args {
    krt_spec    spec;
    const char *name;      /**< NULL: add, add_1, ... */
    bool        trainable; /**< true */
} krt_merge_args;
#define KRT_MERGE(cls, ...) KRT_SPEC(krt_merge_args, cls, .trainable = true, __VA_ARGS__)
/** Keras: keras.layers.Add. */
#define KRT_ADD(...)        KRT_MERGE("Add", __VA_ARGS__)
/** Keras: keras.layers.Subtract, of exactly two inputs. */
#define KRT_SUBTRACT(...)   KRT_MERGE("Subtract", __VA_ARGS__)
/** Keras: keras.layers.Multiply. */
#define KRT_MULTIPLY(...)   KRT_MERGE("Multiply", __VA_ARGS__)
/** Keras: keras.layers.Average. */
#define KRT_AVERAGE(...)    KRT_MERGE("Average", __VA_ARGS__)
/** Keras: keras.layers.Maximum. */
#define KRT_MAXIMUM(...)    KRT_MERGE("Maximum", __VA_ARGS__)
/** Keras: keras.layers.Minimum. */
#define KRT_MINIMUM(...)    KRT_MERGE("Minimum", __VA_ARGS__)

/** Keras: keras.layers.Concatenate. */
typedef struct krt_concatenate_args {
    krt_spec    spec;
    int64_t     axis;      /**< -1 */
    const char *name;      /**< NULL: concatenate, concatenate_1, ... */
    bool        trainable; /**< true */
} krt_concatenate_args;
#define KRT_CONCATENATE(...) \
    KRT_SPEC(krt_concatenate_args, "Concatenate", .axis = -1, .trainable = true, __VA_ARGS__)

/** Keras: keras.layers.Dot: products summed over one axis of each of two inputs. */
typedef struct krt_dot_args {
    krt_spec    spec;
    krt_axes    axes;      /**< required: one axis for both, {1, {-1}}, or two */
    bool        normalize; /**< false; true: the cosine */
    const char *name;      /**< NULL: dot, dot_1, ... */
    bool        trainable; /**< true */
} krt_dot_args;
#define KRT_DOT(...) KRT_SPEC(krt_dot_args, "Dot", .trainable = true, .axes = __VA_ARGS__)

#endif
