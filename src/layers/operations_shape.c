/* Operations that move elements: reshaping, joining, splitting, repeating, picking.
 * Keras: ops/numpy.py, ops/core.py. Slices are operations_slice.c. */
#include "layers/operations_list.h"
#include "tensor/tensor.h"

/* ------------------------------------------------------------------------------- shapes */

krt_value *krti_operation_reshape(const krti_opcall *o)
{
    krt_value *const x = krti_opcall_tensor(o, "x");
    krt_shape s = {.rank = 0};

    s.rank = krti_opcall_ints(o, "newshape", s.dim, KRT_MAX_RANK);
    if (x == NULL || s.rank < 0)
        return NULL;
    return krti_reshape(o->g, x, s);
}

krt_value *krti_operation_ravel(const krti_opcall *o)
{
    return krti_reshape(o->g, krti_opcall_tensor(o, "x"), KRT_SHAPE(-1));
}

krt_value *krti_operation_batch_flatten(const krti_opcall *o)
{
    krt_value *const x = krti_opcall_tensor(o, "x");
    krt_shape s = {.rank = 2, .dim = {0, 1}};

    if (x == NULL || x->shape.rank < 1)
        return x != NULL ? krti_opcall_fail(o, KRT_E_INVALID, "a batch is wanted") : NULL;
    s.dim[0] = x->shape.dim[0];
    for (int i = 1; i < x->shape.rank; i++)
        s.dim[1] = krti_dim_mul(s.dim[1], x->shape.dim[i]);
    return krti_reshape(o->g, x, s);
}

krt_value *krti_operation_transpose(const krti_opcall *o)
{
    krt_value *const x = krti_opcall_tensor(o, "x");
    int perm[KRT_MAX_RANK];
    const int n = krti_opcall_axes(o, "axes", perm);

    if (x == NULL || n < 0)
        return NULL;
    const int rank = x->shape.rank;
    if (krti_opcall_find(o, "axes") == NULL)
        for (int i = 0; i < rank; i++)
            perm[i] = rank - 1 - i;
    else if (n != rank)
        return krti_opcall_fail(o, KRT_E_INVALID,
                                "axis must be a list of the same length as the input shape, "
                                "expected %d, but received %d",
                                rank, n);
    return krti_transpose(o->g, x, perm);
}

static krt_value *swap_axes(krti_graph *g, krt_value *x, int a, int b)
{
    int perm[KRT_MAX_RANK];

    if (x == NULL || a < 0 || b < 0)
        return NULL;
    for (int i = 0; i < x->shape.rank; i++)
        perm[i] = i == a ? b : i == b ? a : i;
    return krti_transpose(g, x, perm);
}

krt_value *krti_operation_swapaxes(const krti_opcall *o)
{
    krt_value *const x = krti_opcall_tensor(o, "x");

    if (x == NULL)
        return NULL;
    return swap_axes(o->g, x, krti_opcall_axis(o, "axis1", 0, x->shape.rank),
                     krti_opcall_axis(o, "axis2", 0, x->shape.rank));
}

/* The axes of `from` come to stand at the places of `to`; the others keep their order. */
static krt_value *move_axes(krti_graph *g, krt_value *x, const int *from, const int *to, int n)
{
    int perm[KRT_MAX_RANK], next = 0;
    bool taken[KRT_MAX_RANK] = {false}, moved[KRT_MAX_RANK] = {false};

    for (int i = 0; i < n; i++) {
        const int a = krti_axis(g, from[i], x->shape.rank), b = krti_axis(g, to[i], x->shape.rank);

        if (a < 0 || b < 0)
            return NULL;
        perm[b] = a;
        taken[b] = moved[a] = true;
    }
    for (int i = 0; i < x->shape.rank; i++) {
        if (taken[i])
            continue;
        while (next < x->shape.rank && moved[next])
            next++;
        if (next == x->shape.rank)
            return krti_graph_fail(g, KRT_E_INVALID, "moveaxis names one axis twice");
        perm[i] = next++;
    }
    return krti_transpose(g, x, perm);
}

