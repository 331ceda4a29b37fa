/* Loads that leave something out because they were asked to, weights by hand, and transfers. */
#include "unit/saving/answers.h"

#include "models/model.h"
#include "training/optimizer.h"

static char warned[4096];
static int num_warnings;

static void keep_log(void *user, int level, const char *text)
{
    (void)user;
    if (level != KRT_LOG_WARNING)
        return;
    num_warnings++;
    snprintf(warned, sizeof warned, "%s", text);
}

static krt_ctx *listening(testing *t)
{
    krt_ctx *k = NULL;

    warned[0] = '\0';
    num_warnings = 0;
    ASSERT_OK(krt_ctx_new(&k, KRT_CTX(.log = keep_log)));
    return k;
}

/* Layers "first" (4 to `middle`), "second" (to 2). */
static krt_model *two_layers(krt_ctx *k, int64_t middle, const char *first, const char *second)
{
    krt_model *m = krt_sequential(k, NULL);

    assert_int_equal(krt_add_input(m, KRT_SHAPE(4), NULL), KRT_OK);
    assert_int_equal(krt_add(m, KRT_DENSE(middle, .name = first)), KRT_OK);
    assert_int_equal(krt_add(m, KRT_DENSE(2, .name = second)), KRT_OK);
    assert_int_equal(krti_layer_initialize(&m->base), KRT_OK);
    return m;
}

/* The optimizer fixtures' architecture: first (4, 3), norm, last (3, 2). */
static krt_model *like_fixture(krt_ctx *k, int64_t units, const char *last)
{
    krt_model *m = krt_sequential(k, NULL);

    assert_int_equal(krt_add_input(m, KRT_SHAPE(4), NULL), KRT_OK);
    assert_int_equal(krt_add(m, KRT_DENSE(3, .name = "first", .activation = "tanh")), KRT_OK);
    assert_int_equal(krt_add(m, KRT_BATCH_NORMALIZATION(.name = "norm")), KRT_OK);
    assert_int_equal(krt_add(m, KRT_DENSE(units, .name = last)), KRT_OK);
    assert_int_equal(krti_layer_initialize(&m->base), KRT_OK);
    return m;
}

static const char file_name[] = "legacy/optimizer_new_adam.h5";

TEST(a_layer_of_another_shape_is_skipped_with_one_warning_when_asked)
{
    krt_ctx *k = listening(t);
    krt_model *m = like_fixture(k, 5, "last");
    krt_report *r = NULL;

    assert_int_equal(krt_load_weights(m, fixture(file_name), NULL), KRT_E_MISMATCH);
    assert_int_equal(krt_load_weights(m, fixture(file_name),
                                      KRT_LOAD_WEIGHTS(.skip_mismatch = true, .report = &r)),
                     KRT_OK);
    ASSERT_INT_EQ(6, krt_report_count(r, KRT_LOADED));
    ASSERT_INT_EQ(2, krt_report_count(r, KRT_SKIPPED_SHAPE));
    ASSERT_INT_EQ(1, num_warnings);
    ASSERT_STR_EQ("Skipping loading weights for layer #2 (named last)due to mismatch in shape for "
                  "weight last/kernel. Weight expects shape (3, 5). Received saved weight with "
                  "shape (3, 2)",
                  warned);
    krt_report_free(r);
    krt_ctx_free(k);
}

TEST(by_name_pairs_what_has_the_same_name_and_leaves_the_rest)
{
    krt_ctx *k = listening(t);
    krt_model *m = two_layers(k, 3, "first", "other");
    krt_report *r = NULL;

    assert_int_equal(
        krt_load_weights(m, fixture(file_name), KRT_LOAD_WEIGHTS(.by_name = true, .report = &r)),
        KRT_OK);
    ASSERT_INT_EQ(2, krt_report_count(r, KRT_LOADED));
    ASSERT_INT_EQ(2, krt_report_count(r, KRT_MISSING));
    ASSERT_INT_EQ(6, krt_report_count(r, KRT_UNEXPECTED));
    krt_report_free(r);
    krt_ctx_free(k);
}

