/* Operations over axes: reductions, scans, sorting and places. Keras: ops/numpy.py, ops/math.py,
 * ops/linalg.py. */
#include "layers/operations_list.h"
#include "tensor/tensor.h"

/* ------------------------------------------------------------------------------- over axes */

krt_value *krti_operation_reduce(const krti_opcall *o, krti_reduce_fn *fn)
{
    krt_value *const x = krti_opcall_tensor(o, "x");
    int axes[KRT_MAX_RANK];
    const int n = krti_opcall_axes(o, "axis", axes);
    const krti_conf *const initial = krti_opcall_find(o, "initial");
    const krti_conf *const where = krti_opcall_find(o, "where");

    if (x == NULL || n < 0)
        return NULL;
    if (where != NULL)
        return krti_opcall_fail(o, KRT_E_UNSUPPORTED, "the argument `where`");
    krt_value *y = fn(o->g, x, axes, n, krti_opcall_bool(o, "keepdims", false));
    if (initial != NULL && y != NULL)
        y = (fn == krti_reduce_max ? krti_maximum : krti_minimum)(o->g, y,
                                                                  krti_opcall_value(o, initial, y));
    return y != NULL ? krti_cast(o->g, y, krti_opcall_dtype(o, "dtype", y->dtype)) : NULL;
}

krt_value *krti_operation_count_nonzero(krti_graph *g, krt_value *x, const int *axes, int n,
                                        bool keepdims)
{
    krt_value *const other = krti_not_equal(g, x, krti_scalar_like(g, x, 0));

    return krti_reduce_sum(g, krti_cast(g, other, KRT_INT32), axes, n, keepdims);
}

/* log(sum(exp(x - max))) + max, the maximum left out where it is infinite. */
krt_value *krti_operation_logsumexp(krti_graph *g, krt_value *x, const int *axes, int n,
                                    bool keepdims)
{
    krt_value *max = krti_reduce_max(g, x, axes, n, true);

    max = krti_where(g, krti_isfinite(g, max), max, krti_scalar_like(g, max, 0));
    krt_value *const sum =
        krti_reduce_sum(g, krti_exp(g, krti_subtract(g, x, max)), axes, n, keepdims);
    /* Of one value along the axes the sum is the value itself. */
    krt_value *const base = keepdims ? max : krti_reduce_max(g, max, axes, n, false);
    return krti_add(g, krti_log(g, sum), base);
}

krt_value *krti_operation_ptp(krti_graph *g, krt_value *x, const int *axes, int n, bool keepdims)
{
    return krti_subtract(g, krti_reduce_max(g, x, axes, n, keepdims),
                         krti_reduce_min(g, x, axes, n, keepdims));
}

krt_value *krti_operation_var(krti_graph *g, krt_value *x, const int *axes, int n, bool keepdims)
{
    krt_value *const mean = krti_reduce_mean(g, x, axes, n, true);

    return krti_reduce_mean(g, krti_squared_difference(g, x, mean), axes, n, keepdims);
}

krt_value *krti_operation_std(krti_graph *g, krt_value *x, const int *axes, int n, bool keepdims)
{
    return krti_sqrt(g, krti_operation_var(g, x, axes, n, keepdims));
}

/* ------------------------------------------------------------------------------- without NaN */

static krt_value *without_nan(krti_graph *g, krt_value *x, double instead)
{
    if (x == NULL || !krti_dtype_is_float(x->dtype))
        return x;
    return krti_where(g, krti_isnan(g, x), krti_scalar_like(g, x, instead), x);
}

static krt_value *all_nan(krti_graph *g, krt_value *x, const int *axes, int n, bool keepdims)
{
    return krti_reduce_all(g, krti_isnan(g, x), axes, n, keepdims);
}

