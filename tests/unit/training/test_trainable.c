/* What is frozen, thawed or added between compile() and fit(): whom the optimizer knows and whom it moves.
 * Keras: optimizers/base_optimizer.py _check_variables_are_known(), a train_step() of TensorFlow's. */
#include "classifier.h"
#include "training/optimizer.h"

#include <string.h>

static krt_model *saved_and_loaded(testing *t, krt_model *m)
{
    krt_model *again = NULL;

    ASSERT_OK(krt_save(m, in_folder(t, "m.keras"), NULL));
    ASSERT_OK(krt_load(t->k, &again, in_folder(t, "m.keras"), NULL));
    return again;
}

static krt_status one_epoch(testing *t, krt_model *m)
{
    krt_tensor *x = features(t, ROWS), *y = classes(t, ROWS);
    const krt_status st = krt_fit(m, x, y, NULL);

    krt_tensor_free(x);
    krt_tensor_free(y);
    return st;
}

static krti_optimizer *optimizer_of(testing *t, krt_model *m)
{
    krti_optimizer *o = NULL;

    ASSERT_OK(krti_model_optimizer(m, &o));
    assert_non_null(o);
    return o;
}

static bool are_equal(const krt_tensor *a, const krt_tensor *b)
{
    return a->size_bytes == b->size_bytes && memcmp(a->data, b->data, a->size_bytes) == 0;
}

/* Of two models made alike, whether the weights and slots of the i-th layer are. */
static void expect_layer(testing *t, krt_model *a, krt_model *b, size_t i, bool same)
{
    static const char *const slots[] = {"momentum", "velocity"};
    const krt_layer *l = krt_model_layer(a, i), *m = krt_model_layer(b, i);

    ASSERT_INT_EQ(2, krt_layer_num_weights(l));
    for (size_t w = 0; w < 2; w++) {
        const krt_variable *v = krt_layer_weight(l, w), *u = krt_layer_weight(m, w);

        assert_int_equal(same, are_equal(v->tensor, u->tensor));
        for (size_t s = 0; s < 2; s++)
            assert_int_equal(
                same, are_equal(krti_optimizer_find(optimizer_of(t, a), slots[s], v)->tensor,
                                krti_optimizer_find(optimizer_of(t, b), slots[s], u)->tensor));
    }
}

TEST(what_is_frozen_after_loading_stays_and_keeps_its_slots)
{
    krt_model *first = compiled(t, 0), *m = NULL;
    int64_t iterations = 0;

    ASSERT_OK(one_epoch(t, first));
    m = saved_and_loaded(t, first);
    krt_layer_set_trainable(krt_model_layer(m, 0), false);
    ASSERT_OK(one_epoch(t, m));
    expect_layer(t, first, m, 0, true);
    expect_layer(t, first, m, 2, false);
    ASSERT_OK(krt_iterations(m, &iterations));
    ASSERT_INT_EQ(2, iterations);
    krt_layer_set_trainable(krt_model_layer(m, 0), true); /* its steps go on as they were made */
    ASSERT_OK(one_epoch(t, m));
    expect_layer(t, first, m, 0, true);
}

/* As it would have been with a model that was frozen when it was compiled, slots of others aside. */
TEST(the_rest_trains_as_if_alone)
{
    krt_model *first = compiled(t, 0), *m = NULL, *alone = compiled(t, 0);

    m = saved_and_loaded(t, first);
    krt_layer_set_trainable(krt_model_layer(m, 0), false);
    krt_layer_set_trainable(krt_model_layer(alone, 0), false);
    ASSERT_OK(one_epoch(t, m));
    ASSERT_OK(one_epoch(t, alone));
    expect_layer(t, alone, m, 2, true);
    ASSERT_INT_EQ(10, optimizer_of(t, m)->num_variables);
    ASSERT_INT_EQ(6, optimizer_of(t, alone)->num_variables);
}

