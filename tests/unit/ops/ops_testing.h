/* For tests of single ops: graphs of constants, evaluated node by node with the reference kernels.
 *
 *     krti_graph *g = graph_new(t);
 *     krt_value *x = floats(g, KRT_SHAPE(2), 1, 2);
 *     EXPECT(krti_exp(g, x), KRT_SHAPE(2), 2.718281828, 7.389056099);
 *     krti_graph_free(g);
 */
#ifndef KERATIN_TESTS_OPS_TESTING_H
#define KERATIN_TESTS_OPS_TESTING_H

#include "ops/op.h"
#include "testing.h"

#include <math.h>

static inline krti_graph *graph_new(testing *t)
{
    krti_graph *g = NULL;

    ASSERT_OK(krti_graph_new(t->k, &g));
    return g;
}

/* A constant of any dtype from numbers written as doubles. */
static inline krt_value *values_of(krti_graph *g, krt_dtype dtype, krt_shape shape, size_t n,
                                   const double *numbers)
{
    unsigned char bytes[4096];

    assert_int_equal(krt_shape_size(shape), n);
    assert_true(n * 8 <= sizeof bytes);
    krti_convert(bytes, dtype, numbers, KRT_FLOAT64, n);
    return krti_constant(g, dtype, shape, bytes);
}

#define NUMBERS(...)                                               \
    (sizeof((double[]){__VA_ARGS__}) / sizeof(double)), (double[]) \
    {                                                              \
        __VA_ARGS__                                                \
    }
#define VALUES(g, dtype, shape, ...) values_of((g), (dtype), (shape), NUMBERS(__VA_ARGS__))
#define floats(g, shape, ...)        VALUES(g, KRT_FLOAT32, shape, __VA_ARGS__)
#define ints(g, shape, ...)          VALUES(g, KRT_INT32, shape, __VA_ARGS__)
#define bools(g, shape, ...)         VALUES(g, KRT_BOOL, shape, __VA_ARGS__)
#define SCALAR                       ((krt_shape){.rank = 0})
#define N                            KRT_NONE
/* A float32 input of which only the shape matters. */
#define shaped(g, ...)               krti_input((g), KRT_FLOAT32, KRT_SHAPE(__VA_ARGS__))

/* 0, step, 2 step, ... */
static inline krt_value *ramp(krti_graph *g, krt_dtype dtype, krt_shape shape, double start,
                              double step)
{
    double numbers[512];
    const size_t n = (size_t)krt_shape_size(shape);

    assert_true(n <= 512);
    for (size_t i = 0; i < n; i++)
        numbers[i] = start + step * (double)i;
    return values_of(g, dtype, shape, n, numbers);
}

static inline krti_view view_of(const krt_value *v, void *data)
{
    return (krti_view){.data = data, .dtype = v->dtype, .shape = v->shape};
}

/* The value's bytes, computed from constants; in the graph's arena. */
static inline void *evaluate(krti_graph *g, krt_value *v)
{
    void **data = krti_arena_array(&g->arena, g->num_nodes, sizeof(void *));

    assert_non_null(v);
    assert_true(v->node->is_static);
    for (size_t i = 0; i < g->num_nodes; i++) {
        krti_node *n = g->nodes[i];
        krti_view in[16] = {{.data = NULL}};
        size_t size = 0;

        if (!n->is_static || (size_t)v->node->id < i)
            continue;
        if (n->op == &krti_op_constant) {
            data[i] = n->constant;
            continue;
        }
        assert_true(n->num_in <= 16 && n->num_out == 1);
        for (int j = 0; j < n->num_in; j++)
            if (n->in[j] != NULL)
                in[j] = view_of(n->in[j], data[n->in[j]->node->id]);
        assert_true(krti_shape_bytes(n->out[0].shape, n->out[0].dtype, &size));
        data[i] = krti_arena_alloc(&g->arena, size + 8);
        memset(data[i], 0xA5, size); /* a kernel that forgets an element shows */
        krti_view out = view_of(&n->out[0], data[i]);
        krti_reference_run(n, in, &out);
    }
    return data[v->node->id];
}

