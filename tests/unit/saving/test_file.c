/* saving/file.c and saving/file_order.c: what a file says of itself, without a model. */
#include "unit/saving/answers.h"

typedef struct expected_info {
    const char *file;
    krt_file_kind kind;
    const char *format, *keras_version, *backend, *class_name, *name;
    bool has_config, is_compiled;
    int64_t num_layers, num_params;
    size_t num_arrays;
    int64_t weights_bytes, optimizer_bytes;
} expected_info;

static const expected_info infos[] = {
    {"containers/keras3_trained.keras", KRT_FILE_KERAS_ARCHIVE, "Keras 3 archive (.keras)",
     "3.15.1", NULL, "Sequential", "sequential", true, true, 3, 31, 22, 124, 212},
    {"containers/keras3_residual_directory", KRT_FILE_KERAS_DIRECTORY,
     "Keras 3 directory (.keras, not zipped)", "3.15.1", NULL, "Functional", "functional", true,
     false, 9, 324, 11, 1296, 0},
    {"containers/keras3_trained.weights.h5", KRT_FILE_WEIGHTS_H5, "Keras 3 weights (.weights.h5)",
     NULL, NULL, NULL, NULL, false, false, KRT_NONE, 31, 22, 124, 212},
    {"containers/keras3_trained_sharded.weights.json", KRT_FILE_WEIGHTS_JSON,
     "Keras 3 sharded weights (.weights.json)", NULL, NULL, NULL, NULL, false, false, KRT_NONE, 31,
     22, 124, 212},
    {"containers/keras2_mlp.h5", KRT_FILE_LEGACY_H5, "Keras 2 model in HDF5 (.h5)", "2.21.0",
     "tensorflow", "Sequential", "sequential", true, false, 3, 43, 4, 172, 0},
    {"containers/keras3_trained.h5", KRT_FILE_LEGACY_H5,
     "Keras 3 model in HDF5 (.h5, the legacy layout)", "3.15.1", "tensorflow", "Sequential",
     "sequential", true, true, 3, 31, 22, 124, 212},
    {"containers/keras2_mlp.keras", KRT_FILE_KERAS_ARCHIVE, "Keras 2 archive (.keras)", "2.21.0",
     NULL, "Sequential", "sequential", true, false, 3, 43, 4, 172, 0},
    {"containers/keras2_mlp_weights.h5", KRT_FILE_LEGACY_WEIGHTS_H5,
     "Keras 2 weights in HDF5 (.h5)", "2.21.0", "tensorflow", NULL, NULL, false, false, KRT_NONE,
     43, 4, 172, 0},
    {"containers/keras2_nested.json", KRT_FILE_CONFIG_JSON, "Keras 2 architecture (JSON)", "2.21.0",
     "tensorflow", "Functional", NULL, true, false, 13, 0, 0, 0, 0},
};

static void same_text(const char *expected, const char *found, const char *what)
{
    if ((expected == NULL) != (found == NULL) || (expected != NULL && strcmp(expected, found) != 0))
        fail_msg("%s: expected %s, found %s", what, expected != NULL ? expected : "none",
                 found != NULL ? found : "none");
}

TEST(a_file_says_what_it_is)
{
    for (size_t i = 0; i < sizeof infos / sizeof infos[0]; i++) {
        const expected_info *e = &infos[i];
        krt_file *f = NULL;

        ASSERT_OK(krt_file_open(t->k, &f, fixture(e->file)));
        const krt_file_info *info = krt_file_get_info(f);
        ASSERT_INT_EQ(e->kind, info->kind);
        same_text(e->format, info->format, e->file);
        same_text(e->keras_version, info->keras_version, e->file);
        same_text(e->backend, info->backend, e->file);
        same_text(e->class_name, info->class_name, e->file);
        if (e->name != NULL)
            same_text(e->name, info->name, e->file);
        ASSERT_INT_EQ(e->has_config, info->has_config);
        ASSERT_INT_EQ(e->is_compiled, info->is_compiled);
        ASSERT_INT_EQ(e->num_layers, info->num_layers);
        ASSERT_INT_EQ(e->num_params, info->num_params);
        ASSERT_INT_EQ(e->num_arrays, info->num_arrays);
        ASSERT_INT_EQ(e->weights_bytes, info->weights_bytes);
        ASSERT_INT_EQ(e->optimizer_bytes, info->optimizer_bytes);
        assert_true(info->size_bytes >= 0 && (info->config_bytes > 0) == e->has_config);
        krt_file_close(f);
    }
}