krt_value *krti_operation_moveaxis(const krti_opcall *o)
{
    krt_value *const x = krti_opcall_tensor(o, "x");
    int from[KRT_MAX_RANK], to[KRT_MAX_RANK];
    const int n = krti_opcall_axes(o, "source", from);

    if (x == NULL || n < 0)
        return NULL;
    if (krti_opcall_axes(o, "destination", to) != n || n > x->shape.rank)
        return krti_opcall_fail(o, KRT_E_INVALID,
                                "`source` and `destination` must name as many axes");
    return move_axes(o->g, x, from, to, n);
}

/* All new axes counted in the result, as NumPy does. */
krt_value *krti_operation_expand_dims(const krti_opcall *o)
{
    krt_value *const x = krti_opcall_tensor(o, "x");
    int axes[KRT_MAX_RANK];
    const int n = krti_opcall_axes(o, "axis", axes);
    bool is_new[KRT_MAX_RANK] = {false};
    int next = 0;

    if (x == NULL || n < 0)
        return NULL;
    krt_shape s = {.rank = x->shape.rank + n};
    if (s.rank > KRT_MAX_RANK)
        return krti_opcall_fail(o, KRT_E_UNSUPPORTED, "more than %d axes", KRT_MAX_RANK);
    for (int i = 0; i < n; i++) {
        const int axis = krti_axis(o->g, axes[i], s.rank);

        if (axis < 0)
            return NULL;
        is_new[axis] = true;
    }
    for (int i = 0; i < s.rank; i++) {
        if (!is_new[i] && next == x->shape.rank)
            return krti_opcall_fail(o, KRT_E_INVALID, "one new axis is named twice");
        s.dim[i] = is_new[i] ? 1 : x->shape.dim[next++];
    }
    return krti_reshape(o->g, x, s);
}

krt_value *krti_operation_squeeze(const krti_opcall *o)
{
    krt_value *const x = krti_opcall_tensor(o, "x");
    int axes[KRT_MAX_RANK];
    const int n = krti_opcall_axes(o, "axis", axes);

    return n < 0 ? NULL : krti_squeeze(o->g, x, axes, n);
}

krt_value *krti_operation_broadcast_to(const krti_opcall *o)
{
    krt_value *const x = krti_opcall_tensor(o, "x");
    krt_shape s = {.rank = 0};

    s.rank = krti_opcall_ints(o, "shape", s.dim, KRT_MAX_RANK);
    return s.rank < 0 ? NULL : krti_broadcast_to(o->g, x, s);
}

/* ------------------------------------------------------------------------------- joining */

/* The tensors of a starred parameter, in the graph's arena; *n is how many. */
static krt_value **read_all(const krti_opcall *o, const char *name, size_t *n)
{
    krt_value **x;

    *n = krti_opcall_num(o, name);
    x = krti_arena_array(&o->g->arena, *n + 1, sizeof(krt_value *));
    if (x == NULL || *n == 0) {
        krti_opcall_fail(o, x == NULL ? KRT_E_NOMEM : KRT_E_FORMAT, "a list of tensors is wanted");
        return NULL;
    }
    for (size_t i = 0; i < *n; i++) {
        x[i] = krti_opcall_value(o, krti_opcall_at(o, name, i), i > 0 ? x[0] : o->c->in[0]);
        if (x[i] == NULL)
            return NULL;
    }
    return x;
}

static krt_value *join(const krti_opcall *o, int64_t axis)
{
    size_t n;
    krt_value **const x = read_all(o, "xs", &n);

    if (x == NULL)
        return NULL;
    /* tf.keras spreads a list of numbers among the tensors: concat([shape[:1], [3, 8]]). */
    for (size_t i = 0; i < n; i++)
        if (x[i]->shape.rank == 0)
            x[i] = krti_expand_dims(o->g, x[i], 0);
    return x[0] != NULL ? krti_concat(o->g, x, n, krti_axis(o->g, axis, x[0]->shape.rank)) : NULL;
}

