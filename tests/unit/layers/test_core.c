/* Tests of src/layers/core.c and einsum_dense.c: shapes with unknown dimensions, masks, failures.
 * Numbers are compared with Keras's in tests/parity. */
#include "tracing.h"

TEST(dense_keeps_every_axis_but_the_last)
{
    krt_layer *l = layer_from(t->k, KRT_DENSE(4));

    expect_shape(l, SHAPE(NONE, NONE, 5), "(None, None, 4)");
    expect_shape(l, SHAPE(NONE, 5), "(None, 4)");
    ASSERT_INT_EQ(2, krt_layer_num_weights(l));
    ASSERT_STR_EQ("dense/kernel", krt_variable_path(krt_layer_weight(l, 0)));
    ASSERT_STR_EQ("dense/bias", krt_variable_path(krt_layer_weight(l, 1)));
    expect_failure(l, SHAPE(NONE, 6),
                   "Input 0 of layer 'dense' is incompatible with the layer: expected axis -1 of "
                   "input shape to have value 5, but received input with shape (None, 6)");
    expect_failure(layer_from(t->k, KRT_DENSE(4)), SHAPE(5),
                   "expected min_ndim=2, found ndim=1. Full shape received: (5,)");
    expect_failure(layer_from(t->k, KRT_DENSE(4)), SHAPE(3, NONE),
                   "weight kernel would have the unknown shape (None, 4)");
}

TEST(dense_without_bias_has_one_weight)
{
    krt_layer *l = layer_from(t->k, KRT_DENSE(4, .use_bias = false));

    expect_shape(l, SHAPE(2, 3), "(2, 4)");
    ASSERT_INT_EQ(1, krt_layer_num_weights(l));
}

TEST(einsum_dense_reads_its_shapes_off_the_equation)
{
    static const struct {
        const char *equation, *bias_axes, *out, *kernel, *bias;
        krt_shape output_shape, in;
    } rows[] = {
        {"ab,bc->ac", "c", "(None, 4)", "(5, 4)", "(4,)", {1, {4}}, {2, {NONE, 5}}},
        {"abc,cde->abde",
         "de",
         "(None, None, 2, 3)",
         "(5, 2, 3)",
         "(2, 3)",
         {3, {NONE, 2, 3}},
         {3, {NONE, NONE, 5}}},
        {"abc,cde->abde",
         "e",
         "(None, None, 2, 3)",
         "(5, 2, 3)",
         "(3,)",
         {3, {NONE, 2, 3}},
         {3, {NONE, NONE, 5}}},
        {"abc,bd->adc", "d", "(None, 4, 5)", "(3, 4)", "(4, 1)", {2, {4, 5}}, {3, {NONE, 3, 5}}},
        {"...x,xy->...y",
         "y",
         "(None, None, 7, 4)",
         "(5, 4)",
         "(4,)",
         {1, {4}},
         {4, {NONE, NONE, 7, 5}}},
        {"ab...,bc->ac...", "c", "(None, 4, 6)", "(5, 4)", "(4, 1)", {1, {4}}, {3, {NONE, 5, 6}}},
    };
    char text[160];

    for (size_t i = 0; i < KRTI_COUNT(rows); i++) {
        krt_layer *l = layer_from(t->k, KRT_EINSUM_DENSE(rows[i].equation, rows[i].output_shape,
                                                         .bias_axes = rows[i].bias_axes));

        expect_shape(l, rows[i].in, rows[i].out);
        ASSERT_STR_EQ(rows[i].kernel, krt_shape_print(krt_variable_shape(krt_layer_weight(l, 0)),
                                                      text, sizeof text));
        ASSERT_STR_EQ(rows[i].bias, krt_shape_print(krt_variable_shape(krt_layer_weight(l, 1)),
                                                    text, sizeof text));
    }
}

