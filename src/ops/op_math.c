/* Elementwise ops: shapes, dtypes and table entries. The loops are in reference/math.c.
 *
 * Mirrors keras/src/ops/numpy.py and nn.py: constructors bring their inputs to the dtype Keras's
 * backend would compute in, so that the op itself sees one dtype only. */
#include "ops/autodiff.h"
#include "ops/op_infer.h"
#include "ops/reference/reference.h"

/* ------------------------------------------------------------------------------- one input */

static krt_status infer_float(krti_graph *g, krti_node *n)
{
    const krt_status st = krti_infer_floats(g, n);

    return st == KRT_OK ? krti_infer_set(n, n->in[0]->dtype, n->in[0]->shape) : st;
}

static krt_status infer_number(krti_graph *g, krti_node *n)
{
    if (n->in[0]->dtype == KRT_BOOL)
        return INFER_FAIL(g, "%s is not computed in bool", n->op->name);
    return krti_infer_same(g, n);
}

static krt_status infer_test(krti_graph *g, krti_node *n)
{
    if (n->op == &krti_op_logical_not && n->in[0]->dtype != KRT_BOOL)
        return INFER_FAIL(g, "logical_not takes bool, found %s", krt_dtype_name(n->in[0]->dtype));
    const krt_status st = n->op == &krti_op_logical_not ? KRT_OK : krti_infer_floats(g, n);
    return st == KRT_OK ? krti_infer_set(n, KRT_BOOL, n->in[0]->shape) : st;
}

static krt_value *unary(krti_graph *g, const krti_op *op, krt_value *x, double a, double b,
                        double c)
{
    const krti_attrs attrs = {.scalar = {.a = a, .b = b, .c = c}};

    if (x == NULL)
        return NULL;
    if (op->infer == infer_float || (op->infer == infer_test && op != &krti_op_logical_not))
        x = krti_to_float(g, x);
    else if (op == &krti_op_logical_not)
        x = krti_cast(g, x, KRT_BOOL);
    else if (x->dtype == KRT_BOOL)
        x = krti_cast(g, x, KRT_INT32);
    return krti_graph_add1(g, op, &x, 1, &attrs);
}

/* Steps have no slope, nor have answers in bool. */
#define krti_vjp_sign         NULL
#define krti_vjp_floor        NULL
#define krti_vjp_ceil         NULL
#define krti_vjp_round        NULL
#define krti_vjp_trunc        NULL
#define krti_vjp_isnan        NULL
#define krti_vjp_isinf        NULL
#define krti_vjp_isfinite     NULL
#define krti_vjp_logical_not  NULL
#define krti_vjp_floor_divide NULL

#define UNARY(NAME, FLAGS, INFER)                                 \
    const krti_op krti_op_##NAME = {.name = #NAME,                \
                                    .min_in = 1,                  \
                                    .max_in = 1,                  \
                                    .flags = FLAGS,               \
                                    .infer = INFER,               \
                                    .reference = krti_ref_##NAME, \
                                    .vjp = krti_vjp_##NAME}