krt_value *krti_operation_concatenate(const krti_opcall *o)
{
    return join(o, krti_opcall_int(o, "axis", 0));
}

/* TensorFlow's node: the axis comes last among the inputs. */
krt_value *krti_operation_concat_v2(const krti_opcall *o)
{
    size_t n;
    krt_value **const x = read_all(o, "xs", &n);
    int64_t axis = 0;

    if (x == NULL)
        return NULL;
    if (n < 2 || !krti_conf_as_int(krti_opcall_at(o, "xs", n - 1), &axis))
        return krti_opcall_fail(o, KRT_E_FORMAT, "tensors and an axis are wanted");
    return krti_concat(o->g, x, n - 1, krti_axis(o->g, axis, x[0]->shape.rank));
}

krt_value *krti_operation_stack(const krti_opcall *o)
{
    size_t n;
    krt_value **const x = read_all(o, "x", &n);

    if (x == NULL)
        return NULL;
    return krti_stack(o->g, x, n, krti_opcall_axis(o, "axis", 0, x[0]->shape.rank + 1));
}

/* hstack, vstack and dstack: of at least `rank` axes, along `axis`; a lone axis becomes the one
 * numbered `lone`. */
static krt_value *join_at_least(const krti_opcall *o, int rank, int axis, int lone)
{
    size_t n;
    krt_value **const x = read_all(o, "xs", &n);

    if (x == NULL)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        if (x[i] != NULL && x[i]->shape.rank == 0)
            x[i] = krti_expand_dims(o->g, x[i], 0);
        if (x[i] != NULL && x[i]->shape.rank == 1 && rank > 1)
            x[i] = krti_expand_dims(o->g, x[i], 1 - lone);
        if (x[i] != NULL && x[i]->shape.rank == 2 && rank > 2)
            x[i] = krti_expand_dims(o->g, x[i], 2);
        if (x[i] == NULL)
            return NULL;
    }
    return krti_concat(o->g, x, n, x[0]->shape.rank == 1 ? 0 : axis);
}

krt_value *krti_operation_hstack(const krti_opcall *o)
{
    return join_at_least(o, 1, 1, 0);
}

krt_value *krti_operation_vstack(const krti_opcall *o)
{
    return join_at_least(o, 2, 0, 1);
}

krt_value *krti_operation_dstack(const krti_opcall *o)
{
    return join_at_least(o, 3, 2, 1);
}

krt_value *krti_operation_append(const krti_opcall *o)
{
    krt_value *x[2];
    int axis = 0;

    krti_opcall_pair(o, "x1", "x2", &x[0], &x[1]);
    if (x[0] == NULL || x[1] == NULL)
        return NULL;
    if (krti_opcall_find(o, "axis") != NULL) {
        axis = krti_opcall_axis(o, "axis", 0, x[0]->shape.rank);
        return axis < 0 ? NULL : krti_concat(o->g, x, 2, axis);
    }
    for (int i = 0; i < 2; i++)
        x[i] = krti_reshape(o->g, x[i], KRT_SHAPE(-1));
    return krti_concat(o->g, x, 2, 0);
}

/* ------------------------------------------------------------------------------- splitting */

static krt_status split_at(const krti_opcall *o, krt_value *x, int axis, const int64_t *at,
                           size_t n)
{
    int64_t from = 0;

    if (n + 1 > KRTI_MAX_CALL_OUT) {
        krti_opcall_fail(o, KRT_E_UNSUPPORTED, "more than %d parts", KRTI_MAX_CALL_OUT);
        return o->g->status;
    }
    for (size_t i = 0; i <= n; i++) {
        const int64_t to = i < n ? at[i] : KRT_NONE;

        krt_call_output(o->c, i, krti_slice_axis(o->g, x, axis, from, to, 1));
        from = to;
    }
    return o->g->status;
}

