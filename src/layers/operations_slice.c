/* x[1:, ..., None, 0]: slices in the three spellings they have in files.
 *
 * Keras 3 writes GetItem with objects __slice__ and __ellipsis__, tf.keras's SlicingOpLambda a
 * slice_spec of dicts and "Ellipsis", TensorFlow's StridedSlice three lists and five masks. All
 * become a list of picks, one after the other. Keras: ops/numpy.py GetItem. */
#include "layers/operations_list.h"
#include "tensor/tensor.h"

typedef enum pick_kind { PICK_ONE, PICK_SLICE, PICK_NEW, PICK_ALL, PICK_LIST } pick_kind;

/* One item of a key. An absent bound is KRT_NONE; PICK_ONE uses start. */
typedef struct pick {
    pick_kind kind;
    int64_t start, stop, step;
    const krti_conf *list; /* PICK_LIST: the indices */
} pick;

enum { MAX_PICKS = 2 * KRT_MAX_RANK };

typedef struct picks {
    int n;
    pick item[MAX_PICKS];
} picks;

/* ------------------------------------------------------------------------------- reading */

/* null, a number, or a tensor whose value is known. */
static bool read_bound(const krti_opcall *o, const krti_conf *c, int64_t fallback, int64_t *out)
{
    int64_t value;

    *out = fallback;
    if (krti_conf_is_null(c))
        return true;
    if (krti_conf_as_int(c, out))
        return true;
    krt_value *const v = krti_opcall_value(o, c, NULL);
    if (v == NULL || krti_known_ints(v, &value, 1) != 1)
        return false;
    *out = value;
    return true;
}

static bool read_slice(const krti_opcall *o, const krti_conf *c, pick *p)
{
    p->kind = PICK_SLICE;
    return read_bound(o, krti_conf_get(c, "start"), KRT_NONE, &p->start) &&
           read_bound(o, krti_conf_get(c, "stop"), KRT_NONE, &p->stop) &&
           read_bound(o, krti_conf_get(c, "step"), 1, &p->step) && p->step != 0;
}

static bool is_word(const char *text, const char *a, const char *b)
{
    return text != NULL && (strcmp(text, a) == 0 || strcmp(text, b) == 0);
}

static bool read_pick(const krti_opcall *o, const krti_conf *c, pick *p)
{
    const char *const class_name = krti_conf_get_text(c, "class_name");
    const bool is_slice = krti_conf_get(c, "stop") != NULL || krti_conf_get(c, "start") != NULL;

    *p = (pick){.kind = PICK_NEW, .step = 1};
    if (krti_conf_is_null(c))
        return true;
    if (is_word(krti_conf_text(c), "Ellipsis", "...") ||
        is_word(class_name, "__ellipsis__", "Ellipsis")) {
        p->kind = PICK_ALL;
        return true;
    }
    if (is_word(class_name, "__slice__", "slice"))
        return read_slice(o, krti_conf_get(c, "config"), p);
    if (is_slice)
        return read_slice(o, c, p);
    p->kind = PICK_ONE;
    if (krti_conf_is(c, KRTI_CONF_INT))
        return krti_conf_as_int(c, &p->start);
    if (krti_conf_get(c, "__value__") != NULL && read_bound(o, c, 0, &p->start))
        return p->start != KRT_NONE;
    p->kind = PICK_LIST;
    p->list = c;
    return krti_conf_is(c, KRTI_CONF_LIST) || krti_conf_is(c, KRTI_CONF_DICT);
}

/* A key is one item or a list of them. A list of numbers alone is a tuple: Python cannot tell once
 * it is JSON, and x[0, 1] is far more common than x[[0, 1]]. */
static bool read_key(const krti_opcall *o, const krti_conf *key, picks *p)
{
    const bool many = krti_conf_is(key, KRTI_CONF_LIST);
    const size_t n = many ? krti_conf_num(key) : 1;

    p->n = (int)n;
    if (n > MAX_PICKS)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!read_pick(o, many ? krti_conf_at(key, i) : key, &p->item[i]))
            return false;
    return true;
}

/* ------------------------------------------------------------------------------- taking */

/* What one pass over the key gathers. */
typedef struct taking {
    int64_t start[KRT_MAX_RANK], stop[KRT_MAX_RANK], step[KRT_MAX_RANK];
    bool drop[KRT_MAX_RANK];
    int new_before[KRT_MAX_RANK + 1]; /* new axes before the input's axis i */
    const krti_conf *list;            /* indices along one axis */
    int list_axis;
} taking;

