/** @file core.h Keras: keras.layers, the core package. See ../layers.h. */
#ifndef KERATIN_LAYERS_CORE_H
#define KERATIN_LAYERS_CORE_H

#include "../sys/layer_class.h"

/** Keras: keras.layers.InputLayer. Models make it from krt_add_input() and krt_input(). */
typedef struct krt_input_layer_args {
    krt_spec    spec;
    krt_shape   batch_shape; /**< required, with the batch dimension */
    const char *dtype;       /**< NULL: "float32" */
    bool        sparse;
    bool        ragged;
    bool        optional;
    const char *name;      /**< NULL: input_layer, input_layer_1, ... */
    bool        trainable; /**< true */
} krt_input_layer_args;
#define KRT_INPUT_LAYER(...) \
    KRT_SPEC(krt_input_layer_args, "InputLayer", .trainable = true, .batch_shape = __VA_ARGS__)

/** Keras: keras.layers.Dense: activation(x @ kernel + bias) over the last axis. */
typedef struct krt_dense_args {
    krt_spec        spec;
    int64_t         units;              /**< required */
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
    double          lora_alpha; /**< kept for files: as in Keras, the rank counts */
    const char     *name;       /**< NULL: dense, dense_1, ... */
    bool            trainable;  /**< true */
} krt_dense_args;
#define KRT_DENSE(...)                                                         \
    KRT_SPEC(krt_dense_args, "Dense", .use_bias = true, .lora_rank = KRT_NONE, \
             .lora_alpha = KRT_NONE_F, .trainable = true, .units = __VA_ARGS__)

/** Keras: keras.layers.EinsumDense: an equation such as "abc,cd->abd" over input and kernel. */
typedef struct krt_einsum_dense_args {
    krt_spec        spec;
    const char     *equation;           /**< required */
    krt_shape       output_shape;       /**< required, without the batch dimension */
    const char     *activation;         /**< NULL: linear */
    const char     *bias_axes;          /**< letters of the output, "d"; NULL: no bias */
    const krt_spec *kernel_initializer; /**< NULL: GlorotUniform */
    const krt_spec *bias_initializer;   /**< NULL: Zeros */
    const krt_spec *kernel_regularizer;
    const krt_spec *bias_regularizer;
    const krt_spec *activity_regularizer;
    const krt_spec *kernel_constraint;
    const krt_spec *bias_constraint;
    int64_t         lora_rank;  /**< KRT_NONE: no LoRA; see krt_enable_lora() */
    double          lora_alpha; /**< KRT_NONE_F: the rank */
    const char     *name;       /**< NULL: einsum_dense, einsum_dense_1, ... */
    bool            trainable;  /**< true */
} krt_einsum_dense_args;
#define KRT_EINSUM_DENSE(...)                                             \
    KRT_SPEC(krt_einsum_dense_args, "EinsumDense", .lora_rank = KRT_NONE, \
             .lora_alpha = KRT_NONE_F, .trainable = true, .equation = __VA_ARGS__)

/** Keras: keras.layers.Embedding: rows of a table by index. */
typedef struct krt_embedding_args {
    krt_spec        spec;
    int64_t         input_dim;              /**< required */
    int64_t         output_dim;             /**< required */
    const krt_spec *embeddings_initializer; /**< NULL: RandomUniform */
    const krt_spec *embeddings_regularizer;
    const krt_spec *activity_regularizer;
    const krt_spec *embeddings_constraint;
    bool            mask_zero;  /**< false; index 0 is padding and masked out */
    int64_t         lora_rank;  /**< KRT_NONE: no LoRA; see krt_enable_lora() */
    double          lora_alpha; /**< kept for files: as in Keras, the rank counts */
    const char     *name;       /**< NULL: embedding, embedding_1, ... */
    bool            trainable;  /**< true */
} krt_embedding_args;
#define KRT_EMBEDDING(...)                                                                     \
    KRT_SPEC(krt_embedding_args, "Embedding", .lora_rank = KRT_NONE, .lora_alpha = KRT_NONE_F, \
             .trainable = true, .input_dim = __VA_ARGS__)

/** Keras: keras.layers.ReversibleEmbedding, forwards: with `reverse` in the call it would project
 *  back onto the table. */
typedef struct krt_reversible_embedding_args {
    krt_spec        spec;
    int64_t         input_dim;              /**< required */
    int64_t         output_dim;             /**< required */
    bool            tie_weights;            /**< true */
    const krt_spec *embeddings_initializer; /**< NULL: RandomUniform */
    const krt_spec *embeddings_regularizer;
    const krt_spec *embeddings_constraint;
    bool            mask_zero;      /**< false */
    const char     *reverse_dtype;  /**< NULL: the layer's */
    double          logit_soft_cap; /**< KRT_NONE_F: none */
    int64_t         lora_rank;      /**< KRT_NONE: no LoRA; see krt_enable_lora() */
    double          lora_alpha;     /**< kept for files: as in Keras, the rank counts */
    const char     *name;           /**< NULL: reversible_embedding, ... */
    bool            trainable;      /**< true */
} krt_reversible_embedding_args;
#define KRT_REVERSIBLE_EMBEDDING(...)                                                       \
    KRT_SPEC(krt_reversible_embedding_args, "ReversibleEmbedding", .tie_weights = true,     \
             .logit_soft_cap = KRT_NONE_F, .lora_rank = KRT_NONE, .lora_alpha = KRT_NONE_F, \
             .trainable = true, .input_dim = __VA_ARGS__)

/** Keras: keras.layers.Identity. */
typedef struct krt_identity_args {
    krt_spec    spec;
    const char *name;      /**< NULL: identity, identity_1, ... */
    bool        trainable; /**< true */
} krt_identity_args;
#define KRT_IDENTITY(...) KRT_SPEC(krt_identity_args, "Identity", .trainable = true, __VA_ARGS__)

/** Keras: keras.layers.Masking: time steps that equal `mask_value` everywhere are masked out. */
typedef struct krt_masking_args {
    krt_spec    spec;
    double      mask_value; /**< 0 */
    const char *name;       /**< NULL: masking, masking_1, ... */
    bool        trainable;  /**< true */
} krt_masking_args;
#define KRT_MASKING(...) \
    KRT_SPEC(krt_masking_args, "Masking", .mask_value = 0, .trainable = true, __VA_ARGS__)

#endif
