/* Layers of several inputs. Keras: layers/merging.
 *
 * Inputs of fewer axes get axes of size 1 after the batch axis, and lose their masks with that.
 * The mask of the result: where all inputs have one, it is true where any is; Maximum, Minimum
 * and Multiply also leave masked elements out of the arithmetic. */
#include "layers/describe.h"

typedef krt_value *(*binary_fn)(krti_graph *g, krt_value *a, krt_value *b);

typedef struct merge {
    krti_graph *g;
    size_t n;
    krt_value **x;    /* of one rank, floats as float32 */
    krt_value **mask; /* NULL entries: none */
} merge;

/* ------------------------------------------------------------------------------- inputs */

static krt_status check_inputs(const krt_layer *l, const krt_shape *inputs, size_t n)
{
    char a[160], b[160];

    if (n == 0)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "A merge layer should be called on a list of at least 1 input. "
                               "Received 0 inputs");
    for (size_t i = 1; i < n; i++) {
        const krt_shape x = inputs[i - 1], y = inputs[i];

        if (x.rank > 0 && y.rank > 0 && x.dim[0] != y.dim[0] && x.dim[0] != KRT_NONE &&
            y.dim[0] != KRT_NONE)
            return krti_layer_fail(l, KRT_E_INVALID,
                                   "Cannot merge tensors with different batch sizes. Received "
                                   "tensors with shapes %s and %s",
                                   krt_shape_print(x, a, sizeof a),
                                   krt_shape_print(y, b, sizeof b));
    }
    return KRT_OK;
}

static krt_status build(krt_layer *l, const void *args, const krt_shape *inputs, size_t n)
{
    (void)args;
    return check_inputs(l, inputs, n);
}

static krt_status build_two(krt_layer *l, const void *args, const krt_shape *inputs, size_t n)
{
    (void)args;
    if (n != 2)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "A `%s` layer should be called on exactly 2 inputs. Received %zu "
                               "inputs",
                               l->class_name, n);
    return check_inputs(l, inputs, n);
}

/* Every input with axes of 1 after the batch axis until it has as many as the largest. */
static krt_status gather_inputs(krt_call *c, merge *m)
{
    int rank = 0;

    *m = (merge){.g = c->g, .n = c->num_in};
    m->x = krti_arena_array(&c->g->arena, m->n, sizeof *m->x);
    m->mask = krti_arena_array(&c->g->arena, m->n, sizeof *m->mask);
    if (m->x == NULL || m->mask == NULL)
        return KRT_E_NOMEM;
    for (size_t i = 0; i < m->n; i++) {
        m->x[i] = krti_cast_input(c, i);
        if (m->x[i] == NULL)
            return c->g->status;
        rank = m->x[i]->shape.rank > rank ? m->x[i]->shape.rank : rank;
    }
    for (size_t i = 0; i < m->n; i++) {
        const bool has_rank = m->x[i]->shape.rank == rank;

        m->mask[i] = has_rank && c->in_mask != NULL ? c->in_mask[i] : NULL;
        while (m->x[i] != NULL && m->x[i]->shape.rank < rank)
            m->x[i] = krti_expand_dims(c->g, m->x[i], m->x[i]->shape.rank > 0 ? 1 : 0);
    }
    return c->g->status;
}

/* True where any mask is; NULL unless every input has one. */
static krt_value *any_mask(krt_call *c)
{
    krt_value *result = NULL;

    for (size_t i = 0; i < c->num_in; i++) {
        krt_value *mask = c->in_mask != NULL ? c->in_mask[i] : NULL;

        if (mask == NULL)
            return NULL;
        result = result == NULL ? mask : krti_logical_or(c->g, result, mask);
    }
    return result;
}

/* A mask (batch, time) for an input (batch, time, features): over all of it. */
static krt_value *mask_over(krti_graph *g, krt_value *mask, const krt_value *x)
{
    return krti_broadcast_to(g, krti_expand_dims(g, mask, -1), x->shape);
}

static krt_value *mask_without_last(krti_graph *g, krt_value *mask)
{
    return krti_reduce_any(g, mask, &(int){-1}, 1, false);
}

static krt_status finish(krt_call *c, krt_value *y, krt_value *mask)
{
    krti_call_set_mask(c, 0, mask != NULL ? mask : any_mask(c));
    return krt_call_output(c, 0, y);
}

/* ------------------------------------------------------------------------------- arithmetic */

static krt_value *fold(const merge *m, binary_fn f)
{
    krt_value *y = m->x[0];

    for (size_t i = 1; i < m->n; i++)
        y = f(m->g, y, m->x[i]);
    return y;
}

