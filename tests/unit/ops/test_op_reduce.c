/* Reductions, scans and sorting. */
#include "ops_testing.h"

static krt_value *cube(krti_graph *g)
{
    return ramp(g, KRT_FLOAT32, KRT_SHAPE(2, 3, 2), 1, 1); /* 1..12 */
}

TEST(any_set_of_axes_can_go)
{
    krti_graph *g = graph_new(t);
    krt_value *x = cube(g);

    EXPECT(krti_reduce_sum(g, x, NULL, 0, false), SCALAR, 78);
    EXPECT(krti_reduce_sum(g, x, NULL, 0, true), KRT_SHAPE(1, 1, 1), 78);
    EXPECT(krti_reduce_sum(g, x, (int[]){0}, 1, false), KRT_SHAPE(3, 2), 8, 10, 12, 14, 16, 18);
    EXPECT(krti_reduce_sum(g, x, (int[]){1}, 1, false), KRT_SHAPE(2, 2), 9, 12, 27, 30);
    EXPECT(krti_reduce_sum(g, x, (int[]){-1}, 1, true), KRT_SHAPE(2, 3, 1), 3, 7, 11, 15, 19, 23);
    EXPECT(krti_reduce_sum(g, x, (int[]){0, 2}, 2, false), KRT_SHAPE(3), 18, 26, 34);
    EXPECT(krti_reduce_sum(g, x, (int[]){1, 0}, 2, false), KRT_SHAPE(2), 36, 42);
    EXPECT(krti_reduce_sum(g, x, (int[]){-1, -2}, 2, false), KRT_SHAPE(2), 21, 57);
    EXPECT(krti_reduce_sum(g, floats(g, SCALAR, 5), NULL, 0, false), SCALAR, 5);
    krti_graph_free(g);
}

TEST(each_kind_reduces)
{
    krti_graph *g = graph_new(t);
    krt_value *x = floats(g, KRT_SHAPE(2, 3), 1, -2, 3, 4, 0.5, -6);
    krt_value *b = bools(g, KRT_SHAPE(2, 2), 1, 0, 1, 1);
    const int last[] = {1};

    EXPECT(krti_reduce_mean(g, x, last, 1, false), KRT_SHAPE(2), 2.0 / 3, -0.5);
    EXPECT(krti_reduce_prod(g, x, last, 1, false), KRT_SHAPE(2), -6, -12);
    EXPECT(krti_reduce_max(g, x, last, 1, false), KRT_SHAPE(2), 3, 4);
    EXPECT(krti_reduce_min(g, x, last, 1, false), KRT_SHAPE(2), -2, -6);
    EXPECT(krti_reduce_any(g, b, last, 1, false), KRT_SHAPE(2), 1, 1);
    EXPECT(krti_reduce_all(g, b, last, 1, false), KRT_SHAPE(2), 0, 1);
    EXPECT(krti_reduce_all(g, floats(g, KRT_SHAPE(2), 0.5, -1), NULL, 0, false), SCALAR, 1);
    EXPECT(krti_reduce_max(g, floats(g, KRT_SHAPE(3), 1, NAN, 2), NULL, 0, false), SCALAR, NAN);
    EXPECT(krti_reduce_min(g, floats(g, KRT_SHAPE(3), 1, NAN, 2), NULL, 0, false), SCALAR, NAN);
    krti_graph_free(g);
}

