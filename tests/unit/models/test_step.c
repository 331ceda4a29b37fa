/* One step of training of whole models against Keras: outputs in training mode, gradients of every
 * trainable weight, what the other weights become, and the random numbers. The answers are in
 * tests/fixtures/gradients (tools/make_gradient_fixtures.py). */
#include "models/model.h"
#include "ops/autodiff.h"
#include "testing.h"

#include <keratin/keratin.h>
#include <unistd.h>

enum { MAX_WEIGHTS = 32 };

typedef struct answers {
    krt_tensor **tensors;
    char **names;
    size_t n;
} answers;

static const krt_tensor *answer(const answers *a, const char *format, size_t i)
{
    char name[64];

    snprintf(name, sizeof name, format, (int)i);
    for (size_t j = 0; j < a->n; j++)
        if (strcmp(a->names[j], name) == 0)
            return a->tensors[j];
    return NULL;
}

/* A step as a graph, compiled. */
typedef struct step {
    krt_model *m;
    krt_variable *trainable[MAX_WEIGHTS], *others[MAX_WEIGHTS];
    size_t num_trainable, num_others;
    krti_plan *plan;
    krti_exec *exec;
} step;

/* As Keras: a weight that does not train, or whose layer does not. */
static krt_status sort_weight(void *user, krt_variable *v)
{
    step *s = user;
    krt_status st = KRT_OK;

    if (!krti_tensor_is_private(v->tensor))
        st = krti_tensor_align(v->tensor);
    if (v->trainable && v->layer->trainable)
        s->trainable[s->num_trainable++] = v;
    else
        s->others[s->num_others++] = v;
    return st;
}

/* Outputs: loss, y, then a gradient each. */
static void describe(testing *t, step *s, krti_graph *g, const answers *a, bool is_tensorflow)
{
    krt_value *in[1], *out[4], *mask[4], *wrt[MAX_WEIGHTS], *grads[MAX_WEIGHTS];
    krti_tracing tracing = {.tap = NULL};

    in[0] = krti_input(g, s->m->inputs[0].dtype, answer(a, "x", 0)->shape);
    ASSERT_OK(krti_model_trace(s->m, g, in, NULL, 1, true, &tracing, out, mask));
    krt_value *weight = krti_input(g, KRT_FLOAT32, answer(a, "weight", 0)->shape);
    krt_value *loss = krti_reduce_sum(g, krti_multiply(g, out[0], weight), NULL, 0, false);
    for (size_t i = 0; i < g->num_losses; i++)
        loss = krti_add(g, loss, g->losses[i]);
    for (size_t i = 0; i < s->num_trainable; i++) {
        wrt[i] = krti_variable(g, s->trainable[i]->tensor);
        if (is_tensorflow) /* whose tape sees a weight that was assigned to read again */
            wrt[i] = krti_current(g, wrt[i]);
    }
    ASSERT_OK(krti_gradients(g, loss, wrt, s->num_trainable, grads));
    ASSERT_OK(krti_graph_add_output(g, loss));
    ASSERT_OK(krti_graph_add_output(g, out[0]));
    for (size_t i = 0; i < s->num_trainable; i++) {
        assert_non_null(grads[i]);
        ASSERT_OK(krti_graph_add_output(g, grads[i]));
    }
}

static void compare(const char *model, const char *what, const krt_tensor *expected,
                    const void *found)
{
    const float *e = expected->data, *f = found;
    const size_t n = expected->size_bytes / sizeof *e;
    float largest = 0;

    for (size_t i = 0; i < n; i++)
        largest = fmaxf(largest, fabsf(e[i]));
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(e[i] - f[i]) <= 1e-5f * (fabsf(e[i]) + largest) + 5e-6f))
            fail_msg("%s: %s, element %zu is %.9g, Keras has %.9g (of at most %g)", model, what, i,
                     (double)f[i], (double)e[i], (double)largest);
}

static void check_against(testing *t, const char *name, const char *path)
{
    char model[512], what[128];
    answers a = {NULL, NULL, 0};
    step s = {.m = NULL};
    krti_graph *g = NULL;

    snprintf(model, sizeof model, KERATIN_FIXTURES "/gradients/%s.keras", name);
    ASSERT_OK(krt_load(t->k, &s.m, model, NULL));
    ASSERT_OK(krt_tensors_read(t->k, &a.n, &a.tensors, &a.names, path));
    ASSERT_OK(krti_layer_each_variable(&s.m->base, sort_weight, &s));
    ASSERT_OK(krti_graph_new(t->k, &g));
    g->variables_change = true;
    describe(t, &s, g, &a, strstr(path, ".tensorflow.npz") != NULL);
    ASSERT_OK(krti_compile(t->k, &s.plan, g, NULL, &(krti_compile_args){.threads = 2}));
    ASSERT_OK(krti_exec_new(t->k, &s.exec, s.plan));
    krti_exec_run(s.exec,
                  (const void *[]){answer(&a, "x", 0)->data, answer(&a, "weight", 0)->data});
    compare(name, "the output", answer(&a, "y", 0), krti_exec_output(s.exec, 1));
    compare(name, "the loss", answer(&a, "loss", 0), krti_exec_output(s.exec, 0));
    for (size_t i = 0; i < s.num_trainable; i++) {
        snprintf(what, sizeof what, "the gradient of %s", krt_variable_path(s.trainable[i]));
        assert_non_null(answer(&a, "grad_%d", i));
        compare(name, what, answer(&a, "grad_%d", i), krti_exec_output(s.exec, 2 + i));
    }
    assert_null(answer(&a, "grad_%d", s.num_trainable));
    for (size_t i = 0; i < s.num_others; i++) {
        assert_non_null(answer(&a, "after_%d", i));
        compare(name, krt_variable_path(s.others[i]), answer(&a, "after_%d", i),
                s.others[i]->tensor->data);
    }
    assert_null(answer(&a, "after_%d", s.num_others));
    krt_free(t->k, a.tensors);
    krt_free(t->k, a.names);
    krti_exec_free(s.exec);
    krti_plan_free(s.plan);
    krt_model_free(s.m);
}

/* JAX's answers, and TensorFlow's where no random numbers are drawn. */
static void check_model(testing *t, const char *name)
{
    char path[512];

    snprintf(path, sizeof path, KERATIN_FIXTURES "/gradients/%s.npz", name);
    check_against(t, name, path);
    snprintf(path, sizeof path, KERATIN_FIXTURES "/gradients/%s.tensorflow.npz", name);
    if (access(path, F_OK) == 0)
        check_against(t, name, path);
}

#define MODEL(NAME)            \
    TEST(a_step_of_##NAME)     \
    {                          \
        check_model(t, #NAME); \
    }
MODEL(cnn)
MODEL(residual)
MODEL(norms)
MODEL(frozen)
MODEL(shared_normalization)
MODEL(masked)
MODEL(drops)
MODEL(noises)
MODEL(penalties)
MODEL(shared_dropout)
MODEL(spectral)
MODEL(volumes)
MODEL(sequences)

int main(void)
{
    return RUN(UNIT(a_step_of_cnn), UNIT(a_step_of_residual), UNIT(a_step_of_norms),
               UNIT(a_step_of_frozen), UNIT(a_step_of_shared_normalization), UNIT(a_step_of_masked),
               UNIT(a_step_of_drops), UNIT(a_step_of_noises), UNIT(a_step_of_penalties),
               UNIT(a_step_of_shared_dropout), UNIT(a_step_of_spectral), UNIT(a_step_of_volumes),
               UNIT(a_step_of_sequences));
}
