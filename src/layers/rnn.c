/* LSTM, GRU, SimpleRNN and RNN: a cell over the steps of a sequence; StackedRNNCells. Keras:
 * layers/rnn/{rnn,lstm,gru,simple_rnn,stacked_rnn_cells}.py and backend/.../rnn.py.
 *
 * LSTM and its kin make a cell that has their arguments and holds their weights, as in Keras, where files
 * have them below "cell". Cells in a stack go over all steps one after the other, which is the same
 * as all cells in one step: none looks at a later step of the one before. */
#include "layers/rnn.h"

#include "layers/spatial.h"

enum { MAX_CELLS = KRTI_MAX_STATES / KRTI_RNN_STATES };

/* What all four classes are told. */
typedef struct flags {
    bool return_sequences, return_state, go_backwards, stateful, zero_output_for_mask;
} flags;

bool *krti_rnn_flag(const krt_layer *l, const char *key)
{
    return l->cls != NULL ? krti_args_member(l->cls, l->args, key) : NULL;
}

static flags flags_of(const krt_layer *l)
{
    return (flags){.return_sequences = *krti_rnn_flag(l, "return_sequences"),
                   .return_state = *krti_rnn_flag(l, "return_state"),
                   .go_backwards = *krti_rnn_flag(l, "go_backwards"),
                   .stateful = *krti_rnn_flag(l, "stateful"),
                   .zero_output_for_mask = *krti_rnn_flag(l, "zero_output_for_mask")};
}

/* ------------------------------------------------------------------------------- cells */

krt_status krti_rnn_make_cell(krt_layer *l, const krt_layer_class *cls)
{
    char name[KRTI_SNAKE_TEXT];
    krt_layer *cell = NULL;
    krt_status st = KRT_OK;

    TRY(krti_layer_alloc(l->owned.k, &cell, sizeof *cell, cls->name));
    krti_snake_case_text(name, cls->name);
    TRY(krti_layer_set_name(cell, name));
    cell->cls = cls;
    cell->args = l->args;
    cell->trainable = l->trainable;
    cell->dtype_policy = l->dtype_policy;
    cell->generation = l->generation;
    cell->trains_as = l->trains_as;
    TRY(krti_layer_add_inner(l, "cell", false, cell));

done:
    return st;
}

static krt_status init_with(krt_layer *l, void *args, const krt_layer_class *cell)
{
    krt_status st = KRT_OK;

    TRY(krti_recurrent_init(l, args));
    TRY(krti_rnn_make_cell(l, cell));

done:
    return st;
}

static krt_status lstm_init(krt_layer *l, void *args)
{
    return init_with(l, args, &krti_class_lstm_cell.base);
}

/* Keras 2 had both forms before its configs said which: the older one, and CuDNNGRU's. */
static krt_status gru_init(krt_layer *l, void *args)
{
    const char *const name = krti_conf_get_text(l->object, "class_name");

    if (l->config != NULL && l->generation < 3 && krti_conf_get(l->config, "reset_after") == NULL)
        ((krt_recurrent_args *)args)->reset_after = strcmp(name, "CuDNNGRU") == 0;
    return init_with(l, args, &krti_class_gru_cell.base);
}

static krt_status simple_rnn_init(krt_layer *l, void *args)
{
    return init_with(l, args, &krti_class_simple_rnn_cell.base);
}

static krt_status stacked_init(krt_layer *l, void *args)
{
    const krt_stacked_rnn_cells_args *a = args;
    krt_status st = KRT_OK;

    if (a->cells.n == 0)
        return krti_layer_fail(l, KRT_E_INVALID, "StackedRNNCells needs at least one cell");
    for (size_t i = 0; st == KRT_OK && i < a->cells.n; i++) {
        krt_layer *cell = NULL;

        TRY(krti_layer_from_arg(l, &cell, a->cells.items[i]));
        TRY(krti_layer_add_inner(l, "cells", true, cell));
    }
    if (a->cells.n > MAX_CELLS)
        TRY(krti_layer_unsupported(l, "%zu cells in a stack, at most %d can run", a->cells.n,
                                   MAX_CELLS));

done:
    return st;
}

