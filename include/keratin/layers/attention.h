/** @file attention.h Keras: keras.layers, the attention package. See ../layers.h. */
#ifndef KERATIN_LAYERS_ATTENTION_H
#define KERATIN_LAYERS_ATTENTION_H

#include "../sys/layer_class.h"

/** Keras: keras.layers.Attention, Luong's: called on query, value and, if it differs, key. */
typedef struct krt_attention_args {
    krt_spec    spec;
    bool        use_scale;  /**< false; true: a weight scales the scores */
    const char *score_mode; /**< "dot" or "concat" */
    double      dropout;    /**< 0 */
    int64_t     seed;       /**< KRT_NONE */
    const char *name;       /**< NULL: attention, attention_1, ... */
    bool        trainable;  /**< true */
} krt_attention_args;
#define KRT_ATTENTION(...)                                                           \
    KRT_SPEC(krt_attention_args, "Attention", .score_mode = "dot", .seed = KRT_NONE, \
             .trainable = true, __VA_ARGS__)

/** Keras: keras.layers.AdditiveAttention, Bahdanau's. */
typedef struct krt_additive_attention_args {
    krt_spec    spec;
    bool        use_scale; /**< true: a weight for each feature */
    double      dropout;   /**< 0 */
    int64_t     seed;      /**< KRT_NONE */
    const char *name;      /**< NULL: additive_attention, additive_attention_1, ... */
    bool        trainable; /**< true */
} krt_additive_attention_args;
#define KRT_ADDITIVE_ATTENTION(...)                                               \
    KRT_SPEC(krt_additive_attention_args, "AdditiveAttention", .use_scale = true, \
             .seed = KRT_NONE, .trainable = true, __VA_ARGS__)

/** Keras: keras.layers.MultiHeadAttention: called on query, value and, if it differs, key, each
 *  (batch, steps, features). */
typedef struct krt_multi_head_attention_args {
    krt_spec        spec;
    int64_t         num_heads;          /**< required */
    int64_t         key_dim;            /**< required: of each head's queries and keys */
    int64_t         value_dim;          /**< KRT_NONE: key_dim */
    double          dropout;            /**< 0 */
    bool            use_bias;           /**< true */
    bool            use_gate;           /**< false; true: each head by a gate of the query */
    krt_shape       output_shape;       /**< rank -1: the query's features */
    krt_axes        attention_axes;     /**< none, or the axis of the steps */
    int64_t         sliding_window;     /**< KRT_NONE: any distance; else steps that count */
    const krt_spec *kernel_initializer; /**< NULL: GlorotUniform */
    const krt_spec *bias_initializer;   /**< NULL: Zeros */
    const krt_spec *kernel_regularizer;
    const krt_spec *bias_regularizer;
    const krt_spec *activity_regularizer;
    const krt_spec *kernel_constraint;
    const krt_spec *bias_constraint;
    int64_t         seed;      /**< KRT_NONE */
    const char     *name;      /**< NULL: multi_head_attention, multi_head_attention_1, ... */
    bool            trainable; /**< true */
} krt_multi_head_attention_args;
#define KRT_MULTI_HEAD_ATTENTION(...)                                                      \
    KRT_SPEC(krt_multi_head_attention_args, "MultiHeadAttention", .value_dim = KRT_NONE,   \
             .sliding_window = KRT_NONE, .use_bias = true, .output_shape = { .rank = -1 }, \
             .seed = KRT_NONE, .trainable = true, .num_heads = __VA_ARGS__)

/** Keras: keras.layers.GroupedQueryAttention: heads of the queries share heads of keys and values. */
typedef struct krt_grouped_query_attention_args {
    krt_spec        spec;
    int64_t         head_dim;            /**< required */
    int64_t         num_query_heads;     /**< required, a multiple of the next */
    int64_t         num_key_value_heads; /**< required */
    bool            use_bias;            /**< true */
    bool            use_gate;            /**< false; true: each head by a gate of the query */
    int64_t         sliding_window;      /**< KRT_NONE: any distance; else steps that count */
    double          dropout;             /**< 0 */
    const krt_spec *kernel_initializer;  /**< NULL: GlorotUniform */
    const krt_spec *bias_initializer;    /**< NULL: Zeros */
    const krt_spec *kernel_regularizer;
    const krt_spec *bias_regularizer;
    const krt_spec *activity_regularizer;
    const krt_spec *kernel_constraint;
    const krt_spec *bias_constraint;
    int64_t         seed;      /**< KRT_NONE */
    const char     *name;      /**< NULL: grouped_query_attention, grouped_query_attention_1, ... */
    bool            trainable; /**< true */
} krt_grouped_query_attention_args;
/** KRT_GROUPED_QUERY_ATTENTION(64, 8, 2): 8 heads of 64, four to each of 2 keys and values */
#define KRT_GROUPED_QUERY_ATTENTION(dim, query_heads, ...)                                   \
    KRT_SPEC(krt_grouped_query_attention_args, "GroupedQueryAttention", .head_dim = (dim),   \
             .num_query_heads = (query_heads), .use_bias = true, .sliding_window = KRT_NONE, \
             .seed = KRT_NONE, .trainable = true, .num_key_value_heads = __VA_ARGS__)

#endif
