/* Tests of src/layers/config*.c: args structs from C and from configs, and back. */
#include "layers/config.h"
#include "tracing.h"

#include <limits.h>

/* A class with one member of every kind. */
typedef struct all_args {
    krt_spec spec;
    bool b;
    int64_t i;
    double f;
    const char *s;
    int64_t i1[1], i2[2], i3[3];
    int64_t p1[1][2], p2[2][2], p3[3][2];
    krt_shape shape;
    krt_axes axes;
    const char *activation;
    const krt_spec *object;
    const krt_spec *layer;
    krt_numbers numbers;
    const char *name;
    bool trainable;
} all_args;

static const krt_field all_fields[] = {
    KRT_FIELD(all_args, BOOL, b),
    KRT_FIELD(all_args, INT, i),
    KRT_FIELD(all_args, FLOAT, f),
    KRT_FIELD(all_args, STRING, s),
    KRT_FIELD(all_args, INT1, i1),
    KRT_FIELD(all_args, INT2, i2),
    KRT_FIELD(all_args, INT3, i3),
    KRT_FIELD(all_args, PAIR1, p1),
    KRT_FIELD(all_args, PAIR2, p2),
    KRT_FIELD(all_args, PAIR3, p3),
    KRT_FIELD(all_args, SHAPE, shape),
    KRT_FIELD(all_args, AXES, axes),
    KRT_FIELD(all_args, ACTIVATION, activation),
    KRT_FIELD(all_args, OBJECT, object),
    KRT_FIELD(all_args, LAYER, layer),
    KRT_FIELD(all_args, NUMBERS, numbers),
    {"ignored", KRT_FIELD_IGNORED, 0},
    KRT_BASE_FIELDS(all_args),
};

static krt_status same(const krt_layer *l, const void *args, krt_call *c)
{
    (void)l;
    (void)args;
    return krt_call_output(c, 0, krt_call_input(c, 0));
}

static const all_args all_defaults = {
    .spec = {sizeof(all_args), "All"},
    .i = 7,
    .f = 0.5,
    .i2 = {1, 1},
    .shape = {.rank = -1},
    .trainable = true,
};

static const krt_layer_class all_class = {
    .struct_size = sizeof all_class,
    .name = "All",
    .defaults = &all_defaults.spec,
    .fields = all_fields,
    .num_fields = KRTI_COUNT(all_fields),
    .call = same,
};

static const all_args *read_all(krti_arena *a, const char *config)
{
    char text[1024];

    if (krti_class_find(a->k, "All") == NULL)
        assert_int_equal(krt_register(a->k, &all_class), KRT_OK);
    snprintf(text, sizeof text, "{'class_name': 'All', 'config': %s}", config);
    return layer_of(a, text)->args;
}

#define ARENA krti_arena a = KRTI_ARENA_INIT(t->k)

TEST(what_a_config_leaves_out_is_the_default)
{
    ARENA;
    const all_args *args = read_all(&a, "{}");

    ASSERT_INT_EQ(7, args->i);
    assert_true(args->f == 0.5);
    ASSERT_INT_EQ(-1, args->shape.rank);
    ASSERT_INT_EQ(0, args->axes.n);
    assert_null(args->s);
    krti_arena_free(&a);
}

TEST(plain_values_are_read)
{
    ARENA;
    const all_args *args = read_all(&a, "{'b': true, 'i': 3, 'f': 2, 's': 'text'}");

    ASSERT_TRUE(args->b);
    ASSERT_INT_EQ(3, args->i);
    assert_true(args->f == 2);
    ASSERT_STR_EQ("text", args->s);
    args = read_all(&a, "{'b': 1, 'i': 4.0, 'f': null, 's': null}");
    ASSERT_TRUE(args->b);
    ASSERT_INT_EQ(4, args->i);
    ASSERT_TRUE(isnan(args->f));
    assert_null(args->s);
    ASSERT_INT_EQ(KRT_NONE, read_all(&a, "{'i': null}")->i);
    krti_arena_free(&a);
}

