/** @file reshaping.h Keras: keras.layers, the reshaping package. See ../layers.h. */
#ifndef KERATIN_LAYERS_RESHAPING_H
#define KERATIN_LAYERS_RESHAPING_H

#include "../sys/layer_class.h"

/** Keras: keras.layers.Flatten: everything but the batch axis into one. */
typedef struct krt_flatten_args {
    krt_spec    spec;
    const char *data_format; /**< NULL: "channels_last" */
    const char *name;        /**< NULL: flatten, flatten_1, ... */
    bool        trainable;   /**< true */
} krt_flatten_args;
#define KRT_FLATTEN(...) KRT_SPEC(krt_flatten_args, "Flatten", .trainable = true, __VA_ARGS__)

/** Keras: keras.layers.Reshape. `target_shape` is without the batch axis; one -1 is inferred. */
typedef struct krt_reshape_args {
    krt_spec    spec;
    krt_shape   target_shape; /**< required */
    const char *name;         /**< NULL: reshape, reshape_1, ... */
    bool        trainable;    /**< true */
} krt_reshape_args;
#define KRT_RESHAPE(...) \
    KRT_SPEC(krt_reshape_args, "Reshape", .trainable = true, .target_shape = __VA_ARGS__)

/** Keras: keras.layers.Permute. `dims` counts from 1, the batch axis being 0. */
typedef struct krt_permute_args {
    krt_spec    spec;
    krt_axes    dims;      /**< required, {2, {2, 1}} */
    const char *name;      /**< NULL: permute, permute_1, ... */
    bool        trainable; /**< true */
} krt_permute_args;
#define KRT_PERMUTE(...) \
    KRT_SPEC(krt_permute_args, "Permute", .trainable = true, .dims = __VA_ARGS__)

/** Keras: keras.layers.RepeatVector: (batch, features) to (batch, n, features). */
typedef struct krt_repeat_vector_args {
    krt_spec    spec;
    int64_t     n;         /**< required */
    const char *name;      /**< NULL: repeat_vector, repeat_vector_1, ... */
    bool        trainable; /**< true */
} krt_repeat_vector_args;
#define KRT_REPEAT_VECTOR(...) \
    KRT_SPEC(krt_repeat_vector_args, "RepeatVector", .trainable = true, .n = __VA_ARGS__)

/** Keras: keras.layers.Cropping1D. */
typedef struct krt_cropping1d_args {
    krt_spec    spec;
    int64_t     cropping[1][2]; /**< {{1, 1}} */
    const char *name;           /**< NULL: cropping1d, cropping1d_1, ... */
    bool        trainable;      /**< true */
} krt_cropping1d_args;
#define KRT_CROPPING1D(...)                                                                  \
    KRT_SPEC(krt_cropping1d_args, "Cropping1D", .cropping = { { 1, 1 } }, .trainable = true, \
             __VA_ARGS__)

/** Keras: keras.layers.Cropping2D. */
typedef struct krt_cropping2d_args {
    krt_spec    spec;
    int64_t     cropping[2][2]; /**< {{0, 0}, {0, 0}}: top and bottom, left and right */
    const char *data_format;    /**< NULL: "channels_last" */
    const char *name;           /**< NULL: cropping2d, cropping2d_1, ... */
    bool        trainable;      /**< true */
} krt_cropping2d_args;
#define KRT_CROPPING2D(...) \
    KRT_SPEC(krt_cropping2d_args, "Cropping2D", .trainable = true, __VA_ARGS__)

/** Keras: keras.layers.Cropping3D. */
typedef struct krt_cropping3d_args {
    krt_spec    spec;
    int64_t     cropping[3][2]; /**< {{1, 1}, {1, 1}, {1, 1}} */
    const char *data_format;    /**< NULL: "channels_last" */
    const char *name;           /**< NULL: cropping3d, cropping3d_1, ... */
    bool        trainable;      /**< true */
} krt_cropping3d_args;
#define KRT_CROPPING3D(...)                                                                   \
    KRT_SPEC(krt_cropping3d_args, "Cropping3D", .cropping = { { 1, 1 }, { 1, 1 }, { 1, 1 } }, \
             .trainable = true, __VA_ARGS__)

