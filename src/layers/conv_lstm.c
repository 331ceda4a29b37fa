/* ConvLSTM1D, ConvLSTM2D and ConvLSTM3D: an LSTM whose products are convolutions. Keras:
 * layers/rnn/{conv_lstm,conv_lstm1d,conv_lstm2d,conv_lstm3d}.py.
 *
 * The convolution of all inputs comes first, as one large batch of steps; then each step is described by
 * itself: the convolution of its state, to which the input's is added as a residual, and the gates. The
 * layer around the cell is that of an LSTM (rnn.c). Everything here is channels last; a channels-first
 * layer transposes at its borders. */
#include "layers/rnn.h"

#include "layers/describe.h"
#include "layers/spatial.h"

typedef krt_conv_lstm_args cell_args;

enum { GATES = 4 }; /* i, f, c, o */

static krt_status init(krt_layer *l, void *args)
{
    cell_args *const a = args;
    const int rank = krti_args_rank(l->cls, "kernel_size");
    krt_status st = KRT_OK;

    if (a->filters <= 0 || a->filters > INT32_MAX / GATES)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "Invalid value for argument `filters`. Expected a strictly positive "
                               "value up to %d. Received filters=%lld",
                               INT32_MAX / GATES,
                               (long long)(a->filters == KRT_NONE ? 0 : a->filters));
    TRY(krti_spatial_tuple(l, "kernel_size", a->kernel_size, rank, false));
    TRY(krti_spatial_tuple(l, "strides", a->strides, rank, false));
    TRY(krti_spatial_tuple(l, "dilation_rate", a->dilation_rate, rank, false));
    TRY(krti_spatial_padding(l, &a->padding, false));
    TRY(krti_spatial_data_format(l, &a->data_format));
    for (int i = 0; i < rank * rank; i++)
        if (a->strides[i / rank] > 1 && a->dilation_rate[i % rank] > 1)
            return krti_layer_fail(l, KRT_E_INVALID,
                                   "Specifying `strides > 1` is not compatible with "
                                   "`dilation_rate > 1`. Please provide `strides=1` or "
                                   "`dilation_rate=1`");
    TRY(krti_rnn_make_cell(l, &krti_class_conv_lstm_cell.base));

done:
    return st;
}

/* ------------------------------------------------------------------------------- weights */

/* Where the spatial axes begin in a step, (batch, spatial..., channels) or channels first. */
static int first_axis(const cell_args *a)
{
    return krti_is_channels_first(a->data_format) ? 2 : 1;
}

/* How many places an output looks at, where nothing is padded. */
static int64_t reach(const cell_args *a, int i)
{
    return strcmp(a->padding, "same") == 0 ? 1 : (a->kernel_size[i] - 1) * a->dilation_rate[i] + 1;
}

/* (size..., in, out) */
static krt_shape kernel_shape(const cell_args *a, int rank, int64_t in)
{
    krt_shape s = {.rank = rank + 2};

    memcpy(s.dim, a->kernel_size, (size_t)rank * sizeof *s.dim);
    s.dim[rank] = in;
    s.dim[rank + 1] = a->filters * GATES;
    return s;
}

static krt_status build(krt_layer *l, const void *args, const krt_shape *inputs, size_t n)
{
    const cell_args *a = args;
    const int rank = n > 0 ? inputs[0].rank - 2 : 0, first = first_axis(a);
    char text[160];
    krt_status st = KRT_OK;

    if (rank < 1 || rank > 3)
        return krti_fail_inputs(l, 1, n);
    const int64_t channels = inputs[0].dim[first == 1 ? rank + 1 : 1];
    for (int i = 0; i < rank; i++) {
        if (inputs[0].dim[first + i] == KRT_NONE)
            return krti_layer_fail(
                l, KRT_E_INVALID,
                "ConvLSTM layers only support static input shapes for the "
                "spatial dimension. Received invalid input shape: input_shape=%s",
                krt_shape_print(inputs[0], text, sizeof text));
        if (inputs[0].dim[first + i] < reach(a, i))
            return krti_layer_fail(l, KRT_E_INVALID,
                                   "Computed output size would be zero or negative. Received "
                                   "`inputs shape=%s`, a window of %lld along axis %d and "
                                   "`padding=valid`",
                                   krt_shape_print(inputs[0], text, sizeof text),
                                   (long long)reach(a, i), first + i);
    }
    if (channels == KRT_NONE)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "The channel dimension of the inputs (last axis) should be defined. "
                               "Found None. Full input shape received: input_shape=%s",
                               krt_shape_print(inputs[0], text, sizeof text));
    TRY(krt_layer_add_weight(l, "kernel", kernel_shape(a, rank, channels), a->kernel_initializer,
                             true));
    TRY(krt_layer_add_weight(l, "recurrent_kernel", kernel_shape(a, rank, a->filters),
                             a->recurrent_initializer, true));
    if (!a->use_bias)
        goto done;
    TRY(krt_layer_add_weight(l, "bias", KRT_SHAPE(a->filters * GATES), a->bias_initializer, true));
    if (a->unit_forget_bias) {
        krt_variable *const bias = krti_layer_variable(l, "bias");

        bias->ones_from = bias->num_ones = a->filters;
    }

