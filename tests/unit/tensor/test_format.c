/* The text of arrays, against what NumPy prints (fixtures/arrays/format.*). */
#include "failing.h"

#include <keratin/tensor.h>

static char *read_text(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = calloc(1, 1 << 20);

    assert_non_null(f);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
    fclose(f);
    return text;
}

TEST(arrays_print_as_numpy_prints_them)
{
    char *expected = read_text(KERATIN_FIXTURES "/arrays/format.txt"), *p = expected;
    krt_tensor **tensors = NULL;
    char **names = NULL, heading[32];
    size_t n = 0;

    ASSERT_OK(krt_tensors_read(t->k, &n, &tensors, &names, KERATIN_FIXTURES "/arrays/format.npz"));
    ASSERT_TRUE(n > 100);
    for (size_t i = 0; i < n; i++) {
        char *found = NULL;

        ASSERT_OK(krt_tensor_format(tensors[i], &found));
        snprintf(heading, sizeof heading, "== %s\n", names[i]);
        assert_memory_equal(p, heading, strlen(heading));
        p += strlen(heading);
        char *end = strstr(p, "\n== ");
        if (end == NULL)
            end = p + strlen(p) - 1;
        *end = '\0';
        if (strcmp(found, p) != 0)
            fail_msg("%s\nexpected:\n%s\nfound:\n%s", names[i], p, found);
        p = end + 1;
        krt_free(t->k, found);
    }
    krt_free(t->k, tensors);
    krt_free(t->k, names);
    free(expected);
}

TEST(bfloat16_prints_as_the_float32_it_is)
{
    const uint16_t data[] = {0x3F80, 0x4049, 0xC000};
    krt_tensor *x = NULL;
    char *text = NULL;

    ASSERT_OK(krt_tensor_wrap(t->k, &x, KRT_BFLOAT16, KRT_SHAPE(3), data));
    ASSERT_OK(krt_tensor_format(x, &text));
    ASSERT_STR_EQ("[ 1.        3.140625 -2.      ]", text);
    krt_free(t->k, text);
}

static krt_status format_one(krt_ctx *k, void *data)
{
    krt_tensor *x = NULL;
    char *text = NULL;
    krt_status st = krt_tensor_wrap(k, &x, KRT_FLOAT32, KRT_SHAPE(6, 50), data);

    if (st == KRT_OK)
        st = krt_tensor_format(x, &text);
    krt_free(k, text);
    return st;
}

TEST(printing_survives_every_failing_allocation)
{
    float data[300];

    for (int i = 0; i < 300; i++)
        data[i] = (float)i / 7;
    ASSERT_TRUE(FAILING_SWEEP(format_one, data) >= 4);
}

int main(void)
{
    return RUN(UNIT(arrays_print_as_numpy_prints_them), UNIT(bfloat16_prints_as_the_float32_it_is),
               UNIT(printing_survives_every_failing_allocation));
}
