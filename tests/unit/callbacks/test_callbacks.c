/* Decisions and printed lines of callbacks, against what Keras's did on the same logs. The hooks are
 * called as fit() calls them; what happens inside fit() is tested in test_fit_callbacks.c. */
#include "callbacks/stock.h"
#include "models/model.h"
#include "testing.h"

#include <math.h>
#include <unistd.h>

enum { MAX_EPOCHS = 10 };

typedef struct play {
    const krti_callback_class *cls;
    const krt_spec *args;
    const char *key;
    int n;
    double values[MAX_EPOCHS];
    int stop;    /* epoch, from 0; -1: it does not */
    double rate; /* at the end */
    const char *printed;
} play;

static krt_model *model;

static int set_up(void **state)
{
    krt_ctx *k = NULL;
    const float zeros[12] = {0};
    krt_tensor *x = NULL, *y = NULL;

    assert_int_equal(krt_ctx_new(&k, KRT_CTX(.seed = 1)), KRT_OK);
    model = krt_sequential(k, NULL);
    assert_int_equal(krt_add_input(model, KRT_SHAPE(3), NULL), KRT_OK);
    assert_int_equal(krt_add(model, KRT_DENSE(2)), KRT_OK);
    assert_int_equal(krt_compile(model, KRT_COMPILE(.optimizer = KRT_SGD(.learning_rate = 0.001),
                                                    .loss = KRT_ID("mse"),
                                                    .metrics = KRT_SPECS(KRT_ID("accuracy")))),
                     KRT_OK);
    assert_int_equal(krt_tensor_from(k, &x, KRT_FLOAT32, KRT_SHAPE(4, 3), zeros), KRT_OK);
    assert_int_equal(krt_tensor_from(k, &y, KRT_FLOAT32, KRT_SHAPE(4, 2), zeros), KRT_OK);
    assert_int_equal(krt_fit(model, x, y, KRT_FIT(.epochs = 1)), KRT_OK);
    *state = k;
    return 0;
}

static int tear_down(void **state)
{
    krt_ctx_free(*state);
    return 0;
}

/* --- what is printed -------------------------------------------------------------------------- */

static char printed[8192];

static int begin_capture(FILE **file)
{
    const int kept = dup(1);

    fflush(stdout);
    *file = tmpfile();
    assert_non_null(*file);
    dup2(fileno(*file), 1);
    return kept;
}

static void end_capture(FILE *file, int kept)
{
    fflush(stdout);
    dup2(kept, 1);
    close(kept);
    rewind(file);
    printed[fread(printed, 1, sizeof printed - 1, file)] = '\0';
    fclose(file);
}

/* --- playing a training ------------------------------------------------------------------------ */

static krt_status call_epoch(krti_callback *c, int epoch, const krt_logs *given, double *added)
{
    struct krti_training *t = model->training;
    krti_logs logs = KRTI_LOGS_INIT(t->k);
    krt_status st = KRT_OK;

    for (size_t i = 0; i < given->n; i++)
        assert_int_equal(krti_logs_set(&logs, given->names[i], given->values[i]), KRT_OK);
    t->logs_under_way = &logs;
    if (c->hooks.on_epoch_begin != NULL)
        st = c->hooks.on_epoch_begin(c->hooks.user, model, epoch, NULL);
    if (st == KRT_OK)
        st = c->hooks.on_epoch_end(c->hooks.user, model, epoch, &logs.logs);
    if (!krt_logs_get(&logs.logs, "learning_rate", added))
        *added = NAN;
    t->logs_under_way = NULL;
    krti_logs_free(&logs);
    return st;
}

static int run(const play *p)
{
    struct krti_training *t = model->training;
    const krt_fit_params params = {.epochs = p->n, .steps = 3};
    const char *const names[] = {"loss", p->key};
    krti_callback c = {.free = NULL};
    double added = 0;
    int stop = -1;

    t->stops = false;
    t->params = &params;
    assert_int_equal(krt_set_learning_rate(model, 0.001), KRT_OK);
    assert_int_equal(p->cls->make(model, p->args, true, &c), KRT_OK);
    if (c.hooks.on_train_begin != NULL)
        assert_int_equal(c.hooks.on_train_begin(c.hooks.user, model, NULL), KRT_OK);
    for (int epoch = 0; epoch < p->n && stop < 0; epoch++) {
        const double values[] = {1, p->values[epoch]};

        assert_int_equal(call_epoch(&c, epoch, &(krt_logs){2, names, values}, &added), KRT_OK);
        if (t->stops)
            stop = epoch;
    }
    if (c.hooks.on_train_end != NULL)
        assert_int_equal(c.hooks.on_train_end(c.hooks.user, model, NULL), KRT_OK);
    c.free(c.hooks.user);
    t->params = NULL;
    return stop;
}

