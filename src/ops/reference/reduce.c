/* Reductions, scans and sorting in every dtype; see reduce.inc. */
#include "ops/reference/reference.h"

enum { STRIP = 64 };

typedef enum reduce_kind { SUM, MEAN, PROD, MAX, MIN } reduce_kind;

/* The input's axes in two groups: what is kept numbers the results, what is not is run through for
 * each. `run` results lie side by side in input and output: the kept axes at the end. */
typedef struct reduce_plan {
    reduce_kind kind;
    krti_loops kept, gone; /* offsets into the input */
    int64_t run, count;    /* results a run; elements a result */
} reduce_plan;

static reduce_plan reduce_plan_of(const krti_node *n, krt_shape in, reduce_kind kind)
{
    reduce_plan p = {.kind = kind, .run = 1, .count = 1};
    int64_t own[KRT_MAX_RANK], dim[2][KRT_MAX_RANK] = {{0}}, stride[2][1][KRT_MAX_RANK] = {{{0}}};
    bool gone[KRT_MAX_RANK] = {false};
    int rank[2] = {0}, last = in.rank;

    for (int i = 0; i < n->attrs.reduce.n; i++)
        gone[n->attrs.reduce.axis[i]] = true;
    krti_strides(in, own);
    for (; last > 0 && !gone[last - 1]; last--)
        p.run *= in.dim[last - 1];
    for (int i = 0; i < last; i++) {
        const int group = gone[i];

        dim[group][rank[group]] = in.dim[i];
        stride[group][0][rank[group]++] = own[i];
        if (gone[i])
            p.count *= in.dim[i];
    }
    krti_loops_init(&p.kept, rank[0], dim[0], 1, stride[0]);
    krti_loops_init(&p.gone, rank[1], dim[1], 1, stride[1]);
    return p;
}

/* LOWEST and HIGHEST are what an empty maximum and minimum give; WRAPPED is arithmetic that wraps
 * in integers, as NumPy's does. */
#define TOTAL             double
#define LOWEST            (-(double)INFINITY)
#define HIGHEST           ((double)INFINITY)
#define IS_NAN(v)         ((v) != (v))
#define WRAPPED(a, op, b) ((a)op(double)(b))
#define TEMPLATE          "ops/reference/reduce.inc"
#include "ops/reference/floats.inc"
#undef TOTAL
#undef LOWEST
#undef HIGHEST
#undef IS_NAN
#undef WRAPPED

#define TOTAL             WIDE
#define LOWEST            ((WIDE)T_MIN)
#define HIGHEST           ((WIDE)T_MAX)
#define IS_NAN(v)         ((void)(v), false)
#define WRAPPED(a, op, b) ((WIDE)((uint64_t)(a)op(uint64_t)(b)))
#include "ops/reference/dtypes.inc"
#undef TOTAL
#undef LOWEST
#undef HIGHEST
#undef IS_NAN
#undef WRAPPED
#undef TEMPLATE

#define TABLE(F)                                                                                   \
    {                                                                                              \
        [KRT_FLOAT32] = F##_f32, [KRT_FLOAT64] = F##_f64, [KRT_INT8] = F##_i8,                     \
        [KRT_INT16] = F##_i16, [KRT_INT32] = F##_i32, [KRT_INT64] = F##_i64, [KRT_UINT8] = F##_u8, \
        [KRT_UINT16] = F##_u16, [KRT_UINT32] = F##_u32, [KRT_UINT64] = F##_u64,                    \
        [KRT_BOOL] = F##_u8                                                                        \
    }

static void reduce(const krti_node *n, const krti_view *in, krti_view *out, reduce_kind kind)
{
    static void (*const by_dtype[KRTI_NUM_DTYPES])(reduce_plan *, const void *, void *) =
        TABLE(reduce);
    reduce_plan p = reduce_plan_of(n, in[0].shape, kind);

    if (krt_shape_size(out->shape) > 0)
        by_dtype[in[0].dtype](&p, in[0].data, out->data);
}

#define REDUCE(NAME, KIND)                                                               \
    void krti_ref_reduce_##NAME(const krti_node *n, const krti_view *in, krti_view *out) \
    {                                                                                    \
        reduce(n, in, out, KIND);                                                        \
    }
