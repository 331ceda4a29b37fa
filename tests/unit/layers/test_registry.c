/* Tests of src/layers/registry.c: from names to classes, from objects of a file to layers. */
#include "tracing.h"

#define ARENA krti_arena a = KRTI_ARENA_INIT(t->k)

static krt_status twice(const krt_layer *l, const void *args, krt_call *c)
{
    krt_value *x = krt_call_input(c, 0);

    (void)l;
    (void)args;
    return krt_call_output(c, 0, krti_add(c->g, x, x));
}

typedef struct twice_args {
    krt_spec spec;
    double factor;
    const char *name;
    bool trainable;
} twice_args;

static const twice_args twice_defaults = {
    .spec = {sizeof(twice_args), "my>Twice"}, .factor = 2, .trainable = true};
static const krt_field twice_fields[] = {KRT_FIELD(twice_args, FLOAT, factor),
                                         KRT_BASE_FIELDS(twice_args)};
static const krt_layer_class twice_class = {
    .struct_size = sizeof twice_class,
    .package = "my",
    .name = "Twice",
    .defaults = &twice_defaults.spec,
    .fields = twice_fields,
    .num_fields = KRTI_COUNT(twice_fields),
    .call = twice,
};

/* ------------------------------------------------------------------------------- classes */

TEST(every_built_in_class_is_found_by_its_name)
{
    size_t n = 0;

    for (; krti_class_at(n) != NULL; n++) {
        const krt_layer_class *c = krti_class_at(n);

        assert_ptr_equal(krti_class_find(t->k, c->name), c);
        assert_non_null(c->defaults);
        assert_non_null(c->call);
        const krt_layer_class *named = krti_class_find(t->k, c->defaults->class_name);
        assert_ptr_equal(c->defaults, named->defaults); /* its own, or those it shares */
    }
    ASSERT_TRUE(n > 100);
    assert_null(krti_class_find(t->k, "Dens"));
    assert_null(krti_class_find(t->k, "my>Dense"));
}

/* What krt_register() asks of a host holds for the built-in tables too. */
TEST(every_field_of_a_built_in_class_lies_in_its_arguments)
{
    for (size_t i = 0; krti_class_at(i) != NULL; i++) {
        krt_layer_class c = *krti_class_at(i);
        char package[32];

        snprintf(package, sizeof package, "p%zu", i);
        c.package = package;
        c.flags &= KRTI_LAYER_HOOKS - 1u; /* the others are Keras's own classes' alone */
        ASSERT_OK(krt_register(t->k, &c));
        assert_ptr_equal(krti_map_value_at(t->k->classes, i), &c);
        for (size_t f = 0; f < c.num_fields; f++)
            for (size_t g = 0; g < f; g++)
                assert_string_not_equal(c.fields[f].key, c.fields[g].key);
    }
}

TEST(every_built_in_layer_has_a_name_and_can_be_frozen)
{
    for (size_t i = 0; krti_class_at(i) != NULL; i++) {
        const krt_layer_class *c = krti_class_at(i);
        int found = 0;

        for (size_t f = 0; f < c->num_fields; f++)
            found +=
                strcmp(c->fields[f].key, "name") == 0 || strcmp(c->fields[f].key, "trainable") == 0;
        ASSERT_INT_EQ(2, found);
    }
}

/* docs/keras_map.md promises one row a class. */
TEST(every_built_in_layer_has_its_row_in_the_map)
{
    FILE *f = fopen(KERATIN_SOURCE "/docs/keras_map.md", "r");
    static char map[1 << 16];

    assert_non_null(f);
    const size_t n = fread(map, 1, sizeof map - 1, f);
    fclose(f);
    ASSERT_TRUE(n < sizeof map - 1);
    map[n] = '\0';
    for (size_t i = 0; krti_class_at(i) != NULL; i++) {
        char row[128];

        snprintf(row, sizeof row, "\n| %s |", krti_class_at(i)->name);
        if (strstr(map, row) == NULL)
            fail_msg("%s has no row in docs/keras_map.md", krti_class_at(i)->name);
    }
}

