/* Array files into tensors and back. */
#include "failing.h"

#include "tensor/tensor.h"

#include <sys/stat.h>
#include <unistd.h>

static char *fixture(const char *name)
{
    static char path[600];

    snprintf(path, sizeof path, "%s/arrays/%s", KERATIN_FIXTURES, name);
    return path;
}

static void assert_counts_up(const krt_tensor *x)
{
    double numbers[24];

    assert_int_equal(krt_shape_size(x->shape), 24);
    krti_convert(numbers, KRT_FLOAT64, x->data, x->dtype, 24);
    for (int i = 0; i < 24; i++)
        if (numbers[i] != i)
            fail_msg("element %d is %g", i, numbers[i]);
}

TEST(every_dtype_byte_order_and_memory_order_is_read)
{
    krt_tensor **tensors = NULL;
    char **names = NULL;
    size_t n = 0;

    ASSERT_OK(krt_tensors_read(t->k, &n, &tensors, &names, fixture("order.npz")));
    ASSERT_INT_EQ(44, n);
    for (size_t i = 0; i < n; i++) {
        char dtype[16] = "";

        memcpy(dtype, names[i], strcspn(names[i], "_"));
        ASSERT_STR_EQ(dtype, krt_dtype_name(krt_tensor_dtype(tensors[i])));
        ASSERT_TRUE(krt_shape_equal(KRT_SHAPE(2, 3, 4), krt_tensor_shape(tensors[i])));
        ASSERT_INT_EQ(0,
                      (uintptr_t)krt_tensor_data(tensors[i]) % krt_dtype_size(tensors[i]->dtype));
        assert_counts_up(tensors[i]);
    }
    krt_free(t->k, tensors);
    krt_free(t->k, names);
}

TEST(compressed_members_are_read)
{
    krt_tensor **tensors = NULL;
    char **names = NULL;
    size_t n = 0;

    ASSERT_OK(krt_tensors_read(t->k, &n, &tensors, &names, fixture("packed.npz")));
    ASSERT_INT_EQ(14, n);
    for (size_t i = 0; i < 12; i++)
        assert_counts_up(tensors[i]);
    ASSERT_STR_EQ("zeros", names[12]);
    ASSERT_TRUE(krt_shape_equal(KRT_SHAPE(300, 300), krt_tensor_shape(tensors[12])));
    ASSERT_STR_EQ("flags", names[13]);
    ASSERT_INT_EQ(KRT_BOOL, krt_tensor_dtype(tensors[13]));
    assert_memory_equal(krt_tensor_data(tensors[13]), "\1\0\1", 3);
    krt_free(t->k, tensors);
    krt_free(t->k, names);
}

TEST(one_array_is_read_from_any_form)
{
    static const char *const files[] = {"v1.npy", "v2.npy", "v3.npy"};
    krt_tensor *x = NULL;

    for (size_t i = 0; i < KRTI_COUNT(files); i++) {
        ASSERT_OK(krt_tensor_read(t->k, &x, fixture(files[i])));
        ASSERT_TRUE(krt_shape_equal(KRT_SHAPE(2, 3), krt_tensor_shape(x)));
        ASSERT_TRUE(((const float *)krt_tensor_data(x))[5] == 5);
        krt_tensor_free(x);
    }
    ASSERT_OK(krt_tensor_read(t->k, &x, fixture("digits.gz")));
    ASSERT_INT_EQ(KRT_UINT8, krt_tensor_dtype(x));
    ASSERT_OK(krt_tensor_read(t->k, &x, put_file(t, "a.csv", "1,2.5\n3,4\n", 10)));
    ASSERT_INT_EQ(KRT_FLOAT64, krt_tensor_dtype(x));
    ASSERT_TRUE(((const double *)krt_tensor_data(x))[1] == 2.5);
    ASSERT_STATUS(KRT_E_FORMAT, krt_tensor_read(t->k, &x, fixture("packed.npz")));
    ASSERT_SAYS("holds 14 arrays (\"float16_little_c\", \"float16_little_f\", ...), expected one");
    assert_null(x);
}