TEST(a_keras_file_tells_when_it_was_saved)
{
    krt_file *f = NULL;

    ASSERT_OK(krt_file_open(t->k, &f, fixture("containers/keras3_trained.keras")));
    ASSERT_STR_EQ("2026-11-21@12:00:00", krt_file_get_info(f)->date_saved);
}

static void expect_order(testing *t, const char *file, const char *const *paths, size_t n)
{
    krt_file *f = NULL;

    ASSERT_OK(krt_file_open(t->k, &f, fixture(file)));
    assert_true(krt_file_num_arrays(f) >= n);
    for (size_t i = 0; i < n; i++)
        ASSERT_STR_EQ(paths[i], krt_file_array_at(f, i)->path);
    assert_null(krt_file_array_at(f, krt_file_num_arrays(f)));
    krt_file_close(f);
}

TEST(arrays_come_in_the_order_of_the_model)
{
    static const char *const residual[] = {
        "/layers/conv2d/vars/0",
        "/layers/batch_normalization/vars/0",
        "/layers/batch_normalization/vars/1",
        "/layers/batch_normalization/vars/2",
        "/layers/batch_normalization/vars/3",
    };
    static const char *const sorted[] = {
        "/layers/batch_normalization/vars/0",
        "/layers/batch_normalization/vars/1",
    };
    static const char *const legacy[] = {
        "dense/dense/kernel:0",
        "dense/dense/bias:0",
        "dense_1/dense_1/kernel:0",
        "dense_1/dense_1/bias:0",
    };

    expect_order(t, "containers/keras3_residual.keras", residual, 5);
    expect_order(t, "containers/keras3_residual_directory", residual, 5);
    expect_order(t, "containers/keras3_residual.weights.h5", sorted, 2);
    expect_order(t, "containers/keras2_mlp.h5", legacy, 4);
}

TEST(the_optimizer_comes_last_and_is_said_to_be_one)
{
    krt_file *f = NULL;
    bool seen = false;

    ASSERT_OK(krt_file_open(t->k, &f, fixture("containers/keras3_trained.keras")));
    for (size_t i = 0; i < krt_file_num_arrays(f); i++) {
        const krt_file_array *a = krt_file_array_at(f, i);

        assert_true(a->is_optimizer || !seen);
        seen = a->is_optimizer;
        ASSERT_INT_EQ(seen, strncmp(a->path, "/optimizer/", 11) == 0);
    }
    ASSERT_STR_EQ("/optimizer/vars/13", krt_file_array_at(f, krt_file_num_arrays(f) - 1)->path);
}

TEST(an_array_lies_where_the_file_says)
{
    const char *path = fixture("containers/keras2_mlp.h5");
    size_t size = 0;
    unsigned char *data = read_all(path, &size);
    krt_file *f = NULL;

    ASSERT_OK(krt_file_open(t->k, &f, path));
    for (size_t i = 0; i < krt_file_num_arrays(f); i++) {
        const krt_file_array *a = krt_file_array_at(f, i);
        krt_tensor *x = NULL;

        ASSERT_OK(krt_file_read_array(f, i, &x));
        assert_null(a->file);
        assert_true(krt_shape_equal(a->shape, krt_tensor_shape(x)));
        assert_memory_equal(data + a->offset, krt_tensor_data(x), (size_t)a->size_bytes);
        krt_tensor_free(x);
    }
    free(data);
}

TEST(arrays_in_archives_and_shards_name_their_file)
{
    krt_file *f = NULL;

    ASSERT_OK(krt_file_open(t->k, &f, fixture("containers/keras3_trained.keras")));
    ASSERT_STR_EQ("model.weights.h5", krt_file_array_at(f, 0)->file);
    ASSERT_OK(krt_file_open(t->k, &f, fixture("saving/dense.weights.json")));
    ASSERT_STR_EQ("dense_00000.weights.h5", krt_file_array_at(f, 0)->file);
    ASSERT_STR_EQ("dense_00001.weights.h5", krt_file_array_at(f, 1)->file);
}