TEST(what_is_thawed_after_loading_is_unknown_to_the_optimizer)
{
    krt_model *first = compiled(t, 0), *m = NULL;

    krt_layer_set_trainable(krt_model_layer(first, 0), false);
    ASSERT_OK(one_epoch(t, first));
    m = saved_and_loaded(t, first);
    krt_layer_set_trainable(krt_model_layer(m, 0), true);
    ASSERT_STATUS(KRT_E_STATE, one_epoch(t, m));
    ASSERT_SAYS("Unknown variable: <Variable path=dense/kernel, shape=(4, 8), dtype=float32>. This "
                "optimizer can only be called for the variables it was originally built with");
    ASSERT_OK(krt_compile(m, KRT_COMPILE(.optimizer = KRT_ADAM(),
                                         .loss = KRT_ID("sparse_categorical_crossentropy"))));
    ASSERT_OK(one_epoch(t, m));
    expect_layer(t, m, m, 0, true);
}

static void count(void *user, int level, const char *text)
{
    (void)level;
    *(int *)user += strstr(text, "The model does not have any trainable weights") != NULL;
}

TEST(a_model_frozen_as_a_whole_makes_no_step)
{
    krt_ctx *const own = t->k;
    krt_model *first = NULL, *m = NULL;
    int64_t iterations = 0;
    int warnings = 0;

    ASSERT_OK(krt_ctx_new(&t->k, KRT_CTX(.log = count, .user = &warnings)));
    first = compiled(t, 0);
    ASSERT_OK(one_epoch(t, first));
    m = saved_and_loaded(t, first);
    krt_model_set_trainable(m, false);
    ASSERT_OK(one_epoch(t, m));
    ASSERT_INT_EQ(1, warnings);
    expect_layer(t, first, m, 0, true);
    expect_layer(t, first, m, 2, true);
    ASSERT_OK(krt_iterations(m, &iterations));
    ASSERT_INT_EQ(1, iterations);
    krt_ctx_free(t->k);
    t->k = own;
}

TEST(averages_of_what_is_frozen_are_refused_before_the_first_step)
{
    krt_model *first = classifier(t, 0), *m = NULL;

    ASSERT_OK(krt_compile(first, KRT_COMPILE(.optimizer = KRT_SGD(.use_ema = true),
                                             .loss = KRT_ID("sparse_categorical_crossentropy"))));
    m = saved_and_loaded(t, first);
    krt_layer_set_trainable(krt_model_layer(m, 0), false);
    ASSERT_STATUS(KRT_E_STATE, one_epoch(t, m));
    ASSERT_SAYS("The length of model variables (2) to override does not match the length of model "
                "variables stored in the optimizer (4)");
}

TEST(lora_is_unknown_to_an_optimizer_that_is_built)
{
    krt_model *m = compiled(t, 0), *again = NULL;

    ASSERT_OK(one_epoch(t, m));
    again = saved_and_loaded(t, m);
    ASSERT_OK(krt_enable_lora(krt_model_layer(m, 0), 2, NULL));
    ASSERT_OK(krt_enable_lora(krt_model_layer(again, 0), 2, NULL));
    ASSERT_STATUS(KRT_E_STATE, one_epoch(t, m));
    ASSERT_SAYS(
        "Unknown variable: <Variable path=dense/lora_kernel_a, shape=(4, 2), dtype=float32>");
    ASSERT_STATUS(KRT_E_STATE, one_epoch(t, again));
    ASSERT_SAYS("krt_compile() the model again after thawing a layer or enabling LoRA");
    m = compiled(t, 0); /* and not to one that is compiled, but has made no step */
    ASSERT_OK(krt_enable_lora(krt_model_layer(m, 0), 2, NULL));
    ASSERT_OK(one_epoch(t, m));
}

int main(void)
{
    return RUN(UNIT(what_is_frozen_after_loading_stays_and_keeps_its_slots),
               UNIT(the_rest_trains_as_if_alone),
               UNIT(what_is_thawed_after_loading_is_unknown_to_the_optimizer),
               UNIT(a_model_frozen_as_a_whole_makes_no_step),
               UNIT(averages_of_what_is_frozen_are_refused_before_the_first_step),
               UNIT(lora_is_unknown_to_an_optimizer_that_is_built));
}
