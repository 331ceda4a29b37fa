/* Files of Keras 0 and 1: their configs, the order and the axes of their weights. */
#include "unit/saving/answers.h"

#include "models/model.h"

static void check_model(testing *t, const char *name)
{
    char file[128], npz[128];
    krt_report *r = NULL;
    krt_model *m = NULL;

    snprintf(file, sizeof file, "legacy/%s.h5", name);
    snprintf(npz, sizeof npz, "legacy/%s.npz", name);
    ASSERT_OK(krt_load(t->k, &m, fixture(file), KRT_LOAD(.report = &r)));
    ASSERT_INT_EQ(krt_layer_num_weights(&m->base), krt_report_count(r, KRT_LOADED));
    assert_answers(t, m, fixture(npz), name);
    krt_report_free(r);
    krt_model_free(m);
}

TEST(convolutions_of_keras_1_have_their_axes_turned)
{
    static const char *const names[] = {"keras1_cnn_tf", "keras1_cnn_th", "keras1_deconv_tf",
                                        "keras1_conv1d_plain", "keras1_conv1d_theano"};

    for (size_t i = 0; i < KRTI_COUNT(names); i++)
        check_model(t, names[i]);
}

TEST(gates_that_lie_apart_are_put_together)
{
    check_model(t, "keras1_recurrent");
}

TEST(weights_of_cudnn_are_turned)
{
    check_model(t, "keras2_cudnn");
}

TEST(a_merge_of_keras_1_is_the_layer_its_mode_says)
{
    check_model(t, "keras1_merge");
}

TEST(a_sequential_that_begins_with_a_merge_of_models_is_refused_by_name)
{
#define BRANCH(name)                                                                         \
    "{\"class_name\": \"Sequential\", \"config\": [{\"class_name\": \"Dense\", \"config\": " \
    "{\"name\": \"" name "\", \"output_dim\": 2, \"batch_input_shape\": [null, 3]}}]}"
    static const char json[] =
        "{\"keras_version\": \"1.2.2\", \"class_name\": \"Sequential\", \"config\": ["
        "{\"class_name\": \"Merge\", \"config\": {\"name\": \"merge_1\", \"mode\": \"concat\", "
        "\"concat_axis\": -1, \"layers\": [" BRANCH("left") ", " BRANCH(
            "right") "]}}, "
                     "{\"class_name\": \"Dense\", \"config\": {\"name\": \"top\", \"output_dim\": "
                     "1}}]}";
    krt_model *m = NULL;

    ASSERT_STATUS(KRT_E_UNSUPPORTED, krt_from_json(t->k, &m, json, NULL));
    assert_string_equal(krt_ctx_error(t->k)->object, "merge_1");
    ASSERT_SAYS(
        "a Sequential of Keras 1 that begins with a Merge of 2 models is not read; build the "
        "same as a Functional model");
    assert_null(m);
#undef BRANCH
}

TEST(layers_of_a_nested_sequential_are_listed_in_its_place)
{
    check_model(t, "keras1_nested");
}

TEST(weights_of_keras_0_are_counted_not_named)
{
    krt_model *m = NULL;

    ASSERT_OK(krt_load(t->k, &m, fixture("legacy/keras0_nested.json"),
                       KRT_LOAD(.weights = fixture("legacy/keras0_nested_weights.h5"))));
    assert_answers(t, m, fixture("legacy/keras0_nested.npz"), "keras0_nested");
    krt_model_free(m);
}

TEST(weights_of_keras_0_for_another_model_are_refused)
{
    krt_model *m = NULL;

    ASSERT_STATUS(KRT_E_MISMATCH,
                  krt_load(t->k, &m, fixture("saving/dense.json"),
                           KRT_LOAD(.weights = fixture("legacy/keras0_nested_weights.h5"))));
    ASSERT_SAYS("Layer count mismatch when loading weights from file. Model expected 1 layers, "
                "found 3 saved layers");
}

TEST(a_model_of_keras_1_is_written_with_the_words_of_keras_3)
{
    krt_model *m = NULL;
    char *json = NULL;

    ASSERT_OK(krt_load(t->k, &m, fixture("legacy/keras1_cnn_th.h5"), NULL));
    ASSERT_OK(krt_to_json(m, &json, NULL));
    assert_non_null(strstr(json, "\"module\": \"keras.layers\", \"class_name\": \"Conv2D\""));
    assert_non_null(strstr(json, "\"filters\": 3, \"kernel_size\": [3, 2]"));
    assert_non_null(
        strstr(json, "\"class_name\": \"L1L2\", \"config\": {\"l1\": 0.0, \"l2\": 0.01}"));
    assert_non_null(
        strstr(json, "\"class_name\": \"MaxNorm\", \"config\": {\"max_value\": 3, \"axis\": 0}"));
    assert_null(strstr(json, "nb_filter"));
    krt_free(t->k, json);
    krt_model_free(m);
}

TEST(a_function_that_keras_3_computes_otherwise_is_not_written_for_it)
{
    krt_model *m = NULL;
    char *json = NULL;

    ASSERT_OK(krt_load(t->k, &m, fixture("legacy/keras1_cnn_tf.h5"), NULL));
    ASSERT_STATUS(KRT_E_UNSUPPORTED, krt_to_json(m, &json, NULL));
    ASSERT_SAYS("it uses the hard_sigmoid of Keras 1 and 2");
    assert_null(json);
    krt_model_free(m);
}

int main(void)
{
    return RUN(UNIT(convolutions_of_keras_1_have_their_axes_turned),
               UNIT(gates_that_lie_apart_are_put_together), UNIT(weights_of_cudnn_are_turned),
               UNIT(a_merge_of_keras_1_is_the_layer_its_mode_says),
               UNIT(a_sequential_that_begins_with_a_merge_of_models_is_refused_by_name),
               UNIT(layers_of_a_nested_sequential_are_listed_in_its_place),
               UNIT(weights_of_keras_0_are_counted_not_named),
               UNIT(weights_of_keras_0_for_another_model_are_refused),
               UNIT(a_model_of_keras_1_is_written_with_the_words_of_keras_3),
               UNIT(a_function_that_keras_3_computes_otherwise_is_not_written_for_it));
}
