/* Elementwise operations that are more than one op of the graph. Keras: ops/numpy.py, ops/nn.py.
 *
 * A sum, difference or product with a bare number becomes one affine op: it has the same value, and
 * the compiler can run it in place or behind a convolution, which a general broadcast cannot. */
#include "layers/operations_list.h"
#include "tensor/tensor.h"

/* ------------------------------------------------------------------------------- one value */

krt_value *krti_operation_identity(krti_graph *g, krt_value *x)
{
    (void)g;
    return x;
}

krt_value *krti_operation_cbrt(krti_graph *g, krt_value *x)
{
    krt_value *const root = krti_power_scalar(g, krti_absolute(g, x), 1.0 / 3, 0, 0);

    return krti_multiply(g, krti_sign(g, x), root);
}

krt_value *krti_operation_deg2rad(krti_graph *g, krt_value *x)
{
    return krti_affine(g, x, 3.14159265358979323846 / 180, 0, 0);
}

krt_value *krti_operation_rad2deg(krti_graph *g, krt_value *x)
{
    return krti_affine(g, x, 180 / 3.14159265358979323846, 0, 0);
}

krt_value *krti_operation_erfc(krti_graph *g, krt_value *x)
{
    return krti_affine(g, krti_erf(g, x), -1, 1, 0);
}

krt_value *krti_operation_exp2(krti_graph *g, krt_value *x)
{
    return krti_exp(g, krti_affine(g, x, 0.69314718055994530942, 0, 0));
}

krt_value *krti_operation_hard_tanh(krti_graph *g, krt_value *x)
{
    return krti_clip(g, x, -1, 1, 0);
}

krt_value *krti_operation_isneginf(krti_graph *g, krt_value *x)
{
    return krti_logical_and(g, krti_isinf(g, x), krti_less(g, x, krti_scalar_like(g, x, 0)));
}

krt_value *krti_operation_isposinf(krti_graph *g, krt_value *x)
{
    return krti_logical_and(g, krti_isinf(g, x), krti_greater(g, x, krti_scalar_like(g, x, 0)));
}

krt_value *krti_operation_relu(krti_graph *g, krt_value *x)
{
    return krti_relu(g, x, 0, 0, INFINITY);
}

krt_value *krti_operation_relu6(krti_graph *g, krt_value *x)
{
    return krti_relu(g, x, 0, 0, 6);
}

krt_value *krti_operation_signbit(krti_graph *g, krt_value *x)
{
    krt_value *const zero = krti_scalar_like(g, x, 0);
    krt_value *const is_negative = krti_less(g, x, zero);

    if (x == NULL || !krti_dtype_is_float(x->dtype))
        return is_negative;
    /* -0.0 is told from 0.0 by its reciprocal. */
    krt_value *const below = krti_less(g, krti_reciprocal(g, x), zero);
    return krti_logical_or(g, is_negative, krti_logical_and(g, krti_equal(g, x, zero), below));
}

krt_value *krti_operation_sinc(krti_graph *g, krt_value *x)
{
    krt_value *const y = krti_affine(g, x, 3.14159265358979323846, 0, 0);
    krt_value *const zero = krti_scalar_like(g, y, 0), *const one = krti_scalar_like(g, y, 1);

    return krti_where(g, krti_equal(g, y, zero), one, krti_divide(g, krti_sin(g, y), y));
}

krt_value *krti_operation_tanh_shrink(krti_graph *g, krt_value *x)
{
    return krti_subtract(g, x, krti_tanh(g, x));
}

/* ------------------------------------------------------------------------------- two values */

krt_value *krti_operation_divide_no_nan(krti_graph *g, krt_value *a, krt_value *b)
{
    krt_value *const y = krti_divide(g, a, b);

    return krti_where(g, krti_equal(g, b, krti_scalar_like(g, b, 0)), krti_scalar_like(g, y, 0), y);
}

krt_value *krti_operation_fmax(krti_graph *g, krt_value *a, krt_value *b)
{
    return krti_where(g, krti_isnan(g, a), b,
                      krti_where(g, krti_isnan(g, b), a, krti_maximum(g, a, b)));
}

krt_value *krti_operation_fmin(krti_graph *g, krt_value *a, krt_value *b)
{
    return krti_where(g, krti_isnan(g, a), b,
                      krti_where(g, krti_isnan(g, b), a, krti_minimum(g, a, b)));
}