/* n parts of an axis of `dim`; where it does not divide, the first ones are one longer. Of an
 * unknown dimension, which nothing but a shape is asked of, every part is unknown. */
static krt_status split_evenly(const krti_opcall *o, krt_value *x, int axis, int64_t n, bool exact)
{
    const int64_t dim = x->shape.dim[axis];
    int64_t at[KRTI_MAX_CALL_OUT];

    if (n < 1 || n > KRTI_MAX_CALL_OUT || (exact && dim != KRT_NONE && dim % n != 0)) {
        krti_opcall_fail(o, KRT_E_INVALID, "axis %d of %lld cannot be split into %lld parts", axis,
                         (long long)dim, (long long)n);
        return o->g->status;
    }
    for (int64_t i = 0; dim == KRT_NONE && i < n; i++)
        krt_call_output(o->c, (size_t)i, krti_slice_axis(o->g, x, axis, 0, KRT_NONE, 1));
    if (dim == KRT_NONE)
        return o->g->status;
    for (int64_t i = 0; i + 1 < n; i++)
        at[i] = (i + 1) * (dim / n) + (i + 1 < dim % n ? i + 1 : dim % n);
    return split_at(o, x, axis, at, (size_t)n - 1);
}

static krt_status split_along(const krti_opcall *o, krt_value *x, int axis, bool exact)
{
    int64_t at[KRTI_MAX_CALL_OUT];

    if (x == NULL || axis < 0)
        return o->g->status;
    const int n = krti_opcall_ints(o, "indices_or_sections", at, KRTI_MAX_CALL_OUT);
    if (n < 0)
        return o->g->status;
    if (krti_conf_is(krti_opcall_find(o, "indices_or_sections"), KRTI_CONF_INT))
        return split_evenly(o, x, axis, at[0], exact);
    return split_at(o, x, axis, at, (size_t)n);
}

static krt_status split(const krti_opcall *o, bool exact)
{
    krt_value *const x = krti_opcall_tensor(o, "x");

    return split_along(o, x, x != NULL ? krti_opcall_axis(o, "axis", 0, x->shape.rank) : 0, exact);
}

krt_status krti_operation_split(const krti_opcall *o)
{
    return split(o, true);
}

krt_status krti_operation_array_split(const krti_opcall *o)
{
    return split(o, false);
}

krt_status krti_operation_hsplit(const krti_opcall *o)
{
    krt_value *const x = krti_opcall_tensor(o, "x");

    return split_along(o, x, x != NULL ? krti_axis(o->g, x->shape.rank > 1, x->shape.rank) : 0,
                       true);
}

krt_status krti_operation_vsplit(const krti_opcall *o)
{
    return split_along(o, krti_opcall_tensor(o, "x"), 0, true);
}

krt_status krti_operation_dsplit(const krti_opcall *o)
{
    krt_value *const x = krti_opcall_tensor(o, "x");

    return split_along(o, x, x != NULL ? krti_axis(o->g, 2, x->shape.rank) : 0, true);
}

/* TensorFlow gives the sizes of the parts, not where they end; one of them may be -1. */
krt_status krti_operation_split_sizes(const krti_opcall *o)
{
    krt_value *const x = krti_opcall_tensor(o, "x");
    int64_t sizes[KRTI_MAX_CALL_OUT], at = 0, rest = KRT_NONE;

    if (x == NULL)
        return o->g->status;
    const int axis = krti_opcall_axis(o, "axis", 0, x->shape.rank);
    const int n = krti_opcall_ints(o, "sizes", sizes, KRTI_MAX_CALL_OUT);
    if (axis < 0 || n < 0)
        return o->g->status;
    if (krti_conf_is(krti_opcall_find(o, "sizes"), KRTI_CONF_INT))
        return split_evenly(o, x, axis, sizes[0], true);
    for (int i = 0; i < n; i++)
        at = krti_dim_add(at, sizes[i] < 0 ? 0 : sizes[i]);
    if (x->shape.dim[axis] != KRT_NONE && at != KRT_NONE)
        rest = x->shape.dim[axis] - at;
    at = 0;
    for (int i = 0; i < n; i++) {
        at = krti_dim_add(at, sizes[i] < 0 ? rest : sizes[i]);
        sizes[i] = at;
    }
    return split_at(o, x, axis, sizes, n > 0 ? (size_t)n - 1 : 0);
}

