/* Tests of src/layers/reshaping.c: symbolic shapes and refusals. */
#include "tracing.h"

TEST(flatten_multiplies_what_is_known)
{
    expect_shape(layer_from(t->k, KRT_FLATTEN()), SHAPE(NONE, 3, 4, 5), "(None, 60)");
    expect_shape(layer_from(t->k, KRT_FLATTEN()), SHAPE(NONE), "(None, 1)");
    expect_shape(layer_from(t->k, KRT_FLATTEN()), SHAPE(NONE, NONE, 5), "(None, None)");
    expect_shape(layer_from(t->k, KRT_FLATTEN(.data_format = "channels_first")),
                 SHAPE(NONE, 3, 4, 5), "(None, 60)");
}

TEST(channels_first_is_flattened_as_if_last)
{
    const float x[6] = {1, 2, 3, 4, 5, 6}; /* 2 channels of 3 */
    float y[6];

    run_layer(layer_from(t->k, KRT_FLATTEN(.data_format = "channels_first")), SHAPE(1, 2, 3), x, y,
              6);
    ASSERT_NEAR(((const float[6]){1, 4, 2, 5, 3, 6}), y, 6, 0, 0);
}

TEST(reshape_infers_one_axis)
{
    krt_layer *l = NULL;

    expect_shape(layer_from(t->k, KRT_RESHAPE(KRT_SHAPE(2, -1))), SHAPE(NONE, 12), "(None, 2, 6)");
    expect_shape(layer_from(t->k, KRT_RESHAPE(KRT_SHAPE(6, 2))), SHAPE(NONE, 12), "(None, 6, 2)");
    expect_shape(layer_from(t->k, KRT_RESHAPE({.rank = 0})), SHAPE(NONE, 1), "(None,)");
    expect_shape(layer_from(t->k, KRT_RESHAPE(KRT_SHAPE(-1, 2))), SHAPE(NONE, NONE, 4),
                 "(None, None, 2)");
    expect_failure(layer_from(t->k, KRT_RESHAPE(KRT_SHAPE(5))), SHAPE(2, 12),
                   "The total size of the tensor must be unchanged");
    ASSERT_STATUS(KRT_E_INVALID, krti_layer_from_spec(t->k, &l, KRT_RESHAPE(KRT_SHAPE(-1, 3, -1))));
    ASSERT_SAYS("There must be at most one unknown dimension (-1) in target_shape. Received: "
                "target_shape=(-1, 3, -1)");
    ASSERT_STATUS(KRT_E_INVALID, krti_layer_from_spec(t->k, &l, KRT_RESHAPE(KRT_SHAPE(-2))));
    ASSERT_STATUS(KRT_E_INVALID, krti_layer_from_spec(t->k, &l, KRT_ID("Reshape")));
}

TEST(permute_wants_every_axis_once)
{
    const krt_spec *const bad[] = {KRT_PERMUTE({2, {1, 1}}), KRT_PERMUTE({2, {0, 1}}),
                                   KRT_PERMUTE({2, {1, 3}}), KRT_PERMUTE({0, {0}})};
    krt_layer *l = NULL;

    expect_shape(layer_from(t->k, KRT_PERMUTE({3, {3, 1, 2}})), SHAPE(NONE, 4, NONE, 6),
                 "(None, 6, 4, None)");
    expect_failure(layer_from(t->k, KRT_PERMUTE({2, {2, 1}})), SHAPE(NONE, 4, 5, 6),
                   "expected ndim=3, found ndim=4");
    for (size_t i = 0; i < KRTI_COUNT(bad); i++) {
        ASSERT_STATUS(KRT_E_INVALID, krti_layer_from_spec(t->k, &l, bad[i]));
        ASSERT_SAYS("Invalid permutation argument `dims` for Permute Layer");
    }
}

TEST(repeat_vector_adds_an_axis)
{
    krt_layer *l = NULL;

    expect_shape(layer_from(t->k, KRT_REPEAT_VECTOR(3)), SHAPE(NONE, 4), "(None, 3, 4)");
    expect_failure(layer_from(t->k, KRT_REPEAT_VECTOR(3)), SHAPE(NONE, 4, 5), "expected ndim=2");
    ASSERT_STATUS(KRT_E_INVALID, krti_layer_from_spec(t->k, &l, KRT_REPEAT_VECTOR(0)));
    ASSERT_SAYS("Argument `n` should be a positive integer. Received: n=0");
}

