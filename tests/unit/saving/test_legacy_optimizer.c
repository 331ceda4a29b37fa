/* Compile settings and optimizer state of whole .h5 files of tf-keras and Keras 3: each file beside
 * the slots as the optimizer object itself had them when it was saved. */
#include "unit/saving/answers.h"

#include "formats/json.h"
#include "saving/legacy_settings.h"
#include "training/optimizer.h"

/* The n-th variable of a slot, by a name such as "momentum_0". */
static const krt_tensor *slot_of(const krti_optimizer *o, const char *name)
{
    const char *underscore = strrchr(name, '_');
    const size_t length = (size_t)(underscore - name);
    long n = strtol(underscore + 1, NULL, 10);

    for (size_t i = 0; i < o->num_variables; i++)
        if (strncmp(o->variables[i].slot, name, length) == 0 &&
            o->variables[i].slot[length] == '\0' && n-- == 0)
            return o->variables[i].tensor;
    return NULL;
}

static void expect_equal(const char *file, const char *name, const krt_tensor *expected,
                         const krt_tensor *found)
{
    if (found == NULL)
        fail_msg("%s: the optimizer has no %s", file, name);
    assert_true(krt_shape_equal(krt_tensor_shape(expected), krt_tensor_shape(found)));
    if (memcmp(krt_tensor_data(expected), krt_tensor_data(found),
               (size_t)krt_shape_size(krt_tensor_shape(expected)) * sizeof(float)) != 0)
        fail_msg("%s: %s has other values", file, name);
}

/* `path` holds the state that the fixture of that name has. */
static void check_state(testing *t, const char *path, const char *name)
{
    char npz[128];
    answers a = {0};
    krti_optimizer *o = NULL;
    krt_report *r = NULL;
    krt_model *m = NULL;
    size_t slots = 0;

    snprintf(npz, sizeof npz, "legacy/optimizer_%s.slots.npz", name);
    ASSERT_OK(krt_load(t->k, &m, path, KRT_LOAD(.report = &r)));
    ASSERT_OK(krt_tensors_read(t->k, &a.n, &a.tensors, &a.names, fixture(npz)));
    ASSERT_OK(krti_model_optimizer(m, &o));
    assert_non_null(o);
    o = o->inner != NULL ? o->inner : o;
    ASSERT_INT_EQ(3, *(const int64_t *)o->iteration->data);
    for (size_t i = 0; i < a.n; i++) {
        if (strcmp(a.names[i], "iteration") == 0)
            continue;
        expect_equal(path, a.names[i], a.tensors[i], slot_of(o, a.names[i]));
        slots++;
    }
    for (size_t i = 0; i < o->num_variables; i++)
        slots -= o->variables[i].of != NULL;
    ASSERT_INT_EQ(0, slots);
    close_answers(t, &a);
    krt_report_free(r);
    krt_model_free(m);
}

static void check_file(testing *t, const char *name)
{
    char file[128], path[512];

    snprintf(file, sizeof file, "legacy/optimizer_%s.h5", name);
    snprintf(path, sizeof path, "%s", fixture(file));
    check_state(t, path, name);
}

/* To Keras 3's archive and back, also with an architecture from elsewhere, which has no settings. */
static void check_conversion(testing *t, const char *name)
{
    char of_name[128], file[512], archive[512], back[512], bare[512];

    snprintf(of_name, sizeof of_name, "legacy/optimizer_%s.h5", name);
    snprintf(file, sizeof file, "%s", fixture(of_name));
    snprintf(archive, sizeof archive, "%s", in_folder(t, "c.keras"));
    snprintf(back, sizeof back, "%s", in_folder(t, "back.h5"));
    snprintf(bare, sizeof bare, "%s", in_folder(t, "bare.json"));
    ASSERT_OK(krt_convert(t->k, file, archive, NULL));
    check_state(t, archive, name);
    for (int generation = 2; generation <= 3; generation++) {
        ASSERT_OK(krt_convert(t->k, archive, back, KRT_CONVERT(.for_keras = generation)));
        check_state(t, back, name);
    }
    ASSERT_OK(krt_convert(t->k, file, bare, KRT_CONVERT(.include_optimizer = false)));
    ASSERT_OK(krt_convert(t->k, file, archive, KRT_CONVERT(.config = bare)));
    check_state(t, archive, name);
    ASSERT_OK(krt_convert(t->k, archive, back, KRT_CONVERT(.config = bare)));
    check_state(t, back, name);
}

