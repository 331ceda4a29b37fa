/* fit(), evaluate() and their refusals. Numbers against real Keras are tests/parity/test_training.c's. */
#include "failing.h"
#include "classifier.h"
#include "training/data_adapter.h"

/* ------------------------------------------------------------------------------- history */

TEST(a_history_has_sorted_names_training_first_and_the_loss_falls)
{
    krt_tensor *x = features(t, ROWS), *y = classes(t, ROWS);
    krt_model *m = compiled(t, 0);
    krt_history *h = NULL;
    size_t n = 0;

    ASSERT_OK(krt_fit(
        m, x, y, KRT_FIT(.epochs = 5, .batch_size = 6, .validation_split = 0.2, .history = &h)));
    ASSERT_INT_EQ(4, krt_history_num(h));
    ASSERT_STR_EQ("accuracy", krt_history_name(h, 0));
    ASSERT_STR_EQ("loss", krt_history_name(h, 1));
    ASSERT_STR_EQ("val_accuracy", krt_history_name(h, 2));
    ASSERT_STR_EQ("val_loss", krt_history_name(h, 3));
    const double *loss = krt_history_get(h, "loss", &n);
    ASSERT_INT_EQ(5, n);
    ASSERT_TRUE(loss[4] < loss[0]);
    ASSERT_INT_EQ(4, krt_history_epochs(h, &n)[4]);
    ASSERT_TRUE(krt_history_get(h, "mae", &n) == NULL && n == 0);
    krt_history_free(h);
}

TEST(validation_takes_the_last_rows_and_happens_after_the_epoch)
{
    krt_tensor *x = features(t, ROWS), *y = classes(t, ROWS), *part_x = NULL, *part_y = NULL;
    krt_model *m = compiled(t, 0);
    krt_history *h = NULL;
    const krt_logs *logs = NULL;
    double loss = 0;
    size_t n = 0;

    ASSERT_OK(krt_fit(m, x, y, KRT_FIT(.validation_split = 0.25, .history = &h)));
    ASSERT_OK(krt_tensor_wrap(t->k, &part_x, KRT_FLOAT32, KRT_SHAPE(5, FEATURES),
                              (const float *)krt_tensor_data(x) + 15 * FEATURES));
    ASSERT_OK(krt_tensor_wrap(t->k, &part_y, KRT_INT32, KRT_SHAPE(5),
                              (const int32_t *)krt_tensor_data(y) + 15));
    ASSERT_OK(krt_evaluate(m, &logs, part_x, part_y, NULL));
    ASSERT_TRUE(krt_logs_get(logs, "loss", &loss));
    ASSERT_TRUE(loss == krt_history_get(h, "val_loss", &n)[0]);
    krt_history_free(h);
}

TEST(a_loss_over_batches_is_the_loss_over_all_rows)
{
    krt_tensor *x = features(t, ROWS), *y = classes(t, ROWS);
    krt_model *m = compiled(t, 0.3); /* dropout acts in training only */
    const krt_logs *logs = NULL;
    double whole = 0, parts = 0;

    ASSERT_OK(krt_evaluate(m, &logs, x, y, KRT_EVALUATE(.batch_size = 20)));
    ASSERT_TRUE(krt_logs_get(logs, "loss", &whole));
    ASSERT_OK(krt_evaluate(m, &logs, x, y, KRT_EVALUATE(.batch_size = 7)));
    ASSERT_TRUE(krt_logs_get(logs, "loss", &parts));
    ASSERT_TRUE(fabs(whole - parts) < 1e-6);
}

TEST(validation_freq_shortens_the_lists)
{
    krt_tensor *x = features(t, ROWS), *y = classes(t, ROWS);
    krt_model *m = compiled(t, 0);
    krt_history *h = NULL;
    size_t n = 0;

    ASSERT_OK(krt_fit(m, x, y,
                      KRT_FIT(.epochs = 5, .validation_x = x, .validation_y = y,
                              .validation_freq = 2, .history = &h)));
    ASSERT_TRUE(krt_history_get(h, "loss", &n) != NULL && n == 5);
    ASSERT_TRUE(krt_history_get(h, "val_loss", &n) != NULL && n == 2);
    krt_history_free(h);
}

/* ------------------------------------------------------------------------------- order */

TEST(an_epochs_order_is_a_permutation_and_a_function_of_seed_and_epoch)
{
    int64_t a[100], b[100];
    bool seen[100] = {false};
    int moved = 0;

    krti_permute(a, 100, 100, 7, 3);
    krti_permute(b, 100, 100, 7, 3);
    assert_memory_equal(a, b, sizeof a);
    for (int i = 0; i < 100; i++) {
        assert_true(a[i] >= 0 && a[i] < 100 && !seen[a[i]]);
        seen[a[i]] = true;
    }
    krti_permute(b, 100, 100, 7, 4);
    for (int i = 0; i < 100; i++)
        moved += a[i] != b[i];
    ASSERT_TRUE(moved > 50);
    krti_permute(b, 100, 100, 8, 3);
    ASSERT_TRUE(memcmp(a, b, sizeof a) != 0);
}

