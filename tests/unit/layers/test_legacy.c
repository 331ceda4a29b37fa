/* Tests of src/layers/legacy.c: configs of older generations, row by row, as tf-keras wrote them. */
#include "tracing.h"

#include "layers/weight_rules.h"

#define ARENA krti_arena a = KRTI_ARENA_INIT(t->k)

static krt_layer *made(krti_arena *a, const char *class_name, const char *config)
{
    char text[1024];

    snprintf(text, sizeof text, "{'class_name': '%s', 'config': {'name': 'x', %s}}", class_name,
             config);
    return layer_of(a, text);
}

TEST(renamed_classes_are_found)
{
    static const struct {
        const char *old_name, *name, *config;
    } rows[] = {
        {"Convolution1D", "Conv1D", "'filters': 2, 'kernel_size': 3"},
        {"Convolution2D", "Conv2D", "'filters': 2, 'kernel_size': 3"},
        {"Convolution3D", "Conv3D", "'filters': 2, 'kernel_size': 3"},
        {"Convolution2DTranspose", "Conv2DTranspose", "'filters': 2, 'kernel_size': 3"},
        {"SeparableConvolution2D", "SeparableConv2D", "'filters': 2, 'kernel_size': 3"},
        {"MaxPool2D", "MaxPooling2D", "'pool_size': 2"},
        {"AvgPool1D", "AveragePooling1D", "'pool_size': 2"},
        {"GlobalAvgPool2D", "GlobalAveragePooling2D", "'keepdims': false"},
        {"GlobalMaxPool3D", "GlobalMaxPooling3D", "'keepdims': false"},
        {"BatchNormalizationV1", "BatchNormalization", "'axis': [3]"},
        {"BatchNormalizationV2", "BatchNormalization", "'axis': [3]"},
        {"SyncBatchNormalization", "BatchNormalization", "'axis': 3"},
        {"keras.layers.experimental.SyncBatchNormalization", "BatchNormalization", "'axis': 3"},
        {"keras.layers.experimental.preprocessing.Rescaling", "Rescaling", "'scale': 2"},
    };
    ARENA;

    for (size_t i = 0; i < KRTI_COUNT(rows); i++) {
        const krt_layer *l = made(&a, rows[i].old_name, rows[i].config);

        assert_non_null(l->cls);
        ASSERT_STR_EQ(rows[i].name, krt_layer_class_name(l));
    }
    krti_arena_free(&a);
}

TEST(keys_that_mean_nothing_are_dropped)
{
    static const struct {
        const char *class_name, *config;
    } rows[] = {
        {"DepthwiseConv2D", "'kernel_size': 3, 'groups': 1, 'kernel_initializer': null, "
                            "'kernel_regularizer': null, 'kernel_constraint': null"},
        {"DepthwiseConv1D", "'kernel_size': 3, 'groups': 1"},
        {"Conv1DTranspose", "'filters': 2, 'kernel_size': 3, 'groups': 1"},
        {"Conv2DTranspose", "'filters': 2, 'kernel_size': 3, 'groups': 1"},
        {"Conv3DTranspose", "'filters': 2, 'kernel_size': 3, 'groups': 1"},
        {"SeparableConv1D", "'filters': 2, 'kernel_size': 3, 'groups': 1, 'kernel_initializer': "
                            "{'class_name': 'GlorotUniform', 'config': {}}"},
        {"SeparableConv2D", "'filters': 2, 'kernel_size': 3, 'groups': 1, 'kernel_regularizer': "
                            "null, 'kernel_constraint': null"},
        {"BatchNormalization", "'axis': [3], 'virtual_batch_size': null, 'fused': true, "
                               "'adjustment': null"},
        {"BatchNormalization", "'axis': -1, 'renorm': false, 'renorm_clipping': null"},
        {"RandomFlip", "'mode': 'horizontal', 'seed': null, 'rng_type': 'stateless'"},
        {"SpatialDropout2D", "'rate': 0.5, 'trainable': true, 'noise_shape': null, 'seed': null"},
        {"Embedding", "'input_dim': 3, 'output_dim': 2, 'input_length': 4"},
        {"Dense", "'units': 2, 'batch_input_shape': [null, 6]"},
        {"InputLayer", "'batch_input_shape': [null, 6], 'type_spec': null"},
        {"TimeDistributed", "'layer': {'class_name': 'Dense', 'config': {'units': 2, "
                            "'batch_input_shape': [null, 3]}}"},
    };
    ARENA;

    for (size_t i = 0; i < KRTI_COUNT(rows); i++)
        assert_non_null(made(&a, rows[i].class_name, rows[i].config)->args);
    krti_arena_free(&a);
}

