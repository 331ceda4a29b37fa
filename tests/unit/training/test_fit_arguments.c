/* Arguments of fit(), evaluate() and predict() one by one; fit() itself is test_trainer.c's. */
#include "classifier.h"
#include "training/data_adapter.h"

#include <math.h>

TEST(validation_epochs_are_keras_s_list_and_count_from_one)
{
    krt_tensor *x = features(t, ROWS), *y = classes(t, ROWS);
    krt_model *m = compiled(t, 0);
    krt_history *h = NULL;
    size_t n = 0;

    ASSERT_OK(krt_fit(m, x, y,
                      KRT_FIT(.epochs = 5, .validation_x = x, .validation_y = y,
                              .validation_epochs = KRT_NUMBERS(1, 4, 9), .history = &h)));
    (void)krt_history_get(h, "val_loss", &n);
    ASSERT_INT_EQ(2, n);
    krt_history_free(h);
}

static krt_status count_batch(void *user, krt_model *m, int64_t batch, const krt_logs *logs)
{
    int **counts = user;

    (void)m;
    (void)logs;
    if (batch == 0)
        ++*counts;
    ++**counts;
    return KRT_OK;
}

TEST(steps_per_epoch_go_on_with_the_pass_and_begin_another_where_it_ends)
{
    static const int expected[2][5] = {{4, 4, 4, 4}, {3, 1, 3, 1}};
    krt_tensor *x = features(t, 16), *y = classes(t, 16);

    for (int64_t i = 0; i < 2; i++) { /* as many batches as there are, and fewer: Keras's numbers */
        int counts[6] = {0}, *at = counts;

        ASSERT_OK(krt_fit(
            compiled(t, 0), x, y,
            KRT_FIT(.epochs = 4, .batch_size = 4, .steps_per_epoch = 4 - i,
                    .callbacks =
                        KRT_SPECS(KRT_CALLBACK(.user = &at, .on_train_batch_end = count_batch)))));
        for (int e = 0; e < 5; e++)
            ASSERT_INT_EQ(expected[i][e], counts[e + 1]);
    }
    krt_tensor_free(x);
    krt_tensor_free(y);
}

static krt_status on_rows(testing *t, krt_model *m, bool trains, int64_t first, int64_t n,
                          const krt_logs **logs)
{
    krt_tensor *x = features(t, ROWS), *y = classes(t, ROWS), *part_x = NULL, *part_y = NULL;
    const krt_shape shape = KRT_SHAPE(n, FEATURES);

    ASSERT_OK(krt_tensor_wrap(t->k, &part_x, KRT_FLOAT32, shape,
                              (const float *)krt_tensor_data(x) + first * FEATURES));
    ASSERT_OK(krt_tensor_wrap(t->k, &part_y, KRT_INT32, KRT_SHAPE(n),
                              (const int32_t *)krt_tensor_data(y) + first));
    const krt_status st = (trains ? krt_train_on_batch : krt_test_on_batch)(
        m, logs,
        KRT_DATA(.num_x = 1, .x = (const krt_tensor *const *)&part_x, .num_y = 1,
                 .y = (const krt_tensor *const *)&part_y));
    krt_tensor_free(part_x);
    krt_tensor_free(part_y);
    krt_tensor_free(x);
    krt_tensor_free(y);
    return st;
}

TEST(metrics_of_a_single_batch_are_its_own)
{
    krt_model *m = compiled(t, 0);
    krt_tensor *x = features(t, ROWS), *y = classes(t, ROWS), *bad = NULL;
    const krt_logs *logs = NULL;
    double whole = 0, loss = 0;

    ASSERT_OK(on_rows(t, m, true, 0, 8, &logs));
    ASSERT_OK(on_rows(t, m, false, 8, ROWS - 8, &logs));
    ASSERT_OK(on_rows(t, m, false, 0, ROWS, &logs));
    assert_true(krt_logs_get(logs, "loss", &loss));
    ASSERT_OK(krt_evaluate(m, &logs, x, y, NULL));
    assert_true(krt_logs_get(logs, "loss", &whole));
    assert_true(fabs(loss - whole) < 1e-6);
    ASSERT_OK(on_rows(t, m, true, 0, ROWS, &logs)); /* whose loss is from before its update */
    assert_true(krt_logs_get(logs, "loss", &loss));
    assert_true(fabs(loss - whole) < 1e-6);

    ASSERT_OK(krt_tensor_from(t->k, &bad, KRT_INT32, KRT_SHAPE(2), ((int32_t[]){0, CLASSES})));
    krt_tensor *two = features(t, 2);
    ASSERT_STATUS(KRT_E_INVALID,
                  krt_train_on_batch(m, NULL,
                                     KRT_DATA(.num_x = 1, .x = (const krt_tensor *const *)&two,
                                              .num_y = 1, .y = (const krt_tensor *const *)&bad)));
    ASSERT_SAYS("label 3 in row 1");
    krt_tensor_free(two);
    krt_tensor_free(bad);
    krt_tensor_free(x);
    krt_tensor_free(y);
}

