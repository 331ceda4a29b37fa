/* Resizing, held against numbers of Keras 3.15 on TensorFlow 2.21. */
#include "ops_testing.h"
#include "ops/reference/resample.h"

static krt_value *row(krti_graph *g)
{
    return floats(g, KRT_SHAPE(1, 1, 4, 1), 1, 5, 2, 8);
}

/* One row of four pixels to seven, two and three. */
#define WIDE(method, antialias, ...)                                                     \
    EXPECT(krti_resize_image(g, row(g), 1, 7, method, antialias), KRT_SHAPE(1, 1, 7, 1), \
           __VA_ARGS__)
#define TWO(method, antialias, ...)                                                      \
    EXPECT(krti_resize_image(g, row(g), 1, 2, method, antialias), KRT_SHAPE(1, 1, 2, 1), \
           __VA_ARGS__)
#define THREE(method, antialias, ...)                                                    \
    EXPECT(krti_resize_image(g, row(g), 1, 3, method, antialias), KRT_SHAPE(1, 1, 3, 1), \
           __VA_ARGS__)

TEST(images_are_interpolated_as_keras_does)
{
    krti_graph *g = graph_new(t);

    WIDE(KRTI_NEAREST, false, 1, 1, 5, 2, 2, 8, 8);
    TWO(KRTI_NEAREST, false, 5, 8);
    THREE(KRTI_NEAREST, true, 1, 2, 8);
    WIDE(KRTI_BILINEAR, false, 1, 2.4285717, 4.71428585, 3.5, 2.42857265, 5.85714388, 8);
    TWO(KRTI_BILINEAR, false, 3, 5);
    THREE(KRTI_BILINEAR, false, 1.66666675, 3.5, 7.00000095);
    WIDE(KRTI_BICUBIC, false, 0.683134377, 2.32412863, 4.91137886, 3.375, 2.17893887, 6.07114363,
         8.47529793);
    TWO(KRTI_BICUBIC, false, 3.05882359, 5);
    WIDE(KRTI_LANCZOS3, false, 0.438113838, 2.4867425, 4.94000196, 3.21428537, 2.21330547,
         5.95038843, 8.79124451);
    THREE(KRTI_LANCZOS3, false, 1.60371447, 3.21428537, 7.16419315);
    WIDE(KRTI_LANCZOS5, false, 0.110439897, 2.77935696, 4.97231865, 3.08977604, 2.21718597,
         5.71831942, 9.09827709);
    WIDE(KRTI_AREA, false, 1, 2.00000024, 5, 3.49999905, 2, 6.50000334, 7.99999571);
    THREE(KRTI_AREA, false, 2.00000024, 3.5, 6.49999952);
    krti_graph_free(g);
}

TEST(antialias_widens_the_filter_when_shrinking)
{
    krti_graph *g = graph_new(t);

    TWO(KRTI_BILINEAR, true, 2.85714316, 5.00000048);
    THREE(KRTI_BILINEAR, true, 2.20000005, 3.5, 6.20000076);
    TWO(KRTI_BICUBIC, true, 2.69421482, 5.14876032);
    WIDE(KRTI_BICUBIC, true, 0.682691574, 2.32275629, 4.91110706, 3.375, 2.17942262, 6.07313871,
         8.47596264);
    TWO(KRTI_LANCZOS3, true, 2.51261115, 5.27718258);
    THREE(KRTI_LANCZOS5, true, 2.50762963, 3.35316086, 6.07186985);
    krti_graph_free(g);
}