/* Two Dense layers of `width` outputs each, behind 4 inputs. */
static krt_model *stack(krt_ctx *k, const char *first, int64_t width, const char *second)
{
    krt_model *m = krt_sequential(k, NULL);

    assert_int_equal(krt_add_input(m, KRT_SHAPE(4), NULL), KRT_OK);
    assert_int_equal(krt_add(m, KRT_DENSE(width, .name = first)), KRT_OK);
    assert_int_equal(krt_add(m, KRT_DENSE(width, .name = second)), KRT_OK);
    assert_int_equal(krti_layer_initialize(&m->base), KRT_OK);
    return m;
}

/* Keras pairs by place whatever the names are. */
TEST(names_in_another_order_decide_unless_only_places_fit)
{
    for (int64_t width = 3; width <= 4; width++) {
        krt_ctx *k = listening(t);
        krt_model *from = stack(k, "a", width, "b"), *to = stack(k, "b", width, "a");
        const krt_layer *mine = krt_get_layer(to, "b");
        const krt_layer *theirs = krt_get_layer(from, width == 3 ? "a" : "b");

        assert_int_equal(krt_save(from, in_folder(t, "ab.h5"), NULL), KRT_OK);
        assert_int_equal(krt_load_weights(to, in_folder(t, "ab.h5"), NULL), KRT_OK);
        assert_memory_equal(krt_variable_data(krt_layer_weight(mine, 0)),
                            krt_variable_data(krt_layer_weight(theirs, 0)),
                            (size_t)(4 * width) * sizeof(float));
        ASSERT_STR_EQ(width == 3
                          ? ""
                          : "the file's layers come in another order than the model's, whose "
                            "layer #0 is b: they are paired by name, where Keras would pair "
                            "them by place",
                      warned);
        krt_ctx_free(k);
    }
}

TEST(by_name_is_for_the_old_form_only)
{
    krt_model *m = NULL;

    ASSERT_OK(krt_load(t->k, &m, fixture("containers/keras3_trained.keras"), NULL));
    ASSERT_STATUS(KRT_E_INVALID,
                  krt_load_weights(m, fixture("containers/keras3_trained.weights.h5"),
                                   KRT_LOAD_WEIGHTS(.by_name = true)));
    ASSERT_SAYS("`by_name` only supports loading legacy '.h5' or '.hdf5' files. Received: ");
    krt_model_free(m);
}

TEST(layers_to_skip_keep_their_weights_in_every_form)
{
    static const char *const files[] = {"containers/keras3_trained.h5",
                                        "containers/keras3_trained.weights.h5"};

    for (size_t i = 0; i < KRTI_COUNT(files); i++) {
        krt_report *r = NULL;
        krt_model *m = NULL;

        ASSERT_OK(krt_load(t->k, &m, fixture("containers/keras3_trained.json"),
                           KRT_LOAD(.config_only = true)));
        ASSERT_OK(krt_load_weights(
            m, fixture(files[i]),
            KRT_LOAD_WEIGHTS(.objects_to_skip = KRT_NAMES("dense_1"), .report = &r)));
        ASSERT_INT_EQ(2, krt_report_count(r, KRT_SKIPPED_ASKED));
        ASSERT_INT_EQ(krt_layer_num_weights(&m->base) - 2, krt_report_count(r, KRT_LOADED));
        assert_null(krt_variable_data(krt_layer_weight(krt_get_layer(m, "dense_1"), 0)));
        krt_report_free(r);
        krt_model_free(m);
    }
}

TEST(a_name_to_skip_must_be_a_layers)
{
    krt_model *m = NULL;

    ASSERT_OK(krt_load(t->k, &m, fixture(file_name), NULL));
    ASSERT_STATUS(KRT_E_INVALID,
                  krt_load_weights(m, fixture(file_name),
                                   KRT_LOAD_WEIGHTS(.objects_to_skip = KRT_NAMES("nobody"))));
    ASSERT_SAYS("objects_to_skip names \"nobody\", which is no layer of the model");
    krt_model_free(m);
}