TEST(inputs_in_a_dict_have_as_many_keys_as_there_are_inputs)
{
    krt_model *m = NULL;

    ASSERT_OK(krt_load(t->k, &m, KERATIN_FIXTURES "/models/dict_inputs_other_keys.keras", NULL));
    ASSERT_STR_EQ("a_key", krt_model_input_key(m, 0));
    ASSERT_STR_EQ("b_key", krt_model_input_key(m, 1));
    for (size_t i = 2; i < 6; i++)
        assert_null(krt_model_input_key(m, i));
}

/* The model gives {"value": the layer v's, "kind": k's}. */
TEST(outputs_in_a_dict_go_by_their_keys)
{
    krt_model *m = NULL;
    krt_tensor *x = NULL, *y[2] = {NULL, NULL};
    const krt_logs *logs = NULL;
    double loss = 0;

    ASSERT_OK(krt_load(t->k, &m, KERATIN_FIXTURES "/models/dict_outputs.keras", NULL));
    ASSERT_STR_EQ("kind", krt_model_output_key(m, 0));
    ASSERT_STR_EQ("value", krt_model_output_key(m, 1));
    assert_null(krt_model_output_key(m, 2));
    krt_shape in = krt_model_input_shape(m, 0);
    in.dim[0] = 2;
    ASSERT_OK(krt_tensor_new(t->k, &x, KRT_FLOAT32, in));
    for (size_t i = 0; i < 2; i++) {
        krt_shape out = krt_model_output_shape(m, i);

        out.dim[0] = 2;
        ASSERT_OK(krt_tensor_new(t->k, &y[i], KRT_FLOAT32, out));
    }
    ASSERT_OK(krt_compile(m, KRT_COMPILE(.loss = KRT_EACH(KRT_FOR("value", KRT_ID("mse")),
                                                          KRT_FOR("kind", KRT_ID("mae"))))));
    ASSERT_OK(krt_evaluate_data(m, &logs,
                                KRT_DATA(.num_x = 1, .x = (const krt_tensor *const *)&x, .num_y = 2,
                                         .y = (const krt_tensor *const *)y),
                                NULL));
    ASSERT_TRUE(krt_logs_get(logs, "kind_loss", &loss) && krt_logs_get(logs, "value_loss", &loss));
}

TEST(rows_shuffled_in_batches_stay_in_their_batch)
{
    int64_t order[10];
    bool moved = false;

    krti_permute(order, 10, 4, 7, 1);
    for (int64_t i = 0; i < 10; i++) {
        ASSERT_TRUE(order[i] / 4 == i / 4);
        moved = moved || order[i] != i;
    }
    ASSERT_TRUE(moved);
}

static krt_status see_first(void *user, krt_model *m, int64_t batch, const krt_logs *logs)
{
    double *loss = user;

    (void)m;
    if (batch == 0)
        (void)krt_logs_get(logs, "loss", loss);
    return KRT_OK;
}

TEST(a_first_batch_shuffled_in_itself_has_the_loss_of_the_first_rows)
{
    krt_tensor *x = features(t, ROWS), *y = classes(t, ROWS);
    krt_model *m = compiled(t, 0);
    double loss[3] = {0};

    for (int i = 0; i < 3; i++) {
        const krt_fit_args *args =
            KRT_FIT(.batch_size = 8, .shuffle = i == 2, .shuffle_in_batches = i == 1,
                    .callbacks =
                        KRT_SPECS(KRT_CALLBACK(.on_train_batch_end = see_first, .user = &loss[i])));

        ASSERT_OK(krt_compile(m, KRT_COMPILE(.optimizer = KRT_SGD(.learning_rate = 1e-30),
                                             .loss = KRT_ID("sparse_categorical_crossentropy"))));
        ASSERT_OK(krt_fit(m, x, y, args));
    }
    ASSERT_TRUE(fabs(loss[0] - loss[1]) < 1e-6 && fabs(loss[0] - loss[2]) > 1e-6);
}

