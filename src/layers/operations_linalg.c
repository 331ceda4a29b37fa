/* Products of tensors. Keras: ops/numpy.py.
 *
 * All come down to the graph's matmul, which takes two axes and more and computes in floats; a
 * product of integers is turned back into integers, as Keras's is. */
#include "layers/operations_list.h"
#include "tensor/tensor.h"

/* The dtype a product of these has in Keras. */
static krt_value *in_dtype_of(krti_graph *g, krt_value *y, const krt_value *a, const krt_value *b)
{
    if (y == NULL)
        return NULL;
    const krt_dtype dtype = krti_result_dtype(a->dtype, b->dtype);
    return krti_cast(g, y, dtype == KRT_BOOL ? KRT_INT32 : dtype);
}

/* np.matmul: a lone axis is a row on the left and a column on the right, and goes away again. */
krt_value *krti_operation_matmul(const krti_opcall *o)
{
    krti_graph *const g = o->g;
    krt_value *a, *b;

    krti_opcall_pair(o, "x1", "x2", &a, &b);
    if (a == NULL || b == NULL)
        return NULL;
    const bool a_lone = a->shape.rank == 1, b_lone = b->shape.rank == 1;
    krt_value *const left = a_lone ? krti_expand_dims(g, a, 0) : a;
    krt_value *const right = b_lone ? krti_expand_dims(g, b, 1) : b;
    krt_value *y = krti_matmul(
        g, left, right,
        krti_opcall_bool(o, "transpose_a", false) || krti_opcall_bool(o, "adjoint_a", false),
        krti_opcall_bool(o, "transpose_b", false) || krti_opcall_bool(o, "adjoint_b", false), NULL);
    if (b_lone)
        y = krti_squeeze(g, y, (const int[]){-1}, 1);
    if (a_lone)
        y = krti_squeeze(g, y, (const int[]){b_lone ? -1 : -2}, 1);
    return in_dtype_of(g, y, a, b);
}

krt_value *krti_operation_einsum(const krti_opcall *o)
{
    const char *equation = krti_opcall_text(o, "subscripts", NULL);
    const size_t n = krti_opcall_num(o, "operands");
    krt_value *x[KRT_MAX_RANK];

    if (equation == NULL || n < 1 || n > KRT_MAX_RANK)
        return krti_opcall_fail(o, KRT_E_UNSUPPORTED, "an equation and 1 to %d tensors are wanted",
                                KRT_MAX_RANK);
    for (size_t i = 0; i < n; i++)
        x[i] = krti_opcall_value(o, krti_opcall_at(o, "operands", i), i > 0 ? x[0] : NULL);
    return krti_einsum(o->g, equation, x, n);
}

/* ------------------------------------------------------------------------------- contractions */

/* The axes of x with those of `axes` moved behind (or before) the others. */
static bool order_axes(krti_graph *g, const krt_value *x, const int *axes, int n, bool to_front,
                       int *perm)
{
    bool taken[KRT_MAX_RANK] = {false};
    int at = to_front ? n : 0;

    if (n > x->shape.rank)
        return false;
    for (int i = 0; i < n; i++) {
        const int axis = krti_axis(g, axes[i], x->shape.rank);

        if (axis < 0 || taken[axis])
            return false;
        taken[axis] = true;
        perm[(to_front ? 0 : x->shape.rank - n) + i] = axis;
    }
    for (int i = 0; i < x->shape.rank; i++)
        if (!taken[i])
            perm[at++] = i;
    return true;
}

static int64_t product(krt_shape s, int from, int to)
{
    int64_t size = 1;

    for (int i = from; i < to; i++)
        size = krti_dim_mul(size, s.dim[i]);
    return size;
}

