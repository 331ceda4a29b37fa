/* Ops that move elements: they know the size of an element and not what it means. */
#include "ops/reference/reference.h"

static unsigned char *at(const krti_view *v, int64_t offset)
{
    return (unsigned char *)v->data + offset * (int64_t)krt_dtype_size(v->dtype);
}

void krti_ref_reshape(const krti_node *n, const krti_view *in, krti_view *out)
{
    (void)n;
    if (out->data != in[0].data)
        krti_copy_run(out->data, 1, in[0].data, 1, krt_shape_size(out->shape),
                      krt_dtype_size(out->dtype));
}

/* out, row major, from strides into the input that start at `base`. */
static void copy_strided(const krti_view *in, int64_t base, const int64_t *stride, krti_view *out)
{
    int64_t strides[2][KRT_MAX_RANK];
    krti_loops l;

    memcpy(strides[0], stride, sizeof strides[0]);
    krti_strides(out->shape, strides[1]);
    krti_loops_init(&l, out->shape.rank, out->shape.dim, 2, strides);
    if (krti_loops_empty(&l))
        return;
    const int last = l.rank - 1;
    do
        krti_copy_run(at(out, l.offset[1]), 1, at(in, base + l.offset[0]), l.stride[0][last],
                      l.dim[last], krt_dtype_size(out->dtype));
    while (krti_loops_next(&l));
}

void krti_ref_transpose(const krti_node *n, const krti_view *in, krti_view *out)
{
    int64_t own[KRT_MAX_RANK] = {0}, stride[KRT_MAX_RANK] = {0};

    krti_strides(in[0].shape, own);
    for (int i = 0; i < out->shape.rank; i++)
        stride[i] = own[n->attrs.transpose.perm[i]];
    copy_strided(&in[0], 0, stride, out);
}

void krti_ref_slice(const krti_node *n, const krti_view *in, krti_view *out)
{
    int64_t stride[KRT_MAX_RANK] = {0}, base = 0;

    krti_strides(in[0].shape, stride);
    for (int i = 0; i < out->shape.rank; i++) {
        base += n->attrs.slice.start[i] * stride[i];
        stride[i] *= n->attrs.slice.step[i];
    }
    copy_strided(&in[0], base, stride, out);
}

void krti_ref_broadcast_to(const krti_node *n, const krti_view *in, krti_view *out)
{
    int64_t stride[KRT_MAX_RANK] = {0};

    (void)n;
    krti_broadcast_strides(in[0].shape, out->shape, stride);
    copy_strided(&in[0], 0, stride, out);
}

void krti_ref_concat(const krti_node *n, const krti_view *in, krti_view *out)
{
    const size_t size = krt_dtype_size(out->dtype);
    const int axis = n->attrs.axis.axis;
    const krti_split whole = krti_split_at(out->shape, axis);
    int64_t from = 0;

    for (int i = 0; i < n->num_in; i++) {
        const krti_split part = krti_split_at(in[i].shape, axis);
        const int64_t run = part.axis * part.inner;

        for (int64_t o = 0; o < part.outer; o++)
            krti_copy_run(at(out, (o * whole.axis + from) * whole.inner), 1, at(&in[i], o * run), 1,
                          run, size);
        from += part.axis;
    }
}

/* ------------------------------------------------------------------------------- index maps */

/* Which element of the input an output index of one axis shows; -1: none, the padding value. */
typedef int64_t (*index_map)(const krti_node *n, int axis, int64_t i, int64_t dim);

static int64_t pad_index(const krti_node *n, int axis, int64_t i, int64_t dim)
{
    const int64_t source = i - n->attrs.pad.before[axis];

    if (source >= 0 && source < dim)
        return source;
    switch (n->attrs.pad.mode) {
    case KRTI_PAD_REFLECT:
        return source < 0 ? -source : 2 * dim - 2 - source;
    case KRTI_PAD_SYMMETRIC:
        return source < 0 ? -source - 1 : 2 * dim - 1 - source;
    case KRTI_PAD_EDGE:
        return source < 0 ? 0 : dim - 1;
    case KRTI_PAD_CONSTANT:
        break;
    }
    return -1;
}

static int64_t tile_index(const krti_node *n, int axis, int64_t i, int64_t dim)
{
    (void)n;
    (void)axis;
    return i % dim;
}