TEST(weight_decay_spares_what_an_expression_finds)
{
    static const char *const patterns[] = {"^kern.l$", "^ern"};
    krt_tensor *x = features(t, ROWS), *y = classes(t, ROWS);
    float first[2];

    for (int i = 0; i < 2; i++) {
        krt_model *m = classifier(t, 0);

        ASSERT_OK(krt_compile(
            m, KRT_COMPILE(.optimizer = KRT_ADAMW(.learning_rate = 1e-6, .weight_decay = 1e5,
                                                  .exclude_from_weight_decay = {1, &patterns[i]}),
                           .loss = KRT_ID("sparse_categorical_crossentropy"))));
        ASSERT_OK(krt_fit(m, x, y, KRT_FIT(.batch_size = ROWS)));
        first[i] = *(const float *)krt_variable_data(krt_layer_weight(krt_model_layer(m, 0), 0));
    }
    ASSERT_TRUE(fabsf(first[1]) < 0.95f * fabsf(first[0]));
    krt_model *m = classifier(t, 0);
    ASSERT_STATUS(KRT_E_INVALID,
                  krt_compile(m, KRT_COMPILE(.optimizer = KRT_ADAMW(.exclude_from_weight_decay =
                                                                        KRT_NAMES("*")))));
    ASSERT_SAYS("nothing to repeat at position 0 of the pattern \"*\"");
}

static krt_status count_batches(void *user, krt_model *m, int64_t batch, const krt_logs *logs)
{
    ASSERT_TRUE(logs == NULL && krt_params(m)->steps == 3);
    *(int64_t *)user = 10 * *(int64_t *)user + batch;
    return KRT_OK;
}

static krt_status count_ends(void *user, krt_model *m, const krt_logs *logs)
{
    (void)m;
    (void)logs;
    *(int64_t *)user = 10 * *(int64_t *)user + 9;
    return KRT_OK;
}

TEST(a_prediction_with_hooks_is_the_prediction)
{
    krt_tensor *const x = features(t, ROWS), *whole = NULL, *parts = NULL;
    const krt_tensor *const all[] = {x};
    krt_model *m = classifier(t, 0.5);
    int64_t seen = 0;

    ASSERT_OK(krt_predict(m, &whole, x, NULL));
    const krt_spec *hooks =
        KRT_CALLBACK(.user = &seen, .on_predict_begin = count_ends, .on_predict_end = count_ends,
                     .on_predict_batch_begin = count_batches,
                     .on_predict_batch_end = count_batches);
    const krt_data *d = KRT_DATA(.num_x = 1, .x = all);
    ASSERT_OK(krt_predict_data(m, &parts, 1, d,
                               KRT_EVALUATE(.batch_size = 8, .callbacks = KRT_SPECS(hooks))));
    ASSERT_INT_EQ(90011229, seen);
    ASSERT_NEAR((const float *)krt_tensor_data(whole), (const float *)krt_tensor_data(parts),
                ROWS * CLASSES, 1e-6, 1e-7);
    krt_tensor_free(parts);
    ASSERT_OK(krt_predict_data(m, &parts, 1, d, KRT_EVALUATE(.batch_size = 8, .steps = 1)));
    ASSERT_INT_EQ(8, krt_tensor_shape(parts).dim[0]);
    krt_tensor_free(parts);
    krt_tensor_free(whole);
    ASSERT_STATUS(KRT_E_INVALID, krt_predict_data(m, &parts, 1, d, KRT_EVALUATE(.batch_size = 0)));
    ASSERT_SAYS("batch_size is 0, expected 1 or more");
    ASSERT_STATUS(KRT_E_INVALID, krt_predict_data(m, &parts, 1, KRT_DATA(.num_x = 0), NULL));
    ASSERT_SAYS("the model has 1 inputs, 0 x were given");
}

static void remember(void *user, int level, const char *text)
{
    (void)level;
    snprintf(user, 200, "%s", text);
}

TEST(a_metric_of_another_float_is_computed_in_float32_and_says_so)
{
    char text[200] = "";
    testing own = {.k = NULL};

    ASSERT_OK(krt_ctx_new(&own.k, KRT_CTX(.log = remember, .user = text)));
    krt_model *m = classifier(&own, 0);
    ASSERT_INT_EQ(KRT_OK, krt_compile_json(m, "{\"loss\": \"sparse_categorical_crossentropy\", "
                                              "\"metrics\": [{\"class_name\": \"Mean"
                                              "SquaredError\", \"config\": {\"dtype\": "
                                              "\"float64\"}}]}"));
    (void)krt_fit(m, features(&own, ROWS), classes(&own, ROWS), NULL);
    ASSERT_STR_EQ("the metric MeanSquaredError wants dtype float64 and is computed in float32",
                  text);
    krt_ctx_free(own.k);
}