TEST(tuples_are_numbers_or_lists)
{
    ARENA;
    const all_args *args = read_all(&a, "{'i1': 3, 'i2': 4, 'i3': 5}");

    ASSERT_INT_EQ(3, args->i1[0]);
    ASSERT_INT_EQ(4, args->i2[0]);
    ASSERT_INT_EQ(4, args->i2[1]);
    ASSERT_INT_EQ(5, args->i3[2]);
    args = read_all(&a, "{'i1': [3], 'i2': [4, 5], 'i3': [6, 7, 8]}");
    ASSERT_INT_EQ(3, args->i1[0]);
    ASSERT_INT_EQ(5, args->i2[1]);
    ASSERT_INT_EQ(8, args->i3[2]);
    args = read_all(&a, "{'i2': null}");
    ASSERT_INT_EQ(KRT_NONE, args->i2[0]);
    ASSERT_INT_EQ(KRT_NONE, args->i2[1]);
    krti_arena_free(&a);
}

TEST(pairs_have_four_forms)
{
    ARENA;
    const all_args *args = read_all(&a, "{'p1': 2, 'p2': 3, 'p3': 4}");

    ASSERT_INT_EQ(2, args->p1[0][1]);
    ASSERT_INT_EQ(3, args->p2[1][1]);
    ASSERT_INT_EQ(4, args->p3[2][1]);
    args = read_all(&a, "{'p1': [1, 2], 'p2': [3, 4], 'p3': [5, 6, 7]}");
    ASSERT_INT_EQ(1, args->p1[0][0]);
    ASSERT_INT_EQ(2, args->p1[0][1]);
    ASSERT_INT_EQ(3, args->p2[0][0]);
    ASSERT_INT_EQ(3, args->p2[0][1]);
    ASSERT_INT_EQ(4, args->p2[1][0]);
    ASSERT_INT_EQ(7, args->p3[2][0]);
    args = read_all(&a, "{'p1': [[1, 2]], 'p2': [[1, 2], [3, 4]], 'p3': [1, [2, 3], [4, 5]]}");
    ASSERT_INT_EQ(2, args->p1[0][1]);
    ASSERT_INT_EQ(2, args->p2[0][1]);
    ASSERT_INT_EQ(3, args->p2[1][0]);
    ASSERT_INT_EQ(1, args->p3[0][1]);
    ASSERT_INT_EQ(5, args->p3[2][1]);
    krti_arena_free(&a);
}

TEST(shapes_and_axes_keep_what_is_unknown)
{
    ARENA;
    const all_args *args = read_all(&a, "{'shape': [null, 28, 1], 'axes': [1, 2]}");

    ASSERT_INT_EQ(3, args->shape.rank);
    ASSERT_INT_EQ(KRT_NONE, args->shape.dim[0]);
    ASSERT_INT_EQ(28, args->shape.dim[1]);
    ASSERT_INT_EQ(2, args->axes.n);
    ASSERT_INT_EQ(2, args->axes.axis[1]);
    args = read_all(&a, "{'shape': [], 'axes': -1}");
    ASSERT_INT_EQ(0, args->shape.rank);
    ASSERT_INT_EQ(1, args->axes.n);
    ASSERT_INT_EQ(-1, args->axes.axis[0]);
    args = read_all(&a, "{'shape': 4}");
    ASSERT_INT_EQ(1, args->shape.rank);
    ASSERT_INT_EQ(4, args->shape.dim[0]);
    krti_arena_free(&a);
}

TEST(numbers_keep_how_they_were_nested)
{
    ARENA;
    const krt_numbers *n = &read_all(&a, "{'numbers': [[1, 2, 3], [4, 5, 6.5]]}")->numbers;

    ASSERT_INT_EQ(6, n->n);
    ASSERT_INT_EQ(2, n->shape.rank);
    ASSERT_INT_EQ(3, n->shape.dim[1]);
    assert_true(n->items[5] == 6.5);
    n = &read_all(&a, "{'numbers': 0.25}")->numbers;
    ASSERT_INT_EQ(1, n->n);
    ASSERT_INT_EQ(0, n->shape.rank);
    n = &read_all(&a, "{'numbers': {'class_name': '__numpy__', 'config': {'value': [1, 2], "
                      "'dtype': 'float32'}}}")
             ->numbers;
    ASSERT_INT_EQ(2, n->n);
    krti_arena_free(&a);
}