static int64_t repeat_index(const krti_node *n, int axis, int64_t i, int64_t dim)
{
    (void)dim;
    return axis == n->attrs.repeat.axis ? i / n->attrs.repeat.times : i;
}

/* Axes at the end that keep their size are copied as one block. */
static void copy_mapped(const krti_node *n, const krti_view *in, krti_view *out, index_map map,
                        const void *filler)
{
    const size_t size = krt_dtype_size(out->dtype);
    const krt_shape from = in[0].shape, to = out->shape;
    int64_t stride[KRT_MAX_RANK] = {0}, index[KRT_MAX_RANK] = {0}, block = 1, blocks = 1;
    int rank = to.rank;

    krti_strides(from, stride);
    for (; rank > 0 && to.dim[rank - 1] == from.dim[rank - 1]; rank--)
        block *= to.dim[rank - 1];
    for (int i = 0; i < rank; i++)
        blocks *= to.dim[i];
    for (int64_t b = 0; b < blocks; b++) {
        int64_t source = 0;

        for (int i = 0; i < rank && source >= 0; i++) {
            const int64_t shown = map(n, i, index[i], from.dim[i]);

            source = shown < 0 ? -1 : source + shown * stride[i];
        }
        krti_copy_run(at(out, b * block), 1, source < 0 ? filler : at(in, source), source >= 0,
                      block, size);
        for (int i = rank - 1; i >= 0 && ++index[i] == to.dim[i]; i--)
            index[i] = 0;
    }
}

void krti_ref_pad(const krti_node *n, const krti_view *in, krti_view *out)
{
    const double value = n->attrs.pad.value;
    uint64_t filler = 0;

    krti_convert(&filler, out->dtype, &value, KRT_FLOAT64, 1);
    copy_mapped(n, in, out, pad_index, &filler);
}

void krti_ref_tile(const krti_node *n, const krti_view *in, krti_view *out)
{
    copy_mapped(n, in, out, tile_index, NULL);
}

void krti_ref_repeat(const krti_node *n, const krti_view *in, krti_view *out)
{
    copy_mapped(n, in, out, repeat_index, NULL);
}

/* ------------------------------------------------------------------------------- gather */

int64_t krti_index_at(const krti_view *v, int64_t i)
{
    switch (v->dtype) {
    case KRT_INT8:
        return ((const int8_t *)v->data)[i];
    case KRT_INT16:
        return ((const int16_t *)v->data)[i];
    case KRT_INT32:
        return ((const int32_t *)v->data)[i];
    case KRT_UINT8:
        return ((const uint8_t *)v->data)[i];
    case KRT_UINT16:
        return ((const uint16_t *)v->data)[i];
    case KRT_UINT32:
        return ((const uint32_t *)v->data)[i];
    case KRT_UINT64: {
        const uint64_t u = ((const uint64_t *)v->data)[i];

        return u > INT64_MAX ? INT64_MAX : (int64_t)u;
    }
    default:
        return ((const int64_t *)v->data)[i];
    }
}

void krti_ref_gather(const krti_node *n, const krti_view *in, krti_view *out)
{
    const krti_split x = krti_split_at(in[0].shape, n->attrs.axis.axis);
    const int64_t num = krt_shape_size(in[1].shape);
    const size_t size = krt_dtype_size(out->dtype);
    const double missing = krti_dtype_is_float(out->dtype) ? (double)NAN : 0;
    uint64_t filler = 0;

    krti_convert(&filler, out->dtype, &missing, KRT_FLOAT64, 1);
    for (int64_t o = 0; o < x.outer; o++)
        for (int64_t i = 0; i < num; i++) {
            const int64_t given = krti_index_at(&in[1], i);
            const int64_t index = given < 0 ? given + x.axis : given;
            const bool inside = index >= 0 && index < x.axis;

            krti_copy_run(at(out, (o * num + i) * x.inner), 1,
                          inside ? at(&in[0], (o * x.axis + index) * x.inner) : (void *)&filler,
                          inside, x.inner, size);
        }
}

