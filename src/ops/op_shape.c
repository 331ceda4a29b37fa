/* Ops that move elements and compute nothing: shapes and table entries. Kernels: reference/shape.c.
 *
 * Mirrors keras/src/ops/numpy.py and operation_utils.py. Attributes are normalized here (axes
 * counted from the front, slices clipped, the -1 of a reshape filled in), so kernels need not. */
#include "ops/autodiff.h"
#include "ops/op_infer.h"
#include "ops/reference/reference.h"

/* ------------------------------------------------------------------------------- reshape */

/* The product of dim[from..), -1 aside; KRT_NONE when one is unknown. */
static int64_t known_size(krt_shape s, int from)
{
    int64_t size = 1;

    for (int i = from; i < s.rank; i++)
        if (s.dim[i] != -1)
            size = krti_dim_mul(size, s.dim[i]);
    return size;
}

/* Fills in the -1 (at `at`, or -1 for none). A common front, such as an unknown batch, cancels. */
static krt_status reshape_resolve(krti_graph *g, krt_shape from, krt_shape *to, int at)
{
    int front = 0;

    while (front < from.rank && front < to->rank && from.dim[front] == to->dim[front])
        front++;
    const int64_t have = known_size(from, front), want = known_size(*to, front);
    if (have == KRT_NONE || want == KRT_NONE) {
        if (at >= 0)
            to->dim[at] = KRT_NONE;
        return KRT_OK;
    }
    /* Two unknown dimensions in front need not be the same one, so nothing can be held against it. */
    if (at < 0 && !krti_shape_known(from))
        return KRT_OK;
    if (at >= 0 ? want == 0 || have % want != 0 : have != want)
        return INFER_FAIL(g, "The total size of the tensor must be unchanged: %s cannot become %s",
                          krti_shape_text(from).s, krti_shape_text(*to).s);
    if (at >= 0)
        to->dim[at] = have / want;
    return KRT_OK;
}

static krt_status infer_reshape(krti_graph *g, krti_node *n)
{
    krt_shape *to = &n->attrs.shape.shape;
    int at = -1;

    if (to->rank < 0 || to->rank > KRT_MAX_RANK)
        return INFER_FAIL(g, "reshape to rank %d, at most %d is supported", to->rank, KRT_MAX_RANK);
    for (int i = 0; i < to->rank; i++) {
        if (to->dim[i] >= 0 || to->dim[i] == KRT_NONE)
            continue;
        if (to->dim[i] != -1 || at >= 0)
            return INFER_FAIL(g, "reshape takes one -1 and no other negative dimension, found %s",
                              krti_shape_text(*to).s);
        at = i;
    }
    const krt_status st = reshape_resolve(g, n->in[0]->shape, to, at);
    return st == KRT_OK ? krti_infer_set(n, n->in[0]->dtype, *to) : st;
}

const krti_op krti_op_reshape = {.name = "reshape",
                                 .min_in = 1,
                                 .max_in = 1,
                                 .flags = KRTI_OP_VIEW | KRTI_OP_TEXTS,
                                 .infer = infer_reshape,
                                 .reference = krti_ref_reshape,
                                 .vjp = krti_vjp_reshape};

krt_value *krti_reshape(krti_graph *g, krt_value *x, krt_shape shape)
{
    const krti_attrs attrs = {.shape = {.shape = shape}};

    if (x != NULL && shape.rank <= KRT_MAX_RANK && krti_shape_known(shape) &&
        krt_shape_equal(x->shape, shape))
        return x;
    return krti_graph_add1(g, &krti_op_reshape, &x, 1, &attrs);
}

