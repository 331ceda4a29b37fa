/* saving/saving_api.c: one model in every kind of file gives one set of answers. */
#include "unit/saving/answers.h"

#include "models/model.h"

/* The cases of tests/fixtures/containers, a file of answers each. */
static const char *const cases[] = {
    "keras3_sequential_cnn",
    "keras3_residual",
    "keras3_siamese",
    "keras3_functional_in_functional_in_sequential",
    "keras3_dict_inputs",
    "keras3_two_outputs",
    "keras3_trained",
    "keras3_mlp_mixer",
    "keras3_odd_names",
    "keras3_mixed_float16",
    "keras3_half_weights",
    "keras2_mlp",
    "keras2_cnn_trained",
    "keras2_residual",
    "keras2_layer_zoo",
    "keras2_nested",
    "keras2_nested_in_sequential",
    "keras2_shared_two_inputs",
    "keras2_dict_inputs",
    "keras2_mixed_float16",
    "keras2_preprocessing",
};

static const char *container(const char *name, const char *suffix)
{
    char path[300];

    snprintf(path, sizeof path, "containers/%s%s", name, suffix);
    return fixture(path);
}

static bool exists(const char *path)
{
    return krti_path_kind_of(path) != KRTI_PATH_NONE;
}

TEST(a_whole_model_of_any_form_answers_as_keras_did)
{
    static const char *const forms[] = {".keras", ".h5", "_directory"};
    int found = 0;

    for (size_t i = 0; i < KRTI_COUNT(cases); i++)
        for (size_t j = 0; j < KRTI_COUNT(forms); j++) {
            const char *path = container(cases[i], forms[j]);
            krt_report *report = NULL;
            krt_model *m = NULL;

            if (!exists(path))
                continue;
            found++;
            ASSERT_OK(krt_load(t->k, &m, path, KRT_LOAD(.report = &report)));
            ASSERT_INT_EQ(krt_report_size(report), krt_report_count(report, KRT_LOADED) +
                                                       krt_report_count(report, KRT_OPTIMIZER));
            assert_answers(t, m, container(cases[i], ".npz"), path);
            krt_report_free(report);
            krt_model_free(m);
        }
    assert_true(found > 45);
}

TEST(an_architecture_with_weights_of_any_form_answers_as_keras_did)
{
    static const char *const forms[] = {".weights.h5", "_weights.h5", "_sharded.weights.json",
                                        ".h5", ".keras"};
    int found = 0;

    for (size_t i = 0; i < KRTI_COUNT(cases); i++)
        for (size_t j = 0; j < KRTI_COUNT(forms); j++) {
            const char *path = container(cases[i], forms[j]);
            krt_model *m = NULL;

            if (!exists(path))
                continue;
            found++;
            ASSERT_OK(krt_load(t->k, &m, container(cases[i], ".json"), KRT_LOAD(.weights = path)));
            assert_answers(t, m, container(cases[i], ".npz"), path);
            krt_model_free(m);
            ASSERT_OK(krt_load(t->k, &m, path, KRT_LOAD(.config = container(cases[i], ".json"))));
            krt_model_free(m);
        }
    assert_true(found >= 80);
}

TEST(a_model_is_loaded_from_memory_and_its_weights_lie_there)
{
    size_t size = 0;
    unsigned char *data = read_all(fixture("containers/keras2_mlp.h5"), &size);
    krt_model *m = NULL;

    ASSERT_OK(krt_load_memory(t->k, &m, data, size, NULL));
    assert_answers(t, m, fixture("containers/keras2_mlp.npz"), "memory");
    for (size_t i = 0; i < krt_layer_num_weights(&m->base); i++) {
        const unsigned char *p = krt_variable_data(krt_layer_weight(&m->base, i));

        assert_true(p >= data && p < data + size);
    }
    krt_model_free(m);
    free(data);
}