void krti_ref_one_hot(const krti_node *n, const krti_view *in, krti_view *out)
{
    const krti_split y = krti_split_at(out->shape, n->attrs.one_hot.axis);
    const size_t size = krt_dtype_size(out->dtype);
    const double one = 1;
    uint64_t bits = 0;

    krti_convert(&bits, out->dtype, &one, KRT_FLOAT64, 1);
    memset(out->data, 0, (size_t)krt_shape_size(out->shape) * size);
    for (int64_t o = 0; o < y.outer; o++)
        for (int64_t i = 0; i < y.inner; i++) {
            const int64_t index = krti_index_at(&in[0], o * y.inner + i);

            if (index >= 0 && index < y.axis)
                memcpy(at(out, (o * y.axis + index) * y.inner + i), &bits, size);
        }
}

/* ------------------------------------------------------------------------------- backwards */

void krti_ref_copy(const krti_node *n, const krti_view *in, krti_view *out)
{
    krti_ref_reshape(n, in, out);
}

void krti_ref_assign(const krti_node *n, const krti_view *in, krti_view *out)
{
    krti_ref_reshape(n, in, out); /* nothing to do when the value was computed in place */
}

void krti_ref_stop_gradient(const krti_node *n, const krti_view *in, krti_view *out)
{
    krti_ref_reshape(n, in, out);
}

static void clear(krti_view *v)
{
    memset(v->data, 0, (size_t)krt_shape_size(v->shape) * krt_dtype_size(v->dtype));
}

/* to[i] += from[i] */
static void add_run(krti_view *to, int64_t to_at, const krti_view *from, int64_t from_at, int64_t n)
{
    if (to->dtype == KRT_FLOAT64)
        for (int64_t i = 0; i < n; i++)
            ((double *)to->data)[to_at + i] += ((const double *)from->data)[from_at + i];
    else
        for (int64_t i = 0; i < n; i++)
            ((float *)to->data)[to_at + i] += ((const float *)from->data)[from_at + i];
}

/* dy goes where the slice took its elements from. */
void krti_ref_slice_grad(const krti_node *n, const krti_view *in, krti_view *out)
{
    int64_t strides[2][KRT_MAX_RANK] = {{0}}, base = 0;
    krti_loops l;

    clear(out);
    krti_strides(out->shape, strides[0]);
    krti_strides(in[0].shape, strides[1]);
    for (int i = 0; i < out->shape.rank; i++) {
        base += n->attrs.slice.start[i] * strides[0][i];
        strides[0][i] *= n->attrs.slice.step[i];
    }
    krti_loops_init(&l, in[0].shape.rank, in[0].shape.dim, 2, strides);
    if (krti_loops_empty(&l))
        return;
    const int last = l.rank - 1;
    do
        krti_copy_run(at(out, base + l.offset[0]), l.stride[0][last], at(&in[0], l.offset[1]), 1,
                      l.dim[last], krt_dtype_size(out->dtype));
    while (krti_loops_next(&l));
}

/* Every element of dy goes where the padded one came from. */
void krti_ref_pad_grad(const krti_node *n, const krti_view *in, krti_view *out)
{
    const krt_shape from = in[0].shape;
    int64_t stride[KRT_MAX_RANK] = {0}, index[KRT_MAX_RANK] = {0};

    clear(out);
    krti_strides(out->shape, stride);
    for (int64_t e = 0; e < krt_shape_size(from); e++) {
        int64_t to = 0;

        for (int i = 0; i < from.rank && to >= 0; i++) {
            const int64_t shown = pad_index(n, i, index[i], out->shape.dim[i]);

            to = shown < 0 ? -1 : to + shown * stride[i];
        }
        if (to >= 0)
            add_run(out, to, &in[0], e, 1);
        for (int i = from.rank - 1; i >= 0 && ++index[i] == from.dim[i]; i--)
            index[i] = 0;
    }
}

void krti_ref_gather_grad(const krti_node *n, const krti_view *in, krti_view *out)
{
    const krti_split x = krti_split_at(out->shape, n->attrs.gather_grad.axis);
    const int64_t num = krt_shape_size(in[1].shape);

    clear(out);
    for (int64_t o = 0; o < x.outer; o++)
        for (int64_t i = 0; i < num; i++) {
            const int64_t given = krti_index_at(&in[1], i);
            const int64_t index = given < 0 ? given + x.axis : given;

            if (index >= 0 && index < x.axis)
                add_run(out, (o * x.axis + index) * x.inner, &in[0], (o * num + i) * x.inner,
                        x.inner);
        }
}
