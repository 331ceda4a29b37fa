/* LSTMCell, GRUCell and SimpleRNNCell: their weights, and what they describe over all steps at once.
 * Keras: layers/rnn/{lstm,gru,simple_rnn}.py and dropout_rnn_cell.py.
 *
 * The product of all inputs with the kernel comes first; then krti_rnn() goes over time. What that does
 * not know, an unusual activation or dropout of the state, is described step by step: the graph
 * grows with the steps, and the numbers are the same. */
#include "layers/rnn.h"

#include "layers/spatial.h"

typedef krt_recurrent_args cell_args;

enum { MAX_GATES = 4, MAX_UNITS = 1 << 28, MAX_STEPS = 1 << 14 };

/* ------------------------------------------------------------------------------- arguments */

/* Members that only some of the classes have; the others must leave them alone. */
krt_status krti_recurrent_init(krt_layer *l, void *args)
{
    const cell_args *a = args;
    const struct {
        const char *key;
        bool is_set;
    } own[] = {{"recurrent_activation", a->recurrent_activation != NULL},
               {"unit_forget_bias", a->unit_forget_bias},
               {"reset_after", a->reset_after},
               {"activity_regularizer", a->activity_regularizer != NULL},
               {"return_sequences", a->return_sequences},
               {"return_state", a->return_state},
               {"go_backwards", a->go_backwards},
               {"stateful", a->stateful},
               {"unroll", a->unroll},
               {"zero_output_for_mask", a->zero_output_for_mask}};

    for (size_t i = 0; i < KRTI_COUNT(own); i++)
        if (own[i].is_set && krti_args_member(l->cls, args, own[i].key) == NULL)
            return krti_layer_fail(l, KRT_E_INVALID, "%s has no argument %s", l->class_name,
                                   own[i].key);
    if (a->units <= 0)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "Received an invalid value for argument `units`, expected a "
                               "positive integer, got %lld",
                               (long long)(a->units == KRT_NONE ? 0 : a->units));
    if (a->units > MAX_UNITS)
        return krti_layer_fail(l, KRT_E_INVALID, "units is %lld, at most %d are possible",
                               (long long)a->units, MAX_UNITS);
    return KRT_OK;
}

static bool is_conv(const krt_layer *l)
{
    return l->cls == &krti_class_conv_lstm_cell.base;
}

bool krti_is_cell(const krt_layer *l)
{
    return l->cls == &krti_class_lstm_cell.base || l->cls == &krti_class_gru_cell.base ||
           l->cls == &krti_class_simple_rnn_cell.base || is_conv(l);
}

int krti_cell_num_states(const krt_layer *cell)
{
    return cell->cls == &krti_class_lstm_cell.base || is_conv(cell) ? 2 : 1;
}

int64_t krti_cell_units(const krt_layer *cell)
{
    return ((const cell_args *)cell->args)->units;
}

krt_shape krti_cell_state(const krt_layer *cell, krt_shape x)
{
    return is_conv(cell) ? krti_conv_cell_state(cell, x)
                         : KRT_SHAPE(x.dim[0], krti_cell_units(cell));
}

static krti_rnn_cell kind_of(const krt_layer *cell)
{
    if (cell->cls == &krti_class_lstm_cell.base)
        return KRTI_RNN_LSTM;
    if (cell->cls == &krti_class_simple_rnn_cell.base)
        return KRTI_RNN_SIMPLE;
    return ((const cell_args *)cell->args)->reset_after ? KRTI_RNN_GRU : KRTI_RNN_GRU_BEFORE;
}

/* ------------------------------------------------------------------------------- weights */