/* The bytes at every address modulo the element size: the parsers and kernels may not care. */
TEST(a_model_in_memory_at_any_address_answers_the_same)
{
    size_t size = 0;
    unsigned char *data = read_all(fixture("containers/keras2_cnn_trained.h5"), &size);
    unsigned char *room = malloc(size + 8);

    for (size_t shift = 0; shift < 4; shift++) {
        krt_model *m = NULL;

        memcpy(room + shift, data, size);
        ASSERT_OK(krt_load_memory(t->k, &m, room + shift, size, NULL));
        assert_answers(t, m, fixture("containers/keras2_cnn_trained.npz"), "shifted memory");
        for (size_t i = 0; i < krt_layer_num_weights(&m->base); i++)
            ASSERT_INT_EQ(0, (uintptr_t)krt_variable_data(krt_layer_weight(&m->base, i)) % 4);
        krt_model_free(m);
    }
    free(room);
    free(data);
}

TEST(a_run_that_lives_across_a_load_uses_the_new_weights)
{
    krt_model *m = NULL;
    krt_run *run = NULL;
    const krt_shape shape = {2, {1, 4}};
    const float x[4] = {1, 2, 3, 4};
    const void *data[] = {x};
    float before[8], after[8];

    ASSERT_OK(krt_load(t->k, &m, fixture("saving/dense.json"),
                       KRT_LOAD(.weights = fixture("saving/dense_plain.weights.h5"))));
    krt_shape in = krt_model_input_shape(m, 0);
    in.dim[0] = 1;
    ASSERT_INT_EQ(shape.rank, in.rank);
    ASSERT_OK(krt_run_new(m, &run, NULL));
    float *long_x = calloc((size_t)in.dim[1], sizeof *long_x);
    memcpy(long_x, x, sizeof(float) * (size_t)(in.dim[1] < 4 ? in.dim[1] : 4));
    data[0] = long_x;
    ASSERT_OK(krt_run_call(run, data, &in, 1));
    const size_t n = (size_t)krt_shape_size(krt_run_output_shape(run, 0));
    assert_true(n <= 8);
    memcpy(before, krt_run_output(run, 0), n * sizeof(float));
    ASSERT_OK(krt_load_weights(m, fixture("saving/dense_plain.weights.h5"), NULL));
    ASSERT_OK(krt_run_call(run, data, &in, 1));
    memcpy(after, krt_run_output(run, 0), n * sizeof(float));
    assert_memory_equal(before, after, n * sizeof(float));
    krt_run_free(run);
    free(long_x);
}

TEST(weights_from_a_file_are_used_in_its_mapping)
{
    krt_model *m = NULL;

    ASSERT_OK(krt_load(t->k, &m, fixture("saving/dense.json"),
                       KRT_LOAD(.weights = fixture("saving/dense_plain.weights.h5"))));
    for (size_t i = 0; i < 2; i++) {
        const krt_variable *v = krt_layer_weight(&m->base, i);

        assert_non_null(v->tensor->source);
        assert_true(v->tensor->source->mapped);
        assert_false(v->tensor->writable);
    }
}

TEST(from_json_makes_a_model_that_weights_can_be_loaded_into)
{
    size_t size = 0;
    char *json = read_all(fixture("containers/keras3_residual.json"), &size);
    krt_model *m = NULL;

    json[size] = '\0';
    ASSERT_OK(krt_from_json(t->k, &m, json, NULL));
    assert_null(krt_variable_data(krt_layer_weight(&m->base, 0)));
    ASSERT_OK(krt_load_weights(m, fixture("containers/keras3_residual.weights.h5"), NULL));
    assert_answers(t, m, fixture("containers/keras3_residual.npz"), "from_json");
    ASSERT_OK(
        krt_load_weights(m, fixture("containers/keras3_residual_sharded.weights.json"), NULL));
    assert_answers(t, m, fixture("containers/keras3_residual.npz"), "loaded twice");
    free(json);
}

