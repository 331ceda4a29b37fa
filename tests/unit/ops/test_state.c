/* Plans that update variables: what a step of training is made of. */
#include "ops/autodiff.h"
#include "ops/plan.h"
#include "ops_testing.h"

/* A float32 tensor of its own memory. */
static krt_tensor *variable(testing *t, krt_shape shape, const float *numbers)
{
    krt_tensor *v = NULL;

    ASSERT_OK(krt_tensor_new(t->k, &v, KRT_FLOAT32, shape));
    memcpy(v->data, numbers, v->size_bytes);
    return v;
}

#define VARIABLE(...) \
    variable(t, KRT_SHAPE(sizeof((float[]){__VA_ARGS__}) / sizeof(float)), (float[]){__VA_ARGS__})

typedef struct program {
    krti_packs *packs;
    krti_plan *plan;
    krti_exec *exec;
} program;

static program compile(testing *t, krti_graph *g)
{
    program p = {NULL, NULL, NULL};

    ASSERT_OK(krti_packs_new(t->k, &p.packs));
    ASSERT_OK(krti_compile(t->k, &p.plan, g, p.packs, &(krti_compile_args){.threads = 1}));
    ASSERT_OK(krti_exec_new(t->k, &p.exec, p.plan));
    return p;
}

static void program_free(program *p)
{
    krti_exec_free(p->exec);
    krti_plan_free(p->plan);
    krti_packs_free(p->packs);
}

static krti_slot_kind kind_of(const program *p, const krt_value *v)
{
    return p->plan->slots[p->plan->slot_of[v->node->id * KRTI_MAX_OUT + v->index]].kind;
}

static void expect_data(const krt_tensor *v, size_t n, const double *expected)
{
    for (size_t i = 0; i < n; i++)
        if (fabs((double)((const float *)v->data)[i] - expected[i]) > 1e-6)
            fail_msg("element %zu is %.9g, expected %.9g", i, (double)((const float *)v->data)[i],
                     expected[i]);
}
#define EXPECT_DATA(v, ...) expect_data((v), NUMBERS(__VA_ARGS__))

TEST(a_variable_holds_its_new_value_after_the_run)
{
    krt_tensor *w = VARIABLE(1, 2);
    krti_graph *g = graph_new(t);
    krt_value *x = krti_input(g, KRT_FLOAT32, KRT_SHAPE(2)), *v = krti_variable(g, w);
    const float input[] = {10, 20};

    ASSERT_OK(krti_assign(g, v, krti_add(g, v, x)));
    ASSERT_OK(krti_graph_add_output(g, krti_multiply(g, v, x))); /* of the old value */
    program p = compile(t, g);
    krti_exec_run(p.exec, (const void *[]){input});
    EXPECT_DATA(w, 11, 22);
    ASSERT_TRUE(((const float *)krti_exec_output(p.exec, 0))[1] == 40.0f);
    krti_exec_run(p.exec, (const void *[]){input});
    EXPECT_DATA(w, 21, 42);
    ASSERT_TRUE(((const float *)krti_exec_output(p.exec, 0))[1] == 440.0f);
    program_free(&p);
    krt_tensor_free(w);
}

/* The last of some rows, as a recurrent layer keeps it: nothing else reads the row under its own shape. */
TEST(what_it_becomes_may_be_a_view_that_nothing_else_reads)
{
    krt_tensor *w = VARIABLE(1, 2);
    krti_graph *g = graph_new(t);
    krt_value *x = krti_input(g, KRT_FLOAT32, KRT_SHAPE(2, 2)), *v = krti_variable(g, w);
    krt_value *y = krti_cumsum(g, krti_add(g, x, v), 0, false, false);
    const float input[] = {1, 2, 3, 4};

    ASSERT_OK(krti_assign(g, v, krti_reshape(g, krti_slice_axis(g, y, 0, 1, 2, 1), KRT_SHAPE(2))));
    ASSERT_OK(krti_graph_add_output(g, y));
    program p = compile(t, g);
    krti_exec_run(p.exec, (const void *[]){input});
    EXPECT_DATA(w, 6, 10);
    krti_exec_run(p.exec, (const void *[]){input});
    EXPECT_DATA(w, 16, 26);
    program_free(&p);
    krt_tensor_free(w);
}