/* The remainder with the sign of a; mod() has the sign of b. */
krt_value *krti_operation_fmod(krti_graph *g, krt_value *a, krt_value *b)
{
    krt_value *const rest = krti_mod(g, krti_absolute(g, a), krti_absolute(g, b));

    return krti_multiply(g, krti_sign(g, a), rest);
}

krt_value *krti_operation_heaviside(krti_graph *g, krt_value *a, krt_value *b)
{
    krt_value *const zero = krti_scalar_like(g, a, 0), *const one = krti_scalar_like(g, a, 1);

    return krti_where(g, krti_less(g, a, zero), zero,
                      krti_where(g, krti_equal(g, a, zero), b, one));
}

krt_value *krti_operation_hypot(krti_graph *g, krt_value *a, krt_value *b)
{
    return krti_sqrt(g, krti_add(g, krti_square(g, a), krti_square(g, b)));
}

krt_value *krti_operation_ldexp(krti_graph *g, krt_value *a, krt_value *b)
{
    return krti_multiply(g, a, krti_operation_exp2(g, b));
}

/* max + f(-|a - b|), which cannot overflow. */
krt_value *krti_operation_logaddexp(krti_graph *g, krt_value *a, krt_value *b)
{
    krt_value *const far = krti_negative(g, krti_absolute(g, krti_subtract(g, a, b)));

    return krti_add(g, krti_maximum(g, a, b), krti_log1p(g, krti_exp(g, far)));
}

krt_value *krti_operation_logaddexp2(krti_graph *g, krt_value *a, krt_value *b)
{
    krt_value *const far = krti_negative(g, krti_absolute(g, krti_subtract(g, a, b)));
    krt_value *const bits =
        krti_affine(g, krti_log1p(g, krti_operation_exp2(g, far)), 1.4426950408889634074, 0, 0);

    return krti_add(g, krti_maximum(g, a, b), bits);
}

krt_value *krti_operation_outer(krti_graph *g, krt_value *a, krt_value *b)
{
    return krti_multiply(g, krti_reshape(g, a, KRT_SHAPE(-1, 1)),
                         krti_reshape(g, b, KRT_SHAPE(1, -1)));
}

/* ------------------------------------------------------------------------------- arithmetic */

/* The number when the argument is a bare one and the other a float array, else NAN. */
static double bare_number(const krti_opcall *o, const char *name, const krt_value *other)
{
    const krti_conf *const arg = krti_opcall_find(o, name);
    double number;

    if (other == NULL || !krti_dtype_is_float(other->dtype) || krti_conf_is(arg, KRTI_CONF_BOOL) ||
        !krti_conf_as_float(arg, &number))
        return (double)NAN;
    return number;
}

typedef struct operands {
    krt_value *a, *b;
    double a_number, b_number; /* NAN: none */
} operands;

static operands read_operands(const krti_opcall *o)
{
    operands p;

    krti_opcall_pair(o, "x1", "x2", &p.a, &p.b);
    p.a_number = bare_number(o, "x1", p.b);
    p.b_number = bare_number(o, "x2", p.a);
    return p;
}

krt_value *krti_operation_add(const krti_opcall *o)
{
    const operands p = read_operands(o);

    if (!isnan(p.b_number))
        return krti_affine(o->g, p.a, 1, p.b_number, 0);
    if (!isnan(p.a_number))
        return krti_affine(o->g, p.b, 1, p.a_number, 0);
    return krti_add(o->g, p.a, p.b);
}

krt_value *krti_operation_subtract(const krti_opcall *o)
{
    const operands p = read_operands(o);

    if (!isnan(p.b_number))
        return krti_affine(o->g, p.a, 1, -p.b_number, 0);
    if (!isnan(p.a_number))
        return krti_affine(o->g, p.b, -1, p.a_number, 0);
    return krti_subtract(o->g, p.a, p.b);
}

krt_value *krti_operation_multiply(const krti_opcall *o)
{
    const operands p = read_operands(o);

    if (!isnan(p.b_number))
        return krti_affine(o->g, p.a, p.b_number, 0, 0);
    if (!isnan(p.a_number))
        return krti_affine(o->g, p.b, p.a_number, 0, 0);
    return krti_multiply(o->g, p.a, p.b);
}