#define X(NAME)                                         \
    UNARY(NAME, KRTI_OP_ELEMENTWISE, infer_number);     \
    krt_value *krti_##NAME(krti_graph *g, krt_value *x) \
    {                                                   \
        return unary(g, &krti_op_##NAME, x, 0, 0, 0);   \
    }
KRTI_UNARY_NUMBER(X)
#undef X

#define X(NAME)                                         \
    UNARY(NAME, KRTI_OP_ELEMENTWISE, infer_float);      \
    krt_value *krti_##NAME(krti_graph *g, krt_value *x) \
    {                                                   \
        return unary(g, &krti_op_##NAME, x, 0, 0, 0);   \
    }
KRTI_UNARY_FLOAT(X)
#undef X

#define X(NAME)                                         \
    UNARY(NAME, 0, infer_test);                         \
    krt_value *krti_##NAME(krti_graph *g, krt_value *x) \
    {                                                   \
        return unary(g, &krti_op_##NAME, x, 0, 0, 0);   \
    }
KRTI_UNARY_TEST(X)
#undef X

/* relu and clip keep integers; the others have real parameters. */
UNARY(relu, KRTI_OP_ELEMENTWISE, infer_number);
UNARY(clip, KRTI_OP_ELEMENTWISE, infer_number);
UNARY(elu, KRTI_OP_ELEMENTWISE, infer_float);
UNARY(celu, KRTI_OP_ELEMENTWISE, infer_float);
UNARY(affine, KRTI_OP_ELEMENTWISE, infer_float);
UNARY(power_scalar, KRTI_OP_ELEMENTWISE, infer_float);

#define X(NAME)                                                                       \
    krt_value *krti_##NAME(krti_graph *g, krt_value *x, double a, double b, double c) \
    {                                                                                 \
        return unary(g, &krti_op_##NAME, x, a, b, c);                                 \
    }
KRTI_UNARY_PARAMS(X)
#undef X

krt_value *krti_apply(krti_graph *g, krt_value *x, krti_activation f)
{
    return f.op != NULL ? unary(g, f.op, x, f.a, f.b, f.c) : x;
}

/* ------------------------------------------------------------------------------- two inputs */

static krt_status infer_broadcast(krti_graph *g, krti_node *n, krt_dtype dtype)
{
    krt_shape shape;
    const krt_status st = krti_infer_one_dtype(g, n);

    if (st != KRT_OK)
        return st;
    if (!krti_shape_broadcast(n->in[0]->shape, n->in[1]->shape, &shape))
        return INFER_FAIL(g, "shapes %s and %s cannot be broadcast",
                          krti_shape_text(n->in[0]->shape).s, krti_shape_text(n->in[1]->shape).s);
    return krti_infer_set(n, dtype, shape);
}

/* In bool Keras defines four of them, as "or" and "and". */
static krt_status infer_binary(krti_graph *g, krti_node *n)
{
    const krt_dtype dtype = n->in[0]->dtype;
    const bool logical = n->op == &krti_op_add || n->op == &krti_op_multiply ||
                         n->op == &krti_op_maximum || n->op == &krti_op_minimum;

    if (dtype == KRT_BOOL && !logical)
        return INFER_FAIL(g, "%s is not computed in bool", n->op->name);
    if ((n->op == &krti_op_divide || n->op == &krti_op_atan2) && !krti_dtype_is_float(dtype))
        return INFER_FAIL(g, "%s takes float32 or float64, found %s", n->op->name,
                          krt_dtype_name(dtype));
    return infer_broadcast(g, n, dtype);
}

static krt_status infer_compare(krti_graph *g, krti_node *n)
{
    return infer_broadcast(g, n, KRT_BOOL);
}

static krt_status infer_logical(krti_graph *g, krti_node *n)
{
    if (n->in[0]->dtype != KRT_BOOL)
        return INFER_FAIL(g, "%s takes bool, found %s", n->op->name,
                          krt_dtype_name(n->in[0]->dtype));
    return infer_broadcast(g, n, KRT_BOOL);
}

/* Both inputs in the dtype the op computes in. */
static krt_value *binary(krti_graph *g, const krti_op *op, krt_value *a, krt_value *b)
{
    if (a == NULL || b == NULL)
        return NULL;
    krt_dtype dtype = krti_result_dtype(a->dtype, b->dtype);
    if (op->infer == infer_logical)
        dtype = KRT_BOOL;
    else if (op == &krti_op_divide || op == &krti_op_atan2)
        dtype = krti_float_dtype(dtype);
    else if (dtype == KRT_BOOL && op->infer == infer_binary &&
             (op == &krti_op_mod || op == &krti_op_floor_divide || op == &krti_op_power))
        dtype = KRT_INT32;
    krt_value *in[] = {krti_cast(g, a, dtype), krti_cast(g, b, dtype)};
    return krti_graph_add1(g, op, in, 2, NULL);
}

#define BINARY(NAME, INFER, VJP)                                  \
    const krti_op krti_op_##NAME = {.name = #NAME,                \
                                    .min_in = 2,                  \
                                    .max_in = 2,                  \
                                    .flags = KRTI_OP_BROADCASTS,  \
                                    .infer = INFER,               \
                                    .reference = krti_ref_##NAME, \
                                    .vjp = VJP}

#define X(NAME)                                                       \
    krt_value *krti_##NAME(krti_graph *g, krt_value *a, krt_value *b) \
    {                                                                 \
        return binary(g, &krti_op_##NAME, a, b);                      \
    }
KRTI_BINARY(X)
KRTI_COMPARE(X)
#undef X
#define X(NAME) BINARY(NAME, infer_binary, krti_vjp_##NAME);
KRTI_BINARY(X)
#undef X
BINARY(equal, infer_compare, NULL);
BINARY(not_equal, infer_compare, NULL);
BINARY(greater, infer_compare, NULL);
BINARY(greater_equal, infer_compare, NULL);
BINARY(less, infer_compare, NULL);
BINARY(less_equal, infer_compare, NULL);
BINARY(logical_and, infer_logical, NULL);
BINARY(logical_or, infer_logical, NULL);
BINARY(logical_xor, infer_logical, NULL);

/* ------------------------------------------------------------------------------- where, cast */

static krt_status infer_where(krti_graph *g, krti_node *n)
{
    krt_shape shape;

    if (n->in[0]->dtype != KRT_BOOL)
        return INFER_FAIL(g, "where takes a bool condition, found %s",
                          krt_dtype_name(n->in[0]->dtype));
    if (n->in[1]->dtype != n->in[2]->dtype)
        return INFER_FAIL(g, "where takes inputs of one dtype, found %s and %s",
                          krt_dtype_name(n->in[1]->dtype), krt_dtype_name(n->in[2]->dtype));
    if (!krti_shape_broadcast(n->in[1]->shape, n->in[2]->shape, &shape))
        return INFER_FAIL(g, "shapes %s and %s cannot be broadcast",
                          krti_shape_text(n->in[1]->shape).s, krti_shape_text(n->in[2]->shape).s);
    const krt_shape both = shape;
    if (!krti_shape_broadcast(n->in[0]->shape, both, &shape))
        return INFER_FAIL(g, "shapes %s and %s cannot be broadcast",
                          krti_shape_text(n->in[0]->shape).s, krti_shape_text(both).s);
    return krti_infer_set(n, n->in[1]->dtype, shape);
}

const krti_op krti_op_where = {.name = "where",
                               .min_in = 3,
                               .max_in = 3,
                               .infer = infer_where,
                               .reference = krti_ref_where,
                               .vjp = krti_vjp_where};

krt_value *krti_where(krti_graph *g, krt_value *condition, krt_value *a, krt_value *b)
{
    if (condition == NULL || a == NULL || b == NULL)
        return NULL;
    const krt_dtype dtype = krti_result_dtype(a->dtype, b->dtype);
    krt_value *in[] = {krti_cast(g, condition, KRT_BOOL), krti_cast(g, a, dtype),
                       krti_cast(g, b, dtype)};
    return krti_graph_add1(g, &krti_op_where, in, 3, NULL);
}

static krt_status infer_cast(krti_graph *g, krti_node *n)
{
    const krt_dtype to = n->attrs.cast.dtype;

    if (krt_dtype_size(to) == 0)
        return INFER_FAIL(g, "cast needs a dtype");
    if (to == KRT_STRING)
        return INFER_FAIL(g, "%s does not become string", krt_dtype_name(n->in[0]->dtype));
    return krti_infer_set(n, to, n->in[0]->shape);
}

const krti_op krti_op_cast = {.name = "cast",
                              .min_in = 1,
                              .max_in = 1,
                              .infer = infer_cast,
                              .reference = krti_ref_cast,
                              .vjp = krti_vjp_cast};

krt_value *krti_cast(krti_graph *g, krt_value *x, krt_dtype dtype)
{
    if (x == NULL || x->dtype == dtype)
        return x;
    const krti_attrs attrs = {.cast = {.dtype = dtype}};
    return krti_graph_add1(g, &krti_op_cast, &x, 1, &attrs);
}
