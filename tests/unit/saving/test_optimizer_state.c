/* An optimizer's variables through every form: what a float64 file says is still said behind a load and a
 * save, though optimizers compute in float32. */
#include "testing.h"

#include "formats/json.h"
#include "layers/layer.h"
#include "saving/optimizer_state.h"

#include <keratin/keratin.h>

static const double DIGITS[2] = {1.0 / 3, 1.0 / 7};

static krt_model *a_model(testing *t)
{
    static const char json[] =
        "{\"module\": \"keras\", \"class_name\": \"Sequential\", \"config\": {\"name\": \"s\", "
        "\"layers\": [{\"module\": \"keras.layers\", \"class_name\": \"InputLayer\", \"config\": "
        "{\"batch_shape\": [null, 2], \"dtype\": \"float64\", \"name\": \"i\"}}, {\"module\": "
        "\"keras.layers\", \"class_name\": \"Dense\", \"config\": {\"name\": \"d\", \"units\": 1, "
        "\"use_bias\": false, \"dtype\": \"float64\"}}]}}";
    krt_model *m = NULL;

    ASSERT_OK(krt_from_json(t->k, &m, json, NULL));
    ASSERT_OK(krt_compile(m, KRT_COMPILE(.optimizer = KRT_ADAM(), .loss = KRT_ID("mse"))));
    return m;
}

static krti_optimizer_variable *momentum_of(testing *t, krt_model *m)
{
    krti_optimizer_variable *v = NULL;
    krti_optimizer *o = NULL;

    ASSERT_OK(krti_model_optimizer(m, &o));
    assert_non_null(o);
    ASSERT_OK(krti_optimizer_build(o, m));
    v = krti_optimizer_find(o, "momentum", o->trainable[0]);
    assert_non_null(v);
    return v;
}

static void count(void *user, int level, const char *text)
{
    (void)level;
    (void)text;
    ++*(int *)user;
}

/* Keras warns that it skips all of two variables; there is nothing that training would miss. */
static void expect_silence(testing *t, const char *file)
{
    krt_ctx *k = NULL;
    krt_model *m = NULL;
    krti_optimizer *o = NULL;
    int warnings = 0;

    ASSERT_OK(krt_ctx_new(&k, KRT_CTX(.log = count, .user = &warnings)));
    ASSERT_OK(krt_load(k, &m, file, NULL));
    ASSERT_OK(krti_model_optimizer(m, &o));
    assert_non_null(o);
    ASSERT_INT_EQ(0, warnings);
    krt_ctx_free(k);
}

TEST(an_optimizer_that_never_ran_loses_nothing)
{
    expect_silence(t, KERATIN_FIXTURES "/models/compiled.keras");
    expect_silence(t, KERATIN_FIXTURES "/legacy/compiled_only.h5");
}

/* A model whose momentum came from a float64 file, one number of it changed since. */
static krt_model *a_trained_model(testing *t)
{
    krt_model *m = a_model(t);
    krti_optimizer_variable *v = momentum_of(t, m);

    ASSERT_OK(krt_tensor_new(t->k, &v->precise, KRT_FLOAT64, v->tensor->shape));
    memcpy(v->precise->data, DIGITS, sizeof DIGITS);
    ((float *)v->tensor->data)[0] = (float)DIGITS[0];
    ((float *)v->tensor->data)[1] = 0.75f;
    return m;
}

static void expect_digits(testing *t, krt_model *m, const char *form)
{
    const krti_optimizer_variable *v = momentum_of(t, m);
    const double expected[2] = {DIGITS[0], 0.75};

    if (v->precise == NULL || memcmp(v->precise->data, expected, sizeof expected) != 0)
        fail_msg("%s: the momentum is not what was saved", form);
    assert_true(((const float *)v->tensor->data)[1] == 0.75f);
}

