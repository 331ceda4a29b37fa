/* Tests of src/saving/cause.c: each of the usual reasons is told by its name. */
#include "saving/compare.h"
#include "testing.h"

typedef struct weights {
    size_t n;
    krti_weight items[8];
} weights;

/* A weight of rank r. */
#define W(name, r, ...)     \
    {                       \
        name,               \
        {                   \
            r,              \
            {               \
                __VA_ARGS__ \
            }               \
        }                   \
    }

static const weights base = {6,
                             {W("conv/kernel", 4, 3, 3, 3, 8), W("conv/bias", 1, 8),
                              W("conv_1/kernel", 4, 3, 3, 8, 16), W("conv_1/bias", 1, 16),
                              W("top/kernel", 2, 16, 1000), W("top/bias", 1, 1000)}};

static void assert_cause(testing *t, const weights *model, const weights *file, const char *cause,
                         size_t num_common)
{
    krti_str said = {.k = t->k};
    krti_parting parting;

    ASSERT_OK(krti_find_cause(t->k, model->items, model->n, file->items, file->n, &said, &parting));
    if (strstr(krti_str_text(&said), cause) == NULL)
        print_message("said: %s\n", krti_str_text(&said));
    ASSERT_TRUE(strstr(krti_str_text(&said), cause) != NULL);
    ASSERT_INT_EQ(num_common, parting.num_common);
    krti_str_free(&said);
}

TEST(another_number_of_classes_is_told)
{
    weights file = base;

    file.items[4].shape.dim[1] = file.items[5].shape.dim[0] = 10;
    assert_cause(t, &base, &file, "another number of classes: 10 in the file, 1000 in the model",
                 4);
}

TEST(a_file_without_the_top_is_told)
{
    weights file = base;

    file.n = 4;
    assert_cause(t, &base, &file, "the file ends before top/kernel", 4);
    assert_cause(t, &file, &base, "the file goes on with top/kernel where the model ends", 4);
}

TEST(another_top_is_told)
{
    weights file = base;

    file.n = 8;
    file.items[4] = (krti_weight)W("dense/kernel", 2, 16, 64);
    file.items[5] = (krti_weight)W("dense/bias", 1, 64);
    file.items[6] = (krti_weight)W("dense_1/kernel", 2, 64, 1000);
    file.items[7] = (krti_weight)W("dense_1/bias", 1, 999);
    assert_cause(t, &base, &file, "another top: 4 arrays in the file, 2 in the model", 4);
}

TEST(another_number_of_channels_is_told)
{
    weights file = base;

    file.items[0].shape.dim[2] = 1;
    assert_cause(t, &base, &file, "another number of channels comes in: 1 in the file, 3", 5);
}

TEST(renamed_layers_are_told)
{
    assert_cause(t, &base, &base, "all shapes agree in order, the names do not", 6);
}

TEST(kernels_of_theano_are_told)
{
    weights file = base;

    file.items[0] = (krti_weight)W("a", 4, 8, 3, 3, 3);
    file.items[2] = (krti_weight)W("b", 4, 16, 8, 3, 3);
    assert_cause(t, &base, &file, "the layout of Theano, in Keras 1, or of PyTorch", 4);
}

TEST(kernels_of_pytorch_are_told)
{
    weights file = base;

    file.items[0] = (krti_weight)W("a", 4, 8, 3, 3, 3);
    file.items[2] = (krti_weight)W("b", 4, 16, 8, 3, 3);
    file.items[4] = (krti_weight)W("c", 2, 1000, 16);
    assert_cause(t, &base, &file, "the layout of Theano, in Keras 1, or of PyTorch", 3);
}

TEST(layers_in_another_order_are_told)
{
    static const weights file = {6,
                                 {W("top/kernel", 2, 16, 1000), W("top/bias", 1, 1000),
                                  W("conv/kernel", 4, 3, 3, 3, 8), W("conv/bias", 1, 8),
                                  W("conv_1/kernel", 4, 3, 3, 8, 16), W("conv_1/bias", 1, 16)}};

    assert_cause(t, &base, &file, "the same shapes in another order", 4);
}

TEST(another_width_is_told)
{
    static const weights file = {6,
                                 {W("conv/kernel", 4, 3, 3, 3, 12), W("conv/bias", 1, 12),
                                  W("conv_1/kernel", 4, 3, 3, 12, 24), W("conv_1/bias", 1, 24),
                                  W("top/kernel", 2, 24, 1000), W("top/bias", 1, 1000)}};

    assert_cause(t, &base, &file, "another preset or width of the same architecture", 1);
}

TEST(another_depth_is_told)
{
    static const weights file = {8,
                                 {W("conv/kernel", 4, 3, 3, 3, 8), W("conv/bias", 1, 8),
                                  W("conv_1/kernel", 4, 3, 3, 8, 8), W("conv_1/bias", 1, 8),
                                  W("conv_2/kernel", 4, 3, 3, 8, 16), W("conv_2/bias", 1, 16),
                                  W("top/kernel", 2, 16, 1000), W("top/bias", 1, 1000)}};

    assert_cause(t, &base, &file, "the file has 2 arrays more, from conv_1/kernel on", 6);
}

TEST(nothing_in_common_is_another_architecture)
{
    static const weights file = {3, {W("a", 1, 7), W("b", 2, 5, 5), W("c", 3, 2, 2, 2)}};
    static const weights none = {0, {{NULL, {0}}}};

    assert_cause(t, &base, &file, "another architecture", 0);
    assert_cause(t, &base, &none, "the file holds no weights", 0);
}

int main(void)
{
    return RUN(UNIT(another_number_of_classes_is_told), UNIT(a_file_without_the_top_is_told),
               UNIT(another_top_is_told), UNIT(another_number_of_channels_is_told),
               UNIT(renamed_layers_are_told), UNIT(kernels_of_theano_are_told),
               UNIT(kernels_of_pytorch_are_told), UNIT(layers_in_another_order_are_told),
               UNIT(another_width_is_told), UNIT(another_depth_is_told),
               UNIT(nothing_in_common_is_another_architecture));
}
