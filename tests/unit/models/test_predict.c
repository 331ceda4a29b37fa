/* Models made in C and run: shapes, batches, taps, errors, threads, and that a run on known shapes
 * allocates nothing. */
#include "testing.h"

#include <keratin/keratin.h>

#include <stdatomic.h>
#include <threads.h>

static krt_model *small_cnn(krt_ctx *k)
{
    krt_model *m = krt_sequential(k, KRT_MODEL(.name = "cnn"));

    krt_add_input(m, KRT_SHAPE(12, 12, 1), NULL);
    krt_add(m, KRT_CONV2D(8, {3, 3}, .activation = "relu"));
    krt_add(m, KRT_MAX_POOLING2D({2, 2}));
    krt_add(m, KRT_BATCH_NORMALIZATION());
    krt_add(m, KRT_FLATTEN());
    krt_add(m, KRT_RESHAPE(KRT_SHAPE(1, 200)));
    krt_add(m, KRT_TIME_DISTRIBUTED(KRT_DENSE(5, .activation = "softmax")));
    krt_add(m, KRT_FLATTEN());
    return m;
}

static krt_tensor *ramp(krt_ctx *k, krt_shape shape)
{
    krt_tensor *x = NULL;

    if (krt_tensor_new(k, &x, KRT_FLOAT32, shape) != KRT_OK)
        return NULL;
    float *data = krt_tensor_data_mut(x);
    for (int64_t i = 0; i < krt_shape_size(shape); i++)
        data[i] = (float)(i % 17) / 8.0f - 1.0f;
    return x;
}

TEST(a_sequential_made_in_c_predicts_probabilities)
{
    krt_model *m = small_cnn(t->k);
    krt_tensor *x = ramp(t->k, KRT_SHAPE(3, 12, 12, 1)), *y = NULL;
    char text[160];

    ASSERT_OK(krt_predict(m, &y, x, NULL));
    ASSERT_STR_EQ("(3, 5)", krt_shape_print(krt_tensor_shape(y), text, sizeof text));
    const float *p = krt_tensor_data(y);
    for (int i = 0; i < 3; i++) {
        float sum = 0;

        for (int j = 0; j < 5; j++)
            sum += p[i * 5 + j];
        assert_true(sum > 0.99999f && sum < 1.00001f);
    }
    ASSERT_INT_EQ(8 * 9 + 8 + 4 * 8 + 200 * 5 + 5, krt_model_count_params(m));
    ASSERT_STR_EQ("(None, 5)", krt_shape_print(krt_model_output_shape(m, 0), text, sizeof text));
}

TEST(a_batch_cut_in_pieces_gives_what_the_whole_gives)
{
    krt_model *m = small_cnn(t->k);
    krt_tensor *x = ramp(t->k, KRT_SHAPE(7, 12, 12, 1)), *whole = NULL, *pieces = NULL;

    ASSERT_OK(krt_predict(m, &whole, x, KRT_PREDICT(.batch_size = 7)));
    ASSERT_OK(krt_predict(m, &pieces, x, KRT_PREDICT(.batch_size = 3)));
    ASSERT_NEAR((const float *)krt_tensor_data(whole), (const float *)krt_tensor_data(pieces), 35,
                0, 1e-6);
}

TEST(a_missing_channel_axis_is_added_and_integers_are_cast)
{
    krt_model *m = small_cnn(t->k);
    unsigned char pixels[2 * 144];
    krt_tensor *x = NULL, *wide = NULL, *a = NULL, *b = NULL;

    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (unsigned char)(i % 200);
    ASSERT_OK(krt_tensor_wrap(t->k, &x, KRT_UINT8, KRT_SHAPE(2, 12, 12), pixels));
    ASSERT_OK(krt_tensor_cast(x, &wide, KRT_FLOAT32));
    ASSERT_OK(krt_predict(m, &a, x, NULL));
    ASSERT_OK(krt_predict(m, &b, wide, NULL));
    assert_memory_equal(krt_tensor_data(a), krt_tensor_data(b), 10 * sizeof(float));
}