static krt_status add_call(const krt_layer *l, const void *args, krt_call *c)
{
    merge m;
    const krt_status st = gather_inputs(c, &m);

    (void)l;
    (void)args;
    return st == KRT_OK ? finish(c, fold(&m, krti_add), NULL) : st;
}

static krt_status subtract_call(const krt_layer *l, const void *args, krt_call *c)
{
    merge m;
    const krt_status st = gather_inputs(c, &m);

    (void)l;
    (void)args;
    return st == KRT_OK ? finish(c, fold(&m, krti_subtract), NULL) : st;
}

static krt_status average_call(const krt_layer *l, const void *args, krt_call *c)
{
    merge m;
    const krt_status st = gather_inputs(c, &m);

    (void)l;
    (void)args;
    if (st != KRT_OK)
        return st;
    krt_value *total = krti_as_float32(m.g, fold(&m, krti_add));
    return finish(c, krti_divide(m.g, total, krti_scalar(m.g, (double)m.n)), NULL);
}

/* Masked elements count as 1, and are 0 in the result where every input has a mask. */
static krt_status multiply_call(const krt_layer *l, const void *args, krt_call *c)
{
    merge m;
    krt_value *mask = NULL;
    bool all = true;
    const krt_status st = gather_inputs(c, &m);

    (void)l;
    (void)args;
    if (st != KRT_OK)
        return st;
    for (size_t i = 0; i < m.n; i++)
        all = all && m.mask[i] != NULL;
    for (size_t i = 0; i < m.n; i++) {
        if (m.mask[i] == NULL)
            continue;
        krt_value *over = mask_over(m.g, m.mask[i], m.x[i]);
        m.x[i] = krti_where(m.g, over, m.x[i], krti_scalar_like(m.g, m.x[i], 1));
        if (all)
            mask = mask == NULL ? over : krti_logical_or(m.g, mask, over);
    }
    krt_value *y = fold(&m, krti_multiply);
    if (mask == NULL || y == NULL)
        return finish(c, y, NULL);
    y = krti_where(m.g, mask, y, krti_scalar_like(m.g, y, 0));
    return finish(c, y, mask_without_last(m.g, mask));
}

/* Maximum and Minimum have no neutral element: where one side is masked, the other counts. */
static krt_status pick_call(krt_call *c, binary_fn f)
{
    merge m;
    const krt_status st = gather_inputs(c, &m);

    if (st != KRT_OK)
        return st;
    krt_value *y = m.x[0];
    krt_value *y_mask = m.mask[0] != NULL ? mask_over(m.g, m.mask[0], m.x[0]) : NULL;
    for (size_t i = 1; i < m.n; i++) {
        krt_value *x = m.x[i];
        krt_value *mask = m.mask[i] != NULL ? mask_over(m.g, m.mask[i], x) : NULL;

        if (mask != NULL)
            x = krti_where(m.g, mask, x, y);
        if (y_mask != NULL)
            y = krti_where(m.g, y_mask, y, x);
        y_mask = mask != NULL && y_mask != NULL ? krti_logical_or(m.g, y_mask, mask) : NULL;
        y = f(m.g, y, x);
    }
    return finish(c, y, y_mask != NULL ? mask_without_last(m.g, y_mask) : NULL);
}

static krt_status maximum_call(const krt_layer *l, const void *args, krt_call *c)
{
    (void)l;
    (void)args;
    return pick_call(c, krti_maximum);
}

static krt_status minimum_call(const krt_layer *l, const void *args, krt_call *c)
{
    (void)l;
    (void)args;
    return pick_call(c, krti_minimum);
}

/* ------------------------------------------------------------------------------- Concatenate */

static krt_status concatenate_build(krt_layer *l, const void *args, const krt_shape *inputs,
                                    size_t n)
{
    const krt_concatenate_args *a = args;
    char x[160], y[160];

    if (n == 0)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "A `Concatenate` layer should be called on a list of at least 1 "
                               "input. Received 0 inputs");
    const int64_t axis = a->axis < 0 ? a->axis + inputs[0].rank : a->axis;
    if (axis < 0 || axis >= inputs[0].rank)
        return krti_layer_fail(l, KRT_E_INVALID, "axis %lld of Concatenate is outside rank %d",
                               (long long)a->axis, inputs[0].rank);
    for (size_t i = 1; i < n; i++) {
        bool fits = inputs[i].rank == inputs[0].rank;

        for (int d = 0; fits && d < inputs[0].rank; d++)
            fits = d == axis || inputs[i].dim[d] == inputs[0].dim[d] ||
                   inputs[i].dim[d] == KRT_NONE || inputs[0].dim[d] == KRT_NONE;
        if (!fits)
            return krti_layer_fail(l, KRT_E_INVALID,
                                   "A `Concatenate` layer requires inputs with matching shapes "
                                   "except for the concatenation axis. Received: %s and %s",
                                   krt_shape_print(inputs[0], x, sizeof x),
                                   krt_shape_print(inputs[i], y, sizeof y));
    }
    return KRT_OK;
}

