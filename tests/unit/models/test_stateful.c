/* Stateful recurrent layers: whose state a call goes on from, and what becomes of it. */
#include "testing.h"

#include <keratin/keratin.h>

static krt_model *reader(krt_ctx *k, bool stateful, int64_t batch_size)
{
    krt_model *m = krt_sequential(k, NULL);

    krt_add_input(m, KRT_SHAPE(KRT_NONE, 2), KRT_INPUT(.batch_size = batch_size));
    krt_add(m, KRT_LSTM(3, .stateful = stateful, .return_sequences = true,
                        .kernel_initializer = KRT_GLOROT_UNIFORM(.seed = 1),
                        .recurrent_initializer = KRT_GLOROT_UNIFORM(.seed = 2)));
    krt_add(m, KRT_GRU(2, .stateful = stateful, .kernel_initializer = KRT_GLOROT_UNIFORM(.seed = 3),
                       .recurrent_initializer = KRT_GLOROT_UNIFORM(.seed = 4)));
    return m;
}

/* `steps` of two sequences of six, from the first-th on. */
static krt_tensor *words(krt_ctx *k, int first, int steps)
{
    krt_tensor *x = NULL;

    if (krt_tensor_new(k, &x, KRT_FLOAT32, KRT_SHAPE(2, steps, 2)) != KRT_OK)
        return NULL;
    float *data = krt_tensor_data_mut(x);
    for (int i = 0; i < 2 * steps * 2; i++)
        data[i] = (float)((i / (2 * steps) * 12 + first * 2 + i % (2 * steps)) * 7 % 11) / 5 - 1;
    return x;
}

static void expect_same(const krt_tensor *expected, const krt_tensor *found)
{
    const float *a = krt_tensor_data(expected), *b = krt_tensor_data(found);

    ASSERT_INT_EQ(krt_shape_size(krt_tensor_shape(expected)),
                  krt_shape_size(krt_tensor_shape(found)));
    for (int64_t i = 0; i < krt_shape_size(krt_tensor_shape(expected)); i++)
        assert_float_equal(a[i], b[i], 1e-6f);
}

TEST(a_sequence_in_pieces_ends_where_the_whole_does)
{
    krt_model *whole = reader(t->k, false, KRT_NONE), *m = reader(t->k, true, 2);
    krt_tensor *expected = NULL, *first = NULL, *y = NULL;

    ASSERT_OK(krt_predict(whole, &expected, words(t->k, 0, 6), NULL));
    for (int again = 0; again < 2; again++) {
        ASSERT_OK(krt_predict(m, &first, words(t->k, 0, 2), NULL));
        ASSERT_OK(krt_predict(m, &y, words(t->k, 2, 4), NULL));
        expect_same(expected, y);
        krt_reset_states(m);
    }
    ASSERT_OK(krt_predict(m, &y, words(t->k, 0, 2), NULL));
    expect_same(first, y);
    /* one layer of two: the other goes on */
    krt_layer_reset_states(krt_model_layer(m, 0));
    ASSERT_OK(krt_predict(m, &y, words(t->k, 0, 2), NULL));
    assert_true(((const float *)krt_tensor_data(y))[0] !=
                ((const float *)krt_tensor_data(first))[0]);
}

TEST(each_run_has_a_state_of_its_own)
{
    krt_model *m = reader(t->k, true, 2);
    krt_tensor *y = NULL, *begun = NULL, *ended = NULL;
    krt_run *a = NULL, *b = NULL;
    krt_tensor *const x[] = {words(t->k, 0, 2), words(t->k, 2, 4)};

    ASSERT_OK(krt_predict(m, &begun, x[0], NULL));
    ASSERT_OK(krt_run_new(m, &a, NULL));
    ASSERT_OK(krt_run_new(m, &b, NULL));
    /* two plans, for two and four steps, and one state; the other run comes between */
    ASSERT_OK(krt_run_predict(a, &y, 1, (const krt_tensor *const[]){x[0]}, 1, NULL));
    expect_same(begun, y);
    ASSERT_OK(krt_run_predict(b, &y, 1, (const krt_tensor *const[]){x[0]}, 1, NULL));
    expect_same(begun, y);
    ASSERT_OK(krt_run_predict(a, &ended, 1, (const krt_tensor *const[]){x[1]}, 1, NULL));
    ASSERT_OK(krt_predict(m, &y, x[1], NULL));
    expect_same(ended, y);
    krt_run_reset_states(a);
    ASSERT_OK(krt_run_predict(a, &y, 1, (const krt_tensor *const[]){x[0]}, 1, NULL));
    expect_same(begun, y);
    ASSERT_OK(krt_run_predict(b, &y, 1, (const krt_tensor *const[]){x[1]}, 1, NULL));
    expect_same(ended, y);
    krt_run_free(a);
    krt_run_free(b);
}