krt_value *krti_operation_nanmax(krti_graph *g, krt_value *x, const int *axes, int n, bool keepdims)
{
    krt_value *const y = krti_reduce_max(g, without_nan(g, x, -INFINITY), axes, n, keepdims);

    return krti_where(g, all_nan(g, x, axes, n, keepdims), krti_scalar_like(g, y, (double)NAN), y);
}

krt_value *krti_operation_nanmin(krti_graph *g, krt_value *x, const int *axes, int n, bool keepdims)
{
    krt_value *const y = krti_reduce_min(g, without_nan(g, x, INFINITY), axes, n, keepdims);

    return krti_where(g, all_nan(g, x, axes, n, keepdims), krti_scalar_like(g, y, (double)NAN), y);
}

krt_value *krti_operation_nansum(krti_graph *g, krt_value *x, const int *axes, int n, bool keepdims)
{
    return krti_reduce_sum(g, without_nan(g, x, 0), axes, n, keepdims);
}

krt_value *krti_operation_nanprod(krti_graph *g, krt_value *x, const int *axes, int n,
                                  bool keepdims)
{
    return krti_reduce_prod(g, without_nan(g, x, 1), axes, n, keepdims);
}

krt_value *krti_operation_nanmean(krti_graph *g, krt_value *x, const int *axes, int n,
                                  bool keepdims)
{
    krt_value *const is_number = krti_logical_not(g, krti_isnan(g, x));
    krt_value *const count =
        krti_reduce_sum(g, krti_cast(g, is_number, KRT_FLOAT32), axes, n, keepdims);

    return krti_divide(g, krti_operation_nansum(g, x, axes, n, keepdims), count);
}

krt_value *krti_operation_nanvar(krti_graph *g, krt_value *x, const int *axes, int n, bool keepdims)
{
    krt_value *const mean = krti_operation_nanmean(g, x, axes, n, true);

    return krti_operation_nanmean(g, krti_squared_difference(g, x, mean), axes, n, keepdims);
}

krt_value *krti_operation_nanstd(krti_graph *g, krt_value *x, const int *axes, int n, bool keepdims)
{
    return krti_sqrt(g, krti_operation_nanvar(g, x, axes, n, keepdims));
}

/* ------------------------------------------------------------------------------- means */

krt_value *krti_operation_average(const krti_opcall *o)
{
    krti_graph *const g = o->g;
    krt_value *const x = krti_opcall_tensor(o, "x");
    krt_value *weights = krti_opcall_optional(o, "weights");
    int axes[KRT_MAX_RANK];
    const int n = krti_opcall_axes(o, "axis", axes);

    if (x == NULL || n < 0)
        return NULL;
    if (weights == NULL)
        return krti_reduce_mean(g, x, axes, n, false);
    if (weights->shape.rank == 1 && x->shape.rank > 1 && n == 1) { /* along the axis */
        const int axis = krti_axis(g, axes[0], x->shape.rank);
        krt_shape s = {.rank = x->shape.rank, .dim = {1, 1, 1, 1, 1, 1, 1, 1}};

        if (axis < 0)
            return NULL;
        s.dim[axis] = -1;
        weights = krti_reshape(g, weights, s);
    }
    krt_value *const spread = krti_multiply(g, krti_operation_ones_like(o), weights);
    return krti_divide(g, krti_reduce_sum(g, krti_multiply(g, x, weights), axes, n, false),
                       krti_reduce_sum(g, spread, axes, n, false));
}

krt_status krti_operation_moments(const krti_opcall *o)
{
    krt_value *const x = krti_opcall_tensor(o, "x");
    const bool keepdims = krti_opcall_bool(o, "keepdims", false);
    int axes[KRT_MAX_RANK];
    const int n = krti_opcall_axes(o, "axes", axes);

    if (x == NULL || n < 0)
        return o->g->status;
    krt_call_output(o->c, 0, krti_reduce_mean(o->g, x, axes, n, keepdims));
    return krt_call_output(o->c, 1, krti_operation_var(o->g, x, axes, n, keepdims));
}