static void same_weights(const krt_model *a, const krt_model *b)
{
    for (size_t i = 0; i < krt_model_num_layers(a); i++) {
        const krt_layer *l = krt_model_layer(a, i), *other = krt_model_layer(b, i);

        for (size_t j = 0; j < krt_layer_num_weights(l); j++) {
            const krt_variable *v = krt_layer_weight(l, j);

            assert_memory_equal(krt_variable_data(v), krt_variable_data(krt_layer_weight(other, j)),
                                (size_t)krt_shape_size(krt_variable_shape(v)) * sizeof(float));
        }
    }
}

TEST(training_in_two_parts_is_training_in_one_bit_for_bit)
{
    krt_tensor *x = features(t, ROWS), *y = classes(t, ROWS);
    krt_model *once = compiled(t, 0.4), *twice = compiled(t, 0.4);

    ASSERT_OK(krt_fit(once, x, y, KRT_FIT(.epochs = 4, .batch_size = 6)));
    ASSERT_OK(krt_fit(twice, x, y, KRT_FIT(.epochs = 2, .batch_size = 6)));
    ASSERT_OK(krt_fit(twice, x, y, KRT_FIT(.epochs = 4, .initial_epoch = 2, .batch_size = 6)));
    same_weights(once, twice);
}

/* What a file keeps of a training: weights, the optimizer's variables and its seed. */
static void carry_over(testing *t, krt_model *from, krt_model *to)
{
    krti_optimizer *a = krti_model_optimizer_now(from), *b = NULL;

    ASSERT_OK(krti_model_ready(to, (krt_shape){.rank = -1}));
    ASSERT_OK(krti_model_optimizer(to, &b));
    ASSERT_OK(krti_optimizer_build(b, to));
    b->seed = a->seed;
    ASSERT_INT_EQ(a->num_variables, b->num_variables);
    for (size_t i = 0; i < a->num_variables; i++)
        memcpy(b->variables[i].tensor->data, a->variables[i].tensor->data,
               a->variables[i].tensor->size_bytes);
    for (size_t i = 0; i < krt_layer_num_weights(&from->base); i++)
        memcpy(krt_layer_weight(&to->base, i)->tensor->data,
               krt_layer_weight(&from->base, i)->tensor->data,
               krt_layer_weight(&from->base, i)->tensor->size_bytes);
}

TEST(a_training_goes_on_in_another_process_of_another_seed)
{
    testing other = {.k = NULL};
    krt_tensor *x = features(t, ROWS), *y = classes(t, ROWS), *other_x = NULL, *other_y = NULL;
    krt_model *m[2] = {NULL, NULL}, *once = NULL;

    ASSERT_OK(krt_ctx_new(&other.k, KRT_CTX(.seed = 99)));
    other_x = features(&other, ROWS);
    other_y = classes(&other, ROWS);
    for (int i = 0; i < 3; i++) {
        testing *const own = i == 2 ? &other : t;
        krt_model *model = krt_sequential(own->k, NULL);

        ASSERT_OK(krt_add_input(model, KRT_SHAPE(FEATURES), NULL));
        ASSERT_OK(krt_add(model, KRT_DENSE(8, .activation = "relu",
                                           .kernel_initializer = KRT_GLOROT_UNIFORM(.seed = 3))));
        ASSERT_OK(krt_add(model, KRT_DROPOUT(0.4, .name = "drop")));
        ASSERT_OK(krt_add(model, KRT_DENSE(CLASSES, .activation = "softmax",
                                           .kernel_initializer = KRT_GLOROT_UNIFORM(.seed = 4))));
        ASSERT_OK(
            krt_compile(model, KRT_COMPILE(.optimizer = KRT_ADAM(),
                                           .loss = KRT_ID("sparse_categorical_crossentropy"))));
        *(i == 0 ? &once : &m[i - 1]) = model;
    }
    ASSERT_OK(krt_fit(once, x, y, KRT_FIT(.epochs = 4, .batch_size = 6)));
    ASSERT_OK(krt_fit(m[0], x, y, KRT_FIT(.epochs = 2, .batch_size = 6)));
    carry_over(t, m[0], m[1]);
    ASSERT_OK(
        krt_fit(m[1], other_x, other_y, KRT_FIT(.epochs = 4, .initial_epoch = 2, .batch_size = 6)));
    same_weights(once, m[1]);
    krt_ctx_free(other.k);
}

TEST(predictions_after_training_use_the_new_weights)
{
    krt_tensor *x = features(t, ROWS), *y = classes(t, ROWS), *before = NULL, *after = NULL;
    krt_model *m = compiled(t, 0);

    ASSERT_OK(krt_predict(m, &before, x, NULL));
    ASSERT_OK(krt_fit(m, x, y, NULL));
    ASSERT_OK(krt_predict(m, &after, x, NULL));
    ASSERT_TRUE(memcmp(krt_tensor_data(before), krt_tensor_data(after),
                       ROWS * CLASSES * sizeof(float)) != 0);
}

/* ------------------------------------------------------------------------------- weights of rows */