krt_status krti_operation_unstack(const krti_opcall *o)
{
    krt_value *const x = krti_opcall_tensor(o, "x");

    if (x == NULL)
        return o->g->status;
    const int axis = krti_opcall_axis(o, "axis", 0, x->shape.rank);
    const int64_t n = axis >= 0 ? krti_opcall_int(o, "num", x->shape.dim[axis]) : 0;
    if (axis < 0)
        return o->g->status;
    if (n < 1 || n > KRTI_MAX_CALL_OUT) {
        krti_opcall_fail(o, KRT_E_UNSUPPORTED, "the axis must be known and have 1 to %d elements",
                         KRTI_MAX_CALL_OUT);
        return o->g->status;
    }
    for (int64_t i = 0; i < n; i++) {
        krt_value *const part = krti_slice_axis(o->g, x, axis, i, i + 1, 1);

        krt_call_output(o->c, (size_t)i, krti_squeeze(o->g, part, &axis, 1));
    }
    return o->g->status;
}

/* ------------------------------------------------------------------------------- repeating */

/* Whichever of shape and counts is shorter is filled up in front with ones. */
krt_value *krti_operation_tile(const krti_opcall *o)
{
    krt_value *x = krti_opcall_tensor(o, "x");
    int64_t given[KRT_MAX_RANK], times[KRT_MAX_RANK];
    const int n = krti_opcall_ints(o, "repeats", given, KRT_MAX_RANK);

    if (x == NULL || n < 0)
        return NULL;
    while (x != NULL && x->shape.rank < n)
        x = krti_expand_dims(o->g, x, 0);
    if (x == NULL)
        return NULL;
    for (int i = 0; i < x->shape.rank; i++) {
        const int from = i - (x->shape.rank - n);

        times[i] = from < 0 ? 1 : given[from];
        if (times[i] == KRT_NONE && krti_shape_known(x->shape))
            return krti_opcall_fail(o, KRT_E_UNSUPPORTED, "a count that is not known");
        if (times[i] == KRT_NONE)
            times[i] = 1; /* along an unknown dimension of a graph made for its shapes */
    }
    return krti_tile(o->g, x, times);
}

static krt_value *index_list(const krti_opcall *o, const int64_t *index, size_t n)
{
    return krti_constant(o->g, KRT_INT64, (krt_shape){1, {(int64_t)n}}, index);
}

/* Element i counts[i] times, as picking the i-th that often. */
static krt_value *repeat_each(const krti_opcall *o, krt_value *x, int axis, const int64_t *counts,
                              int n)
{
    int64_t total = 0, *index, at = 0;

    for (int i = 0; i < n; i++)
        total = counts[i] < 0 ? KRT_NONE : krti_dim_add(total, counts[i]);
    if (total == KRT_NONE || total > INT32_MAX ||
        (x->shape.dim[axis] != KRT_NONE && n != x->shape.dim[axis]))
        return krti_opcall_fail(o, KRT_E_INVALID, "%d counts for an axis of %lld", n,
                                (long long)x->shape.dim[axis]);
    index = krti_arena_array(&o->g->arena, (size_t)total + 1, sizeof *index);
    if (index == NULL)
        return krti_opcall_fail(o, KRT_E_NOMEM, "out of memory");
    for (int i = 0; i < n; i++)
        for (int64_t j = 0; j < counts[i]; j++)
            index[at++] = i;
    return krti_gather(o->g, x, index_list(o, index, (size_t)total), axis);
}

