/* TensorFlow checkpoints and SavedModels as weights: fixtures of real TensorFlow, found by any of their
 * paths, bound to a model, and refused when damaged. */
#include "testing.h"

#include "base/fs.h"
#include "formats/crc32c.h"
#include "saving/tf_checkpoint.h"

#include <keratin/keratin.h>

#define FOLDER KERATIN_FIXTURES "/checkpoints/"

static const char *path_of(const char *name, const char *suffix)
{
    static char path[8][512];
    static int turn;

    turn = (turn + 1) % 8;
    snprintf(path[turn], sizeof path[turn], FOLDER "%s%s", name, suffix);
    return path[turn];
}

static krt_tensor *array(testing *t, const char *path)
{
    krt_tensor **tensors = NULL;
    krt_tensor *x = NULL;
    char **names = NULL;
    size_t n = 0;

    ASSERT_OK(krt_tensors_read(t->k, &n, &tensors, &names, path));
    ASSERT_INT_EQ(1, n);
    x = tensors[0];
    krt_free(t->k, tensors);
    krt_free(t->k, names);
    return x;
}

/* Loads the weights into the architecture and compares the answer with Keras's: 1e-5 relative. */
static void check(testing *t, const char *model, const char *weights, size_t leftovers)
{
    krt_tensor *x = array(t, path_of(model, ".x.npy")), *y = array(t, path_of(model, ".y.npy"));
    krt_tensor *got = NULL;
    krt_report *r = NULL;
    krt_model *m = NULL;

    ASSERT_OK(
        krt_load(t->k, &m, path_of(model, ".json"), KRT_LOAD(.weights = weights, .report = &r)));
    ASSERT_INT_EQ(krt_layer_num_weights((krt_layer *)m), krt_report_count(r, KRT_LOADED));
    ASSERT_INT_EQ(0, krt_report_count(r, KRT_MISSING));
    ASSERT_INT_EQ(leftovers, krt_report_count(r, KRT_UNEXPECTED));
    ASSERT_OK(krt_predict(m, &got, x, NULL));
    ASSERT_NEAR(krt_tensor_data(y), krt_tensor_data(got), 6, 1e-5, 1e-5);
    krt_report_free(r);
    krt_tensor_free(got);
    krt_tensor_free(x);
    krt_tensor_free(y);
    krt_model_free(m);
}

/* --- what opens --- */

TEST(every_kind_of_checkpoint_fills_the_model_it_was_saved_from)
{
    static const char *const cnn[] = {"cnn",        "cnn_plain",  "cnn_names",
                                      "cnn_pieces", "cnn_root-1", "cnn_saved"};

    for (size_t i = 0; i < sizeof cnn / sizeof cnn[0]; i++)
        check(t, "cnn", path_of(cnn[i], ""), 0);
    check(t, "cnn_legacy", path_of("cnn_legacy", ""), 0);
    check(t, "three", path_of("three", ""), 0);
    check(t, "three", path_of("three_exported", ""), 0);
}

TEST(a_checkpoint_is_found_by_any_of_its_paths)
{
    static const char *const ends[] = {".index", ".data-00000-of-00001"};

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        check(t, "cnn", path_of("cnn", ends[i]), 0);
    check(t, "cnn", path_of("cnn_saved", "/saved_model.pb"), 0);
    check(t, "cnn", path_of("cnn_saved", "/variables"), 0);
    check(t, "cnn", path_of("cnn_saved", "/variables/variables.index"), 0);
}

TEST(a_saved_model_of_tf_keras_brings_its_architecture)
{
    krt_tensor *x = array(t, path_of("cnn", ".x.npy")), *y = array(t, path_of("cnn", ".y.npy"));
    krt_tensor *got = NULL;
    krt_model *m = NULL;

    ASSERT_OK(krt_load(t->k, &m, path_of("cnn_saved", ""), NULL));
    ASSERT_OK(krt_predict(m, &got, x, NULL));
    ASSERT_NEAR(krt_tensor_data(y), krt_tensor_data(got), 6, 1e-5, 1e-5);
    krt_tensor_free(got);
    krt_tensor_free(x);
    krt_tensor_free(y);
    krt_model_free(m);
    ASSERT_STATUS(KRT_E_FORMAT, krt_load(t->k, &m, path_of("three_exported", ""), NULL));
    ASSERT_SAYS("No model config found in the file");
}

