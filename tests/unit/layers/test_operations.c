/* Tests of src/layers/operations*.c: how nodes are recognised, where their arguments lie in every
 * generation of files, shapes with unknown dimensions, and what hostile nodes come to. Numbers of
 * Keras 3's operations are in tests/parity; TensorFlow's are here. */
#include "tracing.h"

#include "layers/operations.h"
#include "layers/operations_args.h"
#include "ops/op.h"

/* One call of one operation. */
typedef struct called {
    krti_arena a;
    krt_layer *l;
    krti_graph *g;
    krt_call c;
    krt_value *in[4];
    krt_status status;
    char text[160]; /* the first output's shape */
} called;

static void open_op(called *n, testing *t, const char *object)
{
    *n = (called){.a = KRTI_ARENA_INIT(t->k)};
    ASSERT_OK(krti_operation_from_conf(t->k, &n->l, conf_of(&n->a, object)));
    ASSERT_OK(krti_graph_new(t->k, &n->g));
}

static void add_input(called *n, krt_dtype dtype, krt_shape shape)
{
    n->in[n->c.num_in++] = krti_input(n->g, dtype, shape);
}

static void call_op(called *n, const char *args, const char *kwargs)
{
    n->c.in = n->in;
    n->c.args = conf_of(&n->a, args);
    n->c.kwargs = conf_of(&n->a, kwargs);
    n->status = krti_layer_trace(n->l, n->g, &n->c);
    if (n->status == KRT_OK)
        krt_shape_print(n->c.out[0]->shape, n->text, sizeof n->text);
}

static void close_op(called *n)
{
    krti_graph_free(n->g);
    krti_arena_free(&n->a);
}

#define KERAS(name, attributes)                              \
    "{'module': 'keras.src.ops.numpy', 'class_name': '" name \
    "', 'config': {'name': 'node'" attributes "}, 'registered_name': '" name "'}"
#define LAMBDA(function)                                                       \
    "{'class_name': 'TFOpLambda', 'name': 'node', 'config': {'name': 'node', " \
    "'trainable': true, 'dtype': 'float32', 'function': '" function "'}}"
#define X0 "{'__value__': 0}"
#define X1 "{'__value__': 1}"

/* The shape of an operation on one float32 input. */
static void expect_op_shape(testing *t, const char *object, const char *args, const char *kwargs,
                            krt_shape in, const char *out)
{
    called n;

    open_op(&n, t, object);
    add_input(&n, KRT_FLOAT32, in);
    call_op(&n, args, kwargs);
    testing_status(t->k, KRT_OK, n.status, object, __FILE__, __LINE__);
    ASSERT_STR_EQ(out, n.text);
    close_op(&n);
}

static void expect_op_failure(testing *t, const char *object, const char *args, const char *kwargs,
                              krt_shape in, const char *says)
{
    called n;

    open_op(&n, t, object);
    add_input(&n, KRT_FLOAT32, in);
    call_op(&n, args, kwargs);
    ASSERT_TRUE(n.status != KRT_OK);
    ASSERT_SAYS(says);
    close_op(&n);
}

/* Runs an operation on one float32 input. */
static void expect_numbers(testing *t, const char *object, const char *kwargs, krt_shape in,
                           const float *x, size_t n_out, const float *y)
{
    krti_packs *packs = NULL;
    krti_plan *plan = NULL;
    krti_exec *exec = NULL;
    called n;

    open_op(&n, t, object);
    add_input(&n, KRT_FLOAT32, in);
    call_op(&n, "[" X0 "]", kwargs);
    ASSERT_OK(n.status);
    ASSERT_INT_EQ(n_out, krt_shape_size(n.c.out[0]->shape));
    ASSERT_OK(krti_graph_add_output(n.g, n.c.out[0]));
    ASSERT_OK(krti_packs_new(t->k, &packs));
    ASSERT_OK(krti_compile(t->k, &plan, n.g, packs, &(const krti_compile_args){.threads = 1}));
    ASSERT_OK(krti_exec_new(t->k, &exec, plan));
    krti_exec_run(exec, (const void *const[]){x});
    ASSERT_NEAR(y, (const float *)krti_exec_output(exec, 0), n_out, 1e-5, 1e-6);
    krti_exec_free(exec);
    krti_plan_free(plan);
    krti_packs_free(packs);
    krti_arena_free(&n.a); /* the plan took the graph */
}

