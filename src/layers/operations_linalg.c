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

/* np.cross of vectors of three, along the last axis. */
krt_value *krti_operation_cross(const krti_opcall *o)
{
    static const int64_t next[3] = {1, 2, 0}, last[3] = {2, 0, 1};
    krti_graph *const g = o->g;
    krt_value *a, *b;

    krti_opcall_pair(o, "x1", "x2", &a, &b);
    if (a == NULL || b == NULL)
        return NULL;
    const int rank_a = a->shape.rank, rank_b = b->shape.rank;
    const int64_t axis = krti_opcall_int(o, "axis", -1);
    if (rank_a < 1 || rank_b < 1 || a->shape.dim[rank_a - 1] != 3 ||
        b->shape.dim[rank_b - 1] != 3 || (axis != -1 && axis != rank_a - 1) ||
        krti_opcall_int(o, "axisa", -1) != -1 || krti_opcall_int(o, "axisb", -1) != -1 ||
        krti_opcall_int(o, "axisc", -1) != -1)
        return krti_opcall_fail(o, KRT_E_UNSUPPORTED,
                                "other than vectors of three along the last axis");
    krt_value *const i = krti_constant(g, KRT_INT64, KRT_SHAPE(3), next);
    krt_value *const j = krti_constant(g, KRT_INT64, KRT_SHAPE(3), last);
    krt_value *const plus = krti_multiply(g, krti_gather(g, a, i, -1), krti_gather(g, b, j, -1));
    krt_value *const minus = krti_multiply(g, krti_gather(g, a, j, -1), krti_gather(g, b, i, -1));
    return krti_subtract(g, plus, minus);
}

/* ------------------------------------------------------------------------------- einsum */

enum { MAX_EQUATION = 256 };

/* An axis named twice in one term is a diagonal, which comes to stand last: "bii" is "bi" of it.
 * `term` has its own room and shrinks. */
static krt_value *take_diagonals(krti_graph *g, krt_value *x, char *term)
{
    for (int i = 0; x != NULL && term[i] != '\0'; i++) {
        char *const again = strchr(term + i + 1, term[i]);
        const int j = (int)(again - term), n = (int)strlen(term);

        if (again == NULL || term[i] == '.')
            continue;
        if (n != x->shape.rank)
            return krti_graph_fail(g, KRT_E_INVALID, "einsum: \"%s\" for a tensor of rank %d", term,
                                   x->shape.rank);
        x = krti_diagonal_of(g, x, i, j, 0);
        const char name = term[i];
        memmove(again, again + 1, strlen(again));
        memmove(term + i, term + i + 1, strlen(term + i));
        term[n - 2] = name;
        term[n - 1] = '\0';
        i = -1;
    }
    return x;
}

/* The equation without blanks and without diagonals, which are taken here. */
static bool plain_equation(const krti_opcall *o, const char *equation, krt_value **x, size_t n,
                           char *out)
{
    char text[MAX_EQUATION];
    size_t length = 0, used = 0;

    for (const char *p = equation; *p != '\0'; p++)
        if (*p != ' ' && length + 1 < sizeof text)
            text[length++] = *p;
    text[length] = '\0';
    char *const arrow = strstr(text, "->"), *term = text;
    if (length + 1 >= sizeof text || arrow == NULL || strstr(text, "..") != NULL) {
        memcpy(out, text, length + 1);
        return length + 1 < sizeof text;
    }
    *arrow = '\0';
    for (size_t i = 0; i < n; i++) {
        char one[MAX_EQUATION];
        const size_t size = strcspn(term, ",");

        snprintf(one, sizeof one, "%.*s", (int)size, term);
        x[i] = take_diagonals(o->g, x[i], one);
        used += (size_t)snprintf(out + used, MAX_EQUATION - used, "%s%s", i > 0 ? "," : "", one);
        term += size + (term[size] == ',');
    }
    snprintf(out + used, MAX_EQUATION - used, "%s->%s", *term != '\0' ? "," : "", arrow + 2);
    return true;
}

/* Of more than two tensors the first two become one: of their axes those stay that a later term or
 * the result still names. `equation` is plain and becomes one term shorter. */
static krt_value *join_terms(const krti_opcall *o, char *equation, krt_value *const *x)
{
    char first[MAX_EQUATION * 2 + 4], kept[MAX_EQUATION];
    char *const second = strchr(equation, ',') + 1, *const third = strchr(second, ',');
    size_t n = 0;

    for (const char *p = equation; p < third; p++) {
        const bool is_new = *p != ',' && memchr(kept, *p, n) == NULL;

        if (is_new && strchr(third, *p) != NULL)
            kept[n++] = *p;
    }
    kept[n] = '\0';
    snprintf(first, sizeof first, "%.*s->%s", (int)(third - equation), equation, kept);
    memmove(equation + n, third, strlen(third) + 1);
    memcpy(equation, kept, n);
    return krti_einsum(o->g, first, x, 2);
}

krt_value *krti_operation_einsum(const krti_opcall *o)
{
    const char *const equation = krti_opcall_text(o, "subscripts", NULL);
    size_t n = krti_opcall_num(o, "operands");
    krt_value *x[KRT_MAX_RANK];
    char plain[MAX_EQUATION];

    if (equation == NULL || n < 1 || n > KRT_MAX_RANK)
        return krti_opcall_fail(o, KRT_E_UNSUPPORTED, "an equation and 1 to %d tensors are wanted",
                                KRT_MAX_RANK);
    for (size_t i = 0; i < n; i++) {
        x[i] = krti_opcall_value(o, krti_opcall_at(o, "operands", i), i > 0 ? x[0] : NULL);
        if (x[i] == NULL)
            return NULL;
    }
    if (!plain_equation(o, equation, x, n, plain))
        return krti_opcall_fail(o, KRT_E_UNSUPPORTED, "an equation of more than %d letters",
                                MAX_EQUATION);
    while (n > 2 && strstr(plain, "->") != NULL && strchr(plain, '.') == NULL) {
        const char *const second = strchr(plain, ',');

        if (second == NULL || strchr(second + 1, ',') == NULL)
            break;
        x[1] = join_terms(o, plain, x);
        for (size_t i = 1; i < n; i++)
            x[i - 1] = x[i];
        n--;
    }
    return krti_einsum(o->g, plain, x, n);
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

/* Over the last axis of x1 and, of x2, the last or the one before it. */
static krt_value *dot(const krti_opcall *o, bool is_inner)
{
    krt_value *a, *b;

    krti_opcall_pair(o, "x1", "x2", &a, &b);
    if (a == NULL || b == NULL)
        return NULL;
    if (a->shape.rank == 0 || b->shape.rank == 0)
        return krti_multiply(o->g, a, b);
    const int axis = is_inner || b->shape.rank == 1 ? -1 : -2;
    return contract(o, a, b, (const int[]){-1}, &axis, 1);
}

krt_value *krti_operation_dot(const krti_opcall *o)
{
    return dot(o, false);
}

krt_value *krti_operation_inner(const krti_opcall *o)
{
    return dot(o, true);
}

krt_value *krti_operation_vdot(const krti_opcall *o)
{
    krt_value *a, *b;

    krti_opcall_pair(o, "x1", "x2", &a, &b);
    krt_value *const flat = krti_multiply(o->g, krti_reshape(o->g, a, KRT_SHAPE(-1)),
                                          krti_reshape(o->g, b, KRT_SHAPE(-1)));
    return krti_reduce_sum(o->g, flat, NULL, 0, false);
}
