/* Elementwise ops: the templates' rows in tables by dtype, and the loops around them. */
#include "ops/reference/reference.h"

/* n results from two inputs whose strides are 1 or 0 in the common cases. */
#define BINARY_ROW(NAME_, TO, EXPRESSION)                                                 \
    static void NAME(NAME_##_of2)(const void *pa, int64_t sa, const void *pb, int64_t sb, \
                                  void *pc, int64_t n)                                    \
    {                                                                                     \
        const T *as = pa, *bs = pb;                                                       \
        TO *cs = pc;                                                                      \
                                                                                          \
        if (sa == 1 && sb == 1) {                                                         \
            for (int64_t i = 0; i < n; i++) {                                             \
                const T a = as[i], b = bs[i];                                             \
                                                                                          \
                cs[i] = (TO)(EXPRESSION);                                                 \
            }                                                                             \
            return;                                                                       \
        }                                                                                 \
        for (int64_t i = 0; i < n; i++) {                                                 \
            const T a = as[i * sa], b = bs[i * sb];                                       \
                                                                                          \
            cs[i] = (TO)(EXPRESSION);                                                     \
        }                                                                                 \
    }

#define TEMPLATE "ops/reference/math_float.inc"
#include "ops/reference/floats.inc"
#undef TEMPLATE
#define TEMPLATE "ops/reference/math_int.inc"
#include "ops/reference/dtypes.inc"
#undef TEMPLATE

#define T       uint8_t
#define NAME(x) x##_bool
BINARY_ROW(logical_and, uint8_t, a &b)
BINARY_ROW(logical_or, uint8_t, a | b)
BINARY_ROW(logical_xor, uint8_t, a ^ b)
#undef NAME
#undef T

static void logical_not_bool(const void *from, void *to, int64_t n, const double *p)
{
    const uint8_t *x = from;
    uint8_t *y = to;

    (void)p;
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] == 0;
}

/* ------------------------------------------------------------------------------- one input */

typedef void (*unary_row)(const void *x, void *y, int64_t n, const double *p);

#define FLOATS(F) [KRT_FLOAT32] = F##_f32, [KRT_FLOAT64] = F##_f64
#define INTEGERS(F)                                                                           \
    [KRT_INT8] = F##_i8, [KRT_INT16] = F##_i16, [KRT_INT32] = F##_i32, [KRT_INT64] = F##_i64, \
    [KRT_UINT8] = F##_u8, [KRT_UINT16] = F##_u16, [KRT_UINT32] = F##_u32, [KRT_UINT64] = F##_u64

static void unary_run(const krti_node *n, const krti_view *in, krti_view *out,
                      const unary_row *rows)
{
    const double p[] = {n->attrs.scalar.a, n->attrs.scalar.b, n->attrs.scalar.c};
    const unary_row row = rows[in[0].dtype];

    KRTI_ASSERT(row != NULL);
    row(in[0].data, out->data, krt_shape_size(in[0].shape), p);
}

#define UNARY(NAME, ...)                                                          \
    void krti_ref_##NAME(const krti_node *n, const krti_view *in, krti_view *out) \
    {                                                                             \
        static const unary_row rows[KRTI_NUM_DTYPES] = {__VA_ARGS__};             \
                                                                                  \
        unary_run(n, in, out, rows);                                              \
    }

#define X(NAME) UNARY(NAME, FLOATS(NAME), INTEGERS(NAME))
KRTI_UNARY_NUMBER(X)
X(relu)
X(clip)
#undef X
#define X(NAME) UNARY(NAME, FLOATS(NAME))
KRTI_UNARY_FLOAT(X)
X(elu)
X(celu)
X(affine)
X(power_scalar)
X(isnan)
X(isinf)
X(isfinite)
#undef X
UNARY(logical_not, [KRT_BOOL] = logical_not_bool)

/* ------------------------------------------------------------------------------- two inputs */

typedef void (*binary_row)(const void *a, int64_t sa, const void *b, int64_t sb, void *c,
                           int64_t n);

static unsigned char *at(const krti_view *v, int64_t offset)
{
    return (unsigned char *)v->data + offset * (int64_t)krt_dtype_size(v->dtype);
}

