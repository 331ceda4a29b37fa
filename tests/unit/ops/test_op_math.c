/* Elementwise ops: Keras's formulas, NumPy's integers, dtypes and broadcasting. */
#include "ops_testing.h"

#define INF ((double)INFINITY)

TEST(rounding_follows_numpy)
{
    krti_graph *g = graph_new(t);
    krt_value *x = floats(g, KRT_SHAPE(6), -2.5, -1.5, -0.5, 0.5, 1.5, 2.7);

    EXPECT(krti_round(g, x), KRT_SHAPE(6), -2, -2, 0, 0, 2, 3);
    EXPECT(krti_floor(g, x), KRT_SHAPE(6), -3, -2, -1, 0, 1, 2);
    EXPECT(krti_ceil(g, x), KRT_SHAPE(6), -2, -1, 0, 1, 2, 3);
    EXPECT(krti_trunc(g, x), KRT_SHAPE(6), -2, -1, 0, 0, 1, 2);
    EXPECT(krti_sign(g, floats(g, KRT_SHAPE(4), -3, 0, 2, NAN)), KRT_SHAPE(4), -1, 0, 1, NAN);
    krti_graph_free(g);
}

TEST(functions_are_what_their_names_say)
{
    krti_graph *g = graph_new(t);
    krt_value *x = floats(g, KRT_SHAPE(3), -0.5, 0.25, 0.75);
    krt_value *p = floats(g, KRT_SHAPE(2), 4, 0.5);
    krt_value *o = floats(g, KRT_SHAPE(1), 1.5);

    EXPECT(krti_negative(g, x), KRT_SHAPE(3), 0.5, -0.25, -0.75);
    EXPECT(krti_absolute(g, x), KRT_SHAPE(3), 0.5, 0.25, 0.75);
    EXPECT(krti_square(g, x), KRT_SHAPE(3), 0.25, 0.0625, 0.5625);
    EXPECT(krti_exp(g, x), KRT_SHAPE(3), 0.60653066, 1.28402542, 2.11700002);
    EXPECT(krti_expm1(g, x), KRT_SHAPE(3), -0.39346934, 0.28402542, 1.11700002);
    EXPECT(krti_log(g, p), KRT_SHAPE(2), 1.38629436, -0.69314718);
    EXPECT(krti_log1p(g, p), KRT_SHAPE(2), 1.60943791, 0.40546511);
    EXPECT(krti_log2(g, p), KRT_SHAPE(2), 2, -1);
    EXPECT(krti_log10(g, p), KRT_SHAPE(2), 0.60205999, -0.30103);
    EXPECT(krti_sqrt(g, p), KRT_SHAPE(2), 2, 0.70710678);
    EXPECT(krti_rsqrt(g, p), KRT_SHAPE(2), 0.5, 1.41421356);
    EXPECT(krti_reciprocal(g, p), KRT_SHAPE(2), 0.25, 2);
    EXPECT(krti_sin(g, x), KRT_SHAPE(3), -0.47942554, 0.24740396, 0.68163876);
    EXPECT(krti_cos(g, x), KRT_SHAPE(3), 0.87758256, 0.96891242, 0.73168887);
    EXPECT(krti_tan(g, x), KRT_SHAPE(3), -0.54630249, 0.25534192, 0.93159646);
    EXPECT(krti_asin(g, x), KRT_SHAPE(3), -0.52359878, 0.25268026, 0.84806208);
    EXPECT(krti_acos(g, x), KRT_SHAPE(3), 2.0943951, 1.31811607, 0.72273425);
    EXPECT(krti_atan(g, x), KRT_SHAPE(3), -0.46364761, 0.24497866, 0.64350111);
    EXPECT(krti_sinh(g, x), KRT_SHAPE(3), -0.52109531, 0.25261232, 0.82231673);
    EXPECT(krti_cosh(g, x), KRT_SHAPE(3), 1.12762597, 1.0314131, 1.29468328);
    EXPECT(krti_asinh(g, x), KRT_SHAPE(3), -0.48121183, 0.24746646, 0.69314718);
    EXPECT(krti_acosh(g, o), KRT_SHAPE(1), 0.96242365);
    EXPECT(krti_atanh(g, x), KRT_SHAPE(3), -0.54930614, 0.25541281, 0.97295507);
    EXPECT(krti_erf(g, x), KRT_SHAPE(3), -0.52049988, 0.27632639, 0.71115563);
    krti_graph_free(g);
}

