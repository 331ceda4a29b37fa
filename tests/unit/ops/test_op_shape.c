/* Ops that move elements. */
#include "ops_testing.h"

static krt_value *table(krti_graph *g)
{
    return floats(g, KRT_SHAPE(2, 3), 1, 2, 3, 4, 5, 6);
}

TEST(reshape_fills_in_what_can_be_known)
{
    krti_graph *g = graph_new(t);
    krt_value *x = table(g);

    EXPECT(krti_reshape(g, x, KRT_SHAPE(3, -1)), KRT_SHAPE(3, 2), 1, 2, 3, 4, 5, 6);
    EXPECT_SHAPE(krti_reshape(g, shaped(g, N, 7, 7, 4), KRT_SHAPE(N, -1)), N, 196);
    EXPECT_SHAPE(krti_reshape(g, shaped(g, N, 7, 4), KRT_SHAPE(-1, 4)), N, 4);
    EXPECT_SHAPE(krti_reshape(g, shaped(g, N, N, 4), KRT_SHAPE(N, -1)), N, N);
    EXPECT_SHAPE(krti_reshape(g, shaped(g, N, 6), KRT_SHAPE(N, 2, 3)), N, 2, 3);
    ASSERT_TRUE(krti_reshape(g, x, KRT_SHAPE(2, 3)) == x);
    EXPECT_FAILS(krti_reshape(g, x, KRT_SHAPE(4, 2)),
                 "The total size of the tensor must be unchanged: (2, 3) cannot become (4, 2)");
    EXPECT_FAILS(krti_reshape(g, x, KRT_SHAPE(4, -1)), "must be unchanged");
    EXPECT_FAILS(krti_reshape(g, x, KRT_SHAPE(-1, -1)), "one -1");
    EXPECT_FAILS(krti_reshape(g, x, KRT_SHAPE(-2, 3)), "one -1");
    EXPECT_FAILS(krti_reshape(g, x, ((krt_shape){.rank = 9})), "reshape to rank 9");
    EXPECT_FAILS(krti_reshape(g, x, KRT_SHAPE((int64_t)1 << 62, 4, -1)), "");
    krti_graph_free(g);
}

TEST(ones_come_and_go)
{
    krti_graph *g = graph_new(t);
    krt_value *x = shaped(g, N, 1, 3, 1);

    EXPECT_SHAPE(krti_expand_dims(g, table(g), 1), 2, 1, 3);
    EXPECT_SHAPE(krti_expand_dims(g, table(g), -1), 2, 3, 1);
    EXPECT_SHAPE(krti_expand_dims(g, shaped(g, N, N), 1), N, 1, N);
    EXPECT_SHAPE(krti_squeeze(g, x, NULL, 0), N, 3);
    EXPECT_SHAPE(krti_squeeze(g, x, (int[]){-1}, 1), N, 1, 3);
    EXPECT_FAILS(krti_squeeze(g, table(g), (int[]){1}, 1), "squeeze of axis 1 of (2, 3)");
    EXPECT_FAILS(krti_expand_dims(g, table(g), 3), "axis 3 is out of range for rank 3");
    krti_graph_free(g);
}

TEST(transpose_permutes)
{
    krti_graph *g = graph_new(t);
    krt_value *x = table(g), *cube = ramp(g, KRT_INT16, KRT_SHAPE(2, 2, 3), 0, 1);

    EXPECT(krti_transpose(g, x, (int[]){1, 0}), KRT_SHAPE(3, 2), 1, 4, 2, 5, 3, 6);
    EXPECT(krti_transpose(g, cube, (int[]){2, 0, 1}), KRT_SHAPE(3, 2, 2), 0, 3, 6, 9, 1, 4, 7, 10,
           2, 5, 8, 11);
    EXPECT(krti_transpose(g, cube, (int[]){1, 0, -1}), KRT_SHAPE(2, 2, 3), 0, 1, 2, 6, 7, 8, 3, 4,
           5, 9, 10, 11);
    EXPECT_SHAPE(krti_transpose(g, shaped(g, N, 4, 5), (int[]){0, 2, 1}), N, 5, 4);
    ASSERT_TRUE(krti_transpose(g, x, (int[]){0, 1}) == x);
    EXPECT_FAILS(krti_transpose(g, x, (int[]){0, 0}), "transpose of (2, 3) takes each axis once");
    krti_graph_free(g);
}