static krt_status cell_build(krt_layer *l, const void *args, const krt_shape *inputs, size_t n)
{
    const cell_args *a = args;
    const krti_rnn_cell kind = kind_of(l);
    const int64_t width = a->units * krti_rnn_gates(kind);
    krt_status st = KRT_OK;

    if (n < 1 || inputs[0].rank < 1)
        return krti_fail_inputs(l, 1, n);
    TRY(krt_layer_add_weight(l, "kernel", KRT_SHAPE(inputs[0].dim[inputs[0].rank - 1], width),
                             a->kernel_initializer, true));
    TRY(krt_layer_add_weight(l, "recurrent_kernel", KRT_SHAPE(a->units, width),
                             a->recurrent_initializer, true));
    if (!a->use_bias)
        goto done;
    TRY(krt_layer_add_weight(l, "bias",
                             kind == KRTI_RNN_GRU ? KRT_SHAPE(2, width) : KRT_SHAPE(width),
                             a->bias_initializer, true));
    if (kind == KRTI_RNN_LSTM && a->unit_forget_bias) {
        krt_variable *const bias = krti_layer_variable(l, "bias");

        bias->ones_from = bias->num_ones = a->units;
    }

done:
    return st;
}

/* ------------------------------------------------------------------------------- what a step is made of */

/* The parts of a cell's description. */
typedef struct cell {
    krt_call *c;
    krti_graph *g;
    const cell_args *a;
    krti_rnn_cell kind;
    int gates;
    krt_value *kernel, *recurrent, *bias; /* bias: of the inputs */
    krt_value *state_bias;                /* GRU: of the product by the state */
    krt_value *state_mask[MAX_GATES];     /* dropout of the state, one a gate; NULL: none */
    krt_value *gate_kernel[MAX_GATES], *gate_bias[MAX_GATES]; /* step by step: of the state */
} cell;

krt_value *krti_cell_weight(krt_call *c, const krt_layer *l, const char *name)
{
    const krt_variable *v = krti_layer_variable(l, name);

    return v != NULL ? krti_current(c->g, krti_variable(c->g, v->tensor)) : NULL;
}

krt_value *krti_cell_gate(krti_graph *g, krt_value *x, int i, int64_t units)
{
    return x != NULL ? krti_slice_axis(g, x, -1, i * units, (i + 1) * units, 1) : NULL;
}

static cell cell_of(krt_call *c, krt_layer *l)
{
    cell s = {.c = c,
              .g = c->g,
              .a = l->args,
              .kind = kind_of(l),
              .gates = krti_rnn_gates(kind_of(l)),
              .kernel = krti_cell_weight(c, l, "kernel"),
              .recurrent = krti_cell_weight(c, l, "recurrent_kernel"),
              .bias = krti_cell_weight(c, l, "bias")};

    if (s.bias != NULL && s.kind == KRTI_RNN_GRU) { /* for the inputs, for the state */
        s.state_bias = krti_reshape(s.g, krti_slice_axis(s.g, s.bias, 0, 1, 2, 1), KRT_SHAPE(-1));
        s.bias = krti_reshape(s.g, krti_slice_axis(s.g, s.bias, 0, 0, 1, 1), KRT_SHAPE(-1));
    }
    return s;
}

static bool drops(const cell *s, double rate)
{
    return s->c->training && rate > 0 && (rate < 1 || s->kind == KRTI_RNN_SIMPLE);
}

/* Keras makes a mask for each gate where it goes gate by gate. */
static bool has_masks_by_gate(const cell *s)
{
    return s->kind != KRTI_RNN_SIMPLE && (s->a->implementation == 1 || s->a->recurrent_dropout > 0);
}

/* The inputs times the kernel. The masks of dropout are the same for all steps. */
static krt_value *project(const cell *s, krt_value *x)
{
    const krt_shape mask = KRT_SHAPE(x->shape.dim[0], 1, x->shape.dim[2]);
    krt_value *parts[MAX_GATES];

    if (!drops(s, s->a->dropout))
        return krti_dense(s->g, x, s->kernel, s->bias);
    if (!has_masks_by_gate(s))
        return krti_dense(s->g, krti_dropout(s->g, x, krti_call_draw(s->c), s->a->dropout, mask),
                          s->kernel, s->bias);
    for (int i = 0; i < s->gates; i++)
        parts[i] =
            krti_dense(s->g, krti_dropout(s->g, x, krti_call_draw(s->c), s->a->dropout, mask),
                       krti_cell_gate(s->g, s->kernel, i, s->a->units),
                       krti_cell_gate(s->g, s->bias, i, s->a->units));
    return krti_concat(s->g, parts, (size_t)s->gates, -1);
}