/* The mean once a number for all, once one of each channel. */
TEST(what_lies_near_a_large_mean_is_normalized_exactly)
{
    static const float x[] = {1e6f, 1e6f + 2, 1e6f + 4, 1e6f + 6};
    const krt_numbers mean[] = {KRT_NUMBER(1e6), KRT_NUMBERS(1e6, 1e6)};
    const krt_numbers variance[] = {KRT_NUMBER(9), KRT_NUMBERS(9, 9)};

    for (int64_t i = 0; i < 2; i++) {
        krt_tensor *data = NULL, *y = NULL;
        krt_model *m = krt_sequential(t->k, NULL);

        ASSERT_OK(krt_tensor_wrap(t->k, &data, KRT_FLOAT32, KRT_SHAPE(2, 2), x));
        ASSERT_OK(krt_add_input(m, KRT_SHAPE(2), NULL));
        ASSERT_OK(krt_add(m, KRT_NORMALIZATION(.mean = mean[i], .variance = variance[i])));
        ASSERT_OK(krt_predict(m, &y, data, NULL));
        ASSERT_NEAR(((float[]){0, 2.f / 3, 4.f / 3, 2}), (const float *)krt_tensor_data(y), 4, 1e-6,
                    0);
        krt_tensor_free(data);
        krt_tensor_free(y);
    }
}

TEST(an_input_of_another_shape_is_refused_with_both_shapes)
{
    krt_model *m = small_cnn(t->k);
    krt_tensor *x = ramp(t->k, KRT_SHAPE(2, 11, 12, 1)), *y = NULL;

    ASSERT_STATUS(KRT_E_INVALID, krt_predict(m, &y, x, NULL));
    ASSERT_SAYS("x has shape (2, 11, 12, 1), the model wants (None, 12, 12, 1)");
    assert_null(y);
    ASSERT_STATUS(KRT_E_INVALID, krt_predict(m, &y, x, KRT_PREDICT(.batch_size = 0)));
    ASSERT_SAYS("batch_size is 0, expected 1 or more");
}

TEST(an_input_without_elements_is_refused_even_where_the_model_wants_it)
{
    krt_model *m = small_cnn(t->k), *none = krt_sequential(t->k, NULL);
    krt_tensor *y = NULL;

    krt_add_input(none, KRT_SHAPE(0), NULL);
    krt_add(none, KRT_DENSE(3));
    ASSERT_STATUS(KRT_E_INVALID, krt_predict(m, &y, ramp(t->k, KRT_SHAPE(0, 12, 12, 1)), NULL));
    ASSERT_SAYS("x has shape (0, 12, 12, 1): there is nothing in it to compute with");
    ASSERT_STATUS(KRT_E_INVALID, krt_predict(none, &y, ramp(t->k, KRT_SHAPE(2, 0)), NULL));
    ASSERT_SAYS("x has shape (2, 0): there is nothing in it to compute with");
    ASSERT_STATUS(KRT_E_INVALID, krt_predict(none, &y, ramp(t->k, KRT_SHAPE(2, 3)), NULL));
    ASSERT_SAYS("x has shape (2, 3), the model wants (None, 0)");
    ASSERT_OK(krt_compile(none, KRT_COMPILE(.loss = KRT_ID("mse"))));
    ASSERT_STATUS(KRT_E_INVALID,
                  krt_fit(none, ramp(t->k, KRT_SHAPE(2, 0)), ramp(t->k, KRT_SHAPE(2, 3)), NULL));
    ASSERT_SAYS("x has shape (2, 0): there is nothing in it to compute with");
}

TEST(a_run_can_tap_an_inner_layer)
{
    krt_model *m = small_cnn(t->k);
    krt_tensor *x = ramp(t->k, KRT_SHAPE(2, 12, 12, 1)), *y = NULL;
    krt_run *run = NULL;
    const krt_tensor *const inputs[] = {x};
    char text[160];

    ASSERT_OK(krt_run_new(m, &run, KRT_RUN(.layer = "max_pooling2d")));
    ASSERT_OK(krt_run_predict(run, &y, 1, inputs, 1, NULL));
    ASSERT_STR_EQ("(2, 5, 5, 8)", krt_shape_print(krt_tensor_shape(y), text, sizeof text));
    krt_run_free(run);
    ASSERT_STATUS(KRT_E_NOT_FOUND, krt_run_new(m, &run, KRT_RUN(.layer = "nothing")));
    ASSERT_SAYS("No such layer: nothing");
}