TEST(concat_and_stack_join)
{
    krti_graph *g = graph_new(t);
    krt_value *x = table(g), *y = ints(g, KRT_SHAPE(2, 1), 7, 8);

    EXPECT(krti_concat(g, (krt_value *[]){x, y}, 2, -1), KRT_SHAPE(2, 4), 1, 2, 3, 7, 4, 5, 6, 8);
    EXPECT(krti_concat(g, (krt_value *[]){x, x}, 2, 0), KRT_SHAPE(4, 3), 1, 2, 3, 4, 5, 6, 1, 2, 3,
           4, 5, 6);
    EXPECT(krti_stack(g, (krt_value *[]){y, y}, 2, 1), KRT_SHAPE(2, 2, 1), 7, 7, 8, 8);
    EXPECT_DTYPE(krti_concat(g, (krt_value *[]){x, y}, 2, 1), KRT_FLOAT32);
    krt_value *a = shaped(g, N, 3, 4), *b = shaped(g, 5, N, 4), *c = shaped(g, N, 3, 5);
    EXPECT_SHAPE(krti_concat(g, (krt_value *[]){a, b}, 2, 1), 5, N, 4);
    EXPECT_SHAPE(krti_concat(g, (krt_value *[]){a, a}, 2, -2), N, 6, 4);
    EXPECT_FAILS(krti_concat(g, (krt_value *[]){a, c}, 2, 1),
                 "concat along axis 1 of (None, 3, 4) and (None, 3, 5)");
    EXPECT_FAILS(krti_concat(g, (krt_value *[]){a, x}, 2, 1), "(None, 3, 4) and (2, 3)");
    EXPECT_FAILS(krti_concat(g, NULL, 0, 0), "concat takes 1");
    krti_graph_free(g);
}

TEST(slices_are_numpys)
{
    krti_graph *g = graph_new(t);
    krt_value *x = ramp(g, KRT_FLOAT32, KRT_SHAPE(6), 0, 1);

    EXPECT(krti_slice_axis(g, x, 0, 1, 4, 1), KRT_SHAPE(3), 1, 2, 3);
    EXPECT(krti_slice_axis(g, x, 0, 1, N, 2), KRT_SHAPE(3), 1, 3, 5);
    EXPECT(krti_slice_axis(g, x, 0, 4, 0, -2), KRT_SHAPE(2), 4, 2);
    EXPECT(krti_slice_axis(g, x, 0, 5, N, -1), KRT_SHAPE(6), 5, 4, 3, 2, 1, 0);
    EXPECT(krti_slice_axis(g, x, 0, N, N, -3), KRT_SHAPE(2), 5, 2);
    EXPECT(krti_slice_axis(g, x, 0, -2, N, 1), KRT_SHAPE(2), 4, 5);
    EXPECT(krti_slice_axis(g, x, 0, -100, 100, 1), KRT_SHAPE(6), 0, 1, 2, 3, 4, 5);
    EXPECT_SHAPE(krti_slice_axis(g, x, 0, 3, 3, 1), 0);
    EXPECT_SHAPE(krti_slice_axis(g, x, 0, 4, 2, 1), 0);
    EXPECT_SHAPE(krti_slice_axis(g, x, 0, -100, N, -1), 0);
    EXPECT(krti_slice(g, table(g), (int64_t[]){1, 2}, (int64_t[]){2, N}, (int64_t[]){1, -2}),
           KRT_SHAPE(1, 2), 6, 4);
    EXPECT_SHAPE(krti_slice_axis(g, shaped(g, N, 5), 1, 1, 3, 1), N, 2);
    EXPECT_SHAPE(krti_slice_axis(g, shaped(g, N, 5), 0, 1, 3, 1), N, 5);
    EXPECT_FAILS(krti_slice_axis(g, x, 0, 0, 3, 0), "slice step of axis 0 is 0");
    krti_graph_free(g);
}