TEST(a_bare_get_config_is_an_architecture_too)
{
    static const char list[] =
        "[{\"class_name\": \"Dense\", \"config\": {\"name\": \"dense\", \"units\": 3, "
        "\"batch_input_shape\": [null, 4]}}]";
    static const char dict[] =
        "{\"name\": \"s\", \"layers\": [{\"class_name\": \"Dense\", \"config\": {\"name\": "
        "\"dense\", \"units\": 3, \"batch_input_shape\": [null, 4]}}]}";
    const char *const texts[] = {list, dict};

    for (size_t i = 0; i < 2; i++) {
        krt_model *m = NULL;

        ASSERT_OK(krt_from_json(t->k, &m, texts[i], NULL));
        ASSERT_STR_EQ("Sequential", krt_model_class_name(m));
        ASSERT_OK(krt_load_weights(m, fixture("saving/dense_plain.weights.h5"), NULL));
    }
}

TEST(config_only_leaves_the_weights_unread)
{
    krt_model *m = NULL;

    ASSERT_OK(
        krt_load(t->k, &m, fixture("containers/keras2_mlp.h5"), KRT_LOAD(.config_only = true)));
    assert_null(krt_variable_data(krt_layer_weight(&m->base, 0)));
    ASSERT_OK(
        krt_load(t->k, &m, fixture("containers/keras2_mlp.json"), KRT_LOAD(.config_only = true)));
    ASSERT_INT_EQ(43, krt_model_count_params(m));
}

/* --- files that hold half of a model --- */

TEST(weights_without_an_architecture_say_what_they_are)
{
    const char *path = fixture("containers/keras2_mlp_weights.h5");
    krt_model *m = NULL;
    char says[2048];

    snprintf(says, sizeof says,
             "No model config found in the file at %s (Keras 2: No model found in config file). "
             "keras2_mlp_weights.h5 holds weights only (2 "
             "layers, 14.7 KB, Keras 2.21.0). Give the architecture with --config model.json, or "
             "see the weights with: keratin weights keras2_mlp_weights.h5",
             path);
    ASSERT_STATUS(KRT_E_FORMAT, krt_load(t->k, &m, path, NULL));
    ASSERT_STR_EQ(says, krt_ctx_error(t->k)->message);
    ASSERT_STATUS(
        KRT_E_FORMAT,
        krt_load(t->k, &m, fixture("containers/keras3_trained_sharded.weights.json"), NULL));
    ASSERT_SAYS("holds weights only (3 layers, ");
}

TEST(an_architecture_without_weights_says_so)
{
    krt_model *m = NULL;

    ASSERT_STATUS(KRT_E_FORMAT, krt_load(t->k, &m, fixture("containers/keras2_mlp.json"), NULL));
    ASSERT_STR_EQ("keras2_mlp.json holds an architecture only. Give the weights with --weights "
                  "FILE, or see the layers with: keratin summary keras2_mlp.json",
                  krt_ctx_error(t->k)->message);
}

/* --- what a load did --- */

TEST(a_report_names_what_filled_what)
{
    krt_report *r = NULL;
    krt_model *m = NULL;

    ASSERT_OK(
        krt_load(t->k, &m, fixture("containers/keras3_trained.keras"), KRT_LOAD(.report = &r)));
    ASSERT_INT_EQ(krt_layer_num_weights(&m->base), krt_report_count(r, KRT_LOADED));
    assert_true(krt_report_count(r, KRT_OPTIMIZER) > 0);
    const krt_report_entry *e = krt_report_at(r, 0);
    ASSERT_INT_EQ(KRT_LOADED, e->outcome);
    assert_non_null(strstr(e->path, "/kernel"));
    assert_non_null(strstr(e->entry, "/vars/0"));
    assert_true(krt_shape_equal(e->expected, e->found));
    assert_null(krt_report_at(r, krt_report_size(r)));
    krt_report_free(r);
    krt_report_free(NULL);
}