/* An LSTM's last output is its state h; a Bidirectional has four states. */
TEST(every_result_of_a_layer_can_be_an_output)
{
    krt_ktensor *x = krt_input(t->k, KRT_SHAPE(3, 2), NULL);
    krt_ktensor *y = krt_apply(x, KRT_LSTM(4, .return_state = true));
    krt_layer *lstm = krt_layer_new(t->k, KRT_LSTM(4, .return_state = true, .name = "again"));
    krt_ktensor *h = krt_ktensor_at(y, 1), *c = krt_ktensor_at(h, 2);
    krt_ktensor *z = krt_call_layer_n(lstm, KRT_KTENSORS(x, h, c));
    krt_model *m =
        krt_functional(t->k, KRT_KTENSORS(x), KRT_KTENSORS(y, h, c, krt_ktensor_at(z, 2)), NULL);
    krt_tensor *out[4] = {NULL};
    const krt_tensor *const inputs[] = {ramp(t->k, KRT_SHAPE(2, 3, 2))};

    assert_non_null(m);
    assert_ptr_equal(y, krt_ktensor_at(y, 0));
    ASSERT_OK(krt_predict_n(m, out, 4, inputs, 1, NULL));
    assert_memory_equal(krt_tensor_data(out[0]), krt_tensor_data(out[1]), 8 * sizeof(float));
    assert_memory_not_equal(krt_tensor_data(out[1]), krt_tensor_data(out[2]), 8 * sizeof(float));
    assert_null(krt_ktensor_at(y, 3));
    ASSERT_SAYS("result 3 was asked for, the layer gives 3");
    assert_null(krt_ktensor_at(NULL, 1));
    assert_null(krt_call_layer_n(lstm, (krt_ktensors){0, NULL}));
    y = krt_apply(x, KRT_BIDIRECTIONAL(KRT_LSTM(4, .return_state = true)));
    assert_non_null(krt_ktensor_at(y, 4));
    assert_null(krt_ktensor_at(y, 5));
}

TEST(a_functional_model_with_branches_a_shared_layer_and_two_outputs_runs)
{
    krt_ktensor *image = krt_input(t->k, KRT_SHAPE(8, 8, 3), KRT_INPUT(.name = "image"));
    krt_ktensor *a = krt_apply(image, KRT_CONV2D(4, {1, 1}, .name = "a"));
    krt_ktensor *b = krt_apply(image, KRT_CONV2D(4, {3, 3}, .padding = "same", .name = "b"));
    krt_ktensor *y = krt_apply_n(KRT_KTENSORS(a, b), KRT_ADD());
    krt_layer *shared = krt_layer_new(t->k, KRT_DENSE(4, .activation = "relu", .name = "shared"));

    y = krt_call_layer(shared, krt_apply(y, KRT_GLOBAL_AVERAGE_POOLING2D()));
    y = krt_call_layer(shared, y);
    krt_ktensor *kind = krt_apply(y, KRT_DENSE(3, .activation = "softmax", .name = "kind"));
    krt_ktensor *box = krt_apply(y, KRT_DENSE(2, .name = "box"));
    krt_model *m = krt_functional(t->k, KRT_KTENSORS(image), KRT_KTENSORS(kind, box),
                                  KRT_MODEL(.name = "two_heads"));
    krt_tensor *x = ramp(t->k, KRT_SHAPE(2, 8, 8, 3)), *out[2] = {NULL};
    const krt_tensor *const inputs[] = {x};

    assert_non_null(m);
    ASSERT_OK(krt_predict_n(m, out, 2, inputs, 1, NULL));
    ASSERT_INT_EQ(3, krt_tensor_shape(out[0]).dim[1]);
    ASSERT_INT_EQ(2, krt_tensor_shape(out[1]).dim[1]);
    ASSERT_INT_EQ(8, krt_model_num_layers(m)); /* the shared layer counts once */
    ASSERT_STR_EQ("image", krt_layer_name(krt_model_layer(m, 0)));
}

TEST(a_model_under_construction_keeps_its_first_failure)
{
    krt_model *m = krt_sequential(t->k, NULL);
    krt_tensor *x = ramp(t->k, KRT_SHAPE(1, 4)), *y = NULL;

    ASSERT_OK(krt_add_input(m, KRT_SHAPE(4), NULL));
    ASSERT_STATUS(KRT_E_UNKNOWN_CLASS, krt_add(m, KRT_DENSE(3, .activation = "relo")));
    ASSERT_STATUS(KRT_E_UNKNOWN_CLASS, krt_add(m, KRT_DENSE(3)));
    ASSERT_STATUS(KRT_E_UNKNOWN_CLASS, krt_predict(m, &y, x, NULL));
    ASSERT_SAYS("unknown activation \"relo\"");
}

