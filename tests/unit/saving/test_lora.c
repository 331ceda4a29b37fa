/* LoRA: what Keras's files of one trained model hold (tests/fixtures/training/lora.*), and enabling it in
 * C. That it trains as in Keras is tests/parity/test_training.c's. */
#include "../training/classifier.h"
#include "models/model.h"

static krt_model *loaded(testing *t, const char *path)
{
    krt_model *m = NULL;

    ASSERT_OK(krt_load(t->k, &m, path, NULL));
    return m;
}

static const float *weight(const krt_model *m, const char *layer, size_t i, size_t *n)
{
    const krt_variable *v = krt_layer_weight(krt_get_layer(m, layer), i);

    if (n != NULL)
        *n = (size_t)krt_shape_size(krt_variable_shape(v));
    return krt_variable_data(v);
}

static bool is_zero(const krt_model *m, const char *layer, size_t i)
{
    size_t n = 0;
    const float *values = weight(m, layer, i, &n);

    for (size_t j = 0; j < n; j++)
        if (values[j] != 0)
            return false;
    return true;
}

static void expect_near(const krt_model *a, const krt_model *b, const char *layer, size_t i,
                        float tolerance)
{
    size_t n = 0, m = 0;
    const float *left = weight(a, layer, i, &n), *right = weight(b, layer, i, &m);

    ASSERT_INT_EQ(n, m);
    for (size_t j = 0; j < n; j++)
        assert_true(fabsf(left[j] - right[j]) <= tolerance);
}

static void expect_same_predictions(testing *t, krt_model *a, krt_model *b)
{
    krt_tensor *x = features(t, ROWS), *left = NULL, *right = NULL;

    ASSERT_OK(krt_predict(a, &left, x, NULL));
    ASSERT_OK(krt_predict(b, &right, x, NULL));
    const float *p = krt_tensor_data(left), *q = krt_tensor_data(right);
    for (int64_t i = 0; i < krt_shape_size(krt_tensor_shape(left)); i++)
        assert_true(fabsf(p[i] - q[i]) <= 1e-6f);
    krt_tensor_free(x);
    krt_tensor_free(left);
    krt_tensor_free(right);
}

/* "h": kernel, bias and two factors; "o": kernel and two factors. */
TEST(an_h5_of_keras_holds_the_factors_and_a_keras_file_their_sum)
{
    krt_model *h5 = loaded(t, KERATIN_FIXTURES "/training/lora.h5");
    krt_model *keras = loaded(t, KERATIN_FIXTURES "/training/lora.keras");

    ASSERT_INT_EQ(4, krt_layer_num_weights(krt_get_layer(h5, "h")));
    ASSERT_STR_EQ("h/lora_kernel_b",
                  krt_variable_path(krt_layer_weight(krt_get_layer(h5, "h"), 3)));
    assert_true(!is_zero(h5, "h", 3) && !is_zero(h5, "o", 2));
    assert_true(is_zero(keras, "h", 2) && is_zero(keras, "h", 3) && is_zero(keras, "o", 1));
    expect_same_predictions(t, h5, keras);
    ASSERT_OK(krt_load_weights(h5, KERATIN_FIXTURES "/training/lora.weights.h5", NULL));
    assert_true(is_zero(h5, "h", 2) && is_zero(h5, "h", 3) && is_zero(h5, "o", 2));
    expect_same_predictions(t, h5, keras);
}

TEST(a_save_adds_the_product_to_the_kernel_and_an_h5_keeps_both)
{
    static const char *const forms[] = {"m.keras", "m.h5"};
    krt_model *h5 = loaded(t, KERATIN_FIXTURES "/training/lora.h5");
    krt_model *keras = loaded(t, KERATIN_FIXTURES "/training/lora.keras");
    krt_model *again = NULL;

    for (size_t i = 0; i < 2; i++) {
        krt_model *original = i == 0 ? keras : h5;

        ASSERT_OK(krt_save(h5, in_folder(t, forms[i]), NULL));
        again = loaded(t, in_folder(t, forms[i]));
        for (size_t w = 0; w < 4; w++)
            expect_near(original, again, "h", w, i == 0 ? 1e-6f : 0);
        for (size_t w = 0; w < 3; w++)
            expect_near(original, again, "o", w, i == 0 ? 1e-6f : 0);
        krt_model_free(again);
    }
    ASSERT_STATUS(KRT_E_UNSUPPORTED, krt_save(h5, in_folder(t, "k2.h5"), KRT_SAVE(.for_keras = 2)));
    ASSERT_SAYS("the argument lora_rank, which Keras 2 does not have. Write for Keras 3");
}

