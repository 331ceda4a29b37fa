/* Tests of src/layers/convolutional.c: symbolic shapes, variables and refusals. Numbers against
 * Keras are in tests/parity. */
#include "tracing.h"

static void expect_variable(const krt_layer *l, size_t i, const char *name, const char *shape)
{
    char text[160];

    assert_true(i < l->num_variables);
    assert_string_equal(l->variables[i]->name, name);
    assert_string_equal(krt_shape_print(l->variables[i]->tensor->shape, text, sizeof text), shape);
}

TEST(conv_shapes_follow_keras)
{
    expect_shape(layer_from(t->k, KRT_CONV2D(8, {3, 3})), SHAPE(NONE, 28, 28, 3),
                 "(None, 26, 26, 8)");
    expect_shape(layer_from(t->k, KRT_CONV2D(8, {3})), SHAPE(NONE, NONE, 28, 3),
                 "(None, None, 26, 8)");
    expect_shape(layer_from(t->k, KRT_CONV2D(8, {3, 2}, .strides = {2}, .padding = "SAME")),
                 SHAPE(NONE, 27, 28, 3), "(None, 14, 14, 8)");
    expect_shape(layer_from(t->k, KRT_CONV2D(8, {3, 3}, .dilation_rate = {2, 1})),
                 SHAPE(2, 9, 9, 3), "(2, 5, 7, 8)");
    expect_shape(layer_from(t->k, KRT_CONV1D(4, {5}, .padding = "causal")), SHAPE(NONE, NONE, 2),
                 "(None, None, 4)");
    expect_shape(layer_from(t->k, KRT_CONV3D(4, {2, 2, 2}, .strides = {2, 2, 2})),
                 SHAPE(NONE, 8, 6, 4, 2), "(None, 4, 3, 2, 4)");
}

TEST(channels_first_moves_the_channels_only)
{
    krt_layer *l =
        layer_from(t->k, KRT_CONV2D(8, {3, 3}, .data_format = "channels_first", .groups = 2));

    expect_shape(l, SHAPE(NONE, 6, NONE, 10), "(None, 8, None, 8)");
    expect_variable(l, 0, "kernel", "(3, 3, 3, 8)");
    expect_variable(l, 1, "bias", "(8,)");
    expect_shape(layer_from(t->k, KRT_CONV1D_TRANSPOSE(4, {3}, .data_format = "channels_first",
                                                       .strides = {2})),
                 SHAPE(1, 5, 7), "(1, 4, 15)");
}

TEST(conv_variables_have_keras_order_and_shapes)
{
    krt_layer *conv = layer_from(t->k, KRT_CONV2D(6, {3, 2}, .groups = 2));
    krt_layer *bare = layer_from(t->k, KRT_CONV2D(6, {3, 2}, .use_bias = false));
    krt_layer *transpose = layer_from(t->k, KRT_CONV2D_TRANSPOSE(6, {3, 2}));
    krt_layer *depthwise = layer_from(t->k, KRT_DEPTHWISE_CONV2D({3, 2}, .depth_multiplier = 2));
    krt_layer *separable = layer_from(t->k, KRT_SEPARABLE_CONV2D(6, {3, 2}, .depth_multiplier = 2));

    expect_shape(conv, SHAPE(1, 8, 8, 4), "(1, 6, 7, 6)");
    ASSERT_INT_EQ(2, conv->num_variables);
    expect_variable(conv, 0, "kernel", "(3, 2, 2, 6)");
    expect_shape(bare, SHAPE(1, 8, 8, 4), "(1, 6, 7, 6)");
    ASSERT_INT_EQ(1, bare->num_variables);
    expect_shape(transpose, SHAPE(1, 8, 8, 4), "(1, 10, 9, 6)");
    expect_variable(transpose, 0, "kernel", "(3, 2, 6, 4)");
    expect_variable(transpose, 1, "bias", "(6,)");
    expect_shape(depthwise, SHAPE(1, 8, 8, 4), "(1, 6, 7, 8)");
    expect_variable(depthwise, 0, "kernel", "(3, 2, 4, 2)");
    expect_variable(depthwise, 1, "bias", "(8,)");
    expect_shape(separable, SHAPE(1, 8, 8, 4), "(1, 6, 7, 6)");
    ASSERT_INT_EQ(3, separable->num_variables);
    expect_variable(separable, 0, "depthwise_kernel", "(3, 2, 4, 2)");
    expect_variable(separable, 1, "pointwise_kernel", "(1, 1, 8, 6)");
    expect_variable(separable, 2, "bias", "(6,)");
    ASSERT_STR_EQ("conv2d/kernel", krt_variable_path(conv->variables[0]));
    ASSERT_STR_EQ("GlorotUniform", conv->variables[0]->initializer->class_name);
    ASSERT_STR_EQ("Zeros", conv->variables[1]->initializer->class_name);
}