TEST(class_weights_are_sample_weights)
{
    krt_tensor *x = features(t, ROWS), *y = classes(t, ROWS), *w = NULL;
    krt_model *by_class = compiled(t, 0), *by_row = compiled(t, 0);

    ASSERT_OK(krt_tensor_new(t->k, &w, KRT_FLOAT32, KRT_SHAPE(ROWS)));
    for (int i = 0; i < ROWS; i++)
        ((float *)krt_tensor_data_mut(w))[i] = (float[]){2, 0.5f, 1}[i * 7 % CLASSES];
    ASSERT_OK(krt_fit(by_class, x, y, KRT_FIT(.class_weight = KRT_NUMBERS(2, 0.5))));
    ASSERT_OK(krt_fit(by_row, x, y, KRT_FIT(.sample_weight = w)));
    same_weights(by_class, by_row);
    ASSERT_STATUS(
        KRT_E_INVALID,
        krt_fit(by_row, x, y, KRT_FIT(.sample_weight = w, .class_weight = KRT_NUMBERS(2, 1))));
    ASSERT_SAYS("You cannot `class_weight` and `sample_weight` at the same time");
}

/* ------------------------------------------------------------------------------- callbacks */

typedef struct recorded {
    char text[512];
    int64_t stop_after, batches;
    krt_status fails;
} recorded;

static void note(recorded *r, const char *what, int64_t number)
{
    const size_t n = strlen(r->text);

    snprintf(r->text + n, sizeof r->text - n, number < 0 ? "%s " : "%s%lld ", what,
             (long long)number);
}

static krt_status train_begin(void *user, krt_model *m, const krt_logs *logs)
{
    (void)logs;
    note(user, "train", -1);
    return krt_params(m)->steps == 4 ? KRT_OK : KRT_E_USER;
}

static krt_status train_end(void *user, krt_model *m, const krt_logs *logs)
{
    (void)m;
    note(user, krt_logs_get(logs, "loss", NULL) ? "end" : "nothing", -1);
    return KRT_OK;
}

static krt_status epoch_begin(void *user, krt_model *m, int64_t epoch, const krt_logs *logs)
{
    (void)m;
    (void)logs;
    note(user, "epoch", epoch);
    return KRT_OK;
}

static krt_status epoch_end(void *user, krt_model *m, int64_t epoch, const krt_logs *logs)
{
    note(user, krt_logs_get(logs, "val_loss", NULL) ? "v" : "e", epoch);
    return krt_add_log(m, "extra", (double)epoch);
}

static krt_status batch_end(void *user, krt_model *m, int64_t batch, const krt_logs *logs)
{
    recorded *r = user;

    note(r, krt_logs_get(logs, "accuracy", NULL) ? "b" : "?", batch);
    if (++r->batches == r->stop_after)
        krt_stop_training(m);
    return r->fails;
}

static krt_status interrupt(void *user, krt_model *m, int64_t batch, const krt_logs *logs)
{
    (void)user;
    (void)logs;
    if (batch == 1)
        krt_request_stop(m);
    return KRT_OK;
}

TEST(hooks_are_called_in_keras_order)
{
    krt_tensor *x = features(t, ROWS), *y = classes(t, ROWS);
    krt_model *m = compiled(t, 0);
    krt_history *h = NULL;
    recorded r = {.stop_after = 6};
    size_t n = 0;

    ASSERT_OK(krt_fit(
        m, x, y,
        KRT_FIT(.epochs = 3, .batch_size = 5, .history = &h, .validation_x = x, .validation_y = y,
                .callbacks = KRT_SPECS(
                    KRT_CALLBACK(.user = &r, .on_train_begin = train_begin,
                                 .on_train_end = train_end, .on_epoch_begin = epoch_begin,
                                 .on_epoch_end = epoch_end, .on_train_batch_end = batch_end)))));
    ASSERT_STR_EQ("train epoch0 b0 b1 b2 b3 v0 epoch1 b0 b1 v1 end ", r.text);
    ASSERT_STR_EQ("extra", krt_history_name(h, 4));
    ASSERT_TRUE(krt_history_get(h, "extra", &n)[1] == 1 && n == 2);
    ASSERT_STATUS(KRT_E_STATE, krt_add_log(m, "late", 0));
    krt_history_free(h);
}

TEST(a_hook_that_fails_ends_the_training_with_its_status)
{
    krt_tensor *x = features(t, ROWS), *y = classes(t, ROWS);
    krt_model *m = compiled(t, 0);
    krt_history *h = NULL;
    recorded r = {.fails = KRT_E_USER};

    ASSERT_STATUS(KRT_E_USER,
                  krt_fit(m, x, y,
                          KRT_FIT(.history = &h,
                                  .callbacks = KRT_SPECS(
                                      KRT_CALLBACK(.user = &r, .on_train_batch_end = batch_end)))));
    ASSERT_INT_EQ(0, krt_history_num(h));
    krt_history_free(h);
}

TEST(an_interrupted_training_keeps_its_history_and_ends_its_callbacks)
{
    krt_tensor *x = features(t, ROWS), *y = classes(t, ROWS);
    krt_model *m = compiled(t, 0);
    krt_history *h = NULL;
    recorded r = {.stop_after = -1};

    ASSERT_STATUS(KRT_E_CANCELLED,
                  krt_fit(m, x, y,
                          KRT_FIT(.epochs = 2, .batch_size = 5, .history = &h,
                                  .callbacks = KRT_SPECS(
                                      KRT_CALLBACK(.on_train_batch_end = interrupt),
                                      KRT_CALLBACK(.user = &r, .on_train_end = train_end)))));
    ASSERT_SAYS("interrupted in epoch 1, after batch 2");
    ASSERT_STR_EQ("nothing ", r.text);
    ASSERT_INT_EQ(0, krt_history_num(h));
    krt_history_free(h);
}

