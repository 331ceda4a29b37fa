/* saving/store.c: arrays of every encoding read as what they mean, and names in natural order. */
#include "unit/saving/answers.h"

#include "saving/store.h"

static float as_is(float x)
{
    return x;
}

static float truncated(float x)
{
    return truncf(x);
}

static float magnitude(float x)
{
    return truncf(fabsf(x));
}

static float is_true(float x)
{
    return x != 0 ? 1.0F : 0.0F;
}

/* saving/dense_NAME.weights.h5: the numbers of dense.npz (eighths below 7, exact in 16 bits). */
static const struct {
    const char *name;
    float (*means)(float x);
    krt_dtype dtype;
} encodings[] = {
    {"plain", as_is, KRT_FLOAT32},
    {"float64", as_is, KRT_FLOAT64},
    {"float16", as_is, KRT_FLOAT16},
    {"bfloat16", as_is, KRT_BFLOAT16},
    {"bfloat16_unmarked", as_is, KRT_BFLOAT16},
    {"big_endian", as_is, KRT_FLOAT32},
    {"big_endian_float64", as_is, KRT_FLOAT64},
    {"filtered", as_is, KRT_FLOAT32},
    {"user_block", as_is, KRT_FLOAT32},
    {"latest", as_is, KRT_FLOAT32},
    {"int16", truncated, KRT_INT16},
    {"uint8", magnitude, KRT_UINT8},
    {"bool", is_true, KRT_BOOL},
};

static void check_values(const krt_variable *v, const krt_tensor *plain, float (*means)(float x))
{
    const float *expected = krt_tensor_data(plain), *found = krt_variable_data(v);

    for (int64_t i = 0; i < krt_shape_size(krt_tensor_shape(plain)); i++)
        if (found[i] != means(expected[i]))
            fail_msg("element %lld: expected %g, found %g", (long long)i,
                     (double)means(expected[i]), (double)found[i]);
}

TEST(every_encoding_gives_its_numbers)
{
    answers a = {0};

    ASSERT_OK(krt_tensors_read(t->k, &a.n, &a.tensors, &a.names, fixture("saving/dense.npz")));
    for (size_t i = 0; i < KRTI_COUNT(encodings); i++) {
        char name[128];
        krt_model *m = NULL;
        krt_file *f = NULL;

        snprintf(name, sizeof name, "saving/dense_%s.weights.h5", encodings[i].name);
        ASSERT_OK(
            krt_load(t->k, &m, fixture("saving/dense.json"), KRT_LOAD(.weights = fixture(name))));
        krt_layer *dense = krt_get_layer(m, "dense");
        check_values(krt_layer_weight(dense, 0), answer(&a, "kernel"), encodings[i].means);
        check_values(krt_layer_weight(dense, 1), answer(&a, "bias"), encodings[i].means);
        ASSERT_OK(krt_file_open(t->k, &f, fixture(name)));
        ASSERT_INT_EQ(encodings[i].dtype, krt_file_array_at(f, 0)->dtype);
        krt_file_close(f);
    }
    close_answers(t, &a);
}

/* Inside an archive the arrays lie where the archive's names and texts end: at any address. */
TEST(arrays_at_odd_addresses_are_copied)
{
    size_t size = 0;
    unsigned char *data = read_all(fixture("saving/dense_plain.weights.h5"), &size);

    for (size_t shift = 0; shift < 8; shift++) {
        unsigned char *moved = malloc(size + 8);
        krt_model *m = NULL;

        memcpy(moved + shift, data, size);
        ASSERT_OK(krt_load_memory(t->k, &m, moved + shift, size,
                                  KRT_LOAD(.config = fixture("saving/dense.json"))));
        const unsigned char *p = krt_variable_data(krt_layer_weight(krt_get_layer(m, "dense"), 0));
        ASSERT_INT_EQ(0, (uintptr_t)p % sizeof(float));
        assert_true((shift % 4 == 0) == (p > moved && p < moved + size + 8));
        krt_model_free(m);
        free(moved);
    }
    free(data);
}

TEST(numbers_in_names_compare_as_numbers)
{
    static const char *const ordered[] = {"",          "0",         "1",         "2",
                                          "10",        "conv2d",    "conv2d_1",  "conv2d_2",
                                          "conv2d_10", "conv10d_1", "dense/a_9", "dense/a_10"};

    for (size_t i = 0; i < KRTI_COUNT(ordered); i++)
        for (size_t j = 0; j < KRTI_COUNT(ordered); j++) {
            const int order = krti_natural_compare(ordered[i], ordered[j]);

            ASSERT_INT_EQ((i > j) - (i < j), (order > 0) - (order < 0));
        }
    ASSERT_INT_EQ(0, krti_natural_compare("a007", "a7"));
}

TEST(a_list_that_outgrows_its_file_is_refused)
{
    krti_store *s = NULL;
    krt_status st = KRT_OK;

    ASSERT_OK(krti_store_new(t->k, &s));
    for (int i = 0; st == KRT_OK && i < 100000000; i++)
        st = krti_store_spend(s, 1000);
    ASSERT_INT_EQ(KRT_E_UNSAFE, st);
    ASSERT_SAYS("Not allowed: H5 file that lists more objects than it can hold");
    krti_store_free(s);
}

int main(void)
{
    return RUN(UNIT(every_encoding_gives_its_numbers), UNIT(arrays_at_odd_addresses_are_copied),
               UNIT(numbers_in_names_compare_as_numbers),
               UNIT(a_list_that_outgrows_its_file_is_refused));
}
