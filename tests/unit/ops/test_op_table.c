/* The op table, and what holds for every op in it. */
#include "ops_testing.h"

static const krti_op *find(const char *name)
{
    for (int i = 0; krti_ops[i] != NULL; i++)
        if (strcmp(krti_ops[i]->name, name) == 0)
            return krti_ops[i];
    return NULL;
}

TEST(every_op_has_a_name_of_its_own)
{
    for (int i = 0; krti_ops[i] != NULL; i++) {
        assert_non_null(krti_ops[i]->name);
        ASSERT_TRUE(find(krti_ops[i]->name) == krti_ops[i]);
    }
}

TEST(every_op_but_a_leaf_has_an_infer_rule_and_a_reference_kernel)
{
    for (int i = 0; krti_ops[i] != NULL; i++) {
        const krti_op *op = krti_ops[i];

        if (op->flags & KRTI_OP_LEAF) {
            ASSERT_INT_EQ(0, op->max_in);
            continue;
        }
        if (op->infer == NULL || op->reference == NULL)
            fail_msg("%s lacks infer or reference", op->name);
        ASSERT_TRUE(op->min_in >= 1 && (op->max_in < 0 || op->max_in >= op->min_in));
    }
}

/* Fusing behind an op and running it in place rest on these. */
TEST(elementwise_ops_keep_shape_and_dtype)
{
    for (int i = 0; krti_ops[i] != NULL; i++) {
        krti_graph *g = graph_new(t);
        krt_value *x = shaped(g, N, 3);
        krt_value *y;

        if (krti_ops[i]->flags & KRTI_OP_ELEMENTWISE) {
            ASSERT_INT_EQ(1, krti_ops[i]->max_in);
            y = krti_graph_add1(g, krti_ops[i], &x, 1, NULL);
            EXPECT_SHAPE(y, N, 3);
            EXPECT_DTYPE(y, KRT_FLOAT32);
        }
        krti_graph_free(g);
    }
}

TEST(half_floats_are_refused_by_what_computes)
{
    krti_graph *g = graph_new(t);
    krt_value *x = krti_input(g, KRT_FLOAT16, KRT_SHAPE(2, 2));

    EXPECT_FAILS(krti_graph_add1(g, &krti_op_exp, &x, 1, NULL), "exp takes float32 or float64");
    EXPECT_FAILS(krti_add(g, x, x), "add is not computed in float16");
    EXPECT_DTYPE(krti_cast(g, x, KRT_FLOAT32), KRT_FLOAT32);
    EXPECT_DTYPE(krti_exp(g, x), KRT_FLOAT32);
    krti_graph_free(g);
}

TEST(a_shape_beyond_all_bounds_is_refused)
{
    krti_graph *g = graph_new(t);

    EXPECT_FAILS(shaped(g, INT64_MAX, 2), "beyond what can be computed");
    EXPECT_FAILS(shaped(g, -3), "beyond what can be computed");
    EXPECT_FAILS(shaped(g, N, (int64_t)1 << 30, (int64_t)1 << 30), "beyond what can be computed");
    EXPECT_FAILS(krti_tile(g, shaped(g, (int64_t)1 << 40), (int64_t[]){1 << 20}),
                 "beyond what can be computed");
    EXPECT_FAILS(krti_repeat(g, shaped(g, (int64_t)1 << 40), (int64_t)1 << 40, 0),
                 "beyond what can be computed");
    krti_graph_free(g);
}

TEST(a_failed_graph_keeps_its_first_sentence)
{
    krti_graph *g = graph_new(t);
    krt_value *a = shaped(g, 2, 3), *b = shaped(g, 2, 4);

    assert_null(krti_exp(g, krti_add(g, a, b)));
    assert_null(krti_matmul(g, a, b, false, false, NULL));
    ASSERT_SAYS("shapes (2, 3) and (2, 4) cannot be broadcast");
    ASSERT_INT_EQ(KRT_E_INVALID, g->status);
    krti_graph_free(g);
}

TEST(flops_count_multiplications_and_additions)
{
    krti_graph *g = graph_new(t);
    krt_value *x = shaped(g, 1, 8, 8, 3), *k = shaped(g, 3, 3, 3, 16);
    krti_window w;

    ASSERT_OK(krti_window_make(g, &w, x, 2, (int64_t[]){3, 3}, (int64_t[]){1, 1}, NULL, "same"));
    ASSERT_INT_EQ(2 * 8 * 8 * 16 * 27, krti_node_flops(krti_conv(g, x, k, NULL, &w)->node));
    krt_value *a = shaped(g, 5, 2, 3), *b = shaped(g, 3, 4);
    ASSERT_INT_EQ(2 * 5 * 2 * 3 * 4,
                  krti_node_flops(krti_matmul(g, a, b, false, false, NULL)->node));
    ASSERT_INT_EQ(30, krti_node_flops(krti_exp(g, a)->node));
    ASSERT_INT_EQ(0, krti_node_flops(krti_reshape(g, a, KRT_SHAPE(30))->node));
    ASSERT_INT_EQ(0, krti_node_flops(krti_exp(g, shaped(g, N, 3))->node));
    krti_graph_free(g);
}

/* ------------------------------------------------------------------------------- float64 */

