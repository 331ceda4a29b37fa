/* Array files: .npy, .npz, IDX, CSV; what they hold, and what is refused in which words. */
#include "failing.h"

#include "formats/content.h"
#include "formats/npy.h"
#include "formats/zip.h"

#include <math.h>

/* Reads `size` bytes as an array file; the bytes are copied to their exact size, so that a reader
 * that goes too far is noticed. */
static krt_status read(krt_ctx *k, krti_ndarrays *out, const void *data, size_t size)
{
    krti_bytes *bytes = NULL;
    void *exact = krti_alloc(k, size);
    krt_status st = exact != NULL ? KRT_OK : KRT_E_NOMEM;

    *out = (krti_ndarrays){0};
    if (st != KRT_OK)
        return st;
    if (size > 0)
        memcpy(exact, data, size);
    st = krti_bytes_take(k, &bytes, exact, size);
    if (st == KRT_OK)
        st = krti_ndarrays_read(k, out, bytes);
    krti_bytes_drop(bytes);
    return st;
}

static void assert_refused(testing *t, const void *data, size_t size, krt_status expected,
                           const char *message)
{
    krti_ndarrays a;
    const krt_status st = read(t->k, &a, data, size);

    if (st != expected || strstr(krt_ctx_error(t->k)->message, message) == NULL)
        fail_msg("expected %s \"%s\", found %s \"%s\"", krt_status_name(expected), message,
                 krt_status_name(st), krt_ctx_error(t->k)->message);
    assert_int_equal(a.n, 0);
}

/* ------------------------------------------------------------------------------- .npy */

/* A version 1.0 file with this header text and `size` bytes behind it. */
static krti_str npy(krt_ctx *k, const char *header, size_t size)
{
    krti_str s = KRTI_STR_INIT(k);
    const size_t n = strlen(header);
    const char prefix[] = {(char)0x93,       'N',           'U', 'M', 'P', 'Y', 1, 0,
                           (char)(n & 0xFF), (char)(n >> 8)};

    krti_str_add_n(&s, prefix, sizeof prefix);
    krti_str_add(&s, header);
    krti_str_fill(&s, 'd', size);
    return s;
}

TEST(headers_of_every_spelling_are_read)
{
    static const struct {
        const char *header;
        size_t size;
        krti_array_kind kind;
        int item_size;
        bool big_endian, fortran_order;
        int rank;
        int64_t dim[3];
    } cases[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }  \n",
         24,
         KRTI_ARRAY_FLOAT,
         4,
         false,
         false,
         2,
         {2, 3}},
        {"{\"shape\":(3,),\"descr\":\">i2\",\"fortran_order\":True}",
         6,
         KRTI_ARRAY_INT,
         2,
         true,
         true,
         1,
         {3}},
        {"{'descr': '|b1', 'fortran_order': False, 'shape': ()}",
         1,
         KRTI_ARRAY_BOOL,
         1,
         false,
         false,
         0,
         {0}},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (0, 5, 2)}",
         0,
         KRTI_ARRAY_UINT,
         1,
         false,
         false,
         3,
         {0, 5, 2}},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (2L, 1L)}",
         16,
         KRTI_ARRAY_FLOAT,
         8,
         false,
         false,
         2,
         {2, 1}},
        {"{'descr': '<f2', 'fortran_order': False, 'shape': (2, 1, )}",
         4,
         KRTI_ARRAY_FLOAT,
         2,
         false,
         false,
         2,
         {2, 1}},
    };

    for (size_t i = 0; i < KRTI_COUNT(cases); i++) {
        krti_str s = npy(t->k, cases[i].header, cases[i].size);
        krti_ndarrays a;

        ASSERT_OK(read(t->k, &a, s.ptr, s.length));
        ASSERT_INT_EQ(1, a.n);
        ASSERT_INT_EQ(cases[i].kind, a.items[0].kind);
        ASSERT_INT_EQ(cases[i].item_size, a.items[0].item_size);
        ASSERT_INT_EQ(cases[i].big_endian, a.items[0].big_endian);
        ASSERT_INT_EQ(cases[i].fortran_order, a.items[0].fortran_order);
        ASSERT_INT_EQ(cases[i].rank, a.items[0].rank);
        ASSERT_INT_EQ(cases[i].size, a.items[0].size_bytes);
        assert_memory_equal(a.items[0].dim, cases[i].dim, sizeof(int64_t) * (size_t)cases[i].rank);
        assert_null(a.items[0].name);
        krti_ndarrays_free(t->k, &a);
        krti_str_free(&s);
    }
}