static bool take_one(const krti_opcall *o, taking *t, krt_shape shape, int axis, int64_t i)
{
    const int64_t dim = shape.dim[axis];

    if (dim != KRT_NONE ? i < -dim || i >= dim : i < -KRTI_MAX_ELEMENTS || i >= KRTI_MAX_ELEMENTS) {
        krti_opcall_fail(o, KRT_E_INVALID, "index %lld is out of bounds for axis %d with size %lld",
                         (long long)i, axis, (long long)dim);
        return false;
    }
    t->start[axis] = i;
    t->stop[axis] = i == -1 ? KRT_NONE : i + 1;
    t->drop[axis] = true;
    return true;
}

/* Walks the key along the axes of the input. */
static bool take_picks(const krti_opcall *o, taking *t, krt_shape shape, const picks *p)
{
    int axis = 0, uses = 0;

    for (int i = 0; i < KRT_MAX_RANK; i++) {
        t->start[i] = t->stop[i] = KRT_NONE;
        t->step[i] = 1;
    }
    for (int i = 0; i < p->n; i++)
        uses += p->item[i].kind != PICK_NEW && p->item[i].kind != PICK_ALL;
    if (uses > shape.rank) {
        krti_opcall_fail(o, KRT_E_INVALID, "%d indices for an array of rank %d", uses, shape.rank);
        return false;
    }
    for (int i = 0; i < p->n; i++) {
        const pick *item = &p->item[i];

        switch (item->kind) {
        case PICK_NEW:
            t->new_before[axis]++;
            continue;
        case PICK_ALL:
            axis += shape.rank - uses;
            uses = shape.rank; /* a second ellipsis stands for nothing */
            continue;
        case PICK_SLICE:
            t->start[axis] = item->start;
            t->stop[axis] = item->stop;
            t->step[axis] = item->step;
            break;
        case PICK_ONE:
            if (!take_one(o, t, shape, axis, item->start))
                return false;
            break;
        case PICK_LIST:
            if (t->list != NULL) {
                krti_opcall_fail(o, KRT_E_UNSUPPORTED, "arrays of indices for more than one axis");
                return false;
            }
            t->list = item->list;
            t->list_axis = axis;
            break;
        }
        axis++;
    }
    return true;
}

/* The shape after dropping axes and putting in new ones. */
static bool final_shape(const taking *t, krt_shape s, krt_shape *out)
{
    *out = (krt_shape){.rank = 0};
    for (int axis = 0; axis <= s.rank; axis++) {
        const int more = t->new_before[axis] + (axis < s.rank && !t->drop[axis]);

        if (out->rank + more > KRT_MAX_RANK)
            return false;
        for (int i = 0; i < t->new_before[axis]; i++)
            out->dim[out->rank++] = 1;
        if (axis < s.rank && !t->drop[axis])
            out->dim[out->rank++] = s.dim[axis];
    }
    return true;
}

/* An array of indices takes the place of its axis; only plain ones, and no new axes beside them. */
static krt_value *take_list(const krti_opcall *o, const taking *t, krt_value *x)
{
    krt_value *const indices = krti_opcall_value(o, t->list, NULL);

    for (int i = 0; x != NULL && i <= x->shape.rank; i++)
        if (t->new_before[i] > 0 || (i < x->shape.rank && t->drop[i]))
            return krti_opcall_fail(o, KRT_E_UNSUPPORTED,
                                    "an array of indices beside new or dropped axes");
    if (indices != NULL && indices->dtype == KRT_BOOL)
        return krti_opcall_fail(o, KRT_E_UNSUPPORTED, "a mask as index");
    return krti_gather(o->g, x, indices, t->list_axis);
}

static krt_value *take(const krti_opcall *o, krt_value *x, const picks *p)
{
    taking t = {.list = NULL};
    krt_shape shape;

    if (!take_picks(o, &t, x->shape, p))
        return NULL;
    krt_value *const taken = krti_slice(o->g, x, t.start, t.stop, t.step);
    if (taken == NULL)
        return NULL;
    if (t.list != NULL)
        return take_list(o, &t, taken);
    if (!final_shape(&t, taken->shape, &shape))
        return krti_opcall_fail(o, KRT_E_UNSUPPORTED, "more than %d axes", KRT_MAX_RANK);
    return krti_reshape(o->g, taken, shape);
}

krt_value *krti_operation_get_item(const krti_opcall *o)
{
    static const krti_conf new_axis = {.kind = KRTI_CONF_NULL};
    krt_value *const x = krti_opcall_tensor(o, "x");
    const krti_conf *key = krti_opcall_find(o, "key");
    picks p;

    if (x == NULL)
        return NULL;
    if (!read_key(o, key != NULL ? key : &new_axis, &p)) /* x[None] */
        return krti_opcall_fail(o, KRT_E_UNSUPPORTED,
                                "an index that is no number, slice, None or array of numbers");
    return take(o, x, &p);
}