/* One axis: the value with that axis; none: a flat one. *axis is counted from the front. */
static krt_value *along(const krti_opcall *o, const char *axis_name, int *axis)
{
    krt_value *const x = krti_opcall_tensor(o, "x");

    *axis = 0;
    if (x == NULL)
        return NULL;
    if (krti_opcall_find(o, axis_name) == NULL)
        return krti_reshape(o->g, x, KRT_SHAPE(-1));
    *axis = krti_opcall_axis(o, axis_name, 0, x->shape.rank);
    return *axis >= 0 ? x : NULL;
}

/* Of an even number of elements the mean of the middle two. */
krt_value *krti_operation_median(const krti_opcall *o)
{
    krti_graph *const g = o->g;
    int axis;
    krt_value *const x = along(o, "axis", &axis);

    if (x == NULL)
        return NULL;
    const int64_t n = x->shape.dim[axis];
    krt_value *const sorted = krti_sort(g, x, axis);
    const int64_t high = n == KRT_NONE ? 0 : n / 2, low = n == KRT_NONE || n % 2 ? high : high - 1;
    krt_value *const both = krti_slice_axis(g, sorted, axis, low, high + 1, 1);
    return krti_reduce_mean(g, both, &axis, 1, krti_opcall_bool(o, "keepdims", false));
}

/* ------------------------------------------------------------------------------- norms */

static krt_value *p_norm(krti_graph *g, krt_value *x, double p, const int *axes, int n,
                         bool keepdims)
{
    krt_value *const size = krti_absolute(g, x);

    if (p == 2)
        return krti_sqrt(g, krti_reduce_sum(g, krti_square(g, x), axes, n, keepdims));
    if (p == 1)
        return krti_reduce_sum(g, size, axes, n, keepdims);
    if (isinf(p))
        return (p > 0 ? krti_reduce_max : krti_reduce_min)(g, size, axes, n, keepdims);
    if (p == 0)
        return krti_reduce_sum(
            g, krti_cast(g, krti_not_equal(g, x, krti_scalar_like(g, x, 0)), KRT_FLOAT32), axes, n,
            keepdims);
    krt_value *const sum =
        krti_reduce_sum(g, krti_power_scalar(g, size, p, 0, 0), axes, n, keepdims);
    return krti_power_scalar(g, sum, 1 / p, 0, 0);
}

krt_value *krti_operation_norm(const krti_opcall *o)
{
    krt_value *const x = krti_opcall_tensor(o, "x");
    const char *const word = krti_opcall_text(o, "ord", "fro");
    const krti_conf *const ord = krti_opcall_find(o, "ord");
    int axes[KRT_MAX_RANK];
    const int n = krti_opcall_axes(o, "axis", axes);
    double p = 2;

    if (x == NULL || n < 0)
        return NULL;
    if (strcmp(word, "fro") != 0 && strcmp(word, "euclidean") != 0)
        return krti_opcall_fail(o, KRT_E_UNSUPPORTED, "the norm \"%s\"", word);
    if (ord != NULL && krti_conf_text(ord) == NULL)
        p = krti_opcall_float(o, "ord", 2);
    const bool of_matrix = n == 2 || (n == 0 && ord != NULL && x->shape.rank == 2);
    if (of_matrix && ord != NULL && krti_conf_text(ord) == NULL)
        return krti_opcall_fail(o, KRT_E_UNSUPPORTED, "the norm of order %g of a matrix", p);
    return p_norm(o->g, krti_cast(o->g, x, krti_result_dtype(x->dtype, KRT_FLOAT32)), p, axes, n,
                  krti_opcall_bool(o, "keepdims", false));
}

