/* The text of CSVLogger against files that Keras wrote. */
#include "callbacks/csv_logger.h"
#include "testing.h"

static const struct {
    size_t n;
    const char *names[4];
    double values[4];
    const char *text;
} files[] = {
    {2,
     {"loss", "mae"},
     {0.29524242877960205, 1e-5},
     "epoch,loss,mae,val_loss,val_mae\r\n0,0.29524242877960205,1e-05,NA,NA\r\n"},
    {4,
     {"accuracy", "loss", "val_accuracy", "val_loss"},
     {1, 0.5, 0.25, 16777216},
     "epoch,accuracy,loss,val_accuracy,val_loss\r\n0,1.0,0.5,0.25,16777216.0\r\n"},
    {1, {"a,b\"c"}, {3}, "epoch,\"a,b\"\"c\",\"val_a,b\"\"c\"\r\n0,3.0,NA\r\n"},
};

static void test_the_text_is_that_of_keras(void **state)
{
    krt_ctx *k = NULL;

    (void)state;
    assert_int_equal(krt_ctx_new(&k, NULL), KRT_OK);
    for (size_t i = 0; i < KRTI_COUNT(files); i++) {
        const krt_logs logs = {files[i].n, files[i].names, files[i].values};
        krti_csv_keys keys = {.k = k};
        krti_str s = KRTI_STR_INIT(k);

        assert_int_equal(krti_csv_begin(&keys, &logs), KRT_OK);
        assert_int_equal(krti_csv_header(&s, &keys, ","), KRT_OK);
        assert_int_equal(krti_csv_row(&s, &keys, ",", 0, &logs), KRT_OK);
        assert_string_equal(krti_str_text(&s), files[i].text);
        krti_csv_end(&keys);
        krti_str_free(&s);
    }
    krt_ctx_free(k);
}

static void test_a_value_that_is_missing_later_is_na(void **state)
{
    static const char *const names[] = {"loss", "val_loss"};
    static const double values[] = {1, 2};
    krt_ctx *k = NULL;

    (void)state;
    assert_int_equal(krt_ctx_new(&k, NULL), KRT_OK);
    krti_csv_keys keys = {.k = k};
    krti_str s = KRTI_STR_INIT(k);
    assert_int_equal(krti_csv_begin(&keys, &(krt_logs){2, names, values}), KRT_OK);
    assert_int_equal(krti_csv_row(&s, &keys, ";", 7, &(krt_logs){1, names, values}), KRT_OK);
    assert_string_equal(krti_str_text(&s), "7;1.0;NA\r\n");
    krti_csv_end(&keys);
    krti_str_free(&s);
    krt_ctx_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_text_is_that_of_keras),
        cmocka_unit_test(test_a_value_that_is_missing_later_is_na),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