TEST(every_slot_survives_a_conversion_and_the_way_back)
{
    static const char *const names[] = {
        "new_adam",    "new_amsgrad",    "new_adamw",      "new_sgd",       "new_plain_sgd",
        "new_rmsprop", "new_adagrad",    "new_adadelta",   "new_adamax",    "new_ftrl",
        "new_lion",    "old_adam",       "old_amsgrad",    "old_sgd",       "old_rmsprop",
        "old_adagrad", "old_adadelta",   "old_adamax",     "old_nadam",     "old_ftrl",
        "keras3_adam", "keras3_adamw",   "keras3_rmsprop", "keras3_sgd",    "keras3_plain_sgd",
        "keras3_lion", "keras3_ftrl",    "keras3_nadam",   "keras3_adamax", "keras3_amsgrad",
        "new_nadam",   "keras3_adagrad", "keras3_adadelta"};

    for (size_t i = 0; i < KRTI_COUNT(names); i++)
        check_conversion(t, names[i]);
}

/* What Keras 3 leaves out of the top of an .h5 its own loader of archives asks for. */
TEST(an_h5_of_keras_3_becomes_an_architecture_of_its_own)
{
    const krti_conf *c = NULL;
    krti_arena a = KRTI_ARENA_INIT(t->k);
    krt_file *f = NULL;
    char *text = NULL;

    ASSERT_OK(krt_convert(t->k, fixture("legacy/optimizer_keras3_adam.h5"), in_folder(t, "c.keras"),
                          NULL));
    ASSERT_OK(krt_file_open(t->k, &f, in_folder(t, "c.keras")));
    ASSERT_OK(krt_file_config(f, &text, -1));
    ASSERT_OK(krti_json_parse(&a, &c, text, strlen(text)));
    assert_non_null(krti_conf_get_text(c, "module"));
    assert_non_null(krti_conf_get(c, "registered_name"));
    ASSERT_STR_EQ("Adam",
                  krti_conf_get_text(krti_conf_get(krti_conf_get(c, "compile_config"), "optimizer"),
                                     "class_name"));
    krt_file_close(f);
    krt_free(t->k, text);
    krti_arena_free(&a);
}

TEST(every_slot_of_tf_keras_is_restored)
{
    static const char *const names[] = {
        "new_adam",    "new_amsgrad",  "new_adamw",  "new_sgd",     "new_plain_sgd", "new_rmsprop",
        "new_adagrad", "new_adadelta", "new_adamax", "new_nadam",   "new_ftrl",      "new_lion",
        "old_adam",    "old_amsgrad",  "old_sgd",    "old_rmsprop", "old_adagrad",   "old_adadelta",
        "old_adamax",  "old_nadam",    "old_ftrl"};

    for (size_t i = 0; i < KRTI_COUNT(names); i++)
        check_file(t, names[i]);
}

/* Arrays of the optimizer's own list, which Keras 3 counts. */
static size_t num_listed(testing *t, const char *path)
{
    static const char list[] = "/optimizer/vars/";
    krt_file *f = NULL;
    size_t n = 0;

    ASSERT_OK(krt_file_open(t->k, &f, path));
    for (size_t i = 0; i < krt_file_num_arrays(f); i++)
        n += strncmp(krt_file_array_at(f, i)->path, list, sizeof list - 1) == 0;
    krt_file_close(f);
    return n;
}

TEST(every_slot_in_an_archive_of_tf_keras_is_restored)
{
    static const char *const names[] = {"keras2_adam", "keras2_plain_sgd", "keras2_scheduled_adam",
                                        "keras2_scaled_adam"};
    static const size_t listed[] = {2 + 12, 2, 1 + 12, 4 + 2 + 12}; /* by Keras 3 */
    char file[128], archive[512];

    for (size_t i = 0; i < KRTI_COUNT(names); i++) {
        snprintf(file, sizeof file, "legacy/optimizer_%s.keras", names[i]);
        snprintf(archive, sizeof archive, "%s", fixture(file));
        check_state(t, archive, names[i]);
        ASSERT_OK(krt_convert(t->k, archive, in_folder(t, "c.keras"), NULL));
        snprintf(archive, sizeof archive, "%s", in_folder(t, "c.keras"));
        check_state(t, archive, names[i]);
        ASSERT_INT_EQ(listed[i], num_listed(t, archive));
    }
}