TEST(einsum_dense_says_what_is_wrong_with_its_equation)
{
    krt_layer *l = NULL;

    ASSERT_STATUS(KRT_E_INVALID,
                  krti_layer_from_spec(t->k, &l, KRT_EINSUM_DENSE("ab->b", KRT_SHAPE(4))));
    ASSERT_SAYS("Invalid einsum equation 'ab->b'. Equations must be in the form [X],[Y]->[Z], "
                "...[X],[Y]->...[Z], or [X]...,[Y]->[Z]...");
    expect_failure(layer_from(t->k, KRT_EINSUM_DENSE("ab,bc->acd", KRT_SHAPE(4, 2))),
                   SHAPE(NONE, 3), "Dimension 'd' was specified in the output 'acd'");
    expect_failure(layer_from(t->k, KRT_EINSUM_DENSE("ab,bcz->ac", KRT_SHAPE(4))), SHAPE(NONE, 3),
                   "Weight dimension 'z' did not have a match");
    expect_failure(layer_from(t->k, KRT_EINSUM_DENSE("ab,bc->ac", KRT_SHAPE(4), .bias_axes = "z")),
                   SHAPE(NONE, 3), "Bias dimension 'z' was requested");
    expect_failure(layer_from(t->k, KRT_EINSUM_DENSE("abc,cd->abd", KRT_SHAPE(5, 4))),
                   SHAPE(NONE, 3, 6),
                   "Input shape and output shape do not match at shared dimension 'b'. Input shape "
                   "is 3, and output shape is 5");
    expect_failure(layer_from(t->k, KRT_EINSUM_DENSE("ab,bc->ac", KRT_SHAPE(4))), SHAPE(NONE),
                   "equation \"ab,bc->ac\" wants an input of 2 axes, found 1");
}

TEST(embedding_adds_an_axis_and_masks_zero)
{
    const krt_shape in = SHAPE(NONE, NONE);
    traced traced_layer;
    char text[160];

    expect_shape(layer_from(t->k, KRT_EMBEDDING(10, 4)), SHAPE(NONE, 3), "(None, 3, 4)");
    trace(&traced_layer, layer_from(t->k, KRT_EMBEDDING(10, 4, .mask_zero = true)), 1, &in, NULL);
    ASSERT_OK(traced_layer.status);
    ASSERT_STR_EQ("(None, None, 4)", traced_layer.text);
    ASSERT_STR_EQ("(None, None)",
                  krt_shape_print(traced_layer.c.out_mask[0]->shape, text, sizeof text));
    ASSERT_INT_EQ(KRT_BOOL, traced_layer.c.out_mask[0]->dtype);
    untrace(&traced_layer);
    /* A mask that comes in is not passed on. */
    trace(&traced_layer, layer_from(t->k, KRT_EMBEDDING(10, 4)), 1, &in, &in);
    ASSERT_OK(traced_layer.status);
    assert_null(traced_layer.c.out_mask[0]);
    untrace(&traced_layer);
}

TEST(a_table_without_rows_is_refused)
{
    krt_layer *l = NULL;

    ASSERT_STATUS(KRT_E_INVALID, krti_layer_from_spec(t->k, &l, KRT_EMBEDDING(0, 4)));
    ASSERT_SAYS("`input_dim` must be a positive integer. Received: input_dim=0");
    ASSERT_STATUS(KRT_E_INVALID, krti_layer_from_spec(t->k, &l, KRT_EMBEDDING(3, -1)));
    ASSERT_SAYS("`output_dim` must be a positive integer. Received: output_dim=-1");
}

TEST(reversible_embedding_looks_up_and_projects_back)
{
    krti_arena a = KRTI_ARENA_INIT(t->k);
    krt_layer *l = layer_from(t->k, KRT_REVERSIBLE_EMBEDDING(10, 4, .tie_weights = false));
    const krt_shape in = SHAPE(NONE, 3, 4);
    krt_value *values[1] = {NULL};
    krt_call c = {.num_in = 1, .in = values, .kwargs = conf_of(&a, "{'reverse': true}")};
    krti_graph *g = NULL;
    char text[160];

    expect_shape(l, SHAPE(NONE, 3), "(None, 3, 4)");
    ASSERT_INT_EQ(2, krt_layer_num_weights(l));
    ASSERT_OK(krti_graph_new(t->k, &g));
    values[0] = krti_input(g, KRT_FLOAT32, in);
    ASSERT_OK(krti_layer_trace(l, g, &c));
    ASSERT_STR_EQ("(None, 3, 10)", krt_shape_print(c.out[0]->shape, text, sizeof text));
    c.kwargs = NULL; /* or by its position */
    c.args = conf_of(&a, "[{'__value__': 0}, true]");
    ASSERT_OK(krti_layer_trace(l, g, &c));
    ASSERT_STR_EQ("(None, 3, 10)", krt_shape_print(c.out[0]->shape, text, sizeof text));
    krti_graph_free(g);
    krti_arena_free(&a);
}