done:
    return st;
}

krt_shape krti_conv_cell_state(const krt_layer *l, krt_shape x)
{
    const cell_args *a = l->args;
    const int rank = x.rank - 3, first = first_axis(a);
    krt_shape s = {.rank = rank + 2, .dim = {x.dim[0]}};

    s.dim[first == 1 ? rank + 1 : 1] = a->filters;
    for (int i = 0; i < rank; i++)
        s.dim[first + i] = (x.dim[first + 1 + i] - reach(a, i)) / a->strides[i] + 1;
    return s;
}

/* ------------------------------------------------------------------------------- a step */

/* The parts of a cell's description. */
typedef struct cell {
    krt_call *c;
    krti_graph *g;
    const cell_args *a;
    int rank;
    krt_value *kernel, *recurrent, *bias;
    krt_value *state_mask[GATES]; /* dropout of the state; NULL: none */
} cell;

static krt_value *gate_of(const cell *s, krt_value *x, int i)
{
    return krti_cell_gate(s->g, x, i, s->a->filters);
}

static krt_value *convolve_input(const cell *s, krt_value *x, krt_value *kernel, krt_value *bias)
{
    krti_window w;

    x = krti_to_channels_last(s->g, krti_fold_time(s->g, x), s->a->data_format);
    if (x == NULL || krti_window_make(s->g, &w, x, s->rank, s->a->kernel_size, s->a->strides,
                                      s->a->dilation_rate, s->a->padding) != KRT_OK)
        return NULL;
    return krti_conv(s->g, x, kernel, bias, &w);
}

static krt_value *convolve_state(const cell *s, krt_value *h, krt_value *kernel)
{
    static const int64_t ones[] = {1, 1, 1};
    krti_window w;

    if (h == NULL ||
        krti_window_make(s->g, &w, h, s->rank, s->a->kernel_size, ones, ones, "same") != KRT_OK)
        return NULL;
    return krti_conv(s->g, h, kernel, NULL, &w);
}

static bool drops(const cell *s, double rate)
{
    return s->c->training && rate > 0 && rate < 1;
}

/* All steps' inputs as the four gates see them, (batch, steps, spatial..., 4 filters). The masks of dropout
 * are the same for all steps. */
static krt_value *project(const cell *s, krt_value *x)
{
    krt_shape mask = x->shape;
    krt_value *parts[GATES], *y = NULL;

    mask.dim[1] = 1;
    if (!drops(s, s->a->dropout)) {
        y = convolve_input(s, x, s->kernel, s->bias);
    } else {
        for (int i = 0; i < GATES; i++)
            parts[i] =
                convolve_input(s, krti_dropout(s->g, x, krti_call_draw(s->c), s->a->dropout, mask),
                               gate_of(s, s->kernel, i), gate_of(s, s->bias, i));
        y = krti_concat(s->g, parts, GATES, -1);
    }
    return krti_unfold_time(s->g, y, x->shape.dim[0], x->shape.dim[1]);
}

static void draw_state_masks(cell *s, const krt_value *x, krt_shape shape)
{
    krt_value *const ones = krti_broadcast_to(s->g, krti_scalar_like(s->g, x, 1), shape);

    for (int i = 0; drops(s, s->a->recurrent_dropout) && i < GATES; i++)
        s->state_mask[i] = krti_to_channels_last(
            s->g, krti_dropout(s->g, ones, krti_call_draw(s->c), s->a->recurrent_dropout, shape),
            s->a->data_format);
}