/* ------------------------------------------------------------------------------- sources */

typedef struct counting {
    float x[5 * FEATURES];
    int32_t y[5];
    krt_array arrays[2];
    int calls, a_pass;
} counting;

static krt_status next_batch(void *user, krt_batch *batch, bool *is_end)
{
    counting *c = user;

    *is_end = c->calls++ % (c->a_pass + 1) == c->a_pass;
    for (int i = 0; i < 5 * FEATURES; i++)
        c->x[i] = (float)((i * 31 + c->calls) % 17) / 17.0f;
    for (int i = 0; i < 5; i++)
        c->y[i] = (i + c->calls) % CLASSES;
    c->arrays[0] = (krt_array){KRT_FLOAT32, KRT_SHAPE(5, FEATURES), c->x};
    c->arrays[1] = (krt_array){KRT_INT32, KRT_SHAPE(5), c->y};
    *batch = (krt_batch){.num_x = 1, .x = &c->arrays[0], .num_y = 1, .y = &c->arrays[1]};
    return KRT_OK;
}

static krt_status bad_batch(void *user, krt_batch *batch, bool *is_end)
{
    (void)user;
    (void)batch;
    *is_end = false;
    return KRT_E_USER;
}

TEST(a_source_of_batches_is_read_to_its_end_each_epoch)
{
    krt_model *m = compiled(t, 0);
    counting c = {.a_pass = 3};
    int64_t steps = 0;

    ASSERT_OK(krt_fit_data(m, KRT_DATA(.source = KRT_SOURCE(next_batch, .user = &c)),
                           KRT_FIT(.epochs = 2)));
    ASSERT_OK(krt_iterations(m, &steps));
    ASSERT_INT_EQ(6, steps);
    ASSERT_INT_EQ(8, c.calls);
}

TEST(a_source_that_fails_ends_the_training)
{
    krt_model *m = compiled(t, 0);

    ASSERT_STATUS(KRT_E_USER,
                  krt_fit_data(m, KRT_DATA(.source = KRT_SOURCE(bad_batch)), KRT_FIT(.epochs = 2)));
    ASSERT_SAYS("the source of batches failed");
}

TEST(steps_per_epoch_leaves_a_pass_to_the_next_epoch)
{
    krt_tensor *x = features(t, 15), *y = classes(t, 15);
    krt_model *m = compiled(t, 0);
    int64_t steps = 0;

    ASSERT_OK(krt_fit(m, x, y, KRT_FIT(.epochs = 4, .batch_size = 5, .steps_per_epoch = 2)));
    ASSERT_OK(krt_iterations(m, &steps));
    ASSERT_INT_EQ(6, steps); /* 2, 1, 2, 1, as in Keras */
}

TEST(steps_per_epoch_cut_an_endless_source_into_epochs)
{
    krt_model *m = compiled(t, 0);
    counting c = {.a_pass = 1000000};
    krt_history *h = NULL;
    int64_t steps = 0;
    size_t n = 0;

    ASSERT_OK(krt_fit_data(m, KRT_DATA(.source = KRT_SOURCE(next_batch, .user = &c)),
                           KRT_FIT(.epochs = 3, .steps_per_epoch = 2, .history = &h)));
    ASSERT_OK(krt_iterations(m, &steps));
    ASSERT_INT_EQ(6, steps);
    (void)krt_history_get(h, "loss", &n);
    ASSERT_INT_EQ(3, n);
    ASSERT_TRUE(c.calls <= 8); /* one batch ahead */
    krt_history_free(h);
}

/* ------------------------------------------------------------------------------- refusals */

TEST(a_model_that_is_not_compiled_says_so)
{
    krt_tensor *x = features(t, ROWS), *y = classes(t, ROWS);
    krt_model *m = classifier(t, 0);

    ASSERT_STATUS(KRT_E_STATE, krt_fit(m, x, y, NULL));
    ASSERT_SAYS("You must call `compile()` before using the model");
}