static krt_status rnn_init(krt_layer *l, void *args)
{
    krt_layer *cell = NULL;
    krt_status st = KRT_OK;

    TRY(krti_layer_from_arg(l, &cell, ((const krt_rnn_args *)args)->cell));
    TRY(krti_layer_add_inner(l, "cell", false, cell));

done:
    return st;
}

static bool is_stack(const krt_layer *cell)
{
    return cell->cls != NULL && strcmp(cell->cls->name, "StackedRNNCells") == 0;
}

/* The i-th cell of a layer, in a stack or alone; NULL past the last. */
static krt_layer *cell_at(const krt_layer *l, size_t i)
{
    krt_layer *const cell = krti_layer_inner(l, "cell");

    if (is_stack(cell))
        return i < cell->num_inner ? cell->inner[i].layer : NULL;
    return i == 0 ? cell : NULL;
}

/* What is in the way of running: a cell of another class, or too many. */
static krt_status check_cells(const krt_layer *l)
{
    const krt_layer *cell = krti_layer_inner(l, "cell");

    if (cell->unsupported != NULL)
        return krti_layer_fail(l, KRT_E_UNSUPPORTED, "%s", cell->unsupported);
    for (size_t i = 0; (cell = cell_at(l, i)) != NULL; i++) {
        if (!krti_is_cell(cell))
            return krti_layer_fail(l, KRT_E_UNSUPPORTED,
                                   "the cell is a %s, which this build cannot run",
                                   cell->class_name);
        if (cell->unsupported != NULL)
            return krti_layer_fail(l, KRT_E_UNSUPPORTED, "%s", cell->unsupported);
    }
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- build */

static krt_status stacked_build(krt_layer *l, const void *args, const krt_shape *inputs, size_t n)
{
    krt_shape shape = n > 0 ? inputs[0] : (krt_shape){.rank = 0};
    krt_status st = KRT_OK;

    (void)args;
    if (shape.rank < 1)
        return krti_fail_inputs(l, 1, n);
    for (size_t i = 0; st == KRT_OK && i < l->num_inner; i++) {
        krt_layer *const cell = l->inner[i].layer;

        if (!krti_is_cell(cell))
            return krti_layer_fail(l, KRT_E_UNSUPPORTED,
                                   "the cell is a %s, which this build cannot run",
                                   cell->class_name);
        st = krti_layer_build(cell, &inputs[0], n > 0 ? 1 : 0);
        shape.dim[shape.rank - 1] = krti_cell_units(cell);
        inputs = &shape;
    }
    return st;
}

/* Of a sequence: a ConvLSTM has that of a window beside the channels. */
static int ndim_of(const krt_layer *l)
{
    return 3 + krti_args_rank(l->cls, "kernel_size");
}

krt_status krti_rnn_build(krt_layer *l, const void *args, const krt_shape *inputs, size_t n)
{
    krt_layer *const cell = krti_layer_inner(l, "cell");
    krt_status st = KRT_OK;

    (void)args;
    if (n < 1)
        return krti_fail_inputs(l, 1, n);
    TRY(krti_check_ndim(l, inputs[0], ndim_of(l)));
    TRY(check_cells(l));
    krt_shape step = {.rank = inputs[0].rank - 1, .dim = {inputs[0].dim[0]}};
    for (int i = 1; i < step.rank; i++)
        step.dim[i] = inputs[0].dim[i + 1];
    TRY(krti_layer_build(cell, &step, 1));

done:
    return st;
}

/* ------------------------------------------------------------------------------- call */

static void add_state(krti_states *s, krti_graph *g, krt_value *v)
{
    if (s->n < KRTI_COUNT(s->items))
        s->items[s->n] = krti_as_float32(g, v);
    s->n++;
}

/* The tensors in an argument of the call, which may be nested. */
static void add_states(krti_states *s, krt_call *c, const krti_conf *arg, int depth)
{
    if (!krti_conf_is(arg, KRTI_CONF_LIST)) {
        if (!krti_conf_is_null(arg))
            add_state(s, c->g, krti_call_arg(c, arg));
        return;
    }
    for (size_t i = 0; i < krti_conf_num(arg) && depth < KRTI_LAYER_MAX_DEPTH; i++)
        add_states(s, c, krti_conf_at(arg, i), depth + 1);
}

krt_status krti_rnn_find_states(const krt_layer *l, krt_call *c, size_t wanted, krti_states *s)
{
    const krti_conf *named = krti_conf_get(c->kwargs, "initial_state");

    s->is_list = wanted > 1 || krti_conf_is(named, KRTI_CONF_LIST) ||
                 krti_conf_is(krti_conf_at(c->args, 1), KRTI_CONF_LIST);
    if (!krti_conf_is_null(named))
        add_states(s, c, named, 0);
    else if (krti_conf_is(krti_conf_at(c->args, 1), KRTI_CONF_LIST))
        add_states(s, c, krti_conf_at(c->args, 1), 0);
    else
        for (size_t i = 1; i < c->num_in && s->n < wanted; i++)
            add_state(s, c->g, c->in[i]);
    if (s->n == 0 || (s->n == wanted && wanted <= KRTI_COUNT(s->items)))
        return c->g->status;
    return krti_layer_fail(l, KRT_E_INVALID,
                           "initial_state holds %zu tensors, the layer has %zu states", s->n,
                           wanted);
}

size_t krti_rnn_num_states(const krt_layer *l)
{
    size_t n = 0;

    for (size_t i = 0; krti_layer_inner(l, "cell") != NULL && cell_at(l, i) != NULL; i++)
        n += krti_is_cell(cell_at(l, i)) ? (size_t)krti_cell_num_states(cell_at(l, i)) : 0;
    return n;
}

krt_value *krti_rnn_find_mask(const krt_layer *l, krt_call *c, size_t wanted, bool has_states,
                              krt_value **passed)
{
    /* Keras 2's states stand where the mask would. */
    const bool has_position = wanted < 2 || krti_conf_is_null(krti_conf_at(c->args, 1)) ||
                              krti_conf_is(krti_conf_at(c->args, 1), KRTI_CONF_LIST);
    bool given = false;
    krt_value *const mask = krti_call_argument(c, "mask", has_position ? 2 : SIZE_MAX, &given);

    if (given)
        return *passed = mask;
    *passed = c->in_mask != NULL && c->num_in > 0 ? c->in_mask[0] : NULL;
    return has_states && l->generation >= 3 ? NULL : *passed;
}

static krt_value *backwards(krti_graph *g, krt_value *x)
{
    return x != NULL ? krti_slice_axis(g, x, 1, KRT_NONE, KRT_NONE, -1) : NULL;
}

/* All cells over all steps, with the states before in `s` and those after left there; the last output
 * or, if `all`, each step's. */
static krt_status run_cells(const krt_layer *l, krt_call *c, krti_over_time *t, krti_states *s)
{
    krt_call inner = *c;
    size_t at = 0;
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && cell_at(l, i) != NULL; i++) {
        krt_layer *const cell = cell_at(l, i);

        inner.layer = cell->args == l->args ? c->layer : cell;
        for (int j = 0; j < KRTI_RNN_STATES; j++)
            t->first[j] =
                s->n > 0 && j < krti_cell_num_states(cell) ? s->items[at + (size_t)j] : NULL;
        st = krti_cell_over_time(&inner, cell, t);
        for (int j = 0; j < krti_cell_num_states(cell); j++)
            s->items[at++] = t->last[j];
        t->x = t->y;
    }
    s->n = at;
    return st;
}

