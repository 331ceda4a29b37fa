/* N epochs are k, a file, and N - k more, bit for bit: shuffling, noise, the optimizer's state and the
 * statistics of layers all go on from the file, in a context with another seed. So do trainings that
 * were killed in the middle of an epoch, from their last checkpoint or backup. */
#include "testing.h"

#include "training/optimizer.h"

#include <keratin/keratin.h>

enum { ROWS = 44, SIDE = 4, BATCH = 8, STEPS = (ROWS + BATCH - 1) / BATCH, EPOCHS = 4 };

typedef struct training {
    krt_ctx *k;
    krt_model *m;
    krt_tensor *x, *y;
} training;

/* ASSERT_OK() of a training's own context. */
#define OK(training, call) testing_status((training).k, KRT_OK, (call), #call, __FILE__, __LINE__)

static void make_data(training *t)
{
    ASSERT_OK(krt_tensor_new(t->k, &t->x, KRT_FLOAT32, KRT_SHAPE(ROWS, SIDE, SIDE, 1)));
    ASSERT_OK(krt_tensor_new(t->k, &t->y, KRT_FLOAT32, KRT_SHAPE(ROWS, 1)));
    float *x = krt_tensor_data_mut(t->x), *y = krt_tensor_data_mut(t->y);
    for (int i = 0; i < ROWS * SIDE * SIDE; i++)
        x[i] = (float)(i % 7) * (float)i / (7 * ROWS * SIDE * SIDE);
    for (int i = 0; i < ROWS; i++)
        y[i] = x[i * SIDE * SIDE] - x[i * SIDE * SIDE + 1];
}

enum {
    ADAM,
    SGD_OF_A_SCHEDULE,
    RMSPROP,
    LOSS_SCALE,
    NADAM,
    SCHEDULE_FREE,
    ADAFACTOR,
    ACCUMULATING, /* four steps an update, six an epoch */
    RECURRENT,    /* layers, with Muon and a schedule of restarts */
    NUM_ALL_WAYS,
    AVERAGING = NUM_ALL_WAYS, /* fit() ends by giving out the averages, as Keras's: only what is */
    AVERAGING_AND_MORE,       /* saved before goes on */
    NUM_OPTIMIZERS
};

static krt_status compile(krt_model *m, int optimizer)
{
    const krt_spec *const all[NUM_OPTIMIZERS] = {
        [ADAM] = KRT_ADAM(.learning_rate = 0.01),
        [SGD_OF_A_SCHEDULE] =
            KRT_SGD(.schedule = KRT_EXPONENTIAL_DECAY(0.05, 5, 0.8), .momentum = 0.9),
        [RMSPROP] = KRT_RMSPROP(.momentum = 0.5, .centered = true),
        [LOSS_SCALE] = KRT_LOSS_SCALE_OPTIMIZER(KRT_ADAM(), .dynamic_growth_steps = 4),
        [NADAM] = KRT_NADAM(.learning_rate = 0.01),
        [SCHEDULE_FREE] = KRT_SCHEDULE_FREE_ADAMW(.warmup_steps = 8),
        [ADAFACTOR] = KRT_ADAFACTOR(.learning_rate = 0.01),
        [ACCUMULATING] = KRT_ADAMW(.gradient_accumulation_steps = 4, .clipnorm = 0.5),
        [RECURRENT] =
            KRT_MUON(.schedule = KRT_COSINE_DECAY_RESTARTS(0.02, 5), .weight_decay = 0.01),
        [AVERAGING] = KRT_SGD(.learning_rate = 0.05, .use_ema = true, .ema_momentum = 0.8),
        [AVERAGING_AND_MORE] =
            KRT_ADAM(.amsgrad = true, .use_ema = true, .ema_momentum = 0.8,
                     .ema_overwrite_frequency = 5, .gradient_accumulation_steps = 4)};

    return krt_compile(m, KRT_COMPILE(.optimizer = all[optimizer], .loss = KRT_ID("mse")));
}

static void add_recurrent(training *t)
{
    krt_add(t->m, KRT_RESHAPE(KRT_SHAPE(SIDE, SIDE)));
    krt_add(t->m, KRT_LSTM(6, .dropout = 0.2, .recurrent_dropout = 0.3, .return_sequences = true));
    krt_add(t->m, KRT_BIDIRECTIONAL(KRT_GRU(4, .dropout = 0.1, .recurrent_dropout = 0.2, .seed = 4,
                                            .return_sequences = true)));
    krt_add(t->m, KRT_SIMPLE_RNN(5, .recurrent_dropout = 0.1));
    krt_add(t->m, KRT_DENSE(1));
}