TEST(bad_fit_arguments_are_refused_before_the_first_step)
{
    krt_tensor *x = features(t, ROWS), *y = classes(t, ROWS), *one_x = features(t, 1),
               *one_y = classes(t, 1), *short_y = classes(t, 19);
    krt_model *m = compiled(t, 0);
    int64_t steps = -1;

    ASSERT_STATUS(KRT_E_INVALID, krt_fit(m, x, y, KRT_FIT(.batch_size = 0)));
    ASSERT_SAYS("batch_size is 0, expected 1 or more");
    ASSERT_STATUS(KRT_E_INVALID, krt_fit(m, x, y, KRT_FIT(.validation_split = 1)));
    ASSERT_SAYS("validation_split is 1, expected [0, 1)");
    ASSERT_STATUS(KRT_E_INVALID, krt_fit(m, one_x, one_y, KRT_FIT(.validation_split = 0.5)));
    ASSERT_SAYS("Training data contains 1 samples, which is not sufficient to split it");
    ASSERT_STATUS(KRT_E_INVALID, krt_fit(m, x, short_y, NULL));
    ASSERT_SAYS("Data cardinality is ambiguous");
    ASSERT_STATUS(KRT_E_INVALID, krt_fit(m, x, NULL, NULL));
    ASSERT_STATUS(KRT_E_INVALID, krt_fit(m, x, y, KRT_FIT(.steps_per_epoch = 0)));
    ASSERT_STATUS(KRT_E_INVALID, krt_fit(m, y, y, NULL));
    ASSERT_SAYS("x has shape (20,), the model wants (None, 4)");
    ASSERT_STATUS(KRT_E_UNKNOWN_CLASS,
                  krt_fit(m, x, y, KRT_FIT(.callbacks = KRT_SPECS(KRT_ID("Psychic")))));
    ASSERT_OK(krt_iterations(m, &steps));
    ASSERT_INT_EQ(0, steps);
}

TEST(a_label_out_of_range_is_named)
{
    krt_tensor *x = features(t, ROWS), *y = classes(t, ROWS);
    krt_model *m = compiled(t, 0);

    ((int32_t *)krt_tensor_data_mut(y))[7] = 3;
    ASSERT_STATUS(KRT_E_INVALID, krt_fit(m, x, y, KRT_FIT(.shuffle = false)));
    ASSERT_SAYS(
        "label 3 in row 7 of y 0 is outside [0, 3), the classes the output has: labels count "
        "from 0, and the last layer needs a unit for each class");
    ASSERT_STATUS(KRT_E_INVALID, krt_train_on_batch(m, NULL,
                                                    KRT_DATA(.num_x = 1, .num_y = 1,
                                                             .x = (const krt_tensor *[]){x},
                                                             .y = (const krt_tensor *[]){y})));
    ASSERT_SAYS("label 3 in row 7 of the batch is outside [0, 3)");
    const krt_tensor *const good = classes(t, ROWS);
    ASSERT_STATUS(KRT_E_INVALID,
                  krt_fit(m, x, good, KRT_FIT(.validation_x = x, .validation_y = y)));
    ASSERT_SAYS("label 3 in row 7 of validation y 0 is outside [0, 3)");
    ASSERT_STATUS(KRT_E_INVALID,
                  krt_evaluate(m, &(const krt_logs *){NULL}, x, y, KRT_EVALUATE(.batch_size = 5)));
    ASSERT_SAYS("label 3 in row 7 of y 0 is outside [0, 3)");
}

TEST(nan_in_the_data_is_found_before_training)
{
    krt_tensor *x = features(t, ROWS), *y = classes(t, ROWS);
    krt_model *m = compiled(t, 0);

    ((float *)krt_tensor_data_mut(x))[13] = NAN;
    ASSERT_STATUS(KRT_E_INVALID, krt_fit(m, x, y, NULL));
    ASSERT_SAYS("x 0 holds NaN in row 3; clean the data first");
    ASSERT_STATUS(KRT_E_INVALID,
                  krt_fit(m, features(t, ROWS), y, KRT_FIT(.validation_x = x, .validation_y = y)));
    ASSERT_SAYS("validation x 0 holds NaN in row 3; clean the data first");
}

TEST(y_of_the_wrong_shape_is_refused_with_both_shapes)
{
    krt_tensor *x = features(t, ROWS);
    krt_model *m = compiled(t, 0);

    ASSERT_STATUS(KRT_E_INVALID, krt_fit(m, x, x, NULL));
    ASSERT_SAYS("must have the same shape up until the last dimension: y_true has shape (20, 4), "
                "y_pred has shape (20, 3); give y a class number for each row of the output");
    krt_tensor *y = NULL;
    ASSERT_OK(krt_tensor_new(t->k, &y, KRT_FLOAT32, KRT_SHAPE(ROWS, CLASSES)));
    ASSERT_STATUS(KRT_E_INVALID, krt_fit(m, x, y, NULL));
    ASSERT_SAYS("y_pred has shape (20, 3); one-hot rows want categorical_crossentropy");
    static const char *const losses[] = {"mse", "categorical_crossentropy"};
    for (int i = 0; i < 2; i++) {
        ASSERT_OK(krt_compile(m, KRT_COMPILE(.loss = KRT_ID(losses[i]))));
        ASSERT_STATUS(KRT_E_INVALID, krt_fit(m, x, classes(t, ROWS), NULL));
        ASSERT_SAYS("y_true has shape (20,), y_pred has shape (20, 3); class numbers want "
                    "sparse_categorical_crossentropy");
    }
}

/* Two labels of {2, 0, 4} count. Five ways lead through them in three steps, each of 1 / 125; a label 0
 * that only a blank could precede would leave one of them. Keras has 3.2188758 on both backends. */