krt_value *krti_expand_dims(krti_graph *g, krt_value *x, int axis)
{
    if (x == NULL)
        return NULL;
    if (x->shape.rank >= KRT_MAX_RANK)
        return krti_graph_fail(g, KRT_E_UNSUPPORTED, "expand_dims of %s: rank is at most %d",
                               krti_shape_text(x->shape).s, KRT_MAX_RANK);
    const int at = krti_axis(g, axis, x->shape.rank + 1);
    if (at < 0)
        return NULL;
    krt_shape shape = {.rank = x->shape.rank + 1};
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = i == at ? 1 : x->shape.dim[i > at ? i - 1 : i];
    return krti_reshape(g, x, shape);
}

krt_value *krti_squeeze(krti_graph *g, krt_value *x, const int *axes, int n)
{
    bool drop[KRT_MAX_RANK] = {false};
    krt_shape shape = {.rank = 0};

    if (x == NULL)
        return NULL;
    for (int i = 0; i < x->shape.rank; i++)
        drop[i] = n == 0 && x->shape.dim[i] == 1;
    for (int i = 0; i < n; i++) {
        const int axis = krti_axis(g, axes[i], x->shape.rank);

        if (axis < 0)
            return NULL;
        if (!krti_dim_match(x->shape.dim[axis], 1))
            return krti_graph_fail(g, KRT_E_INVALID, "squeeze of axis %d of %s, which is not 1",
                                   axis, krti_shape_text(x->shape).s);
        drop[axis] = true;
    }
    for (int i = 0; i < x->shape.rank; i++)
        if (!drop[i])
            shape.dim[shape.rank++] = x->shape.dim[i];
    return krti_reshape(g, x, shape);
}

/* ------------------------------------------------------------------------------- transpose */

static krt_status infer_transpose(krti_graph *g, krti_node *n)
{
    const krt_shape in = n->in[0]->shape;
    bool seen[KRT_MAX_RANK] = {false};
    krt_shape out = {.rank = in.rank};

    for (int i = 0; i < in.rank; i++) {
        int *axis = &n->attrs.transpose.perm[i];

        *axis = *axis < 0 ? *axis + in.rank : *axis;
        if (*axis < 0 || *axis >= in.rank || seen[*axis])
            return INFER_FAIL(g, "transpose of %s takes each axis once, axis %d does not fit",
                              krti_shape_text(in).s, *axis);
        seen[*axis] = true;
        out.dim[i] = in.dim[*axis];
    }
    return krti_infer_set(n, n->in[0]->dtype, out);
}

const krti_op krti_op_transpose = {.name = "transpose",
                                   .min_in = 1,
                                   .max_in = 1,
                                   .infer = infer_transpose,
                                   .reference = krti_ref_transpose,
                                   .vjp = krti_vjp_transpose};

krt_value *krti_transpose(krti_graph *g, krt_value *x, const int *perm)
{
    krti_attrs attrs = {.transpose = {.perm = {0}}};
    bool same = true;

    if (x == NULL)
        return NULL;
    for (int i = 0; i < x->shape.rank; i++) {
        attrs.transpose.perm[i] = perm[i];
        same = same && perm[i] == i;
    }
    return same ? x : krti_graph_add1(g, &krti_op_transpose, &x, 1, &attrs);
}

/* ------------------------------------------------------------------------------- concat */

static krt_status infer_concat(krti_graph *g, krti_node *n)
{
    krt_shape out = n->in[0]->shape;
    const krt_status st = krti_infer_one_dtype(g, n);
    const int axis = krti_axis(g, n->attrs.axis.axis, out.rank);

    if (st != KRT_OK || axis < 0)
        return g->status;
    n->attrs.axis.axis = axis;
    for (int i = 1; i < n->num_in; i++) {
        const krt_shape s = n->in[i]->shape;
        bool fits = s.rank == out.rank;

        for (int d = 0; fits && d < s.rank; d++) {
            fits = d == axis || krti_dim_match(s.dim[d], out.dim[d]);
            if (d == axis)
                out.dim[d] = krti_dim_add(out.dim[d], s.dim[d]);
            else if (out.dim[d] == KRT_NONE)
                out.dim[d] = s.dim[d];
        }
        if (!fits)
            return INFER_FAIL(g, "concat along axis %d of %s and %s, which differ elsewhere", axis,
                              krti_shape_text(n->in[0]->shape).s, krti_shape_text(s).s);
    }
    return krti_infer_set(n, n->in[0]->dtype, out);
}

