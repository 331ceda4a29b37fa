/* Tests of src/layers/initializers.c: the distributions Keras's initializers have. */
#include "tracing.h"

/* The kernel a Dense of these sizes starts with; borrowed from the layer. */
static const float *kernel(testing *t, int64_t in, int64_t out, const krt_spec *initializer)
{
    krt_layer *l = layer_from(t->k, KRT_DENSE(out, .kernel_initializer = initializer));

    expect_shape(l, SHAPE(NONE, in), krt_shape_print(SHAPE(NONE, out), (char[160]){0}, 160));
    ASSERT_OK(krti_layer_initialize(l));
    return krt_variable_data(krt_layer_weight(l, 0));
}

typedef struct moments {
    double mean, deviation, low, high;
} moments;

static moments moments_of(const float *x, size_t n)
{
    moments m = {.low = (double)x[0], .high = (double)x[0]};
    double squares = 0;

    for (size_t i = 0; i < n; i++) {
        m.mean += (double)x[i] / (double)n;
        m.low = fmin(m.low, (double)x[i]);
        m.high = fmax(m.high, (double)x[i]);
    }
    for (size_t i = 0; i < n; i++)
        squares += ((double)x[i] - m.mean) * ((double)x[i] - m.mean);
    m.deviation = sqrt(squares / (double)n);
    return m;
}

/* A quarter of a million draws: the mean is within 0.002 deviations, the deviation within 0.4 %,
 * four times their own standard errors. */
TEST(each_distribution_has_its_mean_deviation_and_bounds)
{
    const double glorot = sqrt(6.0 / 1000), he = sqrt(6.0 / 500), lecun = sqrt(3.0 / 500);
    const double cut = 0.87962566103423978;
    const struct {
        const krt_spec *spec;
        double mean, deviation, low, high;
    } rows[] = {
        {KRT_RANDOM_NORMAL(.mean = 1, .stddev = 2, .seed = 1), 1, 2, -INFINITY, INFINITY},
        {KRT_RANDOM_UNIFORM(.minval = 2, .maxval = 3, .seed = 1), 2.5, 1 / sqrt(12), 2, 3},
        {KRT_ID("uniform"), 0, 0.1 / sqrt(12), -0.05, 0.05},
        {KRT_TRUNCATED_NORMAL(.stddev = 1, .seed = 2), 0, cut, -2, 2},
        {KRT_GLOROT_UNIFORM(.seed = 3), 0, glorot / sqrt(3), -glorot, glorot},
        {KRT_HE_UNIFORM(.seed = 3), 0, he / sqrt(3), -he, he},
        {KRT_LECUN_UNIFORM(.seed = 3), 0, lecun / sqrt(3), -lecun, lecun},
        {KRT_GLOROT_NORMAL(.seed = 4), 0, sqrt(1.0 / 500), -2 * sqrt(1.0 / 500) / cut,
         2 * sqrt(1.0 / 500) / cut},
        {KRT_HE_NORMAL(.seed = 4), 0, sqrt(2.0 / 500), -2 * sqrt(2.0 / 500) / cut,
         2 * sqrt(2.0 / 500) / cut},
        {KRT_LECUN_NORMAL(.seed = 4), 0, sqrt(1.0 / 500), -2 * sqrt(1.0 / 500) / cut,
         2 * sqrt(1.0 / 500) / cut},
        {KRT_VARIANCE_SCALING(.scale = 3, .mode = "fan_out", .distribution = "untruncated_normal",
                              .seed = 5),
         0, sqrt(3.0 / 500), -INFINITY, INFINITY},
        {KRT_ORTHOGONAL(.gain = 2, .seed = 6), 0, 2 / sqrt(500), -INFINITY, INFINITY},
    };

    for (size_t i = 0; i < KRTI_COUNT(rows); i++) {
        const moments m = moments_of(kernel(t, 500, 500, rows[i].spec), 250000);

        if (fabs(m.mean - rows[i].mean) > 0.008 * rows[i].deviation ||
            fabs(m.deviation / rows[i].deviation - 1) > 0.006 ||
            m.low < rows[i].low * (rows[i].low < 0 ? 1.000001 : 0.999999) ||
            m.high > rows[i].high * 1.000001)
            fail_msg("row %zu: mean %g, deviation %g, from %g to %g", i, m.mean, m.deviation, m.low,
                     m.high);
        if (isfinite(rows[i].high) && m.high < 0.98 * rows[i].high)
            fail_msg("row %zu does not reach its bound: %g of %g", i, m.high, rows[i].high);
    }
}