TEST(a_class_0_among_the_labels_of_ctc_is_a_label)
{
    static const float logits[15] = {0};
    static const int32_t labels[3] = {2, 0, 4};
    krt_model *m = krt_sequential(t->k, NULL);
    krt_tensor *x = NULL, *y = NULL;
    const krt_logs *logs = NULL;
    double loss = 0;

    ASSERT_OK(krt_add_input(m, KRT_SHAPE(3, 5), NULL));
    ASSERT_OK(krt_add(m, KRT_ACTIVATION("linear")));
    ASSERT_OK(krt_compile(m, KRT_COMPILE(.loss = KRT_ID("ctc"))));
    ASSERT_OK(krt_tensor_from(t->k, &x, KRT_FLOAT32, KRT_SHAPE(1, 3, 5), logits));
    ASSERT_OK(krt_tensor_from(t->k, &y, KRT_INT32, KRT_SHAPE(1, 3), labels));
    ASSERT_OK(krt_evaluate(m, &logs, x, y, NULL));
    ASSERT_TRUE(krt_logs_get(logs, "loss", &loss) && fabs(loss - 3.2188758) < 1e-5);
    krt_tensor_free(x);
    krt_tensor_free(y);
}

TEST(a_metric_that_does_not_fit_y_says_so)
{
    krt_tensor *x = features(t, ROWS), *y = classes(t, ROWS);
    krt_model *m = classifier(t, 0);
    const krt_spec *const metrics[] = {KRT_AUC(),      KRT_F1_SCORE(),
                                       KRT_R2_SCORE(), KRT_MEAN_IOU(3),
                                       KRT_ID("mse"),  KRT_PRECISION(.class_id = 5)};

    for (size_t i = 0; i < KRTI_COUNT(metrics); i++) {
        krt_compile_args args = {.struct_size = sizeof args,
                                 .loss = KRT_ID("sparse_categorical_crossentropy")};

        args.metrics = (krt_specs){1, &metrics[i]};
        ASSERT_OK(krt_compile(m, &args));
        ASSERT_STATUS(KRT_E_INVALID, krt_fit(m, x, y, NULL));
    }
}

TEST(the_labels_of_an_auc_are_counted)
{
    const struct {
        bool multi_label;
        int64_t num_labels;
        const char *says; /* NULL: it trains */
    } rows[] = {{true, CLASSES, NULL},
                {true, CLASSES + 1, "num_labels is 4, but `y_pred` has 3 labels"},
                {false, CLASSES, "`num_labels` is needed only when `multi_label` is True."}};
    krt_tensor *x = features(t, ROWS), *y = NULL;
    krt_model *m = classifier(t, 0);

    ASSERT_OK(krt_tensor_new(t->k, &y, KRT_FLOAT32, KRT_SHAPE(ROWS, CLASSES)));
    for (size_t i = 0; i < KRTI_COUNT(rows); i++) {
        ASSERT_OK(krt_compile(
            m, KRT_COMPILE(.loss = KRT_ID("mse"),
                           .metrics = KRT_SPECS(KRT_AUC(.multi_label = rows[i].multi_label,
                                                        .num_labels = rows[i].num_labels)))));
        ASSERT_STATUS(rows[i].says == NULL ? KRT_OK : KRT_E_INVALID, krt_fit(m, x, y, NULL));
        if (rows[i].says != NULL)
            ASSERT_SAYS(rows[i].says);
    }
}

TEST(bad_compile_arguments_leave_the_model_as_it_was)
{
    krt_model *m = compiled(t, 0);
    static const struct {
        const char *loss, *metric, *optimizer, *says;
    } rows[] = {
        {"crossentropee", NULL, NULL, "Could not interpret loss identifier: crossentropee"},
        {"mse", "accurate", NULL, "Could not interpret metric identifier: accurate"},
        {"mse", NULL, "adamant", "Could not interpret optimizer identifier: adamant"},
    };

    for (size_t i = 0; i < KRTI_COUNT(rows); i++) {
        krt_compile_args args = {.struct_size = sizeof args, .loss = KRT_ID(rows[i].loss)};
        const krt_spec *const metric = KRT_ID(rows[i].metric);

        if (rows[i].metric != NULL)
            args.metrics = (krt_specs){1, &metric};
        args.optimizer = rows[i].optimizer != NULL ? KRT_ID(rows[i].optimizer) : NULL;
        ASSERT_STATUS(KRT_E_UNKNOWN_CLASS, krt_compile(m, &args));
        ASSERT_SAYS(rows[i].says);
    }
    ASSERT_STR_EQ("sparse_categorical_crossentropy",
                  krti_conf_get_text(krti_compile_config(m), "loss"));
}

TEST(the_learning_rate_can_be_read_and_set)
{
    krt_model *m = compiled(t, 0);
    double rate = 0;

    ASSERT_OK(krt_learning_rate(m, &rate));
    ASSERT_TRUE(rate == (double)0.01f);
    ASSERT_OK(krt_set_learning_rate(m, 0.5));
    ASSERT_OK(krt_learning_rate(m, &rate));
    ASSERT_TRUE(rate == 0.5);
    ASSERT_OK(krt_compile(
        m, KRT_COMPILE(.optimizer = KRT_SGD(.schedule = KRT_EXPONENTIAL_DECAY(0.1, 10, 0.5)))));
    ASSERT_STATUS(KRT_E_INVALID, krt_set_learning_rate(m, 0.5));
    ASSERT_SAYS("its learning rate is not settable");
}