enum { MAX_COUNTS = 4096 };

krt_value *krti_operation_repeat(const krti_opcall *o)
{
    krt_value *x = krti_opcall_tensor(o, "x");
    int64_t counts[MAX_COUNTS];
    const int n = krti_opcall_ints(o, "repeats", counts, MAX_COUNTS);
    int axis = 0;

    if (x == NULL || n < 0)
        return NULL;
    if (krti_opcall_find(o, "axis") == NULL)
        x = krti_reshape(o->g, x, KRT_SHAPE(-1));
    else
        axis = krti_opcall_axis(o, "axis", 0, x->shape.rank);
    if (x == NULL || axis < 0)
        return NULL;
    if (n == 1)
        return krti_repeat(o->g, x, counts[0], axis);
    return repeat_each(o, x, axis, counts, n);
}

krt_status krti_operation_meshgrid(const krti_opcall *o)
{
    size_t n;
    krt_value **const x = read_all(o, "x", &n);
    const bool swaps = strcmp(krti_opcall_text(o, "indexing", "xy"), "xy") == 0 && n > 1;
    krt_shape all = {.rank = (int)n};

    if (x == NULL)
        return o->g->status;
    if (n > KRT_MAX_RANK) {
        krti_opcall_fail(o, KRT_E_UNSUPPORTED, "more than %d axes", KRT_MAX_RANK);
        return o->g->status;
    }
    for (size_t i = 0; i < n; i++) {
        const size_t axis = swaps && i < 2 ? 1 - i : i;

        all.dim[axis] = krt_shape_size(x[i]->shape);
    }
    for (size_t i = 0; i < n; i++) {
        const size_t axis = swaps && i < 2 ? 1 - i : i;
        krt_shape s = {.rank = (int)n, .dim = {1, 1, 1, 1, 1, 1, 1, 1}};

        s.dim[axis] = -1;
        krt_call_output(o->c, i, krti_broadcast_to(o->g, krti_reshape(o->g, x[i], s), all));
    }
    return o->g->status;
}

/* ------------------------------------------------------------------------------- turning */

static krt_value *flip_axes(krti_graph *g, krt_value *x, const int *axes, int n)
{
    for (int i = 0; i < n; i++)
        x = krti_slice_axis(g, x, axes[i], KRT_NONE, KRT_NONE, -1);
    return x;
}

krt_value *krti_operation_flip(const krti_opcall *o)
{
    krt_value *const x = krti_opcall_tensor(o, "x");
    int axes[KRT_MAX_RANK];
    int n = krti_opcall_axes(o, "axis", axes);

    if (x == NULL || n < 0)
        return NULL;
    if (krti_opcall_find(o, "axis") == NULL)
        for (n = 0; n < x->shape.rank; n++)
            axes[n] = n;
    return flip_axes(o->g, x, axes, n);
}

krt_value *krti_operation_flipud(const krti_opcall *o)
{
    return flip_axes(o->g, krti_opcall_tensor(o, "x"), (const int[]){0}, 1);
}

krt_value *krti_operation_fliplr(const krti_opcall *o)
{
    return flip_axes(o->g, krti_opcall_tensor(o, "x"), (const int[]){1}, 1);
}

krt_value *krti_operation_rot90(const krti_opcall *o)
{
    krt_value *x = krti_opcall_tensor(o, "array");
    int axes[2] = {0, 1};
    const int64_t turns = ((krti_opcall_int(o, "k", 1) % 4) + 4) % 4;

    if (x == NULL)
        return NULL;
    if (krti_opcall_find(o, "axes") != NULL && krti_opcall_axes(o, "axes", axes) != 2)
        return krti_opcall_fail(o, KRT_E_INVALID, "`axes` must name two axes");
    for (int i = 0; i < 2; i++)
        axes[i] = krti_axis(o->g, axes[i], x->shape.rank);
    if (turns == 2)
        return flip_axes(o->g, x, axes, 2);
    if (turns == 1)
        x = flip_axes(o->g, x, &axes[1], 1);
    if (turns != 0)
        x = swap_axes(o->g, x, axes[0], axes[1]);
    return turns == 3 ? flip_axes(o->g, x, &axes[1], 1) : x;
}