TEST(an_array_that_lies_right_is_not_copied)
{
    krt_tensor *x = NULL;

    ASSERT_OK(krt_tensor_read(t->k, &x, fixture("v1.npy")));
    ASSERT_TRUE(x->source != NULL && !x->ours);
    assert_null(krt_tensor_data_mut(x));
}

TEST(a_bool_from_a_file_is_0_or_1)
{
    krt_tensor *flags = NULL, *x = NULL;
    const char *path = in_folder(t, "a.npy");

    ASSERT_OK(krt_tensor_from(t->k, &flags, KRT_BOOL, KRT_SHAPE(3), "\0\1\7"));
    ASSERT_OK(krt_tensor_write(flags, path));
    ASSERT_OK(krt_tensor_read(t->k, &x, path));
    assert_memory_equal(krt_tensor_data(x), "\0\1\1", 3);
}

TEST(what_is_written_is_read_back)
{
    const int64_t dims[][3] = {{2, 3, 4}, {1, 1, 1}, {0, 3, 2}};

    for (int dtype = KRT_FLOAT32; dtype <= KRT_BOOL; dtype++) {
        for (int i = 0; i < 12; i++) {
            krt_shape shape = {.rank = i % 4};
            krt_tensor *x = NULL, *y = NULL;

            memcpy(shape.dim, dims[i / 4], sizeof dims[0]);
            ASSERT_OK(krt_tensor_new(t->k, &x, (krt_dtype)dtype, shape));
            if (dtype == KRT_BFLOAT16) {
                ASSERT_STATUS(KRT_E_UNSUPPORTED, krt_tensor_write(x, in_folder(t, "a.npy")));
                ASSERT_SAYS("bfloat16 has no .npy form: cast it to float32 first");
                continue;
            }
            if (x->size_bytes > 0)
                memset(krt_tensor_data_mut(x), 1, x->size_bytes);
            ASSERT_OK(krt_tensor_write(x, in_folder(t, "a.npy")));
            ASSERT_OK(krt_tensor_read(t->k, &y, in_folder(t, "a.npy")));
            ASSERT_INT_EQ(dtype, krt_tensor_dtype(y));
            ASSERT_TRUE(krt_shape_equal(shape, krt_tensor_shape(y)));
            assert_memory_equal(krt_tensor_data(y), krt_tensor_data(x), x->size_bytes);
            krt_tensor_free(x);
            krt_tensor_free(y);
        }
    }
}

TEST(archives_are_written_and_read_back)
{
    const float data[] = {1, 2, 3, 4, 5};
    const char *const names[] = {"x", "dense/kernel", "na\xC3\xAFve", "empty"};
    krt_tensor *in[4] = {0}, **out = NULL;
    char **found = NULL;
    size_t n = 0;

    for (int i = 0; i < 3; i++)
        ASSERT_OK(
            krt_tensor_from(t->k, &in[i], KRT_FLOAT32, KRT_SHAPE(2, i < 2 ? 2 : 1), data + i));
    ASSERT_OK(krt_tensor_wrap(t->k, &in[3], KRT_INT64, KRT_SHAPE(0), NULL));
    ASSERT_OK(krt_tensors_write(t->k, 4, in, names, in_folder(t, "a.npz")));
    ASSERT_OK(krt_tensors_read(t->k, &n, &out, &found, in_folder(t, "a.npz")));
    ASSERT_INT_EQ(4, n);
    for (int i = 0; i < 4; i++) {
        ASSERT_STR_EQ(names[i], found[i]);
        ASSERT_TRUE(krt_shape_equal(in[i]->shape, out[i]->shape));
        if (in[i]->size_bytes > 0)
            assert_memory_equal(in[i]->data, out[i]->data, in[i]->size_bytes);
    }
    krt_free(t->k, out);
    krt_free(t->k, found);
    ASSERT_OK(krt_tensors_write(t->k, 0, NULL, NULL, in_folder(t, "none.npz")));
    ASSERT_OK(krt_tensors_read(t->k, &n, &out, &found, in_folder(t, "none.npz")));
    ASSERT_INT_EQ(0, n);
    krt_free(t->k, out);
    krt_free(t->k, found);
}