TEST(wrapped_values_of_older_serializers_are_unwrapped)
{
    ARENA;
    const all_args *args =
        read_all(&a, "{'i2': {'class_name': '__tuple__', 'items': [3, 4]},"
                     " 'axes': {'class_name': 'ListWrapper', 'items': [3], 'config': null},"
                     " 'shape': {'class_name': 'TensorShape', 'items': [null, 2]},"
                     " 'f': {'type': 'ndarray', 'value': 0.30000001192092896}}");

    ASSERT_INT_EQ(4, args->i2[1]);
    ASSERT_INT_EQ(3, args->axes.axis[0]);
    ASSERT_INT_EQ(2, args->shape.dim[1]);
    assert_true(args->f == 0.30000001192092896);
    krti_arena_free(&a);
}

TEST(what_does_not_fit_is_named)
{
    static const struct {
        const char *config, *says;
    } cases[] = {
        {"{'name': 'x', 'i': 'ten'}", "argument i of All must be an integer, found 'ten'"},
        {"{'name': 'x', 'b': 2}", "argument b of All must be True or False, found 2"},
        {"{'name': 'x', 'f': [1]}", "argument f of All must be a number, found [1]"},
        {"{'name': 'x', 's': 1.5}", "argument s of All must be a string, found 1.5"},
        {"{'name': 'x', 'i2': [1, 2, 3]}",
         "argument i2 of All must be an integer or a list of 2 integers, found [1, 2, 3]"},
        {"{'name': 'x', 'i2': {'a': null}}",
         "argument i2 of All must be an integer or a list of 2 integers, found {'a': None}"},
        {"{'name': 'x', 'p2': [[1, 2, 3], [1, 2, 3]]}",
         "argument p2 of All must be an integer or a list of 2, found [[1, 2, 3], [1, 2, 3]]"},
        {"{'name': 'x', 'shape': [1, 2, 3, 4, 5, 6, 7, 8, 9]}",
         "argument shape of All must be a shape of at most 8 axes, found [1, 2, 3"},
        {"{'name': 'x', 'axes': [1, null]}",
         "argument axes of All must be an axis or a list of at most 8 axes, found [1, None]"},
        {"{'name': 'x', 'numbers': [[1, 2], [3]]}",
         "argument numbers of All must be a number or a list of numbers, found [[1, 2], [3]]"},
        {"{'name': 'x', 'activation': 3}",
         "argument activation of All must be a function's name or a layer, found 3"},
        {"{'name': 'x', 'object': 1}",
         "argument object of All must be a name or an object, found 1"},
        {"{'name': 'x', 'layer': 'Dense'}", "argument layer of All must be a layer, found 'Dense'"},
        {"{'name': 'x', 'extra': 1}", "Unrecognized keyword arguments passed to All: {'extra': 1}"},
        {"{'name': 'x', 'extra': [true, null], 'more': {'a': 'b'}}",
         "Unrecognized keyword arguments passed to All: {'extra': [True, None], 'more': {'a': "
         "'b'}}"},
        {"{'name': 3}", "the name of a layer must be a string"},
    };
    ARENA;

    ASSERT_OK(krt_register(t->k, &all_class));
    for (size_t i = 0; i < KRTI_COUNT(cases); i++) {
        krt_layer *l = NULL;
        char text[512];

        snprintf(text, sizeof text, "{'class_name': 'All', 'config': %s}", cases[i].config);
        assert_true(krti_layer_from_conf(t->k, &l, conf_of(&a, text), 0) != KRT_OK);
        ASSERT_SAYS(cases[i].says);
        assert_null(l);
        if (i + 1 < KRTI_COUNT(cases))
            ASSERT_STR_EQ("x", krt_ctx_error(t->k)->object);
    }
    krti_arena_free(&a);
}