TEST(transposed_shapes_follow_output_padding)
{
    expect_shape(
        layer_from(t->k, KRT_CONV2D_TRANSPOSE(4, {3, 3}, .strides = {2, 2}, .padding = "same")),
        SHAPE(NONE, NONE, 7, 2), "(None, None, 14, 4)");
    expect_shape(
        layer_from(t->k, KRT_CONV2D_TRANSPOSE(4, {3, 3}, .strides = {2, 2}, .padding = "same",
                                              .output_padding = {0, 1})),
        SHAPE(NONE, 7, 7, 2), "(None, 13, 14, 4)");
    expect_shape(layer_from(t->k, KRT_CONV3D_TRANSPOSE(4, {2, 2, 2}, .strides = {2, 2, 2})),
                 SHAPE(NONE, 2, 3, 4, 2), "(None, 4, 6, 8, 4)");
}

TEST(wrong_arguments_are_refused_in_keras_words)
{
    expect_refused(t, KRT_CONV2D(0, {3, 3}),
                   "Invalid value for argument `filters`. Expected a strictly positive value. "
                   "Received filters=0");
    expect_refused(t, KRT_CONV2D(4, {3, 3}, .groups = 0),
                   "The number of groups must be a positive integer. Received: groups=0");
    expect_refused(t, KRT_CONV2D(4, {3, 3}, .groups = 3),
                   "The number of filters must be evenly divisible by the number of groups. "
                   "Received: groups=3, filters=4");
    expect_refused(t, KRT_CONV2D(4, {3, -1}),
                   "The `kernel_size` argument must be a tuple of 2 integers. Received "
                   "kernel_size=(3, -1), including values {-1} that do not satisfy `value > 0`");
    expect_refused(t, KRT_CONV2D(4, {3, 3}, .padding = "causal"),
                   "The `padding` argument must be a list/tuple or one of {'valid', 'same'}. "
                   "Received: causal");
    expect_refused(t, KRT_CONV2D(4, {3, 3}, .data_format = "NHWC"),
                   "The `data_format` argument must be one of {'channels_first', "
                   "'channels_last'}. Received: data_format=nhwc");
    expect_refused(t, KRT_CONV2D(4, {3, 3}, .strides = {2, 2}, .dilation_rate = {2, 2}),
                   "`strides > 1` not supported in conjunction with `dilation_rate > 1`");
    expect_refused(t, KRT_CONV2D_TRANSPOSE(4, {3, 3}, .strides = {2, 2}, .output_padding = {2, 0}),
                   "`output_padding` must be strictly less than `strides` for all dimensions. At "
                   "dimension 0, `output_padding` is 2 but `strides` is 2");
    expect_refused(t, KRT_DEPTHWISE_CONV2D({3, 3}, .depth_multiplier = -1),
                   "Invalid value for argument `depth_multiplier`");
    expect_refused(t, KRT_ID("Conv2D"), "Conv2D needs the argument `filters`");
}