/* One value out of every kind of kernel with a template of its own. */
static size_t build_all(krti_graph *g, krt_dtype d, krt_value **y)
{
    krt_value *x = ramp(g, d, KRT_SHAPE(2, 4, 4, 3), -1.3, 0.037);
    krt_value *k = ramp(g, d, KRT_SHAPE(2, 2, 3, 5), 0.4, -0.013);
    krt_value *kt = ramp(g, d, KRT_SHAPE(2, 2, 5, 3), 0.4, -0.013);
    krt_value *v = ramp(g, d, KRT_SHAPE(3), 0.5, 0.25);
    krt_value *s = krti_sigmoid(g, x);
    size_t n = 0;
    krti_window w;

    assert_int_equal(
        krti_window_make(g, &w, x, 2, (int64_t[]){2, 2}, (int64_t[]){2, 2}, NULL, "same"), KRT_OK);
#define X(name) y[n++] = krti_##name(g, s);
    KRTI_UNARY_NUMBER(X)
    KRTI_UNARY_FLOAT(X)
    KRTI_UNARY_TEST(X)
#undef X
#define X(name) y[n++] = krti_##name(g, x, 0.7, 0.2, 0.9);
    KRTI_UNARY_PARAMS(X)
#undef X
#define X(name) y[n++] = krti_##name(g, s, v);
    KRTI_BINARY(X)
    KRTI_COMPARE(X)
#undef X
#define X(name) y[n++] = krti_reduce_##name(g, x, (int[]){1, 3}, 2, false);
    KRTI_REDUCE(X)
#undef X
    y[n++] = krti_argmax(g, x, -1, false);
    y[n++] = krti_cumsum(g, x, 1, false, true);
    y[n++] = krti_sort(g, krti_sin(g, krti_affine(g, x, 20, 0, 0)), 2);
    y[n++] = krti_dense(g, x, krti_reshape(g, v, KRT_SHAPE(3, 1)), NULL);
    y[n++] = krti_matmul(g, x, x, true, false, v);
    y[n++] = krti_conv(g, x, k, NULL, &w);
    y[n++] = krti_conv_transpose(g, x, kt, NULL, 2, w.stride, w.dilation, NULL, "same");
    y[n++] = krti_max_pool(g, x, &w);
    y[n++] = krti_avg_pool(g, x, &w);
    y[n++] = krti_adaptive_avg_pool(g, x, 2, (int64_t[]){3, 3});
    y[n++] = krti_adaptive_max_pool(g, x, 2, (int64_t[]){3, 3});
    y[n++] = krti_batch_norm(g, x, v, v, v, v, -1, 1e-3);
    y[n++] = krti_layer_norm(g, x, v, v, 1e-3);
    y[n++] = krti_softmax(g, x, 1);
    y[n++] = krti_log_softmax(g, x, -1);
    y[n++] = krti_resize_image(g, x, 7, 3, KRTI_BICUBIC, false);
    y[n++] = krti_pad(g, x, (int64_t[]){0, 1, 1, 0}, (int64_t[]){0, 2, 0, 0}, KRTI_PAD_REFLECT, 0);
    return n;
}

TEST(float32_and_float64_kernels_agree)
{
    krti_graph *single = graph_new(t), *twice = graph_new(t);
    krt_value *a[128], *b[128];
    const size_t n = build_all(single, KRT_FLOAT32, a);

    ASSERT_INT_EQ(n, build_all(twice, KRT_FLOAT64, b));
    ASSERT_INT_EQ(KRT_OK, twice->status);
    for (size_t i = 0; i < n; i++) {
        const size_t size = (size_t)krt_shape_size(a[i]->shape);
        const void *x = evaluate(single, a[i]), *y = evaluate(twice, b[i]);

        ASSERT_TRUE(krt_shape_equal(a[i]->shape, b[i]->shape));
        if (a[i]->dtype == KRT_FLOAT32)
            EXPECT_DTYPE(b[i], KRT_FLOAT64);
        for (size_t j = 0; j < size; j++) {
            double p, q;

            krti_convert(&p, KRT_FLOAT64, (const char *)x + j * krt_dtype_size(a[i]->dtype),
                         a[i]->dtype, 1);
            krti_convert(&q, KRT_FLOAT64, (const char *)y + j * krt_dtype_size(b[i]->dtype),
                         b[i]->dtype, 1);
            if (!(fabs(p - q) <= 2e-5 * (1 + fabs(q))) && !(isnan(p) && isnan(q)))
                fail_msg("%s: element %zu is %.9g and %.9g", a[i]->node->op->name, j, p, q);
        }
    }
    krti_graph_free(single);
    krti_graph_free(twice);
}

int main(void)
{
    return RUN(
        UNIT(every_op_has_a_name_of_its_own),
        UNIT(every_op_but_a_leaf_has_an_infer_rule_and_a_reference_kernel),
        UNIT(elementwise_ops_keep_shape_and_dtype), UNIT(half_floats_are_refused_by_what_computes),
        UNIT(a_shape_beyond_all_bounds_is_refused), UNIT(a_failed_graph_keeps_its_first_sentence),
        UNIT(flops_count_multiplications_and_additions), UNIT(float32_and_float64_kernels_agree));
}