TEST(padding_fills_mirrors_and_repeats)
{
    krti_graph *g = graph_new(t);
    krt_value *x = floats(g, KRT_SHAPE(3), 1, 2, 3);
    const int64_t two[] = {2}, one[] = {1}, zero[] = {0};

    EXPECT(krti_pad(g, x, one, two, KRTI_PAD_CONSTANT, 9), KRT_SHAPE(6), 9, 1, 2, 3, 9, 9);
    EXPECT(krti_pad(g, x, two, one, KRTI_PAD_REFLECT, 0), KRT_SHAPE(6), 3, 2, 1, 2, 3, 2);
    EXPECT(krti_pad(g, x, two, one, KRTI_PAD_SYMMETRIC, 0), KRT_SHAPE(6), 2, 1, 1, 2, 3, 3);
    EXPECT(krti_pad(g, x, two, one, KRTI_PAD_EDGE, 0), KRT_SHAPE(6), 1, 1, 1, 2, 3, 3);
    EXPECT(krti_pad(g, table(g), (int64_t[]){0, 1}, (int64_t[]){1, 0}, KRTI_PAD_CONSTANT, -1),
           KRT_SHAPE(3, 4), -1, 1, 2, 3, -1, 4, 5, 6, -1, -1, -1, -1);
    EXPECT(krti_pad(g, table(g), (int64_t[]){1, 0}, (int64_t[]){0, 0}, KRTI_PAD_CONSTANT, 0),
           KRT_SHAPE(3, 3), 0, 0, 0, 1, 2, 3, 4, 5, 6);
    EXPECT(krti_pad(g, ints(g, KRT_SHAPE(1), 5), one, one, KRTI_PAD_CONSTANT, 7), KRT_SHAPE(3), 7,
           5, 7);
    ASSERT_TRUE(krti_pad(g, x, zero, zero, KRTI_PAD_EDGE, 0) == x);
    EXPECT_SHAPE(
        krti_pad(g, shaped(g, N, 3), (int64_t[]){0, 1}, (int64_t[]){1, 1}, KRTI_PAD_CONSTANT, 0), N,
        5);
    EXPECT_FAILS(krti_pad(g, x, (int64_t[]){3}, zero, KRTI_PAD_REFLECT, 0),
                 "padding (3, 0) does not fit axis 0 of (3,)");
    EXPECT_FAILS(krti_pad(g, x, (int64_t[]){-1}, zero, KRTI_PAD_CONSTANT, 0), "padding (-1, 0)");
    krti_graph_free(g);
}

TEST(tile_repeat_and_broadcast_multiply)
{
    krti_graph *g = graph_new(t);
    krt_value *x = floats(g, KRT_SHAPE(2, 2), 1, 2, 3, 4);

    EXPECT(krti_tile(g, x, (int64_t[]){1, 2}), KRT_SHAPE(2, 4), 1, 2, 1, 2, 3, 4, 3, 4);
    EXPECT(krti_tile(g, x, (int64_t[]){2, 1}), KRT_SHAPE(4, 2), 1, 2, 3, 4, 1, 2, 3, 4);
    EXPECT_SHAPE(krti_tile(g, x, (int64_t[]){0, 1}), 0, 2);
    EXPECT(krti_repeat(g, x, 2, 1), KRT_SHAPE(2, 4), 1, 1, 2, 2, 3, 3, 4, 4);
    EXPECT(krti_repeat(g, x, 2, -2), KRT_SHAPE(4, 2), 1, 2, 1, 2, 3, 4, 3, 4);
    EXPECT(krti_repeat(g, ramp(g, KRT_INT8, KRT_SHAPE(1, 2, 2, 1), 0, 1), 2, 2),
           KRT_SHAPE(1, 2, 4, 1), 0, 0, 1, 1, 2, 2, 3, 3);
    EXPECT(krti_broadcast_to(g, floats(g, KRT_SHAPE(2, 1), 1, 2), KRT_SHAPE(2, 2, 2)),
           KRT_SHAPE(2, 2, 2), 1, 1, 2, 2, 1, 1, 2, 2);
    EXPECT_SHAPE(krti_broadcast_to(g, shaped(g, N, 1), KRT_SHAPE(N, 4)), N, 4);
    EXPECT_SHAPE(krti_tile(g, shaped(g, N, 3), (int64_t[]){2, 2}), N, 6);
    EXPECT_FAILS(krti_broadcast_to(g, x, KRT_SHAPE(2, 3)), "shape (2, 2) cannot be broadcast to");
    EXPECT_FAILS(krti_broadcast_to(g, x, KRT_SHAPE(2, 1)), "cannot be broadcast to (2, 1)");
    EXPECT_FAILS(krti_tile(g, x, (int64_t[]){-1, 1}), "tile takes counts of 0 and more, found -1");
    EXPECT_FAILS(krti_repeat(g, x, -1, 0), "repeat takes a count of 0 or more, found -1");
    krti_graph_free(g);
}