TEST(keys_that_mean_something_are_not_dropped)
{
    static const struct {
        const char *class_name, *config, *says;
    } rows[] = {
        {"DepthwiseConv2D", "'kernel_size': 3, 'groups': 2",
         "Unrecognized keyword arguments passed to DepthwiseConv2D: {'groups': 2}"},
        {"Conv2DTranspose", "'filters': 2, 'kernel_size': 3, 'groups': 2",
         "Unrecognized keyword arguments passed to Conv2DTranspose: {'groups': 2}"},
        {"Embedding", "'input_dim': 3, 'output_dim': 2, 'sparse': true",
         "Unrecognized keyword arguments passed to Embedding: {'sparse': True}"},
        {"Dense", "'units': 2, 'time_major': true",
         "Unrecognized keyword arguments passed to Dense: {'time_major': True}"},
        {"Conv2D", "'filters': 2, 'kernel_size': 3, 'nb_filter': 4",
         "Unrecognized keyword arguments passed to Conv2D: {'nb_filter': 4}"},
    };
    ARENA;

    for (size_t i = 0; i < KRTI_COUNT(rows); i++) {
        char text[512];
        krt_layer *l = NULL;

        snprintf(text, sizeof text, "{'class_name': '%s', 'config': {%s}}", rows[i].class_name,
                 rows[i].config);
        ASSERT_STATUS(KRT_E_INVALID, krti_layer_from_conf(t->k, &l, conf_of(&a, text), 0));
        ASSERT_SAYS(rows[i].says);
    }
    krti_arena_free(&a);
}

/* A Merge of Keras 1 was told by its mode; today's classes have modes of their own. */
TEST(the_mode_of_a_merge_is_dropped_and_that_of_other_layers_is_not)
{
    ARENA;
    krt_ctx *const k = t->k;

    k->file_generation = 2;
    const krt_augmentation_args *flip = made(&a, "RandomFlip", "'mode': 'horizontal'")->args;
    const krt_augmentation_args *contrast = made(&a, "RandomContrast", "'factor': 0.25")->args;
    k->file_generation = 0;
    ASSERT_STR_EQ("horizontal", flip->mode);
    ASSERT_INT_EQ(2, contrast->factor.n);
    assert_true(contrast->factor.items[0] == 0.25 && contrast->factor.items[1] == 0.25);
    krti_arena_free(&a);
}

TEST(renamed_keys_and_older_forms_are_read)
{
    ARENA;
    const krt_relu_args *relu = made(&a, "ReLU",
                                     "'max_value': [6.0], 'negative_slope': [0.1], "
                                     "'threshold': {'class_name': 'ListWrapper', "
                                     "'items': [0.5], 'config': null}")
                                    ->args;
    const krt_input_layer_args *input = NULL;

    assert_true(relu->max_value == 6 && relu->negative_slope == 0.1 && relu->threshold == 0.5);
    assert_true(((const krt_leaky_relu_args *)made(&a, "LeakyReLU", "'alpha': 0.2")->args)
                    ->negative_slope == 0.2);
    assert_true(((const krt_leaky_relu_args *)made(&a, "LeakyReLU",
                                                   "'alpha': {'type': 'ndarray', 'value': 0.25}")
                     ->args)
                    ->negative_slope == 0.25);
    assert_true(((const krt_elu_args *)made(&a, "ELU", "'alpha': [0.5]")->args)->alpha == 0.5);
    input = made(&a, "InputLayer",
                 "'batch_input_shape': [null, 28, 28], 'dtype': 'int32', "
                 "'sparse': false, 'ragged': false")
                ->args;
    ASSERT_INT_EQ(3, input->batch_shape.rank);
    ASSERT_STR_EQ("int32", input->dtype);
    input = made(&a, "InputLayer",
                 "'shape': [4], 'batch_size': 2, 'dtype': {'class_name': "
                 "'DTypePolicy', 'config': {'name': 'float16'}}")
                ->args;
    ASSERT_INT_EQ(2, input->batch_shape.rank);
    ASSERT_INT_EQ(2, input->batch_shape.dim[0]);
    ASSERT_STR_EQ("float16", input->dtype);
    input = made(&a, "InputLayer", "'input_shape': [4]")->args;
    ASSERT_INT_EQ(KRT_NONE, input->batch_shape.dim[0]);
    ASSERT_INT_EQ(4, input->batch_shape.dim[1]);
    ASSERT_INT_EQ(
        1, ((const krt_concatenate_args *)made(&a, "Concatenate", "'axis': [1]")->args)->axis);
    ASSERT_STR_EQ("same", ((const krt_conv2d_args *)made(&a, "Conv2D",
                                                         "'filters': 2, "
                                                         "'kernel_size': 3, "
                                                         "'padding': 'SAME'")
                               ->args)
                              ->padding);
    krti_arena_free(&a);
}