/* ------------------------------------------------------------------------------- recognising */

TEST(the_module_decides_what_is_an_operation)
{
    krti_arena a = KRTI_ARENA_INIT(t->k);

    assert_true(krti_is_operation(conf_of(&a, KERAS("Add", ""))));
    assert_true(krti_is_operation(conf_of(&a, LAMBDA("math.add"))));
    assert_false(krti_is_operation(
        conf_of(&a, "{'module': 'keras.layers', 'class_name': 'Add', 'config': {}}")));
    assert_false(krti_is_operation(
        conf_of(&a, "{'module': 'mine.ops.norm', 'class_name': 'Norm', 'config': {}}")));
    assert_false(krti_is_operation(conf_of(&a, "{'class_name': 'Add', 'config': {}}")));
    /* Keras 3's .h5 files name no module */
    assert_true(krti_is_operation(conf_of(
        &a, "{'class_name': 'Add', 'config': {'name': 'a'}, 'inbound_nodes': [{'args': []}]}")));
    assert_false(krti_is_operation(conf_of(
        &a, "{'class_name': 'Add', 'config': {'name': 'a', 'trainable': true}, 'inbound_nodes': "
            "[{'args': []}]}")));
    krti_arena_free(&a);
}

TEST(every_entry_of_the_table_is_found_and_has_one_function)
{
    size_t n = 0;

    for (const krt_layer_class *const *c = krti_classes_operations;
         strcmp((*c)->name, "TFOpLambda") != 0; c++) {
        const krti_operation *op = (const krti_operation *)(const void *)*c;
        const int functions = (op->unary != NULL) + (op->binary != NULL) + (op->reduce != NULL) +
                              (op->one != NULL) + (op->many != NULL);

        ASSERT_INT_EQ(1, functions);
        assert_ptr_equal(op, krti_operation_find((*c)->name));
        assert_true(((*c)->flags & KRT_LAYER_OPERATION) != 0);
        n++;
    }
    assert_true(n > 200);
    assert_non_null(krti_operation_find("l2_normalize"));
    assert_null(krti_operation_find("Dense"));
}

TEST(tensorflow_functions_lose_modules_that_tell_nothing)
{
    const char *params = NULL;

    assert_ptr_equal(krti_operation_find("Mean"),
                     krti_operation_of_function("math.reduce_mean", &params));
    assert_ptr_equal(krti_operation_find("Relu"),
                     krti_operation_of_function("compat.v1.nn.relu", &params));
    assert_ptr_equal(krti_operation_find("GetItem"),
                     krti_operation_of_function("__operators__.getitem", &params));
    assert_ptr_equal(krti_operation_find("Transpose"),
                     krti_operation_of_function("transpose", &params));
    assert_ptr_equal(krti_operation_find("Swapaxes"),
                     krti_operation_of_function("image.transpose", &params));
    assert_null(krti_operation_of_function("strings.split", &params));
    assert_null(krti_operation_of_function("sparse.add", &params));
    assert_ptr_equal(krti_operation_find("TrueDivide"),
                     krti_operation_of_node_def("RealDiv", &params));
}

TEST(an_unknown_operation_is_named_when_it_should_run)
{
    expect_op_failure(t,
                      "{'module': 'keras.src.ops.image', 'class_name': 'AffineTransform', "
                      "'config': {'name': 'turn'}}",
                      "[" X0 "]", "{}", SHAPE(NONE, 4),
                      "the operation keras.ops.image.affine_transform (node \"turn\") is not "
                      "supported by this build");
    expect_op_failure(t, LAMBDA("signal.fft"), "[" X0 "]", "{}", SHAPE(NONE, 4),
                      "the operation tf.signal.fft (node \"node\") is not supported by this build");
}

/* ------------------------------------------------------------------------------- arguments */