static void draw_state_masks(cell *s, const krt_value *x)
{
    const krt_shape shape = KRT_SHAPE(x->shape.dim[0], s->a->units);
    krt_value *const ones = krti_broadcast_to(s->g, krti_scalar_like(s->g, x, 1), shape);

    for (int i = 0; drops(s, s->a->recurrent_dropout) && i < s->gates; i++)
        s->state_mask[i] =
            krti_dropout(s->g, ones, krti_call_draw(s->c), s->a->recurrent_dropout, shape);
}

/* ------------------------------------------------------------------------------- step by step */

/* h as the i-th gate sees it. */
static krt_value *seen(const cell *s, krt_value *h, int i)
{
    return s->state_mask[i] != NULL ? krti_multiply(s->g, h, s->state_mask[i]) : h;
}

/* Its product with a gate's part of the recurrent kernel. */
static krt_value *product(const cell *s, krt_value *h, int i)
{
    return krti_matmul(s->g, h, s->gate_kernel[i], false, false, s->gate_bias[i]);
}

/* What a gate adds up before its function. */
static krt_value *sum(const cell *s, krt_value *x, krt_value *h, int i)
{
    return krti_add(s->g, krti_cell_gate(s->g, x, i, s->a->units), product(s, seen(s, h, i), i));
}

static krt_value *gate(const cell *s, krt_value *x, krt_value *h, int i)
{
    return krti_activate(s->c, sum(s, x, h, i), s->a->recurrent_activation);
}

static void lstm_step(const cell *s, krt_value *x, krt_value *state[KRTI_RNN_STATES])
{
    krti_graph *const g = s->g;
    krt_value *const h = state[0];
    krt_value *const added =
        krti_multiply(g, gate(s, x, h, 0), krti_activate(s->c, sum(s, x, h, 2), s->a->activation));

    state[1] = krti_add(g, krti_multiply(g, gate(s, x, h, 1), state[1]), added);
    state[0] = krti_multiply(g, gate(s, x, h, 3), krti_activate(s->c, state[1], s->a->activation));
}

static void gru_step(const cell *s, krt_value *x, krt_value *state[KRTI_RNN_STATES])
{
    krti_graph *const g = s->g;
    krt_value *const h = state[0], *const z = gate(s, x, h, 0), *const r = gate(s, x, h, 1);
    krt_value *const last = s->kind == KRTI_RNN_GRU
                                ? krti_multiply(g, r, product(s, seen(s, h, 2), 2))
                                : product(s, krti_multiply(g, r, seen(s, h, 2)), 2);
    krt_value *const found = krti_activate(
        s->c, krti_add(g, krti_cell_gate(g, x, 2, s->a->units), last), s->a->activation);

    state[0] =
        krti_add(g, krti_multiply(g, z, h), krti_multiply(g, krti_affine(g, z, -1, 1, 0), found));
}

static void simple_step(const cell *s, krt_value *x, krt_value *state[KRTI_RNN_STATES])
{
    state[0] = krti_activate(s->c, sum(s, x, state[0], 0), s->a->activation);
}

krt_status krti_cell_check_steps(const krt_layer *l, const krt_value *x)
{
    if (x->shape.dim[1] <= MAX_STEPS)
        return KRT_OK;
    return krti_layer_fail(l, KRT_E_UNSUPPORTED,
                           "a sequence of %lld steps, at most %d can run in a cell that is "
                           "described step by step",
                           (long long)x->shape.dim[1], MAX_STEPS);
}

static krt_value *step_of(krti_graph *g, krt_value *x, int64_t i)
{
    return krti_squeeze(g, krti_slice_axis(g, x, 1, i, i + 1, 1), (const int[]){1}, 1);
}

/* One step; where the mask is false the states stay. */
static void step(const cell *s, krt_value *x, krt_value *mask, krt_value *state[KRTI_RNN_STATES])
{
    krt_value *const before[KRTI_RNN_STATES] = {state[0], state[1]};

    if (s->kind == KRTI_RNN_LSTM)
        lstm_step(s, x, state);
    else if (s->kind == KRTI_RNN_SIMPLE)
        simple_step(s, x, state);
    else
        gru_step(s, x, state);
    for (int i = 0; mask != NULL && i < KRTI_RNN_STATES && state[i] != NULL; i++)
        state[i] = krti_where(s->g, mask, state[i], before[i]);
}