TEST(rules_give_the_files_layers_other_names)
{
    krt_ctx *k = listening(t);
    krt_model *m = like_fixture(k, 2, "head");
    krt_report *r = NULL;

    assert_int_equal(krt_load_weights(m, fixture(file_name),
                                      KRT_LOAD_WEIGHTS(.rename = KRT_NAMES("la*=hea*", "last=head"),
                                                       .report = &r)),
                     KRT_OK);
    ASSERT_INT_EQ(6, krt_report_count(r, KRT_LOADED)); /* "last" is "heast" by the first rule */
    krt_report_free(r);
    assert_int_equal(
        krt_load_weights(m, fixture(file_name),
                         KRT_LOAD_WEIGHTS(.rename = KRT_NAMES("last=head"), .report = &r)),
        KRT_OK);
    ASSERT_INT_EQ(8, krt_report_count(r, KRT_LOADED));
    krt_report_free(r);
    assert_int_equal(
        krt_load_weights(m, fixture(file_name), KRT_LOAD_WEIGHTS(.rename = KRT_NAMES("last"))),
        KRT_E_INVALID);
    krt_ctx_free(k);
}

/* ------------------------------------------------------------------------------- by hand */

TEST(weights_come_out_as_copies_and_go_in_again)
{
    krt_model *m = two_layers(t->k, 3, "first", "second");
    krt_layer *l = krt_get_layer(m, "first");
    krt_weights *w = NULL, *again = NULL;
    krt_tensor *x = NULL, *before = NULL, *after = NULL;

    ASSERT_OK(krt_tensor_from(t->k, &x, KRT_FLOAT32, KRT_SHAPE(1, 4), (float[]){1, 2, 3, 4}));
    ASSERT_OK(krt_predict(m, &before, x, NULL));
    ASSERT_OK(krt_get_weights(l, &w));
    ASSERT_INT_EQ(2, w->n);
    for (int i = 0; i < 12; i++)
        ((float *)w->items[0]->data)[i] = 0;
    ASSERT_OK(krt_set_weights(l, w));
    ASSERT_OK(krt_get_weights(l, &again));
    assert_true(((const float *)krt_tensor_data(again->items[0]))[5] == 0);
    ASSERT_OK(krt_predict(m, &after, x, NULL));
    assert_true(memcmp(krt_tensor_data(before), krt_tensor_data(after), 2 * sizeof(float)) != 0);
    krt_weights_free(w);
    krt_weights_free(again);
    krt_tensor_free(x);
    krt_tensor_free(before);
    krt_tensor_free(after);
    krt_model_free(m);
}

TEST(weights_that_do_not_fit_are_refused_in_keras_words)
{
    krt_model *m = two_layers(t->k, 3, "first", "second");
    krt_weights *w = NULL;

    ASSERT_OK(krt_get_weights(krt_get_layer(m, "first"), &w));
    ASSERT_STATUS(KRT_E_MISMATCH, krt_set_weights(krt_get_layer(m, "second"), w));
    ASSERT_SAYS("Layer second weight shape (3, 2) is not compatible with provided weight shape "
                "(4, 3)");
    ASSERT_STATUS(KRT_E_MISMATCH, krt_model_set_weights(m, w));
    ASSERT_SAYS("with a weight list of length 2, but the layer was expecting 4 weights");
    krt_weights_free(w);
    krt_model_free(m);
}

TEST(a_frozen_layer_says_so_in_its_config)
{
    krt_model *m = NULL;
    char *json = NULL;

    ASSERT_OK(krt_load(t->k, &m, fixture("containers/keras3_trained.keras"), NULL));
    ASSERT_OK(krt_to_json(m, &json, NULL));
    assert_null(strstr(json, "\"trainable\": false"));
    krt_free(t->k, json);
    krt_layer_set_trainable(krt_get_layer(m, "dense"), false);
    ASSERT_OK(krt_to_json(m, &json, NULL));
    assert_non_null(strstr(json, "\"name\": \"dense\", \"trainable\": false"));
    krt_free(t->k, json);
    krt_model_free(m);
}

/* ------------------------------------------------------------------------------- transfer */

TEST(a_transfer_pairs_weights_by_their_paths)
{
    krt_model *from = two_layers(t->k, 3, "old_1", "old_2"),
              *to = two_layers(t->k, 3, "new_1", "new_2");
    krt_report *r = NULL;

    ASSERT_STATUS(KRT_E_MISMATCH, krt_transfer_weights(to, from, NULL));
    ASSERT_SAYS("no weight of ");
    ASSERT_OK(krt_transfer_weights(to, from,
                                   KRT_TRANSFER(.rename = KRT_NAMES("old_*=new_*"), .report = &r)));
    ASSERT_INT_EQ(4, krt_report_count(r, KRT_LOADED));
    assert_memory_equal(krt_variable_data(krt_layer_weight(krt_get_layer(to, "new_2"), 0)),
                        krt_variable_data(krt_layer_weight(krt_get_layer(from, "old_2"), 0)),
                        6 * sizeof(float));
    krt_report_free(r);
    krt_model_free(from);
    krt_model_free(to);
}