TEST(optimizer_state_is_told_from_weights)
{
    static const struct {
        const char *name;
        size_t weights, optimizer, others;
    } files[] = {{"cnn", 12, 22, 0},       {"cnn_plain", 12, 0, 0}, {"cnn_legacy", 12, 25, 0},
                 {"cnn_root-1", 12, 0, 2}, {"cnn_names", 12, 0, 0}, {"three_exported", 12, 0, 13}};

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        krt_file *f = NULL;
        size_t optimizer = 0;

        ASSERT_OK(krt_file_open(t->k, &f, path_of(files[i].name, "")));
        for (size_t j = 0; j < krt_file_num_arrays(f); j++)
            optimizer += krt_file_array_at(f, j)->is_optimizer;
        ASSERT_INT_EQ(files[i].optimizer, optimizer);
        ASSERT_INT_EQ(files[i].weights + files[i].optimizer + files[i].others,
                      krt_file_num_arrays(f));
        ASSERT_INT_EQ(237, krt_file_get_info(f)->num_params);
        krt_file_close(f);
    }
}

/* --- state files --- */

/* Copies a fixture into the test's folder. */
static void copy(testing *t, const char *from, const char *to)
{
    krti_bytes *b = NULL;

    ASSERT_OK(krti_bytes_map(t->k, &b, from));
    put_file(t, to, b->data, b->size);
    krti_bytes_drop(b);
}

static void copy_example(testing *t, const char *name)
{
    char to[64];

    snprintf(to, sizeof to, "%s.index", name);
    copy(t, FOLDER "example.index", to);
    snprintf(to, sizeof to, "%s.data-00000-of-00001", name);
    copy(t, FOLDER "example.data-00000-of-00001", to);
}

static void expect_prefix(testing *t, const char *state, const char *expected)
{
    krti_str s = KRTI_STR_INIT(t->k);

    put_file(t, "checkpoint", state, strlen(state));
    ASSERT_OK(krti_tf_checkpoint_prefix(&s, t->folder));
    ASSERT_STR_EQ(in_folder(t, expected), s.ptr);
    ASSERT_OK(krti_tf_checkpoint_prefix(&s, in_folder(t, "checkpoint")));
    ASSERT_STR_EQ(in_folder(t, expected), s.ptr);
    krti_str_free(&s);
}

TEST(a_directory_means_its_newest_checkpoint)
{
    copy_example(t, "cp-2");
    copy_example(t, "a \"b\"");
    expect_prefix(t,
                  "model_checkpoint_path: \"cp-2\"\nall_model_checkpoint_paths: \"cp-1\"\n"
                  "all_model_checkpoint_paths: \"cp-2\"\n",
                  "cp-2");
    expect_prefix(t, "# comment\nmodel_checkpoint_path:'cp-2'", "cp-2");
    expect_prefix(t, "model_checkpoint_path: \"a \\\"\\142\\x22\"", "a \"b\"");
    expect_prefix(t, "model_checkpoint_path: \"/moved/away/cp-2\"\n", "cp-2");
}

