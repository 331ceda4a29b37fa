/* A recurrent cell over time, as the layers around it describe it. Keras: layers/rnn. */
#ifndef KRTI_LAYERS_RNN_H
#define KRTI_LAYERS_RNN_H

#include "layers/describe.h"

enum { KRTI_RNN_STATES = 2 }; /* of one cell at most */

/* What goes over the steps of a sequence, and what comes of it. */
typedef struct krti_over_time {
    krt_value *x;                      /* (batch, steps, features) */
    krt_value *mask;                   /* (batch, steps); NULL: none */
    krt_value *first[KRTI_RNN_STATES]; /* states before the first step; NULL: zeros */
    krt_value *y;                      /* out: what each step gives, the state's h */
    krt_value *last[KRTI_RNN_STATES];  /* out: the states after the last step */
} krti_over_time;

extern const krti_class krti_class_lstm_cell, krti_class_gru_cell, krti_class_simple_rnn_cell;

extern const krti_class krti_class_conv_lstm1d, krti_class_conv_lstm2d, krti_class_conv_lstm3d;
extern const krti_class krti_class_conv_lstm_cell;
extern const krti_class krti_class_bidirectional;

/* An argument that is true or false, "go_backwards"; NULL when the layer's class has none of that name. */
bool *krti_rnn_flag(const krt_layer *l, const char *key);

/* Whether the layer is one of the cells. */
bool krti_is_cell(const krt_layer *l);
int krti_cell_num_states(const krt_layer *cell);
int64_t krti_cell_units(const krt_layer *cell);
/* The shape of each of its states, for a sequence of shape `x`. */
krt_shape krti_cell_state(const krt_layer *cell, krt_shape x);
/* For cells: a weight as it is by now, NULL when there is none of the name; one of equal parts along the last
 * axis; whether a sequence is short enough to be described step by step. */
krt_value *krti_cell_weight(krt_call *c, const krt_layer *cell, const char *name);
krt_value *krti_cell_gate(krti_graph *g, krt_value *x, int i, int64_t units);
krt_status krti_cell_check_steps(const krt_layer *cell, const krt_value *x);
/* The same two for the cell of a ConvLSTM (conv_lstm.c). */
krt_shape krti_conv_cell_state(const krt_layer *cell, krt_shape x);
krt_status krti_conv_cell_over_time(krt_call *c, krt_layer *cell, krti_over_time *t);
/* Describes all steps of the cell. c->layer is whose activations and random numbers it goes by: the
 * cell itself, or the layer that made it. */
krt_status krti_cell_over_time(krt_call *c, krt_layer *cell, krti_over_time *t);

/* The states of all cells of a layer one after the other. */
enum { KRTI_MAX_STATES = KRTI_MAX_CALL_OUT - 2 };
typedef struct krti_states {
    size_t n;
    bool is_list; /* they came as one, even of one */
    krt_value *items[KRTI_MAX_STATES];
} krti_states;
/* The cell of a layer that gives it all its arguments, for the layer's init hook; and the build and call hooks
 * of such layers. */
krt_status krti_rnn_make_cell(krt_layer *l, const krt_layer_class *cls);
krt_status krti_rnn_build(krt_layer *l, const void *args, const krt_shape *inputs, size_t n);
krt_status krti_rnn_call(const krt_layer *l, const void *args, krt_call *c);
/* How many states an LSTM, GRU, SimpleRNN or RNN has; 0: it cannot be told. */
size_t krti_rnn_num_states(const krt_layer *l);
/* What the call was given as initial_state: by name, as the second argument, or, in Keras 2 and from C, as
 * the inputs behind the first. s->n is 0 when there is nothing, else `wanted`. */
krt_status krti_rnn_find_states(const krt_layer *l, krt_call *c, size_t wanted, krti_states *s);
/* Their shapes beside the input's, in what the layer was built for; a list begins with one of rank -1. */
krt_status krti_rnn_keep_shapes(krt_call *c, const krti_states *s);
/* The mask to go by, and the one to pass on. An argument counts always; the one that travels with the input
 * does not reach a Keras 3 layer that is given states, though it goes on behind it. */
krt_value *krti_rnn_find_mask(const krt_layer *l, krt_call *c, size_t wanted, bool has_states,
                              krt_value **passed);

/* The call of a cell, or of a stack of them, by itself: refused. */
krt_status krti_rnn_cell_call(const krt_layer *l, const void *args, krt_call *c);

/* Hooks of these classes (layer.h): the config without what Keras's classes do not keep; and what a layer
 * that is given states was built for. */
krt_status krti_recurrent_config(krti_arena *a, krti_conf *dict, const krt_layer *l);
krti_conf *krti_recurrent_build_config(krti_arena *a, const krt_layer *l);
/* Arguments of another class are refused: they would say nothing. */
krt_status krti_recurrent_init(krt_layer *l, void *args);

#endif
