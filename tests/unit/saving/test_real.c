/* Every file of the collection of real models opens, or is refused for the reason written here; where
 * predictions were recorded with a model, they agree. Skipped where the collection is absent. */
#include "unit/saving/answers.h"

#include "formats/h5_read.h"
#include "models/model.h"

typedef enum outcome {
    RUNS,    /* loads completely and can run */
    READS,   /* loads; a layer in it has no implementation */
    WEIGHTS, /* weights only */
    ARCHITECTURE,
    NO_MODEL, /* an HDF5 file that is not Keras's */
    CHECKPOINT
} outcome;

static const struct {
    krt_status status;
    const char *says;
} refusals[] = {
    [RUNS] = {KRT_OK, NULL},
    [READS] = {KRT_OK, NULL},
    [WEIGHTS] = {KRT_E_FORMAT, "No model config found in the file at "},
    [ARCHITECTURE] = {KRT_E_FORMAT, " holds an architecture only. "},
    [NO_MODEL] = {KRT_E_FORMAT,
                  " is an HDF5 file with neither Keras's attributes nor its groups; "},
    [CHECKPOINT] = {KRT_E_FORMAT, "No model config found in the file at "},
};

/* By the end of the path; the first that fits counts. */
static const struct {
    const char *end;
    outcome expected;
    size_t loaded; /* variables that are filled, of models that load */
} files[] = {
    {"/deepfake_audio_model.keras", RUNS, 16},
    {"/Intron3.h5", RUNS, 4},
    {"/cnn_max_mnist2.h5", RUNS, 8},
    {"/fc_2-2sigmoids-3.h5", RUNS, 4},
    {"/generator.keras", RUNS, 5},
    {"/model_test_functionally_equivalent_extraction.keras", RUNS, 4},
    {"/gesture_classifier.keras", RUNS, 6},
    {"/zinc_encoder.h5", RUNS, 26},
    {"/model_best_config.json", ARCHITECTURE, 0},
    {"/model_best_weight.h5", WEIGHTS, 0},
    {"/cartpole-dqn.h5", WEIGHTS, 0},
    {"/12net.h5", RUNS, 13},
    {"/cnn_tf_model.h5", RUNS, 8},
    {"/lstm_tf_model.h5", RUNS, 8},
    {"/simple_lstm_tf_keras_1_model.h5", RUNS, 5},
    {"/simple_lstm_tf_keras_1_weights.h5", WEIGHTS, 0},
    {"_inputs_and_outputs.h5", NO_MODEL, 0},
    {"_model.h5", RUNS, 2},
    {"_weights.h5", WEIGHTS, 0},
    {"/data-all-1000.data-00000-of-00001", CHECKPOINT, 0},
    {"/data-all-1000.index", CHECKPOINT, 0},
    {"/data-all-1000.meta", CHECKPOINT, 0},
    {"/flatten_3d.hdf5", RUNS, 2},
    {"/keras-attention.h5", RUNS, 6},
    {"/masking_two_lstm.h5", RUNS, 3},
    {"/wgan_discriminator.h5", RUNS, 16},
    {"/fer2013_mini_XCEPTION.102-0.66.hdf5", RUNS, 80},
    {"/keypoint_classifier.hdf5", RUNS, 6},
    {"/Gradient.hdf5", NO_MODEL, 0},
    {"/pre_pr22362_nested_container.keras", READS, 0},
    {"/mnist.h5", RUNS, 10},
    {"/topology.json", ARCHITECTURE, 0},
    {"/weights.h5", WEIGHTS, 0},
    {"/textgenrnn_weights.hdf5", WEIGHTS, 0},
    {"/checkpoint", CHECKPOINT, 0},
    {"/ckpt.data-00000-of-00002", CHECKPOINT, 0},
    {"/ckpt.data-00001-of-00002", CHECKPOINT, 0},
    {"/ckpt.index", CHECKPOINT, 0},
    {"/pretrainedResnet.h5", RUNS, 48},
    {"/vww_96.h5", RUNS, 164},
};

