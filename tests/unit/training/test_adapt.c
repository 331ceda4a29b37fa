/* Tests of src/training/adapt.c and of the layers that learn from data, beside what real Keras learns
 * (fixtures/training/adapt.json). */
#include "layers/layer.h"
#include "tensor/tensor.h"
#include "testing.h"
#include <keratin/keratin.h>

#include <math.h>

enum { MOST_VALUES = 512 };

static krt_shape read_shape(const krti_conf *c)
{
    krt_shape s = {.rank = (int)krti_conf_num(c)};

    for (int i = 0; i < s.rank; i++)
        assert_true(krti_conf_as_int(krti_conf_at(c, (size_t)i), &s.dim[i]));
    return s;
}

static size_t read_values(const krti_conf *c, double *out)
{
    const size_t n = krti_conf_num(c);

    assert_true(n <= MOST_VALUES);
    for (size_t i = 0; i < n; i++)
        assert_true(krti_conf_as_float(krti_conf_at(c, i), &out[i]));
    return n;
}

/* What Keras adds up in float32 is off by its rounding, by more behind a subtraction of a mean. */
static void expect(const char *what, const krti_conf *expected, const krt_tensor *found,
                   double tolerance)
{
    double want[MOST_VALUES], is[MOST_VALUES];
    const size_t n = read_values(expected, want);

    ASSERT_INT_EQ(n, krt_shape_size(found->shape));
    krti_convert(is, KRT_FLOAT64, found->data, found->dtype, n);
    for (size_t i = 0; i < n; i++)
        if (fabs(is[i] - want[i]) > tolerance * (1 + fabs(want[i])))
            fail_msg("%s[%zu] is %.9g, Keras has %.9g", what, i, is[i], want[i]);
}

static krt_tensor *data_of(testing *t, const krti_conf *row)
{
    double values[MOST_VALUES];
    const krt_shape shape = read_shape(krti_conf_get(row, "shape"));
    krt_tensor *x = NULL, *cast = NULL;

    (void)read_values(krti_conf_get(row, "x"), values);
    ASSERT_OK(krt_tensor_from(t->k, &x, KRT_FLOAT64, shape, values));
    ASSERT_OK(krt_tensor_cast(x, &cast, krt_dtype_from_name(krti_conf_get_text(row, "dtype"))));
    krt_tensor_free(x);
    return cast;
}

/* What the layer's config says the boundaries are, number for number. */
static void expect_boundaries(const krt_layer *l, const krti_conf *expected)
{
    krti_arena a = {.k = l->owned.k};
    double want[MOST_VALUES], is[MOST_VALUES];
    const krti_conf *config = krti_layer_to_conf(&a, l);
    const size_t n = read_values(expected, want);

    assert_true(krti_conf_is(krti_conf_get(config, "bin_boundaries"), KRTI_CONF_LIST));
    ASSERT_INT_EQ(n, read_values(krti_conf_get(config, "bin_boundaries"), is));
    for (size_t i = 0; i < n; i++)
        assert_true(is[i] == want[i]);
    krti_arena_free(&a);
}

static void expect_row(testing *t, const krti_conf *row)
{
    const krti_conf *weights = krti_conf_get(row, "weights");
    krt_tensor *x = data_of(t, row), *y = NULL;
    krt_layer *l = NULL;
    int64_t size = KRT_NONE;
    krt_model *m = krt_sequential(t->k, NULL);
    krt_shape shape = x->shape;

    (void)krti_conf_as_int(krti_conf_get(row, "batch_size"), &size);
    ASSERT_OK(krti_layer_from_conf(t->k, &l, krti_conf_get(row, "object"), 0));
    ASSERT_OK(krt_adapt(l, x, KRT_ADAPT(.batch_size = size)));
    ASSERT_INT_EQ(krti_conf_num(weights), krt_layer_num_weights(l));
    for (size_t i = 0; i < krti_conf_num(weights); i++)
        expect("weight", krti_conf_at(weights, i), krt_layer_weight(l, i)->tensor, 1e-6);
    if (!krti_conf_is_null(krti_conf_get(row, "bin_boundaries")))
        expect_boundaries(l, krti_conf_get(row, "bin_boundaries"));
    shape.rank--;
    memmove(shape.dim, shape.dim + 1, (size_t)shape.rank * sizeof *shape.dim);
    ASSERT_OK(krt_add_input(m, shape, NULL));
    ASSERT_OK(krt_add_layer(m, l));
    ASSERT_OK(krt_predict(m, &y, x, KRT_PREDICT(.batch_size = x->shape.dim[0])));
    assert_true(krt_shape_equal(y->shape, read_shape(krti_conf_get(row, "y_shape"))));
    expect("y", krti_conf_get(row, "y"), y, 1e-5);
    krt_tensor_free(x);
    krt_tensor_free(y);
}