/* Numbers of Keras 3.15 at -2, -0.5, 0, 1, 4. */
TEST(activations_give_keras_numbers)
{
    krti_graph *g = graph_new(t);
    krt_value *x = floats(g, KRT_SHAPE(5), -2, -0.5, 0, 1, 4);
    const krt_shape s = KRT_SHAPE(5);

    EXPECT(krti_sigmoid(g, x), s, 0.11920292, 0.37754067, 0.5, 0.73105858, 0.98201379);
    EXPECT(krti_tanh(g, x), s, -0.96402758, -0.46211716, 0, 0.76159416, 0.9993293);
    EXPECT(krti_silu(g, x), s, -0.23840584, -0.18877033, 0, 0.73105858, 3.92805516);
    EXPECT(krti_gelu(g, x), s, -0.04550026, -0.15426877, 0, 0.84134475, 3.99987332);
    EXPECT(krti_gelu_tanh(g, x), s, -0.04540231, -0.15428599, 0, 0.84119199, 3.99992975);
    EXPECT(krti_softplus(g, x), s, 0.12692801, 0.47407698, 0.69314718, 1.31326169, 4.01814993);
    EXPECT(krti_softsign(g, x), s, -0.66666667, -0.33333333, 0, 0.5, 0.8);
    EXPECT(krti_selu(g, x), s, -1.52016652, -0.69175820, 0, 1.05070099, 4.20280395);
    EXPECT(krti_mish(g, x), s, -0.25250148, -0.22074582, 0, 0.86509839, 3.99741281);
    EXPECT(krti_hard_sigmoid(g, x), s, 0.16666667, 0.41666667, 0.5, 0.66666667, 1);
    EXPECT(krti_hard_silu(g, x), s, -0.33333333, -0.20833333, 0, 0.66666667, 4);
    EXPECT(krti_log_sigmoid(g, x), s, -2.12692801, -0.97407698, -0.69314718, -0.31326169,
           -0.01814993);
    EXPECT(krti_elu(g, x, 0.5, 0, 0), s, -0.43233236, -0.19673467, 0, 1, 4);
    EXPECT(krti_celu(g, x, 2, 0, 0), s, -1.26424112, -0.44239843, 0, 1, 4);
    EXPECT(krti_clip(g, x, -1, 2, 0), s, -1, -0.5, 0, 1, 2);
    EXPECT(krti_affine(g, x, 2, 1, 0), s, -3, 0, 1, 3, 9);
    EXPECT(krti_power_scalar(g, x, 3, 0, 0), s, -8, -0.125, 0, 1, 64);
    krti_graph_free(g);
}

TEST(relu_takes_slope_threshold_and_ceiling)
{
    krti_graph *g = graph_new(t);
    krt_value *x = floats(g, KRT_SHAPE(5), -2, -0.5, 0.5, 1, 4);
    const krt_shape s = KRT_SHAPE(5);

    EXPECT(krti_relu(g, x, 0, 0, INF), s, 0, 0, 0.5, 1, 4);
    EXPECT(krti_relu(g, x, 0.25, 0, INF), s, -0.5, -0.125, 0.5, 1, 4);
    EXPECT(krti_relu(g, x, 0, 0, 3), s, 0, 0, 0.5, 1, 3);
    EXPECT(krti_relu(g, x, 0, 1, INF), s, 0, 0, 0, 0, 4);
    EXPECT(krti_relu(g, x, 0.5, 1, 3), s, -1.5, -0.75, -0.25, 0, 3);
    /* A negative threshold lets negative values through, a ceiling clips them at 0. */
    EXPECT(krti_relu(g, x, 0, -1, INF), s, 0, -0.5, 0.5, 1, 4);
    EXPECT(krti_relu(g, x, 0, -1, 3), s, 0, 0, 0.5, 1, 3);
    EXPECT(krti_relu(g, floats(g, KRT_SHAPE(2), NAN, -INF), 0, 0, INF), KRT_SHAPE(2), NAN, 0);
    krti_graph_free(g);
}

