/**
 * @file convolutional.h
 * Convolutions. Keras: keras.layers, the convolutional package. See ../layers.h.
 *
 * Fields keep Keras's names, order and defaults. An array left short is filled with its first
 * entry: {3} reads as {3, 3}. Kernels are stored as Keras stores them, whatever data_format says.
 */
#ifndef KERATIN_LAYERS_CONVOLUTIONAL_H
#define KERATIN_LAYERS_CONVOLUTIONAL_H

#include "../sys/layer_class.h"

/* --- convolution --- */

/** Keras: keras.layers.Conv1D, over sequences (batch, steps, channels). */
typedef struct krt_conv1d_args {
    krt_spec        spec;
    int64_t         filters;            /**< required */
    int64_t         kernel_size[1];     /**< required */
    int64_t         strides[1];         /**< {1} */
    const char     *padding;            /**< "valid", "same" or "causal" */
    const char     *data_format;        /**< NULL: "channels_last" */
    int64_t         dilation_rate[1];   /**< {1} */
    int64_t         groups;             /**< 1 */
    const char     *activation;         /**< NULL: linear */
    bool            use_bias;           /**< true */
    const krt_spec *kernel_initializer; /**< NULL: GlorotUniform */
    const krt_spec *bias_initializer;   /**< NULL: Zeros */
    const krt_spec *kernel_regularizer;
    const krt_spec *bias_regularizer;
    const krt_spec *activity_regularizer;
    const krt_spec *kernel_constraint;
    const krt_spec *bias_constraint;
    int64_t         lora_rank;  /**< KRT_NONE: no LoRA; see krt_enable_lora() */
    double          lora_alpha; /**< KRT_NONE_F: the rank */
    const char     *name;       /**< NULL: conv1d, conv1d_1, ... */
    bool            trainable;  /**< true */
} krt_conv1d_args;
#define KRT_CONV1D(...)                                                                    \
    KRT_SPEC(krt_conv1d_args, "Conv1D", .strides = { 1 }, .padding = "valid",              \
             .dilation_rate = { 1 }, .groups = 1, .use_bias = true, .lora_rank = KRT_NONE, \
             .lora_alpha = KRT_NONE_F, .trainable = true, .filters = __VA_ARGS__)

/** Keras: keras.layers.Conv2D, over images (batch, height, width, channels). */
typedef struct krt_conv2d_args {
    krt_spec        spec;
    int64_t         filters;            /**< required */
    int64_t         kernel_size[2];     /**< required */
    int64_t         strides[2];         /**< {1, 1} */
    const char     *padding;            /**< "valid" or "same" */
    const char     *data_format;        /**< NULL: "channels_last" */
    int64_t         dilation_rate[2];   /**< {1, 1} */
    int64_t         groups;             /**< 1 */
    const char     *activation;         /**< NULL: linear */
    bool            use_bias;           /**< true */
    const krt_spec *kernel_initializer; /**< NULL: GlorotUniform */
    const krt_spec *bias_initializer;   /**< NULL: Zeros */
    const krt_spec *kernel_regularizer;
    const krt_spec *bias_regularizer;
    const krt_spec *activity_regularizer;
    const krt_spec *kernel_constraint;
    const krt_spec *bias_constraint;
    int64_t         lora_rank;  /**< KRT_NONE: no LoRA; see krt_enable_lora() */
    double          lora_alpha; /**< KRT_NONE_F: the rank */
    const char     *name;       /**< NULL: conv2d, conv2d_1, ... */
    bool            trainable;  /**< true */
} krt_conv2d_args;
#define KRT_CONV2D(...)                                                                       \
    KRT_SPEC(krt_conv2d_args, "Conv2D", .strides = { 1, 1 }, .padding = "valid",              \
             .dilation_rate = { 1, 1 }, .groups = 1, .use_bias = true, .lora_rank = KRT_NONE, \
             .lora_alpha = KRT_NONE_F, .trainable = true, .filters = __VA_ARGS__)