TEST(initializers_of_every_generation_are_understood)
{
    static const struct {
        const char *value, *class_name;
    } rows[] = {
        {"'glorot_uniform'", "GlorotUniform"},
        {"'uniform'", "RandomUniform"},
        {"'normal'", "RandomNormal"},
        {"'zero'", "Zeros"},
        {"'one'", "Ones"},
        {"'he_normal'", "HeNormal"},
        {"'lecun_uniform'", "LecunUniform"},
        {"'orthogonal'", "Orthogonal"},
        {"'identity'", "Identity"},
        {"{'class_name': 'VarianceScaling', 'config': {'scale': 1.0, 'mode': 'fan_avg', "
         "'distribution': 'uniform', 'seed': null}}",
         "VarianceScaling"},
        {"{'class_name': 'GlorotUniform', 'config': {'seed': null, 'dtype': 'float32'}}",
         "GlorotUniform"},
        {"{'module': 'keras.initializers', 'class_name': 'OrthogonalInitializer', 'config': "
         "{'gain': 1.0, 'seed': null}, 'registered_name': null}",
         "Orthogonal"},
    };
    ARENA;

    for (size_t i = 0; i < KRTI_COUNT(rows); i++) {
        char text[512];
        traced traced_layer;
        const krt_shape in = SHAPE(NONE, 3);

        snprintf(text, sizeof text, "'units': 3, 'kernel_initializer': %s", rows[i].value);
        krt_layer *l = made(&a, "Dense", text);
        const krt_dense_args *args = l->args;
        ASSERT_STR_EQ(rows[i].class_name,
                      krti_initializer_find(args->kernel_initializer->class_name)->name);
        trace(&traced_layer, l, 1, &in, NULL);
        ASSERT_OK(traced_layer.status);
        ASSERT_OK(krti_layer_initialize(l));
        assert_non_null(krt_variable_data(krt_layer_weight(l, 0)));
        untrace(&traced_layer);
    }
    krti_arena_free(&a);
}

TEST(the_config_itself_is_left_as_it_was)
{
    ARENA;
    const krti_conf *object = conf_of(&a, "{'class_name': 'LeakyReLU', 'config': {'alpha': 0.2}}");
    const char *before = json_of(&a, object);
    krt_layer *l = NULL;

    ASSERT_OK(krti_layer_from_conf(t->k, &l, object, 0));
    assert_string_equal(json_of(&a, object), before);
    assert_ptr_equal(l->config, krti_conf_get(object, "config"));
    krti_arena_free(&a);
}

TEST(regularizers_and_constraints_go_by_the_names_of_older_generations)
{
    static const char *const names[][2] = {
        {"WeightRegularizer", "L1L2"},
        {"L1L2Regularizer", "L1L2"},
        {"l1l2", "L1L2"},
        {"maxnorm", "MaxNorm"},
        {"nonneg", "NonNeg"},
        {"unitnorm", "UnitNorm"},
        {"UnitNormConstraint", "UnitNorm"},
    };

    for (size_t i = 0; i < KRTI_COUNT(names); i++) {
        assert_non_null(krti_weight_rule_find(names[i][0]));
        ASSERT_STR_EQ(names[i][1], krti_weight_rule_find(names[i][0])->name);
    }
}

int main(void)
{
    return RUN(UNIT(regularizers_and_constraints_go_by_the_names_of_older_generations),
               UNIT(renamed_classes_are_found), UNIT(keys_that_mean_nothing_are_dropped),
               UNIT(keys_that_mean_something_are_not_dropped),
               UNIT(the_mode_of_a_merge_is_dropped_and_that_of_other_layers_is_not),
               UNIT(renamed_keys_and_older_forms_are_read),
               UNIT(initializers_of_every_generation_are_understood),
               UNIT(the_config_itself_is_left_as_it_was));
}
