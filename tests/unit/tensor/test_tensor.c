/* Dtypes, shapes, tensors, conversion. Expected conversions are NumPy's, from fixtures/arrays. */
#include "failing.h"

#include "tensor/tensor.h"

#include <math.h>

static const char *printed(krt_shape shape)
{
    static char text[160];

    return krt_shape_print(shape, text, sizeof text);
}

TEST(dtypes_know_their_names_and_sizes)
{
    static const struct {
        krt_dtype dtype;
        const char *name;
        size_t size;
        bool is_float;
    } cases[] = {{KRT_FLOAT32, "float32", 4, true}, {KRT_FLOAT64, "float64", 8, true},
                 {KRT_FLOAT16, "float16", 2, true}, {KRT_BFLOAT16, "bfloat16", 2, true},
                 {KRT_INT8, "int8", 1, false},      {KRT_INT16, "int16", 2, false},
                 {KRT_INT32, "int32", 4, false},    {KRT_INT64, "int64", 8, false},
                 {KRT_UINT8, "uint8", 1, false},    {KRT_UINT16, "uint16", 2, false},
                 {KRT_UINT32, "uint32", 4, false},  {KRT_UINT64, "uint64", 8, false},
                 {KRT_BOOL, "bool", 1, false}};

    for (size_t i = 0; i < KRTI_COUNT(cases); i++) {
        ASSERT_STR_EQ(cases[i].name, krt_dtype_name(cases[i].dtype));
        ASSERT_INT_EQ(cases[i].size, krt_dtype_size(cases[i].dtype));
        ASSERT_INT_EQ(cases[i].dtype, krt_dtype_from_name(cases[i].name));
        ASSERT_INT_EQ(cases[i].is_float, krti_dtype_is_float(cases[i].dtype));
    }
    ASSERT_INT_EQ(KRT_DTYPE_NONE, krt_dtype_from_name("float8"));
    ASSERT_INT_EQ(KRT_DTYPE_NONE, krt_dtype_from_name("none"));
    ASSERT_INT_EQ(KRT_DTYPE_NONE, krt_dtype_from_name(NULL));
    ASSERT_STR_EQ("none", krt_dtype_name((krt_dtype)99));
    ASSERT_INT_EQ(0, krt_dtype_size((krt_dtype)-1));
}

TEST(shapes_print_as_keras_prints_them)
{
    char small[6];

    ASSERT_STR_EQ("()", printed((krt_shape){0}));
    ASSERT_STR_EQ("(4,)", printed(KRT_SHAPE(4)));
    ASSERT_STR_EQ("(None, 28, 28, 1)", printed(KRT_SHAPE(KRT_NONE, 28, 28, 1)));
    ASSERT_STR_EQ("None", printed((krt_shape){.rank = -1}));
    ASSERT_STR_EQ("(100,", krt_shape_print(KRT_SHAPE(100, 200), small, sizeof small));
    small[0] = 'x';
    krt_shape_print(KRT_SHAPE(1), small, 0);
    ASSERT_INT_EQ('x', small[0]);
}

TEST(shapes_multiply_without_overflow)
{
    const int64_t big = (int64_t)1 << 40;
    size_t bytes = 0;

    ASSERT_INT_EQ(1, krt_shape_size((krt_shape){0}));
    ASSERT_INT_EQ(24, krt_shape_size(KRT_SHAPE(2, 3, 4)));
    ASSERT_TRUE(krt_shape_size(KRT_SHAPE(2, KRT_NONE)) == KRT_NONE);
    ASSERT_TRUE(krt_shape_size(KRT_SHAPE(2, -3)) == KRT_NONE);
    ASSERT_TRUE(krt_shape_size(KRT_SHAPE(big, big)) == KRT_NONE);
    ASSERT_INT_EQ(0, krt_shape_size(KRT_SHAPE(big, big, 0)));
    ASSERT_TRUE(krt_shape_size((krt_shape){.rank = -1}) == KRT_NONE);
    ASSERT_TRUE(krti_shape_bytes(KRT_SHAPE(3, 5), KRT_FLOAT64, &bytes) && bytes == 120);
    ASSERT_TRUE(!krti_shape_bytes(KRT_SHAPE(INT64_MAX), KRT_FLOAT64, &bytes));
    ASSERT_TRUE(!krti_shape_bytes(KRT_SHAPE(KRT_NONE), KRT_FLOAT64, &bytes));
}

TEST(shapes_are_equal_in_every_dimension)
{
    ASSERT_TRUE(krt_shape_equal(KRT_SHAPE(2, KRT_NONE), KRT_SHAPE(2, KRT_NONE)));
    ASSERT_TRUE(!krt_shape_equal(KRT_SHAPE(2, KRT_NONE), KRT_SHAPE(2, 3)));
    ASSERT_TRUE(!krt_shape_equal(KRT_SHAPE(2), KRT_SHAPE(2, 1)));
}