static krt_status step_by_step(cell *s, krti_over_time *t, krt_value *x)
{
    krti_graph *const g = s->g;
    const int64_t steps = x->shape.dim[1];
    krt_value **y = krti_array(g->k, (size_t)steps + 1, sizeof *y);
    const krt_shape shape = KRT_SHAPE(x->shape.dim[0], s->a->units);
    krt_value *state[KRTI_RNN_STATES] = {NULL};

    if (y == NULL)
        return KRT_E_NOMEM;
    for (int i = 0; i < s->gates; i++) {
        s->gate_kernel[i] = krti_cell_gate(g, s->recurrent, i, s->a->units);
        s->gate_bias[i] = krti_cell_gate(g, s->state_bias, i, s->a->units);
    }
    for (int i = 0; i < (s->kind == KRTI_RNN_LSTM ? 2 : 1); i++)
        state[i] = t->first[i] != NULL ? t->first[i]
                                       : krti_broadcast_to(g, krti_scalar_like(g, x, 0), shape);
    for (int64_t i = 0; i < steps && g->status == KRT_OK; i++) {
        krt_value *const mask =
            t->mask != NULL ? krti_slice_axis(g, t->mask, 1, i, i + 1, 1) : NULL;

        step(s, step_of(g, x, i), mask, state);
        y[i] = state[0];
    }
    t->y = g->status == KRT_OK ? krti_stack(g, y, (size_t)steps, 1) : NULL;
    t->last[0] = state[0];
    t->last[1] = state[1];
    krti_free(g->k, (void *)y);
    return g->status;
}

/* ------------------------------------------------------------------------------- all steps at once */

static const struct {
    const char *name;
    krti_rnn_fn f;
} functions[] = {
    {"linear", KRTI_RNN_LINEAR},
    {"relu", KRTI_RNN_RELU},
    {"sigmoid", KRTI_RNN_SIGMOID},
    {"tanh", KRTI_RNN_TANH},
    {"hard_sigmoid", KRTI_RNN_HARD_SIGMOID},
    {"hard_sigmoid_v2", KRTI_RNN_HARD_SIGMOID_V2},
};

static bool find_function(const char *name, krti_rnn_fn *out)
{
    *out = KRTI_RNN_LINEAR;
    if (name == NULL)
        return true;
    for (size_t i = 0; i < KRTI_COUNT(functions); i++)
        if (strcmp(functions[i].name, name) == 0) {
            *out = functions[i].f;
            return true;
        }
    return false;
}

static krt_status all_at_once(const cell *s, krti_over_time *t, krt_value *x, krti_rnn_kind kind)
{
    krt_value *const in[KRTI_RNN_IN] = {[KRTI_RNN_X] = x,
                                        [KRTI_RNN_KERNEL] = s->recurrent,
                                        [KRTI_RNN_BIAS] = s->state_bias,
                                        [KRTI_RNN_H] = t->first[0],
                                        [KRTI_RNN_C] = t->first[1],
                                        [KRTI_RNN_MASK] = t->mask};
    krt_value *carry = NULL;

    t->y = krti_rnn(s->g, in, kind, &carry);
    if (t->y == NULL)
        return s->g->status;
    const int64_t steps = t->y->shape.dim[1];
    for (int i = 0; i < KRTI_RNN_STATES; i++) {
        krt_value *const all = i == 0 ? t->y : carry;

        t->last[i] = all == NULL         ? NULL
                     : steps == KRT_NONE ? step_of(s->g, krti_slice_axis(s->g, all, 1, 0, 1, 1), 0)
                                         : step_of(s->g, all, steps - 1);
    }
    return s->g->status;
}

