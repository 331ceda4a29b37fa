/* What layers do in a step of training beside their outputs: draws, updates, penalties. */
#include "tracing.h"

/* One call in training on inputs of this shape. */
static traced trace_step(krt_layer *l, krt_shape shape)
{
    traced t = {.g = NULL};

    assert_int_equal(krti_graph_new(l->owned.k, &t.g), KRT_OK);
    t.g->variables_change = true;
    t.in[0] = krti_input(t.g, KRT_FLOAT32, shape);
    t.c = (krt_call){.training = true, .num_in = 1, .in = t.in};
    t.status = krti_layer_trace(l, t.g, &t.c);
    return t;
}

static krt_status keep_seed(void *user, krt_layer *l, krt_tensor *state)
{
    (void)l;
    memcpy(user, krt_tensor_data(state), 2 * sizeof(uint32_t));
    return KRT_OK;
}

TEST(a_seed_is_the_argument_or_made_of_the_name)
{
    uint32_t given[2] = {0, 9}, first[2], again[2], other[2];

    ASSERT_OK(
        krti_layer_each_seed(layer_from(t->k, KRT_DROPOUT(0.5, .seed = 42)), keep_seed, given));
    ASSERT_INT_EQ(42, given[0]);
    ASSERT_INT_EQ(0, given[1]);
    const krt_spec *named = KRT_DROPOUT(0.5, .name = "drop"), *elsewhere = KRT_DROPOUT(0.5);
    ASSERT_OK(krti_layer_each_seed(layer_from(t->k, named), keep_seed, first));
    ASSERT_OK(krti_layer_each_seed(layer_from(t->k, named), keep_seed, again));
    ASSERT_OK(krti_layer_each_seed(layer_from(t->k, elsewhere), keep_seed, other));
    ASSERT_INT_EQ(first[0], again[0]);
    ASSERT_TRUE(first[0] != other[0]);
    ASSERT_TRUE(first[0] >= 1 && first[0] <= 1000000000u);
}