TEST(nothing_overflows_on_the_way)
{
    krti_graph *g = graph_new(t);
    krt_value *x = floats(g, KRT_SHAPE(2), -1000, 1000);

    EXPECT(krti_sigmoid(g, x), KRT_SHAPE(2), 0, 1);
    EXPECT(krti_softplus(g, x), KRT_SHAPE(2), 0, 1000);
    EXPECT(krti_log_sigmoid(g, x), KRT_SHAPE(2), -1000, 0);
    EXPECT(krti_silu(g, x), KRT_SHAPE(2), 0, 1000);
    EXPECT(krti_mish(g, x), KRT_SHAPE(2), 0, 1000);
    EXPECT(krti_gelu(g, x), KRT_SHAPE(2), 0, 1000);
    krti_graph_free(g);
}

TEST(not_a_number_stays_one)
{
    krti_graph *g = graph_new(t);
    krt_value *x = floats(g, KRT_SHAPE(2), NAN, 1), *y = floats(g, KRT_SHAPE(2), 1, NAN);

    EXPECT(krti_softplus(g, x), KRT_SHAPE(2), NAN, 1.31326169);
    EXPECT(krti_maximum(g, x, y), KRT_SHAPE(2), NAN, NAN);
    EXPECT(krti_minimum(g, x, y), KRT_SHAPE(2), NAN, NAN);
    EXPECT(krti_clip(g, x, 0, 0.5, 0), KRT_SHAPE(2), NAN, 0.5);
    EXPECT(krti_isnan(g, x), KRT_SHAPE(2), 1, 0);
    EXPECT(krti_isinf(g, floats(g, KRT_SHAPE(3), NAN, -INF, 1)), KRT_SHAPE(3), 0, 1, 0);
    EXPECT(krti_isfinite(g, floats(g, KRT_SHAPE(3), NAN, -INF, 1)), KRT_SHAPE(3), 0, 0, 1);
    krti_graph_free(g);
}

TEST(division_rounds_down_and_its_rest_has_the_divisors_sign)
{
    krti_graph *g = graph_new(t);
    krt_value *a = floats(g, KRT_SHAPE(4), 7, -7, 7, -7),
              *b = floats(g, KRT_SHAPE(4), 3, 3, -3, -3);
    krt_value *i = ints(g, KRT_SHAPE(4), 7, -7, 7, -7), *j = ints(g, KRT_SHAPE(4), 3, 3, -3, -3);

    EXPECT(krti_mod(g, a, b), KRT_SHAPE(4), 1, 2, -2, -1);
    EXPECT(krti_floor_divide(g, a, b), KRT_SHAPE(4), 2, -3, -3, 2);
    EXPECT(krti_mod(g, i, j), KRT_SHAPE(4), 1, 2, -2, -1);
    EXPECT(krti_floor_divide(g, i, j), KRT_SHAPE(4), 2, -3, -3, 2);
    EXPECT_DTYPE(krti_floor_divide(g, i, j), KRT_INT32);
    EXPECT(krti_divide(g, i, j), KRT_SHAPE(4), 7.0 / 3, -7.0 / 3, -7.0 / 3, 7.0 / 3);
    EXPECT_DTYPE(krti_divide(g, i, j), KRT_FLOAT32);
    krti_graph_free(g);
}

TEST(two_inputs_meet)
{
    krti_graph *g = graph_new(t);
    krt_value *a = floats(g, KRT_SHAPE(2), 2, -1), *b = floats(g, KRT_SHAPE(2), 3, 2);

    EXPECT(krti_add(g, a, b), KRT_SHAPE(2), 5, 1);
    EXPECT(krti_subtract(g, a, b), KRT_SHAPE(2), -1, -3);
    EXPECT(krti_multiply(g, a, b), KRT_SHAPE(2), 6, -2);
    EXPECT(krti_power(g, a, b), KRT_SHAPE(2), 8, 1);
    EXPECT(krti_atan2(g, a, b), KRT_SHAPE(2), 0.5880026, -0.46364761);
    EXPECT(krti_squared_difference(g, a, b), KRT_SHAPE(2), 1, 9);
    EXPECT(krti_maximum(g, a, b), KRT_SHAPE(2), 3, 2);
    EXPECT(krti_minimum(g, a, b), KRT_SHAPE(2), 2, -1);
    EXPECT(krti_greater(g, a, b), KRT_SHAPE(2), 0, 0);
    EXPECT(krti_less(g, a, b), KRT_SHAPE(2), 1, 1);
    EXPECT(krti_greater_equal(g, a, a), KRT_SHAPE(2), 1, 1);
    EXPECT(krti_less_equal(g, b, a), KRT_SHAPE(2), 0, 0);
    EXPECT(krti_equal(g, a, floats(g, KRT_SHAPE(1), -1)), KRT_SHAPE(2), 0, 1);
    EXPECT(krti_not_equal(g, a, floats(g, KRT_SHAPE(1), -1)), KRT_SHAPE(2), 1, 0);
    EXPECT_DTYPE(krti_less(g, a, b), KRT_BOOL);
    krti_graph_free(g);
}