TEST(enabled_it_trains_the_factors_alone)
{
    krt_tensor *x = features(t, ROWS), *y = classes(t, ROWS);
    krt_model *m = compiled(t, 0), *open = krt_sequential(t->k, NULL);
    krt_layer *l = krt_model_layer(m, 0);
    float kernel[FEATURES * 8];
    krt_weights *w = NULL;

    ASSERT_OK(krt_add(open, KRT_DENSE(3)));
    ASSERT_STATUS(KRT_E_STATE, krt_enable_lora(krt_model_layer(open, 0), 2, NULL));
    ASSERT_SAYS("Cannot enable lora on a layer that isn't yet built");
    ASSERT_OK(krt_fit(m, x, y, NULL));
    ASSERT_STATUS(KRT_E_INVALID, krt_enable_lora(l, 0, NULL));
    ASSERT_OK(krt_enable_lora(l, 2, KRT_LORA(.lora_alpha = 3)));
    ASSERT_STATUS(KRT_E_STATE, krt_enable_lora(l, 2, NULL));
    ASSERT_SAYS("lora is already enabled. This can only be done once per layer");
    ASSERT_STATUS(KRT_E_UNSUPPORTED, krt_enable_lora(krt_model_layer(m, 1), 2, NULL));
    ASSERT_OK(krt_compile(m, KRT_COMPILE(.optimizer = KRT_ADAM(.learning_rate = 0.01),
                                         .loss = KRT_ID("sparse_categorical_crossentropy"))));
    ASSERT_OK(krt_get_weights(l, &w));
    ASSERT_INT_EQ(4, w->n);
    memcpy(kernel, krt_tensor_data(w->items[0]), sizeof kernel);
    krt_weights_free(w);
    ASSERT_OK(krt_fit(m, x, y, KRT_FIT(.epochs = 3)));
    ASSERT_OK(krt_get_weights(l, &w));
    assert_memory_equal(kernel, krt_tensor_data(w->items[0]), sizeof kernel);
    krt_weights_free(w);
    krt_tensor_free(x);
    krt_tensor_free(y);
}

/* h5: factors that are not zero. */
TEST(weights_go_over_with_the_product_to_a_model_without)
{
    krt_model *h5 = loaded(t, KERATIN_FIXTURES "/training/lora.h5");
    krt_model *same = loaded(t, KERATIN_FIXTURES "/training/lora.keras"), *plain = NULL;
    krt_report *r = NULL;

    plain = krt_sequential(t->k, NULL);
    ASSERT_OK(krt_add_input(plain, KRT_SHAPE(4), NULL));
    ASSERT_OK(krt_add(plain, KRT_DENSE(5, .name = "h", .activation = "tanh")));
    ASSERT_OK(krt_add(plain, KRT_DENSE(3, .name = "o", .use_bias = false)));
    ASSERT_OK(krt_transfer_weights(plain, h5, KRT_TRANSFER(.report = &r)));
    ASSERT_INT_EQ(3, krt_report_count(r, KRT_LOADED));
    ASSERT_INT_EQ(0, krt_report_count(r, KRT_UNEXPECTED));
    krt_report_free(r);
    expect_same_predictions(t, h5, plain);
    ASSERT_OK(krt_transfer_weights(same, h5, NULL));
    for (size_t w = 0; w < 4; w++)
        expect_near(h5, same, "h", w, 0);
    expect_same_predictions(t, h5, same);
}

int main(void)
{
    return RUN(UNIT(weights_go_over_with_the_product_to_a_model_without),
               UNIT(an_h5_of_keras_holds_the_factors_and_a_keras_file_their_sum),
               UNIT(a_save_adds_the_product_to_the_kernel_and_an_h5_keeps_both),
               UNIT(enabled_it_trains_the_factors_alone));
}
