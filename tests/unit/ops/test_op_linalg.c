/* Products and Einstein sums. */
#include "ops_testing.h"

TEST(matmul_takes_either_side_transposed)
{
    krti_graph *g = graph_new(t);
    krt_value *a = floats(g, KRT_SHAPE(2, 3), 1, 2, 3, 4, 5, 6);
    krt_value *b = floats(g, KRT_SHAPE(3, 2), 7, 8, 9, 10, 11, 12);
    krt_value *at = krti_transpose(g, a, (int[]){1, 0}), *bt = krti_transpose(g, b, (int[]){1, 0});

    EXPECT(krti_matmul(g, a, b, false, false, NULL), KRT_SHAPE(2, 2), 58, 64, 139, 154);
    EXPECT(krti_matmul(g, at, b, true, false, NULL), KRT_SHAPE(2, 2), 58, 64, 139, 154);
    EXPECT(krti_matmul(g, a, bt, false, true, NULL), KRT_SHAPE(2, 2), 58, 64, 139, 154);
    EXPECT(krti_matmul(g, at, bt, true, true, NULL), KRT_SHAPE(2, 2), 58, 64, 139, 154);
    EXPECT(krti_matmul(g, a, b, false, false, floats(g, KRT_SHAPE(2), 0.5, -1)), KRT_SHAPE(2, 2),
           58.5, 63, 139.5, 153);
    krti_graph_free(g);
}

TEST(matmul_broadcasts_its_batch)
{
    krti_graph *g = graph_new(t);
    krt_value *a = floats(g, KRT_SHAPE(2, 1, 1, 2), 1, 2, 3, 4);
    krt_value *b = floats(g, KRT_SHAPE(3, 2, 1), 1, 10, 2, 20, 3, 30);

    EXPECT(krti_matmul(g, a, b, false, false, NULL), KRT_SHAPE(2, 3, 1, 1), 21, 42, 63, 43, 86,
           129);
    EXPECT_SHAPE(krti_matmul(g, shaped(g, N, 4, 5, 6), shaped(g, 6, 7), false, false, NULL), N, 4,
                 5, 7);
    EXPECT_SHAPE(krti_matmul(g, shaped(g, N, N, 6), shaped(g, N, N, 6), false, true, NULL), N, N,
                 N);
    EXPECT_FAILS(krti_matmul(g, shaped(g, N, 3), shaped(g, 4, 5), false, false, NULL),
                 "matmul of (None, 3) and (4, 5): inner dimensions 3 and 4 differ");
    EXPECT_FAILS(krti_matmul(g, shaped(g, 2, 3, 4), shaped(g, 3, 4, 5), false, false, NULL),
                 "their batch axes cannot be broadcast");
    EXPECT_FAILS(krti_matmul(g, shaped(g, 3), shaped(g, 3, 5), false, false, NULL),
                 "matmul takes rank 2 and more, found (3,) and (3, 5)");
    EXPECT_FAILS(krti_matmul(g, shaped(g, 2, 3), shaped(g, 3, 5), false, false, shaped(g, 4)),
                 "a bias of (4,) does not fit the result (2, 5)");
    krti_graph_free(g);
}

/* Wider than one strip of columns, and nothing to sum. */
TEST(matmul_takes_odd_sizes)
{
    krti_graph *g = graph_new(t);
    krt_value *ones = krti_broadcast_to(g, krti_scalar(g, 1), KRT_SHAPE(3, 5));
    krt_value *b = ramp(g, KRT_FLOAT32, KRT_SHAPE(5, 100), 0, 1);
    const float *y = evaluate(g, krti_matmul(g, ones, b, false, false, NULL));

    for (int i = 0; i < 300; i++)
        ASSERT_TRUE(y[i] == (float)(1000 + 5 * (i % 100)));
    krt_value *none = krti_constant(g, KRT_FLOAT32, KRT_SHAPE(2, 0), "");
    EXPECT(krti_matmul(g, none, none, false, true, NULL), KRT_SHAPE(2, 2), 0, 0, 0, 0);
    krti_graph_free(g);
}

/* What the compiler fuses behind a product. */
TEST(a_product_takes_residual_and_activation)
{
    krti_graph *g = graph_new(t);
    krt_value *in[] = {floats(g, KRT_SHAPE(2, 1), 1, -1), floats(g, KRT_SHAPE(1, 2), 2, 3),
                       floats(g, KRT_SHAPE(2), 1, 1), floats(g, KRT_SHAPE(2, 2), 0.5, 0, 0, 10)};
    krt_value *y = krti_graph_add1(g, &krti_op_matmul, in, 4, &(krti_attrs){.pad.value = 0});

    y->node->activation =
        (krti_activation){.op = &krti_op_relu, .a = 0, .b = 0, .c = (double)INFINITY};
    EXPECT(y, KRT_SHAPE(2, 2), 3.5, 4, 0, 8);
    in[2] = NULL;
    y = krti_graph_add1(g, &krti_op_matmul, in, 4, &(krti_attrs){.pad.value = 0});
    EXPECT(y, KRT_SHAPE(2, 2), 2.5, 3, -2, 7);
    in[3] = floats(g, KRT_SHAPE(1, 2), 1, 1);
    EXPECT_FAILS(krti_graph_add1(g, &krti_op_matmul, in, 4, &(krti_attrs){.pad.value = 0}),
                 "a residual of (1, 2) does not fit the result (2, 2)");
    krti_graph_free(g);
}