/* Keras 2 takes the states it is given only while those it was left with are zeros. */
static krt_value *left_or_given(krti_graph *g, const krti_states *left, size_t i, krt_value *given)
{
    krt_value *most = NULL;

    for (size_t j = 0; j < left->n; j++) {
        krt_value *const m = krti_reduce_max(g, krti_absolute(g, left->items[j]), NULL, 0, false);

        most = most != NULL ? krti_maximum(g, most, m) : m;
    }
    return krti_where(g, krti_greater(g, most, krti_scalar_like(g, most, 0)), left->items[i],
                      given);
}

/* The states a stateful layer goes on from, where it is given none. */
static krt_status go_on(const krt_layer *l, krt_call *c, krti_states *s)
{
    const bool is_given = s->n > 0;
    krti_states left = {0};

    for (size_t i = 0; cell_at(l, i) != NULL; i++) {
        const krt_shape shape = krti_cell_state(cell_at(l, i), c->in[0]->shape);

        for (int j = 0; j < krti_cell_num_states(cell_at(l, i)); j++, left.n++)
            left.items[left.n] = krti_call_state(c, left.n, shape);
    }
    if (!is_given)
        *s = left;
    for (size_t i = 0; is_given && l->generation < 3 && i < s->n; i++)
        s->items[i] = left_or_given(c->g, &left, i, s->items[i]);
    return c->g->status;
}

