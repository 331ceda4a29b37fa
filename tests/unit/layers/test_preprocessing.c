/* Tests of src/layers/preprocessing.c and regularization.c. Numbers against Keras are in
 * tests/parity. */
#include "tracing.h"

TEST(rescaling_takes_numbers_and_lists)
{
    const float x[4] = {1, 2, 3, 4};
    float y[4];
    krt_layer *l = NULL;

    run_layer(layer_from(t->k, KRT_RESCALING(KRT_NUMBER(0.5), KRT_NUMBER(-1))), SHAPE(2, 2), x, y,
              4);
    ASSERT_NEAR(((const float[4]){-0.5f, 0, 0.5f, 1}), y, 4, 0, 0);
    run_layer(layer_from(t->k, KRT_RESCALING(KRT_NUMBERS(1, 10), KRT_NUMBERS(0, 1))), SHAPE(2, 2),
              x, y, 4);
    ASSERT_NEAR(((const float[4]){1, 21, 3, 41}), y, 4, 0, 0);
    expect_shape(layer_from(t->k, KRT_RESCALING(KRT_NUMBER(2))), SHAPE(NONE, NONE, 3),
                 "(None, None, 3)");
    ASSERT_STATUS(KRT_E_INVALID, krti_layer_from_spec(t->k, &l, KRT_ID("Rescaling")));
    ASSERT_SAYS("argument scale of Rescaling must be given");
}

TEST(normalization_keeps_weights_for_the_axes_it_keeps)
{
    krt_layer *l = layer_from(t->k, KRT_NORMALIZATION(.axis = {2, {3, 1}}));
    char text[160];

    expect_shape(l, SHAPE(NONE, 4, NONE, 3), "(None, 4, None, 3)");
    ASSERT_INT_EQ(3, krt_layer_num_weights(l));
    ASSERT_STR_EQ("normalization/mean", krt_variable_path(krt_layer_weight(l, 0)));
    ASSERT_STR_EQ("(4, 3)",
                  krt_shape_print(krt_variable_shape(krt_layer_weight(l, 1)), text, sizeof text));
    ASSERT_STR_EQ("()",
                  krt_shape_print(krt_variable_shape(krt_layer_weight(l, 2)), text, sizeof text));
    ASSERT_TRUE(!krt_layer_weight(l, 0)->trainable);
    expect_failure(layer_from(t->k, KRT_NORMALIZATION(.axis = {1, {4}})), SHAPE(NONE, 4),
                   "All `axis` values must be in the range [-ndim, ndim). Received inputs with "
                   "ndim=2, while axis=4");
    expect_failure(layer_from(t->k, KRT_NORMALIZATION()), SHAPE(4, NONE),
                   "weight mean would have the unknown shape (None,)");
}

TEST(normalization_takes_its_statistics_as_arguments)
{
    const float x[4] = {1, 2, 3, 4};
    float y[4];
    krt_layer *l = layer_from(
        t->k, KRT_NORMALIZATION(.mean = KRT_NUMBERS(1, 2), .variance = KRT_NUMBERS(4, 16)));

    run_layer(l, SHAPE(2, 2), x, y, 4);
    ASSERT_NEAR(((const float[4]){0, 0, 1, 0.5f}), y, 4, 1e-6, 0);
    ASSERT_INT_EQ(0, krt_layer_num_weights(l));
    run_layer(layer_from(t->k, KRT_NORMALIZATION(.mean = KRT_NUMBER(1), .variance = KRT_NUMBER(4),
                                                 .invert = true)),
              SHAPE(2, 2), x, y, 4);
    ASSERT_NEAR(((const float[4]){3, 5, 7, 9}), y, 4, 1e-6, 0);
    ASSERT_STATUS(KRT_E_INVALID,
                  krti_layer_from_spec(t->k, &l, KRT_NORMALIZATION(.mean = KRT_NUMBER(1))));
    ASSERT_SAYS("When setting values directly, both `mean` and `variance` must be set");
    expect_failure(layer_from(t->k, KRT_NORMALIZATION(.axis = {0, {0}}, .mean = KRT_NUMBERS(1, 2),
                                                      .variance = KRT_NUMBERS(1, 2))),
                   SHAPE(NONE, 2),
                   "The rank of `mean` must be less than or equal to the number of axes (0), "
                   "found 1");
}