TEST(arguments_are_found_by_keyword_place_and_config)
{
    expect_op_shape(t, KERAS("Mean", ", 'axis': 1, 'keepdims': true"), "[" X0 "]", "{}",
                    SHAPE(NONE, 5, 3), "(None, 1, 3)");
    expect_op_shape(t, KERAS("Mean", ", 'axis': [1, -1], 'keepdims': false"), "[]", "{'x': " X0 "}",
                    SHAPE(NONE, 5, 3), "(None,)");
    expect_op_shape(t, LAMBDA("math.reduce_mean"), "[" X0 "]", "{'axis': 1, 'keepdims': true}",
                    SHAPE(NONE, 5, 3), "(None, 1, 3)");
    expect_op_shape(t, LAMBDA("compat.v1.squeeze"), "[" X0 "]", "{'squeeze_dims': [1]}",
                    SHAPE(NONE, 1, 3), "(None, 3)");
    expect_op_shape(t, KERAS("Concatenate", ", 'axis': -1"), "[[" X0 ", " X0 "]]", "{}",
                    SHAPE(NONE, 5, 3), "(None, 5, 6)");
    expect_op_shape(t, LAMBDA("concat"), "[" X0 ", " X0 "]", "{'axis': 1}", SHAPE(NONE, 5, 3),
                    "(None, 10, 3)");
}

TEST(a_missing_or_foreign_argument_is_a_clear_failure)
{
    expect_op_failure(t, KERAS("Add", ""), "[" X0 "]", "{}", SHAPE(NONE, 3),
                      "Add: the argument `x2` is missing");
    expect_op_failure(t, KERAS("Add", ""), "[" X0 ", {'__value__': 99}]", "{}", SHAPE(NONE, 3),
                      "Add: a tensor that is not there");
    expect_op_failure(t, KERAS("Add", ""), "[" X0 ", {'__value__': -1}]", "{}", SHAPE(NONE, 3),
                      "Add: a tensor that is not there");
    expect_op_failure(t, KERAS("Add", ""), "[" X0 ", 'text']", "{}", SHAPE(NONE, 3),
                      "the text \"text\" where a tensor is wanted");
    expect_op_failure(t, KERAS("Add", ""), "[" X0 ", [[1, 2], [3]]]", "{}", SHAPE(NONE, 3),
                      "an array must be numbers in regular lists of at most 8 levels");
    expect_op_failure(t, KERAS("Add", ""), "[" X0 ", [[[[[[[[[1]]]]]]]]]]", "{}", SHAPE(NONE, 3),
                      "an array must be numbers in regular lists of at most 8 levels");
    expect_op_failure(t, KERAS("Add", ""),
                      "[" X0 ", {'class_name': '__numpy__', 'config': {'value': [1], 'dtype': "
                      "'complex64'}}]",
                      "{}", SHAPE(NONE, 3), "an array without a known dtype");
    expect_op_failure(t, KERAS("Add", ""), "[" X0 ", {'class_name': 'Dense', 'config': {}}]", "{}",
                      SHAPE(NONE, 3), "an argument of the class Dense");
}

TEST(numbers_follow_the_array_beside_them)
{
    static const struct {
        krt_dtype in;
        const char *number;
        krt_dtype out;
    } cases[] = {{KRT_FLOAT32, "2", KRT_FLOAT32},
                 {KRT_INT32, "2", KRT_INT32},
                 {KRT_INT32, "2.5", KRT_FLOAT32},
                 {KRT_UINT8, "2", KRT_UINT8},
                 {KRT_BOOL, "2", KRT_INT32},
                 {KRT_INT64, "[1, 2, 3]", KRT_INT64},
                 {KRT_FLOAT32, "[1, 2, 3]", KRT_FLOAT32}};
    char args[64];

    for (size_t i = 0; i < KRTI_COUNT(cases); i++) {
        called n;

        open_op(&n, t, KERAS("Maximum", ""));
        add_input(&n, cases[i].in, SHAPE(NONE, 3));
        snprintf(args, sizeof args, "[%s, " X0 "]", cases[i].number);
        call_op(&n, args, "{}");
        ASSERT_OK(n.status);
        ASSERT_INT_EQ(cases[i].out, n.c.out[0]->dtype);
        close_op(&n);
    }
}

TEST(arithmetic_with_a_number_is_one_fusable_op)
{
    static const char *const names[] = {KERAS("Add", ""), KERAS("Subtract", ""),
                                        KERAS("Multiply", "")};

    for (size_t i = 0; i < KRTI_COUNT(names); i++) {
        called n;

        open_op(&n, t, names[i]);
        add_input(&n, KRT_FLOAT32, SHAPE(NONE, 3));
        call_op(&n, "[3.0, " X0 "]", "{}");
        ASSERT_OK(n.status);
        assert_true(krti_is(n.c.out[0], &krti_op_affine));
        close_op(&n);
    }
}