TEST(layers_learn_from_data_what_they_learn_in_keras)
{
    krti_arena a = {.k = t->k};
    const krti_conf *rows = read_conf(t, &a, KERATIN_FIXTURES "/training/adapt.json");

    for (size_t i = 0; i < krti_conf_num(rows); i++) {
        expect_row(t, krti_conf_at(rows, i));
    }
    krti_arena_free(&a);
}

/* ------------------------------------------------------------------------------- by itself */

static const float four[] = {0, 2, 4, 6};

static krt_tensor *column(testing *t)
{
    krt_tensor *x = NULL;

    ASSERT_OK(krt_tensor_from(t->k, &x, KRT_FLOAT32, KRT_SHAPE(4, 1), four));
    return x;
}

static float predicted(testing *t, krt_model *m)
{
    krt_tensor *x = column(t), *y = NULL;

    ASSERT_OK(krt_predict(m, &y, x, NULL));
    krt_tensor_free(x);
    const krt_dtype dtype = krt_tensor_dtype(y);
    const float last = dtype == KRT_INT32 ? (float)((const int32_t *)krt_tensor_data(y))[3]
                                          : ((const float *)krt_tensor_data(y))[3];
    krt_tensor_free(y);
    return last;
}

TEST(a_model_that_has_run_goes_by_what_its_layer_learned_since)
{
    krt_tensor *x = column(t);
    krt_model *m = krt_sequential(t->k, NULL), *again = NULL;

    ASSERT_OK(krt_add_input(m, KRT_SHAPE(1), NULL));
    ASSERT_OK(krt_add(m, KRT_NORMALIZATION(.name = "n")));
    assert_true(predicted(t, m) == 6);
    ASSERT_OK(krt_adapt(krt_get_layer(m, "n"), x, NULL));
    assert_true(fabsf(predicted(t, m) - 3 / sqrtf(5)) < 1e-6f);
    ASSERT_OK(krt_save(m, in_folder(t, "m.keras"), NULL));
    ASSERT_OK(krt_load(t->k, &again, in_folder(t, "m.keras"), NULL));
    assert_true(predicted(t, m) == predicted(t, again));
    krt_tensor_free(x);
}

TEST(boundaries_are_learned_in_a_model_and_saved_with_it)
{
    krt_tensor *x = column(t);
    krt_model *m = krt_sequential(t->k, NULL), *again = NULL, *third = NULL;

    ASSERT_OK(krt_add_input(m, KRT_SHAPE(1), NULL));
    ASSERT_OK(krt_add(m, KRT_DISCRETIZATION(.num_bins = 4, .name = "d")));
    ASSERT_STATUS(KRT_E_STATE, krt_predict(m, &(krt_tensor *){NULL}, x, NULL));
    ASSERT_SAYS("adapt(");
    ASSERT_OK(krt_save(m, in_folder(t, "m.keras"), NULL)); /* before it has learned anything */
    ASSERT_OK(krt_load(t->k, &again, in_folder(t, "m.keras"), NULL));
    ASSERT_OK(krt_adapt(krt_get_layer(again, "d"), x, NULL));
    assert_true(predicted(t, again) == 3);
    ASSERT_OK(krt_save(again, in_folder(t, "n.keras"), NULL));
    ASSERT_OK(krt_load(t->k, &third, in_folder(t, "n.keras"), NULL));
    assert_true(predicted(t, third) == 3);
    krt_tensor_free(x);
}