/* Keras's outputs of masked steps: zeros where it is told so, and before the first step that counts, where
 * the state given to begin with is no output yet. */
static krt_value *mask_outputs(krti_graph *g, const krti_over_time *t, bool zero, bool has_first)
{
    krt_value *counts = t->mask;

    if (t->mask == NULL || t->y == NULL || (!zero && !has_first))
        return t->y;
    if (!zero)
        counts = krti_greater(g, krti_cumsum(g, krti_cast(g, t->mask, KRT_INT32), 1, false, false),
                              krti_scalar_of(g, KRT_INT32, 0));
    for (int i = 2; i < t->y->shape.rank; i++)
        counts = krti_expand_dims(g, counts, 2);
    return krti_where(g, counts, t->y, krti_scalar_like(g, t->y, 0));
}

static krt_value *last_of(krti_graph *g, krt_value *y, krt_value *state)
{
    const int64_t steps = y != NULL ? y->shape.dim[1] : 0;

    if (y == NULL || steps == KRT_NONE || steps < 1)
        return state;
    return krti_squeeze(g, krti_slice_axis(g, y, 1, steps - 1, steps, 1), (const int[]){1}, 1);
}

krt_status krti_rnn_keep_shapes(krt_call *c, const krti_states *s)
{
    krt_shape shapes[2 + KRTI_COUNT(s->items)];
    size_t n = 0;

    if (s->n == 0 || c->layer->num_build_shapes != 1 || s->items[0] == NULL ||
        c->layer->outer != NULL)
        return KRT_OK;
    shapes[n++] = c->layer->build_shapes[0];
    if (s->is_list)
        shapes[n++] = (krt_shape){.rank = -1};
    for (size_t i = 0; i < s->n; i++)
        shapes[n++] = s->items[i]->shape;
    return krti_layer_keep_shapes(c->layer, shapes, n);
}

krt_status krti_rnn_call(const krt_layer *l, const void *args, krt_call *c)
{
    const flags f = flags_of(l);
    krti_graph *const g = c->g;
    krt_value *const x = krti_float_input(c, 0), *passed = NULL;
    krti_over_time t = {.x = x};
    krti_states s = {0};
    krt_status st = KRT_OK;

    (void)args;
    if (x == NULL)
        return g->status;
    TRY(krti_check_ndim(l, x->shape, ndim_of(l)));
    TRY(check_cells(l));
    TRY(krti_rnn_find_states(l, c, krti_rnn_num_states(l), &s));
    TRY(krti_rnn_keep_shapes(c, &s));
    t.mask = krti_rnn_find_mask(l, c, krti_rnn_num_states(l), s.n > 0, &passed);
    if (f.stateful)
        TRY(go_on(l, c, &s));
    const bool has_first = s.n > 0;
    if (f.go_backwards) {
        t.x = backwards(g, x);
        t.mask = backwards(g, t.mask);
    }
    TRY(run_cells(l, c, &t, &s));
    krt_value *const y = mask_outputs(g, &t, f.zero_output_for_mask, has_first);
    TRY(krt_call_output(c, 0, f.return_sequences ? y : last_of(g, y, t.last[0])));
    krti_call_set_mask(c, 0, f.return_sequences ? passed : NULL);
    for (size_t i = 0; f.stateful && i < s.n; i++)
        TRY(krti_call_keep_state(c, i, s.items[i]));
    for (size_t i = 0; f.return_state && i < s.n; i++)
        TRY(krt_call_output(c, 1 + i, s.items[i]));

done:
    return st;
}