static size_t find_expected(const char *path)
{
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (krti_ends_with(path, files[i].end))
            return i;
    fail_msg("%s: nothing is written here about it", path);
    return 0;
}

/* Calls `each` with the path of every file the collection's list names; returns their number. */
static int each_real_file(testing *t, void (*each)(testing *t, const char *path))
{
    char line[4096], path[512];
    int n = 0;

    need(KERATIN_REAL "/MANIFEST.tsv");
    FILE *list = fopen(KERATIN_REAL "/MANIFEST.tsv", "r");
    assert_non_null(list);
    assert_non_null(fgets(line, sizeof line, list));
    while (fgets(line, sizeof line, list) != NULL) {
        line[strcspn(line, "\t\n")] = '\0';
        snprintf(path, sizeof path, "%s/%.300s", KERATIN_REAL, line);
        each(t, path);
        n++;
    }
    fclose(list);
    return n;
}

static void check_load(testing *t, const char *path)
{
    const size_t i = find_expected(path);
    krt_report *r = NULL;
    krt_model *m = NULL;

    if (refusals[files[i].expected].status != KRT_OK) {
        ASSERT_STATUS(refusals[files[i].expected].status, krt_load(t->k, &m, path, NULL));
        ASSERT_SAYS(refusals[files[i].expected].says);
        return;
    }
    ASSERT_OK(krt_load(t->k, &m, path, KRT_LOAD(.report = &r)));
    ASSERT_INT_EQ(files[i].loaded, krt_report_count(r, KRT_LOADED));
    ASSERT_INT_EQ(0, krt_report_count(r, KRT_MISSING));
    if ((m->cannot_run == NULL) != (files[i].expected == RUNS))
        fail_msg("%s: %s", path, m->cannot_run != NULL ? m->cannot_run : "it runs");
    if (files[i].expected == RUNS)
        ASSERT_INT_EQ(0, krt_report_count(r, KRT_UNEXPECTED));
    krt_report_free(r);
    krt_model_free(m);
}

TEST(every_real_model_loads_or_is_refused_for_a_reason)
{
    assert_true(each_real_file(t, check_load) >= 140);
}

/* --- looking without loading --- */

static void check_open(testing *t, const char *path)
{
    const outcome expected = files[find_expected(path)].expected;
    krt_file *f = NULL;

    if (expected == NO_MODEL) {
        ASSERT_STATUS(KRT_E_FORMAT, krt_file_open(t->k, &f, path));
        return;
    }
    ASSERT_OK(krt_file_open(t->k, &f, path));
    const krt_file_info *info = krt_file_get_info(f);
    ASSERT_INT_EQ(expected == ARCHITECTURE, info->num_arrays == 0);
    for (size_t i = 0; i < info->num_arrays; i++) {
        krt_tensor *x = NULL;

        ASSERT_OK(krt_file_read_array(f, i, &x));
        krt_tensor_free(x);
    }
    if (info->has_config) {
        char *text = NULL;

        ASSERT_OK(krt_file_config(f, &text, -1));
        krt_free(t->k, text);
    }
    krt_file_close(f);
}

TEST(every_real_file_lists_its_arrays_and_its_config)
{
    assert_true(each_real_file(t, check_open) >= 140);
}

/* --- two files of one model --- */

TEST(real_weights_and_architectures_of_one_model_come_together)
{
    static const char *const pairs[][2] = {
        {"connect4-alpha-zero/model_best_config.json", "connect4-alpha-zero/model_best_weight.h5"},
        {"tensorspace/topology.json", "tensorspace/weights.h5"},
    };

    for (size_t i = 0; i < 2; i++) {
        char config[512], weights[512];
        krt_model *m = NULL;

        snprintf(config, sizeof config, "%s/%s", KERATIN_REAL, pairs[i][0]);
        snprintf(weights, sizeof weights, "%s/%s", KERATIN_REAL, pairs[i][1]);
        need(config);
        ASSERT_OK(krt_load(t->k, &m, config, KRT_LOAD(.weights = weights)));
        ASSERT_OK(krt_load(t->k, &m, weights, KRT_LOAD(.config = config)));
    }
}