TEST(a_registered_class_is_made_from_c_and_from_a_config)
{
    ARENA;
    const float x[2] = {1, -3};
    float y[2];

    ASSERT_OK(krt_register(t->k, &twice_class));
    krt_layer *l = layer_from(t->k, &twice_defaults.spec);
    ASSERT_STR_EQ("twice", krt_layer_name(l));
    ASSERT_STR_EQ("Twice", krt_layer_class_name(l));
    ASSERT_STR_EQ("my", l->package);
    run_layer(l, SHAPE(1, 2), x, y, 2);
    ASSERT_NEAR(((const float[2]){2, -6}), y, 2, 0, 0);
    l = layer_of(&a, "{'module': 'mine.layers', 'class_name': 'Twice', 'registered_name': "
                     "'my>Twice', 'config': {'name': 'd', 'factor': 3}}");
    assert_ptr_equal(l->cls, &twice_class);
    assert_true(((const twice_args *)l->args)->factor == 3);
    l = layer_of(&a, "{'class_name': 'my>Twice', 'config': {}}"); /* Keras 2's spelling */
    assert_ptr_equal(l->cls, &twice_class);
    ASSERT_STR_EQ("twice_1", krt_layer_name(l));
    krti_arena_free(&a);
}

TEST(a_class_is_registered_once_and_whole)
{
    krt_layer_class c = twice_class;
    krt_field outside = KRT_FIELD(twice_args, FLOAT, factor);

    ASSERT_OK(krt_register(t->k, &twice_class));
    ASSERT_STATUS(KRT_E_EXISTS, krt_register(t->k, &twice_class));
    ASSERT_SAYS("class my>Twice is already registered");
    c.struct_size += 8;
    ASSERT_STATUS(KRT_E_UNSUPPORTED, krt_register(t->k, &c));
    c = twice_class;
    c.call = NULL;
    ASSERT_STATUS(KRT_E_INVALID, krt_register(t->k, &c));
    ASSERT_SAYS("a layer class needs a call");
    c = twice_class;
    c.flags = KRTI_LAYER_HOOKS;
    ASSERT_STATUS(KRT_E_INVALID, krt_register(t->k, &c));
    ASSERT_SAYS("flags 0x10000 are not known");
    c = twice_class;
    c.defaults = NULL;
    ASSERT_STATUS(KRT_E_INVALID, krt_register(t->k, &c));
    c = twice_class;
    outside.offset = sizeof(twice_args) - 4;
    c.fields = &outside;
    c.num_fields = 1;
    ASSERT_STATUS(KRT_E_INVALID, krt_register(t->k, &c));
    ASSERT_SAYS("field \"factor\" lies outside the arguments");
    outside.kind = (krt_field_kind)99;
    ASSERT_STATUS(KRT_E_INVALID, krt_register(t->k, &c));
    ASSERT_STATUS(KRT_E_INVALID, krt_register(t->k, NULL));
}

/* ------------------------------------------------------------------------------- whose class */

TEST(a_class_of_somebody_else_is_not_keras_s)
{
    static const char *const custom[] = {
        "{'module': 'my_layers', 'class_name': 'Dense', 'registered_name': 'Dense', 'config': {}}",
        "{'module': null, 'class_name': 'Dense', 'registered_name': 'pkg>Dense', 'config': {}}",
        "{'class_name': 'pkg>Dense', 'config': {}}",
        "{'module': 'kerasy', 'class_name': 'Dense', 'config': {'units': 2}}",
    };
    static const char *const own[] = {
        ("{'module': 'keras.layers', 'class_name': 'Dense', 'registered_name': null, 'config': "
         "{'units': 2}}"),
        "{'module': 'tf_keras.layers', 'class_name': 'Dense', 'config': {'units': 2}}",
        "{'module': 'keras.src.layers.core.dense', 'class_name': 'Dense', 'config': {'units': 2}}",
        "{'class_name': 'Dense', 'config': {'units': 2}}",
    };
    ARENA;

    for (size_t i = 0; i < KRTI_COUNT(custom); i++)
        assert_null(layer_of(&a, custom[i])->cls);
    for (size_t i = 0; i < KRTI_COUNT(own); i++)
        assert_non_null(layer_of(&a, own[i])->cls);
    krti_arena_free(&a);
}

TEST(a_layer_of_an_unknown_class_opens_and_names_itself_when_run)
{
    ARENA;
    krt_layer *l = layer_of(&a, "{'module': 'm', 'class_name': 'TokenAndPositionEmbedding', "
                                "'registered_name': 'pkg>TokenAndPositionEmbedding', 'config': "
                                "{'name': 'pos_emb', 'trainable': false, 'dtype': "
                                "'mixed_float16', 'anything': [1, 2]}}");

    ASSERT_STR_EQ("pos_emb", krt_layer_name(l));
    ASSERT_STR_EQ("TokenAndPositionEmbedding", krt_layer_class_name(l));
    ASSERT_STR_EQ("pkg", l->package);
    ASSERT_TRUE(!krt_layer_trainable(l));
    ASSERT_STR_EQ("mixed_float16", l->dtype_policy);
    expect_failure(l, SHAPE(NONE, 3),
                   "layer \"pos_emb\" has the custom class TokenAndPositionEmbedding: its weights "
                   "are readable, running it needs krt_register()");
    krti_arena_free(&a);
}