TEST(masking_makes_a_mask_of_its_own)
{
    const float x[8] = {0, 0, 1, 0, 2, 3, 0, 0};
    float y[8];
    const krt_shape in = SHAPE(NONE, NONE, 3), mask = SHAPE(NONE, NONE);
    traced traced_layer;
    char text[160];

    trace(&traced_layer, layer_from(t->k, KRT_MASKING()), 1, &in, &mask);
    ASSERT_OK(traced_layer.status);
    ASSERT_STR_EQ("(None, None, 3)", traced_layer.text);
    assert_ptr_not_equal(traced_layer.c.out_mask[0], traced_layer.mask[0]);
    ASSERT_STR_EQ("(None, None)",
                  krt_shape_print(traced_layer.c.out_mask[0]->shape, text, sizeof text));
    untrace(&traced_layer);
    /* Rows that are 2 everywhere become 0, the others stay. */
    run_layer(layer_from(t->k, KRT_MASKING(.mask_value = 2)), SHAPE(1, 4, 2), x, y, 8);
    ASSERT_NEAR(x, y, 8, 0, 0);
    run_layer(layer_from(t->k, KRT_MASKING(.mask_value = 2)), SHAPE(1, 8, 1), x, y, 8);
    ASSERT_NEAR(((const float[8]){0, 0, 1, 0, 0, 3, 0, 0}), y, 8, 0, 0);
}

TEST(what_supports_masking_passes_it_on)
{
    static const struct {
        const char *config;
        bool passes;
    } rows[] = {
        {"{'class_name': 'Dense', 'config': {'units': 2}}", true},
        {"{'class_name': 'Identity', 'config': {}}", true},
        {"{'class_name': 'Activation', 'config': {'activation': 'relu'}}", true},
        {"{'class_name': 'ReLU', 'config': {}}", true},
        {"{'class_name': 'Dropout', 'config': {'rate': 0.5}}", true},
        {"{'class_name': 'SpatialDropout1D', 'config': {'rate': 0.5}}", true},
        {"{'class_name': 'Rescaling', 'config': {'scale': 2}}", true},
        {"{'class_name': 'TimeDistributed', 'config': {'layer': {'class_name': 'Dense', 'config': "
         "{'units': 2}}}}",
         true},
        {"{'class_name': 'Flatten', 'config': {}}", false},
        {"{'class_name': 'Permute', 'config': {'dims': [2, 1]}}", false},
        {"{'class_name': 'ZeroPadding1D', 'config': {}}", false},
        {"{'class_name': 'EinsumDense', 'config': {'equation': 'abc,cd->abd', 'output_shape': "
         "[null, 4]}}",
         false},
        {"{'class_name': 'RandomBrightness', 'config': {'factor': 0.1}}", false},
    };
    const krt_shape in = SHAPE(NONE, 4, 3), mask = SHAPE(NONE, 4);
    krti_arena a = KRTI_ARENA_INIT(t->k);

    for (size_t i = 0; i < KRTI_COUNT(rows); i++) {
        traced traced_layer;

        trace(&traced_layer, layer_of(&a, rows[i].config), 1, &in, &mask);
        ASSERT_OK(traced_layer.status);
        assert_ptr_equal(traced_layer.c.out_mask[0], rows[i].passes ? traced_layer.mask[0] : NULL);
        untrace(&traced_layer);
    }
    krti_arena_free(&a);
}

TEST(an_input_layer_says_what_it_cannot_take)
{
    krti_arena a = KRTI_ARENA_INIT(t->k);
    krt_layer *l = NULL;

    expect_failure(layer_of(&a, "{'class_name': 'InputLayer', 'config': {'name': 'i', "
                                "'batch_shape': [null, 3], 'ragged': true}}"),
                   SHAPE(NONE, 3), "InputLayer \"i\" is ragged, which this build does not run");
    expect_failure(layer_of(&a, "{'class_name': 'InputLayer', 'config': {'name': 'i', "
                                "'batch_shape': [null, 3], 'dtype': 'complex64'}}"),
                   SHAPE(NONE, 3), "InputLayer \"i\" has the dtype complex64");
    ASSERT_STATUS(KRT_E_INVALID,
                  krti_layer_from_conf(
                      t->k, &l, conf_of(&a, "{'class_name': 'InputLayer', 'config': {}}"), 0));
    ASSERT_SAYS("You must pass a `shape` argument");
    krti_arena_free(&a);
}

int main(void)
{
    return RUN(UNIT(dense_keeps_every_axis_but_the_last), UNIT(dense_without_bias_has_one_weight),
               UNIT(einsum_dense_reads_its_shapes_off_the_equation),
               UNIT(einsum_dense_says_what_is_wrong_with_its_equation),
               UNIT(embedding_adds_an_axis_and_masks_zero), UNIT(a_table_without_rows_is_refused),
               UNIT(reversible_embedding_looks_up_and_projects_back),
               UNIT(masking_makes_a_mask_of_its_own), UNIT(what_supports_masking_passes_it_on),
               UNIT(an_input_layer_says_what_it_cannot_take));
}