TEST(base_keys_of_every_generation_are_accepted)
{
    ARENA;

    read_all(&a, "{'name': 'x', 'trainable': false, 'dtype': 'float32', 'autocast': true,"
                 " 'activity_regularizer': null, 'batch_input_shape': [null, 3], 'input_dim': 3,"
                 " 'input_shape': [3], 'batch_size': 2, 'build_config': {}, 'lora_rank': null,"
                 " 'lora_alpha': null, 'quantization_config': null, 'shared_object_id': 1,"
                 " 'ignored': {'any': 'thing'}}");
    krti_arena_free(&a);
}

TEST(a_very_long_value_is_cut_in_a_message)
{
    ARENA;
    krti_conf *object = krti_conf_dict(&a), *config = krti_conf_dict(&a);
    krti_conf *list = krti_conf_list(&a);
    krt_layer *l = NULL;

    ASSERT_OK(krt_register(t->k, &all_class));
    for (int i = 0; i < 100000; i++)
        krti_conf_add(&a, list, krti_conf_int(&a, i));
    krti_conf_set(&a, config, "i", list);
    krti_conf_set(&a, object, "class_name", krti_conf_string(&a, "All"));
    krti_conf_set(&a, object, "config", config);
    ASSERT_STATUS(KRT_E_INVALID, krti_layer_from_conf(t->k, &l, object, 0));
    ASSERT_SAYS("...]");
    ASSERT_TRUE(strlen(krt_ctx_error(t->k)->message) < 600);
    krti_arena_free(&a);
}

TEST(a_config_with_too_many_keys_is_refused)
{
    ARENA;
    krti_conf *object = krti_conf_dict(&a), *config = krti_conf_dict(&a);
    krt_layer *l = NULL;
    char key[32];

    for (int i = 0; i < KRTI_LAYER_MAX_KEYS + 1; i++) {
        snprintf(key, sizeof key, "k%d", i);
        krti_conf_set(&a, config, key, krti_conf_null(&a));
    }
    krti_conf_set(&a, object, "class_name", krti_conf_string(&a, "Dense"));
    krti_conf_set(&a, object, "config", config);
    ASSERT_STATUS(KRT_E_FORMAT, krti_layer_from_conf(t->k, &l, object, 0));
    ASSERT_SAYS("the config has 1025 keys, at most 1024 are read");
    krti_arena_free(&a);
}

/* ------------------------------------------------------------------------------- from C */

TEST(strings_and_lists_of_a_spec_are_copied)
{
    char activation[] = "relu", name[] = "first";
    double scale[] = {1, 2};
    krt_layer *dense = layer_from(t->k, KRT_DENSE(3, .activation = activation, .name = name));
    krt_layer *rescaling =
        layer_from(t->k, KRT_RESCALING({.n = 2, .items = scale, .shape = {1, {2}}}));

    activation[0] = name[0] = '?';
    scale[0] = -1;
    ASSERT_STR_EQ("relu", ((const krt_dense_args *)dense->args)->activation);
    ASSERT_STR_EQ("first", krt_layer_name(dense));
    assert_true(((const krt_rescaling_args *)rescaling->args)->scale.items[0] == 1);
}

TEST(what_an_initializer_list_leaves_out_repeats_the_first)
{
    krt_layer *l = layer_from(t->k, KRT_UP_SAMPLING2D(.size = {3}));

    ASSERT_INT_EQ(3, ((const krt_up_sampling2d_args *)l->args)->size[1]);
}

TEST(a_bare_identifier_has_every_default)
{
    const krt_dense_args *args = NULL;
    krt_layer *l = layer_from(t->k, KRT_ID("LeakyReLU"));

    assert_true(((const krt_leaky_relu_args *)l->args)->negative_slope == 0.3);
    l = layer_from(t->k, KRT_DENSE(2));
    args = l->args;
    ASSERT_STR_EQ("GlorotUniform", args->kernel_initializer->class_name);
    ASSERT_STR_EQ("Zeros", args->bias_initializer->class_name);
    assert_null(args->kernel_regularizer);
}