TEST(a_mapped_weight_is_never_written)
{
    krt_tensor *x = features(t, ROWS), *y = classes(t, ROWS), *file = NULL;
    krt_model *m = compiled(t, 0);
    krt_variable *kernel = NULL;

    ASSERT_OK(krti_model_ready(m, (krt_shape){.rank = -1}));
    kernel = krt_layer_weight(krt_model_layer(m, 0), 0);
    ASSERT_OK(krt_tensor_from(t->k, &file, KRT_FLOAT32, krt_variable_shape(kernel),
                              krt_variable_data(kernel)));
    krt_tensor_free(kernel->tensor);
    ASSERT_OK(krt_tensor_wrap(t->k, &kernel->tensor, KRT_FLOAT32, krt_tensor_shape(file),
                              krt_tensor_data(file)));
    ASSERT_OK(krt_fit(m, x, y, NULL));
    ASSERT_TRUE(krt_variable_data(kernel) != krt_tensor_data(file));
}

TEST(weights_at_any_address_are_evaluated)
{
    krt_tensor *x = features(t, ROWS), *y = classes(t, ROWS);
    krt_model *m = compiled(t, 0);
    const krt_logs *logs = NULL;
    static float room[FEATURES * 8 + 1];

    ASSERT_OK(krti_model_ready(m, (krt_shape){.rank = -1}));
    krt_tensor *kernel = krt_layer_weight(krt_model_layer(m, 0), 0)->tensor;
    memcpy((char *)room + 1, kernel->data, kernel->size_bytes);
    void *const own = kernel->data;
    kernel->data = (char *)room + 1;
    kernel->ours = false;
    ASSERT_OK(krt_evaluate(m, &logs, x, y, NULL));
    ASSERT_TRUE(kernel->ours && kernel->data != own);
    krti_free(t->k, own);
}

TEST(a_sequential_without_a_shape_takes_that_of_the_data)
{
    krt_tensor *x = features(t, ROWS), *y = classes(t, ROWS);
    krt_model *m = krt_sequential(t->k, NULL);

    ASSERT_OK(krt_add(m, KRT_DENSE(8, .activation = "relu")));
    ASSERT_OK(krt_add(m, KRT_DENSE(CLASSES, .activation = "softmax")));
    ASSERT_OK(krt_compile(m, KRT_COMPILE(.loss = KRT_ID("crossentropy"))));
    ASSERT_OK(krt_fit(m, x, y, NULL));
    ASSERT_INT_EQ(FEATURES * 8 + 8 + 8 * CLASSES + CLASSES, krt_model_count_params(m));
}

TEST(losses_and_weights_are_given_by_output)
{
    krt_tensor *x = features(t, ROWS), *y = classes(t, ROWS);
    krt_ktensor *in = krt_input(t->k, KRT_SHAPE(FEATURES), NULL);
    krt_ktensor *kind = krt_apply(in, KRT_DENSE(CLASSES, .activation = "softmax", .name = "kind"));
    krt_ktensor *box = krt_apply(in, KRT_DENSE(FEATURES, .name = "box"));
    krt_model *m = krt_functional(t->k, KRT_KTENSORS(in), KRT_KTENSORS(kind, box), NULL);
    const krt_tensor *const xs[] = {x}, *const ys[] = {y, x};
    const krt_logs *logs = NULL;
    double loss = 0, kind_loss = 0, box_loss = 0;

    ASSERT_OK(krt_compile(
        m, KRT_COMPILE(.loss = KRT_EACH(KRT_FOR("kind", KRT_ID("sparse_categorical_crossentropy")),
                                        KRT_FOR("box", KRT_HUBER(.delta = 0.5))),
                       .loss_weights = KRT_NUMBERS(3, 0.5),
                       .loss_weight_names = KRT_NAMES("box", "kind"),
                       .metrics = KRT_SPECS(KRT_FOR("kind", KRT_EACH(KRT_ID("accuracy"))),
                                            KRT_FOR("box", KRT_ID("mae"))))));
    ASSERT_OK(
        krt_evaluate_data(m, &logs, KRT_DATA(.num_x = 1, .x = xs, .num_y = 2, .y = ys), NULL));
    ASSERT_INT_EQ(5, logs->n);
    ASSERT_TRUE(krt_logs_get(logs, "kind_accuracy", NULL) && krt_logs_get(logs, "box_mae", NULL));
    ASSERT_TRUE(krt_logs_get(logs, "loss", &loss) && krt_logs_get(logs, "kind_loss", &kind_loss) &&
                krt_logs_get(logs, "box_loss", &box_loss));
    ASSERT_TRUE(fabs(loss - (0.5 * kind_loss + 3 * box_loss)) < 1e-6);
    ASSERT_OK(krt_compile(m, KRT_COMPILE(.loss = KRT_EACH(KRT_FOR("kinds", KRT_ID("mse"))))));
    ASSERT_STATUS(KRT_E_INVALID,
                  krt_fit_data(m, KRT_DATA(.num_x = 1, .x = xs, .num_y = 2, .y = ys), NULL));
    ASSERT_SAYS("Expected keys ['kind', 'box'] in loss dict, but found loss.keys()=['kinds']");
    ASSERT_OK(krt_compile(m, KRT_COMPILE(.loss = KRT_EACH(KRT_FOR("box", KRT_ID("mse")),
                                                          KRT_FOR("boxes", KRT_ID("mse"))))));
    ASSERT_STATUS(KRT_E_INVALID,
                  krt_fit_data(m, KRT_DATA(.num_x = 1, .x = xs, .num_y = 2, .y = ys), NULL));
    ASSERT_SAYS("Expected keys ['kind', 'box'] in loss dict, but found the key 'boxes'");
    ASSERT_OK(krt_compile(
        m,
        KRT_COMPILE(.loss = KRT_EACH(KRT_FOR("box", KRT_ID("mse")), KRT_FOR("kind", KRT_ID("mae"))),
                    .loss_weights = KRT_NUMBERS(1), .loss_weight_names = KRT_NAMES("box"))));
    ASSERT_STATUS(KRT_E_INVALID,
                  krt_fit_data(m, KRT_DATA(.num_x = 1, .x = xs, .num_y = 2, .y = ys), NULL));
    ASSERT_SAYS("`loss_weights` must match the number of losses, got 2 losses and 1 weights");
    ASSERT_OK(krt_compile(
        m, KRT_COMPILE(.loss = KRT_EACH(KRT_FOR("box", KRT_ID("mse")), KRT_FOR("kind", NULL)))));
    ASSERT_OK(krt_fit_data(m, KRT_DATA(.num_x = 1, .x = xs, .num_y = 2, .y = ys), NULL));
}