/** Keras: keras.layers.Conv3D, over volumes (batch, depth, height, width, channels). */
typedef struct krt_conv3d_args {
    krt_spec        spec;
    int64_t         filters;            /**< required */
    int64_t         kernel_size[3];     /**< required */
    int64_t         strides[3];         /**< {1, 1, 1} */
    const char     *padding;            /**< "valid" or "same" */
    const char     *data_format;        /**< NULL: "channels_last" */
    int64_t         dilation_rate[3];   /**< {1, 1, 1} */
    int64_t         groups;             /**< 1 */
    const char     *activation;         /**< NULL: linear */
    bool            use_bias;           /**< true */
    const krt_spec *kernel_initializer; /**< NULL: GlorotUniform */
    const krt_spec *bias_initializer;   /**< NULL: Zeros */
    const krt_spec *kernel_regularizer;
    const krt_spec *bias_regularizer;
    const krt_spec *activity_regularizer;
    const krt_spec *kernel_constraint;
    const krt_spec *bias_constraint;
    int64_t         lora_rank;  /**< KRT_NONE: no LoRA; see krt_enable_lora() */
    double          lora_alpha; /**< KRT_NONE_F: the rank */
    const char     *name;       /**< NULL: conv3d, conv3d_1, ... */
    bool            trainable;  /**< true */
} krt_conv3d_args;
#define KRT_CONV3D(...)                                                                          \
    KRT_SPEC(krt_conv3d_args, "Conv3D", .strides = { 1, 1, 1 }, .padding = "valid",              \
             .dilation_rate = { 1, 1, 1 }, .groups = 1, .use_bias = true, .lora_rank = KRT_NONE, \
             .lora_alpha = KRT_NONE_F, .trainable = true, .filters = __VA_ARGS__)

/* --- transposed convolution --- */

/** Keras: keras.layers.Conv1DTranspose. The kernel is (size..., filters, channels). */
typedef struct krt_conv1d_transpose_args {
    krt_spec        spec;
    int64_t         filters;            /**< required */
    int64_t         kernel_size[1];     /**< required */
    int64_t         strides[1];         /**< {1} */
    const char     *padding;            /**< "valid" or "same" */
    int64_t         output_padding[1];  /**< KRT_NONE: inferred */
    const char     *data_format;        /**< NULL: "channels_last" */
    int64_t         dilation_rate[1];   /**< {1} */
    const char     *activation;         /**< NULL: linear */
    bool            use_bias;           /**< true */
    const krt_spec *kernel_initializer; /**< NULL: GlorotUniform */
    const krt_spec *bias_initializer;   /**< NULL: Zeros */
    const krt_spec *kernel_regularizer;
    const krt_spec *bias_regularizer;
    const krt_spec *activity_regularizer;
    const krt_spec *kernel_constraint;
    const krt_spec *bias_constraint;
    const char     *name;      /**< NULL: conv1d_transpose, conv1d_transpose_1, ... */
    bool            trainable; /**< true */
} krt_conv1d_transpose_args;
#define KRT_CONV1D_TRANSPOSE(...)                                                                \
    KRT_SPEC(krt_conv1d_transpose_args, "Conv1DTranspose", .strides = { 1 }, .padding = "valid", \
             .output_padding = { KRT_NONE }, .dilation_rate = { 1 }, .use_bias = true,           \
             .trainable = true, .filters = __VA_ARGS__)

/** Keras: keras.layers.Conv2DTranspose. The kernel is (size..., filters, channels). */
typedef struct krt_conv2d_transpose_args {
    krt_spec        spec;
    int64_t         filters;            /**< required */
    int64_t         kernel_size[2];     /**< required */
    int64_t         strides[2];         /**< {1, 1} */
    const char     *padding;            /**< "valid" or "same" */
    int64_t         output_padding[2];  /**< KRT_NONE: inferred */
    const char     *data_format;        /**< NULL: "channels_last" */
    int64_t         dilation_rate[2];   /**< {1, 1} */
    const char     *activation;         /**< NULL: linear */
    bool            use_bias;           /**< true */
    const krt_spec *kernel_initializer; /**< NULL: GlorotUniform */
    const krt_spec *bias_initializer;   /**< NULL: Zeros */
    const krt_spec *kernel_regularizer;
    const krt_spec *bias_regularizer;
    const krt_spec *activity_regularizer;
    const krt_spec *kernel_constraint;
    const krt_spec *bias_constraint;
    const char     *name;      /**< NULL: conv2d_transpose, conv2d_transpose_1, ... */
    bool            trainable; /**< true */
} krt_conv2d_transpose_args;
#define KRT_CONV2D_TRANSPOSE(...)                                               \
    KRT_SPEC(krt_conv2d_transpose_args, "Conv2DTranspose", .strides = { 1, 1 }, \
             .padding = "valid", .output_padding = { KRT_NONE, KRT_NONE },      \
             .dilation_rate = { 1, 1 }, .use_bias = true, .trainable = true,    \
             .filters = __VA_ARGS__)

