/* Groups of elementwise operations: that they form where they should and nowhere else, and that one
 * step gives what its operations give one by one. Beside cases written by hand, graphs are drawn at
 * random. Tolerance 1e-5 of each result, as functions differ by a few ulp. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* setenv */
#endif
#include "ops_testing.h"

#include "ops/fused.h"
#include "ops/plan.h"

enum { MAX_INPUTS = 8, MAX_RESULTS = 96, RANDOM_GRAPHS = 400 };

typedef struct drawing {
    krti_graph *g;
    const void *data[MAX_INPUTS];
    size_t num_inputs;
    uint32_t state;
} drawing;

static uint32_t draw(drawing *d, uint32_t below)
{
    d->state = d->state * 1664525u + 1013904223u;
    return (d->state >> 10) % below;
}

/* An input and its numbers, in [-2, 2), some of them equal and some 0. */
static krt_value *add_input(drawing *d, krt_dtype dtype, krt_shape shape)
{
    const size_t n = (size_t)krt_shape_size(shape);
    float *x = malloc(n * sizeof *x);

    for (size_t i = 0; i < n; i++) {
        const float v = (float)draw(d, 4096) / 1024.0f - 2.0f;

        if (dtype == KRT_FLOAT32)
            x[i] = draw(d, 8) == 0 ? 0 : v;
        else
            ((unsigned char *)x)[i] = (unsigned char)draw(d, dtype == KRT_BOOL ? 2 : 256);
    }
    d->data[d->num_inputs++] = x;
    return krti_input(d->g, dtype, shape);
}

static void free_inputs(drawing *d)
{
    for (size_t i = 0; i < d->num_inputs; i++)
        free((void *)(uintptr_t)d->data[i]);
}

typedef void (*make_fn)(drawing *d);

typedef struct answers {
    size_t num;
    krt_dtype dtype[MAX_RESULTS];
    size_t size[MAX_RESULTS];
    void *data[MAX_RESULTS];
    char steps[4096]; /* names of kernels */
} answers;

static answers compute(testing *t, make_fn make, uint32_t seed, const char *only, int threads)
{
    drawing d = {.g = graph_new(t), .state = seed};
    answers a = {.num = 0};
    krti_plan *plan = NULL;
    krti_exec *exec = NULL;
    krti_packs *packs = NULL;

    make(&d);
    ASSERT_OK(d.g->status);
    ASSERT_OK(krti_packs_new(t->k, &packs));
    ASSERT_OK(krti_compile(t->k, &plan, d.g, packs,
                           &(krti_compile_args){.threads = threads, .only = only}));
    ASSERT_OK(krti_exec_new(t->k, &exec, plan));
    krti_exec_run(exec, d.data);
    krti_exec_run(exec, d.data); /* what a run leaves behind must not matter */
    a.num = plan->graph->num_outputs;
    for (size_t i = 0; i < a.num; i++) {
        const krt_value *v = plan->graph->outputs[i];
        size_t bytes = 0;

        ASSERT_TRUE(krti_shape_bytes(v->shape, v->dtype, &bytes));
        a.dtype[i] = v->dtype;
        a.size[i] = (size_t)krt_shape_size(v->shape);
        a.data[i] = malloc(bytes);
        memcpy(a.data[i], krti_exec_output(exec, i), bytes);
    }
    for (int i = 0; i < plan->num_steps; i++) {
        const size_t n = strlen(a.steps);

        snprintf(a.steps + n, sizeof a.steps - n, "%s%s", i > 0 ? " " : "",
                 plan->steps[i].kernel->name);
    }
    krti_exec_free(exec);
    krti_plan_free(plan);
    krti_packs_free(packs);
    free_inputs(&d);
    return a;
}

static void free_answers(answers *a)
{
    for (size_t i = 0; i < a->num; i++)
        free(a->data[i]);
}

static double number_at(const answers *a, size_t i, size_t j)
{
    double x = 0;

    krti_convert(&x, KRT_FLOAT64, (const char *)a->data[i] + j * krt_dtype_size(a->dtype[i]),
                 a->dtype[i], 1);
    return x;
}

static bool is_close(double found, double expected)
{
    return fabs(found - expected) <= 1e-5 * (1 + fabs(expected)) || found == expected ||
           (isnan(found) && isnan(expected));
}

