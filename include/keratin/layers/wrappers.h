/** @file wrappers.h Layers around a layer. Keras: keras.layers.TimeDistributed. See ../layers.h. */
#ifndef KERATIN_LAYERS_WRAPPERS_H
#define KERATIN_LAYERS_WRAPPERS_H

#include "../sys/layer_class.h"

/** Keras: keras.layers.TimeDistributed: the same layer on every step of axis 1. */
typedef struct krt_time_distributed_args {
    krt_spec        spec;
    const krt_spec *layer;     /**< required, KRT_DENSE(8) */
    const char     *name;      /**< NULL: time_distributed, time_distributed_1, ... */
    bool            trainable; /**< true */
} krt_time_distributed_args;
#define KRT_TIME_DISTRIBUTED(...) \
    KRT_SPEC(krt_time_distributed_args, "TimeDistributed", .trainable = true, .layer = __VA_ARGS__)

#endif