/* All true, in the shape of x: zero is always less than one, and broadcasting does the rest. */
static krt_value *ones_like(krti_graph *g, krt_value *x)
{
    static const char yes = 1;
    krt_value *one = krti_constant(g, KRT_BOOL, (krt_shape){.rank = 0}, &yes);

    return krti_broadcast_to(g, one, x->shape);
}

/* Masks join along the same axis as the inputs, then lose the last one. */
static krt_status concatenate_mask(krt_call *c, const merge *m, int axis)
{
    bool any = false;

    for (size_t i = 0; i < m->n; i++)
        any = any || m->mask[i] != NULL;
    krti_call_set_mask(c, 0, NULL);
    if (!any)
        return KRT_OK;
    krt_value **masks = krti_arena_array(&c->g->arena, m->n, sizeof *masks);
    if (masks == NULL)
        return KRT_E_NOMEM;
    for (size_t i = 0; i < m->n; i++) {
        masks[i] = m->mask[i];
        if (masks[i] == NULL)
            masks[i] = ones_like(c->g, m->x[i]);
        else if (masks[i]->shape.rank < m->x[i]->shape.rank)
            masks[i] = mask_over(c->g, masks[i], m->x[i]);
    }
    krti_call_set_mask(c, 0, mask_without_last(c->g, krti_concat(c->g, masks, m->n, axis)));
    return c->g->status;
}

static krt_status concatenate_call(const krt_layer *l, const void *args, krt_call *c)
{
    const int axis = (int)((const krt_concatenate_args *)args)->axis;
    merge m;
    krt_dtype dtype = KRT_DTYPE_NONE;
    krt_status st = KRT_OK;

    (void)l;
    TRY(gather_inputs(c, &m));
    for (size_t i = 0; i < m.n; i++)
        dtype = i == 0 ? m.x[0]->dtype : krti_result_dtype(dtype, m.x[i]->dtype);
    TRY(concatenate_mask(c, &m, axis));
    for (size_t i = 0; i < m.n; i++)
        m.x[i] = m.x[i]->dtype == dtype ? m.x[i] : krti_cast(c->g, m.x[i], dtype);
    st = krt_call_output(c, 0, m.n == 1 ? m.x[0] : krti_concat(c->g, m.x, m.n, axis));

done:
    return st;
}

/* ------------------------------------------------------------------------------- Dot */

static krt_status dot_axes(const krt_layer *l, const krt_dot_args *a, const krt_shape *inputs,
                           int axis[2])
{
    for (int i = 0; i < 2; i++) {
        const int64_t given = a->axes.axis[a->axes.n == 2 ? i : 0];
        const int64_t at = given < 0 ? given + inputs[i].rank : given;

        if (at <= 0 || at >= inputs[i].rank)
            return krti_layer_fail(l, KRT_E_INVALID,
                                   "axis %lld of Dot must be one of %d axes, the batch axis aside",
                                   (long long)given, inputs[i].rank);
        axis[i] = (int)at;
    }
    return KRT_OK;
}

static krt_status dot_init(krt_layer *l, void *args)
{
    const krt_dot_args *a = args;

    if (a->axes.n == 1 || a->axes.n == 2)
        return KRT_OK;
    return krti_layer_fail(l, KRT_E_INVALID,
                           "Invalid format for argument `axes`: it should contain two elements. "
                           "Received %d",
                           a->axes.n);
}

static krt_status dot_build(krt_layer *l, const void *args, const krt_shape *inputs, size_t n)
{
    int axis[2] = {0, 0};
    char a[160], b[160];

    if (n != 2)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "A `Dot` layer should be called on a list of 2 inputs. Received %zu",
                               n);
    const krt_status st = dot_axes(l, args, inputs, axis);
    if (st != KRT_OK)
        return st;
    const int64_t x = inputs[0].dim[axis[0]], y = inputs[1].dim[axis[1]];
    if (x == y || x == KRT_NONE || y == KRT_NONE)
        return KRT_OK;
    return krti_layer_fail(l, KRT_E_INVALID,
                           "Incompatible input shapes: axis values %lld (at axis %d) != %lld (at "
                           "axis %d). Full input shapes: %s, %s",
                           (long long)x, axis[0], (long long)y, axis[1],
                           krt_shape_print(inputs[0], a, sizeof a),
                           krt_shape_print(inputs[1], b, sizeof b));
}

