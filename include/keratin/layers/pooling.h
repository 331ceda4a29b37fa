/**
 * @file pooling.h
 * Pooling. Keras: keras.layers, the pooling package. See ../layers.h.
 *
 * Layers that differ in name only share one struct. An array left short is filled with its first
 * entry: {3} reads as {3, 3}.
 */
#ifndef KERATIN_LAYERS_POOLING_H
#define KERATIN_LAYERS_POOLING_H

#include "../sys/layer_class.h"

/* --- max and average --- */

/** Keras: keras.layers.MaxPooling1D and keras.layers.AveragePooling1D. The average is over what lies
 *  inside the image: padding does not count. */
typedef struct krt_pooling1d_args {
    krt_spec    spec;
    int64_t     pool_size[1]; /**< {2} */
    int64_t     strides[1];   /**< KRT_NONE: as pool_size */
    const char *padding;      /**< "valid" or "same" */
    const char *data_format;  /**< NULL: "channels_last" */
    const char *name;         /**< NULL: max_pooling1d, max_pooling1d_1, ... */
    bool        trainable;    /**< true */
} krt_pooling1d_args;
#define KRT_MAX_POOLING1D(...)                                                                \
    KRT_SPEC(krt_pooling1d_args, "MaxPooling1D", .strides = { KRT_NONE }, .padding = "valid", \
             .trainable = true, .pool_size = { 2 },                                           \
             .spec = { sizeof(krt_pooling1d_args), "MaxPooling1D" }, __VA_ARGS__)
#define KRT_AVERAGE_POOLING1D(...)                                                                \
    KRT_SPEC(krt_pooling1d_args, "AveragePooling1D", .strides = { KRT_NONE }, .padding = "valid", \
             .trainable = true, .pool_size = { 2 },                                               \
             .spec = { sizeof(krt_pooling1d_args), "AveragePooling1D" }, __VA_ARGS__)

/** Keras: keras.layers.MaxPooling2D and keras.layers.AveragePooling2D. The average is over what lies
 *  inside the image: padding does not count. */
typedef struct krt_pooling2d_args {
    krt_spec    spec;
    int64_t     pool_size[2]; /**< {2, 2} */
    int64_t     strides[2];   /**< KRT_NONE: as pool_size */
    const char *padding;      /**< "valid" or "same" */
    const char *data_format;  /**< NULL: "channels_last" */
    const char *name;         /**< NULL: max_pooling2d, max_pooling2d_1, ... */
    bool        trainable;    /**< true */
} krt_pooling2d_args;
#define KRT_MAX_POOLING2D(...)                                                      \
    KRT_SPEC(krt_pooling2d_args, "MaxPooling2D", .strides = { KRT_NONE, KRT_NONE }, \
             .padding = "valid", .trainable = true, .pool_size = { 2, 2 },          \
             .spec = { sizeof(krt_pooling2d_args), "MaxPooling2D" }, __VA_ARGS__)
#define KRT_AVERAGE_POOLING2D(...)                                                      \
    KRT_SPEC(krt_pooling2d_args, "AveragePooling2D", .strides = { KRT_NONE, KRT_NONE }, \
             .padding = "valid", .trainable = true, .pool_size = { 2, 2 },              \
             .spec = { sizeof(krt_pooling2d_args), "AveragePooling2D" }, __VA_ARGS__)

/** Keras: keras.layers.MaxPooling3D and keras.layers.AveragePooling3D. The average is over what lies
 *  inside the image: padding does not count. */
typedef struct krt_pooling3d_args {
    krt_spec    spec;
    int64_t     pool_size[3]; /**< {2, 2, 2} */
    int64_t     strides[3];   /**< KRT_NONE: as pool_size */
    const char *padding;      /**< "valid" or "same" */
    const char *data_format;  /**< NULL: "channels_last" */
    const char *name;         /**< NULL: max_pooling3d, max_pooling3d_1, ... */
    bool        trainable;    /**< true */
} krt_pooling3d_args;
#define KRT_MAX_POOLING3D(...)                                                                \
    KRT_SPEC(krt_pooling3d_args, "MaxPooling3D", .strides = { KRT_NONE, KRT_NONE, KRT_NONE }, \
             .padding = "valid", .trainable = true, .pool_size = { 2, 2, 2 },                 \
             .spec = { sizeof(krt_pooling3d_args), "MaxPooling3D" }, __VA_ARGS__)
#define KRT_AVERAGE_POOLING3D(...)                                                                \
    KRT_SPEC(krt_pooling3d_args, "AveragePooling3D", .strides = { KRT_NONE, KRT_NONE, KRT_NONE }, \
             .padding = "valid", .trainable = true, .pool_size = { 2, 2, 2 },                     \
             .spec = { sizeof(krt_pooling3d_args), "AveragePooling3D" }, __VA_ARGS__)