const krti_op krti_op_concat = {.name = "concat",
                                .min_in = 1,
                                .max_in = -1,
                                .infer = infer_concat,
                                .reference = krti_ref_concat,
                                .vjp = krti_vjp_concat};

krt_value *krti_concat(krti_graph *g, krt_value *const *x, size_t n, int axis)
{
    const krti_attrs attrs = {.axis = {.axis = axis}};
    krt_dtype dtype = KRT_DTYPE_NONE;

    if (n == 0 || n > INT16_MAX)
        return krti_graph_fail(g, KRT_E_INVALID, "concat takes 1 to %d inputs, found %zu",
                               INT16_MAX, n);
    for (size_t i = 0; i < n; i++) {
        if (x[i] == NULL)
            return NULL;
        dtype = i == 0 ? x[i]->dtype : krti_result_dtype(dtype, x[i]->dtype);
    }
    krt_value **in = krti_arena_array(&g->arena, n, sizeof(krt_value *));
    if (in == NULL) {
        g->status = KRT_E_NOMEM;
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        in[i] = krti_cast(g, x[i], dtype);
    return krti_graph_add1(g, &krti_op_concat, in, (int)n, &attrs);
}

krt_value *krti_stack(krti_graph *g, krt_value *const *x, size_t n, int axis)
{
    if (n == 0 || x[0] == NULL)
        return n == 0 ? krti_graph_fail(g, KRT_E_INVALID, "stack takes 1 input or more") : NULL;
    const int at = krti_axis(g, axis, x[0]->shape.rank + 1);
    krt_value **in = krti_arena_array(&g->arena, n, sizeof(krt_value *));
    if (at < 0 || in == NULL) {
        if (in == NULL && g->status == KRT_OK)
            g->status = KRT_E_NOMEM;
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        in[i] = krti_expand_dims(g, x[i], at);
    return krti_concat(g, in, n, at);
}

/* ------------------------------------------------------------------------------- slice */

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
    return v < low ? low : v > high ? high : v;
}

/* NumPy's slice.indices() of one axis; returns how many elements it takes. `stop` stays KRT_NONE
 * where a negative step runs past the first element. */
static int64_t slice_axis(int64_t dim, int64_t *start, int64_t *stop, int64_t step)
{
    const bool back = step < 0;
    const int64_t low = back ? -1 : 0, high = back ? dim - 1 : dim;
    int64_t from = back ? high : 0, to = back ? -1 : dim;

    if (*start != KRT_NONE)
        from = clamp(*start < 0 ? *start + dim : *start, low, high);
    if (*stop != KRT_NONE)
        to = clamp(*stop < 0 ? *stop + dim : *stop, low, high);
    if (back ? from <= to : from >= to) {
        *start = *stop = 0;
        return 0;
    }
    *start = from;
    *stop = to == -1 ? KRT_NONE : to;
    return back ? (from - to - 1) / -step + 1 : (to - from - 1) / step + 1;
}

static krt_status infer_slice(krti_graph *g, krti_node *n)
{
    krt_shape out = n->in[0]->shape;

    for (int i = 0; i < out.rank; i++) {
        const int64_t step = n->attrs.slice.step[i];

        if (step == 0 || step < -KRTI_MAX_ELEMENTS || step > KRTI_MAX_ELEMENTS)
            return INFER_FAIL(g, "slice step of axis %d is %lld", i, (long long)step);
        if (out.dim[i] != KRT_NONE)
            out.dim[i] =
                slice_axis(out.dim[i], &n->attrs.slice.start[i], &n->attrs.slice.stop[i], step);
    }
    return krti_infer_set(n, n->in[0]->dtype, out);
}

const krti_op krti_op_slice = {.name = "slice",
                               .min_in = 1,
                               .max_in = 1,
                               .infer = infer_slice,
                               .reference = krti_ref_slice,
                               .vjp = krti_vjp_slice};

krt_value *krti_slice(krti_graph *g, krt_value *x, const int64_t *start, const int64_t *stop,
                      const int64_t *step)
{
    krti_attrs attrs = {.slice = {.start = {0}}};

    if (x == NULL)
        return NULL;
    for (int i = 0; i < x->shape.rank; i++) {
        attrs.slice.start[i] = start[i];
        attrs.slice.stop[i] = stop[i];
        attrs.slice.step[i] = step[i];
    }
    return krti_graph_add1(g, &krti_op_slice, &x, 1, &attrs);
}

krt_value *krti_slice_axis(krti_graph *g, krt_value *x, int axis, int64_t start, int64_t stop,
                           int64_t step)
{
    int64_t starts[KRT_MAX_RANK], stops[KRT_MAX_RANK], steps[KRT_MAX_RANK];

    if (x == NULL)
        return NULL;
    const int at = krti_axis(g, axis, x->shape.rank);
    if (at < 0)
        return NULL;
    for (int i = 0; i < KRT_MAX_RANK; i++) {
        starts[i] = i == at ? start : 0;
        stops[i] = i == at ? stop : KRT_NONE;
        steps[i] = i == at ? step : 1;
    }
    return krti_slice(g, x, starts, stops, steps);
}

/* ------------------------------------------------------------------------------- pad, repeat */

/* How far a mirrored or repeated border may reach. */
static int64_t pad_limit(krti_pad_mode mode, int64_t dim)
{
    if (mode == KRTI_PAD_CONSTANT || dim == KRT_NONE || (mode == KRTI_PAD_EDGE && dim > 0))
        return KRTI_MAX_ELEMENTS;
    return mode == KRTI_PAD_REFLECT ? dim - 1 : dim;
}

static krt_status infer_pad(krti_graph *g, krti_node *n)
{
    krt_shape out = n->in[0]->shape;
    const krt_status st = krti_infer_one_dtype(g, n);

    if (st != KRT_OK)
        return st;
    for (int i = 0; i < out.rank; i++) {
        const int64_t before = n->attrs.pad.before[i], after = n->attrs.pad.after[i];
        const int64_t limit = pad_limit(n->attrs.pad.mode, out.dim[i]);

        if (before == 0 && after == 0)
            continue;
        if (before < 0 || after < 0 || before > limit || after > limit)
            return INFER_FAIL(g, "padding (%lld, %lld) does not fit axis %d of %s",
                              (long long)before, (long long)after, i,
                              krti_shape_text(n->in[0]->shape).s);
        out.dim[i] = krti_dim_add(out.dim[i], before + after);
    }
    return krti_infer_set(n, n->in[0]->dtype, out);
}

const krti_op krti_op_pad = {.name = "pad",
                             .min_in = 1,
                             .max_in = 1,
                             .infer = infer_pad,
                             .reference = krti_ref_pad,
                             .vjp = krti_vjp_pad};

krt_value *krti_pad(krti_graph *g, krt_value *x, const int64_t *before, const int64_t *after,
                    krti_pad_mode mode, double value)
{
    krti_attrs attrs = {.pad = {.mode = mode, .value = value}};
    bool any = false;

    if (x == NULL)
        return NULL;
    for (int i = 0; i < x->shape.rank; i++) {
        attrs.pad.before[i] = before[i];
        attrs.pad.after[i] = after[i];
        any = any || before[i] != 0 || after[i] != 0;
    }
    return any ? krti_graph_add1(g, &krti_op_pad, &x, 1, &attrs) : x;
}

/* dim times a count, an unknown one staying so; too many become what no shape may have. */
static int64_t times_dim(int64_t dim, int64_t times)
{
    const int64_t size = krti_dim_mul(dim, times);

    return size == KRT_NONE && dim != KRT_NONE ? INT64_MAX : size;
}

static krt_status infer_tile(krti_graph *g, krti_node *n)
{
    krt_shape out = n->in[0]->shape;

    for (int i = 0; i < out.rank; i++) {
        const int64_t times = n->attrs.tile.times[i];

        if (times < 0 || times > KRTI_MAX_ELEMENTS)
            return INFER_FAIL(g, "tile takes counts of 0 and more, found %lld", (long long)times);
        out.dim[i] = times_dim(out.dim[i], times);
    }
    return krti_infer_set(n, n->in[0]->dtype, out);
}

const krti_op krti_op_tile = {.name = "tile",
                              .min_in = 1,
                              .max_in = 1,
                              .infer = infer_tile,
                              .reference = krti_ref_tile,
                              .vjp = krti_vjp_tile};

krt_value *krti_tile(krti_graph *g, krt_value *x, const int64_t *times)
{
    krti_attrs attrs = {.tile = {.times = {0}}};

    if (x == NULL)
        return NULL;
    for (int i = 0; i < x->shape.rank; i++)
        attrs.tile.times[i] = times[i];
    return krti_graph_add1(g, &krti_op_tile, &x, 1, &attrs);
}

static krt_status infer_repeat(krti_graph *g, krti_node *n)
{
    krt_shape out = n->in[0]->shape;
    const int64_t times = n->attrs.repeat.times;
    const int axis = krti_axis(g, n->attrs.repeat.axis, out.rank);

    if (axis < 0)
        return g->status;
    if (times < 0 || times > KRTI_MAX_ELEMENTS)
        return INFER_FAIL(g, "repeat takes a count of 0 or more, found %lld", (long long)times);
    n->attrs.repeat.axis = axis;
    out.dim[axis] = times_dim(out.dim[axis], times);
    return krti_infer_set(n, n->in[0]->dtype, out);
}

const krti_op krti_op_repeat = {.name = "repeat",
                                .min_in = 1,
                                .max_in = 1,
                                .infer = infer_repeat,
                                .reference = krti_ref_repeat,
                                .vjp = krti_vjp_repeat};

krt_value *krti_repeat(krti_graph *g, krt_value *x, int64_t times, int axis)
{
    const krti_attrs attrs = {.repeat = {.axis = axis, .times = times}};

    return times == 1 ? x : krti_graph_add1(g, &krti_op_repeat, &x, 1, &attrs);
}

/* An unknown target dimension takes the input's. */
static krt_status infer_broadcast_to(krti_graph *g, krti_node *n)
{
    const krt_shape in = n->in[0]->shape, to = n->attrs.shape.shape;
    krt_shape out = to;

    bool fits = to.rank >= in.rank && to.rank <= KRT_MAX_RANK && krti_shape_broadcast(in, to, &out);
    for (int i = 0; fits && i < to.rank; i++)
        fits = to.dim[i] == KRT_NONE || to.dim[i] == out.dim[i];
    if (!fits)
        return INFER_FAIL(g, "shape %s cannot be broadcast to %s", krti_shape_text(in).s,
                          krti_shape_text(to).s);
    n->attrs.shape.shape = out;
    return krti_infer_set(n, n->in[0]->dtype, out);
}

const krti_op krti_op_broadcast_to = {.name = "broadcast_to",
                                      .min_in = 1,
                                      .max_in = 1,
                                      .infer = infer_broadcast_to,
                                      .reference = krti_ref_broadcast_to,
                                      .vjp = krti_vjp_broadcast_to};

krt_value *krti_broadcast_to(krti_graph *g, krt_value *x, krt_shape shape)
{
    const krti_attrs attrs = {.shape = {.shape = shape}};

    if (x != NULL && shape.rank <= KRT_MAX_RANK && krti_shape_known(shape) &&
        krt_shape_equal(x->shape, shape))
        return x;
    return krti_graph_add1(g, &krti_op_broadcast_to, &x, 1, &attrs);
}

/* ------------------------------------------------------------------------------- gather */

static bool is_integer(krt_dtype dtype)
{
    return !krti_dtype_is_float(dtype) && dtype != KRT_BOOL;
}

static krt_status infer_gather(krti_graph *g, krti_node *n)
{
    const krt_shape x = n->in[0]->shape, at = n->in[1]->shape;
    const int axis = krti_axis(g, n->attrs.axis.axis, x.rank);
    krt_shape out = {.rank = x.rank - 1 + at.rank};

    if (axis < 0)
        return g->status;
    if (!is_integer(n->in[1]->dtype))
        return INFER_FAIL(g, "gather takes integer indices, found %s",
                          krt_dtype_name(n->in[1]->dtype));
    if (out.rank > KRT_MAX_RANK)
        return INFER_FAIL(g, "gather from %s at %s: rank is at most %d", krti_shape_text(x).s,
                          krti_shape_text(at).s, KRT_MAX_RANK);
    n->attrs.axis.axis = axis;
    for (int i = 0; i < out.rank; i++) {
        if (i < axis)
            out.dim[i] = x.dim[i];
        else
            out.dim[i] = i < axis + at.rank ? at.dim[i - axis] : x.dim[i - at.rank + 1];
    }
    return krti_infer_set(n, n->in[0]->dtype, out);
}

const krti_op krti_op_gather = {.name = "gather",
                                .min_in = 2,
                                .max_in = 2,
                                .infer = infer_gather,
                                .reference = krti_ref_gather,
                                .vjp = krti_vjp_gather};

/* Keras casts indices to an integer dtype first. */
static krt_value *to_index(krti_graph *g, krt_value *x)
{
    return x == NULL || is_integer(x->dtype) ? x : krti_cast(g, x, KRT_INT64);
}

krt_value *krti_gather(krti_graph *g, krt_value *x, krt_value *indices, int axis)
{
    const krti_attrs attrs = {.axis = {.axis = axis}};
    krt_value *in[] = {x, to_index(g, indices)};

    return krti_graph_add1(g, &krti_op_gather, in, 2, &attrs);
}

static krt_status infer_one_hot(krti_graph *g, krti_node *n)
{
    const krt_shape at = n->in[0]->shape;
    krt_shape out = {.rank = at.rank + 1};
    const int axis = krti_axis(g, n->attrs.one_hot.axis, out.rank);
    const int64_t depth = n->attrs.one_hot.depth;

    if (axis < 0)
        return g->status;
    if (out.rank > KRT_MAX_RANK || depth < 0 || depth > KRTI_MAX_ELEMENTS)
        return INFER_FAIL(g, "one_hot of %s with depth %lld", krti_shape_text(at).s,
                          (long long)depth);
    if (!is_integer(n->in[0]->dtype))
        return INFER_FAIL(g, "one_hot takes integer indices, found %s",
                          krt_dtype_name(n->in[0]->dtype));
    n->attrs.one_hot.axis = axis;
    for (int i = 0; i < out.rank; i++)
        out.dim[i] = i == axis ? depth : at.dim[i > axis ? i - 1 : i];
    return krti_infer_set(n, n->attrs.one_hot.dtype, out);
}

const krti_op krti_op_one_hot = {.name = "one_hot",
                                 .min_in = 1,
                                 .max_in = 1,
                                 .infer = infer_one_hot,
                                 .reference = krti_ref_one_hot};

krt_value *krti_one_hot(krti_graph *g, krt_value *indices, int64_t depth, int axis, krt_dtype dtype)
{
    const krti_attrs attrs = {.one_hot = {.depth = depth, .axis = axis, .dtype = dtype}};
    krt_value *in = to_index(g, indices);

    return krti_graph_add1(g, &krti_op_one_hot, &in, 1, &attrs);
}