TEST(cropping_and_padding_keep_unknown_sizes)
{
    expect_shape(layer_from(t->k, KRT_CROPPING1D()), SHAPE(NONE, 5, 3), "(None, 3, 3)");
    expect_shape(layer_from(t->k, KRT_CROPPING1D(.cropping = {{1, 0}})), SHAPE(NONE, NONE, 3),
                 "(None, None, 3)");
    expect_shape(layer_from(t->k, KRT_CROPPING2D(.cropping = {{1, 2}, {0, 3}})),
                 SHAPE(NONE, 8, 9, 3), "(None, 5, 6, 3)");
    expect_shape(layer_from(t->k, KRT_CROPPING2D(.cropping = {{1, 2}, {0, 3}},
                                                 .data_format = "channels_first")),
                 SHAPE(NONE, 3, 8, 9), "(None, 3, 5, 6)");
    expect_shape(layer_from(t->k, KRT_CROPPING3D()), SHAPE(NONE, 4, NONE, 6, 2),
                 "(None, 2, None, 4, 2)");
    expect_shape(layer_from(t->k, KRT_ZERO_PADDING1D()), SHAPE(NONE, NONE, 3), "(None, None, 3)");
    expect_shape(layer_from(t->k, KRT_ZERO_PADDING1D(.data_format = "channels_first")),
                 SHAPE(NONE, 3, 5), "(None, 3, 7)");
    expect_shape(layer_from(t->k, KRT_ZERO_PADDING2D(.padding = {{1, 2}, {3, 4}})),
                 SHAPE(NONE, 5, 6, 2), "(None, 8, 13, 2)");
    expect_shape(layer_from(t->k, KRT_ZERO_PADDING3D(.data_format = "channels_first")),
                 SHAPE(NONE, 2, 3, 4, 5), "(None, 2, 5, 6, 7)");
}

TEST(what_would_crop_everything_away_is_refused)
{
    krt_layer *l = NULL;

    expect_failure(layer_from(t->k, KRT_CROPPING1D(.cropping = {{2, 3}})), SHAPE(NONE, 5, 3),
                   "Values in `cropping` argument should be smaller than the corresponding spatial "
                   "dimension of the input. Received: input_shape=(None, 5, 3), cropping=(2, 3)");
    ASSERT_STATUS(KRT_E_INVALID,
                  krti_layer_from_spec(t->k, &l, KRT_CROPPING1D(.cropping = {{-1, 0}})));
    ASSERT_SAYS("`cropping` cannot be negative. Received: cropping=-1");
    ASSERT_STATUS(KRT_E_INVALID,
                  krti_layer_from_spec(t->k, &l, KRT_ZERO_PADDING1D(.padding = {{0, -2}})));
    ASSERT_STATUS(KRT_E_INVALID,
                  krti_layer_from_spec(t->k, &l, KRT_ZERO_PADDING2D(.data_format = "nchw")));
    ASSERT_SAYS("The `data_format` argument must be one of");
}

TEST(upsampling_multiplies_sizes)
{
    krt_layer *l = NULL;

    expect_shape(layer_from(t->k, KRT_UP_SAMPLING1D(.size = {3})), SHAPE(NONE, 4, 2),
                 "(None, 12, 2)");
    expect_shape(layer_from(t->k, KRT_UP_SAMPLING2D(.size = {2, 3})), SHAPE(NONE, NONE, 4, 2),
                 "(None, None, 12, 2)");
    expect_shape(layer_from(t->k, KRT_UP_SAMPLING2D(.interpolation = "bilinear")),
                 SHAPE(NONE, NONE, 4, 2), "(None, None, 8, 2)");
    expect_shape(layer_from(t->k, KRT_UP_SAMPLING2D(.interpolation = "bicubic",
                                                    .data_format = "channels_first")),
                 SHAPE(NONE, 2, 3, 4), "(None, 2, 6, 8)");
    expect_shape(layer_from(t->k, KRT_UP_SAMPLING3D()), SHAPE(NONE, 2, 3, NONE, 5),
                 "(None, 4, 6, None, 5)");
    ASSERT_STATUS(KRT_E_INVALID,
                  krti_layer_from_spec(t->k, &l, KRT_UP_SAMPLING2D(.interpolation = "cubic")));
    ASSERT_SAYS("Received: interpolation=cubic");
    ASSERT_STATUS(KRT_E_INVALID, krti_layer_from_spec(t->k, &l, KRT_UP_SAMPLING1D(.size = {-1})));
}

int main(void)
{
    return RUN(UNIT(flatten_multiplies_what_is_known), UNIT(channels_first_is_flattened_as_if_last),
               UNIT(reshape_infers_one_axis), UNIT(permute_wants_every_axis_once),
               UNIT(repeat_vector_adds_an_axis), UNIT(cropping_and_padding_keep_unknown_sizes),
               UNIT(what_would_crop_everything_away_is_refused), UNIT(upsampling_multiplies_sizes));
}