TEST(shapes_broadcast)
{
    krti_graph *g = graph_new(t);
    krt_value *a = floats(g, KRT_SHAPE(2, 1, 2), 1, 2, 3, 4);
    krt_value *b = floats(g, KRT_SHAPE(3, 1), 10, 20, 30);

    EXPECT(krti_add(g, a, b), KRT_SHAPE(2, 3, 2), 11, 12, 21, 22, 31, 32, 13, 14, 23, 24, 33, 34);
    EXPECT(krti_subtract(g, b, krti_scalar(g, 1)), KRT_SHAPE(3, 1), 9, 19, 29);
    EXPECT(krti_where(g, bools(g, KRT_SHAPE(2), 1, 0), b, krti_scalar(g, 7)), KRT_SHAPE(3, 2), 10,
           7, 20, 7, 30, 7);
    EXPECT_SHAPE(krti_add(g, shaped(g, N, 3), shaped(g, 4, 1, 3)), 4, N, 3);
    EXPECT_SHAPE(krti_add(g, shaped(g, N, 1), shaped(g, 3)), N, 3);
    EXPECT_SHAPE(krti_add(g, shaped(g, N, 3), shaped(g, 5, 3)), 5, 3);
    EXPECT_SHAPE(krti_add(g, shaped(g, N), shaped(g, 1)), N);
    EXPECT_SHAPE(krti_add(g, shaped(g, 0, 3), shaped(g, 1, 3)), 0, 3);
    EXPECT_FAILS(krti_add(g, shaped(g, N, 3), shaped(g, N, 4)),
                 "shapes (None, 3) and (None, 4) cannot be broadcast");
    EXPECT_FAILS(krti_where(g, shaped(g, 2), shaped(g, 3), shaped(g, 1)),
                 "shapes (2,) and (3,) cannot be broadcast");
    krti_graph_free(g);
}

TEST(where_picks_elements_of_any_width)
{
    static const krt_dtype dtypes[] = {KRT_BOOL, KRT_INT16, KRT_INT32, KRT_FLOAT64, KRT_UINT64};

    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        krti_graph *g = graph_new(t);
        krt_value *a = VALUES(g, dtypes[i], KRT_SHAPE(2, 2), 1, 1, 0, 1);
        krt_value *b = VALUES(g, dtypes[i], KRT_SHAPE(2, 1), 0, 1);
        krt_value *y = krti_where(g, bools(g, KRT_SHAPE(2), 1, 0), a, b);

        EXPECT(y, KRT_SHAPE(2, 2), 1, 0, 0, 1);
        EXPECT_DTYPE(y, dtypes[i]);
        krti_graph_free(g);
    }
}

TEST(an_empty_array_is_no_work)
{
    krti_graph *g = graph_new(t);
    krt_value *x = krti_constant(g, KRT_FLOAT32, KRT_SHAPE(0, 3), "");

    assert_non_null(evaluate(g, krti_add(g, krti_exp(g, x), krti_scalar(g, 1))));
    krti_graph_free(g);
}