TEST(more_members_than_a_plain_archive_counts_are_written)
{
    enum { MANY = 70000 };
    krt_tensor *x = NULL, **tensors = calloc(MANY, sizeof *tensors), **out = NULL;
    char **names = calloc(MANY, sizeof *names), *texts = calloc(MANY, 8), **found = NULL;
    size_t n = 0;

    ASSERT_OK(krt_tensor_new(t->k, &x, KRT_UINT8, KRT_SHAPE(1)));
    for (size_t i = 0; i < MANY; i++) {
        names[i] = texts + 8 * i;
        snprintf(names[i], 8, "%zu", i);
        tensors[i] = x;
    }
    ASSERT_OK(
        krt_tensors_write(t->k, MANY, tensors, (const char *const *)names, in_folder(t, "a.npz")));
    ASSERT_OK(krt_tensors_read(t->k, &n, &out, &found, in_folder(t, "a.npz")));
    ASSERT_INT_EQ(MANY, n);
    ASSERT_STR_EQ("69999", found[MANY - 1]);
    krt_free(t->k, out);
    krt_free(t->k, found);
    free(tensors);
    free(names);
    free(texts);
}

TEST(a_list_with_a_hole_is_not_written)
{
    krt_tensor *x[2] = {0};
    const char *const names[] = {"a", "b"};

    ASSERT_OK(krt_tensor_new(t->k, &x[0], KRT_INT8, KRT_SHAPE(1)));
    ASSERT_STATUS(KRT_E_INVALID, krt_tensors_write(t->k, 2, x, names, in_folder(t, "a.npz")));
    ASSERT_SAYS("array 1 of 2 is NULL");
}

TEST(failures_name_the_file)
{
    krt_tensor *x = NULL;
    char path[600];

    snprintf(path, sizeof path, "%s", in_folder(t, "absent.npy"));
    ASSERT_STATUS(KRT_E_NOT_FOUND, krt_tensor_read(t->k, &x, path));
    ASSERT_STR_EQ(path, krt_ctx_error(t->k)->filepath);
    ASSERT_STATUS(KRT_E_FORMAT,
                  krt_tensor_read(t->k, &x, put_file(t, "a.png", "\x89PNG\r\n\x1a\n", 8)));
    ASSERT_SAYS("is a PNG image, expected .npy, .npz, IDX or CSV");
    ASSERT_STATUS(KRT_E_FORMAT, krt_tensor_read(t->k, &x, t->folder));
    ASSERT_SAYS("is a directory");
    ASSERT_OK(krt_tensor_new(t->k, &x, KRT_INT8, KRT_SHAPE(1)));
    snprintf(path, sizeof path, "%s", in_folder(t, "absent/a.npy"));
    ASSERT_STATUS(KRT_E_NOT_FOUND, krt_tensor_write(x, path));
    ASSERT_STR_EQ(path, krt_ctx_error(t->k)->filepath);
    ASSERT_SAYS("cannot save here: there is no directory");
}

static krt_status read_all(krt_ctx *k, void *path)
{
    krt_tensor **tensors = NULL;
    char **names = NULL;
    size_t n = 0;
    krt_status st = krt_tensors_read(k, &n, &tensors, &names, fixture("packed.npz"));

    if (st == KRT_OK)
        st = krt_tensors_write(k, n, tensors, (const char *const *)names, path);
    if (st == KRT_OK)
        st = krt_tensor_write(tensors[0], path);
    krt_free(k, tensors);
    krt_free(k, names);
    return st;
}

TEST(array_files_survive_every_failing_allocation)
{
    char path[600];

    snprintf(path, sizeof path, "%s", in_folder(t, "a.npz"));
    ASSERT_TRUE(FAILING_SWEEP(read_all, path) >= 60);
    ASSERT_INT_EQ(0, access(path, R_OK));
}