krt_value *krti_operation_power(const krti_opcall *o)
{
    const operands p = read_operands(o);

    if (p.b_number == 2)
        return krti_square(o->g, p.a);
    if (!isnan(p.b_number))
        return krti_power_scalar(o->g, p.a, p.b_number, 0, 0);
    return krti_power(o->g, p.a, p.b);
}

krt_value *krti_operation_add_n(const krti_opcall *o)
{
    const size_t n = krti_opcall_num(o, "xs");
    krt_value *sum = NULL;

    for (size_t i = 0; i < n; i++) {
        krt_value *const x = krti_opcall_value(o, krti_opcall_at(o, "xs", i), sum);

        sum = i == 0 ? x : krti_add(o->g, sum, x);
    }
    return n > 0 ? sum : krti_opcall_fail(o, KRT_E_FORMAT, "nothing to add");
}

/* ------------------------------------------------------------------------------- bounds */

/* Whether a bound is a number, or absent, which bounds nothing. */
static bool read_bound(const krti_opcall *o, const char *name, double *number)
{
    const krti_conf *const arg = krti_opcall_find(o, name);

    return arg == NULL || krti_conf_as_float(arg, number);
}

krt_value *krti_operation_clip(const krti_opcall *o)
{
    krt_value *x = krti_opcall_tensor(o, "x");
    double low = -INFINITY, high = INFINITY;

    if (x == NULL)
        return NULL;
    if (!read_bound(o, "x_min", &low) || !read_bound(o, "x_max", &high)) {
        krt_value *const raised = krti_maximum(o->g, x, krti_opcall_tensor(o, "x_min"));

        return krti_minimum(o->g, raised, krti_opcall_tensor(o, "x_max"));
    }
    const bool real = krti_conf_is(krti_opcall_find(o, "x_min"), KRTI_CONF_FLOAT) ||
                      krti_conf_is(krti_opcall_find(o, "x_max"), KRTI_CONF_FLOAT);
    if (real && !krti_dtype_is_float(x->dtype))
        x = krti_cast(o->g, x, KRT_FLOAT32);
    return krti_clip(o->g, x, low, high, 0);
}

krt_value *krti_operation_round(const krti_opcall *o)
{
    krt_value *const x = krti_opcall_tensor(o, "x");
    const int64_t decimals = krti_opcall_int(o, "decimals", 0);

    if (decimals == 0)
        return krti_round(o->g, x);
    const double factor = pow(10, (double)decimals);
    return krti_divide(o->g, krti_round(o->g, krti_affine(o->g, x, factor, 0, 0)),
                       krti_scalar_like(o->g, x, factor));
}

krt_value *krti_operation_nan_to_num(const krti_opcall *o)
{
    krti_graph *const g = o->g;
    krt_value *x = krti_opcall_tensor(o, "x");
    const double largest = (double)3.402823466e+38F;
    krt_value *const nan = krti_scalar_like(g, x, krti_opcall_float(o, "nan", 0));
    krt_value *const high = krti_scalar_like(g, x, krti_opcall_float(o, "posinf", largest));
    krt_value *const low = krti_scalar_like(g, x, krti_opcall_float(o, "neginf", -largest));

    if (x == NULL || !krti_dtype_is_float(x->dtype))
        return x;
    krt_value *const is_high = krti_operation_isposinf(g, x);
    krt_value *const is_low = krti_operation_isneginf(g, x);
    x = krti_where(g, krti_isnan(g, x), nan, x);
    return krti_where(g, is_high, high, krti_where(g, is_low, low, x));
}

/* Whether each element of x1 is among those of x2. */
krt_value *krti_operation_is_in(const krti_opcall *o)
{
    krti_graph *const g = o->g;
    krt_value *const x = krti_opcall_tensor(o, "x1");
    krt_value *const all = krti_opcall_value(o, krti_opcall_find(o, "x2"), x);

    if (x == NULL || all == NULL)
        return NULL;
    const int last = x->shape.rank;
    krt_value *const same =
        krti_equal(g, krti_expand_dims(g, x, last), krti_reshape(g, all, KRT_SHAPE(-1)));
    krt_value *const found = krti_reduce_any(g, same, &last, 1, false);
    return krti_opcall_bool(o, "invert", false) ? krti_logical_not(g, found) : found;
}