TEST(headers_that_are_wrong_are_refused_with_the_reason)
{
#define HEAD "{'descr': '<f4', 'fortran_order': False, 'shape': "
    static const struct {
        const char *header;
        size_t size;
        krt_status status;
        const char *message;
    } cases[] = {
        {"", 0, KRT_E_CORRUPT, ".npy file is cut short: 10 bytes"},
        {"      ", 0, KRT_E_CORRUPT, ".npy header: '{' expected at character 6"},
        {"{}", 4, KRT_E_CORRUPT, "descr, fortran_order and shape expected"},
        {HEAD "(2,)} x", 8, KRT_E_CORRUPT, ".npy header: the end expected at character 56"},
        {HEAD "(2,)", 8, KRT_E_CORRUPT, "expected at character 54"},
        {HEAD "(2 3)}", 8, KRT_E_CORRUPT, "',' expected"},
        {HEAD "(2)}", 8, KRT_E_CORRUPT, "',' expected"},
        {HEAD "[2]}", 8, KRT_E_CORRUPT, "'(' expected"},
        {HEAD "(-2,)}", 8, KRT_E_CORRUPT, "a dimension expected"},
        {HEAD "(2.0,)}", 8, KRT_E_CORRUPT, "',' expected"},
        {HEAD "(99999999999999999999,)}", 8, KRT_E_CORRUPT, "a dimension expected"},
        {HEAD "(2,), 'shape': (2,)}", 8, KRT_E_CORRUPT, "once each, were expected"},
        {HEAD "(2,), 'more': (2,)}", 8, KRT_E_CORRUPT, "once each, were expected"},
        {HEAD "(1,1,1,1,1,1,1,1,1)}", 4, KRT_E_UNSUPPORTED, "array has more than 8 dimensions"},
        {HEAD "__import__('os')}", 4, KRT_E_CORRUPT, "'(' expected"},
        {HEAD "(2,)}", 7, KRT_E_CORRUPT,
         "array of shape (2,) with elements of 4 bytes does not take the 7 bytes"},
        {HEAD "(2,)}", 9, KRT_E_CORRUPT, "does not take the 9 bytes"},
        {HEAD "(9223372036854775807,)}", 8, KRT_E_CORRUPT, "does not take the 8 bytes"},
        {HEAD "(4294967296, 4294967296)}", 0, KRT_E_CORRUPT, "does not take the 0 bytes"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': ()}", 8, KRT_E_UNSUPPORTED,
         "array holds Python objects (dtype '|O'), whose pickles are never executed here"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}", 4, KRT_E_UNSUPPORTED,
         "array holds structures"},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': ()}", 8, KRT_E_UNSUPPORTED,
         "array has the dtype '<c8', expected bool, integers or floats"},
        {"{'descr': '<V2', 'fortran_order': False, 'shape': ()}", 2, KRT_E_UNSUPPORTED,
         "(NumPy writes bfloat16 so)"},
        {"{'descr': '<f16', 'fortran_order': False, 'shape': ()}", 16, KRT_E_UNSUPPORTED,
         "array has the dtype '<f16'"},
        {"{'descr': 'f4', 'fortran_order': False, 'shape': ()}", 4, KRT_E_UNSUPPORTED,
         "array has the dtype 'f4'"},
        {"{'descr': '<b1', 'fortran_order': 0, 'shape': ()}", 1, KRT_E_CORRUPT,
         "True or False expected"},
        {"{'descr': '<fffffffffffffffffffffffffffffffffffff4', 'fortran_order': 0}", 1,
         KRT_E_CORRUPT, "the end of a short string expected"},
    };
#undef HEAD

    for (size_t i = 0; i < KRTI_COUNT(cases); i++) {
        krti_str s = npy(t->k, cases[i].header, cases[i].size);

        assert_refused(t, s.ptr, s.length, cases[i].status, cases[i].message);
        krti_str_free(&s);
    }
}