/* What NumPy wrote: np.array([["naïve", ""], ["", "b"]], order="F"), big-endian, and bytes. */
TEST(strings_of_numpy_are_read)
{
    static const char header[] = "\x93NUMPY\x01\x00\x76\x00"
                                 "{'descr': '>U2', 'fortran_order': True, 'shape': (2, 2), }"
                                 "                                                           \n";
    static const char elements[] = "\0\0\0n\0\0\0\xEF"
                                   "\0\0\0\0\0\0\0\0"
                                   "\0\0\0\0\0\0\0\0"
                                   "\0\1\xF6\0\0\0\0b";
    char file[sizeof header + sizeof elements];
    krt_tensor *x = NULL;
    char *text = NULL;

    memcpy(file, header, sizeof header - 1);
    memcpy(file + sizeof header - 1, elements, sizeof elements - 1);
    const size_t size = sizeof header + sizeof elements - 2;
    ASSERT_OK(krt_tensor_read(t->k, &x, put_file(t, "x.npy", file, size)));
    ASSERT_OK(krt_tensor_format(x, &text));
    ASSERT_STR_EQ("[['n\xC3\xAF' '']\n ['' '\xF0\x9F\x98\x80"
                  "b']]",
                  text);
    krt_free(t->k, text);
    krt_tensor_free(x);
    file[size - 8 + 2] = (char)0xD8; /* half a surrogate pair */
    file[size - 8 + 1] = 0;
    ASSERT_STATUS(KRT_E_CORRUPT, krt_tensor_read(t->k, &x, put_file(t, "x.npy", file, size)));
    ASSERT_SAYS("string 3 holds what is no Unicode character");
}

TEST(arrays_of_texts_are_written_as_numpys)
{
    krt_tensor *x = NULL, *y = NULL;
    char *text = NULL;

    ASSERT_OK(krt_tensor_texts(t->k, &x, KRT_SHAPE(2, 2),
                               (const char *[]){"na\xC3\xAFve", "", NULL, "\xF0\x9F\x98\x80"}));
    ASSERT_OK(krt_tensor_write(x, in_folder(t, "x.npy")));
    ASSERT_OK(krt_tensor_read(t->k, &y, in_folder(t, "x.npy")));
    ASSERT_OK(krt_tensor_format(y, &text));
    ASSERT_STR_EQ("[['na\xC3\xAFve' '']\n ['' '\xF0\x9F\x98\x80']]", text);
    krt_free(t->k, text);
    krt_tensor_free(x);
    krt_tensor_free(y);
    ASSERT_OK(krt_tensor_texts(t->k, &x, KRT_SHAPE(1), (const char *[]){"\xFF"}));
    ASSERT_STATUS(KRT_E_UNSUPPORTED, krt_tensor_write(x, in_folder(t, "x.npy")));
    ASSERT_SAYS("string 0 is no UTF-8");
    krt_tensor_free(x);
}

TEST(lines_of_a_file_are_texts)
{
    static const char text[] = "one\r\n\nthree and more";
    const char *path = put_file(t, "x.txt", text, sizeof text - 1);
    krt_tensor *x = NULL;

    ASSERT_OK(krt_tensor_read_lines(t->k, &x, path));
    ASSERT_INT_EQ(3, krt_tensor_shape(x).dim[0]);
    const krt_string *lines = krt_tensor_data(x);
    ASSERT_INT_EQ(3, lines[0].size);
    ASSERT_INT_EQ(0, lines[1].size);
    assert_memory_equal("three and more", lines[2].data, lines[2].size);
    krt_tensor_free(x);
}

int main(void)
{
    return RUN(UNIT(every_dtype_byte_order_and_memory_order_is_read),
               UNIT(compressed_members_are_read), UNIT(one_array_is_read_from_any_form),
               UNIT(an_array_that_lies_right_is_not_copied), UNIT(a_bool_from_a_file_is_0_or_1),
               UNIT(what_is_written_is_read_back), UNIT(archives_are_written_and_read_back),
               UNIT(more_members_than_a_plain_archive_counts_are_written),
               UNIT(a_list_with_a_hole_is_not_written), UNIT(failures_name_the_file),
               UNIT(strings_of_numpy_are_read), UNIT(arrays_of_texts_are_written_as_numpys),
               UNIT(lines_of_a_file_are_texts), UNIT(array_files_survive_every_failing_allocation));
}
