/* The progress line against what Keras's Progbar printed with the same steps and times. */
#include "testing.h"
#include "training/progbar.h"

#include <math.h>

enum { MAX_UPDATES = 4, MAX_LOGS = 4 };

typedef struct update {
    double seconds; /* since the one before */
    int64_t current;
    bool is_last;
    size_t n;
    const char *names[MAX_LOGS];
    double values[MAX_LOGS];
} update;

typedef struct play {
    int64_t target;
    int verbose;
    update updates[MAX_UPDATES];
    const char *text;
} play;

#define CELL "\342\224\201"

static const play plays[] = {
    /* a name in UTF-8 is as wide as its letters */
    {-1,
     1,
     {{0.1, 1, false, 1, {"gr\303\266\303\237e"}, {1}}, {0.1, 2, false, 1, {"a"}, {1}}},
     "\r      1/Unknown \033[1m0s\033[0m 100ms/step - gr\303\266\303\237e: 1.0000"
     "\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b"
     "\r      2/Unknown \033[1m0s\033[0m 100ms/step - a: 1.0000    "},
    {6,
     1,
     {{0.4, 1, false, 2, {"accuracy", "loss"}, {0.75, 0.6372}},
      {0.124, 2, false, 2, {"accuracy", "loss"}, {0.75, 0.6372}},
      {0.5, 6, false, 2, {"accuracy", "loss"}, {0.75, 0.6372}},
      {0.1,
       6,
       true,
       4,
       {"accuracy", "loss", "val_accuracy", "val_loss"},
       {0.5, 0.7356, 1.0, 0.5438}}},
     "\r\033[1m1/6\033[0m \033[32m" CELL "" CELL "" CELL "\033[0m\033[37m" CELL "" CELL "" CELL
     "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL
     "" CELL "" CELL "\033[0m \033[1m1s\033[0m 400ms/step - accuracy: 0.7500 - loss: "
     "0."
     "6372\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b"
     "\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\r\033[1m2/6\033[0m \033[32m" CELL
     "" CELL "" CELL "" CELL "" CELL "" CELL "\033[0m\033[37m" CELL "" CELL "" CELL "" CELL "" CELL
     "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL
     "\033[0m \033[1m0s\033[0m 124ms/step - accuracy: 0.7500 - loss: "
     "0."
     "6372\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b"
     "\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\r\033[1m6/6\033[0m \033[32m" CELL
     "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL
     "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL
     "\033[0m\033[37m\033[0m \033[1m0s\033[0m 125ms/step - accuracy: 0.7500 - loss: "
     "0."
     "6372\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b"
     "\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\r\033[1m6/6\033[0m \033[32m" CELL
     "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL
     "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL
     "\033[0m\033[37m\033[0m \033[1m1s\033[0m 145ms/step - accuracy: 0.5000 - loss: 0.7356 - "
     "val_accuracy: 1.0000 - val_loss: 0.5438\n"},
    {KRT_NONE,
     1,
     {{0.01, 1, false, 1, {"loss"}, {0.5}},
      {0.06, 2, false, 1, {"loss"}, {0.5}},
      {0.0601, 3, false, 1, {"loss"}, {0.5}},
      {0.2, 3, true, 1, {"loss"}, {0.5}}},
     "\r      1/Unknown \033[1m0s\033[0m 10ms/step - loss: "
     "0."
     "5000\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\r "
     "     2/Unknown \033[1m0s\033[0m 60ms/step - loss: "
     "0."
     "5000\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\r "
     "     3/Unknown \033[1m0s\033[0m 60ms/step - loss: "
     "0."
     "5000\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\r"
     "\033[1m3/3\033[0m \033[32m" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL
     "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL
     "\033[0m\033[37m\033[0m \033[1m0s\033[0m 160ms/step - loss: 0.5000\n"},
    {1200,
     1,
     {{10.0, 1, false, 2, {"loss", "m"}, {0.0001, -0.5}},
      {3.2, 2, false, 2, {"loss", "m"}, {0.0001, -0.5}},
      {4000.0, 1200, true, 2, {"loss", "m"}, {0.0001, -0.5}}},
     "\r\033[1m   1/1200\033[0m \033[37m" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL
     "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL
     "" CELL "\033[0m \033[1m3:19:50\033[0m 10s/step - loss: 1.0000e-04 - m: "
     "-0."
     "5000\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b"
     "\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\r\033["
     "1m   2/1200\033[0m \033[37m" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL
     "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL
     "\033[0m \033[1m1:03:53\033[0m 3s/step - loss: 1.0000e-04 - m: -0.5000 "
     "\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b"
     "\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\r\033["
     "1m1200/1200\033[0m \033[32m" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL
     "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL
     "\033[0m\033[37m\033[0m \033[1m4013s\033[0m 3s/step - loss: 1.0000e-04 - m: -0.5000  \n"},
    {120,
     1,
     {{1.0, 1, false, 2, {"loss", "m"}, {NAN, -0.0005}},
      {2.0, 2, false, 2, {"loss", "m"}, {NAN, -0.0005}},
      {4.0, 120, true, 2, {"loss", "m"}, {NAN, -0.0005}}},
     "\r\033[1m  1/120\033[0m \033[37m" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL
     "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL
     "\033[0m \033[1m1:59\033[0m 1s/step - loss: nan - m: "
     "-5.0000e-"
     "04\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b"
     "\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\r\033[1m  2/120\033[0m \033[37m" CELL
     "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL
     "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL
     "\033[0m \033[1m3:56\033[0m 2s/step - loss: nan - m: "
     "-5.0000e-"
     "04\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b"
     "\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\r\033[1m120/120\033[0m \033[32m" CELL
     "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL
     "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL
     "\033[0m\033[37m\033[0m \033[1m7s\033[0m 50ms/step - loss: nan - m: -5.0000e-04\n"},
    {3,
     2,
     {{0.237, 3, true, 3, {"accuracy", "loss", "learning_rate"}, {0.7, 0.6225, 0.01}}},
     "3/3 - 0s - 79ms/step - accuracy: 0.7000 - loss: 0.6225 - learning_rate: 0.0100\n"},
    {3,
     2,
     {{65.5, 3, true, 4, {"a", "b", "c", "d"}, {-0.7, 1e-05, INFINITY, 123456.789}}},
     "3/3 - 66s - 22s/step - a: -7.0000e-01 - b: 1.0000e-05 - c: inf - d: 123456.7890\n"},
    {3,
     2,
     {{0.3,
       3,
       true,
       4,
       {"f1_score[0]", "f1_score[1]", "f1_score[2]", "loss"},
       {0.25, 0.5, 0.9, 0.5}}},
     "3/3 - 0s - 100ms/step - f1_score: 0.5500 - loss: 0.5000\n"},
    {1000,
     1,
     {{0.0001, 1, false, 1, {"loss"}, {1.0}},
      {0.06, 10, false, 1, {"loss"}, {1.0}},
      {0.3, 1000, true, 1, {"loss"}, {1.0}}},
     "\r\033[1m   1/1000\033[0m \033[37m" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL
     "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL
     "" CELL "\033[0m \033[1m0s\033[0m 100us/step - loss: "
     "1."
     "0000\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b"
     "\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\r\033[1m  10/1000\033[0m \033[37m" CELL "" CELL "" CELL
     "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL
     "" CELL "" CELL "" CELL "" CELL "" CELL "\033[0m \033[1m6s\033[0m 7ms/step - loss: 1.0000  "
     "\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b"
     "\b\b\b\b\b\b\b\b\b\b\b\r\033[1m1000/1000\033[0m \033[32m" CELL "" CELL "" CELL "" CELL "" CELL
     "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL "" CELL
     "" CELL "" CELL "" CELL "\033[0m\033[37m\033[0m \033[1m0s\033[0m 360us/step - loss: 1.0000\n"},
};