TEST(header_lengths_and_versions_are_checked)
{
    assert_refused(t, "\x93NUMPY\1\0\xFF\xFF{", 11, KRT_E_CORRUPT, "cut short");
    assert_refused(t, "\x93NUMPY\2\0\xFF\xFF\xFF\xFF{", 13, KRT_E_CORRUPT, "cut short");
    assert_refused(t, "\x93NUMPY\4\0\1\0\0\0{", 13, KRT_E_UNSUPPORTED, ".npy version 4.0");
    assert_refused(t, "\x93NUMPY", 6, KRT_E_CORRUPT, "cut short");
    char *large = calloc(1, 30000);
    memcpy(large, "\x93NUMPY\2\0\x20\x4E\0\0", 12);
    assert_refused(t, large, 30000, KRT_E_UNSUPPORTED, ".npy header of 20000 bytes, at most 10000");
    free(large);
}

TEST(written_headers_are_numpy_s_byte_for_byte)
{
    static const char expected[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
    const int64_t dim[] = {2, 3};
    krti_str s = KRTI_STR_INIT(t->k);
    krti_bytes *b = NULL;

    ASSERT_OK(krti_npy_header(&s, KRTI_ARRAY_FLOAT, 4, 2, dim));
    ASSERT_INT_EQ(128, s.length);
    assert_memory_equal(s.ptr + 10, expected, sizeof expected - 1);
    ASSERT_OK(krti_bytes_map(t->k, &b, KERATIN_FIXTURES "/arrays/v1.npy"));
    assert_memory_equal(b->data, s.ptr, 128);
    krti_bytes_drop(b);
    krti_str_free(&s);
}

/* ------------------------------------------------------------------------------- .npz */

static krt_status read_fixture(krt_ctx *k, krti_ndarrays *out, const char *name)
{
    char path[600];
    krti_bytes *bytes = NULL;

    snprintf(path, sizeof path, "%s/arrays/%s", KERATIN_FIXTURES, name);
    krt_status st = krti_bytes_map(k, &bytes, path);
    if (st == KRT_OK)
        st = krti_ndarrays_read(k, out, bytes);
    krti_bytes_drop(bytes);
    return st;
}

TEST(archives_that_hold_no_arrays_are_named)
{
    krti_ndarrays a;

    ASSERT_STATUS(KRT_E_FORMAT, read_fixture(t->k, &a, "deflated.zip"));
    ASSERT_SAYS("is a zip archive (member \"a/words.txt\"), expected arrays in .npy members");
    ASSERT_STATUS(KRT_E_FORMAT, read_fixture(t->k, &a, "torch.zip"));
    ASSERT_SAYS("is a PyTorch file (member \"archive/data.pkl\")");
    ASSERT_STATUS(KRT_E_FORMAT, read_fixture(t->k, &a, "keras.zip"));
    ASSERT_SAYS("is a Keras model archive (member \"config.json\")");
    ASSERT_STR_EQ(KERATIN_FIXTURES "/arrays/keras.zip", krt_ctx_error(t->k)->filepath);
}

TEST(members_are_read_by_name_and_checked)
{
    const int64_t dim[] = {3};
    const krti_npz_member m[] = {{.name = "x",
                                  .kind = KRTI_ARRAY_UINT,
                                  .item_size = 1,
                                  .rank = 1,
                                  .dim = dim,
                                  .size_bytes = 3,
                                  .data = "abc"},
                                 {.name = "layers/dense/kernel:0",
                                  .kind = KRTI_ARRAY_UINT,
                                  .item_size = 1,
                                  .rank = 1,
                                  .dim = dim,
                                  .size_bytes = 3,
                                  .data = "def"}};
    krti_ndarrays a;
    krti_bytes *b = NULL;

    ASSERT_OK(krti_npz_write(t->k, in_folder(t, "a.npz"), m, 2, true));
    ASSERT_OK(krti_bytes_map(t->k, &b, in_folder(t, "a.npz")));
    ASSERT_OK(krti_ndarrays_read(t->k, &a, b));
    ASSERT_INT_EQ(2, a.n);
    ASSERT_STR_EQ("x", a.items[0].name);
    ASSERT_STR_EQ("layers/dense/kernel:0", a.items[1].name);
    assert_memory_equal(a.items[1].data, "def", 3);
    krti_ndarrays_free(t->k, &a);
    char *spoilt = malloc(b->size);
    memcpy(spoilt, b->data, b->size);
    for (size_t i = 0; i + 3 < b->size; i++)
        if (memcmp(spoilt + i, "def", 3) == 0)
            spoilt[i] = 'D';
    assert_refused(t, spoilt, b->size, KRT_E_CORRUPT, "its CRC-32 is wrong");
    ASSERT_STR_EQ("layers/dense/kernel:0.npy", krt_ctx_error(t->k)->object);
    free(spoilt);
    krti_bytes_drop(b);
}

TEST(names_no_archive_may_hold_are_not_written)
{
    static const char *const bad[] = {"../x", "/x", "a\\b", ""};

    for (size_t i = 0; i < KRTI_COUNT(bad); i++) {
        const krti_npz_member m = {.name = bad[i], .kind = KRTI_ARRAY_INT, .item_size = 1};

        ASSERT_STATUS(KRT_E_INVALID, krti_npz_write(t->k, in_folder(t, "a.npz"), &m, 1, true));
    }
    const krti_npz_member twice[] = {{.name = "x", .kind = KRTI_ARRAY_INT, .item_size = 1},
                                     {.name = "x", .kind = KRTI_ARRAY_INT, .item_size = 1}};
    ASSERT_STATUS(KRT_E_INVALID, krti_npz_write(t->k, in_folder(t, "a.npz"), twice, 2, true));
    ASSERT_SAYS("array \"x\" occurs twice");
    ASSERT_INT_EQ(KRTI_PATH_NONE, krti_path_kind_of(in_folder(t, "a.npz")));
}

/* ------------------------------------------------------------------------------- IDX, gzip */

TEST(idx_files_are_read_big_endian)
{
    const unsigned char file[] = {0, 0, 0x0B, 2, 0, 0, 0, 2, 0, 0, 0, 1, 1, 2, 3, 4};
    krti_ndarrays a;

    ASSERT_OK(read(t->k, &a, file, sizeof file));
    ASSERT_INT_EQ(2, a.items[0].rank);
    ASSERT_INT_EQ(2, a.items[0].item_size);
    ASSERT_TRUE(a.items[0].big_endian);
    assert_memory_equal(a.items[0].data, "\1\2\3\4", 4);
    krti_ndarrays_free(t->k, &a);
    ASSERT_OK(read_fixture(t->k, &a, "digits.gz"));
    ASSERT_INT_EQ(3, a.items[0].rank);
    ASSERT_INT_EQ(60, a.items[0].size_bytes);
    for (size_t i = 0; i < 60; i++)
        ASSERT_INT_EQ(i * 4 % 251, ((const unsigned char *)a.items[0].data)[i]);
    krti_ndarrays_free(t->k, &a);
}

TEST(idx_files_of_another_size_are_refused)
{
    assert_refused(t, "\0\0\10\1\0\0\0\3ab", 10, KRT_E_CORRUPT,
                   "IDX array of shape (3,) with elements of 1 bytes does not take the 2 bytes");
    assert_refused(t, "\0\0\10\1\0\0\0\3abcd", 12, KRT_E_CORRUPT, "does not take the 4 bytes");
    assert_refused(t, "\0\0\10\3\0\0", 6, KRT_E_CORRUPT, "IDX file is cut short: 6 bytes");
    assert_refused(t, "\0\0\10\11\0\0", 6, KRT_E_UNSUPPORTED, "IDX array has 9 dimensions");
    assert_refused(t, "\0\0\10\2\377\377\377\377\377\377\377\377", 12, KRT_E_CORRUPT,
                   "IDX array of shape (4294967295, 4294967295)");
}

TEST(gzip_files_that_lie_about_their_size_are_refused)
{
    krti_bytes *b = NULL;
    unsigned char copy[256];

    ASSERT_OK(krti_bytes_map(t->k, &b, KERATIN_FIXTURES "/arrays/digits.gz"));
    const size_t n = b->size;
    memcpy(copy, b->data, n);
    krti_bytes_drop(b);
    for (size_t cut = 2; cut < n; cut++)
        assert_refused(t, copy, cut, KRT_E_CORRUPT, "gzip file is damaged");
    copy[n - 1] = 0x7F; /* two gigabytes */
    assert_refused(t, copy, n, KRT_E_CORRUPT, "95 bytes promise to inflate to 2130706508");
    copy[n - 1] = 0;
    copy[n - 4]--;
    assert_refused(t, copy, n, KRT_E_CORRUPT, "gzip file is damaged");
    copy[n - 4] += 2;
    assert_refused(t, copy, n, KRT_E_CORRUPT, "gzip file is damaged");
}

/* ------------------------------------------------------------------------------- CSV */

static void assert_table(testing *t, const char *text, int64_t rows, int64_t columns,
                         krti_array_kind kind, const double *expected)
{
    krti_ndarrays a;

    ASSERT_OK(read(t->k, &a, text, strlen(text)));
    ASSERT_INT_EQ(rows, a.items[0].dim[0]);
    ASSERT_INT_EQ(columns, a.items[0].dim[1]);
    ASSERT_INT_EQ(kind, a.items[0].kind);
    for (int64_t i = 0; i < rows * columns; i++) {
        const double found = kind == KRTI_ARRAY_INT ? (double)((const int64_t *)a.items[0].data)[i]
                                                    : ((const double *)a.items[0].data)[i];

        if (found != expected[i] && !(isnan(found) && isnan(expected[i])))
            fail_msg("%s: element %d is %g, expected %g", text, (int)i, found, expected[i]);
    }
    krti_ndarrays_free(t->k, &a);
}

TEST(tables_are_read_whatever_separates_them)
{
    const double six[] = {1, 2, 3, 4, 5, 6}, reals[] = {1.5, -2e-3, 3, 4, 5, 6};
    const double odd[] = {(double)NAN, -(double)INFINITY, (double)INFINITY, 0.5};

    assert_table(t, "1,2,3\n4,5,6\n", 2, 3, KRTI_ARRAY_INT, six);
    assert_table(t, "1;2;3\r\n4;5;6", 2, 3, KRTI_ARRAY_INT, six);
    assert_table(t, "1\t2\t3\n4\t5\t6\n\n", 2, 3, KRTI_ARRAY_INT, six);
    assert_table(t, "\xEF\xBB\xBF# by somebody\na, b ,\"c\"\n 1, 2 ,3\n\n+4,5,06\n", 2, 3,
                 KRTI_ARRAY_INT, six);
    assert_table(t, "1.5,-2e-3,3\n4,5,6", 2, 3, KRTI_ARRAY_FLOAT, reals);
    assert_table(t, "1\n2\n3\n", 3, 1, KRTI_ARRAY_INT, six);
    assert_table(t, "1,2,3", 1, 3, KRTI_ARRAY_INT, six);
    assert_table(t, "nan,-inf\nInfinity,.5\n", 2, 2, KRTI_ARRAY_FLOAT, odd);
}

TEST(large_integers_in_a_table_stay_exact)
{
    const char *text = "9007199254740993,-9223372036854775808\n";
    krti_ndarrays a;

    ASSERT_OK(read(t->k, &a, text, strlen(text)));
    const int64_t *data = a.items[0].data;
    ASSERT_TRUE(data[0] == 9007199254740993 && data[1] == INT64_MIN);
    krti_ndarrays_free(t->k, &a);
}

TEST(tables_with_holes_are_refused_by_line)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"1,2\n3,4,5\n", "CSV line 2 has 3 fields, the rows before have 2"},
        {"1,2\n\n# c\n3\n", "CSV line 4 has 1 fields, the rows before have 2"},
        {"1,2\n3,\n", "CSV line 2: field 2 is empty"},
        {"1,,2\n", "CSV line 1: field 2 is empty"},
        {"a,b\n1,x y\n", "CSV line 2: field 2 is \"x y\", expected a number"},
        {"a,b\nc,d\n", "CSV line 2: field 1 is \"c\", expected a number"},
        {"1 2 3\n4 5 6\n", "CSV line 2: field 1 is \"4 5 6\", expected a number"},
        {"1.5;2,5\n", "CSV line 1: field 2 is \"2,5\", expected a number"},
        {"1,\"2\"\n", "CSV line 1: field 2 is \"\"2\"\", expected a number"},
        {"1,abcdefghijklmnopqrstuvwxyz\n", "field 2 is \"abcdefghijklmnopqrstuvwx...\""},
        {"just words", "is text without a row of numbers"},
        {"# only\n\n", "is text without a row of numbers"},
    };

    for (size_t i = 0; i < KRTI_COUNT(cases); i++)
        assert_refused(t, cases[i].text, strlen(cases[i].text), KRT_E_FORMAT, cases[i].message);
}

