/* Callbacks inside fit(): what they leave on the disk, and that a training goes on from it. */
#include "callbacks/stock.h"
#include "models/model.h"
#include "testing.h"

#include <keratin/keratin.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

enum { ROWS = 40, BATCH = 8, STEPS = ROWS / BATCH };

static char folder[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/keratin-callbacks-XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : 1;
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static const char *in_here(const char *name)
{
    static char paths[4][128];
    static int next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

typedef struct training {
    krt_ctx *k;
    krt_model *m;
    krt_tensor *x, *y;
} training;

/* The same in every call: a seed, a small network, points on a curve. */
static training begin(void)
{
    training t = {.k = NULL};

    assert_int_equal(krt_ctx_new(&t.k, KRT_CTX(.seed = 7, .threads = 1)), KRT_OK);
    t.m = krt_sequential(t.k, NULL);
    krt_add_input(t.m, KRT_SHAPE(2), NULL);
    krt_add(t.m, KRT_DENSE(8, .activation = "tanh"));
    krt_add(t.m, KRT_DENSE(1));
    assert_int_equal(krt_compile(t.m, KRT_COMPILE(.optimizer = KRT_ADAM(.learning_rate = 0.01),
                                                  .loss = KRT_ID("mse"))),
                     KRT_OK);
    assert_int_equal(krt_tensor_new(t.k, &t.x, KRT_FLOAT32, KRT_SHAPE(ROWS, 2)), KRT_OK);
    assert_int_equal(krt_tensor_new(t.k, &t.y, KRT_FLOAT32, KRT_SHAPE(ROWS, 1)), KRT_OK);
    float *x = krt_tensor_data_mut(t.x), *y = krt_tensor_data_mut(t.y);
    for (int i = 0; i < ROWS; i++) {
        x[2 * i] = (float)i / ROWS;
        x[2 * i + 1] = (float)(i % 7) / 7;
        y[i] = x[2 * i] * x[2 * i] - x[2 * i + 1];
    }
    return t;
}

static krt_status fit(const training *t, int64_t epochs, krt_specs callbacks)
{
    return krt_fit(t->m, t->x, t->y,
                   KRT_FIT(.epochs = epochs, .batch_size = BATCH, .callbacks = callbacks));
}

static void expect_same_weights(const krt_model *a, const krt_model *b)
{
    for (size_t i = 0; i < krt_model_num_layers(a); i++)
        for (size_t j = 0; j < krt_layer_num_weights(krt_model_layer(a, i)); j++) {
            const krt_variable *v = krt_layer_weight(krt_model_layer(a, i), j);
            const krt_variable *w = krt_layer_weight(krt_model_layer(b, i), j);

            assert_memory_equal(krt_variable_data(v), krt_variable_data(w),
                                (size_t)krt_shape_size(krt_variable_shape(v)) * sizeof(float));
        }
}

/* --- BackupAndRestore -------------------------------------------------------------------------- */

typedef struct stopping {
    int64_t at; /* batches until the plug is pulled */
} stopping;

static krt_status pull_the_plug(void *user, krt_model *m, int64_t batch, const krt_logs *logs)
{
    stopping *s = user;

    (void)batch;
    (void)logs;
    if (--s->at == 0)
        krt_request_stop(m);
    return KRT_OK;
}

/* Interrupted after every number of batches of three epochs, and gone on with in another context. */
static void test_an_interrupted_training_goes_on_with_the_next_batch(void **state)
{
    const training whole = begin();

    (void)state;
    assert_int_equal(fit(&whole, 3, (krt_specs){0, NULL}), KRT_OK);
    for (int64_t at = 1; at < 3 * STEPS; at++) {
        const char *dir = in_here("backup");
        stopping s = {at};
        const training first = begin(), second = begin();

        assert_int_equal(
            fit(&first, 3,
                KRT_SPECS(KRT_BACKUP_AND_RESTORE(dir, .save_freq = 1),
                          KRT_CALLBACK(.on_train_batch_end = pull_the_plug, .user = &s))),
            KRT_E_CANCELLED);
        assert_int_equal(access(in_here("backup/latest.weights.h5"), F_OK), 0);
        assert_int_equal(fit(&second, 3, KRT_SPECS(KRT_BACKUP_AND_RESTORE(dir, .save_freq = 1))),
                         KRT_OK);
        expect_same_weights(whole.m, second.m);
        assert_int_not_equal(access(dir, F_OK), 0); /* removed at the end */
        krt_ctx_free(first.k);
        krt_ctx_free(second.k);
    }
    krt_ctx_free(whole.k);
}

/* --- ModelCheckpoint ---------------------------------------------------------------------------- */

static void test_names_are_filled_in_and_periods_counted(void **state)
{
    const training t = begin();

    (void)state;
    assert_int_equal(
        fit(&t, 4,
            KRT_SPECS(
                KRT_MODEL_CHECKPOINT(in_here("sub/dir/cp-{epoch:04d}.weights.h5"),
                                     .save_weights_only = true, .period = 2),
                KRT_MODEL_CHECKPOINT(in_here("b-{epoch}-{batch:02d}.keras"), .save_freq = 7))),
        KRT_OK);
    assert_int_not_equal(access(in_here("sub/dir/cp-0001.weights.h5"), F_OK), 0);
    assert_int_equal(access(in_here("sub/dir/cp-0002.weights.h5"), F_OK), 0);
    assert_int_equal(access(in_here("sub/dir/cp-0004.weights.h5"), F_OK), 0);
    assert_int_equal(access(in_here("b-2-02.keras"), F_OK), 0); /* the 7th batch */
    assert_int_equal(access(in_here("b-3-04.keras"), F_OK), 0); /* the 14th */
    krt_ctx_free(t.k);
}

/* The same checkpoint, in a training that goes on and gets worse: it must stay as it is. */
static void test_what_was_best_is_known_after_a_restart(void **state)
{
    const char *best = in_here("best.keras");
    const krt_spec *keeper = KRT_MODEL_CHECKPOINT(best, .monitor = "loss", .save_best_only = true);
    const training first = begin();
    krt_ctx *k = NULL;
    krt_model *m = NULL, *before = NULL, *after = NULL;

    (void)state;
    assert_int_equal(fit(&first, 20, KRT_SPECS(keeper)), KRT_OK);
    assert_int_equal(krt_load(first.k, &before, best, NULL), KRT_OK);
    assert_int_equal(krt_ctx_new(&k, KRT_CTX(.seed = 7)), KRT_OK);
    assert_int_equal(krt_load(k, &m, best, NULL), KRT_OK);
    assert_int_equal(krt_set_learning_rate(m, 3.0), KRT_OK);
    assert_int_equal(krt_fit(m, first.x, first.y,
                             KRT_FIT(.initial_epoch = 20, .epochs = 22, .batch_size = BATCH,
                                     .callbacks = KRT_SPECS(keeper))),
                     KRT_OK);
    assert_int_equal(krt_load(k, &after, best, NULL), KRT_OK);
    expect_same_weights(before, after);
    krt_ctx_free(k);
    krt_ctx_free(first.k);
}

/* Every form, while training goes on: the same files as by saves that are waited for. */
static void test_checkpoints_in_the_background_are_the_same(void **state)
{
    static const struct {
        const char *plain, *background, *found;
        bool weights_only;
    } forms[] = {{"p-{epoch}.keras", "b-{epoch}.keras", "-3.keras", false},
                 {"p-{epoch}.h5", "b-{epoch}.h5", "-3.h5", false},
                 {"p-{epoch}.weights.h5", "b-{epoch}.weights.h5", "-3.weights.h5", true},
                 {"p-{epoch}.npz", "b-{epoch}.npz", "-3.npz", true},
                 {"p-{epoch}.ckpt", "b-{epoch}.ckpt", "-3.ckpt.index", true}};

    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        const training t = begin();
        krt_findings *found = NULL;
        char a[64], b[64];

        if (fit(&t, 4,
                KRT_SPECS(KRT_MODEL_CHECKPOINT(in_here(forms[i].plain),
                                               .save_weights_only = forms[i].weights_only),
                          KRT_MODEL_CHECKPOINT(in_here(forms[i].background), .background = true,
                                               .save_weights_only = forms[i].weights_only))) !=
            KRT_OK)
            fail_msg("%s: %s", forms[i].background, krt_ctx_error(t.k)->message);
        snprintf(a, sizeof a, "p%s", forms[i].found);
        snprintf(b, sizeof b, "b%s", forms[i].found);
        if (krt_diff(t.k, &found, in_here(a), in_here(b), NULL) != KRT_OK)
            fail_msg("%s: %s", b, krt_ctx_error(t.k)->message);
        if (krt_findings_num_problems(found) != 0)
            fail_msg("%s and %s differ", a, b);
        krt_findings_free(found);
        krt_ctx_free(t.k);
    }
}

/* Another writer holds the file: the next save, or the end of the training, fails with what the thread
 * met, and nothing is noted as the best. */
static void test_a_checkpoint_in_the_background_that_fails_ends_the_training(void **state)
{
    const training t = begin();
    const int lock = open(in_here(".cp.keras.krt-lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    (void)state;
    assert_int_equal(flock(lock, LOCK_EX), 0);
    for (int64_t epochs = 1; epochs <= 3; epochs++) {
        assert_int_not_equal(
            fit(&t, epochs,
                KRT_SPECS(KRT_MODEL_CHECKPOINT(in_here("cp.keras"), .monitor = "loss",
                                               .save_best_only = true, .background = true))),
            KRT_OK);
        assert_non_null(strstr(krt_ctx_error(t.k)->message, "is being written by"));
        assert_int_not_equal(access(in_here(".cp.keras.best.json"), F_OK), 0);
    }
    (void)close(lock);
    krt_ctx_free(t.k);
}

/* --- the rest ---------------------------------------------------------------------------------- */

static krt_status spoil(void *user, krt_model *m, int64_t epoch, const krt_logs *logs)
{
    (void)user;
    (void)logs;
    return epoch == 3 ? krt_set_learning_rate(m, 5.0) : KRT_OK;
}

static void test_the_best_weights_come_back(void **state)
{
    const training t = begin(), four = begin();

    (void)state;
    assert_int_equal(
        fit(&t, 30,
            KRT_SPECS(KRT_CALLBACK(.on_epoch_end = spoil),
                      KRT_EARLY_STOPPING(.monitor = "loss", .patience = 2, .mode = "min",
                                         .restore_best_weights = true))),
        KRT_OK);
    assert_int_equal(fit(&four, 4, (krt_specs){0, NULL}), KRT_OK);
    expect_same_weights(four.m, t.m);
    krt_ctx_free(t.k);
    krt_ctx_free(four.k);
}

/* What a file's arrays are mapped from cannot be written. */
static void test_a_model_from_a_file_is_restored_and_averaged_as_one_from_memory(void **state)
{
    training t[2] = {begin(), begin()};

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            krt_compile(t[i].m,
                        KRT_COMPILE(.optimizer = KRT_ADAM(.learning_rate = 0.01, .use_ema = true),
                                    .loss = KRT_ID("mse"))),
            KRT_OK);
        krt_layer_set_trainable(krt_model_layer(t[i].m, 0), false);
        assert_int_equal(fit(&t[i], 1, (krt_specs){0, NULL}), KRT_OK);
    }
    assert_int_equal(krt_save(t[1].m, in_here("ema.keras"), NULL), KRT_OK);
    assert_int_equal(krt_load(t[1].k, &t[1].m, in_here("ema.keras"), NULL), KRT_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(krt_fit(t[i].m, t[i].x, t[i].y,
                                 KRT_FIT(.epochs = 4, .batch_size = BATCH, .validation_split = 0.25,
                                         .shuffle = false,
                                         .callbacks = KRT_SPECS(
                                             KRT_SWAP_EMA_WEIGHTS(.swap_on_epoch = true),
                                             KRT_EARLY_STOPPING(.mode = "max", .patience = 2,
                                                                .restore_best_weights = true)))),
                         KRT_OK);
    expect_same_weights(t[0].m, t[1].m);
    krt_ctx_free(t[0].k);
    krt_ctx_free(t[1].k);
}

static void test_runs_of_tensorboard_are_made_when_there_is_something_to_say(void **state)
{
    const training t = begin();

    (void)state;
    assert_int_equal(fit(&t, 1,
                         KRT_SPECS(KRT_TENSORBOARD(.log_dir = in_here("tb"), .histogram_freq = 1,
                                                   .update_freq = 1))),
                     KRT_OK);
    assert_int_equal(access(in_here("tb/train"), F_OK), 0);
    assert_int_not_equal(access(in_here("tb/validation"), F_OK), 0);
    krt_ctx_free(t.k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_interrupted_training_goes_on_with_the_next_batch),
        cmocka_unit_test(test_names_are_filled_in_and_periods_counted),
        cmocka_unit_test(test_what_was_best_is_known_after_a_restart),
        cmocka_unit_test(test_checkpoints_in_the_background_are_the_same),
        cmocka_unit_test(test_a_checkpoint_in_the_background_that_fails_ends_the_training),
        cmocka_unit_test(test_the_best_weights_come_back),
        cmocka_unit_test(test_a_model_from_a_file_is_restored_and_averaged_as_one_from_memory),
        cmocka_unit_test(test_runs_of_tensorboard_are_made_when_there_is_something_to_say),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
