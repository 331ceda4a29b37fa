/* Tests of src/layers/normalization.c: variables, masks, axes and refusals. Numbers against Keras
 * are in tests/parity. */
#include "tracing.h"

static void expect_variables(const krt_layer *l, const char *names)
{
    krti_str s = KRTI_STR_INIT(l->owned.k);
    char text[160];

    for (size_t i = 0; i < l->num_variables; i++)
        krti_str_addf(&s, "%s%s%s", i > 0 ? " " : "", l->variables[i]->name,
                      krt_shape_print(l->variables[i]->tensor->shape, text, sizeof text));
    assert_string_equal(krti_str_text(&s), names);
    krti_str_free(&s);
}

TEST(batch_normalization_has_keras_variables)
{
    krt_layer *plain = layer_from(t->k, KRT_BATCH_NORMALIZATION());
    krt_layer *bare = layer_from(t->k, KRT_BATCH_NORMALIZATION(.scale = false, .axis = {1, {1}}));
    krt_layer *renorm = layer_from(t->k, KRT_BATCH_NORMALIZATION(.renorm = true, .center = false));

    expect_shape(plain, SHAPE(NONE, 8, NONE, 3), "(None, 8, None, 3)");
    expect_variables(plain, "gamma(3,) beta(3,) moving_mean(3,) moving_variance(3,)");
    assert_true(plain->variables[0]->trainable);
    assert_false(plain->variables[2]->trainable);
    ASSERT_STR_EQ("Ones", plain->variables[0]->initializer->class_name);
    ASSERT_STR_EQ("Ones", plain->variables[3]->initializer->class_name);
    expect_shape(bare, SHAPE(NONE, 8, 4), "(None, 8, 4)");
    expect_variables(bare, "beta(8,) moving_mean(8,) moving_variance(8,)");
    expect_shape(renorm, SHAPE(NONE, 3), "(None, 3)");
    expect_variables(renorm, "gamma(3,) moving_mean(3,) moving_variance(3,) moving_stddev(3,) "
                             "renorm_mean(3,) renorm_stddev(3,)");
}

TEST(batch_normalization_over_two_axes_keeps_the_rank)
{
    krti_arena a = KRTI_ARENA_INIT(t->k);
    krt_layer *l = layer_of(&a, "{'class_name': 'BatchNormalization', 'config': {'name': 'b', "
                                "'axis': [1, 3], 'virtual_batch_size': null, 'fused': false}}");

    expect_shape(l, SHAPE(NONE, 4, 5, 3), "(None, 4, 5, 3)");
    expect_variables(l, "gamma(1, 4, 1, 3) beta(1, 4, 1, 3) moving_mean(1, 4, 1, 3) "
                        "moving_variance(1, 4, 1, 3)");
    krti_arena_free(&a);
}

TEST(layer_normalization_follows_its_axes)
{
    krt_layer *last = layer_from(t->k, KRT_LAYER_NORMALIZATION());
    krt_layer *two = layer_from(t->k, KRT_LAYER_NORMALIZATION(.axis = {2, {-1, 1}}));
    krt_layer *rms = layer_from(t->k, KRT_LAYER_NORMALIZATION(.rms_scaling = true));

    expect_shape(last, SHAPE(NONE, 5, 3), "(None, 5, 3)");
    expect_variables(last, "gamma(3,) beta(3,)");
    expect_shape(two, SHAPE(NONE, 5, 3), "(None, 5, 3)");
    expect_variables(two, "gamma(3, 5) beta(3, 5)"); /* as Keras sorts the numbers */
    expect_shape(rms, SHAPE(NONE, 3), "(None, 3)");
    expect_variables(rms, "gamma(3,)");
    expect_failure(layer_from(t->k, KRT_LAYER_NORMALIZATION(.axis = {1, {3}})), SHAPE(NONE, 5, 3),
                   "Axis 3 is out of bounds for input shape (None, 5, 3)");
    expect_failure(layer_from(t->k, KRT_LAYER_NORMALIZATION()), SHAPE(NONE, 5, NONE),
                   "weight gamma would have the unknown shape (None,)");
}