/** Keras: keras.layers.ZeroPadding1D. */
typedef struct krt_zero_padding1d_args {
    krt_spec    spec;
    int64_t     padding[1][2]; /**< {{1, 1}} */
    const char *data_format;   /**< NULL: "channels_last" */
    const char *name;          /**< NULL: zero_padding1d, zero_padding1d_1, ... */
    bool        trainable;     /**< true */
} krt_zero_padding1d_args;
#define KRT_ZERO_PADDING1D(...)                                                                    \
    KRT_SPEC(krt_zero_padding1d_args, "ZeroPadding1D", .padding = { { 1, 1 } }, .trainable = true, \
             __VA_ARGS__)

/** Keras: keras.layers.ZeroPadding2D. */
typedef struct krt_zero_padding2d_args {
    krt_spec    spec;
    int64_t     padding[2][2]; /**< {{1, 1}, {1, 1}}: top and bottom, left and right */
    const char *data_format;   /**< NULL: "channels_last" */
    const char *name;          /**< NULL: zero_padding2d, zero_padding2d_1, ... */
    bool        trainable;     /**< true */
} krt_zero_padding2d_args;
#define KRT_ZERO_PADDING2D(...)                                                           \
    KRT_SPEC(krt_zero_padding2d_args, "ZeroPadding2D", .padding = { { 1, 1 }, { 1, 1 } }, \
             .trainable = true, __VA_ARGS__)

/** Keras: keras.layers.ZeroPadding3D. */
typedef struct krt_zero_padding3d_args {
    krt_spec    spec;
    int64_t     padding[3][2]; /**< {{1, 1}, {1, 1}, {1, 1}} */
    const char *data_format;   /**< NULL: "channels_last" */
    const char *name;          /**< NULL: zero_padding3d, zero_padding3d_1, ... */
    bool        trainable;     /**< true */
} krt_zero_padding3d_args;
#define KRT_ZERO_PADDING3D(...)                        \
    KRT_SPEC(krt_zero_padding3d_args, "ZeroPadding3D", \
             .padding = { { 1, 1 }, { 1, 1 }, { 1, 1 } }, .trainable = true, __VA_ARGS__)

/** Keras: keras.layers.UpSampling1D. */
typedef struct krt_up_sampling1d_args {
    krt_spec    spec;
    int64_t     size[1];   /**< {2} */
    const char *name;      /**< NULL: up_sampling1d, up_sampling1d_1, ... */
    bool        trainable; /**< true */
} krt_up_sampling1d_args;
#define KRT_UP_SAMPLING1D(...) \
    KRT_SPEC(krt_up_sampling1d_args, "UpSampling1D", .size = { 2 }, .trainable = true, __VA_ARGS__)

/** Keras: keras.layers.UpSampling2D. */
typedef struct krt_up_sampling2d_args {
    krt_spec    spec;
    int64_t     size[2];       /**< {2, 2} */
    const char *data_format;   /**< NULL: "channels_last" */
    const char *interpolation; /**< "nearest"; "bilinear", "bicubic", "lanczos3" or "lanczos5" */
    const char *name;          /**< NULL: up_sampling2d, up_sampling2d_1, ... */
    bool        trainable;     /**< true */
} krt_up_sampling2d_args;
#define KRT_UP_SAMPLING2D(...)                                                                     \
    KRT_SPEC(krt_up_sampling2d_args, "UpSampling2D", .size = { 2, 2 }, .interpolation = "nearest", \
             .trainable = true, __VA_ARGS__)

/** Keras: keras.layers.UpSampling3D. */
typedef struct krt_up_sampling3d_args {
    krt_spec    spec;
    int64_t     size[3];     /**< {2, 2, 2} */
    const char *data_format; /**< NULL: "channels_last" */
    const char *name;        /**< NULL: up_sampling3d, up_sampling3d_1, ... */
    bool        trainable;   /**< true */
} krt_up_sampling3d_args;
#define KRT_UP_SAMPLING3D(...)                                                               \
    KRT_SPEC(krt_up_sampling3d_args, "UpSampling3D", .size = { 2, 2, 2 }, .trainable = true, \
             __VA_ARGS__)

#endif