static void expect_same(const answers *expected, const answers *found, uint32_t seed)
{
    ASSERT_INT_EQ(expected->num, found->num);
    for (size_t i = 0; i < expected->num; i++) {
        ASSERT_INT_EQ(expected->size[i], found->size[i]);
        for (size_t j = 0; j < expected->size[i]; j++) {
            const double e = number_at(expected, i, j), f = number_at(found, i, j);

            if (!is_close(f, e))
                fail_msg("seed %u, result %zu, element %zu: %.9g, one by one %.9g (%s)", seed, i, j,
                         f, e, found->steps);
        }
    }
}

static void agree(testing *t, make_fn make, uint32_t seed, int threads)
{
    answers expected = compute(t, make, seed, "reference", 1);
    answers found = compute(t, make, seed, "native", threads);

    expect_same(&expected, &found, seed);
    free_answers(&expected);
    free_answers(&found);
}

/* The names of the kernels, where results agree too. */
static void expect_steps(testing *t, make_fn make, const char *steps)
{
    answers found = compute(t, make, 1, NULL, 1);

    ASSERT_STR_EQ(steps, found.steps);
    free_answers(&found);
    agree(t, make, 1, 1);
    agree(t, make, 1, 2);
}

/* ------------------------------------------------------------------------------- by hand */

static void output(drawing *d, krt_value *v)
{
    (void)krti_graph_add_output(d->g, v);
}

/* Adam's update of one variable, as Keras computes it. */
static void adam(drawing *d)
{
    const krt_shape shape = KRT_SHAPE(37, 129);
    krti_graph *g = d->g;
    krt_value *w = add_input(d, KRT_FLOAT32, shape), *grad = add_input(d, KRT_FLOAT32, shape);
    krt_value *m = add_input(d, KRT_FLOAT32, shape);
    krt_value *v = krti_square(g, add_input(d, KRT_FLOAT32, shape));
    krt_value *rate = krti_absolute(g, add_input(d, KRT_FLOAT32, SCALAR));

    m = krti_add(g, m, krti_multiply(g, krti_subtract(g, grad, m), krti_scalar(g, 0.1)));
    v = krti_add(
        g, v, krti_multiply(g, krti_subtract(g, krti_square(g, grad), v), krti_scalar(g, 0.001)));
    krt_value *step = krti_divide(g, krti_multiply(g, m, rate),
                                  krti_add(g, krti_sqrt(g, v), krti_scalar(g, 1e-7)));
    output(d, krti_subtract(g, w, step));
    output(d, m);
    output(d, v);
}

TEST(an_optimizers_update_is_one_step)
{
    expect_steps(t, adam, "native_absolute native_fused");
}

static void every_way_of_repeating(drawing *d)
{
    krti_graph *g = d->g;
    krt_value *x = add_input(d, KRT_FLOAT32, KRT_SHAPE(3, 50, 24));
    krt_value *y = krti_multiply(g, x, add_input(d, KRT_FLOAT32, KRT_SHAPE(24)));

    y = krti_add(g, y, add_input(d, KRT_FLOAT32, KRT_SHAPE(3, 50, 1)));
    y = krti_subtract(g, y, add_input(d, KRT_FLOAT32, KRT_SHAPE(50, 1)));
    y = krti_multiply(g, y, add_input(d, KRT_FLOAT32, KRT_SHAPE(3, 1, 1)));
    y = krti_maximum(g, y, add_input(d, KRT_FLOAT32, KRT_SHAPE(50, 24)));
    y = krti_add(g, y, add_input(d, KRT_FLOAT32, KRT_SHAPE(1)));
    output(d, krti_tanh(g, y));
}

static void repeating_rows_longer_than_a_block(drawing *d)
{
    krti_graph *g = d->g;
    krt_value *x = add_input(d, KRT_FLOAT32, KRT_SHAPE(5, 3001));
    krt_value *y = krti_multiply(g, x, add_input(d, KRT_FLOAT32, KRT_SHAPE(3001)));

    output(d, krti_exp(g, krti_subtract(g, y, add_input(d, KRT_FLOAT32, KRT_SHAPE(5, 1)))));
}

TEST(inputs_repeat_in_every_way)
{
    expect_steps(t, every_way_of_repeating, "native_fused");
    expect_steps(t, repeating_rows_longer_than_a_block, "native_fused");
}