typedef struct giver {
    int given, num;
    krt_array x;
} giver;

static krt_status give(void *user, krt_batch *batch, bool *is_end)
{
    giver *g = user;

    *is_end = g->given == g->num;
    g->x = (krt_array){KRT_FLOAT32, KRT_SHAPE(1, 1), &four[g->given++ % 4]};
    *batch = (krt_batch){.num_x = 1, .x = &g->x};
    return g->num < 0 ? KRT_E_IO : KRT_OK;
}

TEST(a_source_of_batches_is_learned_from_until_it_ends_or_the_steps_are_done)
{
    giver g = {.num = 4}, endless = {.num = 1000}, broken = {.num = -1};
    krt_layer *l = krt_layer_new(t->k, KRT_NORMALIZATION(.trainable = true));
    const krt_variable *mean = NULL;

    ASSERT_OK(krt_adapt(l, NULL, KRT_ADAPT(.source = KRT_SOURCE(give, .user = &g))));
    mean = krt_layer_weight(l, 0);
    assert_true(*(const float *)krt_variable_data(mean) == 3);
    ASSERT_OK(
        krt_adapt(l, NULL, KRT_ADAPT(.source = KRT_SOURCE(give, .user = &endless), .steps = 2)));
    assert_true(*(const float *)krt_variable_data(mean) == 1); /* from nothing, as in Keras */
    ASSERT_STATUS(KRT_E_IO,
                  krt_adapt(l, NULL, KRT_ADAPT(.source = KRT_SOURCE(give, .user = &broken))));
    assert_true(*(const float *)krt_variable_data(mean) == 1);
}

TEST(what_cannot_be_learned_from_is_one_sentence_and_changes_nothing)
{
    static const float with_nan[] = {1, NAN};
    krt_tensor *x = column(t), *bad = NULL, *wide = NULL, *none = NULL;
    krt_layer *n = krt_layer_new(t->k, KRT_NORMALIZATION(.trainable = true));
    krt_layer *given =
        krt_layer_new(t->k, KRT_NORMALIZATION(.mean = KRT_NUMBER(1), .variance = KRT_NUMBER(2)));
    krt_layer *d = krt_layer_new(t->k, KRT_DISCRETIZATION(.num_bins = 2));
    krt_layer *fixed = krt_layer_new(t->k, KRT_DISCRETIZATION(.bin_boundaries = KRT_NUMBERS(1, 2)));
    krt_layer *dense = krt_layer_new(t->k, KRT_DENSE(2));

    ASSERT_OK(krt_tensor_from(t->k, &bad, KRT_FLOAT32, KRT_SHAPE(2, 1), with_nan));
    ASSERT_OK(krt_tensor_new(t->k, &wide, KRT_FLOAT32, KRT_SHAPE(4, 3)));
    ASSERT_OK(krt_tensor_new(t->k, &none, KRT_FLOAT32, KRT_SHAPE(0, 1)));
    ASSERT_STATUS(KRT_E_UNSUPPORTED, krt_adapt(dense, x, NULL));
    ASSERT_SAYS("a Dense has nothing to learn from data");
    ASSERT_STATUS(KRT_E_STATE, krt_adapt(given, x, NULL));
    ASSERT_STATUS(KRT_E_STATE, krt_adapt(fixed, x, NULL));
    ASSERT_SAYS("use `num_bins` instead");
    ASSERT_OK(krt_adapt(n, x, NULL));
    ASSERT_STATUS(KRT_E_INVALID, krt_adapt(n, wide, NULL));
    ASSERT_SAYS("The layer was built with input_shape=(4, 1), but adapt()");
    ASSERT_STATUS(KRT_E_INVALID, krt_adapt(n, bad, NULL));
    ASSERT_SAYS("NaN");
    ASSERT_STATUS(KRT_E_INVALID, krt_adapt(d, bad, NULL));
    ASSERT_SAYS("NaN");
    ASSERT_STATUS(KRT_E_INVALID, krt_adapt(n, none, NULL));
    ASSERT_STATUS(KRT_E_INVALID, krt_adapt(d, none, NULL));
    ASSERT_SAYS("no numbers");
    ASSERT_STATUS(KRT_E_INVALID, krt_adapt(n, NULL, NULL));
    ASSERT_STATUS(KRT_E_INVALID, krt_adapt(n, x, KRT_ADAPT(.batch_size = 0)));
    assert_true(*(const float *)krt_variable_data(krt_layer_weight(n, 0)) == 3);
    krt_tensor_free(x);
    krt_tensor_free(bad);
    krt_tensor_free(wide);
    krt_tensor_free(none);
}