TEST(a_new_tensor_is_zeros_and_writable)
{
    krt_tensor *x = NULL;

    ASSERT_OK(krt_tensor_new(t->k, &x, KRT_FLOAT32, KRT_SHAPE(2, 3)));
    const float *data = krt_tensor_data(x);
    for (int i = 0; i < 6; i++)
        ASSERT_TRUE(data[i] == 0);
    ASSERT_TRUE(krt_tensor_data_mut(x) == data);
    ASSERT_INT_EQ(KRT_FLOAT32, krt_tensor_dtype(x));
    ASSERT_STR_EQ("(2, 3)", printed(krt_tensor_shape(x)));
    krt_tensor_free(x);
    krt_tensor_free(NULL);
}

TEST(impossible_tensors_are_refused)
{
    krt_tensor *x = NULL;
    float data = 0;

    ASSERT_STATUS(KRT_E_INVALID, krt_tensor_new(t->k, &x, KRT_FLOAT32, KRT_SHAPE(KRT_NONE, 3)));
    ASSERT_SAYS("a tensor cannot have the shape (None, 3)");
    ASSERT_STATUS(KRT_E_INVALID, krt_tensor_new(t->k, &x, KRT_DTYPE_NONE, KRT_SHAPE(3)));
    ASSERT_SAYS("0 is no dtype");
    ASSERT_STATUS(KRT_E_INVALID, krt_tensor_new(t->k, &x, KRT_INT8, (krt_shape){.rank = 9}));
    ASSERT_SAYS("rank is 9, at most 8");
    ASSERT_STATUS(KRT_E_INVALID, krt_tensor_from(t->k, &x, KRT_FLOAT32, KRT_SHAPE(1), NULL));
    ASSERT_STATUS(KRT_E_INVALID, krt_tensor_wrap(t->k, &x, KRT_FLOAT32, KRT_SHAPE(1), NULL));
    ASSERT_STATUS(KRT_E_INVALID,
                  krt_tensor_wrap(t->k, &x, KRT_FLOAT32, KRT_SHAPE(0), (char *)&data + 1));
    ASSERT_SAYS("data is not aligned for float32");
    assert_null(x);
}

TEST(wrapping_does_not_copy_and_copying_does_not_wrap)
{
    float data[] = {1, 2, 3};
    krt_tensor *wrapped = NULL, *copied = NULL;

    ASSERT_OK(krt_tensor_wrap(t->k, &wrapped, KRT_FLOAT32, KRT_SHAPE(3), data));
    ASSERT_OK(krt_tensor_from(t->k, &copied, KRT_FLOAT32, KRT_SHAPE(3), data));
    data[1] = 7;
    ASSERT_TRUE(((const float *)krt_tensor_data(wrapped))[1] == 7);
    ASSERT_TRUE(((const float *)krt_tensor_data(copied))[1] == 2);
    assert_null(krt_tensor_data_mut(wrapped));
}

TEST(reshaping_borrows_the_bytes)
{
    krt_tensor *x = NULL, *y = NULL;

    ASSERT_OK(krt_tensor_new(t->k, &x, KRT_INT16, KRT_SHAPE(2, 3)));
    ASSERT_OK(krt_tensor_reshape(x, &y, KRT_SHAPE(3, 1, 2)));
    ASSERT_TRUE(krt_tensor_data(x) == krt_tensor_data(y));
    ((int16_t *)krt_tensor_data_mut(y))[5] = 9;
    ASSERT_INT_EQ(9, ((const int16_t *)krt_tensor_data(x))[5]);
    ASSERT_STATUS(KRT_E_INVALID, krt_tensor_reshape(x, &y, KRT_SHAPE(4)));
    ASSERT_SAYS("cannot reshape (2, 3) into (4,)");
}

TEST(a_mapped_tensor_keeps_its_file_alive)
{
    const float data[] = {1, 2, 3, 4};
    krti_bytes *bytes = NULL;
    krt_tensor *x = NULL, *y = NULL;

    ASSERT_OK(krti_bytes_map(t->k, &bytes, put_file(t, "a", data, sizeof data)));
    ASSERT_OK(krti_tensor_map(t->k, &x, KRT_FLOAT32, KRT_SHAPE(4), bytes, bytes->data));
    krti_bytes_drop(bytes);
    ASSERT_OK(krt_tensor_reshape(x, &y, KRT_SHAPE(2, 2)));
    krt_tensor_free(x);
    assert_memory_equal(krt_tensor_data(y), data, sizeof data);
    assert_null(krt_tensor_data_mut(y));
}

/* ------------------------------------------------------------------------------- conversion */

/* Bytes agree; NaN with whatever NaN. */
static bool same(const krt_tensor *a, const krt_tensor *b)
{
    const size_t n = (size_t)krt_shape_size(a->shape), size = krt_dtype_size(a->dtype);

    if (a->dtype != b->dtype || !krt_shape_equal(a->shape, b->shape))
        return false;
    for (size_t i = 0; i < n; i++) {
        const char *p = (const char *)a->data + i * size, *q = (const char *)b->data + i * size;
        double x = 0, y = 0;

        krti_convert(&x, KRT_FLOAT64, p, a->dtype, 1);
        krti_convert(&y, KRT_FLOAT64, q, b->dtype, 1);
        if (memcmp(p, q, size) != 0 && !(isnan(x) && isnan(y)))
            return false;
    }
    return true;
}