TEST(a_load_that_fails_leaves_every_weight_as_it_was)
{
    krt_report *r = NULL;
    krt_model *m = NULL;
    const void *before[2];

    ASSERT_OK(krt_load(t->k, &m, fixture("saving/dense.json"),
                       KRT_LOAD(.weights = fixture("saving/dense_plain.weights.h5"))));
    for (size_t i = 0; i < 2; i++)
        before[i] = krt_variable_data(krt_layer_weight(&m->base, i));
    ASSERT_STATUS(KRT_E_MISMATCH, krt_load_weights(m, fixture("saving/bad_shape.weights.h5"),
                                                   KRT_LOAD_WEIGHTS(.report = &r)));
    ASSERT_INT_EQ(1, krt_report_count(r, KRT_LOADED));
    ASSERT_INT_EQ(1, krt_report_count(r, KRT_SKIPPED_SHAPE));
    krt_report_free(r);
    ASSERT_STATUS(KRT_E_UNSUPPORTED,
                  krt_load_weights(m, fixture("saving/bad_compound.weights.h5"), NULL));
    for (size_t i = 0; i < 2; i++)
        assert_ptr_equal(before[i], krt_variable_data(krt_layer_weight(&m->base, i)));
}

TEST(a_model_with_a_class_nobody_knows_loads_what_it_can)
{
    krt_report *r = NULL;
    krt_model *m = NULL;

    ASSERT_OK(krt_load(t->k, &m, fixture("saving/custom.keras"), KRT_LOAD(.report = &r)));
    ASSERT_INT_EQ(3, krt_model_num_layers(m));
    ASSERT_STR_EQ("Scale", krt_layer_class_name(krt_get_layer(m, "mine")));
    assert_non_null(m->cannot_run);
    ASSERT_INT_EQ(4, krt_report_count(r, KRT_LOADED)); /* the last Dense by its build_config */
    ASSERT_INT_EQ(1, krt_report_count(r, KRT_UNEXPECTED));
    assert_non_null(krt_variable_data(krt_layer_weight(krt_model_layer(m, 0), 0)));
    krt_report_free(r);
}

TEST(an_unbuilt_model_takes_no_weights)
{
    krt_model *m = krt_sequential(t->k, KRT_MODEL());

    ASSERT_OK(krt_add(m, KRT_DENSE(3)));
    ASSERT_STATUS(KRT_E_STATE, krt_load_weights(m, fixture("saving/dense_plain.weights.h5"), NULL));
    ASSERT_SAYS("You are loading weights into a model that has not yet been built");
}

TEST(args_of_a_newer_header_are_refused)
{
    struct {
        krt_load_args args;
        long more;
    } newer = {.args = {.struct_size = sizeof newer}};
    krt_model *m = NULL;

    ASSERT_STATUS(KRT_E_UNSUPPORTED, krt_load(t->k, &m, "x.keras", &newer.args));
}

int main(void)
{
    return RUN(UNIT(a_whole_model_of_any_form_answers_as_keras_did),
               UNIT(an_architecture_with_weights_of_any_form_answers_as_keras_did),
               UNIT(a_model_is_loaded_from_memory_and_its_weights_lie_there),
               UNIT(a_model_in_memory_at_any_address_answers_the_same),
               UNIT(a_run_that_lives_across_a_load_uses_the_new_weights),
               UNIT(weights_from_a_file_are_used_in_its_mapping),
               UNIT(from_json_makes_a_model_that_weights_can_be_loaded_into),
               UNIT(a_bare_get_config_is_an_architecture_too),
               UNIT(config_only_leaves_the_weights_unread),
               UNIT(weights_without_an_architecture_say_what_they_are),
               UNIT(an_architecture_without_weights_says_so), UNIT(a_report_names_what_filled_what),
               UNIT(a_load_that_fails_leaves_every_weight_as_it_was),
               UNIT(a_model_with_a_class_nobody_knows_loads_what_it_can),
               UNIT(an_unbuilt_model_takes_no_weights), UNIT(args_of_a_newer_header_are_refused));
}
