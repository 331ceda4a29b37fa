/* TensorBoard's events against bytes that TensorFlow wrote, and histograms against its op. */
#include "callbacks/event_file.h"
#include "testing.h"

#include <math.h>

/* A scalar as TensorFlow's summary.scalar writes it: tag epoch_accuracy, step 0 and 250. */
static const unsigned char first[] =
    "\x09\x00\x00\x00\x00\x00\x00\xf0\x3f\x2a\x2b\x0a\x29\x0a\x0e"
    "epoch_accuracy"
    "\x42\x0a\x08\x01\x12\x00\x22\x04\x00\x00\x00\x3f\x4a\x0b\x0a\x09\x0a\x07scalars";
static const unsigned char later[] =
    "\x09\x00\x00\x00\x00\x00\x00\xf0\x3f\x10\xfa\x01\x2a\x2b\x0a\x29\x0a\x0e"
    "epoch_accuracy"
    "\x42\x0a\x08\x01\x12\x00\x22\x04\x00\x00\x00\x3f\x4a\x0b\x0a\x09\x0a\x07scalars";

static void test_a_scalar_has_the_bytes_of_tensorflow(void **state)
{
    krt_ctx *k = NULL;

    (void)state;
    assert_int_equal(krt_ctx_new(&k, NULL), KRT_OK);
    krti_str s = KRTI_STR_INIT(k);
    assert_int_equal(krti_event_scalar(&s, 1.0, "epoch_accuracy", 0, 0.5f), KRT_OK);
    assert_int_equal(s.length, sizeof first - 1);
    assert_memory_equal(krti_str_text(&s), first, sizeof first - 1);
    krti_str_clear(&s);
    assert_int_equal(krti_event_scalar(&s, 1.0, "epoch_accuracy", 250, 0.5f), KRT_OK);
    assert_int_equal(s.length, sizeof later - 1);
    assert_memory_equal(krti_str_text(&s), later, sizeof later - 1);
    krti_str_free(&s);
    krt_ctx_free(k);
}

static void test_buckets_have_equal_widths_and_hold_everything(void **state)
{
    double rows[KRTI_HISTOGRAM_BUCKETS][3];
    float x[301];
    double total = 0;

    (void)state;
    for (int i = 0; i < 301; i++)
        x[i] = (float)i / 100.0f;
    krti_histogram(rows, x, 301);
    assert_true(rows[0][0] == 0 && rows[KRTI_HISTOGRAM_BUCKETS - 1][1] == 3);
    for (int i = 0; i < KRTI_HISTOGRAM_BUCKETS; i++) {
        assert_true(fabs(rows[i][1] - rows[i][0] - 0.1) < 1e-12);
        assert_true(i == 0 || rows[i][0] == rows[i - 1][1]);
        total += rows[i][2];
    }
    assert_true(total == 301);
}

static void test_equal_values_lie_in_the_last_bucket(void **state)
{
    const float x[] = {2.5f, 2.5f, 2.5f};
    double rows[KRTI_HISTOGRAM_BUCKETS][3];

    (void)state;
    krti_histogram(rows, x, 3);
    for (int i = 0; i < KRTI_HISTOGRAM_BUCKETS; i++) {
        assert_true(rows[i][0] == 2.5 && rows[i][1] == 2.5);
        assert_true(rows[i][2] == (i + 1 == KRTI_HISTOGRAM_BUCKETS ? 3 : 0));
    }
}

static void test_nan_spoils_the_edges_and_nothing_is_zero(void **state)
{
    const float x[] = {1, NAN};
    double rows[KRTI_HISTOGRAM_BUCKETS][3];

    (void)state;
    krti_histogram(rows, x, 2);
    assert_true(isnan(rows[0][0]) && isnan(rows[29][1]) && rows[29][2] == 0);
    krti_histogram(rows, x, 0);
    assert_true(rows[0][0] == 0 && rows[29][1] == 0 && rows[29][2] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_scalar_has_the_bytes_of_tensorflow),
        cmocka_unit_test(test_buckets_have_equal_widths_and_hold_everything),
        cmocka_unit_test(test_equal_values_lie_in_the_last_bucket),
        cmocka_unit_test(test_nan_spoils_the_edges_and_nothing_is_zero),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