/* ------------------------------------------------------------------------------- what is written */

krt_status krti_recurrent_config(krti_arena *a, krti_conf *dict, const krt_layer *l)
{
    (void)a;
    krti_conf_remove(dict, "implementation");
    if (strcmp(l->cls->name, "SimpleRNN") == 0)
        krti_conf_remove(dict, "seed");
    if (strcmp(l->cls->name, "RNN") == 0 &&
        krti_conf_is_null(krti_conf_get(dict, "activity_regularizer")))
        krti_conf_remove(dict, "activity_regularizer");
    return KRT_OK;
}

/* Its sequence, then one state or the list of them. */
krti_conf *krti_recurrent_build_config(krti_arena *a, const krt_layer *l)
{
    krti_conf *dict = krti_conf_dict(a), *shapes = krti_conf_dict(a), *states = krti_conf_list(a);
    krt_status st = KRT_OK;

    if (l->num_build_shapes < 2)
        return krti_build_conf(a, l->build_shapes, l->num_build_shapes, false);
    const bool is_list = l->build_shapes[1].rank < 0;
    for (size_t i = 2; is_list && i < l->num_build_shapes; i++)
        TRY(krti_conf_add(a, states, krti_shape_to_conf(a, l->build_shapes[i])));
    TRY(krti_conf_set(a, shapes, "sequences_shape", krti_shape_to_conf(a, l->build_shapes[0])));
    TRY(krti_conf_set(a, shapes, "initial_state_shape",
                      is_list ? states : krti_shape_to_conf(a, l->build_shapes[1])));
    TRY(krti_conf_set(a, dict, "shapes_dict", shapes));

done:
    return st == KRT_OK ? dict : NULL;
}

/* ------------------------------------------------------------------------------- classes */

#define F(KIND, MEMBER) KRT_FIELD(krt_recurrent_args, KIND, MEMBER)
#define SEQUENCE_FIELDS(T)                                                  \
    KRT_FIELD(T, BOOL, return_sequences), KRT_FIELD(T, BOOL, return_state), \
        KRT_FIELD(T, BOOL, go_backwards), KRT_FIELD(T, BOOL, stateful),     \
        KRT_FIELD(T, BOOL, unroll), KRT_FIELD(T, BOOL, zero_output_for_mask)
#define INITIALIZER_FIELDS \
    F(OBJECT, kernel_initializer), F(OBJECT, recurrent_initializer), F(OBJECT, bias_initializer)
#define WEIGHT_FIELDS                                                                             \
    F(OBJECT, kernel_regularizer), F(OBJECT, recurrent_regularizer), F(OBJECT, bias_regularizer), \
        F(OBJECT, activity_regularizer), F(OBJECT, kernel_constraint),                            \
        F(OBJECT, recurrent_constraint), F(OBJECT, bias_constraint), F(FLOAT, dropout),           \
        F(FLOAT, recurrent_dropout)
/* Whether cuDNN is used, of which no config says anything. */
#define USE_CUDNN                         \
    {                                     \
        "use_cudnn", KRT_FIELD_IGNORED, 0 \
    }

