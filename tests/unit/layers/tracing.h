/* What the tests of layers share: configs from text, layers from configs, tracing on shapes alone,
 * and running a single layer on numbers.
 *
 * Every test that includes this uses all of it, or says so by a cast; helpers are static inline so
 * that none is missed when unused. */
#ifndef KERATIN_TESTS_TRACING_H
#define KERATIN_TESTS_TRACING_H

#include "testing.h"

#include "formats/json.h"
#include "layers/layer.h"
#include "ops/plan.h"

/* JSON with single quotes, which C strings hold without backslashes. The arena is the test's. */
static inline const krti_conf *conf_of(krti_arena *a, const char *text)
{
    const krti_conf *c = NULL;
    char *copy = krti_arena_strdup(a, text);

    for (char *p = copy; *p != '\0'; p++)
        if (*p == '\'')
            *p = '"';
    testing_status(a->k, KRT_OK, krti_json_parse(a, &c, copy, strlen(copy)), text, __FILE__,
                   __LINE__);
    return c;
}

/* The layer is refused when it is made. */
static inline void expect_refused(testing *t, const krt_spec *spec, const char *says)
{
    krt_layer *l = NULL;

    ASSERT_STATUS(KRT_E_INVALID, krti_layer_from_spec(t->k, &l, spec));
    ASSERT_SAYS(says);
}

/* The same tree as JSON text. */
static inline const char *json_of(krti_arena *a, const krti_conf *c)
{
    krti_str s = KRTI_STR_INIT(a->k);

    assert_non_null(c);
    krti_json_write(&s, c, -1);
    const char *text = krti_arena_strdup(a, krti_str_text(&s));
    krti_str_free(&s);
    return text;
}

static inline krt_layer *layer_of(krti_arena *a, const char *text)
{
    krt_layer *l = NULL;

    testing_status(a->k, KRT_OK, krti_layer_from_conf(a->k, &l, conf_of(a, text), 0), text,
                   __FILE__, __LINE__);
    return l;
}

static inline krt_layer *layer_from(krt_ctx *k, const krt_spec *spec)
{
    krt_layer *l = NULL;

    testing_status(k, KRT_OK, krti_layer_from_spec(k, &l, spec), spec->class_name, __FILE__,
                   __LINE__);
    return l;
}

/* One call of a layer on inputs of these shapes, which may be unknown. */
typedef struct traced {
    krti_graph *g;
    krt_call c;
    krt_value *in[4], *mask[4];
    krt_status status;
    char text[160]; /* the first output's shape, as Keras prints it */
} traced;

static inline void trace(traced *t, krt_layer *l, size_t n, const krt_shape *shapes,
                         const krt_shape *masks)
{
    *t = (traced){.g = NULL};
    assert_int_equal(krti_graph_new(l->owned.k, &t->g), KRT_OK);
    for (size_t i = 0; i < n; i++) {
        t->in[i] = krti_input(t->g, KRT_FLOAT32, shapes[i]);
        if (masks != NULL && masks[i].rank > 0)
            t->mask[i] = krti_input(t->g, KRT_BOOL, masks[i]);
    }
    t->c.num_in = n;
    t->c.in = t->in;
    t->c.in_mask = t->mask;
    t->status = krti_layer_trace(l, t->g, &t->c);
    if (t->status == KRT_OK)
        krt_shape_print(t->c.out[0]->shape, t->text, sizeof t->text);
}

static inline void untrace(traced *t)
{
    krti_graph_free(t->g);
    t->g = NULL;
}

/* The output shape of a layer of one input, as text; the layer is traced twice to see that a
 * built layer can be called again. */
static inline void expect_shape(krt_layer *l, krt_shape in, const char *out)
{
    for (int i = 0; i < 2; i++) {
        traced t;

        trace(&t, l, 1, &in, NULL);
        testing_status(l->owned.k, KRT_OK, t.status, l->class_name, __FILE__, __LINE__);
        assert_string_equal(t.text, out);
        untrace(&t);
    }
}

static inline void expect_failure(krt_layer *l, krt_shape in, const char *says)
{
    traced t;

    trace(&t, l, 1, &in, NULL);
    assert_true(t.status != KRT_OK);
    testing_says(l->owned.k, says, __FILE__, __LINE__);
    untrace(&t);
}

/* Compiles and runs a layer on one float32 input; the first output's n floats go to `out`. */
static inline void run_layer(krt_layer *l, krt_shape shape, const float *x, float *out, size_t n)
{
    krt_ctx *k = l->owned.k;
    krti_packs *packs = NULL;
    krti_plan *plan = NULL;
    krti_exec *exec = NULL;
    traced t;

    trace(&t, l, 1, &shape, NULL);
    testing_status(k, KRT_OK, t.status, l->class_name, __FILE__, __LINE__);
    assert_int_equal(krti_layer_initialize(l), KRT_OK);
    assert_int_equal(krt_shape_size(t.c.out[0]->shape), n);
    assert_int_equal(krti_graph_add_output(t.g, t.c.out[0]), KRT_OK);
    assert_int_equal(krti_packs_new(k, &packs), KRT_OK);
    testing_status(k, KRT_OK,
                   krti_compile(k, &plan, t.g, packs, &(const krti_compile_args){.threads = 1}),
                   "compile", __FILE__, __LINE__);
    assert_int_equal(krti_exec_new(k, &exec, plan), KRT_OK);
    krti_exec_run(exec, (const void *const[]){x});
    memcpy(out, krti_exec_output(exec, 0), n * sizeof *out);
    krti_exec_free(exec);
    krti_plan_free(plan);
    krti_packs_free(packs);
}

#define SHAPE(...) \
    ((krt_shape){(int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), {__VA_ARGS__}})
#define NONE KRT_NONE

#endif