TEST(excluded_names_do_not_decay)
{
    krt_tensor *x = features(t, ROWS), *y = classes(t, ROWS);
    krt_model *m = classifier(t, 0);
    const float *bias = NULL;

    ASSERT_OK(krt_compile(
        m, KRT_COMPILE(.optimizer = KRT_SGD(.learning_rate = 1e-12, .weight_decay = 1e11,
                                            .exclude_from_weight_decay = KRT_NAMES("kernel")),
                       .loss = KRT_ID("sparse_categorical_crossentropy"))));
    ASSERT_OK(krti_model_ready(m, (krt_shape){.rank = -1}));
    bias = krt_variable_data(krt_layer_weight(krt_model_layer(m, 0), 1));
    const float kernel =
        *(const float *)krt_variable_data(krt_layer_weight(krt_model_layer(m, 0), 0));
    *(float *)(uintptr_t)bias = 1;
    ASSERT_OK(krt_fit(m, x, y, KRT_FIT(.batch_size = ROWS)));
    const krt_variable *v = krt_layer_weight(krt_model_layer(m, 0), 0);
    ASSERT_TRUE(fabsf(*(const float *)krt_variable_data(v) - kernel) < 1e-6f);
    bias = krt_variable_data(krt_layer_weight(krt_model_layer(m, 0), 1));
    ASSERT_TRUE(fabsf(bias[0] - 0.9f) < 1e-5f);
}

int main(void)
{
    return RUN(UNIT(a_history_has_sorted_names_training_first_and_the_loss_falls),
               UNIT(validation_takes_the_last_rows_and_happens_after_the_epoch),
               UNIT(a_loss_over_batches_is_the_loss_over_all_rows),
               UNIT(validation_freq_shortens_the_lists),
               UNIT(an_epochs_order_is_a_permutation_and_a_function_of_seed_and_epoch),
               UNIT(training_in_two_parts_is_training_in_one_bit_for_bit),
               UNIT(a_training_goes_on_in_another_process_of_another_seed),
               UNIT(predictions_after_training_use_the_new_weights),
               UNIT(class_weights_are_sample_weights), UNIT(hooks_are_called_in_keras_order),
               UNIT(a_hook_that_fails_ends_the_training_with_its_status),
               UNIT(an_interrupted_training_keeps_its_history_and_ends_its_callbacks),
               UNIT(a_source_of_batches_is_read_to_its_end_each_epoch),
               UNIT(a_source_that_fails_ends_the_training),
               UNIT(steps_per_epoch_leaves_a_pass_to_the_next_epoch),
               UNIT(steps_per_epoch_cut_an_endless_source_into_epochs),
               UNIT(a_model_that_is_not_compiled_says_so),
               UNIT(bad_fit_arguments_are_refused_before_the_first_step),
               UNIT(a_label_out_of_range_is_named), UNIT(nan_in_the_data_is_found_before_training),
               UNIT(y_of_the_wrong_shape_is_refused_with_both_shapes),
               UNIT(a_class_0_among_the_labels_of_ctc_is_a_label),
               UNIT(a_metric_that_does_not_fit_y_says_so), UNIT(the_labels_of_an_auc_are_counted),
               UNIT(bad_compile_arguments_leave_the_model_as_it_was),
               UNIT(the_learning_rate_can_be_read_and_set), UNIT(a_mapped_weight_is_never_written),
               UNIT(weights_at_any_address_are_evaluated),
               UNIT(a_sequential_without_a_shape_takes_that_of_the_data),
               UNIT(losses_and_weights_are_given_by_output), UNIT(excluded_names_do_not_decay));
}
