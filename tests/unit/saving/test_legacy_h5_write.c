/* Whole models and weights written as Keras 2 writes them, read back by our own reader. That Keras
 * and tf-keras read them is shown by tools/parity_config.py. */
#include "unit/saving/answers.h"

#include "formats/h5_read.h"
#include "models/model.h"
#include "saving/legacy_h5_write.h"
#include "training/optimizer.h"

#include <keratin/inspect.h>

static const krti_legacy_h5_options whole = {0, false, true, false, KRT_DIGEST_XXH3_128};

static void assert_same_weights(krt_model *a, krt_model *b, const char *what)
{
    const size_t n = krt_layer_num_weights(&a->base);

    ASSERT_INT_EQ(n, krt_layer_num_weights(&b->base));
    for (size_t i = 0; i < n; i++) {
        const krt_variable *x = krt_layer_weight(&a->base, i), *y = krt_layer_weight(&b->base, i);

        if (x->tensor->size_bytes != y->tensor->size_bytes ||
            memcmp(krt_variable_data(x), krt_variable_data(y), x->tensor->size_bytes) != 0)
            fail_msg("%s: %s is another", what, krt_variable_path(x));
    }
}

static void check_round_trip(testing *t, const char *file, const char *npz, int for_keras)
{
    const krti_legacy_h5_options options = {for_keras, false, true, false, KRT_DIGEST_XXH3_128};
    krt_model *m = NULL, *again = NULL;

    ASSERT_OK(krt_load(t->k, &m, fixture(file), NULL));
    ASSERT_OK(krti_write_legacy_h5(m, in_folder(t, "out.h5"), &options));
    ASSERT_OK(krt_load(t->k, &again, in_folder(t, "out.h5"), NULL));
    assert_answers(t, again, fixture(npz), file);
    assert_same_weights(m, again, file);
    krt_model_free(m);
    krt_model_free(again);
}

TEST(models_of_every_kind_come_back_bit_for_bit_with_their_answers)
{
    static const char *const names[] = {
        "sequential_cnn", "residual",
        "siamese",        "two_outputs",
        "dict_inputs",    "nested_backbone",
        "squeeze_excite", "shared_twice_in_chain",
        "mixed_dtypes",   "nested_called_twice",
        "unet",           "functional_in_functional_in_sequential",
    };
    char file[96], npz[96];

    for (size_t i = 0; i < KRTI_COUNT(names); i++) {
        snprintf(file, sizeof file, "models/%s.keras", names[i]);
        snprintf(npz, sizeof npz, "models/%s.npz", names[i]);
        check_round_trip(t, file, npz, 0);
        check_round_trip(t, file, npz, 3);
        if (strcmp(names[i], "squeeze_excite") != 0) /* it has operations of keras.ops */
            check_round_trip(t, file, npz, 2);
    }
}

/* Cells in stacks and in both directions; states that Keras 2 takes as further inputs. */
TEST(recurrent_models_come_back_with_their_answers)
{
    static const char *const names[] = {"bidirectional/two", "bidirectional/backward_layer",
                                        "rnn/list_state", "lstm/encoder_decoder"};
    char file[96], npz[96];

    for (size_t i = 0; i < KRTI_COUNT(names); i++) {
        snprintf(file, sizeof file, "layers/%s.keras", names[i]);
        snprintf(npz, sizeof npz, "layers/%s.npz", names[i]);
        for (int for_keras = 0; for_keras <= 3; for_keras++)
            if (for_keras != 1)
                check_round_trip(t, file, npz, for_keras);
    }
}

TEST(an_operation_cannot_be_written_for_keras_2)
{
    const krti_legacy_h5_options options = {2, false, true, false, KRT_DIGEST_XXH3_128};
    krt_model *m = NULL;

    ASSERT_OK(krt_load(t->k, &m, fixture("models/hard_swish.keras"), NULL));
    ASSERT_STATUS(KRT_E_UNSUPPORTED, krti_write_legacy_h5(m, in_folder(t, "out.h5"), &options));
    ASSERT_SAYS("of keras.ops in its graph, which Keras 2 does not have. Write for Keras 3");
    krt_model_free(m);
}