/* ------------------------------------------------------------------------------- other files */

TEST(anything_else_is_named)
{
    static const struct {
        const char *data;
        size_t size;
        const char *message;
    } cases[] = {
        {"", 0, "is empty, expected .npy, .npz, IDX or CSV"},
        {"\x89PNG\r\n\x1a\n....", 12, "is a PNG image"},
        {"\xFF\xD8\xFF\xE0", 4, "is a JPEG image"},
        {"\x89HDF\r\n\x1a\n", 8, "is an HDF5 file"},
        {"<!DOCTYPE html><html>", 21, "is an HTML page, perhaps of a failed download"},
        {"\n <HTML>", 8, "is an HTML page"},
        {"{\"a\": 1}", 8, "is JSON text"},
        {"<?xml version=\"1.0\"?>", 21, "is an XML file"},
        {"version https://git-lfs.github.com/spec/v1\n", 43, "is a Git LFS pointer"},
        {"\x80\4\x95....", 7, "is a Python pickle, which is never executed here"},
        {"\x08\x07\x12\x07pytorch", 11, "is an ONNX model"},
        {"\x1c\0\0\0TFL3", 8, "is a TensorFlow Lite model"},
        {"\0\0\0\0\0\0", 6, "is of no known kind"},
        {"BZh91AY", 7, "is bzip2-compressed"},
    };

    for (size_t i = 0; i < KRTI_COUNT(cases); i++)
        assert_refused(t, cases[i].data, cases[i].size, KRT_E_FORMAT, cases[i].message);
}