static void binary_run(const krti_view *in, krti_view *out, const binary_row *rows)
{
    const binary_row row = rows[in[0].dtype];
    int64_t strides[3][KRT_MAX_RANK];
    krti_loops l;

    KRTI_ASSERT(row != NULL);
    krti_broadcast_strides(in[0].shape, out->shape, strides[0]);
    krti_broadcast_strides(in[1].shape, out->shape, strides[1]);
    krti_strides(out->shape, strides[2]);
    krti_loops_init(&l, out->shape.rank, out->shape.dim, 3, strides);
    if (krti_loops_empty(&l))
        return;
    const int last = l.rank - 1;
    do
        row(at(&in[0], l.offset[0]), l.stride[0][last], at(&in[1], l.offset[1]), l.stride[1][last],
            at(out, l.offset[2]), l.dim[last]);
    while (krti_loops_next(&l));
}

#define BINARY(NAME, ...)                                                         \
    void krti_ref_##NAME(const krti_node *n, const krti_view *in, krti_view *out) \
    {                                                                             \
        static const binary_row rows[KRTI_NUM_DTYPES] = {__VA_ARGS__};            \
                                                                                  \
        (void)n;                                                                  \
        binary_run(in, out, rows);                                                \
    }

#define BOTH(NAME) FLOATS(NAME##_of2), INTEGERS(NAME##_of2)
/* In bool "or" is the larger, "and" the smaller. */
BINARY(add, BOTH(add), [KRT_BOOL] = maximum_of2_u8)
BINARY(multiply, BOTH(multiply), [KRT_BOOL] = minimum_of2_u8)
BINARY(maximum, BOTH(maximum), [KRT_BOOL] = maximum_of2_u8)
BINARY(minimum, BOTH(minimum), [KRT_BOOL] = minimum_of2_u8)
BINARY(subtract, BOTH(subtract))
BINARY(divide, FLOATS(divide_of2))
BINARY(power, BOTH(power))
BINARY(mod, BOTH(mod))
BINARY(floor_divide, BOTH(floor_divide))
BINARY(atan2, FLOATS(atan2_of2))
BINARY(squared_difference, BOTH(squared_difference))
BINARY(equal, BOTH(equal), [KRT_BOOL] = equal_of2_u8)
BINARY(not_equal, BOTH(not_equal), [KRT_BOOL] = not_equal_of2_u8)
BINARY(greater, BOTH(greater), [KRT_BOOL] = greater_of2_u8)
BINARY(greater_equal, BOTH(greater_equal), [KRT_BOOL] = greater_equal_of2_u8)
BINARY(less, BOTH(less), [KRT_BOOL] = less_of2_u8)
BINARY(less_equal, BOTH(less_equal), [KRT_BOOL] = less_equal_of2_u8)
BINARY(logical_and, [KRT_BOOL] = logical_and_of2_bool)
BINARY(logical_or, [KRT_BOOL] = logical_or_of2_bool)
BINARY(logical_xor, [KRT_BOOL] = logical_xor_of2_bool)

/* ------------------------------------------------------------------------------- where, cast */

/* One last loop; elements are picked whole, whatever they mean. */
#define PICK(SIZE)                                                                               \
    static void pick_##SIZE(const unsigned char *condition, const unsigned char *a,              \
                            const unsigned char *b, unsigned char *y, const krti_loops *l)       \
    {                                                                                            \
        const int last = l->rank - 1;                                                            \
        const int64_t sc = l->stride[0][last], sa = l->stride[1][last], sb = l->stride[2][last]; \
                                                                                                 \
        for (int64_t i = 0; i < l->dim[last]; i++)                                               \
            memcpy(y + i * SIZE, condition[i * sc] != 0 ? a + i * sa * SIZE : b + i * sb * SIZE, \
                   SIZE);                                                                        \
    }
PICK(1)
PICK(2)
PICK(4)
PICK(8)

void krti_ref_where(const krti_node *n, const krti_view *in, krti_view *out)
{
    const size_t size = krt_dtype_size(out->dtype);
    int64_t strides[4][KRT_MAX_RANK];
    krti_loops l;

    (void)n;
    for (int i = 0; i < 3; i++)
        krti_broadcast_strides(in[i].shape, out->shape, strides[i]);
    krti_strides(out->shape, strides[3]);
    krti_loops_init(&l, out->shape.rank, out->shape.dim, 4, strides);
    if (krti_loops_empty(&l))
        return;
    do
        (size == 8   ? pick_8
         : size == 4 ? pick_4
         : size == 2 ? pick_2
                     : pick_1)(at(&in[0], l.offset[0]), at(&in[1], l.offset[1]),
                               at(&in[2], l.offset[2]), at(out, l.offset[3]), &l);
    while (krti_loops_next(&l));
}

void krti_ref_cast(const krti_node *n, const krti_view *in, krti_view *out)
{
    (void)n;
    krti_convert(out->data, out->dtype, in[0].data, in[0].dtype,
                 (size_t)krt_shape_size(in[0].shape));
}