TEST(call_arg_reads_values_for_layers)
{
    krti_arena a = KRTI_ARENA_INIT(t->k);
    krti_graph *g = NULL;
    krt_value *in[2];

    ASSERT_OK(krti_graph_new(t->k, &g));
    in[0] = krti_input(g, KRT_FLOAT32, SHAPE(2, 3));
    in[1] = krti_input(g, KRT_INT32, SHAPE(2));
    krt_layer *l = layer_of(&a, "{'class_name': 'ReLU', 'config': {'name': 'r'}}");
    krt_call c = {.g = g, .layer = l, .num_in = 1, .num_values = 2, .in = in};
    assert_null(krti_call_arg(&c, conf_of(&a, "null")));
    assert_ptr_equal(in[1], krti_call_arg(&c, conf_of(&a, X1)));
    const krt_value *array = krti_call_arg(
        &c, conf_of(&a, "{'class_name': '__tensor__', 'config': {'value': [[1, 2, 3]], 'dtype': "
                        "'int64'}}"));
    ASSERT_INT_EQ(KRT_INT64, array->dtype);
    ASSERT_INT_EQ(3, array->shape.dim[1]);
    ASSERT_INT_EQ(3, ((const int64_t *)array->node->constant)[2]);
    ASSERT_INT_EQ(KRT_FLOAT32, krti_call_arg(&c, conf_of(&a, "7"))->dtype);
    krti_graph_free(g);
    krti_arena_free(&a);
}

/* ------------------------------------------------------------------------------- slices */

#define SLICE(a, b, c) \
    "{'class_name': '__slice__', 'config': {'start': " a ", 'stop': " b ", 'step': " c "}}"
#define ALL      SLICE("null", "null", "null")
#define ELLIPSIS "{'class_name': '__ellipsis__', 'config': {}}"

TEST(keys_of_keras_3_pick_as_numpy)
{
    static const struct {
        const char *key, *shape;
    } cases[] = {
        {"0", "(6, 4)"},
        {"[" ALL ", -1]", "(None, 4)"},
        {"[" ALL ", " SLICE("1", "-1", "2") "]", "(None, 2, 4)"},
        {"[" ALL ", " SLICE("null", "null", "-1") "]", "(None, 6, 4)"},
        {"[" ELLIPSIS ", 0]", "(None, 6)"},
        {"[" ELLIPSIS ", null]", "(None, 6, 4, 1)"},
        {"[" ALL ", null, 2]", "(None, 1, 4)"},
        {"[" ALL ", " SLICE("4", "2", "1") "]", "(None, 0, 4)"},
        {"[" SLICE("null", "1", "null") "]", "(None, 6, 4)"},
        {"[" ALL ", [0, 2, 5]]", "(None, 3, 4)"},
        {"null", "(1, None, 6, 4)"},
    };
    char args[512];

    for (size_t i = 0; i < KRTI_COUNT(cases); i++) {
        snprintf(args, sizeof args, "[" X0 ", %s]", cases[i].key);
        expect_op_shape(t, KERAS("GetItem", ""), args, "{}", SHAPE(NONE, 6, 4), cases[i].shape);
    }
}

TEST(slice_specs_of_tf_keras_pick_the_same)
{
    const char *const object = "{'class_name': 'SlicingOpLambda', 'config': {'name': 'node', "
                               "'function': '__operators__.getitem'}}";

    expect_op_shape(t, object, "[" X0 "]",
                    "{'slice_spec': [{'start': null, 'stop': null, 'step': null}, {'start': 1, "
                    "'stop': 3, 'step': null}, 'Ellipsis']}",
                    SHAPE(NONE, 6, 4), "(None, 2, 4)");
    expect_op_shape(t, object, "[" X0 "]", "{'slice_spec': ['Ellipsis', null]}", SHAPE(NONE, 6, 4),
                    "(None, 6, 4, 1)");
    expect_op_shape(t, object, "[" X0 "]", "{'slice_spec': 0}", SHAPE(NONE, 6, 4), "(6, 4)");
}