static void masks(drawing *d)
{
    const krt_shape shape = KRT_SHAPE(9, 31);
    krti_graph *g = d->g;
    krt_value *x = add_input(d, KRT_FLOAT32, shape), *y = add_input(d, KRT_FLOAT32, KRT_SHAPE(31));
    krt_value *keep = add_input(d, KRT_BOOL, shape);
    krt_value *pixels = krti_cast(g, add_input(d, KRT_UINT8, shape), KRT_FLOAT32);
    krt_value *both = krti_logical_and(g, krti_greater(g, x, y), krti_logical_not(g, keep));
    krt_value *either = krti_logical_xor(g, both, krti_less_equal(g, pixels, krti_scalar(g, 99)));
    krt_value *same = krti_cast(g, krti_not_equal(g, x, y), KRT_FLOAT32);
    krt_value *log = krti_log(g, krti_absolute(g, x));

    output(d, krti_where(g, either, log, krti_scalar(g, -1)));
    output(d, either);
    output(d, krti_multiply(g, log, same));
    output(d, krti_logical_or(g, krti_isnan(g, krti_sqrt(g, x)), either));
}

TEST(masks_are_numbers_inside_a_group_and_bytes_outside)
{
    expect_steps(t, masks, "native_fused");
}

/* a and c could be one step but for the product between them. */
static void way_around(drawing *d)
{
    krti_graph *g = d->g;
    krt_value *a = krti_exp(g, krti_negative(g, add_input(d, KRT_FLOAT32, KRT_SHAPE(8, 8))));
    krt_value *b = krti_matmul(g, a, a, false, false, NULL);
    krt_value *c = krti_maximum(g, krti_multiply(g, a, b), krti_square(g, a));

    output(d, krti_divide(g, c, krti_add(g, a, b)));
}

TEST(what_depends_on_a_group_from_outside_does_not_join_it)
{
    answers found = compute(t, way_around, 1, NULL, 1);

    ASSERT_TRUE(strstr(found.steps, "native_fused ") == found.steps);
    ASSERT_TRUE(strstr(found.steps + 1, " native_fused") != NULL);
    free_answers(&found);
    agree(t, way_around, 1, 1);
}

static void many_results(drawing *d)
{
    krti_graph *g = d->g;
    krt_value *x = add_input(d, KRT_FLOAT32, KRT_SHAPE(70, 20));

    for (int i = 0; i < 11; i++) {
        x = krti_affine(g, krti_sigmoid(g, x), 1.5, -0.2, 0);
        output(d, x);
    }
}

TEST(a_group_with_too_many_results_is_cut)
{
    agree(t, many_results, 1, 1);
    agree(t, many_results, 1, 2);
}

static void through_reshapes(drawing *d)
{
    krti_graph *g = d->g;
    krt_value *x = krti_tanh(g, krti_exp(g, add_input(d, KRT_FLOAT32, KRT_SHAPE(6, 4, 5))));
    krt_value *flat = krti_reshape(g, x, KRT_SHAPE(6, 20));

    output(d, krti_multiply(g, krti_square(g, flat), add_input(d, KRT_FLOAT32, KRT_SHAPE(20))));
    output(d, flat);
}

TEST(a_reshape_does_not_part_a_group)
{
    expect_steps(t, through_reshapes, "native_fused");
}

/* ------------------------------------------------------------------------------- at random */

static krt_value *draw_binary(drawing *d, krt_value *a, krt_value *b)
{
    krti_graph *g = d->g;

    switch (draw(d, 9)) {
    case 0:
        return krti_subtract(g, a, b);
    case 1:
        return krti_multiply(g, a, b);
    case 2:
        return krti_maximum(g, a, b);
    case 3:
        return krti_minimum(g, a, b);
    case 4:
        return krti_where(g, krti_greater_equal(g, a, b), a, b);
    case 5:
        return krti_cast(g, krti_less(g, a, b), KRT_FLOAT32);
    case 6:
        return krti_atan2(g, a, b);
    default:
        return krti_add(g, a, b);
    }
}

static krt_value *draw_unary(drawing *d, krt_value *a)
{
    krti_graph *g = d->g;

    switch (draw(d, 9)) {
    case 0:
        return krti_tanh(g, a);
    case 1:
        return krti_relu(g, a, 0, 0, INFINITY);
    case 2:
        return krti_affine(g, a, 0.7, 0.1, 0);
    case 3:
        return krti_sign(g, a);
    case 4:
        return krti_cast(g, krti_logical_not(g, krti_isfinite(g, a)), KRT_FLOAT32);
    case 5:
        return krti_sin(g, a);
    case 6:
        return krti_sigmoid(g, a);
    default:
        return krti_clip(g, a, -1.5, 1.5, 0);
    }
}

