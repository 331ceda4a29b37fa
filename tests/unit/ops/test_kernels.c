/* Fast kernels against the reference: one list of small graphs, each compiled three ways (native,
 * oneDNN, reference) and run on the same numbers. Tolerance 2e-5 of the largest result, since sums
 * are made in another order; elementwise functions 2e-6. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* setenv */
#endif
#include "kernel_cases.h"

#include "ops/native/isa.h"

/* ------------------------------------------------------------------------------- running them */

/* Numbers in [-2, 2), the same in every run. */
static krt_tensor *numbers(testing *t, krt_shape shape, uint32_t seed)
{
    krt_tensor *x = NULL;
    uint32_t state = seed * 2654435761u + 1;

    ASSERT_OK(krt_tensor_new(t->k, &x, KRT_FLOAT32, shape));
    float *data = krt_tensor_data_mut(x);
    for (int64_t i = 0; i < krt_shape_size(shape); i++) {
        state = state * 1664525u + 1013904223u;
        data[i] = (float)(state >> 8) / (float)(1 << 22) - 2.0f;
    }
    return x;
}

typedef struct answer {
    float *data;
    size_t n;
} answer;

static answer run_with(testing *t, const graph_case *c, const char *only, int threads)
{
    krti_graph *g = NULL;
    krti_plan *plan = NULL;
    krti_exec *exec = NULL;
    krti_packs *packs = NULL;
    krt_tensor *x[MAX_IN] = {NULL}, *weights[MAX_IN] = {NULL};
    krt_value *in[MAX_IN] = {NULL};
    const void *data[MAX_IN] = {NULL};
    answer a = {NULL, 0};

    ASSERT_OK(krti_graph_new(t->k, &g));
    ASSERT_OK(krti_packs_new(t->k, &packs));
    for (int i = 0; i < MAX_IN && c->weights[i].rank >= 0; i++)
        weights[i] = numbers(t, c->weights[i], (uint32_t)i + 100);
    for (int i = 0; i < MAX_IN && c->in[i].rank >= 0; i++) {
        x[i] = numbers(t, c->in[i], (uint32_t)i + 1);
        in[i] = krti_input(g, KRT_FLOAT32, c->in[i]);
        data[i] = krt_tensor_data(x[i]);
    }
    krt_value *y = c->make(g, in, (const krt_tensor *const *)weights);
    ASSERT_OK(g->status);
    ASSERT_OK(krti_graph_add_output(g, y));
    ASSERT_OK(krti_compile(t->k, &plan, g, packs,
                           &(krti_compile_args){.threads = threads, .only = only}));
    ASSERT_OK(krti_exec_new(t->k, &exec, plan));
    krti_exec_run(exec, data);
    a.n = (size_t)krt_shape_size(plan->graph->outputs[0]->shape);
    a.data = malloc(a.n * sizeof(float));
    memcpy(a.data, krti_exec_output(exec, 0), a.n * sizeof(float));
    krti_exec_free(exec);
    krti_plan_free(plan);
    krti_packs_free(packs);
    for (int i = 0; i < MAX_IN; i++) {
        krt_tensor_free(x[i]);
        krt_tensor_free(weights[i]);
    }
    return a;
}

static void agree(testing *t, const char *only, int threads)
{
    for (size_t i = 0; i < KRTI_COUNT(cases); i++) {
        const graph_case *c = &cases[i];
        const answer expected = run_with(t, c, "reference", 1);
        const answer found = run_with(t, c, only, threads);
        double largest = 0;

        ASSERT_INT_EQ(expected.n, found.n);
        for (size_t j = 0; j < expected.n; j++)
            largest = fmax(largest, fabs((double)expected.data[j]));
        for (size_t j = 0; j < expected.n; j++) {
            const double e = (double)expected.data[j], f = (double)found.data[j];

            if (!(fabs(e - f) <= c->tolerance * largest)) {
                print_error("%s: element %zu of %zu: %.9g, the reference gives %.9g\n", c->name, j,
                            expected.n, f, e);
                fail();
            }
        }
        free(expected.data);
        free(found.data);
    }
}

TEST(native_kernels_agree_with_the_reference)
{
    agree(t, "native", 1);
}

TEST(native_kernels_agree_on_two_threads)
{
    agree(t, "native", 2);
}

TEST(every_instruction_set_agrees)
{
    setenv("KERATIN_ISA", "base", 1);
    agree(t, "native", 1);
    setenv("KERATIN_ISA", "avx2", 1);
    agree(t, "native", 1);
    unsetenv("KERATIN_ISA");
}

typedef krt_value *(*pair_fn)(krti_graph *g, krt_value *a, krt_value *b);