TEST(keys_that_do_not_fit_are_refused)
{
    const char *const object = KERAS("GetItem", "");

    expect_op_failure(t, object, "[" X0 ", [0, 7]]", "{}", SHAPE(NONE, 6),
                      "index 7 is out of bounds for axis 1 with size 6");
    expect_op_failure(t, object, "[" X0 ", [0, -7]]", "{}", SHAPE(NONE, 6),
                      "index -7 is out of bounds for axis 1 with size 6");
    expect_op_failure(t, object, "[" X0 ", [0, 0, 0]]", "{}", SHAPE(NONE, 6),
                      "3 indices for an array of rank 2");
    expect_op_failure(t, object, "[" X0 ", [" SLICE("0", "3", "0") "]]", "{}", SHAPE(NONE, 6),
                      "an index that is no number, slice, None or array of numbers");
    expect_op_failure(t, object, "[" X0 ", [null,null,null,null,null,null,null]]", "{}",
                      SHAPE(NONE, 6), "more than 8 axes");
}

/* ------------------------------------------------------------------------------- known numbers */

TEST(shapes_computed_in_the_graph_are_known)
{
    static const struct {
        krt_shape in;
        const char *out;
    } cases[] = {{{3, {2, 4, 6}}, "(2, 2, 12)"}, {{3, {NONE, 4, 6}}, "(None, 2, 12)"}};

    for (size_t i = 0; i < KRTI_COUNT(cases); i++) {
        called n;

        /* tf.reshape(x, [tf.shape(x)[0], tf.shape(x)[1] // 2, -1 + 13]) */
        open_op(&n, t, LAMBDA("reshape"));
        add_input(&n, KRT_FLOAT32, cases[i].in);
        krt_value *const shape = krti_known_shape(n.g, n.in[0]);
        krt_value *const two = krti_scalar_of(n.g, KRT_INT32, 2);
        n.in[1] = krti_squeeze(n.g, krti_slice_axis(n.g, shape, 0, 0, 1, 1), NULL, 0);
        n.in[2] = krti_floor_divide(
            n.g, krti_squeeze(n.g, krti_slice_axis(n.g, shape, 0, 1, 2, 1), NULL, 0), two);
        n.c.num_values = 3;
        call_op(&n, "[" X0 "]", "{'shape': [" X1 ", {'__value__': 2}, 12]}");
        ASSERT_OK(n.status);
        ASSERT_STR_EQ(cases[i].out, n.text);
        close_op(&n);
    }
}

TEST(a_shape_that_depends_on_data_is_refused)
{
    called n;

    open_op(&n, t, LAMBDA("reshape"));
    add_input(&n, KRT_FLOAT32, SHAPE(2, 6));
    add_input(&n, KRT_INT32, SHAPE(2));
    call_op(&n, "[" X0 "]", "{'shape': " X1 "}");
    ASSERT_INT_EQ(KRT_E_UNSUPPORTED, n.status);
    ASSERT_SAYS("Reshape: the argument `newshape` must be integers that are known before the run");
    close_op(&n);
}

/* ------------------------------------------------------------------------------- shapes */

TEST(operations_move_unknown_dimensions_along)
{
    expect_op_shape(t, KERAS("Reshape", ", 'newshape': [-1, 2, 6]"), "[" X0 "]", "{}",
                    SHAPE(NONE, 3, 4), "(None, 2, 6)");
    expect_op_shape(t, KERAS("Transpose", ", 'axes': null"), "[" X0 "]", "{}", SHAPE(NONE, 3, 4),
                    "(4, 3, None)");
    expect_op_shape(t, KERAS("ExpandDims", ", 'axis': [1, -1]"), "[" X0 "]", "{}", SHAPE(NONE, 3),
                    "(None, 1, 3, 1)");
    expect_op_shape(t, KERAS("Tile", ", 'repeats': [2, 1, 3]"), "[" X0 "]", "{}", SHAPE(NONE, 3),
                    "(2, None, 9)");
    expect_op_shape(t, KERAS("Repeat", ", 'repeats': [1, 0, 2], 'axis': 1"), "[" X0 "]", "{}",
                    SHAPE(NONE, 3), "(None, 3)");
    expect_op_shape(t, KERAS("Pad", ", 'pad_width': [[0, 0], [1, 2]], 'mode': 'constant'"),
                    "[" X0 "]", "{'constant_values': null}", SHAPE(NONE, 3), "(None, 6)");
    expect_op_shape(t, KERAS("TakeAlongAxis", ", 'axis': 1"), "[" X0 ", [[0, 1, 1, 2]]]", "{}",
                    SHAPE(NONE, 3), "(None, 4)");
    expect_op_shape(t, KERAS("Einsum", ", 'subscripts': 'bij,bkj->bik'"), "[" X0 ", " X0 "]", "{}",
                    SHAPE(NONE, 3, 4), "(None, 3, 3)");
    expect_op_shape(t, KERAS("Tensordot", ", 'axes': 1"), "[" X0 ", [[1.0], [2.0], [3.0]]]", "{}",
                    SHAPE(NONE, 5, 3), "(None, 5, 1)");
    expect_op_shape(t, KERAS("Argsort", ", 'axis': 1"), "[" X0 "]", "{}", SHAPE(NONE, 3),
                    "(None, 3)");
    expect_op_shape(t, KERAS("Resize", ", 'size': [8, 9]"), "[" X0 "]", "{}",
                    SHAPE(NONE, NONE, 4, 3), "(None, 8, 9, 3)");
}