TEST(a_transfer_refuses_another_shape_unless_asked)
{
    krt_model *from = two_layers(t->k, 3, "a", "b"), *to = two_layers(t->k, 5, "a", "b");
    krt_report *r = NULL;

    ASSERT_STATUS(KRT_E_MISMATCH, krt_transfer_weights(to, from, NULL));
    ASSERT_SAYS("Weight expects shape (4, 5). Received weight a/kernel with shape (4, 3)");
    ASSERT_OK(krt_transfer_weights(to, from, KRT_TRANSFER(.skip_mismatch = true, .report = &r)));
    ASSERT_INT_EQ(1, krt_report_count(r, KRT_LOADED)); /* b/bias */
    ASSERT_INT_EQ(3, krt_report_count(r, KRT_SKIPPED_SHAPE));
    krt_report_free(r);
    krt_model_free(from);
    krt_model_free(to);
}

/* ------------------------------------------------------------------------------- copies */

/* Overwrites a file where it is, as Keras's own saves do. */
static void spoil(const char *path)
{
    FILE *f = fopen(path, "r+b");
    long size = 0;

    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    size = ftell(f);
    rewind(f);
    while (size-- > 0)
        fputc(0x55, f);
    fclose(f);
}

static void expect_same_weights(testing *t, krt_model *a, krt_model *b)
{
    krt_weights *x = NULL, *y = NULL;

    ASSERT_OK(krt_model_get_weights(a, &x));
    ASSERT_OK(krt_model_get_weights(b, &y));
    ASSERT_INT_EQ(x->n, y->n);
    for (size_t i = 0; i < x->n; i++)
        assert_memory_equal(x->items[i]->data, y->items[i]->data, x->items[i]->size_bytes);
    krt_weights_free(x);
    krt_weights_free(y);
}

TEST(a_copied_model_needs_its_file_no_more)
{
    static const char *const files[][2] = {
        {"containers/keras3_trained.keras", "m.keras"},
        {"legacy/optimizer_new_adam.h5", "m.h5"},
        {"saving/dense_big_endian.weights.h5", "m.weights.h5"},
        {"saving/dense_plain.weights.h5", "n.weights.h5"},
    };

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const char *config = i >= 2 ? fixture("saving/dense.json") : NULL;
        char dense[512];
        krti_optimizer *o = NULL, *p = NULL;
        krt_model *expected = NULL, *m = NULL;

        snprintf(dense, sizeof dense, "%s", config != NULL ? config : "");
        config = config != NULL ? dense : NULL;
        copy_fixture(t, files[i][0], files[i][1]);
        ASSERT_OK(krt_load(t->k, &expected, fixture(files[i][0]), KRT_LOAD(.config = config)));
        ASSERT_OK(krt_load(t->k, &m, in_folder(t, files[i][1]),
                           KRT_LOAD(.config = config, .copy = true)));
        spoil(in_folder(t, files[i][1]));
        expect_same_weights(t, expected, m);
        ASSERT_OK(krti_model_optimizer(expected, &o));
        ASSERT_OK(krti_model_optimizer(m, &p));
        for (size_t j = 0; o != NULL && j < o->num_variables; j++)
            assert_memory_equal(o->variables[j].tensor->data, p->variables[j].tensor->data,
                                o->variables[j].tensor->size_bytes);
        ASSERT_INT_EQ(config == NULL, o != NULL);
        copy_fixture(t, files[i][0], files[i][1]);
        ASSERT_OK(krt_load_weights(m, in_folder(t, files[i][1]), KRT_LOAD_WEIGHTS(.copy = true)));
        spoil(in_folder(t, files[i][1]));
        expect_same_weights(t, expected, m);
        krt_model_free(expected);
        krt_model_free(m);
    }
}

/* ------------------------------------------------------------------------------- optimizers */

