/* Tests of src/layers/activations.c and activation_layers.c. Numbers against Keras are in
 * tests/parity; here is what fixtures cannot say. */
#include "tracing.h"

TEST(every_activation_of_keras_is_known)
{
    static const char *const names[] = {
        "celu",         "elu",         "exponential", "gelu",           "glu",        "hard_shrink",
        "hard_sigmoid", "hard_silu",   "hard_swish",  "hard_tanh",      "leaky_relu", "linear",
        "log_sigmoid",  "log_softmax", "mish",        "relu",           "relu6",      "selu",
        "sigmoid",      "silu",        "soft_shrink", "softmax",        "softplus",   "softsign",
        "sparse_plus",  "sparsemax",   "squareplus",  "sparse_sigmoid", "swish",      "tanh",
        "tanh_shrink"};

    for (size_t i = 0; i < KRTI_COUNT(names); i++)
        if (!krti_activation_known(names[i]))
            fail_msg("%s is not known", names[i]);
    ASSERT_TRUE(krti_activation_known(NULL));
    ASSERT_TRUE(!krti_activation_known("Relu"));
    ASSERT_TRUE(!krti_activation_known(""));
    ASSERT_TRUE(!krti_activation_known("@activation"));
}

TEST(every_listed_activation_is_found_and_traces)
{
    size_t n = 0;

    for (; krti_activation_at(n) != NULL; n++) {
        const char *name = krti_activation_at(n);
        const bool halves = strcmp(name, "glu") == 0;

        ASSERT_TRUE(krti_activation_known(name));
        expect_shape(layer_from(t->k, KRT_ACTIVATION(name)), SHAPE(NONE, NONE, 4),
                     halves ? "(None, None, 2)" : "(None, None, 4)");
    }
    ASSERT_TRUE(n >= 31);
}

TEST(glu_and_sparsemax_need_a_last_axis_they_can_use)
{
    expect_failure(layer_from(t->k, KRT_ACTIVATION("glu")), SHAPE(NONE, 3),
                   "the activation glu halves the last axis, which must be even");
    expect_failure(layer_from(t->k, KRT_ACTIVATION("sparsemax")), SHAPE(3, NONE),
                   "the activation sparsemax needs a known last axis");
}

TEST(activation_layers_keep_the_shape)
{
    const krt_spec *const specs[] = {KRT_RELU(),
                                     KRT_LEAKY_RELU(),
                                     KRT_ELU(),
                                     KRT_SOFTMAX(),
                                     KRT_PRELU(.shared_axes = {1, {1}}),
                                     KRT_THRESHOLDED_RELU()};

    for (size_t i = 0; i < KRTI_COUNT(specs); i++)
        expect_shape(layer_from(t->k, specs[i]), SHAPE(NONE, NONE, 4), "(None, None, 4)");
    expect_shape(layer_from(t->k, KRT_SOFTMAX(.axis = {2, {1, 2}})), SHAPE(NONE, NONE, 4),
                 "(None, None, 4)");
}

TEST(thresholded_relu_is_zero_up_to_theta)
{
    const float x[4] = {-1, 0.5f, 1, 1.5f};
    float y[4];

    run_layer(layer_from(t->k, KRT_THRESHOLDED_RELU()), SHAPE(1, 4), x, y, 4);
    ASSERT_NEAR(((const float[4]){0, 0, 0, 1.5f}), y, 4, 0, 0);
    run_layer(layer_from(t->k, KRT_THRESHOLDED_RELU(.theta = 0.25)), SHAPE(1, 4), x, y, 4);
    ASSERT_NEAR(((const float[4]){0, 0.5f, 1, 1.5f}), y, 4, 0, 0);
}