/* The last `shift` elements come first. */
static krt_value *roll_axis(krti_graph *g, krt_value *x, int64_t shift, int axis)
{
    krt_value *parts[2];

    if (x == NULL || axis < 0)
        return NULL;
    const int64_t n = x->shape.dim[axis];
    if (n == KRT_NONE || n == 0)
        return x;
    const int64_t k = ((shift % n) + n) % n;
    if (k == 0)
        return x;
    parts[0] = krti_slice_axis(g, x, axis, n - k, KRT_NONE, 1);
    parts[1] = krti_slice_axis(g, x, axis, 0, n - k, 1);
    return krti_concat(g, parts, 2, axis);
}

krt_value *krti_operation_roll(const krti_opcall *o)
{
    krt_value *x = krti_opcall_tensor(o, "x");
    int64_t shifts[KRT_MAX_RANK];
    int axes[KRT_MAX_RANK];
    const int n = krti_opcall_axes(o, "axis", axes);
    const int num_shifts = krti_opcall_ints(o, "shift", shifts, KRT_MAX_RANK);

    if (x == NULL || n < 0 || num_shifts < 1)
        return NULL;
    const krt_shape shape = x->shape;
    if (krti_opcall_find(o, "axis") == NULL)
        return krti_reshape(
            o->g, roll_axis(o->g, krti_reshape(o->g, x, KRT_SHAPE(-1)), shifts[0], 0), shape);
    if (num_shifts != n && num_shifts != 1)
        return krti_opcall_fail(o, KRT_E_INVALID, "%d shifts for %d axes", num_shifts, n);
    for (int i = 0; i < n; i++)
        x = roll_axis(o->g, x, shifts[num_shifts == 1 ? 0 : i],
                      krti_axis(o->g, axes[i], shape.rank));
    return x;
}

/* ------------------------------------------------------------------------------- padding */

/* 1, [1], [1, 2], [[1, 2]] and [[1, 2], [0, 0], ...]. */
static bool read_pad_width(const krti_opcall *o, int rank, int64_t *before, int64_t *after)
{
    const krti_conf *const width = krti_opcall_find(o, "pad_width");
    const bool pairs = krti_conf_is(krti_conf_at(width, 0), KRTI_CONF_LIST);
    const size_t n = pairs ? krti_conf_num(width) : 1;

    if (width == NULL || (n != 1 && n != (size_t)rank))
        return false;
    for (int i = 0; i < rank; i++) {
        const krti_conf *const one = pairs ? krti_conf_at(width, n == 1 ? 0 : (size_t)i) : width;
        const size_t last = krti_conf_num(one) == 2 ? 1 : 0;
        const bool is_number = krti_conf_num(one) == 0;

        if (!krti_conf_as_int(is_number ? one : krti_conf_at(one, 0), &before[i]) ||
            !krti_conf_as_int(is_number ? one : krti_conf_at(one, last), &after[i]))
            return false;
    }
    return true;
}

