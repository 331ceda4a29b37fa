/* Which array of one file is held against which of the other, where names alone do not say it. */
#include "testing.h"

#include "models/model.h"

#include <keratin/keratin.h>

/* Two layers of one name in two models. */
static const char two_of_a_name[] =
    "{\"class_name\":\"Sequential\",\"config\":{\"name\":\"outer\",\"layers\":["
    "{\"class_name\":\"InputLayer\",\"config\":{\"name\":\"x\",\"batch_shape\":[null,2]}},"
    "{\"class_name\":\"Dense\",\"config\":{\"name\":\"same\",\"units\":2}},"
    "{\"class_name\":\"Sequential\",\"config\":{\"name\":\"inner\",\"layers\":["
    "{\"class_name\":\"InputLayer\",\"config\":{\"name\":\"y\",\"batch_shape\":[null,2]}},"
    "{\"class_name\":\"Dense\",\"config\":{\"name\":\"same\",\"units\":3}}]}}]}}";

/* The objects that differ, one after another. */
static void expect_difference(testing *t, const char *a, const char *b, const char *expected)
{
    char first[600], found[600] = "";
    krt_findings *f = NULL;
    size_t n = 0;

    snprintf(first, sizeof first, "%s", in_folder(t, a));
    ASSERT_OK(krt_diff(t->k, &f, first, in_folder(t, b), NULL));
    for (size_t i = 0; i < krt_findings_size(f); i++)
        if (krt_findings_at(f, i)->is_problem)
            n +=
                (size_t)snprintf(found + n, sizeof found - n, "%s;", krt_findings_at(f, i)->object);
    ASSERT_STR_EQ(expected, found);
    krt_findings_free(f);
}

TEST(layers_of_one_name_are_not_mixed_up)
{
    static const char *const others[] = {"b.h5", "b.npz", "b.safetensors", "b.weights.h5"};
    krt_model *m = NULL;

    ASSERT_OK(krt_from_json(t->k, &m, two_of_a_name, NULL));
    ASSERT_OK(krti_layer_initialize((krt_layer *)m));
    ASSERT_OK(krt_save(m, in_folder(t, "a.keras"), NULL));
    for (size_t changes = 0; changes < 2; changes++) {
        float *bias = krt_tensor_data_mut(krt_layer_weight((krt_layer *)m, 3)->tensor);

        bias[1] += (float)changes;
        ASSERT_OK(krt_save(m, in_folder(t, others[0]), NULL));
        for (size_t i = 1; i < 4; i++)
            ASSERT_OK(krt_save_weights(m, in_folder(t, others[i]), NULL));
        expect_difference(t, "a.keras", "b.h5", changes == 0 ? "" : "same/bias (2);");
        for (size_t i = 1; i < 4; i++) /* in these names are places in Keras 3's tree */
            expect_difference(t, "a.keras", others[i],
                              changes == 0 ? "" : "layers/sequential/layers/dense/vars/1;");
        for (size_t i = 1; i < 4; i++)
            expect_difference(t, "b.h5", others[i], "");
    }
    krt_model_free(m);
}

/* Keras 3 on JAX puts names of scopes around it into those of weights. */
TEST(legacy_files_of_other_names_are_compared_by_their_model)
{
    static const char keras3[] = KERATIN_FIXTURES "/containers/keras3_sequential_cnn.h5";
    krt_findings *f = NULL;
    krt_file *file = NULL;

    ASSERT_OK(krt_convert(t->k, keras3, in_folder(t, "b.h5"), NULL));
    ASSERT_OK(krt_file_open(t->k, &file, keras3));
    ASSERT_STR_EQ("conv2d/cnn/conv2d/kernel", krt_file_array_at(file, 0)->path);
    krt_file_close(file);
    ASSERT_OK(krt_file_open(t->k, &file, in_folder(t, "b.h5")));
    ASSERT_TRUE(strstr(krt_file_array_at(file, 0)->path, "cnn") == NULL);
    krt_file_close(file);
    ASSERT_OK(krt_diff(t->k, &f, keras3, in_folder(t, "b.h5"), NULL));
    ASSERT_INT_EQ(0, krt_findings_num_problems(f));
    krt_findings_free(f);
}

/* layers/dense_10 stands before layers/dense_2 in a file, and behind it in the model. */
TEST(without_an_architecture_arrays_go_by_number)
{
    krt_model *m = krt_sequential(t->k, NULL);

    ASSERT_OK(krt_add_input(m, KRT_SHAPE(2), NULL));
    for (int i = 0; i < 12; i++)
        ASSERT_OK(krt_add(m, KRT_DENSE(2)));
    ASSERT_OK(krti_layer_initialize((krt_layer *)m));
    ASSERT_OK(krt_save_weights(m, in_folder(t, "a.weights.h5"), NULL));
    ASSERT_OK(krt_save_weights(m, in_folder(t, "b.h5"), KRT_SAVE_WEIGHTS(.legacy = true)));
    expect_difference(t, "a.weights.h5", "b.h5", "");
    krt_model_free(m);
}

int main(void)
{
    return RUN(UNIT(layers_of_one_name_are_not_mixed_up),
               UNIT(legacy_files_of_other_names_are_compared_by_their_model),
               UNIT(without_an_architecture_arrays_go_by_number));
}