static double halve(void *user, int64_t epoch, double rate)
{
    (void)user;
    return epoch > 0 ? rate * 0.5 : rate;
}

static void test_decisions_and_lines_are_those_of_keras(void **state)
{
#define S1                                         \
    {                                              \
        3, 2, 2.5, 2.4, 1.9, 2, 2.1, 2.2, 2.3, 2.4 \
    }
#define ONES                   \
    {                          \
        1, 1, 1, 1, 1, 1, 1, 1 \
    }
#define STOPPING(...) &krti_callback_early_stopping, KRT_EARLY_STOPPING(.verbose = 1, __VA_ARGS__)
#define PLATEAU(...)  &krti_callback_reduce_lr, KRT_REDUCE_LR_ON_PLATEAU(.verbose = 1, __VA_ARGS__)
    const play plays[] = {
        {STOPPING(.patience = 2), "val_loss", 10, S1, 3, 0.001, "Epoch 4: early stopping\n"},
        {STOPPING(.patience = 3, .restore_best_weights = true), "val_loss", 10, S1, 7, 0.001,
         "Epoch 8: early stopping\nRestoring model weights from the end of the best epoch: 5.\n"},
        {STOPPING(.patience = 1, .baseline = 2.2), "val_loss", 10, S1, 2, 0.001,
         "Epoch 3: early stopping\n"},
        {STOPPING(.patience = 2, .min_delta = 0.2, .start_from_epoch = 2), "val_loss", 10, S1, 6,
         0.001, "Epoch 7: early stopping\n"},
        {STOPPING(.patience = 2, .monitor = "val_accuracy"),
         "val_accuracy",
         6,
         {.1, .5, .4, .45, .6, .7},
         3,
         0.001,
         "Epoch 4: early stopping\n"},
        {STOPPING(.patience = 1, .min_delta = 0.1), /* better by less than float32 tells */
         "val_loss",
         3,
         {(double)0.3f, (double)0.2f, 0},
         1,
         0.001,
         "Epoch 2: early stopping\n"},
        {STOPPING(.patience = 0), "val_loss", 3, ONES, 1, 0.001, "Epoch 2: early stopping\n"},
        {STOPPING(.patience = 2, .restore_best_weights = true),
         "val_loss",
         3,
         {3, 2, 1},
         -1,
         0.001,
         "Restoring model weights from the end of the best epoch: 3.\n"},
        {PLATEAU(.patience = 2), "val_loss", 8, ONES, -1, 1.0000001111620804e-06,
         "\nEpoch 3: ReduceLROnPlateau reducing learning rate to 0.00010000000474974513.\n"
         "\nEpoch 5: ReduceLROnPlateau reducing learning rate to 1.0000000474974514e-05.\n"
         "\nEpoch 7: ReduceLROnPlateau reducing learning rate to 1.0000000656873453e-06.\n"},
        {PLATEAU(.patience = 1, .cooldown = 2, .factor = 0.5), "val_loss", 8, ONES, -1,
         6.25000029685907e-05,
         "\nEpoch 2: ReduceLROnPlateau reducing learning rate to 0.0005000000237487257.\n"
         "\nEpoch 4: ReduceLROnPlateau reducing learning rate to 0.0002500000118743628.\n"
         "\nEpoch 6: ReduceLROnPlateau reducing learning rate to 0.0001250000059371814.\n"
         "\nEpoch 8: ReduceLROnPlateau reducing learning rate to 6.25000029685907e-05.\n"},
        {PLATEAU(.patience = 1, .factor = 0.3, .min_lr = 0.0005), "val_loss", 6, ONES, -1,
         0.0005000000237487257, "\nEpoch 2: ReduceLROnPlateau reducing learning rate to 0.0005.\n"},
        {&krti_callback_lr_scheduler, KRT_LEARNING_RATE_SCHEDULER(halve, .verbose = 1), "val_loss",
         3, ONES, -1, 0.0002500000118743628,
         "\nEpoch 1: LearningRateScheduler setting learning rate to 0.0010000000474974513.\n"
         "\nEpoch 2: LearningRateScheduler setting learning rate to 0.0005000000237487257.\n"
         "\nEpoch 3: LearningRateScheduler setting learning rate to 0.0002500000118743628.\n"},
    };

    (void)state;
    for (size_t i = 0; i < KRTI_COUNT(plays); i++) {
        double rate = 0;
        FILE *file = NULL;
        const int kept = begin_capture(&file);
        const int stop = run(&plays[i]);

        end_capture(file, kept);
        assert_int_equal(krt_learning_rate(model, &rate), KRT_OK);
        assert_int_equal(stop, plays[i].stop);
        assert_true(rate == (double)(float)plays[i].rate);
        assert_string_equal(printed, plays[i].printed);
    }
}