krt_value *krti_operation_isclose(const krti_opcall *o)
{
    krti_graph *const g = o->g;
    krt_value *a, *b;

    krti_opcall_pair(o, "x1", "x2", &a, &b);
    krt_value *const close = krti_affine(g, krti_absolute(g, b), krti_opcall_float(o, "rtol", 1e-5),
                                         krti_opcall_float(o, "atol", 1e-8), 0);
    krt_value *const far = krti_absolute(g, krti_subtract(g, a, b));
    krt_value *result = krti_logical_and(g, krti_less_equal(g, far, close), krti_isfinite(g, b));

    result = krti_logical_or(g, result, krti_equal(g, a, b));
    if (krti_opcall_bool(o, "equal_nan", false))
        result =
            krti_logical_or(g, result, krti_logical_and(g, krti_isnan(g, a), krti_isnan(g, b)));
    return result;
}

/* ------------------------------------------------------------------------------- choosing */

krt_value *krti_operation_where(const krti_opcall *o)
{
    krt_value *const condition = krti_opcall_tensor(o, "condition");
    krt_value *a, *b;

    if (krti_opcall_find(o, "x1") == NULL)
        return krti_opcall_fail(o, KRT_E_UNSUPPORTED,
                                "where() of a condition alone has a shape that depends on data");
    krti_opcall_pair(o, "x1", "x2", &a, &b);
    return krti_where(o->g, condition, a, b);
}

/* The first condition that holds chooses. */
krt_value *krti_operation_select(const krti_opcall *o)
{
    const krti_conf *const conditions = krti_opcall_find(o, "condlist");
    const krti_conf *const choices = krti_opcall_find(o, "choicelist");
    const krti_conf *const fallback = krti_opcall_find(o, "default");
    krt_value *result = NULL;

    for (size_t i = krti_conf_num(choices); i-- > 0;) {
        krt_value *const condition = krti_opcall_value(o, krti_conf_at(conditions, i), NULL);
        krt_value *const choice = krti_opcall_value(o, krti_conf_at(choices, i), NULL);

        if (result == NULL)
            result = fallback != NULL ? krti_opcall_value(o, fallback, choice)
                                      : krti_scalar_like(o->g, choice, 0);
        result = krti_where(o->g, condition, choice, result);
    }
    if (result == NULL)
        return krti_opcall_fail(o, KRT_E_FORMAT, "a choice without choices");
    return result;
}

/* ------------------------------------------------------------------------------- dtypes */

krt_value *krti_operation_cast(const krti_opcall *o)
{
    return krti_cast(o->g, krti_opcall_tensor(o, "x"), krti_opcall_dtype(o, "dtype", KRT_FLOAT32));
}

krt_value *krti_saturate_cast(krti_graph *g, krt_value *x, krt_dtype dtype)
{
    static const struct {
        krt_dtype dtype;
        double low, high;
    } bounds[] = {
        {KRT_UINT8, 0, UINT8_MAX},    {KRT_INT8, INT8_MIN, INT8_MAX},
        {KRT_UINT16, 0, UINT16_MAX},  {KRT_INT16, INT16_MIN, INT16_MAX},
        {KRT_UINT32, 0, UINT32_MAX},  {KRT_INT32, INT32_MIN, INT32_MAX},
        {KRT_FLOAT16, -65504, 65504},
    };

    for (size_t i = 0; i < KRTI_COUNT(bounds); i++)
        if (bounds[i].dtype == dtype)
            x = krti_clip(g, x, bounds[i].low, bounds[i].high, 0);
    return krti_cast(g, x, dtype);
}

krt_value *krti_operation_saturate_cast(const krti_opcall *o)
{
    return krti_saturate_cast(o->g, krti_opcall_tensor(o, "x"),
                              krti_opcall_dtype(o, "dtype", KRT_FLOAT32));
}

krt_value *krti_operation_convert_to_tensor(const krti_opcall *o)
{
    krt_value *const x = krti_opcall_tensor(o, "x");

    return x != NULL ? krti_cast(o->g, x, krti_opcall_dtype(o, "dtype", x->dtype)) : NULL;
}

krt_value *krti_operation_stop_gradient(const krti_opcall *o)
{
    return krti_opcall_tensor(o, "variable");
}