TEST(constants_are_constant)
{
    const float *w = kernel(t, 2, 3, KRT_CONSTANT(0.5));

    ASSERT_NEAR(((const float[6]){0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f}), w, 6, 0, 0);
    w = kernel(t, 2, 3, KRT_ONES());
    ASSERT_NEAR(((const float[6]){1, 1, 1, 1, 1, 1}), w, 6, 0, 0);
    w = kernel(t, 2, 3, KRT_ZEROS());
    ASSERT_NEAR(((const float[6]){0, 0, 0, 0, 0, 0}), w, 6, 0, 0);
    w = kernel(t, 2, 3, KRT_IDENTITY_INITIALIZER(.gain = 2));
    ASSERT_NEAR(((const float[6]){2, 0, 0, 0, 2, 0}), w, 6, 0, 0);
}

static void expect_orthonormal(const float *w, size_t rows, size_t cols)
{
    const bool by_row = rows < cols; /* the shorter side holds the unit vectors */
    const size_t n = by_row ? rows : cols, length = by_row ? cols : rows;

    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j <= i; j++) {
            double dot = 0;

            for (size_t k = 0; k < length; k++)
                dot += by_row ? (double)w[i * cols + k] * (double)w[j * cols + k]
                              : (double)w[k * cols + i] * (double)w[k * cols + j];
            if (fabs(dot - (i == j)) > 1e-5)
                fail_msg("vectors %zu and %zu: %g", i, j, dot);
        }
    }
}

TEST(orthogonal_vectors_are_orthonormal_either_way)
{
    expect_orthonormal(kernel(t, 40, 20, KRT_ORTHOGONAL()), 40, 20);
    expect_orthonormal(kernel(t, 20, 40, KRT_ORTHOGONAL()), 20, 40);
    expect_orthonormal(kernel(t, 1, 1, KRT_ORTHOGONAL()), 1, 1);
}

TEST(a_seed_gives_the_same_numbers_and_no_seed_gives_others)
{
    float first[4];

    memcpy(first, kernel(t, 2, 2, KRT_HE_NORMAL(.seed = 7)), sizeof first);
    assert_memory_equal(first, kernel(t, 2, 2, KRT_HE_NORMAL(.seed = 7)), sizeof first);
    assert_memory_not_equal(first, kernel(t, 2, 2, KRT_HE_NORMAL(.seed = 8)), sizeof first);
    memcpy(first, kernel(t, 2, 2, KRT_ID("he_normal")), sizeof first);
    assert_memory_not_equal(first, kernel(t, 2, 2, KRT_ID("he_normal")), sizeof first);
}

TEST(a_context_with_a_seed_repeats_itself)
{
    krt_ctx *k[2] = {NULL, NULL};
    const void *data[2] = {NULL, NULL};

    for (int i = 0; i < 2; i++) {
        assert_int_equal(krt_ctx_new(&k[i], KRT_CTX(.seed = 42)), KRT_OK);
        krt_layer *l = layer_from(k[i], KRT_DENSE(8));
        expect_shape(l, SHAPE(NONE, 3), "(None, 8)");
        assert_int_equal(krti_layer_initialize(l), KRT_OK);
        data[i] = krt_variable_data(krt_layer_weight(l, 0));
    }
    assert_memory_equal(data[0], data[1], 24 * sizeof(float));
    krt_ctx_free(k[0]);
    krt_ctx_free(k[1]);
}

/* (in, heads, size): Keras counts in as fan in and heads * size as fan out. */
TEST(einsum_dense_tells_its_initializer_which_axes_are_inputs)
{
    krt_layer *l =
        layer_from(t->k, KRT_EINSUM_DENSE("abc,cde->abde", KRT_SHAPE(KRT_NONE, 20, 30),
                                          .kernel_initializer = KRT_LECUN_UNIFORM(.seed = 1)));
    const double limit = sqrt(3.0 / 100);

    expect_shape(l, SHAPE(NONE, 7, 100), "(None, 7, 20, 30)");
    ASSERT_OK(krti_layer_initialize(l));
    const moments m = moments_of(krt_variable_data(krt_layer_weight(l, 0)), 60000);
    ASSERT_TRUE(m.high <= limit && m.high > 0.99 * limit);
}

TEST(what_cannot_be_drawn_is_named)
{
    static const struct {
        const char *initializer, *says;
    } rows[] = {
        {"'glorot'", "unknown initializer \"glorot\" of weight kernel"},
        {"{'class_name': 'VarianceScaling', 'config': {'mode': 'fan'}}",
         "VarianceScaling has the mode \"fan\""},
        {"{'class_name': 'VarianceScaling', 'config': {'distribution': null}}",
         "VarianceScaling has the distribution \"None\""},
        {"{'class_name': 'Constant', 'config': {'value': [1, 2]}}",
         "argument value of Constant must be a number, found [1, 2]"},
        {"{'class_name': 'HeNormal', 'config': {'input_axes': [5], 'output_axes': [0]}}",
         "an initializer's axis 5 is outside rank 2 of weight kernel"},
    };
    krti_arena a = KRTI_ARENA_INIT(t->k);

    for (size_t i = 0; i < KRTI_COUNT(rows); i++) {
        char text[512];

        snprintf(text, sizeof text,
                 "{'class_name': 'Dense', 'config': {'units': 2, 'kernel_initializer': %s}}",
                 rows[i].initializer);
        krt_layer *l = layer_of(&a, text);
        expect_shape(l, SHAPE(NONE, 3), "(None, 2)");
        assert_true(krti_layer_initialize(l) != KRT_OK);
        ASSERT_SAYS(rows[i].says);
    }
    krti_arena_free(&a);
}