/* It keeps no state of its optimizers before 2.11, whose `decay` is a schedule today. */
TEST(the_old_optimizer_in_an_archive_of_tf_keras_begins_anew)
{
    krt_model *m = NULL;
    krti_optimizer *o = NULL;

    ASSERT_OK(krt_load(t->k, &m, fixture("legacy/optimizer_keras2_old_sgd.keras"), NULL));
    ASSERT_OK(krti_model_optimizer(m, &o));
    ASSERT_STR_EQ("SGD", o->class_name);
    assert_non_null(o->schedule);
    ASSERT_NEAR(((float[]){0.01f}), ((float[]){krti_optimizer_rate(o)}), 1, 1e-7, 0);
    *(int64_t *)o->iteration->data = 100;
    ASSERT_NEAR(((float[]){0.005f}), ((float[]){krti_optimizer_rate(o)}), 1, 1e-7, 0);
    krt_model_free(m);
}

/* Its product is in no file: it is the product of what its three steps took. */
TEST(nadam_of_keras_2_goes_on_with_its_product)
{
    krti_optimizer *o = NULL;
    krt_model *m = NULL;
    double product = 1;

    for (int i = 1; i <= 3; i++)
        product *= 0.9 * (1 - 0.5 * pow(0.96, i));
    ASSERT_OK(krt_load(t->k, &m, fixture("legacy/optimizer_new_nadam.h5"), NULL));
    ASSERT_OK(krti_model_optimizer(m, &o));
    const krti_optimizer_variable *v = krti_optimizer_find(o, "u_product", NULL);
    assert_true(fabs((double)*(const float *)v->tensor->data - product) < 1e-6);
    krt_model_free(m);
}

TEST(every_slot_of_keras_3_is_restored)
{
    static const char *const names[] = {"keras3_adam",    "keras3_amsgrad",   "keras3_adamw",
                                        "keras3_sgd",     "keras3_plain_sgd", "keras3_rmsprop",
                                        "keras3_adagrad", "keras3_adadelta",  "keras3_adamax",
                                        "keras3_nadam",   "keras3_ftrl",      "keras3_lion"};

    for (size_t i = 0; i < KRTI_COUNT(names); i++)
        check_file(t, names[i]);
}

TEST(slots_of_keras_1_follow_their_counter)
{
    krt_report *r = NULL;
    krt_model *m = NULL;
    krti_optimizer *o = NULL;

    ASSERT_OK(krt_load(t->k, &m, fixture("legacy/keras1_cnn_tf.h5"), KRT_LOAD(.report = &r)));
    o = krti_model_optimizer_now(m);
    assert_non_null(o);
    ASSERT_STR_EQ("RMSprop", o->class_name);
    ASSERT_INT_EQ(4, krt_report_count(r, KRT_OPTIMIZER));
    for (size_t i = 0; i < krt_report_size(r); i++)
        if (krt_report_at(r, i)->outcome == KRT_OPTIMIZER)
            assert_non_null(krt_report_at(r, i)->path);
    ASSERT_NEAR(((float[]){0.002f}), (const float *)o->learning_rate->data, 1, 1e-6, 0);
    krt_report_free(r);
    krt_model_free(m);
}

TEST(a_load_without_compile_leaves_the_optimizer_in_the_file)
{
    krt_report *r = NULL;
    krt_model *m = NULL;

    ASSERT_OK(krt_load(t->k, &m, fixture("legacy/optimizer_new_adam.h5"),
                       KRT_LOAD(.compile = false, .report = &r)));
    assert_null(krti_model_optimizer_now(m));
    assert_null(krti_compile_config(m));
    ASSERT_INT_EQ(13, krt_report_count(r, KRT_OPTIMIZER));
    krt_report_free(r);
    krt_model_free(m);
}

/* ------------------------------------------------------------------------------- settings */

