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

/** Keras: keras.layers.ConvLSTM1D, ConvLSTM2D and ConvLSTM3D: an LSTM over sequences of rows, images or
 *  volumes whose products are convolutions. Of the numbers, the first 1, 2 or 3 count; an array left short is
 *  filled with its first entry: {3} reads as {3, 3}. */
typedef struct krt_conv_lstm_args {
    krt_spec        spec;
    int64_t         filters;               /**< required */
    int64_t         kernel_size[3];        /**< required */
    int64_t         strides[3];            /**< {1}; of the inputs' convolution */
    const char     *padding;               /**< "valid" or "same"; the states' is always "same" */
    const char     *data_format;           /**< NULL: "channels_last" */
    int64_t         dilation_rate[3];      /**< {1} */
    const char     *activation;            /**< "tanh" */
    const char     *recurrent_activation;  /**< "sigmoid", of the gates */
    bool            use_bias;              /**< true */
    const krt_spec *kernel_initializer;    /**< NULL: GlorotUniform */
    const krt_spec *recurrent_initializer; /**< NULL: Orthogonal */
    const krt_spec *bias_initializer;      /**< NULL: Zeros */
    bool            unit_forget_bias;      /**< true: the forget gate starts with a bias of 1 */
    const krt_spec *kernel_regularizer;
    const krt_spec *recurrent_regularizer;
    const krt_spec *bias_regularizer;
    const krt_spec *activity_regularizer;
    const krt_spec *kernel_constraint;
    const krt_spec *recurrent_constraint;
    const krt_spec *bias_constraint;
    double          dropout;              /**< 0: of the inputs, the same for all steps */
    double          recurrent_dropout;    /**< 0: of the state */
    int64_t         seed;                 /**< KRT_NONE */
    bool            return_sequences;     /**< false: the last step's output alone */
    bool            return_state;         /**< false; true: the last states, too */
    bool            go_backwards;         /**< false */
    bool            stateful;             /**< false; true: see krt_layer_reset_states() */
    bool            unroll;               /**< false; says nothing here */
    bool            zero_output_for_mask; /**< false: masked steps repeat the output before */
    const char     *name;                 /**< NULL: conv_lstm2d, conv_lstm2d_1, ... */
    bool            trainable;            /**< true */
} krt_conv_lstm_args;
#define KRT_CONV_LSTM1D(...) KRT_CONV_LSTM("ConvLSTM1D", __VA_ARGS__)
/** KRT_CONV_LSTM2D(16, {3, 3}, .padding = "same") */
#define KRT_CONV_LSTM2D(...) KRT_CONV_LSTM("ConvLSTM2D", __VA_ARGS__)
#define KRT_CONV_LSTM3D(...) KRT_CONV_LSTM("ConvLSTM3D", __VA_ARGS__)
#define KRT_CONV_LSTM(class_name, ...)                                                      \
    KRT_SPEC(krt_conv_lstm_args, class_name, .strides = { 1, 1, 1 }, .padding = "valid",    \
             .dilation_rate = { 1, 1, 1 }, .activation = "tanh",                            \
             .recurrent_activation = "sigmoid", .use_bias = true, .unit_forget_bias = true, \
             .seed = KRT_NONE, .trainable = true, .filters = __VA_ARGS__)

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