TEST(lambda_is_known_and_refused)
{
    ARENA;
    krt_layer *l = layer_of(&a, "{'module': 'keras.layers', 'class_name': 'Lambda', 'config': "
                                "{'name': 'lambda_1', 'function': {'class_name': '__lambda__', "
                                "'config': {'code': '4wEAAA==', 'defaults': null, 'closure': "
                                "null}}, 'arguments': {}}}");

    expect_failure(l, SHAPE(NONE, 3),
                   "Lambda \"lambda_1\" holds Python bytecode, which is never executed here");
    l = layer_of(&a,
                 "{'class_name': 'Lambda', 'config': {'name': 'old', 'function': ['4wEAAA==\\n', "
                 "null, null], 'function_type': 'lambda', 'module': '__main__', 'output_shape': "
                 "null, 'output_shape_type': 'raw', 'output_shape_module': null, 'arguments': "
                 "{}}}");
    expect_failure(l, SHAPE(NONE, 3), "Lambda \"old\" holds Python bytecode");
    l = layer_of(&a, "{'class_name': 'Lambda', 'config': {'name': 'named', 'function': {'module': "
                     "'builtins', 'class_name': 'function', 'config': 'pkg>scale', "
                     "'registered_name': 'function'}}}");
    expect_failure(l, SHAPE(NONE, 3),
                   "Lambda \"named\" calls the Python function \"pkg>scale\", which this build "
                   "cannot run");
    krti_arena_free(&a);
}

/* ------------------------------------------------------------------------------- base */

TEST(names_are_given_as_keras_gives_them)
{
    ARENA;

    ASSERT_STR_EQ("dense", krt_layer_name(layer_from(t->k, KRT_DENSE(1))));
    ASSERT_STR_EQ("dense_1", krt_layer_name(layer_from(t->k, KRT_DENSE(1))));
    ASSERT_STR_EQ("p_re_lu", krt_layer_name(layer_from(t->k, KRT_PRELU())));
    ASSERT_STR_EQ("re_lu", krt_layer_name(layer_from(t->k, KRT_RELU())));
    ASSERT_STR_EQ("up_sampling2d", krt_layer_name(layer_from(t->k, KRT_UP_SAMPLING2D())));
    ASSERT_STR_EQ("mine", krt_layer_name(layer_from(t->k, KRT_DENSE(1, .name = "mine"))));
    ASSERT_STR_EQ("dense_2", krt_layer_name(layer_of(&a, "{'class_name': 'Dense', 'config': "
                                                         "{'units': 1}}")));
    ASSERT_STR_EQ("outside", krt_layer_name(layer_of(&a, "{'class_name': 'Dense', 'name': "
                                                         "'outside', 'config': {'units': 1}}")));
    ASSERT_TRUE(!krt_layer_trainable(layer_from(t->k, KRT_DENSE(1, .trainable = false))));
    krti_arena_free(&a);
}