/* Kernels of shape (4, 3) as Keras 3 draws them on JAX; to the last bits, in which normal draws may
 * differ, and to rounding for the orthogonal one. */
TEST(an_integer_seed_gives_what_keras_draws_on_jax)
{
    const struct {
        const krt_spec *spec;
        float values[12];
    } rows[] = {
        {KRT_RANDOM_NORMAL(.mean = 1, .stddev = 2, .seed = 7),
         {0.124098659f, -0.179051518f, 1.4911195f, 2.20359373f, -1.86549783f, 0.461703598f,
          0.839078248f, 3.25751567f, 2.8370409f, 1.88304806f, 2.37107372f, -0.862217784f}},
        {KRT_RANDOM_UNIFORM(.minval = -1, .maxval = 2, .seed = 7),
         {-0.00786697865f, -0.16673708f, 0.790965319f, 1.1790359f, -0.772105575f, 0.181723356f,
          0.403805971f, 1.61149991f, 1.46248031f, 1.01174939f, 1.26049209f, -0.472304344f}},
        {KRT_TRUNCATED_NORMAL(.stddev = 0.5, .seed = 7),
         {-0.208398193f, -0.279814094f, 0.117087506f, 0.285568416f, -0.654525578f, -0.128311366f,
          -0.0383962877f, 0.526091278f, 0.432041824f, 0.210088f, 0.324704796f, -0.437760413f}},
        {KRT_GLOROT_UNIFORM(.seed = 7),
         {-0.313462317f, -0.411519051f, 0.179587692f, 0.41911006f, -0.785160601f, -0.196444616f,
          -0.0593722425f, 0.686032653f, 0.594055772f, 0.315858573f, 0.469385922f, -0.600119293f}},
        {KRT_HE_NORMAL(.seed = 7),
         {-0.335051119f, -0.449869663f, 0.188246831f, 0.459121138f, -1.05231011f, -0.206291929f,
          -0.0617314316f, 0.845820546f, 0.69461298f, 0.337767899f, 0.522042453f, -0.703807056f}},
        {KRT_LECUN_UNIFORM(.seed = 123456),
         {-0.472814143f, -0.404612064f, 0.740656972f, -0.71533674f, -0.776499033f, 0.83554244f,
          0.47939229f, 0.718656063f, -0.188088566f, 0.0712856129f, -0.0383003652f, 0.270547241f}},
        {KRT_VARIANCE_SCALING(.scale = 2, .mode = "fan_out", .distribution = "untruncated_normal",
                              .seed = 3),
         {0.867646277f, -0.032700792f, 0.24448213f, 0.830477178f, -0.712623f, -1.08200836f,
          1.01327336f, -1.36574876f, 1.0340811f, -0.313889712f, 0.0679634884f, 1.18224263f}},
        {KRT_ORTHOGONAL(.gain = 1, .seed = 7),
         {-0.503898621f, -0.411510527f, -0.135633498f, 0.692417204f, -0.564347863f, 0.388224006f,
          -0.0925768912f, 0.547562361f, 0.742808282f, 0.50801003f, 0.460810214f, -0.528319597f}},
    };

    for (size_t i = 0; i < KRTI_COUNT(rows); i++) {
        const float *w = kernel(t, 4, 3, rows[i].spec);

        for (int j = 0; j < 12; j++)
            if (!(fabsf(w[j] - rows[i].values[j]) <= 2e-6f * (1 + fabsf(rows[i].values[j]))))
                fail_msg("row %zu, element %d is %.9g, Keras has %.9g", i, j, (double)w[j],
                         (double)rows[i].values[j]);
    }
}

int main(void)
{
    return RUN(UNIT(each_distribution_has_its_mean_deviation_and_bounds),
               UNIT(an_integer_seed_gives_what_keras_draws_on_jax), UNIT(constants_are_constant),
               UNIT(orthogonal_vectors_are_orthonormal_either_way),
               UNIT(a_seed_gives_the_same_numbers_and_no_seed_gives_others),
               UNIT(a_context_with_a_seed_repeats_itself),
               UNIT(einsum_dense_tells_its_initializer_which_axes_are_inputs),
               UNIT(what_cannot_be_drawn_is_named));
}
