/** @file rnn.h Keras: keras.layers, the rnn package. See ../layers.h. */
#ifndef KERATIN_LAYERS_RNN_H
#define KERATIN_LAYERS_RNN_H

#include "../sys/layer_class.h"

/** Keras: keras.layers.LSTM, GRU and SimpleRNN, and LSTMCell, GRUCell and SimpleRNNCell, which have no
 *  members from return_sequences on. A class takes what Keras's takes: LSTM no reset_after. */
typedef struct krt_recurrent_args {
    krt_spec        spec;
    int64_t         units;                /**< required */
    const char     *activation;           /**< "tanh" */
    const char     *recurrent_activation; /**< "sigmoid", of the gates; not of SimpleRNN */
    bool            use_bias;             /**< true */
    bool            unit_forget_bias;   /**< true: the forget gate starts with a bias of 1; LSTM */
    bool            reset_after;        /**< true: the reset gate behind the product; GRU */
    const krt_spec *kernel_initializer; /**< NULL: GlorotUniform */
    const krt_spec *recurrent_initializer; /**< NULL: Orthogonal */
    const krt_spec *bias_initializer;      /**< NULL: Zeros */
    const krt_spec *kernel_regularizer;
    const krt_spec *recurrent_regularizer;
    const krt_spec *bias_regularizer;
    const krt_spec *activity_regularizer; /**< of the layers, not of the cells */
    const krt_spec *kernel_constraint;
    const krt_spec *recurrent_constraint;
    const krt_spec *bias_constraint;
    double          dropout;           /**< 0: of the inputs, the same for all steps */
    double          recurrent_dropout; /**< 0: of the state */
    int64_t         seed;              /**< KRT_NONE */
    int64_t         implementation;    /**< 2; 1: each gate has a mask of dropout of its own */
    bool            return_sequences;  /**< false: the last step's output alone */
    bool            return_state;      /**< false; true: the last states, too */
    bool            go_backwards;      /**< false */
    bool            stateful;          /**< false; true: see krt_layer_reset_states() */
    bool            unroll; /**< false; says nothing here but where Keras's results differ */
    bool            zero_output_for_mask; /**< false: masked steps repeat the output before */
    const char     *name;                 /**< NULL: lstm, lstm_1, ... */
    bool            trainable;            /**< true */
} krt_recurrent_args;
/** KRT_LSTM(128, .return_sequences = true) */
#define KRT_LSTM(...)                                                                             \
    KRT_SPEC(krt_recurrent_args, "LSTM", .activation = "tanh", .recurrent_activation = "sigmoid", \
             .use_bias = true, .unit_forget_bias = true, .seed = KRT_NONE, .implementation = 2,   \
             .trainable = true, .units = __VA_ARGS__)
#define KRT_GRU(...)                                                                             \
    KRT_SPEC(krt_recurrent_args, "GRU", .activation = "tanh", .recurrent_activation = "sigmoid", \
             .use_bias = true, .reset_after = true, .seed = KRT_NONE, .implementation = 2,       \
             .trainable = true, .units = __VA_ARGS__)
#define KRT_SIMPLE_RNN(...)                                                           \
    KRT_SPEC(krt_recurrent_args, "SimpleRNN", .activation = "tanh", .use_bias = true, \
             .seed = KRT_NONE, .implementation = 2, .trainable = true, .units = __VA_ARGS__)
#define KRT_LSTM_CELL(...)                                                                  \
    KRT_SPEC(krt_recurrent_args, "LSTMCell", .activation = "tanh",                          \
             .recurrent_activation = "sigmoid", .use_bias = true, .unit_forget_bias = true, \
             .seed = KRT_NONE, .implementation = 2, .trainable = true, .units = __VA_ARGS__)
#define KRT_GRU_CELL(...)                                                              \
    KRT_SPEC(krt_recurrent_args, "GRUCell", .activation = "tanh",                      \
             .recurrent_activation = "sigmoid", .use_bias = true, .reset_after = true, \
             .seed = KRT_NONE, .implementation = 2, .trainable = true, .units = __VA_ARGS__)
#define KRT_SIMPLE_RNN_CELL(...)                                                          \
    KRT_SPEC(krt_recurrent_args, "SimpleRNNCell", .activation = "tanh", .use_bias = true, \
             .seed = KRT_NONE, .implementation = 2, .trainable = true, .units = __VA_ARGS__)

/** Keras: keras.layers.StackedRNNCells: each cell's output is the next one's input. */
typedef struct krt_stacked_rnn_cells_args {
    krt_spec    spec;
    krt_specs   cells;     /**< required, KRT_SPECS(KRT_LSTM_CELL(8), KRT_GRU_CELL(8)) */
    const char *name;      /**< NULL: stacked_rnn_cells, stacked_rnn_cells_1, ... */
    bool        trainable; /**< true */
} krt_stacked_rnn_cells_args;
#define KRT_STACKED_RNN_CELLS(...) \
    KRT_SPEC(krt_stacked_rnn_cells_args, "StackedRNNCells", .trainable = true, .cells = __VA_ARGS__)

/** Keras: keras.layers.RNN: a cell, or StackedRNNCells, over time. */
typedef struct krt_rnn_args {
    krt_spec        spec;
    const krt_spec *cell;                 /**< required, KRT_GRU_CELL(8) */
    bool            return_sequences;     /**< false */
    bool            return_state;         /**< false */
    bool            go_backwards;         /**< false */
    bool            stateful;             /**< false; true: see krt_layer_reset_states() */
    bool            unroll;               /**< false */
    bool            zero_output_for_mask; /**< false */
    const krt_spec *activity_regularizer;
    const char     *name;      /**< NULL: rnn, rnn_1, ... */
    bool            trainable; /**< true */
} krt_rnn_args;
#define KRT_RNN(...) KRT_SPEC(krt_rnn_args, "RNN", .trainable = true, .cell = __VA_ARGS__)

/** Keras: keras.layers.Bidirectional: a recurrent layer forwards and another backwards. */
typedef struct krt_bidirectional_args {
    krt_spec        spec;
    const krt_spec *layer;          /**< required, KRT_LSTM(8, .return_sequences = true) */
    const char     *merge_mode;     /**< "concat", "sum", "mul", "ave"; NULL: two outputs */
    const krt_spec *backward_layer; /**< NULL: as `layer`, backwards */
    const char     *name;           /**< NULL: bidirectional, bidirectional_1, ... */
    bool            trainable;      /**< true */
} krt_bidirectional_args;
#define KRT_BIDIRECTIONAL(...)                                                                   \
    KRT_SPEC(krt_bidirectional_args, "Bidirectional", .merge_mode = "concat", .trainable = true, \
             .layer = __VA_ARGS__)

#endif