static void add_images(training *t)
{
    krt_add(t->m, KRT_AUGMENTATION("RandomFlip", .mode = "horizontal"));
    krt_add(t->m, KRT_AUGMENTATION("RandomRotation", .factor = KRT_NUMBER(0.1)));
    krt_add(t->m, KRT_AUGMENTATION("RandomTranslation", .height_factor = KRT_NUMBER(0.2),
                                   .width_factor = KRT_NUMBER(0.2), .seed = 5));
    krt_add(t->m, KRT_AUGMENTATION("RandomZoom", .height_factor = KRT_NUMBER(0.2)));
    krt_add(t->m, KRT_AUGMENTATION("RandomContrast", .factor = KRT_NUMBER(0.3)));
    krt_add(t->m, KRT_AUGMENTATION("RandomBrightness", .factor = KRT_NUMBER(0.01)));
    krt_add(t->m, KRT_FLATTEN());
    krt_add(t->m, KRT_DENSE(16, .activation = "tanh"));
    krt_add(t->m, KRT_DROPOUT(0.25));
    krt_add(t->m, KRT_RESHAPE(KRT_SHAPE(2, 2, 4))); /* images, whose variance differs in Keras 2 */
    krt_add(t->m, KRT_BATCH_NORMALIZATION());
    krt_add(t->m, KRT_FLATTEN());
    krt_add(t->m, KRT_DENSE(8, .activation = "relu"));
    krt_add(t->m, KRT_DROPOUT(0.5, .seed = 3));
    krt_add(t->m, KRT_GAUSSIAN_NOISE(0.1));
    krt_add(t->m, KRT_GAUSSIAN_DROPOUT(0.1));
    krt_add(t->m, KRT_ALPHA_DROPOUT(0.1));
    krt_add(t->m, KRT_DENSE(1));
}

/* The same layers in every call, with weights drawn by the seed. */
static training begin(int64_t seed, int optimizer)
{
    training made = {.k = NULL}, *const t = &made;

    ASSERT_OK(krt_ctx_new(&t->k, KRT_CTX(.seed = seed, .threads = 1)));
    t->m = krt_sequential(t->k, NULL);
    krt_add_input(t->m, KRT_SHAPE(SIDE, SIDE, 1), NULL);
    (optimizer == RECURRENT ? add_recurrent : add_images)(t);
    ASSERT_OK(compile(t->m, optimizer));
    make_data(t);
    return made;
}

static krt_status fit(const training *t, int64_t from, int64_t to, krt_specs callbacks)
{
    return krt_fit(
        t->m, t->x, t->y,
        KRT_FIT(.initial_epoch = from, .epochs = to, .batch_size = BATCH, .callbacks = callbacks));
}

static void expect_same_weights(const krt_model *a, const krt_model *b)
{
    ASSERT_INT_EQ(krt_model_num_layers(a), krt_model_num_layers(b));
    for (size_t i = 0; i < krt_model_num_layers(a); i++)
        for (size_t j = 0; j < krt_layer_num_weights(krt_model_layer(a, i)); j++) {
            const krt_variable *v = krt_layer_weight(krt_model_layer(a, i), j);
            const krt_variable *w = krt_layer_weight(krt_model_layer(b, i), j);

            assert_memory_equal(krt_variable_data(v), krt_variable_data(w),
                                (size_t)krt_shape_size(krt_variable_shape(v)) * sizeof(float));
        }
}

static void expect_same_state(krt_model *a, krt_model *b)
{
    const krti_optimizer *o = krti_model_optimizer_now(a), *p = krti_model_optimizer_now(b);

    for (; o != NULL; o = o->inner, p = p->inner) {
        assert_int_equal(o->num_variables, p->num_variables);
        for (size_t i = 0; i < o->num_variables; i++)
            assert_memory_equal(o->variables[i].tensor->data, p->variables[i].tensor->data,
                                o->variables[i].tensor->size_bytes);
    }
}

/* --- the forms ---------------------------------------------------------------------------------- */

typedef krt_status (*save_fn)(krt_model *m, const char *path);
typedef krt_status (*load_fn)(training *t, const char *path); /* into t->m, which may be replaced */

static krt_status save_model(krt_model *m, const char *path)
{
    return krt_save(m, path, NULL);
}

static krt_status save_for_keras2(krt_model *m, const char *path)
{
    return krt_save(m, path, KRT_SAVE(.for_keras = 2));
}

static krt_status save_weights(krt_model *m, const char *path)
{
    return krt_save_weights(m, path, NULL);
}

static krt_status save_checkpoint(krt_model *m, const char *path)
{
    return krt_save_checkpoint(m, path, NULL);
}

static krt_status load_model(training *t, const char *path)
{
    krt_model_free(t->m);
    t->m = NULL;
    return krt_load(t->k, &t->m, path, NULL);
}

static krt_status load_weights(training *t, const char *path)
{
    return krt_load_weights(t->m, path, NULL);
}

static krt_status load_checkpoint(training *t, const char *path)
{
    return krt_load_checkpoint(t->m, path, NULL);
}