TEST(prelu_has_a_slope_for_each_element_that_does_not_share)
{
    krt_layer *l = layer_from(t->k, KRT_PRELU(.shared_axes = {2, {1, 2}}));
    char text[160];

    expect_shape(l, SHAPE(NONE, 5, 6, 3), "(None, 5, 6, 3)");
    ASSERT_STR_EQ("(1, 1, 3)",
                  krt_shape_print(krt_variable_shape(krt_layer_weight(l, 0)), text, sizeof text));
    expect_failure(layer_from(t->k, KRT_PRELU(.shared_axes = {1, {4}})), SHAPE(NONE, 5, 6, 3),
                   "shared_axes of PReLU counts from 1 to 3, found 4");
    expect_failure(layer_from(t->k, KRT_PRELU()), SHAPE(NONE, NONE, 3),
                   "weight alpha would have the unknown shape (None, 3)");
}

TEST(softmax_leaves_masked_places_out)
{
    const krt_shape in = SHAPE(2, 3), wide = SHAPE(2, 3, 4), wrong = SHAPE(2, 2);
    traced traced_layer;

    trace(&traced_layer, layer_from(t->k, KRT_SOFTMAX()), 1, &in, &in);
    ASSERT_OK(traced_layer.status);
    ASSERT_STR_EQ("(2, 3)", traced_layer.text);
    assert_ptr_equal(traced_layer.c.out_mask[0], traced_layer.mask[0]);
    untrace(&traced_layer);
    trace(&traced_layer, layer_from(t->k, KRT_SOFTMAX()), 1, &in, &wide);
    ASSERT_STATUS(KRT_E_INVALID, traced_layer.status);
    ASSERT_SAYS("The `mask` must be broadcastable to `inputs`. Received: inputs.shape=(2, 3), "
                "mask.shape=(2, 3, 4)");
    untrace(&traced_layer);
    trace(&traced_layer, layer_from(t->k, KRT_SOFTMAX()), 1, &in, &wrong);
    ASSERT_STATUS(KRT_E_INVALID, traced_layer.status);
    untrace(&traced_layer);
}

TEST(arguments_keras_refuses_are_refused)
{
    static const struct {
        const char *object, *says;
    } rows[] = {
        {"{'class_name': 'ReLU', 'config': {'max_value': -1}}",
         "max_value of a ReLU layer cannot be a negative value. Received: max_value=-1"},
        {"{'class_name': 'ReLU', 'config': {'negative_slope': null}}",
         "negative_slope of a ReLU layer cannot be a negative value"},
        {"{'class_name': 'LeakyReLU', 'config': {'negative_slope': null}}",
         "The negative_slope value of a LeakyReLU layer cannot be None, expecting a float"},
        {"{'class_name': 'ELU', 'config': {'alpha': null}}",
         "The alpha value of a ELU layer cannot be None, expecting a float"},
        {"{'class_name': 'Softmax', 'config': {'axis': null}}", "axis of Softmax cannot be None"},
        {"{'class_name': 'Softmax', 'config': {'axis': 99}}", "axis 99 of Softmax is out of range"},
    };
    krti_arena a = KRTI_ARENA_INIT(t->k);

    for (size_t i = 0; i < KRTI_COUNT(rows); i++) {
        krt_layer *l = NULL;

        ASSERT_STATUS(KRT_E_INVALID,
                      krti_layer_from_conf(t->k, &l, conf_of(&a, rows[i].object), 0));
        ASSERT_SAYS(rows[i].says);
    }
    krti_arena_free(&a);
}

int main(void)
{
    return RUN(UNIT(every_activation_of_keras_is_known),
               UNIT(every_listed_activation_is_found_and_traces),
               UNIT(glu_and_sparsemax_need_a_last_axis_they_can_use),
               UNIT(activation_layers_keep_the_shape), UNIT(thresholded_relu_is_zero_up_to_theta),
               UNIT(prelu_has_a_slope_for_each_element_that_does_not_share),
               UNIT(softmax_leaves_masked_places_out), UNIT(arguments_keras_refuses_are_refused));
}