TEST(a_tensor_outlives_the_file_it_was_read_from)
{
    krt_file *f = NULL;
    krt_tensor *x = NULL;

    ASSERT_OK(krt_file_open(t->k, &f, fixture("saving/dense_plain.weights.h5")));
    ASSERT_OK(krt_file_read_array(f, 1, &x));
    krt_file_close(f);
    assert_true(isfinite(((const float *)krt_tensor_data(x))[2]));
    krt_tensor_free(x);
}

TEST(unreadable_arrays_are_listed_and_not_read)
{
    krt_file *f = NULL;
    krt_tensor *x = NULL;

    ASSERT_OK(krt_file_open(t->k, &f, fixture("saving/bad_compound.weights.h5")));
    ASSERT_INT_EQ(KRT_DTYPE_NONE, krt_file_array_at(f, 0)->dtype);
    ASSERT_STATUS(KRT_E_UNSUPPORTED, krt_file_read_array(f, 0, &x));
    ASSERT_STR_EQ("/layers/dense/vars/0", krt_ctx_error(t->k)->object);
    assert_null(x);
    ASSERT_STATUS(KRT_E_NOT_FOUND, krt_file_read_array(f, 2, &x));
    ASSERT_STR_EQ("array 2 of 2", krt_ctx_error(t->k)->message);
}

TEST(the_config_is_given_back_as_json)
{
    krt_file *f = NULL;
    char *text = NULL, *again = NULL;
    size_t size = 0;

    ASSERT_OK(krt_file_open(t->k, &f, fixture("containers/keras3_residual.json")));
    ASSERT_OK(krt_file_config(f, &text, -1));
    char *original = read_all(fixture("containers/keras3_residual.json"), &size);
    original[size] = '\0';
    ASSERT_STR_EQ(original, text);
    free(original);
    ASSERT_OK(krt_file_config(f, &again, 2));
    assert_non_null(strstr(again, "{\n  \"module\": "));
    krt_free(t->k, text);
    krt_free(t->k, again);
    krt_file_close(f);
    ASSERT_OK(krt_file_open(t->k, &f, fixture("saving/dense_plain.weights.h5")));
    ASSERT_STATUS(KRT_E_NOT_FOUND, krt_file_config(f, &text, -1));
    ASSERT_SAYS("No model config found in the file at ");
    assert_null(text);
}

TEST(a_checkpoint_lists_its_arrays)
{
    krt_file *f = NULL;

    ASSERT_OK(krt_file_open(t->k, &f, fixture("checkpoints/example")));
    ASSERT_INT_EQ(KRT_FILE_TF_CHECKPOINT, krt_file_get_info(f)->kind);
    ASSERT_STR_EQ("TensorFlow checkpoint", krt_file_get_info(f)->format);
    ASSERT_INT_EQ(554, krt_file_get_info(f)->size_bytes);
    ASSERT_INT_EQ(2, krt_file_num_arrays(f));
    ASSERT_STR_EQ("layer_with_weights-0/kernel/.ATTRIBUTES/VARIABLE_VALUE",
                  krt_file_array_at(f, 0)->path);
    ASSERT_STR_EQ("example.data-00000-of-00001", krt_file_array_at(f, 1)->file);
    ASSERT_INT_EQ(4, krt_file_array_at(f, 1)->offset);
    krt_file_close(f);
}

TEST(what_cannot_be_opened_is_named)
{
    krt_file *f = NULL;

    ASSERT_STATUS(KRT_E_NOT_FOUND, krt_file_open(t->k, &f, in_folder(t, "no.keras")));
    assert_null(f);
    ASSERT_STR_EQ(in_folder(t, "no.keras"), krt_ctx_error(t->k)->filepath);
    ASSERT_STATUS(KRT_E_UNSAFE,
                  krt_file_open(t->k, &f, fixture("saving/bad_soft_link.weights.h5")));
    assert_null(f);
}

int main(void)
{
    return RUN(UNIT(a_file_says_what_it_is), UNIT(a_keras_file_tells_when_it_was_saved),
               UNIT(arrays_come_in_the_order_of_the_model),
               UNIT(the_optimizer_comes_last_and_is_said_to_be_one),
               UNIT(an_array_lies_where_the_file_says),
               UNIT(arrays_in_archives_and_shards_name_their_file),
               UNIT(a_tensor_outlives_the_file_it_was_read_from),
               UNIT(unreadable_arrays_are_listed_and_not_read),
               UNIT(the_config_is_given_back_as_json), UNIT(a_checkpoint_lists_its_arrays),
               UNIT(what_cannot_be_opened_is_named));
}