krt_value *krti_operation_pad(const krti_opcall *o)
{
    static const struct {
        const char *name;
        krti_pad_mode mode;
    } modes[] = {{"constant", KRTI_PAD_CONSTANT},
                 {"CONSTANT", KRTI_PAD_CONSTANT},
                 {"reflect", KRTI_PAD_REFLECT},
                 {"REFLECT", KRTI_PAD_REFLECT},
                 {"symmetric", KRTI_PAD_SYMMETRIC},
                 {"SYMMETRIC", KRTI_PAD_SYMMETRIC},
                 {"edge", KRTI_PAD_EDGE}};
    krt_value *const x = krti_opcall_tensor(o, "x");
    const char *const name = krti_opcall_text(o, "mode", "constant");
    const double value = krti_opcall_float(o, "constant_values", 0);
    int64_t before[KRT_MAX_RANK], after[KRT_MAX_RANK];

    if (x == NULL)
        return NULL;
    if (!read_pad_width(o, x->shape.rank, before, after))
        return krti_opcall_fail(o, KRT_E_UNSUPPORTED, "`pad_width` must be numbers for %d axes",
                                x->shape.rank);
    for (size_t i = 0; i < KRTI_COUNT(modes); i++)
        if (strcmp(modes[i].name, name) == 0)
            return krti_pad(o->g, x, before, after, modes[i].mode, value);
    return krti_opcall_fail(o, KRT_E_UNSUPPORTED, "padding of the mode \"%s\"", name);
}

/* ------------------------------------------------------------------------------- diagonals */

/* The two axes move to the end and become one, of which every (cols + 1)-th element is taken. */
krt_value *krti_diagonal_of(krti_graph *g, krt_value *x, int axis1, int axis2, int64_t offset)
{
    const int from[2] = {axis1, axis2}, to[2] = {-2, -1};

    x = x != NULL ? move_axes(g, x, from, to, 2) : NULL;
    if (x == NULL)
        return NULL;
    krt_shape flat = x->shape;
    const int64_t rows = flat.dim[flat.rank - 2], cols = flat.dim[flat.rank - 1];
    flat.dim[--flat.rank - 1] = krti_dim_mul(rows, cols);
    x = krti_reshape(g, x, flat);
    if (rows == KRT_NONE || cols == KRT_NONE)
        return x; /* as many unknown elements */
    const int64_t below = rows + (offset < 0 ? offset : 0);
    const int64_t beside = cols - (offset > 0 ? offset : 0);
    const int64_t n = below < beside ? below : beside;
    if (n <= 0)
        return krti_slice_axis(g, x, -1, 0, 0, 1);
    const int64_t first = offset < 0 ? -offset * cols : offset;
    return krti_slice_axis(g, x, -1, first, first + (n - 1) * (cols + 1) + 1, cols + 1);
}

krt_value *krti_operation_diagonal(const krti_opcall *o)
{
    krt_value *const x = krti_opcall_tensor(o, "x");

    if (x == NULL)
        return NULL;
    const int axis1 = krti_opcall_axis(o, "axis1", 0, x->shape.rank);
    const int axis2 = krti_opcall_axis(o, "axis2", 1, x->shape.rank);
    if (axis1 < 0 || axis2 < 0)
        return NULL;
    if (axis1 == axis2)
        return krti_opcall_fail(o, KRT_E_INVALID, "two axes are wanted, not axis %d twice", axis1);
    return krti_diagonal_of(o->g, x, axis1, axis2, krti_opcall_int(o, "offset", 0));
}

krt_value *krti_operation_trace(const krti_opcall *o)
{
    krt_value *const x = krti_operation_diagonal(o);
    const int last = -1;

    return krti_reduce_sum(o->g, x, &last, 1, false);
}

krt_value *krti_operation_diff(const krti_opcall *o)
{
    krt_value *x = krti_opcall_tensor(o, "a");
    const int64_t times = krti_opcall_int(o, "n", 1);

    if (x == NULL || times < 0 || times > KRTI_MAX_CALL_OUT)
        return x != NULL ? krti_opcall_fail(o, KRT_E_INVALID, "`n` must be small and positive")
                         : NULL;
    const int axis = krti_opcall_axis(o, "axis", -1, x->shape.rank);
    for (int64_t i = 0; i < times && axis >= 0; i++)
        x = krti_subtract(o->g, krti_slice_axis(o->g, x, axis, 1, KRT_NONE, 1),
                          krti_slice_axis(o->g, x, axis, 0, -1, 1));
    return axis >= 0 ? x : NULL;
}