TEST(a_state_file_that_leads_nowhere_is_refused)
{
    static const struct {
        const char *state;
        krt_status status;
        const char *says;
    } bad[] = {
        {"model_checkpoint_path: \"gone\"\n", KRT_E_NOT_FOUND,
         "Couldn't match files for checkpoint gone"},
        {"model_checkpoint_path: \"\"\n", KRT_E_FORMAT, "names no checkpoint"},
        {"model_checkpoint_path: \"a\\000b\"\n", KRT_E_FORMAT, "names no checkpoint"},
        {"model_checkpoint_path:", KRT_E_FORMAT, "names no checkpoint"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        krti_str s = KRTI_STR_INIT(t->k);

        put_file(t, "checkpoint", bad[i].state, strlen(bad[i].state));
        ASSERT_STATUS(bad[i].status, krti_tf_checkpoint_prefix(&s, t->folder));
        ASSERT_SAYS(bad[i].says);
        krti_str_free(&s);
    }
}

TEST(a_table_under_another_name_is_told)
{
    krt_file *f = NULL;

    copy(t, FOLDER "example.index", "model.ckpt");
    ASSERT_STATUS(KRT_E_UNSUPPORTED, krt_file_open(t->k, &f, in_folder(t, "model.ckpt")));
    ASSERT_SAYS("a checkpoint of version 1 (before TensorFlow 0.12), which is not read");
}

/* A prefix called `checkpoint` beside the state file `checkpoint`: the prefix is meant. */
TEST(a_checkpoint_may_be_called_checkpoint)
{
    krti_str s = KRTI_STR_INIT(t->k);

    copy_example(t, "checkpoint");
    put_file(t, "checkpoint", "model_checkpoint_path: \"checkpoint\"\n", 36);
    ASSERT_OK(krti_tf_checkpoint_prefix(&s, in_folder(t, "checkpoint")));
    ASSERT_STR_EQ(in_folder(t, "checkpoint"), s.ptr);
    krti_str_free(&s);
}

/* --- what is refused --- */

static krt_model *dense(testing *t, int units)
{
    krt_model *m = krt_sequential(t->k, NULL);

    krt_add_input(m, KRT_SHAPE(1), NULL);
    krt_add(m, KRT_DENSE(units));
    return m;
}

TEST(a_flipped_bit_in_the_data_is_noticed_and_named)
{
    krti_bytes *b = NULL;
    unsigned char data[279];
    krt_model *m = dense(t, 1);

    copy_example(t, "cp");
    ASSERT_OK(krt_load_weights(m, in_folder(t, "cp"), NULL));
    ASSERT_OK(krti_bytes_map(t->k, &b, FOLDER "example.data-00000-of-00001"));
    memcpy(data, b->data, sizeof data);
    krti_bytes_drop(b);
    data[5] ^= 4;
    put_file(t, "cp.data-00000-of-00001", data, sizeof data);
    ASSERT_STATUS(KRT_E_CORRUPT, krt_load_weights(m, in_folder(t, "cp"), NULL));
    ASSERT_SAYS("Checksum does not match: stored ");
    ASSERT_STR_EQ("layer_with_weights-0/bias/.ATTRIBUTES/VARIABLE_VALUE",
                  krt_ctx_error(t->k)->object);
    data[5] ^= 4;
    data[100] ^= 1; /* in the graph */
    put_file(t, "cp.data-00000-of-00001", data, sizeof data);
    ASSERT_STATUS(KRT_E_CORRUPT, krt_load_weights(m, in_folder(t, "cp"), NULL));
    data[100] ^= 1;
    for (size_t n = 0; n < sizeof data; n += 40) {
        put_file(t, "cp.data-00000-of-00001", data, n);
        ASSERT_STATUS(KRT_E_CORRUPT, krt_load_weights(m, in_folder(t, "cp"), NULL));
        ASSERT_SAYS("is cut short at");
    }
    krt_model_free(m);
}

TEST(a_missing_data_file_is_named)
{
    krt_model *m = dense(t, 1);

    copy(t, FOLDER "example.index", "cp.index");
    ASSERT_STATUS(KRT_E_NOT_FOUND, krt_load_weights(m, in_folder(t, "cp"), NULL));
    ASSERT_STR_EQ(in_folder(t, "cp.data-00000-of-00001"), krt_ctx_error(t->k)->filepath);
    krt_model_free(m);
}

TEST(weights_of_another_model_are_refused_in_keras_words)
{
    krt_model *m = dense(t, 3);
    krt_report *r = NULL;

    ASSERT_STATUS(KRT_E_MISMATCH,
                  krt_load_weights(m, path_of("example", ""), KRT_LOAD_WEIGHTS(.report = &r)));
    ASSERT_SAYS(
        "Received incompatible tensor with shape (1, 1) when attempting to restore variable "
        "with shape (1, 3) and name dense/kernel");
    ASSERT_INT_EQ(2, krt_report_count(r, KRT_SKIPPED_SHAPE));
    krt_report_free(r);
    krt_model_free(m);
    m = dense(t, 1);
    ASSERT_STATUS(KRT_E_MISMATCH, krt_load_weights(m, path_of("cnn_names", ""), NULL));
    ASSERT_SAYS("Nothing except the root object matched a checkpointed value. Typically this means "
                "that the checkpoint does not match the model. The model has ");
    krt_model_free(m);
}

int main(void)
{
    return RUN(
        UNIT(every_kind_of_checkpoint_fills_the_model_it_was_saved_from),
        UNIT(a_checkpoint_is_found_by_any_of_its_paths),
        UNIT(a_saved_model_of_tf_keras_brings_its_architecture),
        UNIT(optimizer_state_is_told_from_weights), UNIT(a_directory_means_its_newest_checkpoint),
        UNIT(a_state_file_that_leads_nowhere_is_refused), UNIT(a_table_under_another_name_is_told),
        UNIT(a_checkpoint_may_be_called_checkpoint),
        UNIT(a_flipped_bit_in_the_data_is_noticed_and_named), UNIT(a_missing_data_file_is_named),
        UNIT(weights_of_another_model_are_refused_in_keras_words));
}
