/**
 * @file applications.h
 * The layers that keras.applications brings along for its own models. Keras has no public names for
 * them; files name them by their classes. See ../layers.h.
 */
#ifndef KERATIN_LAYERS_APPLICATIONS_H
#define KERATIN_LAYERS_APPLICATIONS_H

#include "../sys/layer_class.h"

/** Keras: LayerScale of applications/convnext.py: a learned factor a channel. */
typedef struct krt_layer_scale_args {
    krt_spec    spec;
    double      init_values;    /**< required; what gamma starts from */
    int64_t     projection_dim; /**< required: channels */
    const char *name;           /**< NULL: layer_scale, layer_scale_1, ... */
    bool        trainable;      /**< true */
} krt_layer_scale_args;
#define KRT_LAYER_SCALE(...) \
    KRT_SPEC(krt_layer_scale_args, "LayerScale", .trainable = true, .init_values = __VA_ARGS__)

/** Keras: StochasticDepth of applications/convnext.py: drops whole branches in training. */
typedef struct krt_stochastic_depth_args {
    krt_spec    spec;
    double      drop_path_rate; /**< required, in [0, 1] */
    const char *name;           /**< NULL: stochastic_depth, stochastic_depth_1, ... */
    bool        trainable;      /**< true */
} krt_stochastic_depth_args;
#define KRT_STOCHASTIC_DEPTH(...)                                             \
    KRT_SPEC(krt_stochastic_depth_args, "StochasticDepth", .trainable = true, \
             .drop_path_rate = __VA_ARGS__)

/** Keras: CustomScaleLayer of applications/inception_resnet_v2.py: a + scale * b. */
typedef struct krt_custom_scale_layer_args {
    krt_spec    spec;
    double      scale;     /**< required */
    const char *name;      /**< NULL: custom_scale_layer, custom_scale_layer_1, ... */
    bool        trainable; /**< true */
} krt_custom_scale_layer_args;
#define KRT_CUSTOM_SCALE_LAYER(...)                                              \
    KRT_SPEC(krt_custom_scale_layer_args, "CustomScaleLayer", .trainable = true, \
             .scale = __VA_ARGS__)

#endif