/* NaN at place 3 of 11 in `a`, then in `b`, beside an array and beside one number. */
static void expect_nan(testing *t, pair_fn fn)
{
    enum { N = 11 };
    const krt_shape shapes[3][2] = {
        {{1, {N}}, {1, {N}}}, {{1, {N}}, {1, {1}}}, {{1, {1}}, {1, {N}}}};
    float x[2][N];

    for (int i = 0; i < 6; i++) {
        const krt_shape *const s = shapes[i / 2];
        krti_graph *g = NULL;
        krti_plan *plan = NULL;
        krti_exec *exec = NULL;

        for (int j = 0; j < 2 * N; j++)
            x[j / N][j % N] = 0.5f;
        x[i % 2][s[i % 2].dim[0] == 1 ? 0 : 3] = NAN;
        ASSERT_OK(krti_graph_new(t->k, &g));
        krt_value *const a = krti_input(g, KRT_FLOAT32, s[0]);
        krt_value *const b = krti_input(g, KRT_FLOAT32, s[1]);
        ASSERT_OK(krti_graph_add_output(g, fn(g, a, b)));
        ASSERT_OK(krti_compile(t->k, &plan, g, NULL, &(krti_compile_args){.threads = 1}));
        ASSERT_OK(krti_exec_new(t->k, &exec, plan));
        krti_exec_run(exec, (const void *const[]){x[0], x[1]});
        const float *const y = krti_exec_output(exec, 0);
        ASSERT_TRUE(isnan(y[3]));
        ASSERT_TRUE(isnan(y[4]) == (s[i % 2].dim[0] == 1));
        krti_exec_free(exec);
        krti_plan_free(plan);
    }
}

TEST(a_maximum_and_a_minimum_pass_nan_on)
{
    expect_nan(t, krti_maximum);
    expect_nan(t, krti_minimum);
}

TEST(onednn_agrees_with_the_reference)
{
    agree(t, "onednn", 1);
}

/* The names of the kernels a case runs on, in order. */
static void kernels_of(testing *t, const graph_case *c, const char *only, char *out, size_t size)
{
    krti_graph *g = NULL;
    krti_plan *plan = NULL;
    krti_packs *packs = NULL;
    krt_tensor *weights[MAX_IN] = {NULL};
    krt_value *in[MAX_IN] = {NULL};

    ASSERT_OK(krti_graph_new(t->k, &g));
    ASSERT_OK(krti_packs_new(t->k, &packs));
    for (int i = 0; i < MAX_IN && c->weights[i].rank >= 0; i++)
        weights[i] = numbers(t, c->weights[i], (uint32_t)i + 100);
    for (int i = 0; i < MAX_IN && c->in[i].rank >= 0; i++)
        in[i] = krti_input(g, KRT_FLOAT32, c->in[i]);
    ASSERT_OK(krti_graph_add_output(g, c->make(g, in, (const krt_tensor *const *)weights)));
    ASSERT_OK(
        krti_compile(t->k, &plan, g, packs, &(krti_compile_args){.threads = 1, .only = only}));
    out[0] = '\0';
    for (int i = 0; i < plan->num_steps; i++) {
        const size_t n = strlen(out);

        snprintf(out + n, size - n, "%s%s", i > 0 ? " " : "", plan->steps[i].kernel->name);
    }
    krti_plan_free(plan);
    krti_packs_free(packs);
    for (int i = 0; i < MAX_IN; i++)
        krt_tensor_free(weights[i]);
}

static const graph_case *find(const char *name)
{
    for (size_t i = 0; i < KRTI_COUNT(cases); i++)
        if (strcmp(cases[i].name, name) == 0)
            return &cases[i];
    fail();
    return NULL;
}

TEST(bias_residual_activation_and_normalization_fuse_into_one_step)
{
    char names[512];

    kernels_of(t, find("conv residual"), NULL, names, sizeof names);
    ASSERT_STR_EQ("native_conv", names);
    kernels_of(t, find("conv batch norm"), NULL, names, sizeof names);
    ASSERT_STR_EQ("native_conv", names);
    kernels_of(t, find("conv 3x3 by Winograd, residual"), NULL, names, sizeof names);
    ASSERT_STR_EQ("native_winograd", names);
    kernels_of(t, find("dense of rank 3"), NULL, names, sizeof names);
    ASSERT_STR_EQ("native_matmul", names);
}

TEST(volumes_and_groups_run_on_our_own_loops)
{
    char names[512];

    kernels_of(t, find("conv 3d"), NULL, names, sizeof names);
    ASSERT_STR_EQ("native_conv", names);
    kernels_of(t, find("conv 3d, grouped"), NULL, names, sizeof names);
    ASSERT_STR_EQ("native_conv", names);
    kernels_of(t, find("conv 3d, padded"), NULL, names, sizeof names);
    ASSERT_STR_EQ("native_conv", names);
    kernels_of(t, find("gradients 3d"), NULL, names, sizeof names);
    ASSERT_STR_EQ("native_conv_grad_input native_conv_grad_kernel native_concat", names);
    kernels_of(t, find("transposed convolution 3d"), NULL, names, sizeof names);
    ASSERT_STR_EQ("native_conv_transpose", names);
}

