/* Tests of src/layers/rnn.c, rnn_cell.c and bidirectional.c: shapes, weights, masks, configs and refusals.
 * Numbers are compared with Keras's in tests/parity. */
#include "tracing.h"

static void expect_outputs(krt_layer *l, krt_shape in, size_t n, const char *const *out)
{
    traced tr;
    char text[160];

    trace(&tr, l, 1, &in, NULL);
    testing_status(l->owned.k, KRT_OK, tr.status, l->class_name, __FILE__, __LINE__);
    assert_int_equal(tr.c.num_out, n);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(krt_shape_print(tr.c.out[i]->shape, text, sizeof text), out[i]);
    untrace(&tr);
}

TEST(a_layer_gives_the_last_output_or_all_and_its_states)
{
    expect_shape(layer_from(t->k, KRT_LSTM(4)), SHAPE(NONE, NONE, 3), "(None, 4)");
    expect_shape(layer_from(t->k, KRT_GRU(4, .return_sequences = true)), SHAPE(NONE, 5, 3),
                 "(None, 5, 4)");
    expect_outputs(layer_from(t->k, KRT_LSTM(4, .return_state = true, .return_sequences = true)),
                   SHAPE(NONE, NONE, 3), 3,
                   (const char *[]){"(None, None, 4)", "(None, 4)", "(None, 4)"});
    expect_outputs(layer_from(t->k, KRT_SIMPLE_RNN(4, .return_state = true)), SHAPE(2, 5, 3), 2,
                   (const char *[]){"(2, 4)", "(2, 4)"});
    expect_outputs(
        layer_from(t->k,
                   KRT_RNN(KRT_STACKED_RNN_CELLS(KRT_SPECS(KRT_LSTM_CELL(4), KRT_GRU_CELL(2))),
                           .return_state = true)),
        SHAPE(NONE, 5, 3), 4, (const char *[]){"(None, 2)", "(None, 4)", "(None, 4)", "(None, 2)"});
    expect_outputs(
        layer_from(t->k, KRT_BIDIRECTIONAL(KRT_GRU(4, .return_state = true), .merge_mode = NULL)),
        SHAPE(NONE, NONE, 3), 4,
        (const char *[]){"(None, 4)", "(None, 4)", "(None, 4)", "(None, 4)"});
    expect_shape(layer_from(t->k, KRT_BIDIRECTIONAL(KRT_LSTM(4))), SHAPE(NONE, NONE, 3),
                 "(None, 8)");
}

TEST(weights_lie_in_the_cell_under_keras_s_paths)
{
    krt_layer *l = layer_from(t->k, KRT_BIDIRECTIONAL(KRT_LSTM(4))), *other = NULL;

    expect_shape(l, SHAPE(NONE, 5, 3), "(None, 8)");
    ASSERT_INT_EQ(6, krt_layer_num_weights(l));
    ASSERT_STR_EQ("bidirectional/forward_lstm/lstm_cell/kernel",
                  krt_variable_path(krt_layer_weight(l, 0)));
    ASSERT_STR_EQ("bidirectional/backward_lstm/lstm_cell/bias",
                  krt_variable_path(krt_layer_weight(l, 5)));
    ASSERT_STR_EQ("cell", l->inner[0].layer->inner[0].attribute);
    other = layer_from(t->k, KRT_LSTM(4)); /* the two inside count for one, as in Keras */
    ASSERT_STR_EQ("lstm_1", krt_layer_name(other));
}

TEST(the_forget_gate_starts_open)
{
    krt_layer *const l = layer_from(t->k, KRT_LSTM(2)), *const closed = layer_from(
                                                            t->k,
                                                            KRT_LSTM(2, .unit_forget_bias = false));
    static const float open_bias[8] = {0, 0, 1, 1, 0, 0, 0, 0}, zeros[8] = {0};

    expect_shape(l, SHAPE(NONE, 5, 3), "(None, 2)");
    expect_shape(closed, SHAPE(NONE, 5, 3), "(None, 2)");
    ASSERT_OK(krti_layer_initialize(l));
    ASSERT_OK(krti_layer_initialize(closed));
    ASSERT_NEAR(open_bias, krt_variable_data(krt_layer_weight(l, 2)), 8, 0, 0);
    ASSERT_NEAR(zeros, krt_variable_data(krt_layer_weight(closed, 2)), 8, 0, 0);
}