/* ------------------------------------------------------------------------------- plain slices */

/* keras.ops.slice: where it starts and how large it is. -1 takes the rest, as tf.slice has it. */
krt_value *krti_operation_slice(const krti_opcall *o)
{
    krt_value *const x = krti_opcall_tensor(o, "inputs");
    int64_t start[KRT_MAX_RANK], size[KRT_MAX_RANK], step[KRT_MAX_RANK];
    const int n = krti_opcall_ints(o, "start_indices", start, KRT_MAX_RANK);
    const int m = krti_opcall_ints(o, "shape", size, KRT_MAX_RANK);

    if (x == NULL || n < 0 || m < 0)
        return NULL;
    if (n != x->shape.rank || m != n)
        return krti_opcall_fail(o, KRT_E_INVALID, "%d starts and %d sizes for %d axes", n, m,
                                x->shape.rank);
    for (int i = 0; i < n; i++) {
        step[i] = 1;
        size[i] = size[i] < 0 ? KRT_NONE : krti_dim_add(start[i], size[i]);
    }
    return krti_slice(o->g, x, start, size, step);
}

/* The updates with what stands before, behind, above and below them; one axis after the other, from
 * the last: around the updates the input's own elements are put back. */
krt_value *krti_operation_slice_update(const krti_opcall *o)
{
    krti_graph *const g = o->g;
    krt_value *const x = krti_opcall_tensor(o, "inputs");
    krt_value *y = krti_opcall_value(o, krti_opcall_find(o, "updates"), x);
    int64_t start[KRT_MAX_RANK];
    const int n = krti_opcall_ints(o, "start_indices", start, KRT_MAX_RANK);

    if (x == NULL || y == NULL || n < 0)
        return NULL;
    if (n != x->shape.rank || y->shape.rank != n)
        return krti_opcall_fail(o, KRT_E_INVALID, "%d starts for %d axes", n, x->shape.rank);
    y = krti_cast(g, y, x->dtype);
    const krt_shape update = y->shape;
    if (!krti_shape_known(x->shape) || !krti_shape_known(update))
        return x; /* which has the shape asked for */
    for (int axis = n - 1; axis >= 0; axis--) {
        krt_value *around = x, *parts[3];

        if (start[axis] < 0 || start[axis] > x->shape.dim[axis] - update.dim[axis])
            return krti_opcall_fail(o, KRT_E_INVALID, "an update beyond axis %d", axis);
        for (int i = 0; i < axis; i++)
            around = krti_slice_axis(g, around, i, start[i], start[i] + update.dim[i], 1);
        parts[0] = krti_slice_axis(g, around, axis, 0, start[axis], 1);
        parts[1] = y;
        parts[2] = krti_slice_axis(g, around, axis, start[axis] + update.dim[axis], KRT_NONE, 1);
        y = krti_concat(g, parts, 3, axis);
    }
    return y;
}

static bool bit(int64_t mask, int i)
{
    return ((uint64_t)mask >> i & 1) != 0;
}

/* TensorFlow's StridedSlice; a bit of a mask speaks of one entry of the lists. */
krt_value *krti_operation_strided_slice(const krti_opcall *o)
{
    krt_value *const x = krti_opcall_tensor(o, "x");
    int64_t begin[MAX_PICKS], end[MAX_PICKS], strides[MAX_PICKS];
    const int n = krti_opcall_ints(o, "begin", begin, MAX_PICKS);
    picks p = {.n = n};

    if (x == NULL || n < 0)
        return NULL;
    if (krti_opcall_ints(o, "end", end, MAX_PICKS) != n ||
        krti_opcall_ints(o, "strides", strides, MAX_PICKS) != n)
        return krti_opcall_fail(o, KRT_E_INVALID, "begin, end and strides differ in length");
    for (int i = 0; i < n; i++) {
        pick *item = &p.item[i];

        *item = (pick){.kind = PICK_SLICE, .start = begin[i], .stop = end[i], .step = strides[i]};
        if (bit(krti_opcall_int(o, "begin_mask", 0), i))
            item->start = KRT_NONE;
        if (bit(krti_opcall_int(o, "end_mask", 0), i))
            item->stop = KRT_NONE;
        if (bit(krti_opcall_int(o, "shrink_axis_mask", 0), i))
            item->kind = PICK_ONE;
        if (bit(krti_opcall_int(o, "new_axis_mask", 0), i))
            item->kind = PICK_NEW;
        if (bit(krti_opcall_int(o, "ellipsis_mask", 0), i))
            item->kind = PICK_ALL;
    }
    return take(o, x, &p);
}