typedef struct form {
    const char *name;
    save_fn save;
    load_fn load;
} form;

static const form forms[] = {
    {"m.keras", save_model, load_model},        {"m.h5", save_model, load_model},
    {"keras2.h5", save_for_keras2, load_model}, {"m.weights.h5", save_weights, load_weights},
    {"cp", save_checkpoint, load_checkpoint},
};

static void expect_resumed(testing *t, const form *f, const training *whole, int optimizer)
{
    if (f->save == save_for_keras2 && (optimizer == ACCUMULATING || optimizer == RECURRENT))
        return; /* which Keras 2 does not know */
    for (int64_t k = 1; k < EPOCHS; k += 2) {
        training first = begin(7, optimizer), second = begin(99, optimizer);

        OK(first, fit(&first, 0, k, (krt_specs){0, NULL}));
        if (f->save(first.m, in_folder(t, f->name)) != KRT_OK)
            fail_msg("opt %d form %s: %s", optimizer, f->name, krt_ctx_error(first.k)->message);
        OK(second, f->load(&second, in_folder(t, f->name)));
        OK(second, fit(&second, k, EPOCHS, (krt_specs){0, NULL}));
        expect_same_weights(whole->m, second.m);
        if (f->save != save_for_keras2) /* which has no place for all of it */
            expect_same_state(whole->m, second.m);
        krt_ctx_free(first.k);
        krt_ctx_free(second.k);
    }
}

TEST(a_training_goes_on_from_every_form_bit_for_bit)
{
    for (int o = 0; o < NUM_ALL_WAYS; o++) {
        const training whole = begin(7, o);

        OK(whole, fit(&whole, 0, EPOCHS, (krt_specs){0, NULL}));
        for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
            expect_resumed(t, &forms[i], &whole, o);
        krt_ctx_free(whole.k);
    }
}

/* What no training has asked for yet still lies in the first file. */
TEST(a_training_goes_on_from_a_copy_of_a_copy)
{
    static const form *const ways[][2] = {{&forms[0], &forms[0]}, {&forms[0], &forms[1]},
                                          {&forms[1], &forms[0]}, {&forms[0], &forms[4]},
                                          {&forms[4], &forms[0]}, {&forms[4], &forms[1]}};
    const training whole = begin(7, ADAM), first = begin(7, ADAM);

    OK(whole, fit(&whole, 0, EPOCHS, (krt_specs){0, NULL}));
    OK(first, fit(&first, 0, 2, (krt_specs){0, NULL}));
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        training between = begin(5, ADAM), last = begin(99, ADAM);

        ASSERT_OK(ways[i][0]->save(first.m, in_folder(t, ways[i][0]->name)));
        ASSERT_OK(ways[i][0]->load(&between, in_folder(t, ways[i][0]->name)));
        ASSERT_OK(ways[i][1]->save(between.m, in_folder(t, ways[i][1]->name)));
        ASSERT_OK(ways[i][1]->load(&last, in_folder(t, ways[i][1]->name)));
        OK(last, fit(&last, 2, EPOCHS, (krt_specs){0, NULL}));
        expect_same_weights(whole.m, last.m);
        krt_ctx_free(between.k);
        krt_ctx_free(last.k);
    }
    krt_ctx_free(whole.k);
    krt_ctx_free(first.k);
}

/* Every fifth batch of six, that is the fifth of the first epoch, the fourth of the second, and so on. */
static const struct {
    const char *suffix;
    load_fn load;
} checkpoints[] = {{"keras", load_model}, {"weights.h5", load_weights}, {"ckpt", load_checkpoint}};
enum { EVERY = 5, NUM_CHECKPOINTS = sizeof checkpoints / sizeof checkpoints[0] };

static void checkpoint_path(testing *t, char *path, size_t size, size_t at, const char *epoch)
{
    char name[64];

    snprintf(name, sizeof name, "c%s.%s", epoch, checkpoints[at].suffix);
    snprintf(path, size, "%s", in_folder(t, name));
}

static void expect_resumed_in_the_middle(testing *t, const training *whole, int optimizer)
{
    for (size_t i = 0; i < NUM_CHECKPOINTS; i++)
        for (int epoch = 1; epoch <= EPOCHS; epoch++) {
            training second = begin(99, optimizer);
            char path[512], number[16];

            snprintf(number, sizeof number, "%d", epoch);
            checkpoint_path(t, path, sizeof path, i, number);
            OK(second, checkpoints[i].load(&second, path));
            OK(second, krt_fit(second.m, second.x, second.y,
                               KRT_FIT(.initial_epoch = epoch - 1, .initial_batch = STEPS - epoch,
                                       .epochs = EPOCHS, .batch_size = BATCH)));
            expect_same_weights(whole->m, second.m);
            expect_same_state(whole->m, second.m);
            krt_ctx_free(second.k);
        }
}