/* A mask travels on with a sequence, and does not reach a layer that is given states. */
TEST(masks_go_on_with_sequences)
{
    const krt_shape in[] = {SHAPE(2, 5, 3), SHAPE(2, 4)};
    const krt_shape masks[] = {SHAPE(2, 5), {.rank = 0}};
    traced tr;

    trace(&tr, layer_from(t->k, KRT_GRU(4, .return_sequences = true)), 1, in, masks);
    ASSERT_OK(tr.status);
    assert_ptr_equal(tr.c.out_mask[0], tr.mask[0]);
    untrace(&tr);
    trace(&tr, layer_from(t->k, KRT_GRU(4)), 1, in, masks);
    ASSERT_OK(tr.status);
    assert_null(tr.c.out_mask[0]);
    untrace(&tr);
    trace(&tr, layer_from(t->k, KRT_GRU(4, .return_sequences = true)), 2, in, masks);
    ASSERT_OK(tr.status);
    assert_ptr_equal(tr.c.out_mask[0], tr.mask[0]);
    ASSERT_TRUE(tr.c.out[0]->node->in[KRTI_RNN_MASK] == NULL);
    untrace(&tr);
}

TEST(what_a_class_does_not_have_is_refused)
{
    krt_layer *l = NULL;

    ASSERT_STATUS(KRT_E_INVALID, krti_layer_from_spec(t->k, &l, KRT_LSTM(0)));
    ASSERT_SAYS(
        "Received an invalid value for argument `units`, expected a positive integer, got 0");
    ASSERT_STATUS(KRT_E_INVALID, krti_layer_from_spec(t->k, &l, KRT_GRU(INT64_MAX)));
    ASSERT_SAYS("units is 9223372036854775807, at most 268435456 are possible");
    ASSERT_STATUS(KRT_E_INVALID, krti_layer_from_spec(t->k, &l, KRT_LSTM(2, .reset_after = true)));
    ASSERT_SAYS("LSTM has no argument reset_after");
    ASSERT_STATUS(KRT_E_INVALID,
                  krti_layer_from_spec(t->k, &l, KRT_GRU_CELL(2, .return_state = true)));
    ASSERT_SAYS("GRUCell has no argument return_state");
    ASSERT_STATUS(KRT_E_INVALID, krti_layer_from_spec(t->k, &l, KRT_RNN(NULL)));
    ASSERT_SAYS("RNN needs a layer to wrap");
    ASSERT_STATUS(KRT_E_INVALID, krti_layer_from_spec(t->k, &l, KRT_STACKED_RNN_CELLS({0})));
    ASSERT_SAYS("StackedRNNCells needs at least one cell");
}

TEST(bidirectional_checks_its_two_layers)
{
    krt_layer *l = NULL;

    ASSERT_STATUS(KRT_E_INVALID, krti_layer_from_spec(
                                     t->k, &l, KRT_BIDIRECTIONAL(KRT_GRU(2), .merge_mode = "max")));
    ASSERT_SAYS("Invalid merge mode. Received: max. Merge mode should be one of {\"sum\", \"mul\", "
                "\"ave\", \"concat\", None}");
    ASSERT_STATUS(KRT_E_INVALID,
                  krti_layer_from_spec(
                      t->k, &l, KRT_BIDIRECTIONAL(KRT_GRU(2), .backward_layer = KRT_GRU(2))));
    ASSERT_SAYS("Forward layer and backward layer should have different `go_backwards` value. "
                "Received: forward_layer.go_backwards False, backward_layer.go_backwards=False");
    ASSERT_STATUS(
        KRT_E_INVALID,
        krti_layer_from_spec(
            t->k, &l,
            KRT_BIDIRECTIONAL(KRT_GRU(2), .backward_layer = KRT_GRU(2, .go_backwards = true,
                                                                    .return_sequences = true))));
    ASSERT_SAYS(
        "Forward layer and backward layer are expected to have the same value for attribute "
        "\"return_sequences\", got \"False\" for forward layer and \"True\" for backward "
        "layer");
    ASSERT_STATUS(KRT_E_INVALID, krti_layer_from_spec(t->k, &l, KRT_BIDIRECTIONAL(NULL)));
    ASSERT_SAYS("Bidirectional needs a layer to wrap");
    expect_failure(layer_from(t->k, KRT_BIDIRECTIONAL(KRT_DENSE(2))), SHAPE(NONE, 3, 5),
                   "around a Dense cannot run in this build");
}

/* Each holds its layer twice: a file must not make 2^64 of it. */
TEST(bidirectionals_in_one_another_come_to_an_end)
{
    krti_arena a = KRTI_ARENA_INIT(t->k);
    krti_str s = KRTI_STR_INIT(t->k);
    krt_layer *l = NULL;

    for (int i = 0; i < 30; i++)
        krti_str_add(&s,
                     "{'class_name': 'Bidirectional', 'config': {'layer': {'class_name': 'RNN', "
                     "'config': {'cell': ");
    krti_str_add(&s, "null");
    for (int i = 0; i < 30; i++)
        krti_str_add(&s, "}}}}");
    ASSERT_STATUS(KRT_E_FORMAT, krti_layer_from_conf(t->k, &l, conf_of(&a, s.ptr), 0));
    ASSERT_SAYS("layers are nested more than 64 deep");
    krti_str_free(&s);
    krti_arena_free(&a);
}