TEST(states_are_no_weights_and_the_batch_is_one_size)
{
    krt_model *m = reader(t->k, true, 2);
    krt_tensor *y = NULL, *x = NULL;

    ASSERT_INT_EQ(6, krt_layer_num_weights(krt_model_layer(m, 0)) +
                         krt_layer_num_weights(krt_model_layer(m, 1)));
    ASSERT_OK(krt_tensor_new(t->k, &x, KRT_FLOAT32, KRT_SHAPE(3, 4, 2)));
    ASSERT_STATUS(KRT_E_INVALID, krt_predict(m, &y, x, NULL));
    assert_non_null(strstr(krt_ctx_error(t->k)->message,
                           "the batch size of the input sequences must be the same as the batch "
                           "size of the initial state. Expected batch size: 2, received batch "
                           "size: 3"));
    ASSERT_STATUS(KRT_E_INVALID, krt_predict(reader(t->k, true, KRT_NONE), &y, x, NULL));
    assert_non_null(strstr(krt_ctx_error(t->k)->message, "the batch size must be static"));
}

/* Keras 2 takes what it is given only to begin with. */
TEST(given_states_count_at_the_first_call_in_keras_2)
{
    static const char json[] =
        "{\"class_name\": \"Functional\", \"config\": {\"name\": \"m\", \"layers\": ["
        "{\"class_name\": \"InputLayer\", \"config\": {\"batch_input_shape\": [1, 2, 1], "
        "\"dtype\": \"float32\", \"name\": \"x\"}, \"name\": \"x\", \"inbound_nodes\": []},"
        "{\"class_name\": \"InputLayer\", \"config\": {\"batch_input_shape\": [1, 1], "
        "\"dtype\": \"float32\", \"name\": \"h\"}, \"name\": \"h\", \"inbound_nodes\": []},"
        "{\"class_name\": \"SimpleRNN\", \"config\": {\"name\": \"r\", \"stateful\": true, "
        "\"units\": 1, \"activation\": \"linear\", \"kernel_initializer\": {\"class_name\": "
        "\"Ones\", \"config\": {}}, \"recurrent_initializer\": {\"class_name\": \"Ones\", "
        "\"config\": {}}}, \"name\": \"r\", \"inbound_nodes\": [[[\"x\", 0, 0, {}], [\"h\", 0, "
        "0, {}]]]}], \"input_layers\": [[\"x\", 0, 0], [\"h\", 0, 0]], \"output_layers\": "
        "[[\"r\", 0, 0]]}, \"keras_version\": \"2.15.0\"}";
    const float steps[] = {1, 2}, state[] = {10}, expected[] = {13, 16, 13};
    krt_model *m = NULL;
    krt_tensor *x[2] = {NULL}, *y = NULL;

    ASSERT_OK(krt_from_json(t->k, &m, json, NULL));
    ASSERT_OK(krt_tensor_wrap(t->k, &x[0], KRT_FLOAT32, KRT_SHAPE(1, 2, 1), steps));
    ASSERT_OK(krt_tensor_wrap(t->k, &x[1], KRT_FLOAT32, KRT_SHAPE(1, 1), state));
    for (int i = 0; i < 3; i++) {
        if (i == 2)
            krt_reset_states(m);
        ASSERT_OK(krt_predict_n(m, &y, 1, (const krt_tensor *const *)x, 2, NULL));
        assert_float_equal(expected[i], ((const float *)krt_tensor_data(y))[0], 1e-6f);
    }
}

int main(void)
{
    return RUN(UNIT(a_sequence_in_pieces_ends_where_the_whole_does),
               UNIT(each_run_has_a_state_of_its_own),
               UNIT(states_are_no_weights_and_the_batch_is_one_size),
               UNIT(given_states_count_at_the_first_call_in_keras_2));
}
