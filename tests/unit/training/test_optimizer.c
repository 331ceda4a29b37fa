/* Optimizers as objects: variables in Keras's order, configs, refusals. */
#include "training/optimizer.h"
#include "training/object.h"
#include "training_testing.h"
#include <keratin/keratin.h>

static krt_model *small_model(testing *t)
{
    krt_model *m = krt_sequential(t->k, KRT_MODEL(.name = "s"));

    ASSERT_OK(krt_add_input(m, KRT_SHAPE(3), NULL));
    ASSERT_OK(krt_add(m, KRT_DENSE(2, .name = "d")));
    ASSERT_OK(krt_add(m, KRT_EMBEDDING(4, 2, .name = "emb")));
    return m;
}

/* Whether two lists of the same optimizer's variables agree; the dummies of Adafactor have no scope
 * in Keras. */
static void same_variable(const krti_optimizer_variable *v, const krti_conf *row)
{
    const char *const path = krti_conf_text(krti_conf_at(row, 0));
    const krti_conf *const shape = krti_conf_at(row, 1);

    ASSERT_STR_EQ(path, strchr(path, '/') != NULL ? v->path : strchr(v->path, '/') + 1);
    ASSERT_INT_EQ(krti_conf_num(shape), v->tensor->shape.rank);
    for (int i = 0; i < v->tensor->shape.rank; i++)
        ASSERT_TRUE(number(krti_conf_at(shape, (size_t)i)) == (double)v->tensor->shape.dim[i]);
    ASSERT_STR_EQ(krti_conf_text(krti_conf_at(row, 2)), krt_dtype_name(v->tensor->dtype));
}

TEST(every_optimizer_has_keras_variables_in_keras_order)
{
    krti_arena a = KRTI_ARENA_INIT(t->k);
    const krti_conf *rows = read_fixture(t, &a, "slots.json");
    krt_model *m = small_model(t);

    ASSERT_TRUE(krti_conf_num(rows) > 20);
    for (size_t i = 0; i < krti_conf_num(rows); i++) {
        const krti_conf *row = krti_conf_at(rows, i);
        const krti_conf *expected = krti_conf_get(row, "variables");
        krti_optimizer *o = NULL;
        krti_conf *again = NULL;

        ASSERT_OK(krti_optimizer_from_conf(m, &o, krti_conf_get(row, "object")));
        ASSERT_OK(krti_optimizer_build(o, m));
        const size_t inner = o->inner != NULL ? o->inner->num_variables : 0;
        ASSERT_INT_EQ(krti_conf_num(expected), o->num_variables + inner);
        for (size_t v = 0; v < o->num_variables; v++)
            same_variable(&o->variables[v], krti_conf_at(expected, v));
        for (size_t v = 0; v < inner; v++)
            same_variable(&o->inner->variables[v], krti_conf_at(expected, o->num_variables + v));
        ASSERT_OK(krti_optimizer_to_conf(o, &a, &again));
        ASSERT_TRUE(krti_conf_equal(krti_conf_get(row, "object"), again));
        krti_optimizer_free(o);
    }
    krti_arena_free(&a);
}

TEST(a_description_in_c_is_the_config_keras_writes)
{
    krti_arena a = KRTI_ARENA_INIT(t->k);
    const krti_conf *rows = read_fixture(t, &a, "slots.json");
    krt_model *m = small_model(t);
    const krt_spec *specs[] = {KRT_SGD(.name = "sgd"),
                               KRT_SGD(.name = "sgd_1", .learning_rate = 0.05, .momentum = 0.9)};

    for (size_t i = 0; i < KRTI_COUNT(specs); i++) {
        krti_conf *c = NULL, *with_rate = NULL;
        krti_optimizer *o = NULL;

        ASSERT_OK(krti_spec_to_conf(t->k, &a, &krti_optimizers, specs[i], &c));
        ASSERT_OK(krti_optimizer_from_conf(m, &o, c));
        ASSERT_OK(krti_optimizer_to_conf(o, &a, &with_rate));
        ASSERT_TRUE(krti_conf_equal(krti_conf_get(krti_conf_at(rows, i), "object"), with_rate));
        krti_optimizer_free(o);
    }
    krti_arena_free(&a);
}