TEST(what_c_gets_wrong_is_named)
{
    krt_layer *l = NULL;
    const struct {
        krt_spec spec;
        char more[4096];
    } newer = {.spec = {sizeof newer, "Dense"}};

    ASSERT_STATUS(KRT_E_UNKNOWN_CLASS, krti_layer_from_spec(t->k, &l, KRT_ID("Dens")));
    ASSERT_SAYS("class Dens is neither built in nor registered");
    ASSERT_STATUS(KRT_E_INVALID, krti_layer_from_spec(t->k, &l, KRT_HE_NORMAL(.seed = 1)));
    ASSERT_SAYS("HeNormal is an initializer, not a layer");
    ASSERT_STATUS(KRT_E_INVALID, krti_layer_from_spec(t->k, &l, NULL));
    ASSERT_STATUS(KRT_E_UNSUPPORTED, krti_layer_from_spec(t->k, &l, &newer.spec));
    ASSERT_STATUS(KRT_E_UNKNOWN_CLASS,
                  krti_layer_from_spec(t->k, &l, KRT_DENSE(1, .activation = "rellu")));
    ASSERT_SAYS("unknown activation \"rellu\"");
    ASSERT_STATUS(KRT_E_INVALID, krti_layer_from_spec(t->k, &l, KRT_DENSE(-1, .name = "d")));
    ASSERT_SAYS("Received an invalid value for `units`, expected a positive integer. Received: "
                "units=-1");
    ASSERT_STR_EQ("d", krt_ctx_error(t->k)->object);
    assert_null(l);
}

/* ------------------------------------------------------------------------------- and back */

static void expect_same_config(krti_arena *a, const krt_spec *spec, const char *config)
{
    krt_layer *l = layer_from(a->k, spec);
    krti_conf *written = krti_layer_to_conf(a, l);

    assert_string_equal(json_of(a, written), json_of(a, conf_of(a, config)));
}

#define BASE(name)                                                                        \
    "{'name': '" name "', 'trainable': true, 'dtype': {'module': 'keras', 'class_name': " \
    "'DTypePolicy', 'config': {'name': 'float32'}, 'registered_name': null}, "

TEST(a_layer_from_c_writes_the_config_its_python_twin_would)
{
    ARENA;

    expect_same_config(&a, KRT_RELU(.max_value = 6),
                       BASE("re_lu") "'max_value': 6.0, 'negative_slope': 0.0, 'threshold': 0.0}");
    expect_same_config(&a, KRT_FLATTEN(), BASE("flatten") "'data_format': 'channels_last'}");
    expect_same_config(&a, KRT_RESHAPE(KRT_SHAPE(2, -1), .name = "r"),
                       BASE("r") "'target_shape': [2, -1]}");
    expect_same_config(&a, KRT_CROPPING2D(.cropping = {{1, 2}, {3, 4}}),
                       BASE("cropping2d") "'cropping': [[1, 2], [3, 4]], "
                                          "'data_format': 'channels_last'}");
    expect_same_config(&a, KRT_ZERO_PADDING1D(.padding = {{1, 2}}),
                       BASE("zero_padding1d") "'padding': [1, 2], "
                                              "'data_format': 'channels_last'}");
    expect_same_config(&a, KRT_RESCALING(KRT_NUMBERS(1, 2)),
                       BASE("rescaling") "'scale': [1.0, 2.0], 'offset': null}");
    expect_same_config(&a, KRT_DROPOUT(0.5, .seed = 3),
                       BASE("dropout") "'rate': 0.5, 'seed': 3, 'noise_shape': null}");
    expect_same_config(&a, KRT_ADD(),
                       "{'name': 'add', 'trainable': true, 'dtype': {'module': "
                       "'keras', 'class_name': 'DTypePolicy', 'config': {'name': "
                       "'float32'}, 'registered_name': null}}");
    krti_arena_free(&a);
}