krt_status krti_cell_over_time(krt_call *c, krt_layer *l, krti_over_time *t)
{
    if (is_conv(l))
        return krti_conv_cell_over_time(c, l, t);
    cell s = cell_of(c, l);
    krti_rnn_kind kind = {.cell = s.kind};
    const bool has_activation = find_function(s.a->activation, &kind.activation);
    const bool has_functions =
        find_function(s.a->recurrent_activation, &kind.recurrent) && has_activation;

    if (t->x == NULL)
        return c->g->status;
    krt_value *const x = project(&s, t->x);
    if (x == NULL)
        return c->g->status;
    draw_state_masks(&s, x);
    if (s.state_mask[0] == NULL && (has_functions || x->shape.dim[1] == KRT_NONE))
        return all_at_once(&s, t, x, kind);
    const krt_status st = krti_cell_check_steps(l, x);
    return st == KRT_OK ? step_by_step(&s, t, x) : st;
}

/* ------------------------------------------------------------------------------- classes */

krt_status krti_rnn_cell_call(const krt_layer *l, const void *args, krt_call *c)
{
    (void)args;
    (void)c;
    return krti_layer_fail(l, KRT_E_UNSUPPORTED,
                           "%s \"%s\" is called by itself, which this build cannot run; it runs in "
                           "an RNN",
                           l->class_name, l->name);
}

#define F(KIND, MEMBER) KRT_FIELD(cell_args, KIND, MEMBER)
#define WEIGHT_FIELDS                                                                              \
    F(OBJECT, kernel_regularizer), F(OBJECT, recurrent_regularizer), F(OBJECT, bias_regularizer),  \
        F(OBJECT, kernel_constraint), F(OBJECT, recurrent_constraint), F(OBJECT, bias_constraint), \
        F(FLOAT, dropout), F(FLOAT, recurrent_dropout)
#define INITIALIZER_FIELDS \
    F(OBJECT, kernel_initializer), F(OBJECT, recurrent_initializer), F(OBJECT, bias_initializer)

static const krt_field lstm_fields[] = {F(INT, units),
                                        F(ACTIVATION, activation),
                                        F(ACTIVATION, recurrent_activation),
                                        F(BOOL, use_bias),
                                        F(BOOL, unit_forget_bias),
                                        INITIALIZER_FIELDS,
                                        WEIGHT_FIELDS,
                                        F(INT, seed),
                                        F(INT, implementation),
                                        KRT_BASE_FIELDS(cell_args)};
static const krt_field gru_fields[] = {F(INT, units),
                                       F(ACTIVATION, activation),
                                       F(ACTIVATION, recurrent_activation),
                                       F(BOOL, use_bias),
                                       INITIALIZER_FIELDS,
                                       WEIGHT_FIELDS,
                                       F(BOOL, reset_after),
                                       F(INT, seed),
                                       F(INT, implementation),
                                       KRT_BASE_FIELDS(cell_args)};
static const krt_field simple_fields[] = {
    F(INT, units), F(ACTIVATION, activation), F(BOOL, use_bias), INITIALIZER_FIELDS, WEIGHT_FIELDS,
    F(INT, seed),  KRT_BASE_FIELDS(cell_args)};

/* X(identifier, class, defaults, its fields) */
#define CELLS(X)                                                   \
    X(lstm_cell, "LSTMCell", KRT_LSTM_CELL(KRT_NONE), lstm_fields) \
    X(gru_cell, "GRUCell", KRT_GRU_CELL(KRT_NONE), gru_fields)     \
    X(simple_rnn_cell, "SimpleRNNCell", KRT_SIMPLE_RNN_CELL(KRT_NONE), simple_fields)

#define X(id, title, args, list)                                \
    const krti_class krti_class_##id = {                        \
        .base = {.struct_size = sizeof(krt_layer_class),        \
                 .name = title,                                 \
                 .defaults = args,                              \
                 .fields = list,                                \
                 .num_fields = KRTI_COUNT(list),                \
                 .build = cell_build,                           \
                 .call = krti_rnn_cell_call,                    \
                 .init = krti_recurrent_init,                   \
                 .flags = KRTI_LAYER_DRAWS | KRTI_LAYER_HOOKS}, \
        .config = krti_recurrent_config,                        \
    };
CELLS(X)
#undef X