TEST(two_dots_are_a_name_as_any_other)
{
    krt_model *m = krt_sequential(t->k, NULL), *again = NULL;

    ASSERT_OK(krt_add_input(m, KRT_SHAPE(2), NULL));
    ASSERT_OK(krt_add(m, KRT_DENSE(2, .name = "..")));
    ASSERT_OK(krt_add(m, KRT_DENSE(2, .name = "...")));
    ASSERT_OK(krti_layer_initialize(&m->base));
    ASSERT_OK(krti_write_legacy_h5(m, in_folder(t, "dots.h5"), &whole));
    ASSERT_OK(krt_load(t->k, &again, in_folder(t, "dots.h5"), NULL));
    assert_same_weights(m, again, "dots.h5");
    krt_model_free(m);
    krt_model_free(again);
}

/* Names so long and so many that one attribute cannot hold them. */
TEST(a_list_of_names_too_long_for_one_attribute_is_split)
{
    krt_model *m = krt_sequential(t->k, NULL), *again = NULL;
    krt_report *r = NULL;
    char name[400];

    ASSERT_OK(krt_add_input(m, KRT_SHAPE(2), NULL));
    for (int i = 0; i < 400; i++) {
        snprintf(name, sizeof name, "layer_%0300d", i);
        ASSERT_OK(krt_add(m, KRT_DENSE(2, .name = name)));
    }
    ASSERT_OK(krti_write_legacy_h5(m, in_folder(t, "long.h5"), &whole));
    ASSERT_OK(krt_load(t->k, &again, in_folder(t, "long.h5"), KRT_LOAD(.report = &r)));
    ASSERT_INT_EQ(800, krt_report_count(r, KRT_LOADED));
    krt_report_free(r);
    krt_model_free(m);
    krt_model_free(again);
}

TEST(weights_alone_are_a_file_of_the_same_layout)
{
    const krti_legacy_h5_options weights = {0, true, false, false, KRT_DIGEST_XXH3_128};
    krt_report *r = NULL;
    krt_model *m = NULL, *again = NULL;

    ASSERT_OK(krt_load(t->k, &m, fixture("models/residual.keras"), NULL));
    ASSERT_OK(krti_write_legacy_h5(m, in_folder(t, "w.h5"), &weights));
    ASSERT_STATUS(KRT_E_FORMAT, krt_load(t->k, &again, in_folder(t, "w.h5"), NULL));
    ASSERT_SAYS("No model config found in the file at ");
    ASSERT_OK(
        krt_load(t->k, &again, fixture("models/residual.keras"), KRT_LOAD(.config_only = true)));
    ASSERT_OK(krt_load_weights(again, in_folder(t, "w.h5"), KRT_LOAD_WEIGHTS(.report = &r)));
    ASSERT_INT_EQ(krt_layer_num_weights(&m->base), krt_report_count(r, KRT_LOADED));
    assert_answers(t, again, fixture("models/residual.npz"), "w.h5");
    assert_same_weights(m, again, "w.h5");
    krt_report_free(r);
    krt_model_free(m);
    krt_model_free(again);
}

