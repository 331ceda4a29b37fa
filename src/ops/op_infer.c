/* See op_infer.h. The dtype lattice is keras/src/backend/common/dtypes.py's, as Keras resolves it
 * on TensorFlow, where int64 and float64 stay what they are. */
#include "ops/op_infer.h"

krti_text krti_shape_text(krt_shape s)
{
    krti_text text;

    krt_shape_print(s, text.s, sizeof text.s);
    return text;
}

krt_status krti_infer_same(krti_graph *g, krti_node *n)
{
    const krt_status st = krti_infer_one_dtype(g, n);

    return st == KRT_OK ? krti_infer_set(n, n->in[0]->dtype, n->in[0]->shape) : st;
}

krt_status krti_infer_one_dtype(krti_graph *g, const krti_node *n)
{
    const krt_dtype dtype = n->in[0]->dtype;

    if (dtype == KRT_FLOAT16 || dtype == KRT_BFLOAT16)
        return INFER_FAIL(g, "%s is not computed in %s; cast to float32 first", n->op->name,
                          krt_dtype_name(dtype));
    for (int i = 1; i < n->num_in; i++)
        if (n->in[i] != NULL && n->in[i]->dtype != dtype)
            return INFER_FAIL(g, "%s takes inputs of one dtype, found %s and %s", n->op->name,
                              krt_dtype_name(dtype), krt_dtype_name(n->in[i]->dtype));
    return KRT_OK;
}

krt_status krti_infer_floats(krti_graph *g, const krti_node *n)
{
    const krt_dtype dtype = n->in[0]->dtype;

    if (dtype != KRT_FLOAT32 && dtype != KRT_FLOAT64)
        return INFER_FAIL(g, "%s takes float32 or float64, found %s", n->op->name,
                          krt_dtype_name(dtype));
    return krti_infer_one_dtype(g, n);
}

krt_status krti_infer_fused(krti_graph *g, krti_node *n, krt_shape out)
{
    const krt_value *bias = n->num_in > 2 ? n->in[2] : NULL;
    const krt_value *residual = n->num_in > 3 ? n->in[3] : NULL;

    if (bias != NULL &&
        (bias->shape.rank != 1 || !krti_dim_match(bias->shape.dim[0], out.dim[out.rank - 1])))
        return INFER_FAIL(g, "a bias of %s does not fit the result %s",
                          krti_shape_text(bias->shape).s, krti_shape_text(out).s);
    for (int i = 0; residual != NULL && i < out.rank; i++)
        if (residual->shape.rank != out.rank || !krti_dim_match(residual->shape.dim[i], out.dim[i]))
            return INFER_FAIL(g, "a residual of %s does not fit the result %s",
                              krti_shape_text(residual->shape).s, krti_shape_text(out).s);
    return krti_infer_set(n, n->in[0]->dtype, out);
}

bool krti_dim_match(int64_t a, int64_t b)
{
    return a == b || a == KRT_NONE || b == KRT_NONE;
}

bool krti_shape_broadcast(krt_shape a, krt_shape b, krt_shape *out)
{
    const int rank = a.rank > b.rank ? a.rank : b.rank;

    *out = (krt_shape){.rank = rank};
    for (int i = 0; i < rank; i++) {
        const int ia = i - (rank - a.rank), ib = i - (rank - b.rank);
        const int64_t da = ia < 0 ? 1 : a.dim[ia], db = ib < 0 ? 1 : b.dim[ib];

        if (da != 1 && db != 1 && !krti_dim_match(da, db))
            return false;
        out->dim[i] = da == 1 || (da == KRT_NONE && db != 1) ? db : da;
    }
    return true;
}

krt_dtype krti_float_dtype(krt_dtype dtype)
{
    return dtype == KRT_FLOAT64 ? KRT_FLOAT64 : KRT_FLOAT32;
}

krt_value *krti_to_float(krti_graph *g, krt_value *x)
{
    return x != NULL ? krti_cast(g, x, krti_float_dtype(x->dtype)) : NULL;
}

/* ------------------------------------------------------------------------------- the lattice */

typedef enum dtype_kind { KIND_BOOL, KIND_UNSIGNED, KIND_SIGNED, KIND_FLOAT } dtype_kind;

static dtype_kind kind_of(krt_dtype d)
{
    if (krti_dtype_is_float(d))
        return KIND_FLOAT;
    if (d == KRT_BOOL)
        return KIND_BOOL;
    return d >= KRT_UINT8 && d <= KRT_UINT64 ? KIND_UNSIGNED : KIND_SIGNED;
}

static krt_dtype wider(krt_dtype a, krt_dtype b)
{
    return krt_dtype_size(a) >= krt_dtype_size(b) ? a : b;
}

/* A signed dtype that holds both; beyond int64 Keras turns to its default float. */
static krt_dtype join_signs(krt_dtype is_signed, krt_dtype is_unsigned)
{
    static const struct {
        krt_dtype from, to;
    } above[] = {{KRT_UINT8, KRT_INT16}, {KRT_UINT16, KRT_INT32}, {KRT_UINT32, KRT_INT64}};

    for (size_t i = 0; i < KRTI_COUNT(above); i++)
        if (above[i].from == is_unsigned)
            return wider(is_signed, above[i].to);
    return KRT_FLOAT32;
}

krt_dtype krti_result_dtype(krt_dtype a, krt_dtype b)
{
    if (a == b)
        return a;
    if (kind_of(a) > kind_of(b)) {
        const krt_dtype swap = a;

        a = b;
        b = swap;
    }
    if (kind_of(a) == KIND_BOOL)
        return b;
    if (kind_of(a) == KIND_UNSIGNED && kind_of(b) == KIND_SIGNED)
        return join_signs(b, a);
    if (kind_of(a) != kind_of(b))
        return b;
    if (kind_of(a) == KIND_FLOAT && krt_dtype_size(a) == krt_dtype_size(b))
        return KRT_FLOAT32; /* float16 with bfloat16 */
    return wider(a, b);
}