TEST(validation_data_may_have_weights)
{
    krt_tensor *x = features(t, ROWS), *y = classes(t, ROWS), *w = NULL;
    krt_model *m = compiled(t, 0);
    krt_history *h = NULL;
    const krt_logs *logs = NULL;
    double loss = 0;
    size_t n = 0;

    ASSERT_OK(krt_tensor_new(t->k, &w, KRT_FLOAT32, KRT_SHAPE(ROWS)));
    for (int i = 0; i < ROWS; i++)
        ((float *)krt_tensor_data_mut(w))[i] = (float)(i % 3);
    ASSERT_OK(krt_fit(m, x, y,
                      KRT_FIT(.validation_x = x, .validation_y = y, .validation_sample_weight = w,
                              .history = &h)));
    ASSERT_OK(krt_evaluate(m, &logs, x, y, KRT_EVALUATE(.sample_weight = w)));
    ASSERT_TRUE(krt_logs_get(logs, "loss", &loss) && loss == krt_history_get(h, "val_loss", &n)[0]);
    ASSERT_OK(krt_evaluate(m, &logs, x, y, NULL));
    ASSERT_TRUE(krt_logs_get(logs, "loss", &loss) && loss != krt_history_get(h, "val_loss", &n)[0]);
    krt_history_free(h);
}

TEST(class_weights_are_for_one_output_and_sample_weights_for_each)
{
    krt_tensor *x = features(t, ROWS), *y = classes(t, ROWS), *w = NULL;
    krt_ktensor *in = krt_input(t->k, KRT_SHAPE(FEATURES), NULL);
    krt_ktensor *kind = krt_apply(in, KRT_DENSE(CLASSES, .activation = "softmax", .name = "kind"));
    krt_ktensor *box = krt_apply(in, KRT_DENSE(FEATURES, .name = "box"));
    krt_model *m = krt_functional(t->k, KRT_KTENSORS(in), KRT_KTENSORS(kind, box), NULL);
    const krt_logs *logs = NULL;
    double loss = 0, all = 0;

    ASSERT_OK(krt_tensor_new(t->k, &w, KRT_FLOAT32, KRT_SHAPE(ROWS))); /* zeros */
    const krt_tensor *const xs[] = {x}, *const ys[] = {y, x}, *const ws[] = {w, w};
    ASSERT_OK(krt_compile(m, KRT_COMPILE(.loss = KRT_EACH(KRT_ID("sparse_categorical_crossentropy"),
                                                          KRT_ID("mse")))));
    ASSERT_STATUS(KRT_E_INVALID, krt_fit_data(m, KRT_DATA(.num_x = 1, .x = xs, .num_y = 2, .y = ys),
                                              KRT_FIT(.class_weight = KRT_NUMBERS(1, 2))));
    ASSERT_SAYS("`class_weight` is only supported for Models with a single output");
    ASSERT_OK(krt_evaluate_data(
        m, &logs,
        KRT_DATA(.num_x = 1, .x = xs, .num_y = 2, .y = ys, .num_weights = 2, .sample_weight = ws),
        NULL));
    ASSERT_TRUE(krt_logs_get(logs, "loss", &loss) && loss == 0);
    ((float *)krt_tensor_data_mut(w))[0] = 1;
    ASSERT_OK(krt_evaluate_data(
        m, &logs,
        KRT_DATA(.num_x = 1, .x = xs, .num_y = 2, .y = ys, .num_weights = 1, .sample_weight = ws),
        NULL));
    ASSERT_TRUE(krt_logs_get(logs, "loss", &all) && all > 0);
    ASSERT_STATUS(KRT_E_INVALID, krt_fit_data(m,
                                              KRT_DATA(.num_x = 1, .x = xs, .num_y = 2, .y = ys,
                                                       .num_weights = 3, .sample_weight = ws),
                                              NULL));
    ASSERT_SAYS("3 sample weights for 2 outputs; give one, or one an output");
    ASSERT_STATUS(
        KRT_E_INVALID,
        krt_fit_data(m, KRT_DATA(.num_x = 1, .x = xs, .num_y = 2, .y = ys),
                     KRT_FIT(.validation = KRT_DATA(.num_x = 1, .x = xs, .num_y = 1, .y = ys))));
    ASSERT_SAYS("the model has 2 outputs, 2 of them with a loss; 1 y were given");
}

int main(void)
{
    return RUN(UNIT(validation_epochs_are_keras_s_list_and_count_from_one),
               UNIT(steps_per_epoch_go_on_with_the_pass_and_begin_another_where_it_ends),
               UNIT(metrics_of_a_single_batch_are_its_own),
               UNIT(inputs_in_a_dict_have_as_many_keys_as_there_are_inputs),
               UNIT(outputs_in_a_dict_go_by_their_keys),
               UNIT(rows_shuffled_in_batches_stay_in_their_batch),
               UNIT(a_first_batch_shuffled_in_itself_has_the_loss_of_the_first_rows),
               UNIT(weight_decay_spares_what_an_expression_finds),
               UNIT(a_prediction_with_hooks_is_the_prediction),
               UNIT(a_metric_of_another_float_is_computed_in_float32_and_says_so),
               UNIT(validation_data_may_have_weights),
               UNIT(class_weights_are_for_one_output_and_sample_weights_for_each));
}
