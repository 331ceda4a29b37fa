/* Windows, convolutions and pooling. */
#include "ops_testing.h"

static const int64_t ONE[] = {1, 1, 1}, TWO[] = {2, 2, 2}, THREE[] = {3, 3, 3};

/* A 1D window on x. */
static krti_window window(testing *t, krti_graph *g, krt_value *x, int64_t size, int64_t stride,
                          int64_t dilation, const char *padding)
{
    krti_window w;

    ASSERT_OK(krti_window_make(g, &w, x, 1, &size, &stride, &dilation, padding));
    return w;
}

static krt_value *line(krti_graph *g, int64_t n)
{
    return ramp(g, KRT_FLOAT32, KRT_SHAPE(1, n, 1), 1, 1);
}

/* ------------------------------------------------------------------------------- windows */

TEST(same_padding_puts_the_odd_element_after)
{
    static const struct {
        int64_t dim, size, stride, dilation, before, after;
    } rows[] = {
        {5, 3, 1, 1, 1, 1}, {5, 2, 1, 1, 0, 1}, {5, 4, 1, 1, 1, 2}, {5, 3, 2, 1, 1, 1},
        {6, 3, 2, 1, 0, 1}, {4, 1, 2, 1, 0, 0}, {7, 3, 1, 2, 2, 2}, {224, 7, 2, 1, 2, 3},
        {3, 2, 5, 1, 0, 0}, {N, 3, 1, 1, 1, 1}, {N, 3, 2, 1, N, N}, {N, 1, 1, 3, 0, 0},
    };
    krti_graph *g = graph_new(t);

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        krt_value *x = shaped(g, 1, rows[i].dim, 1);
        const krti_window w =
            window(t, g, x, rows[i].size, rows[i].stride, rows[i].dilation, "same");

        ASSERT_INT_EQ(rows[i].before, w.before[0]);
        ASSERT_INT_EQ(rows[i].after, w.after[0]);
    }
    krti_graph_free(g);
}

TEST(valid_padding_adds_nothing_and_causal_before_alone)
{
    krti_graph *g = graph_new(t);
    krt_value *x = shaped(g, N, N, 2);
    krti_window w = window(t, g, x, 3, 2, 4, "valid");

    ASSERT_INT_EQ(0, w.before[0] + w.after[0]);
    w = window(t, g, x, 3, 2, 4, "causal");
    ASSERT_INT_EQ(8, w.before[0]);
    ASSERT_INT_EQ(0, w.after[0]);
    ASSERT_INT_EQ(1, w.groups);
    krti_graph_free(g);
}

TEST(a_window_that_makes_no_sense_is_refused)
{
    krti_graph *g = graph_new(t);
    krt_value *x = shaped(g, 1, 8, 8, 3);
    const int64_t zero[] = {0, 0}, huge[] = {INT32_MAX, INT32_MAX};
    krti_window w;

#define REFUSED(call, text)                 \
    do {                                    \
        ASSERT_STATUS(KRT_E_INVALID, call); \
        ASSERT_SAYS(text);                  \
        g->status = KRT_OK;                 \
    } while (0)
    REFUSED(krti_window_make(g, &w, x, 2, TWO, zero, ONE, "valid"),
            "window size, stride and dilation are at least 1, found 2, 0, 1");
    REFUSED(krti_window_make(g, &w, x, 2, TWO, ONE, ONE, "causal"),
            "padding is \"valid\", \"same\", found \"causal\"");
    REFUSED(krti_window_make(g, &w, x, 1, TWO, ONE, ONE, "reflect"), "does not fit an input of");
    REFUSED(krti_window_make(g, &w, x, 2, TWO, ONE, ONE, "reflect"), "found \"reflect\"");
    REFUSED(krti_window_make(g, &w, x, 2, huge, ONE, huge, "same"),
            "a window of 2147483647 with dilation 2147483647 is too large");
    krti_graph_free(g);
}

/* ------------------------------------------------------------------------------- convolution */