TEST(inputs_that_do_not_fit_are_refused_in_keras_words)
{
    krt_layer *built = layer_from(t->k, KRT_CONV2D(4, {3, 3}, .name = "c"));

    expect_failure(
        layer_from(t->k, KRT_CONV2D(4, {3, 3}, .name = "a")), SHAPE(NONE, 28, 28),
        "Input 0 of layer 'a' is incompatible with the layer: expected min_ndim=4, found "
        "ndim=3. Full shape received: (None, 28, 28)");
    expect_failure(layer_from(t->k, KRT_CONV2D(4, {3, 3})), SHAPE(NONE, 9, 9, NONE),
                   "The channel dimension of the inputs should be defined. The input_shape "
                   "received is (None, 9, 9, None), where axis -1 is the channel dimension");
    expect_failure(layer_from(t->k, KRT_CONV2D(4, {3, 3}, .groups = 2)), SHAPE(NONE, 9, 9, 3),
                   "The number of input channels must be evenly divisible by the number of groups. "
                   "Received groups=2, but the input has 3 channels (full input shape is (None, 9, "
                   "9, 3))");
    expect_failure(layer_from(t->k, KRT_CONV2D(4, {3, 3})), SHAPE(NONE, 9, 2, 3),
                   "Computed output size would be zero or negative. Received `inputs shape=(None, "
                   "9, 2, 3)`");
    expect_shape(built, SHAPE(NONE, 9, 9, 3), "(None, 7, 7, 4)");
    expect_failure(built, SHAPE(NONE, 9, 9, 4),
                   "Input 0 of layer 'c' is incompatible with the layer: expected axis -1 of input "
                   "shape to have value 3, but received input with shape (None, 9, 9, 4)");
}

TEST(a_file_may_not_leave_sizes_at_zero)
{
    krti_arena a = KRTI_ARENA_INIT(t->k);
    krt_layer *l = NULL;

    ASSERT_STATUS(KRT_E_INVALID,
                  krti_layer_from_conf(t->k, &l,
                                       conf_of(&a, "{'class_name': 'Conv2D', 'config': {'name': "
                                                   "'c', 'filters': 2, 'kernel_size': [3, 0]}}"),
                                       0));
    ASSERT_SAYS("kernel_size=(3, 0), including values {0}");
    ASSERT_STATUS(
        KRT_E_INVALID,
        krti_layer_from_conf(t->k, &l,
                             conf_of(&a, "{'class_name': 'Conv1D', 'config': {'name': 'c', "
                                         "'filters': 2, 'kernel_size': [9223372036854775807]}}"),
                             0));
    krti_arena_free(&a);
}

TEST(softmax_of_channels_first_sees_the_last_axis)
{
    /* A kernel of ones makes both channels equal: softmax over the last axis, of 2 places, then
     * depends on the places alone. */
    const float x[2] = {1, 2};
    float y[4];
    krt_layer *l = layer_from(t->k, KRT_CONV1D(2, {1}, .data_format = "channels_first",
                                               .activation = "softmax", .use_bias = false,
                                               .kernel_initializer = KRT_ID("ones")));

    run_layer(l, SHAPE(1, 1, 2), x, y, 4);
    ASSERT_NEAR(((const float[4]){0.26894143F, 0.7310586F, 0.26894143F, 0.7310586F}), y, 4, 1e-6,
                0);
}

int main(void)
{
    return RUN(UNIT(conv_shapes_follow_keras), UNIT(channels_first_moves_the_channels_only),
               UNIT(conv_variables_have_keras_order_and_shapes),
               UNIT(transposed_shapes_follow_output_padding),
               UNIT(wrong_arguments_are_refused_in_keras_words),
               UNIT(inputs_that_do_not_fit_are_refused_in_keras_words),
               UNIT(a_file_may_not_leave_sizes_at_zero),
               UNIT(softmax_of_channels_first_sees_the_last_axis));
}