/* As Keras: bool and narrow integers are summed in 32 bits, means are floats. */
TEST(narrow_integers_widen)
{
    krti_graph *g = graph_new(t);
    krt_value *u8 = VALUES(g, KRT_UINT8, KRT_SHAPE(3), 200, 200, 200);
    krt_value *i8 = VALUES(g, KRT_INT8, KRT_SHAPE(2), -100, -100);
    krt_value *b = bools(g, KRT_SHAPE(3), 1, 1, 0);

    EXPECT(krti_reduce_sum(g, u8, NULL, 0, false), SCALAR, 600);
    EXPECT_DTYPE(krti_reduce_sum(g, u8, NULL, 0, false), KRT_UINT32);
    EXPECT(krti_reduce_sum(g, i8, NULL, 0, false), SCALAR, -200);
    EXPECT_DTYPE(krti_reduce_prod(g, i8, NULL, 0, false), KRT_INT32);
    EXPECT(krti_reduce_sum(g, b, NULL, 0, false), SCALAR, 2);
    EXPECT_DTYPE(krti_reduce_sum(g, b, NULL, 0, false), KRT_INT32);
    EXPECT(krti_reduce_mean(g, u8, NULL, 0, false), SCALAR, 200);
    EXPECT_DTYPE(krti_reduce_mean(g, u8, NULL, 0, false), KRT_FLOAT32);
    EXPECT(krti_reduce_max(g, i8, NULL, 0, false), SCALAR, -100);
    EXPECT_DTYPE(krti_reduce_max(g, i8, NULL, 0, false), KRT_INT8);
    EXPECT_DTYPE(krti_reduce_max(g, b, NULL, 0, false), KRT_BOOL);
    EXPECT(krti_reduce_min(g, VALUES(g, KRT_UINT64, KRT_SHAPE(2), 9, 7), NULL, 0, false), SCALAR,
           7);
    krti_graph_free(g);
}

/* A sum in float32 would stop at 2^24. */
TEST(sums_are_kept_in_double)
{
    krti_graph *g = graph_new(t);
    krt_value *big = krti_broadcast_to(g, krti_scalar(g, 16777216), KRT_SHAPE(1));
    krt_value *ones = krti_broadcast_to(g, krti_scalar(g, 1), KRT_SHAPE(64));
    krt_value *x = krti_concat(g, (krt_value *[]){big, ones}, 2, 0);
    const float *y = evaluate(g, krti_reduce_sum(g, x, NULL, 0, false));

    ASSERT_TRUE(y[0] == 16777280.0f);
    krti_graph_free(g);
}

TEST(nothing_reduces_to_its_neutral_element)
{
    krti_graph *g = graph_new(t);
    krt_value *x = krti_constant(g, KRT_FLOAT32, KRT_SHAPE(2, 0), "");
    const int last[] = {1};

    EXPECT(krti_reduce_sum(g, x, last, 1, false), KRT_SHAPE(2), 0, 0);
    EXPECT(krti_reduce_prod(g, x, last, 1, false), KRT_SHAPE(2), 1, 1);
    EXPECT(krti_reduce_max(g, x, last, 1, false), KRT_SHAPE(2), -INFINITY, -INFINITY);
    EXPECT(krti_reduce_min(g, x, last, 1, false), KRT_SHAPE(2), INFINITY, INFINITY);
    krti_graph_free(g);
}

/* Wider than the strip of results that is kept at a time. */
TEST(many_results_side_by_side_are_those_of_each)
{
    krti_graph *g = graph_new(t);
    krt_value *x = ramp(g, KRT_FLOAT32, KRT_SHAPE(2, 150), 0, 1);
    const float *y = evaluate(g, krti_reduce_sum(g, x, (int[]){0}, 1, false));

    for (int i = 0; i < 150; i++)
        ASSERT_TRUE(y[i] == (float)(150 + 2 * i));
    krti_graph_free(g);
}

TEST(reduced_shapes_keep_what_is_unknown)
{
    krti_graph *g = graph_new(t);
    krt_value *x = shaped(g, N, 4, 3);

    EXPECT_SHAPE(krti_reduce_mean(g, x, (int[]){1}, 1, false), N, 3);
    EXPECT_SHAPE(krti_reduce_mean(g, x, (int[]){-1}, 1, true), N, 4, 1);
    EXPECT_FAILS(krti_reduce_mean(g, x, (int[]){3}, 1, false), "axis 3 is out of range for rank 3");
    EXPECT_FAILS(krti_argmax(g, shaped(g, 2, 0), 1, false), "argmax along an empty axis of (2, 0)");
    krti_graph_free(g);
}

