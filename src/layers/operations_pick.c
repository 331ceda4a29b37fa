/* Operations that pick elements or fill tensors: take, one_hot, triangles, ranges, shapes.
 * Keras: ops/numpy.py, ops/nn.py. */
#include "layers/operations_list.h"
#include "tensor/tensor.h"

/* ------------------------------------------------------------------------------- triangles */

/* Keeps the elements of matrices with low <= column - row <= high. */
static krt_value *keep_band(const krti_opcall *o, int64_t low, int64_t high)
{
    krt_value *const x = krti_opcall_tensor(o, "x");
    const int rank = x != NULL ? x->shape.rank : 0;
    uint8_t *keep;

    if (x == NULL)
        return NULL;
    if (rank < 2)
        return krti_opcall_fail(o, KRT_E_INVALID, "a matrix is wanted");
    const int64_t rows = x->shape.dim[rank - 2], cols = x->shape.dim[rank - 1];
    const int64_t size = krti_dim_mul(rows, cols);
    if (size == KRT_NONE)
        return x;
    keep = size <= KRTI_MAX_ELEMENTS ? krti_arena_alloc(&o->g->arena, (size_t)size + 1) : NULL;
    if (keep == NULL)
        return krti_opcall_fail(o, KRT_E_NOMEM, "out of memory");
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            keep[i * cols + j] = j - i >= low && j - i <= high;
    krt_value *const mask = krti_constant(o->g, KRT_BOOL, KRT_SHAPE(rows, cols), keep);
    return krti_where(o->g, mask, x, krti_scalar_like(o->g, x, 0));
}

krt_value *krti_operation_tril(const krti_opcall *o)
{
    return keep_band(o, INT64_MIN, krti_opcall_int(o, "k", 0));
}

krt_value *krti_operation_triu(const krti_opcall *o)
{
    return keep_band(o, krti_opcall_int(o, "k", 0), INT64_MAX);
}

/* TensorFlow's: so many diagonals below and above the main one, all of them for -1. */
krt_value *krti_operation_band_part(const krti_opcall *o)
{
    const int64_t lower = krti_opcall_int(o, "num_lower", 0);
    const int64_t upper = krti_opcall_int(o, "num_upper", 0);

    return keep_band(o, lower < 0 ? INT64_MIN : -lower, upper < 0 ? INT64_MAX : upper);
}

/* ------------------------------------------------------------------------------- picking */

krt_value *krti_operation_take(const krti_opcall *o)
{
    krt_value *x = krti_opcall_tensor(o, "x");
    krt_value *const indices = krti_opcall_value(o, krti_opcall_find(o, "indices"), NULL);
    int axis = 0;

    if (x == NULL || indices == NULL)
        return NULL;
    if (krti_opcall_int(o, "batch_dims", 0) != 0)
        return krti_opcall_fail(o, KRT_E_UNSUPPORTED, "the argument `batch_dims`");
    if (krti_opcall_find(o, "axis") == NULL)
        x = krti_reshape(o->g, x, KRT_SHAPE(-1));
    else
        axis = krti_opcall_axis(o, "axis", 0, x->shape.rank);
    return axis < 0 ? NULL : krti_gather(o->g, x, indices, axis);
}

/* Where the elements lie in a flat x: i * stride along every axis but the one picked on. */
static krt_value *flat_places(krti_graph *g, krt_value *x, krt_value *indices, int axis)
{
    const int rank = x->shape.rank;
    int64_t stride = 1;
    krt_value *sum = NULL;

    for (int i = rank - 1; i >= 0; i--) {
        krt_value *part = indices;
        krt_shape s = {.rank = rank, .dim = {1, 1, 1, 1, 1, 1, 1, 1}};

        s.dim[i] = x->shape.dim[i];
        if (i != axis)
            part = krti_cumsum(g, krti_broadcast_to(g, krti_scalar_of(g, KRT_INT64, 1), s), i, true,
                               false);
        part = krti_multiply(g, part, krti_scalar_of(g, KRT_INT64, (double)stride));
        sum = sum != NULL ? krti_add(g, sum, part) : part;
        stride = krti_dim_mul(stride, x->shape.dim[i]);
    }
    return sum;
}

krt_value *krti_operation_take_along_axis(const krti_opcall *o)
{
    krti_graph *const g = o->g;
    krt_value *x = krti_opcall_tensor(o, "x");
    krt_value *indices = krti_opcall_value(o, krti_opcall_find(o, "indices"), NULL);
    int axis = 0;

    if (x == NULL || indices == NULL)
        return NULL;
    if (krti_opcall_find(o, "axis") == NULL)
        x = krti_reshape(g, x, KRT_SHAPE(-1));
    else
        axis = krti_opcall_axis(o, "axis", 0, x->shape.rank);
    if (x == NULL || axis < 0)
        return NULL;
    if (indices->shape.rank != x->shape.rank)
        return krti_opcall_fail(o, KRT_E_INVALID, "indices of rank %d for a tensor of rank %d",
                                indices->shape.rank, x->shape.rank);
    indices = krti_cast(g, indices, KRT_INT64);
    if (!krti_shape_known(x->shape)) { /* for its shape only: x's, but for the axis */
        krt_shape one = x->shape;

        one.dim[axis] = 1;
        krt_value *const rest = krti_reshape(g, krti_slice_axis(g, x, axis, 0, 1, 1), one);
        return krti_where(g, krti_equal(g, indices, indices), rest, rest);
    }
    krt_value *const n = krti_scalar_of(g, KRT_INT64, (double)x->shape.dim[axis]);
    krt_value *const is_back = krti_less(g, indices, krti_scalar_of(g, KRT_INT64, 0));
    indices = krti_where(g, is_back, krti_add(g, indices, n), indices);
    krt_value *const places = flat_places(g, x, indices, axis);
    return krti_gather(g, krti_reshape(g, x, KRT_SHAPE(-1)), places, 0);
}

