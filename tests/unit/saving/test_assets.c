/* saving/assets.c: vocabularies beside the weights, back and forth, and files whose are damaged. */
#include "unit/saving/answers.h"

#include "models/model.h"

#include <sys/stat.h>

static const char WORDS[] = "assets/layers/string_lookup/vocabulary.txt";

static const char *text_fixture(const char *name, const char *suffix)
{
    char path[200];

    snprintf(path, sizeof path, "layers/text/%s%s", name, suffix);
    return fixture(path);
}

/* A model saved as a directory, whose files can be read and written one by one. */
static const char *as_directory(testing *t, const char *name)
{
    const char *path = in_folder(t, "m");
    krt_model *m = NULL;

    ASSERT_OK(krt_load(t->k, &m, text_fixture(name, ".keras"), NULL));
    ASSERT_OK(krt_save(m, path, KRT_SAVE(.zipped = false)));
    krt_model_free(m);
    return in_folder(t, "m");
}

static void put_words(testing *t, const char *text, size_t size)
{
    char path[400];

    snprintf(path, sizeof path, "m/%s", WORDS);
    put_file(t, path, text, size);
}

TEST(vocabularies_come_back_bit_for_bit)
{
    static const char *const cases[] = {
        "string_lookup_embedding",       "string_lookup_adapted_odd",
        "integer_lookup_tf_idf_adapted", "text_vectorization_tf_idf",
        "text_vectorization_character",  "string_lookup_salt"};

    for (size_t i = 0; i < KRTI_COUNT(cases); i++) {
        const char *name = cases[i];
        krt_model *m = NULL, *again = NULL;

        if (krti_path_kind_of(text_fixture(name, ".keras")) == KRTI_PATH_NONE)
            continue;
        ASSERT_OK(krt_load(t->k, &m, text_fixture(name, ".keras"), NULL));
        ASSERT_OK(krt_save(m, in_folder(t, "copy.keras"), NULL));
        ASSERT_OK(krt_load(t->k, &again, in_folder(t, "copy.keras"), NULL));
        assert_answers(t, again, text_fixture(name, ".npz"), name);
        krt_model_free(m);
        krt_model_free(again);
    }
}

TEST(a_saved_vocabulary_is_keras_own_file)
{
    size_t size = 0;

    as_directory(t, "string_lookup_embedding");
    char path[400];
    snprintf(path, sizeof path, "m/%s", WORDS);
    char *text = read_all(in_folder(t, path), &size);
    text[size] = '\0';
    ASSERT_STR_EQ("\n[UNK]\nfire\nwind\nna\xC3\xAFve\nand", text);
    free(text);
}

TEST(a_damaged_vocabulary_fails_in_words)
{
    static const struct {
        const char *text;
        krt_status status;
        const char *says;
    } cases[] = {
        {"\n[UNK]\nfire\nwind\nfire\nand", KRT_E_MISMATCH, "at least one repeated term"},
        {"\n[UNK]\nfire\n\nand", KRT_E_MISMATCH, "Found reserved mask token"},
        {"\n[UNK]\nfire\n\xFF\xFE\nand", KRT_E_CORRUPT, "bytes that are no UTF-8"},
        {"", KRT_E_MISMATCH, "Cannot set an empty vocabulary"},
        {"\n\n\n", KRT_E_MISMATCH, "Cannot set an empty vocabulary"},
    };
    const char *path = as_directory(t, "string_lookup_embedding");
    krt_model *m = NULL;

    for (size_t i = 0; i < KRTI_COUNT(cases); i++) {
        put_words(t, cases[i].text, strlen(cases[i].text));
        path = in_folder(t, "m");
        ASSERT_STATUS(cases[i].status, krt_load(t->k, &m, path, NULL));
        ASSERT_SAYS(cases[i].says);
    }
}

TEST(a_vocabulary_of_another_size_does_not_fit_what_was_built_for_it)
{
    as_directory(t, "string_lookup_multi_hot_adapted");
    krt_model *m = NULL;

    put_words(t, "[UNK]\na\nb", 9);
    ASSERT_STATUS(KRT_E_MISMATCH, krt_load(t->k, &m, in_folder(t, "m"), NULL));
    ASSERT_SAYS("the vocabulary size cannot be changed after the layer is called");
}

/* Python's splitlines() ends a line at more characters than a line feed; a file of Keras holds none
 * of them within a token, for Keras could not read it again. */