/* --- recorded predictions --- */

typedef struct recorded {
    testing *t;
    krti_h5 *h5;
    krt_tensor *found; /* the only dataset of a group */
} recorded;

static krt_status take_dataset(void *user, const char *name, krti_h5_object object, bool is_hard)
{
    recorded *r = user;
    testing *t = r->t;
    krti_h5_dataset d;
    const void *data = NULL;
    krti_bytes *owned = NULL;
    krt_shape shape;

    (void)name;
    assert_true(is_hard);
    ASSERT_OK(krti_h5_dataset_open(r->h5, object, &d));
    ASSERT_INT_EQ(4, d.type.size);
    shape.rank = d.type.rank;
    for (int i = 0; i < d.type.rank; i++)
        shape.dim[i] = (int64_t)d.type.dim[i];
    ASSERT_OK(krti_h5_dataset_read(r->h5, object, &d, &data, &owned));
    ASSERT_OK(krt_tensor_from(t->k, &r->found, KRT_FLOAT32, shape, data));
    krti_bytes_drop(owned);
    return KRT_OK;
}

static krt_tensor *recorded_tensor(testing *t, krti_h5 *h5, const char *group)
{
    recorded r = {.t = t, .h5 = h5};
    krti_h5_object object;
    bool found = false;

    ASSERT_OK(krti_h5_find(h5, krti_h5_root(h5), group, &object, &found));
    assert_true(found);
    ASSERT_OK(krti_h5_each(h5, object, take_dataset, &r));
    assert_non_null(r.found);
    return r.found;
}

static void predict_recorded(testing *t, krt_model *m, krti_h5 *h5)
{
    krt_tensor *x = recorded_tensor(t, h5, "inputs");
    krt_tensor *y = recorded_tensor(t, h5, "predictions"), *found = NULL;

    ASSERT_OK(krt_predict(m, &found, x, NULL));
    assert_true(krt_shape_equal(krt_tensor_shape(y), krt_tensor_shape(found)));
    ASSERT_NEAR(krt_tensor_data(y), krt_tensor_data(found),
                (size_t)krt_shape_size(krt_tensor_shape(y)), 1e-4, 1e-5);
    krt_tensor_free(x);
    krt_tensor_free(y);
    krt_tensor_free(found);
}

static int triples;

/* NAME_model.h5, NAME_weights.h5 and NAME_inputs_and_outputs.h5. */
static void check_triple(testing *t, const char *path)
{
    char model[512], weights[512];
    krti_bytes *bytes = NULL;
    krti_h5 *h5 = NULL;
    krt_model *m = NULL;
    const size_t n = strlen(path) - strlen("_inputs_and_outputs.h5");

    if (!krti_ends_with(path, "_inputs_and_outputs.h5"))
        return;
    triples++;
    snprintf(model, sizeof model, "%.*s_model.h5", (int)n, path);
    snprintf(weights, sizeof weights, "%.*s_weights.h5", (int)n, path);
    ASSERT_OK(krti_bytes_map(t->k, &bytes, path));
    ASSERT_OK(krti_h5_open(t->k, &h5, bytes));
    ASSERT_OK(krt_load(t->k, &m, model, NULL));
    predict_recorded(t, m, h5);
    krt_model_free(m);
    ASSERT_OK(krt_load(t->k, &m, weights, KRT_LOAD(.config = model)));
    predict_recorded(t, m, h5);
    krt_model_free(m);
    krti_h5_close(h5);
    krti_bytes_drop(bytes);
}

TEST(recorded_predictions_agree)
{
    each_real_file(t, check_triple);
    ASSERT_INT_EQ(35, triples);
}

int main(void)
{
    return RUN(UNIT(every_real_model_loads_or_is_refused_for_a_reason),
               UNIT(every_real_file_lists_its_arrays_and_its_config),
               UNIT(real_weights_and_architectures_of_one_model_come_together),
               UNIT(recorded_predictions_agree));
}