TEST(every_conversion_is_numpy_s)
{
    krt_tensor **tensors = NULL, *cast = NULL;
    char **names = NULL, source[32];
    size_t n = 0, seen = 0;

    ASSERT_OK(krt_tensors_read(t->k, &n, &tensors, &names, KERATIN_FIXTURES "/arrays/cast.npz"));
    for (size_t i = 0; i < n; i++) {
        const char *mark = strstr(names[i], "__");

        if (mark == NULL)
            continue;
        snprintf(source, sizeof source, "%.*s", (int)(mark - names[i]), names[i]);
        for (size_t j = 0; j < n; j++) {
            if (strcmp(names[j], source) != 0)
                continue;
            ASSERT_OK(krt_tensor_cast(tensors[j], &cast, krt_dtype_from_name(mark + 2)));
            if (!same(cast, tensors[i]))
                fail_msg("%s is not what NumPy makes of it", names[i]);
            krt_tensor_free(cast);
            seen++;
        }
    }
    ASSERT_INT_EQ(48, seen);
    krt_free(t->k, tensors);
    krt_free(t->k, names);
}

TEST(any_dtype_goes_to_any_dtype_and_back)
{
    for (int from = KRT_FLOAT32; from <= KRT_BOOL; from++) {
        for (int to = KRT_FLOAT32; to <= KRT_BOOL; to++) {
            double numbers[600], found[600];
            char a[600 * 8], b[600 * 8], c[600 * 8];

            for (int i = 0; i < 600; i++)
                numbers[i] = from == KRT_BOOL || to == KRT_BOOL ? i % 2 : i % 100;
            krti_convert(a, (krt_dtype)from, numbers, KRT_FLOAT64, 600);
            krti_convert(b, (krt_dtype)to, a, (krt_dtype)from, 600);
            krti_convert(c, (krt_dtype)from, b, (krt_dtype)to, 600);
            krti_convert(found, KRT_FLOAT64, c, (krt_dtype)from, 600);
            assert_memory_equal(found, numbers, sizeof numbers);
        }
    }
}

TEST(numbers_that_fit_nowhere_do_no_harm)
{
    const double wild[] = {(double)NAN, (double)INFINITY, -(double)INFINITY, 1e300, -1e300, 3e9};
    int64_t i64[6];
    int8_t i8[6];
    uint8_t flags[6];

    krti_convert(i64, KRT_INT64, wild, KRT_FLOAT64, 6);
    krti_convert(i8, KRT_INT8, wild, KRT_FLOAT64, 6);
    krti_convert(flags, KRT_BOOL, wild, KRT_FLOAT64, 6);
    for (int i = 0; i < 5; i++) {
        ASSERT_TRUE(i64[i] == INT64_MIN);
        ASSERT_INT_EQ(0, i8[i]);
        ASSERT_INT_EQ(1, flags[i]);
    }
    ASSERT_INT_EQ(3000000000, i64[5]);
}

TEST(bfloat16_rounds_through_float32)
{
    const double numbers[] = {1, 1.00390625, 1.01171875, -3.14159, 1e40};
    uint16_t found[5];

    krti_convert(found, KRT_BFLOAT16, numbers, KRT_FLOAT64, 5);
    ASSERT_INT_EQ(0x3F80, found[0]);
    ASSERT_INT_EQ(0x3F80, found[1]);
    ASSERT_INT_EQ(0x3F82, found[2]);
    ASSERT_INT_EQ(0xC049, found[3]);
    ASSERT_INT_EQ(0x7F80, found[4]);
}

static krt_status make_some(krt_ctx *k, void *data)
{
    krt_tensor *x = NULL, *y = NULL;
    krt_status st = krt_tensor_from(k, &x, KRT_FLOAT32, KRT_SHAPE(3), data);

    if (st == KRT_OK)
        st = krt_tensor_cast(x, &y, KRT_INT8);
    if (st == KRT_OK)
        st = krt_tensor_reshape(x, &y, KRT_SHAPE(3, 1));
    return st; /* the context frees them */
}

TEST(tensors_survive_every_failing_allocation)
{
    float data[] = {1, 2, 3};

    ASSERT_TRUE(FAILING_SWEEP(make_some, data) >= 5);
}

int main(void)
{
    return RUN(UNIT(dtypes_know_their_names_and_sizes), UNIT(shapes_print_as_keras_prints_them),
               UNIT(shapes_multiply_without_overflow), UNIT(shapes_are_equal_in_every_dimension),
               UNIT(a_new_tensor_is_zeros_and_writable), UNIT(impossible_tensors_are_refused),
               UNIT(wrapping_does_not_copy_and_copying_does_not_wrap),
               UNIT(reshaping_borrows_the_bytes), UNIT(a_mapped_tensor_keeps_its_file_alive),
               UNIT(every_conversion_is_numpy_s), UNIT(any_dtype_goes_to_any_dtype_and_back),
               UNIT(numbers_that_fit_nowhere_do_no_harm), UNIT(bfloat16_rounds_through_float32),
               UNIT(tensors_survive_every_failing_allocation));
}