TEST(a_line_is_convolved)
{
    krti_graph *g = graph_new(t);
    krt_value *x = line(g, 5), *k = floats(g, KRT_SHAPE(3, 1, 1), 1, 10, 100);
    krti_window w = window(t, g, x, 3, 1, 1, "valid");

    EXPECT(krti_conv(g, x, k, NULL, &w), KRT_SHAPE(1, 3, 1), 321, 432, 543);
    w = window(t, g, x, 3, 1, 1, "same");
    EXPECT(krti_conv(g, x, k, floats(g, KRT_SHAPE(1), 0.5), &w), KRT_SHAPE(1, 5, 1), 210.5, 321.5,
           432.5, 543.5, 54.5);
    w = window(t, g, x, 3, 2, 1, "same");
    EXPECT(krti_conv(g, x, k, NULL, &w), KRT_SHAPE(1, 3, 1), 210, 432, 54);
    w = window(t, g, x, 3, 1, 2, "valid");
    EXPECT(krti_conv(g, x, k, NULL, &w), KRT_SHAPE(1, 1, 1), 531);
    w = window(t, g, x, 3, 1, 1, "causal");
    EXPECT(krti_conv(g, x, k, NULL, &w), KRT_SHAPE(1, 5, 1), 100, 210, 321, 432, 543);
    krti_graph_free(g);
}

TEST(channels_and_filters_mix)
{
    krti_graph *g = graph_new(t);
    krt_value *x = floats(g, KRT_SHAPE(1, 2, 2), 1, 2, 3, 4);
    krt_value *k = floats(g, KRT_SHAPE(1, 2, 3), 1, 10, 100, 2, 20, 200);
    const krti_window w = window(t, g, x, 1, 1, 1, "valid");

    EXPECT(krti_conv(g, x, k, NULL, &w), KRT_SHAPE(1, 2, 3), 5, 50, 500, 11, 110, 1100);
    krti_graph_free(g);
}

TEST(groups_keep_to_themselves)
{
    krti_graph *g = graph_new(t);
    krt_value *x = floats(g, KRT_SHAPE(1, 1, 4), 1, 2, 3, 4);
    krti_window w = window(t, g, x, 1, 1, 1, "valid");

    w.groups = 2;
    krt_value *k = floats(g, KRT_SHAPE(1, 2, 2), 1, 10, 1, 100);
    EXPECT(krti_conv(g, x, k, NULL, &w), KRT_SHAPE(1, 1, 2), 3, 430);
    w.groups = 4;
    k = floats(g, KRT_SHAPE(1, 1, 4), 1, 10, 100, 1000);
    EXPECT(krti_conv(g, x, k, NULL, &w), KRT_SHAPE(1, 1, 4), 1, 20, 300, 4000);
    k = floats(g, KRT_SHAPE(1, 1, 8), 1, 2, 1, 2, 1, 2, 1, 2);
    EXPECT(krti_conv(g, x, k, NULL, &w), KRT_SHAPE(1, 1, 8), 1, 2, 2, 4, 3, 6, 4, 8);
    w.groups = 3;
    EXPECT_FAILS(krti_conv(g, x, k, NULL, &w), "8 filters cannot be split into 3 groups");
    krti_graph_free(g);
}

/* Three spatial axes at once, and more filters than one strip. */
TEST(every_axis_moves)
{
    krti_graph *g = graph_new(t);
    krt_value *x = ramp(g, KRT_FLOAT32, KRT_SHAPE(1, 2, 3, 4, 1), 0, 1);
    krt_value *k = floats(g, KRT_SHAPE(2, 2, 2, 1, 1), 1, 0, 0, 0, 0, 0, 0, 100);
    krti_window w;

    ASSERT_OK(krti_window_make(g, &w, x, 3, TWO, ONE, NULL, "valid"));
    EXPECT(krti_conv(g, x, k, NULL, &w), KRT_SHAPE(1, 1, 2, 3, 1), 1700, 1801, 1902, 2104, 2205,
           2306);
    krt_value *many = krti_broadcast_to(g, k, KRT_SHAPE(2, 2, 2, 1, 130));
    const float *y = evaluate(g, krti_conv(g, x, many, NULL, &w));
    for (int i = 0; i < 130; i++)
        ASSERT_TRUE(y[i] == 1700 && y[130 + i] == 1801);
    krti_graph_free(g);
}