/* x / max(norm(x), epsilon) */
krt_value *krti_operation_normalize(const krti_opcall *o)
{
    krti_graph *const g = o->g;
    krt_value *const x = krti_opcall_tensor(o, "x");
    const double order = krti_opcall_float(o, "order", 2);
    const double epsilon = krti_opcall_float(o, "epsilon", 1e-7);
    int axes[KRT_MAX_RANK];
    const int n = krti_opcall_axes(o, "axis", axes);

    if (x == NULL || n < 0)
        return NULL;
    if (order != 2)
        return krti_divide(
            g, x,
            krti_maximum(g, p_norm(g, x, order, axes, n, true), krti_scalar_like(g, x, epsilon)));
    krt_value *inv = krti_rsqrt(g, krti_reduce_sum(g, krti_square(g, x), axes, n, true));
    inv = krti_minimum(g, inv, krti_scalar_like(g, inv, 1 / epsilon));
    return krti_multiply(g, x, inv);
}

/* TensorFlow's: x * rsqrt(max(sum(x^2), epsilon)) */
krt_value *krti_operation_l2_normalize(const krti_opcall *o)
{
    krti_graph *const g = o->g;
    krt_value *const x = krti_opcall_tensor(o, "x");
    int axes[KRT_MAX_RANK];
    const int n = krti_opcall_axes(o, "axis", axes);

    if (x == NULL || n < 0)
        return NULL;
    krt_value *const sum = krti_reduce_sum(g, krti_square(g, x), axes, n, true);
    krt_value *const floor = krti_scalar_like(g, sum, krti_opcall_float(o, "epsilon", 1e-12));
    return krti_multiply(g, x, krti_rsqrt(g, krti_maximum(g, sum, floor)));
}

/* ------------------------------------------------------------------------------- places */

static krt_value *place(const krti_opcall *o,
                        krt_value *(*fn)(krti_graph *, krt_value *, int, bool))
{
    const bool keepdims = krti_opcall_bool(o, "keepdims", false);
    int axis;
    krt_value *const x = along(o, "axis", &axis);
    krt_value *y = fn(o->g, x, axis, keepdims);

    if (y == NULL)
        return NULL;
    if (keepdims && krti_opcall_find(o, "axis") == NULL) {
        krt_value *const whole = krti_opcall_tensor(o, "x");
        krt_shape ones = {.rank = whole->shape.rank, .dim = {1, 1, 1, 1, 1, 1, 1, 1}};

        y = krti_reshape(o->g, y, ones);
    }
    return krti_cast(o->g, y, krti_opcall_dtype(o, "dtype", KRT_INT32));
}

krt_value *krti_operation_argmax(const krti_opcall *o)
{
    return place(o, krti_argmax);
}

krt_value *krti_operation_argmin(const krti_opcall *o)
{
    return place(o, krti_argmin);
}

krt_value *krti_operation_cumsum(const krti_opcall *o)
{
    int axis;
    krt_value *x = along(o, "axis", &axis);

    if (x == NULL)
        return NULL;
    x = krti_cast(o->g, x, krti_opcall_dtype(o, "dtype", x->dtype));
    return krti_cumsum(o->g, x, axis, krti_opcall_bool(o, "exclusive", false),
                       krti_opcall_bool(o, "reverse", false));
}

/* The area under y: half the sum of neighbours, times how far apart they stand. */
krt_value *krti_operation_trapezoid(const krti_opcall *o)
{
    krti_graph *const g = o->g;
    krt_value *y = krti_opcall_tensor(o, "y");

    if (y == NULL)
        return NULL;
    const int axis = krti_opcall_axis(o, "axis", -1, y->shape.rank);
    if (axis < 0 || krti_opcall_find(o, "x") != NULL)
        return krti_opcall_fail(o, KRT_E_UNSUPPORTED, "places that are not evenly spaced");
    y = krti_add(g, krti_slice_axis(g, y, axis, 1, KRT_NONE, 1),
                 krti_slice_axis(g, y, axis, 0, -1, 1));
    return krti_affine(g, krti_reduce_sum(g, y, &axis, 1, false), krti_opcall_float(o, "dx", 1) / 2,
                       0, 0);
}

