/* Normalization and softmax. */
#include "ops_testing.h"

TEST(batch_norm_scales_each_channel)
{
    krti_graph *g = graph_new(t);
    krt_value *x = floats(g, KRT_SHAPE(2, 2), 1, 2, 3, 6);
    krt_value *mean = floats(g, KRT_SHAPE(2), 1, 2), *variance = floats(g, KRT_SHAPE(2), 3, 15);
    krt_value *gamma = floats(g, KRT_SHAPE(2), 2, 4), *beta = floats(g, KRT_SHAPE(2), 10, 20);

    EXPECT(krti_batch_norm(g, x, mean, variance, gamma, beta, -1, 1), KRT_SHAPE(2, 2), 10, 20, 12,
           24);
    EXPECT(krti_batch_norm(g, x, mean, variance, NULL, NULL, -1, 1), KRT_SHAPE(2, 2), 0, 0, 1, 1);
    EXPECT(krti_batch_norm(g, x, mean, variance, NULL, beta, 0, 1), KRT_SHAPE(2, 2), 10, 10.5,
           20.25, 21);
    EXPECT_SHAPE(krti_batch_norm(g, shaped(g, N, 4, 4, 2), mean, variance, gamma, NULL, -1, 1e-3),
                 N, 4, 4, 2);
    EXPECT_FAILS(krti_batch_norm(g, shaped(g, N, 3), mean, variance, NULL, NULL, 1, 1e-3),
                 "batch_norm along axis 1 of (None, 3) does not fit statistics of (2,)");
    krti_graph_free(g);
}

TEST(layer_norm_scales_each_row)
{
    krti_graph *g = graph_new(t);
    krt_value *x = floats(g, KRT_SHAPE(2, 2), 1, 3, 10, 14);
    krt_value *gamma = floats(g, KRT_SHAPE(2), 1, 2), *beta = floats(g, KRT_SHAPE(2), 5, 6);

    EXPECT(krti_layer_norm(g, x, NULL, NULL, 3), KRT_SHAPE(2, 2), -0.5, 0.5, -0.75592895,
           0.75592895);
    EXPECT(krti_layer_norm(g, x, gamma, beta, 3), KRT_SHAPE(2, 2), 4.5, 7, 4.24407105, 7.5118579);
    EXPECT_FAILS(krti_layer_norm(g, shaped(g, N, 3), gamma, NULL, 1e-3), "statistics of (2,)");
    EXPECT_FAILS(krti_layer_norm(g, krti_scalar(g, 1), NULL, NULL, 1e-3), "rank 1 and more");
    krti_graph_free(g);
}

TEST(softmax_adds_up_to_one_along_its_axis)
{
    krti_graph *g = graph_new(t);
    krt_value *x = floats(g, KRT_SHAPE(2, 2), 0, 0.69314718, 1.09861229, 0);

    EXPECT(krti_softmax(g, x, -1), KRT_SHAPE(2, 2), 1.0 / 3, 2.0 / 3, 0.75, 0.25);
    EXPECT(krti_softmax(g, x, 0), KRT_SHAPE(2, 2), 0.25, 2.0 / 3, 0.75, 1.0 / 3);
    EXPECT(krti_log_softmax(g, x, -1), KRT_SHAPE(2, 2), -1.09861229, -0.40546511, -0.28768207,
           -1.38629436);
    EXPECT_SHAPE(krti_softmax(g, shaped(g, N, 3, 4), 1), N, 3, 4);
    EXPECT_FAILS(krti_softmax(g, x, 2), "axis 2 is out of range for rank 2");
    krti_graph_free(g);
}

TEST(softmax_of_large_numbers_is_stable)
{
    krti_graph *g = graph_new(t);
    krt_value *x = floats(g, KRT_SHAPE(3), 1000, 1000, -1000);
    krt_value *masked = floats(g, KRT_SHAPE(2), 1, -INFINITY);

    EXPECT(krti_softmax(g, x, 0), KRT_SHAPE(3), 0.5, 0.5, 0);
    EXPECT(krti_log_softmax(g, x, 0), KRT_SHAPE(3), -0.69314718, -0.69314718, -2000.69314718);
    EXPECT(krti_softmax(g, masked, 0), KRT_SHAPE(2), 1, 0);
    krti_graph_free(g);
}

int main(void)
{
    return RUN(UNIT(batch_norm_scales_each_channel), UNIT(layer_norm_scales_each_row),
               UNIT(softmax_adds_up_to_one_along_its_axis),
               UNIT(softmax_of_large_numbers_is_stable));
}