TEST(convolutions_infer_what_is_known)
{
    krti_graph *g = graph_new(t);
    krt_value *x = shaped(g, N, N, 9, 3), *k = shaped(g, 3, 3, 3, 8);
    krti_window w;

    ASSERT_OK(krti_window_make(g, &w, x, 2, THREE, TWO, NULL, "same"));
    EXPECT_SHAPE(krti_conv(g, x, k, NULL, &w), N, N, 5, 8);
    krt_value *known = shaped(g, 1, 7, 9, 3);
    EXPECT_FAILS(krti_conv(g, known, k, NULL, &w), "padding of axis 1 is unknown");
    ASSERT_OK(krti_window_make(g, &w, x, 2, THREE, TWO, NULL, "valid"));
    EXPECT_SHAPE(krti_conv(g, x, k, NULL, &w), N, N, 4, 8);
    EXPECT_FAILS(krti_conv(g, shaped(g, N, 5, 5, 4), k, NULL, &w),
                 "the kernel wants 3 channels, the input has 4");
    EXPECT_FAILS(
        krti_conv(g, shaped(g, 1, 2, 9, 3), k, NULL, &w),
        "Computed output size would be zero or negative: a window of 3 does not fit axis 1 "
        "of (1, 2, 9, 3)");
    EXPECT_FAILS(krti_conv(g, x, shaped(g, 2, 2, 3, 8), NULL, &w),
                 "a kernel of (2, 2, 3, 8) does not fit an input of (None, None, 9, 3)");
    EXPECT_FAILS(krti_conv(g, shaped(g, 1, 9, 3), k, NULL, &w),
                 "does not fit an input of (1, 9, 3)");
    EXPECT_FAILS(krti_conv(g, x, k, shaped(g, 5), &w), "a bias of (5,) does not fit");
    krti_graph_free(g);
}

/* The residual is added before the activation. */
TEST(a_convolution_takes_bias_residual_and_activation)
{
    krti_graph *g = graph_new(t);
    krt_value *x = line(g, 3);
    const krti_attrs attrs = {.window = window(t, g, x, 1, 1, 1, "valid")};
    krt_value *in[] = {x, floats(g, KRT_SHAPE(1, 1, 2), 1, -1), floats(g, KRT_SHAPE(2), 0.5, 1),
                       ramp(g, KRT_FLOAT32, KRT_SHAPE(1, 3, 2), 0, 1)};
    krt_value *y = krti_graph_add1(g, &krti_op_conv, in, 4, &attrs);

    EXPECT(y, KRT_SHAPE(1, 3, 2), 1.5, 1, 4.5, 2, 7.5, 3);
    y->node->activation = (krti_activation){.op = &krti_op_relu, .c = 4};
    EXPECT(y, KRT_SHAPE(1, 3, 2), 1.5, 1, 4, 2, 4, 3);
    krti_graph_free(g);
}

/* ------------------------------------------------------------------------------- transposed */

static krt_value *transposed(krti_graph *g, int64_t stride, int64_t dilation, int64_t pad,
                             const char *padding)
{
    krt_value *k = floats(g, KRT_SHAPE(3, 1, 1), 1, 10, 100);

    return krti_conv_transpose(g, line(g, 3), k, NULL, 1, &stride, &dilation, &pad, padding);
}

/* Numbers of Keras 3.15 on TensorFlow. */
TEST(transposed_convolutions_spread)
{
    krti_graph *g = graph_new(t);

    EXPECT(transposed(g, 1, 1, N, "valid"), KRT_SHAPE(1, 5, 1), 1, 12, 123, 230, 300);
    EXPECT(transposed(g, 1, 1, N, "same"), KRT_SHAPE(1, 3, 1), 12, 123, 230);
    EXPECT(transposed(g, 2, 1, N, "valid"), KRT_SHAPE(1, 7, 1), 1, 10, 102, 20, 203, 30, 300);
    EXPECT(transposed(g, 2, 1, 1, "valid"), KRT_SHAPE(1, 8, 1), 1, 10, 102, 20, 203, 30, 300, 0);
    EXPECT(transposed(g, 2, 1, N, "same"), KRT_SHAPE(1, 6, 1), 1, 10, 102, 20, 203, 30);
    EXPECT(transposed(g, 2, 1, 1, "same"), KRT_SHAPE(1, 6, 1), 1, 10, 102, 20, 203, 30);
    EXPECT(transposed(g, 3, 1, 1, "same"), KRT_SHAPE(1, 8, 1), 1, 10, 100, 2, 20, 200, 3, 30);
    EXPECT(transposed(g, 1, 2, N, "valid"), KRT_SHAPE(1, 7, 1), 1, 2, 13, 20, 130, 200, 300);
    krti_graph_free(g);
}