/* What the gates add up before their functions; a state of zeros, NULL, adds nothing. */
static krt_value *sums(const cell *s, krt_value *x, krt_value *h)
{
    krt_value *parts[GATES];

    if (h == NULL)
        return x;
    if (s->state_mask[0] == NULL)
        return krti_add(s->g, convolve_state(s, h, s->recurrent), x);
    for (int i = 0; i < GATES; i++)
        parts[i] = convolve_state(s, krti_multiply(s->g, h, s->state_mask[i]),
                                  gate_of(s, s->recurrent, i));
    return krti_add(s->g, krti_concat(s->g, parts, GATES, -1), x);
}

static krt_value *gate(const cell *s, krt_value *sum, int i)
{
    return krti_activate(s->c, gate_of(s, sum, i), s->a->recurrent_activation);
}

/* One step; where the mask is false the states stay. */
static void step(const cell *s, krt_value *x, krt_value *mask, krt_value *state[KRTI_RNN_STATES])
{
    krti_graph *const g = s->g;
    krt_value *const sum = sums(s, x, state[0]);
    krt_value *c = krti_multiply(g, gate(s, sum, 0),
                                 krti_activate(s->c, gate_of(s, sum, 2), s->a->activation));

    if (state[1] != NULL)
        c = krti_add(g, krti_multiply(g, gate(s, sum, 1), state[1]), c);
    krt_value *const after[KRTI_RNN_STATES] = {
        krti_multiply(g, gate(s, sum, 3), krti_activate(s->c, c, s->a->activation)), c};
    for (int i = 0; mask != NULL && i < s->rank; i++)
        mask = krti_expand_dims(g, mask, -1);
    for (int i = 0; i < KRTI_RNN_STATES; i++) {
        krt_value *const before = state[i] != NULL ? state[i] : krti_scalar_like(g, x, 0);

        state[i] = mask != NULL ? krti_where(g, mask, after[i], before) : after[i];
    }
}

/* ------------------------------------------------------------------------------- over time */

static krt_value *step_of(krti_graph *g, krt_value *x, int64_t i)
{
    return krti_squeeze(g, krti_slice_axis(g, x, 1, i, i + 1, 1), (const int[]){1}, 1);
}

static krt_value *over_steps(const cell *s, krt_value *x, krt_value *mask,
                             krt_value *state[KRTI_RNN_STATES])
{
    krti_graph *const g = s->g;
    const int64_t steps = x->shape.dim[1];
    krt_value **y = krti_array(g->k, (size_t)steps + 1, sizeof *y), *all = NULL;

    if (y == NULL) {
        g->status = KRT_E_NOMEM;
        return NULL;
    }
    for (int64_t i = 0; i < steps && g->status == KRT_OK; i++) {
        step(s, step_of(g, x, i), mask != NULL ? krti_slice_axis(g, mask, 1, i, i + 1, 1) : NULL,
             state);
        y[i] = state[0];
    }
    all = g->status == KRT_OK ? krti_stack(g, y, (size_t)steps, 1) : NULL;
    krti_free(g->k, (void *)y);
    return all;
}

/* Of an unknown number of steps: shapes alone, which is all that such a graph answers for. */
static krt_value *unknown_steps(const cell *s, krt_value *x, krt_value *state[KRTI_RNN_STATES])
{
    krt_value *const one = step_of(s->g, x, 0);

    step(s, one, NULL, state);
    return gate_of(s, x, 0);
}