TEST(integers_stay_integers_where_keras_keeps_them)
{
    krti_graph *g = graph_new(t);
    krt_value *x = ints(g, KRT_SHAPE(3), -5, 0, 7);

    EXPECT(krti_negative(g, x), KRT_SHAPE(3), 5, 0, -7);
    EXPECT(krti_absolute(g, x), KRT_SHAPE(3), 5, 0, 7);
    EXPECT(krti_sign(g, x), KRT_SHAPE(3), -1, 0, 1);
    EXPECT(krti_square(g, x), KRT_SHAPE(3), 25, 0, 49);
    EXPECT(krti_relu(g, x, 0, 0, 6), KRT_SHAPE(3), 0, 0, 6);
    EXPECT(krti_clip(g, x, -1.5, INF, 0), KRT_SHAPE(3), -1, 0, 7);
    EXPECT_DTYPE(krti_clip(g, x, 0, 1, 0), KRT_INT32);
    EXPECT_DTYPE(krti_square(g, bools(g, KRT_SHAPE(1), 1)), KRT_INT32);
    EXPECT_DTYPE(krti_exp(g, x), KRT_FLOAT32);
    EXPECT_DTYPE(krti_floor(g, x), KRT_FLOAT32);
    EXPECT(krti_power(g, x, ints(g, SCALAR, 3)), KRT_SHAPE(3), -125, 0, 343);
    krti_graph_free(g);
}

/* As NumPy: what does not fit wraps, what cannot be divided is 0. */
TEST(integers_wrap)
{
    krti_graph *g = graph_new(t);
    krt_value *low = VALUES(g, KRT_INT8, KRT_SHAPE(2), -128, 127);
    krt_value *one = VALUES(g, KRT_INT8, KRT_SHAPE(2), -1, 1);
    krt_value *zero = VALUES(g, KRT_INT8, KRT_SHAPE(2), 0, 0);
    krt_value *least = VALUES(g, KRT_INT64, SCALAR, -9223372036854775808.0);
    krt_value *minus = VALUES(g, KRT_INT64, SCALAR, -1);
    krt_value *u = VALUES(g, KRT_UINT8, KRT_SHAPE(1), 3),
              *v = VALUES(g, KRT_UINT8, KRT_SHAPE(1), 5);

    EXPECT(krti_add(g, low, one), KRT_SHAPE(2), 127, -128);
    EXPECT(krti_negative(g, low), KRT_SHAPE(2), -128, -127);
    EXPECT(krti_absolute(g, low), KRT_SHAPE(2), -128, 127);
    EXPECT(krti_multiply(g, low, low), KRT_SHAPE(2), 0, 1);
    EXPECT(krti_floor_divide(g, low, one), KRT_SHAPE(2), -128, 127);
    EXPECT(krti_floor_divide(g, low, zero), KRT_SHAPE(2), 0, 0);
    EXPECT(krti_mod(g, low, zero), KRT_SHAPE(2), 0, 0);
    EXPECT(krti_floor_divide(g, least, minus), SCALAR, -9223372036854775808.0);
    EXPECT(krti_mod(g, least, minus), SCALAR, 0);
    EXPECT(krti_multiply(g, least, minus), SCALAR, -9223372036854775808.0);
    EXPECT(krti_subtract(g, u, v), KRT_SHAPE(1), 254);
    EXPECT(krti_squared_difference(g, u, v), KRT_SHAPE(1), 4);
    EXPECT(krti_power(g, ints(g, KRT_SHAPE(3), 1, -1, 2), ints(g, SCALAR, -3)), KRT_SHAPE(3), 1, -1,
           0);
    krti_graph_free(g);
}

TEST(bools_are_logic)
{
    krti_graph *g = graph_new(t);
    krt_value *a = bools(g, KRT_SHAPE(4), 0, 0, 1, 1), *b = bools(g, KRT_SHAPE(4), 0, 1, 0, 1);
    const krt_shape s = KRT_SHAPE(4);

    EXPECT(krti_logical_and(g, a, b), s, 0, 0, 0, 1);
    EXPECT(krti_logical_or(g, a, b), s, 0, 1, 1, 1);
    EXPECT(krti_logical_xor(g, a, b), s, 0, 1, 1, 0);
    EXPECT(krti_logical_not(g, a), s, 1, 1, 0, 0);
    EXPECT(krti_add(g, a, b), s, 0, 1, 1, 1);
    EXPECT(krti_multiply(g, a, b), s, 0, 0, 0, 1);
    EXPECT_DTYPE(krti_add(g, a, b), KRT_BOOL);
    EXPECT(krti_logical_and(g, floats(g, s, 0, 0.5, 2, -1), b), s, 0, 1, 0, 1);
    EXPECT(krti_equal(g, a, b), s, 1, 0, 0, 1);
    EXPECT_FAILS(krti_subtract(g, a, b), "subtract is not computed in bool");
    krti_graph_free(g);
}