/** Keras: keras.layers.Conv3DTranspose. The kernel is (size..., filters, channels). */
typedef struct krt_conv3d_transpose_args {
    krt_spec        spec;
    int64_t         filters;            /**< required */
    int64_t         kernel_size[3];     /**< required */
    int64_t         strides[3];         /**< {1, 1, 1} */
    const char     *padding;            /**< "valid" or "same" */
    const char     *data_format;        /**< NULL: "channels_last" */
    int64_t         output_padding[3];  /**< KRT_NONE: inferred */
    int64_t         dilation_rate[3];   /**< {1, 1, 1} */
    const char     *activation;         /**< NULL: linear */
    bool            use_bias;           /**< true */
    const krt_spec *kernel_initializer; /**< NULL: GlorotUniform */
    const krt_spec *bias_initializer;   /**< NULL: Zeros */
    const krt_spec *kernel_regularizer;
    const krt_spec *bias_regularizer;
    const krt_spec *activity_regularizer;
    const krt_spec *kernel_constraint;
    const krt_spec *bias_constraint;
    const char     *name;      /**< NULL: conv3d_transpose, conv3d_transpose_1, ... */
    bool            trainable; /**< true */
} krt_conv3d_transpose_args;
#define KRT_CONV3D_TRANSPOSE(...)                                                    \
    KRT_SPEC(krt_conv3d_transpose_args, "Conv3DTranspose", .strides = { 1, 1, 1 },   \
             .padding = "valid", .output_padding = { KRT_NONE, KRT_NONE, KRT_NONE }, \
             .dilation_rate = { 1, 1, 1 }, .use_bias = true, .trainable = true,      \
             .filters = __VA_ARGS__)

/* --- depthwise convolution --- */

/** Keras: keras.layers.DepthwiseConv1D. The kernel is (size..., channels, depth_multiplier). */
typedef struct krt_depthwise_conv1d_args {
    krt_spec        spec;
    int64_t         kernel_size[1];        /**< required */
    int64_t         strides[1];            /**< {1} */
    const char     *padding;               /**< "valid" or "same" */
    int64_t         depth_multiplier;      /**< 1 */
    const char     *data_format;           /**< NULL: "channels_last" */
    int64_t         dilation_rate[1];      /**< {1} */
    const char     *activation;            /**< NULL: linear */
    bool            use_bias;              /**< true */
    const krt_spec *depthwise_initializer; /**< NULL: GlorotUniform */
    const krt_spec *bias_initializer;      /**< NULL: Zeros */
    const krt_spec *depthwise_regularizer;
    const krt_spec *bias_regularizer;
    const krt_spec *activity_regularizer;
    const krt_spec *depthwise_constraint;
    const krt_spec *bias_constraint;
    const char     *name;      /**< NULL: depthwise_conv1d, depthwise_conv1d_1, ... */
    bool            trainable; /**< true */
} krt_depthwise_conv1d_args;
#define KRT_DEPTHWISE_CONV1D(...)                                                                \
    KRT_SPEC(krt_depthwise_conv1d_args, "DepthwiseConv1D", .strides = { 1 }, .padding = "valid", \
             .depth_multiplier = 1, .dilation_rate = { 1 }, .use_bias = true, .trainable = true, \
             .kernel_size = __VA_ARGS__)