/* A kernel shorter than the stride leaves gaps, which hold the bias. */
TEST(gaps_hold_the_bias)
{
    krti_graph *g = graph_new(t);
    krt_value *k = floats(g, KRT_SHAPE(2, 1, 1), 1, 10), *b = floats(g, KRT_SHAPE(1), 0.5);

    EXPECT(krti_conv_transpose(g, line(g, 3), k, b, 1, THREE, ONE, NULL, "valid"),
           KRT_SHAPE(1, 9, 1), 1.5, 10.5, 0.5, 2.5, 20.5, 0.5, 3.5, 30.5, 0.5);
    EXPECT(krti_conv_transpose(g, line(g, 3), k, b, 1, THREE, ONE, NULL, "same"),
           KRT_SHAPE(1, 9, 1), 1.5, 10.5, 0.5, 2.5, 20.5, 0.5, 3.5, 30.5, 0.5);
    krti_graph_free(g);
}

/* The kernel lies as (size, filters, channels). */
TEST(transposed_channels_mix)
{
    krti_graph *g = graph_new(t);
    krt_value *x = floats(g, KRT_SHAPE(1, 1, 2), 1, 2);
    krt_value *k = floats(g, KRT_SHAPE(1, 3, 2), 1, 10, 2, 20, 3, 30);

    EXPECT(krti_conv_transpose(g, x, k, NULL, 1, ONE, ONE, NULL, "valid"), KRT_SHAPE(1, 1, 3), 21,
           42, 63);
    EXPECT_SHAPE(krti_conv_transpose(g, shaped(g, N, N, 7, 3), shaped(g, 3, 3, 8, 3), NULL, 2, TWO,
                                     ONE, NULL, "same"),
                 N, N, 14, 8);
    EXPECT_FAILS(krti_conv_transpose(g, x, shaped(g, 1, 2, 5), NULL, 1, ONE, ONE, NULL, "valid"),
                 "the kernel wants 5 channels, the input has 2");
    EXPECT_FAILS(krti_conv_transpose(g, x, k, NULL, 1, ONE, ONE, NULL, "causal"),
                 "padding is \"valid\" or \"same\", found \"causal\"");
    EXPECT_FAILS(krti_conv_transpose(g, x, k, NULL, 1, ONE, ONE, (int64_t[]){-1}, "same"),
                 "output_padding is at least 0, found -1");
    EXPECT_FAILS(krti_conv_transpose(g, x, k, NULL, 2, ONE, ONE, NULL, "same"),
                 "a kernel of (1, 3, 2) does not fit");
    krti_graph_free(g);
}

/* ------------------------------------------------------------------------------- pooling */

TEST(pooling_does_not_look_at_padding)
{
    krti_graph *g = graph_new(t);
    krt_value *x = floats(g, KRT_SHAPE(1, 5, 1), -1, -5, -2, -8, -4);
    krti_window w = window(t, g, x, 2, 2, 1, "valid");

    EXPECT(krti_max_pool(g, x, &w), KRT_SHAPE(1, 2, 1), -1, -2);
    EXPECT(krti_avg_pool(g, x, &w), KRT_SHAPE(1, 2, 1), -3, -5);
    w = window(t, g, x, 2, 2, 1, "same");
    EXPECT(krti_max_pool(g, x, &w), KRT_SHAPE(1, 3, 1), -1, -2, -4);
    EXPECT(krti_avg_pool(g, x, &w), KRT_SHAPE(1, 3, 1), -3, -5, -4);
    w = window(t, g, x, 3, 1, 1, "same");
    EXPECT(krti_avg_pool(g, x, &w), KRT_SHAPE(1, 5, 1), -3, -8.0 / 3, -5, -14.0 / 3, -6);
    krti_graph_free(g);
}