TEST(initializers_are_written_as_objects)
{
    ARENA;

    expect_same_config(
        &a, KRT_DENSE(4, .activation = "relu", .kernel_initializer = KRT_HE_NORMAL(.seed = 1)),
        BASE("dense") "'units': 4, 'activation': 'relu', 'use_bias': true, "
                      "'kernel_initializer': {'module': 'keras.initializers', 'class_name': "
                      "'HeNormal', 'config': {'seed': 1, 'input_axes': null, 'output_axes': null}, "
                      "'registered_name': null}, "
                      "'bias_initializer': {'module': 'keras.initializers', 'class_name': 'Zeros', "
                      "'config': {}, 'registered_name': null}, "
                      "'kernel_regularizer': null, 'bias_regularizer': null, "
                      "'kernel_constraint': null, 'bias_constraint': null, "
                      "'quantization_config': null}");
    krti_arena_free(&a);
}

TEST(a_written_config_reads_back_as_the_same_arguments)
{
    const krt_spec *const specs[] = {
        KRT_DENSE(3, .use_bias = false, .activation = "tanh"),
        KRT_SOFTMAX(.axis = {2, {1, 2}}),
        KRT_EMBEDDING(10, 4, .mask_zero = true),
        KRT_UP_SAMPLING2D(.size = {2, 3}, .interpolation = "bilinear"),
        KRT_RESIZING(3, 4, .antialias = true, .fill_value = 0.5),
        KRT_TIME_DISTRIBUTED(KRT_DENSE(2, .name = "inside")),
        KRT_EINSUM_DENSE("ab,bc->ac", KRT_SHAPE(4), .bias_axes = "c"),
        KRT_NORMALIZATION(.mean = KRT_NUMBERS(1, 2), .variance = KRT_NUMBERS(3, 4)),
    };
    ARENA;

    for (size_t i = 0; i < KRTI_COUNT(specs); i++) {
        krt_layer *first = layer_from(t->k, specs[i]), *second = NULL;
        krti_conf *object = krti_conf_dict(&a);
        krti_conf *config = krti_layer_to_conf(&a, first);

        krti_conf_set(&a, object, "class_name", krti_conf_string(&a, first->class_name));
        krti_conf_set(&a, object, "config", config);
        ASSERT_OK(krti_layer_from_conf(t->k, &second, object, 0));
        second->config = NULL; /* write from the arguments again */
        if (second->num_inner > 0)
            second->inner[0].layer->config = NULL;
        assert_string_equal(json_of(&a, krti_layer_to_conf(&a, second)), json_of(&a, config));
    }
    krti_arena_free(&a);
}

TEST(a_layer_from_a_file_keeps_its_config_as_it_was)
{
    ARENA;
    const char *text = "{'module': 'keras.layers', 'class_name': 'Dense', 'config': {'name': 'd', "
                       "'units': 2, 'use_bias': false, 'input_dim': 3}}";
    krt_layer *l = layer_of(&a, text);

    assert_string_equal(json_of(&a, krti_layer_to_conf(&a, l)),
                        "{\"name\": \"d\", \"units\": 2, \"use_bias\": false, \"input_dim\": 3}");
    krti_arena_free(&a);
}

/* ------------------------------------------------------------------------------- activations */

TEST(an_activation_is_a_name_a_function_or_a_layer)
{
    ARENA;
    krt_layer *l = layer_of(&a, "{'class_name': 'Dense', 'config': {'units': 2, 'activation': "
                                "{'module': 'builtins', 'class_name': 'function', 'config': "
                                "'relu', 'registered_name': 'function'}}}");

    ASSERT_STR_EQ("relu", ((const krt_dense_args *)l->args)->activation);
    ASSERT_INT_EQ(0, l->num_inner);
    l = layer_of(&a, "{'class_name': 'Dense', 'config': {'units': 2, 'activation': {'module': "
                     "'keras.layers', 'class_name': 'PReLU', 'config': {'name': 'p'}}}}");
    ASSERT_STR_EQ("@activation", ((const krt_dense_args *)l->args)->activation);
    ASSERT_INT_EQ(1, l->num_inner);
    ASSERT_STR_EQ("activation", l->inner[0].attribute);
    expect_shape(l, SHAPE(NONE, 3), "(None, 2)");
    ASSERT_INT_EQ(3, krt_layer_num_weights(l)); /* kernel, bias, alpha */
    ASSERT_STR_EQ("dense_1/p/alpha", krt_variable_path(krt_layer_weight(l, 2)));
    krti_arena_free(&a);
}