TEST(a_training_goes_on_from_a_checkpoint_in_the_middle_of_an_epoch)
{
    for (int o = 0; o < NUM_OPTIMIZERS; o++) {
        const training whole = begin(7, o);
        char paths[NUM_CHECKPOINTS][512];

        for (size_t i = 0; i < NUM_CHECKPOINTS; i++)
            checkpoint_path(t, paths[i], sizeof paths[i], i, "{epoch}");
        OK(whole,
           fit(&whole, 0, EPOCHS,
               KRT_SPECS(
                   KRT_MODEL_CHECKPOINT(paths[0], .save_freq = EVERY),
                   KRT_MODEL_CHECKPOINT(paths[1], .save_freq = EVERY, .save_weights_only = true),
                   KRT_MODEL_CHECKPOINT(paths[2], .save_freq = EVERY, .save_weights_only = true))));
        expect_resumed_in_the_middle(t, &whole, o);
        krt_ctx_free(whole.k);
    }
}

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

static void expect_backed_up(testing *t, int optimizer)
{
    const training whole = begin(7, optimizer);

    OK(whole, fit(&whole, 0, EPOCHS, (krt_specs){0, NULL}));
    for (int64_t at = 1; at < EPOCHS * STEPS; at += 4) {
        const char *dir = in_folder(t, "backup");
        const training first = begin(7, optimizer), second = begin(99, optimizer);
        stopping s = {at};

        ASSERT_STATUS(
            KRT_E_CANCELLED,
            fit(&first, 0, EPOCHS,
                KRT_SPECS(KRT_BACKUP_AND_RESTORE(dir, .save_freq = 1),
                          KRT_CALLBACK(.on_train_batch_end = pull_the_plug, .user = &s))));
        OK(second, fit(&second, 0, EPOCHS, KRT_SPECS(KRT_BACKUP_AND_RESTORE(dir, .save_freq = 1))));
        expect_same_weights(whole.m, second.m);
        expect_same_state(whole.m, second.m);
        krt_ctx_free(first.k);
        krt_ctx_free(second.k);
    }
    krt_ctx_free(whole.k);
}

TEST(a_training_goes_on_from_a_backup)
{
    for (int o = 0; o < NUM_OPTIMIZERS; o++)
        expect_backed_up(t, o);
}

TEST(a_backup_that_does_not_say_where_training_stood_is_refused)
{
    static const char *const bad[] = {
        "[]",
        "{\"batches\": 1}",
        "{\"epoch\": -1}",
        "{\"epoch\": \"1\"}",
        "{\"epoch\": 1, \"batches\": 9223372036854775807, \"iterations\": 0}",
        "{\"epoch\": 1, \"batches\": 0, \"iterations\": -4611686018427387905}"};
    const training first = begin(7, ADAM);

    OK(first, krt_save_weights(first.m, in_folder(t, "latest.weights.h5"), NULL));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)put_file(t, "training_metadata.json", bad[i], strlen(bad[i]));
        testing_status(first.k, KRT_E_FORMAT,
                       fit(&first, 0, 1, KRT_SPECS(KRT_BACKUP_AND_RESTORE(t->folder))), bad[i],
                       __FILE__, __LINE__);
        assert_non_null(strstr(krt_ctx_error(first.k)->message,
                               "does not say how many epochs and batches are done; remove it"));
    }
    krt_ctx_free(first.k);
}

/* What was killed while it wrote its last row. */
TEST(a_log_that_goes_on_begins_a_row_of_its_own)
{
    static const char cut[] = "epoch,loss\r\n0,0.25\r\n1,0.1";
    const char *path = put_file(t, "log.csv", cut, sizeof cut - 1);
    const training first = begin(7, ADAM);
    char text[200] = "";

    for (int i = 2; i < 4; i++)
        OK(first, fit(&first, i, i + 1, KRT_SPECS(KRT_CSV_LOGGER(path, .append = true))));
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    ASSERT_TRUE(fread(text, 1, sizeof text - 1, f) > sizeof cut);
    fclose(f);
    text[sizeof cut + 3] = '\0';
    ASSERT_STR_EQ("epoch,loss\r\n0,0.25\r\n1,0.1\r\n2,", text);
    krt_ctx_free(first.k);
}

int main(void)
{
    return RUN(UNIT(a_training_goes_on_from_every_form_bit_for_bit),
               UNIT(a_training_goes_on_from_a_copy_of_a_copy),
               UNIT(a_training_goes_on_from_a_checkpoint_in_the_middle_of_an_epoch),
               UNIT(a_training_goes_on_from_a_backup),
               UNIT(a_backup_that_does_not_say_where_training_stood_is_refused),
               UNIT(a_log_that_goes_on_begins_a_row_of_its_own));
}