/* Sums over n axes of a paired with n axes of b. */
static krt_value *contract(const krti_opcall *o, krt_value *a, krt_value *b, const int *a_axes,
                           const int *b_axes, int n)
{
    krti_graph *const g = o->g;
    int a_perm[KRT_MAX_RANK], b_perm[KRT_MAX_RANK];

    if (a == NULL || b == NULL)
        return NULL;
    if (!order_axes(g, a, a_axes, n, false, a_perm) || !order_axes(g, b, b_axes, n, true, b_perm))
        return krti_opcall_fail(o, KRT_E_INVALID, "axes that the tensors do not have");
    krt_value *const left = krti_transpose(g, a, a_perm), *const right =
                                                              krti_transpose(g, b, b_perm);
    if (left == NULL || right == NULL)
        return NULL;
    const int a_free = left->shape.rank - n, b_free = right->shape.rank - n;
    krt_shape s = {.rank = a_free + b_free};
    if (s.rank > KRT_MAX_RANK)
        return krti_opcall_fail(o, KRT_E_UNSUPPORTED, "more than %d axes", KRT_MAX_RANK);
    memcpy(s.dim, left->shape.dim, (size_t)a_free * sizeof s.dim[0]);
    memcpy(s.dim + a_free, right->shape.dim + n, (size_t)b_free * sizeof s.dim[0]);
    const int64_t inner = product(right->shape, 0, n);
    krt_value *const rows =
        krti_reshape(g, left, KRT_SHAPE(product(left->shape, 0, a_free), inner));
    krt_value *const cols =
        krti_reshape(g, right, KRT_SHAPE(inner, product(right->shape, n, n + b_free)));
    krt_value *const y = krti_reshape(g, krti_matmul(g, rows, cols, false, false, NULL), s);
    return in_dtype_of(g, y, a, b);
}

/* `axes`: how many at the end of a and the start of b, or a list for each. */
krt_value *krti_operation_tensordot(const krti_opcall *o)
{
    const krti_conf *const axes = krti_opcall_find(o, "axes");
    krt_value *a, *b;
    int a_axes[KRT_MAX_RANK], b_axes[KRT_MAX_RANK], n = 0;
    int64_t count = 2;

    krti_opcall_pair(o, "x1", "x2", &a, &b);
    if (a == NULL || b == NULL)
        return NULL;
    if (krti_conf_is(axes, KRTI_CONF_LIST)) {
        for (int side = 0; side < 2; side++) {
            const krti_conf *const list = krti_conf_at(axes, (size_t)side);
            const bool many = krti_conf_is(list, KRTI_CONF_LIST);
            const size_t m = many ? krti_conf_num(list) : 1;

            if (m > KRT_MAX_RANK || (side == 1 && (int)m != n))
                return krti_opcall_fail(o, KRT_E_INVALID, "`axes` must be two lists of one length");
            n = (int)m;
            for (size_t i = 0; i < m; i++) {
                int64_t axis = KRT_MAX_RANK;

                krti_conf_as_int(many ? krti_conf_at(list, i) : list, &axis);
                if (axis < -KRT_MAX_RANK || axis >= KRT_MAX_RANK)
                    return krti_opcall_fail(o, KRT_E_INVALID, "an axis that is out of bounds");
                (side == 0 ? a_axes : b_axes)[i] = (int)axis;
            }
        }
        return contract(o, a, b, a_axes, b_axes, n);
    }
    count = krti_opcall_int(o, "axes", 2);
    if (count < 0 || count > a->shape.rank || count > b->shape.rank)
        return krti_opcall_fail(o, KRT_E_INVALID, "%lld axes to sum over", (long long)count);
    for (n = 0; n < count; n++) {
        a_axes[n] = a->shape.rank - (int)count + n;
        b_axes[n] = n;
    }
    return contract(o, a, b, a_axes, b_axes, n);
}

/* np.dot: over the last axis of x1 and the one before the last of x2. */
krt_value *krti_operation_dot(const krti_opcall *o)
{
    krt_value *a, *b;

    krti_opcall_pair(o, "x1", "x2", &a, &b);
    if (a == NULL || b == NULL)
        return NULL;
    if (a->shape.rank == 0 || b->shape.rank == 0)
        return krti_multiply(o->g, a, b);
    return contract(o, a, b, (const int[]){-1}, (const int[]){b->shape.rank == 1 ? -1 : -2}, 1);
}

krt_value *krti_operation_inner(const krti_opcall *o)
{
    krt_value *a, *b;

    krti_opcall_pair(o, "x1", "x2", &a, &b);
    if (a == NULL || b == NULL)
        return NULL;
    if (a->shape.rank == 0 || b->shape.rank == 0)
        return krti_multiply(o->g, a, b);
    return contract(o, a, b, (const int[]){-1}, (const int[]){-1}, 1);
}

krt_value *krti_operation_vdot(const krti_opcall *o)
{
    krt_value *a, *b;

    krti_opcall_pair(o, "x1", "x2", &a, &b);
    krt_value *const flat = krti_multiply(o->g, krti_reshape(o->g, a, KRT_SHAPE(-1)),
                                          krti_reshape(o->g, b, KRT_SHAPE(-1)));
    return krti_reduce_sum(o->g, flat, NULL, 0, false);
}