TEST(lines_end_where_python_ends_them)
{
    as_directory(t, "string_lookup_embedding");
    static const char text[] = "\n[UNK]\r\nfire\rwind\x0B"
                               "na\xC3\xAFve\xE2\x80\xA8"
                               "and\xC2\x85";
    krt_model *m = NULL;

    put_words(t, text, sizeof text - 1);
    ASSERT_OK(krt_load(t->k, &m, in_folder(t, "m"), NULL));
    assert_answers(t, m, text_fixture("string_lookup_embedding", ".npz"), "lines");
    krt_model_free(m);
}

TEST(a_huge_line_and_zeros_are_tokens_like_others)
{
    as_directory(t, "string_lookup_embedding");
    const size_t size = 1 << 20;
    char *text = malloc(size);
    krt_model *m = NULL;
    krt_tensor *x = NULL, *y = NULL;

    assert_non_null(text);
    memset(text, 'x', size);
    memcpy(text, "\n[UNK]\na\0b\n", 11);
    put_words(t, text, size);
    ASSERT_OK(krt_load(t->k, &m, in_folder(t, "m"), NULL));
    const krt_string words[] = {{"a\0b", 3}, {text + 11, size - 11}};
    ASSERT_OK(krt_tensor_from(t->k, &x, KRT_STRING, KRT_SHAPE(1, 2), words));
    krt_run *run = NULL;
    ASSERT_OK(krt_run_new(m, &run, KRT_RUN(.layer = "string_lookup")));
    ASSERT_OK(krt_run_predict(run, &y, 1, (const krt_tensor *const[]){x}, 1, NULL));
    ASSERT_INT_EQ(2, ((const int64_t *)krt_tensor_data(y))[0]);
    ASSERT_INT_EQ(3, ((const int64_t *)krt_tensor_data(y))[1]);
    krt_run_free(run);
    krt_tensor_free(x);
    krt_tensor_free(y);
    krt_model_free(m);
    free(text);
}

TEST(a_missing_vocabulary_is_named)
{
    char path[400];
    krt_model *m = NULL;
    krt_tensor *x = NULL, *y = NULL;

    as_directory(t, "string_lookup_embedding");
    snprintf(path, sizeof path, "m/%s", WORDS);
    assert_int_equal(0, remove(in_folder(t, path)));
    put_file(t, "m/assets/layers/string_lookup/other.txt", "a", 1);
    ASSERT_STATUS(KRT_E_MISMATCH, krt_load(t->k, &m, in_folder(t, "m"), NULL));
    ASSERT_SAYS("assets/layers/string_lookup/vocabulary.txt is missing");
    assert_int_equal(0, remove(in_folder(t, "m/assets/layers/string_lookup/other.txt")));
    ASSERT_OK(krt_load(t->k, &m, in_folder(t, "m"), NULL)); /* as in Keras: until it runs */
    ASSERT_OK(krt_tensor_texts(t->k, &x, KRT_SHAPE(1, 2), (const char *[]){"fire", NULL}));
    ASSERT_STATUS(KRT_E_STATE, krt_predict(m, &y, x, NULL));
    ASSERT_SAYS("has no vocabulary");
    krt_tensor_free(x);
    krt_model_free(m);
}

TEST(strings_and_numbers_do_not_become_each_other)
{
    krt_model *m = NULL;
    krt_tensor *x = NULL, *y = NULL;

    ASSERT_OK(krt_load(t->k, &m, text_fixture("string_lookup_embedding", ".keras"), NULL));
    ASSERT_INT_EQ(KRT_STRING, krt_model_input_dtype(m, 0));
    ASSERT_OK(krt_tensor_new(t->k, &x, KRT_FLOAT32, KRT_SHAPE(1, 2)));
    ASSERT_STATUS(KRT_E_INVALID, krt_predict(m, &y, x, NULL));
    ASSERT_SAYS("an array of float32 does not become one of string");
    krt_tensor_free(x);
    krt_model_free(m);
}

int main(void)
{
    return RUN(
        UNIT(vocabularies_come_back_bit_for_bit), UNIT(a_saved_vocabulary_is_keras_own_file),
        UNIT(a_damaged_vocabulary_fails_in_words),
        UNIT(a_vocabulary_of_another_size_does_not_fit_what_was_built_for_it),
        UNIT(lines_end_where_python_ends_them), UNIT(a_huge_line_and_zeros_are_tokens_like_others),
        UNIT(a_missing_vocabulary_is_named), UNIT(strings_and_numbers_do_not_become_each_other));
}
