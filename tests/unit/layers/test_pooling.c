/* Tests of src/layers/pooling.c: symbolic shapes, masks and refusals. Numbers against Keras are in
 * tests/parity. */
#include "tracing.h"

TEST(windows_move_by_their_own_size)
{
    expect_shape(layer_from(t->k, KRT_MAX_POOLING2D()), SHAPE(NONE, 7, 8, 3), "(None, 3, 4, 3)");
    expect_shape(layer_from(t->k, KRT_MAX_POOLING2D({3, 3})), SHAPE(NONE, 9, NONE, 3),
                 "(None, 3, None, 3)");
    expect_shape(layer_from(t->k, KRT_AVERAGE_POOLING2D({3}, .strides = {1})), SHAPE(NONE, 9, 8, 3),
                 "(None, 7, 6, 3)");
    expect_shape(layer_from(t->k, KRT_AVERAGE_POOLING1D({2}, .padding = "same")), SHAPE(NONE, 7, 3),
                 "(None, 4, 3)");
    expect_shape(layer_from(t->k, KRT_MAX_POOLING3D({2, 1, 2})), SHAPE(NONE, 4, 5, 6, 1),
                 "(None, 2, 5, 3, 1)");
    expect_shape(layer_from(t->k, KRT_MAX_POOLING2D({2, 2}, .data_format = "channels_first")),
                 SHAPE(NONE, 3, 8, 6), "(None, 3, 4, 3)");
}

TEST(global_pooling_leaves_the_channels)
{
    expect_shape(layer_from(t->k, KRT_GLOBAL_AVERAGE_POOLING2D()), SHAPE(NONE, NONE, 8, 3),
                 "(None, 3)");
    expect_shape(layer_from(t->k, KRT_GLOBAL_MAX_POOLING2D(.keepdims = true)), SHAPE(NONE, 8, 8, 3),
                 "(None, 1, 1, 3)");
    expect_shape(layer_from(t->k, KRT_GLOBAL_AVERAGE_POOLING3D(.data_format = "channels_first",
                                                               .keepdims = true)),
                 SHAPE(NONE, 3, 4, 5, 6), "(None, 3, 1, 1, 1)");
    expect_shape(layer_from(t->k, KRT_GLOBAL_MAX_POOLING1D(.data_format = "channels_first")),
                 SHAPE(NONE, 3, 9), "(None, 3)");
}

TEST(adaptive_pooling_gives_the_size_asked_for)
{
    expect_shape(layer_from(t->k, KRT_ADAPTIVE_AVERAGE_POOLING2D({4, 2})), SHAPE(NONE, 9, NONE, 3),
                 "(None, 4, 2, 3)");
    expect_shape(layer_from(t->k, KRT_ADAPTIVE_MAX_POOLING1D({4}, .data_format = "channels_first")),
                 SHAPE(NONE, 3, 9), "(None, 3, 4)");
    expect_refused(t, KRT_ADAPTIVE_MAX_POOLING2D({0}), "The `output_size` argument must be");
}

TEST(the_average_over_time_counts_what_the_mask_keeps)
{
    const krt_shape x = SHAPE(NONE, 5, 3), mask = SHAPE(NONE, 5);
    krt_layer *l = layer_from(t->k, KRT_GLOBAL_AVERAGE_POOLING1D());
    traced traced_layer;

    trace(&traced_layer, l, 1, &x, &mask);
    ASSERT_OK(traced_layer.status);
    ASSERT_STR_EQ("(None, 3)", traced_layer.text);
    assert_ptr_equal(traced_layer.c.out[0]->node->op, &krti_op_divide);
    assert_null(traced_layer.c.out_mask[0]);
    untrace(&traced_layer);
}

TEST(wrong_arguments_and_inputs_are_refused_in_keras_words)
{
    expect_refused(t, KRT_MAX_POOLING2D({0, 2}), "The `pool_size` argument must be a tuple of 2");
    expect_refused(t, KRT_MAX_POOLING2D({2, 2}, .padding = "full"),
                   "The `padding` argument must be a list/tuple or one of {'valid', 'same'}");
    expect_failure(layer_from(t->k, KRT_MAX_POOLING2D(.name = "p")), SHAPE(NONE, 8, 3),
                   "Input 0 of layer 'p' is incompatible with the layer: expected ndim=4, found "
                   "ndim=3. Full shape received: (None, 8, 3)");
    expect_failure(layer_from(t->k, KRT_GLOBAL_MAX_POOLING1D()), SHAPE(NONE, 8, 8, 3),
                   "expected ndim=3, found ndim=4");
    expect_failure(layer_from(t->k, KRT_MAX_POOLING2D({4, 4})), SHAPE(NONE, 8, 3, 3),
                   "Computed output size would be zero or negative");
}

int main(void)
{
    return RUN(UNIT(windows_move_by_their_own_size), UNIT(global_pooling_leaves_the_channels),
               UNIT(adaptive_pooling_gives_the_size_asked_for),
               UNIT(the_average_over_time_counts_what_the_mask_keeps),
               UNIT(wrong_arguments_and_inputs_are_refused_in_keras_words));
}