TEST(every_call_in_a_step_draws_anew_and_the_next_step_goes_on)
{
    krt_layer *l = layer_from(t->k, KRT_DROPOUT(0.5, .seed = 1));
    traced s = trace_step(l, SHAPE(4, 4));
    krti_plan *plan = NULL;
    krti_exec *exec = NULL;
    const float x[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    float first[16], second[16];
    krt_call again = {.training = true, .num_in = 1, .in = s.in};
    uint32_t state[2];

    ASSERT_OK(s.status);
    ASSERT_OK(krti_layer_trace(l, s.g, &again));
    ASSERT_OK(krti_graph_add_output(s.g, s.c.out[0]));
    ASSERT_OK(krti_graph_add_output(s.g, again.out[0]));
    ASSERT_OK(krti_compile(t->k, &plan, s.g, NULL, &(krti_compile_args){.threads = 1}));
    ASSERT_OK(krti_exec_new(t->k, &exec, plan));
    krti_exec_run(exec, (const void *[]){x});
    memcpy(first, krti_exec_output(exec, 0), sizeof first);
    memcpy(second, krti_exec_output(exec, 1), sizeof second);
    ASSERT_TRUE(memcmp(first, second, sizeof first) != 0);
    for (int i = 0; i < 16; i++)
        ASSERT_TRUE(first[i] == 0.0f || first[i] == 2.0f);
    ASSERT_OK(krti_layer_each_seed(l, keep_seed, state));
    ASSERT_INT_EQ(1, state[0]);
    ASSERT_INT_EQ(2, state[1]);
    krti_exec_run(exec, (const void *[]){x});
    ASSERT_TRUE(memcmp(first, krti_exec_output(exec, 0), sizeof first) != 0);
    ((uint32_t *)l->seed->data)[1] = 0; /* from the start: the same again */
    krti_exec_run(exec, (const void *[]){x});
    assert_memory_equal(first, krti_exec_output(exec, 0), sizeof first);
    krti_exec_free(exec);
    krti_plan_free(plan);
}

TEST(a_penalty_may_stand_in_the_config_of_any_layer_and_counts_in_steps_only)
{
    krti_arena a = KRTI_ARENA_INIT(t->k);
    krt_layer *l = layer_of(&a, "{'class_name': 'Flatten', 'config': {'name': 'f', "
                                "'activity_regularizer': {'class_name': 'L2', 'config': "
                                "{'l2': 0.5}}}}");
    traced s = trace_step(l, SHAPE(2, 3)), plain;

    ASSERT_OK(s.status);
    ASSERT_INT_EQ(1, s.g->num_losses);
    untrace(&s);
    trace(&plain, l, 1, &SHAPE(2, 3), NULL);
    ASSERT_OK(plain.status);
    ASSERT_INT_EQ(0, plain.g->num_losses);
    untrace(&plain);
    l = layer_of(&a, "{'class_name': 'Flatten', 'config': {'name': 'f', 'activity_regularizer': "
                     "{'class_name': 'Mine', 'config': {}}}}");
    s = trace_step(l, SHAPE(2, 3));
    ASSERT_STATUS(KRT_E_UNKNOWN_CLASS, s.status);
    untrace(&s);
    krti_arena_free(&a);
}

TEST(noise_shapes_that_do_not_fit_and_infinite_noise_are_refused)
{
    traced s =
        trace_step(layer_from(t->k, KRT_DROPOUT(0.5, .noise_shape = SHAPE(NONE, 3))), SHAPE(2, 4));

    ASSERT_STATUS(KRT_E_INVALID, s.status);
    ASSERT_SAYS("noise_shape (None, 3) does not fit an input of (2, 4)");
    untrace(&s);
    s = trace_step(layer_from(t->k, KRT_GAUSSIAN_DROPOUT(1)), SHAPE(2, 4));
    ASSERT_STATUS(KRT_E_INVALID, s.status);
    ASSERT_SAYS("float division by zero: rate is 1, the noise would be infinite");
    untrace(&s);
}

/* Against tf_keras 2.21, with gamma and beta set: outputs of the second of two steps, and what the moving
 * weights are then. */
TEST(batch_renormalization_follows_its_slow_statistics_within_its_clipping)
{
    static const float gamma[] = {1.5f, 0.5f, -1}, beta[] = {0.1f, 0.2f, 0.3f};
    static const struct {
        const char *name;
        float values[3];
    } expected[] = {{"moving_mean", {-0.13919999f, 0.075399995f, -0.0029000102f}},
                    {"moving_variance", {0.76490134f, 0.76490134f, 1.0947256f}},
                    {"moving_stddev", {0.87515789f, 0.87515789f, 1.0467691f}},
                    {"renorm_mean", {-0.26879999f, 0.14559999f, -0.0056000194f}},
                    {"renorm_stddev", {0.76579911f, 0.76579911f, 1.097203f}}};
    static const float y[] = {-2.0067041f,  -0.30223465f, -0.6380682f, -0.80223489f,
                              0.099255115f, -0.90757608f, 0.40223432f, 0.50074494f,
                              1.5449457f,   1.6067036f,   0.90223467f, 1.2754378f};
    krti_arena a = KRTI_ARENA_INIT(t->k);
    krt_layer *l = layer_of(&a, "{'class_name': 'BatchNormalization', 'config': {'renorm': true, "
                                "'renorm_clipping': {'rmax': 1.1, 'rmin': 0.9, 'dmax': 0.2}, "
                                "'momentum': 0.9, 'renorm_momentum': 0.8}}");
    traced s = trace_step(l, SHAPE(4, 3));
    krti_plan *plan = NULL;
    krti_exec *exec = NULL;
    float x[12];

    ASSERT_OK(s.status);
    ASSERT_OK(krti_layer_initialize(l));
    memcpy(krti_layer_variable(l, "gamma")->tensor->data, gamma, sizeof gamma);
    memcpy(krti_layer_variable(l, "beta")->tensor->data, beta, sizeof beta);
    ASSERT_OK(krti_graph_add_output(s.g, s.c.out[0]));
    ASSERT_OK(krti_compile(t->k, &plan, s.g, NULL, &(krti_compile_args){.threads = 1}));
    ASSERT_OK(krti_exec_new(t->k, &exec, plan));
    for (int step = 1; step <= 2; step++) {
        for (int i = 0; i < 12; i++)
            x[i] = ((float)((i * 37 + 11) % 101) / 50 - 1) * (float)step;
        krti_exec_run(exec, (const void *[]){x});
    }
    ASSERT_NEAR(y, (const float *)krti_exec_output(exec, 0), 12, 1e-5, 1e-5);
    for (size_t i = 0; i < KRTI_COUNT(expected); i++)
        ASSERT_NEAR(expected[i].values,
                    (const float *)krti_layer_variable(l, expected[i].name)->tensor->data, 3, 1e-5,
                    1e-6);
    krti_exec_free(exec);
    krti_plan_free(plan);
    krti_arena_free(&a);
}

int main(void)
{
    return RUN(UNIT(a_seed_is_the_argument_or_made_of_the_name),
               UNIT(every_call_in_a_step_draws_anew_and_the_next_step_goes_on),
               UNIT(a_penalty_may_stand_in_the_config_of_any_layer_and_counts_in_steps_only),
               UNIT(noise_shapes_that_do_not_fit_and_infinite_noise_are_refused),
               UNIT(batch_renormalization_follows_its_slow_statistics_within_its_clipping));
}