TEST(splitting_gives_as_many_outputs)
{
    called n;

    open_op(&n, t, KERAS("Split", ", 'indices_or_sections': [1, 4], 'axis': -1"));
    add_input(&n, KRT_FLOAT32, SHAPE(NONE, 6));
    call_op(&n, "[" X0 "]", "{}");
    ASSERT_OK(n.status);
    ASSERT_INT_EQ(3, n.c.num_out);
    ASSERT_INT_EQ(1, n.c.out[0]->shape.dim[1]);
    ASSERT_INT_EQ(3, n.c.out[1]->shape.dim[1]);
    ASSERT_INT_EQ(2, n.c.out[2]->shape.dim[1]);
    close_op(&n);
    expect_op_failure(t, KERAS("Split", ", 'indices_or_sections': 4, 'axis': 1"), "[" X0 "]", "{}",
                      SHAPE(NONE, 6), "axis 1 of 6 cannot be split into 4 parts");
    expect_op_failure(t, KERAS("Unstack", ", 'num': null, 'axis': 0"), "[" X0 "]", "{}",
                      SHAPE(NONE, 6), "the axis must be known and have 1 to 64 elements");
}

TEST(hostile_nodes_fail_and_nothing_else)
{
    static const char *const objects[] = {
        KERAS("Reshape", ", 'newshape': [1,1,1,1,1,1,1,1,1,1]"),
        KERAS("Reshape", ", 'newshape': [9223372036854775807, 9223372036854775807]"),
        KERAS("Mean", ", 'axis': 9223372036854775807"),
        KERAS("Mean", ", 'axis': [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"),
        KERAS("Tile", ", 'repeats': [9223372036854775807, 2]"),
        KERAS("Repeat", ", 'repeats': -1, 'axis': 1"),
        KERAS("Repeat", ", 'repeats': [9223372036854775807, 1, 1], 'axis': 1"),
        KERAS("Pad", ", 'pad_width': [[0, 9223372036854775807], [0, 0]]"),
        KERAS("Pad", ", 'pad_width': [[0, -1], [0, 0]]"),
        KERAS("Diagonal", ", 'offset': 0, 'axis1': 1, 'axis2': 1"),
        KERAS("Moveaxis", ", 'source': [0, 0], 'destination': [0, 1]"),
        KERAS("Transpose", ", 'axes': [0, 0]"),
        KERAS("OneHot", ", 'num_classes': -5"),
        KERAS("BroadcastTo", ", 'shape': [9223372036854775807, 9223372036854775807, 3]"),
        KERAS("Einsum", ", 'subscripts': 'ab,,->'"),
        KERAS("Einsum", ", 'subscripts': 'aaaa->a'"),
        KERAS("Einsum", ""),
        KERAS("Tensordot", ", 'axes': [[0, 1, 2, 3, 4, 5, 6, 7, 8], [0]]"),
        KERAS("Cast", ", 'dtype': 'no such dtype'"),
        KERAS("MaxPool", ", 'pool_size': [0, 0]"),
        KERAS("Conv", ", 'strides': -1"),
        KERAS("ExtractPatches", ", 'size': [9223372036854775807, 2]"),
        KERAS("Resize", ", 'size': [-4, 9223372036854775807]"),
        KERAS("DepthToSpace", ", 'block_size': 3000000000"),
        KERAS("Arange", ", 'step': 0"),
        KERAS("GetItem", ""),
    };

    for (size_t i = 0; i < KRTI_COUNT(objects); i++) {
        called n;

        open_op(&n, t, objects[i]);
        add_input(&n, KRT_FLOAT32, SHAPE(2, 3));
        call_op(&n, "[" X0 ", {'a': 1}]", "{'key': {'class_name': 'x'}}");
        if (n.status == KRT_OK)
            fail_msg("%s was accepted as %s", objects[i], n.text);
        close_op(&n);
    }
}