/* keras.backend.result_type, one pair a line. */
TEST(dtypes_are_promoted_as_keras_does)
{
    static const struct {
        krt_dtype a, b, both;
    } rows[] = {
        {KRT_FLOAT32, KRT_FLOAT32, KRT_FLOAT32}, {KRT_FLOAT32, KRT_FLOAT64, KRT_FLOAT64},
        {KRT_INT32, KRT_FLOAT32, KRT_FLOAT32},   {KRT_INT64, KRT_FLOAT32, KRT_FLOAT32},
        {KRT_INT64, KRT_FLOAT16, KRT_FLOAT16},   {KRT_FLOAT16, KRT_BFLOAT16, KRT_FLOAT32},
        {KRT_FLOAT16, KRT_FLOAT32, KRT_FLOAT32}, {KRT_BOOL, KRT_UINT8, KRT_UINT8},
        {KRT_BOOL, KRT_FLOAT32, KRT_FLOAT32},    {KRT_INT8, KRT_INT32, KRT_INT32},
        {KRT_UINT8, KRT_INT8, KRT_INT16},        {KRT_UINT8, KRT_INT32, KRT_INT32},
        {KRT_UINT16, KRT_INT16, KRT_INT32},      {KRT_UINT32, KRT_INT32, KRT_INT64},
        {KRT_UINT64, KRT_INT64, KRT_FLOAT32},    {KRT_UINT8, KRT_UINT32, KRT_UINT32},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ASSERT_STR_EQ(krt_dtype_name(rows[i].both),
                      krt_dtype_name(krti_result_dtype(rows[i].a, rows[i].b)));
        ASSERT_STR_EQ(krt_dtype_name(rows[i].both),
                      krt_dtype_name(krti_result_dtype(rows[i].b, rows[i].a)));
    }
}

TEST(casts_are_c_casts_and_casts_to_the_same_are_nothing)
{
    krti_graph *g = graph_new(t);
    krt_value *x = floats(g, KRT_SHAPE(3), -1.7, 0, 2.9);

    EXPECT(krti_cast(g, x, KRT_INT32), KRT_SHAPE(3), -1, 0, 2);
    EXPECT(krti_cast(g, x, KRT_BOOL), KRT_SHAPE(3), 1, 0, 1);
    ASSERT_TRUE(krti_cast(g, x, KRT_FLOAT32) == x);
    assert_null(krti_cast(g, NULL, KRT_INT32));
    krti_graph_free(g);
}

/* The compiler fuses activations; both ways must give the same numbers. */
TEST(a_fused_activation_is_the_op_itself)
{
    static const krti_op *const ops[] = {&krti_op_relu, &krti_op_gelu, &krti_op_silu,
                                         &krti_op_elu,  &krti_op_clip, &krti_op_affine};
    const float xs[] = {-3, -0.4f, 0, 0.7f, 9};

    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        const krti_activation f = {.op = ops[i], .a = 0.3, .b = 0.1, .c = 5};
        krti_graph *g = graph_new(t);
        krt_value *x = krti_constant(g, KRT_FLOAT32, KRT_SHAPE(5), xs);
        const float *y = evaluate(g, krti_apply(g, x, f));

        for (int j = 0; j < 5; j++)
            ASSERT_TRUE(y[j] == krti_activation_apply(f, xs[j]));
        krti_graph_free(g);
    }
    ASSERT_TRUE(krti_activation_apply((krti_activation){.op = NULL}, 3) == 3);
}

int main(void)
{
    return RUN(UNIT(rounding_follows_numpy), UNIT(functions_are_what_their_names_say),
               UNIT(activations_give_keras_numbers), UNIT(relu_takes_slope_threshold_and_ceiling),
               UNIT(nothing_overflows_on_the_way), UNIT(not_a_number_stays_one),
               UNIT(division_rounds_down_and_its_rest_has_the_divisors_sign), UNIT(two_inputs_meet),
               UNIT(shapes_broadcast), UNIT(where_picks_elements_of_any_width),
               UNIT(an_empty_array_is_no_work), UNIT(integers_stay_integers_where_keras_keeps_them),
               UNIT(integers_wrap), UNIT(bools_are_logic), UNIT(dtypes_are_promoted_as_keras_does),
               UNIT(casts_are_c_casts_and_casts_to_the_same_are_nothing),
               UNIT(a_fused_activation_is_the_op_itself));
}