static void expect_settings(testing *t, const char *training, size_t num_outputs,
                            const char *expected)
{
    static const char *const outputs[] = {"price", "kind"};
    krti_arena a = KRTI_ARENA_INIT(t->k);
    const krti_conf *given = NULL;
    krti_conf *settings = NULL;
    krti_str text = KRTI_STR_INIT(t->k);

    ASSERT_OK(krti_json_parse(&a, &given, training, strlen(training)));
    ASSERT_OK(krti_legacy_settings(&a, given, 2, outputs, num_outputs, &settings));
    krti_conf_remove(settings, "run_eagerly");
    krti_conf_remove(settings, "steps_per_execution");
    krti_conf_remove(settings, "jit_compile");
    ASSERT_OK(krti_json_write(&text, settings, -1));
    ASSERT_STR_EQ(expected, text.ptr);
    krti_str_free(&text);
    krti_arena_free(&a);
}

#define OBJECT(module, cls, config)                                                 \
    "{\"module\": \"" module "\", \"class_name\": \"" cls "\", \"config\": " config \
    ", \"registered_name\": null}"
#define REST ", \"loss_weights\": null, \"metrics\": null, \"weighted_metrics\": null}"

TEST(settings_keep_every_number_the_file_holds)
{
    expect_settings(
        t,
        "{\"loss\": \"mse\", \"metrics\": [[{\"class_name\": \"MeanMetricWrapper\", \"config\": "
        "{\"name\": \"near\", \"dtype\": \"float32\", \"fn\": \"categorical_accuracy\"}}]], "
        "\"weighted_metrics\": null, \"loss_weights\": null, \"optimizer_config\": "
        "{\"class_name\": "
        "\"Custom>Adam\", \"config\": {\"name\": \"Adam\", \"weight_decay\": null, "
        "\"jit_compile\": "
        "false, \"is_legacy_optimizer\": false, \"learning_rate\": 0.004, \"beta_1\": 0.8}}}",
        1,
        "{\"optimizer\": " OBJECT(
            "keras.optimizers", "Adam",
            "{\"name\": \"Adam\", \"learning_rate\": 0.004, \"weight_decay\": null, \"beta_1\": "
            "0.8}") ", \"loss\": \"mean_squared_error\", \"loss_weights\": null, \"metrics\": "
                    "[" OBJECT("keras.metrics", "CategoricalAccuracy",
                               "{\"name\": \"near\", \"dtype\": \"float32\"}") "], "
                                                                               "\"weighted_"
                                                                               "metrics\": "
                                                                               "null}");
}

TEST(a_decay_of_old_is_a_schedule_of_today)
{
    expect_settings(
        t,
        "{\"optimizer_config\": {\"class_name\": \"SGD\", \"config\": {\"lr\": 0.1, "
        "\"momentum\": "
        "0.9, \"decay\": 0.01, \"nesterov\": true}}, \"loss\": {\"class_name\": "
        "\"BinaryCrossentropy\", \"config\": {\"reduction\": \"auto\", \"name\": "
        "\"b\", "
        "\"from_logits\": true, \"fn\": \"binary_crossentropy\"}}}",
        1,
        "{\"optimizer\": " OBJECT(
            "keras.optimizers", "SGD",
            "{\"learning_rate\": " OBJECT(
                "keras.optimizers.schedules", "InverseTimeDecay",
                "{\"initial_learning_rate\": 0.1, "
                "\"decay_steps\": 1, \"decay_rate\": 0.01, "
                "\"staircase\": false, \"name\": "
                "\"InverseTimeDecay\"}") ", \"momentum\": "
                                         "0.9, "
                                         "\"nesterov\": "
                                         "true}") ", "
                                                  "\"loss\":"
                                                  " " OBJECT(
                                                      "keras.losses", "BinaryCrossentropy",
                                                      "{\"reduction\": \"sum_over_batch_size\", "
                                                      "\"name\": \"b\", \"from_logits\": true}")
                                                      REST);
}

TEST(classes_of_somebody_else_stay_as_they_are)
{
    expect_settings(
        t,
        "{\"optimizer_config\": {\"class_name\": \"Mine>Slow\", \"config\": {\"lr\": 1}}, "
        "\"loss\": "
        "\"my_loss\"}",
        1,
        "{\"optimizer\": {\"module\": null, \"class_name\": \"Slow\", \"config\": {\"lr\": 1}, "
        "\"registered_name\": \"Mine>Slow\"}, \"loss\": \"my_loss\"" REST);
}