/* ------------------------------------------------------------------------------- TensorFlow */

TEST(functions_of_tensorflow_compute_its_numbers)
{
    const float x[4] = {3, 4, -1, 2};

    expect_numbers(t, LAMBDA("math.l2_normalize"), "{'axis': 1}", SHAPE(2, 2), x, 4,
                   (const float[]){0.6F, 0.8F, -0.4472136F, 0.8944272F});
    expect_numbers(t, LAMBDA("nn.gelu"), "{}", SHAPE(1, 2), x + 2, 2,
                   (const float[]){-0.15865525F, 1.9544997F});
    expect_numbers(t, LAMBDA("math.cumsum"), "{'axis': 1, 'exclusive': true, 'reverse': true}",
                   SHAPE(2, 2), x, 4, (const float[]){4, 0, 2, 0});
    expect_numbers(t, LAMBDA("split"), "{'num_or_size_splits': [1, 3], 'axis': 1}", SHAPE(1, 4), x,
                   1, x);
    expect_numbers(t, LAMBDA("nn.leaky_relu"), "{'alpha': 0.5}", SHAPE(1, 4), x, 4,
                   (const float[]){3, 4, -0.5F, 2});
    expect_numbers(t, LAMBDA("sort"), "{'direction': 'DESCENDING'}", SHAPE(1, 4), x, 4,
                   (const float[]){4, 3, 2, -1});
    expect_numbers(t, LAMBDA("linalg.band_part"), "{'num_lower': 0, 'num_upper': -1}", SHAPE(2, 2),
                   x, 4, (const float[]){3, 4, 0, 2});
    expect_numbers(t, LAMBDA("math.subtract"), "{'y': [1, 2]}", SHAPE(2, 2), x, 4,
                   (const float[]){2, 2, -2, 0});
    expect_numbers(t, LAMBDA("math.cumprod"), "{'axis': 1, 'exclusive': true}", SHAPE(1, 4), x, 4,
                   (const float[]){1, 3, 12, -12});
    expect_numbers(t, LAMBDA("math.cumprod"), "{'axis': 1, 'reverse': true}", SHAPE(1, 4), x, 4,
                   (const float[]){-24, -8, -2, 2});
    expect_numbers(t, LAMBDA("math.cumprod"), "{'axis': 1, 'exclusive': true, 'reverse': true}",
                   SHAPE(2, 2), x, 4, (const float[]){4, 1, 2, 1});
    expect_numbers(t, LAMBDA("linalg.matrix_transpose"), "{}", SHAPE(1, 2, 2), x, 4,
                   (const float[]){3, -1, 4, 2});
    expect_numbers(t, LAMBDA("image.transpose"), "{}", SHAPE(1, 2, 2, 1), x, 4,
                   (const float[]){3, -1, 4, 2});
    expect_numbers(t, LAMBDA("image.grayscale_to_rgb"), "{}", SHAPE(1, 1, 1, 1), x, 3,
                   (const float[]){3, 3, 3});
    expect_numbers(t, LAMBDA("nn.max_pool1d"), "{'ksize': 2, 'strides': 2, 'padding': 'VALID'}",
                   SHAPE(1, 4, 1), x, 2, (const float[]){4, 2});
    expect_numbers(t, LAMBDA("image.flip_left_right"), "{}", SHAPE(1, 2, 2, 1), x, 4,
                   (const float[]){4, 3, 2, -1});
}