TEST(an_activation_nobody_knows_opens_and_does_not_run)
{
    ARENA;
    krt_layer *l = layer_of(&a, "{'class_name': 'Dense', 'config': {'name': 'd', 'units': 2, "
                                "'activation': {'module': 'm', 'class_name': 'function', 'config': "
                                "'pkg>mine', 'registered_name': 'pkg>mine'}}}");

    expect_failure(l, SHAPE(NONE, 3),
                   "Dense \"d\" uses the function \"pkg>mine\" as activation, which this build "
                   "does not know");
    l = layer_of(&a, "{'class_name': 'Dense', 'config': {'name': 'd', 'units': 2, 'activation': "
                     "{'class_name': '__lambda__', 'config': {'code': '4wAA'}}}}");
    expect_failure(l, SHAPE(NONE, 3),
                   "Dense \"d\" holds Python bytecode as activation, which is never executed here");
    l = layer_of(&a, "{'class_name': 'Dense', 'config': {'name': 'd', 'units': 2, 'activation': "
                     "'@activation'}}");
    expect_failure(l, SHAPE(NONE, 3), "uses the function \"@activation\"");
    krti_arena_free(&a);
}

TEST(hard_sigmoid_means_what_it_meant_to_the_writer)
{
    const char *text = "{'class_name': 'Activation', 'config': {'activation': 'hard_sigmoid'}}";
    const float x[3] = {-2.75f, 0.5f, 2.75f};
    float y[3];
    ARENA;

    run_layer(layer_of(&a, text), SHAPE(1, 3), x, y, 3);
    ASSERT_NEAR(((const float[3]){0.25f / 6, 3.5f / 6, 5.75f / 6}), y, 3, 1e-6, 1e-6);
    t->k->file_generation = 2;
    run_layer(layer_of(&a, text), SHAPE(1, 3), x, y, 3);
    t->k->file_generation = 0;
    ASSERT_NEAR(((const float[3]){0, 0.6f, 1}), y, 3, 1e-6, 1e-6);
    krti_arena_free(&a);
}

/* ------------------------------------------------------------------------------- memory */

typedef struct budget {
    long left; /* allocations until the first that fails */
    bool failed;
} budget;

static void *count_alloc(void *user, size_t size, size_t align)
{
    budget *b = user;

    if (b->left-- <= 0) {
        b->failed = true;
        return NULL;
    }
    return aligned_alloc(align, (size + align - 1) / align * align);
}

static void count_free(void *user, void *p, size_t size)
{
    (void)user;
    (void)size;
    free(p);
}

static void *count_resize(void *user, void *p, size_t old_size, size_t size, size_t align)
{
    void *q = count_alloc(user, size, align);

    if (q != NULL && p != NULL) {
        memcpy(q, p, old_size < size ? old_size : size);
        free(p);
    }
    return q;
}