/* x * min(1 / |x|, 1 / epsilon), as keras.ops.normalize. */
static krt_value *unit(krti_graph *g, krt_value *x, int axis)
{
    krt_value *inverse = krti_rsqrt(g, krti_reduce_sum(g, krti_square(g, x), &axis, 1, true));

    return krti_multiply(g, x, krti_minimum(g, inverse, krti_scalar(g, 1 / 1e-7)));
}

/* batch_dot() as an equation: batch a, the summed axis z, everything else a letter of its own. */
static krt_value *batch_dot(krti_graph *g, krt_value *const x[2], const int axis[2])
{
    char sides[2][KRT_MAX_RANK + 1], result[2 * KRT_MAX_RANK + 1];
    char equation[5 * KRT_MAX_RANK];
    size_t n = 0;
    char next = 'b';

    result[n++] = 'a';
    for (int i = 0; i < 2; i++) {
        sides[i][0] = 'a';
        for (int d = 1; d < x[i]->shape.rank; d++) {
            sides[i][d] = d == axis[i] ? 'z' : next++;
            if (d != axis[i])
                result[n++] = sides[i][d];
        }
        sides[i][x[i]->shape.rank] = '\0';
    }
    result[n] = '\0';
    if (n > KRT_MAX_RANK)
        return krti_graph_fail(g, KRT_E_UNSUPPORTED, "the result of Dot would have %zu axes", n);
    snprintf(equation, sizeof equation, "%s,%s->%s", sides[0], sides[1], result);
    krt_value *y = krti_einsum(g, equation, x, 2);
    return n == 1 ? krti_expand_dims(g, y, -1) : y;
}

static krt_status dot_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_dot_args *a = args;
    krt_value *x[2] = {krti_float_input(c, 0), krti_float_input(c, 1)};
    int axis[2];

    if (x[0] == NULL || x[1] == NULL)
        return c->g->status;
    const krt_status st = dot_axes(l, a, (krt_shape[2]){x[0]->shape, x[1]->shape}, axis);
    if (st != KRT_OK)
        return st;
    for (int i = 0; a->normalize && i < 2; i++)
        x[i] = unit(c->g, x[i], axis[i]);
    if (x[0] == NULL || x[1] == NULL)
        return c->g->status;
    krti_call_set_mask(c, 0, NULL);
    return krt_call_output(c, 0, batch_dot(c->g, x, axis));
}

/* ------------------------------------------------------------------------------- tables */

static const krt_field merge_fields[] = {KRT_BASE_FIELDS(krt_merge_args)};
static const krt_field concatenate_fields[] = {
    KRT_FIELD(krt_concatenate_args, INT, axis),
    KRT_BASE_FIELDS(krt_concatenate_args),
};
static const krt_field dot_fields[] = {
    KRT_FIELD(krt_dot_args, AXES, axes),
    KRT_FIELD(krt_dot_args, BOOL, normalize),
    KRT_BASE_FIELDS(krt_dot_args),
};

#define CLASS(id, title, fallback, field_list, build_fn, init_fn) \
    static const krt_layer_class id = {                           \
        .struct_size = sizeof id,                                 \
        .name = title,                                            \
        .defaults = fallback,                                     \
        .fields = field_list,                                     \
        .num_fields = KRTI_COUNT(field_list),                     \
        .build = build_fn,                                        \
        .call = id##_call,                                        \
        .init = init_fn,                                          \
        .flags = KRT_LAYER_TAKES_LIST,                            \
    };
CLASS(add, "Add", KRT_ADD(.trainable = true), merge_fields, build, NULL)
CLASS(subtract, "Subtract", KRT_SUBTRACT(.trainable = true), merge_fields, build_two, NULL)
CLASS(multiply, "Multiply", KRT_MULTIPLY(.trainable = true), merge_fields, build, NULL)
CLASS(average, "Average", KRT_AVERAGE(.trainable = true), merge_fields, build, NULL)
CLASS(maximum, "Maximum", KRT_MAXIMUM(.trainable = true), merge_fields, build, NULL)
CLASS(minimum, "Minimum", KRT_MINIMUM(.trainable = true), merge_fields, build, NULL)
CLASS(concatenate, "Concatenate", KRT_CONCATENATE(.trainable = true), concatenate_fields,
      concatenate_build, NULL)
CLASS(dot, "Dot", KRT_DOT({.n = 0}), dot_fields, dot_build, dot_init)

const krt_layer_class *const krti_classes_merging[] = {
    &add, &subtract, &multiply, &average, &maximum, &minimum, &concatenate, &dot, NULL};