TEST(no_array_file_cut_short_is_read)
{
    static const char *const files[] = {"v1.npy", "v2.npy", "v3.npy", "digits.gz", "pipe.zip"};

    for (size_t i = 0; i < KRTI_COUNT(files); i++) {
        krti_bytes *b = NULL;
        krti_ndarrays a;
        char path[600];

        snprintf(path, sizeof path, "%s/arrays/%s", KERATIN_FIXTURES, files[i]);
        ASSERT_OK(krti_bytes_map(t->k, &b, path));
        for (size_t n = 0; n < b->size; n++)
            if (read(t->k, &a, b->data, n) == KRT_OK)
                fail_msg("%zu of %zu bytes of %s were read", n, b->size, files[i]);
        krti_bytes_drop(b);
    }
}

static krt_status read_some(krt_ctx *k, void *unused)
{
    static const char *const files[] = {"v2.npy", "packed.npz", "digits.gz"};
    krti_ndarrays a;
    krt_status st = read(k, &a, "a,b\n1,2\n", 8);

    (void)unused;
    krti_ndarrays_free(k, &a);
    for (size_t i = 0; i < KRTI_COUNT(files) && st == KRT_OK; i++) {
        st = read_fixture(k, &a, files[i]);
        krti_ndarrays_free(k, &a);
    }
    return st;
}

TEST(array_files_survive_every_failing_allocation)
{
    ASSERT_TRUE(FAILING_SWEEP(read_some, NULL) >= 30);
}

int main(void)
{
    return RUN(
        UNIT(headers_of_every_spelling_are_read),
        UNIT(headers_that_are_wrong_are_refused_with_the_reason),
        UNIT(header_lengths_and_versions_are_checked),
        UNIT(written_headers_are_numpy_s_byte_for_byte),
        UNIT(archives_that_hold_no_arrays_are_named), UNIT(members_are_read_by_name_and_checked),
        UNIT(names_no_archive_may_hold_are_not_written), UNIT(idx_files_are_read_big_endian),
        UNIT(idx_files_of_another_size_are_refused),
        UNIT(gzip_files_that_lie_about_their_size_are_refused),
        UNIT(tables_are_read_whatever_separates_them), UNIT(large_integers_in_a_table_stay_exact),
        UNIT(tables_with_holes_are_refused_by_line), UNIT(anything_else_is_named),
        UNIT(no_array_file_cut_short_is_read), UNIT(array_files_survive_every_failing_allocation));
}