/* Which steps lie before each length. */
krt_value *krti_operation_sequence_mask(const krti_opcall *o)
{
    krti_graph *const g = o->g;
    krt_value *const x = krti_opcall_tensor(o, "x");
    const int64_t n = krti_opcall_int(o, "maxlen", KRT_NONE);

    if (x == NULL)
        return NULL;
    if (n == KRT_NONE || n < 0)
        return krti_opcall_fail(o, KRT_E_UNSUPPORTED,
                                "without `maxlen` the shape would depend on data");
    krt_value *const ones = krti_broadcast_to(g, krti_scalar_of(g, KRT_INT32, 1), KRT_SHAPE(n));
    krt_value *const step = krti_cumsum(g, ones, 0, true, false);
    krt_value *const mask = krti_less(g, step, krti_expand_dims(g, x, x->shape.rank));
    return krti_cast(g, mask, krti_opcall_dtype(o, "dtype", KRT_BOOL));
}

krt_value *krti_operation_one_hot(const krti_opcall *o)
{
    krti_graph *const g = o->g;
    krt_value *const x = krti_opcall_tensor(o, "x");
    const int64_t n = krti_opcall_int(o, "num_classes", 0);
    const krt_dtype dtype = krti_opcall_dtype(o, "dtype", KRT_FLOAT32);
    const double on = krti_opcall_float(o, "on_value", 1);
    const double off = krti_opcall_float(o, "off_value", 0);

    if (x == NULL)
        return NULL;
    if (krti_opcall_bool(o, "sparse", false))
        return krti_opcall_fail(o, KRT_E_UNSUPPORTED, "sparse tensors");
    const int axis = krti_opcall_axis(o, "axis", -1, x->shape.rank + 1);
    krt_value *const y = axis >= 0 ? krti_one_hot(g, x, n, axis, dtype) : NULL;
    if (y == NULL || (on == 1 && off == 0))
        return y;
    return krti_where(g, krti_cast(g, y, KRT_BOOL), krti_scalar_of(g, dtype, on),
                      krti_scalar_of(g, dtype, off));
}

/* Which classes occur along the last axis. */
krt_value *krti_operation_multi_hot(const krti_opcall *o)
{
    krt_value *const x = krti_opcall_tensor(o, "inputs");
    const int64_t n = krti_opcall_int(o, "num_classes", krti_opcall_int(o, "num_tokens", 0));
    const krt_dtype dtype = krti_opcall_dtype(o, "dtype", KRT_FLOAT32);

    if (x == NULL || krti_opcall_bool(o, "sparse", false) || x->shape.rank < 1)
        return x != NULL ? krti_opcall_fail(o, KRT_E_UNSUPPORTED, "sparse tensors or scalars")
                         : NULL;
    const int over = x->shape.rank == 1 ? 0 : 1;
    const int axis = krti_opcall_axis(o, "axis", -1, x->shape.rank + 1);
    krt_value *const hot = axis >= 0 ? krti_one_hot(o->g, x, n, axis, dtype) : NULL;
    return krti_reduce_max(o->g, hot, &over, 1, false);
}

/* ------------------------------------------------------------------------------- filling */

static krt_value *filled_like(const krti_opcall *o, double number)
{
    krt_value *const x = krti_opcall_tensor(o, "x");

    if (x == NULL)
        return NULL;
    const krt_dtype dtype = krti_opcall_dtype(o, "dtype", x->dtype);
    return krti_broadcast_to(o->g, krti_scalar_of(o->g, dtype, number), x->shape);
}

krt_value *krti_operation_zeros_like(const krti_opcall *o)
{
    return filled_like(o, 0);
}

krt_value *krti_operation_ones_like(const krti_opcall *o)
{
    return filled_like(o, 1);
}

krt_value *krti_operation_full_like(const krti_opcall *o)
{
    krt_value *const x = krti_opcall_tensor(o, "x");
    krt_value *const value = krti_opcall_value(o, krti_opcall_find(o, "fill_value"), x);

    if (x == NULL || value == NULL)
        return NULL;
    const krt_dtype dtype = krti_opcall_dtype(o, "dtype", x->dtype);
    return krti_broadcast_to(o->g, krti_cast(o->g, value, dtype), x->shape);
}