/* Twice through the file: what was loaded is saved again. */
static void check(testing *t, const char *form, krt_status (*save)(krt_model *, const char *))
{
    krt_model *m = a_trained_model(t), *again = NULL, *third = NULL;

    ASSERT_OK(save(m, in_folder(t, form)));
    krt_model_free(m);
    ASSERT_OK(krt_load(t->k, &again, in_folder(t, form), NULL));
    expect_digits(t, again, form);
    ASSERT_OK(save(again, in_folder(t, form)));
    krt_model_free(again);
    ASSERT_OK(krt_load(t->k, &third, in_folder(t, form), NULL));
    expect_digits(t, third, form);
    krt_model_free(third);
}

static krt_status save_archive(krt_model *m, const char *path)
{
    return krt_save(m, path, NULL);
}

static krt_status save_directory(krt_model *m, const char *path)
{
    return krt_save(m, path, KRT_SAVE(.zipped = false));
}

static krt_status save_for_keras2(krt_model *m, const char *path)
{
    return krt_save(m, path, KRT_SAVE(.for_keras = 2));
}

TEST(float64_slots_keep_their_digits_in_models)
{
    check(t, "m.keras", save_archive);
    check(t, "m", save_directory);
    check(t, "m.h5", save_archive);
    check(t, "m2.h5", save_for_keras2);
}

static krt_status save_sharded(krt_model *m, const char *path)
{
    return krt_save_weights(m, path,
                            KRT_SAVE_WEIGHTS(.max_shard_size = 1, .include_optimizer = true));
}

static krt_status save_one(krt_model *m, const char *path)
{
    return krt_save_weights(m, path, KRT_SAVE_WEIGHTS(.include_optimizer = true));
}

static krt_status save_checkpoint(krt_model *m, const char *path)
{
    return krt_save_checkpoint(m, path, KRT_SAVE_WEIGHTS(.include_optimizer = true));
}

TEST(float64_slots_keep_their_digits_beside_weights)
{
    static const struct {
        const char *name;
        krt_status (*save)(krt_model *, const char *);
    } forms[] = {
        {"w.weights.json", save_sharded}, {"w.weights.h5", save_one}, {"w.ckpt", save_checkpoint}};

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        krt_model *m = a_trained_model(t), *again = a_model(t);

        for (int times = 0; times < 2; times++) {
            ASSERT_OK(forms[i].save(m, in_folder(t, forms[i].name)));
            ASSERT_OK(krt_load_weights(again, in_folder(t, forms[i].name), NULL));
            expect_digits(t, again, forms[i].name);
            krt_model_free(m);
            m = again;
            again = a_model(t);
        }
        krt_model_free(m);
        krt_model_free(again);
    }
}

/* The learning rate of a model in float64, too. */
TEST(what_is_float64_in_the_file_stays_float64)
{
    krt_model *m = a_model(t);
    krti_optimizer *o = NULL;
    const double rate = 1.0 / 1024 + 1e-12;

    ASSERT_OK(krti_model_optimizer(m, &o));
    ASSERT_OK(krti_optimizer_build(o, m));
    ASSERT_INT_EQ(KRT_FLOAT32, krti_stored_optimizer_dtype(&o->variables[1]));
    ASSERT_OK(
        krt_tensor_new(t->k, &o->variables[1].precise, KRT_FLOAT64, o->variables[1].tensor->shape));
    memcpy(o->variables[1].precise->data, &rate, sizeof rate);
    *(float *)o->variables[1].tensor->data = (float)rate;
    ASSERT_OK(krt_save(m, in_folder(t, "r.keras"), NULL));
    krt_model_free(m);
    ASSERT_OK(krt_load(t->k, &m, in_folder(t, "r.keras"), NULL));
    ASSERT_OK(krti_model_optimizer(m, &o));
    ASSERT_INT_EQ(KRT_FLOAT64, krti_stored_optimizer_dtype(&o->variables[1]));
    assert_memory_equal(o->variables[1].precise->data, &rate, sizeof rate);
    krt_model_free(m);
}

/* ------------------------------------------------------------------------------- half precision */

/* The variables of a LossScaleOptimizer and of the one in it, under Keras's names, but for the model's
 * part of a name, which is that of the file. */