TEST(a_chain_of_shifts_and_scales_is_one_step)
{
    char names[512];

    kernels_of(t, find("shift and scale"), NULL, names, sizeof names);
    ASSERT_STR_EQ("native_scale_shift", names);
}

TEST(padding_before_max_pooling_of_what_is_not_negative_merges)
{
    char names[512];

    kernels_of(t, find("padding and max pooling"), NULL, names, sizeof names);
    ASSERT_STR_EQ("native_conv native_max_pool", names);
}

TEST(a_pointwise_and_a_depthwise_convolution_are_one_step)
{
    char names[512];

    setenv("KERATIN_ISA", "base", 1);
    kernels_of(t, find("expansion"), NULL, names, sizeof names);
    ASSERT_STR_EQ("native_conv native_depthwise", names);
    unsetenv("KERATIN_ISA");
    if (krti_isa_get()->vector == 1)
        skip();
    kernels_of(t, find("expansion"), NULL, names, sizeof names);
    ASSERT_STR_EQ("native_expand_depthwise", names);
    kernels_of(t, find("expansion, silu"), NULL, names, sizeof names);
    ASSERT_STR_EQ("native_expand_depthwise", names);
    kernels_of(t, find("expansion, read twice"), NULL, names, sizeof names);
    ASSERT_STR_EQ("native_conv native_depthwise native_concat", names);
    kernels_of(t, find("expansion"), "reference", names, sizeof names);
    ASSERT_STR_EQ("reference reference", names);
}

/* The op's own reference kernel, which no plan uses while a fast one does what is asked. */
TEST(the_fused_pair_has_a_reference_that_agrees)
{
    const krti_op *const op = &krti_op_expand_depthwise;
    const graph_case *c = find("expansion, odd channels");
    const answer expected = run_with(t, c, "reference", 1);
    krti_graph *g = NULL;
    krt_tensor *x = numbers(t, c->in[0], 1), *w[4];
    krti_view view[6], out = {malloc(expected.n * sizeof(float)), KRT_FLOAT32, {.rank = 0}};
    const int place[4] = {4, 5, 1, 2};
    krt_value *in[6] = {NULL};
    krti_attrs attrs;

    memset(&attrs, 0, sizeof attrs);
    memset(view, 0, sizeof view);
    ASSERT_OK(krti_graph_new(t->k, &g));
    in[0] = krti_input(g, KRT_FLOAT32, c->in[0]);
    view[0] = (krti_view){krt_tensor_data_mut(x), KRT_FLOAT32, c->in[0]};
    for (int i = 0; i < 4; i++) {
        w[i] = numbers(t, c->weights[i], (uint32_t)i + 100);
        in[place[i]] = krti_variable(g, w[i]);
        view[place[i]] = (krti_view){krt_tensor_data_mut(w[i]), KRT_FLOAT32, c->weights[i]};
    }
    attrs.expand.window = window(2, 3, 1, 1, 1);
    attrs.expand.window.groups = c->weights[2].dim[3];
    attrs.expand.activation = (krti_activation){&krti_op_relu, 0, 0, 6};
    krti_node *n = krti_graph_add(g, op, in, 6, &attrs);
    ASSERT_OK(g->status);
    n->activation = attrs.expand.activation;
    out.shape = n->out[0].shape;
    ASSERT_INT_EQ(expected.n, krt_shape_size(out.shape));
    krti_reference_run(n, view, &out);
    for (size_t i = 0; i < expected.n; i++)
        ASSERT_TRUE(fabsf(((float *)out.data)[i] - expected.data[i]) <= 1e-5f);
    free(out.data);
    free(expected.data);
    krti_graph_free(g);
    krt_tensor_free(x);
    for (int i = 0; i < 4; i++)
        krt_tensor_free(w[i]);
}

TEST(onednn_is_asked_when_it_is_asked_for)
{
#ifdef KERATIN_HAVE_ONEDNN
    char names[512];

    kernels_of(t, find("conv 3x3"), "onednn", names, sizeof names);
    ASSERT_STR_EQ("onednn_conv", names);
    kernels_of(t, find("conv grouped"), NULL, names, sizeof names);
    ASSERT_STR_EQ("onednn_conv", names);
#else
    skip();
#endif
}

int main(void)
{
    return RUN(UNIT(native_kernels_agree_with_the_reference),
               UNIT(native_kernels_agree_on_two_threads), UNIT(every_instruction_set_agrees),
               UNIT(a_maximum_and_a_minimum_pass_nan_on), UNIT(onednn_agrees_with_the_reference),
               UNIT(bias_residual_activation_and_normalization_fuse_into_one_step),
               UNIT(volumes_and_groups_run_on_our_own_loops),
               UNIT(a_chain_of_shifts_and_scales_is_one_step),
               UNIT(padding_before_max_pooling_of_what_is_not_negative_merges),
               UNIT(a_pointwise_and_a_depthwise_convolution_are_one_step),
               UNIT(the_fused_pair_has_a_reference_that_agrees),
               UNIT(onednn_is_asked_when_it_is_asked_for));
}