static void check_optimizer(testing *t, const char *file, int for_keras)
{
    const krti_legacy_h5_options options = {for_keras, false, true, false, KRT_DIGEST_XXH3_128};
    const krti_optimizer *o = NULL, *restored = NULL;
    krt_model *m = NULL, *again = NULL;

    ASSERT_OK(krt_load(t->k, &m, fixture(file), NULL));
    o = krti_model_optimizer_now(m);
    assert_non_null(o);
    ASSERT_OK(krti_write_legacy_h5(m, in_folder(t, "o.h5"), &options));
    ASSERT_OK(krt_load(t->k, &again, in_folder(t, "o.h5"), NULL));
    restored = krti_model_optimizer_now(again);
    assert_non_null(restored);
    ASSERT_STR_EQ(o->class_name, restored->class_name);
    ASSERT_INT_EQ(o->num_variables, restored->num_variables);
    for (size_t i = 0; i < o->num_variables; i++) {
        const krti_optimizer_variable *a = &o->variables[i], *b = &restored->variables[i];

        if (a->of == NULL && strcmp(a->slot, "iteration") != 0) /* rates are not in every list */
            continue;
        if (memcmp(a->tensor->data, b->tensor->data, a->tensor->size_bytes) != 0)
            fail_msg("%s for Keras %d: %s is another", file, for_keras, a->path);
    }
    krt_model_free(m);
    krt_model_free(again);
}

TEST(optimizer_state_comes_back_from_files_for_each_keras)
{
    static const char *const names[] = {"adam",    "amsgrad", "adamw",    "sgd",
                                        "rmsprop", "adagrad", "adadelta", "adamax",
                                        "nadam",   "ftrl",    "lion"};
    char file[96];

    for (size_t i = 0; i < KRTI_COUNT(names); i++) {
        snprintf(file, sizeof file, "legacy/optimizer_keras3_%s.h5", names[i]);
        check_optimizer(t, file, 0);
        check_optimizer(t, file, 2);
        check_optimizer(t, file, 3);
    }
}

/* ------------------------------------------------------------------------------- dtypes */

/* A layer whose kernel is a third more precise than float32 can say, by a policy. */
static krt_model *model_of_policy(testing *t, const char *policy, const double *values)
{
    krt_model *m = krt_sequential(t->k, NULL);
    krt_variable *v = NULL;

    ASSERT_OK(krt_add_input(m, KRT_SHAPE(2), NULL));
    ASSERT_OK(krt_add(m, KRT_DENSE(1, .name = "d")));
    ASSERT_OK(krti_layer_initialize(&m->base));
    m->layers[0]->dtype_policy = policy;
    v = m->layers[0]->variables[0];
    for (size_t i = 0; i < 2; i++)
        ((float *)v->tensor->data)[i] = (float)values[i];
    if (strcmp(policy, "float64") == 0) {
        ASSERT_OK(krt_tensor_new(t->k, &v->precise, KRT_FLOAT64, v->tensor->shape));
        memcpy(v->precise->data, values, 2 * sizeof *values);
    }
    return m;
}

static void expect_kernel(testing *t, const char *path, krt_dtype dtype, const void *expected)
{
    krt_file *f = NULL;
    krt_tensor *kernel = NULL;

    ASSERT_OK(krt_file_open(t->k, &f, path));
    ASSERT_TRUE(krti_ends_with(krt_file_array_at(f, 0)->path, "d/kernel:0"));
    ASSERT_INT_EQ(dtype, krt_file_array_at(f, 0)->dtype);
    ASSERT_OK(krt_file_read_array(f, 0, &kernel));
    assert_memory_equal(kernel->data, expected, 2 * krt_dtype_size(dtype));
    krt_tensor_free(kernel);
    krt_file_close(f);
}

TEST(variables_have_the_dtype_of_their_policy)
{
    static const double values[2] = {1.0 / 3, -0.5};
    static const float as_float[2] = {(float)(1.0 / 3), -0.5f};
    static const float as_bfloat16[2] = {0.25f, -0.5f};
    static const double fewer[2] = {0.25, -0.5};
    static const uint16_t as_half[2] = {0x3400, 0xb800};
    static const struct {
        const char *policy;
        const double *values;
        krt_dtype dtype;
        const void *expected;
    } cases[] = {
        {"float64", values, KRT_FLOAT64, values},
        {"float16", fewer, KRT_FLOAT16, as_half},
        {"float32", values, KRT_FLOAT32, as_float},
        {"mixed_float16", values, KRT_FLOAT32, as_float},
        {"bfloat16", fewer, KRT_FLOAT32, as_bfloat16}, /* what every Keras can read */
    };

    for (size_t i = 0; i < KRTI_COUNT(cases); i++) {
        krt_model *m = model_of_policy(t, cases[i].policy, cases[i].values);

        ASSERT_OK(krti_write_legacy_h5(m, in_folder(t, "p.h5"), &whole));
        expect_kernel(t, in_folder(t, "p.h5"), cases[i].dtype, cases[i].expected);
        krt_model_free(m);
    }
}