/* --- over everything --- */

/** Keras: keras.layers.GlobalMaxPooling1D to 3D and keras.layers.GlobalAveragePooling1D to 3D. */
typedef struct krt_global_pooling_args {
    krt_spec    spec;
    const char *data_format; /**< NULL: "channels_last" */
    bool        keepdims;    /**< false */
    const char *name;        /**< NULL: global_max_pooling2d, global_max_pooling2d_1, ... */
    bool        trainable;   /**< true */
} krt_global_pooling_args;
#define KRT_GLOBAL_POOLING(cls, ...)                          \
    KRT_SPEC(krt_global_pooling_args, cls, .trainable = true, \
             .spec = { sizeof(krt_global_pooling_args), cls }, __VA_ARGS__)
#define KRT_GLOBAL_MAX_POOLING1D(...)     KRT_GLOBAL_POOLING("GlobalMaxPooling1D", __VA_ARGS__)
#define KRT_GLOBAL_MAX_POOLING2D(...)     KRT_GLOBAL_POOLING("GlobalMaxPooling2D", __VA_ARGS__)
#define KRT_GLOBAL_MAX_POOLING3D(...)     KRT_GLOBAL_POOLING("GlobalMaxPooling3D", __VA_ARGS__)
#define KRT_GLOBAL_AVERAGE_POOLING1D(...) KRT_GLOBAL_POOLING("GlobalAveragePooling1D", __VA_ARGS__)
#define KRT_GLOBAL_AVERAGE_POOLING2D(...) KRT_GLOBAL_POOLING("GlobalAveragePooling2D", __VA_ARGS__)
#define KRT_GLOBAL_AVERAGE_POOLING3D(...) KRT_GLOBAL_POOLING("GlobalAveragePooling3D", __VA_ARGS__)

/* --- to a given size --- */

/** Keras: keras.layers.AdaptiveMaxPooling1D and keras.layers.AdaptiveAveragePooling1D. */
typedef struct krt_adaptive_pooling1d_args {
    krt_spec    spec;
    int64_t     output_size[1]; /**< required */
    const char *data_format;    /**< NULL: "channels_last" */
    const char *name;           /**< NULL: adaptive_max_pooling1d, ... */
    bool        trainable;      /**< true */
} krt_adaptive_pooling1d_args;
#define KRT_ADAPTIVE_MAX_POOLING1D(...)                                              \
    KRT_SPEC(krt_adaptive_pooling1d_args, "AdaptiveMaxPooling1D", .trainable = true, \
             .output_size = __VA_ARGS__)
#define KRT_ADAPTIVE_AVERAGE_POOLING1D(...)                                              \
    KRT_SPEC(krt_adaptive_pooling1d_args, "AdaptiveAveragePooling1D", .trainable = true, \
             .output_size = __VA_ARGS__)

/** Keras: keras.layers.AdaptiveMaxPooling2D and keras.layers.AdaptiveAveragePooling2D. */
typedef struct krt_adaptive_pooling2d_args {
    krt_spec    spec;
    int64_t     output_size[2]; /**< required */
    const char *data_format;    /**< NULL: "channels_last" */
    const char *name;           /**< NULL: adaptive_max_pooling2d, ... */
    bool        trainable;      /**< true */
} krt_adaptive_pooling2d_args;
#define KRT_ADAPTIVE_MAX_POOLING2D(...)                                              \
    KRT_SPEC(krt_adaptive_pooling2d_args, "AdaptiveMaxPooling2D", .trainable = true, \
             .output_size = __VA_ARGS__)
#define KRT_ADAPTIVE_AVERAGE_POOLING2D(...)                                              \
    KRT_SPEC(krt_adaptive_pooling2d_args, "AdaptiveAveragePooling2D", .trainable = true, \
             .output_size = __VA_ARGS__)

/** Keras: keras.layers.AdaptiveMaxPooling3D and keras.layers.AdaptiveAveragePooling3D. */
typedef struct krt_adaptive_pooling3d_args {
    krt_spec    spec;
    int64_t     output_size[3]; /**< required */
    const char *data_format;    /**< NULL: "channels_last" */
    const char *name;           /**< NULL: adaptive_max_pooling3d, ... */
    bool        trainable;      /**< true */
} krt_adaptive_pooling3d_args;
#define KRT_ADAPTIVE_MAX_POOLING3D(...)                                              \
    KRT_SPEC(krt_adaptive_pooling3d_args, "AdaptiveMaxPooling3D", .trainable = true, \
             .output_size = __VA_ARGS__)
#define KRT_ADAPTIVE_AVERAGE_POOLING3D(...)                                              \
    KRT_SPEC(krt_adaptive_pooling3d_args, "AdaptiveAveragePooling3D", .trainable = true, \
             .output_size = __VA_ARGS__)

#endif