TEST(dense_works_on_the_last_axis)
{
    krti_graph *g = graph_new(t);
    krt_value *k = floats(g, KRT_SHAPE(2, 3), 1, 2, 3, 4, 5, 6);
    krt_value *b = floats(g, KRT_SHAPE(3), 100, 200, 300);
    krt_value *x = floats(g, KRT_SHAPE(2, 1, 2), 1, 0, 0, 1);

    EXPECT(krti_dense(g, x, k, b), KRT_SHAPE(2, 1, 3), 101, 202, 303, 104, 205, 306);
    EXPECT(krti_dense(g, floats(g, KRT_SHAPE(2), 1, 1), k, NULL), KRT_SHAPE(3), 5, 7, 9);
    EXPECT_SHAPE(krti_dense(g, shaped(g, N, 2), k, b), N, 3);
    EXPECT_SHAPE(krti_dense(g, shaped(g, N, N, 4, 2), k, b), N, N, 4, 3);
    EXPECT(krti_dense(g, ints(g, KRT_SHAPE(1, 2), 1, 2), k, NULL), KRT_SHAPE(1, 3), 9, 12, 15);
    EXPECT_FAILS(krti_dense(g, shaped(g, N, 5), k, b),
                 "the kernel wants 2 features, the input has 5");
    EXPECT_FAILS(krti_dense(g, shaped(g, N, 5), shaped(g, 5), NULL), "with a kernel of (5,)");
    krti_graph_free(g);
}

/* ------------------------------------------------------------------------------- einsum */

#define EINSUM1(equation, a)    krti_einsum(g, equation, (krt_value *[]){a}, 1)
#define EINSUM2(equation, a, b) krti_einsum(g, equation, (krt_value *[]){a, b}, 2)

TEST(einsum_sums_over_two_inputs)
{
    krti_graph *g = graph_new(t);
    krt_value *a = floats(g, KRT_SHAPE(2, 2), 1, 2, 3, 4),
              *b = floats(g, KRT_SHAPE(2, 2), 5, 6, 7, 8);
    krt_value *v = floats(g, KRT_SHAPE(2), 10, 1);

    EXPECT(EINSUM2("ab,bc->ac", a, b), KRT_SHAPE(2, 2), 19, 22, 43, 50);
    EXPECT(EINSUM2("ab, cb -> ca", a, b), KRT_SHAPE(2, 2), 17, 39, 23, 53);
    EXPECT(EINSUM2("ab,ac->bc", a, b), KRT_SHAPE(2, 2), 26, 30, 38, 44);
    EXPECT(EINSUM2("ab,bc", a, b), KRT_SHAPE(2, 2), 19, 22, 43, 50);
    EXPECT(EINSUM2("ba,cb", a, b), KRT_SHAPE(2, 2), 23, 31, 34, 46);
    EXPECT(EINSUM2("ab,ab->ab", a, b), KRT_SHAPE(2, 2), 5, 12, 21, 32);
    EXPECT(EINSUM2("ab,ab->a", a, b), KRT_SHAPE(2), 17, 53);
    EXPECT(EINSUM2("ab,ab->", a, b), SCALAR, 70);
    EXPECT(EINSUM2("a,b->ba", v, v), KRT_SHAPE(2, 2), 100, 10, 10, 1);
    EXPECT(EINSUM2("ab,b->a", a, v), KRT_SHAPE(2), 12, 34);
    EXPECT(EINSUM2("ab,c->c", a, v), KRT_SHAPE(2), 100, 10);
    krti_graph_free(g);
}

TEST(einsum_sums_over_one_input)
{
    krti_graph *g = graph_new(t);
    krt_value *a = floats(g, KRT_SHAPE(2, 3), 1, 2, 3, 4, 5, 6);

    EXPECT(EINSUM1("ab->ba", a), KRT_SHAPE(3, 2), 1, 4, 2, 5, 3, 6);
    EXPECT(EINSUM1("ab->b", a), KRT_SHAPE(3), 5, 7, 9);
    EXPECT(EINSUM1("ab->", a), SCALAR, 21);
    EXPECT(EINSUM1("ba", a), KRT_SHAPE(3, 2), 1, 4, 2, 5, 3, 6);
    krti_graph_free(g);
}

