/* What the tests of the saving floor share: fixtures by name, files put together by hand, and
 * predictions held against the answers of real Keras. */
#ifndef KERATIN_TESTS_ANSWERS_H
#define KERATIN_TESTS_ANSWERS_H

#include "testing.h"
#include <keratin/keratin.h>

#include <math.h>

/* The path of a fixture; four may be held at once. */
static inline const char *fixture(const char *name)
{
    static char path[4][512];
    static int turn;

    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", KERATIN_FIXTURES, name);
    return path[turn];
}

static inline void *read_all(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");

    if (f == NULL)
        print_error("cannot open %s\n", path);
    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    *size = (size_t)ftell(f);
    rewind(f);
    void *data = malloc(*size + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, *size, f), *size);
    fclose(f);
    return data;
}

/* Copies a fixture into the test's folder under another name; valid until the next put_file(). */
static inline const char *copy_fixture(testing *t, const char *name, const char *as)
{
    size_t size = 0;
    void *data = read_all(fixture(name), &size);
    const char *path = put_file(t, as, data, size);

    free(data);
    return path;
}

/* --- predictions --- */

typedef struct answers {
    size_t n;
    krt_tensor **tensors;
    char **names;
} answers;

static inline const krt_tensor *answer(const answers *a, const char *name)
{
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->names[i], name) == 0)
            return a->tensors[i];
    return NULL;
}

static inline void close_answers(testing *t, answers *a)
{
    for (size_t i = 0; i < a->n; i++)
        krt_tensor_free(a->tensors[i]);
    krt_free(t->k, a->tensors);
    krt_free(t->k, a->names);
}

static inline void compare_output(testing *t, const answers *a, const krt_tensor *found,
                                  const char *name, const char *what)
{
    const krt_tensor *expected = answer(a, name);
    krt_tensor *e = NULL, *f = NULL;
    const double rtol = *(const double *)krt_tensor_data(answer(a, "rtol"));
    const double atol = *(const double *)krt_tensor_data(answer(a, "atol"));

    assert_non_null(expected);
    assert_true(krt_shape_equal(krt_tensor_shape(expected), krt_tensor_shape(found)));
    ASSERT_OK(krt_tensor_cast(expected, &e, KRT_FLOAT64));
    ASSERT_OK(krt_tensor_cast(found, &f, KRT_FLOAT64));
    for (int64_t i = 0; i < krt_shape_size(krt_tensor_shape(e)); i++) {
        const double x = ((const double *)krt_tensor_data(e))[i];
        const double y = ((const double *)krt_tensor_data(f))[i];

        if (fabs(x - y) <= atol + rtol * fabs(x) || x == y)
            continue;
        fail_msg("%s: %s[%lld]: expected %.9g, found %.9g", what, name, (long long)i, x, y);
    }
    krt_tensor_free(e);
    krt_tensor_free(f);
}

/* The model answers as Keras did; `what` names the file it came from. */
static inline void assert_answers(testing *t, krt_model *m, const char *npz, const char *what)
{
    const krt_tensor *x[8];
    krt_tensor *y[8] = {NULL};
    const size_t num_in = krt_model_num_inputs(m), num_out = krt_model_num_outputs(m);
    answers a = {0};
    char name[256];

    ASSERT_OK(krt_tensors_read(t->k, &a.n, &a.tensors, &a.names, npz));
    assert_true(num_in <= 8 && num_out <= 8);
    for (size_t i = 0; i < num_in; i++) {
        snprintf(name, sizeof name, "x_%s", krt_model_input_name(m, i));
        x[i] = answer(&a, num_in == 1 ? "x" : name);
        if (x[i] == NULL)
            fail_msg("%s: no input %s", what, name);
    }
    ASSERT_OK(krt_predict_n(m, y, num_out, x, num_in, NULL));
    for (size_t i = 0; i < num_out; i++) {
        snprintf(name, sizeof name, "y_%zu", i);
        compare_output(t, &a, y[i], num_out == 1 ? "y" : name, what);
        krt_tensor_free(y[i]);
    }
    close_answers(t, &a);
}

/* --- zip archives of stored members --- */

typedef struct member {
    const char *name;
    const void *data;
    size_t size;
} member;

static inline void put_le(unsigned char **p, unsigned long long value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        *(*p)++ = (unsigned char)(i < 8 ? value >> (8 * i) : 0);
}

static inline unsigned crc_of(const unsigned char *data, size_t size)
{
    unsigned crc = 0xFFFFFFFFu;

    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1)));
    }
    return ~crc;
}

static inline void put_sizes(unsigned char **p, const member *m)
{
    put_le(p, crc_of(m->data, m->size), 4);
    put_le(p, m->size, 4);
    put_le(p, m->size, 4);
    put_le(p, strlen(m->name), 2);
    put_le(p, 0, 2);
}

/* Writes the archive into the test's folder and returns its path. */
static inline const char *put_zip(testing *t, const char *name, const member *members, size_t n)
{
    size_t size = 22, at[16];

    assert_true(n <= 16);
    for (size_t i = 0; i < n; i++)
        size += 76 + 2 * strlen(members[i].name) + members[i].size;
    unsigned char *data = calloc(1, size), *p = data;
    for (size_t i = 0; i < n; i++) {
        at[i] = (size_t)(p - data);
        put_le(&p, 0x04034b50, 4);
        put_le(&p, 20, 2);
        put_le(&p, 0, 8);
        put_sizes(&p, &members[i]);
        memcpy(p, members[i].name, strlen(members[i].name));
        p += strlen(members[i].name);
        if (members[i].size > 0)
            memcpy(p, members[i].data, members[i].size);
        p += members[i].size;
    }
    const size_t start = (size_t)(p - data);
    for (size_t i = 0; i < n; i++) {
        put_le(&p, 0x02014b50, 4);
        put_le(&p, 20, 2);
        put_le(&p, 20, 2);
        put_le(&p, 0, 8);
        put_sizes(&p, &members[i]);
        put_le(&p, 0, 10);
        put_le(&p, at[i], 4);
        memcpy(p, members[i].name, strlen(members[i].name));
        p += strlen(members[i].name);
    }
    const size_t end = (size_t)(p - data);
    put_le(&p, 0x06054b50, 4);
    put_le(&p, 0, 4);
    put_le(&p, n, 2);
    put_le(&p, n, 2);
    put_le(&p, end - start, 4);
    put_le(&p, start, 4);
    put_le(&p, 0, 2);
    const char *path = put_file(t, name, data, (size_t)(p - data));
    free(data);
    return path;
}

#endif