/** Keras: keras.layers.DepthwiseConv2D. The kernel is (size..., channels, depth_multiplier). */
typedef struct krt_depthwise_conv2d_args {
    krt_spec        spec;
    int64_t         kernel_size[2];        /**< required */
    int64_t         strides[2];            /**< {1, 1} */
    const char     *padding;               /**< "valid" or "same" */
    int64_t         depth_multiplier;      /**< 1 */
    const char     *data_format;           /**< NULL: "channels_last" */
    int64_t         dilation_rate[2];      /**< {1, 1} */
    const char     *activation;            /**< NULL: linear */
    bool            use_bias;              /**< true */
    const krt_spec *depthwise_initializer; /**< NULL: GlorotUniform */
    const krt_spec *bias_initializer;      /**< NULL: Zeros */
    const krt_spec *depthwise_regularizer;
    const krt_spec *bias_regularizer;
    const krt_spec *activity_regularizer;
    const krt_spec *depthwise_constraint;
    const krt_spec *bias_constraint;
    const char     *name;      /**< NULL: depthwise_conv2d, depthwise_conv2d_1, ... */
    bool            trainable; /**< true */
} krt_depthwise_conv2d_args;
#define KRT_DEPTHWISE_CONV2D(...)                                                  \
    KRT_SPEC(krt_depthwise_conv2d_args, "DepthwiseConv2D", .strides = { 1, 1 },    \
             .padding = "valid", .depth_multiplier = 1, .dilation_rate = { 1, 1 }, \
             .use_bias = true, .trainable = true, .kernel_size = __VA_ARGS__)

/* --- separable convolution --- */

/** Keras: keras.layers.SeparableConv1D: a depthwise convolution, then one of size 1 over channels. */
typedef struct krt_separable_conv1d_args {
    krt_spec        spec;
    int64_t         filters;               /**< required */
    int64_t         kernel_size[1];        /**< required */
    int64_t         strides[1];            /**< {1} */
    const char     *padding;               /**< "valid" or "same" */
    const char     *data_format;           /**< NULL: "channels_last" */
    int64_t         dilation_rate[1];      /**< {1} */
    int64_t         depth_multiplier;      /**< 1 */
    const char     *activation;            /**< NULL: linear */
    bool            use_bias;              /**< true */
    const krt_spec *depthwise_initializer; /**< NULL: GlorotUniform */
    const krt_spec *pointwise_initializer; /**< NULL: GlorotUniform */
    const krt_spec *bias_initializer;      /**< NULL: Zeros */
    const krt_spec *depthwise_regularizer;
    const krt_spec *pointwise_regularizer;
    const krt_spec *bias_regularizer;
    const krt_spec *activity_regularizer;
    const krt_spec *depthwise_constraint;
    const krt_spec *pointwise_constraint;
    const krt_spec *bias_constraint;
    const char     *name;      /**< NULL: separable_conv1d, separable_conv1d_1, ... */
    bool            trainable; /**< true */
} krt_separable_conv1d_args;
#define KRT_SEPARABLE_CONV1D(...)                                                                \
    KRT_SPEC(krt_separable_conv1d_args, "SeparableConv1D", .strides = { 1 }, .padding = "valid", \
             .dilation_rate = { 1 }, .depth_multiplier = 1, .use_bias = true, .trainable = true, \
             .filters = __VA_ARGS__)

/** Keras: keras.layers.SeparableConv2D: a depthwise convolution, then one of size 1 over channels. */
typedef struct krt_separable_conv2d_args {
    krt_spec        spec;
    int64_t         filters;               /**< required */
    int64_t         kernel_size[2];        /**< required */
    int64_t         strides[2];            /**< {1, 1} */
    const char     *padding;               /**< "valid" or "same" */
    const char     *data_format;           /**< NULL: "channels_last" */
    int64_t         dilation_rate[2];      /**< {1, 1} */
    int64_t         depth_multiplier;      /**< 1 */
    const char     *activation;            /**< NULL: linear */
    bool            use_bias;              /**< true */
    const krt_spec *depthwise_initializer; /**< NULL: GlorotUniform */
    const krt_spec *pointwise_initializer; /**< NULL: GlorotUniform */
    const krt_spec *bias_initializer;      /**< NULL: Zeros */
    const krt_spec *depthwise_regularizer;
    const krt_spec *pointwise_regularizer;
    const krt_spec *bias_regularizer;
    const krt_spec *activity_regularizer;
    const krt_spec *depthwise_constraint;
    const krt_spec *pointwise_constraint;
    const krt_spec *bias_constraint;
    const char     *name;      /**< NULL: separable_conv2d, separable_conv2d_1, ... */
    bool            trainable; /**< true */
} krt_separable_conv2d_args;
#define KRT_SEPARABLE_CONV2D(...)                                                  \
    KRT_SPEC(krt_separable_conv2d_args, "SeparableConv2D", .strides = { 1, 1 },    \
             .padding = "valid", .dilation_rate = { 1, 1 }, .depth_multiplier = 1, \
             .use_bias = true, .trainable = true, .filters = __VA_ARGS__)

#endif