krt_status krti_conv_cell_over_time(krt_call *c, krt_layer *l, krti_over_time *t)
{
    krti_graph *const g = c->g;
    cell s = {.c = c,
              .g = g,
              .a = l->args,
              .rank = t->x != NULL ? t->x->shape.rank - 3 : 0,
              .kernel = krti_cell_weight(c, l, "kernel"),
              .recurrent = krti_cell_weight(c, l, "recurrent_kernel"),
              .bias = krti_cell_weight(c, l, "bias")};
    const char *const format = s.a->data_format;
    krt_value *state[KRTI_RNN_STATES];
    krt_status st = KRT_OK;

    if (t->x == NULL)
        return g->status;
    krt_value *const x = project(&s, t->x);
    if (x == NULL)
        return g->status;
    TRY(krti_cell_check_steps(l, x));
    draw_state_masks(&s, x, krti_conv_cell_state(l, t->x->shape));
    for (int i = 0; i < KRTI_RNN_STATES; i++)
        state[i] = krti_to_channels_last(g, t->first[i], format);
    krt_value *y = x->shape.dim[1] == KRT_NONE ? unknown_steps(&s, x, state)
                                               : over_steps(&s, x, t->mask, state);
    for (int i = 0; i < KRTI_RNN_STATES; i++)
        t->last[i] = krti_from_channels_last(g, state[i], format);
    if (krti_is_channels_first(format) && y != NULL)
        y = krti_unfold_time(g, krti_from_channels_last(g, krti_fold_time(g, y), format),
                             y->shape.dim[0], y->shape.dim[1]);
    t->y = y;
    st = g->status;

done:
    return st;
}

/* ------------------------------------------------------------------------------- classes */

#define F(KIND, MEMBER) KRT_FIELD(cell_args, KIND, MEMBER)
#define WEIGHT_FIELDS                                                                              \
    F(OBJECT, kernel_regularizer), F(OBJECT, recurrent_regularizer), F(OBJECT, bias_regularizer),  \
        F(OBJECT, kernel_constraint), F(OBJECT, recurrent_constraint), F(OBJECT, bias_constraint), \
        F(FLOAT, dropout), F(FLOAT, recurrent_dropout), F(INT, seed)

static const krt_field cell_fields[] = {WEIGHT_FIELDS, KRT_BASE_FIELDS(cell_args)};

/* Keras has a name for it only inside the layers, where it takes its arguments from them. */
const krti_class krti_class_conv_lstm_cell = {
    .base = {.struct_size = sizeof(krt_layer_class),
             .name = "ConvLSTMCell",
             .defaults = KRT_CONV_LSTM2D(KRT_NONE),
             .fields = cell_fields,
             .num_fields = KRTI_COUNT(cell_fields),
             .build = build,
             .call = krti_rnn_cell_call,
             .flags = KRTI_LAYER_DRAWS | KRTI_LAYER_HOOKS},
};

/* Fields stand in the order of get_config(), which is the order of the keys in files. */
#define FIELDS(N)                                                                                 \
    F(BOOL, return_sequences), F(BOOL, return_state), F(BOOL, go_backwards), F(BOOL, stateful),   \
        F(BOOL, unroll), F(BOOL, zero_output_for_mask), F(INT, filters), F(INT##N, kernel_size),  \
        F(INT##N, strides), F(STRING, padding), F(STRING, data_format), F(INT##N, dilation_rate), \
        F(ACTIVATION, activation), F(ACTIVATION, recurrent_activation), F(BOOL, use_bias),        \
        F(OBJECT, kernel_initializer), F(OBJECT, recurrent_initializer),                          \
        F(OBJECT, bias_initializer), F(BOOL, unit_forget_bias), F(OBJECT, kernel_regularizer),    \
        F(OBJECT, recurrent_regularizer), F(OBJECT, bias_regularizer),                            \
        F(OBJECT, activity_regularizer), F(OBJECT, kernel_constraint),                            \
        F(OBJECT, recurrent_constraint), F(OBJECT, bias_constraint), F(FLOAT, dropout),           \
        F(FLOAT, recurrent_dropout), F(INT, seed), KRT_BASE_FIELDS(cell_args)

#define DEFINE(N)                                               \
    static const krt_field fields_##N[] = {FIELDS(N)};          \
    const krti_class krti_class_conv_lstm##N##d = {             \
        .base = {.struct_size = sizeof(krt_layer_class),        \
                 .name = "ConvLSTM" #N "D",                     \
                 .defaults = KRT_CONV_LSTM##N##D(KRT_NONE),     \
                 .fields = fields_##N,                          \
                 .num_fields = KRTI_COUNT(fields_##N),          \
                 .build = krti_rnn_build,                       \
                 .call = krti_rnn_call,                         \
                 .init = init,                                  \
                 .flags = KRTI_LAYER_DRAWS | KRTI_LAYER_HOOKS}, \
        .config = krti_recurrent_config,                        \
        .build_config = krti_recurrent_build_config,            \
    };
DEFINE(1)
DEFINE(2)
DEFINE(3)