TEST(the_first_of_the_largest_is_found)
{
    krti_graph *g = graph_new(t);
    krt_value *x = floats(g, KRT_SHAPE(2, 3), 1, 3, 3, -1, -5, -5);

    EXPECT(krti_argmax(g, x, -1, false), KRT_SHAPE(2), 1, 0);
    EXPECT(krti_argmin(g, x, 1, true), KRT_SHAPE(2, 1), 0, 1);
    EXPECT(krti_argmax(g, x, 0, false), KRT_SHAPE(3), 0, 0, 0);
    EXPECT(krti_argmax(g, floats(g, KRT_SHAPE(3), 1, NAN, 3), 0, false), SCALAR, 2);
    EXPECT(krti_argmin(g, floats(g, KRT_SHAPE(3), NAN, 1, 2), 0, false), SCALAR, 1);
    EXPECT(krti_argmax(g, floats(g, KRT_SHAPE(4), NAN, 1, NAN, 2), 0, false), SCALAR, 3);
    EXPECT(krti_argmax(g, floats(g, KRT_SHAPE(2), NAN, NAN), 0, false), SCALAR, 0);
    EXPECT(krti_argmax(g, floats(g, KRT_SHAPE(2), NAN, -INFINITY), 0, false), SCALAR, 0);
    EXPECT(krti_argmin(g, floats(g, KRT_SHAPE(2), NAN, -INFINITY), 0, false), SCALAR, 1);
    EXPECT_DTYPE(krti_argmax(g, x, 0, false), KRT_INT32);
    krti_graph_free(g);
}

TEST(sums_run_both_ways)
{
    krti_graph *g = graph_new(t);
    krt_value *x = floats(g, KRT_SHAPE(2, 3), 1, 2, 3, 4, 5, 6);

    EXPECT(krti_cumsum(g, x, 1, false, false), KRT_SHAPE(2, 3), 1, 3, 6, 4, 9, 15);
    EXPECT(krti_cumsum(g, x, 0, false, false), KRT_SHAPE(2, 3), 1, 2, 3, 5, 7, 9);
    EXPECT(krti_cumsum(g, x, 1, true, false), KRT_SHAPE(2, 3), 0, 1, 3, 0, 4, 9);
    EXPECT(krti_cumsum(g, x, -1, false, true), KRT_SHAPE(2, 3), 6, 5, 3, 15, 11, 6);
    EXPECT(krti_cumsum(g, x, -1, true, true), KRT_SHAPE(2, 3), 5, 3, 0, 11, 6, 0);
    EXPECT(krti_cumsum(g, bools(g, KRT_SHAPE(3), 1, 0, 1), 0, false, false), KRT_SHAPE(3), 1, 1, 2);
    krti_graph_free(g);
}

TEST(rows_and_columns_are_sorted)
{
    krti_graph *g = graph_new(t);
    krt_value *x = floats(g, KRT_SHAPE(2, 4), 3, 1, 2, -7, 0, NAN, -1, 5);

    EXPECT(krti_sort(g, x, -1), KRT_SHAPE(2, 4), -7, 1, 2, 3, -1, 0, 5, NAN);
    EXPECT(krti_sort(g, x, 0), KRT_SHAPE(2, 4), 0, 1, -1, -7, 3, NAN, 2, 5);
    EXPECT(krti_sort(g, ints(g, KRT_SHAPE(5), 2, -3, 2, 9, 0), 0), KRT_SHAPE(5), -3, 0, 2, 2, 9);
    EXPECT(krti_sort(g, floats(g, KRT_SHAPE(1), 4), 0), KRT_SHAPE(1), 4);
    krti_graph_free(g);
}

TEST(moments_are_mean_and_biased_variance)
{
    krti_graph *g = graph_new(t);
    krt_value *x = floats(g, KRT_SHAPE(2, 3), 1, 2, 3, 4, 4, 10), *mean, *variance;

    ASSERT_OK(krti_moments(g, x, (int[]){-1}, 1, &mean, &variance));
    EXPECT(mean, KRT_SHAPE(2, 1), 2, 6);
    EXPECT(variance, KRT_SHAPE(2, 1), 2.0 / 3, 8);
    krti_graph_free(g);
}

int main(void)
{
    return RUN(UNIT(any_set_of_axes_can_go), UNIT(each_kind_reduces), UNIT(narrow_integers_widen),
               UNIT(sums_are_kept_in_double), UNIT(nothing_reduces_to_its_neutral_element),
               UNIT(many_results_side_by_side_are_those_of_each),
               UNIT(reduced_shapes_keep_what_is_unknown), UNIT(the_first_of_the_largest_is_found),
               UNIT(sums_run_both_ways), UNIT(rows_and_columns_are_sorted),
               UNIT(moments_are_mean_and_biased_variance));
}