enum { MAX_FACTORS = 256 };

static krt_value *ones_of(krti_graph *g, krt_value *x)
{
    return x != NULL ? krti_broadcast_to(g, krti_scalar_of(g, x->dtype, 1), x->shape) : NULL;
}

/* One factor after the other, as cumsum does it with sums, and like it from behind or without the
 * factor itself, which only TensorFlow asks for. */
krt_value *krti_operation_cumprod(const krti_opcall *o)
{
    const bool exclusive = krti_opcall_bool(o, "exclusive", false);
    const bool reverse = krti_opcall_bool(o, "reverse", false);
    int axis;
    krt_value *x = along(o, "axis", &axis), *parts[MAX_FACTORS], *total = NULL;

    if (x == NULL)
        return NULL;
    const int64_t n = x->shape.dim[axis];
    if (n == KRT_NONE || n == 0)
        return x;
    if (n > MAX_FACTORS)
        return krti_opcall_fail(o, KRT_E_UNSUPPORTED, "products of more than %d elements",
                                MAX_FACTORS);
    x = krti_cast(o->g, x, krti_opcall_dtype(o, "dtype", x->dtype));
    for (int64_t i = 0; i < n; i++) {
        const int64_t at = reverse ? n - 1 - i : i;
        krt_value *const factor = krti_slice_axis(o->g, x, axis, at, at + 1, 1);
        krt_value *const before = total != NULL ? total : ones_of(o->g, factor);

        total = total != NULL ? krti_multiply(o->g, total, factor) : factor;
        parts[at] = exclusive ? before : total;
    }
    return krti_concat(o->g, parts, (size_t)n, axis);
}

/* TensorFlow can ask for the largest first. */
static bool is_descending(const krti_opcall *o)
{
    return strcmp(krti_opcall_text(o, "direction", "ASCENDING"), "DESCENDING") == 0;
}

krt_value *krti_operation_sort(const krti_opcall *o)
{
    krt_value *const x = krti_opcall_tensor(o, "x");

    if (x == NULL)
        return NULL;
    const int axis = krti_opcall_axis(o, "axis", -1, x->shape.rank);
    krt_value *const y = axis >= 0 ? krti_sort(o->g, x, axis) : NULL;
    return is_descending(o) ? krti_slice_axis(o->g, y, axis, KRT_NONE, KRT_NONE, -1) : y;
}

/* The integers below n along one of `rank` axes. */
static krt_value *count_along(krti_graph *g, int64_t n, int axis, int rank)
{
    krt_shape s = {.rank = rank, .dim = {1, 1, 1, 1, 1, 1, 1, 1}};

    s.dim[axis] = n;
    krt_value *const ones = krti_broadcast_to(g, krti_scalar_of(g, KRT_INT32, 1), s);
    return krti_cumsum(g, ones, axis, true, false);
}

/* The stable order of the last axis of x, by the rank of each element: how many stand before it.
 * That takes n * n comparisons, which is well for the short axes this is used on. */
static krt_value *order_of_last(krti_graph *g, krt_value *x, int64_t n)
{
    const int rank = x->shape.rank, last = rank;
    krt_value *const mine = krti_expand_dims(g, x, rank);      /* (..., n, 1) */
    krt_value *const other = krti_expand_dims(g, x, rank - 1); /* (..., 1, n) */
    krt_value *const i = count_along(g, n, rank - 1, rank + 1);
    krt_value *const j = count_along(g, n, rank, rank + 1);
    krt_value *const tie = krti_logical_and(g, krti_equal(g, other, mine), krti_less(g, j, i));
    krt_value *const before = krti_logical_or(g, krti_less(g, other, mine), tie);
    krt_value *const place = krti_reduce_sum(g, krti_cast(g, before, KRT_INT32), &last, 1, false);
    /* out[k] is the i whose place is k */
    krt_value *const is_at =
        krti_equal(g, krti_expand_dims(g, place, rank - 1), i); /* (..., k, i) */
    krt_value *const which = krti_where(g, is_at, j, krti_scalar_of(g, KRT_INT32, 0));
    return krti_reduce_sum(g, which, &last, 1, false);
}

