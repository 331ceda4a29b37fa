/* layers/lookup.c, text_vectorization.c, hashing.c: models made in C, what configs may hold, and every
 * refusal. The numbers are real Keras's in parity layers/text. */
#include "testing.h"

#include <keratin/keratin.h>

static krt_tensor *texts(testing *t, krt_shape shape, const char *const *items)
{
    krt_tensor *x = NULL;

    ASSERT_OK(krt_tensor_texts(t->k, &x, shape, items));
    return x;
}

static krt_model *chain(testing *t, krt_shape shape, const char *dtype, const krt_spec *layer)
{
    krt_model *m = krt_sequential(t->k, NULL);

    ASSERT_OK(krt_add_input(m, shape, KRT_INPUT(.dtype = dtype)));
    ASSERT_OK(krt_add(m, layer));
    return m;
}

static void expect_ints(testing *t, krt_model *m, const krt_tensor *x, const int64_t *expected,
                        size_t n)
{
    krt_tensor *y = NULL;

    ASSERT_OK(krt_predict(m, &y, x, NULL));
    ASSERT_INT_EQ(KRT_INT64, krt_tensor_dtype(y));
    ASSERT_INT_EQ(n, krt_shape_size(krt_tensor_shape(y)));
    for (size_t i = 0; i < n; i++)
        ASSERT_INT_EQ(expected[i], ((const int64_t *)krt_tensor_data(y))[i]);
    krt_tensor_free(y);
}
#define EXPECT_INTS(m, x, ...)                               \
    expect_ints(t, (m), (x), (const int64_t[]){__VA_ARGS__}, \
                sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

TEST(lookups_made_in_c_number_what_they_were_given)
{
    krt_tensor *x = texts(t, KRT_SHAPE(2, 2), (const char *[]){"a", "c", "", "b"});
    krt_tensor *numbers = NULL;
    static const int64_t some[] = {10, 7, 30, 20};

    EXPECT_INTS(chain(t, KRT_SHAPE(2), "string",
                      KRT_STRING_LOOKUP(.vocabulary = KRT_NAMES("a", "b"), .mask_token = "")),
                x, 2, 1, 0, 3);
    EXPECT_INTS(
        chain(t, KRT_SHAPE(2), "string",
              KRT_STRING_LOOKUP(.vocabulary = KRT_NAMES("a", "b"), .output_mode = "multi_hot")),
        x, 1, 1, 0, 1, 0, 1);
    ASSERT_OK(krt_tensor_wrap(t->k, &numbers, KRT_INT64, KRT_SHAPE(4, 1), some));
    EXPECT_INTS(
        chain(t, KRT_SHAPE(1), "int64", KRT_INTEGER_LOOKUP(.vocabulary = KRT_INTS(10, 20, 30))),
        numbers, 1, 0, 3, 2);
}

TEST(a_lookup_turns_numbers_back_into_strings)
{
    static const int64_t some[] = {2, 0, 1, 99};
    krt_model *m = chain(t, KRT_SHAPE(2), "int64",
                         KRT_STRING_LOOKUP(.vocabulary = KRT_NAMES("a", "b"), .invert = true));
    krt_tensor *x = NULL, *y = NULL;
    char *text = NULL;

    ASSERT_OK(krt_tensor_wrap(t->k, &x, KRT_INT64, KRT_SHAPE(2, 2), some));
    ASSERT_OK(krt_predict(m, &y, x, KRT_PREDICT(.batch_size = 1)));
    krt_model_free(m); /* the strings are the result's own */
    ASSERT_OK(krt_tensor_format(y, &text));
    ASSERT_STR_EQ("[['b' '[UNK]']\n ['a' '[UNK]']]", text);
    krt_free(t->k, text);
}

TEST(a_text_layer_made_in_c_is_the_same_from_its_config)
{
    krt_tensor *x = texts(t, KRT_SHAPE(2, 1), (const char *[]){"The dog, the FOX", "fox"});
    krt_model *m = krt_sequential(t->k, NULL), *again = NULL;
    char *json = NULL;

    ASSERT_OK(
        krt_add(m, KRT_TEXT_VECTORIZATION(.vocabulary = KRT_NAMES("the", "fox", "the dog"),
                                          .ngrams = KRT_INTS(1, 2), .output_sequence_length = 6)));
    EXPECT_INTS(m, x, 2, 1, 2, 3, 4, 1, 3, 0, 0, 0, 0, 0);
    ASSERT_OK(krt_to_json(m, &json, NULL));
    ASSERT_OK(krt_from_json(t->k, &again, json, NULL));
    ASSERT_INT_EQ(KRT_STRING, krt_model_input_dtype(again, 0));
    EXPECT_INTS(again, x, 2, 1, 2, 3, 4, 1, 3, 0, 0, 0, 0, 0);
    krt_free(t->k, json);
}

TEST(without_a_length_each_batch_is_as_wide_as_its_longest_text)
{
    krt_tensor *x = texts(t, KRT_SHAPE(3, 1), (const char *[]){"a", "b a a", ""});
    krt_model *m =
        chain(t, KRT_SHAPE(1), "string", KRT_TEXT_VECTORIZATION(.vocabulary = KRT_NAMES("a", "b")));
    const krt_shape one = KRT_SHAPE(1, 1);
    krt_run *run = NULL;
    krt_tensor *y = NULL;

    EXPECT_INTS(m, x, 2, 0, 0, 3, 2, 2, 0, 0, 0);
    ASSERT_STATUS(KRT_E_INVALID, krt_predict(m, &y, x, KRT_PREDICT(.batch_size = 1)));
    ASSERT_SAYS("output 0 is (3, 1) in the first batch and (3, 3) in a later one");
    ASSERT_OK(krt_run_new(m, &run, NULL));
    ASSERT_INT_EQ(KRT_E_UNSUPPORTED, krt_run_prepare(run, &one, 1));
    const void *const data[] = {krt_tensor_data(x)};
    ASSERT_INT_EQ(KRT_OK, krt_run_call(run, data, &(const krt_shape){2, {3, 1}}, 1));
    ASSERT_INT_EQ(3, krt_run_output_shape(run, 0).dim[1]);
    ASSERT_INT_EQ(KRT_OK, krt_run_call(run, data, &one, 1));
    ASSERT_INT_EQ(1, krt_run_output_shape(run, 0).dim[1]);
    krt_tensor *empty = texts(t, KRT_SHAPE(2, 1), (const char *[]){"", " "});
    ASSERT_STATUS(KRT_E_INVALID, krt_predict(m, &y, empty, NULL));
    ASSERT_SAYS("every text of the batch is empty");
}

TEST(unknown_words_of_a_lookup_without_room_for_them_fail)
{
    krt_tensor *x = texts(t, KRT_SHAPE(2, 1), (const char *[]){"a", "zebra"}), *y = NULL;
    krt_model *m = chain(t, KRT_SHAPE(1), "string",
                         KRT_STRING_LOOKUP(.vocabulary = KRT_NAMES("a"), .num_oov_indices = 0));

    ASSERT_STATUS(KRT_E_INVALID, krt_predict(m, &y, x, NULL));
    ASSERT_SAYS("When `num_oov_indices=0` all inputs should be in vocabulary, found OOV values "
                "[\"zebra\"]");
}

TEST(arguments_keras_refuses_are_refused_in_its_words)
{
    const struct {
        const krt_spec *spec;
        const char *says;
    } cases[] = {
        {KRT_STRING_LOOKUP(.vocabulary = KRT_NAMES("a", "b", "a")),
         "at least one repeated term. Please uniquify your dataset. The repeated terms are: ['a']"},
        {KRT_STRING_LOOKUP(.vocabulary = KRT_NAMES("a", "m"), .mask_token = "m"),
         "Found reserved mask token at unexpected location"},
        {KRT_STRING_LOOKUP(.vocabulary = KRT_NAMES("a", "[UNK]"), .invert = true),
         "Found reserved OOV token at unexpected location"},
        {KRT_STRING_LOOKUP(.vocabulary = KRT_NAMES("a", "b"), .max_tokens = 2),
         "Received vocabulary size is 3; `max_tokens` is 2"},
        {KRT_STRING_LOOKUP(.max_tokens = 1), "If set, `max_tokens` must be greater than 1"},
        {KRT_STRING_LOOKUP(.pad_to_max_tokens = true), "must set `max_tokens`"},
        {KRT_STRING_LOOKUP(.num_oov_indices = -1), "`num_oov_indices` must be greater than"},
        {KRT_STRING_LOOKUP(.output_mode = "bag"), "Invalid value for argument `output_mode`"},
        {KRT_STRING_LOOKUP(.output_mode = "count", .invert = true),
         "`output_mode` must be `'int'` when `invert` is true"},
        {KRT_STRING_LOOKUP(.idf_weights = KRT_NUMBERS(1)), "`idf_weights` should only be set if"},
        {KRT_STRING_LOOKUP(.vocabulary = KRT_NAMES("a"), .output_mode = "tf_idf"),
         "the `idf_weights` argument must also be provided"},
        {KRT_STRING_LOOKUP(.vocabulary = KRT_NAMES("a"), .output_mode = "tf_idf",
                           .idf_weights = KRT_NUMBERS(1, 2)),
         "len(idf_weights) is 2; len(vocabulary) is 1"},
        {KRT_INTEGER_LOOKUP(.salt = {3}), "`salt` can only be used when `oov_method='farmhash'`"},
        {KRT_INTEGER_LOOKUP(.oov_method = "crc"), "oov_method is crc"},
        {KRT_TEXT_VECTORIZATION(.standardize = "upper"),
         "Invalid value for argument `standardize`"},
        {KRT_TEXT_VECTORIZATION(.split = "words"), "Invalid value for argument `split`"},
        {KRT_TEXT_VECTORIZATION(.ngrams = KRT_INTS(0)), "`ngrams` must be None"},
        {KRT_TEXT_VECTORIZATION(.output_mode = "count", .output_sequence_length = 3),
         "`output_sequence_length` must not be set if `output_mode` is not 'int'"},
        {KRT_HASHING(0), "The `num_bins` for `Hashing` cannot be `None` or non-positive"},
        {KRT_HASHING(3, .output_mode = "tf_idf"), "Invalid value for argument `output_mode`"},
        {KRT_HASHED_CROSSING(3, .output_mode = "count"),
         "Invalid value for argument `output_mode`"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        krt_model *m = krt_sequential(t->k, NULL);

        ASSERT_STATUS(KRT_E_INVALID, krt_add(m, cases[i].spec));
        ASSERT_SAYS(cases[i].says);
        krt_model_free(m);
    }
}

/* A model of one layer whose config is given as text. */
static void refuses(testing *t, const char *layer, const char *config, const char *says)
{
    char json[2000];
    krt_model *m = NULL;
    krt_tensor *x = texts(t, KRT_SHAPE(1, 1), (const char *[]){"a"}), *y = NULL;

    snprintf(
        json, sizeof json,
        "{\"module\": \"keras\", \"class_name\": \"Sequential\", \"config\": {\"name\": \"s\", "
        "\"layers\": [{\"module\": \"keras.layers\", \"class_name\": \"InputLayer\", "
        "\"config\": {\"batch_shape\": [null, 1], \"dtype\": \"string\", \"name\": \"i\"}}, "
        "{\"module\": \"keras.layers\", \"class_name\": \"%s\", \"config\": {\"name\": \"l\", "
        "%s}}]}}",
        layer, config);
    ASSERT_OK(krt_from_json(t->k, &m, json, NULL));
    ASSERT_STATUS(KRT_E_UNSUPPORTED, krt_predict(m, &y, x, NULL));
    ASSERT_SAYS(says);
    krt_tensor_free(x);
    krt_model_free(m);
}

TEST(what_is_never_done_opens_and_says_so_when_it_runs)
{
    refuses(t, "StringLookup", "\"vocabulary\": \"/etc/passwd\"",
            "would read its vocabulary from the file \"/etc/passwd\", outside the model");
    refuses(t, "TextVectorization",
            "\"standardize\": {\"module\": \"builtins\", \"class_name\": \"function\", "
            "\"config\": \"mine\", \"registered_name\": \"function\"}",
            "uses the function \"mine\" as standardize: Python is never executed here");
    refuses(t, "TextVectorization", "\"ragged\": true", "gives a ragged tensor");
    refuses(t, "TextVectorization", "\"sparse\": true, \"output_mode\": \"count\"",
            "gives a sparse tensor");
    refuses(t, "TextVectorization", "\"ngrams\": 9", "joins tokens in 9 ways, at most 8 can run");
    refuses(t, "Hashing", "\"num_bins\": 3, \"sparse\": true, \"output_mode\": \"count\"",
            "gives a sparse tensor");
    refuses(t, "RepeatVector", "\"n\": 2", "is not computed on strings");
    refuses(t, "Dense", "\"units\": 3", "cast is not computed on strings");
}

TEST(texts_of_wrong_shapes_are_named)
{
    krt_model *m = krt_sequential(t->k, NULL);

    ASSERT_OK(krt_add_input(m, KRT_SHAPE(2), KRT_INPUT(.dtype = "string")));
    ASSERT_STATUS(KRT_E_INVALID, krt_add(m, KRT_TEXT_VECTORIZATION()));
    ASSERT_SAYS("the input rank must be 1 or the last shape dimension must be 1");
    m = krt_sequential(t->k, NULL);
    ASSERT_OK(krt_add_input(m, KRT_SHAPE(1), NULL));
    ASSERT_STATUS(KRT_E_INVALID, krt_add(m, KRT_STRING_LOOKUP()));
    ASSERT_SAYS("the layer looks up string, found float32");
    m = krt_sequential(t->k, NULL);
    ASSERT_OK(krt_add_input(m, KRT_SHAPE(1), KRT_INPUT(.dtype = "string")));
    ASSERT_STATUS(KRT_E_INVALID, krt_add(m, KRT_HASHING(3, .mask_integer = 0)));
    ASSERT_SAYS("mask_value is an integer, the input is string");
}

int main(void)
{
    return RUN(UNIT(lookups_made_in_c_number_what_they_were_given),
               UNIT(a_lookup_turns_numbers_back_into_strings),
               UNIT(a_text_layer_made_in_c_is_the_same_from_its_config),
               UNIT(without_a_length_each_batch_is_as_wide_as_its_longest_text),
               UNIT(unknown_words_of_a_lookup_without_room_for_them_fail),
               UNIT(arguments_keras_refuses_are_refused_in_its_words),
               UNIT(what_is_never_done_opens_and_says_so_when_it_runs),
               UNIT(texts_of_wrong_shapes_are_named));
}