TEST(a_window_may_be_dilated_or_wholly_outside)
{
    krti_graph *g = graph_new(t);
    krt_value *x = line(g, 4);
    krti_window w = window(t, g, x, 2, 1, 2, "valid");

    EXPECT(krti_max_pool(g, x, &w), KRT_SHAPE(1, 2, 1), 3, 4);
    EXPECT(krti_avg_pool(g, x, &w), KRT_SHAPE(1, 2, 1), 2, 3);
    w.before[0] = 3;
    EXPECT(krti_max_pool(g, x, &w), KRT_SHAPE(1, 5, 1), -INFINITY, 1, 2, 3, 4);
    EXPECT(krti_avg_pool(g, x, &w), KRT_SHAPE(1, 5, 1), 0, 1, 2, 2, 3);
    krti_graph_free(g);
}

TEST(pooling_goes_over_both_axes_and_keeps_channels_apart)
{
    krti_graph *g = graph_new(t);
    krt_value *x = ramp(g, KRT_FLOAT32, KRT_SHAPE(1, 3, 4, 2), 0, 1);
    krti_window w;

    ASSERT_OK(krti_window_make(g, &w, x, 2, TWO, TWO, NULL, "valid"));
    EXPECT(krti_max_pool(g, x, &w), KRT_SHAPE(1, 1, 2, 2), 10, 11, 14, 15);
    EXPECT(krti_avg_pool(g, x, &w), KRT_SHAPE(1, 1, 2, 2), 5, 6, 9, 10);
    EXPECT_SHAPE(krti_max_pool(g, shaped(g, N, N, 5, 2), &w), N, N, 2, 2);
    EXPECT_FAILS(krti_max_pool(g, shaped(g, 1, 1, 5, 2), &w),
                 "Computed output size would be zero or negative");
    EXPECT_FAILS(krti_max_pool(g, krti_input(g, KRT_INT32, KRT_SHAPE(1, 4, 4, 1)), &w),
                 "max_pool takes float32 or float64, found int32");
    krti_graph_free(g);
}

TEST(adaptive_windows_cover_the_input)
{
    krti_graph *g = graph_new(t);
    krt_value *x = line(g, 5);

    /* [0, 2) [1, 4) [3, 5) */
    EXPECT(krti_adaptive_avg_pool(g, x, 1, THREE), KRT_SHAPE(1, 3, 1), 1.5, 3, 4.5);
    EXPECT(krti_adaptive_max_pool(g, x, 1, THREE), KRT_SHAPE(1, 3, 1), 2, 4, 5);
    EXPECT(krti_adaptive_avg_pool(g, x, 1, ONE), KRT_SHAPE(1, 1, 1), 3);
    EXPECT(krti_adaptive_max_pool(g, line(g, 2), 1, THREE), KRT_SHAPE(1, 3, 1), 1, 2, 2);
    EXPECT(krti_adaptive_avg_pool(g, ramp(g, KRT_FLOAT32, KRT_SHAPE(1, 2, 4, 1), 0, 1), 2,
                                  (int64_t[]){1, 2}),
           KRT_SHAPE(1, 1, 2, 1), 2.5, 4.5);
    EXPECT_SHAPE(krti_adaptive_avg_pool(g, shaped(g, N, N, N, 3), 2, TWO), N, 2, 2, 3);
    EXPECT_FAILS(krti_adaptive_avg_pool(g, x, 1, (int64_t[]){0}), "output_size is at least 1");
    EXPECT_FAILS(krti_adaptive_avg_pool(g, x, 2, TWO), "does not fit an input of (1, 5, 1)");
    krti_graph_free(g);
}

int main(void)
{
    return RUN(UNIT(same_padding_puts_the_odd_element_after),
               UNIT(valid_padding_adds_nothing_and_causal_before_alone),
               UNIT(a_window_that_makes_no_sense_is_refused), UNIT(a_line_is_convolved),
               UNIT(channels_and_filters_mix), UNIT(groups_keep_to_themselves),
               UNIT(every_axis_moves), UNIT(convolutions_infer_what_is_known),
               UNIT(a_convolution_takes_bias_residual_and_activation),
               UNIT(transposed_convolutions_spread), UNIT(gaps_hold_the_bias),
               UNIT(transposed_channels_mix), UNIT(pooling_does_not_look_at_padding),
               UNIT(a_window_may_be_dilated_or_wholly_outside),
               UNIT(pooling_goes_over_both_axes_and_keeps_channels_apart),
               UNIT(adaptive_windows_cover_the_input));
}