TEST(what_cannot_run_says_why)
{
    krti_arena a = KRTI_ARENA_INIT(t->k);
    const krt_shape in[] = {SHAPE(2, 5, 3), SHAPE(2, 4)};
    traced tr;

    expect_failure(layer_from(t->k, KRT_LSTM(4, .stateful = true)), SHAPE(NONE, 5, 3),
                   "When using `stateful=True` in a RNN, the batch size must be static: give the "
                   "model's input a batch_size. Its state would have the shape (None, 4)");
    expect_failure(layer_from(t->k, KRT_LSTM(4, .activation = "softsign")), SHAPE(2, 20000, 3),
                   "a sequence of 20000 steps, at most 16384 can run in a cell that is described "
                   "step by step");
    expect_failure(layer_from(t->k, KRT_LSTM(4)), SHAPE(2, 3), "expected ndim=3, found ndim=2");
    expect_failure(layer_from(t->k, KRT_LSTM_CELL(4, .name = "c")), SHAPE(2, 3),
                   "LSTMCell \"c\" is called by itself, which this build cannot run; it runs in an "
                   "RNN");
    expect_failure(layer_from(t->k, KRT_RNN(KRT_DENSE(4))), SHAPE(2, 5, 3),
                   "the cell is a Dense, which this build cannot run");
    expect_failure(layer_of(&a, "{'class_name': 'RNN', 'config': {'cell': {'module': 'm', "
                                "'class_name': 'Mine', 'config': {'name': 'mine'}}}}"),
                   SHAPE(NONE, 3, 5), "the cell is a Mine, which this build cannot run");
    const krt_spec *const one = KRT_GRU_CELL(1), *many[40];
    for (size_t i = 0; i < KRTI_COUNT(many); i++)
        many[i] = one;
    expect_failure(layer_from(t->k, KRT_RNN(KRT_STACKED_RNN_CELLS({KRTI_COUNT(many), many}))),
                   SHAPE(2, 5, 3), "40 cells in a stack, at most 31 can run");
    trace(&tr, layer_from(t->k, KRT_LSTM(4)), 2, in, NULL);
    ASSERT_STATUS(KRT_E_INVALID, tr.status);
    ASSERT_SAYS("initial_state holds 1 tensors, the layer has 2 states");
    untrace(&tr);
    krti_arena_free(&a);
}

TEST(configs_come_back_as_keras_writes_them)
{
    krti_arena a = KRTI_ARENA_INIT(t->k);
    const krti_conf *c = krti_layer_to_conf(
        &a, layer_from(t->k, KRT_GRU(2, .name = "g", .implementation = 1, .dropout = 0.5)));
    static const char *const keys[] = {"name",
                                       "trainable",
                                       "dtype",
                                       "return_sequences",
                                       "return_state",
                                       "go_backwards",
                                       "stateful",
                                       "unroll",
                                       "zero_output_for_mask",
                                       "units",
                                       "activation",
                                       "recurrent_activation",
                                       "use_bias",
                                       "kernel_initializer",
                                       "recurrent_initializer",
                                       "bias_initializer",
                                       "kernel_regularizer",
                                       "recurrent_regularizer",
                                       "bias_regularizer",
                                       "activity_regularizer",
                                       "kernel_constraint",
                                       "recurrent_constraint",
                                       "bias_constraint",
                                       "dropout",
                                       "recurrent_dropout",
                                       "reset_after",
                                       "seed"};

    ASSERT_INT_EQ(KRTI_COUNT(keys), krti_conf_num(c));
    for (size_t i = 0; i < KRTI_COUNT(keys); i++)
        ASSERT_STR_EQ(keys[i], krti_conf_key_at(c, i));
    c = krti_layer_to_conf(&a, layer_from(t->k, KRT_BIDIRECTIONAL(KRT_LSTM(2, .name = "l"))));
    ASSERT_STR_EQ("forward_l",
                  krti_conf_get_text(krti_conf_get(krti_conf_get(c, "layer"), "config"), "name"));
    c = krti_conf_get(krti_conf_get(c, "backward_layer"), "config");
    ASSERT_STR_EQ("backward_l", krti_conf_get_text(c, "name"));
    ASSERT_TRUE(krti_conf_get_bool(c, "go_backwards", false));
    krti_arena_free(&a);
}

int main(void)
{
    return RUN(UNIT(a_layer_gives_the_last_output_or_all_and_its_states),
               UNIT(weights_lie_in_the_cell_under_keras_s_paths), UNIT(the_forget_gate_starts_open),
               UNIT(masks_go_on_with_sequences), UNIT(what_a_class_does_not_have_is_refused),
               UNIT(bidirectional_checks_its_two_layers),
               UNIT(bidirectionals_in_one_another_come_to_an_end), UNIT(what_cannot_run_says_why),
               UNIT(configs_come_back_as_keras_writes_them));
}