/* Up to 72 operations over values of five shapes that broadcast, with a barrier now and then. */
static void random_graph(drawing *d)
{
    const int64_t rows = 1 + draw(d, 40), columns = 1 + draw(d, 70);
    const krt_shape shapes[] = {KRT_SHAPE(rows, columns), KRT_SHAPE(rows, columns),
                                KRT_SHAPE(columns), KRT_SHAPE(rows, 1), KRT_SHAPE(1)};
    krt_value *all[MAX_RESULTS];
    const int length = 8 + (int)draw(d, 64);
    uint32_t n = 0;

    for (size_t i = 0; i < KRTI_COUNT(shapes); i++)
        all[n++] = add_input(d, KRT_FLOAT32, shapes[i]);
    for (int i = 0; i < length; i++) {
        krt_value *a = all[draw(d, n)], *b = all[n - 1 - draw(d, n < 4 ? n : 4)];
        const uint32_t kind = draw(d, 12);

        if (kind == 0 && a->shape.rank == 2)
            all[n++] = krti_softmax(d->g, a, -1);
        else if (kind == 1 && a->shape.rank == 2)
            all[n++] = krti_reduce_max(d->g, a, (int[]){0}, 1, true);
        else if (kind < 6)
            all[n++] = draw_unary(d, a);
        else
            all[n++] = draw_binary(d, a, b);
    }
    output(d, all[n - 1]);
    for (uint32_t i = 5; i < n - 1; i++)
        if (draw(d, 4) == 0)
            output(d, all[i]);
}

TEST(random_graphs_give_what_their_operations_give)
{
    for (uint32_t seed = 1; seed <= RANDOM_GRAPHS; seed++)
        agree(t, random_graph, seed, seed % 2 == 0 ? 2 : 1);
}

TEST(groups_agree_with_every_instruction_set)
{
    static const char *const names[] = {"base", "avx2"};

    for (size_t i = 0; i < KRTI_COUNT(names); i++) {
        setenv("KERATIN_ISA", names[i], 1);
        agree(t, masks, 1, 1);
        agree(t, adam, 1, 1);
        for (uint32_t seed = 1; seed <= 20; seed++)
            agree(t, random_graph, seed, 1);
    }
    unsetenv("KERATIN_ISA");
}

/* The op's own reference kernel, which no plan uses. */
TEST(the_group_has_a_reference_that_agrees)
{
    drawing d = {.g = graph_new(t), .state = 5};
    answers expected = compute(t, masks, 5, "reference", 1);
    krti_plan *plan = NULL;
    krti_packs *packs = NULL;
    krti_view in[KRTI_FUSED_MAX_IN], out[KRTI_MAX_OUT];

    masks(&d);
    ASSERT_OK(krti_packs_new(t->k, &packs));
    ASSERT_OK(krti_compile(t->k, &plan, d.g, packs, &(krti_compile_args){.threads = 1}));
    const krti_node *n = plan->steps[0].node;
    ASSERT_TRUE(n->op == &krti_op_fused);
    for (int i = 0; i < n->num_in; i++) {
        in[i] = (krti_view){NULL, n->in[i]->dtype, n->in[i]->shape};
        for (size_t j = 0; j < plan->graph->num_inputs; j++)
            if (plan->graph->inputs[j] == n->in[i])
                in[i].data = (void *)(uintptr_t)d.data[j];
        if (n->in[i]->node->op == &krti_op_constant)
            in[i].data = n->in[i]->node->constant;
    }
    for (int i = 0; i < n->num_out; i++)
        out[i] = (krti_view){malloc(4096), n->out[i].dtype, n->out[i].shape};
    n->op->reference(n, in, out);
    for (size_t i = 0; i < expected.num; i++) {
        const krt_value *v = plan->graph->outputs[i];

        ASSERT_TRUE(v->node == n);
        for (size_t j = 0; j < expected.size[i]; j++) {
            double x = 0;

            krti_convert(&x, KRT_FLOAT64, (char *)out[v->index].data + j * krt_dtype_size(v->dtype),
                         v->dtype, 1);
            ASSERT_TRUE(is_close(x, number_at(&expected, i, j)));
        }
    }
    for (int i = 0; i < n->num_out; i++)
        free(out[i].data);
    krti_plan_free(plan);
    krti_packs_free(packs);
    free_inputs(&d);
    free_answers(&expected);
}

int main(void)
{
    return RUN(UNIT(an_optimizers_update_is_one_step), UNIT(inputs_repeat_in_every_way),
               UNIT(masks_are_numbers_inside_a_group_and_bytes_outside),
               UNIT(what_depends_on_a_group_from_outside_does_not_join_it),
               UNIT(a_group_with_too_many_results_is_cut), UNIT(a_reshape_does_not_part_a_group),
               UNIT(random_graphs_give_what_their_operations_give),
               UNIT(groups_agree_with_every_instruction_set),
               UNIT(the_group_has_a_reference_that_agrees));
}