/* ------------------------------------------------------------------------------- vocabularies */

/* Rows of strings or integers. */
static krt_tensor *tokens_of(testing *t, const krti_conf *row)
{
    const krti_conf *items = krti_conf_get(row, "x");
    krt_tensor *x = NULL;

    ASSERT_OK(krt_tensor_new(t->k, &x, krt_dtype_from_name(krti_conf_get_text(row, "dtype")),
                             read_shape(krti_conf_get(row, "shape"))));
    for (size_t i = 0; i < krti_conf_num(items); i++) {
        const char *text = krti_conf_text(krti_conf_at(items, i));

        if (text != NULL)
            ((krt_string *)x->data)[i] = (krt_string){text, strlen(text)};
        else
            assert_true(krti_conf_as_int(krti_conf_at(items, i), (int64_t *)x->data + i));
    }
    return x;
}

static void expect_vocabulary(testing *t, krt_layer *l, const krti_conf *expected)
{
    krt_tensor *found = NULL;

    ASSERT_OK(krt_get_vocabulary(l, &found));
    ASSERT_INT_EQ(krti_conf_num(expected), found->shape.dim[0]);
    for (size_t i = 0; i < krti_conf_num(expected); i++) {
        const char *text = krti_conf_text(krti_conf_at(expected, i));
        const krt_string *is = (const krt_string *)found->data + i;
        int64_t number = 0;

        if (text == NULL) {
            assert_true(krti_conf_as_int(krti_conf_at(expected, i), &number));
            ASSERT_INT_EQ(number, ((const int64_t *)found->data)[i]);
        } else if (is->size != strlen(text) || memcmp(is->data, text, is->size) != 0) {
            fail_msg("token %zu is \"%.*s\", Keras has \"%s\"", i, (int)is->size, is->data, text);
        }
    }
    krt_tensor_free(found);
}

static void expect_lookup(testing *t, const krti_conf *row)
{
    const krti_conf *idf = krti_conf_get(row, "idf_weights");
    krti_arena a = {.k = t->k};
    krt_tensor *x = tokens_of(t, row);
    krt_layer *l = NULL;
    int64_t size = KRT_NONE;

    (void)krti_conf_as_int(krti_conf_get(row, "batch_size"), &size);
    ASSERT_OK(krti_layer_from_conf(t->k, &l, krti_conf_get(row, "object"), 0));
    ASSERT_OK(krt_adapt(l, x, KRT_ADAPT(.batch_size = size)));
    expect_vocabulary(t, l, krti_conf_get(row, "vocabulary"));
    if (!krti_conf_is_null(idf))
        expect("idf_weights", idf, krti_layer_variable(l, "idf_weights")->tensor, 2e-7);
    ASSERT_INT_EQ(0, krt_layer_num_weights(l)); /* as in Keras */
    const krti_conf *config = krti_layer_to_conf(&a, l);
    assert_true(krti_conf_is_null(krti_conf_get(config, "vocabulary")));
    assert_true(krti_conf_equal(krti_conf_get(row, "vocabulary_size"),
                                krti_conf_get(config, "vocabulary_size")));
    krti_arena_free(&a);
    krt_tensor_free(x);
}