/* The file says "amsgrad": true where its state was saved without: a third slot has no array. */
TEST(slots_that_no_array_fills_are_counted)
{
    static const char key[] = "\"amsgrad\": false";
    krt_ctx *k = listening(t);
    FILE *f = fopen(fixture("legacy/optimizer_old_adam.h5"), "rb");
    char bytes[40000];
    const size_t size = fread(bytes, 1, sizeof bytes, f);
    size_t at = 0;
    krt_model *m = NULL;

    fclose(f);
    while (at + sizeof key < size && memcmp(bytes + at, key, sizeof key - 1) != 0)
        at++;
    memcpy(bytes + at, "\"amsgrad\": true ", sizeof key - 1);
    assert_int_equal(krt_load(k, &m, put_file(t, "amsgrad.h5", bytes, size), NULL), KRT_OK);
    ASSERT_STR_EQ("optimizer Adam: 12 of 18 slots restored, 6 are as in a new one; training will "
                  "not continue exactly",
                  warned);
    ASSERT_INT_EQ(1, num_warnings);
    krt_ctx_free(k);
}

/* Arrays of the optimizer's state in a file. */
static size_t num_states(krt_ctx *k, const char *path)
{
    krt_file *f = NULL;
    size_t n = 0;

    assert_int_equal(krt_file_open(k, &f, path), KRT_OK);
    for (size_t i = 0; i < krt_file_num_arrays(f); i++)
        n += krt_file_array_at(f, i)->is_optimizer;
    krt_file_close(f);
    return n;
}

TEST(what_keras_2_has_no_optimizer_for_is_left_out_of_its_files_and_said)
{
    krt_ctx *k = listening(t);
    krt_model *m = two_layers(k, 3, "first", "second");
    krti_optimizer *o = NULL;

    assert_int_equal(
        krt_compile(m, KRT_COMPILE(.optimizer = KRT_ADAM(.gradient_accumulation_steps = 2))),
        KRT_OK);
    assert_int_equal(krti_model_optimizer(m, &o), KRT_OK);
    assert_int_equal(krti_optimizer_build(o, m), KRT_OK);
    ASSERT_INT_EQ(2 + 3 * 4, o->num_variables);
    assert_int_equal(krt_save(m, in_folder(t, "a3.h5"), KRT_SAVE(.for_keras = 3)), KRT_OK);
    ASSERT_INT_EQ(0, num_warnings);
    ASSERT_INT_EQ(2 + 3 * 4, num_states(k, in_folder(t, "a3.h5")));
    assert_int_equal(krt_save(m, in_folder(t, "a2.h5"), KRT_SAVE(.for_keras = 2)), KRT_OK);
    ASSERT_STR_EQ(
        "Keras 2 has no gradient_accumulation_steps: it is left out of the file, with the "
        "variables that it keeps",
        warned);
    ASSERT_INT_EQ(1 + 2 * 4, num_states(k, in_folder(t, "a2.h5")));
    assert_int_equal(krt_save_checkpoint(m, in_folder(t, "a"), NULL), KRT_OK);
    ASSERT_INT_EQ(2 + 3 * 4 + 1, num_states(k, in_folder(t, "a"))); /* all, and the seed */
    ASSERT_INT_EQ(1, num_warnings);
    krt_ctx_free(k);
}

int main(void)
{
    return RUN(
        UNIT(a_layer_of_another_shape_is_skipped_with_one_warning_when_asked),
        UNIT(by_name_pairs_what_has_the_same_name_and_leaves_the_rest),
        UNIT(names_in_another_order_decide_unless_only_places_fit),
        UNIT(by_name_is_for_the_old_form_only),
        UNIT(layers_to_skip_keep_their_weights_in_every_form),
        UNIT(a_name_to_skip_must_be_a_layers), UNIT(rules_give_the_files_layers_other_names),
        UNIT(weights_come_out_as_copies_and_go_in_again),
        UNIT(weights_that_do_not_fit_are_refused_in_keras_words),
        UNIT(a_frozen_layer_says_so_in_its_config), UNIT(a_transfer_pairs_weights_by_their_paths),
        UNIT(a_transfer_refuses_another_shape_unless_asked),
        UNIT(a_copied_model_needs_its_file_no_more), UNIT(slots_that_no_array_fills_are_counted),
        UNIT(what_keras_2_has_no_optimizer_for_is_left_out_of_its_files_and_said));
}