static const krt_tensor *instead(void *user, const krt_tensor *of)
{
    (void)of;
    return user;
}

TEST(a_run_may_write_a_tensor_of_its_own_instead)
{
    krt_tensor *w = VARIABLE(1, 2), *own = VARIABLE(0, 0);
    krti_graph *g = graph_new(t);
    krt_value *v = krti_variable(g, w);

    ASSERT_OK(krti_assign(g, v, krti_affine(g, v, 1, 5, 0)));
    program p = compile(t, g);
    ASSERT_OK(krti_exec_own_states(p.exec, instead, own));
    krti_exec_run(p.exec, NULL);
    krti_exec_run(p.exec, NULL);
    EXPECT_DATA(w, 1, 2);
    EXPECT_DATA(own, 10, 10);
    ASSERT_STATUS(KRT_E_NOMEM, krti_exec_own_states(p.exec, instead, NULL));
    program_free(&p);
    krt_tensor_free(w);
    krt_tensor_free(own);
}

TEST(updates_see_old_values_even_when_they_change_places)
{
    krt_tensor *a = VARIABLE(1, 2), *b = VARIABLE(3, 4), *c = VARIABLE(5, 6);
    krti_graph *g = graph_new(t);
    krt_value *va = krti_variable(g, a), *vb = krti_variable(g, b), *vc = krti_variable(g, c);

    ASSERT_OK(krti_assign(g, va, vb));
    ASSERT_OK(krti_assign(g, vb, krti_stop_gradient(g, vc)));
    ASSERT_OK(krti_assign(g, vc, krti_add(g, va, vb)));
    program p = compile(t, g);
    krti_exec_run(p.exec, NULL);
    EXPECT_DATA(a, 3, 4);
    EXPECT_DATA(b, 5, 6);
    EXPECT_DATA(c, 4, 6);
    program_free(&p);
    krt_tensor_free(a);
    krt_tensor_free(b);
    krt_tensor_free(c);
}

TEST(the_last_assignment_counts_and_goes_on_from_the_one_before)
{
    krt_tensor *w = VARIABLE(1, 2);
    krti_graph *g = graph_new(t);
    krt_value *v = krti_variable(g, w);

    ASSERT_TRUE(krti_current(g, v) == v);
    for (int i = 0; i < 3; i++)
        ASSERT_OK(krti_assign(g, v, krti_affine(g, krti_current(g, v), 2, 1, 0)));
    ASSERT_INT_EQ(1, g->num_updates);
    program p = compile(t, g);
    krti_exec_run(p.exec, NULL);
    EXPECT_DATA(w, 15, 23);
    program_free(&p);
    krt_tensor_free(w);
}