static void test_a_loss_that_is_no_number_ends_the_training(void **state)
{
    const char *const names[] = {"loss"};
    const double nan[] = {NAN};
    krti_callback c = {.free = NULL};
    krt_ctx *k = *state;
    FILE *file = NULL;

    assert_int_equal(krti_callback_terminate_on_nan.make(model, KRT_TERMINATE_ON_NAN(), false, &c),
                     KRT_OK);
    model->training->stops = false;
    const int kept = begin_capture(&file);
    const krt_status st =
        c.hooks.on_train_batch_end(c.hooks.user, model, 1, &(krt_logs){1, names, nan});
    end_capture(file, kept);
    assert_int_equal(st, KRT_OK);
    assert_true(model->training->stops);
    assert_string_equal(printed, "Batch 1: Invalid loss, terminating training\n");
    c.free(c.hooks.user);
    assert_int_equal(krti_callback_terminate_on_nan.make(
                         model, KRT_TERMINATE_ON_NAN(.raise_error = true), false, &c),
                     KRT_OK);
    assert_int_equal(c.hooks.on_train_batch_end(c.hooks.user, model, 1, &(krt_logs){1, names, nan}),
                     KRT_E_USER);
    assert_string_equal(krt_ctx_error(k)->message,
                        "NaN or Inf loss encountered at batch 1. Loss value: nan. Terminating "
                        "training immediately.");
    c.free(c.hooks.user);
}

/* --- what is refused before the first step ----------------------------------------------------- */

static void test_arguments_that_cannot_be_meant_are_refused(void **state)
{
    const struct {
        const krti_callback_class *cls;
        const krt_spec *args;
        const char *message;
    } bad[] = {
        {&krti_callback_early_stopping, KRT_EARLY_STOPPING(.monitor = "val_los"),
         "monitor \"val_los\" will never exist: no validation data. Available: accuracy, loss"},
        {&krti_callback_early_stopping, KRT_EARLY_STOPPING(.monitor = "acc"),
         "monitor \"acc\" will never exist. Available: accuracy, loss"},
        {&krti_callback_early_stopping, KRT_EARLY_STOPPING(.monitor = "loss", .mode = "up"),
         "mode is \"up\", expected \"auto\", \"min\" or \"max\""},
        {&krti_callback_reduce_lr, KRT_REDUCE_LR_ON_PLATEAU(.monitor = "loss", .factor = 1),
         "ReduceLROnPlateau does not support a factor >= 1.0. Received factor=1.0"},
        {&krti_callback_model_checkpoint, KRT_MODEL_CHECKPOINT("m.weights"),
         "The filepath provided must end in `.keras` (Keras model format). Received: "
         "filepath=m.weights. For weights of any form, set save_weights_only"},
        {&krti_callback_model_checkpoint, KRT_MODEL_CHECKPOINT("{epoch}-{val_loss}.keras"),
         "Failed to format this callback filepath: \"{epoch}-{val_loss}.keras\". Reason: "
         "'val_loss' (there are: epoch, accuracy, loss)"},
        {&krti_callback_model_checkpoint, KRT_MODEL_CHECKPOINT("m.keras", .save_freq = 0),
         "Unrecognized save_freq: 0. Expected save_freq are 'epoch' or integer values, from 1 on"},
        {&krti_callback_backup, KRT_BACKUP_AND_RESTORE(""), "Empty `backup_dir` argument passed"},
        {&krti_callback_csv_logger, KRT_CSV_LOGGER("a.csv", .separator = "::"),
         "CSVLogger: \"delimiter\" must be a 1-character string"},
        {&krti_callback_remote_monitor, KRT_REMOTE_MONITOR(.root = "https://a"),
         "root is \"https://a\": only plain http:// is spoken here; put a proxy in front of other "
         "servers"},
    };
    krt_ctx *k = *state;

    for (size_t i = 0; i < KRTI_COUNT(bad); i++) {
        krti_callback c = {.free = NULL};

        assert_true(bad[i].cls->make(model, bad[i].args, false, &c) < 0);
        assert_string_equal(krt_ctx_error(k)->message, bad[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decisions_and_lines_are_those_of_keras),
        cmocka_unit_test(test_a_loss_that_is_no_number_ends_the_training),
        cmocka_unit_test(test_arguments_that_cannot_be_meant_are_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