TEST(both_axes_and_every_channel_are_resized)
{
    krti_graph *g = graph_new(t);
    krt_value *x = floats(g, KRT_SHAPE(1, 2, 2, 1), 1, 2, 3, 4);
    krt_value *two = krti_concat(g, (krt_value *[]){x, krti_negative(g, x)}, 2, 3);

    EXPECT(krti_resize_image(g, x, 3, 4, KRTI_BILINEAR, false), KRT_SHAPE(1, 3, 4, 1), 1, 1.25,
           1.75, 2, 2, 2.25, 2.75, 3, 3, 3.25, 3.75, 4);
    EXPECT(krti_resize_image(g, two, 1, 1, KRTI_BILINEAR, false), KRT_SHAPE(1, 1, 1, 2), 2.5, -2.5);
    EXPECT(krti_resize_image(g, krti_concat(g, (krt_value *[]){x, two}, 2, 3), 2, 2, KRTI_BICUBIC,
                             false),
           KRT_SHAPE(1, 2, 2, 3), 1, 1, -1, 2, 2, -2, 3, 3, -3, 4, 4, -4);
    krti_graph_free(g);
}

TEST(nearest_keeps_the_dtype_and_the_others_give_floats)
{
    krti_graph *g = graph_new(t);
    krt_value *x = VALUES(g, KRT_UINT8, KRT_SHAPE(1, 1, 2, 1), 10, 20);

    EXPECT(krti_resize_image(g, x, 1, 4, KRTI_NEAREST, false), KRT_SHAPE(1, 1, 4, 1), 10, 10, 20,
           20);
    EXPECT_DTYPE(krti_resize_image(g, x, 1, 4, KRTI_NEAREST, false), KRT_UINT8);
    EXPECT(krti_resize_image(g, x, 1, 4, KRTI_BILINEAR, false), KRT_SHAPE(1, 1, 4, 1), 10, 12.5,
           17.5, 20);
    EXPECT_DTYPE(krti_resize_image(g, x, 1, 4, KRTI_BILINEAR, false), KRT_FLOAT32);
    krti_graph_free(g);
}

/* A constant image stays what it is, however it is resized. */
TEST(weights_add_up_to_one_and_stay_inside)
{
    static const int64_t sizes[][2] = {{1, 5}, {7, 1}, {5, 64}, {64, 5}, {100, 33}, {2, 3}};
    krti_arena a = KRTI_ARENA_INIT(t->k);

    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        for (int method = KRTI_NEAREST; method <= KRTI_AREA; method++) {
            const krti_resample *r = NULL;

            ASSERT_OK(krti_resample_make(&a, sizes[s][0], sizes[s][1], (krti_interpolation)method,
                                         s % 2 == 0, &r));
            for (int64_t i = 0; i < r->size; i++) {
                double sum = 0;

                ASSERT_TRUE(r->start[i] >= 0 && r->start[i] + r->span <= sizes[s][0]);
                for (int64_t j = 0; j < r->span; j++)
                    sum += (double)r->weight[i * r->span + j];
                ASSERT_TRUE(fabs(sum - 1) < 1e-5);
            }
        }
    krti_arena_free(&a);
}

TEST(resize_knows_its_shape_and_says_what_is_wrong)
{
    krti_graph *g = graph_new(t);

    EXPECT_SHAPE(krti_resize_image(g, shaped(g, N, N, N, 3), 4, 5, KRTI_BILINEAR, false), N, 4, 5,
                 3);
    EXPECT_FAILS(krti_resize_image(g, shaped(g, 4, 4, 3), 4, 5, KRTI_BILINEAR, false),
                 "resize takes images of rank 4, found (4, 4, 3)");
    EXPECT_FAILS(krti_resize_image(g, shaped(g, 1, 4, 4, 3), 0, 5, KRTI_BILINEAR, false),
                 "resize of (1, 4, 4, 3) to (0, 5)");
    krti_graph_free(g);
}

int main(void)
{
    return RUN(UNIT(images_are_interpolated_as_keras_does),
               UNIT(antialias_widens_the_filter_when_shrinking),
               UNIT(both_axes_and_every_channel_are_resized),
               UNIT(nearest_keeps_the_dtype_and_the_others_give_floats),
               UNIT(weights_add_up_to_one_and_stay_inside),
               UNIT(resize_knows_its_shape_and_says_what_is_wrong));
}