krt_value *krti_operation_full(const krti_opcall *o)
{
    krt_value *const value = krti_opcall_value(o, krti_opcall_find(o, "fill_value"), NULL);
    krt_shape s = {.rank = 0};

    s.rank = krti_opcall_ints(o, "shape", s.dim, KRT_MAX_RANK);
    if (value == NULL || s.rank < 0)
        return NULL;
    const krt_dtype dtype = krti_opcall_dtype(o, "dtype", value->dtype);
    return krti_broadcast_to(o->g, krti_cast(o->g, value, dtype), s);
}

static bool is_moderate(int64_t v)
{
    return v == KRT_NONE || (v >= -INT32_MAX && v <= INT32_MAX);
}

/* The integers from start to stop, which must be known; unknown ones have an unknown number. */
krt_value *krti_operation_arange(const krti_opcall *o)
{
    krti_graph *const g = o->g;
    const bool from_zero = krti_opcall_find(o, "stop") == NULL;
    const int64_t start = from_zero ? 0 : krti_opcall_int(o, "start", 0);
    const int64_t stop = krti_opcall_int(o, from_zero ? "start" : "stop", 0);
    const int64_t step = krti_opcall_int(o, "step", 1);
    const krt_dtype dtype = krti_opcall_dtype(o, "dtype", KRT_INT32);
    int64_t n = KRT_NONE;

    if (g->status != KRT_OK)
        return NULL;
    if (step == 0 || step == KRT_NONE || !is_moderate(start) || !is_moderate(stop) ||
        !is_moderate(step))
        return krti_opcall_fail(o, KRT_E_UNSUPPORTED, "numbers beyond 32 bits, or a step of zero");
    if (start != KRT_NONE && stop != KRT_NONE) {
        const int64_t way = step > 0 ? stop - start : start - stop, pace = step > 0 ? step : -step;

        n = way <= 0 ? 0 : (way + pace - 1) / pace;
    }
    krt_value *const ones =
        krti_broadcast_to(g, krti_scalar_of(g, KRT_INT64, 1), (krt_shape){1, {n}});
    krt_value *const count = krti_cumsum(g, ones, 0, true, false);
    krt_value *const y =
        krti_add(g, krti_multiply(g, count, krti_scalar_of(g, KRT_INT64, (double)step)),
                 krti_scalar_of(g, KRT_INT64, start == KRT_NONE ? 0 : (double)start));
    return krti_cast(g, y, dtype);
}

krt_value *krti_operation_linspace(const krti_opcall *o)
{
    krti_graph *const g = o->g;
    const int64_t n = krti_opcall_int(o, "num", 50);
    const bool endpoint = krti_opcall_bool(o, "endpoint", true);
    krt_value *start, *stop;

    krti_opcall_pair(o, "start", "stop", &start, &stop);
    if (start == NULL || stop == NULL)
        return NULL;
    if (n < 1 || n > INT32_MAX || krti_opcall_bool(o, "retstep", false))
        return krti_opcall_fail(o, KRT_E_UNSUPPORTED, "%lld numbers, or the step beside them",
                                (long long)n);
    const krt_dtype dtype =
        krti_result_dtype(krti_result_dtype(start->dtype, stop->dtype), KRT_FLOAT32);
    krt_value *const way = krti_cast(g, krti_subtract(g, stop, start), dtype);
    if (way == NULL)
        return NULL;
    const int axis = krti_opcall_axis(o, "axis", 0, way->shape.rank + 1);
    krt_shape s = {.rank = way->shape.rank + 1, .dim = {1, 1, 1, 1, 1, 1, 1, 1}};
    if (axis < 0 || s.rank > KRT_MAX_RANK)
        return NULL;
    s.dim[axis] = n;
    krt_value *const ones = krti_broadcast_to(g, krti_scalar_of(g, dtype, 1), s);
    krt_value *const count = krti_cumsum(g, ones, axis, true, false);
    const int64_t parts = endpoint ? (n > 1 ? n - 1 : 1) : n;
    krt_value *const step =
        krti_affine(g, krti_expand_dims(g, way, axis), 1.0 / (double)parts, 0, 0);
    krt_value *const from = krti_expand_dims(g, krti_broadcast_to(g, start, way->shape), axis);
    krt_value *const y = krti_add(g, krti_multiply(g, step, count), from);
    return y != NULL ? krti_cast(g, y, krti_opcall_dtype(o, "dtype", dtype)) : NULL;
}

/* ------------------------------------------------------------------------------- measures */

krt_value *krti_operation_shape(const krti_opcall *o)
{
    krt_value *const shape = krti_known_shape(o->g, krti_opcall_tensor(o, "x"));

    return krti_cast(o->g, shape, krti_opcall_dtype(o, "dtype", KRT_INT32));
}

krt_value *krti_operation_size(const krti_opcall *o)
{
    krt_value *const shape = krti_known_shape(o->g, krti_opcall_tensor(o, "x"));

    return krti_reduce_prod(o->g, shape, NULL, 0, false);
}

krt_value *krti_operation_ndim(const krti_opcall *o)
{
    krt_value *const x = krti_opcall_tensor(o, "x");

    return x != NULL ? krti_scalar_of(o->g, KRT_INT32, x->shape.rank) : NULL;
}