#define NODE_DEF(node, constants)                                                           \
    "{'class_name': 'TensorFlowOpLayer', 'name': 'tf_op_layer_n', 'config': {'name': 'n', " \
    "'node_def': " node ", 'constants': " constants "}}"

TEST(nodes_of_a_graph_take_constants_by_place)
{
    const float x[6] = {1, 2, 3, 4, 5, 9};

    expect_numbers(t,
                   NODE_DEF("{'name': 'Mean', 'op': 'Mean', 'attr': {'keep_dims': {'b': true}, "
                            "'T': {'type': 'DT_FLOAT'}}}",
                            "{'1': 1}"),
                   "{}", SHAPE(2, 3), x, 2, (const float[]){2, 6});
    expect_numbers(t, NODE_DEF("{'op': 'Sub', 'attr': {}}", "{'0': 10.0}"), "{}", SHAPE(1, 3), x, 3,
                   (const float[]){9, 8, 7});
    expect_numbers(t,
                   NODE_DEF("{'op': 'StridedSlice', 'attr': {'begin_mask': {'i': '1'}, "
                            "'end_mask': {'i': '1'}, 'shrink_axis_mask': {'i': '2'}}}",
                            "{'1': [0, 1], '2': [0, 2], '3': [1, 1]}"),
                   "{}", SHAPE(2, 3), x, 2, (const float[]){2, 5});
    expect_numbers(t, NODE_DEF("{'op': 'ConcatV2'}", "{'1': [[7.0]], '2': 1}"), "{}", SHAPE(1, 1),
                   x, 2, (const float[]){1, 7});
    expect_numbers(
        t, NODE_DEF("{'op': 'Squeeze', 'attr': {'squeeze_dims': {'list': {'i': ['1']}}}}", "{}"),
        "{}", SHAPE(1, 1, 2), x, 2, x);
}

TEST(a_broken_node_def_is_refused)
{
    static const char *const bad[] = {
        NODE_DEF("{}", "null"),
        NODE_DEF("{'op': 3}", "null"),
        NODE_DEF("[]", "null"),
        NODE_DEF("null", "null"),
    };
    krti_arena a = KRTI_ARENA_INIT(t->k);
    krt_layer *l = NULL;

    for (size_t i = 0; i < KRTI_COUNT(bad); i++) {
        ASSERT_STATUS(KRT_E_FORMAT, krti_operation_from_conf(t->k, &l, conf_of(&a, bad[i])));
        ASSERT_SAYS("node_def is no dict of a TensorFlow node: it names no op");
    }
    ASSERT_STATUS(KRT_E_FORMAT,
                  krti_operation_from_conf(
                      t->k, &l, conf_of(&a, "{'class_name': 'TFOpLambda', 'config': {}}")));
    ASSERT_SAYS("TFOpLambda names no function");
    ASSERT_OK(krti_operation_from_conf(t->k, &l, conf_of(&a, NODE_DEF("{'op': 'Sub'}", "null"))));
    ASSERT_STR_EQ("tf_op_layer_n", l->name);
    krti_arena_free(&a);
}

int main(void)
{
    return RUN(UNIT(the_module_decides_what_is_an_operation),
               UNIT(every_entry_of_the_table_is_found_and_has_one_function),
               UNIT(tensorflow_functions_lose_modules_that_tell_nothing),
               UNIT(an_unknown_operation_is_named_when_it_should_run),
               UNIT(arguments_are_found_by_keyword_place_and_config),
               UNIT(a_missing_or_foreign_argument_is_a_clear_failure),
               UNIT(numbers_follow_the_array_beside_them),
               UNIT(arithmetic_with_a_number_is_one_fusable_op),
               UNIT(call_arg_reads_values_for_layers), UNIT(keys_of_keras_3_pick_as_numpy),
               UNIT(slice_specs_of_tf_keras_pick_the_same), UNIT(keys_that_do_not_fit_are_refused),
               UNIT(shapes_computed_in_the_graph_are_known),
               UNIT(a_shape_that_depends_on_data_is_refused),
               UNIT(operations_move_unknown_dimensions_along),
               UNIT(splitting_gives_as_many_outputs), UNIT(hostile_nodes_fail_and_nothing_else),
               UNIT(functions_of_tensorflow_compute_its_numbers),
               UNIT(nodes_of_a_graph_take_constants_by_place), UNIT(a_broken_node_def_is_refused));
}