TEST(group_normalization_checks_its_groups)
{
    krt_layer *instance = layer_from(t->k, KRT_GROUP_NORMALIZATION(-1));

    expect_shape(instance, SHAPE(NONE, NONE, 5, 6), "(None, None, 5, 6)");
    expect_variables(instance, "gamma(6,) beta(6,)");
    expect_shape(layer_from(t->k, KRT_GROUP_NORMALIZATION(2, .axis = 1)), SHAPE(3, 6, 5),
                 "(3, 6, 5)");
    expect_refused(t, KRT_GROUP_NORMALIZATION(0),
                   "Received an invalid value for argument `groups`, expected a positive integer "
                   "(or `-1` for instance normalization). Received: groups=0");
    expect_failure(layer_from(t->k, KRT_GROUP_NORMALIZATION()), SHAPE(NONE, 5, 6),
                   "Number of groups (32) cannot be more than the number of channels (6)");
    expect_failure(layer_from(t->k, KRT_GROUP_NORMALIZATION(4)), SHAPE(NONE, 5, 6),
                   "Number of groups (4) must be a multiple of the number of channels (6)");
    expect_failure(layer_from(t->k, KRT_GROUP_NORMALIZATION(4)), SHAPE(NONE, 5, NONE),
                   "Axis -1 of input tensor should have a defined dimension but the layer received "
                   "an input with shape (None, 5, None)");
}

TEST(norms_without_statistics_have_few_variables)
{
    krt_layer *rms = layer_from(t->k, KRT_RMS_NORMALIZATION(.axis = {2, {1, 2}}));
    krt_layer *unit = layer_from(t->k, KRT_UNIT_NORMALIZATION());

    expect_shape(rms, SHAPE(NONE, 5, 3), "(None, 5, 3)");
    expect_variables(rms, "scale(5, 3)");
    expect_shape(unit, SHAPE(NONE, 5, NONE), "(None, 5, None)");
    ASSERT_INT_EQ(0, unit->num_variables);
}

TEST(masks_pass_where_keras_passes_them)
{
    const krt_shape x = SHAPE(NONE, 5, 3), mask = SHAPE(NONE, 5);
    const krt_spec *const passing[] = {KRT_BATCH_NORMALIZATION(), KRT_LAYER_NORMALIZATION(),
                                       KRT_UNIT_NORMALIZATION(), KRT_GROUP_NORMALIZATION(3)};
    traced traced_layer;

    for (size_t i = 0; i < KRTI_COUNT(passing); i++) {
        trace(&traced_layer, layer_from(t->k, passing[i]), 1, &x, &mask);
        ASSERT_OK(traced_layer.status);
        assert_ptr_equal(traced_layer.mask[0], traced_layer.c.out_mask[0]);
        untrace(&traced_layer);
    }
    trace(&traced_layer, layer_from(t->k, KRT_RMS_NORMALIZATION()), 1, &x, &mask);
    assert_null(traced_layer.c.out_mask[0]);
    untrace(&traced_layer);
}

TEST(a_spectral_wrapper_saves_the_kernel_once_more)
{
    krt_layer *l = layer_from(t->k, KRT_SPECTRAL_NORMALIZATION(KRT_CONV2D(4, {3, 3})));
    const krt_layer *inner = krti_layer_inner(l, "layer");

    expect_shape(l, SHAPE(NONE, 6, 6, 2), "(None, 4, 4, 4)");
    expect_variables(l, "kernel(3, 3, 2, 4) vector_u(1, 4)");
    assert_ptr_equal(l->variables[0], inner->variables[0]);
    ASSERT_INT_EQ(3, krt_layer_num_weights(l));
    ASSERT_STR_EQ("spectral_normalization/conv2d/kernel",
                  krt_variable_path(krt_layer_weight(l, 0)));
    ASSERT_STR_EQ("spectral_normalization/vector_u", krt_variable_path(krt_layer_weight(l, 1)));
    ASSERT_STR_EQ("spectral_normalization/conv2d/bias", krt_variable_path(krt_layer_weight(l, 2)));
    expect_refused(t, KRT_SPECTRAL_NORMALIZATION(KRT_DENSE(4), .power_iterations = 0),
                   "`power_iterations` should be greater than zero. Received: "
                   "`power_iterations=0`");
    expect_failure(layer_from(t->k, KRT_SPECTRAL_NORMALIZATION(KRT_RELU())), SHAPE(NONE, 3),
                   "ReLU object has no attribute 'kernel' nor 'embeddings'");
}

int main(void)
{
    return RUN(
        UNIT(batch_normalization_has_keras_variables),
        UNIT(batch_normalization_over_two_axes_keeps_the_rank),
        UNIT(layer_normalization_follows_its_axes), UNIT(group_normalization_checks_its_groups),
        UNIT(norms_without_statistics_have_few_variables), UNIT(masks_pass_where_keras_passes_them),
        UNIT(a_spectral_wrapper_saves_the_kernel_once_more));
}