/* The attention layers' equations. */
TEST(einsum_keeps_batch_axes_apart)
{
    krti_graph *g = graph_new(t);
    krt_value *q = shaped(g, N, 7, 4, 8), *k = shaped(g, N, 9, 4, 8);

    EXPECT_SHAPE(EINSUM2("abc,cde->abde", shaped(g, N, 5, 6), shaped(g, 6, 4, 8)), N, 5, 4, 8);
    EXPECT_SHAPE(EINSUM2("aecd,abcd->acbe", k, q), N, 4, 7, 9);
    EXPECT_SHAPE(EINSUM2("acbe,aecd->abcd", shaped(g, N, 4, 7, 9), k), N, 7, 4, 8);
    EXPECT_SHAPE(EINSUM2("abcd,cde->abe", q, shaped(g, 4, 8, 6)), N, 7, 6);
    krt_value *x = floats(g, KRT_SHAPE(2, 1, 2), 1, 2, 3, 4);
    krt_value *y = floats(g, KRT_SHAPE(2, 2, 1), 1, 10, 1, 100);
    EXPECT(EINSUM2("abc,acd->abd", x, y), KRT_SHAPE(2, 1, 1), 21, 403);
    krti_graph_free(g);
}

TEST(dots_stand_for_axes_that_broadcast)
{
    krti_graph *g = graph_new(t);
    krt_value *x = floats(g, KRT_SHAPE(2, 1, 2), 1, 2, 3, 4);
    krt_value *k = floats(g, KRT_SHAPE(2, 2), 1, 0, 10, 1), *v = floats(g, KRT_SHAPE(2), 1, 10);

    EXPECT(EINSUM2("...a,ab->...b", x, k), KRT_SHAPE(2, 1, 2), 21, 2, 43, 4);
    EXPECT(EINSUM2("...a,...a->...", x, v), KRT_SHAPE(2, 1), 21, 43);
    EXPECT(EINSUM1("a...->...a", k), KRT_SHAPE(2, 2), 1, 10, 0, 1);
    EXPECT(EINSUM2("...ab,...bc->...ac", x, floats(g, KRT_SHAPE(1, 2, 1), 1, 10)),
           KRT_SHAPE(2, 1, 1), 21, 43);
    EXPECT_SHAPE(EINSUM2("...x,xy->...y", shaped(g, N, N, 3), shaped(g, 3, 5)), N, N, 5);
    krti_graph_free(g);
}

TEST(einsum_says_what_it_cannot_do)
{
    krti_graph *g = graph_new(t);
    krt_value *a = shaped(g, 2, 3), *b = shaped(g, 4, 5), *c = shaped(g, 3, 3);

    EXPECT_FAILS(EINSUM1("aa->a", c), "(a diagonal) is not supported");
    EXPECT_FAILS(EINSUM2("ab,bc->ac", a, b), "the inputs disagree about the size of an axis");
    EXPECT_FAILS(EINSUM2("ab,cd->abe", a, b), "the result has an axis that no input has");
    EXPECT_FAILS(EINSUM2("abc,cd->abd", a, b), "an input's rank is not that of its term");
    EXPECT_FAILS(EINSUM1("ab,bc->ac", a), "another number of inputs");
    EXPECT_FAILS(EINSUM2("ab->ab", a, b), "another number of inputs");
    EXPECT_FAILS(EINSUM1("a1->a", a), "only letters");
    EXPECT_FAILS(EINSUM1("ab-a", a), "\"->\" is expected");
    EXPECT_FAILS(EINSUM1("...->", a), "the result lacks the inputs' \"...\"");
    EXPECT_FAILS(EINSUM1("", a), "rank");
    EXPECT_FAILS(EINSUM1("abcdefghijklmnopq->a", a), "rank");
    EXPECT_FAILS(krti_einsum(g, "a,b,c->a", (krt_value *[]){a, b, c}, 3), "over 3 inputs");
    ASSERT_INT_EQ(KRT_E_UNSUPPORTED, krt_ctx_error(t->k)->status);
    krti_graph_free(g);
}

int main(void)
{
    return RUN(UNIT(matmul_takes_either_side_transposed), UNIT(matmul_broadcasts_its_batch),
               UNIT(matmul_takes_odd_sizes), UNIT(a_product_takes_residual_and_activation),
               UNIT(dense_works_on_the_last_axis), UNIT(einsum_sums_over_two_inputs),
               UNIT(einsum_sums_over_one_input), UNIT(einsum_keeps_batch_axes_apart),
               UNIT(dots_stand_for_axes_that_broadcast), UNIT(einsum_says_what_it_cannot_do));
}