TEST(dtype_policies_of_every_generation_are_read)
{
    static const struct {
        const char *dtype, *policy, *unsupported;
    } cases[] = {
        {"'float32'", "float32", NULL},
        {"'mixed_bfloat16'", "mixed_bfloat16", NULL},
        {"null", "float32", NULL},
        {"{'module': 'keras', 'class_name': 'DTypePolicy', 'config': {'name': 'mixed_float16'}, "
         "'registered_name': null}",
         "mixed_float16", NULL},
        {"{'class_name': 'Policy', 'config': {'name': 'mixed_float16', 'loss_scale': null}}",
         "mixed_float16", NULL},
        {"{'class_name': 'PolicyV1', 'config': {'name': 'float64'}}", "float64", NULL},
        {"{'module': 'keras', 'class_name': 'DTypePolicyMap', 'config': {'default_policy': null, "
         "'policy_map': {}}}",
         "float32", NULL},
        {"{'module': 'keras.dtype_policies', 'class_name': 'QuantizedDTypePolicy', 'config': "
         "{'mode': 'int8', 'source_name': 'float32'}}",
         "float32", "Dense \"d\" is quantized (int8), which this build does not run"},
        {"{'class_name': 'Int4DTypePolicy', 'config': {'mode': 'int4/128', 'source_name': "
         "'bfloat16'}}",
         "bfloat16", "Dense \"d\" is quantized (int4/128), which this build does not run"},
        {"'int8_from_float32'", "int8_from_float32",
         "Dense \"d\" is quantized (int8), which this build does not run"},
        {"'gptq/4/128_from_mixed_bfloat16'", "gptq/4/128_from_mixed_bfloat16",
         "Dense \"d\" is quantized (gptq/4/128), which this build does not run"},
    };
    ARENA;

    for (size_t i = 0; i < KRTI_COUNT(cases); i++) {
        char text[512];

        snprintf(text, sizeof text,
                 "{'class_name': 'Dense', 'config': {'name': 'd', 'units': 2, 'dtype': %s}}",
                 cases[i].dtype);
        krt_layer *l = layer_of(&a, text);
        ASSERT_STR_EQ(cases[i].policy, l->dtype_policy);
        if (cases[i].unsupported != NULL)
            expect_failure(l, SHAPE(NONE, 3), cases[i].unsupported);
        else
            expect_shape(l, SHAPE(NONE, 3), "(None, 2)");
    }
    krti_arena_free(&a);
}

/* ------------------------------------------------------------------------------- bad objects */

TEST(an_object_that_is_none_is_refused_in_keras_s_words)
{
    static const char *const bad[] = {"3",
                                      "null",
                                      "[]",
                                      "{}",
                                      "{'class_name': 'Dense'}",
                                      "{'class_name': 3, 'config': {}}",
                                      "{'config': {}}"};
    ARENA;
    krt_layer *l = NULL;

    for (size_t i = 0; i < KRTI_COUNT(bad); i++) {
        ASSERT_STATUS(KRT_E_FORMAT, krti_layer_from_conf(t->k, &l, conf_of(&a, bad[i]), 0));
        ASSERT_SAYS("Improper config format for ");
        ASSERT_SAYS("Expecting python dict contains `class_name` and `config` as keys");
        assert_null(l);
    }
    krti_arena_free(&a);
}

TEST(wrappers_nest_only_so_deep)
{
    ARENA;
    krti_str s = KRTI_STR_INIT(t->k);
    krt_layer *l = NULL;

    for (int i = 0; i < 100; i++)
        krti_str_add(&s, "{'class_name': 'TimeDistributed', 'config': {'layer': ");
    krti_str_add(&s, "{'class_name': 'Dense', 'config': {'units': 1}}");
    for (int i = 0; i < 100; i++)
        krti_str_add(&s, "}}");
    ASSERT_STATUS(KRT_E_FORMAT, krti_layer_from_conf(t->k, &l, conf_of(&a, krti_str_text(&s)), 0));
    ASSERT_SAYS("layers are nested more than 64 deep");
    krti_str_clear(&s);
    for (int i = 0; i < 100; i++)
        krti_str_add(&s, "{'class_name': 'Activation', 'config': {'activation': ");
    krti_str_add(&s, "'relu'");
    for (int i = 0; i < 100; i++)
        krti_str_add(&s, "}}");
    ASSERT_STATUS(KRT_E_FORMAT, krti_layer_from_conf(t->k, &l, conf_of(&a, krti_str_text(&s)), 0));
    ASSERT_SAYS("layers are nested more than 64 deep");
    krti_str_free(&s);
    krti_arena_free(&a);
}

int main(void)
{
    return RUN(
        UNIT(every_built_in_class_is_found_by_its_name),
        UNIT(every_field_of_a_built_in_class_lies_in_its_arguments),
        UNIT(every_built_in_layer_has_a_name_and_can_be_frozen),
        UNIT(every_built_in_layer_has_its_row_in_the_map),
        UNIT(a_registered_class_is_made_from_c_and_from_a_config),
        UNIT(a_class_is_registered_once_and_whole), UNIT(a_class_of_somebody_else_is_not_keras_s),
        UNIT(a_layer_of_an_unknown_class_opens_and_names_itself_when_run),
        UNIT(lambda_is_known_and_refused), UNIT(names_are_given_as_keras_gives_them),
        UNIT(dtype_policies_of_every_generation_are_read),
        UNIT(an_object_that_is_none_is_refused_in_keras_s_words), UNIT(wrappers_nest_only_so_deep));
}