REDUCE(sum, SUM)
REDUCE(mean, MEAN)
REDUCE(prod, PROD)
REDUCE(max, MAX)
REDUCE(min, MIN)
REDUCE(any, MAX)
REDUCE(all, MIN)

/* ------------------------------------------------------------------------------- along one axis */

static void find(const krti_node *n, const krti_view *in, krti_view *out, bool largest)
{
    static int32_t (*const by_dtype[KRTI_NUM_DTYPES])(const void *, int64_t, int64_t, int64_t,
                                                      bool) = TABLE(find);
    const krti_split s = krti_split_at(in[0].shape, n->attrs.reduce.axis[0]);
    int32_t *y = out->data;

    for (int64_t o = 0; o < s.outer; o++)
        for (int64_t i = 0; i < s.inner; i++)
            *y++ = by_dtype[in[0].dtype](in[0].data, o * s.axis * s.inner + i, s.inner, s.axis,
                                         largest);
}

void krti_ref_argmax(const krti_node *n, const krti_view *in, krti_view *out)
{
    find(n, in, out, true);
}

void krti_ref_argmin(const krti_node *n, const krti_view *in, krti_view *out)
{
    find(n, in, out, false);
}

void krti_ref_cumsum(const krti_node *n, const krti_view *in, krti_view *out)
{
    static void (*const by_dtype[KRTI_NUM_DTYPES])(const krti_node *, krti_split, const void *,
                                                   void *) = TABLE(cumsum);

    by_dtype[in[0].dtype](n, krti_split_at(in[0].shape, n->attrs.scan.axis), in[0].data, out->data);
}

void krti_ref_sort(const krti_node *n, const krti_view *in, krti_view *out)
{
    static void (*const by_dtype[KRTI_NUM_DTYPES])(void *, int64_t, int64_t, int64_t) = TABLE(sort);
    const krti_split s = krti_split_at(in[0].shape, n->attrs.axis.axis);

    krti_copy_run(out->data, 1, in[0].data, 1, krt_shape_size(in[0].shape),
                  krt_dtype_size(in[0].dtype));
    for (int64_t o = 0; o < s.outer; o++)
        for (int64_t i = 0; i < s.inner; i++)
            by_dtype[in[0].dtype](out->data, o * s.axis * s.inner + i, s.inner, s.axis);
}

/* ------------------------------------------------------------------------------- backwards */

static double real_at(const krti_view *v, int64_t i)
{
    return v->dtype == KRT_FLOAT64 ? ((const double *)v->data)[i]
                                   : (double)((const float *)v->data)[i];
}

/* Where the i-th element of a row went: behind what is smaller and what is equal before it. */
static int64_t place_of(const krti_view *in, int64_t at, int64_t step, int64_t n, int64_t i)
{
    const double x = real_at(&in[1], at + i * step);
    int64_t low = 0, high = n;

    while (low < high) {
        const int64_t middle = low + (high - low) / 2;

        if (real_at(&in[2], at + middle * step) < x)
            low = middle + 1;
        else
            high = middle;
    }
    if (low + 1 < n && real_at(&in[2], at + (low + 1) * step) == x)
        for (int64_t j = 0; j < i; j++)
            low += real_at(&in[1], at + j * step) == x;
    return low < n ? low : n - 1;
}

void krti_ref_sort_grad(const krti_node *n, const krti_view *in, krti_view *out)
{
    const krti_split s = krti_split_at(in[0].shape, n->attrs.axis.axis);

    for (int64_t row = 0; row < s.outer * s.inner; row++) {
        const int64_t at = row / s.inner * s.axis * s.inner + row % s.inner;

        for (int64_t i = 0; i < s.axis; i++) {
            const double dy = real_at(&in[0], at + place_of(in, at, s.inner, s.axis, i) * s.inner);
            const int64_t to = at + i * s.inner;

            if (out->dtype == KRT_FLOAT64)
                ((double *)out->data)[to] = dy;
            else
                ((float *)out->data)[to] = (float)dy;
        }
    }
}