TEST(image_layers_know_their_size_whatever_comes_in)
{
    expect_shape(layer_from(t->k, KRT_RESIZING(3, 4)), SHAPE(NONE, NONE, NONE, 2),
                 "(None, 3, 4, 2)");
    expect_shape(layer_from(t->k, KRT_RESIZING(3, 4, .data_format = "channels_first")),
                 SHAPE(NONE, 2, 8, 9), "(None, 2, 3, 4)");
    expect_shape(layer_from(t->k, KRT_RESIZING(3, 4, .crop_to_aspect_ratio = true)),
                 SHAPE(NONE, NONE, NONE, 2), "(None, 3, 4, 2)");
    expect_shape(layer_from(t->k, KRT_RESIZING(3, 4, .pad_to_aspect_ratio = true)),
                 SHAPE(NONE, 9, 5, 2), "(None, 3, 4, 2)");
    expect_shape(layer_from(t->k, KRT_RESIZING(3, 4)), SHAPE(8, 9, 2), "(3, 4, 2)");
    expect_shape(layer_from(t->k, KRT_CENTER_CROP(3, 4)), SHAPE(NONE, 8, 9, 2), "(None, 3, 4, 2)");
    expect_shape(layer_from(t->k, KRT_CENTER_CROP(3, 4)), SHAPE(NONE, 2, 9, 2), "(None, 3, 4, 2)");
    expect_shape(layer_from(t->k, KRT_CENTER_CROP(3, 4)), SHAPE(NONE, NONE, NONE, 2),
                 "(None, 3, 4, 2)");
    expect_shape(layer_from(t->k, KRT_CENTER_CROP(3, 4, .data_format = "channels_first")),
                 SHAPE(2, 8, 9), "(2, 3, 4)");
    expect_shape(layer_from(t->k, KRT_AUTO_CONTRAST()), SHAPE(NONE, 8, 9, 3), "(None, 8, 9, 3)");
}

TEST(image_arguments_keras_refuses_are_refused)
{
    const struct {
        const krt_spec *spec;
        const char *says;
    } rows[] = {
        {KRT_RESIZING(0, 4), "The `height` argument must be a tuple of 1 integers"},
        {KRT_RESIZING(4, -1), "The `width` argument must be a tuple of 1 integers"},
        {KRT_RESIZING(4, 4, .interpolation = "nearest_exact"), "interpolation=nearest_exact"},
        {KRT_RESIZING(4, 4, .fill_mode = "reflect"),
         "Invalid value for argument `fill_mode`. Only `'constant'` is supported. Received: "
         "fill_mode=reflect"},
        {KRT_RESIZING(4, 4, .crop_to_aspect_ratio = true, .pad_to_aspect_ratio = true),
         "Only one of `pad_to_aspect_ratio` & `crop_to_aspect_ratio` can be `True`"},
        {KRT_AUTO_CONTRAST(.value_range = KRT_NUMBERS(1, 0)),
         "value_range of AutoContrast must be two ascending numbers"},
    };

    for (size_t i = 0; i < KRTI_COUNT(rows); i++) {
        krt_layer *l = NULL;

        ASSERT_STATUS(KRT_E_INVALID, krti_layer_from_spec(t->k, &l, rows[i].spec));
        ASSERT_SAYS(rows[i].says);
    }
    expect_failure(
        layer_from(t->k, KRT_RESIZING(3, 4)), SHAPE(NONE, 4),
        "Invalid images rank: expected rank 3 (single image) or rank 4 (batch of images)");
}

TEST(a_small_image_is_padded_or_cropped_to_the_ratio)
{
    const float x[8] = {1, 2, 3, 4, 5, 6, 7, 8}; /* 2 rows of 4 */
    float y[16];

    run_layer(layer_from(t->k, KRT_RESIZING(2, 2, .interpolation = "nearest",
                                            .crop_to_aspect_ratio = true)),
              SHAPE(1, 2, 4, 1), x, y, 4);
    ASSERT_NEAR(((const float[4]){2, 3, 6, 7}), y, 4, 0, 0);
    run_layer(layer_from(t->k, KRT_RESIZING(4, 4, .interpolation = "nearest",
                                            .pad_to_aspect_ratio = true, .fill_value = 9)),
              SHAPE(1, 2, 4, 1), x, y, 16);
    ASSERT_NEAR(((const float[16]){9, 9, 9, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9}), y, 16, 0, 0);
}

TEST(auto_contrast_stretches_each_channel)
{
    /* Two pixels of three channels: stretched, the other way round, and of one value. */
    const float x[6] = {100, 255, 40, 150, 0, 40};
    float y[6];

    run_layer(layer_from(t->k, KRT_AUTO_CONTRAST()), SHAPE(1, 1, 2, 3), x, y, 6);
    ASSERT_NEAR(((const float[6]){0, 255, 40, 255, 0, 40}), y, 6, 1e-5, 1e-4);
}