static void expect_variables(testing *t, krt_model *m, const krti_conf *slots)
{
    krti_optimizer *o = NULL;
    size_t at = 0;

    ASSERT_OK(krti_model_optimizer(m, &o));
    ASSERT_TRUE(o != NULL && o->inner != NULL);
    for (; o != NULL; o = o->inner)
        for (size_t i = 0; i < o->num_variables; i++) {
            const krti_conf *slot = krti_conf_at(slots, at++), *values = krti_conf_at(slot, 1);
            const char *path = krti_conf_text(krti_conf_at(slot, 0));
            krt_tensor *own = NULL;

            ASSERT_STR_EQ(strrchr(path, '/'), strrchr(o->variables[i].path, '/'));
            ASSERT_OK(krt_tensor_cast(o->variables[i].tensor, &own, KRT_FLOAT32));
            ASSERT_INT_EQ(krti_conf_num(values), krt_shape_size(own->shape));
            for (size_t j = 0; j < krti_conf_num(values); j++) {
                double expected = NAN;

                assert_true(krti_conf_as_float(krti_conf_at(values, j), &expected));
                ASSERT_TRUE((float)expected == ((const float *)own->data)[j]);
            }
            krt_tensor_free(own);
        }
    ASSERT_INT_EQ(krti_conf_num(slots), at);
}

static float train(testing *t, krt_model *m)
{
    static const float x[8] = {0.5f, -1, 0.25f, 2, -0.5f, 1, 0, 1};
    static const int32_t y[2] = {0, 2};
    krt_tensor *features = NULL, *classes = NULL;
    const krt_logs *logs = NULL;
    double loss = NAN;

    ASSERT_OK(krt_tensor_wrap(t->k, &features, KRT_FLOAT32, KRT_SHAPE(2, 4), x));
    ASSERT_OK(krt_tensor_wrap(t->k, &classes, KRT_INT32, KRT_SHAPE(2), y));
    krt_reset_metrics(m);
    for (int i = 0; i < 3; i++)
        ASSERT_OK(krt_train_on_batch(m, &logs,
                                     KRT_DATA(.num_x = 1, .num_y = 1,
                                              .x = (const krt_tensor *[]){features},
                                              .y = (const krt_tensor *[]){classes})));
    ASSERT_TRUE(krt_logs_get(logs, "loss", &loss));
    krt_tensor_free(features);
    krt_tensor_free(classes);
    return (float)loss;
}

/* Files of Keras's mixed_float16, whose settings name Adam alone, and of ours, which name both. */
TEST(a_training_in_half_precision_goes_on_with_its_scale)
{
    krti_arena a = KRTI_ARENA_INIT(t->k);
    const krti_conf *rows = read_conf(t, &a, KERATIN_FIXTURES "/training/mixed.json");
    const krti_conf *slots = krti_conf_get(krti_conf_at(rows, 0), "slots");
    krt_model *m = NULL, *again = NULL;

    for (int is_h5 = 0; is_h5 < 2; is_h5++) {
        char path[512];

        snprintf(path, sizeof path, KERATIN_FIXTURES "/training/mixed_float16.%s",
                 is_h5 ? "h5" : "keras");
        ASSERT_OK(krt_load(t->k, &m, path, NULL));
        expect_variables(t, m, slots);
        snprintf(path, sizeof path, "%s", in_folder(t, is_h5 ? "m.h5" : "m.keras"));
        ASSERT_OK(krt_save(m, path, NULL));
        ASSERT_OK(krt_load(t->k, &again, path, NULL));
        expect_variables(t, again, slots);
        ASSERT_TRUE(train(t, m) == train(t, again));
        ASSERT_OK(krt_save(m, path, NULL));
        krt_model_free(again);
        ASSERT_OK(krt_load(t->k, &again, path, NULL));
        ASSERT_TRUE(train(t, m) == train(t, again));
        krt_model_free(again);
        krt_model_free(m);
    }
    krti_arena_free(&a);
}

int main(void)
{
    return RUN(UNIT(a_training_in_half_precision_goes_on_with_its_scale),
               UNIT(an_optimizer_that_never_ran_loses_nothing),
               UNIT(float64_slots_keep_their_digits_in_models),
               UNIT(float64_slots_keep_their_digits_beside_weights),
               UNIT(what_is_float64_in_the_file_stays_float64));
}