/* Momentum on a small net: loss falls, and every update is computed where the variable lies. */
TEST(a_step_of_training_updates_in_place)
{
    const float inputs[] = {0.5f, -1, 1, 2, -1.5f, 0.25f}, targets[] = {1, 0, 2};
    krt_tensor *w[] = {
        variable(t, KRT_SHAPE(2, 4), (float[]){.1f, .2f, -.3f, .4f, .5f, -.6f, .7f, .8f}),
        VARIABLE(0, 0, 0, 0), variable(t, KRT_SHAPE(4, 1), (float[]){.3f, -.2f, .6f, .5f}),
        VARIABLE(0)};
    krt_tensor *m[4];
    krti_graph *g = graph_new(t);
    krt_value *v[4], *dv[4], *new_w[4], *new_m[4];
    krt_value *x = krti_input(g, KRT_FLOAT32, KRT_SHAPE(3, 2));
    krt_value *y = krti_input(g, KRT_FLOAT32, KRT_SHAPE(3, 1));
    krt_value *rate = krti_input(g, KRT_FLOAT32, SCALAR);
    const float lr = 0.05f;
    float first = 0, last = 0;

    for (int i = 0; i < 4; i++)
        v[i] = krti_variable(g, w[i]);
    krt_value *h = krti_relu(g, krti_dense(g, x, v[0], v[1]), 0.1, 0, INFINITY);
    krt_value *error = krti_squared_difference(g, krti_dense(g, h, v[2], v[3]), y);
    krt_value *loss = krti_reduce_mean(g, error, NULL, 0, false);
    ASSERT_OK(krti_gradients(g, loss, v, 4, dv));
    for (int i = 0; i < 4; i++) {
        ASSERT_OK(krt_tensor_new(t->k, &m[i], KRT_FLOAT32, w[i]->shape));
        memset(m[i]->data, 0, m[i]->size_bytes);
        krt_value *vm = krti_variable(g, m[i]);
        new_m[i] = krti_subtract(g, krti_affine(g, vm, 0.9, 0, 0), krti_multiply(g, dv[i], rate));
        new_w[i] = krti_add(g, v[i], new_m[i]);
        ASSERT_OK(krti_assign(g, vm, new_m[i]));
        ASSERT_OK(krti_assign(g, v[i], new_w[i]));
    }
    ASSERT_OK(krti_graph_add_output(g, loss));
    program p = compile(t, g);
    for (int i = 0; i < 4; i++) {
        ASSERT_INT_EQ(KRTI_SLOT_STATE, kind_of(&p, krti_resolve(new_w[i])));
        ASSERT_INT_EQ(KRTI_SLOT_STATE, kind_of(&p, krti_resolve(new_m[i])));
    }
    for (int step = 0; step < 60; step++) {
        krti_exec_run(p.exec, (const void *[]){inputs, targets, &lr});
        last = *(const float *)krti_exec_output(p.exec, 0);
        first = step == 0 ? last : first;
    }
    ASSERT_TRUE(first > 1 && last < 0.01f);
    program_free(&p);
    for (int i = 0; i < 4; i++) {
        krt_tensor_free(w[i]);
        krt_tensor_free(m[i]);
    }
}

/* w is read by the gradient for x, which is computed after w's own: both orders must give the same. */
TEST(old_weights_are_read_before_they_are_written)
{
    const float inputs[] = {1, 2};

    for (int order = 0; order < 2; order++) {
        krt_tensor *a = variable(t, KRT_SHAPE(2, 2), (float[]){1, 2, 3, 4});
        krt_tensor *b = variable(t, KRT_SHAPE(2, 2), (float[]){5, 6, 7, 8});
        krti_graph *g = graph_new(t);
        krt_value *v[] = {krti_variable(g, a), krti_variable(g, b)}, *dv[2];
        krt_value *x = krti_input(g, KRT_FLOAT32, KRT_SHAPE(1, 2));
        krt_value *y =
            krti_matmul(g, krti_matmul(g, x, v[0], false, false, NULL), v[1], false, false, NULL);

        ASSERT_OK(krti_gradients(g, y, v, 2, dv));
        for (int i = 0; i < 2; i++) {
            const int at = order == 0 ? i : 1 - i;

            ASSERT_OK(krti_assign(g, v[at], krti_subtract(g, v[at], dv[at])));
        }
        program p = compile(t, g);
        krti_exec_run(p.exec, (const void *[]){inputs});
        EXPECT_DATA(a, 1 - 11, 2 - 15, 3 - 22, 4 - 30);
        EXPECT_DATA(b, 5 - 7, 6 - 7, 7 - 10, 8 - 10);
        program_free(&p);
        krt_tensor_free(a);
        krt_tensor_free(b);
    }
}

/* What reads the old value needs the new one, so it cannot come before. */
TEST(a_reader_of_both_values_gets_both)
{
    krt_tensor *w = VARIABLE(1, 2), *other = VARIABLE(0, 0);
    krti_graph *g = graph_new(t);
    krt_value *v = krti_variable(g, w), *o = krti_variable(g, other);
    krt_value *next = krti_cumsum(g, krti_square(g, v), 0, false, false);

    ASSERT_OK(krti_assign(g, v, next));
    ASSERT_OK(krti_assign(g, o, krti_sort(g, krti_subtract(g, next, krti_sort(g, v, 0)), 0)));
    program p = compile(t, g);
    krti_exec_run(p.exec, NULL);
    EXPECT_DATA(w, 1, 5);
    EXPECT_DATA(other, 0, 3);
    program_free(&p);
    krt_tensor_free(w);
    krt_tensor_free(other);
}