TEST(gather_takes_along_an_axis)
{
    krti_graph *g = graph_new(t);
    krt_value *x = table(g), *at = ints(g, KRT_SHAPE(2, 2), 2, 0, -1, -3);

    EXPECT(krti_gather(g, x, at, 1), KRT_SHAPE(2, 2, 2), 3, 1, 3, 1, 6, 4, 6, 4);
    EXPECT(krti_gather(g, x, VALUES(g, KRT_UINT8, KRT_SHAPE(3), 1, 0, 1), 0), KRT_SHAPE(3, 3), 4, 5,
           6, 1, 2, 3, 4, 5, 6);
    EXPECT(krti_gather(g, x, VALUES(g, KRT_INT64, SCALAR, 1), -1), KRT_SHAPE(2), 2, 5);
    EXPECT(krti_gather(g, x, floats(g, KRT_SHAPE(1), 1), 0), KRT_SHAPE(1, 3), 4, 5, 6);
    EXPECT_SHAPE(krti_gather(g, shaped(g, 100, 8), krti_input(g, KRT_INT32, KRT_SHAPE(N, 7)), 0), N,
                 7, 8);
    EXPECT_FAILS(krti_gather(g, krti_scalar(g, 1), at, 0), "out of range for rank 0");
    krti_graph_free(g);
}

TEST(what_gather_cannot_reach_is_not_a_number_or_zero)
{
    krti_graph *g = graph_new(t);
    krt_value *at = VALUES(g, KRT_INT64, KRT_SHAPE(3), 5, -4, 1);

    EXPECT(krti_gather(g, floats(g, KRT_SHAPE(3, 1), 1, 2, 3), at, 0), KRT_SHAPE(3, 1), NAN, NAN,
           2);
    EXPECT(krti_gather(g, ints(g, KRT_SHAPE(3), 1, 2, 3), at, 0), KRT_SHAPE(3), 0, 0, 2);
    krti_graph_free(g);
}

TEST(one_hot_marks_what_is_in_range)
{
    krti_graph *g = graph_new(t);
    krt_value *at = ints(g, KRT_SHAPE(3), 1, -1, 3);

    EXPECT(krti_one_hot(g, at, 3, -1, KRT_FLOAT32), KRT_SHAPE(3, 3), 0, 1, 0, 0, 0, 0, 0, 0, 0);
    EXPECT(krti_one_hot(g, at, 4, 0, KRT_INT32), KRT_SHAPE(4, 3), 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
           1);
    EXPECT_DTYPE(krti_one_hot(g, at, 3, -1, KRT_BOOL), KRT_BOOL);
    EXPECT_SHAPE(krti_one_hot(g, shaped(g, N, 2), 5, -1, KRT_FLOAT32), N, 2, 5);
    EXPECT_FAILS(krti_one_hot(g, at, -5, -1, KRT_FLOAT32), "one_hot of (3,) with depth -5");
    krti_graph_free(g);
}

int main(void)
{
    return RUN(UNIT(reshape_fills_in_what_can_be_known), UNIT(ones_come_and_go),
               UNIT(transpose_permutes), UNIT(concat_and_stack_join), UNIT(slices_are_numpys),
               UNIT(padding_fills_mirrors_and_repeats), UNIT(tile_repeat_and_broadcast_multiply),
               UNIT(gather_takes_along_an_axis),
               UNIT(what_gather_cannot_reach_is_not_a_number_or_zero),
               UNIT(one_hot_marks_what_is_in_range));
}