/* A value that training has changed is the new one; its neighbour keeps every digit. */
TEST(float64_weights_that_did_not_change_keep_their_precision)
{
    static const double values[2] = {1.0 / 3, 1.0 / 7};
    const double expected[2] = {1.0 / 3, 0.75};
    krt_model *m = model_of_policy(t, "float64", values);

    ((float *)m->layers[0]->variables[0]->tensor->data)[1] = 0.75f;
    ASSERT_OK(krti_write_legacy_h5(m, in_folder(t, "p.h5"), &whole));
    expect_kernel(t, in_folder(t, "p.h5"), KRT_FLOAT64, expected);
    krt_model_free(m);
}

/* ------------------------------------------------------------------------------- digests */

static size_t num_problems(testing *t, const char *path, const char *says)
{
    krt_findings *found = NULL;
    size_t n = 0;

    ASSERT_OK(krt_verify(t->k, &found, path, NULL));
    if (strstr(krt_findings_summary(found), says) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", path, krt_findings_summary(found), says);
    n = krt_findings_num_problems(found);
    krt_findings_free(found);
    return n;
}

static void alter_array(testing *t, const char *path, size_t index)
{
    krt_file *f = NULL;
    FILE *out = NULL;
    int64_t offset = 0;

    ASSERT_OK(krt_file_open(t->k, &f, path));
    offset = krt_file_array_at(f, index)->offset;
    krt_file_close(f);
    out = fopen(path, "r+b");
    assert_non_null(out);
    assert_int_equal(0, fseek(out, (long)offset, SEEK_SET));
    assert_int_equal(0x5a, fputc(0x5a, out));
    assert_int_equal(0, fclose(out));
}

TEST(arrays_carry_digests_that_verify_proves)
{
    const krti_legacy_h5_options bare = {0, false, true, false, KRT_DIGEST_NONE};
    const char *path = in_folder(t, "v.h5");
    krt_model *m = NULL;

    ASSERT_OK(krt_load(t->k, &m, fixture("legacy/optimizer_keras3_adam.h5"), NULL));
    ASSERT_OK(krti_write_legacy_h5(m, path, &bare));
    assert_int_equal(0, num_problems(t, path, "no digests of its own"));
    ASSERT_OK(krti_write_legacy_h5(m, path, &whole));
    assert_int_equal(0, num_problems(t, path, " digests"));
    alter_array(t, path, 0);
    assert_int_equal(1, num_problems(t, path, " digests"));
    ASSERT_OK(krti_write_legacy_h5(m, path, &whole));
    alter_array(t, path, 6); /* the optimizer's */
    assert_int_equal(1, num_problems(t, path, " digests"));
    krt_model_free(m);
}

int main(void)
{
    return RUN(UNIT(models_of_every_kind_come_back_bit_for_bit_with_their_answers),
               UNIT(recurrent_models_come_back_with_their_answers),
               UNIT(an_operation_cannot_be_written_for_keras_2),
               UNIT(two_dots_are_a_name_as_any_other),
               UNIT(a_list_of_names_too_long_for_one_attribute_is_split),
               UNIT(weights_alone_are_a_file_of_the_same_layout),
               UNIT(optimizer_state_comes_back_from_files_for_each_keras),
               UNIT(variables_have_the_dtype_of_their_policy),
               UNIT(float64_weights_that_did_not_change_keep_their_precision),
               UNIT(arrays_carry_digests_that_verify_proves));
}
