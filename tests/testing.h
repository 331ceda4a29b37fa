/* What every test file includes: cmocka, sentences for names, and asserts that print both sides.
 *
 *     TEST(a_sentence_that_is_true) { ASSERT_OK(krt_something(t->k)); }
 *     int main(void) { return RUN(UNIT(a_sentence_that_is_true)); }
 *
 * Every test gets `t`: a context and an empty folder of its own, removed afterwards. */
#ifndef KERATIN_TESTS_TESTING_H
#define KERATIN_TESTS_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"

#include <cmocka.h>
#include <keratin/base.h>
#include <keratin/tensor.h>

typedef struct testing {
    krt_ctx *k;
    char folder[256];
} testing;

#define TEST(name)                       \
    static void test_##name(testing *t); \
    static void name(void **state)       \
    {                                    \
        test_##name(*state);             \
    }                                    \
    static void test_##name(testing *t __attribute__((unused)))
#define UNIT(name) cmocka_unit_test_setup_teardown(name, testing_setup, testing_teardown)
#define RUN(...)                                          \
    testing_run((const struct CMUnitTest[]){__VA_ARGS__}, \
                sizeof((const struct CMUnitTest[]){__VA_ARGS__}) / sizeof(struct CMUnitTest))

int testing_setup(void **state);
int testing_teardown(void **state);
int testing_run(const struct CMUnitTest *tests, size_t n);

/* The path of a file in the test's folder; valid until the next call. */
const char *in_folder(testing *t, const char *name);
/* Writes a file into the test's folder and returns its path. */
const char *put_file(testing *t, const char *name, const void *data, size_t size);
/* How many names a folder holds. */
int num_names(const char *path);
/* The JSON of a file; its nodes live as long as the arena. */
const krti_conf *read_conf(testing *t, krti_arena *a, const char *path);
/* Skips the test with a word when the path is absent. */
void need(const char *path);

#define ASSERT_OK(call) testing_status(t->k, KRT_OK, (call), #call, __FILE__, __LINE__)
#define ASSERT_STATUS(expected, call) \
    testing_status(t->k, (expected), (call), #call, __FILE__, __LINE__)
#define ASSERT_STR_EQ(expected, found) assert_string_equal((found), (expected))
#define ASSERT_INT_EQ(expected, found) \
    testing_int((long long)(expected), (long long)(found), #found, __FILE__, __LINE__)
#define ASSERT_TRUE(condition) assert_true(condition)
/* The message of the last failure contains this text. */
#define ASSERT_SAYS(text)      testing_says(t->k, (text), __FILE__, __LINE__)
/* |found - expected| <= atol + rtol * |expected| for n floats. */
#define ASSERT_NEAR(expected, found, n, rtol, atol) \
    testing_near((expected), (found), (n), (rtol), (atol), #found, __FILE__, __LINE__)

void testing_status(krt_ctx *k, krt_status expected, krt_status found, const char *call,
                    const char *file, int line);
void testing_int(long long expected, long long found, const char *what, const char *file, int line);
void testing_says(krt_ctx *k, const char *text, const char *file, int line);
void testing_near(const float *expected, const float *found, size_t n, double rtol, double atol,
                  const char *what, const char *file, int line);

#endif