TEST(augmentation_is_the_identity_at_inference)
{
    static const char *const objects[] = {
        "{'class_name': 'RandomFlip', 'config': {'mode': 'horizontal', 'seed': null}}",
        "{'class_name': 'RandomRotation', 'config': {'factor': 0.2, 'fill_mode': 'reflect'}}",
        ("{'class_name': 'RandomZoom', 'config': {'height_factor': [0.1, 0.2], 'width_factor': "
         "null}}"),
        "{'class_name': 'RandomCrop', 'config': {'height': 2, 'width': 2}}",
        "{'class_name': 'RandAugment', 'config': {'value_range': [0, 255], 'num_ops': 2}}",
        "{'class_name': 'MixUp', 'config': {'alpha': 0.2}}",
        "{'class_name': 'Dropout', 'config': {'rate': 0.5, 'noise_shape': [null, 1, 3]}}",
        "{'class_name': 'GaussianNoise', 'config': {'stddev': 0.5}}",
        "{'class_name': 'AlphaDropout', 'config': {'rate': 0.5}}",
        "{'class_name': 'ActivityRegularization', 'config': {'l1': 0.5, 'l2': 0.1}}",
    };
    const float x[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    float y[12];
    krti_arena a = KRTI_ARENA_INIT(t->k);

    for (size_t i = 0; i < KRTI_COUNT(objects); i++) {
        memset(y, 0, sizeof y);
        run_layer(layer_of(&a, objects[i]), SHAPE(1, 2, 2, 3), x, y, 12);
        assert_memory_equal(x, y, sizeof x);
    }
    krti_arena_free(&a);
}

TEST(no_class_of_augmentation_touches_an_image_at_inference)
{
    const float x[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    float y[12];
    size_t n = 0;

    for (const krt_layer_class *c = NULL; (c = krti_classes_augmentation[n]) != NULL; n++) {
        memset(y, 0, sizeof y);
        run_layer(layer_from(t->k, KRT_AUGMENTATION(c->name, .height = 2, .width = 2)),
                  SHAPE(1, 2, 2, 3), x, y, 12);
        assert_memory_equal(x, y, sizeof x);
    }
    ASSERT_TRUE(n > 25);
}

TEST(what_acts_in_training_says_so_when_asked_to)
{
    const char *const names[] = {"RandomHeight", "RandomWidth"};
    krti_arena a = KRTI_ARENA_INIT(t->k);

    for (size_t i = 0; i < KRTI_COUNT(names); i++) {
        krti_graph *g = NULL;
        krt_value *in[1];
        krt_call c = {.training = true, .num_in = 1, .in = in};
        char says[128];

        ASSERT_OK(krti_graph_new(t->k, &g));
        in[0] = krti_input(g, KRT_FLOAT32, SHAPE(1, 2, 2, 3));
        ASSERT_STATUS(KRT_E_UNSUPPORTED,
                      krti_layer_trace(layer_from(t->k, KRT_ID(names[i])), g, &c));
        snprintf(says, sizeof says, "%s acts in training, which this build does not run", names[i]);
        ASSERT_SAYS(says);
        krti_graph_free(g);
    }
    krti_arena_free(&a);
}

TEST(a_rate_is_between_zero_and_one)
{
    const krt_spec *const specs[] = {KRT_DROPOUT(1.5), KRT_SPATIAL_DROPOUT1D(-0.1),
                                     KRT_GAUSSIAN_DROPOUT(2), KRT_ALPHA_DROPOUT(KRT_NONE_F)};
    krt_layer *l = NULL;

    for (size_t i = 0; i < KRTI_COUNT(specs); i++) {
        ASSERT_STATUS(KRT_E_INVALID, krti_layer_from_spec(t->k, &l, specs[i]));
        ASSERT_SAYS("Invalid value received for argument `rate`. Expected a float value between 0 "
                    "and 1");
    }
    ASSERT_STATUS(KRT_E_INVALID, krti_layer_from_spec(t->k, &l, KRT_GAUSSIAN_NOISE(-1)));
}

int main(void)
{
    return RUN(
        UNIT(rescaling_takes_numbers_and_lists),
        UNIT(normalization_keeps_weights_for_the_axes_it_keeps),
        UNIT(normalization_takes_its_statistics_as_arguments),
        UNIT(image_layers_know_their_size_whatever_comes_in),
        UNIT(image_arguments_keras_refuses_are_refused),
        UNIT(a_small_image_is_padded_or_cropped_to_the_ratio),
        UNIT(auto_contrast_stretches_each_channel), UNIT(augmentation_is_the_identity_at_inference),
        UNIT(no_class_of_augmentation_touches_an_image_at_inference),
        UNIT(what_acts_in_training_says_so_when_asked_to), UNIT(a_rate_is_between_zero_and_one));
}