static const krt_field lstm_fields[] = {
    SEQUENCE_FIELDS(krt_recurrent_args),
    F(INT, units),
    F(ACTIVATION, activation),
    F(ACTIVATION, recurrent_activation),
    F(BOOL, use_bias),
    INITIALIZER_FIELDS,
    F(BOOL, unit_forget_bias),
    WEIGHT_FIELDS,
    F(INT, seed),
    F(INT, implementation),
    USE_CUDNN,
    KRT_BASE_FIELDS(krt_recurrent_args),
};
static const krt_field gru_fields[] = {
    SEQUENCE_FIELDS(krt_recurrent_args),
    F(INT, units),
    F(ACTIVATION, activation),
    F(ACTIVATION, recurrent_activation),
    F(BOOL, use_bias),
    INITIALIZER_FIELDS,
    WEIGHT_FIELDS,
    F(BOOL, reset_after),
    F(INT, seed),
    F(INT, implementation),
    USE_CUDNN,
    KRT_BASE_FIELDS(krt_recurrent_args),
};
static const krt_field simple_fields[] = {
    SEQUENCE_FIELDS(krt_recurrent_args),
    F(INT, units),
    F(ACTIVATION, activation),
    F(BOOL, use_bias),
    INITIALIZER_FIELDS,
    WEIGHT_FIELDS,
    F(INT, seed),
    KRT_BASE_FIELDS(krt_recurrent_args),
};
static const krt_field rnn_fields[] = {
    SEQUENCE_FIELDS(krt_rnn_args),
    KRT_FIELD(krt_rnn_args, LAYER, cell),
    KRT_FIELD(krt_rnn_args, OBJECT, activity_regularizer),
    KRT_BASE_FIELDS(krt_rnn_args),
};
static const krt_field stacked_fields[] = {
    KRT_FIELD(krt_stacked_rnn_cells_args, LAYERS, cells),
    KRT_BASE_FIELDS(krt_stacked_rnn_cells_args),
};

/* X(identifier, class, defaults, init, build, call, flags) */
#define RECURRENT(X)                                                                            \
    X(lstm, "LSTM", KRT_LSTM(KRT_NONE), lstm_init, krti_rnn_build, krti_rnn_call,               \
      KRTI_LAYER_DRAWS)                                                                         \
    X(gru, "GRU", KRT_GRU(KRT_NONE), gru_init, krti_rnn_build, krti_rnn_call, KRTI_LAYER_DRAWS) \
    X(simple, "SimpleRNN", KRT_SIMPLE_RNN(KRT_NONE), simple_rnn_init, krti_rnn_build,           \
      krti_rnn_call, KRTI_LAYER_DRAWS)                                                          \
    X(rnn, "RNN", KRT_RNN(NULL), rnn_init, krti_rnn_build, krti_rnn_call, 0)                    \
    X(stacked, "StackedRNNCells", KRT_STACKED_RNN_CELLS({0}), stacked_init, stacked_build,      \
      krti_rnn_cell_call, 0)

#define X(id, title, args, begin, make, run, more)       \
    static const krti_class class_##id = {               \
        .base = {.struct_size = sizeof(krt_layer_class), \
                 .name = title,                          \
                 .defaults = args,                       \
                 .fields = id##_fields,                  \
                 .num_fields = KRTI_COUNT(id##_fields),  \
                 .build = make,                          \
                 .call = run,                            \
                 .init = begin,                          \
                 .flags = (more) | KRTI_LAYER_HOOKS},    \
        .config = krti_recurrent_config,                 \
        .build_config = krti_recurrent_build_config,     \
    };
RECURRENT(X)
#undef X

const krt_layer_class *const krti_classes_rnn[] = {&krti_class_bidirectional.base,
                                                   &class_lstm.base,
                                                   &class_gru.base,
                                                   &class_simple.base,
                                                   &class_rnn.base,
                                                   &class_stacked.base,
                                                   &krti_class_conv_lstm1d.base,
                                                   &krti_class_conv_lstm2d.base,
                                                   &krti_class_conv_lstm3d.base,
                                                   &krti_class_lstm_cell.base,
                                                   &krti_class_gru_cell.base,
                                                   &krti_class_simple_rnn_cell.base,
                                                   NULL};