TEST(a_sequential_without_an_input_takes_the_shape_it_is_called_on)
{
    krt_model *m = krt_sequential(t->k, NULL);
    krt_tensor *x = ramp(t->k, KRT_SHAPE(2, 6)), *y = NULL;
    char text[160];

    ASSERT_OK(krt_add(m, KRT_DENSE(4, .activation = "relu")));
    ASSERT_OK(krt_add(m, KRT_DENSE(3)));
    ASSERT_INT_EQ(0, krt_model_count_params(m));
    ASSERT_OK(krt_predict(m, &y, x, NULL));
    ASSERT_INT_EQ(6 * 4 + 4 + 4 * 3 + 3, krt_model_count_params(m));
    ASSERT_STR_EQ("(None, 6)", krt_shape_print(krt_model_input_shape(m, 0), text, sizeof text));
}

TEST(a_null_symbolic_tensor_flows_through)
{
    krt_ktensor *x = krt_input(t->k, KRT_SHAPE(4), NULL);
    krt_ktensor *bad = krt_apply(x, KRT_CONV2D(3, {3, 3}));

    assert_null(bad);
    assert_null(krt_apply(bad, KRT_DENSE(2)));
    assert_null(krt_functional(t->k, KRT_KTENSORS(x), KRT_KTENSORS(bad), NULL));
    assert_int_not_equal(krt_ctx_error(t->k)->status, KRT_OK);
}

/* ------------------------------------------------------------------------------- allocations */

static atomic_int allocations;
static atomic_llong bytes_alive;

static void *counting_alloc(void *user, size_t size, size_t align)
{
    (void)user;
    atomic_fetch_add(&allocations, 1);
    atomic_fetch_add(&bytes_alive, (long long)size);
    return aligned_alloc(align, (size + align - 1) / align * align);
}

static void counting_free(void *user, void *p, size_t size)
{
    (void)user;
    if (p != NULL)
        atomic_fetch_sub(&bytes_alive, (long long)size);
    free(p);
}

static void *counting_resize(void *user, void *p, size_t old_size, size_t size, size_t align)
{
    void *q = counting_alloc(user, size, align);

    if (q != NULL && p != NULL)
        memcpy(q, p, old_size < size ? old_size : size);
    if (q != NULL)
        counting_free(user, p, old_size);
    return q;
}

static krt_ctx *counting_ctx(void)
{
    krt_ctx *k = NULL;

    assert_int_equal(krt_ctx_new(&k, KRT_CTX(.threads = 2, .seed = 1,
                                             .allocator = {counting_alloc, counting_resize,
                                                           counting_free, NULL})),
                     KRT_OK);
    return k;
}

/* What Keras 3.15.1 hands to the first layer for these. */
TEST(an_input_of_half_precision_rounds_what_comes_in)
{
    static const float given[] = {0.1f, 1.0003f, -3.3333f, 1e-6f, 2049};
    static const struct {
        const char *dtype;
        float expected[5];
    } cases[] = {
        {"float16", {0x1.998p-4f, 1, -0x1.aacp+1f, 0x1.1p-20f, 2048}},
        {"bfloat16", {0x1.9ap-4f, 1, -0x1.aap+1f, 0x1.0cp-20f, 2048}},
        {"float32", {0.1f, 1.0003f, -3.3333f, 1e-6f, 2049}},
    };
    krt_tensor *x = NULL, *y = NULL;

    ASSERT_OK(krt_tensor_from(t->k, &x, KRT_FLOAT32, KRT_SHAPE(1, 5), given));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        krt_ktensor *in = krt_input(t->k, KRT_SHAPE(5), KRT_INPUT(.dtype = cases[i].dtype));
        krt_ktensor *out = krt_apply(in, KRT_RESCALING(KRT_NUMBER(1)));
        krt_model *m = krt_functional(t->k, KRT_KTENSORS(in), KRT_KTENSORS(out), NULL);
        krt_model *again = NULL;
        char *json = NULL;

        ASSERT_TRUE(m != NULL);
        ASSERT_INT_EQ(KRT_FLOAT32, krt_model_input_dtype(m, 0));
        ASSERT_OK(krt_predict(m, &y, x, NULL));
        assert_memory_equal(krt_tensor_data(y), cases[i].expected, sizeof cases[i].expected);
        krt_tensor_free(y);
        ASSERT_OK(krt_to_json(m, &json, NULL));
        ASSERT_OK(krt_from_json(t->k, &again, json, NULL));
        ASSERT_OK(krt_predict(again, &y, x, NULL));
        assert_memory_equal(krt_tensor_data(y), cases[i].expected, sizeof cases[i].expected);
        krt_tensor_free(y);
        krt_free(t->k, json);
        krt_model_free(again);
        krt_model_free(m);
    }
    krt_tensor_free(x);
}