/* The next of a sequence, in [0, 1). */
static inline double random_number(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(*state >> 40) * 0x1p-24;
}

/* Runs every node up to `last` by the reference kernels. Buffers by node and output; those of inputs and
 * variables are given. */
static inline void run_all(krti_graph *g, void **data, int last)
{
    for (int i = 0; i <= last; i++) {
        const krti_node *n = g->nodes[i];
        krti_view in[16] = {{.data = NULL}}, out[KRTI_MAX_OUT];

        if (n->op == &krti_op_constant) {
            data[i * KRTI_MAX_OUT] = n->constant;
            continue;
        }
        if (n->op == &krti_op_input || n->op == &krti_op_variable)
            continue;
        assert_true(n->num_in <= 16);
        for (int j = 0; j < n->num_in; j++)
            if (n->in[j] != NULL)
                in[j] =
                    view_of(n->in[j], data[n->in[j]->node->id * KRTI_MAX_OUT + n->in[j]->index]);
        for (int j = 0; j < n->num_out; j++) {
            void **to = &data[i * KRTI_MAX_OUT + j];
            size_t size = 0;

            assert_true(krti_shape_bytes(n->out[j].shape, n->out[j].dtype, &size));
            if (*to == NULL)
                *to = krti_arena_alloc(&g->arena, size + 8);
            memset(*to, 0xA5, size); /* a kernel that forgets an element shows */
            out[j] = view_of(&n->out[j], *to);
        }
        krti_reference_run(n, in, out);
    }
}

static inline double element_at(const void *data, krt_dtype dtype, size_t i)
{
    double d;

    krti_convert(&d, KRT_FLOAT64, (const char *)data + i * krt_dtype_size(dtype), dtype, 1);
    return d;
}

static inline void expect_shape(const krt_value *v, krt_shape shape, const char *what,
                                const char *file, int line)
{
    char a[160], b[160];

    if (v != NULL && krt_shape_equal(v->shape, shape))
        return;
    print_error("%s: expected shape %s, found %s\n", what, krt_shape_print(shape, a, sizeof a),
                v != NULL ? krt_shape_print(v->shape, b, sizeof b) : "a failure");
    _fail(file, line);
}

static inline void expect_near(krti_graph *g, krt_value *v, krt_shape shape, size_t n,
                               const double *expected, double tolerance, const char *what,
                               const char *file, int line)
{
    if (v == NULL)
        print_error("%s\n", krt_ctx_error(g->k)->message);
    expect_shape(v, shape, what, file, line);
    assert_int_equal(krt_shape_size(shape), n);
    const void *found = evaluate(g, v);
    for (size_t i = 0; i < n; i++) {
        double f;

        krti_convert(&f, KRT_FLOAT64, (const char *)found + i * krt_dtype_size(v->dtype), v->dtype,
                     1);
        if (f == expected[i] || fabs(f - expected[i]) <= tolerance * (1 + fabs(expected[i])) ||
            (isnan(f) && isnan(expected[i])))
            continue;
        print_error("%s: element %zu: expected %.9g, found %.9g\n", what, i, expected[i], f);
        _fail(file, line);
    }
}

#define EXPECT_SHAPE(v, ...) expect_shape((v), KRT_SHAPE(__VA_ARGS__), #v, __FILE__, __LINE__)
/* Shape and numbers, to what float32 gives. `g` is the graph in scope. */
#define EXPECT(v, shape, ...) \
    expect_near(g, (v), (shape), NUMBERS(__VA_ARGS__), 2e-6, #v, __FILE__, __LINE__)
#define EXPECT_DTYPE(v, d) \
    ASSERT_STR_EQ(krt_dtype_name(d), (v) != NULL ? krt_dtype_name((v)->dtype) : "a failure")
/* The constructor fails and says so; the graph is usable afterwards. */
#define EXPECT_FAILS(v, text)             \
    do {                                  \
        assert_null(v);                   \
        ASSERT_TRUE(g->status != KRT_OK); \
        ASSERT_SAYS(text);                \
        g->status = KRT_OK;               \
    } while (0)

#endif