/* From a config and from C, traced, initialized and written: the first failure of any of it. */
static krt_status everything(krt_ctx *k)
{
    const char *text =
        "{\"class_name\": \"TimeDistributed\", \"config\": {\"name\": \"td\", \"layer\": "
        "{\"class_name\": \"Dense\", \"config\": {\"units\": 4, \"activation\": "
        "{\"class_name\": \"PReLU\", \"config\": {}}, \"kernel_initializer\": {\"class_name\": "
        "\"VarianceScaling\", \"config\": {\"scale\": 2.0}}}}}}";
    krti_arena a = KRTI_ARENA_INIT(k);
    const krti_conf *object = NULL;
    krt_layer *l = NULL, *other = NULL;
    krti_graph *g = NULL;
    krt_value *in[1] = {NULL};
    krt_call c = {.num_in = 1, .in = in};
    krt_status st = KRT_OK;

    TRY(krti_json_parse(&a, &object, text, strlen(text)));
    TRY(krti_layer_from_conf(k, &l, object, 0));
    TRY(krti_layer_from_spec(k, &other,
                             KRT_NORMALIZATION(.mean = KRT_NUMBERS(1, 2, 3),
                                               .variance = KRT_NUMBERS(1, 2, 3), .name = "n")));
    TRY(krti_graph_new(k, &g));
    in[0] = krti_input(g, KRT_FLOAT32, SHAPE(2, 5, 3));
    st = in[0] != NULL ? krti_layer_trace(other, g, &c) : KRT_E_NOMEM;
    if (st == KRT_OK) {
        in[0] = c.out[0];
        st = krti_layer_trace(l, g, &c);
    }
    TRY(st);
    TRY(krti_layer_initialize(l));
    l->config = NULL;
    if (krti_layer_to_conf(&a, l) == NULL || krti_layer_to_conf(&a, other) == NULL)
        st = KRT_E_NOMEM;

done:
    krti_graph_free(g);
    krti_arena_free(&a);
    return st;
}

TEST(memory_that_runs_out_anywhere_is_reported)
{
    for (long n = 0;; n++) {
        budget b = {.left = LONG_MAX};
        krt_ctx *k = NULL;

        assert_int_equal(
            krt_ctx_new(&k, KRT_CTX(.allocator = {count_alloc, count_resize, count_free, &b})),
            KRT_OK);
        b.left = n;
        const krt_status st = everything(k);
        if (st != (b.failed ? KRT_E_NOMEM : KRT_OK))
            fail_msg("allocation %ld: %s, %s", n, krt_status_name(st), krt_ctx_error(k)->message);
        b.left = LONG_MAX;
        krt_ctx_free(k);
        if (!b.failed) {
            ASSERT_TRUE(n > 30); /* the sweep did sweep */
            break;
        }
    }
}

TEST(strings_print_as_python_prints_them)
{
    ARENA;
    krti_str s = KRTI_STR_INIT(t->k);

    krti_conf_repr(&s, conf_of(&a, "[null, true, false, 1, 1e-07, 2.0, 'a\\nb', {'k': []}]"));
    ASSERT_STR_EQ("[None, True, False, 1, 1e-07, 2.0, 'a\\nb', {'k': []}]", krti_str_text(&s));
    krti_str_clear(&s);
    krti_conf_repr(&s, krti_conf_string(&a, "it's"));
    ASSERT_STR_EQ("\"it's\"", krti_str_text(&s));
    krti_str_free(&s);
    krti_arena_free(&a);
}

int main(void)
{
    return RUN(
        UNIT(what_a_config_leaves_out_is_the_default), UNIT(plain_values_are_read),
        UNIT(tuples_are_numbers_or_lists), UNIT(pairs_have_four_forms),
        UNIT(shapes_and_axes_keep_what_is_unknown), UNIT(numbers_keep_how_they_were_nested),
        UNIT(wrapped_values_of_older_serializers_are_unwrapped), UNIT(what_does_not_fit_is_named),
        UNIT(base_keys_of_every_generation_are_accepted),
        UNIT(a_very_long_value_is_cut_in_a_message), UNIT(a_config_with_too_many_keys_is_refused),
        UNIT(strings_and_lists_of_a_spec_are_copied),
        UNIT(what_an_initializer_list_leaves_out_repeats_the_first),
        UNIT(a_bare_identifier_has_every_default), UNIT(what_c_gets_wrong_is_named),
        UNIT(a_layer_from_c_writes_the_config_its_python_twin_would),
        UNIT(initializers_are_written_as_objects),
        UNIT(a_written_config_reads_back_as_the_same_arguments),
        UNIT(a_layer_from_a_file_keeps_its_config_as_it_was),
        UNIT(an_activation_is_a_name_a_function_or_a_layer),
        UNIT(an_activation_nobody_knows_opens_and_does_not_run),
        UNIT(hard_sigmoid_means_what_it_meant_to_the_writer),
        UNIT(memory_that_runs_out_anywhere_is_reported), UNIT(strings_print_as_python_prints_them));
}