TEST(a_run_on_a_known_shape_allocates_nothing)
{
    krt_ctx *k = counting_ctx();
    krt_model *m = small_cnn(k);
    krt_tensor *x = ramp(k, KRT_SHAPE(4, 12, 12, 1));
    const krt_shape shape = krt_tensor_shape(x);
    const void *data[] = {krt_tensor_data(x)};
    krt_run *run = NULL;

    assert_int_equal(krt_run_new(m, &run, NULL), KRT_OK);
    assert_int_equal(krt_run_prepare(run, &shape, 1), KRT_OK);
    const int before = atomic_load(&allocations);
    for (int i = 0; i < 10; i++)
        assert_int_equal(krt_run_call(run, data, &shape, 1), KRT_OK);
    ASSERT_INT_EQ(before, atomic_load(&allocations));
    krt_ctx_free(k);
}

TEST(a_freed_model_gives_everything_back)
{
    krt_ctx *k = counting_ctx();
    krt_tensor *x = ramp(k, KRT_SHAPE(2, 12, 12, 1));
    long long level = 0;

    for (int i = 0; i < 4; i++) {
        krt_model *m = small_cnn(k);
        krt_tensor *y = NULL;

        assert_int_equal(krt_predict(m, &y, x, NULL), KRT_OK);
        krt_tensor_free(y);
        krt_model_free(m);
        if (i == 1) /* the first rounds fill tables that stay: registered classes, names */
            level = atomic_load(&bytes_alive);
    }
    ASSERT_INT_EQ(level, atomic_load(&bytes_alive));
    krt_ctx_free(k);
    ASSERT_INT_EQ(0, atomic_load(&bytes_alive));
}

/* ------------------------------------------------------------------------------- threads */

typedef struct worker {
    krt_run *run;
    const float *x;
    float y[64][5];
    krt_status status;
} worker;

static int work(void *arg)
{
    worker *w = arg;

    for (int64_t i = 0; i < 64 && w->status == KRT_OK; i++) {
        const krt_shape shape = {4, {1 + i % 3, 12, 12, 1}};
        const void *data[] = {w->x};

        w->status = krt_run_call(w->run, data, &shape, 1);
        if (w->status == KRT_OK)
            memcpy(w->y[i], krt_run_output(w->run, 0), sizeof w->y[i]);
    }
    return 0;
}

TEST(many_threads_run_one_model)
{
    enum { THREADS = 4 };
    krt_model *m = small_cnn(t->k);
    krt_tensor *x = ramp(t->k, KRT_SHAPE(3, 12, 12, 1));
    static worker workers[THREADS];
    thrd_t threads[THREADS];

    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){.x = krt_tensor_data(x)};
        ASSERT_OK(krt_run_new(m, &workers[i].run, KRT_RUN(.threads = 1)));
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(thrd_create(&threads[i], work, &workers[i]), thrd_success);
    for (int i = 0; i < THREADS; i++)
        thrd_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++) {
        ASSERT_INT_EQ(KRT_OK, workers[i].status);
        for (int j = 0; j < 64; j++)
            ASSERT_NEAR(workers[0].y[0], workers[i].y[j], 5, 0, 1e-6);
        krt_run_free(workers[i].run);
    }
}

int main(void)
{
    return RUN(UNIT(a_sequential_made_in_c_predicts_probabilities),
               UNIT(a_batch_cut_in_pieces_gives_what_the_whole_gives),
               UNIT(a_missing_channel_axis_is_added_and_integers_are_cast),
               UNIT(what_lies_near_a_large_mean_is_normalized_exactly),
               UNIT(an_input_of_another_shape_is_refused_with_both_shapes),
               UNIT(an_input_without_elements_is_refused_even_where_the_model_wants_it),
               UNIT(a_run_can_tap_an_inner_layer), UNIT(every_result_of_a_layer_can_be_an_output),
               UNIT(a_functional_model_with_branches_a_shared_layer_and_two_outputs_runs),
               UNIT(a_model_under_construction_keeps_its_first_failure),
               UNIT(a_sequential_without_an_input_takes_the_shape_it_is_called_on),
               UNIT(a_null_symbolic_tensor_flows_through),
               UNIT(an_input_of_half_precision_rounds_what_comes_in),
               UNIT(a_run_on_a_known_shape_allocates_nothing),
               UNIT(a_freed_model_gives_everything_back), UNIT(many_threads_run_one_model));
}