TEST(bad_arguments_are_refused_in_keras_words)
{
    static const struct {
        const char *object, *says;
    } rows[] = {
        {"{\"class_name\": \"Adam\", \"config\": {\"clipnorm\": 1.0, \"clipvalue\": 0.5}}",
         "Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set. Received: "
         "clipnorm=1.0, clipvalue=0.5, global_clipnorm=None"},
        {"{\"class_name\": \"Adam\", \"config\": {\"decay\": 0.5}}",
         "Argument(s) not recognized: {'decay': 0.5}"},
        {"{\"class_name\": \"Sam\", \"config\": {}}",
         "Could not interpret optimizer identifier: Sam"},
        {"\"sam\"", "Could not interpret optimizer identifier: sam"},
        {"{\"class_name\": \"SGD\", \"config\": {\"momentum\": 1.5}}",
         "`momentum` must be a float between [0, 1]"},
        {"{\"class_name\": \"SGD\", \"config\": {\"learning_rate\": {\"class_name\": "
         "\"PolynomialDecay\", \"config\": {\"decay_steps\": 0}}}}",
         "Argument `decay_steps` must be > 0. Received: decay_steps=0"},
        {"{\"class_name\": \"SGD\", \"config\": {\"learning_rate\": {\"class_name\": "
         "\"PiecewiseConstantDecay\", \"config\": {\"boundaries\": [3, 2], \"values\": [1, 2, "
         "3]}}}}",
         "boundaries must increase"},
        {"{\"class_name\": \"SGD\", \"config\": {\"learning_rate\": {\"class_name\": "
         "\"PiecewiseConstantDecay\", \"config\": {\"boundaries\": [3], \"values\": [1]}}}}",
         "The length of boundaries should be 1 less than the length of values"},
        {"{\"class_name\": \"SGD\", \"config\": {\"learning_rate\": \"fast\"}}",
         "argument learning_rate of SGD must be"},
        {"{\"class_name\": \"Adam\", \"config\": {\"gradient_accumulation_steps\": 1}}",
         "`gradient_accumulation_steps` must be an integer >= 2"},
        {"{\"class_name\": \"Lion\", \"config\": {\"beta_1\": 0}}", "Argument `beta_1` must be in"},
        {"{\"class_name\": \"Muon\", \"config\": {\"exclude_layers\": [\"out(put\"]}}",
         "missing ), unterminated subpattern at position 7 of the pattern \"out(put\""},
        {"{\"class_name\": \"LossScaleOptimizer\", \"config\": {}}", "needs an inner_optimizer"},
        {"[]", "Could not interpret optimizer identifier: []"},
    };
    krt_model *m = small_model(t);

    for (size_t i = 0; i < KRTI_COUNT(rows); i++) {
        krti_arena a = KRTI_ARENA_INIT(t->k);
        const krti_conf *c = NULL;
        krti_optimizer *o = NULL;

        ASSERT_OK(krti_json_parse(&a, &c, rows[i].object, strlen(rows[i].object)));
        ASSERT_TRUE(krti_optimizer_from_conf(m, &o, c) != KRT_OK);
        ASSERT_TRUE(o == NULL);
        ASSERT_SAYS(rows[i].says);
        krti_arena_free(&a);
    }
}

TEST(settings_of_an_unknown_optimizer_are_kept)
{
    static const char text[] = "{\"optimizer\": {\"class_name\": \"Sam\", \"config\": {}}, "
                               "\"loss\": \"mse\"}";
    krti_arena a = KRTI_ARENA_INIT(t->k);
    const krti_conf *c = NULL;
    krti_optimizer *o = NULL;
    krt_model *m = small_model(t);

    ASSERT_OK(krti_model_optimizer(m, &o));
    ASSERT_TRUE(o == NULL);
    ASSERT_OK(krti_json_parse(&a, &c, text, strlen(text)));
    ASSERT_OK(krti_set_compile_config(m, c));
    ASSERT_STATUS(KRT_E_UNKNOWN_CLASS, krti_model_optimizer(m, &o));
    ASSERT_TRUE(krti_conf_equal(c, krti_compile_config(m)));
    krti_arena_free(&a);
}

TEST(slots_are_found_by_name_and_have_tf_keras_words)
{
    krti_arena a = KRTI_ARENA_INIT(t->k);
    krti_optimizer *o = NULL;
    krt_model *m = small_model(t);
    krt_variable *kernel = krt_layer_weight(krt_get_layer(m, "d"), 0);

    ASSERT_OK(krti_optimizer_from_conf(m, &o, krti_conf_string(&a, "rmsprop")));
    ASSERT_OK(krti_optimizer_build(o, m));
    krti_optimizer_variable *v = krti_optimizer_find(o, "velocity", kernel);
    ASSERT_TRUE(v != NULL && v->of == kernel);
    ASSERT_TRUE(krti_optimizer_find(o, "momentum", kernel) == NULL);
    ASSERT_STR_EQ("rms", krti_optimizer_tf_slot(o, "velocity", true));
    ASSERT_STR_EQ("velocity", krti_optimizer_tf_slot(o, "velocity", false));
    krti_optimizer_free(o);
    krti_arena_free(&a);
}