TEST(what_a_run_writes_is_no_constant_and_the_rest_is)
{
    krt_tensor *w = VARIABLE(1, 2), *frozen = VARIABLE(3, 4);
    krti_graph *g = graph_new(t);
    krt_value *v = krti_variable(g, w), *f = krti_variable(g, frozen);
    krt_value *y = krti_exp(g, v), *z = krti_exp(g, f);

    ASSERT_TRUE(krti_variable(g, w) == v);
    ASSERT_OK(krti_assign(g, v, y));
    ASSERT_OK(krti_graph_add_output(g, z));
    program p = compile(t, g);
    ASSERT_TRUE(z->node->is_static && !y->node->is_static);
    program_free(&p);
    g = graph_new(t);
    g->variables_change = true;
    z = krti_exp(g, krti_variable(g, frozen));
    ASSERT_OK(krti_graph_add_output(g, z));
    p = compile(t, g);
    krti_exec_run(p.exec, NULL);
    ((float *)frozen->data)[0] = 0;
    krti_exec_run(p.exec, NULL);
    ASSERT_TRUE(((const float *)krti_exec_output(p.exec, 0))[0] == 1.0f);
    program_free(&p);
    krt_tensor_free(w);
    krt_tensor_free(frozen);
}

TEST(updates_that_do_not_fit_and_borrowed_memory_are_refused)
{
    float borrowed[] = {1, 2};
    krt_tensor *w = NULL;
    krti_graph *g = graph_new(t);
    krti_packs *packs = NULL;
    krti_plan *plan = NULL;
    krti_exec *exec = NULL;

    ASSERT_OK(krt_tensor_wrap(t->k, &w, KRT_FLOAT32, KRT_SHAPE(2), borrowed));
    krt_value *v = krti_variable(g, w);
    ASSERT_INT_EQ(KRT_E_INVALID, krti_assign(g, v, krti_scalar(g, 1)));
    ASSERT_SAYS("a variable of float32 (2,) cannot become float32 ()");
    g->status = KRT_OK;
    ASSERT_OK(krti_assign(g, v, krti_square(g, v)));
    ASSERT_OK(krti_packs_new(t->k, &packs));
    ASSERT_OK(krti_compile(t->k, &plan, g, packs, &(krti_compile_args){.threads = 1}));
    ASSERT_INT_EQ(KRT_E_STATE, krti_exec_new(t->k, &exec, plan));
    ASSERT_SAYS("a variable's memory is not the process's own");
    krti_plan_free(plan);
    krti_packs_free(packs);
    krt_tensor_free(w);
}

/* Enough of them for a search from end to end to take minutes. */
TEST(a_tensor_is_one_variable_of_a_graph_however_many_there_are)
{
    enum { MANY = 60000 };
    krt_tensor **tensors = calloc(MANY, sizeof *tensors);
    krti_graph *g = NULL;

    ASSERT_OK(krti_graph_new(t->k, &g));
    for (size_t i = 0; i < MANY; i++)
        ASSERT_OK(krt_tensor_new(t->k, &tensors[i], KRT_FLOAT32, KRT_SHAPE(1)));
    for (size_t i = 0; i < MANY; i++)
        ASSERT_INT_EQ(i, krti_variable(g, tensors[i])->node->id);
    for (size_t i = 0; i < MANY; i++)
        ASSERT_INT_EQ(i, krti_variable(g, tensors[i])->node->id);
    ASSERT_INT_EQ(MANY, g->num_variables);
    krti_graph_free(g);
    free(tensors);
}

int main(void)
{
    return RUN(UNIT(a_variable_holds_its_new_value_after_the_run),
               UNIT(what_it_becomes_may_be_a_view_that_nothing_else_reads),
               UNIT(a_run_may_write_a_tensor_of_its_own_instead),
               UNIT(updates_see_old_values_even_when_they_change_places),
               UNIT(the_last_assignment_counts_and_goes_on_from_the_one_before),
               UNIT(a_step_of_training_updates_in_place),
               UNIT(old_weights_are_read_before_they_are_written),
               UNIT(a_reader_of_both_values_gets_both),
               UNIT(what_a_run_writes_is_no_constant_and_the_rest_is),
               UNIT(updates_that_do_not_fit_and_borrowed_memory_are_refused),
               UNIT(a_tensor_is_one_variable_of_a_graph_however_many_there_are));
}