TEST(settings_in_a_keras_file_of_tf_keras_are_respelled_too)
{
    static const char json[] =
        "{\"module\": \"keras\", \"class_name\": \"Sequential\", \"config\": {\"name\": \"s\", "
        "\"layers\": [{\"module\": \"keras.layers\", \"class_name\": \"InputLayer\", \"config\": "
        "{\"batch_input_shape\": [null, 2], \"dtype\": \"float32\", \"name\": \"i\"}}, "
        "{\"module\": "
        "\"keras.layers\", \"class_name\": \"Dense\", \"config\": {\"name\": \"d\", \"units\": "
        "1}}]}, \"keras_version\": \"2.15.0\", \"compile_config\": {\"optimizer\": \"adam\", "
        "\"loss\": {\"module\": \"keras.losses\", \"class_name\": \"Huber\", \"config\": "
        "{\"reduction\": \"auto\", \"name\": \"huber_loss\", \"delta\": 0.7, \"fn\": \"huber\"}, "
        "\"registered_name\": null}}}";
    krt_model *m = NULL;

    ASSERT_OK(krt_load_memory(t->k, &m, json, strlen(json), KRT_LOAD(.config_only = true)));
    const krti_conf *const loss =
        krti_conf_get(krti_conf_get(krti_compile_config(m), "loss"), "config");
    assert_null(krti_conf_get(loss, "fn"));
    ASSERT_STR_EQ("sum_over_batch_size", krti_conf_get_text(loss, "reduction"));
    krt_model_free(m);
}

/* A file that tf.keras saved before any training took the targets of "accuracy" for one-hot. */
TEST(accuracy_is_what_the_targets_make_of_it)
{
    expect_settings(t,
                    "{\"optimizer\": \"adam\", \"loss\": \"sparse_categorical_crossentropy\", "
                    "\"metrics\": [[{\"class_name\": \"MeanMetricWrapper\", \"config\": {\"name\": "
                    "\"accuracy\", \"fn\": \"categorical_accuracy\"}}]]}",
                    1,
                    "{\"optimizer\": \"adam\", \"loss\": \"sparse_categorical_crossentropy\", "
                    "\"loss_weights\": null, \"metrics\": [\"accuracy\"], "
                    "\"weighted_metrics\": null}");
}

TEST(metrics_lose_the_name_of_their_output)
{
    expect_settings(
        t,
        "{\"metrics\": [[{\"class_name\": \"AUC\", \"config\": {\"name\": \"price_auc\"}}], "
        "[{\"class_name\": \"MeanMetricWrapper\", \"config\": {\"name\": \"kind_acc\", \"fn\": "
        "\"binary_accuracy\"}}, {\"class_name\": \"AUC\", \"config\": {\"name\": \"kindness\"}}]]}",
        2,
        "{\"optimizer\": null, \"loss\": null, \"loss_weights\": null, \"metrics\": "
        "[[" OBJECT("keras.metrics", "AUC",
                    "{\"name\": \"auc\"}") "], [\"acc\", " OBJECT("keras.metrics", "AUC",
                                                                  "{\"name\": "
                                                                  "\"kindness\"}") "]], "
                                                                                   "\"weighted_"
                                                                                   "metrics\": "
                                                                                   "null}");
}

int main(void)
{
    return RUN(UNIT(every_slot_survives_a_conversion_and_the_way_back),
               UNIT(an_h5_of_keras_3_becomes_an_architecture_of_its_own),
               UNIT(every_slot_of_tf_keras_is_restored),
               UNIT(every_slot_in_an_archive_of_tf_keras_is_restored),
               UNIT(the_old_optimizer_in_an_archive_of_tf_keras_begins_anew),
               UNIT(nadam_of_keras_2_goes_on_with_its_product),
               UNIT(every_slot_of_keras_3_is_restored), UNIT(slots_of_keras_1_follow_their_counter),
               UNIT(a_load_without_compile_leaves_the_optimizer_in_the_file),
               UNIT(settings_keep_every_number_the_file_holds),
               UNIT(a_decay_of_old_is_a_schedule_of_today),
               UNIT(classes_of_somebody_else_stay_as_they_are),
               UNIT(settings_in_a_keras_file_of_tf_keras_are_respelled_too),
               UNIT(accuracy_is_what_the_targets_make_of_it),
               UNIT(metrics_lose_the_name_of_their_output));
}