enum { MAX_ORDERED = 4096 };

krt_value *krti_operation_argsort(const krti_opcall *o)
{
    krti_graph *const g = o->g;
    int axis = 0, perm[KRT_MAX_RANK];
    krt_value *x = krti_opcall_tensor(o, "x");

    if (x != NULL && krti_opcall_find(o, "axis") == NULL)
        x = krti_reshape(g, x, KRT_SHAPE(-1));
    else if (x != NULL)
        axis = krti_opcall_axis(o, "axis", -1, x->shape.rank);
    if (x == NULL || axis < 0)
        return NULL;
    const int64_t n = x->shape.dim[axis];
    const int rank = x->shape.rank;
    if (n == KRT_NONE) /* for its shape only */
        return krti_cast(g, x, KRT_INT32);
    if (n > MAX_ORDERED || rank == KRT_MAX_RANK)
        return krti_opcall_fail(o, KRT_E_UNSUPPORTED, "the order of more than %d elements",
                                MAX_ORDERED);
    if (is_descending(o))
        x = krti_negative(g, x);
    for (int i = 0; i < rank; i++)
        perm[i] = i == axis ? rank - 1 : i == rank - 1 ? axis : i;
    return krti_transpose(g, order_of_last(g, krti_transpose(g, x, perm), n), perm);
}

enum { MAX_TOP_K = 256 };

/* The k largest of the last axis and their places, one after the other: each is taken out before
 * the next is looked for, so equal ones come in the order in which they stand. */
krt_status krti_operation_top_k(const krti_opcall *o)
{
    krti_graph *const g = o->g;
    krt_value *const x = krti_opcall_tensor(o, "x");
    krt_value *values[MAX_TOP_K], *places[MAX_TOP_K];
    const int64_t k = krti_opcall_int(o, "k", 1);
    const int last = x != NULL ? x->shape.rank - 1 : 0;

    if (x == NULL || last < 0 || k < 1 || k > MAX_TOP_K || !krti_dtype_is_float(x->dtype)) {
        if (x != NULL)
            krti_opcall_fail(o, KRT_E_UNSUPPORTED, "the %lld largest of %s", (long long)k,
                             krt_dtype_name(x->dtype));
        return g->status;
    }
    const int64_t n = x->shape.dim[last];
    krt_value *left = x;
    for (int64_t i = 0; i < k; i++) {
        values[i] = krti_reduce_max(g, left, &last, 1, true);
        places[i] = krti_argmax(g, left, last, true);
        if (n == KRT_NONE || i + 1 == k)
            continue;
        krt_value *const taken = krti_equal(g, count_along(g, n, last, x->shape.rank), places[i]);
        left = krti_where(g, taken, krti_scalar_like(g, x, -INFINITY), left);
    }
    krt_call_output(o->c, 0, krti_concat(g, values, (size_t)k, last));
    return krt_call_output(o->c, 1, krti_concat(g, places, (size_t)k, last));
}

/* How many edges of sorted `bins` are at most x. */
krt_value *krti_operation_digitize(const krti_opcall *o)
{
    krti_graph *const g = o->g;
    krt_value *const x = krti_opcall_tensor(o, "x"), *const bins = krti_opcall_tensor(o, "bins");

    if (x == NULL || bins == NULL)
        return NULL;
    const int last = x->shape.rank;
    krt_value *const above = krti_greater_equal(g, krti_expand_dims(g, x, last), bins);
    return krti_reduce_sum(g, krti_cast(g, above, KRT_INT32), &last, 1, false);
}