TEST(lookups_learn_the_vocabularies_they_learn_in_keras)
{
    krti_arena a = {.k = t->k};
    const krti_conf *rows = read_conf(t, &a, KERATIN_FIXTURES "/training/adapt_text.json");

    assert_true(krti_conf_num(rows) > 20);
    for (size_t i = 0; i < krti_conf_num(rows); i++)
        expect_lookup(t, krti_conf_at(rows, i));
    krti_arena_free(&a);
}

static krt_tensor *words(testing *t, size_t n, const char *const *items)
{
    krt_tensor *x = NULL;

    ASSERT_OK(krt_tensor_texts(t->k, &x, KRT_SHAPE((int64_t)n, 1), items));
    return x;
}

TEST(a_model_whose_text_layer_has_learned_is_saved_with_what_it_learned)
{
    krt_tensor *x = words(t, 3, (const char *[]){"a b", "b", "c b a"}), *before = NULL,
               *after = NULL;
    krt_layer *l = krt_layer_new(t->k, KRT_TEXT_VECTORIZATION(.output_mode = "tf_idf"));
    krt_model *m = krt_sequential(t->k, NULL), *again = NULL;

    ASSERT_OK(krt_adapt(l, x, NULL));
    ASSERT_OK(krt_add_input(m, KRT_SHAPE(1), KRT_INPUT(.dtype = "string")));
    ASSERT_OK(krt_add_layer(m, l));
    ASSERT_OK(krt_add(m, KRT_DENSE(2)));
    ASSERT_OK(krt_predict(m, &before, x, NULL));
    ASSERT_OK(krt_save(m, in_folder(t, "m.keras"), NULL));
    ASSERT_OK(krt_load(t->k, &again, in_folder(t, "m.keras"), NULL));
    ASSERT_OK(krt_predict(again, &after, x, NULL));
    assert_memory_equal(before->data, after->data, before->size_bytes);
    krt_tensor_free(before);
    krt_tensor_free(after);
    krt_tensor_free(x);
}

TEST(a_lookup_that_was_given_its_vocabulary_or_is_too_wide_learns_nothing)
{
    krt_tensor *x = words(t, 2, (const char *[]){"a", "b"});
    krt_tensor *more = words(t, 3, (const char *[]){"a", "b", "c"}), *numbers = NULL;
    krt_layer *given = krt_layer_new(t->k, KRT_STRING_LOOKUP(.vocabulary = KRT_NAMES("a")));
    krt_layer *counts = krt_layer_new(t->k, KRT_STRING_LOOKUP(.output_mode = "count"));

    ASSERT_STATUS(KRT_E_STATE, krt_adapt(given, x, NULL));
    ASSERT_SAYS("after setting a static vocabulary via `vocabulary` argument");
    ASSERT_OK(krt_adapt(counts, x, NULL));
    ASSERT_STATUS(KRT_E_STATE, krt_adapt(counts, more, NULL));
    ASSERT_SAYS(
        "the vocabulary size cannot be changed after the layer is called. Old vocab size is "
        "3, new vocab size is 4");
    ASSERT_OK(krt_tensor_new(t->k, &numbers, KRT_FLOAT32, KRT_SHAPE(2)));
    ASSERT_STATUS(KRT_E_INVALID, krt_adapt(counts, numbers, NULL));
    ASSERT_SAYS("adapt() was given float32, the layer looks up string");
    krt_tensor_free(x);
    krt_tensor_free(more);
    krt_tensor_free(numbers);
}

int main(void)
{
    return RUN(UNIT(lookups_learn_the_vocabularies_they_learn_in_keras),
               UNIT(a_model_whose_text_layer_has_learned_is_saved_with_what_it_learned),
               UNIT(a_lookup_that_was_given_its_vocabulary_or_is_too_wide_learns_nothing),
               UNIT(layers_learn_from_data_what_they_learn_in_keras),
               UNIT(a_model_that_has_run_goes_by_what_its_layer_learned_since),
               UNIT(boundaries_are_learned_in_a_model_and_saved_with_it),
               UNIT(a_source_of_batches_is_learned_from_until_it_ends_or_the_steps_are_done),
               UNIT(what_cannot_be_learned_from_is_one_sentence_and_changes_nothing));
}