static void test_the_line_is_keras_s(void **state)
{
    krt_ctx *k = NULL;

    (void)state;
    assert_int_equal(krt_ctx_new(&k, NULL), KRT_OK);
    for (size_t i = 0; i < KRTI_COUNT(plays); i++) {
        krti_str s = KRTI_STR_INIT(k);
        double now = 1000;
        krti_progbar p = krti_progbar_begin(plays[i].target, plays[i].verbose, now);

        for (size_t j = 0; j < MAX_UPDATES && plays[i].updates[j].current > 0; j++) {
            const update *u = &plays[i].updates[j];
            const krt_logs logs = {u->n, u->names, u->values};

            now += u->seconds;
            if (u->is_last && p.target == KRT_NONE)
                p.target = u->current;
            assert_int_equal(krti_progbar_update(&p, u->current, &logs, u->is_last, now, &s),
                             KRT_OK);
        }
        assert_string_equal(krti_str_text(&s), plays[i].text);
        krti_str_free(&s);
    }
    krt_ctx_free(k);
}

static void test_updates_that_follow_at_once_print_nothing(void **state)
{
    krt_ctx *k = NULL;
    krti_progbar p = krti_progbar_begin(10, 1, 50);

    (void)state;
    assert_int_equal(krt_ctx_new(&k, NULL), KRT_OK);
    krti_str s = KRTI_STR_INIT(k);
    assert_int_equal(krti_progbar_update(&p, 1, NULL, false, 50.1, &s), KRT_OK);
    const size_t length = s.length;
    assert_true(length > 0);
    assert_int_equal(krti_progbar_update(&p, 2, NULL, false, 50.12, &s), KRT_OK);
    assert_int_equal(s.length, length);
    krti_str_free(&s);
    krt_ctx_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_line_is_keras_s),
        cmocka_unit_test(test_updates_that_follow_at_once_print_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