TEST(frozen_layers_have_no_slots)
{
    krti_arena a = KRTI_ARENA_INIT(t->k);
    krti_optimizer *o = NULL;
    krt_model *m = krt_sequential(t->k, NULL);

    ASSERT_OK(krt_add_input(m, KRT_SHAPE(3), NULL));
    ASSERT_OK(krt_add(m, KRT_DENSE(2, .trainable = false)));
    ASSERT_OK(krt_add(m, KRT_DENSE(2)));
    ASSERT_OK(krti_optimizer_from_conf(m, &o, krti_conf_string(&a, "lion")));
    ASSERT_OK(krti_optimizer_build(o, m));
    ASSERT_INT_EQ(4, o->num_variables);
    krti_optimizer_free(o);
    krti_arena_free(&a);
}

/* Names of slots as Keras 3.15 gives them: in the scope of the Sequential that built the layer, and of the
 * wrapper it lies in. */
TEST(slots_are_named_in_the_scope_of_what_built_the_layer)
{
    static const char json[] =
        "{'class_name': 'Sequential', 'config': {'name': 'root', 'layers': [{'class_name': "
        "'InputLayer', 'config': {'batch_shape': [null, 4, 3], 'name': 'x'}}, {'class_name': "
        "'TimeDistributed', 'config': {'name': 'td', 'layer': {'class_name': 'Dense', 'config': "
        "{'name': 'of', 'units': 3}}}}, {'class_name': 'TimeDistributed', 'config': {'name': "
        "'tds', "
        "'layer': {'class_name': 'Sequential', 'config': {'name': 'seq', 'layers': [{'class_name': "
        "'InputLayer', 'config': {'batch_shape': [null, 3], 'name': 'y'}}, {'class_name': 'Dense', "
        "'config': {'name': 'in', 'units': 2}}]}}}}]}}";
    static const char *const paths[] = {"sgd/root_td_of_kernel_momentum",
                                        "sgd/root_td_of_bias_momentum",
                                        "sgd/seq_in_kernel_momentum", "sgd/seq_in_bias_momentum"};
    krti_optimizer *o = NULL;
    krt_model *m = NULL;
    char text[sizeof json];

    for (size_t i = 0; i < sizeof json; i++)
        text[i] = json[i] == '\'' ? '"' : json[i];
    ASSERT_OK(krt_from_json(t->k, &m, text, NULL));
    ASSERT_OK(krt_compile_json(m,
                               "{\"optimizer\": {\"class_name\": \"SGD\", \"config\": {\"name\": "
                               "\"sgd\", \"momentum\": 0.9}}, \"loss\": \"mse\"}"));
    ASSERT_OK(krti_model_optimizer(m, &o));
    ASSERT_OK(krti_optimizer_build(o, m));
    ASSERT_INT_EQ(2 + 4, o->num_variables);
    for (size_t i = 0; i < 4; i++)
        ASSERT_STR_EQ(paths[i], o->variables[2 + i].path);
}

TEST(an_inner_optimizer_may_be_a_name)
{
    krt_model *m = krt_sequential(t->k, NULL);
    krti_optimizer *o = NULL;

    ASSERT_OK(krt_add_input(m, KRT_SHAPE(3), NULL));
    ASSERT_OK(krt_add(m, KRT_DENSE(2)));
    ASSERT_OK(krt_compile_json(m,
                               "{\"optimizer\": {\"class_name\": \"LossScaleOptimizer\", "
                               "\"config\": {\"inner_optimizer\": \"adam\"}}, \"loss\": \"mse\"}"));
    ASSERT_OK(krti_model_optimizer(m, &o));
    ASSERT_STR_EQ("Adam", o->inner->class_name);
}

int main(void)
{
    return RUN(UNIT(every_optimizer_has_keras_variables_in_keras_order),
               UNIT(a_description_in_c_is_the_config_keras_writes),
               UNIT(bad_arguments_are_refused_in_keras_words),
               UNIT(settings_of_an_unknown_optimizer_are_kept),
               UNIT(slots_are_found_by_name_and_have_tf_keras_words),
               UNIT(frozen_layers_have_no_slots),
               UNIT(slots_are_named_in_the_scope_of_what_built_the_layer),
               UNIT(an_inner_optimizer_may_be_a_name));
}
